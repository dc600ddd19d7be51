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
    if (!ram || ram->kind != REGION_RAM || r->end > WINDOW_BYTES) {
        return false;
    }
    uint64_t start = align_up(r->start, PAGE_BYTES);
    *span = (struct window_span){
        .start = start, .end = r->end & ~(uint64_t)(PAGE_BYTES - 1),
        .ram = ram->ram->addr + r->rd.off + (start - r->start),
        .writable = ram == r->wr.region && r->rd.off == r->wr.off,
    };
    return span->start < span->end && span->ram % PAGE_BYTES == 0;
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
        if (spans[i].start == s->start && spans[i].end == s->end && spans[i].ram == s->ram &&
            spans[i].writable == s->writable) {
            return true;
        }
    }
    return false;
}

/* ---- mapping ---- */

static uint64_t ram_end(const struct window_span *s)
{
    return s->ram + (s->end - s->start);
}

static unsigned held_in(const struct window *w, const struct window_span *s)
{
    unsigned n = 0;
    for (uint64_t page = s->ram / PAGE_BYTES; s->writable && page < ram_end(s) / PAGE_BYTES;
         page++) {
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

/* NULL: there is none at linear address @addr. */
static const struct window_span *span_at(const struct window *w, uint64_t addr)
{
    for (unsigned i = 0; i < w->n_spans; i++) {
        if (addr >= w->spans[i].start && addr < w->spans[i].end) {
            return &w->spans[i];
        }
    }
    return NULL;
}

static uint64_t to_ram(const struct window_span *s, uint64_t addr)
{
    return s->ram + (addr - s->start);
}

/* The page at ram address @ram is where the span has it, with these rights. */
static bool set_rights(const struct window *w, const struct window_span *s, uint64_t ram, int prot)
{
    return mprotect(w->base + s->start + (ram - s->ram), PAGE_BYTES, prot) == 0;
}

/* Pages that are held in ram addresses [start, end), of a writable span, can only be read. */
static bool protect(struct window *w, const struct window_span *s, uint64_t start, uint64_t end)
{
    const struct ram_arena *a = w->arena;
    for (uint64_t page = start / PAGE_BYTES; page < end / PAGE_BYTES; page++) {
        if (page % 64 == 0 && a->held[page / 64] == 0) {
            page += 63;
            continue;
        }
        if (ram_held(a, page) &&
            (++w->n_held > HELD_MOST || !set_rights(w, s, page * PAGE_BYTES, PROT_READ))) {
            return false;
        }
    }
    return true;
}

static bool open_span(struct window *w, const struct window_span *s)
{
    int prot = PROT_READ | (s->writable ? PROT_WRITE : 0);
    void *p = mmap(w->base + s->start, s->end - s->start, prot,
                   MAP_SHARED | MAP_FIXED | MAP_NORESERVE, w->arena->fd, (off_t)s->ram);
    return p != MAP_FAILED && (!s->writable || protect(w, s, s->ram, ram_end(s)));
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
    for (unsigned i = 0; w->base && i < w->n_spans; i++) {
        const struct window_span *s = &w->spans[i];
        uint64_t start = max_u64(addr, s->ram), end = min_u64(addr + len, ram_end(s));
        if (s->writable && start < end && !protect(w, s, start, end)) {
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

static bool refuses_byte(struct window *w, uint64_t addr, bool write)
{
    const struct window_span *s = span_at(w, addr);
    return !s || (write && (!s->writable ||
                            (ram_held(w->arena, to_ram(s, addr) / PAGE_BYTES) &&
                             !window_retry(w, (uintptr_t)w->base + addr))));
}

/* Where RAM ends: what a register of the moment has above is often no address. */
static uint64_t top_of_ram(const struct window *w)
{
    uint64_t top = 0;
    for (unsigned i = 0; i < w->n_spans; i++) {
        top = w->spans[i].ram == w->spans[i].start ? w->spans[i].end : top;
    }
    return top;
}

bool window_refuses(struct window *w, uint64_t lin, unsigned size, bool write)
{
    return lin + size <= top_of_ram(w) && (refuses_byte(w, lin, write) ||
                                           refuses_byte(w, lin + size - 1, write));
}

/* The page at ram address @ram may be written, wherever it is. */
static bool give_back(struct window *w, uint64_t ram)
{
    bool yes = true;
    for (unsigned i = 0; i < w->n_spans; i++) {
        const struct window_span *s = &w->spans[i];
        if (s->writable && ram >= s->ram && ram < ram_end(s)) {
            yes = set_rights(w, s, ram, PROT_READ | PROT_WRITE) && yes;
            w->n_held--;
        }
    }
    return yes;
}

bool window_retry(struct window *w, uintptr_t addr)
{
    uint64_t lin = addr - (uintptr_t)w->base;
    bool yes = false;
    pthread_mutex_lock(&w->arena->held_lock);
    const struct window_span *s = w->failed ? NULL : span_at(w, lin);
    uint64_t page = s ? to_ram(s, lin) / PAGE_BYTES : 0;
    if (s && s->writable && ram_held(w->arena, page) && ram_let_go(w->arena, page)) {
        yes = give_back(w, page * PAGE_BYTES);
    }
    pthread_mutex_unlock(&w->arena->held_lock);
    return yes;
}

uint8_t *window_to_arena(const struct window *w, uint8_t *p)
{
    uint64_t lin = (uintptr_t)p - (uintptr_t)w->base;
    const struct window_span *s = w->base ? span_at(w, lin) : NULL;
    return s ? w->arena->base + to_ram(s, lin) : p;
}
