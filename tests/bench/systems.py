"""What a user waits for: start-up, FreeDOS to its prompt, Linux to user space; and resident memory.

Each is a function of a machine (program, accelerator) that gives (CPU seconds, wall seconds, ''), or (MiB, MiB, '').
Linux and FreeDOS are found in $COLDBOOT_IMAGES (default ../shared/images).
"""
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
IMAGES = os.path.abspath(os.environ.get('COLDBOOT_IMAGES', os.path.join(HERE, '..', '..', '..', 'shared', 'images')))
FREEDOS = os.path.join(IMAGES, 'floppy', 'freedos-min-1440.img')
LINUX = os.path.join(IMAGES, 'linux')
GRUB = os.path.join(IMAGES, 'iso', 'grub-linux64.iso')
READY64 = b'ASSET-LINUX64 READY'
PROMPT = 'A:\\>'
LIMIT_S = 120


class Machine:
    def __init__(self, program, accel, qemu):
        self.program, self.accel, self.qemu = program, accel, qemu
        self.more = []                                  # options for every run

    def command(self, *more):
        quiet = ['-nic', 'none'] if self.qemu else []
        return [self.program, '-accel', self.accel, '-display', 'none', *quiet, *self.more, *more]


def cpu_seconds(pid):
    """Processor time of a process so far. It is stopped meanwhile: of what runs on another processor the kernel knows the
    time of its last tick only, so that 4 ms may be missing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        return time.clock_gettime(~pid << 3 | 2)        # <linux/posix-timers.h> CPUCLOCK_SCHED of all its threads
    finally:
        os.kill(pid, signal.SIGCONT)


def peak_mib(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith('VmHWM'))


def until(command, wanted, value=None):
    """(CPU seconds, wall seconds, '') until the command printed the bytes wanted, or what value(pid) says then."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        text = b''
        while wanted not in text:
            ready, _, _ = select.select([process.stdout], [], [], LIMIT_S)
            char = os.read(process.stdout.fileno(), 4096) if ready else b''
            if not char or time.monotonic() - start > LIMIT_S:
                raise RuntimeError(f'{command[0]} did not get to {wanted.decode()}')
            text = text[-4096:] + char
        wall, cpu = time.monotonic() - start, cpu_seconds(process.pid)
        return (value(process.pid),) * 2 + ('',) if value else (cpu, wall, '')
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def debug_port(port):
    return ['-chardev', 'stdio,id=log', '-device', f'isa-debugcon,iobase={port:#x},chardev=log']


def first_byte(machine, folder):
    return until(machine.command('-m', '64', *debug_port(0x402)), b'S')


def boot_command(machine, folder):
    image = os.path.join(folder, 'boot.img')
    return machine.command('-m', '64', *debug_port(0xe9), '-drive', f'file={image},format=raw,if=floppy,snapshot=on')


def boot_sector(machine, folder):
    return until(boot_command(machine, folder), b'B')


def resident(machine, folder):
    return until(boot_command(machine, folder), b'B', peak_mib)


def linux(machine, name, text, *words):
    kernel, initrd = (os.path.join(LINUX, name + part) for part in ('-vmlinuz', '-initrd.gz'))
    return until(machine.command('-m', '192', '-serial', 'stdio', '-kernel', kernel, '-initrd', initrd, '-append',
                                 ' '.join(('console=ttyS0', *words))), text)


def linux32(machine, folder):
    return linux(machine, 'linux32', b'ASSET-LINUX32 READY')


def linux64(machine, folder):
    return linux(machine, 'linux64', READY64)


def linux64_quiet(machine, folder):
    """Without the kernel's messages, which go out at 9600 baud."""
    return linux(machine, 'linux64', READY64, 'quiet')


def grub_linux64(machine, folder):
    """From a CD, by GRUB, whose menu counts down."""
    return until(machine.command('-m', '192', '-cdrom', GRUB, '-boot', 'd', '-serial', 'stdio'), READY64)


def waited(pid, start):
    _, status, usage = os.wait4(pid, 0)
    return status, (usage.ru_utime + usage.ru_stime, time.monotonic() - start, '')


def freedos(machine, folder):
    """A whole process: on coldboot with the virtual clock, which never waits."""
    return qemu_freedos(machine) if machine.qemu else own_freedos(machine)


def freedos_command(machine, *more):
    return machine.command('-m', '64', '-snapshot', '-fda', FREEDOS, *more)


def start(command):
    pid = os.fork()
    if pid == 0:
        null = os.open('/dev/null', os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.execv(command[0], command)
    return pid


def own_freedos(machine):
    begin = time.monotonic()
    status, times = waited(start(freedos_command(machine, '--digest', '--expect', PROMPT)), begin)
    if status != 0:
        raise RuntimeError(f'FreeDOS ended with status {status}')
    return times


def qemu_freedos(machine):
    """Its monitor is asked for the text screen until the prompt is there."""
    folder, begin = tempfile.mkdtemp(), time.monotonic()
    monitor, screen = os.path.join(folder, 'monitor'), os.path.join(folder, 'screen')
    pid = start(freedos_command(machine, '-monitor', f'unix:{monitor},server=on,wait=off'))
    try:
        wire = socket.socket(socket.AF_UNIX)
        while True:
            try:
                wire.connect(monitor)
                break
            except OSError:
                if time.monotonic() - begin > LIMIT_S:
                    raise
                time.sleep(0.005)
        while time.monotonic() - begin < LIMIT_S:
            wire.sendall(f'pmemsave 0xb8000 4000 "{screen}"\n'.encode())
            time.sleep(0.02)
            try:
                with open(screen, 'rb') as file:
                    cells = file.read()[::2]
            except OSError:
                continue
            if PROMPT.encode() in cells:
                wire.sendall(b'quit\n')
                done, pid = pid, 0
                return waited(done, begin)[1]
        raise RuntimeError('QEMU did not get to the prompt')
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        shutil.rmtree(folder, ignore_errors=True)


def there(*names):
    return all(os.path.exists(os.path.join(IMAGES, name)) for name in names)


# name, function, unit, needs these images
ALL = [
    ('first-byte', first_byte, 'ms', []),
    ('boot-sector', boot_sector, 'ms', []),
    ('resident', resident, 'MiB', []),
    ('freedos', freedos, 'ms', ['floppy/freedos-min-1440.img']),
    ('linux32', linux32, 'ms', ['linux/linux32-vmlinuz']),
    ('linux64-quiet', linux64_quiet, 'ms', ['linux/linux64-vmlinuz']),
    ('linux64', linux64, 'ms', ['linux/linux64-vmlinuz']),
    ('grub-linux64', grub_linux64, 'ms', ['iso/grub-linux64.iso']),
]
