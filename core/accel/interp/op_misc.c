/*
 * Ports, the interrupt flag, HLT, XLAT. Source: [SDM2] under each mnemonic; [SDM3] "Virtual-8086
 * Mode", "Protected-Mode Virtual Interrupts".
 */
#include "core/accel/interp/engine.h"
#include "core/accel/vcpu.h"
#include "core/accel/interp/run.h"

/* ---- ports ---- */

static void port_in(struct x86_cpu *cpu, const struct insn *in, unsigned port)
{
    x86_io_check(cpu, port, in->opsize);
    uint32_t val = x86_io_read(cpu, port, in->opsize);
    switch (in->opsize) { /* each as one store: what is read next waits for several */
    case 1: reg_w8(cpu, GPR_OFF(R_AX), (uint8_t)val); break;
    case 2: reg_w16(cpu, GPR_OFF(R_AX), (uint16_t)val); break;
    default: reg_w32(cpu, GPR_OFF(R_AX), val); break;
    }
}

static void port_out(struct x86_cpu *cpu, const struct insn *in, unsigned port)
{
    x86_io_check(cpu, port, in->opsize);
    x86_io_write(cpu, port, reg_r32(cpu, GPR_OFF(R_AX)), in->opsize);
}

OP(in_i)
{
    port_in(cpu, in, (unsigned)in->imm);
}

OP(in_dx)
{
    port_in(cpu, in, reg_r16(cpu, GPR_OFF(R_DX)));
}

OP(out_i)
{
    port_out(cpu, in, (unsigned)in->imm);
}

OP(out_dx)
{
    port_out(cpu, in, reg_r16(cpu, GPR_OFF(R_DX)));
}

/* ---- CLI, STI, HLT ---- */

/* Which flag CLI and STI work on: IF, VIF with VME or PVI, or none: #GP(0). */
static uint64_t interrupt_flag(struct x86_cpu *cpu)
{
    if (!cpu->pe || cpu->cpl <= (cpu->s.rflags & FL_IOPL) >> 12) {
        return FL_IF;
    }
    bool virtual = cpu->vm ? cpu->s.cr4 & CR4_VME : (cpu->s.cr4 & CR4_PVI) && cpu->cpl == 3;
    if (!virtual) {
        x86_fault(cpu, X86_GP, 0);
    }
    return FL_VIF;
}

OP(cli)
{
    uint64_t flag = interrupt_flag(cpu);
    cpu->s.rflags &= ~flag;
    if (flag == FL_IF) {
        cpu->pend_mask &= ~(uint32_t)PEND_INTR;
    }
}

/* Interrupts stay off for one more instruction if they were off. */
OP_ENDS(sti)
{
    uint64_t flag = interrupt_flag(cpu);
    if (flag == FL_VIF && (cpu->s.rflags & FL_VIP)) {
        x86_fault(cpu, X86_GP, 0);
    }
    if (flag == FL_IF && !(cpu->s.rflags & FL_IF)) {
        cpu->s.shadow |= X86_SHADOW_STI;
    }
    cpu->s.rflags |= flag;
}

/* [SDM2] "PAUSE": a spin-wait loop. Whoever it waits for may need the thread. */
OP(pause)
{
    const struct interp_host *host = &interp_of(cpu)->host;
    if (host->spins && host->spins(cpu->host, interp_icount(cpu), cpu->pend_mask)) {
        interp_after_device(cpu);
    }
}

OP_ENDS(hlt)
{
    require_cpl0(cpu);
    cpu->s.activity = ACT_HALTED;
}

/* ---- XLAT ---- */

OP(xlat)
{
    uint64_t ea = (cpu->s.gpr[R_BX] + reg_r8(cpu, GPR_OFF(R_AX))) & (~0ull >> in->ea_shift);
    reg_w8(cpu, GPR_OFF(R_AX), x86_ld8(cpu, in->seg, ea));
}
