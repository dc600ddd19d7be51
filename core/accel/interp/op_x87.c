/*
 * x87 instructions that move and compute. Values are fpu.c's matter, the stack is x87.h's.
 *
 * Source: [SDM2], the entry of each instruction; [SDM1] "x87 FPU Floating-Point Exceptions".
 * Chosen: condition codes that an instruction leaves undefined keep their values.
 */
#include "core/accel/interp/x87.h"

/* ---- arithmetic ---- */

static void arith_mem(struct x86_cpu *cpu, const struct insn *in, enum fpu_arith op,
                      enum fpu_kind kind, unsigned size)
{
    x87_begin(cpu);
    uint64_t b = x87_mem(cpu, in, size);
    x87_note(cpu, in);
    uint16_t sw;
    struct x86_fpr r = fpu_indefinite();
    if (x87_empty(cpu, 0)) {
        if (x87_underflow(cpu)) {
            x87_put(cpu, 0, &r);
        }
        return;
    }
    fpu_arith(op, kind, x87_st(cpu, 0), &b, cpu->s.fcw, cpu->s.fsw, &r, &sw);
    x87_report(cpu, sw, 0);
    if (!x87_blocked(cpu, sw)) {
        x87_put(cpu, 0, &r);
    }
}

/* ST(dst) = ST(dst) op ST(src), then a pop. */
static void arith_reg(struct x86_cpu *cpu, const struct insn *in, enum fpu_arith op, unsigned dst,
                      unsigned src, bool pops)
{
    x87_begin(cpu);
    x87_note(cpu, in);
    uint16_t sw;
    struct x86_fpr r = fpu_indefinite();
    if (x87_empty(cpu, dst) || x87_empty(cpu, src)) {
        if (!x87_underflow(cpu)) {
            return;
        }
    } else {
        fpu_arith(op, FPU_ST, x87_st(cpu, dst), x87_st(cpu, src), cpu->s.fcw, cpu->s.fsw, &r, &sw);
        x87_report(cpu, sw, 0);
        if (x87_blocked(cpu, sw)) {
            return;
        }
    }
    x87_put(cpu, dst, &r);
    if (pops) {
        x87_pop(cpu);
    }
}

#define ARITH(name, op)                                                                            \
    OP(name##_m32) { arith_mem(cpu, in, op, FPU_M32, 4); }                                         \
    OP(name##_m64) { arith_mem(cpu, in, op, FPU_M64, 8); }                                         \
    OP(name##_st0_sti) { arith_reg(cpu, in, op, 0, in->rm & 7, false); }                           \
    OP(name##_sti_st0) { arith_reg(cpu, in, op, in->rm & 7, 0, false); }                           \
    OP(name##p) { arith_reg(cpu, in, op, in->rm & 7, 0, true); }
#define ARITH_INT(name, op)                                                                        \
    OP(name##_m16) { arith_mem(cpu, in, op, FPU_I16, 2); }                                         \
    OP(name##_m32) { arith_mem(cpu, in, op, FPU_I32, 4); }

ARITH(fadd, FPU_ADD)
ARITH(fmul, FPU_MUL)
ARITH(fsub, FPU_SUB)
ARITH(fsubr, FPU_SUBR)
ARITH(fdiv, FPU_DIV)
ARITH(fdivr, FPU_DIVR)
ARITH_INT(fiadd, FPU_ADD)
ARITH_INT(fimul, FPU_MUL)
ARITH_INT(fisub, FPU_SUB)
ARITH_INT(fisubr, FPU_SUBR)
ARITH_INT(fidiv, FPU_DIV)
ARITH_INT(fidivr, FPU_DIVR)

/* ---- compares ---- */

enum { UNORDERED = FSW_C3 | FSW_C2 | FSW_C0 };

static void pops(struct x86_cpu *cpu, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        x87_pop(cpu);
    }
}

static void compare_done(struct x86_cpu *cpu, uint16_t sw, unsigned n_pops)
{
    bool stop = x87_blocked(cpu, sw);
    if (stop) { /* the condition codes are set all the same */
        n_pops = 0;
    }
    x87_report(cpu, sw, UNORDERED);
    pops(cpu, n_pops);
}

static void compare_empty(struct x86_cpu *cpu, unsigned n_pops)
{
    x87_report(cpu, FSW_IE | FSW_SF | UNORDERED, UNORDERED);
    if (cpu->s.fcw & FSW_IE) {
        pops(cpu, n_pops);
    }
}

static void compare_mem(struct x86_cpu *cpu, const struct insn *in, enum fpu_kind kind,
                        unsigned size, unsigned n_pops)
{
    x87_begin(cpu);
    uint64_t b = x87_mem(cpu, in, size);
    x87_note(cpu, in);
    if (x87_empty(cpu, 0)) {
        compare_empty(cpu, n_pops);
        return;
    }
    struct x86_fpr r;
    uint16_t sw;
    fpu_arith(FPU_COM, kind, x87_st(cpu, 0), &b, cpu->s.fcw, cpu->s.fsw, &r, &sw);
    compare_done(cpu, sw, n_pops);
}

static uint16_t compare_values(struct x86_cpu *cpu, const struct x86_fpr *b, bool quiet)
{
    struct x86_fpr r;
    uint16_t sw;
    if (quiet) {
        return fpu_ucom(x87_st(cpu, 0), b, cpu->s.fcw, cpu->s.fsw);
    }
    fpu_arith(FPU_COM, FPU_ST, x87_st(cpu, 0), b, cpu->s.fcw, cpu->s.fsw, &r, &sw);
    return sw;
}

static void compare_reg(struct x86_cpu *cpu, const struct insn *in, unsigned i, bool quiet,
                        unsigned n_pops)
{
    x87_begin(cpu);
    x87_note(cpu, in);
    if (x87_empty(cpu, 0) || x87_empty(cpu, i)) {
        compare_empty(cpu, n_pops);
        return;
    }
    compare_done(cpu, compare_values(cpu, x87_st(cpu, i), quiet), n_pops);
}

OP(fcom_m32) { compare_mem(cpu, in, FPU_M32, 4, 0); }
OP(fcom_m64) { compare_mem(cpu, in, FPU_M64, 8, 0); }
OP(fcomp_m32) { compare_mem(cpu, in, FPU_M32, 4, 1); }
OP(fcomp_m64) { compare_mem(cpu, in, FPU_M64, 8, 1); }
OP(ficom_m16) { compare_mem(cpu, in, FPU_I16, 2, 0); }
OP(ficom_m32) { compare_mem(cpu, in, FPU_I32, 4, 0); }
OP(ficomp_m16) { compare_mem(cpu, in, FPU_I16, 2, 1); }
OP(ficomp_m32) { compare_mem(cpu, in, FPU_I32, 4, 1); }
OP(fcom_st0_sti) { compare_reg(cpu, in, in->rm & 7, false, 0); }
OP(fcomp_st0_sti) { compare_reg(cpu, in, in->rm & 7, false, 1); }
OP(fcompp) { compare_reg(cpu, in, 1, false, 2); }
OP(fucom) { compare_reg(cpu, in, in->rm & 7, true, 0); }
OP(fucomp) { compare_reg(cpu, in, in->rm & 7, true, 1); }
OP(fucompp) { compare_reg(cpu, in, 1, true, 2); }

OP(ftst)
{
    static const struct x86_fpr zero;
    x87_begin(cpu);
    x87_note(cpu, in);
    if (x87_empty(cpu, 0)) {
        compare_empty(cpu, 0);
    } else {
        compare_done(cpu, compare_values(cpu, &zero, false), 0);
    }
}

/* FCOMI and its kin: the result goes to ZF, PF and CF. */
static void compare_flags(struct x86_cpu *cpu, const struct insn *in, bool quiet, unsigned n_pops)
{
    unsigned i = in->rm & 7;
    uint16_t sw = FSW_IE | FSW_SF | UNORDERED;
    x87_begin(cpu);
    x87_note(cpu, in);
    if (!x87_empty(cpu, 0) && !x87_empty(cpu, i)) {
        sw = compare_values(cpu, x87_st(cpu, i), quiet);
    }
    bool stop = x87_blocked(cpu, sw);
    uint16_t c1 = sw & FSW_SF ? 0 : cpu->s.fsw & FSW_C1; /* cleared by a stack fault only */
    x87_report(cpu, (uint16_t)((sw & ~FSW_C1) | c1), 0);
    x86_set_rflags(
        cpu, (sw & FSW_C3 ? FL_ZF : 0) | (sw & FSW_C2 ? FL_PF : 0) | (sw & FSW_C0 ? FL_CF : 0),
        FL_OSZAPC);
    pops(cpu, stop ? 0 : n_pops);
}

OP(fcomi) { compare_flags(cpu, in, false, 0); }
OP(fcomip) { compare_flags(cpu, in, false, 1); }
OP(fucomi) { compare_flags(cpu, in, true, 0); }
OP(fucomip) { compare_flags(cpu, in, true, 1); }

OP(fxam)
{
    x87_begin(cpu);
    x87_note(cpu, in);
    uint16_t cc = fpu_examine(x87_st(cpu, 0));
    if (x87_empty(cpu, 0)) {
        cc = (cc & FSW_C1) | FSW_C3 | FSW_C0;
    }
    cpu->s.fsw = (uint16_t)((cpu->s.fsw & ~FSW_CC) | cc);
}

/* ---- loads ---- */

/* Pushes a value that came with flags @sw. */
static void load(struct x86_cpu *cpu, const struct insn *in, const struct x86_fpr *v, uint16_t sw)
{
    struct x86_fpr bad = fpu_indefinite();
    x87_note(cpu, in);
    if (!x87_empty(cpu, 7)) {
        if (x87_overflow(cpu)) {
            x87_push(cpu, &bad);
        }
        return;
    }
    x87_report(cpu, sw, 0);
    if (!(sw & ~cpu->s.fcw & FSW_IE)) { /* a denormal is loaded even if that is unmasked */
        x87_push(cpu, v);
    }
}

OP(fld_m32)
{
    uint16_t sw;
    x87_begin(cpu);
    struct x86_fpr v = fpu_from_m32((uint32_t)x87_mem(cpu, in, 4), &sw);
    load(cpu, in, &v, sw);
}

OP(fld_m64)
{
    uint16_t sw;
    x87_begin(cpu);
    struct x86_fpr v = fpu_from_m64(x87_mem(cpu, in, 8), &sw);
    load(cpu, in, &v, sw);
}

OP(fld_m80)
{
    uint8_t buf[10];
    x87_begin(cpu);
    x87_mem80(cpu, in, buf);
    struct x86_fpr v = {.mant = ld64le(buf), .se = ld16le(buf + 8)};
    load(cpu, in, &v, 0);
}

OP(fld_sti)
{
    x87_begin(cpu);
    unsigned i = in->rm & 7;
    struct x86_fpr v = *x87_st(cpu, i);
    if (x87_empty(cpu, i)) {
        x87_note(cpu, in);
        v = fpu_indefinite();
        if (x87_underflow(cpu)) {
            x87_push(cpu, &v);
        }
        return;
    }
    load(cpu, in, &v, 0);
}

static void load_int(struct x86_cpu *cpu, const struct insn *in, unsigned size)
{
    x87_begin(cpu);
    uint64_t bits = x87_mem(cpu, in, size);
    unsigned shift = 64 - 8 * size;
    struct x86_fpr v = fpu_from_int((int64_t)(bits << shift) >> shift);
    load(cpu, in, &v, 0);
}

OP(fild_m16) { load_int(cpu, in, 2); }
OP(fild_m32) { load_int(cpu, in, 4); }
OP(fild_m64) { load_int(cpu, in, 8); }

OP(fbld)
{
    uint8_t buf[10];
    x87_begin(cpu);
    x87_mem80(cpu, in, buf);
    struct x86_fpr v = fpu_from_bcd(buf);
    load(cpu, in, &v, 0);
}

static void load_constant(struct x86_cpu *cpu, const struct insn *in)
{
    x87_begin(cpu);
    struct x86_fpr v = fpu_constant(in->rm & 7, cpu->s.fcw);
    load(cpu, in, &v, 0);
}

OP(fld1) { load_constant(cpu, in); }
OP(fldl2t) { load_constant(cpu, in); }
OP(fldl2e) { load_constant(cpu, in); }
OP(fldpi) { load_constant(cpu, in); }
OP(fldlg2) { load_constant(cpu, in); }
OP(fldln2) { load_constant(cpu, in); }
OP(fldz) { load_constant(cpu, in); }

/* ---- stores ---- */

/* True if an unmasked exception keeps a store to memory from happening. */
static bool no_store(const struct x86_cpu *cpu, uint16_t sw)
{
    return sw & ~cpu->s.fcw & (FSW_IE | FSW_OE | FSW_UE);
}

static void store_done(struct x86_cpu *cpu, const struct insn *in, uint16_t sw, bool stored,
                       bool pops_it)
{
    x87_note(cpu, in);
    x87_report(cpu, sw, 0);
    if (stored && pops_it) {
        x87_pop(cpu);
    }
}

static void store_real(struct x86_cpu *cpu, const struct insn *in, unsigned size, bool pops_it)
{
    uint64_t bits = size == 4 ? 0xffc00000 : 0xfff8000000000000ull;
    uint16_t sw = FSW_IE | FSW_SF;
    x87_begin(cpu);
    if (!x87_empty(cpu, 0)) {
        bits = size == 4 ? fpu_to_m32(x87_st(cpu, 0), cpu->s.fcw, cpu->s.fsw, &sw)
                         : fpu_to_m64(x87_st(cpu, 0), cpu->s.fcw, cpu->s.fsw, &sw);
    }
    bool stored = !no_store(cpu, sw);
    if (stored) {
        mem_write(cpu, in->seg, insn_ea(cpu, in), bits, size);
    }
    store_done(cpu, in, sw, stored, pops_it);
}

OP(fst_m32) { store_real(cpu, in, 4, false); }
OP(fst_m64) { store_real(cpu, in, 8, false); }
OP(fstp_m32) { store_real(cpu, in, 4, true); }
OP(fstp_m64) { store_real(cpu, in, 8, true); }

/* @cw: the control word, whose rounding FISTTP replaces. */
static void store_int_by(struct x86_cpu *cpu, const struct insn *in, unsigned size, bool pops_it,
                         uint16_t cw)
{
    uint64_t bits = BIT64(8 * size - 1); /* integer indefinite */
    uint16_t sw = FSW_IE | FSW_SF;
    x87_begin(cpu);
    if (!x87_empty(cpu, 0)) {
        bits = (uint64_t)fpu_to_int(x87_st(cpu, 0), size, cw, cpu->s.fsw, &sw);
    }
    bool stored = !no_store(cpu, sw);
    if (stored) {
        mem_write(cpu, in->seg, insn_ea(cpu, in), bits, size);
    }
    store_done(cpu, in, sw, stored, pops_it);
}

static void store_int(struct x86_cpu *cpu, const struct insn *in, unsigned size, bool pops_it)
{
    store_int_by(cpu, in, size, pops_it, cpu->s.fcw);
}

static void store_truncated(struct x86_cpu *cpu, const struct insn *in, unsigned size)
{
    store_int_by(cpu, in, size, true, cpu->s.fcw | FCW_RC);
}

OP(fisttp_m16) { store_truncated(cpu, in, 2); }
OP(fisttp_m32) { store_truncated(cpu, in, 4); }
OP(fisttp_m64) { store_truncated(cpu, in, 8); }
OP(fist_m16) { store_int(cpu, in, 2, false); }
OP(fist_m32) { store_int(cpu, in, 4, false); }
OP(fistp_m16) { store_int(cpu, in, 2, true); }
OP(fistp_m32) { store_int(cpu, in, 4, true); }
OP(fistp_m64) { store_int(cpu, in, 8, true); }

OP(fstp_m80)
{
    uint8_t buf[10];
    uint16_t sw = 0;
    struct x86_fpr v = fpu_indefinite();
    x87_begin(cpu);
    if (x87_empty(cpu, 0)) {
        sw = FSW_IE | FSW_SF;
    } else {
        v = *x87_st(cpu, 0);
    }
    bool stored = !no_store(cpu, sw);
    if (stored) {
        st64le(buf, v.mant);
        st16le(buf + 8, v.se);
        x87_store80(cpu, in, buf);
    }
    store_done(cpu, in, sw, stored, true);
}

OP(fbstp)
{
    uint8_t buf[10] = {0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff}; /* BCD indefinite */
    uint16_t sw = FSW_IE | FSW_SF;
    x87_begin(cpu);
    if (!x87_empty(cpu, 0)) {
        fpu_to_bcd(x87_st(cpu, 0), buf, cpu->s.fcw, &sw);
    }
    bool stored = !no_store(cpu, sw);
    if (stored) {
        x87_store80(cpu, in, buf);
    }
    store_done(cpu, in, sw, stored, true);
}

/* D9 D8-DF, the undocumented twin of DD D8-DF, pops an empty register without a fault. */
static void store_reg(struct x86_cpu *cpu, const struct insn *in, bool pops_it)
{
    unsigned i = in->rm & 7;
    struct x86_fpr v = fpu_indefinite();
    x87_begin(cpu);
    x87_note(cpu, in);
    if (x87_empty(cpu, 0) && (in->opcode & 7) == 1) {
        x87_report(cpu, 0, 0);
        x87_pop(cpu);
        return;
    }
    if (x87_empty(cpu, 0)) {
        if (!x87_underflow(cpu)) {
            return;
        }
    } else {
        v = *x87_st(cpu, 0);
        x87_report(cpu, 0, 0);
    }
    x87_put(cpu, i, &v);
    if (pops_it) {
        x87_pop(cpu);
    }
}

OP(fst_sti) { store_reg(cpu, in, false); }
OP(fstp_sti) { store_reg(cpu, in, true); }

/* ---- moves inside the stack ---- */

OP(fxch)
{
    unsigned i = in->rm & 7;
    struct x86_fpr bad = fpu_indefinite();
    x87_begin(cpu);
    x87_note(cpu, in);
    if (x87_empty(cpu, 0) || x87_empty(cpu, i)) {
        if (!x87_underflow(cpu)) {
            return;
        }
        if (x87_empty(cpu, 0)) {
            x87_put(cpu, 0, &bad);
        }
        if (x87_empty(cpu, i)) {
            x87_put(cpu, i, &bad);
        }
    } else {
        x87_report(cpu, 0, 0);
    }
    struct x86_fpr v = *x87_st(cpu, 0);
    *x87_st(cpu, 0) = *x87_st(cpu, i);
    *x87_st(cpu, i) = v;
}

OP(fcmovcc)
{
    unsigned i = in->rm & 7;
    struct x86_fpr bad = fpu_indefinite();
    x87_begin(cpu);
    x87_note(cpu, in);
    if (x87_empty(cpu, 0) || x87_empty(cpu, i)) {
        if (x87_underflow(cpu)) {
            x87_put(cpu, 0, &bad);
        }
        return;
    }
    bool on;
    switch (in->reg & 3) {
    case 0: on = lf_cf(cpu); break;
    case 1: on = lf_zf(cpu); break;
    case 2: on = lf_cf(cpu) || lf_zf(cpu); break;
    default: on = lf_pf(cpu); break;
    }
    if (on != (in->opcode & 1)) { /* DB: the negations */
        *x87_st(cpu, 0) = *x87_st(cpu, i);
    }
}

OP(ffree)
{
    x87_begin(cpu);
    x87_note(cpu, in);
    x87_report(cpu, 0, 0);
    x87_free_reg(cpu, in->rm & 7);
}

OP(ffreep)
{
    x87_begin(cpu);
    x87_note(cpu, in);
    x87_report(cpu, 0, 0);
    x87_free_reg(cpu, in->rm & 7);
    x87_pop(cpu);
}

OP(fincstp)
{
    x87_begin(cpu);
    x87_note(cpu, in);
    x87_report(cpu, 0, 0);
    x87_set_top(cpu, x87_top(cpu) + 1);
}

OP(fdecstp)
{
    x87_begin(cpu);
    x87_note(cpu, in);
    x87_report(cpu, 0, 0);
    x87_set_top(cpu, x87_top(cpu) - 1);
}

static void change_sign(struct x86_cpu *cpu, const struct insn *in, bool toggle)
{
    struct x86_fpr bad = fpu_indefinite();
    x87_begin(cpu);
    x87_note(cpu, in);
    if (x87_empty(cpu, 0)) {
        if (x87_underflow(cpu)) {
            x87_put(cpu, 0, &bad);
        }
        return;
    }
    uint16_t se = x87_st(cpu, 0)->se;
    x87_st(cpu, 0)->se = toggle ? se ^ 0x8000 : se & 0x7fff;
    x87_report(cpu, 0, 0);
}

OP(fchs) { change_sign(cpu, in, true); }
OP(fabs) { change_sign(cpu, in, false); }

/* ---- one or two operands, result in ST(0) ---- */

/* Common frame: ST(0) (and ST(1) if @two) must be there. False if the instruction ends here. */
static bool operands(struct x86_cpu *cpu, const struct insn *in, bool two, bool pops_it)
{
    struct x86_fpr bad = fpu_indefinite();
    x87_begin(cpu);
    x87_note(cpu, in);
    if (!x87_empty(cpu, 0) && !(two && x87_empty(cpu, 1))) {
        return true;
    }
    if (x87_underflow(cpu)) {
        x87_put(cpu, pops_it ? 1 : 0, &bad);
        if (pops_it) {
            x87_pop(cpu);
        }
    }
    return false;
}

/* The result replaces ST(0), or ST(1) and ST(0) is popped. */
static void result(struct x86_cpu *cpu, const struct x86_fpr *v, uint16_t sw, uint16_t cc,
                   bool pops_it)
{
    x87_report(cpu, sw, cc);
    if (x87_blocked(cpu, sw)) {
        return;
    }
    x87_put(cpu, pops_it ? 1 : 0, v);
    if (pops_it) {
        x87_pop(cpu);
    }
}

static void unary(struct x86_cpu *cpu, const struct insn *in, enum fpu_unary op)
{
    uint16_t sw;
    if (operands(cpu, in, false, false)) {
        struct x86_fpr v = fpu_unary(op, x87_st(cpu, 0), cpu->s.fcw, &sw);
        result(cpu, &v, sw, 0, false);
    }
}

OP(fsqrt) { unary(cpu, in, FPU_SQRT); }
OP(frndint) { unary(cpu, in, FPU_RNDINT); }

/* FPREM's C2 says that the remainder is partial, C0 C3 C1 are the quotient; where there is none, C0
 * and C3 keep their values. */
static void binary(struct x86_cpu *cpu, const struct insn *in, enum fpu_binary op, uint16_t cc)
{
    uint16_t sw;
    if (!operands(cpu, in, true, false)) {
        cpu->s.fsw &= (uint16_t)~(cc & FSW_C2);
        return;
    }
    struct x86_fpr v = fpu_binary(op, x87_st(cpu, 0), x87_st(cpu, 1), cpu->s.fcw, &sw);
    bool nan = (fpu_examine(&v) & (FSW_C3 | FSW_C2 | FSW_C0)) == FSW_C0;
    if (nan || x87_blocked(cpu, sw)) {
        cc &= FSW_C2;
    }
    result(cpu, &v, sw, cc, false);
}

OP(fscale) { binary(cpu, in, FPU_SCALE, 0); }
OP(fprem) { binary(cpu, in, FPU_PREM, FSW_CC); }
OP(fprem1) { binary(cpu, in, FPU_PREM1, FSW_CC); }

/* Two results: @below replaces ST(0), @above is pushed. */
static void result_pair(struct x86_cpu *cpu, const struct x86_fpr *below,
                        const struct x86_fpr *above, uint16_t sw, uint16_t cc)
{
    x87_report(cpu, sw, cc);
    if (!x87_blocked(cpu, sw)) {
        x87_put(cpu, 0, below);
        x87_push(cpu, above);
    }
}

/* ST(0) there and room for a push; both faults give two indefinite values. */
static bool operand_and_room(struct x86_cpu *cpu, const struct insn *in)
{
    struct x86_fpr bad = fpu_indefinite();
    x87_begin(cpu);
    x87_note(cpu, in);
    bool over = !x87_empty(cpu, 7), under = x87_empty(cpu, 0);
    if (!over && !under) {
        return true;
    }
    if (under ? x87_underflow(cpu) : x87_overflow(cpu)) {
        x87_put(cpu, 0, &bad);
        x87_push(cpu, &bad);
    }
    return false;
}

OP(fxtract)
{
    uint16_t sw;
    struct x86_fpr exp;
    if (operand_and_room(cpu, in)) {
        struct x86_fpr v = fpu_xtract(x87_st(cpu, 0), &exp, &sw);
        result_pair(cpu, &exp, &v, sw, 0);
    }
}

OP(f2xm1)
{
    uint16_t sw;
    if (operands(cpu, in, false, false)) {
        struct x86_fpr v = fpu_f2xm1(x87_st(cpu, 0), cpu->s.fcw, &sw);
        result(cpu, &v, sw, 0, false);
    }
}

OP(fyl2x)
{
    uint16_t sw;
    if (operands(cpu, in, true, true)) {
        struct x86_fpr v = fpu_yl2x(x87_st(cpu, 0), x87_st(cpu, 1), cpu->s.fcw, &sw);
        result(cpu, &v, sw, 0, true);
    }
}

OP(fyl2xp1)
{
    uint16_t sw;
    if (operands(cpu, in, true, true)) {
        struct x86_fpr v = fpu_yl2xp1(x87_st(cpu, 0), x87_st(cpu, 1), cpu->s.fcw, &sw);
        result(cpu, &v, sw, 0, true);
    }
}

OP(fpatan)
{
    uint16_t sw;
    if (operands(cpu, in, true, true)) {
        struct x86_fpr v = fpu_patan(x87_st(cpu, 0), x87_st(cpu, 1), cpu->s.fcw, &sw);
        result(cpu, &v, sw, 0, true);
    }
}

/* C2 says that the argument is out of range and nothing was done. */
static void sine(struct x86_cpu *cpu, const struct insn *in,
                 struct x86_fpr (*f)(const struct x86_fpr *, uint16_t, uint16_t *))
{
    uint16_t sw;
    if (!operands(cpu, in, false, false)) {
        cpu->s.fsw &= (uint16_t)~FSW_C2;
    } else {
        struct x86_fpr v = f(x87_st(cpu, 0), cpu->s.fcw, &sw);
        if (sw & FSW_C2) {
            x87_report(cpu, FSW_C2, FSW_C2);
        } else {
            result(cpu, &v, sw, FSW_C2, false);
        }
    }
}

OP(fsin) { sine(cpu, in, fpu_sin); }
OP(fcos) { sine(cpu, in, fpu_cos); }

static void sine_pair(struct x86_cpu *cpu, const struct insn *in, bool tangent)
{
    uint16_t sw, sw2 = 0;
    if (!operand_and_room(cpu, in)) {
        cpu->s.fsw &= (uint16_t)~FSW_C2;
        return;
    }
    struct x86_fpr a = *x87_st(cpu, 0), v = (tangent ? fpu_tan : fpu_sin)(&a, cpu->s.fcw, &sw);
    struct x86_fpr w = fpu_constant(0, cpu->s.fcw);
    if (sw & FSW_C2) {
        x87_report(cpu, FSW_C2, FSW_C2);
        return;
    }
    if (!tangent) {
        w = fpu_cos(&a, cpu->s.fcw, &sw2);
        sw = (sw & ~FSW_C1) | sw2;
    } else if (sw & FSW_IE) {
        w = v; /* a NaN goes to both */
    } else if ((a.se & 0x7fff) == 0x7fff) {
        w = v;
    }
    result_pair(cpu, &v, &w, sw, FSW_C2);
}

OP(fptan) { sine_pair(cpu, in, true); }
OP(fsincos) { sine_pair(cpu, in, false); }
