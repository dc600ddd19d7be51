/*
 * The guest that stands beside the process of native_host.h: the interpreter in long mode at CPL 3,
 * with the same selectors in its GDT and LDT, the same code page and data area for the user and
 * nothing else, and an IDT that shows which fault an instruction raised.
 */
#ifndef TESTS_INSN_NATIVE_GUEST_H
#define TESTS_INSN_NATIVE_GUEST_H

#include "tests/insn/native_host.h"
#include "tests/unit/interp_long.h"

#define GUEST_LDT   (LONG_TSS + 0x200)
#define GUEST_PAGES 0xa000u /* PML4, PDPT, PD and two PTs */

struct guest {
    struct interp_bench *b;
    struct x86_model model; /* has all features */
    struct ram_block code, data;
    struct region code_region, data_region;
    struct host_result result;
};

static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t attr)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(attr & 0xff) << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)(attr >> 12 & 0xf) << 52 |
           (uint64_t)(base >> 24) << 56;
}

/* What a selector stands for; null ones are unusable. */
static struct x86_seg guest_seg(uint16_t sel)
{
    unsigned entry = sel >> 3;
    if ((sel & 4) && entry < SEL_LDT_COUNT) {
        const struct ldt_entry *e = &ldt_entries[entry];
        return (struct x86_seg){.sel = sel, .attr = e->attr, .limit = e->limit, .base = e->base};
    }
    uint32_t attr = sel == SEL_USER32 ? 0xc0fb : sel == SEL_USER64 ? 0xa0fb : 0xc0f3;
    if (sel < 4) {
        return (struct x86_seg){.sel = sel, .attr = AR_UNUSABLE};
    }
    return (struct x86_seg){.sel = sel, .attr = attr, .limit = 0xffffffff};
}

static void guest_ram(struct guest *g, struct ram_block *ram, struct region *region, uint32_t at,
                      uint64_t bytes)
{
    if (!ram_block_new(&g->b->arena, ram, "native", bytes, NULL)) {
        abort();
    }
    region_ram(region, "native", ram);
    region_map(&g->b->mem.root, region, at, 1);
}

/* The user has the code page, which cannot be written, and the data area, which cannot be run. */
static void guest_pages(struct guest *g)
{
    enum { P = 1, W = 2, U = 4 };
    const uint64_t nx = 1ull << 63;
    uint8_t *pml4 = ibench_mem(g->b, GUEST_PAGES), *pd = pml4 + 0x2000, *pt = pml4 + 0x4000;
    st64le(pml4, (GUEST_PAGES + 0x1000) | P | W | U);
    st64le(pml4 + 0x1000, (GUEST_PAGES + 0x2000) | P | W | U);
    st64le(pd, (GUEST_PAGES + 0x3000) | P | W | U);
    st64le(pd + 8 * (CODE_PAGE >> 21), (GUEST_PAGES + 0x4000) | P | W | U);
    for (unsigned i = 0; i < 16; i++) { /* the guest's tables: the supervisor's */
        st64le(pml4 + 0x3000 + 8 * i, i << 12 | P | W);
    }
    st64le(pt + 8 * (CODE_PAGE >> 12 & 511), CODE_PAGE | P | U);
    for (uint32_t at = DATA; at < DATA + DATA_BYTES; at += PAGE_BYTES) {
        st64le(pt + 8 * (at >> 12 & 511), at | P | W | U | nx);
    }
}

/* The engine is not where native code of 32 bits may look and is to find nothing: what alloc_low
 * would take is full meanwhile. */
static struct interp_bench *bench_above_4g(void)
{
    const size_t bytes = 1 * GiB;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    void *low = mmap((void *)0x40000000, bytes, PROT_NONE, flags, -1, 0);
    struct interp_bench *b = ibench_new(64 * KiB, NULL);
    if (low != MAP_FAILED) {
        munmap(low, bytes);
    }
    return b;
}

static void guest_setup(struct guest *g)
{
    g->b = bench_above_4g();
    g->model = *x86_model_find("core2duo"); /* Intel's ways, with all features */
    memset(g->model.features, 0xff, sizeof(g->model.features));
    g->b->cpu->model = &g->model;
    guest_ram(g, &g->code, &g->code_region, CODE_PAGE, CODE_BYTES);
    guest_ram(g, &g->data, &g->data_region, DATA, DATA_BYTES);
    space_commit(&g->b->mem);
    memset(ram_host(&g->code), 0xcc, CODE_BYTES);
    ilong_tables(g->b);
    uint8_t *gdt = ibench_mem(g->b, LONG_GDT);
    st64le(gdt + (SEL_USER32 & ~7), descriptor(0, 0xfffff, 0xc0fb));
    st64le(gdt + (SEL_USER_DATA & ~7), descriptor(0, 0xfffff, 0xc0f3));
    st64le(gdt + (SEL_USER64 & ~7), descriptor(0, 0xfffff, 0xa0fb));
    for (unsigned i = 0; i < SEL_LDT_COUNT; i++) {
        const struct ldt_entry *e = &ldt_entries[i];
        st64le(ibench_mem(g->b, GUEST_LDT) + 8 * i, descriptor(e->base, e->limit, e->attr));
    }
    st16le(ibench_mem(g->b, LONG_TSS) + 102, 0xffff); /* no I/O bit map */
    for (unsigned v = X86_BP; v <= X86_OF; v++) {     /* INT3 and INTO are the user's */
        ibench_mem(g->b, LONG_IDT)[v * 16 + 5] |= AR_DPL;
    }
    guest_pages(g);
    x86_tlb_flush(g->b->cpu);
}

/* As before the instruction: @s is what host_run gets, too. */
static void guest_load(struct guest *g, const struct x86_state *before)
{
    struct x86_state *s = &g->b->cpu->s;
    ilong_state(g->b, CODE - before->seg[S_CS].base);
    memcpy(s->gpr, before->gpr, sizeof(s->gpr));
    memcpy(s->ymm, before->ymm, sizeof(s->ymm));
    memcpy(s->fpr, before->fpr, sizeof(s->fpr));
    memcpy(s->seg, before->seg, sizeof(s->seg));
    s->gpr[16] = s->gpr[17] = 0;
    s->rflags = before->rflags;
    s->mxcsr = before->mxcsr;
    s->fcw = before->fcw;
    s->fsw = before->fsw;
    s->ftag = before->ftag;
    s->fop = before->fop;
    s->fip = before->fip;
    s->fdp = before->fdp;
    s->cr0 |= CR0_AM | CR0_WP | CR0_PG;
    s->cr3 = GUEST_PAGES;
    s->efer |= EFER_SCE | EFER_NXE;
    s->cr4 |= CR4_FSGSBASE | CR4_UMIP;
    s->gdtr.limit = SEL_USER64 | 7;
    s->ldtr = (struct x86_seg){
        .sel = 0x40, .attr = 0x82, .limit = 8 * SEL_LDT_COUNT - 1, .base = GUEST_LDT};
    x86_state_loaded(g->b->cpu);
}

static bool has_error_code(int vector)
{
    return vector == X86_DF || (vector >= X86_TS && vector <= X86_PF) || vector == X86_AC;
}

/* Runs what is at CODE from state @before: what came of it is in g->result. */
static void guest_run(struct guest *g, const struct x86_state *before)
{
    struct host_result *res = &g->result;
    guest_load(g, before);
    const uint64_t start = g->b->cpu->s.rip;
    for (unsigned i = 0; i < 4096 && (i == 0 || g->b->cpu->s.rip == start); i++) {
        ilong_step(g->b); /* REP counts once for every REP_CHUNK iterations */
    }
    res->s = g->b->cpu->s;
    res->s.rflags = x86_get_rflags(g->b->cpu);
    res->vector = -1;
    res->error = 0;
    uint64_t at = res->s.rip - LONG_HANDLER;
    if (at < 32 * 16 && res->s.seg[S_CS].sel == 8) {
        const uint8_t *frame = ibench_mem(g->b, res->s.gpr[R_SP]);
        res->vector = (int)(at / 16);
        if (has_error_code(res->vector)) {
            res->error = ld32le(frame);
            frame += 8;
        }
        res->s.rip = ld64le(frame);
        res->s.seg[S_CS] = guest_seg(ld16le(frame + 8));
        res->s.rflags = ld64le(frame + 16);
        res->s.gpr[R_SP] = ld64le(frame + 24);
        res->s.seg[S_SS].sel = ld16le(frame + 32);
    }
    res->address = res->s.cr2;
    uint16_t cs = res->s.seg[S_CS].sel;
    res->s.rip += (cs == SEL_CODE16 || cs == SEL_CODE32 ? CODE_PAGE : 0) - (uint64_t)CODE_PAGE;
}

#endif
