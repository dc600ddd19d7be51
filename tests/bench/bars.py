"""Groups of kernels and what is to be reached: QEMU's time / ours at least, ours / native at most."""
import re

# name, kernels (a pattern), ratio, times native
GROUPS = [
    ('16-bit real mode', r'(alu|string|muldiv|segment|call|int|com)16$', 3, None),
    ('32-bit integer', r'(alu|vm|sieve|crc|crcbits|sort|lz|hash|table|big)32p?$', 2.5, 1.7),
    ('32-bit memory, unpaged', r'(random|chase|stride|copy|bulk|push)[0-9km-]*32$', 8, 1.5),
    ('32-bit memory, paged', r'(random|chase|stride|copy|bulk|push)[0-9km-]*32p$', 5, 2.5),
    ('64-bit mix', r'(alu|vm|sieve|crc|crcbits|sort|lz|hash|table|big|mul128-|div128-|random.*|chase.*|stride.*|copy.*|'
                   r'bulk|push)64$', 4, 2),
    ('x87 and SSE2', r'(x87|sse)', 10, 2.5),
    ('calls, jump tables', r'(recursion|calls|indirect\d-|cases)', 3, 2),
    ('self-modifying, fresh, cold', r'(fresh|patched|overlaid|cold|smc|overlay)', 15, None),
    ('ports, PCI, VGA', r'(port|pci|vga)', 3, None),
    ('traps, faults, CR3, 32-bit', r'(int80-|fault|cr3-|timer)32', 2.5, None),
    ('traps, faults, CR3, 64-bit', r'(int80-|fault|cr3-|timer|syscall)64$', 2, None),
    ('disk through INT 13h', r'disk', 25, None),
    ('start', r'first-byte', 5, None),
    ('to the boot sector', r'boot-sector', 3, None),
    ('memory at the boot sector', r'resident', 3, None),
    ('FreeDOS to its prompt', r'freedos', 3.5, None),
    ('Linux to user space', r'linux', 2, None),
]

# What is waited for, not computed: wall time counts.
WALL = {'first-byte', 'boot-sector'}

# One or two kernels of each group.
QUICK = ['alu16', 'string16', 'com16', 'vm32', 'sort32', 'lz32', 'table32', 'random256k-32', 'copy16m-32', 'random16m-32p',
         'copy256k-32p', 'vm64', 'lz64', 'table64', 'mul128-64', 'random256k-64', 'x87mandel32', 'x87dot64', 'ssebodies64',
         'ssematrix32', 'sseint64', 'recursion32', 'indirect8-64', 'cases32', 'fresh32', 'patched32', 'smc16', 'port32',
         'vgatext32', 'int80-32p', 'fault32p', 'cr3-64', 'syscall64']


def group(kernel):
    for row in GROUPS:
        if re.match(row[1], kernel):
            return row
    return None
