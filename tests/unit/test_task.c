/*
 * Hardware task switches by JMP, CALL, IRET, task gates and exceptions; 16-bit and 32-bit TSSs.
 * Source: [SDM3] "Task Management".
 */
#include "unit/cpu_bench.h"

enum {
    NEW_TSS = 0x4000,
    NEW_TSS16 = 0x4100,
    SEL_NEW = SEL_FREE,
    SEL_NEW16 = SEL_FREE + 8,
    SEL_GATE = SEL_FREE + 16,
    SEL_SPARE = SEL_FREE + 24,
};

static const uint32_t new_gpr[8] = {0xa0a0, 0xc0c0, 0xd0d0, 0xb0b0, 0x7800, 0xb5b5, 0x5151, 0xd1d1};

static void put32(struct cpu_bench *b, uint32_t at, uint32_t val)
{
    st32le(bench_mem(b, at), val);
}

static void fill_tss32(struct cpu_bench *b)
{
    static const uint16_t sels[6] = {SEL_DATA0, SEL_CODE0, SEL_DATA0, SEL_DATA0, 0, SEL_DATA3};
    put32(b, NEW_TSS + 0x1c, 0);
    put32(b, NEW_TSS + 0x20, 0x6000);
    put32(b, NEW_TSS + 0x24, FL_1 | FL_IF | FL_CF);
    for (unsigned i = 0; i < 8; i++) {
        put32(b, NEW_TSS + 0x28 + i * 4, new_gpr[i]);
    }
    for (unsigned i = 0; i < 6; i++) {
        put32(b, NEW_TSS + 0x48 + i * 4, sels[i]);
    }
    put32(b, NEW_TSS + 0x60, SEL_LDT);
    put32(b, NEW_TSS + 0x64, 0x680000);
}

static void fill_tss16(struct cpu_bench *b)
{
    static const uint16_t words[] = {0x6000, FL_1 | FL_CF, 1, 2, 3, 4, 0x7000, 6, 7, 8,
                                     SEL_DATA16, SEL_CODE16, SEL_DATA16, SEL_DATA16, 0};
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        st16le(bench_mem(b, NEW_TSS16 + 0x0e + i * 2), words[i]);
    }
}

static int setup(void **state)
{
    struct cpu_bench *b = bench_new(NULL);
    *state = b;
    bench_protected(b);
    bench_desc(b, BENCH_GDT, SEL_NEW / 8, NEW_TSS, 0x67, 0x89);
    bench_desc(b, BENCH_GDT, SEL_NEW16 / 8, NEW_TSS16, 0x2b, 0x81);
    bench_gate(b, BENCH_GDT, SEL_GATE / 8, SEL_NEW, 0, 0x5, 0, 0);
    fill_tss32(b);
    fill_tss16(b);
    return 0;
}

static int teardown(void **state)
{
    bench_free(*state);
    return 0;
}

static bool busy(struct cpu_bench *b, uint16_t sel)
{
    return *bench_mem(b, BENCH_GDT + sel + 5) & 2;
}

static void assert_new_task(struct cpu_bench *b)
{
    const struct x86_state *s = &b->cpu->s;
    assert_int_equal(s->rip, 0x6000);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(s->gpr[i], new_gpr[i]);
    }
    assert_int_equal(s->tr.sel, SEL_NEW);
    assert_int_equal(s->tr.base, NEW_TSS);
    assert_int_equal(s->tr.attr & AR_TYPE, 11);
    assert_int_equal(s->seg[S_CS].sel, SEL_CODE0);
    assert_int_equal(s->seg[S_GS].sel, SEL_DATA3);
    assert_true(s->seg[S_FS].attr & AR_UNUSABLE);
    assert_int_equal(s->ldtr.sel, SEL_LDT);
    assert_true(s->cr0 & CR0_TS);
    assert_true(busy(b, SEL_NEW));
}

static void jmp_saves_the_old_task_and_loads_the_new(void **state) /* [SDM3] "Task Switching" */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    cpu->s.gpr[R_AX] = 0x11111111;
    cpu->s.rip = 0x5007;
    cpu->s.dr[7] |= 0xff;
    x86_set_rflags(cpu, FL_ZF | FL_DF, FL_ZF | FL_DF);
    ASSERT_FINE(b, x86_far_jmp(cpu, SEL_NEW, 0x1234, 4));
    assert_new_task(b);
    assert_int_equal(x86_get_rflags(cpu), FL_1 | FL_IF | FL_CF);
    assert_int_equal(cpu->s.dr[7], 0x4aa); /* local breakpoints are off */
    assert_false(busy(b, SEL_TSS));
    assert_int_equal(ld32le(bench_mem(b, BENCH_TSS + 0x20)), 0x5007);
    assert_int_equal(ld32le(bench_mem(b, BENCH_TSS + 0x24)), FL_1 | FL_ZF | FL_DF);
    assert_int_equal(ld32le(bench_mem(b, BENCH_TSS + 0x28)), 0x11111111);
    assert_int_equal(ld32le(bench_mem(b, BENCH_TSS + 0x38)), 0x8000);
    assert_int_equal(ld16le(bench_mem(b, BENCH_TSS + 0x4c)), SEL_CODE0);
}

static void call_nests_and_iret_returns(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    ASSERT_FINE(b, x86_far_call(cpu, SEL_GATE, 0, 0x5009, 4));
    assert_new_task(b);
    assert_true(x86_get_rflags(cpu) & FL_NT);
    assert_int_equal(ld16le(bench_mem(b, NEW_TSS)), SEL_TSS);
    assert_true(busy(b, SEL_TSS));
    ASSERT_FAULT(b, x86_far_jmp(cpu, SEL_TSS, 0, 4), X86_GP, SEL_TSS); /* busy */
    cpu->s.rip = 0x6010;
    ASSERT_FINE(b, x86_iret(cpu, 4));
    assert_int_equal(cpu->s.rip, 0x5009);
    assert_int_equal(cpu->s.tr.sel, SEL_TSS);
    assert_int_equal(cpu->s.gpr[R_SP], 0x8000);
    assert_false(busy(b, SEL_NEW));
    assert_true(busy(b, SEL_TSS));
    assert_int_equal(ld32le(bench_mem(b, NEW_TSS + 0x20)), 0x6010);
    assert_false(ld32le(bench_mem(b, NEW_TSS + 0x24)) & FL_NT);
    assert_false(x86_get_rflags(cpu) & FL_NT);
}

static void sixteen_bit_tasks_have_16_bit_registers(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    ASSERT_FINE(b, x86_far_jmp(cpu, SEL_NEW16, 0, 4));
    assert_int_equal(cpu->s.rip, 0x6000);
    assert_int_equal(cpu->s.gpr[R_AX], 1);
    assert_int_equal(cpu->s.gpr[R_SP], 0x7000);
    assert_int_equal(cpu->s.gpr[R_DI], 8);
    assert_int_equal(cpu->s.seg[S_CS].sel, SEL_CODE16);
    assert_int_equal(cpu->s.tr.attr & AR_TYPE, 3);
    cpu->s.rip = 0x6005;
    ASSERT_FINE(b, x86_far_jmp(cpu, SEL_TSS, 0, 2));
    assert_int_equal(ld16le(bench_mem(b, NEW_TSS16 + 0x0e)), 0x6005);
    assert_int_equal(ld16le(bench_mem(b, NEW_TSS16 + 0x1a)), 0x7000);
}

static void exceptions_through_task_gates_push_the_error_code(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    bench_gate(b, BENCH_IDT, X86_GP, SEL_NEW, 0, 0x5, 0, 0);
    BENCH_RUN(b, x86_fault(cpu, X86_GP, 0x1230));
    assert_int_equal(cpu->s.rip, 0x6000);
    assert_int_equal(cpu->s.gpr[R_SP], 0x7800 - 4);
    assert_int_equal(ld32le(bench_mem(b, 0x77fc)), 0x1230);
    assert_int_equal(ld32le(bench_mem(b, BENCH_TSS + 0x20)), 0x5000);
    assert_true(x86_get_rflags(cpu) & FL_NT);
    assert_false(cpu->exc.active);
}

/* Faults before the switch: nothing has changed. */
static void the_new_tss_is_checked(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    uint8_t gdt[0x100];
    static const struct {
        uint32_t limit, attr;
        int vector;
    } cases[] = {
        {0x67, 0x8b, X86_GP}, {0x67, 0x09, X86_NP}, {0x66, 0x89, X86_TS}, {0x2a, 0x81, X86_TS},
        {0x67, 0x83, X86_GP}, {0x67, 0x80, X86_GP},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        bench_desc(b, BENCH_GDT, SEL_SPARE / 8, NEW_TSS, cases[i].limit, cases[i].attr);
        memcpy(gdt, bench_mem(b, BENCH_GDT), sizeof(gdt));
        ASSERT_FAULT(b, x86_far_call(cpu, SEL_SPARE, 0, 0x5009, 4), cases[i].vector, SEL_SPARE);
        assert_memory_equal(gdt, bench_mem(b, BENCH_GDT), sizeof(gdt));
    }
    bench_gate(b, BENCH_GDT, SEL_GATE / 8, 0x1c, 0, 0x5, 0, 0); /* a TSS in the LDT */
    ASSERT_FAULT(b, x86_far_jmp(cpu, SEL_GATE, 0, 4), X86_GP, 0x1c);
    bench_gate(b, BENCH_GDT, SEL_GATE / 8, 0x900, 0, 0x5, 0, 0);
    ASSERT_FAULT(b, x86_far_jmp(cpu, SEL_GATE, 0, 4), X86_GP, 0x900);
    x86_set_rflags(cpu, FL_NT, FL_NT);
    put32(b, BENCH_TSS, SEL_NEW); /* not busy: IRET may not go there */
    ASSERT_FAULT(b, x86_iret(cpu, 4), X86_TS, SEL_NEW);
}

struct segment_case {
    unsigned at, val;
    int vector;
    uint32_t error;
};

static __attribute__((noinline)) void switch_with(struct cpu_bench *b, const struct segment_case *c)
{
    bench_desc(b, BENCH_GDT, SEL_SPARE / 8, 0, 0xffff, 0x401b);
    put32(b, NEW_TSS + c->at, c->val);
    assert_true(BENCH_FAULTS(b, x86_far_jmp(b->cpu, SEL_NEW, 0, 4)));
    assert_int_equal(b->cpu->exc.vector, c->vector);
    assert_int_equal(b->cpu->exc.error, c->error);
    assert_int_equal(b->cpu->s.rip, 0x6000);
    assert_int_equal(b->cpu->s.tr.sel, SEL_NEW);
    assert_true(busy(b, SEL_NEW));
}

/* [SDM3] table "Exception Conditions Checked During a Task Switch": after the switch. */
static void segments_of_the_new_task_fault_in_it(void **state)
{
    static const struct segment_case cases[] = {
        {0x60, SEL_DATA0, X86_TS, SEL_DATA0}, {0x60, 0x904, X86_TS, 0x904},
        {0x4c, 0, X86_TS, 0},                 {0x4c, SEL_DATA0, X86_TS, SEL_DATA0},
        {0x4c, SEL_SPARE, X86_NP, SEL_SPARE}, {0x50, 0, X86_TS, 0},
        {0x50, SEL_DATA3, X86_TS, SEL_DATA3 & ~3}, {0x54, SEL_TSS, X86_TS, SEL_TSS},
        {0x58, 0x900, X86_TS, 0x900},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        void *b = NULL;
        setup(&b);
        switch_with(b, &cases[i]);
        teardown(&b);
    }
}

static void tasks_may_be_in_virtual_8086_mode(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    put32(b, NEW_TSS + 0x24, FL_1 | FL_VM | FL_IF);
    put32(b, NEW_TSS + 0x4c, 0x2000);
    put32(b, NEW_TSS + 0x54, 0x3000);
    ASSERT_FINE(b, x86_far_jmp(cpu, SEL_NEW, 0, 4));
    assert_true(cpu->vm);
    assert_int_equal(cpu->cpl, 3);
    assert_int_equal(cpu->s.seg[S_CS].base, 0x20000);
    assert_int_equal(cpu->s.seg[S_DS].base, 0x30000);
}

static void cr3_comes_from_the_tss_when_paging(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    x86_set_cr4(cpu, CR4_PSE);
    put32(b, 0x20000, 0x83); /* 4 MiB one to one */
    put32(b, 0x21000, 0x83);
    x86_set_cr3(cpu, 0x20000);
    x86_set_cr0(cpu, cpu->s.cr0 | CR0_PG);
    put32(b, NEW_TSS + 0x1c, 0x21000);
    ASSERT_FINE(b, x86_far_jmp(cpu, SEL_NEW, 0, 4));
    assert_int_equal(cpu->s.cr3, 0x21000);
}

/* [SDM3] "Determination of Access Rights": TSSs are accessed implicitly, which EFLAGS.AC does not
 * help; the old task goes on. */
static void smap_guards_the_old_tss_even_with_ac(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    put32(b, 0x20000, 0x21007);
    for (uint32_t i = 0; i < 1024; i++) {
        put32(b, 0x21000 + 4 * i, i << 12 | (i == BENCH_TSS >> 12 ? 7 : 3));
    }
    cpu->s.cr4 |= CR4_SMAP;
    x86_set_cr3(cpu, 0x20000);
    x86_set_cr0(cpu, cpu->s.cr0 | CR0_PG);
    x86_set_rflags(cpu, FL_AC, FL_AC);
    ASSERT_FAULT(b, x86_far_jmp(cpu, SEL_NEW, 0, 4), X86_PF, 3);
    assert_int_equal(cpu->s.cr2, BENCH_TSS + 0x20);
    assert_int_equal(cpu->s.tr.sel, SEL_TSS);
    assert_true(busy(b, SEL_TSS));
    assert_false(busy(b, SEL_NEW));
}

static void the_debug_bit_traps_before_the_first_instruction(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    put32(b, NEW_TSS + 0x64, 0x680001);
    BENCH_RUN(b, x86_far_jmp(cpu, SEL_NEW, 0, 4));
    assert_int_equal(cpu->s.rip, 0x10010);
    assert_int_equal(cpu->s.dr[6] & 0xf000, DR6_BT);
    assert_int_equal(ld32le(bench_mem(b, 0x7800 - 12)), 0x6000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(jmp_saves_the_old_task_and_loads_the_new),
        T(call_nests_and_iret_returns),
        T(sixteen_bit_tasks_have_16_bit_registers),
        T(exceptions_through_task_gates_push_the_error_code),
        T(the_new_tss_is_checked),
        T(segments_of_the_new_task_fault_in_it),
        T(tasks_may_be_in_virtual_8086_mode),
        T(cr3_comes_from_the_tss_when_paging),
        T(smap_guards_the_old_tss_even_with_ac),
        T(the_debug_bit_traps_before_the_first_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
