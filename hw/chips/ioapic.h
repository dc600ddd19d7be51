/*
 * Intel 82093AA I/O APIC: 24 inputs, each with a redirection entry that says what message a rising
 * edge or an asserted level becomes.
 */
#ifndef HW_CHIPS_IOAPIC_H
#define HW_CHIPS_IOAPIC_H

#include "hw/chips/apic_bus.h"

#define IOAPIC_BASE  0xfec00000ull
#define IOAPIC_BYTES 0x1000u
#define IOAPIC_PINS  24

struct ioapic {
    struct apic_bus *bus;        /* borrowed */
    struct region regs;
    struct irq input[IOAPIC_PINS];
    uint32_t levels;             /* bit n: input n is asserted */
    uint8_t select;              /* IOREGSEL */
    uint8_t id;                  /* 0..15 */
    uint64_t entry[IOAPIC_PINS]; /* redirection table */
};

/* Maps itself at IOAPIC_BASE of the machine's memory and takes the bus' EOI messages. */
void ioapic_init(struct ioapic *s, struct apic_bus *bus);

/* The wire to input @pin, 0..23. Levels are logical: an asserted wire asks for an interrupt. */
struct irq *ioapic_input(struct ioapic *s, unsigned pin);

#endif
