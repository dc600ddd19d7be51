/*
 * The processor's side of its local APIC: MSRs, CR8, and the page that it takes out of memory.
 *
 * Source: [SDM3] "Local APIC Status and Location", "Task Priority in IA-32e Mode", "TSC-Deadline
 *         Mode", "Relocating the Local APIC Registers".
 * Model:  the chip belongs to the board; without one, and on models without the feature, there are
 *         no such MSRs and CPUID says so. s.apic_base repeats what the chip has.
 */
#include "core/cpu/cpuid.h"
#include "core/cpu/mech.h"

enum {
    MSR_APIC_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC_FIRST = 0x800,
    MSR_X2APIC_LAST = 0x8ff,
};

bool x86_has_apic(const struct x86_cpu *cpu)
{
    return x86_has(cpu->model, X86_F_APIC) && cpu->host_ops->has_apic &&
           cpu->host_ops->has_apic(cpu->host);
}

void x86_apic_moved(struct x86_cpu *cpu)
{
    uint64_t base = cpu->s.apic_base;
    bool there = (base & APIC_BASE_EN) && !(base & APIC_BASE_EXTD) && x86_has_apic(cpu);
    cpu->apic_page = there ? base & (BIT64(cpu->model->phys_bits) - 1) & ~PAGE_OFFSET : X86_NO_PAGE;
}

static bool is_apic_msr(uint32_t index)
{
    return index == MSR_APIC_BASE || (index >= MSR_X2APIC_FIRST && index <= MSR_X2APIC_LAST);
}

static bool deadline_msr(const struct x86_cpu *cpu, uint32_t index)
{
    return index == MSR_TSC_DEADLINE && x86_has(cpu->model, X86_F_TSC_DEADLINE);
}

bool x86_apic_rdmsr(struct x86_cpu *cpu, uint32_t index, uint64_t *val)
{
    return (is_apic_msr(index) || deadline_msr(cpu, index)) && x86_has_apic(cpu) &&
           cpu->host_ops->apic_read(cpu->host, index, val);
}

/* [SDM3] "TSC-Deadline Mode": armed for the time when the counter reaches @val. */
static void set_deadline(struct x86_cpu *cpu, uint64_t val)
{
    uint64_t count = cpu->host_ops->tsc(cpu->host);
    uint64_t now = count + cpu->s.tsc_offset;
    uint64_t left = val > now ? val - now : 0;
    uint64_t at = count + left < count ? ~0ull : count + left;
    cpu->host_ops->apic_deadline(cpu->host, val, at);
}

void x86_apic_tsc_written(struct x86_cpu *cpu)
{
    uint64_t val;
    if (x86_apic_rdmsr(cpu, MSR_TSC_DEADLINE, &val) && val != 0) {
        set_deadline(cpu, val);
    }
}

bool x86_apic_wrmsr(struct x86_cpu *cpu, uint32_t index, uint64_t val)
{
    if (!x86_has_apic(cpu)) {
        return false;
    }
    if (deadline_msr(cpu, index)) {
        set_deadline(cpu, val);
        return true;
    }
    if (index == MSR_APIC_BASE && (val >> cpu->model->phys_bits)) {
        return false;
    }
    if (!is_apic_msr(index) || !cpu->host_ops->apic_write(cpu->host, index, val)) {
        return false;
    }
    if (index == MSR_APIC_BASE) {
        cpu->host_ops->apic_read(cpu->host, index, &cpu->s.apic_base);
        x86_apic_moved(cpu);
        x86_tlb_flush(cpu);
    }
    return true;
}

uint64_t x86_get_cr8(struct x86_cpu *cpu)
{
    return x86_has_apic(cpu) ? cpu->host_ops->cr8(cpu->host) : cpu->s.cr8;
}

void x86_set_cr8(struct x86_cpu *cpu, uint64_t val)
{
    if (val > 15) {
        x86_fault(cpu, X86_GP, 0);
    }
    cpu->s.cr8 = val;
    if (x86_has_apic(cpu)) {
        cpu->host_ops->set_cr8(cpu->host, (uint8_t)val);
    }
}
