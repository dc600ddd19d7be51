/*
 * Near and far transfers. Source: [SDM2] "Jcc", "JMP", "CALL", "RET", "LOOP/LOOPcc", "INT n",
 * "IRET".
 *
 * A near branch checks its target against the code segment's limit before it changes anything.
 */
#include "core/accel/idle.h"
#include "core/accel/interp/engine.h"
#include "core/accel/interp/run.h"
#include "core/cpu/mech.h"

/* Goes to offset @to, which is masked to the operand size; #GP(0) beyond the limit. */
static inline void near_check32(struct x86_cpu *cpu, uint64_t to)
{
    if (unlikely(to > interp_of(cpu)->cs_last)) {
        x86_fault(cpu, X86_GP, 0);
    }
}

#define near_check16 near_check32

/* The operand size of branches in 64-bit mode, and only there. */
static inline void near_check64(struct x86_cpu *cpu, uint64_t to)
{
    if (unlikely(!x86_canonical(to))) {
        x86_fault(cpu, X86_GP, 0);
    }
}

static inline uint64_t near_target(struct x86_cpu *cpu, const struct insn *in, uint64_t mask)
{
    return (x86_next_rip(cpu, in) + in->imm) & mask;
}

#define MASK16 0xffffull
#define MASK32 0xffffffffull
#define MASK64 ~0ull

#define JCC_FORM(cc, N)                                                                            \
    RUN(jump_##cc##_##N)                                                                           \
    {                                                                                              \
        uint64_t to = x86_next_rip(cpu, in);                                                       \
        if (CC_##cc(cpu)) {                                                                        \
            to = (to + in->imm) & MASK##N;                                                         \
            near_check##N(cpu, to);                                                                \
            return interp_branch(cpu, in, true, to);                                               \
        }                                                                                          \
        return interp_branch(cpu, in, false, to);                                                  \
    }
#define JCC_FORMS(cc) FOR_WIDE_1(JCC_FORM, cc)
FOR_CC(JCC_FORMS)

/* ---- the stack, for near transfers ---- */

#define STACK(N)                                                                                   \
    static inline void push##N(struct x86_cpu *cpu, uint##N##_t v)                                 \
    {                                                                                              \
        uint64_t sp = cpu->s.gpr[R_SP], mask = cpu->stack_mask, to = (sp - N / 8) & mask;          \
        x86_st##N(cpu, S_SS, to, v);                                                               \
        cpu->s.gpr[R_SP] = (sp & ~mask) | to;                                                      \
    }                                                                                              \
    static inline uint##N##_t peek##N(struct x86_cpu *cpu)                                         \
    {                                                                                              \
        return x86_ld##N(cpu, S_SS, cpu->s.gpr[R_SP] & cpu->stack_mask);                           \
    }                                                                                              \
    static inline void drop##N(struct x86_cpu *cpu, unsigned more)                                 \
    {                                                                                              \
        uint64_t sp = cpu->s.gpr[R_SP], mask = cpu->stack_mask;                                    \
        cpu->s.gpr[R_SP] = (sp & ~mask) | ((sp + N / 8 + more) & mask);                            \
    }
FOR_WIDE(STACK)

/* ---- JMP, CALL, RET ---- */

#define NEAR_FORMS(N)                                                                              \
    RUN(jump_jmp_j_##N)                                                                            \
    {                                                                                              \
        uint64_t to = near_target(cpu, in, MASK##N);                                               \
        near_check##N(cpu, to);                                                                    \
        return interp_branch(cpu, in, true, to);                                                   \
    }                                                                                              \
    RUN(jump_call_j_##N)                                                                           \
    {                                                                                              \
        uint64_t next = x86_next_rip(cpu, in), to = (next + in->imm) & MASK##N;                    \
        near_check##N(cpu, to);                                                                    \
        push##N(cpu, (uint##N##_t)next);                                                           \
        return interp_branch(cpu, in, true, to);                                                   \
    }                                                                                              \
    RUN(jump_jmp_e_##N)                                                                            \
    {                                                                                              \
        uint64_t to = e_read(cpu, in, N / 8);                                                      \
        near_check##N(cpu, to);                                                                    \
        return interp_indirect(cpu, in, to);                                                       \
    }                                                                                              \
    RUN(jump_call_e_##N)                                                                           \
    {                                                                                              \
        uint64_t to = e_read(cpu, in, N / 8);                                                      \
        near_check##N(cpu, to);                                                                    \
        push##N(cpu, (uint##N##_t)x86_next_rip(cpu, in));                                          \
        return interp_indirect(cpu, in, to);                                                       \
    }                                                                                              \
    RUN(jump_ret_##N)                                                                              \
    {                                                                                              \
        uint64_t to = peek##N(cpu);                                                                \
        near_check##N(cpu, to);                                                                    \
        drop##N(cpu, 0);                                                                           \
        return interp_indirect(cpu, in, to);                                                       \
    }                                                                                              \
    RUN(jump_ret_i_##N)                                                                            \
    {                                                                                              \
        uint64_t to = peek##N(cpu);                                                                \
        near_check##N(cpu, to);                                                                    \
        drop##N(cpu, (unsigned)in->imm);                                                           \
        return interp_indirect(cpu, in, to);                                                       \
    }
FOR_WIDE(NEAR_FORMS)

/* ---- LOOP, LOOPE, LOOPNE, JCXZ: CX, ECX or RCX by address size ---- */

#define LOOP_FORM(name, N, condition)                                                              \
    RUN(jump_##name##_##N)                                                                         \
    {                                                                                              \
        uint64_t to = x86_next_rip(cpu, in);                                                       \
        uint64_t count = (cpu->s.gpr[R_CX] - 1) & (~0ull >> in->ea_shift);                         \
        if (count != 0 && (condition)) {                                                           \
            to = (to + in->imm) & MASK##N;                                                         \
            near_check##N(cpu, to);                                                                \
        }                                                                                          \
        reg_w(cpu, GPR_OFF(R_CX), count, in->adsize);                                              \
        return interp_goto(cpu, to);                                                               \
    }
#define LOOP_FORMS(N)                                                                              \
    LOOP_FORM(loop, N, true)                                                                       \
    LOOP_FORM(loope, N, lf_zf(cpu))                                                                \
    LOOP_FORM(loopne, N, !lf_zf(cpu))                                                              \
    RUN(jump_jcxz_##N)                                                                             \
    {                                                                                              \
        uint64_t to = x86_next_rip(cpu, in);                                                       \
        if ((cpu->s.gpr[R_CX] & (~0ull >> in->ea_shift)) == 0) {                                   \
            to = (to + in->imm) & MASK##N;                                                         \
            near_check##N(cpu, to);                                                                \
        }                                                                                          \
        return interp_goto(cpu, to);                                                               \
    }
FOR_WIDE(LOOP_FORMS)

/* ---- far transfers ---- */

/* A far pointer in memory: offset, then selector. */
static uint16_t read_far(struct x86_cpu *cpu, const struct insn *in, uint64_t *off)
{
    uint64_t ea = insn_ea(cpu, in);
    *off = mem_read(cpu, in->seg, ea, in->opsize);
    return x86_ld16(cpu, in->seg, insn_ea_plus(in, ea, in->opsize));
}

OP_ENDS(jmpf_i)
{
    x86_far_jmp(cpu, in->imm2, in->imm, in->opsize);
}

OP_ENDS(jmpf_m)
{
    uint64_t off;
    uint16_t sel = read_far(cpu, in, &off);
    x86_far_jmp(cpu, sel, off, in->opsize);
}

OP_ENDS(callf_i)
{
    x86_far_call(cpu, in->imm2, in->imm, cpu->s.rip, in->opsize);
}

OP_ENDS(callf_m)
{
    uint64_t off;
    uint16_t sel = read_far(cpu, in, &off);
    x86_far_call(cpu, sel, off, cpu->s.rip, in->opsize);
}

OP_ENDS(retf)
{
    x86_far_ret(cpu, in->opsize, 0);
}

OP_ENDS(retf_i)
{
    x86_far_ret(cpu, in->opsize, (unsigned)in->imm);
}

OP_ENDS(iret)
{
    x86_iret(cpu, in->opsize);
    if (unlikely(cpu->parallel)) {
        atomic_thread_fence(memory_order_seq_cst); /* [SDM3] "Serializing Instructions" */
    }
}

/* ---- software interrupts ----
 * The handler starts with TF clear, so no single-step trap comes before it. */

static void software_interrupt(struct x86_cpu *cpu, unsigned vector, enum x86_int_kind kind)
{
    x86_interrupt(cpu, vector, kind, false, 0);
    interp_of(cpu)->no_step_trap = true;
}

OP_ENDS(int)
{
    const struct interp_host *host = &interp_of(cpu)->host;
    if ((!cpu->pe || cpu->vm) && host->polls &&
        idle_is_poll((unsigned)in->imm, (uint16_t)cpu->s.gpr[R_AX])) {
        host->polls(cpu->host, interp_icount(cpu));
    }
    software_interrupt(cpu, (unsigned)in->imm, INT_SOFTWARE);
}

OP_ENDS(int3)
{
    software_interrupt(cpu, X86_BP, INT_SOFT_EXC);
}

OP_ENDS(into)
{
    if (lf_of(cpu)) {
        software_interrupt(cpu, X86_OF, INT_SOFT_EXC);
    }
}

/* What a MOV SS before it hit comes with this one exception ([SDM3] "Masking Exceptions and
 * Interrupts When Switching Stacks"). */
OP_ENDS(icebp)
{
    if (unlikely(cpu->watch_hits)) {
        x86_debug_status(cpu, cpu->watch_hits);
        cpu->watch_hits = 0;
    }
    software_interrupt(cpu, X86_DB, INT_ICEBP);
}

/* ---- exceptions on purpose ---- */

void run_too_long(struct x86_cpu *cpu, const struct insn *in)
{
    x86_fault(cpu, X86_GP, 0);
}

/* [SDM2] "BOUND": signed, limits included. The upper one is not read if the lower one decides, as
 * on Intel's processors. */
OP(bound)
{
    uint64_t ea = insn_ea(cpu, in), high_ea = insn_ea_plus(in, ea, in->opsize);
    unsigned shift = 64 - 8 * in->opsize;
    int64_t index = (int64_t)(g_read(cpu, in, in->opsize) << shift) >> shift;
    int64_t low = (int64_t)(mem_read(cpu, in->seg, ea, in->opsize) << shift) >> shift;
    if (index < low ||
        index > (int64_t)(mem_read(cpu, in->seg, high_ea, in->opsize) << shift) >> shift) {
        x86_fault_noerr(cpu, X86_BR);
    }
}
