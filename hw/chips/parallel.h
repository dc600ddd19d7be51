/*
 * The PC's parallel port with a printer that is always ready.
 *
 * parallel_init maps eight ports at a base and registers the device; what is printed goes to a
 * character device.
 */
#ifndef HW_CHIPS_PARALLEL_H
#define HW_CHIPS_PARALLEL_H

#include "core/device/chardev.h"
#include "core/device/irq.h"
#include "core/device/machine.h"

struct parallel {
    const char *id;                       /* borrowed */
    struct machine *m;
    struct irq *irq;
    struct chardev *chr;                  /* borrowed; NULL: prints into nothing */
    struct region regs;

    uint8_t data;                         /* what the host drives, also while it does not */
    uint8_t control;
    bool acknowledging;                   /* /ACK is low: a byte is taken, nobody looked yet */
    struct timer busy;                    /* armed: the printer is busy with a byte */
};

extern const struct device_type parallel_type;

/* @id names the device ("lpt1"). @irq and @chr may be NULL. */
void parallel_init(struct parallel *s, struct machine *m, const char *id, uint16_t base,
                   struct irq *irq, struct chardev *chr);

#endif
