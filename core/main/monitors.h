/* The monitors that the command line asks for, and what they can reach of the board. */
#ifndef CORE_MAIN_MONITORS_H
#define CORE_MAIN_MONITORS_H

#include "core/debug/debug.h"
#include "core/main/parts.h"

/* The drives of the board as front ends see them; part of struct run, lives as the machine does. */
struct monitors {
    struct debug *debug;
    struct media_slot slots[PC_FLOPPIES + PC_DISKS];
    unsigned n_slots;
};

/* Opens every monitor. On false what is open stays for monitors_close. [locked] */
bool monitors_open(struct monitors *ms, struct parts *p, const struct config *c, struct pc *pc,
                   struct error **err);
void monitors_close(struct monitors *ms); /* [locked] */

#endif
