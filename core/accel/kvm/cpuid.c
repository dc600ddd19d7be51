/*
 * What CPUID tells the guest: a named model, or the host's processor.
 *
 * Source: [KVM] KVM_GET_SUPPORTED_CPUID, KVM_SET_CPUID2; [KVM-CPUID]; [SDM2] "CPUID".
 * Model:  a named model is what the software CPU shows, without the features that the host or its
 *         kernel lacks. The host's processor is all that the kernel supports, but for what needs an
 *         interrupt controller inside the kernel.
 */
#include "core/accel/kvm/kvm.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/cpu/cpuid.h"
#include "core/cpu/x86_cpu.h"

#include <asm/kvm_para.h>
#include <errno.h>
#include <stdlib.h>

enum { LEAF_KVM = 0x40000000, LEAF_KVM_FEATURES = 0x40000001, LEAF_EXT = 0x80000000 };

/* [KVM-CPUID]: those that work without an in-kernel interrupt controller. */
enum {
    KVM_PV = BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_NOP_IO_DELAY) |
             BIT(KVM_FEATURE_CLOCKSOURCE2) | BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT),
};

static struct kvm_cpuid2 *new_list(unsigned entries)
{
    struct kvm_cpuid2 *list = xcalloc(1, sizeof(*list) + entries * sizeof(list->entries[0]));
    list->nent = entries;
    return list;
}

/* The kernel says E2BIG while the list is too short for it. */
static struct kvm_cpuid2 *supported(int kvm, struct error **err)
{
    for (unsigned n = 64; n <= KVM_CPUID_ENTRIES; n *= 2) {
        struct kvm_cpuid2 *list = new_list(n);
        if (kvm_sys->ioctl(kvm, KVM_GET_SUPPORTED_CPUID, list) >= 0) {
            list->nent = (uint32_t)min_u64(list->nent, n);
            return list;
        }
        int errnum = errno;
        free(list);
        if (errnum != E2BIG || n == KVM_CPUID_ENTRIES) {
            error_errno(err, errnum, "KVM_GET_SUPPORTED_CPUID");
            return NULL;
        }
    }
    return NULL;
}

static struct kvm_cpuid_entry2 *find(struct kvm_cpuid2 *list, uint32_t leaf, uint32_t subleaf)
{
    for (unsigned i = 0; i < list->nent; i++) {
        struct kvm_cpuid_entry2 *e = &list->entries[i];
        bool indexed = e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
        if (e->function == leaf && (!indexed || e->index == subleaf)) {
            return e;
        }
    }
    return NULL;
}

/* ---- named models ---------------------------------------------------------------------------- */

/* Takes from a leaf of the model what the host has not. Bits that are no features stay. */
static void mask_leaf(struct kvm_cpuid_entry2 *e, struct kvm_cpuid2 *host)
{
    static const struct kvm_cpuid_entry2 nothing;
    const struct kvm_cpuid_entry2 *h = find(host, e->function, e->index);
    h = h != NULL ? h : &nothing;
    switch (e->function) {
    case 1:
    case LEAF_EXT + 1:
        e->ecx &= h->ecx;
        e->edx &= h->edx;
        break;
    case 7:
        e->ebx &= h->ebx;
        e->ecx &= h->ecx;
        e->edx &= h->edx;
        break;
    case 0xd:
        e->eax &= h->eax;
        break;
    }
}

static bool has_apic(void *host)
{
    return vcpu_features(host).apic;
}

/* How many subleaves of a leaf differ; 0: it has none. */
static unsigned subleaves(uint32_t leaf)
{
    return leaf == 4 ? X86_CACHES + 1 : leaf == 0xb ? 3 : leaf == 7 || leaf == 0xd ? 1 : 0;
}

static void add_leaves(struct kvm_cpuid2 *out, struct x86_cpu *cpu, uint32_t first, uint32_t last,
                       struct kvm_cpuid2 *host)
{
    for (uint32_t leaf = first, sub = 0; leaf <= last && out->nent < KVM_CPUID_ENTRIES;) {
        struct x86_cpuid regs;
        x86_cpuid(cpu, leaf, sub, &regs);
        struct kvm_cpuid_entry2 *e = &out->entries[out->nent++];
        *e = (struct kvm_cpuid_entry2){
            .function = leaf, .index = sub, .eax = regs.eax, .ebx = regs.ebx, .ecx = regs.ecx,
            .edx = regs.edx, .flags = subleaves(leaf) ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
        };
        mask_leaf(e, host);
        bool more = sub + 1 < subleaves(leaf);
        leaf += more ? 0 : 1;
        sub = more ? sub + 1 : 0;
    }
}

/* The model's own words come from where the software CPU's come from. */
static struct kvm_cpuid2 *of_model(struct machine *m, struct kvm_cpuid2 *host)
{
    static const struct x86_host_ops ops = {.has_apic = has_apic};
    struct kvm_cpuid2 *out = new_list(KVM_CPUID_ENTRIES);
    struct x86_cpu *cpu = NEW(struct x86_cpu);
    cpu->model = m->cpu_model;
    cpu->host_ops = &ops;
    cpu->host = m;
    cpu->topology = vcpu_topology(m);
    cpu->lma = true; /* show what 64-bit mode shows; the kernel hides what the mode hides */
    cpu->mode = MODE_CS64;
    x86_state_reset(&cpu->s, cpu->model->signature, false);
    out->nent = 0;
    add_leaves(out, cpu, 0, m->cpu_model->max_leaf, host);
    if (m->cpu_model->max_ext_leaf != 0) {
        add_leaves(out, cpu, LEAF_EXT, m->cpu_model->max_ext_leaf, host);
    }
    free(cpu);
    return out;
}

/* ---- the host's processor -------------------------------------------------------------------- */

static struct x86_model host_model;
static char host_vendor[13], host_brand[49];

/* What needs an interrupt controller inside the kernel goes; there is one processor, number 0. */
static void fit_leaf(struct kvm_cpuid_entry2 *e)
{
    switch (e->function) {
    case 1:
        e->ebx &= 0xffff; /* brand and CLFLUSH size stay, count and initial APIC ID are ours */
        e->ebx |= 1 << 16;
        e->ecx &= ~(BIT(X86_F_X2APIC % 32) | BIT(X86_F_TSC_DEADLINE % 32));
        break;
    case 4:
        e->eax &= 0x3fff; /* one core, one thread */
        break;
    case 0xb:
    case 0x1f:
        e->eax = e->ebx = e->edx = 0;
        e->ecx &= 0xff;
        break;
    case LEAF_KVM_FEATURES:
        e->eax &= KVM_PV;
        break;
    case LEAF_EXT + 8:
        e->ecx &= ~0xf0ffu; /* one core */
        break;
    }
}

static void fit_host(struct kvm_cpuid2 *list)
{
    for (unsigned i = 0; i < list->nent; i++) {
        fit_leaf(&list->entries[i]);
    }
}

static uint32_t highest(struct kvm_cpuid2 *list, uint32_t leaf)
{
    const struct kvm_cpuid_entry2 *e = find(list, leaf, 0);
    return e != NULL ? e->eax : 0;
}

static void read_names(struct kvm_cpuid2 *list)
{
    const struct kvm_cpuid_entry2 *e = find(list, 0, 0);
    if (e != NULL) {
        st32le(host_vendor, e->ebx);
        st32le(host_vendor + 4, e->edx);
        st32le(host_vendor + 8, e->ecx);
    }
    for (unsigned i = 0; i < 3; i++) {
        e = find(list, LEAF_EXT + 2 + i, 0);
        if (e != NULL) {
            const uint32_t part[4] = {e->eax, e->ebx, e->ecx, e->edx};
            memcpy(host_brand + 16 * i, part, 16);
        }
    }
}

static void read_features(struct kvm_cpuid2 *list, uint32_t words[X86_WORDS])
{
    static const struct {
        unsigned word, reg; /* reg: 0 EAX, 1 EBX, 2 ECX, 3 EDX */
        uint32_t leaf, subleaf;
    } where[] = {
        {X86_W_1_EDX, 3, 1, 0}, {X86_W_1_ECX, 2, 1, 0}, {X86_W_81_EDX, 3, LEAF_EXT + 1u, 0},
        {X86_W_81_ECX, 2, LEAF_EXT + 1u, 0}, {X86_W_7_EBX, 1, 7, 0}, {X86_W_7_ECX, 2, 7, 0},
        {X86_W_D_EAX, 0, 0xd, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(where); i++) {
        const struct kvm_cpuid_entry2 *e = find(list, where[i].leaf, where[i].subleaf);
        if (e != NULL) {
            const uint32_t regs[4] = {e->eax, e->ebx, e->ecx, e->edx};
            words[where[i].word] = regs[where[i].reg];
        }
    }
    words[X86_W_OTHER] = BIT(X86_F_BASE % 32) | BIT(X86_F_486 % 32) | BIT(X86_F_CPUID % 32) |
                         BIT(X86_F_RDPMC % 32) | BIT(X86_F_P6 % 32);
}

const struct x86_model *kvm_host_model(struct error **err)
{
    struct kvm_caps caps;
    int kvm = kvm_open(&caps, err);
    if (kvm < 0) {
        return NULL;
    }
    struct kvm_cpuid2 *list = supported(kvm, err);
    kvm_sys->close(kvm);
    if (list == NULL) {
        return NULL;
    }
    fit_host(list);
    read_names(list);
    const struct kvm_cpuid_entry2 *one = find(list, 1, 0), *sizes = find(list, LEAF_EXT + 8, 0);
    host_model = (struct x86_model){
        .name = "host", .text = "the host's processor", .vendor = host_vendor, .brand = host_brand,
        .signature = one != NULL ? one->eax : 0,
        .max_leaf = highest(list, 0), .max_ext_leaf = highest(list, LEAF_EXT),
        .phys_bits = (uint8_t)(sizes != NULL ? sizes->eax : 36),
    };
    read_features(list, host_model.features);
    free(list);
    return &host_model;
}

struct kvm_cpuid2 *kvm_cpuid_for(struct machine *m, int kvm, struct error **err)
{
    struct kvm_cpuid2 *host = supported(kvm, err);
    if (host == NULL) {
        return NULL;
    }
    if (m->cpu_model == &host_model) {
        fit_host(host);
        return host;
    }
    struct kvm_cpuid2 *out = of_model(m, host);
    free(host);
    return out;
}
