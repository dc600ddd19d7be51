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

/* 1 to 8 little-endian bytes. One move each for the sizes that there mostly are: compilers make a
 * copy of a length that they do not know REP MOVS, which is slow to begin. */
static inline uint64_t ld_le(const void *p, unsigned size)
{
    uint64_t v = 0;
    switch (size) {
    case 1: return *(const uint8_t *)p;
    case 2: return ld16le(p);
    case 4: return ld32le(p);
    case 8: return ld64le(p);
    default: memcpy(&v, p, size); return v;
    }
}

static inline void st_le(void *p, uint64_t v, unsigned size)
{
    switch (size) {
    case 1: *(uint8_t *)p = (uint8_t)v; break;
    case 2: st16le(p, (uint16_t)v); break;
    case 4: st32le(p, (uint32_t)v); break;
    case 8: st64le(p, v); break;
    default: memcpy(p, &v, size); break;
    }
}

#endif
