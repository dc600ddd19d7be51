/* The interpreter's engine: counting, events between instructions, changing code, strings. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/interp_bench.h"

#include "core/cpu/flags.h"

#include <stdio.h>

enum { CODE = 0x1000, HANDLER = 0x3000, COUNTER = 0x5000 };

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

/* Code at CODE; every vector leads to a handler that counts at COUNTER + 2 * vector and returns. */
static void prepare(struct interp_bench *b, const void *code, unsigned n)
{
    for (unsigned v = 0; v < 32; v++) {
        uint16_t slot = (uint16_t)(COUNTER + 2 * v);
        uint8_t handler[] = {0x2e, 0xff, 0x06, (uint8_t)slot, (uint8_t)(slot >> 8), 0xcf};
        uint8_t vector[] = {(uint8_t)(v * 16), HANDLER >> 8 | v >> 4, 0, 0};
        ibench_poke(b, HANDLER + 16 * v, handler, sizeof(handler));
        ibench_poke(b, 4 * v, vector, sizeof(vector));
    }
    ibench_poke(b, CODE, code, n);
    ibench_real(b, CODE);
}

static unsigned taken(struct interp_bench *b, unsigned vector)
{
    return ld16le(ibench_mem(b, COUNTER + 2 * vector));
}

static uint16_t reg16(struct interp_bench *b, enum x86_gpr r)
{
    return (uint16_t)b->cpu->s.gpr[r];
}

/* Runs for @n instructions and asserts that exactly so many retired. */
static void run_for(struct interp_bench *b, uint64_t n)
{
    b->stop_at = interp_icount(b->cpu) + n;
    assert_int_equal(ibench_run(b), EXIT_SLICE);
    assert_int_equal(interp_icount(b->cpu), b->stop_at);
}

#define PREPARE(b, ...)                                                                            \
    do {                                                                                           \
        static const uint8_t code_[] = {__VA_ARGS__};                                              \
        prepare(b, code_, sizeof(code_));                                                          \
    } while (0)

static void a_slice_ends_after_exactly_its_instructions(void **state)
{
    struct interp_bench *b = *state;
    /* inc ax; inc bx; push ax; pop cx; add dx,cx; jmp back */
    PREPARE(b, 0x40, 0x43, 0x50, 0x59, 0x01, 0xca, 0xeb, 0xf8);
    for (unsigned slice = 1; slice < 20; slice++) {
        uint64_t before = interp_icount(b->cpu);
        run_for(b, slice);
        assert_int_equal(interp_icount(b->cpu) - before, slice);
    }
    uint64_t n = interp_icount(b->cpu);
    assert_int_equal(reg16(b, R_AX), (n + 5) / 6);
    assert_int_equal(reg16(b, R_BX), (n + 4) / 6);
    assert_int_equal(reg16(b, R_CX), (n + 2) / 6);
}

static void an_interrupt_is_taken_right_after_the_access_that_raised_it(void **state)
{
    struct interp_bench *b = *state;
    /* sti; nop; inc ax; out 80h,al; inc bx; inc bx; hlt */
    PREPARE(b, 0xfb, 0x90, 0x40, 0xe6, 0x80, 0x43, 0x43, 0xf4);
    b->raise = PEND_INTR;
    b->vector = 8;
    run_for(b, 5); /* the fifth is the delivery */
    assert_int_equal(b->cpu->s.rip, HANDLER + 16 * 8);
    assert_int_equal(reg16(b, R_BX), 0);
    assert_int_equal(ld16le(ibench_mem(b, 0x7000 - 6)), CODE + 5);
    run_for(b, 2);
    assert_int_equal(b->cpu->s.rip, CODE + 5);
    assert_int_equal(taken(b, 8), 1);
}

static void sti_holds_interrupts_off_for_one_instruction(void **state)
{
    struct interp_bench *b = *state;
    /* sti; inc ax; inc ax */
    PREPARE(b, 0xfb, 0x40, 0x40, 0xf4);
    b->vector = 8;
    atomic_fetch_or(b->cpu->pending, PEND_INTR);
    run_for(b, 1);
    assert_int_equal(b->cpu->s.shadow, X86_SHADOW_STI);
    run_for(b, 2);
    assert_int_equal(b->cpu->s.rip, HANDLER + 16 * 8);
    assert_int_equal(reg16(b, R_AX), 1);
}

static void cli_right_after_sti_lets_no_interrupt_in(void **state)
{
    struct interp_bench *b = *state;
    PREPARE(b, 0xfb, 0xfa, 0xeb, 0xfc);
    b->vector = 8;
    atomic_fetch_or(b->cpu->pending, PEND_INTR);
    run_for(b, 300);
    assert_int_equal(taken(b, 8), 0);
}

static void a_second_sti_does_not_renew_the_shadow(void **state)
{
    struct interp_bench *b = *state;
    PREPARE(b, 0xfb, 0xfb, 0xfb, 0xf4);
    b->vector = 8;
    atomic_fetch_or(b->cpu->pending, PEND_INTR);
    run_for(b, 3);
    assert_int_equal(ld16le(ibench_mem(b, 0x7000 - 6)), CODE + 2);
}

static void mov_ss_holds_nmi_off_for_one_instruction(void **state)
{
    struct interp_bench *b = *state;
    /* mov ss,ax; mov sp,6000h; inc bx */
    PREPARE(b, 0x8e, 0xd0, 0xbc, 0x00, 0x60, 0x43, 0xf4);
    atomic_fetch_or(b->cpu->pending, 0);
    run_for(b, 1);
    atomic_fetch_or(b->cpu->pending, PEND_NMI);
    run_for(b, 2);
    assert_int_equal(b->cpu->s.rip, HANDLER + 16 * 2);
    assert_int_equal(ld16le(ibench_mem(b, 0x6000 - 6)), CODE + 5);
}

/* MOV SS from a watched word, then @opcode. [SDM3] "Masking Exceptions and Interrupts When
 * Switching Stacks". */
static void mov_ss_watched_then(struct interp_bench *b, uint8_t opcode)
{
    const uint8_t code[] = {0x8e, 0x16, 0x00, 0x40, opcode, 0xf4}; /* mov ss,[4000h] */
    prepare(b, code, sizeof(code));
    b->cpu->s.dr[0] = 0x4000;
    b->cpu->s.dr[6] = 0xffff0ff0;
    b->cpu->s.dr[7] = 0x401 | 3 << 16 | 1 << 18; /* reads and writes of a word */
    x86_state_loaded(b->cpu);
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_int_equal(b->cpu->s.dr[6] & 0xf, 1);
}

static void a_trap_held_by_mov_ss_comes_in_the_handler_of_int3(void **state)
{
    struct interp_bench *b = *state;
    mov_ss_watched_then(b, 0xcc);
    assert_int_equal(taken(b, X86_BP), 1);
    assert_int_equal(taken(b, X86_DB), 1);
    assert_int_equal(ld16le(ibench_mem(b, 0x7000 - 12)), HANDLER + 16 * X86_BP);
}

static void a_trap_held_by_mov_ss_is_one_with_that_of_int1(void **state)
{
    struct interp_bench *b = *state;
    mov_ss_watched_then(b, 0xf1);
    assert_int_equal(taken(b, X86_DB), 1);
}

static void sti_holds_nmi_off_for_one_instruction(void **state)
{
    struct interp_bench *b = *state;
    PREPARE(b, 0xfb, 0x40, 0x40, 0xf4); /* sti; inc ax; inc ax */
    run_for(b, 1);
    atomic_fetch_or(b->cpu->pending, PEND_NMI);
    run_for(b, 2);
    assert_int_equal(b->cpu->s.rip, HANDLER + 16 * 2);
    assert_int_equal(ld16le(ibench_mem(b, 0x7000 - 6)), CODE + 2);
}

static void of_two_nmis_the_second_waits_and_a_third_is_lost(void **state)
{
    struct interp_bench *b = *state;
    PREPARE(b, 0x90, 0x90, 0xf4);
    atomic_fetch_or(b->cpu->pending, PEND_NMI | PEND_NMI_TOO);
    run_for(b, 1);
    assert_int_equal(b->cpu->s.rip, HANDLER + 16 * 2);
    assert_int_equal(atomic_load(b->cpu->pending), PEND_NMI);
    atomic_fetch_or(b->cpu->pending, PEND_NMI_TOO); /* the third */
    run_for(b, 3);                                  /* inc; iret; the second */
    assert_int_equal(b->cpu->s.rip, HANDLER + 16 * 2);
    b->stop_at = ~0ull;
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_int_equal(taken(b, 2), 2);
}

static void hlt_leaves_and_an_interrupt_goes_on_behind_it(void **state)
{
    struct interp_bench *b = *state;
    PREPARE(b, 0xfb, 0xf4, 0x43, 0xfa, 0xf4);
    b->vector = 9;
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_int_equal(b->cpu->s.activity, ACT_HALTED);
    assert_int_equal(ibench_run(b), EXIT_HALT);
    atomic_fetch_or(b->cpu->pending, PEND_INTR);
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_int_equal(taken(b, 9), 1);
    assert_int_equal(reg16(b, R_BX), 1);
    assert_int_equal(interp_icount(b->cpu), 8); /* sti hlt, INTR inc iret, inc cli hlt */
}

static void a_kick_leaves_before_the_next_instruction(void **state)
{
    struct interp_bench *b = *state;
    PREPARE(b, 0x40, 0xeb, 0xfd);
    atomic_fetch_or(b->cpu->pending, PEND_KICK);
    assert_int_equal(ibench_run(b), EXIT_KICKED);
    assert_int_equal(interp_icount(b->cpu), 0);
}

static void tf_traps_after_each_instruction_that_began_with_it(void **state)
{
    struct interp_bench *b = *state;
    /* pushf; pop ax; or ah,1; push ax; popf; nop; nop; int 11h; and ah,not 1; push ax; popf; hlt */
    PREPARE(b, 0x9c, 0x58, 0x80, 0xcc, 0x01, 0x50, 0x9d, 0x90, 0x90, 0xcd, 0x11, 0x80, 0xe4, 0xfe,
            0x50, 0x9d, 0xf4);
    assert_int_equal(ibench_run(b), EXIT_HALT);
    /* nop, nop, and, push, popf; neither the POPF that set it nor INT */
    assert_int_equal(taken(b, 0x11), 1);
    assert_int_equal(taken(b, 1), 5);
    assert_int_equal(b->cpu->s.dr[6] & 0x4000, 0x4000);
}

static void a_fault_counts_as_one_instruction(void **state)
{
    struct interp_bench *b = *state;
    uint8_t to_itself[] = {CODE & 0xff, CODE >> 8, 0, 0};
    PREPARE(b, 0x90, 0x0f, 0x0b);
    ibench_poke(b, 4 * X86_UD, to_itself, 4);
    run_for(b, 1000);
    assert_int_equal(reg16(b, R_SP), (uint16_t)(0x7000 - 6 * 500));
}

static void a_fault_leaves_the_count_at_its_instruction(void **state)
{
    struct interp_bench *b = *state;
    /* inc ax; inc ax; div bl (0); inc ax */
    PREPARE(b, 0x40, 0x40, 0xf6, 0xf3, 0x40, 0x40, 0xf4);
    run_for(b, 3);
    assert_int_equal(b->cpu->s.rip, HANDLER);
    assert_int_equal(ld16le(ibench_mem(b, 0x7000 - 6)), CODE + 2);
}

/* ---- code that changes ---- */

static void a_store_to_the_next_instruction_is_seen(void **state)
{
    struct interp_bench *b = *state;
    /* mov byte [CODE+5],43h (inc bx); inc ax -> inc bx; hlt */
    PREPARE(b, 0xc6, 0x06, 0x05, 0x10, 0x43, 0x40, 0xf4);
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_int_equal(reg16(b, R_AX), 0);
    assert_int_equal(reg16(b, R_BX), 1);
    assert_int_equal(interp_icount(b->cpu), 3);
}

static void changing_code_forty_thousand_times_is_exact(void **state)
{
    struct interp_bench *b = *state;
    /* mov cx,40000; l: add ax,0 (imm at CODE+4); inc byte [CODE+4]; loop l; hlt */
    PREPARE(b, 0xb9, 0x40, 0x9c, 0x05, 0x00, 0x00, 0xfe, 0x06, 0x04, 0x10, 0xe2, 0xf7, 0xf4);
    uint16_t sum = 0;
    for (unsigned i = 0; i < 40000; i++) {
        sum = (uint16_t)(sum + (uint8_t)i);
    }
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_int_equal(reg16(b, R_AX), sum);
    assert_int_equal(interp_icount(b->cpu), 2 + 3 * 40000);
}

/* Runs ten instructions from CODE on: what AL, CL, DL and BL are then. */
static uint32_t run_ten(struct interp_bench *b)
{
    uint32_t sum = 0;
    b->cpu->s.rip = CODE;
    memset(b->cpu->s.gpr, 0, 4 * sizeof(b->cpu->s.gpr[0]));
    run_for(b, 10);
    for (unsigned i = 0; i < 4; i++) {
        sum |= (uint32_t)(reg16(b, i) & 0xff) << (8 * i);
    }
    return sum;
}

static void code_that_comes_back_runs_as_it_did(void **state)
{
    struct interp_bench *b = *state;
    static const uint8_t inc[4] = {0x40, 0x43, 0x41, 0x42}; /* ax, bx, cx, dx */
    static const unsigned reg[4] = {R_AX, R_BX, R_CX, R_DX};
    PREPARE(b, 0x40, 0x40, 0x40, 0x40, 0xeb, 0xfa);
    for (unsigned i = 0; i < 4000; i++) {
        unsigned which = i * i / 7 % 4, other = i / 16 % 4, at = i % 4;
        uint8_t code[4];
        memset(code, inc[which], 4);
        code[at] = inc[other];
        ibench_poke(b, CODE, code, 4);
        uint32_t want = 0, laps = 2; /* of five instructions */
        want += laps * 3 << (8 * reg[which]);
        want += laps << (8 * reg[other]);
        assert_int_equal(run_ten(b), want);
    }
}

static void a_patch_may_make_instructions_longer_or_end_the_block(void **state)
{
    struct interp_bench *b = *state;
    static const uint8_t code[][4] = {
        {0x40, 0x40, 0x40, 0x40}, {0x40, 0xeb, 0x00, 0x43}, {0x40, 0xb3, 0x40, 0x40},
        {0x40, 0x40, 0x40, 0x40}, {0x40, 0x40, 0xeb, 0xfc}, {0x40, 0x40, 0x40, 0x43},
        {0x48, 0x40, 0x40, 0x43}, {0x40, 0x66, 0x40, 0x43}, {0x40, 0xb3, 0x40, 0x43},
        {0x40, 0xeb, 0x00, 0x43},
    };
    static const uint32_t want[ARRAY_SIZE(code)] = {
        8,          0x02000003, 0x40000005, 8,          7,
        0x02000006, 0x02000002, 0x02000006, 0x40000003, 0x02000003,
    };
    PREPARE(b, 0x40, 0x40, 0x40, 0x40, 0xeb, 0xfa);
    for (unsigned i = 0; i < 3 * ARRAY_SIZE(code); i++) {
        ibench_poke(b, CODE, code[i % ARRAY_SIZE(code)], 4);
        assert_int_equal(run_ten(b), want[i % ARRAY_SIZE(code)]);
    }
}

static void a_device_store_to_code_is_seen(void **state)
{
    struct interp_bench *b = *state;
    static const uint8_t inc_bx = 0x43;
    PREPARE(b, 0x40, 0xeb, 0xfd);
    run_for(b, 10);
    ibench_poke(b, CODE, &inc_bx, 1);
    run_for(b, 10);
    assert_int_equal(reg16(b, R_AX), 5);
    assert_int_equal(reg16(b, R_BX), 5);
}

static void *poke_thread(void *opaque)
{
    static const uint8_t inc_bx = 0x43;
    ibench_poke(opaque, CODE, &inc_bx, 1);
    return NULL;
}

static void another_threads_store_to_code_is_seen(void **state)
{
    struct interp_bench *b = *state;
    pthread_t t;
    PREPARE(b, 0x40, 0xeb, 0xfd);
    run_for(b, 10);
    assert_int_equal(pthread_create(&t, NULL, poke_thread, b), 0);
    pthread_join(t, NULL);
    run_for(b, 10);
    assert_int_equal(reg16(b, R_BX), 5);
}

static void a_line_without_code_loses_its_mark(void **state)
{
    struct interp_bench *b = *state;
    static const uint8_t nops[4] = {0x90, 0x90, 0x90, 0x90};
    PREPARE(b, 0x40, 0xeb, 0xfd);
    run_for(b, 10);
    assert_int_equal(b->arena.marks[CODE >> RAM_LINE_SHIFT], RAM_MARK_CODE);
    ibench_poke(b, CODE + 16, nops, 4);
    assert_int_equal(b->arena.marks[CODE >> RAM_LINE_SHIFT], RAM_MARK_CODE);
    ibench_poke(b, CODE, nops, 4);
    assert_int_equal(b->arena.marks[CODE >> RAM_LINE_SHIFT], 0);
}

/* Runs NOPs from @from on, until the cache's next block goes to part @part of it. */
static uint64_t fill_cache_until(struct interp_bench *b, uint64_t from, size_t part)
{
    const size_t part_bytes = BLOCK_ARENA / BLOCK_PARTS;
    b->cpu->s.rip = from;
    while (b->e->blocks_used / part_bytes != part) {
        run_for(b, BLOCK_INSNS);
    }
    return b->cpu->s.rip;
}

static void a_branch_forgets_a_block_whose_place_another_took(void **state)
{
    enum { TARGET = 0x1000, BRANCH = 0x2000, NOPS = 0x10000, RAM = 2 * MiB };
    const uint8_t jmp[] = {0xe9, 0xfb, 0xef, 0xff, 0xff}; /* TARGET */
    const uint8_t inc_ebx[] = {0x43, 0xeb, 0xfe};         /* jmp $ */
    struct interp_bench *b = *state;
    memset(ibench_mem(b, NOPS), 0x90, RAM - NOPS);
    ibench_poke(b, BRANCH, jmp, sizeof(jmp));
    ibench_poke(b, TARGET, inc_ebx, sizeof(inc_ebx));
    ibench_real(b, TARGET);
    b->cpu->s.seg[S_CS].limit = 0xffffffff;
    b->cpu->s.seg[S_CS].attr |= AR_DB;
    x86_state_loaded(b->cpu);
    run_for(b, 200);                                    /* in the first part */
    uint64_t at = fill_cache_until(b, NOPS, 1);
    for (unsigned i = 0; i < 3; i++) {
        b->cpu->s.rip = BRANCH;
        run_for(b, 200);
    }
    fill_cache_until(b, at, 0);
    b->cpu->s.gpr[R_BX] = 0;
    b->cpu->s.rip = BRANCH;
    run_for(b, 200);
    assert_int_equal(b->cpu->s.gpr[R_BX], 1);
    assert_int_equal(b->cpu->s.rip, TARGET + 1);
}

static void an_instruction_across_two_pages_follows_both(void **state)
{
    struct interp_bench *b = *state;
    static const uint8_t jump[] = {0xe9, 0xfb, 0x0f}; /* from CODE to 1ffeh */
    static const uint8_t code[] = {0xb8, 0x34, 0x12, 0xf4};
    static const uint8_t other = 0x56;
    prepare(b, jump, sizeof(jump));
    ibench_poke(b, 0x1ffe, code, sizeof(code));
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_int_equal(reg16(b, R_AX), 0x1234);
    ibench_poke(b, 0x2000, &other, 1);
    ibench_real(b, CODE);
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_int_equal(reg16(b, R_AX), 0x5634);
}

/* ---- limits ---- */

static void fetching_beyond_the_code_limit_is_gp(void **state)
{
    struct interp_bench *b = *state;
    static const uint8_t code[] = {0x40, 0x05, 0x01}; /* add ax,.. ends beyond FFFFh */
    PREPARE(b, 0xe9, 0xfa, 0xef);                      /* jmp fffdh */
    ibench_poke(b, 0xfffd, code, sizeof(code));
    run_for(b, 3);
    assert_int_equal(b->cpu->s.rip, HANDLER + 16 * X86_GP);
    assert_int_equal(ld16le(ibench_mem(b, 0x7000 - 6)), 0xfffe);
    assert_int_equal(reg16(b, R_AX), 1);
}

static void a_near_jump_beyond_the_limit_faults_at_the_jump(void **state)
{
    struct interp_bench *b = *state;
    PREPARE(b, 0x66, 0xe9, 0x00, 0x00, 0x01, 0x00);
    run_for(b, 1);
    assert_int_equal(b->cpu->s.rip, HANDLER + 16 * X86_GP);
    assert_int_equal(ld16le(ibench_mem(b, 0x7000 - 6)), CODE);
}

static void sixteen_bytes_are_gp(void **state)
{
    struct interp_bench *b = *state;
    PREPARE(b, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26,
            0x26, 0x90);
    run_for(b, 1);
    assert_int_equal(b->cpu->s.rip, HANDLER + 16 * X86_GP);
}

static void code_in_a_device_runs_too(void **state)
{
    struct interp_bench *b = *state;
    static const uint8_t rom[] = {0x40, 0x43, 0xf4};
    PREPARE(b, 0xea, 0x00, 0x00, 0x00, 0xa0);
    /* Reads of the device page give the bytes of a buffer. */
    struct region_ops ops = {.read = NULL, .width = 1};
    region_io(&b->mmio_region, "device", &ops, (void *)(uintptr_t)rom, PAGE_BYTES);
    region_map(&b->mem.root, &b->mmio_region, IBENCH_MMIO, 1);
    space_commit(&b->mem);
    x86_tlb_flush(b->cpu);
    run_for(b, 2); /* ones: FF FF is #UD */
    assert_int_equal(b->cpu->s.rip, HANDLER + 16 * X86_UD);
    assert_int_equal(ld16le(ibench_mem(b, 0x7000 - 6)), 0);
    assert_int_equal(ld16le(ibench_mem(b, 0x7000 - 4)), 0xa000);
    region_unmap(&b->mmio_region);
    space_commit(&b->mem);
}

/* ---- strings ---- */

static void a_string_fault_in_the_middle_leaves_exact_counts(void **state)
{
    struct interp_bench *b = *state;
    /* mov di,fff1h; mov cx,10h; rep stosw */
    PREPARE(b, 0xbf, 0xf1, 0xff, 0xb9, 0x10, 0x00, 0xf3, 0xab, 0xf4);
    run_for(b, 3);
    assert_int_equal(b->cpu->s.rip, HANDLER + 16 * X86_GP);
    assert_int_equal(reg16(b, R_DI), 0xffff);
    assert_int_equal(reg16(b, R_CX), 0x10 - 7);
    assert_int_equal(ld16le(ibench_mem(b, 0x7000 - 6)), CODE + 6);
}

static void overlapping_movsb_repeats_what_it_wrote(void **state)
{
    struct interp_bench *b = *state;
    static const uint8_t start[] = {1, 2, 3, 4};
    /* mov si,4000h; mov di,4002h; mov cx,100; rep movsb; hlt */
    PREPARE(b, 0xbe, 0x00, 0x40, 0xbf, 0x02, 0x40, 0xb9, 0x64, 0x00, 0xf3, 0xa4, 0xf4);
    ibench_poke(b, 0x4000, start, 4);
    assert_int_equal(ibench_run(b), EXIT_HALT);
    for (unsigned i = 0; i < 102; i++) {
        assert_int_equal(*ibench_mem(b, 0x4000 + i), i % 2 + 1);
    }
    assert_int_equal(reg16(b, R_SI), 0x4064);
}

static void downward_movsw_moves_like_words_one_by_one(void **state)
{
    struct interp_bench *b = *state;
    uint8_t mem[256], want[256];
    /* std; mov si,40feh; mov di,4100h-6; mov cx,64; rep movsw; hlt */
    PREPARE(b, 0xfd, 0xbe, 0xc0, 0x40, 0xbf, 0xb7, 0x40, 0xb9, 0x40, 0x00, 0xf3, 0xa5, 0xf4);
    for (unsigned i = 0; i < sizeof(mem); i++) {
        want[i] = mem[i] = (uint8_t)(i * 7);
    }
    for (unsigned i = 0; i < 64; i++) {
        memmove(want + 0xb7 - 2 * i, want + 0xc0 - 2 * i, 2);
    }
    ibench_poke(b, 0x4000, mem, sizeof(mem));
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_memory_equal(ibench_mem(b, 0x4000), want, sizeof(want));
}

static void a_long_rep_counts_once_for_every_4096_iterations(void **state)
{
    struct interp_bench *b = *state;
    /* mov di,8000h; mov cx,10000; rep stosb; hlt */
    PREPARE(b, 0xbf, 0x00, 0x80, 0xb9, 0x10, 0x27, 0xf3, 0xaa, 0xf4);
    run_for(b, 3);
    assert_int_equal(reg16(b, R_CX), 10000 - 4096);
    assert_int_equal(b->cpu->s.rip, CODE + 6);
    assert_int_equal(ibench_run(b), EXIT_SLICE);
    run_for(b, 2);
    assert_int_equal(reg16(b, R_CX), 0);
    assert_int_equal(b->cpu->s.rip, CODE + 8);
}

static void rep_outsb_pauses_for_an_interrupt_that_it_raises(void **state)
{
    struct interp_bench *b = *state;
    /* sti; mov cx,10; rep outsb; hlt */
    PREPARE(b, 0xfb, 0xb9, 0x0a, 0x00, 0xf3, 0x6e, 0xf4);
    b->raise = PEND_INTR;
    b->vector = 8;
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_int_equal(b->port_writes, 10);
    assert_int_equal(taken(b, 8), 10);
    assert_int_equal(reg16(b, R_CX), 0);
}

static void repe_cmpsb_stops_behind_the_first_difference(void **state)
{
    struct interp_bench *b = *state;
    static const char one[] = "the same text", two[] = "the same tent";
    /* mov si,4000h; mov di,4100h; mov cx,13; repe cmpsb; hlt */
    PREPARE(b, 0xbe, 0x00, 0x40, 0xbf, 0x00, 0x41, 0xb9, 0x0d, 0x00, 0xf3, 0xa6, 0xf4);
    ibench_poke(b, 0x4000, one, sizeof(one));
    ibench_poke(b, 0x4100, two, sizeof(two));
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_int_equal(reg16(b, R_SI), 0x400c);
    assert_int_equal(reg16(b, R_CX), 1);
    assert_false(lf_zf(b->cpu));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_slice_ends_after_exactly_its_instructions),
        TEST(an_interrupt_is_taken_right_after_the_access_that_raised_it),
        TEST(sti_holds_interrupts_off_for_one_instruction),
        TEST(cli_right_after_sti_lets_no_interrupt_in),
        TEST(a_second_sti_does_not_renew_the_shadow),
        TEST(mov_ss_holds_nmi_off_for_one_instruction),
        TEST(a_trap_held_by_mov_ss_comes_in_the_handler_of_int3),
        TEST(a_trap_held_by_mov_ss_is_one_with_that_of_int1),
        TEST(sti_holds_nmi_off_for_one_instruction),
        TEST(of_two_nmis_the_second_waits_and_a_third_is_lost),
        TEST(hlt_leaves_and_an_interrupt_goes_on_behind_it),
        TEST(a_kick_leaves_before_the_next_instruction),
        TEST(tf_traps_after_each_instruction_that_began_with_it),
        TEST(a_fault_counts_as_one_instruction),
        TEST(a_fault_leaves_the_count_at_its_instruction),
        TEST(a_store_to_the_next_instruction_is_seen),
        TEST(changing_code_forty_thousand_times_is_exact),
        TEST(code_that_comes_back_runs_as_it_did),
        TEST(a_patch_may_make_instructions_longer_or_end_the_block),
        TEST(a_device_store_to_code_is_seen),
        TEST(another_threads_store_to_code_is_seen),
        TEST(a_line_without_code_loses_its_mark),
        TEST(a_branch_forgets_a_block_whose_place_another_took),
        TEST(an_instruction_across_two_pages_follows_both),
        TEST(fetching_beyond_the_code_limit_is_gp),
        TEST(a_near_jump_beyond_the_limit_faults_at_the_jump),
        TEST(sixteen_bytes_are_gp),
        TEST(code_in_a_device_runs_too),
        TEST(a_string_fault_in_the_middle_leaves_exact_counts),
        TEST(overlapping_movsb_repeats_what_it_wrote),
        TEST(downward_movsw_moves_like_words_one_by_one),
        TEST(a_long_rep_counts_once_for_every_4096_iterations),
        TEST(rep_outsb_pauses_for_an_interrupt_that_it_raises),
        TEST(repe_cmpsb_stops_behind_the_first_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
