/*
 * Bit tests and scans, compare-and-exchange, flag instructions. Source: [SDM2] under each mnemonic.
 */
#include "core/accel/interp/run.h"
#include "core/cpu/cpuid.h"

/* ---- BT BTS BTR BTC ---- */

enum bit_op { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT };

static uint64_t bit_result(enum bit_op op, uint64_t v, uint64_t bit)
{
    switch (op) {
    case BIT_SET: return v | bit;
    case BIT_RESET: return v & ~bit;
    case BIT_COMPLEMENT: return v ^ bit;
    default: return v;
    }
}

/* The store of a read-modify-write that found @old. False: with LOCK, another processor came
 * between. */
static bool put_memory(struct x86_cpu *cpu, const struct insn *in, uint64_t lin, uint64_t old,
                       uint64_t v)
{
    if (in->lock && cpu->parallel) {
        return x86_lin_cas(cpu, lin, old, v, in->opsize) == old;
    }
    x86_lin_write(cpu, lin, v, in->opsize, cpu->cpl == 3);
    return true;
}

/* Bit @index of the E operand; a memory operand reaches beyond its own bytes if the index is from a
 * register ([SDM1] "Bit(BitBase, BitOffset)"). Flags other than CF stay. */
static void bit_insn(struct x86_cpu *cpu, const struct insn *in, enum bit_op op, int64_t index,
                     bool far)
{
    unsigned size = in->opsize, bits = size * 8;
    uint64_t bit = 1ull << (index & (bits - 1)), v;
    if (!in->mem) {
        v = reg_r(cpu, in->m, size);
        if (op != BIT_TEST) {
            reg_w(cpu, in->m, bit_result(op, v, bit), size);
        }
    } else {
        uint64_t ea = insn_ea(cpu, in);
        if (far) {
            ea = (ea + (uint64_t)((index & -(int64_t)bits) / 8)) & (~0ull >> in->ea_shift);
        }
        if (op == BIT_TEST) {
            v = mem_read(cpu, in->seg, ea, size);
        } else {
            uint64_t lin = x86_lin_w(cpu, in->seg, ea, size), was;
            x86_lin_probe_write(cpu, lin, size, cpu->cpl == 3);
            do {
                v = was = mem_read(cpu, in->seg, ea, size);
            } while (!put_memory(cpu, in, lin, was, bit_result(op, v, bit)));
        }
    }
    lf_put_cf(cpu, (v & bit) != 0);
}

static int64_t bit_index(const struct x86_cpu *cpu, const struct insn *in)
{
    unsigned shift = 64 - 8 * in->opsize;
    return (int64_t)(g_read(cpu, in, in->opsize) << shift) >> shift;
}

#define BIT_OPS(name, op)                                                                          \
    OP(name##_g)                                                                                   \
    {                                                                                              \
        bit_insn(cpu, in, op, bit_index(cpu, in), true);                                           \
    }                                                                                              \
    OP(name##_i)                                                                                   \
    {                                                                                              \
        bit_insn(cpu, in, op, (int64_t)in->imm, false);                                            \
    }
BIT_OPS(bt, BIT_TEST)
BIT_OPS(bts, BIT_SET)
BIT_OPS(btr, BIT_RESET)
BIT_OPS(btc, BIT_COMPLEMENT)

/* ---- BSF, BSR ---- */

/* Of 0 the destination stays and ZF is set. PF follows the result; other flags are cleared. */
static void scan_result(struct x86_cpu *cpu, const struct insn *in, uint64_t v, unsigned index)
{
    cpu->lf_aux = 0;
    cpu->lf_result = 0;
    if (v != 0) {
        g_write(cpu, in, index, in->opsize);
        cpu->lf_result = index | 0x100;
    }
}

OP(bsf)
{
    uint64_t v = e_read(cpu, in, in->opsize);
    scan_result(cpu, in, v, v ? (unsigned)__builtin_ctzll(v) : 0);
}

OP(bsr)
{
    uint64_t v = e_read(cpu, in, in->opsize);
    scan_result(cpu, in, v, v ? 63 - (unsigned)__builtin_clzll(v) : 0);
}

OP(bswap)
{
    if (in->opsize == 8) {
        reg_w64(cpu, in->r, __builtin_bswap64(reg_r64(cpu, in->r)));
    } else if (in->opsize == 4) {
        reg_w32(cpu, in->r, __builtin_bswap32(reg_r32(cpu, in->r)));
    } else {
        reg_w16(cpu, in->r, 0); /* undefined; Intel processors give 0 */
    }
}

/* ---- XADD, CMPXCHG, CMPXCHG8B ---- */

/* Sets the flags of a - b, or of a + b, in the operand size. */
static uint64_t sized_add(struct x86_cpu *cpu, uint64_t a, uint64_t b, unsigned size)
{
    switch (size) {
    case 1: return alu_add8(cpu, (uint8_t)a, (uint8_t)b);
    case 2: return alu_add16(cpu, (uint16_t)a, (uint16_t)b);
    case 4: return alu_add32(cpu, (uint32_t)a, (uint32_t)b);
    default: return alu_add64(cpu, a, b);
    }
}

static void sized_compare(struct x86_cpu *cpu, uint64_t a, uint64_t b, unsigned size)
{
    switch (size) {
    case 1: alu_sub8(cpu, (uint8_t)a, (uint8_t)b); break;
    case 2: alu_sub16(cpu, (uint16_t)a, (uint16_t)b); break;
    case 4: alu_sub32(cpu, (uint32_t)a, (uint32_t)b); break;
    default: alu_sub64(cpu, a, b); break;
    }
}

/* The E operand of a read-modify-write, which faults as its write would. *lin is for put_e. */
static uint64_t get_e(struct x86_cpu *cpu, const struct insn *in, uint64_t *lin)
{
    *lin = 0;
    if (!in->mem) {
        return reg_r(cpu, in->m, in->opsize);
    }
    *lin = x86_lin_w(cpu, in->seg, insn_ea(cpu, in), in->opsize);
    x86_lin_probe_write(cpu, *lin, in->opsize, cpu->cpl == 3);
    return x86_lin_read(cpu, *lin, in->opsize, cpu->cpl == 3);
}

/* False as put_memory. */
static bool put_e(struct x86_cpu *cpu, const struct insn *in, uint64_t lin, uint64_t old,
                  uint64_t v)
{
    if (in->mem) {
        return put_memory(cpu, in, lin, old, v);
    }
    reg_w(cpu, in->m, v, in->opsize);
    return true;
}

/* The flags are set from the operands alone, so doing it again does no harm. */
OP(xadd)
{
    uint64_t lin, old, sum, add = g_read(cpu, in, in->opsize);
    do {
        old = get_e(cpu, in, &lin);
        sum = sized_add(cpu, old, add, in->opsize);
    } while (in->mem && !put_memory(cpu, in, lin, old, sum));
    g_write(cpu, in, old, in->opsize);
    if (!in->mem) {
        reg_w(cpu, in->m, sum, in->opsize);
    }
}

/* Memory is written in either case ([SDM2] "CMPXCHG"); a register that does not change is not. */
OP(cmpxchg)
{
    uint64_t lin, old, a = reg_r(cpu, GPR_OFF(R_AX), in->opsize);
    bool same, kept;
    do {
        old = get_e(cpu, in, &lin);
        same = a == old;
        kept = !same && !in->mem;
    } while (!kept && !put_e(cpu, in, lin, old, same ? g_read(cpu, in, in->opsize) : old));
    sized_compare(cpu, a, old, in->opsize);
    if (!same) {
        reg_w(cpu, GPR_OFF(R_AX), old, in->opsize);
    }
}

/* The same, locked, of 8 bytes (@size 4) or 16. */
static bool cmpxchg_pair_locked(struct x86_cpu *cpu, uint64_t lin, unsigned size)
{
    uint64_t old[2] = {reg_r(cpu, GPR_OFF(R_AX), size), reg_r(cpu, GPR_OFF(R_DX), size)};
    uint64_t val[2] = {reg_r(cpu, GPR_OFF(R_BX), size), reg_r(cpu, GPR_OFF(R_CX), size)};
    bool same;
    if (size == 8) {
        same = x86_lin_cas16(cpu, lin, old, val);
    } else {
        uint64_t whole = old[1] << 32 | old[0];
        uint64_t seen = x86_lin_cas(cpu, lin, whole, val[1] << 32 | val[0], 8);
        same = seen == whole;
        old[0] = (uint32_t)seen;
        old[1] = seen >> 32;
    }
    if (!same) {
        reg_w(cpu, GPR_OFF(R_AX), old[0], size);
        reg_w(cpu, GPR_OFF(R_DX), old[1], size);
    }
    return same;
}

/* Memory of twice the operand size against DX:AX. */
static void cmpxchg_pair(struct x86_cpu *cpu, uint64_t lin, unsigned size, bool locked)
{
    bool user = cpu->cpl == 3;
    x86_lin_probe_write(cpu, lin, 2 * size, user);
    if (locked && cpu->parallel) {
        bool same = cmpxchg_pair_locked(cpu, lin, size);
        lf_set(cpu, (lf_get(cpu) & ~(uint32_t)FL_ZF) | (same ? FL_ZF : 0));
        return;
    }
    uint64_t low = x86_lin_read(cpu, lin, size, user);
    uint64_t high = x86_lin_read(cpu, lin + size, size, user);
    uint32_t flags = lf_get(cpu) & ~(uint32_t)FL_ZF;
    if (low == reg_r(cpu, GPR_OFF(R_AX), size) && high == reg_r(cpu, GPR_OFF(R_DX), size)) {
        x86_lin_write(cpu, lin, reg_r(cpu, GPR_OFF(R_BX), size), size, user);
        x86_lin_write(cpu, lin + size, reg_r(cpu, GPR_OFF(R_CX), size), size, user);
        flags |= FL_ZF;
    } else {
        x86_lin_write(cpu, lin, low, size, user);
        x86_lin_write(cpu, lin + size, high, size, user);
        reg_w(cpu, GPR_OFF(R_AX), low, size);
        reg_w(cpu, GPR_OFF(R_DX), high, size);
    }
    lf_set(cpu, flags);
}

/* With REX.W CMPXCHG16B, whose operand must be aligned. */
OP(cmpxchg8b)
{
    bool wide = in->opsize == 8;
    if (wide && !x86_has(cpu->model, X86_F_CX16)) {
        x86_fault_noerr(cpu, X86_UD);
    }
    uint64_t lin = x86_lin_w(cpu, in->seg, insn_ea(cpu, in), wide ? 16 : 8);
    if (wide && (lin & 15)) {
        x86_fault(cpu, X86_GP, 0);
    }
    cmpxchg_pair(cpu, lin, wide ? 8 : 4, in->lock);
}

/* ---- flags ---- */

OP(cmc)
{
    lf_put_cf(cpu, !lf_cf(cpu));
}

OP(clc)
{
    lf_put_cf(cpu, false);
}

OP(stc)
{
    lf_put_cf(cpu, true);
}

OP(cld)
{
    cpu->s.rflags &= ~(uint64_t)FL_DF;
}

OP(std)
{
    cpu->s.rflags |= FL_DF;
}

/* [SDM2] "LAHF", "SAHF": the first processors with 64-bit mode lacked them there. */
static void need_lahf64(struct x86_cpu *cpu)
{
    if ((cpu->mode & MODE_CS64) && !x86_has(cpu->model, X86_F_LAHF64)) {
        x86_fault_noerr(cpu, X86_UD);
    }
}

OP(sahf)
{
    need_lahf64(cpu);
    uint32_t ah = reg_r8(cpu, GPR_OFF_H(R_AX));
    lf_set(cpu, (lf_get(cpu) & FL_OF) | (ah & (FL_OSZAPC & ~FL_OF)));
}

OP(lahf)
{
    need_lahf64(cpu);
    reg_w8(cpu, GPR_OFF_H(R_AX), (uint8_t)(lf_get(cpu) | FL_1));
}

OP(salc)
{
    reg_w8(cpu, GPR_OFF(R_AX), lf_cf(cpu) ? 0xff : 0);
}

RUN(run_nop)
{
    INTERP_NEXT(cpu, in);
}
