/*
 * CPU models and what CPUID tells of them.
 *
 * Source: [SDM2] "CPUID", [CPUID485] "Processor Signature" and "Feature Flags".
 * Model:  a model claims only what the software CPU does; so the Pentium here has no machine-check
 *         registers beyond the two MSRs of its family. The local APIC is the board's: its features
 *         show only where the chip is there, too.
 */
#include "core/cpu/cpuid.h"
#include "core/cpu/x86_cpu.h"

#include <string.h>

#define F(name) BIT(X86_F_##name % 32)

#define EDX_486     (F(FPU))
#define EDX_PENTIUM (EDX_486 | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(MCE) | F(CX8) | F(APIC))
#define EDX_P6      (EDX_PENTIUM | F(PAE) | F(SEP) | F(MTRR) | F(PGE) | F(MCA) | F(CMOV))
#define OTHER_486   (F(BASE) | F(486) | F(CPUID))
#define OTHER_P6    (OTHER_486 | F(RDPMC) | F(P6))

static const struct x86_model models[] = {
    {
        .name = "pentium", .text = "Intel Pentium (P54C)", .vendor = "GenuineIntel",
        .signature = 0x543, .max_leaf = 1, .phys_bits = 32,
        .features = {[X86_W_1_EDX] = EDX_PENTIUM, [X86_W_OTHER] = OTHER_486},
    },
    {
        .name = "486", .text = "Intel 486 DX4", .vendor = "GenuineIntel",
        .signature = 0x480, .max_leaf = 1, .phys_bits = 32,
        .features = {[X86_W_1_EDX] = EDX_486, [X86_W_OTHER] = OTHER_486},
    },
    {
        .name = "pentiumpro", .text = "Intel Pentium Pro", .vendor = "GenuineIntel",
        .signature = 0x619, .max_leaf = 2, .phys_bits = 36,
        .leaf2 = {0x03020101, 0, 0, 0x06040a42},
        .features = {[X86_W_1_EDX] = EDX_P6, [X86_W_OTHER] = OTHER_P6},
    },
};

const struct x86_model *x86_model_find(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(models); i++) {
        if (strcmp(models[i].name, name) == 0) {
            return &models[i];
        }
    }
    return NULL;
}

const struct x86_model *x86_model_default(void)
{
    return &models[0];
}

const struct x86_model *x86_model_list(unsigned i)
{
    return i < ARRAY_SIZE(models) ? &models[i] : NULL;
}

/* Leaf 1: features that depend on control registers are shown as they are now. */
static void leaf_1(const struct x86_cpu *cpu, struct x86_cpuid *out)
{
    const struct x86_model *m = cpu->model;
    out->eax = m->signature;
    out->ebx = x86_has(m, X86_F_CLFSH) ? 8 << 8 : 0; /* CLFLUSH line: 8 quadwords */
    bool apic = x86_has_apic(cpu);
    out->ebx |= apic ? cpu->apic_id << 24 : 0;
    out->ecx = m->features[X86_W_1_ECX];
    if (x86_has(m, X86_F_XSAVE) && (cpu->s.cr4 & CR4_OSXSAVE)) {
        out->ecx |= BIT(27);
    }
    out->edx = m->features[X86_W_1_EDX];
    if (!apic || !(cpu->s.apic_base & APIC_BASE_EN)) {
        out->edx &= ~F(APIC);
    }
    if (!apic) {
        out->ecx &= ~(F(X2APIC) | F(TSC_DEADLINE));
    }
}

static void leaf_ext(const struct x86_cpu *cpu, uint32_t leaf, struct x86_cpuid *out)
{
    const struct x86_model *m = cpu->model;
    switch (leaf) {
    case 0x80000000:
        out->eax = m->max_ext_leaf;
        break;
    case 0x80000001:
        out->ecx = m->features[X86_W_81_ECX];
        out->edx = m->features[X86_W_81_EDX];
        if (!cpu->lma || !(cpu->mode & MODE_CS64)) {
            out->edx &= ~(m->vendor[0] == 'G' ? F(SYSCALL) : 0); /* Intel: in 64-bit mode only */
        }
        break;
    case 0x80000002: case 0x80000003: case 0x80000004: {
        char brand[48] = {0};
        const char *from = m->brand ? m->brand : "";
        memcpy(brand, from, min_u64(strlen(from), sizeof(brand) - 1));
        memcpy(out, brand + (leaf - 0x80000002) * 16, sizeof(*out));
        break;
    }
    case 0x80000008:
        out->eax = m->phys_bits | (x86_has(m, X86_F_LM) ? 48 : 32) << 8;
        break;
    }
}

/* [SDM2] "CPUID": a leaf above the highest basic one answers as the highest basic one. */
void x86_cpuid(struct x86_cpu *cpu, uint32_t leaf, uint32_t subleaf, struct x86_cpuid *out)
{
    const struct x86_model *m = cpu->model;
    memset(out, 0, sizeof(*out));
    if (leaf >= 0x80000000 && m->max_ext_leaf && leaf <= m->max_ext_leaf) {
        leaf_ext(cpu, leaf, out);
        return;
    }
    if (leaf > m->max_leaf) {
        leaf = m->max_leaf;
    }
    switch (leaf) {
    case 0:
        out->eax = m->max_leaf;
        out->ebx = ld32le(m->vendor);
        out->edx = ld32le(m->vendor + 4);
        out->ecx = ld32le(m->vendor + 8);
        break;
    case 1:
        leaf_1(cpu, out);
        break;
    case 2:
        *out = (struct x86_cpuid){m->leaf2[0], m->leaf2[1], m->leaf2[2], m->leaf2[3]};
        break;
    case 7:
        if (subleaf == 0) {
            out->ebx = m->features[X86_W_7_EBX];
            out->ecx = m->features[X86_W_7_ECX];
        }
        break;
    }
}
