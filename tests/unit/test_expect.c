/* The automation engine on a machine without CPU: a fake screen, keyboard and serial port, and a
 * clock that the tests move. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/main/expect.h"
#include "core/ui/input.h"
#include "core/ui/surface.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bench {
    struct machine m;
    struct display_source display;
    struct keyboard_sink keyboard;
    void (*on_idle)(void *opaque);
    void *on_idle_opaque;
    struct text_screen screen;
    char keys[200];              /* make codes in hex */
    bool busy;                   /* the guest does not take its keys */
    struct pointer_sink pointer;
    char pointed[200];           /* "dx,dy,wheel" and "b" with the buttons */
    unsigned pointer_busy;       /* how many more times the guest says that it has more to take */
    struct chardev *com1;
    struct script script;
    struct expect *e;
};

static bool bench_text(void *dev, struct text_screen *out)
{
    struct bench *b = dev;
    *out = b->screen;
    return b->screen.rows != 0;
}

static void bench_key(void *dev, unsigned key, bool down)
{
    struct bench *b = dev;
    if (down) {
        sprintf(b->keys + strlen(b->keys), "%02x ", key);
    }
}

static bool bench_idle(void *dev)
{
    return !((struct bench *)dev)->busy;
}

static void bench_move(void *dev, int dx, int dy, int wheel)
{
    struct bench *b = dev;
    sprintf(b->pointed + strlen(b->pointed), "%d,%d,%d ", dx, dy, wheel);
}

static void bench_buttons(void *dev, unsigned down)
{
    struct bench *b = dev;
    sprintf(b->pointed + strlen(b->pointed), "b%x ", down);
}

static bool bench_pointer_idle(void *dev)
{
    struct bench *b = dev;
    b->pointer_busy -= b->pointer_busy != 0;
    return b->pointer_busy == 0;
}

/* Puts @text at the start of row @y and the cursor behind it. */
static void show(struct bench *b, unsigned y, const char *text)
{
    b->screen.cols = 80;
    b->screen.rows = 25;
    for (unsigned x = 0; x < 80; x++) {
        b->screen.cells[y][x] = (struct text_cell){x < strlen(text) ? (uint8_t)text[x] : ' ', 7};
    }
    b->screen.cursor_y = y;
    b->screen.cursor_x = (unsigned)strlen(text);
}

static void begin(struct bench *b, const char *script)
{
    struct error *err = NULL;
    char *text = strdup(script);
    b->script.limit_ns = SCRIPT_LIMIT_NS;
    assert_true(script_parse(&b->script, text, &err));
    free(text);
    b->e = expect_new(&b->m, &b->script, b->com1, EXPECT_HOST_LIMIT_NS, &err);
    assert_non_null(b->e);
    expect_start(b->e);
}

/* Lets guest time pass, timers and all. */
static void pass(struct bench *b, int64_t ns)
{
    int64_t end = clock_now(&b->m.clock) + ns;
    while (clock_deadline(&b->m.clock) <= end && b->m.stop_request == CAUSE_NONE) {
        int64_t step = clock_deadline(&b->m.clock) - clock_now(&b->m.clock);
        clock_advance(&b->m.clock, step > 0 ? step : 0);
        clock_run_timers(&b->m.clock);
    }
    if (clock_now(&b->m.clock) < end && b->m.stop_request == CAUSE_NONE) {
        clock_advance(&b->m.clock, end - clock_now(&b->m.clock));
    }
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    struct error *err = NULL;
    assert_true(machine_init(&b->m, CLOCK_VIRTUAL, 0, &err));
    b->display = (struct display_source){.text = bench_text, .dev = b};
    b->keyboard = (struct keyboard_sink){
        .key = bench_key,
        .idle = bench_idle,
        .on_idle = &b->on_idle,
        .on_idle_opaque = &b->on_idle_opaque,
        .dev = b,
    };
    b->m.display = &b->display;
    b->m.keyboard = &b->keyboard;
    b->pointer = (struct pointer_sink){
        .move = bench_move, .buttons = bench_buttons, .idle = bench_pointer_idle, .dev = b,
    };
    b->m.pointer = &b->pointer;
    b->com1 = chardev_new("null", &b->m.loop, &err);
    assert_non_null(b->com1);
    clock_start(&b->m.clock);
    show(b, 0, "");
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    expect_free(b->e);
    chardev_free(b->com1);
    machine_fini(&b->m);
    script_free(&b->script);
    free(b);
    return 0;
}

/* ---- the language ---------------------------------------------------------------------------- */

static void a_script_has_one_step_a_line(void **state)
{
    struct script s = {0};
    char text[] =
        "# first\n\n wait A:\\>  \r\ntype dir\\n\nsleep 1.5s\nwait \"  x \"\nwait-off\ntimeout 2m";
    assert_true(script_parse(&s, text, NULL));
    assert_int_equal(s.n, 6);
    assert_int_equal(s.steps[0].kind, STEP_WAIT);
    assert_string_equal(s.steps[0].text, "A:\\>");
    assert_int_equal(s.steps[0].line, 3);
    assert_int_equal(s.steps[1].kind, STEP_TYPE);
    assert_int_equal(s.steps[2].ns, 1500 * NS_PER_MS);
    assert_string_equal(s.steps[3].text, "  x ");
    assert_int_equal(s.steps[4].kind, STEP_WAIT_OFF);
    assert_int_equal(s.steps[5].ns, 120 * NS_PER_SEC);
    script_free(&s);
}

static void refused(const char *script, const char *reason)
{
    struct script s = {0};
    struct error *err = NULL;
    char *text = strdup(script);
    assert_false(script_parse(&s, text, &err));
    if (strstr(error_text(err), reason) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error_text(err), reason);
    }
    error_free(err);
    script_free(&s);
    free(text);
}

static void a_wrong_line_is_refused_by_number_and_reason(void **state)
{
    refused("wait x\nwiat y", "line 2: there is no step \"wiat\"; the nearest that exists is wait");
    refused("wait", "wait needs a text");
    refused("screenshot", "needs a file name");
    refused("sleep fast", "\"fast\" is not a time");
    refused("sleep -1s", "is not a time");
    refused("sleep 25000m", "more than 24 hours");
    refused("sleep 1e999", "is not a time");
    refused("wait-off now", "takes no argument");
    refused("type <NoSuchKey>", "NoSuchKey");
}

static void durations_have_units(void **state)
{
    int64_t ns;
    assert_true(parse_duration("2", &ns, NULL) && ns == 2 * NS_PER_SEC);
    assert_true(parse_duration("500ms", &ns, NULL) && ns == 500 * NS_PER_MS);
    assert_true(parse_duration("0.25s", &ns, NULL) && ns == 250 * NS_PER_MS);
    assert_true(parse_duration("7us", &ns, NULL) && ns == 7 * NS_PER_US);
    assert_false(parse_duration("", &ns, NULL));
    assert_false(parse_duration("nan", &ns, NULL));
    assert_false(parse_duration("2h", &ns, NULL));
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void wait_ends_within_10_ms_of_the_text(void **state)
{
    struct bench *b = *state;
    begin(b, "wait A:\\>");
    pass(b, NS_PER_SEC);
    assert_int_equal(b->m.stop_request, CAUSE_NONE);
    show(b, 3, "A:\\>");
    int64_t since = clock_now(&b->m.clock);
    pass(b, NS_PER_SEC);
    assert_int_equal(b->m.stop_request, CAUSE_EXPECT);
    assert_true(clock_now(&b->m.clock) - since <= EXPECT_PERIOD_NS);
    assert_int_equal(expect_finish(b->e), STATUS_OK);
}

static void the_limit_is_60_s_of_guest_time_for_each_step(void **state)
{
    struct bench *b = *state;
    begin(b, "sleep 50s\nwait never");
    pass(b, 109 * NS_PER_SEC);
    assert_int_equal(b->m.stop_request, CAUSE_NONE);
    pass(b, 2 * NS_PER_SEC);
    assert_int_equal(b->m.stop_request, CAUSE_EXPECT);
    assert_int_equal(clock_now(&b->m.clock), 110 * NS_PER_SEC);
    assert_int_equal(expect_finish(b->e), STATUS_TIME_LIMIT);
}

static void timeout_changes_the_limit_of_later_steps(void **state)
{
    struct bench *b = *state;
    begin(b, "timeout 2s\nwait never");
    pass(b, 3 * NS_PER_SEC);
    assert_int_equal(clock_now(&b->m.clock), 2 * NS_PER_SEC);
    assert_int_equal(expect_finish(b->e), STATUS_TIME_LIMIT);
}

static void fail_if_holds_for_all_later_steps(void **state)
{
    struct bench *b = *state;
    begin(b, "fail-if Error\nwait done");
    pass(b, NS_PER_SEC);
    show(b, 1, "Error 5");
    pass(b, NS_PER_SEC);
    assert_int_equal(expect_finish(b->e), STATUS_FAILED);
}

static void wait_prompt_is_not_content_with_the_old_prompt(void **state)
{
    struct bench *b = *state;
    begin(b, "type dir\\n\nwait-prompt A:\\>");
    show(b, 0, "A:\\>");
    pass(b, 5 * NS_PER_SEC);
    assert_int_equal(b->m.stop_request, CAUSE_NONE);
    show(b, 0, "A:\\>dir");
    pass(b, NS_PER_SEC);
    assert_int_equal(b->m.stop_request, CAUSE_NONE);
    show(b, 5, "A:\\>");
    pass(b, NS_PER_SEC);
    assert_int_equal(b->m.stop_request, CAUSE_EXPECT);
    assert_int_equal(expect_finish(b->e), STATUS_OK);
}

static void wait_still_wants_a_screen_that_shows_something(void **state)
{
    struct bench *b = *state;
    begin(b, "wait-still 2s");
    pass(b, 10 * NS_PER_SEC);
    assert_int_equal(b->m.stop_request, CAUSE_NONE);
    show(b, 0, "one");
    pass(b, NS_PER_SEC);
    show(b, 0, "two");
    pass(b, 1900 * NS_PER_MS);
    assert_int_equal(b->m.stop_request, CAUSE_NONE);
    pass(b, 200 * NS_PER_MS);
    assert_int_equal(expect_finish(b->e), STATUS_OK);
}

static void wait_serial_goes_on_behind_what_it_found(void **state)
{
    struct bench *b = *state;
    begin(b, "wait-serial login:\nwait-serial login:");
    chardev_write(b->com1, (const uint8_t *)"login: ", 7);
    pass(b, NS_PER_SEC);
    assert_int_equal(b->m.stop_request, CAUSE_NONE);
    chardev_write(b->com1, (const uint8_t *)"log", 3);
    pass(b, NS_PER_SEC);
    chardev_write(b->com1, (const uint8_t *)"in:", 3);
    pass(b, NS_PER_SEC);
    assert_int_equal(expect_finish(b->e), STATUS_OK);
}

static void serial_output_of_any_length_is_kept_in_bounds(void **state)
{
    struct bench *b = *state;
    begin(b, "wait-serial end");
    for (int i = 0; i < 100000; i++) {
        chardev_write(b->com1, (const uint8_t *)"0123456789", 10);
    }
    chardev_write(b->com1, (const uint8_t *)"end", 3);
    pass(b, NS_PER_SEC);
    assert_int_equal(expect_finish(b->e), STATUS_OK);
}

/* ---- input and files ------------------------------------------------------------------------- */

static void typing_waits_for_the_guest(void **state)
{
    struct bench *b = *state;
    begin(b, "type ab\nkey ctrl-alt-delete");
    b->busy = true;
    pass(b, 5 * NS_PER_SEC);
    assert_int_equal(b->m.stop_request, CAUSE_NONE);
    b->busy = false;
    pass(b, 5 * NS_PER_SEC);
    assert_int_equal(expect_finish(b->e), STATUS_OK);
    assert_non_null(strstr(b->keys, "1e "));
    assert_non_null(strstr(b->keys, "30 "));
    assert_non_null(strstr(b->keys, "1d 38 d3 "));
}

static void screentext_saves_the_screen(void **state)
{
    struct bench *b = *state;
    char path[] = "/tmp/coldboot-test-XXXXXX", line[100] = "", script[200];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    show(b, 0, "hello");
    snprintf(script, sizeof(script), "screentext %s", path);
    begin(b, script);
    pass(b, NS_PER_SEC);
    assert_int_equal(expect_finish(b->e), STATUS_OK);
    FILE *f = fopen(path, "r");
    assert_non_null(fgets(line, sizeof(line), f));
    fclose(f);
    unlink(path);
    assert_string_equal(line, "hello\n");
}

static void a_file_that_cannot_be_written_ends_the_run(void **state)
{
    struct bench *b = *state;
    begin(b, "screentext /nonexistent/file\nwait never");
    pass(b, NS_PER_SEC);
    assert_int_equal(expect_finish(b->e), STATUS_USAGE);
}

static void a_step_that_the_machine_cannot_do_is_refused_at_once(void **state)
{
    struct bench *b = *state;
    struct error *err = NULL;
    char text[] = "wait x";
    assert_true(script_parse(&b->script, text, NULL));
    b->m.display = NULL;
    assert_null(expect_new(&b->m, &b->script, b->com1, EXPECT_HOST_LIMIT_NS, &err));
    assert_string_equal(error_text(err), "wait: the machine has no screen");
    error_free(err);
}

/* ---- how the machine can end ----------------------------------------------------------------- */

static int status_after(struct bench *b, enum machine_cause cause, int status)
{
    begin(b, "wait never");
    pass(b, NS_PER_SEC);
    b->m.stop_request = cause;
    b->m.stop_status = status;
    return expect_finish(b->e);
}

static void a_triple_fault_is_status_5(void **state)
{
    struct bench *b = *state;
    begin(b, "wait never");
    pass(b, NS_PER_SEC);
    machine_request_reset(&b->m, CAUSE_TRIPLE_FAULT);
    assert_int_equal(b->m.stop_request, CAUSE_TRIPLE_FAULT);
    assert_int_equal(expect_finish(b->e), STATUS_TRIPLE_FAULT);
}

static void other_resets_do_not_end_the_run(void **state)
{
    struct bench *b = *state;
    begin(b, "wait never");
    machine_request_reset(&b->m, CAUSE_GUEST_RESET);
    assert_int_equal(b->m.stop_request, CAUSE_NONE);
}

static void a_halt_for_ever_is_status_6(void **state)
{
    struct bench *b = *state;
    assert_int_equal(status_after(b, CAUSE_DEAD_HALT, 0), STATUS_DEAD_HALT);
    assert_true(b->m.stop_on_dead_halt);
}

static void the_guest_can_choose_the_status(void **state)
{
    assert_int_equal(status_after(*state, CAUSE_GUEST_EXIT, 42), 42);
}

static void power_off_fails_a_script_that_does_not_wait_for_it(void **state)
{
    assert_int_equal(status_after(*state, CAUSE_GUEST_SHUTDOWN, 0), STATUS_FAILED);
}

static void a_signal_fails_the_script(void **state)
{
    assert_int_equal(status_after(*state, CAUSE_HOST_SIGNAL, 0), STATUS_FAILED);
}

static void wait_off_is_content_with_power_off(void **state)
{
    struct bench *b = *state;
    begin(b, "wait-off\nscreentext /dev/null");
    pass(b, NS_PER_SEC);
    b->m.stop_request = CAUSE_GUEST_SHUTDOWN;
    assert_int_equal(expect_finish(b->e), STATUS_OK);
}

static void nothing_can_be_typed_once_the_machine_is_off(void **state)
{
    struct bench *b = *state;
    begin(b, "wait-off\ntype x");
    pass(b, NS_PER_SEC);
    b->m.stop_request = CAUSE_GUEST_SHUTDOWN;
    assert_int_equal(expect_finish(b->e), STATUS_FAILED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void the_mouse_moves_clicks_and_drags(void **state)
{
    struct bench *b = *state;
    begin(
        b,
        "mouse 10 -5\nmouse 0 0 2\nclick left\npress 3\nmouse -1 1\nclick middle\nrelease right\n");
    pass(b, NS_PER_SEC);
    assert_int_equal(expect_finish(b->e), STATUS_OK);
    assert_string_equal(b->pointed, "10,-5,0 0,0,2 b1 b0 b2 -1,1,0 b6 b2 b0 ");
}

static void a_button_goes_up_when_the_guest_has_seen_it_down(void **state)
{
    struct bench *b = *state;
    b->pointer_busy = 5;
    begin(b, "click left\n");
    pass(b, 20 * NS_PER_MS);
    assert_string_equal(b->pointed, "b1 ");
    pass(b, NS_PER_SEC);
    assert_string_equal(b->pointed, "b1 b0 ");
    assert_int_equal(expect_finish(b->e), STATUS_OK);
}

static void a_mouse_that_is_not_read_meets_the_limit(void **state)
{
    struct bench *b = *state;
    b->pointer_busy = UINT32_MAX;
    begin(b, "timeout 1s\nmouse 1 1\n");
    pass(b, 2 * NS_PER_SEC);
    assert_int_equal(expect_finish(b->e), STATUS_TIME_LIMIT);
}

static void refused_step(const char *line, const char *why)
{
    struct script s = {0};
    struct error *err = NULL;
    char *text = strdup(line);
    assert_false(script_parse(&s, text, &err));
    assert_non_null(strstr(error_text(err), why));
    error_free(err);
    free(text);
    script_free(&s);
}

static void movements_and_buttons_are_checked(void **state)
{
    refused_step("mouse 1", "is not a movement");
    refused_step("mouse 1 2 3 4", "is not a movement");
    refused_step("mouse 1 x", "is not a movement");
    refused_step("mouse 1 99999999999999999999", "at most");
    refused_step("mouse", "needs a movement");
    refused_step("click lefft", "the nearest that exists is left");
    refused_step("press 6", "there is no button");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_has_one_step_a_line),
        cmocka_unit_test(a_wrong_line_is_refused_by_number_and_reason),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(movements_and_buttons_are_checked),
        CASE(wait_ends_within_10_ms_of_the_text),
        CASE(the_limit_is_60_s_of_guest_time_for_each_step),
        CASE(timeout_changes_the_limit_of_later_steps),
        CASE(fail_if_holds_for_all_later_steps),
        CASE(wait_prompt_is_not_content_with_the_old_prompt),
        CASE(wait_still_wants_a_screen_that_shows_something),
        CASE(wait_serial_goes_on_behind_what_it_found),
        CASE(serial_output_of_any_length_is_kept_in_bounds),
        CASE(typing_waits_for_the_guest),
        CASE(screentext_saves_the_screen),
        CASE(a_file_that_cannot_be_written_ends_the_run),
        CASE(a_step_that_the_machine_cannot_do_is_refused_at_once),
        CASE(a_triple_fault_is_status_5),
        CASE(other_resets_do_not_end_the_run),
        CASE(a_halt_for_ever_is_status_6),
        CASE(the_guest_can_choose_the_status),
        CASE(power_off_fails_a_script_that_does_not_wait_for_it),
        CASE(a_signal_fails_the_script),
        CASE(wait_off_is_content_with_power_off),
        CASE(nothing_can_be_typed_once_the_machine_is_off),
        CASE(the_mouse_moves_clicks_and_drags),
        CASE(a_button_goes_up_when_the_guest_has_seen_it_down),
        CASE(a_mouse_that_is_not_read_meets_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
