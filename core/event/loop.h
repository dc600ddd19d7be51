/*
 * The main loop: file descriptors, host-time timers, a machine's host-driven timers, deferred work.
 *
 * Order of calls: loop_init, loop_add_fd / loop_add_clock, loop_run (until loop_quit), loop_fini.
 * Callbacks run on the loop's thread with the machine lock held.
 */
#ifndef CORE_EVENT_LOOP_H
#define CORE_EVENT_LOOP_H

#include "core/base/error.h"
#include "core/event/clock.h"
#include "core/event/thread.h"

struct loop_fd;
struct pollfd;
struct loop_work;

struct loop {
    struct lock *lock;             /* borrowed: the machine lock */
    struct clock host;             /* host-driven and always running, for displays and guards */
    struct clock *clocks[4];       /* whose timers the loop runs; [0] is &host */
    unsigned n_clocks;
    struct loop_fd *fds;           /* list */
    struct loop_work *work, **work_tail;
    pthread_mutex_t work_mutex;
    int wake_fd;                   /* eventfd */
    _Atomic bool quit;
    bool polling;                  /* inside poll, or about to be: changes need a wake [locked] */
    struct pollfd *polled;         /* what this turn polls, and whose it is */
    struct loop_fd **polled_fd;
    unsigned cap_polled;
};

bool loop_init(struct loop *l, struct lock *lock, struct error **err);

/* Forgets watches and queued work and disarms the timers on l->host: those they belong to may
 * outlive the loop, and may still take their watches and timers away from the zeroed struct. */
void loop_fini(struct loop *l);

/* Also runs the timers of a host-driven clock. The clock stays the caller's. [locked] */
void loop_add_clock(struct loop *l, struct clock *c);

enum { LOOP_IN = 1, LOOP_OUT = 2, LOOP_HUP = 4 };

/* Watches @fd for LOOP_IN and LOOP_OUT (LOOP_HUP is always reported); one watch an fd, a second
 * call changes it; events 0 removes it. The fd stays the caller's. [locked] */
void loop_watch(struct loop *l, int fd, unsigned events,
                void (*ready)(void *opaque, unsigned events), void *opaque);

/* Runs @fn once on the loop's thread, locked, after what was queued before it. [any] */
void loop_defer(struct loop *l, void (*fn)(void *opaque), void *opaque);

void loop_wake(struct loop *l);    /* makes poll return [any, async-signal-safe] */
void loop_quit(struct loop *l);    /* loop_run returns after this turn [any, async-signal-safe] */

/* Runs until loop_quit. The caller must not hold the lock. */
void loop_run(struct loop *l);

#endif
