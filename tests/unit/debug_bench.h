/*
 * The bench of the monitor tests: a machine with 1 MiB of RAM whose one vCPU stands still, a
 * keyboard and a screen that are written down, a drive, and a character device that remembers what
 * it was given.
 *
 * A test program includes <cmocka.h> and what that needs before this file.
 */
#ifndef TESTS_UNIT_DEBUG_BENCH_H
#define TESTS_UNIT_DEBUG_BENCH_H

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/block/block.h"
#include "core/cpu/cpuid.h"
#include "core/debug/command.h"
#include "core/debug/debug.h"
#include "core/ui/input.h"
#include "core/ui/surface.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct debug_bench {
    struct machine m;
    struct x86_state state; /* of the vCPU */
    struct debug *debug;
    struct monitor monitor; /* for command_line */
    struct chardev line;    /* for hmp_new and qmp_new */
    struct text sent;       /* what was written to it */
    struct text answer;     /* of debug_bench_say */
    char keys[200];         /* "+1e -1e ": key events */
    bool has_text;
    struct keyboard_sink keyboard;
    struct display_source display;
    void (*on_idle)(void *opaque);
    void *on_idle_opaque;
    struct media_slot slot;
    struct block *medium;
    unsigned changes; /* of the medium */
    bool slot_locked;
    unsigned pressed; /* the power button */
};

static struct debug_bench bench_; /* the accelerator finds its state here */

static inline bool bench_vcpu_init(struct vcpu *cpu, struct error **err)
{
    return true;
}

static inline void bench_vcpu_fini(struct vcpu *cpu)
{
}

static inline void bench_run(struct vcpu *cpu, struct vcpu_exit *exit)
{
    exit->reason = EXIT_HALT; /* the processor is idle */
}

static inline void bench_kick(struct vcpu *cpu)
{
}

static inline uint64_t bench_icount(struct vcpu *cpu)
{
    return 0;
}

static inline void bench_get(struct vcpu *cpu, struct x86_state *out)
{
    *out = bench_.state;
}

static inline void bench_set(struct vcpu *cpu, const struct x86_state *in)
{
    bench_.state = *in;
}

static const struct accel bench_accel = {
    .name = "bench",
    .counts_insns = true,
    .vcpu_init = bench_vcpu_init,
    .vcpu_fini = bench_vcpu_fini,
    .run = bench_run,
    .kick = bench_kick,
    .icount = bench_icount,
    .get_state = bench_get,
    .set_state = bench_set,
};

static inline void bench_key(void *dev, unsigned key, bool down)
{
    struct debug_bench *b = dev;
    size_t at = strlen(b->keys);
    snprintf(b->keys + at, sizeof(b->keys) - at, "%c%02x ", down ? '+' : '-', key);
}

static inline bool bench_key_idle(void *dev)
{
    return true;
}

static inline bool bench_text(void *dev, struct text_screen *out)
{
    struct debug_bench *b = dev;
    *out = (struct text_screen){.cols = 4, .rows = 2};
    for (unsigned i = 0; i < 8; i++) {
        out->cells[i / 4][i % 4] = (struct text_cell){(uint8_t)("A:\\>ab  "[i]), 7};
    }
    return b->has_text;
}

static inline void bench_render(void *dev, struct surface *out)
{
    surface_resize(out, 2, 1);
    out->pixels[0] = 0xff0000;
    out->pixels[1] = 0x0000ff;
}

static inline bool bench_change(void *dev, unsigned n, struct block *medium, struct error **err)
{
    struct debug_bench *b = dev;
    b->changes++;
    return true;
}

static inline bool bench_slot_locked(void *dev, unsigned n)
{
    return ((struct debug_bench *)dev)->slot_locked;
}

static inline void bench_power(void *dev)
{
    ((struct debug_bench *)dev)->pressed++;
}

static inline void bench_sent(struct chardev *c, const uint8_t *buf, size_t len)
{
    text_add(&bench_.sent, (const char *)buf, len);
}

static inline void bench_line_fini(struct chardev *c)
{
}

static const struct chardev_ops bench_line_ops = {.write = bench_sent, .fini = bench_line_fini};

static inline void bench_monitor_fini(struct monitor *m)
{
}

static const struct monitor_ops bench_monitor_ops = {.fini = bench_monitor_fini};

static inline struct debug_bench *debug_bench_init(void)
{
    struct debug_bench *b = &bench_;
    struct debug_identity id = {.version = "coldboot test", .name = "box", .display = "none"};
    memset(b, 0, sizeof(*b));
    memset(id.uuid, 0x5a, sizeof(id.uuid));
    assert_true(machine_init(&b->m, CLOCK_HOST_DRIVEN, 0, NULL));
    assert_true(machine_ram_init(&b->m, MiB, MACHINE_LOW_MAX, NULL));
    machine_map_ram(&b->m);
    b->m.accel = &bench_accel;
    b->m.cpu_model = x86_model_default();
    assert_non_null(vcpu_new(&b->m, NULL));
    lock_take(&b->m.lock);
    machine_reset(&b->m);
    b->keyboard = (struct keyboard_sink){
        .key = bench_key,
        .idle = bench_key_idle,
        .on_idle = &b->on_idle,
        .on_idle_opaque = &b->on_idle_opaque,
        .dev = b,
    };
    b->display = (struct display_source){.text = bench_text, .render = bench_render, .dev = b};
    b->has_text = true;
    b->m.keyboard = &b->keyboard;
    b->m.display = &b->display;
    b->slot = (struct media_slot){
        .id = "floppy0",
        .kind = "floppy",
        .device = "bench",
        .removable = true,
        .medium = &b->medium,
        .change = bench_change,
        .locked = bench_slot_locked,
        .dev = b,
    };
    machine_add_slot(&b->m, &b->slot);
    b->m.board.power_button = bench_power;
    b->m.board.dev = b;
    b->debug = debug_new(&b->m, &id);
    b->monitor.ops = &bench_monitor_ops;
    debug_add_monitor(b->debug, &b->monitor);
    b->line = (struct chardev){.ops = &bench_line_ops, .label = "bench", .open = true};
    return b;
}

static inline void debug_bench_fini(struct debug_bench *b)
{
    debug_free(b->debug);
    block_close(b->medium);
    lock_drop(&b->m.lock);
    machine_fini(&b->m);
    text_free(&b->sent);
    text_free(&b->answer);
}

/* The human monitor's answer to a line. */
static inline const char *debug_bench_say(struct debug_bench *b, const char *line)
{
    text_cut(&b->answer, 0);
    command_line(&b->monitor, line, &b->answer);
    return text_str(&b->answer);
}

/* Sends bytes to the monitor on b->line and returns what it wrote since the last time. */
static inline const char *debug_bench_send(struct debug_bench *b, const char *bytes, size_t len)
{
    text_cut(&b->sent, 0);
    while (len > 0) {
        size_t n = chardev_input(&b->line, (const uint8_t *)bytes, len);
        assert_int_not_equal(n, 0);
        bytes += n;
        len -= n;
    }
    return text_str(&b->sent);
}

/* Lets a running machine be for @ms of host time. */
static inline void debug_bench_run(struct debug_bench *b, int64_t ms)
{
    int64_t end = host_now_ns() + ms * NS_PER_MS;
    while (host_now_ns() < end) {
        clock_run_timers(&b->m.clock);
        lock_yield(&b->m.lock);
    }
}

#endif
