/*
 * Calls of translated code are calls of the host's (core/accel/jit/returns.h): the guest may return
 * to somewhere else, never, or more often than it calls, and change what it returns to.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/jit_bench.h"

enum { CODE = 0x10000, FUNCTION = 0x10100, STACK = 0x1f0000, OTHER_STACK = 0x20000,
       TIMES = 200 };

static int fresh(void **state)
{
    return jit_bench_begin(state, ibench_new(2 * MiB, NULL));
}

/* Depth of what is expected, in calls. */
static size_t depth(struct interp_bench *b)
{
    const struct jit *j = jit_of(b->e);
    const uint8_t *top = j->returns.memory + RETURNS_BYTES - 2 * sizeof(void *);
    return (size_t)(top - (const uint8_t *)b->e->translated.returns) / sizeof(void *);
}

/* Runs flat 32-bit code until it halts, ECX being @ecx; returns EDI, which is 0 before. @flat: the
 * code segment has all 4 GiB; else flags are not in EFLAGS between blocks. */
static uint32_t run(struct interp_bench *b, bool flat, const char *code, unsigned n,
                    const char *function, unsigned m, uint32_t ecx)
{
    ibench_real(b, 0);
    ibench_flat(b);
    b->cpu->s.seg[S_CS].limit = flat ? 0xffffffff : 0xfffff;
    ibench_poke(b, CODE, code, n);
    ibench_poke(b, FUNCTION, function, m);
    b->cpu->s.rip = CODE;
    b->cpu->s.activity = ACT_RUNNING;
    b->cpu->s.gpr[R_CX] = ecx;
    b->cpu->s.gpr[R_DI] = 0;
    b->cpu->s.gpr[R_BX] = OTHER_STACK;
    b->cpu->s.gpr[R_SP] = STACK;
    x86_state_loaded(b->cpu);
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_true(jit_of(b->e)->stats.entries > 0);
    return (uint32_t)b->cpu->s.gpr[R_DI];
}

/* again: call FUNCTION; inc edi; dec ecx; jnz again; hlt */
#define LOOP "\xe8\xfb\0\0\0\x47\x49\x75\xf7\xf4"

static void a_return_that_skips_an_instruction(void **state)
{
    for (unsigned flat = 0; flat < 2; flat++) {
        /* test cl, 1; jz +4; inc dword [esp] (behind INC EDI); ret */
        assert_int_equal(run(*state, flat, LOOP, 10, "\xf6\xc1\x01\x74\x03\xff\x04\x24\xc3", 9,
                             2 * TIMES), TIMES);
    }
}

static void two_stacks_take_turns(void **state)
{
    for (unsigned flat = 0; flat < 2; flat++) {
        struct interp_bench *b = *state;
        /* The other side, which FUNCTION enters on its own stack: add edi, 100h; call FUNCTION;
         * jmp to the ADD */
        ibench_poke(b, FUNCTION + 0x40, "\x81\xc7\0\x01\0\0\xe8\xb5\xff\xff\xff\xeb\xf3", 13);
        st32le(ibench_mem(b, OTHER_STACK), FUNCTION + 0x40);
        /* xchg esp, ebx; ret */
        assert_int_equal(run(b, flat, LOOP, 10, "\x87\xe3\xc3", 3, TIMES), TIMES * 0x101);
    }
}

static void calls_that_never_return_are_forgotten(void **state)
{
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < 4; i++) {
        unsigned flat = i & 1;
        /* With a timer each access of the port begins a new slice. */
        b->stop_at = i & 2 ? interp_icount(b->cpu) + 1000000000 : ~0ull;
        /* FUNCTION: add esp, 4; in al, 80h; inc edi; dec ecx; jz +5; jmp CODE; hlt */
        assert_int_equal(run(b, flat, "\xe8\xfb\0\0\0", 5,
                             "\x83\xc4\x04\xe4\x80\x47\x49\x74\x05\xe9\xf2\xfe\xff\xff\xf4", 15,
                             1500000), 1500000);
        assert_in_range(depth(b), 0, RETURNS_KEPT / sizeof(void *) + 1);
    }
}

static void a_recursion_is_deeper_than_what_is_remembered(void **state)
{
    struct interp_bench *b = *state;
    for (unsigned flat = 0; flat < 2; flat++) {
        for (unsigned i = 0; i < 3; i++) {
            /* call FUNCTION; hlt; FUNCTION: dec ecx; jz +6; in al, 80h; call FUNCTION; inc edi;
             * ret */
            assert_int_equal(run(b, flat, "\xe8\xfb\0\0\0\xf4", 6,
                                 "\x49\x74\x07\xe4\x80\xe8\xf6\xff\xff\xff\x47\xc3", 12, 60000),
                             60000);
        }
    }
}

static void what_is_returned_to_changes_meanwhile(void **state)
{
    for (unsigned flat = 0; flat < 2; flat++) {
        /* again: call FUNCTION; mov eax, imm; add edi, eax; dec ecx; jnz again; hlt
         * FUNCTION: mov byte [CODE+6], cl; ret */
        assert_int_equal(run(*state, flat, "\xe8\xfb\0\0\0\xb8\0\0\0\0\x01\xc7\x49\x75\xf1\xf4", 16,
                             "\x88\x0d\x06\0\x01\0\xc3", 7, TIMES), TIMES * (TIMES + 1) / 2);
    }
}

/* Is what begins at @rip a part of another one's translation? */
static bool is_part(struct interp_bench *b, uint64_t rip)
{
    const struct jit *j = jit_of(b->e);
    bool found = false;
    for (const struct jit_block *jb = NULL; (jb = jit_next_block(j, jb));) {
        found = found || (jb->head != jb && jb->head->block && jb->rip == rip);
    }
    return found;
}

static void a_function_is_a_part_of_its_caller(void **state)
{
    for (unsigned flat = 0; flat < 2; flat++) {
        /* add edi, 2; ret */
        assert_int_equal(run(*state, flat, LOOP, 10, "\x83\xc7\x02\xc3", 4, TIMES), 3 * TIMES);
        assert_true(is_part(*state, FUNCTION));
    }
}

/* The same, which once returns behind the INC EDI. */
static void a_part_of_its_caller_returns_elsewhere(void **state)
{
    for (unsigned flat = 0; flat < 2; flat++) {
        /* cmp ecx, 10; sete al; movzx eax, al; add [esp], eax; ret */
        assert_int_equal(run(*state, flat, LOOP, 10,
                             "\x83\xf9\x0a\x0f\x94\xc0\x0f\xb6\xc0\x01\x04\x24\xc3", 13, TIMES),
                         TIMES - 1);
        assert_true(is_part(*state, FUNCTION));
    }
}

/* A function is called for ever by CODE, and calls another one, @inner, eight times, until EDI is
 * 8000: then it halts, and the host expects its return, and no other. */
static void check_inner(struct interp_bench *b, bool flat, const char *inner, unsigned n)
{
    ibench_poke(b, FUNCTION + 0x40, inner, n);
    /* FUNCTION: mov ecx, 8; again: call FUNCTION+40h; inc edi; dec ecx; jnz again; cmp edi, 8000;
     * jb +1; hlt; ret */
    assert_int_equal(run(b, flat, "\xe8\xfb\0\0\0\xeb\xf9", 7,
                         "\xb9\x08\0\0\0\xe8\x36\0\0\0\x47\x49\x75\xf7\x81\xff\x40\x1f\0\0"
                         "\x72\x01\xf4\xc3", 24, 0), 8000);
    assert_int_equal(depth(b), 1);
}

/* Once in eight times it goes on where its caller's translation does not. */
static void a_part_of_its_caller_is_left_before_it_returns(void **state)
{
    for (unsigned flat = 0; flat < 2; flat++) {
        /* cmp ecx, 4; je +1; ret; ret */
        check_inner(*state, flat, "\x83\xf9\x04\x74\x01\xc3\xc3", 7);
        assert_true(is_part(*state, FUNCTION + 0x40));
    }
}

/* It has more parts than a translation: the caller's ends with its call. */
static void a_function_is_too_long_for_its_caller(void **state)
{
    for (unsigned flat = 0; flat < 2; flat++) {
        check_inner(*state, flat, "\xeb\0\xeb\0\xeb\0\xeb\0\xeb\0\xeb\0\xeb\0\xeb\0\xeb\0\xc3", 19);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, jit_bench_end)
    const struct CMUnitTest tests[] = {
        TEST(a_return_that_skips_an_instruction), TEST(two_stacks_take_turns),
        TEST(calls_that_never_return_are_forgotten),
        TEST(a_recursion_is_deeper_than_what_is_remembered),
        TEST(what_is_returned_to_changes_meanwhile), TEST(a_function_is_a_part_of_its_caller),
        TEST(a_part_of_its_caller_returns_elsewhere),
        TEST(a_part_of_its_caller_is_left_before_it_returns),
        TEST(a_function_is_too_long_for_its_caller),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
