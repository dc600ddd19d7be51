/* A line that a serial port and a monitor share: the prefix key, the focus, times in front of
 * lines. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/device/chardev_mux.h"

#include <stdlib.h>
#include <string.h>

static struct {
    struct chardev *base, *port[2];
    char got[2][100], to_terminal[2000];
    unsigned opened[2], closed[2], breaks[2];
    size_t room;
    bool quit;
} b;

static void terminal_seen(void *opaque, const uint8_t *buf, size_t len)
{
    strncat(b.to_terminal, (const char *)buf, len);
}

static void receives(void *opaque, const uint8_t *buf, size_t len)
{
    strncat(opaque, (const char *)buf, len);
}

static size_t room(void *opaque)
{
    return b.room;
}

static void event(void *opaque, enum chardev_event e)
{
    unsigned n = opaque == b.got[1];
    b.opened[n] += e == CHARDEV_OPENED;
    b.closed[n] += e == CHARDEV_CLOSED;
    b.breaks[n] += e == CHARDEV_BREAK;
}

static void quit(void *opaque)
{
    b.quit = true;
}

static struct chardev_tap tap = {.seen = terminal_seen};

static int setup(void **state)
{
    memset(&b, 0, sizeof(b));
    tap.next = NULL;
    b.room = 100;
    b.base = chardev_new("null", NULL, NULL);
    chardev_tap(b.base, &tap);
    struct chardev_mux *m = chardev_mux_new(b.base, quit, NULL);
    for (unsigned n = 0; n < 2; n++) {
        b.port[n] = chardev_mux_port(m, "port", NULL);
        b.port[n]->can_receive = room;
        b.port[n]->receive = receives;
        b.port[n]->event = event;
        b.port[n]->opaque = b.got[n];
    }
    return 0;
}

static int teardown(void **state)
{
    chardev_free(b.port[0]);
    chardev_free(b.port[1]);
    return 0;
}

static void keys(const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(chardev_input(b.base, (const uint8_t *)text, len), len);
}

static void ordinary_keys_go_to_the_first_port(void **state)
{
    keys("dir\r");
    assert_string_equal(b.got[0], "dir\r");
    assert_string_equal(b.got[1], "");
    assert_true(b.port[0]->open);
    assert_false(b.port[1]->open);
}

static void ctrl_a_c_switches_the_focus_and_tells_both(void **state)
{
    keys("a\001cb\001cd");
    assert_string_equal(b.got[0], "ad");
    assert_string_equal(b.got[1], "b");
    assert_int_equal(b.closed[0], 1);
    assert_int_equal(b.opened[1], 1);
    assert_int_equal(b.closed[1], 1);
    assert_int_equal(b.opened[0], 1);
}

static void ctrl_a_x_ends_the_machine(void **state)
{
    keys("\001");
    assert_false(b.quit);
    keys("x");
    assert_true(b.quit);
    assert_string_equal(b.got[0], "");
}

static void ctrl_a_twice_sends_one(void **state)
{
    keys("\001\001z");
    assert_string_equal(b.got[0], "\001z");
}

static void ctrl_a_b_is_a_break(void **state)
{
    keys("\001b\001c\001b");
    assert_int_equal(b.breaks[0], 1);
    assert_int_equal(b.breaks[1], 1);
    assert_string_equal(b.got[0], "");
}

static void ctrl_a_h_tells_what_there_is(void **state)
{
    keys("\001h");
    assert_non_null(strstr(b.to_terminal, "Ctrl-A c"));
    assert_non_null(strstr(b.to_terminal, "Ctrl-A x"));
}

static void an_unknown_key_behind_the_prefix_is_dropped(void **state)
{
    keys("\001qz");
    assert_string_equal(b.got[0], "z");
}

static void output_of_all_ports_goes_to_the_line(void **state)
{
    chardev_write(b.port[0], (const uint8_t *)"one\n", 4);
    chardev_write(b.port[1], (const uint8_t *)"two\n", 4);
    assert_string_equal(b.to_terminal, "one\ntwo\n");
}

static void ctrl_a_t_puts_times_in_front_of_lines(void **state)
{
    keys("\001t");
    chardev_write(b.port[0], (const uint8_t *)"a\nb", 3);
    assert_int_equal(strlen(b.to_terminal), strlen("[00:00:00.000] a\n[00:00:00.000] b"));
    assert_int_equal(strncmp(b.to_terminal, "[00:00:0", 8), 0);
}

static void a_full_front_end_holds_the_input_back(void **state)
{
    b.room = 0;
    assert_int_equal(chardev_input(b.base, (const uint8_t *)"a", 1), 0);
    b.room = 5;
    assert_int_equal(chardev_input(b.base, (const uint8_t *)"abcdefgh", 8), 5);
    assert_string_equal(b.got[0], "abcde");
}

static void a_line_has_a_limit_of_ports(void **state)
{
    struct error *err = NULL;
    struct chardev *c[3];
    struct chardev_mux *m = chardev_mux_new(chardev_new("null", NULL, NULL), quit, NULL);
    struct chardev *first = chardev_mux_port(m, "p", NULL);
    for (unsigned i = 0; i < 3; i++) {
        c[i] = chardev_mux_port(m, "p", NULL);
        assert_non_null(c[i]);
    }
    assert_null(chardev_mux_port(m, "p", &err));
    assert_string_equal(error_text(err), "null: has 4 users already");
    error_free(err);
    chardev_free(first);
    for (unsigned i = 0; i < 3; i++) {
        chardev_free(c[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ordinary_keys_go_to_the_first_port),
        TEST(ctrl_a_c_switches_the_focus_and_tells_both),
        TEST(ctrl_a_x_ends_the_machine),
        TEST(ctrl_a_twice_sends_one),
        TEST(ctrl_a_b_is_a_break),
        TEST(ctrl_a_h_tells_what_there_is),
        TEST(an_unknown_key_behind_the_prefix_is_dropped),
        TEST(output_of_all_ports_goes_to_the_line),
        TEST(ctrl_a_t_puts_times_in_front_of_lines),
        TEST(a_full_front_end_holds_the_input_back),
        TEST(a_line_has_a_limit_of_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
