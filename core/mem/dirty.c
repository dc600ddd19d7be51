#include "core/mem/dirty.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES     4096u
#define LINES_OF_PAGE  (PAGE_BYTES >> RAM_LINE_SHIFT)
#define PAGES_OF_WORD  64u

struct pages {
    uint64_t first, end;
};

static struct pages pages_of(const struct ram_block *b, uint64_t off, uint64_t len)
{
    uint64_t start = min_u64(off, b->bytes), end = start + min_u64(len, b->bytes - start);
    return (struct pages){start / PAGE_BYTES, align_up(end, PAGE_BYTES) / PAGE_BYTES};
}

static uint8_t *marks_of(const struct ram_block *b, uint64_t page)
{
    return b->arena->marks + ((b->addr + page * PAGE_BYTES) >> RAM_LINE_SHIFT);
}

/* Devices tell of stores to marked lines only: of a page that is known as written they need not. */
static void set_marks(const struct ram_block *b, uint64_t page, bool on)
{
    uint8_t *marks = marks_of(b, page);
    for (unsigned i = 0; i < LINES_OF_PAGE; i++) {
        marks[i] = (uint8_t)(on ? marks[i] | RAM_MARK_LOG : marks[i] & ~RAM_MARK_LOG);
    }
}

void ram_dirty_mark(struct ram_block *b, uint64_t off, uint64_t len)
{
    struct pages p = pages_of(b, off, len);
    for (uint64_t n = p.first; n < p.end && b->dirty != NULL; n++) {
        atomic_fetch_or(&b->dirty->pages[n / PAGES_OF_WORD], BIT64(n % PAGES_OF_WORD));
        if (*marks_of(b, n) & RAM_MARK_LOG) {
            set_marks(b, n, false);
        }
    }
}

/* Of the arena: the store may lie before, in or behind the block. */
static void touched(void *opaque, uint64_t addr, uint64_t len)
{
    const struct ram_dirty *d = opaque;
    uint64_t start = max_u64(addr, d->block->addr);
    uint64_t end = min_u64(addr + len, d->block->addr + d->block->bytes);
    if (start < end) {
        ram_dirty_mark(d->block, start - d->block->addr, end - start);
    }
}

void ram_dirty_init(struct ram_dirty *d, struct ram_block *b)
{
    size_t words = align_up(b->bytes, PAGE_BYTES * PAGES_OF_WORD) / (PAGE_BYTES * PAGES_OF_WORD);
    *d = (struct ram_dirty){.block = b, .pages = xcalloc(words, sizeof(*d->pages))};
    b->dirty = d;
    memset((void *)d->pages, 0xff, words * sizeof(*d->pages)); /* all is written, and not logged */
    ram_add_listener(b->arena, &(struct ram_listener){.touched = touched, .opaque = d});
}

void ram_dirty_fini(struct ram_dirty *d)
{
    if (d->block != NULL) {
        d->block->dirty = NULL;
    }
    free(d->pages);
    free(d->copy);
    *d = (struct ram_dirty){0};
}

/* Forgets that these pages were written; true if one was. */
static bool take_pages(struct ram_dirty *d, const struct pages *p, bool logged)
{
    bool any = false;
    for (uint64_t n = p->first; n < p->end; n++) {
        uint64_t bit = BIT64(n % PAGES_OF_WORD);
        if (atomic_load(&d->pages[n / PAGES_OF_WORD]) & bit) {
            atomic_fetch_and(&d->pages[n / PAGES_OF_WORD], ~bit);
            any = true;
            if (logged) {
                set_marks(d->block, n, true);
                ram_hold(d->block->arena, d->block->addr + n * PAGE_BYTES, PAGE_BYTES);
            }
        }
    }
    return any;
}

/* The copy is made before the caller looks: a store in between is found the next time. */
static bool compare(struct ram_dirty *d, const struct pages *p)
{
    bool changed = take_pages(d, p, false);
    uint64_t off = p->first * PAGE_BYTES, len = (p->end - p->first) * PAGE_BYTES;
    const uint8_t *now = ram_host(d->block) + off;
    if (d->copy == NULL) {
        d->copy = xcalloc(1, align_up(d->block->bytes, PAGE_BYTES));
    }
    changed = changed || memcmp(d->copy + off, now, len) != 0;
    if (changed) {
        memcpy(d->copy + off, now, len);
    }
    return changed;
}

bool ram_dirty_take(struct ram_dirty *d, uint64_t off, uint64_t len)
{
    const struct ram_log *log = &d->block->arena->log;
    struct pages p = pages_of(d->block, off, len);
    if (log->fetch == NULL) {
        return compare(d, &p);
    }
    log->fetch(log->opaque, d->block);
    return take_pages(d, &p, true);
}
