/* HPET (hw/chips/hpet), from [HPET] "Register Definitions", "Timer Operation", "Interrupt Mapping".
 * */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench.h"
#include "hw/chips/hpet.h"

enum { IRQ0, IRQ8, ROUTE2, ROUTE20 };
enum { LEVEL = 0x2, ENABLE = 0x4, PERIODIC = 0x8, SET_VALUE = 0x40, WIDTH32 = 0x100 };
enum { CAPS = 0x00, CONFIG = 0x10, STATUS = 0x20, COUNTER = 0xf0 };

struct rig {
    struct bench b;
    struct hpet hpet;
};

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    bench_init(&r->b);
    struct hpet_pins pins = {.irq0 = &r->b.probe[IRQ0].irq, .irq8 = &r->b.probe[IRQ8].irq};
    pins.route[2] = &r->b.probe[ROUTE2].irq;
    pins.route[20] = &r->b.probe[ROUTE20].irq;
    hpet_init(&r->hpet, &r->b.m, &pins);
    bench_power_on(&r->b);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    bench_fini(&r->b);
    free(r);
    return 0;
}

static uint64_t rd(struct rig *r, unsigned off)
{
    return space_read(&r->b.m.mem, HPET_BASE + off, 8);
}

static void wr(struct rig *r, unsigned off, uint64_t val)
{
    space_write(&r->b.m.mem, HPET_BASE + off, val, 8);
}

static unsigned config_of(unsigned n)
{
    return 0x100 + 0x20 * n;
}

static unsigned comparator_of(unsigned n)
{
    return 0x108 + 0x20 * n;
}

static void ticks(struct rig *r, int64_t n)
{
    bench_advance(&r->b, n * HPET_TICK_NS);
}

static unsigned rises(struct rig *r, unsigned wire)
{
    return r->b.probe[wire].rises;
}

static bool level(struct rig *r, unsigned wire)
{
    return r->b.probe[wire].level;
}

static void it_tells_three_timers_of_10_ns(void **state)
{
    struct rig *r = *state;
    assert_int_equal(rd(r, CAPS), 10000000ull << 32 | 0x8086a201);
    assert_int_equal(space_read(&r->b.m.mem, HPET_BASE + 4, 4), 10000000);
    for (unsigned n = 0; n < 3; n++) {
        assert_int_equal(rd(r, config_of(n)), (BIT64(2) | BIT64(20)) << 32 | 0x30);
        assert_int_equal(rd(r, comparator_of(n)), ~0ull);
    }
    assert_int_equal(rd(r, config_of(3)), 0);
}

static void the_counter_runs_while_enabled(void **state)
{
    struct rig *r = *state;
    ticks(r, 5);
    assert_int_equal(rd(r, COUNTER), 0);
    wr(r, CONFIG, 1);
    ticks(r, 1000);
    assert_int_equal(rd(r, COUNTER), 1000);
    wr(r, CONFIG, 0);
    ticks(r, 5);
    assert_int_equal(rd(r, COUNTER), 1000);
    wr(r, COUNTER, 0xfffffffffffffff0);
    wr(r, CONFIG, 1);
    ticks(r, 0x20);
    assert_int_equal(rd(r, COUNTER), 0x10);
}

static void halves_of_the_counter_can_be_written(void **state)
{
    struct rig *r = *state;
    space_write(&r->b.m.mem, HPET_BASE + COUNTER + 4, 0x12345678, 4);
    space_write(&r->b.m.mem, HPET_BASE + COUNTER, 0x9abcdef0, 4);
    assert_int_equal(rd(r, COUNTER), 0x123456789abcdef0);
    space_write(&r->b.m.mem, HPET_BASE + COUNTER, 0, 2); /* neither 32 nor 64 bits */
    assert_int_equal(rd(r, COUNTER), 0x123456789abcdef0);
}

static void a_one_shot_matches_once(void **state)
{
    struct rig *r = *state;
    wr(r, config_of(0), ENABLE | 2 << 9);
    wr(r, comparator_of(0), 100);
    wr(r, CONFIG, 1);
    ticks(r, 99);
    assert_int_equal(rises(r, ROUTE2), 0);
    ticks(r, 1);
    assert_int_equal(rises(r, ROUTE2), 1);
    assert_int_equal(rd(r, STATUS), 0); /* edges leave no status */
    ticks(r, 100000);
    assert_int_equal(rises(r, ROUTE2), 1);
}

static void a_one_shot_of_32_bits_matches_each_time_round(void **state)
{
    struct rig *r = *state;
    wr(r, COUNTER, 0xfffffff0);
    wr(r, config_of(1), ENABLE | WIDTH32 | 20 << 9);
    wr(r, comparator_of(1), 0x7700000010);
    assert_int_equal(rd(r, comparator_of(1)), 0x10);
    wr(r, comparator_of(2), 0x7700000010);
    wr(r, config_of(2), WIDTH32);
    assert_int_equal(rd(r, comparator_of(2)), 0x10);
    wr(r, CONFIG, 1);
    ticks(r, 0x1f);
    assert_int_equal(rises(r, ROUTE20), 0);
    ticks(r, 1);
    assert_int_equal(rises(r, ROUTE20), 1);
    ticks(r, 0x100000000);
    assert_int_equal(rises(r, ROUTE20), 2);
}

static void a_comparator_behind_the_counter_does_not_match(void **state)
{
    struct rig *r = *state;
    wr(r, COUNTER, 1000);
    wr(r, config_of(0), ENABLE | 2 << 9);
    wr(r, comparator_of(0), 999);
    wr(r, CONFIG, 1);
    ticks(r, 100000);
    assert_int_equal(rises(r, ROUTE2), 0);
}

static void a_periodic_timer_adds_its_period(void **state)
{
    struct rig *r = *state;
    wr(r, config_of(0), ENABLE | PERIODIC | SET_VALUE | 2 << 9);
    wr(r, comparator_of(0), 1000); /* with SET_VALUE the comparator, too */
    wr(r, comparator_of(0), 500);  /* then the period */
    assert_int_equal(rd(r, comparator_of(0)), 1000);
    assert_int_equal(rd(r, config_of(0)) & SET_VALUE, 0);
    wr(r, CONFIG, 1);
    ticks(r, 1000);
    assert_int_equal(rises(r, ROUTE2), 1);
    assert_int_equal(rd(r, comparator_of(0)), 1500);
    ticks(r, 499);
    assert_int_equal(rises(r, ROUTE2), 1);
    ticks(r, 1);
    assert_int_equal(rises(r, ROUTE2), 2);
    ticks(r, 5000);
    assert_int_equal(rises(r, ROUTE2), 12);
}

static void the_shortest_period_lets_time_pass(void **state)
{
    struct rig *r = *state;
    wr(r, config_of(0), ENABLE | PERIODIC | SET_VALUE | 2 << 9);
    wr(r, comparator_of(0), 1);
    wr(r, CONFIG, 1);
    ticks(r, 100000); /* fails if a timer fires again and again */
    assert_in_range(rises(r, ROUTE2), 990, 1010);
    assert_in_range(rd(r, comparator_of(0)), 99900, 100001);
}

static void a_level_triggered_timer_asks_until_its_status_is_cleared(void **state)
{
    struct rig *r = *state;
    wr(r, config_of(2), ENABLE | LEVEL | 2 << 9);
    wr(r, comparator_of(2), 10);
    wr(r, CONFIG, 1);
    ticks(r, 10);
    assert_int_equal(rd(r, STATUS), 4);
    assert_true(level(r, ROUTE2));
    wr(r, STATUS, 3);
    assert_true(level(r, ROUTE2));
    wr(r, STATUS, 4);
    assert_int_equal(rd(r, STATUS), 0);
    assert_false(level(r, ROUTE2));
}

static void timers_that_share_a_wire_are_ored(void **state)
{
    struct rig *r = *state;
    for (unsigned n = 1; n < 3; n++) {
        wr(r, config_of(n), ENABLE | LEVEL | 20 << 9);
        wr(r, comparator_of(n), 10 * n);
    }
    wr(r, CONFIG, 1);
    ticks(r, 20);
    assert_int_equal(rd(r, STATUS), 6);
    wr(r, STATUS, 2);
    assert_true(level(r, ROUTE20));
    wr(r, STATUS, 4);
    assert_false(level(r, ROUTE20));
}

static void legacy_replacement_takes_the_old_chips_interrupts(void **state)
{
    struct rig *r = *state;
    irq_set(&r->hpet.pit_in, true);
    assert_true(level(r, IRQ0));
    wr(r, config_of(0), ENABLE);
    wr(r, config_of(1), ENABLE);
    wr(r, comparator_of(0), 100);
    wr(r, comparator_of(1), 200);
    wr(r, CONFIG, 3);
    assert_false(level(r, IRQ0));
    irq_set(&r->hpet.rtc_in, true);
    assert_false(level(r, IRQ8));
    ticks(r, 100);
    assert_true(level(r, IRQ0));
    assert_false(level(r, IRQ8));
    ticks(r, 100);
    assert_true(level(r, IRQ8));
    wr(r, config_of(0), 0);
    assert_false(level(r, IRQ0));
    wr(r, CONFIG, 1);
    assert_true(level(r, IRQ0)); /* the 8254's level again */
    irq_set(&r->hpet.rtc_in, false);
    assert_false(level(r, IRQ8));
}

static void a_timer_without_a_wire_asks_nobody(void **state)
{
    struct rig *r = *state;
    wr(r, config_of(0), ENABLE | 3 << 9);
    assert_int_equal(rd(r, config_of(0)) & 0x3e00, 0);
    wr(r, comparator_of(0), 10);
    wr(r, CONFIG, 1);
    ticks(r, 20);
    for (unsigned i = 0; i < BENCH_PROBES; i++) {
        assert_int_equal(rises(r, i), 0);
    }
}

static void stopping_drops_the_wires(void **state)
{
    struct rig *r = *state;
    wr(r, config_of(0), ENABLE | LEVEL | 2 << 9);
    wr(r, comparator_of(0), 10);
    wr(r, CONFIG, 1);
    ticks(r, 10);
    assert_true(level(r, ROUTE2));
    wr(r, CONFIG, 0);
    assert_false(level(r, ROUTE2));
    wr(r, CONFIG, 1);
    assert_true(level(r, ROUTE2)); /* the status is still set */
}

static void reset_and_state_are_complete(void **state)
{
    struct rig *r = *state;
    bench_check_reset(&r->b);
    wr(r, config_of(0), ENABLE | PERIODIC | SET_VALUE);
    wr(r, comparator_of(0), 1000);
    wr(r, config_of(2), ENABLE | LEVEL | 2 << 9);
    wr(r, comparator_of(2), 10);
    wr(r, CONFIG, 3);
    ticks(r, 1234);
    bench_check_state(&r->b);
}

static void random_accesses_do_no_harm(void **state)
{
    struct rig *r = *state;
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t x = bench_random(&r->b), val = bench_random(&r->b);
        uint64_t wide = val | (x & 0x100000 ? (uint64_t)x << 32 : 0);
        unsigned off = x & 1 ? x >> 8 & 0x3ff : (x >> 8 & 0x3f) << 3, size = 1u << (x >> 4 & 3);
        if (x & 2) {
            space_write(&r->b.m.mem, HPET_BASE + off, wide, size);
        } else {
            space_read(&r->b.m.mem, HPET_BASE + off, size);
        }
        if ((val & 0xf00) == 0) {
            bench_advance(&r->b, x >> 15);
        }
        irq_set(val & 1 ? &r->hpet.pit_in : &r->hpet.rtc_in, val & 2);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_tells_three_timers_of_10_ns),
        T(the_counter_runs_while_enabled),
        T(halves_of_the_counter_can_be_written),
        T(a_one_shot_matches_once),
        T(a_one_shot_of_32_bits_matches_each_time_round),
        T(a_comparator_behind_the_counter_does_not_match),
        T(a_periodic_timer_adds_its_period),
        T(the_shortest_period_lets_time_pass),
        T(a_level_triggered_timer_asks_until_its_status_is_cleared),
        T(timers_that_share_a_wire_are_ored),
        T(legacy_replacement_takes_the_old_chips_interrupts),
        T(a_timer_without_a_wire_asks_nobody),
        T(stopping_drops_the_wires),
        T(reset_and_state_are_complete),
        T(random_accesses_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
