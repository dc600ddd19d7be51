/*
 * Memory that is filled in parts, for blocks and translations. When one part is full, another is
 * filled, and what was in that goes: one of which little is still valid, so that code which is
 * written over and over needs little memory; else one that was never used; else the oldest.
 */
#ifndef CORE_ACCEL_INTERP_ROOM_H
#define CORE_ACCEL_INTERP_ROOM_H

#include <stddef.h>
#include <stdint.h>

struct room_part {
    uint64_t begun;          /* which filling this is, from 1 on; 0: never used */
    size_t live;             /* bytes of what is in it and still valid */
};

#define ROOM_LITTLE 4        /* less than a quarter */

/* The part to fill next, of @n of @bytes each. */
static inline unsigned room_next(const struct room_part *parts, unsigned n, size_t bytes)
{
    unsigned oldest = 0;
    const struct room_part *little = NULL;
    for (unsigned i = 0; i < n; i++) {
        const struct room_part *p = &parts[i];
        if (p->begun && p->live < bytes / ROOM_LITTLE && (!little || p->live < little->live)) {
            little = p;
        }
        oldest = p->begun < parts[oldest].begun ? i : oldest;
    }
    return little ? (unsigned)(little - parts) : oldest;
}

#endif
