/* Clocks and timers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/bits.h"
#include "core/event/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WALL 1577934245ll * NS_PER_SEC

static char fired[64];

static void add(char what)
{
    size_t n = strlen(fired);
    if (n + 1 < sizeof(fired)) {
        fired[n] = what;
        fired[n + 1] = '\0';
    }
}

/* A timer's callback; @opaque is its letter. */
static void note(void *opaque)
{
    add(*(const char *)opaque);
}

static void start(struct clock *c)
{
    clock_init(c, CLOCK_VIRTUAL, WALL);
    clock_start(c);
    fired[0] = '\0';
}

static void timers_run_in_order_of_deadline(void **state)
{
    struct clock c;
    struct timer t[5];
    static const int64_t at[5] = {30, 10, 50, 20, 40};
    start(&c);
    for (unsigned i = 0; i < 5; i++) {
        timer_init(&t[i], &c, "t", note, (void *)&"abcde"[i]);
        timer_at(&t[i], at[i]);
    }
    assert_int_equal(clock_deadline(&c), 10);
    clock_advance(&c, 40);
    clock_run_timers(&c);
    assert_string_equal(fired, "bdae");
    assert_true(timer_armed(&t[2]) && !timer_armed(&t[0]));
    assert_int_equal(clock_deadline(&c), 50);
    clock_fini(&c);
}

static void equal_deadlines_run_in_order_of_arming(void **state)
{
    struct clock c;
    struct timer t[8];
    start(&c);
    for (unsigned i = 0; i < 8; i++) {
        timer_init(&t[i], &c, "t", note, (void *)&"abcdefgh"[i]);
        timer_at(&t[i], 5);
    }
    timer_at(&t[2], 5);
    timer_cancel(&t[4]);
    clock_advance(&c, 5);
    clock_run_timers(&c);
    assert_string_equal(fired, "abdfghc");
    clock_fini(&c);
}

static void arming_again_replaces_the_deadline(void **state)
{
    struct clock c;
    struct timer t;
    start(&c);
    timer_init(&t, &c, "t", note, (void *)"x");
    timer_at(&t, 10);
    timer_at(&t, 20);
    clock_advance(&c, 10);
    clock_run_timers(&c);
    assert_string_equal(fired, "");
    timer_at(&t, TIME_NEVER);
    assert_false(timer_armed(&t));
    assert_int_equal(clock_deadline(&c), TIME_NEVER);
    timer_at(&t, -5); /* the past: the next round */
    assert_string_equal(fired, "");
    clock_run_timers(&c);
    assert_string_equal(fired, "x");
    clock_fini(&c);
}

static void a_zeroed_timer_can_be_cancelled(void **state)
{
    struct timer t = {0};
    timer_cancel(&t);
    assert_false(timer_armed(&t));
}

/* Against a plain model: a set of (deadline, order), searched for its least element. */
static void the_heap_agrees_with_a_sorted_list(void **state)
{
    enum { N = 50 };
    struct clock c;
    struct timer t[N];
    int64_t due[N];
    uint64_t order[N], next = 0;
    start(&c);
    srand(1);
    for (unsigned i = 0; i < N; i++) {
        timer_init(&t[i], &c, "t", note, (void *)"x");
        due[i] = TIME_NEVER;
        order[i] = 0;
    }
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)rand() % N;
        if (rand() % 3 != 0) {
            due[i] = rand() % 100;
            order[i] = next++;
            timer_at(&t[i], due[i]);
        } else {
            due[i] = TIME_NEVER;
            timer_cancel(&t[i]);
        }
        unsigned least = 0;
        for (unsigned k = 1; k < N; k++) {
            if (due[k] < due[least] || (due[k] == due[least] && order[k] < order[least])) {
                least = k;
            }
        }
        assert_int_equal(clock_deadline(&c), due[least]);
        assert_true(due[least] == TIME_NEVER || c.heap[1] == &t[least]);
    }
    clock_fini(&c);
}

static struct timer chain[2];

static void arm_other_for_now(void *opaque)
{
    add('a');
    timer_at(&chain[1], clock_now(chain[1].clock));
}

static void a_timer_armed_for_now_by_a_callback_runs_in_the_same_round(void **state)
{
    struct clock c;
    start(&c);
    timer_init(&chain[0], &c, "a", arm_other_for_now, NULL);
    timer_init(&chain[1], &c, "b", note, (void *)"b");
    timer_at(&chain[0], 7);
    clock_advance(&c, 7);
    clock_run_timers(&c);
    assert_string_equal(fired, "ab");
    clock_fini(&c);
}

static void arm_self_for_the_past(void *opaque)
{
    add('s');
    timer_at(&chain[0], 0);
}

static void a_timer_that_always_re_arms_cannot_hold_up_a_round_or_others(void **state)
{
    struct clock c;
    start(&c);
    timer_init(&chain[0], &c, "self", arm_self_for_the_past, NULL);
    timer_init(&chain[1], &c, "other", note, (void *)"o");
    timer_at(&chain[0], 0);
    timer_at(&chain[1], 5);
    clock_advance(&c, 10);
    clock_run_timers(&c);
    assert_string_equal(fired, "so");
    assert_int_equal(clock_deadline(&c), 11);
    clock_advance(&c, 1);
    clock_run_timers(&c);
    assert_string_equal(fired, "sos");
    clock_fini(&c);
}

static void cancel_other(void *opaque)
{
    add('a');
    timer_cancel(&chain[1]);
}

static void a_callback_can_cancel_a_timer_that_is_due(void **state)
{
    struct clock c;
    start(&c);
    timer_init(&chain[0], &c, "a", cancel_other, NULL);
    timer_init(&chain[1], &c, "b", note, (void *)"b");
    timer_at(&chain[0], 1);
    timer_at(&chain[1], 1);
    clock_advance(&c, 1);
    clock_run_timers(&c);
    assert_string_equal(fired, "a");
    clock_fini(&c);
}

static void add_three(void *opaque)
{
    clock_advance(opaque, 3);
}

static void the_virtual_clock_catches_up_before_it_answers(void **state)
{
    struct clock c;
    start(&c);
    c.sync = add_three;
    c.sync_opaque = &c;
    assert_int_equal(clock_now(&c), 3);
    assert_int_equal(clock_wall(&c), WALL + 6);
    clock_fini(&c);
}

static void count(void *opaque)
{
    ++*(unsigned *)opaque;
}

static void earlier_is_called_only_when_the_first_deadline_moves_forward(void **state)
{
    struct clock c;
    struct timer t[2];
    unsigned calls = 0;
    start(&c);
    c.earlier = count;
    c.earlier_opaque = &calls;
    timer_init(&t[0], &c, "a", note, (void *)"a");
    timer_init(&t[1], &c, "b", note, (void *)"b");
    timer_at(&t[0], 100);
    assert_int_equal(calls, 1);
    timer_at(&t[1], 200);
    timer_at(&t[1], 100);
    timer_at(&t[0], 300);
    assert_int_equal(calls, 1);
    timer_at(&t[0], 50);
    assert_int_equal(calls, 2);
    clock_fini(&c);
}

static void the_host_driven_clock_stands_still_while_stopped(void **state)
{
    struct clock c;
    struct timespec ms5 = {.tv_nsec = 5000000};
    clock_init(&c, CLOCK_HOST_DRIVEN, WALL);
    assert_int_equal(clock_now(&c), 0);
    nanosleep(&ms5, NULL);
    assert_int_equal(clock_now(&c), 0);
    assert_true(clock_wall(&c) >= WALL + 5 * NS_PER_MS); /* Unix time goes on */
    clock_start(&c);
    nanosleep(&ms5, NULL);
    int64_t t = clock_now(&c);
    assert_true(t >= 5 * NS_PER_MS && t < 10 * NS_PER_SEC);
    clock_stop(&c);
    int64_t stopped = clock_now(&c);
    nanosleep(&ms5, NULL);
    assert_int_equal(clock_now(&c), stopped);
    clock_start(&c);
    assert_true(clock_now(&c) >= stopped && clock_now(&c) < stopped + 5 * NS_PER_SEC);
    clock_fini(&c);
}

static void the_virtual_wall_clock_moves_with_the_virtual_clock_only(void **state)
{
    struct clock c;
    start(&c);
    assert_int_equal(clock_wall(&c), WALL);
    clock_advance(&c, 1234);
    clock_stop(&c);
    assert_int_equal(clock_wall(&c), WALL + 1234);
    clock_fini(&c);
}

static void conversions_round_counts_down_and_deadlines_up(void **state)
{
    assert_int_equal(muldiv64(10, 1000000000, 1193182), 8380);
    assert_int_equal(muldiv64_up(10, 1000000000, 1193182), 8381);
    assert_int_equal(muldiv64_up(1193182, 1000000000, 1193182), 1000000000);
    assert_int_equal(muldiv64(UINT64_MAX, UINT64_MAX, UINT64_MAX), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_run_in_order_of_deadline),
        cmocka_unit_test(equal_deadlines_run_in_order_of_arming),
        cmocka_unit_test(arming_again_replaces_the_deadline),
        cmocka_unit_test(a_zeroed_timer_can_be_cancelled),
        cmocka_unit_test(the_heap_agrees_with_a_sorted_list),
        cmocka_unit_test(a_timer_armed_for_now_by_a_callback_runs_in_the_same_round),
        cmocka_unit_test(a_timer_that_always_re_arms_cannot_hold_up_a_round_or_others),
        cmocka_unit_test(a_callback_can_cancel_a_timer_that_is_due),
        cmocka_unit_test(the_virtual_clock_catches_up_before_it_answers),
        cmocka_unit_test(earlier_is_called_only_when_the_first_deadline_moves_forward),
        cmocka_unit_test(the_host_driven_clock_stands_still_while_stopped),
        cmocka_unit_test(the_virtual_wall_clock_moves_with_the_virtual_clock_only),
        cmocka_unit_test(conversions_round_counts_down_and_deadlines_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
