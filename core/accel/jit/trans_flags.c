/*
 * Flags: an operation leaves them in EFLAGS. What overwrites EFLAGS otherwise (a memory access, the
 * end of the block) first saves them, if they are not dead: overwritten before anything looks at
 * them. Whatever may fault or call the interpreter looks at all of them. If only that does, they
 * are not saved as long as they can be made again (trans_again.c).
 */
#include "core/accel/jit/translate.h"

static uint16_t flag_named(char c)
{
    switch (c) {
    case 'O': return FL_OF;
    case 'S': return FL_SF;
    case 'Z': return FL_ZF;
    case 'A': return FL_AF;
    case 'P': return FL_PF;
    case 'C': return FL_CF;
    default: return 0;
    }
}

uint16_t trans_overwritten(const struct insn_info *info)
{
    uint16_t flags = info->flags_written;
    for (const char *u = info->undefined; u[0] && u[1]; u += 2) {
        flags |= u[1] == '=' ? 0 : flag_named(u[0]);
    }
    return flags & FL_OSZAPC;
}

bool trans_may_load_segment(const struct insn *in)
{
    const struct insn_info *info = &insn_info[in->row];
    for (unsigned i = 0; i < 2; i++) {
        uint8_t o = info->operand[i];
        if (o == OPD_Sw || o == OPD_Mp || (o >= OPD_ES && o <= OPD_GS)) {
            return true;
        }
    }
    return false;
}

/* What becomes of flags in an instruction: those that it needs, and those that it may leave alone
 * although the row has them written (a shift by CL, which may be 0). */
struct flag_use {
    uint16_t input, kept;
};

static struct flag_use flag_use(const struct insn *in, const struct insn_info *info)
{
    uint16_t read = info->flags_read & FL_OSZAPC;
    trans_emitter emitter = trans_emitters[in->row];
    if (emitter == emit_shift) {
        bool through_carry = (in->reg & 6) == 2, by_cl = info->operand[1] == OPD_CL;
        return (struct flag_use){through_carry ? FL_CF : 0, by_cl ? read : 0};
    }
    if (emitter == emit_double_shift) {
        return (struct flag_use){0, info->operand[2] == OPD_CL ? read : 0};
    }
    return (struct flag_use){read, 0};
}

/* Does the emitter leave it to the interpreter? */
static bool refused(const struct jit *j, const struct insn *in, const struct insn_info *info)
{
    trans_emitter emitter = trans_emitters[in->row];
    return !emitter || (emitter == emit_shift && !trans_can_shift(j, in, info)) ||
           (emitter == emit_double_shift && !trans_can_double_shift(j, in, info)) ||
           (emitter == emit_scan && !trans_can_scan(j));
}

/* May it fault, call C, or stop behind itself? Then all flags must be known before it. */
static bool looks_at_all(const struct jit *j, const struct insn *in, const struct insn_info *info)
{
    bool absolute = info->operand[0] == OPD_Ob || info->operand[0] == OPD_Ov ||
                    info->operand[1] == OPD_Ob || info->operand[1] == OPD_Ov;
    return in->mem || absolute || refused(j, in, info) || trans_emitters[in->row] == emit_div ||
           trans_emitters[in->row] == emit_cli || (info->attr & (A_IO | A_CPL0)) ||
           info->feature != X86_F_BASE || trans_may_load_segment(in) ||
           (info->attr & (A_STACK | A_STRING | A_JUMP | A_FAR));
}

void trans_find_live(struct trans *t)
{
    uint16_t live = FL_OSZAPC;
    for (unsigned i = t->n; i-- > 0;) {
        const struct insn *in = t->insns[i];
        const struct insn_info *info = &insn_info[in->row];
        /* FCOMI and its kin may stop behind themselves: see trans_fp_pending. */
        live = info->attr & A_FPU ? FL_OSZAPC : live;
        t->live[i] = live;
        struct flag_use use = flag_use(in, info);
        live = (uint16_t)((live & (~trans_overwritten(info) | use.kept)) | use.input);
        bool inside = trans_emitters[in->row] == emit_jump && i + 1 < t->n;
        if (!inside && looks_at_all(t->j, in, info)) {
            live = FL_OSZAPC;
        }
    }
}

void trans_save_flags(struct trans *t)
{
    if (t->saved) {
        return;
    }
    if (!t->in_host) {
        trans_make_again(t, t->again);
        t->in_host = true;
    }
    emit_save_flags(&t->e);
    t->saved = t->carry_saved = true;
}

void trans_flags_aside(struct trans *t)
{
    if (t->in_host && !(t->again.in && (trans_lasts(t) || trans_keep(t)))) {
        trans_save_flags(t);
    }
    t->in_host = false;
}

void trans_flags_of_path(struct trans *t, const struct slow_path *p)
{
    if (p->flags == FLAGS_AGAIN) {
        trans_make_again(t, p->again);
    }
    if (p->flags != FLAGS_SAVED) {
        emit_save_flags(&t->e);
    }
}

static void flags_to_host(struct trans *t)
{
    emit_mov(&t->e, 8, HOST_10, HOST_AX);
    emit_flags_to_host(&t->e);
    emit_mov(&t->e, 8, HOST_AX, HOST_10);
    t->in_host = true;
}

void trans_flags_to_host(struct trans *t)
{
    if (!t->in_host && !t->saved) {
        trans_make_again(t, t->again);
        t->in_host = true;
    } else if (!t->in_host) {
        flags_to_host(t);
    }
}

void trans_flags_leave(struct trans *t)
{
    if (t->context->live) {
        trans_flags_to_host(t);
    } else {
        trans_save_flags(t);
    }
}

void trans_flags_before(struct trans *t)
{
    struct flag_use use = flag_use(t->in, t->info);
    uint16_t need = (trans_live(t) & (~trans_overwritten(t->info) | use.kept)) | use.input;
    if (!need || t->in_host) {
        return;
    }
    if (!t->saved) {
        trans_make_again(t, t->again);
        t->in_host = true;
    } else if (need == FL_CF) {
        struct host_mem m = cpu_field(ENGINE_OFFSET(translated.flags));
        emit_rm(&t->e, 0x0fba, 2, 4, &m);               /* bt flags, 8: as wide as it was stored */
        emit_u8(&t->e, 8);
    } else {
        flags_to_host(t);
    }
}

void trans_flags_after(struct trans *t)
{
    if (trans_overwritten(t->info)) {
        t->in_host = true;
        t->saved = trans_live(t) == 0;
        t->again = trans_how_again(t);
        t->carry_saved &= !(trans_overwritten(t->info) & FL_CF);
    }
}
