/*
 * Transcendental x87 instructions: F2XM1 FYL2X FYL2XP1 FPATAN FSIN FCOS FPTAN.
 *
 * Source: [SDM1] "Transcendental Instruction Accuracy" (error below 1 ulp), "Approximation of Pi"
 *         (arguments are reduced by a pi of 66 significant bits); [SDM2], the tables of the
 *         entries.
 * Model:  numbers of 128 significant bits, Taylor series in Horner's form, one rounding at the end.
 *         Processors of different makers differ in the last bit; this gives the same everywhere.
 *         The precision control does not apply. Where it cannot change how the result is rounded,
 *         terms of high order are added up with 64 bits (quick).
 * Chosen: F2XM1 outside [-1, 1] returns its operand; FYL2XP1 works for every operand above -1.
 */
#include "core/cpu/fpu.h"

#include "core/base/bits.h"
#include "core/cpu/fpu_series.h"
#include "core/cpu/rounding.h"

/* Numbers stay in registers: copies of them in memory would cost more than the arithmetic. */
#define INLINE static inline __attribute__((always_inline))

/* m * 2^(exp - 127); bit 127 of m is set, or m is 0. */
struct wide {
    u128 m;
    int exp;
    bool neg;
};

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

INLINE unsigned clz128(u128 v)
{
    uint64_t hi = (uint64_t)(v >> 64);
    return hi ? (unsigned)__builtin_clzll(hi) : 64 + (unsigned)__builtin_clzll((uint64_t)v);
}

INLINE struct wide normal(struct wide a)
{
    if (a.m) {
        unsigned shift = clz128(a.m);
        a.m <<= shift;
        a.exp -= (int)shift;
    }
    return a;
}

INLINE struct wide negate(struct wide a)
{
    a.neg = !a.neg;
    return a;
}

static struct wide from_int(int v)
{
    struct wide a = {.m = (u128)(unsigned)(v < 0 ? -v : v), .exp = 127, .neg = v < 0};
    return normal(a);
}

INLINE struct wide scaled(struct wide a, int by)
{
    a.exp += by;
    return a;
}

INLINE struct wide mul(struct wide a, struct wide b)
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

INLINE struct wide add(struct wide a, struct wide b)
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

INLINE struct wide sub(struct wide a, struct wide b)
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

INLINE u128 mul_high(u128 a, u128 b)
{
    uint64_t a1 = (uint64_t)(a >> 64), a0 = (uint64_t)a, b1 = (uint64_t)(b >> 64), b0 = (uint64_t)b;
    u128 mid1 = (u128)a1 * b0, mid2 = (u128)a0 * b1;
    u128 carry = ((u128)a0 * b0 >> 64) + (uint64_t)mid1 + (uint64_t)mid2;
    return (u128)a1 * b1 + (mid1 >> 64) + (mid2 >> 64) + (carry >> 64);
}

/* Coefficients c[0], c[step], ..., @n behind the first, which is 1 (2^127). */
struct coefficients {
    const u128 *c;
    const uint8_t *zeros;
    unsigned step, n;
};

/* The sum of c[k step] x^k, with the signs of x; |x| < 1. */
static struct wide series(struct coefficients co, struct wide x)
{
    const u128 *c = co.c;
    unsigned step = co.step, n = co.n;
    unsigned shift = (unsigned)(-1 - x.exp);
    u128 by = shift > 127 ? 0 : x.m >> shift, sum = c[n * step];
    while (n-- > 0) {
        u128 more = mul_high(by, sum);
        sum = x.neg ? c[n * step] - more : c[n * step] + more;
    }
    return normal((struct wide){.m = sum});
}

/* The same, but for an error below 2^-92. What is multiplied by x^k has an error that is, too: so
 * from the term on that is below 2^-36, 64 bits will do; and none below 2^-96 is needed. */
INLINE struct wide quick_series(struct coefficients co, struct wide x)
{
    const u128 *c = co.c;
    unsigned step = co.step, n = co.n;
    unsigned shift = (unsigned)(-1 - x.exp), whole = 1;
    u128 by = shift > 127 ? 0 : x.m >> shift;
    while (whole < n && co.zeros[whole * step] + whole * shift < 36) {
        whole++;
    }
    unsigned last = whole, up = co.zeros[whole * step] - 1u;
    while (last < n && co.zeros[last * step] + last * shift < 96) {
        last++;
    }
    uint64_t part = (uint64_t)(c[last * step] << up >> 64), part_by = (uint64_t)(by >> 64);
    while (last-- > whole) {
        uint64_t more = (uint64_t)((u128)part_by * part >> 64);
        uint64_t here = (uint64_t)(c[last * step] << up >> 64);
        part = x.neg ? here - more : here + more;
    }
    u128 sum = (u128)part << 64 >> up;
    while (whole-- > 0) {
        u128 more = mul_high(by, sum);
        sum = x.neg ? c[whole * step] - more : c[whole * step] + more;
    }
    return normal((struct wide){.m = sum});
}

INLINE struct wide power_series(struct coefficients co, struct wide x, bool quick)
{
    return quick ? quick_series(co, x) : series(co, x);
}

static const struct coefficients exp_terms = {factorials + 1, factorial_zeros + 1, 1, 33};
static const struct coefficients log_terms = {odds, odd_zeros, 1, 28};
static const struct coefficients atan_terms = {odds, odd_zeros, 1, 20};
static const struct coefficients sin_terms = {factorials + 1, factorial_zeros + 1, 2, 18};
static const struct coefficients cos_terms = {factorials, factorial_zeros, 2, 18};

/* Is it rounded to 64 bits as everything within 2^-87 of it is? */
INLINE bool is_sure(struct wide a)
{
    const uint64_t margin = BIT64(40);
    return a.exp > -16000 && (((uint64_t)a.m + margin) & (BIT64(63) - 1)) > 2 * margin;
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

INLINE struct wide from_fpr(const struct x86_fpr *a)
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
INLINE struct wide inexact(struct wide a, bool larger)
{
    if ((uint64_t)a.m == 0) {
        a.m += larger ? 1 : (u128)-1;
        a = normal(a);
    }
    return a;
}

static enum rounding rounding_of(uint16_t cw)
{
    return (enum rounding)((cw & FCW_RC) >> FCW_RC_SHIFT);
}

/* [SDM1] "Numeric Overflow Exception". */
static struct x86_fpr overflowed(struct wide a, uint16_t cw, uint16_t *sw)
{
    bool to_inf = overflows_to_infinity(rounding_of(cw), a.neg);
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
    if (rounds_up(rounding_of(cw), a.neg, r.mant & 1, rest, BIT64(63))) {
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
static struct wide expm1_series(struct wide t, bool quick)
{
    return mul(t, power_series(exp_terms, t, quick));
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
    struct wide r = expm1_series(mul(x, ln2), true);
    if (!is_sure(r)) {
        r = expm1_series(mul(x, ln2), false);
    }
    return round_to_fpr(inexact(r, !x.neg), cw, sw);
}

/* log2((1 + s) / (1 - s)) for |s| < 0.18. */
static struct wide log2_series(struct wide s, bool quick)
{
    return mul(scaled(mul(s, power_series(log_terms, mul(s, s), quick)), 1), log2e);
}

/* log2 of a positive number. */
static struct wide log2_of(struct wide x, bool quick)
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
    return add(whole, log2_series(div(sub(x, one), add(x, one)), quick));
}

/* log2 of @x, or of 1 + @x. */
static struct wide log2_from(struct wide x, bool plus_one, bool quick)
{
    if (!plus_one) {
        return log2_of(x, quick);
    }
    if (x.exp < -2) { /* |x| < 1/4: no digits are lost */
        return log2_series(div(x, add(x, scaled(one, 1))), quick);
    }
    return log2_of(add(x, one), quick);
}

/* @y times that. */
static struct x86_fpr times_log(const struct x86_fpr *y, struct wide x, bool plus_one, uint16_t cw,
                                uint16_t *sw)
{
    struct wide log = log2_from(x, plus_one, true);
    bool exact = !plus_one && x.m == one.m;
    if (is_inf(y)) {
        return log.m ? inf(is_neg(y) != log.neg) : invalid(sw);
    }
    if (is_zero(y) || !log.m) {
        return zero(is_neg(y) != log.neg);
    }
    struct wide r = mul(from_fpr(y), log);
    if (exact) {
        return round_to_fpr(r, cw, sw);
    }
    if (!is_sure(r)) {
        r = mul(from_fpr(y), log2_from(x, plus_one, false));
    }
    return round_to_fpr(inexact(r, true), cw, sw);
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
    return times_log(y, from_fpr(x), false, cw, sw);
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
    return times_log(y, w, true, cw, sw);
}

/* ---- arc tangent ---- */

/* atan(t) for 0 < t <= 1: the nearest eighth's from the table, a series for the rest. */
static struct wide atan_of(struct wide t, bool quick)
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
    return add(atan_eighths[k], mul(r, power_series(atan_terms, negate(mul(r, r)), quick)));
}

/* Multiples of pi / 4 for operands that are infinite or zero. */
static struct x86_fpr quarter_pi(unsigned n, bool neg, uint16_t cw, uint16_t *sw)
{
    struct wide a = mul(scaled(pi, -2), from_int((int)n));
    a.neg = neg;
    return round_to_fpr(a, cw, sw);
}

/* The angle whose tangent, or cotangent if @swap, has arc tangent @a; to the left of 0 if @left. */
static struct wide in_quadrant(struct wide a, bool swap, bool left)
{
    a = swap ? sub(scaled(pi, -1), a) : a;
    return left ? sub(pi, a) : a;
}

static struct x86_fpr patan_finite(const struct x86_fpr *x, const struct x86_fpr *y, uint16_t cw,
                                   uint16_t *sw)
{
    struct wide ax = from_fpr(x), ay = from_fpr(y);
    ax.neg = ay.neg = false;
    bool swap = ay.exp > ax.exp || (ay.exp == ax.exp && ay.m > ax.m);
    struct wide t = swap ? div(ax, ay) : div(ay, ax);
    struct wide a = in_quadrant(atan_of(t, true), swap, is_neg(x));
    if (!is_sure(a)) {
        a = in_quadrant(atan_of(t, false), swap, is_neg(x));
    }
    a.neg = is_neg(y);
    return round_to_fpr(inexact(a, swap && is_neg(x)), cw, sw);
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

INLINE struct wide sin_series(struct wide r, bool quick)
{
    return mul(r, power_series(sin_terms, negate(mul(r, r)), quick));
}

INLINE struct wide cos_series(struct wide r, bool quick)
{
    return power_series(cos_terms, negate(mul(r, r)), quick);
}

/* |a| = q * pi / 2 + r, |r| <= pi / 4, by the processor's pi of 66 bits; exact. Returns q mod 4. */
INLINE unsigned reduce(const struct x86_fpr *a, struct wide *r)
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
        u128 less = (rest << 1) - half_pi;
        bool fits = !(less >> 127);                     /* no guess of a branch would be good */
        rest = less + (half_pi & ((u128)fits - 1));
        q = q << 1 | fits;
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
INLINE struct wide sin_quadrant(unsigned q, struct wide r, bool quick)
{
    struct wide s = inexact(q & 1 ? cos_series(r, quick) : sin_series(r, quick), false);
    s.neg ^= q >> 1 & 1;
    return s;
}

INLINE struct wide sin_of(unsigned q, struct wide r)
{
    struct wide s = sin_quadrant(q, r, true);
    return is_sure(s) ? s : sin_quadrant(q, r, false);
}

static struct wide tan_of(unsigned q, struct wide r, bool quick)
{
    return div(sin_quadrant(q, r, quick), sin_quadrant((q + 1) & 3, r, quick));
}

struct x86_fpr fpu_sin(const struct x86_fpr *a, uint16_t cw, uint16_t *sw)
{
    struct x86_fpr out;
    struct wide r;
    if (trig_special(a, cw, sw, &out) || is_zero(a)) {
        return out;
    }
    unsigned q = reduce(a, &r);
    struct wide s = sin_of(q, r);
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
    return round_to_fpr(sin_of((q + 1) & 3, r), cw, sw);
}

struct x86_fpr fpu_tan(const struct x86_fpr *a, uint16_t cw, uint16_t *sw)
{
    struct x86_fpr out;
    struct wide r;
    if (trig_special(a, cw, sw, &out) || is_zero(a)) {
        return out;
    }
    unsigned q = reduce(a, &r);
    struct wide t = tan_of(q, r, true);
    if (!is_sure(t)) {
        t = tan_of(q, r, false);
    }
    t.neg ^= is_neg(a);
    return round_to_fpr(inexact(t, true), cw, sw);
}
