/* Option values in QEMU's form, and sizes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/bits.h"
#include "core/base/opts.h"

#include <string.h>

/* Checks a failure's text and makes *err ready for the next. */
static void refused(bool ok, struct error **err, const char *text)
{
    assert_false(ok);
    assert_string_equal(error_text(*err), text);
    error_free(*err);
    *err = NULL;
}

static void the_first_part_without_a_key_gets_the_first_key(void **state)
{
    struct opts o;
    assert_true(opts_parse(&o, "a.img,format=raw", "file", NULL));
    assert_int_equal(o.n, 2);
    assert_string_equal(opts_get(&o, "file"), "a.img");
    assert_string_equal(opts_get(&o, "format"), "raw");
    opts_free(&o);
    assert_true(opts_parse(&o, "format=raw,file=b.img", "file", NULL));
    assert_string_equal(opts_get(&o, "file"), "b.img");
    opts_free(&o);
}

static void a_doubled_comma_is_a_comma(void **state)
{
    struct opts o;
    assert_true(opts_parse(&o, "a,,b.img,x=1,,,y=,,", "file", NULL));
    assert_string_equal(opts_get(&o, "file"), "a,b.img");
    assert_string_equal(opts_get(&o, "x"), "1,");
    assert_string_equal(opts_get(&o, "y"), ",");
    assert_int_equal(o.n, 3);
    opts_free(&o);
}

static void a_flag_is_on_and_with_no_in_front_off(void **state)
{
    struct opts o;
    bool snapshot = false, wait = true, other = true;
    assert_true(opts_parse(&o, "snapshot,nowait", NULL, NULL));
    assert_true(opts_bool(&o, "snapshot", &snapshot, NULL));
    assert_true(opts_bool(&o, "wait", &wait, NULL));
    assert_true(opts_bool(&o, "other", &other, NULL));
    assert_true(snapshot && !wait && other);
    opts_free(&o);
}

static void a_switch_has_six_words(void **state)
{
    static const char *const words[] = {"on", "off", "yes", "no", "true", "false"};
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        struct opts o;
        char option[20] = "a=";
        bool v = i % 2;
        strcat(option, words[i]);
        assert_true(opts_parse(&o, option, NULL, NULL));
        assert_true(opts_bool(&o, "a", &v, NULL));
        assert_int_equal(v, i % 2 == 0);
        opts_free(&o);
    }
    struct opts o;
    struct error *err = NULL;
    bool v;
    assert_true(opts_parse(&o, "a=maybe", NULL, NULL));
    refused(opts_bool(&o, "a", &v, &err), &err, "a: 'maybe' is neither on nor off");
    opts_free(&o);
}

static void a_key_comes_once_and_has_a_name(void **state)
{
    struct opts o;
    struct error *err = NULL;
    refused(opts_parse(&o, "a=1,b=2,a=3", NULL, &err), &err, "'a' is given twice");
    refused(opts_parse(&o, "=3", NULL, &err), &err, "a name is missing in front of '3'");
    assert_true(opts_parse(&o, "", "file", NULL));
    assert_int_equal(o.n, 0);
    opts_free(&o);
}

static void numbers_are_decimal_or_0x_and_in_range(void **state)
{
    struct opts o;
    struct error *err = NULL;
    uint64_t v = 7;
    assert_true(opts_parse(&o, "a=010,b=0xE9,c=12k,d=70000,e=18446744073709551616,f=", NULL, NULL));
    assert_true(opts_u64(&o, "absent", 0, 9, &v, NULL));
    assert_int_equal(v, 7);
    assert_true(opts_u64(&o, "a", 0, 100, &v, NULL));
    assert_int_equal(v, 10);
    assert_true(opts_u64(&o, "b", 0, 0xffff, &v, NULL));
    assert_int_equal(v, 0xe9);
    refused(opts_u64(&o, "c", 0, 100, &v, &err), &err, "c: '12k' is not a number");
    refused(opts_u64(&o, "d", 0, 65535, &v, &err), &err, "d: 70000 is not in 0..65535");
    refused(opts_u64(&o, "e", 0, UINT64_MAX, &v, &err), &err,
            "e: '18446744073709551616' is not a number");
    assert_false(opts_u64(&o, "f", 0, 1, &v, NULL));
    assert_int_equal(v, 0xe9);
    opts_free(&o);
}

static void what_nobody_asked_for_is_named(void **state)
{
    struct opts o;
    struct error *err = NULL;
    assert_true(opts_parse(&o, "a=1,aio=native", NULL, NULL));
    opts_get(&o, "a");
    refused(opts_all_used(&o, &err), &err, "'aio' is not known here");
    opts_get(&o, "aio");
    assert_true(opts_all_used(&o, NULL));
    opts_free(&o);
}

static void sizes_have_units_and_fractions(void **state)
{
    static const struct {
        const char *text;
        uint64_t unit, bytes;
    } good[] = {
        {"128", MiB, 128 * MiB},
        {"128", 1, 128},
        {"64K", 1, 64 * KiB},
        {"1G", MiB, GiB},
        {"1.5G", 1, GiB * 3 / 2},
        {"0.5", MiB, MiB / 2},
        {"1g", 1, GiB},
        {"512b", MiB, 512},
        {"0x10M", 1, 16 * MiB},
        {"2T", 1, 2048 * GiB},
        {"0", 1, 0},
        {"7.999999999999999999999E", 1, 8 * GiB * GiB - 1},
        {"1.0", 1, 1},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
        uint64_t bytes = 99;
        assert_true(parse_size(good[i].text, good[i].unit, &bytes, NULL));
        if (i != 11) {
            assert_int_equal(bytes, good[i].bytes);
        } else {
            assert_in_range(bytes, good[i].bytes - 16, good[i].bytes);
        }
    }
}

static void nonsense_and_overflow_are_no_sizes(void **state)
{
    static const char *const bad[] = {"",      "G",  "-1",  "1.5", "1GB", "1 G", "12Q",
                                      "1..5G", "0x", "1e3", ".5G", "+1",  " 1"};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        uint64_t bytes = 99;
        struct error *err = NULL;
        assert_false(parse_size(bad[i], 1, &bytes, &err));
        assert_non_null(strstr(error_text(err), "is not a size"));
        error_free(err);
    }
    uint64_t bytes;
    struct error *err = NULL;
    refused(parse_size("16E", 1, &bytes, &err), &err, "'16E' is too large");
    refused(parse_size("99999999999999999", MiB, &bytes, &err), &err,
            "'99999999999999999' is too large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_part_without_a_key_gets_the_first_key),
        cmocka_unit_test(a_doubled_comma_is_a_comma),
        cmocka_unit_test(a_flag_is_on_and_with_no_in_front_off),
        cmocka_unit_test(a_switch_has_six_words),
        cmocka_unit_test(a_key_comes_once_and_has_a_name),
        cmocka_unit_test(numbers_are_decimal_or_0x_and_in_range),
        cmocka_unit_test(what_nobody_asked_for_is_named),
        cmocka_unit_test(sizes_have_units_and_fractions),
        cmocka_unit_test(nonsense_and_overflow_are_no_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
