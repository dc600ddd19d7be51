/* hw/ata/ata_disk: identification and data commands. Names are sentences of [ATA6]. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ata_bench.h"

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

static void set_features_are_seen_in_identify(void **state)
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

static void read_sectors_interrupts_once_for_each_sector(void **state)
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

static void a_count_of_0_is_256_sectors(void **state)
{
    struct ata_bench *t = *state;
    uint8_t *data = malloc(300 * 512);
    issue(&t->b, 0x20, 0x40, 0, 100);
    assert_int_equal(take_all(&t->b, data, 300 * 512, 512), 256 * 512);
    assert_memory_equal(data, t->image[0].data + 100 * 512, 256 * 512);
    free(data);
}

static void chs_and_lba_name_the_same_sector(void **state)
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

static void read_sectors_ext_has_48_bits(void **state)
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

static void an_ext_count_of_0_is_65536_sectors(void **state)
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

static void read_multiple_has_blocks_of_several_sectors(void **state)
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

static void set_multiple_takes_powers_of_two_up_to_word_47(void **state)
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

static void read_verify_moves_no_data(void **state)
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
write_sectors_interrupts_after_each_block_but_not_before_the_first(void **state)
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

/* ---- the image is slow ---- */

static void an_access_under_way_goes_on_after_a_load(void **state)
{
    struct ata_bench *t = *state;
    uint8_t data[512], before[512];
    issue(&t->b, 0x20, 0x40, 1, 70);
    assert_true(t->disk[0]->ata.io.pending);
    bench_check_state(&t->b);
    assert_true(t->disk[0]->ata.io.pending);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC | DRQ);
    take_words(&t->b, data, 256);
    assert_memory_equal(data, t->image[0].data + 70 * 512, 512);
    memcpy(before, t->image[0].data + 80 * 512, 512);
    issue(&t->b, 0x30, 0x40, 1, 80);
    wait_ready(&t->b);
    give_words(&t->b, data, 256);
    assert_true(t->disk[0]->ata.io.pending);
    struct state_buf saved;
    bench_save(&t->b, t->b.m.devices->next, &saved); /* the disk stands behind the channel */
    wait_ready(&t->b);
    memcpy(t->image[0].data + 80 * 512, before, 512);
    size_t used;
    assert_true(state_load(t->b.m.devices->next->type->state, t->disk[0], &t->b.m.clock, saved.data,
                           saved.len, &used, NULL));
    t->b.m.devices->next->type->loaded(t->disk[0]);
    assert_int_equal(alt_status(&t->b), BSY);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    assert_memory_equal(data, t->image[0].data + 80 * 512, 512);
    issue(&t->b, 0xe7, 0, 0, 0);
    bench_advance(&t->b, 10 * NS_PER_US); /* the command is over, the flush is not */
    assert_true(t->disk[0]->ata.io.pending);
    bench_check_state(&t->b);
    assert_int_equal(wait_ready(&t->b), DRDY | DSC);
    state_buf_free(&saved);
}

/* What was written before a reset is in the image; what was read is forgotten. */
static void a_reset_waits_for_an_access_under_way(void **state)
{
    struct ata_bench *t = *state;
    uint8_t data[512];
    memset(data, 0x3c, sizeof(data));
    issue(&t->b, 0x30, 0x40, 1, 90);
    wait_ready(&t->b);
    give_words(&t->b, data, 256);
    assert_true(t->disk[0]->ata.io.pending);
    bench_out8(&t->b, CTL, 4);
    assert_false(t->disk[0]->ata.io.pending);
    assert_memory_equal(data, t->image[0].data + 90 * 512, 512);
    bench_out8(&t->b, CTL, 0);
    wait_ready(&t->b);
    issue(&t->b, 0x20, 0x40, 1, 90);
    assert_true(t->disk[0]->ata.io.pending);
    bench_reset(&t->b);
    assert_false(t->disk[0]->ata.io.pending);
    bench_advance(&t->b, NS_PER_MS);
    assert_int_equal(alt_status(&t->b), DRDY | DSC);
}

struct slow_bench {
    struct ata_bench t;
    pthread_mutex_t gate;
    struct timer poll;
    unsigned polls;
};

/* The machine goes on: its timers run while the image is waited for. */
static void poll(void *opaque)
{
    struct slow_bench *s = opaque;
    s->polls++;
    if (s->polls == 5) {
        assert_int_equal(alt_status(&s->t.b), BSY);
        pthread_mutex_unlock(&s->gate);
    }
    if (intrq(&s->t)) {
        loop_quit(&s->t.b.m.loop);
    } else {
        timer_at(&s->poll, clock_now(&s->t.b.m.clock) + NS_PER_MS);
    }
}

static void on_the_hosts_clock_nobody_waits_for_the_image(void **state)
{
    struct slow_bench *s = calloc(1, sizeof(*s));
    struct ata_bench *t = &s->t;
    uint8_t data[512];
    assert_true(machine_init(&t->b.m, CLOCK_HOST_DRIVEN, BENCH_WALL_NS, NULL));
    t->b.probe[0].bench = &t->b;
    irq_init(&t->b.probe[0].irq, bench_probe_set, &t->b.probe[0], 0);
    add_channel(&t->b, &t->ch);
    add_disk(t, 0, SECTORS * 512, true);
    bench_power_on(&t->b);
    clock_start(&t->b.m.clock);
    pthread_mutex_init(&s->gate, NULL);
    pthread_mutex_lock(&s->gate);
    t->image[0].gate = &s->gate;
    issue(&t->b, 0x20, 0x40, 1, 33); /* returns at once */
    assert_int_equal(alt_status(&t->b), BSY);
    timer_init(&s->poll, &t->b.m.clock, "poll", poll, s);
    timer_at(&s->poll, 0);
    loop_run(&t->b.m.loop);
    assert_true(s->polls >= 5);
    assert_int_equal(status(&t->b), DRDY | DSC | DRQ);
    take_words(&t->b, data, 256);
    assert_memory_equal(data, t->image[0].data + 33 * 512, 512);
    bench_fini(&t->b);
    image_fini(&t->image[0]);
    pthread_mutex_destroy(&s->gate);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        CASE(an_access_under_way_goes_on_after_a_load),
        CASE(a_reset_waits_for_an_access_under_way),
        cmocka_unit_test(on_the_hosts_clock_nobody_waits_for_the_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
