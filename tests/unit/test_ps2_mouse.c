/* hw/chips/ps2_mouse behind the i8042, from [PS2TR] "Mouse". */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench.h"
#include "hw/chips/i8042.h"

#include <stdlib.h>

struct kbc {
    struct bench b;
    struct i8042 chip;
};

#define IRQ1  probe[0]
#define IRQ12 probe[1]

static int setup(void **state)
{
    struct kbc *k = calloc(1, sizeof(*k));
    bench_init(&k->b);
    i8042_init(&k->chip, &k->b.m, &k->b.IRQ1.irq, &k->b.IRQ12.irq);
    bench_power_on(&k->b);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    struct kbc *k = *state;
    bench_fini(&k->b);
    free(k);
    return 0;
}

/* Everything the mouse has to say within @ms, as hexadecimal; other bytes fail. */
static const char *bytes_within(struct kbc *k, unsigned ms)
{
    static char text[2048];
    text[0] = '\0';
    for (unsigned i = 0; i < 4 * ms; i++) {
        bench_advance(&k->b, 250 * NS_PER_US);
        uint8_t status = bench_in8(&k->b, 0x64);
        if (status & 1) {
            size_t n = strlen(text);
            assert_int_equal(status & 0x20, 0x20);
            assert_true(k->b.IRQ12.level);
            assert_true(n < sizeof(text) - 4);
            sprintf(text + n, n ? " %02x" : "%02x", bench_in8(&k->b, 0x60));
            assert_false(k->b.IRQ12.level);
        }
    }
    assert_int_equal(k->b.IRQ1.n, 0);
    return text;
}

/* What it says before it has had time for a second report at 100 a second. */
static const char *bytes(struct kbc *k)
{
    return bytes_within(k, 8);
}

static void send(struct kbc *k, uint8_t val)
{
    bench_out8(&k->b, 0x64, 0xd4);
    bench_out8(&k->b, 0x60, val);
}

static const char *says(struct kbc *k, uint8_t val)
{
    send(k, val);
    return bytes(k);
}

static void set_rate(struct kbc *k, uint8_t val)
{
    assert_string_equal(says(k, 0xf3), "fa");
    assert_string_equal(says(k, val), "fa");
}

static void knock(struct kbc *k, uint8_t a, uint8_t b, uint8_t c)
{
    set_rate(k, a);
    set_rate(k, b);
    set_rate(k, c);
}

static void move(struct kbc *k, int dx, int dy, int wheel)
{
    const struct pointer_sink *p = k->b.m.pointer;
    p->move(p->dev, dx, dy, wheel);
}

static void buttons(struct kbc *k, unsigned down)
{
    const struct pointer_sink *p = k->b.m.pointer;
    p->buttons(p->dev, down);
}

static bool idle(struct kbc *k)
{
    return k->b.m.pointer->idle(k->b.m.pointer->dev);
}

static void enable(struct kbc *k)
{
    assert_string_equal(says(k, 0xf4), "fa");
}

static void reset_is_acknowledged_and_then_passes_with_id_0(void **state)
{
    struct kbc *k = *state;
    assert_string_equal(says(k, 0xff), "fa aa 00");
}

static void the_acknowledge_of_reset_comes_before_the_self_test_is_over(void **state)
{
    struct kbc *k = *state;
    send(k, 0xff);
    assert_string_equal(bytes_within(k, 1), "fa");
    assert_string_equal(bytes_within(k, 2), "aa 00");
}

static void status_after_power_on_is_stream_disabled_4_counts_100_reports(void **state)
{
    struct kbc *k = *state;
    assert_string_equal(says(k, 0xe9), "fa 00 02 64");
}

static void status_shows_mode_scaling_and_buttons_in_their_own_order(void **state)
{
    struct kbc *k = *state;
    says(k, 0xf0);
    says(k, 0xf4);
    says(k, 0xe7);
    buttons(k, POINTER_LEFT);
    assert_string_equal(says(k, 0xe9), "fa 74 02 64");
    buttons(k, POINTER_RIGHT);
    assert_string_equal(says(k, 0xe9), "fa 71 02 64");
    buttons(k, POINTER_MIDDLE);
    assert_string_equal(says(k, 0xe9), "fa 72 02 64");
    says(k, 0xe6);
    says(k, 0xea);
    says(k, 0xf5);
    buttons(k, 0);
    assert_string_equal(says(k, 0xe9), "fa 00 02 64");
}

static void set_defaults_restores_rate_resolution_scaling_and_disables(void **state)
{
    struct kbc *k = *state;
    set_rate(k, 40);
    assert_string_equal(says(k, 0xe8), "fa");
    assert_string_equal(says(k, 3), "fa");
    says(k, 0xe7);
    enable(k);
    assert_string_equal(says(k, 0xe9), "fa 30 03 28");
    assert_string_equal(says(k, 0xf6), "fa");
    assert_string_equal(says(k, 0xe9), "fa 00 02 64");
}

static void nothing_is_reported_until_it_is_enabled(void **state)
{
    struct kbc *k = *state;
    move(k, 5, 5, 0);
    assert_string_equal(bytes(k), "");
    assert_false(idle(k));
    enable(k); /* which clears the counters */
    assert_true(idle(k));
    move(k, 1, 0, 0);
    assert_string_equal(bytes(k), "08 01 00");
    says(k, 0xf5);
    move(k, 1, 0, 0);
    assert_string_equal(bytes(k), "");
}

static void y_grows_upwards_and_signs_are_in_the_first_byte(void **state)
{
    struct kbc *k = *state;
    enable(k);
    move(k, 3, -2, 0);
    assert_string_equal(bytes_within(k, 12), "08 03 02");
    move(k, -3, 2, 0);
    assert_string_equal(bytes_within(k, 12), "38 fd fe");
    assert_true(idle(k));
}

static void buttons_left_right_middle_are_bits_0_1_2(void **state)
{
    struct kbc *k = *state;
    enable(k);
    buttons(k, POINTER_LEFT);
    assert_string_equal(bytes_within(k, 12), "09 00 00");
    buttons(k, POINTER_LEFT | POINTER_RIGHT);
    assert_string_equal(bytes_within(k, 12), "0b 00 00");
    buttons(k, POINTER_MIDDLE);
    assert_string_equal(bytes_within(k, 12), "0c 00 00");
    buttons(k, 0);
    assert_string_equal(bytes_within(k, 12), "08 00 00");
}

static void a_click_between_two_samples_is_not_lost(void **state)
{
    struct kbc *k = *state;
    enable(k);
    move(k, 1, 0, 0);
    buttons(k, POINTER_LEFT);
    buttons(k, 0);
    assert_string_equal(bytes_within(k, 40), "08 01 00 09 00 00 08 00 00");
    assert_true(idle(k));
}

static void at_most_rate_reports_come_a_second(void **state)
{
    struct kbc *k = *state;
    static const uint8_t rates[] = {10, 20, 40, 60, 80, 100, 200};
    for (unsigned r = 0; r < ARRAY_SIZE(rates); r++) {
        set_rate(k, rates[r]);
        enable(k);
        bench_advance(&k->b, NS_PER_SEC);
        bench_probe_clear(&k->b.IRQ12);
        for (unsigned ms = 0; ms < 1000; ms++) {
            move(k, 1, 0, 0);
            bytes_within(k, 1);
        }
        assert_in_range(k->b.IRQ12.rises / 3, rates[r] - 1, rates[r] + 1);
        says(k, 0xf5);
    }
}

static void a_long_way_is_spread_over_reports(void **state)
{
    struct kbc *k = *state;
    enable(k);
    move(k, 300, -130, 0);
    assert_string_equal(bytes_within(k, 60), "08 7f 7f 08 7f 03 08 2e 00");
    assert_true(idle(k));
}

static void motion_while_a_report_waits_is_added_up(void **state)
{
    struct kbc *k = *state;
    enable(k);
    for (unsigned i = 0; i < 20; i++) {
        move(k, 1, 0, 0);
        bench_advance(&k->b, 20 * NS_PER_MS); /* nobody reads */
    }
    assert_string_equal(bytes_within(k, 40), "08 01 00 08 13 00");
}

static void scaling_2_1_follows_the_table_in_stream_mode_only(void **state)
{
    struct kbc *k = *state;
    static const char *const want[] = {
        [1] = "08 01 00", [2] = "08 01 00", [3] = "08 03 00", [4] = "08 06 00",
        [5] = "08 09 00", [6] = "08 0c 00", [7] = "08 0e 00",
    };
    says(k, 0xe7);
    enable(k);
    for (int n = 1; n <= 7; n++) {
        move(k, n, 0, 0);
        assert_string_equal(bytes_within(k, 12), want[n]);
    }
    move(k, -5, 0, 0);
    assert_string_equal(bytes_within(k, 12), "18 f7 00");
    move(k, 100, 0, 0); /* doubled it would not fit into one report */
    assert_string_equal(bytes_within(k, 40), "08 7e 00 08 4a 00");
    says(k, 0xf0);
    move(k, 5, 0, 0);
    assert_string_equal(says(k, 0xeb), "fa 08 05 00");
}

static void remote_mode_reports_only_when_asked(void **state)
{
    struct kbc *k = *state;
    says(k, 0xf0);
    enable(k);
    move(k, 7, 0, 0);
    buttons(k, POINTER_LEFT);
    assert_string_equal(bytes_within(k, 40), "");
    assert_string_equal(says(k, 0xeb), "fa 09 07 00");
    assert_true(idle(k));
    assert_string_equal(says(k, 0xeb), "fa 09 00 00");
    says(k, 0xea);
    move(k, 1, 0, 0);
    assert_string_equal(bytes_within(k, 12), "09 01 00");
}

static void wrap_mode_echoes_all_but_reset_and_end_wrap(void **state)
{
    struct kbc *k = *state;
    enable(k);
    assert_string_equal(says(k, 0xee), "fa");
    assert_string_equal(says(k, 0x55), "55");
    assert_string_equal(says(k, 0xf3), "f3");
    assert_string_equal(says(k, 0xee), "ee");
    move(k, 1, 1, 0);
    assert_string_equal(bytes_within(k, 40), "");
    assert_string_equal(says(k, 0xec), "fa");
    move(k, 1, 0, 0);
    assert_string_equal(bytes_within(k, 12), "08 01 00"); /* back in stream mode */
    says(k, 0xee);
    assert_string_equal(says(k, 0xff), "fa aa 00");
}

static void an_invalid_byte_is_asked_for_again_and_then_an_error(void **state)
{
    struct kbc *k = *state;
    assert_string_equal(says(k, 0x12), "fe");
    assert_string_equal(says(k, 0x12), "fc");
    assert_string_equal(says(k, 0xf1), "fe");
    assert_string_equal(says(k, 0xe6), "fa");
    assert_string_equal(says(k, 0xf3), "fa");
    assert_string_equal(says(k, 33), "fe");
    assert_string_equal(says(k, 80), "fa");
    assert_string_equal(says(k, 0xe8), "fa");
    assert_string_equal(says(k, 4), "fe");
    assert_string_equal(says(k, 4), "fc");
    assert_string_equal(says(k, 0xe9), "fa 00 02 50");
}

static void resend_gives_the_last_answer_or_report_again(void **state)
{
    struct kbc *k = *state;
    assert_string_equal(says(k, 0xfe), "aa 00"); /* of power-on */
    says(k, 0xe9);
    assert_string_equal(says(k, 0xfe), "fa 00 02 64");
    enable(k);
    move(k, 9, 0, 0);
    assert_string_equal(bytes(k), "08 09 00");
    assert_string_equal(says(k, 0xfe), "08 09 00");
    assert_string_equal(says(k, 0xfe), "08 09 00");
}

static void a_command_ends_a_report_that_is_being_sent(void **state)
{
    struct kbc *k = *state;
    enable(k);
    move(k, 4, 0, 0);
    bench_advance(&k->b, NS_PER_MS);
    assert_int_equal(bench_in8(&k->b, 0x60), 0x08);
    assert_string_equal(says(k, 0xf2), "fa 00");
}

static void rates_200_100_80_turn_the_wheel_on(void **state)
{
    struct kbc *k = *state;
    assert_string_equal(says(k, 0xf2), "fa 00");
    knock(k, 200, 100, 80);
    assert_string_equal(says(k, 0xf2), "fa 03");
    enable(k);
    move(k, 0, 0, -1);
    assert_string_equal(bytes_within(k, 14), "08 00 00 ff");
    move(k, 1, 0, 9);
    assert_string_equal(bytes_within(k, 40), "08 01 00 07 08 00 00 02");
    buttons(k, POINTER_SIDE);
    assert_string_equal(bytes(k), "");
    assert_true(idle(k));
    says(k, 0xff);
    assert_string_equal(says(k, 0xf2), "fa 00");
}

static void rates_200_200_80_turn_on_five_buttons(void **state)
{
    struct kbc *k = *state;
    knock(k, 200, 100, 80);
    knock(k, 200, 200, 80);
    assert_string_equal(says(k, 0xf2), "fa 04");
    set_rate(k, 100);
    enable(k);
    buttons(k, POINTER_SIDE);
    assert_string_equal(bytes_within(k, 12), "08 00 00 10");
    buttons(k, POINTER_SIDE | POINTER_EXTRA);
    assert_string_equal(bytes_within(k, 12), "08 00 00 30");
    move(k, 0, 0, -1);
    assert_string_equal(bytes_within(k, 12), "08 00 00 3f");
    buttons(k, POINTER_LEFT);
    assert_string_equal(bytes_within(k, 12), "09 00 00 00");
}

static void other_rates_do_not_change_the_id(void **state)
{
    struct kbc *k = *state;
    knock(k, 100, 200, 80);
    knock(k, 200, 80, 100);
    knock(k, 200, 60, 80);
    assert_string_equal(says(k, 0xf2), "fa 00");
}

static void a_standard_mouse_has_no_wheel(void **state)
{
    struct kbc *k = *state;
    enable(k);
    move(k, 0, 0, 3);
    assert_string_equal(bytes_within(k, 40), "");
    assert_true(idle(k));
}

static void reset_twice_and_save_load_save_give_the_same(void **state)
{
    struct kbc *k = *state;
    knock(k, 200, 100, 80);
    enable(k);
    buttons(k, POINTER_LEFT);
    move(k, 500, 3, 2);
    bench_advance(&k->b, NS_PER_MS); /* a report is on its way, motion waits for the next */
    bench_check_state(&k->b);
    assert_string_equal(bytes_within(k, 4), "09 00 00 00");
    bench_check_reset(&k->b);
}

static void a_loaded_mouse_goes_on_where_it_was(void **state)
{
    struct kbc *k = *state;
    struct state_buf saved;
    struct error *err = NULL;
    size_t used;
    enable(k);
    move(k, 200, 0, 0);
    bench_save(&k->b, k->b.m.devices, &saved);
    says(k, 0xff);
    assert_true(state_load(i8042_type.state, &k->chip, &k->b.m.clock, saved.data, saved.len, &used,
                           &err));
    i8042_type.loaded(&k->chip);
    assert_string_equal(bytes_within(k, 40), "08 7f 00 08 49 00");
    state_buf_free(&saved);
    k->chip.mouse.rate = 0; /* a foreign state */
    i8042_type.loaded(&k->chip);
    move(k, 1, 0, 0);
    assert_string_equal(bytes_within(k, 12), "08 01 00");
}

/* Commands and data of any value, motion in between, and a foreign state. */
static void any_bytes_and_motion_do_no_harm(void **state)
{
    struct kbc *k = *state;
    for (unsigned i = 0; i < 60000; i++) {
        uint32_t r = bench_random(&k->b);
        switch (r & 7) {
        case 0: move(k, (int)bench_random(&k->b), (int)bench_random(&k->b), (int)r); break;
        case 1: buttons(k, bench_random(&k->b)); break;
        case 2: send(k, (uint8_t)(r >> 8)); break;
        case 3: bench_out8(&k->b, 0x64, (uint8_t)(r >> 8)); break;
        case 4: bench_advance(&k->b, r >> 12); break;
        default: bench_in8(&k->b, r & 8 ? 0x60 : 0x64); break;
        }
        if (r % 1999 == 0) {
            struct ps2_mouse *m = &k->chip.mouse;
            m->reply_len = m->report_len = m->last_len = (uint8_t)(r >> 9);
            m->rate = (uint8_t)(r >> 17);
            m->dx = m->dy = m->dz = (int32_t)bench_random(&k->b);
            i8042_type.loaded(&k->chip);
            bench_reset(&k->b);
        }
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(reset_is_acknowledged_and_then_passes_with_id_0),
        T(the_acknowledge_of_reset_comes_before_the_self_test_is_over),
        T(status_after_power_on_is_stream_disabled_4_counts_100_reports),
        T(status_shows_mode_scaling_and_buttons_in_their_own_order),
        T(set_defaults_restores_rate_resolution_scaling_and_disables),
        T(nothing_is_reported_until_it_is_enabled),
        T(y_grows_upwards_and_signs_are_in_the_first_byte),
        T(buttons_left_right_middle_are_bits_0_1_2),
        T(a_click_between_two_samples_is_not_lost),
        T(at_most_rate_reports_come_a_second),
        T(a_long_way_is_spread_over_reports),
        T(motion_while_a_report_waits_is_added_up),
        T(scaling_2_1_follows_the_table_in_stream_mode_only),
        T(remote_mode_reports_only_when_asked),
        T(wrap_mode_echoes_all_but_reset_and_end_wrap),
        T(an_invalid_byte_is_asked_for_again_and_then_an_error),
        T(resend_gives_the_last_answer_or_report_again),
        T(a_command_ends_a_report_that_is_being_sent),
        T(rates_200_100_80_turn_the_wheel_on),
        T(rates_200_200_80_turn_on_five_buttons),
        T(other_rates_do_not_change_the_id),
        T(a_standard_mouse_has_no_wheel),
        T(reset_twice_and_save_load_save_give_the_same),
        T(a_loaded_mouse_goes_on_where_it_was),
        T(any_bytes_and_motion_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
