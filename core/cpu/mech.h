/*
 * What the mechanisms of the software CPU (paging, segmentation, delivery, tasks, system registers,
 * SMM) share among themselves and with the system instructions. Engines need x86_cpu.h only.
 */
#ifndef CORE_CPU_MECH_H
#define CORE_CPU_MECH_H

#include "core/cpu/flags.h"
#include "core/cpu/x86_cpu.h"

/* ---- addresses ---- */

/* A20M# masks address bit 20 of everything that leaves the processor. */
static inline uint64_t x86_a20(const struct x86_cpu *cpu, uint64_t phys)
{
    return cpu->s.a20 ? phys : phys & ~BIT64(20);
}

/* Linear addresses of system structures wrap at 4 GiB outside long mode. */
static inline uint64_t x86_linear(const struct x86_cpu *cpu, uint64_t lin)
{
    return cpu->lma ? lin : (uint32_t)lin;
}

/* [SDM1] "Canonical Addressing", 48 bits of linear address. */
static inline bool x86_canonical(uint64_t lin)
{
    return (uint64_t)((int64_t)(lin << 16) >> 16) == lin;
}

/* An access to @lin, which is not canonical: #SS(0) by way of the stack, else #GP(0). */
_Noreturn void x86_not_canonical(struct x86_cpu *cpu, uint64_t lin);

uint64_t x86_phys_read(struct x86_cpu *cpu, uint64_t phys, unsigned size);
void x86_phys_write(struct x86_cpu *cpu, uint64_t phys, uint64_t val, unsigned size);

/* The host address of an operand that the TLB has for that access, or NULL. */
static inline uint8_t *x86_at_hand(struct x86_cpu *cpu, uint64_t lin, unsigned size, bool write,
                                   unsigned kind)
{
    const struct tlb_entry *e = &cpu->tlbs[kind][(lin >> PAGE_BITS) & (TLB_SIZE - 1)];
    bool there = (write ? e->wtag : e->rtag) == (lin & ~PAGE_OFFSET) &&
                 (lin & PAGE_OFFSET) + size <= PAGE_BYTES;
    return there ? (uint8_t *)(uintptr_t)(lin + e->addend) : NULL;
}

/* Accesses to system structures are implicit supervisor accesses: EFLAGS.AC opens no user page to
 * them ([SDM3] "Determination of Access Rights"). */
static inline uint64_t sys_read(struct x86_cpu *cpu, uint64_t lin, unsigned size)
{
    const uint8_t *host = x86_at_hand(cpu, x86_linear(cpu, lin), size, false, TLB_SUPER);
    if (likely(host)) {
        return size == 8 ? ld64le(host) : size == 4 ? ld32le(host) : ld_le(host, size);
    }
    uint8_t explicit = cpu->super_tlb;
    cpu->super_tlb = TLB_SUPER; /* a fault derives it anew */
    uint64_t val = x86_lin_read(cpu, x86_linear(cpu, lin), size, false);
    cpu->super_tlb = explicit;
    return val;
}

static inline void sys_write(struct x86_cpu *cpu, uint64_t lin, uint64_t val, unsigned size)
{
    uint8_t explicit = cpu->super_tlb;
    cpu->super_tlb = TLB_SUPER;
    x86_lin_write(cpu, x86_linear(cpu, lin), val, size, false);
    cpu->super_tlb = explicit;
}

/* Faults as sys_write of @size bytes would. */
static inline void sys_probe_write(struct x86_cpu *cpu, uint64_t lin, unsigned size)
{
    uint8_t explicit = cpu->super_tlb;
    cpu->super_tlb = TLB_SUPER;
    x86_lin_probe_write(cpu, x86_linear(cpu, lin), size, false);
    cpu->super_tlb = explicit;
}

/* The TLB of explicit accesses at CPL 0-2. */
void x86_derive_super(struct x86_cpu *cpu);

/* ---- runs of the TLB (tlb_runs.c) ---- */

/* Entry @e of TLB @kind was filled; that of @page goes; all go, or all but global ones. */
void tlb_runs_gain(struct x86_cpu *cpu, unsigned kind, const struct tlb_entry *e);
void tlb_runs_lose(struct x86_cpu *cpu, unsigned kind, uint64_t page);
void tlb_runs_drop(struct x86_cpu *cpu, bool keep_global);

/* ---- slots of the TLB (tlb.c) ---- */

/* Slot @index was filled. */
void tlb_note(struct x86_cpu *cpu, unsigned index, struct tlb_entry *e);
/* All that may be filled: how many, some perhaps twice; the i-th. */
static inline unsigned tlb_used(const struct x86_cpu *cpu)
{
    return cpu->tlb_used[0].n + cpu->tlb_used[1].n;
}
static inline unsigned tlb_used_at(const struct x86_cpu *cpu, unsigned i)
{
    unsigned n = cpu->tlb_used[0].n;
    return i < n ? cpu->tlb_used[0].slot[i] : cpu->tlb_used[1].slot[i - n];
}

/* ---- descriptors (descriptor.c) ---- */

enum {
    SYS_TSS16 = 1,
    SYS_LDT = 2,
    SYS_TSS16_BUSY = 3,
    SYS_CALL16 = 4,
    SYS_TASK = 5,
    SYS_INT16 = 6,
    SYS_TRAP16 = 7,
    SYS_TSS32 = 9,
    SYS_TSS32_BUSY = 11,
    SYS_CALL32 = 12,
    SYS_INT32 = 14,
    SYS_TRAP32 = 15,
};
enum { TSS_BUSY = 2 };           /* bit of a TSS descriptor's type */

struct x86_desc {
    uint64_t raw;
    uint64_t high;               /* second half of a 16-byte descriptor of long mode; else 0 */
    uint64_t lin;                /* where it is */
    uint32_t attr;               /* AR_* */
    uint16_t sel;
};

#define SEL_ERR(sel) ((uint32_t)(sel) & 0xfffc)

static inline bool sel_null(uint16_t sel)
{
    return (sel & 0xfffc) == 0;
}

static inline unsigned sel_rpl(uint16_t sel)
{
    return sel & 3;
}

static inline unsigned attr_dpl(uint32_t attr)
{
    return (attr & AR_DPL) >> AR_DPL_SHIFT;
}

static inline bool attr_code(uint32_t attr)
{
    return (attr & (AR_S | AR_CODE)) == (AR_S | AR_CODE);
}

/* Code that runs in 64-bit mode. */
static inline bool attr_code64(const struct x86_cpu *cpu, uint32_t attr)
{
    return cpu->lma && (attr & AR_L);
}

static inline bool attr_conforming(uint32_t attr)
{
    return attr_code(attr) && (attr & AR_CONFORMING);
}

static inline bool attr_writable_data(uint32_t attr)
{
    return (attr & (AR_S | AR_CODE | AR_WRITABLE)) == (AR_S | AR_WRITABLE);
}

/* The type of a system descriptor; 0 (reserved) for code and data. */
static inline unsigned attr_system(uint32_t attr)
{
    return attr & AR_S ? 0 : attr & AR_TYPE;
}

/* A gate's offset: 16, 32 or, with a second half, 64 bits. */
static inline uint64_t gate_offset(const struct x86_desc *d)
{
    return (d->raw & 0xffff) | ((d->attr & 8) ? d->raw >> 32 & 0xffff0000 : 0) | d->high << 32;
}

/* What a transfer through a gate pushes: 2, 4 or 8 bytes an item. */
static inline unsigned gate_size(const struct x86_cpu *cpu, const struct x86_desc *gate)
{
    return cpu->lma ? 8 : gate->attr & 8 ? 4 : 2;
}

static inline uint16_t gate_sel(const struct x86_desc *d)
{
    return (uint16_t)(d->raw >> 16);
}

static inline unsigned gate_params(const struct x86_desc *d)
{
    return d->raw >> 32 & 31;
}

/* Reads the descriptor that @sel names. False if it lies outside its table (or there is no LDT). */
bool x86_desc_read(struct x86_cpu *cpu, uint16_t sel, struct x86_desc *d);
/* The same; outside its table is @vector(sel). */
void x86_desc_need(struct x86_cpu *cpu, uint16_t sel, struct x86_desc *d, unsigned vector);
/* Reads the second half of a descriptor that has 16 bytes in long mode; #GP(sel) if it lies outside
 * the table or names a type. */
void x86_desc_high(struct x86_cpu *cpu, struct x86_desc *d);
/* Sets the accessed bit in memory and in *d. */
void x86_desc_accessed(struct x86_cpu *cpu, struct x86_desc *d);
/* Makes an available TSS busy in memory. False: another processor changed the descriptor since it
 * was read; all of it is to be looked at anew. */
bool x86_desc_take(struct x86_cpu *cpu, const struct x86_desc *d);
/* Makes the TSS that @sel names available. */
void x86_desc_release(struct x86_cpu *cpu, uint16_t sel);
struct x86_seg x86_desc_seg(const struct x86_desc *d);

/* ---- segment registers (segment.c) ---- */

/* CS as a transfer to privilege @cpl loads it, of a descriptor whose type and privilege were found
 * right: #NP if it is absent. Its accessed bit in memory is the caller's to set, last. */
struct x86_seg x86_code_seg(struct x86_cpu *cpu, const struct x86_desc *d, unsigned cpl);
/* Stack segment for privilege @cpl: null and bad ones are @vector, an absent one #SS. */
void x86_stack_desc(struct x86_cpu *cpu, uint16_t sel, unsigned cpl, unsigned vector,
                    struct x86_desc *d);
/* Loads a register's cache and derives what depends on it. */
void x86_put_seg(struct x86_cpu *cpu, unsigned seg, const struct x86_seg *val);
/* The register as real-address and virtual-8086 mode load it. */
struct x86_seg x86_v86_seg(uint16_t sel);
/* seg_top_* of one register. */
void x86_derive_seg(struct x86_cpu *cpu, unsigned seg);
/* Is SS a flat segment of 32 bits that can be written? */
static inline bool x86_flat_stack(const struct x86_cpu *cpu)
{
    return cpu->seg_top_w[S_SS] == 1ull << 32 && cpu->s.seg[S_SS].base == 0 &&
           cpu->stack_mask == 0xffffffff;
}
/* After a return to an outer level: data registers that the new level may not use become null. */
void x86_drop_segs(struct x86_cpu *cpu, unsigned cpl);

static inline struct x86_seg x86_null_seg(uint16_t sel)
{
    return (struct x86_seg){.sel = sel, .attr = AR_UNUSABLE};
}

/* ---- stacks (segment.c) ---- */

/* A stack that is not (yet) in SS:SP. Pushes go to it; nothing is written before all of it is known
 * to be writable. */
struct x86_stack {
    struct x86_seg seg;
    uint64_t mask;
    uint64_t sp;
    bool user;
    uint32_t error;              /* error code of #SS for lack of room */
    unsigned n;
    uint64_t item[40];           /* in the order of the pushes */
};

void x86_stack_current(struct x86_cpu *cpu, struct x86_stack *st);
void x86_stack_new(struct x86_stack *st, const struct x86_seg *seg, uint64_t sp, unsigned cpl);
/* The 64-bit stack of a transfer to @cpl in long mode, aligned by the caller if need be. SS stays,
 * or is null at a new privilege level. */
void x86_stack_long(struct x86_cpu *cpu, struct x86_stack *st, unsigned cpl, uint64_t rsp);
static inline void x86_stack_add(struct x86_stack *st, uint64_t val)
{
    st->item[st->n++] = val;
}
/* Faults if the items, @size bytes each, have no room or cannot be written. */
void x86_stack_check(struct x86_cpu *cpu, const struct x86_stack *st, unsigned size);
/* Writes the checked items; sp moves. */
void x86_stack_write(struct x86_cpu *cpu, struct x86_stack *st, unsigned size);
/* @size bytes at SP + @at of the current stack, for returns. */
uint64_t x86_stack_peek(struct x86_cpu *cpu, unsigned at, unsigned size);
/* Moves the current SP by @bytes upwards. */
void x86_stack_drop(struct x86_cpu *cpu, unsigned bytes);
void x86_set_sp(struct x86_cpu *cpu, uint64_t sp);

/* @bytes at @host were stored: code there is decoded anew. */
static inline void x86_stored(struct x86_cpu *cpu, const uint8_t *host, unsigned bytes)
{
    uint64_t ram = (uint64_t)(host - cpu->arena->base);
    atomic_signal_fence(memory_order_seq_cst); /* the marks after the stores */
    if (unlikely(ram_marked(cpu->arena, ram, bytes))) {
        ram_touched(cpu->arena, ram, bytes);
    }
}

/* The host address of the 6 bytes at SP + @by in real-address mode; NULL: they are not one piece of
 * memory that the TLB has, or one of them may fault. */
static inline uint8_t *x86_real_frame(struct x86_cpu *cpu, int by, bool write)
{
    uint64_t sp = (cpu->s.gpr[R_SP] + (uint64_t)by) & 0xffff;
    uint64_t top = write ? cpu->seg_top_w[S_SS] : cpu->seg_top_r[S_SS];
    if (unlikely(cpu->stack_mask != 0xffff || sp + 6 > top || sp + 6 > 0x10000)) {
        return NULL;
    }
    return x86_at_hand(cpu, (cpu->s.seg[S_SS].base + sp) & cpu->lin_mask, 6, write,
                       cpu->super_tlb);
}

/* SS:SP of privilege @cpl from the TSS. */
void x86_tss_stack(struct x86_cpu *cpu, unsigned cpl, uint16_t *ss, uint64_t *sp);
/* The same of a 64-bit TSS: RSP0-2, or with @ist 1..7 that entry of the interrupt stack table. */
uint64_t x86_tss_rsp(struct x86_cpu *cpu, unsigned cpl, unsigned ist);

/* ---- notes ---- */

static inline struct x86_place x86_here(const struct x86_cpu *cpu)
{
    const struct x86_seg *cs = &cpu->s.seg[S_CS];
    uint64_t rip = x86_insn_rip(cpu);
    return (struct x86_place){
        .rip = rip, .lin = (cs->base + rip) & cpu->lin_mask, .cs = cs->sel, .known = true,
    };
}

/* The current instruction changes it. */
static inline void x86_note_change(struct x86_cpu *cpu, enum x86_change what)
{
    cpu->notes.changed[what] = x86_here(cpu);
}

/* ---- debug registers ---- */

enum { DR7_GD = 0x2000 };
enum { DEBUGCTL_LBR = 1, DEBUGCTL_BTF = 2 /* single steps stop at branches only */ };

/* A debug exception with the conditions @dr6: those of DR0-3 replace what was there, all others
 * stay until software clears them ([SDM3] "Debug Status Register (DR6)"). */
static inline void x86_debug_status(struct x86_cpu *cpu, uint32_t dr6)
{
    cpu->s.dr[6] = (cpu->s.dr[6] & ~(uint64_t)DR6_B) | dr6;
}

/* After a change of DR0-3, DR7 or CR4.DE. */
void x86_debug_changed(struct x86_cpu *cpu);
/* Notes the breakpoints that an access of @len bytes hits; the trap follows the instruction. */
void x86_watch_data(struct x86_cpu *cpu, uint64_t lin, unsigned len, bool write);
void x86_watch_port(struct x86_cpu *cpu, unsigned port, unsigned size);
/* True if a data breakpoint lies in the page of @lin. */
bool x86_watch_page(const struct x86_cpu *cpu, uint64_t lin);

/* ---- flags, instruction counts ---- */

/* Exact outside blocks. */
static inline uint64_t x86_icount(const struct x86_cpu *cpu)
{
    return cpu->icount_end - (uint64_t)cpu->budget;
}

/* #GP(0) if @rip is outside @cs. */
void x86_check_rip(struct x86_cpu *cpu, const struct x86_seg *cs, uint64_t rip);
/* Commits a far transfer: CS, RIP and, unless @st is NULL, SS and SP. Derives the rest. */
void x86_put_cs(struct x86_cpu *cpu, const struct x86_seg *cs, uint64_t rip,
                const struct x86_stack *st);
/* The same in real-address mode: base and selector change. */
void x86_put_real_cs(struct x86_cpu *cpu, uint16_t sel, uint64_t rip);

/* ---- passages (passage.c) ---- */

/* Mode and privilege that a transfer starts from. */
static inline uint32_t x86_passage_from(const struct x86_cpu *cpu)
{
    return cpu->mode | (uint32_t)cpu->cpl << 8 | (uint32_t)cpu->lma << 10;
}

/* Delivers through the gate of @vector as was done before. @soft: by INT n; @flags: what is pushed,
 * as *@error, if that is there. False: nothing was done. */
bool x86_pass_gate(struct x86_cpu *cpu, unsigned vector, bool soft, uint64_t flags,
                   const uint32_t *error);
/* The same for IRET, which may change the flags @mask. */
bool x86_pass_iret(struct x86_cpu *cpu, unsigned size, uint64_t mask);
/* A delivery just ended, from @from; @stack: of the SS that it loaded, or NULL. */
void x86_note_gate(struct x86_cpu *cpu, uint32_t from, unsigned vector,
                   const struct x86_desc *gate, const struct x86_desc *code,
                   const struct x86_desc *stack);
/* The same for IRET; @stack as it is read or null, NULL: SS stayed. */
void x86_note_iret(struct x86_cpu *cpu, uint32_t from, unsigned size, const struct x86_desc *code,
                   const struct x86_desc *stack);

/* ---- control registers (system.c) ---- */

/* Bits of EFER and CR4 that the model has. */
uint64_t x86_efer_known(const struct x86_model *m);
uint64_t x86_cr4_known(const struct x86_model *m);
/* Reads the PDPTE registers if paging uses them. False if one has a reserved bit set. */
bool x86_reload_pdptes(struct x86_cpu *cpu);

/* ---- what else the TSS says (io.c) ---- */

/* I/O permission of the current TSS ([SDM1] "I/O Permission Bit Map"). */
bool x86_tss_allows_io(struct x86_cpu *cpu, unsigned port, unsigned size);
/* True if INT n in virtual-8086 mode goes to the 8086 program's own table. */
bool x86_tss_redirects(struct x86_cpu *cpu, unsigned vector);

#endif
