/*
 * Translated code while the guest changes its page tables: what is behind a linear address is looked
 * up again when the guest says so, and only then has to be.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/long_bench.h"

#include "core/accel/jit/jit.h"

#define TIMES 200u
#define FUNCTION (LB_PAGES + 0xff0)                     /* what the loop calls */
#define OTHER    (LB_PAGES + 0x5000)                    /* memory that comes in its place */

static int fresh(void **state)
{
    struct interp_bench *b = lb_new("max");
    assert_true(jit_attach(b->e, NULL));
    *state = b;
    return 0;
}

static int done(void **state)
{
    struct interp_bench *b = *state;
    jit_detach(b->e);
    ibench_free(b);
    return 0;
}

static void put_page(struct interp_bench *b, unsigned page, uint64_t phys, uint64_t bits)
{
    lb_put64(b, LB_PT + page * 8, phys | bits);
}

/* Runs @first (at most 16 bytes, RDX is @rdx), calls @function TIMES times and returns the sum of
 * what it returned. */
static uint64_t sum_of_calls(struct interp_bench *b, uint64_t function, const char *first,
                             unsigned n, uint64_t rdx)
{
    static const uint8_t loop[] = {
        0x31, 0xdb,                                     /* xor ebx, ebx */
        0xb9, TIMES, 0, 0, 0,                           /* mov ecx, TIMES */
        0xff, 0xd6,                                     /* again: call rsi */
        0x48, 0x01, 0xc3,                               /* add rbx, rax */
        0xff, 0xc9,                                     /* dec ecx */
        0x75, 0xf7,                                     /* jnz again */
    };
    uint8_t code[16 + sizeof(loop)];
    memcpy(code, first, n);
    memcpy(code + n, loop, sizeof(loop));
    b->cpu->s.rip = LB_CODE;
    b->cpu->s.activity = ACT_RUNNING;
    b->cpu->s.gpr[R_SI] = function;
    b->cpu->s.gpr[R_DX] = rdx;
    assert_int_equal(lb_run(b, code, n + sizeof(loop)), EXIT_HALT);
    return b->cpu->s.gpr[R_BX];
}

static bool has_translation(struct interp_bench *b, uint64_t rip)
{
    const struct jit *j = jit_of(b->e);
    for (const struct jit_block *jb = NULL; (jb = jit_next_block(j, jb));) {
        if (jb->block && jb->rip == rip) {
            return true;
        }
    }
    return false;
}

/* FUNCTION jumps to MOV EAX, imm32, of which the last four bytes are in the next page. */
static void an_instruction_in_two_pages_follows_its_second_page(void **state)
{
    struct interp_bench *b = *state;
    ibench_poke(b, FUNCTION, "\xeb\x0d", 2);            /* jmp to the last byte of the page */
    ibench_poke(b, LB_PAGES + 0xfff, "\xb8\x11\0\0\0\xc3", 6);
    ibench_poke(b, OTHER, "\x22\0\0\0\xc3", 5);
    assert_int_equal(sum_of_calls(b, FUNCTION, "", 0, 0), 0x11 * TIMES);
    assert_true(has_translation(b, LB_PAGES + 0xfff));
    put_page(b, 1, OTHER, 7);
    uint64_t page = LB_PAGES + 0x1000;
    assert_int_equal(sum_of_calls(b, FUNCTION, "\x0f\x01\x3a" /* invlpg [rdx] */, 3, page),
                     0x22 * TIMES);
    put_page(b, 1, page, 7);
    assert_int_equal(sum_of_calls(b, FUNCTION, "\x0f\x20\xd8\x0f\x22\xd8" /* mov cr3, cr3 */, 6, 0),
                     0x11 * TIMES);
    ibench_poke(b, page, "\x33", 1);
    assert_int_equal(sum_of_calls(b, FUNCTION, "", 0, 0), 0x33 * TIMES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_instruction_in_two_pages_follows_its_second_page, fresh,
                                        done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
