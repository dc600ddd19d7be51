/*
 * AES, SHA, carry-less multiplication. Source: [SDM2], the entry of each instruction.
 */
#include "core/accel/interp/vec.h"
#include "core/cpu/simd.h"

/* ---- AES, PCLMULQDQ ---- */

#define AES(name, f, last)                                                                         \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec r, tmp;                                                                          \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e(cpu, in, &tmp);                                                 \
        f(r.b, vec_h(cpu, in)->b, b->b, last);                                                     \
        vec_put16(cpu, in, &r);                                                                    \
    }
AES(aesenc, simd_aes_round, false)
AES(aesenclast, simd_aes_round, true)
AES(aesdec, simd_aes_inverse_round, false)
AES(aesdeclast, simd_aes_inverse_round, true)

OP(aesimc)
{
    union vec r, tmp;
    vec_begin(cpu, in);
    simd_aes_inverse_mix(r.b, vec_e(cpu, in, &tmp)->b);
    vec_put16(cpu, in, &r);
}

static uint32_t substitute_word(uint32_t v)
{
    uint32_t r = 0;
    for (unsigned i = 0; i < 32; i += 8) {
        r |= (uint32_t)simd_aes_sbox((uint8_t)(v >> i)) << i;
    }
    return r;
}

static uint32_t ror32(uint32_t v, unsigned n)
{
    return v >> n | v << (32 - n);
}

OP(aeskeygenassist)
{
    union vec tmp;
    vec_begin(cpu, in);
    const union vec *b = vec_e(cpu, in, &tmp);
    uint32_t x1 = substitute_word(b->d[1]), x3 = substitute_word(b->d[3]);
    uint32_t rcon = (uint8_t)in->imm;
    union vec r = {.d = {x1, ror32(x1, 8) ^ rcon, x3, ror32(x3, 8) ^ rcon}};
    vec_put16(cpu, in, &r);
}

OP(pclmulqdq)
{
    union vec r, tmp;
    vec_begin(cpu, in);
    const union vec *b = vec_e(cpu, in, &tmp), *a = vec_h(cpu, in);
    simd_clmul(a->q[in->imm & 1], b->q[in->imm >> 4 & 1], r.q);
    vec_put16(cpu, in, &r);
}

/* ---- SHA-1 ---- */

/* The four round functions and their constants, by imm[1:0]. */
static uint32_t sha1_f(unsigned which, uint32_t b, uint32_t c, uint32_t d)
{
    switch (which) {
    case 0: return (b & c) ^ (~b & d);
    case 2: return (b & c) ^ (b & d) ^ (c & d);
    default: return b ^ c ^ d;
    }
}

OP(sha1rnds4)
{
    static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    union vec tmp;
    vec_begin(cpu, in);
    const union vec w = *vec_e(cpu, in, &tmp);
    union vec *s = vec_g(cpu, in);
    uint32_t a = s->d[3], b = s->d[2], c = s->d[1], d = s->d[0], e = 0; /* E is in w's top lane */
    unsigned which = (unsigned)in->imm & 3;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t next = sha1_f(which, b, c, d) + ror32(a, 27) + w.d[3 - i] + e + k[which];
        e = d;
        d = c;
        c = ror32(b, 2);
        b = a;
        a = next;
    }
    union vec r = {.d = {d, c, b, a}};
    vec_put16(cpu, in, &r);
}

OP(sha1nexte)
{
    union vec tmp;
    vec_begin(cpu, in);
    union vec r = *vec_e(cpu, in, &tmp);
    r.d[3] += ror32(vec_g(cpu, in)->d[3], 2);
    vec_put16(cpu, in, &r);
}

OP(sha1msg1)
{
    union vec tmp;
    vec_begin(cpu, in);
    const union vec *b = vec_e(cpu, in, &tmp), *a = vec_g(cpu, in);
    union vec r = {.q = {a->q[0] ^ b->q[1], a->q[1] ^ a->q[0]}};
    vec_put16(cpu, in, &r);
}

OP(sha1msg2)
{
    union vec tmp, r;
    vec_begin(cpu, in);
    const union vec *b = vec_e(cpu, in, &tmp), *a = vec_g(cpu, in);
    r.d[3] = ror32(a->d[3] ^ b->d[2], 31);
    r.d[2] = ror32(a->d[2] ^ b->d[1], 31);
    r.d[1] = ror32(a->d[1] ^ b->d[0], 31);
    r.d[0] = ror32(a->d[0] ^ r.d[3], 31);
    vec_put16(cpu, in, &r);
}

/* ---- SHA-256 ---- */

static uint32_t sigma(uint32_t v, unsigned a, unsigned b, unsigned c)
{
    return ror32(v, a) ^ ror32(v, b) ^ ror32(v, c);
}

static uint32_t small_sigma0(uint32_t v)
{
    return ror32(v, 7) ^ ror32(v, 18) ^ v >> 3;
}

static uint32_t small_sigma1(uint32_t v)
{
    return ror32(v, 17) ^ ror32(v, 19) ^ v >> 10;
}

OP(sha256rnds2)
{
    union vec tmp;
    vec_begin(cpu, in);
    const union vec y = *vec_e(cpu, in, &tmp), x = *vec_g(cpu, in);
    const union vec *wk = vec_reg(cpu, 0);
    uint32_t a = y.d[3], b = y.d[2], c = x.d[3], d = x.d[2];
    uint32_t e = y.d[1], f = y.d[0], g = x.d[1], h = x.d[0];
    for (unsigned i = 0; i < 2; i++) {
        uint32_t t = ((e & f) ^ (~e & g)) + sigma(e, 6, 11, 25) + wk->d[i] + h;
        uint32_t next = t + ((a & b) ^ (a & c) ^ (b & c)) + sigma(a, 2, 13, 22);
        h = g;
        g = f;
        f = e;
        e = t + d;
        d = c;
        c = b;
        b = a;
        a = next;
    }
    union vec r = {.d = {f, e, b, a}};
    vec_put16(cpu, in, &r);
}

OP(sha256msg1)
{
    union vec tmp, r;
    vec_begin(cpu, in);
    const union vec *b = vec_e(cpu, in, &tmp), *a = vec_g(cpu, in);
    for (unsigned i = 0; i < 4; i++) {
        r.d[i] = a->d[i] + small_sigma0(i < 3 ? a->d[i + 1] : b->d[0]);
    }
    vec_put16(cpu, in, &r);
}

OP(sha256msg2)
{
    union vec tmp, r;
    vec_begin(cpu, in);
    const union vec *b = vec_e(cpu, in, &tmp), *a = vec_g(cpu, in);
    r.d[0] = a->d[0] + small_sigma1(b->d[2]);
    r.d[1] = a->d[1] + small_sigma1(b->d[3]);
    r.d[2] = a->d[2] + small_sigma1(r.d[0]);
    r.d[3] = a->d[3] + small_sigma1(r.d[1]);
    vec_put16(cpu, in, &r);
}
