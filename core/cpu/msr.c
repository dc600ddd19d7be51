/*
 * Model-specific registers.
 *
 * Source: [SDM4] "IA-32 Architectural MSRs", "MSRs in Pentium Processors", "MSRs in the P6 Family";
 *         [SDM3] "Memory Type Range Registers", "Page Attribute Table"; [SDM2] "RDMSR", "WRMSR".
 * Model:  a register exists where the model has its feature; all others are #GP(0). MTRRs and PAT are
 *         kept and read back, memory types have no effect.
 */
#include "core/cpu/cpuid.h"
#include "core/cpu/mech.h"

enum {
    MSR_P5_MC_ADDR = 0x0, MSR_P5_MC_TYPE = 0x1, MSR_TSC = 0x10, MSR_PLATFORM_ID = 0x17,
    MSR_APIC_BASE = 0x1b, MSR_FEATURE_CONTROL = 0x3a, MSR_BIOS_SIGN_ID = 0x8b, MSR_MTRR_CAP = 0xfe,
    MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_MCG_CAP = 0x179, MSR_MCG_STATUS,
    MSR_MCG_CTL, MSR_DEBUGCTL = 0x1d9, MSR_MTRR_PHYS = 0x200, MSR_MTRR_FIX64K = 0x250,
    MSR_MTRR_FIX16K = 0x258, MSR_MTRR_FIX4K = 0x268, MSR_PAT = 0x277, MSR_MTRR_DEF = 0x2ff,
    MSR_EFER = 0xc0000080, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK,
    MSR_FS_BASE = 0xc0000100, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_TSC_AUX,
};

_Noreturn static void no_msr(struct x86_cpu *cpu)
{
    x86_fault(cpu, X86_GP, 0);
}

/* Registers that are plain storage: where, and which bits may be set. */
static uint64_t *plain(struct x86_cpu *cpu, uint32_t index, uint64_t *mask)
{
    struct x86_state *s = &cpu->s;
    const struct x86_model *m = cpu->model;
    uint64_t *reg = NULL;
    enum x86_feature need = X86_F_BASE;
    *mask = ~0ull;
    switch (index) {
    case MSR_SYSENTER_CS: reg = &s->sysenter_cs; need = X86_F_SEP; break;
    case MSR_SYSENTER_ESP: reg = &s->sysenter_esp; need = X86_F_SEP; break;
    case MSR_SYSENTER_EIP: reg = &s->sysenter_eip; need = X86_F_SEP; break;
    case MSR_MCG_STATUS: reg = &s->mcg_status; need = X86_F_MCA; break;
    case MSR_DEBUGCTL: reg = &s->debugctl; need = X86_F_P6; *mask = 3; break;
    case MSR_STAR: reg = &s->star; need = X86_F_SYSCALL; break;
    case MSR_LSTAR: reg = &s->lstar; need = X86_F_LM; break;
    case MSR_CSTAR: reg = &s->cstar; need = X86_F_LM; break;
    case MSR_SFMASK: reg = &s->sfmask; need = X86_F_LM; *mask = 0xffffffff; break;
    case MSR_FS_BASE: reg = &s->seg[S_FS].base; need = X86_F_LM; break;
    case MSR_GS_BASE: reg = &s->seg[S_GS].base; need = X86_F_LM; break;
    case MSR_KERNEL_GS_BASE: reg = &s->kernel_gs_base; need = X86_F_LM; break;
    case MSR_TSC_AUX: reg = &s->tsc_aux; need = X86_F_RDTSCP; *mask = 0xffffffff; break;
    default: break;
    }
    return reg && x86_has(m, need) ? reg : NULL;
}

/* ---- memory types ---- */

static bool type_valid(uint64_t type, bool pat)
{
    return type <= 7 && (BIT(type) & (0x73u | (pat ? BIT(7) : 0))); /* UC WC WT WP WB, PAT: UC- */
}

static bool types_valid(uint64_t eight, bool pat)
{
    for (unsigned i = 0; i < 8; i++) {
        if (!type_valid(eight >> (i * 8) & 0xff, pat)) {
            return false;
        }
    }
    return true;
}

static uint64_t *mtrr_fixed(struct x86_cpu *cpu, uint32_t index)
{
    uint64_t *fix = cpu->s.mtrr_fix;
    if (index == MSR_MTRR_FIX64K) {
        return &fix[0];
    }
    if (index == MSR_MTRR_FIX16K || index == MSR_MTRR_FIX16K + 1) {
        return &fix[1 + (index & 1)];
    }
    return index >= MSR_MTRR_FIX4K && index < MSR_MTRR_FIX4K + 8 ? &fix[3 + (index & 7)] : NULL;
}

static bool mtrr_read(struct x86_cpu *cpu, uint32_t index, uint64_t *val)
{
    if (!x86_has(cpu->model, X86_F_MTRR)) {
        return false;
    }
    uint64_t *fix = mtrr_fixed(cpu, index);
    if (fix) {
        *val = *fix;
    } else if (index >= MSR_MTRR_PHYS && index < MSR_MTRR_PHYS + 2 * X86_MTRR_VAR) {
        unsigned n = (index - MSR_MTRR_PHYS) / 2;
        *val = index & 1 ? cpu->s.mtrr_mask[n] : cpu->s.mtrr_base[n];
    } else if (index == MSR_MTRR_CAP) {
        *val = X86_MTRR_VAR | 0x500; /* fixed ranges, write combining */
    } else if (index == MSR_MTRR_DEF) {
        *val = cpu->s.mtrr_def;
    } else {
        return false;
    }
    return true;
}

static bool mtrr_write(struct x86_cpu *cpu, uint32_t index, uint64_t val)
{
    if (!x86_has(cpu->model, X86_F_MTRR)) {
        return false;
    }
    uint64_t frame = (BIT64(cpu->model->phys_bits) - 1) & ~PAGE_OFFSET;
    uint64_t *fix = mtrr_fixed(cpu, index);
    if (fix && types_valid(val, false)) {
        *fix = val;
    } else if (index >= MSR_MTRR_PHYS && index < MSR_MTRR_PHYS + 2 * X86_MTRR_VAR) {
        unsigned n = (index - MSR_MTRR_PHYS) / 2;
        if (index & 1 ? val & ~(frame | 0x800) : (val & ~(frame | 0xff)) || !type_valid(val & 0xff, false)) {
            return false;
        }
        *(index & 1 ? &cpu->s.mtrr_mask[n] : &cpu->s.mtrr_base[n]) = val;
    } else if (index == MSR_MTRR_DEF && !(val & ~0xcffull) && type_valid(val & 0xff, false)) {
        cpu->s.mtrr_def = val;
    } else {
        return false;
    }
    return true;
}

/* ---- RDMSR, WRMSR ---- */

static bool has_efer(const struct x86_model *m)
{
    return x86_has(m, X86_F_LM) || x86_has(m, X86_F_NX) || x86_has(m, X86_F_SYSCALL);
}

static void write_efer(struct x86_cpu *cpu, uint64_t val)
{
    const struct x86_model *m = cpu->model;
    uint64_t known = (x86_has(m, X86_F_SYSCALL) ? EFER_SCE : 0) | (x86_has(m, X86_F_NX) ? EFER_NXE : 0) |
                     (x86_has(m, X86_F_LM) ? EFER_LME : 0);
    uint64_t old = cpu->s.efer;
    if ((val & ~(known | EFER_LMA)) || (cpu->pg && ((val ^ old) & EFER_LME))) {
        no_msr(cpu);
    }
    cpu->s.efer = (val & known) | (old & EFER_LMA);
    if (cpu->pg && ((old ^ val) & EFER_NXE)) {
        x86_tlb_flush(cpu);
    }
}

uint64_t x86_rdmsr(struct x86_cpu *cpu, uint32_t index)
{
    const struct x86_model *m = cpu->model;
    unsigned family = m->signature >> 8 & 0xf;
    uint64_t mask, val;
    const uint64_t *reg = plain(cpu, index, &mask);
    if (reg) {
        return *reg;
    }
    if (mtrr_read(cpu, index, &val)) {
        return val;
    }
    switch (index) {
    case MSR_P5_MC_ADDR: case MSR_P5_MC_TYPE:
        if (x86_has(m, X86_F_MCE)) {
            return 0;
        }
        break;
    case MSR_TSC:
        if (x86_has(m, X86_F_TSC)) {
            return cpu->host_ops->tsc(cpu->host) + cpu->s.tsc_offset;
        }
        break;
    case MSR_PLATFORM_ID: case MSR_BIOS_SIGN_ID:
        if (family >= 6) {
            return 0;
        }
        break;
    case MSR_APIC_BASE:
        if (x86_has(m, X86_F_APIC)) {
            return cpu->s.apic_base;
        }
        break;
    case MSR_MCG_CAP: /* no banks */
        if (x86_has(m, X86_F_MCA)) {
            return 0;
        }
        break;
    case MSR_PAT:
        if (x86_has(m, X86_F_PAT)) {
            return cpu->s.pat;
        }
        break;
    case MSR_EFER:
        if (has_efer(m)) {
            return cpu->s.efer;
        }
        break;
    }
    no_msr(cpu);
}

void x86_wrmsr(struct x86_cpu *cpu, uint32_t index, uint64_t val)
{
    const struct x86_model *m = cpu->model;
    uint64_t mask;
    uint64_t *reg = plain(cpu, index, &mask);
    if (reg) {
        bool base = index == MSR_LSTAR || index == MSR_CSTAR || index == MSR_FS_BASE ||
                    index == MSR_GS_BASE || index == MSR_KERNEL_GS_BASE;
        if ((val & ~mask) || (base && (uint64_t)((int64_t)(val << 16) >> 16) != val)) {
            no_msr(cpu);
        }
        *reg = val;
        if (index == MSR_FS_BASE || index == MSR_GS_BASE) {
            x86_mode_changed(cpu);
        }
        return;
    }
    if (mtrr_write(cpu, index, val)) {
        return;
    }
    if (index == MSR_TSC && x86_has(m, X86_F_TSC)) {
        cpu->s.tsc_offset = val - cpu->host_ops->tsc(cpu->host);
    } else if (index <= MSR_P5_MC_TYPE && x86_has(m, X86_F_MCE)) {
        return; /* no machine check ever happened */
    } else if (index == MSR_BIOS_SIGN_ID && (m->signature >> 8 & 0xf) >= 6) {
        return; /* no microcode */
    } else if (index == MSR_APIC_BASE && x86_has(m, X86_F_APIC)) {
        cpu->s.apic_base = (val & ~0x100ull) | (cpu->s.apic_base & 0x100);
    } else if (index == MSR_PAT && x86_has(m, X86_F_PAT) && types_valid(val, true)) {
        cpu->s.pat = val;
    } else if (index == MSR_EFER && has_efer(m)) {
        write_efer(cpu, val);
    } else {
        no_msr(cpu);
    }
}
