/*
 * Translated code while the guest changes its page tables: what is behind a linear address is
 * looked up again when the guest says so, and only then has to be.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/jit_bench.h"
#include "unit/long_bench.h"

#define TIMES 200u
#define FUNCTION (LB_PAGES + 0xff0)                     /* what the loop calls */
#define OTHER    (LB_PAGES + 0x5000)                    /* memory that comes in its place */

static int fresh(void **state)
{
    return jit_bench_begin(state, lb_new("max"));
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

/* Runs @n bytes of code often enough to be translated at once, with these registers, then. */
static void run_with(struct interp_bench *b, const uint8_t *code, unsigned n, uint64_t cx,
                     uint64_t di, uint64_t si)
{
    b->cpu->s.rip = LB_CODE;
    b->cpu->s.activity = ACT_RUNNING;
    b->cpu->s.gpr[R_BX] = 0;
    b->cpu->s.gpr[R_CX] = cx;
    b->cpu->s.gpr[R_DI] = di;
    b->cpu->s.gpr[R_SI] = si;
    assert_int_equal(lb_run(b, code, n), EXIT_HALT);
}

/* A hot store that needs no look at marks, since its page has none, to a page that becomes code at
 * another address: the code is new each time. */
static void a_store_finds_code_that_came_later(void **state)
{
    static const uint8_t loop[] = {
        0x89, 0x0f,                                     /* again: mov [rdi], ecx */
        0xff, 0xd6,                                     /* call rsi */
        0x48, 0x01, 0xc3,                               /* add rbx, rax */
        0xff, 0xc9,                                     /* dec ecx */
        0x75, 0xf5,                                     /* jnz again */
    };
    struct interp_bench *b = *state;
    uint64_t data = LB_PAGES + 0x3000, elsewhere = LB_PAGES + 0x8000;
    for (unsigned page = 0; page < 8; page++) {         /* neighbours, for a run of pages */
        ibench_poke(b, LB_PAGES + page * 0x1000 + 0x800, "\xb8\0\0\0\0\xc3", 6);
    }
    ibench_poke(b, elsewhere, "\xb8\1\0\0\0\xc3", 6);
    for (unsigned page = 0; page < 8; page++) {
        run_with(b, loop, sizeof(loop), TIMES, LB_PAGES + page * 0x1000, elsewhere);
        assert_int_equal(b->cpu->s.gpr[R_BX], TIMES);
    }
    const struct tlb_entry *e = x86_tlb_slot(b->cpu, data);
    assert_int_equal(e->otag, data);
    put_page(b, 20, data, 7);
    run_with(b, loop, sizeof(loop), TIMES, data + 0x801, LB_PAGES + 20 * 0x1000 + 0x800);
    assert_int_equal(b->cpu->s.gpr[R_BX], TIMES * (TIMES + 1) / 2);
    assert_int_equal(e->otag, TLB_NONE);
    run_with(b, loop, sizeof(loop), TIMES, data + 0x1801, data + 0x1800);
    assert_int_equal(b->cpu->s.gpr[R_BX], TIMES * (TIMES + 1) / 2);
}

/* Sums of eight bytes at each address around the end of a range of pages, behind which the next
 * linear page is elsewhere; also after INVLPG and with what was there before. */
static void operands_at_the_end_of_a_run(void **state)
{
    static const uint8_t loop[] = {
        0x48, 0x03, 0x1f,                               /* again: add rbx, [rdi] */
        0x48, 0x89, 0x1f,                               /* mov [rdi], rbx */
        0x48, 0xff, 0xc7,                               /* inc rdi */
        0xff, 0xc9,                                     /* dec ecx */
        0x75, 0xf3,                                     /* jnz again */
    };
    struct interp_bench *b = *state;
    enum { FIRST = 32, N = 8, AROUND = 160 };
    uint64_t end = LB_PAGES + (FIRST + N) * 0x1000, sum = 0;
    uint8_t want[2 * AROUND];
    put_page(b, FIRST + N, end + 0x1000, 7);
    for (unsigned i = 0; i < sizeof(want); i++) {
        want[i] = (uint8_t)(i * 7);
        *ibench_mem(b, i < AROUND ? end - AROUND + i : end + 0x1000 + i - AROUND) = want[i];
    }
    for (unsigned page = 0; page < N; page++) {
        run_with(b, loop, sizeof(loop), TIMES, end - (N - page) * 0x1000 + 0x100, 0);
    }
    assert_true(x86_tlb_run_at(b->cpu, TLB_SUPER, end - 0x1000, true) >= 0);
    run_with(b, loop, sizeof(loop), 2 * AROUND - 8, end - AROUND, 0);
    for (unsigned i = 0; i < 2 * AROUND - 8; i++) {
        sum += ld64le(want + i);
        st64le(want + i, sum);
    }
    assert_int_equal(b->cpu->s.gpr[R_BX], sum);
    for (unsigned i = 0; i < sizeof(want); i++) {
        uint64_t at = i < AROUND ? end - AROUND + i : end + 0x1000 + i - AROUND;
        assert_int_equal(*ibench_mem(b, at), want[i]);
    }
}

/* Accesses around one register, which changes by known sums between them, and around the end of a
 * range of pages. */
static void accesses_near_to_each_other_at_the_end_of_a_run(void **state)
{
    static const uint8_t loop[] = {
        0x48, 0x03, 0x1f,                               /* again: add rbx, [rdi] */
        0x48, 0x89, 0x5f, 0x40,                         /* mov [rdi + 40h], rbx */
        0x48, 0x03, 0x9f, 0x80, 0, 0, 0,                /* add rbx, [rdi + 80h] */
        0x48, 0x83, 0xc7, 0x08,                         /* add rdi, 8 */
        0x48, 0x89, 0x5f, 0xf0,                         /* mov [rdi - 10h], rbx */
        0x48, 0x83, 0xef, 0x07,                         /* sub rdi, 7 */
        0xff, 0xc9,                                     /* dec ecx */
        0x75, 0xe2,                                     /* jnz again */
    };
    struct interp_bench *b = *state;
    enum { FIRST = 32, N = 8, HALF = 256, BEFORE = 200, STEPS = 300 };
    uint64_t end = LB_PAGES + (FIRST + N) * 0x1000, sum = 0;
    uint8_t want[2 * HALF];
    put_page(b, FIRST + N, end + 0x1000, 7);
    for (unsigned page = 0; page < N; page++) {
        run_with(b, loop, sizeof(loop), TIMES, end - (N - page) * 0x1000 + 0x100, 0);
    }
    for (unsigned i = 0; i < sizeof(want); i++) {
        want[i] = (uint8_t)(i * 7);
        *ibench_mem(b, i < HALF ? end - HALF + i : end + 0x1000 + i - HALF) = want[i];
    }
    assert_true(x86_tlb_run_at(b->cpu, TLB_SUPER, end - 0x1000, true) >= 0);
    run_with(b, loop, sizeof(loop), STEPS, end - BEFORE, 0);
    for (unsigned i = HALF - BEFORE; i < HALF - BEFORE + STEPS; i++) {
        sum += ld64le(want + i);
        st64le(want + i + 0x40, sum);
        sum += ld64le(want + i + 0x80);
        st64le(want + i - 8, sum);
    }
    assert_int_equal(b->cpu->s.gpr[R_BX], sum);
    for (unsigned i = 0; i < sizeof(want); i++) {
        uint64_t at = i < HALF ? end - HALF + i : end + 0x1000 + i - HALF;
        assert_int_equal(*ibench_mem(b, at), want[i]);
    }
}

/* The same by two registers, of which one is scaled, downward from @above the end on. */
static void go_down(struct interp_bench *b, uint64_t end, unsigned above)
{
    static const uint8_t loop[] = {
        0x48, 0x03, 0x5c, 0xcf, 0x08,                   /* again: add rbx, [rdi + rcx * 8 + 8] */
        0x48, 0x89, 0x5c, 0xcf, 0x40,                   /* mov [rdi + rcx * 8 + 40h], rbx */
        0x48, 0xff, 0xc7,                               /* inc rdi */
        0x48, 0x03, 0x1c, 0xcf,                         /* add rbx, [rdi + rcx * 8] */
        0x48, 0x83, 0xc1, 0xff,                         /* add rcx, -1 */
        0x48, 0x89, 0x5c, 0xcf, 0xf0,                   /* mov [rdi + rcx * 8 - 10h], rbx */
        0x48, 0x85, 0xc9,                               /* test rcx, rcx */
        0x75, 0xe1,                                     /* jnz again */
    };
    enum { HALF = 512, STEPS = 100 };
    uint8_t want[2 * HALF];
    uint64_t sum = 0;
    for (unsigned i = 0; i < sizeof(want); i++) {
        want[i] = (uint8_t)(i * 7);
        *ibench_mem(b, i < HALF ? end - HALF + i : end + 0x1000 + i - HALF) = want[i];
    }
    run_with(b, loop, sizeof(loop), STEPS, end + above - 8 * STEPS, 0);
    for (unsigned i = 0, at = HALF + above; i < STEPS; i++, at -= 7) {
        sum += ld64le(want + at + 8);
        st64le(want + at + 0x40, sum);
        sum += ld64le(want + at + 1);
        st64le(want + at - 0x17, sum);
    }
    assert_int_equal(b->cpu->s.gpr[R_BX], sum);
    for (unsigned i = 0; i < sizeof(want); i++) {
        uint64_t at = i < HALF ? end - HALF + i : end + 0x1000 + i - HALF;
        assert_int_equal(*ibench_mem(b, at), want[i]);
    }
}

static void accesses_near_to_each_other_by_two_registers(void **state)
{
    struct interp_bench *b = *state;
    uint64_t end = LB_PAGES + 0x28000;
    put_page(b, 0x28, end + 0x1000, 7);
    for (unsigned above = 400; above > 340; above -= 5) {
        go_down(b, end, above);
    }
}

/* What memory and a sum of registers lead to: a page of 2 MiB, for which a run is worth while. */
static void a_run_is_chosen_by_what_code_will_load(void **state)
{
    static const uint8_t loop[] = {
        0x48, 0x8b, 0x07,                               /* again: mov rax, [rdi] */
        0x48, 0x01, 0xf0,                               /* add rax, rsi */
        0x48, 0x03, 0x58, 0x10,                         /* add rbx, [rax + 10h] */
        0xff, 0xc9,                                     /* dec ecx */
        0x75, 0xf2,                                     /* jnz again */
    };
    struct interp_bench *b = *state;
    uint64_t there = LB_PAGES + 0x600000;
    bool found = false;
    lb_put64(b, LB_PAGES + 0x3000, there - 0x1000);
    lb_put64(b, there + 0x10, 3);
    run_with(b, loop, sizeof(loop), TIMES, LB_PAGES + 0x3000, 0x1000);
    assert_int_equal(b->cpu->s.gpr[R_BX], 3 * TIMES);
    for (unsigned i = 0; i < TLB_RUNS; i++) {
        const struct tlb_run *r = &b->cpu->runs[TLB_SUPER][false][i];
        found = found || there - r->start < r->bytes;
    }
    assert_true(found);
}

/* In hot code EAX, whose flags nobody looks at, is overwritten; the access behind faults at last. */
static void flags_at_a_fault_behind_what_made_them(void **state)
{
    static const uint8_t code[] = {
        0xb9, TIMES, 0, 0, 0,                           /* mov ecx, TIMES */
        0x89, 0xd0,                                     /* again: mov eax, edx */
        0x83, 0xe8, 0x05,                               /* sub eax, 5 */
        0x8b, 0x04, 0x37,                               /* mov eax, [rdi + rsi] */
        0x8b, 0x5d, 0x00,                               /* mov ebx, [rbp] */
        0xff, 0xc9,                                     /* dec ecx */
        0x48, 0x0f, 0x44, 0xee,                         /* cmovz rbp, rsi */
        0x83, 0xf9, 0xff,                               /* cmp ecx, -1 */
        0x75, 0xea,                                     /* jne again */
    };
    struct interp_bench *b = *state;
    put_page(b, 9, 0, 0);
    lb_put64(b, LB_PAGES + 0x9000 - 8, 0x10);
    b->cpu->s.gpr[R_DX] = 3;
    b->cpu->s.gpr[R_SI] = LB_PAGES + 0x9000;
    b->cpu->s.gpr[R_DI] = (uint64_t)-8;
    b->cpu->s.gpr[R_BP] = LB_PAGES + 0x3000;
    assert_int_equal(lb_run(b, code, sizeof(code)), EXIT_HALT);
    assert_int_equal(lb_vector(b), X86_PF);
    uint64_t flags = ld64le(ibench_mem(b, b->cpu->s.gpr[R_SP] + 24));
    assert_int_equal(flags & FL_OSZAPC, FL_CF | FL_AF | FL_SF);
}

/* Between two accesses by RDI its page's entry in the tables becomes another one, and the TLB's
 * goes, since the access by RSI and RBP has the same slot: the second one finds the other page. */
static void an_access_near_to_one_whose_entry_has_gone(void **state)
{
    static const uint8_t loop[] = {
        0x03, 0x1f,                                     /* again: add ebx, [rdi] */
        0x81, 0x32, 0, 0x50, 0, 0,                      /* xor dword ptr [rdx], 5000h */
        0x8b, 0x04, 0x2e,                               /* mov eax, [rsi + rbp] */
        0xd1, 0xc3,                                     /* rol ebx, 1 */
        0x03, 0x5f, 0x04,                               /* add ebx, [rdi + 4] */
        0xff, 0xc9,                                     /* dec ecx */
        0x75, 0xec,                                     /* jnz again */
    };
    struct interp_bench *b = *state;
    uint64_t page = LB_PAGES + 0x2000, same_slot = page + TLB_SIZE * PAGE_BYTES;
    uint32_t want = 0;
    lb_put64(b, LB_PD + (same_slot >> 21) * 8, 0x87);
    for (unsigned i = 0; i < 2; i++) {
        st32le(ibench_mem(b, page ^ (i ? 0x5000 : 0)), i + 1);
        st32le(ibench_mem(b, (page ^ (i ? 0x5000 : 0)) + 4), i + 11);
    }
    for (unsigned i = 0; i < TIMES; i++) {
        want += i % 2 + 1;
        want = (want << 1 | want >> 31) + !(i % 2) + 11;
    }
    b->cpu->s.gpr[R_DX] = LB_PT + 2 * 8;
    b->cpu->s.gpr[R_BP] = 0;
    run_with(b, loop, sizeof(loop), TIMES, page, same_slot);
    assert_int_equal(b->cpu->s.gpr[R_BX], want);
}

/* Two accesses by one register in two pages that do not follow each other in memory. */
static void what_is_often_not_found_together_is_looked_up_alone(void **state)
{
    static const uint8_t loop[] = {
        0x48, 0x03, 0x1f,                               /* again: add rbx, [rdi] */
        0x48, 0x03, 0x5f, 0x08,                         /* add rbx, [rdi + 8] */
        0xff, 0xc9,                                     /* dec ecx */
        0x75, 0xf5,                                     /* jnz again */
    };
    struct interp_bench *b = *state;
    const struct jit_stats *s = &jit_of(b->e)->stats;
    put_page(b, 3, OTHER, 7);
    lb_put64(b, LB_PAGES + 0x2ff8, 1);
    lb_put64(b, OTHER, 2);
    run_with(b, loop, sizeof(loop), 10 * TIMES, LB_PAGES + 0x2ff8, 0);
    assert_int_equal(b->cpu->s.gpr[R_BX], 3 * 10 * TIMES);
    assert_true(s->entries < TIMES);
}

/* Hot code stores to valid memory, then to the last bytes of all and the first ones. */
static void an_operand_does_not_wrap_around_into_page_0(void **state)
{
    static const uint8_t code[] = {
        0xb9, TIMES, 0, 0, 0,                           /* mov ecx, TIMES */
        0x48, 0x89, 0x18,                               /* again: mov [rax], rbx */
        0xff, 0xc9,                                     /* dec ecx */
        0x48, 0x0f, 0x44, 0xc2,                         /* cmovz rax, rdx */
        0x83, 0xf9, 0xff,                               /* cmp ecx, -1 */
        0x75, 0xf2,                                     /* jne again */
    };
    struct interp_bench *b = *state;
    b->cpu->s.gpr[R_AX] = LB_PAGES;
    b->cpu->s.gpr[R_DX] = (uint64_t)-3;
    assert_int_equal(lb_run(b, code, sizeof(code)), EXIT_HALT);
    assert_int_equal(lb_vector(b), X86_PF);
    assert_int_equal(b->cpu->s.cr2, (uint64_t)-3);
}

#define MOV_CR3_RDX "\x0f\x22\xda"
#define INVLPG_RDX  "\x0f\x01\x3a"

/* MOV EAX, @val and RET at physical @phys. */
static void put_function(struct interp_bench *b, uint64_t phys, uint8_t val)
{
    const uint8_t code[] = {0xb8, val, 0, 0, 0, 0xc3};
    ibench_poke(b, phys, code, sizeof(code));
}

/* The four tables once more, with another page table entry; returns what CR3 is to be. */
static uint64_t second_tables(struct interp_bench *b, unsigned page, uint64_t entry)
{
    const uint64_t to = LB_PML4 + 0x10000;
    memcpy(ibench_mem(b, to), ibench_mem(b, LB_PML4), 0x4000);
    for (uint64_t level = 0; level < 3; level++) {
        uint64_t *table = (uint64_t *)ibench_mem(b, to + level * 0x1000);
        for (unsigned i = 0; i < 512; i++) {
            bool is_table = table[i] >= LB_PDPT && table[i] < LB_PT + 0x1000;
            table[i] += is_table ? 0x10000 : 0;
        }
    }
    lb_put64(b, to + 0x3000 + page * 8, entry);
    return to;
}

static void each_address_space_has_its_own_code(void **state)
{
    struct interp_bench *b = *state;
    uint64_t function = LB_PAGES + 0x1100;
    lb_put64(b, LB_PD, 0x187);                          /* the stack stays in the TLB */
    uint64_t other = second_tables(b, 1, OTHER | 7);
    put_function(b, function, 0x11);
    put_function(b, OTHER + 0x100, 0x22);
    static const uint8_t loop[] = {
        0x0f, 0x22, 0xda,                               /* again: mov cr3, rdx */
        0xff, 0xd6,                                     /* call rsi */
        0x48, 0x01, 0xc3,                               /* add rbx, rax */
        0x0f, 0x22, 0xdf,                               /* mov cr3, rdi */
        0xff, 0xd6,                                     /* call rsi */
        0x48, 0x6b, 0xc0, 0x10,                         /* imul rax, rax, 16 */
        0x48, 0x01, 0xc3,                               /* add rbx, rax */
        0xff, 0xc9,                                     /* dec ecx */
        0x75, 0xe8,                                     /* jnz again */
    };
    b->cpu->s.gpr[R_DX] = LB_PML4;
    run_with(b, loop, sizeof(loop), TIMES, other, function);
    assert_int_equal(b->cpu->s.gpr[R_BX], (0x11 + 0x220) * TIMES);
}

/* What is behind the call of the function's caller is not what it was when that was translated. */
static void a_return_leads_to_a_page_that_is_another_one_now(void **state)
{
    struct interp_bench *b = *state;
    uint64_t caller = LB_PAGES + 0x1100, entry = LB_PAGES + 0x1007;
    static const uint8_t call[] = {0xe8, 0xfb, 0x0e, 0, 0}; /* to the function */
    static const uint8_t function[] = {
        0x48, 0x89, 0x2f,                               /* mov [rdi], rbp */
        0x0f, 0x01, 0x3e,                               /* invlpg [rsi] */
        0xc3,                                           /* ret */
    };
    static const uint8_t loop[] = {
        0x48, 0x89, 0x17,                               /* again: mov [rdi], rdx */
        0x0f, 0x01, 0x3e,                               /* invlpg [rsi] */
        0xff, 0xd6,                                     /* call rsi */
        0x48, 0x01, 0xc3,                               /* add rbx, rax */
        0xff, 0xc9,                                     /* dec ecx */
        0x75, 0xf1,                                     /* jnz again */
    };
    ibench_poke(b, LB_PAGES + 0x2000, function, sizeof(function));
    ibench_poke(b, caller, call, sizeof(call));
    put_function(b, caller + sizeof(call), 0x11);
    put_function(b, OTHER + 0x100 + sizeof(call), 0x22);
    b->cpu->s.gpr[R_DX] = b->cpu->s.gpr[R_BP] = entry;
    run_with(b, loop, sizeof(loop), TIMES, LB_PT + 8, caller);
    assert_int_equal(b->cpu->s.gpr[R_BX], 0x11 * TIMES);
    b->cpu->s.gpr[R_BP] = OTHER | 7;
    run_with(b, loop, sizeof(loop), TIMES, LB_PT + 8, caller);
    assert_int_equal(b->cpu->s.gpr[R_BX], 0x22 * TIMES);
}

/* Behind a call is an instruction of which the second page is not there when the function returns:
 * the fault is that instruction's, whose handler brings the page, and nothing runs twice. */
static void a_return_leads_to_an_instruction_whose_second_page_is_gone(void **state)
{
    static const uint8_t caller[] = {
        0xe8, 0x03, 0x10, 0, 0,                         /* call function */
        0xb8, 0x11, 0, 0, 0,                            /* mov eax, 0x11: in two pages */
        0xc3,                                           /* ret */
    };
    static const uint8_t function[] = {0x51, 0x59, 0xc3}; /* push rcx; pop rcx; ret */
    static const uint8_t handler[] = {
        0x48, 0x89, 0x17,                               /* mov [rdi], rdx */
        0x48, 0x83, 0xc4, 0x08,                         /* add rsp, 8 */
        0x48, 0xcf,                                     /* iretq */
    };
    static const uint8_t loop[] = {
        0x48, 0xc7, 0x07, 0, 0, 0, 0,                   /* again: mov qword [rdi], 0 */
        0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8,             /* mov rax, cr3; mov cr3, rax */
        0xff, 0xd6,                                     /* call rsi */
        0x48, 0x01, 0xc3,                               /* add rbx, rax */
        0xff, 0xc9,                                     /* dec ecx */
        0x75, 0xea,                                     /* jnz again */
    };
    struct interp_bench *b = *state;
    ibench_poke(b, LB_PAGES + 0xff8, caller, sizeof(caller));
    ibench_poke(b, LB_PAGES + 0x2000, function, sizeof(function));
    ibench_poke(b, LB_HANDLERS + X86_PF * 16, handler, sizeof(handler));
    b->cpu->s.gpr[R_DX] = (LB_PAGES + 0x1000) | 7;
    run_with(b, loop, sizeof(loop), TIMES, LB_PT + 8, LB_PAGES + 0xff8);
    assert_int_equal(b->cpu->s.gpr[R_CX], 0);
    assert_int_equal(b->cpu->s.gpr[R_BX], 0x11 * TIMES);
    assert_true(has_translation(b, LB_PAGES + 0x2000));
}

/* [SDM3] "Global Pages": a load of CR3 leaves their translations, INVLPG does not. */
static void code_of_global_pages_outlives_a_load_of_cr3(void **state)
{
    struct interp_bench *b = *state;
    uint64_t function = LB_PAGES + 0x1100;
    put_page(b, 1, LB_PAGES + 0x1000, 0x107);
    put_function(b, function, 0x11);
    put_function(b, OTHER + 0x100, 0x22);
    assert_int_equal(sum_of_calls(b, function, MOV_CR3_RDX, 3, LB_PML4), 0x11 * TIMES);
    uint32_t generation = b->e->global_generation;
    assert_int_equal(sum_of_calls(b, function, MOV_CR3_RDX, 3, LB_PML4), 0x11 * TIMES);
    assert_int_equal(b->e->global_generation, generation);
    put_page(b, 1, OTHER, 0x107);
    assert_int_equal(sum_of_calls(b, function, INVLPG_RDX, 3, function), 0x22 * TIMES);
    put_page(b, 1, LB_PAGES + 0x1000, 0x107);
    /* mov rax, cr4; btc eax, 7; mov cr4, rax: PGE off */
    assert_int_equal(sum_of_calls(b, function, "\x0f\x20\xe0\x0f\xba\xf8\x07\x0f\x22\xe0", 10, 0),
                     0x11 * TIMES);
}

/* A function in page 0 that goes on at @to, in another page. */
static void put_jump(struct interp_bench *b, uint64_t to)
{
    uint8_t code[5] = {0xe9};
    st32le(code + 1, (uint32_t)(to - (FUNCTION + sizeof(code))));
    ibench_poke(b, FUNCTION, code, sizeof(code));
}

/* A direct jump between pages is linked, until its page may be another one. */
static void a_jump_between_pages_follows_its_page(void **state)
{
    struct interp_bench *b = *state;
    const struct jit *j = jit_of(b->e);
    uint64_t to = LB_PAGES + 0x1100;
    uint64_t other = second_tables(b, 1, OTHER | 7);
    put_jump(b, to);
    put_function(b, to, 0x11);
    put_function(b, OTHER + 0x100, 0x22);
    assert_int_equal(sum_of_calls(b, FUNCTION, "", 0, 0), 0x11 * TIMES);
    assert_non_null(j->far[LINK_LOCAL]);
    assert_int_equal(sum_of_calls(b, FUNCTION, MOV_CR3_RDX, 3, other), 0x22 * TIMES);
    assert_int_equal(sum_of_calls(b, FUNCTION, MOV_CR3_RDX, 3, LB_PML4), 0x11 * TIMES);
    put_page(b, 1, OTHER, 7);
    assert_int_equal(sum_of_calls(b, FUNCTION, INVLPG_RDX, 3, to), 0x22 * TIMES);
    assert_non_null(j->far[LINK_LOCAL]);
}

/* The same to a global page: what a load of CR3 does not change, it does not unlink. */
static void a_jump_to_a_global_page_outlives_a_load_of_cr3(void **state)
{
    struct interp_bench *b = *state;
    const struct jit *j = jit_of(b->e);
    uint64_t to = LB_PAGES + 0x1100;
    put_page(b, 1, LB_PAGES + 0x1000, 0x107);
    put_jump(b, to);
    put_function(b, to, 0x11);
    put_function(b, OTHER + 0x100, 0x22);
    assert_int_equal(sum_of_calls(b, FUNCTION, MOV_CR3_RDX, 3, LB_PML4), 0x11 * TIMES);
    const struct jit_link *l = j->far[LINK_GLOBAL];
    assert_non_null(l);
    assert_int_equal(sum_of_calls(b, FUNCTION, MOV_CR3_RDX, 3, LB_PML4), 0x11 * TIMES);
    assert_int_equal(l->moved, 0);
    put_page(b, 1, OTHER, 0x107);
    assert_int_equal(sum_of_calls(b, FUNCTION, INVLPG_RDX, 3, to), 0x22 * TIMES);
    assert_int_equal(l->moved, LINK_ALL_MOVED);
}

/* A jump whose page changes all the time is looked up, and right each time. */
static void a_jump_to_a_page_that_changes_often_is_looked_up(void **state)
{
    static const uint8_t loop[] = {
        0x0f, 0x22, 0xda,                               /* again: mov cr3, rdx */
        0xff, 0xd6,                                     /* call rsi */
        0x48, 0x01, 0xc3,                               /* add rbx, rax */
        0x0f, 0x22, 0xdf,                               /* mov cr3, rdi */
        0xff, 0xd6,                                     /* call rsi */
        0x48, 0x6b, 0xc0, 0x10,                         /* imul rax, rax, 16 */
        0x48, 0x01, 0xc3,                               /* add rbx, rax */
        0xff, 0xc9,                                     /* dec ecx */
        0x75, 0xe8,                                     /* jnz again */
    };
    struct interp_bench *b = *state;
    const struct jit *j = jit_of(b->e);
    uint64_t to = LB_PAGES + 0x1100, links;
    lb_put64(b, LB_PD, 0x187);                          /* the stack stays in the TLB */
    uint64_t other = second_tables(b, 1, OTHER | 7);
    put_jump(b, to);
    put_function(b, to, 0x11);
    put_function(b, OTHER + 0x100, 0x22);
    for (unsigned i = 0; i < 2; i++) {
        links = j->stats.links;
        b->cpu->s.gpr[R_DX] = LB_PML4;
        run_with(b, loop, sizeof(loop), TIMES, other, FUNCTION);
        assert_int_equal(b->cpu->s.gpr[R_BX], (0x11 + 0x220) * TIMES);
    }
    assert_true(j->stats.links - links < TIMES / 4);
}

/* What INVLPG drops is a page of whatever size; one without code changes nothing for code. */
static void invlpg_drops_the_code_of_its_page_alone(void **state)
{
    struct interp_bench *b = *state;
    uint64_t function = 0x600000 + 0x7100, data = LB_PAGES + 0x9000;
    put_function(b, function, 0x11);
    put_function(b, function + 0x200000, 0x22);
    assert_int_equal(sum_of_calls(b, function, "", 0, 0), 0x11 * TIMES);
    sum_of_calls(b, function, INVLPG_RDX, 3, data);
    uint32_t generation = b->e->generation;
    assert_int_equal(sum_of_calls(b, function, INVLPG_RDX, 3, data), 0x11 * TIMES);
    assert_int_equal(b->e->generation, generation);
    lb_put64(b, LB_PD + 3 * 8, 0x800000 | 0x87);
    assert_int_equal(sum_of_calls(b, function, INVLPG_RDX, 3, 0x600000 + 0x1ff000), 0x22 * TIMES);
    assert_int_not_equal(b->e->generation, generation);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, jit_bench_end)
    const struct CMUnitTest tests[] = {
        TEST(an_instruction_in_two_pages_follows_its_second_page),
        TEST(a_store_finds_code_that_came_later),
        TEST(operands_at_the_end_of_a_run),
        TEST(accesses_near_to_each_other_at_the_end_of_a_run),
        TEST(accesses_near_to_each_other_by_two_registers),
        TEST(a_run_is_chosen_by_what_code_will_load),
        TEST(flags_at_a_fault_behind_what_made_them),
        TEST(an_access_near_to_one_whose_entry_has_gone),
        TEST(what_is_often_not_found_together_is_looked_up_alone),
        TEST(an_operand_does_not_wrap_around_into_page_0),
        TEST(each_address_space_has_its_own_code),
        TEST(a_return_leads_to_a_page_that_is_another_one_now),
        TEST(a_return_leads_to_an_instruction_whose_second_page_is_gone),
        TEST(code_of_global_pages_outlives_a_load_of_cr3),
        TEST(a_jump_between_pages_follows_its_page),
        TEST(a_jump_to_a_global_page_outlives_a_load_of_cr3),
        TEST(a_jump_to_a_page_that_changes_often_is_looked_up),
        TEST(invlpg_drops_the_code_of_its_page_alone),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
