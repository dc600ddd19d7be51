/*
 * What CPUID tells of a model (models.c).
 *
 * Source: [SDM2] "CPUID"; [AMD3] appendix E for the extended leaves and the models of AMD's make.
 * Model:  the local APIC is the board's: its features show only where the chip is there, too.
 *         Leaves from 40000000h on are a hypervisor's, and name this one.
 */
#include "core/cpu/implemented.h"
#include "core/cpu/x86_cpu.h"

#include <string.h>

/* ---- sockets, cores, threads ---- */

/* Bits that number @count things. */
static unsigned bits_for(unsigned count)
{
    return count > 1 ? 32 - (unsigned)__builtin_clz(count - 1) : 0;
}

unsigned x86_thread_bits(const struct x86_topology *t)
{
    return bits_for(t->threads);
}

unsigned x86_socket_shift(const struct x86_topology *t)
{
    return bits_for(t->cores) + bits_for(t->threads);
}

uint32_t x86_apic_id(const struct x86_topology *t, unsigned index)
{
    unsigned cores = t->cores ? t->cores : 1, threads = t->threads ? t->threads : 1;
    unsigned thread = index % threads, core = index / threads % cores;
    return index / (threads * cores) << x86_socket_shift(t) | core << x86_thread_bits(t) | thread;
}

/* Leaf 4: a cache of a core, shared by its threads; EAX also counts the cores of the socket. */
static void leaf_cache(const struct x86_cpu *cpu, uint32_t subleaf, struct x86_cpuid *out)
{
    enum { SELF_INITIALIZING = 0x100 };
    const struct x86_topology *t = &cpu->topology;
    if (subleaf >= X86_CACHES || cpu->model->caches[subleaf].kind == X86_CACHE_NONE) {
        return;
    }
    const struct x86_cache *c = &cpu->model->caches[subleaf];
    unsigned sharing = BIT(x86_thread_bits(t)), cores = BIT(bits_for(t->cores));
    out->eax = c->kind | (uint32_t)c->level << 5 | SELF_INITIALIZING | (sharing - 1) << 14 |
               (cores - 1) << 26;
    out->ebx = (c->ways - 1u) << 22 | (c->line - 1u);
    out->ecx = c->kib * 1024u / (c->ways * (uint32_t)c->line) - 1;
}

/* Leaf Bh: threads of a core, then of the socket; EDX is the whole APIC ID. */
static void leaf_topology(const struct x86_cpu *cpu, uint32_t subleaf, struct x86_cpuid *out)
{
    enum { THREADS = 1 << 8, CORES = 2 << 8 };
    const struct x86_topology *t = &cpu->topology;
    if (!x86_has_apic(cpu)) {
        return;
    }
    out->ecx = subleaf & 0xff;
    out->edx = cpu->apic_id;
    if (subleaf == 0) {
        out->eax = x86_thread_bits(t);
        out->ebx = t->threads ? t->threads : 1;
        out->ecx |= THREADS;
    } else if (subleaf == 1) {
        out->eax = x86_socket_shift(t);
        out->ebx = x86_socket_cpus(t);
        out->ecx |= CORES;
    }
}

/* ---- leaves ---- */

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
    if (x86_socket_cpus(&cpu->topology) > 1) {
        out->ebx |= x86_socket_cpus(&cpu->topology) << 16;
        out->edx |= F(HTT);
    }
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
        out->ecx |= x86_socket_cpus(&cpu->topology) > 1 ? F(CMP_LEGACY) : 0;
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
        if (is_amd(m)) { /* logical processors of the socket, and how many bits number them */
            out->ecx = (x86_socket_cpus(&cpu->topology) - 1) | x86_socket_shift(&cpu->topology)
                                                                   << 12;
        }
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
    case 4:
        leaf_cache(cpu, subleaf, out);
        break;
    case 0xb:
        leaf_topology(cpu, subleaf, out);
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
