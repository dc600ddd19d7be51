/*
 * The interpreter in long mode: 16 MiB of memory mapped at 0 and again at the top 2 GiB, a GDT
 * whose order suits SYSCALL, a 64-bit TSS, and an IDT whose handlers halt.
 */
#ifndef TESTS_UNIT_LONG_BENCH_H
#define TESTS_UNIT_LONG_BENCH_H

#include "core/cpu/mech.h"
#include "unit/interp_bench.h"

enum {
    LB_GDT = 0x1000,
    LB_IDT = 0x2000,
    LB_TSS = 0x4000,
    LB_CODE = 0x5000,            /* where code starts */
    LB_RSP0 = 0x9000,
    LB_IST1 = 0xa008,            /* not aligned: delivery aligns it */
    LB_STACK = 0x8000,
    LB_HANDLERS = 0x10000,       /* 16 bytes each */
    LB_PML4 = 0x100000, LB_PDPT = 0x101000, LB_PD = 0x102000, LB_PT = 0x103000,
    LB_PAGES = 0x400000,         /* 512 pages of 4 KiB with entries in LB_PT, mapped one to one */
};
#define LB_HIGH 0xffffffff80000000ull /* memory at 0, once more */
#define NOT_CANONICAL 0x0000800000000000ull

/* Selectors. STAR is 0x18 << 48 | 0x08 << 32. */
enum {
    LS_CODE = 0x08, LS_DATA = 0x10, LS_USER32 = 0x1b, LS_USERDATA = 0x23, LS_USER = 0x2b,
    LS_TSS = 0x30, LS_CODE32 = 0x40, LS_DATA32 = 0x48, LS_GATE = 0x50, LS_LDT = 0x60,
    LS_CONFORMING = 0x70, LS_FREE = 0x78,
};

static inline void lb_put64(struct interp_bench *b, uint64_t at, uint64_t val)
{
    st64le(ibench_mem(b, at), val);
}

static inline uint64_t lb_get64(struct interp_bench *b, uint64_t at)
{
    return ld64le(ibench_mem(b, at));
}

static inline void lb_desc(struct interp_bench *b, uint16_t sel, uint32_t attr)
{
    lb_put64(b, LB_GDT + (sel & ~7u), 0xffffull | (uint64_t)(attr & 0xf0ff) << 40 | 0xfull << 48);
}

static inline void lb_gate(struct interp_bench *b, uint64_t at, uint16_t sel, uint64_t off,
                           unsigned attr, unsigned ist)
{
    lb_put64(b, at, (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)ist << 32 |
                        (uint64_t)attr << 40 | (off >> 16 & 0xffff) << 48);
    lb_put64(b, at + 8, off >> 32);
}

static inline void lb_idt(struct interp_bench *b, unsigned vector, uint16_t sel, unsigned attr,
                          unsigned ist)
{
    lb_gate(b, LB_IDT + vector * 16, sel, LB_HANDLERS + vector * 16, attr, ist);
}

static inline void lb_tables(struct interp_bench *b)
{
    lb_desc(b, LS_CODE, 0xa09b);
    lb_desc(b, LS_DATA, 0xc093);
    lb_desc(b, LS_USER32, 0xc0fb);
    lb_desc(b, LS_USERDATA, 0xc0f3);
    lb_desc(b, LS_USER, 0xa0fb);
    lb_put64(b, LB_GDT + LS_TSS, 0x67 | LB_TSS << 16 | 0x89ull << 40);
    lb_put64(b, LB_GDT + LS_TSS + 8, 0);
    lb_desc(b, LS_CODE32, 0xc09b);
    lb_desc(b, LS_DATA32, 0xc093);
    lb_gate(b, LB_GDT + LS_GATE, LS_CODE, LB_HANDLERS, 0xec, 0);
    lb_put64(b, LB_GDT + LS_LDT, 0x7f | 0x3000ull << 16 | 0x82ull << 40);
    lb_put64(b, LB_GDT + LS_LDT + 8, 0);
    lb_desc(b, LS_CONFORMING, 0xa09f);
    for (unsigned v = 0; v < 256; v++) {
        lb_idt(b, v, LS_CODE, 0x8e, 0);
        *ibench_mem(b, LB_HANDLERS + v * 16) = 0xf4;
    }
    memset(ibench_mem(b, LB_TSS), 0, 0x68);
    lb_put64(b, LB_TSS + 4, LB_RSP0);
    lb_put64(b, LB_TSS + 0x24, LB_IST1);
    st16le(ibench_mem(b, LB_TSS + 0x66), 0x68); /* no I/O map */
}

static inline void lb_page_tables(struct interp_bench *b)
{
    memset(ibench_mem(b, LB_PML4), 0, 0x4000);
    lb_put64(b, LB_PML4, LB_PDPT | 7);
    lb_put64(b, LB_PML4 + 511 * 8, LB_PDPT | 7);
    lb_put64(b, LB_PDPT, LB_PD | 7);
    lb_put64(b, LB_PDPT + 510 * 8, LB_PD | 7);
    for (uint64_t i = 0; i < 8; i++) {
        lb_put64(b, LB_PD + i * 8, i << 21 | 0x87);
    }
    lb_put64(b, LB_PD + 2 * 8, LB_PT | 7);
    for (uint64_t i = 0; i < 512; i++) {
        lb_put64(b, LB_PT + i * 8, (LB_PAGES + i * 4096) | 7);
    }
}

/* The register as a load of @sel from the GDT makes it. */
static inline struct x86_seg lb_seg(struct interp_bench *b, uint16_t sel)
{
    uint64_t raw = lb_get64(b, LB_GDT + (sel & ~7u));
    struct x86_desc d = {.raw = raw, .attr = (uint32_t)(raw >> 40) & 0xf0ff, .sel = sel};
    return x86_desc_seg(&d);
}

/* In long mode at LB_CODE with CS @cs, the data segments of its privilege and SP LB_STACK. */
static inline void lb_start(struct interp_bench *b, uint16_t cs)
{
    struct x86_state *s = &b->cpu->s;
    uint16_t data = (cs & 3) == 3 ? LS_USERDATA : LS_DATA;
    x86_state_reset(s, b->cpu->model->signature, false);
    memset(s->gpr, 0, sizeof(s->gpr));
    s->a20 = true;
    s->cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_WP;
    s->cr3 = LB_PML4;
    s->cr4 = CR4_PAE | CR4_PGE;
    s->efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
    s->star = 0x18ull << 48 | 0x08ull << 32;
    s->lstar = 0x6000;
    s->cstar = 0x6100;
    s->gdtr = (struct x86_dtr){.base = LB_GDT, .limit = 0x7ff};
    s->idtr = (struct x86_dtr){.base = LB_IDT, .limit = 0xfff};
    for (unsigned i = 0; i < 6; i++) {
        s->seg[i] = lb_seg(b, i == S_CS ? cs : data);
    }
    s->tr = (struct x86_seg){.sel = LS_TSS, .base = LB_TSS, .limit = 0x67, .attr = 0x8b};
    s->ldtr = x86_null_seg(0);
    s->gpr[R_SP] = LB_STACK;
    s->rip = LB_CODE;
    x86_state_loaded(b->cpu);
}

static inline struct interp_bench *lb_new(const char *model)
{
    struct interp_bench *b = ibench_new(16 * MiB, model);
    lb_tables(b);
    lb_page_tables(b);
    lb_start(b, LS_CODE);
    return b;
}

/* Runs @n bytes of code and an HLT behind them. */
static inline enum vcpu_exit_reason lb_run(struct interp_bench *b, const void *code, unsigned n)
{
    ibench_poke(b, LB_CODE, code, n);
    ibench_poke(b, LB_CODE + n, "\xf4", 1);
    return ibench_run(b);
}

/* The handler that halted, or -1. */
static inline int lb_vector(const struct interp_bench *b)
{
    uint64_t at = b->cpu->s.rip - 1 - LB_HANDLERS;
    return at < 256 * 16 && at % 16 == 0 ? (int)(at / 16) : -1;
}

/* A test on a fresh bench; needs <cmocka.h>. */
static inline int lb_fresh(void **state)
{
    *state = lb_new("max");
    return 0;
}

static inline int lb_done(void **state)
{
    ibench_free(*state);
    return 0;
}

#define LONG_TEST(f) cmocka_unit_test_setup_teardown(f, lb_fresh, lb_done)

#endif
