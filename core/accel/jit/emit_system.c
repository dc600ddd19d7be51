/*
 * Emitters: segment registers in real and virtual-8086 mode, flags of control, control registers,
 * strings.
 */
#include "core/accel/jit/translate.h"

/* Where a value waits while a second operand is found. */
static struct host_mem waiting(void)
{
    return cpu_field(ENGINE_OFFSET(translated.link));
}

static int32_t seg_offset(unsigned seg, size_t field)
{
    return CPU_OFFSET(s.seg[0]) + (int32_t)(seg * sizeof(struct x86_seg) + field);
}

static struct host_mem selector(unsigned seg)
{
    return cpu_field(seg_offset(seg, offsetof(struct x86_seg, sel)));
}

/* A load changes base and selector only: real and virtual-8086 mode, with a limit of 64 KiB. */
static bool plain_load(const struct trans *t, unsigned seg)
{
    uint32_t mode = t->context->mode;
    return seg != S_CS && seg != S_SS && (!(mode & MODE_PE) || (mode & MODE_VM)) &&
           (t->context->segs >> (2 * seg) & 3) == SEG_64K;
}

/* Selector in the low half of R10; no flags are touched. */
static void load_segment(struct trans *t, unsigned seg)
{
    struct host_mem sel = selector(seg), by8 = {HOST_NONE, HOST_10, 3, 0};
    emit_rm(&t->e, 0x89, 2, HOST_10, &sel);
    emit_rr(&t->e, 0x0fb7, 4, HOST_10, HOST_10);
    emit_rm(&t->e, 0x8d, 4, HOST_10, &by8);
    emit_lea(&t->e, 4, HOST_10, HOST_10, HOST_10, 0);
    emit_store(&t->e, 8, HOST_10, seg_offset(seg, offsetof(struct x86_seg, base)));
}

bool emit_to_segment(struct trans *t)
{
    if (!plain_load(t, t->in->reg)) {
        return false;
    }
    if (t->in->mem) {
        trans_mem(t, 2, READ);
        emit_rm(&t->e, 0x8b, 2, HOST_10, trans_op(t));
    } else {
        emit_mov(&t->e, 4, HOST_10, trans_reg(t, t->in->m));
    }
    load_segment(t, t->in->reg);
    return true;
}

bool emit_from_segment(struct trans *t)
{
    struct host_mem sel = selector(t->in->reg);
    if (!t->in->mem) {
        emit_rm(&t->e, 0x0fb7, t->in->opsize, trans_reg(t, t->in->m), &sel);
        return true;
    }
    trans_mem(t, 2, WRITE);
    emit_rm(&t->e, 0x8b, 2, HOST_10, &sel);
    emit_rm(&t->e, 0x89, 2, HOST_10, trans_op(t));
    return true;
}

/* Two bytes of a slot of the operand size. */
bool emit_push_segment(struct trans *t)
{
    struct host_mem sel = selector(t->in->reg);
    int size = t->in->opsize;
    if (t->wide) {
        return false;
    }
    trans_stack_offset(t, -size);
    trans_probe(t, S_SS, 2, WRITE);
    emit_rm(&t->e, 0x8b, 2, HOST_10, &sel);
    emit_rm(&t->e, 0x89, 2, HOST_10, trans_op(t));
    trans_move_esp(t, -size);
    return true;
}

bool emit_pop_segment(struct trans *t)
{
    if (!plain_load(t, t->in->reg)) {
        return false;
    }
    trans_stack_offset(t, 0);
    trans_probe(t, S_SS, 2, READ);
    emit_rm(&t->e, 0x8b, 2, HOST_10, trans_op(t));
    load_segment(t, t->in->reg);
    trans_move_esp(t, t->in->opsize);
    return true;
}

/* ---- flags of control ---- */

static void change_rflags(struct trans *t, unsigned digit, uint32_t mask)
{
    struct host_mem rflags = cpu_field(CPU_OFFSET(s.rflags));
    trans_flags_aside(t);
    emit_rm(&t->e, 0x81, 4, (enum host_reg)digit, &rflags);
    emit_imm(&t->e, mask, 4);
}

/* CLD, STD */
bool emit_direction(struct trans *t)
{
    bool set = t->in->opcode & 1;
    change_rflags(t, set ? 1 : 4, set ? FL_DF : ~(uint32_t)FL_DF);
    return true;
}

bool trans_may_be_cpl0(const struct trans *t)
{
    return !(t->context->mode & (MODE_VM | MODE_CPL3));
}

void trans_need_cpl0(struct trans *t)
{
    struct host_mem cpl = cpu_field(CPU_OFFSET(cpl));
    if (t->context->mode & MODE_PE) {
        trans_save_flags(t);
        t->in_host = false;
        emit_rm(&t->e, 0x80, 1, 7, &cpl);               /* cmp cpl, 0 */
        emit_u8(&t->e, 0);
        trans_slow_if(t, 5);
    }
}

/* Where no privilege is needed, or at CPL 0. */
bool emit_cli(struct trans *t)
{
    struct host_mem mask = cpu_field(CPU_OFFSET(pend_mask));
    if (!trans_may_be_cpl0(t)) {
        return false;
    }
    trans_need_cpl0(t);
    change_rflags(t, 4, ~(uint32_t)FL_IF);
    emit_rm(&t->e, 0x81, 4, 4, &mask);
    emit_imm(&t->e, ~(uint32_t)PEND_INTR, 4);
    return true;
}

/* ---- control registers ---- */

bool emit_from_control(struct trans *t)
{
    static const int32_t field[] = {
        [0] = CPU_OFFSET(s.cr0), [2] = CPU_OFFSET(s.cr2), [3] = CPU_OFFSET(s.cr3)};
    unsigned n = t->in->reg;
    if (n >= ARRAY_SIZE(field) || n == 1 || !trans_may_be_cpl0(t)) {
        return false;
    }
    trans_need_cpl0(t);
    emit_load(&t->e, t->wide ? 8 : 4, trans_reg(t, t->in->m), field[n]);
    return true;
}

/* ---- strings ---- */

/* @to = operand size, negative with DF. */
static void make_step(struct trans *t, enum host_reg to)
{
    unsigned size = t->in->opsize, shift = 9u - (unsigned)__builtin_ctz(size);
    emit_load(&t->e, 4, to, CPU_OFFSET(s.rflags));
    emit_rr(&t->e, 0x81, 4, 4, to);                     /* and */
    emit_imm(&t->e, FL_DF, 4);
    emit_rr(&t->e, 0xc1, 4, 5, to);                     /* shr: 0, or twice the size */
    emit_u8(&t->e, shift);
    emit_rr(&t->e, 0xf7, 8, 3, to);                     /* neg */
    emit_rr(&t->e, 0x83, 8, 0, to);
    emit_u8(&t->e, size);
}

static void string_offset(struct trans *t, enum host_reg reg)
{
    unsigned size = t->in->adsize;
    trans_guess(t, t->regs[reg]);
    emit_rr(&t->e, size == 2 ? 0x0fb7 : 0x8b, size == 8 ? 8 : 4, HOST_8, reg);
}

static void string_move(struct trans *t, enum host_reg reg, enum host_reg step)
{
    emit_lea(&t->e, t->in->adsize, reg, reg, step, 0);
}

/* With REP: in C code, which goes on here when all is done. A trial ends before it. */
bool emit_rep(struct trans *t)
{
    if (!block_rep(t->block, t->in) || t->j->check) {
        return false;
    }
    trans_call(t, stubs_of(t)->rep, 0);
    return true;
}

bool emit_lods(struct trans *t)
{
    unsigned size = t->in->opsize;
    if (t->in->rep != REP_NONE) {
        return emit_rep(t);
    }
    trans_flags_aside(t);
    string_offset(t, HOST_SI);
    trans_probe(t, t->in->seg, size, READ);
    emit_rm(&t->e, size == 1 ? 0x8a : 0x8b, size, HOST_AX, trans_op(t));
    make_step(t, HOST_10);
    string_move(t, HOST_SI, HOST_10);
    return true;
}

bool emit_stos(struct trans *t)
{
    unsigned size = t->in->opsize;
    if (t->in->rep != REP_NONE) {
        return emit_rep(t);
    }
    trans_flags_aside(t);
    string_offset(t, HOST_DI);
    trans_probe(t, S_ES, size, WRITE);
    emit_rm(&t->e, size == 1 ? 0x88 : 0x89, size, HOST_AX, trans_op(t));
    make_step(t, HOST_10);
    string_move(t, HOST_DI, HOST_10);
    return true;
}

bool emit_movs(struct trans *t)
{
    unsigned size = t->in->opsize;
    struct host_mem wait = waiting();
    if (t->in->rep != REP_NONE) {
        return emit_rep(t);
    }
    trans_flags_aside(t);
    string_offset(t, HOST_SI);
    trans_probe(t, t->in->seg, size, READ);
    emit_rm(&t->e, size == 1 ? 0x0fb6 : 0x8b, size == 1 ? 4 : size, HOST_10, trans_op(t));
    emit_rm(&t->e, 0x89, 8, HOST_10, &wait);
    string_offset(t, HOST_DI);
    trans_probe(t, S_ES, size, WRITE);
    emit_rm(&t->e, 0x8b, 8, HOST_10, &wait);
    emit_rm(&t->e, size == 1 ? 0x88 : 0x89, size, HOST_10, trans_op(t));
    make_step(t, HOST_10);
    string_move(t, HOST_SI, HOST_10);
    string_move(t, HOST_DI, HOST_10);
    return true;
}

bool emit_scas(struct trans *t)
{
    unsigned size = t->in->opsize;
    if (t->in->rep != REP_NONE) {
        return emit_rep(t);
    }
    trans_flags_aside(t);
    string_offset(t, HOST_DI);
    trans_probe(t, S_ES, size, READ);
    make_step(t, HOST_11);
    emit_rm(&t->e, size == 1 ? 0x3a : 0x3b, size, HOST_AX, trans_op(t));
    string_move(t, HOST_DI, HOST_11);
    trans_flags_after(t);
    return true;
}

/* ---- POP and PUSH of memory ---- */

bool emit_pop_memory(struct trans *t)
{
    unsigned size = t->in->opsize;
    struct host_mem wait = waiting();
    if (t->in->mem && t->in->base == GPR_OFF(R_SP)) {
        return false;
    }
    trans_stack_offset(t, 0);
    trans_probe(t, S_SS, size, READ);
    if (!t->in->mem) {
        trans_pop_into(t, size, trans_reg(t, t->in->m));
        return true;
    }
    emit_rm(&t->e, 0x8b, size, HOST_10, trans_op(t));
    emit_rm(&t->e, 0x89, 8, HOST_10, &wait);
    trans_mem(t, size, WRITE);
    emit_rm(&t->e, 0x8b, 8, HOST_10, &wait);
    emit_rm(&t->e, 0x89, size, HOST_10, trans_op(t));
    trans_move_esp(t, (int)size);
    return true;
}
