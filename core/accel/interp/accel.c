/*
 * The interpreter as an accelerator: joins the engine to a machine's vCPU.
 */
#include "core/accel/interp/engine.h"
#include "core/accel/vcpu.h"

#include <sched.h>
#include <sys/random.h>

#define TSC_HZ VCPU_TSC_HZ

/* ---- what the engine asks ---- */

static int64_t host_slice(void *host)
{
    return vcpu_slice(host);
}

static bool host_a20(void *host)
{
    const struct vcpu *vcpu = host;
    return vcpu->a20;
}

static void host_polls(void *host, uint64_t icount)
{
    vcpu_polls(host, icount);
}

static uint64_t host_read(void *host, struct space *s, uint64_t addr, unsigned size)
{
    return vcpu_read(host, s, addr, size);
}

static void host_write(void *host, struct space *s, uint64_t addr, uint64_t val, unsigned size)
{
    vcpu_write(host, s, addr, val, size);
}

static unsigned host_read_block(void *host, struct space *s, uint64_t addr, void *buf,
                                unsigned size, unsigned n)
{
    return vcpu_read_block(host, s, addr, buf, size, n);
}

static unsigned host_write_block(void *host, struct space *s, uint64_t addr, const void *buf,
                                 unsigned size, unsigned n)
{
    return vcpu_write_block(host, s, addr, buf, size, n);
}

static int host_acknowledge(void *host)
{
    return vcpu_acknowledge(host);
}

static bool on_host_clock(const struct vcpu *vcpu)
{
    return vcpu->machine->clock.driver != CLOCK_VIRTUAL;
}

static void host_lock(struct vcpu *vcpu)
{
    if (on_host_clock(vcpu)) {
        lock_take(&vcpu->machine->lock);
    }
}

static void host_unlock(struct vcpu *vcpu)
{
    if (on_host_clock(vcpu)) {
        lock_drop_often(&vcpu->machine->lock);
    }
}

static uint64_t host_tsc(void *host)
{
    struct vcpu *vcpu = host;
    vcpu->tsc_reads++;
    host_lock(vcpu);
    int64_t now = clock_now(&vcpu->machine->clock);
    host_unlock(vcpu);
    return muldiv64((uint64_t)now, TSC_HZ, 1000000000);
}

static void host_ferr(void *host, bool level)
{
    struct vcpu *vcpu = host;
    host_lock(vcpu);
    irq_set(vcpu->ferr, level);
    host_unlock(vcpu);
}

static bool host_random(void *host, uint64_t *val)
{
    return on_host_clock(host) && getrandom(val, sizeof(*val), GRND_NONBLOCK) == sizeof(*val);
}

static bool host_has_apic(void *host)
{
    const struct vcpu *vcpu = host;
    return vcpu->apic_ops != NULL;
}

static bool host_apic_read(void *host, uint32_t msr, uint64_t *val)
{
    return vcpu_read_apic_msr(host, msr, val);
}

static bool host_apic_write(void *host, uint32_t msr, uint64_t val)
{
    return vcpu_write_apic_msr(host, msr, val);
}

/* @at is far beyond the clock's reach if it does not fit. */
static void host_apic_deadline(void *host, uint64_t val, uint64_t at)
{
    bool reachable = at < (uint64_t)INT64_MAX / (NS_PER_SEC / TSC_HZ) - 1;
    vcpu_set_apic_deadline(host, val,
                           reachable ? (int64_t)muldiv64_up(at, NS_PER_SEC, TSC_HZ) : TIME_NEVER);
}

static uint8_t host_cr8(void *host)
{
    return vcpu_cr8(host);
}

static void host_set_cr8(void *host, uint8_t val)
{
    vcpu_set_cr8(host, val);
}

static uint8_t host_sipi_vector(void *host)
{
    return vcpu_sipi_vector(host);
}

static void host_took_init(void *host)
{
    vcpu_took_init(host);
}

/* It waits for time to pass, or for who may need the host's processor. */
static bool host_spins(void *host, uint64_t icount, uint32_t wanted)
{
    struct vcpu *vcpu = host;
    const struct machine *m = vcpu->machine;
    bool rested = vcpu_spins(vcpu, icount, wanted);
    if (rested || m->n_vcpus == 1) {
        return rested;
    }
    if (vcpus_parallel(m)) {
        sched_yield();
    } else {
        vcpu_end_turn(host);
    }
    return true;
}

static void host_alone(void *host, bool on)
{
    vcpu_alone(host, on);
}

static const struct x86_host_ops host_ops = {
    .read = host_read, .write = host_write, .read_block = host_read_block,
    .write_block = host_write_block, .acknowledge = host_acknowledge, .tsc = host_tsc,
    .ferr = host_ferr, .random = host_random, .has_apic = host_has_apic,
    .apic_read = host_apic_read,
    .apic_write = host_apic_write, .apic_deadline = host_apic_deadline, .cr8 = host_cr8,
    .set_cr8 = host_set_cr8, .alone = host_alone,
};

/* ---- the table ---- */

static struct interp *engine_of(const struct vcpu *vcpu)
{
    return vcpu->accel_data;
}

static bool interp_probe(struct error **err)
{
    return true;
}

static bool interp_vm_init(struct machine *m, struct error **err)
{
    return true;
}

static bool interp_vcpu_init(struct vcpu *vcpu, struct error **err)
{
    struct machine *m = vcpu->machine;
    const struct interp_host host = {
        .slice = host_slice, .a20 = host_a20, .polls = host_polls, .spins = host_spins,
        .sipi_vector = host_sipi_vector, .took_init = host_took_init,
    };
    struct interp *e = interp_new(&m->arena, &host);
    if (e == NULL) {
        return error_set(err, "interp: no memory for the block cache");
    }
    if (vcpu->index > 0) {
        struct interp *first = engine_of(m->vcpus[0]);
        interp_share(e, first);
        first->cpu.parallel = e->cpu.parallel = vcpus_parallel(m);
    }
    struct x86_cpu *cpu = &e->cpu;
    cpu->pending = &vcpu->pending;
    cpu->mem = cpu->space = &m->mem;
    cpu->smm = &m->smm;
    cpu->ports = &m->ports;
    cpu->model = m->cpu_model;
    cpu->host_ops = &host_ops;
    cpu->host = vcpu;
    cpu->apic_id = vcpu_apic_id(m, vcpu->index);
    cpu->topology = vcpu_topology(m);
    vcpu->accel_data = e;
    x86_state_reset(&cpu->s, cpu->model->signature, false);
    x86_state_loaded(cpu);
    return true;
}

static void interp_vcpu_fini(struct vcpu *vcpu)
{
    interp_free(engine_of(vcpu));
    vcpu->accel_data = NULL;
}

static void interp_run(struct vcpu *vcpu, struct vcpu_exit *exit)
{
    struct interp *e = engine_of(vcpu);
    interp_execute(e, exit);
    if (unlikely(exit->reason == EXIT_DEBUG)) {
        vcpu->hit = e->debug.hit;
        e->debug.hit.kind = HIT_NONE;
        vcpu->step = e->debug.step;
        vcpu->stop_count = e->debug.stop_count;
    }
}

/* The PEND_KICK bit is all that a running engine needs: it looks once a block. */
static void interp_kick(struct vcpu *vcpu)
{
}

static void interp_slice_changed(struct vcpu *vcpu)
{
    interp_after_device(&engine_of(vcpu)->cpu);
}

static uint64_t interp_vcpu_icount(struct vcpu *vcpu)
{
    return interp_icount(&engine_of(vcpu)->cpu);
}

static void interp_get_state(struct vcpu *vcpu, struct x86_state *out)
{
    struct x86_cpu *cpu = &engine_of(vcpu)->cpu;
    *out = cpu->s;
    out->rflags = x86_get_rflags(cpu);
    out->rip = x86_insn_rip(cpu); /* also inside run, for breaks */
    out->gpr[GPR_OFF_RIP / 8] = 0;
    if (vcpu->apic_ops != NULL) {
        out->cr8 = vcpu->apic_ops->tpr(vcpu->apic) >> 4;
    }
}

static void interp_set_state(struct vcpu *vcpu, const struct x86_state *in)
{
    struct interp *e = engine_of(vcpu);
    block_drain(e);
    e->trap = 0;
    e->cpu.s = *in;
    x86_state_loaded(&e->cpu);
    if (vcpu->apic_ops != NULL && vcpu->apic_ops->tpr(vcpu->apic) >> 4 != in->cr8) {
        vcpu->apic_ops->set_tpr(vcpu->apic, (uint8_t)(in->cr8 << 4));
    }
}

static void interp_view_changed(struct machine *m, struct space *s, const struct view *old,
                                const struct view *now)
{
    if (s == &m->ports) {
        return;
    }
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        x86_tlb_flush(&engine_of(m->vcpus[i])->cpu);
    }
}

static void interp_history(struct vcpu *vcpu, struct x86_history *out)
{
    interp_trail_get(engine_of(vcpu), out);
}

static void interp_place(struct vcpu *vcpu, struct x86_place *out)
{
    const struct interp *e = engine_of(vcpu);
    const struct x86_cpu *cpu = &e->cpu;
    uint64_t rip = e->traced.ended ? e->traced.rip : x86_insn_rip(cpu);
    const struct x86_seg *cs = &cpu->s.seg[S_CS];
    *out = (struct x86_place){
        .rip = rip, .lin = (cs->base + rip) & cpu->lin_mask, .known = true,
        .cs = e->traced.ended ? e->traced.sel[S_CS] : cs->sel,
    };
}

static void interp_debug_changed(struct vcpu *vcpu)
{
    interp_debug_set(engine_of(vcpu), vcpu->machine->stops, vcpu->step, vcpu->stop_count);
}

static void interp_fini(struct machine *m)
{
}

const struct accel interp_accel = {
    .name = "interp",
    .counts_insns = true,
#if defined(__x86_64__)
    .parallel = true, /* the order of memory accesses is the host's, which must be a guest's */
#endif
    .probe = interp_probe,
    .vm_init = interp_vm_init,
    .view_changed = interp_view_changed,
    .vcpu_init = interp_vcpu_init,
    .vcpu_fini = interp_vcpu_fini,
    .run = interp_run,
    .kick = interp_kick,
    .slice_changed = interp_slice_changed,
    .icount = interp_vcpu_icount,
    .get_state = interp_get_state,
    .set_state = interp_set_state,
    .debug_changed = interp_debug_changed,
    .history = interp_history,
    .place = interp_place,
    .fini = interp_fini,
};
