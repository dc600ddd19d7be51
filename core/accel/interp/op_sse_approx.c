/*
 * Approximations and rounding to integral values, by our own arithmetic (core/cpu/simd.c).
 */
#include "core/accel/interp/vec.h"
#include "core/cpu/simd.h"

#define APPROX(name)                                                                               \
    VEC_OP(name##ps, EACH(d, simd_##name(b->d[i])))                                                \
    OP(name##ss)                                                                                   \
    {                                                                                              \
        union vec tmp;                                                                             \
        vec_begin(cpu, in);                                                                        \
        uint32_t v = simd_##name(vec_e_n(cpu, in, &tmp, 4)->d[0]);                                 \
        union vec r = *vec_h(cpu, in);                                                             \
        r.d[0] = v;                                                                                \
        vec_put16(cpu, in, &r);                                                                    \
    }
APPROX(rcp)
APPROX(rsqrt)

/* ---- ROUNDPS and its kin ---- */

#define ROUND_LANES(t, bits)                                                                       \
    for (unsigned i = 0; i < n / sizeof(r.t[0]); i++) {                                            \
        r.t[i] = simd_round##bits(b->t[i], (unsigned)in->imm, cpu->s.mxcsr, &flags);               \
    }                                                                                              \
    if (flags) {                                                                                   \
        fp_report(cpu, flags);                                                                     \
    }
#define ROUND(name, t, bits, packed)                                                               \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec tmp, r;                                                                          \
        uint32_t flags = 0;                                                                        \
        vec_begin(cpu, in);                                                                        \
        unsigned n = (packed) ? in->opsize : (bits) / 8;                                           \
        const union vec *b = (packed) ? vec_e(cpu, in, &tmp) : vec_e_n(cpu, in, &tmp, n);          \
        r = *vec_h(cpu, in);                                                                       \
        ROUND_LANES(t, bits)                                                                       \
        vec_set(cpu, in, in->reg, &r, (packed) ? in->opsize : 16);                                 \
    }
ROUND(roundps, d, 32, true)
ROUND(roundpd, q, 64, true)
ROUND(roundss, d, 32, false)
ROUND(roundsd, q, 64, false)
