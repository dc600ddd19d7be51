/* Key names, the layout, and the typist on a keyboard whose guest is slow. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/event/clock.h"
#include "core/ui/input.h"
#include "core/ui/typist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A keyboard with one byte of room, whose guest takes it @delay_ns after it came. */
struct slow_guest {
    struct clock clock;
    struct timer take;
    struct keyboard_sink sink;
    struct typist typist;
    void (*on_idle)(void *);
    void *on_idle_opaque;
    int64_t delay_ns, last_ns, least_gap_ns;
    bool full, overrun;
    char log[4096];              /* "+1e -1e ..." */
    size_t len;
    uint8_t text[16384];         /* make codes of what is no modifier */
    size_t typed;
};

static void guest_takes(void *opaque)
{
    struct slow_guest *g = opaque;
    g->full = false;
    g->last_ns = clock_now(&g->clock);
    if (g->on_idle != NULL) {
        g->on_idle(g->on_idle_opaque);
    }
}

static void guest_key(void *dev, unsigned key, bool down)
{
    struct slow_guest *g = dev;
    int64_t gap = clock_now(&g->clock) - g->last_ns;
    g->overrun |= g->full;
    g->least_gap_ns = gap < g->least_gap_ns ? gap : g->least_gap_ns;
    g->full = true;
    if (g->len < sizeof(g->log) - 8) {
        g->len += (size_t)snprintf(g->log + g->len, 8, "%c%02x ", down ? '+' : '-', key);
    }
    if (down && key != 0x2a && key != 0x1d && key != 0x38 && g->typed < sizeof(g->text)) {
        g->text[g->typed++] = (uint8_t)key;
    }
    timer_at(&g->take, clock_now(&g->clock) + g->delay_ns);
}

static bool guest_idle(void *dev)
{
    struct slow_guest *g = dev;
    return !g->full;
}

static int setup(void **state)
{
    struct slow_guest *g = NEW(struct slow_guest);
    clock_init(&g->clock, CLOCK_VIRTUAL, 0);
    clock_start(&g->clock);
    timer_init(&g->take, &g->clock, "guest", guest_takes, g);
    g->sink = (struct keyboard_sink){
        .key = guest_key, .idle = guest_idle, .on_idle = &g->on_idle,
        .on_idle_opaque = &g->on_idle_opaque, .dev = g,
    };
    g->delay_ns = 100 * NS_PER_US;
    g->last_ns = -NS_PER_SEC;
    g->least_gap_ns = TIME_NEVER;
    typist_init(&g->typist, &g->clock, &g->sink);
    *state = g;
    return 0;
}

static int teardown(void **state)
{
    struct slow_guest *g = *state;
    typist_fini(&g->typist);
    clock_fini(&g->clock);
    free(g);
    return 0;
}

/* Runs the clock from deadline to deadline, at most @ns further. */
static void run(struct slow_guest *g, int64_t ns)
{
    int64_t end = clock_now(&g->clock) + ns;
    while (clock_deadline(&g->clock) <= end) {
        int64_t wait = clock_deadline(&g->clock) - clock_now(&g->clock);
        clock_advance(&g->clock, wait > 0 ? wait : 0);
        clock_run_timers(&g->clock);
    }
    clock_advance(&g->clock, end - clock_now(&g->clock));
}

static void types_as(struct slow_guest *g, const char *text, const char *keys)
{
    struct error *err = NULL;
    g->len = 0;
    g->log[0] = 0;
    if (!typist_type(&g->typist, text, &err)) {
        fail_msg("%s: %s", text, error_text(err));
    }
    run(g, NS_PER_SEC);
    assert_true(typist_done(&g->typist));
    assert_string_equal(g->log, keys);
}

static void names_are_those_of_sendkey(void **state)
{
    assert_int_equal(key_by_name("a"), 0x1e);
    assert_int_equal(key_by_name("ret"), 0x1c);
    assert_int_equal(key_by_name("spc"), 0x39);
    assert_int_equal(key_by_name("f1"), 0x3b);
    assert_int_equal(key_by_name("F12"), 0x58);
    assert_int_equal(key_by_name("ctrl"), 0x1d);
    assert_int_equal(key_by_name("ctrl_r"), KEY_E0 | 0x1d);
    assert_int_equal(key_by_name("delete"), KEY_E0 | 0x53);
    assert_int_equal(key_by_name("kp_0"), 0x52);
    assert_int_equal(key_by_name("print"), KEY_PRINT);
    assert_int_equal(key_by_name("pause"), KEY_PAUSE);
    assert_int_equal(key_by_name("nosuch"), 0);
    assert_int_equal(key_by_name(""), 0);
}

static void every_printable_ascii_character_has_its_own_key(void **state)
{
    bool seen[2][128] = {{false}};
    for (uint32_t c = ' '; c <= '~'; c++) {
        unsigned key;
        bool shift;
        assert_true(key_for_char(c, &key, &shift));
        assert_in_range(key, 1, 0x58);
        assert_false(seen[shift][key]);
        seen[shift][key] = true;
    }
    unsigned key;
    bool shift;
    assert_true(key_for_char('"', &key, &shift) && key == 0x28 && shift);
    assert_true(key_for_char('/', &key, &shift) && key == 0x35 && !shift);
    assert_true(key_for_char('|', &key, &shift) && key == 0x2b && shift);
    assert_true(key_for_char('~', &key, &shift) && key == 0x29 && shift);
    assert_false(key_for_char(0xe4, &key, &shift));
    assert_false(key_for_char(0x101, &key, &shift));
    assert_false(key_for_char(0x07, &key, &shift));
}

static void other_layouts_are_refused_by_name(void **state)
{
    struct error *err = NULL;
    assert_true(keymap_select("en-us", &err));
    assert_false(keymap_select("de", &err));
    assert_non_null(strstr(error_text(err), "'de'"));
    error_free(err);
}

static void text_becomes_make_and_break(void **state)
{
    types_as(*state, "aB", "+1e -1e +2a +30 -30 -2a ");
    types_as(*state, "\\n\n\\t\\b\\e\\\\\\<\\x41",
             "+1c -1c +1c -1c +0f -0f +0e -0e +01 -01 +2b -2b +2a +33 -33 -2a +2a +1e -1e -2a ");
}

static void names_in_brackets_are_keys(void **state)
{
    types_as(*state, "<Enter><F10>", "+1c -1c +44 -44 ");
    types_as(*state, "<C-A-Del>", "+1d +38 +d3 -d3 -38 -1d ");
    types_as(*state, "<ctrl-alt-delete>", "+1d +38 +d3 -d3 -38 -1d ");
    types_as(*state, "<S-Tab><a-x><C-C>", "+2a +0f -0f -2a +38 +2d -2d -38 +1d +2e -2e -1d ");
    types_as(*state, "<C-[>", "+1d +1a -1a -1d ");
    types_as(*state, "<C-->", "+1d +0c -0c -1d ");
    types_as(*state, "<->", "+0c -0c ");
}

static void a_wrong_text_types_nothing_and_says_why(void **state)
{
    struct slow_guest *g = *state;
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"a<Nokey>", "'Nokey'"}, {"a<", "\\<"}, {"a<>", "\\<"}, {"a\\q", "\\q"}, {"a\\", "escape"},
        {"a\\x4", "hexadecimal"}, {"a\\xzz", "hexadecimal"}, {"\u00e4", "U+00E4"},
        {"a\xff", "UTF-8"},
        {"a\\x07", "U+0007"}, {"<C-\u00e4>", "no key"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error *err = NULL;
        assert_false(typist_type(&g->typist, bad[i].text, &err));
        if (strstr(error_text(err), bad[i].why) == NULL) {
            fail_msg("'%s' says: %s", bad[i].text, error_text(err));
        }
        error_free(err);
        assert_false(typist_check(bad[i].text, NULL));
    }
    run(g, NS_PER_SEC);
    assert_int_equal(g->len, 0);
    assert_true(typist_done(&g->typist));
}

static void ten_kib_arrive_whole_at_a_slow_guest(void **state)
{
    struct slow_guest *g = *state;
    char text[10241] = "";
    for (unsigned i = 0; i < 10240; i++) {
        text[i] = (char)('a' + i * 7 % 26);
    }
    g->delay_ns = 3 * NS_PER_MS;
    assert_true(typist_type(&g->typist, text, NULL));
    assert_false(typist_done(&g->typist));
    run(g, 200 * NS_PER_SEC);
    assert_true(typist_done(&g->typist));
    assert_false(g->overrun);
    assert_int_equal(g->typed, 10240);
    for (unsigned i = 0; i < 10240; i++) {
        unsigned key;
        bool shift;
        key_for_char((uint8_t)text[i], &key, &shift);
        assert_int_equal(g->text[i], key);
    }
    assert_true(g->least_gap_ns >= 2 * NS_PER_MS);
}

static void typing_goes_on_where_no_byte_is_ever_taken(void **state)
{
    struct slow_guest *g = *state;
    g->delay_ns = 0;
    struct timer *t = &g->take;                         /* idle at once, and nobody calls on_idle */
    assert_true(typist_type(&g->typist, "ab", NULL));
    g->on_idle = NULL;
    run(g, NS_PER_SEC);
    assert_false(timer_armed(t));
    assert_int_equal(g->typed, 2);
    assert_true(typist_done(&g->typist));
}

static void more_than_the_queue_holds_is_refused_whole(void **state)
{
    struct slow_guest *g = *state;
    struct error *err = NULL;
    char *text = xcalloc(TYPIST_MAX_KEYS + 2, 1);
    memset(text, 'a', TYPIST_MAX_KEYS + 1);
    assert_false(typist_type(&g->typist, text, &err));
    error_free(err);
    err = NULL;
    text[TYPIST_MAX_KEYS] = 0;
    assert_true(typist_type(&g->typist, text, NULL));
    assert_false(typist_type(&g->typist, "b", &err));
    error_free(err);
    free(text);
}

static void cancelling_releases_what_is_down(void **state)
{
    struct slow_guest *g = *state;
    assert_true(typist_combo(&g->typist, "ctrl-alt-delete", NULL));
    while (strstr(g->log, "+d3") == NULL) {
        run(g, NS_PER_MS);
    }
    typist_cancel(&g->typist);
    run(g, NS_PER_SEC);
    assert_string_equal(g->log, "+1d +38 +d3 -d3 -1d -38 ");
    assert_true(typist_done(&g->typist));
}

#define ON_GUEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_sendkey),
        cmocka_unit_test(every_printable_ascii_character_has_its_own_key),
        cmocka_unit_test(other_layouts_are_refused_by_name),
        ON_GUEST(text_becomes_make_and_break),
        ON_GUEST(names_in_brackets_are_keys),
        ON_GUEST(a_wrong_text_types_nothing_and_says_why),
        ON_GUEST(ten_kib_arrive_whole_at_a_slow_guest),
        ON_GUEST(typing_goes_on_where_no_byte_is_ever_taken),
        ON_GUEST(more_than_the_queue_holds_is_refused_whole),
        ON_GUEST(cancelling_releases_what_is_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
