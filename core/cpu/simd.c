/*
 * SIMD floating-point arithmetic in integers.
 *
 * Source: [SDM1] "Floating-Point Data Types", "SIMD Floating-Point Exceptions", "Fused Multiply
 *         Add"; [SDM2] "RCPPS", "RSQRTPS", "ROUNDPS", "VFMADD132PS", "VCVTPH2PS", "VCVTPS2PH".
 * Chosen: RCP and RSQRT take 12 bits of the operand and give 12: the manual bounds their error
 *         only, and processors differ.
 */
#include "core/cpu/simd.h"

#include "core/base/bits.h"
#include "core/cpu/rounding.h"

enum { IE = 0x1, DE = 0x2, OE = 0x8, UE = 0x10, PE = 0x20, DAZ = 0x40, UM = 0x800, FTZ = 0x8000 };
enum { RC_SHIFT = 13 };

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
static const struct format half = {5, 10}, single = {8, 23}, dbl = {11, 52};

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

/* ---- rounding to a format ---- */

typedef unsigned __int128 wide;

#define TOP_BIT 125 /* where the first one of a normalised significand is */

/* a >> n, with a one in bit 0 for ones shifted out. */
static wide shift_jam(wide a, unsigned n)
{
    if (n > 127) {
        return a != 0;
    }
    wide r = a >> n;
    return r | (r << n != a);
}

static uint64_t overflow(const struct format *f, bool negative, unsigned rc)
{
    bool to_infinity = overflows_to_infinity(rc, negative);
    return infinity(f) - !to_infinity;
}

/* The first @frac + 1 bits of @sig, rounded; *rest: something was cut. */
static uint64_t round_sig(wide sig, unsigned cut, unsigned rc, bool negative, bool *rest)
{
    wide low = sig & (((wide)1 << cut) - 1), half_unit = (wide)1 << (cut - 1);
    uint64_t q = (uint64_t)(sig >> cut);
    *rest = low != 0;
    unsigned part = low > half_unit ? 3 : low == half_unit ? 2 : low != 0;
    return q + rounds_up(rc, negative, q & 1, part, 2);
}

/* sig * 2^(exp - TOP_BIT), the first one of @sig at TOP_BIT. Tininess is seen after rounding. */
static uint64_t round_pack(const struct format *f, bool negative, int exp, wide sig, unsigned rc,
                           uint32_t mxcsr, uint32_t *flags)
{
    int bias = (int)low_bits(f->exp_bits - 1), biased = exp + bias;
    unsigned cut = TOP_BIT - f->frac_bits;
    uint64_t sign = (uint64_t)negative << (f->exp_bits + f->frac_bits);
    bool rest;
    uint64_t q = round_sig(sig, cut, rc, negative, &rest);
    int rounded = biased + (q >> (f->frac_bits + 1) != 0);
    if (rounded >= 1 && biased >= 1) {
        q += (uint64_t)(biased - 1) << f->frac_bits; /* the hidden bit adds one to the exponent */
        *flags |= rest ? PE : 0;
        if (q >= infinity(f)) {
            *flags |= OE | PE;
            return sign | overflow(f, negative, rc);
        }
        return sign | q;
    }
    bool tiny = rounded < 1, masked = mxcsr & UM;
    if (tiny && masked && (mxcsr & FTZ)) {
        *flags |= UE | PE;
        return sign;
    }
    q = round_sig(shift_jam(sig, (unsigned)(1 - biased)), cut, rc, negative, &rest);
    *flags |= (rest ? PE : 0) | (tiny && (rest || !masked) ? UE : 0);
    return sign | q;
}

/* ---- fused multiply-add ---- */

/* A finite number that is not zero: sig * 2^(exp - TOP_BIT). */
struct number {
    bool negative;
    int exp;
    wide sig;
};

static struct number normalised(bool negative, int exp, wide sig)
{
    uint64_t high = (uint64_t)(sig >> 64);
    int top = high ? 127 - __builtin_clzll(high) : 63 - __builtin_clzll((uint64_t)sig);
    int by = TOP_BIT - top;
    return (struct number){negative, exp - by, by >= 0 ? sig << by : shift_jam(sig, (unsigned)-by)};
}

static struct number unpack(const struct format *f, uint64_t a)
{
    uint64_t mag = magnitude(f, a), sig = mag & low_bits(f->frac_bits);
    int exp = (int)(mag >> f->frac_bits), bias = (int)low_bits(f->exp_bits - 1);
    if (exp) {
        sig |= 1ull << f->frac_bits;
    }
    exp = (exp ? exp : 1) - bias - (int)f->frac_bits;
    return normalised(sign_of(f, a) != 0, exp + TOP_BIT, sig);
}

/* x + y; *exact_zero if nothing is left. */
static struct number add_numbers(struct number x, struct number y, bool *exact_zero)
{
    if (x.exp < y.exp || (x.exp == y.exp && x.sig < y.sig)) {
        struct number t = x;
        x = y;
        y = t;
    }
    wide small = shift_jam(y.sig, (unsigned)(x.exp - y.exp));
    wide sum = x.negative == y.negative ? x.sig + small : x.sig - small;
    *exact_zero = sum == 0;
    return *exact_zero ? x : normalised(x.negative, x.exp, sum);
}

/* Of x * y + z when one of them is NaN, or infinities have no sum: true, and *r. */
static bool fma_special(const struct format *f, const uint64_t v[3], bool p_negative,
                        bool z_negative, uint64_t *r, uint32_t *flags)
{
    uint64_t inf = infinity(f), top = 1ull << (f->exp_bits + f->frac_bits);
    uint64_t mx = magnitude(f, v[0]), my = magnitude(f, v[1]), mz = magnitude(f, v[2]);
    bool no_product = (mx == inf && my == 0) || (mx == 0 && my == inf);
    bool p_inf = mx == inf || my == inf;
    for (unsigned i = 0; i < 3; i++) {
        *flags |= is_signalling(f, v[i]) ? IE : 0;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (is_nan(f, v[i])) {
            *r = v[i] | quiet_bit(f);
            return true;
        }
    }
    if (no_product || (p_inf && mz == inf && p_negative != z_negative)) {
        *flags |= IE;
        *r = top | inf | quiet_bit(f);
        return true;
    }
    if (p_inf || mz == inf) {
        *r = inf | ((p_inf ? p_negative : z_negative) ? top : 0);
        return true;
    }
    return false;
}

static uint64_t fma_any(const struct format *f, const uint64_t in[3], bool negate, bool subtract,
                        uint32_t mxcsr, uint32_t *flags)
{
    uint64_t v[3] = {in[0], in[1], in[2]}, r, top = 1ull << (f->exp_bits + f->frac_bits);
    uint32_t denormals = 0;
    unsigned rc = mxcsr >> RC_SHIFT & 3;
    for (unsigned i = 0; i < 3; i++) {
        if (is_denormal(f, v[i])) {
            denormals |= mxcsr & DAZ ? 0 : DE;
            v[i] = mxcsr & DAZ ? sign_of(f, v[i]) : v[i];
        }
    }
    bool p_negative = (sign_of(f, v[0]) != sign_of(f, v[1])) != negate;
    bool z_negative = (sign_of(f, v[2]) != 0) != subtract;
    bool nan = is_nan(f, v[0]) || is_nan(f, v[1]) || is_nan(f, v[2]);
    if (fma_special(f, v, p_negative, z_negative, &r, flags)) {
        *flags |= nan || (*flags & IE) ? 0 : denormals;
        return r;
    }
    *flags |= denormals;
    bool p_zero = magnitude(f, v[0]) == 0 || magnitude(f, v[1]) == 0;
    bool z_zero = magnitude(f, v[2]) == 0, exact_zero = p_zero && z_zero;
    struct number p = {.negative = p_negative}, z = {.negative = z_negative}, sum = p;
    if (!p_zero) {
        struct number x = unpack(f, v[0]), y = unpack(f, v[1]);
        unsigned drop = TOP_BIT - f->frac_bits; /* zeros below the significands */
        p = normalised(p_negative, x.exp + y.exp + TOP_BIT - 2 * (int)f->frac_bits,
                       (x.sig >> drop) * (y.sig >> drop));
    }
    if (!z_zero) {
        z = unpack(f, v[2]);
        z.negative = z_negative;
    }
    if (!p_zero && !z_zero) {
        sum = add_numbers(p, z, &exact_zero);
    } else {
        sum = p_zero ? z : p;
    }
    if (exact_zero) {
        bool negative = p_negative == z_negative ? p_negative : rc == RC_DOWN;
        return negative ? top : 0;
    }
    return round_pack(f, sum.negative, sum.exp, sum.sig, rc, mxcsr, flags);
}

uint32_t simd_fma32(uint32_t a, uint32_t b, uint32_t c, bool negate, bool subtract, uint32_t mxcsr,
                    uint32_t *flags)
{
    uint32_t own = 0;
    uint64_t r = fma_any(&single, (const uint64_t[3]){a, b, c}, negate, subtract, mxcsr, &own);
    *flags |= own;
    return (uint32_t)r;
}

uint64_t simd_fma64(uint64_t a, uint64_t b, uint64_t c, bool negate, bool subtract, uint32_t mxcsr,
                    uint32_t *flags)
{
    uint32_t own = 0;
    uint64_t r = fma_any(&dbl, (const uint64_t[3]){a, b, c}, negate, subtract, mxcsr, &own);
    *flags |= own;
    return r;
}

/* ---- half precision ---- */

uint32_t simd_from_half(uint16_t a, uint32_t *flags)
{
    uint32_t sign = (uint32_t)(a & 0x8000) << 16;
    uint64_t mag = magnitude(&half, a);
    if (mag >= infinity(&half)) {
        bool nan = is_nan(&half, a);
        *flags |= is_signalling(&half, a) ? IE : 0;
        return sign | 0x7f800000 | (uint32_t)(mag & 0x3ff) << 13 | (nan ? 0x400000 : 0);
    }
    if (mag == 0) {
        return sign;
    }
    struct number n = unpack(&half, a);
    return sign | (uint32_t)(n.exp + 127) << 23 | ((uint32_t)(n.sig >> (TOP_BIT - 23)) & 0x7fffff);
}

uint16_t simd_to_half(uint32_t a, unsigned imm, uint32_t mxcsr, uint32_t *flags)
{
    uint16_t sign = (uint16_t)(a >> 16 & 0x8000);
    uint32_t mag = a & 0x7fffffff;
    if (mag > 0x7f800000) {
        *flags |= is_signalling(&single, a) ? IE : 0;
        return (uint16_t)(sign | 0x7e00 | (mag >> 13 & 0x3ff));
    }
    if (mag == 0x7f800000) {
        return sign | 0x7c00;
    }
    if (mag == 0 || (is_denormal(&single, a) && (mxcsr & DAZ))) {
        return sign;
    }
    *flags |= is_denormal(&single, a) ? DE : 0;
    struct number n = unpack(&single, a);
    unsigned rc = imm & 4 ? mxcsr >> RC_SHIFT & 3 : imm & 3;
    return (uint16_t)round_pack(&half, sign != 0, n.exp, n.sig, rc, mxcsr & ~(uint32_t)FTZ, flags);
}
