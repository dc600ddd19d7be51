/* Error objects, messages, allocation. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void an_error_carries_the_text_it_was_set_with(void **state)
{
    struct error *err = NULL;
    assert_false(error_set(&err, "cluster_bits %d is not in 9..21", 40));
    assert_string_equal(error_text(err), "cluster_bits 40 is not in 9..21");
    error_free(err);
}

static void an_errno_error_ends_with_the_systems_text(void **state)
{
    struct error *err = NULL;
    assert_false(error_errno(&err, ENOENT, "open %s", "a.img"));
    assert_string_equal(error_text(err), "open a.img: No such file or directory");
    error_free(err);
}

static void prefixes_stand_in_front_the_last_added_first(void **state)
{
    struct error *err = NULL;
    error_set(&err, "too short");
    assert_false(error_prefix(&err, "qcow2"));
    assert_false(error_prefix(&err, "-drive %s", "a.img"));
    assert_string_equal(error_text(err), "-drive a.img: qcow2: too short");
    error_free(err);
}

static void without_a_place_for_it_the_text_is_dropped(void **state)
{
    struct error *err = NULL;
    assert_false(error_set(NULL, "x"));
    assert_false(error_errno(NULL, EIO, "x"));
    assert_false(error_prefix(NULL, "x"));
    assert_false(error_prefix(&err, "x"));
    assert_null(err);
    assert_string_equal(error_text(NULL), "");
    error_free(NULL);
}

/* The address sanitizer otherwise ends the program where calloc would return NULL. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void own_allocations_are_zeroed_and_formatted(void **state)
{
    uint32_t *n = NEW_ARRAY(uint32_t, 100);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(n[i], 0);
    }
    free(n);
    char *s = xasprintf("%s=%u", "a", 7);
    assert_string_equal(s, "a=7");
    free(s);
    void *p = try_alloc(SIZE_MAX / 2);
    assert_null(p);
}

/* --- messages --------------------------------------------------------------------------------- */

static char *text;
static size_t text_len;

static FILE *capture(void)
{
    FILE *f = open_memstream(&text, &text_len);
    log_set_file(f);
    return f;
}

static void end_capture(FILE *f)
{
    log_set_file(NULL);
    log_enable(0);
    fclose(f);
}

static void messages_about_the_guest_are_off_until_enabled(void **state)
{
    FILE *f = capture();
    log_guest("bad register %u", 1);
    log_unimp("mode %u", 2);
    log_enable(LOG_UNIMP);
    log_guest("bad register %u", 3);
    log_unimp("mode %u", 4);
    end_capture(f);
    assert_string_equal(text, "not implemented: mode 4\n");
    free(text);
}

static unsigned lines_with(const char *what)
{
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, what)) != NULL; p++) {
        n++;
    }
    return n;
}

static void a_guest_cannot_flood_the_log(void **state)
{
    FILE *f = capture();
    log_enable(LOG_GUEST);
    for (unsigned i = 0; i < 50000; i++) {
        log_guest("again");
    }
    struct timespec more_than_a_second = {.tv_sec = 1, .tv_nsec = 20000000};
    nanosleep(&more_than_a_second, NULL);
    log_guest("later");
    end_capture(f);
    assert_in_range(lines_with("again"), 1, 3000); /* the loop may cross a second or two */
    assert_true(lines_with("messages dropped") >= 1);
    assert_int_equal(lines_with("guest error: later"), 1);
    free(text);
}

static void keep_line(void *opaque, const char *line)
{
    snprintf(opaque, 100, "%s", line);
}

static void the_sink_gets_what_standard_error_would(void **state)
{
    char line[100] = "";
    log_set_sink(keep_line, line);
    log_error("no such file %s", "x");
    assert_string_equal(line, "coldboot: no such file x");
    log_warn("slow");
    assert_string_equal(line, "coldboot: warning: slow");
    log_set_sink(NULL, NULL);
}

/* --- traces ----------------------------------------------------------------------------------- */

static void count_points(void *opaque, const struct trace_point *tp)
{
    unsigned *counts = opaque;
    counts[0]++;
    counts[1] += *tp->enabled;
}

static void trace_points_are_switched_by_pattern(void **state)
{
    unsigned counts[2] = {0};
    trace_list(count_points, counts);
    assert_int_equal(counts[1], 0);
    assert_int_equal(trace_enable("machine_*", true), 2);
    counts[0] = 0;
    trace_list(count_points, counts);
    assert_int_equal(counts[1], 2);
    assert_int_equal(trace_enable("*", false), counts[0]);
    assert_int_equal(trace_enable("no_such_point", true), 0);
}

static void say_where(void *opaque, struct trace_where *w)
{
    *w = (struct trace_where){
        .ns = 1500000, .insns = 42, .on_vcpu = true, .cpu = 1, .has_place = true, .cs = 0xf000,
        .ip = 0xe05b,
    };
}

static void a_trace_line_is_context_name_and_arguments(void **state)
{
    struct trace_point tp = {.name = "i8254_read", .args = "off:u "};
    struct trace_point all = {.name = "all", .args = "text:s small:d digits:- wide:q "};
    FILE *f = capture();
    trace_emit(&tp, "off=%u", 3);
    trace_set_context(say_where, NULL);
    trace_emit(&tp, "off=%u", 4);
    trace_set_json(true);
    trace_emit(&tp, "off=%u", 5);
    trace_emit(&all, "%s %d %0*llx", "a \"b\"\n", -1, 4, 1ull << 40);
    trace_set_json(false);
    trace_set_context(NULL, NULL);
    end_capture(f);
    assert_string_equal(
        text, "i8254_read off=3\n"
              "    1.500000         42     F000:E05B  i8254_read off=4\n"
              "{\"ns\": 1500000, \"insn\": 42, \"cpu\": 1, \"at\": \"F000:E05B\", "
              "\"event\": \"i8254_read\", \"args\": {\"off\": 5}}\n"
              "{\"ns\": 1500000, \"insn\": 42, \"cpu\": 1, \"at\": \"F000:E05B\", "
              "\"event\": \"all\", \"args\": {\"text\": \"a \\\"b\\\"\\n\", \"small\": -1, "
              "\"wide\": 1099511627776}}\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_carries_the_text_it_was_set_with),
        cmocka_unit_test(an_errno_error_ends_with_the_systems_text),
        cmocka_unit_test(prefixes_stand_in_front_the_last_added_first),
        cmocka_unit_test(without_a_place_for_it_the_text_is_dropped),
        cmocka_unit_test(own_allocations_are_zeroed_and_formatted),
        cmocka_unit_test(messages_about_the_guest_are_off_until_enabled),
        cmocka_unit_test(a_guest_cannot_flood_the_log),
        cmocka_unit_test(the_sink_gets_what_standard_error_would),
        cmocka_unit_test(trace_points_are_switched_by_pattern),
        cmocka_unit_test(a_trace_line_is_context_name_and_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
