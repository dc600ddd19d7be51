/*
 * Arithmetic with lazy flags (core/cpu/flags.h), for each operand size. Pure but for the two words.
 *
 * Carries of an addition come from one formula: bit i of (a & b) | ((a | b) & ~r) is the carry out
 * of bit i. Borrows likewise.
 */
#ifndef CORE_ACCEL_INTERP_LAZY_H
#define CORE_ACCEL_INTERP_LAZY_H

#include "core/cpu/flags.h"

#define LF_TOP (1u << LF_CF | 1u << LF_PO)

/* lf_aux from the vector of carries of an operation of that size. */
static inline uint32_t lf_carries8(uint8_t c)
{
    return ((uint32_t)c << 24 & LF_TOP) | (c & 8u);
}

static inline uint32_t lf_carries16(uint16_t c)
{
    return ((uint32_t)c << 16 & LF_TOP) | (c & 8u);
}

static inline uint32_t lf_carries32(uint32_t c)
{
    return c & (LF_TOP | 8u);
}

static inline uint32_t lf_carries64(uint64_t c)
{
    return ((uint32_t)(c >> 32) & LF_TOP) | ((uint32_t)c & 8u);
}

/* lf_aux with these CF and OF, AF 0. */
static inline uint32_t lf_co(bool cf, bool of)
{
    return (uint32_t)cf << LF_CF | (uint32_t)(cf ^ of) << LF_PO;
}

/* Changes CF and OF only. */
static inline void lf_put_co(struct x86_cpu *cpu, bool cf, bool of)
{
    cpu->lf_aux = (cpu->lf_aux & ~(uint64_t)LF_TOP) | lf_co(cf, of);
}

static inline void lf_put_cf(struct x86_cpu *cpu, bool cf)
{
    lf_put_co(cpu, cf, lf_of(cpu));
}

#define LAZY(N)                                                                                    \
    static inline void lf_result##N(struct x86_cpu *cpu, uint##N##_t r, uint32_t aux)              \
    {                                                                                              \
        cpu->lf_result = (uint64_t)(int64_t)(int##N##_t)r;                                         \
        cpu->lf_aux = aux;                                                                         \
    }                                                                                              \
    static inline uint##N##_t alu_adc_with##N(struct x86_cpu *cpu, uint##N##_t a, uint##N##_t b,   \
                                              bool cf)                                             \
    {                                                                                              \
        uint##N##_t r = (uint##N##_t)(a + b + cf);                                                 \
        lf_result##N(cpu, r, lf_carries##N((uint##N##_t)((a & b) | ((a | b) & ~r))));              \
        return r;                                                                                  \
    }                                                                                              \
    static inline uint##N##_t alu_sbb_with##N(struct x86_cpu *cpu, uint##N##_t a, uint##N##_t b,   \
                                              bool cf)                                             \
    {                                                                                              \
        uint##N##_t r = (uint##N##_t)(a - b - cf);                                                 \
        lf_result##N(cpu, r, lf_carries##N((uint##N##_t)((~a & b) | ((~a | b) & r))));             \
        return r;                                                                                  \
    }                                                                                              \
    static inline uint##N##_t alu_logic##N(struct x86_cpu *cpu, uint##N##_t r)                     \
    {                                                                                              \
        lf_result##N(cpu, r, 0);                                                                   \
        return r;                                                                                  \
    }                                                                                              \
    static inline uint##N##_t alu_add##N(struct x86_cpu *cpu, uint##N##_t a, uint##N##_t b)        \
    {                                                                                              \
        return alu_adc_with##N(cpu, a, b, false);                                                  \
    }                                                                                              \
    static inline uint##N##_t alu_adc##N(struct x86_cpu *cpu, uint##N##_t a, uint##N##_t b)        \
    {                                                                                              \
        return alu_adc_with##N(cpu, a, b, lf_cf(cpu));                                             \
    }                                                                                              \
    static inline uint##N##_t alu_sub##N(struct x86_cpu *cpu, uint##N##_t a, uint##N##_t b)        \
    {                                                                                              \
        return alu_sbb_with##N(cpu, a, b, false);                                                  \
    }                                                                                              \
    static inline uint##N##_t alu_sbb##N(struct x86_cpu *cpu, uint##N##_t a, uint##N##_t b)        \
    {                                                                                              \
        return alu_sbb_with##N(cpu, a, b, lf_cf(cpu));                                             \
    }                                                                                              \
    static inline uint##N##_t alu_or##N(struct x86_cpu *cpu, uint##N##_t a, uint##N##_t b)         \
    {                                                                                              \
        return alu_logic##N(cpu, a | b);                                                           \
    }                                                                                              \
    static inline uint##N##_t alu_and##N(struct x86_cpu *cpu, uint##N##_t a, uint##N##_t b)        \
    {                                                                                              \
        return alu_logic##N(cpu, a & b);                                                           \
    }                                                                                              \
    static inline uint##N##_t alu_xor##N(struct x86_cpu *cpu, uint##N##_t a, uint##N##_t b)        \
    {                                                                                              \
        return alu_logic##N(cpu, a ^ b);                                                           \
    }                                                                                              \
    static inline uint##N##_t alu_inc##N(struct x86_cpu *cpu, uint##N##_t a)                       \
    {                                                                                              \
        bool cf = lf_cf(cpu);                                                                      \
        uint##N##_t r = alu_add##N(cpu, a, 1);                                                     \
        lf_put_cf(cpu, cf);                                                                        \
        return r;                                                                                  \
    }                                                                                              \
    static inline uint##N##_t alu_dec##N(struct x86_cpu *cpu, uint##N##_t a)                       \
    {                                                                                              \
        bool cf = lf_cf(cpu);                                                                      \
        uint##N##_t r = alu_sub##N(cpu, a, 1);                                                     \
        lf_put_cf(cpu, cf);                                                                        \
        return r;                                                                                  \
    }                                                                                              \
    static inline uint##N##_t alu_neg##N(struct x86_cpu *cpu, uint##N##_t a)                       \
    {                                                                                              \
        return alu_sub##N(cpu, 0, a);                                                              \
    }                                                                                              \
    static inline uint##N##_t alu_not##N(struct x86_cpu *cpu, uint##N##_t a)                       \
    {                                                                                              \
        return (uint##N##_t)~a;                                                                    \
    }
LAZY(8)
LAZY(16)
LAZY(32)
LAZY(64)
#undef LAZY

#endif
