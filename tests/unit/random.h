/*
 * Numbers that look random, and are the same each time: of tests that make programs by a seed,
 * which take "[PROGRAMS [SEED]]" as arguments.
 */
#ifndef TESTS_UNIT_RANDOM_H
#define TESTS_UNIT_RANDOM_H

#include <stdint.h>
#include <stdlib.h>

static inline uint64_t random_step(uint64_t *seed)
{
    return *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
}

/* 31 bits */
static inline uint32_t random_32(uint64_t *seed)
{
    return (uint32_t)(random_step(seed) >> 33);
}

/* The low bits of a step are the least random ones: here they are on top. */
static inline uint64_t random_64(uint64_t *seed)
{
    uint64_t step = random_step(seed);
    return step >> 11 ^ step << 23;
}

static inline uint32_t random_below(uint64_t *seed, uint32_t n)
{
    return random_32(seed) % n;
}

static inline void random_arguments(int argc, char **argv, unsigned *programs, uint64_t *seed)
{
    *programs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : *programs;
    *seed = argc > 2 ? strtoull(argv[2], NULL, 0) : *seed;
}

#endif
