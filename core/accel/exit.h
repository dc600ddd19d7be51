/*
 * What becomes of the exits of an accelerator, and how they are shown (-d exits).
 */
#ifndef CORE_ACCEL_EXIT_H
#define CORE_ACCEL_EXIT_H

#include "core/accel/vcpu.h"
#include "core/base/bits.h"
#include "core/base/log.h"
#include "trace/core_accel.h"

#define EXIT_TEXT 160

/* Lets @cpu run until it must be looked at outside; carries out the accesses that it leaves for.
 * Never returns with an access half done, so the state is whole afterwards. [vcpu] */
void vcpu_run(struct vcpu *cpu, struct vcpu_exit *exit);

/* The exit as text, in the words of the kernel's KVM documentation whatever the accelerator:
 * "KVM_EXIT_IO out port=0x10 size=2 data=0x0001", "KVM_EXIT_HLT". */
void vcpu_exit_text(const struct vcpu_exit *exit, char text[EXIT_TEXT]);

/* Shows an access of a CPU that makes its accesses itself as the exit that it would be elsewhere,
 * if -d exits asks for it. */
void vcpu_show_asked(struct vcpu *cpu, const struct space *s, bool write, uint64_t addr,
                     uint64_t val, unsigned size);

/* Does somebody want to see them? */
static inline bool vcpu_exits_shown(void)
{
    return unlikely(log_enabled(LOG_EXITS)) || trace_on(vcpu_exit);
}

static inline void vcpu_show_access(struct vcpu *cpu, const struct space *s, bool write,
                                    uint64_t addr, uint64_t val, unsigned size)
{
    if (vcpu_exits_shown()) {
        vcpu_show_asked(cpu, s, write, addr, val, size);
    }
}

/* The accelerator cannot go on, for reason @why: m->next_accel takes the vCPUs over as they are.
 * False: it cannot either. [locked, vCPUs out of run] */
bool vcpus_move(struct machine *m, const char *why);

#endif
