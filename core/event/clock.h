/*
 * Clocks and timers. Time is int64_t nanoseconds.
 *
 * A machine has one virtual clock (CLOCK_VM in the documents); devices ask nothing else. It has two
 * drivers:
 *   CLOCK_HOST_DRIVEN  follows the host's monotonic clock while running, stands still while
 *   stopped;
 *                      its timers are run by the main loop.
 *   CLOCK_VIRTUAL      moves only by clock_advance: the software CPU adds a fixed time for each
 *                      retired instruction and device access, and jumps to the next deadline when
 *                      every vCPU is halted; its timers are run by the thread that runs the vCPUs.
 *
 * Timers live on a clock and are run in order of deadline, equal deadlines in order of arming, so a
 * run on the virtual clock is repeatable.
 */
#ifndef CORE_EVENT_CLOCK_H
#define CORE_EVENT_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_SEC 1000000000ll
#define NS_PER_MS  1000000ll
#define NS_PER_US  1000ll
#define TIME_NEVER INT64_MAX

enum clock_driver { CLOCK_HOST_DRIVEN, CLOCK_VIRTUAL };

struct timer;

/* The host's monotonic time by the processor's counter; see clock.c. */
struct clock_ticks {
    uint64_t ns_per_tick;      /* shifted left by 32; 0: not known */
    bool useless;              /* and will always be */
    uint64_t at;               /* counter when the host was asked last */
    int64_t at_ns;             /* and its answer */
    uint64_t fresh;            /* ticks for which that serves; 0: the rate is not known */
    uint64_t from;             /* an earlier one, for the rate; 0: none */
    int64_t from_ns;
    int64_t last_ns;           /* what was told last */
};

struct clock {
    enum clock_driver driver;
    bool running;
    int64_t now_ns;            /* virtual: the time; host driven: the time while stopped */
    int64_t host_start_ns;     /* host driven, running: host monotonic time at now_ns */
    int64_t wall_start_ns;     /* Unix time (ns) at time 0 */
    int64_t host_init_ns;      /* host driven: host monotonic time of clock_init */
    struct clock_ticks ticks;  /* host driven */
    struct timer **heap;       /* binary heap by (deadline, seq) */
    unsigned n_timers, cap_timers;
    uint64_t next_seq;
    uint64_t round;            /* counts calls of clock_run_timers */
    int64_t round_ns;          /* what "now" is in the current round */
    bool in_round;
    void (*sync)(void *opaque);       /* virtual: brings now_ns up to the running vCPU's count */
    void *sync_opaque;
    /* Called when there is now something to do earlier than before: the earliest deadline moved
     * forward outside of clock_run_timers, or the clock was started. */
    void (*earlier)(void *opaque);
    void *earlier_opaque;
};

struct timer {
    struct clock *clock;
    const char *name;
    void (*fire)(void *opaque);
    void *opaque;
    int64_t deadline_ns;       /* meaningful while armed */
    uint64_t seq;
    uint64_t ran_in;           /* the last round that ran it */
    unsigned heap_index;       /* 1..n while armed, 0 when not */
};

/* A stopped clock at time 0. @wall_start_ns: Unix time shown at time 0 (virtual driver; the host
 * driver takes it too, so that -rtc base=DATE works on both). */
void clock_init(struct clock *c, enum clock_driver driver, int64_t wall_start_ns);
void clock_fini(struct clock *c);

int64_t clock_now(struct clock *c);          /* ns since power-on, never backwards [locked] */
/* Unix time in ns. Host driven: goes on while the clock is stopped, at the rate of the monotonic
 * clock. Virtual: stands still with it. [locked] */
int64_t clock_wall(struct clock *c);
void clock_start(struct clock *c);           /* [locked] */
void clock_stop(struct clock *c);            /* [locked] */

/* Virtual driver only: moves time by @ns >= 0 without running timers. [vcpu, locked] */
void clock_advance(struct clock *c, int64_t ns);

/* The earliest deadline, or TIME_NEVER. [locked] */
int64_t clock_deadline(const struct clock *c);

/* Runs every timer that is due now, including ones that callbacks arm for now. Bounded: a callback
 * that re-arms its timer for a time not after now gets 1 ns after now instead, so it runs again at
 * most on the next call and cannot keep others from running. [locked] */
void clock_run_timers(struct clock *c);

/* Prepares @t on @c; it is not armed. @name is borrowed. */
void timer_init(struct timer *t, struct clock *c, const char *name, void (*fire)(void *),
                void *opaque);

/* Arms @t for @deadline_ns (absolute, >= 0), in place of an earlier deadline; TIME_NEVER disarms
 * it. Cannot fail. [locked]
 * The callback runs once, locked; a past deadline fires on the next turn, not in here. */
void timer_at(struct timer *t, int64_t deadline_ns);

/* Disarms @t; a timer that is not armed (or all zero) is allowed. [locked] */
void timer_cancel(struct timer *t);

static inline bool timer_armed(const struct timer *t)
{
    return t->heap_index != 0;
}

int64_t host_now_ns(void);     /* host monotonic clock [any] */
int64_t host_cpu_ns(void);     /* CPU time of this process [any] */
int64_t host_wall_ns(void);    /* host Unix time [any] */

#endif
