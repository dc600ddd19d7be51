/*
 * A debug console: a port whose writes go to a character device.
 */
#ifndef HW_PC_DEBUGCON_H
#define HW_PC_DEBUGCON_H

#include "core/device/chardev.h"
#include "core/device/machine.h"

struct debugcon {
    struct region port;
    uint16_t base;
    uint8_t read_value;
    struct chardev *chardev; /* borrowed; NULL: output is dropped */
};

/* One port at @base; reads give @read_value, by which firmware (E9h) finds the console. */
void debugcon_init(struct debugcon *d, struct machine *m, uint16_t base, uint8_t read_value,
                   struct chardev *chardev);

#endif
