/*
 * Delivery of interrupts and exceptions: real mode, gates, stack switches, virtual-8086 mode with
 * and without VME, double faults, shutdown.
 * Sources: [SDM3] "Interrupt and Exception Handling", "8086 Emulation"; [SDM2] "INT
 *          n/INTO/INT3/INT1".
 */
#include "unit/cpu_bench.h"

static int setup(void **state)
{
    *state = bench_new(NULL);
    return 0;
}

static int setup_protected(void **state)
{
    *state = bench_new(NULL);
    bench_protected(*state);
    return 0;
}

static int teardown(void **state)
{
    bench_free(*state);
    return 0;
}

static void gate(struct cpu_bench *b, unsigned v, uint16_t sel, uint32_t off, unsigned type,
                 unsigned dpl)
{
    bench_gate(b, BENCH_IDT, v, sel, off, type, dpl, 0);
}

static void to_user(struct cpu_bench *b)
{
    static const uint32_t frame[] = {0x6000, SEL_CODE3, 0x202, 0x7000, SEL_DATA3};
    memcpy(bench_mem(b, 0x8000), frame, sizeof(frame));
    ASSERT_FINE(b, x86_iret(b->cpu, 4));
}

/* Virtual-8086 mode at 2000:0100, stack 3000:fff0, data 4000-7000, with @flags. */
static void to_v86(struct cpu_bench *b, uint32_t flags)
{
    uint32_t frame[] = {0x100,  0x2000, flags | FL_VM | 2, 0xfff0, 0x3000, 0x4000, 0x5000,
                        0x6000, 0x7000};
    b->cpu->s.gpr[R_SP] = 0x8000;
    memcpy(bench_mem(b, 0x8000), frame, sizeof(frame));
    ASSERT_FINE(b, x86_iret(b->cpu, 4));
    assert_true(b->cpu->vm);
}

static void check_frame(struct cpu_bench *b, uint32_t at, const uint32_t *want, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(ld32le(bench_mem(b, at + i * 4)), want[i]);
    }
}

static void real_mode_uses_the_vector_table(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    x86_load_seg(cpu, S_SS, 0x100);
    cpu->s.gpr[R_SP] = 0x200;
    x86_far_jmp(cpu, 0x500, 0x1234, 2);
    x86_set_rflags(cpu, FL_IF | FL_TF | FL_CF, FL_IF | FL_TF | FL_CF);
    st32le(bench_mem(b, 0x21 * 4), 0x05557777);
    BENCH_RUN(b, x86_interrupt(cpu, 0x21, INT_SOFTWARE, false, 0));
    assert_int_equal(cpu->s.seg[S_CS].sel, 0x555);
    assert_int_equal(cpu->s.seg[S_CS].base, 0x5550);
    assert_int_equal(cpu->s.rip, 0x7777);
    assert_int_equal(x86_get_rflags(cpu), FL_1 | FL_CF);
    assert_int_equal(cpu->s.gpr[R_SP], 0x1fa);
    assert_int_equal(ld16le(bench_mem(b, 0x11fa)), 0x1234);
    assert_int_equal(ld16le(bench_mem(b, 0x11fc)), 0x500);
    assert_int_equal(ld16le(bench_mem(b, 0x11fe)), FL_IF | FL_TF | FL_CF | FL_1);
    ASSERT_FINE(b, x86_iret(cpu, 2));
    assert_int_equal(cpu->s.rip, 0x1234);
    assert_int_equal(x86_get_rflags(cpu), FL_IF | FL_TF | FL_CF | FL_1);
}

static void real_mode_vectors_beyond_the_table_end_in_shutdown(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    x86_far_jmp(cpu, 0, 0x100, 2);
    cpu->s.gpr[R_SP] = 0x200;
    cpu->s.idtr.limit = 0x3f; /* up to vector 15: #GP and #DF are there */
    st32le(bench_mem(b, X86_GP * 4), 0x00007000);
    BENCH_RUN(b, x86_interrupt(cpu, 0x21, INT_SOFTWARE, false, 0));
    assert_int_equal(cpu->s.rip, 0x7000);
    assert_int_equal(cpu->s.activity, ACT_RUNNING);
    cpu->s.idtr.limit = 0;
    BENCH_RUN(b, x86_interrupt(cpu, 0x21, INT_SOFTWARE, false, 0));
    assert_int_equal(cpu->s.activity, ACT_SHUTDOWN);
}

static void same_level_gates_push_three_words_and_the_error(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    x86_set_rflags(cpu, FL_IF | FL_TF | FL_NT, FL_IF | FL_TF | FL_NT);
    BENCH_RUN(b, x86_interrupt(cpu, 0x30, INT_EXTERNAL, false, 0));
    assert_int_equal(cpu->s.rip, 0x10300);
    check_frame(b, 0x7ff4, (const uint32_t[]){0x5000, SEL_CODE0, FL_IF | FL_TF | FL_NT | FL_1}, 3);
    assert_int_equal(x86_get_rflags(cpu), FL_1);
    gate(b, 0x31, SEL_CODE0, 0x123456, 0xf, 0); /* a trap gate leaves IF */
    cpu->s.gpr[R_SP] = 0x8000;
    x86_set_rflags(cpu, FL_IF, FL_IF);
    BENCH_RUN(b, x86_interrupt(cpu, 0x31, INT_EXCEPTION, true, 0x1234));
    assert_int_equal(x86_get_rflags(cpu), FL_IF | FL_1);
    assert_int_equal(cpu->s.rip, 0x123456);
    check_frame(b, 0x7ff0, (const uint32_t[]){0x1234, 0x10300, SEL_CODE0, FL_IF | FL_1}, 4);
}

static void sixteen_bit_gates_use_16_bit_frames_and_offsets(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    gate(b, 0x30, SEL_CODE0, 0x77774321, 0x6, 0);
    BENCH_RUN(b, x86_interrupt(cpu, 0x30, INT_EXTERNAL, false, 0));
    assert_int_equal(cpu->s.rip, 0x4321);
    assert_int_equal(cpu->s.gpr[R_SP], 0x7ffa);
    assert_int_equal(ld16le(bench_mem(b, 0x7ffa)), 0x5000);
}

static void inner_level_gates_switch_stacks(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    to_user(b);
    BENCH_RUN(b, x86_interrupt(cpu, 0x30, INT_EXTERNAL, false, 0));
    assert_int_equal(cpu->cpl, 0);
    assert_int_equal(cpu->s.seg[S_SS].sel, SEL_DATA0);
    assert_int_equal(cpu->s.gpr[R_SP], 0x9000 - 20);
    check_frame(b, 0x9000 - 20, (const uint32_t[]){0x6000, SEL_CODE3, 0x202, 0x7000, SEL_DATA3}, 5);
    ASSERT_FINE(b, x86_iret(cpu, 4));
    assert_int_equal(cpu->cpl, 3);
    assert_int_equal(cpu->s.rip, 0x6000);
    assert_int_equal(cpu->s.gpr[R_SP], 0x7000);
    assert_int_equal(x86_get_rflags(cpu), 0x202);
}

/* What INT 40h or interrupt 40h at CPL 3 meets. */
static void gates_are_checked(void **state)
{
    enum { V = 0x40, IDT_ERR = V * 8 + 2 };
    static const struct {
        uint16_t sel;
        unsigned type, dpl, kind;
        bool absent;
        int vector;
        uint32_t error;
    } cases[] = {
        {SEL_CODE0, 0xe, 0, INT_SOFTWARE, false, X86_GP, IDT_ERR},
        {SEL_CODE0, 0xe, 0, INT_SOFT_EXC, false, X86_GP, IDT_ERR},
        {SEL_CODE0, 0xe, 3, INT_SOFTWARE, true, X86_NP, IDT_ERR},
        {SEL_CODE0, 0xe, 0, INT_EXTERNAL, true, X86_NP, IDT_ERR | 1},
        {SEL_CODE0, 0xc, 3, INT_SOFTWARE, false, X86_GP, IDT_ERR},
        {SEL_CODE0, 0x0, 3, INT_EXTERNAL, false, X86_GP, IDT_ERR | 1},
        {0, 0xe, 3, INT_SOFTWARE, false, X86_GP, 0},
        {0, 0xe, 3, INT_EXTERNAL, false, X86_GP, 1},
        {SEL_DATA0, 0xe, 3, INT_SOFTWARE, false, X86_GP, SEL_DATA0},
        {0x900, 0xe, 3, INT_SOFTWARE, false, X86_GP, 0x900},
        {0x900, 0xe, 0, INT_NMI, false, X86_GP, 0x901},
    };
    struct cpu_bench *b = *state;
    to_user(b);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        gate(b, V, cases[i].sel, 0x100, cases[i].type, cases[i].dpl);
        if (cases[i].absent) {
            *bench_mem(b, BENCH_IDT + V * 8 + 5) &= 0x7f;
        }
        b->cpu->s.nmi_blocked = cases[i].kind == INT_NMI; /* before the first check of its gate */
        ASSERT_FAULT(b, x86_interrupt(b->cpu, V, cases[i].kind, false, 0), cases[i].vector,
                     cases[i].error);
    }
    b->cpu->s.idtr.limit = V * 8 + 6;
    ASSERT_FAULT(b, x86_interrupt(b->cpu, V, INT_SOFTWARE, false, 0), X86_GP, IDT_ERR);
}

static void
faults_push_rf_and_the_error_code(void **state) /* [SDM3] "Instruction-Breakpoint Exception" */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    BENCH_RUN(b, x86_fault(cpu, X86_GP, 0x58));
    assert_int_equal(cpu->s.rip, 0x10000 + X86_GP * 16);
    check_frame(b, 0x7ff0, (const uint32_t[]){0x58, 0x5000, SEL_CODE0, FL_RF | FL_1}, 4);
    assert_false(cpu->exc.active);
    assert_int_equal(x86_get_rflags(cpu), FL_1);
    cpu->s.gpr[R_SP] = 0x8000;
    BENCH_RUN(b, x86_fault_noerr(cpu, X86_UD));
    check_frame(b, 0x7ff4, (const uint32_t[]){0x10000 + X86_GP * 16, SEL_CODE0, FL_RF | FL_1}, 3);
}

/* @first is raised, and its absent gate makes the delivery raise #NP. */
struct double_case {
    unsigned first;
    bool has_error;
    unsigned delivered;
};

static __attribute__((noinline)) void raise_without_gate(struct cpu_bench *b,
                                                         const struct double_case *c)
{
    *bench_mem(b, BENCH_IDT + c->first * 8 + 5) &= 0x7f;
    if (c->has_error) {
        BENCH_RUN(b, x86_fault(b->cpu, c->first, 0));
    } else {
        BENCH_RUN(b, x86_fault_noerr(b->cpu, c->first));
    }
    assert_int_equal(b->cpu->s.rip, 0x10000 + c->delivered * 16);
    uint32_t error = c->delivered == X86_DF ? 0 : c->first * 8 + 3; /* IDT, EXT */
    check_frame(b, 0x7ff0, (const uint32_t[]){error, 0x5000, SEL_CODE0}, 3);
}

/* [SDM3] table "Conditions for Generating a Double Fault" */
static void second_faults_follow_the_double_fault_table(void **state)
{
    static const struct double_case cases[] = {
        {X86_UD, false, X86_NP}, {X86_NM, false, X86_NP}, {X86_DE, false, X86_DF},
        {X86_GP, true, X86_DF},  {X86_TS, true, X86_DF},  {X86_SS, true, X86_DF},
        {X86_PF, true, X86_DF},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct cpu_bench *b = bench_new(NULL);
        bench_protected(b);
        raise_without_gate(b, &cases[i]);
        bench_free(b);
    }
}

static void a_fault_in_a_double_fault_shuts_down(void **state)
{
    struct cpu_bench *b = *state;
    *bench_mem(b, BENCH_IDT + X86_GP * 8 + 5) &= 0x7f;
    *bench_mem(b, BENCH_IDT + X86_DF * 8 + 5) &= 0x7f;
    BENCH_RUN(b, x86_fault(b->cpu, X86_GP, 0));
    assert_int_equal(b->cpu->s.activity, ACT_SHUTDOWN);
    assert_int_equal(b->cpu->s.rip, 0x5000);
}

static void interrupts_leave_virtual_8086_mode(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    to_v86(b, FL_IF);
    BENCH_RUN(b, x86_interrupt(cpu, 0x30, INT_EXTERNAL, false, 0));
    assert_false(cpu->vm);
    assert_int_equal(cpu->cpl, 0);
    assert_int_equal(cpu->s.gpr[R_SP], 0x9000 - 36);
    check_frame(b, 0x9000 - 36,
                (const uint32_t[]){0x100, 0x2000, FL_VM | FL_IF | FL_1, 0xfff0, 0x3000, 0x4000,
                                   0x5000, 0x6000, 0x7000},
                9);
    assert_int_equal(cpu->s.seg[S_DS].sel, 0);
    assert_true(cpu->s.seg[S_DS].attr & AR_UNUSABLE);
    ASSERT_FINE(b, x86_iret(cpu, 4));
    assert_true(cpu->vm);
    assert_int_equal(cpu->s.seg[S_GS].base, 0x70000);
}

static void virtual_8086_handlers_run_at_level_0(void **state)
{
    struct cpu_bench *b = *state;
    to_v86(b, 0);
    gate(b, 0x30, SEL_CODE3, 0, 0xe, 3);
    ASSERT_FAULT(b, x86_interrupt(b->cpu, 0x30, INT_EXTERNAL, false, 0), X86_GP,
                 (SEL_CODE3 & ~3) | 1);
}

static void int_n_in_virtual_8086_mode_is_iopl_sensitive(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    gate(b, 0x21, SEL_CODE0, 0x1000, 0xe, 3);
    to_v86(b, FL_IOPL);
    BENCH_RUN(b, x86_interrupt(cpu, 0x21, INT_SOFTWARE, false, 0));
    assert_int_equal(cpu->s.rip, 0x1000);
    to_v86(b, 0);
    ASSERT_FAULT(b, x86_interrupt(cpu, 0x21, INT_SOFTWARE, false, 0), X86_GP, 0);
    ASSERT_FAULT(b, x86_iret(cpu, 2), X86_GP, 0);
}

static void
vme_redirects_int_n_by_the_bit_map(void **state) /* [SDM3] "Software Interrupt Handling" */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    x86_set_cr4(cpu, CR4_VME);
    st16le(bench_mem(b, BENCH_TSS + 0x66), 0x88); /* I/O map; the redirection map lies before it */
    *bench_mem(b, BENCH_TSS + 0x68 + 0x22 / 8) = 1 << (0x22 % 8);
    st32le(bench_mem(b, 0x21 * 4), 0x12345678);
    to_v86(b, FL_VIF); /* IOPL 0: method 6 */
    BENCH_RUN(b, x86_interrupt(cpu, 0x21, INT_SOFTWARE, false, 0));
    assert_true(cpu->vm);
    assert_int_equal(cpu->s.seg[S_CS].sel, 0x1234);
    assert_int_equal(cpu->s.rip, 0x5678);
    assert_int_equal(cpu->s.gpr[R_SP], 0xffea);
    assert_int_equal(ld16le(bench_mem(b, 0x3ffee)), FL_IOPL | FL_IF | FL_1); /* VIF shown as IF */
    assert_int_equal(x86_get_rflags(cpu) & (FL_VIF | FL_IOPL | FL_VM), FL_VM);
    ASSERT_FINE(b, x86_iret(cpu, 2)); /* VIF comes back */
    assert_int_equal(x86_get_rflags(cpu) & (FL_VIF | FL_IF | FL_IOPL), FL_VIF);
    ASSERT_FAULT(b, x86_interrupt(cpu, 0x22, INT_SOFTWARE, false, 0), X86_GP, 0);
    BENCH_RUN(b, x86_interrupt(cpu, 0x30, INT_EXTERNAL, false, 0)); /* out */
    to_v86(b, FL_IOPL | FL_IF); /* method 5 */
    BENCH_RUN(b, x86_interrupt(cpu, 0x21, INT_SOFTWARE, false, 0));
    assert_true(cpu->vm);
    assert_int_equal(ld16le(bench_mem(b, 0x3ffee)), FL_IOPL | FL_IF | FL_1);
    assert_int_equal(x86_get_rflags(cpu) & FL_IF, 0);
}

static void vme_iret_with_a_pending_virtual_interrupt_faults(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    x86_set_cr4(cpu, CR4_VME);
    to_v86(b, FL_VIP);
    x86_push(cpu, FL_IF, 2);
    x86_push(cpu, 0x2000, 2);
    x86_push(cpu, 0x100, 2);
    ASSERT_FAULT(b, x86_iret(cpu, 2), X86_GP, 0);
}

static void nmis_are_blocked_until_iret(void **state)
{
    struct cpu_bench *b = *state;
    BENCH_RUN(b, x86_interrupt(b->cpu, X86_NMI, INT_NMI, false, 0));
    assert_true(b->cpu->s.nmi_blocked);
    ASSERT_FINE(b, x86_iret(b->cpu, 4));
    assert_false(b->cpu->s.nmi_blocked);
}

static void an_iret_that_faults_lets_nmis_in(void **state) /* [SDM3] "Handling Multiple NMIs" */
{
    struct cpu_bench *b = *state;
    BENCH_RUN(b, x86_interrupt(b->cpu, X86_NMI, INT_NMI, false, 0));
    st32le(bench_mem(b, b->cpu->s.gpr[R_SP] + 4), 0); /* a null CS */
    assert_true(BENCH_FAULTS(b, x86_iret(b->cpu, 4)));
    assert_int_equal(b->cpu->exc.vector, X86_GP);
    assert_false(b->cpu->s.nmi_blocked);
}

static void an_nmi_whose_delivery_faults_is_in_service(void **state)
{
    struct cpu_bench *b = *state;
    bench_gate(b, BENCH_IDT, X86_NMI, SEL_CODE0, 0, 0, 0, 0); /* no gate type */
    assert_true(BENCH_FAULTS(b, x86_interrupt(b->cpu, X86_NMI, INT_NMI, false, 0)));
    assert_int_equal(b->cpu->exc.vector, X86_GP);
    assert_int_equal(b->cpu->exc.error, X86_NMI * 8 + 2 + 1);
    assert_true(b->cpu->s.nmi_blocked);
}

static void debug_traps_set_dr6_and_clear_general_detect(void **state)
{
    struct cpu_bench *b = *state;
    b->cpu->s.dr[7] |= 0x2000;
    BENCH_RUN(b, x86_debug_trap(b->cpu, DR6_BS));
    assert_int_equal(b->cpu->s.dr[6], 0xffff0ff0 | DR6_BS);
    assert_int_equal(b->cpu->s.dr[7], 0x400);
    assert_int_equal(b->cpu->s.rip, 0x10010);
}

static void a_halted_processor_wakes(void **state)
{
    struct cpu_bench *b = *state;
    b->cpu->s.activity = ACT_HALTED;
    b->cpu->s.shadow = X86_SHADOW_STI;
    BENCH_RUN(b, x86_interrupt(b->cpu, 0x30, INT_EXTERNAL, false, 0));
    assert_int_equal(b->cpu->s.activity, ACT_RUNNING);
    assert_int_equal(b->cpu->s.shadow, 0);
}

static void ports_need_iopl_or_the_bit_map(void **state) /* [SDM1] "I/O Permission Bit Map" */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    ASSERT_FINE(b, x86_io_check(cpu, 0x60, 1));
    to_user(b);
    bench_mem(b, BENCH_TSS + 0x68 + 0x60 / 8)[0] = 0xfa; /* ports 60h and 62h */
    bench_mem(b, BENCH_TSS + 0x68 + 0x70 / 8)[0] = 0;
    bench_mem(b, BENCH_TSS + 0x68 + 0x78 / 8)[0] = 1;
    ASSERT_FINE(b, x86_io_check(cpu, 0x60, 1));
    ASSERT_FAULT(b, x86_io_check(cpu, 0x61, 1), X86_GP, 0);
    ASSERT_FAULT(b, x86_io_check(cpu, 0x60, 2), X86_GP, 0);
    ASSERT_FINE(b, x86_io_check(cpu, 0x76, 2));
    ASSERT_FAULT(b, x86_io_check(cpu, 0x77, 2), X86_GP, 0); /* over the byte's border */
    ASSERT_FAULT(b, x86_io_check(cpu, 0xffff, 1), X86_GP, 0); /* beyond the TSS */
    cpu->s.rflags |= FL_IOPL;
    ASSERT_FINE(b, x86_io_check(cpu, 0x61, 1));
}

#define T(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TP(name) cmocka_unit_test_setup_teardown(name, setup_protected, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(real_mode_uses_the_vector_table),
        T(real_mode_vectors_beyond_the_table_end_in_shutdown),
        TP(same_level_gates_push_three_words_and_the_error),
        TP(sixteen_bit_gates_use_16_bit_frames_and_offsets),
        TP(inner_level_gates_switch_stacks),
        TP(gates_are_checked),
        TP(faults_push_rf_and_the_error_code),
        TP(second_faults_follow_the_double_fault_table),
        TP(a_fault_in_a_double_fault_shuts_down),
        TP(interrupts_leave_virtual_8086_mode),
        TP(virtual_8086_handlers_run_at_level_0),
        TP(int_n_in_virtual_8086_mode_is_iopl_sensitive),
        TP(vme_redirects_int_n_by_the_bit_map),
        TP(vme_iret_with_a_pending_virtual_interrupt_faults),
        TP(nmis_are_blocked_until_iret),
        TP(an_iret_that_faults_lets_nmis_in),
        TP(an_nmi_whose_delivery_faults_is_in_service),
        TP(debug_traps_set_dr6_and_clear_general_detect),
        TP(a_halted_processor_wakes),
        TP(ports_need_iopl_or_the_bit_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
