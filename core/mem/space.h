/*
 * An address space: a root region and its committed view.
 *
 * Reads of what nobody claims return ones, writes there are dropped. An access is cut at range and
 * width borders, so it may become several handler calls. All accesses here are physical.
 */
#ifndef CORE_MEM_SPACE_H
#define CORE_MEM_SPACE_H

#include "core/mem/view.h"

struct space {
    const char *name;
    struct region root;
    struct view *view;       /* the committed one */
    const struct view_range *last; /* of it, that was found last; or NULL [locked] */
    uint16_t *port_index;    /* port spaces (64 KiB): range number + 1 a port, 0 none; else NULL */
    bool dirty;              /* regions changed since the commit */
    /* Called by space_commit after the switch; the old view is freed afterwards. */
    void (*changed)(void *opaque, struct space *s, const struct view *old, const struct view *now);
    void *changed_opaque;
    /* Called when regions change, so that the owner can arrange a commit; may be NULL. */
    void (*needs_commit)(void *opaque, struct space *s);
    void *needs_commit_opaque;
};

/* An empty space of @bytes (1 << 16 makes a port space), with a first empty view committed. */
void space_init(struct space *s, const char *name, uint64_t bytes);
void space_fini(struct space *s);

/* Makes region changes visible. Does nothing if nothing changed. [locked, no vCPU inside run or
 * only the calling one] */
void space_commit(struct space *s);

/* One access of 1, 2, 4 or 8 bytes at any alignment. [locked] */
uint64_t space_read(struct space *s, uint64_t addr, unsigned size);
void space_write(struct space *s, uint64_t addr, uint64_t val, unsigned size);

/* Any length, for DMA, loaders and debuggers. Memory is copied (and ram_touched told), devices get
 * accesses of at most 4 bytes. Returns how many bytes were backed by memory or a device.
 * [locked] */
uint64_t space_read_bytes(struct space *s, uint64_t addr, void *buf, uint64_t len);
uint64_t space_write_bytes(struct space *s, uint64_t addr, const void *buf, uint64_t len);

/* The same as space_read_bytes for debuggers: a device that offers it (region_ops.peek) is read
 * without being changed. [locked] */
uint64_t space_peek_bytes(struct space *s, uint64_t addr, void *buf, uint64_t len);

/* REP INS/OUTS: up to @count items of @size bytes at one port. Returns how many moved in bulk.
 * [locked] */
unsigned space_read_block(struct space *s, uint64_t addr, void *buf, unsigned size, unsigned count);
unsigned space_write_block(struct space *s, uint64_t addr, const void *buf, unsigned size,
                           unsigned count);

#endif
