/*
 * vCPU threads and the run loop that all accelerators share. See vcpu.h.
 *
 * A thread's life: born PAUSED, it takes the machine lock and waits. Once RUNNING it alternates
 * between housekeeping (requests, timers of the virtual clock, halts, whose turn it is), with the
 * lock, and accel->run: without the lock on the host-driven clock, with it on the virtual clock,
 * where the lock is handed over between slices only.
 */
#include "core/accel/vcpu.h"

#include "core/accel/exit.h"
#include "core/accel/debug.h"
#include "core/accel/vcpu_group.h"
#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/log.h"
#include "core/cpu/cpuid.h"
#include "trace/core_accel.h"

#include <stdlib.h>
#include <unistd.h>

/* A slice ends at latest after this many instructions, so that the main loop gets the lock. */
#define SLICE_MAX 100000

/* ---- pins ------------------------------------------------------------------------------------ */

static struct vcpu *nth(struct machine *m, unsigned index)
{
    return index < m->n_vcpus ? m->vcpus[index] : NULL;
}

void vcpu_wake(struct vcpu *cpu)
{
    pthread_cond_broadcast(&cpu->runner->cond);
}

/* Something that a halted or running vCPU must notice. */
static void raise_pending(struct vcpu *cpu, uint32_t bits)
{
    uint32_t was = atomic_fetch_or(&cpu->pending, bits);
    if ((was & bits) != bits) {
        cpu->accel->kick(cpu);
        vcpu_wake(cpu);
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

/* NMI, SMI# and INIT# are edge triggered ([SDM3] "Nonmaskable Interrupt (NMI)"); n is the PEND_
 * bit. */
static void edge_seen(void *opaque, unsigned n, bool level)
{
    const struct vcpu *cpu = opaque;
    if (level) {
        bool waits = n == PEND_NMI && (atomic_load(&cpu->pending) & PEND_NMI);
        raise_pending(opaque, waits ? PEND_NMI_TOO : n);
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

bool vcpus_parallel(const struct machine *m)
{
    return !one_thread(m);
}

void vcpu_startup(void *vcpu, uint8_t vector)
{
    struct vcpu *cpu = vcpu;
    cpu->sipi_vector = vector;
    raise_pending(cpu, PEND_SIPI);
}

void vcpu_set_inta(struct machine *m, unsigned index, int (*inta)(void *opaque), void *opaque)
{
    struct vcpu *cpu = nth(m, index);
    if (cpu != NULL) {
        cpu->inta = inta;
        cpu->inta_opaque = opaque;
    }
}

void vcpu_kick_all(struct machine *m)
{
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        struct vcpu *cpu = m->vcpus[i];
        atomic_fetch_or(&cpu->pending, PEND_KICK);
        cpu->accel->kick(cpu);
        vcpu_wake(cpu);
    }
}

static bool guest_asked(enum machine_cause cause)
{
    return cause == CAUSE_GUEST_SHUTDOWN || cause == CAUSE_GUEST_RESET ||
           cause == CAUSE_TRIPLE_FAULT;
}

/* True if a machine that stops for this reason is kept, paused. */
static bool kept_after(const struct machine *m, enum machine_cause cause)
{
    if (cause == CAUSE_GUEST_PANIC) {
        return m->panic_action == PANIC_PAUSE ||
               (m->panic_action == PANIC_SHUTDOWN && m->no_shutdown);
    }
    return m->no_shutdown && guest_asked(cause);
}

static void carry_out_stop(struct machine *m)
{
    enum machine_cause cause = m->stop_request;
    machine_tell(m, MACHINE_SHUTDOWN, cause);
    if (kept_after(m, cause)) {
        m->stop_request = CAUSE_NONE;
        m->run_state = cause == CAUSE_GUEST_PANIC ? RUN_GUEST_PANICKED : RUN_SHUTDOWN;
        machine_tell(m, MACHINE_STOPPED, cause);
    } else {
        loop_quit(&m->loop);
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

/* Instructions left in the turn of @cpu. */
static int64_t turn_left(struct vcpu *cpu)
{
    if (cpu->machine->n_vcpus == 1 || !one_thread(cpu->machine)) {
        return INT64_MAX;
    }
    int64_t left = (int64_t)(cpu->turn_end - cpu->accel->icount(cpu));
    return left > 0 ? left : 0;
}

void vcpu_end_turn(struct vcpu *cpu)
{
    cpu->turn_end = cpu->accel->icount(cpu);
}

int64_t vcpu_slice(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    int64_t turn = turn_left(cpu);
    if (!on_virtual_clock(m)) {
        return turn;
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
    int64_t slice = left / rate >= SLICE_MAX ? SLICE_MAX : (left + rate - 1) / rate;
    return slice < turn ? slice : turn;
}

void vcpu_set_rates(struct machine *m, const struct vcpu_rates *r)
{
    m->vcpu_group->rates = *r;
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Which PEND_ bits would end the halt that the vCPU is in. */
static uint32_t wake_mask(struct vcpu *cpu)
{
    static _Thread_local struct x86_state s;
    cpu->accel->get_state(cpu, &s);
    if (s.activity == ACT_WAIT_SIPI) { /* [SDM3] "Wait-for-SIPI State": nothing else ends it */
        return PEND_INIT | PEND_SIPI;
    }
    return PEND_INIT | (s.smi_blocked ? 0 : PEND_SMI) | (s.nmi_blocked ? 0 : PEND_NMI) |
           ((s.rflags & FL_IF) ? PEND_INTR : 0);
}

/* True if @cpu can run: it is not halted, or what is pending ends its halt. */
static bool awake(struct vcpu *cpu)
{
    if (unlikely(cpu->held)) {
        return false;
    }
    uint32_t pending = atomic_load(&cpu->pending) & ~(uint32_t)PEND_KICK;
    if (cpu->halted && pending != 0 && (pending & wake_mask(cpu))) {
        cpu->halted = false;
    }
    return !cpu->halted;
}

/* Which of its vCPUs the thread of @lead lets run now; NULL: all are halted. */
static struct vcpu *next_to_run(struct vcpu *lead)
{
    struct machine *m = lead->machine;
    struct vcpu_group *g = m->vcpu_group;
    if (m->n_vcpus == 1 || !one_thread(m)) {
        return awake(lead) ? lead : NULL;
    }
    struct vcpu *cpu = m->vcpus[g->turn];
    if (awake(cpu) && turn_left(cpu) > 0) {
        return cpu;
    }
    for (unsigned i = 1; i <= m->n_vcpus; i++) {
        unsigned n = (g->turn + i) % m->n_vcpus;
        cpu = m->vcpus[n];
        if (awake(cpu)) {
            g->turn = n;
            cpu->turn_end = cpu->accel->icount(cpu) + VCPU_TURN;
            return cpu;
        }
    }
    return NULL;
}

static bool wanted_outside(const struct vcpu *cpu)
{
    const struct machine *m = cpu->machine;
    return cpu->pause_wanted || m->vcpu_group->ending || m->vcpu_group->alone != NULL ||
           (m->stops != NULL && m->stops->stopping != NULL) ||
           m->reset_request != CAUSE_NONE || m->stop_request != CAUSE_NONE;
}

/* Every vCPU is halted with interrupts off: nothing but an NMI or SMI can go on. */
static bool dead(struct machine *m)
{
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        if (!m->vcpus[i]->halted || (wake_mask(m->vcpus[i]) & PEND_INTR)) {
            return false;
        }
    }
    return true;
}

/* One step of a halt of all vCPUs of a thread: waits, or moves the virtual clock on. [locked] */
static void wait_halted(struct vcpu *lead)
{
    struct machine *m = lead->machine;
    if (m->stop_on_halt || (m->stop_on_dead_halt && dead(m))) {
        machine_request_stop(m, CAUSE_DEAD_HALT, 0);
        return;
    }
    int64_t deadline = clock_deadline(&m->clock);
    if (!on_virtual_clock(m) || deadline == TIME_NEVER) {
        lock_wait(&m->lock, &lead->cond);
        return;
    }
    int64_t now = clock_now(&m->clock);
    if (deadline > now) {
        clock_advance(&m->clock, deadline - now);
    }
    clock_run_timers(&m->clock);
    lock_yield(&m->lock);
}

static _Thread_local struct vcpu *running;

struct vcpu *vcpu_running(void)
{
    return running;
}

static void run_once(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    struct vcpu_exit *exit = &cpu->last_exit;
    cpu->in_run = true;
    running = cpu;
    if (on_virtual_clock(m)) {
        m->vcpu_group->running = cpu;
        vcpu_run(cpu, exit);
        sync_clock(m);
        m->vcpu_group->running = NULL;
    } else {
        lock_drop(&m->lock);
        vcpu_run(cpu, exit);
        lock_take(&m->lock);
    }
    running = NULL;
    cpu->in_run = false;
    if (m->vcpu_group->alone != NULL) {
        pthread_cond_broadcast(&m->vcpu_group->paused);
    }
}

static void tell_death(struct vcpu *cpu, enum machine_cause cause)
{
    struct machine *m = cpu->machine;
    if (m->died != NULL) {
        m->died(m->died_opaque, cpu, cause);
    }
}

/* The one exit switch. [locked] */
static void handle_exit(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    struct vcpu_exit *exit = &cpu->last_exit;
    if (unlikely(cpu->hit.kind != HIT_NONE) && exit->reason != EXIT_DEBUG) {
        vcpu_debug_stop(cpu);
    }
    if (unlikely(m->reset_request == CAUSE_GUEST_RESET)) {
        tell_death(cpu, CAUSE_GUEST_RESET);
    }
    switch (exit->reason) {
    case EXIT_HALT:
        cpu->halted = true;
        if (m->died != NULL && !m->stop_on_halt && dead(m)) { /* HLT is how a flat run ends */
            tell_death(cpu, CAUSE_DEAD_HALT);
        }
        break;
    case EXIT_SHUTDOWN:
        tell_death(cpu, CAUSE_TRIPLE_FAULT);
        machine_request_reset(m, CAUSE_TRIPLE_FAULT);
        break;
    case EXIT_ERROR:
        if (exit->error.movable && m->next_accel != NULL && vcpus_move(m, exit->error.text)) {
            break;
        }
        log_error("vCPU %u cannot go on: %s", cpu->index, exit->error.text);
        tell_death(cpu, CAUSE_ERROR);
        machine_request_stop(m, CAUSE_ERROR, 1);
        break;
    case EXIT_IO:
    case EXIT_MMIO:
    case EXIT_KICKED:
    case EXIT_SLICE:
    case EXIT_IRQ_WINDOW:
        break;
    case EXIT_DEBUG:
        vcpu_debug_stop(cpu);
        break;
    }
}

/* Of all vCPUs that the thread of @lead runs. */
static void set_states(struct vcpu *lead, enum vcpu_state state)
{
    const struct machine *m = lead->machine;
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        if (m->vcpus[i]->runner == lead) {
            m->vcpus[i]->state = state;
        }
    }
}

static void forget_kicks(struct vcpu *lead)
{
    const struct machine *m = lead->machine;
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        if (m->vcpus[i]->runner == lead) {
            atomic_fetch_and(&m->vcpus[i]->pending, ~(uint32_t)PEND_KICK);
        }
    }
}

static void *vcpu_main(void *opaque)
{
    struct vcpu *lead = opaque;
    struct machine *m = lead->machine;
    lead->thread_id = gettid();
    lock_favour(&lead->lock_user);
    lock_take(&m->lock);
    while (!m->vcpu_group->ending) {
        if (lead->pause_wanted) {
            set_states(lead, VCPU_PAUSED);
            pthread_cond_broadcast(&m->vcpu_group->paused);
            lock_wait(&m->lock, &lead->cond);
            continue;
        }
        set_states(lead, VCPU_RUNNING);
        forget_kicks(lead);
        if (wanted_outside(lead)) {
            lock_wait(&m->lock, &lead->cond); /* until whoever wants us outside is done */
            continue;
        }
        if (on_virtual_clock(m)) {
            lock_yield(&m->lock);
            clock_run_timers(&m->clock);
            if (wanted_outside(lead)) {
                continue;
            }
        }
        struct vcpu *cpu = next_to_run(lead);
        if (cpu == NULL) {
            wait_halted(lead);
            continue;
        }
        run_once(cpu);
        handle_exit(cpu);
    }
    set_states(lead, VCPU_STOPPED);
    lock_drop(&m->lock);
    return NULL;
}

/* ---- requests -------------------------------------------------------------------------------- */

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
    vcpu_kick_all(m);
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

static void view_changed(void *opaque, struct space *s, const struct view *old,
                         const struct view *now)
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
        .stop_count = UINT64_MAX,
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
    cpu->runner = one_thread(m) && cpu->index > 0 ? m->vcpus[0] : cpu;
    int rc = cpu->runner == cpu ? pthread_create(&cpu->thread, NULL, vcpu_main, cpu) : 0;
    if (rc != 0) {
        error_errno(err, rc, "create the thread of vCPU %u", cpu->index);
        goto fini_accel;
    }
    cpu->thread_started = cpu->runner == cpu;
    lock_take(&m->lock); /* threads look at the list */
    m->vcpus[m->n_vcpus++] = cpu;
    lock_drop(&m->lock);
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
        vcpu_wake(m->vcpus[i]);
    }
}

void pause_all_vcpus(struct machine *m)
{
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        m->vcpus[i]->pause_wanted = true;
    }
    vcpu_kick_all(m);
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
    vcpu_kick_all(m);
    lock_drop(&m->lock);
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        if (m->vcpus[i]->thread_started) {
            pthread_join(m->vcpus[i]->thread, NULL);
        }
    }
    lock_take(&m->lock); /* so that no vCPU's thread is its favourite any more */
    lock_drop(&m->lock);
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        struct vcpu *cpu = m->vcpus[i];
        m->accel->vcpu_fini(cpu);
        pthread_cond_destroy(&cpu->cond);
        free(cpu);
        m->vcpus[i] = NULL;
    }
    m->n_vcpus = 0;
    stops_free(m->stops);
    m->stops = NULL;
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

void vcpu_set_start(struct machine *m, unsigned index, const struct vcpu_start *start)
{
    struct vcpu *cpu = nth(m, index);
    if (cpu != NULL) {
        cpu->start = start;
    }
}

static void start_at(struct x86_state *s, const struct vcpu_start *start)
{
    uint64_t paragraph = start->addr <= 0xffff ? 0 : start->addr >> 4;
    s->seg[S_CS].sel = (uint16_t)paragraph;
    s->seg[S_CS].base = paragraph << 4;
    s->rip = start->addr - s->seg[S_CS].base;
    for (unsigned i = 0; i < ARRAY_SIZE(start->gpr); i++) {
        s->gpr[i] = start->gpr[i];
    }
}

void vcpus_reset(struct machine *m)
{
    struct x86_state *s = NEW(struct x86_state);
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        struct vcpu *cpu = m->vcpus[i];
        x86_state_reset(s, m->cpu_model->signature, false);
        s->tsc_offset = 0 - muldiv64((uint64_t)clock_now(&m->clock), VCPU_TSC_HZ, NS_PER_SEC);
        if (i != 0) { /* [SDM3] "MP Initialization Protocol": an application processor */
            s->activity = ACT_WAIT_SIPI;
            s->apic_base &= ~(uint64_t)APIC_BASE_BSP;
        }
        s->a20 = cpu->a20;
        if (cpu->start != NULL) {
            start_at(s, cpu->start);
        }
        cpu->accel->set_state(cpu, s);
        cpu->halted = i != 0;
        cpu->turn_end = 0;
        atomic_fetch_and(&cpu->pending, PEND_KICK | PEND_INTR);
    }
    m->vcpu_group->turn = m->n_vcpus - 1; /* vCPU 0 is next */
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
