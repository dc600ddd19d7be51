#include "core/event/thread.h"

#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

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
        static struct lock lock = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, 0};
        lock_take(&lock);
        mprotect(barrier_page, 4096, PROT_READ | PROT_WRITE);
        *(volatile char *)barrier_page = 1;
        mprotect(barrier_page, 4096, PROT_READ);
        lock_drop(&lock);
    }
    atomic_thread_fence(memory_order_seq_cst);
}
