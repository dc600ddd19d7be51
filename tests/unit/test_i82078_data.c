/* hw/chips/i82078_data and floppy_media, from [82078] "Data Transfer Commands". */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fdc_bench.h"

#include "core/base/bytes.h"

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

/* [82078] "Skip Bit vs READ DATA Command" and "... vs READ DELETED DATA Command". */
static void deleted_data_marks_last_while_the_disk_is_in(void **state)
{
    struct fdc *f = with_1440(state);
    program_dma(f, 512, 0x4a);
    memset(ram(f), 0xdd, 512);
    assert_int_equal(transfer(f, 0x49, 0, 0, 2, 18), 0); /* WRITE DELETED DATA */
    program_dma(f, 1024, 0x46);
    assert_int_equal(transfer(f, 0x46, 0, 0, 1, 18), 0x40); /* SK 0: read, CM, the last one */
    assert_chrn(f, 0, 0, 3);
    assert_int_equal(ram(f)[512], 0xdd);
    program_dma(f, 1024, 0x46);
    assert_int_equal(transfer(f, 0x66, 0, 0, 1, 18), 0x40); /* SK 1: sectors 1 and 3 */
    assert_chrn(f, 0, 0, 4);
    assert_int_equal(ram(f)[512], byte_of(2));
    program_dma(f, 512, 0x46);
    assert_int_equal(transfer(f, 0x6c, 0, 0, 1, 18), 0x40); /* READ DELETED DATA skips sector 1 */
    assert_int_equal(ram(f)[0], 0xdd);
    program_dma(f, 512, 0x46);
    assert_int_equal(transfer(f, 0x4c, 0, 0, 2, 18), 0); /* at the sector itself: no CM */
    program_dma(f, 512, 0x4a);
    assert_int_equal(transfer(f, 0x45, 0, 0, 2, 18), 0); /* WRITE DATA makes it normal again */
    program_dma(f, 512, 0x46);
    assert_int_equal(transfer(f, 0x46, 0, 0, 2, 18), 0);
    program_dma(f, 512, 0x4a);
    assert_int_equal(transfer(f, 0x49, 0, 0, 2, 18), 0);
    bench_reset(&f->b); /* the mark is the disk's */
    bench_out8(&f->b, 0x3f7, RATE_500K);
    bench_out8(&f->b, 0xd6, 0xc0);
    bench_out8(&f->b, 0xd4, 0);
    program_dma(f, 512, 0x46);
    assert_int_equal(transfer(f, 0x46, 0, 0, 2, 18), 0x40);
    no_disk(f);
    insert(f, 1474560, 0); /* another disk */
    program_dma(f, 512, 0x46);
    assert_int_equal(transfer(f, 0x46, 0, 0, 2, 18), 0);
}

/* [8272] "Scan Commands": SH is equality, SN that nothing met the condition. */
static void scan_compares_the_disk_with_the_system(void **state)
{
    enum { EQUAL = 0x51, LOW = 0x59, HIGH = 0x5d, SH = 0x08, SN = 0x04 };
    struct fdc *f = with_1440(state);
    static const struct {
        uint8_t op, byte, st2, r; /* byte: of the system's sectors; R after the command */
    } scan[] = {
        {EQUAL, 0, SH, 1}, {LOW, 0, SH, 1}, {HIGH, 0, SH, 1},        /* 0: what the disk has */
        {EQUAL, 0x41, SN, 1}, {LOW, 0x41, 0, 1}, {HIGH, 0x41, 0, 11}, /* the disk: 1, 8, 15 .. 71 */
        {EQUAL, 0xff, SH, 1},                                         /* FFh matches all */
        {HIGH, 0xfe, SN, 1},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(scan); i++) {
        for (unsigned k = 0; k < 18 * 512; k++) {
            ram(f)[k] = scan[i].byte != 0 ? scan[i].byte : byte_of(k / 512);
        }
        program_dma(f, 0x8000, 0x4a);
        SEND(f, scan[i].op, 0x00, 0, 0, 1, 2, 18, 0x1b, 1);
        wait_irq(f);
        assert_int_equal(result(f), 7);
        assert_int_equal(f->res[0], 0);
        assert_int_equal(f->res[2], scan[i].st2);
        assert_int_equal(f->res[5], scan[i].r);
    }
    uint8_t back[512]; /* the disk is only read */
    assert_true(block_read(f->block, 0, back, 512, NULL));
    assert_int_equal(back[0], byte_of(0));
}

static void scan_with_step_2_takes_every_second_sector(void **state)
{
    struct fdc *f = with_1440(state);
    memset(ram(f), byte_of(1), 18 * 512); /* what sector 2 holds */
    program_dma(f, 0x8000, 0x4a);
    SEND(f, 0x51, 0x00, 0, 0, 1, 2, 18, 0x1b, 2);
    wait_irq(f);
    result(f);
    assert_int_equal(f->res[2], 0x04); /* 1, 3 ... 17 */
    program_dma(f, 0x8000, 0x4a);
    SEND(f, 0x51, 0x00, 0, 0, 2, 2, 18, 0x1b, 2);
    wait_irq(f);
    result(f);
    assert_int_equal(f->res[2], 0x08);
}

/* A saved state in which the image is being read or written goes on from there. */
static void a_load_starts_the_image_access_again(void **state)
{
    struct fdc *f = with_1440(state);
    for (unsigned write = 0; write < 2; write++) {
        memset(ram(f), 0x99, 512);
        program_dma(f, 512, write ? 0x4a : 0x46);
        SEND(f, write ? 0xc5 : 0xe6, 0x00, 0, 0, 5, 2, 18, 0x1b, 0xff);
        bench_advance(&f->b, 22 * NS_PER_US);
        assert_true(f->chip.io.pending);
        bench_check_state(&f->b);
        assert_true(f->chip.io.pending);
        wait_irq(f);
        assert_int_equal(result(f), 7);
        assert_int_equal(f->res[0], 0);
        assert_int_equal(ram(f)[0], write ? 0x99 : byte_of(4));
    }
    uint8_t back[512];
    assert_true(block_read(f->block, 4 * 512, back, 512, NULL));
    assert_int_equal(back[0], 0x99);
}

static void a_reset_and_an_eject_wait_for_the_image(void **state)
{
    struct fdc *f = with_1440(state);
    program_dma(f, 512, 0x46);
    SEND(f, 0xe6, 0x00, 0, 0, 5, 2, 18, 0x1b, 0xff);
    bench_advance(&f->b, 22 * NS_PER_US);
    assert_true(f->chip.io.pending);
    bench_out8(&f->b, 0x3f2, 0x18);
    assert_false(f->chip.io.pending);
    bench_out8(&f->b, 0x3f2, 0x1c);
    wait_irq(f);
    sense(f);
    SEND(f, 0xe6, 0x00, 0, 0, 5, 2, 18, 0x1b, 0xff);
    bench_advance(&f->b, 22 * NS_PER_US);
    assert_true(f->chip.io.pending);
    no_disk(f); /* the sector that passed is read to its end */
    wait_irq(f);
    assert_int_equal(result(f), 7);
    assert_int_equal(f->res[0], 0);
    assert_int_equal(ram(f)[0], byte_of(4));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_empty, teardown)
    const struct CMUnitTest tests[] = {
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
        T(deleted_data_marks_last_while_the_disk_is_in),
        T(scan_compares_the_disk_with_the_system),
        T(scan_with_step_2_takes_every_second_sector),
        T(a_load_starts_the_image_access_again),
        T(a_reset_and_an_eject_wait_for_the_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
