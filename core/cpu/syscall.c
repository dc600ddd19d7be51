/*
 * Fast system calls: SYSCALL, SYSRET, SYSENTER, SYSEXIT.
 *
 * Source: [SDM2] under each mnemonic; [AMD3] "SYSCALL", "SYSRET", "SYSENTER" for what differs:
 *         AMD's SYSCALL and SYSRET work in legacy and compatibility mode, too, and its SYSENTER and
 *         SYSEXIT are invalid in long mode.
 * Model:  segments are flat and read from no table. The maker is the model's vendor.
 * Chosen: SYSRET loads all of SS as Intel's does (AMD's leaves the attributes of before), and a
 *         return address that is not canonical is #GP(0) at CPL 0 for both.
 */
#include "core/cpu/cpuid.h"
#include "core/cpu/mech.h"

#include <string.h>

static bool is_amd(const struct x86_cpu *cpu)
{
    return memcmp(cpu->model->vendor, "AuthenticAMD", 12) == 0;
}

static bool in_64bit(const struct x86_cpu *cpu)
{
    return cpu->mode & MODE_CS64;
}

/* Code of @cs_sel, data of @ss_sel, both of 4 GiB at 0 and privilege @cpl; @wide: 64-bit code. */
static void flat_transfer(struct x86_cpu *cpu, uint16_t cs_sel, uint16_t ss_sel, unsigned cpl,
                          bool wide, uint64_t rip)
{
    const uint32_t attr =
        AR_G | AR_P | AR_S | AR_WRITABLE | AR_ACCESSED | cpl << AR_DPL_SHIFT;
    cpu->s.seg[S_SS] = (struct x86_seg){
        .sel = (uint16_t)((ss_sel & ~3u) | cpl), .limit = 0xffffffff, .attr = attr | AR_DB,
    };
    cpu->s.seg[S_CS] = (struct x86_seg){
        .sel = (uint16_t)((cs_sel & ~3u) | cpl), .limit = 0xffffffff,
        .attr = attr | AR_CODE | (wide ? AR_L : AR_DB),
    };
    cpu->s.rip = wide ? rip : (uint32_t)rip;
    x86_code_changed(cpu);
}

static void need_canonical(struct x86_cpu *cpu, uint64_t lin)
{
    if (!x86_canonical(lin)) {
        x86_fault(cpu, X86_GP, 0);
    }
}

/* ---- SYSCALL, SYSRET ---- */

static void need_sce(struct x86_cpu *cpu)
{
    if (!(cpu->s.efer & EFER_SCE) || !(is_amd(cpu) ? cpu->pe : in_64bit(cpu))) {
        x86_fault_noerr(cpu, X86_UD);
    }
}

void x86_syscall(struct x86_cpu *cpu, uint64_t next)
{
    struct x86_state *s = &cpu->s;
    need_sce(cpu);
    uint16_t sel = (uint16_t)(s->star >> 32);
    if (!cpu->lma) {
        s->gpr[R_CX] = (uint32_t)next;
        x86_set_rflags(cpu, 0, FL_VM | FL_IF | FL_RF);
        flat_transfer(cpu, sel, (uint16_t)(sel + 8), 0, false, s->star);
        return;
    }
    uint64_t to = in_64bit(cpu) ? s->lstar : s->cstar;
    s->gpr[R_CX] = next;
    s->gpr[R_11] = x86_get_rflags(cpu) & ~(uint64_t)FL_RF;
    x86_set_rflags(cpu, 0, (s->sfmask & ~(uint64_t)FL_1) | FL_RF);
    flat_transfer(cpu, sel, (uint16_t)(sel + 8), 0, true, to);
}

void x86_sysret(struct x86_cpu *cpu, unsigned size)
{
    const uint64_t from_r11 = FL_OSZAPC | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT | FL_AC | FL_VIF |
                              FL_VIP | FL_ID;
    struct x86_state *s = &cpu->s;
    bool wide = size == 8;
    need_sce(cpu);
    if (cpu->cpl != 0) {
        x86_fault(cpu, X86_GP, 0);
    }
    if (wide) {
        need_canonical(cpu, s->gpr[R_CX]);
    }
    uint16_t sel = (uint16_t)(s->star >> 48);
    x86_set_rflags(cpu, cpu->lma ? s->gpr[R_11] : FL_IF, cpu->lma ? from_r11 : FL_IF);
    flat_transfer(cpu, (uint16_t)(sel + (wide ? 16 : 0)), (uint16_t)(sel + 8), 3, wide,
                  s->gpr[R_CX]);
}

/* ---- SYSENTER, SYSEXIT ---- */

static uint16_t sysenter_sel(struct x86_cpu *cpu)
{
    if (cpu->lma && is_amd(cpu)) {
        x86_fault_noerr(cpu, X86_UD);
    }
    uint16_t sel = (uint16_t)cpu->s.sysenter_cs & 0xfffc;
    if (!cpu->pe || sel == 0) {
        x86_fault(cpu, X86_GP, 0);
    }
    return sel;
}

void x86_sysenter(struct x86_cpu *cpu)
{
    uint16_t sel = sysenter_sel(cpu);
    uint64_t sp = cpu->s.sysenter_esp;
    x86_set_rflags(cpu, 0, FL_VM | FL_IF | FL_RF);
    flat_transfer(cpu, sel, (uint16_t)(sel + 8), 0, cpu->lma, cpu->s.sysenter_eip);
    cpu->s.gpr[R_SP] = cpu->lma ? sp : (uint32_t)sp;
}

void x86_sysexit(struct x86_cpu *cpu, unsigned size)
{
    uint16_t sel = sysenter_sel(cpu);
    uint64_t rip = cpu->s.gpr[R_DX], sp = cpu->s.gpr[R_CX];
    bool wide = size == 8;
    if (cpu->cpl != 0) {
        x86_fault(cpu, X86_GP, 0);
    }
    if (wide) {
        need_canonical(cpu, rip);
        need_canonical(cpu, sp);
    }
    sel = (uint16_t)(sel + (wide ? 32 : 16));
    flat_transfer(cpu, sel, (uint16_t)(sel + 8), 3, wide, rip);
    cpu->s.gpr[R_SP] = wide ? sp : (uint32_t)sp;
}
