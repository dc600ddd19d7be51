/*
 * What the tests of IDE parts share: images in memory that can fail, and a host's side of the ATA
 * protocols. Includes bench.h; a test program includes <cmocka.h> and what that needs before.
 */
#ifndef TESTS_UNIT_IDE_BENCH_H
#define TESTS_UNIT_IDE_BENCH_H

#include "bench.h"

#include "core/base/bytes.h"
#include "core/block/drivers.h"
#include "hw/ata/ata_disk.h"
#include "hw/ata/atapi.h"

#include <pthread.h>
#include <stdlib.h>

/* An image: stored bytes, or (data NULL) a large one whose sectors hold their own number. */
struct image {
    struct block block;
    uint8_t *data;
    bool fail_reads, fail_writes, fail_flushes;
    pthread_mutex_t *gate;   /* NULL, or who holds it keeps reads waiting */
    unsigned reads, writes, flushes;
};

static bool image_read(struct block *b, uint64_t off, void *buf, size_t len, struct error **err)
{
    struct image *im = container_of(b, struct image, block);
    im->reads++;
    if (im->gate != NULL) {
        pthread_mutex_lock(im->gate);
        pthread_mutex_unlock(im->gate);
    }
    if (im->fail_reads) {
        return error_set(err, "read: this image fails");
    }
    if (im->data != NULL) {
        memcpy(buf, im->data + off, len);
        return true;
    }
    memset(buf, 0, len);
    for (size_t at = 0; at + 8 <= len; at += 512) {
        st64le((uint8_t *)buf + at, (off + at) / 512);
    }
    return true;
}

static bool image_write(struct block *b, uint64_t off, const void *buf, size_t len,
                        struct error **err)
{
    struct image *im = container_of(b, struct image, block);
    im->writes++;
    if (im->fail_writes) {
        return error_set(err, "write: this image fails");
    }
    if (im->data != NULL) {
        memcpy(im->data + off, buf, len);
    }
    return true;
}

static bool image_flush(struct block *b, struct error **err)
{
    struct image *im = container_of(b, struct image, block);
    im->flushes++;
    return !im->fail_flushes || error_set(err, "flush: this image fails");
}

static void image_close(struct block *b)
{
}

static const struct block_ops image_ops = {
    .name = "test", .read = image_read, .write = image_write, .flush = image_flush,
    .close = image_close,
};

/* Byte i of the stored image is i * 7 + i / 512. */
static inline void image_init(struct image *im, uint64_t bytes, bool stored)
{
    static char path[] = "test.img";
    *im = (struct image){.block = {.ops = &image_ops, .path = path, .bytes = bytes}};
    if (stored) {
        im->data = malloc(bytes);
        for (uint64_t i = 0; i < bytes; i++) {
            im->data[i] = (uint8_t)(i * 7 + i / 512);
        }
    }
}

static inline void image_fini(struct image *im)
{
    block_worker_stop(&im->block);
    free(im->data);
}

/* ---- a host ---- */

enum { CMD = 0x1f0, CTL = 0x3f6 };

enum { BSY = 0x80, DRDY = 0x40, DSC = 0x10, DRQ = 0x08, ERR = 0x01 };

static inline void channel_reset(void *dev)
{
    ata_channel_reset(dev);
}

/* A channel without controller, whose interrupt is on probe 0. */
static inline void add_channel(struct bench *b, struct ata_channel *c)
{
    static const struct device_type type = {
        .name = "channel", .version = 1, .reset = channel_reset, .state = ata_channel_state,
    };
    ata_channel_init(c, &b->m, "ide0", "ide0-control", &b->probe[0].irq, NULL, NULL);
    region_map(&b->m.ports.root, &c->command, CMD, 0);
    region_map(&b->m.ports.root, &c->control, CTL, 0);
    machine_add(&b->m, &type, "channel", c);
}

static inline uint8_t alt_status(struct bench *b)
{
    return bench_in8(b, CTL);
}

static inline uint8_t status(struct bench *b)
{
    return bench_in8(b, CMD + 7);
}

/* Writes the task file and the command. @device has LBA, DEV and head bits. */
static inline void issue(struct bench *b, uint8_t cmd, uint8_t device, uint8_t count, uint32_t lba)
{
    bench_out8(b, CMD + 6, (uint8_t)(0xa0 | device | (lba >> 24 & 15)));
    bench_out8(b, CMD + 2, count);
    bench_out8(b, CMD + 3, (uint8_t)lba);
    bench_out8(b, CMD + 4, (uint8_t)(lba >> 8));
    bench_out8(b, CMD + 5, (uint8_t)(lba >> 16));
    bench_out8(b, CMD + 7, cmd);
}

static inline void issue_ext(struct bench *b, uint8_t cmd, uint8_t device, uint16_t count,
                             uint64_t lba)
{
    bench_out8(b, CMD + 6, (uint8_t)(0xe0 | device));
    bench_out8(b, CMD + 2, (uint8_t)(count >> 8));
    bench_out8(b, CMD + 3, (uint8_t)(lba >> 24));
    bench_out8(b, CMD + 4, (uint8_t)(lba >> 32));
    bench_out8(b, CMD + 5, (uint8_t)(lba >> 40));
    bench_out8(b, CMD + 2, (uint8_t)count);
    bench_out8(b, CMD + 3, (uint8_t)lba);
    bench_out8(b, CMD + 4, (uint8_t)(lba >> 8));
    bench_out8(b, CMD + 5, (uint8_t)(lba >> 16));
    bench_out8(b, CMD + 7, cmd);
}

/* Lets time pass until BSY is clear; gives the status, which it reads like a driver. */
static inline uint8_t wait_ready(struct bench *b)
{
    for (unsigned i = 0; (alt_status(b) & BSY) && i < 10000; i++) {
        bench_advance(b, 10 * NS_PER_US);
    }
    assert_false(alt_status(b) & BSY);
    return status(b);
}

static inline void take_words(struct bench *b, void *to, unsigned words)
{
    for (unsigned i = 0; i < words; i++) {
        st16le((uint8_t *)to + 2 * i, bench_in16(b, CMD));
    }
}

static inline void give_words(struct bench *b, const void *from, unsigned words)
{
    for (unsigned i = 0; i < words; i++) {
        bench_out16(b, CMD, ld16le((const uint8_t *)from + 2 * i));
    }
}

/* Takes what PIO offers, up to @max bytes in blocks of @block; returns how many bytes came. */
static inline unsigned take_all(struct bench *b, uint8_t *to, unsigned max, unsigned block)
{
    unsigned n = 0;
    while ((wait_ready(b) & (DRQ | ERR)) == DRQ && n + block <= max) {
        take_words(b, to + n, block / 2);
        n += block;
    }
    return n;
}

/* A device's state in random bytes, loaded where the load does not refuse them. */
static inline void load_random_state(struct bench *b, const struct device *d)
{
    struct state_buf s;
    size_t used;
    bench_save(b, d, &s);
    for (unsigned i = 0, n = 1 + bench_random(b) % 40; i < n; i++) {
        size_t at = bench_random(b) % (bench_random(b) % 2 == 0 ? s.len : min_u64(s.len, 64));
        bool from_end = bench_random(b) % 3 == 0; /* registers lie at both ends, buffers between */
        s.data[from_end ? s.len - 1 - at % 64 % s.len : at] = (uint8_t)bench_random(b);
    }
    if (state_load(d->type->state, d->dev, &b->m.clock, s.data, s.len, &used, NULL) &&
        d->type->loaded != NULL) {
        d->type->loaded(d->dev);
    } else {
        d->type->reset(d->dev);
    }
    state_buf_free(&s);
}

#endif
