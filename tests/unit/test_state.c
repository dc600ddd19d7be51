/* State tables. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/bits.h"
#include "core/device/state.h"
#include "core/event/clock.h"

#include <string.h>

struct inner {
    uint8_t a;
    bool flags[3];
};

struct outer {
    uint16_t reg;
    uint32_t not_saved;
    uint8_t ram[5];
    bool on;
    int64_t loaded_at;
    struct timer timer;
    struct inner one, many[2];
};

static const struct state_field inner_state[] = {
    STATE(struct inner, a),
    STATE(struct inner, flags),
    STATE_END(),
};

static const struct state_field outer_state[] = {
    STATE(struct outer, reg),
    STATE_KEPT(struct outer, ram),
    STATE(struct outer, on),
    STATE_TIME(struct outer, loaded_at),
    STATE_TIMER(struct outer, timer),
    STATE_SUB(struct outer, one, inner_state),
    STATE_SUBS(struct outer, many, inner_state),
    STATE_END(),
};

#define OUTER_BYTES (2 + 5 + 1 + 8 + 8 + 3 * 4)

struct bench {
    struct clock clock;
    struct outer o;
    struct state_buf buf;
};

static void nothing(void *opaque)
{
}

static int set_up(void **state)
{
    static struct bench bench;
    struct bench *b = &bench;
    memset(b, 0, sizeof(*b));
    clock_init(&b->clock, CLOCK_VIRTUAL, 0);
    clock_advance(&b->clock, 1000);
    b->o = (struct outer){.reg = 0x1234,
                          .not_saved = 9,
                          .ram = "abcd",
                          .on = true,
                          .loaded_at = 400,
                          .one = {1, {true, false, true}},
                          .many = {{2, {0}}, {3, {0}}}};
    timer_init(&b->o.timer, &b->clock, "t", nothing, NULL);
    timer_at(&b->o.timer, 1600);
    state_save(&b->buf, outer_state, &b->o, &b->clock);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    state_buf_free(&b->buf);
    clock_fini(&b->clock);
    return 0;
}

static bool load(struct bench *b, size_t len, struct error **err)
{
    size_t used = 0;
    bool ok = state_load(outer_state, &b->o, &b->clock, b->buf.data, len, &used, err);
    assert_true(!ok || used == OUTER_BYTES);
    return ok;
}

static void a_saved_image_has_the_fields_in_order_and_nothing_else(void **state)
{
    struct bench *b = *state;
    assert_int_equal(b->buf.len, OUTER_BYTES);
    assert_int_equal(state_bytes(outer_state), OUTER_BYTES);
    assert_memory_equal(b->buf.data,
                        "\x34\x12"
                        "abcd\0"
                        "\1",
                        8);
    assert_memory_equal(b->buf.data + 24,
                        "\1\1\0\1"
                        "\2\0\0\0"
                        "\3\0\0\0",
                        12);
}

static void times_are_saved_relative_to_now(void **state)
{
    struct bench *b = *state;
    int64_t rel[2];
    memcpy(rel, b->buf.data + 8, 16);
    assert_int_equal(rel[0], -600);
    assert_int_equal(rel[1], 600);
    clock_advance(&b->clock, 5000);
    assert_true(load(b, b->buf.len, NULL));
    assert_int_equal(b->o.loaded_at, 5400);
    assert_int_equal(b->o.timer.deadline_ns, 6600);
    assert_true(timer_armed(&b->o.timer));
}

static void never_stays_never(void **state)
{
    struct bench *b = *state;
    struct state_buf again = {0};
    b->o.loaded_at = TIME_NEVER;
    timer_cancel(&b->o.timer);
    b->buf.len = 0;
    state_save(&b->buf, outer_state, &b->o, &b->clock);
    b->o.loaded_at = 1;
    timer_at(&b->o.timer, 1);
    assert_true(load(b, b->buf.len, NULL));
    assert_int_equal(b->o.loaded_at, TIME_NEVER);
    assert_false(timer_armed(&b->o.timer));
    state_save(&again, outer_state, &b->o, &b->clock);
    assert_memory_equal(again.data, b->buf.data, OUTER_BYTES);
    state_buf_free(&again);
}

static void load_restores_what_save_wrote(void **state)
{
    struct bench *b = *state;
    struct outer before = b->o;
    b->o.reg = 0;
    b->o.not_saved = 77;
    memset(b->o.ram, 0, sizeof(b->o.ram));
    b->o.on = false;
    b->o.one = b->o.many[1] = (struct inner){0};
    assert_true(load(b, b->buf.len, NULL));
    assert_int_equal(b->o.reg, before.reg);
    assert_int_equal(b->o.not_saved, 77);
    assert_memory_equal(b->o.ram, before.ram, 5);
    assert_true(b->o.on);
    assert_memory_equal(&b->o.one, &before.one, sizeof(before.one));
    assert_memory_equal(b->o.many, before.many, sizeof(before.many));
}

static void a_short_image_is_refused_and_changes_nothing(void **state)
{
    struct bench *b = *state;
    for (size_t len = 0; len < OUTER_BYTES; len++) {
        struct error *err = NULL;
        b->o.reg = 0x5555;
        assert_false(load(b, len, &err));
        assert_non_null(err);
        error_free(err);
        assert_int_equal(b->o.reg, 0x5555);
    }
}

static void a_bool_that_is_neither_0_nor_1_is_refused(void **state)
{
    struct bench *b = *state;
    struct error *err = NULL;
    b->buf.data[7] = 2;
    assert_false(load(b, b->buf.len, &err));
    assert_string_equal(error_text(err), "on: 2 is neither 0 nor 1");
    error_free(err);
    err = NULL;
    b->buf.data[7] = 1;
    b->buf.data[27] = 0xff;
    assert_false(load(b, b->buf.len, &err));
    assert_string_equal(error_text(err), "one: flags: 255 is neither 0 nor 1");
    error_free(err);
}

static void a_time_out_of_reach_is_refused(void **state)
{
    struct bench *b = *state;
    static const int64_t bad[] = {INT64_MIN, INT64_MAX - 1, INT64_MAX / 2};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error *err = NULL;
        memcpy(b->buf.data + 8, &bad[i], 8);
        assert_false(load(b, b->buf.len, &err));
        assert_non_null(strstr(error_text(err), "loaded_at: "));
        error_free(err);
    }
}

static void the_first_difference_is_named(void **state)
{
    struct bench *b = *state;
    uint8_t other[OUTER_BYTES];
    static const struct {
        unsigned at;
        const char *name;
    } cases[] = {{0, "reg"},        {2, "ram"},        {7, "on"},
                 {8, "loaded_at"},  {23, "timer"},     {24, "one.a"},
                 {25, "one.flags"}, {28, "many[0].a"}, {35, "many[1].flags"}};
    memcpy(other, b->buf.data, OUTER_BYTES);
    assert_null(state_differs(outer_state, b->buf.data, other, true));
    for (unsigned i = ARRAY_SIZE(cases); i-- > 0;) {
        other[cases[i].at] ^= 1; /* those behind it differ too */
        assert_string_equal(state_differs(outer_state, b->buf.data, other, true), cases[i].name);
    }
}

static void what_survives_reset_differs_only_if_asked(void **state)
{
    struct bench *b = *state;
    uint8_t other[OUTER_BYTES];
    memcpy(other, b->buf.data, OUTER_BYTES);
    other[3] ^= 1;
    assert_null(state_differs(outer_state, b->buf.data, other, false));
    assert_string_equal(state_differs(outer_state, b->buf.data, other, true), "ram");
}

static void a_section_has_id_version_and_length(void **state)
{
    struct bench *b = *state;
    struct state_buf out = {0};
    state_save_section(&out, "pit", 3, inner_state, &b->o.one, &b->clock);
    state_save_section(&out, "x", 1, NULL, NULL, &b->clock);
    static const uint8_t want[] = {3, 0, 0, 0, 'p', 'i', 't', 3,   0, 0, 0, 4, 0, 0, 0, 1,
                                   1, 0, 1, 1, 0,   0,   0,   'x', 1, 0, 0, 0, 0, 0, 0, 0};
    assert_int_equal(out.len, sizeof(want));
    assert_memory_equal(out.data, want, sizeof(want));
    state_buf_free(&out);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_saved_image_has_the_fields_in_order_and_nothing_else),
        TEST(times_are_saved_relative_to_now),
        TEST(never_stays_never),
        TEST(load_restores_what_save_wrote),
        TEST(a_short_image_is_refused_and_changes_nothing),
        TEST(a_bool_that_is_neither_0_nor_1_is_refused),
        TEST(a_time_out_of_reach_is_refused),
        TEST(the_first_difference_is_named),
        TEST(what_survives_reset_differs_only_if_asked),
        TEST(a_section_has_id_version_and_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
