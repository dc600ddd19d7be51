/*
 * What a vCPU and its local APIC say to each other.
 *
 * Source: [SDM3] "Local APIC", "MP Initialization Protocol", "Task Priority in IA-32e Mode" (CR8).
 */
#include "core/accel/vcpu.h"

#include "core/cpu/cpuid.h"

struct vcpu_features vcpu_features(const struct machine *m)
{
    const struct x86_model *model = m->cpu_model;
    return (struct vcpu_features){
        .apic = x86_has(model, X86_F_APIC),
        .x2apic = x86_has(model, X86_F_X2APIC),
        .tsc_deadline = x86_has(model, X86_F_TSC_DEADLINE),
    };
}

struct x86_topology vcpu_topology(const struct machine *m)
{
    return (struct x86_topology){.cores = m->cores, .threads = m->threads};
}

uint32_t vcpu_apic_id(const struct machine *m, unsigned index)
{
    struct x86_topology t = vcpu_topology(m);
    return x86_apic_id(&t, index);
}

void vcpu_set_apic(struct machine *m, unsigned index, const struct vcpu_apic_ops *ops, void *apic)
{
    if (index < m->n_vcpus) {
        m->vcpus[index]->apic_ops = ops;
        m->vcpus[index]->apic = apic;
        m->vcpus[index]->apic_page = ops->page(apic);
    }
}

static void lock_if_free(struct vcpu *cpu)
{
    if (cpu->machine->clock.driver != CLOCK_VIRTUAL) {
        lock_take(&cpu->machine->lock);
    }
}

static void unlock_if_free(struct vcpu *cpu)
{
    if (cpu->machine->clock.driver != CLOCK_VIRTUAL) {
        lock_drop(&cpu->machine->lock);
    }
}

bool vcpu_read_apic_msr(struct vcpu *cpu, uint32_t index, uint64_t *val)
{
    lock_if_free(cpu);
    bool known = cpu->apic_ops->read_msr(cpu->apic, index, val);
    unlock_if_free(cpu);
    return known;
}

bool vcpu_write_apic_msr(struct vcpu *cpu, uint32_t index, uint64_t val)
{
    lock_if_free(cpu);
    bool taken = cpu->apic_ops->write_msr(cpu->apic, index, val);
    unlock_if_free(cpu);
    return taken;
}

void vcpu_set_apic_deadline(struct vcpu *cpu, uint64_t tsc, int64_t at_ns)
{
    lock_if_free(cpu);
    cpu->apic_ops->set_deadline(cpu->apic, tsc, at_ns);
    unlock_if_free(cpu);
}

uint8_t vcpu_cr8(struct vcpu *cpu)
{
    lock_if_free(cpu);
    uint8_t tpr = cpu->apic_ops->tpr(cpu->apic);
    unlock_if_free(cpu);
    return tpr >> 4;
}

void vcpu_set_cr8(struct vcpu *cpu, uint8_t val)
{
    lock_if_free(cpu);
    cpu->apic_ops->set_tpr(cpu->apic, (uint8_t)(val << 4));
    unlock_if_free(cpu);
}

void vcpu_took_init(struct vcpu *cpu)
{
    if (cpu->apic_ops != NULL) {
        lock_if_free(cpu);
        cpu->apic_ops->init(cpu->apic);
        unlock_if_free(cpu);
    }
}

uint8_t vcpu_sipi_vector(struct vcpu *cpu)
{
    lock_if_free(cpu);
    uint8_t vector = cpu->sipi_vector;
    unlock_if_free(cpu);
    return vector;
}
