/*
 * Accesses near to one that has been looked up: by the same registers, which have changed by
 * nothing but known sums since, and not far from it. The first one looks for the bytes of all of
 * them, and keeps what leads there from linear addresses (translated.near); the others are then
 * made without a check, and leave EFLAGS alone.
 *
 * Model:  what the TLB has it loses only in C code, and translated code is left when that happened
 *         (cpu->tlb_losses). A first one that does not find all of them is the interpreter's, which
 *         goes on behind it; where that is often so, it is translated anew, and looks for itself
 *         alone (missed.c). Pages that may be stored to unseen may be read, too.
 */
#include "core/accel/jit/translate.h"

#define MOST_DISP 0x40000000

/* Emitters that make one access, whatever happens. */
static bool can_be_first(trans_emitter e)
{
    return e == emit_alu || e == emit_test || e == emit_unary || e == emit_move ||
           e == emit_movx || e == emit_movsxd || e == emit_setcc || e == emit_cmov ||
           e == emit_shift || e == emit_imul || e == emit_mul || e == emit_push ||
           e == emit_pop || e == emit_call || e == emit_vec || e == emit_vex || e == emit_x87;
}

/* The stack pointer is used whole. */
static bool wide_stack(const struct trans *t)
{
    return t->wide || (t->context->mode & MODE_SS32);
}

/* Does @in change register @reg by the sum @by, and by nothing else? */
static bool is_sum(const struct trans *t, const struct insn *in, unsigned reg, int64_t *by)
{
    trans_emitter emitter = trans_emitters[in->row];
    unsigned opcode = insn_info[in->row].opcode, word = t->wide ? 8 : 4, digit = in->reg & 7u;
    bool stack = reg == GPR_OFF(R_SP) && wide_stack(t);
    if (emitter == emit_push || emitter == emit_call) {
        *by = -(int)in->opsize;
        return stack;
    }
    if (emitter == emit_pop) {
        *by = in->opsize;
        return stack && in->r != reg;
    }
    if (emitter == emit_ret) {
        bool more = insn_info[in->row].operand[0] == OPD_Iw;
        *by = in->opsize + (more ? (uint16_t)in->imm : 0);
        return stack;
    }
    if (emitter == emit_lea_insn) {
        *by = in->disp;
        return in->r == reg && in->base == reg && in->index == GPR_OFF_ZERO &&
               in->opsize == word && in->adsize == word;
    }
    if (emitter == emit_unary && !in->mem && in->m == reg && in->opsize == word && opcode != 0xf7) {
        *by = (opcode >= 0xfe ? digit : opcode >> 3) & 1 ? -1 : 1;
        return true;
    }
    if (emitter == emit_alu && opcode >= 0x80 && !in->mem && in->m == reg && in->opsize == word &&
        (digit == 0 || digit == 5)) {
        *by = digit ? -(int64_t)(int32_t)in->imm : (int32_t)in->imm;
        return (int64_t)in->imm == (int32_t)in->imm || !t->wide;
    }
    return false;
}

bool trans_moves_by(const struct trans *t, const struct insn *in, unsigned reg, int32_t *by)
{
    int64_t sum = 0;
    bool moves = is_sum(t, in, reg, &sum) && sum >= -PLAIN_DISP && sum <= PLAIN_DISP;
    *by = moves ? (int32_t)sum : 0;
    return moves;
}

/* May a row of these write its memory operand? */
static bool writes_memory(const struct insn *in)
{
    trans_emitter emitter = trans_emitters[in->row];
    unsigned opcode = insn_info[in->row].opcode, first = insn_info[in->row].operand[0];
    if (emitter == emit_setcc || emitter == emit_unary || emitter == emit_shift) {
        return true;
    }
    if (emitter == emit_vec || emitter == emit_vex) {
        return first == OPD_Wx || first == OPD_Wdq || first == OPD_Wq || first == OPD_Wd ||
               first == OPD_M || first == OPD_Mq || first == OPD_Qq || first == OPD_Ey;
    }
    bool compares = emitter == emit_alu && (opcode >= 0x80 ? (in->reg & 7) == 7 : opcode >= 0x38);
    return (emitter == emit_move || emitter == emit_alu) && first != OPD_Gb && first != OPD_Gv &&
           !compares;
}

static bool is_same(struct trans_sum a, struct trans_sum b)
{
    return a.base == b.base && a.index == b.index &&
           (a.scale == b.scale || a.index == GPR_OFF_ZERO);
}

/* Does @in change the sum by @moved, and by nothing else? */
static bool moves(const struct trans *t, const struct insn *in, struct trans_sum by,
                  int32_t *moved)
{
    int32_t base, index;
    bool known = trans_moves_by(t, in, by.base, &base) || !trans_may_write(in, by.base);
    known = (trans_moves_by(t, in, by.index, &index) || !trans_may_write(in, by.index)) && known;
    *moved = base + index * (1 << by.scale);
    return known;
}

/* The access of @in by the sum, where it is known without doing it: at @disp from what that is
 * before, of probably @size bytes. */
static bool access_by(const struct trans *t, const struct insn *in, struct trans_sum by,
                      int64_t *disp, unsigned *size, bool *write)
{
    trans_emitter emitter = trans_emitters[in->row];
    bool stack = by.base == GPR_OFF(R_SP) && by.index == GPR_OFF_ZERO && wide_stack(t);
    bool pushes = emitter == emit_push || emitter == emit_call;
    *size = in->opsize;
    if (stack && (pushes || emitter == emit_pop || emitter == emit_ret)) {
        *disp = pushes ? -(int)in->opsize : 0;
        *write = pushes;
        return true;
    }
    *disp = in->disp;
    *write = writes_memory(in);
    return emitter && in->mem &&
           is_same((struct trans_sum){in->base, in->index, in->scale}, by) &&
           in->adsize == (t->wide ? 8 : 4) && trans_is_flat(t, in->seg);
}

/* What accesses that follow add to @n, which has the first one's bytes. False: there are none. */
static bool widen(const struct trans *t, struct trans_near *n)
{
    int64_t moved = 0, lo = n->lo, hi = n->hi, disp;
    bool more = false, write;
    unsigned size;
    for (unsigned i = t->at; i < t->n && moved >= -PLAIN_DISP && moved <= PLAIN_DISP; i++) {
        const struct insn *in = t->insns[i];
        int32_t by;
        if (i > t->at && access_by(t, in, n->by, &disp, &size, &write)) {
            int64_t at = moved + disp, end = at + size;
            int64_t low = at < lo ? at : lo, high = end > hi ? end : hi;
            if (high - low <= TLB_RUN_NEAR) {
                lo = low;
                hi = high;
                n->write |= write;
                more = true;
            }
        }
        if (!moves(t, in, n->by, &by)) {
            break;
        }
        moved += by;
    }
    n->lo = (int32_t)lo;
    n->hi = (int32_t)hi;
    return more;
}

static int32_t slot(unsigned i)
{
    return ENGINE_OFFSET(translated.near[0]) + (int32_t)(i * sizeof(uint64_t));
}

/* A slow path of the instruction so far would come back behind it, without the look. */
bool trans_near_plan(struct trans *t, struct trans_sum by, int32_t disp, unsigned size,
                     enum access access, struct trans_near *n)
{
    *n = (struct trans_near){
        .by = by, .write = access != READ, .lo = disp, .hi = disp + (int32_t)size,
    };
    return !t->path && disp >= -MOST_DISP && disp <= MOST_DISP && t->at + 1 < t->n &&
           !(t->block->checked >> t->in->index_in_block & 1) &&
           can_be_first(trans_emitters[t->in->row]) && widen(t, n);
}

void trans_near_begins(struct trans *t, const struct trans_near *n)
{
    unsigned i = t->next_near++ % NEARS;
    t->near[i] = *n;
    t->near[i].there = true;
    t->is_first = t->head->near = true;
    emit_store(&t->e, 8, HOST_9, slot(i));
}

bool trans_near_has(struct trans *t, struct trans_sum by, bool own, int32_t disp, unsigned size,
                    enum access access)
{
    for (unsigned i = 0; i < NEARS; i++) {
        const struct trans_near *n = &t->near[i];
        if (n->there && is_same(n->by, by) && disp >= n->lo && (int64_t)disp + size <= n->hi &&
            (access == READ || n->write) && (n->own || !own || t->wide)) {
            emit_load(&t->e, 8, HOST_9, slot(i));
            t->direct = t->fixed = false;
            return true;
        }
    }
    return false;
}

/* The host adds up what [register + displacement] of 32-bit code is, where it must not wrap: the
 * register itself has to stay in what was looked up, or between that and where it was. */
static bool may_wrap(const struct trans *t, const struct trans_near *n)
{
    return !t->wide && n->by.index == GPR_OFF_ZERO &&
           ((n->moved < 0 && n->lo > 0) || (n->moved > 0 && n->hi <= 0));
}

void trans_near_over(struct trans *t)
{
    for (unsigned i = 0; i < NEARS; i++) {
        struct trans_near *n = &t->near[i];
        int32_t by;
        if (!n->there || !moves(t, t->in, n->by, &by)) {
            n->there = false;
            continue;
        }
        n->lo -= by;
        n->hi -= by;
        n->moved += by;
        n->there = n->moved >= -PLAIN_DISP && n->moved <= PLAIN_DISP && !may_wrap(t, n);
    }
}

void trans_near_forget(struct trans *t)
{
    memset(t->near, 0, sizeof(t->near));
}
