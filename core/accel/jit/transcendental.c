/*
 * Transcendental instructions of the x87, while its registers are in the host's own and all its
 * exceptions are masked.
 *
 * Source: [SDM2] "FUCOMI", "FSTENV"; [SDM1] "Condition Code Flags", "Stack Overflow or Underflow
 *         Exception".
 * Model:  the interpreter's functions compute them, so results are the same everywhere. To take all
 *         registers out and back would take as long as that; so only the operands come out, and the
 *         result goes back as a sum, which the host rounds as the function did: that sets PE and
 *         C1. FUCOMI finds out whether operands are numbers, and raises what they raise in any of
 *         these instructions. What is special is left to the interpreter, which does it over.
 */
#include "core/accel/jit/jit.h"

#include "core/accel/interp/x87.h"

typedef struct x86_fpr (*unary_fn)(const struct x86_fpr *a, uint16_t cw, uint16_t *sw);

/* ---- the host's registers; C code here and in core/cpu/fpu_trans.c uses none of them ---- */

static void push(const struct x86_fpr *v)
{
    __asm__ volatile("fldt %0" : : "m"(*v));
}

static struct x86_fpr pop(void)
{
    struct x86_fpr v = {0};
    __asm__ volatile("fstpt %0" : "+m"(v));
    return v;
}

static bool top_is_number(void)
{
    bool unordered;
    __asm__ volatile("fucomi %%st(0), %%st" : "=@ccp"(unordered));
    return !unordered;
}

static bool both_are_numbers(void)
{
    bool unordered;
    __asm__ volatile("fucomi %%st(1), %%st" : "=@ccp"(unordered));
    return !unordered;
}

static uint16_t host_status(void)
{
    uint16_t sw;
    __asm__ volatile("fnstsw %0" : "=a"(sw));
    return sw;
}

/* Is ST(7) free? */
static bool has_room(void)
{
    struct {
        uint32_t cw, sw, tags, rest[4];
    } env;
    __asm__ volatile("fnstenv %0" : "=m"(env));         /* it masks exceptions, which are masked */
    unsigned top = (env.sw & FSW_TOP) >> FSW_TOP_SHIFT;
    return (env.tags >> 2 * ((top - 1) & 7) & 3) == 3;
}

/* ---- results ---- */

#define BIAS_80 0x3fff
#define BIAS_64 0x3ff

/* A number of which parts of a unit in the last place are numbers of 64 bits, and nothing was
 * reported but how it was rounded. */
static bool is_plain(const struct x86_fpr *v, uint16_t sw)
{
    int exp = (v->se & 0x7fff) - BIAS_80;
    return !(sw & (FSW_EXCEPTIONS & ~FSW_PE)) && !(sw & (FSW_SF | FSW_C2)) && exp > -900 &&
           exp < 900;
}

/* Pushes @v. Rounded up, it is the number below it and three quarters of the last place; else, if
 * it is not exact, itself and a quarter. Free registers, too, keep what they have. */
static void push_rounded(const struct x86_fpr *v, uint16_t sw)
{
    struct x86_fpr high = *v;
    bool up = sw & FSW_C1;
    if (!(sw & FSW_PE)) {
        push(v);
        return;
    }
    if (up && high.mant == BIT64(63)) {
        high.mant = ~0ull;
        high.se--;
    } else if (up) {
        high.mant--;
    }
    int exp = (high.se & 0x7fff) - BIAS_80 - (up ? 64 : 65);
    uint64_t part = (uint64_t)(high.se >> 15) << 63 | (uint64_t)(exp + BIAS_64) << 52 |
                    (up ? BIT64(51) : 0);
    push(&high);
    __asm__ volatile("faddl %0" : : "m"(part));
}

/* ---- the instructions: false if they are the interpreter's ---- */

static bool one_operand(const struct x86_cpu *cpu, unary_fn f)
{
    uint16_t sw;
    if (!top_is_number()) {
        return false;
    }
    struct x86_fpr a = pop(), v = f(&a, cpu->s.fcw, &sw);
    if (!is_plain(&v, sw)) {
        push(&a);
        return false;
    }
    push_rounded(&v, sw);
    return true;
}

static bool arc_tangent(const struct x86_cpu *cpu)
{
    uint16_t sw;
    if (!both_are_numbers()) {
        return false;
    }
    struct x86_fpr x = pop(), y = pop(), v = fpu_patan(&x, &y, cpu->s.fcw, &sw);
    if (!is_plain(&v, sw)) {
        push(&y);
        push(&x);
        return false;
    }
    push_rounded(&v, sw);
    return true;
}

/* FPTAN pushes 1 above its result, FSINCOS the cosine. C1 is of the tangent, or of the cosine. */
static bool two_results(const struct x86_cpu *cpu, bool tangent)
{
    uint16_t sw, sw2;
    if (!has_room() || !top_is_number()) {
        return false;
    }
    struct x86_fpr a = pop(), v = (tangent ? fpu_tan : fpu_sin)(&a, cpu->s.fcw, &sw), w;
    if (tangent) {
        w = (struct x86_fpr){.mant = BIT64(63), .se = 0x3fff};
        sw2 = sw;
    } else {
        w = fpu_cos(&a, cpu->s.fcw, &sw2);
    }
    if (!is_plain(&v, sw) || !is_plain(&w, sw2)) {
        push(&a);
        return false;
    }
    push_rounded(&v, sw);
    push_rounded(&w, sw2);
    return true;
}

static bool done_on_host(const struct x86_cpu *cpu, unsigned row)
{
    switch (row) {
    case ROW_M1_0xd9_0xfe_X_fsin:
        return one_operand(cpu, fpu_sin);
    case ROW_M1_0xd9_0xff_X_fcos:
        return one_operand(cpu, fpu_cos);
    case ROW_M1_0xd9_0xf0_X_f2xm1:
        return one_operand(cpu, fpu_f2xm1);
    case ROW_M1_0xd9_0xf3_X_fpatan:
        return arc_tangent(cpu);
    case ROW_M1_0xd9_0xf2_X_fptan:
        return two_results(cpu, true);
    case ROW_M1_0xd9_0xfb_X_fsincos:
        return two_results(cpu, false);
    default:
        return false;
    }
}

bool jit_transcendental(struct x86_cpu *cpu, const struct insn *in)
{
    /* C2 is cleared by some of them. Sums are rounded by the precision control, and to nearest. */
    if ((cpu->s.fcw & (FCW_PC | FCW_RC)) != FCW_PC || (host_status() & FSW_C2) ||
        !done_on_host(cpu, in->row)) {
        return false;
    }
    x87_note(cpu, in);
    return true;
}
