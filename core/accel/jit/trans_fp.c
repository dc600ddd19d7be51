/*
 * The FPU's part of a block: its registers are there from the first instruction on (host_fp.c), and
 * the pointers to the last x87 instruction are written only where somebody may look at them: before
 * the interpreter is called and at the end.
 */
#include "core/accel/jit/translate.h"

#include "core/accel/interp/x87.h"

unsigned trans_fp_wanted(const struct trans *t, const struct insn *in)
{
    trans_emitter emitter = trans_emitters[in->row];
    const struct insn_info *info = &insn_info[in->row];
    if (!trans_exists(t, in)) {
        return 0;
    }
    if (emitter == emit_vex) {
        return FP_VEC | FP_YMM;
    }
    if (emitter == emit_vec) {
        return trans_is_mmx(info) ? FP_X87_ANY : FP_VEC;
    }
    bool x87 = emitter == emit_x87 || emitter == emit_x87_intel || emitter == emit_x87_control;
    return x87 ? FP_X87 | FP_X87_ANY : 0;
}

void trans_fp_begin(struct trans *t)
{
    struct host_mem fp = cpu_field(ENGINE_OFFSET(translated.fp));
    t->fp = (struct trans_fp){.noted = -1, .seg = -1};
    t->fp.unmasked = (t->j->e->cpu.s.fcw & FSW_EXCEPTIONS) != FSW_EXCEPTIONS;
    for (unsigned i = 0; i < t->n; i++) {
        t->fp.wanted |= trans_fp_wanted(t, t->insns[i]);
    }
    t->fp.wanted &= t->fp.unmasked ? ~(unsigned)FP_X87 : ~0u;
    if (!t->fp.wanted) {
        return;
    }
    trans_flags_aside(t);
    emit_rm(&t->e, 0x0fb6, 4, HOST_10, &fp);
    emit_rr(&t->e, 0xf7, 4, 2, HOST_10);                /* not r10d */
    emit_rr(&t->e, 0xf6, 1, 0, HOST_10);                /* test r10b, wanted */
    emit_u8(&t->e, t->fp.wanted);
    t->fp.out = emit_jcc(&t->e, 5);
    t->fp.back = t->e.at;
}

void trans_fp_end(struct trans *t)
{
    if (!t->fp.wanted) {
        return;
    }
    emit_link(t->fp.out, t->e.at);
    emit_mov_imm(&t->e, HOST_8, (uintptr_t)t->jb);
    emit_mov_imm(&t->e, HOST_9, t->fp.wanted);
    emit_link(emit_call_to(&t->e), stubs_of(t)->fp_load);
    emit_link(emit_jmp(&t->e), t->fp.back);
}

void trans_fp_note(struct trans *t, int noted)
{
    if (noted < 0) {
        return;
    }
    struct emit *e = &t->e;
    const struct insn *in = &t->block->insns[noted];
    struct host_mem fop = cpu_field(CPU_OFFSET(s.fop));
    struct host_mem cs = cpu_field(CPU_OFFSET(s.seg[S_CS].sel));
    emit_rm(e, 0xc7, 2, 0, &fop);
    emit_imm(e, x87_fop(in), 2);
    emit_mov_imm(e, HOST_10, (t->jb->rip + in->offset) & (t->wide ? ~0ull : 0xffffffff));
    emit_store(e, 8, HOST_10, CPU_OFFSET(s.fip));
    emit_rm(e, 0x0fb7, 4, HOST_10, &cs);
    emit_store(e, 2, HOST_10, CPU_OFFSET(s.fcs));
}

void trans_fp_pending(struct trans *t)
{
    struct host_mem fsw = cpu_field(CPU_OFFSET(s.fsw));
    if (!t->fp.unmasked) {
        return;
    }
    trans_save_flags(t);                                /* the instruction is over: not aside */
    t->in_host = false;
    emit_rm(&t->e, 0xdd, 4, (enum host_reg)7, &fsw);    /* fnstsw */
    emit_rm(&t->e, 0xf6, 1, 0, &fsw);                   /* test byte [fsw], ES */
    emit_u8(&t->e, FSW_ES);
    struct slow_path *p = trans_new_path(t, t->in->index_in_block + 1u);
    p->direct = false;
    p->from[p->n++] = emit_jcc(&t->e, 5);
}
