/*
 * What the tests of ATA disks share: a channel at 1F0h with up to two disks. Includes ide_bench.h;
 * a test program includes <cmocka.h> and what that needs before.
 */
#ifndef TESTS_UNIT_ATA_BENCH_H
#define TESTS_UNIT_ATA_BENCH_H

#include "ide_bench.h"

#define SECTORS 2000u

struct ata_bench {
    struct bench b;
    struct ata_channel ch;
    struct image image[2];
    struct ata_disk *disk[2];
};

static inline void add_disk(struct ata_bench *t, unsigned unit, uint64_t bytes, bool stored)
{
    struct error *err = NULL;
    image_init(&t->image[unit], bytes, stored);
    t->disk[unit] = machine_alloc(&t->b.m, sizeof(*t->disk[unit]));
    if (!ata_disk_init(t->disk[unit], &t->ch, unit, &t->image[unit].block, unit + 1,
                       unit == 0 ? "ide0.0" : "ide0.1", &err)) {
        fail_msg("%s", error_text(err));
    }
}

static inline struct ata_bench *bench_new(void)
{
    struct ata_bench *t = calloc(1, sizeof(*t));
    bench_init(&t->b);
    add_channel(&t->b, &t->ch);
    return t;
}

static inline int setup(void **state)
{
    struct ata_bench *t = bench_new();
    add_disk(t, 0, SECTORS * 512, true);
    bench_power_on(&t->b);
    *state = t;
    return 0;
}

static inline int setup_two(void **state)
{
    struct ata_bench *t = bench_new();
    add_disk(t, 0, SECTORS * 512, true);
    add_disk(t, 1, 300ull << 30, false);
    bench_power_on(&t->b);
    *state = t;
    return 0;
}

static inline int setup_empty(void **state)
{
    struct ata_bench *t = bench_new();
    bench_power_on(&t->b);
    *state = t;
    return 0;
}

static inline int teardown(void **state)
{
    struct ata_bench *t = *state;
    bench_fini(&t->b);
    image_fini(&t->image[0]);
    image_fini(&t->image[1]);
    free(t);
    return 0;
}

static inline bool intrq(struct ata_bench *t)
{
    return t->b.probe[0].level;
}

#define CASE(f)       cmocka_unit_test_setup_teardown(f, setup, teardown)
#define CASE_TWO(f)   cmocka_unit_test_setup_teardown(f, setup_two, teardown)
#define CASE_EMPTY(f) cmocka_unit_test_setup_teardown(f, setup_empty, teardown)

#endif
