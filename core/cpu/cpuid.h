/*
 * CPU models: what a processor is called and what it has. Instructions (rows of insn.def name a
 * feature), control register bits and MSRs exist exactly where the model's CPUID says so.
 *
 * Source: [SDM2] "CPUID", [AMD3] appendix E for the extended leaves, [CPUID485] for older families.
 */
#ifndef CORE_CPU_CPUID_H
#define CORE_CPU_CPUID_H

#include "core/base/bits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/* A feature's number is its word (a CPUID register) * 32 + its bit. */
enum x86_feature_word {
    X86_W_1_EDX,             /* leaf 1 */
    X86_W_1_ECX,
    X86_W_81_EDX,            /* leaf 80000001h; bits that repeat leaf 1 are added by x86_cpuid */
    X86_W_81_ECX,
    X86_W_7_EBX,             /* leaf 7, subleaf 0 */
    X86_W_7_ECX,
    X86_W_D_EAX,             /* leaf Dh, subleaf 1 */
    X86_W_OTHER,             /* known by family, not by a CPUID bit */
    X86_WORDS
};

#define X86_FEATURE(word, bit) (X86_W_##word * 32 + (bit))
enum x86_feature {
    X86_F_FPU = X86_FEATURE(1_EDX, 0),
    X86_F_VME = X86_FEATURE(1_EDX, 1),
    X86_F_DE = X86_FEATURE(1_EDX, 2),
    X86_F_PSE = X86_FEATURE(1_EDX, 3),
    X86_F_TSC = X86_FEATURE(1_EDX, 4),
    X86_F_MSR = X86_FEATURE(1_EDX, 5),
    X86_F_PAE = X86_FEATURE(1_EDX, 6),
    X86_F_MCE = X86_FEATURE(1_EDX, 7),
    X86_F_CX8 = X86_FEATURE(1_EDX, 8),
    X86_F_APIC = X86_FEATURE(1_EDX, 9),
    X86_F_SEP = X86_FEATURE(1_EDX, 11),
    X86_F_MTRR = X86_FEATURE(1_EDX, 12),
    X86_F_PGE = X86_FEATURE(1_EDX, 13),
    X86_F_MCA = X86_FEATURE(1_EDX, 14),
    X86_F_CMOV = X86_FEATURE(1_EDX, 15),
    X86_F_PAT = X86_FEATURE(1_EDX, 16),
    X86_F_PSE36 = X86_FEATURE(1_EDX, 17),
    X86_F_CLFSH = X86_FEATURE(1_EDX, 19),
    X86_F_MMX = X86_FEATURE(1_EDX, 23),
    X86_F_FXSR = X86_FEATURE(1_EDX, 24),
    X86_F_SSE = X86_FEATURE(1_EDX, 25),
    X86_F_SSE2 = X86_FEATURE(1_EDX, 26),
    X86_F_HTT = X86_FEATURE(1_EDX, 28),     /* told where a socket has several processors */

    X86_F_SSE3 = X86_FEATURE(1_ECX, 0),
    X86_F_PCLMUL = X86_FEATURE(1_ECX, 1),
    X86_F_MONITOR = X86_FEATURE(1_ECX, 3),
    X86_F_SSSE3 = X86_FEATURE(1_ECX, 9),
    X86_F_FMA = X86_FEATURE(1_ECX, 12),
    X86_F_CX16 = X86_FEATURE(1_ECX, 13),
    X86_F_PCID = X86_FEATURE(1_ECX, 17),
    X86_F_SSE41 = X86_FEATURE(1_ECX, 19),
    X86_F_SSE42 = X86_FEATURE(1_ECX, 20),
    X86_F_X2APIC = X86_FEATURE(1_ECX, 21),
    X86_F_MOVBE = X86_FEATURE(1_ECX, 22),
    X86_F_POPCNT = X86_FEATURE(1_ECX, 23),
    X86_F_TSC_DEADLINE = X86_FEATURE(1_ECX, 24),
    X86_F_AES = X86_FEATURE(1_ECX, 25),
    X86_F_XSAVE = X86_FEATURE(1_ECX, 26),
    X86_F_AVX = X86_FEATURE(1_ECX, 28),
    X86_F_F16C = X86_FEATURE(1_ECX, 29),
    X86_F_RDRAND = X86_FEATURE(1_ECX, 30),
    X86_F_HYPERVISOR = X86_FEATURE(1_ECX, 31),

    X86_F_SYSCALL = X86_FEATURE(81_EDX, 11),
    X86_F_NX = X86_FEATURE(81_EDX, 20),
    X86_F_MMXEXT = X86_FEATURE(81_EDX, 22),
    X86_F_PDPE1GB = X86_FEATURE(81_EDX, 26),
    X86_F_RDTSCP = X86_FEATURE(81_EDX, 27),
    X86_F_LM = X86_FEATURE(81_EDX, 29),
    X86_F_3DNOWEXT = X86_FEATURE(81_EDX, 30),
    X86_F_3DNOW = X86_FEATURE(81_EDX, 31),

    X86_F_LAHF64 = X86_FEATURE(81_ECX, 0),
    X86_F_CMP_LEGACY = X86_FEATURE(81_ECX, 1), /* told where a socket has several processors */
    X86_F_LZCNT = X86_FEATURE(81_ECX, 5),   /* ABM */
    X86_F_SSE4A = X86_FEATURE(81_ECX, 6),
    X86_F_PREFETCHW = X86_FEATURE(81_ECX, 8),

    X86_F_FSGSBASE = X86_FEATURE(7_EBX, 0),
    X86_F_BMI1 = X86_FEATURE(7_EBX, 3),
    X86_F_AVX2 = X86_FEATURE(7_EBX, 5),
    X86_F_SMEP = X86_FEATURE(7_EBX, 7),
    X86_F_BMI2 = X86_FEATURE(7_EBX, 8),
    X86_F_ERMS = X86_FEATURE(7_EBX, 9),
    X86_F_INVPCID = X86_FEATURE(7_EBX, 10),
    X86_F_RDSEED = X86_FEATURE(7_EBX, 18),
    X86_F_ADX = X86_FEATURE(7_EBX, 19),
    X86_F_SMAP = X86_FEATURE(7_EBX, 20),
    X86_F_CLFLUSHOPT = X86_FEATURE(7_EBX, 23),
    X86_F_CLWB = X86_FEATURE(7_EBX, 24),
    X86_F_SHA = X86_FEATURE(7_EBX, 29),

    X86_F_UMIP = X86_FEATURE(7_ECX, 2),
    X86_F_VAES = X86_FEATURE(7_ECX, 9),
    X86_F_VPCLMUL = X86_FEATURE(7_ECX, 10),
    X86_F_RDPID = X86_FEATURE(7_ECX, 22),

    X86_F_XSAVEOPT = X86_FEATURE(D_EAX, 0),
    X86_F_XSAVEC = X86_FEATURE(D_EAX, 1),
    X86_F_XGETBV1 = X86_FEATURE(D_EAX, 2),

    X86_F_BASE = X86_FEATURE(OTHER, 0),     /* 80386 and before: every model */
    X86_F_486 = X86_FEATURE(OTHER, 1),      /* BSWAP CMPXCHG INVD INVLPG WBINVD XADD */
    X86_F_CPUID = X86_FEATURE(OTHER, 2),    /* the CPUID instruction and EFLAGS.ID */
    X86_F_RDPMC = X86_FEATURE(OTHER, 3),    /* RDPMC and CR4.PCE */
    X86_F_P6 = X86_FEATURE(OTHER, 4),       /* multi-byte NOP, UD2 */
};

/* Caches of a core, as leaf 4 tells them: level and kind, size, ways, bytes a line. */
enum x86_cache_kind { X86_CACHE_NONE, X86_CACHE_DATA, X86_CACHE_CODE, X86_CACHE_UNIFIED };
struct x86_cache {
    uint8_t kind, level;
    uint16_t kib;
    uint8_t ways, line;
};
#define X86_CACHES 3

/* How processors share sockets. A count of 0 stands for 1. */
struct x86_topology {
    unsigned cores;          /* of a socket */
    unsigned threads;        /* of a core */
};

struct x86_model {
    const char *name;        /* as -cpu names it */
    const char *text;        /* for lists */
    const char *vendor;      /* 12 characters */
    const char *brand;       /* leaves 80000002h-80000004h; NULL: there are none */
    uint32_t signature;      /* leaf 1 EAX; in EDX after reset */
    uint32_t max_leaf, max_ext_leaf; /* max_ext_leaf 0: no extended leaves */
    uint32_t leaf2[4];       /* cache descriptors, as EAX EBX ECX EDX; used if max_leaf >= 2 */
    struct x86_cache caches[X86_CACHES]; /* of leaf 4; none: the leaf is empty */
    uint8_t phys_bits;       /* width of the physical address bus: 32..52 */
    uint32_t features[X86_WORDS];
};

/* NULL if there is none of that name. */
const struct x86_model *x86_model_find(const char *name);
const struct x86_model *x86_model_default(void);
/* Number @i, from 0; NULL behind the last. */
const struct x86_model *x86_model_list(unsigned i);

/* "GenuineIntel" or "AuthenticAMD"; false if @name is neither. */
bool x86_model_set_vendor(struct x86_model *m, const char *name, size_t len);
/* Turns a feature of *m on or off by its name, @len characters. */
bool x86_model_change(struct x86_model *m, const char *feature, size_t len, bool on,
                      struct error **err);
/* Name number @i, from 0; NULL behind the last. */
const char *x86_feature_name(unsigned i);
bool x86_feature_implemented(unsigned i);

/* [SDM3] "Hierarchical Mapping of Shared Resources": an APIC ID is the number of the socket, of the
 * core in it and of the thread in that, each count rounded up to a power of two. Bits of the last,
 * and of the last two; the ID of processor @index when cores and sockets fill up in order. */
unsigned x86_thread_bits(const struct x86_topology *t);
unsigned x86_socket_shift(const struct x86_topology *t);
uint32_t x86_apic_id(const struct x86_topology *t, unsigned index);
/* Logical processors of a socket. */
static inline unsigned x86_socket_cpus(const struct x86_topology *t)
{
    return (t->cores ? t->cores : 1) * (t->threads ? t->threads : 1);
}

static inline bool x86_has(const struct x86_model *m, enum x86_feature f)
{
    return (m->features[f / 32] >> (f % 32)) & 1;
}

#endif
