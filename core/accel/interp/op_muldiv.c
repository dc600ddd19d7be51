/*
 * Multiplication, division, decimal adjustment. Source: [SDM2] under each mnemonic.
 *
 * Undefined flags after MUL and IMUL: SF and PF follow the low half, ZF and AF are cleared; DIV and
 * IDIV change none: so do current Intel processors.
 */
#include "core/accel/interp/run.h"

/* A body for each size, so that it is a constant there. */
#define SIZED(size, f, ...)                                                                        \
    switch (size) {                                                                                \
    case 4: f(4, __VA_ARGS__); break;                                                              \
    case 8: f(8, __VA_ARGS__); break;                                                              \
    case 2: f(2, __VA_ARGS__); break;                                                              \
    default: f(1, __VA_ARGS__); break;                                                             \
    }
#define FOR_SIZE static inline __attribute__((always_inline))

FOR_SIZE int64_t sign_extend(uint64_t v, unsigned size)
{
    unsigned shift = 64 - 8 * size;
    return (int64_t)(v << shift) >> shift;
}

/* CF and OF, with SF and PF of @low. Bit 8 keeps ZF clear. */
FOR_SIZE void mul_flags(struct x86_cpu *cpu, uint64_t low, unsigned size, bool overflow)
{
    cpu->lf_result = (uint64_t)sign_extend(low, size) | 0x100;
    cpu->lf_aux = lf_co(overflow, overflow);
}

/* The double-width product or dividend lives in AX, DX:AX, EDX:EAX or RDX:RAX. */
FOR_SIZE void write_pair(struct x86_cpu *cpu, uint64_t low, uint64_t high, unsigned size)
{
    if (size == 1) {
        reg_w16(cpu, GPR_OFF(R_AX), (uint16_t)((low & 0xff) | high << 8));
    } else {
        reg_w(cpu, GPR_OFF(R_AX), low, size);
        reg_w(cpu, GPR_OFF(R_DX), high, size);
    }
}

FOR_SIZE void mul_sized(unsigned size, struct x86_cpu *cpu, const struct insn *in)
{
    unsigned __int128 p =
        (unsigned __int128)reg_r(cpu, GPR_OFF(R_AX), size) * e_read(cpu, in, size);
    uint64_t low = (uint64_t)p & size_mask(size),
             high = (uint64_t)(p >> (8 * size)) & size_mask(size);
    write_pair(cpu, low, high, size);
    mul_flags(cpu, low, size, high != 0);
}

OP(mul)
{
    SIZED(in->opsize, mul_sized, cpu, in)
}

FOR_SIZE void imul_sized(unsigned size, struct x86_cpu *cpu, const struct insn *in)
{
    __int128 p = (__int128)sign_extend(reg_r(cpu, GPR_OFF(R_AX), size), size) *
                 sign_extend(e_read(cpu, in, size), size);
    uint64_t low = (uint64_t)p & size_mask(size);
    write_pair(cpu, low, (uint64_t)(p >> (8 * size)) & size_mask(size), size);
    mul_flags(cpu, low, size, p != sign_extend(low, size));
}

OP(imul)
{
    SIZED(in->opsize, imul_sized, cpu, in)
}

FOR_SIZE void imul_into_g(unsigned size, struct x86_cpu *cpu, const struct insn *in, uint64_t a,
                          uint64_t b)
{
    __int128 p = (__int128)sign_extend(a, size) * sign_extend(b, size);
    uint64_t low = (uint64_t)p & size_mask(size);
    reg_w(cpu, in->r, low, size);
    mul_flags(cpu, low, size, p != sign_extend(low, size));
}

FOR_SIZE void imul_ge_sized(unsigned size, struct x86_cpu *cpu, const struct insn *in)
{
    imul_into_g(size, cpu, in, reg_r(cpu, in->r, size), e_read(cpu, in, size));
}

OP(imul_ge)
{
    SIZED(in->opsize, imul_ge_sized, cpu, in)
}

FOR_SIZE void imul_gei_sized(unsigned size, struct x86_cpu *cpu, const struct insn *in)
{
    imul_into_g(size, cpu, in, e_read(cpu, in, size), in->imm);
}

OP(imul_gei)
{
    SIZED(in->opsize, imul_gei_sized, cpu, in)
}

/* What is divided where half of it is @size bytes, 1, 2 or 4. */
FOR_SIZE uint64_t dividend(const struct x86_cpu *cpu, unsigned size)
{
    return size == 1 ? reg_r16(cpu, GPR_OFF(R_AX))
                     : reg_r(cpu, GPR_OFF(R_DX), size) << (8 * size) |
                           reg_r(cpu, GPR_OFF(R_AX), size);
}

FOR_SIZE void div_sized(unsigned size, struct x86_cpu *cpu, const struct insn *in)
{
    uint64_t d = e_read(cpu, in, size), n = dividend(cpu, size);
    if (d == 0 || n / d > size_mask(size)) {
        x86_fault_noerr(cpu, X86_DE);
    }
    write_pair(cpu, n / d, n % d, size);
}

/* RDX:RAX = @high:@low / @d, as the host divides. #DE if the quotient has more than 64 bits, which
 * is if the high half is not less than the divisor. */
static void divide_pair(struct x86_cpu *cpu, uint64_t d, uint64_t *low, uint64_t *high)
{
    if (*high >= d) {
        x86_fault_noerr(cpu, X86_DE);
    }
    __asm__("divq %2" : "+a"(*low), "+d"(*high) : "r"(d) : "cc");
}

static void div_64(struct x86_cpu *cpu, const struct insn *in)
{
    uint64_t d = e_read(cpu, in, 8), low = cpu->s.gpr[R_AX], high = cpu->s.gpr[R_DX];
    divide_pair(cpu, d, &low, &high);
    write_pair(cpu, low, high, 8);
}

OP(div)
{
    switch (in->opsize) {
    case 8: div_64(cpu, in); break;
    case 4: div_sized(4, cpu, in); break;
    case 2: div_sized(2, cpu, in); break;
    default: div_sized(1, cpu, in); break;
    }
}

FOR_SIZE void idiv_sized(unsigned size, struct x86_cpu *cpu, const struct insn *in)
{
    int64_t d = sign_extend(e_read(cpu, in, size), size);
    int64_t n = sign_extend(dividend(cpu, size), 2 * size);
    /* The quotient -2^63 / -1 does not exist either. */
    if (d == 0 || (d == -1 && n == INT64_MIN) || n / d != sign_extend((uint64_t)(n / d), size)) {
        x86_fault_noerr(cpu, X86_DE);
    }
    write_pair(cpu, (uint64_t)(n / d) & size_mask(size), (uint64_t)(n % d) & size_mask(size), size);
}

/* By magnitudes: the remainder has the dividend's sign. */
static void idiv_64(struct x86_cpu *cpu, const struct insn *in)
{
    uint64_t d = e_read(cpu, in, 8), low = cpu->s.gpr[R_AX], high = cpu->s.gpr[R_DX];
    bool minus = high >> 63, negative = minus != (bool)(d >> 63);
    if (minus) {
        high = 0 - high - (low != 0);
        low = 0 - low;
    }
    divide_pair(cpu, d >> 63 ? 0 - d : d, &low, &high);
    if (low > (uint64_t)INT64_MAX + negative) {
        x86_fault_noerr(cpu, X86_DE);
    }
    write_pair(cpu, negative ? 0 - low : low, minus ? 0 - high : high, 8);
}

OP(idiv)
{
    switch (in->opsize) {
    case 8: idiv_64(cpu, in); break;
    case 4: idiv_sized(4, cpu, in); break;
    case 2: idiv_sized(2, cpu, in); break;
    default: idiv_sized(1, cpu, in); break;
    }
}

/* ---- decimal ---- */

static void decimal_flags(struct x86_cpu *cpu, uint8_t al, bool cf, bool af)
{
    lf_result8(cpu, al, lf_co(cf, false) | (uint32_t)af << LF_AF);
}

/* DAA and DAS: @sign is 1 or -1. */
static void decimal_adjust(struct x86_cpu *cpu, int sign)
{
    uint8_t old = reg_r8(cpu, GPR_OFF(R_AX)), al = old;
    bool old_cf = lf_cf(cpu), cf = false, af = false;
    if ((old & 15) > 9 || lf_af(cpu)) {
        al = (uint8_t)(al + 6 * sign);
        cf = old_cf || (sign > 0 ? old > 0xff - 6 : old < 6);
        af = true;
    }
    if (old > 0x99 || old_cf) {
        al = (uint8_t)(al + 0x60 * sign);
        cf = true;
    } else if (sign > 0) {
        cf = false; /* [SDM2] "DAA" clears it, "DAS" keeps the borrow */
    }
    reg_w8(cpu, GPR_OFF(R_AX), al);
    decimal_flags(cpu, al, cf, af);
}

OP(daa)
{
    decimal_adjust(cpu, 1);
}

OP(das)
{
    decimal_adjust(cpu, -1);
}

/* AAA and AAS work on AX, so that the carry out of AL goes into AH too ([SDM2] "AAA"). */
static void ascii_adjust(struct x86_cpu *cpu, int sign)
{
    uint16_t ax = reg_r16(cpu, GPR_OFF(R_AX));
    bool adjust = (ax & 15) > 9 || lf_af(cpu);
    if (adjust) {
        ax = (uint16_t)(ax + 0x106 * sign);
    }
    ax &= 0xff0f;
    reg_w16(cpu, GPR_OFF(R_AX), ax);
    decimal_flags(cpu, (uint8_t)ax, adjust, adjust);
}

OP(aaa)
{
    ascii_adjust(cpu, 1);
}

OP(aas)
{
    ascii_adjust(cpu, -1);
}

OP(aam)
{
    uint8_t al = reg_r8(cpu, GPR_OFF(R_AX)), base = (uint8_t)in->imm;
    if (base == 0) {
        x86_fault_noerr(cpu, X86_DE);
    }
    reg_w16(cpu, GPR_OFF(R_AX), (uint16_t)(al / base << 8 | al % base));
    decimal_flags(cpu, al % base, false, false);
}

/* Undefined flags are those of the addition. */
OP(aad)
{
    uint16_t ax = reg_r16(cpu, GPR_OFF(R_AX));
    reg_w16(cpu, GPR_OFF(R_AX), alu_add8(cpu, (uint8_t)ax, (uint8_t)((ax >> 8) * in->imm)));
}
