/*
 * The TLB's slots: which are filled, and how they are emptied.
 *
 * Source: [SDM3] "Operations that Invalidate TLBs", "Global Pages".
 * Model:  a slot is noted when it is filled, once in the list of its kind of page, so that a flush
 *         visits what there is: a load of CR3 only pages that are not global.
 */
#include "core/cpu/mech.h"

static struct tlb_entry *tlb_at(struct x86_cpu *cpu, unsigned index)
{
    return &cpu->tlbs[index >> TLB_BITS][index & (TLB_SIZE - 1)];
}

static unsigned large_bit(uint64_t lin)
{
    return (unsigned)(lin >> 21 ^ lin >> 31) & (TLB_LARGE - 1);
}

static void note_large(struct x86_cpu *cpu, const struct tlb_entry *e)
{
    if (e->span > 0x3fffff) {
        memset(cpu->tlb_large, 0xff, sizeof(cpu->tlb_large));
        return;
    }
    for (uint64_t half = 0; half <= e->span; half += 0x200000) { /* 4 MiB are two times two */
        unsigned bit = large_bit((e->ptag & ~(uint64_t)e->span) + half);
        cpu->tlb_large[bit / 64] |= 1ull << (bit % 64);
    }
}

static bool may_be_large(const struct x86_cpu *cpu, uint64_t lin)
{
    unsigned bit = large_bit(lin);
    return cpu->tlb_large[bit / 64] >> (bit % 64) & 1;
}

void tlb_note(struct x86_cpu *cpu, unsigned index, struct tlb_entry *e)
{
    if (!(e->noted >> e->global & 1)) {
        e->noted |= (uint8_t)(1u << e->global);
        cpu->tlb_used[e->global].slot[cpu->tlb_used[e->global].n++] = (uint16_t)index;
    }
    if (unlikely(e->span > PAGE_OFFSET)) {
        note_large(cpu, e);
    }
}

static void tlb_drop(struct tlb_entry *e)
{
    e->rtag = e->wtag = e->xtag = e->otag = e->ptag = TLB_NONE;
    e->span = 0;
}

/* All that are (not) global. */
static void drop_all(struct x86_cpu *cpu, bool global)
{
    unsigned n = cpu->tlb_used[global].n;
    cpu->tlb_losses++;
    cpu->tlb_used[global].n = 0;
    for (unsigned i = 0; i < n; i++) {
        struct tlb_entry *e = tlb_at(cpu, cpu->tlb_used[global].slot[i]);
        e->noted &= (uint8_t)~(1u << global);
        if (e->global == global) {
            tlb_drop(e);
        }
    }
}

static void code_stale(struct x86_cpu *cpu, enum x86_moved what, uint64_t lin)
{
    if (cpu->flush_code) {
        cpu->flush_code(cpu, what, lin);
    }
}

void x86_tlb_flush(struct x86_cpu *cpu)
{
    tlb_runs_drop(cpu, false);
    drop_all(cpu, false);
    drop_all(cpu, true);
    memset(cpu->tlb_large, 0, sizeof(cpu->tlb_large));
    cpu->walk_range = NULL;
    code_stale(cpu, MOVED_ALL, 0);
}

void x86_tlb_first_flush(struct x86_cpu *cpu)
{
    for (unsigned kind = 0; kind < TLB_COUNT; kind++) {
        tlb_drop(&cpu->tlbs[kind][0]); /* all zeroes it would be page 0 */
        tlb_drop(&cpu->tlbs[kind][TLB_SIZE - 1]); /* the slot of an operand that wraps to there */
    }
    x86_tlb_flush(cpu);
}

void x86_tlb_flush_nonglobal(struct x86_cpu *cpu)
{
    tlb_runs_drop(cpu, true);
    drop_all(cpu, false);
    code_stale(cpu, MOVED_NOT_GLOBAL, 0);
}

static void drop_if_maps(struct x86_cpu *cpu, unsigned index, uint64_t lin)
{
    struct tlb_entry *e = tlb_at(cpu, index);
    if (e->span != 0 && ((e->ptag ^ lin) & ~(uint64_t)e->span) == 0) {
        tlb_runs_lose(cpu, index >> TLB_BITS, e->ptag);
        tlb_drop(e);
        cpu->tlb_losses++;
    }
}

/* INVLPG drops the page's translation, global or not; of a large page that means all its pieces. */
void x86_tlb_flush_page(struct x86_cpu *cpu, uint64_t lin)
{
    unsigned n = may_be_large(cpu, lin) ? tlb_used(cpu) : 0;
    for (unsigned kind = 0; kind < TLB_COUNT; kind++) {
        drop_if_maps(cpu, kind << TLB_BITS | (lin >> PAGE_BITS & (TLB_SIZE - 1)), lin);
    }
    for (unsigned i = 0; i < n; i++) {
        drop_if_maps(cpu, tlb_used_at(cpu, i), lin);
    }
    code_stale(cpu, MOVED_PAGE, lin);
}
