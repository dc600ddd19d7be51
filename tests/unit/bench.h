/*
 * The bench of all chip tests: a machine without board and vCPU whose virtual clock moves only by
 * hand, port accesses, and probes that record the edges of a wire.
 *
 *     bench_init(&b);  chip_init(&chip, &b.m, 0x40, &b.probe[0].irq);  bench_power_on(&b);
 *     bench_out8(&b, 0x43, 0x34);  bench_advance(&b, 1000);  bench_fini(&b);
 *
 * A test program includes <cmocka.h> and what that needs before this file.
 */
#ifndef TESTS_UNIT_BENCH_H
#define TESTS_UNIT_BENCH_H

#include "core/base/bits.h"
#include "core/device/machine.h"

#include <stdio.h>
#include <string.h>

#define BENCH_PROBES  16
#define BENCH_EDGES   256
#define BENCH_WALL_NS (1577934245ll * NS_PER_SEC) /* Thursday 2020-01-02 03:04:05 UTC */

struct bench_edge {
    int64_t at_ns;
    bool level;
};

/* A wire's end. Give &probe.irq to a chip; repeated levels are not recorded. */
struct bench_probe {
    struct irq irq;
    struct bench *bench;
    bool level;
    unsigned n; /* edges seen; the first BENCH_EDGES are kept */
    unsigned rises;
    struct bench_edge edge[BENCH_EDGES];
};

struct bench {
    struct machine m;
    struct bench_probe probe[BENCH_PROBES];
    uint32_t random; /* of bench_random */
};

static inline void bench_probe_set(void *opaque, unsigned n, bool level)
{
    struct bench_probe *p = opaque;
    if (level == p->level) {
        return;
    }
    p->level = level;
    p->rises += level;
    if (p->n < BENCH_EDGES) {
        p->edge[p->n] = (struct bench_edge){clock_now(&p->bench->m.clock), level};
    }
    p->n++;
}

static inline void bench_probe_clear(struct bench_probe *p)
{
    p->n = p->rises = 0;
}

/* A machine with 1 MiB of RAM at time 0. */
static inline void bench_init(struct bench *b)
{
    struct error *err = NULL;
    memset(b, 0, sizeof(*b));
    if (!machine_init(&b->m, CLOCK_VIRTUAL, BENCH_WALL_NS, &err) ||
        !machine_ram_init(&b->m, MiB, MACHINE_LOW_MAX, &err)) {
        fail_msg("%s", error_text(err));
    }
    machine_map_ram(&b->m);
    for (unsigned i = 0; i < BENCH_PROBES; i++) {
        b->probe[i].bench = b;
        irq_init(&b->probe[i].irq, bench_probe_set, &b->probe[i], i);
    }
    b->random = 1;
}

static inline void bench_fini(struct bench *b)
{
    machine_fini(&b->m);
}

static inline void bench_reset(struct bench *b)
{
    for (struct device *d = b->m.devices; d != NULL; d = d->next) {
        if (d->type->reset != NULL) {
            d->type->reset(d->dev);
        }
    }
    machine_commit(&b->m);
}

/* What a machine does once its board is built. */
static inline void bench_power_on(struct bench *b)
{
    machine_commit(&b->m);
    bench_reset(b);
}

static inline int64_t bench_now(struct bench *b)
{
    return clock_now(&b->m.clock);
}

/* Moves time to @at_ns and runs what falls due on the way, each timer at its own deadline. */
static inline void bench_advance_to(struct bench *b, int64_t at_ns)
{
    struct clock *c = &b->m.clock;
    unsigned in_a_row = 0;
    while (clock_deadline(c) <= at_ns) {
        int64_t wait = clock_deadline(c) - clock_now(c);
        in_a_row = wait > 1 ? 0 : in_a_row + 1;
        if (in_a_row > 1000) {
            fail_msg("a timer is armed again and again at %lld ns", (long long)clock_now(c));
        }
        if (wait > 0) {
            clock_advance(c, wait);
        }
        clock_run_timers(c);
    }
    if (at_ns > clock_now(c)) {
        clock_advance(c, at_ns - clock_now(c));
    }
}

static inline void bench_advance(struct bench *b, int64_t ns)
{
    bench_advance_to(b, bench_now(b) + ns);
}

#define BENCH_PORT_ACCESS(bits)                                                                    \
    static inline uint##bits##_t bench_in##bits(struct bench *b, uint16_t port)                    \
    {                                                                                              \
        uint64_t val = space_read(&b->m.ports, port, bits / 8);                                    \
        machine_commit(&b->m);                                                                     \
        return (uint##bits##_t)val;                                                                \
    }                                                                                              \
    static inline void bench_out##bits(struct bench *b, uint16_t port, uint##bits##_t val)         \
    {                                                                                              \
        space_write(&b->m.ports, port, val, bits / 8);                                             \
        machine_commit(&b->m);                                                                     \
    }
BENCH_PORT_ACCESS(8)
BENCH_PORT_ACCESS(16)
BENCH_PORT_ACCESS(32)
#undef BENCH_PORT_ACCESS

/* The same sequence in every run: xorshift32. */
static inline uint32_t bench_random(struct bench *b)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 17;
    b->random ^= b->random << 5;
    return b->random;
}

static inline void bench_save(struct bench *b, const struct device *d, struct state_buf *out)
{
    memset(out, 0, sizeof(*out));
    if (d->type->state != NULL) {
        state_save(out, d->type->state, d->dev, &b->m.clock);
    }
}

/* Fails if two saved states differ. Fields that survive a reset count only if @kept. */
static inline void bench_assert_same(const struct device *d, const struct state_buf *a,
                                     const struct state_buf *now, bool kept, const char *what)
{
    if (d->type->state == NULL) {
        return;
    }
    assert_int_equal(a->len, now->len);
    const char *field = state_differs(d->type->state, a->data, now->data, kept);
    if (field != NULL) {
        fail_msg("%s: %s: %s differs", d->id, what, field);
    }
}

/* Reset twice is reset once, also some time later. */
static inline void bench_check_reset(struct bench *b)
{
    for (struct device *d = b->m.devices; d != NULL; d = d->next) {
        struct state_buf once, twice;
        bench_reset(b);
        bench_save(b, d, &once);
        bench_advance(b, 12345678);
        bench_reset(b);
        bench_save(b, d, &twice);
        bench_assert_same(d, &once, &twice, false, "a second reset changes state");
        state_buf_free(&once);
        state_buf_free(&twice);
    }
}

/* Every device: save, disturb by a reset, load, save gives the same bytes. */
static inline void bench_check_state(struct bench *b)
{
    for (struct device *d = b->m.devices; d != NULL; d = d->next) {
        struct state_buf before, after;
        struct error *err = NULL;
        size_t used = 0;
        if (d->type->state == NULL) {
            continue;
        }
        bench_save(b, d, &before);
        d->type->reset(d->dev);
        if (!state_load(d->type->state, d->dev, &b->m.clock, before.data, before.len, &used,
                        &err)) {
            fail_msg("%s: load: %s", d->id, error_text(err));
        }
        if (d->type->loaded != NULL) {
            d->type->loaded(d->dev);
        }
        bench_save(b, d, &after);
        assert_int_equal(used, before.len);
        bench_assert_same(d, &before, &after, true, "save, load, save");
        assert_memory_equal(before.data, after.data, before.len);
        state_buf_free(&before);
        state_buf_free(&after);
    }
}

/* @n random port accesses of 1, 2 and 4 bytes in [@base, @base + @ports), time passing up to
 * @step_ns between two. That nothing crashes or hangs is the test. */
static inline void bench_fuzz_ports(struct bench *b, uint16_t base, unsigned ports, unsigned n,
                                    unsigned step_ns)
{
    for (unsigned i = 0; i < n; i++) {
        uint32_t r = bench_random(b);
        uint16_t port = (uint16_t)(base + (r >> 8) % ports);
        uint32_t val = bench_random(b);
        switch (r & 15) {
        case 0:
            bench_in16(b, port);
            break;
        case 1:
            bench_out16(b, port, (uint16_t)val);
            break;
        case 2:
            bench_in32(b, port);
            break;
        case 3:
            bench_out32(b, port, val);
            break;
        case 4 ... 8:
            bench_in8(b, port);
            break;
        default:
            bench_out8(b, port, (uint8_t)val);
            break;
        }
        if (step_ns != 0 && (val >> 28) == 0) {
            bench_advance(b, bench_random(b) % step_ns);
        }
    }
}

#endif
