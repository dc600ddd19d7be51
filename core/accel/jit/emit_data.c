/*
 * Emitters: moves, arithmetic, shifts, multiplication. The host's instruction is the guest's; only
 * registers and the memory operand are replaced.
 */
#include "core/accel/jit/translate.h"

/* Opcode of the byte form @op, or of its wider twin. */
static unsigned sized(unsigned op, unsigned size)
{
    return size == 1 ? op : op | 1;
}

static bool is_imm(const struct trans *t, unsigned operand)
{
    uint8_t o = t->info->operand[operand];
    return o == OPD_Ib || o == OPD_sIb || o == OPD_Iz || o == OPD_Iv;
}

/* G is the destination. */
static bool g_first(const struct trans *t)
{
    uint8_t o = t->info->operand[0];
    return o == OPD_Gb || o == OPD_Gw || o == OPD_Gv;
}

/* AH and its like cannot be encoded next to R8: for one instruction they change places with AL. */
static void swap_halves(struct trans *t, enum host_reg high)
{
    emit_rr(&t->e, 0x86, 1, (enum host_reg)(high - HOST_AH), high);
}

/* The same where one register of the guest is in memory; of E, G that is G the other way round. */
static void op_unheld(struct trans *t, unsigned op, unsigned size, enum host_reg reg)
{
    bool e = t->unheld == E_UNHELD, test = (op & ~1u) == 0x84;
    struct host_mem m = cpu_field(e ? t->in->m : t->in->r);
    if (e) {
        emit_rm(&t->e, op, size, reg, &m);
    } else {
        emit_rm(&t->e, test ? op : op | 2, size, trans_reg(t, t->in->m), &m);
    }
}

/* op E, reg (or reg, E); E is in memory and already probed, or a register. */
static void op_e(struct trans *t, unsigned op, unsigned size, enum host_reg reg)
{
    if (t->unheld != NONE_UNHELD) {
        op_unheld(t, op, size, reg);
    } else if (!t->in->mem) {
        emit_rr(&t->e, op, size, reg, trans_reg(t, t->in->m));
    } else if (trans_high(reg)) {
        swap_halves(t, reg);
        emit_rm(&t->e, op, size, (enum host_reg)(reg - HOST_AH), trans_op(t));
        swap_halves(t, reg);
    } else {
        emit_rm(&t->e, op, size, reg, trans_op(t));
    }
}

/* op E, imm with opcode extension @digit. */
static void op_ei(struct trans *t, unsigned op, unsigned size, unsigned digit, unsigned imm_bytes)
{
    op_e(t, op, size, (enum host_reg)digit);
    emit_imm(&t->e, t->in->imm, imm_bytes);
}

static unsigned imm_bytes(unsigned size)
{
    return size < 4 ? size : 4;
}

/* ADD OR ADC SBB AND SUB XOR CMP: number 0 to 7 */
bool emit_alu(struct trans *t)
{
    const struct insn *in = t->in;
    unsigned op = (t->info->opcode >= 0x80 ? in->reg : t->info->opcode >> 3) & 7, size = in->opsize;
    bool writes = op != 7;
    if (in->mem) {
        trans_mem(t, size, g_first(t) || !writes ? READ : MODIFY);
    }
    trans_flags_before(t);
    if (is_imm(t, 1)) {
        bool small = size > 1 && (int64_t)(in->imm << (64 - 8 * size)) >> (64 - 8 * size) ==
                                     (int8_t)in->imm;
        op_ei(t, size == 1 ? 0x80 : small ? 0x83 : 0x81, size, op, small ? 1 : imm_bytes(size));
    } else {
        op_e(t, sized(op << 3 | (g_first(t) ? 2 : 0), size), size, trans_reg(t, in->r));
    }
    trans_flags_after(t);
    return true;
}

bool emit_test(struct trans *t)
{
    unsigned size = t->in->opsize;
    if (t->in->mem) {
        trans_mem(t, size, READ);
    }
    if (is_imm(t, 1)) {
        op_ei(t, sized(0xf6, size), size, 0, imm_bytes(size));
    } else {
        op_e(t, sized(0x84, size), size, trans_reg(t, t->in->r));
    }
    trans_flags_after(t);
    return true;
}

/* INC DEC NOT NEG */
bool emit_unary(struct trans *t)
{
    unsigned size = t->in->opsize, op = t->info->opcode;
    unsigned digit = op >= 0xf6 ? t->in->reg & 7u : op >> 3 & 1;
    if (t->in->mem) {
        trans_mem(t, size, MODIFY);
    }
    trans_flags_before(t);
    op_e(t, sized(op == 0xf6 || op == 0xf7 ? 0xf6 : 0xfe, size), size, (enum host_reg)digit);
    trans_flags_after(t);
    return true;
}

/* ---- moves ---- */

bool emit_move(struct trans *t)
{
    unsigned size = t->in->opsize;
    bool load = g_first(t);
    if (t->in->mem) {
        trans_mem(t, size, load ? READ : WRITE);
    }
    if (!is_imm(t, 1)) {
        op_e(t, sized(load ? 0x8a : 0x88, size), size, trans_reg(t, t->in->r));
    } else if (!t->in->mem && size >= 4) {
        uint64_t imm = size == 4 ? (uint32_t)t->in->imm : t->in->imm;
        emit_mov_imm(&t->e, trans_reg(t, t->in->m), imm);
    } else {
        op_ei(t, sized(0xc6, size), size, 0, imm_bytes(size));
    }
    return true;
}

/* AL, AX or EAX and an address in the code */
bool emit_move_abs(struct trans *t)
{
    unsigned size = t->in->opsize;
    bool load = t->info->opcode < 0xa2;
    emit_mov_imm(&t->e, HOST_8, t->in->imm);
    t->fixed = true;
    t->offset = t->in->imm;
    trans_guess(t, t->in->imm);
    trans_probe(t, t->in->seg, size, load ? READ : WRITE);
    emit_rm(&t->e, sized(load ? 0x8a : 0x88, size), size, HOST_AX, trans_op(t));
    return true;
}

/* With memory it would be locked; two moves are not. */
bool emit_xchg(struct trans *t)
{
    unsigned size = t->in->opsize;
    enum host_reg g = trans_reg(t, t->in->r);
    if (!t->in->mem) {
        emit_rr(&t->e, sized(0x86, size), size, g, trans_reg(t, t->in->m));
        if (size == 4 && t->in->r == t->in->m) {
            emit_mov(&t->e, 4, g, g);
        }
        return true;
    }
    enum host_reg low = trans_high(g) ? (enum host_reg)(g - HOST_AH) : g;
    trans_mem(t, size, MODIFY);
    if (low != g) {
        swap_halves(t, g);
    }
    emit_rm(&t->e, sized(0x8a, size), size, HOST_10, trans_op(t));
    emit_rm(&t->e, sized(0x88, size), size, low, trans_op(t));
    emit_rr(&t->e, sized(0x8a, size), size, low, HOST_10);
    if (low != g) {
        swap_halves(t, g);
    }
    return true;
}

bool emit_lea_insn(struct trans *t)
{
    unsigned size = t->in->opsize, ea_size = t->in->adsize;
    enum host_reg reg = trans_reg(t, t->in->r);
    struct host_mem m;
    if (size == 2 || ea_size == 2) {
        trans_ea(t);
        emit_mov(&t->e, size, reg, HOST_8);
    } else if (trans_ea_operand(t, &m)) {
        emit_rm(&t->e, 0x8d, size < ea_size ? size : ea_size, reg, &m);
    } else {
        emit_mov_imm(&t->e, reg, size == 4 ? (uint32_t)t->offset : t->offset);
    }
    return true;
}

/* MOVZX, MOVSX: the second opcode byte's low bit says how wide E is. */
bool emit_movx(struct trans *t)
{
    unsigned op = 0x0f00u | t->info->opcode, from = t->info->opcode & 1 ? 2 : 1;
    if (t->in->mem) {
        trans_mem(t, from, READ);
    } else if (from == 1 && trans_high(trans_reg(t, t->in->m)) &&
               (t->in->r == GPR_OFF(R_SP) || t->in->opsize == 8)) {
        return false;                                   /* AH next to R15 */
    }
    op_e(t, op, t->in->opsize, trans_reg(t, t->in->r));
    return true;
}

bool emit_movsxd(struct trans *t)
{
    if (t->in->opsize != 8) {
        return false;
    }
    if (t->in->mem) {
        trans_mem(t, 4, READ);
    }
    op_e(t, 0x63, 8, trans_reg(t, t->in->r));
    return true;
}

/* CBW, CWDE, CDQE, CWD, CDQ, CQO */
bool emit_widen(struct trans *t)
{
    if (t->in->opsize != 4) {
        emit_u8(&t->e, t->in->opsize == 2 ? 0x66 : 0x48);
    }
    emit_u8(&t->e, t->info->opcode);
    return true;
}

bool emit_setcc(struct trans *t)
{
    if (t->in->mem) {
        trans_mem(t, 1, WRITE);
    }
    trans_flags_before(t);
    op_e(t, 0x0f90u | (t->in->opcode & 15u), 1, (enum host_reg)0);
    return true;
}

/* Reads memory whatever the condition. */
bool emit_cmov(struct trans *t)
{
    if (t->in->mem) {
        trans_mem(t, t->in->opsize, READ);
    }
    trans_flags_before(t);
    op_e(t, 0x0f40u | (t->in->opcode & 15u), t->in->opsize, trans_reg(t, t->in->r));
    return true;
}

bool emit_bswap(struct trans *t)
{
    if (t->in->opsize == 2) {
        return false;
    }
    emit_o(&t->e, 0x0fc8, t->in->opsize, trans_reg(t, t->in->r));
    return true;
}

bool emit_nop(struct trans *t)
{
    return true;
}

/* CLC, STC, CMC */
bool emit_carry(struct trans *t)
{
    trans_flags_before(t);
    emit_u8(&t->e, t->info->opcode);
    trans_flags_after(t);
    return true;
}

/* ---- shifts ---- */

/* OF of a rotate by more than one is that of a rotate by one ([SDM2] leaves it undefined). @count
 * undoes the rotate. */
static void rotate_overflow(struct trans *t, unsigned digit, unsigned count)
{
    unsigned size = t->in->opsize, op = sized(0xc0, size);
    struct host_mem of = cpu_field(ENGINE_OFFSET(translated.flags));
    trans_flags_after(t);
    if (!(trans_live(t) & FL_OF)) {
        return;
    }
    trans_save_flags(t);
    emit_mov(&t->e, 8, HOST_10, trans_reg(t, t->in->m));
    emit_rr(&t->e, op, size, (enum host_reg)(digit ^ 1), HOST_10);
    emit_u8(&t->e, count);
    emit_rr(&t->e, op, size, (enum host_reg)digit, HOST_10);
    emit_u8(&t->e, 1);
    emit_rm(&t->e, 0x0f90, 1, 0, &of);                  /* seto */
    t->in_host = false;
}

/* Of ROL and ROR of a register by an immediate other than 1, hosts leave OF alone. */
static bool overflow_differs(const struct insn *in, const struct insn_info *info, unsigned count)
{
    return (in->reg & 7) < 2 && info->operand[1] == OPD_Ib && count > 1 && !in->mem;
}

/* RCL and RCR so far that all is as it was: no flag changes. */
static bool turns_around(const struct insn *in, unsigned count)
{
    return (in->reg & 6) == 2 && count % (8u * in->opsize + 1) == 0;
}

bool trans_can_shift(const struct jit *j, const struct insn *in, const struct insn_info *info)
{
    unsigned digit = in->reg & 7u, count = trans_shift_count(in);
    bool by_cl = info->operand[1] == OPD_CL;
    if (digit < 4) {
        bool high = !in->mem && (in->m & 7);
        bool plain = !by_cl && count == 1;
        return (plain || (j->match & MATCH_ROTATES)) &&
               (by_cl || (count != 0 && !turns_around(in, count))) &&
               !(overflow_differs(in, info, count) && high);
    }
    return (j->match & MATCH_SHIFTS) && (by_cl || (count != 0 && count < 8u * in->opsize));
}

bool emit_shift(struct trans *t)
{
    unsigned size = t->in->opsize, digit = t->in->reg & 7u, count = trans_shift_count(t->in);
    bool by_cl = t->info->operand[1] == OPD_CL;
    if (!trans_can_shift(t->j, t->in, t->info)) {
        return false;
    }
    if (t->in->mem) {
        trans_mem(t, size, MODIFY);
    }
    trans_flags_before(t);
    op_e(t, sized(by_cl ? 0xd2 : 0xc0, size), size, (enum host_reg)digit);
    if (!by_cl) {
        emit_u8(&t->e, count);
    }
    if (overflow_differs(t->in, t->info, count)) {
        rotate_overflow(t, digit, count);
    } else {
        trans_flags_after(t);
    }
    return true;
}

/* BT, BTS, BTR, BTC by an immediate or register */
bool emit_bit(struct trans *t)
{
    if (t->in->mem) {
        return emit_bit_mem(t);
    }
    trans_flags_before(t);
    if (is_imm(t, 1)) {
        op_ei(t, 0x0fba, t->in->opsize, t->in->reg & 7u, 1);
    } else {
        op_e(t, 0x0f00u | t->info->opcode, t->in->opsize, trans_reg(t, t->in->r));
    }
    trans_flags_after(t);
    return true;
}

/* ---- multiplication, division ---- */

bool emit_mul(struct trans *t)
{
    unsigned size = t->in->opsize;
    if (!(t->j->match & MATCH_MULS)) {
        return false;
    }
    if (t->in->mem) {
        trans_mem(t, size, READ);
    }
    op_e(t, sized(0xf6, size), size, (enum host_reg)(t->in->reg & 7));
    trans_flags_after(t);
    return true;
}

bool emit_imul(struct trans *t)
{
    unsigned size = t->in->opsize;
    if (!(t->j->match & MATCH_MULS)) {
        return false;
    }
    if (t->in->mem) {
        trans_mem(t, size, READ);
    }
    if (is_imm(t, 2)) {
        op_e(t, 0x69, size, trans_reg(t, t->in->r));
        emit_imm(&t->e, t->in->imm, imm_bytes(size));
    } else {
        op_e(t, 0x0faf, size, trans_reg(t, t->in->r));
    }
    trans_flags_after(t);
    return true;
}

/* The host must not fault: a quotient that does not fit is the interpreter's. Flags stay. */
static void check_div(struct trans *t, unsigned size)
{
    struct emit *e = &t->e;
    if (size == 1) {
        emit_rr(e, 0x0fb7, 4, HOST_11, HOST_AX);        /* ah < divisor */
        emit_rr(e, 0xc1, 4, 5, HOST_11);
        emit_u8(e, 8);
        emit_rr(e, 0x3a, 1, HOST_11, HOST_10);
    } else {
        emit_rr(e, 0x3b, size, HOST_DX, HOST_10);       /* dx < divisor */
    }
    trans_slow_if(t, 3);
}

/* A dividend that is AX sign-extended, and a divisor that is not 0 or -1. */
static void check_idiv(struct trans *t, unsigned size)
{
    struct emit *e = &t->e;
    emit_mov(e, size, HOST_11, HOST_AX);
    emit_rr(e, 0xc1, size, 7, HOST_11);                 /* sar */
    emit_u8(e, 8 * size - 1);
    emit_rr(e, 0x3b, size, HOST_11, HOST_DX);
    trans_slow_if(t, 5);
    emit_lea(e, size == 8 ? 8 : 4, HOST_11, HOST_10, HOST_NONE, 1);
    emit_rr(e, 0x83, size, 7, HOST_11);
    emit_u8(e, 1);
    trans_slow_if(t, 6);
}

bool emit_div(struct trans *t)
{
    unsigned size = t->in->opsize, digit = t->in->reg & 7u;
    struct emit *e = &t->e;
    if ((size == 1 && digit == 7) ||
        (!t->in->mem && trans_high(trans_reg(t, t->in->m)))) {
        return false;
    }
    trans_flags_aside(t);
    if (t->in->mem) {
        trans_mem(t, size, READ);
        emit_rm(e, sized(0x8a, size), size, HOST_10, trans_op(t));
    } else {
        emit_rr(e, sized(0x8a, size), size, HOST_10, trans_reg(t, t->in->m));
    }
    if (digit == 6) {
        check_div(t, size);
    } else {
        check_idiv(t, size);
    }
    emit_rr(e, sized(0xf6, size), size, (enum host_reg)digit, HOST_10);
    return true;
}
