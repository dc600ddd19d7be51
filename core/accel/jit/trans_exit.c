/*
 * The ways out of a translation: to another one, directly or by the table of jumps, and to the
 * interpreter.
 */
#include "core/accel/jit/translate.h"

uint64_t trans_next(const struct trans *t)
{
    return (t->jb->rip + t->in->offset + t->in->len) & (t->wide ? ~0ull : 0xffffffff);
}

uint64_t trans_target(const struct trans *t)
{
    return jit_branch_target(t->in, trans_next(t));
}

/* "Not equal" if another thread made something pending: once in every guest loop. What this one
 * makes pending is looked at by C code. */
static void check_pending(struct trans *t)
{
    struct host_mem closed = cpu_field(ENGINE_OFFSET(translated.closed));
    emit_rm(&t->e, 0x83, 4, 7, &closed);                /* cmp [closed], 0 */
    emit_u8(&t->e, 0);
}

/* The same where pend_mask may have changed: SYSRET. Uses R9. */
static void check_mask(struct trans *t)
{
    struct host_mem word = {HOST_9, HOST_NONE, 0, 0}, mask = cpu_field(CPU_OFFSET(pend_mask));
    emit_load(&t->e, 8, HOST_9, CPU_OFFSET(pending));
    emit_rm(&t->e, 0x8b, 4, HOST_9, &word);
    emit_rm(&t->e, 0x85, 4, HOST_9, &mask);
}

#define ALWAYS 16u           /* in place of a condition */
#define CALL   17u           /* the same, and the host's return address is pushed */

static bool far_page(const struct trans *t, uint64_t rip)
{
    uint64_t base = t->context->cs_base;
    return ((base + rip) ^ (base + t->jb->rip)) >> PAGE_BITS;
}

/* May what is at @rip change without a store to it? */
static bool may_move(const struct trans *t, uint64_t rip)
{
    return t->context->paged && far_page(t, rip);
}

/* Or to where a translation begins that may have gone backward inside. */
static bool is_backward(const struct trans *t, uint64_t rip)
{
    return rip <= t->jb->rip + t->in->offset || rip == t->head->rip;
}

/* A jump that is patched when the block at @rip is translated: always, or if condition @cc
 * holds. */
static struct jit_link *link_jump(struct trans *t, unsigned cc, uint64_t rip)
{
    struct emit *e = &t->e;
    struct jit_link *l = jit_new_link(t->j, t->head, rip, far_page(t, rip));
    l->counts = t->head->n_parts > 1 || is_backward(t, rip);
    unsigned opcode_bytes = cc < ALWAYS ? 2 : 1;
    /* The host joins a conditional one with the compare before it, if nothing is between them. */
    unsigned align = cc == ALWAYS ? 4 : 64;
    while (((uintptr_t)e->at + opcode_bytes) % align > align - 4) {
        emit_u8(e, 0x90);                               /* patched at once: in one line */
    }
    l->at = cc == CALL ? emit_call_to(e) : cc == ALWAYS ? emit_jmp(e) : emit_jcc(e, cc);
    return l;
}

/* Where it leads until then; and if that changes too often. */
static void link_stub(struct trans *t, struct jit_link *l)
{
    l->stub = t->e.at;
    emit_mov_imm(&t->e, HOST_8, (uintptr_t)l);
    emit_link(emit_jmp(&t->e), stubs_of(t)->exit_link);
    emit_link(l->at, l->stub);
    if (may_move(t, l->rip)) {
        l->look = t->e.at;
        emit_mov_imm(&t->e, HOST_8, l->rip);
        trans_exit_indirect(t);
    }
}

void trans_exit_chain(struct trans *t, uint64_t rip)
{
    emit_mov_imm(&t->e, HOST_8, rip);
    emit_link(emit_jmp(&t->e), stubs_of(t)->exit_chain);
}

/* @cc ALWAYS, or 4 behind check_pending. */
static void exit_direct(struct trans *t, unsigned cc, uint64_t rip)
{
    trans_flags_leave(t);
    struct jit_link *l = link_jump(t, cc, rip);
    if (cc != ALWAYS) {
        trans_exit_chain(t, rip);
    }
    link_stub(t, l);
}

void trans_exit_to(struct trans *t, uint64_t rip)
{
    trans_flags_leave(t);
    if (is_backward(t, rip) && !t->context->live) {
        check_pending(t);
        exit_direct(t, 4, rip);
    } else {
        exit_direct(t, ALWAYS, rip);
    }
}

void trans_leave_if(struct trans *t, unsigned cc, uint64_t rip)
{
    struct slow_path *p = trans_new_path(t, t->in->index_in_block);
    p->leaves = true;
    p->rip = rip;
    p->from[p->n++] = emit_jcc(&t->e, cc);
}

void trans_exit_two(struct trans *t, unsigned cc)
{
    uint64_t to = trans_target(t);
    if (is_backward(t, to) && !t->context->live) {
        uint8_t *taken = emit_jcc(&t->e, cc);
        trans_exit_to(t, trans_next(t));
        emit_link(taken, t->e.at);
        trans_exit_to(t, to);
    } else {
        struct jit_link *l = link_jump(t, cc, to);
        trans_exit_to(t, trans_next(t));
        link_stub(t, l);
    }
    t->ended = true;
}

/* ---- calls and returns (returns.h) ---- */

/* Behind the host's CALL: where R8 is not @back, its RET goes on at REG_OTHER. Returns the place of
 * the code. Uses R9, R10. */
static uint8_t *return_point(struct trans *t, uint64_t back)
{
    struct emit *e = &t->e;
    uint8_t *start = e->at;
    unsigned cc = 4;
    if (t->context->live) {
        cc = ALWAYS;
        emit_mov(e, 8, HOST_10, HOST_CX);
        emit_lea(e, 4, HOST_CX, HOST_8, HOST_NONE, (int32_t)(0 - (uint32_t)back));
        uint8_t *expected = emit_jrcxz(e, 8);
        emit_mov(e, 8, HOST_CX, HOST_10);
        emit_rr(e, 0xff, 4, 4, REG_OTHER);
        emit_link_short(expected, e->at);
        emit_mov(e, 8, HOST_CX, HOST_10);
    } else if (t->wide && (int64_t)back != (int32_t)back) {
        emit_mov_imm(e, HOST_9, back);
        emit_rr(e, 0x3b, 8, HOST_8, HOST_9);
    } else {
        emit_rr(e, 0x81, t->wide ? 8 : 4, 7, HOST_8);   /* cmp r8, back */
        emit_imm(e, back, 4);
    }
    struct jit_link *l = link_jump(t, cc, back);
    if (cc != ALWAYS) {
        emit_rr(e, 0xff, 4, 4, REG_OTHER);
    }
    link_stub(t, l);
    return start;
}

/* Is the return to @back expected by the host? A loop of calls without one goes through a jump
 * backward, and so looks for interrupts there. */
static bool is_paired(const struct trans *t, uint64_t back)
{
    return back > t->jb->rip + t->in->offset && back <= t->context->cs_last &&
           !may_move(t, back);
}

/* What CALL pushes. */
static uint64_t pushed(const struct trans *t)
{
    return trans_next(t) & (~0ull >> (64 - 8 * t->in->opsize));
}

/* By way of the interpreter, to the offset in R8. */
static void call_unknown(struct trans *t, const uint8_t *point)
{
    emit_link(emit_call_to(&t->e), stubs_of(t)->exit_chain);
    emit_link(emit_jmp(&t->e), point);
}

/* The jump table's entry is @entry: goes there. For a @call the host's is a direct one, to a jump:
 * hosts are slow in predicting what an indirect one leads to. Returns where it comes back. */
static const uint8_t *go_to_entry(struct trans *t, const struct host_mem *entry, bool call)
{
    uint8_t *to = call ? emit_call_to(&t->e) : NULL;
    const uint8_t *point = call ? return_point(t, pushed(t)) : NULL;
    if (call) {
        emit_link(to, t->e.at);
    }
    emit_rm(&t->e, 0xff, 4, (enum host_reg)4, entry);   /* jmp [entry] */
    return point;
}

/* Without a change of EFLAGS: JRCXZ looks whether the sum is 0. */
static const uint8_t *jump_live(struct trans *t, bool call)
{
    struct emit *e = &t->e;
    struct host_mem jumps = cpu_field(ENGINE_OFFSET(translated.live_jumps));
    struct host_mem ctx_key = cpu_field(ENGINE_OFFSET(translated.live_key));
    struct host_mem slot = {HOST_9, HOST_10, 3, 0};
    struct host_mem key = {HOST_9, HOST_NONE, 0, offsetof(struct jit_live_jump, key)};
    struct host_mem entry = {HOST_9, HOST_NONE, 0, offsetof(struct jit_live_jump, entry)};
    _Static_assert(sizeof(struct jit_live_jump) == 16 && LIVE_JUMPS == 65536, "scaled below");
    trans_flags_to_host(t);
    emit_rm(e, 0x8b, 8, HOST_9, &jumps);
    emit_rr(e, 0x0fb7, 4, HOST_10, HOST_8);             /* movzx r10d, r8w */
    emit_mov(e, 8, HOST_11, HOST_CX);
    emit_lea(e, 4, HOST_10, HOST_10, HOST_10, 0);
    emit_rm(e, 0x8d, 8, HOST_9, &slot);
    emit_rm(e, 0x8b, 8, HOST_CX, &key);
    emit_rm(e, 0x8b, 8, HOST_10, &ctx_key);
    emit_lea(e, 8, HOST_CX, HOST_CX, HOST_8, 0);
    emit_lea(e, 8, HOST_CX, HOST_CX, HOST_10, 0);
    uint8_t *known = emit_jrcxz(e, 8);
    emit_mov(e, 8, HOST_CX, HOST_11);
    uint8_t *unknown = emit_jmp(e);
    emit_link_short(known, e->at);
    emit_mov(e, 8, HOST_CX, HOST_11);
    const uint8_t *point = go_to_entry(t, &entry, call);
    emit_link(unknown, e->at);
    return point;
}

/* To the block at the offset in R8, which is kept, if one is known and nothing is pending. Returns
 * where a @call returns to. */
static const uint8_t *jump_known(struct trans *t, bool call)
{
    struct emit *e = &t->e;
    struct host_mem key = cpu_field(ENGINE_OFFSET(translated.jump_key));
    struct host_mem global_key = cpu_field(ENGINE_OFFSET(translated.global_key));
    struct host_mem jumps = cpu_field(ENGINE_OFFSET(translated.jumps));
    struct host_mem slot = {HOST_10, HOST_NONE, 0, offsetof(struct jit_jump, rip)};
    struct host_mem slot_key = {HOST_10, HOST_NONE, 0, offsetof(struct jit_jump, key)};
    struct host_mem entry = {HOST_10, HOST_NONE, 0, offsetof(struct jit_jump, entry)};
    uint8_t *holds = NULL;
    _Static_assert(sizeof(struct jit_jump) == 32, "scaled below");
    if (t->context->live) {
        return jump_live(t, call);
    }
    trans_save_flags(t);
    check_mask(t);
    uint8_t *out = emit_jcc(e, 5);
    emit_mov(e, 4, HOST_10, HOST_8);                    /* as jit_jump_slot */
    emit_rr(e, 0xc1, 4, 5, HOST_10);
    emit_u8(e, PAGE_BITS);
    emit_rr(e, 0x33, 4, HOST_10, HOST_8);
    emit_rr(e, 0x81, 4, 4, HOST_10);
    emit_imm(e, JIT_JUMPS - 1, 4);
    emit_rr(e, 0xc1, 4, 4, HOST_10);                    /* shl r10d, 5 */
    emit_u8(e, 5);
    emit_rm(e, 0x03, 8, HOST_10, &jumps);
    emit_rm(e, 0x8b, 8, HOST_9, &key);
    emit_rm(e, 0x3b, 8, HOST_8, &slot);
    uint8_t *miss = emit_jcc(e, 5);
    emit_rm(e, 0x3b, 8, HOST_9, &slot_key);
    if (t->context->paged) {                            /* or of a global page */
        holds = emit_jcc(e, 4);
        emit_rm(e, 0x8b, 8, HOST_9, &global_key);
        emit_rm(e, 0x3b, 8, HOST_9, &slot_key);
    }
    uint8_t *stale = emit_jcc(e, 5);
    if (holds) {
        emit_link(holds, e->at);
    }
    const uint8_t *point = go_to_entry(t, &entry, call);
    emit_link(stale, e->at);
    emit_link(out, e->at);
    emit_link(miss, e->at);
    return point;
}

void trans_jump_known(struct trans *t)
{
    jump_known(t, false);
}

void trans_exit_unknown(struct trans *t)
{
    emit_link(emit_jmp(&t->e), stubs_of(t)->exit_chain);
}

void trans_exit_elsewhere(struct trans *t)
{
    emit_mov_imm(&t->e, HOST_SP, (uintptr_t)returns_forget(&t->j->returns));
    trans_exit_indirect(t);
}

void trans_exit_indirect(struct trans *t)
{
    trans_jump_known(t);
    trans_exit_unknown(t);
}

void trans_call_indirect(struct trans *t)
{
    if (!is_paired(t, pushed(t))) {
        trans_exit_indirect(t);
        return;
    }
    const uint8_t *point = jump_known(t, true);
    call_unknown(t, point);
}

void trans_exit_call(struct trans *t, uint64_t rip)
{
    struct emit *e = &t->e;
    uint8_t *due = NULL;
    if (rip == pushed(t) || !is_paired(t, pushed(t))) { /* what such a CALL pushes is popped */
        trans_exit_to(t, rip);
        return;
    }
    trans_flags_leave(t);
    if (is_backward(t, rip) && !t->context->live) {
        check_pending(t);
        due = emit_jcc(e, 5);
    }
    struct jit_link *l = link_jump(t, CALL, rip);
    const uint8_t *point = return_point(t, pushed(t));
    link_stub(t, l);
    if (due) {
        emit_link(due, e->at);
        emit_mov_imm(e, HOST_8, rip);
        call_unknown(t, point);
    }
}

void trans_exit_return(struct trans *t)
{
    trans_flags_leave(t);                               /* the access to the stack may have them */
    uint8_t *other = emit_lea_code(&t->e, REG_OTHER);
    emit_u8(&t->e, 0xc3);
    emit_link(other, t->e.at);
    trans_jump_known(t);
}

static void exit_at(struct trans *t, unsigned index, const uint8_t *stub)
{
    emit_mov_imm(&t->e, HOST_8, (uintptr_t)t->jb);
    emit_mov_imm(&t->e, HOST_9, index);
    emit_link(emit_jmp(&t->e), stub);
}

void trans_exit_step(struct trans *t, unsigned index)
{
    exit_at(t, index, stubs_of(t)->exit_step);
}

void trans_exit_op(struct trans *t)
{
    exit_at(t, t->in->index_in_block, stubs_of(t)->exit_op);
}

bool trans_goes_in_or_out(const struct insn *in)
{
    return trans_emitters[in->row] == emit_call || trans_emitters[in->row] == emit_ret;
}

/* The host is to return behind the CALL of part @i, as if it had been called there. */
static void expect_return(struct trans *t, unsigned i)
{
    const struct jit_block *jb = &t->head[i];
    const struct insn *call = &jb->block->insns[jb->block->n - 1];
    uint64_t back = (jb->rip + jb->block->bytes) & (~0ull >> (64 - 8 * call->opsize));
    uint8_t *on = emit_call_to(&t->e);
    if (t->points[i]) {
        emit_link(emit_jmp(&t->e), t->points[i]);
    } else {
        t->points[i] = return_point(t, back);
    }
    emit_link(on, t->e.at);
}

/* What follows in the translation is not run. */
static void leave(struct trans *t, const struct slow_path *p)
{
    t->in = &t->block->insns[p->index];
    t->in_host = p->flags == FLAGS_IN_HOST;
    t->saved = p->flags == FLAGS_SAVED;
    t->again = p->again;
    trans_flags_leave(t);
    trans_take_budget(t, 0, t->jb->rest);
    for (unsigned i = 0; i < p->n_open; i++) {
        expect_return(t, p->open[i]);
    }
    trans_exit_to(t, p->rip);
}

void trans_slow_paths(struct trans *t)
{
    for (unsigned i = 0; i < t->n_slow; i++) {
        struct slow_path *p = &t->slow[i];
        t->jb = p->jb;
        t->block = p->jb->block;
        p->at = t->e.at;
        for (unsigned k = 0; k < p->n; k++) {
            emit_link(p->from[k], t->e.at);
        }
        trans_clean_path(t, p);
        if (p->leaves) {
            leave(t, p);
            continue;
        }
        trans_flags_of_path(t, p);
        trans_fp_note(t, p->noted);
        if (!p->back) {
            trans_exit_step(t, p->index | (p->near ? STEP_NEAR : 0));
            continue;
        }
        emit_mov_imm(&t->e, HOST_8, (uintptr_t)t->jb);
        emit_mov_imm(&t->e, HOST_9, p->index | trans_fp_slow(t));
        const uint8_t *stub = trans_slow_stub(t, p);
        emit_link(emit_call_to(&t->e), stub);
        trans_reload(t, p->held);
        emit_link(emit_jmp(&t->e), p->back);
    }
}
