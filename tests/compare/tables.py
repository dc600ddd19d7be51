"""What a guest finds after POST, on coldboot and on QEMU: memory map, CMOS, PCI configuration space, firmware's tables."""
import os
import struct
import subprocess

MAP, CMOS, CONFIG = 0x10000, 0x11000, 0x12000   # where tables.asm puts it
MEMORY = 16 << 20

# (what, first byte, last byte, why it may differ)
EXPECTED = [
    ('CMOS', 0x00, 0x0c, 'time of day and the flags of register C'),
    ('FACP', 9, 9, 'the checksum'),
    ('DSDT', 0, 1 << 20, 'describes only what is there'),
    ('MP table', 7, 7, 'the checksum'),
    ('MP table', 52, 52, "feature flags of the processor: QEMU's Pentium has no VME"),
    ('SMBIOS 4', 8, 23, 'signature and clock of the processor are not told'),
    ('SMBIOS 16', 4, 6, 'memory is on the board, without error correction'),
]


def e820(memory):
    """The map as lines of text."""
    lines = []
    for at in range(MAP, CMOS, 24):
        base, length, kind = struct.unpack_from('<QQI', memory, at)
        if length == 0:
            break
        lines.append(f'{base:x}-{base + length - 1:x} type {kind}')
    return '\n'.join(lines).encode()


def find(memory, signature):
    for at in range(0xe0000, 0x100000, 16):
        if memory[at:at + len(signature)] == signature:
            return at
    raise RuntimeError(f'no {signature.decode()} in the BIOS segments')


def acpi(memory):
    """Tables by signature, pointers to others in them set to 0."""
    def table(at):
        data = bytearray(memory[at:at + struct.unpack_from('<I', memory, at + 4)[0]])
        return data[:4].decode(), data
    rsdt = table(struct.unpack_from('<I', memory, find(memory, b'RSD PTR ') + 16)[0])[1]
    tables = dict(table(at) for at in struct.unpack_from(f'<{(len(rsdt) - 36) // 4}I', rsdt, 36))
    for at in struct.unpack_from('<II', tables['FACP'], 36):
        tables.update([table(at)])
    tables['FACP'][36:44] = bytes(8)
    return tables


def mp_table(memory):
    at = struct.unpack_from('<I', memory, find(memory, b'_MP_') + 4)[0]
    return memory[at:at + struct.unpack_from('<H', memory, at + 4)[0]]


def pirq_table(memory):
    at = find(memory, b'$PIR')
    return memory[at:at + struct.unpack_from('<H', memory, at + 6)[0]]


def smbios(memory):
    """Structures without their texts, by type; several of one type one after the other."""
    entry = find(memory, b'_SM_')
    length, at = struct.unpack_from('<HI', memory, entry + 22)
    tables, end = {}, at + length
    while at < end:
        kind, size = memory[at], memory[at + 1]
        tables[f'SMBIOS {kind}'] = tables.get(f'SMBIOS {kind}', b'') + memory[at:at + size]
        at = memory.index(b'\0\0', at + size) + 2
    return tables


def found(memory):
    """Everything that is compared: name, bytes."""
    things = {'E820': e820(memory), 'CMOS': memory[CMOS:CMOS + 128], 'MP table': mp_table(memory),
              '$PIR': pirq_table(memory)}
    for function in range(32):
        data = memory[CONFIG + 256 * function:CONFIG + 256 * function + 256]
        if data[:2] != b'\xff\xff':
            things[f'PCI {function >> 3:02x}.{function & 7}'] = data
    things.update(acpi(memory))
    things.update(smbios(memory))
    return things


def differences(name, ours, theirs):
    """Pairs of a text and the reason for it, or None for the reason."""
    reasons = [(first, last, why) for what, first, last, why in EXPECTED if what == name]
    if ours is None or theirs is None:
        yield f'{name} is only on {"coldboot" if theirs is None else "qemu"}', None
        return
    if len(ours) != len(theirs):
        yield (f'{name} has {len(ours)} bytes here and {len(theirs)} on QEMU',
               next((why for _, last, why in reasons if last >= 1 << 20), None))
    for at, (a, b) in enumerate(zip(ours, theirs)):
        if a != b:
            why = next((why for first, last, why in reasons if first <= at <= last), None)
            yield f'{name}: byte {at:02x} is {a:02x} here and {b:02x} on QEMU', why


def assemble(folder):
    image = os.path.join(folder, 'tables.img')
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'tables.asm')
    subprocess.run(['nasm', '-f', 'bin', '-o', image, source], check=True)
    os.truncate(image, 1474560)
    return image


def after_post(emulator):
    """All of @emulator's memory once tables.asm is done."""
    emulator.step('wait:tables: done')
    return emulator.saved(f'pmemsave 0 {MEMORY} "{{}}"', 'all', MEMORY)
