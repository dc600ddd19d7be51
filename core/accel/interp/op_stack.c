/*
 * The stack and segment registers. Source: [SDM2] "PUSH", "POP", "PUSHA", "POPA", "PUSHF", "POPF",
 * "ENTER", "LEAVE", "MOV", "LDS/LES/LFS/LGS/LSS".
 */
#include "core/accel/interp/run.h"

#define STACK_FORMS(N)                                                                             \
    static inline void push##N(struct x86_cpu *cpu, uint##N##_t v)                                 \
    {                                                                                              \
        uint64_t sp = cpu->s.gpr[R_SP], mask = cpu->stack_mask, to = (sp - N / 8) & mask;          \
        x86_st##N(cpu, S_SS, to, v);                                                               \
        cpu->s.gpr[R_SP] = (sp & ~mask) | to;                                                      \
    }                                                                                              \
    RUN(run_push_r_##N)                                                                            \
    {                                                                                              \
        push##N(cpu, reg_r##N(cpu, in->r));                                                        \
        INTERP_NEXT(cpu, in);                                                                      \
    }                                                                                              \
    RUN(run_push_i_##N)                                                                            \
    {                                                                                              \
        push##N(cpu, (uint##N##_t)in->imm);                                                        \
        INTERP_NEXT(cpu, in);                                                                      \
    }                                                                                              \
    /* POP SP: the popped value stays. */                                                          \
    RUN(run_pop_r_##N)                                                                             \
    {                                                                                              \
        uint64_t sp = cpu->s.gpr[R_SP], mask = cpu->stack_mask;                                    \
        uint##N##_t v = x86_ld##N(cpu, S_SS, sp & mask);                                           \
        cpu->s.gpr[R_SP] = (sp & ~mask) | ((sp + N / 8) & mask);                                   \
        reg_w##N(cpu, in->r, v);                                                                   \
        INTERP_NEXT(cpu, in);                                                                      \
    }
FOR_WIDE(STACK_FORMS)

static uint64_t moved_sp(const struct x86_cpu *cpu, int64_t by)
{
    uint64_t sp = cpu->s.gpr[R_SP], mask = cpu->stack_mask;
    return (sp & ~mask) | ((sp + (uint64_t)by) & mask);
}

OP(push_e)
{
    x86_push(cpu, e_read(cpu, in, in->opsize), in->opsize);
}

/* An address that uses ESP sees it after the increment; a fault leaves it as it was. */
OP(pop_e)
{
    uint64_t old = cpu->s.gpr[R_SP];
    uint64_t v = mem_read(cpu, S_SS, old & cpu->stack_mask, in->opsize);
    uint64_t sp = moved_sp(cpu, in->opsize);
    if (!in->mem) {
        cpu->s.gpr[R_SP] = sp;
        reg_w(cpu, in->m, v, in->opsize);
        return;
    }
    cpu->s.gpr[R_SP] = sp;
    uint64_t ea = insn_ea(cpu, in);
    cpu->s.gpr[R_SP] = old;
    mem_write(cpu, in->seg, ea, v, in->opsize);
    cpu->s.gpr[R_SP] = sp;
}

/* Slots are reached by SP-size arithmetic one by one; SP moves when all are written. */
OP(pusha)
{
    unsigned size = in->opsize;
    uint64_t mask = cpu->stack_mask, sp = cpu->s.gpr[R_SP];
    for (unsigned i = 0; i < 8; i++) {
        mem_write(cpu, S_SS, (sp - (i + 1) * size) & mask, reg_r(cpu, GPR_OFF(i), size), size);
    }
    cpu->s.gpr[R_SP] = moved_sp(cpu, -(int64_t)(8 * size));
}

OP(popa)
{
    unsigned size = in->opsize;
    uint64_t mask = cpu->stack_mask, sp = cpu->s.gpr[R_SP], v[8];
    for (unsigned i = 0; i < 8; i++) {
        v[i] = mem_read(cpu, S_SS, (sp + i * size) & mask, size);
    }
    for (unsigned i = 0; i < 8; i++) {
        if (i != 7 - R_SP) {
            reg_w(cpu, GPR_OFF(7 - i), v[i], size);
        }
    }
    cpu->s.gpr[R_SP] = moved_sp(cpu, 8 * size);
}

/* ---- ENTER, LEAVE ---- */

OP(enter)
{
    unsigned size = in->opsize, level = in->imm2 & 31;
    uint64_t mask = cpu->stack_mask, sp = cpu->s.gpr[R_SP], bp = cpu->s.gpr[R_BP];
    uint64_t frame = (sp & ~mask) | ((sp - size) & mask), at = frame & mask;
    uint64_t low = (sp - size * (level + 1ull) - in->imm) & mask;
    mem_write(cpu, S_SS, at, reg_r(cpu, GPR_OFF(R_BP), size), size);
    for (unsigned i = 1; i < level; i++) {
        at = (at - size) & mask;
        bp -= size;
        mem_write(cpu, S_SS, at, mem_read(cpu, S_SS, bp & mask, size), size);
    }
    if (level > 0) {
        at = (at - size) & mask;
        mem_write(cpu, S_SS, at, frame, size);
    }
    /* [SDM2] "ENTER": a later push at the new top must not fault, which a dummy write finds out. */
    x86_lin_probe_write(cpu, x86_lin_w(cpu, S_SS, low, size), size, cpu->cpl == 3);
    mask |= size_mask(size);     /* BP has the wider of operand and stack */
    cpu->s.gpr[R_BP] = (cpu->s.gpr[R_BP] & ~mask) | (frame & mask);
    mask = cpu->stack_mask;
    cpu->s.gpr[R_SP] = (sp & ~mask) | low;
}

OP(leave)
{
    uint64_t mask = cpu->stack_mask, bp = cpu->s.gpr[R_BP];
    uint64_t v = mem_read(cpu, S_SS, bp & mask, in->opsize);
    cpu->s.gpr[R_SP] = (cpu->s.gpr[R_SP] & ~mask) | ((bp + in->opsize) & mask);
    reg_w(cpu, GPR_OFF(R_BP), v, in->opsize);
}

/* ---- PUSHF, POPF ---- */

/* In virtual-8086 mode with IOPL < 3, PUSHF and POPF of 16 bits work on VIF with CR4.VME; else they
 * fault ([SDM3] "Virtual-8086 Mode", "Virtual Interrupt"). True if VIF stands for IF. */
static bool virtual_if(struct x86_cpu *cpu, unsigned size)
{
    if (!cpu->vm || (cpu->s.rflags & FL_IOPL) == FL_IOPL) {
        return false;
    }
    if (size != 2 || !(cpu->s.cr4 & CR4_VME)) {
        x86_fault(cpu, X86_GP, 0);
    }
    return true;
}

OP(pushf)
{
    bool vif = virtual_if(cpu, in->opsize);
    uint64_t fl = x86_get_rflags(cpu) & ~(uint64_t)(FL_RF | FL_VM);
    if (vif) {
        fl = (fl & ~(uint64_t)FL_IF) | FL_IOPL | (fl & FL_VIF ? FL_IF : 0);
    }
    x86_push(cpu, fl, in->opsize);
}

OP_ENDS(popf)
{
    bool vif = virtual_if(cpu, in->opsize);
    uint64_t fl = mem_read(cpu, S_SS, cpu->s.gpr[R_SP] & cpu->stack_mask, in->opsize);
    uint64_t mask = FL_OSZAPC | FL_TF | FL_DF | FL_NT | FL_AC | FL_ID;
    if (vif) {
        if ((fl & FL_TF) || ((fl & FL_IF) && (cpu->s.rflags & FL_VIP))) {
            x86_fault(cpu, X86_GP, 0);
        }
        fl = fl & FL_IF ? fl | FL_VIF : fl & ~(uint64_t)FL_VIF;
        mask |= FL_VIF;
    } else if (cpu->cpl <= (cpu->s.rflags & FL_IOPL) >> 12) {
        mask |= FL_IF;
    }
    if (cpu->cpl == 0) {
        mask |= FL_IOPL;
    }
    if (in->opsize == 2) {
        mask &= 0xffff | (vif ? FL_VIF : 0);
    }
    cpu->s.gpr[R_SP] = moved_sp(cpu, in->opsize);
    x86_set_rflags(cpu, fl, mask);
}

/* ---- segment registers ---- */

/* The upper half of a 32-bit slot is not written on current processors; it keeps its contents. One
 * of 64 bits is. */
OP(push_sreg)
{
    uint64_t sp = moved_sp(cpu, -(int64_t)in->opsize);
    mem_write(cpu, S_SS, sp & cpu->stack_mask, cpu->s.seg[in->reg].sel, in->opsize == 8 ? 8 : 2);
    cpu->s.gpr[R_SP] = sp;
}

static void pop_sreg(struct x86_cpu *cpu, const struct insn *in)
{
    uint16_t sel = x86_ld16(cpu, S_SS, cpu->s.gpr[R_SP] & cpu->stack_mask);
    uint64_t sp = moved_sp(cpu, in->opsize);
    x86_load_seg(cpu, in->reg, sel);
    cpu->s.gpr[R_SP] = sp;
}

OP(pop_sreg)
{
    pop_sreg(cpu, in);
}

/* The pop moves SP by the old stack's size; then the shadow ([SDM3] "Masking Exceptions and
 * Interrupts When Switching Stacks"). */
OP_ENDS(pop_ss)
{
    pop_sreg(cpu, in);
    cpu->s.shadow |= X86_SHADOW_MOVSS;
}

/* To a register of 32 bits: zero-extended; to memory: always 16 bits. */
OP(mov_e_sreg)
{
    e_write(cpu, in, cpu->s.seg[in->reg].sel, in->mem ? 2 : in->opsize);
}

OP(mov_sreg_e)
{
    x86_load_seg(cpu, in->reg, (uint16_t)e_read(cpu, in, 2));
}

OP_ENDS(mov_ss_e)
{
    x86_load_seg(cpu, S_SS, (uint16_t)e_read(cpu, in, 2));
    cpu->s.shadow |= X86_SHADOW_MOVSS;
}

static void load_far(struct x86_cpu *cpu, const struct insn *in, unsigned seg)
{
    uint64_t ea = insn_ea(cpu, in), off = mem_read(cpu, in->seg, ea, in->opsize);
    x86_load_seg(cpu, seg, x86_ld16(cpu, in->seg, insn_ea_plus(in, ea, in->opsize)));
    g_write(cpu, in, off, in->opsize);
}

OP(les)
{
    load_far(cpu, in, S_ES);
}

OP(lds)
{
    load_far(cpu, in, S_DS);
}

OP(lfs)
{
    load_far(cpu, in, S_FS);
}

OP(lgs)
{
    load_far(cpu, in, S_GS);
}

OP_ENDS(lss)
{
    load_far(cpu, in, S_SS);
}
