/*
 * Segmentation: loads, limits and types, far transfers, gates, returns.
 * Sources: [SDM3] "Protection", [SDM2] "JMP", "CALL", "RET", "IRET", "MOV".
 */
#include "unit/cpu_bench.h"

enum { FREE = SEL_FREE / 8 };    /* GDT indices from here on are the tests' */

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

/* To CPL 3 by IRET, stack at 0x7000. */
static void to_user(struct cpu_bench *b)
{
    struct x86_cpu *cpu = b->cpu;
    x86_push(cpu, SEL_DATA3, 4);
    x86_push(cpu, 0x7000, 4);
    x86_push(cpu, 0x202, 4);
    x86_push(cpu, SEL_CODE3, 4);
    x86_push(cpu, 0x6000, 4);
    ASSERT_FINE(b, x86_iret(cpu, 4));
    assert_int_equal(cpu->cpl, 3);
}

static void real_mode_loads_change_the_base_only(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    cpu->s.seg[S_DS].limit = 0xffffffff; /* "unreal" mode */
    cpu->s.seg[S_DS].attr |= AR_G;
    x86_mode_changed(cpu);
    x86_load_seg(cpu, S_DS, 0x1234);
    assert_int_equal(cpu->s.seg[S_DS].base, 0x12340);
    assert_int_equal(cpu->s.seg[S_DS].limit, 0xffffffff);
    x86_load_seg(cpu, S_DS, 0);
    x86_st32(cpu, S_DS, 0x123456, 0xcafe);
    assert_int_equal(x86_ld32(cpu, S_DS, 0x123456), 0xcafe);
}

static void real_mode_has_a_limit_of_64k(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    x86_load_seg(cpu, S_DS, 0);
    x86_load_seg(cpu, S_SS, 0);
    x86_far_jmp(cpu, 0, 0x100, 2);
    ASSERT_FINE(b, x86_ld16(cpu, S_DS, 0xfffe));
    ASSERT_FAULT(b, x86_ld16(cpu, S_DS, 0xffff), X86_GP, 0);
    ASSERT_FAULT(b, x86_st16(cpu, S_SS, 0xffff, 1), X86_SS, 0);
    ASSERT_FINE(b, x86_st16(cpu, S_CS, 0x10, 1)); /* CS is writable there */
    ASSERT_FAULT(b, x86_far_jmp(cpu, 0, 0x10000, 4), X86_GP, 0);
}

static void protected_mode_leaves_the_caches_when_pe_goes_off(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    bench_protected(b);
    x86_set_cr0(cpu, cpu->s.cr0 & ~(uint64_t)CR0_PE);
    assert_false(cpu->pe);
    assert_int_equal(cpu->s.seg[S_ES].limit, 0xffffffff);
    x86_load_seg(cpu, S_ES, 0x100);
    assert_int_equal(cpu->s.seg[S_ES].limit, 0xffffffff);
    assert_int_equal(cpu->s.seg[S_ES].base, 0x1000);
}

/* A descriptor, a selector to load, and what comes of it. */
struct load_case {
    const char *what;
    uint32_t attr;
    uint16_t rpl;
    int fault;               /* -1: none */
};

static void data_segment_loads_are_checked(void **state) /* [SDM2] "MOV" */
{
    static const struct load_case cases[] = {
        {"data", 0x93, 0, -1},
        {"data, RPL 3", 0x93, 3, X86_GP},
        {"DPL 3, RPL 3", 0xf3, 3, -1},
        {"read-only data", 0x91, 0, -1},
        {"code, readable", 0x9b, 0, -1},
        {"code, execute only", 0x99, 0, X86_GP},
        {"conforming, readable, RPL 3", 0x9f, 3, -1},
        {"conforming, execute only", 0x9d, 0, X86_GP},
        {"absent", 0x13, 0, X86_NP},
        {"absent and bad type", 0x19, 0, X86_GP},
        {"LDT", 0x82, 0, X86_GP},
        {"TSS", 0x89, 0, X86_GP},
        {"expand down", 0x97, 0, -1},
    };
    struct cpu_bench *b = *state;
    uint16_t sel = FREE * 8;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct load_case *c = &cases[i];
        bench_desc(b, BENCH_GDT, FREE, 0x12345, 0xfff, c->attr);
        if (c->fault < 0) {
            ASSERT_FINE(b, x86_load_seg(b->cpu, S_DS, sel | c->rpl));
            assert_int_equal(b->cpu->s.seg[S_DS].base, 0x12345);
            assert_int_equal(b->cpu->s.seg[S_DS].sel, sel | c->rpl);
        } else {
            ASSERT_FAULT(b, x86_load_seg(b->cpu, S_DS, sel | c->rpl), c->fault, sel);
        }
    }
}

static void stack_segment_loads_are_checked(void **state)
{
    static const struct load_case cases[] = {
        {"data", 0x93, 0, -1},
        {"RPL is not CPL", 0x93, 3, X86_GP},
        {"DPL is not CPL", 0xf3, 0, X86_GP},
        {"read-only", 0x91, 0, X86_GP},
        {"code", 0x9b, 0, X86_GP},
        {"absent", 0x13, 0, X86_SS},
        {"expand down", 0x97, 0, -1},
        {"system", 0x82, 0, X86_GP},
    };
    struct cpu_bench *b = *state;
    uint16_t sel = FREE * 8;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct load_case *c = &cases[i];
        bench_desc(b, BENCH_GDT, FREE, 0, 0xfff, c->attr);
        if (c->fault < 0) {
            ASSERT_FINE(b, x86_load_seg(b->cpu, S_SS, sel | c->rpl));
        } else {
            ASSERT_FAULT(b, x86_load_seg(b->cpu, S_SS, sel | c->rpl), c->fault, sel);
        }
    }
    ASSERT_FAULT(b, x86_load_seg(b->cpu, S_SS, 0), X86_GP, 0);
}

static void null_selectors_load_but_do_not_serve(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    ASSERT_FINE(b, x86_load_seg(cpu, S_ES, 3));
    assert_int_equal(cpu->s.seg[S_ES].sel, 3);
    ASSERT_FAULT(b, x86_ld8(cpu, S_ES, 0), X86_GP, 0);
}

static void selectors_beyond_the_table_fault(void **state)
{
    struct cpu_bench *b = *state;
    ASSERT_FAULT(b, x86_load_seg(b->cpu, S_DS, 0x800), X86_GP, 0x800);
    ASSERT_FAULT(b, x86_load_seg(b->cpu, S_DS, 0x84), X86_GP, 0x84); /* LDT limit is 7fh */
    bench_desc(b, BENCH_LDT, 15, 0x100, 0xff, 0x93);
    ASSERT_FINE(b, x86_load_seg(b->cpu, S_DS, 0x7c));
    ASSERT_FINE(b, x86_lldt(b->cpu, 0));
    ASSERT_FAULT(b, x86_load_seg(b->cpu, S_DS, 0x7c), X86_GP, 0x7c);
}

static void loads_set_the_accessed_bit(void **state)
{
    struct cpu_bench *b = *state;
    bench_desc(b, BENCH_GDT, FREE, 0, 0xff, 0x92);
    ASSERT_FINE(b, x86_load_seg(b->cpu, S_DS, FREE * 8));
    assert_int_equal(*bench_mem(b, BENCH_GDT + FREE * 8 + 5), 0x93);
    assert_int_equal(b->cpu->s.seg[S_DS].attr, 0x93);
}

static void limits_and_types_are_checked_on_every_access(void **state) /* [SDM3] "Limit Checking" */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    bench_desc(b, BENCH_GDT, FREE, 0x10000, 0xfff, 0x93);
    x86_load_seg(cpu, S_DS, FREE * 8);
    ASSERT_FINE(b, x86_st32(cpu, S_DS, 0xffc, 1));
    ASSERT_FAULT(b, x86_st32(cpu, S_DS, 0xffd, 1), X86_GP, 0);
    ASSERT_FAULT(b, x86_ld8(cpu, S_DS, 0x1000), X86_GP, 0);
    bench_desc(b, BENCH_GDT, FREE, 0x10000, 0xfff, 0x91); /* read-only */
    x86_load_seg(cpu, S_DS, FREE * 8);
    ASSERT_FINE(b, x86_ld32(cpu, S_DS, 0));
    ASSERT_FAULT(b, x86_st32(cpu, S_DS, 0, 1), X86_GP, 0);
    bench_desc(b, BENCH_GDT, FREE, 0x10000, 0xfff, 0x97); /* expand down, 16 bits */
    x86_load_seg(cpu, S_DS, FREE * 8);
    ASSERT_FAULT(b, x86_ld8(cpu, S_DS, 0xfff), X86_GP, 0);
    ASSERT_FINE(b, x86_ld8(cpu, S_DS, 0x1000));
    ASSERT_FINE(b, x86_ld16(cpu, S_DS, 0xfffe));
    ASSERT_FAULT(b, x86_ld16(cpu, S_DS, 0xffff), X86_GP, 0);
    bench_desc(b, BENCH_GDT, FREE, 0, 0xfff, 0x4097); /* expand down, 32 bits */
    x86_load_seg(cpu, S_DS, FREE * 8);
    ASSERT_FINE(b, x86_ld16(cpu, S_DS, 0xffff));
    ASSERT_FAULT(b, x86_st32(cpu, S_CS, 0x100, 1), X86_GP, 0); /* code is not written */
    ASSERT_FINE(b, x86_ld32(cpu, S_CS, 0x100));
}

static void far_jumps_are_checked(void **state) /* [SDM2] "JMP" */
{
    static const struct load_case cases[] = {
        {"code", 0x409b, 0, -1}, {"code, RPL 3", 0x409b, 3, X86_GP}, {"DPL 3", 0x40fb, 0, X86_GP},
        {"conforming", 0x409f, 3, -1}, {"conforming, DPL 3", 0x40ff, 0, X86_GP},
        {"absent", 0x401b, 0, X86_NP}, {"data", 0x4093, 0, X86_GP}, {"LDT", 0x82, 0, X86_GP},
        {"interrupt gate", 0x8e, 0, X86_GP},
    };
    struct cpu_bench *b = *state;
    uint16_t sel = FREE * 8;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct load_case *c = &cases[i];
        bench_desc(b, BENCH_GDT, FREE, 0, 0xffff, c->attr);
        if (c->fault < 0) {
            ASSERT_FINE(b, x86_far_jmp(b->cpu, sel | c->rpl, 0x1234, 4));
            assert_int_equal(b->cpu->s.seg[S_CS].sel, sel);
            assert_int_equal(b->cpu->s.rip, 0x1234);
        } else {
            ASSERT_FAULT(b, x86_far_jmp(b->cpu, sel | c->rpl, 0x1234, 4), c->fault, sel);
        }
    }
    bench_desc(b, BENCH_GDT, FREE, 0, 0xffff, 0x409b);
    ASSERT_FAULT(b, x86_far_jmp(b->cpu, sel, 0x10000, 4), X86_GP, 0);
    ASSERT_FAULT(b, x86_far_jmp(b->cpu, 0, 0, 4), X86_GP, 0);
}

static void far_call_and_return_keep_the_level(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    ASSERT_FINE(b, x86_far_call(cpu, SEL_CODE16, 0x1111, 0x5007, 4));
    assert_int_equal(cpu->s.gpr[R_SP], 0x7ff8);
    assert_int_equal(ld32le(bench_mem(b, 0x7ff8)), 0x5007);
    assert_int_equal(ld32le(bench_mem(b, 0x7ffc)), SEL_CODE0);
    assert_int_equal(cpu->mode & MODE_CS32, 0);
    ASSERT_FINE(b, x86_far_ret(cpu, 4, 8));
    assert_int_equal(cpu->s.rip, 0x5007);
    assert_int_equal(cpu->s.gpr[R_SP], 0x8008);
    assert_int_equal(cpu->mode & MODE_CS32, MODE_CS32);
}

static void call_gate_to_an_inner_level_copies_parameters(void **state) /* [SDM2] "CALL" */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    bench_gate(b, BENCH_GDT, FREE, SEL_CODE0, 0x12345678 & 0xffff, 0xc, 3, 2);
    to_user(b);
    x86_push(cpu, 0xaaaa, 4);
    x86_push(cpu, 0xbbbb, 4);
    ASSERT_FINE(b, x86_far_call(cpu, FREE * 8 | 3, 0xdead, 0x6007, 4));
    assert_int_equal(cpu->cpl, 0);
    assert_int_equal(cpu->s.rip, 0x5678);
    assert_int_equal(cpu->s.seg[S_SS].sel, SEL_DATA0);
    static const uint32_t frame[] = {0x6007, SEL_CODE3, 0xbbbb, 0xaaaa, 0x6ff8, SEL_DATA3};
    assert_int_equal(cpu->s.gpr[R_SP], 0x9000 - sizeof(frame));
    assert_memory_equal(bench_mem(b, 0x9000 - sizeof(frame)), frame, sizeof(frame));
    ASSERT_FINE(b, x86_far_ret(cpu, 4, 8));
    assert_int_equal(cpu->cpl, 3);
    assert_int_equal(cpu->s.rip, 0x6007);
    assert_int_equal(cpu->s.gpr[R_SP], 0x7000); /* parameters dropped on both stacks */
}

static void sixteen_bit_call_gate_uses_16_bit_offsets(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    bench_gate(b, BENCH_GDT, FREE, SEL_CODE0, 0x77774321, 0x4, 3, 1);
    to_user(b);
    x86_push(cpu, 0xcccc, 2);
    ASSERT_FINE(b, x86_far_call(cpu, FREE * 8 | 3, 0, 0x6007, 4));
    assert_int_equal(cpu->s.rip, 0x4321);
    static const uint16_t frame[] = {0x6007, SEL_CODE3, 0xcccc, 0x6ffe, SEL_DATA3};
    assert_memory_equal(bench_mem(b, 0x9000 - sizeof(frame)), frame, sizeof(frame));
}

static void call_gates_are_checked(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    uint16_t sel = FREE * 8;
    to_user(b);
    bench_gate(b, BENCH_GDT, FREE, SEL_CODE0, 0, 0xc, 2, 0);
    ASSERT_FAULT(b, x86_far_call(cpu, sel, 0, 0x6007, 4), X86_GP, sel);
    bench_gate(b, BENCH_GDT, FREE, SEL_CODE0, 0, 0xc, 3, 0);
    *bench_mem(b, BENCH_GDT + sel + 5) &= 0x7f;
    ASSERT_FAULT(b, x86_far_call(cpu, sel, 0, 0x6007, 4), X86_NP, sel);
    bench_gate(b, BENCH_GDT, FREE, 0, 0, 0xc, 3, 0);
    ASSERT_FAULT(b, x86_far_call(cpu, sel, 0, 0x6007, 4), X86_GP, 0);
    bench_gate(b, BENCH_GDT, FREE, SEL_DATA0, 0, 0xc, 3, 0);
    ASSERT_FAULT(b, x86_far_call(cpu, sel, 0, 0x6007, 4), X86_GP, SEL_DATA0);
    bench_gate(b, BENCH_GDT, FREE, SEL_CODE0, 0, 0xc, 3, 0);
    ASSERT_FAULT(b, x86_far_jmp(cpu, sel, 0, 4), X86_GP, SEL_CODE0); /* JMP does not change CPL */
    st16le(bench_mem(b, BENCH_TSS + 8), 0);
    ASSERT_FAULT(b, x86_far_call(cpu, sel, 0, 0x6007, 4), X86_TS, 0);
    st16le(bench_mem(b, BENCH_TSS + 8), SEL_DATA3);
    ASSERT_FAULT(b, x86_far_call(cpu, sel, 0, 0x6007, 4), X86_TS, SEL_DATA3 & 0xfffc);
    st16le(bench_mem(b, BENCH_TSS + 8), SEL_CODE0);
    ASSERT_FAULT(b, x86_far_call(cpu, sel, 0, 0x6007, 4), X86_TS, SEL_CODE0);
    bench_desc(b, BENCH_GDT, FREE + 1, 0, 0xfff, 0x4093); /* too small for ESP0 */
    st16le(bench_mem(b, BENCH_TSS + 8), (FREE + 1) * 8);
    ASSERT_FAULT(b, x86_far_call(cpu, sel, 0, 0x6007, 4), X86_SS, (FREE + 1) * 8);
    bench_desc(b, BENCH_GDT, FREE + 1, 0, 0xfffff, 0xc013); /* absent */
    ASSERT_FAULT(b, x86_far_call(cpu, sel, 0, 0x6007, 4), X86_SS, (FREE + 1) * 8);
    cpu->s.tr.limit = 8; /* SS0 would end at byte 9 */
    ASSERT_FAULT(b, x86_far_call(cpu, sel, 0, 0x6007, 4), X86_TS, SEL_TSS);
}

static void returns_to_an_outer_level_are_checked(void **state) /* [SDM2] "RET" */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    uint32_t *frame = (uint32_t *)(void *)bench_mem(b, 0x8000); /* EIP CS ESP SS */
    static const struct {
        uint32_t frame[4];
        int vector;
        uint32_t error;
    } cases[] = {
        {{1, SEL_CODE3, 2, 0}, X86_GP, 0},
        {{1, SEL_CODE3, 2, SEL_DATA0}, X86_GP, SEL_DATA0},
        {{1, SEL_CODE3, 2, SEL_DATA3 & ~3}, X86_GP, SEL_DATA3 & ~3},
        {{1, SEL_CODE3, 2, SEL_CODE3}, X86_GP, SEL_CODE3 & ~3},
        {{1, SEL_CODE3 & ~3, 2, SEL_DATA3}, X86_GP, SEL_CODE3 & ~3},
        {{1, SEL_CODE0 | 3, 2, SEL_DATA3}, X86_GP, SEL_CODE0},
        {{1, 0, 2, SEL_DATA3}, X86_GP, 0},
        {{1, 0x900, 2, SEL_DATA3}, X86_GP, 0x900},
        {{1, SEL_DATA3, 2, SEL_DATA3}, X86_GP, SEL_DATA3 & ~3},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        memcpy(frame, cases[i].frame, 16);
        ASSERT_FAULT(b, x86_far_ret(cpu, 4, 0), cases[i].vector, cases[i].error);
    }
    static const uint32_t good[] = {0x1234, SEL_CODE3, 0x7000, SEL_DATA3};
    memcpy(frame, good, sizeof(good));
    x86_load_seg(cpu, S_FS, SEL_DATA3);
    x86_load_seg(cpu, S_GS, 3);
    ASSERT_FINE(b, x86_far_ret(cpu, 4, 0));
    assert_int_equal(cpu->cpl, 3);
    assert_int_equal(cpu->s.gpr[R_SP], 0x7000);
    assert_int_equal(cpu->s.seg[S_DS].sel, 0); /* CPL 0 data may not stay */
    assert_int_equal(cpu->s.seg[S_FS].sel, SEL_DATA3);
    assert_int_equal(cpu->s.seg[S_GS].sel, 0); /* a null selector has no RPL afterwards */
    ASSERT_FAULT(b, x86_ld8(cpu, S_DS, 0), X86_GP, 0);
}

/* [SDM2] "IRET", "RET": of a stack of 16 bits only SP is loaded. */
static void returns_to_a_16_bit_stack_keep_the_upper_half_of_esp(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    static const uint32_t frame[] = {0x1234, SEL_CODE3, FL_1, 0x77777000, FREE * 8 | 3};
    static const uint32_t far_frame[] = {0x1234, SEL_CODE3, 0x77777000, FREE * 8 | 3};
    bench_desc(b, BENCH_GDT, FREE, 0, 0xffff, 0x00f3);
    memcpy(bench_mem(b, 0x18000), frame, sizeof(frame));
    memcpy(bench_mem(b, 0x28000), far_frame, sizeof(far_frame));
    const struct x86_state before = cpu->s;
    cpu->s.gpr[R_SP] = 0x18000;
    ASSERT_FINE(b, x86_iret(cpu, 4));
    assert_int_equal(cpu->s.gpr[R_SP], 0x17000);
    cpu->s = before;
    x86_state_loaded(cpu);
    cpu->s.gpr[R_SP] = 0x28000;
    ASSERT_FINE(b, x86_far_ret(cpu, 4, 0));
    assert_int_equal(cpu->s.gpr[R_SP], 0x27000);
}

static void iret_loads_what_privilege_allows(void **state) /* [SDM2] "IRET" */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    to_user(b);
    x86_push(cpu, 0x3fffff & ~(uint32_t)FL_NT, 4); /* everything, at CPL 3 and IOPL 0 */
    x86_push(cpu, SEL_CODE3, 4);
    x86_push(cpu, 0x6100, 4);
    ASSERT_FINE(b, x86_iret(cpu, 4));
    assert_int_equal(x86_get_rflags(cpu) & (FL_IOPL | FL_VM | FL_VIF | FL_VIP | FL_IF), FL_IF);
    assert_int_equal(x86_get_rflags(cpu) & (FL_OSZAPC | FL_DF | FL_TF | FL_AC | FL_ID),
                     FL_OSZAPC | FL_DF | FL_TF | FL_AC | FL_ID);
    assert_int_equal(cpu->mode & MODE_TF, MODE_TF);
}

static void iret_enters_virtual_8086_mode(void **state)
{
    static const uint32_t frame[] = {0x100,  0x2000, 0x23202, 0xfff0, 0x3000,
                                     0x4000, 0x5000, 0x6000,  0x7000};
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    memcpy(bench_mem(b, 0x8000), frame, sizeof(frame));
    ASSERT_FINE(b, x86_iret(cpu, 4));
    assert_true(cpu->vm);
    assert_int_equal(cpu->cpl, 3);
    assert_int_equal(cpu->s.seg[S_CS].base, 0x20000);
    assert_int_equal(cpu->s.seg[S_SS].base, 0x30000);
    assert_int_equal(cpu->s.seg[S_ES].sel, 0x4000);
    assert_int_equal(cpu->s.seg[S_DS].sel, 0x5000);
    assert_int_equal(cpu->s.seg[S_FS].sel, 0x6000);
    assert_int_equal(cpu->s.seg[S_GS].sel, 0x7000);
    assert_int_equal(cpu->s.seg[S_DS].limit, 0xffff);
    assert_int_equal(cpu->s.gpr[R_SP], 0xfff0);
    assert_int_equal(cpu->stack_mask, 0xffff);
    assert_int_equal(x86_get_rflags(cpu) & FL_IOPL, FL_IOPL);
    x86_load_seg(cpu, S_DS, 0x1234);
    assert_int_equal(cpu->s.seg[S_DS].base, 0x12340);
}

static void lar_lsl_verr_verw_see_what_privilege_allows(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    uint32_t val = 0;
    assert_true(x86_lar(cpu, SEL_DATA0, &val));
    assert_int_equal(val, 0x00cf9300); /* bits 19:16, undefined, are those of the limit */
    assert_true(x86_lsl(cpu, SEL_DATA0, &val));
    assert_int_equal(val, 0xffffffff);
    assert_true(x86_lsl(cpu, SEL_TSS, &val));
    assert_int_equal(val, 0x2067);
    assert_false(x86_lar(cpu, 0, &val));
    assert_false(x86_lar(cpu, 0x900, &val));
    assert_false(x86_lar(cpu, SEL_DATA0 | 3, &val));
    bench_gate(b, BENCH_GDT, FREE, SEL_CODE0, 0, 0xc, 0, 0);
    assert_true(x86_lar(cpu, FREE * 8, &val));
    assert_false(x86_lsl(cpu, FREE * 8, &val));
    bench_gate(b, BENCH_GDT, FREE, SEL_CODE0, 0, 0xe, 0, 0);
    assert_false(x86_lar(cpu, FREE * 8, &val));
    assert_true(x86_ver(cpu, SEL_DATA0, true));
    assert_true(x86_ver(cpu, SEL_CODE0, false));
    assert_false(x86_ver(cpu, SEL_CODE0, true));
    assert_false(x86_ver(cpu, SEL_TSS, false));
    to_user(b);
    assert_false(x86_ver(cpu, SEL_DATA0, false));
    assert_true(x86_ver(cpu, SEL_DATA3, true));
}

static void ltr_and_lldt_are_checked(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    ASSERT_FAULT(b, x86_ltr(cpu, SEL_TSS), X86_GP, SEL_TSS); /* busy */
    ASSERT_FAULT(b, x86_ltr(cpu, 0), X86_GP, 0);
    ASSERT_FAULT(b, x86_ltr(cpu, SEL_LDT), X86_GP, SEL_LDT);
    ASSERT_FAULT(b, x86_ltr(cpu, 4), X86_GP, 4);
    ASSERT_FAULT(b, x86_lldt(cpu, SEL_DATA0), X86_GP, SEL_DATA0);
    ASSERT_FAULT(b, x86_lldt(cpu, 0xc), X86_GP, 0xc);
    bench_desc(b, BENCH_GDT, FREE, 0, 0xff, 0x02);
    ASSERT_FAULT(b, x86_lldt(cpu, FREE * 8), X86_NP, FREE * 8);
    bench_desc(b, BENCH_GDT, FREE, 0, 0x67, 0x09);
    ASSERT_FAULT(b, x86_ltr(cpu, FREE * 8), X86_NP, FREE * 8);
    bench_desc(b, BENCH_GDT, FREE, 0, 0x67, 0x89);
    ASSERT_FINE(b, x86_ltr(cpu, FREE * 8));
    assert_int_equal(*bench_mem(b, BENCH_GDT + FREE * 8 + 5), 0x8b);
}

static void misaligned_accesses_fault_at_level_3_when_asked(void **state) /* #AC */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    x86_set_cr0(cpu, cpu->s.cr0 | CR0_AM);
    x86_set_rflags(cpu, FL_AC, FL_AC);
    x86_load_seg(cpu, S_DS, SEL_DATA3);
    ASSERT_FINE(b, x86_ld32(cpu, S_DS, 0x5001));
    to_user(b);
    x86_set_rflags(cpu, FL_AC, FL_AC);
    ASSERT_FAULT(b, x86_ld32(cpu, S_DS, 0x5002), X86_AC, 0);
    ASSERT_FAULT(b, x86_st16(cpu, S_DS, 0x5001, 1), X86_AC, 0);
    ASSERT_FINE(b, x86_ld16(cpu, S_DS, 0x5002));
    ASSERT_FINE(b, x86_ld8(cpu, S_DS, 0x5001));
    cpu->s.gpr[R_SP] = 0x7001;
    ASSERT_FAULT(b, x86_push(cpu, 1, 4), X86_AC, 0);
    x86_set_rflags(cpu, 0, FL_AC);
    ASSERT_FINE(b, x86_ld32(cpu, S_DS, 0x5002));
}

static void a_push_that_faults_changes_nothing(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    bench_desc(b, BENCH_GDT, FREE, 0, 0xfff, 0x4097); /* expand down: 1000h is the bottom */
    x86_load_seg(cpu, S_SS, FREE * 8);
    cpu->s.gpr[R_SP] = 0x1002;
    ASSERT_FAULT(b, x86_push(cpu, 1, 4), X86_SS, 0);
    ASSERT_FINE(b, x86_push(cpu, 1, 2));
}

#define T(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TP(name) cmocka_unit_test_setup_teardown(name, setup_protected, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(real_mode_loads_change_the_base_only),
        T(real_mode_has_a_limit_of_64k),
        T(protected_mode_leaves_the_caches_when_pe_goes_off),
        TP(data_segment_loads_are_checked),
        TP(stack_segment_loads_are_checked),
        TP(null_selectors_load_but_do_not_serve),
        TP(selectors_beyond_the_table_fault),
        TP(loads_set_the_accessed_bit),
        TP(limits_and_types_are_checked_on_every_access),
        TP(far_jumps_are_checked),
        TP(far_call_and_return_keep_the_level),
        TP(call_gate_to_an_inner_level_copies_parameters),
        TP(sixteen_bit_call_gate_uses_16_bit_offsets),
        TP(call_gates_are_checked),
        TP(returns_to_an_outer_level_are_checked),
        TP(returns_to_a_16_bit_stack_keep_the_upper_half_of_esp),
        TP(iret_loads_what_privilege_allows),
        TP(iret_enters_virtual_8086_mode),
        TP(lar_lsl_verr_verw_see_what_privilege_allows),
        TP(ltr_and_lldt_are_checked),
        TP(misaligned_accesses_fault_at_level_3_when_asked),
        TP(a_push_that_faults_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
