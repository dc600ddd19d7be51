/*
 * Ports: permission and access; and what else the TSS says besides tasks and stacks.
 *
 * Source: [SDM1] "Protected-Mode I/O", "I/O Permission Bit Map"; [SDM3] "Interrupt Redirection Bit
 *         Map".
 */
#include "core/cpu/mech.h"

enum { TSS32_IOMAP = 0x66, TSS32_MIN_LIMIT = 0x67 };

bool x86_tss_allows_io(struct x86_cpu *cpu, unsigned port, unsigned size)
{
    const struct x86_seg *tr = &cpu->s.tr;
    unsigned type = attr_system(tr->attr);
    if ((type != SYS_TSS32 && type != SYS_TSS32_BUSY) || tr->limit < TSS32_MIN_LIMIT) {
        return false;
    }
    uint32_t map = (uint32_t)sys_read(cpu, tr->base + TSS32_IOMAP, 2) + port / 8;
    if (map + 1 > tr->limit) { /* two bytes are always read */
        return false;
    }
    uint32_t bits = (uint32_t)sys_read(cpu, tr->base + map, 2) >> (port & 7);
    return !(bits & (BIT(size) - 1));
}

bool x86_tss_redirects(struct x86_cpu *cpu, unsigned vector)
{
    const struct x86_seg *tr = &cpu->s.tr;
    unsigned type = attr_system(tr->attr);
    if ((type != SYS_TSS32 && type != SYS_TSS32_BUSY) || tr->limit < TSS32_MIN_LIMIT) {
        return false;
    }
    uint32_t map = (uint32_t)sys_read(cpu, tr->base + TSS32_IOMAP, 2);
    if (map < 32 || map - 32 + vector / 8 > tr->limit) {
        return false;
    }
    return !(sys_read(cpu, tr->base + map - 32 + vector / 8, 1) >> (vector & 7) & 1);
}

/* SS:SP of privilege @cpl. #TS(TR) if the TSS is too short. */
void x86_tss_stack(struct x86_cpu *cpu, unsigned cpl, uint16_t *ss, uint64_t *sp)
{
    const struct x86_seg *tr = &cpu->s.tr;
    bool wide = tr->attr & 8;
    uint32_t at = wide ? cpl * 8 + 4 : cpl * 4 + 2;
    if (at + (wide ? 5 : 3) > tr->limit) {
        x86_fault(cpu, X86_TS, SEL_ERR(tr->sel));
    }
    *sp = sys_read(cpu, tr->base + at, wide ? 4 : 2);
    *ss = (uint16_t)sys_read(cpu, tr->base + at + (wide ? 4 : 2), 2);
}

/* [SDM3] "Task Management in 64-bit Mode". */
uint64_t x86_tss_rsp(struct x86_cpu *cpu, unsigned cpl, unsigned ist)
{
    const struct x86_seg *tr = &cpu->s.tr;
    uint32_t at = ist ? 0x1c + 8 * ist : 4 + 8 * cpl;
    if (at + 7 > tr->limit) {
        x86_fault(cpu, X86_TS, SEL_ERR(tr->sel));
    }
    return sys_read(cpu, tr->base + at, 8);
}

void x86_io_check(struct x86_cpu *cpu, unsigned port, unsigned size)
{
    if (!x86_io_free(cpu) && !x86_tss_allows_io(cpu, port & 0xffff, size)) {
        x86_fault(cpu, X86_GP, 0);
    }
}

uint32_t x86_io_read(struct x86_cpu *cpu, unsigned port, unsigned size)
{
    if (unlikely(cpu->watch_ports)) {
        x86_watch_port(cpu, port & 0xffff, size);
    }
    uint32_t val = (uint32_t)cpu->host_ops->read(cpu->host, cpu->ports, port & 0xffff, size);
    if (cpu->after_device) {
        cpu->after_device(cpu);
    }
    return val & (uint32_t)size_mask(size);
}

void x86_io_write(struct x86_cpu *cpu, unsigned port, uint32_t val, unsigned size)
{
    if (unlikely(cpu->watch_ports)) {
        x86_watch_port(cpu, port & 0xffff, size);
    }
    cpu->host_ops->write(cpu->host, cpu->ports, port & 0xffff, val & size_mask(size), size);
    if (cpu->after_device) {
        cpu->after_device(cpu);
    }
}
