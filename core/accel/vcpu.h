/*
 * Virtual CPUs: a thread each, the run loop, pausing, and the pins that chips drive.
 *
 * A vCPU is PAUSED (born so; outside run, takes no interrupts), RUNNING, or STOPPED (its thread has
 * ended). resume_all_vcpus is the last step of start-up: before it no guest instruction has run.
 *
 * On the virtual clock the vCPUs' code, device code and timers all run in one fixed order: one
 * thread runs all vCPUs; it holds the machine lock while it runs and runs due timers itself. The
 * vCPUs take turns, lowest index first: VCPU_TURN instructions each, less if the vCPU halts or says
 * PAUSE before; halted ones are passed over. Each instruction moves the clock, whichever vCPU ran
 * it, so n busy vCPUs are n processors of an n-th of the speed. Accelerators that cannot run vCPUs
 * side by side (not parallel) take the same turns on the host-driven clock, without the lock. Else
 * each vCPU has its own thread, and a change of the views is committed with all other vCPUs outside
 * run.
 */
#ifndef CORE_ACCEL_VCPU_H
#define CORE_ACCEL_VCPU_H

#include "core/accel/accel.h"
#include "core/accel/idle.h"
#include "core/cpu/cpuid.h"

#include <stdatomic.h>

/* Instructions. A prime, lest a spin loop of few instructions always ends its turn at one place. */
#define VCPU_TURN 1999
/* The time-stamp counter in virtual time. As on processors, not slower than the local APIC's
 * timer. */
#define VCPU_TSC_HZ 1000000000u

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
    PEND_NMI_TOO = 256, /* a second edge while the first waits: it is not lost, a third is */
};

/* The local APIC of a vCPU, as the processor uses it; the functions are [locked]. */
struct vcpu_apic_ops {
    /* where it keeps the physical address of its register page; ~0 there: it has none */
    const uint64_t *(*page)(void *apic);
    uint64_t (*read)(void *apic, uint64_t off, unsigned size);
    void (*write)(void *apic, uint64_t off, uint64_t val, unsigned size);
    bool (*read_msr)(void *apic, uint32_t index, uint64_t *val);  /* false: #GP(0) */
    bool (*write_msr)(void *apic, uint32_t index, uint64_t val);
    void (*set_deadline)(void *apic, uint64_t tsc, int64_t at_ns); /* IA32_TSC_DEADLINE */
    uint8_t (*tpr)(void *apic);       /* CR8 is bits 7:4 */
    void (*set_tpr)(void *apic, uint8_t tpr);
    void (*init)(void *apic);         /* the processor takes an INIT */
};

/* Why a vCPU left run with EXIT_DEBUG, or an event stopped it (debug.h). */
enum debug_hit_kind { HIT_NONE, HIT_STEP, HIT_CODE, HIT_DATA, HIT_COUNT, HIT_EVENT };

struct debug_hit {
    enum debug_hit_kind kind;
    uint64_t addr; /* CODE: linear; DATA: of the point that was hit, as it was given */
    uint8_t on;                  /* DATA: POINT_* of the point */
    bool physical;
    char text[160];              /* EVENT: what happened, one line */
};

/* What the next run is: all there is, or one instruction (with or without pending interrupts). */
enum vcpu_step { STEP_OFF, STEP_INSN, STEP_INSN_NO_INTR };

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
    bool in_access;               /* its device access is being carried out; own thread */
    bool in_run;                  /* inside accel->run, or about to be [locked] */
    struct vcpu *runner;          /* the vCPU whose thread runs this one */
    pthread_t thread;
    bool thread_started;
    /* of the host, for debuggers; 0: not started, or another vCPU's runs it */
    _Atomic int thread_id;
    uint64_t turn_end;            /* taking turns: icount at which this one's is over */
    struct lock_user lock_user;   /* its thread */
    pthread_cond_t cond;          /* state, requests and pending changed (with the machine lock) */
    int (*inta)(void *opaque);    /* interrupt acknowledge: the vector, 0..255 [locked] */
    void *inta_opaque;
    struct irq pin_intr, pin_nmi, pin_smi, pin_init, pin_a20;
    const struct vcpu_start *start; /* borrowed; NULL: at the reset vector */
    struct irq *ferr;             /* where the FERR# pin leads; borrowed, NULL: nowhere */
    const struct vcpu_apic_ops *apic_ops; /* borrowed; NULL: no local APIC */
    void *apic;
    const uint64_t *apic_page;    /* the APIC's own */
    uint8_t sipi_vector;          /* of the last SIPI [locked] */
    /* virtual clock bookkeeping */
    uint64_t clock_icount;        /* icount that is already in the clock */
    uint64_t acks;                /* interrupts acknowledged so far */
    uint64_t accesses;            /* device accesses so far */
    uint64_t tsc_reads;           /* of the time-stamp counter by the guest, so far */
    struct idle idle;
    struct idle_spin spin;
    uint64_t spin_reads;          /* tsc_reads at the last PAUSE */
    /* why it stopped for good or for a while */
    struct vcpu_exit last_exit;
    /* debugging; see debug.h */
    struct debug_hit hit;
    enum vcpu_step step;
    bool held;                    /* does not run although others do [locked] */
    uint64_t stop_count;          /* icount to stop at; UINT64_MAX: never */
};

/* Time rates of the virtual clock. */
struct vcpu_rates {
    int64_t insn_ns;   /* an instruction: 1..1000000 */
    int64_t io_ns;     /* a device access: 0..1000000 */
};
void vcpu_set_rates(struct machine *m, const struct vcpu_rates *r);

/* Creates vCPU number m->n_vcpus, PAUSED. [not locked] */
struct vcpu *vcpu_new(struct machine *m, struct error **err);

/* Pins of a vCPU, for boards. Drive them locked. */
struct irq *vcpu_intr(struct machine *m, unsigned index);
struct irq *vcpu_nmi(struct machine *m, unsigned index);
struct irq *vcpu_smi(struct machine *m, unsigned index);
struct irq *vcpu_init_pin(struct machine *m, unsigned index);
struct irq *vcpu_a20(struct machine *m, unsigned index);
/* A SIPI: a vCPU that waits for one starts at @vector << 12. [locked] */
void vcpu_startup(void *vcpu, uint8_t vector);
/* Each vCPU has a thread of its own, and they run at the same time: on the host-driven clock, if
 * the accelerator can. Else they take turns. */
bool vcpus_parallel(const struct machine *m);
/* What the CPU model has of it. */
struct vcpu_features {
    bool apic, x2apic, tsc_deadline;
};
struct vcpu_features vcpu_features(const struct machine *m);
/* How vCPUs share sockets, and the ID that the local APIC of one has after reset. */
struct x86_topology vcpu_topology(const struct machine *m);
uint32_t vcpu_apic_id(const struct machine *m, unsigned index);
/* Gives a vCPU its local APIC. Before the machine runs. */
void vcpu_set_apic(struct machine *m, unsigned index, const struct vcpu_apic_ops *ops, void *apic);
/* Where a vCPU starts after every reset, in place of the firmware: in real mode, with CS base 0 (or
 * the paragraph that @addr lies in, if that is above 64 KiB) and these registers, by enum
 * x86_gpr. */
struct vcpu_start {
    uint64_t addr;
    uint16_t gpr[8];
};
/* borrowed */
void vcpu_set_start(struct machine *m, unsigned index, const struct vcpu_start *start);
/* Who answers the interrupt acknowledge cycle. */
void vcpu_set_inta(struct machine *m, unsigned index, int (*inta)(void *opaque), void *opaque);

/* Lets every vCPU run. [locked] */
void resume_all_vcpus(struct machine *m);
/* Gets every vCPU out of run and waits for it; the clock stands still. [locked; not on a vCPU's
 * thread] */
void pause_all_vcpus(struct machine *m);
/* What a user's stop and cont do: as above, with m->run_state and its listeners. Starting fails
 * after a shutdown that only a reset ends. [locked; not on a vCPU's thread] */
bool machine_start(struct machine *m, struct error **err);
void machine_stop(struct machine *m);
/* Ends all threads and frees the vCPUs. [not locked] */
void vcpus_fini(struct machine *m);

/* Sets every vCPU to the reset state (vCPU 0 runs, others wait for SIPI). [locked, paused] */
void vcpus_reset(struct machine *m);

/* The vCPU that this thread runs at the moment; NULL: none. [any] */
struct vcpu *vcpu_running(void);

/* True if no guest instruction has run since power-on. */
bool vcpus_untouched(struct machine *m);

/* --- for accelerators ------------------------------------------------------------------------- */

/* Device access of a running vCPU: takes the lock if needed, charges virtual time, commits region
 * changes. [vcpu] */
uint64_t vcpu_read(struct vcpu *cpu, struct space *s, uint64_t addr, unsigned size);
void vcpu_write(struct vcpu *cpu, struct space *s, uint64_t addr, uint64_t val, unsigned size);
unsigned vcpu_read_block(struct vcpu *cpu, struct space *s, uint64_t addr, void *buf, unsigned size,
                         unsigned count);
unsigned vcpu_write_block(struct vcpu *cpu, struct space *s, uint64_t addr, const void *buf,
                          unsigned size, unsigned count);

/* The interrupt acknowledge cycle: the vector. [vcpu] */
int vcpu_acknowledge(struct vcpu *cpu);

/* MSRs of the local APIC (1Bh, 6E0h, 800h-8FFh): false is #GP(0). The vCPU must have one. [vcpu] */
bool vcpu_read_apic_msr(struct vcpu *cpu, uint32_t index, uint64_t *val);
bool vcpu_write_apic_msr(struct vcpu *cpu, uint32_t index, uint64_t val);
void vcpu_set_apic_deadline(struct vcpu *cpu, uint64_t tsc, int64_t at_ns);
uint8_t vcpu_cr8(struct vcpu *cpu);
void vcpu_set_cr8(struct vcpu *cpu, uint8_t val);
/* The vCPU takes an INIT: its local APIC hears of it. [vcpu] */
void vcpu_took_init(struct vcpu *cpu);
/* The vector of the SIPI that is pending. [vcpu] */
uint8_t vcpu_sipi_vector(struct vcpu *cpu);

/* The guest polls (idle_is_poll said so) before instruction @icount. On the host-driven clock a
 * vCPU that does nothing else rests here until something is pending, some milliseconds at most.
 * [vcpu] */
void vcpu_polls(struct vcpu *cpu, uint64_t icount);

/* The guest spins (PAUSE) before instruction @icount. On the host-driven clock a vCPU that does so
 * for long rests here for some microseconds, or until a bit of @wanted is pending. Where others run
 * at the same time, only one that looks at the time-stamp counter in between: another one waits for
 * them. False: it did not rest. [vcpu] */
bool vcpu_spins(struct vcpu *cpu, uint64_t icount, uint32_t wanted);

/* Between alone(true) and alone(false) every other vCPU is outside run or waits in a device access.
 * Not where vCPUs take turns. Nothing in between may leave run. [vcpu, not locked] */
void vcpu_alone(struct vcpu *cpu, bool on);

/* The guest spins (PAUSE): where vCPUs take turns, this one's is over after the running
 * instruction. vcpu_slice changes. [vcpu] */
void vcpu_end_turn(struct vcpu *cpu);

/* How many instructions may run before the next timer of the virtual clock is due (0: one is due
 * now) or the turn ends; INT64_MAX where neither ends a run. Changes at every device access.
 * [vcpu] */
int64_t vcpu_slice(struct vcpu *cpu);

#endif
