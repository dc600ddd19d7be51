/* Integer kernels. */
#include "kernel.h"

uint32_t run_alu(void)
{
    uint32_t a = 1, b = 3, c = 0;
    for (unsigned i = 0; i < 15000000; i++) {
        a += b;
        b ^= c;
        c = c + a * 2 + 5;
        a = a >> 1 | a << 31;
        b -= a;
        c >>= 3;
        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c));
    }
    return a + b + c;
}

/* ---- an interpreter of byte code: how long is the sequence n / 2, 3n + 1, for every n ---- */

enum op { OP_LOAD, OP_ODD, OP_JUMP_ZERO, OP_HALVE, OP_TRIPLE, OP_COUNT, OP_JUMP_NOT_ONE, OP_END };

static const uint8_t program[] = {
    OP_LOAD, OP_COUNT, OP_ODD, OP_JUMP_ZERO, 9, OP_TRIPLE, OP_JUMP_NOT_ONE, 1, OP_END,
    OP_HALVE, OP_JUMP_NOT_ONE, 1, OP_END,
};

static uint32_t interpret(const uint8_t *code, uint32_t n)
{
    uint32_t reg = 0, flag = 0, count = 0;
    for (unsigned pc = 0;;) {
        switch (code[pc++]) {
        case OP_LOAD: reg = n; break;
        case OP_ODD: flag = reg & 1; break;
        case OP_JUMP_ZERO: pc = flag ? pc + 1 : code[pc]; break;
        case OP_HALVE: reg >>= 1; break;
        case OP_TRIPLE: reg = reg * 3 + 1; break;
        case OP_COUNT: count++; break;
        case OP_JUMP_NOT_ONE: pc = reg != 1 ? code[pc] : pc + 1; break;
        default: return count;
        }
    }
}

uint32_t run_vm(void)
{
    uint32_t sum = 0;
    for (uint32_t n = 1; n < 30000; n++) {
        sum = mix(sum, interpret(program, n));
    }
    return sum;
}

uint32_t run_sieve(void)
{
    const uint32_t size = 1000000;
    uint32_t count = 0;
    for (unsigned round = 0; round < 12; round++) {
        __builtin_memset(arena, 1, size);
        for (uint32_t i = 2; i * i < size; i++) {
            for (uint32_t k = i * i; arena[i] && k < size; k += i) {
                arena[k] = 0;
            }
        }
        for (uint32_t i = 2; i < size; i++) {
            count += arena[i];
        }
    }
    return count;
}

static void fill(uint32_t bytes)
{
    uint32_t seed = 1;
    for (uint32_t i = 0; i < bytes; i++) {
        arena[i] = (uint8_t)next_random(&seed);
    }
}

uint32_t run_crc(void)
{
    uint32_t *table = (uint32_t *)(arena + (1 << 20)), crc = ~0u;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t val = i;
        for (unsigned bit = 0; bit < 8; bit++) {
            val = val >> 1 ^ (val & 1 ? 0xedb88320 : 0);
        }
        table[i] = val;
    }
    fill(1 << 18);
    for (unsigned round = 0; round < 100; round++) {
        for (uint32_t i = 0; i < 1 << 18; i++) {
            crc = crc >> 8 ^ table[(crc ^ arena[i]) & 0xff];
        }
    }
    return ~crc;
}

uint32_t run_crc_bits(void)
{
    uint32_t crc = ~0u;
    fill(1 << 18);
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 1 << 18; i++) {
            crc ^= arena[i];
            for (unsigned bit = 0; bit < 8; bit++) {
                if (crc & 1) {
                    crc = crc >> 1 ^ 0xedb88320;
                } else {
                    crc >>= 1;
                }
                __asm__ volatile("" : "+r"(crc));
            }
        }
    }
    return ~crc;
}

static void quick_sort(uint32_t *at, int32_t low, int32_t high)
{
    while (low < high) {
        uint32_t middle = at[(low + high) / 2];
        int32_t i = low, k = high;
        while (i <= k) {
            while (at[i] < middle) {
                i++;
            }
            while (at[k] > middle) {
                k--;
            }
            if (i <= k) {
                uint32_t val = at[i];
                at[i++] = at[k];
                at[k--] = val;
            }
        }
        quick_sort(at, low, k);
        low = i;
    }
}

uint32_t run_sort(void)
{
    uint32_t *at = (uint32_t *)arena, seed = 7, sum = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 200000; i++) {
            at[i] = next_random(&seed);
        }
        quick_sort(at, 0, 199999);
        for (unsigned i = 0; i < 200000; i += 1000) {
            sum = mix(sum, at[i]);
        }
    }
    return sum;
}

/* ---- matches of three bytes or more, found by a hash ---- */

#define LZ_BYTES (256u << 10)

static uint32_t lz_pack(const uint8_t *in, uint8_t *out, uint32_t *last)
{
    uint32_t o = 0;
    for (uint32_t i = 0; i < LZ_BYTES;) {
        uint32_t key = ((in[i] | in[i + 1] << 8 | (uint32_t)in[i + 2] << 16) * 2654435761u) >> 18;
        uint32_t from = last[key], n = 0;
        last[key] = i;
        while (from < i && i - from < 65536 && i + n < LZ_BYTES && n < 127 &&
               in[from + n] == in[i + n]) {
            n++;
        }
        if (n >= 3) {
            out[o++] = (uint8_t)(0x80 | n);
            out[o++] = (uint8_t)(i - from);
            out[o++] = (uint8_t)((i - from) >> 8);
            i += n;
        } else {
            out[o++] = in[i++] & 0x7f;
        }
    }
    return o;
}

static uint32_t lz_unpack(const uint8_t *in, uint32_t bytes, uint8_t *out)
{
    uint32_t o = 0;
    for (uint32_t i = 0; i < bytes;) {
        uint32_t n = in[i++];
        if (n < 0x80) {
            out[o++] = (uint8_t)n;
            continue;
        }
        uint32_t from = o - (in[i] | in[i + 1] << 8);
        i += 2;
        for (n &= 0x7f; n > 0; n--) {
            out[o++] = out[from++];
        }
    }
    return o;
}

uint32_t run_lz(void)
{
    static const char words[8][8] = {"the ",  "of ", "machine ", "in ",
                                     "code ", "a ",  "guest ",   "and "};
    uint8_t *plain = arena, *packed = arena + (1 << 20), *again = arena + (2 << 20);
    uint32_t *last = (uint32_t *)(arena + (3 << 20)), seed = 3, sum = 0;
    for (uint32_t i = 0; i < LZ_BYTES + 16;) {
        const char *word = words[next_random(&seed) & 7];
        while (*word) {
            plain[i++] = (uint8_t)*word++;
        }
    }
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = 0; i < 1 << 14; i++) {
            last[i] = ~0u;
        }
        uint32_t bytes = lz_pack(plain, packed, last);
        sum = mix(sum, bytes);
        sum = mix(sum, lz_unpack(packed, bytes, again));
        sum = mix(sum, again[bytes]);
    }
    return sum;
}

uint32_t run_hash(void)
{
    uint32_t hash = 0x811c9dc5, *counts = (uint32_t *)(arena + (1 << 20));
    fill(1 << 18);
    __builtin_memset(counts, 0, 4096 * sizeof(*counts));
    for (unsigned round = 0; round < 50; round++) {
        for (uint32_t i = 0; i < 1 << 18; i++) {
            hash = (hash ^ arena[i]) * 0x1000193;
            counts[hash >> 20] += i;
        }
    }
    return hash ^ counts[77];
}

/* A hash table with open addressing: insert, then look up numbers of which half are there. */
uint32_t run_table(void)
{
    uintptr_t *slot = (uintptr_t *)arena;
    const uint32_t mask = (1 << 17) - 1;
    uint32_t found = 0, seed = 11;
    for (uint32_t i = 0; i <= mask; i++) {
        slot[i] = 0;
    }
    for (unsigned i = 0; i < 70000; i++) {
        uintptr_t key = next_random(&seed) | 1;
        uint32_t at = (uint32_t)(key * 2654435761u) >> 15 & mask;
        while (slot[at] && slot[at] != key) {
            at = (at + 1) & mask;
        }
        slot[at] = key;
    }
    seed = 11;
    for (unsigned i = 0; i < 1500000; i++) {
        uintptr_t key = next_random(&seed) | 1;
        uint32_t at = (uint32_t)(key * 2654435761u) >> 15 & mask;
        while (slot[at] && slot[at] != key) {
            at = (at + 1) & mask;
        }
        found += slot[at] == key;
    }
    return found;
}

/* Numbers of many digits: factorials. */
uint32_t run_big(void)
{
    uint32_t *digit = (uint32_t *)arena, sum = 0;
    uint32_t n = 1;
    digit[0] = 1;
    for (uint32_t factor = 2; factor < 6000; factor++) {
        uint64_t carry = 0;
        for (uint32_t i = 0; i < n; i++) {
            carry += (uint64_t)digit[i] * factor;
            digit[i] = (uint32_t)carry;
            carry >>= 32;
        }
        if (carry) {
            digit[n++] = (uint32_t)carry;
        }
        sum = mix(sum, digit[n / 2]);
    }
    for (unsigned round = 0; round < 12; round++) {
        for (uint32_t shift = 0; shift < n / 2; shift++) {
            uint64_t carry = 0;
            for (uint32_t i = 0; i + shift < n; i++) {
                carry += (uint64_t)digit[i + shift] + digit[i];
                digit[i + shift] = (uint32_t)carry;
                carry >>= 32;
            }
        }
        sum = mix(sum, digit[n / 2]);
    }
    return sum;
}

#ifdef __x86_64__

uint32_t run_mul128(void)
{
    uint64_t a = 0x9e3779b97f4a7c15, sum = 0;
    for (unsigned i = 0; i < 12000000; i++) {
        unsigned __int128 product = (unsigned __int128)a * (a ^ i);
        a = (uint64_t)(product >> 64) ^ (uint64_t)product;
        sum += a;
    }
    return (uint32_t)(sum ^ sum >> 32);
}

uint32_t run_div128(void)
{
    uint64_t a = 0x9e3779b97f4a7c15, sum = 0;
    for (unsigned i = 0; i < 3000000; i++) {
        uint64_t low = a, high = a >> 3, by = a | 1ull << 63;
        __asm__("divq %2" : "+a"(low), "+d"(high) : "r"(by) : "cc");
        a = a * 6364136223846793005 + 1442695040888963407 + low;
        sum += low ^ high;
    }
    return (uint32_t)(sum ^ sum >> 32);
}

#endif
