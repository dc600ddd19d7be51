/*
 * Translates one block: instruction by instruction, with its entry and its ends. See jit.h and
 * translate.h.
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

static void call_interpreter(struct trans *t)
{
    unsigned index = t->in->index_in_block;
    trans_fp_settle(t);
    trans_save_flags(t);
    trans_forget_held(t);
    emit_mov_imm(&t->e, HOST_8, (uintptr_t)t->jb);
    emit_mov_imm(&t->e, HOST_9, index | trans_fp_slow(t) |
                                    (trans_may_load_segment(t->in) ? SLOW_SEGMENT : 0));
    emit_u8(&t->e, 0xe8);
    emit_imm(&t->e, 0, 4);
    emit_link(t->e.at - 4, stubs_of(t)->slow);
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
    t->fixed = false;
    if (!emitter || t->in->index_in_block + 1 == t->block->n || trans_may_load_segment(t->in)) {
        trans_fp_settle(t);
        t->fp.seg = -1;
    }
    if (t->in->index_in_block + 1 == t->block->n) {
        trans_clean(t);
    }
    if (emitter && t->wide) {
        trans_hold(t);
    }
    if (emitter && emitter(t)) {
        if (!t->ended) {
            trans_written(t);
            trans_again_over(t);
        }
        for (struct slow_path *p = t->path; p && !t->ended; p = p->before) {
            p->back = t->e.at;
            memcpy(p->held, t->held, sizeof(t->held));
        }
        return;
    }
    /* What ends the block in the interpreter (branches, REP, changes of mode) does so here. */
    if (t->in->index_in_block + 1 == t->block->n) {
        trans_save_flags(t);
        if (block_op(t->block, t->in)) {
            trans_exit_op(t);
        } else {
            trans_exit_step(t, t->in->index_in_block);
        }
        t->ended = true;
        return;
    }
    call_interpreter(t);
}

/* Budget @digit (5: SUB, 0: ADD) the block's instructions. */
static void take_budget(struct trans *t, unsigned digit)
{
    struct host_mem budget = cpu_field(CPU_OFFSET(budget));
    if (t->wide) {
        emit_rm(&t->e, 0x83, 8, (enum host_reg)digit, &budget);
    } else {
        emit_rr(&t->e, 0x83, 8, (enum host_reg)digit, REG_BUDGET);
    }
    emit_u8(&t->e, t->block->n);
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
    t->jb->entry = t->e.at;
    emit_lea(&t->e, 8, REG_BUDGET, REG_BUDGET, HOST_NONE, -(int)t->block->n);
    t->path = &t->too_few;
    trans_may_fault(t);
    emit_rm(&t->e, 0x0fb6, 4, HOST_10, &guard);
}

/* Takes the block's instructions from the budget, or leaves if there are not so many. Returns the
 * place of the displacement that leads to no_budget. */
static uint8_t *make_entry(struct trans *t)
{
    if (t->context->live) {
        make_live_entry(t);
        return NULL;
    }
    take_budget(t, 5);
    return emit_jcc(&t->e, 8);                          /* js */
}

static void no_budget(struct trans *t, uint8_t *from)
{
    if (t->context->live) {
        t->too_few.at = t->e.at;
        emit_lea(&t->e, 8, REG_BUDGET, REG_BUDGET, HOST_NONE, t->block->n);
    } else {
        emit_link(from, t->e.at);
        take_budget(t, 0);
    }
    trans_exit_chain(t, t->jb->rip);
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
    const uint8_t *body = t->jb->body;
    if (t->context->live) {
        t->jb->body = t->e.at;
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
    struct jit_block *jb = t->jb;
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

struct jit_block *jit_translate(struct jit *j, struct block *b, uint64_t rip)
{
    struct jit_block *jb = jit_new_block(j);
    uint8_t *start = j->parts[j->part].next;
    *jb = (struct jit_block){.block = b, .rip = rip, .context = j->context, .entry = start};
    static _Thread_local struct trans t;
    t.e = (struct emit){.at = start, .end = start + BLOCK_CODE - FAULT_TABLE};
    t.j = j;
    t.jb = jb;
    t.block = b;
    t.context = &j->contexts[j->context];
    t.wide = t.context->mode & MODE_CS64;
    t.dirty = 0;
    trans_forget_held(&t);
    t.ended = false;
    t.in_host = t.context->live;
    t.saved = t.carry_saved = !t.context->live;
    t.again.in = NULL;
    t.n_slow = t.n_far = t.n_faults = 0;
    t.direct = t.out_of_line = false;
    trans_find_live(&t);
    uint8_t *too_few = make_entry(&t);
    jb->body = t.e.at;
    jb->cold = start;
    trans_second_page_begin(&t);
    trans_fp_begin(&t, trans_emitters);
    for (unsigned i = 0; i < b->n && !t.ended; i++) {
        t.in = &b->insns[i];
        t.info = &insn_info[t.in->row];
        translate_insn(&t);
    }
    if (!t.ended) {
        trans_fp_settle(&t);
        trans_exit_to(&t, trans_next(&t));
    }
    trans_forget_held(&t);
    trans_far_accesses(&t);
    trans_slow_paths(&t);
    no_budget(&t, too_few);
    make_cold_body(&t);
    trans_fp_end(&t);
    trans_second_page_end(&t);
    if (t.e.full) {
        return NULL;
    }
    put_faults(&t);
    jit_translation_ends(j, jb, t.e.at);
    trace_jit_translated(rip, b->n, jb->code_bytes, j->context);
    j->stats.translated++;
    j->stats.bytes += jb->code_bytes;
    tell(j, jb);
    return jb;
}
