"""Bochs as Debian packages it, which coldboot's interpreter is measured beside.

Its guests' time is a function of the instructions that ran, so coldboot gets -clock virtual beside it: else a halted guest
would wait on one of the two and not on the other. What is left of the timer kernels then is how each skips idle time: they
say nothing of the interpreter's speed. boot-sector has the same SeaBIOS on both, of which Bochs needs the small file; its
floppy drive does not get on with it when FreeDOS boots, and so has its own BIOS there.
"""
import os
import shutil
import subprocess
import time

import systems

PROGRAM = shutil.which('bochs')
SEABIOS = '/usr/share/seabios'
OURS = ['-clock', 'virtual']
LINES = """\
romimage: file={bios}
vgaromimage: file={video}
display_library: sdl2
port_e9_hack: enabled=1
log: /dev/null
"""
ROMS = {'bios': '/usr/share/bochs/BIOS-bochs-latest', 'video': '/usr/share/bochs/VGABIOS-lgpl-latest'}
SAME_ROMS = {'bios': f'{SEABIOS}/bios.bin', 'video': f'{SEABIOS}/vgabios-stdvga.bin'}


def command(folder, *lines, roms=None):
    """Debian's has its debugger built in and wants to be told to go on."""
    rc, go = os.path.join(folder, 'bochsrc'), os.path.join(folder, 'bochs.go')
    with open(rc, 'w', encoding='utf-8') as file:
        file.write(LINES.format(**(roms or ROMS)) + '\n'.join(lines) + '\n')
    with open(go, 'w', encoding='utf-8') as file:
        file.write('c\n')
    return [PROGRAM, '-q', '-f', rc, '-rc', go]


def kernels(folder, image):
    disk = [f'ata0-master: type=disk, path={image.disk}, mode=flat'] if image.disk else []
    return command(folder, 'megs: 64', f'floppya: 1_44={image.path}, status=inserted', 'boot: floppy',
                   'cpu: ips=1000000000', *disk)


# ---- what a user waits for: Bochs runs about 100 million instructions in a second ----

SPEED = 'cpu: ips=100000000'


def holds(pid, wanted):
    """Are these bytes in the process's memory?"""
    with open(f'/proc/{pid}/maps', encoding='ascii') as maps, open(f'/proc/{pid}/mem', 'rb', 0) as memory:
        for words in (line.split() for line in maps):
            begin, end = (int(word, 16) for word in words[0].split('-'))
            try:
                memory.seek(begin)
                if words[1].startswith('rw') and wanted in memory.read(end - begin):
                    return True
            except (OSError, OverflowError):            # not to be read, or gone by now
                pass
    return False


def run(line, there):
    """(CPU seconds, wall seconds, '') until there(process)."""
    start = time.monotonic()
    quiet = dict(os.environ, SDL_VIDEODRIVER='dummy')
    process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=quiet)
    try:
        while not there(process):
            if process.poll() is not None or systems.cpu_seconds(process.pid) > 2 * systems.LIMIT_S:
                raise RuntimeError('Bochs did not get there')
        return systems.cpu_seconds(process.pid), time.monotonic() - start, ''
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def boot_sector(folder):
    """Its debugger has a line of its own at the start, and then the debug port's bytes follow."""
    image = os.path.join(folder, 'boot.img')
    return run(command(folder, 'megs: 64', f'floppya: 1_44={image}, status=inserted', 'boot: floppy', SPEED, roms=SAME_ROMS),
               lambda process: process.stdout.readline().endswith(b'; ea5be000f0\n') and process.stdout.read(1) == b'B')


def freedos(folder):
    """The prompt is looked for in video memory."""
    prompt = b''.join(bytes((char, 7)) for char in systems.PROMPT.encode())

    def there(process):
        time.sleep(0.1)
        return holds(process.pid, prompt)
    return run(command(folder, 'megs: 64', f'floppya: 1_44={systems.FREEDOS}, status=inserted, write_protected=1',
                       'boot: floppy', SPEED), there)


def grub_linux64(folder):
    serial = os.path.join(folder, 'bochs.serial')

    def there(_):
        time.sleep(0.1)
        try:
            with open(serial, 'rb') as file:
                return systems.READY64 in file.read()
        except OSError:
            return False
    if os.path.exists(serial):
        os.remove(serial)
    return run(command(folder, 'megs: 192', f'ata0-master: type=cdrom, path={systems.GRUB}, status=inserted', 'boot: cdrom',
                       f'com1: enabled=1, mode=file, dev={serial}', f'{SPEED}, model=corei7_haswell_4770'), there)


SYSTEMS = {'boot-sector': boot_sector, 'freedos': freedos, 'grub-linux64': grub_linux64}
