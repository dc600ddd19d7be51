/*
 * Emitters: bits in memory, bit scans, double shifts, exchange with a sum or on a condition, PUSHF.
 */
#include "core/accel/jit/translate.h"

/* BT, BTS, BTR, BTC of memory by a register: any bit from the operand on. R11 = bit of the word, R8
 * its offset. */
static void bit_operand(struct trans *t)
{
    struct emit *e = &t->e;
    unsigned size = t->in->opsize;
    enum host_reg bit = trans_reg(t, t->in->r);
    struct host_mem word = {HOST_8, HOST_9, size == 8 ? 3 : 2, 0};
    trans_flags_aside(t);
    trans_ea(t);
    t->fixed = false;
    if (size == 8) {
        emit_mov(e, 8, HOST_9, bit);
    } else {
        emit_rr(e, 0x63, 8, HOST_9, bit);               /* movsxd */
    }
    emit_rr(e, 0xc1, 8, 7, HOST_9);                     /* sar */
    emit_u8(e, size == 8 ? 6 : 5);
    emit_rm(e, 0x8d, t->in->adsize, HOST_8, &word);
    trans_probe(t, t->in->seg, size, t->info->opcode == 0xa3 ? READ : MODIFY);
    emit_mov(e, 4, HOST_11, bit);
    emit_rr(e, 0x83, 4, 4, HOST_11);                    /* and */
    emit_u8(e, size * 8 - 1);
}

bool emit_bit_mem(struct trans *t)
{
    unsigned size = t->in->opsize, digit = t->in->reg & 7u;
    bool by_imm = t->info->opcode == 0xba;
    if (!by_imm && (size == 2 || t->in->adsize == 2)) {
        return false;
    }
    if (by_imm) {
        trans_mem(t, size, digit == 4 ? READ : MODIFY);
    } else {
        bit_operand(t);
    }
    trans_flags_before(t);
    if (by_imm) {
        emit_rm(&t->e, 0x0fba, size, (enum host_reg)digit, trans_op(t));
        emit_u8(&t->e, (unsigned)t->in->imm & 0xff);
    } else {
        emit_rm(&t->e, 0x0f00u | t->info->opcode, size, HOST_11, trans_op(t));
    }
    trans_flags_after(t);
    return true;
}

bool trans_can_scan(const struct jit *j)
{
    return j->match & MATCH_SCANS;
}

/* BSF, BSR: of 0, too */
bool emit_scan(struct trans *t)
{
    unsigned size = t->in->opsize, op = 0x0f00u | t->info->opcode;
    enum host_reg reg = trans_reg(t, t->in->r);
    if (!trans_can_scan(t->j)) {
        return false;
    }
    if (t->in->mem) {
        trans_mem(t, size, READ);
        emit_rm(&t->e, op, size, reg, trans_op(t));
    } else {
        emit_rr(&t->e, op, size, reg, trans_reg(t, t->in->m));
    }
    trans_flags_after(t);
    return true;
}

bool trans_can_double_shift(const struct jit *j, const struct insn *in,
                            const struct insn_info *info)
{
    unsigned count = trans_shift_count(in);
    bool counted = info->operand[2] == OPD_CL ? in->opsize > 2
                                              : count != 0 && count < 8u * in->opsize;
    return counted && (j->match & MATCH_DOUBLE_SHIFTS);
}

/* SHLD, SHRD */
bool emit_double_shift(struct trans *t)
{
    unsigned size = t->in->opsize, op = 0x0f00u | t->info->opcode;
    enum host_reg reg = trans_reg(t, t->in->r);
    if (!trans_can_double_shift(t->j, t->in, t->info)) {
        return false;
    }
    if (t->in->mem) {
        trans_mem(t, size, MODIFY);
    }
    trans_flags_before(t);
    if (t->in->mem) {
        emit_rm(&t->e, op, size, reg, trans_op(t));
    } else {
        emit_rr(&t->e, op, size, reg, trans_reg(t, t->in->m));
    }
    if (t->info->operand[2] != OPD_CL) {
        emit_u8(&t->e, trans_shift_count(t->in));
    }
    trans_flags_after(t);
    return true;
}

/* XADD and CMPXCHG with memory. Locked ones get here only where processors take turns. */
bool emit_exchange(struct trans *t)
{
    enum host_reg reg = trans_reg(t, t->in->r);
    if (!t->in->mem || trans_high(reg)) {
        return false;
    }
    trans_mem(t, t->in->opsize, MODIFY);
    emit_rm(&t->e, 0x0f00u | t->in->opcode, t->in->opsize, reg, trans_op(t));
    trans_flags_after(t);
    return true;
}

/* PUSHF, where EFLAGS is what is pushed */
bool emit_pushf(struct trans *t)
{
    struct emit *e = &t->e;
    unsigned size = t->in->opsize;
    struct host_mem of = cpu_field(ENGINE_OFFSET(translated.flags));
    struct host_mem low = cpu_field(ENGINE_OFFSET(translated.flags) + 1);
    if (t->context->mode & MODE_VM) {
        return false;
    }
    trans_save_flags(t);
    trans_flags_aside(t);
    trans_stack_offset(t, -(int)size);
    trans_probe(t, S_SS, size, WRITE);
    emit_load(e, 4, HOST_10, CPU_OFFSET(s.rflags));
    emit_rr(e, 0x81, 4, 4, HOST_10);                    /* and */
    emit_imm(e, ~(uint32_t)(FL_OSZAPC | FL_RF | FL_VM), 4);
    emit_rm(e, 0x0fb6, 4, HOST_11, &low);
    emit_rr(e, 0x81, 4, 4, HOST_11);
    emit_imm(e, FL_OSZAPC & 0xff, 4);
    emit_rr(e, 0x0b, 4, HOST_10, HOST_11);
    emit_rm(e, 0x0fb6, 4, HOST_11, &of);
    emit_rr(e, 0xc1, 4, 4, HOST_11);                    /* shl */
    emit_u8(e, 11);
    emit_rr(e, 0x0b, 4, HOST_10, HOST_11);
    emit_rm(e, 0x89, size, HOST_10, trans_op(t));
    trans_move_esp(t, -(int)size);
    return true;
}
