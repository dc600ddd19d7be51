/*
 * Code that was not there a moment ago: functions written and run once, a function that is patched
 * before each run, functions that take turns at one address, much code that runs once or twice.
 * Guest only.
 */
#include "kernel.h"

/* A function of 24 operations on EAX and a return: the bytes are the same in 32 and 64-bit code. */
#define OPERATIONS 24
#define FUNCTION_BYTES 128u

static uint8_t *put_op(uint8_t *at, uint8_t op, uint32_t val)
{
    *at++ = op;
    for (unsigned i = 0; i < 4; i++) {
        *at++ = (uint8_t)(val >> (8 * i));
    }
    return at;
}

static void write_function(uint8_t *at, uint32_t *seed)
{
    for (unsigned i = 0; i < OPERATIONS; i++) {
        uint32_t val = next_random(seed);
        at = put_op(at, val & 64 ? 0x05 : val & 32 ? 0x35 : 0x2d, val); /* add, xor, sub eax, val */
    }
    *at = 0xc3;                                         /* ret */
}

static uint32_t call(const uint8_t *code, uint32_t sum)
{
    uintptr_t val = sum;
    __asm__ volatile("call *%1" : "+a"(val) : "r"(code) : "memory", "cc");
    return (uint32_t)val;
}

uint32_t run_fresh(void)
{
    uint32_t sum = 0, seed = 1;
    for (unsigned i = 0; i < 60000; i++) {
        uint8_t *at = arena + (size_t)(i & 0xffff) * FUNCTION_BYTES;
        write_function(at, &seed);
        sum = call(at, sum);
    }
    return sum;
}

uint32_t run_patched(void)
{
    uint32_t sum = 0, seed = 1;
    write_function(arena, &seed);
    for (unsigned i = 0; i < 300000; i++) {
        put_op(arena + 5 * (i % OPERATIONS), 0x05, i);
        sum = call(arena, sum);
    }
    return sum;
}

uint32_t run_overlaid(void)
{
    uint32_t sum = 0, seed = 1;
    uint8_t *kept = arena + 4096;
    for (unsigned i = 0; i < 8; i++) {
        write_function(kept + i * FUNCTION_BYTES, &seed);
    }
    for (unsigned i = 0; i < 90000; i++) {
        __builtin_memcpy(arena, kept + (i & 7) * FUNCTION_BYTES, FUNCTION_BYTES);
        sum = call(arena, sum);
        sum = call(arena, sum);
        sum = call(arena, sum);
    }
    return sum;
}

/* 8 MiB of code: each function runs three times, and never soon again. */
uint32_t run_cold(void)
{
    uint32_t sum = 0, seed = 1;
    for (unsigned i = 0; i < 65536; i++) {
        write_function(arena + (size_t)i * FUNCTION_BYTES, &seed);
    }
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 65536; i++) {
            sum = call(arena + (size_t)i * FUNCTION_BYTES, sum);
        }
    }
    return sum;
}
