/*
 * The window: guest memory as a processor without paging sees it, at one range of host addresses,
 * for translated code that reaches it without any check.
 *
 * Linear address 0 is at base; all of 4 GiB and far beyond either side is reserved. Plain memory is
 * mapped there a second time, video memory also more than once. Pages that may not be
 * written without somebody hearing of it (they have marks, or are ROM) can only be read; everything
 * else cannot be touched at all. What then becomes of an access is the business of fault.h.
 */
#ifndef CORE_ACCEL_JIT_WINDOW_H
#define CORE_ACCEL_JIT_WINDOW_H

#include "core/mem/ram.h"
#include "core/mem/view.h"

#define WINDOW_BYTES (1ull << 32)
#define WINDOW_BELOW (1ull << 31)    /* of a negative displacement */
#define WINDOW_ABOVE (9ull << 32)    /* of a scaled index and a displacement */
#define WINDOW_SPANS 64u

struct window_span {
    uint64_t start, end;     /* whole pages */
    uint64_t ram;            /* ram address of start */
    bool writable;
};

/* One an arena; its processors share it. */
struct window {
    struct ram_arena *arena;
    unsigned users;
    uint8_t *base;           /* NULL: there is none yet */
    bool failed;             /* and there will be none */
    struct window_span spans[WINDOW_SPANS];
    unsigned n_spans;
    unsigned n_held;         /* pages that were made read-only one by one */
};

struct window *window_new(struct ram_arena *arena);
void window_put(struct window *w);

/* Makes it what @v says, if it is not. False: there is no window. */
bool window_follow(struct window *w, const struct view *v);
/* Would such an access fail, although it is below the end of memory? */
bool window_refuses(struct window *w, uint64_t lin, unsigned size, bool write);
/* An access at host address @addr failed. True: it will not again, since nothing watches the page
 * any more. */
bool window_retry(struct window *w, uintptr_t addr);
/* Where the arena itself has what is at @p, which may be in the window. */
uint8_t *window_to_arena(const struct window *w, uint8_t *p);

#endif
