/*
 * Packed integers, in MMX, XMM and YMM registers: arithmetic, compares, logic, shifts, packing.
 *
 * Source: [SDM2], the entry of each instruction; a lane formula here is its "Operation".
 */
#include "core/accel/interp/vec.h"

/* ---- saturation ---- */

static inline int8_t sat_sb(int v)
{
    return (int8_t)(v < -128 ? -128 : v > 127 ? 127 : v);
}

static inline uint8_t sat_ub(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static inline int16_t sat_sw(int v)
{
    return (int16_t)(v < -32768 ? -32768 : v > 32767 ? 32767 : v);
}

static inline uint16_t sat_uw(int v)
{
    return (uint16_t)(v < 0 ? 0 : v > 65535 ? 65535 : v);
}

/* ---- arithmetic ---- */

INT_OP(paddb, EACH(b, a->b[i] + b->b[i]))
INT_OP(paddw, EACH(w, a->w[i] + b->w[i]))
INT_OP(paddd, EACH(d, a->d[i] + b->d[i]))
INT_OP(paddq, EACH(q, a->q[i] + b->q[i]))
INT_OP(psubb, EACH(b, a->b[i] - b->b[i]))
INT_OP(psubw, EACH(w, a->w[i] - b->w[i]))
INT_OP(psubd, EACH(d, a->d[i] - b->d[i]))
INT_OP(psubq, EACH(q, a->q[i] - b->q[i]))
INT_OP(paddsb, EACH(sb, sat_sb(a->sb[i] + b->sb[i])))
INT_OP(paddsw, EACH(sw, sat_sw(a->sw[i] + b->sw[i])))
INT_OP(paddusb, EACH(b, sat_ub(a->b[i] + b->b[i])))
INT_OP(paddusw, EACH(w, sat_uw(a->w[i] + b->w[i])))
INT_OP(psubsb, EACH(sb, sat_sb(a->sb[i] - b->sb[i])))
INT_OP(psubsw, EACH(sw, sat_sw(a->sw[i] - b->sw[i])))
INT_OP(psubusb, EACH(b, sat_ub(a->b[i] - b->b[i])))
INT_OP(psubusw, EACH(w, sat_uw(a->w[i] - b->w[i])))

INT_OP(pavgb, EACH(b, (a->b[i] + b->b[i] + 1) >> 1))
INT_OP(pavgw, EACH(w, (a->w[i] + b->w[i] + 1) >> 1))
INT_OP(pminub, EACH(b, a->b[i] < b->b[i] ? a->b[i] : b->b[i]))
INT_OP(pmaxub, EACH(b, a->b[i] > b->b[i] ? a->b[i] : b->b[i]))
INT_OP(pminsw, EACH(sw, a->sw[i] < b->sw[i] ? a->sw[i] : b->sw[i]))
INT_OP(pmaxsw, EACH(sw, a->sw[i] > b->sw[i] ? a->sw[i] : b->sw[i]))
VEC_OP(pminsb, EACH(sb, a->sb[i] < b->sb[i] ? a->sb[i] : b->sb[i]))
VEC_OP(pmaxsb, EACH(sb, a->sb[i] > b->sb[i] ? a->sb[i] : b->sb[i]))
VEC_OP(pminuw, EACH(w, a->w[i] < b->w[i] ? a->w[i] : b->w[i]))
VEC_OP(pmaxuw, EACH(w, a->w[i] > b->w[i] ? a->w[i] : b->w[i]))
VEC_OP(pminsd, EACH(sd, a->sd[i] < b->sd[i] ? a->sd[i] : b->sd[i]))
VEC_OP(pmaxsd, EACH(sd, a->sd[i] > b->sd[i] ? a->sd[i] : b->sd[i]))
VEC_OP(pminud, EACH(d, a->d[i] < b->d[i] ? a->d[i] : b->d[i]))
VEC_OP(pmaxud, EACH(d, a->d[i] > b->d[i] ? a->d[i] : b->d[i]))

INT_OP(pmullw, EACH(w, (uint32_t)a->w[i] * b->w[i]))
INT_OP(pmulhw, EACH(w, (a->sw[i] * b->sw[i]) >> 16))
INT_OP(pmulhuw, EACH(w, ((uint32_t)a->w[i] * b->w[i]) >> 16))
INT_OP(pmulhrsw, EACH(w, (((a->sw[i] * b->sw[i]) >> 14) + 1) >> 1))
INT_OP(pmuludq, EACH(q, (uint64_t)(uint32_t)a->q[i] * (uint32_t)b->q[i]))
VEC_OP(pmuldq, EACH(sq, (int64_t)(int32_t)a->q[i] * (int32_t)b->q[i]))
VEC_OP(pmulld, EACH(d, a->d[i] * b->d[i]))
INT_OP(pmaddwd, EACH(d, (uint32_t)(a->sw[2 * i] * b->sw[2 * i]) +
                            (uint32_t)(a->sw[2 * i + 1] * b->sw[2 * i + 1])))
INT_OP(pmaddubsw,
       EACH(sw, sat_sw(a->b[2 * i] * b->sb[2 * i] + a->b[2 * i + 1] * b->sb[2 * i + 1])))

static inline uint64_t sum_of_differences(const uint8_t *a, const uint8_t *b, unsigned n)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < n; i++) {
        sum += (unsigned)(a[i] < b[i] ? b[i] - a[i] : a[i] - b[i]);
    }
    return sum;
}
INT_OP(psadbw, EACH(q, sum_of_differences(a->b + 8 * i, b->b + 8 * i, 8)))
VEC_OP(mpsadbw, EACH_HALF(1, {
           const uint8_t *x = a->b + 2 * o + (imm >> 2 & 1) * 4, *y = b->b + 2 * o + (imm & 3) * 4;
           for (unsigned i = 0; i < k; i++) {
               r->w[o + i] = (uint16_t)sum_of_differences(x + i, y, 4);
           }
           imm >>= 3; /* bits 5:3 are the upper half's */
       }))

INT_OP(pabsb, EACH(b, b->sb[i] < 0 ? -b->sb[i] : b->sb[i]))
INT_OP(pabsw, EACH(w, b->sw[i] < 0 ? -b->sw[i] : b->sw[i]))
INT_OP(pabsd, EACH(d, b->sd[i] < 0 ? 0 - b->d[i] : b->d[i]))
INT_OP(psignb, EACH(b, b->sb[i] < 0 ? -a->sb[i] : b->sb[i] ? a->sb[i] : 0))
INT_OP(psignw, EACH(w, b->sw[i] < 0 ? -a->sw[i] : b->sw[i] ? a->sw[i] : 0))
INT_OP(psignd, EACH(d, b->sd[i] < 0 ? 0 - a->d[i] : b->d[i] ? a->d[i] : 0))

/* Pairs of a, then pairs of b. */
#define HORIZONTAL(name, t, shift, f)                                                              \
    INT_OP(name, EACH_HALF(shift, for (unsigned i = 0; i < k / 2; i++) {                           \
               r->t[o + i] = f(a->t[o + 2 * i], a->t[o + 2 * i + 1]);                              \
               r->t[o + k / 2 + i] = f(b->t[o + 2 * i], b->t[o + 2 * i + 1]);                      \
           }))
#define ADD16(x, y)  (uint16_t)((x) + (y))
#define SUB16(x, y)  (uint16_t)((x) - (y))
#define ADD32(x, y)  ((x) + (y))
#define SUB32(x, y)  ((x) - (y))
#define ADDS16(x, y) sat_sw((x) + (y))
#define SUBS16(x, y) sat_sw((x) - (y))
HORIZONTAL(phaddw, w, 1, ADD16)
HORIZONTAL(phaddd, d, 2, ADD32)
HORIZONTAL(phaddsw, sw, 1, ADDS16)
HORIZONTAL(phsubw, w, 1, SUB16)
HORIZONTAL(phsubd, d, 2, SUB32)
HORIZONTAL(phsubsw, sw, 1, SUBS16)

/* ---- compares, logic ---- */

INT_OP(pcmpeqb, EACH(b, a->b[i] == b->b[i] ? ~0 : 0))
INT_OP(pcmpeqw, EACH(w, a->w[i] == b->w[i] ? ~0 : 0))
INT_OP(pcmpeqd, EACH(d, a->d[i] == b->d[i] ? ~0 : 0))
VEC_OP(pcmpeqq, EACH(q, a->q[i] == b->q[i] ? ~0ull : 0))
INT_OP(pcmpgtb, EACH(b, a->sb[i] > b->sb[i] ? ~0 : 0))
INT_OP(pcmpgtw, EACH(w, a->sw[i] > b->sw[i] ? ~0 : 0))
INT_OP(pcmpgtd, EACH(d, a->sd[i] > b->sd[i] ? ~0 : 0))
VEC_OP(pcmpgtq, EACH(q, a->sq[i] > b->sq[i] ? ~0ull : 0))
INT_OP(pand, EACH(d, a->d[i] & b->d[i]))
INT_OP(pandn, EACH(d, ~a->d[i] & b->d[i]))
INT_OP(por, EACH(d, a->d[i] | b->d[i]))
INT_OP(pxor, EACH(d, a->d[i] ^ b->d[i]))

static void ptest_flags(struct x86_cpu *cpu, bool zf, bool cf)
{
    lf_set(cpu, (zf ? FL_ZF : 0) | (cf ? FL_CF : 0));
}

#define TEST(name, mask)                                                                           \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec tmp;                                                                             \
        uint64_t both = 0, only_b = 0;                                                             \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e(cpu, in, &tmp), *a = vec_g(cpu, in);                            \
        for (unsigned i = 0; i < in->opsize / 8u; i++) {                                           \
            both |= a->q[i] & b->q[i] & (mask);                                                    \
            only_b |= ~a->q[i] & b->q[i] & (mask);                                                 \
        }                                                                                          \
        ptest_flags(cpu, both == 0, only_b == 0);                                                  \
    }
TEST(ptest, ~0ull)
TEST(testps, 0x8000000080000000ull)
TEST(testpd, 0x8000000000000000ull)

/* ---- shifts ---- */

/* Shift of each lane by @count, which may be any number. */
#define SHIFT(name, t, bits, op, past)                                                             \
    VEC_INLINE void lanes_##name(union vec *r, const union vec *a, uint64_t count, unsigned n)     \
    {                                                                                              \
        if (likely(count < (bits))) {                                                              \
            unsigned by = (unsigned)count;                                                         \
            EACH(t, a->t[i] op by)                                                                 \
        } else {                                                                                   \
            EACH(t, past)                                                                          \
        }                                                                                          \
    }                                                                                              \
    VEC_INLINE void shift_##name(union vec *r, const union vec *a, uint64_t count, unsigned n)     \
    {                                                                                              \
        if (likely(n == 16)) {                                                                     \
            lanes_##name(r, a, count, 16);                                                         \
        } else {                                                                                   \
            lanes_##name(r, a, count, n);                                                          \
        }                                                                                          \
    }                                                                                              \
    /* by the low 64 bits of b: of the XMM register or 128 bits of memory, also with YMM */        \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec r, tmp;                                                                          \
        vec_begin(cpu, in);                                                                        \
        if (in->mem) {                                                                             \
            vec_load(cpu, vec_lin_r(cpu, in, 16, !in->vex), &tmp, 16);                             \
        }                                                                                          \
        uint64_t count = in->mem ? tmp.q[0] : vec_reg(cpu, in->rm)->q[0];                          \
        shift_##name(&r, vec_h(cpu, in), count, in->opsize);                                       \
        vec_put(cpu, in, &r);                                                                      \
    }                                                                                              \
    OP(name##_i)                                                                                   \
    {                                                                                              \
        union vec r;                                                                               \
        vec_begin(cpu, in);                                                                        \
        shift_##name(&r, vec_reg(cpu, in->rm), in->imm, in->opsize);                               \
        vec_set_full(cpu, in, in->vvvv, &r);                                                       \
    }                                                                                              \
    OP(mmx_##name)                                                                                 \
    {                                                                                              \
        union vec r, tmp, a;                                                                       \
        mmx_begin(cpu);                                                                            \
        uint64_t count = mmx_e_n(cpu, in, &tmp, 8)->q[0];                                          \
        a.q[0] = cpu->s.fpr[in->reg & 7].mant;                                                     \
        shift_##name(&r, &a, count, 8);                                                            \
        mmx_set(cpu, in->reg, r.q[0]);                                                             \
    }                                                                                              \
    OP(mmx_##name##_i)                                                                             \
    {                                                                                              \
        union vec r, a;                                                                            \
        mmx_begin(cpu);                                                                            \
        a.q[0] = cpu->s.fpr[in->rm & 7].mant;                                                      \
        shift_##name(&r, &a, in->imm, 8);                                                          \
        mmx_set(cpu, in->rm, r.q[0]);                                                              \
    }
SHIFT(psrlw, w, 16, >>, 0)
SHIFT(psrld, d, 32, >>, 0)
SHIFT(psrlq, q, 64, >>, 0)
SHIFT(psllw, w, 16, <<, 0)
SHIFT(pslld, d, 32, <<, 0)
SHIFT(psllq, q, 64, <<, 0)
SHIFT(psraw, sw, 16, >>, a->sw[i] >> 15)
SHIFT(psrad, sd, 32, >>, a->sd[i] >> 31)

/* Whole halves by bytes */
#define SHIFT_BYTES(name, from)                                                                    \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec r;                                                                               \
        vec_begin(cpu, in);                                                                        \
        const union vec *a = vec_reg(cpu, in->rm);                                                 \
        unsigned by = in->imm < 16 ? (unsigned)in->imm : 16;                                       \
        for (unsigned o = 0; o < in->opsize; o += 16) {                                            \
            for (unsigned i = 0; i < 16; i++) {                                                    \
                r.b[o + i] = (from) < 16 ? a->b[o + (from)] : 0;                                   \
            }                                                                                      \
        }                                                                                          \
        vec_set(cpu, in, in->vvvv, &r, in->opsize);                                                \
    }
SHIFT_BYTES(psrldq, i + by)
SHIFT_BYTES(pslldq, i - by)

/* Each lane by its own count (AVX2). */
VEC_OP(psllvd, EACH(d, b->d[i] < 32 ? a->d[i] << b->d[i] : 0))
VEC_OP(psllvq, EACH(q, b->q[i] < 64 ? a->q[i] << b->q[i] : 0))
VEC_OP(psrlvd, EACH(d, b->d[i] < 32 ? a->d[i] >> b->d[i] : 0))
VEC_OP(psrlvq, EACH(q, b->q[i] < 64 ? a->q[i] >> b->q[i] : 0))
VEC_OP(psravd, EACH(sd, a->sd[i] >> (b->d[i] < 32 ? b->d[i] : 31)))

/* ---- packing, interleaving, shuffling ---- */

#define PACK(run, name, to, from, shift, f)                                                        \
    run(name, EACH_HALF(shift, for (unsigned i = 0; i < k / 2; i++) {                              \
            r->to[o + i] = f(a->from[o / 2 + i]);                                                  \
            r->to[o + k / 2 + i] = f(b->from[o / 2 + i]);                                          \
        }))
PACK(INT_OP, packsswb, sb, sw, 0, sat_sb)
PACK(INT_OP, packuswb, b, sw, 0, sat_ub)
PACK(INT_OP, packssdw, sw, sd, 1, sat_sw)
PACK(VEC_OP, packusdw, w, sd, 1, sat_uw)

/* @part: 0 the lower, k / 2 the upper lanes of each half. */
#define UNPACK(name, t, shift, part)                                                               \
    VEC_OP(name, EACH_HALF(shift, for (unsigned i = 0; i < k / 2; i++) {                           \
               r->t[o + 2 * i] = a->t[o + (part) + i];                                             \
               r->t[o + 2 * i + 1] = b->t[o + (part) + i];                                         \
           }))
UNPACK(punpcklbw, b, 0, 0)
UNPACK(punpcklwd, w, 1, 0)
UNPACK(punpckldq, d, 2, 0)
UNPACK(punpcklqdq, q, 3, 0)
UNPACK(punpckhbw, b, 0, k / 2)
UNPACK(punpckhwd, w, 1, k / 2)
UNPACK(punpckhdq, d, 2, k / 2)
UNPACK(punpckhqdq, q, 3, k / 2)
MMX_RUN(punpcklbw, 4)
MMX_RUN(punpcklwd, 4)
MMX_RUN(punpckldq, 4)
MMX_RUN(punpckhbw, 8)
MMX_RUN(punpckhwd, 8)
MMX_RUN(punpckhdq, 8)

INT_OP(pshufb, EACH_HALF(0, for (unsigned i = 0; i < k; i++) {
           r->b[o + i] = b->b[o + i] & 0x80 ? 0 : a->b[o + (b->b[o + i] & (k - 1))];
       }))
/* The bytes of a above those of b, shifted right. */
INT_OP(palignr, EACH_HALF(0, for (unsigned i = 0; i < k; i++) {
           unsigned from = i + imm;
           r->b[o + i] = from < k ? b->b[o + from] : from < 2 * k ? a->b[o + from - k] : 0;
       }))
VEC_OP(pshufd, EACH(d, b->d[(i & ~3u) + (imm >> (2 * (i & 3)) & 3)]))
VEC_OP(pshuflw, EACH(w, (i & 4) ? b->w[i] : b->w[(i & ~3u) + (imm >> (2 * (i & 3)) & 3)]))
VEC_OP(pshufhw, EACH(w, (i & 4) ? b->w[(i & ~3u) + (imm >> (2 * (i & 3)) & 3)] : b->w[i]))
VEC_LANES(pshufw, EACH(w, b->w[imm >> (2 * i) & 3]))
MMX_RUN(pshufw, 8)

VEC_OP(pblendw, EACH(w, imm >> (i & 7) & 1 ? b->w[i] : a->w[i]))
VEC_OP(blendps, EACH(d, imm >> i & 1 ? b->d[i] : a->d[i]))
VEC_OP(blendpd, EACH(q, imm >> i & 1 ? b->q[i] : a->q[i]))

/* By a mask in XMM0, or with VEX in the register that imm[7:4] names. */
#define BLENDV(name, t, st)                                                                        \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec rv, tmp, *r = &rv;                                                               \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e(cpu, in, &tmp), *a = vec_h(cpu, in);                            \
        const union vec *m = vec_reg(cpu, in->vex ? (unsigned)in->imm >> 4 : 0);                   \
        unsigned n = in->opsize;                                                                   \
        EACH(t, m->st[i] < 0 ? b->t[i] : a->t[i])                                                  \
        vec_put(cpu, in, r);                                                                       \
    }
BLENDV(pblendvb, b, sb)
BLENDV(blendvps, d, sd)
BLENDV(blendvpd, q, sq)

/* ---- extension ---- */

/* The source is as long as its lanes need: 2 to 16 bytes at any address. */
#define EXTEND(name, to, from, ratio)                                                              \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec rv, tmp, *r = &rv;                                                               \
        unsigned n = in->opsize;                                                                   \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e_n(cpu, in, &tmp, n / (ratio));                                  \
        EACH(to, b->from[i])                                                                       \
        vec_put(cpu, in, r);                                                                       \
    }
EXTEND(pmovsxbw, sw, sb, 2)
EXTEND(pmovsxbd, sd, sb, 4)
EXTEND(pmovsxbq, sq, sb, 8)
EXTEND(pmovsxwd, sd, sw, 2)
EXTEND(pmovsxwq, sq, sw, 4)
EXTEND(pmovsxdq, sq, sd, 2)
EXTEND(pmovzxbw, w, b, 2)
EXTEND(pmovzxbd, d, b, 4)
EXTEND(pmovzxbq, q, b, 8)
EXTEND(pmovzxwd, d, w, 2)
EXTEND(pmovzxwq, q, w, 4)
EXTEND(pmovzxdq, q, d, 2)

OP(phminposuw)
{
    union vec r = {{0}}, tmp;
    vec_begin(cpu, in);
    const union vec *b = vec_e(cpu, in, &tmp);
    for (unsigned i = 1; i < 8; i++) {
        if (b->w[i] < b->w[r.w[1]]) {
            r.w[1] = (uint16_t)i;
        }
    }
    r.w[0] = b->w[r.w[1]];
    vec_put16(cpu, in, &r);
}

/* ---- masks and single lanes ---- */

#define MOVMSK(name, t, bytes)                                                                     \
    OP(name)                                                                                       \
    {                                                                                              \
        uint32_t mask = 0;                                                                         \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_reg(cpu, in->rm);                                                 \
        for (unsigned i = 0; i < (in->vex == 32 ? 32u : 16u) / (bytes); i++) {                     \
            mask |= (uint32_t)(b->t[i] < 0) << i;                                                  \
        }                                                                                          \
        reg_w32(cpu, in->r, mask);                                                                 \
    }
MOVMSK(pmovmskb, sb, 1)
MOVMSK(movmskps, sd, 4)
MOVMSK(movmskpd, sq, 8)

OP(mmx_pmovmskb)
{
    uint32_t mask = 0;
    mmx_begin(cpu);
    for (unsigned i = 0; i < 8; i++) {
        mask |= (uint32_t)(cpu->s.fpr[in->rm & 7].mant >> (8 * i + 7) & 1) << i;
    }
    mmx_enter(cpu);
    reg_w32(cpu, in->r, mask);
}

/* Insertion of a lane from a register or memory. */
static void insert(struct x86_cpu *cpu, const struct insn *in, unsigned bytes)
{
    vec_begin(cpu, in);
    uint64_t v = e_read(cpu, in, bytes);
    union vec r = *vec_h(cpu, in);
    unsigned lane = (unsigned)in->imm & (16 / bytes - 1);
    st_le(r.b + lane * bytes, v, bytes);
    vec_put16(cpu, in, &r);
}

OP(pinsrb)
{
    insert(cpu, in, 1);
}

OP(pinsrw)
{
    insert(cpu, in, 2);
}

OP(pinsr_y)
{
    insert(cpu, in, in->w ? 8 : 4);
}

/* Extraction to memory of the lane's size, or to a register with zeros above. */
static void extract(struct x86_cpu *cpu, const struct insn *in, unsigned bytes)
{
    vec_begin(cpu, in);
    unsigned lane = (unsigned)in->imm & (16 / bytes - 1);
    uint64_t v = ld_le(vec_g(cpu, in)->b + lane * bytes, bytes);
    e_write(cpu, in, v, in->mem || bytes == 8 ? bytes : 4);
}

OP(pextrb)
{
    extract(cpu, in, 1);
}

OP(pextrw_e)
{
    extract(cpu, in, 2);
}

OP(pextr_y)
{
    extract(cpu, in, in->opsize);
}

OP(pextrw)
{
    vec_begin(cpu, in);
    reg_w32(cpu, in->r, vec_reg(cpu, in->rm)->w[in->imm & 7]);
}

OP(mmx_pextrw)
{
    mmx_begin(cpu);
    mmx_enter(cpu);
    reg_w32(cpu, in->r, (uint16_t)(cpu->s.fpr[in->rm & 7].mant >> (in->imm & 3) * 16));
}

OP(mmx_pinsrw)
{
    mmx_begin(cpu);
    uint64_t v = e_read(cpu, in, 2) & 0xffff;
    unsigned shift = ((unsigned)in->imm & 3) * 16;
    uint64_t old = cpu->s.fpr[in->reg & 7].mant & ~(0xffffull << shift);
    mmx_set(cpu, in->reg, old | v << shift);
}

/* A lane of b into one of a, and zeros by a mask ([SDM2] "INSERTPS"). */
OP(insertps)
{
    union vec tmp;
    vec_begin(cpu, in);
    const union vec *b = vec_e_n(cpu, in, &tmp, 4);
    uint32_t v = b->d[in->mem ? 0 : in->imm >> 6 & 3];
    union vec r = *vec_h(cpu, in);
    r.d[in->imm >> 4 & 3] = v;
    for (unsigned i = 0; i < 4; i++) {
        r.d[i] = in->imm >> i & 1 ? 0 : r.d[i];
    }
    vec_put16(cpu, in, &r);
}

OP(extractps)
{
    vec_begin(cpu, in);
    uint32_t v = vec_g(cpu, in)->d[in->imm & 3];
    e_write(cpu, in, v, 4);
}
