/*
 * Contexts: what translations hold for, and which one is that of the moment.
 */
#include "core/accel/jit/fault.h"

static enum seg_kind seg_kind(const struct x86_cpu *cpu, unsigned seg)
{
    uint64_t r = cpu->seg_top_r[seg], w = cpu->seg_top_w[seg];
    if (cpu->mode & MODE_CS64) {
        return r == 0 ? SEG_ANY : seg == S_FS || seg == S_GS ? SEG_BASED : SEG_FLAT;
    }
    if (seg != S_CS && r != w) {
        return SEG_ANY;
    }
    if (r == 0x10000) {
        return SEG_64K;
    }
    return r == 1ull << 32 && cpu->s.seg[seg].base == 0 ? SEG_FLAT : SEG_ANY;
}

static uint32_t seg_kinds(const struct x86_cpu *cpu)
{
    uint32_t kinds = 0;
    for (unsigned i = 0; i < 6; i++) {
        kinds |= (uint32_t)seg_kind(cpu, i) << (2 * i);
    }
    return kinds;
}

static bool has_flat(uint32_t kinds)
{
    return (kinds & 0x555 & ~(kinds >> 1)) != 0;
}

static uint32_t tlb_number(const struct x86_cpu *cpu)
{
    return (uint32_t)((cpu->tlb - &cpu->tlbs[0][0]) / TLB_SIZE);
}

/* Registers have something above bit 31, from 64-bit code: the window is no place for them. */
static bool has_upper_halves(const struct x86_cpu *cpu)
{
    uint64_t any = 0;
    for (unsigned r = 0; r < 8; r++) {
        any |= cpu->s.gpr[r];
    }
    return any >> 32;
}

/* Nothing changed since it was found? In real mode a load changes a base, which a flat segment
 * notices, and nothing else. */
static bool still_there(const struct jit *j, const struct jit_context *c)
{
    const struct x86_cpu *cpu = &j->e->cpu;
    return c->generation == j->global_generation && c->seg_changes == cpu->seg_changes &&
           cpu->s.seg[S_CS].base == c->cs_base && j->e->cs_last == c->cs_last &&
           cpu->mode == c->mode && !c->unreal && cpu->tlb == cpu->tlbs[c->tlb] &&
           cpu->pg == c->paged && (!c->mapped || !(j->window->failed || has_upper_halves(cpu)));
}

static bool same_context(const struct jit_context *a, const struct jit_context *b)
{
    return a->cs_base == b->cs_base && a->cs_last == b->cs_last && a->mode == b->mode &&
           a->tlb == b->tlb && a->segs == b->segs && a->paged == b->paged &&
           a->mapped == b->mapped &&
           memcmp(a->windows, b->windows, sizeof(a->windows)) == 0;
}

/* Is plain memory at @addr, whose linear addresses are ram addresses? */
static void find_window(const struct x86_cpu *cpu, uint64_t addr, struct jit_window *w)
{
    const struct view_range *r = view_find(cpu->space->view, addr);
    const struct region *ram = r ? r->rd.region : NULL;
    bool plain = ram && ram == r->wr.region && ram->kind == REGION_RAM && r->rd.off == r->wr.off &&
                 ram->ram->addr + r->rd.off == r->start;
    if (plain && r->end <= 1u << 31) {
        *w = (struct jit_window){r->start, r->end};
    }
}

/* Without paging, plain memory is reached without the TLB. */
static void find_windows(const struct x86_cpu *cpu, struct jit_context *c)
{
    if (cpu->pg || (cpu->mode & MODE_CS64) || !cpu->s.a20 || cpu->watch_data || cpu->watched) {
        return;
    }
    find_window(cpu, 0, &c->windows[0]);
    if (cpu->mode & MODE_CS32) {
        find_window(cpu, 1 << 20, &c->windows[1]);
    }
}

/* Is flat 32-bit code to reach plain memory in the window? */
static bool find_mapped(const struct jit *j, const struct jit_context *c)
{
    const struct x86_cpu *cpu = &j->e->cpu;
    return c->windows[0].end && (cpu->mode & MODE_CS32) && has_flat(c->segs) && !cpu->s.in_smm &&
           !has_upper_halves(cpu) && window_follow(j->window, cpu->space->view);
}

/* n_contexts: there is none like it yet. */
static unsigned number_of(const struct jit *j, const struct jit_context *c)
{
    unsigned i = 0;
    while (i < j->n_contexts && !same_context(c, &j->contexts[i])) {
        i++;
    }
    return i;
}

/* The number of the context of the moment. */
static unsigned search_context(struct jit *j)
{
    const struct x86_cpu *cpu = &j->e->cpu;
    struct jit_context now = {
        .cs_base = cpu->s.seg[S_CS].base, .cs_last = j->e->cs_last, .mode = cpu->mode,
        .tlb = tlb_number(cpu), .segs = seg_kinds(cpu), .paged = cpu->pg,
    };
    find_windows(cpu, &now);
    now.mapped = find_mapped(j, &now);
    if (now.mapped) {
        fault_init();
    }
    now.live = now.mapped && now.cs_base == 0 && now.cs_last == 0xffffffff && !cpu->parallel;
    now.unreal = !(cpu->mode & MODE_PE) && has_flat(now.segs);
    uint64_t where = (now.cs_base >> 4) ^ now.segs ^ now.segs >> 6 ^ now.mode << 3 ^ now.tlb << 5;
    uint16_t *hint = &j->context_hint[where & 0xff];
    unsigned i = *hint;
    if (i >= j->n_contexts || !same_context(&now, &j->contexts[i])) {
        i = number_of(j, &now);
    }
    if (i == JIT_CONTEXTS) {
        jit_flush(j);
        i = 0;
    }
    if (i == j->n_contexts) {
        j->contexts[j->n_contexts++] = now;
    }
    j->contexts[i].seg_changes = cpu->seg_changes;
    j->contexts[i].generation = j->global_generation;
    *hint = (uint16_t)i;
    return i;
}

void jit_find_context(struct jit *j)
{
    uint16_t *last = &j->context_of_mode[j->e->cpu.mode & 0xff];
    if (*last >= j->n_contexts || !still_there(j, &j->contexts[*last])) {
        *last = (uint16_t)search_context(j);
    }
    j->context = *last;
    j->e->translated.base = j->contexts[*last].mapped ? j->window->base : j->e->translated.marks;
    uint64_t key = j->jump_generation * JIT_CONTEXTS + j->context + 1;
    if (key != j->e->translated.jump_key ||
        returns_are_many(&j->returns, j->e->translated.returns)) {
        jit_forget_returns(j);
    }
    j->e->translated.live_key = key << 32;
    j->e->translated.jump_key = key;
    j->e->translated.global_key = j->global_generation * JIT_CONTEXTS + j->context + 1;
}

bool jit_context_like(struct jit *j, unsigned of, uint32_t mode, uint32_t tlb, unsigned *context)
{
    struct jit_context c = j->contexts[of];
    c.mode = mode;
    c.tlb = tlb;
    *context = number_of(j, &c);
    if (*context == JIT_CONTEXTS) {
        return false;
    }
    if (*context == j->n_contexts) {
        j->contexts[j->n_contexts++] = c;
    }
    return true;
}

bool jit_context_holds(const struct jit *j, const struct jit_block *jb)
{
    const struct x86_cpu *cpu = &j->e->cpu;
    const struct jit_context *c = &j->contexts[jb->context];
    return cpu->mode == c->mode && tlb_number(cpu) == c->tlb && seg_kinds(cpu) == c->segs;
}
