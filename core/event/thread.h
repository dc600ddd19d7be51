/*
 * Threads and the machine lock.
 *
 * One lock covers all device code of a machine: the main loop takes it around callbacks, a vCPU
 * thread around a device access. It is not recursive. RAM is reached without it.
 */
#ifndef CORE_EVENT_THREAD_H
#define CORE_EVENT_THREAD_H

#include <pthread.h>
#include <stdbool.h>

struct lock {
    pthread_mutex_t mutex;
};

void lock_init(struct lock *l);
void lock_fini(struct lock *l);

static inline void lock_take(struct lock *l)
{
    pthread_mutex_lock(&l->mutex);
}

static inline void lock_drop(struct lock *l)
{
    pthread_mutex_unlock(&l->mutex);
}

#endif
