/* The prefix key of a serial line on the terminal, and the image that is built in. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/main/builtin_image.h"
#include "core/main/escape_keys.h"

#include <stdlib.h>
#include <string.h>

static struct {
    struct chardev *base, *keys;
    char to_guest[100], to_terminal[1000];
    size_t room;
    bool quit;
} b;

static void terminal_seen(void *opaque, const uint8_t *buf, size_t len)
{
    strncat(b.to_terminal, (const char *)buf, len);
}

static void guest_receives(void *opaque, const uint8_t *buf, size_t len)
{
    strncat(b.to_guest, (const char *)buf, len);
}

static size_t guest_room(void *opaque)
{
    return b.room;
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
    b.keys = escape_keys_new(b.base, quit, NULL);
    b.keys->can_receive = guest_room;
    b.keys->receive = guest_receives;
    return 0;
}

static int teardown(void **state)
{
    chardev_free(b.keys);
    return 0;
}

static void press(const char *keys)
{
    chardev_input(b.base, (const uint8_t *)keys, strlen(keys));
}

static void ordinary_keys_reach_the_guest(void **state)
{
    press("dir\r");
    assert_string_equal(b.to_guest, "dir\r");
}

static void ctrl_a_x_ends_the_machine(void **state)
{
    press("a\001");
    assert_false(b.quit);
    press("xb");
    assert_true(b.quit);
    assert_string_equal(b.to_guest, "ab");
}

static void ctrl_a_twice_sends_one(void **state)
{
    press("\001\001z");
    assert_string_equal(b.to_guest, "\001z");
}

static void ctrl_a_h_shows_help_on_the_terminal_only(void **state)
{
    press("\001h");
    assert_non_null(strstr(b.to_terminal, "Ctrl-A x"));
    assert_string_equal(b.to_guest, "");
}

static void an_unknown_key_after_the_prefix_is_dropped(void **state)
{
    press("\001qr");
    assert_string_equal(b.to_guest, "r");
}

static void a_full_guest_stops_the_terminal(void **state)
{
    b.room = 0;
    assert_int_equal(chardev_input(b.base, (const uint8_t *)"abc", 3), 0);
    b.room = 2;
    assert_int_equal(chardev_input(b.base, (const uint8_t *)"abc", 3), 2);
    assert_string_equal(b.to_guest, "ab");
}

static void output_of_the_guest_passes(void **state)
{
    chardev_write(b.keys, (const uint8_t *)"hi", 2);
    assert_string_equal(b.to_terminal, "hi");
}

static void the_builtin_image_is_a_floppy_that_can_be_written(void **state)
{
    struct block *image = builtin_image_open();
    uint8_t sector[512];
    assert_int_equal(image->bytes, 1440 * 1024);
    assert_true(block_read(image, 0, sector, sizeof(sector), NULL));
    assert_int_equal(sector[510] | sector[511] << 8, 0xaa55);
    memset(sector, 0x5a, sizeof(sector));
    assert_true(block_write(image, 1439 * 1024, sector, sizeof(sector), NULL));
    assert_true(block_read(image, 1439 * 1024, sector, sizeof(sector), NULL));
    assert_int_equal(sector[0], 0x5a);
    assert_false(block_write(image, 1440 * 1024, sector, sizeof(sector), NULL));
    block_close(image);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(ordinary_keys_reach_the_guest),
        CASE(ctrl_a_x_ends_the_machine),
        CASE(ctrl_a_twice_sends_one),
        CASE(ctrl_a_h_shows_help_on_the_terminal_only),
        CASE(an_unknown_key_after_the_prefix_is_dropped),
        CASE(a_full_guest_stops_the_terminal),
        CASE(output_of_the_guest_passes),
        cmocka_unit_test(the_builtin_image_is_a_floppy_that_can_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
