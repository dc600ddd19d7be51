/*
 * Debug registers: breakpoints on data and ports.
 *
 * Source: [SDM3] "Debug Registers", "Data Memory and I/O Breakpoint Exception Conditions".
 * Model:  a page with a watched byte is kept out of the TLB's fast tags, so that only accesses
 *         there come here. A hit is noted and the trap follows the instruction; a fault of the
 *         instruction forgets it. Code breakpoints are the engine's.
 * Chosen: accesses that the processor makes on its own (descriptors, TSS) count like the program's.
 */
#include "core/cpu/mech.h"

enum { RW_EXECUTE, RW_WRITE, RW_IO, RW_ANY };

static unsigned rw_of(const struct x86_cpu *cpu, unsigned i)
{
    return cpu->s.dr[7] >> (16 + 4 * i) & 3;
}

/* Bytes that register @i watches, from dr[i] with the low bits cleared. */
static unsigned len_of(const struct x86_cpu *cpu, unsigned i)
{
    static const uint8_t bytes[] = {1, 2, 8, 4};
    return bytes[cpu->s.dr[7] >> (18 + 4 * i) & 3];
}

static bool enabled(const struct x86_cpu *cpu, unsigned i)
{
    return cpu->s.dr[7] >> (2 * i) & 3;
}

void x86_debug_changed(struct x86_cpu *cpu)
{
    bool was = cpu->watch_data;
    cpu->watch_data = cpu->watch_ports = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned rw = rw_of(cpu, i);
        if (enabled(cpu, i) && (rw == RW_WRITE || rw == RW_ANY)) {
            cpu->watch_data |= (uint8_t)BIT(i);
        } else if (enabled(cpu, i) && rw == RW_IO && (cpu->s.cr4 & CR4_DE)) {
            cpu->watch_ports |= (uint8_t)BIT(i);
        }
    }
    if (was || cpu->watch_data) {
        x86_tlb_flush(cpu);
    }
}

static bool overlaps(const struct x86_cpu *cpu, unsigned i, uint64_t at, unsigned len)
{
    uint64_t watched = len_of(cpu, i);
    uint64_t from = cpu->s.dr[i] & ~(watched - 1);
    return at < from + watched && from < at + len;
}

static void hit(struct x86_cpu *cpu, unsigned i)
{
    cpu->watch_hits |= BIT(i);
    if (cpu->stop_after_insn) {
        cpu->stop_after_insn(cpu);
    }
}

void x86_watch_data(struct x86_cpu *cpu, uint64_t lin, unsigned len, bool write)
{
    for (unsigned i = 0; i < 4; i++) {
        if ((cpu->watch_data & BIT(i)) && (write || rw_of(cpu, i) == RW_ANY) &&
            overlaps(cpu, i, lin, len)) {
            hit(cpu, i);
        }
    }
}

void x86_watch_port(struct x86_cpu *cpu, unsigned port, unsigned size)
{
    for (unsigned i = 0; i < 4; i++) {
        if ((cpu->watch_ports & BIT(i)) && overlaps(cpu, i, port, size)) {
            hit(cpu, i);
        }
    }
}

bool x86_watch_page(const struct x86_cpu *cpu, uint64_t lin)
{
    bool watched = false;
    for (unsigned i = 0; i < 4; i++) {
        watched = watched || ((cpu->watch_data & BIT(i)) &&
                              overlaps(cpu, i, lin & ~PAGE_OFFSET, PAGE_BYTES));
    }
    return watched;
}
