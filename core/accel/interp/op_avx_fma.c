/*
 * Fused multiply-add, and conversion of half precision: our own arithmetic (core/cpu/simd.c), for
 * hosts that lack them and with one result on all.
 *
 * Source: [SDM2] "VFMADD132PD/VFMADD213PD/VFMADD231PD" and its kin, "VCVTPH2PS", "VCVTPS2PH".
 */
#include "core/accel/interp/vec.h"
#include "core/cpu/simd.h"

/* What the opcode's low four bits say: which of product and addend are negated, in even and odd
 * lanes. */
struct fma_kind {
    bool negate, subtract_even, subtract_odd;
};

static struct fma_kind fma_kind(const struct insn *in)
{
    switch (in->opcode & 15) {
    case 6: return (struct fma_kind){false, true, false};  /* FMADDSUB */
    case 7: return (struct fma_kind){false, false, true};  /* FMSUBADD */
    case 8: case 9: return (struct fma_kind){false, false, false};
    case 10: case 11: return (struct fma_kind){false, true, true};
    case 12: case 13: return (struct fma_kind){true, false, false};
    default: return (struct fma_kind){true, true, true};
    }
}

/* r = x * y + z; the opcode's high four bits say which operand is which: 132, 213, 231. A NaN is
 * taken from x before y before z. */
#define FMA(name, t, bits, scalar)                                                                 \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec tmp;                                                                             \
        uint32_t flags = 0, mxcsr = cpu->s.mxcsr;                                                  \
        vec_begin(cpu, in);                                                                        \
        unsigned n = (scalar) ? (bits) / 8 : in->opsize;                                           \
        const union vec *e = (scalar) ? vec_e_n(cpu, in, &tmp, n) : vec_e(cpu, in, &tmp);          \
        const union vec *g = vec_g(cpu, in), *h = vec_h(cpu, in);                                  \
        unsigned order = in->opcode >> 4;                                                          \
        const union vec *x = order == 9 ? g : h, *y = order == 10 ? g : e;                         \
        const union vec *z = order == 9 ? h : order == 10 ? e : g;                                 \
        struct fma_kind k = fma_kind(in);                                                          \
        union vec r = *g;                                                                          \
        for (unsigned i = 0; i < n / sizeof(r.t[0]); i++) {                                        \
            bool subtract = i & 1 ? k.subtract_odd : k.subtract_even;                              \
            r.t[i] = simd_fma##bits(x->t[i], y->t[i], z->t[i], k.negate, subtract, mxcsr, &flags); \
        }                                                                                          \
        if (flags) {                                                                               \
            fp_report(cpu, flags);                                                                 \
        }                                                                                          \
        vec_set(cpu, in, in->reg, &r, (scalar) ? 16 : n);                                          \
    }
FMA(fma_ps, d, 32, false)
FMA(fma_pd, q, 64, false)
FMA(fma_ss, d, 32, true)
FMA(fma_sd, q, 64, true)

OP(vcvtph2ps)
{
    union vec tmp, r;
    uint32_t flags = 0;
    vec_begin(cpu, in);
    const union vec *b = vec_reg(cpu, in->rm);
    if (in->mem) {
        uint64_t ea = insn_ea(cpu, in);
        vec_load(cpu, vec_lin_any(cpu, in, ea, in->opsize / 2u, false), &tmp, in->opsize / 2u);
        b = &tmp;
    }
    for (unsigned i = 0; i < in->opsize / 4u; i++) {
        r.d[i] = simd_from_half(b->w[i], &flags);
    }
    if (flags) {
        fp_report(cpu, flags);
    }
    vec_put(cpu, in, &r);
}

OP(vcvtps2ph)
{
    union vec r = {{0}};
    uint32_t flags = 0;
    unsigned bytes = in->opsize / 2u;
    vec_begin(cpu, in);
    const union vec *a = vec_g(cpu, in);
    for (unsigned i = 0; i < in->opsize / 4u; i++) {
        r.w[i] = simd_to_half(a->d[i], (unsigned)in->imm, cpu->s.mxcsr, &flags);
    }
    if (flags) {
        fp_report(cpu, flags);   /* before the store: a fault of memory leaves the flags set */
    }
    if (in->mem) {
        vec_store(cpu, vec_lin_any(cpu, in, insn_ea(cpu, in), bytes, true), &r, bytes);
    } else {
        vec_set(cpu, in, in->rm, &r, 16);
    }
}
