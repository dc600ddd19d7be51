/*
 * What the vector operations share: when they may run, operands, arithmetic under the guest's
 * MXCSR.
 *
 * An operation of two sources computes r from a (the result's own register, or VEX.vvvv) and b (a
 * register or memory). It fetches its operands first, so that a fault changes nothing.
 *
 * Source: [SDM1] "Programming with Intel MMX Technology", "Programming with SSE", "SIMD
 *         Floating-Point Exceptions"; [SDM2] 2.4 "AVX and SSE Instruction Exception
 *         Classification"; [SDM3] "System Programming for Streaming SIMD Instruction Sets".
 * Model:  IEEE arithmetic runs on the host's SSE unit with the guest's rounding, DAZ and FTZ and
 *         all exceptions masked; what the host's flags show then is judged by the guest's masks.
 *         That gives every flag and NaN as hardware does, and is the same on every host.
 */
#ifndef CORE_ACCEL_INTERP_VEC_H
#define CORE_ACCEL_INTERP_VEC_H

#include "core/accel/interp/x87.h"

union vec {
    uint8_t b[32];
    int8_t sb[32];
    uint16_t w[16];
    int16_t sw[16];
    uint32_t d[8];
    int32_t sd[8];
    uint64_t q[4];
    int64_t sq[4];
};

enum {
    MXCSR_IE = 0x1, MXCSR_DE = 0x2, MXCSR_ZE = 0x4, MXCSR_OE = 0x8, MXCSR_UE = 0x10,
    MXCSR_PE = 0x20, MXCSR_FLAGS = 0x3f, MXCSR_DAZ = 0x40, MXCSR_MASKS = 0x1f80,
    MXCSR_MASK_SHIFT = 7, MXCSR_UM = 0x800, MXCSR_RC = 0x6000, MXCSR_RC_SHIFT = 13,
    MXCSR_FTZ = 0x8000, MXCSR_ALL = 0xffff, MXCSR_INIT = 0x1f80,
};
enum { XCR0_X87 = 1, XCR0_SSE = 2, XCR0_AVX = 4 };

/* ---- when they may run ---- */

/* Vector instructions are short: what is inlined into them must be, and lengths be constants
 * there. */
#define VEC_INLINE static inline __attribute__((always_inline))

static __attribute__((noinline, unused)) void vec_check(struct x86_cpu *cpu, const struct insn *in)
{
    bool ready = in->vex ? (cpu->s.cr4 & CR4_OSXSAVE) &&
                               (cpu->s.xcr0 & (XCR0_SSE | XCR0_AVX)) == (XCR0_SSE | XCR0_AVX)
                         : (cpu->s.cr4 & CR4_OSFXSR) && !(cpu->s.cr0 & CR0_EM);
    if (!ready) {
        x86_fault_noerr(cpu, X86_UD);
    }
    if (cpu->s.cr0 & CR0_TS) {
        x86_fault_noerr(cpu, X86_NM);
    }
}

VEC_INLINE void vec_begin(struct x86_cpu *cpu, const struct insn *in)
{
    if (unlikely(in->vex || !(cpu->s.cr4 & CR4_OSFXSR) || (cpu->s.cr0 & (CR0_EM | CR0_TS)))) {
        vec_check(cpu, in);
    }
}

static inline void mmx_begin(struct x86_cpu *cpu)
{
    if (cpu->s.cr0 & CR0_EM) {
        x86_fault_noerr(cpu, X86_UD);
    }
    x87_begin(cpu);
}

/* Any MMX instruction but EMMS: TOP is 0, every register is valid. Stores that fault have done the
 * first already, as on Intel's processors. */
static inline void mmx_top(struct x86_cpu *cpu)
{
    cpu->s.fsw &= (uint16_t)~FSW_TOP;
}

static inline void mmx_enter(struct x86_cpu *cpu)
{
    mmx_top(cpu);
    cpu->s.ftag = 0xff;
}

/* ---- memory ---- */

VEC_INLINE void vec_load(struct x86_cpu *cpu, uint64_t lin, void *to, unsigned n)
{
    const struct tlb_entry *e = x86_tlb_slot(cpu, lin);
    if (likely(e->rtag == (lin & ~PAGE_OFFSET) && (lin & PAGE_OFFSET) + n <= PAGE_BYTES)) {
        memcpy(to, (const void *)(uintptr_t)(lin + e->addend), n);
    } else {
        x86_lin_read_bytes(cpu, lin, to, n, cpu->cpl == 3);
    }
}

VEC_INLINE void vec_store(struct x86_cpu *cpu, uint64_t lin, const void *from, unsigned n)
{
    const struct tlb_entry *e = x86_tlb_slot(cpu, lin);
    if (likely(e->wtag == (lin & ~PAGE_OFFSET) && (lin & PAGE_OFFSET) + n <= PAGE_BYTES)) {
        uint8_t *p = (uint8_t *)(uintptr_t)(lin + e->addend);
        size_t ram = (size_t)(p - cpu->arena->base);
        memcpy(p, from, n);
        atomic_signal_fence(memory_order_seq_cst); /* the marks after the store: block.c */
        if (unlikely(cpu->arena->marks[ram >> RAM_LINE_SHIFT] |
                     cpu->arena->marks[(ram + n - 1) >> RAM_LINE_SHIFT])) {
            ram_touched(cpu->arena, ram, n);
        }
        return;
    }
    x86_lin_write_bytes(cpu, lin, from, n, cpu->cpl == 3);
}

/* #GP unless the operand is at a multiple of @n; this comes before the checks of the segment. */
static inline void vec_aligned(struct x86_cpu *cpu, const struct insn *in, uint64_t ea, unsigned n)
{
    bool based = !(cpu->mode & MODE_CS64) || in->seg == S_FS || in->seg == S_GS;
    if ((ea + (based ? cpu->s.seg[in->seg].base : 0)) & (n - 1)) {
        x86_fault(cpu, X86_GP, 0);
    }
}

/* @n is 16 or 32, which is seldom. */
VEC_INLINE void vec_load_full(struct x86_cpu *cpu, uint64_t lin, void *to, unsigned n)
{
    if (likely(n == 16)) {
        vec_load(cpu, lin, to, 16);
    } else {
        vec_load(cpu, lin, to, 32);
    }
}

VEC_INLINE void vec_store_full(struct x86_cpu *cpu, uint64_t lin, const void *from, unsigned n)
{
    if (likely(n == 16)) {
        vec_store(cpu, lin, from, 16);
    } else {
        vec_store(cpu, lin, from, 32);
    }
}

/* Linear addresses of the memory operand of @n bytes; with @aligned it must be at a multiple of
 * them. */
static inline uint64_t vec_lin_r(struct x86_cpu *cpu, const struct insn *in, unsigned n,
                                 bool aligned)
{
    uint64_t ea = insn_ea(cpu, in);
    if (aligned) {
        vec_aligned(cpu, in, ea, n);
    }
    return x86_lin_r(cpu, in->seg, ea, n);
}

static inline uint64_t vec_lin_w(struct x86_cpu *cpu, const struct insn *in, unsigned n,
                                 bool aligned)
{
    uint64_t ea = insn_ea(cpu, in);
    if (aligned) {
        vec_aligned(cpu, in, ea, n);
    }
    return x86_lin_w(cpu, in->seg, ea, n);
}

/* The same where alignment is not even checked for #AC ([SDM2] "Exception Classification": types 11
 * and 12, masked moves). */
static inline uint64_t vec_lin_any(struct x86_cpu *cpu, const struct insn *in, uint64_t ea,
                                   unsigned n, bool write)
{
    if (unlikely(cpu->align_check)) {
        return x86_seg_check(cpu, in->seg, ea, n, write);
    }
    return write ? x86_lin_w(cpu, in->seg, ea, n) : x86_lin_r(cpu, in->seg, ea, n);
}

/* ---- operands ---- */

static inline union vec *vec_reg(struct x86_cpu *cpu, unsigned n)
{
    return (union vec *)(void *)cpu->s.ymm[n & 15];
}

static inline union vec *vec_g(struct x86_cpu *cpu, const struct insn *in)
{
    return vec_reg(cpu, in->reg);
}

/* The first source: VEX.vvvv, or without VEX the result's register. */
static inline const union vec *vec_h(struct x86_cpu *cpu, const struct insn *in)
{
    return vec_reg(cpu, in->vvvv);
}

/* The E operand, of which memory has @n bytes at any address. */
VEC_INLINE const union vec *vec_e_n(struct x86_cpu *cpu, const struct insn *in, union vec *tmp,
                                       unsigned n)
{
    if (!in->mem) {
        return vec_reg(cpu, in->rm);
    }
    memset(tmp, 0, sizeof(*tmp));
    vec_load(cpu, vec_lin_r(cpu, in, n, false), tmp, n);
    return tmp;
}

/* The E operand of full length: memory must be aligned unless there is a VEX prefix. */
VEC_INLINE const union vec *vec_e(struct x86_cpu *cpu, const struct insn *in, union vec *tmp)
{
    if (!in->mem) {
        return vec_reg(cpu, in->rm);
    }
    vec_load_full(cpu, vec_lin_r(cpu, in, in->opsize, !in->vex), tmp, in->opsize);
    return tmp;
}

/* Writes the low @n bytes of register @dst; VEX clears what is above them, else it stays. */
VEC_INLINE void vec_set(struct x86_cpu *cpu, const struct insn *in, unsigned dst,
                           const union vec *r, unsigned n)
{
    uint8_t *to = cpu->s.ymm[dst & 15];
    memcpy(to, r, n);
    if (in->vex) {
        memset(to + n, 0, 32 - n);
    }
}

VEC_INLINE void vec_set_full(struct x86_cpu *cpu, const struct insn *in, unsigned dst,
                             const union vec *r)
{
    if (likely(in->opsize == 16)) {
        vec_set(cpu, in, dst, r, 16);
    } else {
        memcpy(cpu->s.ymm[dst & 15], r, 32);
    }
}

VEC_INLINE void vec_put(struct x86_cpu *cpu, const struct insn *in, const union vec *r)
{
    vec_set_full(cpu, in, in->reg, r);
}

/* Results of 128 bits whatever VEX.L is. */
static inline void vec_put16(struct x86_cpu *cpu, const struct insn *in, const union vec *r)
{
    vec_set(cpu, in, in->reg, r, 16);
}

static inline const union vec *mmx_e_n(struct x86_cpu *cpu, const struct insn *in, union vec *tmp,
                                       unsigned n)
{
    tmp->q[0] = in->mem ? mem_read(cpu, in->seg, insn_ea(cpu, in), n) : cpu->s.fpr[in->rm & 7].mant;
    return tmp;
}

/* MMX results also set the exponent to ones. Nothing may fault any more. */
static inline void mmx_set(struct x86_cpu *cpu, unsigned n, uint64_t v)
{
    mmx_enter(cpu);
    cpu->s.fpr[n & 7] = (struct x86_fpr){.mant = v, .se = 0xffff};
}

/* ---- families ---- */

/* In a body: r[i] = expression, for each lane of type @t of n bytes. */
#define EACH(t, ...)                                                                               \
    for (unsigned i = 0; i < n / sizeof(r->t[0]); i++) {                                           \
        r->t[i] = (__typeof__(r->t[0]))(__VA_ARGS__);                                              \
    }
/* In a body: for each 128-bit half (in MMX the only one), whose first lane of 1 << shift bytes is
 * number o; k lanes are in it. */
#define EACH_HALF(shift, ...)                                                                      \
    for (unsigned o = 0, k = (n < 16 ? n : 16) >> (shift); o < n >> (shift); o += k) {             \
        __VA_ARGS__                                                                                \
    }

#define VEC_LANES(name, ...)                                                                       \
    VEC_INLINE void lanes_##name(union vec *r, const union vec *a, const union vec *b, unsigned n, \
                                 uint8_t imm)                                                      \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* XMM and YMM registers: r from a and b. */
#define VEC_OP(name, ...)                                                                          \
    VEC_LANES(name, __VA_ARGS__)                                                                   \
    VEC_RUN(name, name)
#define VEC_RUN(op, name)                                                                          \
    OP(op)                                                                                         \
    {                                                                                              \
        union vec r, tmp;                                                                          \
        vec_begin(cpu, in);                                                                        \
        const union vec *b = vec_e(cpu, in, &tmp);                                                 \
        if (likely(in->opsize == 16)) {                                                            \
            lanes_##name(&r, vec_h(cpu, in), b, 16, (uint8_t)in->imm);                             \
        } else {                                                                                   \
            lanes_##name(&r, vec_h(cpu, in), b, 32, (uint8_t)in->imm);                             \
        }                                                                                          \
        vec_put(cpu, in, &r);                                                                      \
    }

/* The same operation on MMX registers: mmx_NAME. @bytes of memory are read. */
#define MMX_RUN(name, bytes)                                                                       \
    OP(mmx_##name)                                                                                 \
    {                                                                                              \
        union vec r, tmp, a;                                                                       \
        mmx_begin(cpu);                                                                            \
        const union vec *b = mmx_e_n(cpu, in, &tmp, bytes);                                        \
        a.q[0] = cpu->s.fpr[in->reg & 7].mant;                                                     \
        lanes_##name(&r, &a, b, 8, (uint8_t)in->imm);                                              \
        mmx_set(cpu, in->reg, r.q[0]);                                                             \
    }
#define INT_OP(name, ...)                                                                          \
    VEC_OP(name, __VA_ARGS__)                                                                      \
    MMX_RUN(name, 8)

/* ---- floating point ---- */

static inline uint32_t host_mxcsr(void)
{
    uint32_t v;
    __asm__ volatile("stmxcsr %0" : "=m"(v));
    return v;
}

static inline void host_set_mxcsr(uint32_t v)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(v));
}

/* Flags that an operation raised: kept, and #XM if one is not masked ([SDM1] "SIMD Floating-Point
 * Exception Conditions": those found before the result come first). */
void fp_report(struct x86_cpu *cpu, uint32_t flags);

/* How far a computation is; see FP_RUN. */
struct fp_run {
    uint32_t mxcsr, flags;
    bool plain, again;
};

/* The common case is MXCSR with nothing but flags changed: then the host's register differs from
 * the guest's at most in flags, and need not be written if it has none that the guest's has not. */
static inline struct fp_run fp_start(struct x86_cpu *cpu)
{
    struct fp_run f = {.mxcsr = cpu->s.mxcsr};
    f.plain = (f.mxcsr & ~(uint32_t)MXCSR_FLAGS) == MXCSR_INIT;
    if (likely(f.plain)) {
        if (host_mxcsr() & MXCSR_FLAGS & ~f.mxcsr) {
            host_set_mxcsr(f.mxcsr);
        }
        return f;
    }
    uint32_t ftz = f.mxcsr & MXCSR_UM ? MXCSR_FTZ : 0; /* has no effect while UM is 0 */
    host_set_mxcsr((f.mxcsr & (MXCSR_RC | MXCSR_DAZ | ftz)) | MXCSR_MASKS);
    return f;
}

/* True if the computation is to run once more. Unmasked, underflow counts for exact results too:
 * a second run that flushes to zero shows it. */
static inline bool fp_again(struct x86_cpu *cpu, struct fp_run *f)
{
    uint32_t got = host_mxcsr();
    if (likely(f->plain)) {
        f->flags = got & MXCSR_FLAGS;
        return false;
    }
    if (!f->again && !(f->mxcsr & MXCSR_UM)) {
        f->again = true;
        f->flags = got & MXCSR_FLAGS;
        host_set_mxcsr((got & ~(uint32_t)MXCSR_FLAGS) | MXCSR_FTZ);
        return true;
    }
    f->flags |= got & (f->again ? MXCSR_UE : MXCSR_FLAGS);
    host_set_mxcsr(MXCSR_INIT);
    return false;
}

static inline void fp_finish(struct x86_cpu *cpu, const struct fp_run *f)
{
    if (likely(f->plain)) {
        cpu->s.mxcsr |= f->flags;
    } else if (f->flags) {
        fp_report(cpu, f->flags);
    }
}

/* Runs host instructions on the guest's behalf; does not return on an unmasked exception. They
 * must be volatile asm, which alone keeps its place between the accesses to MXCSR. */
#define FP_RUN(cpu, ...)                                                                           \
    do {                                                                                           \
        struct fp_run fp_run = fp_start(cpu);                                                      \
        do {                                                                                       \
            __VA_ARGS__                                                                            \
        } while (fp_again(cpu, &fp_run));                                                          \
        fp_finish(cpu, &fp_run);                                                                   \
    } while (0)

struct vec16 {
    uint64_t q[2];
};

/* host_INSN(r, a, b): 128 bits of a = INSN(a, b). */
#define HOST_OP(name, text)                                                                        \
    static inline void host_##name(void *r, const void *a, const void *b)                          \
    {                                                                                              \
        __asm__ volatile("movups %1, %%xmm0\n\t"                                                   \
                         "movups %2, %%xmm1\n\t" text "\n\t"                                       \
                         "movups %%xmm0, %0"                                                       \
                         : "=m"(*(struct vec16 *)r)                                                \
                         : "m"(*(const struct vec16 *)a), "m"(*(const struct vec16 *)b)            \
                         : "xmm0", "xmm1");                                                        \
    }
#define HOST_INSN(name) HOST_OP(name, #name " %%xmm1, %%xmm0")

#endif
