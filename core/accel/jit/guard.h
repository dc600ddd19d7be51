/*
 * The budget of translated code that keeps its flags in EFLAGS, where nothing may be compared: the
 * budget register holds base + budget, and each block reads the byte there. From base on there are
 * GUARD_BYTES that can be read; below there is nothing, so that a budget that is used up is a
 * SIGSEGV (fault.h). Another thread that wants the processor to look up makes all of it unreadable,
 * and says so in a word that other translated code looks at once in every loop.
 */
#ifndef CORE_ACCEL_JIT_GUARD_H
#define CORE_ACCEL_JIT_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define GUARD_BYTES (1u << 20)       /* more than any budget */

struct guard {
    uint8_t *base;
    atomic_bool inside;      /* the processor may be in such code */
    atomic_uint *closed;     /* somebody made it unreadable: 1; not ours */
};

bool guard_init(struct guard *g, atomic_uint *closed);
void guard_fini(struct guard *g);

/* [vcpu] Around running translated code. */
static inline void guard_enter(struct guard *g)
{
    atomic_store(&g->inside, true);
}
static inline void guard_leave(struct guard *g)
{
    atomic_store_explicit(&g->inside, false, memory_order_release);
}
/* [vcpu] Before entering a block: what is pending must be looked at behind this. True: somebody
 * closed it, and it is open again. */
bool guard_reopen(struct guard *g);
/* Whoever made something pending, on another thread: translated code leaves at its next block. */
void guard_close(struct guard *g);
/* Is @addr where a read for the budget fails? */
bool guard_has(const struct guard *g, uintptr_t addr);

#endif
