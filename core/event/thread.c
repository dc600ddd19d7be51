#include "core/event/thread.h"

#include "core/event/clock.h"

#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* So often in a row, and a thread is the favourite: about as many uncontended rounds by the mutex
 * as the end of a favour costs. */
#define STREAK 64

void lock_init(struct lock *l)
{
    *l = (struct lock){.last = NULL};
    pthread_mutex_init(&l->mutex, NULL);
    pthread_mutex_init(&l->gate, NULL);
    pthread_mutex_init(&l->out_mutex, NULL);
    pthread_cond_init(&l->out, NULL);
}

void lock_fini(struct lock *l)
{
    pthread_cond_destroy(&l->out);
    pthread_mutex_destroy(&l->out_mutex);
    pthread_mutex_destroy(&l->gate);
    pthread_mutex_destroy(&l->mutex);
}

_Thread_local struct lock_user *lock_self;

void lock_favour(struct lock_user *u)
{
    lock_self = u;
}

void lock_tell_out(struct lock *l)
{
    pthread_mutex_lock(&l->out_mutex);
    pthread_cond_signal(&l->out);
    pthread_mutex_unlock(&l->out_mutex);
}

/* This thread has the mutex, and with it the lock once there is no favourite. After the barrier the
 * favourite has either stored `inside`, which is seen here, or will find its name gone; and so when
 * it goes out, it is seen to be out, or finds that somebody waits. */
static void end_favour(struct lock *l)
{
    struct lock_user *favourite = atomic_load_explicit(&l->favourite, memory_order_relaxed);
    if (favourite == NULL) {
        return;
    }
    atomic_store(&l->favourite, NULL);
    if (favourite != lock_self) {
        threads_barrier();
        pthread_mutex_lock(&l->out_mutex);
        while (atomic_load(&favourite->inside)) {
            pthread_cond_wait(&l->out, &l->out_mutex);
        }
        pthread_mutex_unlock(&l->out_mutex);
    }
    l->by_name = false;
    l->streak = 0;
}

/* Behind all who wait already. */
static void wait_at_gate(struct lock *l)
{
    atomic_fetch_add(&l->waiters, 1);
    pthread_mutex_lock(&l->gate);
    pthread_mutex_lock(&l->mutex);
    pthread_mutex_unlock(&l->gate);
    atomic_fetch_sub(&l->waiters, 1);
}

static void take_behind_others(struct lock *l)
{
    wait_at_gate(l);
    end_favour(l);
}

void lock_take_slow(struct lock *l)
{
    if (pthread_mutex_trylock(&l->mutex) != 0) {
        wait_at_gate(l);
    }
    end_favour(l);
}

/* The name is given while the mutex is held, and holds from the next time on. */
void lock_drop_streak(struct lock *l)
{
    struct lock_user *self = lock_self;
    l->streak = l->last == self ? l->streak + 1 : 0;
    l->last = self;
    if (self != NULL && l->streak >= STREAK) {
        l->by_name = true;
        atomic_store(&l->favourite, self);
    }
    pthread_mutex_unlock(&l->mutex);
}

void lock_yield(struct lock *l)
{
    bool waited_for = l->by_name && atomic_load(&l->favourite) == NULL;
    if (waited_for || atomic_load_explicit(&l->waiters, memory_order_relaxed) != 0) {
        lock_drop(l);
        take_behind_others(l);
    }
}

/* A favourite has no mutex to wait with: it takes that, and returns at once. What it waits for may
 * have happened in between. */
static bool has_mutex(struct lock *l)
{
    if (l->by_name) {
        lock_drop(l);
        take_behind_others(l);
        return false;
    }
    return true;
}

void lock_wait(struct lock *l, pthread_cond_t *c)
{
    if (has_mutex(l)) {
        pthread_cond_wait(c, &l->mutex);
        end_favour(l);
    }
}

bool lock_wait_ns(struct lock *l, pthread_cond_t *c, int64_t ns)
{
    int64_t end = host_wall_ns() + ns;
    struct timespec until = {.tv_sec = end / NS_PER_SEC, .tv_nsec = end % NS_PER_SEC};
    if (!has_mutex(l)) {
        return false;
    }
    pthread_cond_timedwait(c, &l->mutex, &until);
    end_favour(l);
    return true;
}

static pthread_once_t barrier_once = PTHREAD_ONCE_INIT;
static bool has_membarrier;
static void *barrier_page;       /* for kernels without it */

static void barrier_init(void)
{
    has_membarrier =
        syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
    if (!has_membarrier) {
        barrier_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
}

/* [membarrier(2)] MEMBARRIER_CMD_PRIVATE_EXPEDITED. Where it is not, taking away a right to a page
 * that is in use makes the kernel interrupt every processor that runs a thread of the process. */
void threads_barrier(void)
{
    atomic_thread_fence(memory_order_seq_cst);
    pthread_once(&barrier_once, barrier_init);
    if (has_membarrier) {
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    } else if (barrier_page != MAP_FAILED) {
        static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        pthread_mutex_lock(&mutex);
        mprotect(barrier_page, 4096, PROT_READ | PROT_WRITE);
        *(volatile char *)barrier_page = 1;
        mprotect(barrier_page, 4096, PROT_READ);
        pthread_mutex_unlock(&mutex);
    }
    atomic_thread_fence(memory_order_seq_cst);
}
