/*
 * Guest debug: a debugger's points and steps, by the kernel's means.
 *
 * Source: [KVM] KVM_SET_GUEST_DEBUG, KVM_EXIT_DEBUG; [SDM3] "Debug Registers" (DR7, LEN and R/W).
 * Model:  the processor has four debug registers. Data points get them first, code points what is
 *         left; further code points are INT3 instructions, in memory only while the guest runs. A
 *         code point that was reported is passed by a single step without it. What the guest's own
 *         INT3, TF and debug registers raise is given back to it.
 * Left out: instruction counts, physical points and points of reads alone, which the processor does
 *         not have; the guest's own debug registers while ours are in use; code points in pages
 *         that are mapped only after the guest was entered, beyond the registers.
 */
#include "core/accel/kvm/kvm.h"

#include "core/accel/debug.h"
#include "core/base/bits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define INT3 0xccu
#define DR6_BS 0x4000u
#define DR7_FIXED 0x400u
#define VECTOR_DB 1
#define VECTOR_BP 3

/* ---- the plan -------------------------------------------------------------------------------- */

/* The aligned parts of a data point; false if they are more than the registers that are left. */
static bool plan_data(struct kvm_debug_plan *plan, const struct stop_point *p)
{
    uint64_t at = p->addr, left = p->len;
    while (left != 0) {
        unsigned size = 8;
        while (size > left || at % size != 0) {
            size /= 2;
        }
        if (plan->n_regs == KVM_DEBUG_REGS) {
            return false;
        }
        plan->regs[plan->n_regs++] = (struct kvm_debug_reg){
            .addr = at, .len = (uint8_t)size, .on = p->on & (POINT_READ | POINT_WRITE),
            .point = p->addr,
        };
        at += size;
        left -= size;
    }
    return true;
}

static void plan_code(struct kvm_debug_plan *plan, const struct stop_point *p)
{
    if (plan->n_regs < KVM_DEBUG_REGS) {
        plan->regs[plan->n_regs++] =
            (struct kvm_debug_reg){.addr = p->addr, .len = 1, .on = POINT_CODE, .point = p->addr};
    } else {
        plan->soft[plan->n_soft++] = p->addr;
    }
}

/* False: it cannot be. */
static bool make_plan(struct kvm_debug_plan *plan, const struct stops *s)
{
    plan->n_regs = plan->n_soft = 0;
    for (unsigned i = 0; i < s->n; i++) {
        unsigned data = s->points[i].on & (POINT_READ | POINT_WRITE);
        if (s->points[i].physical || data == POINT_READ ||
            (data != 0 && !plan_data(plan, &s->points[i]))) {
            return false;
        }
    }
    for (unsigned i = 0; i < s->n; i++) {
        if (s->points[i].on & POINT_CODE) {
            plan_code(plan, &s->points[i]);
        }
    }
    return true;
}

bool kvm_debug_fits(struct machine *m, const struct stops *s)
{
    struct kvm_debug_plan plan;
    return kvm_vm_of(m)->caps.guest_debug && make_plan(&plan, s);
}

void kvm_debug_changed(struct vcpu *cpu)
{
    struct kvm_debug *d = &kvm_vcpu_of(cpu)->debug;
    const struct stops *s = cpu->machine->stops;
    if (s == NULL || !make_plan(&d->plan, s)) {
        d->plan.n_regs = d->plan.n_soft = 0;
    }
    d->wanted = d->plan.n_regs != 0 || d->plan.n_soft != 0 || cpu->step != STEP_OFF;
}

/* ---- before the guest runs ------------------------------------------------------------------- */

static uint64_t linear_rip(struct vcpu *cpu)
{
    int fd = kvm_vcpu_of(cpu)->fd;
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    if (kvm_sys->ioctl(fd, KVM_GET_REGS, &regs) < 0 ||
        kvm_sys->ioctl(fd, KVM_GET_SREGS, &sregs) < 0) {
        return 0;
    }
    uint64_t lin = sregs.cs.base + regs.rip;
    return (sregs.efer & EFER_LMA) && sregs.cs.l ? lin : lin & 0xffffffff;
}

static uint64_t dr7_of(unsigned n, const struct kvm_debug_reg *r)
{
    static const uint8_t lens[] = {[1] = 0, [2] = 1, [4] = 3, [8] = 2};
    uint64_t type = r->on & POINT_CODE ? 0 : r->on & POINT_READ ? 3 : 1;
    return 2ull << (2 * n) | type << (16 + 4 * n) | (uint64_t)lens[r->len] << (18 + 4 * n);
}

static bool is_passed(const struct kvm_debug *d, uint64_t lin)
{
    return d->passing && d->passed == lin;
}

static void set_guest_debug(struct kvm_vcpu *v, const struct kvm_guest_debug *g)
{
    if (kvm_sys->ioctl(v->fd, KVM_SET_GUEST_DEBUG, (void *)g) < 0 && v->failure[0] == '\0') {
        snprintf(v->failure, sizeof(v->failure), "KVM_SET_GUEST_DEBUG: %s", strerror(errno));
    }
}

static void fill_registers(const struct kvm_debug *d, struct kvm_guest_debug *g)
{
    g->arch.debugreg[7] = DR7_FIXED;
    for (unsigned i = 0; i < d->plan.n_regs; i++) {
        const struct kvm_debug_reg *r = &d->plan.regs[i];
        if (!((r->on & POINT_CODE) && is_passed(d, r->addr))) {
            g->control |= KVM_GUESTDBG_USE_HW_BP;
            g->arch.debugreg[i] = r->addr;
            g->arch.debugreg[7] |= dr7_of(i, r);
        }
    }
}

/* The host's byte of linear @lin, if RAM or ROM is there now. */
static uint8_t *code_byte(struct vcpu *cpu, uint64_t lin)
{
    struct kvm_translation tr = {.linear_address = lin};
    if (kvm_sys->ioctl(kvm_vcpu_of(cpu)->fd, KVM_TRANSLATE, &tr) < 0 || !tr.valid) {
        return NULL;
    }
    const struct view_range *r = view_find(cpu->machine->mem.view, tr.physical_address);
    const struct region *region = r != NULL ? r->rd.region : NULL;
    if (region == NULL || (region->kind != REGION_RAM && region->kind != REGION_ROM)) {
        return NULL;
    }
    return ram_host(region->ram) + r->rd.off + (tr.physical_address - r->start);
}

/* Two linear addresses may be one byte: it is changed once. */
static void insert_soft(struct vcpu *cpu, struct kvm_debug *d)
{
    for (unsigned i = 0; i < d->plan.n_soft; i++) {
        uint8_t *p = is_passed(d, d->plan.soft[i]) ? NULL : code_byte(cpu, d->plan.soft[i]);
        bool there = p == NULL;
        for (unsigned k = 0; k < d->n_inserted && !there; k++) {
            there = d->inserted[k].at == p;
        }
        if (!there) {
            d->inserted[d->n_inserted].at = p;
            d->inserted[d->n_inserted++].was = *p;
            *p = INT3;
        }
    }
}

void kvm_debug_enter(struct vcpu *cpu)
{
    struct kvm_vcpu *v = kvm_vcpu_of(cpu);
    struct kvm_debug *d = &v->debug;
    struct kvm_guest_debug g = {0};
    if (d->wanted) {
        d->passing = d->passing && d->passed == linear_rip(cpu);
        g.control = KVM_GUESTDBG_ENABLE;
        if (cpu->step != STEP_OFF || d->passing) {
            g.control |= KVM_GUESTDBG_SINGLESTEP;
        }
        if (d->plan.n_soft != 0) {
            g.control |= KVM_GUESTDBG_USE_SW_BP;
        }
        fill_registers(d, &g);
    }
    if (g.control != 0 || d->control != 0) {
        set_guest_debug(v, &g);
    }
    d->control = g.control;
    if (d->wanted) {
        insert_soft(cpu, d);
    }
}

void kvm_debug_left(struct kvm_vcpu *v)
{
    struct kvm_debug *d = &v->debug;
    for (unsigned i = 0; i < d->n_inserted; i++) {
        if (*d->inserted[i].at == INT3) { /* a device may have written there meanwhile */
            *d->inserted[i].at = d->inserted[i].was;
        }
    }
    d->n_inserted = 0;
}

/* ---- afterwards ------------------------------------------------------------------------------ */

static bool stop(struct vcpu *cpu, struct debug_hit hit)
{
    cpu->hit = hit;
    cpu->step = STEP_OFF;
    kvm_debug_changed(cpu);
    return true;
}

static bool code_hit(struct vcpu *cpu, uint64_t lin)
{
    struct kvm_debug *d = &kvm_vcpu_of(cpu)->debug;
    const struct stops *s = cpu->machine->stops;
    const struct stop_point *p = stops_find(s, POINT_CODE, false, lin, 1);
    d->passing = true;
    d->passed = lin;
    if (p == NULL ||
        (s->code_wanted != NULL && !s->code_wanted(s->code_opaque, cpu, lin, p->users))) {
        return false;
    }
    return stop(cpu, (struct debug_hit){.kind = HIT_CODE, .addr = lin});
}

static bool is_soft(const struct kvm_debug_plan *plan, uint64_t lin)
{
    for (unsigned i = 0; i < plan->n_soft; i++) {
        if (plan->soft[i] == lin) {
            return true;
        }
    }
    return false;
}

/* An exception of the guest's own: it takes it on the next entry. */
static bool give_back(struct vcpu *cpu, const struct kvm_debug_exit_arch *arch)
{
    struct kvm_vcpu *v = kvm_vcpu_of(cpu);
    struct kvm_guest_debug g = {.control = v->debug.control};
    bool bp = arch->exception == VECTOR_BP;
    struct kvm_debugregs regs;
    if (!bp && kvm_sys->ioctl(v->fd, KVM_GET_DEBUGREGS, &regs) >= 0) {
        regs.dr6 |= arch->dr6;
        kvm_sys->ioctl(v->fd, KVM_SET_DEBUGREGS, &regs);
    }
    fill_registers(&v->debug, &g);
    g.control |= bp ? KVM_GUESTDBG_INJECT_BP : KVM_GUESTDBG_INJECT_DB;
    set_guest_debug(v, &g);
    return false;
}

bool kvm_debug_stepped(struct vcpu *cpu)
{
    kvm_vcpu_of(cpu)->debug.passing = false;
    return cpu->step != STEP_OFF && stop(cpu, (struct debug_hit){.kind = HIT_STEP});
}

bool kvm_debug_exit(struct vcpu *cpu)
{
    struct kvm_vcpu *v = kvm_vcpu_of(cpu);
    struct kvm_debug *d = &v->debug;
    const struct kvm_debug_exit_arch *arch = &v->run->debug.arch;
    if (arch->exception == VECTOR_BP) {
        return is_soft(&d->plan, arch->pc) ? code_hit(cpu, arch->pc) : give_back(cpu, arch);
    }
    for (unsigned i = 0; i < d->plan.n_regs; i++) {
        const struct kvm_debug_reg *r = &d->plan.regs[i];
        if ((arch->dr6 & (1u << i)) && !(r->on & POINT_CODE)) {
            return stop(cpu, (struct debug_hit){.kind = HIT_DATA, .addr = r->point, .on = r->on});
        }
    }
    for (unsigned i = 0; i < d->plan.n_regs; i++) {
        if ((arch->dr6 & (1u << i)) && d->plan.regs[i].addr == arch->pc) {
            return code_hit(cpu, arch->pc);
        }
    }
    if (!(arch->dr6 & DR6_BS) || !(d->control & KVM_GUESTDBG_SINGLESTEP)) {
        return give_back(cpu, arch);
    }
    return kvm_debug_stepped(cpu);
}
