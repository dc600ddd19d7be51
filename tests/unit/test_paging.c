/*
 * Paging: walks of all forms, access rights, accessed and dirty bits, error codes, TLB
 *         invalidation, A20, devices behind pages.
 * Sources: [SDM3] "Paging".
 */
#include "unit/cpu_bench.h"

enum { PD = 0x20000, PT = 0x21000, PDPT = 0x22000 };
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };

static int setup(void **state)
{
    *state = bench_new(NULL);
    bench_protected(*state);
    return 0;
}

static int setup_p6(void **state)
{
    *state = bench_new("pentiumpro");
    bench_protected(*state);
    return 0;
}

static int teardown(void **state)
{
    bench_free(*state);
    return 0;
}

static uint32_t *entry(struct cpu_bench *b, uint32_t table, unsigned i)
{
    return (uint32_t *)(void *)bench_mem(b, table + i * 4);
}

/* The first 4 MiB one to one, supervisor and writable; linear 400000h + n pages are the tests'. */
static void page_on(struct cpu_bench *b)
{
    *entry(b, PD, 0) = (PT + 0x4000) | P | W;
    for (unsigned i = 0; i < 1024; i++) {
        *entry(b, PT + 0x4000, i) = i << 12 | P | W;
    }
    *entry(b, PD, 1) = PT | P | W | U;
    x86_set_cr3(b->cpu, PD);
    x86_set_cr0(b->cpu, b->cpu->s.cr0 | CR0_PG);
}

#define LIN 0x400000u

static void walk_sets_accessed_and_dirty(void **state) /* [SDM3] "Accessed and Dirty Flags" */
{
    struct cpu_bench *b = *state;
    page_on(b);
    *entry(b, PT, 0) = 0x50000 | P | W | U;
    st32le(bench_mem(b, 0x50010), 0x12345678);
    assert_int_equal(x86_lin_read(b->cpu, LIN + 0x10, 4, true), 0x12345678);
    assert_int_equal(*entry(b, PT, 0) & 0xfff, P | W | U | A);
    assert_int_equal(*entry(b, PD, 1) & 0xfff, P | W | U | A);
    x86_lin_write(b->cpu, LIN + 0x10, 0xabcd, 2, true);
    assert_int_equal(*entry(b, PT, 0) & 0xfff, P | W | U | A | D);
    assert_int_equal(*entry(b, PD, 1) & 0xfff, P | W | U | A);
    assert_int_equal(ld32le(bench_mem(b, 0x50010)), 0x1234abcd);
}

/* Directory and page rights, and which accesses they allow: bits R0 W0 (supervisor), R3 W3 (user);
 * with CR0.WP apart. */
static void rights_are_those_of_both_levels(void **state)
{
    enum { R0 = 1, W0 = 2, R3 = 4, W3 = 8 };
    static const struct {
        uint32_t pde, pte;
        unsigned allowed, allowed_wp;
    } cases[] = {
        {P, P, R0 | W0, R0}, {P | W, P, R0 | W0, R0}, {P | W, P | W, R0 | W0, R0 | W0},
        {P | U, P | W | U, R0 | W0 | R3, R0 | R3}, {P | W | U, P | U, R0 | W0 | R3, R0 | R3},
        {P | W | U, P | W | U, R0 | W0 | R3 | W3, R0 | W0 | R3 | W3},
        {P | W, P | W | U, R0 | W0, R0 | W0}, {P | W | U, P | W, R0 | W0, R0 | W0},
        {0, P | W | U, 0, 0}, {P | W | U, 0, 0, 0},
    };
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    page_on(b);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        for (unsigned wp = 0; wp < 2; wp++) {
            x86_set_cr0(cpu, (cpu->s.cr0 & ~(uint64_t)CR0_WP) | (wp ? CR0_WP : 0));
            *entry(b, PD, 1) = PT | cases[i].pde;
            *entry(b, PT, 3) = 0x50000 | cases[i].pte;
            unsigned allowed = wp ? cases[i].allowed_wp : cases[i].allowed;
            bool present = (cases[i].pde & P) && (cases[i].pte & P);
            for (unsigned acc = 0; acc < 4; acc++) {
                bool user = acc & 2, write = acc & 1;
                uint32_t error = (present ? 1 : 0) | (write ? 2 : 0) | (user ? 4 : 0);
                x86_tlb_flush(cpu);
                for (unsigned again = 0; again < 2; again++) { /* by the walk, then by the TLB */
                    if (allowed >> acc & 1) {
                        ASSERT_FINE(b, write ? x86_lin_write(cpu, LIN + 0x3004, 1, 4, user)
                                             : (void)x86_lin_read(cpu, LIN + 0x3004, 4, user));
                    } else {
                        ASSERT_FAULT(b, write ? x86_lin_write(cpu, LIN + 0x3004, 1, 4, user)
                                              : (void)x86_lin_read(cpu, LIN + 0x3004, 4, user),
                                     X86_PF, error);
                        assert_int_equal(cpu->s.cr2, LIN + 0x3004);
                    }
                }
            }
        }
    }
}

static void a_store_over_two_pages_checks_both_first(void **state)
{
    struct cpu_bench *b = *state;
    page_on(b);
    *entry(b, PT, 0) = 0x50000 | P | W | U;
    *entry(b, PT, 1) = 0x51000 | P | U;
    b->cpu->s.cr0 |= CR0_WP;
    ASSERT_FAULT(b, x86_lin_write(b->cpu, LIN + 0xffe, 0xffffffff, 4, true), X86_PF, 7);
    assert_int_equal(b->cpu->s.cr2, LIN + 0x1000);
    assert_int_equal(ld16le(bench_mem(b, 0x50ffe)), 0);
    *entry(b, PT, 1) = 0x60000 | P | W | U;
    ASSERT_FINE(b, x86_lin_write(b->cpu, LIN + 0xffe, 0x44332211, 4, true));
    assert_int_equal(ld16le(bench_mem(b, 0x50ffe)), 0x2211);
    assert_int_equal(ld16le(bench_mem(b, 0x60000)), 0x4433);
    assert_int_equal(x86_lin_read(b->cpu, LIN + 0xffe, 4, true), 0x44332211);
}

static void large_pages_need_pse(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    page_on(b);
    *entry(b, PD, 2) = 0 | P | W | U | PS;
    *entry(b, 0, 1) = 0x50000 | P | W; /* without PSE the frame, 0, is a page table */
    st32le(bench_mem(b, 0x1008), 0x11111111);
    st32le(bench_mem(b, 0x50008), 0x22222222);
    assert_int_equal(x86_lin_read(cpu, 0x801008, 4, false), 0x22222222);
    x86_set_cr4(cpu, CR4_PSE);
    assert_int_equal(x86_lin_read(cpu, 0x801008, 4, false), 0x11111111);
    x86_lin_write(cpu, 0x801008, 7, 1, true);
    assert_int_equal(*entry(b, PD, 2) & 0xfff, P | W | U | PS | A | D);
    x86_tlb_flush(cpu);
    *entry(b, PD, 2) |= 0x2000; /* reserved */
    ASSERT_FAULT(b, x86_lin_read(cpu, 0x801008, 4, true), X86_PF, 0xd);
}

static void invlpg_drops_all_of_a_large_page(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    page_on(b);
    x86_set_cr4(cpu, CR4_PSE);
    *entry(b, PD, 2) = 0 | P | W | U | PS;
    x86_lin_read(cpu, 0x801000, 4, false);
    *entry(b, PD, 2) = 0;
    ASSERT_FINE(b, x86_lin_read(cpu, 0x801000, 4, false)); /* still cached */
    x86_tlb_flush_page(cpu, 0x900000);
    ASSERT_FAULT(b, x86_lin_read(cpu, 0x801000, 4, false), X86_PF, 0);
}

/* Fills one slot of the TLB @n times, by two pages in turn; in the end it is LIN's if @n is odd. A
 * function, since a fault in a loop would take the loop back. */
static void fill_slot(struct x86_cpu *cpu, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        x86_lin_read(cpu, LIN + (i & 1) * TLB_SIZE * PAGE_BYTES, 4, true);
    }
}

static void large_page_goes_alone(struct cpu_bench *b, unsigned fills)
{
    struct x86_cpu *cpu = b->cpu;
    *entry(b, PD, 2) = 0 | P | W | U | PS;
    *entry(b, PD, 1 + TLB_SIZE / 1024) = PT | P | W | U;
    *entry(b, PT, 0) = 0x50000 | P | W | U;
    ASSERT_FINE(b, fill_slot(cpu, fills));
    ASSERT_FINE(b, x86_lin_read(cpu, 0xbff000, 4, false));
    *entry(b, PD, 2) = 0;
    *entry(b, PT, 0) = 0;
    x86_tlb_flush_page(cpu, 0x800000);
    ASSERT_FAULT(b, x86_lin_read(cpu, 0xbff000, 4, false), X86_PF, 0);
    ASSERT_FINE(b, x86_lin_read(cpu, LIN, 4, true));
    x86_tlb_flush_page(cpu, LIN);
    ASSERT_FAULT(b, x86_lin_read(cpu, LIN, 4, true), X86_PF, 4);
    x86_tlb_flush(cpu);
}

static void invlpg_of_a_large_page_leaves_all_others(void **state)
{
    struct cpu_bench *b = *state;
    page_on(b);
    x86_set_cr4(b->cpu, CR4_PSE);
    large_page_goes_alone(b, 1);
    large_page_goes_alone(b, 5001);
}

static void load_cr3_with(struct cpu_bench *b, uint32_t entry_was)
{
    *entry(b, PT, 0) = entry_was;
    x86_tlb_flush_page(b->cpu, LIN);
    x86_lin_read(b->cpu, LIN, 4, true);
    x86_set_cr3(b->cpu, PD);
    *entry(b, PT, 0) = 0;
}

/* [SDM3] "Global Pages": a slot has a global page and one that is not in turn; a load of CR3 drops
 * it if the last one was not. */
static void cr3_drops_what_is_not_global_now(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    const uint32_t local = 0x50000 | P | W | U, global = local | G;
    page_on(b);
    x86_set_cr4(cpu, CR4_PGE);
    load_cr3_with(b, global);
    ASSERT_FINE(b, x86_lin_read(cpu, LIN, 4, true));
    load_cr3_with(b, local);
    ASSERT_FAULT(b, x86_lin_read(cpu, LIN, 4, true), X86_PF, 4);
    load_cr3_with(b, global);
    ASSERT_FINE(b, x86_lin_read(cpu, LIN, 4, true));
    load_cr3_with(b, local);
    ASSERT_FAULT(b, x86_lin_read(cpu, LIN, 4, true), X86_PF, 4);
    load_cr3_with(b, global);
    x86_tlb_flush(cpu);
    ASSERT_FAULT(b, x86_lin_read(cpu, LIN, 4, true), X86_PF, 4);
}

static void invlpg_and_cr3_drop_translations(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    page_on(b);
    *entry(b, PT, 0) = 0x50000 | P | W | U;
    *entry(b, PT, 1) = 0x51000 | P | W | U;
    x86_lin_read(cpu, LIN, 4, true);
    x86_lin_read(cpu, LIN + 0x1000, 4, true);
    *entry(b, PT, 0) = *entry(b, PT, 1) = 0;
    x86_tlb_flush_page(cpu, LIN);
    ASSERT_FAULT(b, x86_lin_read(cpu, LIN, 4, true), X86_PF, 4);
    ASSERT_FINE(b, x86_lin_read(cpu, LIN + 0x1000, 4, true));
    x86_set_cr3(cpu, PD);
    ASSERT_FAULT(b, x86_lin_read(cpu, LIN + 0x1000, 4, true), X86_PF, 4);
}

static void a_flush_finds_every_entry(void **state) /* few, all that are noted, more than that */
{
    static const unsigned pages[] = {1, 100, 255, 256, 257, 1024};
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    for (unsigned n = 0; n < ARRAY_SIZE(pages); n++) {
        for (unsigned i = 0; i < pages[n]; i++) {
            x86_lin_read(cpu, (uint64_t)i << 12 & (BENCH_RAM - 1), 1, i & 1);
        }
        x86_tlb_flush(cpu);
        for (unsigned i = 0; i < 2 * TLB_SIZE; i++) {
            const struct tlb_entry *e = &cpu->tlbs[i / TLB_SIZE][i % TLB_SIZE];
            assert_int_equal(e->span, 0);
            bool end = i % TLB_SIZE == 0 || i % TLB_SIZE == TLB_SIZE - 1;
            assert_true(e->rtag == TLB_NONE || (e->rtag == 0 && !end));
            assert_int_equal(e->ptag, e->rtag);
        }
    }
}

static void global_pages_survive_cr3(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    page_on(b);
    x86_set_cr4(cpu, CR4_PGE);
    *entry(b, PT, 0) = 0x50000 | P | W | U | G;
    x86_lin_read(cpu, LIN, 4, true);
    *entry(b, PT, 0) = 0;
    x86_set_cr3(cpu, PD);
    ASSERT_FINE(b, x86_lin_read(cpu, LIN, 4, true));
    x86_set_cr4(cpu, 0);
    ASSERT_FAULT(b, x86_lin_read(cpu, LIN, 4, true), X86_PF, 4);
}

/* PAE: linear 400000h on is directory entry 2. */
static void pae_on(struct cpu_bench *b)
{
    struct x86_cpu *cpu = b->cpu;
    for (unsigned i = 0; i < 2; i++) {
        st64le(bench_mem(b, PD + i * 8), (uint64_t)i << 21 | P | W | PS);
    }
    st64le(bench_mem(b, PD + 16), PT | P | W | U);
    st64le(bench_mem(b, PDPT), PD | P);
    x86_set_cr4(cpu, CR4_PAE);
    x86_set_cr3(cpu, PDPT);
    x86_set_cr0(cpu, cpu->s.cr0 | CR0_PG);
}

static void pae_walks_three_levels(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    pae_on(b);
    st64le(bench_mem(b, PT + 8), 0x50000 | P | W | U);
    x86_lin_write(cpu, LIN + 0x1004, 0x55aa, 2, true);
    assert_int_equal(ld16le(bench_mem(b, 0x50004)), 0x55aa);
    assert_int_equal(ld64le(bench_mem(b, PT + 8)) & 0xfff, P | W | U | A | D);
    st64le(bench_mem(b, PT + 16), BIT64(40) | P | W | U); /* beyond 36 bits */
    ASSERT_FAULT(b, x86_lin_read(cpu, LIN + 0x2000, 1, false), X86_PF, 9);
    st64le(bench_mem(b, PT + 24), BIT64(63) | 0x50000 | P); /* NX without EFER.NXE */
    ASSERT_FAULT(b, x86_lin_read(cpu, LIN + 0x3000, 1, false), X86_PF, 9);
    ASSERT_FAULT(b, x86_lin_read(cpu, 0x40000000, 1, false), X86_PF, 0); /* PDPTE 1 is absent */
}

static void pdptes_are_loaded_with_cr3_and_checked(void **state) /* [SDM3] "PDPTE Registers" */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    pae_on(b);
    st64le(bench_mem(b, PDPT + 8), PD | P | W); /* bit 1 is reserved there */
    ASSERT_FAULT(b, x86_set_cr3(cpu, PDPT), X86_GP, 0);
    st64le(bench_mem(b, PDPT + 8), PD | P);
    ASSERT_FAULT(b, x86_lin_read(cpu, 0x40001000, 1, false), X86_PF, 0); /* not seen yet */
    x86_set_cr3(cpu, PDPT);
    ASSERT_FINE(b, x86_lin_read(cpu, 0x40001000, 1, false));
}

static void a20_masks_bit_20(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    st32le(bench_mem(b, 0x100100), 0x11111111);
    st32le(bench_mem(b, 0x000100), 0x22222222);
    assert_int_equal(x86_lin_read(cpu, 0x100100, 4, false), 0x11111111);
    cpu->s.a20 = false;
    x86_tlb_flush(cpu);
    assert_int_equal(x86_lin_read(cpu, 0x100100, 4, false), 0x22222222);
    x86_lin_write(cpu, 0x100104, 5, 4, false);
    assert_int_equal(ld32le(bench_mem(b, 0x104)), 5);
    assert_int_equal(x86_lin_read(cpu, BENCH_ROM + 3, 1, false), 3);
}

static void rom_is_read_and_not_written(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    assert_int_equal(x86_lin_read(cpu, BENCH_ROM + 0x10, 4, false), 0x13121110);
    x86_lin_write(cpu, BENCH_ROM + 0x10, 0, 4, false);
    assert_int_equal(x86_lin_read(cpu, BENCH_ROM + 0x10, 4, false), 0x13121110);
    const struct tlb_entry *e = x86_translate(cpu, BENCH_ROM, ACC_FETCH, false);
    assert_int_equal(e->xtag, BENCH_ROM);
    assert_int_equal(e->wtag, TLB_NONE);
}

static void absent_memory_reads_ones(void **state)
{
    struct cpu_bench *b = *state;
    assert_int_equal(x86_lin_read(b->cpu, 0xf0000000, 4, false), 0xffffffff);
    x86_lin_write(b->cpu, 0xf0000000, 0, 4, false);
}

static void devices_are_accessed_once_and_never_before_a_fault(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    page_on(b);
    *entry(b, PT, 0) = BENCH_MMIO | P | W | U;
    *entry(b, PT, 1) = 0;
    x86_lin_read(cpu, LIN + 4, 4, true);
    assert_int_equal(b->n_reads, 1);
    ASSERT_FAULT(b, x86_lin_read(cpu, LIN + 0xffe, 4, true), X86_PF, 4);
    ASSERT_FAULT(b, x86_lin_write(cpu, LIN + 0xffe, 1, 4, true), X86_PF, 6);
    assert_int_equal(b->n_reads, 1);
    assert_int_equal(b->n_writes, 0);
    x86_lin_write(cpu, LIN + 8, 0x77, 1, true);
    assert_int_equal(b->n_writes, 1);
    assert_int_equal(b->writes[0].addr, 8);
    assert_int_equal(b->writes[0].val, 0x77);
    assert_int_equal(b->writes[0].size, 1);
}

static void touched(void *opaque, uint64_t addr, uint64_t len)
{
    uint64_t *seen = opaque;
    seen[0] = addr;
    seen[1] = len;
    seen[2]++;
}

/* The entry is its own page table: setting A in the first use changes the second. */
static void an_entry_that_changed_under_the_walk_is_walked_anew(void **state)
{
    struct cpu_bench *b = *state;
    page_on(b);
    *entry(b, PD, 1) = PD | P | W | U;
    assert_int_equal(x86_lin_read(b->cpu, LIN + 0x1004, 4, true), PD | P | W | U | A);
    assert_int_equal(*entry(b, PD, 1), PD | P | W | U | A);
    ASSERT_FINE(b, x86_lin_write(b->cpu, LIN + 0x1ffc, 7, 4, true));
    assert_int_equal(*entry(b, PD, 1), PD | P | W | U | A | D);
    assert_int_equal(*entry(b, PD, 1023), 7);
}

static unsigned times_alone;

static void count_alone(void *host, bool on)
{
    times_alone += on;
}

static void a_compare_exchange_stores_if_memory_is_as_expected(void **state)
{
    static const struct {
        uint32_t lin;
        unsigned alone; /* others stand still */
    } cases[] = {{LIN, 0}, {LIN + 8, 0}, {LIN + 0x801, 1}, {LIN + 0xffc, 1}};
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    struct x86_host_ops ops = *cpu->host_ops;
    ops.alone = count_alone;
    cpu->host_ops = &ops;
    cpu->parallel = true;
    page_on(b);
    *entry(b, PT, 0) = 0x50000 | P | W | U;
    *entry(b, PT, 1) = 0x60000 | P | W | U;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t lin = cases[i].lin;
        times_alone = 0;
        x86_lin_write(cpu, lin, 0x1122334455667788ull, 8, false);
        assert_int_equal(x86_lin_cas(cpu, lin, 5, 6, 8), 0x1122334455667788ull);
        assert_int_equal(x86_lin_read(cpu, lin, 8, false), 0x1122334455667788ull);
        assert_int_equal(x86_lin_cas(cpu, lin, 0x1122334455667788ull, 6, 8), 0x1122334455667788ull);
        assert_int_equal(x86_lin_read(cpu, lin, 8, false), 6);
        assert_int_equal(times_alone, 2 * cases[i].alone);
    }
    uint64_t old[2] = {1, 2}, val[2] = {3, 4};
    x86_lin_write(cpu, LIN + 0x20, 1, 8, false);
    x86_lin_write(cpu, LIN + 0x28, 9, 8, false);
    assert_false(x86_lin_cas16(cpu, LIN + 0x20, old, val));
    assert_int_equal(old[0], 1);
    assert_int_equal(old[1], 9);
    assert_true(x86_lin_cas16(cpu, LIN + 0x20, old, val));
    assert_int_equal(x86_lin_read(cpu, LIN + 0x28, 8, false), 4);
}

static void stores_to_marked_lines_are_told(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    uint64_t seen[3] = {0};
    ram_add_listener(&b->arena, &(struct ram_listener){.touched = touched, .opaque = seen});
    b->arena.marks[0x50040 >> RAM_LINE_SHIFT] = RAM_MARK_CODE;
    x86_st32(cpu, S_DS, 0x50000, 1);
    assert_int_equal(seen[2], 0);
    x86_st32(cpu, S_DS, 0x5003e, 1); /* over the line's border */
    assert_int_equal(seen[2], 1);
    assert_int_equal(seen[0], 0x5003e);
    x86_st8(cpu, S_DS, 0x50041, 1);
    assert_int_equal(seen[2], 2);
    assert_int_equal(seen[1], 1);
}

static void cr0_and_cr4_refuse_bad_values(void **state) /* [SDM2] "MOV to CR" */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    ASSERT_FAULT(b, x86_set_cr0(cpu, CR0_PG), X86_GP, 0);
    ASSERT_FAULT(b, x86_set_cr0(cpu, CR0_PE | CR0_NW), X86_GP, 0);
    ASSERT_FAULT(b, x86_set_cr4(cpu, CR4_PAE), X86_GP, 0); /* a Pentium has none */
    ASSERT_FAULT(b, x86_set_cr4(cpu, 1u << 31), X86_GP, 0);
    ASSERT_FINE(b, x86_set_cr4(cpu, CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_MCE));
}

static unsigned flushes;
static void count_flush(struct x86_cpu *cpu, enum x86_moved what, uint64_t lin)
{
    flushes++;
}

static void switching_protection_alone_flushes_nothing(void **state)
{
    struct cpu_bench *b = *state;
    b->cpu->flush_code = count_flush;
    flushes = 0;
    x86_lin_read(b->cpu, 0x5000, 4, false);
    x86_set_cr0(b->cpu, b->cpu->s.cr0 & ~(uint64_t)CR0_PE);
    x86_set_cr0(b->cpu, b->cpu->s.cr0 | CR0_PE);
    x86_set_cr3(b->cpu, 0x1000);
    assert_int_equal(flushes, 0);
    assert_int_equal(b->cpu->tlbs[0][5].rtag, 0x5000);
    b->cpu->s.cr3 = 0;
    page_on(b);
    assert_int_equal(flushes, 1);
}

#define T(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define T6(name) cmocka_unit_test_setup_teardown(name, setup_p6, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(walk_sets_accessed_and_dirty),
        T(rights_are_those_of_both_levels),
        T(a_store_over_two_pages_checks_both_first),
        T(large_pages_need_pse),
        T(invlpg_drops_all_of_a_large_page),
        T(invlpg_of_a_large_page_leaves_all_others),
        T(invlpg_and_cr3_drop_translations),
        T(a_flush_finds_every_entry),
        T6(global_pages_survive_cr3),
        T6(cr3_drops_what_is_not_global_now),
        T6(pae_walks_three_levels),
        T6(pdptes_are_loaded_with_cr3_and_checked),
        T(a20_masks_bit_20),
        T(rom_is_read_and_not_written),
        T(absent_memory_reads_ones),
        T(devices_are_accessed_once_and_never_before_a_fault),
        T(stores_to_marked_lines_are_told),
        T(an_entry_that_changed_under_the_walk_is_walked_anew),
        T(a_compare_exchange_stores_if_memory_is_as_expected),
        T(cr0_and_cr4_refuse_bad_values),
        T(switching_protection_alone_flushes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
