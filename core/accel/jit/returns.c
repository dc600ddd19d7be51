/* See returns.h. */
#include "core/accel/jit/returns.h"

#include "core/accel/jit/guard.h"

#include <string.h>
#include <sys/mman.h>

_Static_assert(RETURNS_SLICE >= GUARD_BYTES * sizeof(void *), "a slice of calls");

bool returns_init(struct returns *r)
{
    void *p = mmap(NULL, RETURNS_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    r->memory = p == MAP_FAILED ? NULL : p;
    return r->memory != NULL;
}

void returns_fini(struct returns *r)
{
    if (r->memory) {
        munmap(r->memory, RETURNS_BYTES);
    }
}

void *returns_forget(struct returns *r)
{
    uint8_t *top = returns_top(r);
    memcpy(top, &r->none, sizeof(r->none));
    return top;
}
