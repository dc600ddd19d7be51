/* hw/ata: channel, disk and geometry. Names are sentences of [ATA6]. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ide_bench.h"

#define SECTORS 2000u

struct ata_bench {
    struct bench b;
    struct ata_channel ch;
    struct image image[2];
    struct ata_disk *disk[2];
};

static void channel_reset(void *dev)
{
    ata_channel_reset(dev);
}

static const struct device_type channel_type = {
    .name = "channel", .version = 1, .reset = channel_reset, .state = ata_channel_state,
};

static void add_disk(struct ata_bench *t, unsigned unit, uint64_t bytes, bool stored)
{
    struct error *err = NULL;
    image_init(&t->image[unit], bytes, stored);
    t->disk[unit] = machine_alloc(&t->b.m, sizeof(*t->disk[unit]));
    if (!ata_disk_init(t->disk[unit], &t->ch, unit, &t->image[unit].block, unit + 1,
                       unit == 0 ? "ide0.0" : "ide0.1", &err)) {
        fail_msg("%s", error_text(err));
    }
}

static struct ata_bench *bench_new(void)
{
    struct ata_bench *t = calloc(1, sizeof(*t));
    bench_init(&t->b);
    ata_channel_init(&t->ch, &t->b.m, "ide0", "ide0-control", &t->b.probe[0].irq, NULL, NULL);
    region_map(&t->b.m.ports.root, &t->ch.command, CMD, 0);
    region_map(&t->b.m.ports.root, &t->ch.control, CTL, 0);
    machine_add(&t->b.m, &channel_type, "channel", &t->ch);
    return t;
}

static int setup(void **state)
{
    struct ata_bench *t = bench_new();
    add_disk(t, 0, SECTORS * 512, true);
    bench_power_on(&t->b);
    *state = t;
    return 0;
}

static int setup_two(void **state)
{
    struct ata_bench *t = bench_new();
    add_disk(t, 0, SECTORS * 512, true);
    add_disk(t, 1, 300ull << 30, false);
    bench_power_on(&t->b);
    *state = t;
    return 0;
}

static int setup_empty(void **state)
{
    struct ata_bench *t = bench_new();
    bench_power_on(&t->b);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct ata_bench *t = *state;
    bench_fini(&t->b);
    image_fini(&t->image[0]);
    image_fini(&t->image[1]);
    free(t);
    return 0;
}

static bool intrq(struct ata_bench *t)
{
    return t->b.probe[0].level;
}

static void assert_signature(struct bench *b)
{
    assert_int_equal(bench_in8(b, CMD + 1), 1);
    assert_int_equal(bench_in8(b, CMD + 2), 1);
    assert_int_equal(bench_in8(b, CMD + 3), 1);
    assert_int_equal(bench_in8(b, CMD + 4), 0);
    assert_int_equal(bench_in8(b, CMD + 5), 0);
}

/* ---- registers ---- */

static void after_a_reset_the_registers_hold_the_signature(void **state) /* 9.12 */
{
    struct ata_bench *t = *state;
    assert_signature(&t->b);
    assert_int_equal(bench_in8(&t->b, CMD + 6), 0xa0);
    assert_int_equal(status(&t->b), DRDY | DSC);
}

static void bsy_is_set_from_the_command_until_the_device_is_done(void **state) /* 6.14.1 */
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
reading_status_clears_a_pending_interrupt_alternate_status_does_not(void **state) /* 6.2 */
{
    struct ata_bench *t = *state;
    issue(&t->b, 0xe7, 0, 0, 0);
    bench_advance(&t->b, NS_PER_MS);
    alt_status(&t->b);
    assert_true(intrq(t));
    status(&t->b);
    assert_false(intrq(t));
}

static void intrq_is_not_driven_while_nien_is_set(void **state) /* 6.9 */
{
    struct ata_bench *t = *state;
    bench_out8(&t->b, CTL, 2);
    issue(&t->b, 0xe7, 0, 0, 0);
    bench_advance(&t->b, NS_PER_MS);
    assert_false(intrq(t));
    bench_out8(&t->b, CTL, 0); /* still pending */
    assert_true(intrq(t));
}

static void only_the_selected_device_drives_intrq(void **state) /* 6.3 */
{
    struct ata_bench *t = *state;
    issue(&t->b, 0xe7, 0, 0, 0);
    bench_advance(&t->b, NS_PER_MS);
    bench_out8(&t->b, CMD + 6, 0xb0);
    assert_false(intrq(t));
    bench_out8(&t->b, CMD + 6, 0xa0);
    assert_true(intrq(t));
}

static void both_devices_take_what_is_written_to_the_task_file(void **state) /* 6.1 */
{
    struct ata_bench *t = *state;
    bench_out8(&t->b, CMD + 3, 0x5a);
    bench_out8(&t->b, CMD + 6, 0xb0);
    assert_int_equal(bench_in8(&t->b, CMD + 3), 0x5a);
    assert_int_equal(bench_in8(&t->b, CMD + 6), 0xb0);
}

static void hob_shows_the_previous_contents_until_a_write(void **state) /* 6.9 */
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

static void device_0_answers_for_an_absent_device_1(void **state) /* 9.16.1 */
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

static void registers_are_not_written_while_bsy_is_set(void **state) /* 6.2 */
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

static void srst_sets_bsy_in_both_devices_until_it_is_over(void **state) /* 9.2 */
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

static void diagnostics_are_run_by_both_devices_and_reported_by_device_0(void **state) /* 8.11 */
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

static void what_a_device_does_not_support_ends_with_abrt(void **state) /* 9.4 */
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

static void read_native_max_address_returns_the_last_sector(void **state) /* 8.32, 8.33 */
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

/* ---- IDENTIFY ---- */

static void identify(struct ata_bench *t, uint8_t device, uint16_t *id)
{
    issue(&t->b, 0xec, device, 0, 0);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC | DRQ);
    take_words(&t->b, id, 256);
    assert_int_equal(status(&t->b), DRDY | DSC);
}

static void assert_string(const uint16_t *words, unsigned n, const char *text)
{
    char got[64] = "";
    for (unsigned i = 0; i < n; i++) {
        got[2 * i] = (char)(words[i] >> 8);
        got[2 * i + 1] = (char)words[i];
    }
    assert_memory_equal(got, text, strlen(text));
    for (size_t i = strlen(text); i < 2 * n; i++) {
        assert_int_equal(got[i], ' ');
    }
}

static void identify_device_says_what_guests_know_of_qemus_disk(void **state)
{
    struct ata_bench *t = *state;
    uint16_t id[256];
    identify(t, 0, id);
    assert_int_equal(id[0], 0x0040);
    assert_string(id + 10, 10, "QM00001");
    assert_string(id + 23, 4, "2.5+");
    assert_string(id + 27, 20, "QEMU HARDDISK");
    assert_int_equal(id[1], 1);
    assert_int_equal(id[3], 16);
    assert_int_equal(id[6], 63);
    assert_int_equal(id[47], 0x8010);
    assert_int_equal(id[49] & 0x0300, 0x0300);
    assert_int_equal(id[60], SECTORS);
    assert_int_equal(id[61], 0);
    assert_int_equal(id[83] & 0x0400, 0x0400);
    assert_int_equal(id[100], SECTORS);
    assert_int_equal(id[82] & 1, 0); /* no SMART */
}

static void words_60_and_100_differ_on_a_large_disk(void **state)
{
    struct ata_bench *t = *state;
    uint16_t id[256];
    identify(t, 0x10, id);
    assert_string(id + 10, 10, "QM00002");
    assert_int_equal(id[1], 16383);
    assert_int_equal(id[60] | (uint32_t)id[61] << 16, 0x0fffffff);
    assert_int_equal(id[100] | (uint32_t)id[101] << 16, (300ull << 30) / 512);
}

static void set_features_are_seen_in_identify(void **state) /* 8.37 */
{
    struct ata_bench *t = *state;
    uint16_t id[256];
    identify(t, 0, id);
    assert_int_equal(id[88] >> 8, 0x20);
    assert_int_equal(id[85] & 0x20, 0x20);
    bench_out8(&t->b, CMD + 1, 0x03);
    issue(&t->b, 0xef, 0, 0x22, 0); /* multiword DMA 2 */
    assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    bench_out8(&t->b, CMD + 1, 0x82);
    issue(&t->b, 0xef, 0, 0, 0);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    identify(t, 0, id);
    assert_int_equal(id[63], 0x0407);
    assert_int_equal(id[88], 0x003f);
    assert_int_equal(id[85] & 0x20, 0);
    bench_out8(&t->b, CMD + 1, 0x03);
    issue(&t->b, 0xef, 0, 0x47, 0); /* there is no Ultra DMA 7 */
    assert_int_equal(wait_ready(&t->b), DRDY | DSC | ERR);
}

/* ---- reading ---- */

static void read_sectors_interrupts_once_for_each_sector(void **state) /* 9.7 */
{
    struct ata_bench *t = *state;
    uint8_t data[3 * 512];
    issue(&t->b, 0x20, 0x40, 3, 10);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(wait_ready(&t->b), DRDY | DSC | DRQ);
        assert_int_equal(t->b.probe[0].rises, i + 1);
        assert_false(intrq(t));
        take_words(&t->b, data + i * 512, 256);
    }
    assert_int_equal(t->b.probe[0].rises, 3); /* none after the last */
    assert_int_equal(status(&t->b), DRDY | DSC);
    assert_memory_equal(data, t->image[0].data + 10 * 512, sizeof(data));
    assert_int_equal(bench_in8(&t->b, CMD + 2), 0);
    assert_int_equal(bench_in8(&t->b, CMD + 3), 12);
}

static void a_count_of_0_is_256_sectors(void **state) /* 8.27.4 */
{
    struct ata_bench *t = *state;
    uint8_t *data = malloc(300 * 512);
    issue(&t->b, 0x20, 0x40, 0, 100);
    assert_int_equal(take_all(&t->b, data, 300 * 512, 512), 256 * 512);
    assert_memory_equal(data, t->image[0].data + 100 * 512, 256 * 512);
    free(data);
}

static void chs_and_lba_name_the_same_sector(void **state) /* 6.2 */
{
    struct ata_bench *t = *state;
    uint8_t data[512];
    issue(&t->b, 0x20, 2, 1, 0x000005); /* cylinder 0, head 2, sector 5 */
    assert_int_equal(take_all(&t->b, data, 512, 512), 512);
    assert_memory_equal(data, t->image[0].data + (2 * 63 + 4) * 512, 512);
    assert_int_equal(bench_in8(&t->b, CMD + 6), 0xa2);
    assert_int_equal(bench_in8(&t->b, CMD + 3), 5);
}

static void chs_outside_the_translation_is_not_found(void **state)
{
    struct ata_bench *t = *state;
    static const uint32_t sectors[] = {0x000000, 0x000040, 0x000101};
    for (unsigned i = 0; i < ARRAY_SIZE(sectors); i++) { /* sector 0, sector 64, cylinder 1 */
        issue(&t->b, 0x20, 0, 1, sectors[i]);
        assert_int_equal(wait_ready(&t->b), DRDY | DSC | ERR);
        assert_int_equal(bench_in8(&t->b, CMD + 1), 0x10);
    }
}

static void initialize_device_parameters_sets_the_translation(void **state)
{
    struct ata_bench *t = *state;
    uint16_t id[256];
    uint8_t data[512];
    issue(&t->b, 0x91, 3, 17, 0); /* 4 heads, 17 sectors */
    assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    identify(t, 0, id);
    assert_int_equal(id[54], SECTORS / (4 * 17));
    assert_int_equal(id[55], 4);
    assert_int_equal(id[56], 17);
    assert_int_equal(id[57], SECTORS / (4 * 17) * 4 * 17);
    assert_int_equal(id[3], 16); /* the default stays */
    issue(&t->b, 0x20, 3, 1, 0x000211); /* cylinder 2, head 3, sector 17 */
    assert_int_equal(take_all(&t->b, data, 512, 512), 512);
    assert_memory_equal(data, t->image[0].data + ((2 * 4 + 3) * 17 + 16) * 512, 512);
    issue(&t->b, 0x91, 3, 0, 0);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC | ERR);
}

static void read_sectors_ext_has_48_bits(void **state) /* 8.28 */
{
    struct ata_bench *t = *state;
    uint64_t lba = (300ull << 30) / 512 - 3;
    uint8_t data[4 * 512];
    issue_ext(&t->b, 0x24, 0x10, 3, lba);
    assert_int_equal(take_all(&t->b, data, sizeof(data), 512), 3 * 512);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(ld64le(data + i * 512) == lba + i);
    }
    bench_out8(&t->b, CTL, 0x80);
    assert_int_equal(bench_in8(&t->b, CMD + 3), (lba + 2) >> 24 & 0xff);
}

static void an_ext_count_of_0_is_65536_sectors(void **state) /* 8.28.4 */
{
    struct ata_bench *t = *state;
    uint8_t data[512];
    issue_ext(&t->b, 0x24, 0x10, 0, 1ull << 28);
    for (unsigned i = 0; i < 65536; i++) {
        if (!(alt_status(&t->b) & DRQ)) {
            assert_int_equal(wait_ready(&t->b), DRDY | DSC | DRQ);
        }
        assert_int_equal(space_read_block(&t->b.m.ports, CMD, data, 2, 256), 256);
        assert_true(ld64le(data) == (1ull << 28) + i);
    }
    assert_int_equal(status(&t->b), DRDY | DSC);
}

static void read_multiple_has_blocks_of_several_sectors(void **state) /* 8.30 */
{
    struct ata_bench *t = *state;
    uint8_t data[11 * 512];
    issue(&t->b, 0xc6, 0, 4, 0);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    bench_probe_clear(&t->b.probe[0]);
    issue(&t->b, 0xc4, 0x40, 11, 7);
    for (unsigned n = 0; n < 11; n += 4) {
        assert_int_equal(wait_ready(&t->b), DRDY | DSC | DRQ);
        take_words(&t->b, data + n * 512, n + 4 <= 11 ? 1024 : 768); /* the last is shorter */
    }
    assert_int_equal(t->b.probe[0].rises, 3);
    assert_int_equal(status(&t->b), DRDY | DSC);
    assert_memory_equal(data, t->image[0].data + 7 * 512, sizeof(data));
}

static void set_multiple_takes_powers_of_two_up_to_word_47(void **state) /* 8.39 */
{
    struct ata_bench *t = *state;
    for (unsigned n = 0; n < 256; n++) {
        bool ok = n <= 16 && (n & (n - 1)) == 0;
        issue(&t->b, 0xc6, 0, (uint8_t)n, 0);
        assert_int_equal(wait_ready(&t->b), DRDY | DSC | (ok ? 0 : ERR));
    }
    issue(&t->b, 0xc6, 0, 0, 0); /* 0 disables them */
    wait_ready(&t->b);
    issue(&t->b, 0xc4, 0x40, 1, 0);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC | ERR);
    assert_int_equal(bench_in8(&t->b, CMD + 1), 0x04);
}

static void sectors_before_a_bad_address_are_transferred(void **state)
{
    struct ata_bench *t = *state;
    uint8_t data[4 * 512];
    issue(&t->b, 0x20, 0x40, 4, SECTORS - 2);
    assert_int_equal(take_all(&t->b, data, sizeof(data), 512), 2 * 512);
    assert_int_equal(alt_status(&t->b), DRDY | DSC | ERR);
    assert_int_equal(bench_in8(&t->b, CMD + 1), 0x10); /* IDNF */
    assert_int_equal(bench_in8(&t->b, CMD + 3) | bench_in8(&t->b, CMD + 4) << 8, SECTORS);
    assert_int_equal(bench_in8(&t->b, CMD + 2), 2); /* not transferred */
}

static void read_verify_moves_no_data(void **state) /* 8.34 */
{
    struct ata_bench *t = *state;
    issue(&t->b, 0x40, 0x40, 200, 0);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    assert_int_equal(t->b.probe[0].rises, 1);
    assert_int_equal(t->image[0].reads, 3); /* the partition table, and two chunks */
    issue(&t->b, 0x40, 0x40, 2, SECTORS - 1);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC | ERR);
}

static void an_unreadable_sector_is_unc(void **state)
{
    struct ata_bench *t = *state;
    t->image[0].fail_reads = true;
    issue(&t->b, 0x20, 0x40, 1, 9);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC | ERR);
    assert_int_equal(bench_in8(&t->b, CMD + 1), 0x40);
    assert_int_equal(bench_in8(&t->b, CMD + 3), 9);
    t->image[0].fail_reads = false;
    issue(&t->b, 0x20, 0x40, 1, 9);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC | DRQ);
}

/* ---- the data port ---- */

static void the_data_port_takes_words_dwords_and_blocks(void **state)
{
    struct ata_bench *t = *state;
    uint8_t data[512];
    issue(&t->b, 0x20, 0x40, 1, 3);
    wait_ready(&t->b);
    st32le(data, bench_in32(&t->b, CMD));
    st16le(data + 4, bench_in16(&t->b, CMD));
    data[6] = bench_in8(&t->b, CMD); /* half of a word, and the other half is gone */
    data[7] = t->image[0].data[3 * 512 + 7];
    assert_int_equal(space_read_block(&t->b.m.ports, CMD, data + 8, 4, 10), 10);
    assert_int_equal(space_read_block(&t->b.m.ports, CMD, data + 48, 2, 1000), (512 - 48) / 2);
    assert_int_equal(space_read_block(&t->b.m.ports, CMD, data, 2, 1), 0);
    assert_memory_equal(data, t->image[0].data + 3 * 512, 512);
    assert_int_equal(status(&t->b), DRDY | DSC);
    assert_int_equal(bench_in16(&t->b, CMD), 0);
}

static void a_block_access_ends_where_the_block_ends(void **state)
{
    struct ata_bench *t = *state;
    uint8_t data[1024];
    issue(&t->b, 0x20, 0x40, 2, 3);
    wait_ready(&t->b);
    assert_int_equal(space_read_block(&t->b.m.ports, CMD, data, 2, 512), 256);
    assert_true(intrq(t)); /* the next block announces itself */
    assert_int_equal(space_read_block(&t->b.m.ports, CMD, data + 512, 2, 512), 256);
    assert_memory_equal(data, t->image[0].data + 3 * 512, 1024);
}

/* ---- writing ---- */

static void
write_sectors_interrupts_after_each_block_but_not_before_the_first(void **state) /* 9.8 */
{
    struct ata_bench *t = *state;
    uint8_t data[3 * 512];
    memset(data, 0xa5, sizeof(data));
    issue(&t->b, 0x30, 0x40, 3, 20);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC | DRQ);
    assert_int_equal(t->b.probe[0].rises, 0);
    for (unsigned i = 0; i < 3; i++) {
        give_words(&t->b, data + i * 512, 256);
        assert_int_equal(wait_ready(&t->b), DRDY | DSC | (i < 2 ? DRQ : 0));
        assert_int_equal(t->b.probe[0].rises, i + 1);
    }
    assert_memory_equal(t->image[0].data + 20 * 512, data, sizeof(data));
    assert_int_equal(t->image[0].data[23 * 512], (uint8_t)(23 * 512 * 7 + 23));
    assert_int_equal(t->image[0].writes, 1);
}

static void write_multiple_and_ext_reach_the_image(void **state)
{
    struct ata_bench *t = *state;
    uint8_t data[20 * 512];
    memset(data, 0x77, sizeof(data));
    issue_ext(&t->b, 0x39, 0, 20, 500);
    wait_ready(&t->b);
    give_words(&t->b, data, 16 * 256);
    wait_ready(&t->b);
    give_words(&t->b, data, 4 * 256);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    assert_memory_equal(t->image[0].data + 500 * 512, data, sizeof(data));
}

static void a_long_write_takes_more_than_one_buffer(void **state)
{
    struct ata_bench *t = *state;
    uint8_t data[512];
    issue(&t->b, 0x30, 0x40, 200, 1000);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(wait_ready(&t->b), DRDY | DSC | DRQ);
        memset(data, (int)i, sizeof(data));
        assert_int_equal(space_write_block(&t->b.m.ports, CMD, data, 4, 128), 128);
    }
    assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    assert_int_equal(t->image[0].writes, 2);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(t->image[0].data[(1000 + i) * 512 + 511], i);
    }
}

static void a_failed_write_is_an_error_and_nothing_else(void **state)
{
    struct ata_bench *t = *state;
    uint8_t data[512] = {0};
    t->image[0].fail_writes = true;
    issue(&t->b, 0x30, 0x40, 1, 1);
    wait_ready(&t->b);
    give_words(&t->b, data, 256);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC | ERR);
    assert_int_equal(bench_in8(&t->b, CMD + 1), 0x04);
}

static void a_read_only_image_refuses_writes(void **state)
{
    struct ata_bench *t = *state;
    t->image[0].block.read_only = true;
    issue(&t->b, 0x30, 0x40, 1, 1);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC | ERR);
    assert_int_equal(bench_in8(&t->b, CMD + 1), 0x04);
}

static void flush_cache_reaches_the_image_and_so_does_each_write_without_cache(void **state)
{
    struct ata_bench *t = *state;
    uint8_t data[512] = {0};
    issue(&t->b, 0xe7, 0, 0, 0);
    wait_ready(&t->b);
    issue(&t->b, 0xea, 0, 0, 0);
    wait_ready(&t->b);
    assert_int_equal(t->image[0].flushes, 2);
    bench_out8(&t->b, CMD + 1, 0x82);
    issue(&t->b, 0xef, 0, 0, 0);
    wait_ready(&t->b);
    assert_int_equal(t->image[0].flushes, 3);
    issue(&t->b, 0x30, 0x40, 1, 1);
    wait_ready(&t->b);
    give_words(&t->b, data, 256);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    assert_int_equal(t->image[0].flushes, 4);
    t->image[0].fail_flushes = true;
    issue(&t->b, 0xe7, 0, 0, 0);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC | ERR);
}

static void an_image_may_end_within_its_last_sector(void **state)
{
    struct ata_bench *t = bench_new();
    uint8_t data[512];
    add_disk(t, 0, 1000, true);
    bench_power_on(&t->b);
    issue(&t->b, 0x20, 0x40, 1, 1);
    assert_int_equal(take_all(&t->b, data, 512, 512), 512);
    assert_memory_equal(data, t->image[0].data + 512, 488);
    assert_int_equal(data[488] | data[511], 0);
    memset(data, 1, sizeof(data));
    issue(&t->b, 0x30, 0x40, 1, 1);
    wait_ready(&t->b);
    give_words(&t->b, data, 256);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    assert_int_equal(t->image[0].data[999], 1);
    void *p = t;
    teardown(&p);
}

/* ---- geometry ---- */

static void put_entry(uint8_t *sector, unsigned n, uint32_t first, uint32_t count, unsigned heads,
                      unsigned spt)
{
    uint8_t *p = sector + 446 + 16 * n;
    uint32_t lba[2] = {first, first + count - 1};
    memset(p, 0, 16);
    p[4] = 6;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t c = lba[i] / (heads * spt), h = lba[i] / spt % heads, s = lba[i] % spt + 1;
        if (c > 1023) {
            c = 1023, h = heads - 1, s = spt;
        }
        p[1 + 4 * i] = (uint8_t)h;
        p[2 + 4 * i] = (uint8_t)(s | c >> 8 << 6);
        p[3 + 4 * i] = (uint8_t)c;
    }
    st32le(p + 8, first);
    st32le(p + 12, count);
    sector[510] = 0x55;
    sector[511] = 0xaa;
}

struct partitioned {
    struct block block;
    uint8_t sector[512];
};

static bool partitioned_read(struct block *b, uint64_t off, void *buf, size_t len,
                             struct error **err)
{
    memcpy(buf, container_of(b, struct partitioned, block)->sector, len);
    return true;
}

static const struct block_ops partitioned_ops = {.name = "test", .read = partitioned_read};

/* A disk of @total sectors whose one partition ends with cylinder @end of @heads and @spt. */
static struct ata_geometry guess(uint64_t total, unsigned heads, unsigned spt, unsigned end)
{
    struct partitioned p = {.block = {.ops = &partitioned_ops, .bytes = total * 512}};
    struct ata_geometry g;
    if (heads != 0) {
        put_entry(p.sector, 0, spt, end * heads * spt - spt, heads, spt);
    }
    ata_geometry_guess(&g, &p.block);
    return g;
}

static void without_a_table_a_disk_has_16_heads_and_63_sectors(void **state)
{
    struct ata_geometry g = guess(131072, 0, 0, 0);
    assert_int_equal(g.cylinders, 130);
    assert_int_equal(g.heads, 16);
    assert_int_equal(g.sectors, 63);
    assert_int_equal(g.translation, ATA_TRANSLATION_NONE);
    assert_int_equal(g.table_heads, 0);
    g = guess(10 * GiB / 512, 0, 0, 0);
    assert_int_equal(g.cylinders, 16383);
    assert_int_equal(g.translation, ATA_TRANSLATION_LBA);
    g = guess(1, 0, 0, 0);
    assert_int_equal(g.cylinders, 1);
}

static void a_table_of_at_most_16_heads_is_the_drives_own_geometry(void **state)
{
    struct ata_geometry g = guess(20 * 4 * 17 * 10, 4, 17, 150);
    assert_int_equal(g.cylinders, 200);
    assert_int_equal(g.heads, 4);
    assert_int_equal(g.sectors, 17);
    assert_int_equal(g.translation, ATA_TRANSLATION_NONE);
    assert_false(g.override);
    g = guess(2 * GiB / 512, 16, 63, 900); /* also with cylinders that INT 13h cannot reach */
    assert_int_equal(g.cylinders, 4161);
    assert_int_equal(g.translation, ATA_TRANSLATION_NONE);
    assert_false(g.override);
}

static void a_table_of_more_heads_is_reached_by_translation(void **state)
{
    uint16_t c, h, s;
    uint64_t total = 8 * GiB / 512;
    struct ata_geometry g = guess(total, 255, 63, 900);
    assert_int_equal(g.heads, 16);
    assert_int_equal(g.translation, ATA_TRANSLATION_LBA);
    assert_int_equal(g.table_heads, 255);
    assert_false(g.override);
    ata_geometry_firmware(&g, total, &c, &h, &s);
    assert_int_equal(h, 255);
    assert_int_equal(c, 1024);
    total = 1000 * 1024 * 2; /* 1000 MiB with 32 heads */
    g = guess(total, 32, 63, 1000);
    ata_geometry_firmware(&g, total, &c, &h, &s);
    assert_int_equal(h, 32);
    assert_int_equal(g.translation, ATA_TRANSLATION_LARGE);
    assert_false(g.override);
}

static void a_table_that_no_translation_reaches_asks_for_an_override(void **state)
{
    struct ata_geometry g = guess(500 * 1024 * 2, 255, 63, 60);
    assert_true(g.override);
    assert_int_equal(g.table_heads, 255);
    assert_int_equal(g.table_sectors, 63);
    assert_int_equal(g.table_cylinders, 500 * 1024 * 2 / (255 * 63));
}

static void a_table_that_contradicts_itself_says_nothing(void **state)
{
    struct partitioned p = {.block = {.ops = &partitioned_ops, .bytes = 131072 * 512}};
    struct ata_geometry g;
    put_entry(p.sector, 0, 2048, 100000, 16, 63); /* not at a cylinder's end, but consistent */
    ata_geometry_guess(&g, &p.block);
    assert_int_equal(g.table_heads, 16);
    assert_int_equal(g.table_sectors, 63);
    p.sector[446 + 5] = 9; /* the end's head */
    ata_geometry_guess(&g, &p.block);
    assert_int_equal(g.table_heads, 0);
    assert_int_equal(g.cylinders, 130);
    for (unsigned i = 0; i < 20000; i++) { /* any bytes at all */
        struct bench b = {.random = i + 1};
        for (unsigned k = 446; k < 510; k += 4) {
            st32le(p.sector + k - 2, bench_random(&b) & (i % 2 != 0 ? 0x3f00ff7f : ~0u));
        }
        st16le(p.sector + 510, 0xaa55);
        ata_geometry_guess(&g, &p.block);
        assert_in_range(g.cylinders, 1, 16383);
        assert_in_range(g.heads, 1, 16);
        assert_in_range(g.sectors, 1, 63);
    }
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

#define CASE(f)       cmocka_unit_test_setup_teardown(f, setup, teardown)
#define CASE_TWO(f)   cmocka_unit_test_setup_teardown(f, setup_two, teardown)
#define CASE_EMPTY(f) cmocka_unit_test_setup_teardown(f, setup_empty, teardown)

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
        CASE(identify_device_says_what_guests_know_of_qemus_disk),
        CASE_TWO(words_60_and_100_differ_on_a_large_disk),
        CASE(set_features_are_seen_in_identify),
        CASE(read_sectors_interrupts_once_for_each_sector),
        CASE(a_count_of_0_is_256_sectors),
        CASE(chs_and_lba_name_the_same_sector),
        CASE(chs_outside_the_translation_is_not_found),
        CASE(initialize_device_parameters_sets_the_translation),
        CASE_TWO(read_sectors_ext_has_48_bits),
        CASE_TWO(an_ext_count_of_0_is_65536_sectors),
        CASE(read_multiple_has_blocks_of_several_sectors),
        CASE(set_multiple_takes_powers_of_two_up_to_word_47),
        CASE(sectors_before_a_bad_address_are_transferred),
        CASE(read_verify_moves_no_data),
        CASE(an_unreadable_sector_is_unc),
        CASE(the_data_port_takes_words_dwords_and_blocks),
        CASE(a_block_access_ends_where_the_block_ends),
        CASE(write_sectors_interrupts_after_each_block_but_not_before_the_first),
        CASE(write_multiple_and_ext_reach_the_image),
        CASE(a_long_write_takes_more_than_one_buffer),
        CASE(a_failed_write_is_an_error_and_nothing_else),
        CASE(a_read_only_image_refuses_writes),
        CASE(flush_cache_reaches_the_image_and_so_does_each_write_without_cache),
        cmocka_unit_test(an_image_may_end_within_its_last_sector),
        cmocka_unit_test(without_a_table_a_disk_has_16_heads_and_63_sectors),
        cmocka_unit_test(a_table_of_at_most_16_heads_is_the_drives_own_geometry),
        cmocka_unit_test(a_table_of_more_heads_is_reached_by_translation),
        cmocka_unit_test(a_table_that_no_translation_reaches_asks_for_an_override),
        cmocka_unit_test(a_table_that_contradicts_itself_says_nothing),
        CASE(state_in_the_middle_of_a_transfer_goes_on_after_a_load),
        CASE_TWO(reset_twice_is_reset_once),
        CASE_TWO(any_port_accesses_do_no_harm),
        CASE_TWO(any_saved_state_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
