/*
 * Random values that find mistakes: the borders of every format as often as what lies between. One
 * seed gives the same values everywhere.
 */
#ifndef TESTS_INSN_RANDOM_H
#define TESTS_INSN_RANDOM_H

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/cpu/x86_state.h"

#include <stdint.h>

struct random {
    uint64_t state; /* never 0 */
};

static inline uint64_t rnd(struct random *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state * 0x2545f4914f6cdd1dull;
}

/* A generator of its own for each @what of a run with @seed. */
static inline struct random random_begin(uint64_t seed, uint64_t what)
{
    struct random r = {.state = ((seed + 1) * 0x9e3779b97f4a7c15ull) ^ (what << 32 | 0x5bd1e995)};
    rnd(&r);
    rnd(&r);
    return r;
}

static inline uint64_t random_integer(struct random *r)
{
    static const uint64_t border[] = {
        0,
        1,
        2,
        9,
        0x7f,
        0x80,
        0x99,
        0xff,
        0x7fff,
        0x8000,
        0xff00,
        0xffff,
        0x10000,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        0x7fffffffffffffff,
        0x8000000000000000,
        ~0ull,
    };
    uint64_t v = rnd(r);
    switch (v & 3) {
    case 0:
        return border[(v >> 8) % ARRAY_SIZE(border)];
    case 1:
        return v >> 56;
    default:
        return rnd(r) ^ rnd(r) >> 32;
    }
}

/* Singles and doubles: special values, small integers, and near each other or the formats' ends. */
static inline uint32_t random_single(struct random *r)
{
    static const uint32_t special[] = {
        0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
        0x7fc00000, 0xffc00001, 0x7f800001, 0xffbfffff, 1,          0x80000001,
        0x7fffff,   0x807fffff, 0x800000,   0x7f7fffff, 0x4f000000, 0xcf000000,
        0x4effffff, 0x5f000000, 0x3f000000, 0x3fc00000, 0x40200000, 0x477fe000,
        0x477ff000, 0x38800000, 0x387fffff, 0x33000000, 0x33000001,
    };
    uint64_t v = rnd(r);
    switch (v & 7) {
    case 0:
    case 1:
        return special[(v >> 8) % ARRAY_SIZE(special)];
    case 2:
        return 0x3f000000 + (uint32_t)(v >> 40);
    case 3:
        return (uint32_t)(v >> 32) & 0x80ffffff;
    case 4:
        return 0x7f000000 | (uint32_t)(v >> 40);
    default:
        return (uint32_t)(v >> 32);
    }
}

static inline uint64_t random_double(struct random *r)
{
    static const uint64_t special[] = {
        0,
        1ull << 63,
        0x3ff0000000000000,
        0xbff0000000000000,
        0x7ff0000000000000,
        0xfff0000000000000,
        0x7ff8000000000000,
        0xfff8000000000001,
        0x7ff0000000000001,
        0xfff7ffffffffffff,
        1,
        0x8000000000000001,
        0xfffffffffffff,
        0x10000000000000,
        0x7fefffffffffffff,
        0x41dfffffffc00000,
        0x41e0000000000000,
        0xc1e0000000200000,
        0x43e0000000000000,
        0xc3e0000000000000,
        0x3fe0000000000000,
        0x3ff8000000000000,
        0x47efffffe0000000,
        0x47effffff0000000,
        0x3810000000000000,
        0x36a0000000000000,
    };
    uint64_t v = rnd(r);
    switch (v & 7) {
    case 0:
    case 1:
        return special[(v >> 8) % ARRAY_SIZE(special)];
    case 2:
        return 0x3fe0000000000000 + (v >> 12);
    case 3:
        return rnd(r) & 0x801fffffffffffff;
    case 4: /* of the size of integers */
        return (0x3ff0000000000000 + ((v >> 4 & 0x7f) << 52)) ^ (v << 63) ^
               (v >> 20 << 30 & 0xfffffffffffff);
    default:
        return rnd(r);
    }
}

/* The x87's format, with the encodings that only it has. */
static inline struct x86_fpr random_extended(struct random *r)
{
    struct x86_fpr v = {.mant = rnd(r) | BIT64(63), .se = (uint16_t)(rnd(r) & 0x8000)};
    uint64_t k = rnd(r) >> 8;
    switch (k % 16) {
    case 0:
        v.mant = 0;
        break;
    case 1:
        v.mant = BIT64(63);
        v.se |= 0x7fff;
        break;
    case 2:
        v.se |= 0x7fff;
        break; /* NaN of either kind */
    case 3:
        v.mant >>= 1 + (k >> 8) % 60;
        break; /* denormal */
    case 4:
        break; /* pseudo-denormal */
    case 5:
        v.mant &= ~BIT64(63);
        v.se |= 0x3fff;
        break; /* unnormal */
    case 6:
        v.se |= 1 + (k >> 8) % 80;
        break; /* nearly tiny */
    case 7:
        v.se |= 0x7ffe - (k >> 8) % 80;
        break; /* nearly huge */
    case 8:
        v.mant <<= (k >> 8) % 63;
        v.mant |= BIT64(63);
        v.se |= 0x3fff + (k >> 16) % 64;
        break;
    case 9:
        v.mant = BIT64(63);
        v.se |= 0x3fff - 40 + (k >> 8) % 80;
        break;
    case 10:
        v.mant &= ~0ull << (k >> 8) % 63;
        v.se |= 0x3fff - 20 + (k >> 16) % 60;
        break;
    case 11:
        v.se |= (k >> 8) % 0x7fff;
        break;
    default:
        v.se |= 0x3fff - 66 + (k >> 8) % 132;
        break;
    }
    return v;
}

/* @bytes, a multiple of 8, of one of these kinds. */
static inline void random_vector(struct random *r, void *to, unsigned bytes)
{
    uint64_t kind = (rnd(r) >> 32) % 4;
    for (unsigned i = 0; i < bytes; i += 8) {
        uint64_t v = kind == 0   ? random_integer(r)
                     : kind == 1 ? random_double(r)
                     : kind == 2 ? random_single(r) | (uint64_t)random_single(r) << 32
                                 : random_extended(r).mant;
        st64le((uint8_t *)to + i, v);
    }
}

#endif
