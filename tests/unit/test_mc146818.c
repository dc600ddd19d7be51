/* The real time clock, section by section of the data sheet ([MC146818]). The bench starts on
 * Thursday 2020-01-02 at 03:04:05. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "hw/chips/mc146818.h"
#include "unit/bench.h"

#include <stdlib.h>
#include <time.h>

enum { INDEX = 0x70, DATA = 0x71, A = 0x0a, B = 0x0b, C = 0x0c, D = 0x0d, CENTURY = 0x32 };
enum { SET = 0x80, PIE = 0x40, AIE = 0x20, UIE = 0x10, DM = 0x04, H24 = 0x02 };

struct rtc_bench {
    struct bench b;
    struct mc146818 rtc;
    char text[64];
};

static int setup(void **state)
{
    struct rtc_bench *r = NEW(struct rtc_bench);
    bench_init(&r->b);
    mc146818_init(&r->rtc, &r->b.m, INDEX, &r->b.probe[0].irq);
    bench_power_on(&r->b);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rtc_bench *r = *state;
    bench_fini(&r->b);
    free(r);
    return 0;
}

static uint8_t get(struct rtc_bench *r, uint8_t index)
{
    bench_out8(&r->b, INDEX, index);
    return bench_in8(&r->b, DATA);
}

static void put(struct rtc_bench *r, uint8_t index, uint8_t val)
{
    bench_out8(&r->b, INDEX, index);
    bench_out8(&r->b, DATA, val);
}

static void advance_s(struct rtc_bench *r, int64_t seconds)
{
    bench_advance(&r->b, seconds * NS_PER_SEC);
}

/* Century, year, month, day, weekday, hours, minutes, seconds as hexadecimal bytes. */
static const char *now(struct rtc_bench *r)
{
    snprintf(r->text, sizeof(r->text), "%02x%02x-%02x-%02x %x %02x:%02x:%02x", get(r, CENTURY),
             get(r, 9), get(r, 8), get(r, 7), get(r, 6), get(r, 4), get(r, 2), get(r, 0));
    return r->text;
}

/* Sets the clock as the sheet says: SET, the ten bytes, SET off. */
static void set_clock(struct rtc_bench *r, uint8_t century, uint8_t year, uint8_t month,
                      uint8_t day, uint8_t weekday, uint8_t hours, uint8_t minutes, uint8_t seconds)
{
    uint8_t b = get(r, B);
    put(r, B, b | SET);
    put(r, CENTURY, century);
    put(r, 9, year);
    put(r, 8, month);
    put(r, 7, day);
    put(r, 6, weekday);
    put(r, 4, hours);
    put(r, 2, minutes);
    put(r, 0, seconds);
    put(r, B, b & (uint8_t)~SET);
}

static void set_alarm(struct rtc_bench *r, uint8_t hours, uint8_t minutes, uint8_t seconds)
{
    put(r, 5, hours);
    put(r, 3, minutes);
    put(r, 1, seconds);
}

static bool irq(struct rtc_bench *r)
{
    return r->b.probe[0].level;
}

/* ---- "Time, Calendar and Alarm Locations" ---- */

static void the_date_comes_from_the_wall_clock_in_bcd(void **state)
{
    struct rtc_bench *r = *state;
    assert_string_equal(now(r), "2020-01-02 5 03:04:05");
}

static void the_clock_counts_seconds(void **state)
{
    struct rtc_bench *r = *state;
    bench_advance(&r->b, 999999999);
    assert_string_equal(now(r), "2020-01-02 5 03:04:05");
    bench_advance(&r->b, 1);
    assert_string_equal(now(r), "2020-01-02 5 03:04:06");
    advance_s(r, 86400 - 3);
    assert_string_equal(now(r), "2020-01-03 6 03:04:03");
}

static void months_and_leap_years_are_known(void **state)
{
    struct rtc_bench *r = *state;
    set_clock(r, 0x20, 0x24, 0x02, 0x28, 4, 0x23, 0x59, 0x59);
    assert_string_equal(now(r), "2024-02-28 4 23:59:59");
    advance_s(r, 1);
    assert_string_equal(now(r), "2024-02-29 5 00:00:00");
    set_clock(r, 0x21, 0x00, 0x02, 0x28, 1, 0x23, 0x59, 0x59);
    advance_s(r, 1);
    assert_string_equal(now(r), "2100-03-01 2 00:00:00");
    set_clock(r, 0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x59);
    advance_s(r, 1);
    assert_string_equal(now(r), "2000-01-01 7 00:00:00");
    set_clock(r, 0x99, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x59);
    advance_s(r, 1);
    assert_string_equal(now(r), "0000-01-01 7 00:00:00");
}

static void every_day_of_400_years_is_that_of_the_c_library(void **state)
{
    struct rtc_bench *r = *state;
    for (int64_t day = 0; day < 146097; day += 1) {
        time_t t = (time_t)(day * 86400 + 43200);
        struct tm tm;
        gmtime_r(&t, &tm);
        r->rtc.seconds = t;
        r->rtc.cmos[B] = H24 | DM;
        assert_int_equal(mc146818_cmos_get(&r->rtc, 7), tm.tm_mday);
        assert_int_equal(mc146818_cmos_get(&r->rtc, 8), tm.tm_mon + 1);
        assert_int_equal(mc146818_cmos_get(&r->rtc, 9), tm.tm_year % 100);
        assert_int_equal(mc146818_cmos_get(&r->rtc, 6), tm.tm_wday + 1);
    }
}

static void bytes_are_binary_with_dm(void **state)
{
    struct rtc_bench *r = *state;
    put(r, B, H24 | DM);
    set_clock(r, 20, 31, 12, 30, 1, 23, 58, 59);
    assert_string_equal(now(r), "141f-0c-1e 1 17:3a:3b");
    advance_s(r, 1);
    assert_string_equal(now(r), "141f-0c-1e 1 17:3b:00");
}

static void hours_have_a_pm_bit_in_the_12_hour_mode(void **state)
{
    struct rtc_bench *r = *state;
    static const struct {
        uint8_t hours24, hours12;
    } same[] = {{0x00, 0x12}, {0x01, 0x01}, {0x11, 0x11}, {0x12, 0x92}, {0x13, 0x81}, {0x23, 0x91}};
    for (unsigned i = 0; i < ARRAY_SIZE(same); i++) {
        put(r, B, H24);
        put(r, 4, same[i].hours24);
        put(r, B, 0);
        assert_int_equal(get(r, 4), same[i].hours12);
        put(r, 4, 0x05);
        put(r, 4, same[i].hours12);
        put(r, B, H24);
        assert_int_equal(get(r, 4), same[i].hours24);
    }
}

static void a_byte_may_be_written_while_the_clock_runs(void **state)
{
    struct rtc_bench *r = *state;
    put(r, 2, 0x59);
    put(r, 6, 0x01);
    assert_string_equal(now(r), "2020-01-02 1 03:59:05");
    put(r, 7, 0x09); /* the weekday is a counter of its own */
    assert_string_equal(now(r), "2020-01-09 1 03:59:05");
}

static void a_byte_may_be_written_at_any_time(void **state)
{
    struct rtc_bench *r = *state;
    bench_advance(&r->b, 10300 * NS_PER_MS);
    put(r, 4, 0x20);
    assert_string_equal(now(r), "2020-01-02 5 20:04:15");
    bench_advance(&r->b, 700 * NS_PER_MS);
    assert_string_equal(now(r), "2020-01-02 5 20:04:16");
}

static void memory_keeps_what_is_written(void **state)
{
    struct rtc_bench *r = *state;
    for (unsigned i = 14; i < 128; i++) {
        if (i != CENTURY) {
            put(r, (uint8_t)i, (uint8_t)(i ^ 0x5a));
        }
    }
    bench_reset(&r->b);
    for (unsigned i = 14; i < 128; i++) {
        if (i != CENTURY) {
            assert_int_equal(get(r, (uint8_t)i), i ^ 0x5a);
            assert_int_equal(mc146818_cmos_get(&r->rtc, i), i ^ 0x5a);
        }
    }
}

static void the_index_can_be_read_and_its_bit_7_masks_nmi(void **state)
{
    struct rtc_bench *r = *state;
    assert_true(mc146818_nmi_masked(&r->rtc));
    bench_out8(&r->b, INDEX, 0x8f);
    assert_int_equal(bench_in8(&r->b, INDEX), 0x8f);
    assert_true(mc146818_nmi_masked(&r->rtc));
    bench_out8(&r->b, INDEX, 0x0f);
    assert_int_equal(bench_in8(&r->b, INDEX), 0x0f);
    assert_false(mc146818_nmi_masked(&r->rtc));
}

/* ---- "Update Cycle", "Registers" ---- */

static void set_stops_the_updates(void **state)
{
    struct rtc_bench *r = *state;
    put(r, B, H24 | SET);
    advance_s(r, 100);
    assert_string_equal(now(r), "2020-01-02 5 03:04:05");
    put(r, 0, 0x77); /* kept as it is */
    assert_int_equal(get(r, 0), 0x77);
    put(r, 0, 0x30);
    bench_advance(&r->b, 300 * NS_PER_MS);
    put(r, B, H24);
    bench_advance(&r->b, 699 * NS_PER_MS); /* the divider went on */
    assert_int_equal(get(r, 0), 0x30);
    bench_advance(&r->b, 1 * NS_PER_MS);
    assert_int_equal(get(r, 0), 0x31);
}

static void the_first_update_is_half_a_second_after_the_divider_starts(void **state)
{
    struct rtc_bench *r = *state;
    put(r, A, 0x76); /* divider reset */
    bench_advance(&r->b, 1234567890);
    assert_string_equal(now(r), "2020-01-02 5 03:04:05");
    put(r, A, 0x26);
    bench_advance(&r->b, 499999999);
    assert_int_equal(get(r, 0), 0x05);
    bench_advance(&r->b, 1);
    assert_int_equal(get(r, 0), 0x06);
}

static void uip_is_set_244_us_before_the_update_until_its_end(void **state)
{
    struct rtc_bench *r = *state;
    bench_advance(&r->b, NS_PER_SEC - 2228 * NS_PER_US - 1);
    assert_int_equal(get(r, A), 0x26);
    bench_advance(&r->b, 1);
    assert_int_equal(get(r, A), 0xa6);
    assert_int_equal(get(r, 0), 0x05);
    bench_advance(&r->b, 2228 * NS_PER_US);
    assert_int_equal(get(r, A), 0x26);
    assert_int_equal(get(r, 0), 0x06);
    put(r, A, 0xff & ~0x50); /* UIP is read only */
    assert_int_equal(get(r, A), 0x2f);
}

static void a_new_rate_leaves_the_time_alone(void **state)
{
    struct rtc_bench *r = *state;
    bench_advance(&r->b, 10300 * NS_PER_MS);
    put(r, A, 0x2a);
    assert_string_equal(now(r), "2020-01-02 5 03:04:15");
    bench_advance(&r->b, 700 * NS_PER_MS);
    assert_string_equal(now(r), "2020-01-02 5 03:04:16");
}

static void uip_follows_the_divider(void **state)
{
    struct rtc_bench *r = *state;
    bench_advance(&r->b, 300 * NS_PER_MS);
    put(r, A, 0x76);
    put(r, A, 0x26);
    bench_advance(&r->b, 499 * NS_PER_MS);
    assert_int_equal(get(r, A), 0xa6);
    bench_advance(&r->b, 1 * NS_PER_MS);
    assert_int_equal(get(r, A), 0x26);
}

static void uip_stays_clear_with_set(void **state)
{
    struct rtc_bench *r = *state;
    put(r, B, H24 | SET);
    bench_advance(&r->b, NS_PER_SEC - 1);
    assert_int_equal(get(r, A), 0x26);
}

static void register_d_says_that_ram_and_time_are_valid(void **state)
{
    struct rtc_bench *r = *state;
    put(r, D, 0);
    assert_int_equal(get(r, D), 0x80);
    put(r, C, 0xff);
    assert_int_equal(get(r, C), 0);
}

/* ---- "Interrupts" ---- */

static void the_update_ended_interrupt_comes_each_second(void **state)
{
    struct rtc_bench *r = *state;
    put(r, B, H24 | UIE);
    get(r, C);
    bench_advance(&r->b, NS_PER_SEC);
    assert_true(irq(r));
    assert_int_equal(r->b.probe[0].edge[0].at_ns, NS_PER_SEC);
    assert_int_equal(get(r, C), 0xd0); /* PF comes without PIE */
    assert_false(irq(r));
    assert_int_equal(get(r, C), 0x00); /* reading clears it */
    advance_s(r, 5);                   /* without a read it stays, and no timer runs */
    assert_int_equal(r->b.probe[0].rises, 2);
    assert_false(timer_armed(&r->rtc.timer));
}

static void flags_are_set_without_their_enable_bits(void **state)
{
    struct rtc_bench *r = *state;
    advance_s(r, 1);
    assert_int_equal(get(r, C), 0x50); /* UF, PF, no IRQF */
    assert_false(irq(r));
    assert_int_equal(clock_deadline(&r->b.m.clock), TIME_NEVER);
    advance_s(r, 1);
    put(r, B, H24 | UIE); /* enabling finds the flag set */
    assert_true(irq(r));
}

static void setting_set_clears_uie(void **state)
{
    struct rtc_bench *r = *state;
    put(r, B, H24 | UIE | PIE | SET);
    assert_int_equal(get(r, B), H24 | PIE | SET);
}

static void the_alarm_interrupts_at_its_time(void **state)
{
    struct rtc_bench *r = *state;
    set_alarm(r, 0x03, 0x05, 0x10);
    put(r, B, H24 | AIE);
    get(r, C);
    advance_s(r, 64);
    assert_false(irq(r));
    advance_s(r, 1);
    assert_true(irq(r));
    assert_int_equal(get(r, C) & 0xb0, 0xb0);
    advance_s(r, 1);
    assert_int_equal(get(r, C) & 0x20, 0); /* it does not come twice */
    advance_s(r, 86398);
    assert_false(irq(r));
    advance_s(r, 1);
    assert_true(irq(r));
}

static void the_alarm_may_be_set_at_any_time(void **state)
{
    struct rtc_bench *r = *state;
    bench_advance(&r->b, 300 * NS_PER_MS);
    put(r, A, 0x76);
    put(r, A, 0x26); /* updates now come at 800 ms */
    advance_s(r, 10);
    assert_int_equal(get(r, 0), 0x15);
    set_alarm(r, 0x03, 0x04, 0x20);
    get(r, C);
    advance_s(r, 4);
    assert_int_equal(get(r, C) & 0x20, 0); /* without AIE: the flag alone */
    advance_s(r, 1);
    assert_int_equal(get(r, C) & 0x20, 0x20);
    set_alarm(r, 0x03, 0x04, 0x25);
    put(r, B, H24 | AIE);
    bench_advance(&r->b, 4499 * NS_PER_MS);
    assert_false(irq(r));
    bench_advance(&r->b, 1 * NS_PER_MS);
    assert_true(irq(r));
}

static void alarm_bytes_from_c0_match_everything(void **state)
{
    struct rtc_bench *r = *state;
    set_alarm(r, 0xff, 0xc0, 0x20); /* each minute */
    put(r, B, H24 | AIE);
    for (unsigned i = 0; i < 3; i++) {
        advance_s(r, 14);
        assert_false(irq(r));
        advance_s(r, 1);
        assert_true(irq(r));
        get(r, C);
        advance_s(r, 45);
    }
    set_alarm(r, 0xff, 0xff, 0xff); /* each second */
    advance_s(r, 1);
    assert_true(irq(r));
}

static void an_alarm_that_is_no_time_never_comes(void **state)
{
    struct rtc_bench *r = *state;
    set_alarm(r, 0x24, 0x00, 0x00);
    put(r, B, H24 | AIE);
    assert_false(timer_armed(&r->rtc.timer));
    advance_s(r, 2 * 86400);
    assert_false(irq(r));
}

static void the_alarm_follows_the_12_hour_mode(void **state)
{
    struct rtc_bench *r = *state;
    set_alarm(r, 0x92, 0x00, 0x00); /* noon */
    put(r, B, AIE);
    get(r, C);
    advance_s(r, 8 * 3600 + 55 * 60 + 54);
    assert_false(irq(r));
    advance_s(r, 1);
    assert_true(irq(r));
}

static void the_periodic_interrupt_has_the_rates_of_table_5(void **state)
{
    struct rtc_bench *r = *state;
    static const unsigned hz[16] = {0,   256, 128, 8192, 4096, 2048, 1024, 512,
                                    256, 128, 64,  32,   16,   8,    4,    2};
    for (unsigned rs = 0; rs < 16; rs++) {
        put(r, A, (uint8_t)(0x20 | rs));
        put(r, B, H24 | PIE);
        get(r, C);
        bench_probe_clear(&r->b.probe[0]);
        int64_t end = bench_now(&r->b) + NS_PER_SEC;
        while (clock_deadline(&r->b.m.clock) <= end) {
            bench_advance_to(&r->b, clock_deadline(&r->b.m.clock));
            assert_int_equal(get(r, C) & 0xc0, 0xc0);
        }
        bench_advance_to(&r->b, end);
        assert_int_equal(r->b.probe[0].rises, hz[rs]);
    }
}

static void without_a_divider_there_is_no_periodic_interrupt(void **state)
{
    struct rtc_bench *r = *state;
    put(r, A, 0x76);
    put(r, B, H24 | PIE | UIE);
    get(r, C);
    advance_s(r, 3);
    assert_int_equal(get(r, C), 0);
}

static void the_periodic_interrupt_goes_on_with_set(void **state)
{
    struct rtc_bench *r = *state;
    put(r, B, H24 | PIE | SET);
    get(r, C);
    bench_advance(&r->b, NS_PER_MS);
    assert_true(irq(r));
    assert_int_equal(get(r, C), 0xc0);
}

static void reset_disables_interrupts_and_keeps_the_time(void **state) /* "RESET" */
{
    struct rtc_bench *r = *state;
    put(r, B, H24 | DM | PIE | AIE | UIE | 0x08);
    advance_s(r, 10);
    assert_true(irq(r));
    bench_reset(&r->b);
    assert_false(irq(r));
    assert_int_equal(get(r, B), H24 | DM);
    assert_int_equal(get(r, C), 0);
    assert_int_equal(get(r, 0), 15);
}

/* ---- bench ---- */

static void reset_twice_is_reset_once(void **state)
{
    struct rtc_bench *r = *state;
    put(r, B, H24 | PIE | UIE);
    bench_advance(&r->b, 1500 * NS_PER_MS);
    bench_check_reset(&r->b);
}

static void save_load_save_gives_the_same_bytes(void **state)
{
    struct rtc_bench *r = *state;
    set_alarm(r, 0xff, 0xff, 0x10);
    for (unsigned b = 0; b < 0x100; b += 0x10) {
        put(r, B, (uint8_t)(H24 | b));
        bench_advance(&r->b, 1234 * NS_PER_MS);
        bench_check_state(&r->b);
    }
}

static void a_loaded_clock_goes_on_as_the_saved_one(void **state)
{
    struct rtc_bench *r = *state;
    const struct device *d = r->b.m.devices;
    struct state_buf saved;
    size_t used;
    put(r, B, H24 | UIE);
    bench_advance(&r->b, 300 * NS_PER_MS);
    bench_save(&r->b, d, &saved);
    put(r, B, H24 | SET);
    advance_s(r, 1000);
    assert_true(
        state_load(d->type->state, d->dev, &r->b.m.clock, saved.data, saved.len, &used, NULL));
    d->type->loaded(d->dev);
    state_buf_free(&saved);
    assert_string_equal(now(r), "2020-01-02 5 03:04:05");
    assert_false(irq(r));
    bench_advance(&r->b, 700 * NS_PER_MS);
    assert_true(irq(r));
    assert_string_equal(now(r), "2020-01-02 5 03:04:06");
}

static void random_saved_states_do_no_harm(void **state)
{
    struct rtc_bench *r = *state;
    const struct device *d = r->b.m.devices;
    for (unsigned round = 0; round < 300; round++) {
        struct state_buf buf;
        size_t used;
        bench_save(&r->b, d, &buf);
        for (unsigned i = 0; i < 60; i++) {
            uint32_t x = bench_random(&r->b);
            buf.data[(x >> 8) % buf.len] = x & 3 ? (uint8_t)(x & 1) : (uint8_t)(x >> 24);
        }
        if (state_load(d->type->state, d->dev, &r->b.m.clock, buf.data, buf.len, &used, NULL)) {
            d->type->loaded(d->dev);
            bench_fuzz_ports(&r->b, INDEX, 2, 50, 10000000);
        } else { /* a refused load leaves the struct half written */
            *(struct mc146818 *)d->dev = (struct mc146818){
                .m = r->rtc.m, .ports = r->rtc.ports, .irq = r->rtc.irq, .timer = r->rtc.timer};
        }
        state_buf_free(&buf);
        bench_reset(&r->b);
    }
}

static void random_port_accesses_do_no_harm(void **state)
{
    struct rtc_bench *r = *state;
    bench_fuzz_ports(&r->b, INDEX, 2, 200000, 50 * 1000 * 1000);
    bench_check_state(&r->b);
    bench_check_reset(&r->b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_date_comes_from_the_wall_clock_in_bcd),
        T(the_clock_counts_seconds),
        T(months_and_leap_years_are_known),
        T(every_day_of_400_years_is_that_of_the_c_library),
        T(bytes_are_binary_with_dm),
        T(hours_have_a_pm_bit_in_the_12_hour_mode),
        T(a_byte_may_be_written_while_the_clock_runs),
        T(a_byte_may_be_written_at_any_time),
        T(memory_keeps_what_is_written),
        T(the_index_can_be_read_and_its_bit_7_masks_nmi),
        T(set_stops_the_updates),
        T(the_first_update_is_half_a_second_after_the_divider_starts),
        T(uip_is_set_244_us_before_the_update_until_its_end),
        T(a_new_rate_leaves_the_time_alone),
        T(uip_follows_the_divider),
        T(uip_stays_clear_with_set),
        T(register_d_says_that_ram_and_time_are_valid),
        T(the_update_ended_interrupt_comes_each_second),
        T(flags_are_set_without_their_enable_bits),
        T(setting_set_clears_uie),
        T(the_alarm_interrupts_at_its_time),
        T(the_alarm_may_be_set_at_any_time),
        T(alarm_bytes_from_c0_match_everything),
        T(an_alarm_that_is_no_time_never_comes),
        T(the_alarm_follows_the_12_hour_mode),
        T(the_periodic_interrupt_has_the_rates_of_table_5),
        T(without_a_divider_there_is_no_periodic_interrupt),
        T(the_periodic_interrupt_goes_on_with_set),
        T(reset_disables_interrupts_and_keeps_the_time),
        T(reset_twice_is_reset_once),
        T(save_load_save_gives_the_same_bytes),
        T(a_loaded_clock_goes_on_as_the_saved_one),
        T(random_saved_states_do_no_harm),
        T(random_port_accesses_do_no_harm),
    };
    return cmocka_run_group_tests_name("mc146818", tests, NULL, NULL);
}
