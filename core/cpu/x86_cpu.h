/*
 * The software CPU's context: what the interpreter and the JIT share. The mechanisms (segmentation,
 * paging, interrupt delivery, task switches, SMM) work on it; the engines run instructions on it.
 *
 * Faults leave by x86_fault, which does not return: it unwinds to the engine's loop. So an
 * instruction does everything that can fault before it changes registers or memory.
 *
 * Inside a block, s.rip is not kept up to date: cur says which instruction runs, and x86_insn_rip
 * its address. A block-ending operation finds the address of the next instruction in s.rip and may
 * change it. Outside blocks (cur == NULL) s.rip is exact.
 */
#ifndef CORE_CPU_X86_CPU_H
#define CORE_CPU_X86_CPU_H

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/cpu/cpuid.h"
#include "core/cpu/insn.h"
#include "core/cpu/notes.h"
#include "core/cpu/x86_state.h"
#include "core/mem/space.h"

#include <setjmp.h>
#include <stdatomic.h>

#define PAGE_BITS   12
#define PAGE_BYTES  4096u
#define PAGE_OFFSET 0xfffull

#define TLB_BITS 13
#define TLB_SIZE (1u << TLB_BITS)

/* One page. A tag is the page's linear address, or TLB_NONE. rtag, wtag and xtag are set only where
 * the page is backed by memory and that access is allowed (wtag: and the dirty bit is set); then
 * the host address is linear + addend. otag is set where rtag and wtag are and no line of the page
 * is marked (ram_open_page). ptag is set when the translation is known but a device answers. A slot
 * that was never filled is all zeroes: tags of page 0, which only the first slot could have (so
 * memory of the TLB that is never needed is never touched). */
#define TLB_NONE 1ull
struct tlb_entry {
    uint64_t rtag, wtag, xtag, otag;
    uintptr_t addend;
    uint64_t ptag;
    uint64_t phys;           /* physical page address, A20 applied */
    uint16_t perms;          /* PERM_* allowed, valid with ptag */
    bool global;
    uint8_t noted;           /* the slot's, not the page's: bit 0 in tlb_used[0], bit 1 in [1] */
    uint32_t span;           /* bytes, less one, of the page that it is a piece of; 0: empty */
};
_Static_assert(sizeof(struct tlb_entry) == 64, "translated code relies on it");
enum {
    PERM_R = 1, PERM_W = 2, PERM_X = 4,
    /* Memory answers, but the tag is withheld: a debugger wants to hear of each access. */
    PERM_WATCH_R = 8, PERM_WATCH_W = 16,
};

#define TLB_LARGE 1024u      /* bits */

/* One TLB a kind of access: permissions in it are that kind's. */
enum { TLB_SUPER, TLB_USER, TLB_SUPER_AC /* EFLAGS.AC lets SMAP pass */, TLB_COUNT };

/*
 * A range of pages that the TLB has, with one addend: reads of it have their rtag, writes and
 * modifications their otag. A byte at linear address l is inside if l - start < limit, and so is an
 * operand of up to TLB_RUN_OPERAND bytes that begins there. Kept up by whatever changes the TLB
 * (tlb_runs.c), so code that looks here finds what it would find in the entries.
 */
#define TLB_RUNS        16   /* for reads, and as many for writes */
#define TLB_RUN_STACK   0    /* the one where RSP leads, when it has been lost */
#define TLB_RUN_OPERAND 32u
#define TLB_RUN_NEAR    160
#define TLB_RUN_MISSES  256
struct tlb_run {
    uint64_t start;          /* a page's */
    uint64_t limit;          /* 0: empty; else bytes - TLB_RUN_OPERAND + 1 */
    uint64_t near_limit;     /* the same for TLB_RUN_NEAR bytes */
    uintptr_t addend;
    uintptr_t host;          /* of start: start + addend */
    uint64_t bytes;
    bool global;             /* all its entries are */
    uint64_t home, home_bytes; /* where it was when it was made or dropped */
    int32_t patience;        /* accesses elsewhere that may still come, before it is asked whether
                              * they are too many (x86_tlb_run_fails) */
    uint64_t since;          /* instruction count when they were TLB_RUN_MISSES */
};

/* Kinds of access, for paging. */
enum x86_access { ACC_READ, ACC_WRITE, ACC_FETCH };

#define X86_NO_PAGE (~0ull)

/* What linear addresses lead elsewhere: all (paging, view, A20); all but global pages; the page of
 * one address, of whatever size. */
enum x86_moved { MOVED_ALL, MOVED_NOT_GLOBAL, MOVED_PAGE };

struct x86_host_ops {
    uint64_t (*read)(void *host, struct space *s, uint64_t addr, unsigned size);
    void (*write)(void *host, struct space *s, uint64_t addr, uint64_t val, unsigned size);
    unsigned (*read_block)(void *host, struct space *s, uint64_t addr, void *buf, unsigned size,
                           unsigned n);
    unsigned (*write_block)(void *host, struct space *s, uint64_t addr, const void *buf,
                            unsigned size, unsigned n);
    int (*acknowledge)(void *host);                    /* INTA: vector */
    uint64_t (*tsc)(void *host);                       /* time-stamp counter before tsc_offset */
    void (*ferr)(void *host, bool level);              /* FERR# pin */
    bool (*random)(void *host, uint64_t *val); /* for RDRAND; false or NULL: runs must repeat */
    /* The local APIC; has_apic NULL or false: there is none, and the rest is not called. */
    bool (*has_apic)(void *host);
    bool (*apic_read)(void *host, uint32_t msr, uint64_t *val);  /* false: #GP(0) */
    bool (*apic_write)(void *host, uint32_t msr, uint64_t val);
    void (*apic_deadline)(void *host, uint64_t val, uint64_t at); /* reached when tsc() gives @at */
    /* Between alone(true) and alone(false) no other processor runs, if any runs beside this one. */
    void (*alone)(void *host, bool on);
    uint8_t (*cr8)(void *host);
    void (*set_cr8)(void *host, uint8_t val);
};

/* A transfer through a gate or by IRET, as it was done before (passage.c). */
struct x86_passage {
    uint32_t from;           /* mode word and privilege before it; 0: empty */
    uint16_t what;           /* vector; of IRET the selector of CS */
    bool open;               /* also to INT n */
    bool wide;               /* 8 bytes an item, on a stack without limits; else 4, on a flat one */
    bool loads_ss, reads_ss; /* else SS stays; is null */
    bool from_tss;           /* SP comes from the TSS */
    uint8_t cpl;             /* afterwards, as what follows */
    uint32_t mode;
    uint32_t flags_off;
    uint64_t rip, stack_mask;
    struct x86_seg cs, ss;
    uint64_t top_r[2], top_w[2]; /* seg_top_* of CS and SS */
    uint8_t based;           /* their bits of seg_based */
    uint64_t gate_at, gate, gate_high; /* descriptors: where they are, and what they were then */
    uint64_t code_at, code, stack_at, stack;
    uint64_t tss_at;         /* where SP is, and outside long mode SS */
};
#define PASSAGE_GATES   32u
#define PASSAGE_RETURNS 16u
struct x86_passages {
    struct x86_seg ldtr, tr; /* all of them were made with these */
    struct x86_dtr gdtr, idtr;
    struct x86_passage gate[PASSAGE_GATES], back[PASSAGE_RETURNS];
};

struct x86_cpu {
    struct x86_state s;          /* first: engines address registers from the context pointer */

    /* The arithmetic flags, always: OSZAPC of s.rflags are stale while the engine owns the state
     * (x86_get_rflags works them out). See flags.h. */
    uint64_t lf_result;
    uint64_t lf_aux;

    /* Derived from s by x86_mode_changed; engines read only these in their fast ways. */
    uint64_t seg_top_r[6];       /* a read of n bytes at offset o is fine if o + n <= this */
    uint64_t seg_top_w[6];       /* 0: check the slow way */
    uint64_t seg_changes;        /* how often one of these or seg_based changed */
    uint8_t seg_based;           /* bit sreg: base not 0 when derived outside 64-bit code */
    uint64_t lin_mask;           /* 0xffffffff, or all ones in 64-bit mode */
    uint64_t stack_mask;         /* 0xffff, 0xffffffff or all ones: SP width */
    uint64_t rip_mask;           /* 0xffffffff, or all ones in 64-bit mode: IP may pass FFFFh */
    uint32_t mode;               /* MODE_*: what decoded blocks depend on */
    uint8_t cpl;
    bool pe, vm, pg, lma;
    uint8_t super_tlb;           /* the TLB of accesses at CPL 0-2: TLB_SUPER or TLB_SUPER_AC */
    bool parallel;               /* others run at the same time: LOCK must hold against them */
    bool align_check;            /* #AC is on: CR0.AM, EFLAGS.AC, CPL 3; then every seg_top is 0 */
    struct tlb_entry *tlb;       /* tlbs[] of the current privilege */

    /* The running block. */
    const struct insn *cur;      /* NULL outside blocks */
    uint64_t block_rip;          /* RIP of the block's first instruction */
    int64_t budget;              /* instructions left in this slice after the current block */
    uint64_t icount_end;         /* instructions retired = icount_end - budget outside a block */

    _Atomic uint32_t *pending;   /* the vCPU's PEND_* word */
    uint32_t pend_mask;          /* bits of it that matter now; kept by the engine */
    struct space *space;         /* memory as seen now: host mem, or smm while in SMM */
    struct space *mem, *smm, *ports;
    struct ram_arena *arena;
    const struct x86_model *model;
    const struct x86_host_ops *host_ops;
    void *host;

    jmp_buf unwind;              /* where x86_fault goes; set by the engine's loop */
    struct { /* the exception being delivered, for double faults and post-mortems */
        bool active;             /* raised or being delivered */
        uint8_t vector;
        uint8_t kind;            /* enum x86_int_kind */
        bool has_error;
        uint8_t nested;          /* how many came before it in this delivery */
        uint32_t error;
    } exc;
    uint8_t watch_data;          /* DR0-3 that watch data; pages with them miss the TLB */
    uint8_t watch_ports;         /* DR0-3 that watch ports */
    uint32_t watch_hits;         /* DR6_B bits: breakpoints that the running instruction hit */
    uint64_t rf_icount;          /* EFLAGS.RF holds at this instruction count only */
    /* Where the TLB has pieces of large pages, by hash of the linear address above 2 MiB; pages of
     * 1 GiB count as everywhere. */
    uint64_t tlb_large[TLB_LARGE / 64];
    bool tlb_opens;              /* otag is wanted */
    uint64_t apic_page;          /* physical page that the local APIC answers, or X86_NO_PAGE */
    uint32_t apic_id;            /* initial APIC ID, as CPUID tells it */
    struct x86_topology topology;
    const struct view_range *walk_range; /* last range a page walk used; of space->view */
    /* Told by mechanisms: */
    /* cached code by linear address is stale */
    void (*flush_code)(struct x86_cpu *cpu, enum x86_moved what, uint64_t lin);
    /* leave the block when this instruction is done */
    void (*stop_after_insn)(struct x86_cpu *cpu);
    /* a device was accessed: look at slice and pending; or NULL */
    void (*after_device)(struct x86_cpu *cpu);
    /* A debugger's; NULL: none. Which accesses (PERM_R, PERM_W) to a page it wants to hear of, and
     * each access to such a page before it is made (others, too). TLB entries are as old as the
     * last flush. */
    unsigned (*watched)(struct x86_cpu *cpu, uint64_t lin_page, uint64_t phys_page);
    void (*accessed)(struct x86_cpu *cpu, uint64_t lin, uint64_t phys, unsigned size, bool write);
    /* Likewise: an interrupt or exception was delivered, and came at @from; an MSR was read or
     * written. */
    void (*delivered)(struct x86_cpu *cpu, unsigned vector, unsigned kind, uint32_t error,
                      const struct x86_place *from);
    void (*msr_used)(struct x86_cpu *cpu, uint32_t index, uint64_t val, bool write);
    struct x86_notes notes;      /* for post-mortems */
    struct x86_passages passages;

    /* Slots filled with pages that are not global, and with global ones, since these were dropped:
     * which TLB << TLB_BITS | slot, each once. One may be in both and have neither. */
    struct {
        unsigned n;
        uint16_t slot[TLB_COUNT * TLB_SIZE];
    } tlb_used[2];
    struct tlb_run runs[TLB_COUNT][2][TLB_RUNS]; /* [0]: reads, [1]: writes */
    uint32_t run_tired;          /* 0, or the offset in here of a run without patience, */
    uint64_t run_missed;         /* and where the access was */
    uint64_t tlb_losses;         /* how often the TLB has lost a page, or an otag */
    struct tlb_entry tlbs[TLB_COUNT][TLB_SIZE];
};

/* mode word: blocks decoded under another word are not run. */
enum {
    MODE_CS32 = 1,               /* default operand and address size 32 */
    MODE_CS64 = 2,
    MODE_SS32 = 4,
    MODE_PE = 8,
    MODE_VM = 16,
    MODE_CPL3 = 32,
    MODE_SMM = 64,
    MODE_TF = 128,               /* one instruction a block */
};

/* ---- faults (trap.c) ---- */

/* Raises an exception of the current instruction. Does not return. */
/* with error code */
_Noreturn void x86_fault(struct x86_cpu *cpu, unsigned vector, uint32_t error);
_Noreturn void x86_fault_noerr(struct x86_cpu *cpu, unsigned vector);

/* RIP of the current instruction, and of the one after @in (both masked to the code size). */
static inline uint64_t x86_insn_rip(const struct x86_cpu *cpu)
{
    return cpu->cur ? (cpu->block_rip + cpu->cur->offset) & cpu->rip_mask : cpu->s.rip;
}

static inline uint64_t x86_next_rip(const struct x86_cpu *cpu, const struct insn *in)
{
    return (cpu->block_rip + in->offset + in->len) & cpu->rip_mask;
}

/* Delivers an interrupt or exception: gates, stack switch, pushes. Called by the engine's loop
 * after an unwind, for pending interrupts, and by INT n. s.rip is the return address for software
 * interrupts and traps. Nested faults, double fault and shutdown (activity = ACT_SHUTDOWN) are
 * handled here. */
enum x86_int_kind {
    INT_EXTERNAL, INT_NMI, INT_EXCEPTION, INT_SOFTWARE /* INT n */, INT_ICEBP,
    INT_SOFT_EXC /* INT3, INTO */
};
void x86_interrupt(struct x86_cpu *cpu, unsigned vector, enum x86_int_kind kind, bool has_error,
                   uint32_t error);

/* The engine's loop calls this after an unwind: delivers cpu->exc. Clears cur. */
void x86_deliver_fault(struct x86_cpu *cpu);
/* The engine's loop calls this between instructions: a #DB trap with @dr6 bits (DR6_BS after an
 * instruction that began with EFLAGS.TF set). */
enum { DR6_B = 0xf, DR6_BD = 0x2000, DR6_BS = 0x4000, DR6_BT = 0x8000 };
void x86_debug_trap(struct x86_cpu *cpu, uint32_t dr6);

/* ---- derived state ---- */

/* After any change of segment registers, CR0, CR4, EFER, EFLAGS.VM/TF, CPL or SMM. Cheap. */
void x86_mode_changed(struct x86_cpu *cpu);
/* The same where no segment register but CS and SS was loaded. */
void x86_code_changed(struct x86_cpu *cpu);

/* Empties the TLB: all of it, one page, or all but global pages. */
void x86_tlb_flush(struct x86_cpu *cpu);
/* The same of a TLB that may never have been used. */
void x86_tlb_first_flush(struct x86_cpu *cpu);
void x86_tlb_flush_nonglobal(struct x86_cpu *cpu);
void x86_tlb_flush_page(struct x86_cpu *cpu, uint64_t lin);

/* ---- ranges of pages (tlb_runs.c) ---- */

/* Is linear address @lin in a run of TLB @kind, or can a run be made around it? Which; -1: none. */
int x86_tlb_run_at(struct x86_cpu *cpu, unsigned kind, uint64_t lin, bool write);
/* The stack's run is to be at @lin. */
void x86_tlb_stack_run(struct x86_cpu *cpu, unsigned kind, uint64_t lin, bool write);
/* The run that lost patience: did its misses come so fast that they cost more than it saves? Else
 * it has patience again. */
bool x86_tlb_run_fails(struct x86_cpu *cpu, struct tlb_run *r);
/* A run of many pages; -1: none. */
int x86_tlb_large_run(const struct x86_cpu *cpu, unsigned kind, bool write);
/* A line of the page at ram address @ram was marked: its otags go. */
void x86_tlb_close_page(struct x86_cpu *cpu, uint64_t ram);

/* ---- memory (paging.c) ----
 * Slow ways of the inline functions below; also correct for everything. @user: as CPL 3. They split
 * accesses that cross pages, reach devices, mark pages accessed and dirty, fault with #PF, and tell
 * the arena of stores to marked lines. A store of several pages checks all of them before it
 * writes. */
uint64_t x86_lin_read(struct x86_cpu *cpu, uint64_t lin, unsigned size, bool user);
void x86_lin_write(struct x86_cpu *cpu, uint64_t lin, uint64_t val, unsigned size, bool user);
/* Faults as a write of @size bytes would, without writing. */
void x86_lin_probe_write(struct x86_cpu *cpu, uint64_t lin, unsigned size, bool user);
/* Stores @val if the @size bytes (1, 2, 4, 8) are @old, as one operation for all other processors;
 * returns what they were. The instruction has looked at them as for a write before (atomic.c). */
uint64_t x86_lin_cas(struct x86_cpu *cpu, uint64_t lin, uint64_t old, uint64_t val, unsigned size);
/* The same for 16 aligned bytes: true if they were @old, which then or else holds what they
 * were. */
bool x86_lin_cas16(struct x86_cpu *cpu, uint64_t lin, uint64_t old[2], const uint64_t val[2]);
/* Either, of up to 16 bytes anywhere, with all other processors stopped. */
bool x86_lin_cas_alone(struct x86_cpu *cpu, uint64_t lin, uint8_t *old, const uint8_t *val,
                       unsigned size);
/* The host's address of @len bytes inside one page for a write; NULL if they are elsewhere. */
uint8_t *x86_lin_host(struct x86_cpu *cpu, uint64_t lin, unsigned len, bool user);
/* x86_lin_cas at an aligned host address in the arena. */
uint64_t x86_host_cas(struct x86_cpu *cpu, uint8_t *p, uint64_t old, uint64_t val, unsigned size);
/* Any length up to 4096, memory or device. */
void x86_lin_read_bytes(struct x86_cpu *cpu, uint64_t lin, void *buf, unsigned len, bool user);
void x86_lin_write_bytes(struct x86_cpu *cpu, uint64_t lin, const void *buf, unsigned len,
                         bool user);

/* Translates for @acc; faults. Returns the TLB entry (valid until the next memory access). */
struct tlb_entry *x86_translate(struct x86_cpu *cpu, uint64_t lin, enum x86_access acc, bool user);
/* For debuggers: no fault, no A/D bits. False if not present. */
bool x86_translate_debug(struct x86_cpu *cpu, uint64_t lin, uint64_t *phys);

/* Offset in its segment of the memory operand of @in, of the address size. */
static inline uint64_t insn_ea_by(const uint64_t gpr[18], const struct insn *in)
{
    const uint8_t *at = (const uint8_t *)gpr;
    uint64_t ea = ld64le(at + in->base) + (ld64le(at + in->index) << in->scale) +
                  (uint64_t)(int64_t)in->disp;
    return ea & (~0ull >> in->ea_shift);
}

static inline uint64_t insn_ea(const struct x86_cpu *cpu, const struct insn *in)
{
    return insn_ea_by(cpu->s.gpr, in);
}

/* #AC where alignment is checked and seg:off is no multiple of @align. */
void x86_align_check(struct x86_cpu *cpu, unsigned seg, uint64_t off, unsigned align);
/* Segmentation: the linear address of @size bytes at seg:off, or #GP/#SS. The latter two check the
 * alignment of words of 2, 4 and 8 bytes. */
uint64_t x86_seg_check(struct x86_cpu *cpu, unsigned seg, uint64_t off, unsigned size, bool write);
uint64_t x86_seg_read_check(struct x86_cpu *cpu, unsigned seg, uint64_t off, unsigned size);
uint64_t x86_seg_write_check(struct x86_cpu *cpu, unsigned seg, uint64_t off, unsigned size);

static inline struct tlb_entry *x86_tlb_slot(struct x86_cpu *cpu, uint64_t lin)
{
    return &cpu->tlb[(lin >> PAGE_BITS) & (TLB_SIZE - 1)];
}

/* The page of the last of @size bytes at @lin. It is the tag of lin's slot only if all of them are
 * in that page: the next page has another slot. */
static inline uint64_t x86_last_page(uint64_t lin, unsigned size)
{
    return (lin + size - 1) & ~PAGE_OFFSET;
}

/* Is an operand that the TLB does not lead to memory a device's (@perm PERM_R or PERM_W: for that
 * access), in a page that it has and nobody watches? It is at physical *phys then. */
static inline bool x86_device_at(const struct x86_cpu *cpu, const struct tlb_entry *e, uint64_t lin,
                                 unsigned size, unsigned perm, uint64_t *phys)
{
    _Static_assert(PERM_WATCH_R == PERM_R << 3 && PERM_WATCH_W == PERM_W << 3, "shifted below");
    *phys = e->phys | (lin & PAGE_OFFSET);
    return e->ptag == (lin & ~PAGE_OFFSET) && (lin & PAGE_OFFSET) + size <= PAGE_BYTES &&
           (e->perms & (perm | perm << 3)) == perm && !cpu->watch_data && !cpu->accessed;
}

static inline uint64_t x86_lin_r(struct x86_cpu *cpu, unsigned seg, uint64_t off, unsigned size)
{
    if (likely(off + size <= cpu->seg_top_r[seg])) {
        return (cpu->s.seg[seg].base + off) & cpu->lin_mask;
    }
    return x86_seg_read_check(cpu, seg, off, size);
}

static inline uint64_t x86_lin_w(struct x86_cpu *cpu, unsigned seg, uint64_t off, unsigned size)
{
    if (likely(off + size <= cpu->seg_top_w[seg])) {
        return (cpu->s.seg[seg].base + off) & cpu->lin_mask;
    }
    return x86_seg_write_check(cpu, seg, off, size);
}

#define X86_MEMORY(bits)                                                                           \
    static inline uint##bits##_t x86_ldl##bits(struct x86_cpu *cpu, uint64_t lin)                  \
    {                                                                                              \
        const struct tlb_entry *e = x86_tlb_slot(cpu, lin);                                        \
        if (likely(e->rtag == x86_last_page(lin, bits / 8))) {                                     \
            uint##bits##_t v;                                                                      \
            memcpy(&v, (const void *)(uintptr_t)(lin + e->addend), sizeof(v));                     \
            return v;                                                                              \
        }                                                                                          \
        return (uint##bits##_t)x86_lin_read(cpu, lin, bits / 8, cpu->cpl == 3);                    \
    }                                                                                              \
    static inline void x86_stl##bits(struct x86_cpu *cpu, uint64_t lin, uint##bits##_t v)          \
    {                                                                                              \
        const struct tlb_entry *e = x86_tlb_slot(cpu, lin);                                        \
        if (likely(e->wtag == x86_last_page(lin, bits / 8))) {                                     \
            uint8_t *p = (uint8_t *)(uintptr_t)(lin + e->addend);                                  \
            size_t ram = (size_t)(p - cpu->arena->base);                                           \
            memcpy(p, &v, sizeof(v));                                                              \
            atomic_signal_fence(memory_order_seq_cst); /* the marks after the store: block.c */    \
            if (unlikely(cpu->arena->marks[ram >> RAM_LINE_SHIFT] |                                \
                         cpu->arena->marks[(ram + bits / 8 - 1) >> RAM_LINE_SHIFT])) {             \
                ram_touched(cpu->arena, ram, bits / 8);                                            \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        x86_lin_write(cpu, lin, v, bits / 8, cpu->cpl == 3);                                       \
    }                                                                                              \
    static inline uint##bits##_t x86_ld##bits(struct x86_cpu *cpu, unsigned seg, uint64_t off)     \
    {                                                                                              \
        return x86_ldl##bits(cpu, x86_lin_r(cpu, seg, off, bits / 8));                             \
    }                                                                                              \
    static inline void x86_st##bits(struct x86_cpu *cpu, unsigned seg, uint64_t off,               \
                                    uint##bits##_t v)                                              \
    {                                                                                              \
        x86_stl##bits(cpu, x86_lin_w(cpu, seg, off, bits / 8), v);                                 \
    }                                                                                              \
    /* The load of a read-modify-write: faults as the write would; *lin is for x86_stl. */         \
    static inline uint##bits##_t x86_rmw##bits(struct x86_cpu *cpu, unsigned seg, uint64_t off,    \
                                               uint64_t *lin_out)                                  \
    {                                                                                              \
        uint64_t lin = x86_lin_w(cpu, seg, off, bits / 8);                                         \
        const struct tlb_entry *e = x86_tlb_slot(cpu, lin);                                        \
        *lin_out = lin;                                                                            \
        if (likely(e->wtag == x86_last_page(lin, bits / 8) && e->rtag == e->wtag)) {               \
            uint##bits##_t v;                                                                      \
            memcpy(&v, (const void *)(uintptr_t)(lin + e->addend), sizeof(v));                     \
            return v;                                                                              \
        }                                                                                          \
        x86_lin_probe_write(cpu, lin, bits / 8, cpu->cpl == 3);                                    \
        return (uint##bits##_t)x86_lin_read(cpu, lin, bits / 8, cpu->cpl == 3);                    \
    }                                                                                              \
    /* The store of a locked read-modify-write, if memory still has @old. Returns what it had. */  \
    static inline uint##bits##_t x86_cas##bits(struct x86_cpu *cpu, uint64_t lin,                  \
                                               uint##bits##_t old, uint##bits##_t v)               \
    {                                                                                              \
        return (uint##bits##_t)x86_lin_cas(cpu, lin, old, v, bits / 8);                            \
    }
X86_MEMORY(8)
X86_MEMORY(16)
X86_MEMORY(32)
X86_MEMORY(64)
#undef X86_MEMORY

/* ---- ports ---- */

/* Is each port allowed, by CPL and IOPL alone? */
static inline bool x86_io_free(const struct x86_cpu *cpu)
{
    return !cpu->pe || (!cpu->vm && cpu->cpl <= (cpu->s.rflags & FL_IOPL) >> 12);
}
/* Checks CPL against IOPL and the TSS's bit map; #GP(0). */
void x86_io_check(struct x86_cpu *cpu, unsigned port, unsigned size);
uint32_t x86_io_read(struct x86_cpu *cpu, unsigned port, unsigned size);
void x86_io_write(struct x86_cpu *cpu, unsigned port, uint32_t val, unsigned size);

/* ---- segmentation (segment.c) ---- */

/* MOV/POP/Lxx to a segment register other than CS, with all checks of the mode. */
void x86_load_seg(struct x86_cpu *cpu, unsigned seg, uint16_t sel);
/* Far transfers: @next is the return address (offset), @size 2, 4 or 8 the operand size. */
void x86_far_jmp(struct x86_cpu *cpu, uint16_t sel, uint64_t off, unsigned size);
void x86_far_call(struct x86_cpu *cpu, uint16_t sel, uint64_t off, uint64_t next, unsigned size);
void x86_far_ret(struct x86_cpu *cpu, unsigned size, unsigned pop);
void x86_iret(struct x86_cpu *cpu, unsigned size);
void x86_lldt(struct x86_cpu *cpu, uint16_t sel);
void x86_ltr(struct x86_cpu *cpu, uint16_t sel);
/* LAR, LSL, VERR, VERW: true and *out if the descriptor may be seen. */
bool x86_lar(struct x86_cpu *cpu, uint16_t sel, uint32_t *out);
bool x86_lsl(struct x86_cpu *cpu, uint16_t sel, uint32_t *out);
bool x86_ver(struct x86_cpu *cpu, uint16_t sel, bool write);
/* Stack with the current SS and its size: pushes @size bytes. Faults before changing SP. */
void x86_push(struct x86_cpu *cpu, uint64_t val, unsigned size);
uint64_t x86_pop(struct x86_cpu *cpu, unsigned size);

/* ---- tasks (task.c) ---- */
enum x86_task_source { TASK_JMP, TASK_CALL, TASK_IRET, TASK_GATE };
void x86_task_switch(struct x86_cpu *cpu, uint16_t tss_sel, enum x86_task_source source,
                     uint64_t next_rip, bool has_error, uint32_t error);

/* ---- control registers, MSRs (system.c) ---- */
void x86_set_cr0(struct x86_cpu *cpu, uint64_t val);   /* checks; #GP(0) */
void x86_set_cr3(struct x86_cpu *cpu, uint64_t val);
void x86_set_cr4(struct x86_cpu *cpu, uint64_t val);
/* also lazy flags, mode, TF */
void x86_set_rflags(struct x86_cpu *cpu, uint64_t val, uint64_t mask);
uint64_t x86_get_rflags(struct x86_cpu *cpu);          /* with the lazy flags worked out */
uint64_t x86_rdmsr(struct x86_cpu *cpu, uint32_t index); /* #GP(0) for unknown ones */
void x86_wrmsr(struct x86_cpu *cpu, uint32_t index, uint64_t val);
/* After s was written from outside (set_state, reset, RSM): derive everything, flush everything. */
void x86_state_loaded(struct x86_cpu *cpu);

/* ---- fast system calls (syscall.c): s.rip is changed; @size the operand size ---- */
void x86_syscall(struct x86_cpu *cpu, uint64_t next);
void x86_sysret(struct x86_cpu *cpu, unsigned size);
void x86_sysenter(struct x86_cpu *cpu);
void x86_sysexit(struct x86_cpu *cpu, unsigned size);

/* ---- local APIC (apic.c) ---- */
bool x86_has_apic(const struct x86_cpu *cpu);
/* False: no such MSR here, or a value that it does not take. */
bool x86_apic_rdmsr(struct x86_cpu *cpu, uint32_t index, uint64_t *val);
bool x86_apic_wrmsr(struct x86_cpu *cpu, uint32_t index, uint64_t val);
void x86_apic_tsc_written(struct x86_cpu *cpu);
void x86_apic_moved(struct x86_cpu *cpu);  /* s.apic_base changed: derives apic_page */
uint64_t x86_get_cr8(struct x86_cpu *cpu);
void x86_set_cr8(struct x86_cpu *cpu, uint64_t val); /* #GP(0) above 15 */

/* ---- SMM (smm.c) ---- */
void x86_smi(struct x86_cpu *cpu);       /* enter: save state to SMRAM, switch view */
void x86_rsm(struct x86_cpu *cpu);

/* ---- CPUID (cpuid.c) ---- */
struct x86_cpuid {
    uint32_t eax, ebx, ecx, edx;
};
void x86_cpuid(struct x86_cpu *cpu, uint32_t leaf, uint32_t subleaf, struct x86_cpuid *out);

#endif
