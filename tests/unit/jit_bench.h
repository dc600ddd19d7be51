/*
 * The interpreter on a bench (interp_bench.h) with the JIT; for a test's set-up and its end.
 */
#ifndef TESTS_UNIT_JIT_BENCH_H
#define TESTS_UNIT_JIT_BENCH_H

#include "unit/interp_bench.h"

#include "core/accel/jit/jit.h"

/* *state is the bench, which gets a JIT. */
static inline int jit_bench_begin(void **state, struct interp_bench *b)
{
    if (!jit_attach(b->e, NULL)) {
        abort();
    }
    *state = b;
    return 0;
}

static inline int jit_bench_end(void **state)
{
    struct interp_bench *b = *state;
    jit_detach(b->e);
    ibench_free(b);
    return 0;
}

#endif
