/*
 * The state table of a processor: what is saved, digested and compared. The order is the saved
 * format: append only. gpr[16] and gpr[17] are the engine's and stay out.
 */
#include "core/accel/accel.h"
#include "core/device/state.h"

static const struct state_field seg_fields[] = {
    STATE(struct x86_seg, sel),
    STATE(struct x86_seg, attr),
    STATE(struct x86_seg, limit),
    STATE(struct x86_seg, base),
    STATE_END(),
};

static const struct state_field dtr_fields[] = {
    STATE(struct x86_dtr, base),
    STATE(struct x86_dtr, limit),
    STATE_END(),
};

static const struct state_field fpr_fields[] = {
    STATE(struct x86_fpr, mant),
    STATE(struct x86_fpr, se),
    STATE_END(),
};

#define S struct x86_state
const struct state_field x86_state_fields[] = {
    {"gpr", STATE_KIND_BYTES, offsetof(S, gpr), 16 * sizeof(uint64_t), 1, NULL, 0},
    STATE(S, rip),
    STATE(S, rflags),
    STATE_SUBS(S, seg, seg_fields),
    STATE_SUB(S, ldtr, seg_fields),
    STATE_SUB(S, tr, seg_fields),
    STATE_SUB(S, gdtr, dtr_fields),
    STATE_SUB(S, idtr, dtr_fields),
    STATE(S, cr0), STATE(S, cr2), STATE(S, cr3), STATE(S, cr4), STATE(S, cr8),
    STATE(S, dr),
    STATE(S, efer),
    STATE(S, pdpte),
    STATE_SUBS(S, fpr, fpr_fields),
    STATE(S, fcw), STATE(S, fsw), STATE(S, ftag), STATE(S, fop), STATE(S, fcs), STATE(S, fds),
    STATE(S, fip), STATE(S, fdp),
    STATE(S, ymm), STATE(S, mxcsr), STATE(S, xcr0),
    STATE(S, star), STATE(S, lstar), STATE(S, cstar), STATE(S, sfmask),
    STATE(S, kernel_gs_base), STATE(S, tsc_aux),
    STATE(S, sysenter_cs), STATE(S, sysenter_esp), STATE(S, sysenter_eip),
    STATE(S, apic_base), STATE(S, pat),
    STATE(S, mtrr_def), STATE(S, mtrr_fix), STATE(S, mtrr_base), STATE(S, mtrr_mask),
    STATE(S, tsc_offset),
    STATE(S, misc_enable), STATE(S, mcg_status), STATE(S, mcg_ctl), STATE(S, debugctl),
    STATE(S, feature_control),
    STATE(S, smbase), STATE(S, in_smm), STATE(S, nmi_blocked), STATE(S, smi_blocked),
    STATE(S, shadow), STATE(S, activity), STATE(S, a20),
    STATE(S, inject_valid), STATE(S, inject_vector), STATE(S, inject_type),
    STATE(S, inject_has_error), STATE(S, inject_error),
    STATE(S, random),
    STATE_END(),
};
