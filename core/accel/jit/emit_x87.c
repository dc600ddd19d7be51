/*
 * Emitters: x87. The host's register stack is the guest's (host_fp.c), so most instructions are
 * themselves. FSIN and its kin, BCD and what moves the whole state are the interpreter's.
 */
#include "core/accel/jit/translate.h"

#include "core/cpu/fpu.h"

/* Bytes of the memory operand. */
static unsigned bytes(const struct trans *t)
{
    switch (t->info->operand[0]) {
    case OPD_Mw: return 2;
    case OPD_Md: return 4;
    case OPD_Mq: return 8;
    default: return 10;
    }
}

/* FST, FIST, FISTTP and those that pop: /1 to /3, and /7 of 80 bits and FISTP m64 */
static bool stores(const struct insn *in)
{
    unsigned digit = in->reg & 7;
    return (in->opcode & 1) && ((digit >= 1 && digit <= 3) || digit == 7);
}

/* FDP is the operand's offset; FDS its segment. */
static void note_operand(struct trans *t)
{
    const struct insn *in = t->in;
    struct host_mem sel = cpu_field(CPU_OFFSET(s.seg[0].sel) +
                                    in->seg * (int32_t)sizeof(struct x86_seg));
    trans_ea(t);
    emit_store(&t->e, 8, HOST_8, CPU_OFFSET(s.fdp));
    if (t->fp.seg != in->seg) {
        emit_rm(&t->e, 0x0fb7, 4, HOST_10, &sel);
        emit_store(&t->e, 2, HOST_10, CPU_OFFSET(s.fds));
        t->fp.seg = in->seg;
    }
}

/* FPREM and its kin leave condition codes undefined; the interpreter has them as Intel's do. */
bool emit_x87_intel(struct trans *t)
{
    return jit_host_is_intel() && emit_x87(t);
}

bool emit_x87(struct trans *t)
{
    const struct insn *in = t->in;
    unsigned digit = in->reg & 7;
    if (t->info->feature == X86_F_SSE3 && !jit_host_has(X86_F_SSE3)) {
        return false;                                   /* FISTTP */
    }
    if (in->mem) {
        trans_mem(t, bytes(t), stores(in) ? WRITE : READ);
        emit_rm(&t->e, in->opcode, 4, (enum host_reg)digit, trans_op(t));
        note_operand(t);
    } else {
        if (t->info->flags_read | t->info->flags_written) {
            trans_flags_before(t);
        }
        emit_rr(&t->e, in->opcode, 4, (enum host_reg)digit, (enum host_reg)(in->rm & 7));
        trans_flags_after(t);
    }
    t->fp.noted = in->index_in_block;
    trans_fp_pending(t);
    return true;
}

/* ---- control ---- */

/* The masks of exceptions must stay as they are, else the interpreter goes on. */
static bool load_control(struct trans *t)
{
    struct emit *e = &t->e;
    struct host_mem fcw = cpu_field(CPU_OFFSET(s.fcw));
    trans_flags_aside(t);
    trans_mem(t, 2, READ);
    emit_rm(e, 0x0fb7, 4, HOST_10, trans_op(t));
    emit_rr(e, 0x81, 4, 4, HOST_10);                    /* and: what can be set */
    emit_imm(e, 0x1f3f, 4);
    emit_mov(e, 4, HOST_11, HOST_10);
    emit_rm(e, 0x33, 4, HOST_11, &fcw);                 /* xor fcw, and fsw behind it */
    emit_rr(e, 0xf6, 1, 0, HOST_11);                    /* test */
    emit_u8(e, FSW_EXCEPTIONS);
    trans_slow_if(t, 5);
    emit_rr(e, 0x83, 4, 1, HOST_10);                    /* or */
    emit_u8(e, 0x40);
    emit_rm(e, 0x89, 2, HOST_10, &fcw);
    emit_rm(e, 0xd9, 4, (enum host_reg)5, &fcw);
    return true;
}

/* FNINIT; the host's state is the guest's in every respect. */
static void init(struct trans *t)
{
    static const int32_t words[] = {CPU_OFFSET(s.fop), CPU_OFFSET(s.fcs), CPU_OFFSET(s.fds)};
    struct emit *e = &t->e;
    struct host_mem fcw = cpu_field(CPU_OFFSET(s.fcw));
    emit_rm(e, 0xc7, 2, 0, &fcw);
    emit_imm(e, FCW_INIT, 2);
    emit_mov_imm(e, HOST_10, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        emit_store(e, 2, HOST_10, words[i]);
    }
    emit_store(e, 8, HOST_10, CPU_OFFSET(s.fip));
    emit_store(e, 8, HOST_10, CPU_OFFSET(s.fdp));
    t->fp.noted = t->fp.seg = -1;
}

/* Control and status word, FNCLEX, FNINIT, FWAIT: no pointers are noted. */
bool emit_x87_control(struct trans *t)
{
    const struct insn *in = t->in;
    struct emit *e = &t->e;
    if (!in->mem) {
        if (in->opcode != 0x9b) {                       /* nothing is pending */
            emit_u8(e, in->opcode);
            emit_u8(e, 0xc0 | (in->reg & 7u) << 3 | (in->rm & 7u));
        }
        if (in->opcode == 0xdb && in->rm == 3) {
            init(t);
        }
        return true;
    }
    if (in->opcode == 0xd9 && (in->reg & 7) == 5) {
        return load_control(t);
    }
    trans_mem(t, 2, WRITE);
    if (in->opcode == 0xd9) {
        emit_load(e, 2, HOST_10, CPU_OFFSET(s.fcw));
        emit_rm(e, 0x89, 2, HOST_10, trans_op(t));
    } else {
        emit_rm(e, 0xdd, 4, (enum host_reg)7, trans_op(t));
    }
    return true;
}
