/* hw/chips/i82078: registers, commands without data, state; from [82078] "Command Set". */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fdc_bench.h"

static void registers_after_power_on(void **state)
{
    struct fdc *f = *state;
    bench_power_on(&f->b);
    assert_int_equal(bench_in8(&f->b, 0x3f2), 0x0c);
    assert_int_equal(bench_in8(&f->b, 0x3f4), 0x80);
    assert_int_equal(bench_in8(&f->b, 0x3f1), 0xc0);
    assert_int_equal(bench_in8(&f->b, 0x3f7), 0x80); /* disk change */
    assert_int_equal(bench_in8(&f->b, 0x3f6), 0xff); /* not ours */
    assert_int_equal(bench_in8(&f->b, 0x3f0), 0x46); /* SRA: no drive B, on track 0 */
    bench_advance(&f->b, NS_PER_SEC);
    assert_int_equal(f->b.IRQ6.n, 0);
}

static void four_drives_report_after_a_reset(void **state)
{
    struct fdc *f = with_1440(state);
    bench_out8(&f->b, 0x3f2, 0x08);
    assert_int_equal(bench_in8(&f->b, 0x3f4), 0);
    bench_out8(&f->b, 0x3f2, 0x0c);
    wait_irq(f);
    assert_int_equal(bench_in8(&f->b, 0x3f0) & 0x80, 0x80);
    for (unsigned n = 0; n < 4; n++) {
        assert_int_equal(sense(f), (0xc0 | n) << 8);
        assert_false(f->b.IRQ6.level);
    }
    assert_int_equal(sense(f), 0x80);
    bench_out8(&f->b, 0x3f4, 0x80); /* DSR bit 7 does the same */
    wait_irq(f);
    assert_int_equal(sense(f), 0xc000);
    recalibrate(f); /* drops the three that nobody sensed */
    assert_int_equal(sense(f), 0x80);
    SEND(f, 0x0f, 0x00, 60); /* a reset ends a seek and its interrupt */
    bench_out8(&f->b, 0x3f2, 0x08);
    bench_advance(&f->b, 100 * NS_PER_MS);
    assert_false(f->b.IRQ6.level);
    bench_out8(&f->b, 0x3f2, 0x0c);
    wait_irq(f);
    bench_out8(&f->b, 0x3f2, 0x08);
    assert_false(f->b.IRQ6.level);
}

static void dor_bit_3_gates_the_interrupt(void **state)
{
    struct fdc *f = with_1440(state);
    bench_out8(&f->b, 0x3f2, 0x14);
    SEND(f, 0x07, 0x00);
    bench_advance(&f->b, 100 * NS_PER_MS);
    assert_false(f->b.IRQ6.level);
    bench_out8(&f->b, 0x3f2, 0x1c);
    assert_true(f->b.IRQ6.level);
}

static void invalid_commands_answer_80h(void **state)
{
    struct fdc *f = with_1440(state);
    static const uint8_t invalid[] = {0x00, 0x01, 0x1f, 0x0b, 0x1a, 0x15};
    for (unsigned i = 0; i < sizeof(invalid); i++) {
        send(f, 1, &invalid[i]);
        assert_int_equal(result(f), 1);
        assert_int_equal(f->res[0], 0x80);
    }
    assert_int_equal(f->b.IRQ6.n, 0);
}

static void version_part_id_and_lock(void **state)
{
    struct fdc *f = with_1440(state);
    SEND(f, 0x10);
    assert_int_equal(result(f), 1);
    assert_int_equal(f->res[0], 0x90);
    SEND(f, 0x18);
    assert_int_equal(result(f), 1);
    assert_int_equal(f->res[0], 0x41);
    SEND(f, 0x94);
    assert_int_equal(result(f), 1);
    assert_int_equal(f->res[0], 0x10);
    SEND(f, 0x14);
    result(f);
    assert_int_equal(f->res[0], 0x00);
}

static void dumpreg_shows_what_was_set(void **state)
{
    struct fdc *f = with_1440(state);
    SEND(f, 0x03, 0xaf, 0x02);
    SEND(f, 0x13, 0x00, 0x57, 0x20);
    SEND(f, 0x12, 0x84);
    seek(f, 5);
    SEND(f, 0x0e);
    assert_int_equal(result(f), 10);
    const uint8_t expect[] = {5, 0, 0, 0, 0xaf, 0x02, 0, 0x04, 0x57, 0x20};
    assert_memory_equal(f->res, expect, 10);
}

static void lock_saves_the_fifo_settings_from_a_software_reset(void **state)
{
    struct fdc *f = with_1440(state);
    SEND(f, 0x13, 0x00, 0x57, 0x20);
    bench_out8(&f->b, 0x3f4, 0x80);
    SEND(f, 0x0e);
    result(f);
    assert_int_equal(f->res[8], 0x60);
    assert_int_equal(f->res[9], 0);
    SEND(f, 0x13, 0x00, 0x57, 0x20);
    SEND(f, 0x94);
    result(f);
    bench_out8(&f->b, 0x3f4, 0x80);
    SEND(f, 0x0e);
    result(f);
    assert_int_equal(f->res[7], 0x80);
    assert_int_equal(f->res[8], 0x47);
    assert_int_equal(f->res[9], 0x20);
}

static void save_and_restore_carry_all_settings(void **state)
{
    struct fdc *f = with_1440(state);
    uint8_t saved[16], restore[17] = {0x4e};
    SEND(f, 0x03, 0xaf, 0x02);
    SEND(f, 0x13, 0x00, 0x57, 0x20);
    seek(f, 7);
    SEND(f, 0x2e);
    assert_int_equal(result(f), 16);
    memcpy(saved, f->res, 16);
    memcpy(restore + 1, saved, 16);
    bench_out8(&f->b, 0x3f4, 0x80);
    send(f, 17, restore);
    SEND(f, 0x2e);
    assert_int_equal(result(f), 16);
    assert_memory_equal(f->res, saved, 16);
    memset(restore + 1, 0xff, 16); /* every bit that is kept, and no other */
    send(f, 17, restore);
    SEND(f, 0x2e);
    result(f);
    const uint8_t all[16] = {3,    0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                             0xff, 0xbf, 0x7f, 0xff, 0,    0,    0,    0};
    assert_memory_equal(f->res, all, 16);
}

static void commands_without_data_do_not_interrupt(void **state)
{
    struct fdc *f = with_1440(state);
    SEND(f, 0x10);
    result(f);
    SEND(f, 0x0e);
    result(f);
    SEND(f, 0x2e);
    result(f);
    SEND(f, 0x04, 0x00);
    result(f);
    SEND(f, 0x14);
    result(f);
    assert_int_equal(f->b.IRQ6.n, 0);
}

static void drive_specification_takes_bytes_until_done(void **state)
{
    struct fdc *f = with_1440(state);
    SEND(f, 0x8e, 0x01, 0x22, 0xc0); /* DN and NRP: no answer */
    SEND(f, 0x8e, 0x01, 0x80);
    assert_int_equal(result(f), 4);
    SEND(f, 0x8e, 0, 0, 0, 0, 0); /* never done: cut off */
    assert_int_equal(result(f), 4);
    SEND(f, 0x10);
    assert_int_equal(result(f), 1);
}

static void sense_drive_gives_track_0_and_write_protect(void **state)
{
    struct fdc *f = *state;
    insert(f, 1474560, BLOCK_READ_ONLY);
    bench_power_on(&f->b);
    SEND(f, 0x04, 0x04);
    assert_int_equal(result(f), 1);
    assert_int_equal(f->res[0], 0x7c);
    seek(f, 3);
    SEND(f, 0x04, 0x00);
    result(f);
    assert_int_equal(f->res[0], 0x68);
}

static void seek_sets_the_drive_busy_until_it_ends(void **state)
{
    struct fdc *f = with_1440(state);
    SEND(f, 0x0f, 0x00, 40);
    assert_int_equal(sense(f), 0x80); /* nothing to say yet */
    assert_int_equal(bench_in8(&f->b, 0x3f4), 0x81);
    assert_false(f->b.IRQ6.level);
    wait_irq(f);
    assert_int_equal(bench_in8(&f->b, 0x3f4), 0x80);
    assert_int_equal(sense(f), 0x2028);
    assert_int_equal(sense(f), 0x80);
    SEND(f, 0xcf, 0x00, 10); /* relative, inwards */
    wait_irq(f);
    assert_int_equal(sense(f), 0x2032);
    SEND(f, 0x8f, 0x00, 20);
    wait_irq(f);
    assert_int_equal(sense(f), 0x201e);
}

static void seeks_of_two_drives_overlap(void **state)
{
    struct fdc *f = with_1440(state);
    i82078_set_drive(&f->chip, 1, FLOPPY_1440K);
    SEND(f, 0x0f, 0x00, 10);
    SEND(f, 0x0f, 0x01, 20);
    bench_advance(&f->b, 10 * NS_PER_MS);
    assert_int_equal(sense(f), 0x200a);
    assert_true(f->b.IRQ6.level); /* the other one is still to be sensed */
    assert_int_equal(sense(f), 0x2114);
    assert_false(f->b.IRQ6.level);
}

static void recalibrate_of_an_absent_drive_finds_no_track_0(void **state)
{
    struct fdc *f = with_1440(state);
    SEND(f, 0x07, 0x01);
    wait_irq(f);
    assert_int_equal(sense(f), 0x7100);
    seek(f, 83); /* 79 pulses do not suffice from here, but the second time they do */
    SEND(f, 0x07, 0x00);
    wait_irq(f);
    assert_int_equal(sense(f), 0x7000);
    recalibrate(f);
    seek(f, 79);
    recalibrate(f);
}

static void a_step_with_a_disk_in_clears_disk_change(void **state)
{
    struct fdc *f = with_1440(state);
    recalibrate(f); /* no step: the heads were on 0 */
    assert_int_equal(bench_in8(&f->b, 0x3f7), 0x80);
    seek(f, 1);
    assert_int_equal(bench_in8(&f->b, 0x3f7), 0x00);
    no_disk(f);
    seek(f, 2);
    assert_int_equal(bench_in8(&f->b, 0x3f7), 0x80);
    insert(f, 1474560, 0);
    assert_int_equal(bench_in8(&f->b, 0x3f7), 0x80);
    seek(f, 1);
    assert_int_equal(bench_in8(&f->b, 0x3f7), 0x00);
    bench_out8(&f->b, 0x3f2, 0x1d); /* there is no drive B */
    assert_int_equal(bench_in8(&f->b, 0x3f7), 0x00);
}

static void reset_and_state_are_whole(void **state)
{
    struct fdc *f = with_1440(state);
    SEND(f, 0x94);
    result(f);
    seek(f, 3);
    SEND(f, 0x0f, 0x00, 40);
    program_dma(f, 2048, 0x46);
    SEND(f, 0xe6, 0x00, 3, 0, 1, 2, 18, 0x1b, 0xff);
    bench_advance(&f->b, 30 * NS_PER_US);
    bench_check_state(&f->b);
    wait_irq(f);
    assert_int_equal(result(f), 7);
    bench_check_reset(&f->b);
}

/* Whatever was done before, a reset gives the state of power-on. */
static void a_reset_gives_the_state_of_power_on(void **state)
{
    struct fdc *f = with_1440(state);
    struct state_buf fresh, after;
    struct device *d = f->b.m.devices;
    while (strcmp(d->id, "i82078") != 0) {
        d = d->next;
    }
    bench_reset(&f->b);
    bench_save(&f->b, d, &fresh);
    bench_out8(&f->b, 0x3f7, RATE_500K);
    SEND(f, 0x03, 0xaf, 0x02);
    SEND(f, 0x13, 0x00, 0x57, 0x20);
    SEND(f, 0x12, 0xbf);
    SEND(f, 0x94);
    result(f);
    bench_out8(&f->b, 0x3f3, 2);
    bench_out8(&f->b, 0xd6, 0xc0);
    bench_out8(&f->b, 0xd4, 0);
    program_dma(f, 2048, 0x46);
    transfer(f, 0xe6, 5, 1, 1, 18);
    SEND(f, 0x0f, 0x01, 40);
    bench_out8(&f->b, 0x3f5, 0x46);
    bench_out8(&f->b, 0x3f5, 0x01);
    bench_reset(&f->b);
    bench_save(&f->b, d, &after);
    bench_assert_same(d, &fresh, &after, false, "reset after use");
    state_buf_free(&fresh);
    state_buf_free(&after);
}

/* A saved state is a file, and files can say anything. */
static void a_nonsense_state_does_no_harm(void **state)
{
    struct fdc *f = with_1440(state);
    struct i82078 *s = &f->chip;
    for (unsigned i = 0; i < 200; i++) {
        s->phase = bench_random(&f->b) & 3;
        s->op = bench_random(&f->b) & 15;
        s->head = (uint8_t)bench_random(&f->b);
        s->pos = (uint16_t)bench_random(&f->b);
        s->len = (uint16_t)bench_random(&f->b);
        s->moving = bench_random(&f->b) & 1;
        s->io_waits = bench_random(&f->b) & 1;
        s->chrn[2] = (uint8_t)bench_random(&f->b);
        s->cmd[1] = bench_random(&f->b) & 7;
        s->cmd_len = (uint8_t)bench_random(&f->b);
        s->cmd_need = (uint8_t)bench_random(&f->b);
        s->res_len = (uint8_t)bench_random(&f->b);
        s->res_pos = (uint8_t)bench_random(&f->b);
        s->specify[1] = bench_random(&f->b) & 1;
        i82078_type.loaded(s);
        bench_fuzz_ports(&f->b, 0x3f0, 8, 20, 1000000);
    }
}

static void random_accesses_do_no_harm(void **state)
{
    struct fdc *f = with_1440(state);
    for (unsigned i = 0; i < 300; i++) {
        if (i % 3 == 0) {
            program_dma(f, 1 + bench_random(&f->b) % 5000, bench_random(&f->b) & 4 ? 0x46 : 0x4a);
        }
        bench_out8(&f->b, 0x3f2, 0x08);
        bench_out8(&f->b, 0x3f2, 0x1c);
        bench_out8(&f->b, 0x3f7, 0);
        for (unsigned k = 0; k < 60; k++) { /* mostly well-formed commands */
            static const uint8_t code[] = {0xe6, 0xc5, 0x4d, 0x0f, 0x07, 0x08, 0x4a, 0x42,
                                           0x56, 0x6c, 0x13, 0x8e, 0x51, 0xc9, 0x59, 0x5d};
            uint32_t r = bench_random(&f->b);
            uint8_t val = r & 0x80 ? code[r >> 8 & 15] : (r >> 8) % 20;
            if ((bench_in8(&f->b, 0x3f4) & 0xc0) == 0x80) {
                bench_out8(&f->b, 0x3f5, val);
            } else {
                bench_in8(&f->b, 0x3f5);
            }
            bench_advance(&f->b, (r >> 16) % 60000);
        }
        bench_fuzz_ports(&f->b, 0x3f0, 8, 50, 1000000);
    }
    bench_check_state(&f->b);
    bench_check_reset(&f->b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_empty, teardown)
    const struct CMUnitTest tests[] = {
        T(registers_after_power_on),
        T(four_drives_report_after_a_reset),
        T(dor_bit_3_gates_the_interrupt),
        T(invalid_commands_answer_80h),
        T(version_part_id_and_lock),
        T(dumpreg_shows_what_was_set),
        T(lock_saves_the_fifo_settings_from_a_software_reset),
        T(save_and_restore_carry_all_settings),
        T(commands_without_data_do_not_interrupt),
        T(drive_specification_takes_bytes_until_done),
        T(sense_drive_gives_track_0_and_write_protect),
        T(seek_sets_the_drive_busy_until_it_ends),
        T(seeks_of_two_drives_overlap),
        T(recalibrate_of_an_absent_drive_finds_no_track_0),
        T(a_step_with_a_disk_in_clears_disk_change),
        T(reset_and_state_are_whole),
        T(a_reset_gives_the_state_of_power_on),
        T(a_nonsense_state_does_no_harm),
        T(random_accesses_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
