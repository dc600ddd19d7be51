/* Calls: recursion, leaves, through one pointer, through many, jump tables. */
#include "kernel.h"

static __attribute__((noinline)) uint32_t fib(uint32_t n)
{
    uint32_t sum = 1;
    while (n >= 2) {
        sum += fib(n - 1);
        __asm__ volatile("" : "+r"(sum));               /* no unfolding of the recursion */
        n -= 2;
    }
    return sum;
}

uint32_t run_recursion(void)
{
    return fib(36);
}

static __attribute__((noinline)) uint32_t add(uint32_t a, uint32_t b)
{
    __asm__ volatile("");
    return a + b;
}

static __attribute__((noinline)) uint32_t turn(uint32_t a, uint32_t b)
{
    __asm__ volatile("");
    return (a << 1 | a >> 31) ^ b;
}

static __attribute__((noinline)) uint32_t take(uint32_t a, uint32_t b)
{
    __asm__ volatile("");
    return a - b;
}

static __attribute__((noinline)) uint32_t twist(uint32_t a, uint32_t b)
{
    __asm__ volatile("");
    return a * 3 + b;
}

uint32_t run_calls(void)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 8000000; i++) {
        sum = add(sum, i);
        sum = turn(sum, i);
    }
    return sum;
}

static uint32_t (*volatile functions[8])(uint32_t, uint32_t);

static void fill_functions(void)
{
    for (unsigned i = 0; i < 8; i++) {
        functions[i] = i % 4 == 0 ? add : i % 4 == 1 ? turn : i % 4 == 2 ? take : twist;
    }
}

uint32_t run_indirect_one(void)
{
    uint32_t sum = 0;
    fill_functions();
    for (uint32_t i = 0; i < 15000000; i++) {
        sum = functions[4](sum, i);
    }
    return sum;
}

uint32_t run_indirect_many(void)
{
    uint32_t sum = 0, seed = 9;
    fill_functions();
    for (uint32_t i = 0; i < 4000000; i++) {
        sum = functions[next_random(&seed) >> 5 & 7](sum, i);
    }
    return sum;
}

uint32_t run_cases(void)
{
    uint32_t sum = 0, seed = 1;
    for (uint32_t i = 0; i < 4000000; i++) {
        uint32_t val = next_random(&seed);
        switch (val >> 9 & 15) {
        case 0: sum += val; break;
        case 1: sum ^= val; break;
        case 2: sum -= val; break;
        case 3: sum++; break;
        case 4: sum = sum << 1 | sum >> 31; break;
        case 5: sum += 5; break;
        case 6: sum = ~sum; break;
        case 7: sum--; break;
        case 8: sum *= 3; break;
        case 9: sum ^= sum >> 3; break;
        case 10: sum += val >> 4; break;
        case 11: sum ^= i; break;
        case 12: sum -= i; break;
        case 13: sum = -sum; break;
        case 14: sum += sum << 2; break;
        default: sum ^= 0x5a5a; break;
        }
        __asm__ volatile("" : "+r"(sum));
    }
    return sum;
}
