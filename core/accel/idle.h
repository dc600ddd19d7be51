/*
 * Notices a guest that only polls: for a key (INT 16h AH=01h, 11h), for the next tick (INT 1Ah
 * AH=00h), or that says so itself (INT 28h, INT 2Fh AX=1680h). DOS at its prompt does little else,
 * and would keep a host core busy for it. A poll counts as idle when little happened since the one
 * before: few instructions and no device access. After some such polls in a row the vCPU may rest
 * until the next interrupt.
 *
 * Only for the host-driven clock: on the virtual clock nothing waits.
 */
#ifndef CORE_ACCEL_IDLE_H
#define CORE_ACCEL_IDLE_H

#include <stdbool.h>
#include <stdint.h>

struct idle {
    uint64_t icount;       /* at the last poll */
    uint64_t accesses;     /* device accesses at the last poll */
    unsigned streak;       /* idle polls in a row */
};

/* True if software interrupt @vector with @ax in AX is a poll at all. */
bool idle_is_poll(unsigned vector, unsigned ax);

/* Takes note of a poll; true if the vCPU may rest now. */
bool idle_poll(struct idle *i, uint64_t icount, uint64_t accesses);

#endif
