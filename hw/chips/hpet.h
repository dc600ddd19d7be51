/*
 * IA-PC HPET: a 64-bit up counter of 10 ns and three comparators.
 *
 * The chip lies between the 8254 and the MC146818 and their interrupts: while legacy replacement is
 * on, its timers 0 and 1 drive IRQ 0 and IRQ 8, and those two drive nothing.
 */
#ifndef HW_CHIPS_HPET_H
#define HW_CHIPS_HPET_H

#include "core/device/irq.h"
#include "core/device/machine.h"

#define HPET_BASE      0xfed00000ull
#define HPET_BYTES     0x400u
#define HPET_TIMERS    3
#define HPET_TICK_NS   10
#define HPET_BLOCK_ID  0x8086a201u   /* low half of the capability register; the ACPI table's */
#define HPET_ROUTES    32

struct hpet;

struct hpet_timer {
    struct hpet *hpet;
    uint64_t config;             /* low half of the register: TN_* */
    uint64_t comparator, period;
    struct timer timer;
    bool line;                   /* level last sent on the wire */
    uint8_t wire;                /* which one: 0..31 a route, WIRE_IRQ0, WIRE_IRQ8, WIRE_NONE */
};

struct hpet_pins {
    struct irq *irq0, *irq8;     /* borrowed, may be NULL */
    struct irq *route[HPET_ROUTES]; /* inputs of the I/O APIC; NULL: cannot be chosen */
};

struct hpet {
    struct machine *m;
    struct hpet_pins pins;
    struct region regs;
    struct irq pit_in, rtc_in;   /* from the 8254's OUT0 and the MC146818 */
    bool pit_level, rtc_level;
    uint64_t config;             /* CONFIG_* */
    uint32_t status;             /* level triggered timers that ask */
    uint64_t counter;            /* at counter_ns, and while the counter stands */
    int64_t counter_ns;
    struct hpet_timer timers[HPET_TIMERS];
};

/* Maps itself at HPET_BASE of the machine's memory. */
void hpet_init(struct hpet *s, struct machine *m, const struct hpet_pins *pins);

#endif
