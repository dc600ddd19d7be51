/*
 * The quick power series of core/cpu/fpu_trans.c against the plain ones: their error is below what
 * is_sure takes for granted, so results are rounded the same.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/random.h"

#define div        own_div                              /* is the C library's, too */
#define fpu_f2xm1  own_f2xm1
#define fpu_yl2x   own_yl2x
#define fpu_yl2xp1 own_yl2xp1
#define fpu_patan  own_patan
#define fpu_sin    own_sin
#define fpu_cos    own_cos
#define fpu_tan    own_tan
#include "core/cpu/fpu_trans.c"

static uint64_t seed = 1;

static uint64_t next_random(void)
{
    return random_64(&seed);
}

/* Below @most, which is below 1, or much smaller. */
static struct wide make_argument(struct wide most)
{
    struct wide x = {.m = U128(next_random() | BIT64(63), next_random()), .exp = most.exp};
    x.exp -= (int)(next_random() % 4 ? next_random() % 6 : next_random() % 140);
    return x.exp < most.exp || (x.exp == most.exp && x.m <= most.m) ? x : scaled(x, -1);
}

/* 2^-92 of the first term */
#define ERROR ((u128)1 << (127 - 92))

static void check_series(struct coefficients co, struct wide most, bool neg)
{
    for (unsigned i = 0; i < 100000; i++) {
        struct wide x = make_argument(most);
        x.neg = neg;
        struct wide plain = series(co, x), quick = quick_series(co, x);
        u128 a = plain.exp < 0 ? plain.m >> 1 : plain.m, b = quick.exp < 0 ? quick.m >> 1 : quick.m;
        if ((a > b ? a - b : b - a) >= ERROR) {
            fail_msg("2^%d * %016llx: %016llx%016llx, quickly %016llx%016llx", x.exp,
                     (unsigned long long)(x.m >> 64), (unsigned long long)(a >> 64),
                     (unsigned long long)a, (unsigned long long)(b >> 64), (unsigned long long)b);
        }
    }
}

static void quick_series_err_by_less_than_is_sure_allows(void **state)
{
    static const struct wide exp_most = {U128(0xb333333333333333ull, 0), -1, false}; /* 0.7 */
    static const struct wide trig_most = {U128(0x9de9e64df22ef2d2ull, 0), -1, false}; /* pi^2/16 */
    static const struct wide log_most = {U128(0x851eb851eb851eb8ull, 0), -5, false}; /* 0.18^2 */
    static const struct wide atan_most = {U128(BIT64(63), 0), -8, false}; /* 1/16^2 */
    check_series(exp_terms, exp_most, false);
    check_series(exp_terms, exp_most, true);
    check_series(sin_terms, trig_most, true);
    check_series(cos_terms, trig_most, true);
    check_series(log_terms, log_most, false);
    check_series(atan_terms, atan_most, true);
}

static void zeros_are_those_of_the_coefficients(void **state)
{
    for (unsigned i = 0; i < ARRAY_SIZE(factorials); i++) {
        assert_int_equal(factorial_zeros[i], factorials[i] ? clz128(factorials[i]) : 128);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(odds); i++) {
        assert_int_equal(odd_zeros[i], clz128(odds[i]));
    }
}

/* On either side of what rounds otherwise, and there, nothing is sure. */
static void near_a_tie_nothing_is_sure(void **state)
{
    const uint64_t near = BIT64(40) - 1, far = BIT64(40) + 1;
    const uint64_t ties[] = {0, BIT64(63)};
    for (unsigned i = 0; i < 2; i++) {
        struct wide a = {.exp = 0};
        a.m = U128(BIT64(63) | 5, ties[i] + near);
        assert_false(is_sure(a));
        a.m = U128(BIT64(63) | 5, ties[i] - near);
        assert_false(is_sure(a));
        a.m = U128(BIT64(63) | 5, ties[i] + far);
        assert_true(is_sure(a));
        a.m = U128(BIT64(63) | 5, ties[i] - far);
        assert_true(is_sure(a));
        a.exp = -16400; /* rounded elsewhere */
        assert_false(is_sure(a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quick_series_err_by_less_than_is_sure_allows),
        cmocka_unit_test(zeros_are_those_of_the_coefficients),
        cmocka_unit_test(near_a_tie_nothing_is_sure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
