#!/usr/bin/env python3
"""Compares a whole POST on coldboot with one on QEMU: the firmware's debug log and the port accesses.

    post.py [--emu build/coldboot] [--qemu qemu-system-i386] [--list]

Both machines have the same devices as far as they can (16 MiB, a 1.44 MB floppy whose boot sector ends
the run through isa-debug-exit, std VGA, COM1, a processor without APIC). Compared are the set of
distinct (port, direction, size) and the lines of SeaBIOS' debug log; what may differ is in
EXPECTED_PORTS and EXPECTED_LINES with the reason (docs/compare-qemu.md says more). Exit status: 0
equal, 1 different, 77 when QEMU is not installed.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

# (first, last, who only, why)
EXPECTED_PORTS = [
]
# Regular expressions for lines of the log that only one side has.
EXPECTED_LINES = [
    (r'DSDT at|MPTABLE|Space available|Relocating init|SMBIOS', 'sizes of tables that are our own'),
]
OPTIONS = ['-m', '16', '-nodefaults', '-vga', 'std', '-display', 'none', '-serial', 'null',
           '-device', 'isa-debugcon,iobase=0x402,chardev=log', '-device', 'isa-debug-exit,iobase=0xf4,iosize=1']


def boot_image(path):
    """mov al,0; out 0F4h,al; hlt"""
    code = b'\xb0\x00\xe6\xf4\xf4'
    with open(path, 'wb') as f:
        f.write(code + bytes(510 - len(code)) + b'\x55\xaa' + bytes(1474560 - 512))


def floppy(path):
    return ['-drive', f'if=floppy,format=raw,file={path}', '-boot', 'a']


def qemu_run(qemu, folder, image):
    trace, log = os.path.join(folder, 'qemu.trace'), os.path.join(folder, 'qemu.log')
    subprocess.run(
        [qemu, '-accel', 'tcg', '-cpu', 'pentium,-apic', '-no-hpet', '-chardev', 'file,id=log,path=' + log] + OPTIONS +
        floppy(image) + ['-trace', 'memory_region_ops_*', '-D', trace],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
    ports = set()
    pattern = re.compile(r"memory_region_ops_(read|write) cpu (\S+) mr \S+ addr (0x[0-9a-f]+) value \S+ size (\d) name '([^']*)'")
    memory = ('vga-lowmem', 'vga.', 'apic', 'ioapic', 'pam', 'hpet', 'bochs', 'qemu extended', 'tpm', 'pflash')
    with open(trace, errors='replace') as lines:
        for line in lines:
            m = pattern.match(line)
            if not m or m.group(2) == '-1':
                continue
            addr, name = int(m.group(3), 16), m.group(5)
            if addr < 0x10000 and not name.startswith(memory):
                ports.add((addr, 'in' if m.group(1) == 'read' else 'out', int(m.group(4))))
    return ports, open(log, errors='replace').read()


def coldboot_run(emu, folder, image):
    trace, log = os.path.join(folder, 'cold.trace'), os.path.join(folder, 'cold.log')
    subprocess.run(
        emu.split() + ['-chardev', 'file,id=log,path=' + log] + OPTIONS + floppy(image) +
        ['-clock', 'virtual', '-trace', 'port_*', '-D', trace],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120)
    ports = set()
    pattern = re.compile(r'cpu0 (in|out) +([0-9a-f]{4}) size=(\d)')
    with open(trace, errors='replace') as lines:
        for line in lines:
            m = pattern.search(line)
            if m:
                ports.add((int(m.group(2), 16), m.group(1), int(m.group(3))))
    return ports, open(log, errors='replace').read()


def excused_port(port, side):
    for first, last, who, why in EXPECTED_PORTS:
        if first <= port <= last and who == side:
            return why
    return None


def excused_line(line):
    for pattern, why in EXPECTED_LINES:
        if re.search(pattern, line):
            return why
    return None


def normal(log):
    """Lines with addresses and timings taken out, as a list without repeats."""
    seen = []
    for line in log.splitlines():
        line = re.sub(r'0x[0-9a-f]+|\b[0-9a-f]{8}\b', '#', line.strip())
        if line and line not in seen:
            seen.append(line)
    return seen


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--emu', default='build/coldboot')
    p.add_argument('--qemu', default='qemu-system-i386')
    p.add_argument('--list', action='store_true', help='print what is excused too')
    args = p.parse_args()
    if not shutil.which(args.qemu):
        print(f'skipped: {args.qemu} is not installed')
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix='post-') as folder:
        image = os.path.join(folder, 'boot.img')
        boot_image(image)
        theirs, their_log = qemu_run(args.qemu, folder, image)
        ours, our_log = coldboot_run(args.emu, folder, image)
    bad = 0
    for side, only in (('qemu', theirs - ours), ('coldboot', ours - theirs)):
        for port, way, size in sorted(only):
            why = excused_port(port, side)
            if why is None:
                bad += 1
                print(f'only on {side}: {way} {port:04x} size {size}')
            elif args.list:
                print(f'only on {side}: {way} {port:04x} size {size}   ({why})')
    a, b = normal(their_log), normal(our_log)
    for side, only in (('qemu', [x for x in a if x not in b]), ('coldboot', [x for x in b if x not in a])):
        for line in only:
            why = excused_line(line)
            if why is None:
                bad += 1
                print(f'only in the log of {side}: {line}')
            elif args.list:
                print(f'only in the log of {side}: {line}   ({why})')
    print(f'{len(theirs)} distinct accesses on QEMU, {len(ours)} on coldboot, {len(theirs & ours)} common; {bad} differences without a reason')
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
