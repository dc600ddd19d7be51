/*
 * x87 arithmetic on single values: what does not depend on the register stack.
 *
 * Each function takes the control word and gives back status bits: the six exception flags, C1 for
 * rounding up and, where the operation defines them, C0, C2 and C3. An exception that the control
 * word does not mask and that comes before the result (invalid, denormal, zero divide) leaves the
 * value without meaning: the caller stores nothing then.
 *
 * Source: [SDM1] "Programming with the x87 FPU"; [SDM2], the entry of each instruction.
 */
#ifndef CORE_CPU_FPU_H
#define CORE_CPU_FPU_H

#include "core/cpu/x86_state.h"

enum {
    FSW_IE = 0x1, FSW_DE = 0x2, FSW_ZE = 0x4, FSW_OE = 0x8, FSW_UE = 0x10, FSW_PE = 0x20,
    FSW_EXCEPTIONS = 0x3f, FSW_SF = 0x40, FSW_ES = 0x80, FSW_C0 = 0x100, FSW_C1 = 0x200,
    FSW_C2 = 0x400, FSW_TOP = 0x3800, FSW_TOP_SHIFT = 11, FSW_C3 = 0x4000, FSW_B = 0x8000,
    FSW_CC = FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3,
};
enum { FCW_PC = 0x300, FCW_RC = 0xc00, FCW_RC_SHIFT = 10, FCW_INIT = 0x37f };

/* The operations of D8, DA, DC and DE in the order of their /r. */
enum fpu_arith { FPU_ADD, FPU_MUL, FPU_COM, FPU_COMP, FPU_SUB, FPU_SUBR, FPU_DIV, FPU_DIVR };
/* Where the second operand is. */
enum fpu_kind { FPU_ST, FPU_M32, FPU_M64, FPU_I16, FPU_I32, FPU_KINDS };

/* *r = @a op @b; FPU_COM gives condition codes only. @known, here and below: exception flags that
 * are set in the status word. While all exceptions are masked, *sw may repeat them. */
void fpu_arith(enum fpu_arith op, enum fpu_kind kind, const struct x86_fpr *a, const void *b,
               uint16_t cw, uint16_t known, struct x86_fpr *r, uint16_t *sw);
/* Unordered compare: only signalling NaNs are invalid. */
uint16_t fpu_ucom(const struct x86_fpr *a, const struct x86_fpr *b, uint16_t cw, uint16_t known);

enum fpu_unary { FPU_SQRT, FPU_RNDINT };
struct x86_fpr fpu_unary(enum fpu_unary op, const struct x86_fpr *a, uint16_t cw, uint16_t *sw);
/* ST0 op ST1. */
enum fpu_binary { FPU_SCALE, FPU_PREM, FPU_PREM1 };
struct x86_fpr fpu_binary(enum fpu_binary op, const struct x86_fpr *a, const struct x86_fpr *b,
                          uint16_t cw, uint16_t *sw);
/* Significand and, in *exp, the exponent as a number. */
struct x86_fpr fpu_xtract(const struct x86_fpr *a, struct x86_fpr *exp, uint16_t *sw);
/* FLD1 FLDL2T FLDL2E FLDPI FLDLG2 FLDLN2 FLDZ: @n is 0..6. */
struct x86_fpr fpu_constant(unsigned n, uint16_t cw);

/* Loads. Integers and BCD are exact. */
struct x86_fpr fpu_from_m32(uint32_t bits, uint16_t *sw);
struct x86_fpr fpu_from_m64(uint64_t bits, uint16_t *sw);
struct x86_fpr fpu_from_int(int64_t val);
struct x86_fpr fpu_from_bcd(const uint8_t bcd[10]);
/* Stores. With an unmasked invalid, overflow or underflow nothing is to be stored. */
uint32_t fpu_to_m32(const struct x86_fpr *a, uint16_t cw, uint16_t known, uint16_t *sw);
uint64_t fpu_to_m64(const struct x86_fpr *a, uint16_t cw, uint16_t known, uint16_t *sw);
/* @size 2, 4 or 8 bytes. */
int64_t fpu_to_int(const struct x86_fpr *a, unsigned size, uint16_t cw, uint16_t known,
                   uint16_t *sw);
void fpu_to_bcd(const struct x86_fpr *a, uint8_t bcd[10], uint16_t cw, uint16_t *sw);

/* C3 C2 C0 as FXAM shows them for a register that is not empty; C1 is the sign. */
uint16_t fpu_examine(const struct x86_fpr *a);
/* The tag of a register that is not empty: 0 valid, 1 zero, 2 special. */
unsigned fpu_tag(const struct x86_fpr *a);

static inline struct x86_fpr fpu_indefinite(void)
{
    return (struct x86_fpr){.mant = 0xc000000000000000ull, .se = 0xffff};
}

/* ---- transcendental instructions (fpu_trans.c): the same on every host ---- */

struct x86_fpr fpu_f2xm1(const struct x86_fpr *a, uint16_t cw, uint16_t *sw);
/* ST1 * log2(ST0) and ST1 * log2(ST0 + 1): @y is ST1. */
struct x86_fpr fpu_yl2x(const struct x86_fpr *x, const struct x86_fpr *y, uint16_t cw,
                        uint16_t *sw);
struct x86_fpr fpu_yl2xp1(const struct x86_fpr *x, const struct x86_fpr *y, uint16_t cw,
                          uint16_t *sw);
/* The angle of the point (@x = ST0, @y = ST1). */
struct x86_fpr fpu_patan(const struct x86_fpr *x, const struct x86_fpr *y, uint16_t cw,
                         uint16_t *sw);
/* Sine, cosine, tangent. C2 is set, and nothing else done, if |a| is 2^63 or more. */
struct x86_fpr fpu_sin(const struct x86_fpr *a, uint16_t cw, uint16_t *sw);
struct x86_fpr fpu_cos(const struct x86_fpr *a, uint16_t cw, uint16_t *sw);
struct x86_fpr fpu_tan(const struct x86_fpr *a, uint16_t cw, uint16_t *sw);

#endif
