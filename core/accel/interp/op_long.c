/*
 * System instructions of long mode and of its time: fast system calls, SWAPGS, FS and GS bases,
 * STAC and CLAC, RDTSCP, RDPID, INVPCID.
 *
 * Source: [SDM2], the entry of each instruction.
 */
#include "core/accel/interp/engine.h"
#include "core/cpu/cpuid.h"
#include "core/cpu/mech.h"

/* A single step of SYSCALL ends with it, unless the flag mask took TF away. */
OP_ENDS(syscall)
{
    x86_syscall(cpu, cpu->s.rip);
    interp_of(cpu)->no_step_trap = !(cpu->s.rflags & FL_TF);
}

/* TF that SYSRET loads traps at once. */
OP_ENDS(sysret)
{
    x86_sysret(cpu, in->opsize);
    interp_of(cpu)->trap |= cpu->s.rflags & FL_TF ? (uint32_t)DR6_BS : 0;
}

OP_ENDS(sysenter)
{
    x86_sysenter(cpu);
}

OP_ENDS(sysexit)
{
    x86_sysexit(cpu, in->opsize);
}

/* ---- FS and GS ---- */

static void put_base(struct x86_cpu *cpu, unsigned seg, uint64_t base)
{
    cpu->s.seg[seg].base = base;
    x86_derive_seg(cpu, seg);
}

OP(swapgs)
{
    require_cpl0(cpu);
    uint64_t base = cpu->s.seg[S_GS].base;
    put_base(cpu, S_GS, cpu->s.kernel_gs_base);
    cpu->s.kernel_gs_base = base;
}

static void need_fsgsbase(struct x86_cpu *cpu)
{
    if (!(cpu->s.cr4 & CR4_FSGSBASE)) {
        x86_fault_noerr(cpu, X86_UD);
    }
}

static void read_base(struct x86_cpu *cpu, const struct insn *in, unsigned seg)
{
    need_fsgsbase(cpu);
    reg_w(cpu, in->m, cpu->s.seg[seg].base, in->opsize == 8 ? 8 : 4);
}

static void write_base(struct x86_cpu *cpu, const struct insn *in, unsigned seg)
{
    need_fsgsbase(cpu);
    uint64_t base = reg_r(cpu, in->m, in->opsize == 8 ? 8 : 4);
    if (!x86_canonical(base)) {
        x86_fault(cpu, X86_GP, 0);
    }
    put_base(cpu, seg, base);
}

OP(rdfsbase)
{
    read_base(cpu, in, S_FS);
}

OP(rdgsbase)
{
    read_base(cpu, in, S_GS);
}

OP(wrfsbase)
{
    write_base(cpu, in, S_FS);
}

OP(wrgsbase)
{
    write_base(cpu, in, S_GS);
}

/* ---- SMAP ---- */

static void set_ac(struct x86_cpu *cpu, bool on)
{
    if (cpu->cpl != 0) {
        x86_fault_noerr(cpu, X86_UD);
    }
    x86_set_rflags(cpu, on ? FL_AC : 0, FL_AC);
}

OP(stac)
{
    set_ac(cpu, true);
}

OP(clac)
{
    set_ac(cpu, false);
}

/* ---- time-stamp counter and processor number ---- */

OP(rdtscp)
{
    if ((cpu->s.cr4 & CR4_TSD) && cpu->cpl != 0) {
        x86_fault(cpu, X86_GP, 0);
    }
    uint64_t tsc = cpu->host_ops->tsc(cpu->host) + cpu->s.tsc_offset;
    cpu->s.gpr[R_AX] = (uint32_t)tsc;
    cpu->s.gpr[R_DX] = tsc >> 32;
    cpu->s.gpr[R_CX] = (uint32_t)cpu->s.tsc_aux;
}

OP(rdpid)
{
    reg_w(cpu, in->m, cpu->s.tsc_aux, in->opsize);
}

/* ---- INVPCID ---- */

enum { INVPCID_ADDRESS, INVPCID_CONTEXT, INVPCID_ALL, INVPCID_ALL_BUT_GLOBAL };

/* TLB entries have no PCID: what one context loses all lose. */
OP_ENDS(invpcid)
{
    uint64_t ea = insn_ea(cpu, in), type = reg_r(cpu, in->r, cpu->mode & MODE_CS64 ? 8 : 4);
    require_cpl0(cpu);
    uint64_t pcid = x86_ld64(cpu, in->seg, ea);
    uint64_t lin = x86_ld64(cpu, in->seg, insn_ea_plus(in, ea, 8));
    bool tagged = type <= INVPCID_CONTEXT;
    if (type > INVPCID_ALL_BUT_GLOBAL || (pcid >> 12) ||
        (tagged && pcid && !(cpu->s.cr4 & CR4_PCIDE)) ||
        (type == INVPCID_ADDRESS && !x86_canonical(lin))) {
        x86_fault(cpu, X86_GP, 0);
    }
    if (type == INVPCID_ADDRESS) {
        x86_tlb_flush_page(cpu, lin);
    } else if (type == INVPCID_ALL) {
        x86_tlb_flush(cpu);
    } else {
        x86_tlb_flush_nonglobal(cpu);
    }
}
