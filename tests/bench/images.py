"""Builds the benchmark images, and says which kernels are in them.

An image is a boot sector with kernels in nasm (NAME.asm), or with the C kernels of guest/ in one of three modes. The
C kernels are also built as a program of the host. Which kernels run is a mask: 8 bytes of the boot sector, or the
program's argument, and ONCE in it.
"""
import os
import re
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
GUEST = os.path.join(HERE, 'guest')
MASK = 502
ONCE = 1 << 63                                         # one round of each kernel
FLOPPY_BYTES = 1474560
DISK_BYTES = 64 << 20
LOAD, CODE = 0x7c00, 0x8400                            # bench.inc, guest.asm
CFLAGS = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-ffreestanding', '-fno-strict-aliasing', '-fno-pic',
          '-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-fcf-protection=none', '-mno-red-zone', '-nostdlib',
          '-static', '-no-pie', '-Wno-unused-command-line-argument']
BITS = {32: (['-m32', '-march=pentium4', '-msse2', '-mfpmath=sse', '-mstackrealign'], 'elf32'), 64: (['-m64'], 'elf64')}
# How the mode is called: its number in guest/kernel.h, bits, what names of kernels end with.
MODES = {'FLAT': (1, 32, '32'), 'PAGED': (2, 32, '32p'), 'LONG': (4, 64, '64')}
HOSTS = {32: 'HOST32', 64: 'HOST64'}


def source(name):
    with open(os.path.join(HERE, name), encoding='ascii') as file:
        return file.read()


def c_kernels(mode):
    """[(bit, name)] of the C kernels that run in a mode."""
    text = source('guest/main.c')
    sets = dict(re.findall(r'#define (PLAIN|ALL|GUEST) +\(([^)]*)\)', source('guest/kernel.h')))
    found = []
    rows = re.findall(r'^    \w*KERNEL\("([^"]+)", \w+, ([A-Z0-9 |]+), \d+\)', text, re.MULTILINE)
    for bit, (name, where) in enumerate(rows):
        for _ in range(2):
            where = re.sub(r'\w+', lambda m: sets.get(m.group(0), m.group(0)), where)
        if mode in where.split(' | '):
            found.append((bit, name))
    return found


class Image:
    """Where it is, and its kernels: name -> bit."""

    def __init__(self, path, kernels, host=None, disk=None):
        self.path, self.kernels, self.host, self.disk = path, kernels, host, disk

    def chosen(self, names):
        return sum(1 << bit for name, bit in self.kernels.items() if name in names)

    def choose(self, names, once=False):
        with open(self.path, 'r+b') as file:
            file.seek(MASK)
            file.write(struct.pack('<Q', self.chosen(names) | (ONCE if once else 0)))


def finish(path):
    with open(path, 'r+b') as file:
        file.truncate(FLOPPY_BYTES)


def nasm(path, name, kind, *more):
    subprocess.run(['nasm', '-w+all', '-f', kind, '-I', HERE + '/', *more, '-o', path, os.path.join(HERE, name)], check=True)


def c_sources():
    return [os.path.join(GUEST, name) for name in sorted(os.listdir(GUEST)) if name.endswith('.c')]


def host_program(folder, bits, compiler):
    path = os.path.join(folder, f'host{bits}')
    kernels = [name for name in c_sources() if not name.endswith(('kernel_code.c', 'kernel_machine.c'))]
    done = subprocess.run([compiler, *BITS[bits][0], *CFLAGS, '-DHOST', '-o', path, *kernels], check=False)
    works = done.returncode == 0 and subprocess.run([path, '0'], check=False).returncode == 0
    return path if works else None


def c_image(folder, mode, compiler):
    number, bits, ending = MODES[mode]
    flags, kind = BITS[bits]
    entry, flat, path = (os.path.join(folder, f'guest{ending}.{what}') for what in ('o', 'bin', 'img'))
    nasm(entry, 'guest/entry.asm', kind, f'-DMODE={number}')
    subprocess.run([compiler, *flags, *CFLAGS, '-Wl,--build-id=none,--oformat=binary', '-T', os.path.join(GUEST, 'guest.ld'),
                    '-o', flat, entry, *c_sources()], check=True)
    sectors = (CODE - LOAD - 512 + os.path.getsize(flat) + 511) // 512
    nasm(path, 'guest.asm', 'bin', f'-DMODE={number}', f'-DSECTORS={sectors}', f'-DKERNELS="{flat}"')
    finish(path)
    return path, {name + ending: bit for bit, name in c_kernels(mode)}


def make_disk(path):
    """64 MiB, the same at every run."""
    if not os.path.exists(path) or os.path.getsize(path) != DISK_BYTES:
        with open(path, 'wb') as file:
            for i in range(DISK_BYTES // 4096):
                file.write(struct.pack('<1024I', *(i * 2654435761 + k & 0xffffffff for k in range(1024))))
    return path


def build(folder, compiler):
    """Every image. Those whose kernels run on the host, too, have a host: the program and its kernels."""
    os.makedirs(folder, exist_ok=True)
    images = []
    for name in ('boot', 'real16', 'disk16'):
        path = os.path.join(folder, name + '.img')
        nasm(path, name + '.asm', 'bin')
        finish(path)
        kernels = {kernel: bit for bit, kernel in enumerate(re.findall(r'KERNEL "(\w+)"', source(name + '.asm')))}
        disk = make_disk(os.path.join(folder, 'disk.raw')) if name == 'disk16' else None
        if kernels:
            images.append(Image(path, kernels, disk=disk))
    hosts = {bits: host_program(folder, bits, compiler) for bits in HOSTS}
    for mode, (_, bits, ending) in MODES.items():
        path, kernels = c_image(folder, mode, compiler)
        there = {name + ending: bit for bit, name in c_kernels(HOSTS[bits])} if hosts[bits] else {}
        images.append(Image(path, kernels, Image(hosts[bits], there) if there else None))
    return images
