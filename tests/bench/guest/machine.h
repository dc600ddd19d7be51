/* What guest kernels need of the processor: set up by guest.asm, used by kernel_machine.c. */
#ifndef TESTS_BENCH_GUEST_MACHINE_H
#define TESTS_BENCH_GUEST_MACHINE_H

#include <stdint.h>

/* Selectors of guest.asm; user ones with RPL 3. */
#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_CODE   0x2b
#define USER_DATA   0x23
#define TSS_SELECTOR 0x30

#define DIRECTORY   0x100000u        /* page tables: the top one, what it needs, then 4 KiB pages */
#define DIRECTORY_2 0x180000u        /* room for a second top */
#define PRESENT     1u
#define PAGE_BYTES  4096u

static inline void out8(uint16_t port, uint8_t val)
{
    __asm__ volatile("outb %0, %1" : : "a"(val), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t val;
    __asm__ volatile("inb %1, %0" : "=a"(val) : "Nd"(port));
    return val;
}

static inline void out32(uint16_t port, uint32_t val)
{
    __asm__ volatile("outl %0, %1" : : "a"(val), "Nd"(port));
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t val;
    __asm__ volatile("inl %1, %0" : "=a"(val) : "Nd"(port));
    return val;
}

/* ---- guest.asm ---- */
/* Runs @function in ring 3; it ends with INT 81h. */
void run_user(void (*function)(void));
extern uint8_t entry_80[], entry_81[], entry_fault[], entry_timer[], entry_syscall[];
extern uint32_t calls_80, calls_syscall, ticks;
extern uint64_t gdt[];
extern uintptr_t fault_table;        /* entries of the pages that the fault handler makes present */

#endif
