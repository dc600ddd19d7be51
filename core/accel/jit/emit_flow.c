/*
 * Emitters: the stack and near branches.
 *
 * A branch whose target is beyond the code segment's limit faults before it changes anything: the
 * interpreter does it.
 */
#include "core/accel/jit/translate.h"

/* Bytes of the stack pointer that are used. */
static unsigned stack_size(const struct trans *t)
{
    return t->wide ? 8 : t->context->mode & MODE_SS32 ? 4 : 2;
}

void trans_stack_offset(struct trans *t, int by)
{
    trans_guess(t, t->regs[R_SP]);
    if (stack_size(t) > 2) {
        emit_lea(&t->e, stack_size(t), HOST_8, REG_ESP, HOST_NONE, by);
    } else if (by) {
        emit_lea(&t->e, 4, HOST_8, REG_ESP, HOST_NONE, by);
        emit_rr(&t->e, 0x0fb7, 4, HOST_8, HOST_8);
    } else {
        emit_rr(&t->e, 0x0fb7, 4, HOST_8, REG_ESP);
    }
}

void trans_move_esp(struct trans *t, int by)
{
    emit_lea(&t->e, stack_size(t), REG_ESP, REG_ESP, HOST_NONE, by);
}

static void store_on_stack(struct trans *t, unsigned size, enum host_reg reg)
{
    emit_rm(&t->e, 0x89, size, reg, trans_op(t));
}

static void probe_push(struct trans *t, unsigned size)
{
    trans_stack(t, -(int)size, size, WRITE);
}

bool emit_push(struct trans *t)
{
    unsigned size = t->in->opsize;
    uint8_t o = t->info->operand[0];
    bool memory = o == OPD_Ev && t->in->mem;
    struct host_mem wait = cpu_field(ENGINE_OFFSET(translated.link));
    if (memory) {
        trans_mem(t, size, READ);
        emit_rm(&t->e, 0x8b, size, HOST_10, trans_op(t));
        emit_rm(&t->e, 0x89, 8, HOST_10, &wait);
    }
    probe_push(t, size);
    if (memory) {
        emit_rm(&t->e, 0x8b, 8, HOST_10, &wait);
        store_on_stack(t, size, HOST_10);
    } else if (o == OPD_Iz || o == OPD_sIb) {
        emit_rm(&t->e, 0xc7, size, 0, trans_op(t));
        emit_imm(&t->e, t->in->imm, size == 2 ? 2 : 4);
    } else {
        store_on_stack(t, size, trans_reg(t, o == OPD_Ev ? t->in->m : t->in->r));
    }
    trans_move_esp(t, -(int)size);
    return true;
}

/* What [R8] of the stack had into @to, and (E)SP behind it. */
void trans_pop_into(struct trans *t, unsigned size, enum host_reg to)
{
    if (to == REG_ESP) {
        emit_rm(&t->e, 0x8b, size, HOST_10, trans_op(t));
        trans_move_esp(t, (int)size);
        emit_mov(&t->e, size, REG_ESP, HOST_10);
    } else {
        emit_rm(&t->e, 0x8b, size, to, trans_op(t));
        trans_move_esp(t, (int)size);
    }
}

bool emit_pop(struct trans *t)
{
    unsigned size = t->in->opsize;
    trans_stack(t, 0, size, READ);
    trans_pop_into(t, size, trans_reg(t, t->in->r));
    return true;
}

bool emit_leave(struct trans *t)
{
    unsigned size = t->in->opsize;
    trans_guess(t, t->regs[R_BP]);
    if (stack_size(t) > 2) {
        emit_mov(&t->e, stack_size(t), HOST_8, HOST_BP);
    } else {
        emit_rr(&t->e, 0x0fb7, 4, HOST_8, HOST_BP);
    }
    trans_probe(t, S_SS, size, READ);
    emit_rm(&t->e, 0x8b, size, HOST_10, trans_op(t));
    emit_lea(&t->e, stack_size(t), REG_ESP, HOST_BP, HOST_NONE, (int)size);
    emit_mov(&t->e, size, HOST_BP, HOST_10);
    return true;
}

/* ---- branches ---- */

static bool fits(const struct trans *t, uint64_t to)
{
    return jit_branch_fits(t->context, to);
}

bool emit_jump(struct trans *t)
{
    if (!trans_ends(t)) {
        return true;
    }
    if (!fits(t, trans_target(t))) {
        return false;
    }
    trans_exit_to(t, trans_target(t));
    t->ended = true;
    return true;
}

/* The branch is taken on condition @cc: inside the translation, whose next part is where it led
 * when that was found; or at the end. */
static void branch_if(struct trans *t, unsigned cc)
{
    if (trans_ends(t)) {
        trans_exit_two(t, cc);
        return;
    }
    uint64_t on = t->jb[1].rip;
    if (trans_next(t) != on) {
        trans_leave_if(t, cc ^ 1, trans_next(t));
    } else if (trans_target(t) != on) {
        trans_leave_if(t, cc, trans_target(t));
    }
}

bool emit_jump_cc(struct trans *t)
{
    if (!fits(t, trans_target(t))) {
        return false;
    }
    if (!t->context->live || !trans_ends(t)) {
        trans_flags_before(t);
    }
    if (trans_ends(t)) {
        trans_flags_leave(t);
    }
    branch_if(t, t->in->opcode & 15u);
    return true;
}

/* LOOP and JCXZ where EFLAGS has to stay */
static bool loop_live(struct trans *t)
{
    bool loop = t->in->opcode == 0xe2;
    if (t->in->adsize != 4) {
        return false;
    }
    trans_flags_to_host(t);
    if (loop) {
        emit_lea(&t->e, 4, HOST_CX, HOST_CX, HOST_NONE, -1);
    }
    uint8_t *zero = emit_jrcxz(&t->e, 4);
    trans_exit_to(t, loop ? trans_target(t) : trans_next(t));
    emit_link_short(zero, t->e.at);
    trans_exit_to(t, loop ? trans_next(t) : trans_target(t));
    t->ended = true;
    return true;
}

/* LOOP and JCXZ */
bool emit_loop(struct trans *t)
{
    unsigned size = t->in->adsize;
    if (!fits(t, trans_target(t)) || t->in->opcode < 0xe2) {
        return false;
    }
    if (t->context->live) {
        return loop_live(t);
    }
    trans_save_flags(t);
    t->in_host = false;
    if (t->in->opcode == 0xe2) {
        emit_rr(&t->e, 0x83, size, 5, HOST_CX);         /* sub cx, 1 */
        emit_u8(&t->e, 1);
        branch_if(t, 5);
    } else {
        emit_rr(&t->e, 0x85, size, HOST_CX, HOST_CX);
        branch_if(t, 4);
    }
    return true;
}

static void push_return(struct trans *t, unsigned size)
{
    uint64_t to = trans_next(t);
    probe_push(t, size);
    if (size == 8 && (int64_t)to != (int32_t)to) {
        emit_mov_imm(&t->e, HOST_10, to);
        store_on_stack(t, 8, HOST_10);
    } else {
        emit_rm(&t->e, 0xc7, size, 0, trans_op(t));
        emit_imm(&t->e, to, size == 2 ? 2 : 4);
    }
    trans_move_esp(t, -(int)size);
}

bool emit_call(struct trans *t)
{
    if (!fits(t, trans_target(t))) {
        return false;
    }
    push_return(t, t->in->opsize);
    if (!trans_ends(t)) {
        t->open[t->n_open++] = (uint8_t)(t->jb - t->head);
        return true;
    }
    trans_exit_call(t, trans_target(t));
    t->ended = true;
    return true;
}

void trans_check_target(struct trans *t, enum host_reg reg)
{
    uint64_t last = t->context->cs_last;
    if (t->wide) {                                      /* canonical? */
        emit_mov(&t->e, 8, HOST_9, reg);
        emit_rr(&t->e, 0xc1, 8, 4, HOST_9);             /* shl */
        emit_u8(&t->e, 16);
        emit_rr(&t->e, 0xc1, 8, 7, HOST_9);             /* sar */
        emit_u8(&t->e, 16);
        emit_rr(&t->e, 0x3b, 8, HOST_9, reg);
        trans_slow_if(t, 5);
        return;
    }
    if (last >= (t->in->opsize == 2 ? 0xffffu : 0xffffffffu)) {
        return;
    }
    emit_rr(&t->e, 0x81, 4, 7, reg);                    /* cmp reg, last */
    emit_imm(&t->e, last, 4);
    trans_slow_if(t, 7);
}

/* [R8 + R9] of @size bytes into @to. */
static void load_offset(struct trans *t, unsigned size, enum host_reg to)
{
    emit_rm(&t->e, size == 2 ? 0x0fb7 : 0x8b, size == 8 ? 8 : 4, to, trans_op(t));
}

/* To the interpreter, which does the instruction, unless R8 is @to. EFLAGS stays in live code. */
static void step_unless(struct trans *t, uint64_t to)
{
    struct emit *e = &t->e;
    struct slow_path *p = trans_new_path(t, t->in->index_in_block);
    if (t->context->live) {
        emit_mov(e, 8, HOST_10, HOST_CX);
        emit_lea(e, 4, HOST_CX, HOST_8, HOST_NONE, (int32_t)(0 - (uint32_t)to));
        uint8_t *equal = emit_jrcxz(e, 8);
        emit_mov(e, 8, HOST_CX, HOST_10);
        p->from[p->n++] = emit_jmp(e);
        emit_link_short(equal, e->at);
        emit_mov(e, 8, HOST_CX, HOST_10);
        return;
    }
    if (t->wide && (int64_t)to != (int32_t)to) {
        emit_mov_imm(e, HOST_9, to);
        emit_rr(e, 0x3b, 8, HOST_8, HOST_9);
    } else {
        emit_rr(e, 0x81, t->wide ? 8 : 4, 7, HOST_8);   /* cmp r8, to */
        emit_imm(e, to, 4);
    }
    p->from[p->n++] = emit_jcc(e, 5);
}

/* Inside the translation, behind the CALL that led here. */
static void return_inside(struct trans *t, unsigned size, unsigned more)
{
    if (!t->context->live) {
        trans_flags_aside(t);
    }
    trans_stack(t, 0, size, READ);
    load_offset(t, size, HOST_8);
    step_unless(t, t->jb[1].rip);
    trans_move_esp(t, (int)(size + more));
    t->n_open--;
}

bool emit_ret(struct trans *t)
{
    unsigned size = t->in->opsize, more = t->info->operand[0] == OPD_Iw ? (uint16_t)t->in->imm : 0;
    if (!trans_ends(t)) {
        return_inside(t, size, more);
        return true;
    }
    trans_flags_leave(t);
    trans_stack(t, 0, size, READ);
    load_offset(t, size, HOST_8);
    trans_move_esp(t, (int)(size + more));
    trans_exit_return(t);
    trans_move_esp(t, -(int)(size + more));             /* the interpreter begins with it */
    trans_check_target(t, HOST_8);
    trans_move_esp(t, (int)(size + more));
    trans_exit_unknown(t);
    t->ended = true;
    return true;
}

/* JMP and CALL to what E holds */
bool emit_jump_e(struct trans *t)
{
    unsigned size = t->in->opsize;
    bool call = (t->in->reg & 7) == 2;
    struct emit *e = &t->e;
    trans_flags_leave(t);
    if (t->in->mem) {
        trans_mem(t, size, READ);
        load_offset(t, size, call ? HOST_11 : HOST_8);
    } else {
        emit_rr(e, size == 2 ? 0x0fb7 : 0x8b, size == 8 ? 8 : 4, call ? HOST_11 : HOST_8,
                trans_reg(t, t->in->m));
    }
    if (call) {
        struct host_mem keep = cpu_field(ENGINE_OFFSET(translated.link));
        trans_check_target(t, HOST_11);
        emit_rm(e, 0x89, 8, HOST_11, &keep);            /* the probe uses every scratch register */
        push_return(t, size);
        emit_rm(e, 0x8b, 8, HOST_8, &keep);
        trans_call_indirect(t);
    } else {
        trans_jump_known(t);
        trans_check_target(t, HOST_8);
        trans_exit_unknown(t);
    }
    t->ended = true;
    return true;
}
