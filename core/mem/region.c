/*
 * The region tree, and who must hear of a change in it.
 *
 * A change climbs from the region to its parent and, at each step, to every mapped alias or route
 * that shows the region; where it meets a root, that space has something to commit.
 */
#include "core/mem/region.h"

#include "core/mem/space.h"

#include <assert.h>
#include <stddef.h>

/* Nesting beyond this is our own mistake (an alias of its own parent); it is cut, not followed. */
#define MAX_CLIMB 32

static void changed_at(struct region *r, unsigned depth)
{
    for (; r != NULL && depth < MAX_CLIMB; r = r->parent, depth++) {
        if (r->space != NULL) {
            r->space->dirty = true;
            if (r->space->needs_commit != NULL) {
                r->space->needs_commit(r->space->needs_commit_opaque, r->space);
            }
        }
        for (struct region_use *u = r->users; u != NULL; u = u->next) {
            changed_at(u->user, depth + 1);
        }
    }
}

static void changed(struct region *r)
{
    changed_at(r, 0);
}

/* --- which aliases and routes show a region --------------------------------------------------- */

static void use(struct region *r, unsigned end, struct region *target)
{
    struct region_use *u = &r->uses[end];
    if (target != NULL) {
        u->user = r;
        u->next = target->users;
        u->prev = &target->users;
        if (u->next != NULL) {
            u->next->prev = &u->next;
        }
        target->users = u;
    }
}

static void unuse(struct region *r, unsigned end)
{
    struct region_use *u = &r->uses[end];
    if (u->prev != NULL) {
        *u->prev = u->next;
        if (u->next != NULL) {
            u->next->prev = u->prev;
        }
        u->prev = NULL;
    }
}

/* --- making regions --------------------------------------------------------------------------- */

static void init(struct region *r, const char *name, enum region_kind kind, uint64_t bytes)
{
    *r = (struct region){.name = name, .kind = kind, .bytes = bytes, .enabled = true};
}

void region_container(struct region *r, const char *name, uint64_t bytes)
{
    init(r, name, REGION_CONTAINER, bytes);
}

void region_io(struct region *r, const char *name, const struct region_ops *ops, void *dev,
               uint64_t bytes)
{
    assert(ops->width == 1 || ops->width == 2 || ops->width == 4 || ops->width == 8);
    init(r, name, REGION_IO, bytes);
    r->ops = ops;
    r->dev = dev;
}

void region_ram(struct region *r, const char *name, struct ram_block *ram)
{
    init(r, name, REGION_RAM, ram->bytes);
    r->ram = ram;
}

void region_rom(struct region *r, const char *name, struct ram_block *ram)
{
    init(r, name, REGION_ROM, ram->bytes);
    r->ram = ram;
}

void region_alias(struct region *r, const char *name, struct region *target, uint64_t target_off,
                  uint64_t bytes)
{
    init(r, name, REGION_ALIAS, bytes);
    r->target = target;
    r->target_off = target_off;
}

void region_route(struct region *r, const char *name, struct region *reads, struct region *writes,
                  uint64_t target_off, uint64_t bytes)
{
    init(r, name, REGION_ROUTE, bytes);
    r->target = reads;
    r->wtarget = writes;
    r->target_off = target_off;
}

void region_set_route(struct region *r, struct region *reads, struct region *writes)
{
    assert(r->kind == REGION_ROUTE);
    if (r->target == reads && r->wtarget == writes) {
        return;
    }
    r->target = reads;
    r->wtarget = writes;
    if (r->mapped) {
        unuse(r, 0);
        unuse(r, 1);
        use(r, 0, reads);
        use(r, 1, writes);
        changed(r);
    }
}

/* --- placing them ----------------------------------------------------------------------------- */

static void insert_child(struct region *parent, struct region *r)
{
    struct region **at = &parent->children;
    while (*at != NULL && (*at)->priority > r->priority) {
        at = &(*at)->next;
    }
    r->next = *at;
    *at = r;
}

void region_map(struct region *parent, struct region *r, uint64_t addr, int priority)
{
    assert(parent->kind == REGION_CONTAINER && !r->mapped);
    r->parent = parent;
    r->addr = addr;
    r->priority = priority;
    r->mapped = true;
    insert_child(parent, r);
    if (r->kind == REGION_ALIAS || r->kind == REGION_ROUTE) {
        use(r, 0, r->target);
        use(r, 1, r->wtarget);
    }
    changed(r);
}

void region_unmap(struct region *r)
{
    if (!r->mapped) {
        return;
    }
    changed(r);
    unuse(r, 0);
    unuse(r, 1);
    struct region **at = &r->parent->children;
    while (*at != r) {
        at = &(*at)->next;
    }
    *at = r->next;
    r->next = r->parent = NULL;
    r->mapped = false;
}

void region_enable(struct region *r, bool on)
{
    if (r->enabled != on) {
        r->enabled = on;
        changed(r);
    }
}

void region_move(struct region *r, uint64_t addr)
{
    if (r->addr != addr) {
        r->addr = addr;
        changed(r);
    }
}

void region_resize(struct region *r, uint64_t bytes)
{
    assert(r->ram == NULL || bytes <= r->ram->bytes);
    if (r->bytes != bytes) {
        r->bytes = bytes;
        changed(r);
    }
}
