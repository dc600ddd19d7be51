/*
 * Wild guests (wild_guest.h) on the interpreter and the JIT: neither crashes nor hangs, and both
 * end in the same state. Those of corpus.txt and differed.txt are what the fuzzer kept
 * (fuzz_engines.c): a line has where it starts, the seed and the code.
 *
 * Usage: test_random_code [PROGRAMS [SEED]]
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fuzz/wild_guest.h"

/* Seeds that found something once. */
static const uint64_t kept[] = {
    6699662,                     /* FCOMI whose flags are overwritten, and an unmasked exception */
};

static unsigned programs = 200;
static uint64_t first_seed = 1;

static void run_programs(bool check)
{
    struct wild_pair p = wild_pair_new(check);
    const struct jit_stats *s = &jit_of(p.jit->e)->stats;
    char why[120];
    for (unsigned n = 0; n < programs + ARRAY_SIZE(kept); n++) {
        uint64_t seed = n < programs ? first_seed + n : kept[n - programs];
        struct wild_guest g = wild_guest_by_seed(seed);
        if (!wild_run(&p, &g, why, sizeof(why))) {
            fail_msg("seed %llu: %s", (unsigned long long)seed, why);
        }
    }
    print_message("%llu translated, %llu entries\n", (unsigned long long)s->translated,
                  (unsigned long long)s->entries);
    assert_true(s->entries > programs);
    wild_pair_free(&p);
}

static void random_bytes_run_as_on_the_interpreter(void **state)
{
    run_programs(false);
}

/* -accel jit,check=on: what it runs twice has no effect but once. */
static void checking_random_bytes_changes_nothing(void **state)
{
    run_programs(true);
}

/* False at the end of the corpus. */
static bool read_guest(FILE *f, struct wild_guest *g)
{
    unsigned start, byte;
    unsigned long long seed;
    *g = (struct wild_guest){0};
    if (fscanf(f, "%u %llx ", &start, &seed) != 2) {
        return false;
    }
    g->start = start % START_COUNT;
    g->seed = seed;
    while (g->bytes < CODE_BYTES_MAX && fscanf(f, "%2x", &byte) == 1) {
        g->code[g->bytes++] = (uint8_t)byte;
        int c = getc(f);
        if (c == '\n' || c == EOF) {
            break;
        }
        ungetc(c, f);
    }
    return true;
}

static void run_file(const char *path)
{
    struct wild_pair p = wild_pair_new(false);
    struct wild_guest g;
    char why[120];
    unsigned line = 0;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (read_guest(f, &g)) {
        line++;
        if (!wild_run(&p, &g, why, sizeof(why))) {
            fail_msg("%s:%u: %s", path, line, why);
        }
    }
    fclose(f);
    print_message("%s: %u guests\n", path, line);
    assert_true(line > 0);
    wild_pair_free(&p);
}

static void the_corpus_runs_as_on_the_interpreter(void **state)
{
    run_file("tests/fuzz/corpus.txt");
    run_file("tests/fuzz/differed.txt");
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_bytes_run_as_on_the_interpreter),
        cmocka_unit_test(checking_random_bytes_changes_nothing),
        cmocka_unit_test(the_corpus_runs_as_on_the_interpreter),
    };
    const char *set = getenv("COLDBOOT_TEST_SET");
    programs = set && strcmp(set, "reduced") == 0 ? 50 : programs;
    random_arguments(argc, argv, &programs, &first_seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
