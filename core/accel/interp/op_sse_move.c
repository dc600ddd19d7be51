/*
 * Moves between vector registers, memory and general registers; shuffles of single and double
 * lanes; MMX moves and EMMS. Source: [SDM2], the entry of each instruction.
 */
#include "core/accel/interp/vec.h"

/* ---- whole registers ---- */

VEC_INLINE void load_vector(struct x86_cpu *cpu, const struct insn *in, bool aligned)
{
    union vec r;
    vec_begin(cpu, in);
    if (in->mem) {
        vec_load_full(cpu, vec_lin_r(cpu, in, in->opsize, aligned), &r, in->opsize);
    } else {
        r = *vec_reg(cpu, in->rm);
    }
    vec_put(cpu, in, &r);
}

VEC_INLINE void store_vector(struct x86_cpu *cpu, const struct insn *in, bool aligned)
{
    vec_begin(cpu, in);
    if (in->mem) {
        vec_store_full(cpu, vec_lin_w(cpu, in, in->opsize, aligned), vec_g(cpu, in), in->opsize);
    } else {
        union vec r = *vec_g(cpu, in);
        vec_set_full(cpu, in, in->rm, &r);
    }
}

OP(load_u)
{
    load_vector(cpu, in, false);
}

OP(load_a)
{
    load_vector(cpu, in, true);
}

OP(store_u)
{
    store_vector(cpu, in, false);
}

OP(store_a)
{
    store_vector(cpu, in, true);
}

/* ---- scalars ---- */

/* Zeros above what memory gives. */
static inline void load_scalar(struct x86_cpu *cpu, const struct insn *in, unsigned bytes)
{
    union vec tmp;
    vec_begin(cpu, in);
    const union vec *b = vec_e_n(cpu, in, &tmp, bytes);
    union vec r = {.q = {bytes == 4 ? b->d[0] : b->q[0]}};
    vec_put16(cpu, in, &r);
}

OP(load_d)
{
    load_scalar(cpu, in, 4);
}

OP(load_q)
{
    load_scalar(cpu, in, 8);
}

static inline void store_scalar(struct x86_cpu *cpu, const struct insn *in, const void *from,
                                unsigned bytes)
{
    vec_begin(cpu, in);
    vec_store(cpu, vec_lin_w(cpu, in, bytes, false), from, bytes);
}

OP(store_d)
{
    store_scalar(cpu, in, vec_g(cpu, in), 4);
}

OP(store_q)
{
    if (in->mem) {
        store_scalar(cpu, in, vec_g(cpu, in), 8);
        return;
    }
    vec_begin(cpu, in);
    union vec r = {.q = {vec_g(cpu, in)->q[0]}};
    vec_set(cpu, in, in->rm, &r, 16);
}

OP(store_high_q)
{
    store_scalar(cpu, in, &vec_g(cpu, in)->q[1], 8);
}

/* Register forms of MOVSS and MOVSD keep the upper part of the first source. */
static inline void merge_low(struct x86_cpu *cpu, const struct insn *in, unsigned dst,
                             unsigned upper, unsigned from, unsigned bytes)
{
    vec_begin(cpu, in);
    union vec r = *vec_reg(cpu, upper);
    memcpy(&r, vec_reg(cpu, from), bytes);
    vec_set(cpu, in, dst, &r, 16);
}

OP(movss_load_r)
{
    merge_low(cpu, in, in->reg, in->vvvv, in->rm, 4);
}

OP(movsd_load_r)
{
    merge_low(cpu, in, in->reg, in->vvvv, in->rm, 8);
}

OP(movss_store_r)
{
    merge_low(cpu, in, in->rm, in->vex ? in->vvvv : in->rm, in->reg, 4);
}

OP(movsd_store_r)
{
    merge_low(cpu, in, in->rm, in->vex ? in->vvvv : in->rm, in->reg, 8);
}

/* One half from elsewhere, the other of the first source. */
#define HALVES(name, low, high)                                                                    \
    OP(name)                                                                                       \
    {                                                                                              \
        union vec tmp;                                                                             \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e_n(cpu, in, &tmp, 8), *a = vec_h(cpu, in);                       \
        union vec r = {.q = {low, high}};                                                          \
        vec_put16(cpu, in, &r);                                                                    \
    }
HALVES(movlps, b->q[0], a->q[1])
HALVES(movhps, a->q[0], b->q[0])
HALVES(movhlps, b->q[1], a->q[1])

OP(movd_load)
{
    vec_begin(cpu, in);
    union vec r = {.q = {e_read(cpu, in, in->w ? 8 : 4)}};
    vec_put16(cpu, in, &r);
}

OP(movd_store)
{
    vec_begin(cpu, in);
    uint64_t v = vec_g(cpu, in)->q[0];
    e_write(cpu, in, in->opsize == 8 ? v : (uint32_t)v, in->opsize);
}

OP(movnti)
{
    mem_write(cpu, in->seg, insn_ea(cpu, in), g_read(cpu, in, in->opsize), in->opsize);
}

/* ---- shuffles of lanes ---- */

VEC_OP(movsldup, EACH(d, b->d[i & ~1u]))
VEC_OP(movshdup, EACH(d, b->d[i | 1]))
VEC_OP(shufps, EACH(d, ((i & 2) ? b : a)->d[(i & ~3u) + (imm >> (2 * (i & 3)) & 3)]))
VEC_OP(shufpd, EACH(q, ((i & 1) ? b : a)->q[(i & ~1u) + (imm >> i & 1)]))

OP(movddup)
{
    union vec tmp, r;
    vec_begin(cpu, in);
    const union vec *b = vec_e_n(cpu, in, &tmp, in->opsize == 32 ? 32 : 8);
    for (unsigned i = 0; i < 4; i++) {
        r.q[i] = b->q[i & ~1u];
    }
    vec_put(cpu, in, &r);
}

/* ---- stores by a mask ---- */

/* Bytes whose mask byte is negative go to seg:rDI. [SDM2] "MASKMOVDQU" leaves open whether others
 * fault; on Intel's processors the store is one of all bytes, of 16 as two of 8, the upper first.
 */
static void store_masked(struct x86_cpu *cpu, const struct insn *in, const uint8_t *v,
                         const uint8_t *mask, unsigned n)
{
    uint64_t lin[2];
    for (unsigned half = n / 8; half-- > 0;) {
        uint64_t ea = insn_ea_plus(in, cpu->s.gpr[R_DI], 8 * half);
        lin[half] = x86_seg_check(cpu, in->seg, ea, 8, true);
        x86_align_check(cpu, in->seg, ea, 8);
        x86_lin_probe_write(cpu, lin[half], 8, cpu->cpl == 3);
    }
    for (unsigned i = 0; i < n; i++) {
        if (mask[i] & 0x80) {
            x86_stl8(cpu, (lin[i / 8] + i % 8) & cpu->lin_mask, v[i]);
        }
    }
}

OP(maskmovdqu)
{
    vec_begin(cpu, in);
    store_masked(cpu, in, vec_g(cpu, in)->b, vec_reg(cpu, in->rm)->b, 16);
}

OP(mmx_maskmovq)
{
    uint8_t v[8], mask[8];
    mmx_begin(cpu);
    st64le(v, cpu->s.fpr[in->reg & 7].mant);
    st64le(mask, cpu->s.fpr[in->rm & 7].mant);
    mmx_enter(cpu);
    store_masked(cpu, in, v, mask, 8);
}

/* ---- MMX ---- */

OP(mmx_load)
{
    union vec tmp;
    mmx_begin(cpu);
    mmx_set(cpu, in->reg, mmx_e_n(cpu, in, &tmp, 8)->q[0]);
}

OP(mmx_store)
{
    mmx_begin(cpu);
    uint64_t v = cpu->s.fpr[in->reg & 7].mant;
    mmx_top(cpu);
    if (in->mem) {
        x86_st64(cpu, in->seg, insn_ea(cpu, in), v);
        mmx_enter(cpu);
    } else {
        mmx_set(cpu, in->rm, v);
    }
}

OP(mmx_movd_load)
{
    mmx_begin(cpu);
    mmx_set(cpu, in->reg, e_read(cpu, in, in->w ? 8 : 4));
}

OP(mmx_movd_store)
{
    mmx_begin(cpu);
    uint64_t v = cpu->s.fpr[in->reg & 7].mant;
    mmx_top(cpu);
    e_write(cpu, in, in->opsize == 8 ? v : (uint32_t)v, in->opsize);
    mmx_enter(cpu);
}

/* The tag word becomes empty; the registers keep their contents. */
OP(emms)
{
    mmx_begin(cpu);
    mmx_enter(cpu);
    cpu->s.ftag = 0;
}

/* Between the two register files: both must be usable. */
OP(movq2dq)
{
    vec_begin(cpu, in);
    mmx_begin(cpu);
    union vec r = {.q = {cpu->s.fpr[in->rm & 7].mant}};
    mmx_enter(cpu);
    vec_put16(cpu, in, &r);
}

OP(movdq2q)
{
    vec_begin(cpu, in);
    mmx_begin(cpu);
    mmx_set(cpu, in->reg, vec_reg(cpu, in->rm)->q[0]);
}
