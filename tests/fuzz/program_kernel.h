/*
 * Random programs: descriptors, page tables and handlers, and what only a kernel does in between:
 * pages moved and taken away, address spaces and model-specific registers changed, trips to CPL 3,
 * to virtual-8086 mode and to code of other widths.
 */
#ifndef TESTS_FUZZ_PROGRAM_KERNEL_H
#define TESTS_FUZZ_PROGRAM_KERNEL_H

#include "tests/fuzz/program_code.h"

enum { INT_FIRST = 0x30, INT_COUNT = 4, INT_BACK = 0x34 };

/* ---- small pieces ---- */

/* Of the entry of a page at @lin in the tables of @root. */
static inline uint32_t pte_of(const struct program *p, uint32_t root, uint32_t lin)
{
    return p->kind_bits == 64 ? root + 0x3000 + (lin >> 12) * 8 : root + 0x1000 + (lin >> 12) * 4;
}

static inline unsigned pte_size(const struct program *p)
{
    return p->kind_bits == 64 ? 8 : 4;
}

static inline uint32_t any_pte(struct program *p)
{
    uint32_t root = p_below(p, 2) ? P_ROOT : P_OTHER_ROOT;
    return pte_of(p, root, P_DATA + (p_below(p, P_DATA_PAGES) << 12));
}

static inline void p_mov_to_seg(struct program *p, unsigned seg, uint16_t sel)
{
    p_set(p, R_AX, sel);
    p_op(p, p_near(p), 0x8e, seg, p_reg(R_AX));
}

/* One page, or all of them that are not global, in one way or another. */
static inline void p_flush(struct program *p)
{
    if (p_below(p, 2)) {
        P_BYTES(p, "\x0f\x20\xd8\x0f\x22\xd8");         /* mov eax, cr3; mov cr3, eax */
    } else {
        for (unsigned i = 0; i < P_DATA_PAGES; i++) {
            p_op(p, 4, 0x0f01, 7, p_at(P_DATA + (i << 12)));
        }
    }
}

/* ---- what the kernel does in one place ---- */

static inline void k_swap(struct program *p)
{
    uint32_t a = any_pte(p), b = any_pte(p);
    unsigned size = pte_size(p);
    P_BYTES(p, "\x9c\xfa");
    p_op(p, size, 0x8b, R_AX, p_at(a));
    p_op(p, size, 0x8b, R_CX, p_at(b));
    p_op(p, size, 0x89, R_CX, p_at(a));
    p_op(p, size, 0x89, R_AX, p_at(b));
    p_flush(p);
    p_byte(p, 0x9d);
}

/* The handler of page faults gives back what was taken: P, W, U, A or D. */
static inline void k_take(struct program *p)
{
    static const uint8_t bits[] = {1, 2, 4, 3, 0x20, 0x40};
    P_BYTES(p, "\x9c\xfa");
    p_op(p, 1, 0x80, 4, p_at(any_pte(p)));
    p_byte(p, ~bits[p_below(p, 6)]);
    p_flush(p);
    p_byte(p, 0x9d);
}

static inline void k_code(struct program *p)
{
    P_BYTES(p, "\x9c\xfa");
    p_op(p, 1, 0x80, 6, p_at(pte_of(p, p_below(p, 2) ? P_ROOT : P_OTHER_ROOT, P_MOVED) + 1));
    p_byte(p, 0x30);
    if (p_below(p, 2)) {
        p_op(p, 4, 0x0f01, 7, p_at(P_MOVED));
    } else {
        P_BYTES(p, "\x0f\x20\xd8\x0f\x22\xd8");
    }
    p_byte(p, 0x9d);
}

static inline void k_root(struct program *p)
{
    P_BYTES(p, "\x0f\x20\xd8\x80\xf4\x40\x0f\x22\xd8"); /* cr3 ^= P_ROOT ^ P_OTHER_ROOT */
}

static inline void k_control(struct program *p)
{
    switch (p_below(p, 3)) {
    case 0: P_BYTES(p, "\x0f\x20\xc0\x35\0\0\1\0\x0f\x22\xc0"); break; /* cr0 ^= WP */
    case 1: P_BYTES(p, "\x0f\x20\xc0\x34\x08\x0f\x22\xc0"); break; /* cr0 ^= TS */
    default: P_BYTES(p, "\x0f\x20\xe0\x34\x80\x0f\x22\xe0"); break; /* cr4 ^= PGE */
    }
}

/* A descriptor that changes, and a load of it. */
static inline void k_segment(struct program *p)
{
    uint32_t at = P_GDT + (SEL_CHANGING & ~7u);
    p_op(p, 2, 0xc7, 0, p_at(at));
    p_word(p, 0x7ff | (p_random(p) & 0xf800));
    p_op(p, 1, 0xc6, 0, p_at(at + 3));
    p_byte(p, (P_DATA >> 8) + p_below(p, 0x30));
    p_op(p, 1, 0xc6, 0, p_at(at + 5));
    p_byte(p, p_below(p, 4) ? 0xf3 : 0xf1);
    p_mov_to_seg(p, S_FS, SEL_CHANGING);
}

static inline uint32_t gate_at(const struct program *p, unsigned vector)
{
    return P_IDT + vector * (p->kind_bits == 64 ? 16 : 8);
}

/* What transfers depend on: gates, the other page of gates, the stack of the kernel, segments. */
static inline void k_passage(struct program *p)
{
    static const uint8_t sels[] = {SEL_CODE, SEL_STACK, SEL_USER32, SEL_DATA, SEL_USER64};
    uint32_t gate = gate_at(p, INT_FIRST + p_below(p, INT_COUNT));
    uint32_t desc = P_GDT + (sels[p_below(p, 5)] & ~7u);
    switch (p_below(p, p->paged ? 6 : 5)) {
    case 0: /* between interrupt and trap gate */
        p_op(p, 1, 0x80, 6, p_at(gate + 5));
        p_byte(p, 1);
        break;
    case 1: /* two gates change places */
        P_BYTES(p, "\x9c\xfa");
        p_op(p, 4, 0x8b, R_AX, p_at(gate));
        p_op(p, 4, 0x87, R_AX, p_at(gate_at(p, INT_FIRST)));
        p_op(p, 4, 0x89, R_AX, p_at(gate));
        p_byte(p, 0x9d);
        break;
    case 2:
        p_op(p, 2, 0xc7, 0, p_at(P_TSS + 4));
        p_word(p, P_ENTRY_STACK - 8 * p_below(p, 8));
        break;
    case 3: /* not accessed */
        p_op(p, 1, 0x80, 4, p_at(desc + 5));
        p_byte(p, 0xfe);
        break;
    case 4: /* another limit, of pages */
        p_op(p, 2, 0xc7, 0, p_at(desc));
        p_word(p, p_below(p, 2) ? 0xffff : p_random(p));
        break;
    default:
        P_BYTES(p, "\x9c\xfa");
        p_op(p, 4, 0x81, 6, p_at(pte_of(p, p_below(p, 2) ? P_ROOT : P_OTHER_ROOT, P_IDT)));
        p_long(p, P_OTHER_IDT);
        p_op(p, 4, 0x0f01, 7, p_at(P_IDT));
        p_byte(p, 0x9d);
    }
}

static inline void p_wrmsr(struct program *p, uint32_t index, uint32_t val)
{
    p_set(p, R_CX, index);
    p_set(p, R_AX, val);
    P_BYTES(p, "\x31\xd2\x0f\x30");
}

static inline void k_msr(struct program *p)
{
    if (p->kind_bits == 32) {
        p_wrmsr(p, 0x176, p->sysenter[p_below(p, 2)]);
        return;
    }
    switch (p_below(p, 4)) {
    case 0: p_wrmsr(p, 0xc0000082, p->syscall[p_below(p, 2)]); break;
    case 1: p_wrmsr(p, 0xc0000084, 0x100 | (p_random(p) & 0x6d5)); break;
    case 2: p_wrmsr(p, 0xc0000100, P_DATA + p_below(p, 0x2000)); break;
    default: P_BYTES(p, "\x0f\x01\xf8"); break;         /* swapgs */
    }
}

/* A data breakpoint for some instructions. */
static inline void k_breakpoint(struct program *p)
{
    p_set(p, R_AX, P_DATA + p_below(p, 0x3ff0));
    P_BYTES(p, "\x0f\x23\xc0");
    p_set(p, R_AX, 0x1 | (p_below(p, 2) ? 0x10000u : 0x30000u) | p_below(p, 4) << 18);
    P_BYTES(p, "\x0f\x23\xf8");
    some_insns(p, 3);
    P_BYTES(p, "\x31\xc0\x0f\x23\xf8");
}

static inline void k_table(struct program *p)
{
    unsigned which = p_below(p, 2);
    P_BYTES(p, "\x9c\xfa");
    p_op(p, p_near(p), 0x0f01, which, p_at(V_IDTR));    /* sgdt, sidt */
    p_op(p, p_near(p), 0x0f01, 2 + which, p_at(V_IDTR));
    p_byte(p, 0x9d);
}

static inline void k_small(struct program *p)
{
    switch (p_below(p, 4)) {
    case 0: P_BYTES(p, "\x8c\xd0\x8e\xd0"); break;      /* mov eax, ss; mov ss, eax */
    case 1: P_BYTES(p, "\xfb"); break;
    case 2: P_BYTES(p, "\xfa\x90\xfb"); break;
    default: P_BYTES(p, "\x31\xc0\x0f\xa2"); break;     /* cpuid */
    }
}

/* Anything that needs no stack and ends where it began. */
static inline void k_any(struct program *p)
{
    static void (*const kinds[])(struct program *) = {
        k_small, k_table, k_segment, k_msr, k_breakpoint, k_passage, k_passage, k_control, k_root,
        k_swap, k_swap, k_take, k_take, k_code,
    };
    if (p->kind_bits == 16) {
        k_small(p);
        return;
    }
    kinds[p_below(p, p->paged ? ARRAY_SIZE(kinds) : 7)](p);
}

/* ---- trips ---- */

/* Statements of other bits or privilege, of which the functions are no part. */
static inline void foreign_code(struct program *p, unsigned bits, bool inner, bool plain)
{
    struct program was = *p;
    p->bits = bits;
    p->inner = inner;
    p->plain = plain;
    p->n_functions = 0;
    p->reserved = 0xffff0000u | (was.reserved & 0xffff);
    any_statement(p);
    some_insns(p, 4);
    p->bits = was.bits;
    p->inner = was.inner;
    p->plain = was.plain;
    p->n_functions = was.n_functions;
    p->reserved = was.reserved;
}

/* PUSH of an address that is filled in later: returns where. */
static inline unsigned push_hole(struct program *p)
{
    p_push(p, 0);
    return p->at - p_near(p);
}

/* To CPL 3, or with @vm to virtual-8086 mode; INT_BACK leads back. */
static inline void trip_outside(struct program *p, bool vm)
{
    unsigned size = p_near(p), wide = p->bits == 64 ? 8 : 4;
    p_op(p, wide, 0x89, R_SP, p_at(V_BACK_SP));
    p_op(p, size, 0xc7, 0, p_at(V_BACK));
    unsigned back = p->at, start;
    p_imm(p, size, 0);
    for (unsigned i = 0; vm && i < 4; i++) {
        p_push(p, i == 1 ? P_DATA >> 4 : 0); /* GS FS DS ES */
    }
    p_push(p, vm ? 0 : SEL_DATA);
    p_push(p, P_USER_STACK);
    p_push(p, (vm ? 0x23002 : 2) | (p_below(p, 4) ? 0x200 : 0));
    p_push(p, vm ? 0 : p->bits == 64 && p_below(p, 2) ? SEL_USER64 : SEL_USER32);
    bool wide_code = !vm && ld32le(p->ram + p->at - 4) == SEL_USER64;
    start = push_hole(p);
    if (wide == 8) {
        p_byte(p, 0x48);
    }
    p_byte(p, 0xcf);
    p_patch(p, start, size, p->at);
    foreign_code(p, vm ? 16 : wide_code ? 64 : 32, false, false);
    p_byte(p, 0xcd);
    p_byte(p, INT_BACK);
    p_patch(p, back, size, p->at);
}

/* To a code segment of other bits at CPL 0, and back. */
static inline void trip_aside(struct program *p)
{
    bool narrow = p->bits == 32 || p_below(p, 2);
    unsigned was = p->bits;
    p_mov_to_seg(p, S_SS, SEL_STACK);
    p_push(p, narrow ? SEL_CODE16 : SEL_CODE32);
    unsigned start = push_hole(p);
    if (was == 64) {
        p_byte(p, 0x48);
    }
    p_byte(p, 0xcb);
    p_patch(p, start, p_near(p), p->at);
    foreign_code(p, narrow ? 16 : 32, true, true);
    if (narrow) {
        p_byte(p, 0x66);
    }
    p_byte(p, 0xea);
    p_long(p, p->at + 6);
    p_word(p, SEL_CODE);
}

/* From real mode to protected mode of 16 or 32 bits, and back. */
static inline void trip_protected(struct program *p)
{
    P_BYTES(p, "\x9c\x6a\x02\x9d");                     /* pushf; no flags */
    P_BYTES(p, "\x0f\x20\xc0\x0c\x01\x0f\x22\xc0\xea"); /* cr0.pe = 1; jmp far */
    p_word(p, p->at + 4);
    p_word(p, SEL_CODE16);
    if (p_below(p, 2)) {
        p_mov_to_seg(p, S_FS, p_below(p, 2) ? SEL_DATA : SEL_CHANGING);
    }
    foreign_code(p, 16, true, true);
    if (p_below(p, 2)) {
        p_byte(p, 0xea);
        p_word(p, p->at + 4);
        p_word(p, SEL_CODE);
        foreign_code(p, 32, true, true);
        P_BYTES(p, "\x66\xea");
        p_word(p, p->at + 4);
        p_word(p, SEL_CODE16);
    }
    P_BYTES(p, "\x0f\x20\xc0\x24\xfe\x0f\x22\xc0\xea");
    p_word(p, p->at + 4);
    p_word(p, 0);
    p_mov_to_seg(p, S_FS, P_DATA >> 4);
    p_byte(p, 0x9d);
}

/* Single steps from here on. */
static inline void trip_steps(struct program *p)
{
    P_BYTES(p, "\x9c\x58\x80\xcc\x01\x50\x9d");         /* pushf; pop; or ah, 1; push; popf */
}

/* IRET to the next instruction, at the same level; a far call and its return. */
static inline void trip_far(struct program *p)
{
    unsigned size = p_near(p), hole;
    if (p_below(p, 2) && p->bits != 64) {
        P_BYTES(p, "\x9c\x0e");
        hole = push_hole(p);
        p_byte(p, 0xcf);
        p_patch(p, hole, size, p->at);
    } else if (p->bits != 64) {
        p_byte(p, 0x9a);
        hole = p->at;
        p_imm(p, size, 0);
        p_word(p, p->kind_bits == 16 ? 0 : SEL_CODE);
        struct jump over = p_jmp(p);
        p_patch(p, hole, size, p->at);
        some_insns(p, 3);
        p_byte(p, 0xcb);
        p_here(p, over);
    } else {
        p_set(p, R_AX, P_KERNEL_STACK);
        P_BYTES(p, "\x48\x89\xe1\x6a\x10\x51\x9c\x6a\x08"); /* rcx = rsp; ss, rcx, flags, cs */
        hole = push_hole(p);
        P_BYTES(p, "\x48\xcf");
        p_patch(p, hole, size, p->at);
    }
}

static inline void trip_system_call(struct program *p)
{
    if (p->bits == 64) {
        P_BYTES(p, "\x0f\x05");
    } else if (p->bits == 32 && p->kind_bits == 32) {
        P_BYTES(p, "\x89\xe1\xba");                     /* ecx = esp; edx = behind */
        p_long(p, p->at + 4 + 2);
        P_BYTES(p, "\x0f\x34");
    } else {
        i_alu(p);
    }
}

static inline void s_elsewhere(struct program *p)
{
    unsigned kind = p_below(p, p->inner ? 8 : 4);
    bool own = p->bits == p->kind_bits, outside = p->inner && !p->user && own && p->paged;
    if (kind == 0) {
        trip_steps(p);
    } else if (kind < 3 || !own) {
        p_byte(p, 0xcd);
        p_byte(p, INT_FIRST + p_below(p, INT_COUNT));
    } else if (!p->inner) {
        trip_system_call(p);
    } else if (kind == 3) {
        trip_far(p);
    } else if (kind == 4 && p->bits == 16) {
        trip_protected(p);
    } else if (kind == 4) {
        trip_aside(p);
    } else if (kind == 5 && outside) {
        trip_outside(p, p->bits == 32 && p_below(p, 2));
    } else {
        k_any(p);
    }
}

/* ---- handlers ---- */

static inline void p_iret(struct program *p)
{
    if (p->bits == 64) {
        p_byte(p, 0x48);
    }
    p_byte(p, 0xcf);
}

/* The program begins again, whatever happened. */
static inline void make_restart(struct program *p)
{
    unsigned size = p_near(p);
    p->restart = p->at;
    p_byte(p, 0xfc);
    p_set(p, R_SP, P_KERNEL_STACK);
    p_mov_to_seg(p, S_DS, p->bits == 16 ? 0 : SEL_DATA);
    p_mov_to_seg(p, S_ES, p->bits == 16 ? 0 : SEL_DATA);
    p_op(p, size, 0xff, 0, p_at(V_RESTARTS));
    P_BYTES(p, "\x66\x31\xc0\x0f\x23\xf8");             /* dr7 = 0, but for what is always 1 */
    p_mov_to_seg(p, S_FS, p->bits == 16 ? P_DATA >> 4 : SEL_CHANGING);
    if (p->bits == 64) {
        p_wrmsr(p, 0xc0000100, P_DATA);
    }
    if (p->user || p->bits == 64) {
        p_push(p, p->user ? SEL_DATA : SEL_STACK);
        p_push(p, p->user ? P_USER_STACK : P_KERNEL_STACK);
    }
    p_push(p, 0x202);
    p_push(p, p->bits == 16 ? 0 : !p->user ? SEL_CODE : p->bits == 64 ? SEL_USER64 : SEL_USER32);
    p_op(p, size, 0xff, 6, p_at(V_MAIN));
    p_iret(p);
}

/* #DE: the division is done again, and succeeds. */
static inline uint32_t make_divide(struct program *p)
{
    uint32_t start = p->at;
    p_set(p, R_BX, 3);
    P_BYTES(p, "\x31\xd2");
    p_iret(p);
    return start;
}

/* #DB: steps go on for a while. */
static inline uint32_t make_debug(struct program *p)
{
    uint32_t start = p->at;
    struct place steps = p_at(V_STEPS);
    steps.prefix = 0x36;
    p_op(p, 1, 0xfe, 1, steps);
    struct jump out = p_jcc(p, 5, false);
    p_op(p, 1, 0xc6, 0, steps);
    p_byte(p, 1 + p_below(p, 20));
    if (p->bits == 16) {
        P_BYTES(p, "\x55\x89\xe5\x80\x66\x07\xfe\x5d"); /* TF of the frame goes */
    } else if (p->bits == 32) {
        P_BYTES(p, "\x80\x64\x24\x09\xfe");
    } else {
        P_BYTES(p, "\x80\x64\x24\x11\xfe");
    }
    p_here(p, out);
    p_iret(p);
    return start;
}

/* #PF: of a data page, everything is allowed again. */
static inline uint32_t make_page_fault(struct program *p)
{
    uint32_t start = p->at;
    P_BYTES(p, "\x50\x0f\x20\xd0\xc1\xe8\x0c\x83\xe8\x08\x83\xf8\x04");
    struct jump ours = p_jcc(p, 2, false);
    p_branch(p, 0xe9, p->restart);
    p_here(p, ours);
    for (unsigned i = 0; i < 2; i++) {
        P_BYTES(p, "\x36\x80\x0c");
        p_byte(p, p->bits == 64 ? 0xc5 : 0x85);
        p_long(p, pte_of(p, i ? P_OTHER_ROOT : P_ROOT, P_DATA));
        p_byte(p, 7);
    }
    p_byte(p, 0x58);
    if (p->bits == 64) {
        p_byte(p, 0x48);
    }
    P_BYTES(p, "\x83\xc4");
    p_byte(p, p->bits / 8);
    p_iret(p);
    return start;
}

/* INT_BACK: the kernel goes on where trip_outside said. */
static inline uint32_t make_back(struct program *p)
{
    uint32_t start = p->at;
    p_mov_to_seg(p, S_DS, SEL_DATA);
    p_mov_to_seg(p, S_ES, SEL_DATA);
    p_op(p, p->bits / 8, 0x8b, R_SP, p_at(V_BACK_SP));
    p_byte(p, p_below(p, 2) ? 0xfb : 0x90);
    p_op(p, p_near(p), 0xff, 4, p_at(V_BACK));
    return start;
}

static inline void save_all(struct program *p, bool back)
{
    if (p->bits != 64) {
        p_byte(p, back ? 0x61 : 0x60);
        return;
    }
    for (unsigned i = 0; i < 16; i++) {
        unsigned reg = back ? 15 - i : i;
        if (reg != R_SP) {
            p_op(p, 4, back ? 0x8f : 0xff, back ? 0 : 6, p_reg(reg));
        }
    }
}

static inline void handler_body(struct program *p)
{
    p->depth = 2;
    for (unsigned n = p_below(p, 3); n > 0; n--) {
        p_below(p, 2) ? k_any(p) : some_insns(p, 4);
    }
    p->depth = 0;
}

static inline uint32_t make_interrupt(struct program *p)
{
    uint32_t start = p->at;
    save_all(p, false);
    if (p->bits == 32) {
        P_BYTES(p, "\x1e\x06");
        p_mov_to_seg(p, S_DS, SEL_DATA);
        p_mov_to_seg(p, S_ES, SEL_DATA);
    }
    handler_body(p);
    if (p->bits == 32) {
        P_BYTES(p, "\x07\x1f");
    }
    save_all(p, true);
    p_iret(p);
    return start;
}

static inline uint32_t make_syscall(struct program *p)
{
    uint32_t start = p->at;
    p_op(p, 8, 0x89, R_SP, p_at(V_SAVED));
    p_set(p, R_SP, P_KERNEL_STACK);
    save_all(p, false);
    handler_body(p);
    save_all(p, true);
    p_op(p, 8, 0x8b, R_SP, p_at(V_SAVED));
    P_BYTES(p, "\x48\x0f\x07");
    return start;
}

static inline uint32_t make_sysenter(struct program *p)
{
    uint32_t start = p->at;
    P_BYTES(p, "\x51\x52");
    handler_body(p);
    P_BYTES(p, "\x5a\x59\xfb\x0f\x35");
    return start;
}

/* ---- tables ---- */

static inline void put_gate(struct program *p, unsigned vector, uint32_t to)
{
    uint8_t *at = p->ram + P_IDT;
    if (p->bits == 16) {
        st32le(at + vector * 4, to);
        return;
    }
    at += vector * (p->bits == 64 ? 16 : 8);
    st32le(at, SEL_CODE << 16 | to);
    st32le(at + 4, vector >= INT_FIRST && p_below(p, 4) == 0 ? 0xef00 : 0xee00);
}

static inline void make_descriptors(struct program *p)
{
    const uint64_t code32 = 0x00cf9b000000ffff, data = 0x00cf93000000ffff;
    uint8_t *gdt = p->ram + P_GDT;
    st64le(gdt + SEL_CODE, p->bits == 64 ? 0x00af9b000000ffff : code32);
    st64le(gdt + SEL_STACK, data);
    st64le(gdt + (SEL_USER32 & ~7), code32 | 0x600000000000);
    st64le(gdt + (SEL_DATA & ~7), data | 0x600000000000);
    st64le(gdt + (SEL_USER64 & ~7), 0x00affb000000ffff);
    st64le(gdt + SEL_CODE16, 0x00009b000000ffff);
    st64le(gdt + SEL_CODE32, code32);
    st64le(gdt + (SEL_CHANGING & ~7), 0x0040f300000017ff | (uint64_t)P_DATA << 16);
    st32le(p->ram + P_TSS + 4, P_ENTRY_STACK);
    st32le(p->ram + P_TSS + 8, p->bits == 64 ? 0 : SEL_STACK);
    st16le(p->ram + P_TSS + 0x66, 0x68);
}

static inline void make_page_tables(struct program *p, uint32_t root)
{
    unsigned size = pte_size(p), levels = size == 8 ? 4 : 2;
    for (unsigned i = 0; i + 1 < levels; i++) {
        st64le(p->ram + root + i * 0x1000, (root + (i + 1) * 0x1000) | 7);
    }
    /* A large page: entry 2 of 2 MiB, or 1 of 4 MiB, are P_ALIAS. */
    uint8_t *last = p->ram + root + (levels - 2) * 0x1000;
    st_le(last + (size == 8 ? 2u : 1u) * size, 0x87, size);
    for (uint32_t lin = 0; lin < P_RAM; lin += 0x1000) {
        bool data = lin >= P_DATA && lin < P_DATA + P_DATA_PAGES * 0x1000;
        bool ours = lin == P_IDT || lin == P_MOVED || data;
        uint32_t global = !ours && p_below(p, 2) ? 0x100 : 0;
        st_le(p->ram + pte_of(p, root, lin), lin | global | 7, size);
    }
}

/* The page of gates again, with those of interrupts in another order. */
static inline void make_other_idt(struct program *p)
{
    memcpy(p->ram + P_OTHER_IDT, p->ram + P_IDT, 0x1000);
    for (unsigned i = 0; i < INT_COUNT; i++) {
        memcpy(p->ram + P_OTHER_IDT + gate_at(p, INT_FIRST + i),
               p->ram + gate_at(p, INT_FIRST + (i + 1) % INT_COUNT), 8);
    }
}

/* The page of functions again, with other immediates. */
static inline void make_moved_code(struct program *p)
{
    memcpy(p->ram + P_MOVED + 0x1000, p->ram + P_MOVED, 0x1000);
    for (unsigned i = 0; i < p->n_sites && i < P_SITES; i++) {
        if (p->site[i].at >= P_MOVED && p->site[i].at < P_MOVED + 0xff0) {
            p->ram[p->site[i].at + 0x1000] ^= (uint8_t)p_random(p);
        }
    }
}

static inline void make_handlers(struct program *p)
{
    p->at = P_KERNEL;
    p->end = P_END;
    p->inner = true;
    make_restart(p);
    for (unsigned v = 0; v < INT_FIRST; v++) {
        put_gate(p, v, p->restart);
    }
    put_gate(p, 0, make_divide(p));
    put_gate(p, 1, make_debug(p));
    put_gate(p, 7, p->at);
    P_BYTES(p, "\x0f\x06");
    p_iret(p);
    if (p->paged) {
        put_gate(p, 14, make_page_fault(p));
    }
    for (unsigned i = 0; i < 2 && p->bits > 16; i++) {
        p->syscall[i] = p->sysenter[i] = p->at; /* those of before are not used */
        p->bits == 64 ? make_syscall(p) : make_sysenter(p);
    }
    for (unsigned i = 0; i < INT_COUNT; i++) {
        put_gate(p, INT_FIRST + i, make_interrupt(p));
    }
    put_gate(p, INT_BACK, p->bits == 16 ? p->restart : make_back(p));
}

/* Fills P_RAM bytes at p->ram, which are 0, by p->seed and p->kind_bits, paged and user. */
static inline void make_program(struct program *p)
{
    p->bits = p->kind_bits;
    make_descriptors(p);
    make_handlers(p);
    p->inner = !p->user;
    p->at = P_MOVED;
    p->end = P_MOVED + 0xe00;
    make_function(p);
    make_function(p);
    make_moved_code(p);
    p->at = P_CODE;
    p->end = P_MOVED - 0x200;
    for (unsigned n = p_below(p, P_FUNCTIONS - 3); n > 0 && p->at + 0x800 < p->end; n--) {
        make_function(p);
    }
    st32le(p->ram + V_MAIN, p->at);
    uint32_t main = p->at;
    for (unsigned n = 2 + p_below(p, 4); n > 0; n--) {
        any_statement(p);
    }
    make_site(p);
    p_branch(p, 0xe9, main);
    for (unsigned i = 0; i < 0x4000; i++) {
        p->ram[P_DATA + i] = p->ram[P_HIGH_DATA + i] = (uint8_t)p_random(p);
    }
    p->ram[V_STEPS] = 3;
    if (p->paged) {
        make_page_tables(p, P_ROOT);
        make_page_tables(p, P_OTHER_ROOT);
        make_other_idt(p);
    }
}

#endif
