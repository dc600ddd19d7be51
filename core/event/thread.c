#include "core/event/thread.h"

void lock_init(struct lock *l)
{
    pthread_mutex_init(&l->mutex, NULL);
    pthread_mutex_init(&l->gate, NULL);
    atomic_init(&l->waiters, 0);
}

void lock_fini(struct lock *l)
{
    pthread_mutex_destroy(&l->gate);
    pthread_mutex_destroy(&l->mutex);
}

void lock_take_slow(struct lock *l)
{
    atomic_fetch_add(&l->waiters, 1);
    pthread_mutex_lock(&l->gate);
    pthread_mutex_lock(&l->mutex);
    pthread_mutex_unlock(&l->gate);
    atomic_fetch_sub(&l->waiters, 1);
}

void lock_yield(struct lock *l)
{
    if (atomic_load_explicit(&l->waiters, memory_order_relaxed) != 0) {
        pthread_mutex_unlock(&l->mutex);
        lock_take_slow(l);
    }
}

void lock_wait(struct lock *l, pthread_cond_t *c)
{
    pthread_cond_wait(c, &l->mutex);
}
