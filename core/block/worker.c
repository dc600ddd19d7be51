/*
 * Workers: one thread an image, which carries out its requests one after the other.
 *
 * The mutex guards the queue and the requests' carried_out; a request's result belongs to the
 * worker until that is set. Where no thread can be had, the submitter does the work itself.
 */
#include "core/base/alloc.h"
#include "core/block/drivers.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct block_worker {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wanted;   /* the queue is not empty, or stop */
    pthread_cond_t changed;  /* a request was carried out */
    struct block_request *queue, **tail;
    bool busy, stop;
};

/* ---- the thread ------------------------------------------------------------------------------ */

/* On the main loop. The request may have been cancelled meanwhile, and even be under way again:
 * then this is the news of an older one, and its own will follow. */
static void deliver(void *opaque);

static void *work(void *opaque)
{
    struct block_worker *w = opaque;

    pthread_mutex_lock(&w->mutex);
    for (;;) {
        struct block_request *r = w->queue;
        if (r == NULL && w->stop) {
            break;
        }
        if (r == NULL) {
            pthread_cond_wait(&w->wanted, &w->mutex);
            continue;
        }
        w->queue = r->next;
        w->tail = w->queue != NULL ? w->tail : &w->queue;
        w->busy = true;
        pthread_mutex_unlock(&w->mutex);
        block_carry_out(r);
        struct loop *loop = r->timer.clock->driver == CLOCK_VIRTUAL ? NULL : r->loop;
        pthread_mutex_lock(&w->mutex);
        r->carried_out = true;
        w->busy = false;
        pthread_cond_broadcast(&w->changed);
        if (loop != NULL) {
            loop_defer(loop, deliver, r);
        }
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

/* The worker of @b, started if there is none yet; NULL if the host has no thread for it. */
static struct block_worker *worker_of(struct block *b)
{
    if (b->worker == NULL) {
        struct block_worker *w = NEW(struct block_worker);
        w->tail = &w->queue;
        pthread_mutex_init(&w->mutex, NULL);
        pthread_cond_init(&w->wanted, NULL);
        pthread_cond_init(&w->changed, NULL);
        if (pthread_create(&w->thread, NULL, work, w) != 0) {
            free(w);
            return NULL;
        }
        b->worker = w;
    }
    return b->worker;
}

void block_worker_drain(struct block *b)
{
    struct block_worker *w = b->worker;

    if (w == NULL) {
        return;
    }
    pthread_mutex_lock(&w->mutex);
    while (w->queue != NULL || w->busy) {
        pthread_cond_wait(&w->changed, &w->mutex);
    }
    pthread_mutex_unlock(&w->mutex);
}

void block_worker_stop(struct block *b)
{
    struct block_worker *w = b->worker;

    if (w == NULL) {
        return;
    }
    pthread_mutex_lock(&w->mutex);
    w->stop = true; /* after what is queued */
    pthread_cond_signal(&w->wanted);
    pthread_mutex_unlock(&w->mutex);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_cond_destroy(&w->wanted);
    pthread_mutex_destroy(&w->mutex);
    free(w);
    b->worker = NULL;
}

/* ---- requests -------------------------------------------------------------------------------- */

static void wait_for_worker(struct block_request *r)
{
    struct block_worker *w = r->block->worker;

    if (w == NULL) {
        return; /* the submitter did it */
    }
    pthread_mutex_lock(&w->mutex);
    while (!r->carried_out) {
        pthread_cond_wait(&w->changed, &w->mutex);
    }
    pthread_mutex_unlock(&w->mutex);
}

static void finish(struct block_request *r)
{
    r->pending = false;
    r->done(r->opaque);
}

static bool is_carried_out(struct block_request *r)
{
    struct block_worker *w = r->block->worker;

    if (w == NULL) {
        return r->carried_out;
    }
    pthread_mutex_lock(&w->mutex);
    bool is = r->carried_out;
    pthread_mutex_unlock(&w->mutex);
    return is;
}

static void deliver(void *opaque)
{
    struct block_request *r = opaque;

    if (r->pending && is_carried_out(r)) {
        finish(r);
    }
}

static void its_time(void *opaque)
{
    struct block_request *r = opaque;

    if (r->pending) { /* else a saved state that contradicts itself */
        wait_for_worker(r);
        finish(r);
    }
}

void block_request_init(struct block_request *r, struct loop *loop, struct clock *clock,
                        const char *name, void (*done)(void *opaque), void *opaque)
{
    *r = (struct block_request){.loop = loop, .done = done, .opaque = opaque};
    timer_init(&r->timer, clock, name, its_time, r);
}

void block_submit(struct block_request *r, struct block *b, enum block_op op, uint64_t off,
                  void *buf, size_t len, int64_t ns)
{
    struct block_worker *w = worker_of(b);
    struct clock *clock = r->timer.clock;
    bool virtual = clock->driver == CLOCK_VIRTUAL;

    assert(!r->pending);
    block_count(b, op, len);
    error_free(r->err);
    r->err = NULL;
    r->ok = false;
    r->block = b;
    r->op = op;
    r->off = off;
    r->buf = buf;
    r->len = len;
    r->next = NULL;
    r->carried_out = false;
    r->pending = true;
    if (virtual) {
        timer_at(&r->timer, clock_now(clock) + ns);
    }
    if (w == NULL) {
        block_carry_out(r);
        r->carried_out = true;
        if (!virtual) {
            loop_defer(r->loop, deliver, r);
        }
        return;
    }
    pthread_mutex_lock(&w->mutex);
    *w->tail = r;
    w->tail = &r->next;
    pthread_cond_signal(&w->wanted);
    pthread_mutex_unlock(&w->mutex);
}

void block_finish(struct block_request *r)
{
    if (r->pending) {
        timer_cancel(&r->timer);
        wait_for_worker(r);
        finish(r);
    }
}

void block_cancel(struct block_request *r)
{
    timer_cancel(&r->timer);
    if (r->pending) {
        wait_for_worker(r);
        r->pending = false;
    }
    error_free(r->err);
    r->err = NULL;
}
