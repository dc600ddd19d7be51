/*
 * A port by which the guest ends the run and chooses the exit status.
 */
#ifndef HW_PC_DEBUG_EXIT_H
#define HW_PC_DEBUG_EXIT_H

#include "core/device/machine.h"

enum debug_exit_formula {
    DEBUG_EXIT_ISA,          /* isa-debug-exit: value * 2 + 1, so it is never 0 */
    DEBUG_EXIT_PLAIN,        /* coldboot-exit: the value itself */
};

struct debug_exit {
    struct machine *machine;
    struct region ports;
    uint16_t base;
    enum debug_exit_formula formula;
};

/* @bytes ports at @base, 1 to 8. */
void debug_exit_init(struct debug_exit *d, struct machine *m, uint16_t base, unsigned bytes,
                     enum debug_exit_formula formula);

#endif
