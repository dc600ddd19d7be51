/* What the vCPUs of a machine have in common; for vcpu.c and vcpu_access.c only. */
#ifndef CORE_ACCEL_VCPU_GROUP_H
#define CORE_ACCEL_VCPU_GROUP_H

#include "core/accel/vcpu.h"

struct vcpu_group {
    struct vcpu_rates rates;
    struct vcpu *running;         /* virtual clock: inside run, holding the lock */
    unsigned turn;                /* taking turns: whose it is */
    struct vcpu *alone;           /* parallel: runs alone, or waits for the others to leave run */
    bool ending;                  /* threads are to end */
    pthread_cond_t paused; /* some vCPU became PAUSED; while one wants to be alone: left run */
};

static inline bool on_virtual_clock(const struct machine *m)
{
    return m->clock.driver == CLOCK_VIRTUAL;
}

/* One thread runs all vCPUs, one after the other. The JIT's check runs code twice: nobody may write
 * in between. */
static inline bool one_thread(const struct machine *m)
{
    return on_virtual_clock(m) || !m->accel->parallel || m->jit_check;
}

/* Wakes the thread that runs @cpu. [locked] */
void vcpu_wake(struct vcpu *cpu);
/* Gets every vCPU out of run, soon. [locked] */
void vcpu_kick_all(struct machine *m);

#endif
