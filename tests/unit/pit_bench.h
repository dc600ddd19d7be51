/*
 * What the tests of the 8254 share: a chip whose counters 0 and 2 are on probes, and its outputs
 * and counts as text. Includes bench.h; a test program includes <cmocka.h> and what that needs
 * before.
 */
#ifndef TESTS_UNIT_PIT_BENCH_H
#define TESTS_UNIT_PIT_BENCH_H

#include "bench.h"

#include "core/base/alloc.h"
#include "hw/chips/i8254.h"

#include <stdlib.h>

#define BASE    0x40
#define CONTROL (BASE + 3)

struct pit_bench {
    struct bench b;
    struct i8254 pit;
    char text[512];
};

static inline int setup(void **state)
{
    struct pit_bench *p = NEW(struct pit_bench);
    bench_init(&p->b);
    i8254_init(&p->pit, &p->b.m, BASE, &p->b.probe[0].irq, &p->b.probe[2].irq);
    bench_power_on(&p->b);
    i8254_set_gate(&p->pit, 2, true);
    *state = p;
    return 0;
}

static inline int teardown(void **state)
{
    struct pit_bench *p = *state;
    bench_fini(&p->b);
    free(p);
    return 0;
}

static inline int64_t clk_ns(int64_t clk)
{
    return (int64_t)muldiv64_up((uint64_t)clk, NS_PER_SEC, I8254_HZ);
}

static inline int64_t clk_now(struct pit_bench *p)
{
    return (int64_t)muldiv64((uint64_t)(bench_now(&p->b) - p->pit.epoch_ns), I8254_HZ, NS_PER_SEC);
}

static inline void clk(struct pit_bench *p, int64_t n)
{
    bench_advance_to(&p->b, p->pit.epoch_ns + clk_ns(clk_now(p) + n));
}

static inline void control(struct pit_bench *p, uint8_t val)
{
    bench_out8(&p->b, CONTROL, val);
}

static inline void write8(struct pit_bench *p, unsigned n, uint8_t val)
{
    bench_out8(&p->b, (uint16_t)(BASE + n), val);
}

static inline void write16(struct pit_bench *p, unsigned n, uint16_t val)
{
    write8(p, n, (uint8_t)val);
    write8(p, n, (uint8_t)(val >> 8));
}

static inline uint8_t read8(struct pit_bench *p, unsigned n)
{
    return bench_in8(&p->b, (uint16_t)(BASE + n));
}

static inline uint16_t read16(struct pit_bench *p, unsigned n)
{
    uint8_t low = read8(p, n);
    return (uint16_t)(low | read8(p, n) << 8);
}

static inline uint16_t latched16(struct pit_bench *p, unsigned n)
{
    control(p, (uint8_t)(n << 6));
    return read16(p, n);
}

static inline uint8_t status(struct pit_bench *p, unsigned n)
{
    control(p, (uint8_t)(0xe0 | 2 << n));
    return read8(p, n);
}

/* Programs counter @n for @mode with a two-byte count; the load takes the CLK that passes here. */
static inline void program(struct pit_bench *p, unsigned n, unsigned mode, uint16_t count)
{
    control(p, (uint8_t)(n << 6 | 0x30 | mode << 1));
    write16(p, n, count);
    clk(p, 1);
}

static inline void gate(struct pit_bench *p, unsigned n, bool level)
{
    i8254_set_gate(&p->pit, n, level);
}

static inline bool out(struct pit_bench *p, unsigned n)
{
    return i8254_out(&p->pit, n, clock_now(&p->b.m.clock));
}

/* OUT of counter @n now and in the CLKs that follow, as H and L; the wire must agree. */
static inline const char *levels(struct pit_bench *p, unsigned n, unsigned clks)
{
    for (unsigned i = 0; i < clks; i++) {
        bool level = out(p, n);
        p->text[i] = level ? 'H' : 'L';
        if (n != 1) {
            assert_int_equal(level, p->b.probe[n].level);
        }
        clk(p, 1);
    }
    p->text[clks] = 0;
    return p->text;
}

/* The counting element now and in the CLKs that follow, read through the latch. */
static inline const char *counts(struct pit_bench *p, unsigned n, unsigned clks)
{
    p->text[0] = 0;
    for (unsigned i = 0; i < clks; i++) {
        sprintf(p->text + strlen(p->text), i == 0 ? "%x" : " %x", latched16(p, n));
        clk(p, 1);
    }
    return p->text;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
