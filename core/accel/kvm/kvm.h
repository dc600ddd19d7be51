/*
 * Inside the KVM accelerator. Hardware virtualisation by the kernel; interrupts, timers and all
 * devices are ours: there is no in-kernel interrupt controller, and HLT comes back to us.
 *
 * Source: [KVM] "The Definitive KVM (Kernel-based Virtual Machine) API Documentation", cited by the
 *         name of the ioctl, capability or exit.
 * Files:  vm.c the machine, slots.c and zones.c its memory, vcpu.c the processors, run.c entering
 *         the guest and what comes back, convert.c registers as structures, state.c registers by
 *         ioctl, cpuid.c, debug.c a debugger's points and steps, failure.c what to say when KVM
 *         cannot go on, probe.c whether it is worth it.
 */
#ifndef CORE_ACCEL_KVM_KVM_H
#define CORE_ACCEL_KVM_KVM_H

#include "core/accel/debug.h"
#include "core/accel/kvm/kvm_sys.h"

#include <linux/kvm.h>

#define KVM_NODE "/dev/kvm"

/* Three pages of the TSS and one of page tables that KVM needs on some processors: right below the
 * largest BIOS, where no RAM and no device is ([KVM] KVM_SET_TSS_ADDR, KVM_SET_IDENTITY_MAP_ADDR).
 */
#define KVM_TSS_ADDR          0xfffbd000u
#define KVM_IDENTITY_MAP_ADDR 0xfffbc000u

#define KVM_MAX_SLOTS     128
#define KVM_MAX_ZONES     16
#define KVM_MAX_MSRS      64
#define KVM_CPUID_ENTRIES 256

/* What the kernel offers; each a capability of the same name. */
struct kvm_caps {
    bool xsave, xcrs, debugregs, vcpu_events, intr_shadow, sregs2, mp_state, coalesced_pio, tsc_khz;
    bool guest_debug;
    unsigned coalesced_page;     /* page of the ring in the vCPU's mapping; 0: there is no ring */
    unsigned slots;              /* how many memory slots there may be */
};

/* A memory slot as KVM has it; bytes 0: not in use. */
struct kvm_slot {
    uint64_t addr, bytes;        /* guest physical */
    uint64_t ram;                /* ram address of its first byte */
    bool read_only;              /* writes exit */
    struct ram_block *logged;    /* somebody asks what is written there; borrowed, NULL: nobody */
};

struct kvm_vm {
    int kvm, vm;                 /* file descriptors, -1: none */
    struct kvm_caps caps;
    size_t run_bytes;            /* of a vCPU's mapping */
    struct kvm_slot slots[KVM_MAX_SLOTS];
    struct kvm_cpuid2 *cpuid;    /* what the vCPUs are given */
    uint32_t msrs[KVM_MAX_MSRS]; /* indices that this kernel has, of those in x86_state */
    unsigned n_msrs;
    struct kvm_coalesced_mmio_zone zones[KVM_MAX_ZONES]; /* size 0: not in use */
    bool broken;                 /* a memory slot could not be set: failure says why */
    char failure[160];
};

#define KVM_DEBUG_REGS 4

/* What watches for a debugger's points. */
struct kvm_debug_plan {
    struct kvm_debug_reg {
        uint64_t addr;           /* linear; aligned to len */
        uint8_t len;             /* 1, 2, 4 or 8 */
        uint8_t on;              /* POINT_* */
        uint64_t point;          /* address of the point that it is a part of */
    } regs[KVM_DEBUG_REGS];
    unsigned n_regs;
    uint64_t soft[STOPS_POINTS]; /* linear addresses of INT3s */
    unsigned n_soft;
};

struct kvm_debug {
    struct kvm_debug_plan plan;
    bool wanted;                 /* there is a point or a step */
    uint32_t control;            /* KVM_GUESTDBG_* that the kernel has */
    bool passing;                /* the code point at passed was reported, and is not past yet */
    uint64_t passed;
    struct {
        uint8_t *at, was;
    } inserted[STOPS_POINTS];    /* INT3s in memory, while the guest runs */
    unsigned n_inserted;
};

struct kvm_vcpu {
    int fd;
    struct kvm_run *run;
    struct kvm_coalesced_mmio_ring *ring;  /* NULL: there is none */
    uint64_t entries;            /* how often the guest was entered */
    bool access_open;            /* an access was returned that KVM does not know the end of */
    bool intr_ready;             /* KVM takes an interrupt now */
    bool interrupts_on;          /* EFLAGS.IF at the last exit */
    uint64_t cr8, apic_base;     /* as the kernel had them last */
    uint8_t activity;            /* enum x86_activity */
    bool ran;                    /* since tsc_offset was worked out */
    int64_t tsc_offset;
    struct x86_state rest;       /* as it was set: what the kernel does not keep stays */
    struct kvm_debug debug;
    unsigned again;              /* KVM_RUN in a row that asked to try again */
    char failure[160];           /* why its state could not be moved; "": it could */
    /* For kicks from other threads: in_kernel is set before immediate_exit is looked at by the
     * kernel. */
    pthread_t thread;
    _Atomic bool in_kernel;
};

static inline struct kvm_vm *kvm_vm_of(const struct machine *m)
{
    return m->accel_data;
}

static inline struct kvm_vcpu *kvm_vcpu_of(const struct vcpu *cpu)
{
    return cpu->accel_data;
}

/* ---- vm.c ---- */

/* Opens the node and checks version and capabilities. Returns the descriptor, or -1 and err. */
int kvm_open(struct kvm_caps *caps, struct error **err);
bool kvm_vm_init(struct machine *m, struct error **err);
void kvm_vm_fini(struct machine *m);

/* ---- slots.c ---- */

/* Makes the memory slots what the view says. A failure is kept in the VM; the next run reports it.
 */
void kvm_slots_follow(struct machine *m, const struct view *view);
/* The slots that a view needs; returns how many, at most @max. Pure. */
unsigned kvm_slots_of_view(const struct view *view, struct kvm_slot *slots, unsigned max);
/* Keeps the arena's log of writes, from the first vCPU to the last. */
void kvm_slots_log(struct machine *m);
void kvm_slots_log_end(struct machine *m);

/* ---- zones.c ---- */

/* Lets the kernel keep back the writes to posted regions of a view (@pio: of ports). What it does
 * not take exits as any other access. */
void kvm_zones_follow(struct machine *m, const struct view *view, bool pio);

/* ---- vcpu.c ---- */
bool kvm_vcpu_init(struct vcpu *cpu, struct error **err);
void kvm_vcpu_fini(struct vcpu *cpu);

/* ---- run.c ---- */
void kvm_vcpu_run(struct vcpu *cpu, struct vcpu_exit *exit);
void kvm_vcpu_kick(struct vcpu *cpu);
/* Installs the handler of the signal that kicks; once for the process. */
void kvm_kick_init(void);

/* ---- convert.c: pure ---- */
void kvm_put_regs(struct kvm_regs *out, const struct x86_state *s);
void kvm_take_regs(struct x86_state *s, const struct kvm_regs *in);
void kvm_put_sregs(struct kvm_sregs2 *out, const struct x86_state *s);
void kvm_take_sregs(struct x86_state *s, const struct kvm_sregs2 *in);
/* The first is also how a kvm_fpu lies in the image: only for kernels without KVM_CAP_XSAVE. */
void kvm_put_fpu(struct kvm_fpu *out, const struct x86_state *s);
void kvm_take_fpu(struct x86_state *s, const struct kvm_fpu *in);
void kvm_put_xsave(struct kvm_xsave *out, const struct x86_state *s);
void kvm_take_xsave(struct x86_state *s, const struct kvm_xsave *in);
void kvm_put_events(struct kvm_vcpu_events *out, const struct x86_state *s, bool shadow);
void kvm_take_events(struct x86_state *s, const struct kvm_vcpu_events *in);
void kvm_put_debugregs(struct kvm_debugregs *out, const struct x86_state *s);
void kvm_take_debugregs(struct x86_state *s, const struct kvm_debugregs *in);
/* Number @i of the MSRs that x86_state has; false behind the last. *field may be written through.
 */
bool kvm_state_msr(struct x86_state *s, unsigned i, uint32_t *index, uint64_t **field);

/* ---- state.c ---- */
/* Where it is, for traces: two calls of the kernel. */
void kvm_place(struct vcpu *cpu, struct x86_place *out);
void kvm_get_state(struct vcpu *cpu, struct x86_state *out);
void kvm_set_state(struct vcpu *cpu, const struct x86_state *in);
/* Finds out which MSRs the kernel has. */
void kvm_find_msrs(struct kvm_vm *vm, int vcpu);

/* ---- cpuid.c ---- */

/* What a vCPU of @m is given: the model, without what the host lacks. NULL and err on failure. */
struct kvm_cpuid2 *kvm_cpuid_for(struct machine *m, int kvm, struct error **err);
const struct x86_model *kvm_host_model(struct error **err);

/* ---- debug.c ---- */
bool kvm_debug_fits(struct machine *m, const struct stops *s);
void kvm_debug_changed(struct vcpu *cpu);
/* Around each entry while somebody debugs, or has just ceased to. */
void kvm_debug_enter(struct vcpu *cpu);
void kvm_debug_left(struct kvm_vcpu *v);
/* KVM_EXIT_DEBUG, or the end of an instruction (a HLT, an access) that was run alone: true if
 * cpu->hit says what to stop for. */
bool kvm_debug_exit(struct vcpu *cpu);
bool kvm_debug_stepped(struct vcpu *cpu);

/* ---- failure.c ---- */

/* Fills *exit (EXIT_ERROR) from an exit that we cannot go on from. */
void kvm_failure(struct vcpu *cpu, struct vcpu_exit *exit);

/* ---- probe.c ---- */
bool kvm_probe(struct error **err);
bool kvm_measure(bool again, char *text, size_t bytes);

#endif
