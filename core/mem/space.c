/* Accesses through a committed view: cut at range borders, then at the width of the handler. */
#include "core/mem/space.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/bytes.h"

#include "trace/core_mem.h"

#include <stdlib.h>
#include <stdatomic.h>
#include <string.h>

#define PORTS 0x10000u

void space_init(struct space *s, const char *name, uint64_t bytes)
{
    *s = (struct space){.name = name};
    region_container(&s->root, name, bytes);
    s->root.space = s;
    s->view = view_new(&s->root, 1);
    if (bytes == PORTS) {
        s->port_index = NEW_ARRAY(uint16_t, PORTS);
    }
}

void space_fini(struct space *s)
{
    view_free(s->view);
    free(s->port_index);
    *s = (struct space){0};
}

static bool same_view(const struct view *a, const struct view *b)
{
    return a->n == b->n &&
           (a->n == 0 || memcmp(a->ranges, b->ranges, a->n * sizeof(*a->ranges)) == 0);
}

/* Only what ranges of @old or of the new view cover is touched: most ports have no device. */
static void index_ports(struct space *s, const struct view *old)
{
    for (unsigned i = 0; i < old->n; i++) {
        const struct view_range *r = &old->ranges[i];
        memset(s->port_index + r->start, 0, (r->end - r->start) * sizeof(*s->port_index));
    }
    for (unsigned i = 0; i < s->view->n; i++) {
        for (uint64_t p = s->view->ranges[i].start; p < s->view->ranges[i].end; p++) {
            s->port_index[p] = (uint16_t)(i + 1);
        }
    }
}

void space_commit(struct space *s)
{
    if (!s->dirty) {
        return;
    }
    s->dirty = false;
    struct view *old = s->view, *now = view_new(&s->root, old->generation + 1);
    if (same_view(old, now)) {
        view_free(now); /* there and back again: nobody needs to flush anything */
        return;
    }
    s->view = now;
    s->last = NULL;
    trace_space_commit(s->name, now->n, now->generation);
    if (s->port_index != NULL) {
        index_ports(s, old);
    }
    if (s->changed != NULL) {
        s->changed(s->changed_opaque, s, old, now);
    }
    view_free(old);
}

static const struct view_range *find_anew(struct space *s, uint64_t addr)
{
    const struct view_range *r = view_find(s->view, addr);
    s->last = r != NULL ? r : s->last;
    return r;
}

/* A port is looked up in a table. In memory, the next access is mostly near the last. */
static inline const struct view_range *find(struct space *s, uint64_t addr)
{
    if (s->port_index != NULL) {
        unsigned i = addr < PORTS ? s->port_index[addr] : 0;
        return i != 0 ? &s->view->ranges[i - 1] : NULL;
    }
    const struct view_range *r = s->last;
    return r != NULL && addr >= r->start && addr < r->end ? r : find_anew(s, addr);
}

/* How many of @len bytes from @addr on no range holds. */
static uint64_t gap_bytes(const struct view *v, uint64_t addr, uint64_t len)
{
    unsigned lo = 0, hi = v->n;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (v->ranges[mid].start <= addr) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < v->n ? min_u64(len, v->ranges[lo].start - addr) : len;
}

/* --- one target ------------------------------------------------------------------------------- */

static uint8_t *host_of(const struct region *r, uint64_t off)
{
    return ram_host(r->ram) + off;
}

static void store(const struct region *r, uint64_t off, const void *buf, uint64_t len)
{
    uint64_t addr = r->ram->addr + off;
    memcpy(host_of(r, off), buf, len);
    /* a vCPU that decodes marks the line, then reads it */
    atomic_thread_fence(memory_order_seq_cst);
    if (unlikely(ram_marked(r->ram->arena, addr, len))) {
        ram_touched(r->ram->arena, addr, len);
    }
}

/* The widest naturally aligned part at @off of at most @width and @size bytes. */
static unsigned part_bytes(uint64_t off, unsigned size, unsigned width)
{
    unsigned part = width;
    while (part > size || (off & (part - 1)) != 0) {
        part /= 2;
    }
    return part;
}

static inline bool passes_whole(const struct region *r, unsigned size)
{
    return size <= r->ops->width && (size & (size - 1)) == 0;
}

/* Reads 1..8 bytes that lie inside one range. */
static uint64_t target_read(const struct view_target *t, uint64_t off, unsigned size)
{
    struct region *r = t->region;
    off += t->off;
    if (r == NULL) {
        return size_mask(size);
    }
    if (r->kind != REGION_IO) {
        return ld_le(host_of(r, off), size);
    }
    if (r->ops->read == NULL) {
        return size_mask(size);
    }
    if (passes_whole(r, size)) {
        return r->ops->read(r->dev, off, size) & size_mask(size);
    }
    uint64_t val = 0;
    for (unsigned done = 0; done < size;) {
        unsigned part = part_bytes(off + done, size - done, r->ops->width);
        val |= (r->ops->read(r->dev, off + done, part) & size_mask(part)) << (8 * done);
        done += part;
    }
    return val;
}

static void target_write(const struct view_target *t, uint64_t off, uint64_t val, unsigned size)
{
    struct region *r = t->region;
    off += t->off;
    if (r == NULL) {
        return;
    }
    if (r->kind == REGION_RAM) {
        store(r, off, &val, size);
        return;
    }
    if (r->ops == NULL || r->ops->write == NULL) {
        return;
    }
    if (passes_whole(r, size)) {
        r->ops->write(r->dev, off, val & size_mask(size), size);
        return;
    }
    for (unsigned done = 0; done < size;) {
        unsigned part = part_bytes(off + done, size - done, r->ops->width);
        r->ops->write(r->dev, off + done, (val >> (8 * done)) & size_mask(part), part);
        done += part;
    }
}

/* --- one access ------------------------------------------------------------------------------- */

/* The I/O region that can take an access of @size at @addr whole, and its offset there. */
static inline struct region *whole_target(const struct view_range *r, const struct view_target *t,
                                   uint64_t addr, unsigned size, uint64_t *off)
{
    if (t->region == NULL || t->region->kind != REGION_IO || r->end - addr < size ||
        !passes_whole(t->region, size)) {
        return NULL;
    }
    *off = t->off + (addr - r->start);
    return t->region;
}

/* How many of @size bytes at @addr lie in @r (NULL: a gap), at least one. */
static unsigned bytes_in(const struct space *s, const struct view_range *r, uint64_t addr,
                         unsigned size)
{
    return (unsigned)(r != NULL ? min_u64(size, r->end - addr) : gap_bytes(s->view, addr, size));
}

static uint64_t read_parts(struct space *s, uint64_t addr, unsigned size)
{
    uint64_t val = 0;
    for (unsigned done = 0; done < size;) {
        const struct view_range *r = find(s, addr + done);
        unsigned n = bytes_in(s, r, addr + done, size - done);
        uint64_t part = r != NULL ? target_read(&r->rd, addr + done - r->start, n) : size_mask(n);
        val |= part << (8 * done);
        done += n;
    }
    return val;
}

static void write_parts(struct space *s, uint64_t addr, uint64_t val, unsigned size)
{
    for (unsigned done = 0; done < size;) {
        const struct view_range *r = find(s, addr + done);
        unsigned n = bytes_in(s, r, addr + done, size - done);
        if (r != NULL) {
            target_write(&r->wr, addr + done - r->start, (val >> (8 * done)) & size_mask(n), n);
        }
        done += n;
    }
}

uint64_t space_read(struct space *s, uint64_t addr, unsigned size)
{
    const struct view_range *r = find(s, addr);
    uint64_t off;
    struct region *from = r != NULL ? whole_target(r, &r->rd, addr, size, &off) : NULL;
    return from != NULL && from->ops->read != NULL
               ? from->ops->read(from->dev, off, size) & size_mask(size)
               : read_parts(s, addr, size);
}

void space_write(struct space *s, uint64_t addr, uint64_t val, unsigned size)
{
    const struct view_range *r = find(s, addr);
    uint64_t off;
    struct region *to = r != NULL ? whole_target(r, &r->wr, addr, size, &off) : NULL;
    if (to != NULL && to->ops->write != NULL) {
        to->ops->write(to->dev, off, val & size_mask(size), size);
    } else {
        write_parts(s, addr, val, size);
    }
}

/* --- many bytes ------------------------------------------------------------------------------- */

/* Reads @len bytes of one range; true if somebody answered. */
/* @peek: without effects on a device that can be read so. */
static bool range_read(const struct view_range *r, uint64_t addr, uint8_t *buf, uint64_t len,
                       bool peek)
{
    uint64_t off = addr - r->start;
    const struct region *from = r->rd.region;
    if (from == NULL) {
        memset(buf, 0xff, len);
        return false;
    }
    if (from->kind != REGION_IO) {
        memcpy(buf, host_of(r->rd.region, r->rd.off + off), len);
        return true;
    }
    for (uint64_t done = 0; done < len;) {
        unsigned part = part_bytes(addr + done, (unsigned)min_u64(len - done, 4), 4);
        uint64_t val;
        if (peek && from->ops->peek != NULL) {
            part = 1;
            val = from->ops->peek(from->dev, r->rd.off + off + done, 1);
        } else {
            val = target_read(&r->rd, off + done, part);
        }
        st_le(buf + done, val, part);
        done += part;
    }
    return true;
}

static bool range_write(const struct view_range *r, uint64_t addr, const uint8_t *buf, uint64_t len)
{
    uint64_t off = addr - r->start;
    struct region *to = r->wr.region;
    if (to == NULL || (to->kind == REGION_ROM && to->ops == NULL)) {
        return false;
    }
    if (to->kind == REGION_RAM) {
        store(to, r->wr.off + off, buf, len);
        return true;
    }
    for (uint64_t done = 0; done < len;) {
        unsigned part = part_bytes(addr + done, (unsigned)min_u64(len - done, 4), 4);
        target_write(&r->wr, off + done, ld_le(buf + done, part), part);
        done += part;
    }
    return true;
}

static uint64_t read_bytes(struct space *s, uint64_t addr, void *buf, uint64_t len, bool peek)
{
    uint64_t backed = 0;
    for (uint64_t done = 0; done < len;) {
        const struct view_range *r = find(s, addr + done);
        uint64_t n;
        if (r != NULL) {
            n = min_u64(len - done, r->end - (addr + done));
            backed += range_read(r, addr + done, (uint8_t *)buf + done, n, peek) ? n : 0;
        } else {
            n = gap_bytes(s->view, addr + done, len - done);
            memset((uint8_t *)buf + done, 0xff, n);
        }
        done += n;
    }
    return backed;
}

uint64_t space_read_bytes(struct space *s, uint64_t addr, void *buf, uint64_t len)
{
    return read_bytes(s, addr, buf, len, false);
}

uint64_t space_peek_bytes(struct space *s, uint64_t addr, void *buf, uint64_t len)
{
    return read_bytes(s, addr, buf, len, true);
}

uint64_t space_write_bytes(struct space *s, uint64_t addr, const void *buf, uint64_t len)
{
    uint64_t backed = 0;
    for (uint64_t done = 0; done < len;) {
        const struct view_range *r = find(s, addr + done);
        uint64_t n;
        if (r != NULL) {
            n = min_u64(len - done, r->end - (addr + done));
            backed += range_write(r, addr + done, (const uint8_t *)buf + done, n) ? n : 0;
        } else {
            n = gap_bytes(s->view, addr + done, len - done);
        }
        done += n;
    }
    return backed;
}

/* --- REP INS and OUTS ------------------------------------------------------------------------- */

unsigned space_read_block(struct space *s, uint64_t addr, void *buf, unsigned size, unsigned count)
{
    const struct view_range *r = find(s, addr);
    uint64_t off;
    struct region *to = r != NULL ? whole_target(r, &r->rd, addr, size, &off) : NULL;
    return to != NULL && to->ops->read_block != NULL
               ? to->ops->read_block(to->dev, off, buf, size, count)
               : 0;
}

unsigned space_write_block(struct space *s, uint64_t addr, const void *buf, unsigned size,
                           unsigned count)
{
    const struct view_range *r = find(s, addr);
    uint64_t off;
    struct region *to = r != NULL ? whole_target(r, &r->wr, addr, size, &off) : NULL;
    return to != NULL && to->ops->write_block != NULL
               ? to->ops->write_block(to->dev, off, buf, size, count)
               : 0;
}
