/*
 * Registers by ioctl: a stopped vCPU's state out of the kernel and back.
 *
 * Source: [KVM] the ioctls by name, KVM_SET_MSRS (returns how many were taken), KVM_SET_MP_STATE
 *         (without an in-kernel interrupt controller only "runnable" exists; what the processor
 *         waits for is ours to keep).
 * Model:  TSC = counter of the virtual time + tsc_offset, as for every CPU here; the kernel's goes
 *         at the host's rate. So an offset is worked out only after the guest ran.
 */
#include "core/accel/kvm/kvm.h"

#include "core/base/bits.h"
#include "core/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MSR_TSC 0x10

/* struct kvm_msrs with room for entries. */
struct msr_list {
    uint32_t n, pad;
    struct kvm_msr_entry entries[KVM_MAX_MSRS];
};
_Static_assert(offsetof(struct msr_list, entries) == sizeof(struct kvm_msrs),
               "as the kernel has it");

/* An ioctl of a vCPU; the first failure is kept, and the next run reports it. */
static bool call(struct kvm_vcpu *v, unsigned long request, const char *name, void *arg)
{
    if (kvm_sys->ioctl(v->fd, request, arg) >= 0) {
        return true;
    }
    if (v->failure[0] == '\0') {
        snprintf(v->failure, sizeof(v->failure), "%s: %s", name, strerror(errno));
    }
    return false;
}

#define CALL(v, request, arg) call(v, request, #request, arg)

/* ---- MSRs ------------------------------------------------------------------------------------ */

static bool get_msr(int vcpu, uint32_t index, uint64_t *val)
{
    struct msr_list one = {.n = 1, .entries[0].index = index};
    if (kvm_sys->ioctl(vcpu, KVM_GET_MSRS, &one) != 1) {
        return false;
    }
    *val = one.entries[0].data;
    return true;
}

static bool set_msr(int vcpu, uint32_t index, uint64_t val)
{
    struct msr_list one = {.n = 1, .entries[0] = {.index = index, .data = val}};
    return kvm_sys->ioctl(vcpu, KVM_SET_MSRS, &one) == 1;
}

void kvm_find_msrs(struct kvm_vm *vm, int vcpu)
{
    struct x86_state scratch;
    uint32_t index;
    uint64_t *field;
    vm->n_msrs = 0;
    for (unsigned i = 0; kvm_state_msr(&scratch, i, &index, &field) && vm->n_msrs < KVM_MAX_MSRS;
         i++) {
        if (get_msr(vcpu, index, field)) {
            vm->msrs[vm->n_msrs++] = index;
        }
    }
}

static bool has_msr(const struct kvm_vm *vm, uint32_t index)
{
    for (unsigned i = 0; i < vm->n_msrs; i++) {
        if (vm->msrs[i] == index) {
            return true;
        }
    }
    return false;
}

/* MSRs that this kernel lacks keep what *s has. */
static void get_msrs(struct kvm_vm *vm, struct kvm_vcpu *v, struct x86_state *s)
{
    struct msr_list list = {.n = vm->n_msrs};
    uint32_t index;
    uint64_t *field;
    for (unsigned i = 0; i < vm->n_msrs; i++) {
        list.entries[i].index = vm->msrs[i];
    }
    if (vm->n_msrs == 0 || !CALL(v, KVM_GET_MSRS, &list)) {
        return;
    }
    for (unsigned i = 0, n = 0; kvm_state_msr(s, i, &index, &field); i++) {
        if (has_msr(vm, index)) {
            *field = list.entries[n++].data;
        }
    }
}

/* All at once; the kernel stops at the first that it does not take, and we go on behind it. */
static void set_msrs(struct kvm_vm *vm, struct kvm_vcpu *v, struct x86_state *s)
{
    struct msr_list list = {0};
    uint32_t index;
    uint64_t *field;
    unsigned n = 0, done = 0;
    for (unsigned i = 0; kvm_state_msr(s, i, &index, &field); i++) {
        if (has_msr(vm, index)) {
            list.entries[n++] = (struct kvm_msr_entry){.index = index, .data = *field};
        }
    }
    while (done < n) {
        list.n = n - done;
        int taken = kvm_sys->ioctl(v->fd, KVM_SET_MSRS, &list);
        unsigned skip = taken > 0 ? (unsigned)taken : 0;
        if (skip < n - done) {
            log_unimp("KVM does not take 0x%llx for MSR 0x%x",
                      (unsigned long long)list.entries[skip].data, list.entries[skip].index);
            skip++;
        }
        done += skip;
        memmove(list.entries, list.entries + skip, (n - done) * sizeof(list.entries[0]));
    }
}

/* ---- time-stamp counter ---------------------------------------------------------------------- */

static uint64_t counter(struct machine *m)
{
    return muldiv64((uint64_t)clock_now(&m->clock), VCPU_TSC_HZ, NS_PER_SEC);
}

static void get_tsc(struct vcpu *cpu, struct kvm_vcpu *v, struct x86_state *s)
{
    uint64_t tsc;
    if (v->ran && get_msr(v->fd, MSR_TSC, &tsc)) {
        v->tsc_offset = (int64_t)(tsc - counter(cpu->machine));
        v->ran = false;
    }
    s->tsc_offset = (uint64_t)v->tsc_offset;
}

static void set_tsc(struct vcpu *cpu, struct kvm_vcpu *v, const struct x86_state *s)
{
    v->tsc_offset = (int64_t)s->tsc_offset;
    v->ran = false;
    set_msr(v->fd, MSR_TSC, counter(cpu->machine) + s->tsc_offset);
}

/* ---- special registers ----------------------------------------------------------------------- */

/* The two structures are one up to the last fields: there, the old one has what waits for injection
 * (which we move as an event), the new one the PAE page-directory pointers. */
#define SREGS_COMMON offsetof(struct kvm_sregs2, flags)
_Static_assert(offsetof(struct kvm_sregs, interrupt_bitmap) == SREGS_COMMON, "one head");

static void get_sregs(const struct kvm_vm *vm, struct kvm_vcpu *v, struct x86_state *s)
{
    struct kvm_sregs2 now = {0};
    if (vm->caps.sregs2) {
        if (CALL(v, KVM_GET_SREGS2, &now)) {
            kvm_take_sregs(s, &now);
        }
        return;
    }
    struct kvm_sregs old = {0};
    if (CALL(v, KVM_GET_SREGS, &old)) {
        memcpy(&now, &old, SREGS_COMMON);
        kvm_take_sregs(s, &now);
    }
}

/* With the old ioctl the kernel reads the page-directory pointers from memory, as loading CR3
 * would. */
static void set_sregs(const struct kvm_vm *vm, struct kvm_vcpu *v, const struct x86_state *s)
{
    struct kvm_sregs2 now;
    kvm_put_sregs(&now, s);
    if (vm->caps.sregs2) {
        CALL(v, KVM_SET_SREGS2, &now);
        return;
    }
    struct kvm_sregs old = {0};
    memcpy(&old, &now, SREGS_COMMON);
    CALL(v, KVM_SET_SREGS, &old);
}

/* ---- x87 and beyond -------------------------------------------------------------------------- */

static void get_fpu(const struct kvm_vm *vm, struct kvm_vcpu *v, struct x86_state *s)
{
    struct kvm_xcrs xcrs = {0};
    if (vm->caps.xcrs && CALL(v, KVM_GET_XCRS, &xcrs) && xcrs.nr_xcrs > 0 &&
        xcrs.xcrs[0].xcr == 0) {
        s->xcr0 = xcrs.xcrs[0].value;
    }
    if (vm->caps.xsave) {
        struct kvm_xsave x;
        if (CALL(v, KVM_GET_XSAVE, &x)) {
            kvm_take_xsave(s, &x);
        }
        return;
    }
    struct kvm_fpu fpu;
    if (CALL(v, KVM_GET_FPU, &fpu)) {
        kvm_take_fpu(s, &fpu);
    }
}

static void set_fpu(const struct kvm_vm *vm, struct kvm_vcpu *v, const struct x86_state *s)
{
    if (vm->caps.xsave) {
        struct kvm_xsave x;
        kvm_put_xsave(&x, s);
        CALL(v, KVM_SET_XSAVE, &x);
    } else {
        struct kvm_fpu fpu;
        kvm_put_fpu(&fpu, s);
        CALL(v, KVM_SET_FPU, &fpu);
    }
    struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0].value = s->xcr0};
    if (vm->caps.xcrs && (s->xcr0 & 1)) {
        CALL(v, KVM_SET_XCRS, &xcrs);
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void get_events(struct vcpu *cpu, struct kvm_vcpu *v, struct x86_state *s)
{
    struct kvm_vcpu_events events = {0};
    if (!kvm_vm_of(cpu->machine)->caps.vcpu_events || !CALL(v, KVM_GET_VCPU_EVENTS, &events)) {
        return;
    }
    kvm_take_events(s, &events);
    if (events.nmi.pending) { /* given to the kernel, not taken by the guest: it is ours again */
        events.nmi.pending = 0;
        events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING;
        CALL(v, KVM_SET_VCPU_EVENTS, &events);
        atomic_fetch_or(&cpu->pending, PEND_NMI);
    }
}

void kvm_get_state(struct vcpu *cpu, struct x86_state *out)
{
    struct kvm_vcpu *v = kvm_vcpu_of(cpu);
    struct kvm_vm *vm = kvm_vm_of(cpu->machine);
    struct kvm_regs regs;
    struct kvm_debugregs debug;
    *out = v->rest;
    if (CALL(v, KVM_GET_REGS, &regs)) {
        kvm_take_regs(out, &regs);
    }
    get_sregs(vm, v, out);
    get_fpu(vm, v, out);
    get_msrs(vm, v, out);
    get_tsc(cpu, v, out);
    get_events(cpu, v, out);
    if (vm->caps.debugregs && CALL(v, KVM_GET_DEBUGREGS, &debug)) {
        kvm_take_debugregs(out, &debug);
    }
    out->activity = v->activity;
    out->a20 = cpu->a20;
}

void kvm_set_state(struct vcpu *cpu, const struct x86_state *in)
{
    struct kvm_vcpu *v = kvm_vcpu_of(cpu);
    struct kvm_vm *vm = kvm_vm_of(cpu->machine);
    struct kvm_regs regs;
    struct kvm_debugregs debug;
    struct kvm_vcpu_events events;
    v->rest = *in;
    v->failure[0] = '\0';
    set_sregs(vm, v, in);
    kvm_put_regs(&regs, in);
    CALL(v, KVM_SET_REGS, &regs);
    set_fpu(vm, v, in);
    set_msrs(vm, v, &v->rest);
    set_tsc(cpu, v, in);
    if (vm->caps.mp_state) {
        struct kvm_mp_state mp = {.mp_state = KVM_MP_STATE_RUNNABLE};
        CALL(v, KVM_SET_MP_STATE, &mp);
    }
    if (vm->caps.vcpu_events) {
        kvm_put_events(&events, in, vm->caps.intr_shadow);
        CALL(v, KVM_SET_VCPU_EVENTS, &events);
    }
    if (vm->caps.debugregs) {
        kvm_put_debugregs(&debug, in);
        CALL(v, KVM_SET_DEBUGREGS, &debug);
    }
    v->activity = in->activity;
    v->interrupts_on = in->rflags & FL_IF;
    v->intr_ready = v->access_open = false;
}

void kvm_place(struct vcpu *cpu, struct x86_place *out)
{
    struct kvm_vcpu *v = kvm_vcpu_of(cpu);
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    out->known = CALL(v, KVM_GET_REGS, &regs) && CALL(v, KVM_GET_SREGS, &sregs);
    if (out->known) {
        out->rip = regs.rip;
        out->cs = sregs.cs.selector;
        out->lin = sregs.cs.base + regs.rip;
    }
}
