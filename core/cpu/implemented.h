/*
 * What the software CPU does: features whose instructions, registers and control bits are there, by
 * CPUID word. Models are ANDed with it, so a model can name all that its processor had. Who adds a
 * feature adds its bit here, in the commit that makes it complete. MONITOR is not among them: MWAIT
 * returns at once, and a guest that idled by it would never rest.
 */
#ifndef CORE_CPU_IMPLEMENTED_H
#define CORE_CPU_IMPLEMENTED_H

#include "core/cpu/cpuid.h"

/* The bit of a feature in its word. */
#define X86_BIT(name) (1u << (X86_F_##name % 32))
#define F(name) X86_BIT(name)

#define IMPLEMENTED_1_EDX                                                                          \
    (F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) | F(MCE) | F(CX8) | F(APIC) |     \
     F(SEP) | F(MTRR) | F(PGE) | F(MCA) | F(CMOV) | F(PAT) | F(PSE36) | F(CLFSH) | F(MMX) |        \
     F(FXSR) | F(SSE) | F(SSE2))
#define IMPLEMENTED_1_ECX                                                                         \
    (F(CX16) | F(PCID) | F(X2APIC) | F(TSC_DEADLINE) | F(HYPERVISOR) | F(SSE3) | F(PCLMUL) |      \
     F(SSSE3) | F(FMA) | F(SSE41) | F(SSE42) | F(MOVBE) | F(POPCNT) | F(AES) | F(XSAVE) |         \
     F(AVX) | F(F16C) | F(RDRAND))
#define IMPLEMENTED_81_EDX (F(SYSCALL) | F(NX) | F(PDPE1GB) | F(RDTSCP) | F(LM) | F(MMXEXT))
#define IMPLEMENTED_81_ECX (F(LAHF64) | F(LZCNT) | F(PREFETCHW))
#define IMPLEMENTED_7_EBX                                                                         \
    (F(FSGSBASE) | F(SMEP) | F(ERMS) | F(INVPCID) | F(SMAP) | F(BMI1) | F(AVX2) | F(BMI2) |       \
     F(RDSEED) | F(ADX) | F(CLFLUSHOPT) | F(CLWB) | F(SHA))
#define IMPLEMENTED_7_ECX  (F(UMIP) | F(RDPID))
#define IMPLEMENTED_D_EAX  (F(XSAVEOPT) | F(XSAVEC) | F(XGETBV1))
#define IMPLEMENTED_OTHER  (F(BASE) | F(486) | F(CPUID) | F(RDPMC) | F(P6))

#endif
