/*
 * Inside the interpreter: the block cache and how blocks follow each other.
 *
 * A block is a run of decoded instructions that ends at a branch, at an instruction that changes
 * the mode, or at a page border. Blocks are keyed by where their bytes lie in the arena and by what
 * decoding depends on; a second table finds them by linear address. Nothing else links them, so a
 * stale translation is forgotten by a new generation number, and an invalid block by a first
 * instruction that stops.
 *
 * Counting: on entry a block takes all its instructions from the budget; whoever leaves early gives
 * back those that did not run. So the count is exact whenever somebody asks.
 */
#ifndef CORE_ACCEL_INTERP_ENGINE_H
#define CORE_ACCEL_INTERP_ENGINE_H

#include "core/accel/debug.h"
#include "core/accel/interp/interp.h"
#include "core/accel/interp/room.h"
#include "core/accel/interp/template.h"
#include "core/event/thread.h"

#define BLOCK_INSNS      64       /* most instructions in a block */
#define HOT_INSNS        4        /* the same where code changes again and again */
#define HOT              8        /* changes that make a line hot */
#define BLOCKS_KEPT      8        /* that are no more, in a bucket: their bytes may come back */
#define BLOCK_ARENA      (32u * 1024 * 1024)
#define BLOCK_PARTS      16u      /* of the arena; room.h says which one is filled next */
#define BLOCK_HASH       65536u
#define LINE_HASH        65536u
#define JUMP_ENTRIES     16384u
#define CODE_PAGES       16384u   /* bits: pages by hash */
#define INVALID_QUEUE    64u
#define REP_CHUNK        4096u    /* iterations that count as one instruction */

/* What decoding depends on, of the mode word. */
#define MODE_DECODE (MODE_CS32 | MODE_CS64 | MODE_PE | MODE_VM)

struct interp;

struct block {
    uint64_t ram;                /* ram address of the first byte */
    uint64_t ram2;               /* of the part in the next page, if bytes > bytes1 */
    uint32_t mode;               /* & MODE_DECODE */
    uint16_t bytes, bytes1;      /* in all; in the first page */
    uint8_t n;                   /* instructions */
    bool linked;                 /* it is known: its bytes are as they were decoded */
    bool hashed;                 /* in its bucket, where a block that is not linked waits */
    bool ends;                   /* the last one may go elsewhere; else what lies behind is next */
    uint16_t warm;               /* the translator's: how often it ran */
    insn_run first;              /* run of insns[0]; the translator may put its own there */
    void *translated, *parts;    /* the translator's */
    uint64_t faulted, checked;   /* likewise, a bit an instruction */
    struct block *hash_next;
    struct insn insns[]; /* n, one that goes on behind the block, block_next, the bytes */
};

/* A line of memory that a block covers. */
struct block_line {
    uint64_t line;
    struct block *block;
    struct block_line *next;
} __attribute__((aligned(16)));

struct jump_entry {
    uint64_t lin;
    uint64_t key;                /* interp.key or global_key of the time | mode */
    struct block *block;
};

#define KEY_MODE_BITS 8          /* the rest of a key is a number, which never wraps */
/* No entry has it: makes every chain end. */
#define KEY_NEVER (~0ull << KEY_MODE_BITS)

/* A copy of an instruction, to be run alone or with what @insn[1] does. */
struct insn_alone {
    struct insn insn[2];
    struct jump_entry next[2];   /* as block_next expects it; key is 0 */
};

/* Behind a block's last instruction @in and run_end: where it went on, if it branched and if it did
 * not. Copies of what the jump table had then, which are found without waiting for the address. */
static inline struct jump_entry *block_next(const struct insn *in, bool branched)
{
    return (struct jump_entry *)(in + 2) + branched;
}

/* Who translates blocks to host code (core/accel/jit): told what becomes of them. It may put its
 * own function in place of insns[0].run. */
struct interp_translator {
    void (*added)(struct interp *e, struct block *b);   /* decoded, and known from now on */
    /* its bytes changed: it is never entered again */
    void (*dropped)(struct interp *e, struct block *b);
    void (*flushed)(struct interp *e);                  /* all blocks are gone */
    /* code is at other linear addresses now; that of global pages only if @all */
    void (*moved)(struct interp *e, bool all);
    void (*kick)(struct interp *e); /* something is pending, on another thread */
};

/* What translated code itself looks at, within reach of the context pointer. */
#define NEARS 4
struct interp_translated {
    uint16_t flags;              /* OSZAPC: AH as by LAHF in bits 15:8, OF in bit 0 */
    uint64_t kept;               /* from this and a register, flags can be made again */
    uint64_t jump_key, global_key; /* entries of jumps[] have one besides the offset */
    void *jumps;
    void *live_jumps;            /* of code whose flags are in EFLAGS, and what entries must have */
    uint64_t live_key;
    const uint8_t *marks; /* the arena's, so that host address >> RAM_LINE_SHIFT indexes them */
    const uint8_t *base;  /* what REG_MARKS holds outside 64-bit code: those, or the window */
    uintptr_t near[NEARS];       /* host address - linear address of accesses that are made again */
    void *link;                  /* the exit that was taken, if it wants to be linked */
    void *stores;                /* where the next store is noted, while checking */
    /* The host's stack pointer: translated code's, while C code runs, and C code's. */
    void *returns, *c_stack;
    _Atomic unsigned closed;     /* another thread wants the processor to look up */
    void *back;                  /* where C code returns to that translated code calls */
    bool inside;                 /* translated code runs, or C code that it called */
    const uint8_t *code;         /* where that is to go on */
    uint8_t fp;                  /* which registers of the FPU the host holds now: 0 in C code */
    uint32_t host_mxcsr;         /* what C code expects */
};

/* What the engine asks of whoever runs it. */
struct interp_host {
    int64_t (*slice)(void *host);  /* instructions that may run before time must be looked at */
    bool (*a20)(void *host);       /* level of the A20 pin */
    uint8_t (*sipi_vector)(void *host); /* of the SIPI that is pending; may be NULL */
    void (*took_init)(void *host); /* the local APIC is to be reset; may be NULL */
    /* the guest polls for something (idle.h) at instruction @icount; may wait a little; or NULL */
    void (*polls)(void *host, uint64_t icount);
    /* the guest spins (PAUSE) at instruction @icount; may wait until a bit of @wanted is pending.
     * True: time has passed, or the slice changed. NULL: there is nothing to wait for */
    bool (*spins)(void *host, uint64_t icount, uint32_t wanted);
};

/* What the engines that decode one arena's code share: the first one's. A line is marked as long as
 * one of them may have code of it. */
struct interp_shared {
    struct lock lock;            /* around making a block known, and around taking a mark away */
    struct interp *engines[MACHINE_MAX_VCPUS];
    unsigned n;
};

/* What a debugger wants of the engine (debug.c). */
struct interp_debug {
    const struct stops *stops;   /* NULL: nobody debugs; then nothing below counts */
    enum vcpu_step step;
    uint64_t step_from;          /* icount at which the step began */
    uint64_t stop_count;
    uint64_t passed_lin, passed_icount; /* the code point that was reported last */
    unsigned version;            /* of stops, that the blocks are cut for */
    enum cpu_mode mode;          /* as last seen */
    struct debug_hit hit;        /* kind is HIT_NONE, or the engine is about to leave */
};

/* Blocks that were entered, by their instruction's number modulo the size: the last so many
 * instructions are all there. Of translated code there are the blocks that the interpreter had to
 * help: all that fault, halt or reach devices. */
struct interp_trail {
    struct { uint64_t lin, count; } block[HISTORY_STEPS];
    /* of those that were not entered from another block: registers, too */
    struct { uint64_t count, gpr[16], rflags; } regs[HISTORY_STEPS];
    /* code segments, each from an instruction on; a ring */
    struct { uint64_t count, base; uint16_t sel; uint8_t kind; /* MODE_CS* */ } code[HISTORY_STEPS];
    unsigned n_code;
};

/* The instruction that is being traced (trace.c). */
struct interp_traced {
    bool open;                   /* it began and has no line yet */
    bool ended;                  /* its line is being written: it is where code is */
    uint8_t bits, len, bytes[INSN_MAX_BYTES];
    uint16_t sel[6];
    uint64_t rip, gpr[16], rflags; /* before it */
};

struct interp {
    struct x86_cpu cpu;
    struct interp_host host;
    /* What jump entries must have besides the mode; global_key: those of global pages. Or both
     * KEY_NEVER. */
    uint64_t key, global_key;
    uint64_t cs_last;            /* last offset that code may be fetched from */
    struct block *block;         /* running, or run last */
    struct insn *patched;        /* its run is run_stop for now */
    insn_run patched_run;
    uint64_t generation, global_generation; /* of the keys: no number comes twice */
    uint64_t code_pages[CODE_PAGES / 64]; /* pages that jump entries may be of (moved.c) */
    bool single;                 /* one instruction at a time: TF or a code breakpoint */
    bool endless;                /* no time and no turn ends the slice until run is left */
    bool due;                    /* a device access made something due: a REP must pause */
    bool no_step_trap;           /* this instruction takes no single-step trap (INT n) */
    uint32_t trap;               /* DR6 bits of a #DB after the instruction that ran; 0: none */
    _Atomic uint32_t own_pending; /* used when nobody gave us a word */
    struct interp_debug debug;

    struct interp_shared own_shared, *shared;
    pthread_t thread;            /* the one inside interp_execute last */
    struct lock queue_lock;      /* stores by other threads to lines we decoded */
    struct { uint64_t addr, len; } queue[INVALID_QUEUE];
    unsigned queued;             /* more than INVALID_QUEUE: everything */

    uint8_t *blocks;             /* bump allocator of BLOCK_ARENA bytes */
    size_t blocks_used;          /* where the next block goes */
    struct room_part parts[BLOCK_PARTS];
    size_t part_end[BLOCK_PARTS]; /* of what is in the parts that are not being filled */
    uint64_t fillings;           /* of parts so far */
    struct block *hash[BLOCK_HASH];
    struct block_line *lines[LINE_HASH];
    struct templates templates;
    uint8_t heat[LINE_HASH];     /* how often a line's code was written over, up to HOT */
    struct jump_entry jump[JUMP_ENTRIES];
    struct interp_trail trail;
    struct interp_traced traced;
    const struct interp_translator *translator; /* NULL: none */
    int64_t slice_most;          /* the translator's limit of a slice; 0: none */
    void *translator_data;
    struct interp_translated translated;
    union {                      /* an instruction that cannot be cached */
        struct block block;
        uint8_t room[sizeof(struct block) + sizeof(struct insn_alone)];
    } scratch;
};

_Static_assert(offsetof(struct interp, cpu) == 0, "interp_of relies on it");

static inline struct interp *interp_of(const struct x86_cpu *cpu)
{
    return (struct interp *)cpu;
}

/* ---- the cache (block.c) ---- */

bool block_cache_init(struct interp *e);
void block_cache_fini(struct interp *e);
/* The block at CS:RIP; decodes it if needed. Faults as a fetch does. */
struct block *block_find(struct interp *e);
/* The same if that is known already, lies in one page and the TLB has that; else NULL. Faults
 * never: translated code may have been left, with cur still inside. */
struct block *block_known(struct interp *e);
/* Forgets every block, and what decoding learned; as behind a change of the model. Not while a
 * block runs. */
void block_flush_all(struct interp *e);
/* A store hit [addr, addr+len) of the arena. On the engine's thread, or while it is outside run. */
void block_invalidate(struct interp *e, uint64_t addr, uint64_t len);
/* The ram_listener: on any thread. */
void block_touched(void *opaque, uint64_t addr, uint64_t len);
/* Carries out what other threads queued. */
void block_drain(struct interp *e);
/* The bytes of the first instruction of @b, which is at CS:RIP; 0: not in memory. */
unsigned block_code(struct interp *e, const struct block *b, uint8_t bytes[INSN_MAX_BYTES]);

/* ---- decoding (choose.c) ---- */

/* Decodes the instruction at @bytes, of which @n may be read, for the mode that the CPU is in, with
 * run; not offset and index_in_block. *ends: its block ends with it. False: it has more bytes. */
bool interp_decode(struct interp *e, struct insn *in, const uint8_t *bytes, unsigned n, bool *ends);
/* The operation of an instruction that ends its block by OP_ENDS: it changes s.rip, and nothing
 * goes on there. NULL: it is none. */
insn_run block_op(const struct block *b, const struct insn *in);
/* The same of a string instruction with REP: s.rip is its own address again if more is to be done,
 * else the next one's. */
insn_run block_rep(const struct block *b, const struct insn *in);

/* ---- what linear addresses translate to (moved.c) ---- */

/* Forgets all of it. */
void moved_all(struct interp *e);
/* Blocks that entries lead to are no more: forgets what is remembered of jumps. */
void moved_blocks(struct interp *e);
/* cpu->flush_code */
void moved_code(struct x86_cpu *cpu, enum x86_moved what, uint64_t lin);
/* The key of a jump entry for code at @lin, which is in the TLB, and up to @last. */
uint64_t moved_key(struct interp *e, uint64_t lin, uint64_t last);
/* Does the TLB say that the page of code at @lin is global? */
bool moved_is_global(struct interp *e, uint64_t lin);
/* Makes the keys those of now; @never: no entry has them. */
static inline void moved_set_keys(struct interp *e, bool never)
{
    e->key = never ? KEY_NEVER : e->generation << KEY_MODE_BITS;
    e->global_key = never ? KEY_NEVER : e->global_generation << KEY_MODE_BITS;
}

/* ---- running (interp.c) ---- */

struct interp *interp_new(struct ram_arena *arena, const struct interp_host *host);
void interp_free(struct interp *e);
/* @e decodes the same code as @first. Before either runs. */
void interp_share(struct interp *e, struct interp *first);
/* Runs until something must be looked at outside. cpu's fields are set up by the owner. */
void interp_execute(struct interp *e, struct vcpu_exit *exit);
/* Instructions retired so far, also right inside one. */
uint64_t interp_icount(const struct x86_cpu *cpu);
/* Time, deadlines or pending events changed: run only as far as is right now. */
void interp_after_device(struct x86_cpu *cpu);
/* Is that not needed, outside of REP? */
static inline bool interp_goes_on(const struct interp *e)
{
    return e->endless && !e->cpu.watch_hits &&
           !(atomic_load_explicit(e->cpu.pending, memory_order_relaxed) & e->cpu.pend_mask);
}
void interp_stop_after_insn(struct x86_cpu *cpu);
/* Derives what the engine keeps about the state, after anything but a near branch. */
void interp_resync(struct interp *e);

/* ---- post-mortems (trail.c) ---- */

/* A block at @lin begins with instruction @count. */
static inline void interp_trail_note(struct interp *e, uint64_t lin, uint64_t count)
{
    e->trail.block[count % HISTORY_STEPS].lin = lin;
    e->trail.block[count % HISTORY_STEPS].count = count;
}
/* The same of a block whose instructions are out of the budget already. */
static inline void interp_trail_block(struct interp *e, const struct block *b, uint64_t lin)
{
    interp_trail_note(e, lin, e->cpu.icount_end - (uint64_t)e->cpu.budget - b->n);
}
/* The same with registers. */
void interp_trail_entry(struct interp *e, const struct block *b);
/* CS is another one from instruction @count on. */
void interp_trail_add_code(struct interp *e, uint64_t count);
/* It may be. */
static inline void interp_trail_code(struct interp *e, uint64_t count)
{
    const struct x86_seg *cs = &e->cpu.s.seg[S_CS];
    unsigned last = (e->trail.n_code - 1) % HISTORY_STEPS;
    uint32_t kind = e->cpu.mode & (MODE_CS32 | MODE_CS64);
    if (unlikely(e->trail.code[last].sel != cs->sel || e->trail.code[last].base != cs->base ||
                 e->trail.code[last].kind != kind || e->trail.n_code == 0)) {
        interp_trail_add_code(e, count);
    }
}
void interp_trail_get(struct interp *e, struct x86_history *out);

/* ---- traces of instructions (trace.c) ---- */

/* Is each instruction to be traced? */
bool interp_traces(void);
/* The first one of @b begins; the one that began last is over. */
void interp_trace_begin(struct interp *e, const struct block *b);
void interp_trace_end(struct interp *e);

/* ---- debugging (debug.c) ---- */

/* Takes over what changed; @step_icount is now. The engine is outside run. */
void interp_debug_set(struct interp *e, const struct stops *stops, enum vcpu_step step,
                      uint64_t stop_count);
/* Between two instructions: is the step, count or watch due? */
bool interp_debug_due(struct interp *e);
/* Before the instruction at CS:RIP: is there a code point? */
bool interp_debug_at_point(struct interp *e);
/* The same for linear address @lin of code about to be decoded or linked; compares page offsets
 * only if @any_page, so that no block has a point inside, wherever it is seen. */
bool interp_debug_code(const struct interp *e, uint64_t lin, bool any_page);
/* After the mode may have changed: what must be held back, and EVENT_MODE. */
void interp_debug_resync(struct interp *e);
/* The most instructions of a slice of @slice. */
int64_t interp_debug_slice(const struct interp *e, int64_t slice, uint64_t icount);

/* Pseudo instructions: leave before this one; go on behind the block. */
void run_stop(struct x86_cpu *cpu, const struct insn *in);
void run_end(struct x86_cpu *cpu, const struct insn *in);
/* More than 15 bytes: #GP(0). */
void run_too_long(struct x86_cpu *cpu, const struct insn *in);
/* interp_goto, and block_next(in, branched) remembers it. */
void interp_goto_anew(struct x86_cpu *cpu, const struct insn *in, bool branched, uint64_t rip);

static inline struct jump_entry *jump_slot(struct interp *e, uint64_t lin)
{
    return &e->jump[(lin ^ lin >> 12) & (JUMP_ENTRIES - 1)];
}

/* Goes on at @rip: in block @b if nothing is due, else out to the loop. */
static inline void interp_enter(struct x86_cpu *cpu, struct block *b, uint64_t rip, uint64_t lin)
{
    struct interp *e = interp_of(cpu);
    int64_t left = cpu->budget, budget = left - b->n;
    if (likely(budget >= 0 && rip + b->bytes - 1 <= e->cs_last &&
               !(atomic_load_explicit(cpu->pending, memory_order_relaxed) & cpu->pend_mask))) {
        cpu->budget = budget;
        cpu->block_rip = rip;
        cpu->s.gpr[GPR_OFF_RIP / 8] = rip;
        e->block = b;
        cpu->cur = b->insns;
        interp_trail_note(e, lin, cpu->icount_end - (uint64_t)left);
#if INTERP_LOOP
        return;
#else
        return b->insns[0].run(cpu, b->insns);
#endif
    }
    cpu->s.rip = rip;
    cpu->cur = NULL;
}

/* Is what was known of linear address @lin right still? */
static inline bool jump_holds(const struct x86_cpu *cpu, const struct jump_entry *j, uint64_t lin)
{
    const struct interp *e = interp_of(cpu);
    return likely(j->lin == lin &&
                  (j->key == (e->key | cpu->mode) || j->key == (e->global_key | cpu->mode)));
}

/* The same of what a block remembers: another block may have taken the place of that one. */
static inline bool next_holds(const struct x86_cpu *cpu, const struct jump_entry *j, uint64_t lin)
{
    return jump_holds(cpu, j, lin) && likely(j->block->insns[0].run != run_stop);
}

/* The last thing that a run function does: goes on at @rip, where any block may be. */
static inline void interp_goto(struct x86_cpu *cpu, uint64_t rip)
{
    uint64_t lin = (cpu->s.seg[S_CS].base + rip) & cpu->lin_mask;
    const struct jump_entry *j = jump_slot(interp_of(cpu), lin);
    if (jump_holds(cpu, j, lin)) {
        return interp_enter(cpu, j->block, rip, lin);
    }
    cpu->s.rip = rip;
    cpu->cur = NULL;
}

/* The same behind @in, a block's last instruction, which goes to one address if it branches and to
 * one if it does not. */
static inline void interp_branch(struct x86_cpu *cpu, const struct insn *in, bool branched,
                                 uint64_t rip)
{
    uint64_t lin = (cpu->s.seg[S_CS].base + rip) & cpu->lin_mask;
    const struct jump_entry *j = block_next(in, branched);
    if (next_holds(cpu, j, lin)) {
        return interp_enter(cpu, j->block, rip, lin);
    }
    return interp_goto_anew(cpu, in, branched, rip);
}

/* The same behind @in, which goes to any address: two are remembered, the first and the last. */
static inline void interp_indirect(struct x86_cpu *cpu, const struct insn *in, uint64_t rip)
{
    uint64_t lin = (cpu->s.seg[S_CS].base + rip) & cpu->lin_mask;
    const struct jump_entry *first = block_next(in, true), *last = block_next(in, false);
    if (next_holds(cpu, first, lin)) {
        return interp_enter(cpu, first->block, rip, lin);
    }
    if (next_holds(cpu, last, lin)) {
        return interp_enter(cpu, last->block, rip, lin);
    }
    return interp_goto_anew(cpu, in, !jump_holds(cpu, first, first->lin), rip);
}

static inline void interp_chain(struct x86_cpu *cpu)
{
    return interp_goto(cpu, cpu->s.rip);
}

#endif
