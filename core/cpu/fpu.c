/*
 * x87 arithmetic by the host's own x87: basic operations are exact by definition ([SDM1]
 * "Rounding", "x87 FPU Floating-Point Exceptions"), so every x86 host gives the same bits.
 *
 * Model:  an operation runs on an empty register stack, with the guest's control word, and FNSTSW
 *         takes its flags. FLDCW and FNCLEX cost more than arithmetic does, so there are three
 *         ways: EXACT clears the flags before and, lest anything trap, behind; the others run with
 *         all exceptions masked and leave them: the host's pile up there. That does no harm while
 *         they say nothing that the guest's status word does not say already, of exceptions that
 *         the guest masks. If they do, EXACT tells what is new, and gives the result that goes with
 *         an exception that is not masked. QUICK also leaves the control word, since it is the
 *         host's own.
 */
#include "core/cpu/fpu.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <string.h>

static const uint16_t host_cw = FCW_INIT;

/* Bits 7:6 and 15:13 of a control word are not the guest's to choose. */
static uint16_t usable(uint16_t cw)
{
    return (cw & 0x1f3f) | 0x40;
}

enum way { QUICK, WITH_CW, EXACT, WAYS };

/* The guest's control word but for the masks, which are the host's own. */
static enum way way_of(uint16_t cw)
{
    return (cw & (FCW_PC | FCW_RC)) == (FCW_INIT & (FCW_PC | FCW_RC)) ? QUICK : WITH_CW;
}

/* The control word for WITH_CW. */
static uint16_t masked(uint16_t cw)
{
    return usable(cw) | FSW_EXCEPTIONS;
}

/* True if the flags @sw, of a way that lets them pile up, may tell the guest something new. With
 * its mask off an underflow counts for exact results, too ([SDM1] "Numeric Underflow Exception
 * (#U)"), which no flag shows: @tiny says that the result may be one. */
static bool unclear(uint16_t sw, uint16_t known, uint16_t cw, bool tiny)
{
    return (sw & FSW_EXCEPTIONS & ~(known & cw)) || (tiny && !(cw & FSW_UE));
}

/* What is before and behind the instruction. */
#define IN_quick
#define OUT_quick "\n\tfnstsw %[sw]"
#define IN_cw     "fldcw %[cw]\n\t"
#define OUT_cw    "\n\tfnstsw %[sw]\n\tfldcw %[host]"
#define IN_exact  "fnclex\n\tfldcw %[cw]\n\t"
#define OUT_exact "\n\tfnstsw %[sw]\n\tfnclex\n\tfldcw %[host]"
#define ALL_WAYS(define, name, ...)                                                                \
    define(name, quick, __VA_ARGS__) define(name, cw, __VA_ARGS__) define(name, exact, __VA_ARGS__)

typedef void (*host_op)(struct x86_fpr *r, const struct x86_fpr *a, const void *b, uint16_t cw,
                        uint16_t *sw);

/* r = a op b, b in a register. */
#define WITH_ST(name, way, insn)                                                                   \
    static void name##_##way(struct x86_fpr *r, const struct x86_fpr *a, const void *b,            \
                             uint16_t cw, uint16_t *sw)                                            \
    {                                                                                              \
        const struct x86_fpr *pb = b;                                                              \
        __asm__ volatile("fldt %[b]\n\tfldt %[a]\n\t" IN_##way insn OUT_##way                      \
                         "\n\tfstpt %[r]\n\tfstp %%st(0)"                                          \
                         : [r] "=m"(*r), [sw] "=m"(*sw)                                            \
                         : [a] "m"(*a), [b] "m"(*pb), [cw] "m"(cw), [host] "m"(host_cw)            \
                         : "st", "st(1)");                                                         \
    }

/* r = a op b, b in memory as @type. */
#define WITH_MEM(name, way, insn, type)                                                            \
    static void name##_##way(struct x86_fpr *r, const struct x86_fpr *a, const void *b,            \
                             uint16_t cw, uint16_t *sw)                                            \
    {                                                                                              \
        type vb;                                                                                   \
        memcpy(&vb, b, sizeof(vb));                                                                \
        __asm__ volatile("fldt %[a]\n\t" IN_##way insn " %[b]" OUT_##way "\n\tfstpt %[r]"          \
                         : [r] "=m"(*r), [sw] "=m"(*sw)                                            \
                         : [a] "m"(*a), [b] "m"(vb), [cw] "m"(cw), [host] "m"(host_cw)             \
                         : "st");                                                                  \
    }

#define ALL_KINDS(op)                                                                              \
    ALL_WAYS(WITH_ST, op##_st, "f" #op " %%st(1), %%st")                                           \
    ALL_WAYS(WITH_MEM, op##_m32, "f" #op "s", uint32_t)                                            \
    ALL_WAYS(WITH_MEM, op##_m64, "f" #op "l", uint64_t)                                            \
    ALL_WAYS(WITH_MEM, op##_i16, "fi" #op "s", uint16_t)                                           \
    ALL_WAYS(WITH_MEM, op##_i32, "fi" #op "l", uint32_t)
#define KINDS_ROW(op, way)                                                                         \
    {op##_st_##way, op##_m32_##way, op##_m64_##way, op##_i16_##way, op##_i32_##way}
#define WAY_ROWS(way)                                                                              \
    {                                                                                              \
        [FPU_ADD] = KINDS_ROW(add, way), [FPU_MUL] = KINDS_ROW(mul, way),                          \
        [FPU_COM] = KINDS_ROW(com, way), [FPU_COMP] = KINDS_ROW(com, way),                         \
        [FPU_SUB] = KINDS_ROW(sub, way), [FPU_SUBR] = KINDS_ROW(subr, way),                        \
        [FPU_DIV] = KINDS_ROW(div, way), [FPU_DIVR] = KINDS_ROW(divr, way),                        \
    }

ALL_KINDS(add)
ALL_KINDS(mul)
ALL_KINDS(sub)
ALL_KINDS(subr)
ALL_KINDS(div)
ALL_KINDS(divr)
ALL_WAYS(WITH_ST, com_st, "fcom %%st(1)")
ALL_WAYS(WITH_MEM, com_m32, "fcoms", uint32_t)
ALL_WAYS(WITH_MEM, com_m64, "fcoml", uint64_t)
ALL_WAYS(WITH_MEM, com_i16, "ficoms", uint16_t)
ALL_WAYS(WITH_MEM, com_i32, "ficoml", uint32_t)
ALL_WAYS(WITH_ST, ucom_st, "fucom %%st(1)")
WITH_ST(scale_st, exact, "fscale")
WITH_ST(prem_st, exact, "fprem")
WITH_ST(prem1_st, exact, "fprem1")

void fpu_arith(enum fpu_arith op, enum fpu_kind kind, const struct x86_fpr *a, const void *b,
               uint16_t cw, uint16_t known, struct x86_fpr *r, uint16_t *sw)
{
    static const host_op ops[WAYS][8][FPU_KINDS] = {
        [QUICK] = WAY_ROWS(quick), [WITH_CW] = WAY_ROWS(cw), [EXACT] = WAY_ROWS(exact),
    };
    ops[way_of(cw)][op][kind](r, a, b, masked(cw), sw);
    if (unlikely(unclear(*sw, known, cw, r->mant && !(r->mant >> 63)))) {
        ops[EXACT][op][kind](r, a, b, usable(cw), sw);
    }
    *sw &= FSW_EXCEPTIONS | FSW_CC;
}

uint16_t fpu_ucom(const struct x86_fpr *a, const struct x86_fpr *b, uint16_t cw, uint16_t known)
{
    static const host_op ops[WAYS] = {ucom_st_quick, ucom_st_cw, ucom_st_exact};
    struct x86_fpr r;
    uint16_t sw;
    ops[way_of(cw)](&r, a, b, masked(cw), &sw);
    if (unlikely(unclear(sw, known, cw, false))) {
        ucom_st_exact(&r, a, b, usable(cw), &sw);
    }
    return sw & (FSW_EXCEPTIONS | FSW_CC);
}

struct x86_fpr fpu_binary(enum fpu_binary op, const struct x86_fpr *a, const struct x86_fpr *b,
                          uint16_t cw, uint16_t *sw)
{
    static const host_op ops[] = {
        [FPU_SCALE] = scale_st_exact, [FPU_PREM] = prem_st_exact, [FPU_PREM1] = prem1_st_exact,
    };
    struct x86_fpr r = {0};
    ops[op](&r, a, b, usable(cw), sw);
    *sw &= FSW_EXCEPTIONS | FSW_CC;
    return r;
}

#define UNARY(name, insn)                                                                          \
    static void name(struct x86_fpr *r, const struct x86_fpr *a, uint16_t cw, uint16_t *sw)        \
    {                                                                                              \
        __asm__ volatile("fldt %[a]\n\t" IN_exact insn OUT_exact "\n\tfstpt %[r]"                 \
                         : [r] "=m"(*r), [sw] "=m"(*sw)                                            \
                         : [a] "m"(*a), [cw] "m"(cw), [host] "m"(host_cw)                          \
                         : "st");                                                                  \
    }
UNARY(host_sqrt, "fsqrt")
UNARY(host_rndint, "frndint")

struct x86_fpr fpu_unary(enum fpu_unary op, const struct x86_fpr *a, uint16_t cw, uint16_t *sw)
{
    struct x86_fpr r = {0};
    (op == FPU_SQRT ? host_sqrt : host_rndint)(&r, a, usable(cw), sw);
    *sw &= FSW_EXCEPTIONS | FSW_CC;
    return r;
}

struct x86_fpr fpu_xtract(const struct x86_fpr *a, struct x86_fpr *exp, uint16_t *sw)
{
    struct x86_fpr r = {0};
    *exp = r;
    __asm__ volatile("fnclex\n\tfldt %[a]\n\tfxtract"
                     "\n\tfnstsw %[sw]\n\tfnclex\n\tfstpt %[r]\n\tfstpt %[e]"
                     : [r] "=m"(r), [e] "=m"(*exp), [sw] "=m"(*sw)
                     : [a] "m"(*a)
                     : "st", "st(1)");
    *sw &= FSW_EXCEPTIONS;
    return r;
}

#define CONSTANT(name, insn)                                                                       \
    static void name(struct x86_fpr *r, uint16_t cw)                                               \
    {                                                                                              \
        __asm__ volatile("fldcw %[cw]\n\t" insn "\n\tfldcw %[host]\n\tfstpt %[r]"                  \
                         : [r] "=m"(*r)                                                            \
                         : [cw] "m"(cw), [host] "m"(host_cw)                                       \
                         : "st");                                                                  \
    }
CONSTANT(host_1, "fld1")
CONSTANT(host_l2t, "fldl2t")
CONSTANT(host_l2e, "fldl2e")
CONSTANT(host_pi, "fldpi")
CONSTANT(host_lg2, "fldlg2")
CONSTANT(host_ln2, "fldln2")
CONSTANT(host_z, "fldz")

struct x86_fpr fpu_constant(unsigned n, uint16_t cw)
{
    static void (*const load[8])(struct x86_fpr *, uint16_t) = {
        host_1, host_l2t, host_l2e, host_pi, host_lg2, host_ln2, host_z, host_z,
    };
    struct x86_fpr r = {0};
    /* what piled up must not trap; these raise nothing */
    load[n & 7](&r, usable(cw) | FSW_EXCEPTIONS);
    return r;
}

/* ---- loads ---- */

/* A value of @frac bits of fraction and @bias, widened. */
static struct x86_fpr widen(uint64_t frac, unsigned frac_bits, unsigned exp, unsigned max, bool neg,
                            uint16_t *sw)
{
    struct x86_fpr r = {.se = neg ? 0x8000 : 0};
    *sw = 0;
    frac <<= 63 - frac_bits;
    if (exp == max) {
        r.se |= 0x7fff;
        r.mant = BIT64(63) | frac;
        if (frac && !(frac & BIT64(62))) {
            *sw = FSW_IE; /* signalling */
            r.mant |= BIT64(62);
        }
    } else if (exp) {
        r.se |= (uint16_t)(exp - max / 2 + 16383);
        r.mant = BIT64(63) | frac;
    } else if (frac) {
        unsigned shift = (unsigned)__builtin_clzll(frac);
        *sw = FSW_DE;
        r.se |= (uint16_t)(1 - max / 2 + 16383 - shift);
        r.mant = frac << shift;
    }
    return r;
}

struct x86_fpr fpu_from_m32(uint32_t bits, uint16_t *sw)
{
    return widen(bits & 0x7fffff, 23, bits >> 23 & 0xff, 0xff, bits >> 31, sw);
}

struct x86_fpr fpu_from_m64(uint64_t bits, uint16_t *sw)
{
    return widen(bits & 0xfffffffffffffull, 52, bits >> 52 & 0x7ff, 0x7ff, bits >> 63, sw);
}

struct x86_fpr fpu_from_int(int64_t val)
{
    uint64_t mag = val < 0 ? 0 - (uint64_t)val : (uint64_t)val;
    if (mag == 0) {
        return (struct x86_fpr){0};
    }
    unsigned shift = (unsigned)__builtin_clzll(mag);
    return (struct x86_fpr){
        .mant = mag << shift, .se = (uint16_t)((val < 0 ? 0x8000 : 0) | (16383 + 63 - shift)),
    };
}

/* Digits above 9 are undefined ([SDM2] "FBLD"); here they count as what they say, as on
 * processors. */
struct x86_fpr fpu_from_bcd(const uint8_t bcd[10])
{
    int64_t val = 0;
    for (int i = 8; i >= 0; i--) {
        val = val * 100 + (bcd[i] >> 4) * 10 + (bcd[i] & 15);
    }
    struct x86_fpr r = fpu_from_int(val);
    r.se |= bcd[9] & 0x80 ? 0x8000 : 0;
    return r;
}

/* ---- stores ---- */

/* Invalid is masked for the host, so that its stack stays as we know it. */
#define STORE(name, way, insn, type, keep)                                                         \
    static void name##_##way(void *to, const struct x86_fpr *a, uint16_t cw, uint16_t *sw)         \
    {                                                                                              \
        type *r = to;                                                                              \
        __asm__ volatile("fldt %[a]\n\t" IN_##way insn " %[r]" OUT_##way keep                      \
                         : [r] "+m"(*r), [sw] "=m"(*sw)                                            \
                         : [a] "m"(*a), [cw] "m"(cw), [host] "m"(host_cw)                          \
                         : "st");                                                                  \
    }
typedef void (*host_store)(void *r, const struct x86_fpr *a, uint16_t cw, uint16_t *sw);
struct store {
    host_store ways[WAYS];
    unsigned frac_bits, exp_max; /* of a real number */
    uint16_t always;             /* masked, whatever the guest says */
};
#define STORE_ROW(name) {name##_quick, name##_cw, name##_exact}
struct bcd {
    uint8_t byte[10];
};
ALL_WAYS(STORE, host_m32, "fsts", uint32_t, "\n\tfstp %%st(0)")
ALL_WAYS(STORE, host_m64, "fstl", uint64_t, "\n\tfstp %%st(0)")
ALL_WAYS(STORE, host_i16, "fists", uint16_t, "\n\tfstp %%st(0)")
ALL_WAYS(STORE, host_i32, "fistl", uint32_t, "\n\tfstp %%st(0)")
ALL_WAYS(STORE, host_i64, "fistpll", uint64_t, "")
STORE(host_bcd, exact, "fbstp", struct bcd, "")

static uint16_t store(const struct store *to, uint64_t *r, const struct x86_fpr *a, uint16_t cw,
                      uint16_t known)
{
    uint16_t sw;
    to->ways[way_of(cw)](r, a, masked(cw), &sw);
    bool tiny = !(*r >> to->frac_bits & to->exp_max) && (*r & (BIT64(to->frac_bits) - 1));
    if (unlikely(unclear(sw, known, cw, tiny))) {
        to->ways[EXACT](r, a, usable(cw) | to->always, &sw);
    }
    return sw & (FSW_EXCEPTIONS | FSW_C1);
}

uint32_t fpu_to_m32(const struct x86_fpr *a, uint16_t cw, uint16_t known, uint16_t *sw)
{
    static const struct store m32 = {STORE_ROW(host_m32), 23, 0xff, 0};
    uint64_t r = 0;
    *sw = store(&m32, &r, a, cw, known);
    return (uint32_t)r;
}

uint64_t fpu_to_m64(const struct x86_fpr *a, uint16_t cw, uint16_t known, uint16_t *sw)
{
    static const struct store m64 = {STORE_ROW(host_m64), 52, 0x7ff, 0};
    uint64_t r = 0;
    *sw = store(&m64, &r, a, cw, known);
    return r;
}

int64_t fpu_to_int(const struct x86_fpr *a, unsigned size, uint16_t cw, uint16_t known,
                   uint16_t *sw)
{
    static const struct store i16 = {STORE_ROW(host_i16), 0, 0, FSW_IE},
                              i32 = {STORE_ROW(host_i32), 0, 0, FSW_IE},
                              i64 = {STORE_ROW(host_i64), 0, 0, FSW_IE};
    uint64_t r = 0;
    *sw = store(size == 2 ? &i16 : size == 4 ? &i32 : &i64, &r, a, cw, known);
    return (int64_t)r;
}

void fpu_to_bcd(const struct x86_fpr *a, uint8_t bcd[10], uint16_t cw, uint16_t *sw)
{
    struct bcd r = {{0}};
    host_bcd_exact(&r, a, usable(cw) | FSW_IE, sw);
    *sw &= FSW_EXCEPTIONS | FSW_C1;
    memcpy(bcd, r.byte, sizeof(r.byte));
}

/* ---- classes ---- */

uint16_t fpu_examine(const struct x86_fpr *a)
{
    unsigned exp = a->se & 0x7fff;
    bool integer = a->mant >> 63;
    uint16_t cc;
    if (exp == 0) {
        cc = a->mant ? FSW_C3 | FSW_C2 : FSW_C3;
    } else if (!integer) {
        cc = 0; /* unsupported */
    } else if (exp == 0x7fff) {
        cc = a->mant << 1 ? FSW_C0 : FSW_C2 | FSW_C0;
    } else {
        cc = FSW_C2;
    }
    return cc | (a->se & 0x8000 ? FSW_C1 : 0);
}

unsigned fpu_tag(const struct x86_fpr *a)
{
    unsigned exp = a->se & 0x7fff;
    if (exp == 0 && a->mant == 0) {
        return 1;
    }
    return exp == 0 || exp == 0x7fff || !(a->mant >> 63) ? 2 : 0;
}
