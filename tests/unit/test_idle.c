/*
 * Guests that only poll or spin (core/accel/idle.c): what is noticed, and how long they may rest.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/accel/idle.h"
#include "core/base/bits.h"

#define TURN  20             /* instructions from one PAUSE to the next */
#define MOST  1000           /* PAUSEs by which a loop must be known */
#define US    1000ll

struct spinner {
    struct idle_spin spin;
    uint64_t icount, accesses;
    bool waits;
};

static bool pauses(struct spinner *s, uint64_t insns)
{
    s->icount += insns;
    return idle_spin(&s->spin, s->icount, s->accesses, s->waits);
}

/* Until it is known to spin, which is new at @ns. */
static void spins_from(struct spinner *s, int64_t ns)
{
    unsigned n = 0;
    s->waits = true;
    while (!pauses(s, TURN)) {
        assert_true(++n < MOST);
    }
    assert_int_equal(idle_spin_rest(&s->spin, ns), 0);
}

static void a_loop_of_pauses_rests_longer_and_longer(void **state)
{
    struct spinner s = {0};
    int64_t last = 0;
    spins_from(&s, 7000 * US);
    for (int64_t waited = 10 * US; waited <= 10000 * US; waited *= 2) {
        assert_true(pauses(&s, TURN));
        int64_t rest = idle_spin_rest(&s.spin, 7000 * US + waited);
        assert_true(rest >= last && rest <= waited / 8 && rest <= 100 * US);
        last = rest;
    }
    assert_int_equal(last, 100 * US);
}

static void a_short_wait_does_not_rest(void **state)
{
    struct spinner s = {0};
    spins_from(&s, 0);
    assert_true(pauses(&s, TURN));
    assert_int_equal(idle_spin_rest(&s.spin, 200 * US), 0);
}

/* What is between two PAUSEs makes it something else, which is not waited for. */
static void work_ends_the_loop(void **state)
{
    static const struct { const char *what; uint64_t insns, accesses; bool waits; } work[] = {
        {"many instructions", 5000, 0, true},
        {"a device access", TURN, 1, true},
        {"nothing, for another processor", TURN, 0, false},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(work); i++) {
        struct spinner s = {0};
        spins_from(&s, 3 * US);
        s.accesses += work[i].accesses;
        s.waits = work[i].waits;
        if (pauses(&s, work[i].insns)) {
            fail_msg("%s: still a loop", work[i].what);
        }
        spins_from(&s, 100000 * US);
    }
}

static void polls_are_few_instructions_apart(void **state)
{
    struct idle i = {0};
    unsigned n = 0;
    while (!idle_poll(&i, n * 1000, 5)) {
        assert_true(++n < MOST);
    }
    assert_false(idle_poll(&i, n * 1000 + 1000000, 5));
    assert_false(idle_poll(&i, n * 1000 + 1000001, 6));
}

static void services_that_poll(void **state)
{
    assert_true(idle_is_poll(0x16, 0x0100) && idle_is_poll(0x16, 0x1100));
    assert_true(idle_is_poll(0x1a, 0x0000) && idle_is_poll(0x28, 0x1234));
    assert_true(idle_is_poll(0x2f, 0x1680));
    assert_false(idle_is_poll(0x16, 0x0000) || idle_is_poll(0x2f, 0x1600));
    assert_false(idle_is_poll(0x21, 0x0100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_of_pauses_rests_longer_and_longer),
        cmocka_unit_test(a_short_wait_does_not_rest),
        cmocka_unit_test(work_ends_the_loop),
        cmocka_unit_test(polls_are_few_instructions_apart),
        cmocka_unit_test(services_that_poll),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
