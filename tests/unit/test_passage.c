/*
 * Passages: a processor that remembers gates and returns does what one does that never remembers,
 * whatever becomes of descriptors, tables, the TSS and frames in between.
 *
 * Usage: test_passage [STEPS [SEED]]
 */
#include "core/cpu/mech.h"
#include "unit/cpu_bench.h"
#include "unit/random.h"

enum {
    STACKS = 0x8000, STACK_BYTES = 0x4000, TABLES = 0x100000, SEL_COMPAT = 0x4b, VECTOR = 0x20,
    COMPARED = 0x10000,          /* bytes of memory from 0 */
};

static unsigned steps = 40000;
static uint64_t seed = 1;

static uint32_t below(uint32_t n)
{
    return random_below(&seed, n);
}

struct pair {
    struct cpu_bench *both[2];   /* the second one forgets */
    bool wide;
    uint64_t changed, was;       /* the descriptor that is not as it was; 0: none */
};

static void each_put(struct pair *p, uint64_t at, uint64_t val, unsigned size)
{
    for (unsigned i = 0; i < 2; i++) {
        memcpy(bench_mem(p->both[i], at), &val, size);
    }
}

/* ---- how it starts ---- */

/* 2 MiB, one to one. The GDT is that of bench_protected, but for 64-bit code and compatibility
 * mode. */
static void enter_long_mode(struct cpu_bench *b)
{
    struct x86_state *s = &b->cpu->s;
    st64le(bench_mem(b, TABLES), (TABLES + 0x1000) | 7);
    st64le(bench_mem(b, TABLES + 0x1000), (TABLES + 0x2000) | 7);
    st64le(bench_mem(b, TABLES + 0x2000), 0xe7);
    bench_desc(b, BENCH_GDT, 1, 0, 0xfffff, 0xa09b);
    bench_desc(b, BENCH_GDT, 3, 0, 0xfffff, 0xa0fb);
    bench_desc(b, BENCH_GDT, 9, 0, 0xfffff, 0xc0fb);
    st64le(bench_mem(b, BENCH_GDT + 0x30), 0);          /* the TSS's second half */
    for (unsigned v = 0; v < 256; v++) {
        uint64_t gate = (uint64_t)SEL_CODE0 << 16 | 0x8e00ull << 32 | 1ull << 48 | v * 16;
        st64le(bench_mem(b, BENCH_IDT + v * 16), gate);
        st64le(bench_mem(b, BENCH_IDT + v * 16 + 8), 0);
    }
    memset(bench_mem(b, BENCH_TSS), 0, 0x60);
    st64le(bench_mem(b, BENCH_TSS + 4), STACKS + 0x1000);
    st64le(bench_mem(b, BENCH_TSS + 0x24), STACKS + 0x2008); /* IST 1 */
    s->idtr.limit = 0xfff;
    s->cr0 |= CR0_PG;
    s->cr3 = TABLES;
    s->cr4 = CR4_PAE;
    s->efer = EFER_LME | EFER_LMA;
    s->tr.attr = 0x8b;
    s->seg[S_CS].attr = AR_G | AR_L | AR_P | AR_S | AR_CODE | AR_READABLE | AR_ACCESSED;
    s->ldtr = x86_null_seg(0);
    x86_state_loaded(b->cpu);
}

static void start(struct pair *p)
{
    for (unsigned i = 0; i < 2; i++) {
        struct cpu_bench *b = p->both[i];
        memset(bench_mem(b, 0), 0, COMPARED);
        p->changed = 0;
        x86_state_reset(&b->cpu->s, b->cpu->model->signature, false);
        x86_state_loaded(b->cpu);
        bench_protected(b);
        if (p->wide) {
            enter_long_mode(b);
        }
        x86_set_cr0(b->cpu, b->cpu->s.cr0 | CR0_AM);
    }
}

/* ---- what happens ---- */

static uint64_t some_flags(void)
{
    static const uint32_t odd[] = {FL_TF, FL_AC, FL_NT, FL_RF, FL_VM, FL_IOPL, FL_DF, FL_VIP};
    uint64_t flags = FL_1 | FL_IF | (below(1 << 12) & FL_OSZAPC);
    return below(6) ? flags : flags | odd[below(ARRAY_SIZE(odd))];
}

static uint16_t some_code(void)
{
    static const uint16_t sel[] = {SEL_CODE0, SEL_CODE3, SEL_CODE3, SEL_COMPAT, SEL_CODE16, 0};
    return sel[below(below(8) ? 3 : ARRAY_SIZE(sel))];
}

static uint64_t some_stack(void)
{
    uint64_t at = STACKS + 64 + below(STACK_BYTES / 16 - 16) * 16;
    return below(8) ? at : at + below(16);
}

/* A frame for IRET where the stack pointer is: from CPL 3 to CPL 3, too. */
static void put_frame(struct pair *p)
{
    const struct x86_state *s = &p->both[0]->cpu->s;
    unsigned size = p->both[0]->cpu->mode & MODE_CS64 ? 8 : 4;
    uint16_t cs = some_code(), ss = (cs & 3) == 3 ? SEL_DATA3 : below(2) ? SEL_DATA0 : 0;
    uint64_t item[] = {below(16) ? below(0x4000) : ~0ull << 40, cs, some_flags(), some_stack(),
                       below(16) ? ss : SEL_DATA16};
    for (unsigned i = 0; i < 5 && (s->gpr[R_SP] & 0xffff) < COMPARED - 64; i++) {
        each_put(p, (s->gpr[R_SP] & 0xffff) + i * size, item[i], size);
    }
}

/* One bit of a descriptor, now and then; else they are as they were. */
static void change_descriptor(struct pair *p)
{
    static const uint8_t bits[] = {0, 16, 40, 41, 42, 43, 44, 45, 46, 47, 53, 54, 55, 33, 32};
    if (p->changed) {
        each_put(p, p->changed, p->was, 8);
        p->changed = 0;
        return;
    }
    uint64_t gdt = BENCH_GDT + (1 + below(4)) * 8;
    uint64_t idt = BENCH_IDT + (VECTOR + below(4)) * (p->wide ? 16 : 8);
    p->changed = below(2) ? gdt : idt + (p->wide ? below(2) * 8 : 0);
    p->was = ld64le(bench_mem(p->both[0], p->changed));
    each_put(p, p->changed, p->was ^ BIT64(bits[below(ARRAY_SIZE(bits))]), 8);
}

static void change_tables(struct pair *p)
{
    unsigned what = below(5), limit = below(2) ? 0x7ff : 0x1f + below(16);
    each_put(p, BENCH_TSS + 4, some_stack(), 4);
    if (what == 0 && !p->wide) {
        each_put(p, BENCH_TSS + 8, below(2) ? SEL_DATA0 : SEL_DATA3, 2);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct x86_state *s = &p->both[i]->cpu->s;
        s->gdtr.limit = what == 1 ? (uint16_t)limit : 0x7ff;
        s->tr.limit = what == 2 ? 6 : 0x2067;
        s->idtr.limit = what == 3 ? 0x20f : 0xfff;
    }
}

static void flush(struct pair *p)
{
    for (unsigned i = 0; i < 2; i++) {
        x86_tlb_flush(p->both[i]->cpu);
    }
}

/* The gates of INT n are open to all. */
static void open_gates(struct pair *p)
{
    for (unsigned v = VECTOR; v < VECTOR + 4; v++) {
        uint64_t at = BENCH_IDT + v * (p->wide ? 16 : 8);
        uint64_t gate = ld64le(bench_mem(p->both[0], at)) | 3ull << 45 | (uint64_t)(v & 1) << 40;
        each_put(p, at, gate | (p->wide && v == VECTOR + 3 ? 1ull << 32 : 0), 8);
    }
}

static void transfer(struct cpu_bench *b, unsigned what, unsigned vector, bool forgets)
{
    struct x86_cpu *cpu = b->cpu;
    if (forgets) {
        memset(&cpu->passages, 0, sizeof(cpu->passages));
    }
    cpu->budget--;               /* so that an instruction has passed */
    if (what < 4) {
        BENCH_RUN(b, x86_interrupt(cpu, vector, INT_SOFTWARE, false, 0));
    } else if (what == 4) {
        BENCH_RUN(b, x86_interrupt(cpu, vector, INT_EXTERNAL, false, 0));
    } else if (what == 5) {
        BENCH_RUN(b, x86_interrupt(cpu, X86_GP, INT_EXCEPTION, true, 0x1234));
    } else {
        BENCH_RUN(b, x86_iret(cpu, cpu->mode & MODE_CS64 ? 8 : 4));
    }
}

/* ---- are they the same? ---- */

static void assert_same(struct pair *p)
{
    struct x86_cpu *a = p->both[0]->cpu, *b = p->both[1]->cpu;
    assert_int_equal(x86_get_rflags(a), x86_get_rflags(b));
    a->s.rflags = b->s.rflags = x86_get_rflags(a);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(a->s.seg[i].sel, b->s.seg[i].sel);
        assert_int_equal(a->s.seg[i].attr, b->s.seg[i].attr);
        assert_int_equal(a->s.seg[i].limit, b->s.seg[i].limit);
        assert_int_equal(a->s.seg[i].base, b->s.seg[i].base);
    }
    assert_memory_equal(a->s.gpr, b->s.gpr, sizeof(a->s.gpr));
    assert_int_equal(a->s.rip, b->s.rip);
    assert_int_equal(a->s.activity, b->s.activity);
    assert_memory_equal(a->seg_top_r, b->seg_top_r, sizeof(a->seg_top_r));
    assert_memory_equal(a->seg_top_w, b->seg_top_w, sizeof(a->seg_top_w));
    assert_int_equal(a->seg_based, b->seg_based);
    assert_int_equal(a->lin_mask, b->lin_mask);
    assert_int_equal(a->stack_mask, b->stack_mask);
    assert_int_equal(a->rip_mask, b->rip_mask);
    assert_int_equal(a->mode, b->mode);
    assert_int_equal(a->cpl, b->cpl);
    assert_int_equal(a->super_tlb, b->super_tlb);
    assert_int_equal(a->align_check, b->align_check);
    assert_int_equal(a->tlb - a->tlbs[0], b->tlb - b->tlbs[0]);
    assert_memory_equal(bench_mem(p->both[0], 0), bench_mem(p->both[1], 0), COMPARED);
}

/* Limits differ from those of @before: engines must be able to see it. */
static void assert_counted(const struct x86_cpu *cpu, const struct x86_cpu *before)
{
    bool changed = cpu->seg_based != before->seg_based ||
                   memcmp(cpu->seg_top_r, before->seg_top_r, sizeof(cpu->seg_top_r)) != 0 ||
                   memcmp(cpu->seg_top_w, before->seg_top_w, sizeof(cpu->seg_top_w)) != 0;
    assert_true(!changed || cpu->seg_changes != before->seg_changes);
}

static unsigned passages_known(const struct x86_cpu *cpu)
{
    unsigned n = 0;
    for (unsigned i = 0; i < PASSAGE_GATES; i++) {
        n += cpu->passages.gate[i].from != 0;
    }
    for (unsigned i = 0; i < PASSAGE_RETURNS; i++) {
        n += cpu->passages.back[i].from != 0;
    }
    return n;
}

static void walk(bool wide)
{
    struct pair p = {.both = {bench_new("max"), bench_new("max")}, .wide = wide};
    struct x86_cpu *before = calloc(1, sizeof(*before));
    unsigned known = 0;
    for (unsigned i = 0; i < steps; i++) {
        if (i % 64 == 0 || p.both[0]->cpu->s.activity != ACT_RUNNING) {
            start(&p);
            open_gates(&p);
        }
        unsigned what = below(16), vector = VECTOR + below(4);
        if (what >= 6 && what < 12) {
            put_frame(&p);
        } else if (what == 12) {
            change_descriptor(&p);
        } else if (what == 13) {
            change_tables(&p);
        } else if (what == 14) {
            flush(&p);
        }
        if (what < 12) {
            struct x86_cpu *cpu = p.both[0]->cpu;
            memcpy(before, cpu, offsetof(struct x86_cpu, unwind));
            transfer(p.both[0], what, vector, false);
            assert_counted(cpu, before);
            transfer(p.both[1], what, vector, true);
            assert_same(&p);
        }
        known = max_u64(known, passages_known(p.both[0]->cpu));
    }
    assert_true(known >= 6);
    free(before);
    bench_free(p.both[0]);
    bench_free(p.both[1]);
}

static void protected_mode_is_as_without_memory(void **state)
{
    walk(false);
}

static void long_mode_is_as_without_memory(void **state)
{
    walk(true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protected_mode_is_as_without_memory),
        cmocka_unit_test(long_mode_is_as_without_memory),
    };
    random_arguments(argc, argv, &steps, &seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
