/*
 * Page tables as a debugger reads them: without faults, accessed bits or TLB.
 */
#ifndef CORE_DEBUG_WALK_H
#define CORE_DEBUG_WALK_H

#include "core/cpu/x86_state.h"
#include "core/mem/space.h"

/* Bits of an entry. */
enum {
    PTE_P = 0x1,
    PTE_W = 0x2,
    PTE_U = 0x4,
    PTE_PWT = 0x8,
    PTE_PCD = 0x10,
    PTE_A = 0x20,
    PTE_D = 0x40,
    PTE_PS = 0x80,
    PTE_G = 0x100,
};
#define PTE_NX (1ull << 63)

/* A page, of the last entry's flags; PTE_W, PTE_U and PTE_NX are those of all levels together. */
struct walk_page {
    uint64_t lin, phys, bytes;
    uint64_t flags;
};

/* The physical address behind @lin (a linear address), A20 applied. False: not present. [locked] */
bool walk_translate(const struct x86_state *s, struct space *mem, uint64_t lin, uint64_t *phys);

/* Bytes behind @lin until the first page that is not present; returns how many. [locked] */
size_t walk_read(const struct x86_state *s, struct space *mem, uint64_t lin, void *buf, size_t len);

/* Calls @each for every page that is present, in order, until it returns false or the tables were
 * read too often (false: tables that map themselves have no end). Paging must be on. [locked] */
bool walk_pages(const struct x86_state *s, struct space *mem,
                bool (*each)(void *opaque, const struct walk_page *p), void *opaque);

#endif
