/*
 * Memory operands: effective address, segment, the way to the host address without paging; and the
 * ways to the interpreter where that is not enough.
 */
#include "core/accel/jit/translate.h"

static enum flags_where where_flags_are(const struct trans *t)
{
    return t->saved ? FLAGS_SAVED : t->in_host ? FLAGS_IN_HOST : FLAGS_AGAIN;
}

struct slow_path *trans_new_path(struct trans *t, unsigned index)
{
    if (t->n_slow == ARRAY_SIZE(t->slow)) {
        t->e.full = true;
        t->n_slow--;
    }
    struct slow_path *p = &t->slow[t->n_slow++];
    *p = (struct slow_path){
        .jb = t->jb, .index = index, .noted = t->fp.noted, .again = t->again, .direct = t->direct,
        .flags = where_flags_are(t), .dirty = t->dirty, .n_open = t->n_open,
    };
    memcpy(p->open, t->open, sizeof(t->open));
    memcpy(p->was_held, t->held, sizeof(t->held));
    return p;
}

/* An instruction with two operands in memory may have put the flags aside between them. */
void trans_need_path(struct trans *t)
{
    struct slow_path *p = t->path;
    if (p && (t->out_of_line || (p->flags == where_flags_are(t) && p->direct == t->direct))) {
        return;
    }
    t->path = trans_new_path(t, t->in->index_in_block);
    t->path->before = p;
}

void trans_slow(struct trans *t)
{
    trans_need_path(t);
    t->path->from[t->path->n++] = emit_jmp(&t->e);
}

void trans_slow_if(struct trans *t, unsigned cc)
{
    trans_need_path(t);
    t->path->from[t->path->n++] = emit_jcc(&t->e, cc);
}

void trans_guess(struct trans *t, uint64_t offset)
{
    t->guess = t->wide ? offset : (uint32_t)offset;
}

const struct host_mem *trans_op(struct trans *t)
{
    if (t->direct) {
        trans_may_fault(t);
    }
    return &t->operand;
}

void trans_may_fault(struct trans *t)
{
    if (t->n_faults == ARRAY_SIZE(t->faults)) {
        t->e.full = true;
        return;
    }
    t->faults[t->n_faults++] = (struct trans_fault){t->e.at, t->path};
}

bool trans_ea_operand(struct trans *t, struct host_mem *m)
{
    const struct insn *in = t->in;
    bool base = in->base != GPR_OFF_ZERO, index = in->index != GPR_OFF_ZERO;
    bool by_rip = in->base == GPR_OFF_RIP;
    if (by_rip || (!base && !index)) {
        uint64_t rip = by_rip ? t->jb->rip : 0;
        t->fixed = true;
        t->offset = (rip + (uint64_t)(int64_t)in->disp) & (~0ull >> in->ea_shift);
        return false;
    }
    *m = (struct host_mem){
        base ? trans_ea_reg(t, in->base, HOST_8) : HOST_NONE,
        index ? trans_ea_reg(t, in->index, HOST_9) : HOST_NONE, in->scale, in->disp,
    };
    return true;
}

void trans_ea(struct trans *t)
{
    const struct insn *in = t->in;
    struct host_mem m;
    trans_guess(t, trans_guess_ea(t));
    if (!trans_ea_operand(t, &m)) {
        emit_mov_imm(&t->e, HOST_8, t->offset);
        return;
    }
    emit_rm(&t->e, 0x8d, in->adsize == 8 ? 8 : 4, HOST_8, &m);
    if (in->adsize == 2) {
        emit_rr(&t->e, 0x0fb7, 4, HOST_8, HOST_8);
    }
}

static enum seg_kind seg_kind(const struct trans *t, unsigned seg, enum access access)
{
    if (seg == S_CS && access != READ) {
        return SEG_ANY;
    }
    return t->context->segs >> (2 * seg) & 3;
}

/* Adds the base to R8, after the limit check. */
static void to_linear(struct trans *t, unsigned seg, unsigned size, enum access access)
{
    struct emit *e = &t->e;
    enum seg_kind kind = seg_kind(t, seg, access);
    int32_t seg_offset = (int32_t)(seg * sizeof(struct x86_seg));
    struct host_mem base = cpu_field(CPU_OFFSET(s.seg[0].base) + seg_offset);
    if (kind == SEG_FLAT) {
        return;
    }
    if (kind == SEG_BASED) {
        emit_rm(e, 0x03, 8, HOST_8, &base);
        return;
    }
    if (t->wide) {
        trans_slow(t);
        return;
    }
    if (kind == SEG_64K) {
        emit_rr(e, 0x81, 4, 7, HOST_8);                 /* cmp r8d, last */
        emit_imm(e, 0x10000 - size, 4);
    } else {
        int32_t top = access == READ ? CPU_OFFSET(seg_top_r[0]) : CPU_OFFSET(seg_top_w[0]);
        struct host_mem m = cpu_field(top + 8 * (int32_t)seg);
        emit_lea(e, 8, HOST_9, HOST_8, HOST_NONE, (int32_t)size);
        emit_rm(e, 0x3b, 8, HOST_9, &m);
    }
    trans_slow_if(t, 7);                                /* ja */
    emit_rm(e, 0x03, 4, HOST_8, &base);
}

/* The window of an access: where the registers of the moment lead to. NULL: there is none. */
static const struct jit_window *window_of(const struct trans *t)
{
    const struct jit_window *w = t->context->windows;
    unsigned i = w[1].end && (w[0].end == 0 || t->guess >= w[1].start);
    return w[i].end ? &w[i] : NULL;
}

/* R9 as by trans_look_up for what lies in the window; the rest is looked up out of line. */
static void look_in_window(struct trans *t, const struct jit_window *w, unsigned size,
                           enum access access)
{
    struct emit *e = &t->e;
    uint64_t from = w->start;
    enum host_reg reg = HOST_8;
    if (from) {
        reg = HOST_10;
        emit_lea(e, 4, reg, HOST_8, HOST_NONE, -(int32_t)from);
    }
    emit_rr(e, 0x81, 4, 7, reg);                        /* cmp reg, last */
    emit_imm(e, w->end - from - size, 4);
    struct far_access *f = trans_look_up_far(t, emit_jcc(e, 7), size, access);
    emit_mov_imm(e, HOST_9, (uintptr_t)t->j->e->cpu.arena->base);
    f->back = e->at;
    if (access != READ) {
        trans_check_marks(t, size);
    }
}

bool trans_is_direct(const struct trans *t, unsigned seg, unsigned size, enum access access)
{
    const uint8_t *o = t->info->operand;
    bool high = (o[0] == OPD_Gb || o[1] == OPD_Gb) && trans_high(trans_reg(t, t->in->r));
    return t->context->mapped && seg_kind(t, seg, access) == SEG_FLAT && !high &&
           !(t->block->checked >> t->in->index_in_block & 1) &&
           !window_refuses(t->j->window, t->guess, size, access != READ);
}

static void note_access(struct trans *t, unsigned size, enum access access)
{
    if (access != READ && t->j->check) {
        trans_note_store(t, size);
    }
}

static struct host_mem in_window(enum host_reg index, unsigned scale, int32_t disp)
{
    return (struct host_mem){REG_WINDOW, index, (uint8_t)scale, disp};
}

/* The access is in the window, at @at. */
static void make_direct(struct trans *t, struct host_mem at, unsigned size, enum access access)
{
    t->direct = true;
    t->operand = at;
    trans_need_path(t);
    note_access(t, size, access);
    t->fixed = false;
}

/* Not in the window without a check. */
static void look_up(struct trans *t, unsigned seg, struct trans_place *p, unsigned size,
                    enum access access)
{
    const struct x86_cpu *cpu = &t->j->e->cpu;
    const struct jit_window *w = window_of(t);
    t->direct = false;
    t->operand = (struct host_mem){HOST_8, HOST_9, 0, 0};
    trans_flags_aside(t);
    to_linear(t, seg, size, access);
    if (w) {
        look_in_window(t, w, size, access);
    } else {
        bool flat = seg_kind(t, seg, access) == SEG_FLAT;
        uint64_t lin = t->fixed ? t->offset : t->guess;
        p->lin = (lin + (flat ? 0 : cpu->s.seg[seg].base)) & cpu->lin_mask;
        p->fixed = t->fixed && flat;
        trans_look_up(t, p, size, access);
    }
    note_access(t, size, access);
    t->fixed = false;
}

static const struct host_mem in_r8 = {HOST_NONE, HOST_NONE, 0, 0};

void trans_probe(struct trans *t, unsigned seg, unsigned size, enum access access)
{
    if (trans_is_direct(t, seg, size, access)) {
        make_direct(t, in_window(HOST_8, 0, 0), size, access);
        return;
    }
    struct trans_place place = {
        .by = {GPR_OFF_ZERO, GPR_OFF_ZERO, 0}, .at = in_r8,
    };
    look_up(t, seg, &place, size, access);
}

bool trans_is_flat(const struct trans *t, unsigned seg)
{
    return t->context->paged && seg_kind(t, seg, READ) == SEG_FLAT;
}

bool trans_is_plain(const struct trans *t, unsigned seg, int32_t disp)
{
    return trans_is_flat(t, seg) && (t->wide || (disp >= -PLAIN_DISP && disp < PLAIN_DISP));
}

/* The operand at @by + its displacement, which is @at, or in R8: as one near to others, or with
 * others that are near to it. */
static void look_up_sum(struct trans *t, unsigned seg, struct trans_sum by, struct host_mem at,
                        unsigned size, enum access access)
{
    bool own = at.base != HOST_NONE;
    if (!trans_near_has(t, by, own, own ? at.disp : t->in->disp, size, access)) {
        look_up(t, seg, &(struct trans_place){.by = by, .at = at}, size, access);
        return;
    }
    t->operand = own ? (struct host_mem){at.base, HOST_9, 0, at.disp}
                     : (struct host_mem){HOST_8, HOST_9, 0, 0};
    note_access(t, size, access);
}

/* The operand at guest register @reg + @disp, if that may be looked up as it stands. */
static bool look_up_plain(struct trans *t, unsigned seg, unsigned reg, int32_t disp, unsigned size,
                          enum access access)
{
    uint8_t first = t->info->operand[0], second = t->info->operand[1];
    bool high = (first == OPD_Gb || second == OPD_Gb) && trans_high(trans_reg(t, t->in->r));
    if (!trans_is_plain(t, seg, disp) || seg_kind(t, seg, access) != SEG_FLAT || high) {
        return false;
    }
    enum host_reg base = trans_ea_reg(t, reg, HOST_8);
    if (base == HOST_8) {
        return false;
    }
    struct trans_sum by = {(uint8_t)reg, GPR_OFF_ZERO, 0};
    look_up_sum(t, seg, by, (struct host_mem){base, HOST_NONE, 0, disp}, size, access);
    return true;
}

void trans_stack(struct trans *t, int by, unsigned size, enum access access)
{
    trans_guess(t, t->regs[R_SP]);
    if ((t->context->mode & MODE_SS32) && trans_is_direct(t, S_SS, size, access)) {
        make_direct(t, in_window(REG_ESP, 0, by), size, access);
        return;
    }
    if ((t->wide || (t->context->mode & MODE_SS32)) &&
        look_up_plain(t, S_SS, GPR_OFF(R_SP), by, size, access)) {
        return;
    }
    trans_stack_offset(t, by);
    trans_probe(t, S_SS, size, access);
}

/* The host adds up the address, where a carry out of 32 bits leads beside the window. */
static bool host_adds_up(const struct trans *t)
{
    const struct insn *in = t->in;
    bool base = in->base != GPR_OFF_ZERO, index = in->index != GPR_OFF_ZERO;
    return in->adsize == 4 && !(base && index) && (base || index || in->disp >= 0);
}

void trans_mem(struct trans *t, unsigned size, enum access access)
{
    const struct insn *in = t->in;
    trans_guess(t, trans_guess_ea(t));
    if (host_adds_up(t) && trans_is_direct(t, in->seg, size, access)) {
        bool base = in->base != GPR_OFF_ZERO, index = in->index != GPR_OFF_ZERO;
        enum host_reg reg = base ? guest_reg(in->base >> 3) :
                            index ? guest_reg(in->index >> 3) : HOST_NONE;
        make_direct(t, in_window(reg, base ? 0 : in->scale, in->disp), size, access);
        return;
    }
    if (in->adsize == (t->wide ? 8 : 4) && in->base <= GPR_OFF(R_15) &&
        in->index == GPR_OFF_ZERO &&
        look_up_plain(t, in->seg, in->base, in->disp, size, access)) {
        return;
    }
    trans_ea(t);
    if (!t->fixed && in->adsize == (t->wide ? 8 : 4) && trans_is_flat(t, in->seg) &&
        seg_kind(t, in->seg, access) == SEG_FLAT) {
        struct trans_sum by = {in->base, in->index, in->scale};
        look_up_sum(t, in->seg, by, in_r8, size, access);
        return;
    }
    trans_probe(t, in->seg, size, access);
}
