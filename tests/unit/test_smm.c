/*
 * System management mode: the save map, the processor's state in SMM, relocation, RSM and its
 * checks.
 * Source: [SDM3] "System Management Mode"; what SeaBIOS reads: revision at FEFCh, SMBASE at FEF8h.
 */
#include "unit/cpu_bench.h"

#include "core/accel/accel.h"

enum { SMBASE = 0x30000 };

static int setup(void **state)
{
    struct cpu_bench *b = bench_new(NULL);
    *state = b;
    bench_protected(b);
    return 0;
}

static int teardown(void **state)
{
    bench_free(*state);
    return 0;
}

static uint32_t map(struct cpu_bench *b, uint32_t at)
{
    return ld32le(bench_mem(b, b->cpu->s.smbase + at));
}

static void fill_registers(struct x86_cpu *cpu)
{
    for (unsigned i = 0; i < 8; i++) {
        if (i != R_SP) {
            cpu->s.gpr[i] = 0x11111111u * (i + 1);
        }
    }
    cpu->s.cr4 = CR4_DE;
    x86_set_rflags(cpu, FL_IF | FL_CF | FL_ZF, FL_IF | FL_OSZAPC);
}

static void entry_saves_registers_where_the_manual_says(void **state) /* "SMRAM State Save Map" */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    fill_registers(cpu);
    x86_smi(cpu);
    assert_int_equal(map(b, 0xfffc), CR0_PE | CR0_ET | CR0_CD | CR0_NW);
    assert_int_equal(map(b, 0xfff4), FL_1 | FL_IF | FL_CF | FL_ZF);
    assert_int_equal(map(b, 0xfff0), 0x5000);
    assert_int_equal(map(b, 0xffec), 0x88888888);
    assert_int_equal(map(b, 0xffe0), 0x8000);
    assert_int_equal(map(b, 0xffd0), 0x11111111);
    assert_int_equal(map(b, 0xffac), SEL_CODE0);
    assert_int_equal(map(b, 0xffb0), SEL_DATA0);
    assert_int_equal(map(b, 0xffc4), SEL_TSS);
    assert_int_equal(map(b, 0xfefc), 0x20000); /* relocation, no I/O restart */
    assert_int_equal(map(b, 0xfef8), SMBASE);
    assert_int_equal(map(b, 0xff00) >> 16, 0); /* not halted */
}

static void
the_handler_starts_in_a_big_real_mode(void **state) /* "Processor Register Initialization" */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    fill_registers(cpu);
    x86_smi(cpu);
    assert_true(cpu->s.in_smm);
    assert_int_equal(cpu->mode & MODE_SMM, MODE_SMM);
    assert_false(cpu->pe);
    assert_int_equal(cpu->s.rip, 0x8000);
    assert_int_equal(cpu->s.seg[S_CS].sel, 0x3000);
    assert_int_equal(cpu->s.seg[S_CS].base, SMBASE);
    assert_int_equal(cpu->s.seg[S_DS].limit, 0xffffffff);
    assert_int_equal(cpu->s.seg[S_DS].base, 0);
    assert_int_equal(x86_get_rflags(cpu), FL_1);
    assert_int_equal(cpu->s.cr4, 0);
    assert_int_equal(cpu->s.dr[7], 0x400);
    assert_true(cpu->s.nmi_blocked);
    assert_int_equal(cpu->mode & MODE_CS32, 0);
}

static void rsm_gives_back_all_of_it(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    fill_registers(cpu);
    cpu->s.rflags = x86_get_rflags(cpu);
    uint64_t flags = cpu->s.rflags;
    struct state_buf before = {0}, after = {0};
    state_save(&before, x86_state_fields, &cpu->s, NULL);
    x86_smi(cpu);
    cpu->s.gpr[R_AX] = 0;
    x86_load_seg(cpu, S_DS, 0x1234);
    ASSERT_FINE(b, x86_rsm(cpu));
    state_save(&after, x86_state_fields, &cpu->s, NULL);
    assert_null(state_differs(x86_state_fields, before.data, after.data, true));
    state_buf_free(&before);
    state_buf_free(&after);
    assert_int_equal(x86_get_rflags(cpu), flags);
    assert_true(cpu->pe);
    assert_int_equal(cpu->mode & MODE_CS32, MODE_CS32);
}

static void rsm_relocates_smbase(void **state) /* "SMBASE Relocation" */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    x86_smi(cpu);
    st32le(bench_mem(b, SMBASE + 0xfef8), 0xa0000);
    ASSERT_FINE(b, x86_rsm(cpu));
    assert_int_equal(cpu->s.smbase, 0xa0000);
    x86_smi(cpu);
    assert_int_equal(cpu->s.seg[S_CS].sel, 0xa000);
    assert_int_equal(map(b, 0xfef8), 0xa0000);
}

static void a_halted_processor_halts_again(void **state) /* "Auto HALT Restart" */
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    cpu->s.activity = ACT_HALTED;
    x86_smi(cpu);
    assert_int_equal(cpu->s.activity, ACT_RUNNING);
    assert_int_equal(ld16le(bench_mem(b, SMBASE + 0xff02)), 1);
    ASSERT_FINE(b, x86_rsm(cpu));
    assert_int_equal(cpu->s.activity, ACT_HALTED);
    x86_smi(cpu);
    st16le(bench_mem(b, SMBASE + 0xff02), 0);
    ASSERT_FINE(b, x86_rsm(cpu));
    assert_int_equal(cpu->s.activity, ACT_RUNNING);
}

static void rsm_outside_smm_is_undefined(void **state)
{
    struct cpu_bench *b = *state;
    ASSERT_FAULT(b, x86_rsm(b->cpu), X86_UD, 0);
}

static __attribute__((noinline)) void rsm_with(struct cpu_bench *b, uint32_t at, uint32_t val)
{
    x86_smi(b->cpu);
    st32le(bench_mem(b, SMBASE + at), val);
    ASSERT_FINE(b, x86_rsm(b->cpu));
    assert_int_equal(b->cpu->s.activity, ACT_SHUTDOWN);
}

static void rsm_shuts_down_on_an_invalid_map(void **state) /* [SDM2] "RSM" */
{
    static const struct {
        uint32_t at, val;
    } cases[] = {
        /* CR4 */
        {0xfffc, CR0_PG}, {0xfffc, CR0_NW | CR0_PE}, {0xfef8, 0x12345}, {0xff2c, 1u << 31},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        void *b = NULL;
        setup(&b);
        rsm_with(b, cases[i].at, cases[i].val);
        teardown(&b);
    }
}

static void smm_has_its_own_view(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    struct space smram;
    struct region ram;
    struct ram_block block;
    struct error *err = NULL;
    assert_true(ram_block_new(&b->arena, &block, "smram", 0x10000, &err));
    space_init(&smram, "smm", 1ull << 40);
    region_ram(&ram, "smram", &block);
    region_map(&smram.root, &ram, SMBASE, 0);
    space_commit(&smram);
    cpu->smm = &smram;
    st32le(bench_mem(b, SMBASE + 0x100), 0x11111111);
    st32le(ram_host(&block) + 0x100, 0x22222222);
    assert_int_equal(x86_lin_read(cpu, SMBASE + 0x100, 4, false), 0x11111111);
    x86_smi(cpu);
    assert_int_equal(x86_lin_read(cpu, SMBASE + 0x100, 4, false), 0x22222222);
    assert_int_equal(ld32le(ram_host(&block) + 0xfef8), SMBASE);
    ASSERT_FINE(b, x86_rsm(cpu));
    assert_int_equal(x86_lin_read(cpu, SMBASE + 0x100, 4, false), 0x11111111);
    space_fini(&smram);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(entry_saves_registers_where_the_manual_says),
        T(the_handler_starts_in_a_big_real_mode),
        T(rsm_gives_back_all_of_it),
        T(rsm_relocates_smbase),
        T(a_halted_processor_halts_again),
        T(rsm_outside_smm_is_undefined),
        T(rsm_shuts_down_on_an_invalid_map),
        T(smm_has_its_own_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
