/*
 * String instructions with REP in translated code: it goes on behind them, and all is as on the
 * interpreter.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/jit_bench.h"

#define CODE  0x8000u
#define FROM  0x20000u
#define TO    0x30000u
#define TIMES 1000u

static int fresh(void **state)
{
    struct interp_bench *b = ibench_new(2 * MiB, NULL);
    for (unsigned i = 0; i < 0x8000; i++) {
        *ibench_mem(b, FROM + i) = (uint8_t)(i * 7 + (i >> 8));
    }
    return jit_bench_begin(state, b);
}

/* Flat 32-bit code at CODE, TIMES in EBX. */
static void begin(struct interp_bench *b, const uint8_t *code, size_t n)
{
    ibench_real(b, 0);
    ibench_flat(b);
    ibench_poke(b, CODE, code, n);
    b->cpu->s.rip = CODE;
    b->cpu->s.activity = ACT_RUNNING;
    b->cpu->s.gpr[R_BX] = TIMES;
    x86_state_loaded(b->cpu);
}

/* Copies what is in EDX, 4 bytes each, and compares it from its end on. */
static const uint8_t copies[] = {
    0xbe, 0, 0, 2, 0,                                   /* again: mov esi, FROM */
    0xbf, 0, 0, 3, 0,                                   /* mov edi, TO */
    0x89, 0xd1,                                         /* mov ecx, edx */
    0x05, 1, 2, 3, 4,                                   /* add eax, 04030201h */
    0xf3, 0xa5,                                         /* rep movsd */
    0x83, 0xd0, 0x00,                                   /* adc eax, 0: flags are as before */
    0x83, 0xee, 0x04,                                   /* sub esi, 4 */
    0x83, 0xef, 0x04,                                   /* sub edi, 4 */
    0xfd,                                               /* std */
    0x89, 0xd1,                                         /* mov ecx, edx */
    0xf3, 0xa7,                                         /* repe cmpsd */
    0x0f, 0x94, 0xc0,                                   /* sete al */
    0xfc,                                               /* cld */
    0x4b,                                               /* dec ebx */
    0x75, 0xd8,                                         /* jnz again */
    0xf4,                                               /* hlt */
};

/* On the interpreter alone. */
static struct x86_state run_alone(struct interp_bench *b)
{
    jit_of(b->e)->warm = ~0u;
    assert_int_equal(ibench_run(b), EXIT_HALT);
    struct x86_state s = b->cpu->s;
    s.rflags = x86_get_rflags(b->cpu);
    return s;
}

static void translated_code_goes_on_behind_it(void **state)
{
    struct interp_bench *b = *state;
    const struct jit_stats *stats = &jit_of(b->e)->stats;
    begin(b, copies, sizeof(copies));
    b->cpu->s.gpr[R_DX] = 100;
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_memory_equal(ibench_mem(b, TO), ibench_mem(b, FROM), 400);
    uint64_t before = stats->entries;
    begin(b, copies, sizeof(copies));
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_in_range(stats->entries - before, 1, TIMES / 10);
    assert_true(stats->slow_calls > 2 * TIMES);
}

/* By lengths within a page, over pages, and beyond what counts as one instruction. */
static void registers_flags_and_counts_are_the_interpreters(void **state)
{
    struct interp_bench *b = *state;
    static const uint32_t lengths[] = {0, 1, 2, 100, 1024, 1500, 4095, 4096, 4097, 7000};
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        uint64_t from = interp_icount(b->cpu);
        begin(b, copies, sizeof(copies));
        b->cpu->s.gpr[R_AX] = i;
        b->cpu->s.gpr[R_DX] = lengths[i];
        assert_int_equal(ibench_run(b), EXIT_HALT);
        struct x86_state mine = b->cpu->s;
        mine.rflags = x86_get_rflags(b->cpu);
        uint64_t count = interp_icount(b->cpu) - from;
        struct interp_bench *alone;
        fresh((void **)&alone);
        begin(alone, copies, sizeof(copies));
        alone->cpu->s.gpr[R_AX] = i;
        alone->cpu->s.gpr[R_DX] = lengths[i];
        struct x86_state other = run_alone(alone);
        assert_memory_equal(mine.gpr, other.gpr, sizeof(mine.gpr));
        assert_int_equal(mine.rip, other.rip);
        assert_int_equal(mine.rflags, other.rflags);
        assert_int_equal(count, interp_icount(alone->cpu));
        jit_bench_end((void **)&alone);
    }
}

/* REP STOSB over an immediate right behind it, in the same translation. */
static void what_it_writes_over_behind_it_runs_anew(void **state)
{
    struct interp_bench *b = *state;
    static const uint8_t code[] = {
        0x89, 0xef,                                     /* again: mov edi, ebp */
        0xb9, 4, 0, 0, 0,                               /* mov ecx, 4 */
        0xf3, 0xaa,                                     /* rep stosb */
        0x81, 0xc2, 0, 0, 0, 0,                         /* add edx, imm32 */
        0x04, 0x01,                                     /* add al, 1 */
        0x4b,                                           /* dec ebx */
        0x75, 0xec,                                     /* jnz again */
        0xf4,                                           /* hlt */
    };
    uint32_t sum = 0;
    for (unsigned i = 0; i < TIMES; i++) {
        sum += (uint8_t)i * 0x01010101u;
    }
    begin(b, code, sizeof(code));
    b->cpu->s.gpr[R_BP] = TO;                           /* until it is one translation */
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_true(jit_of(b->e)->stats.units > 0);
    begin(b, code, 0);
    b->cpu->s.gpr[R_BP] = CODE + 11;                    /* the immediate */
    b->cpu->s.gpr[R_AX] = b->cpu->s.gpr[R_DX] = 0;
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_int_equal(b->cpu->s.gpr[R_DX], sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(translated_code_goes_on_behind_it, fresh, jit_bench_end),
        cmocka_unit_test_setup_teardown(registers_flags_and_counts_are_the_interpreters, fresh,
                                        jit_bench_end),
        cmocka_unit_test_setup_teardown(what_it_writes_over_behind_it_runs_anew, fresh,
                                        jit_bench_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
