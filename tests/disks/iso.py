"""Small ISO 9660 images, with an El Torito boot entry if asked for ([ECMA119], [ELTORITO])."""
import struct

SECTOR = 2048
ROOT, CATALOGUE, FILES = 21, 22, 23
PATH_TABLE_L, PATH_TABLE_M = 19, 20

NO_EMULATION, FLOPPY_1200, FLOPPY_1440, FLOPPY_2880, HARD_DISK = range(5)


def both16(value):
    return struct.pack('<H', value) + struct.pack('>H', value)


def both32(value):
    return struct.pack('<I', value) + struct.pack('>I', value)


def record(name, sector, length, folder=False):
    """A directory record of 2026-01-01."""
    body = (b'\0' + both32(sector) + both32(length) + bytes((126, 1, 1, 0, 0, 0, 0)) +
            bytes((2 if folder else 0, 0, 0)) + both16(1) + bytes((len(name),)) + name)
    body += b'\0' * (len(name) % 2 == 0)
    return bytes((len(body) + 1,)) + body


def padded(data):
    return data + b'\0' * (-len(data) % SECTOR)


def volume_descriptor(label, sectors, root):
    date = b'2026010100000000\0'
    head = b'\1CD001\1\0' + b' ' * 32 + label.encode().ljust(32) + bytes(8) + both32(sectors) + bytes(32)
    head += both16(1) + both16(1) + both16(SECTOR) + both32(10)
    head += struct.pack('<II', PATH_TABLE_L, 0) + struct.pack('>II', PATH_TABLE_M, 0) + root
    head += b' ' * (4 * 128 + 3 * 37) + date + date + b'0' * 16 + b'\0' + date + b'\1'
    return padded(head)


def boot_catalogue(media, sector, count):
    """A validation entry and the default entry, for 80x86."""
    entry = bytearray(b'\1' + bytes(29) + b'\x55\xaa')
    total = sum(struct.unpack('<16H', entry)) & 0xffff
    struct.pack_into('<H', entry, 28, -total & 0xffff)
    return padded(bytes(entry) + struct.pack('<BBHBBHI', 0x88, media, 0, 0, 0, count, sector))


def make_iso(path, label, files, boot=None):
    """Writes an image with @files (name: bytes). @boot: (media, image, sectors of 512 bytes to load)."""
    places, sector = {}, FILES
    contents = b''
    for name, data in files.items():
        places[name] = (sector, len(data))
        contents += padded(data)
        sector += -(-len(data) // SECTOR)
    boot_sector = sector
    if boot is not None:
        contents += padded(boot[1])
        sector += -(-len(boot[1]) // SECTOR)
    listing = b''.join(record(name, ROOT, SECTOR, True) for name in (b'\0', b'\1'))
    listing += b''.join(record((name + ';1').encode(), *places[name]) for name in sorted(files))
    entry = bytes((1, 0)), struct.pack('<I', ROOT), struct.pack('>I', ROOT)
    table = [padded(entry[0] + entry[1] + b'\1\0\0\0'), padded(entry[0] + entry[2] + b'\0\1\0\0')]
    descriptors = volume_descriptor(label, sector, record(b'\0', ROOT, SECTOR, True))
    if boot is not None:
        descriptors += padded(b'\0CD001\1' + b'EL TORITO SPECIFICATION'.ljust(64, b'\0') +
                              struct.pack('<I', CATALOGUE))
    else:
        descriptors += padded(b'\xffCD001\1')
    descriptors += padded(b'\xffCD001\1')
    catalogue = boot_catalogue(boot[0], boot_sector, boot[2]) if boot is not None else bytes(SECTOR)
    with open(path, 'wb') as file:
        file.write(bytes(16 * SECTOR) + descriptors + table[0] + table[1] + padded(listing) + catalogue + contents)
