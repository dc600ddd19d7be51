/* Source: [SDM3] "Paging", sections on 32-bit, PAE and 4-level paging. */
#include "core/debug/walk.h"

#include "core/base/bits.h"

#define WALK_MAX_READS (1u << 20) /* entries that one walk over all pages reads */
#define ADDRESS_MASK   0x000ffffffffff000ull

/* How the tables look in the current mode: levels from the outermost, each with its bits of the
 * address. */
struct layout {
    unsigned levels;
    unsigned entry_bytes;
    unsigned index_bits[4], shift[4];
    bool large[4]; /* PS in an entry of this level makes it a page */
};

static struct layout layout_of(const struct x86_state *s)
{
    if (s->efer & EFER_LMA) {
        return (struct layout){4, 8, {9, 9, 9, 9}, {39, 30, 21, 12}, {false, true, true, false}};
    }
    if (s->cr4 & CR4_PAE) {
        return (struct layout){3, 8, {2, 9, 9}, {30, 21, 12}, {false, true, false}};
    }
    return (struct layout){2, 4, {10, 10}, {22, 12}, {(s->cr4 & CR4_PSE) != 0, false}};
}

static uint64_t table_base(const struct x86_state *s)
{
    return s->efer & EFER_LMA ? s->cr3 & ADDRESS_MASK
           : s->cr4 & CR4_PAE ? s->cr3 & 0xffffffe0
                              : s->cr3 & 0xfffff000;
}

static uint64_t a20(const struct x86_state *s, uint64_t phys)
{
    return s->a20 ? phys : phys & ~BIT64(20);
}

static uint64_t entry_at(const struct x86_state *s, struct space *mem, const struct layout *l,
                         uint64_t table, uint64_t index)
{
    uint64_t entry = 0;
    space_peek_bytes(mem, a20(s, table + index * l->entry_bytes), &entry, l->entry_bytes);
    return entry;
}

/* Where the page begins that @entry of level @n is. */
static uint64_t page_base(const struct layout *l, unsigned n, uint64_t entry)
{
    uint64_t base = entry & ADDRESS_MASK & ~(BIT64(l->shift[n]) - 1);
    if (l->entry_bytes == 4) {
        base &= 0xffffffff;
        if (l->shift[n] == 22) {
            base |= (entry >> 13 & 0xff) << 32; /* PSE-36: bits 20:13 are the upper ones */
        }
    }
    return base;
}

/* The PAE entries of the outermost level have no rights: the bits are reserved. */
static uint64_t rights(const struct layout *l, unsigned n, uint64_t entry)
{
    return l->levels == 3 && n == 0 ? PTE_W | PTE_U : entry & (PTE_W | PTE_U);
}

bool walk_translate(const struct x86_state *s, struct space *mem, uint64_t lin, uint64_t *phys)
{
    if (!(s->efer & EFER_LMA)) {
        lin &= 0xffffffff;
    }
    if (!(s->cr0 & CR0_PG)) {
        *phys = a20(s, lin);
        return true;
    }
    const struct layout l = layout_of(s);
    uint64_t table = table_base(s);
    for (unsigned n = 0; n < l.levels; n++) {
        uint64_t index = lin >> l.shift[n] & (BIT64(l.index_bits[n]) - 1);
        uint64_t entry = entry_at(s, mem, &l, table, index);
        if (!(entry & PTE_P)) {
            return false;
        }
        if (n == l.levels - 1 || (l.large[n] && (entry & PTE_PS))) {
            *phys = a20(s, page_base(&l, n, entry) | (lin & (BIT64(l.shift[n]) - 1)));
            return true;
        }
        table = entry & ADDRESS_MASK;
    }
    return false;
}

size_t walk_read(const struct x86_state *s, struct space *mem, uint64_t lin, void *buf, size_t len)
{
    size_t done = 0;
    while (done < len) {
        uint64_t at = lin + done, phys;
        size_t n = min_u64(len - done, 4096 - (at & 4095));
        if (!walk_translate(s, mem, at, &phys)) {
            break;
        }
        space_peek_bytes(mem, phys, (uint8_t *)buf + done, n);
        done += n;
    }
    return done;
}

/* ---- all pages ------------------------------------------------------------------------------- */

struct walk {
    const struct x86_state *s;
    struct space *mem;
    struct layout l;
    unsigned reads;
    bool (*each)(void *opaque, const struct walk_page *p);
    void *opaque;
};

/* Table of level @n, which maps from @lin on; @gathered: rights and NX of the levels above. */
static bool walk_table(struct walk *w, unsigned n, uint64_t table, uint64_t lin, uint64_t gathered)
{
    const struct layout *l = &w->l;
    for (uint64_t i = 0; i < BIT64(l->index_bits[n]); i++) {
        if (w->reads++ == WALK_MAX_READS) {
            return false;
        }
        uint64_t entry = entry_at(w->s, w->mem, l, table, i);
        uint64_t at = lin + (i << l->shift[n]);
        if (l->shift[n] == 39 && i >= 256) {
            at |= 0xffff000000000000ull; /* canonical */
        }
        if (!(entry & PTE_P)) {
            continue;
        }
        uint64_t all = (gathered & rights(l, n, entry)) | ((gathered | entry) & PTE_NX);
        bool leaf = n == l->levels - 1 || (l->large[n] && (entry & PTE_PS));
        if (leaf) {
            const struct walk_page p = {
                .lin = at,
                .phys = page_base(l, n, entry),
                .bytes = BIT64(l->shift[n]),
                .flags = all | (entry & (PTE_PWT | PTE_PCD | PTE_A | PTE_D | PTE_G | PTE_P)) |
                         (n != l->levels - 1 ? PTE_PS : 0),
            };
            if (!w->each(w->opaque, &p)) {
                return false;
            }
        } else if (!walk_table(w, n + 1, entry & ADDRESS_MASK, at, all)) {
            return false;
        }
    }
    return true;
}

bool walk_pages(const struct x86_state *s, struct space *mem,
                bool (*each)(void *opaque, const struct walk_page *p), void *opaque)
{
    struct walk w = {.s = s, .mem = mem, .l = layout_of(s), .each = each, .opaque = opaque};
    return walk_table(&w, 0, table_base(s), 0, PTE_W | PTE_U);
}
