/*
 * The `flat` board: a processor, memory, and two ports that print. For programs that need no
 * firmware.
 */
#ifndef HW_FLAT_FLAT_H
#define HW_FLAT_FLAT_H

#include "core/device/chardev.h"
#include "core/device/machine.h"

/* Writes to these ports are printed: as a serial port's and as a debug console's would be. */
#define FLAT_SERIAL_PORT 0x3f8
#define FLAT_DEBUG_PORT  0xf1

struct flat_config {
    uint64_t ram_bytes;      /* 1 MiB to 64 GiB, a multiple of 4 KiB */
    struct chardev *console; /* what the ports print to; NULL: nothing */
};

/* Builds the board into @m (after machine_init), its RAM and its vCPU included. */
bool flat_init(struct machine *m, const struct flat_config *cfg, struct error **err);

#endif
