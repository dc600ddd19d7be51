/*
 * CPU models, and features by name.
 *
 * Source: [CPUID485] "Processor Signature" and "Feature Flags"; [SDM2] "CPUID"; [AMD3] appendix E.
 *         Family, model, stepping and feature sets are those of QEMU's models of the same names, so
 *         that a guest finds the processor that its scripts ask for.
 * Model:  a model claims only what the software CPU does. phys_bits is what its addresses have, the
 *         local APIC is the board's: its features show only where the chip is there, too.
 */
#include "core/base/error.h"
#include "core/cpu/implemented.h"

#include <string.h>

#define EDX_486     (F(FPU))
#define EDX_PENTIUM                                                                                \
    (EDX_486 | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(MCE) | F(CX8) | F(APIC) | F(MMX))
#define EDX_PPRO                                                                                   \
    ((EDX_PENTIUM & ~F(MMX)) | F(PAE) | F(SEP) | F(MTRR) | F(PGE) | F(MCA) | F(CMOV))
#define EDX_P2      (EDX_PPRO | F(PAT) | F(PSE36) | F(MMX) | F(FXSR))
#define EDX_P3      (EDX_P2 | F(SSE))
#define EDX_LATER   (EDX_P3 | F(CLFSH) | F(SSE2))
#define OTHER_486   (F(BASE) | F(486) | F(CPUID))
#define OTHER_P6    (OTHER_486 | F(RDPMC) | F(P6))
#define WORD(word, bits) [X86_W_##word] = (bits) & IMPLEMENTED_##word

/* Caches of leaf 4, as leaf 2 has them. */
#define CACHE(kind, level, kib, ways, line) {X86_CACHE_##kind, level, kib, ways, line}
#define P6_CACHES                                                                                  \
    {                                                                                              \
        CACHE(DATA, 1, 16, 4, 32), CACHE(CODE, 1, 16, 4, 32), CACHE(UNIFIED, 2, 512, 4, 32)        \
    }
#define CORE2_CACHES                                                                               \
    {CACHE(DATA, 1, 32, 8, 64), CACHE(CODE, 1, 32, 8, 64), CACHE(UNIFIED, 2, 4096, 16, 64)}

static const char brand[] = "coldboot virtual CPU";

static const struct x86_model models[] = {
    {
        .name = "486", .text = "Intel 486 DX4", .vendor = "GenuineIntel",
        .signature = 0x480, .max_leaf = 1, .phys_bits = 32,
        .features = {WORD(1_EDX, EDX_486), WORD(OTHER, OTHER_486)},
    },
    {
        .name = "pentium", .text = "Intel Pentium", .vendor = "GenuineIntel",
        .signature = 0x543, .max_leaf = 1, .phys_bits = 32,
        .features = {WORD(1_EDX, EDX_PENTIUM), WORD(OTHER, OTHER_486)},
    },
    {
        .name = "pentiumpro", .text = "Intel Pentium Pro", .vendor = "GenuineIntel",
        .signature = 0x619, .max_leaf = 2, .phys_bits = 36,
        .leaf2 = {0x03020101, 0, 0, 0x06040a42},
        .features = {WORD(1_EDX, EDX_PPRO), WORD(OTHER, OTHER_P6)},
    },
    {
        .name = "pentium2", .text = "Intel Pentium II", .vendor = "GenuineIntel",
        .signature = 0x652, .max_leaf = 2, .phys_bits = 36,
        .leaf2 = {0x03020101, 0, 0, 0x0c040843},
        .features = {WORD(1_EDX, EDX_P2), WORD(OTHER, OTHER_P6)},
    },
    {
        .name = "pentium3", .text = "Intel Pentium III", .vendor = "GenuineIntel",
        .signature = 0x673, .max_leaf = 2, .phys_bits = 36,
        .leaf2 = {0x03020101, 0, 0, 0x0c040843},
        .features = {WORD(1_EDX, EDX_P3), WORD(OTHER, OTHER_P6)},
    },
    {
        .name = "core2duo", .text = "Intel Core 2 Duo", .vendor = "GenuineIntel",
        .brand = "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz",
        .signature = 0x6fb, .max_leaf = 10, .max_ext_leaf = 0x80000008, .phys_bits = 36,
        .leaf2 = {0x05b0b101, 0x005657f0, 0, 0x2cb43049}, .caches = CORE2_CACHES,
        .features = {
            WORD(1_EDX, EDX_LATER),
            WORD(1_ECX, F(SSE3) | F(MONITOR) | F(SSSE3) | F(CX16) | F(HYPERVISOR)),
            WORD(81_EDX, F(SYSCALL) | F(NX) | F(LM)), WORD(81_ECX, F(LAHF64)),
            WORD(OTHER, OTHER_P6),
        },
    },
    {
        .name = "qemu32", .text = "32-bit virtual CPU", .vendor = "GenuineIntel", .brand = brand,
        .signature = 0x663, .max_leaf = 4, .max_ext_leaf = 0x80000004, .phys_bits = 36,
        .leaf2 = {0x03020101, 0, 0, 0x0c040843}, .caches = P6_CACHES,
        .features = {
            WORD(1_EDX, EDX_LATER & ~(F(VME) | F(MTRR) | F(MCA) | F(PSE36) | F(CLFSH))),
            WORD(1_ECX, F(SSE3) | F(HYPERVISOR)), WORD(OTHER, OTHER_P6),
        },
    },
    {
        .name = "qemu64", .text = "64-bit virtual CPU", .vendor = "AuthenticAMD", .brand = brand,
        .signature = 0x60fb1, .max_leaf = 13, .max_ext_leaf = 0x8000000a, .phys_bits = 40,
        .features = {
            WORD(1_EDX, EDX_LATER & ~F(VME)), WORD(1_ECX, F(SSE3) | F(CX16) | F(HYPERVISOR)),
            WORD(81_EDX, F(SYSCALL) | F(NX) | F(LM)), WORD(81_ECX, F(LAHF64)),
            WORD(OTHER, OTHER_P6),
        },
    },
    {
        .name = "Opteron_G1", .text = "AMD Opteron 240", .vendor = "AuthenticAMD",
        .brand = "AMD Opteron 240 (Gen 1 Class Opteron)",
        .signature = 0xf61, .max_leaf = 5, .max_ext_leaf = 0x80000008, .phys_bits = 40,
        .features = {
            WORD(1_EDX, EDX_LATER), WORD(1_ECX, F(SSE3) | F(HYPERVISOR)),
            WORD(81_EDX, F(SYSCALL) | F(NX) | F(LM)), WORD(OTHER, OTHER_P6),
        },
    },
    {
        .name = "kvm64", .text = "64-bit virtual CPU of Intel's make", .vendor = "GenuineIntel",
        .brand = brand,
        .signature = 0xf61, .max_leaf = 13, .max_ext_leaf = 0x80000008, .phys_bits = 40,
        .leaf2 = {0x03020101, 0, 0, 0x0c040843}, .caches = P6_CACHES,
        .features = {
            WORD(1_EDX, EDX_LATER), WORD(1_ECX, F(SSE3) | F(CX16) | F(HYPERVISOR)),
            WORD(81_EDX, F(SYSCALL) | F(NX) | F(LM)), WORD(OTHER, OTHER_P6),
        },
    },
    {
        .name = "max", .text = "all that the software CPU does", .vendor = "AuthenticAMD",
        .brand = brand,
        .signature = 0x60fb1, .max_leaf = 13, .max_ext_leaf = 0x8000000a, .phys_bits = 40,
        .features = {
            WORD(1_EDX, ~0u), WORD(1_ECX, ~0u), WORD(81_EDX, ~0u), WORD(81_ECX, ~0u),
            WORD(7_EBX, ~0u), WORD(7_ECX, ~0u), WORD(D_EAX, ~0u), WORD(OTHER, ~0u),
        },
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
    return x86_model_find("qemu64");
}

const struct x86_model *x86_model_list(unsigned i)
{
    return i < ARRAY_SIZE(models) ? &models[i] : NULL;
}

/* ---- features by name ---- */

/* As QEMU spells them, with '-' for '_' and '.'; other spellings after. */
static const struct {
    const char *name;
    enum x86_feature feature;
} names[] = {
    {"fpu", X86_F_FPU}, {"vme", X86_F_VME}, {"de", X86_F_DE}, {"pse", X86_F_PSE},
    {"tsc", X86_F_TSC}, {"msr", X86_F_MSR}, {"pae", X86_F_PAE}, {"mce", X86_F_MCE},
    {"cx8", X86_F_CX8}, {"apic", X86_F_APIC}, {"sep", X86_F_SEP}, {"mtrr", X86_F_MTRR},
    {"pge", X86_F_PGE}, {"mca", X86_F_MCA}, {"cmov", X86_F_CMOV}, {"pat", X86_F_PAT},
    {"pse36", X86_F_PSE36}, {"clflush", X86_F_CLFSH}, {"mmx", X86_F_MMX}, {"fxsr", X86_F_FXSR},
    {"sse", X86_F_SSE}, {"sse2", X86_F_SSE2}, {"pni", X86_F_SSE3},
    {"pclmulqdq", X86_F_PCLMUL}, {"monitor", X86_F_MONITOR}, {"ssse3", X86_F_SSSE3},
    {"fma", X86_F_FMA}, {"cx16", X86_F_CX16}, {"pcid", X86_F_PCID}, {"sse4-1", X86_F_SSE41},
    {"sse4-2", X86_F_SSE42}, {"x2apic", X86_F_X2APIC}, {"movbe", X86_F_MOVBE},
    {"popcnt", X86_F_POPCNT}, {"tsc-deadline", X86_F_TSC_DEADLINE}, {"aes", X86_F_AES},
    {"xsave", X86_F_XSAVE}, {"avx", X86_F_AVX}, {"f16c", X86_F_F16C},
    {"rdrand", X86_F_RDRAND}, {"hypervisor", X86_F_HYPERVISOR}, {"syscall", X86_F_SYSCALL},
    {"nx", X86_F_NX}, {"mmxext", X86_F_MMXEXT}, {"pdpe1gb", X86_F_PDPE1GB},
    {"rdtscp", X86_F_RDTSCP}, {"lm", X86_F_LM}, {"3dnowext", X86_F_3DNOWEXT},
    {"3dnow", X86_F_3DNOW}, {"lahf-lm", X86_F_LAHF64}, {"abm", X86_F_LZCNT},
    {"sse4a", X86_F_SSE4A}, {"3dnowprefetch", X86_F_PREFETCHW}, {"fsgsbase", X86_F_FSGSBASE},
    {"bmi1", X86_F_BMI1}, {"avx2", X86_F_AVX2}, {"smep", X86_F_SMEP}, {"bmi2", X86_F_BMI2},
    {"erms", X86_F_ERMS}, {"invpcid", X86_F_INVPCID}, {"rdseed", X86_F_RDSEED},
    {"adx", X86_F_ADX}, {"smap", X86_F_SMAP}, {"clflushopt", X86_F_CLFLUSHOPT},
    {"clwb", X86_F_CLWB}, {"sha-ni", X86_F_SHA}, {"umip", X86_F_UMIP}, {"vaes", X86_F_VAES},
    {"vpclmulqdq", X86_F_VPCLMUL}, {"rdpid", X86_F_RDPID}, {"xsaveopt", X86_F_XSAVEOPT},
    {"xsavec", X86_F_XSAVEC}, {"xgetbv1", X86_F_XGETBV1},
    {"sse3", X86_F_SSE3}, {"i64", X86_F_LM}, {"lzcnt", X86_F_LZCNT}, {"xd", X86_F_NX},
};
enum { OTHER_SPELLINGS = 4 };

const char *x86_feature_name(unsigned i)
{
    return i < ARRAY_SIZE(names) - OTHER_SPELLINGS ? names[i].name : NULL;
}

bool x86_feature_implemented(unsigned i)
{
    static const uint32_t words[X86_WORDS] = {
        WORD(1_EDX, ~0u), WORD(1_ECX, ~0u), WORD(81_EDX, ~0u), WORD(81_ECX, ~0u),
        WORD(7_EBX, ~0u), WORD(7_ECX, ~0u), WORD(D_EAX, ~0u), WORD(OTHER, ~0u),
    };
    unsigned f = names[i].feature;
    return words[f / 32] >> (f % 32) & 1;
}

static bool same_name(const char *given, size_t len, const char *name)
{
    size_t i = 0;
    for (; i < len && name[i] != '\0'; i++) {
        char c = given[i] == '_' || given[i] == '.' ? '-' : given[i];
        if (c != name[i]) {
            return false;
        }
    }
    return i == len && name[i] == '\0';
}

bool x86_model_set_vendor(struct x86_model *m, const char *name, size_t len)
{
    static const char *const vendors[] = {"GenuineIntel", "AuthenticAMD"};
    for (unsigned i = 0; i < ARRAY_SIZE(vendors); i++) {
        if (strlen(vendors[i]) == len && strncmp(vendors[i], name, len) == 0) {
            m->vendor = vendors[i];
            return true;
        }
    }
    return false;
}

bool x86_model_change(struct x86_model *m, const char *feature, size_t len, bool on,
                      struct error **err)
{
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        unsigned f = names[i].feature;
        if (!same_name(feature, len, names[i].name)) {
            continue;
        }
        if (on && !x86_feature_implemented(i)) {
            return error_set(err, "the software CPU does not have \"%s\"", names[i].name);
        }
        m->features[f / 32] &= ~BIT(f % 32);
        m->features[f / 32] |= on ? BIT(f % 32) : 0;
        return true;
    }
    return error_set(err, "\"%.*s\" is no CPU feature; -cpu help lists them", (int)len, feature);
}
