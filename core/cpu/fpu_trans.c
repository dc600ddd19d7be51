/*
 * Transcendental x87 instructions: F2XM1 FYL2X FYL2XP1 FPATAN FSIN FCOS FPTAN.
 *
 * Source: [SDM1] "Transcendental Instruction Accuracy" (error below 1 ulp), "Approximation of Pi"
 *         (arguments are reduced by a pi of 66 significant bits); [SDM2], the tables of the
 *         entries.
 * Model:  numbers of 128 significant bits, Taylor series in Horner's form, one rounding at the end.
 *         Processors of different makers differ in the last bit; this gives the same everywhere.
 *         The precision control does not apply.
 * Chosen: F2XM1 outside [-1, 1] returns its operand; FYL2XP1 works for every operand above -1.
 */
#include "core/cpu/fpu.h"

#include "core/base/bits.h"

typedef unsigned __int128 u128;

/* m * 2^(exp - 127); bit 127 of m is set, or m is 0. */
struct wide {
    u128 m;
    int exp;
    bool neg;
};

#define U128(hi, lo) ((u128)(hi) << 64 | (lo))
static const struct wide one = {U128(1ull << 63, 0), 0, false};
static const struct wide ln2 = {U128(0xb17217f7d1cf79abull, 0xc9e3b39803f2f6afull), -1, false};
static const struct wide log2e = {U128(0xb8aa3b295c17f0bbull, 0xbe87fed0691d3e89ull), 0, false};
static const struct wide pi = {U128(0xc90fdaa22168c234ull, 0xc4c6628b80dc1cd1ull), 1, false};
/* atan(k / 8) */
static const struct wide atan_eighths[9] = {
    {0, 0, false},
    {U128(0xfeadd4d5617b6e32ull, 0xc897989f3e888ef8ull), -4, false},
    {U128(0xfadbafc96406eb15ull, 0x6dc79ef5f7a217e6ull), -3, false},
    {U128(0xb7b0ca0f26f78473ull, 0x8aa32122dcfe4483ull), -2, false},
    {U128(0xed63382b0dda7b45ull, 0x6fe445ecbc3a8d03ull), -2, false},
    {U128(0x8f005d5ef7f59f9bull, 0x5c835e1665c43748ull), -1, false},
    {U128(0xa4bc7d1934f70924ull, 0x19a87f2a457dac9full), -1, false},
    {U128(0xb8053e2bc2319e73ull, 0xcb2da55210a4443dull), -1, false},
    {U128(0xc90fdaa22168c234ull, 0xc4c6628b80dc1cd1ull), -1, false},
};

/* ---- arithmetic ---- */

static unsigned clz128(u128 v)
{
    uint64_t hi = (uint64_t)(v >> 64);
    return hi ? (unsigned)__builtin_clzll(hi) : 64 + (unsigned)__builtin_clzll((uint64_t)v);
}

static struct wide normal(struct wide a)
{
    if (a.m) {
        unsigned shift = clz128(a.m);
        a.m <<= shift;
        a.exp -= (int)shift;
    }
    return a;
}

static struct wide negate(struct wide a)
{
    a.neg = !a.neg;
    return a;
}

static struct wide from_int(int v)
{
    struct wide a = {.m = (u128)(unsigned)(v < 0 ? -v : v), .exp = 127, .neg = v < 0};
    return normal(a);
}

static struct wide scaled(struct wide a, int by)
{
    a.exp += by;
    return a;
}

static struct wide mul(struct wide a, struct wide b)
{
    uint64_t a1 = (uint64_t)(a.m >> 64), a0 = (uint64_t)a.m, b1 = (uint64_t)(b.m >> 64),
             b0 = (uint64_t)b.m;
    u128 low = (u128)a0 * b0, mid1 = (u128)a1 * b0, mid2 = (u128)a0 * b1;
    u128 carry = (low >> 64) + (uint64_t)mid1 + (uint64_t)mid2;
    struct wide r = {
        .m = (u128)a1 * b1 + (mid1 >> 64) + (mid2 >> 64) + (carry >> 64),
        .exp = a.exp + b.exp + 1, .neg = a.neg != b.neg,
    };
    if (r.m && !(r.m >> 127)) {
        r.m = r.m << 1 | (carry >> 63 & 1);
        r.exp--;
    }
    return r;
}

static struct wide add(struct wide a, struct wide b)
{
    if (!a.m || !b.m) {
        return a.m ? a : b;
    }
    if (a.exp < b.exp || (a.exp == b.exp && a.m < b.m)) {
        struct wide t = a;
        a = b;
        b = t;
    }
    unsigned shift = (unsigned)(a.exp - b.exp);
    u128 bm = shift > 127 ? 0 : b.m >> shift;
    if (a.neg != b.neg) {
        a.m -= bm;
        return normal(a);
    }
    u128 sum = a.m + bm;
    if (sum < a.m) { /* carry */
        sum = sum >> 1 | (u128)1 << 127;
        a.exp++;
    }
    a.m = sum;
    return a;
}

static struct wide sub(struct wide a, struct wide b)
{
    return add(a, negate(b));
}

/* a * 2^128 / b for a < b, bit 127 of b being set: two digits of 64 bits by long division. */
static u128 div_fraction(u128 a, u128 b)
{
    uint64_t b1 = (uint64_t)(b >> 64), b0 = (uint64_t)b, digit[2];
    for (unsigned i = 0; i < 2; i++) {
        bool full = a >> 64 >= b1;
        uint64_t q = full ? ~0ull : (uint64_t)(a / b1);
        u128 rest = a - (u128)q * b1;                   /* q is at most 2 too large */
        while (rest >> 64 == 0 && (u128)q * b0 > rest << 64) {
            q--;
            rest += b1;
        }
        a = (rest << 64) - (u128)q * b0;
        digit[i] = q;
    }
    return U128(digit[0], digit[1]);
}

static struct wide div(struct wide a, struct wide b)
{
    struct wide r = {.exp = a.exp - b.exp, .neg = a.neg != b.neg};
    if (!a.m) {
        return a;
    }
    if (a.m < b.m) {
        r.m = div_fraction(a.m, b.m);
        r.exp--;
    } else {
        r.m = (u128)1 << 127 | div_fraction(a.m - b.m, b.m) >> 1;
    }
    return r;
}

/* ---- power series ---- */

/* 1 / n! and 1 / (2n + 1), times 2^127 */
static const u128 factorials[] = {
    U128(0x8000000000000000ull, 0x0000000000000000ull),
    U128(0x8000000000000000ull, 0x0000000000000000ull),
    U128(0x4000000000000000ull, 0x0000000000000000ull),
    U128(0x1555555555555555ull, 0x5555555555555555ull),
    U128(0x0555555555555555ull, 0x5555555555555555ull),
    U128(0x0111111111111111ull, 0x1111111111111111ull),
    U128(0x002d82d82d82d82dull, 0x82d82d82d82d82d8ull),
    U128(0x0006806806806806ull, 0x8068068068068068ull),
    U128(0x0000d00d00d00d00ull, 0xd00d00d00d00d00dull),
    U128(0x0000171de3a556c7ull, 0x338faac1c88e5001ull),
    U128(0x0000024fc9f6ef13ull, 0xeb8e5de02da7d4cdull),
    U128(0x00000035cc8acfeaull, 0x89c71fce8fc97070ull),
    U128(0x000000047bb63bfeull, 0x3625ed5136a61eb4ull),
    U128(0x000000005849184eull, 0xa1b425f28e0cc749ull),
    U128(0x00000000064e5d2aull, 0x301f27482eb7c517ull),
    U128(0x00000000006b9fcfull, 0x9ccee07c476195acull),
    U128(0x000000000006b9fcull, 0xf9ccee07c476195bull),
    U128(0x000000000000654bull, 0x1dc0c2b529ac9814ull),
    U128(0x00000000000005a0ull, 0x9e18ee5f65deec01ull),
    U128(0x000000000000004bull, 0xd26d1a05055c9328ull),
    U128(0x0000000000000003ull, 0xca8574804044a0f5ull),
    U128(0x0000000000000000ull, 0x2e371dedb9eae318ull),
    U128(0x0000000000000000ull, 0x0219c72db6ff0a53ull),
    U128(0x0000000000000000ull, 0x001761b41316381aull),
    U128(0x0000000000000000ull, 0x0000f96780cb97acull),
    U128(0x0000000000000000ull, 0x000009f9e66e8b30ull),
    U128(0x0000000000000000ull, 0x000000623a17f1a9ull),
    U128(0x0000000000000000ull, 0x00000003a356385cull),
    U128(0x0000000000000000ull, 0x000000002143144cull),
    U128(0x0000000000000000ull, 0x0000000001259f99ull),
    U128(0x0000000000000000ull, 0x000000000009c996ull),
    U128(0x0000000000000000ull, 0x00000000000050d3ull),
    U128(0x0000000000000000ull, 0x0000000000000287ull),
    U128(0x0000000000000000ull, 0x0000000000000014ull),
    U128(0x0000000000000000ull, 0x0000000000000001ull),
    U128(0x0000000000000000ull, 0x0000000000000000ull),
    U128(0x0000000000000000ull, 0x0000000000000000ull),
    U128(0x0000000000000000ull, 0x0000000000000000ull),
};
static const u128 odds[] = {
    U128(0x8000000000000000ull, 0x0000000000000000ull),
    U128(0x2aaaaaaaaaaaaaaaull, 0xaaaaaaaaaaaaaaabull),
    U128(0x1999999999999999ull, 0x999999999999999aull),
    U128(0x1249249249249249ull, 0x2492492492492492ull),
    U128(0x0e38e38e38e38e38ull, 0xe38e38e38e38e38eull),
    U128(0x0ba2e8ba2e8ba2e8ull, 0xba2e8ba2e8ba2e8cull),
    U128(0x09d89d89d89d89d8ull, 0x9d89d89d89d89d8aull),
    U128(0x0888888888888888ull, 0x8888888888888889ull),
    U128(0x0787878787878787ull, 0x8787878787878788ull),
    U128(0x06bca1af286bca1aull, 0xf286bca1af286bcaull),
    U128(0x0618618618618618ull, 0x6186186186186186ull),
    U128(0x0590b21642c8590bull, 0x21642c8590b21643ull),
    U128(0x051eb851eb851eb8ull, 0x51eb851eb851eb85ull),
    U128(0x04bda12f684bda12ull, 0xf684bda12f684bdaull),
    U128(0x0469ee58469ee584ull, 0x69ee58469ee5846aull),
    U128(0x0421084210842108ull, 0x4210842108421084ull),
    U128(0x03e0f83e0f83e0f8ull, 0x3e0f83e0f83e0f84ull),
    U128(0x03a83a83a83a83a8ull, 0x3a83a83a83a83a84ull),
    U128(0x03759f22983759f2ull, 0x2983759f2298375aull),
    U128(0x0348348348348348ull, 0x3483483483483483ull),
    U128(0x031f3831f3831f38ull, 0x31f3831f3831f383ull),
    U128(0x02fa0be82fa0be82ull, 0xfa0be82fa0be82faull),
    U128(0x02d82d82d82d82d8ull, 0x2d82d82d82d82d83ull),
    U128(0x02b9310572620ae4ull, 0xc415c9882b931057ull),
    U128(0x029cbc14e5e0a72full, 0x05397829cbc14e5eull),
    U128(0x0282828282828282ull, 0x8282828282828283ull),
    U128(0x026a439f656f1826ull, 0xa439f656f1826a44ull),
    U128(0x0253c8253c8253c8ull, 0x253c8253c8253c82ull),
    U128(0x023ee08fb823ee08ull, 0xfb823ee08fb823eeull),
};

static u128 mul_high(u128 a, u128 b)
{
    uint64_t a1 = (uint64_t)(a >> 64), a0 = (uint64_t)a, b1 = (uint64_t)(b >> 64), b0 = (uint64_t)b;
    u128 mid1 = (u128)a1 * b0, mid2 = (u128)a0 * b1;
    u128 carry = ((u128)a0 * b0 >> 64) + (uint64_t)mid1 + (uint64_t)mid2;
    return (u128)a1 * b1 + (mid1 >> 64) + (mid2 >> 64) + (carry >> 64);
}

/* c[0] + c[step] x + c[2 step] x^2 + ..., @n terms behind the first, with the signs of x; |x| < 1
 * and c[0] is 1 (2^127). */
static struct wide series(const u128 *c, unsigned step, unsigned n, struct wide x)
{
    unsigned shift = (unsigned)(-1 - x.exp);
    u128 by = shift > 127 ? 0 : x.m >> shift, sum = c[n * step];
    while (n-- > 0) {
        u128 more = mul_high(by, sum);
        sum = x.neg ? c[n * step] - more : c[n * step] + more;
    }
    return normal((struct wide){.m = sum});
}

/* ---- in and out ---- */

static bool is_nan_or_bad(const struct x86_fpr *a)
{
    uint16_t cc = fpu_examine(a) & (FSW_C3 | FSW_C2 | FSW_C0);
    return cc == FSW_C0 || cc == 0; /* NaN, unsupported */
}

static bool is_inf(const struct x86_fpr *a)
{
    return (a->se & 0x7fff) == 0x7fff && a->mant == BIT64(63);
}

static bool is_zero(const struct x86_fpr *a)
{
    return (a->se & 0x7fff) == 0 && a->mant == 0;
}

static bool is_denormal(const struct x86_fpr *a)
{
    return (a->se & 0x7fff) == 0 && a->mant != 0;
}

static bool is_neg(const struct x86_fpr *a)
{
    return a->se & 0x8000;
}

static struct wide from_fpr(const struct x86_fpr *a)
{
    int exp = a->se & 0x7fff;
    struct wide w = {.m = (u128)a->mant << 64, .exp = (exp ? exp : 1) - 16383, .neg = is_neg(a)};
    return normal(w);
}

static struct x86_fpr zero(bool neg)
{
    return (struct x86_fpr){.se = neg ? 0x8000 : 0};
}

static struct x86_fpr inf(bool neg)
{
    return (struct x86_fpr){.mant = BIT64(63), .se = neg ? 0xffff : 0x7fff};
}

static struct x86_fpr invalid(uint16_t *sw)
{
    *sw |= FSW_IE;
    return fpu_indefinite();
}

/* One of the operands is a NaN or no number: what an addition would give. */
static struct x86_fpr nan_of(const struct x86_fpr *a, const struct x86_fpr *b, uint16_t cw,
                             uint16_t *sw)
{
    struct x86_fpr r = {0};
    fpu_arith(FPU_ADD, FPU_ST, a, b, cw, 0, &r, sw);
    *sw &= FSW_IE;
    return r;
}

/* The result is not exact: where 128 bits do not show it, @larger says on which side it lies. */
static struct wide inexact(struct wide a, bool larger)
{
    if ((uint64_t)a.m == 0) {
        a.m += larger ? 1 : (u128)-1;
        a = normal(a);
    }
    return a;
}

static bool rounds_up(uint16_t cw, bool neg, uint64_t rest, bool odd)
{
    switch ((cw & FCW_RC) >> FCW_RC_SHIFT) {
    case RC_NEAREST: return rest > BIT64(63) || (rest == BIT64(63) && odd);
    case RC_DOWN: return rest && neg;
    case RC_UP: return rest && !neg;
    default: return false;
    }
}

/* [SDM1] "Numeric Overflow Exception". */
static struct x86_fpr overflowed(struct wide a, uint16_t cw, uint16_t *sw)
{
    unsigned rc = (cw & FCW_RC) >> FCW_RC_SHIFT;
    bool to_inf = rc == RC_NEAREST || rc == (a.neg ? RC_DOWN : RC_UP);
    *sw |= FSW_OE | FSW_PE | (to_inf ? FSW_C1 : 0);
    struct x86_fpr max = {.mant = ~0ull, .se = a.neg ? 0xfffe : 0x7ffe};
    return to_inf ? inf(a.neg) : max;
}

/* Rounds to 64 bits, with overflow and underflow as the masks say: unmasked, the exponent wraps by
 * 24576. */
static struct x86_fpr round_to_fpr(struct wide a, uint16_t cw, uint16_t *sw)
{
    struct x86_fpr r = {.se = a.neg ? 0x8000 : 0};
    int exp = a.exp + 16383;
    bool tiny = exp < 1;
    if (!a.m) {
        return r;
    }
    if (tiny && !(cw & FSW_UE)) {
        exp += 24576;
        *sw |= FSW_UE;
    } else if (tiny) {
        unsigned shift = (unsigned)(1 - exp);
        u128 lost = shift > 127 ? a.m : a.m & (((u128)1 << shift) - 1);
        a.m = (shift > 127 ? 0 : a.m >> shift) | (lost != 0);
        exp = 0;
    }
    uint64_t rest = (uint64_t)a.m;
    r.mant = (uint64_t)(a.m >> 64);
    if (rest) {
        *sw |= FSW_PE | (tiny ? FSW_UE : 0);
    }
    if (rounds_up(cw, a.neg, rest, r.mant & 1)) {
        *sw |= FSW_C1;
        r.mant++;
        if (r.mant == 0) {
            r.mant = BIT64(63);
            exp++;
        } else if (exp == 0 && r.mant >> 63) {
            exp = 1; /* rounded up to the least normal number */
        }
    }
    if (exp >= 0x7fff) {
        if (cw & FSW_OE) {
            return overflowed(a, cw, sw);
        }
        exp -= 24576;
        *sw |= FSW_OE;
    }
    r.se |= (uint16_t)exp;
    return r;
}

/* True if an unmasked denormal operand ends the instruction; flags it in any case. */
static bool denormal_stops(const struct x86_fpr *a, const struct x86_fpr *b, uint16_t cw,
                           uint16_t *sw)
{
    if (is_denormal(a) || is_denormal(b)) {
        *sw |= FSW_DE;
        return !(cw & FSW_DE);
    }
    return false;
}

/* ---- exponential and logarithm ---- */

/* e^t - 1 for |t| < 0.7. */
static struct wide expm1_series(struct wide t)
{
    return mul(t, series(factorials + 1, 1, 33, t));
}

struct x86_fpr fpu_f2xm1(const struct x86_fpr *a, uint16_t cw, uint16_t *sw)
{
    *sw = 0;
    if (is_nan_or_bad(a)) {
        return nan_of(a, a, cw, sw);
    }
    if (is_zero(a) || (is_inf(a) && !is_neg(a))) {
        return *a;
    }
    if (denormal_stops(a, a, cw, sw)) {
        return *a;
    }
    struct wide x = from_fpr(a);
    if (is_inf(a)) {
        return (struct x86_fpr){.mant = BIT64(63), .se = 0xbfff};
    }
    if (x.exp >= 0) {
        if (x.exp == 0 && a->mant == BIT64(63)) { /* 1 and -1: exact, but processors set PE */
            *sw |= FSW_PE;
            return x.neg ? (struct x86_fpr){.mant = BIT64(63), .se = 0xbffe} : *a;
        }
        return *a;
    }
    return round_to_fpr(inexact(expm1_series(mul(x, ln2)), !x.neg), cw, sw);
}

/* log2((1 + s) / (1 - s)) for |s| < 0.18. */
static struct wide log2_series(struct wide s)
{
    return mul(scaled(mul(s, series(odds, 1, 28, mul(s, s))), 1), log2e);
}

/* log2 of a positive number. */
static struct wide log2_of(struct wide x)
{
    int exp = x.exp;
    x.exp = 0;
    if (x.m > U128(0xb504f333f9de6484ull, 0)) { /* above the square root of 2 */
        x.exp = -1;
        exp++;
    }
    struct wide whole = exp ? from_int(exp) : (struct wide){0};
    if (x.m == one.m) {
        return whole;
    }
    return add(whole, log2_series(div(sub(x, one), add(x, one))));
}

/* @y times a logarithm. @exact: it has no error. */
static struct x86_fpr times_log(const struct x86_fpr *y, struct wide log, bool exact, uint16_t cw,
                                uint16_t *sw)
{
    if (is_inf(y)) {
        return log.m ? inf(is_neg(y) != log.neg) : invalid(sw);
    }
    if (is_zero(y) || !log.m) {
        return zero(is_neg(y) != log.neg);
    }
    struct wide r = mul(from_fpr(y), log);
    return round_to_fpr(exact ? r : inexact(r, true), cw, sw);
}

struct x86_fpr fpu_yl2x(const struct x86_fpr *x, const struct x86_fpr *y, uint16_t cw, uint16_t *sw)
{
    *sw = 0;
    if (is_nan_or_bad(x) || is_nan_or_bad(y)) {
        return nan_of(x, y, cw, sw);
    }
    if ((is_neg(x) && !is_zero(x)) || (is_zero(x) && is_zero(y)) || (is_inf(x) && is_zero(y))) {
        return invalid(sw);
    }
    if (is_zero(x)) {            /* comes before a denormal y */
        *sw |= is_inf(y) ? 0 : FSW_ZE;
        return inf(!is_neg(y));
    }
    if (denormal_stops(x, y, cw, sw)) {
        return *x;
    }
    if (is_inf(x)) {
        return inf(is_neg(y));
    }
    struct wide w = from_fpr(x);
    return times_log(y, log2_of(w), w.m == one.m, cw, sw);
}

struct x86_fpr fpu_yl2xp1(const struct x86_fpr *x, const struct x86_fpr *y, uint16_t cw,
                          uint16_t *sw)
{
    *sw = 0;
    if (is_nan_or_bad(x) || is_nan_or_bad(y)) {
        return nan_of(x, y, cw, sw);
    }
    if (is_zero(x)) {
        if (is_inf(y)) {
            return invalid(sw);
        }
        return denormal_stops(x, y, cw, sw) ? *x : zero(is_neg(x) != is_neg(y));
    }
    struct wide w = from_fpr(x);
    if ((is_neg(x) && w.exp >= 0) || (is_inf(x) && is_zero(y))) {
        return invalid(sw);
    }
    if (is_inf(x)) {
        return inf(is_neg(y));
    }
    if (denormal_stops(x, y, cw, sw)) {
        return *x;
    }
    struct wide log;
    if (w.exp < -2) { /* |x| < 1/4: no digits are lost */
        log = log2_series(div(w, add(w, scaled(one, 1))));
    } else {
        log = log2_of(add(w, one));
    }
    return times_log(y, log, false, cw, sw);
}

/* ---- arc tangent ---- */

/* atan(t) for 0 < t <= 1: the nearest eighth's from the table, a series for the rest. */
static struct wide atan_of(struct wide t)
{
    unsigned k = 0;
    if (t.exp >= -4) {
        k = (unsigned)(t.m >> (124 - t.exp - 1)); /* 16 t */
        k = (k + 1) / 2;
    }
    struct wide r = t;
    if (k) {
        struct wide c = scaled(from_int((int)k), -3);
        r = div(sub(t, c), add(one, mul(t, c)));
    }
    return add(atan_eighths[k], mul(r, series(odds, 1, 20, negate(mul(r, r)))));
}

/* Multiples of pi / 4 for operands that are infinite or zero. */
static struct x86_fpr quarter_pi(unsigned n, bool neg, uint16_t cw, uint16_t *sw)
{
    struct wide a = mul(scaled(pi, -2), from_int((int)n));
    a.neg = neg;
    return round_to_fpr(a, cw, sw);
}

static struct x86_fpr patan_finite(const struct x86_fpr *x, const struct x86_fpr *y, uint16_t cw,
                                   uint16_t *sw)
{
    struct wide ax = from_fpr(x), ay = from_fpr(y);
    ax.neg = ay.neg = false;
    bool swap = ay.exp > ax.exp || (ay.exp == ax.exp && ay.m > ax.m);
    struct wide t = swap ? div(ax, ay) : div(ay, ax), a = atan_of(t);
    bool larger = false;
    if (swap) {
        a = sub(scaled(pi, -1), a);
    }
    if (is_neg(x)) {
        a = sub(pi, a);
        larger = swap;
    }
    a.neg = is_neg(y);
    return round_to_fpr(inexact(a, larger), cw, sw);
}

struct x86_fpr fpu_patan(const struct x86_fpr *x, const struct x86_fpr *y, uint16_t cw,
                         uint16_t *sw)
{
    bool neg = is_neg(y);
    *sw = 0;
    if (is_nan_or_bad(x) || is_nan_or_bad(y)) {
        return nan_of(x, y, cw, sw);
    }
    if (denormal_stops(x, y, cw, sw)) {
        return *x;
    }
    if (is_inf(y)) {
        return quarter_pi(!is_inf(x) ? 2 : is_neg(x) ? 3 : 1, neg, cw, sw);
    }
    if (is_zero(y) || is_inf(x)) {
        return is_neg(x) ? quarter_pi(4, neg, cw, sw) : zero(neg);
    }
    if (is_zero(x)) {
        return quarter_pi(2, neg, cw, sw);
    }
    return patan_finite(x, y, cw, sw);
}

/* ---- sine, cosine, tangent ---- */

static struct wide sin_series(struct wide r)
{
    return mul(r, series(factorials + 1, 2, 18, negate(mul(r, r))));
}

static struct wide cos_series(struct wide r)
{
    return series(factorials, 2, 18, negate(mul(r, r)));
}

/* |a| = q * pi / 2 + r, |r| <= pi / 4, by the processor's pi of 66 bits; exact. Returns q mod 4. */
static unsigned reduce(const struct x86_fpr *a, struct wide *r)
{
    const u128 half_pi = U128(6, 0x487ed5110b4611a6ull); /* times 2^-66 */
    int exp = (a->se & 0x7fff) - 16383;
    *r = from_fpr(a);
    r->neg = false;
    if (exp < -1) {
        return 0;
    }
    u128 rest = a->mant;
    unsigned q = 0;
    for (int i = 0; i < exp + 3; i++) {
        rest <<= 1;
        q <<= 1;
        if (rest >= half_pi) {
            rest -= half_pi;
            q++;
        }
    }
    *r = (struct wide){.m = rest, .exp = 127 - 66};
    if (rest > half_pi / 2) {
        r->m = half_pi - rest;
        r->neg = true;
        q++;
    }
    *r = normal(*r);
    return q & 3;
}

/* What needs no series. True if *out is the result. */
static bool trig_special(const struct x86_fpr *a, uint16_t cw, uint16_t *sw, struct x86_fpr *out)
{
    *sw = 0;
    *out = *a;
    if (is_nan_or_bad(a)) {
        *out = nan_of(a, a, cw, sw);
        return true;
    }
    if (is_inf(a)) {
        *out = invalid(sw);
        return true;
    }
    if ((a->se & 0x7fff) >= 16383 + 63) {
        *sw = FSW_C2;
        return true;
    }
    return denormal_stops(a, a, cw, sw);
}

/* Sine of q * pi / 2 + r. */
static struct wide sin_quadrant(unsigned q, struct wide r)
{
    struct wide s = inexact(q & 1 ? cos_series(r) : sin_series(r), false);
    s.neg ^= q >> 1 & 1;
    return s;
}

struct x86_fpr fpu_sin(const struct x86_fpr *a, uint16_t cw, uint16_t *sw)
{
    struct x86_fpr out;
    struct wide r;
    if (trig_special(a, cw, sw, &out) || is_zero(a)) {
        return out;
    }
    struct wide s = sin_quadrant(reduce(a, &r), r);
    s.neg ^= is_neg(a);
    return round_to_fpr(s, cw, sw);
}

struct x86_fpr fpu_cos(const struct x86_fpr *a, uint16_t cw, uint16_t *sw)
{
    struct x86_fpr out;
    struct wide r;
    if (trig_special(a, cw, sw, &out)) {
        return out;
    }
    if (is_zero(a)) {
        return (struct x86_fpr){.mant = BIT64(63), .se = 0x3fff};
    }
    unsigned q = reduce(a, &r);
    return round_to_fpr(sin_quadrant((q + 1) & 3, r), cw, sw);
}

struct x86_fpr fpu_tan(const struct x86_fpr *a, uint16_t cw, uint16_t *sw)
{
    struct x86_fpr out;
    struct wide r;
    if (trig_special(a, cw, sw, &out) || is_zero(a)) {
        return out;
    }
    unsigned q = reduce(a, &r);
    struct wide t = div(sin_quadrant(q, r), sin_quadrant((q + 1) & 3, r));
    t.neg ^= is_neg(a);
    return round_to_fpr(inexact(t, true), cw, sw);
}
