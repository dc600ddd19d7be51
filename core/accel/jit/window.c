/* See window.h. */
#include "core/accel/jit/window.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096u
#define HELD_MOST  12288u    /* each may cost two of the host's 65530 mappings */

/* ---- what the view says ---- */

/* Whole pages of [start, end) of plain memory; false: it is not. */
static bool plain_span(const struct view_range *r, struct window_span *span)
{
    const struct region *ram = r->rd.region;
    if (!ram || ram->kind != REGION_RAM || ram->ram->addr + r->rd.off != r->start ||
        r->end > WINDOW_BYTES) {
        return false;
    }
    *span = (struct window_span){
        .start = align_up(r->start, PAGE_BYTES), .end = r->end & ~(uint64_t)(PAGE_BYTES - 1),
        .writable = ram == r->wr.region && r->rd.off == r->wr.off,
    };
    return span->start < span->end;
}

static unsigned plan(const struct view *v, struct window_span spans[WINDOW_SPANS])
{
    unsigned n = 0;
    for (unsigned i = 0; i < v->n && n < WINDOW_SPANS; i++) {
        n += plain_span(&v->ranges[i], &spans[n]);
    }
    return n;
}

static bool has_span(const struct window_span *spans, unsigned n, const struct window_span *s)
{
    for (unsigned i = 0; i < n; i++) {
        if (spans[i].start == s->start && spans[i].end == s->end &&
            spans[i].writable == s->writable) {
            return true;
        }
    }
    return false;
}

/* ---- mapping ---- */

static unsigned held_in(const struct window *w, const struct window_span *s)
{
    unsigned n = 0;
    for (uint64_t page = s->start / PAGE_BYTES; s->writable && page < s->end / PAGE_BYTES; page++) {
        n += ram_held(w->arena, page);
    }
    return n;
}

static bool close_range(struct window *w, uint64_t start, uint64_t end)
{
    return mmap(w->base + start, end - start, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
}

/* Nothing can be reached any more; translated code that tries gets there the slow way. */
static void give_up(struct window *w)
{
    close_range(w, 0, WINDOW_BYTES);
    w->n_spans = 0;
    w->failed = true;
}

static bool in_writable(const struct window *w, uint64_t addr)
{
    for (unsigned i = 0; i < w->n_spans; i++) {
        if (addr >= w->spans[i].start && addr < w->spans[i].end) {
            return w->spans[i].writable;
        }
    }
    return false;
}

/* Pages that are held in [start, end) of a writable span can only be read. */
static bool protect(struct window *w, uint64_t start, uint64_t end)
{
    const struct ram_arena *a = w->arena;
    for (uint64_t page = start / PAGE_BYTES; page < end / PAGE_BYTES; page++) {
        if (page % 64 == 0 && a->held[page / 64] == 0) {
            page += 63;
            continue;
        }
        if (ram_held(a, page)) {
            if (++w->n_held > HELD_MOST ||
                mprotect(w->base + page * PAGE_BYTES, PAGE_BYTES, PROT_READ) < 0) {
                return false;
            }
        }
    }
    return true;
}

static bool open_span(struct window *w, const struct window_span *s)
{
    int prot = PROT_READ | (s->writable ? PROT_WRITE : 0);
    void *p = mmap(w->base + s->start, s->end - s->start, prot,
                   MAP_SHARED | MAP_FIXED | MAP_NORESERVE, w->arena->fd, (off_t)s->start);
    return p != MAP_FAILED && (!s->writable || protect(w, s->start, s->end));
}

static bool remap(struct window *w, const struct window_span *now, unsigned n)
{
    for (unsigned i = 0; i < w->n_spans; i++) {
        const struct window_span *s = &w->spans[i];
        if (has_span(now, n, s)) {
            continue;
        }
        w->n_held -= held_in(w, s);
        if (!close_range(w, s->start, s->end)) {
            return false;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (!has_span(w->spans, w->n_spans, &now[i]) && !open_span(w, &now[i])) {
            return false;
        }
    }
    memcpy(w->spans, now, n * sizeof(*now));
    w->n_spans = n;
    return true;
}

static bool reserve(struct window *w)
{
    uint8_t *p = mmap(NULL, WINDOW_BELOW + WINDOW_BYTES + WINDOW_ABOVE, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    w->base = p == MAP_FAILED ? NULL : p + WINDOW_BELOW;
    return w->base != NULL;
}

static void held(void *opaque, uint64_t addr, uint64_t len)
{
    struct window *w = opaque;
    for (uint64_t page = addr; w->base && !w->failed && page < addr + len; page += PAGE_BYTES) {
        if (in_writable(w, page) && !protect(w, page, page + PAGE_BYTES)) {
            give_up(w);
        }
    }
}

/* ---- life ---- */

struct window *window_new(struct ram_arena *arena)
{
    struct window *w = NEW(struct window);
    w->arena = arena;
    w->users = 1;
    pthread_mutex_lock(&arena->held_lock);
    arena->holder = (struct ram_holder){held, w};
    pthread_mutex_unlock(&arena->held_lock);
    return w;
}

void window_put(struct window *w)
{
    if (--w->users > 0) {
        return;
    }
    pthread_mutex_lock(&w->arena->held_lock);
    w->arena->holder = (struct ram_holder){0};
    pthread_mutex_unlock(&w->arena->held_lock);
    if (w->base) {
        munmap(w->base - WINDOW_BELOW, WINDOW_BELOW + WINDOW_BYTES + WINDOW_ABOVE);
    }
    free(w);
}

bool window_follow(struct window *w, const struct view *v)
{
    struct window_span now[WINDOW_SPANS];
    unsigned n = plan(v, now);
    pthread_mutex_lock(&w->arena->held_lock);
    if (!w->failed && !w->base && !reserve(w)) {
        w->failed = true;
    }
    bool same = n == w->n_spans && memcmp(now, w->spans, n * sizeof(*now)) == 0;
    if (!w->failed && !same && !remap(w, now, n)) {
        give_up(w);
    }
    pthread_mutex_unlock(&w->arena->held_lock);
    return !w->failed;
}

/* ---- single accesses ---- */

static bool readable(const struct window *w, uint64_t addr)
{
    for (unsigned i = 0; i < w->n_spans; i++) {
        if (addr >= w->spans[i].start && addr < w->spans[i].end) {
            return true;
        }
    }
    return false;
}

static bool refuses_byte(struct window *w, uint64_t addr, bool write)
{
    if (!write) {
        return !readable(w, addr);
    }
    return !in_writable(w, addr) || (ram_held(w->arena, addr / PAGE_BYTES) &&
                                     !window_retry(w, (uintptr_t)w->base + addr));
}

bool window_refuses(struct window *w, uint64_t lin, unsigned size, bool write)
{
    uint64_t top = w->n_spans ? w->spans[w->n_spans - 1].end : 0;
    return lin + size <= top && (refuses_byte(w, lin, write) ||
                                 refuses_byte(w, lin + size - 1, write));
}

bool window_retry(struct window *w, uintptr_t addr)
{
    uint64_t lin = addr - (uintptr_t)w->base, page = lin / PAGE_BYTES;
    bool yes = false;
    pthread_mutex_lock(&w->arena->held_lock);
    if (lin < WINDOW_BYTES && !w->failed && in_writable(w, lin) && ram_held(w->arena, page) &&
        ram_let_go(w->arena, page)) {
        yes = mprotect(w->base + page * PAGE_BYTES, PAGE_BYTES, PROT_READ | PROT_WRITE) == 0;
        w->n_held -= yes;
    }
    pthread_mutex_unlock(&w->arena->held_lock);
    return yes;
}

uint8_t *window_to_arena(const struct window *w, uint8_t *p)
{
    uintptr_t lin = (uintptr_t)p - (uintptr_t)w->base;
    return w->base && lin < WINDOW_BYTES ? w->arena->base + lin : p;
}
