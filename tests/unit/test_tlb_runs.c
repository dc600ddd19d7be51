/*
 * Runs of the TLB: whatever is filled, changed and dropped, a run has only pages that the TLB has,
 * and tags of pages without marks go when a line is marked.
 */
#include "unit/cpu_bench.h"

#include "core/base/bits.h"

enum { PD = 0x20000, PT = 0x21000, PAGES = 128, FRAMES = 0x40000 };
enum { P = 1, W = 2, U = 4, G = 0x100 };
#define LIN 0x400000u

static void put_entry(struct cpu_bench *b, uint32_t at, uint32_t val)
{
    st32le(bench_mem(b, at), val);
}

static void map_page(struct cpu_bench *b, unsigned page, unsigned frame, unsigned bits)
{
    put_entry(b, PT + page * 4, (FRAMES + frame * PAGE_BYTES) | bits);
}

/* The first 4 MiB one to one; the tests' pages from LIN on, to frames that follow each other. */
static int setup(void **state)
{
    struct cpu_bench *b = bench_new("pentiumpro");
    bench_protected(b);
    for (unsigned i = 0; i < 1024; i++) {
        put_entry(b, PT + 0x1000 + i * 4, i << PAGE_BITS | P | W);
    }
    put_entry(b, PD, (PT + 0x1000) | P | W);
    put_entry(b, PD + 4, PT | P | W | U);
    for (unsigned i = 0; i < PAGES; i++) {
        map_page(b, i, i, P | W | U);
    }
    b->cpu->tlb_opens = true;
    x86_set_cr4(b->cpu, CR4_PGE);
    x86_set_cr3(b->cpu, PD);
    x86_set_cr0(b->cpu, b->cpu->s.cr0 | CR0_PG);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    bench_free(*state);
    return 0;
}

static void check_run(const struct x86_cpu *cpu, unsigned kind, bool write,
                      const struct tlb_run *r)
{
    assert_int_equal(r->limit, r->bytes ? r->bytes - TLB_RUN_OPERAND + 1 : 0);
    assert_int_equal(r->near_limit, r->bytes ? r->bytes - TLB_RUN_NEAR + 1 : 0);
    assert_int_equal(r->start % PAGE_BYTES, 0);
    assert_int_equal(r->bytes % PAGE_BYTES, 0);
    for (uint64_t at = r->start; at < r->start + r->bytes; at += PAGE_BYTES) {
        const struct tlb_entry *e = &cpu->tlbs[kind][at >> PAGE_BITS & (TLB_SIZE - 1)];
        assert_int_equal(write ? e->otag : e->rtag, at);
        assert_int_equal(e->addend, r->addend);
        assert_true(!r->global || e->global);
    }
}

static void check_runs(const struct x86_cpu *cpu)
{
    for (unsigned kind = 0; kind < TLB_COUNT; kind++) {
        for (unsigned i = 0; i < 2 * TLB_RUNS; i++) {
            check_run(cpu, kind, i / TLB_RUNS, &cpu->runs[kind][i / TLB_RUNS][i % TLB_RUNS]);
        }
    }
}

static const struct tlb_run *run_at(struct x86_cpu *cpu, unsigned page, bool write)
{
    int i = x86_tlb_run_at(cpu, TLB_USER, LIN + page * PAGE_BYTES, write);
    assert_true(i >= 0 && i < (int)TLB_RUNS);
    return &cpu->runs[TLB_USER][write][i];
}

static void touch(struct x86_cpu *cpu, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        x86_lin_write(cpu, LIN + i * PAGE_BYTES, i, 4, true);
        x86_lin_read(cpu, LIN + i * PAGE_BYTES, 4, true);
    }
}

static void assert_range(const struct tlb_run *r, unsigned from, unsigned to)
{
    assert_int_equal(r->start, LIN + from * PAGE_BYTES);
    assert_int_equal(r->bytes, (to - from) * PAGE_BYTES);
}

static void a_run_grows_by_the_pages_next_to_it(void **state)
{
    struct cpu_bench *b = *state;
    touch(b->cpu, 4, 6);
    const struct tlb_run *reads = run_at(b->cpu, 5, false), *writes = run_at(b->cpu, 5, true);
    assert_range(reads, 4, 6);
    touch(b->cpu, 6, 10);
    assert_range(reads, 4, 10);
    assert_range(writes, 4, 10);
    touch(b->cpu, 0, 3);                                /* not next to it */
    assert_range(reads, 4, 10);
    touch(b->cpu, 3, 4);                                /* joins both */
    assert_range(reads, 0, 10);
    map_page(b, 10, 30, P | W | U);                     /* another addend */
    touch(b->cpu, 10, 12);
    assert_range(reads, 0, 10);
    assert_range(writes, 0, 10);
    check_runs(b->cpu);
}

static void only_many_pages_take_the_place_of_others(void **state)
{
    struct cpu_bench *b = *state;
    enum { NEW = 4 * TLB_RUNS + 8 };
    touch(b->cpu, 0, 1);
    for (unsigned i = 1; i < TLB_RUNS; i++) {
        touch(b->cpu, 4 * i, 4 * i + 2);
        assert_range(run_at(b->cpu, 4 * i, false), 4 * i, 4 * i + 2);
    }
    assert_int_equal(x86_tlb_run_at(b->cpu, TLB_USER, LIN, false), -1);
    touch(b->cpu, NEW, NEW + 3);
    assert_int_equal(x86_tlb_run_at(b->cpu, TLB_USER, LIN + NEW * PAGE_BYTES, false), -1);
    touch(b->cpu, NEW + 3, NEW + 4);
    assert_range(run_at(b->cpu, NEW, false), NEW, NEW + 4);
    check_runs(b->cpu);
}

static void the_run_of_the_stack_goes_with_rsp(void **state)
{
    struct cpu_bench *b = *state;
    const struct tlb_run *r = &b->cpu->runs[TLB_USER][true][TLB_RUN_STACK];
    b->cpu->s.gpr[R_SP] = LIN + 9 * PAGE_BYTES + 8;
    touch(b->cpu, 9, 10);
    assert_int_equal(r->bytes, 0);                      /* nobody wants it */
    x86_tlb_stack_run(b->cpu, TLB_USER, LIN + 9 * PAGE_BYTES, true);
    assert_range(r, 9, 10);
    b->cpu->s.gpr[R_SP] = LIN + 20 * PAGE_BYTES + 8;
    x86_set_cr3(b->cpu, PD);
    touch(b->cpu, 9, 10);
    assert_int_equal(r->bytes, 0);
    touch(b->cpu, 20, 21);
    assert_range(r, 20, 21);
    touch(b->cpu, 30, 31);
    x86_tlb_stack_run(b->cpu, TLB_USER, LIN + 30 * PAGE_BYTES, true);
    assert_range(r, 30, 31);
    check_runs(b->cpu);
}

static void many_misses_in_a_short_time_are_a_failure(void **state)
{
    struct cpu_bench *b = *state;
    touch(b->cpu, 4, 6);
    struct tlb_run *r = &b->cpu->runs[TLB_USER][0][1];
    assert_ptr_equal(run_at(b->cpu, 4, false), r);
    b->cpu->icount_end += 100 * TLB_RUN_MISSES;
    assert_false(x86_tlb_run_fails(b->cpu, r));
    r->patience = -1;
    b->cpu->icount_end += 10 * TLB_RUN_MISSES;
    assert_true(x86_tlb_run_fails(b->cpu, r));
    assert_int_equal(r->patience, TLB_RUN_MISSES);
}

static void a_page_that_goes_cuts_the_run(void **state)
{
    struct cpu_bench *b = *state;
    touch(b->cpu, 0, 16);
    const struct tlb_run *reads = run_at(b->cpu, 5, false);
    x86_tlb_flush_page(b->cpu, LIN + 5 * PAGE_BYTES + 123);
    assert_range(reads, 6, 16);
    map_page(b, 5, 5, P | U);                           /* no longer writable */
    x86_lin_read(b->cpu, LIN + 5 * PAGE_BYTES, 4, true);
    assert_range(reads, 0, 16);
    assert_range(run_at(b->cpu, 6, true), 6, 16);
    x86_set_cr3(b->cpu, PD);
    assert_int_equal(reads->limit, 0);
    touch(b->cpu, 8, 12);                               /* it begins again where it was */
    assert_range(reads, 8, 12);
    check_runs(b->cpu);
}

static void global_runs_outlive_cr3(void **state)
{
    struct cpu_bench *b = *state;
    for (unsigned i = 0; i < 8; i++) {
        map_page(b, i, i, P | W | U | G);
    }
    touch(b->cpu, 0, 8);
    const struct tlb_run *reads = run_at(b->cpu, 5, false);
    x86_set_cr3(b->cpu, PD);
    assert_range(reads, 0, 8);
    touch(b->cpu, 8, 9);                                /* one that is not global */
    assert_range(reads, 0, 9);
    x86_set_cr3(b->cpu, PD);
    check_runs(b->cpu);
}

static void a_marked_line_takes_the_page_from_stores(void **state)
{
    struct cpu_bench *b = *state;
    uint64_t frame = FRAMES + 3 * PAGE_BYTES;
    touch(b->cpu, 0, 8);
    const struct tlb_run *writes = run_at(b->cpu, 1, true);
    assert_true(ram_is_open(&b->arena, frame));
    b->arena.marks[(frame + 0x480) >> RAM_LINE_SHIFT] = RAM_MARK_CODE;
    x86_tlb_close_page(b->cpu, frame + 0x480);
    ram_close_page(&b->arena, frame);
    assert_range(writes, 4, 8);
    x86_tlb_flush_page(b->cpu, LIN + 3 * PAGE_BYTES);
    touch(b->cpu, 3, 4);
    assert_range(writes, 4, 8);                         /* as long as the mark is there */
    assert_false(ram_is_open(&b->arena, frame));
    b->arena.marks[(frame + 0x480) >> RAM_LINE_SHIFT] = 0;
    x86_tlb_flush_page(b->cpu, LIN + 3 * PAGE_BYTES);
    touch(b->cpu, 3, 4);
    assert_range(writes, 0, 8);
    check_runs(b->cpu);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void random_change(struct cpu_bench *b, unsigned what, unsigned page, uint32_t bits)
{
    struct x86_cpu *cpu = b->cpu;
    switch (what) {
    case 0: x86_tlb_flush_page(cpu, LIN + page * PAGE_BYTES); break;
    case 1:
        map_page(b, page, bits & 8 ? page : bits % PAGES, P | U | (bits & 16 ? 0 : W) | (bits & G));
        x86_tlb_flush_page(cpu, LIN + page * PAGE_BYTES);
        break;
    case 2: x86_tlb_close_page(cpu, FRAMES + page * PAGE_BYTES); break;
    case 3: x86_tlb_run_at(cpu, TLB_USER, LIN + page * PAGE_BYTES, bits & 1); break;
    case 4: x86_set_cr3(cpu, PD); break;
    case 5: x86_set_cr4(cpu, cpu->s.cr4 ^ CR4_PSE); break;
    case 6:
        cpu->s.gpr[R_SP] = LIN + page * PAGE_BYTES;
        x86_tlb_stack_run(cpu, TLB_USER, cpu->s.gpr[R_SP], bits & 1);
        break;
    default: break;
    }
}

static void runs_have_what_the_tlb_has(void **state) /* by random accesses and changes */
{
    struct cpu_bench *b = *state;
    uint32_t seed = 1;
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t bits = next_random(&seed);
        unsigned what = bits % 640, page = bits >> 12 & (PAGES - 1);
        random_change(b, what < 600 ? what / 10 : what < 604 ? 4 : 5, page, bits);
        if (what >= 70) {
            bool write = (bits & 1) && (ld32le(bench_mem(b, PT + page * 4)) & W);
            uint64_t at = LIN + page * PAGE_BYTES + (bits & 0xff0);
            write ? x86_lin_write(b->cpu, at, bits, 4, true)
                  : (void)x86_lin_read(b->cpu, at, 4, true);
        }
        check_runs(b->cpu);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_run_grows_by_the_pages_next_to_it), T(only_many_pages_take_the_place_of_others),
        T(the_run_of_the_stack_goes_with_rsp), T(many_misses_in_a_short_time_are_a_failure),
        T(a_page_that_goes_cuts_the_run),
        T(global_runs_outlive_cr3), T(a_marked_line_takes_the_page_from_stores),
        T(runs_have_what_the_tlb_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
