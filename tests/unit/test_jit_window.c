/*
 * Translated flat 32-bit code reaches memory in the window (core/accel/jit/window.h): addresses
 * wrap at 4 GiB, stores to code are noticed, and what is no memory, or becomes something else,
 * answers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "unit/jit_bench.h"

enum { CODE = 0x10000, DATA = 0x20000, OTHER = 0x30000, TIMES = 200 };

static int fresh(void **state)
{
    return jit_bench_begin(state, ibench_new(2 * MiB, NULL));
}

/* Runs @body (which keeps ECX and EDI) TIMES times, EBX being @ebx, and returns EDI: 0 before. */
static uint32_t run(struct interp_bench *b, const char *body, unsigned n, uint32_t ebx)
{
    static const uint8_t first[] = {0x31, 0xff, 0xb9, TIMES, 0, 0, 0}; /* xor edi, edi; mov ecx */
    uint8_t last[] = {0x49, 0x75, (uint8_t)-(n + 3), 0xf4}; /* dec ecx; jnz; hlt */
    ibench_real(b, 0);
    ibench_flat(b);
    ibench_poke(b, CODE, first, sizeof(first));
    ibench_poke(b, CODE + sizeof(first), body, n);
    ibench_poke(b, CODE + sizeof(first) + n, last, sizeof(last));
    b->cpu->s.rip = CODE;
    b->cpu->s.gpr[R_BX] = ebx;
    x86_state_loaded(b->cpu);
    assert_int_equal(ibench_run(b), EXIT_HALT);
    assert_true(jit_of(b->e)->stats.entries > 0);
    return (uint32_t)b->cpu->s.gpr[R_DI];
}

static uint64_t faults(struct interp_bench *b)
{
    return jit_of(b->e)->stats.faults;
}

static void put32(struct interp_bench *b, uint64_t at, uint32_t val)
{
    st32le(ibench_mem(b, at), val);
}

static void memory_is_reached_without_a_fault(void **state)
{
    struct interp_bench *b = *state;
    put32(b, DATA, 5);
    assert_int_equal(run(b, "\x03\x3b\x89\x7b\x04" /* add edi, [ebx]; mov [ebx+4], edi */, 5, DATA),
                     5 * TIMES);
    assert_int_equal(ld32le(ibench_mem(b, DATA + 4)), 5 * TIMES);
    assert_int_equal(faults(b), 0);
}

static void an_address_wraps_at_4_gib(void **state)
{
    struct interp_bench *b = *state;
    put32(b, 0x10, 3);
    /* add edi, [ebx+20h] */
    assert_int_equal(run(b, "\x03\x7b\x20", 3, 0xfffffff0), 3 * TIMES);
    assert_in_range(faults(b), 1, 4);
    /* add edi, [ebx*8+10h], ebx = 2^29: 2^32 */
    assert_int_equal(run(b, "\x03\x3c\xdd\x10\0\0\0", 7, 1u << 29), 3 * TIMES);
    /* add edi, [ebx-20h]: below 0, where nothing answers */
    assert_int_equal(run(b, "\x03\x7b\xe0", 3, 0x10), (uint32_t)-TIMES);
    assert_in_range(faults(b), 1, 12);
}

static void an_operand_across_4_gib_is_in_two_places(void **state)
{
    struct interp_bench *b = *state;
    put32(b, 0, 0x1234);
    /* add edi, [ebx]; nothing answers below 4 GiB */
    assert_int_equal(run(b, "\x03\x3b", 2, 0xfffffffe), (uint32_t)(0x1234ffffu * TIMES));
}

/* Next to code, without touching it: no host page is read-only for that. */
static void data_in_the_page_of_code_is_written(void **state)
{
    struct interp_bench *b = *state;
    /* inc dword [CODE+800h]; add edi, [CODE+800h] */
    assert_int_equal(run(b, "\xff\x05\0\x08\x01\0\x03\x3d\0\x08\x01\0", 12, 0),
                     TIMES * (TIMES + 1) / 2);
    assert_int_equal(faults(b), 0);
}

static void data_that_becomes_code_is_watched(void **state)
{
    struct interp_bench *b = *state;
    /* mov [ebx], ecx; add edi, [ebx]: the page is data */
    static const char store[] = "\x89\x0b\x03\x3b";
    assert_int_equal(run(b, store, 4, OTHER), TIMES * (TIMES + 1) / 2);
    assert_int_equal(faults(b), 0);
    /* A function there, called and changed: mov byte [ebx+1], cl; call ebx; add edi, eax */
    ibench_poke(b, OTHER, "\xb8\0\0\0\0\xc3", 6);
    assert_int_equal(run(b, "\x88\x4b\x01\xff\xd3\x01\xc7", 7, OTHER), TIMES * (TIMES + 1) / 2);
    /* What was translated for data notices now. */
    assert_int_equal(run(b, store, 4, OTHER), TIMES * (TIMES + 1) / 2);
}

static uint64_t device_read(void *dev, uint64_t off, unsigned size)
{
    return 7;
}

static void device_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    *(uint64_t *)dev += val;
}

static void a_device_in_the_place_of_memory_answers(void **state)
{
    struct interp_bench *b = *state;
    static const struct region_ops ops = {.read = device_read, .write = device_write, .width = 4};
    static const char both[] = "\xff\x03\x03\x3b\xc7\x03\x01\0\0\0"; /* inc [ebx]; add edi, [ebx];
                                                                      * mov dword [ebx], 1 */
    uint64_t written = 0;
    assert_int_equal(run(b, both, 10, DATA), 2 * TIMES - 1);
    region_io(&b->mmio_region, "device", &ops, &written, PAGE_BYTES);
    region_map(&b->mem.root, &b->mmio_region, DATA, 1);
    space_commit(&b->mem);
    x86_tlb_flush(b->cpu);
    assert_int_equal(run(b, both, 10, DATA), 7 * TIMES);
    assert_int_equal(written, (8 + 1) * TIMES);
    region_unmap(&b->mmio_region);
    space_commit(&b->mem);
    x86_tlb_flush(b->cpu);
    assert_int_equal(run(b, both, 10, DATA), 2 * TIMES);
}

/* The flags that a comparison left outlive the device's access. */
static void flags_outlive_an_access_of_a_device(void **state)
{
    struct interp_bench *b = *state;
    static const struct region_ops ops = {.read = device_read, .write = device_write, .width = 4};
    uint64_t written = 0;
    region_io(&b->mmio_region, "device", &ops, &written, PAGE_BYTES);
    region_map(&b->mem.root, &b->mmio_region, 4 * MiB, 1);
    space_commit(&b->mem);
    x86_tlb_flush(b->cpu);
    /* cmp ecx, 101; mov [ebx], ecx; mov eax, [ebx]; adc edi, 0: ECX is below 100 times */
    assert_int_equal(run(b, "\x83\xf9\x65\x89\x0b\x8b\x03\x83\xd7\0", 10, 4 * MiB), 100);
    assert_int_equal(written, TIMES * (TIMES + 1) / 2);
    assert_in_range(faults(b), 1, 4);
    region_unmap(&b->mmio_region);
    space_commit(&b->mem);
}

/* A page that is written again and again after its code has gone is reached at once again. */
static void a_page_without_code_is_given_back(void **state)
{
    struct interp_bench *b = *state;
    ibench_poke(b, OTHER, "\xc3", 1);
    run(b, "\xff\xd3", 2, OTHER);                       /* call ebx */
    assert_true(ram_held(&b->arena, OTHER / PAGE_BYTES));
    ibench_poke(b, OTHER, "\0", 1);
    assert_int_equal(run(b, "\x89\x0b\x03\x3b", 4, OTHER), TIMES * (TIMES + 1) / 2);
    assert_false(ram_held(&b->arena, OTHER / PAGE_BYTES));
}

/* ---- memory that is elsewhere, and at two addresses: a VGA's ---- */

enum { VIDEO = 0x40000, FRAME_BUFFER = 8 * MiB };

struct video {
    struct ram_block ram;
    struct region frame_buffer, video;
    unsigned told;
};

static void count_told(void *opaque, uint64_t addr, uint64_t len)
{
    struct video *v = opaque;
    v->told += addr >= v->ram.addr && addr < v->ram.addr + v->ram.bytes;
}

static void map_video(struct interp_bench *b, struct video *v)
{
    *v = (struct video){0};
    assert_true(ram_block_new(&b->arena, &v->ram, "video", 0x10000, NULL));
    ram_add_listener(&b->arena, &(struct ram_listener){count_told, v});
    region_ram(&v->frame_buffer, "frame-buffer", &v->ram);
    region_map(&b->mem.root, &v->frame_buffer, FRAME_BUFFER, 0);
    region_alias(&v->video, "video", &v->frame_buffer, 0, 0x10000);
    region_map(&b->mem.root, &v->video, VIDEO, 1);
    space_commit(&b->mem);
    x86_tlb_flush(b->cpu);
}

static void unmap_video(struct interp_bench *b, struct video *v)
{
    region_unmap(&v->video);
    region_unmap(&v->frame_buffer);
    space_commit(&b->mem);
    x86_tlb_flush(b->cpu);
}

/* inc dword [ebx]; add edi, [ebx + what is between both] */
static const char at_both[] = "\xff\x03\x03\xbb\x00\x00\x7c\x00";

static void memory_is_reached_at_all_its_addresses(void **state)
{
    struct interp_bench *b = *state;
    struct video v;
    map_video(b, &v);
    assert_int_equal(run(b, at_both, 8, VIDEO), TIMES * (TIMES + 1) / 2);
    assert_int_equal(ld32le(ram_host(&v.ram)), TIMES);
    assert_int_equal(ld32le(ibench_mem(b, VIDEO)), 0);
    assert_int_equal(faults(b), 0);
    unmap_video(b, &v);
    assert_int_equal(run(b, "\xff\x03\x03\x3b", 4, VIDEO), TIMES * (TIMES + 1) / 2);
    assert_int_equal(ld32le(ibench_mem(b, VIDEO)), TIMES);
    assert_int_equal(ld32le(ram_host(&v.ram)), TIMES);
}

static void who_watches_memory_is_told_at_all_its_addresses(void **state)
{
    struct interp_bench *b = *state;
    struct video v;
    map_video(b, &v);
    uint8_t *mark = &b->arena.marks[(v.ram.addr + 0x1000) >> RAM_LINE_SHIFT];
    run(b, "\xff\x03", 2, VIDEO + 0x1000);              /* inc dword [ebx] */
    run(b, "\xff\x03", 2, FRAME_BUFFER + 0x1000);
    assert_int_equal(v.told, 0);
    *mark = RAM_MARK_LOG;
    ram_hold(&b->arena, v.ram.addr + 0x1000, PAGE_BYTES);
    run(b, "\xff\x03", 2, FRAME_BUFFER + 0x1000);
    assert_int_equal(v.told, TIMES);
    run(b, "\xff\x03", 2, VIDEO + 0x1000);
    assert_int_equal(v.told, 2 * TIMES);
    *mark = 0;                                          /* written anywhere, it is given back */
    run(b, "\xff\x03", 2, VIDEO + 0x1000);
    assert_int_equal(v.told, 2 * TIMES);
    uint32_t sum = 5 * TIMES * TIMES + TIMES * (TIMES + 1) / 2;
    assert_int_equal(run(b, at_both, 8, VIDEO + 0x1000), sum);
    assert_int_equal(jit_of(b->e)->window->n_held, 1);  /* that of the code */
    unmap_video(b, &v);
}

/* ---- the budget, and being told to look up ---- */

static void *kick(void *opaque)
{
    struct interp_bench *b = opaque;
    while (atomic_load(&jit_of(b->e)->guard.inside) == false) {
        sched_yield();
    }
    atomic_fetch_or(b->cpu->pending, PEND_KICK);
    b->e->translator->kick(b->e);
    return NULL;
}

static void a_loop_without_end_hears_a_kick(void **state)
{
    struct interp_bench *b = *state;
    pthread_t thread;
    ibench_real(b, 0);
    ibench_flat(b);
    ibench_poke(b, CODE, "\xeb\xfe", 2);                /* jmp $ */
    b->cpu->s.rip = CODE;
    x86_state_loaded(b->cpu);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(pthread_create(&thread, NULL, kick, b), 0);
        assert_int_equal(ibench_run(b), EXIT_KICKED);
        pthread_join(thread, NULL);
        assert_int_equal(b->cpu->s.rip, CODE);
        atomic_fetch_and(b->cpu->pending, ~(uint32_t)PEND_KICK);
    }
    assert_true(jit_of(b->e)->stats.entries > 0);
    assert_int_equal(faults(b), 0);
}

/* 3 instructions a turn, stopped after any number. */
static void a_slice_ends_at_any_instruction(void **state)
{
    struct interp_bench *b = *state;
    run(b, "\x47\x90", 2, 0);                           /* inc edi; nop; dec ecx; jnz */
    ibench_poke(b, CODE, "\x47\x90\xeb\xfc", 4);        /* inc edi; nop; jmp */
    b->cpu->s.activity = ACT_RUNNING;
    b->cpu->s.rip = CODE;
    b->cpu->s.gpr[R_DI] = 0;
    uint64_t start = interp_icount(b->cpu);
    for (unsigned i = 1; i < 3000; i += i % 7 + 1) {
        b->stop_at = start + i;
        assert_int_equal(ibench_run(b), EXIT_SLICE);
        assert_int_equal(interp_icount(b->cpu), start + i);
        assert_int_equal(b->cpu->s.gpr[R_DI], (i + 2) / 3);
        assert_int_equal(b->cpu->s.rip, CODE + i % 3);
    }
    b->stop_at = ~0ull;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, jit_bench_end)
    const struct CMUnitTest tests[] = {
        TEST(memory_is_reached_without_a_fault), TEST(an_address_wraps_at_4_gib),
        TEST(an_operand_across_4_gib_is_in_two_places), TEST(data_in_the_page_of_code_is_written),
        TEST(data_that_becomes_code_is_watched), TEST(a_device_in_the_place_of_memory_answers),
        TEST(flags_outlive_an_access_of_a_device), TEST(a_page_without_code_is_given_back),
        TEST(memory_is_reached_at_all_its_addresses),
        TEST(who_watches_memory_is_told_at_all_its_addresses), TEST(a_loop_without_end_hears_a_kick),
        TEST(a_slice_ends_at_any_instruction),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
