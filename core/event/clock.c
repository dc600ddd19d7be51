/*
 * The two clock drivers and the timer heap. This file alone asks the host for the time.
 *
 * The heap is an array from 1 to n_timers; a timer's heap_index is its place, 0 if not armed.
 */
#include "core/event/clock.h"

#include "core/base/alloc.h"

#include <assert.h>
#include <stdlib.h>
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
    return c->running ? c->now_ns + (host_now_ns() - c->host_start_ns) : c->now_ns;
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
        c->host_start_ns = host_now_ns();
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
