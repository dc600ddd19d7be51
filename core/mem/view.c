/*
 * Flattening a region tree. Regions are painted highest priority first, each into the gaps that
 * those above it left, once for reads and, if a route makes writes differ, once more for writes;
 * the two pictures are then laid over each other.
 */
#include "core/mem/view.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <stdlib.h>
#include <string.h>

/* Nesting beyond this is our own mistake (an alias of its own parent); it is cut, not followed. */
#define MAX_DEPTH 32

struct piece {
    uint64_t start, end;
    struct view_target to;
};

/* Sorted pieces that do not overlap. */
struct picture {
    struct piece *list;
    unsigned n, cap;
    bool writes; /* which end of a route to follow */
    bool split;  /* a route was met whose ends differ */
};

/* A part [lo, hi) of some region, in its own offsets, seen at address @out. */
struct window {
    uint64_t lo, hi, out;
};

static uint64_t end_of(uint64_t start, uint64_t bytes)
{
    return bytes > UINT64_MAX - start ? UINT64_MAX : start + bytes;
}

/* The index of the first piece that ends behind @addr. */
static unsigned first_behind(const struct picture *pic, uint64_t addr)
{
    unsigned lo = 0, hi = pic->n;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (pic->list[mid].end <= addr) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static void insert(struct picture *pic, unsigned at, struct piece p)
{
    if (pic->n == pic->cap) {
        pic->cap = pic->cap != 0 ? 2 * pic->cap : 64;
        pic->list = xrealloc(pic->list, pic->cap * sizeof(*pic->list));
    }
    memmove(&pic->list[at + 1], &pic->list[at], (pic->n - at) * sizeof(*pic->list));
    pic->list[at] = p;
    pic->n++;
}

/* Fills what is still free of the window with @r; NULL fills it with nothing. */
static void fill(struct picture *pic, struct region *r, struct window w)
{
    uint64_t addr = w.out, end = end_of(w.out, w.hi - w.lo);
    unsigned i = first_behind(pic, addr);
    while (addr < end) {
        bool last = i == pic->n || pic->list[i].start >= end;
        uint64_t stop = last ? end : pic->list[i].start;
        if (stop > addr) {
            uint64_t off = r != NULL ? w.lo + (addr - w.out) : 0;
            insert(pic, i++, (struct piece){addr, stop, {r, off}});
        }
        if (last) {
            break;
        }
        addr = pic->list[i++].end;
    }
}

static void paint(struct picture *pic, struct region *r, struct window w, unsigned depth);

static void paint_children(struct picture *pic, struct region *r, struct window w, unsigned depth)
{
    for (struct region *c = r->children; c != NULL; c = c->next) {
        uint64_t lo = max_u64(w.lo, c->addr), hi = min_u64(w.hi, end_of(c->addr, c->bytes));
        if (c->enabled && lo < hi) {
            paint(pic, c, (struct window){lo - c->addr, hi - c->addr, w.out + (lo - w.lo)}, depth);
        }
    }
}

/* Paints the window of @r that aliases @target from @off on. */
static void paint_target(struct picture *pic, struct region *target, uint64_t off, struct window w,
                         unsigned depth)
{
    if (target != NULL && target->enabled) {
        struct window t = {end_of(w.lo, off), end_of(w.hi, off), w.out};
        paint(pic, target, t, depth);
    }
}

/* Paints the part of @r that the window shows; a window may reach beyond the region's end. */
static void paint(struct picture *pic, struct region *r, struct window w, unsigned depth)
{
    w.hi = min_u64(w.hi, r->bytes);
    if (w.lo >= w.hi || depth >= MAX_DEPTH) {
        return;
    }
    switch (r->kind) {
    case REGION_CONTAINER:
        paint_children(pic, r, w, depth + 1);
        break;
    case REGION_IO:
    case REGION_RAM:
    case REGION_ROM:
        fill(pic, r, w);
        break;
    case REGION_ALIAS:
        paint_target(pic, r->target, r->target_off, w, depth + 1);
        break;
    case REGION_ROUTE:
        pic->split |= r->target != r->wtarget;
        paint_target(pic, pic->writes ? r->wtarget : r->target, r->target_off, w, depth + 1);
        fill(pic, NULL, w);
        break;
    }
}

/* --- laying the pictures over each other ------------------------------------------------------ */

static bool continues(const struct view_target *a, uint64_t bytes, const struct view_target *b)
{
    return a->region == b->region && (a->region == NULL || a->off + bytes == b->off);
}

/* Appends a range; one that continues the last makes that longer, one with nothing is a gap. */
static void append(struct view *v, struct view_range r)
{
    if (r.rd.region == NULL && r.wr.region == NULL) {
        return;
    }
    struct view_range *last = v->n != 0 ? &v->ranges[v->n - 1] : NULL;
    if (last != NULL && last->end == r.start &&
        continues(&last->rd, r.start - last->start, &r.rd) &&
        continues(&last->wr, r.start - last->start, &r.wr)) {
        last->end = r.end;
    } else {
        v->ranges[v->n++] = r;
    }
}

/* What picture @pic has at @addr, and in *stop where that ends; *i moves forward only. */
static struct view_target target_at(const struct picture *pic, unsigned *i, uint64_t addr,
                                    uint64_t *stop)
{
    while (*i < pic->n && pic->list[*i].end <= addr) {
        ++*i;
    }
    struct view_target t = {0};
    if (*i < pic->n) {
        const struct piece *p = &pic->list[*i];
        if (p->start <= addr) {
            t = p->to;
            t.off += t.region != NULL ? addr - p->start : 0;
        }
        *stop = min_u64(*stop, p->start <= addr ? p->end : p->start);
    }
    return t;
}

static void overlay(struct view *v, const struct picture *rd, const struct picture *wr)
{
    unsigned i = 0, j = 0;
    uint64_t addr = 0;
    while (i < rd->n || j < wr->n) {
        struct view_range r = {.start = addr, .end = UINT64_MAX};
        r.rd = target_at(rd, &i, addr, &r.end);
        r.wr = target_at(wr, &j, addr, &r.end);
        append(v, r);
        addr = r.end;
    }
}

struct view *view_new(struct region *root, uint64_t generation)
{
    struct window all = {0, root->bytes, 0};
    struct picture rd = {0}, wr = {.writes = true};
    struct view *v = NEW(struct view);

    v->generation = generation;
    paint(&rd, root, all, 0);
    if (rd.split) {
        paint(&wr, root, all, 0);
    }
    /* Each border of a piece starts at most one range. */
    v->ranges = NEW_ARRAY(struct view_range, 2 * (rd.n + wr.n) + 1);
    overlay(v, &rd, rd.split ? &wr : &rd);
    free(rd.list);
    free(wr.list);
    return v;
}

void view_free(struct view *v)
{
    if (v != NULL) {
        free(v->ranges);
        free(v);
    }
}

const struct view_range *view_find(const struct view *v, uint64_t addr)
{
    unsigned lo = 0, hi = v->n;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (v->ranges[mid].end <= addr) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < v->n && v->ranges[lo].start <= addr ? &v->ranges[lo] : NULL;
}
