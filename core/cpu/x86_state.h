/*
 * The architectural state of one x86 processor: what save/load, debuggers and moves between
 * accelerators see. Source: [SDM1] "Basic Execution Environment", [SDM3] "System Architecture".
 */
#ifndef CORE_CPU_X86_STATE_H
#define CORE_CPU_X86_STATE_H

#include <stdbool.h>
#include <stdint.h>

enum x86_gpr {
    R_AX, R_CX, R_DX, R_BX, R_SP, R_BP, R_SI, R_DI, R_8, R_9, R_10, R_11, R_12, R_13, R_14, R_15
};

/* Index of the segment registers as in sreg fields. */
enum x86_sreg { S_ES, S_CS, S_SS, S_DS, S_FS, S_GS };

/* Access rights as VMX has them: descriptor bits 47:40 at 7:0, bits 55:52 at 15:12, unusable at
 * 16. */
enum {
    AR_TYPE = 0x0f,
    AR_ACCESSED = 0x01,      /* code and data */
    AR_WRITABLE = 0x02,      /* data; for code: readable */
    AR_READABLE = 0x02,
    AR_DOWN = 0x04,          /* data: expand down; code: conforming */
    AR_CONFORMING = 0x04,
    AR_CODE = 0x08,
    AR_S = 0x10,             /* code or data, else system */
    AR_DPL = 0x60,
    AR_DPL_SHIFT = 5,
    AR_P = 0x80,
    AR_AVL = 0x1000,
    AR_L = 0x2000,
    AR_DB = 0x4000,
    AR_G = 0x8000,
    AR_UNUSABLE = 0x10000,
};

struct x86_seg {
    uint16_t sel;
    uint32_t attr;           /* AR_* */
    uint32_t limit;          /* in bytes, already scaled by G */
    uint64_t base;
};

struct x86_dtr {
    uint64_t base;
    uint16_t limit;
};

struct x86_fpr {
    uint64_t mant;
    uint16_t se;             /* sign and exponent */
};

enum {
    FL_CF = 0x1, FL_1 = 0x2, FL_PF = 0x4, FL_AF = 0x10, FL_ZF = 0x40, FL_SF = 0x80, FL_TF = 0x100,
    FL_IF = 0x200, FL_DF = 0x400, FL_OF = 0x800, FL_IOPL = 0x3000, FL_NT = 0x4000, FL_RF = 0x10000,
    FL_VM = 0x20000, FL_AC = 0x40000, FL_VIF = 0x80000, FL_VIP = 0x100000, FL_ID = 0x200000,
    FL_OSZAPC = FL_OF | FL_SF | FL_ZF | FL_AF | FL_PF | FL_CF,
};

enum {
    CR0_PE = 0x1, CR0_MP = 0x2, CR0_EM = 0x4, CR0_TS = 0x8, CR0_ET = 0x10, CR0_NE = 0x20,
    CR0_WP = 0x10000, CR0_AM = 0x40000, CR0_NW = 0x20000000, CR0_CD = 0x40000000,
};
#define CR0_PG 0x80000000u
enum {
    CR4_VME = 0x1, CR4_PVI = 0x2, CR4_TSD = 0x4, CR4_DE = 0x8, CR4_PSE = 0x10, CR4_PAE = 0x20,
    CR4_MCE = 0x40, CR4_PGE = 0x80, CR4_PCE = 0x100, CR4_OSFXSR = 0x200, CR4_OSXMMEXCPT = 0x400,
    CR4_UMIP = 0x800, CR4_FSGSBASE = 0x10000, CR4_PCIDE = 0x20000, CR4_OSXSAVE = 0x40000,
    CR4_SMEP = 0x100000, CR4_SMAP = 0x200000,
};
enum { APIC_BASE_BSP = 0x100, APIC_BASE_EXTD = 0x400, APIC_BASE_EN = 0x800 };
enum { EFER_SCE = 0x1, EFER_LME = 0x100, EFER_LMA = 0x400, EFER_NXE = 0x800 };

/* Exception vectors. */
enum {
    X86_DE = 0, X86_DB = 1, X86_NMI = 2, X86_BP = 3, X86_OF = 4, X86_BR = 5, X86_UD = 6, X86_NM = 7,
    X86_DF = 8, X86_TS = 10, X86_NP = 11, X86_SS = 12, X86_GP = 13, X86_PF = 14, X86_MF = 16,
    X86_AC = 17, X86_MC = 18, X86_XM = 19,
};

/* What a processor does between instructions besides running. */
enum x86_activity { ACT_RUNNING, ACT_HALTED, ACT_WAIT_SIPI, ACT_SHUTDOWN };

#define X86_MTRR_VAR 8

struct x86_state {
    /* gpr[16] is always 0 and gpr[17] belongs to the interpreter (RIP-relative base): both let an
     * effective address be formed without tests. Not saved. */
    uint64_t gpr[18];
    uint64_t rip;
    uint64_t rflags;             /* bit 1 is always set */
    struct x86_seg seg[6];       /* by enum x86_sreg */
    struct x86_seg ldtr, tr;
    struct x86_dtr gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, cr8;
    uint64_t dr[8];              /* 4 and 5 unused */
    uint64_t efer;
    uint64_t pdpte[4];           /* PAE: loaded with CR3 */

    /* x87: physical registers, MMX in the mantissas. */
    struct x86_fpr fpr[8];
    uint16_t fcw, fsw;           /* TOP is in fsw 13:11 */
    uint8_t ftag;                /* bit n set: physical register n is not empty */
    uint16_t fop, fcs, fds;
    uint64_t fip, fdp;
    /* SSE, AVX */
    uint8_t ymm[16][32];
    uint32_t mxcsr;
    uint64_t xcr0;

    /* MSRs */
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t apic_base, pat, mtrr_def, mtrr_fix[11], mtrr_base[X86_MTRR_VAR],
        mtrr_mask[X86_MTRR_VAR];
    uint64_t tsc_offset;         /* TSC = virtual-time counter + this */
    uint64_t random;             /* where RDRAND's generator is, if the host gives no numbers */
    uint64_t misc_enable, mcg_status, mcg_ctl, debugctl, feature_control;

    uint32_t smbase;
    bool in_smm;
    bool nmi_blocked;            /* until IRET */
    bool smi_blocked;
    uint8_t shadow;              /* interrupt shadow: X86_SHADOW_* holds for the next instruction */
    uint8_t activity;            /* enum x86_activity */
    bool a20;                    /* A20M# inactive: address bit 20 passes */
    /* An exception or interrupt whose delivery was started by KVM and is not finished */
    bool inject_valid;
    uint8_t inject_vector;
    uint8_t inject_type;         /* 0 external, 2 NMI, 3 hardware exception, 4 software interrupt */
    bool inject_has_error;
    uint32_t inject_error;
};

enum { X86_SHADOW_STI = 1, X86_SHADOW_MOVSS = 2 };

/* Power-on (or INIT if @init: keeps FPU, CR0.CD/NW and MSRs; [SDM3] "Processor State After Reset").
 * @signature: CPUID leaf 1 EAX, which EDX holds after reset. Everything is zero at power-on
 * first. */
void x86_state_reset(struct x86_state *s, uint32_t signature, bool init);

static inline unsigned x86_cpl(const struct x86_state *s)
{
    return (s->seg[S_SS].attr & AR_DPL) >> AR_DPL_SHIFT;
}

#endif
