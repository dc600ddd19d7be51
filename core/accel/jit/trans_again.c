/*
 * Flags that are not worth saving: as long as the operands of what made them are still there, they
 * can be made again, by repeating a comparison, by testing a logical result, or by undoing and
 * repeating a sum. One that is overwritten before may be kept in memory.
 */
#include "core/accel/jit/translate.h"

enum how { NEVER, COMPARE, TEST, SUM, COUNT };

unsigned trans_alu_op(const struct insn *in)
{
    unsigned opcode = insn_info[in->row].opcode;
    return (opcode >= 0x80 ? in->reg : opcode >> 3) & 7u;
}

static bool is_neg(const struct insn *in)
{
    return insn_info[in->row].opcode == 0xf6 || insn_info[in->row].opcode == 0xf7;
}

static enum how how_again(const struct insn *in)
{
    static const enum how alu[8] = {SUM, TEST, NEVER, NEVER, TEST, SUM, TEST, COMPARE};
    trans_emitter emitter = trans_emitters[in->row];
    if (in->mem) {
        bool result = emitter == emit_alu && trans_operands_of(in).g;
        return result && alu[trans_alu_op(in)] == TEST ? TEST : NEVER;
    }
    return emitter == emit_alu ? alu[trans_alu_op(in)] : emitter == emit_test ? COMPARE :
           emitter != emit_unary ? NEVER : is_neg(in) ? SUM : COUNT;
}

struct trans_operands trans_operands_of(const struct insn *in)
{
    uint8_t first = insn_info[in->row].operand[0], second = insn_info[in->row].operand[1];
    bool g = first == OPD_Gb || first == OPD_Gw || first == OPD_Gv;
    bool imm = second == OPD_Ib || second == OPD_sIb || second == OPD_Iz || second == OPD_Iv;
    bool one = imm || trans_emitters[in->row] == emit_unary;
    return (struct trans_operands){
        .to = g ? in->r : in->m, .from = one ? GPR_OFF_ZERO : g ? in->m : in->r, .imm = imm, .g = g,
    };
}

static bool is_high(unsigned offset)
{
    return offset & 7;
}

struct flags_again trans_how_again(const struct trans *t)
{
    const struct insn *in = t->in;
    enum how how = how_again(in);
    struct flags_again none = {0}, again = {.in = in};
    if (how == NEVER) {
        return none;
    }
    struct trans_operands o = trans_operands_of(in);
    if (how == SUM && (is_high(o.to) || is_high(o.from) || o.from >> 3 == o.to >> 3)) {
        return none;
    }
    if (how == COUNT) {
        again.carry = (trans_live(t) & FL_CF) != 0;
        return is_high(o.to) || (again.carry && !t->carry_saved) ? none : again;
    }
    return again;
}

/* May the instruction overwrite what the flags are made from? */
static bool spoils(const struct insn *in, struct flags_again a)
{
    struct trans_operands o = trans_operands_of(a.in);
    bool from = how_again(a.in) != TEST && !(a.kept && o.from == o.to);
    return (!a.kept && trans_may_write(in, o.to)) || (from && trans_may_write(in, o.from));
}

static bool lasts(const struct trans *t, struct flags_again a)
{
    for (unsigned i = t->at; i < t->n; i++) {
        const struct insn *in = t->insns[i];
        const struct insn_info *info = &insn_info[in->row];
        if (!trans_emitters[in->row]) {
            return false;
        }
        if (trans_overwritten(info) || (info->flags_read & FL_OSZAPC)) {
            return true;
        }
        if (spoils(in, a)) {
            return t->live[i] == 0;
        }
    }
    return t->context->live;                            /* they are wanted in EFLAGS */
}

bool trans_lasts(const struct trans *t)
{
    return lasts(t, t->again);
}

bool trans_keep(struct trans *t)
{
    struct flags_again kept = t->again;
    struct trans_operands o = trans_operands_of(kept.in);
    enum how how = how_again(kept.in);
    kept.kept = true;
    if (t->again.kept || is_high(o.to) || (how != TEST && is_high(o.from)) ||
        (o.from == o.to && how == COMPARE && trans_emitters[kept.in->row] != emit_test) ||
        !lasts(t, kept)) {
        return false;
    }
    emit_store(&t->e, 8, trans_ea_reg(t, o.to, HOST_10), ENGINE_OFFSET(translated.kept));
    t->again = kept;
    return true;
}

void trans_again_over(struct trans *t)
{
    const struct insn *in = t->again.in;
    if (!in || in == t->in) {
        return;
    }
    if (spoils(t->in, t->again)) {
        t->again.in = NULL;
        t->saved |= !t->in_host;                        /* they are dead: trans_lasts */
    }
}

/* op reg, from; opcode of the byte form */
static void op_from(struct trans *t, unsigned op, unsigned digit, const struct insn *in,
                    enum host_reg reg)
{
    struct trans_operands o = trans_operands_of(in);
    struct host_mem extra = cpu_field((int32_t)o.from);
    unsigned size = in->opsize, wider = size > 1;
    bool test = trans_emitters[in->row] == emit_test;
    if (o.imm) {
        emit_rr(&t->e, (test ? 0xf6 : 0x80) + wider, size, (enum host_reg)digit, reg);
        emit_imm(&t->e, in->imm, size < 4 ? size : 4);
    } else if (trans_is_extra(o.from)) {
        emit_rm(&t->e, op + wider, size, reg, &extra);
    } else {
        emit_rr(&t->e, op + wider, size, reg, trans_reg(t, o.from));
    }
}

/* op reg, from, by its number */
static void alu_from(struct trans *t, unsigned number, const struct insn *in, enum host_reg reg)
{
    op_from(t, number << 3 | 2, number, in, reg);
}

static void again_sum(struct trans *t, const struct insn *in)
{
    unsigned size = in->opsize, wider = size > 1;
    if (is_neg(in)) {
        emit_rr(&t->e, 0xf6 + wider, size, (enum host_reg)3, HOST_10);
        emit_rr(&t->e, 0xf6 + wider, size, (enum host_reg)3, HOST_10);
        return;
    }
    alu_from(t, trans_alu_op(in) ^ 5, in, HOST_10);
    alu_from(t, trans_alu_op(in), in, HOST_10);
}

static void again_count(struct trans *t, const struct insn *in, bool carry)
{
    struct host_mem flags = cpu_field(ENGINE_OFFSET(translated.flags));
    unsigned opcode = insn_info[in->row].opcode, size = in->opsize;
    bool dec = (opcode >= 0xfe ? in->reg : opcode >> 3) & 1;
    if (carry) {
        emit_rm(&t->e, 0x0fba, 2, 4, &flags);           /* bt flags, 8 */
        emit_u8(&t->e, 8);
    }
    emit_lea(&t->e, 8, HOST_10, HOST_10, HOST_NONE, dec ? 1 : -1);
    emit_rr(&t->e, size == 1 ? 0xfe : 0xff, size, (enum host_reg)dec, HOST_10);
}

void trans_make_again(struct trans *t, struct flags_again a)
{
    const struct insn *in = a.in;
    enum how how = how_again(in);
    struct trans_operands o = trans_operands_of(in);
    enum host_reg to = HOST_10;
    bool extra = trans_is_extra(o.to);
    trans_clean_one(t, o.to);
    trans_clean_one(t, o.from);
    if (a.kept) {
        emit_load(&t->e, 8, HOST_10, ENGINE_OFFSET(translated.kept));
    } else if (extra) {
        emit_load(&t->e, 8, HOST_10, (int32_t)o.to);
    } else if (how == SUM || how == COUNT) {
        emit_mov(&t->e, 8, HOST_10, trans_reg(t, o.to));
    } else {
        to = trans_reg(t, o.to);
    }
    switch (how) {
    case COMPARE:
        if (a.kept && o.from == o.to) {
            emit_rr(&t->e, in->opsize > 1 ? 0x85 : 0x84, in->opsize, to, to);
        } else if (trans_emitters[in->row] == emit_test) {
            op_from(t, 0x84, 0, in, to);
        } else {
            alu_from(t, 7, in, to);
        }
        break;
    case TEST: emit_rr(&t->e, in->opsize > 1 ? 0x85 : 0x84, in->opsize, to, to); break;
    case SUM: again_sum(t, in); break;
    case COUNT: again_count(t, in, a.carry); break;
    default: break;
    }
}
