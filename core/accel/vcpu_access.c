/*
 * What a running vCPU does outside of its engine: device accesses, interrupt acknowledge, rests.
 *
 * Model:  an access takes the lock where the vCPU runs without it, costs virtual time, and commits
 *         the changes of the memory map that it made. The registers of the local APIC are inside
 *         the processor and found before the memory map.
 */
#include "core/accel/vcpu.h"

#include "core/accel/debug.h"
#include "core/accel/exit.h"
#include "core/accel/vcpu_group.h"
#include "core/base/bits.h"
#include "trace/core_accel.h"

/* Longest rest of a guest that polls. An interrupt ends it at once. */
#define REST_NS (4 * NS_PER_MS)

#define APIC_PAGE_OFFSET 0xfffull

static inline void access_begin(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    cpu->accesses++;
    cpu->in_access = true;
    if (!on_virtual_clock(m)) {
        lock_take(&m->lock);
    }
}

/* Others that are inside run, on threads of their own. */
static bool others_in_run(const struct vcpu *cpu)
{
    const struct machine *m = cpu->machine;
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        if (m->vcpus[i] != cpu && m->vcpus[i]->in_run) {
            return true;
        }
    }
    return false;
}

/* While another vCPU wants all others to be outside run, or in here: it need not wait for us. */
static void let_pass(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    struct vcpu_group *g = m->vcpu_group;
    while (g->alone != NULL && g->alone != cpu) {
        cpu->in_run = false;
        pthread_cond_broadcast(&g->paused);
        lock_wait(&m->lock, &cpu->cond);
    }
    cpu->in_run = true;
}

/* Gets every other vCPU outside run, or in here. Gives the lock up meanwhile. */
static void alone_begin(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    struct vcpu_group *g = m->vcpu_group;
    g->alone = cpu;
    vcpu_kick_all(m);
    while (others_in_run(cpu)) {
        lock_wait(&m->lock, &g->paused);
    }
}

static void alone_end(struct machine *m)
{
    m->vcpu_group->alone = NULL;
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        vcpu_wake(m->vcpus[i]);
    }
}

/* The access that changed the regions is over. */
static void commit_alone(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    let_pass(cpu); /* who passes may commit our changes, too */
    if (m->vcpu_group->alone == cpu) {
        machine_commit(m);
    } else if (m->commit_pending) {
        alone_begin(cpu);
        machine_commit(m);
        alone_end(m);
    }
}

void vcpu_alone(struct vcpu *cpu, bool on)
{
    struct machine *m = cpu->machine;
    lock_take(&m->lock);
    if (on) {
        let_pass(cpu);
        alone_begin(cpu);
    } else {
        alone_end(m);
    }
    lock_drop(&m->lock);
}

static void access_consequences(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    if (m->commit_pending) {
        if (one_thread(m)) {
            machine_commit(m);
        } else {
            commit_alone(cpu);
        }
    }
    if (m->access_limit != 0 && cpu->accesses >= m->access_limit) {
        machine_request_stop(m, CAUSE_HOST_QUIT, 0);
    }
}

static inline void access_end(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    cpu->in_access = false;
    if (unlikely(m->commit_pending || m->access_limit != 0)) {
        access_consequences(cpu);
    }
    if (on_virtual_clock(m)) {
        m->clock.now_ns += m->vcpu_group->rates.io_ns;
    } else {
        lock_drop_often(&m->lock);
    }
}

/* The registers of the local APIC are inside the processor: each vCPU finds its own there. */
static inline bool at_apic(const struct vcpu *cpu, const struct space *s, uint64_t addr)
{
    return s != &cpu->machine->ports && cpu->apic_page != NULL &&
           (addr & ~APIC_PAGE_OFFSET) == *cpu->apic_page;
}

/* Does somebody want to hear of accesses? The one question while nobody does. */
static inline bool is_heard(const struct machine *m)
{
    return unlikely(trace_on(port_read) || trace_on(port_write) || trace_on(mmio_read) ||
                    trace_on(mmio_write) || vcpu_exits_shown() || m->stops != NULL);
}

static void trace_access(struct vcpu *cpu, const struct space *s, bool write, uint64_t addr,
                         uint64_t val, unsigned size)
{
    bool port = s == &cpu->machine->ports;
    int digits = (int)size * 2;
    if (port && write) {
        trace_port_write(cpu->index, (unsigned)addr, size, digits, val);
    } else if (port) {
        trace_port_read(cpu->index, (unsigned)addr, size, digits, val);
    } else if (write) {
        trace_mmio_write(cpu->index, addr, size, digits, val);
    } else {
        trace_mmio_read(cpu->index, addr, size, digits, val);
    }
    vcpu_show_access(cpu, s, write, addr, val, size);
}

/* Tells a debugger that wants to hear of accesses. */
static void tell_access(struct vcpu *cpu, const struct space *s, uint64_t addr, uint64_t val,
                        unsigned size, bool write)
{
    unsigned kind = s == &cpu->machine->ports ? EVENT_PORT : EVENT_MMIO;
    if (unlikely(stops_want_event(cpu->machine, kind))) {
        vcpu_debug_event(cpu, &(struct stop_event){
            .kind = kind, .addr = addr, .val = val & size_mask(size), .size = size, .write = write,
        });
    }
}

uint64_t vcpu_read(struct vcpu *cpu, struct space *s, uint64_t addr, unsigned size)
{
    access_begin(cpu);
    uint64_t val = at_apic(cpu, s, addr)
                       ? cpu->apic_ops->read(cpu->apic, addr & APIC_PAGE_OFFSET, size)
                       : space_read(s, addr, size);
    if (is_heard(cpu->machine)) {
        trace_access(cpu, s, false, addr, val, size);
        tell_access(cpu, s, addr, val, size, false);
    }
    access_end(cpu);
    return val;
}

void vcpu_write(struct vcpu *cpu, struct space *s, uint64_t addr, uint64_t val, unsigned size)
{
    access_begin(cpu);
    bool heard = is_heard(cpu->machine);
    if (heard) {
        trace_access(cpu, s, true, addr, val, size);
    }
    if (at_apic(cpu, s, addr)) {
        cpu->apic_ops->write(cpu->apic, addr & APIC_PAGE_OFFSET, val & size_mask(size), size);
    } else {
        space_write(s, addr, val, size);
    }
    if (heard) {
        tell_access(cpu, s, addr, val, size, true);
    }
    access_end(cpu);
}

/* A debugger that wants to hear of accesses hears of each one. */
static bool one_by_one(const struct vcpu *cpu)
{
    return unlikely(stops_want_event(cpu->machine, EVENT_PORT));
}

unsigned vcpu_read_block(struct vcpu *cpu, struct space *s, uint64_t addr, void *buf, unsigned size,
                         unsigned count)
{
    if (one_by_one(cpu)) {
        return 0;
    }
    access_begin(cpu);
    unsigned n = space_read_block(s, addr, buf, size, count);
    access_end(cpu);
    return n;
}

unsigned vcpu_write_block(struct vcpu *cpu, struct space *s, uint64_t addr, const void *buf,
                          unsigned size, unsigned count)
{
    if (one_by_one(cpu)) {
        return 0;
    }
    access_begin(cpu);
    unsigned n = space_write_block(s, addr, buf, size, count);
    access_end(cpu);
    return n;
}

void vcpu_polls(struct vcpu *cpu, uint64_t icount)
{
    struct machine *m = cpu->machine;
    if (on_virtual_clock(m) || (m->n_vcpus > 1 && one_thread(m)) ||
        !idle_poll(&cpu->idle, icount, cpu->accesses)) {
        return;
    }
    lock_take(&m->lock);
    while (atomic_load(&cpu->pending) == 0 && !lock_wait_ns(&m->lock, &cpu->cond, REST_NS)) {
    }
    lock_drop(&m->lock);
}

bool vcpu_spins(struct vcpu *cpu, uint64_t icount, uint32_t wanted)
{
    struct machine *m = cpu->machine;
    bool looks = cpu->tsc_reads != cpu->spin_reads;
    cpu->spin_reads = cpu->tsc_reads;
    if (on_virtual_clock(m) || (m->n_vcpus > 1 && one_thread(m)) ||
        !idle_spin(&cpu->spin, icount, cpu->accesses, m->n_vcpus == 1 || looks)) {
        return false;
    }
    lock_take(&m->lock);
    int64_t rest = idle_spin_rest(&cpu->spin, clock_now(&m->clock));
    while (rest > 0 && !(atomic_load(&cpu->pending) & wanted) &&
           !lock_wait_ns(&m->lock, &cpu->cond, rest)) {
    }
    lock_drop_often(&m->lock);
    return rest > 0;
}

int vcpu_acknowledge(struct vcpu *cpu)
{
    int vector = 0xff;
    cpu->acks++;
    access_begin(cpu);
    if (cpu->inta != NULL) {
        vector = cpu->inta(cpu->inta_opaque) & 0xff;
    }
    trace_vcpu_intr(cpu->index, (unsigned)vector);
    if (unlikely(stops_want_event(cpu->machine, EVENT_INTR))) {
        vcpu_debug_event(cpu, &(struct stop_event){.kind = EVENT_INTR, .addr = (unsigned)vector});
    }
    access_end(cpu);
    return vector;
}
