/* KVM as an accelerator: the table. */
#include "core/accel/kvm/kvm.h"

static void view_changed(struct machine *m, struct space *s, const struct view *old,
                         const struct view *now)
{
    if (s == &m->mem) {
        kvm_slots_follow(m, now);
    }
    if (s == &m->mem || s == &m->ports) {
        kvm_zones_follow(m, now, s == &m->ports);
    }
}

/* The kernel does not count instructions: entries tell at least whether the guest ever ran. */
static uint64_t entries(struct vcpu *cpu)
{
    return kvm_vcpu_of(cpu)->entries;
}

const struct accel kvm_accel = {
    .name = "kvm",
    .exits_for_io = true,
    .one_vcpu = true,
    .untold = EVENT_INT | EVENT_EXCEPTION | EVENT_MSR | EVENT_MODE,
    .no_smm = true,
    .probe = kvm_probe,
    .measure = kvm_measure,
    .host_model = kvm_host_model,
    .vm_init = kvm_vm_init,
    .view_changed = view_changed,
    .vcpu_init = kvm_vcpu_init,
    .vcpu_fini = kvm_vcpu_fini,
    .run = kvm_vcpu_run,
    .kick = kvm_vcpu_kick,
    .icount = entries,
    .debug_fits = kvm_debug_fits,
    .debug_changed = kvm_debug_changed,
    .place = kvm_place,
    .get_state = kvm_get_state,
    .set_state = kvm_set_state,
    .fini = kvm_vm_fini,
};
