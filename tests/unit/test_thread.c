/* The machine lock: its favourite, and those who take it from there. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/event/thread.h"

#include "core/event/clock.h"

#include <time.h>

enum { ENOUGH = 1000 };          /* times in a row, to become the favourite */

static struct lock lock;
static struct lock_user users[2];
static volatile uint64_t count;  /* not atomic: two inside at once lose some */
static _Atomic bool ended;

static int set_up(void **state)
{
    lock_init(&lock);
    users[0] = users[1] = (struct lock_user){0};
    count = 0;
    ended = false;
    return 0;
}

static int tear_down(void **state)
{
    lock_favour(NULL);
    lock_fini(&lock);
    return 0;
}

static void take_often(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        lock_take(&lock);
        count = count + 1;
        lock_drop_often(&lock);
    }
}

static void who_takes_it_often_becomes_the_favourite(void **state)
{
    lock_favour(&users[0]);
    take_often(ENOUGH);
    assert_ptr_equal(lock.favourite, &users[0]);
    lock_take(&lock);
    assert_true(users[0].inside);
    lock_drop(&lock);
    assert_false(users[0].inside);
}

static void a_thread_that_did_not_ask_never_does(void **state)
{
    take_often(ENOUGH);
    assert_null(lock.favourite);
    assert_int_equal(pthread_mutex_trylock(&lock.mutex), 0);
    pthread_mutex_unlock(&lock.mutex);
}

static void *look_inside(void *opaque)
{
    lock_take(&lock);
    uint64_t *seen = opaque;
    *seen = count;
    lock_drop(&lock);
    return NULL;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
}

static void another_thread_waits_until_the_favourite_is_out(void **state)
{
    pthread_t t;
    uint64_t seen = 0;
    lock_favour(&users[0]);
    take_often(ENOUGH);
    lock_take(&lock);
    assert_int_equal(pthread_create(&t, NULL, look_inside, &seen), 0);
    nap();
    assert_int_equal(seen, 0);
    count = 7;
    lock_drop(&lock);
    pthread_join(t, NULL);
    assert_int_equal(seen, 7);
    assert_null(lock.favourite);
}

static void yield_lets_one_in_who_waits_for_the_favourite(void **state)
{
    pthread_t t;
    uint64_t seen = 0;
    lock_favour(&users[0]);
    take_often(ENOUGH);
    lock_take(&lock);
    count = 7;
    assert_int_equal(pthread_create(&t, NULL, look_inside, &seen), 0);
    for (unsigned i = 0; i < 500 && *(volatile uint64_t *)&seen == 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
        lock_yield(&lock);
    }
    assert_int_equal(seen, 7);
    lock_drop(&lock);
    pthread_join(t, NULL);
}

static void *wake(void *opaque)
{
    nap();
    lock_take(&lock);
    count = 7;
    pthread_cond_broadcast(opaque);
    lock_drop(&lock);
    return NULL;
}

static void a_favourite_can_wait_on_a_condition(void **state)
{
    pthread_t t;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    lock_favour(&users[0]);
    take_often(ENOUGH);
    count = 0;
    assert_int_equal(pthread_create(&t, NULL, wake, &cond), 0);
    lock_take(&lock);
    int64_t start = host_cpu_ns();
    while (count != 7) {
        lock_wait(&lock, &cond);
    }
    assert_true(host_cpu_ns() - start < 10 * NS_PER_MS); /* asleep, not spinning */
    lock_drop(&lock);
    pthread_join(t, NULL);
}

static void a_wait_ends_after_its_time(void **state)
{
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    lock_favour(&users[0]);
    take_often(ENOUGH);
    lock_take(&lock);
    assert_false(lock_wait_ns(&lock, &cond, 20 * NS_PER_MS));
    int64_t start = host_now_ns();
    assert_true(lock_wait_ns(&lock, &cond, 20 * NS_PER_MS));
    assert_true(host_now_ns() - start >= 19 * NS_PER_MS);
    lock_drop(&lock);
}

/* ---- many at once ---- */

static _Atomic uint64_t others, rounds;

/* Until the other was inside, too, which may have to wait for a processor of the host's first. */
static void *favoured(void *opaque)
{
    int64_t end = host_now_ns() + 30000 * NS_PER_MS;
    lock_favour(opaque);
    for (unsigned i = 0; i < 300 || (others == 0 && host_now_ns() < end); i++) {
        take_often(ENOUGH);
        rounds++;
    }
    return NULL;
}

static void *now_and_then(void *opaque)
{
    while (!ended) {
        lock_take(&lock);
        count = count + 1;
        lock_drop(&lock);
        others++;
        for (volatile unsigned i = 0; i < others % 5000; i++) {
        }
    }
    return NULL;
}

static void only_one_is_inside(void **state)
{
    pthread_t favourites[2], other;
    others = rounds = 0;
    assert_int_equal(pthread_create(&other, NULL, now_and_then, NULL), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&favourites[i], NULL, favoured, &users[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(favourites[i], NULL);
    }
    ended = true;
    pthread_join(other, NULL);
    assert_true(others > 0);
    assert_int_equal(count, rounds * ENOUGH + others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_takes_it_often_becomes_the_favourite, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_thread_that_did_not_ask_never_does, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_thread_waits_until_the_favourite_is_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(yield_lets_one_in_who_waits_for_the_favourite, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_favourite_can_wait_on_a_condition, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wait_ends_after_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_one_is_inside, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
