/*
 * Control registers, EFLAGS and what is derived from them.
 *
 * Source: [SDM3] "Control Registers", "Mode Switching", "Operations that Invalidate TLBs"; [SDM2]
 *         "MOV - Move to/from Control Registers" for what is #GP(0); [SDM3] "PDPTE Registers".
 * Model:  the TLB knows nothing of protection off or on: only what changes translations empties it.
 *         Firmware switches PE hundreds of times.
 */
#include "core/cpu/cpuid.h"
#include "core/cpu/mech.h"
#include "trace/core_cpu.h"

/* ---- derived state ---- */

static uint32_t mode_word(const struct x86_cpu *cpu)
{
    const struct x86_state *s = &cpu->s;
    uint32_t mode = 0;
    if (cpu->lma && (s->seg[S_CS].attr & AR_L)) {
        mode |= MODE_CS64 | MODE_SS32;
    } else {
        mode |= s->seg[S_CS].attr & AR_DB ? MODE_CS32 : 0;
        mode |= s->seg[S_SS].attr & AR_DB ? MODE_SS32 : 0;
    }
    return mode | (cpu->pe ? MODE_PE : 0) | (cpu->vm ? MODE_VM : 0) |
           (cpu->cpl == 3 ? MODE_CPL3 : 0) | (s->in_smm ? MODE_SMM : 0) |
           (s->rflags & FL_TF ? MODE_TF : 0);
}

void x86_derive_super(struct x86_cpu *cpu)
{
    bool ac = (cpu->s.cr4 & CR4_SMAP) && (cpu->s.rflags & FL_AC) && cpu->cpl < 3;
    cpu->super_tlb = ac ? TLB_SUPER_AC : TLB_SUPER;
}

/* Names of the modes, from what is derived. */
static const char *mode_name(bool smm, bool pe, bool lma, bool vm)
{
    return smm ? "smm" : !pe ? "real" : lma ? "long" : vm ? "v86" : "protected";
}

static void trace_mode(const struct x86_cpu *cpu, uint32_t old, bool old_lma)
{
    const char *was = mode_name(old & MODE_SMM, old & MODE_PE, old_lma, old & MODE_VM);
    const char *is = mode_name(cpu->s.in_smm, cpu->pe, cpu->lma, cpu->vm);
    if (was != is) {
        trace_system_mode(was, is);
    }
}

/* All but the segments. Must those that were not loaded be derived anew, too? */
static bool derive_mode(struct x86_cpu *cpu)
{
    const struct x86_state *s = &cpu->s;
    uint32_t old = cpu->mode;
    bool old_lma = cpu->lma, old_check = cpu->align_check;
    cpu->pe = s->cr0 & CR0_PE;
    cpu->pg = s->cr0 & CR0_PG;
    cpu->vm = cpu->pe && (s->rflags & FL_VM);
    cpu->lma = s->efer & EFER_LMA;
    cpu->cpl = !cpu->pe ? 0 : cpu->vm ? 3 : (uint8_t)x86_cpl(s);
    cpu->mode = mode_word(cpu);
    x86_derive_super(cpu);
    cpu->tlb = cpu->tlbs[cpu->cpl == 3 ? TLB_USER : cpu->super_tlb];
    if (trace_on(system_mode)) {
        trace_mode(cpu, old, old_lma);
    }
    cpu->align_check = cpu->cpl == 3 && (s->cr0 & CR0_AM) && (s->rflags & FL_AC);
    bool wide = cpu->mode & MODE_CS64;
    cpu->lin_mask = wide ? ~0ull : 0xffffffff;
    /* In a 16-bit segment, too, IP can pass FFFF: the next fetch then meets the limit. */
    cpu->rip_mask = wide ? ~0ull : 0xffffffff;
    cpu->stack_mask = wide ? ~0ull : cpu->mode & MODE_SS32 ? 0xffffffff : 0xffff;
    return ((old ^ cpu->mode) & (MODE_CS64 | MODE_PE | MODE_VM)) || old_check != cpu->align_check;
}

static void derive_segs(struct x86_cpu *cpu)
{
    for (unsigned i = 0; i < 6; i++) {
        x86_derive_seg(cpu, i);
    }
}

void x86_mode_changed(struct x86_cpu *cpu)
{
    derive_mode(cpu);
    derive_segs(cpu);
}

void x86_code_changed(struct x86_cpu *cpu)
{
    if (derive_mode(cpu)) {
        derive_segs(cpu);
    } else {
        x86_derive_seg(cpu, S_CS);
        x86_derive_seg(cpu, S_SS);
    }
}

void x86_state_loaded(struct x86_cpu *cpu)
{
    cpu->cur = NULL;
    cpu->exc.active = false;
    cpu->s.gpr[16] = 0;
    cpu->s.rflags |= FL_1;
    cpu->space = cpu->s.in_smm ? cpu->smm : cpu->mem;
    cpu->rf_icount = x86_icount(cpu);
    lf_set(cpu, (uint32_t)cpu->s.rflags);
    x86_apic_moved(cpu);
    cpu->watch_hits = 0;
    x86_debug_changed(cpu);
    x86_mode_changed(cpu);
    x86_tlb_first_flush(cpu);
}

/* ---- EFLAGS ---- */

uint64_t x86_get_rflags(struct x86_cpu *cpu)
{
    uint64_t flags = (cpu->s.rflags & ~(uint64_t)FL_OSZAPC) | lf_get(cpu);
    if (cpu->cur || cpu->rf_icount != x86_icount(cpu)) {
        flags &= ~(uint64_t)FL_RF; /* an instruction has run since it was set */
    }
    return flags;
}

void x86_set_rflags(struct x86_cpu *cpu, uint64_t val, uint64_t mask)
{
    uint64_t old = lf_materialize(cpu);
    uint64_t now = (cpu->s.rflags & ~mask) | (val & mask) | FL_1;
    if (mask & FL_OSZAPC) {
        lf_set(cpu, (uint32_t)now);
    }
    if (mask & FL_RF) {
        cpu->rf_icount = x86_icount(cpu);
    }
    cpu->s.rflags = now;
    if ((old ^ now) & (FL_TF | FL_VM | FL_AC)) {
        x86_code_changed(cpu);
    }
}

/* ---- control registers ---- */

/* [SDM3] "PDPTE Registers": the four entries are read at once; a reserved bit in a present one is
 * #GP(0) and nothing changes. */
static bool read_pdptes(struct x86_cpu *cpu, uint64_t cr3)
{
    uint64_t e[4], reserved = ~(size_mask(8) >> (64 - cpu->model->phys_bits)) | 0x1e6;
    for (unsigned i = 0; i < 4; i++) {
        e[i] = x86_phys_read(cpu, (cr3 & 0xffffffe0) + i * 8, 8);
        if ((e[i] & 1) && (e[i] & reserved)) {
            return false;
        }
    }
    memcpy(cpu->s.pdpte, e, sizeof(e));
    return true;
}

static void load_pdptes(struct x86_cpu *cpu, uint64_t cr3)
{
    if (!read_pdptes(cpu, cr3)) {
        x86_fault(cpu, X86_GP, 0);
    }
}

static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LME);
}

bool x86_reload_pdptes(struct x86_cpu *cpu)
{
    return !pae_paging(cpu->s.cr0, cpu->s.cr4, cpu->s.efer) || read_pdptes(cpu, cpu->s.cr3);
}

/* Turning paging on or off with EFER.LME changes to or from IA-32e mode. */
static uint64_t efer_after_cr0(struct x86_cpu *cpu, uint64_t cr0)
{
    const struct x86_state *s = &cpu->s;
    bool was = s->cr0 & CR0_PG, now = cr0 & CR0_PG;
    if (!was && now && (s->efer & EFER_LME)) {
        if (!(s->cr4 & CR4_PAE) || (s->seg[S_CS].attr & AR_L) || !(s->tr.attr & 8)) {
            x86_fault(cpu, X86_GP, 0);
        }
        return s->efer | EFER_LMA;
    }
    if (was && !now) {
        if ((cpu->mode & MODE_CS64) || (s->cr4 & CR4_PCIDE)) {
            x86_fault(cpu, X86_GP, 0);
        }
        return s->efer & ~(uint64_t)EFER_LMA;
    }
    return s->efer;
}

void x86_set_cr0(struct x86_cpu *cpu, uint64_t val)
{
    const uint64_t known = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW |
                           CR0_CD | CR0_PG;
    if ((val >> 32) || ((val & CR0_PG) && !(val & CR0_PE)) || ((val & CR0_NW) && !(val & CR0_CD))) {
        x86_fault(cpu, X86_GP, 0);
    }
    uint64_t old = cpu->s.cr0;
    val = (val & known) | CR0_ET;
    if ((old ^ val) & (CR0_PE | CR0_PG)) {
        x86_note_change(cpu, CHANGED_CR0);
    }
    uint64_t efer = efer_after_cr0(cpu, val);
    trace_system_cr(0, old, val);
    if (pae_paging(val, cpu->s.cr4, efer) && ((old ^ val) & (CR0_PG | CR0_CD | CR0_NW))) {
        load_pdptes(cpu, cpu->s.cr3);
    }
    cpu->s.cr0 = val;
    cpu->s.efer = efer;
    if ((old ^ val) & (CR0_PE | CR0_PG | CR0_AM)) {
        x86_mode_changed(cpu);
    }
    if ((old ^ val) & (CR0_PG | (val & CR0_PG ? CR0_WP : 0))) {
        x86_tlb_flush(cpu);
    }
}

void x86_set_cr3(struct x86_cpu *cpu, uint64_t val)
{
    if (!cpu->lma) {
        val = (uint32_t)val;
    } else {
        /* With PCIDs bit 63 says that the new one's translations may stay. None do here: a TLB
         * entry has no PCID. */
        val &= ~(cpu->s.cr4 & CR4_PCIDE ? BIT64(63) : 0);
        if (val >> cpu->model->phys_bits) {
            x86_fault(cpu, X86_GP, 0);
        }
    }
    if (pae_paging(cpu->s.cr0, cpu->s.cr4, cpu->s.efer)) {
        load_pdptes(cpu, val);
    }
    trace_system_cr(3, cpu->s.cr3, val);
    cpu->s.cr3 = val;
    if (cpu->pg) {
        x86_tlb_flush_nonglobal(cpu);
    }
}

uint64_t x86_cr4_known(const struct x86_model *m)
{
    static const struct {
        enum x86_feature feature;
        uint32_t bits;
    } map[] = {
        {X86_F_VME, CR4_VME | CR4_PVI}, {X86_F_TSC, CR4_TSD}, {X86_F_DE, CR4_DE},
        {X86_F_PSE, CR4_PSE}, {X86_F_PAE, CR4_PAE}, {X86_F_MCE, CR4_MCE}, {X86_F_PGE, CR4_PGE},
        {X86_F_RDPMC, CR4_PCE}, {X86_F_FXSR, CR4_OSFXSR}, {X86_F_SSE, CR4_OSXMMEXCPT},
        {X86_F_UMIP, CR4_UMIP}, {X86_F_FSGSBASE, CR4_FSGSBASE}, {X86_F_PCID, CR4_PCIDE},
        {X86_F_XSAVE, CR4_OSXSAVE}, {X86_F_SMEP, CR4_SMEP}, {X86_F_SMAP, CR4_SMAP},
    };
    uint64_t known = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(map); i++) {
        known |= x86_has(m, map[i].feature) ? map[i].bits : 0;
    }
    return known;
}

void x86_set_cr4(struct x86_cpu *cpu, uint64_t val)
{
    const uint64_t translates = CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP;
    uint64_t old = cpu->s.cr4;
    bool pcid_on = (val & ~old) & CR4_PCIDE;
    if ((val & ~x86_cr4_known(cpu->model)) || (cpu->lma && !(val & CR4_PAE)) ||
        (pcid_on && (!cpu->lma || (cpu->s.cr3 & 0xfff)))) {
        x86_fault(cpu, X86_GP, 0);
    }
    if (pae_paging(cpu->s.cr0, val, cpu->s.efer) && ((old ^ val) & (CR4_PAE | CR4_PGE | CR4_PSE))) {
        load_pdptes(cpu, cpu->s.cr3);
    }
    trace_system_cr(4, old, val);
    cpu->s.cr4 = val;
    if ((old ^ val) & CR4_DE) {
        x86_debug_changed(cpu);
    }
    if ((old ^ val) & CR4_SMAP) {
        x86_mode_changed(cpu);
    }
    if (cpu->pg && ((old ^ val) & translates)) {
        x86_tlb_flush(cpu);
    }
}
