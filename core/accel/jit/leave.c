/*
 * Out of translated code and back: where a translation ends and does not know the next one, it
 * calls this. What follows runs in the interpreter, inside this call, until a translated block is
 * reached; run_translated then only says where it is (translated.code), and the caller jumps there.
 */
#include "core/accel/jit/jit.h"

#include "core/accel/jit/check.h"
#include "core/accel/jit/fault.h"

/* Back in C: before instruction cur if @inside, else behind a block. */
static void begin(struct x86_cpu *cpu, bool inside)
{
    struct interp *e = interp_of(cpu);
    jit_fp_leave(cpu);
    jit_flags_from_image(cpu, e->translated.flags);
    e->translated.code = NULL;
    unsigned begun = inside ? e->block->n : 0;
    interp_trail_code(e, cpu->icount_end - (uint64_t)cpu->budget - begun);
}

static void begin_behind(struct x86_cpu *cpu)
{
    struct jit *j = jit_of(interp_of(cpu));
    begin(cpu, false);
    if (unlikely(j->check != NULL)) {
        check_end_left(j);
    }
}

/* Before instruction @index of @jb. The parts behind are not run. */
static void begin_before(struct x86_cpu *cpu, const struct jit_block *jb, unsigned index)
{
    struct interp *e = interp_of(cpu);
    cpu->budget += jb->rest;
    e->block = jb->block;
    begin(cpu, true);
    if (unlikely(jit_of(e)->check != NULL)) {
        check_end_before(jit_of(e), jb, index);
    }
    cpu->block_rip = jb->rip;
    cpu->s.gpr[GPR_OFF_RIP / 8] = jb->rip;
    cpu->cur = &jb->block->insns[index];
}

/* Where run functions have led: to a translated block, or out. */
static const uint8_t *end(struct x86_cpu *cpu)
{
    const struct interp *e = interp_of(cpu);
#if INTERP_LOOP
    while (cpu->cur && !e->translated.code) {
        cpu->cur->run(cpu, cpu->cur);
    }
#endif
    return e->translated.code;
}

/* The translation of the block at s.rip, if it has one for the moment: what the table of jumps knew
 * of that address was of another one, or is not sure any more. @from: the exit, or NULL. */
static struct jit_block *known_block(struct x86_cpu *cpu, const struct jit_link *from)
{
    struct interp *e = interp_of(cpu);
    struct jit *j = jit_of(e);
    guard_reopen(&j->guard);
    if (unlikely(atomic_load(cpu->pending) & cpu->pend_mask) || j->check) {
        return NULL;
    }
    const struct block *b = block_known(e);
    if (!b || !b->translated || !jit_may_enter(e, b)) {
        return NULL;
    }
    jit_find_context(j);
    struct jit_block *jb = b->translated;               /* NULL: that forgot everything */
    bool holds = jb && jb->context == j->context && jb->rip == cpu->s.rip &&
                 jb->misses < MOVED_AGAIN && cpu->budget >= b->n + jb->rest &&
                 jit_is_settled(j, jb, from);
    return holds ? jb : NULL;
}

/* It goes on there; flags are in translated.flags. */
static const uint8_t *go_to(struct jit *j, struct jit_block *jb)
{
    j->stats.entries++;
    jit_add_jump(j, jb);
    return codemem_rx(&j->code, jb->cold);
}

const uint8_t *jit_leave_chain(struct x86_cpu *cpu, void *what, unsigned index)
{
    begin_behind(cpu);
    struct jit_block *jb = known_block(cpu, NULL);
    if (jb) {
        return go_to(jit_of(interp_of(cpu)), jb);
    }
    interp_chain(cpu);
    return end(cpu);
}

const uint8_t *jit_leave_link(struct x86_cpu *cpu, void *what, unsigned index)
{
    struct jit *j = jit_of(interp_of(cpu));
    struct jit_link *l = what;
    cpu->s.rip = l->rip;
    begin_behind(cpu);
    struct jit_block *jb = known_block(cpu, l);
    if (jb) {
        jit_link_wanted(j, l, jb);
        return go_to(j, jb);
    }
    j->wanted = l->from->block ? l : NULL;
    interp_chain(cpu);
    return end(cpu);
}

/* Interprets instruction cur and what follows. */
static const uint8_t *step(struct x86_cpu *cpu)
{
    struct interp *e = interp_of(cpu);
    const struct insn *in = cpu->cur;
    fault_note(jit_of(e), e->block, in->index_in_block);
    insn_run run = in == e->block->insns ? e->block->first : in->run;
    run(cpu, in);
    return end(cpu);
}

const uint8_t *jit_leave_slow(struct x86_cpu *cpu, void *what, unsigned index)
{
    begin(cpu, true);                                   /* of a trial jit_slow has seen the end */
    return step(cpu);
}

const uint8_t *jit_leave_step(struct x86_cpu *cpu, void *what, unsigned index)
{
    bool near = index & STEP_NEAR;
    index &= STEP_NEAR - 1;
    begin_before(cpu, what, index);
    if (unlikely(cpu->run_tired)) {
        jit_run_tired(jit_of(interp_of(cpu)), what, index);
    }
    if (near) {
        jit_near_missed(jit_of(interp_of(cpu)), what, index);
    }
    return step(cpu);
}

const uint8_t *jit_leave_stop(struct x86_cpu *cpu, void *what, unsigned index)
{
    begin_before(cpu, what, index);
    run_stop(cpu, cpu->cur);
    return end(cpu);
}

/* ---- instructions that change more than registers and memory ---- */

/* Goes on at s.rip. A block that is known is entered at once. */
static const uint8_t *resume(struct x86_cpu *cpu)
{
    struct interp *e = interp_of(cpu);
    struct jit *j = jit_of(e);
    interp_resync(e);
    guard_reopen(&j->guard);
    bool pending = atomic_load_explicit(cpu->pending, memory_order_relaxed) & cpu->pend_mask;
    if (likely(!pending && !j->check && jit_may_enter(e, e->block))) {
        jit_find_context(j);
        const uint8_t *code = jit_find_jump(j, cpu->s.rip);
        if (likely(code)) {
            e->translated.flags = jit_flags_image(cpu);
            return code;
        }
        struct jit_block *jb = known_block(cpu, NULL);
        if (jb) {
            e->translated.flags = jit_flags_image(cpu);
            return go_to(j, jb);
        }
    }
    interp_chain(cpu);
    return end(cpu);
}

const uint8_t *jit_leave_op(struct x86_cpu *cpu, void *what, unsigned index)
{
    begin_before(cpu, what, index);
    const struct insn *in = cpu->cur;
    cpu->s.rip = x86_next_rip(cpu, in);
    block_op(interp_of(cpu)->block, in)(cpu, in);
    return resume(cpu);
}
