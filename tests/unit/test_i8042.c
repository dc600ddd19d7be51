/* hw/chips/i8042 and ps2_keyboard, from [PS2TR] "Keyboard and Auxiliary Device Controller". */
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
#define A20   probe[2]

static int setup(void **state)
{
    struct kbc *k = calloc(1, sizeof(*k));
    bench_init(&k->b);
    i8042_init(&k->chip, &k->b.m, &k->b.IRQ1.irq, &k->b.IRQ12.irq);
    i8042_set_a20(&k->chip, &k->b.A20.irq);
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

static void command(struct kbc *k, uint8_t cmd)
{
    bench_out8(&k->b, 0x64, cmd);
}

static void command_byte(struct kbc *k, uint8_t val)
{
    command(k, 0x60);
    bench_out8(&k->b, 0x60, val);
}

static uint8_t status(struct kbc *k)
{
    return bench_in8(&k->b, 0x64);
}

/* The answer of the controller itself: there at once. */
static uint8_t answer(struct kbc *k)
{
    assert_int_equal(status(k) & 1, 1);
    return bench_in8(&k->b, 0x60);
}

/* Everything the keyboard has to say within 20 ms, as hexadecimal. */
static const char *bytes(struct kbc *k)
{
    static char text[256];
    text[0] = '\0';
    for (unsigned i = 0; i < 80; i++) {
        bench_advance(&k->b, 250 * NS_PER_US);
        if (status(k) & 1) {
            size_t n = strlen(text);
            assert_true(n < sizeof(text) - 4);
            sprintf(text + n, n ? " %02x" : "%02x", bench_in8(&k->b, 0x60));
        }
    }
    return text;
}

static const char *keyboard_says(struct kbc *k, uint8_t val)
{
    bench_out8(&k->b, 0x60, val);
    return bytes(k);
}

static void key(struct kbc *k, unsigned key, bool down)
{
    const struct keyboard_sink *sink = k->b.m.keyboard;
    sink->key(sink->dev, key, down);
}

static void status_is_18h_after_power_on(void **state)
{
    struct kbc *k = *state;
    assert_int_equal(status(k), 0x18);
    assert_true(i8042_a20(&k->chip));
    assert_true(k->b.A20.level);
}

static void self_test_answers_55h_and_sets_the_system_flag(void **state)
{
    struct kbc *k = *state;
    command(k, 0xaa);
    assert_int_equal(status(k), 0x1d);
    assert_int_equal(answer(k), 0x55);
    assert_int_equal(status(k), 0x1c);
    command(k, 0x20);
    assert_int_equal(answer(k), 0x07);
}

static void interface_tests_answer_0(void **state)
{
    struct kbc *k = *state;
    command(k, 0xab);
    assert_int_equal(answer(k), 0);
    command(k, 0xa9);
    assert_int_equal(answer(k), 0);
    command(k, 0xa4); /* and there is no password */
    assert_int_equal(answer(k), 0xf1);
}

static void command_byte_is_ram_byte_0(void **state)
{
    struct kbc *k = *state;
    command_byte(k, 0x65);
    command(k, 0x20);
    assert_int_equal(answer(k), 0x65);
    assert_int_equal(status(k) & 4, 4); /* bit 2 shows in the status */
    command_byte(k, 0x61);
    assert_int_equal(status(k) & 4, 0);
    command(k, 0x7f);
    bench_out8(&k->b, 0x60, 0xa7);
    command(k, 0x3f);
    assert_int_equal(answer(k), 0xa7);
}

static void a_new_command_replaces_one_that_waits_for_its_byte(void **state)
{
    struct kbc *k = *state;
    command(k, 0x60);
    command(k, 0xae);
    assert_string_equal(keyboard_says(k, 0xee), "ee");
    command(k, 0xa5); /* a password goes on to its 0 */
    bench_out8(&k->b, 0x60, 0x12);
    bench_out8(&k->b, 0x60, 0x34);
    bench_out8(&k->b, 0x60, 0x00);
    assert_string_equal(bytes(k), "");
    assert_string_equal(keyboard_says(k, 0xee), "ee");
}

static void bit_3_of_the_status_tells_command_from_data(void **state)
{
    struct kbc *k = *state;
    command(k, 0xae);
    assert_int_equal(status(k) & 8, 8);
    bench_out8(&k->b, 0x60, 0xee);
    assert_int_equal(status(k) & 8, 0);
}

static void output_port_bit_1_is_the_a20_gate(void **state)
{
    struct kbc *k = *state;
    command(k, 0xd0);
    assert_int_equal(answer(k), 0xcf);
    command(k, 0xd1);
    bench_out8(&k->b, 0x60, 0xdd);
    assert_false(k->b.A20.level);
    assert_false(i8042_a20(&k->chip));
    command(k, 0xd0);
    assert_int_equal(answer(k) & 2, 0);
    command(k, 0xdf);
    assert_true(k->b.A20.level);
    command(k, 0xdd);
    assert_false(k->b.A20.level);
    command(k, 0xd1);
    bench_out8(&k->b, 0x60, 0xdf);
    assert_true(i8042_a20(&k->chip));
    assert_int_equal(k->b.m.reset_request, CAUSE_NONE);
}

static void output_port_bits_4_and_5_follow_the_output_buffer(void **state)
{
    struct kbc *k = *state;
    command(k, 0xd3);
    bench_out8(&k->b, 0x60, 0x12);
    command(k, 0xd0); /* read while the auxiliary byte is there */
    assert_int_equal(answer(k), 0xef);
}

static void pulsing_bit_0_resets(void **state)
{
    struct kbc *k = *state;
    command(k, 0xff); /* pulses nothing */
    command(k, 0xfd);
    assert_int_equal(k->b.m.reset_request, CAUSE_NONE);
    command(k, 0xfe);
    assert_int_equal(k->b.m.reset_request, CAUSE_GUEST_RESET);
    k->b.m.reset_request = CAUSE_NONE;
    command(k, 0xf0);
    assert_int_equal(k->b.m.reset_request, CAUSE_GUEST_RESET);
    k->b.m.reset_request = CAUSE_NONE;
    command(k, 0xd1); /* and so does the output port */
    bench_out8(&k->b, 0x60, 0xde);
    assert_int_equal(k->b.m.reset_request, CAUSE_GUEST_RESET);
}

static void irq1_follows_the_output_buffer_if_enabled(void **state)
{
    struct kbc *k = *state;
    command_byte(k, 0x01);
    key(k, 0x1e, true);
    assert_false(k->b.IRQ1.level);
    bench_advance(&k->b, NS_PER_MS);
    assert_true(k->b.IRQ1.level);
    assert_int_equal(bench_in8(&k->b, 0x60), 0x1c);
    assert_false(k->b.IRQ1.level);
    command_byte(k, 0x00);
    key(k, 0x1e, false);
    bench_advance(&k->b, NS_PER_MS);
    assert_int_equal(status(k) & 1, 1);
    assert_false(k->b.IRQ1.level);
    command_byte(k, 0x01); /* enabling it shows what waits */
    assert_true(k->b.IRQ1.level);
    bench_in8(&k->b, 0x60);
    command(k, 0xd2);
    bench_out8(&k->b, 0x60, 0x99);
    assert_true(k->b.IRQ1.level);
    assert_int_equal(answer(k), 0x99);
}

static void the_auxiliary_port_has_its_own_irq_and_can_be_turned_off(void **state)
{
    struct kbc *k = *state;
    command_byte(k, 0x23);
    command(k, 0xd3); /* loop back through the output buffer */
    bench_out8(&k->b, 0x60, 0x5a);
    assert_int_equal(status(k) & 0x21, 0x21);
    assert_true(k->b.IRQ12.level);
    assert_false(k->b.IRQ1.level);
    assert_int_equal(answer(k), 0x5a);
    assert_false(k->b.IRQ12.level);
    command(k, 0xa8);
    command(k, 0x20);
    assert_int_equal(answer(k) & 0x20, 0);
    command(k, 0xa7);
    command(k, 0x20);
    assert_int_equal(answer(k) & 0x20, 0x20);
    command(k, 0xd4);
    bench_out8(&k->b, 0x60, 0xf2);
    assert_string_equal(bytes(k), "fa 00");
    command(k, 0x20); /* sending has enabled the port */
    assert_int_equal(answer(k) & 0x20, 0);
    command_byte(k, 0x01);
    command(k, 0xd3);
    bench_out8(&k->b, 0x60, 0x5a);
    assert_false(k->b.IRQ12.level);
    assert_false(k->b.IRQ1.level);
}

static void an_answer_does_not_lose_a_byte_of_the_mouse(void **state)
{
    struct kbc *k = *state;
    command_byte(k, 0x03);
    command(k, 0xd4);
    bench_out8(&k->b, 0x60, 0xf2);
    bench_advance(&k->b, NS_PER_MS);
    assert_int_equal(status(k) & 0x21, 0x21); /* the acknowledge is there */
    command(k, 0x20);
    assert_int_equal(status(k) & 0x21, 0x01); /* the command byte took its place ... */
    assert_true(k->b.IRQ1.level);
    assert_false(k->b.IRQ12.level);
    assert_int_equal(answer(k), 0x03);
    bench_advance(&k->b, NS_PER_MS);
    assert_int_equal(status(k) & 0x21, 0x21); /* ... and it comes again, as the mouse's */
    assert_true(k->b.IRQ12.level);
    assert_string_equal(bytes(k), "fa 00");
}

static void the_keyboard_goes_before_the_mouse_and_neither_loses_a_byte(void **state)
{
    struct kbc *k = *state;
    unsigned sources = 0, n = 0;
    command_byte(k, 0x03);
    bench_out8(&k->b, 0x60, 0xf2);
    command(k, 0xd4);
    bench_out8(&k->b, 0x60, 0xf2);
    for (unsigned i = 0; i < 20; i++) {
        bench_advance(&k->b, 250 * NS_PER_US);
        uint8_t now = status(k);
        if (now & 1) {
            sources = sources << 1 | (now >> 5 & 1);
            bench_in8(&k->b, 0x60);
            n++;
        }
    }
    assert_int_equal(n, 5);
    assert_int_equal(sources, 0x03); /* three of the keyboard, then two of the mouse */
}

static void a_disabled_auxiliary_port_keeps_the_mouse_waiting(void **state)
{
    struct kbc *k = *state;
    command(k, 0xd4);
    bench_out8(&k->b, 0x60, 0xeb);
    command(k, 0xa7);
    assert_string_equal(bytes(k), "");
    command(k, 0xa8);
    assert_string_equal(bytes(k), "fa 08 00 00");
}

static void polling_the_input_port_shows_half_of_it_in_the_status(void **state)
{
    struct kbc *k = *state;
    command(k, 0xc2);
    assert_int_equal(status(k) & 0xf0, 0x80);
    command(k, 0xc1);
    assert_int_equal(status(k) & 0xf0, 0x00);
    command(k, 0xae);
    assert_int_equal(status(k) & 0xf0, 0x10);
}

static void identify_gives_ab_83_and_translated_ab_41(void **state)
{
    struct kbc *k = *state;
    assert_string_equal(keyboard_says(k, 0xf2), "fa ab 83");
    command_byte(k, 0x41);
    assert_string_equal(keyboard_says(k, 0xf2), "fa ab 41");
}

static void reset_acknowledges_then_reports_the_self_test(void **state)
{
    struct kbc *k = *state;
    bench_out8(&k->b, 0x60, 0xff);
    bench_advance(&k->b, NS_PER_MS);
    assert_int_equal(answer(k), 0xfa);
    bench_advance(&k->b, 500 * NS_PER_US);
    assert_int_equal(status(k) & 1, 0); /* it takes a while */
    assert_string_equal(bytes(k), "aa");
}

static void echo_resend_and_unknown_commands(void **state)
{
    struct kbc *k = *state;
    assert_string_equal(keyboard_says(k, 0xee), "ee");
    assert_string_equal(keyboard_says(k, 0xfe), "ee");
    assert_string_equal(keyboard_says(k, 0xf1), "fe");
    assert_string_equal(keyboard_says(k, 0x12), "fe");
}

static void leds_take_an_option_byte(void **state)
{
    struct kbc *k = *state;
    assert_string_equal(keyboard_says(k, 0xed), "fa");
    assert_string_equal(keyboard_says(k, 0x07), "fa");
    assert_int_equal(k->chip.kbd.leds, 7);
    assert_string_equal(keyboard_says(k, 0xed), "fa");
    assert_string_equal(keyboard_says(k, 0xf4), "fa"); /* a command in its place is one */
    assert_int_equal(k->chip.kbd.leds, 7);
    assert_string_equal(keyboard_says(k, 0x03), "fe");
}

static void scan_code_sets_can_be_read_and_set(void **state)
{
    struct kbc *k = *state;
    static const char *const f9[] = {"43 c3", "01 f0 01", "47"}; /* set 3: make only */
    for (unsigned set = 1; set <= 3; set++) {
        char expect[16];
        assert_string_equal(keyboard_says(k, 0xf0), "fa");
        assert_string_equal(keyboard_says(k, (uint8_t)set), "fa");
        assert_string_equal(keyboard_says(k, 0xf0), "fa");
        sprintf(expect, "fa %02x", set);
        assert_string_equal(keyboard_says(k, 0x00), expect);
        key(k, 0x43, true);
        key(k, 0x43, false);
        assert_string_equal(bytes(k), f9[set - 1]);
    }
    assert_string_equal(keyboard_says(k, 0xf0), "fa");
    assert_string_equal(keyboard_says(k, 0x04), "fe");
}

static void translation_gives_every_key_its_set_1_code(void **state)
{
    struct kbc *k = *state;
    command_byte(k, 0x40);
    for (unsigned code = 1; code <= 0x58; code++) {
        char expect[16];
        if (code == 0x55) {
            continue; /* no key has this one */
        }
        key(k, code, true);
        key(k, code, false);
        sprintf(expect, "%02x %02x", code, code | 0x80);
        assert_string_equal(bytes(k), expect);
    }
    key(k, KEY_E0 | 0x48, true);
    key(k, KEY_E0 | 0x48, false);
    assert_string_equal(bytes(k), "e0 48 e0 c8");
}

static void pause_and_print_screen_have_their_own_sequences(void **state)
{
    struct kbc *k = *state;
    key(k, KEY_PAUSE, true);
    key(k, KEY_PAUSE, false);
    assert_string_equal(bytes(k), "e1 14 77 e1 f0 14 f0 77");
    key(k, KEY_PRINT, true);
    key(k, KEY_PRINT, false);
    assert_string_equal(bytes(k), "e0 12 e0 7c e0 f0 7c e0 f0 12");
    command_byte(k, 0x40);
    key(k, 0x38, true);
    key(k, KEY_PRINT, true);
    key(k, KEY_PRINT, false);
    key(k, 0x38, false);
    assert_string_equal(bytes(k), "38 54 d4 b8");
    key(k, 0x1d, true);
    key(k, KEY_PAUSE, true);
    key(k, KEY_PAUSE, false);
    key(k, 0x1d, false);
    assert_string_equal(bytes(k), "1d e0 46 e0 c6 9d");
    key(k, 0x36, true);
    key(k, KEY_PRINT, true);
    key(k, KEY_PRINT, false);
    key(k, 0x36, false);
    assert_string_equal(bytes(k), "36 e0 37 e0 b7 b6");
    keyboard_says(k, 0xf0);
    keyboard_says(k, 0x01);
    command_byte(k, 0x00);
    key(k, KEY_PAUSE, true);
    assert_string_equal(bytes(k), "e1 1d 45 e1 9d c5");
}

static void gray_keys_come_inside_a_made_up_shift_state(void **state)
{
    struct kbc *k = *state;
    command_byte(k, 0x40);
    keyboard_says(k, 0xed);
    keyboard_says(k, 0x02); /* Num Lock */
    key(k, KEY_E0 | 0x53, true);
    key(k, KEY_E0 | 0x53, false);
    assert_string_equal(bytes(k), "e0 2a e0 53 e0 d3 e0 aa");
    keyboard_says(k, 0xed);
    keyboard_says(k, 0x00);
    key(k, 0x2a, true);
    key(k, KEY_E0 | 0x53, true);
    key(k, KEY_E0 | 0x53, false);
    key(k, 0x2a, false);
    assert_string_equal(bytes(k), "2a e0 aa e0 53 e0 d3 e0 2a aa");
    key(k, 0x36, true);
    key(k, KEY_E0 | 0x35, true);
    key(k, KEY_E0 | 0x35, false);
    key(k, 0x36, false);
    assert_string_equal(bytes(k), "36 e0 b6 e0 35 e0 b5 e0 36 b6");
    key(k, 0x53, true); /* keypad keys come as they are */
    key(k, 0x53, false);
    assert_string_equal(bytes(k), "53 d3");
}

static void a_byte_stays_readable_until_the_next_one_is_in(void **state)
{
    struct kbc *k = *state;
    command_byte(k, 0x41);
    key(k, 0x1e, true);
    key(k, 0x1e, false);
    bench_advance(&k->b, NS_PER_MS);
    assert_int_equal(bench_in8(&k->b, 0x60), 0x1e);
    bench_advance(&k->b, 100 * NS_PER_US);
    assert_int_equal(bench_in8(&k->b, 0x60), 0x1e); /* a chained handler reads it again */
    assert_string_equal(bytes(k), "9e");
}

static void an_answer_does_not_lose_a_key(void **state)
{
    struct kbc *k = *state;
    command_byte(k, 0x41);
    key(k, 0x1e, true);
    bench_advance(&k->b, NS_PER_MS);
    command(k, 0xd0);
    assert_int_equal(answer(k), 0xdf); /* bit 4: a byte waits for the system */
    bench_advance(&k->b, NS_PER_MS);
    command(k, 0xd0); /* and once more */
    assert_int_equal(answer(k), 0xdf);
    assert_string_equal(bytes(k), "1e");
    command(k, 0xd0); /* of two answers only the last counts */
    command(k, 0xaa);
    assert_string_equal(bytes(k), "55");
}

static void a_disabled_interface_holds_the_keyboard(void **state)
{
    struct kbc *k = *state;
    command(k, 0xad);
    key(k, 0x1e, true);
    assert_string_equal(bytes(k), "");
    assert_false(k->b.m.keyboard->idle(k->b.m.keyboard->dev));
    command(k, 0xae);
    assert_string_equal(bytes(k), "1c");
    command_byte(k, 0x10); /* the same by the command byte */
    key(k, 0x1e, false);
    assert_string_equal(bytes(k), "");
    command_byte(k, 0x00);
    assert_string_equal(bytes(k), "f0 1c");
    command(k, 0xad); /* a byte to the keyboard enables it again */
    assert_string_equal(keyboard_says(k, 0xee), "ee");
    command(k, 0x20);
    assert_int_equal(answer(k) & 0x10, 0);
}

static void f5_stops_scanning_and_f4_starts_it(void **state)
{
    struct kbc *k = *state;
    assert_string_equal(keyboard_says(k, 0xf5), "fa");
    key(k, 0x1e, true);
    key(k, 0x1e, false);
    assert_string_equal(bytes(k), "");
    assert_string_equal(keyboard_says(k, 0xf4), "fa");
    key(k, 0x1e, true);
    assert_string_equal(bytes(k), "1c");
    command(k, 0xad); /* each of these forgets what was typed before it */
    static const uint8_t clearing[] = {0xf4, 0xf6, 0xf5, 0xf4, 0xf7, 0xff};
    for (unsigned i = 0; i < sizeof(clearing); i++) {
        key(k, 0x1f, i % 2 == 0);
        assert_string_equal(keyboard_says(k, clearing[i]), clearing[i] == 0xff ? "fa aa" : "fa");
        command(k, 0xad);
    }
}

static void set_3_keys_have_types(void **state)
{
    struct kbc *k = *state;
    keyboard_says(k, 0xf0);
    keyboard_says(k, 0x03);
    key(k, 0x1e, true); /* a letter: typematic, no break code */
    key(k, 0x1e, false);
    key(k, 0x2a, true); /* Shift: make and break */
    key(k, 0x2a, false);
    assert_string_equal(bytes(k), "1c 12 f0 12");
    key(k, 0x3b, true); /* F1: make only */
    assert_string_equal(bytes(k), "07");
    bench_advance(&k->b, 490 * NS_PER_MS);
    assert_string_equal(bytes(k), "");
    key(k, 0x3b, false);
    key(k, 0x1e, true);
    assert_string_equal(bytes(k), "1c");
    bench_advance(&k->b, 490 * NS_PER_MS);
    assert_string_equal(bytes(k), "1c");
    key(k, 0x1e, false);
    assert_string_equal(keyboard_says(k, 0xfc), "fa");
    assert_string_equal(keyboard_says(k, 0x1c), "fa");
    key(k, 0x1e, true);
    key(k, 0x1e, false);
    assert_string_equal(bytes(k), "1c f0 1c");
    assert_string_equal(keyboard_says(k, 0xf9), "fa");
    key(k, 0x2a, true);
    key(k, 0x2a, false);
    assert_string_equal(bytes(k), "12");
    bench_advance(&k->b, NS_PER_SEC); /* make only does not repeat */
    assert_string_equal(bytes(k), "");
    assert_string_equal(keyboard_says(k, 0xf7), "fa");
    key(k, 0x3b, true);
    assert_string_equal(bytes(k), "07");
    bench_advance(&k->b, 490 * NS_PER_MS);
    assert_string_equal(bytes(k), "07");
    key(k, 0x3b, false);
    assert_string_equal(keyboard_says(k, 0xf6), "fa"); /* the defaults: set 2 */
    key(k, 0x3b, true);
    assert_string_equal(bytes(k), "05");
}

static void a_held_key_repeats_after_the_delay_while_it_is_taken(void **state)
{
    struct kbc *k = *state;
    keyboard_says(k, 0xf3);
    keyboard_says(k, 0x00); /* 250 ms, then 30 a second */
    key(k, 0x1e, true);
    assert_string_equal(bytes(k), "1c");
    bench_advance(&k->b, 225 * NS_PER_MS);
    assert_string_equal(bytes(k), "1c");
    bench_advance(&k->b, 20 * NS_PER_MS);
    assert_string_equal(bytes(k), "1c");
    bench_advance(&k->b, 5 * NS_PER_SEC); /* nobody reads: one repeat waits, not 150 */
    assert_string_equal(bytes(k), "1c");
    key(k, 0x1e, false);
    assert_string_equal(bytes(k), "f0 1c");
    bench_advance(&k->b, 5 * NS_PER_SEC);
    assert_string_equal(bytes(k), "");
}

static void overrun_is_reported_by_00(void **state)
{
    struct kbc *k = *state;
    command(k, 0xad);
    for (unsigned i = 0; i < 40; i++) {
        key(k, 2 + i % 10, true);
        key(k, 2 + i % 10, false);
    }
    command(k, 0xae);
    const char *got = bytes(k); /* 16 bytes, then the overrun */
    assert_string_equal(got, "16 f0 16 1e f0 1e 26 f0 26 25 f0 25 2e f0 2e 36 00");
}

struct typist {
    struct kbc *k;
    unsigned sent, n;
    bool down;
};

/* Sends the next half of a keystroke: letters A to L in turn. */
static void type_next(void *opaque)
{
    struct typist *t = opaque;
    if (t->sent == t->n && !t->down) {
        return;
    }
    unsigned code = 0x1e + t->sent % 9;
    t->down = !t->down;
    key(t->k, code, t->down);
    t->sent += t->down ? 0 : 1;
}

static void ten_kib_typed_arrive_whole(void **state)
{
    struct kbc *k = *state;
    struct typist t = {.k = k, .n = 10240};
    unsigned got = 0;
    command_byte(k, 0x41);
    *k->b.m.keyboard->on_idle = type_next;
    *k->b.m.keyboard->on_idle_opaque = &t;
    type_next(&t);
    for (unsigned turn = 0; turn < 2 * 10240 + 10; turn++) {
        bench_advance(&k->b, NS_PER_MS);
        if (status(k) & 1) {
            uint8_t expect = 0x1e + got / 2 % 9 + (got % 2 ? 0x80 : 0);
            assert_int_equal(bench_in8(&k->b, 0x60), expect);
            got++;
        }
    }
    assert_int_equal(got, 2 * 10240);
    assert_true(k->b.m.keyboard->idle(k->b.m.keyboard->dev));
}

static void reset_and_state_are_whole(void **state)
{
    struct kbc *k = *state;
    keyboard_says(k, 0xf0);
    keyboard_says(k, 0x03);
    command_byte(k, 0x45);
    key(k, 0x1e, true);
    bench_out8(&k->b, 0x60, 0xed);
    bench_check_state(&k->b);
    assert_string_equal(bytes(k), "fa 1e"); /* after the load it goes on */
    bench_check_reset(&k->b);
}

/* Whatever was done before, a reset gives the state of power-on. */
static void a_reset_gives_the_state_of_power_on(void **state)
{
    struct kbc *k = *state;
    struct state_buf fresh, after;
    struct device *d = k->b.m.devices;
    bench_save(&k->b, d, &fresh);
    command(k, 0xdd);
    command_byte(k, 0x44);
    command(k, 0xad);
    key(k, 0x1e, true);
    command(k, 0xae);
    keyboard_says(k, 0xed);
    keyboard_says(k, 0x07);
    keyboard_says(k, 0xf3);
    keyboard_says(k, 0x7f);
    keyboard_says(k, 0xf8);
    keyboard_says(k, 0xf5);
    keyboard_says(k, 0xf0);
    keyboard_says(k, 0x03);
    keyboard_says(k, 0xf0);
    bench_out8(&k->b, 0x60, 0xee);
    bench_advance(&k->b, NS_PER_MS);
    command(k, 0xd0);
    command(k, 0xd1);
    bench_reset(&k->b);
    bench_save(&k->b, d, &after);
    bench_assert_same(d, &fresh, &after, false, "reset after use");
    state_buf_free(&fresh);
    state_buf_free(&after);
}

static void random_accesses_do_no_harm(void **state)
{
    struct kbc *k = *state;
    for (unsigned i = 0; i < 200; i++) {
        bench_fuzz_ports(&k->b, 0x60, 5, 200, 3000000);
        key(k, bench_random(&k->b) & 0x1ff, bench_random(&k->b) & 1);
    }
    bench_check_state(&k->b);
    bench_check_reset(&k->b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(status_is_18h_after_power_on),
        T(self_test_answers_55h_and_sets_the_system_flag),
        T(interface_tests_answer_0),
        T(command_byte_is_ram_byte_0),
        T(a_new_command_replaces_one_that_waits_for_its_byte),
        T(bit_3_of_the_status_tells_command_from_data),
        T(output_port_bit_1_is_the_a20_gate),
        T(output_port_bits_4_and_5_follow_the_output_buffer),
        T(pulsing_bit_0_resets),
        T(irq1_follows_the_output_buffer_if_enabled),
        T(the_auxiliary_port_has_its_own_irq_and_can_be_turned_off),
        T(an_answer_does_not_lose_a_byte_of_the_mouse),
        T(the_keyboard_goes_before_the_mouse_and_neither_loses_a_byte),
        T(a_disabled_auxiliary_port_keeps_the_mouse_waiting),
        T(polling_the_input_port_shows_half_of_it_in_the_status),
        T(identify_gives_ab_83_and_translated_ab_41),
        T(reset_acknowledges_then_reports_the_self_test),
        T(echo_resend_and_unknown_commands),
        T(leds_take_an_option_byte),
        T(scan_code_sets_can_be_read_and_set),
        T(translation_gives_every_key_its_set_1_code),
        T(pause_and_print_screen_have_their_own_sequences),
        T(gray_keys_come_inside_a_made_up_shift_state),
        T(a_byte_stays_readable_until_the_next_one_is_in),
        T(an_answer_does_not_lose_a_key),
        T(a_disabled_interface_holds_the_keyboard),
        T(f5_stops_scanning_and_f4_starts_it),
        T(set_3_keys_have_types),
        T(a_held_key_repeats_after_the_delay_while_it_is_taken),
        T(overrun_is_reported_by_00),
        T(ten_kib_typed_arrive_whole),
        T(reset_and_state_are_whole),
        T(a_reset_gives_the_state_of_power_on),
        T(random_accesses_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
