/*
 * The APICs of the board: a local APIC in each vCPU, the I/O APIC, the bus between them, and the
 *         wires
 * from the 8259s and the ISA lines. A board whose processors have no local APIC has none of it;
 * then the 8259s drive the first vCPU.
 */
#ifndef HW_PC_APICS_H
#define HW_PC_APICS_H

#include "hw/chips/hpet.h"
#include "hw/chips/i8259.h"
#include "hw/chips/ioapic.h"
#include "hw/chips/lapic.h"
#include "hw/piix3/piix3.h"

struct apics {
    struct machine *m;
    bool present;
    struct apic_bus bus;
    struct lapic lapic[MACHINE_MAX_VCPUS];
    struct ioapic ioapic;
    struct irq pin2[2];          /* I/O APIC input 2: IRQ 0, or a timer of the HPET */
    bool pin2_level[2];
};

/* For the vCPUs that the machine has; joins ISA lines to the I/O APIC, and @pic to LINT0 or to the
 * first vCPU. @pic is initialised later, with apics_intr. */
void apics_init(struct apics *a, struct machine *m, struct piix3 *piix3, struct i8259_pair *pic);

/* Where INTR of the 8259s leads. */
struct irq *apics_intr(struct apics *a);

/* The inputs of the I/O APIC that the HPET's timers can be routed to. */
void apics_hpet_routes(struct apics *a, struct hpet_pins *pins);

/* An NMI to every vCPU. [locked] */
void apics_nmi(struct apics *a);

#endif
