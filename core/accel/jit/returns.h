/*
 * The returns that translated code expects. A guest's CALL is one of the host's and its RET, too,
 * so that the host predicts where it leads: behind the host's CALL the offset that the guest
 * returns to is compared with the one that it pushed (trans_exit.c).
 *
 * While translated code runs, the host's stack pointer leads into memory of its own, which has
 * nothing but the addresses behind calls; C code that it calls has the thread's stack. What is
 * expected holds in one context, until addresses are translated otherwise or code memory is filled
 * again; then all of it is forgotten. A guest may call without ever returning: between two looks at
 * the depth lies at most a slice of instructions.
 */
#ifndef CORE_ACCEL_JIT_RETURNS_H
#define CORE_ACCEL_JIT_RETURNS_H

#include <stdbool.h>
#include <stdint.h>

struct returns {
    uint8_t *memory;         /* RETURNS_BYTES */
    const uint8_t *none;     /* what is returned to from below all of them: executable view */
};

/* From the first byte: room for the frames of signals; calls of a slice; calls that are
 * remembered. */
#define RETURNS_SIGNALS (256u << 10)
#define RETURNS_SLICE   (8u << 20)
#define RETURNS_KEPT    (256u << 10)
#define RETURNS_BYTES   (RETURNS_SIGNALS + RETURNS_SLICE + RETURNS_KEPT)

bool returns_init(struct returns *r);
void returns_fini(struct returns *r);
/* Where the host's stack pointer leads if nothing is expected; `none` is there. */
static inline uint8_t *returns_top(const struct returns *r)
{
    return r->memory + RETURNS_BYTES - 2 * sizeof(r->none);
}
/* Nothing is expected. Returns where the host's stack pointer leads then. */
void *returns_forget(struct returns *r);
/* Are they to be forgotten, with the stack pointer at @at? */
static inline bool returns_are_many(const struct returns *r, const void *at)
{
    return (const uint8_t *)at < r->memory + RETURNS_SIGNALS + RETURNS_SLICE;
}

#endif
