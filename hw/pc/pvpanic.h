/*
 * A port by which the guest says that it has panicked.
 */
#ifndef HW_PC_PVPANIC_H
#define HW_PC_PVPANIC_H

#include "core/device/machine.h"

#define PVPANIC_PORT 0x505

struct pvpanic {
    struct machine *machine;
    struct region port;
    uint8_t events;          /* what the guest may report: bits as written to the port */
};

enum { PVPANIC_PANICKED = 0x01, PVPANIC_CRASH_LOADED = 0x02 };

/* One port at @base. @events: which of the PVPANIC_ bits it announces. */
void pvpanic_init(struct pvpanic *p, struct machine *m, uint16_t base, uint8_t events);

#endif
