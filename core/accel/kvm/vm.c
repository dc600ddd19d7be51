/* The machine: what the kernel must offer, and the descriptors. */
#include "core/accel/kvm/kvm.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int extension(int kvm, int cap)
{
    int val = kvm_sys->ioctl(kvm, KVM_CHECK_EXTENSION, (void *)(uintptr_t)cap);
    return val > 0 ? val : 0;
}

static bool check_required(int kvm, struct error **err)
{
    static const struct {
        int cap;
        const char *name, *since;
    } required[] = {
        {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY", "2.6.25"},
        {KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR", "2.6.25"},
        {KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID", "2.6.26"},
        {KVM_CAP_DESTROY_MEMORY_REGION_WORKS, "KVM_CAP_DESTROY_MEMORY_REGION_WORKS", "2.6.28"},
        {KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM", "3.7"},
        {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", "4.13"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
        if (!extension(kvm, required[i].cap)) {
            return error_set(err, KVM_NODE " lacks %s (Linux %s and later have it)",
                             required[i].name, required[i].since);
        }
    }
    return true;
}

static void read_caps(int kvm, struct kvm_caps *caps)
{
    *caps = (struct kvm_caps){
        .xsave = extension(kvm, KVM_CAP_XSAVE),
        .xcrs = extension(kvm, KVM_CAP_XCRS),
        .debugregs = extension(kvm, KVM_CAP_DEBUGREGS),
        .vcpu_events = extension(kvm, KVM_CAP_VCPU_EVENTS),
        .intr_shadow = extension(kvm, KVM_CAP_INTR_SHADOW),
        .sregs2 = extension(kvm, KVM_CAP_SREGS2),
        .mp_state = extension(kvm, KVM_CAP_MP_STATE),
        .coalesced_pio = extension(kvm, KVM_CAP_COALESCED_PIO),
        .tsc_khz = extension(kvm, KVM_CAP_GET_TSC_KHZ),
        .guest_debug = extension(kvm, KVM_CAP_SET_GUEST_DEBUG),
        .coalesced_page = (unsigned)extension(kvm, KVM_CAP_COALESCED_MMIO),
        .slots = (unsigned)extension(kvm, KVM_CAP_NR_MEMSLOTS),
    };
    if (caps->slots == 0) {
        caps->slots = 32; /* [KVM] KVM_CAP_NR_MEMSLOTS: kernels that do not say have that many */
    }
    caps->slots = (unsigned)min_u64(caps->slots, KVM_MAX_SLOTS);
}

int kvm_open(struct kvm_caps *caps, struct error **err)
{
    int kvm = kvm_sys->open(KVM_NODE);
    if (kvm < 0) {
        const char *hint = errno == EACCES ? "; members of the group that owns it may (often kvm)"
                           : errno == ENOENT ? "; is the module kvm_intel or kvm_amd loaded?" : "";
        error_set(err, "cannot open " KVM_NODE ": %s%s", strerror(errno), hint);
        return -1;
    }
    int version = kvm_sys->ioctl(kvm, KVM_GET_API_VERSION, NULL);
    if (version != KVM_API_VERSION) {
        error_set(err, KVM_NODE " has version %d of the interface, not %d", version,
                  KVM_API_VERSION);
        goto close_kvm;
    }
    if (!check_required(kvm, err)) {
        goto close_kvm;
    }
    read_caps(kvm, caps);
    return kvm;
close_kvm:
    kvm_sys->close(kvm);
    return -1;
}

/* A new VM may be interrupted by a signal, or meet a kernel that is short of memory for a moment.
 */
static int create_vm(int kvm, struct error **err)
{
    int vm = -1;
    for (unsigned tries = 0; vm < 0 && tries < 10; tries++) {
        vm = kvm_sys->ioctl(kvm, KVM_CREATE_VM, NULL);
        if (vm < 0 && errno != EINTR && errno != EAGAIN) {
            break;
        }
    }
    if (vm < 0) {
        error_errno(err, errno, "KVM_CREATE_VM");
    }
    return vm;
}

static bool set_special_pages(int vm, struct error **err)
{
    uint64_t map = KVM_IDENTITY_MAP_ADDR;
    if (kvm_sys->ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &map) < 0) {
        return error_errno(err, errno, "KVM_SET_IDENTITY_MAP_ADDR");
    }
    return kvm_sys->ioctl(vm, KVM_SET_TSS_ADDR, (void *)(uintptr_t)KVM_TSS_ADDR) >= 0 ||
           error_errno(err, errno, "KVM_SET_TSS_ADDR");
}

static void free_vm(struct kvm_vm *vm)
{
    if (vm->vm >= 0) {
        kvm_sys->close(vm->vm);
    }
    if (vm->kvm >= 0) {
        kvm_sys->close(vm->kvm);
    }
    free(vm->cpuid);
    free(vm);
}

bool kvm_vm_init(struct machine *m, struct error **err)
{
    struct kvm_vm *vm = NEW(struct kvm_vm);
    vm->vm = -1;
    vm->kvm = kvm_open(&vm->caps, err);
    if (vm->kvm < 0) {
        goto fail;
    }
    int bytes = kvm_sys->ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
    if (bytes < (int)sizeof(struct kvm_run)) {
        error_errno(err, bytes < 0 ? errno : EPROTO, "KVM_GET_VCPU_MMAP_SIZE");
        goto fail;
    }
    vm->run_bytes = (size_t)bytes;
    if ((vm->caps.coalesced_page + 1u) * 4096 > vm->run_bytes) {
        vm->caps.coalesced_page = 0;
    }
    vm->vm = create_vm(vm->kvm, err);
    if (vm->vm < 0 || !set_special_pages(vm->vm, err)) {
        goto fail;
    }
    kvm_kick_init();
    m->accel_data = vm;
    return true;
fail:
    free_vm(vm);
    return error_prefix(err, "kvm");
}

void kvm_vm_fini(struct machine *m)
{
    if (m->accel_data != NULL) {
        free_vm(kvm_vm_of(m));
        m->accel_data = NULL;
    }
}
