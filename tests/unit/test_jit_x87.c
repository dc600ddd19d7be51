/*
 * Transcendental instructions on the JIT, which leaves x87 registers in the host's meanwhile: the
 * whole state behind each one is as on the interpreter, for operands and control words of all
 * kinds, and with every state of the stack.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/interp_bench.h"
#include "tests/unit/jit_fpu.h"
#include "tests/unit/random.h"

enum { CODE = 0x1000, CONTROL = 0x2000, OPERANDS = 0x10000, STATES = 0x40000, STATE_BYTES = 128 };

#define ROUNDS 500u                                     /* operands of a program */

static uint64_t seed = 1;

static uint32_t below(void *opaque, uint32_t n)
{
    return random_below(&seed, n);
}

/* Mostly such as programs have. */
static void make_operand(uint8_t to[16])
{
    if (below(NULL, 8) == 0) {
        fpu_number(to, below, NULL);
        return;
    }
    uint64_t mant = BIT64(63);
    unsigned exp = below(NULL, 4) ? 0x3ff0 + below(NULL, 24) : below(NULL, 0x8000);
    for (unsigned i = 0; i < 63 && below(NULL, 16); i++) {
        mant |= (uint64_t)below(NULL, 2) << (62 - i);
    }
    st64le(to, mant);
    st16le(to + 8, (uint16_t)(exp | below(NULL, 2) << 15));
}

/* Two operands are loaded, something else is done, and then instruction D9 @op. */
static unsigned make_program(uint8_t *code, const uint8_t *first, unsigned n_first, uint8_t op)
{
    static const uint8_t load[] = {
        0xdb, 0xe3,                                     /* fninit */
        0xd9, 0x6d, 0x00,                               /* fldcw [ebp] */
        0xdb, 0x2e, 0xdb, 0x6e, 0x10,                   /* fld tbyte [esi], [esi + 16] */
    };
    static const uint8_t next[] = {
        0xdd, 0x37,                                     /* fnsave [edi] */
        0x83, 0xc6, 0x20, 0x81, 0xc7, STATE_BYTES, 0, 0, 0, /* add esi, 32; add edi, ... */
        0x49, 0x75,                                     /* dec ecx; jnz */
    };
    unsigned at = 0;
    memcpy(code, load, sizeof(load));
    at += sizeof(load);
    memcpy(code + at, first, n_first);
    at += n_first;
    code[at++] = 0xd9;
    code[at++] = op;
    memcpy(code + at, next, sizeof(next));
    at += sizeof(next);
    code[at] = (uint8_t)-(at + 1);
    code[at + 1] = 0xf4;                                /* hlt */
    return at + 2;
}

static void run(struct interp_bench *b, const uint8_t *code, unsigned n, uint16_t control)
{
    uint64_t start = seed;
    ibench_flat(b);
    ibench_poke(b, CODE, code, n);
    block_invalidate(b->e, CODE, n);
    ibench_poke(b, CONTROL, &control, sizeof(control));
    for (unsigned i = 0; i < 2 * ROUNDS; i++) {
        make_operand(ibench_mem(b, OPERANDS + 16 * i));
    }
    seed = start;                                       /* the other machine gets the same */
    struct x86_state *s = &b->cpu->s;
    s->rip = CODE;
    s->gpr[R_SI] = OPERANDS;
    s->gpr[R_DI] = STATES;
    s->gpr[R_BP] = CONTROL;
    s->gpr[R_CX] = ROUNDS;
    s->activity = ACT_RUNNING;
    x86_state_loaded(b->cpu);
    assert_int_equal(ibench_run(b), EXIT_HALT);
}

static void compare(struct interp_bench *interp, struct interp_bench *jit, uint8_t op,
                    unsigned control)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t at = STATES + (uint64_t)i * STATE_BYTES;
        if (memcmp(ibench_mem(interp, at), ibench_mem(jit, at), 108) != 0) {
            const uint8_t *in = ibench_mem(jit, OPERANDS + 32 * i);
            print_error("d9 %02x, control word %03x, ST1 %04x %016llx, ST0 %04x %016llx:\n", op,
                        control, ld16le(in + 8), (unsigned long long)ld64le(in),
                        ld16le(in + 24), (unsigned long long)ld64le(in + 16));
            for (unsigned k = 0; k < 108; k += 4) {
                print_error("%3u: %08x, jit %08x\n", k, ld32le(ibench_mem(interp, at + k)),
                            ld32le(ibench_mem(jit, at + k)));
            }
            fail_msg("the JIT differs");
        }
    }
}

static void the_state_is_as_on_the_interpreter(void **state)
{
    static const uint8_t ops[] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff};
    static const uint16_t controls[] = {0x37f, 0x77f, 0xb7f, 0xf7f, 0x27f, 0x07f, 0x35f};
    static const struct {
        uint8_t bytes[12];
        unsigned n;
    } firsts[] = {
        {{0x90}, 1},
        {{0xd8, 0xd1}, 2},                              /* fcom st1 */
        {{0xd9, 0xe5}, 2},                              /* fxam */
        {{0xdd, 0xc0}, 2},                              /* ffree st0 */
        {{0xdd, 0xc1}, 2},                              /* ffree st1 */
        {{0xd9, 0xc1, 0xd9, 0xc1, 0xd9, 0xc1, 0xd9, 0xc1, 0xd9, 0xc1, 0xd9, 0xc1}, 12}, /* full */
        {{0xd9, 0xc1, 0xd9, 0xc1, 0xd9, 0xc1, 0xd9, 0xc1, 0xd9, 0xc1}, 10}, /* all but one */
    };
    struct interp_bench *interp = ibench_new(2 * MiB, "max"), *jit = ibench_new(2 * MiB, "max");
    assert_true(jit_attach(jit->e, NULL));
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        for (unsigned c = 0; c < ARRAY_SIZE(controls); c++) {
            for (unsigned f = 0; f < ARRAY_SIZE(firsts); f++) {
                uint8_t code[64];
                unsigned n = make_program(code, firsts[f].bytes, firsts[f].n, ops[i]);
                run(interp, code, n, controls[c]);
                run(jit, code, n, controls[c]);
                compare(interp, jit, ops[i], controls[c]);
                below(NULL, 2);
            }
        }
    }
    jit_detach(jit->e);
    ibench_free(jit);
    ibench_free(interp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_is_as_on_the_interpreter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
