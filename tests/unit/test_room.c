/*
 * Which part of the room for blocks and translations is filled next (core/accel/interp/room.h).
 */
#include "core/accel/interp/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PARTS 4
#define BYTES 1000

static void parts_that_were_never_used_come_first(void **state)
{
    struct room_part p[PARTS] = {{1, 900}, {2, 900}};
    assert_int_equal(room_next(p, PARTS, BYTES), 2);
    p[2] = (struct room_part){3, 900};
    assert_int_equal(room_next(p, PARTS, BYTES), 3);
}

static void then_the_oldest_goes(void **state)
{
    const struct room_part p[PARTS] = {{5, 900}, {2, 900}, {3, 250}, {4, 900}};
    assert_int_equal(room_next(p, PARTS, BYTES), 1);
}

static void a_part_with_little_in_it_is_used_again_before_new_memory(void **state)
{
    struct room_part p[PARTS] = {{1, 900}, {2, 249}};
    assert_int_equal(room_next(p, PARTS, BYTES), 1); /* also the one that was filled last */
    p[0].live = 248;
    assert_int_equal(room_next(p, PARTS, BYTES), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_that_were_never_used_come_first),
        cmocka_unit_test(then_the_oldest_goes),
        cmocka_unit_test(a_part_with_little_in_it_is_used_again_before_new_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
