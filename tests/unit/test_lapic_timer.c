/* The local APIC's timer (hw/chips/lapic_timer), from [SDM3] "APIC Timer", "TSC-Deadline Mode". */
#include "lapic_bench.h"

/* ---- timer: 1 GHz ---- */

static void the_one_shot_timer_counts_down_once(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    wr(r, 0, TIMER, 0x40);
    wr(r, 0, DIVIDE, 0xb);
    wr(r, 0, INITIAL, 1000);
    bench_advance(&r->b, 400);
    assert_int_equal(rd(r, 0, CURRENT), 600);
    bench_advance(&r->b, 599);
    assert_int_equal(take(r, 0), -1);
    bench_advance(&r->b, 1);
    assert_int_equal(take(r, 0), 0x40);
    assert_int_equal(rd(r, 0, CURRENT), 0);
    wr(r, 0, EOI, 0);
    bench_advance(&r->b, 100000);
    assert_int_equal(take(r, 0), -1);
}

static void the_periodic_timer_starts_again(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    wr(r, 0, TIMER, 0x20041);
    wr(r, 0, DIVIDE, 0xb);
    wr(r, 0, INITIAL, 10000);
    for (unsigned i = 0; i < 5; i++) {
        bench_advance(&r->b, 9999);
        assert_int_equal(take(r, 0), -1);
        bench_advance(&r->b, 1);
        assert_int_equal(rd(r, 0, CURRENT), 10000);
        assert_int_equal(take(r, 0), 0x41);
        wr(r, 0, EOI, 0);
    }
    wr(r, 0, INITIAL, 0);
    bench_advance(&r->b, 100000);
    assert_int_equal(take(r, 0), -1);
}

static void ticks_that_are_not_taken_are_lost(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    wr(r, 0, TIMER, 0x20041);
    wr(r, 0, DIVIDE, 0xb);
    wr(r, 0, INITIAL, 10000);
    bench_advance(&r->b, 55000);
    assert_int_equal(take(r, 0), 0x41);
    wr(r, 0, EOI, 0);
    bench_advance(&r->b, 4999);
    assert_int_equal(take(r, 0), -1);
    bench_advance(&r->b, 1);
    assert_int_equal(take(r, 0), 0x41);
}

static void a_masked_timer_counts_silently(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    wr(r, 0, TIMER, 0x10040);
    wr(r, 0, DIVIDE, 0xb);
    wr(r, 0, INITIAL, 1000);
    bench_advance(&r->b, 999);
    assert_int_equal(rd(r, 0, CURRENT), 1);
    bench_advance(&r->b, 1000);
    wr(r, 0, TIMER, 0x40);
    bench_advance(&r->b, 1000);
    assert_int_equal(take(r, 0), -1);
}

static void the_divider_divides_by_1_to_128(void **state)
{
    static const uint8_t code[] = {0xb, 0, 1, 2, 3, 8, 9, 0xa};
    struct rig *r = *state;
    enable_all(r);
    for (unsigned i = 0; i < ARRAY_SIZE(code); i++) {
        wr(r, 0, DIVIDE, code[i]);
        wr(r, 0, INITIAL, 1000);
        bench_advance(&r->b, 128);
        assert_int_equal(rd(r, 0, CURRENT), 1000 - (128 >> i));
    }
}

static void a_new_divider_goes_on_from_the_count(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    wr(r, 0, TIMER, 0x40);
    wr(r, 0, DIVIDE, 0xb);
    wr(r, 0, INITIAL, 1000);
    bench_advance(&r->b, 500);
    wr(r, 0, DIVIDE, 0);
    assert_int_equal(rd(r, 0, CURRENT), 500);
    bench_advance(&r->b, 999);
    assert_int_equal(take(r, 0), -1);
    bench_advance(&r->b, 1);
    assert_int_equal(take(r, 0), 0x40);
}

static void the_shortest_period_lets_time_pass(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    wr(r, 0, TIMER, 0x20005); /* an illegal vector at that: never pending */
    wr(r, 0, DIVIDE, 0xb);
    wr(r, 0, INITIAL, 1);
    bench_advance(&r->b, NS_PER_MS); /* fails if a timer fires again and again */
    wr(r, 0, ESR, 0);
    assert_int_equal(rd(r, 0, ESR), 0x40);
}

static void a_tsc_deadline_fires_once_and_reads_0_then(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    lapic_set_deadline(&r->apic[0], 777, 5000); /* not in that mode: ignored */
    assert_int_equal(msr(r, 0, 0x6e0), 0);
    wr(r, 0, TIMER, 0x40042);
    wr(r, 0, INITIAL, 5);
    assert_int_equal(rd(r, 0, CURRENT), 0);
    lapic_set_deadline(&r->apic[0], 777, 5000);
    assert_int_equal(msr(r, 0, 0x6e0), 777);
    bench_advance_to(&r->b, 4999);
    assert_int_equal(take(r, 0), -1);
    bench_advance_to(&r->b, 5000);
    assert_int_equal(take(r, 0), 0x42);
    assert_int_equal(msr(r, 0, 0x6e0), 0);
    wr(r, 0, EOI, 0);
    lapic_set_deadline(&r->apic[0], 888, 9000);
    lapic_set_deadline(&r->apic[0], 0, 0);
    bench_advance_to(&r->b, 20000);
    assert_int_equal(take(r, 0), -1);
}

static void the_count_goes_on_when_the_mode_changes(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    wr(r, 0, DIVIDE, 0xb);
    wr(r, 0, TIMER, 0x10040);
    wr(r, 0, INITIAL, 100000);
    bench_advance(&r->b, 60000);
    wr(r, 0, TIMER, 0x30040); /* periodic */
    assert_int_equal(rd(r, 0, CURRENT), 40000);
    assert_int_equal(rd(r, 0, INITIAL), 100000);
    bench_advance(&r->b, 250000); /* twice around, and some */
    assert_int_equal(rd(r, 0, CURRENT), 90000);
    wr(r, 0, TIMER, 0x10040); /* one-shot */
    assert_int_equal(rd(r, 0, CURRENT), 90000);
    bench_advance(&r->b, 89999);
    assert_int_equal(rd(r, 0, CURRENT), 1);
    bench_advance(&r->b, 1);
    assert_int_equal(rd(r, 0, CURRENT), 0);
}

static void a_one_shot_that_ended_does_not_start_again_as_periodic(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    wr(r, 0, DIVIDE, 0xb);
    wr(r, 0, TIMER, 0x40);
    wr(r, 0, INITIAL, 1000);
    bench_advance(&r->b, 1500);
    assert_int_equal(take(r, 0), 0x40);
    wr(r, 0, EOI, 0);
    wr(r, 0, TIMER, 0x20040);
    bench_advance(&r->b, 5000);
    assert_int_equal(rd(r, 0, CURRENT), 0);
    assert_int_equal(take(r, 0), -1);
    wr(r, 0, INITIAL, 1000);
    bench_advance(&r->b, 1000);
    assert_int_equal(take(r, 0), 0x40);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_one_shot_timer_counts_down_once),
        T(the_periodic_timer_starts_again),
        T(ticks_that_are_not_taken_are_lost),
        T(a_masked_timer_counts_silently),
        T(the_divider_divides_by_1_to_128),
        T(a_new_divider_goes_on_from_the_count),
        T(the_shortest_period_lets_time_pass),
        T(a_tsc_deadline_fires_once_and_reads_0_then),
        T(the_count_goes_on_when_the_mode_changes),
        T(a_one_shot_that_ended_does_not_start_again_as_periodic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
