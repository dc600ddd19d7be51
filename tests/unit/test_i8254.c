/* The 8254, section by section of its data sheet ([8254]). Counters 0 and 2 are on probes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "hw/chips/i8254.h"
#include "unit/bench.h"

#include <stdlib.h>

#define BASE    0x40
#define CONTROL (BASE + 3)

struct pit_bench {
    struct bench b;
    struct i8254 pit;
    char text[512];
};

static int setup(void **state)
{
    struct pit_bench *p = NEW(struct pit_bench);
    bench_init(&p->b);
    i8254_init(&p->pit, &p->b.m, BASE, &p->b.probe[0].irq, &p->b.probe[2].irq);
    bench_power_on(&p->b);
    i8254_set_gate(&p->pit, 2, true);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pit_bench *p = *state;
    bench_fini(&p->b);
    free(p);
    return 0;
}

static int64_t clk_ns(int64_t clk)
{
    return (int64_t)muldiv64_up((uint64_t)clk, NS_PER_SEC, I8254_HZ);
}

static int64_t clk_now(struct pit_bench *p)
{
    return (int64_t)muldiv64((uint64_t)(bench_now(&p->b) - p->pit.epoch_ns), I8254_HZ, NS_PER_SEC);
}

static void clk(struct pit_bench *p, int64_t n)
{
    bench_advance_to(&p->b, p->pit.epoch_ns + clk_ns(clk_now(p) + n));
}

static void control(struct pit_bench *p, uint8_t val)
{
    bench_out8(&p->b, CONTROL, val);
}

static void write8(struct pit_bench *p, unsigned n, uint8_t val)
{
    bench_out8(&p->b, (uint16_t)(BASE + n), val);
}

static void write16(struct pit_bench *p, unsigned n, uint16_t val)
{
    write8(p, n, (uint8_t)val);
    write8(p, n, (uint8_t)(val >> 8));
}

static uint8_t read8(struct pit_bench *p, unsigned n)
{
    return bench_in8(&p->b, (uint16_t)(BASE + n));
}

static uint16_t read16(struct pit_bench *p, unsigned n)
{
    uint8_t low = read8(p, n);
    return (uint16_t)(low | read8(p, n) << 8);
}

static uint16_t latched16(struct pit_bench *p, unsigned n)
{
    control(p, (uint8_t)(n << 6));
    return read16(p, n);
}

static uint8_t status(struct pit_bench *p, unsigned n)
{
    control(p, (uint8_t)(0xe0 | 2 << n));
    return read8(p, n);
}

/* Programs counter @n for @mode with a two-byte count; the load takes the CLK that passes here. */
static void program(struct pit_bench *p, unsigned n, unsigned mode, uint16_t count)
{
    control(p, (uint8_t)(n << 6 | 0x30 | mode << 1));
    write16(p, n, count);
    clk(p, 1);
}

static void gate(struct pit_bench *p, unsigned n, bool level)
{
    i8254_set_gate(&p->pit, n, level);
}

/* OUT of counter @n now and in the CLKs that follow, as H and L; the wire must agree. */
static const char *levels(struct pit_bench *p, unsigned n, unsigned clks)
{
    for (unsigned i = 0; i < clks; i++) {
        bool level = i8254_out(&p->pit, n);
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
static const char *counts(struct pit_bench *p, unsigned n, unsigned clks)
{
    p->text[0] = 0;
    for (unsigned i = 0; i < clks; i++) {
        sprintf(p->text + strlen(p->text), i == 0 ? "%x" : " %x", latched16(p, n));
        clk(p, 1);
    }
    return p->text;
}

/* ---- "Programming the 8254": control word, write operations ---- */

static void a_control_word_sets_out_to_the_initial_level_of_its_mode(void **state)
{
    struct pit_bench *p = *state;
    for (unsigned n = 0; n < 3; n++) {
        for (unsigned mode = 0; mode < 6; mode++) {
            control(p, (uint8_t)(n << 6 | 0x30 | mode << 1));
            assert_int_equal(i8254_out(&p->pit, n), mode != 0);
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
    assert_false(i8254_out(&p->pit, 0));
    clk(p, 1);
    assert_true(i8254_out(&p->pit, 0));
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

/* ---- "Mode Definitions" ---- */

static void mode0_goes_high_one_clk_after_n_clks_of_the_write(void **state) /* figure 15 */
{
    struct pit_bench *p = *state;
    control(p, 0x30);
    write16(p, 0, 4);
    assert_string_equal(levels(p, 0, 8), "LLLLLHHH");
}

static void mode0_counts_on_below_zero(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 3);
    assert_string_equal(counts(p, 0, 6), "3 2 1 0 ffff fffe");
    assert_true(i8254_out(&p->pit, 0));
}

static void mode0_gate_low_stops_counting_and_leaves_out(void **state)
{
    struct pit_bench *p = *state;
    program(p, 2, 0, 4);
    clk(p, 1);
    gate(p, 2, false);
    assert_string_equal(counts(p, 2, 4), "3 3 3 3");
    gate(p, 2, true);
    assert_string_equal(levels(p, 2, 5), "LLLHH");
}

static void mode0_first_byte_stops_counting_and_clears_out(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 2);
    clk(p, 5);
    assert_true(i8254_out(&p->pit, 0));
    write8(p, 0, 3);
    assert_false(i8254_out(&p->pit, 0)); /* no CLK required */
    assert_string_equal(counts(p, 0, 3), "fffd fffd fffd");
    write8(p, 0, 0);
    assert_string_equal(levels(p, 0, 6), "LLLLHH");
}

static void mode0_count_written_with_gate_low_is_loaded_but_not_counted(void **state)
{
    struct pit_bench *p = *state;
    gate(p, 2, false);
    program(p, 2, 0, 3);
    clk(p, 3);
    assert_int_equal(status(p, 2) & 0x40, 0);
    assert_int_equal(latched16(p, 2), 3);
    gate(p, 2, true);
    assert_string_equal(levels(p, 2, 5), "LLLHH"); /* N, not N + 1 CLKs after the trigger */
}

static void mode1_is_low_for_n_clks_from_the_clk_after_the_trigger(void **state) /* figure 16 */
{
    struct pit_bench *p = *state;
    gate(p, 2, false);
    program(p, 2, 1, 3);
    assert_string_equal(levels(p, 2, 3), "HHH");
    gate(p, 2, true);
    assert_string_equal(levels(p, 2, 6), "HLLLHH");
    gate(p, 2, false);
    gate(p, 2, true); /* the count stays for the next pulse */
    assert_string_equal(levels(p, 2, 6), "HLLLHH");
}

static void mode1_is_retriggerable(void **state)
{
    struct pit_bench *p = *state;
    gate(p, 2, false);
    program(p, 2, 1, 3);
    gate(p, 2, true);
    clk(p, 2);
    gate(p, 2, false); /* no effect on OUT */
    gate(p, 2, true);
    assert_string_equal(levels(p, 2, 6), "LLLLHH");
}

static void mode1_gate_low_has_no_effect_on_out(void **state)
{
    struct pit_bench *p = *state;
    gate(p, 2, false);
    program(p, 2, 1, 3);
    gate(p, 2, true);
    clk(p, 2);
    gate(p, 2, false);
    assert_string_equal(counts(p, 2, 2), "2 1");
    assert_true(i8254_out(&p->pit, 2));
}

static void mode1_new_count_waits_for_the_next_trigger(void **state)
{
    struct pit_bench *p = *state;
    gate(p, 2, false);
    program(p, 2, 1, 2);
    gate(p, 2, true);
    clk(p, 1);
    write16(p, 2, 4);
    assert_string_equal(levels(p, 2, 6), "LLHHHH");
    assert_int_equal(status(p, 2) & 0x40, 0x40);
    gate(p, 2, false);
    gate(p, 2, true);
    assert_string_equal(levels(p, 2, 7), "HLLLLHH");
}

static void mode1_trigger_without_a_count_does_nothing(void **state)
{
    struct pit_bench *p = *state;
    control(p, 0xb2);
    gate(p, 2, false);
    gate(p, 2, true);
    assert_string_equal(levels(p, 2, 4), "HHHH");
}

static void mode2_is_low_for_one_clk_per_period(void **state) /* figure 17 */
{
    struct pit_bench *p = *state;
    program(p, 0, 2, 4);
    assert_string_equal(levels(p, 0, 12), "HHHLHHHLHHHL");
}

static void mode2_counts_n_to_1(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 2, 3);
    assert_string_equal(counts(p, 0, 7), "3 2 1 3 2 1 3");
}

static void mode2_gate_low_sets_out_high_at_once_and_a_trigger_reloads(void **state)
{
    struct pit_bench *p = *state;
    program(p, 2, 2, 3);
    clk(p, 2);
    assert_false(i8254_out(&p->pit, 2));
    gate(p, 2, false);
    assert_true(i8254_out(&p->pit, 2));
    assert_string_equal(counts(p, 2, 3), "1 1 1");
    gate(p, 2, true);
    assert_string_equal(levels(p, 2, 7), "HHHLHHL");
}

static void mode2_new_count_is_used_at_the_end_of_the_period(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 2, 4);
    clk(p, 1);
    write16(p, 0, 3);
    assert_string_equal(counts(p, 0, 7), "3 2 1 3 2 1 3");
    program(p, 0, 2, 4);
    clk(p, 5);
    write16(p, 0, 2);
    assert_string_equal(levels(p, 0, 7), "HHLHLHL");
}

static void mode2_gate_low_keeps_a_new_count_waiting(void **state)
{
    struct pit_bench *p = *state;
    program(p, 2, 2, 8);
    clk(p, 2);
    write16(p, 2, 3);
    gate(p, 2, false);
    clk(p, 100);
    assert_int_equal(status(p, 2) & 0x40, 0x40); /* the period has not ended */
    assert_int_equal(latched16(p, 2), 6);
    gate(p, 2, true);
    clk(p, 1);
    assert_int_equal(status(p, 2) & 0x40, 0);
    assert_string_equal(levels(p, 2, 6), "HHLHHL");
}

static void mode2_trigger_uses_a_new_count_at_once(void **state)
{
    struct pit_bench *p = *state;
    program(p, 2, 2, 100);
    clk(p, 10);
    write16(p, 2, 3);
    gate(p, 2, false);
    gate(p, 2, true);
    assert_string_equal(levels(p, 2, 7), "HHHLHHL");
}

static void mode3_even_counts_are_high_for_one_half(void **state) /* figure 18 */
{
    struct pit_bench *p = *state;
    program(p, 0, 3, 4);
    assert_string_equal(levels(p, 0, 9), "HHLLHHLLH");
    program(p, 0, 3, 4);
    assert_string_equal(counts(p, 0, 6), "4 2 4 2 4 2");
}

static void mode3_odd_counts_are_high_one_clk_longer(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 3, 5);
    assert_string_equal(levels(p, 0, 11), "HHHLLHHHLLH");
    program(p, 0, 3, 5);
    assert_string_equal(counts(p, 0, 8), "4 2 0 4 2 4 2 0");
}

static void mode3_new_count_is_used_at_the_end_of_the_half(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 3, 8);
    clk(p, 1);
    write16(p, 0, 4); /* in the high half: the low half is already short */
    assert_string_equal(levels(p, 0, 9), "HHHLLHHLL");
    program(p, 0, 3, 8);
    clk(p, 5);
    write16(p, 0, 6); /* in the low half */
    assert_string_equal(levels(p, 0, 9), "LLLHHHLLL");
    program(p, 0, 3, 8);
    clk(p, 4);
    write16(p, 0, 6); /* in its first CLK */
    assert_string_equal(levels(p, 0, 10), "LLLLHHHLLL");
}

static void mode3_gate_low_sets_out_high_at_once_and_a_trigger_reloads(void **state)
{
    struct pit_bench *p = *state;
    program(p, 2, 3, 4);
    clk(p, 3);
    assert_false(i8254_out(&p->pit, 2));
    gate(p, 2, false);
    assert_string_equal(levels(p, 2, 4), "HHHH");
    gate(p, 2, true);
    assert_string_equal(levels(p, 2, 8), "HHHLLHHL");
}

static void mode4_strobes_one_clk_n_plus_1_clks_after_the_write(void **state) /* figure 19 */
{
    struct pit_bench *p = *state;
    control(p, 0x38);
    write16(p, 0, 3);
    assert_string_equal(levels(p, 0, 8), "HHHHLHHH");
    assert_int_equal(latched16(p, 0), 0xfffc);
}

static void mode4_gate_low_stops_counting(void **state)
{
    struct pit_bench *p = *state;
    program(p, 2, 4, 3);
    gate(p, 2, false);
    assert_string_equal(counts(p, 2, 3), "3 3 3");
    gate(p, 2, true);
    assert_string_equal(levels(p, 2, 6), "HHHLHH");
    program(p, 2, 4, 3); /* GATE has no effect on OUT: the strobe lasts one CLK */
    clk(p, 3);
    gate(p, 2, false);
    assert_string_equal(levels(p, 2, 3), "LHH");
    gate(p, 2, true);
    assert_string_equal(levels(p, 2, 3), "HHH");
}

static void mode4_is_retriggered_by_a_new_count(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 4, 3);
    clk(p, 1);
    write8(p, 0, 2); /* the first byte has no effect on counting */
    clk(p, 1);
    write8(p, 0, 0);
    assert_string_equal(levels(p, 0, 6), "HHHLHH");
}

static void mode5_strobes_n_plus_1_clks_after_the_trigger(void **state) /* figure 20 */
{
    struct pit_bench *p = *state;
    gate(p, 2, false);
    program(p, 2, 5, 3);
    assert_string_equal(levels(p, 2, 5), "HHHHH");
    gate(p, 2, true);
    assert_string_equal(levels(p, 2, 7), "HHHHLHH");
    gate(p, 2, false);
    gate(p, 2, true);
    clk(p, 2);
    gate(p, 2, false); /* retriggerable */
    gate(p, 2, true);
    assert_string_equal(levels(p, 2, 7), "HHHHLHH");
}

/* ---- "Operation Common to All Modes" ---- */

static void modes_6_and_7_are_modes_2_and_3(void **state)
{
    struct pit_bench *p = *state;
    program(p, 0, 6, 4);
    assert_string_equal(levels(p, 0, 8), "HHHLHHHL");
    program(p, 0, 7, 4);
    assert_string_equal(levels(p, 0, 8), "HHLLHHLL");
}

static void zero_is_the_largest_count(void **state) /* figure 22 */
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 0);
    assert_int_equal(latched16(p, 0), 0);
    clk(p, 65535);
    assert_false(i8254_out(&p->pit, 0));
    clk(p, 1);
    assert_true(i8254_out(&p->pit, 0));
    control(p, 0x31); /* BCD */
    write16(p, 0, 0);
    clk(p, 10000);
    assert_false(i8254_out(&p->pit, 0));
    clk(p, 1);
    assert_true(i8254_out(&p->pit, 0));
}

static void bcd_counts_four_decades(void **state)
{
    struct pit_bench *p = *state;
    control(p, 0x31);
    write16(p, 0, 0x1001);
    clk(p, 1);
    assert_string_equal(counts(p, 0, 3), "1001 1000 999");
    clk(p, 998);
    assert_string_equal(counts(p, 0, 2), "0 9999");
}

static void bcd_counts_have_thousands_hundreds_tens_and_ones(void **state)
{
    struct pit_bench *p = *state;
    control(p, 0x31);
    write16(p, 0, 0x9876);
    clk(p, 1);
    assert_int_equal(p->pit.counter[0].count, 9876);
    assert_int_equal(latched16(p, 0), 0x9876);
}

static void bcd_works_in_the_periodic_modes(void **state)
{
    struct pit_bench *p = *state;
    control(p, 0x35);
    write16(p, 0, 0x0010);
    clk(p, 1);
    assert_string_equal(levels(p, 0, 20), "HHHHHHHHHLHHHHHHHHHL");
    control(p, 0x37);
    write16(p, 0, 0x0011);
    clk(p, 1);
    assert_string_equal(counts(p, 0, 8), "10 8 6 4 2 0 10 8");
}

static void a_count_of_1_leaves_out_high_in_modes_2_and_3(void **state) /* illegal: what we chose */
{
    struct pit_bench *p = *state;
    for (unsigned mode = 2; mode < 4; mode++) {
        program(p, 0, mode, 1);
        assert_string_equal(levels(p, 0, 4), "HHHH");
        write16(p, 0, 3);
        clk(p, 1);
        assert_string_equal(levels(p, 0, 3), "HHL");
    }
}

static void the_smallest_counts_work(void **state) /* figure 22 */
{
    struct pit_bench *p = *state;
    program(p, 0, 0, 1);
    assert_string_equal(levels(p, 0, 3), "LHH");
    program(p, 0, 2, 2);
    assert_string_equal(levels(p, 0, 4), "HLHL");
    program(p, 0, 3, 2);
    assert_string_equal(levels(p, 0, 4), "HLHL");
    program(p, 0, 4, 1);
    assert_string_equal(levels(p, 0, 3), "HLH");
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
    assert_int_equal(i8254_out(&p->pit, 0), true); /* the CPU sees the true count and level */
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
            assert_int_equal(i8254_out(&p->pit, n), p->b.probe[n].level);
        }
    }
    bench_check_state(&p->b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
        T(mode0_goes_high_one_clk_after_n_clks_of_the_write),
        T(mode0_counts_on_below_zero),
        T(mode0_gate_low_stops_counting_and_leaves_out),
        T(mode0_first_byte_stops_counting_and_clears_out),
        T(mode0_count_written_with_gate_low_is_loaded_but_not_counted),
        T(mode1_is_low_for_n_clks_from_the_clk_after_the_trigger),
        T(mode1_is_retriggerable),
        T(mode1_gate_low_has_no_effect_on_out),
        T(mode1_new_count_waits_for_the_next_trigger),
        T(mode1_trigger_without_a_count_does_nothing),
        T(mode2_is_low_for_one_clk_per_period),
        T(mode2_counts_n_to_1),
        T(mode2_gate_low_sets_out_high_at_once_and_a_trigger_reloads),
        T(mode2_new_count_is_used_at_the_end_of_the_period),
        T(mode2_gate_low_keeps_a_new_count_waiting),
        T(mode2_trigger_uses_a_new_count_at_once),
        T(mode3_even_counts_are_high_for_one_half),
        T(mode3_odd_counts_are_high_one_clk_longer),
        T(mode3_new_count_is_used_at_the_end_of_the_half),
        T(mode3_gate_low_sets_out_high_at_once_and_a_trigger_reloads),
        T(mode4_strobes_one_clk_n_plus_1_clks_after_the_write),
        T(mode4_gate_low_stops_counting),
        T(mode4_is_retriggered_by_a_new_count),
        T(mode5_strobes_n_plus_1_clks_after_the_trigger),
        T(modes_6_and_7_are_modes_2_and_3),
        T(zero_is_the_largest_count),
        T(bcd_counts_four_decades),
        T(bcd_counts_have_thousands_hundreds_tens_and_ones),
        T(bcd_works_in_the_periodic_modes),
        T(a_count_of_1_leaves_out_high_in_modes_2_and_3),
        T(the_smallest_counts_work),
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
    return cmocka_run_group_tests_name("i8254", tests, NULL, NULL);
}
