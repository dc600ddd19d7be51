/* Finding and reading firmware files (hw/pc/firmware). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "hw/pc/firmware.h"

#define ENV "COLDBOOT_BIOS_DIR"

struct rig {
    char dir[64];            /* the working directory of the test */
    char *old_dir, *old_env;
};

static int set_up(void **state)
{
    struct rig *r = NEW(struct rig);
    const char *env = getenv(ENV);

    strcpy(r->dir, "/tmp/coldboot-firmware-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    r->old_dir = getcwd(NULL, 0);
    r->old_env = env != NULL ? xstrdup(env) : NULL;
    unsetenv(ENV);
    assert_int_equal(chdir(r->dir), 0);
    assert_int_equal(mkdir("bios", 0755), 0);
    assert_int_equal(mkdir("given", 0755), 0);
    assert_int_equal(mkdir("named", 0755), 0);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    char *command = xasprintf("rm -rf %s", r->dir);

    assert_int_equal(chdir(r->old_dir), 0);
    if (r->old_env != NULL) {
        setenv(ENV, r->old_env, 1);
    }
    (void)!system(command);
    free(command);
    free(r->old_dir);
    free(r->old_env);
    free(r);
    return 0;
}

/* A file of @bytes that starts with @mark. */
static void make_file(const char *path, size_t bytes, char mark)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    if (bytes != 0) {
        fputc(mark, f);
        assert_int_equal(ftruncate(fileno(f), (off_t)bytes), 0);
    }
    fclose(f);
}

static void assert_refused(const char *dir, const char *name, const char *why)
{
    struct firmware f;
    struct error *err = NULL;

    assert_false(firmware_load_bios(&f, dir, name, &err));
    if (strstr(error_text(err), why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error_text(err), why);
    }
    assert_null(f.data);
    error_free(err);
}

static void assert_mark(const char *dir, const char *name, char mark)
{
    struct firmware f;
    struct error *err = NULL;

    if (!firmware_load(&f, dir, name, &err)) {
        fail_msg("%s", error_text(err));
    }
    assert_int_equal(f.data[0], mark);
    assert_non_null(strstr(f.path, name));
    firmware_free(&f);
    assert_null(f.data);
}

static void places_are_searched_in_order(void **state)
{
    setenv(ENV, "named", 1);
    make_file("named/x.bin", 10, 'n');
    assert_mark("given", "x.bin", 'n');
    make_file("bios/x.bin", 10, 'b');
    assert_mark("given", "x.bin", 'b');
    make_file("given/x.bin", 10, 'g');
    assert_mark("given", "x.bin", 'g');
    assert_mark(NULL, "x.bin", 'b');
    assert_mark(NULL, "named/x.bin", 'n');
}

static void what_is_not_found_names_the_package(void **state)
{
    assert_refused("given", "no-such.bin", "no-such.bin not found");
    assert_refused("given", "no-such.bin", "given");
    assert_refused(NULL, "no-such.bin", "package seabios");
    assert_refused(NULL, "./no-such.bin", "No such file");
}

static void a_bios_has_64_128_or_256_kib(void **state)
{
    static const size_t good[] = {64 * KiB, 128 * KiB, 256 * KiB};
    struct firmware f;

    for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
        make_file("b.bin", good[i], 'x');
        assert_true(firmware_load_bios(&f, NULL, "b.bin", NULL)); /* in the working directory */
        assert_int_equal(f.bytes, good[i]);
        firmware_free(&f);
    }
    make_file("b.bin", 100 * KiB, 'x');
    assert_refused(NULL, "b.bin", "64, 128 or 256 KiB");
    make_file("b.bin", 0, 'x');
    assert_refused(NULL, "b.bin", "empty");
    make_file("b.bin", 17 * MiB, 'x');
    assert_refused(NULL, "b.bin", "16 MiB");
    assert_refused(NULL, "./bios", "not a file");
}

static void a_bad_file_ends_the_search(void **state)
{
    setenv(ENV, "named", 1);
    make_file("named/bios-256k.bin", 256 * KiB, 'n');
    make_file("bios/bios-256k.bin", 0, 'b');
    assert_refused(NULL, NULL, "empty");
}

static void the_large_bios_comes_before_the_small_one(void **state)
{
    struct firmware f;

    make_file("bios/bios.bin", 128 * KiB, 's');
    make_file("bios/bios-256k.bin", 256 * KiB, 'l');
    assert_true(firmware_load_bios(&f, NULL, NULL, NULL));
    assert_int_equal(f.data[0], 'l');
    firmware_free(&f);
}

static void an_unreadable_file_says_why(void **state)
{
    if (geteuid() == 0) {
        skip(); /* root reads everything */
    }
    make_file("b.bin", 64 * KiB, 'x');
    assert_int_equal(chmod("b.bin", 0), 0);
    assert_refused(NULL, "./b.bin", "Permission denied");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(places_are_searched_in_order),
        T(what_is_not_found_names_the_package),
        T(a_bios_has_64_128_or_256_kib),
        T(a_bad_file_ends_the_search),
        T(the_large_bios_comes_before_the_small_one),
        T(an_unreadable_file_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
