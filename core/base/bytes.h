/* Loads and stores of a given byte order at any alignment. */
#ifndef CORE_BASE_BYTES_H
#define CORE_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "coldboot runs on little-endian hosts"
#endif

#define BYTES_LE(bits)                                                                             \
    static inline uint##bits##_t ld##bits##le(const void *p)                                       \
    {                                                                                              \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof(v));                                                                  \
        return v;                                                                                  \
    }                                                                                              \
    static inline void st##bits##le(void *p, uint##bits##_t v)                                     \
    {                                                                                              \
        memcpy(p, &v, sizeof(v));                                                                  \
    }                                                                                              \
    static inline uint##bits##_t ld##bits##be(const void *p)                                       \
    {                                                                                              \
        return __builtin_bswap##bits(ld##bits##le(p));                                             \
    }                                                                                              \
    static inline void st##bits##be(void *p, uint##bits##_t v)                                     \
    {                                                                                              \
        st##bits##le(p, __builtin_bswap##bits(v));                                                 \
    }
BYTES_LE(16)
BYTES_LE(32)
BYTES_LE(64)
#undef BYTES_LE

/* Loads 1, 2, 4 or 8 little-endian bytes; other sizes load byte by byte (size 1..8). */
static inline uint64_t ld_le(const void *p, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, p, size);
    return v;
}

static inline void st_le(void *p, uint64_t v, unsigned size)
{
    memcpy(p, &v, size);
}

#endif
