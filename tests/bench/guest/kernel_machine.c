/*
 * What a system does: ports, PCI configuration, video memory, system calls from ring 3, page
 * faults, address spaces, timer interrupts. Guest only.
 */
#include "kernel.h"
#include "machine.h"

uint32_t run_ports(void)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        sum = mix(sum, in8(0x61) & 0x0c);
        out8(0x80, (uint8_t)i);
    }
    return sum;
}

uint32_t run_pci(void)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 400000; i++) {
        out32(0xcf8, 0x80000000 | (i & 1) << 11);       /* 00:00.0 and 00:01.0, vendor and device */
        sum = mix(sum, in32(0xcfc));
    }
    return sum;
}

uint32_t run_text(void)
{
    volatile uint16_t *cell = (uint16_t *)0xb8000;
    uint32_t sum = 0;
    for (unsigned i = 0; i < 2000; i++) {
        cell[i] = 0;
    }
    for (uint32_t i = 0; i < 4000000; i++) {
        cell[i % 2000] = (uint16_t)(0x0700 | (i & 0x3f));
        sum += cell[(i * 7) % 2000] & 0xff00;
    }
    return sum;
}

/* ---- graphics memory: only what the processor sees of the modes is set up ---- */

#define SEQUENCER 0x3c4
#define GRAPHICS  0x3ce

static void set_register(uint16_t port, uint8_t index, uint8_t val)
{
    out8(port, index);
    out8(port + 1, val);
}

static uint8_t get_register(uint16_t port, uint8_t index)
{
    out8(port, index);
    return in8(port + 1);
}

static const struct {
    uint16_t port;
    uint8_t index;
} mode_registers[] = {
    {SEQUENCER, 2}, {SEQUENCER, 4}, {GRAPHICS, 0}, {GRAPHICS, 1}, {GRAPHICS, 3},
    {GRAPHICS, 4}, {GRAPHICS, 5}, {GRAPHICS, 6}, {GRAPHICS, 8},
};
#define MODE_REGISTERS (sizeof(mode_registers) / sizeof(mode_registers[0]))

static void set_mode(const uint8_t val[MODE_REGISTERS])
{
    for (unsigned i = 0; i < MODE_REGISTERS; i++) {
        set_register(mode_registers[i].port, mode_registers[i].index, val[i]);
    }
}

static void get_mode(uint8_t val[MODE_REGISTERS])
{
    for (unsigned i = 0; i < MODE_REGISTERS; i++) {
        val[i] = get_register(mode_registers[i].port, mode_registers[i].index);
    }
}

/* Mode 12h: lines of pixels, filled areas and copies, by write modes 0 to 3. */
uint32_t run_planar(void)
{
    static const uint8_t mode[MODE_REGISTERS] = {0x0f, 0x06, 0, 0, 0, 0, 0, 0x05, 0xff};
    volatile uint8_t *window = (uint8_t *)0xa0000;
    uint8_t before[MODE_REGISTERS];
    uint32_t sum = 0;
    get_mode(before);
    set_mode(mode);
    for (uint32_t i = 0; i < 38400; i++) {
        window[i] = 0;
    }
    for (uint32_t round = 0; round < 64; round++) {
        uint8_t write_mode = round & 3;
        set_register(GRAPHICS, 5, write_mode);
        set_register(GRAPHICS, 0, round >> 2);
        set_register(GRAPHICS, 1, write_mode ? 0 : 0x05);
        set_register(GRAPHICS, 3, write_mode ? 0 : round >> 2 & 0x18);
        set_register(GRAPHICS, 8, write_mode == 2 ? 0x3c : 0xff);
        for (uint32_t i = 0; i < 19200; i++) {
            sum += window[i + round];
            window[i + 19200] = (uint8_t)(i * 7 + round);
        }
    }
    for (uint8_t plane = 0; plane < 4; plane++) {
        set_register(GRAPHICS, 4, plane);
        for (uint32_t i = 0; i < 38400; i++) {
            sum = mix(sum, window[i]);
        }
    }
    set_mode(before);
    return sum;
}

/* Mode 13h: a byte a pixel. */
uint32_t run_pixels(void)
{
    static const uint8_t mode[MODE_REGISTERS] = {0x0f, 0x0e, 0, 0, 0, 0, 0x40, 0x05, 0xff};
    volatile uint8_t *pixel = (uint8_t *)0xa0000;
    uint8_t before[MODE_REGISTERS];
    uint32_t sum = 0;
    get_mode(before);
    set_mode(mode);
    for (uint32_t i = 0; i < 64000; i++) {
        pixel[i] = (uint8_t)i;
    }
    for (uint32_t i = 0; i < 20000000; i++) {
        uint32_t at = i * 321 % 64000;
        pixel[at] = (uint8_t)(pixel[at] + i);
        sum += pixel[i % 64000];
    }
    set_mode(before);
    return sum;
}

/* ---- interrupts ---- */

static struct {
    uint32_t word[4];
} idt[256];

static void set_gate(unsigned vector, const uint8_t *entry, unsigned dpl)
{
    uintptr_t at = (uintptr_t)entry;
    uint32_t low = KERNEL_CODE << 16 | (at & 0xffff), high = (at & 0xffff0000) | 0x8e00 | dpl << 13;
#ifdef __x86_64__
    idt[vector].word[0] = low;
    idt[vector].word[1] = high;
    idt[vector].word[2] = (uint32_t)(at >> 32);
#else
    uint32_t *gate = &idt[0].word[0] + vector * 2;
    gate[0] = low;
    gate[1] = high;
#endif
}

struct table_pointer {
    uint16_t limit;
    uintptr_t base;
} __attribute__((packed));

static uint32_t tss[26];
static uint8_t trap_stack[8192] __attribute__((aligned(16)));

/* Gates, and a TSS for the stack of ring 0. */
static void take_interrupts(void)
{
    uintptr_t at = (uintptr_t)tss, top = (uintptr_t)(trap_stack + sizeof(trap_stack));
    set_gate(0x80, entry_80, 3);
    set_gate(0x81, entry_81, 3);
    set_gate(0x0e, entry_fault, 0);
    set_gate(0x20, entry_timer, 0);
    tss[1] = (uint32_t)top;
#ifdef __x86_64__
    tss[2] = (uint32_t)(top >> 32);
#else
    tss[2] = KERNEL_DATA;
#endif
    gdt[TSS_SELECTOR / 8] = (sizeof(tss) - 1) | (uint64_t)(at & 0xffffff) << 16 | 0x89ull << 40 |
                            (uint64_t)(at >> 24 & 0xff) << 56;
    gdt[TSS_SELECTOR / 8 + 1] = (uint64_t)at >> 32;
    struct table_pointer pointer = {sizeof(idt) - 1, (uintptr_t)idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}

static void user_int80(void)
{
    for (unsigned i = 0; i < 400000; i++) {
        __asm__ volatile("int $0x80" : : : "memory");
    }
    __asm__ volatile("int $0x81");
}

uint32_t run_int80(void)
{
    take_interrupts();
    calls_80 = 0;
    run_user(user_int80);
    return calls_80;
}

#ifdef __x86_64__

static void write_msr(uint32_t msr, uint64_t val)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)));
}

static void user_syscall(void)
{
    for (unsigned i = 0; i < 1500000; i++) {
        __asm__ volatile("syscall" : : : "rcx", "r11", "memory");
    }
    __asm__ volatile("int $0x81");
}

uint32_t run_syscall(void)
{
    take_interrupts();
    calls_syscall = 0;
    write_msr(0xc0000081, (uint64_t)(USER_DATA - 8) << 48 | (uint64_t)KERNEL_CODE << 32); /* STAR */
    write_msr(0xc0000082, (uintptr_t)entry_syscall);    /* LSTAR */
    write_msr(0xc0000084, 0x200);                       /* FMASK */
    run_user(user_syscall);
    return calls_syscall;
}

#endif

/* ---- paging: 4 KiB pages, each at its own address ---- */

static uintptr_t *page_entry(uintptr_t at)
{
    return (uintptr_t *)fault_table + at / PAGE_BYTES;
}

static void load_cr3(uintptr_t directory)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(directory) : "memory");
}

#define FAULT_PAGES 512u

static void user_touch(void)
{
    for (unsigned i = 0; i < FAULT_PAGES; i++) {
        arena[(size_t)i * PAGE_BYTES] += 1;
    }
    __asm__ volatile("int $0x81");
}

uint32_t run_faults(void)
{
    uint32_t sum = 0;
    take_interrupts();
    for (unsigned i = 0; i < FAULT_PAGES; i++) {
        arena[(size_t)i * PAGE_BYTES] = (uint8_t)i;
    }
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < FAULT_PAGES; i++) {
            *page_entry((uintptr_t)arena + (size_t)i * PAGE_BYTES) &= ~(uintptr_t)PRESENT;
        }
        load_cr3(DIRECTORY);
        run_user(user_touch);
        sum = mix(sum, arena[round * PAGE_BYTES]);
    }
    return sum;
}

uint32_t run_cr3(void)
{
    uint32_t sum = 0;
    __builtin_memcpy((void *)(uintptr_t)DIRECTORY_2, (void *)(uintptr_t)DIRECTORY, PAGE_BYTES);
    for (unsigned i = 0; i < 200000; i++) {
        load_cr3(i & 1 ? DIRECTORY : DIRECTORY_2);
        for (unsigned page = 0; page < 4; page++) {
            volatile uint32_t *at = (uint32_t *)(arena + (size_t)(page * 5 + 1) * PAGE_BYTES);
            *at = i + page;
            sum += *at;
        }
    }
    load_cr3(DIRECTORY);
    return sum;
}

/* The PIT at 4 kHz, halted between ticks. */
uint32_t run_timer(void)
{
    static const uint8_t init[] = {0x11, 0x20, 0x04, 0x01};
    take_interrupts();
    for (unsigned i = 0; i < sizeof(init); i++) {
        out8(i ? 0x21 : 0x20, init[i]);                 /* [8259] ICW1 to ICW4 */
    }
    out8(0x21, 0xfe);
    out8(0x43, 0x34);
    out8(0x40, 298 & 0xff);
    out8(0x40, 298 >> 8);
    ticks = 0;
    while (*(volatile uint32_t *)&ticks < 1000) {
        __asm__ volatile("sti; hlt; cli" : : : "memory");
    }
    out8(0x21, 0xff);
    return 1000;
}
