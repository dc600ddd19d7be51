/* hw/ata/ata: registers, protocol, state. Names are sentences of [ATA6]. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ata_bench.h"

static void assert_signature(struct bench *b)
{
    assert_int_equal(bench_in8(b, CMD + 1), 1);
    assert_int_equal(bench_in8(b, CMD + 2), 1);
    assert_int_equal(bench_in8(b, CMD + 3), 1);
    assert_int_equal(bench_in8(b, CMD + 4), 0);
    assert_int_equal(bench_in8(b, CMD + 5), 0);
}

/* ---- registers ---- */

static void after_a_reset_the_registers_hold_the_signature(void **state)
{
    struct ata_bench *t = *state;
    assert_signature(&t->b);
    assert_int_equal(bench_in8(&t->b, CMD + 6), 0xa0);
    assert_int_equal(status(&t->b), DRDY | DSC);
}

static void bsy_is_set_from_the_command_until_the_device_is_done(void **state)
{
    struct ata_bench *t = *state;
    issue(&t->b, 0xe5, 0, 0, 0);
    assert_int_equal(alt_status(&t->b), BSY);
    bench_advance(&t->b, 1000);
    assert_int_equal(alt_status(&t->b), BSY);
    assert_false(intrq(t));
    bench_advance(&t->b, ATA_COMMAND_NS);
    assert_int_equal(alt_status(&t->b), DRDY | DSC);
    assert_true(intrq(t));
    assert_int_equal(bench_in8(&t->b, CMD + 2), 0xff); /* CHECK POWER MODE: active */
}

static void
reading_status_clears_a_pending_interrupt_alternate_status_does_not(void **state)
{
    struct ata_bench *t = *state;
    issue(&t->b, 0xe7, 0, 0, 0);
    bench_advance(&t->b, NS_PER_MS);
    alt_status(&t->b);
    assert_true(intrq(t));
    status(&t->b);
    assert_false(intrq(t));
}

static void intrq_is_not_driven_while_nien_is_set(void **state)
{
    struct ata_bench *t = *state;
    bench_out8(&t->b, CTL, 2);
    issue(&t->b, 0xe7, 0, 0, 0);
    bench_advance(&t->b, NS_PER_MS);
    assert_false(intrq(t));
    bench_out8(&t->b, CTL, 0); /* still pending */
    assert_true(intrq(t));
}

static void only_the_selected_device_drives_intrq(void **state)
{
    struct ata_bench *t = *state;
    issue(&t->b, 0xe7, 0, 0, 0);
    bench_advance(&t->b, NS_PER_MS);
    bench_out8(&t->b, CMD + 6, 0xb0);
    assert_false(intrq(t));
    bench_out8(&t->b, CMD + 6, 0xa0);
    assert_true(intrq(t));
}

static void both_devices_take_what_is_written_to_the_task_file(void **state)
{
    struct ata_bench *t = *state;
    bench_out8(&t->b, CMD + 3, 0x5a);
    bench_out8(&t->b, CMD + 6, 0xb0);
    assert_int_equal(bench_in8(&t->b, CMD + 3), 0x5a);
    assert_int_equal(bench_in8(&t->b, CMD + 6), 0xb0);
}

static void hob_shows_the_previous_contents_until_a_write(void **state)
{
    struct ata_bench *t = *state;
    bench_out8(&t->b, CMD + 3, 0x12);
    bench_out8(&t->b, CMD + 3, 0x34);
    assert_int_equal(bench_in8(&t->b, CMD + 3), 0x34);
    bench_out8(&t->b, CTL, 0x80);
    assert_int_equal(bench_in8(&t->b, CMD + 3), 0x12);
    bench_out8(&t->b, CMD + 2, 0);
    assert_int_equal(bench_in8(&t->b, CMD + 3), 0x34);
}

static void device_0_answers_for_an_absent_device_1(void **state)
{
    struct ata_bench *t = *state;
    bench_out8(&t->b, CMD + 6, 0xb0);
    bench_out8(&t->b, CMD + 3, 0x5a);
    assert_int_equal(status(&t->b), 0);
    assert_int_equal(alt_status(&t->b), 0);
    assert_int_equal(bench_in8(&t->b, CMD + 3), 0x5a);
    bench_out8(&t->b, CMD + 7, 0xec); /* goes nowhere */
    bench_advance(&t->b, NS_PER_MS);
    assert_int_equal(status(&t->b), 0);
    assert_false(intrq(t));
}

static void a_channel_without_devices_reads_as_0(void **state)
{
    struct ata_bench *t = *state;
    for (unsigned i = 1; i < 8; i++) {
        bench_out8(&t->b, (uint16_t)(CMD + i), 0x55);
        assert_int_equal(bench_in8(&t->b, (uint16_t)(CMD + i)), 0);
    }
    assert_int_equal(alt_status(&t->b), 0);
    bench_out8(&t->b, CTL, 4);
    bench_out8(&t->b, CTL, 0);
}

static void registers_are_not_written_while_bsy_is_set(void **state)
{
    struct ata_bench *t = *state;
    issue(&t->b, 0x20, 0x40, 1, 5);
    bench_out8(&t->b, CMD + 3, 77);
    bench_out8(&t->b, CMD + 7, 0xec);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC | DRQ);
    uint8_t data[512];
    take_words(&t->b, data, 256);
    assert_memory_equal(data, t->image[0].data + 5 * 512, 512);
    assert_int_equal(status(&t->b), DRDY | DSC);
}

/* ---- resets ---- */

static void srst_sets_bsy_in_both_devices_until_it_is_over(void **state)
{
    struct ata_bench *t = *state;
    issue(&t->b, 0x20, 0x40, 1, 5);
    bench_out8(&t->b, CTL, 4);
    bench_advance(&t->b, 10 * NS_PER_MS);
    assert_int_equal(alt_status(&t->b), BSY);
    bench_out8(&t->b, CTL, 0);
    assert_int_equal(alt_status(&t->b), BSY);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    assert_signature(&t->b);
    bench_out8(&t->b, CMD + 6, 0xb0);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    assert_signature(&t->b);
    assert_int_equal(t->b.probe[0].rises, 0);
}

static void diagnostics_are_run_by_both_devices_and_reported_by_device_0(void **state)
{
    struct ata_bench *t = *state;
    issue(&t->b, 0x90, 0x10, 0, 0);
    bench_advance(&t->b, NS_PER_MS);
    assert_true(intrq(t));
    assert_int_equal(bench_in8(&t->b, CMD + 6), 0xa0); /* device 0 is selected */
    assert_signature(&t->b);
    assert_int_equal(status(&t->b), DRDY | DSC);
}

/* ---- commands without data ---- */

static void what_a_device_does_not_support_ends_with_abrt(void **state)
{
    static const uint8_t commands[] = {0x00, 0x08, 0x22, 0x50, 0xa0, 0xa1, 0xb0, 0xf5, 0xf9, 0xff};
    struct ata_bench *t = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        issue(&t->b, commands[i], 0, 0, 0);
        bench_advance(&t->b, NS_PER_MS);
        assert_true(intrq(t));
        assert_int_equal(status(&t->b), DRDY | DSC | ERR);
        assert_int_equal(bench_in8(&t->b, CMD + 1), 0x04);
    }
}

static void power_and_seek_commands_just_end(void **state)
{
    static const uint8_t commands[] = {0x10, 0x1f, 0x70, 0x94, 0xe0, 0xe1, 0xe2, 0xe3, 0xe6};
    struct ata_bench *t = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        issue(&t->b, commands[i], 0x40, 0, 1);
        assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    }
    issue(&t->b, 0x70, 0x40, 0, SECTORS);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC | ERR);
    assert_int_equal(bench_in8(&t->b, CMD + 1), 0x10); /* IDNF */
}

static void read_native_max_address_returns_the_last_sector(void **state)
{
    struct ata_bench *t = *state;
    uint64_t last = (300ull << 30) / 512 - 1;
    issue(&t->b, 0xf8, 0x40, 0, 0);
    wait_ready(&t->b);
    assert_int_equal(bench_in8(&t->b, CMD + 3), (SECTORS - 1) & 0xff);
    assert_int_equal(bench_in8(&t->b, CMD + 4), (SECTORS - 1) >> 8);
    issue_ext(&t->b, 0x27, 0x10, 0, 0);
    wait_ready(&t->b);
    assert_int_equal(bench_in8(&t->b, CMD + 5), last >> 16 & 0xff);
    bench_out8(&t->b, CTL, 0x80);
    assert_int_equal(bench_in8(&t->b, CMD + 3), last >> 24);
}

/* ---- state and fuzz ---- */

static void state_in_the_middle_of_a_transfer_goes_on_after_a_load(void **state)
{
    struct ata_bench *t = *state;
    uint8_t data[200 * 512];
    issue(&t->b, 0x20, 0x40, 200, 50);
    for (unsigned i = 0; i < 200; i++) {
        wait_ready(&t->b);
        take_words(&t->b, data + i * 512, 100);
        if (i % 50 == 0) {
            bench_check_state(&t->b);
        }
        take_words(&t->b, data + i * 512 + 200, 156);
        if (i == 127) {
            assert_int_equal(alt_status(&t->b), BSY); /* between two buffers */
            bench_check_state(&t->b);
        }
    }
    assert_memory_equal(data, t->image[0].data + 50 * 512, sizeof(data));
    issue(&t->b, 0x30, 0x40, 2, 60);
    wait_ready(&t->b);
    give_words(&t->b, data, 300);
    bench_check_state(&t->b);
    give_words(&t->b, data + 600, 212);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    assert_memory_equal(data, t->image[0].data + 60 * 512, 1024);
}

static void reset_twice_is_reset_once(void **state)
{
    struct ata_bench *t = *state;
    issue(&t->b, 0xc6, 0, 2, 0);
    wait_ready(&t->b);
    issue(&t->b, 0x20, 0x40, 2, 0);
    bench_check_reset(&t->b);
    assert_signature(&t->b);
}

static void any_port_accesses_do_no_harm(void **state)
{
    struct ata_bench *t = *state;
    for (unsigned i = 0; i < 60; i++) {
        bench_fuzz_ports(&t->b, CMD, 8, 1500, 2000000);
        if (bench_random(&t->b) % 2 == 0) {
            bench_out8(&t->b, CTL, 4);
        }
        bench_out8(&t->b, CTL, (uint8_t)(bench_random(&t->b) & ~4u));
        bench_advance(&t->b, NS_PER_MS);
        bench_check_state(&t->b);
    }
}

static void any_saved_state_does_no_harm(void **state)
{
    struct ata_bench *t = *state;
    for (unsigned i = 0; i < 400; i++) {
        for (struct device *d = t->b.m.devices; d != NULL; d = d->next) {
            load_random_state(&t->b, d);
        }
        bench_fuzz_ports(&t->b, CMD, 8, 40, 2000000);
        bench_advance(&t->b, NS_PER_MS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(after_a_reset_the_registers_hold_the_signature),
        CASE(bsy_is_set_from_the_command_until_the_device_is_done),
        CASE(reading_status_clears_a_pending_interrupt_alternate_status_does_not),
        CASE(intrq_is_not_driven_while_nien_is_set),
        CASE_TWO(only_the_selected_device_drives_intrq),
        CASE_TWO(both_devices_take_what_is_written_to_the_task_file),
        CASE(hob_shows_the_previous_contents_until_a_write),
        CASE(device_0_answers_for_an_absent_device_1),
        CASE_EMPTY(a_channel_without_devices_reads_as_0),
        CASE(registers_are_not_written_while_bsy_is_set),
        CASE_TWO(srst_sets_bsy_in_both_devices_until_it_is_over),
        CASE_TWO(diagnostics_are_run_by_both_devices_and_reported_by_device_0),
        CASE(what_a_device_does_not_support_ends_with_abrt),
        CASE(power_and_seek_commands_just_end),
        CASE_TWO(read_native_max_address_returns_the_last_sector),
        CASE(state_in_the_middle_of_a_transfer_goes_on_after_a_load),
        CASE_TWO(reset_twice_is_reset_once),
        CASE_TWO(any_port_accesses_do_no_harm),
        CASE_TWO(any_saved_state_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
