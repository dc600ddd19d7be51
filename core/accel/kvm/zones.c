/*
 * Writes that need no exit: the kernel puts them into a ring, and run.c carries them out before it
 * looks at the next exit. So the order of all accesses stays what it was. It pays where a guest
 * writes much and reads little: the VGA window, the port of POST codes.
 *
 * Source: [KVM] KVM_CAP_COALESCED_MMIO, KVM_CAP_COALESCED_PIO, KVM_(UN)REGISTER_COALESCED_MMIO.
 */
#include "core/accel/kvm/kvm.h"

#include "core/base/bits.h"

static bool is_posted(const struct view_range *r)
{
    return r->wr.region != NULL && r->wr.region->kind == REGION_IO && r->wr.region->posted &&
           r->end - r->start <= UINT32_MAX;
}

static bool is_zone(const struct kvm_coalesced_mmio_zone *z, const struct view_range *r)
{
    return z->addr == r->start && z->size == r->end - r->start;
}

static bool wanted(const struct view *view, const struct kvm_coalesced_mmio_zone *z)
{
    const struct view_range *r = view_find(view, z->addr);
    return r != NULL && is_posted(r) && is_zone(z, r);
}

static void add_zone(struct kvm_vm *vm, const struct view_range *r, bool pio)
{
    struct kvm_coalesced_mmio_zone *room = NULL;
    for (unsigned i = 0; i < KVM_MAX_ZONES; i++) {
        struct kvm_coalesced_mmio_zone *z = &vm->zones[i];
        if (z->size != 0 && z->pio == pio && is_zone(z, r)) {
            return;
        }
        room = z->size == 0 && room == NULL ? z : room;
    }
    struct kvm_coalesced_mmio_zone zone = {
        .addr = r->start, .size = (uint32_t)(r->end - r->start), .pio = pio};
    if (room != NULL && kvm_sys->ioctl(vm->vm, KVM_REGISTER_COALESCED_MMIO, &zone) >= 0) {
        *room = zone;
    }
}

void kvm_zones_follow(struct machine *m, const struct view *view, bool pio)
{
    struct kvm_vm *vm = kvm_vm_of(m);
    if (vm->caps.coalesced_page == 0 || (pio && !vm->caps.coalesced_pio)) {
        return;
    }
    for (unsigned i = 0; i < KVM_MAX_ZONES; i++) {
        struct kvm_coalesced_mmio_zone *z = &vm->zones[i];
        if (z->size != 0 && z->pio == pio && !wanted(view, z)) {
            kvm_sys->ioctl(vm->vm, KVM_UNREGISTER_COALESCED_MMIO, z);
            z->size = 0;
        }
    }
    for (unsigned i = 0; i < view->n; i++) {
        if (is_posted(&view->ranges[i])) {
            add_zone(vm, &view->ranges[i], pio);
        }
    }
}
