/*
 * An accelerator runs vCPUs. The loop around it is shared (vcpu.c); the rest of the program sees
 * only this table and x86_state.
 */
#ifndef CORE_ACCEL_ACCEL_H
#define CORE_ACCEL_ACCEL_H

#include "core/base/error.h"
#include "core/cpu/notes.h"
#include "core/cpu/x86_state.h"
#include "core/device/machine.h"

struct text;
struct vcpu;

enum vcpu_exit_reason {
    EXIT_KICKED,       /* somebody wants the vCPU outside run: look at its requests */
    EXIT_SLICE,        /* virtual clock: the budget is used up, a timer is due */
    EXIT_IO,           /* KVM: a port access to carry out */
    EXIT_MMIO,         /* KVM: a memory access to carry out */
    EXIT_HALT,         /* HLT; the vCPU waits for an interrupt */
    EXIT_IRQ_WINDOW,   /* KVM: it can take an interrupt now */
    EXIT_DEBUG,        /* breakpoint or single step */
    EXIT_SHUTDOWN,     /* triple fault */
    EXIT_ERROR,        /* the accelerator cannot go on; error_text says why */
};

struct vcpu_exit {
    enum vcpu_exit_reason reason;
    /* what the accelerator calls it, for -d exits; NULL: the reason says it all */
    const char *name;
    union {
        struct { uint16_t port; uint8_t size; bool out; uint32_t count; uint8_t *data; } io;
        struct { uint64_t addr; uint8_t size; bool write; uint8_t *data; } mmio;
        struct {
            char text[256];
            bool movable;  /* the state is right: another accelerator can go on from here */
        } error;
    };
};

struct accel {
    const char *name;                                   /* "kvm", "jit", "interp" */
    bool counts_insns;                                  /* can drive the virtual clock */
    bool exits_for_io;                                  /* run returns EXIT_IO and EXIT_MMIO */
    bool one_vcpu;                                      /* more are not possible */
    bool no_smm;                                        /* SMI# has no effect */
    bool parallel;                                      /* vCPUs may run at the same time */
    bool (*probe)(struct error **err);                  /* can this host? err says why not */
    /* Is it faster than the software CPU on this host? @text says what was measured or what is
     * missing.
     * @again: measure now, else an earlier answer will do. NULL: it is the software CPU. */
    bool (*measure)(bool again, char *text, size_t bytes);
    /* The host's own processor, for -cpu host. NULL: there is no such thing. */
    const struct x86_model *(*host_model)(struct error **err);
    bool (*vm_init)(struct machine *m, struct error **err);
    /* After a commit of m->mem, m->smm or m->ports. [locked] */
    void (*view_changed)(struct machine *m, struct space *s, const struct view *old,
                         const struct view *now);
    bool (*vcpu_init)(struct vcpu *cpu, struct error **err);
    void (*vcpu_fini)(struct vcpu *cpu);
    /* Until something needs us; own thread. An access that it returned (EXIT_IO, EXIT_MMIO) is over
     * when it is called again; with PEND_KICK pending it finishes that instruction and starts no
     * other. */
    void (*run)(struct vcpu *cpu, struct vcpu_exit *exit);
    void (*kick)(struct vcpu *cpu);                     /* make run return soon; any thread */
    void (*slice_changed)(struct vcpu *cpu); /* vcpu_slice would now answer less; own thread */
    uint64_t (*icount)(struct vcpu *cpu); /* instructions retired; own thread or stopped */
    /* What debug.h describes changed for this vCPU: m->stops, cpu->step or cpu->stop_count. NULL:
     * it cannot be debugged. [locked, vCPU out of run] */
    void (*debug_changed)(struct vcpu *cpu);
    unsigned untold; /* EVENT_* of debug.h that it cannot tell of */
    /* Can it stop at these points? NULL: at any. Without points: can it be debugged at all?
     * [locked] */
    bool (*debug_fits)(struct machine *m, const struct stops *s);
    /* What the CPU did last, for post-mortems. NULL: it does not know. [vCPU out of run] */
    void (*history)(struct vcpu *cpu, struct x86_history *out);
    /* For people: what it did so far or, with @lin, its code for that linear address. NULL: nothing
     * to tell. [vCPU out of run] */
    void (*describe)(struct vcpu *cpu, const uint64_t *lin, struct text *out);
    /* Where its code is, for traces. NULL: it does not know. [vcpu, in run or in an access of its
     * own] */
    void (*place)(struct vcpu *cpu, struct x86_place *out);
    void (*get_state)(struct vcpu *cpu, struct x86_state *out);      /* stopped vCPU only */
    void (*set_state)(struct vcpu *cpu, const struct x86_state *in); /* stopped vCPU only */
    void (*fini)(struct machine *m);
};

/* Those that exist, each in the folder of its name; core/main/registry.c lists them for users. */
extern const struct accel kvm_accel, interp_accel, jit_accel;

/* The state table of struct x86_state, for save/load and digests (x86_fields.c). */
extern const struct state_field x86_state_fields[];

#endif
