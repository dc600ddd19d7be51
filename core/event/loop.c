/*
 * The loop: one poll a turn, then wake-ups, deferred work, ready descriptors and due timers.
 *
 * A watch that is removed is only marked while a turn is under way, since the turn's list of what
 * was polled may still name it; it is freed when the next list is made.
 */
#include "core/event/loop.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct loop_fd {
    struct loop_fd *next;
    int fd;
    unsigned events; /* 0: removed */
    void (*ready)(void *opaque, unsigned events);
    void *opaque;
};

struct loop_work {
    struct loop_work *next;
    void (*fn)(void *opaque);
    void *opaque;
};

static void earlier(void *opaque)
{
    struct loop *l = opaque;
    if (l->polling) {
        loop_wake(l);
    }
}

bool loop_init(struct loop *l, struct lock *lock, struct error **err)
{
    *l = (struct loop){.lock = lock};
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake_fd < 0) {
        return error_errno(err, errno, "eventfd");
    }
    l->work_tail = &l->work;
    pthread_mutex_init(&l->work_mutex, NULL);
    clock_init(&l->host, CLOCK_HOST_DRIVEN, host_wall_ns());
    loop_add_clock(l, &l->host);
    clock_start(&l->host);
    return true;
}

void loop_fini(struct loop *l)
{
    if (l->work_tail == NULL) {
        return; /* never initialised */
    }
    while (l->fds != NULL) {
        struct loop_fd *w = l->fds;
        l->fds = w->next;
        free(w);
    }
    while (l->work != NULL) {
        struct loop_work *w = l->work;
        l->work = w->next;
        free(w);
    }
    while (l->host.n_timers != 0) {
        timer_cancel(l->host.heap[1]);
    }
    free(l->polled);
    free(l->polled_fd);
    clock_fini(&l->host);
    pthread_mutex_destroy(&l->work_mutex);
    close(l->wake_fd);
    *l = (struct loop){0};
}

void loop_add_clock(struct loop *l, struct clock *c)
{
    assert(c->driver == CLOCK_HOST_DRIVEN && l->n_clocks < ARRAY_SIZE(l->clocks));
    c->earlier = earlier;
    c->earlier_opaque = l;
    l->clocks[l->n_clocks++] = c;
    earlier(l);
}

void loop_watch(struct loop *l, int fd, unsigned events,
                void (*ready)(void *opaque, unsigned events), void *opaque)
{
    struct loop_fd *w = l->fds;
    while (w != NULL && (w->fd != fd || w->events == 0)) {
        w = w->next;
    }
    if (w == NULL) {
        if (events == 0) {
            return;
        }
        w = NEW(struct loop_fd);
        w->fd = fd;
        w->next = l->fds;
        l->fds = w;
    }
    w->events = events;
    w->ready = ready;
    w->opaque = opaque;
    earlier(l);
}

void loop_defer(struct loop *l, void (*fn)(void *opaque), void *opaque)
{
    struct loop_work *w = NEW(struct loop_work);
    *w = (struct loop_work){.fn = fn, .opaque = opaque};
    pthread_mutex_lock(&l->work_mutex);
    bool first = l->work == NULL;
    *l->work_tail = w;
    l->work_tail = &w->next;
    pthread_mutex_unlock(&l->work_mutex);
    if (first) {
        loop_wake(l);
    }
}

void loop_wake(struct loop *l)
{
    /* EAGAIN: the counter is full, so poll returns anyway. */
    int saved = errno;
    ssize_t n = write(l->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)n;
    errno = saved;
}

void loop_quit(struct loop *l)
{
    l->quit = true;
    loop_wake(l);
}

/* --- a turn ----------------------------------------------------------------------------------- */

static void free_removed(struct loop *l)
{
    for (struct loop_fd **at = &l->fds; *at != NULL;) {
        struct loop_fd *w = *at;
        if (w->events == 0) {
            *at = w->next;
            free(w);
        } else {
            at = &w->next;
        }
    }
}

/* Fills polled and polled_fd; place 0 is the wake-up. Returns how many. */
static unsigned list_polled(struct loop *l)
{
    unsigned n = 1;
    free_removed(l);
    for (const struct loop_fd *w = l->fds; w != NULL; w = w->next) {
        n++;
    }
    if (n > l->cap_polled) {
        l->cap_polled = n + 8;
        l->polled = xrealloc(l->polled, l->cap_polled * sizeof(*l->polled));
        l->polled_fd = xrealloc(l->polled_fd, l->cap_polled * sizeof(struct loop_fd *));
    }
    l->polled[0] = (struct pollfd){.fd = l->wake_fd, .events = POLLIN};
    l->polled_fd[0] = NULL;
    n = 1;
    for (struct loop_fd *w = l->fds; w != NULL; w = w->next, n++) {
        int events = (w->events & LOOP_IN ? POLLIN : 0) | (w->events & LOOP_OUT ? POLLOUT : 0);
        l->polled[n] = (struct pollfd){.fd = w->fd, .events = (short)events};
        l->polled_fd[n] = w;
    }
    return n;
}

/* How long poll may sleep, or TIME_NEVER. */
static int64_t sleep_ns(struct loop *l)
{
    int64_t least = TIME_NEVER;
    for (unsigned i = 0; i < l->n_clocks; i++) {
        struct clock *c = l->clocks[i];
        int64_t deadline = clock_deadline(c);
        if (c->running && deadline != TIME_NEVER) {
            int64_t left = deadline - clock_now(c);
            least = left < least ? left : least;
        }
    }
    return least > 0 ? least : 0;
}

static void wait_for_events(struct loop *l, unsigned n, int64_t ns)
{
    struct timespec ts = {.tv_sec = ns / NS_PER_SEC, .tv_nsec = ns % NS_PER_SEC};
    if (ppoll(l->polled, n, ns != TIME_NEVER ? &ts : NULL, NULL) < 0) {
        /* A signal, or for a moment no memory: nothing is ready. */
        for (unsigned i = 0; i < n; i++) {
            l->polled[i].revents = 0;
        }
    }
}

/* Runs what was queued before this call; what that queues waits for the next turn. */
static void run_work(struct loop *l)
{
    pthread_mutex_lock(&l->work_mutex);
    struct loop_work *w = l->work;
    l->work = NULL;
    l->work_tail = &l->work;
    pthread_mutex_unlock(&l->work_mutex);
    while (w != NULL) {
        struct loop_work *next = w->next;
        w->fn(w->opaque);
        free(w);
        w = next;
    }
}

static void run_ready(struct loop *l, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        struct loop_fd *w = l->polled_fd[i];
        short got = l->polled[i].revents;
        unsigned events = (got & POLLIN ? LOOP_IN : 0u) | (got & POLLOUT ? LOOP_OUT : 0u);
        events &= w->events;
        if (w->events != 0 && (got & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
            events |= LOOP_HUP;
        }
        if (events != 0) {
            w->ready(w->opaque, events);
        }
    }
}

static void run_timers(struct loop *l)
{
    for (unsigned i = 0; i < l->n_clocks; i++) {
        if (l->clocks[i]->running) {
            clock_run_timers(l->clocks[i]);
        }
    }
}

void loop_run(struct loop *l)
{
    lock_take(l->lock);
    while (!l->quit) {
        unsigned n = list_polled(l);
        int64_t ns = sleep_ns(l);
        l->polling = true;
        lock_drop(l->lock);
        wait_for_events(l, n, ns);
        if (l->polled[0].revents != 0) {
            uint64_t count;
            ssize_t got = read(l->wake_fd, &count, sizeof(count));
            (void)got;
        }
        lock_take(l->lock);
        l->polling = false;
        run_work(l);
        run_ready(l, n);
        run_timers(l);
    }
    l->quit = false;
    lock_drop(l->lock);
}
