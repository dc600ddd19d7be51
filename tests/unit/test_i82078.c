/* hw/chips/i82078 and floppy_media, from [82078] "Command Set/Descriptions". */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench.h"
#include "core/base/bytes.h"
#include "hw/chips/i8237.h"
#include "hw/chips/i82078.h"

#include <stdlib.h>
#include <unistd.h>

struct fdc {
    struct bench b;
    struct i8237_pair dma;
    struct i82078 chip;
    char path[64];
    struct block *block;
    uint8_t res[16];
};

#define IRQ6 probe[0]
#define RAM  0x20000

enum { RATE_500K, RATE_300K, RATE_250K, RATE_1M };

static void no_disk(struct fdc *f)
{
    if (f->block != NULL) {
        i82078_eject(&f->chip, 0);
        block_close(f->block);
        f->block = NULL;
    }
}

static uint8_t byte_of(unsigned lba)
{
    return (uint8_t)(lba * 7 + lba / 256 + 1);
}

/* An image in which every byte of sector n is byte_of(n). */
static void make_image(struct fdc *f, size_t bytes)
{
    FILE *img = fopen(f->path, "w");
    assert_non_null(img);
    for (size_t i = 0; i < bytes; i++) {
        fputc(byte_of((unsigned)(i / 512)), img);
    }
    fclose(img);
}

static void insert(struct fdc *f, size_t bytes, unsigned flags)
{
    struct error *err = NULL;
    make_image(f, bytes);
    f->block = block_open(f->path, "raw", flags, &err);
    assert_non_null(f->block);
    assert_true(i82078_insert(&f->chip, 0, f->block, &err));
}

static int setup_empty(void **state)
{
    struct fdc *f = calloc(1, sizeof(*f));
    strcpy(f->path, "/tmp/test_i82078.XXXXXX");
    close(mkstemp(f->path));
    bench_init(&f->b);
    i8237_pair_init(&f->dma, &f->b.m);
    i82078_init(&f->chip, &f->b.m, 0x3f0, &f->b.IRQ6.irq, &f->dma, 2);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fdc *f = *state;
    no_disk(f);
    bench_fini(&f->b);
    unlink(f->path);
    free(f);
    return 0;
}

static void send(struct fdc *f, unsigned n, const uint8_t *cmd)
{
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(bench_in8(&f->b, 0x3f4) & 0xc0, 0x80);
        bench_out8(&f->b, 0x3f5, cmd[i]);
    }
}
#define SEND(f, ...) send(f, sizeof((uint8_t[]){__VA_ARGS__}), (uint8_t[]){__VA_ARGS__})

/* Reads the whole result; the number of its bytes. */
static unsigned result(struct fdc *f)
{
    unsigned n = 0;
    while ((bench_in8(&f->b, 0x3f4) & 0xd0) == 0xd0) {
        assert_true(n < sizeof(f->res));
        f->res[n++] = bench_in8(&f->b, 0x3f5);
    }
    return n;
}

static void wait_irq(struct fdc *f)
{
    for (unsigned i = 0; i < 1000 && !f->b.IRQ6.level; i++) {
        bench_advance(&f->b, 100 * NS_PER_US);
    }
    assert_true(f->b.IRQ6.level);
}

/* SENSE INTERRUPT STATUS; ST0 << 8 | PCN. */
static unsigned sense(struct fdc *f)
{
    SEND(f, 0x08);
    return result(f) == 2 ? (unsigned)f->res[0] << 8 | f->res[1] : f->res[0];
}

static void recalibrate(struct fdc *f)
{
    SEND(f, 0x07, 0x00);
    wait_irq(f);
    assert_int_equal(sense(f), 0x2000);
}

static void seek(struct fdc *f, uint8_t cyl)
{
    SEND(f, 0x0f, 0x00, cyl);
    wait_irq(f);
    assert_int_equal(sense(f), 0x2000 | cyl);
}

/* Channel 2 at RAM for @bytes; @mode 46h to memory, 4Ah from memory. */
static void program_dma(struct fdc *f, unsigned bytes, uint8_t mode)
{
    bench_out8(&f->b, 0x0a, 6);
    bench_out8(&f->b, 0x0c, 0);
    bench_out8(&f->b, 0x04, RAM & 0xff);
    bench_out8(&f->b, 0x04, RAM >> 8 & 0xff);
    bench_out8(&f->b, 0x05, (bytes - 1) & 0xff);
    bench_out8(&f->b, 0x05, (bytes - 1) >> 8);
    bench_out8(&f->b, 0x0b, mode);
    bench_out8(&f->b, 0x81, RAM >> 16);
    bench_out8(&f->b, 0x0a, 2);
    bench_out8(&f->b, 0x08, 0);
}

static uint8_t *ram(struct fdc *f)
{
    return ram_host(&f->b.m.ram_low) + RAM;
}

/* Powers on with a disk of @bytes at @rate; cascade open. */
static struct fdc *with_disk(void **state, size_t bytes, unsigned rate)
{
    struct fdc *f = *state;
    insert(f, bytes, 0);
    bench_power_on(&f->b);
    bench_out8(&f->b, 0xd6, 0xc0);
    bench_out8(&f->b, 0xd4, 0);
    bench_out8(&f->b, 0x3f7, (uint8_t)rate);
    bench_out8(&f->b, 0x3f2, 0x1c);
    return f;
}

static struct fdc *with_1440(void **state)
{
    return with_disk(state, 1474560, RATE_500K);
}

/* @op with MT, MFM as given, at C/H/R up to @eot. ST0 << 16 | ST1 << 8 | ST2. */
static unsigned transfer(struct fdc *f, uint8_t op, uint8_t c, uint8_t h, uint8_t r, uint8_t eot)
{
    SEND(f, op, (uint8_t)(h << 2), c, h, r, 2, eot, 0x1b, 0xff);
    wait_irq(f);
    assert_int_equal(result(f), 7);
    assert_false(f->b.IRQ6.level);
    return (unsigned)f->res[0] << 16 | (unsigned)f->res[1] << 8 | f->res[2];
}

static void assert_chrn(struct fdc *f, uint8_t c, uint8_t h, uint8_t r)
{
    const uint8_t expect[] = {c, h, r, 2};
    assert_memory_equal(f->res + 3, expect, 4);
}

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
    static const uint8_t invalid[] = {0x00, 0x01, 0x1f, 0x0b, 0x11, 0x15};
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

static void read_data_moves_sectors_until_terminal_count(void **state)
{
    struct fdc *f = with_1440(state);
    program_dma(f, 3 * 512, 0x46);
    assert_int_equal(transfer(f, 0xe6, 0, 0, 1, 18), 0);
    assert_chrn(f, 0, 0, 4);
    for (unsigned i = 0; i < 3 * 512; i++) {
        assert_int_equal(ram(f)[i], byte_of(i / 512));
    }
    assert_int_equal(ram(f)[3 * 512], 0);
}

static void implied_seek_goes_to_the_cylinder(void **state)
{
    struct fdc *f = with_1440(state);
    program_dma(f, 512, 0x46);
    assert_int_equal(transfer(f, 0xe6, 55, 1, 18, 18), 0x240000);
    assert_chrn(f, 56, 0, 1);
    assert_int_equal(ram(f)[0], byte_of((55 * 2 + 1) * 18 + 17));
    SEND(f, 0x13, 0x00, 0x10, 0x00); /* off: the heads stay */
    program_dma(f, 512, 0x46);
    assert_int_equal(transfer(f, 0xe6, 7, 0, 1, 18), 0x400410);
    seek(f, 7);
    assert_int_equal(transfer(f, 0xe6, 7, 0, 1, 18), 0);
    assert_int_equal(ram(f)[0], byte_of(7 * 36));
}

static void multi_track_goes_on_under_the_other_head(void **state)
{
    struct fdc *f = with_1440(state);
    program_dma(f, 4 * 512, 0x46);
    assert_int_equal(transfer(f, 0xe6, 0, 0, 17, 18) & 0xffff, 0);
    assert_chrn(f, 0, 1, 3);
    assert_int_equal(ram(f)[0], byte_of(16));
    assert_int_equal(ram(f)[3 * 512], byte_of(19));
}

static void eot_past_the_track_goes_on_as_seabios_wants(void **state)
{
    struct fdc *f = with_1440(state);
    program_dma(f, 40 * 512, 0x46);
    assert_int_equal(transfer(f, 0xe6, 0, 0, 10, 49) & 0xc0ffff, 0);
    assert_chrn(f, 1, 0, 14);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(ram(f)[i * 512 + 511], byte_of(9 + i));
    }
}

static void the_end_of_the_cylinder_without_tc_is_an_error(void **state)
{
    struct fdc *f = with_1440(state);
    program_dma(f, 0x8000, 0x46);
    assert_int_equal(transfer(f, 0x66, 0, 0, 17, 18), 0x408000);
    assert_chrn(f, 1, 0, 1);
    program_dma(f, 0x8000, 0x46);
    assert_int_equal(transfer(f, 0xe6, 0, 1, 17, 18), 0x448000);
    assert_chrn(f, 1, 0, 1);
}

static void tc_inside_a_sector_ends_after_it(void **state)
{
    struct fdc *f = with_1440(state);
    program_dma(f, 700, 0x46);
    assert_int_equal(transfer(f, 0xe6, 0, 0, 1, 18), 0);
    assert_chrn(f, 0, 0, 3);
    assert_int_equal(ram(f)[699], byte_of(1));
    assert_int_equal(ram(f)[700], 0);
}

static void sectors_that_are_not_there(void **state)
{
    struct fdc *f = with_1440(state);
    program_dma(f, 512, 0x46);
    assert_int_equal(transfer(f, 0x66, 0, 0, 19, 19), 0x400400); /* ND */
    assert_int_equal(transfer(f, 0x66, 0, 0, 0, 18), 0x400400);
    assert_int_equal(transfer(f, 0x66, 90, 0, 1, 18), 0x400410); /* ND, WC: no such cylinder */
    assert_int_equal(transfer(f, 0x26, 0, 0, 1, 18), 0x400100);  /* FM on an MFM disk */
    SEND(f, 0x66, 0x00, 0, 1, 1, 2, 18, 0x1b, 0xff);             /* H is not the head */
    wait_irq(f);
    result(f);
    assert_int_equal(f->res[1], 0x04);
    SEND(f, 0x66, 0x00, 0, 0, 1, 3, 18, 0x1b, 0xff);             /* 1024-byte sectors */
    wait_irq(f);
    result(f);
    assert_int_equal(f->res[1], 0x04);
}

static void the_wrong_data_rate_finds_no_address_mark(void **state)
{
    struct fdc *f = with_1440(state);
    program_dma(f, 512, 0x46);
    for (unsigned rate = 0; rate < 4; rate++) {
        bench_out8(&f->b, 0x3f7, (uint8_t)rate);
        assert_int_equal(transfer(f, 0x66, 0, 0, 1, 1), rate == RATE_500K ? 0 : 0x400100);
    }
    bench_out8(&f->b, 0x3f4, RATE_500K); /* DSR sets the rate too */
    program_dma(f, 512, 0x46);
    assert_int_equal(transfer(f, 0xe6, 0, 0, 1, 1), 0);
}

static void the_data_rate_after_power_on_is_250k(void **state)
{
    struct fdc *f = *state;
    insert(f, 737280, 0);
    bench_power_on(&f->b);
    bench_out8(&f->b, 0x3f7, RATE_500K);
    bench_power_on(&f->b);
    SEND(f, 0x4a, 0x00);
    wait_irq(f);
    assert_int_equal(result(f), 7);
    assert_int_equal(f->res[0], 0x00);
}

static void read_id_names_the_track(void **state)
{
    struct fdc *f = with_1440(state);
    seek(f, 9);
    SEND(f, 0x4a, 0x04);
    wait_irq(f);
    assert_int_equal(result(f), 7);
    assert_int_equal(f->res[0], 0x04);
    assert_int_equal(f->res[3], 9);
    assert_int_equal(f->res[4], 1);
    assert_in_range(f->res[5], 1, 18);
    assert_int_equal(f->res[6], 2);
}

static void an_empty_drive_has_no_address_marks(void **state)
{
    struct fdc *f = *state;
    bench_power_on(&f->b);
    SEND(f, 0x4a, 0x00);
    wait_irq(f);
    assert_int_equal(result(f), 7);
    assert_int_equal(f->res[0], 0x40);
    assert_int_equal(f->res[1], 0x01);
    program_dma(f, 512, 0x46);
    assert_int_equal(transfer(f, 0xe6, 0, 0, 1, 18), 0x400100);
}

static void write_data_reaches_the_image(void **state)
{
    struct fdc *f = with_1440(state);
    uint8_t back[512];
    memset(ram(f), 0x5a, 700);
    program_dma(f, 700, 0x4a); /* TC inside the second sector: the rest of it is zeros */
    assert_int_equal(transfer(f, 0xc5, 2, 1, 18, 18) & 0xffff, 0x8000); /* end of cylinder first */
    assert_true(block_read(f->block, ((2 * 2 + 1) * 18 + 17) * 512, back, 512, NULL));
    assert_int_equal(back[0], 0x5a);
    program_dma(f, 700, 0x4a);
    assert_int_equal(transfer(f, 0xc5, 2, 0, 1, 18), 0);
    assert_true(block_read(f->block, (2 * 36 + 1) * 512, back, 512, NULL));
    assert_int_equal(back[187], 0x5a);
    assert_int_equal(back[188], 0);
    assert_int_equal(back[511], 0);
}

static void a_read_only_image_is_write_protected(void **state)
{
    struct fdc *f = *state;
    insert(f, 1474560, BLOCK_READ_ONLY);
    bench_power_on(&f->b);
    bench_out8(&f->b, 0x3f7, RATE_500K);
    program_dma(f, 512, 0x4a);
    assert_int_equal(transfer(f, 0xc5, 0, 0, 1, 18), 0x400200);
    assert_int_equal(transfer(f, 0xc9, 0, 0, 1, 18), 0x400200);
}

static void a_boot_sector_alone_is_a_disk(void **state)
{
    struct fdc *f = with_disk(state, 512, RATE_500K);
    assert_int_equal(i82078_cmos_type(&f->chip, 0), FLOPPY_1440K);
    program_dma(f, 1024, 0x46);
    memset(ram(f), 0xcc, 1024);
    assert_int_equal(transfer(f, 0xe6, 0, 0, 1, 18), 0);
    assert_int_equal(ram(f)[511], byte_of(0));
    assert_int_equal(ram(f)[512], 0); /* what is not in the file reads as zeros */
    program_dma(f, 512, 0x4a);
    assert_int_equal(transfer(f, 0xc5, 0, 0, 2, 18), 0x400200); /* and cannot be written */
    program_dma(f, 512, 0x4a);
    assert_int_equal(transfer(f, 0xc5, 0, 0, 1, 18), 0);
    assert_int_equal(f->block->bytes, 512);
}

static void a_masked_dma_channel_is_an_overrun_after_a_revolution(void **state)
{
    struct fdc *f = with_1440(state);
    program_dma(f, 512, 0x46);
    bench_out8(&f->b, 0x0a, 6);
    SEND(f, 0xe6, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    bench_advance(&f->b, 100 * NS_PER_MS);
    assert_int_equal(bench_in8(&f->b, 0x3f4), 0x10);
    assert_int_equal(bench_in8(&f->b, 0x08) & 0x40, 0x40); /* it asks */
    bench_out8(&f->b, 0x3f5, 0x08); /* a byte for a busy chip is lost */
    bench_advance(&f->b, 150 * NS_PER_MS);
    assert_true(f->b.IRQ6.level);
    assert_int_equal(result(f), 7);
    assert_int_equal(f->res[0], 0x40);
    assert_int_equal(f->res[1], 0x10);
    assert_int_equal(bench_in8(&f->b, 0x08) & 0x40, 0);
}

static void without_dma_the_system_moves_the_bytes(void **state)
{
    struct fdc *f = with_1440(state);
    SEND(f, 0x03, 0xaf, 0x03); /* ND */
    SEND(f, 0x46, 0x00, 0, 0, 17, 2, 18, 0x1b, 0xff);
    for (unsigned i = 0; i < 1024; i++) {
        wait_irq(f); /* no FIFO: one interrupt a byte */
        assert_int_equal(bench_in8(&f->b, 0x3f4), 0xf0);
        assert_int_equal(bench_in8(&f->b, 0x3f5), byte_of(16 + i / 512));
    }
    wait_irq(f);
    assert_int_equal(result(f), 7);
    assert_int_equal(f->res[1], 0x80); /* no terminal count, so the end of the cylinder */
    SEND(f, 0x45, 0x00, 0, 0, 18, 2, 18, 0x1b, 0xff);
    for (unsigned i = 0; i < 512; i++) {
        wait_irq(f);
        assert_int_equal(bench_in8(&f->b, 0x3f4), 0xb0);
        bench_out8(&f->b, 0x3f5, 0x77);
    }
    wait_irq(f);
    result(f);
    uint8_t back[512];
    assert_true(block_read(f->block, 17 * 512, back, 512, NULL));
    assert_int_equal(back[511], 0x77);
}

static void format_track_fills_the_sectors(void **state)
{
    struct fdc *f = with_1440(state);
    uint8_t back[512];
    seek(f, 4);
    for (unsigned i = 0; i < 18; i++) {
        const uint8_t id[] = {4, 1, (uint8_t)(i + 1), 2};
        memcpy(ram(f) + 4 * i, id, 4);
    }
    program_dma(f, 18 * 4, 0x4a);
    SEND(f, 0x4d, 0x04, 2, 18, 0x54, 0xf6);
    wait_irq(f);
    assert_int_equal(result(f), 7);
    assert_int_equal(f->res[0], 0x04);
    SEND(f, 0x0e); /* SC is the last EOT */
    result(f);
    assert_int_equal(f->res[6], 18);
    for (unsigned i = 0; i < 20; i++) {
        assert_true(block_read(f->block, (4 * 36 + 17 + i) * 512, back, 512, NULL));
        assert_int_equal(back[300], i >= 1 && i <= 18 ? 0xf6 : byte_of(4 * 36 + 17 + i));
    }
    SEND(f, 0x4d, 0x04, 2, 9, 0x54, 0xf6); /* another layout */
    wait_irq(f);
    result(f);
    assert_int_equal(f->res[1], 0x02);
    static const uint8_t wrong[][4] = {{5, 1, 1, 2}, {4, 0, 1, 2}, {4, 1, 0, 2}, {4, 1, 19, 2},
                                       {4, 1, 1, 3}};
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        memcpy(ram(f), wrong[i], 4);
        program_dma(f, 18 * 4, 0x4a);
        SEND(f, 0x4d, 0x04, 2, 18, 0x54, 0x11);
        wait_irq(f);
        result(f);
        assert_int_equal(f->res[1], 0x02);
    }
    bench_out8(&f->b, 0x3f7, RATE_250K);
    SEND(f, 0x4d, 0x04, 2, 18, 0x54, 0x11); /* another density */
    wait_irq(f);
    result(f);
    assert_int_equal(f->res[1], 0x02);
}

static void terminal_count_ends_a_format(void **state)
{
    struct fdc *f = with_1440(state);
    uint8_t back[512];
    for (unsigned i = 0; i < 18; i++) {
        const uint8_t id[] = {0, 0, (uint8_t)(i + 1), 2};
        memcpy(ram(f) + 4 * i, id, 4);
    }
    program_dma(f, 10, 0x4a); /* two and a half address fields */
    SEND(f, 0x4d, 0x00, 2, 18, 0x54, 0xf6);
    wait_irq(f);
    assert_int_equal(result(f), 7);
    assert_int_equal(f->res[0], 0);
    assert_true(block_read(f->block, 2 * 512, back, 512, NULL));
    assert_int_equal(back[0], byte_of(2));
    program_dma(f, 8, 0x4a);
    SEND(f, 0x4d, 0x00, 2, 18, 0x54, 0xf6);
    wait_irq(f);
    assert_int_equal(result(f), 7);
    assert_int_equal(f->res[0], 0);
}

static void a_disk_taken_out_during_a_transfer_has_no_marks(void **state)
{
    struct fdc *f = with_1440(state);
    SEND(f, 0x03, 0xaf, 0x03);
    SEND(f, 0x45, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    wait_irq(f);
    no_disk(f);
    for (unsigned i = 0; i < 512; i++) {
        bench_out8(&f->b, 0x3f5, 1);
    }
    assert_int_equal(result(f), 7);
    assert_int_equal(f->res[0], 0x40);
    assert_int_equal(f->res[1], 0x01);
}

static void verify_and_read_track_and_deleted_data(void **state)
{
    struct fdc *f = with_1440(state);
    SEND(f, 0x56, 0x80, 0, 0, 1, 2, 18, 0x1b, 5); /* EC: five sectors */
    wait_irq(f);
    assert_int_equal(result(f), 7);
    assert_int_equal(f->res[0], 0);
    assert_chrn(f, 0, 0, 6);
    program_dma(f, 18 * 512, 0x46);
    assert_int_equal(transfer(f, 0x42, 0, 0, 9, 18), 0); /* from the index hole, whatever R says */
    assert_int_equal(ram(f)[0], byte_of(0));
    assert_int_equal(ram(f)[17 * 512], byte_of(17));
    SEND(f, 0x13, 0x00, 0x10, 0x00);
    program_dma(f, 18 * 512, 0x46);
    assert_int_equal(transfer(f, 0x42, 7, 0, 1, 18), 0x0400); /* elsewhere: told, not refused */
    SEND(f, 0x13, 0x00, 0x50, 0x00);
    program_dma(f, 0x8000, 0x46);
    assert_int_equal(transfer(f, 0x42, 0, 0, 1, 30), 0x408000);
    program_dma(f, 1024, 0x46);
    assert_int_equal(transfer(f, 0x4c, 0, 0, 1, 18), 0x40); /* a normal mark: CM, one sector */
    assert_chrn(f, 0, 0, 2);
    assert_int_equal(transfer(f, 0x6c, 0, 0, 1, 18), 0x408040); /* SK: all skipped */
}

static void disks_of_360k_in_a_1200k_drive(void **state)
{
    struct fdc *f = with_disk(state, 368640, RATE_300K);
    assert_int_equal(i82078_cmos_type(&f->chip, 0), FLOPPY_1200K);
    program_dma(f, 512, 0x46); /* implied seek finds the cylinder */
    assert_int_equal(transfer(f, 0xe6, 20, 0, 1, 9) & 0xc0ffff, 0);
    assert_int_equal(ram(f)[0], byte_of(20 * 18));
    SEND(f, 0x13, 0x00, 0x10, 0x00); /* a driver of its own makes two steps a cylinder */
    seek(f, 60);
    program_dma(f, 512, 0x46);
    assert_int_equal(transfer(f, 0xe6, 30, 0, 1, 9), 0);
    assert_int_equal(ram(f)[0], byte_of(30 * 18));
    bench_out8(&f->b, 0x3f7, RATE_250K);
    assert_int_equal(transfer(f, 0xe6, 30, 0, 1, 9), 0x400100);
}

static void disks_of_720k_in_a_1440k_drive(void **state)
{
    struct fdc *f = with_disk(state, 737280, RATE_250K);
    assert_int_equal(i82078_cmos_type(&f->chip, 0), FLOPPY_1440K);
    program_dma(f, 512, 0x46);
    assert_int_equal(transfer(f, 0xe6, 79, 1, 9, 9) & 0xc0ffff, 0);
    assert_int_equal(ram(f)[0], byte_of(1439));
}

static void geometry_follows_size_and_boot_sector(void **state)
{
    struct fdc *f = *state;
    static const struct {
        unsigned kib, cyls, heads, sectors, drive;
    } size[] = {
        {160, 40, 1, 8, 2},  {180, 40, 1, 9, 2},   {320, 40, 2, 8, 2},   {360, 40, 2, 9, 2},
        {720, 80, 2, 9, 4},  {1200, 80, 2, 15, 2}, {1440, 80, 2, 18, 4}, {1680, 80, 2, 21, 4},
        {1722, 82, 2, 21, 4}, {2880, 80, 2, 36, 5}, {100, 80, 2, 18, 4}, {1500, 80, 2, 20, 4},
        {2000, 80, 2, 36, 5},
    };
    struct floppy_media d;
    struct error *err = NULL;
    for (unsigned i = 0; i < ARRAY_SIZE(size); i++) {
        make_image(f, size[i].kib * 1024);
        struct block *b = block_open(f->path, "raw", 0, NULL);
        assert_true(floppy_media_probe(&d, b, NULL));
        assert_int_equal(d.cyls, size[i].cyls);
        assert_int_equal(d.heads, size[i].heads);
        assert_int_equal(d.sectors, size[i].sectors);
        assert_int_equal(floppy_media_drive(&d), size[i].drive);
        block_close(b);
    }
    make_image(f, 3441 * 512); /* the start of a disk of 83 cylinders */
    struct block *b = block_open(f->path, "raw", 0, NULL);
    uint8_t boot[512] = {0xeb, [0x0c] = 2, [0x15] = 0xf0, [0x18] = 21, [0x1a] = 2};
    st16le(boot + 0x13, 83 * 42);
    assert_true(block_write(b, 0, boot, 512, NULL));
    assert_true(floppy_media_probe(&d, b, NULL));
    assert_int_equal(d.cyls, 83);
    st16le(boot + 0x13, 720); /* a boot sector of a smaller disk does not count */
    boot[0x18] = 9;
    assert_true(block_write(b, 0, boot, 512, NULL));
    assert_true(floppy_media_probe(&d, b, NULL));
    assert_int_equal(d.sectors, 21);
    block_close(b);
    make_image(f, 4u << 20);
    b = block_open(f->path, "raw", 0, NULL);
    assert_false(floppy_media_probe(&d, b, &err));
    assert_non_null(strstr(error_text(err), "more than any floppy disk holds"));
    error_free(err);
    block_close(b);
}

static void a_later_disk_must_fit_the_drive(void **state)
{
    struct fdc *f = *state;
    struct error *err = NULL;
    bench_power_on(&f->b);
    assert_int_equal(i82078_cmos_type(&f->chip, 0), FLOPPY_2880K);
    assert_int_equal(i82078_cmos_type(&f->chip, 1), FLOPPY_NONE);
    insert(f, 737280, 0);
    no_disk(f);
    make_image(f, 368640);
    struct block *b = block_open(f->path, "raw", 0, NULL);
    assert_false(i82078_insert(&f->chip, 0, b, &err));
    assert_non_null(strstr(error_text(err), "a disk of 360K does not fit drive A (2.88M)"));
    error_free(err);
    block_close(b);
}

static void a_file_that_fails_gives_a_data_error(void **state)
{
    struct fdc *f = with_1440(state);
    assert_int_equal(truncate(f->path, 512), 0);
    program_dma(f, 1024, 0x46);
    assert_int_equal(transfer(f, 0xe6, 0, 0, 1, 18), 0x402020);
    assert_chrn(f, 0, 0, 2);
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
                                           0x56, 0x6c, 0x13, 0x8e, 0x4e, 0xcf, 0x03, 0x12};
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
        T(read_data_moves_sectors_until_terminal_count),
        T(implied_seek_goes_to_the_cylinder),
        T(multi_track_goes_on_under_the_other_head),
        T(eot_past_the_track_goes_on_as_seabios_wants),
        T(the_end_of_the_cylinder_without_tc_is_an_error),
        T(tc_inside_a_sector_ends_after_it),
        T(sectors_that_are_not_there),
        T(the_wrong_data_rate_finds_no_address_mark),
        T(the_data_rate_after_power_on_is_250k),
        T(read_id_names_the_track),
        T(an_empty_drive_has_no_address_marks),
        T(write_data_reaches_the_image),
        T(a_read_only_image_is_write_protected),
        T(a_boot_sector_alone_is_a_disk),
        T(a_masked_dma_channel_is_an_overrun_after_a_revolution),
        T(without_dma_the_system_moves_the_bytes),
        T(format_track_fills_the_sectors),
        T(terminal_count_ends_a_format),
        T(a_disk_taken_out_during_a_transfer_has_no_marks),
        T(verify_and_read_track_and_deleted_data),
        T(disks_of_360k_in_a_1200k_drive),
        T(disks_of_720k_in_a_1440k_drive),
        T(geometry_follows_size_and_boot_sector),
        T(a_later_disk_must_fit_the_drive),
        T(a_file_that_fails_gives_a_data_error),
        T(reset_and_state_are_whole),
        T(a_reset_gives_the_state_of_power_on),
        T(a_nonsense_state_does_no_harm),
        T(random_accesses_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
