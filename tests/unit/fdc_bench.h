/*
 * What the tests of the floppy controller share: a chip with its DMA controller and an image file,
 * and a driver's side of commands. Includes bench.h; a test program includes <cmocka.h> and what
 * that needs before.
 */
#ifndef TESTS_UNIT_FDC_BENCH_H
#define TESTS_UNIT_FDC_BENCH_H

#include "bench.h"

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

static inline void no_disk(struct fdc *f)
{
    if (f->block != NULL) {
        i82078_eject(&f->chip, 0);
        block_close(f->block);
        f->block = NULL;
    }
}

static inline uint8_t byte_of(unsigned lba)
{
    return (uint8_t)(lba * 7 + lba / 256 + 1);
}

/* An image in which every byte of sector n is byte_of(n). */
static inline void make_image(struct fdc *f, size_t bytes)
{
    FILE *img = fopen(f->path, "w");
    assert_non_null(img);
    for (size_t i = 0; i < bytes; i++) {
        fputc(byte_of((unsigned)(i / 512)), img);
    }
    fclose(img);
}

static inline void insert(struct fdc *f, size_t bytes, unsigned flags)
{
    struct error *err = NULL;
    make_image(f, bytes);
    f->block = block_open(f->path, "raw", flags, &err);
    assert_non_null(f->block);
    assert_true(i82078_insert(&f->chip, 0, f->block, &err));
}

static inline int setup_empty(void **state)
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

static inline int teardown(void **state)
{
    struct fdc *f = *state;
    no_disk(f);
    bench_fini(&f->b);
    unlink(f->path);
    free(f);
    return 0;
}

static inline void send(struct fdc *f, unsigned n, const uint8_t *cmd)
{
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(bench_in8(&f->b, 0x3f4) & 0xc0, 0x80);
        bench_out8(&f->b, 0x3f5, cmd[i]);
    }
}
#define SEND(f, ...) send(f, sizeof((uint8_t[]){__VA_ARGS__}), (uint8_t[]){__VA_ARGS__})

/* Reads the whole result; the number of its bytes. */
static inline unsigned result(struct fdc *f)
{
    unsigned n = 0;
    while ((bench_in8(&f->b, 0x3f4) & 0xd0) == 0xd0) {
        assert_true(n < sizeof(f->res));
        f->res[n++] = bench_in8(&f->b, 0x3f5);
    }
    return n;
}

static inline void wait_irq(struct fdc *f)
{
    for (unsigned i = 0; i < 1000 && !f->b.IRQ6.level; i++) {
        bench_advance(&f->b, 100 * NS_PER_US);
    }
    assert_true(f->b.IRQ6.level);
}

/* SENSE INTERRUPT STATUS; ST0 << 8 | PCN. */
static inline unsigned sense(struct fdc *f)
{
    SEND(f, 0x08);
    return result(f) == 2 ? (unsigned)f->res[0] << 8 | f->res[1] : f->res[0];
}

static inline void recalibrate(struct fdc *f)
{
    SEND(f, 0x07, 0x00);
    wait_irq(f);
    assert_int_equal(sense(f), 0x2000);
}

static inline void seek(struct fdc *f, uint8_t cyl)
{
    SEND(f, 0x0f, 0x00, cyl);
    wait_irq(f);
    assert_int_equal(sense(f), 0x2000 | cyl);
}

/* Channel 2 at RAM for @bytes; @mode 46h to memory, 4Ah from memory. */
static inline void program_dma(struct fdc *f, unsigned bytes, uint8_t mode)
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

static inline uint8_t *ram(struct fdc *f)
{
    return ram_host(&f->b.m.ram_low) + RAM;
}

/* Powers on with a disk of @bytes at @rate; cascade open. */
static inline struct fdc *with_disk(void **state, size_t bytes, unsigned rate)
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

static inline struct fdc *with_1440(void **state)
{
    return with_disk(state, 1474560, RATE_500K);
}

/* @op with MT, MFM as given, at C/H/R up to @eot. ST0 << 16 | ST1 << 8 | ST2. */
static inline unsigned transfer(struct fdc *f, uint8_t op, uint8_t c, uint8_t h, uint8_t r,
                                uint8_t eot)
{
    SEND(f, op, (uint8_t)(h << 2), c, h, r, 2, eot, 0x1b, 0xff);
    wait_irq(f);
    assert_int_equal(result(f), 7);
    assert_false(f->b.IRQ6.level);
    return (unsigned)f->res[0] << 16 | (unsigned)f->res[1] << 8 | f->res[2];
}

static inline void assert_chrn(struct fdc *f, uint8_t c, uint8_t h, uint8_t r)
{
    const uint8_t expect[] = {c, h, r, 2};
    assert_memory_equal(f->res + 3, expect, 4);
}

#endif
