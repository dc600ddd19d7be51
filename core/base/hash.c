/*
 * The digest hash: four 64-bit lanes, each a running multiply-mix over its eight bytes of a 32-byte
 * stripe, folded at the end. The constants are odd numbers with well spread bits (from the
 * fractions of square roots of small primes); any change of them changes every recorded digest.
 */
#include "core/base/hash.h"

#include "core/base/bytes.h"

#define K0 0x6a09e667f3bcc909ull
#define K1 0xbb67ae8584caa73bull
#define K2 0x3c6ef372fe94f82bull
#define K3 0xa54ff53a5f1d36f1ull

/* Both halves of the 128-bit product, so that no input bit is lost upward. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t lane(uint64_t acc, uint64_t word, uint64_t k)
{
    acc = (acc ^ word) * k;
    return acc ^ (acc >> 32);
}

uint64_t hash_bytes(uint64_t seed, const void *data, size_t n)
{
    if (n == 0) {
        return seed;
    }
    const uint8_t *p = data;
    uint64_t a = seed ^ K0, b = seed + K1, c = seed ^ K2, d = seed - K3;
    uint64_t total = n;
    for (; n >= 32; n -= 32, p += 32) {
        a = lane(a, ld64le(p), K1);
        b = lane(b, ld64le(p + 8), K2);
        c = lane(c, ld64le(p + 16), K3);
        d = lane(d, ld64le(p + 24), K0);
    }
    if (n != 0) {
        uint8_t tail[32] = {0};
        memcpy(tail, p, n);
        a = lane(a, ld64le(tail), K1);
        b = lane(b, ld64le(tail + 8), K2);
        c = lane(c, ld64le(tail + 16), K3);
        d = lane(d, ld64le(tail + 24), K0);
    }
    uint64_t h = mix(a ^ K0, b ^ K1) ^ (total * K2);
    h = mix(h ^ K1, c ^ K3) + d;
    return mix(h ^ K2, d ^ K0) ^ h;
}
