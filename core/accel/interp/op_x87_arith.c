/*
 * x87 addition, subtraction, multiplication, division, compares.
 *
 * Source: [SDM2], the entry of each instruction; [SDM1] "x87 FPU Floating-Point Exceptions".
 * Model:  most guests leave precision, rounding and masks as FNINIT sets them, and most results say
 *         nothing that the status word does not say already. Then one host instruction does it all,
 *         here (x87_quick.h); fpu.c does everything else.
 */
#include "core/accel/interp/x87_quick.h"

/* ---- arithmetic ---- */

/* ST(0) = ST(0) op @b, behind x87_begin and x87_note. */
static void arith_value(struct x86_cpu *cpu, enum fpu_arith op, enum fpu_kind kind, uint64_t b)
{
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

/* ST(dst) = ST(dst) op ST(src), then a pop; likewise. */
static void arith_st(struct x86_cpu *cpu, enum fpu_arith op, unsigned dst, unsigned src, bool pops)
{
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

/* The same, in the common way if it will do. */
X87_QUICK void arith_reg(struct x86_cpu *cpu, const struct insn *in, quick_st quick,
                         enum fpu_arith op, unsigned dst, unsigned src, bool pops)
{
    x87_begin(cpu);
    x87_note(cpu, in);
    if (likely(quick_mode(cpu) && !x87_empty(cpu, dst) && !x87_empty(cpu, src))) {
        uint16_t sw;
        long double r = quick(quick_load(x87_st(cpu, dst)), quick_load(x87_st(cpu, src)), &sw);
        if (likely(quick_holds(cpu, sw))) {
            quick_store(x87_st(cpu, dst), r);
            quick_report(cpu, sw);
            if (pops) {
                x87_pop(cpu);
            }
            return;
        }
    }
    arith_st(cpu, op, dst, src, pops);
}

X87_QUICK void arith_mem(struct x86_cpu *cpu, const struct insn *in, quick_mem quick,
                         enum fpu_arith op, enum fpu_kind kind, unsigned size)
{
    x87_begin(cpu);
    uint64_t b = x87_mem(cpu, in, size);
    x87_note(cpu, in);
    if (likely(quick_mode(cpu) && !x87_empty(cpu, 0))) {
        uint16_t sw;
        long double r = quick(quick_load(x87_st(cpu, 0)), b, &sw);
        if (likely(quick_holds(cpu, sw))) {
            quick_store(x87_st(cpu, 0), r);
            quick_report(cpu, sw);
            return;
        }
    }
    arith_value(cpu, op, kind, b);
}

#define ARITH(insn, op)                                                                            \
    QUICK_ARITH(insn)                                                                              \
    OP(f##insn##_m32) { arith_mem(cpu, in, quick_##insn##_m32, op, FPU_M32, 4); }                  \
    OP(f##insn##_m64) { arith_mem(cpu, in, quick_##insn##_m64, op, FPU_M64, 8); }                  \
    OP(f##insn##_st0_sti) { arith_reg(cpu, in, quick_##insn, op, 0, in->rm & 7, false); }          \
    OP(f##insn##_sti_st0) { arith_reg(cpu, in, quick_##insn, op, in->rm & 7, 0, false); }          \
    OP(f##insn##p) { arith_reg(cpu, in, quick_##insn, op, in->rm & 7, 0, true); }                  \
    OP(fi##insn##_m16) { arith_mem(cpu, in, quick_##insn##_i16, op, FPU_I16, 2); }                 \
    OP(fi##insn##_m32) { arith_mem(cpu, in, quick_##insn##_i32, op, FPU_I32, 4); }

ARITH(add, FPU_ADD)
ARITH(mul, FPU_MUL)
ARITH(sub, FPU_SUB)
ARITH(subr, FPU_SUBR)
ARITH(div, FPU_DIV)
ARITH(divr, FPU_DIVR)

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
    if (likely(quick_mode(cpu))) {
        sw = quick_compare(x87_st(cpu, 0), b, quiet);
        if (likely(quick_holds(cpu, sw))) {
            return sw & (FSW_EXCEPTIONS | FSW_CC);
        }
    }
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
