/*
 * Threads and the machine lock.
 *
 * One lock covers all device code of a machine: the main loop takes it around callbacks, a vCPU
 * thread around a device access (on the virtual clock: around whole slices). It is not recursive.
 * RAM is reached without it. Who has to wait passes a gate, so that a thread which gives the lock
 * up with lock_yield goes behind those who already wait.
 */
#ifndef CORE_EVENT_THREAD_H
#define CORE_EVENT_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct lock {
    pthread_mutex_t mutex;
    pthread_mutex_t gate;        /* held by the one waiter that is next */
    _Atomic unsigned waiters;
};

void lock_init(struct lock *l);
void lock_fini(struct lock *l);

/* Waits for the lock through the gate. [any; lock not held] */
void lock_take_slow(struct lock *l);

static inline void lock_take(struct lock *l)
{
    if (pthread_mutex_trylock(&l->mutex) != 0) {
        lock_take_slow(l);
    }
}

static inline void lock_drop(struct lock *l)
{
    pthread_mutex_unlock(&l->mutex);
}

/* Lets everyone have the lock who waits for it now. [locked] */
void lock_yield(struct lock *l);

/* Waits on @c, which goes with the lock; spurious returns are possible. [locked] */
void lock_wait(struct lock *l, pthread_cond_t *c);

/* Every other thread of the process passes a full memory barrier before this returns. Slow, so that
 * the others need none: they may write here and read there in program order. [any] */
void threads_barrier(void);

#endif
