/* SMBIOS tables as a reader walks them (hw/pc/smbios). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench.h"
#include "core/base/bytes.h"
#include "hw/pc/smbios.h"

struct rig {
    struct machine m;
    struct fw_cfg f;
    struct pc_config cfg;
    const uint8_t *entry, *tables;
    uint32_t bytes;
};

static struct rig rig;

static void build(uint64_t ram_bytes)
{
    struct error *err = NULL;

    assert_true(machine_init(&rig.m, CLOCK_VIRTUAL, BENCH_WALL_NS, &err));
    assert_true(machine_ram_init(&rig.m, ram_bytes, MACHINE_LOW_MAX, &err));
    fw_cfg_init(&rig.f, &rig.m);
    if (!smbios_add(&rig.f, &rig.m, &rig.cfg, &err)) {
        fail_msg("%s", error_text(err));
    }
    const struct fw_cfg_item *entry = fw_cfg_find_file(&rig.f, "etc/smbios/smbios-anchor");
    const struct fw_cfg_item *tables = fw_cfg_find_file(&rig.f, "etc/smbios/smbios-tables");
    assert_int_equal(entry->bytes, 31);
    rig.entry = entry->data;
    rig.tables = tables->data;
    rig.bytes = tables->bytes;
}

static int set_up(void **state)
{
    pc_config_init(&rig.cfg);
    return 0;
}

static int tear_down(void **state)
{
    machine_fini(&rig.m);
    return 0;
}

/* Where the structure after the one at @at begins: two zero bytes end the strings. */
static uint32_t next_structure(uint32_t at)
{
    uint32_t end = at + rig.tables[at + 1];
    while (end + 2 <= rig.bytes && ld16le(rig.tables + end) != 0) {
        end++;
    }
    assert_true(end + 2 <= rig.bytes);
    return end + 2;
}

/* The @nth structure of @type (from 0), or NULL. */
static const uint8_t *find(uint8_t type, unsigned nth)
{
    for (uint32_t at = 0; at < rig.bytes; at = next_structure(at)) {
        if (rig.tables[at] == type && nth-- == 0) {
            return rig.tables + at;
        }
    }
    return NULL;
}

/* String @n of a structure, from 1. */
static const char *string(const uint8_t *s, unsigned n)
{
    const char *p = (const char *)s + s[1];
    while (--n != 0) {
        p += strlen(p) + 1;
    }
    return p;
}

static unsigned sum(const uint8_t *p, unsigned n)
{
    unsigned total = 0;
    for (unsigned i = 0; i < n; i++) {
        total += p[i];
    }
    return total & 0xff;
}

static void the_entry_point_describes_the_tables(void **state) /* [SMBIOS] entry point */
{
    unsigned count = 0, largest = 0;

    build(128 * MiB);
    for (uint32_t at = 0; at < rig.bytes; at = next_structure(at)) {
        uint32_t bytes = next_structure(at) - at;
        largest = bytes > largest ? bytes : largest;
        count++;
    }
    assert_memory_equal(rig.entry, "_SM_", 4);
    assert_int_equal(sum(rig.entry, 31), 0);
    assert_int_equal(rig.entry[5], 31);
    assert_memory_equal(rig.entry + 6, "\x02\x08", 2);
    assert_int_equal(ld16le(rig.entry + 8), largest);
    assert_memory_equal(rig.entry + 16, "_DMI_", 5);
    assert_int_equal(sum(rig.entry + 16, 15), 0);
    assert_int_equal(ld16le(rig.entry + 22), rig.bytes);
    assert_int_equal(ld16le(rig.entry + 28), count);
}

static void the_types_come_in_order_and_end_with_127(void **state)
{
    static const uint8_t types[] = {1, 3, 4, 16, 17, 19, 32, 127};
    unsigned n = 0;

    build(128 * MiB);
    for (uint32_t at = 0; at < rig.bytes; at = next_structure(at)) {
        assert_true(n < sizeof(types));
        assert_int_equal(rig.tables[at], types[n++]);
    }
    assert_int_equal(n, sizeof(types));
}

static void structures_have_the_lengths_of_version_2_8(void **state)
{
    static const uint8_t lengths[][2] = {
        {1, 27}, {3, 22}, {4, 42}, {16, 23}, {17, 40}, {19, 31}, {32, 11}, {127, 4},
    };
    build(128 * MiB);
    for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
        assert_int_equal(find(lengths[i][0], 0)[1], lengths[i][1]);
    }
}

static void handles_are_unique(void **state)
{
    rig.cfg.cpus = 4;
    build(40 * GiB);
    for (uint32_t a = 0; a < rig.bytes; a = next_structure(a)) {
        for (uint32_t b = next_structure(a); b < rig.bytes; b = next_structure(b)) {
            assert_int_not_equal(ld16le(rig.tables + a + 2), ld16le(rig.tables + b + 2));
        }
    }
}

static void the_uuids_first_fields_are_little_endian(void **state) /* [SMBIOS] "System - UUID" */
{
    static const uint8_t uuid[16] = {
        0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
        0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
    };
    memcpy(rig.cfg.uuid, uuid, 16);
    build(128 * MiB);
    assert_memory_equal(find(1, 0) + 8,
                        "\x33\x22\x11\x00\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
}

static void texts_can_be_given(void **state)
{
    rig.cfg.smbios.serial = "SN-1";
    rig.cfg.smbios.product = "";
    build(128 * MiB);
    const uint8_t *s = find(1, 0);
    assert_string_equal(string(s, s[4]), "coldboot");
    assert_int_equal(s[5], 0); /* an empty text is none */
    assert_string_equal(string(s, s[7]), "SN-1");
}

static void memory_is_described_in_modules_of_16_gib(void **state)
{
    build(40 * GiB);
    assert_int_equal(ld32le(find(16, 0) + 7), 40u * 1024 * 1024);
    assert_int_equal(ld16le(find(16, 0) + 13), 3);
    assert_int_equal(ld16le(find(17, 0) + 12), 16384);
    assert_int_equal(ld16le(find(17, 2) + 12), 8192);
    assert_null(find(17, 3));
    assert_int_equal(ld32le(find(19, 0) + 8), 3u * 1024 * 1024 - 1);
    assert_int_equal(ld32le(find(19, 1) + 4), 4u * 1024 * 1024);
    assert_int_equal(ld32le(find(19, 1) + 8), 41u * 1024 * 1024 - 1);
}

static void each_cpu_has_a_structure(void **state)
{
    rig.cfg.cpus = 3;
    rig.cfg.cpu_signature = 0x543;
    rig.cfg.cpu_features = 0x8003bd;
    build(128 * MiB);
    assert_string_equal(string(find(4, 2), 1), "CPU 2");
    assert_int_equal(ld32le(find(4, 0) + 8), 0x543);
    assert_int_equal(ld32le(find(4, 0) + 12), 0x8003bd);
    assert_null(find(4, 3));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_entry_point_describes_the_tables),
        T(the_types_come_in_order_and_end_with_127),
        T(structures_have_the_lengths_of_version_2_8),
        T(handles_are_unique),
        T(the_uuids_first_fields_are_little_endian),
        T(texts_can_be_given),
        T(memory_is_described_in_modules_of_16_gib),
        T(each_cpu_has_a_structure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
