/*
 * Regions: what answers at an address. One mechanism for memory and for ports.
 *
 * A region is one of: I/O (handlers), RAM, ROM, an alias of part of another region, a container, or
 * a route (reads and writes to different regions, for PAM). A route hides what lies beneath it:
 * where its target has nothing, there is nothing. An alias is as full of gaps as what it shows.
 *
 * Regions live in their device's struct and never allocate by a guest's value. Inside one parent
 * the higher priority wins; a gap shows what lies beneath. Changes (map, unmap, enable, move,
 * route) take effect at the next space_commit.
 *
 * Handlers get an offset into the region, never an absolute address, and a size of 1, 2, 4 or 8
 * that is at most ops->width: the core splits wider accesses into aligned parts of at most `width`,
 * low address first, and accesses that cross the region's end. Smaller ones are passed as they are,
 * at any offset (so a handler of width 4 must cope with sizes 1 and 2 and with offset 1). Little
 * endian. Handlers are called with the machine lock held.
 */
#ifndef CORE_MEM_REGION_H
#define CORE_MEM_REGION_H

#include "core/mem/ram.h"

#include <stdbool.h>
#include <stdint.h>

struct region;
struct space;

/* One end of an alias or route, in the list of its target: a change of the target is one of the
 * user. */
struct region_use {
    struct region *user;
    struct region_use *next, **prev;   /* prev is NULL while not in a list */
};

struct region_ops {
    uint64_t (*read)(void *dev, uint64_t off, unsigned size);   /* NULL: all ones */
    void (*write)(void *dev, uint64_t off, uint64_t val, unsigned size); /* NULL: dropped */
    unsigned width;          /* widest access passed whole: 1, 2, 4 or 8 */
    /* The same as read without its effects on the device, for debuggers; NULL: they get read. */
    uint64_t (*peek)(void *dev, uint64_t off, unsigned size);
    /* Optional block transfer for REP INS/OUTS at offset @off: moves up to @count items of @size
     * bytes and returns how many it moved (0: use single accesses). */
    unsigned (*read_block)(void *dev, uint64_t off, void *buf, unsigned size, unsigned count);
    unsigned (*write_block)(void *dev, uint64_t off, const void *buf, unsigned size,
                            unsigned count);
};

enum region_kind {
    REGION_CONTAINER,        /* only children */
    REGION_IO,
    REGION_RAM,
    REGION_ROM, /* reads memory; writes go to ops->write if there is one, else dropped */
    REGION_ALIAS,
    REGION_ROUTE,
};

struct region {
    const char *name;        /* borrowed */
    enum region_kind kind;
    uint64_t bytes;
    const struct region_ops *ops;
    void *dev;
    struct ram_block *ram;   /* RAM, ROM: borrowed */
    struct region *target;   /* ALIAS; ROUTE: where reads go */
    struct region *wtarget;  /* ROUTE: where writes go */
    uint64_t target_off;     /* ALIAS, ROUTE: offset in the target(s) of this region's byte 0 */
    /* place in the tree */
    struct region *parent, *children, *next; /* children: highest priority first */
    uint64_t addr;           /* offset in the parent */
    int priority;
    bool mapped, enabled;
    bool posted; /* IO: a write may wait until the next access of anybody sees its effect */
    struct space *space;     /* set on root regions only */
    struct region_use *users;     /* mapped aliases and routes that show this region */
    struct region_use uses[2];    /* our ends: of target, of wtarget */
};

void region_container(struct region *r, const char *name, uint64_t bytes);
void region_io(struct region *r, const char *name, const struct region_ops *ops, void *dev,
               uint64_t bytes);
void region_ram(struct region *r, const char *name, struct ram_block *ram);
void region_rom(struct region *r, const char *name, struct ram_block *ram);
void region_alias(struct region *r, const char *name, struct region *target, uint64_t target_off,
                  uint64_t bytes);
/* Reads of this region go to @reads, writes to @writes (either may be a container), at the offset
 * @target_off; NULL is nothing (ones, dropped). region_set_route changes them later. */
void region_route(struct region *r, const char *name, struct region *reads, struct region *writes,
                  uint64_t target_off, uint64_t bytes);
void region_set_route(struct region *r, struct region *reads, struct region *writes);

/* @parent is a container. What lies beyond its end is not seen. At equal priority the later mapped
 * region wins. */
void region_map(struct region *parent, struct region *r, uint64_t addr, int priority);
void region_unmap(struct region *r);
void region_enable(struct region *r, bool on);   /* as if unmapped while off; born enabled */
void region_move(struct region *r, uint64_t addr);
void region_resize(struct region *r, uint64_t bytes);

#endif
