/*
 * National Semiconductor NS16550A UART with 16-byte FIFOs.
 *
 * ns16550_init maps eight ports at a base, registers the device and becomes the front end of a
 * character device. Characters then take their time on the line, unless the caller sets instant.
 */
#ifndef HW_CHIPS_NS16550_H
#define HW_CHIPS_NS16550_H

#include "core/device/chardev.h"
#include "core/device/irq.h"
#include "core/device/machine.h"

#define NS16550_FIFO 16

struct ns16550_fifo {
    uint8_t data[NS16550_FIFO];
    uint8_t flags[NS16550_FIFO];          /* receiver: LSR error bits of that character */
    uint8_t head, len;
};

struct ns16550 {
    const char *id;                       /* borrowed */
    struct machine *m;
    struct irq *irq;
    struct chardev *chr;                  /* borrowed; NULL: nothing on the line */
    struct region regs;
    bool instant;                         /* wiring: characters take no time on the line */

    uint8_t ier, fcr, lcr, mcr, scr;
    bool overrun;                         /* LSR bit 1 */
    uint8_t msr;                          /* delta bits and modem inputs */
    uint16_t divisor;
    bool thre_pending;                    /* THR became empty and nobody was told yet */
    bool timed_out;                       /* characters wait and none moved for 4 character times */
    bool shifting;                        /* the transmitter's shift register is busy */
    uint8_t shift_reg;
    struct ns16550_fifo tx, rx;           /* without FIFO mode only one place of each is used */
    struct ns16550_fifo line;             /* characters on their way in */
    struct timer tx_timer, rx_timer, timeout;
};

extern const struct device_type ns16550_type;

/* @id names the device ("com1"). @irq and @chr may be NULL. */
void ns16550_init(struct ns16550 *s, struct machine *m, const char *id, uint16_t base,
                  struct irq *irq, struct chardev *chr);

#endif
