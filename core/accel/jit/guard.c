/* See guard.h. */
#include "core/accel/jit/guard.h"

#include <stddef.h>
#include <sys/mman.h>

#define BELOW 4096u          /* more than the instructions of a block */

bool guard_init(struct guard *g, atomic_uint *closed)
{
    uint8_t *p = mmap(NULL, BELOW + GUARD_BYTES, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        return false;
    }
    g->base = p + BELOW;
    g->closed = closed;
    return mprotect(g->base, GUARD_BYTES, PROT_READ) == 0;
}

void guard_fini(struct guard *g)
{
    if (g->base) {
        munmap(g->base - BELOW, BELOW + GUARD_BYTES);
    }
}

/* The processor says that it is inside, then looks at what is pending; the other says what is
 * pending, then looks whether it is inside. So one of them notices. */
void guard_close(struct guard *g)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(&g->inside)) {
        mprotect(g->base, GUARD_BYTES, PROT_NONE);
        atomic_store(g->closed, 1);
    }
}

bool guard_reopen(struct guard *g)
{
    if (!atomic_load(g->closed)) {
        return false;
    }
    atomic_store(g->closed, 0);
    mprotect(g->base, GUARD_BYTES, PROT_READ);
    return true;
}

bool guard_has(const struct guard *g, uintptr_t addr)
{
    return addr - ((uintptr_t)g->base - BELOW) < BELOW + GUARD_BYTES;
}
