/*
 * Do the flags that an operation leaves undefined come out on this host as insn.def has them? Where
 * they do not, the interpreter does the operation.
 */
#include "core/accel/jit/jit.h"

#define HOST_FLAGS FL_OSZAPC

static const uint32_t samples[] = {
    0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x40000000, 0x7fffffff,
    0x80000000, 0x80000001, 0xbfffffff, 0xc0000000, 0xfffffffe, 0xffffffff, 0x12345678, 0x9abcdef0,
};

#define SHIFT_BY_CL(name, op)                                                                      \
    static uint32_t name(uint32_t a, unsigned count, uint32_t fl)                                  \
    {                                                                                              \
        uint64_t image = fl | FL_1;                                                                \
        __asm__("push %[f]\n\tpopfq\n\t" op " %%cl, %[a]\n\tpushfq\n\tpop %[f]"                    \
                : [a] "+r"(a), [f] "+r"(image)                                                     \
                : "c"(count)                                                                       \
                : "cc", "memory");                                                                 \
        return (uint32_t)image & HOST_FLAGS;                                                       \
    }
SHIFT_BY_CL(host_shl, "shll")
SHIFT_BY_CL(host_shr, "shrl")
SHIFT_BY_CL(host_sar, "sarl")
SHIFT_BY_CL(host_rol, "roll")
SHIFT_BY_CL(host_ror, "rorl")
SHIFT_BY_CL(host_rcl, "rcll")
SHIFT_BY_CL(host_rcr, "rcrl")

static uint32_t flags_of(uint32_t r, bool cf, bool of)
{
    return (cf ? FL_CF : 0) | (of ? FL_OF : 0) | (r ? 0 : FL_ZF) | (r >> 31 ? FL_SF : 0) |
           (__builtin_parity(r & 0xff) ? 0 : FL_PF);
}

static bool shifts_of(uint32_t a, unsigned c, uint32_t before)
{
    if (c == 0) {
        return host_shl(a, c, before) == before && host_shr(a, c, before) == before &&
               host_sar(a, c, before) == before;
    }
    uint32_t left = a << c, right = a >> c, signed_right = (uint32_t)((int32_t)a >> c);
    return host_shl(a, c, before) == flags_of(left, a >> (32 - c) & 1, (a ^ a << 1) >> 31) &&
           host_shr(a, c, before) == flags_of(right, a >> (c - 1) & 1, a >> 31) &&
           host_sar(a, c, before) == flags_of(signed_right, (int32_t)a >> (c - 1) & 1, false);
}

static bool shifts_match(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(samples); i++) {
        for (unsigned c = 0; c < 32; c++) {
            if (!shifts_of(samples[i], c, 0) || !shifts_of(samples[i], c, FL_OSZAPC)) {
                return false;
            }
        }
    }
    return true;
}

/* CF and OF are as for a rotate by one, the others stay. */
static bool rotates_of(uint32_t a, unsigned c, uint32_t before)
{
    uint32_t kept = before & ~(uint32_t)(FL_CF | FL_OF), carry = before & FL_CF ? 1 : 0;
    if (c == 0) {
        return host_rol(a, c, before) == before && host_ror(a, c, before) == before &&
               host_rcl(a, c, before) == before && host_rcr(a, c, before) == before;
    }
    bool left = (a ^ a << 1) >> 31, right = (a ^ a >> 31) & 1, right_carry = carry ^ a >> 31;
    uint32_t out_left = a >> (32 - c) & 1, out_right = a >> (c - 1) & 1;
#define ROTATED(cf, of) (kept | ((cf) ? FL_CF : 0) | ((of) ? FL_OF : 0))
    return host_rol(a, c, before) == ROTATED(out_left, left) &&
           host_ror(a, c, before) == ROTATED(out_right, right) &&
           host_rcl(a, c, before) == ROTATED(out_left, left) &&
           host_rcr(a, c, before) == ROTATED(out_right, right_carry);
#undef ROTATED
}

static bool rotates_match(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(samples); i++) {
        for (unsigned c = 0; c < 32; c++) {
            if (!rotates_of(samples[i], c, 0) || !rotates_of(samples[i], c, FL_OSZAPC)) {
                return false;
            }
        }
    }
    return true;
}

static uint32_t host_mul(uint32_t a, uint32_t b, uint32_t *low, uint32_t *high, bool is_signed)
{
    uint64_t image = FL_OSZAPC | FL_1;
    if (is_signed) {
        __asm__("push %[f]\n\tpopfq\n\timull %[b]\n\tpushfq\n\tpop %[f]"
                : "=a"(*low), "=d"(*high), [f] "+r"(image) : "a"(a), [b] "r"(b) : "cc", "memory");
    } else {
        __asm__("push %[f]\n\tpopfq\n\tmull %[b]\n\tpushfq\n\tpop %[f]"
                : "=a"(*low), "=d"(*high), [f] "+r"(image) : "a"(a), [b] "r"(b) : "cc", "memory");
    }
    return (uint32_t)image & HOST_FLAGS;
}

static bool muls_match(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(samples); i++) {
        for (unsigned k = 0; k < ARRAY_SIZE(samples); k++) {
            uint32_t low, high, a = samples[i], b = samples[k];
            uint32_t fl = host_mul(a, b, &low, &high, false);
            bool wide = high != 0;
            if (fl != (flags_of(low, wide, wide) & ~(uint32_t)FL_ZF)) {
                return false;
            }
            fl = host_mul(a, b, &low, &high, true);
            wide = high != (uint32_t)((int32_t)low >> 31);
            if (fl != (flags_of(low, wide, wide) & ~(uint32_t)FL_ZF)) {
                return false;
            }
        }
    }
    return true;
}

#define DOUBLE_SHIFT(name, op)                                                                     \
    static uint32_t name(uint32_t *a, uint32_t b, unsigned count, uint32_t fl)                     \
    {                                                                                              \
        uint64_t image = fl | FL_1;                                                                \
        __asm__("push %[f]\n\tpopfq\n\t" op " %%cl, %[b], %[a]\n\tpushfq\n\tpop %[f]"             \
                : [a] "+r"(*a), [f] "+r"(image)                                                    \
                : [b] "r"(b), "c"(count)                                                           \
                : "cc", "memory");                                                                 \
        return (uint32_t)image & HOST_FLAGS;                                                       \
    }
DOUBLE_SHIFT(host_shld, "shldl")
DOUBLE_SHIFT(host_shrd, "shrdl")

static bool double_shifts_of(uint32_t a, uint32_t b, unsigned c, uint32_t before)
{
    uint32_t left = a, right = a;
    uint32_t fl_left = host_shld(&left, b, c, before), fl_right = host_shrd(&right, b, c, before);
    if (c == 0) {
        return fl_left == before && fl_right == before;
    }
    return fl_left == flags_of(a << c | b >> (32 - c), a >> (32 - c) & 1, (a ^ a << 1) >> 31) &&
           fl_right == flags_of(a >> c | b << (32 - c), a >> (c - 1) & 1, (a >> 31) ^ (b & 1));
}

static bool double_shifts_match(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(samples); i++) {
        for (unsigned c = 0; c < 32; c++) {
            uint32_t b = samples[(i + c) % ARRAY_SIZE(samples)];
            if (!double_shifts_of(samples[i], b, c, 0) ||
                !double_shifts_of(samples[i], b, c, FL_OSZAPC)) {
                return false;
            }
        }
    }
    return true;
}

#define SCAN(name, op)                                                                             \
    static uint32_t name(uint32_t a, uint64_t *r)                                                  \
    {                                                                                              \
        uint64_t image = FL_OSZAPC | FL_1;                                                         \
        __asm__("push %[f]\n\tpopfq\n\t" op " %[a], %k[r]\n\tpushfq\n\tpop %[f]"                   \
                : [r] "+r"(*r), [f] "+r"(image) : [a] "r"(a) : "cc", "memory");                    \
        return (uint32_t)image & HOST_FLAGS;                                                       \
    }
SCAN(host_bsf, "bsfl")
SCAN(host_bsr, "bsrl")

/* PF follows the result, the others but ZF are cleared; of 0 the destination stays, all of it. */
static bool scans_match(void)
{
    const uint64_t untouched = 0x123456789abcdef0;
    for (unsigned i = 0; i < ARRAY_SIZE(samples); i++) {
        uint32_t a = samples[i];
        uint64_t low = untouched, high = untouched;
        uint32_t fl_low = host_bsf(a, &low), fl_high = host_bsr(a, &high);
        uint32_t low_is = a ? (uint32_t)__builtin_ctz(a) : 0;
        uint32_t high_is = a ? 31 - (uint32_t)__builtin_clz(a) : 0;
        uint32_t zero = a ? 0 : FL_ZF;
        if (low != (a ? low_is : untouched) || high != (a ? high_is : untouched) ||
            fl_low != ((flags_of(low_is, false, false) & FL_PF) | zero) ||
            fl_high != ((flags_of(high_is, false, false) & FL_PF) | zero)) {
            return false;
        }
    }
    return true;
}

unsigned jit_host_match(void)
{
    return (shifts_match() ? MATCH_SHIFTS : 0) | (rotates_match() ? MATCH_ROTATES : 0) |
           (muls_match() ? MATCH_MULS : 0) | (double_shifts_match() ? MATCH_DOUBLE_SHIFTS : 0) |
           (scans_match() ? MATCH_SCANS : 0);
}
