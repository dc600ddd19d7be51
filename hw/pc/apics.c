/*
 * Joins vCPUs, local APICs, I/O APIC, 8259s and ISA lines.
 *
 * Source: [SDM3] "Local APIC", [MPS] "PIC Mode", "Virtual Wire Mode"; QEMU's machine for the wires:
 *         ISA line n is input n of the I/O APIC but IRQ 0, which is input 2; the 8259s are LINT0 of
 *         every processor, NMI is LINT1; a timer of the HPET can only be routed to input 2.
 */
#include "hw/pc/apics.h"

#include "core/accel/vcpu.h"

#define TIMER_PIN 2

static const struct vcpu_apic_ops apic_ops = {
    .page = lapic_page, .read = lapic_read, .write = lapic_write, .read_msr = lapic_read_msr,
    .write_msr = lapic_write_msr, .set_deadline = lapic_set_deadline, .tpr = lapic_tpr,
    .set_tpr = lapic_set_tpr, .init = lapic_take_init,
};

/* Input 2 has two sources; they are ORed. */
static void pin2_changed(void *opaque, unsigned n, bool level)
{
    struct apics *a = opaque;
    a->pin2_level[n] = level;
    irq_set(ioapic_input(&a->ioapic, TIMER_PIN), a->pin2_level[0] || a->pin2_level[1]);
}

static void add_lapic(struct apics *a, unsigned i)
{
    struct machine *m = a->m;
    struct vcpu_features has = vcpu_features(m);
    struct lapic_pins pins = {
        .intr = vcpu_intr(m, i), .nmi = vcpu_nmi(m, i), .smi = vcpu_smi(m, i),
        .init = vcpu_init_pin(m, i), .startup = vcpu_startup, .cpu = m->vcpus[i],
        .x2apic = has.x2apic, .tsc_deadline = has.tsc_deadline, .id = vcpu_apic_id(m, i),
    };
    lapic_init(&a->lapic[i], &a->bus, &pins);
    vcpu_set_apic(m, i, &apic_ops, &a->lapic[i]);
    vcpu_set_inta(m, i, lapic_acknowledge, &a->lapic[i]);
}

void apics_init(struct apics *a, struct machine *m, struct piix3 *piix3, struct i8259_pair *pic)
{
    *a = (struct apics){.m = m, .present = vcpu_features(m).apic};
    if (!a->present) {
        vcpu_set_inta(m, 0, i8259_acknowledge, pic);
        piix3->nmi = vcpu_nmi(m, 0);
        return;
    }
    apic_bus_init(&a->bus, m);
    a->bus.inta = i8259_acknowledge;
    a->bus.inta_opaque = pic;
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        add_lapic(a, i);
    }
    ioapic_init(&a->ioapic, &a->bus);
    for (unsigned n = 0; n < 2; n++) {
        irq_init(&a->pin2[n], pin2_changed, a, n);
    }
    for (unsigned n = 0; n < PIIX3_IRQS; n++) {
        piix3->ioapic[n] = n == 0 ? &a->pin2[0] : ioapic_input(&a->ioapic, n);
    }
    piix3->nmi = &a->bus.lint[1];
}

struct irq *apics_intr(struct apics *a)
{
    return a->present ? &a->bus.lint[0] : vcpu_intr(a->m, 0);
}

void apics_hpet_routes(struct apics *a, struct hpet_pins *pins)
{
    if (a->present) {
        pins->route[TIMER_PIN] = &a->pin2[1];
    }
}

void apics_nmi(struct apics *a)
{
    for (unsigned i = 0; i < a->m->n_vcpus; i++) {
        if (a->present) {
            lapic_set_lint(&a->lapic[i], 1, true);
            lapic_set_lint(&a->lapic[i], 1, false);
        } else {
            irq_pulse(vcpu_nmi(a->m, i));
        }
    }
}
