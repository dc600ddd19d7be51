/*
 * x87 arithmetic by the host's own x87: basic operations are exact by definition ([SDM1]
 * "Rounding", "x87 FPU Floating-Point Exceptions"), so every x86 host gives the same bits.
 *
 * Model:  operands are loaded with everything masked, then the guest's control word is loaded and
 *         one instruction runs. FNSTSW takes its flags, FNCLEX removes them before anything can
 *         trap, and the host's control word comes back. The host's register stack is empty before
 *         and after.
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

#define RUN_TAIL                                                                                   \
    "\n\tfnstsw %[sw]\n\tfnclex\n\tfldcw %[host]\n\tfstpt %[r]"

/* r = a op b, b in a register. */
#define WITH_ST(name, insn)                                                                        \
    static void name(struct x86_fpr *r, const struct x86_fpr *a, const void *b, uint16_t cw,       \
                     uint16_t *sw)                                                                 \
    {                                                                                              \
        const struct x86_fpr *pb = b;                                                              \
        __asm__ volatile("fldt %[b]\n\tfldt %[a]\n\tfldcw %[cw]\n\t" insn RUN_TAIL                 \
                         "\n\tfstp %%st(0)"                                                        \
                         : [r] "=m"(*r), [sw] "=m"(*sw)                                            \
                         : [a] "m"(*a), [b] "m"(*pb), [cw] "m"(cw), [host] "m"(host_cw)            \
                         : "st", "st(1)");                                                         \
    }

/* r = a op b, b in memory as @type. */
#define WITH_MEM(name, insn, type)                                                                 \
    static void name(struct x86_fpr *r, const struct x86_fpr *a, const void *b, uint16_t cw,       \
                     uint16_t *sw)                                                                 \
    {                                                                                              \
        type vb;                                                                                   \
        memcpy(&vb, b, sizeof(vb));                                                                \
        __asm__ volatile("fldt %[a]\n\tfldcw %[cw]\n\t" insn " %[b]" RUN_TAIL                      \
                         : [r] "=m"(*r), [sw] "=m"(*sw)                                            \
                         : [a] "m"(*a), [b] "m"(vb), [cw] "m"(cw), [host] "m"(host_cw)             \
                         : "st");                                                                  \
    }

#define ALL_KINDS(op)                                                                              \
    WITH_ST(op##_st, "f" #op " %%st(1), %%st")                                                     \
    WITH_MEM(op##_m32, "f" #op "s", uint32_t)                                                      \
    WITH_MEM(op##_m64, "f" #op "l", uint64_t)                                                      \
    WITH_MEM(op##_i16, "fi" #op "s", uint16_t)                                                     \
    WITH_MEM(op##_i32, "fi" #op "l", uint32_t)
#define KINDS_ROW(op) {op##_st, op##_m32, op##_m64, op##_i16, op##_i32}

ALL_KINDS(add)
ALL_KINDS(mul)
ALL_KINDS(sub)
ALL_KINDS(subr)
ALL_KINDS(div)
ALL_KINDS(divr)
WITH_ST(com_st, "fcom %%st(1)")
WITH_MEM(com_m32, "fcoms", uint32_t)
WITH_MEM(com_m64, "fcoml", uint64_t)
WITH_MEM(com_i16, "ficoms", uint16_t)
WITH_MEM(com_i32, "ficoml", uint32_t)
WITH_ST(ucom_st, "fucom %%st(1)")
WITH_ST(scale_st, "fscale")
WITH_ST(prem_st, "fprem")
WITH_ST(prem1_st, "fprem1")

typedef void (*host_op)(struct x86_fpr *r, const struct x86_fpr *a, const void *b, uint16_t cw,
                        uint16_t *sw);

struct x86_fpr fpu_arith(enum fpu_arith op, enum fpu_kind kind, const struct x86_fpr *a,
                         const void *b, uint16_t cw, uint16_t *sw)
{
    static const host_op ops[8][FPU_KINDS] = {
        [FPU_ADD] = KINDS_ROW(add), [FPU_MUL] = KINDS_ROW(mul), [FPU_COM] = KINDS_ROW(com),
        [FPU_COMP] = KINDS_ROW(com), [FPU_SUB] = KINDS_ROW(sub), [FPU_SUBR] = KINDS_ROW(subr),
        [FPU_DIV] = KINDS_ROW(div), [FPU_DIVR] = KINDS_ROW(divr),
    };
    struct x86_fpr r = {0};
    ops[op][kind](&r, a, b, usable(cw), sw);
    *sw &= FSW_EXCEPTIONS | FSW_CC;
    return r;
}

uint16_t fpu_ucom(const struct x86_fpr *a, const struct x86_fpr *b, uint16_t cw)
{
    struct x86_fpr r;
    uint16_t sw;
    ucom_st(&r, a, b, usable(cw), &sw);
    return sw & (FSW_EXCEPTIONS | FSW_CC);
}

struct x86_fpr fpu_binary(enum fpu_binary op, const struct x86_fpr *a, const struct x86_fpr *b,
                          uint16_t cw, uint16_t *sw)
{
    static const host_op ops[] = {
        [FPU_SCALE] = scale_st, [FPU_PREM] = prem_st, [FPU_PREM1] = prem1_st,
    };
    struct x86_fpr r = {0};
    ops[op](&r, a, b, usable(cw), sw);
    *sw &= FSW_EXCEPTIONS | FSW_CC;
    return r;
}

#define UNARY(name, insn)                                                                          \
    static void name(struct x86_fpr *r, const struct x86_fpr *a, uint16_t cw, uint16_t *sw)        \
    {                                                                                              \
        __asm__ volatile("fldt %[a]\n\tfldcw %[cw]\n\t" insn RUN_TAIL                              \
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
    __asm__ volatile("fldt %[a]\n\tfxtract" "\n\tfnstsw %[sw]\n\tfnclex\n\tfstpt %[r]\n\tfstpt %[e]"
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
    load[n & 7](&r, usable(cw));
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
#define STORE(name, insn, type, keep)                                                              \
    static void name(type *r, const struct x86_fpr *a, uint16_t cw, uint16_t *sw)                  \
    {                                                                                              \
        __asm__ volatile("fldt %[a]\n\tfldcw %[cw]\n\t" insn " %[r]\n\tfnstsw %[sw]\n\tfnclex\n\t" \
                         "fldcw %[host]" keep                                                      \
                         : [r] "+m"(*r), [sw] "=m"(*sw)                                            \
                         : [a] "m"(*a), [cw] "m"(cw), [host] "m"(host_cw)                          \
                         : "st");                                                                  \
    }
struct bcd {
    uint8_t byte[10];
};
STORE(host_m32, "fsts", uint32_t, "\n\tfstp %%st(0)")
STORE(host_m64, "fstl", uint64_t, "\n\tfstp %%st(0)")
STORE(host_i16, "fists", uint16_t, "\n\tfstp %%st(0)")
STORE(host_i32, "fistl", uint32_t, "\n\tfstp %%st(0)")
STORE(host_i64, "fistpll", uint64_t, "")
STORE(host_bcd, "fbstp", struct bcd, "")

uint32_t fpu_to_m32(const struct x86_fpr *a, uint16_t cw, uint16_t *sw)
{
    uint32_t r = 0;
    host_m32(&r, a, usable(cw), sw);
    *sw &= FSW_EXCEPTIONS | FSW_C1;
    return r;
}

uint64_t fpu_to_m64(const struct x86_fpr *a, uint16_t cw, uint16_t *sw)
{
    uint64_t r = 0;
    host_m64(&r, a, usable(cw), sw);
    *sw &= FSW_EXCEPTIONS | FSW_C1;
    return r;
}

int64_t fpu_to_int(const struct x86_fpr *a, unsigned size, uint16_t cw, uint16_t *sw)
{
    uint16_t r16 = 0;
    uint32_t r32 = 0;
    uint64_t r64 = 0;
    cw = usable(cw) | FSW_IE;
    switch (size) {
    case 2: host_i16(&r16, a, cw, sw); r64 = r16; break;
    case 4: host_i32(&r32, a, cw, sw); r64 = r32; break;
    default: host_i64(&r64, a, cw, sw); break;
    }
    *sw &= FSW_EXCEPTIONS | FSW_C1;
    return (int64_t)r64;
}

void fpu_to_bcd(const struct x86_fpr *a, uint8_t bcd[10], uint16_t cw, uint16_t *sw)
{
    struct bcd r = {{0}};
    host_bcd(&r, a, usable(cw) | FSW_IE, sw);
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
