/*
 * Shifts and rotates. Source: [SDM2] "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR", "SHLD", "SHRD".
 *
 * Counts are masked to 5 bits (6 for 64-bit operands); a masked count of 0 changes no flag. OF is
 * defined for a count of 1 only; for others it is what a shift of the operand by one would give,
 * and AF is cleared: so do current Intel processors, but for ROL and ROR of a register by an
 * immediate, where OF stays.
 */
#include "core/accel/interp/run.h"

#define COUNT_MASK(N) ((N) == 64 ? 63u : 31u)

#define SHIFT(N)                                                                                   \
    static inline uint##N##_t sh_shl##N(struct x86_cpu *cpu, uint##N##_t a, unsigned count)        \
    {                                                                                              \
        unsigned c = count & COUNT_MASK(N);                                                        \
        if (c == 0) {                                                                              \
            return a;                                                                              \
        }                                                                                          \
        uint##N##_t r = c >= N ? 0 : (uint##N##_t)(a << c);                                        \
        bool cf = c <= N && (a >> (N - c) & 1);                                                    \
        lf_result##N(cpu, r, lf_co(cf, (a ^ (uint##N##_t)(a << 1)) >> (N - 1) & 1));               \
        return r;                                                                                  \
    }                                                                                              \
    static inline uint##N##_t sh_shr##N(struct x86_cpu *cpu, uint##N##_t a, unsigned count)        \
    {                                                                                              \
        unsigned c = count & COUNT_MASK(N);                                                        \
        if (c == 0) {                                                                              \
            return a;                                                                              \
        }                                                                                          \
        uint##N##_t r = c >= N ? 0 : (uint##N##_t)(a >> c);                                        \
        bool cf = c <= N && (a >> (c - 1) & 1);                                                    \
        lf_result##N(cpu, r, lf_co(cf, a >> (N - 1)));                                             \
        return r;                                                                                  \
    }                                                                                              \
    static inline uint##N##_t sh_sar##N(struct x86_cpu *cpu, uint##N##_t a, unsigned count)        \
    {                                                                                              \
        unsigned c = count & COUNT_MASK(N);                                                        \
        if (c == 0) {                                                                              \
            return a;                                                                              \
        }                                                                                          \
        int##N##_t before = (int##N##_t)((int##N##_t)a >> (c > N ? N - 1 : c - 1));                \
        uint##N##_t r = (uint##N##_t)(before >> 1);                                                \
        lf_result##N(cpu, r, lf_co(before & 1, false));                                            \
        return r;                                                                                  \
    }                                                                                              \
    static inline uint##N##_t sh_rol##N(struct x86_cpu *cpu, uint##N##_t a, unsigned count)        \
    {                                                                                              \
        unsigned c = count & COUNT_MASK(N), k = c % N;                                             \
        if (c == 0) {                                                                              \
            return a;                                                                              \
        }                                                                                          \
        uint##N##_t r = k ? (uint##N##_t)(a << k | a >> (N - k)) : a;                              \
        lf_put_co(cpu, r & 1, (a ^ (uint##N##_t)(a << 1)) >> (N - 1) & 1);                         \
        return r;                                                                                  \
    }                                                                                              \
    static inline uint##N##_t sh_ror##N(struct x86_cpu *cpu, uint##N##_t a, unsigned count)        \
    {                                                                                              \
        unsigned c = count & COUNT_MASK(N), k = c % N;                                             \
        if (c == 0) {                                                                              \
            return a;                                                                              \
        }                                                                                          \
        uint##N##_t r = k ? (uint##N##_t)(a >> k | a << (N - k)) : a;                              \
        lf_put_co(cpu, r >> (N - 1), (a ^ (a >> (N - 1))) & 1);                                    \
        return r;                                                                                  \
    }                                                                                              \
    /* Through CF: a rotate of N + 1 bits, done bit by bit. */                                     \
    static inline uint##N##_t sh_rcl##N(struct x86_cpu *cpu, uint##N##_t a, unsigned count)        \
    {                                                                                              \
        unsigned c = (count & COUNT_MASK(N)) % (N + 1);                                            \
        bool cf = lf_cf(cpu), of = (a ^ (uint##N##_t)(a << 1)) >> (N - 1) & 1;                     \
        if (c == 0) {                                                                              \
            return a;                                                                              \
        }                                                                                          \
        for (; c > 0; c--) {                                                                       \
            bool out = a >> (N - 1);                                                               \
            a = (uint##N##_t)(a << 1 | cf);                                                        \
            cf = out;                                                                              \
        }                                                                                          \
        lf_put_co(cpu, cf, of);                                                                    \
        return a;                                                                                  \
    }                                                                                              \
    static inline uint##N##_t sh_rcr##N(struct x86_cpu *cpu, uint##N##_t a, unsigned count)        \
    {                                                                                              \
        unsigned c = (count & COUNT_MASK(N)) % (N + 1);                                            \
        bool cf = lf_cf(cpu), of = cf ^ (a >> (N - 1));                                            \
        if (c == 0) {                                                                              \
            return a;                                                                              \
        }                                                                                          \
        for (; c > 0; c--) {                                                                       \
            bool out = a & 1;                                                                      \
            a = (uint##N##_t)(a >> 1 | (uint##N##_t)cf << (N - 1));                                \
            cf = out;                                                                              \
        }                                                                                          \
        lf_put_co(cpu, cf, of);                                                                    \
        return a;                                                                                  \
    }
FOR_SIZES(SHIFT)

#define SHIFT_FORMS(op, N)                                                                         \
    RUN_MODIFY(op##_ei, sh_##op, (unsigned)in->imm, N)                                             \
    RUN_MODIFY(op##_ec, sh_##op, reg_r8(cpu, GPR_OFF(R_CX)), N)
#define SHIFT_OP(op) FOR_SIZES_1(SHIFT_FORMS, op)
SHIFT_OP(rol)
SHIFT_OP(ror)
SHIFT_OP(rcl)
SHIFT_OP(rcr)
SHIFT_OP(shl)
SHIFT_OP(shr)
SHIFT_OP(sar)

/* ---- SHLD, SHRD ---- */

/* Result, CF and OF of a double shift. A 16-bit one by more than 16 shifts the destination in again
 * behind the source: undefined by the manual, so on Intel processors. */
static void double_shift(struct x86_cpu *cpu, const struct insn *in, unsigned count, bool left)
{
    unsigned n = in->opsize * 8, c = count & (n == 64 ? 63 : 31);
    uint64_t ea = in->mem ? insn_ea(cpu, in) : 0;
    uint64_t src = g_read(cpu, in, in->opsize), mask = size_mask(in->opsize);
    if (in->mem) {
        x86_lin_probe_write(cpu, x86_lin_w(cpu, in->seg, ea, in->opsize), in->opsize,
                            cpu->cpl == 3);
    }
    uint64_t dst = e_read(cpu, in, in->opsize), r;
    bool cf, of;
    if (c == 0) {
        e_write(cpu, in, dst, in->opsize);
        return;
    }
    unsigned __int128 all = (unsigned __int128)dst << n | src;
    if (left) {
        if (n == 16) {
            all = all << 16 | dst;
        }
        unsigned width = n == 16 ? 48 : 2 * n;
        r = (uint64_t)(all >> (width - n - c)) & mask;
        cf = all >> (width - c) & 1;
        of = (dst ^ dst << 1) >> (n - 1) & 1;
    } else {
        all = (unsigned __int128)src << n | dst;
        if (n == 16) {
            all |= (unsigned __int128)dst << 32;
        }
        r = (uint64_t)(all >> c) & mask;
        cf = all >> (c - 1) & 1;
        of = (src ^ dst >> (n - 1)) & 1;
    }
    e_write(cpu, in, r, in->opsize);
    cpu->lf_result = (uint64_t)((int64_t)(r << (64 - n)) >> (64 - n));
    cpu->lf_aux = lf_co(cf, of);
}

OP(shld_i)
{
    double_shift(cpu, in, (unsigned)in->imm, true);
}

OP(shld_cl)
{
    double_shift(cpu, in, reg_r8(cpu, GPR_OFF(R_CX)), true);
}

OP(shrd_i)
{
    double_shift(cpu, in, (unsigned)in->imm, false);
}

OP(shrd_cl)
{
    double_shift(cpu, in, reg_r8(cpu, GPR_OFF(R_CX)), false);
}
