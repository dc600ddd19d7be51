/* See fault.h. */
#include "core/accel/jit/fault.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

static _Thread_local struct jit *expected;
static struct sigaction others;

/* The block whose code @pc, of the writable view, is in. */
static struct jit_block *block_at(const struct jit *j, const uint8_t *pc)
{
    for (unsigned part = 0; part < JIT_PARTS; part++) {
        struct jit_block *blocks = &j->blocks[part * PART_BLOCKS];
        unsigned low = 0, high = j->parts[part].n_blocks;
        while (low < high) {                            /* entries ascend */
            unsigned mid = (low + high) / 2;
            if (blocks[mid].entry <= pc) {
                low = mid + 1;
            } else {
                high = mid;
            }
        }
        /* One that could not be translated has no bytes, and the next one's entry; parts have
         * the head's. */
        for (; low > 0 && blocks[low - 1].code_bytes == 0; low--) {
        }
        if (low > 0 && pc >= blocks[low - 1].entry &&
            pc < blocks[low - 1].entry + blocks[low - 1].code_bytes) {
            return &blocks[low - 1];
        }
    }
    return NULL;
}

/* Where what faults at @pc goes on, and what it is in; NULL: it may not fault. */
static const uint8_t *path_of(const struct jit *j, const uint8_t *pc, struct jit_block **at)
{
    if (pc < j->code.rx || pc >= j->code.rx + j->code.bytes) {
        return NULL;
    }
    const uint8_t *rw = j->code.rw + (pc - j->code.rx);
    struct jit_block *jb = *at = block_at(j, rw);
    for (unsigned i = 0; jb && i < jb->n_faults; i++) {
        if (jb->entry + jb->faults[i].at == rw) {
            return codemem_rx(&j->code, jb->entry + jb->faults[i].path);
        }
    }
    return NULL;
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct jit *j = expected;
    struct jit_block *jb;
    const uint8_t *path = j ? path_of(j, (const uint8_t *)(uintptr_t)regs[REG_RIP], &jb) : NULL;
    if (path) {
        j->faulted = guard_has(&j->guard, (uintptr_t)info->si_addr) ? NULL : jb;
        j->fault_addr = (uintptr_t)info->si_addr;
        regs[REG_RIP] = (greg_t)(uintptr_t)path;
    } else if (others.sa_flags & SA_SIGINFO) {
        others.sa_sigaction(sig, info, context);
    } else if (others.sa_handler != SIG_DFL && others.sa_handler != SIG_IGN) {
        others.sa_handler(sig);
    } else {
        signal(sig, SIG_DFL);                           /* it comes again */
    }
}

/* Another vCPU may be doing the same. */
void fault_init(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct sigaction ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER}, now;
    sigemptyset(&ours.sa_mask);
    pthread_mutex_lock(&lock);
    sigaction(SIGSEGV, NULL, &now);
    if (!(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != on_fault) {
        others = now;
        sigaction(SIGSEGV, &ours, NULL);
    }
    pthread_mutex_unlock(&lock);
}

void fault_expect(struct jit *j)
{
    expected = j;
}

void fault_note(struct jit *j, struct block *b, unsigned i)
{
    struct jit_block *jb = j->faulted;
    if (!jb) {
        return;
    }
    j->faulted = NULL;
    j->stats.faults++;
    if (window_retry(j->window, j->fault_addr)) {
        return;
    }
    b->checked |= b->faulted & BIT64(i);
    b->faulted |= BIT64(i);
    if (b->checked >> i & 1) {
        struct block *head = jb->block;
        jit_release(j, jb);
        head->warm = (uint16_t)(j->warm - 1);
    }
}
