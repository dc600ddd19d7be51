/*
 * Debug exceptions: which conditions meet, what DR6 says, and where they come.
 * Sources: [SDM3] "Debug Status Register (DR6)", "Debug Exception (#DB)", "Masking Exceptions and
 *          Interrupts When Switching Stacks", "Breakpoint Exception".
 *
 * Programs run in real mode. The handler of #DB logs DR6 and the return address, sets DR6 to 0 and,
 * if asked, switches all breakpoints off, since a 16-bit IRET cannot set RF. After as many calls as
 * the test wants it ends the stepping.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/cpu/mech.h"
#include "tests/unit/interp_bench.h"

enum {
    CODE = 0x1000, DB_HANDLER = 0x3000, BP_HANDLER = 0x3080, WATCHED = 0x5000, LOG_END = 0x6000,
    LIMIT = 0x6002, LOG = 0x6010, STACK = 0x7000,
};

static int setup(void **state)
{
    *state = ibench_new(2 * MiB, NULL);
    return 0;
}

static int teardown(void **state)
{
    ibench_free(*state);
    return 0;
}

static const uint8_t db_handler[] = {
    0x66, 0x50, 0x57, 0x55, 0x89, 0xe5,       /* push eax; push di; push bp; mov bp,sp */
    0x8b, 0x3e, 0x00, 0x60,                   /* mov di,[LOG_END] */
    0x0f, 0x21, 0xf0, 0x66, 0x89, 0x05,       /* mov eax,dr6; mov [di],eax */
    0x8b, 0x46, 0x08, 0x89, 0x45, 0x04,       /* mov ax,[bp+8]; mov [di+4],ax */
    0x83, 0x06, 0x00, 0x60, 0x08,             /* add word [LOG_END],8 */
    0x8b, 0x3e, 0x02, 0x60, 0x3b, 0x3e, 0x00, 0x60, /* mov di,[LIMIT]; cmp di,[LOG_END] */
    0x77, 0x04, 0x80, 0x66, 0x0d, 0xfe,       /* ja $+6; and byte [bp+13],~TF */
    0x66, 0x31, 0xc0, 0x0f, 0x23, 0xf0,       /* xor eax,eax; mov dr6,eax */
    0x90, 0x90, 0x90,                         /* or mov dr7,eax */
    0x5d, 0x5f, 0x66, 0x58, 0xcf,             /* pop bp; pop di; pop eax; iret */
};
enum { DR7_OFF = sizeof(db_handler) - 8 };
static const uint8_t bp_handler[] = {0x43, 0xcf}; /* inc bx; iret */

static void vector(struct interp_bench *b, unsigned n, uint16_t ip)
{
    uint8_t entry[4] = {(uint8_t)ip, (uint8_t)(ip >> 8), 0, 0};
    ibench_poke(b, n * 4, entry, sizeof(entry));
}

/* A program, and what the handler must log: DR6 and the return address as offset in the program;
 * from 80h on it is one in the handler of #BP. */
struct program {
    const char *what;
    uint8_t code[24];
    uint8_t n;
    uint32_t dr6;                /* before */
    uint32_t dr7;                /* with DR0 at WATCHED or, of a code breakpoint, at: */
    uint8_t dr0;                 /* offset in the program */
    bool once;                   /* the handler switches the breakpoints off */
    uint16_t flags;
    struct {
        uint32_t dr6;
        uint8_t at;
    } want[6];
    unsigned n_want, n_bp;
};
#define PROGRAM(...) .code = {__VA_ARGS__}, .n = sizeof((uint8_t[]){__VA_ARGS__})

enum { B0 = 1, B1 = 2, ONES = 0xffff0ff0, BS = DR6_BS | ONES };
enum { DR7_CODE = 0x402, DR7_RW = 0xf0402 & ~0xc0000, DR7_GENERAL = 0x2400 };

static void start(struct interp_bench *b, const struct program *p)
{
    static const uint8_t hlt[] = {0xf4, 0xf4}, mov_dr7[] = {0x0f, 0x23, 0xf8},
                         nops[] = {0x90, 0x90, 0x90};
    uint8_t log[4], zero[64] = {0};
    st16le(log, LOG);
    st16le(log + 2, (uint16_t)(LOG + 8 * p->n_want));
    ibench_poke(b, DB_HANDLER, db_handler, sizeof(db_handler));
    ibench_poke(b, DB_HANDLER + DR7_OFF, p->once ? mov_dr7 : nops, 3);
    ibench_poke(b, BP_HANDLER, bp_handler, sizeof(bp_handler));
    ibench_poke(b, LOG_END, log, sizeof(log));
    ibench_poke(b, LOG, zero, sizeof(zero));
    ibench_poke(b, WATCHED, zero, 2); /* loaded into SS */
    ibench_poke(b, CODE, p->code, p->n);
    ibench_poke(b, CODE + p->n, hlt, sizeof(hlt)); /* the first may be stepped over */
    vector(b, X86_DB, DB_HANDLER);
    vector(b, X86_BP, BP_HANDLER);
    ibench_real(b, CODE);
    b->cpu->s.dr[0] = (p->dr7 & 0xf0000) ? WATCHED : CODE + p->dr0;
    b->cpu->s.dr[6] = p->dr6 | ONES;
    b->cpu->s.dr[7] = p->dr7;
    b->cpu->s.rflags |= p->flags;
    x86_state_loaded(b->cpu);
}

static void debug_exceptions_come_where_the_manual_says(void **state)
{
    static const struct program t[] = {
        {"a match replaces B0-B3 and leaves BS", PROGRAM(0x90, 0x90), .dr6 = B1 | DR6_BS,
         .dr7 = DR7_CODE, .dr0 = 1, .once = true, .want = {{B0 | BS, 1}}, .n_want = 1},
        {"a data breakpoint traps behind the access", PROGRAM(0xa0, 0x00, 0x50, 0x90), .dr6 = B1,
         .dr7 = DR7_RW, .want = {{B0 | ONES, 3}}, .n_want = 1},
        {"it joins a single step", PROGRAM(0xa0, 0x00, 0x50, 0x90), .flags = FL_TF, .dr7 = DR7_RW,
         .want = {{B0 | BS, 3}, {BS, 4}, {BS, 5}}, .n_want = 3},
        {"INT1 leaves DR6 alone", PROGRAM(0xf1, 0x90), .dr6 = B1, .want = {{B1 | ONES, 1}},
         .n_want = 1},
        {"INT1 under TF: nothing before its handler", PROGRAM(0xf1, 0x90), .flags = FL_TF,
         .want = {{ONES, 1}, {BS, 2}, {BS, 3}}, .n_want = 3},
        {"MOV SS holds the step back", PROGRAM(0x8e, 0xd0, 0x90, 0x90), .flags = FL_TF,
         .want = {{BS, 3}, {BS, 4}, {BS, 5}}, .n_want = 3},
        {"POP SS too", PROGRAM(0x31, 0xc0, 0x50, 0x17, 0x90), .flags = FL_TF,
         .want = {{BS, 2}, {BS, 3}, {BS, 5}, {BS, 6}}, .n_want = 4},
        {"STI does not", PROGRAM(0xfb, 0x90), .flags = FL_TF, .want = {{BS, 1}, {BS, 2}, {BS, 3}},
         .n_want = 3},
        {"no code breakpoint behind MOV SS", PROGRAM(0x8e, 0xd0, 0x90, 0x90), .dr7 = DR7_CODE,
         .dr0 = 2, .once = true, .n_want = 0},
        {"but one instruction on", PROGRAM(0x8e, 0xd0, 0x90, 0x90), .dr7 = DR7_CODE, .dr0 = 3,
         .once = true, .want = {{B0 | ONES, 3}}, .n_want = 1},
        {"general detect is a fault: MOV SS does not hold it",
         PROGRAM(0x8e, 0xd0, 0x0f, 0x21, 0xf1), .dr7 = DR7_GENERAL, .want = {{DR6_BD | ONES, 2}},
         .n_want = 1},
        {"what MOV SS read is told behind the next", PROGRAM(0x8e, 0x16, 0x00, 0x50, 0x90, 0x90),
         .dr7 = DR7_RW, .want = {{B0 | ONES, 5}}, .n_want = 1},
        {"INT1 takes it along", PROGRAM(0x8e, 0x16, 0x00, 0x50, 0xf1, 0x90), .dr7 = DR7_RW,
         .want = {{B0 | ONES, 5}}, .n_want = 1},
        {"INT3 is served first", PROGRAM(0x8e, 0x16, 0x00, 0x50, 0xcc, 0x90), .dr7 = DR7_RW,
         .want = {{B0 | ONES, 0x80}}, .n_want = 1, .n_bp = 1},
        {"so is INT 1, and then the trap", PROGRAM(0x8e, 0x16, 0x00, 0x50, 0xcd, 0x01, 0x90),
         .dr7 = DR7_RW, .want = {{B0 | ONES, 0x40}, {ONES, 6}}, .n_want = 2},
        {"POPF that clears TF is a step yet, where what follows is known code too",
         /* mov cx, 2; again: push bx; popf; push 2; popf; nop; mov bh, 1; loop again */
         PROGRAM(0xb9, 0x02, 0x00, 0x53, 0x9d, 0x6a, 0x02, 0x9d, 0x90, 0xb7, 0x01, 0xe2, 0xf6,
                 0x30, 0xff),
         .want = {{BS, 7}, {BS, 8}}, .n_want = 2},
        {"an instruction that faults forgets its hit", PROGRAM(0x62, 0x06, 0xfe, 0x4f, 0x90),
         .dr7 = DR7_RW, .n_want = 0},
    };
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
        print_message("           %s\n", t[i].what);
        start(b, &t[i]);
        if (t[i].n_want == 0 && t[i].dr7 == DR7_RW) { /* BOUND: its bounds are 0 and WATCHED's 0 */
            vector(b, X86_BR, CODE + t[i].n);
            b->cpu->s.gpr[R_AX] = 5;
        }
        assert_int_equal(ibench_run(b), EXIT_HALT);
        unsigned n = (ld16le(ibench_mem(b, LOG_END)) - (unsigned)LOG) / 8;
        for (unsigned k = 0; k < n && k < t[i].n_want; k++) {
            assert_int_equal(ld32le(ibench_mem(b, LOG + 8 * k)), t[i].want[k].dr6);
            unsigned ip = ld16le(ibench_mem(b, LOG + 8 * k + 4)), at = t[i].want[k].at;
            assert_int_equal(ip, at < 0x40 ? CODE + at : at < 0x80 ? DB_HANDLER : BP_HANDLER);
        }
        assert_int_equal(n, t[i].n_want);
        assert_int_equal(b->cpu->s.gpr[R_BX], t[i].n_bp);
    }
}

static void a_step_over_hlt_ends_the_halt(void **state)
{
    static const struct program p = {.code = {0xf4, 0x90}, .n = 2, .flags = FL_TF, .n_want = 3};
    struct interp_bench *b = *state;
    start(b, &p);
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_int_equal(ld16le(ibench_mem(b, LOG_END)), LOG + 3 * 8); /* HLT, NOP, the last HLT */
    assert_int_equal(ld16le(ibench_mem(b, LOG + 4)), CODE + 1);
}

/* [SDM3] "Instruction-Breakpoint Exception Condition": RF stays set between the iterations. */
static void a_code_breakpoint_at_a_rep_stops_once(void **state)
{
    static const struct program p = {.code = {0xf3, 0xaa}, .n = 2, .dr7 = DR7_CODE, .n_want = 0};
    struct interp_bench *b = *state;
    start(b, &p);
    b->cpu->s.gpr[R_CX] = 3;
    b->cpu->s.gpr[R_DI] = WATCHED;
    b->cpu->s.rflags |= FL_RF; /* as the handler's IRETD leaves it */
    x86_state_loaded(b->cpu);
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_int_equal(ld16le(ibench_mem(b, LOG_END)), LOG);
    assert_int_equal(b->cpu->s.gpr[R_CX], 0);
}

/* [SDM3] "Single-Stepping on Branches": and the exception clears the bit. */
static void with_btf_a_step_goes_to_the_next_branch(void **state)
{
    static const struct program p = {/* nop; jc $+2; jmp $+3; nop; nop */
                                     .code = {0x90, 0x72, 0x00, 0xeb, 0x01, 0x90, 0x90},
                                     .n = 7,
                                     .flags = FL_TF,
                                     .n_want = 2};
    struct interp_bench *b = *state;
    start(b, &p);
    b->cpu->s.debugctl = DEBUGCTL_BTF;
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_int_equal(ld16le(ibench_mem(b, LOG_END)), LOG + 2 * 8);
    assert_int_equal(ld16le(ibench_mem(b, LOG + 4)), CODE + 6);  /* behind JMP */
    assert_int_equal(ld16le(ibench_mem(b, LOG + 12)), CODE + 7); /* and behind each again */
    assert_int_equal(b->cpu->s.debugctl, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_code_breakpoint_at_a_rep_stops_once, setup, teardown),
        cmocka_unit_test_setup_teardown(with_btf_a_step_goes_to_the_next_branch, setup, teardown),
        cmocka_unit_test_setup_teardown(debug_exceptions_come_where_the_manual_says, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_step_over_hlt_ends_the_halt, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
