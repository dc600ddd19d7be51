/*
 * Motorola MC146818 real time clock with 128 bytes of battery-backed memory, as an AT has it: an
 * index port whose bit 7 masks NMI, a data port, and the century in byte 32h.
 *
 * The date comes from the machine's wall clock at init; from then on the chip counts on the virtual
 * clock. Memory and date survive a reset.
 */
#ifndef HW_CHIPS_MC146818_H
#define HW_CHIPS_MC146818_H

#include "core/device/irq.h"
#include "core/device/machine.h"

#define MC146818_BYTES 128

struct mc146818 {
    struct machine *m;
    struct region ports;
    uint8_t cmos[MC146818_BYTES]; /* clock bytes are current only while the clock stands */
    uint8_t index;                /* 0..127 */
    bool nmi_masked;              /* bit 7 of the index port */
    uint8_t flags;                /* register C without IRQF */
    int64_t grid_ns;              /* an update ended here; updates are whole seconds apart */
    int64_t seconds;       /* the date at grid_ns in seconds since 1970, while the clock runs */
    uint8_t weekday_shift; /* 0..6: what the weekday counter is ahead of the date's */
    int64_t swept_ns;      /* events up to here are in flags */
    struct irq *irq;       /* borrowed, may be NULL */
    struct irq *nmi_mask;  /* follows nmi_masked; borrowed, may be NULL; the board sets it */
    struct timer timer;    /* derived: the next event that interrupts */
};

/* Two ports at @base: index and data. */
void mc146818_init(struct mc146818 *s, struct machine *m, uint16_t base, struct irq *irq8);

/* A byte as the data port shows it, 0..127, without the side effect of register C. [locked] */
uint8_t mc146818_cmos_get(struct mc146818 *s, unsigned index);
/* Writes a byte as the data port does. The board fills the memory with it. [locked] */
void mc146818_cmos_set(struct mc146818 *s, unsigned index, uint8_t value);

bool mc146818_nmi_masked(const struct mc146818 *s);

#endif
