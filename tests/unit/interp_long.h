/*
 * The interpreter's bench in 64-bit mode at CPL 0, unpaged as no real machine is: flat segments, an
 * IDT whose gates lead to one address a vector, on a stack of their own. One instruction is run and
 * then shows whether it went on or which exception it raised.
 */
#ifndef TESTS_UNIT_INTERP_LONG_H
#define TESTS_UNIT_INTERP_LONG_H

#include "tests/unit/interp_bench.h"

#include <stdio.h>

#define LONG_IDT     0x1000u
#define LONG_GDT     0x2000u
#define LONG_TSS     0x2100u
#define LONG_HANDLER 0x4000u     /* + vector * 16 */
#define LONG_STACK   0x8000u

static inline void ilong_tables(struct interp_bench *b)
{
    uint8_t *idt = ibench_mem(b, LONG_IDT);
    for (unsigned v = 0; v < 32; v++) { /* interrupt gates with IST 1 */
        uint32_t to = LONG_HANDLER + v * 16;
        st64le(idt + v * 16, (to & 0xffff) | 8 << 16 | 0x8e01ull << 32);
        st64le(idt + v * 16 + 8, 0);
    }
    st64le(ibench_mem(b, LONG_GDT) + 8, 0x00209b0000000000ull);
    st64le(ibench_mem(b, LONG_TSS) + 36, LONG_STACK);
}

/* All registers as after reset, but in 64-bit mode with everything on; x86_state_loaded is the
 * caller's, after its own changes. */
static inline void ilong_state(struct interp_bench *b, uint64_t rip)
{
    struct x86_state *s = &b->cpu->s;
    x86_state_reset(s, b->cpu->model->signature, false);
    for (unsigned i = 0; i < 6; i++) {
        s->seg[i] = (struct x86_seg){.attr = 0xc093, .limit = 0xffffffff};
    }
    s->seg[S_CS] = (struct x86_seg){.sel = 8, .attr = 0xa09b, .limit = 0xffffffff};
    s->tr = (struct x86_seg){.attr = 0x8b, .base = LONG_TSS, .limit = 0x67};
    s->gdtr = (struct x86_dtr){.base = LONG_GDT, .limit = 0xf};
    s->idtr = (struct x86_dtr){.base = LONG_IDT, .limit = 0x1ff};
    s->cr0 = CR0_PE | CR0_ET | CR0_NE;
    s->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    s->efer = EFER_LME | EFER_LMA;
    s->xcr0 = 7;
    s->rip = rip;
}

/* Runs one instruction, whose delivered exception counts as part of it. */
static inline void ilong_step(struct interp_bench *b)
{
    b->stop_at = interp_icount(b->cpu) + 1;
    ibench_run(b);
}

/* The vector it raised; -1 if it went on to @next, -2 if it went astray. */
static inline int ilong_vector(const struct interp_bench *b, uint64_t next)
{
    uint64_t rip = b->cpu->s.rip;
    if (rip == next) {
        return -1;
    }
    uint64_t at = rip - LONG_HANDLER;
    return at < 32 * 16 ? (int)at / 16 : -2;
}

/* Runs the instruction @hex, at most 16 bytes as "0f a2", at @at with the state as it is. Returns
 * what ilong_vector does. */
static inline int ilong_run(struct interp_bench *b, uint32_t at, const char *hex)
{
    uint8_t bytes[16];
    unsigned n = 0, v;
    for (; n < sizeof(bytes) && sscanf(hex, "%2x", &v) == 1; hex += 3) {
        bytes[n++] = (uint8_t)v;
        if (!hex[2]) {
            break;
        }
    }
    b->cpu->s.rip = at;
    b->cpu->s.activity = ACT_RUNNING;
    ibench_poke(b, at, bytes, n);
    x86_state_loaded(b->cpu);
    ilong_step(b);
    return ilong_vector(b, at + n);
}

#endif
