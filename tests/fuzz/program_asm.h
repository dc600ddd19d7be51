/*
 * Random programs in memory: where things are, and a small assembler of 16, 32 and 64 bits.
 */
#ifndef TESTS_FUZZ_PROGRAM_ASM_H
#define TESTS_FUZZ_PROGRAM_ASM_H

#include "tests/unit/random.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/cpu/x86_state.h"

#include <string.h>

/* Physical addresses; all modes have them as offsets, too. */
enum {
    P_IDT = 0x0, P_GDT = 0x1000, P_TSS = 0x1100, P_VARS = 0x1800, P_CODE = 0x2000,
    P_MOVED = 0x5000,            /* a page of functions, with another of their kind behind it */
    P_ENTRY_STACK = 0x7600, P_KERNEL_STACK = 0x7c00, P_USER_STACK = 0x8000,
    P_DATA = 0x8000, P_DATA_PAGES = 4, P_KERNEL = 0xc000, P_END = 0xff00,
    P_ROOT = 0x10000, P_OTHER_ROOT = 0x14000, P_OTHER_IDT = 0x18000,
    P_DEVICE = 0xa0000, P_HIGH_DATA = 0x100000, P_RAM = 0x200000,
    P_ALIAS = 0x400000,          /* all of it once more, with paging */
};

/* Variables. */
enum {
    V_RESTARTS = P_VARS, V_STEPS = P_VARS + 8, V_BACK = P_VARS + 16, V_BACK_SP = P_VARS + 24,
    V_SAVED = P_VARS + 32, V_MAIN = P_VARS + 40, V_IDTR = P_VARS + 48, V_SWITCH = P_VARS + 0x80,
    V_TABLE = P_VARS + 0x100,    /* two of each function */
    V_COUNTERS = P_VARS + 0x200, V_COUNTERS_MAX = 192,
};

/* Selectors. The order is SYSCALL's and SYSENTER's. */
enum {
    SEL_CODE = 8, SEL_STACK = 0x10, SEL_USER32 = 0x1b, SEL_DATA = 0x23, SEL_USER64 = 0x2b,
    SEL_CODE16 = 0x30, SEL_CODE32 = 0x40, SEL_CHANGING = 0x4b, SEL_TSS = 0x50,
};

enum { P_FUNCTIONS = 16, P_SITES = 64, P_HOLES = 8 };

struct program {
    uint8_t *ram;
    uint64_t seed;
    unsigned at, end;            /* where the next instruction goes; where they must end */
    unsigned bits;               /* of the code made now; */
    bool inner;                  /* it is for CPL 0, */
    bool plain;                  /* and must neither fault nor change the mode */
    unsigned kind_bits;          /* of the whole program */
    bool paged, user;
    uint32_t reserved;           /* registers that are counters */
    unsigned n_counters;         /* of those in memory */
    unsigned depth;
    uint32_t function[P_FUNCTIONS];
    unsigned n_functions;
    struct {
        uint32_t at;
        unsigned size;
    } site[P_SITES],             /* immediates in the code; n_sites in all */
        hole[P_HOLES];           /* where the address of a site to come goes */
    unsigned n_sites, n_holes;
    uint32_t restart, syscall[2], sysenter[2];
};

static inline uint32_t p_random(struct program *p)
{
    return random_32(&p->seed);
}

static inline uint32_t p_below(struct program *p, uint32_t n)
{
    return p_random(p) % n;
}

/* ---- bytes ---- */

static inline void p_byte(struct program *p, unsigned val)
{
    p->ram[p->at++] = (uint8_t)val;
}

static inline void p_bytes(struct program *p, const char *bytes, unsigned n)
{
    memcpy(p->ram + p->at, bytes, n);
    p->at += n;
}
#define P_BYTES(p, text) p_bytes(p, text, sizeof(text) - 1)

static inline void p_word(struct program *p, unsigned val)
{
    st16le(p->ram + p->at, (uint16_t)val);
    p->at += 2;
}

static inline void p_long(struct program *p, uint32_t val)
{
    st32le(p->ram + p->at, val);
    p->at += 4;
}

/* An immediate or displacement. */
static inline void p_imm(struct program *p, unsigned size, uint32_t val)
{
    if (size == 1) {
        p_byte(p, val);
    } else if (size == 2) {
        p_word(p, val);
    } else {
        p_long(p, val);
    }
}

static inline void p_patch(struct program *p, unsigned at, unsigned size, uint32_t val)
{
    unsigned back = p->at;
    p->at = at;
    p_imm(p, size, val);
    p->at = back;
}

/* ---- operands ---- */

struct place {
    bool mem;
    unsigned reg;                /* or, in memory, */
    int base;                    /* -1: none */
    int scaled;                  /* index and, from bit 4 on, log2 of its scale; 0: none */
    bool rip;                    /* relative to RIP, and so a few bytes off */
    uint32_t disp;
    bool wide;                   /* a 32-bit address in 16-bit code */
    uint8_t prefix;              /* of a segment; 0: none */
};

static inline struct place p_reg(unsigned reg)
{
    return (struct place){.reg = reg};
}

static inline struct place p_at(uint32_t disp)
{
    return (struct place){.mem = true, .base = -1, .disp = disp};
}

static inline void p_modrm(struct program *p, unsigned reg, const struct place *rm)
{
    unsigned mid = (reg & 7) << 3;
    if (!rm->mem) {
        p_byte(p, 0xc0 | mid | (rm->reg & 7));
    } else if (p->bits == 16 && !rm->wide) {
        unsigned form = rm->base == R_BX ? 0x87 : rm->base == R_SI ? 0x84 : 0x85;
        p_byte(p, (rm->base < 0 ? 6 : form) | mid);
        p_word(p, rm->disp);
    } else if (rm->base < 0 && rm->rip) {
        p_byte(p, 5 | mid);
        p_long(p, rm->disp - (p->at + 4));
    } else if (rm->base < 0) {
        p_byte(p, 4 | mid);
        p_byte(p, 0x25);
        p_long(p, rm->disp);
    } else {
        bool sib = rm->scaled || (rm->base & 7) == R_SP;
        unsigned index = rm->scaled ? (unsigned)rm->scaled & 7 : R_SP;
        p_byte(p, 0x80 | mid | (sib ? 4 : (unsigned)rm->base & 7));
        if (sib) {
            p_byte(p, (unsigned)rm->scaled >> 4 << 6 | index << 3 | ((unsigned)rm->base & 7));
        }
        p_long(p, rm->disp);
    }
}

/* @op: 0fXX and, above that, a mandatory prefix. */
static inline void p_op(struct program *p, unsigned size, unsigned op, unsigned reg,
                        struct place rm)
{
    unsigned low = rm.mem ? (rm.base < 0 ? 0 : (unsigned)rm.base) : rm.reg;
    unsigned index = rm.mem ? (unsigned)rm.scaled & 15 : 0;
    unsigned rex = (size == 8) << 3 | reg >> 3 << 2 | index >> 3 << 1 | low >> 3;
    if (rm.prefix) {
        p_byte(p, rm.prefix);
    }
    if (rm.mem && rm.wide) {
        p_byte(p, 0x67);
    }
    if (size == (p->bits == 16 ? 4 : 2)) {
        p_byte(p, 0x66);
    }
    if (op >> 16) {
        p_byte(p, op >> 16);
    }
    if (p->bits == 64 && (rex || size == 1)) {
        p_byte(p, 0x40 | rex);
    }
    if (op >> 8 & 0xff) {
        p_byte(p, op >> 8 & 0xff);
    }
    p_byte(p, op & 0xff);
    p_modrm(p, reg, &rm);
}

/* ---- branches ---- */

/* A jump to be completed by p_here: its displacement of @size bytes lies before p->at. */
struct jump {
    unsigned behind, size;
};

static inline unsigned p_near(const struct program *p)
{
    return p->bits == 16 ? 2 : 4;
}

static inline struct jump p_jcc(struct program *p, unsigned cc, bool near)
{
    unsigned size = near ? p_near(p) : 1;
    if (near) {
        p_byte(p, 0x0f);
    }
    p_byte(p, (near ? 0x80 : 0x70) | cc);
    p_imm(p, size, 0);
    return (struct jump){p->at, size};
}

static inline struct jump p_jmp(struct program *p)
{
    p_byte(p, 0xe9);
    p_imm(p, p_near(p), 0);
    return (struct jump){p->at, p_near(p)};
}

static inline void p_here(struct program *p, struct jump j)
{
    p_patch(p, j.behind - j.size, j.size, p->at - j.behind);
}

/* JMP, CALL (0xe9, 0xe8) or 0x0f8c to an address that is known. */
static inline void p_branch(struct program *p, unsigned op, uint32_t to)
{
    if (op >> 8) {
        p_byte(p, op >> 8);
    }
    p_byte(p, op & 0xff);
    p_imm(p, p_near(p), to - (p->at + p_near(p)));
}

/* A number of the stack's width for code of these bits, 16 or 32 of them: PUSH. */
static inline void p_push(struct program *p, uint32_t val)
{
    p_byte(p, 0x68);
    p_imm(p, p_near(p), val);
}

/* MOV of 16 or 32 bits into a register. */
static inline void p_set(struct program *p, unsigned reg, uint32_t val)
{
    if (reg >> 3) {
        p_byte(p, 0x41);
    }
    p_byte(p, 0xb8 | (reg & 7));
    p_imm(p, p_near(p), val);
}

#endif
