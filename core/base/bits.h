/* Small arithmetic that the C library lacks. Everything here is pure. */
#ifndef CORE_BASE_BITS_H
#define CORE_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n)        (1u << (n))
#define BIT64(n)      (1ull << (n))
#define KiB           1024ull
#define MiB           (1024ull * 1024)
#define GiB           (1024ull * 1024 * 1024)

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Rounds up to a multiple of @align, a power of two. */
static inline uint64_t align_up(uint64_t v, uint64_t align)
{
    return (v + align - 1) & ~(align - 1);
}

/* floor(a * b / c) with a 128-bit product; c is not 0. Dividing 128 bits is slow, also where the
 * product is short. */
static inline uint64_t muldiv64(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t product;
    if (likely(!__builtin_mul_overflow(a, b, &product))) {
        return product / c;
    }
    return (uint64_t)((unsigned __int128)a * b / c);
}

/* ceil(a * b / c): for deadlines, so that no timer fires early. */
static inline uint64_t muldiv64_up(uint64_t a, uint64_t b, uint64_t c)
{
    return (uint64_t)(((unsigned __int128)a * b + c - 1) / c);
}

/* All ones in the low @size bytes, size 1..8. */
static inline uint64_t size_mask(unsigned size)
{
    return ~0ull >> (64 - 8 * size);
}

#endif
