/*
 * The processor after power-on, reset and INIT.
 *
 * Source: [SDM3] "Processor State After Reset", table "IA-32 Processor States Following Power-up,
 *         Reset, or INIT".
 * Chosen: the x87 tags after power-on are "zero" (the registers hold +0.0), as the table says;
 *         FINIT makes them empty.
 */
#include "core/cpu/x86_state.h"

#include <string.h>

/* What INIT does not touch. */
static void keep_over_init(struct x86_state *s, const struct x86_state *old)
{
    memcpy(s->fpr, old->fpr, sizeof(s->fpr));
    s->fcw = old->fcw;
    s->fsw = old->fsw;
    s->ftag = old->ftag;
    s->fop = old->fop;
    s->fcs = old->fcs;
    s->fds = old->fds;
    s->fip = old->fip;
    s->fdp = old->fdp;
    memcpy(s->ymm, old->ymm, sizeof(s->ymm));
    s->mxcsr = old->mxcsr;
    s->xcr0 = old->xcr0;
    s->cr0 |= old->cr0 & (CR0_CD | CR0_NW);
    s->star = old->star;
    s->lstar = old->lstar;
    s->cstar = old->cstar;
    s->sfmask = old->sfmask;
    s->kernel_gs_base = old->kernel_gs_base;
    s->tsc_aux = old->tsc_aux;
    s->sysenter_cs = old->sysenter_cs;
    s->sysenter_esp = old->sysenter_esp;
    s->sysenter_eip = old->sysenter_eip;
    s->apic_base = old->apic_base;
    s->pat = old->pat;
    s->mtrr_def = old->mtrr_def;
    memcpy(s->mtrr_fix, old->mtrr_fix, sizeof(s->mtrr_fix));
    memcpy(s->mtrr_base, old->mtrr_base, sizeof(s->mtrr_base));
    memcpy(s->mtrr_mask, old->mtrr_mask, sizeof(s->mtrr_mask));
    s->tsc_offset = old->tsc_offset;
    s->misc_enable = old->misc_enable;
    s->mcg_status = old->mcg_status;
    s->mcg_ctl = old->mcg_ctl;
    s->feature_control = old->feature_control;
    s->smbase = old->smbase;
    s->a20 = old->a20;
}

static void power_on(struct x86_state *s)
{
    s->cr0 = CR0_CD | CR0_NW | CR0_ET;
    s->fcw = 0x0040;
    s->ftag = 0xff;
    s->mxcsr = 0x1f80;
    s->xcr0 = 1;
    s->apic_base = 0xfee00900;   /* enabled, bootstrap processor */
    s->pat = 0x0007040600070406ull;
    s->misc_enable = 1;          /* fast strings */
    s->smbase = 0x30000;
    s->a20 = true;
}

void x86_state_reset(struct x86_state *s, uint32_t signature, bool init)
{
    struct x86_state old = *s;
    memset(s, 0, sizeof(*s));
    s->rip = 0xfff0;
    s->rflags = FL_1;
    s->gpr[R_DX] = signature;
    for (unsigned i = 0; i < 6; i++) {
        s->seg[i] = (struct x86_seg){
            .limit = 0xffff, .attr = AR_P | AR_S | AR_WRITABLE | AR_ACCESSED,
        };
    }
    s->seg[S_CS].sel = 0xf000;
    s->seg[S_CS].base = 0xffff0000;
    s->ldtr = (struct x86_seg){.limit = 0xffff, .attr = AR_P | 2};
    s->tr = (struct x86_seg){.limit = 0xffff, .attr = AR_P | 11};
    s->gdtr.limit = s->idtr.limit = 0xffff;
    s->dr[6] = 0xffff0ff0;
    s->dr[7] = 0x400;
    s->activity = ACT_RUNNING;
    if (init) {
        s->cr0 = CR0_ET;
        keep_over_init(s, &old);
    } else {
        power_on(s);
    }
}
