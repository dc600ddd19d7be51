/*
 * What the host's processor has. Asked for when it is first needed, not at start-up as by the
 * compiler's __builtin_cpu_supports: on a virtual host each CPUID costs microseconds.
 *
 * Source: [SDM2] "CPUID"; [SDM1] "Detection of AVX Instructions".
 */
#include "core/accel/jit/jit.h"

#include <cpuid.h>
#include <pthread.h>
#include <string.h>

#define YMM_STATE 6u         /* XCR0: XMM and the upper halves of YMM */

static struct host_cpu {
    char vendor[12];
    uint32_t ecx1, ebx7;
    bool ymm;                /* the host's system saves YMM registers */
} host_cpu;

static uint32_t xcr0(void)
{
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static void ask(void)
{
    uint32_t a, b = 0, c = 0, d = 0;
    __get_cpuid(0, &a, &b, &c, &d);
    memcpy(host_cpu.vendor, (const uint32_t[]){b, d, c}, sizeof(host_cpu.vendor));
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        host_cpu.ecx1 = c;
        host_cpu.ymm = (c & bit_OSXSAVE) && (c & bit_AVX) && (xcr0() & YMM_STATE) == YMM_STATE;
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        host_cpu.ebx7 = b;
    }
}

static const struct host_cpu *known(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, ask);
    return &host_cpu;
}

bool jit_host_has(unsigned feature)
{
    switch (feature) {
    case X86_F_MMX: case X86_F_SSE: case X86_F_SSE2: return true; /* of every x86-64 */
    case X86_F_SSE3: return known()->ecx1 & bit_SSE3;
    case X86_F_SSSE3: return known()->ecx1 & bit_SSSE3;
    case X86_F_SSE41: return known()->ecx1 & bit_SSE4_1;
    case X86_F_SSE42: return known()->ecx1 & bit_SSE4_2;
    case X86_F_POPCNT: return known()->ecx1 & bit_POPCNT;
    case X86_F_AES: return known()->ecx1 & bit_AES;
    case X86_F_BMI2: return known()->ebx7 & bit_BMI2;
    case X86_F_PCLMUL: return known()->ecx1 & bit_PCLMUL;
    case X86_F_AVX: case X86_F_AVX2: return known()->ymm && (known()->ebx7 & bit_AVX2);
    case X86_F_FMA: return known()->ymm && (known()->ebx7 & bit_AVX2) && (known()->ecx1 & bit_FMA);
    default: return false;
    }
}

bool jit_host_is_intel(void)
{
    return memcmp(known()->vendor, "GenuineIntel", sizeof(host_cpu.vendor)) == 0;
}
