/*
 * Inside the translator: the blocks being translated, and what an emitter (emit column of insn.def)
 * may use.
 *
 * An emitter returns false, before it has emitted anything, if it cannot do the instruction; then
 * the interpreter's function is called. It first makes its memory operand (trans_mem), then calls
 * trans_flags_before, emits the operation and calls trans_flags_after.
 */
#ifndef CORE_ACCEL_JIT_TRANSLATE_H
#define CORE_ACCEL_JIT_TRANSLATE_H

#include "core/accel/jit/code.h"

#define SLOW_JUMPS 16
#define TRANS_FAULTS (8 * UNIT_INSNS)
#define HELD 3               /* host registers for R8 to R15 of the guest */

enum access { READ, WRITE, MODIFY };

/* The register operand that is in memory because it is not worth a host register. */
enum unheld { NONE_UNHELD, E_UNHELD, G_UNHELD };

/* Flags that can be made again, from what is still in registers. */
struct flags_again {
    const struct insn *in;   /* by doing this over; NULL: they cannot */
    bool carry;              /* INC, DEC: and CF is in translated.flags */
    bool kept;               /* with translated.kept in place of its first operand */
};

/* Where the flags are when the interpreter is needed. */
enum flags_where { FLAGS_SAVED, FLAGS_IN_HOST, FLAGS_AGAIN };

/* The way out of an instruction that needs the interpreter. */
struct slow_path {
    uint8_t *from[SLOW_JUMPS]; /* displacements that lead to it */
    unsigned n;
    struct jit_block *jb;
    unsigned index;          /* in its block */
    bool leaves;             /* a conditional jump to @rip, out of the translation */
    uint64_t rip;
    uint8_t n_open, open[UNIT_PARTS]; /* trans.open then */
    bool direct;             /* from an access in the window, around which EFLAGS stays */
    enum flags_where flags;
    struct flags_again again;
    const uint8_t *at;       /* its code */
    uint8_t *back;           /* NULL: not back here, but on in the interpreter */
    int noted;               /* trans_fp.noted before it */
    uint8_t held[HELD];      /* what is expected there */
    uint8_t was_held[HELD], dirty; /* trans.held and dirty before */
    bool near;               /* others rely on an access of the instruction; no way back */
    struct slow_path *before; /* another one of the same instruction */
};

/* What an access does out of line: it is looked up in the TLB; the same, and then its marks; only
 * these, closer; it is looked up with others near to it. */
enum far_kind { FAR_LOOK_UP, FAR_STORE, FAR_MARKS, FAR_NEAR };

struct far_access {
    uint8_t *from, *back;
    struct slow_path *path;
    enum far_kind kind;
    uint8_t size;
    enum access access;
    int32_t run;             /* displacement of the run that it missed from the context; 0: none */
    struct host_mem at;      /* the linear address; else that is in R8, or, if a run was missed, the
                              * distance from its start, and R8 is to be the host's address */
};

/* Guest registers (offsets into gpr; GPR_OFF_ZERO: none) that make an address: base plus
 * index << scale. Both none: it is something else. */
struct trans_sum {
    uint8_t base, index, scale;
};

/* Where an access is: R8, or @at.base + @at.disp, has the linear address, which is probably @lin
 * (certainly, if @fixed). */
struct trans_place {
    struct trans_sum by;     /* the registers that it depends on, if they are all that it does */
    struct host_mem at;      /* base HOST_NONE: R8 */
    uint64_t lin;
    bool fixed;
};

/* Bytes at lo to hi - 1 from what a sum is now, to which translated.near leads; for stores, too, if
 * @write. It has changed by @moved since it was looked up. */
struct trans_near {
    struct trans_sum by;
    bool there, write;
    bool own;                /* looked up by a register of its own: no sum of it wraps */
    int32_t lo, hi, moved;
};
#define PLAIN_DISP 0x10000

struct trans;
typedef bool (*trans_emitter)(struct trans *t);

/* The FPU in this translation. */
struct trans_fp {
    unsigned wanted;         /* FP_*: registers that its instructions use */
    bool unmasked;           /* exceptions of the x87 may be: FSW.ES is looked at */
    uint8_t *out, *back;     /* where they are got, if they are not there */
    int noted;               /* the last instruction that FIP and FOP are to name; -1: they do */
    int seg;                 /* FDS is its selector; -1: nothing is known of FDS and FCS */
};

struct trans {
    struct emit e;
    struct jit *j;
    struct jit_block *head;
    struct jit_block *jb;    /* the part that is being translated */
    struct block *block;
    const struct jit_context *context;
    const struct insn *insns[UNIT_INSNS]; /* of all parts */
    unsigned n, at;          /* how many; which one is being translated: */
    const struct insn *in;
    const struct insn_info *info;
    bool wide;               /* 64-bit code */
    uint8_t held[HELD];      /* R_8 to R_15: the guest register that is also in trans_homes[i];
                              * 0: none */
    uint8_t dirty;           /* bit i: that is newer than memory */
    enum unheld unheld;      /* of this instruction */
    bool fixed;              /* the memory operand's offset is known: */
    uint64_t offset;
    uint64_t guess;          /* the offset by: */
    uint64_t regs[18];       /* what gpr of the context will probably have */
    uint16_t unsure;         /* bits of those of which nothing is known */
    uint16_t derived;        /* of those that the translation has given other values than sums */
    struct host_mem operand; /* where the access is; in the window, if @direct */
    bool direct;
    struct trans_fault {
        const uint8_t *at;   /* what may fault */
        struct slow_path *path;
    } faults[TRANS_FAULTS];
    unsigned n_faults;
    struct slow_path too_few; /* where the block leaves because the budget is used up */
    bool in_host, saved;     /* the flags are in EFLAGS; in translated.flags */
    bool carry_saved;        /* CF is there, if not all of them */
    struct flags_again again; /* neither: how they are made */
    bool ended;              /* the last instruction has emitted the way out */
    uint16_t live[UNIT_INSNS]; /* flags that are looked at after each instruction */
    struct slow_path slow[2 * UNIT_INSNS];
    unsigned n_slow;
    struct far_access far[4 * UNIT_INSNS];
    unsigned n_far;
    struct trans_near near[NEARS];
    unsigned next_near;
    bool is_first;           /* others rely on an access of this instruction */
    struct slow_path *path;  /* of this instruction, if it has one: the last one */
    bool out_of_line;        /* behind the block: nothing needs a path that has none */
    struct trans_fp fp;
    uint8_t n_open, open[UNIT_PARTS]; /* parts with a CALL that has not returned yet */
    const uint8_t *points[UNIT_PARTS]; /* where the host is to return to behind them; NULL: it
                              * has not been needed */
    uint8_t *second_page[2]; /* displacements of jumps that are taken if the second page moved */
    unsigned n_second_page;
};

static inline const struct jit_stubs *stubs_of(const struct trans *t)
{
    return &t->j->stubs[t->wide ? STUBS_WIDE : t->context->live ? STUBS_LIVE : STUBS_NARROW];
}

/* Where R8 to R15 of the guest may be held. The last one is also a scratch register: of emitters
 * that uses_scratch (trans_regs.c) names. */
static const enum host_reg trans_homes[HELD] = {HOST_14, HOST_13, HOST_11};

/* The host register of a guest register operand (offset into gpr). The registers that the
 * instruction's ModRM byte and opcode name have one while its emitter runs. */
static inline enum host_reg trans_reg(const struct trans *t, unsigned offset)
{
    if (unlikely(offset >= GPR_OFF(R_8))) {
        unsigned i = t->held[0] == offset >> 3 ? 0 : t->held[1] == offset >> 3 ? 1 : 2;
        return trans_homes[i];
    }
    return offset & 7 ? (enum host_reg)(HOST_AH + (offset >> 3)) : guest_reg(offset >> 3);
}

static inline bool trans_high(enum host_reg r)
{
    return r >= HOST_AH && r <= HOST_BH;
}

/* Is it the last one of its block; of all? */
static inline bool trans_ends_block(const struct trans *t)
{
    return t->in->index_in_block + 1u == t->block->n;
}

static inline bool trans_ends(const struct trans *t)
{
    return t->at + 1 == t->n;
}

/* ---- trans_regs.c: R8 to R15 of the guest ---- */
/* Gives the instruction's registers host registers; notes those that it wrote. EFLAGS stays. */
void trans_hold(struct trans *t);
void trans_written(struct trans *t);
/* Memory has what they have: all of them; this one (offset into gpr). EFLAGS stays. */
void trans_clean(struct trans *t);
void trans_clean_one(struct trans *t, unsigned offset);
/* The same, and nothing is held any more, nor known to be near. */
void trans_forget_held(struct trans *t);
/* At the start of a slow path, and when it comes back. */
void trans_clean_path(struct trans *t, const struct slow_path *p);
void trans_reload(struct trans *t, const uint8_t held[HELD]);
/* Bits of the registers that the instruction may change; is this one (offset into gpr) among
 * them? */
uint32_t trans_writes(const struct insn *in);
static inline bool trans_may_write(const struct insn *in, unsigned offset)
{
    return trans_writes(in) >> (offset >> 3) & 1;
}
static inline bool trans_is_extra(unsigned offset)
{
    return offset >= GPR_OFF(R_8) && offset <= GPR_OFF(R_15);
}
/* The host register for part of an effective address; @scratch if it has to be loaded. */
enum host_reg trans_ea_reg(struct trans *t, unsigned offset, enum host_reg scratch);

/* ---- translate.c ---- */
/* By row of insn.def; CALL_RUN: none. */
extern const trans_emitter trans_emitters[];
/* Budget @digit (5: SUB, 0: ADD) @n instructions, by LEA in live code. */
void trans_take_budget(struct trans *t, unsigned digit, unsigned n);
/* Calls the interpreter for the instruction by @stub; @what goes with its index. */
void trans_call(struct trans *t, const uint8_t *stub, unsigned what);
/* Is the instruction there in this model and mode? Else it is #UD. */
bool trans_exists(const struct trans *t, const struct insn *in);

/* ---- trans_mem.c ---- */
/* Where the next access will probably be. */
void trans_guess(struct trans *t, uint64_t offset);
/* @m: the memory operand by the host's registers, not yet cut to the address size; false: its
 * offset is known, and in t->offset. May use R8 and R9. */
bool trans_ea_operand(struct trans *t, struct host_mem *m);
/* R8 = offset of the memory operand; R8 and R9 then belong to trans_op. */
void trans_ea(struct trans *t);
void trans_probe(struct trans *t, unsigned seg, unsigned size, enum access access);
/* Both; in the window without R8 where that can be. EFLAGS is left alone there, but nobody may rely
 * on that. */
void trans_mem(struct trans *t, unsigned size, enum access access);
/* The same for what is at (E)SP + @by of the stack. */
void trans_stack(struct trans *t, int by, unsigned size, enum access access);
/* Of the access that was probed last: the operand of the very next instruction that is emitted. */
const struct host_mem *trans_op(struct trans *t);
/* The next instruction that is emitted may fault. */
void trans_may_fault(struct trans *t);
/* May [register + @disp] be looked up as it stands? Of 32-bit code a sum that wraps is looked up
 * again out of line: with a displacement that is an address that would be always. */
bool trans_is_plain(const struct trans *t, unsigned seg, int32_t disp);
/* May it be near to others? */
bool trans_is_flat(const struct trans *t, unsigned seg);
/* Is such an access made in the window, unchecked? */
bool trans_is_direct(const struct trans *t, unsigned seg, unsigned size, enum access access);
/* To the interpreter; if condition @cc holds. */
void trans_slow(struct trans *t);
void trans_slow_if(struct trans *t, unsigned cc);
/* A way to the interpreter at instruction @index of the block, with all as it is now. */
struct slow_path *trans_new_path(struct trans *t, unsigned index);
/* path, if there is none yet for what is known of the flags. */
void trans_need_path(struct trans *t);

/* ---- trans_tlb.c ---- */
/* Makes operand the host's of an access at @p; for a store, no line of it is marked. */
void trans_look_up(struct trans *t, const struct trans_place *p, unsigned size, enum access access);
/* R9 = host address - linear address, for R8, only if the jump with displacement @from is taken,
 * and without marks; back is the caller's to set. */
struct far_access *trans_look_up_far(struct trans *t, uint8_t *from, unsigned size,
                                     enum access access);
/* A store to [R8 + R9]: lines that are marked are written by the interpreter. Uses R10. */
void trans_check_marks(struct trans *t, unsigned size);
/* While checking: notes what the operand has. Uses R10, R11; EFLAGS stays. */
void trans_note_store(struct trans *t, unsigned size);
/* What accesses left to do out of line. */
void trans_far_accesses(struct trans *t);

/* ---- trans_guess.c ---- */
/* The registers at the start of a part; what the instruction that is done makes of them. */
void trans_guess_begin(struct trans *t, const uint64_t gpr[16]);
void trans_guess_over(struct trans *t);
/* Offset of the memory operand by regs; is a register that it depends on not known? */
uint64_t trans_guess_ea(const struct trans *t);
bool trans_is_unsure(const struct trans *t);
/* Does it depend on one that the translation made: will it lead elsewhere each time? */
bool trans_is_derived(const struct trans *t);

/* ---- trans_near.c ---- */
/* Does @in change register @reg (offset into gpr) by a small sum, and by nothing else? */
bool trans_moves_by(const struct trans *t, const struct insn *in, unsigned reg, int32_t *by);
/* @n: what a look-up of [@by + @disp] is to cover. False: nothing that follows is near to it. */
bool trans_near_plan(struct trans *t, struct trans_sum by, int32_t disp, unsigned size,
                     enum access access, struct trans_near *n);
/* R9 leads to all of it. */
void trans_near_begins(struct trans *t, const struct trans_near *n);
/* R9 leads to [@by + @disp], if that is near; in 32-bit code the host adds it up if @own. EFLAGS
 * stays. */
bool trans_near_has(struct trans *t, struct trans_sum by, bool own, int32_t disp, unsigned size,
                    enum access access);
/* The instruction is done; nothing is known any more. */
void trans_near_over(struct trans *t);
void trans_near_forget(struct trans *t);

/* ---- trans_flags.c ---- */
/* May the instruction change what the context knows of segments? */
bool trans_may_load_segment(const struct insn *in);
/* Fills in live[]. */
void trans_find_live(struct trans *t);
/* Flags into translated.flags; those in EFLAGS stay. Uses R10. */
void trans_save_flags(struct trans *t);
/* EFLAGS is about to be overwritten, from here to the end of the instruction or trans_flags_before:
 * the flags are saved, or can be made again. Before the instruction's first trans_slow. Uses
 * R10. */
void trans_flags_aside(struct trans *t);
/* What the operation reads or leaves alone is in EFLAGS. Uses R10. */
void trans_flags_before(struct trans *t);
/* All of them are in EFLAGS; where the next block expects them. Use R10. */
void trans_flags_to_host(struct trans *t);
void trans_flags_leave(struct trans *t);
void trans_flags_after(struct trans *t);
static inline uint16_t trans_live(const struct trans *t)
{
    return t->live[t->at];
}
/* Flags that the row gives new values, undefined ones included. */
uint16_t trans_overwritten(const struct insn_info *info);
/* Into translated.flags, from where they are at slow path @p. Uses R10. */
void trans_flags_of_path(struct trans *t, const struct slow_path *p);

/* ---- trans_again.c ---- */
/* How the flags that this instruction made can be made again. */
struct flags_again trans_how_again(const struct trans *t);
/* Will that be so until they are dead or asked for in EFLAGS? */
bool trans_lasts(const struct trans *t);
/* Will it if the first operand, or the result, is kept? Then it is from now on. Uses R10. */
bool trans_keep(struct trans *t);
/* The instruction is done: does that still hold? */
void trans_again_over(struct trans *t);
/* The register operands (offsets into gpr; memory is none of them) of an instruction with one or
 * two: the first, and the second, which is GPR_OFF_ZERO if there is none or @imm. */
struct trans_operands {
    unsigned to, from;
    bool imm, g;             /* the first is named by ModRM's reg */
};
struct trans_operands trans_operands_of(const struct insn *in);
/* Number 0 to 7 of ADD OR ADC SBB AND SUB XOR CMP */
unsigned trans_alu_op(const struct insn *in);
/* Does it. Uses R10. */
void trans_make_again(struct trans *t, struct flags_again a);

/* ---- trans_exit.c ---- */
/* Condition @cc leads out of the translation, to @rip. */
void trans_leave_if(struct trans *t, unsigned cc, uint64_t rip);
/* Ends the translation: at offset @rip; the same for CALL, whose return the host is to expect; at
 * trans_target if condition @cc holds, else at trans_next (flags are saved); at the offset in
 * R8; the same for CALL. */
void trans_exit_to(struct trans *t, uint64_t rip);
void trans_exit_call(struct trans *t, uint64_t rip);
void trans_exit_two(struct trans *t, unsigned cc);
void trans_exit_indirect(struct trans *t);
void trans_call_indirect(struct trans *t);
/* To the offset in R8 in another context, where no return is expected. */
void trans_exit_elsewhere(struct trans *t);
/* The last but one in two parts, with checks of the offset between them: to the block there, if one
 * is known and nothing is pending (R8 is kept; uses R9 to R11); to the interpreter. In place of the
 * first for RET: to where the host expects it to return, if that is there. */
void trans_jump_known(struct trans *t);
void trans_exit_return(struct trans *t);
void trans_exit_unknown(struct trans *t);
/* To the interpreter's loop, at offset @rip (flags are saved); to its instruction @index. */
void trans_exit_chain(struct trans *t, uint64_t rip);
void trans_exit_step(struct trans *t, unsigned index);
/* The last instruction is done by the interpreter's operation alone. */
void trans_exit_op(struct trans *t);
/* CALL and RET inside a translation: the interpreter, if it has to do one, goes on behind it. */
bool trans_goes_in_or_out(const struct insn *in);
/* What slow_path promised, out of line. */
void trans_slow_paths(struct trans *t);
/* Offset behind the instruction. */
uint64_t trans_next(const struct trans *t);
/* Offset @displacement further, by the operand size. */
uint64_t trans_target(const struct trans *t);

/* ---- emit_flow.c ---- */
/* R8 = (E)SP + @by as an offset; nothing else changes. (E)SP += @by. No flags are touched. */
void trans_stack_offset(struct trans *t, int by);
void trans_move_esp(struct trans *t, int by);
/* What was probed there into @to, and the stack pointer moved. */
void trans_pop_into(struct trans *t, unsigned size, enum host_reg to);
/* To the interpreter, which faults, if the target in @reg is beyond the limit. Uses R9. Where a
 * block is known, there is no need. */
void trans_check_target(struct trans *t, enum host_reg reg);

/* ---- trans_page.c: before the first instruction; behind the last one, out of line ---- */
void trans_second_page_begin(struct trans *t);
void trans_second_page_end(struct trans *t);

/* ---- trans_fp.c ---- */
/* FP_*: the registers that an instruction uses. */
unsigned trans_fp_wanted(const struct trans *t, const struct insn *in);
/* Before the first instruction; behind the last one, out of line. */
void trans_fp_begin(struct trans *t);
void trans_fp_end(struct trans *t);
/* FIP, FOP and FCS name instruction @noted, if that is one. EFLAGS stays. Uses R10. */
void trans_fp_note(struct trans *t, int noted);
/* The same for the last one so far. */
static inline void trans_fp_settle(struct trans *t)
{
    trans_fp_note(t, t->fp.noted);
    t->fp.noted = -1;
}
/* Behind an x87 instruction that may raise an exception: if it is not masked, the interpreter goes
 * on, whose next instruction gets it. Uses EFLAGS. */
void trans_fp_pending(struct trans *t);
/* Does the row name an MMX register? */
bool trans_is_mmx(const struct insn_info *info);
/* Where jit_slow finds what the block wants back. */
static inline unsigned trans_fp_slow(const struct trans *t)
{
    return t->fp.wanted << SLOW_FP_SHIFT;
}

/* ---- emit_data.c ---- */
/* The count of a shift by an immediate. */
static inline unsigned trans_shift_count(const struct insn *in)
{
    return (unsigned)in->imm & (in->opsize == 8 ? 63 : 31);
}
/* Does emit_shift do it? */
bool trans_can_shift(const struct jit *j, const struct insn *in, const struct insn_info *info);

/* ---- emit_system.c ---- */
/* May the code be at CPL 0? To the interpreter if it is not (the flags are saved). */
bool trans_may_be_cpl0(const struct trans *t);
void trans_need_cpl0(struct trans *t);

/* ---- emit_io.c ---- */
/* The stub for an instruction that is not done by translated code. Sets R10. */
const uint8_t *trans_slow_stub(struct trans *t, const struct slow_path *p);

/* ---- emit_bits.c ---- */
bool trans_can_scan(const struct jit *j);
bool trans_can_double_shift(const struct jit *j, const struct insn *in,
                            const struct insn_info *info);

/* ---- the emitters ---- */
#define CALL_RUN NULL
bool emit_alu(struct trans *t), emit_test(struct trans *t), emit_unary(struct trans *t);
bool emit_move(struct trans *t), emit_move_abs(struct trans *t), emit_xchg(struct trans *t);
bool emit_lea_insn(struct trans *t), emit_movx(struct trans *t), emit_widen(struct trans *t);
bool emit_setcc(struct trans *t), emit_cmov(struct trans *t), emit_shift(struct trans *t);
bool emit_mul(struct trans *t), emit_imul(struct trans *t), emit_div(struct trans *t);
bool emit_push(struct trans *t), emit_pop(struct trans *t), emit_leave(struct trans *t);
bool emit_jump_cc(struct trans *t), emit_jump(struct trans *t), emit_call(struct trans *t);
bool emit_ret(struct trans *t), emit_loop(struct trans *t), emit_jump_e(struct trans *t);
bool emit_carry(struct trans *t), emit_nop(struct trans *t), emit_bit(struct trans *t);
bool emit_bswap(struct trans *t), emit_to_segment(struct trans *t);
bool emit_from_segment(struct trans *t), emit_push_segment(struct trans *t);
bool emit_pop_segment(struct trans *t), emit_direction(struct trans *t), emit_cli(struct trans *t);
bool emit_from_control(struct trans *t);
bool emit_lods(struct trans *t), emit_stos(struct trans *t), emit_movs(struct trans *t);
bool emit_scas(struct trans *t), emit_rep(struct trans *t), emit_pop_memory(struct trans *t);
bool emit_movsxd(struct trans *t), emit_bit_mem(struct trans *t), emit_scan(struct trans *t);
bool emit_double_shift(struct trans *t), emit_exchange(struct trans *t);
bool emit_pushf(struct trans *t), emit_in(struct trans *t), emit_out(struct trans *t);
bool emit_vec(struct trans *t), emit_vex(struct trans *t), emit_bitcount(struct trans *t);
bool emit_syscall(struct trans *t), emit_sysret(struct trans *t), emit_swapgs(struct trans *t);
bool emit_x87(struct trans *t), emit_x87_intel(struct trans *t), emit_x87_control(struct trans *t);

#endif
