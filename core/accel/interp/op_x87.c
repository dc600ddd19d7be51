/*
 * x87 instructions that move and compute, but for + - * / and compares (op_x87_arith.c). Values are
 * fpu.c's matter, the stack is x87.h's.
 *
 * Source: [SDM2], the entry of each instruction; [SDM1] "x87 FPU Floating-Point Exceptions".
 * Chosen: condition codes that an instruction leaves undefined keep their values.
 */
#include "core/accel/interp/x87_quick.h"

/* ---- examination ---- */

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

static __attribute__((noinline)) void push_overflows(struct x86_cpu *cpu)
{
    struct x86_fpr bad = fpu_indefinite();
    if (x87_overflow(cpu)) {
        x87_push(cpu, &bad);
    }
}

/* Pushes a value that came with flags @sw. */
X87_QUICK void load(struct x86_cpu *cpu, const struct insn *in, const struct x86_fpr *v,
                    uint16_t sw)
{
    x87_note(cpu, in);
    if (unlikely(!x87_empty(cpu, 7))) {
        push_overflows(cpu);
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
    struct x86_fpr v = x87_get(cpu, i);
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

/* What a store does once it has @bits, and flags @sw. */
X87_QUICK void store_bits(struct x86_cpu *cpu, const struct insn *in, unsigned size, bool pops_it,
                          uint64_t bits, uint16_t sw)
{
    bool stored = !no_store(cpu, sw);
    if (stored) {
        mem_write(cpu, in->seg, insn_ea(cpu, in), bits, size);
    }
    store_done(cpu, in, sw, stored, pops_it);
}

/* The common way of a store: flags are as they were, but for C1. False if it will not do. */
X87_QUICK bool store_quick(struct x86_cpu *cpu, const struct insn *in, unsigned size, bool pops_it,
                           quick_to to)
{
    x87_begin(cpu);
    if (likely(quick_mode(cpu) && !x87_empty(cpu, 0))) {
        uint16_t sw;
        uint64_t bits = to(quick_load(x87_st(cpu, 0)), &sw);
        if (likely(quick_holds(cpu, sw))) {
            mem_write(cpu, in->seg, insn_ea(cpu, in), bits, size);
            x87_note(cpu, in);
            quick_report(cpu, sw);
            if (pops_it) {
                x87_pop(cpu);
            }
            return true;
        }
    }
    return false;
}

static void store_real(struct x86_cpu *cpu, const struct insn *in, unsigned size, bool pops_it)
{
    uint64_t bits = size == 4 ? 0xffc00000 : 0xfff8000000000000ull;
    uint16_t sw = FSW_IE | FSW_SF;
    if (!x87_empty(cpu, 0)) {
        bits = size == 4 ? fpu_to_m32(x87_st(cpu, 0), cpu->s.fcw, cpu->s.fsw, &sw)
                         : fpu_to_m64(x87_st(cpu, 0), cpu->s.fcw, cpu->s.fsw, &sw);
    }
    store_bits(cpu, in, size, pops_it, bits, sw);
}

QUICK_TO(m32, "fsts", uint32_t)
QUICK_TO(m64, "fstl", uint64_t)

#define STORE_REAL(name, kind, size, pops_it)                                                      \
    OP(name)                                                                                       \
    {                                                                                              \
        if (!store_quick(cpu, in, size, pops_it, quick_to_##kind)) {                               \
            store_real(cpu, in, size, pops_it);                                                    \
        }                                                                                          \
    }
STORE_REAL(fst_m32, m32, 4, false)
STORE_REAL(fst_m64, m64, 8, false)
STORE_REAL(fstp_m32, m32, 4, true)
STORE_REAL(fstp_m64, m64, 8, true)

/* @cw: the control word, whose rounding FISTTP replaces. */
static void store_int(struct x86_cpu *cpu, const struct insn *in, unsigned size, bool pops_it,
                      uint16_t cw)
{
    uint64_t bits = BIT64(8 * size - 1); /* integer indefinite */
    uint16_t sw = FSW_IE | FSW_SF;
    if (!x87_empty(cpu, 0)) {
        bits = (uint64_t)fpu_to_int(x87_st(cpu, 0), size, cw, cpu->s.fsw, &sw);
    }
    store_bits(cpu, in, size, pops_it, bits, sw);
}

static void store_truncated(struct x86_cpu *cpu, const struct insn *in, unsigned size)
{
    x87_begin(cpu);
    store_int(cpu, in, size, true, cpu->s.fcw | FCW_RC);
}

OP(fisttp_m16) { store_truncated(cpu, in, 2); }
OP(fisttp_m32) { store_truncated(cpu, in, 4); }
OP(fisttp_m64) { store_truncated(cpu, in, 8); }

QUICK_TO(i16, "fists", int16_t)
QUICK_TO(i32, "fistl", int32_t)
QUICK_TO(i64, "fistpll", int64_t, : "st")

#define STORE_INT(name, kind, size, pops_it)                                                       \
    OP(name)                                                                                       \
    {                                                                                              \
        if (!store_quick(cpu, in, size, pops_it, quick_to_##kind)) {                               \
            store_int(cpu, in, size, pops_it, cpu->s.fcw);                                         \
        }                                                                                          \
    }
STORE_INT(fist_m16, i16, 2, false)
STORE_INT(fist_m32, i32, 4, false)
STORE_INT(fistp_m16, i16, 2, true)
STORE_INT(fistp_m32, i32, 4, true)
STORE_INT(fistp_m64, i64, 8, true)

OP(fstp_m80)
{
    uint8_t buf[10];
    uint16_t sw = 0;
    struct x86_fpr v = fpu_indefinite();
    x87_begin(cpu);
    if (x87_empty(cpu, 0)) {
        sw = FSW_IE | FSW_SF;
    } else {
        v = x87_get(cpu, 0);
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
        v = x87_get(cpu, 0);
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
    struct x86_fpr v = x87_get(cpu, 0), w = x87_get(cpu, i);
    x87_set(cpu, 0, &w);
    x87_set(cpu, i, &v);
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
        struct x86_fpr v = x87_get(cpu, i);
        x87_set(cpu, 0, &v);
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

QUICK_UNARY(sqrt)
QUICK_UNARY(rndint)

X87_QUICK void unary(struct x86_cpu *cpu, const struct insn *in, quick_unary quick,
                     enum fpu_unary op)
{
    uint16_t sw;
    if (operands(cpu, in, false, false)) {
        if (likely(quick_mode(cpu))) {
            long double r = quick(quick_load(x87_st(cpu, 0)), &sw);
            if (likely(quick_holds(cpu, sw))) {
                quick_store(x87_st(cpu, 0), r);
                quick_report(cpu, sw);
                return;
            }
        }
        struct x86_fpr v = fpu_unary(op, x87_st(cpu, 0), cpu->s.fcw, &sw);
        result(cpu, &v, sw, 0, false);
    }
}

OP(fsqrt) { unary(cpu, in, quick_sqrt, FPU_SQRT); }
OP(frndint) { unary(cpu, in, quick_rndint, FPU_RNDINT); }

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
