/*
 * The interpreter: how an operation is written.
 *
 * An operation is the plain work of one instruction and nothing else:
 *
 *     OP(cpuid)                                 // insn.def: run column OP(cpuid)
 *     {
 *         struct x86_cpuid out;
 *         x86_cpuid(cpu, (uint32_t)cpu->s.gpr[R_AX], (uint32_t)cpu->s.gpr[R_CX], &out);
 *         cpu->s.gpr[R_AX] = out.eax;
 *     }
 *
 * It sees `cpu` and `in`, may return early, and raises faults before it changes anything. What the
 * engine needs around it (go on with the next instruction, count, leave) is added by the macro:
 *   OP        the next instruction of the block follows
 *   OP_ENDS   (insn.def: ENDS(lmsw)) s.rip is the next instruction's address when the body starts,
 *             the body may change it, and afterwards the engine looks at everything anew (mode,
 *             interrupt flag and shadow, activity, code caches). Needed by whatever changes RIP,
 *             CS, the mode word, paging, IF upwards, the interrupt shadow or s.activity.
 * The row's operands are decoded into `in` (insn.h); the helpers below reach them. A row's run
 * column must name an operation that exists, of the right kind, and each operation needs a row: the
 * build fails otherwise.
 *
 * Device accesses go through cpu->host_ops (x86_io_*, x86_lin_*): time, interrupts and changes of
 * the memory map that follow from one are the host operations' business, not the operation's.
 */
#ifndef CORE_ACCEL_INTERP_INTERP_H
#define CORE_ACCEL_INTERP_INTERP_H

#include "core/accel/interp/forms.h"
#include "core/cpu/decode.h"
#include "core/cpu/flags.h"
#include "core/cpu/x86_cpu.h"

/* Operations follow each other by tail calls where the compiler makes them for certain; else a loop
 * calls them one by one. The order of effects is the same. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define INTERP_LOOP 1
#endif
#endif
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__)
#undef INTERP_LOOP
#define INTERP_LOOP 1
#endif
#ifndef INTERP_LOOP
#define INTERP_LOOP 0
#endif

/* Ends a run function: the next instruction of the block. */
#if INTERP_LOOP
#define INTERP_NEXT(cpu, in) ((cpu)->cur = (in) + 1)
#else
#define INTERP_NEXT(cpu, in)                                                                       \
    do {                                                                                           \
        (cpu)->cur = (in) + 1;                                                                     \
        return (in)[1].run(cpu, (in) + 1);                                                         \
    } while (0)
#endif

/* Ends the run function of a block's last instruction: s.rip says where to go on. interp_resume
 * looks at everything anew; interp_chain (engine.h) is enough after a near branch. */
void interp_resume(struct x86_cpu *cpu);

/* noinline: an inlined body whose locals have their address taken would forbid the tail call. */
#define OP(name)                                                                                   \
    static __attribute__((noinline)) void op_##name(struct x86_cpu *cpu, const struct insn *in);   \
    void run_##name(struct x86_cpu *cpu, const struct insn *in)                                    \
    {                                                                                              \
        op_##name(cpu, in);                                                                        \
        INTERP_NEXT(cpu, in);                                                                      \
    }                                                                                              \
    static void op_##name(struct x86_cpu *cpu, const struct insn *in)

#define OP_ENDS(name)                                                                              \
    void end_##name(struct x86_cpu *cpu, const struct insn *in)                                    \
    {                                                                                              \
        cpu->s.rip = x86_next_rip(cpu, in);                                                        \
        op_##name(cpu, in);                                                                        \
        return interp_resume(cpu);                                                                 \
    }                                                                                              \
    __attribute__((noinline)) void op_##name(struct x86_cpu *cpu, const struct insn *in)

/* ---- operands ---- */

/* Registers by their byte offset (in->r, in->m, in->base...). A 32-bit write clears bits 63:32. */
static inline uint8_t reg_r8(const struct x86_cpu *cpu, unsigned off)
{
    return ((const uint8_t *)cpu->s.gpr)[off];
}

static inline uint16_t reg_r16(const struct x86_cpu *cpu, unsigned off)
{
    return ld16le((const uint8_t *)cpu->s.gpr + off);
}

static inline uint32_t reg_r32(const struct x86_cpu *cpu, unsigned off)
{
    return ld32le((const uint8_t *)cpu->s.gpr + off);
}

static inline uint64_t reg_r64(const struct x86_cpu *cpu, unsigned off)
{
    return ld64le((const uint8_t *)cpu->s.gpr + off);
}

static inline void reg_w8(struct x86_cpu *cpu, unsigned off, uint8_t v)
{
    ((uint8_t *)cpu->s.gpr)[off] = v;
}

static inline void reg_w16(struct x86_cpu *cpu, unsigned off, uint16_t v)
{
    st16le((uint8_t *)cpu->s.gpr + off, v);
}

static inline void reg_w32(struct x86_cpu *cpu, unsigned off, uint32_t v)
{
    st64le((uint8_t *)cpu->s.gpr + off, v);
}

static inline void reg_w64(struct x86_cpu *cpu, unsigned off, uint64_t v)
{
    st64le((uint8_t *)cpu->s.gpr + off, v);
}

/* A register write of @size 1, 2, 4 or 8 bytes known at run time only. */
static inline void reg_w(struct x86_cpu *cpu, unsigned off, uint64_t v, unsigned size)
{
    switch (size) {
    case 1: reg_w8(cpu, off, (uint8_t)v); break;
    case 2: reg_w16(cpu, off, (uint16_t)v); break;
    case 4: reg_w32(cpu, off, (uint32_t)v); break;
    default: reg_w64(cpu, off, v); break;
    }
}

static inline uint64_t reg_r(const struct x86_cpu *cpu, unsigned off, unsigned size)
{
    return ld_le((const uint8_t *)cpu->s.gpr + off, size);
}

/* Offset @ea + @plus within the address size: the second part of m16:32, BOUND's pair and so on. */
static inline uint64_t insn_ea_plus(const struct insn *in, uint64_t ea, unsigned plus)
{
    return (ea + plus) & (~0ull >> in->ea_shift);
}

/* The memory operand, @size 1, 2, 4 or 8; checks segment and page, no side effect but A/D bits. */
static inline uint64_t mem_read(struct x86_cpu *cpu, unsigned seg, uint64_t off, unsigned size)
{
    switch (size) {
    case 1: return x86_ld8(cpu, seg, off);
    case 2: return x86_ld16(cpu, seg, off);
    case 4: return x86_ld32(cpu, seg, off);
    default: return x86_ld64(cpu, seg, off);
    }
}

static inline void mem_write(struct x86_cpu *cpu, unsigned seg, uint64_t off, uint64_t v,
                             unsigned size)
{
    switch (size) {
    case 1: x86_st8(cpu, seg, off, (uint8_t)v); break;
    case 2: x86_st16(cpu, seg, off, (uint16_t)v); break;
    case 4: x86_st32(cpu, seg, off, (uint32_t)v); break;
    default: x86_st64(cpu, seg, off, v); break;
    }
}

/* The E operand (register or memory) of @size bytes; the G operand. */
static inline uint64_t e_read(struct x86_cpu *cpu, const struct insn *in, unsigned size)
{
    return in->mem ? mem_read(cpu, in->seg, insn_ea(cpu, in), size) : reg_r(cpu, in->m, size);
}

static inline void e_write(struct x86_cpu *cpu, const struct insn *in, uint64_t v, unsigned size)
{
    if (in->mem) {
        mem_write(cpu, in->seg, insn_ea(cpu, in), v, size);
    } else {
        reg_w(cpu, in->m, v, size);
    }
}

static inline uint64_t g_read(const struct x86_cpu *cpu, const struct insn *in, unsigned size)
{
    return reg_r(cpu, in->r, size);
}

static inline void g_write(struct x86_cpu *cpu, const struct insn *in, uint64_t v, unsigned size)
{
    reg_w(cpu, in->r, v, size);
}

/* #GP(0) unless CPL is 0. */
static inline void require_cpl0(struct x86_cpu *cpu)
{
    if (cpu->cpl != 0) {
        x86_fault(cpu, X86_GP, 0);
    }
}

#endif
