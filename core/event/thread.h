/*
 * Threads and the machine lock.
 *
 * One lock covers all device code of a machine: the main loop takes it around callbacks, a vCPU
 * thread around a device access (on the virtual clock: around whole slices). It is not recursive.
 * RAM is reached without it. Who has to wait passes a gate, so that a thread which gives the lock
 * up with lock_yield goes behind those who already wait.
 *
 * A thread that takes it again and again alone becomes its favourite (lock_favour, then
 * lock_drop_often): it has the lock when it says so in its own `inside`, without touching the
 * mutex, until another thread gets that. Who does while there is a favourite ends this before it
 * goes on: it takes the name away, lets the favourite pass a barrier (so that it notices, or is
 * seen inside), and waits until it is out. So the favourite pays two plain stores a time, and
 * another thread one system call.
 */
#ifndef CORE_EVENT_THREAD_H
#define CORE_EVENT_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lock_user;

struct lock {
    pthread_mutex_t mutex;
    pthread_mutex_t gate;        /* held by the one waiter that is next */
    _Atomic unsigned waiters;
    struct lock_user *_Atomic favourite; /* or NULL; changes with the mutex held */
    bool by_name;                /* whoever has the lock has it as the favourite [locked] */
    const struct lock_user *last; /* who dropped it often last, */
    unsigned streak;             /* and how often in a row [locked] */
    pthread_mutex_t out_mutex;   /* around waiting for the favourite to be out */
    pthread_cond_t out;
};

/* A thread that may become a favourite. */
struct lock_user {
    _Atomic bool inside;         /* it has the lock by name, or looks whether it may */
};

void lock_init(struct lock *l);
void lock_fini(struct lock *l);

/* The calling thread is @u (zeroed, borrowed) from now on. Once it has ended, @u may go when the
 * lock was taken by another thread. */
void lock_favour(struct lock_user *u);

/* By the mutex, waiting for it through the gate. [any; lock not held] */
void lock_take_slow(struct lock *l);
/* The favourite is out, and another thread waits for this. */
void lock_tell_out(struct lock *l);
void lock_drop_streak(struct lock *l);

/* Who the calling thread is; NULL: never a favourite. */
extern _Thread_local struct lock_user *lock_self;

/* The loads and stores of the favourite are in program order here; that the processor shows them so
 * is the barrier's work. */
static inline void lock_go_out(struct lock *l, struct lock_user *self)
{
    atomic_store_explicit(&self->inside, false, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect(!atomic_load_explicit(&l->favourite, memory_order_relaxed), 0)) {
        lock_tell_out(l);
    }
}

static inline void lock_take(struct lock *l)
{
    struct lock_user *self = lock_self;
    if (self && atomic_load_explicit(&l->favourite, memory_order_relaxed) == self) {
        atomic_store_explicit(&self->inside, true, memory_order_relaxed);
        atomic_signal_fence(memory_order_seq_cst);
        if (atomic_load_explicit(&l->favourite, memory_order_acquire) == self) {
            return;
        }
        lock_go_out(l, self);
    }
    lock_take_slow(l);
}

static inline void lock_drop(struct lock *l)
{
    if (l->by_name) {
        lock_go_out(l, lock_self);
    } else {
        pthread_mutex_unlock(&l->mutex);
    }
}

/* The same, by a thread that will soon take it again. */
static inline void lock_drop_often(struct lock *l)
{
    if (l->by_name) {
        lock_go_out(l, lock_self);
    } else {
        lock_drop_streak(l);
    }
}

/* Lets everyone have the lock who waits for it now. [locked] */
void lock_yield(struct lock *l);

/* Waits on @c, which goes with the lock; spurious returns are possible. [locked] */
void lock_wait(struct lock *l, pthread_cond_t *c);
/* The same, for @ns at most. False: it returned at once, and will wait the next time. */
bool lock_wait_ns(struct lock *l, pthread_cond_t *c, int64_t ns);

/* Every other thread of the process passes a full memory barrier before this returns. Slow, so that
 * the others need none: they may write here and read there in program order. [any] */
void threads_barrier(void);

#endif
