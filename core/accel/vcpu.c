/*
 * vCPU threads and the run loop that all accelerators share. See vcpu.h.
 *
 * A thread's life: born PAUSED, it takes the machine lock and waits. Once RUNNING it alternates
 * between housekeeping (requests, timers of the virtual clock, halts), with the lock, and accel->run:
 * without the lock on the host-driven clock, with it on the virtual clock, where the lock is handed
 * over between slices only.
 */
#include "core/accel/vcpu.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/log.h"
#include "core/cpu/cpuid.h"
#include "trace/core_accel.h"

#include <stdlib.h>
#include <time.h>

/* A slice ends at latest after this many instructions, so that the main loop gets the lock. */
#define SLICE_MAX 100000

/* Longest rest of a guest that polls. An interrupt ends it at once. */
#define REST_NS (4 * NS_PER_MS)

struct vcpu_group {
    struct vcpu_rates rates;
    struct vcpu *running;         /* virtual clock: inside run, holding the lock */
    bool ending;                  /* threads are to end */
    pthread_cond_t paused;        /* some vCPU became PAUSED */
};

static bool on_virtual_clock(const struct machine *m)
{
    return m->clock.driver == CLOCK_VIRTUAL;
}

/* ---- pins ------------------------------------------------------------------------------------ */

static struct vcpu *nth(struct machine *m, unsigned index)
{
    return index < m->n_vcpus ? m->vcpus[index] : NULL;
}

/* Something that a halted or running vCPU must notice. */
static void raise_pending(struct vcpu *cpu, uint32_t bits)
{
    uint32_t was = atomic_fetch_or(&cpu->pending, bits);
    if ((was & bits) != bits) {
        cpu->accel->kick(cpu);
        pthread_cond_broadcast(&cpu->cond);
    }
}

static void intr_changed(void *opaque, unsigned n, bool level)
{
    struct vcpu *cpu = opaque;
    if (level) {
        raise_pending(cpu, PEND_INTR);
    } else {
        atomic_fetch_and(&cpu->pending, ~(uint32_t)PEND_INTR);
    }
}

/* NMI, SMI# and INIT# are edge triggered ([SDM3] "Nonmaskable Interrupt (NMI)"); n is the PEND_ bit. */
static void edge_seen(void *opaque, unsigned n, bool level)
{
    if (level) {
        raise_pending(opaque, n);
    }
}

static void a20_changed(void *opaque, unsigned n, bool level)
{
    struct vcpu *cpu = opaque;
    if (cpu->a20 != level) {
        cpu->a20 = level;
        raise_pending(cpu, PEND_A20);
    }
}

#define PIN(name, field)                                                                           \
    struct irq *name(struct machine *m, unsigned index)                                            \
    {                                                                                              \
        struct vcpu *cpu = nth(m, index);                                                          \
        return cpu != NULL ? &cpu->field : NULL;                                                   \
    }
PIN(vcpu_intr, pin_intr)
PIN(vcpu_nmi, pin_nmi)
PIN(vcpu_smi, pin_smi)
PIN(vcpu_init_pin, pin_init)
PIN(vcpu_a20, pin_a20)
#undef PIN

void vcpu_set_inta(struct machine *m, unsigned index, int (*inta)(void *opaque), void *opaque)
{
    struct vcpu *cpu = nth(m, index);
    if (cpu != NULL) {
        cpu->inta = inta;
        cpu->inta_opaque = opaque;
    }
}

/* ---- virtual time ---------------------------------------------------------------------------- */

static void sync_clock(void *opaque)
{
    struct machine *m = opaque;
    struct vcpu *cpu = m->vcpu_group->running;
    if (cpu != NULL) {
        uint64_t icount = cpu->accel->icount(cpu);
        m->clock.now_ns += (int64_t)(icount - cpu->clock_icount) * m->vcpu_group->rates.insn_ns;
        cpu->clock_icount = icount;
    }
}

/* A timer was armed that is due before all others: the running slice may be too long now. */
static void deadline_moved(void *opaque)
{
    struct machine *m = opaque;
    struct vcpu *cpu = m->vcpu_group->running;
    if (cpu != NULL && cpu->accel->slice_changed != NULL) {
        cpu->accel->slice_changed(cpu);
    }
}

int64_t vcpu_slice(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    if (!on_virtual_clock(m)) {
        return INT64_MAX;
    }
    if (m->reset_request != CAUSE_NONE || m->stop_request != CAUSE_NONE) {
        return 0;
    }
    int64_t left = clock_deadline(&m->clock);
    if (left != TIME_NEVER) {
        left -= clock_now(&m->clock);
    }
    if (left <= 0) {
        return 0;
    }
    int64_t rate = m->vcpu_group->rates.insn_ns;
    return left / rate >= SLICE_MAX ? SLICE_MAX : (left + rate - 1) / rate;
}

void vcpu_set_rates(struct machine *m, const struct vcpu_rates *r)
{
    m->vcpu_group->rates = *r;
}

/* ---- device accesses of a running vCPU ------------------------------------------------------- */

static void access_begin(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    cpu->accesses++;
    if (!on_virtual_clock(m)) {
        lock_take(&m->lock);
    }
}

static void access_end(struct machine *m)
{
    if (unlikely(m->commit_pending)) {
        machine_commit(m);
    }
    if (on_virtual_clock(m)) {
        m->clock.now_ns += m->vcpu_group->rates.io_ns;
    } else {
        lock_drop(&m->lock);
    }
}

uint64_t vcpu_read(struct vcpu *cpu, struct space *s, uint64_t addr, unsigned size)
{
    access_begin(cpu);
    uint64_t val = space_read(s, addr, size);
    if (s == &cpu->machine->ports) {
        trace_port_read(cpu->index, (unsigned)addr, size, (int)size * 2, val);
    } else {
        trace_mmio_read(cpu->index, addr, size, (int)size * 2, val);
    }
    access_end(cpu->machine);
    return val;
}

void vcpu_write(struct vcpu *cpu, struct space *s, uint64_t addr, uint64_t val, unsigned size)
{
    access_begin(cpu);
    if (s == &cpu->machine->ports) {
        trace_port_write(cpu->index, (unsigned)addr, size, (int)size * 2, val);
    } else {
        trace_mmio_write(cpu->index, addr, size, (int)size * 2, val);
    }
    space_write(s, addr, val, size);
    access_end(cpu->machine);
}

unsigned vcpu_read_block(struct vcpu *cpu, struct space *s, uint64_t addr, void *buf, unsigned size,
                         unsigned count)
{
    access_begin(cpu);
    unsigned n = space_read_block(s, addr, buf, size, count);
    access_end(cpu->machine);
    return n;
}

unsigned vcpu_write_block(struct vcpu *cpu, struct space *s, uint64_t addr, const void *buf, unsigned size,
                          unsigned count)
{
    access_begin(cpu);
    unsigned n = space_write_block(s, addr, buf, size, count);
    access_end(cpu->machine);
    return n;
}

void vcpu_polls(struct vcpu *cpu, uint64_t icount)
{
    struct machine *m = cpu->machine;
    if (on_virtual_clock(m) || !idle_poll(&cpu->idle, icount, cpu->accesses)) {
        return;
    }
    lock_take(&m->lock);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += REST_NS;
    if (until.tv_nsec >= NS_PER_SEC) {
        until.tv_nsec -= NS_PER_SEC;
        until.tv_sec++;
    }
    if (atomic_load(&cpu->pending) == 0) {
        pthread_cond_timedwait(&cpu->cond, &m->lock.mutex, &until);
    }
    lock_drop(&m->lock);
}

int vcpu_acknowledge(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    int vector = 0xff;
    access_begin(cpu);
    if (cpu->inta != NULL) {
        vector = cpu->inta(cpu->inta_opaque) & 0xff;
    }
    trace_vcpu_intr(cpu->index, (unsigned)vector);
    access_end(m);
    return vector;
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Which PEND_ bits would end the halt that the vCPU is in. */
static uint32_t wake_mask(struct vcpu *cpu)
{
    static _Thread_local struct x86_state s;
    cpu->accel->get_state(cpu, &s);
    return PEND_INIT | (s.smi_blocked ? 0 : PEND_SMI) | (s.nmi_blocked ? 0 : PEND_NMI) |
           ((s.rflags & FL_IF) ? PEND_INTR : 0) | (s.activity == ACT_WAIT_SIPI ? PEND_SIPI : 0);
}

static bool wanted_outside(const struct vcpu *cpu)
{
    const struct machine *m = cpu->machine;
    return cpu->pause_wanted || m->vcpu_group->ending || m->reset_request != CAUSE_NONE ||
           m->stop_request != CAUSE_NONE;
}

/* One step of a halt: waits, or moves the virtual clock on. [locked] */
static void wait_halted(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    uint32_t wake = wake_mask(cpu);
    if (atomic_load(&cpu->pending) & wake) {
        cpu->halted = false;
        return;
    }
    bool dead = (wake & PEND_INTR) == 0;
    if (dead && m->stop_on_dead_halt) {
        machine_request_stop(m, CAUSE_DEAD_HALT, 0);
        return;
    }
    int64_t deadline = clock_deadline(&m->clock);
    if (!on_virtual_clock(m) || deadline == TIME_NEVER) {
        lock_wait(&m->lock, &cpu->cond);
        return;
    }
    int64_t now = clock_now(&m->clock);
    if (deadline > now) {
        clock_advance(&m->clock, deadline - now);
    }
    clock_run_timers(&m->clock);
    lock_yield(&m->lock);
}

static void run_once(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    struct vcpu_exit *exit = &cpu->last_exit;
    cpu->in_run = true;
    if (on_virtual_clock(m)) {
        m->vcpu_group->running = cpu;
        cpu->accel->run(cpu, exit);
        sync_clock(m);
        m->vcpu_group->running = NULL;
    } else {
        lock_drop(&m->lock);
        cpu->accel->run(cpu, exit);
        lock_take(&m->lock);
    }
    cpu->in_run = false;
}

/* The one exit switch. [locked] */
static void handle_exit(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    struct vcpu_exit *exit = &cpu->last_exit;
    switch (exit->reason) {
    case EXIT_HALT:
        cpu->halted = true;
        break;
    case EXIT_SHUTDOWN:
        machine_request_reset(m, CAUSE_TRIPLE_FAULT);
        break;
    case EXIT_ERROR:
        log_error("vCPU %u cannot go on: %s", cpu->index, exit->error.text);
        machine_request_stop(m, CAUSE_ERROR, 1);
        break;
    case EXIT_IO:
    case EXIT_MMIO:
    case EXIT_KICKED:
    case EXIT_SLICE:
    case EXIT_IRQ_WINDOW:
    case EXIT_DEBUG:
        break;
    }
}

static void *vcpu_main(void *opaque)
{
    struct vcpu *cpu = opaque;
    struct machine *m = cpu->machine;
    lock_take(&m->lock);
    while (!m->vcpu_group->ending) {
        if (cpu->pause_wanted) {
            cpu->state = VCPU_PAUSED;
            pthread_cond_broadcast(&m->vcpu_group->paused);
            lock_wait(&m->lock, &cpu->cond);
            continue;
        }
        cpu->state = VCPU_RUNNING;
        atomic_fetch_and(&cpu->pending, ~(uint32_t)PEND_KICK);
        if (wanted_outside(cpu)) {
            lock_wait(&m->lock, &cpu->cond); /* until the main loop has carried the request out */
            continue;
        }
        if (on_virtual_clock(m)) {
            lock_yield(&m->lock);
            clock_run_timers(&m->clock);
            if (wanted_outside(cpu)) {
                continue;
            }
        }
        if (cpu->halted) {
            wait_halted(cpu);
            continue;
        }
        run_once(cpu);
        handle_exit(cpu);
    }
    cpu->state = VCPU_STOPPED;
    lock_drop(&m->lock);
    return NULL;
}

/* ---- requests -------------------------------------------------------------------------------- */

static void kick_all(struct machine *m)
{
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        struct vcpu *cpu = m->vcpus[i];
        atomic_fetch_or(&cpu->pending, PEND_KICK);
        cpu->accel->kick(cpu);
        pthread_cond_broadcast(&cpu->cond);
    }
}

static bool guest_asked(enum machine_cause cause)
{
    return cause == CAUSE_GUEST_SHUTDOWN || cause == CAUSE_GUEST_RESET || cause == CAUSE_TRIPLE_FAULT;
}

static void carry_out_stop(struct machine *m)
{
    enum machine_cause cause = m->stop_request;
    machine_tell(m, MACHINE_SHUTDOWN, cause);
    if (m->no_shutdown && guest_asked(cause)) {
        m->stop_request = CAUSE_NONE;
        m->run_state = RUN_SHUTDOWN;
        machine_tell(m, MACHINE_STOPPED, cause);
    } else {
        loop_quit(&m->loop);
    }
}

/* On the main loop: carries out what devices and front ends asked for. [locked] */
static void carry_out(void *opaque)
{
    struct machine *m = opaque;
    if (m->stop_request == CAUSE_NONE && m->reset_request == CAUSE_NONE) {
        return;
    }
    pause_all_vcpus(m);
    if (m->stop_request != CAUSE_NONE) {
        carry_out_stop(m);
        return;
    }
    enum machine_cause cause = m->reset_request;
    m->reset_request = CAUSE_NONE;
    machine_reset(m);
    machine_tell(m, MACHINE_RESET, cause);
    if (m->run_state == RUN_RUNNING) {
        resume_all_vcpus(m);
    } else {
        m->run_state = RUN_PRELAUNCH;
    }
}

static void requested(struct machine *m)
{
    kick_all(m);
    loop_defer(&m->loop, carry_out, m);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void cpus_save(struct machine *m, struct state_buf *out)
{
    struct x86_state *s = NEW(struct x86_state);
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        char id[16];
        snprintf(id, sizeof(id), "cpu%u", i);
        m->accel->get_state(m->vcpus[i], s);
        state_save_section(out, id, 1, x86_state_fields, s, &m->clock);
    }
    free(s);
}

static void view_changed(void *opaque, struct space *s, const struct view *old, const struct view *now)
{
    struct machine *m = opaque;
    if (m->accel->view_changed != NULL) {
        m->accel->view_changed(m, s, old, now);
    }
}

static const struct machine_cpu_ops cpu_ops = {
    .reset = vcpus_reset, .save = cpus_save, .fini = vcpus_fini,
};

static void group_init(struct machine *m)
{
    m->vcpu_group = NEW(struct vcpu_group);
    m->vcpu_group->rates = (struct vcpu_rates){.insn_ns = 30, .io_ns = 1000};
    pthread_cond_init(&m->vcpu_group->paused, NULL);
    if (on_virtual_clock(m)) { /* the host-driven clock's timers are the main loop's */
        m->clock.sync = sync_clock;
        m->clock.sync_opaque = m;
        m->clock.earlier = deadline_moved;
        m->clock.earlier_opaque = m;
    }
    m->requested = requested;
    m->cpu_ops = &cpu_ops;
    struct space *spaces[] = {&m->mem, &m->smm, &m->ports};
    for (unsigned i = 0; i < ARRAY_SIZE(spaces); i++) {
        spaces[i]->changed = view_changed;
        spaces[i]->changed_opaque = m;
    }
}

struct vcpu *vcpu_new(struct machine *m, struct error **err)
{
    if (m->n_vcpus == MACHINE_MAX_VCPUS) {
        error_set(err, "a machine has at most %d vCPUs", MACHINE_MAX_VCPUS);
        return NULL;
    }
    if (m->vcpu_group == NULL) {
        group_init(m);
    }
    struct vcpu *cpu = NEW(struct vcpu);
    *cpu = (struct vcpu){
        .machine = m, .index = m->n_vcpus, .accel = m->accel, .a20 = true, .pause_wanted = true,
    };
    irq_init(&cpu->pin_intr, intr_changed, cpu, 0);
    irq_init(&cpu->pin_nmi, edge_seen, cpu, PEND_NMI);
    irq_init(&cpu->pin_smi, edge_seen, cpu, PEND_SMI);
    irq_init(&cpu->pin_init, edge_seen, cpu, PEND_INIT);
    irq_init(&cpu->pin_a20, a20_changed, cpu, 0);
    pthread_cond_init(&cpu->cond, NULL);
    if (!m->accel->vcpu_init(cpu, err)) {
        goto free_cpu;
    }
    int rc = pthread_create(&cpu->thread, NULL, vcpu_main, cpu);
    if (rc != 0) {
        error_errno(err, rc, "create the thread of vCPU %u", cpu->index);
        goto fini_accel;
    }
    cpu->thread_started = true;
    m->vcpus[m->n_vcpus++] = cpu;
    return cpu;
fini_accel:
    m->accel->vcpu_fini(cpu);
free_cpu:
    pthread_cond_destroy(&cpu->cond);
    free(cpu);
    return NULL;
}

void resume_all_vcpus(struct machine *m)
{
    if (m->commit_pending) {
        machine_commit(m);
    }
    clock_start(&m->clock);
    m->run_state = RUN_RUNNING;
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        m->vcpus[i]->pause_wanted = false;
        pthread_cond_broadcast(&m->vcpus[i]->cond);
    }
}

void pause_all_vcpus(struct machine *m)
{
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        m->vcpus[i]->pause_wanted = true;
    }
    kick_all(m);
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        while (m->vcpus[i]->state == VCPU_RUNNING) {
            lock_wait(&m->lock, &m->vcpu_group->paused);
        }
    }
    clock_stop(&m->clock);
}

bool machine_start(struct machine *m, struct error **err)
{
    if (m->run_state == RUN_SHUTDOWN) {
        return error_set(err, "Resetting the Virtual Machine is required");
    }
    if (m->run_state != RUN_RUNNING) {
        resume_all_vcpus(m);
        machine_tell(m, MACHINE_RESUMED, CAUSE_NONE);
    }
    return true;
}

void machine_stop(struct machine *m)
{
    if (m->run_state == RUN_RUNNING) {
        pause_all_vcpus(m);
        m->run_state = RUN_PAUSED;
        machine_tell(m, MACHINE_STOPPED, CAUSE_NONE);
    }
}

void vcpus_fini(struct machine *m)
{
    if (m->vcpu_group == NULL) {
        return;
    }
    lock_take(&m->lock);
    m->vcpu_group->ending = true;
    kick_all(m);
    lock_drop(&m->lock);
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        struct vcpu *cpu = m->vcpus[i];
        pthread_join(cpu->thread, NULL);
        m->accel->vcpu_fini(cpu);
        pthread_cond_destroy(&cpu->cond);
        free(cpu);
        m->vcpus[i] = NULL;
    }
    m->n_vcpus = 0;
    pthread_cond_destroy(&m->vcpu_group->paused);
    free(m->vcpu_group);
    m->vcpu_group = NULL;
    m->cpu_ops = NULL;
    m->requested = NULL;
    if (on_virtual_clock(m)) {
        m->clock.sync = NULL;
        m->clock.earlier = NULL;
    }
}

void vcpus_reset(struct machine *m)
{
    struct x86_state *s = NEW(struct x86_state);
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        struct vcpu *cpu = m->vcpus[i];
        x86_state_reset(s, m->cpu_model->signature, false);
        s->activity = i == 0 ? ACT_RUNNING : ACT_WAIT_SIPI;
        s->a20 = cpu->a20;
        cpu->accel->set_state(cpu, s);
        cpu->halted = i != 0;
        atomic_fetch_and(&cpu->pending, PEND_KICK | PEND_INTR);
    }
    free(s);
}

bool vcpus_untouched(struct machine *m)
{
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        if (m->accel->icount(m->vcpus[i]) != 0) {
            return false;
        }
    }
    return true;
}
