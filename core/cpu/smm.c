/*
 * System management mode: SMI entry, the state save map, RSM.
 *
 * Source: [SDM3] "System Management Mode": tables "SMRAM State Save Map", "Processor Register
 *         Initialization in SMM", "SMM Revision Identifier", "SMBASE Relocation"; [AMD2] "SMRAM
 *         State Save Area" for models with long mode.
 * Model:  two maps, chosen by the model. The 32-bit one keeps hidden state (descriptor caches, CR4,
 *         descriptor tables) in the bytes that the manual reserves; their places are ours. I/O
 *         instruction restart is not offered, and the revision identifier says so.
 */
#include "core/cpu/cpuid.h"
#include "core/cpu/mech.h"
#include "trace/core_cpu.h"

enum { SMM_ENTRY = 0x8000, SMM_REVISION = 0xfefc };

/* Where a piece of x86_state lies in the save map, from SMBASE. */
struct slot {
    uint16_t at;
    uint16_t field;
    uint8_t in_map;          /* bytes there */
    uint8_t in_state;        /* bytes of the field, at least as many */
};
#define SLOT_N(at, f, n)  {at, offsetof(struct x86_state, f), n, sizeof(((struct x86_state *)0)->f)}
#define SLOT(at, f)       SLOT_N(at, f, 4)
#define SLOT_SEL(at, f)   SLOT_N(at, f.sel, 2)
#define SLOT_HIDDEN(at, f)                                                                         \
    SLOT_N(at, f.base, 4), SLOT_N((at) + 4, f.limit, 4), SLOT_N((at) + 8, f.attr, 4)

static const struct slot map32[] = {
    SLOT(0xfffc, cr0), SLOT(0xfff8, cr3), SLOT(0xfff4, rflags), SLOT(0xfff0, rip),
    SLOT(0xffec, gpr[R_DI]), SLOT(0xffe8, gpr[R_SI]), SLOT(0xffe4, gpr[R_BP]),
    SLOT(0xffe0, gpr[R_SP]), SLOT(0xffdc, gpr[R_BX]), SLOT(0xffd8, gpr[R_DX]),
    SLOT(0xffd4, gpr[R_CX]), SLOT(0xffd0, gpr[R_AX]),
    SLOT(0xffcc, dr[6]), SLOT(0xffc8, dr[7]),
    SLOT_SEL(0xffc4, tr), SLOT_SEL(0xffc0, ldtr), SLOT_SEL(0xffbc, seg[S_GS]),
    SLOT_SEL(0xffb8, seg[S_FS]), SLOT_SEL(0xffb4, seg[S_DS]), SLOT_SEL(0xffb0, seg[S_SS]),
    SLOT_SEL(0xffac, seg[S_CS]), SLOT_SEL(0xffa8, seg[S_ES]),
    /* reserved by the manual */
    SLOT_HIDDEN(0xff94, tr), SLOT_HIDDEN(0xff88, ldtr), SLOT_HIDDEN(0xff7c, seg[S_GS]),
    SLOT_HIDDEN(0xff70, seg[S_FS]), SLOT_HIDDEN(0xff64, seg[S_DS]), SLOT_HIDDEN(0xff58, seg[S_SS]),
    SLOT_HIDDEN(0xff4c, seg[S_CS]), SLOT_HIDDEN(0xff40, seg[S_ES]),
    SLOT_N(0xff3c, gdtr.base, 4), SLOT_N(0xff38, gdtr.limit, 2), SLOT_N(0xff34, idtr.base, 4),
    SLOT_N(0xff30, idtr.limit, 2), SLOT(0xff2c, cr4),
    SLOT_N(0xff28, nmi_blocked, 1), SLOT_N(0xff29, shadow, 1),
};

#define SLOT_SEG64(at, f)                                                                          \
    SLOT_N(at, f.sel, 2), SLOT_N((at) + 4, f.limit, 4), SLOT_N((at) + 8, f.base, 8)
#define SLOT8(at, f) SLOT_N(at, f, 8)

/* Attributes go apart: 12 bits there. */
static const struct slot map64[] = {
    SLOT_SEG64(0xfe00, seg[S_ES]), SLOT_SEG64(0xfe10, seg[S_CS]), SLOT_SEG64(0xfe20, seg[S_SS]),
    SLOT_SEG64(0xfe30, seg[S_DS]), SLOT_SEG64(0xfe40, seg[S_FS]), SLOT_SEG64(0xfe50, seg[S_GS]),
    SLOT_N(0xfe64, gdtr.limit, 2), SLOT_N(0xfe68, gdtr.base, 8), SLOT_SEG64(0xfe70, ldtr),
    SLOT_N(0xfe84, idtr.limit, 2), SLOT_N(0xfe88, idtr.base, 8), SLOT_SEG64(0xfe90, tr),
    SLOT8(0xfed0, efer), SLOT_N(0xfece, shadow, 1), SLOT_N(0xfecf, nmi_blocked, 1),
    SLOT8(0xff48, cr4), SLOT8(0xff50, cr3), SLOT8(0xff58, cr0), SLOT8(0xff60, dr[7]),
    SLOT8(0xff68, dr[6]), SLOT8(0xff70, rflags), SLOT8(0xff78, rip),
    SLOT8(0xff80, gpr[R_15]), SLOT8(0xff88, gpr[R_14]), SLOT8(0xff90, gpr[R_13]),
    SLOT8(0xff98, gpr[R_12]), SLOT8(0xffa0, gpr[R_11]), SLOT8(0xffa8, gpr[R_10]),
    SLOT8(0xffb0, gpr[R_9]), SLOT8(0xffb8, gpr[R_8]), SLOT8(0xffc0, gpr[R_DI]),
    SLOT8(0xffc8, gpr[R_SI]), SLOT8(0xffd0, gpr[R_BP]), SLOT8(0xffd8, gpr[R_SP]),
    SLOT8(0xffe0, gpr[R_BX]), SLOT8(0xffe8, gpr[R_DX]), SLOT8(0xfff0, gpr[R_CX]),
    SLOT8(0xfff8, gpr[R_AX]),
};

/* Segments of the 64-bit map in the order of their attribute words, FE02h and every 16 bytes on. */
static const uint16_t attr64[][2] = {
    {0xfe02, offsetof(struct x86_state, seg[S_ES])},
    {0xfe12, offsetof(struct x86_state, seg[S_CS])},
    {0xfe22, offsetof(struct x86_state, seg[S_SS])},
    {0xfe32, offsetof(struct x86_state, seg[S_DS])},
    {0xfe42, offsetof(struct x86_state, seg[S_FS])},
    {0xfe52, offsetof(struct x86_state, seg[S_GS])},
    {0xfe72, offsetof(struct x86_state, ldtr)},
    {0xfe92, offsetof(struct x86_state, tr)},
};

/* One map in whole. */
struct layout {
    const struct slot *slots;
    unsigned n;
    uint16_t smbase, halt;
    uint8_t halt_bytes;
    uint32_t revision;       /* bit 17: SMBASE relocation, bit 16: I/O instruction restart */
    bool wide;
};
static const struct layout layout32 = {
    .slots = map32, .n = ARRAY_SIZE(map32), .smbase = 0xfef8, .halt = 0xff02, .halt_bytes = 2,
    .revision = 0x20000,
};
static const struct layout layout64 = {
    .slots = map64, .n = ARRAY_SIZE(map64), .smbase = 0xff00, .halt = 0xfec9, .halt_bytes = 1,
    .revision = 0x20064, .wide = true,
};

static const struct layout *layout_of(const struct x86_cpu *cpu)
{
    return x86_has(cpu->model, X86_F_LM) ? &layout64 : &layout32;
}

/* SMRAM, from SMBASE, in the view that the processor has in SMM. */
static uint64_t smram_read(struct x86_cpu *cpu, unsigned at, unsigned size)
{
    return x86_phys_read(cpu, cpu->s.smbase + at, size);
}

static void smram_write(struct x86_cpu *cpu, unsigned at, uint64_t val, unsigned size)
{
    x86_phys_write(cpu, cpu->s.smbase + at, val, size);
}

/* ---- entry ---- */

static void save_state(struct x86_cpu *cpu, const struct layout *l, bool halted)
{
    const uint8_t *s = (const uint8_t *)&cpu->s;
    for (unsigned i = 0; i < l->n; i++) {
        const struct slot *p = &l->slots[i];
        smram_write(cpu, p->at, ld_le(s + p->field, p->in_state), p->in_map);
    }
    for (unsigned i = 0; l->wide && i < ARRAY_SIZE(attr64); i++) {
        const struct x86_seg *seg = (const struct x86_seg *)(s + attr64[i][1]);
        uint32_t attr = seg->attr & AR_UNUSABLE ? 0 : seg->attr;
        smram_write(cpu, attr64[i][0], (attr & 0xff) | (attr >> 4 & 0xf00), 2);
    }
    smram_write(cpu, l->halt, halted, l->halt_bytes);
    smram_write(cpu, SMM_REVISION, l->revision, 4);
    smram_write(cpu, l->smbase, cpu->s.smbase, 4);
}

/* [SDM3] "Processor Register Initialization in SMM". */
static void enter_state(struct x86_state *s)
{
    const uint32_t attr = AR_G | AR_P | AR_S | AR_WRITABLE | AR_ACCESSED;
    for (unsigned i = 0; i < 6; i++) {
        s->seg[i] = (struct x86_seg){.limit = 0xffffffff, .attr = attr};
    }
    s->seg[S_CS].sel = (uint16_t)(s->smbase >> 4);
    s->seg[S_CS].base = s->smbase;
    s->cr0 &= ~(uint64_t)(CR0_PE | CR0_EM | CR0_TS | CR0_PG);
    s->cr4 = 0;
    s->efer = 0;
    s->dr[7] = 0x400;
    s->rflags = FL_1;
    s->rip = SMM_ENTRY;
    s->shadow = 0;
    s->nmi_blocked = true;
    s->smi_blocked = true;
    s->in_smm = true;
    s->activity = ACT_RUNNING;
}

void x86_smi(struct x86_cpu *cpu)
{
    const struct layout *l = layout_of(cpu);
    bool halted = cpu->s.activity == ACT_HALTED;
    trace_smm_enter(cpu->s.smbase, cpu->s.seg[S_CS].sel, cpu->s.rip);
    cpu->s.rflags = x86_get_rflags(cpu);
    cpu->space = cpu->smm;
    x86_tlb_flush(cpu);
    save_state(cpu, l, halted);
    enter_state(&cpu->s);
    x86_state_loaded(cpu);
}

/* ---- RSM ---- */

/* What RSM would load, taken from the map. */
static void load_map(struct x86_cpu *cpu, const struct layout *l, struct x86_state *now)
{
    uint8_t *s = (uint8_t *)now;
    now->smi_blocked = now->in_smm = false;
    for (unsigned i = 0; i < l->n; i++) {
        const struct slot *p = &l->slots[i];
        st_le(s + p->field, smram_read(cpu, p->at, p->in_map), p->in_state);
    }
    for (unsigned i = 0; l->wide && i < ARRAY_SIZE(attr64); i++) {
        struct x86_seg *seg = (struct x86_seg *)(s + attr64[i][1]);
        uint32_t attr = (uint32_t)smram_read(cpu, attr64[i][0], 2);
        seg->attr = (attr & 0xff) | (attr & 0xf00) << 4;
        seg->attr |= seg->attr & AR_P ? 0 : AR_UNUSABLE;
    }
    now->nmi_blocked = smram_read(cpu, l->wide ? 0xfecf : 0xff28, 1) & 1;
    now->shadow &= X86_SHADOW_STI | X86_SHADOW_MOVSS;
    now->activity = smram_read(cpu, l->halt, 1) & 1 ? ACT_HALTED : ACT_RUNNING;
    if (l->revision & 0x20000) {
        now->smbase = (uint32_t)smram_read(cpu, l->smbase, 4);
    }
}

/* [SDM2] "RSM", [AMD2] "RSM": state that puts the processor into shutdown. */
static bool map_valid(const struct x86_cpu *cpu, const struct x86_state *now)
{
    uint64_t cr0 = now->cr0, cr4 = now->cr4, efer = now->efer;
    bool lma = efer & EFER_LMA;
    bool family5 = (cpu->model->signature >> 8 & 0xf) <= 5;
    return !((cr0 & CR0_PG) && !(cr0 & CR0_PE)) && !((cr0 & CR0_NW) && !(cr0 & CR0_CD)) &&
           !(cr4 & ~x86_cr4_known(cpu->model)) && !(family5 && (now->smbase & 0x7fff)) &&
           !(efer & ~x86_efer_known(cpu->model)) && lma == ((cr0 & CR0_PG) && (efer & EFER_LME)) &&
           !(lma && !(cr4 & CR4_PAE)) && !(lma && (now->rflags & FL_VM)) &&
           !(!lma && (cr4 & CR4_PCIDE)) && !((cr0 | now->dr[6] | now->dr[7]) >> 32);
}

void x86_rsm(struct x86_cpu *cpu)
{
    if (!cpu->s.in_smm) {
        x86_fault_noerr(cpu, X86_UD);
    }
    struct x86_state now = cpu->s;
    load_map(cpu, layout_of(cpu), &now);
    if (!map_valid(cpu, &now)) {
        cpu->s.activity = ACT_SHUTDOWN;
        return;
    }
    cpu->s = now;
    trace_smm_leave(now.smbase, now.seg[S_CS].sel, now.rip);
    x86_state_loaded(cpu);
    if (!x86_reload_pdptes(cpu)) {
        cpu->s.activity = ACT_SHUTDOWN;
    }
}
