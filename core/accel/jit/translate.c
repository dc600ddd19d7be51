/*
 * Translates one block: what all instructions share. See jit.h and translate.h.
 *
 * Flags: an operation leaves them in EFLAGS. What overwrites EFLAGS otherwise (a memory access, the
 * end of the block) first saves them, if they are not dead: overwritten before anything looks at
 * them. Whatever may fault or call the interpreter looks at all of them.
 */
#include "core/accel/jit/translate.h"

#include "core/accel/jit/check.h"
#include "core/accel/jit/dump.h"
#include "core/base/log.h"
#include "trace/core_accel_jit.h"

#define INSN(map, op, modrm, pfx, name, o1, o2, o3, attr, rd, wr, und, feat, run, emit, test) emit,
#define INSN8 INSN
static const trans_emitter emitters[ROW_COUNT] = {
    CALL_RUN,
#include "core/cpu/insn.def"
};
#undef INSN
#undef INSN8

const struct host_mem trans_operand = {HOST_8, HOST_9, 0, 0};

bool jit_emits(unsigned row)
{
    return emitters[row] != NULL;
}

/* ---- flags ---- */

static uint16_t flag_named(char c)
{
    switch (c) {
    case 'O': return FL_OF;
    case 'S': return FL_SF;
    case 'Z': return FL_ZF;
    case 'A': return FL_AF;
    case 'P': return FL_PF;
    case 'C': return FL_CF;
    default: return 0;
    }
}

/* Flags that the row gives new values, undefined ones included. */
static uint16_t overwritten(const struct insn_info *info)
{
    uint16_t flags = info->flags_written;
    for (const char *u = info->undefined; u[0] && u[1]; u += 2) {
        flags |= u[1] == '=' ? 0 : flag_named(u[0]);
    }
    return flags & FL_OSZAPC;
}

static bool may_load_segment(const struct insn *in)
{
    const struct insn_info *info = &insn_info[in->row];
    for (unsigned i = 0; i < 2; i++) {
        uint8_t o = info->operand[i];
        if (o == OPD_Sw || o == OPD_Mp || (o >= OPD_ES && o <= OPD_GS)) {
            return true;
        }
    }
    return false;
}

/* May it fault, call C, or stop behind itself? Then all flags must be known before it. */
static bool looks_at_all(const struct insn *in, const struct insn_info *info)
{
    bool absolute = info->operand[0] == OPD_Ob || info->operand[0] == OPD_Ov ||
                    info->operand[1] == OPD_Ob || info->operand[1] == OPD_Ov;
    return in->mem || absolute || !emitters[in->row] || emitters[in->row] == emit_div ||
           emitters[in->row] == emit_cli ||
           info->feature != X86_F_BASE || may_load_segment(in) ||
           (info->attr & (A_STACK | A_STRING | A_JUMP | A_FAR));
}

static void find_live(struct trans *t)
{
    uint16_t live = FL_OSZAPC;
    for (unsigned i = t->block->n; i-- > 0;) {
        const struct insn *in = &t->block->insns[i];
        const struct insn_info *info = &insn_info[in->row];
        t->live[i] = live;
        live = (uint16_t)((live & ~overwritten(info)) | (info->flags_read & FL_OSZAPC));
        if (looks_at_all(in, info)) {
            live = FL_OSZAPC;
        }
    }
}

void trans_save_flags(struct trans *t)
{
    static const struct host_mem image = {REG_CPU, HOST_NONE, 0, ENGINE_OFFSET(translated.flags)};
    if (t->saved) {
        return;
    }
    emit_mov(&t->e, 8, HOST_10, HOST_AX);
    emit_u8(&t->e, 0x9f);                               /* lahf */
    emit_rr(&t->e, 0x0f90, 1, 0, HOST_AX);              /* seto al */
    emit_rm(&t->e, 0x89, 2, HOST_AX, &image);
    emit_mov(&t->e, 8, HOST_AX, HOST_10);
    t->saved = true;
}

static void flags_to_host(struct trans *t)
{
    emit_mov(&t->e, 8, HOST_10, HOST_AX);
    emit_flags_to_host(&t->e);
    emit_mov(&t->e, 8, HOST_AX, HOST_10);
    t->in_host = true;
}

void trans_flags_before(struct trans *t)
{
    uint16_t live = trans_live(t), read = t->info->flags_read & FL_OSZAPC;
    uint16_t kept = live & ~overwritten(t->info);
    if (overwritten(t->info) && !live) {
        kept = 0;
        read = read == FL_OSZAPC ? 0 : read;            /* a shift by CL may leave them alone */
    }
    uint16_t need = read | kept;
    if (!need || t->in_host) {
        return;
    }
    if (need == FL_CF) {
        struct host_mem m = cpu_field(ENGINE_OFFSET(translated.flags));
        emit_rm(&t->e, 0x0fba, 2, 4, &m);               /* bt flags, 8: as wide as it was stored */
        emit_u8(&t->e, 8);
    } else {
        flags_to_host(t);
    }
}

void trans_flags_after(struct trans *t)
{
    if (overwritten(t->info)) {
        t->in_host = true;
        t->saved = trans_live(t) == 0;
    }
}

/* ---- memory ---- */

static void need_path(struct trans *t)
{
    if (!t->path) {
        t->path = &t->slow[t->n_slow++];
        *t->path = (struct slow_path){.index = t->in->index_in_block, .noted = t->fp.noted};
    }
}

void trans_slow(struct trans *t)
{
    need_path(t);
    t->path->from[t->path->n++] = emit_jmp(&t->e);
}

void trans_slow_if(struct trans *t, unsigned cc)
{
    need_path(t);
    t->path->from[t->path->n++] = emit_jcc(&t->e, cc);
}

void trans_guess(struct trans *t, uint64_t offset)
{
    t->guess = (uint32_t)offset;
}

void trans_ea(struct trans *t)
{
    const struct insn *in = t->in;
    trans_guess(t, insn_ea(&t->j->e->cpu, in));
    bool base = in->base != GPR_OFF_ZERO, index = in->index != GPR_OFF_ZERO;
    uint64_t rip = in->base == GPR_OFF_RIP ? t->jb->rip : 0;
    if (rip || (!base && !index)) {
        t->fixed = true;
        t->offset = (rip + (uint64_t)(int64_t)in->disp) & (~0ull >> in->ea_shift);
        emit_mov_imm(&t->e, HOST_8, t->offset);
        return;
    }
    struct host_mem m = {
        base ? trans_ea_reg(t, in->base, HOST_8) : HOST_NONE,
        index ? trans_ea_reg(t, in->index, HOST_9) : HOST_NONE, in->scale, in->disp,
    };
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

bool trans_has_base(const struct trans *t, unsigned seg)
{
    return seg == S_CS || seg_kind(t, seg, READ) != SEG_FLAT;
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

static void compare_tag(struct trans *t, int32_t field)
{
    struct host_mem m = {REG_CPU, HOST_9, 0,
                         CPU_OFFSET(tlbs) + field +
                             (int32_t)(t->context->tlb * TLB_SIZE * sizeof(struct tlb_entry))};
    emit_rm(&t->e, 0x3b, 8, HOST_10, &m);
    trans_slow_if(t, 5);
}

/* R10 leads to the mark of the line of the operand's byte @n. */
static void find_mark(struct trans *t, unsigned n)
{
    struct emit *e = &t->e;
    struct host_mem marks = cpu_field(ENGINE_OFFSET(translated.marks));
    emit_lea(e, 8, HOST_10, HOST_8, HOST_9, (int32_t)n);
    emit_rr(e, 0xc1, 8, 5, HOST_10);                    /* shr r10, 6 */
    emit_u8(e, RAM_LINE_SHIFT);
    if (t->wide) {
        emit_rm(e, 0x03, 8, HOST_10, &marks);
    }
}

/* Notes the aligned words in which [R8 + R9] lies. Uses R10, R11. */
static void note_store(struct trans *t, unsigned size)
{
    struct emit *e = &t->e;
    struct host_mem next = cpu_field(ENGINE_OFFSET(translated.stores));
    struct host_mem word = {HOST_10, HOST_NONE, 0, 0}, at = {HOST_11, HOST_NONE, 0, 0};
    struct host_mem old = {HOST_11, HOST_NONE, 0, (int32_t)offsetof(struct check_store, old)};
    for (unsigned i = 0; i < size + 8; i += 8) {
        emit_lea(e, 8, HOST_10, HOST_8, HOST_9, (int32_t)(i < size ? i : size - 1));
        emit_rr(e, 0x83, 8, 4, HOST_10);                /* and r10, -8 */
        emit_u8(e, 0xf8);
        emit_rm(e, 0x8b, 8, HOST_11, &next);
        emit_rm(e, 0x89, 8, HOST_10, &at);
        emit_rm(e, 0xff, 4, 6, &word);                  /* push [r10]; pop */
        emit_rm(e, 0x8f, 4, 0, &old);
        emit_rm(e, 0x83, 8, 0, &next);                  /* add next, size of a note */
        emit_u8(e, sizeof(struct check_store));
    }
}

/* Lines that are marked are written by the interpreter. Of an operand that may lie in two lines the
 * next line's mark is looked at, too; if one is set, far_marks looks closer. */
static void check_marks(struct trans *t, unsigned size)
{
    struct emit *e = &t->e;
    struct host_mem mark = {HOST_10, t->wide ? HOST_NONE : REG_MARKS, 0, 0};
    find_mark(t, 0);
    emit_rm(e, size == 1 ? 0x80 : 0x83, size == 1 ? 1 : 2, 7, &mark); /* cmp [mark], 0 */
    emit_u8(e, 0);
    if (size == 1) {
        trans_slow_if(t, 5);
    } else {
        struct far_access *f = &t->far[t->n_far++];
        need_path(t);
        *f = (struct far_access){
            .from = emit_jcc(e, 5), .back = e->at, .path = t->path, .size = size, .marks = true,
        };
    }
    if (t->j->check) {
        note_store(t, size);
    }
}

static void far_marks(struct trans *t, unsigned size)
{
    struct host_mem mark = {HOST_10, t->wide ? HOST_NONE : REG_MARKS, 0, 0};
    for (unsigned i = 0; i < 2; i++) {
        find_mark(t, i ? size - 1 : 0);
        emit_rm(&t->e, 0x80, 1, 7, &mark);
        emit_u8(&t->e, 0);
        trans_slow_if(t, 5);
    }
}

/* look_up for an operand at @lin, whose slot is known: inside one page. */
static void look_up_fixed(struct trans *t, uint64_t lin, enum access access)
{
    struct emit *e = &t->e;
    uint64_t page = lin & ~PAGE_OFFSET;
    size_t slot = t->context->tlb * TLB_SIZE + (lin >> PAGE_BITS & (TLB_SIZE - 1));
    int32_t entry = CPU_OFFSET(tlbs) + (int32_t)(slot * sizeof(struct tlb_entry));
    bool short_form = (int64_t)page == (int32_t)page;
    if (!short_form) {
        emit_mov_imm(e, HOST_10, page);
    }
    for (unsigned i = 0; i < 2; i++) {
        size_t tag = i ? offsetof(struct tlb_entry, wtag) : offsetof(struct tlb_entry, rtag);
        struct host_mem m = cpu_field(entry + (int32_t)tag);
        if (access == (i ? READ : WRITE)) {
            continue;
        }
        if (short_form) {
            emit_rm(e, 0x81, 8, 7, &m);                 /* cmp [tag], page */
            emit_imm(e, page, 4);
        } else {
            emit_rm(e, 0x3b, 8, HOST_10, &m);
        }
        trans_slow_if(t, 5);
    }
    emit_load(e, 8, HOST_9, entry + (int32_t)offsetof(struct tlb_entry, addend));
}

/* R9 = host address - linear address, for R8. */
static void look_up(struct trans *t, unsigned size, enum access access)
{
    struct emit *e = &t->e;
    int32_t tlb = CPU_OFFSET(tlbs) +
                  (int32_t)(t->context->tlb * TLB_SIZE * sizeof(struct tlb_entry));
    /* The page of the last byte: an operand that crosses pages does not match. */
    emit_lea(e, 8, HOST_10, HOST_8, HOST_NONE, (int32_t)size - 1);
    emit_mov(e, 4, HOST_9, HOST_8);
    emit_rr(e, 0xc1, 4, 5, HOST_9);                     /* shr r9d, 6 */
    emit_u8(e, PAGE_BITS - 6);
    emit_rr(e, 0x81, 4, 4, HOST_9);                     /* and r9d, slot */
    emit_imm(e, (TLB_SIZE - 1) << 6, 4);
    emit_rr(e, 0x81, 8, 4, HOST_10);                    /* and r10, page */
    emit_imm(e, (uint32_t)~PAGE_OFFSET, 4);
    if (access != WRITE) {
        compare_tag(t, (int32_t)offsetof(struct tlb_entry, rtag));
    }
    if (access != READ) {
        compare_tag(t, (int32_t)offsetof(struct tlb_entry, wtag));
    }
    struct host_mem m = {REG_CPU, HOST_9, 0, tlb + (int32_t)offsetof(struct tlb_entry, addend)};
    emit_rm(e, 0x8b, 8, HOST_9, &m);
}

/* The window of an access: where the registers of the moment lead to. NULL: there is none. */
static const struct jit_window *window_of(const struct trans *t)
{
    const struct jit_window *w = t->context->windows;
    unsigned i = w[1].end && (w[0].end == 0 || t->guess >= w[1].start);
    return w[i].end ? &w[i] : NULL;
}

/* The same for what lies in the window; the rest is looked up out of line. */
static void look_in_window(struct trans *t, const struct jit_window *w, unsigned size,
                           enum access access)
{
    struct emit *e = &t->e;
    uint64_t from = w->start;
    struct far_access *f = &t->far[t->n_far++];
    enum host_reg reg = HOST_8;
    if (from) {
        reg = HOST_10;
        emit_lea(e, 4, reg, HOST_8, HOST_NONE, -(int32_t)from);
    }
    emit_rr(e, 0x81, 4, 7, reg);                        /* cmp reg, last */
    emit_imm(e, w->end - from - size, 4);
    need_path(t);
    *f = (struct far_access){
        .from = emit_jcc(e, 7), .path = t->path, .size = size, .access = access,
    };
    emit_mov_imm(e, HOST_9, (uintptr_t)t->j->e->cpu.arena->base);
    f->back = e->at;
}

void trans_probe(struct trans *t, unsigned seg, unsigned size, enum access access)
{
    trans_save_flags(t);
    t->in_host = false;
    to_linear(t, seg, size, access);
    const struct jit_window *w = window_of(t);
    if (w) {
        look_in_window(t, w, size, access);
    } else if (t->fixed && seg_kind(t, seg, access) == SEG_FLAT &&
               (t->offset & PAGE_OFFSET) + size <= PAGE_BYTES) {
        look_up_fixed(t, t->offset, access);
    } else {
        look_up(t, size, access);
    }
    if (access != READ) {
        check_marks(t, size);
    }
    t->fixed = false;
}

static void far_accesses(struct trans *t)
{
    for (unsigned i = 0; i < t->n_far; i++) {
        const struct far_access *f = &t->far[i];
        emit_link(f->from, t->e.at);
        t->path = f->path;
        if (f->marks) {
            far_marks(t, f->size);
        } else {
            look_up(t, f->size, f->access);
        }
        emit_link(emit_jmp(&t->e), f->back);
    }
}

/* ---- the way out ---- */

uint64_t trans_next(const struct trans *t)
{
    return (t->jb->rip + t->in->offset + t->in->len) & (t->wide ? ~0ull : 0xffffffff);
}

uint64_t trans_target(const struct trans *t)
{
    return (trans_next(t) + t->in->imm) & (~0ull >> (64 - 8 * t->in->opsize));
}

/* To the loop if something is pending that matters: once in every guest loop. */
static void check_pending(struct trans *t)
{
    struct host_mem word = {HOST_9, HOST_NONE, 0, 0}, mask = cpu_field(CPU_OFFSET(pend_mask));
    emit_load(&t->e, 8, HOST_9, CPU_OFFSET(pending));
    emit_rm(&t->e, 0x8b, 4, HOST_9, &word);
    emit_rm(&t->e, 0x85, 4, HOST_9, &mask);
}

#define ALWAYS 16u           /* in place of a condition */

static bool far_page(const struct trans *t, uint64_t rip)
{
    uint64_t base = t->context->cs_base;
    return ((base + rip) ^ (base + t->jb->rip)) >> PAGE_BITS;
}

/* May what is at @rip change without a store to it? Then nothing is linked. */
static bool needs_look_up(const struct trans *t, uint64_t rip)
{
    return t->context->paged && far_page(t, rip);
}

static bool is_backward(const struct trans *t, uint64_t rip)
{
    return rip <= t->jb->rip + t->in->offset;
}

/* A jump that is patched when the block at @rip is translated: always, or if condition @cc holds. */
static struct jit_link *link_jump(struct trans *t, unsigned cc, uint64_t rip)
{
    struct emit *e = &t->e;
    struct jit_link *l = jit_new_link(t->j, t->jb, rip, far_page(t, rip));
    unsigned opcode_bytes = cc == ALWAYS ? 1 : 2;
    while (((uintptr_t)e->at + opcode_bytes) & 3) {     /* so that it can be patched at once */
        emit_u8(e, 0x90);
    }
    l->at = cc == ALWAYS ? emit_jmp(e) : emit_jcc(e, cc);
    return l;
}

/* Where it leads until then. */
static void link_stub(struct trans *t, struct jit_link *l)
{
    l->stub = t->e.at;
    emit_mov_imm(&t->e, HOST_8, (uintptr_t)l);
    emit_link(emit_jmp(&t->e), stubs_of(t)->exit_link);
    emit_link(l->at, l->stub);
}

static void exit_chain(struct trans *t, uint64_t rip)
{
    emit_mov_imm(&t->e, HOST_8, rip);
    emit_link(emit_jmp(&t->e), stubs_of(t)->exit_chain);
}

/* @cc ALWAYS, or 4 behind check_pending. */
static void exit_direct(struct trans *t, unsigned cc, uint64_t rip)
{
    trans_save_flags(t);
    if (needs_look_up(t, rip)) {
        emit_mov_imm(&t->e, HOST_8, rip);
        trans_exit_indirect(t);
        return;
    }
    struct jit_link *l = link_jump(t, cc, rip);
    if (cc != ALWAYS) {
        exit_chain(t, rip);
    }
    link_stub(t, l);
}

void trans_exit_to(struct trans *t, uint64_t rip)
{
    trans_save_flags(t);
    if (is_backward(t, rip) && !needs_look_up(t, rip)) {
        check_pending(t);
        exit_direct(t, 4, rip);
    } else {
        exit_direct(t, ALWAYS, rip);
    }
}

void trans_exit_call(struct trans *t, uint64_t rip)
{
    exit_direct(t, ALWAYS, rip);
}

void trans_exit_two(struct trans *t, unsigned cc)
{
    uint64_t to = trans_target(t);
    if (is_backward(t, to) || needs_look_up(t, to)) {
        uint8_t *taken = emit_jcc(&t->e, cc);
        trans_exit_to(t, trans_next(t));
        emit_link(taken, t->e.at);
        trans_exit_to(t, to);
    } else {
        struct jit_link *l = link_jump(t, cc, to);
        trans_exit_to(t, trans_next(t));
        link_stub(t, l);
    }
    t->ended = true;
}

void trans_jump_known(struct trans *t)
{
    struct emit *e = &t->e;
    struct host_mem key = cpu_field(ENGINE_OFFSET(translated.jump_key));
    struct host_mem jumps = cpu_field(ENGINE_OFFSET(translated.jumps));
    struct host_mem slot = {HOST_10, HOST_NONE, 0, offsetof(struct jit_jump, rip)};
    struct host_mem slot_key = {HOST_10, HOST_NONE, 0, offsetof(struct jit_jump, key)};
    struct host_mem entry = {HOST_10, HOST_NONE, 0, offsetof(struct jit_jump, entry)};
    _Static_assert(sizeof(struct jit_jump) == 32, "scaled below");
    trans_save_flags(t);
    check_pending(t);
    uint8_t *out = emit_jcc(e, 5);
    emit_mov(e, 4, HOST_10, HOST_8);                    /* as jit_jump_slot */
    emit_rr(e, 0xc1, 4, 5, HOST_10);
    emit_u8(e, PAGE_BITS);
    emit_rr(e, 0x33, 4, HOST_10, HOST_8);
    emit_rr(e, 0x81, 4, 4, HOST_10);
    emit_imm(e, JIT_JUMPS - 1, 4);
    emit_rr(e, 0xc1, 4, 4, HOST_10);                    /* shl r10d, 5 */
    emit_u8(e, 5);
    emit_rm(e, 0x03, 8, HOST_10, &jumps);
    emit_rm(e, 0x8b, 8, HOST_9, &key);
    emit_rm(e, 0x3b, 8, HOST_8, &slot);
    uint8_t *miss = emit_jcc(e, 5);
    emit_rm(e, 0x3b, 8, HOST_9, &slot_key);
    uint8_t *stale = emit_jcc(e, 5);
    emit_rm(e, 0xff, 4, 4, &entry);                     /* jmp [entry] */
    emit_link(out, e->at);
    emit_link(miss, e->at);
    emit_link(stale, e->at);
}

void trans_exit_unknown(struct trans *t)
{
    emit_link(emit_jmp(&t->e), stubs_of(t)->exit_chain);
}

void trans_exit_indirect(struct trans *t)
{
    trans_jump_known(t);
    trans_exit_unknown(t);
}

/* The interpreter goes on at this instruction. */
static void exit_step(struct trans *t, unsigned index)
{
    emit_mov_imm(&t->e, HOST_8, (uintptr_t)t->jb);
    emit_mov_imm(&t->e, HOST_9, index);
    emit_link(emit_jmp(&t->e), stubs_of(t)->exit_step);
}

static void slow_paths(struct trans *t)
{
    for (unsigned i = 0; i < t->n_slow; i++) {
        const struct slow_path *p = &t->slow[i];
        for (unsigned k = 0; k < p->n; k++) {
            emit_link(p->from[k], t->e.at);
        }
        trans_fp_note(t, p->noted);
        if (!p->back) {
            exit_step(t, p->index);
            continue;
        }
        emit_mov_imm(&t->e, HOST_8, (uintptr_t)t->jb);
        emit_mov_imm(&t->e, HOST_9, p->index | trans_fp_slow(t));
        emit_u8(&t->e, 0xe8);                           /* call */
        emit_imm(&t->e, 0, 4);
        emit_link(t->e.at - 4, stubs_of(t)->slow);
        trans_reload(t, p->held);
        emit_link(emit_jmp(&t->e), p->back);
    }
}

/* ---- blocks ---- */

static void call_interpreter(struct trans *t)
{
    unsigned index = t->in->index_in_block;
    trans_fp_settle(t);
    trans_save_flags(t);
    emit_mov_imm(&t->e, HOST_8, (uintptr_t)t->jb);
    emit_mov_imm(&t->e, HOST_9, index | trans_fp_slow(t) |
                                    (may_load_segment(t->in) ? SLOW_SEGMENT : 0));
    emit_u8(&t->e, 0xe8);
    emit_imm(&t->e, 0, 4);
    emit_link(t->e.at - 4, stubs_of(t)->slow);
    t->in_host = true;
    t->fp.seg = -1;
    trans_forget_held(t);
}

bool trans_exists(const struct trans *t, const struct insn *in)
{
    const struct insn_info *info = &insn_info[in->row];
    const struct x86_model *model = t->j->e->cpu.model;
    bool protected = (t->context->mode & (MODE_PE | MODE_VM)) == MODE_PE;
    return x86_has(model, info->feature) && (protected || !(info->attr & A_PROT)) &&
           (!(info->attr & A_Y2) || in->vex != 32 || x86_has(model, X86_F_AVX2));
}

/* Must hold against processors that run at the same time: the interpreter's functions see to it. */
static bool is_atomic(const struct trans *t)
{
    return t->j->e->cpu.parallel && t->in->mem &&
           (t->in->lock || emitters[t->in->row] == emit_xchg);
}

static void translate_insn(struct trans *t)
{
    trans_emitter emitter =
        trans_exists(t, t->in) && !is_atomic(t) ? emitters[t->in->row] : NULL;
    t->path = NULL;
    t->fixed = false;
    if (!emitter || t->in->index_in_block + 1 == t->block->n || may_load_segment(t->in)) {
        trans_fp_settle(t);
        t->fp.seg = -1;
    }
    if (emitter && t->wide) {
        trans_hold(t);
    }
    if (emitter && emitter(t)) {
        if (!t->ended) {
            trans_write_back(t);
        }
        if (t->path && !t->ended) {
            t->path->back = t->e.at;
            memcpy(t->path->held, t->held, sizeof(t->held));
        }
        return;
    }
    /* What ends the block in the interpreter (branches, REP, changes of mode) does so here. */
    if (t->in->index_in_block + 1 == t->block->n) {
        trans_save_flags(t);
        exit_step(t, t->in->index_in_block);
        t->ended = true;
        return;
    }
    call_interpreter(t);
}

/* Budget @digit (5: SUB, 0: ADD) the block's instructions. */
static void take_budget(struct trans *t, unsigned digit)
{
    struct host_mem budget = cpu_field(CPU_OFFSET(budget));
    if (t->wide) {
        emit_rm(&t->e, 0x83, 8, (enum host_reg)digit, &budget);
    } else {
        emit_rr(&t->e, 0x83, 8, (enum host_reg)digit, REG_BUDGET);
    }
    emit_u8(&t->e, t->block->n);
}

/* Takes the block's instructions from the budget, or leaves if there are not so many. Returns the
 * place of the displacement that leads to no_budget. */
static uint8_t *make_entry(struct trans *t)
{
    take_budget(t, 5);
    return emit_jcc(&t->e, 8);                          /* js */
}

static void no_budget(struct trans *t, uint8_t *from)
{
    emit_link(from, t->e.at);
    take_budget(t, 0);
    exit_chain(t, t->jb->rip);
}

static void tell(struct jit *j, const struct jit_block *jb)
{
    if (j->perf >= 0) {
        jit_perf_add(j, jb);
    }
    if (unlikely(log_enabled(LOG_JIT_CODE))) {
        struct text out = {0};
        jit_dump(j, jb, &out);
        jit_log(&out);
        text_free(&out);
    }
}

struct jit_block *jit_translate(struct jit *j, struct block *b, uint64_t rip)
{
    struct jit_block *jb = jit_new_block(j);
    uint8_t **next = &j->parts[j->part].next;
    *jb = (struct jit_block){.block = b, .rip = rip, .context = j->context, .entry = *next};
    static _Thread_local struct trans t;
    t.e = (struct emit){.at = *next, .end = *next + BLOCK_CODE};
    t.j = j;
    t.jb = jb;
    t.block = b;
    t.context = &j->contexts[j->context];
    t.wide = t.context->mode & MODE_CS64;
    trans_forget_held(&t);
    t.in_host = t.ended = false;
    t.saved = true;
    t.n_slow = t.n_far = 0;
    find_live(&t);
    uint8_t *too_few = make_entry(&t);
    jb->body = t.e.at;
    trans_fp_begin(&t, emitters);
    for (unsigned i = 0; i < b->n && !t.ended; i++) {
        t.in = &b->insns[i];
        t.info = &insn_info[t.in->row];
        translate_insn(&t);
    }
    if (!t.ended) {
        trans_fp_settle(&t);
        trans_exit_to(&t, trans_next(&t));
    }
    far_accesses(&t);
    slow_paths(&t);
    no_budget(&t, too_few);
    trans_fp_end(&t);
    if (t.e.full) {
        return NULL;
    }
    trace_jit_translated(rip, b->n, (unsigned)(t.e.at - *next), j->context);
    j->stats.translated++;
    jb->code_bytes = (uint32_t)(t.e.at - *next);
    j->stats.bytes += jb->code_bytes;
    tell(j, jb);
    *next = (uint8_t *)(((uintptr_t)t.e.at + 15) & ~(uintptr_t)15);
    return jb;
}
