/*
 * Model-specific registers.
 *
 * Source: [SDM4] "IA-32 Architectural MSRs", "MSRs in Pentium Processors", "MSRs in the P6 Family";
 *         [SDM3] "Memory Type Range Registers", "Page Attribute Table"; [SDM2] "RDMSR", "WRMSR".
 * Model:  a register exists where the model has its feature; all others are #GP(0). MTRRs and PAT
 *         are kept and read back, memory types have no effect.
 */
#include "core/cpu/cpuid.h"
#include "core/cpu/mech.h"
#include "trace/core_cpu.h"

enum {
    MSR_P5_MC_ADDR = 0x0,
    MSR_P5_MC_TYPE = 0x1,
    MSR_TSC = 0x10,
    MSR_PLATFORM_ID = 0x17,
    MSR_FEATURE_CONTROL = 0x3a,
    MSR_BIOS_SIGN_ID = 0x8b,
    MSR_MTRR_CAP = 0xfe,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP,
    MSR_SYSENTER_EIP,
    MSR_MCG_CAP = 0x179,
    MSR_MCG_STATUS,
    MSR_MCG_CTL,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_DEBUGCTL = 0x1d9,
    MSR_MTRR_PHYS = 0x200,
    MSR_MTRR_FIX64K = 0x250,
    MSR_MTRR_FIX16K = 0x258,
    MSR_MTRR_FIX4K = 0x268,
    MSR_PAT = 0x277,
    MSR_MTRR_DEF = 0x2ff,
    MSR_EFER = 0xc0000080,
    MSR_STAR,
    MSR_LSTAR,
    MSR_CSTAR,
    MSR_SFMASK,
    MSR_FS_BASE = 0xc0000100,
    MSR_GS_BASE,
    MSR_KERNEL_GS_BASE,
    MSR_TSC_AUX,
    MSR_SYSCFG = 0xc0010010,     /* AMD, and on */
    MSR_HWCR = 0xc0010015,
    MSR_TOP_MEM = 0xc001001a,
    MSR_TOP_MEM2 = 0xc001001d,
    MSR_NB_CFG = 0xc001001f,
    MSR_INT_PENDING = 0xc0010055,
};

/* IA32_MISC_ENABLE: what can be switched, and what only tells that something is not there (branch
 * trace store, event based sampling). It is kept and read back; nothing is switched. */
#define MISC_WRITABLE 0x400c50009ull
#define MISC_ABSENT   0x1800ull

_Noreturn static void no_msr(struct x86_cpu *cpu)
{
    x86_fault(cpu, X86_GP, 0);
}

/* Registers that are plain storage: which feature they come with and which bits may be set. */
/* clang-format off */
#define PLAIN(index, field, need, mask)                                                            \
    {                                                                                              \
        index, X86_F_##need, offsetof(struct x86_state, field), mask                               \
    }
/* clang-format on */
static const struct plain {
    uint32_t index;
    enum x86_feature need;
    size_t field;
    uint64_t mask;
} plains[] = {
    PLAIN(MSR_SYSENTER_CS, sysenter_cs, SEP, ~0ull),
    PLAIN(MSR_SYSENTER_ESP, sysenter_esp, SEP, ~0ull),
    PLAIN(MSR_SYSENTER_EIP, sysenter_eip, SEP, ~0ull),
    PLAIN(MSR_MCG_STATUS, mcg_status, MCA, ~0ull),
    PLAIN(MSR_DEBUGCTL, debugctl, P6, DEBUGCTL_LBR | DEBUGCTL_BTF),
    PLAIN(MSR_STAR, star, SYSCALL, ~0ull),
    PLAIN(MSR_LSTAR, lstar, LM, ~0ull),
    PLAIN(MSR_CSTAR, cstar, LM, ~0ull),
    PLAIN(MSR_SFMASK, sfmask, LM, 0xffffffff),
    PLAIN(MSR_FS_BASE, seg[S_FS].base, LM, ~0ull),
    PLAIN(MSR_GS_BASE, seg[S_GS].base, LM, ~0ull),
    PLAIN(MSR_KERNEL_GS_BASE, kernel_gs_base, LM, ~0ull),
    PLAIN(MSR_TSC_AUX, tsc_aux, RDTSCP, 0xffffffff),
};

static uint64_t *plain(struct x86_cpu *cpu, uint32_t index, uint64_t *mask)
{
    for (unsigned i = 0; i < ARRAY_SIZE(plains); i++) {
        if (plains[i].index == index && x86_has(cpu->model, plains[i].need)) {
            *mask = plains[i].mask;
            return (uint64_t *)(void *)((uint8_t *)&cpu->s + plains[i].field);
        }
    }
    return NULL;
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
        if (index & 1 ? val & ~(frame | 0x800)
                      : (val & ~(frame | 0xff)) || !type_valid(val & 0xff, false)) {
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

static bool is_p6(const struct x86_model *m)
{
    return (m->signature >> 8 & 0xf) >= 6;
}

static bool has_efer(const struct x86_model *m)
{
    return x86_has(m, X86_F_LM) || x86_has(m, X86_F_NX) || x86_has(m, X86_F_SYSCALL);
}

uint64_t x86_efer_known(const struct x86_model *m)
{
    return (x86_has(m, X86_F_SYSCALL) ? EFER_SCE : 0) | (x86_has(m, X86_F_NX) ? EFER_NXE : 0) |
           (x86_has(m, X86_F_LM) ? EFER_LME | EFER_LMA : 0);
}

static void write_efer(struct x86_cpu *cpu, uint64_t val)
{
    uint64_t known = x86_efer_known(cpu->model) & ~(uint64_t)EFER_LMA;
    uint64_t old = cpu->s.efer;
    if ((val & ~(known | EFER_LMA)) || (cpu->pg && ((val ^ old) & EFER_LME))) {
        no_msr(cpu);
    }
    cpu->s.efer = (val & known) | (old & EFER_LMA);
    if (cpu->pg && ((old ^ val) & EFER_NXE)) {
        x86_tlb_flush(cpu);
    }
}

/* AMD's configuration of caches and north bridge: there, without anything to configure. */
static bool is_amd_config(const struct x86_model *m, uint32_t index)
{
    return m->vendor[0] == 'A' &&
           (index == MSR_SYSCFG || index == MSR_HWCR || index == MSR_TOP_MEM ||
            index == MSR_TOP_MEM2 || index == MSR_NB_CFG || index == MSR_INT_PENDING);
}

/* Registers that need more than storage. False if the model has none of that number. */
static bool read_special(struct x86_cpu *cpu, uint32_t index, uint64_t *val)
{
    const struct x86_model *m = cpu->model;
    switch (index) {
    case MSR_P5_MC_ADDR:
    case MSR_P5_MC_TYPE:
        *val = 0; /* no machine check ever happened */
        return x86_has(m, X86_F_MCE);
    case MSR_TSC:
        *val = cpu->host_ops->tsc(cpu->host) + cpu->s.tsc_offset;
        return x86_has(m, X86_F_TSC);
    case MSR_PLATFORM_ID:
    case MSR_BIOS_SIGN_ID:
        *val = 0;
        return is_p6(m);
    case MSR_MISC_ENABLE:
        *val = (cpu->s.misc_enable & MISC_WRITABLE) | MISC_ABSENT;
        return is_p6(m);
    case MSR_MCG_CAP:
        *val = 0; /* no banks */
        return x86_has(m, X86_F_MCA);
    case MSR_PAT:
        *val = cpu->s.pat;
        return x86_has(m, X86_F_PAT);
    case MSR_EFER:
        *val = cpu->s.efer;
        return has_efer(m);
    default:
        *val = 0;
        return is_amd_config(m, index) || x86_apic_rdmsr(cpu, index, val);
    }
}

uint64_t x86_rdmsr(struct x86_cpu *cpu, uint32_t index)
{
    uint64_t mask, val;
    const uint64_t *reg = plain(cpu, index, &mask);
    if (reg) {
        return *reg;
    }
    if (!mtrr_read(cpu, index, &val) && !read_special(cpu, index, &val)) {
        no_msr(cpu);
    }
    return val;
}

/* Registers that take canonical addresses only. */
static bool is_address(const struct x86_model *m, uint32_t index)
{
    bool sysenter = index == MSR_SYSENTER_ESP || index == MSR_SYSENTER_EIP;
    return index == MSR_LSTAR || index == MSR_CSTAR || index == MSR_FS_BASE ||
           index == MSR_GS_BASE || index == MSR_KERNEL_GS_BASE ||
           (sysenter && x86_has(m, X86_F_LM));
}

void x86_wrmsr(struct x86_cpu *cpu, uint32_t index, uint64_t val)
{
    const struct x86_model *m = cpu->model;
    uint64_t mask;
    uint64_t *reg = plain(cpu, index, &mask);
    trace_msr_write(index, val);
    if (reg) {
        if ((val & ~mask) || (is_address(m, index) && !x86_canonical(val))) {
            no_msr(cpu);
        }
        *reg = val;
        if (index == MSR_FS_BASE || index == MSR_GS_BASE) {
            x86_derive_seg(cpu, index == MSR_FS_BASE ? S_FS : S_GS);
        }
        return;
    }
    if (mtrr_write(cpu, index, val)) {
        return;
    }
    if (index == MSR_TSC && x86_has(m, X86_F_TSC)) {
        cpu->s.tsc_offset = val - cpu->host_ops->tsc(cpu->host);
        x86_apic_tsc_written(cpu);
    } else if (index <= MSR_P5_MC_TYPE && x86_has(m, X86_F_MCE)) {
        return;
    } else if ((index == MSR_BIOS_SIGN_ID && is_p6(m)) || is_amd_config(m, index)) {
        return; /* no microcode, nothing to configure */
    } else if (index == MSR_MISC_ENABLE && is_p6(m) && !(val & ~(MISC_WRITABLE | MISC_ABSENT))) {
        cpu->s.misc_enable = val & MISC_WRITABLE;
    } else if (index == MSR_PAT && x86_has(m, X86_F_PAT) && types_valid(val, true)) {
        cpu->s.pat = val;
    } else if (index == MSR_EFER && has_efer(m)) {
        write_efer(cpu, val);
    } else if (!x86_apic_wrmsr(cpu, index, val)) {
        no_msr(cpu);
    }
}
