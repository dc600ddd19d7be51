/*
 * Do the flags that an operation leaves undefined come out on this host as insn.def has them? Where
 * they do not, the interpreter does the operation.
 */
#include "core/accel/jit/jit.h"

#define HOST_FLAGS (FL_OSZAPC)

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

bool jit_host_shifts_match(void)
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

bool jit_host_rotates_match(void)
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

bool jit_host_muls_match(void)
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
