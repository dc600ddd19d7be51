/* The 8254: the six modes ([8254] "Mode Definitions", "Operation Common to All Modes"). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pit_bench.h"

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
    assert_true(out(p, 0));
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
    assert_true(out(p, 0));
    write8(p, 0, 3);
    assert_false(out(p, 0)); /* no CLK required */
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
    assert_true(out(p, 2));
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
    assert_false(out(p, 2));
    gate(p, 2, false);
    assert_true(out(p, 2));
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
    assert_false(out(p, 2));
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
    assert_false(out(p, 0));
    clk(p, 1);
    assert_true(out(p, 0));
    control(p, 0x31); /* BCD */
    write16(p, 0, 0);
    clk(p, 10000);
    assert_false(out(p, 0));
    clk(p, 1);
    assert_true(out(p, 0));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
