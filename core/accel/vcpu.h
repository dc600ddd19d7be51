/*
 * Virtual CPUs: a thread each, the run loop, pausing, and the pins that chips drive.
 *
 * A vCPU is PAUSED (born so; outside run, takes no interrupts), RUNNING, or STOPPED (its thread has
 * ended). resume_all_vcpus is the last step of start-up: before it no guest instruction has run.
 *
 * On the virtual clock the vCPUs' code, device code and timers all run in one fixed order: a vCPU's
 * thread holds the machine lock while it runs and runs due timers itself.
 */
#ifndef CORE_ACCEL_VCPU_H
#define CORE_ACCEL_VCPU_H

#include "core/accel/accel.h"
#include "core/accel/idle.h"

#include <stdatomic.h>

enum vcpu_state { VCPU_PAUSED, VCPU_RUNNING, VCPU_STOPPED };

/* Bits of vcpu->pending: what the vCPU must look at between two instructions. */
enum {
    PEND_KICK = 1,     /* leave run */
    PEND_INTR = 2,     /* level of the INTR pin */
    PEND_NMI = 4,      /* an edge was seen */
    PEND_SMI = 8,
    PEND_INIT = 16,
    PEND_SIPI = 32,
    PEND_A20 = 64,     /* the A20 pin's level changed; see vcpu->a20 */
    PEND_CODE = 128,   /* the engine's own: another thread wrote to code that it holds decoded */
};

struct vcpu {
    struct machine *machine;
    unsigned index;
    const struct accel *accel;
    void *accel_data;
    _Atomic uint32_t pending;
    bool a20;                     /* level of A20M# (true: address line 20 works) [locked] */
    bool halted;                  /* HLT, waits for an interrupt; part of x86_state too */
    enum vcpu_state state;        /* [locked] */
    bool pause_wanted;            /* [locked] */
    bool in_run;                  /* inside accel->run, or about to be [locked] */
    pthread_t thread;
    bool thread_started;
    pthread_cond_t cond;          /* state, requests and pending changed (with the machine lock) */
    int (*inta)(void *opaque);    /* interrupt acknowledge: the vector, 0..255 [locked] */
    void *inta_opaque;
    struct irq pin_intr, pin_nmi, pin_smi, pin_init, pin_a20;
    struct irq *ferr;             /* where the FERR# pin leads; borrowed, NULL: nowhere */
    /* virtual clock bookkeeping */
    uint64_t clock_icount;        /* icount that is already in the clock */
    uint64_t accesses;            /* device accesses so far */
    struct idle idle;
    /* why it stopped for good or for a while */
    struct vcpu_exit last_exit;
};

/* Time rates of the virtual clock. */
struct vcpu_rates {
    int64_t insn_ns;   /* an instruction: 1..1000000 */
    int64_t io_ns;     /* a device access: 0..1000000 */
};
void vcpu_set_rates(struct machine *m, const struct vcpu_rates *r);

/* Creates vCPU number m->n_vcpus with its thread, PAUSED. */
struct vcpu *vcpu_new(struct machine *m, struct error **err);

/* Pins of a vCPU, for boards. Drive them locked. */
struct irq *vcpu_intr(struct machine *m, unsigned index);
struct irq *vcpu_nmi(struct machine *m, unsigned index);
struct irq *vcpu_smi(struct machine *m, unsigned index);
struct irq *vcpu_init_pin(struct machine *m, unsigned index);
struct irq *vcpu_a20(struct machine *m, unsigned index);
/* Who answers the interrupt acknowledge cycle. */
void vcpu_set_inta(struct machine *m, unsigned index, int (*inta)(void *opaque), void *opaque);

/* Lets every vCPU run. [locked] */
void resume_all_vcpus(struct machine *m);
/* Gets every vCPU out of run and waits for it; the clock stands still. [locked; not on a vCPU's thread] */
void pause_all_vcpus(struct machine *m);
/* What a user's stop and cont do: as above, with m->run_state and its listeners. Starting fails after a
 * shutdown that only a reset ends. [locked; not on a vCPU's thread] */
bool machine_start(struct machine *m, struct error **err);
void machine_stop(struct machine *m);
/* Ends all threads and frees the vCPUs. [not locked] */
void vcpus_fini(struct machine *m);

/* Sets every vCPU to the reset state (vCPU 0 runs, others wait for SIPI). [locked, paused] */
void vcpus_reset(struct machine *m);

/* True if no guest instruction has run since power-on. */
bool vcpus_untouched(struct machine *m);

/* --- for accelerators ------------------------------------------------------------------------- */

/* Device access of a running vCPU: takes the lock if needed, charges virtual time, commits region
 * changes. [vcpu] */
uint64_t vcpu_read(struct vcpu *cpu, struct space *s, uint64_t addr, unsigned size);
void vcpu_write(struct vcpu *cpu, struct space *s, uint64_t addr, uint64_t val, unsigned size);
unsigned vcpu_read_block(struct vcpu *cpu, struct space *s, uint64_t addr, void *buf, unsigned size,
                         unsigned count);
unsigned vcpu_write_block(struct vcpu *cpu, struct space *s, uint64_t addr, const void *buf, unsigned size,
                          unsigned count);

/* The interrupt acknowledge cycle: the vector. [vcpu] */
int vcpu_acknowledge(struct vcpu *cpu);

/* The guest polls (idle_is_poll said so) before instruction @icount. On the host-driven clock a vCPU
 * that does nothing else rests here until something is pending, some milliseconds at most. [vcpu] */
void vcpu_polls(struct vcpu *cpu, uint64_t icount);

/* Virtual clock: how many instructions may run before the next timer is due (0: one is due now);
 * INT64_MAX on the host-driven clock. Changes at every device access. [vcpu] */
int64_t vcpu_slice(struct vcpu *cpu);

#endif
