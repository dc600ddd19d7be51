/*
 * What CPUID tells of a model (models.c).
 *
 * Source: [SDM2] "CPUID"; [AMD3] appendix E for the extended leaves and the models of AMD's make.
 * Model:  the local APIC is the board's: its features show only where the chip is there, too. Leaves
 *         from 40000000h on are a hypervisor's, and name this one.
 */
#include "core/cpu/implemented.h"
#include "core/cpu/x86_cpu.h"

#include <string.h>

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

/* Leaf Dh: sizes of the XSAVE image, for XCR0 as it is and for all that it may hold ([SDM1]
 * "Enumeration of CPU Support for XSAVE Instructions"). */
static void leaf_xsave(const struct x86_cpu *cpu, uint32_t subleaf, struct x86_cpuid *out)
{
    enum { AVX = 4, SMALL = 576, YMM = 256 };
    const struct x86_model *m = cpu->model;
    bool avx = x86_has(m, X86_F_AVX);
    if (!x86_has(m, X86_F_XSAVE)) {
        return;
    }
    switch (subleaf) {
    case 0:
        out->eax = 3 | (avx ? AVX : 0);
        out->ebx = SMALL + (cpu->s.xcr0 & AVX ? YMM : 0);
        out->ecx = SMALL + (avx ? YMM : 0);
        break;
    case 1:
        out->eax = m->features[X86_W_D_EAX];
        out->ebx = SMALL + (cpu->s.xcr0 & AVX ? YMM : 0);
        break;
    case 2:
        out->eax = avx ? YMM : 0;
        out->ebx = avx ? SMALL : 0;
        break;
    }
}

/* Features of 80000001h EDX that AMD repeats from leaf 1. */
#define AMD_ALIASES 0x0183f3ffu

static bool is_amd(const struct x86_model *m)
{
    return m->vendor[0] == 'A';
}

static void put_vendor(struct x86_cpuid *out, const char *text, bool basic)
{
    out->ebx = ld32le(text);
    out->edx = ld32le(text + (basic ? 4 : 8));
    out->ecx = ld32le(text + (basic ? 8 : 4));
}

/* 80000001h */
static void leaf_ext_features(const struct x86_cpu *cpu, struct x86_cpuid *out)
{
    const struct x86_model *m = cpu->model;
    struct x86_cpuid basic = {0};
    out->ecx = m->features[X86_W_81_ECX];
    out->edx = m->features[X86_W_81_EDX];
    if (is_amd(m)) {
        leaf_1(cpu, &basic);
        out->eax = m->signature;
        out->edx |= basic.edx & AMD_ALIASES;
    } else if (!(cpu->mode & MODE_CS64)) {
        out->edx &= ~F(SYSCALL); /* Intel: in 64-bit mode only */
    }
}

/* Caches and TLBs of a K8: [AMD3] "L1 Cache and TLB Identifiers", "L2 Cache". */
static const struct x86_cpuid amd_l1 = {0x01ff01ff, 0x01ff01ff, 0x40020140, 0x40020140};
static const struct x86_cpuid amd_l2 = {0, 0x42004200, 0x02008140, 0};

static void leaf_ext(const struct x86_cpu *cpu, uint32_t leaf, struct x86_cpuid *out)
{
    const struct x86_model *m = cpu->model;
    switch (leaf) {
    case 0x80000000:
        if (is_amd(m)) {
            put_vendor(out, m->vendor, true);
        }
        out->eax = m->max_ext_leaf;
        break;
    case 0x80000001:
        leaf_ext_features(cpu, out);
        break;
    case 0x80000002: case 0x80000003: case 0x80000004: {
        char brand[48] = {0};
        const char *from = m->brand ? m->brand : "";
        memcpy(brand, from, min_u64(strlen(from), sizeof(brand) - 1));
        memcpy(out, brand + (leaf - 0x80000002) * 16, sizeof(*out));
        break;
    }
    case 0x80000005:
        *out = is_amd(m) ? amd_l1 : *out;
        break;
    case 0x80000006:
        *out = is_amd(m) ? amd_l2 : *out;
        break;
    case 0x80000008:
        out->eax = m->phys_bits | (x86_has(m, X86_F_LM) ? 48 : 32) << 8;
        break;
    }
}

/* [SDM2] "CPUID": a leaf above the highest basic one answers as the highest basic one; AMD's answer
 * zero. */
void x86_cpuid(struct x86_cpu *cpu, uint32_t leaf, uint32_t subleaf, struct x86_cpuid *out)
{
    const struct x86_model *m = cpu->model;
    memset(out, 0, sizeof(*out));
    if (leaf == 0x40000000 && x86_has(m, X86_F_HYPERVISOR)) {
        put_vendor(out, "coldboot vm ", false);
        out->eax = leaf;
        return;
    }
    if (leaf >= 0x80000000 && m->max_ext_leaf && leaf <= m->max_ext_leaf) {
        leaf_ext(cpu, leaf, out);
        return;
    }
    if (leaf > m->max_leaf) {
        if (is_amd(m)) {
            return;
        }
        leaf = m->max_leaf;
    }
    switch (leaf) {
    case 0:
        out->eax = m->max_leaf;
        put_vendor(out, m->vendor, true);
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
    case 0xd:
        leaf_xsave(cpu, subleaf, out);
        break;
    }
}
