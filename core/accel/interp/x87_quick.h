/*
 * The common way of an x87 operation: the host's instruction, where nothing else can happen.
 *
 * Precision and rounding are as FNINIT sets them, which is what the host's control word says, and
 * underflow is masked, so that tiny results need no further look. The host masks everything and its
 * flags pile up (fpu.c). They are not looked at one by one: quick_holds says that there is none
 * that the guest's status word lacks, or whose exception the guest does not mask. If it does not
 * hold, nothing has been changed yet and fpu.c does the same with all the exceptions.
 *
 * Values are `long double` here, which the compiler keeps on the host's register stack; loads and
 * stores of it change no bit and raise nothing ([SDM1] "x87 FPU Floating-Point Exceptions").
 */
#ifndef CORE_ACCEL_INTERP_X87_QUICK_H
#define CORE_ACCEL_INTERP_X87_QUICK_H

#include "core/accel/interp/x87.h"

#define X87_QUICK static inline __attribute__((always_inline))

X87_QUICK bool quick_mode(const struct x86_cpu *cpu)
{
    const uint16_t looked_at = FCW_PC | FCW_RC | FSW_UE;
    return (cpu->s.fcw & looked_at) == (FCW_INIT & looked_at);
}

X87_QUICK bool quick_holds(const struct x86_cpu *cpu, uint16_t sw)
{
    return !(sw & FSW_EXCEPTIONS & ~(cpu->s.fsw & cpu->s.fcw));
}

/* What quick_holds leaves to report. */
X87_QUICK void quick_report(struct x86_cpu *cpu, uint16_t sw)
{
    cpu->s.fsw = (uint16_t)((cpu->s.fsw & ~FSW_C1) | (sw & FSW_C1));
}

X87_QUICK long double quick_load(const struct x86_fpr *from)
{
    long double v;
    __asm__("fldt %1" : "=t"(v) : "m"(*from));
    return v;
}

X87_QUICK void quick_store(struct x86_fpr *to, long double v)
{
    __asm__("fstpt %0" : "+m"(*to) : "t"(v) : "st");
}

typedef long double (*quick_st)(long double a, long double b, uint16_t *sw);
typedef long double (*quick_unary)(long double a, uint16_t *sw);
typedef uint64_t (*quick_to)(long double a, uint16_t *sw);
typedef long double (*quick_mem)(long double a, uint64_t b, uint16_t *sw);

#define QUICK_ST(name, text)                                                                       \
    X87_QUICK long double quick_##name(long double a, long double b, uint16_t *sw)                 \
    {                                                                                              \
        __asm__ volatile(text " %%st(1), %%st\n\tfnstsw %1" : "+t"(a), "=a"(*sw) : "u"(b));        \
        return a;                                                                                  \
    }
#define QUICK_MEM(name, text, type)                                                                \
    X87_QUICK long double quick_##name(long double a, uint64_t b, uint16_t *sw)                    \
    {                                                                                              \
        type vb = (type)b;                                                                         \
        __asm__ volatile(text " %2\n\tfnstsw %1" : "+t"(a), "=a"(*sw) : "m"(vb));                  \
        return a;                                                                                  \
    }
/* All kinds of second operand. */
#define QUICK_ARITH(insn)                                                                          \
    QUICK_ST(insn, "f" #insn)                                                                      \
    QUICK_MEM(insn##_m32, "f" #insn "s", uint32_t)                                                 \
    QUICK_MEM(insn##_m64, "f" #insn "l", uint64_t)                                                 \
    QUICK_MEM(insn##_i16, "fi" #insn "s", uint16_t)                                                \
    QUICK_MEM(insn##_i32, "fi" #insn "l", uint32_t)

#define QUICK_UNARY(insn)                                                                          \
    X87_QUICK long double quick_##insn(long double a, uint16_t *sw)                                \
    {                                                                                              \
        __asm__ volatile("f" #insn "\n\tfnstsw %1" : "+t"(a), "=a"(*sw));                          \
        return a;                                                                                  \
    }

/* Stores as @type: the bits. */
#define QUICK_TO(name, text, type, ...)                                                            \
    X87_QUICK uint64_t quick_to_##name(long double a, uint16_t *sw)                                \
    {                                                                                              \
        type r;                                                                                    \
        __asm__ volatile(text " %0\n\tfnstsw %1" : "=m"(r), "=a"(*sw) : "t"(a) __VA_ARGS__);       \
        return r;                                                                                  \
    }

/* What FNSTSW says after FCOM or FUCOM. */
X87_QUICK uint16_t quick_compare(const struct x86_fpr *a, const struct x86_fpr *b, bool quiet)
{
    uint16_t sw;
    long double va = quick_load(a), vb = quick_load(b);
    if (quiet) {
        __asm__ volatile("fucom %%st(1)\n\tfnstsw %0" : "=a"(sw) : "t"(va), "u"(vb));
    } else {
        __asm__ volatile("fcom %%st(1)\n\tfnstsw %0" : "=a"(sw) : "t"(va), "u"(vb));
    }
    return sw;
}

#endif
