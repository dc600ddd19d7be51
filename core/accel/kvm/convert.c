/*
 * Registers as structures: between x86_state and what KVM's ioctls take and give. No system calls.
 *
 * Source: [KVM] KVM_GET_REGS, KVM_GET_SREGS2, KVM_GET_FPU, KVM_GET_XSAVE, KVM_GET_VCPU_EVENTS,
 *         KVM_GET_DEBUGREGS; [SDM1] "XSAVE Area"; [SDM4] for the indices of MSRs.
 * Left out: the x87's FCS and FDS, which KVM's 64-bit images have no room for: they become 0.
 */
#include "core/accel/kvm/kvm.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <string.h>

/* ---- general registers ----------------------------------------------------------------------- */

void kvm_put_regs(struct kvm_regs *out, const struct x86_state *s)
{
    *out = (struct kvm_regs){
        .rax = s->gpr[R_AX], .rbx = s->gpr[R_BX], .rcx = s->gpr[R_CX], .rdx = s->gpr[R_DX],
        .rsi = s->gpr[R_SI], .rdi = s->gpr[R_DI], .rsp = s->gpr[R_SP], .rbp = s->gpr[R_BP],
        .r8 = s->gpr[R_8], .r9 = s->gpr[R_9], .r10 = s->gpr[R_10], .r11 = s->gpr[R_11],
        .r12 = s->gpr[R_12], .r13 = s->gpr[R_13], .r14 = s->gpr[R_14], .r15 = s->gpr[R_15],
        .rip = s->rip, .rflags = s->rflags | FL_1,
    };
}

void kvm_take_regs(struct x86_state *s, const struct kvm_regs *in)
{
    const uint64_t gpr[16] = {
        in->rax, in->rcx, in->rdx, in->rbx, in->rsp, in->rbp, in->rsi, in->rdi,
        in->r8, in->r9, in->r10, in->r11, in->r12, in->r13, in->r14, in->r15,
    };
    memcpy(s->gpr, gpr, sizeof(gpr));
    s->rip = in->rip;
    s->rflags = in->rflags | FL_1;
}

/* ---- segments, control registers ------------------------------------------------------------- */

static struct kvm_segment put_segment(const struct x86_seg *seg)
{
    return (struct kvm_segment){
        .base = seg->base, .limit = seg->limit, .selector = seg->sel,
        .type = seg->attr & AR_TYPE,
        .s = (seg->attr & AR_S) != 0,
        .dpl = (seg->attr & AR_DPL) >> AR_DPL_SHIFT,
        .present = (seg->attr & AR_P) != 0,
        .avl = (seg->attr & AR_AVL) != 0,
        .l = (seg->attr & AR_L) != 0,
        .db = (seg->attr & AR_DB) != 0,
        .g = (seg->attr & AR_G) != 0,
        .unusable = (seg->attr & AR_UNUSABLE) || !(seg->attr & AR_P),
    };
}

static struct x86_seg take_segment(const struct kvm_segment *in)
{
    uint32_t attr = (in->type & AR_TYPE) | (in->s ? AR_S : 0) | (in->dpl & 3u) << AR_DPL_SHIFT |
                    (in->present ? AR_P : 0) | (in->avl ? AR_AVL : 0) | (in->l ? AR_L : 0) |
                    (in->db ? AR_DB : 0) | (in->g ? AR_G : 0);
    if (in->unusable) { /* nothing of it counts but the DPL, which is the CPL in SS */
        attr = (attr & AR_DPL) | AR_UNUSABLE;
    }
    return (struct x86_seg){
        .sel = in->selector, .attr = attr, .limit = in->limit, .base = in->base};
}

static struct kvm_dtable put_table(const struct x86_dtr *t)
{
    return (struct kvm_dtable){.base = t->base, .limit = t->limit};
}

static struct x86_dtr take_table(const struct kvm_dtable *in)
{
    return (struct x86_dtr){.base = in->base, .limit = in->limit};
}

static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

void kvm_put_sregs(struct kvm_sregs2 *out, const struct x86_state *s)
{
    *out = (struct kvm_sregs2){
        .cs = put_segment(&s->seg[S_CS]), .ds = put_segment(&s->seg[S_DS]),
        .es = put_segment(&s->seg[S_ES]), .fs = put_segment(&s->seg[S_FS]),
        .gs = put_segment(&s->seg[S_GS]), .ss = put_segment(&s->seg[S_SS]),
        .tr = put_segment(&s->tr), .ldt = put_segment(&s->ldtr),
        .gdt = put_table(&s->gdtr), .idt = put_table(&s->idtr),
        .cr0 = s->cr0, .cr2 = s->cr2, .cr3 = s->cr3, .cr4 = s->cr4, .cr8 = s->cr8,
        .efer = s->efer, .apic_base = s->apic_base,
    };
    if (pae_paging(s->cr0, s->cr4, s->efer)) {
        out->flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
        memcpy(out->pdptrs, s->pdpte, sizeof(out->pdptrs));
    }
}

void kvm_take_sregs(struct x86_state *s, const struct kvm_sregs2 *in)
{
    s->seg[S_CS] = take_segment(&in->cs);
    s->seg[S_DS] = take_segment(&in->ds);
    s->seg[S_ES] = take_segment(&in->es);
    s->seg[S_FS] = take_segment(&in->fs);
    s->seg[S_GS] = take_segment(&in->gs);
    s->seg[S_SS] = take_segment(&in->ss);
    s->tr = take_segment(&in->tr);
    s->ldtr = take_segment(&in->ldt);
    s->gdtr = take_table(&in->gdt);
    s->idtr = take_table(&in->idt);
    s->cr0 = in->cr0;
    s->cr2 = in->cr2;
    s->cr3 = in->cr3;
    s->cr4 = in->cr4;
    s->cr8 = in->cr8;
    s->efer = in->efer;
    s->apic_base = in->apic_base;
    if (in->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID) {
        memcpy(s->pdpte, in->pdptrs, sizeof(s->pdpte));
    }
}

/* ---- x87, SSE, AVX --------------------------------------------------------------------------- */

/* The images hold ST(0)..ST(7); x86_state has the physical registers, TOP says which is ST(0). */
static unsigned physical(uint16_t fsw, unsigned st)
{
    return ((fsw >> 11) + st) & 7;
}

static void put_st(uint8_t *at, const struct x86_fpr *r)
{
    st64le(at, r->mant);
    st16le(at + 8, r->se);
}

static struct x86_fpr take_st(const uint8_t *at)
{
    return (struct x86_fpr){.mant = ld64le(at), .se = ld16le(at + 8)};
}

void kvm_put_fpu(struct kvm_fpu *out, const struct x86_state *s)
{
    *out = (struct kvm_fpu){
        .fcw = s->fcw, .fsw = s->fsw, .ftwx = s->ftag, .last_opcode = s->fop, .last_ip = s->fip,
        .last_dp = s->fdp, .mxcsr = s->mxcsr,
    };
    for (unsigned i = 0; i < 8; i++) {
        put_st(out->fpr[i], &s->fpr[physical(s->fsw, i)]);
    }
    for (unsigned i = 0; i < 16; i++) {
        memcpy(out->xmm[i], s->ymm[i], 16);
    }
}

void kvm_take_fpu(struct x86_state *s, const struct kvm_fpu *in)
{
    s->fcw = in->fcw;
    s->fsw = in->fsw;
    s->ftag = in->ftwx;
    s->fop = in->last_opcode;
    s->fip = in->last_ip;
    s->fdp = in->last_dp;
    s->fcs = s->fds = 0;
    s->mxcsr = in->mxcsr;
    for (unsigned i = 0; i < 8; i++) {
        s->fpr[physical(in->fsw, i)] = take_st(in->fpr[i]);
    }
    for (unsigned i = 0; i < 16; i++) {
        memcpy(s->ymm[i], in->xmm[i], 16);
    }
}

/* Offsets in the XSAVE area. */
enum {
    X_FCW = 0, X_FSW = 2, X_FTW = 4, X_FOP = 6, X_FIP = 8, X_FDP = 16, X_MXCSR = 24, X_ST = 32,
    X_XMM = 160, X_BV = 512, X_YMM_HIGH = 576,
};
enum { XSTATE_X87 = 1, XSTATE_SSE = 2, XSTATE_AVX = 4 };

#define FCW_INIT   0x037f
#define MXCSR_INIT 0x1f80

/* What KVM has beyond x86_state's components stays in its initial configuration. */
void kvm_put_xsave(struct kvm_xsave *out, const struct x86_state *s)
{
    uint8_t *x = (uint8_t *)out->region;
    memset(out, 0, sizeof(*out));
    st16le(x + X_FCW, s->fcw);
    st16le(x + X_FSW, s->fsw);
    x[X_FTW] = s->ftag;
    st16le(x + X_FOP, s->fop);
    st64le(x + X_FIP, s->fip);
    st64le(x + X_FDP, s->fdp);
    st32le(x + X_MXCSR, s->mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        put_st(x + X_ST + 16 * i, &s->fpr[physical(s->fsw, i)]);
    }
    for (unsigned i = 0; i < 16; i++) {
        memcpy(x + X_XMM + 16 * i, s->ymm[i], 16);
    }
    uint64_t have = XSTATE_X87 | XSTATE_SSE;
    if (s->xcr0 & XSTATE_AVX) {
        have |= XSTATE_AVX;
        for (unsigned i = 0; i < 16; i++) {
            memcpy(x + X_YMM_HIGH + 16 * i, s->ymm[i] + 16, 16);
        }
    }
    st64le(x + X_BV, have);
}

/* [SDM1] "XSAVE Area": a component whose bit of XSTATE_BV is 0 is in its initial configuration. */
void kvm_take_xsave(struct x86_state *s, const struct kvm_xsave *in)
{
    const uint8_t *x = (const uint8_t *)in->region;
    uint64_t have = ld64le(x + X_BV);
    bool x87 = have & XSTATE_X87;
    s->fcw = x87 ? ld16le(x + X_FCW) : FCW_INIT;
    s->fsw = x87 ? ld16le(x + X_FSW) : 0;
    s->ftag = x87 ? x[X_FTW] : 0;
    s->fop = x87 ? ld16le(x + X_FOP) : 0;
    s->fip = x87 ? ld64le(x + X_FIP) : 0;
    s->fdp = x87 ? ld64le(x + X_FDP) : 0;
    s->fcs = s->fds = 0;
    for (unsigned i = 0; i < 8; i++) {
        s->fpr[physical(s->fsw, i)] = x87 ? take_st(x + X_ST + 16 * i) : (struct x86_fpr){0};
    }
    s->mxcsr = have & (XSTATE_SSE | XSTATE_AVX) ? ld32le(x + X_MXCSR) : MXCSR_INIT;
    memset(s->ymm, 0, sizeof(s->ymm));
    for (unsigned i = 0; i < 16; i++) {
        if (have & XSTATE_SSE) {
            memcpy(s->ymm[i], x + X_XMM + 16 * i, 16);
        }
        if (have & XSTATE_AVX) {
            memcpy(s->ymm[i] + 16, x + X_YMM_HIGH + 16 * i, 16);
        }
    }
}

/* ---- events, debug registers ----------------------------------------------------------------- */

enum { INJECT_EXTERNAL = 0, INJECT_NMI = 2, INJECT_EXCEPTION = 3, INJECT_SOFTWARE = 4 };

void kvm_put_events(struct kvm_vcpu_events *out, const struct x86_state *s, bool shadow)
{
    *out = (struct kvm_vcpu_events){.nmi.masked = s->nmi_blocked};
    if (shadow) {
        out->flags |= KVM_VCPUEVENT_VALID_SHADOW;
        out->interrupt.shadow = (s->shadow & X86_SHADOW_STI ? KVM_X86_SHADOW_INT_STI : 0) |
                                (s->shadow & X86_SHADOW_MOVSS ? KVM_X86_SHADOW_INT_MOV_SS : 0);
    }
    out->flags |= KVM_VCPUEVENT_VALID_NMI_PENDING;
    if (!s->inject_valid) {
        return;
    }
    switch (s->inject_type) {
    case INJECT_EXTERNAL:
    case INJECT_SOFTWARE:
        out->interrupt.injected = 1;
        out->interrupt.nr = s->inject_vector;
        out->interrupt.soft = s->inject_type == INJECT_SOFTWARE;
        break;
    case INJECT_NMI:
        out->nmi.injected = 1;
        break;
    default:
        out->exception.injected = 1;
        out->exception.nr = s->inject_vector;
        out->exception.has_error_code = s->inject_has_error;
        out->exception.error_code = s->inject_error;
        break;
    }
}

static void take_injection(struct x86_state *s, uint8_t type, uint8_t vector)
{
    s->inject_valid = true;
    s->inject_type = type;
    s->inject_vector = vector;
}

void kvm_take_events(struct x86_state *s, const struct kvm_vcpu_events *in)
{
    s->nmi_blocked = in->nmi.masked != 0;
    s->shadow = (in->interrupt.shadow & KVM_X86_SHADOW_INT_STI ? X86_SHADOW_STI : 0) |
                (in->interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS ? X86_SHADOW_MOVSS : 0);
    s->inject_valid = s->inject_has_error = false;
    s->inject_type = s->inject_vector = 0;
    s->inject_error = 0;
    if (in->exception.injected || in->exception.pending) {
        take_injection(s, INJECT_EXCEPTION, in->exception.nr);
        s->inject_has_error = in->exception.has_error_code != 0;
        s->inject_error = in->exception.error_code;
    } else if (in->nmi.injected) {
        take_injection(s, INJECT_NMI, X86_NMI);
    } else if (in->interrupt.injected) {
        take_injection(s, in->interrupt.soft ? INJECT_SOFTWARE : INJECT_EXTERNAL, in->interrupt.nr);
    }
}

void kvm_put_debugregs(struct kvm_debugregs *out, const struct x86_state *s)
{
    *out = (struct kvm_debugregs){.dr6 = (uint32_t)s->dr[6], .dr7 = (uint32_t)s->dr[7]};
    memcpy(out->db, s->dr, sizeof(out->db));
}

void kvm_take_debugregs(struct x86_state *s, const struct kvm_debugregs *in)
{
    memcpy(s->dr, in->db, sizeof(in->db));
    s->dr[6] = in->dr6;
    s->dr[7] = in->dr7;
}

/* ---- model specific registers ---------------------------------------------------------------- */

#define FIELD(name) offsetof(struct x86_state, name)

static const struct {
    uint32_t index;
    uint16_t field;
} msrs[] = {
    {0xc0000081, FIELD(star)}, {0xc0000082, FIELD(lstar)}, {0xc0000083, FIELD(cstar)},
    {0xc0000084, FIELD(sfmask)}, {0xc0000102, FIELD(kernel_gs_base)}, {0xc0000103, FIELD(tsc_aux)},
    {0x174, FIELD(sysenter_cs)}, {0x175, FIELD(sysenter_esp)}, {0x176, FIELD(sysenter_eip)},
    {0x277, FIELD(pat)}, {0x1a0, FIELD(misc_enable)}, {0x17a, FIELD(mcg_status)},
    {0x17b, FIELD(mcg_ctl)}, {0x1d9, FIELD(debugctl)}, {0x3a, FIELD(feature_control)},
    {0x250, FIELD(mtrr_fix[0])}, {0x258, FIELD(mtrr_fix[1])}, {0x259, FIELD(mtrr_fix[2])},
    {0x268, FIELD(mtrr_fix[3])}, {0x269, FIELD(mtrr_fix[4])}, {0x26a, FIELD(mtrr_fix[5])},
    {0x26b, FIELD(mtrr_fix[6])}, {0x26c, FIELD(mtrr_fix[7])}, {0x26d, FIELD(mtrr_fix[8])},
    {0x26e, FIELD(mtrr_fix[9])}, {0x26f, FIELD(mtrr_fix[10])},
    {0x200, FIELD(mtrr_base[0])}, {0x201, FIELD(mtrr_mask[0])}, {0x202, FIELD(mtrr_base[1])},
    {0x203, FIELD(mtrr_mask[1])}, {0x204, FIELD(mtrr_base[2])}, {0x205, FIELD(mtrr_mask[2])},
    {0x206, FIELD(mtrr_base[3])}, {0x207, FIELD(mtrr_mask[3])}, {0x208, FIELD(mtrr_base[4])},
    {0x209, FIELD(mtrr_mask[4])}, {0x20a, FIELD(mtrr_base[5])}, {0x20b, FIELD(mtrr_mask[5])},
    {0x20c, FIELD(mtrr_base[6])}, {0x20d, FIELD(mtrr_mask[6])}, {0x20e, FIELD(mtrr_base[7])},
    {0x20f, FIELD(mtrr_mask[7])}, {0x2ff, FIELD(mtrr_def)},
};

bool kvm_state_msr(struct x86_state *s, unsigned i, uint32_t *index, uint64_t **field)
{
    if (i >= ARRAY_SIZE(msrs)) {
        return false;
    }
    *index = msrs[i].index;
    *field = (uint64_t *)(void *)((char *)s + msrs[i].field);
    return true;
}
