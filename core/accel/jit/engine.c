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
#include "core/accel/vcpu.h"
#include "core/base/alloc.h"
#include "core/base/log.h"
#include "trace/core_accel_jit.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- flags: the interpreter's two words, and the image that translated code keeps ---- */

static uint16_t flags_image(const struct x86_cpu *cpu)
{
    uint32_t fl = lf_get(cpu);
    return (uint16_t)((fl & 0xff) << 8 | (fl & FL_OF ? 1 : 0));
}

static void flags_from_image(struct x86_cpu *cpu, uint16_t image)
{
    uint32_t ah = image >> 8, zf = ah >> 6 & 1, cf = ah & 1;
    cpu->lf_result = zf ^ 1;
    /* As lf_set, without a branch: SF, how PF differs from a result of 0 or 1, AF, OF, CF. */
    cpu->lf_aux = (ah >> 7) << LF_SFX | ((ah >> 2 & 1) ^ zf) << LF_PDB | (ah >> 4 & 1) << LF_AF |
                  (cf ^ (image & 1)) << LF_PO | cf << LF_CF;
}

/* ---- contexts ---- */

static enum seg_kind seg_kind(const struct x86_cpu *cpu, unsigned seg)
{
    uint64_t r = cpu->seg_top_r[seg], w = cpu->seg_top_w[seg];
    if (cpu->mode & MODE_CS64) {
        return r == 0 ? SEG_ANY : seg == S_FS || seg == S_GS ? SEG_BASED : SEG_FLAT;
    }
    if (seg != S_CS && r != w) {
        return SEG_ANY;
    }
    if (r == 0x10000) {
        return SEG_64K;
    }
    return r == 1ull << 32 && cpu->s.seg[seg].base == 0 ? SEG_FLAT : SEG_ANY;
}

static uint32_t seg_kinds(const struct x86_cpu *cpu)
{
    uint32_t kinds = 0;
    for (unsigned i = 0; i < 6; i++) {
        kinds |= (uint32_t)seg_kind(cpu, i) << (2 * i);
    }
    return kinds;
}

static bool has_flat(uint32_t kinds)
{
    return (kinds & 0x555 & ~(kinds >> 1)) != 0;
}

static uint32_t tlb_number(const struct x86_cpu *cpu)
{
    return (uint32_t)((cpu->tlb - &cpu->tlbs[0][0]) / TLB_SIZE);
}

/* Nothing changed since it was found? In real mode a load changes a base, which a flat segment
 * notices, and nothing else. */
static bool still_there(const struct jit *j, const struct jit_context *c)
{
    const struct x86_cpu *cpu = &j->e->cpu;
    return c->generation == j->jump_generation && c->seg_changes == cpu->seg_changes &&
           cpu->s.seg[S_CS].base == c->cs_base && j->e->cs_last == c->cs_last && cpu->mode == c->mode && !c->unreal &&
           cpu->tlb == cpu->tlbs[c->tlb] && cpu->pg == c->paged;
}

static bool same_context(const struct jit_context *a, const struct jit_context *b)
{
    return a->cs_base == b->cs_base && a->cs_last == b->cs_last && a->mode == b->mode &&
           a->tlb == b->tlb && a->segs == b->segs && a->paged == b->paged &&
           memcmp(a->windows, b->windows, sizeof(a->windows)) == 0;
}

/* Is plain memory at @addr, whose linear addresses are ram addresses? */
static void find_window(const struct x86_cpu *cpu, uint64_t addr, struct jit_window *w)
{
    const struct view_range *r = view_find(cpu->space->view, addr);
    const struct region *ram = r ? r->rd.region : NULL;
    bool plain = ram && ram == r->wr.region && ram->kind == REGION_RAM && r->rd.off == r->wr.off &&
                 ram->ram->addr + r->rd.off == r->start;
    if (plain && r->end <= 1u << 31) {
        *w = (struct jit_window){r->start, r->end};
    }
}

/* Without paging, plain memory is reached without the TLB. */
static void find_windows(const struct x86_cpu *cpu, struct jit_context *c)
{
    if (cpu->pg || (cpu->mode & MODE_CS64) || !cpu->s.a20 || cpu->watch_data || cpu->watched) {
        return;
    }
    find_window(cpu, 0, &c->windows[0]);
    if (cpu->mode & MODE_CS32) {
        find_window(cpu, 1 << 20, &c->windows[1]);
    }
}

/* The number of the context of the moment. */
static unsigned search_context(struct jit *j)
{
    const struct x86_cpu *cpu = &j->e->cpu;
    struct jit_context now = {
        .cs_base = cpu->s.seg[S_CS].base, .cs_last = j->e->cs_last, .mode = cpu->mode,
        .tlb = tlb_number(cpu), .segs = seg_kinds(cpu), .paged = cpu->pg,
    };
    find_windows(cpu, &now);
    now.unreal = !(cpu->mode & MODE_PE) && has_flat(now.segs);
    uint64_t where = (now.cs_base >> 4) ^ now.segs ^ now.segs >> 6 ^ now.mode << 3 ^ now.tlb << 5;
    uint16_t *hint = &j->context_hint[where & 0xff];
    unsigned i = *hint;
    if (i >= j->n_contexts || !same_context(&now, &j->contexts[i])) {
        for (i = 0; i < j->n_contexts && !same_context(&now, &j->contexts[i]); i++) {
        }
    }
    if (i == JIT_CONTEXTS) {
        jit_flush(j);
        i = 0;
    }
    if (i == j->n_contexts) {
        j->contexts[j->n_contexts++] = now;
    }
    j->contexts[i].seg_changes = cpu->seg_changes;
    j->contexts[i].generation = j->jump_generation;
    *hint = (uint16_t)i;
    return i;
}

/* Makes j->context that of the moment. */
static void find_context(struct jit *j)
{
    uint16_t *last = &j->context_of_mode[j->e->cpu.mode & 0xff];
    if (*last >= j->n_contexts || !still_there(j, &j->contexts[*last])) {
        *last = (uint16_t)search_context(j);
    }
    j->context = *last;
    j->e->translated.jump_key = j->jump_generation * JIT_CONTEXTS + j->context + 1;
}

/* ---- slow instructions ---- */

static void run_return(struct x86_cpu *cpu, const struct insn *in)
{
}

static bool context_holds(const struct jit *j, const struct jit_block *jb)
{
    const struct x86_cpu *cpu = &j->e->cpu;
    const struct jit_context *c = &j->contexts[jb->context];
    return cpu->mode == c->mode && tlb_number(cpu) == c->tlb && seg_kinds(cpu) == c->segs;
}

/* Is the block to stop, was it dropped, or does its translation no longer hold? */
static bool must_leave(const struct jit *j, const struct jit_block *jb, unsigned index)
{
    const struct block *b = jb->block;
    const struct insn *stop = j->e->patched;
    return !b || (stop && stop >= b->insns && stop <= &b->insns[b->n]) ||
           ((index & SLOW_SEGMENT) && !context_holds(j, jb));
}

int jit_slow(struct x86_cpu *cpu, struct jit_block *jb, unsigned index)
{
    struct interp *e = interp_of(cpu);
    struct jit *j = jit_of(e);
    struct block *b = jb->block;
    unsigned i = index & (SLOW_SEGMENT - 1);
    struct insn step[2];
    jit_fp_leave(cpu);
    j->stats.slow_calls++;
    j->stats.slow_rows[b->insns[i].row]++;
    if (unlikely(j->check != NULL)) {
        flags_from_image(cpu, e->translated.flags);
        check_end(j, i, false);
        e->translated.flags = flags_image(cpu);
    }
    step[0] = b->insns[i];
    step[0].run = i == 0 ? b->first : step[0].run;
    step[1].run = run_return;
    e->block = b;
    cpu->block_rip = jb->rip;
    cpu->s.gpr[GPR_OFF_RIP / 8] = jb->rip;
    interp_trail_block(e, b, (j->contexts[jb->context].cs_base + jb->rip) & cpu->lin_mask);
    flags_from_image(cpu, e->translated.flags);
    uint64_t result = cpu->lf_result, aux = cpu->lf_aux;
    cpu->cur = step;
    step[0].run(cpu, step);
    if (cpu->lf_result != result || cpu->lf_aux != aux) {
        e->translated.flags = flags_image(cpu);
    }
    if (unlikely(must_leave(j, jb, index) || !jit_fp_return(cpu, index >> SLOW_FP_SHIFT))) {
        cpu->cur = &b->insns[i + 1];
        return JIT_STEP;
    }
    if (unlikely(j->check != NULL)) {
        check_begin(j, jb, i + 1);
    }
    return JIT_CHAIN;
}

/* ---- entering ---- */

static void run_first(struct x86_cpu *cpu, struct block *b)
{
    return b->first(cpu, b->insns);
}

/* Translated code left: before instruction cur, or behind its block. */
static void end_trial(struct jit *j, enum jit_exit why)
{
    struct x86_cpu *cpu = &j->e->cpu;
    const struct insn *cur = cpu->cur;
    if (why == JIT_LINK) {
        cpu->s.rip = ((const struct jit_link *)j->e->translated.link)->rip;
    }
    if (why == JIT_STEP || why == JIT_STOP) {
        check_end(j, cur->index_in_block, false);
        cpu->cur = cur;
    } else if (j->check->block) {
        check_end(j, j->check->block->block->n, true);
    }
}

/* Goes on where translated code left. */
static void left(struct x86_cpu *cpu, enum jit_exit why)
{
    struct interp *e = interp_of(cpu);
    jit_fp_leave(cpu);
    flags_from_image(cpu, e->translated.flags);
    if (unlikely(jit_of(e)->check != NULL)) {
        end_trial(jit_of(e), why);
    }
    if (why == JIT_STEP) {
        const struct insn *in = cpu->cur;
        insn_run run = in == e->block->insns ? e->block->first : in->run;
#if INTERP_LOOP
        if (run != in->run) {
            return run(cpu, in);
        }
        return;
#else
        return run(cpu, in);
#endif
    }
    if (unlikely(why == JIT_STOP)) {
        return run_stop(cpu, cpu->cur);
    }
    if (why == JIT_LINK) {
        struct jit_link *l = e->translated.link;
        cpu->s.rip = l->rip;
        jit_of(e)->wanted = l;
    }
    return interp_chain(cpu);
}

/* The exit that just led here, if it wants to be linked. */
static struct jit_link *take_wanted(struct jit *j)
{
    struct jit_link *l = j->wanted;
    j->wanted = NULL;
    return l;
}

/* @jb is entered: from exit @l it need not be looked up again. */
static void link_wanted(struct jit *j, struct jit_link *l, struct jit_block *jb)
{
    if (l && l->rip == jb->rip && !l->to && l->from->block && l->from->context == jb->context) {
        jit_link(j, l, jb);
    }
}

static void run_warm(struct x86_cpu *cpu, const struct insn *in);

static struct jit_block *translate(struct jit *j, struct block *b)
{
    struct jit_block *old = b->translated;
    if (old) {
        jit_unlink_into(j, old);
        jit_drop_jump(j, old);
        jit_translation_dies(j, old);
        b->translated = NULL;
    }
    return b->translated = jit_translate(j, b, j->e->cpu.block_rip);
}

/* May the block run translated now? A block that is to stop inside is interpreted. */
static bool may_enter(struct interp *e, const struct block *b)
{
    if (e->patched && e->patched > b->insns && e->patched <= &b->insns[b->n]) {
        return false;
    }
    return e->key != KEY_NEVER && !e->debug.stops &&
           ((e->cpu.mode & MODE_CS64) || e->cpu.s.gpr[R_SP] >> 32 == 0);
}

/* insns[0].run of a translated block. */
static void run_translated(struct x86_cpu *cpu, const struct insn *in)
{
    struct interp *e = interp_of(cpu);
    struct jit *j = jit_of(e);
    struct block *b = e->block;
    struct jit_block *jb = b->translated;
    struct jit_link *from = take_wanted(j);
    if (!may_enter(e, b)) {
        return run_first(cpu, b);
    }
    find_context(j);
    if (!b->translated) {                               /* find_context forgot everything */
        return run_first(cpu, b);
    }
    if (jb->context != j->context || jb->rip != cpu->block_rip) {
        j->stats.mismatches++;
        from = NULL;                                    /* its memory may be needed */
        if (++jb->misses < MOVED_AGAIN || !(jb = translate(j, b))) {
            return run_first(cpu, b);
        }
    }
    j->stats.entries++;
    jit_add_jump(j, jb);
    link_wanted(j, from, jb);
    e->translated.flags = flags_image(cpu);
    if (unlikely(j->check != NULL)) {
        check_begin(j, jb, 0);
    }
    return left(cpu, (enum jit_exit)j->enter(cpu, codemem_rx(&j->code, jb->body)));
}

/* insns[0].run of a block that is not translated yet. */
static void run_warm(struct x86_cpu *cpu, const struct insn *in)
{
    struct interp *e = interp_of(cpu);
    struct jit *j = jit_of(e);
    struct block *b = e->block;
    take_wanted(j);
    if (++b->warm < (j->check ? CHECK_WARM : WARM) || !may_enter(e, b)) {
        return run_first(cpu, b);
    }
    find_context(j);
    if (!translate(j, b)) {
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
    if (jb) {
        trace_jit_dropped(jb->rip);
        jit_unlink_into(j, jb);
        jit_drop_jump(j, jb);
        jit_translation_dies(j, jb);
        b->translated = NULL;
        j->stats.dropped++;
    }
}

static void forget(struct jit *j)
{
    j->n_far_links = j->n_contexts = 0;
    jit_all_room(j);
    j->stats.flushes++;
    memset(j->jumps, 0, sizeof(j->jumps));
}

static void blocks_flushed(struct interp *e)
{
    forget(jit_of(e));
}

void jit_release(struct jit *j, struct jit_block *jb)
{
    struct block *b = jb->block;
    jit_unlink_into(j, jb);
    if (b && b->translated == jb) {
        jit_drop_jump(j, jb);
        b->translated = NULL;
        b->warm = 0;
        b->insns[0].run = run_warm;
    }
    jit_translation_dies(j, jb);
}

void jit_flush(struct jit *j)
{
    for (struct jit_block *jb = NULL; (jb = jit_next_block(j, jb));) {
        jit_release(j, jb);
    }
    forget(j);
}

static void code_moved(struct interp *e)
{
    struct jit *j = jit_of(e);
    jit_unlink_far(j);
    j->wanted = NULL;
    j->jump_generation++;
}

static const struct interp_translator translator = {
    .added = block_added, .dropped = block_dropped, .flushed = blocks_flushed, .moved = code_moved,
};

/* ---- life ---- */

static void *reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

bool jit_attach(struct interp *e, struct error **err)
{
    struct jit *j = NEW(struct jit);
    j->e = e;
    j->perf = -1;
    if (!codemem_init(&j->code, CODE_BYTES, err)) {
        goto free_jit;
    }
    j->blocks = reserve(JIT_BLOCKS * sizeof(*j->blocks));
    j->links = reserve(JIT_LINKS * sizeof(*j->links));
    if (!j->blocks || !j->links) {
        error_set(err, "jit: no memory for its tables");
        goto fini_code;
    }
    e->translated.jumps = j->jumps;
    e->translated.marks = e->cpu.arena->marks - ((uintptr_t)e->cpu.arena->base >> RAM_LINE_SHIFT);
    jit_make_stubs(j);
    j->shifts_match = jit_host_shifts_match();
    j->rotates_match = jit_host_rotates_match();
    j->muls_match = jit_host_muls_match();
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
        codemem_fini(&j->code);
        check_free(j->check);
        if (j->perf >= 0) {
            close(j->perf);
        }
        free(j);
        e->translator = NULL;
        e->translator_data = NULL;
    }
}
