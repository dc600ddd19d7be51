/*
 * R8 to R15 of 64-bit code. They live in the context; inside a block the instructions that name
 * them find them in three host registers. What is written goes to memory when its host register is
 * wanted, before whatever may leave the block, and at the start of slow paths.
 */
#include "core/accel/jit/translate.h"

static int held_at(const struct trans *t, unsigned reg)
{
    for (int i = 0; i < HELD; i++) {
        if (t->held[i] == reg) {
            return i;
        }
    }
    return -1;
}

static bool g_operand(unsigned o)
{
    return (o >= OPD_Gb && o <= OPD_Gr) || o == OPD_Zb || o == OPD_Zv;
}

static bool e_operand(unsigned o)
{
    return (o >= OPD_Eb && o <= OPD_RMw) || o == OPD_Ry || o == OPD_Zb || o == OPD_Zv;
}

/* Nothing is written to the operands that the row names. */
static bool reads_only(const struct insn *in)
{
    const struct insn_info *info = &insn_info[in->row];
    unsigned op = info->opcode, map = info->map, digit = in->reg & 7;
    if (map != MAP_M1) {
        return map == MAP_M0F && (op == 0xa3 || (op == 0xba && digit == 4)); /* BT */
    }
    return (op >= 0x38 && op < 0x3c) || (op >= 0x80 && op < 0x84 && digit == 7) || /* CMP */
           op == 0x84 || op == 0x85 || (op & ~7u) == 0x50 ||                        /* TEST, PUSH */
           ((op == 0xf6 || op == 0xf7) && digit != 2 && digit != 3);
}

/* Is the register operand a result, and does all of it come from elsewhere? */
static bool result(const struct trans *t, bool g)
{
    uint8_t first = t->info->operand[0], second = t->info->operand[1];
    if (reads_only(t->in)) {
        return false;
    }
    if (g ? g_operand(first) : e_operand(first)) {
        return true;
    }
    /* XCHG, XADD, CMPXCHG: both */
    unsigned op = t->info->opcode;
    bool both = t->info->map == MAP_M1 ? op == 0x86 || op == 0x87 || (op & ~7u) == 0x90
                                       : op == 0xc0 || op == 0xc1;
    return both && (g ? g_operand(second) : e_operand(second));
}

static bool pure_result(const struct trans *t, bool g)
{
    unsigned op = t->info->opcode, map = t->info->map;
    bool moves = map == MAP_M1 ? (op >= 0x88 && op <= 0x8b) || op == 0x8d || (op & ~7u) == 0x58 ||
                                     (op & ~15u) == 0xb0 || op == 0x63 || op == 0xc7
                 : map == MAP_M0F && (op == 0xb6 || op == 0xb7 || op == 0xbe || op == 0xbf);
    return moves && t->in->opsize >= 4 && result(t, g);
}

static void clean_home(struct trans *t, unsigned i)
{
    if (t->dirty >> i & 1) {
        emit_store(&t->e, 8, trans_homes[i], 8 * t->held[i]);
        t->dirty &= (uint8_t)~(1u << i);
    }
}

void trans_clean(struct trans *t)
{
    for (unsigned i = 0; i < HELD; i++) {
        clean_home(t, i);
    }
}

void trans_clean_one(struct trans *t, unsigned offset)
{
    int at = trans_is_extra(offset) ? held_at(t, offset >> 3) : -1;
    if (at >= 0) {
        clean_home(t, (unsigned)at);
    }
}

void trans_clean_path(struct trans *t, const struct slow_path *p)
{
    for (unsigned i = 0; i < HELD; i++) {
        if (p->dirty >> i & 1) {
            emit_store(&t->e, 8, trans_homes[i], 8 * p->was_held[i]);
        }
    }
}

/* How many instructions from here the register is named again. */
static unsigned next_use(const struct trans *t, unsigned reg)
{
    unsigned off = GPR_OFF(reg), i = t->at + 1;
    for (; i < t->n; i++) {
        const struct insn *in = t->insns[i];
        if (in->r == off || (in->mem ? in->base == off || in->index == off : in->m == off)) {
            break;
        }
    }
    return i;
}

/* A home for guest register @reg, none of which is in @busy (bits): a free one, or that of the
 * register that is named again last. -1: there is none. */
static int take(struct trans *t, unsigned reg, unsigned busy, bool load)
{
    int at = held_at(t, reg);
    unsigned latest = 0;
    if (at >= 0) {
        return at;
    }
    for (unsigned i = 0; i < HELD; i++) {
        unsigned use = t->held[i] ? next_use(t, t->held[i]) : ~0u;
        if (!(busy >> i & 1) && use > latest) {
            at = (int)i;
            latest = use;
        }
    }
    if (at >= 0) {
        clean_home(t, (unsigned)at);
        t->held[at] = (uint8_t)reg;
        if (load) {
            emit_load(&t->e, 8, trans_homes[at], 8 * (int32_t)reg);
        }
    }
    return at;
}

/* Is the register named again before those that have the homes? */
static bool is_worth_home(const struct trans *t, unsigned reg)
{
    unsigned mine = next_use(t, reg);
    bool worth = held_at(t, reg) >= 0;
    for (unsigned i = 0; i < HELD && mine < t->n; i++) {
        worth = worth || !t->held[i] || next_use(t, t->held[i]) > mine;
    }
    return worth;
}

/* Emitters whose register operands go through op_e (emit_data.c). */
static bool takes_memory(trans_emitter e)
{
    return e == emit_alu || e == emit_test || e == emit_move || e == emit_movx ||
           e == emit_movsxd || e == emit_imul || e == emit_cmov;
}

/* One that is only read, or a whole register that is moved to, may be in memory. */
static enum unheld find_unheld(const struct trans *t)
{
    const struct insn *in = t->in;
    trans_emitter emitter = trans_emitters[in->row];
    bool g_last = g_operand(t->info->operand[1]);
    bool e = trans_is_extra(in->m) && !is_worth_home(t, in->m >> 3);
    bool g = trans_is_extra(in->r) && !is_worth_home(t, in->r >> 3);
    if (in->mem || in->opsize == 1 || in->r == in->m || !takes_memory(emitter)) {
        return NONE_UNHELD;
    }
    if (e && (!result(t, false) || (emitter == emit_move && g_last && in->opsize == 8))) {
        return E_UNHELD;
    }
    return g && g_last && !result(t, true) ? G_UNHELD : NONE_UNHELD;
}

/* Does the emitter need the last home for itself? */
static bool uses_scratch(const struct trans *t)
{
    trans_emitter e = trans_emitters[t->in->row];
    return e == emit_div || e == emit_bit_mem || (e == emit_bit && t->in->mem) ||
           e == emit_pushf || e == emit_scas || e == emit_x87_control || e == emit_jump_e;
}

void trans_hold(struct trans *t)
{
    const struct insn *in = t->in;
    t->unheld = find_unheld(t);
    bool g = trans_is_extra(in->r) && t->unheld != G_UNHELD;
    bool e = !in->mem && trans_is_extra(in->m) && t->unheld != E_UNHELD;
    bool base = in->mem && trans_is_extra(in->base), index = in->mem && trans_is_extra(in->index);
    unsigned busy = 0;
    if (uses_scratch(t)) {
        clean_home(t, HELD - 1);
        t->held[HELD - 1] = 0;
        busy = 1u << (HELD - 1);
    }
    /* What is there already and wanted stays. */
    for (unsigned i = 0; i < HELD; i++) {
        unsigned off = GPR_OFF(t->held[i]);
        busy |= t->held[i] && ((g && off == in->r) || (e && off == in->m) ||
                               (base && off == in->base)) ? 1u << i : 0;
    }
    int at = -1;
    if (e) {
        bool pure = pure_result(t, false) && (in->m != in->r || pure_result(t, true));
        at = take(t, in->m >> 3, busy, !pure);
        busy |= 1u << at;
    }
    if (base) {
        at = take(t, in->base >> 3, busy, true);
        busy |= 1u << at;
    }
    if (g) {
        bool in_address = index && in->index == in->r;
        at = take(t, in->r >> 3, busy, in_address || !pure_result(t, true));
        busy |= 1u << at;
    }
    if (index) {
        take(t, in->index >> 3, busy, true);            /* if there is a home left */
    }
}

enum host_reg trans_ea_reg(struct trans *t, unsigned offset, enum host_reg scratch)
{
    if (!trans_is_extra(offset)) {
        return guest_reg(offset >> 3);
    }
    int at = held_at(t, offset >> 3);
    if (at >= 0) {
        return trans_homes[at];
    }
    emit_load(&t->e, 8, scratch, offset);
    return scratch;
}

void trans_written(struct trans *t)
{
    const struct insn *in = t->in;
    if (trans_is_extra(in->r) && result(t, true)) {
        t->dirty |= (uint8_t)(1u << held_at(t, in->r >> 3));
    }
    if (!in->mem && trans_is_extra(in->m) && result(t, false) && t->unheld != E_UNHELD) {
        t->dirty |= (uint8_t)(1u << held_at(t, in->m >> 3));
    }
    if (trans_ends(t)) {
        trans_clean(t);
    }
}

void trans_forget_held(struct trans *t)
{
    trans_clean(t);
    memset(t->held, 0, sizeof(t->held));
    trans_near_forget(t);
}

void trans_reload(struct trans *t, const uint8_t held[HELD])
{
    for (unsigned i = 0; i < HELD; i++) {
        if (held[i]) {
            emit_load(&t->e, 8, trans_homes[i], 8 * held[i]);
        }
    }
}

/* Emitters that write no register but the row's first operand. */
static bool writes_first_only(trans_emitter emitter)
{
    static const trans_emitter known[] = {
        emit_alu, emit_test, emit_unary, emit_move, emit_move_abs, emit_lea_insn, emit_movx,
        emit_movsxd, emit_setcc, emit_cmov, emit_shift, emit_bit, emit_bswap, emit_imul, emit_scan,
        emit_bitcount, emit_double_shift, emit_vec, emit_vex,
    };
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
        if (emitter == known[i]) {
            return true;
        }
    }
    return false;
}

uint32_t trans_writes(const struct insn *in)
{
    trans_emitter emitter = trans_emitters[in->row];
    unsigned first = insn_info[in->row].operand[0];
    uint32_t r = BIT(in->r >> 3) & 0xffff, m = in->mem ? 0 : BIT(in->m >> 3) & 0xffff;
    if (emitter == emit_push || emitter == emit_call || emitter == emit_ret) {
        return BIT(R_SP);
    }
    if (emitter == emit_pop) {
        return r | BIT(R_SP);
    }
    if (emitter == emit_mul || emitter == emit_div || emitter == emit_widen) {
        return BIT(R_AX) | BIT(R_DX);
    }
    if (emitter == emit_nop || emitter == emit_carry || emitter == emit_x87 ||
        emitter == emit_x87_intel || emitter == emit_jump || emitter == emit_jump_cc) {
        return 0;
    }
    if (!writes_first_only(emitter)) {
        return 0xffff;
    }
    if (reads_only(in)) {
        return 0;
    }
    bool e = e_operand(first), g = g_operand(first);
    if (emitter == emit_vec || emitter == emit_vex) {
        return (g ? r : 0) | (e ? m : 0);
    }
    return (g || !e ? r : 0) | (e || !g ? m : 0) | (e || g ? 0 : BIT(R_AX));
}
