/*
 * What jump entries still say after translations of linear addresses changed.
 *
 * Model:  an entry has the key of the time when it was made. All of them become stale together, by
 *         a new number in the key; those of global pages have a number of their own, which loads of
 *         CR3 leave alone. Of single pages (INVLPG) only those matter that entries were made for
 *         since, which a filter of hashed page addresses knows: most are of data. A page is noted
 *         with its size, since INVLPG drops all of a large one.
 */
#include "core/accel/interp/engine.h"

static const uint32_t spans[] = {0xfff, 0x1fffff, 0x3fffff, 0x3fffffff}; /* of pages, less one */

static unsigned page_bit(uint64_t lin, uint32_t span)
{
    uint64_t hash = ((lin | span) ^ (uint64_t)span << 32) * 0x9e3779b97f4a7c15ull;
    return hash >> 40 & (CODE_PAGES - 1);
}

static void note_page(struct interp *e, uint64_t lin)
{
    unsigned bit = page_bit(lin, x86_tlb_slot(&e->cpu, lin)->span);
    e->code_pages[bit / 64] |= 1ull << (bit % 64);
}

static bool was_noted(const struct interp *e, uint64_t lin)
{
    bool noted = false;
    for (unsigned i = 0; i < ARRAY_SIZE(spans); i++) {
        unsigned bit = page_bit(lin, spans[i]);
        noted = noted || (e->code_pages[bit / 64] >> (bit % 64) & 1);
    }
    return noted;
}

bool moved_is_global(struct interp *e, uint64_t lin)
{
    const struct tlb_entry *t = x86_tlb_slot(&e->cpu, lin);
    return t->xtag == (lin & ~PAGE_OFFSET) && t->global;
}

uint64_t moved_key(struct interp *e, uint64_t lin, uint64_t last)
{
    note_page(e, lin);
    note_page(e, last);
    return moved_is_global(e, lin) && moved_is_global(e, last) ? e->global_key : e->key;
}

/* A number that no key has. */
static uint64_t next_generation(const struct interp *e)
{
    return max_u64(e->generation, e->global_generation) + 1;
}

static void moved(struct interp *e, bool all)
{
    bool never = e->key == KEY_NEVER;
    e->generation = next_generation(e);
    if (all) {
        e->global_generation = next_generation(e);
        memset(e->code_pages, 0, sizeof(e->code_pages));
    }
    moved_set_keys(e, never);
    if (e->translator) {
        e->translator->moved(e, all);
    }
}

void moved_blocks(struct interp *e)
{
    bool never = e->key == KEY_NEVER;
    e->generation = next_generation(e);
    e->global_generation = next_generation(e);
    moved_set_keys(e, never);
}

void moved_all(struct interp *e)
{
    moved(e, true);
}

void moved_code(struct x86_cpu *cpu, enum x86_moved what, uint64_t lin)
{
    struct interp *e = interp_of(cpu);
    if (what == MOVED_PAGE && !was_noted(e, lin)) {
        return;
    }
    moved(e, what != MOVED_NOT_GLOBAL);
    interp_stop_after_insn(cpu);
}
