/*
 * Memory operands: effective address, segment, the way to the host address, marks of lines that hold
 * code; and the ways to the interpreter where that is not enough.
 */
#include "core/accel/jit/translate.h"

#include "core/accel/jit/check.h"

const struct host_mem trans_operand = {HOST_8, HOST_9, 0, 0};

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

void trans_far_accesses(struct trans *t)
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
