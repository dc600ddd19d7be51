/*
 * From a linear address to the host's by the TLB, and the marks of lines that hold code.
 */
#include "core/accel/jit/translate.h"

#include "core/accel/jit/check.h"

static void compare_tag(struct trans *t, int32_t field)
{
    struct host_mem m = {REG_CPU, HOST_9, 0,
                         CPU_OFFSET(tlbs) + field +
                             (int32_t)(t->context->tlb * TLB_SIZE * sizeof(struct tlb_entry))};
    emit_rm(&t->e, 0x3b, 8, HOST_10, &m);
    trans_slow_if(t, 5);
}

void trans_look_up_fixed(struct trans *t, uint64_t lin, enum access access)
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

void trans_look_up(struct trans *t, unsigned size, enum access access)
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

/* ---- marks ---- */

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
void trans_check_marks(struct trans *t, unsigned size)
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
        trans_need_path(t);
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

void trans_far_accesses(struct trans *t)
{
    for (unsigned i = 0; i < t->n_far; i++) {
        const struct far_access *f = &t->far[i];
        emit_link(f->from, t->e.at);
        t->path = f->path;
        if (f->marks) {
            far_marks(t, f->size);
        } else {
            trans_look_up(t, f->size, f->access);
        }
        emit_link(emit_jmp(&t->e), f->back);
    }
}
