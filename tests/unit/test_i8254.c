/* The 8254, section by section of its data sheet ([8254]): programming, reading, pins, state. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pit_bench.h"

/* ---- "Programming the 8254": control word, write operations ---- */

static void a_control_word_sets_out_to_the_initial_level_of_its_mode(void **state)
{
    struct pit_bench *p = *state;
    for (unsigned n = 0; n < 3; n++) {
        for (unsigned mode = 0; mode < 6; mode++) {
            control(p, (uint8_t)(n << 6 | 0x30 | mode << 1));
            assert_int_equal(out(p, n), mode != 0);
        }
    }
}

static void without_a_count_nothing_happens(void **state)
{
    struct pit_bench *p = *state;
    control(p, 0x34);
    assert_string_equal(levels(p, 0, 6), "HHHHHH");
    assert_false(timer_armed(&p->pit.counter[0].timer));
}

static void the_control_word_register_cannot_be_read(void **state)
{
    struct pit_bench *p = *state;
    control(p, 0x34);
    assert_int_equal(bench_in8(&p->b, CONTROL), 0xff);
}

static void a_least_significant_byte_count_has_zero_above(void **state)
{
    struct pit_bench *p = *state;
    control(p, 0x14); /* counter 0, LSB, mode 2 */
    write8(p, 0, 5);
    clk(p, 1);
    assert_string_equal(levels(p, 0, 10), "HHHHLHHHHL");
}

static void a_most_significant_byte_count_has_zero_below(void **state)
{
    struct pit_bench *p = *state;
    control(p, 0x20); /* counter 0, MSB, mode 0 */
    write8(p, 0, 1);
    clk(p, 1);
    assert_int_equal(p->pit.counter[0].cr, 0x100);
    clk(p, 0xff);
    assert_false(out(p, 0));
    clk(p, 1);
    assert_true(out(p, 0));
}

static void counters_are_written_in_any_order(void **state) /* "Write Operations", figure 6 */
{
    struct pit_bench *p = *state;
    control(p, 0x30);
    control(p, 0x70);
    control(p, 0xb0);
    write8(p, 2, 0x22);
    write8(p, 1, 0x11);
    write8(p, 0, 0x00);
    write8(p, 1, 0x01);
    write8(p, 0, 0x01);
    write8(p, 2, 0x02);
    clk(p, 1);
    assert_int_equal(latched16(p, 0), 0x100);
    assert_int_equal(latched16(p, 1), 0x111);
    assert_int_equal(latched16(p, 2), 0x222);
}

static void a_new_count_needs_no_new_control_word(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 3);
    clk(p, 5);
    write16(p, 0, 2);
    clk(p, 1);
    assert_string_equal(levels(p, 0, 4), "LLHH");
}

/* ---- "Read Operations" ---- */

static void a_simple_read_gives_the_running_count_low_byte_first(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 0x1234);
    assert_int_equal(read8(p, 0), 0x34);
    assert_int_equal(read8(p, 0), 0x12);
    clk(p, 4);
    assert_int_equal(read16(p, 0), 0x1230);
}

static void a_latched_count_is_held_until_it_is_read(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 1000);
    control(p, 0x00);
    clk(p, 100);
    assert_int_equal(read16(p, 0), 1000);
    assert_int_equal(read16(p, 0), 900); /* follows the counting element again */
}

static void a_second_latch_command_is_ignored(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 1000);
    control(p, 0x00);
    clk(p, 10);
    control(p, 0x00);
    assert_int_equal(read16(p, 0), 1000);
}

static void latching_does_not_disturb_the_counting(void **state)
{
    struct pit_bench *p = *state;
    program(p, 2, 2, 4);
    control(p, 0x80);
    assert_string_equal(levels(p, 2, 8), "HHHLHHHL");
}

static void a_control_word_releases_the_latch(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 1000);
    control(p, 0xc2); /* status and count */
    program(p, 0, 0, 500);
    assert_int_equal(read16(p, 0), 500);
}

static void reads_and_writes_of_one_counter_may_be_mixed(void **state)
{
    struct pit_bench *p = *state; /* read LSB, write LSB, read MSB, write MSB */
    program(p, 1, 0, 0x1234);
    assert_int_equal(read8(p, 1), 0x34);
    write8(p, 1, 0x78);
    assert_int_equal(read8(p, 1), 0x12);
    write8(p, 1, 0x56);
    clk(p, 1);
    assert_int_equal(read16(p, 1), 0x5678);
}

static void latch_inside_a_word(void **state) /* not in the sheet: what we chose */
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 0x1300);
    assert_int_equal(read8(p, 0), 0x00);
    clk(p, 1);
    control(p, 0x00);
    clk(p, 0x1000);
    assert_int_equal(read8(p, 0), 0x12);
    assert_int_equal(read16(p, 0), 0x02ff);
}

static void one_byte_formats_read_one_byte_of_the_latch(void **state)
{
    struct pit_bench *p = *state;
    control(p, 0x20); /* MSB */
    write8(p, 0, 0x12);
    clk(p, 1);
    control(p, 0x00);
    assert_int_equal(read8(p, 0), 0x12);
    assert_false(p->pit.counter[0].count_latched);
    control(p, 0x10); /* LSB */
    write8(p, 0, 0x34);
    clk(p, 1);
    control(p, 0x00);
    clk(p, 1);
    assert_int_equal(read8(p, 0), 0x34);
    assert_int_equal(read8(p, 0), 0x33);
}

static void the_read_back_command_latches_several_counters(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 100);
    program(p, 1, 0, 200);
    program(p, 2, 0, 300);
    control(p, 0xda); /* counts of 0 and 2 */
    clk(p, 50);
    assert_int_equal(read16(p, 0), 98);
    assert_int_equal(read16(p, 1), 149);
    assert_int_equal(read16(p, 2), 300);
}

static void status_shows_the_control_word_as_it_was_written(void **state)
{
    struct pit_bench *p = *state;
    for (unsigned word = 0x10; word < 0x40; word++) {
        control(p, (uint8_t)(0x80 | word));
        assert_int_equal(status(p, 2) & 0x3f, word);
    }
}

static void status_shows_the_level_of_out(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 2);
    assert_int_equal(status(p, 0) & 0x80, 0);
    clk(p, 2);
    assert_int_equal(status(p, 0) & 0x80, 0x80);
}

static void null_count_is_set_until_the_count_is_loaded(void **state) /* figure 12 */
{
    struct pit_bench *p = *state;
    program(p, 0, 2, 10);
    assert_int_equal(status(p, 0) & 0x40, 0);
    control(p, 0x34);
    assert_int_equal(status(p, 0) & 0x40, 0x40);
    write8(p, 0, 10);
    write8(p, 0, 0);
    assert_int_equal(status(p, 0) & 0x40, 0x40);
    clk(p, 1);
    assert_int_equal(status(p, 0) & 0x40, 0);
    write8(p, 0, 20); /* of a two-byte count only the second byte sets it */
    assert_int_equal(status(p, 0) & 0x40, 0);
    write8(p, 0, 0);
    assert_int_equal(status(p, 0) & 0x40, 0x40);
    clk(p, 10);
    assert_int_equal(status(p, 0) & 0x40, 0);
}

static void latched_status_is_read_before_a_latched_count(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 3, 0x1234);
    control(p, 0xd2); /* the count first, then the status */
    control(p, 0xe2);
    clk(p, 7);
    assert_int_equal(read8(p, 0), 0xb6);
    assert_int_equal(read16(p, 0), 0x1234);
}

static void a_second_status_latch_is_ignored(void **state)
{
    struct pit_bench *p = *state;
    control(p, 0x34);
    control(p, 0xe2);
    write16(p, 0, 10);
    clk(p, 1);
    control(p, 0xe2);
    assert_int_equal(read8(p, 0), 0xf4); /* null count was still set */
}

/* ---- pins and timers ---- */

static void edges_come_at_the_first_ns_of_their_clk(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 2, 1193); /* loaded at CLK 1 */
    bench_probe_clear(&p->b.probe[0]);
    clk(p, 3 * 1193);
    assert_int_equal(p->b.probe[0].n, 6);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(p->b.probe[0].edge[2 * i].at_ns, clk_ns(1193 * (i + 1)));
        assert_false(p->b.probe[0].edge[2 * i].level);
        assert_int_equal(p->b.probe[0].edge[2 * i + 1].at_ns, clk_ns(1193 * (i + 1) + 1));
    }
}

static void a_day_of_ticks_is_1573040(void **state) /* the BIOS' ticks in 24 hours, 1800B0h - 16 */
{
    struct pit_bench *p = *state;
    program(p, 0, 3, 0);
    bench_probe_clear(&p->b.probe[0]);
    int64_t day = bench_now(&p->b) + 86400 * NS_PER_SEC;
    unsigned rises = 0;
    while (bench_now(&p->b) < day) {
        bench_advance_to(&p->b, (int64_t)min_u64((uint64_t)(bench_now(&p->b) + 3600 * NS_PER_SEC),
                                                 (uint64_t)day));
        rises += p->b.probe[0].rises;
        bench_probe_clear(&p->b.probe[0]);
    }
    assert_int_equal(rises, 86400ull * I8254_HZ / 65536);
}

static void an_output_that_is_not_connected_arms_no_timer(void **state)
{
    struct pit_bench *p = *state;
    program(p, 1, 2, 18);
    assert_int_equal(clock_deadline(&p->b.m.clock), TIME_NEVER);
    assert_string_equal(levels(p, 1, 19), "HHHHHHHHHHHHHHHHHLH");
}

static void an_output_that_is_done_arms_no_timer(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 10);
    assert_true(timer_armed(&p->pit.counter[0].timer));
    clk(p, 10);
    assert_false(timer_armed(&p->pit.counter[0].timer));
}

static void a_late_host_sees_every_tick_and_time_to_answer_it(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 3, 1000);
    bench_probe_clear(&p->b.probe[0]);
    clock_advance(&p->b.m.clock, clk_ns(10400)); /* ten rising edges, and no timer was run */
    clock_run_timers(&p->b.m.clock);
    assert_true(p->b.probe[0].rises <= 1);
    assert_int_equal(out(p, 0), true); /* the CPU sees the true count and level */
    assert_int_equal(latched16(p, 0), 1000 - 2 * 400);
    clk(p, 4000);
    assert_int_equal(p->b.probe[0].rises, 14);
}

static void a_late_edge_is_sent_before_the_counter_changes(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 5);
    bench_probe_clear(&p->b.probe[0]);
    clock_advance(&p->b.m.clock, clk_ns(10)); /* terminal count, and no timer was run */
    program(p, 0, 0, 50);
    assert_int_equal(p->b.probe[0].rises, 1);
    assert_int_equal(p->b.probe[0].n, 2);
}

static void a_very_late_host_drops_ticks(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 2, 2);
    clock_advance(&p->b.m.clock, 3600 * NS_PER_SEC);
    clock_run_timers(&p->b.m.clock);
    assert_true(clock_deadline(&p->b.m.clock) > bench_now(&p->b));
    assert_true(p->b.probe[0].n < 10);
}

static void out_is_high_and_silent_after_a_reset(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 100);
    clk(p, 1);
    assert_false(p->b.probe[0].level);
    bench_reset(&p->b);
    assert_true(p->b.probe[0].level);
    assert_int_equal(clock_deadline(&p->b.m.clock), TIME_NEVER);
    assert_int_equal(status(p, 0), 0xf6);
}

static void reset_twice_is_reset_once(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 3, 100);
    program(p, 2, 2, 77);
    bench_advance(&p->b, 123456);
    bench_check_reset(&p->b);
}

static void save_load_save_gives_the_same_bytes(void **state)
{
    struct pit_bench *p = *state;
    for (unsigned mode = 0; mode < 6; mode++) {
        program(p, 0, mode, 1000);
        program(p, 2, mode, 50);
        gate(p, 2, mode & 1);
        control(p, 0xdc);
        write8(p, 1, 5);
        bench_advance(&p->b, 54321);
        bench_check_state(&p->b);
    }
}

static void a_loaded_counter_goes_on_as_the_saved_one(void **state)
{
    struct pit_bench *p = *state;
    struct state_buf saved;
    size_t used;
    program(p, 0, 2, 5);
    clk(p, 2);
    bench_save(&p->b, p->b.m.devices, &saved);
    program(p, 0, 0, 9);
    clk(p, 100);
    const struct device *d = p->b.m.devices;
    assert_true(
        state_load(d->type->state, d->dev, &p->b.m.clock, saved.data, saved.len, &used, NULL));
    d->type->loaded(d->dev);
    state_buf_free(&saved);
    assert_string_equal(levels(p, 0, 8), "HHLHHHHL");
}

static void random_saved_states_do_no_harm(void **state)
{
    struct pit_bench *p = *state;
    const struct device *d = p->b.m.devices;
    for (unsigned round = 0; round < 300; round++) {
        struct state_buf buf;
        size_t used;
        bench_save(&p->b, d, &buf);
        for (unsigned i = 0; i < 60; i++) {
            uint32_t r = bench_random(&p->b);
            buf.data[(r >> 8) % buf.len] = r & 3 ? (uint8_t)(r & 1) : (uint8_t)(r >> 24);
        }
        if (state_load(d->type->state, d->dev, &p->b.m.clock, buf.data, buf.len, &used, NULL)) {
            d->type->loaded(d->dev);
            bench_fuzz_ports(&p->b, BASE, 4, 20, 10000);
        }
        state_buf_free(&buf);
        bench_reset(&p->b); /* a refused load leaves the struct half written */
    }
}

static void random_port_accesses_do_no_harm(void **state)
{
    struct pit_bench *p = *state;
    for (unsigned i = 0; i < 200; i++) {
        bench_fuzz_ports(&p->b, BASE, 4, 1000, 20000);
        gate(p, 2, bench_random(&p->b) & 1);
        for (unsigned n = 0; n < 3; n += 2) { /* the wire never parts from the formula */
            assert_int_equal(out(p, n), p->b.probe[n].level);
        }
    }
    bench_check_state(&p->b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_control_word_sets_out_to_the_initial_level_of_its_mode),
        T(without_a_count_nothing_happens),
        T(the_control_word_register_cannot_be_read),
        T(a_least_significant_byte_count_has_zero_above),
        T(a_most_significant_byte_count_has_zero_below),
        T(counters_are_written_in_any_order),
        T(a_new_count_needs_no_new_control_word),
        T(a_simple_read_gives_the_running_count_low_byte_first),
        T(a_latched_count_is_held_until_it_is_read),
        T(a_second_latch_command_is_ignored),
        T(latching_does_not_disturb_the_counting),
        T(a_control_word_releases_the_latch),
        T(reads_and_writes_of_one_counter_may_be_mixed),
        T(latch_inside_a_word),
        T(one_byte_formats_read_one_byte_of_the_latch),
        T(the_read_back_command_latches_several_counters),
        T(status_shows_the_control_word_as_it_was_written),
        T(status_shows_the_level_of_out),
        T(null_count_is_set_until_the_count_is_loaded),
        T(latched_status_is_read_before_a_latched_count),
        T(a_second_status_latch_is_ignored),
        T(edges_come_at_the_first_ns_of_their_clk),
        T(a_day_of_ticks_is_1573040),
        T(an_output_that_is_not_connected_arms_no_timer),
        T(an_output_that_is_done_arms_no_timer),
        T(a_late_host_sees_every_tick_and_time_to_answer_it),
        T(a_late_edge_is_sent_before_the_counter_changes),
        T(a_very_late_host_drops_ticks),
        T(out_is_high_and_silent_after_a_reset),
        T(reset_twice_is_reset_once),
        T(save_load_save_gives_the_same_bytes),
        T(a_loaded_counter_goes_on_as_the_saved_one),
        T(random_saved_states_do_no_harm),
        T(random_port_accesses_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
