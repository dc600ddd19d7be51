/*
 * The answer of the KVM probe, kept until the host restarts: a file in $XDG_RUNTIME_DIR, else in
 * /run (root) or /tmp, that names the host's boot ID. A file that is not ours alone counts as
 * absent.
 */
#ifndef CORE_ACCEL_KVM_REMEMBER_H
#define CORE_ACCEL_KVM_REMEMBER_H

#include <stdbool.h>
#include <stdint.h>

enum kvm_answer_kind { KVM_MEASURED, KVM_SILENT, KVM_FAILED };

struct kvm_answer {
    enum kvm_answer_kind kind;
    int64_t insn_ps, exit_ns;    /* KVM_MEASURED */
    char text[160];              /* KVM_FAILED: why */
};

/* False: nothing is known, or it is from before the last start of the host. */
bool kvm_recall(struct kvm_answer *a);
/* Keeps KVM_MEASURED and KVM_SILENT. Where that fails nothing is kept: the next start asks again.
 */
void kvm_remember(const struct kvm_answer *a);

#endif
