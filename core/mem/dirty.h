/*
 * Was a block of memory written? What a display asks, to leave an unchanged picture alone.
 *
 * Where the accelerator keeps a log of what the guest writes (ram_log), pages of it and those that
 * devices wrote are collected; elsewhere the block is compared with a copy of how it was. What was
 * written before ram_dirty_take returns is in its answer or in the next one: so ask, then look.
 *
 * Order of calls: ram_dirty_init before the block is mapped, one asker a block; ram_dirty_fini.
 */
#ifndef CORE_MEM_DIRTY_H
#define CORE_MEM_DIRTY_H

#include "core/mem/ram.h"

struct ram_dirty {
    struct ram_block *block;     /* borrowed */
    _Atomic uint64_t *pages;     /* bit n: page n was written since it was taken */
    uint8_t *copy;               /* of the block as it was; NULL: not needed so far */
};

/* Everything counts as written. */
void ram_dirty_init(struct ram_dirty *d, struct ram_block *b);
void ram_dirty_fini(struct ram_dirty *d);

/* True if something in [off, off+len) of the block may have been written since the last call that
 * answered for it. Beyond the block's end is nothing. [locked] */
bool ram_dirty_take(struct ram_dirty *d, uint64_t off, uint64_t len);

/* For accelerators: bytes [off, off+len) of @b were written. Nothing if nobody asks. [any] */
void ram_dirty_mark(struct ram_block *b, uint64_t off, uint64_t len);

#endif
