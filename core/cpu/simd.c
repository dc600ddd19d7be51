/*
 * SIMD floating-point arithmetic in integers.
 *
 * Source: [SDM1] "Floating-Point Data Types", "SIMD Floating-Point Exceptions", "Fused Multiply Add";
 *         [SDM2] "RCPPS", "RSQRTPS", "ROUNDPS", "VFMADD132PS", "VCVTPH2PS", "VCVTPS2PH".
 * Chosen: RCP and RSQRT take 12 bits of the operand and give 12: the manual bounds their error only,
 *         and processors differ.
 */
#include "core/cpu/simd.h"

#include "core/base/bits.h"

enum { IE = 0x1, DE = 0x2, OE = 0x8, UE = 0x10, PE = 0x20, DAZ = 0x40, UM = 0x800, FTZ = 0x8000 };
enum { RC_SHIFT = 13, RC_NEAR = 0, RC_DOWN, RC_UP, RC_ZERO };

/* ---- RCP, RSQRT ---- */

/* 2^23 <= @sig <= 2^24: a single of value sig * 2^(exp - 150), which is never denormal: flushed. */
static uint32_t pack_short(uint32_t sign, int exp, uint32_t sig)
{
    if (sig == 1u << 24) {
        sig >>= 1;
        exp++;
    }
    return sign | (exp <= 0 ? 0 : (uint32_t)exp << 23 | (sig & 0x7fffff));
}

static uint32_t round_12(uint64_t sig)
{
    return (uint32_t)((sig + (1 << 10)) >> 11 << 11);
}

uint32_t simd_rcp(uint32_t a)
{
    uint32_t sign = a & 0x80000000, mant = a & 0x7fffff;
    int exp = a >> 23 & 0xff;
    if (exp == 0xff) {
        return mant ? a | 0x400000 : sign;
    }
    if (exp == 0) {
        return sign | 0x7f800000;
    }
    uint32_t sig = ((mant | 0x800000) & ~0x7ffu) | 0x400; /* the middle of what is not looked at */
    return pack_short(sign, 253 - exp, round_12((1ull << 47) / sig));
}

static uint64_t square_root(uint64_t v)
{
    uint64_t r = 0;
    for (uint64_t bit = 1ull << 31; bit; bit >>= 1) {
        if ((r | bit) * (r | bit) <= v) {
            r |= bit;
        }
    }
    return r;
}

uint32_t simd_rsqrt(uint32_t a)
{
    uint32_t sign = a & 0x80000000, mant = a & 0x7fffff;
    int exp = a >> 23 & 0xff;
    if (exp == 0xff && mant) {
        return a | 0x400000;
    }
    if (exp == 0) {
        return sign | 0x7f800000;
    }
    if (sign) {
        return 0xffc00000;
    }
    if (exp == 0xff) {
        return 0;
    }
    int odd = (exp - 127) & 1;
    uint64_t sig = ((mant | 0x800000) & ~0x7ffull) | 0x400;
    uint64_t square = (uint64_t)(((unsigned __int128)1 << 71) / (sig << odd));
    return pack_short(0, 126 - (exp - 127 - odd) / 2, round_12(square_root(square)));
}

/* ---- IEEE formats ---- */

/* A binary format: 1 sign, @exp_bits and @frac_bits. */
struct format {
    unsigned exp_bits, frac_bits;
};
static const struct format single = {8, 23}, dbl = {11, 52};

static uint64_t low_bits(unsigned n)
{
    return (1ull << n) - 1;
}

static uint64_t infinity(const struct format *f)
{
    return low_bits(f->exp_bits) << f->frac_bits;
}

static uint64_t quiet_bit(const struct format *f)
{
    return 1ull << (f->frac_bits - 1);
}

static uint64_t sign_of(const struct format *f, uint64_t a)
{
    return a & 1ull << (f->exp_bits + f->frac_bits);
}

static uint64_t magnitude(const struct format *f, uint64_t a)
{
    return a & low_bits(f->exp_bits + f->frac_bits);
}

static bool is_nan(const struct format *f, uint64_t a)
{
    return magnitude(f, a) > infinity(f);
}

static bool is_signalling(const struct format *f, uint64_t a)
{
    return is_nan(f, a) && !(a & quiet_bit(f));
}

static bool is_denormal(const struct format *f, uint64_t a)
{
    return magnitude(f, a) != 0 && magnitude(f, a) <= low_bits(f->frac_bits);
}

/* True if a magnitude cut off at @kept grows by one unit: @rest of @half_unit * 2 was cut. */
static bool rounds_up(unsigned rc, bool negative, bool odd, uint64_t rest, uint64_t half_unit)
{
    switch (rc) {
    case RC_NEAR: return rest > half_unit || (rest == half_unit && odd);
    case RC_DOWN: return rest && negative;
    case RC_UP: return rest && !negative;
    default: return false;
    }
}

/* ---- ROUND ---- */

/* [SDM2] "ROUNDPD": imm bit 3 holds the inexact exception back, bit 2 takes MXCSR.RC for bits 1:0.
 * Denormals are not reported, DAZ holds. */
static uint64_t round_int(const struct format *f, uint64_t a, unsigned imm, uint32_t mxcsr,
                          uint32_t *flags)
{
    unsigned rc = imm & 4 ? mxcsr >> RC_SHIFT & 3 : imm & 3;
    uint64_t sign = sign_of(f, a), mag = magnitude(f, a);
    unsigned bias = (unsigned)low_bits(f->exp_bits - 1), exp = (unsigned)(mag >> f->frac_bits);
    if (is_nan(f, a)) {
        *flags |= is_signalling(f, a) ? IE : 0;
        return a | quiet_bit(f);
    }
    if (exp >= bias + f->frac_bits || mag == 0 || ((mxcsr & DAZ) && is_denormal(f, a))) {
        return exp == 0 ? sign : a;
    }
    uint64_t one = (uint64_t)bias << f->frac_bits, r;
    if (exp < bias) { /* below 1: 0 or 1 */
        uint64_t half_mag = one - (1ull << f->frac_bits);
        bool up = rounds_up(rc, sign, false, mag > half_mag ? 3 : mag == half_mag ? 2 : 1, 2);
        r = up ? one : 0;
    } else {
        unsigned cut = bias + f->frac_bits - exp;
        uint64_t rest = mag & low_bits(cut);
        bool odd = cut == f->frac_bits ? true : mag >> cut & 1; /* the hidden bit is odd */
        r = mag - rest;
        r += rounds_up(rc, sign, odd, rest, 1ull << (cut - 1)) ? 1ull << cut : 0;
    }
    if (r != mag && !(imm & 8)) {
        *flags |= PE;
    }
    return sign | r;
}

uint32_t simd_round32(uint32_t a, unsigned imm, uint32_t mxcsr, uint32_t *flags)
{
    return (uint32_t)round_int(&single, a, imm, mxcsr, flags);
}

uint64_t simd_round64(uint64_t a, unsigned imm, uint32_t mxcsr, uint32_t *flags)
{
    return round_int(&dbl, a, imm, mxcsr, flags);
}
