/*
 * Accesses near to one that has been looked up: by the same register, which has changed by nothing
 * but known sums since, and not far from it. The first one looks for the bytes of all of them, and
 * keeps what leads there from linear addresses (translated.near); the others are then made without
 * a check, and leave EFLAGS alone.
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
           e == emit_pop || e == emit_vec || e == emit_vex || e == emit_x87;
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

/* The same by a small one. */
static bool moves_by(const struct trans *t, const struct insn *in, unsigned reg, int32_t *by)
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

/* The access of @in by register @reg, where it is known without doing it: at @disp from what the
 * register is before, of probably @size bytes. */
static bool access_by(const struct trans *t, const struct insn *in, unsigned reg, int64_t *disp,
                      unsigned *size, bool *write)
{
    trans_emitter emitter = trans_emitters[in->row];
    bool stack = reg == GPR_OFF(R_SP) && wide_stack(t);
    bool pushes = emitter == emit_push || emitter == emit_call;
    *size = in->opsize;
    if (stack && (pushes || emitter == emit_pop || emitter == emit_ret)) {
        *disp = pushes ? -(int)in->opsize : 0;
        *write = pushes;
        return true;
    }
    *disp = in->disp;
    *write = writes_memory(in);
    return emitter && in->mem && in->base == reg && in->index == GPR_OFF_ZERO &&
           in->adsize == (t->wide ? 8 : 4) && trans_is_plain(t, in->seg, in->disp);
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
        if (i > t->at && access_by(t, in, n->reg, &disp, &size, &write)) {
            int64_t at = moved + disp, end = at + size;
            int64_t low = at < lo ? at : lo, high = end > hi ? end : hi;
            if (high - low <= TLB_RUN_NEAR) {
                lo = low;
                hi = high;
                n->write |= write;
                more = true;
            }
        }
        if (moves_by(t, in, n->reg, &by)) {
            moved += by;
        } else if (!trans_emitters[in->row] || trans_may_write(in, n->reg)) {
            break;
        }
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
bool trans_near_plan(struct trans *t, unsigned reg, int32_t disp, unsigned size,
                     enum access access, struct trans_near *n)
{
    *n = (struct trans_near){
        .reg = (uint8_t)reg, .write = access != READ, .lo = disp, .hi = disp + (int32_t)size,
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

bool trans_near_has(struct trans *t, unsigned reg, enum host_reg base, int32_t disp, unsigned size,
                    enum access access)
{
    for (unsigned i = 0; i < NEARS; i++) {
        const struct trans_near *n = &t->near[i];
        if (n->there && n->reg == reg && disp >= n->lo && (int64_t)disp + size <= n->hi &&
            (access == READ || n->write)) {
            emit_load(&t->e, 8, HOST_9, slot(i));
            t->operand = (struct host_mem){base, HOST_9, 0, disp};
            t->direct = t->fixed = false;
            return true;
        }
    }
    return false;
}

/* Of 32-bit code the register itself has to stay among what was looked up, since sums that wrap are
 * not. */
void trans_near_over(struct trans *t)
{
    for (unsigned i = 0; i < NEARS; i++) {
        struct trans_near *n = &t->near[i];
        int32_t by;
        if (moves_by(t, t->in, n->reg, &by)) {
            n->lo -= by;
            n->hi -= by;
        } else if (trans_may_write(t->in, n->reg)) {
            n->there = false;
        }
        if (n->lo < -2 * PLAIN_DISP || n->lo > 2 * PLAIN_DISP ||
            (by && !t->wide && (n->lo > 0 || n->hi < 0))) {
            n->there = false;
        }
    }
}

void trans_near_forget(struct trans *t)
{
    memset(t->near, 0, sizeof(t->near));
}
