/*
 * A view: one address space flattened into sorted ranges that do not overlap. Immutable once made;
 * a change of regions makes a new one.
 */
#ifndef CORE_MEM_VIEW_H
#define CORE_MEM_VIEW_H

#include "core/mem/region.h"

struct view_target {
    struct region *region;   /* RAM, ROM or IO; NULL: nothing there */
    uint64_t off;            /* offset in it of the range's first byte */
};

struct view_range {
    uint64_t start, end;     /* [start, end) */
    struct view_target rd, wr;
};

struct view {
    struct view_range *ranges;
    unsigned n;
    uint64_t generation;     /* 1, 2, ... within a space */
};

struct view *view_new(struct region *root, uint64_t generation);
void view_free(struct view *v);

/* The range that holds @addr, or NULL. Binary search. [any] */
const struct view_range *view_find(const struct view *v, uint64_t addr);

#endif
