/* -kernel: what is read from kernels' files, where the pieces go, what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "hw/pc/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/test_kernel-XXXXXX";
static char path_a[64], path_b[64];

static void put_file(char *path, const char *name, const void *data, size_t n)
{
    snprintf(path, sizeof(path_a), "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    fclose(f);
}

/* A kernel of protocol 2.15: 2 sectors of setup code, 3000 bytes behind. */
static void make_linux(uint8_t *file)
{
    memset(file, 0, 4536);
    file[0x1f1] = 2;
    memcpy(file + 0x202, "HdrS", 4);
    st16le(file + 0x206, 0x20f);
    file[0x211] = 1;
    st32le(file + 0x22c, 0x7fffffff);
    st32le(file + 0x238, 100);
}

static void linux_goes_where_its_header_says(void **state)
{
    uint8_t file[4536], disk[5000] = {0};
    struct kernel k;
    make_linux(file);
    put_file(path_a, "kernel", file, sizeof(file));
    put_file(path_b, "initrd", disk, sizeof(disk));
    const struct kernel_files files = {path_a, path_b, "quiet", 64 * MiB};
    assert_true(kernel_load(&k, &files, NULL));
    const uint8_t *hdr = k.setup.data.data;
    assert_int_equal(k.entry, 0);
    assert_int_equal(k.setup.addr, 0x10000);
    assert_int_equal(k.setup.data.len, 3 * 512);
    assert_int_equal(k.image.addr, 0x100000);
    assert_int_equal(k.image.data.len, 3000);
    assert_int_equal(k.initrd.data.len, 5000);
    assert_int_equal(k.initrd.addr % 4096, 0);
    assert_true(k.initrd.addr + 5000 <= 64 * MiB - 512 * KiB && k.initrd.addr > 60 * MiB);
    assert_int_equal(ld32le(hdr + 0x218), k.initrd.addr);
    assert_int_equal(ld32le(hdr + 0x21c), 5000);
    assert_int_equal(ld32le(hdr + 0x228), k.cmdline.addr);
    assert_string_equal((char *)k.cmdline.data.data, "quiet");
    assert_int_equal(hdr[0x211], 0x81);
    kernel_free(&k);
}

static void an_initrd_stays_below_the_kernels_limit(void **state)
{
    uint8_t file[4536];
    struct kernel k;
    make_linux(file);
    st32le(file + 0x22c, 0x1ffffff);
    put_file(path_a, "kernel", file, sizeof(file));
    put_file(path_b, "initrd", file, 1000);
    const struct kernel_files files = {path_a, path_b, NULL, 64 * MiB};
    assert_true(kernel_load(&k, &files, NULL));
    assert_int_equal(k.initrd.addr, 0x1fff000);
    kernel_free(&k);
}

static void refused(const void *file, size_t n, const char *initrd, const char *append,
                    uint64_t ram, const char *words)
{
    struct kernel k;
    struct error *err = NULL;
    put_file(path_a, "kernel", file, n);
    const struct kernel_files files = {path_a, initrd, append, ram};
    assert_false(kernel_load(&k, &files, &err));
    if (strstr(error_text(err), words) == NULL) {
        fail_msg("%s", error_text(err));
    }
    error_free(err);
}

static void what_cannot_be_started_is_refused(void **state)
{
    uint8_t file[4536];
    char line[128];
    make_linux(file);
    memset(line, 'x', sizeof(line));
    line[127] = '\0';
    refused("hello", 5, NULL, NULL, 64 * MiB, "neither a Linux nor a multiboot kernel");
    refused(file, sizeof(file), NULL, line, 64 * MiB, "-append: more than");
    refused(file, sizeof(file), "/none/there", NULL, 64 * MiB, "open /none/there");
    refused(file, sizeof(file), path_b, NULL, MiB, "do not fit");
    file[0x1f1] = 30;
    refused(file, sizeof(file), NULL, NULL, 64 * MiB, "within the setup code");
}

/* ---- multiboot ---- */

static void put_header(uint8_t *p, uint32_t flags)
{
    st32le(p, 0x1badb002);
    st32le(p + 4, flags);
    st32le(p + 8, 0u - 0x1badb002 - flags);
}

/* ELF with one segment of 100 bytes of file, 5000 of memory at 2 MiB; its header is at 84. */
static void make_elf(uint8_t *file)
{
    memset(file, 0, 512);
    memcpy(file, "\177ELF\1", 5);
    st32le(file + 24, 0x200010);
    st32le(file + 28, 52);
    st16le(file + 42, 32);
    st16le(file + 44, 1);
    uint8_t *p = file + 52;
    st32le(p, 1);
    st32le(p + 4, 200);
    st32le(p + 12, 0x200000);
    st32le(p + 16, 100);
    st32le(p + 20, 5000);
    file[200] = 0x77;
    put_header(file + 84, 2);
}

static void elf_segments_and_modules(void **state)
{
    uint8_t file[512];
    char modules[256];
    struct kernel k;
    make_elf(file);
    put_file(path_a, "kernel", file, sizeof(file));
    put_file(path_b, "module", "module", 6);
    snprintf(modules, sizeof(modules), "%s one,%s two", path_b, path_b);
    const struct kernel_files files = {path_a, modules, "arguments", 64 * MiB};
    assert_true(kernel_load(&k, &files, NULL));
    assert_int_equal(k.entry, 0x200010);
    assert_int_equal(k.image.addr, 0x200000);
    assert_int_equal(k.image.data.len, 5000);
    assert_int_equal(k.image.data.data[0], 0x77);
    assert_int_equal(k.image.data.data[4999], 0);
    const uint8_t *info = k.setup.data.data;
    assert_int_equal(ld32le(info) & 0x4d, 0x4d);
    assert_int_equal(ld32le(info + 20), 2);
    const char *line = (const char *)info + (ld32le(info + 16) - k.setup.addr);
    assert_string_equal(strchr(line, ' '), " arguments");
    const uint8_t *list = info + (ld32le(info + 24) - k.setup.addr);
    assert_int_equal(ld32le(list) % 4096, 0);
    assert_int_equal(ld32le(list + 4) - ld32le(list), 6);
    assert_true(ld32le(list) >= k.image.addr + 5000);
    assert_int_equal(ld32le(list + 16) - k.initrd.addr, 4096);
    line = (const char *)info + (ld32le(list + 16 + 8) - k.setup.addr);
    assert_string_equal(strchr(line, ' '), " two");
    kernel_free(&k);
}

static void addresses_in_the_header(void **state)
{
    uint8_t file[512] = {0};
    struct kernel k;
    put_header(file + 64, 0x10000);
    st32le(file + 64 + 12, 0x300020); /* header, load, end of load, end of bss, entry */
    st32le(file + 64 + 16, 0x300000);
    st32le(file + 64 + 20, 0x300100);
    st32le(file + 64 + 24, 0x301000);
    st32le(file + 64 + 28, 0x300044);
    file[32] = 0x55;
    put_file(path_a, "kernel", file, sizeof(file));
    const struct kernel_files files = {path_a, NULL, NULL, 64 * MiB};
    assert_true(kernel_load(&k, &files, NULL));
    assert_int_equal(k.entry, 0x300044);
    assert_int_equal(k.image.addr, 0x300000);
    assert_int_equal(k.image.data.len, 0x1000);
    assert_int_equal(k.image.data.data[0], 0x55);
    kernel_free(&k);
    st32le(file + 64 + 20, 0x302000);
    refused(file, sizeof(file), NULL, NULL, 64 * MiB, "outside the file");
    st32le(file + 64 + 20, 0x200000);
    refused(file, sizeof(file), NULL, NULL, 64 * MiB, "outside the file");
    st32le(file + 64 + 20, 0);
    st32le(file + 64 + 24, 0xf0000000);
    refused(file, sizeof(file), NULL, NULL, 64 * MiB, "more memory");
    st32le(file + 64 + 12, 0x400000);
    refused(file, sizeof(file), NULL, NULL, 64 * MiB, "outside the file");
}

static void headers_that_lie_are_refused(void **state)
{
    static const struct { unsigned at; uint32_t val; } lies[] = {
        {28, 0xfffffff0}, {52 + 4, 500}, {52 + 12, 0xfffff000}, {52 + 16, 6000},
        {52 + 20, 0xffffffff},
    };
    uint8_t file[512];
    for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
        make_elf(file);
        st32le(file + lies[i].at, lies[i].val);
        refused(file, sizeof(file), NULL, NULL, 64 * MiB, "outside the file");
    }
    make_elf(file);
    file[4] = 2;
    refused(file, sizeof(file), NULL, NULL, 64 * MiB, "must be ELF of 32 bits");
    make_elf(file);
    put_header(file + 84, 8);
    refused(file, sizeof(file), NULL, NULL, 64 * MiB, "features 0008");
    make_elf(file);
    st16le(file + 44, 0);
    refused(file, sizeof(file), NULL, NULL, 64 * MiB, "nothing in it");
}

int main(void)
{
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linux_goes_where_its_header_says),
        cmocka_unit_test(an_initrd_stays_below_the_kernels_limit),
        cmocka_unit_test(what_cannot_be_started_is_refused),
        cmocka_unit_test(elf_segments_and_modules),
        cmocka_unit_test(addresses_in_the_header),
        cmocka_unit_test(headers_that_lie_are_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const names[] = {"kernel", "initrd", "module"};
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        snprintf(path_a, sizeof(path_a), "%s/%s", folder, names[i]);
        unlink(path_a);
    }
    rmdir(folder);
    return failed;
}
