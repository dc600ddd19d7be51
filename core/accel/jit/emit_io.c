/*
 * Emitters: ports. And which moves between registers and memory have a short way to a device.
 */
#include "core/accel/jit/translate.h"

/* A block that uses the FPU has its registers taken out and back around C code, and a trial ends
 * before a device: slow instructions. */
static bool emit_io(struct trans *t, unsigned port_operand, unsigned access)
{
    if (t->fp.wanted || t->j->check) {
        return false;
    }
    trans_fp_settle(t);
    t->fp.seg = -1;
    trans_save_flags(t);
    access |= (unsigned)t->in->opsize << IO_SIZE_SHIFT;
    if (t->info->operand[port_operand] == OPD_DX) {
        emit_rr(&t->e, 0x0fb7, 4, HOST_10, HOST_DX);
        emit_rr(&t->e, 0x81, 4, 1, HOST_10);            /* or r10d, access */
        emit_imm(&t->e, access, 4);
    } else {
        emit_mov_imm(&t->e, HOST_10, access | (unsigned)t->in->imm);
    }
    trans_forget_held(t);
    emit_mov_imm(&t->e, HOST_8, (uintptr_t)t->jb);
    emit_mov_imm(&t->e, HOST_9, t->in->index_in_block);
    emit_link(emit_call_to(&t->e), stubs_of(t)->io);
    t->in_host = false;
    return true;
}

bool emit_in(struct trans *t)
{
    return emit_io(t, 1, 0);
}

bool emit_out(struct trans *t)
{
    return emit_io(t, 0, IO_WRITE);
}

/* MOVE_* of an instruction that only moves to or from memory; 0: it is none. */
static unsigned move_of(const struct insn *in)
{
    const struct insn_info *info = &insn_info[in->row];
    trans_emitter emitter = trans_emitters[in->row];
    unsigned to = (unsigned)in->opsize << MOVE_TO_SHIFT;
    unsigned whole = to | (unsigned)in->opsize << MOVE_SIZE_SHIFT;
    if (emitter == emit_move_abs) {
        return whole | MOVE_ABSOLUTE | GPR_OFF(R_AX) | (info->opcode < 0xa2 ? 0 : MOVE_STORE);
    }
    if (!in->mem || (emitter != emit_move && emitter != emit_movx)) {
        return 0;
    }
    if (emitter == emit_movx) {
        unsigned size = info->opcode & 1 ? 2 : 1;
        return to | size << MOVE_SIZE_SHIFT | in->r | (info->opcode < 0xb8 ? 0 : MOVE_SIGNED);
    }
    switch (info->operand[0]) {
    case OPD_Gb:
    case OPD_Gv:
        return whole | in->r;
    default:
        whole |= MOVE_STORE;
        return whole | (info->opcode >= 0xc6 && info->map == MAP_M1 ? MOVE_IMM : in->r);
    }
}

const uint8_t *trans_slow_stub(struct trans *t, const struct slow_path *p)
{
    bool light = !t->j->check && !p->direct;
    unsigned move = light ? move_of(&p->jb->block->insns[p->index]) : 0;
    if (!move) {
        return stubs_of(t)->slow;
    }
    emit_mov_imm(&t->e, HOST_10, move);
    return move & MOVE_STORE ? stubs_of(t)->store : stubs_of(t)->load;
}
