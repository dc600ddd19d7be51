/* Character devices: what all share, and the back ends null, stdio and file. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/log.h"
#include "core/device/chardev.h"
#include "core/device/chardev_fd.h"
#include "core/event/loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct lock lock;
static struct loop loop;
static struct timer end;
static int in[2], out[2], real_in, real_out; /* pipes that stand for standard input and output */
static char path[64];
static char got[1000];
static size_t room;

static void quit(void *opaque)
{
    loop_quit(&loop);
}

static int set_up(void **state)
{
    lock_init(&lock);
    assert_true(loop_init(&loop, &lock, NULL));
    timer_init(&end, &loop.host, "end", quit, NULL);
    got[0] = '\0';
    room = sizeof(got);
    snprintf(path, sizeof(path), "/tmp/coldboot-test-chardev-%d", (int)getpid());
    return 0;
}

static int tear_down(void **state)
{
    loop_fini(&loop);
    lock_fini(&lock);
    unlink(path);
    return 0;
}

static void run_ms(int64_t ms)
{
    timer_at(&end, clock_now(&loop.host) + ms * NS_PER_MS);
    loop_run(&loop);
}

static struct chardev *stdio_on_pipes(void)
{
    assert_true(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    real_in = dup(STDIN_FILENO);
    real_out = dup(STDOUT_FILENO);
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    struct chardev *c = chardev_new("stdio", &loop, NULL);
    dup2(real_out, STDOUT_FILENO);
    assert_non_null(c);
    return c;
}

static void end_stdio(struct chardev *c)
{
    chardev_free(c);
    dup2(real_in, STDIN_FILENO);
    int fds[] = {in[0], in[1], out[0], out[1], real_in, real_out};
    for (unsigned i = 0; i < 6; i++) {
        close(fds[i]);
    }
}

static void put(struct chardev *c, const char *text)
{
    chardev_write(c, (const uint8_t *)text, strlen(text));
}

static const char *file_text(void)
{
    static char text[200];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return text;
}

static struct chardev *file_chardev(struct loop *l)
{
    char spec[80];
    snprintf(spec, sizeof(spec), "file:%s", path);
    struct chardev *c = chardev_new(spec, l, NULL);
    assert_non_null(c);
    return c;
}

static size_t can_receive(void *opaque)
{
    return room;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    assert_true(len <= room);
    room -= len;
    strncat(got, (const char *)buf, len);
}

static void connect_front_end(struct chardev *c)
{
    c->can_receive = can_receive;
    c->receive = receive;
}

/* --- common ----------------------------------------------------------------------------------- */

static void an_unknown_back_end_is_refused_with_the_known_ones(void **state)
{
    struct error *err = NULL;
    assert_null(chardev_new("tty:3", &loop, &err));
    assert_string_equal(error_text(err),
                        "'tty:3' is none of null, stdio, pty, file:PATH, pipe:PATH, unix:PATH, "
                        "tcp:HOST:PORT, telnet:HOST:PORT");
    error_free(err);
}

static void no_chardev_is_allowed(void **state)
{
    put(NULL, "x");
    chardev_flush(NULL);
    chardev_accepts(NULL);
    chardev_free(NULL);
}

static void tap_seen(void *opaque, const uint8_t *buf, size_t len)
{
    strncat(got, opaque, 1);
    strncat(got, (const char *)buf, len);
}

static void taps_see_every_byte_in_order(void **state)
{
    struct chardev *c = chardev_new("null", NULL, NULL);
    char one[] = "1", two[] = "2";
    struct chardev_tap a = {.seen = tap_seen, .opaque = one}, b = {.seen = tap_seen, .opaque = two};
    chardev_tap(c, &a);
    chardev_tap(c, &b);
    put(c, "xy");
    put(c, "z");
    assert_string_equal(got, "1xy2xy1z2z");
    chardev_free(c);
}

static void input_is_cut_to_what_the_front_end_takes(void **state)
{
    struct chardev *c = chardev_new("null", NULL, NULL);
    assert_int_equal(chardev_input(c, (const uint8_t *)"abc", 3), 3); /* nobody there: dropped */
    connect_front_end(c);
    room = 2;
    assert_int_equal(chardev_input(c, (const uint8_t *)"abc", 3), 2);
    assert_int_equal(chardev_input(c, (const uint8_t *)"c", 1), 0);
    assert_string_equal(got, "ab");
    chardev_free(c);
}

/* --- file ------------------------------------------------------------------------------------- */

static void a_file_is_emptied_and_gets_the_output(void **state)
{
    struct chardev *c = file_chardev(&loop);
    put(c, "old contents");
    chardev_free(c);
    c = file_chardev(&loop);
    put(c, "hel");
    put(c, "lo\n");
    chardev_flush(c);
    assert_string_equal(file_text(), "hello\n");
    put(c, "end");
    chardev_free(c);
    assert_string_equal(file_text(), "hello\nend");
}

static void output_after_a_silence_is_written_at_once_and_what_follows_collects(void **state)
{
    struct chardev *c = file_chardev(&loop);
    put(c, "a");
    assert_string_equal(file_text(), "a");
    put(c, "b");
    put(c, "c");
    assert_string_equal(file_text(), "a");
    run_ms(100); /* milliseconds later without a flush */
    assert_string_equal(file_text(), "abc");
    put(c, "d");
    assert_string_equal(file_text(), "abcd");
    chardev_free(c);
}

static void without_a_loop_output_is_written_at_once(void **state)
{
    struct chardev *c = file_chardev(NULL);
    put(c, "x");
    assert_string_equal(file_text(), "x");
    chardev_free(c);
}

static void a_file_that_cannot_be_made_is_reported(void **state)
{
    struct error *err = NULL;
    assert_null(chardev_new("file:/no/such/folder/x", &loop, &err));
    assert_string_equal(error_text(err), "open '/no/such/folder/x': No such file or directory");
    error_free(err);
    err = NULL;
    assert_null(chardev_new("file:", &loop, &err));
    assert_non_null(err);
    error_free(err);
}

static unsigned warnings;

static void count_warning(void *opaque, const char *line)
{
    warnings++;
}

static void a_full_disk_is_said_once_and_stops_nothing(void **state)
{
    struct chardev *c = chardev_new("file:/dev/full", &loop, NULL);
    assert_non_null(c);
    warnings = 0;
    log_set_sink(count_warning, NULL);
    for (unsigned i = 0; i < 10; i++) {
        put(c, "x");
        chardev_flush(c);
    }
    assert_int_equal(warnings, 1);
    assert_int_equal(chardev_fd_dropped(c), 9);
    chardev_free(c);
    log_set_sink(NULL, NULL);
}

/* --- stdio ------------------------------------------------------------------------------------ */

static void stdio_carries_both_ways(void **state)
{
    char buf[20] = "";
    struct chardev *c = stdio_on_pipes();
    connect_front_end(c);
    put(c, "prompt>");
    assert_int_equal(write(in[1], "dir\r", 4), 4);
    run_ms(50);
    assert_int_equal(read(out[0], buf, sizeof(buf)), 7);
    assert_string_equal(buf, "prompt>");
    assert_string_equal(got, "dir\r");
    end_stdio(c);
}

static void input_waits_for_the_front_end_to_accept_it(void **state)
{
    struct chardev *c = stdio_on_pipes();
    connect_front_end(c);
    room = 2;
    assert_int_equal(write(in[1], "abcde", 5), 5);
    int64_t cpu = host_cpu_ns();
    run_ms(100);
    assert_true(host_cpu_ns() - cpu < 50 * NS_PER_MS); /* waiting is not spinning */
    assert_string_equal(got, "ab");
    room = 1;
    chardev_accepts(c);
    run_ms(20);
    assert_string_equal(got, "abc");
    room = 9;
    chardev_accepts(c);
    run_ms(20);
    assert_string_equal(got, "abcde");
    end_stdio(c);
}

static void after_the_end_of_input_output_goes_on(void **state)
{
    char buf[20] = "";
    struct chardev *c = stdio_on_pipes();
    connect_front_end(c);
    close(in[1]);
    in[1] = dup(in[0]);
    run_ms(20);
    chardev_accepts(c);
    put(c, "still here");
    run_ms(50);
    assert_int_equal(read(out[0], buf, sizeof(buf)), 10);
    end_stdio(c);
}

static void a_reader_that_is_too_slow_loses_output_but_stops_nobody(void **state)
{
    struct chardev *c = stdio_on_pipes();
    char block[4096];
    size_t sent = 0, taken = 0;
    memset(block, 'x', sizeof(block));
    for (unsigned i = 0; i < 256; i++) { /* 1 MiB: more than a pipe and our buffer hold */
        chardev_write(c, (const uint8_t *)block, sizeof(block));
        sent += sizeof(block);
    }
    size_t dropped = chardev_fd_dropped(c);
    assert_in_range(dropped, 1, sent - 256 * 1024);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    for (unsigned turn = 0; turn < 100 && taken < sent - dropped; turn++) {
        ssize_t n;
        while ((n = read(out[0], block, sizeof(block))) > 0) {
            taken += (size_t)n;
        }
        run_ms(5);
    }
    assert_int_equal(taken, sent - dropped); /* what was not dropped arrives */
    log_set_sink(count_warning, NULL);
    end_stdio(c);
    log_set_sink(NULL, NULL);
}

static void a_chardev_may_be_freed_after_its_loop(void **state)
{
    struct chardev *c = file_chardev(&loop);
    put(c, "last words");
    loop_fini(&loop);
    chardev_free(c);
    assert_string_equal(file_text(), "last words");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_back_end_is_refused_with_the_known_ones),
        TEST(no_chardev_is_allowed),
        TEST(taps_see_every_byte_in_order),
        TEST(input_is_cut_to_what_the_front_end_takes),
        TEST(a_file_is_emptied_and_gets_the_output),
        TEST(output_after_a_silence_is_written_at_once_and_what_follows_collects),
        TEST(without_a_loop_output_is_written_at_once),
        TEST(a_file_that_cannot_be_made_is_reported),
        TEST(a_full_disk_is_said_once_and_stops_nothing),
        TEST(stdio_carries_both_ways),
        TEST(input_waits_for_the_front_end_to_accept_it),
        TEST(after_the_end_of_input_output_goes_on),
        TEST(a_reader_that_is_too_slow_loses_output_but_stops_nobody),
        TEST(a_chardev_may_be_freed_after_its_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
