/*
 * What the x87 operations share: the register stack, exceptions, memory operands.
 *
 * Source: [SDM1] "Programming with the x87 FPU", "x87 FPU Exception Handling", "Handling x87 FPU
 *         Exceptions in Software" (MS-DOS compatibility: FERR#).
 * Model:  with CR0.NE an unmasked exception waits for the next waiting instruction and is #MF
 *         there; without, FERR# follows FSW.ES and execution goes on.
 */
#ifndef CORE_ACCEL_INTERP_X87_H
#define CORE_ACCEL_INTERP_X87_H

#include "core/accel/interp/interp.h"
#include "core/cpu/fpu.h"

/* ---- the stack ---- */

static inline unsigned x87_top(const struct x86_cpu *cpu)
{
    return (cpu->s.fsw & FSW_TOP) >> FSW_TOP_SHIFT;
}

static inline unsigned x87_phys(const struct x86_cpu *cpu, unsigned i)
{
    return (x87_top(cpu) + i) & 7;
}

static inline bool x87_empty(const struct x86_cpu *cpu, unsigned i)
{
    return !(cpu->s.ftag >> x87_phys(cpu, i) & 1);
}

static inline struct x86_fpr *x87_st(struct x86_cpu *cpu, unsigned i)
{
    return &cpu->s.fpr[x87_phys(cpu, i)];
}

static inline void x87_set_top(struct x86_cpu *cpu, unsigned t)
{
    cpu->s.fsw = (uint16_t)((cpu->s.fsw & ~FSW_TOP) | (t & 7) << FSW_TOP_SHIFT);
}

/* By parts: the host writes them so, and forwards no other read. */
static inline struct x86_fpr x87_get(struct x86_cpu *cpu, unsigned i)
{
    const struct x86_fpr *from = x87_st(cpu, i);
    return (struct x86_fpr){.mant = from->mant, .se = from->se};
}

static inline void x87_set(struct x86_cpu *cpu, unsigned i, const struct x86_fpr *v)
{
    struct x86_fpr *to = x87_st(cpu, i);
    to->mant = v->mant;
    to->se = v->se;
}

static inline void x87_put(struct x86_cpu *cpu, unsigned i, const struct x86_fpr *v)
{
    x87_set(cpu, i, v);
    cpu->s.ftag |= (uint8_t)(1 << x87_phys(cpu, i));
}

static inline void x87_free_reg(struct x86_cpu *cpu, unsigned i)
{
    cpu->s.ftag &= (uint8_t)~(1 << x87_phys(cpu, i));
}

static inline void x87_pop(struct x86_cpu *cpu)
{
    x87_free_reg(cpu, 0);
    x87_set_top(cpu, x87_top(cpu) + 1);
}

static inline void x87_push(struct x86_cpu *cpu, const struct x86_fpr *v)
{
    x87_set_top(cpu, x87_top(cpu) - 1);
    x87_put(cpu, 0, v);
}

/* ---- exceptions ---- */

static inline void x87_ferr(struct x86_cpu *cpu, bool level)
{
    if (!(cpu->s.cr0 & CR0_NE) && cpu->host_ops->ferr) {
        cpu->host_ops->ferr(cpu->host, level);
        if (level && cpu->stop_after_insn) {
            cpu->stop_after_insn(cpu);
        }
    }
}

/* FSW.ES and B, and FERR#, from the flags and their masks. */
static inline void x87_update_es(struct x86_cpu *cpu)
{
    bool was = cpu->s.fsw & FSW_ES;
    bool now = cpu->s.fsw & ~cpu->s.fcw & FSW_EXCEPTIONS;
    cpu->s.fsw = (uint16_t)((cpu->s.fsw & ~(FSW_ES | FSW_B)) | (now ? FSW_ES | FSW_B : 0));
    if (was != now) {
        x87_ferr(cpu, now);
    }
}

/* Adds what an operation reports: exceptions, and C1 always; other condition codes if in @cc. */
static inline void x87_report(struct x86_cpu *cpu, uint16_t sw, uint16_t cc)
{
    cc |= FSW_C1;
    cpu->s.fsw = (uint16_t)((cpu->s.fsw & ~cc) | (sw & (FSW_EXCEPTIONS | FSW_SF | cc)));
    if (sw & FSW_EXCEPTIONS) {
        x87_update_es(cpu);
    }
}

/* An unmasked exception that comes before the result: nothing is stored. */
static inline bool x87_blocked(const struct x86_cpu *cpu, uint16_t sw)
{
    return sw & ~cpu->s.fcw & (FSW_IE | FSW_DE | FSW_ZE);
}

/* Stack underflow. True if it is masked, and an indefinite value takes the place of the result. */
static inline bool x87_underflow(struct x86_cpu *cpu)
{
    x87_report(cpu, FSW_IE | FSW_SF, 0);
    return cpu->s.fcw & FSW_IE;
}

static inline bool x87_overflow(struct x86_cpu *cpu)
{
    x87_report(cpu, FSW_IE | FSW_SF | FSW_C1, 0);
    return cpu->s.fcw & FSW_IE;
}

static inline void x87_available(struct x86_cpu *cpu)
{
    if (cpu->s.cr0 & (CR0_EM | CR0_TS)) {
        x86_fault_noerr(cpu, X86_NM);
    }
}

static inline void x87_pending(struct x86_cpu *cpu)
{
    if ((cpu->s.fsw & FSW_ES) && (cpu->s.cr0 & CR0_NE)) {
        x86_fault_noerr(cpu, X86_MF);
    }
}

/* Before every instruction that waits. */
static inline void x87_begin(struct x86_cpu *cpu)
{
    x87_available(cpu);
    x87_pending(cpu);
}

/* [SDM1] "Last Instruction Opcode": the second byte and the low bits of the first. */
static inline uint16_t x87_fop(const struct insn *in)
{
    return (uint16_t)((in->opcode & 7) << 8 | in->vvvv);
}

/* Instruction and operand pointers, by what is no control instruction. */
static inline void x87_note(struct x86_cpu *cpu, const struct insn *in)
{
    cpu->s.fop = x87_fop(in);
    cpu->s.fip = x86_insn_rip(cpu);
    cpu->s.fcs = cpu->s.seg[S_CS].sel;
    if (in->mem) {
        cpu->s.fdp = insn_ea(cpu, in);
        cpu->s.fds = cpu->s.seg[in->seg].sel;
    }
}

/* ---- memory operands ---- */

static inline uint64_t x87_mem(struct x86_cpu *cpu, const struct insn *in, unsigned size)
{
    return mem_read(cpu, in->seg, insn_ea(cpu, in), size);
}

static inline void x87_mem80(struct x86_cpu *cpu, const struct insn *in, uint8_t buf[10])
{
    uint64_t lin = x86_lin_r(cpu, in->seg, insn_ea(cpu, in), 10);
    x86_align_check(cpu, in->seg, insn_ea(cpu, in), 8);
    x86_lin_read_bytes(cpu, lin, buf, 10, cpu->cpl == 3);
}

static inline void x87_store80(struct x86_cpu *cpu, const struct insn *in, const uint8_t buf[10])
{
    uint64_t lin = x86_lin_w(cpu, in->seg, insn_ea(cpu, in), 10);
    x86_align_check(cpu, in->seg, insn_ea(cpu, in), 8);
    x86_lin_write_bytes(cpu, lin, buf, 10, cpu->cpl == 3);
}

#endif
