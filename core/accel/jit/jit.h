/*
 * The JIT: translates the interpreter's hot blocks to host code.
 *
 * The interpreter stays the engine: it decodes, delivers events, counts and runs cold code. A block
 * that has run WARM times is translated; its first run function then enters the host code. There,
 * guest registers live in their namesakes (ESP in R15), R14 is the context, R13 leads to the line
 * marks and R12 holds the budget; R8 to R11 are scratch. Blocks jump to each other directly.
 * In 64-bit code the context is named by its address, and R8 to R15 of the guest are in it; R11,
 * R13 and R14 hold some of them inside a block (trans_regs.c).
 *
 * Registers of the FPU are in the host's own while a block wants them (host_fp.c).
 *
 * What is not translated, and every access that needs more than the TLB, is run by the
 * interpreter's own function of that instruction (jit_slow), with the exact state of the
 * interpreter around it. So faults, changing code, devices and counting need nothing of their own
 * here.
 *
 * Hot blocks are translated together with those that follow them (unit.c).
 *
 * A translation holds for one instruction pointer and one context: code segment, mode word, TLB and
 * what is known of the segments' limits. Flags are in EFLAGS or in translated.flags; between blocks
 * always in the latter, or, in a context that is "live", always in EFLAGS, with the budget in the
 * guard (guard.h). In one that is "mapped" R13 is the window (window.h).
 */
#ifndef CORE_ACCEL_JIT_JIT_H
#define CORE_ACCEL_JIT_JIT_H

#include "core/accel/interp/engine.h"
#include "core/cpu/flags.h"
#include "core/accel/jit/codemem.h"
#include "core/accel/jit/emit.h"
#include "core/accel/jit/guard.h"
#include "core/accel/jit/returns.h"
#include "core/accel/jit/window.h"

#define WARM           24          /* runs before a block is translated */
#define MOVED_AGAIN    32          /* entries elsewhere before it is translated for there */
#define UNIT_PASSES    16          /* entries by C code before it is translated with what follows */
#define UNIT_TRIES     4           /* of finding out what follows */
#define UNIT_PARTS     8u          /* blocks in a translation */
#define UNIT_INSNS     96u         /* their instructions; take_budget has them as a signed byte */
#define CODE_BYTES     (32u << 20)
#define UNIT_CODE      61440u      /* more than they can become */
#define JIT_BLOCKS     131072u
#define JIT_LINKS      262144u
#define UNIT_LINKS     (2 * UNIT_PARTS + 1) /* most of a translation */
#define JIT_PARTS      16u         /* of the code memory and both tables */
#define PART_BLOCKS    (JIT_BLOCKS / JIT_PARTS)
#define PART_LINKS     (JIT_LINKS / JIT_PARTS)
#define PART_CODE      (CODE_BYTES / JIT_PARTS) /* the stubs' room included */
#define JIT_CONTEXTS   1024u       /* mostly code segments of real mode */
#define JIT_JUMPS      65536u

/* What is known of a segment, two bits each. */
enum seg_kind {
    SEG_ANY,                 /* nothing: base and limit are looked up */
    SEG_FLAT,                /* base 0, 4 GiB, readable and (but CS) writable */
    SEG_64K,                 /* 64 KiB, likewise; any base */
    SEG_BASED,               /* FS or GS of 64-bit code: no limit, any base */
};

/* Linear addresses that are ram addresses: start to end - 1; end 0: none. */
struct jit_window {
    uint64_t start, end;
};

struct jit_context {
    uint64_t cs_base, cs_last;
    uint32_t mode;
    uint32_t tlb;            /* which of cpu->tlbs */
    uint32_t segs;           /* enum seg_kind << 2 * sreg */
    struct jit_window windows[2]; /* from 0 on; from 1 MiB on in 32-bit code */
    uint64_t seg_changes;    /* cpu->seg_changes and global_generation when it was found last */
    uint64_t generation;
    bool mapped;             /* what is flat is reached in the window */
    bool live;               /* flags are in EFLAGS between blocks, the budget is in the guard */
    bool paged;
    bool unreal;             /* a flat segment in real mode: its base may change unnoticed */
};

struct jit_link;
struct fault_site;

/* Blocks that follow each other, in one page and one context: what becomes one translation. */
struct jit_path {
    unsigned n, n_insns;     /* n is 0: none is being found */
    unsigned context;
    struct jit_path_part {
        struct block *block;
        uint64_t rip;
        uint64_t gpr[16];    /* when it was entered */
    } part[UNIT_PARTS];
};

/* A translation, or a part of one: of the first block, the head; those of the others follow it in
 * the table, and lead from their instructions to the interpreter. */
struct jit_block {
    struct block *block;     /* NULL: dropped, of the head */
    uint64_t rip;
    uint32_t context;        /* index */
    uint8_t rest;            /* instructions of the parts behind this one */
    struct jit_block *head;
    struct jit_block *same;  /* another part made of the block (block.parts) */
    /* Of the head alone: */
    uint8_t n_parts;         /* 0: it has not become one */
    uint8_t passes;          /* entries by C code; UNIT_PASSES: others lead here, it stays */
    uint8_t tries;           /* UNIT_TRIES */
    bool near;               /* it relies on what the TLB had before (trans_near.c) */
    uint16_t misses;         /* entries in another context; MOVED_AGAIN: to be translated anew */
    uint8_t *entry;          /* takes the block's instructions from the budget; writable view */
    uint8_t *body;           /* behind that, for C code; flags are in translated.flags */
    uint8_t *cold;           /* entry, for C code */
    uint32_t code_bytes;     /* from entry on, with the table */
    unsigned n_faults;
    const struct fault_site *faults; /* behind the code */
    struct jit_link *in;     /* exits that jump here */
};

/* A direct exit. */
struct jit_link {
    uint64_t rip;            /* where it leads */
    struct jit_block *from, *to; /* to: NULL while it is not linked */
    uint8_t *at;             /* displacement of its jump, writable view */
    uint8_t *stub;           /* where that leads while it is not linked, */
    uint8_t *look;           /* and where if it is not to be again: looks @rip up; NULL: it is */
    struct jit_link *next, **place; /* in to->in; what points here */
    struct jit_link *far_next, **far_place; /* the same in jit.far, of a linked far_page */
    bool far_page;           /* leads out of its page: ends when translations of addresses change */
    uint8_t moved;           /* how often they did, up to LINK_TIRED */
    bool counts;             /* entries by it count (passes); after enough of them it is linked */
};

/* Links to other pages: a load of CR3 leaves the global ones. Each time that they end they count
 * so much; with LINK_TIRED they are not worth it any more. */
enum { LINK_GLOBAL, LINK_LOCAL, LINK_KINDS };
#define LINK_TIRED      32
#define LINK_ALL_MOVED  2
#define LINK_SOME_MOVED 8

struct jit_jump {
    uint64_t rip;
    uint64_t key;            /* jump_key or global_key of the time; 0: none */
    const uint8_t *entry;    /* executable view */
    uint64_t unused;         /* 32 bytes: translated code scales an index to them */
};

/* The same for code that keeps its flags in EFLAGS, where only a sum can be looked at: the offset,
 * live_key and key make 0. Looked up by the low 16 bits of the offset. */
struct jit_live_jump {
    uint64_t key;
    const uint8_t *entry;    /* executable view */
};
#define LIVE_JUMPS 65536u

/* Where an access was that missed its run often: instruction @index of block @block. */
struct jit_missed {
    const struct block *block;
    unsigned index;
    uint64_t lin;
};
#define JIT_MISSED 64u

/* How often it was not found with what is near to it: instruction @index of the block. */
struct jit_near {
    const struct block *block;
    unsigned index, misses;
    uint64_t since;          /* instruction count when there were none */
};

/* The ways out of translated code, in the writable view. */
struct jit_stubs {
    uint8_t *exit_chain;     /* go on at offset R8 in the interpreter */
    uint8_t *exit_link;      /* R8 is a struct jit_link */
    uint8_t *exit_step;      /* interpret instruction R9 of jit_block R8 and what follows */
    uint8_t *exit_stop;      /* jit_block R8 is not what the guest's code is any more */
    uint8_t *exit_op;        /* do the last instruction of jit_block R8 */
    uint8_t *slow;           /* called: the same as exit_step, and back */
    uint8_t *rep;            /* called: likewise, for jit_rep */
    uint8_t *fp_load;        /* called: jit_fp_load for jit_block R8 and registers R9 */
    uint8_t *io;             /* called: jit_io for jit_block R8, instruction R9 and port R10 */
    uint8_t *load, *store;   /* called: the same for jit_load, jit_store and move R10 */
};

/* Code of 16 and 32 bits, of 64 bits, and with flags in EFLAGS; there exit_chain and exit_link find
 * them in EFLAGS, too, and all others in translated.flags. */
enum stubs_kind { STUBS_NARROW, STUBS_WIDE, STUBS_LIVE, STUBS_KINDS };

struct jit_part {
    unsigned n_blocks, n_links;
    uint8_t *next;           /* free code memory, writable view */
};

struct jit_stats {
    uint64_t translated, bytes, dropped, flushes, evictions, links, slow_calls, entries, mismatches;
    uint64_t units;          /* translations of several blocks */
    uint64_t faults;         /* in the window */
    uint64_t slow_rows[ROW_COUNT]; /* slow_calls by row of insn.def */
};

/* Instructions whose undefined flags hosts may have otherwise than insn.def. */
enum {
    MATCH_SHIFTS = 1, MATCH_MULS = 2, MATCH_DOUBLE_SHIFTS = 4, MATCH_SCANS = 8,
    MATCH_ROTATES = 16,      /* but for OF of ROL and ROR of a register by an immediate */
};

struct jit {
    struct interp *e;
    struct codemem code;
    uint8_t *first;          /* code memory behind the stubs, writable view */
    struct jit_part parts[JIT_PARTS];
    struct room_part room[JIT_PARTS]; /* live: bytes of code */
    uint64_t fillings;       /* of parts so far */
    unsigned part;           /* being filled */
    void (*enter)(struct x86_cpu *cpu, const uint8_t *code);
    struct jit_stubs stubs[STUBS_KINDS];
    struct jit_context contexts[JIT_CONTEXTS];
    unsigned n_contexts, context; /* how many; the last one entered in */
    uint16_t context_hint[256]; /* by code segment: where it was found last */
    uint16_t context_of_mode[256]; /* by mode word: the one entered in last */
    /* How often linear addresses may have moved; also those of global pages. */
    uint64_t jump_generation, global_generation;
    uint64_t generations;    /* numbers given to them */
    struct jit_block *blocks;
    struct jit_link *links;
    struct jit_path path;    /* being found, in the interpreter */
    unsigned warm, passes;   /* WARM and UNIT_PASSES, or what a test makes of them */
    struct jit_link *wanted; /* led out of translated code just now: to the block entered next */
    struct jit_link *far[LINK_KINDS]; /* LINK_*: those that are linked */
    struct jit_jump jumps[JIT_JUMPS];
    struct jit_live_jump *live_jumps;
    struct jit_missed missed[JIT_MISSED];
    struct jit_near near[JIT_MISSED];
    struct guard guard;
    struct returns returns;
    unsigned match;          /* MATCH_*: undefined flags of the host are those of insn.def */
    struct jit_stats stats;
    struct window *window;
    struct jit_block *faulted; /* this translation left because of a fault, */
    uintptr_t fault_addr;    /* at this host address */
    struct check *check;     /* NULL: translations are trusted */
    int perf;                /* file of names; -1: none */
};

/* ---- engine.c ---- */
bool jit_attach(struct interp *e, struct error **err);
void jit_detach(struct interp *e);
/* Called by translated code: instruction @index of the block. 0: go on behind it; else it
 * leaves. */
int jit_slow(struct x86_cpu *cpu, struct jit_block *jb, unsigned index);
#define SLOW_SEGMENT 0x100   /* in @index: it may change a segment */
#define SLOW_FP_SHIFT 9      /* and FP_*: registers that the block wants back */
/* The same for a string instruction with REP, the last one of its block. Nonzero: it leaves to
 * s.rip. */
int jit_rep(struct x86_cpu *cpu, struct jit_block *jb, unsigned index);
/* Behind an instruction that C code did: what follows its block in the translation is taken from
 * the budget again. False: there is not so much, the block is to stop, the translation was
 * dropped, or relies on the TLB, which had @losses before, or the host's returns are to be looked
 * at. */
static inline bool jit_goes_on(const struct jit *j, const struct jit_block *jb, uint64_t losses)
{
    const struct block *b = jb->block;
    const struct insn *stop = j->e->patched;
    return jb->head->block && !(jb->head->near && j->e->cpu.tlb_losses != losses) &&
           !(stop && stop >= b->insns && stop <= &b->insns[b->n]) &&
           j->e->cpu.budget >= jb->rest &&
           !returns_are_many(&j->returns, j->e->translated.returns);
}
/* May others lead to @jb by now? Entries by exit @from (NULL: any other) are counted else. */
static inline bool jit_is_settled(const struct jit *j, const struct jit_block *jb,
                                  const struct jit_link *from)
{
    return jb->passes == j->passes || (from && !from->counts);
}
/* @jb is entered: from exit @l (NULL: none) it need not be looked up again. */
void jit_link_wanted(struct jit *j, struct jit_link *l, struct jit_block *jb);
/* Forgets every translation. Not from translated code. */
void jit_flush(struct jit *j);

static inline struct jit *jit_of(const struct interp *e)
{
    return e->translator_data;
}

/* Where the context is: in the first 2 GiB. */
static inline uint32_t jit_low_context(const struct jit *j)
{
    return (uint32_t)(uintptr_t)&j->e->cpu;
}

/* Translated code expects no returns. From C code. */
static inline void jit_forget_returns(struct jit *j)
{
    j->e->translated.returns = returns_forget(&j->returns);
}

/* May the block run translated now? */
bool jit_may_enter(struct interp *e, const struct block *b);

/* ---- context.c ---- */
/* Makes context that of the moment. */
void jit_find_context(struct jit *j);
/* *context: the number of one that differs from that of number @of in mode and TLB only. False:
 * there is no room. */
bool jit_context_like(struct jit *j, unsigned of, uint32_t mode, uint32_t tlb, unsigned *context);
/* Is it that of the block? */
bool jit_context_holds(const struct jit *j, const struct jit_block *jb);

/* ---- leave.c: called by translated code where it ends. The guest goes on in the interpreter until
 * it comes to a translated block; they return where that is, or NULL if it is to leave to the loop.
 */
/* At offset s.rip; the same, by way of link @what. */
const uint8_t *jit_leave_chain(struct x86_cpu *cpu, void *what, unsigned index);
const uint8_t *jit_leave_link(struct x86_cpu *cpu, void *what, unsigned index);
/* Before instruction @index of jit_block @what (STEP_NEAR: jit_near_missed); that is to be found
 * anew; at cpu->cur. */
const uint8_t *jit_leave_step(struct x86_cpu *cpu, void *what, unsigned index);
const uint8_t *jit_leave_stop(struct x86_cpu *cpu, void *what, unsigned index);
#define STEP_NEAR 0x100
const uint8_t *jit_leave_slow(struct x86_cpu *cpu, void *what, unsigned index);

/* Instruction @index of jit_block @what is done, which is an operation alone (block_op). */
const uint8_t *jit_leave_op(struct x86_cpu *cpu, void *what, unsigned index);

/* The arithmetic flags: what translated code keeps, and the interpreter's two words. */
static inline uint16_t jit_flags_image(const struct x86_cpu *cpu)
{
    uint32_t fl = lf_get(cpu);
    return (uint16_t)((fl & 0xff) << 8 | (fl & FL_OF ? 1 : 0));
}

static inline void jit_flags_from_image(struct x86_cpu *cpu, uint16_t image)
{
    uint32_t ah = image >> 8, zf = ah >> 6 & 1, cf = ah & 1;
    cpu->lf_result = zf ^ 1;
    /* As lf_set, without a branch: SF, how PF differs from a result of 0 or 1, AF, OF, CF. */
    cpu->lf_aux = (ah >> 7) << LF_SFX | ((ah >> 2 & 1) ^ zf) << LF_PDB | (ah >> 4 & 1) << LF_AF |
                  (cf ^ (image & 1)) << LF_PO | cf << LF_CF;
}

/* ---- host_fp.c: registers of the FPU in the host's own ---- */
/* XMM and MXCSR; x87, MMX and the status word, all exceptions being masked; the upper halves of
 * YMM, with FP_VEC only; x87, MMX and the status word, masked or not */
enum { FP_VEC = 1, FP_X87 = 2, FP_YMM = 4, FP_X87_ANY = 8 };
/* Called by translated code: @wanted is to be there, too. Nonzero: the guest's state forbids it. */
int jit_fp_load(struct x86_cpu *cpu, struct jit_block *jb, unsigned wanted);
/* Would the guest's state of the moment allow it? */
bool jit_fp_allowed(const struct x86_cpu *cpu, unsigned which);
/* Back in C code: all is in cpu->s from now on. */
void jit_fp_leave(struct x86_cpu *cpu);
/* To translated code again, with @which. False: the guest's state no longer allows it. */
bool jit_fp_return(struct x86_cpu *cpu, unsigned which);
/* The part of both that is translated: XMM or YMM registers and MXCSR. EFLAGS changes. */
void jit_fp_emit_store(struct emit *e);
void jit_fp_emit_load(struct emit *e);

/* ---- transcendental.c ---- */
/* Called by jit_slow with all of the x87 in the host's registers (FP_X87), at cpu->cur: true if it
 * did instruction @in, and they still are there. */
bool jit_transcendental(struct x86_cpu *cpu, const struct insn *in);

/* ---- device.c ---- */
/* Called by translated code: IN or OUT, which touch no flags; @access is a port and IO_*. As
 * jit_slow else; no register of the FPU is in the host's own. */
int jit_io(struct x86_cpu *cpu, struct jit_block *jb, unsigned index, unsigned access);
#define IO_SIZE_SHIFT 16
#define IO_WRITE      0x100000u
/* Called by translated code: a move to or from memory that it does not reach. As jit_io; to
 * jit_slow if it is not simply a device's. */
int jit_load(struct x86_cpu *cpu, struct jit_block *jb, unsigned index, unsigned move);
int jit_store(struct x86_cpu *cpu, struct jit_block *jb, unsigned index, unsigned move);
#define MOVE_SIZE_SHIFT 8    /* @move: offset of the register into gpr, bytes of memory, */
#define MOVE_TO_SHIFT   12   /* bytes that a load makes of them, and */
#define MOVE_STORE      0x10000u
#define MOVE_SIGNED     0x20000u
#define MOVE_IMM        0x40000u /* a store of what the instruction has */
#define MOVE_ABSOLUTE   0x80000u /* the offset is in the instruction */

/* Forgets one, whose memory is needed; its block warms up again. Not from translated code. */
void jit_release(struct jit *j, struct jit_block *jb);
/* The block is to be translated anew when it is entered next. Also from translated code. */
void jit_renew(struct jit *j, struct jit_block *jb);

/* ---- room.c ---- */
/* Everything is free. */
void jit_all_room(struct jit *j);
/* Room for a translation of @n blocks, UNIT_LINKS links and UNIT_CODE bytes at parts[part].next:
 * its head, and the others behind it. */
struct jit_block *jit_new_blocks(struct jit *j, unsigned n);
/* Its code, which begins at parts[part].next, ends at @end. */
void jit_translation_ends(struct jit *j, struct jit_block *jb, uint8_t *end);
/* It is not entered again. */
void jit_translation_dies(struct jit *j, struct jit_block *jb);
struct jit_link *jit_new_link(struct jit *j, struct jit_block *from, uint64_t rip, bool far_page);
/* All that are there: the one after @after, or the first; NULL behind the last. */
struct jit_block *jit_next_block(const struct jit *j, const struct jit_block *after);

/* ---- missed.c: runs of the TLB that turn out to be the wrong ones ---- */
/* Instruction @index of the block missed its run once too often (cpu->run_tired). */
void jit_run_tired(struct jit *j, struct jit_block *jb, unsigned index);
/* Instruction @index of the block did not find all that is near to its access. */
void jit_near_missed(struct jit *j, struct jit_block *jb, unsigned index);
/* What is known of such an instruction; NULL: nothing. */
static inline const struct jit_missed *jit_missed_at(const struct jit *j, const struct block *b,
                                                     unsigned index)
{
    const struct jit_missed *m = &j->missed[((uintptr_t)b / sizeof(*b) + index) % JIT_MISSED];
    return m->block == b && m->index == index ? m : NULL;
}

/* ---- unit.c: which blocks become one translation ---- */
/* The translation just entered is translated anew with the blocks that run next. */
void jit_path_begin(struct jit *j, struct jit_block *jb);
/* Block @b is entered while a path is being found. True: it was added, and is to be interpreted;
 * else the path ends before it. */
bool jit_path_adds(struct jit *j, struct block *b);
/* The path that was found, if it is more than one block; else another one is looked for later. */
bool jit_path_ends(struct jit *j, struct jit_path *found);
/* Calls of its first @n parts that go on inside, and have not returned before the last of these:
 * how many, and their parts. */
unsigned jit_path_open(const struct jit_path *p, unsigned n, uint8_t open[UNIT_PARTS]);
/* At most @n of them, without such a call. */
unsigned jit_path_closed(const struct jit_path *p, unsigned n);
/* Or none is found: @b, if it is in it, is no more; NULL: nothing is. */
void jit_path_drop(struct jit *j, const struct block *b);
/* The blocks of @head's parts know of them; no longer. */
void jit_parts_join(struct jit_block *head);
void jit_parts_leave(struct jit_block *head);
/* The offset that a near branch @in leads to, @rip being the next instruction's. */
static inline uint64_t jit_branch_target(const struct insn *in, uint64_t rip)
{
    return (rip + in->imm) & (~0ull >> (64 - 8 * in->opsize));
}
/* May it be there? */
static inline bool jit_branch_fits(const struct jit_context *c, uint64_t to)
{
    return to <= c->cs_last && (!(c->mode & MODE_CS64) || (int64_t)(to << 16) >> 16 == (int64_t)to);
}

/* ---- stubs.c ---- */
void jit_make_stubs(struct jit *j);

/* ---- translate.c ---- */
/* Translates the blocks of @path for the current context. NULL if that cannot be. */
struct jit_block *jit_translate(struct jit *j, const struct jit_path *path);

/* Does any form of this row of insn.def have an emitter? */
bool jit_emits(unsigned row);

/* ---- link.c ---- */
void jit_link(struct jit *j, struct jit_link *l, struct jit_block *to);
void jit_unlink(struct jit *j, struct jit_link *l);
void jit_unlink_into(struct jit *j, struct jit_block *to);
/* Translations of addresses changed: @all of them, or those that are not global. */
void jit_unlink_far(struct jit *j, bool all);
void jit_add_jump(struct jit *j, struct jit_block *jb);
void jit_drop_jump(struct jit *j, const struct jit_block *jb);
/* The code at offset @rip in the context of the moment; NULL: not known. */
const uint8_t *jit_find_jump(struct jit *j, uint64_t rip);

/* ---- hostcpu.c ---- */
/* X86_F_*: only those that emitters ask for. */
bool jit_host_has(unsigned feature);
bool jit_host_is_intel(void);

/* ---- hostflags.c ---- */
/* MATCH_* of this host. */
unsigned jit_host_match(void);

#endif
