/*
 * Host memory of a machine: guest RAM, ROM images and video memory, in one arena.
 *
 * The arena is one mapping of a file without a name, reserved once and touched lazily. Guest RAM
 * below 4 GiB lies at its physical address, so that the software CPU can map the file's start a
 * second time as its window; RAM above 4 GiB does, too; other blocks (ROM, VRAM) come behind.
 * A ram address is an offset into the arena; it names a byte of memory independent of where the
 * chipset maps it, and is what translated code and dirty tracking are keyed by.
 *
 * For every 64 bytes (a line) there is one byte of marks. A store by the CPU, a device or the
 * debugger to a line whose mark is not 0 must go through ram_touched.
 */
#ifndef CORE_MEM_RAM_H
#define CORE_MEM_RAM_H

#include "core/base/error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RAM_LINE_SHIFT 6
#define RAM_LINE_BYTES (1u << RAM_LINE_SHIFT)
#define RAM_PAGE_SHIFT 12

enum ram_mark {
    RAM_MARK_CODE = 1,  /* some vCPU holds decoded or translated code of this line */
    RAM_MARK_WATCH = 2, /* a debugger watches this line */
    RAM_MARK_LOG = 4,   /* dirty.h does not know yet that its page was written */
};

struct ram_listener {
    /* Bytes [addr, addr+len) of marked lines are about to be, or were, written. [any] */
    void (*touched)(void *opaque, uint64_t addr, uint64_t len);
    void *opaque;
};

struct ram_span {
    uint64_t addr, bytes;
};

struct ram_block;
struct ram_dirty;

/* Who keeps a log of stores that nobody tells of: a guest's, on hardware virtualisation. */
struct ram_log {
    /* Passes what was written to @b since the last call on to ram_dirty_mark (dirty.h). NULL: there
     * is no log. [locked] */
    void (*fetch)(void *opaque, struct ram_block *b);
    void *opaque;
};

/* Who has mapped the arena a second time, where stores pass the marks by. */
struct ram_holder {
    /* Pages [addr, addr+len) have marks from now on, some perhaps before. With held_lock. [any] */
    void (*held)(void *opaque, uint64_t addr, uint64_t len);
    void *opaque;
};

#define RAM_MAX_BLOCKS 64

struct ram_arena {
    uint8_t *base;           /* host address of ram address 0 */
    uint8_t *marks;          /* one byte a line */
    uint8_t *open;           /* one byte a page: ram_open_page */
    int fd;                  /* the file that base maps from its start on */
    _Atomic uint64_t *held;  /* a bit a page, set if it has marks, or had some */
    pthread_mutex_t held_lock; /* around setting and taking away held bits */
    struct ram_holder holder; /* held NULL: none */
    uint64_t bytes;          /* size of the reservation */
    uint64_t next;           /* where the next ram_block goes */
    struct ram_span blocks[RAM_MAX_BLOCKS]; /* every block, in order of creation */
    unsigned n_blocks;
    struct ram_listener listeners[72]; /* 64 vCPUs and what watches memory beside them */
    unsigned n_listeners;
    struct ram_log log;      /* the accelerator's */
};

struct ram_block {
    struct ram_arena *arena;
    const char *name;
    uint64_t addr;           /* ram address of its first byte */
    uint64_t bytes;
    struct ram_dirty *dirty; /* who asks what was written (dirty.h); borrowed, NULL: nobody */
};

/* Reserves @bytes of address space for ram addresses 0..bytes-1 (plus their marks). */
bool ram_arena_init(struct ram_arena *a, uint64_t bytes, struct error **err);
void ram_arena_fini(struct ram_arena *a);

/* A block at a fixed ram address (guest RAM), or behind everything so far. Page aligned, zeroed. */
bool ram_block_at(struct ram_arena *a, struct ram_block *b, const char *name, uint64_t addr,
                  uint64_t bytes, struct error **err);
bool ram_block_new(struct ram_arena *a, struct ram_block *b, const char *name, uint64_t bytes,
                   struct error **err);

static inline uint8_t *ram_host(const struct ram_block *b)
{
    return b->arena->base + b->addr;
}

/* Continues @seed over all blocks. Pages of zeros count by their place only, so untouched memory
 * costs next to nothing. */
uint64_t ram_hash(const struct ram_arena *a, uint64_t seed);

void ram_add_listener(struct ram_arena *a, const struct ram_listener *l);

/* Tells every listener; called after a store of @len bytes hit at least one marked line. [any] */
void ram_touched(struct ram_arena *a, uint64_t addr, uint64_t len);

/* Marks in [addr, addr+len) were set; before anybody relies on them. [any] */
void ram_hold(struct ram_arena *a, uint64_t addr, uint64_t len);
/* The page is no longer held, if it has no marks. With held_lock. [any] */
bool ram_let_go(struct ram_arena *a, uint64_t page);

static inline bool ram_held(const struct ram_arena *a, uint64_t page)
{
    return atomic_load(&a->held[page / 64]) >> (page % 64) & 1;
}

/* True if a store to [addr, addr+len) must be followed by ram_touched. */
static inline bool ram_marked(const struct ram_arena *a, uint64_t addr, uint64_t len)
{
    uint64_t last = (addr + len - 1) >> RAM_LINE_SHIFT;
    for (uint64_t line = addr >> RAM_LINE_SHIFT; line <= last; line++) {
        if (a->marks[line]) {
            return true;
        }
    }
    return false;
}

/* May a vCPU store to the page of @addr without a look at its marks, since there are none? It
 * may until somebody marks a line for code and then finds ram_is_open: he has all vCPUs forget the
 * page before he relies on the mark. Marks of other kinds bind nobody who stores like this.
 * [any] */
bool ram_open_page(struct ram_arena *a, uint64_t addr);

static inline bool ram_is_open(const struct ram_arena *a, uint64_t addr)
{
    return __atomic_load_n(&a->open[addr >> RAM_PAGE_SHIFT], __ATOMIC_SEQ_CST);
}

/* Nobody stores like this any more. */
static inline void ram_close_page(struct ram_arena *a, uint64_t addr)
{
    __atomic_store_n(&a->open[addr >> RAM_PAGE_SHIFT], 0, __ATOMIC_SEQ_CST);
}

#endif
