/*
 * Floating-point arithmetic, compares and conversions in XMM and YMM registers.
 *
 * Source: [SDM2], the entry of each instruction; [SDM1] "SIMD Floating-Point Exceptions".
 * Model:  computed by the host's SSE2 instructions under the guest's MXCSR (vec.h). Compares of all
 *         32 predicates come from the relation that COMIS and UCOMIS show.
 */
#include "core/accel/interp/vec.h"

void fp_report(struct x86_cpu *cpu, uint32_t flags)
{
    uint32_t unmasked = flags & ~(cpu->s.mxcsr >> MXCSR_MASK_SHIFT) & MXCSR_FLAGS;
    if (unmasked & (MXCSR_IE | MXCSR_DE | MXCSR_ZE)) {
        flags &= MXCSR_IE | MXCSR_DE | MXCSR_ZE; /* no result was made */
    }
    cpu->s.mxcsr |= flags;
    if (unmasked) {
        x86_fault_noerr(cpu, cpu->s.cr4 & CR4_OSXMMEXCPT ? X86_XM : X86_UD);
    }
}

/* ---- arithmetic ---- */

/* NAMEps and NAMEpd on each half, NAMEss and NAMEsd on the lowest lane. */
#define FP_PACKED(name)                                                                            \
    HOST_INSN(name)                                                                                \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec r, tmp;                                                                          \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e(cpu, in, &tmp), *a = vec_h(cpu, in);                            \
        FP_RUN(cpu, for (unsigned o = 0; o < in->opsize; o += 16) {                                \
            host_##name(&r.b[o], &a->b[o], &b->b[o]);                                              \
        });                                                                                        \
        vec_put(cpu, in, &r);                                                                      \
    }
#define FP_SCALAR(name, bytes)                                                                     \
    HOST_INSN(name)                                                                                \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec r, tmp;                                                                          \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e_n(cpu, in, &tmp, bytes), *a = vec_h(cpu, in);                   \
        FP_RUN(cpu, host_##name(&r, a, b););                                                       \
        vec_put16(cpu, in, &r);                                                                    \
    }
#define FP_ALL(name)                                                                               \
    FP_PACKED(name##ps)                                                                            \
    FP_PACKED(name##pd)                                                                            \
    FP_SCALAR(name##ss, 4)                                                                         \
    FP_SCALAR(name##sd, 8)
FP_ALL(add)
FP_ALL(sub)
FP_ALL(mul)
FP_ALL(div)
FP_ALL(min)
FP_ALL(max)
FP_ALL(sqrt)

/* Horizontal and alternating forms: first which lanes meet, then SSE2 arithmetic. Exceptions are
 * those of the lanes. */
#define FP_PAIRS(name, host, t, left, right)                                                       \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec r, tmp, x, y;                                                                    \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e(cpu, in, &tmp), *a = vec_h(cpu, in);                            \
        for (unsigned i = 0; i < in->opsize / sizeof(r.t[0]); i++) {                               \
            x.t[i] = left;                                                                         \
            y.t[i] = right;                                                                        \
        }                                                                                          \
        FP_RUN(cpu, for (unsigned o = 0; o < in->opsize; o += 16) {                                \
            host_##host(&r.b[o], &x.b[o], &y.b[o]);                                                \
        });                                                                                        \
        vec_put(cpu, in, &r);                                                                      \
    }
#define PAIR_D(n) (((i & 2) ? b : a)->d[(i & ~3u) + 2 * (i & 1) + (n)])
#define PAIR_Q(n) (((i & 1) ? b : a)->q[(i & ~1u) + (n)])
FP_PAIRS(haddps, addps, d, PAIR_D(0), PAIR_D(1))
FP_PAIRS(hsubps, subps, d, PAIR_D(0), PAIR_D(1))
FP_PAIRS(haddpd, addpd, q, PAIR_Q(0), PAIR_Q(1))
FP_PAIRS(hsubpd, subpd, q, PAIR_Q(0), PAIR_Q(1))

/* Even lanes subtract, odd lanes add: no sum of the negated, whose NaN would have another sign. */
#define FP_ADDSUB(name, sub, add, t)                                                               \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec r, s, tmp, zero = {{0}}, x[2], y[2];                                             \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e(cpu, in, &tmp), *a = vec_h(cpu, in);                            \
        for (unsigned k = 0; k < 2; k++) {                                                         \
            x[k] = y[k] = zero;                                                                    \
            for (unsigned i = k; i < in->opsize / sizeof(r.t[0]); i += 2) {                        \
                x[k].t[i] = a->t[i];                                                               \
                y[k].t[i] = b->t[i];                                                               \
            }                                                                                      \
        }                                                                                          \
        FP_RUN(cpu, for (unsigned o = 0; o < in->opsize; o += 16) {                                \
            host_##sub(&r.b[o], &x[0].b[o], &y[0].b[o]);                                           \
            host_##add(&s.b[o], &x[1].b[o], &y[1].b[o]);                                           \
        });                                                                                        \
        for (unsigned i = 1; i < in->opsize / sizeof(r.t[0]); i += 2) {                            \
            r.t[i] = s.t[i];                                                                       \
        }                                                                                          \
        vec_put(cpu, in, &r);                                                                      \
    }
FP_ADDSUB(addsubps, subps, addps, d)
FP_ADDSUB(addsubpd, subpd, addpd, q)

/* Dot products. imm[7:4] says which products count, imm[3:0] where the sum goes. Each step's
 * exceptions come before the next one. Every lane makes the sum for itself, (p1 + p0) + (p3 + p2)
 * from its own place on: that shows in which NaN comes out. */
OP(dpps)
{
    union vec x = {{0}}, y = {{0}}, p, tmp;
    unsigned n = in->opsize;
    vec_begin(cpu, in);
    const union vec *b = vec_e(cpu, in, &tmp), *a = vec_h(cpu, in);
    for (unsigned i = 0; i < n / 4; i++) {
        if (in->imm >> (4 + (i & 3)) & 1) {
            x.d[i] = a->d[i];
            y.d[i] = b->d[i];
        }
    }
    FP_RUN(cpu, for (unsigned o = 0; o < n; o += 16) { host_mulps(&p.b[o], &x.b[o], &y.b[o]); });
    for (unsigned i = 0; i < n / 4; i++) {
        x.d[i] = in->imm >> (4 + (i & 3)) & 1 ? p.d[i] : 0;
        y.d[i ^ 1] = x.d[i];
    }
    FP_RUN(cpu, for (unsigned o = 0; o < n; o += 16) { host_addps(&p.b[o], &y.b[o], &x.b[o]); });
    for (unsigned i = 0; i < n / 4; i++) {
        x.d[i] = p.d[i];
        y.d[i] = p.d[i ^ 2];
    }
    FP_RUN(cpu, for (unsigned o = 0; o < n; o += 16) { host_addps(&p.b[o], &x.b[o], &y.b[o]); });
    for (unsigned i = 0; i < n / 4; i++) {
        p.d[i] = in->imm >> (i & 3) & 1 ? p.d[i] : 0;
    }
    vec_put(cpu, in, &p);
}

OP(dppd)
{
    union vec x = {{0}}, y = {{0}}, p, tmp;
    vec_begin(cpu, in);
    const union vec *b = vec_e(cpu, in, &tmp), *a = vec_h(cpu, in);
    for (unsigned i = 0; i < 2; i++) {
        if (in->imm >> (4 + i) & 1) {
            x.q[i] = a->q[i];
            y.q[i] = b->q[i];
        }
    }
    FP_RUN(cpu, host_mulpd(&p, &x, &y););
    for (unsigned i = 0; i < 2; i++) {
        x.q[i] = in->imm >> (4 + i) & 1 ? p.q[i] : 0;
        y.q[i ^ 1] = x.q[i];
    }
    FP_RUN(cpu, host_addpd(&p, &x, &y););
    for (unsigned i = 0; i < 2; i++) {
        p.q[i] = in->imm >> i & 1 ? p.q[i] : 0;
    }
    vec_put16(cpu, in, &p);
}

/* ---- compares ---- */

enum { REL_GT = 1, REL_LT = 2, REL_EQ = 4, REL_UN = 8 };

/* The relation of the lowest lanes. @quiet: only signalling NaNs are invalid. */
#define RELATION(t, insn)                                                                          \
    static unsigned relation_##insn(const void *a, const void *b)                                  \
    {                                                                                              \
        uint8_t below, equal, parity;                                                              \
        __asm__ volatile("movups %3, %%xmm0\n\t"                                                   \
                         "movups %4, %%xmm1\n\t" #insn " %%xmm1, %%xmm0\n\t"                       \
                         "setc %0\n\t"                                                             \
                         "setz %1\n\t"                                                             \
                         "setp %2"                                                                 \
                         : "=r"(below), "=r"(equal), "=r"(parity)                                  \
                         : "m"(*(const struct vec16 *)a), "m"(*(const struct vec16 *)b)            \
                         : "xmm0", "xmm1", "cc");                                                  \
        return parity ? REL_UN : equal ? REL_EQ : below ? REL_LT : REL_GT;                         \
    }
RELATION(d, ucomiss)
RELATION(d, comiss)
RELATION(q, ucomisd)
RELATION(q, comisd)

/* [SDM2] "CMPPD", table of predicates: for which relations each is true, and which signal. */
static const uint8_t predicate_true[32] = {
    REL_EQ, REL_LT, REL_LT | REL_EQ, REL_UN,
    REL_UN | REL_LT | REL_GT, REL_UN | REL_GT | REL_EQ, REL_UN | REL_GT, REL_LT | REL_EQ | REL_GT,
    REL_UN | REL_EQ, REL_UN | REL_LT, REL_UN | REL_LT | REL_EQ, 0,
    REL_LT | REL_GT, REL_GT | REL_EQ, REL_GT, 15,
    REL_EQ, REL_LT, REL_LT | REL_EQ, REL_UN,
    REL_UN | REL_LT | REL_GT, REL_UN | REL_GT | REL_EQ, REL_UN | REL_GT, REL_LT | REL_EQ | REL_GT,
    REL_UN | REL_EQ, REL_UN | REL_LT, REL_UN | REL_LT | REL_EQ, 0,
    REL_LT | REL_GT, REL_GT | REL_EQ, REL_GT, 15,
};

static bool predicate_signals(unsigned p)
{
    static const uint32_t signals = 0x66666666u ^ 0xffff0000u; /* LT LE NLT NLE and their kin */
    return signals >> p & 1;
}

static uint32_t compare_d(const uint32_t *a, const uint32_t *b, unsigned p)
{
    union vec x = {.d = {*a}}, y = {.d = {*b}};
    unsigned rel = predicate_signals(p) ? relation_comiss(&x, &y) : relation_ucomiss(&x, &y);
    return predicate_true[p] & rel ? ~0u : 0;
}

static uint64_t compare_q(const uint64_t *a, const uint64_t *b, unsigned p)
{
    union vec x = {.q = {*a}}, y = {.q = {*b}};
    unsigned rel = predicate_signals(p) ? relation_comisd(&x, &y) : relation_ucomisd(&x, &y);
    return predicate_true[p] & rel ? ~0ull : 0;
}

/* Without VEX there are eight predicates. */
static unsigned predicate(const struct insn *in)
{
    return (unsigned)in->imm & (in->vex ? 31 : 7);
}

#define COMPARE(name, t, scalar)                                                                   \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec tmp, r = *vec_h(cpu, in);                                                        \
        vec_begin(cpu, in);                                                                        \
        unsigned n = (scalar) ? sizeof(r.t[0]) : in->opsize;                                       \
        const union vec *b = (scalar) ? vec_e_n(cpu, in, &tmp, n) : vec_e(cpu, in, &tmp);          \
        const union vec *a = vec_h(cpu, in);                                                       \
        FP_RUN(cpu, for (unsigned i = 0; i < n / sizeof(r.t[0]); i++) {                            \
            r.t[i] = compare_##t(&a->t[i], &b->t[i], predicate(in));                               \
        });                                                                                        \
        vec_set(cpu, in, in->reg, &r, (scalar) ? 16 : in->opsize);                                 \
    }
COMPARE(cmpps, d, false)
COMPARE(cmppd, q, false)
COMPARE(cmpss, d, true)
COMPARE(cmpsd, q, true)

#define COMPARE_FLAGS(name, bytes)                                                                 \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec tmp;                                                                             \
        unsigned rel;                                                                              \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e_n(cpu, in, &tmp, bytes), *a = vec_g(cpu, in);                   \
        FP_RUN(cpu, rel = relation_##name(a, b););                                                 \
        lf_set(cpu, rel == REL_UN   ? FL_ZF | FL_PF | FL_CF                                        \
                    : rel == REL_EQ ? FL_ZF                                                        \
                    : rel == REL_LT ? FL_CF                                                        \
                                    : 0);                                                          \
    }
COMPARE_FLAGS(ucomiss, 4)
COMPARE_FLAGS(comiss, 4)
COMPARE_FLAGS(ucomisd, 8)
COMPARE_FLAGS(comisd, 8)

/* ---- conversions ---- */

HOST_OP(cvtdq2ps, "cvtdq2ps %%xmm1, %%xmm0")
HOST_OP(cvtps2dq, "cvtps2dq %%xmm1, %%xmm0")
HOST_OP(cvttps2dq, "cvttps2dq %%xmm1, %%xmm0")
HOST_OP(cvtdq2pd, "cvtdq2pd %%xmm1, %%xmm0")
HOST_OP(cvtpd2dq, "cvtpd2dq %%xmm1, %%xmm0")
HOST_OP(cvttpd2dq, "cvttpd2dq %%xmm1, %%xmm0")
HOST_OP(cvtps2pd, "cvtps2pd %%xmm1, %%xmm0")
HOST_OP(cvtpd2ps, "cvtpd2ps %%xmm1, %%xmm0")
HOST_OP(cvtss2sd, "cvtss2sd %%xmm1, %%xmm0")
HOST_OP(cvtsd2ss, "cvtsd2ss %%xmm1, %%xmm0")

/* Lanes of one size. */
#define CVT_SAME(name)                                                                             \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec r, tmp;                                                                          \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e(cpu, in, &tmp);                                                 \
        FP_RUN(cpu, for (unsigned o = 0; o < in->opsize; o += 16) {                                \
            host_##name(&r.b[o], &b->b[o], &b->b[o]);                                              \
        });                                                                                        \
        vec_put(cpu, in, &r);                                                                      \
    }
CVT_SAME(cvtdq2ps)
CVT_SAME(cvtps2dq)
CVT_SAME(cvttps2dq)

/* Half as many bytes, to as many lanes. */
#define CVT_WIDEN(name)                                                                            \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec r, tmp;                                                                          \
        vec_begin(cpu, in);                                                                        \
        const union vec b = *vec_e_n(cpu, in, &tmp, in->opsize / 2u);                              \
        FP_RUN(cpu, for (unsigned o = 0; o < in->opsize; o += 16) {                                \
            host_##name(&r.b[o], &b.b[o / 2], &b.b[o / 2]);                                        \
        });                                                                                        \
        vec_put(cpu, in, &r);                                                                      \
    }
CVT_WIDEN(cvtdq2pd)
CVT_WIDEN(cvtps2pd)

/* To half as many bytes, with zeros above. */
#define CVT_NARROW(name)                                                                           \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec r = {{0}}, tmp;                                                                  \
        struct vec16 half;                                                                         \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e(cpu, in, &tmp);                                                 \
        FP_RUN(cpu, for (unsigned i = 0; i < in->opsize / 16u; i++) {                              \
            host_##name(&half, &b->q[2 * i], &b->q[2 * i]);                                        \
            r.q[i] = half.q[0];                                                                    \
        });                                                                                        \
        vec_put16(cpu, in, &r);                                                                    \
    }
CVT_NARROW(cvtpd2dq)
CVT_NARROW(cvttpd2dq)
CVT_NARROW(cvtpd2ps)

#define CVT_SCALAR(name, bytes)                                                                    \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec r, tmp;                                                                          \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e_n(cpu, in, &tmp, bytes), *a = vec_h(cpu, in);                   \
        FP_RUN(cpu, host_##name(&r, a, b););                                                       \
        vec_put16(cpu, in, &r);                                                                    \
    }
CVT_SCALAR(cvtss2sd, 4)
CVT_SCALAR(cvtsd2ss, 8)

/* From a general register or memory. */
#define CVT_FROM_INT(name)                                                                         \
    OP(name)                                                                                       \
    {                                                                                              \
        vec_begin(cpu, in);                                                                        \
        int64_t v = (int64_t)e_read(cpu, in, in->w ? 8 : 4);                                       \
        union vec r, a = *vec_h(cpu, in);                                                          \
        v = in->w ? v : (int32_t)v;                                                                \
        FP_RUN(cpu, __asm__ volatile("movups %1, %%xmm0\n\t" #name "q %2, %%xmm0\n\t"              \
                                     "movups %%xmm0, %0"                                           \
                                     : "=m"(*(struct vec16 *)&r)                                   \
                                     : "m"(*(const struct vec16 *)&a), "r"(v)                      \
                                     : "xmm0"););                                                  \
        vec_put16(cpu, in, &r);                                                                    \
    }
CVT_FROM_INT(cvtsi2ss)
CVT_FROM_INT(cvtsi2sd)

#define CVT_TO_INT(name, bytes)                                                                    \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec tmp;                                                                             \
        uint64_t v = 0;                                                                            \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e_n(cpu, in, &tmp, bytes);                                        \
        if (in->opsize == 8) {                                                                     \
            FP_RUN(cpu, __asm__ volatile("movups %1, %%xmm0\n\t" #name " %%xmm0, %q0"              \
                                         : "=r"(v)                                                 \
                                         : "m"(*(const struct vec16 *)b)                           \
                                         : "xmm0"););                                              \
        } else {                                                                                   \
            FP_RUN(cpu, __asm__ volatile("movups %1, %%xmm0\n\t" #name " %%xmm0, %k0"              \
                                         : "=r"(v)                                                 \
                                         : "m"(*(const struct vec16 *)b)                           \
                                         : "xmm0"););                                              \
        }                                                                                          \
        reg_w64(cpu, in->r, in->opsize == 8 ? v : (uint32_t)v);                                    \
    }
CVT_TO_INT(cvtss2si, 4)
CVT_TO_INT(cvttss2si, 4)
CVT_TO_INT(cvtsd2si, 8)
CVT_TO_INT(cvttsd2si, 8)

/* ---- conversions with MMX registers ---- */

/* Only a register operand takes the x87 unit for MMX, even if #XM follows. */
static union vec integers_of_mmx(struct x86_cpu *cpu, const struct insn *in)
{
    union vec b = {{0}};
    vec_begin(cpu, in);
    if (!in->mem) {
        mmx_begin(cpu);
    }
    mmx_e_n(cpu, in, &b, 8);
    if (!in->mem) {
        mmx_enter(cpu);
    }
    return b;
}

OP(cvtpi2ps)
{
    union vec b = integers_of_mmx(cpu, in), r = *vec_g(cpu, in);
    struct vec16 half;
    FP_RUN(cpu, host_cvtdq2ps(&half, &b, &b););
    r.q[0] = half.q[0]; /* the upper half stays */
    vec_put16(cpu, in, &r);
}

OP(cvtpi2pd)
{
    union vec b = integers_of_mmx(cpu, in), r;
    FP_RUN(cpu, host_cvtdq2pd(&r, &b, &b););
    vec_put16(cpu, in, &r);
}

#define CVT_TO_MMX(name, host, bytes)                                                              \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec tmp = {{0}}, b = {{0}};                                                          \
        struct vec16 r;                                                                            \
        vec_begin(cpu, in);                                                                        \
        mmx_begin(cpu);                                                                            \
        if (in->mem) {                                                                             \
            vec_load(cpu, vec_lin_r(cpu, in, bytes, (bytes) == 16), &tmp, bytes);                  \
        }                                                                                          \
        memcpy(&b, in->mem ? &tmp : vec_reg(cpu, in->rm), bytes);                                  \
        mmx_enter(cpu);          /* even if #XM follows */                                         \
        FP_RUN(cpu, host_##host(&r, &b, &b););                                                     \
        mmx_set(cpu, in->reg, r.q[0]);                                                             \
    }
CVT_TO_MMX(cvtps2pi, cvtps2dq, 8)
CVT_TO_MMX(cvttps2pi, cvttps2dq, 8)
CVT_TO_MMX(cvtpd2pi, cvtpd2dq, 16)
CVT_TO_MMX(cvttpd2pi, cvttpd2dq, 16)
