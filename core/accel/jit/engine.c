/*
 * The JIT's side of the interpreter's loop: warm blocks, entering, slow instructions, forgetting.
 *
 * Translated code is entered from the first run function of its block and has always left when
 * another block's run function is called, so nothing here but jit_slow is ever called from inside
 * another block's translation.
 */
#include "core/accel/jit/jit.h"

#include "core/accel/jit/check.h"
#include "core/accel/jit/dump.h"
#include "core/accel/jit/fault.h"
#include "core/accel/vcpu.h"
#include "core/base/alloc.h"
#include "core/base/log.h"
#include "trace/core_accel_jit.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- slow instructions ---- */

static void run_return(struct x86_cpu *cpu, const struct insn *in)
{
}

/* Is the block to stop, was it dropped, or does its translation no longer hold? */
static bool must_leave(const struct jit *j, const struct jit_block *jb, unsigned index,
                       uint64_t losses)
{
    return !jit_goes_on(j, jb, losses) || ((index & SLOW_SEGMENT) && !jit_context_holds(j, jb));
}

/* As the interpreter is when it runs an instruction of block @b at offset @rip. */
static void be_in(struct interp *e, struct block *b, uint64_t rip)
{
    struct x86_cpu *cpu = &e->cpu;
    e->block = b;
    cpu->block_rip = rip;
    cpu->s.gpr[GPR_OFF_RIP / 8] = rip;
    interp_trail_code(e, cpu->icount_end - (uint64_t)cpu->budget - b->n);
    interp_trail_block(e, b, (cpu->s.seg[S_CS].base + rip) & cpu->lin_mask);
    jit_flags_from_image(cpu, e->translated.flags);
}

static void count_slow(struct jit *j, const struct insn *in)
{
    j->stats.slow_calls++;
    j->stats.slow_rows[in->row]++;
}

int jit_rep(struct x86_cpu *cpu, struct jit_block *jb, unsigned index)
{
    struct interp *e = interp_of(cpu);
    struct jit *j = jit_of(e);
    const struct insn *in = &jb->block->insns[index & (SLOW_SEGMENT - 1)];
    uint64_t losses = cpu->tlb_losses;
    count_slow(j, in);
    jit_fp_leave(cpu);
    cpu->budget += jb->rest;
    cpu->cur = in;
    be_in(e, jb->block, jb->rip);
    uint64_t result = cpu->lf_result, aux = cpu->lf_aux;
    block_rep(jb->block, in)(cpu, in);
    if (cpu->lf_result != result || cpu->lf_aux != aux) {
        e->translated.flags = jit_flags_image(cpu);
    }
    bool done = cpu->s.rip != x86_insn_rip(cpu);
    if (unlikely(!done || !jit_goes_on(j, jb, losses) ||
                 !jit_fp_return(cpu, index >> SLOW_FP_SHIFT))) {
        return 1;
    }
    cpu->budget -= jb->rest;
    return 0;
}

int jit_slow(struct x86_cpu *cpu, struct jit_block *jb, unsigned index)
{
    struct interp *e = interp_of(cpu);
    struct jit *j = jit_of(e);
    struct block *b = jb->block;
    unsigned i = index & (SLOW_SEGMENT - 1);
    struct insn step[2];
    uint64_t losses = cpu->tlb_losses;
    count_slow(j, &b->insns[i]);
    if (unlikely(e->translated.fp & FP_X87) && !j->check) {
        cpu->block_rip = jb->rip;
        cpu->cur = &b->insns[i];
        if (jit_transcendental(cpu, cpu->cur)) {
            return 0;
        }
    }
    jit_fp_leave(cpu);
    cpu->budget += jb->rest;
    if (unlikely(j->check != NULL)) {
        jit_flags_from_image(cpu, e->translated.flags);
        check_end_before(j, jb, i);
        e->translated.flags = jit_flags_image(cpu);
    }
    fault_note(j, b, i);
    if (unlikely(cpu->run_tired)) {
        jit_run_tired(j, jb, i);
    }
    step[0] = b->insns[i];
    step[0].run = i == 0 ? b->first : step[0].run;
    step[1].run = run_return;
    be_in(e, b, jb->rip);
    uint64_t result = cpu->lf_result, aux = cpu->lf_aux;
    cpu->cur = step;
    step[0].run(cpu, step);
    if (cpu->lf_result != result || cpu->lf_aux != aux) {
        e->translated.flags = jit_flags_image(cpu);
    }
    if (unlikely(must_leave(j, jb, index, losses) ||
                 !jit_fp_return(cpu, index >> SLOW_FP_SHIFT))) {
        cpu->cur = &b->insns[i + 1];
        return 1;
    }
    cpu->budget -= jb->rest;
    if (unlikely(j->check != NULL)) {
        check_begin(j, jb, i + 1);
    }
    return 0;
}

/* ---- entering ---- */

static void run_first(struct x86_cpu *cpu, struct block *b)
{
    return b->first(cpu, b->insns);
}

/* The exit that just led here, if it wants to be linked. */
static struct jit_link *take_wanted(struct jit *j)
{
    struct jit_link *l = j->wanted;
    j->wanted = NULL;
    return l;
}

void jit_link_wanted(struct jit *j, struct jit_link *l, struct jit_block *jb)
{
    if (l && l->rip == jb->rip && !l->to && l->from->block && l->from->context == jb->context) {
        jit_link(j, l, jb);
    }
}

static void run_warm(struct x86_cpu *cpu, const struct insn *in);

static struct jit_block *translate(struct jit *j, const struct jit_path *path)
{
    struct block *b = path->part[0].block;
    struct jit_block *old = b->translated;
    if (old) {
        jit_unlink_into(j, old);
        jit_drop_jump(j, old);
        jit_translation_dies(j, old);
        b->translated = NULL;
    }
    return b->translated = jit_translate(j, path);
}

static struct jit_block *translate_alone(struct jit *j, struct block *b, uint64_t rip)
{
    struct jit_path alone = {.n = 1, .part = {{b, rip, {0}}}};
    memcpy(alone.part[0].gpr, j->e->cpu.s.gpr, sizeof(alone.part[0].gpr));
    return translate(j, &alone);
}

/* A path is being found, and its next block is entered. False: it ended, and has become a
 * translation. */
static bool follow_path(struct jit *j, struct block *b)
{
    struct jit_path found;
    if (jit_path_adds(j, b)) {
        return true;
    }
    if (jit_path_ends(j, &found) && !translate(j, &found)) {
        translate_alone(j, found.part[0].block, found.part[0].rip);
    }
    return false;
}

/* C code enters @jb, which nothing leads to yet: often enough now that something may? */
static bool count_pass(struct jit *j, struct jit_block *jb, const struct jit_link *from)
{
    if (jit_is_settled(j, jb, from)) {
        return true;
    }
    if (++jb->passes < j->passes) {
        return false;
    }
    jit_path_begin(j, jb);
    return true;
}

/* A block that is to stop inside is interpreted. */
bool jit_may_enter(struct interp *e, const struct block *b)
{
    if (e->patched && e->patched > b->insns && e->patched <= &b->insns[b->n]) {
        return false;
    }
    return e->key != KEY_NEVER && !e->debug.stops &&
           ((e->cpu.mode & MODE_CS64) || e->cpu.s.gpr[R_SP] >> 32 == 0);
}

/* Translated code will hear of what becomes pending from now on. False: something is already. */
static bool look_up_first(struct jit *j)
{
    const struct x86_cpu *cpu = &j->e->cpu;
    bool outside = !j->e->translated.inside;
    if (outside) {
        guard_enter(&j->guard);
    }
    if ((guard_reopen(&j->guard) || outside) && (atomic_load(cpu->pending) & cpu->pend_mask)) {
        if (outside) {
            guard_leave(&j->guard);
        }
        return false;
    }
    return true;
}

/* insns[0].run of a translated block. */
static void run_translated(struct x86_cpu *cpu, const struct insn *in)
{
    struct interp *e = interp_of(cpu);
    struct jit *j = jit_of(e);
    struct block *b = e->block;
    struct jit_link *from = take_wanted(j);
    if (!jit_may_enter(e, b)) {
        return run_first(cpu, b);
    }
    jit_find_context(j);
    if (j->path.n > 0) {
        if (follow_path(j, b)) {
            return run_first(cpu, b);
        }
        from = NULL;                                    /* its memory may be needed */
    }
    struct jit_block *jb = b->translated;
    if (!jb) {                                          /* that forgot everything */
        return run_first(cpu, b);
    }
    if (jb->context != j->context || jb->rip != cpu->block_rip || jb->misses >= MOVED_AGAIN) {
        j->stats.mismatches++;
        from = NULL;
        if (++jb->misses < MOVED_AGAIN || !(jb = translate_alone(j, b, cpu->block_rip))) {
            return run_first(cpu, b);
        }
    }
    bool counted = count_pass(j, jb, from);
    if (j->path.n > 0 || cpu->budget < jb->rest || !look_up_first(j)) {
        return run_first(cpu, b);
    }
    cpu->budget -= jb->rest;
    j->stats.entries++;
    if (counted) {
        jit_add_jump(j, jb);
        jit_link_wanted(j, from, jb);
    }
    e->translated.flags = jit_flags_image(cpu);
    if (unlikely(j->check != NULL)) {
        check_begin(j, jb, 0);
    }
    fault_expect(j);
    const uint8_t *code = codemem_rx(&j->code, jb->body);
    if (e->translated.inside) {
        e->translated.code = code;
        return;
    }
    e->translated.inside = true;
    j->enter(cpu, code);
    guard_leave(&j->guard);
    e->translated.inside = false;
}

/* insns[0].run of a block that is not translated yet. */
static void run_warm(struct x86_cpu *cpu, const struct insn *in)
{
    struct interp *e = interp_of(cpu);
    struct jit *j = jit_of(e);
    struct block *b = e->block;
    take_wanted(j);
    if (++b->warm < j->warm || !jit_may_enter(e, b)) {
        return run_first(cpu, b);
    }
    jit_find_context(j);
    if (!translate_alone(j, b, cpu->block_rip)) {
        b->insns[0].run = b->first;
        return run_first(cpu, b);
    }
    b->insns[0].run = run_translated;
    return run_translated(cpu, in);
}

/* ---- what becomes of blocks ---- */

static void block_added(struct interp *e, struct block *b)
{
    b->first = b->insns[0].run;
    b->insns[0].run = run_warm;
}

static void block_dropped(struct interp *e, struct block *b)
{
    struct jit_block *jb = b->translated;
    struct jit *j = jit_of(e);
    jit_path_drop(j, b);
    if (jb) {
        trace_jit_dropped(jb->rip);
        jit_unlink_into(j, jb);
        jit_drop_jump(j, jb);
        jit_translation_dies(j, jb);
        b->translated = NULL;
        j->stats.dropped++;
    }
    for (struct jit_block *part; (part = b->parts);) {
        jit_release(j, part->head);
        j->stats.dropped++;
    }
}

static void forget_live_jumps(struct jit *j)
{
    madvise(j->live_jumps, LIVE_JUMPS * sizeof(*j->live_jumps), MADV_DONTNEED);
}

static void forget(struct jit *j)
{
    j->n_contexts = 0;
    memset(j->far, 0, sizeof(j->far));
    jit_path_drop(j, NULL);
    jit_all_room(j);
    j->stats.flushes++;
    memset(j->jumps, 0, sizeof(j->jumps));
    forget_live_jumps(j);
}

static void blocks_flushed(struct interp *e)
{
    forget(jit_of(e));
}

void jit_release(struct jit *j, struct jit_block *jb)
{
    struct block *b = jb->block;
    if (jb->head != jb) {                               /* its head goes, too */
        return;
    }
    jit_unlink_into(j, jb);
    if (b && b->translated == jb) {
        jit_drop_jump(j, jb);
        b->translated = NULL;
        b->warm = 0;
        b->insns[0].run = run_warm;
    }
    jit_translation_dies(j, jb);
}

void jit_renew(struct jit *j, struct jit_block *jb)
{
    jb = jb->head;
    jit_unlink_into(j, jb);
    jit_drop_jump(j, jb);
    jb->misses = MOVED_AGAIN;
}

void jit_flush(struct jit *j)
{
    for (struct jit_block *jb = NULL; (jb = jit_next_block(j, jb));) {
        jit_release(j, jb);
    }
    forget(j);
}

static void code_moved(struct interp *e, bool all)
{
    struct jit *j = jit_of(e);
    j->wanted = NULL;
    uint64_t before = j->jump_generation;
    j->jump_generation = j->generations++;
    if ((before ^ j->jump_generation) * JIT_CONTEXTS >> 32) { /* live_key begins anew */
        forget_live_jumps(j);
    }
    jit_unlink_far(j, all);
    if (all) {
        j->global_generation = j->generations++;
    }
}

/* What its own thread makes pending the engine looks at when the access is done. */
static void kick(struct interp *e)
{
    if (!pthread_equal(e->thread, pthread_self())) {
        guard_close(&jit_of(e)->guard);
    }
}

static const struct interp_translator translator = {
    .added = block_added, .dropped = block_dropped, .flushed = blocks_flushed, .moved = code_moved,
    .kick = kick,
};

/* ---- life ---- */

static void *reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* The arena's, which the first of its engines made. */
static struct window *window_of(const struct interp *e)
{
    const struct interp *first = e->shared->engines[0];
    if (!first || first == e || !first->translator) {
        return window_new(e->cpu.arena);
    }
    struct window *w = jit_of(first)->window;
    w->users++;
    return w;
}

bool jit_attach(struct interp *e, struct error **err)
{
    struct jit *j = NEW(struct jit);
    j->e = e;
    j->perf = -1;
    if ((uintptr_t)e + sizeof(*e) > 1u << 31) {
        error_set(err, "jit: no memory in the first 2 GiB of addresses");
        goto free_jit;
    }
    j->warm = WARM;
    j->passes = UNIT_PASSES;
    if (!codemem_init(&j->code, CODE_BYTES, err)) {
        goto free_jit;
    }
    j->blocks = reserve(JIT_BLOCKS * sizeof(*j->blocks));
    j->links = reserve(JIT_LINKS * sizeof(*j->links));
    j->live_jumps = reserve(LIVE_JUMPS * sizeof(*j->live_jumps));
    if (!j->blocks || !j->links || !j->live_jumps ||
        !guard_init(&j->guard, &e->translated.closed) || !returns_init(&j->returns)) {
        error_set(err, "jit: no memory for its tables");
        goto fini_code;
    }
    j->jump_generation = j->generations++;
    j->global_generation = j->generations++;
    e->translated.jumps = j->jumps;
    e->translated.live_jumps = j->live_jumps;
    e->slice_most = GUARD_BYTES - UNIT_INSNS;
    e->translated.marks = e->cpu.arena->marks - ((uintptr_t)e->cpu.arena->base >> RAM_LINE_SHIFT);
    j->window = window_of(e);
    jit_make_stubs(j);
    j->match = jit_host_match();
    e->cpu.tlb_opens = true;
    e->translator = &translator;
    e->translator_data = j;
    return true;
fini_code:
    codemem_fini(&j->code);
free_jit:
    free(j);
    return false;
}

/* -d jit, and what came of check=on */
static void jit_log_end(const struct jit *j)
{
    struct text out = {0};
    if (log_enabled(LOG_JIT)) {
        jit_show_stats(j, &out);
    }
    if (j->check) {
        text_printf(&out, "jit: %llu runs of translated code compared with the interpreter, %s\n",
                    (unsigned long long)j->check->trials,
                    j->check->failed ? "the last one differs" : "none differs");
    }
    jit_log(&out);
    text_free(&out);
}

void jit_detach(struct interp *e)
{
    struct jit *j = jit_of(e);
    if (j) {
        const struct jit_stats *s = &j->stats;
        trace_jit_totals(s->translated, s->bytes, s->dropped, s->flushes, s->links, s->slow_calls,
                         s->entries, s->mismatches);
        jit_log_end(j);
        munmap(j->blocks, JIT_BLOCKS * sizeof(*j->blocks));
        munmap(j->links, JIT_LINKS * sizeof(*j->links));
        munmap(j->live_jumps, LIVE_JUMPS * sizeof(*j->live_jumps));
        guard_fini(&j->guard);
        returns_fini(&j->returns);
        codemem_fini(&j->code);
        window_put(j->window);
        check_free(j->check);
        if (j->perf >= 0) {
            close(j->perf);
        }
        free(j);
        e->translator = NULL;
        e->translator_data = NULL;
    }
}
