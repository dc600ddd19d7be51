/*
 * System instructions: descriptor tables, control and debug registers, MSRs, CPUID.
 *
 * Source: [SDM2], the entry of each instruction; [SDM3] "Debug Registers".
 * Model:  SGDT and SIDT store all 32 bits of the base at every operand size, as processors since
 *         the 386 do. INVD and WBINVD have no caches to act on.
 */
#include "core/accel/interp/interp.h"
#include "core/accel/vcpu.h"
#include "core/cpu/cpuid.h"
#include "core/cpu/mech.h"

static bool wide(const struct x86_cpu *cpu)
{
    return cpu->mode & MODE_CS64;
}

static void set_zf(struct x86_cpu *cpu, bool on)
{
    x86_set_rflags(cpu, on ? FL_ZF : 0, FL_ZF);
}

/* ---- descriptor tables ---- */

static void store_dtr(struct x86_cpu *cpu, const struct insn *in, const struct x86_dtr *r)
{
    unsigned len = wide(cpu) ? 10 : 6;
    uint8_t image[10];
    st16le(image, r->limit);
    st64le(image + 2, r->base);
    uint64_t lin = x86_lin_w(cpu, in->seg, insn_ea(cpu, in), len);
    x86_lin_write_bytes(cpu, lin, image, len, cpu->cpl == 3);
}

static void load_dtr(struct x86_cpu *cpu, const struct insn *in, struct x86_dtr *r)
{
    unsigned len = wide(cpu) ? 10 : 6;
    uint8_t image[10] = {0};
    require_cpl0(cpu);
    uint64_t lin = x86_lin_r(cpu, in->seg, insn_ea(cpu, in), len);
    x86_lin_read_bytes(cpu, lin, image, len, false);
    if (!x86_canonical(ld64le(image + 2)) && wide(cpu)) {
        x86_fault(cpu, X86_GP, 0);
    }
    x86_note_change(cpu, r == &cpu->s.gdtr ? CHANGED_GDTR : CHANGED_IDTR);
    r->limit = ld16le(image);
    r->base = ld64le(image + 2);
    if (!wide(cpu) && in->opsize == 2) {
        r->base &= 0xffffff;
    }
}

/* [SDM3] "User-Mode Instruction Prevention". */
static void require_umip(struct x86_cpu *cpu)
{
    if ((cpu->s.cr4 & CR4_UMIP) && cpu->cpl != 0) {
        x86_fault(cpu, X86_GP, 0);
    }
}

OP(sgdt)
{
    require_umip(cpu);
    store_dtr(cpu, in, &cpu->s.gdtr);
}

OP(sidt)
{
    require_umip(cpu);
    store_dtr(cpu, in, &cpu->s.idtr);
}

OP(lgdt)
{
    load_dtr(cpu, in, &cpu->s.gdtr);
}

OP(lidt)
{
    load_dtr(cpu, in, &cpu->s.idtr);
}

/* A selector or the machine status word: 16 bits in memory, the operand size in a register. */
static void store_word(struct x86_cpu *cpu, const struct insn *in, uint64_t val)
{
    if (in->mem) {
        x86_st16(cpu, in->seg, insn_ea(cpu, in), (uint16_t)val);
    } else {
        reg_w(cpu, in->m, val, in->opsize);
    }
}

OP(sldt)
{
    require_umip(cpu);
    store_word(cpu, in, cpu->s.ldtr.sel);
}

OP(str)
{
    require_umip(cpu);
    store_word(cpu, in, cpu->s.tr.sel);
}

OP(lldt)
{
    require_cpl0(cpu);
    x86_lldt(cpu, (uint16_t)e_read(cpu, in, 2));
}

OP(ltr)
{
    require_cpl0(cpu);
    x86_ltr(cpu, (uint16_t)e_read(cpu, in, 2));
}

OP(verr)
{
    set_zf(cpu, x86_ver(cpu, (uint16_t)e_read(cpu, in, 2), false));
}

OP(verw)
{
    set_zf(cpu, x86_ver(cpu, (uint16_t)e_read(cpu, in, 2), true));
}

OP(lar)
{
    uint32_t val = 0;
    bool seen = x86_lar(cpu, (uint16_t)e_read(cpu, in, 2), &val);
    if (seen) {
        g_write(cpu, in, val, in->opsize);
    }
    set_zf(cpu, seen);
}

OP(lsl)
{
    uint32_t val = 0;
    bool seen = x86_lsl(cpu, (uint16_t)e_read(cpu, in, 2), &val);
    if (seen) {
        g_write(cpu, in, val, in->opsize);
    }
    set_zf(cpu, seen);
}

OP(arpl)
{
    uint16_t src = (uint16_t)g_read(cpu, in, 2), dst = (uint16_t)e_read(cpu, in, 2);
    bool raise = sel_rpl(dst) < sel_rpl(src);
    if (raise) {                 /* what is not raised is not written either */
        e_write(cpu, in, (dst & ~3u) | sel_rpl(src), 2);
    }
    set_zf(cpu, raise);
}

/* ---- control and debug registers ---- */

OP(smsw)
{
    require_umip(cpu);
    store_word(cpu, in, cpu->s.cr0);
}

OP_ENDS(lmsw)
{
    require_cpl0(cpu);
    uint64_t msw = e_read(cpu, in, 2) & (CR0_PE | CR0_MP | CR0_EM | CR0_TS);
    uint64_t keep = cpu->s.cr0 & ~(uint64_t)(CR0_MP | CR0_EM | CR0_TS); /* PE is never cleared */
    x86_set_cr0(cpu, keep | msw);
}

OP_ENDS(clts)
{
    require_cpl0(cpu);
    cpu->s.cr0 &= ~(uint64_t)CR0_TS;
}

static void need_cr(struct x86_cpu *cpu, unsigned n)
{
    bool there = n == 0 || n == 2 || n == 3 || (n == 4 && x86_cr4_known(cpu->model)) ||
                 (n == 8 && wide(cpu));
    if (!there) {
        x86_fault_noerr(cpu, X86_UD);
    }
    require_cpl0(cpu);
}

OP(mov_r_cr)
{
    const struct x86_state *s = &cpu->s;
    need_cr(cpu, in->reg);
    uint64_t val = in->reg == 0   ? s->cr0
                   : in->reg == 2 ? s->cr2
                   : in->reg == 3 ? s->cr3
                   : in->reg == 4 ? s->cr4
                                  : x86_get_cr8(cpu);
    reg_w(cpu, in->m, val, wide(cpu) ? 8 : 4);
}

OP_ENDS(mov_cr_r)
{
    need_cr(cpu, in->reg);
    uint64_t val = reg_r(cpu, in->m, wide(cpu) ? 8 : 4);
    switch (in->reg) {
    case 0: x86_set_cr0(cpu, val); break;
    case 2: cpu->s.cr2 = val; break;
    case 3: x86_set_cr3(cpu, val); break;
    case 4: x86_set_cr4(cpu, val); break;
    default: x86_set_cr8(cpu, val); break;
    }
}

/* The debug register meant: 4 and 5 are 6 and 7 unless CR4.DE makes them invalid. */
static unsigned need_dr(struct x86_cpu *cpu, unsigned n)
{
    if (n > 7 || ((n == 4 || n == 5) && (cpu->s.cr4 & CR4_DE))) {
        x86_fault_noerr(cpu, X86_UD);
    }
    require_cpl0(cpu);
    if (cpu->s.dr[7] & DR7_GD) {
        x86_debug_status(cpu, DR6_BD);
        x86_fault_noerr(cpu, X86_DB);
    }
    return n == 4 || n == 5 ? n + 2 : n;
}

OP(mov_r_dr)
{
    unsigned n = need_dr(cpu, in->reg);
    reg_w(cpu, in->m, cpu->s.dr[n], wide(cpu) ? 8 : 4);
}

OP_ENDS(mov_dr_r)
{
    unsigned n = need_dr(cpu, in->reg);
    uint64_t val = reg_r(cpu, in->m, wide(cpu) ? 8 : 4);
    if (n >= 6 && (val >> 32)) {
        x86_fault(cpu, X86_GP, 0);
    }
    if (n == 6) {
        cpu->s.dr[6] = (val & (DR6_B | DR6_BD | DR6_BS | DR6_BT)) | 0xffff0ff0;
        return;
    }
    if (n == 7) {
        cpu->s.dr[7] = (val & 0xffff23ff) | 0x400;
    } else {
        cpu->s.dr[n] = val;
    }
    x86_debug_changed(cpu);
}

OP_ENDS(invlpg)
{
    require_cpl0(cpu);
    bool based = !wide(cpu) || in->seg >= S_FS;
    if (cpu->pg) { /* no limit, type or canonical form is checked */
        uint64_t lin = (based ? cpu->s.seg[in->seg].base : 0) + insn_ea(cpu, in);
        x86_tlb_flush_page(cpu, lin & cpu->lin_mask);
    }
}

OP(invd)
{
    require_cpl0(cpu);
}

OP(wbinvd)
{
    require_cpl0(cpu);
}

/* ---- MSRs, counters, identification ---- */

static void write_edx_eax(struct x86_cpu *cpu, uint64_t val)
{
    cpu->s.gpr[R_AX] = (uint32_t)val;
    cpu->s.gpr[R_DX] = val >> 32;
}

OP(rdmsr)
{
    require_cpl0(cpu);
    uint32_t index = (uint32_t)cpu->s.gpr[R_CX];
    uint64_t val = x86_rdmsr(cpu, index);
    write_edx_eax(cpu, val);
    if (unlikely(cpu->msr_used)) {
        cpu->msr_used(cpu, index, val, false);
        cpu->stop_after_insn(cpu);
    }
}

OP_ENDS(wrmsr)
{
    require_cpl0(cpu);
    uint32_t index = (uint32_t)cpu->s.gpr[R_CX];
    uint64_t val = (uint32_t)cpu->s.gpr[R_AX] | cpu->s.gpr[R_DX] << 32;
    x86_wrmsr(cpu, index, val);
    if (unlikely(cpu->msr_used)) {
        cpu->msr_used(cpu, index, val, true);
    }
}

OP(rdtsc)
{
    if ((cpu->s.cr4 & CR4_TSD) && cpu->cpl != 0) {
        x86_fault(cpu, X86_GP, 0);
    }
    write_edx_eax(cpu, cpu->host_ops->tsc(cpu->host) + cpu->s.tsc_offset);
}

/* The two counters of the P6 family are there and stand still. */
OP(rdpmc)
{
    if ((!(cpu->s.cr4 & CR4_PCE) && cpu->cpl != 0) || (uint32_t)cpu->s.gpr[R_CX] > 1) {
        x86_fault(cpu, X86_GP, 0);
    }
    write_edx_eax(cpu, 0);
}

OP(cpuid)
{
    struct x86_cpuid out;
    x86_cpuid(cpu, (uint32_t)cpu->s.gpr[R_AX], (uint32_t)cpu->s.gpr[R_CX], &out);
    cpu->s.gpr[R_AX] = out.eax;
    cpu->s.gpr[R_BX] = out.ebx;
    cpu->s.gpr[R_CX] = out.ecx;
    cpu->s.gpr[R_DX] = out.edx;
    /* [SDM3] "Serializing Instructions": what comes next is fetched anew. */
    atomic_thread_fence(memory_order_seq_cst);
    if (unlikely(atomic_load(cpu->pending) & PEND_CODE)) {
        cpu->stop_after_insn(cpu);
    }
}

OP(ud)
{
    x86_fault_noerr(cpu, X86_UD);
}

OP_ENDS(rsm)
{
    x86_rsm(cpu);
}
