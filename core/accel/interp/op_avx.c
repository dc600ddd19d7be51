/*
 * What AVX and AVX2 have beyond wider forms of SSE: broadcasts, permutations, masked moves,
 * gathers. Source: [SDM2], the entry of each instruction.
 */
#include "core/accel/interp/vec.h"

/* Upper halves of all registers; outside 64-bit mode of the first eight. */
static unsigned registers(const struct x86_cpu *cpu)
{
    return cpu->mode & MODE_CS64 ? 16 : 8;
}

OP(vzeroupper)
{
    vec_begin(cpu, in);
    for (unsigned i = 0; i < registers(cpu); i++) {
        memset(cpu->s.ymm[i] + 16, 0, 16);
    }
}

OP(vzeroall)
{
    vec_begin(cpu, in);
    memset(cpu->s.ymm, 0, registers(cpu) * sizeof(cpu->s.ymm[0]));
}

/* ---- broadcasts ---- */

#define BROADCAST(name, t)                                                                         \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec rv, tmp, *r = &rv;                                                               \
        unsigned n = in->opsize;                                                                   \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e_n(cpu, in, &tmp, sizeof(r->t[0]));                              \
        EACH(t, b->t[0])                                                                           \
        vec_put(cpu, in, r);                                                                       \
    }
BROADCAST(broadcast_b, b)
BROADCAST(broadcast_w, w)
BROADCAST(broadcast_d, d)
BROADCAST(broadcast_q, q)

OP(broadcast_half)
{
    union vec tmp;
    vec_begin(cpu, in);
    union vec r = *vec_e_n(cpu, in, &tmp, 16);
    memcpy(r.b + 16, r.b, 16);
    vec_put(cpu, in, &r);
}

/* ---- permutations ---- */

VEC_OP(vpermilps, EACH(d, a->d[(i & ~3u) + (b->d[i] & 3)]))
VEC_OP(vpermilpd, EACH(q, a->q[(i & ~1u) + (b->q[i] >> 1 & 1)]))
VEC_OP(vpermilps_i, EACH(d, b->d[(i & ~3u) + (imm >> (2 * (i & 3)) & 3)]))
VEC_OP(vpermilpd_i, EACH(q, b->q[(i & ~1u) + (imm >> i & 1)]))
VEC_OP(vpermd, EACH(d, b->d[a->d[i] & 7]))
VEC_OP(vpermq, EACH(q, b->q[imm >> (2 * i) & 3]))

/* Halves of both sources, or zeros. */
VEC_OP(vperm2f128, EACH_HALF(3, {
           unsigned select = imm >> (2 * o);
           const union vec *from = select & 2 ? b : a;
           for (unsigned i = 0; i < k; i++) {
               r->q[o + i] = select & 8 ? 0 : from->q[2 * (select & 1) + i];
           }
       }))

OP(vinsertf128)
{
    union vec tmp;
    vec_begin(cpu, in);
    const union vec half = *vec_e_n(cpu, in, &tmp, 16);
    union vec r = *vec_h(cpu, in);
    memcpy(r.b + 16 * (in->imm & 1), half.b, 16);
    vec_put(cpu, in, &r);
}

OP(vextractf128)
{
    union vec r;
    vec_begin(cpu, in);
    memcpy(r.b, vec_g(cpu, in)->b + 16 * (in->imm & 1), 16);
    if (in->mem) {
        vec_store(cpu, vec_lin_w(cpu, in, 16, false), &r, 16);
    } else {
        vec_set(cpu, in, in->rm, &r, 16);
    }
}

/* ---- masked moves ---- */

/* Lanes whose mask is positive are neither read nor written, nor do they fault. Lanes wrap at
 * the length of linear addresses, not at 16 bits. */
static uint64_t lane_linear(struct x86_cpu *cpu, const struct insn *in, unsigned i, unsigned bytes,
                            bool write)
{
    uint64_t ea = insn_ea(cpu, in) + i * bytes;
    return vec_lin_any(cpu, in, ea & cpu->lin_mask, bytes, write);
}

/* Where the pages of a store's lanes are not there: on Intel's processors a fault names the first
 * byte of the first lane to be written or else the last byte of the last one. */
static void probe_lanes(struct x86_cpu *cpu, const struct insn *in, const union vec *mask,
                        unsigned bytes)
{
    uint64_t first = 0, last = 0;
    bool any = false;
    for (unsigned i = 0; i < in->opsize / bytes; i++) {
        if (mask->b[(i + 1) * bytes - 1] & 0x80) {
            last = lane_linear(cpu, in, i, bytes, true);
            first = any ? first : last;
            any = true;
        }
    }
    if (any) {
        x86_lin_probe_write(cpu, first, 1, cpu->cpl == 3);
        x86_lin_probe_write(cpu, (last + bytes - 1) & cpu->lin_mask, 1, cpu->cpl == 3);
    }
}

#define MASKMOV(name, t, st, bytes)                                                                \
    OP(name##_load)                                                                                \
    {                                                                                              \
        union vec r = {{0}};                                                                       \
        vec_begin(cpu, in);                                                                        \
        const union vec *mask = vec_h(cpu, in);                                                    \
        for (unsigned i = 0; i < in->opsize / (bytes); i++) {                                      \
            if (mask->st[i] < 0) {                                                                 \
                vec_load(cpu, lane_linear(cpu, in, i, bytes, false), &r.t[i], bytes);              \
            }                                                                                      \
        }                                                                                          \
        vec_put(cpu, in, &r);                                                                      \
    }                                                                                              \
    OP(name##_store)                                                                               \
    {                                                                                              \
        vec_begin(cpu, in);                                                                        \
        const union vec *mask = vec_h(cpu, in), *v = vec_g(cpu, in);                               \
        probe_lanes(cpu, in, mask, bytes);                                                         \
        for (unsigned i = 0; i < in->opsize / (bytes); i++) {                                      \
            if (mask->st[i] < 0) {                                                                 \
                vec_store(cpu, lane_linear(cpu, in, i, bytes, true), &v->t[i], bytes);             \
            }                                                                                      \
        }                                                                                          \
    }
MASKMOV(maskmov_d, d, sd, 4)
MASKMOV(maskmov_q, q, sq, 8)

/* ---- gathers ---- */

/* Lanes in order; those done have their mask cleared, so that a fault keeps what was read ([SDM2]
 * "VPGATHERDD"). @wide: indices of 64 bits. */
static void gather(struct x86_cpu *cpu, const struct insn *in, unsigned bytes, bool wide)
{
    vec_begin(cpu, in);
    union vec *r = vec_g(cpu, in), *mask = vec_reg(cpu, in->vvvv);
    const union vec *index = vec_reg(cpu, in->index);
    unsigned lanes = in->opsize / (wide && bytes == 4 ? 8u : bytes);
    for (unsigned i = 0; i < 32 / bytes; i++) { /* whole lanes first, unused ones too */
        bool set = i < in->opsize / bytes && (mask->b[i * bytes + bytes - 1] & 0x80);
        memset(mask->b + i * bytes, set ? 0xff : 0, bytes);
    }
    for (unsigned i = 0; i < lanes; i++) {
        if (mask->b[i * bytes]) {
            uint64_t off = (uint64_t)(wide ? index->sq[i] : index->sd[i]) << in->scale;
            uint64_t ea = reg_r64(cpu, in->base) + off + (uint64_t)(int64_t)in->disp;
            ea &= ~0ull >> in->ea_shift;
            vec_load(cpu, vec_lin_any(cpu, in, ea, bytes, false), r->b + i * bytes, bytes);
            memset(mask->b + i * bytes, 0, bytes);
            memset(r->b + in->opsize, 0, 32 - in->opsize); /* with the first lane, not before */
        }
    }
    memset(r->b + lanes * bytes, 0, 32 - lanes * bytes);
    memset(mask, 0, 32);
}

OP(gather_dd)
{
    gather(cpu, in, 4, false);
}

OP(gather_dq)
{
    gather(cpu, in, 8, false);
}

OP(gather_qd)
{
    gather(cpu, in, 4, true);
}

OP(gather_qq)
{
    gather(cpu, in, 8, true);
}
