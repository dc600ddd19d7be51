/* Kernels that wait for memory. */
#include "kernel.h"

static inline uint32_t change_word(uint32_t *word, uint32_t sum)
{
    sum += *word;
    *word = sum;
    return sum;
}

/* Words changed here and there, as counters or cells of a table are: no address depends on what was
 * read, so a processor works on many at once. A random number serves four words, in four parts of
 * the memory: else its multiplications, one after the other, would be what takes the time. */
static uint32_t random_reads(uint32_t bytes, unsigned rounds)
{
    uint32_t *at = (uint32_t *)arena, mask = bytes / 4 - 1, part = bytes / 16, seed = 5, sum = 0;
    for (uint32_t i = 0; i <= mask; i++) {
        at[i] = i * 7;
    }
    for (unsigned i = 0; i < rounds; i += 4) {
        uint32_t where = next_random(&seed) & mask;
        sum = change_word(&at[where], sum);
        sum = change_word(&at[where ^ part], sum);
        sum = change_word(&at[where ^ part * 2], sum);
        sum = change_word(&at[where ^ part * 3], sum);
    }
    return sum;
}

uint32_t run_random_small(void)
{
    return random_reads(256u << 10, 12000000);
}

uint32_t run_random_large(void)
{
    return random_reads(16u << 20, 6000000);
}

/* A ring of pointers, a cache line apart, in an order without steps of one size: lists and trees,
 * where each address is what was read last, so that what is measured is how long a read takes. */
static uint32_t chase(uint32_t bytes, unsigned rounds)
{
    uint32_t n = bytes / 64, from = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t to = (from * 5 + 3) & (n - 1);         /* a full period: 5 % 4 is 1, 3 is odd */
        *(void **)(arena + (size_t)from * 64) = arena + (size_t)to * 64;
        from = to;
    }
    void **at = (void **)arena;
    for (unsigned i = 0; i < rounds; i++) {
        at = *at;
    }
    return (uint32_t)((uint8_t *)at - arena);
}

uint32_t run_chase_small(void)
{
    return chase(256u << 10, 12000000);
}

uint32_t run_chase_large(void)
{
    return chase(16u << 20, 2000000);
}

uint32_t run_stride(void)
{
    uint32_t sum = 0;
    __builtin_memset(arena, 1, 16u << 20);
    for (unsigned round = 0; round < 300; round++) {
        for (uint32_t i = 0; i < 16u << 20; i += 4160) {
            uint32_t *at = (uint32_t *)(arena + i);
            sum += *at;
            *at = sum + round;
        }
    }
    for (unsigned round = 0; round < 8; round++) {
        for (uint32_t i = 0; i < 16u << 20; i += 64) {
            sum += *(uint32_t *)(arena + i);
        }
    }
    return sum;
}

static uint32_t copy(uint32_t bytes, unsigned rounds)
{
    uintptr_t *from = (uintptr_t *)arena, *to = (uintptr_t *)(arena + bytes + 4096);
    uintptr_t sum = 0;
    for (uint32_t i = 0; i < bytes / 4; i++) {
        ((uint32_t *)from)[i] = i * 3;
    }
    for (unsigned round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < bytes / sizeof(*from); i++) {
            uintptr_t val = from[i];
            __asm__ volatile("" : "+r"(val));           /* a word at a time */
            to[i] = val;
            sum += val;
        }
    }
    return (uint32_t)sum;
}

uint32_t run_copy_small(void)
{
    return copy(256u << 10, sizeof(uintptr_t) == 8 ? 2000 : 1000);
}

uint32_t run_copy_large(void)
{
    return copy(16u << 20, 4);
}

static void rep_copy(uint8_t *to, const uint8_t *from, size_t bytes)
{
    size_t n = bytes / 4;
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static void rep_fill(uint8_t *to, uint32_t val, size_t bytes)
{
    size_t n = bytes / 4;
    __asm__ volatile("rep stosl" : "+D"(to), "+c"(n) : "a"(val) : "memory");
}

/* REP MOVS and STOS: large ones, ones of a page, and short ones. */
uint32_t run_bulk(void)
{
    uint32_t sum = 0;
    for (unsigned round = 0; round < 6; round++) {
        rep_fill(arena, round * 0x01020304 + 1, 8u << 20);
        rep_copy(arena + (16u << 20), arena, 8u << 20);
        sum = mix(sum, *(uint32_t *)(arena + (20u << 20)));
    }
    for (unsigned round = 0; round < 10000; round++) {
        rep_copy(arena + (round & 63) * 4096, arena + (16u << 20), 4096);
    }
    for (unsigned round = 0; round < 400000; round++) {
        rep_copy(arena + (round & 1023) * 32, arena + (16u << 20), 32);
    }
    return sum ^ *(uint32_t *)(arena + 4096);
}

/* The stack: pushes and pops in a row. */
uint32_t run_push(void)
{
    uintptr_t a = 1, b = 2;
    for (unsigned i = 0; i < 40000000; i++) {
        __asm__ volatile("push %0; push %1; push %0; add %1, %0; pop %1; add %0, %1; pop %0; pop %1"
                         : "+r"(a), "+r"(b) : : "memory", "cc");
        b += i;
    }
    return (uint32_t)(a ^ b);
}
