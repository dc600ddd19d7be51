/*
 * Intel 8042 as the PC's keyboard and auxiliary device controller, with both devices behind it.
 *
 * i8042_init maps ports 60h and 64h, registers the device and offers the keyboard as m->keyboard
 * and the mouse as m->pointer.
 */
#ifndef HW_CHIPS_I8042_H
#define HW_CHIPS_I8042_H

#include "core/device/irq.h"
#include "core/device/machine.h"
#include "core/ui/input.h"
#include "hw/chips/ps2_keyboard.h"
#include "hw/chips/ps2_mouse.h"

struct i8042 {
    struct machine *m;
    struct irq *irq1, *irq12, *a20;       /* outputs; may be NULL */
    struct region data, command;          /* 60h, 64h */
    struct keyboard_sink sink;
    void (*on_idle)(void *opaque);        /* set by the typist */
    void *on_idle_opaque;
    struct ps2_keyboard kbd;
    struct pointer_sink pointer;
    struct ps2_mouse mouse;

    uint8_t status;                       /* 64h as read, but for the bits derived from elsewhere */
    uint8_t ram[32];                      /* [0] is the command byte */
    uint8_t out;                          /* output buffer; keeps its value after a read */
    uint8_t port2;                        /* output port P2 */
    uint8_t pending;                      /* command that waits for a byte at 60h, or 0 */
    bool xlat_break;                      /* F0h seen: the next code is a break code */
    uint8_t source;                       /* where `out` came from: enum in i8042.c */
    uint8_t held;                         /* whose byte gave way to an answer of ours, or 0: */
    uint8_t held_byte;                    /* it comes again afterwards */
    uint8_t polling;                      /* C1h or C2h: status shows half of the input port */
    struct timer shift;                   /* a device's next byte has been clocked in */
};

extern const struct device_type i8042_type;

void i8042_init(struct i8042 *s, struct machine *m, struct irq *irq1, struct irq *irq12);

/* The wire that follows bit 1 of the output port; driven at every change and at reset. */
void i8042_set_a20(struct i8042 *s, struct irq *a20);
bool i8042_a20(const struct i8042 *s);

#endif
