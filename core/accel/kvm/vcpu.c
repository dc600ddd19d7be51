/* Processors: a descriptor, the page shared with the kernel, CPUID. */
#include "core/accel/kvm/kvm.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <errno.h>
#include <stdlib.h>

/* The ring lies in the vCPU's mapping ([KVM] KVM_CAP_COALESCED_MMIO). */
static void find_ring(const struct kvm_vm *vm, struct kvm_vcpu *v)
{
    if (vm->caps.coalesced_page != 0) {
        v->ring = (void *)((char *)v->run + (size_t)vm->caps.coalesced_page * 4096);
    }
}

static bool give_cpuid(struct vcpu *cpu, struct kvm_vcpu *v, struct error **err)
{
    struct kvm_vm *vm = kvm_vm_of(cpu->machine);
    if (vm->cpuid == NULL) {
        vm->cpuid = kvm_cpuid_for(cpu->machine, vm->kvm, err);
    }
    if (vm->cpuid == NULL) {
        return false;
    }
    return kvm_sys->ioctl(v->fd, KVM_SET_CPUID2, vm->cpuid) >= 0 ||
           error_errno(err, errno, "KVM_SET_CPUID2");
}

bool kvm_vcpu_init(struct vcpu *cpu, struct error **err)
{
    struct machine *m = cpu->machine;
    struct kvm_vm *vm = kvm_vm_of(m);
    if (cpu->index > 0) {
        return error_set(err, "kvm: this version runs one vCPU; -accel tcg runs more");
    }
    struct kvm_vcpu *v = NEW(struct kvm_vcpu);
    v->fd = kvm_sys->ioctl(vm->vm, KVM_CREATE_VCPU, (void *)(uintptr_t)cpu->index);
    if (v->fd < 0) {
        error_errno(err, errno, "KVM_CREATE_VCPU");
        goto free_vcpu;
    }
    v->run = kvm_sys->map(v->fd, vm->run_bytes);
    if (v->run == NULL) {
        error_errno(err, errno, "map the state of vCPU %u", cpu->index);
        goto close_fd;
    }
    find_ring(vm, v);
    if (!give_cpuid(cpu, v, err)) {
        goto unmap;
    }
    kvm_find_msrs(vm, v->fd);
    cpu->accel_data = v;
    kvm_slots_log(m);
    kvm_slots_follow(m, m->mem.view);
    kvm_zones_follow(m, m->mem.view, false);
    kvm_zones_follow(m, m->ports.view, true);
    return true;
unmap:
    kvm_sys->unmap(v->run, vm->run_bytes);
close_fd:
    kvm_sys->close(v->fd);
free_vcpu:
    free(v);
    return error_prefix(err, "kvm");
}

void kvm_vcpu_fini(struct vcpu *cpu)
{
    struct kvm_vcpu *v = kvm_vcpu_of(cpu);
    if (v != NULL) {
        kvm_slots_log_end(cpu->machine);
        kvm_sys->unmap(v->run, kvm_vm_of(cpu->machine)->run_bytes);
        kvm_sys->close(v->fd);
        free(v);
        cpu->accel_data = NULL;
    }
}
