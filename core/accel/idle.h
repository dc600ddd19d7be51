/*
 * Notices a guest that only polls: for a key (INT 16h AH=01h, 11h), for the next tick (INT 1Ah
 * AH=00h), or that says so itself (INT 28h, INT 2Fh AX=1680h). DOS at its prompt does little else,
 * and would keep a host core busy for it. A poll counts as idle when little happened since the one
 * before: few instructions and no device access. After some such polls in a row the vCPU may rest
 * until the next interrupt.
 *
 * And a guest that spins until some time has passed, or until an interrupt comes: PAUSE after PAUSE
 * with little between them and no device access. Kernels wait so while they start, for milliseconds
 * at a time.
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

struct idle_spin {
    uint64_t icount;       /* at the last PAUSE */
    uint64_t accesses;     /* device accesses then */
    unsigned streak;       /* PAUSEs of this loop */
    int64_t since_ns;      /* it is known to be one since then */
};

/* True if software interrupt @vector with @ax in AX is a poll at all. */
bool idle_is_poll(unsigned vector, unsigned ax);

/* Takes note of a poll; true if the vCPU may rest now. */
bool idle_poll(struct idle *i, uint64_t icount, uint64_t accesses);

/* Takes note of a PAUSE; true if it is one of a loop, and idle_spin_rest knows more. @waits: it is
 * not for another processor, as far as can be seen. */
bool idle_spin(struct idle_spin *s, uint64_t icount, uint64_t accesses, bool waits);

/* For how long the vCPU may rest in that loop at @now_ns; 0: not yet. What the guest waits for may
 * come meanwhile, so rests are a part of the time that it has waited already. */
int64_t idle_spin_rest(struct idle_spin *s, int64_t now_ns);

#endif
