/*
 * Passages: transfers through interrupt gates, and back by IRET, that were done before.
 *
 * Model:  Where such a transfer leads to depends on descriptors alone: what trap.c and far.c check
 *         and load is the same again as long as these are. So the outcome is kept, with all that it
 *         was made from: mode and privilege before it, the registers that lead to the tables, the
 *         words of the descriptors. Each of these is compared again, memory included; what differs
 *         in nothing is loaded as it was. Frames, flags, stack pointers and RIP of an IRET are
 *         looked at anew. Whatever else could happen (a page that the TLB does not have, AC, TF,
 *         16-bit gates and stacks, tasks, virtual-8086 mode) goes the long way, which is there for
 *         all.
 */
#include "core/cpu/mech.h"

#define ACCESSED_BIT BIT64(40)  /* AR_ACCESSED in a descriptor */

/* ---- is all as it was? ---- */

static inline bool same_seg(const struct x86_seg *a, const struct x86_seg *b)
{
    return a->sel == b->sel && a->attr == b->attr && a->limit == b->limit && a->base == b->base;
}

static inline bool same_tables(const struct x86_cpu *cpu)
{
    const struct x86_state *s = &cpu->s;
    const struct x86_passages *p = &cpu->passages;
    return s->gdtr.base == p->gdtr.base && s->gdtr.limit == p->gdtr.limit &&
           s->idtr.base == p->idtr.base && s->idtr.limit == p->idtr.limit &&
           same_seg(&s->tr, &p->tr) && same_seg(&s->ldtr, &p->ldtr);
}

static inline bool holds(struct x86_cpu *cpu, uint64_t at, uint64_t raw)
{
    const uint8_t *host = x86_at_hand(cpu, at, 8, false, TLB_SUPER);
    return likely(host) && likely(ld64le(host) == raw);
}

static inline bool is_known(struct x86_cpu *cpu, const struct x86_passage *p, unsigned what)
{
    return likely(p->what == what && p->from == x86_passage_from(cpu)) && same_tables(cpu) &&
           holds(cpu, p->code_at, p->code) &&
           (!p->reads_ss || holds(cpu, p->stack_at, p->stack));
}

/* ---- going ---- */

enum { CS_AND_SS = 1 << S_CS | 1 << S_SS };

/* What x86_derive_seg would derive of CS and SS. */
static inline void put_tops(struct x86_cpu *cpu, const struct x86_passage *p)
{
    uint64_t differ = (cpu->seg_top_r[S_CS] ^ p->top_r[0]) | (cpu->seg_top_r[S_SS] ^ p->top_r[1]) |
                      (cpu->seg_top_w[S_CS] ^ p->top_w[0]) | (cpu->seg_top_w[S_SS] ^ p->top_w[1]) |
                      ((cpu->seg_based ^ p->based) & CS_AND_SS);
    if (unlikely(differ)) {
        x86_derive_seg(cpu, S_CS);
        x86_derive_seg(cpu, S_SS);
    }
}

/* CS, SS and what is derived from them and the flags. */
static inline void enter(struct x86_cpu *cpu, const struct x86_passage *p)
{
    uint32_t changed = cpu->mode ^ p->mode;
    cpu->s.seg[S_CS] = p->cs;
    if (p->loads_ss) {
        cpu->s.seg[S_SS] = p->ss;
    }
    if (unlikely(changed & MODE_CS64)) {
        x86_code_changed(cpu);
        return;
    }
    cpu->mode = p->mode;
    cpu->cpl = p->cpl;
    cpu->super_tlb = TLB_SUPER;
    cpu->tlb = cpu->tlbs[p->cpl == 3 ? TLB_USER : TLB_SUPER];
    cpu->stack_mask = p->stack_mask;
    put_tops(cpu, p);
}

/* The stack pointer that the frame is pushed at; false: it is not at hand. */
static bool find_sp(struct x86_cpu *cpu, const struct x86_passage *p, uint64_t *sp)
{
    if (!p->from_tss) {
        *sp = cpu->s.gpr[R_SP] & cpu->stack_mask;
        return p->wide || x86_flat_stack(cpu);
    }
    const uint8_t *tss = x86_at_hand(cpu, p->tss_at, 8, false, TLB_SUPER);
    if (unlikely(!tss)) {
        return false;
    }
    *sp = p->wide ? ld64le(tss) : ld32le(tss);
    return p->wide || ld16le(tss + 4) == p->ss.sel;
}

static uint8_t *push_item(uint8_t *at, uint64_t val, bool wide)
{
    if (wide) {
        st64le(at, val);
        return at + 8;
    }
    st32le(at, (uint32_t)val);
    return at + 4;
}

/* The frame below @sp: RIP CS RFLAGS and, in long mode or from an outer level, RSP SS. False: it
 * has no room in one page that is at hand. */
static bool push_frame(struct x86_cpu *cpu, const struct x86_passage *p, uint64_t *sp,
                       uint64_t flags, const uint32_t *error)
{
    const struct x86_state *s = &cpu->s;
    bool wide = p->wide, outer = wide || p->from_tss;
    unsigned bytes = (3 + (outer ? 2 : 0) + (error ? 1 : 0)) * (wide ? 8 : 4);
    uint64_t at = (wide ? *sp & ~15ull : *sp) - bytes;
    uint8_t *host = x86_at_hand(cpu, at, bytes, true, TLB_SUPER), *to = host;
    if (unlikely(!host || at > *sp)) {
        return false;
    }
    if (error) {
        to = push_item(to, *error, wide);
    }
    to = push_item(to, s->rip, wide);
    to = push_item(to, s->seg[S_CS].sel, wide);
    to = push_item(to, flags, wide);
    if (outer) {
        to = push_item(to, s->gpr[R_SP], wide);
        push_item(to, s->seg[S_SS].sel, wide);
    }
    x86_stored(cpu, host, bytes);
    *sp = at;
    return true;
}

bool x86_pass_gate(struct x86_cpu *cpu, unsigned vector, bool soft, uint64_t flags,
                   const uint32_t *error)
{
    const struct x86_passage *p = &cpu->passages.gate[vector % PASSAGE_GATES];
    uint64_t sp;
    if (!is_known(cpu, p, vector) || (soft && !p->open) || (flags & (FL_TF | FL_VM | FL_AC)) ||
        !holds(cpu, p->gate_at, p->gate) ||
        (p->wide && !holds(cpu, p->gate_at + 8, p->gate_high)) || !find_sp(cpu, p, &sp) ||
        !push_frame(cpu, p, &sp, flags, error)) {
        return false;
    }
    cpu->s.gpr[R_SP] = sp;
    cpu->s.rip = p->rip;
    cpu->s.rflags = (flags & ~(uint64_t)p->flags_off) | FL_1;
    enter(cpu, p);
    return true;
}

static uint64_t popped(const uint8_t *frame, unsigned i, bool wide)
{
    return wide ? ld64le(frame + 8 * i) : ld32le(frame + 4 * i);
}

/* May IRET go to @rip? */
static bool may_enter(const struct x86_passage *p, uint64_t rip)
{
    return p->mode & MODE_CS64 ? x86_canonical(rip) : rip <= p->cs.limit;
}

bool x86_pass_iret(struct x86_cpu *cpu, unsigned size, uint64_t mask)
{
    struct x86_state *s = &cpu->s;
    bool wide = cpu->mode & MODE_CS64;
    uint64_t sp = s->gpr[R_SP] & cpu->stack_mask;
    const uint8_t *frame = x86_at_hand(cpu, sp, wide ? 40 : 20, false,
                                       cpu->cpl == 3 ? TLB_USER : TLB_SUPER);
    if (size != (wide ? 8 : 4) || !frame || !(wide || x86_flat_stack(cpu)) ||
        (s->rflags & (FL_TF | FL_AC))) {
        return false;
    }
    uint64_t rip = popped(frame, 0, wide), flags = popped(frame, 2, wide);
    uint16_t cs = (uint16_t)popped(frame, 1, wide), ss = (uint16_t)popped(frame, 4, wide);
    const struct x86_passage *p = &cpu->passages.back[(cs >> 3) % PASSAGE_RETURNS];
    if (!is_known(cpu, p, cs) || (flags & (FL_TF | FL_VM | FL_AC)) || !may_enter(p, rip) ||
        (p->loads_ss && ss != p->ss.sel)) {
        return false;
    }
    bool outer = p->cpl != cpu->cpl;
    sp = p->loads_ss ? popped(frame, 3, wide) : (sp + 12) & 0xffffffff;
    s->gpr[R_SP] = p->mode & MODE_CS64 ? sp : (uint32_t)sp;
    s->rip = rip;
    s->rflags = (s->rflags & ~mask) | (flags & mask) | FL_1;
    cpu->rf_icount = x86_icount(cpu);
    lf_set(cpu, (uint32_t)s->rflags);
    enter(cpu, p);
    if (outer) {
        x86_drop_segs(cpu, p->cpl);
    }
    return true;
}

/* ---- noting ---- */

static void forget_all(struct x86_passages *all)
{
    for (unsigned i = 0; i < PASSAGE_GATES; i++) {
        all->gate[i].from = 0;
    }
    for (unsigned i = 0; i < PASSAGE_RETURNS; i++) {
        all->back[i].from = 0;
    }
}

/* What a transfer from @from loaded just now. False: it is not one that can be done again here, or
 * its own frame has overwritten a descriptor. */
static bool note(struct x86_cpu *cpu, struct x86_passage *p, uint32_t from, unsigned what,
                 const struct x86_desc *code, const struct x86_desc *stack)
{
    struct x86_passages *all = &cpu->passages;
    if (!same_tables(cpu)) {
        forget_all(all);
        all->ldtr = cpu->s.ldtr;
        all->tr = cpu->s.tr;
        all->gdtr = cpu->s.gdtr;
        all->idtr = cpu->s.idtr;
    }
    *p = (struct x86_passage){
        .what = (uint16_t)what, .cpl = cpu->cpl, .mode = cpu->mode, .stack_mask = cpu->stack_mask,
        .rip = cpu->s.rip, .cs = cpu->s.seg[S_CS], .ss = cpu->s.seg[S_SS], .code_at = code->lin,
        .code = code->raw | ACCESSED_BIT, .reads_ss = stack && stack->lin,
    };
    for (unsigned i = 0; i < 2; i++) {
        p->top_r[i] = cpu->seg_top_r[S_CS + i];
        p->top_w[i] = cpu->seg_top_w[S_CS + i];
    }
    p->based = cpu->seg_based;
    if (p->reads_ss) {
        p->stack_at = stack->lin;
        p->stack = stack->raw | ACCESSED_BIT;
    }
    return !(from & MODE_VM) && !(cpu->mode & (MODE_VM | MODE_TF)) &&
           ((cpu->mode & MODE_CS64) || x86_flat_stack(cpu)) &&
           holds(cpu, p->code_at, p->code) &&
           (!p->reads_ss || holds(cpu, p->stack_at, p->stack));
}

static unsigned from_cpl(uint32_t from)
{
    return from >> 8 & 3;
}

void x86_note_gate(struct x86_cpu *cpu, uint32_t from, unsigned vector,
                   const struct x86_desc *gate, const struct x86_desc *code,
                   const struct x86_desc *stack)
{
    struct x86_passage *p = &cpu->passages.gate[vector % PASSAGE_GATES];
    bool wide = cpu->lma, inner = from_cpl(from) != cpu->cpl;
    unsigned ist = wide ? gate->raw >> 32 & 7 : 0;
    uint64_t at = x86_linear(cpu, cpu->s.idtr.base + vector * (wide ? 16 : 8));
    if (!note(cpu, p, from, vector, code, stack) || !(gate->attr & 8) ||
        !(cpu->s.tr.attr & 8) || !holds(cpu, at, gate->raw)) {
        return;
    }
    if (wide) {
        const uint8_t *high = x86_at_hand(cpu, at + 8, 8, false, TLB_SUPER);
        if (!high || ld32le(high) != gate->high) {
            return;
        }
        p->gate_high = ld64le(high);
    }
    p->gate_at = at;
    p->gate = gate->raw;
    p->open = attr_dpl(gate->attr) >= from_cpl(from);
    p->wide = wide;
    p->loads_ss = inner;
    p->from_tss = inner || ist;
    p->tss_at = x86_linear(cpu, cpu->s.tr.base + (ist ? 0x1c + 8 * ist : 4 + 8u * cpu->cpl));
    p->flags_off = FL_TF | FL_NT | FL_RF | FL_VM |
                   (attr_system(gate->attr) == SYS_INT32 ? (uint32_t)FL_IF : 0);
    p->from = from;
}

void x86_note_iret(struct x86_cpu *cpu, uint32_t from, unsigned size, const struct x86_desc *code,
                   const struct x86_desc *stack)
{
    struct x86_passage *p = &cpu->passages.back[(code->sel >> 3) % PASSAGE_RETURNS];
    if (size == (from & MODE_CS64 ? 8 : 4) && note(cpu, p, from, code->sel, code, stack)) {
        p->loads_ss = stack;
        p->from = from;
    }
}
