/*
 * How CPUID tells which processors share a socket.
 * Sources: [SDM2] "CPUID", leaves 1, 4 and Bh; [SDM3] "Hierarchical Mapping of Shared Resources";
 *          [AMD3] appendix E, 80000001h ECX and 80000008h ECX.
 */
#include "tests/unit/cpu_bench.h"

static bool with_apic(void *host)
{
    return true;
}

static struct cpu_bench *bench_at(const char *model, unsigned cores, unsigned threads, unsigned cpu)
{
    static struct x86_host_ops ops;
    struct cpu_bench *b = bench_new(model);
    ops = bench_host_ops;
    ops.has_apic = with_apic;
    b->cpu->host_ops = &ops;
    b->cpu->topology = (struct x86_topology){.cores = cores, .threads = threads};
    b->cpu->apic_id = x86_apic_id(&b->cpu->topology, cpu);
    return b;
}

static struct x86_cpuid leaf(struct cpu_bench *b, uint32_t leaf, uint32_t subleaf)
{
    struct x86_cpuid out;
    x86_cpuid(b->cpu, leaf, subleaf, &out);
    return out;
}

static void apic_ids_have_whole_bits_for_threads_and_cores(void **state)
{
    static const struct {
        unsigned cores, threads, ids[8];
    } cases[] = {
        {0, 0, {0, 1, 2, 3, 4, 5, 6, 7}},
        {1, 1, {0, 1, 2, 3, 4, 5, 6, 7}},
        {4, 1, {0, 1, 2, 3, 4, 5, 6, 7}},
        {2, 2, {0, 1, 2, 3, 4, 5, 6, 7}},
        {3, 1, {0, 1, 2, 4, 5, 6, 8, 9}},
        {1, 3, {0, 1, 2, 4, 5, 6, 8, 9}},
        {3, 2, {0, 1, 2, 3, 4, 5, 8, 9}},
        {2, 3, {0, 1, 2, 4, 5, 6, 8, 9}},
        {5, 1, {0, 1, 2, 3, 4, 8, 9, 10}},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct x86_topology t = {.cores = cases[i].cores, .threads = cases[i].threads};
        for (unsigned n = 0; n < 8; n++) {
            assert_int_equal(x86_apic_id(&t, n), cases[i].ids[n]);
        }
    }
}

static void a_socket_of_one_says_nothing_of_others(void **state)
{
    struct cpu_bench *b = bench_at("qemu64", 1, 1, 3);
    assert_int_equal(leaf(b, 1, 0).ebx, 0x03000800);
    assert_int_equal(leaf(b, 1, 0).edx >> 28 & 1, 0);
    assert_int_equal(leaf(b, 0x80000001, 0).ecx >> 1 & 1, 0);
    assert_int_equal(leaf(b, 0x80000008, 0).ecx, 0);
    bench_free(b);
}

static void leaf_1_counts_the_sockets_logical_processors(void **state)
{
    static const char *const models[] = {"pentium3", "core2duo", "qemu32", "qemu64", "max"};
    for (unsigned i = 0; i < ARRAY_SIZE(models); i++) {
        struct cpu_bench *b = bench_at(models[i], 3, 2, 7);
        bool amd = b->cpu->model->vendor[0] == 'A';
        assert_int_equal(leaf(b, 1, 0).ebx >> 16, 0x0906);
        assert_int_equal(leaf(b, 1, 0).edx >> 28 & 1, 1);
        if (b->cpu->model->max_ext_leaf != 0) {
            assert_int_equal(leaf(b, 0x80000001, 0).ecx >> 1 & 1, amd); /* CmpLegacy */
        }
        if (b->cpu->model->max_ext_leaf >= 0x80000008) {
            assert_int_equal(leaf(b, 0x80000008, 0).ecx, amd ? 0x3005 : 0);
        }
        bench_free(b);
    }
}

static void leaf_4_tells_caches_and_who_shares_them(void **state)
{
    struct cpu_bench *b = bench_at("core2duo", 3, 2, 0);
    assert_int_equal(leaf(b, 4, 0).eax, 0x0c004121); /* data, level 1, 2 threads, 4 cores */
    assert_int_equal(leaf(b, 4, 0).ebx, 7 << 22 | 63);
    assert_int_equal(leaf(b, 4, 0).ecx, 63);
    assert_int_equal(leaf(b, 4, 1).eax, 0x0c004122);
    assert_int_equal(leaf(b, 4, 2).eax, 0x0c004143);
    assert_int_equal(leaf(b, 4, 2).ecx, 4095);
    assert_int_equal(leaf(b, 4, 3).eax & 0x1f, 0);
    assert_int_equal(leaf(b, 4, 0xffffffff).eax & 0x1f, 0);
    bench_free(b);
    b = bench_at("qemu64", 3, 2, 0); /* AMD's: reserved */
    assert_int_equal(leaf(b, 4, 0).eax, 0);
    bench_free(b);
}

static void leaf_b_tells_the_bits_of_each_level(void **state)
{
    static const struct {
        unsigned cores, threads, cpu;
        struct x86_cpuid thread, core;
    } cases[] = {
        {1, 1, 2, {0, 1, 0x100, 2}, {0, 1, 0x201, 2}},
        {4, 1, 5, {0, 1, 0x100, 5}, {2, 4, 0x201, 5}},
        {3, 2, 7, {1, 2, 0x100, 9}, {3, 6, 0x201, 9}},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct cpu_bench *b = bench_at("qemu64", cases[i].cores, cases[i].threads, cases[i].cpu);
        struct x86_cpuid threads = leaf(b, 0xb, 0), cores = leaf(b, 0xb, 1);
        assert_memory_equal(&threads, &cases[i].thread, sizeof(threads));
        assert_memory_equal(&cores, &cases[i].core, sizeof(cores));
        assert_int_equal(leaf(b, 0xb, 2).ebx, 0);
        assert_int_equal(leaf(b, 0xb, 2).ecx, 2); /* level type 0: no more */
        bench_free(b);
    }
}

static void without_an_apic_there_is_no_leaf_b(void **state)
{
    struct cpu_bench *b = bench_new("qemu64");
    assert_int_equal(leaf(b, 0xb, 0).ebx, 0);
    assert_int_equal(leaf(b, 0xb, 0).ecx, 0);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apic_ids_have_whole_bits_for_threads_and_cores),
        cmocka_unit_test(a_socket_of_one_says_nothing_of_others),
        cmocka_unit_test(leaf_1_counts_the_sockets_logical_processors),
        cmocka_unit_test(leaf_4_tells_caches_and_who_shares_them),
        cmocka_unit_test(leaf_b_tells_the_bits_of_each_level),
        cmocka_unit_test(without_an_apic_there_is_no_leaf_b),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
