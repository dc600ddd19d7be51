/*
 * The APIC bus: carries interrupt messages between I/O APICs, PCI devices (MSI) and local APICs,
 *         and
 * the two wires that lead to LINT0 and LINT1 of every processor.
 *
 * Order of calls: apic_bus_init, lapic_init for each processor, then the I/O APIC sets eoi and the
 * 8259s inta; messages only once the machine runs. All [locked].
 */
#ifndef HW_CHIPS_APIC_BUS_H
#define HW_CHIPS_APIC_BUS_H

#include "core/device/irq.h"
#include "core/device/machine.h"

/* Delivery modes, as in the ICR, the LVT, redirection entries and MSI data. */
enum apic_mode {
    APIC_FIXED = 0,
    APIC_LOWEST = 1,
    APIC_SMI = 2,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_SIPI = 6,
    APIC_EXTINT = 7,
};

#define APIC_ALL 0xffffffffu /* destination: every processor */

struct apic_message {
    uint32_t dest;       /* an APIC ID, a logical destination, or APIC_ALL */
    bool logical;
    uint8_t mode;        /* enum apic_mode; 3 goes nowhere */
    uint8_t vector;
    bool level;          /* level triggered: its EOI is broadcast */
};

struct lapic;

struct apic_bus {
    struct machine *m;
    struct lapic *lapic[MACHINE_MAX_VCPUS];
    unsigned n;
    void (*eoi)(void *opaque, uint8_t vector); /* end of a level triggered interrupt; may be NULL */
    void *eoi_opaque;
    int (*inta)(void *opaque);   /* acknowledge of an ExtINT: the 8259s' vector; may be NULL */
    void *inta_opaque;
    struct irq lint[2];          /* in: LINT0 (INTR of the 8259s), LINT1 (NMI) of all processors */
    struct region msi;           /* FEE00000h +1 MiB as bus masters see it */
};

void apic_bus_init(struct apic_bus *b, struct machine *m);

/* The destination field of an xAPIC register, redirection entry or MSI address: FFh is everyone. */
static inline uint32_t apic_dest8(uint8_t dest, bool logical)
{
    return dest == 0xff && !logical ? APIC_ALL : dest;
}

/* Sends to whom @msg names; lowest priority picks one of them. False if nobody took it. */
bool apic_bus_send(struct apic_bus *b, const struct apic_message *msg);
/* Sends to all but @except (NULL: to all), whatever @msg says of the destination. */
void apic_bus_send_all(struct apic_bus *b, const struct apic_message *msg,
                       const struct lapic *except);
/* A PCI device's message: [SDM3] "Message Signalled Interrupts". */
void apic_bus_msi(struct apic_bus *b, uint64_t addr, uint32_t data);

#endif
