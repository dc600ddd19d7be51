/*
 * The two clock drivers and the timer heap. This file alone asks the host for the time.
 *
 * Asking the host takes as long as the rest of a device access, and a guest that polls a device
 * asks at each one. So where the kernel itself has the time from the processor's counter, that is
 * read, and the kernel asked when its last answer is FRESH_NS old.
 *
 * The heap is an array from 1 to n_timers; a timer's heap_index is its place, 0 if not armed.
 */
#include "core/event/clock.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t host_clock_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

int64_t host_now_ns(void)
{
    return host_clock_ns(CLOCK_MONOTONIC);
}

int64_t host_cpu_ns(void)
{
    return host_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t host_wall_ns(void)
{
    return host_clock_ns(CLOCK_REALTIME);
}

/* --- the host's time by its counter ----------------------------------------------------------- */

#define FRESH_NS 100000
#define RATE_NS  (10 * NS_PER_MS) /* two answers at least this far apart give the rate */
#define SLOW     4096             /* which is told by 1/SLOW too low: the next answer is later */
#define AT_ONCE  1500             /* ticks that asking takes, if nothing comes between */

#if defined(__x86_64__)

static uint64_t host_ticks(void)
{
    return __builtin_ia32_rdtsc();
}

/* The kernel has the time from a counter that it found to be even, and the same on all
 * processors. */
static bool ticks_are_time(void)
{
    char name[8] = "";
    FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    bool tsc = f != NULL && fgets(name, sizeof(name), f) != NULL && strcmp(name, "tsc\n") == 0;
    if (f != NULL) {
        fclose(f);
    }
    return tsc;
}

#else

static uint64_t host_ticks(void)
{
    return 0;
}

static bool ticks_are_time(void)
{
    return false;
}

#endif

/* The rate is measured again and again: the host may be moved to another machine. */
static void measure_rate(struct clock_ticks *t)
{
    int64_t ns = t->at_ns - t->from_ns;
    uint64_t ticks = t->at - t->from;
    bool first = t->from == 0;
    if (t->useless || (!first && ns < RATE_NS)) {
        return;
    }
    t->from = t->at;
    t->from_ns = t->at_ns;
    t->useless = !first && t->ns_per_tick == 0 && !ticks_are_time();
    bool likely_rate = ticks > (uint64_t)ns / 100 && ticks / 100 < (uint64_t)ns;
    if (first || t->useless || !likely_rate) {
        t->ns_per_tick = t->fresh = 0;
        return;
    }
    uint64_t rate = muldiv64((uint64_t)ns, 1ull << 32, ticks);
    t->ns_per_tick = rate - rate / SLOW;
    t->fresh = ((uint64_t)FRESH_NS << 32) / rate;
}

static __attribute__((noinline)) int64_t ask_host(struct clock_ticks *t)
{
    uint64_t before = host_ticks();
    int64_t ns = host_now_ns();
    uint64_t after = host_ticks();
    if (after - before < AT_ONCE) {
        t->at = after;
        t->at_ns = ns;
        measure_rate(t);
    }
    return ns;
}

/* host_now_ns for a clock. */
static inline int64_t host_time(struct clock *c)
{
    struct clock_ticks *t = &c->ticks;
    uint64_t passed = t->fresh != 0 ? host_ticks() - t->at : 0;
    int64_t ns = passed < t->fresh ? t->at_ns + (int64_t)(passed * t->ns_per_tick >> 32)
                                   : ask_host(t);
    t->last_ns = ns > t->last_ns ? ns : t->last_ns;
    return t->last_ns;
}

/* --- clocks ----------------------------------------------------------------------------------- */

void clock_init(struct clock *c, enum clock_driver driver, int64_t wall_start_ns)
{
    *c = (struct clock){
        .driver = driver,
        .wall_start_ns = wall_start_ns,
        .host_init_ns = driver == CLOCK_HOST_DRIVEN ? host_now_ns() : 0,
    };
}

void clock_fini(struct clock *c)
{
    free(c->heap);
    *c = (struct clock){0};
}

int64_t clock_now(struct clock *c)
{
    if (c->driver == CLOCK_VIRTUAL) {
        if (c->sync != NULL) {
            c->sync(c->sync_opaque);
        }
        return c->now_ns;
    }
    return c->running ? c->now_ns + (host_time(c) - c->host_start_ns) : c->now_ns;
}

int64_t clock_wall(struct clock *c)
{
    if (c->driver == CLOCK_VIRTUAL) {
        return c->wall_start_ns + clock_now(c);
    }
    return c->wall_start_ns + (host_now_ns() - c->host_init_ns);
}

void clock_start(struct clock *c)
{
    if (c->running) {
        return;
    }
    c->running = true;
    if (c->driver == CLOCK_HOST_DRIVEN) {
        c->host_start_ns = host_time(c);
    }
    if (c->earlier != NULL && c->n_timers != 0) {
        c->earlier(c->earlier_opaque);
    }
}

void clock_stop(struct clock *c)
{
    c->now_ns = clock_now(c);
    c->running = false;
}

void clock_advance(struct clock *c, int64_t ns)
{
    assert(c->driver == CLOCK_VIRTUAL && ns >= 0);
    c->now_ns += ns;
}

/* --- the heap --------------------------------------------------------------------------------- */

static bool before(const struct timer *a, const struct timer *b)
{
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns : a->seq < b->seq;
}

static void place(struct clock *c, struct timer *t, unsigned i)
{
    c->heap[i] = t;
    t->heap_index = i;
}

/* Puts @t where it belongs, starting from the free place @i. */
static void sift(struct clock *c, struct timer *t, unsigned i)
{
    while (i > 1 && before(t, c->heap[i / 2])) {
        place(c, c->heap[i / 2], i);
        i /= 2;
    }
    for (;;) {
        unsigned child = 2 * i;
        if (child > c->n_timers) {
            break;
        }
        if (child < c->n_timers && before(c->heap[child + 1], c->heap[child])) {
            child++;
        }
        if (!before(c->heap[child], t)) {
            break;
        }
        place(c, c->heap[child], i);
        i = child;
    }
    place(c, t, i);
}

static void heap_remove(struct clock *c, struct timer *t)
{
    unsigned i = t->heap_index;
    struct timer *last = c->heap[c->n_timers--];
    if (last != t) {
        sift(c, last, i);
    }
    t->heap_index = 0;
}

static void heap_insert(struct clock *c, struct timer *t)
{
    if (c->n_timers + 1 >= c->cap_timers) {
        c->cap_timers = c->cap_timers != 0 ? 2 * c->cap_timers : 32;
        c->heap = xrealloc(c->heap, c->cap_timers * sizeof(*c->heap));
    }
    sift(c, t, ++c->n_timers);
}

/* --- timers ----------------------------------------------------------------------------------- */

void timer_init(struct timer *t, struct clock *c, const char *name, void (*fire)(void *),
                void *opaque)
{
    *t = (struct timer){.clock = c, .name = name, .fire = fire, .opaque = opaque};
}

void timer_at(struct timer *t, int64_t deadline_ns)
{
    struct clock *c = t->clock;
    int64_t earliest = clock_deadline(c);

    if (t->heap_index != 0) {
        heap_remove(c, t);
    }
    if (deadline_ns == TIME_NEVER) {
        return;
    }
    if (c->in_round && t->ran_in == c->round && deadline_ns <= c->round_ns) {
        deadline_ns = c->round_ns + 1;
    }
    t->deadline_ns = deadline_ns > 0 ? deadline_ns : 0;
    t->seq = c->next_seq++;
    heap_insert(c, t);
    /* A round ends with its caller asking for the deadline anew, so nobody needs waking there. */
    if (!c->in_round && t->deadline_ns < earliest && c->earlier != NULL) {
        c->earlier(c->earlier_opaque);
    }
}

void timer_cancel(struct timer *t)
{
    if (t->heap_index != 0) {
        heap_remove(t->clock, t);
    }
}

int64_t clock_deadline(const struct clock *c)
{
    return c->n_timers != 0 ? c->heap[1]->deadline_ns : TIME_NEVER;
}

void clock_run_timers(struct clock *c)
{
    if (c->n_timers == 0 || c->in_round) {
        return;
    }
    c->round++;
    c->round_ns = clock_now(c);
    c->in_round = true;
    /* Every turn either ends or runs a timer that this round had not run: see timer_at. */
    while (c->n_timers != 0 && c->heap[1]->deadline_ns <= c->round_ns) {
        struct timer *t = c->heap[1];
        heap_remove(c, t);
        t->ran_in = c->round;
        t->fire(t->opaque);
    }
    c->in_round = false;
}
