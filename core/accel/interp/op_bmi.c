/*
 * Later integer instructions: POPCNT, LZCNT, TZCNT, BMI1, BMI2, ADX, MOVBE, CRC32, RDRAND.
 *
 * Source: [SDM2], the entry of each instruction. Undefined flags have the values that their rows of
 *         insn.def name.
 */
#include "core/accel/interp/lazy.h"
#include "core/accel/interp/interp.h"
#include "core/cpu/simd.h"

static uint64_t sign_bit(const struct insn *in)
{
    return 1ull << (8 * in->opsize - 1);
}

static uint64_t trim(const struct insn *in, uint64_t v)
{
    return v & size_mask(in->opsize);
}

static uint64_t v_read(const struct x86_cpu *cpu, const struct insn *in)
{
    return reg_r(cpu, GPR_OFF(in->vvvv), in->opsize);
}

/* ---- counting ---- */

OP(popcnt)
{
    uint64_t v = e_read(cpu, in, in->opsize);
    g_write(cpu, in, (uint64_t)__builtin_popcountll(v), in->opsize);
    lf_set(cpu, v ? 0 : FL_ZF);
}

static void count_result(struct x86_cpu *cpu, const struct insn *in, uint64_t v, unsigned zeros)
{
    g_write(cpu, in, zeros, in->opsize);
    lf_set(cpu, (v ? 0 : FL_CF) | (zeros ? 0 : FL_ZF));
}

OP(tzcnt)
{
    uint64_t v = e_read(cpu, in, in->opsize);
    count_result(cpu, in, v, v ? (unsigned)__builtin_ctzll(v) : 8u * in->opsize);
}

OP(lzcnt)
{
    uint64_t v = e_read(cpu, in, in->opsize);
    unsigned bits = 8u * in->opsize;
    count_result(cpu, in, v, v ? bits - 64 + (unsigned)__builtin_clzll(v) : bits);
}

/* ---- BMI1 ---- */

/* ZF and SF of @r; OF, AF and PF are cleared. */
static void bit_flags(struct x86_cpu *cpu, const struct insn *in, uint64_t r, bool cf)
{
    lf_set(cpu, (r == 0 ? FL_ZF : 0) | (r & sign_bit(in) ? FL_SF : 0) | (cf ? FL_CF : 0));
}

OP(andn)
{
    uint64_t r = trim(in, ~v_read(cpu, in) & e_read(cpu, in, in->opsize));
    g_write(cpu, in, r, in->opsize);
    bit_flags(cpu, in, r, false);
}

/* The result goes to VEX.vvvv. */
#define LOWEST_BIT(name, result, carry, flags_of)                                                  \
    OP(name)                                                                                       \
    {                                                                                              \
        uint64_t v = e_read(cpu, in, in->opsize), r = trim(in, result);                            \
        reg_w(cpu, GPR_OFF(in->vvvv), r, in->opsize);                                              \
        bit_flags(cpu, in, flags_of, carry);                                                       \
    }
LOWEST_BIT(blsr, v & (v - 1), v == 0, r)
LOWEST_BIT(blsmsk, v ^ (v - 1), v == 0, r)
LOWEST_BIT(blsi, v & (0 - v), v != 0, r)

OP(bextr)
{
    uint64_t v = e_read(cpu, in, in->opsize), control = v_read(cpu, in);
    unsigned start = control & 0xff, len = control >> 8 & 0xff;
    uint64_t r = start < 64 ? v >> start : 0;
    r = len < 64 ? r & ((1ull << len) - 1) : r;
    g_write(cpu, in, r, in->opsize);
    lf_set(cpu, r == 0 ? FL_ZF : 0);
}

/* ---- BMI2 ---- */

OP(bzhi)
{
    uint64_t v = e_read(cpu, in, in->opsize);
    unsigned n = v_read(cpu, in) & 0xff;
    uint64_t r = n < 64 ? v & ((1ull << n) - 1) : v;
    g_write(cpu, in, r, in->opsize);
    bit_flags(cpu, in, r, n >= 8u * in->opsize);
}

OP(pdep)
{
    uint64_t v = v_read(cpu, in), mask = e_read(cpu, in, in->opsize), r = 0;
    for (; mask; mask &= mask - 1, v >>= 1) {
        r |= v & 1 ? mask & (0 - mask) : 0;
    }
    g_write(cpu, in, r, in->opsize);
}

OP(pext)
{
    uint64_t v = v_read(cpu, in), mask = e_read(cpu, in, in->opsize), r = 0;
    for (unsigned i = 0; mask; mask &= mask - 1, i++) {
        r |= (uint64_t)((v & mask & (0 - mask)) != 0) << i;
    }
    g_write(cpu, in, r, in->opsize);
}

/* The low half first: if both results have one register, the high half is in it. */
OP(mulx)
{
    uint64_t v = e_read(cpu, in, in->opsize), d = reg_r(cpu, GPR_OFF(R_DX), in->opsize);
    unsigned __int128 p = (unsigned __int128)v * d;
    reg_w(cpu, GPR_OFF(in->vvvv), (uint64_t)p, in->opsize);
    g_write(cpu, in, (uint64_t)(p >> (8 * in->opsize)), in->opsize);
}

OP(rorx)
{
    uint64_t v = e_read(cpu, in, in->opsize);
    unsigned bits = 8u * in->opsize, n = (unsigned)in->imm & (bits - 1);
    g_write(cpu, in, n ? v >> n | v << (bits - n) : v, in->opsize);
}

#define SHIFT_BY_V(name, expression)                                                               \
    OP(name)                                                                                       \
    {                                                                                              \
        uint64_t v = e_read(cpu, in, in->opsize);                                                  \
        unsigned n = v_read(cpu, in) & (8u * in->opsize - 1);                                      \
        g_write(cpu, in, expression, in->opsize);                                                  \
    }
SHIFT_BY_V(shlx, v << n)
SHIFT_BY_V(shrx, v >> n)
SHIFT_BY_V(sarx, (uint64_t)((in->opsize == 8 ? (int64_t)v : (int32_t)v) >> n))

/* ---- ADX ---- */

static bool add_carry(struct x86_cpu *cpu, const struct insn *in, bool carry)
{
    uint64_t b = e_read(cpu, in, in->opsize), a = g_read(cpu, in, in->opsize);
    unsigned __int128 sum = (unsigned __int128)a + b + carry;
    g_write(cpu, in, (uint64_t)sum, in->opsize);
    return sum >> (8 * in->opsize) & 1;
}

OP(adcx)
{
    lf_put_co(cpu, add_carry(cpu, in, lf_cf(cpu)), lf_of(cpu));
}

OP(adox)
{
    lf_put_co(cpu, lf_cf(cpu), add_carry(cpu, in, lf_of(cpu)));
}

/* ---- MOVBE, CRC32 ---- */

static uint64_t swapped(const struct insn *in, uint64_t v)
{
    return __builtin_bswap64(v) >> (64 - 8 * in->opsize);
}

OP(movbe_load)
{
    g_write(cpu, in, swapped(in, e_read(cpu, in, in->opsize)), in->opsize);
}

OP(movbe_store)
{
    e_write(cpu, in, swapped(in, g_read(cpu, in, in->opsize)), in->opsize);
}

/* The result has 32 bits whatever the operand's size is. */
OP(crc32)
{
    uint64_t v = e_read(cpu, in, in->opsize);
    reg_w32(cpu, in->r, simd_crc32c(reg_r32(cpu, in->r), v, in->opsize));
}

/* ---- random numbers ---- */

/* [SDM2] "RDRAND": CF says that there was one, and here always is. The host may have real ones;
 * where runs must repeat, they come from the state (splitmix64). */
static void random_number(struct x86_cpu *cpu, const struct insn *in)
{
    uint64_t v = 0;
    if (!cpu->host_ops->random || !cpu->host_ops->random(cpu->host, &v)) {
        v = cpu->s.random += 0x9e3779b97f4a7c15ull;
        v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ull;
        v = (v ^ v >> 27) * 0x94d049bb133111ebull;
        v ^= v >> 31;
    }
    reg_w(cpu, in->m, v, in->opsize);
    lf_set(cpu, FL_CF);
}

OP(rdrand)
{
    random_number(cpu, in);
}

OP(rdseed)
{
    random_number(cpu, in);
}
