/*
 * Instructions that no process of the host can run, or whose results are of their machine, one by
 * one in 64-bit code at CPL 0: ports, flags of interrupts, software interrupts, counters, caches.
 * Source: [SDM2], the entry of each.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/interp_long.h"

#define CODE    0x9000u
#define OPERAND 0xa000u

/* The instruction @hex at CODE; the vector that it raises, -1 if none. */
static int run(struct interp_bench *b, const char *hex)
{
    return ilong_run(b, CODE, hex);
}

static void start(struct interp_bench *b)
{
    ilong_state(b, CODE);
    b->cpu->s.gpr[R_SP] = 0x7000;
    b->cpu->s.gpr[R_BX] = OPERAND;
}

static int setup(void **state)
{
    struct interp_bench *b = ibench_new(64 * KiB, "max");
    ilong_tables(b);
    start(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    ibench_free(*state);
    return 0;
}

/* Ports answer with ones. */
static void in_takes_its_port_from_dx_or_a_byte(void **state)
{
    static const struct {
        const char *hex;
        uint64_t port, rax;
    } table[] = {
        {"e4 70", 0x70, 0x11223344556677ff}, {"66 e5 71", 0x71, 0x112233445566ffff},
        {"e5 72", 0x72, 0xffffffff},         {"48 e5 73", 0x73, 0xffffffff},
        {"ec", 0x1234, 0x11223344556677ff},  {"66 ed", 0x1234, 0x112233445566ffff},
        {"ed", 0x1234, 0xffffffff},
    };
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        b->cpu->s.gpr[R_AX] = 0x1122334455667788;
        b->cpu->s.gpr[R_DX] = 0xabcd1234;
        assert_int_equal(run(b, table[i].hex), -1);
        assert_int_equal(b->last_port, table[i].port);
        assert_true(b->cpu->s.gpr[R_AX] == table[i].rax);
    }
}

static void out_writes_the_accumulators_low_part(void **state)
{
    static const struct {
        const char *hex;
        uint64_t port, val;
    } table[] = {
        {"e6 70", 0x70, 0x88},         {"66 e7 71", 0x71, 0x7788}, {"e7 72", 0x72, 0x55667788},
        {"ee", 0x1234, 0x88},          {"66 ef", 0x1234, 0x7788},  {"ef", 0x1234, 0x55667788},
        {"48 ef", 0x1234, 0x55667788},
    };
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        b->cpu->s.gpr[R_AX] = 0x1122334455667788;
        b->cpu->s.gpr[R_DX] = 0xabcd1234;
        assert_int_equal(run(b, table[i].hex), -1);
        assert_int_equal(b->last_port, table[i].port);
        assert_int_equal(b->last_val, table[i].val);
    }
}

static void string_port_instructions_move_one_element(void **state)
{
    static const struct {
        const char *hex;
        unsigned size;
        bool in;
    } table[] = {
        {"6c", 1, true},  {"66 6d", 2, true},  {"6d", 4, true},
        {"6e", 1, false}, {"66 6f", 2, false}, {"6f", 4, false},
    };
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        uint64_t *moved = &b->cpu->s.gpr[table[i].in ? R_DI : R_SI];
        st64le(ibench_mem(b, OPERAND), 0x1122334455667788);
        b->cpu->s.gpr[R_DX] = 0x1f0;
        *moved = OPERAND;
        assert_int_equal(run(b, table[i].hex), -1);
        assert_int_equal(b->last_port, 0x1f0);
        assert_int_equal(*moved, OPERAND + table[i].size);
        uint64_t mask = size_mask(table[i].size);
        if (table[i].in) {
            assert_true(ld64le(ibench_mem(b, OPERAND)) == (0x1122334455667788 | mask));
        } else {
            assert_true(b->last_val == (0x1122334455667788 & mask));
        }
    }
}

static void cli_and_sti_change_if(void **state)
{
    struct interp_bench *b = *state;
    assert_int_equal(run(b, "fb"), -1);
    assert_true(x86_get_rflags(b->cpu) & FL_IF);
    assert_int_equal(run(b, "fa"), -1);
    assert_false(x86_get_rflags(b->cpu) & FL_IF);
}

/* INT n, INT3 and INT1 push the address behind them. */
static void software_interrupts_are_traps(void **state)
{
    static const struct {
        const char *hex;
        int vector;
        unsigned len;
    } table[] = {{"cc", X86_BP, 1}, {"f1", X86_DB, 1}, {"cd 15", 0x15, 2}, {"cd 03", X86_BP, 2}};
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        start(b);
        assert_int_equal(run(b, table[i].hex), table[i].vector);
        assert_int_equal(ld64le(ibench_mem(b, b->cpu->s.gpr[R_SP])), CODE + table[i].len);
    }
}

static void rdpmc_has_two_counters_that_stand_still(void **state)
{
    struct interp_bench *b = *state;
    for (uint64_t counter = 0; counter < 3; counter++) {
        b->cpu->s.gpr[R_CX] = counter;
        b->cpu->s.gpr[R_AX] = b->cpu->s.gpr[R_DX] = ~0ull;
        int vector = run(b, "0f 33");
        assert_int_equal(vector, counter < 2 ? -1 : X86_GP);
        if (vector < 0) {
            assert_int_equal(b->cpu->s.gpr[R_AX] | b->cpu->s.gpr[R_DX], 0);
        }
    }
}

static void rdtscp_also_reads_tsc_aux(void **state)
{
    struct interp_bench *b = *state;
    b->cpu->s.tsc_aux = 0x12345678;
    b->cpu->s.tsc_offset = 0x500000000;
    assert_int_equal(run(b, "0f 01 f9"), -1);
    assert_int_equal(b->cpu->s.gpr[R_DX], 5);
    assert_true(b->cpu->s.gpr[R_AX] < 1000);
    assert_int_equal(b->cpu->s.gpr[R_CX], 0x12345678);
}

/* A register gets the selector with zeros above, memory 16 bits. */
static void sldt_and_str_store_selectors(void **state)
{
    struct interp_bench *b = *state;
    b->cpu->s.ldtr.sel = 0x48;
    b->cpu->s.tr.sel = 0x50;
    b->cpu->s.gpr[R_AX] = b->cpu->s.gpr[R_CX] = ~0ull;
    st32le(ibench_mem(b, OPERAND), ~0u);
    assert_int_equal(run(b, "0f 00 c0"), -1);
    assert_int_equal(b->cpu->s.gpr[R_AX], 0x48);
    assert_int_equal(run(b, "48 0f 00 c9"), -1);
    assert_int_equal(b->cpu->s.gpr[R_CX], 0x50);
    assert_int_equal(run(b, "0f 00 0b"), -1);
    assert_int_equal(ld32le(ibench_mem(b, OPERAND)), 0xffff0050);
}

static void rdpid_reads_tsc_aux(void **state)
{
    struct interp_bench *b = *state;
    b->cpu->s.tsc_aux = 0x12345678;
    b->cpu->s.gpr[R_AX] = ~0ull;
    assert_int_equal(run(b, "f3 0f c7 f8"), -1);
    assert_int_equal(b->cpu->s.gpr[R_AX], 0x12345678);
}

static void cache_instructions_change_nothing(void **state)
{
    static const char *const hex[] = {"0f 08", "0f 09", "0f 01 3b"}; /* INVD, WBINVD, INVLPG */
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(hex); i++) {
        uint64_t flags = x86_get_rflags(b->cpu);
        assert_int_equal(run(b, hex[i]), -1);
        assert_int_equal(x86_get_rflags(b->cpu), flags);
        assert_int_equal(b->cpu->s.gpr[R_BX], OPERAND);
    }
}

static void monitor_and_mwait_take_no_unknown_extensions(void **state)
{
    static const struct {
        const char *hex;
        uint64_t rcx;
        int vector;
    } table[] = {
        {"0f 01 c8", 0, -1}, {"0f 01 c8", 1, X86_GP}, {"0f 01 c9", 0, -1},
        {"0f 01 c9", 1, -1}, {"0f 01 c9", 2, X86_GP},
    };
    struct interp_bench *b = *state;
    assert_int_equal(run(b, "0f 01 c8"), X86_UD); /* the model has none */
    struct x86_model model = *b->cpu->model;
    memset(model.features, 0xff, sizeof(model.features));
    b->cpu->model = &model;
    block_flush_all(b->e);
    start(b);
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        b->cpu->s.gpr[R_AX] = OPERAND;
        b->cpu->s.gpr[R_CX] = table[i].rcx;
        assert_int_equal(run(b, table[i].hex), table[i].vector);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_takes_its_port_from_dx_or_a_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(out_writes_the_accumulators_low_part, setup, teardown),
        cmocka_unit_test_setup_teardown(string_port_instructions_move_one_element, setup, teardown),
        cmocka_unit_test_setup_teardown(cli_and_sti_change_if, setup, teardown),
        cmocka_unit_test_setup_teardown(software_interrupts_are_traps, setup, teardown),
        cmocka_unit_test_setup_teardown(rdpmc_has_two_counters_that_stand_still, setup, teardown),
        cmocka_unit_test_setup_teardown(rdtscp_also_reads_tsc_aux, setup, teardown),
        cmocka_unit_test_setup_teardown(sldt_and_str_store_selectors, setup, teardown),
        cmocka_unit_test_setup_teardown(rdpid_reads_tsc_aux, setup, teardown),
        cmocka_unit_test_setup_teardown(cache_instructions_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(monitor_and_mwait_take_no_unknown_extensions, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
