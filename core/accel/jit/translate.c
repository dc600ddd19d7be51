/*
 * Translates a block, or some that follow each other: instruction by instruction, with the entry
 * and the ends. See jit.h and translate.h.
 */
#include "core/accel/jit/translate.h"

#include "core/accel/jit/dump.h"
#include "core/accel/jit/fault.h"
#include "core/base/log.h"
#include "trace/core_accel_jit.h"

#define INSN(map, op, modrm, pfx, name, o1, o2, o3, attr, rd, wr, und, feat, run, emit, test) emit,
#define INSN8 INSN
const trans_emitter trans_emitters[ROW_COUNT] = {
    CALL_RUN,
#include "core/cpu/insn.def"
};
#undef INSN
#undef INSN8

bool jit_emits(unsigned row)
{
    return trans_emitters[row] != NULL;
}

#define FAULT_TABLE (TRANS_FAULTS * sizeof(struct fault_site) + 3)

void trans_call(struct trans *t, const uint8_t *stub, unsigned what)
{
    trans_fp_settle(t);
    trans_save_flags(t);
    trans_forget_held(t);
    emit_mov_imm(&t->e, HOST_8, (uintptr_t)t->jb);
    emit_mov_imm(&t->e, HOST_9, t->in->index_in_block | trans_fp_slow(t) | what);
    emit_link(emit_call_to(&t->e), stub);
    t->in_host = true;
    t->fp.seg = -1;
}

bool trans_exists(const struct trans *t, const struct insn *in)
{
    const struct insn_info *info = &insn_info[in->row];
    const struct x86_model *model = t->j->e->cpu.model;
    bool protected = (t->context->mode & (MODE_PE | MODE_VM)) == MODE_PE;
    return x86_has(model, info->feature) && (protected || !(info->attr & A_PROT)) &&
           (!(info->attr & A_Y2) || in->vex != 32 || x86_has(model, X86_F_AVX2));
}

/* Must hold against processors that run at the same time: the interpreter's functions see to it. */
static bool is_atomic(const struct trans *t)
{
    return t->j->e->cpu.parallel && t->in->mem &&
           (t->in->lock || trans_emitters[t->in->row] == emit_xchg);
}

static void translate_insn(struct trans *t)
{
    trans_emitter emitter =
        trans_exists(t, t->in) && !is_atomic(t) ? trans_emitters[t->in->row] : NULL;
    t->path = NULL;
    t->unheld = NONE_UNHELD;
    t->fixed = t->is_first = false;
    if (!emitter || trans_ends_block(t) || trans_may_load_segment(t->in)) {
        trans_fp_settle(t);
        t->fp.seg = -1;
    }
    if (trans_ends(t)) {
        trans_clean(t);
    }
    if (emitter && t->wide) {
        trans_hold(t);
    }
    if (emitter && emitter(t)) {
        if (!t->ended) {
            trans_written(t);
            trans_again_over(t);
            trans_near_over(t);
            trans_guess_over(t);
        }
        bool comes_back = !t->is_first && !trans_goes_in_or_out(t->in);
        for (struct slow_path *p = t->path; p && !t->ended; p = p->before) {
            p->near = t->is_first;
            p->back = comes_back ? t->e.at : NULL;
            memcpy(p->held, t->held, sizeof(t->held));
        }
        return;
    }
    /* What ends the block in the interpreter (branches, REP, changes of mode) does so here. */
    if (trans_ends(t)) {
        trans_save_flags(t);
        if (block_op(t->block, t->in)) {
            trans_exit_op(t);
        } else {
            trans_exit_step(t, t->in->index_in_block);
        }
        t->ended = true;
        return;
    }
    trans_call(t, stubs_of(t)->slow, trans_may_load_segment(t->in) ? SLOW_SEGMENT : 0);
    trans_guess_over(t);
}

void trans_take_budget(struct trans *t, unsigned digit, unsigned n)
{
    if (t->context->live) {
        int by = digit == 0 ? (int)n : -(int)n;
        emit_lea(&t->e, 8, REG_BUDGET, REG_BUDGET, HOST_NONE, by);
        return;
    }
    emit_rr(&t->e, 0x83, 8, (enum host_reg)digit, REG_BUDGET);
    emit_u8(&t->e, (uint8_t)n);
}

/* From C code: flags into EFLAGS, the budget into the guard. */
static void make_live(struct trans *t)
{
    emit_mov_imm(&t->e, HOST_10, (uintptr_t)t->j->guard.base);
    emit_lea(&t->e, 8, REG_BUDGET, REG_BUDGET, HOST_10, 0);
    emit_mov(&t->e, 8, HOST_10, HOST_AX);
    emit_flags_to_host(&t->e);
    emit_mov(&t->e, 8, HOST_AX, HOST_10);
}

/* make_entry where EFLAGS has to stay. */
static void make_live_entry(struct trans *t)
{
    struct host_mem guard = {REG_BUDGET, HOST_NONE, 0, 0};
    make_live(t);
    t->head->entry = t->e.at;
    trans_take_budget(t, 5, t->n);
    t->path = &t->too_few;
    trans_may_fault(t);
    emit_rm(&t->e, 0x0fb6, 4, HOST_10, &guard);
}

/* Takes all instructions from the budget, or leaves if there are not so many. Returns the
 * place of the displacement that leads to no_budget. */
static uint8_t *make_entry(struct trans *t)
{
    if (t->context->live) {
        make_live_entry(t);
        return NULL;
    }
    trans_take_budget(t, 5, t->n);
    return emit_jcc(&t->e, 8);                          /* js */
}

static void no_budget(struct trans *t, uint8_t *from)
{
    if (t->context->live) {
        t->too_few.at = t->e.at;
    } else {
        emit_link(from, t->e.at);
    }
    trans_take_budget(t, 0, t->n);
    trans_exit_chain(t, t->head->rip);
}

static void tell(struct jit *j, const struct jit_block *jb)
{
    if (j->perf >= 0) {
        jit_perf_add(j, jb);
    }
    if (unlikely(log_enabled(LOG_JIT_CODE))) {
        struct text out = {0};
        jit_dump(j, jb, &out);
        jit_log(&out);
        text_free(&out);
    }
}

/* The body of such a block, for C code. */
static void make_cold_body(struct trans *t)
{
    const uint8_t *body = t->head->body;
    if (t->context->live) {
        t->head->body = t->e.at;
        make_live(t);
        emit_link(emit_jmp(&t->e), body);
    }
}

/* The table of what may fault, behind the code. */
static void put_faults(struct trans *t)
{
    while ((uintptr_t)t->e.at % sizeof(uint32_t)) {
        emit_u8(&t->e, 0xcc);
    }
    struct fault_site *sites = (void *)t->e.at;
    struct jit_block *jb = t->head;
    for (unsigned i = 0; i < t->n_faults; i++) {
        sites[i] = (struct fault_site){
            .at = (uint32_t)(t->faults[i].at - jb->entry),
            .path = (uint32_t)(t->faults[i].path->at - jb->entry),
        };
    }
    jb->faults = sites;
    jb->n_faults = t->n_faults;
    t->e.at = (uint8_t *)(sites + t->n_faults);
}

static unsigned fp_wanted(const struct trans *t, const struct block *b)
{
    unsigned wanted = 0;
    for (unsigned i = 0; i < b->n; i++) {
        wanted |= trans_fp_wanted(t, &b->insns[i]);
    }
    return wanted;
}

/* The parts of @path that the translation has: what they want of the FPU is got at its start, and
 * must be there for them now. Makes their blocks, and finds all instructions. */
static void begin_parts(struct trans *t, const struct jit_path *path)
{
    struct jit *j = t->j;
    unsigned wanted = fp_wanted(t, path->part[0].block), n = 1;
    for (; n < path->n; n++) {
        unsigned more = fp_wanted(t, path->part[n].block) & ~wanted;
        if (more && !jit_fp_allowed(&j->e->cpu, wanted | more)) {
            break;
        }
        wanted |= more;
    }
    n = jit_path_closed(path, n);
    t->n = 0;
    t->head = jit_new_blocks(j, n);
    for (unsigned i = 0; i < n; i++) {
        struct block *b = path->part[i].block;
        for (unsigned k = 0; k < b->n; k++) {
            t->insns[t->n++] = &b->insns[k];
        }
        t->head[i] = (struct jit_block){
            .block = b, .rip = path->part[i].rip, .context = j->context, .head = t->head,
            .entry = j->parts[j->part].next,
        };
    }
    t->head->n_parts = (uint8_t)n;
    for (unsigned i = n, rest = 0; i-- > 0; rest += t->head[i].block->n) {
        t->head[i].rest = (uint8_t)rest;
    }
}

static void translate_part(struct trans *t, struct jit_block *part, const uint64_t gpr[16])
{
    t->jb = part;
    t->block = part->block;
    trans_guess_begin(t, gpr);
    for (unsigned i = 0; i < t->block->n && !t->ended; i++, t->at++) {
        t->in = &t->block->insns[i];
        t->info = &insn_info[t->in->row];
        translate_insn(t);
    }
    if (!t->ended) {
        trans_fp_settle(t);                             /* it names an instruction of this block */
        t->fp.seg = -1;
    }
}

static void begin(struct trans *t, struct jit *j, const struct jit_path *path)
{
    t->j = j;
    t->context = &j->contexts[j->context];
    t->wide = t->context->mode & MODE_CS64;
    begin_parts(t, path);
    uint8_t *start = j->parts[j->part].next;
    t->e = (struct emit){
        .at = start, .end = start + UNIT_CODE - FAULT_TABLE,
        .context = t->wide ? jit_low_context(j) : 0,
    };
    t->jb = t->head;
    t->block = t->head->block;
    t->dirty = 0;
    trans_forget_held(t);
    t->ended = false;
    t->n_open = 0;
    memset(t->points, 0, sizeof(t->points));
    t->in_host = t->context->live;
    t->saved = t->carry_saved = !t->context->live;
    t->again.in = NULL;
    t->at = t->n_slow = t->n_far = t->n_faults = t->next_near = 0;
    t->direct = t->out_of_line = false;
    t->derived = 0;
    trans_find_live(t);
}

/* What is out of line, behind the code. */
static void end(struct trans *t, uint8_t *too_few)
{
    trans_forget_held(t);
    trans_far_accesses(t);
    trans_slow_paths(t);
    t->jb = t->head;
    t->block = t->head->block;
    no_budget(t, too_few);
    make_cold_body(t);
    trans_fp_end(t);
    trans_second_page_end(t);
}

struct jit_block *jit_translate(struct jit *j, const struct jit_path *path)
{
    static _Thread_local struct trans t;
    begin(&t, j, path);
    struct jit_block *jb = t.head;
    jb->cold = jb->entry;
    uint8_t *too_few = make_entry(&t);
    jb->body = t.e.at;
    trans_second_page_begin(&t);
    trans_fp_begin(&t);
    for (unsigned i = 0; i < jb->n_parts; i++) {
        translate_part(&t, &jb[i], path->part[i].gpr);
    }
    if (!t.ended) {
        t.at--;
        trans_exit_to(&t, trans_next(&t));
    }
    end(&t, too_few);
    if (t.e.full) {
        jb->block = NULL;
        return NULL;
    }
    put_faults(&t);
    jit_parts_join(jb);
    jb->passes = path->n > 1 ? (uint8_t)j->passes : 0;
    jit_translation_ends(j, jb, t.e.at);
    trace_jit_translated(jb->rip, t.n, jb->code_bytes, j->context);
    j->stats.translated++;
    j->stats.units += jb->n_parts > 1;
    j->stats.bytes += jb->code_bytes;
    tell(j, jb);
    return jb;
}
