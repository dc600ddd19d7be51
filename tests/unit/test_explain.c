/* explain: what it says of images made here, and that no file upsets it. */
#include "core/main/explain/explain.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#define MIB (1024 * 1024u)

/* An image in memory that is written to a file to be explained. */
struct bench {
    char path[64];
    uint8_t *data;
    size_t len;
    struct explained *x;
};

static int setup(void **state)
{
    struct bench *b = NEW(struct bench);
    snprintf(b->path, sizeof(b->path), "/tmp/coldboot-explain-XXXXXX");
    close(mkstemp(b->path));
    b->x = NEW(struct explained);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    unlink(b->path);
    free(b->data);
    free(b->x);
    free(b);
    return 0;
}

static void make(struct bench *b, size_t len)
{
    free(b->data);
    b->data = xcalloc(1, len + 1);
    b->len = len;
}

static const struct explained *explain(struct bench *b)
{
    FILE *f = fopen(b->path, "w");
    struct error *err = NULL;
    assert_non_null(f);
    assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
    fclose(f);
    if (!explain_image(b->x, b->path, &err)) {
        fail_msg("%s", error_text(err));
    }
    return b->x;
}

static void sign(uint8_t *sector)
{
    st16le(sector + 510, 0xaa55);
}

/* A FAT12 or FAT16 volume by its BPB alone. */
static void put_fat(uint8_t *s, unsigned sectors, unsigned cluster, unsigned fat_sectors)
{
    memcpy(s,
           "\xeb\x3c\x90"
           "MAKER1.0",
           11);
    st16le(s + 11, 512);
    s[13] = (uint8_t)cluster;
    st16le(s + 14, 1);
    s[16] = 2;
    st16le(s + 17, 224);
    st16le(s + 19, (uint16_t)sectors);
    s[21] = 0xf0;
    st16le(s + 22, (uint16_t)fat_sectors);
    st16le(s + 24, 18);
    st16le(s + 26, 2);
    s[38] = 0x29;
    memcpy(s + 43, "A LABEL    FAT12   ", 19);
    sign(s);
}

static void put_entry(uint8_t *table, unsigned n, bool active, uint8_t type, uint32_t first,
                      uint32_t count)
{
    uint8_t *e = table + 446 + n * 16;
    e[0] = active ? 0x80 : 0;
    e[4] = type;
    st32le(e + 8, first);
    st32le(e + 12, count);
    sign(table);
}

static void says(const struct explain_verdict *v, bool boots, const char *why)
{
    if (v->boots != boots || strstr(v->why, why) == NULL) {
        fail_msg("it %s: %s", v->boots ? "boots" : "does not boot", v->why);
    }
}

/* ---- images ---------------------------------------------------------------------------------- */

static void a_floppy_has_a_bpb_a_file_system_and_a_geometry(void **state)
{
    struct bench *b = *state;
    make(b, 1440 * 1024);
    put_fat(b->data, 2880, 1, 9);
    const struct explained *x = explain(b);
    assert_string_equal(x->format.name, "raw");
    assert_true(x->sector.signature && x->bpb.present && x->geometry.known);
    assert_string_equal(x->sector.oem, "MAKER1.0");
    assert_string_equal(x->fs.type, "FAT12");
    assert_string_equal(x->fs.label, "A LABEL");
    assert_int_equal(x->fs.bytes, 2880 * 512);
    assert_int_equal(x->bpb.clusters, 2847);
    assert_string_equal(x->geometry.floppy, "1.44M");
    assert_string_equal(x->goes_to, "drive A:");
    says(&x->ways[AS_FLOPPY], true, "first sector");
    says(&x->ways[AS_CD], false, "no ISO 9660");
    says(&x->ways[AS_KERNEL], false, "neither");
}

static void the_signature_decides(void **state)
{
    struct bench *b = *state;
    make(b, 1440 * 1024);
    b->data[0] = 0xf4;
    says(&explain(b)->ways[AS_FLOPPY], false, "ends with 00 00");
    st16le(b->data + 510, 0x55aa);
    says(&explain(b)->ways[AS_DISK], false, "swapped");
    sign(b->data);
    says(&explain(b)->ways[AS_DISK], true, "first sector");
    b->data[0] = 0;
    says(&explain(b)->ways[AS_FLOPPY], true, "zeros will run");
    b->len = 511;
    says(&explain(b)->ways[AS_FLOPPY], false, "less than one sector");
}

static void the_size_of_a_fat_is_its_kind(void **state)
{
    struct bench *b = *state;
    make(b, 32 * MIB);
    put_fat(b->data, 65000, 8, 32);
    assert_string_equal(explain(b)->fs.type, "FAT16");
    memset(b->data, 0, 512);
    put_fat(b->data, 0, 1, 0); /* FAT32: both 16-bit fields are 0 */
    st16le(b->data + 17, 0);
    st32le(b->data + 32, 65536);
    st32le(b->data + 36, 500);
    b->data[66] = 0x29;
    memcpy(b->data + 71, "BIG        ", 11);
    assert_string_equal(explain(b)->fs.type, "FAT32");
    assert_string_equal(b->x->fs.label, "BIG");
    st32le(b->data + 36, 0x7fffffff); /* FATs beyond the end: none */
    assert_null(explain(b)->fs.type);
}

static void primary_and_logical_partitions(void **state)
{
    struct bench *b = *state;
    make(b, 8 * MIB);
    b->data[0] = 0xfa;
    put_entry(b->data, 0, true, 0x06, 63, 4000);
    put_entry(b->data, 1, false, 0x05, 5000, 6000);
    put_fat(b->data + 63 * 512, 4000, 2, 8);
    put_entry(b->data + 5000 * 512, 0, false, 0x83, 1, 100);
    put_entry(b->data + 5000 * 512, 1, false, 0x05, 200, 100);
    put_entry(b->data + 5200 * 512, 0, false, 0x82, 1, 1000000);
    const struct explained *x = explain(b);
    assert_string_equal(x->table.kind, "MBR");
    assert_int_equal(x->table.n, 4);
    assert_true(x->table.list[0].active);
    assert_string_equal(x->table.list[0].type, "06h FAT16");
    assert_string_equal(x->table.list[0].fs.type, "FAT12");
    assert_int_equal(x->table.list[2].number, 5);
    assert_int_equal(x->table.list[2].start, 5001 * 512);
    assert_int_equal(x->table.list[3].start, 5201 * 512);
    assert_true(x->table.list[3].outside && !x->table.list[2].outside);
    says(&x->ways[AS_DISK], true, "the active partition");
    b->data[446] = 0;
    says(&explain(b)->ways[AS_DISK], true, "no partition is active");
}

static void a_chain_of_logical_partitions_that_bites_its_tail_ends(void **state)
{
    struct bench *b = *state;
    make(b, MIB);
    put_entry(b->data, 0, false, 0x0f, 100, 1000);
    put_entry(b->data + 100 * 512, 0, false, 0x83, 1, 10);
    put_entry(b->data + 100 * 512, 1, false, 0x05, 0, 10);
    const struct explained *x = explain(b);
    assert_non_null(strstr(x->table.problem, "has no end"));
    assert_int_equal(x->table.n, EXPLAIN_PARTITIONS);
    assert_true(x->table.more > 0);
}

static void put_gpt(uint8_t *data)
{
    static const uint8_t efi[] = "\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b";
    uint8_t *header = data + 512, *entry = data + 1024;
    put_entry(data, 0, false, 0xee, 1, 0xffffffff);
    memcpy(header, "EFI PART", 8);
    st32le(header + 12, 92);
    st64le(header + 72, 2);
    st32le(header + 80, 4);
    st32le(header + 84, 128);
    memset(entry, 0, 512);
    memcpy(entry, efi, 16);
    st64le(entry + 32, 40);
    st64le(entry + 40, 99);
    st16le(entry + 56, 'h');
    st16le(entry + 58, 0xe9);
    memset(entry + 128, 0x77, 16);
    st64le(entry + 128 + 32, 100);
    st64le(entry + 128 + 40, 100);
    st32le(header + 88, (uint32_t)crc32(0, entry, 512));
    st32le(header + 16, (uint32_t)crc32(0, header, 92));
}

static void a_gpt_names_its_partitions(void **state)
{
    struct bench *b = *state;
    make(b, MIB);
    put_gpt(b->data);
    const struct explain_table *t = &explain(b)->table;
    assert_string_equal(t->kind, "GPT");
    assert_string_equal(t->problem, "");
    assert_int_equal(t->n, 2);
    assert_string_equal(t->list[0].type, "EFI system");
    assert_string_equal(t->list[0].name, "h\xc3\xa9");
    assert_int_equal(t->list[0].bytes, 60 * 512);
    assert_string_equal(t->list[1].type, "77777777-7777-7777-7777-777777777777");
    b->data[1024 + 100] ^= 1;
    assert_non_null(strstr(explain(b)->table.problem, "checksum of the list"));
    st64le(b->data + 1024 + 40, 3);
    assert_non_null(strstr(explain(b)->table.problem, "ends before it begins"));
}

static void put_cd(uint8_t *data)
{
    uint8_t *volume = data + 16 * 2048, *record = volume + 2048, *catalogue = data + 20 * 2048;
    memcpy(volume, "\001CD001\001", 7);
    memcpy(volume + 40, "A DISC                          ", 32);
    st32le(volume + 80, 24);
    st16le(volume + 128, 2048);
    memcpy(record, "\0CD001\001EL TORITO SPECIFICATION", 31);
    st32le(record + 0x47, 20);
    catalogue[0] = 1;
    st16le(catalogue + 30, 0xaa55);
    catalogue[32] = 0x88;
    catalogue[33] = 2;
    st16le(catalogue + 38, 1);
    st32le(catalogue + 40, 21);
    catalogue[64] = 0x91;
    catalogue[65] = 0xef;
    catalogue[66] = 1;
    catalogue[96] = 0x88;
}

static void a_cd_has_a_boot_catalogue(void **state)
{
    struct bench *b = *state;
    make(b, 24 * 2048);
    put_cd(b->data);
    const struct explained *x = explain(b);
    assert_string_equal(x->fs.type, "ISO 9660");
    assert_string_equal(x->fs.label, "A DISC");
    assert_int_equal(x->fs.bytes, 24 * 2048);
    assert_int_equal(x->cd.n, 2);
    assert_string_equal(x->cd.list[0].media, "1.44M floppy");
    assert_string_equal(x->cd.list[1].platform, "EFI");
    assert_string_equal(x->goes_to, "the CD drive");
    says(&x->ways[AS_CD], true, "CD sector 21 to 07C0:0000");
    b->data[20 * 2048 + 32] = 0;
    says(&explain(b)->ways[AS_CD], false, "not marked bootable");
    st32le(b->data + 17 * 2048 + 0x47, 0xffffffff);
    says(&explain(b)->ways[AS_CD], false, "past the end");
    b->data[17 * 2048 + 8] = 0;
    says(&explain(b)->ways[AS_CD], false, "no El Torito");
}

static void file_systems_are_known_by_their_signatures(void **state)
{
    static const struct {
        unsigned off;
        const char *magic;
        unsigned len;
        const char *type;
    } all[] = {
        {3, "NTFS    ", 8, "NTFS"},
        {3, "EXFAT   ", 8, "exFAT"},
        {0, "XFSB", 4, "XFS"},
        {0x10040, "_BHRfS_M", 8, "Btrfs"},
        {0, "hsqs", 4, "SquashFS"},
        {0x410, "\x7f\x13", 2, "MINIX 1"},
        {0x410, "\x78\x24", 2, "MINIX 2 (long names)"},
        {0x418, "\x5a\x4d", 2, "MINIX 3"},
        {4086, "SWAPSPACE2", 10, "Linux swap"},
        {0x438, "\x53\xef", 2, "ext2"},
        {0x400, "H+", 2, "HFS+"},
        {0x2000, "\x49\xe8\x95\xf9", 4, "HPFS"},
        {512, "LABELONE", 8, "LVM physical volume"},
    };
    struct bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        make(b, MIB);
        memcpy(b->data + all[i].off, all[i].magic, all[i].len);
        const char *type = explain(b)->fs.type;
        assert_string_equal(type != NULL ? type : "none", all[i].type);
    }
    make(b, MIB);
    st16le(b->data + 0x438, 0xef53);
    st32le(b->data + 0x404, 1000);
    st32le(b->data + 0x45c, 4);
    memcpy(b->data + 0x478, "root", 4);
    assert_string_equal(explain(b)->fs.type, "ext3");
    assert_string_equal(b->x->fs.label, "root");
    assert_int_equal(b->x->fs.bytes, 1000 * 1024);
    st32le(b->data + 0x460, 0x40);
    assert_string_equal(explain(b)->fs.type, "ext4");
}

static void containers_are_named_with_the_disk_in_them(void **state)
{
    struct bench *b = *state;
    make(b, 65536);
    memcpy(b->data, "QFI\xfb\0\0\0\3", 8);
    st64be(b->data + 24, 5 * MIB);
    const struct explained *x = explain(b);
    assert_string_equal(x->format.name, "qcow2");
    assert_string_equal(x->format.detail, "version 3");
    assert_int_equal(x->format.disk_bytes, 5 * MIB);
    make(b, 65536);
    memcpy(b->data + 0x40, "\x7f\x10\xda\xbe", 4);
    st64le(b->data + 0x170, 7 * MIB);
    assert_string_equal(explain(b)->format.name, "vdi");
    assert_int_equal(b->x->format.disk_bytes, 7 * MIB);
    make(b, 65536);
    memcpy(b->data,
           "\x7f"
           "ELF\2\1",
           6);
    b->data[18] = 62;
    assert_string_equal(explain(b)->format.detail, "64 bits, for x86-64");
    make(b, 1440 * 1024 + 512); /* a fixed VHD is looked into */
    put_fat(b->data, 2880, 1, 9);
    memcpy(b->data + 1440 * 1024, "conectix", 8);
    assert_string_equal(explain(b)->format.detail, "fixed");
    assert_string_equal(b->x->fs.type, "FAT12");
}

static void a_gzip_file_is_looked_into(void **state)
{
    struct bench *b = *state;
    uint8_t plain[4096] = {0};
    z_stream z = {0};
    make(b, 4096);
    put_fat(plain, 2880, 1, 9);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = plain;
    z.avail_in = sizeof(plain);
    z.next_out = b->data;
    z.avail_out = (unsigned)b->len;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    b->len = z.total_out;
    deflateEnd(&z);
    const struct explained *x = explain(b);
    assert_string_equal(x->format.name, "gzip");
    assert_int_equal(x->format.disk_bytes, sizeof(plain));
    assert_string_equal(x->fs.type, "FAT12");
    b->len -= 9; /* the end is missing */
    assert_string_equal(explain(b)->format.detail, "damaged");
    says(&b->x->ways[AS_FLOPPY], false, "gzip");
}

static void kernels_are_found(void **state)
{
    struct bench *b = *state;
    make(b, 8192);
    memcpy(b->data + 0x202, "HdrS\x0f\x02", 6);
    b->data[0x211] = 1;
    st16le(b->data + 0x20e, 0x100);
    memcpy(b->data + 0x300, "9.9-test", 8);
    says(&explain(b)->ways[AS_KERNEL], true, "bzImage, boot protocol 2.15): 9.9-test");
    st16le(b->data + 0x20e, 0xffff);
    says(&explain(b)->ways[AS_KERNEL], true, "protocol 2.15)");
    make(b, 8192);
    st32le(b->data + 64, 0x1badb002);
    st32le(b->data + 72, (uint32_t)-0x1badb002);
    says(&explain(b)->ways[AS_KERNEL], true, "multiboot 1");
    make(b, 8192);
    st32le(b->data + 8, 0xe85250d6);
    st32le(b->data + 20, (uint32_t)-0xe85250d6);
    says(&explain(b)->ways[AS_KERNEL], false, "multiboot 2");
}

/* ---- hostile files --------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Valid images with random damage: every report prints, whatever they say. */
static void no_file_upsets_it(void **state)
{
    struct bench *b = *state;
    uint32_t seed = 1;
    const char *set = getenv("COLDBOOT_TEST_SET");
    unsigned rounds = set != NULL && strcmp(set, "reduced") == 0 ? 200 : 1500;
    for (unsigned round = 0; round < rounds; round++) {
        make(b, 24 * 2048 + next_random(&seed) % 65536);
        if (round % 4 == 0) {
            put_gpt(b->data);
        } else {
            put_fat(b->data, 96, 1, 1);
            put_entry(b->data, 1, false, 0x05, 10 + next_random(&seed) % 20, 50);
            put_entry(b->data + 20 * 512, 1, false, 0x05, next_random(&seed) % 20, 50);
        }
        put_cd(b->data);
        for (unsigned i = next_random(&seed) % 64; i > 0; i--) {
            unsigned near = next_random(&seed) % 2 ? 1024 : (unsigned)b->len;
            b->data[next_random(&seed) % near] =
                (uint8_t)(next_random(&seed) % 5 ? next_random(&seed) : 0xff);
        }
        b->len = next_random(&seed) % 8 ? b->len : next_random(&seed) % b->len + 1;
        struct text out = {0};
        explain_text(explain(b), &out);
        explain_json(b->x, &out);
        assert_true(out.len > 100);
        text_free(&out);
    }
}

static void the_command_wants_files(void **state)
{
    struct text out = {0};
    struct error *err = NULL;
    char json[] = "--json", yaml[] = "--yaml", path[] = "/nonexistent/image";
    char *none[] = {json}, *unknown[] = {yaml, path}, *missing[] = {path};
    assert_false(explain_command(1, none, &out, &err));
    assert_non_null(strstr(error_text(err), "needs a file"));
    error_free(err);
    err = NULL;
    assert_false(explain_command(2, unknown, &out, &err));
    assert_non_null(strstr(error_text(err), "--yaml"));
    error_free(err);
    err = NULL;
    assert_false(explain_command(1, missing, &out, &err));
    assert_non_null(strstr(error_text(err), "explain: open /nonexistent/image"));
    error_free(err);
    text_free(&out);
}

static void a_bad_file_does_not_hide_the_next(void **state)
{
    struct text out = {0};
    struct error *err = NULL;
    char missing[] = "/nonexistent/image", self[] = "/proc/self/exe";
    char *files[] = {missing, self};
    assert_false(explain_command(2, files, &out, &err));
    assert_non_null(strstr(error_text(err), "explain: open /nonexistent/image"));
    assert_int_equal(strncmp(text_str(&out), "/proc/self/exe: ", 16), 0);
    error_free(err);
    text_free(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_floppy_has_a_bpb_a_file_system_and_a_geometry),
        TEST(the_signature_decides),
        TEST(the_size_of_a_fat_is_its_kind),
        TEST(primary_and_logical_partitions),
        TEST(a_chain_of_logical_partitions_that_bites_its_tail_ends),
        TEST(a_gpt_names_its_partitions),
        TEST(a_cd_has_a_boot_catalogue),
        TEST(file_systems_are_known_by_their_signatures),
        TEST(containers_are_named_with_the_disk_in_them),
        TEST(a_gzip_file_is_looked_into),
        TEST(kernels_are_found),
        TEST(no_file_upsets_it),
        cmocka_unit_test(the_command_wants_files),
        cmocka_unit_test(a_bad_file_does_not_hide_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
