/*
 * A kernel for tests of core/accel/kvm: it keeps what it is given, answers from a script of exits,
 * and fails any call on demand. One at a time.
 */
#ifndef TESTS_UNIT_KVM_FAKE_H
#define TESTS_UNIT_KVM_FAKE_H

#include "core/accel/kvm/kvm.h"
#include "core/base/bits.h"
#include "core/cpu/cpuid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_PAGE      4096
#define FAKE_RUN_BYTES (3 * FAKE_PAGE)
#define FAKE_DATA      FAKE_PAGE    /* where the data of a port access lies */
#define FAKE_MAX_STEPS 32
#define FAKE_MAX_LOG   256

enum { FAKE_KVM = 100, FAKE_VM = 101, FAKE_VCPU = 102 };

struct fake_kernel;

/* One KVM_RUN: fills the page, or fails with errnum. */
struct fake_step {
    void (*fill)(struct fake_kernel *f, struct kvm_run *run);
    int errnum;
};

struct fake_kernel {
    _Alignas(FAKE_PAGE) uint8_t page[FAKE_RUN_BYTES];
    struct fake_step steps[FAKE_MAX_STEPS];
    unsigned n_steps, at;
    unsigned runs;               /* KVM_RUN in all */
    unsigned immediate;          /* of them, with immediate_exit set */
    void (*ends_access)(struct fake_kernel *f, struct kvm_run *run); /* exit of KVM_RUN that does */
    void (*in_run)(struct fake_kernel *f);  /* called inside each KVM_RUN */
    void *opaque;

    int open_errno, version;
    int absent_cap;              /* answered with 0 */
    unsigned calls, fail_at;     /* ioctl number fail_at (from 1) fails with fail_errno */
    int fail_errno;
    unsigned long failed;        /* the request that did */
    int opened, closed, mapped;

    struct kvm_regs regs;
    struct kvm_sregs2 sregs;
    uint8_t xsave[sizeof(struct kvm_xsave)];
    struct kvm_fpu fpu;
    struct kvm_xcrs xcrs;
    struct kvm_vcpu_events events;
    struct kvm_debugregs debug;
    struct kvm_mp_state mp;
    struct kvm_guest_debug guest_debug;
    uint32_t injected;           /* KVM_GUESTDBG_INJECT_* seen since it was cleared */
    struct kvm_userspace_memory_region slots[64];
    uint64_t dirty[64][64];      /* by slot: pages that the guest wrote */
    unsigned overlaps;           /* slots that were set although they lie over another */
    struct { uint32_t index; uint64_t val; } msrs[64];
    unsigned n_msrs;
    uint32_t refused_msr;        /* KVM_SET_MSRS stops at it */
    struct kvm_cpuid_entry2 cpuid[256];
    unsigned n_cpuid;
    uint32_t vectors[FAKE_MAX_LOG]; /* of KVM_INTERRUPT */
    unsigned n_vectors, nmis;
};

static struct fake_kernel fake;

static uint64_t *fake_msr(uint32_t index)
{
    for (unsigned i = 0; i < fake.n_msrs; i++) {
        if (fake.msrs[i].index == index) {
            return &fake.msrs[i].val;
        }
    }
    return NULL;
}

static int fake_get_msrs(struct kvm_msrs *list)
{
    for (unsigned i = 0; i < list->nmsrs; i++) {
        const uint64_t *val = fake_msr(list->entries[i].index);
        if (val == NULL) {
            return (int)i;
        }
        list->entries[i].data = *val;
    }
    return (int)list->nmsrs;
}

static int fake_set_msrs(const struct kvm_msrs *list)
{
    for (unsigned i = 0; i < list->nmsrs; i++) {
        uint64_t *val = fake_msr(list->entries[i].index);
        if (val == NULL || list->entries[i].index == fake.refused_msr) {
            return (int)i;
        }
        *val = list->entries[i].data;
    }
    return (int)list->nmsrs;
}

static int fake_set_slot(const struct kvm_userspace_memory_region *r)
{
    if (r->slot >= ARRAY_SIZE(fake.slots) || r->guest_phys_addr % FAKE_PAGE ||
        r->memory_size % FAKE_PAGE) {
        errno = EINVAL;
        return -1;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(fake.slots) && r->memory_size != 0; i++) {
        const struct kvm_userspace_memory_region *o = &fake.slots[i];
        if (i != r->slot && o->memory_size != 0 &&
            r->guest_phys_addr < o->guest_phys_addr + o->memory_size &&
            o->guest_phys_addr < r->guest_phys_addr + r->memory_size) {
            fake.overlaps++;
            errno = EEXIST;
            return -1;
        }
    }
    fake.slots[r->slot] = *r;
    return 0;
}

/* Told once, and only of slots that are logged. */
static int fake_dirty_log(const struct kvm_dirty_log *log)
{
    unsigned number = log->slot % ARRAY_SIZE(fake.slots);
    const struct kvm_userspace_memory_region *slot = &fake.slots[number];
    size_t bytes = align_up(slot->memory_size / FAKE_PAGE, 64) / 8;
    if (!(slot->flags & KVM_MEM_LOG_DIRTY_PAGES) || bytes > sizeof(fake.dirty[0])) {
        errno = ENOENT;
        return -1;
    }
    memcpy(log->dirty_bitmap, fake.dirty[number], bytes);
    memset(fake.dirty[number], 0, bytes);
    return 0;
}

static int fake_cpuid(struct kvm_cpuid2 *list)
{
    if (list->nent < fake.n_cpuid) {
        errno = E2BIG;
        return -1;
    }
    memcpy(list->entries, fake.cpuid, fake.n_cpuid * sizeof(fake.cpuid[0]));
    list->nent = fake.n_cpuid;
    return 0;
}

/* Out of script the guest waits for a kick. */
static int fake_run(void)
{
    struct kvm_run *run = (struct kvm_run *)fake.page;
    fake.runs++;
    if (fake.in_run != NULL) {
        fake.in_run(&fake);
    }
    if (__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST)) {
        fake.immediate++;
        if (fake.ends_access != NULL) {
            fake.ends_access(&fake, run);
            return 0;
        }
        errno = EINTR;
        return -1;
    }
    if (fake.at == fake.n_steps) {
        errno = EINTR;
        return -1;
    }
    const struct fake_step *step = &fake.steps[fake.at++];
    if (step->errnum != 0) {
        errno = step->errnum;
        return -1;
    }
    step->fill(&fake, run);
    return 0;
}

#define FAKE_GET(field) (memcpy(arg, &fake.field, sizeof(fake.field)), 0)
#define FAKE_SET(field) (memcpy(&fake.field, arg, sizeof(fake.field)), 0)

static int fake_state(unsigned long request, void *arg)
{
    switch (request) {
    case KVM_GET_REGS: return FAKE_GET(regs);
    case KVM_SET_REGS: return FAKE_SET(regs);
    case KVM_GET_SREGS2: return FAKE_GET(sregs);
    case KVM_SET_SREGS2: return FAKE_SET(sregs);
    case KVM_GET_SREGS: memcpy(arg, &fake.sregs, offsetof(struct kvm_sregs2, flags)); return 0;
    case KVM_SET_SREGS: memcpy(&fake.sregs, arg, offsetof(struct kvm_sregs2, flags)); return 0;
    case KVM_GET_XSAVE: return FAKE_GET(xsave);
    case KVM_SET_XSAVE: return FAKE_SET(xsave);
    case KVM_GET_FPU: return FAKE_GET(fpu);
    case KVM_SET_FPU: return FAKE_SET(fpu);
    case KVM_GET_XCRS: return FAKE_GET(xcrs);
    case KVM_SET_XCRS: return FAKE_SET(xcrs);
    case KVM_GET_VCPU_EVENTS: return FAKE_GET(events);
    case KVM_SET_VCPU_EVENTS: return FAKE_SET(events);
    case KVM_GET_DEBUGREGS: return FAKE_GET(debug);
    case KVM_SET_DEBUGREGS: return FAKE_SET(debug);
    case KVM_GET_MP_STATE: return FAKE_GET(mp);
    case KVM_SET_MP_STATE: return FAKE_SET(mp);
    case KVM_SET_GUEST_DEBUG:
        fake.injected |= ((struct kvm_guest_debug *)arg)->control &
                         (KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP);
        return FAKE_SET(guest_debug);
    case KVM_GET_MSRS: return fake_get_msrs(arg);
    case KVM_SET_MSRS: return fake_set_msrs(arg);
    default: errno = ENOTTY; return -1;
    }
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
    if (++fake.calls == fake.fail_at) {
        fake.failed = request;
        errno = fake.fail_errno;
        return -1;
    }
    switch (request) {
    case KVM_GET_API_VERSION: return fake.version;
    case KVM_CHECK_EXTENSION:
        return (int)(uintptr_t)arg == fake.absent_cap ? 0
               : (int)(uintptr_t)arg == KVM_CAP_NR_MEMSLOTS ? 32
               : (int)(uintptr_t)arg == KVM_CAP_COALESCED_MMIO ? 2 : 1;
    case KVM_GET_VCPU_MMAP_SIZE: return FAKE_RUN_BYTES;
    case KVM_CREATE_VM: fake.opened++; return FAKE_VM;
    case KVM_CREATE_VCPU: fake.opened++; return FAKE_VCPU;
    case KVM_SET_TSS_ADDR:
    case KVM_SET_IDENTITY_MAP_ADDR:
    case KVM_REGISTER_COALESCED_MMIO:
    case KVM_UNREGISTER_COALESCED_MMIO:
    case KVM_SET_CPUID2: return 0;
    case KVM_SET_USER_MEMORY_REGION: return fake_set_slot(arg);
    case KVM_GET_DIRTY_LOG: return fake_dirty_log(arg);
    case KVM_GET_SUPPORTED_CPUID: return fake_cpuid(arg);
    case KVM_RUN: return fake_run();
    case KVM_NMI: fake.nmis++; return 0;
    case KVM_INTERRUPT:
        fake.vectors[fake.n_vectors++ % FAKE_MAX_LOG] = ((struct kvm_interrupt *)arg)->irq;
        return 0;
    case KVM_TRANSLATE: {
        struct kvm_translation *tr = arg;
        tr->physical_address = tr->linear_address;
        tr->valid = 1;
        return 0;
    }
    default: return fake_state(request, arg);
    }
}

static int fake_open(const char *path)
{
    if (fake.open_errno != 0) {
        errno = fake.open_errno;
        return -1;
    }
    fake.opened++;
    return FAKE_KVM;
}

static void fake_close(int fd)
{
    fake.closed++;
}

static void *fake_map(int fd, size_t bytes)
{
    if (++fake.calls == fake.fail_at) {
        errno = fake.fail_errno;
        return NULL;
    }
    fake.mapped++;
    return fake.page;
}

static void fake_unmap(void *p, size_t bytes)
{
    fake.mapped--;
}

static const struct kvm_sys fake_sys = {
    .open = fake_open,
    .close = fake_close,
    .ioctl = fake_ioctl,
    .map = fake_map,
    .unmap = fake_unmap,
};

/* A kernel that has everything; to be changed by the test before it is used. */
static void fake_reset(void)
{
    static const uint32_t more[] = {0x10, 0x1b};
    struct x86_state s;
    uint32_t index;
    uint64_t *field;
    memset(&fake, 0, sizeof(fake));
    fake.version = KVM_API_VERSION;
    fake.absent_cap = -1;
    for (unsigned i = 0; kvm_state_msr(&s, i, &index, &field); i++) {
        fake.msrs[fake.n_msrs++].index = index;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(more); i++) {
        fake.msrs[fake.n_msrs++].index = more[i];
    }
    fake.cpuid[fake.n_cpuid++] = (struct kvm_cpuid_entry2){
        .function = 0, .eax = 7, .ebx = 0x756e6547, .ecx = 0x6c65746e, .edx = 0x49656e69,
    };
    fake.cpuid[fake.n_cpuid++] = (struct kvm_cpuid_entry2){
        .function = 1, .eax = 0x306c3, .ebx = 0x12345678, .ecx = 0xffffffff, .edx = 0xffffffff,
    };
    kvm_sys = &fake_sys;
}

static inline void fake_step(void (*fill)(struct fake_kernel *f, struct kvm_run *run))
{
    fake.steps[fake.n_steps++] = (struct fake_step){.fill = fill};
}

/* Starts KVM for @m, whose memory is there, with @cpu. */
static inline bool fake_start(struct machine *m, struct vcpu *cpu)
{
    m->accel = &kvm_accel;
    m->cpu_model = x86_model_default();
    *cpu = (struct vcpu){.machine = m, .accel = &kvm_accel, .a20 = true};
    return kvm_vm_init(m, NULL) && kvm_vcpu_init(cpu, NULL);
}

static inline void fake_stop(struct machine *m, struct vcpu *cpu)
{
    kvm_vcpu_fini(cpu);
    kvm_vm_fini(m);
}

#endif
