/* CMOS contents for firmware, against values that QEMU's `pc` has (hw/pc/cmos). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench.h"
#include "hw/pc/cmos.h"

struct byte {
    uint8_t index, value;
};

/* Fills the CMOS of a machine with @ram_bytes and compares. */
static void check(uint64_t ram_bytes, const struct pc_config *cfg, unsigned drive_a,
                  unsigned drive_b, const struct byte *want, unsigned n)
{
    const unsigned drives[PC_FLOPPIES] = {drive_a, drive_b};
    static struct mc146818 rtc;
    struct machine m;
    struct error *err = NULL;

    assert_true(machine_init(&m, CLOCK_VIRTUAL, BENCH_WALL_NS, &err));
    assert_true(machine_ram_init(&m, ram_bytes, cfg->low_max, &err));
    mc146818_init(&rtc, &m, 0x70, NULL);
    cmos_fill(&rtc, &m, cfg, drives, NULL);
    machine_reset(&m); /* the memory survives it */
    for (unsigned i = 0; i < n; i++) {
        if (mc146818_cmos_get(&rtc, want[i].index) != want[i].value) {
            fail_msg("byte %02x is %02x, not %02x", want[i].index,
                     mc146818_cmos_get(&rtc, want[i].index), want[i].value);
        }
    }
    machine_fini(&m);
}

#define CHECK(ram, cfg, a, b, ...)                                                                 \
    do {                                                                                           \
        static const struct byte want[] = {__VA_ARGS__};                                           \
        check(ram, cfg, a, b, want, ARRAY_SIZE(want));                                             \
    } while (0)

static struct pc_config defaults(void)
{
    struct pc_config cfg;
    pc_config_init(&cfg);
    return cfg;
}

static void memory_of_128_mib(void **state)
{
    struct pc_config cfg = defaults();
    CHECK(128 * MiB, &cfg, 4, 0, {0x15, 0x80}, {0x16, 0x02}, {0x17, 0xff}, {0x18, 0xff},
          {0x30, 0xff}, {0x31, 0xff}, {0x34, 0x00}, {0x35, 0x07}, {0x5b, 0}, {0x5c, 0}, {0x5d, 0});
}

static void memory_of_8_mib(void **state)
{
    struct pc_config cfg = defaults();
    CHECK(8 * MiB, &cfg, 4, 0, {0x17, 0x00}, {0x18, 0x1c}, {0x30, 0x00}, {0x31, 0x1c}, {0x34, 0},
          {0x35, 0});
}

static void memory_of_1_mib(void **state)
{
    struct pc_config cfg = defaults();
    CHECK(1 * MiB, &cfg, 4, 0, {0x15, 0x80}, {0x16, 0x02}, {0x17, 0}, {0x18, 0}, {0x34, 0});
}

static void memory_of_5_gib(void **state)
{
    struct pc_config cfg = defaults();
    CHECK(5 * GiB, &cfg, 4, 0, {0x17, 0xff}, {0x18, 0xff}, {0x34, 0x00}, {0x35, 0xbf}, {0x5b, 0x00},
          {0x5c, 0x80}, {0x5d, 0x00});
}

static void memory_of_64_gib(void **state)
{
    struct pc_config cfg = defaults();
    CHECK(64 * GiB, &cfg, 4, 0, {0x5b, 0x00}, {0x5c, 0x40}, {0x5d, 0x0f});
}

static void floppy_types_and_equipment(void **state)
{
    struct pc_config cfg = defaults();
    CHECK(MiB, &cfg, 5, 0, {0x10, 0x50}, {0x14, 0x07});
    CHECK(MiB, &cfg, 4, 4, {0x10, 0x44}, {0x14, 0x47});
    CHECK(MiB, &cfg, 0, 0, {0x10, 0x00}, {0x14, 0x06});
    CHECK(MiB, &cfg, 2, 0, {0x10, 0x20}, {0x14, 0x07});
}

static void boot_order(void **state)
{
    struct pc_config cfg = defaults();
    CHECK(MiB, &cfg, 4, 0, {0x3d, 0x12}, {0x38, 0x30});
    cfg.boot_order = "a";
    CHECK(MiB, &cfg, 4, 0, {0x3d, 0x01}, {0x38, 0x00});
    cfg.boot_order = "ndca";
    CHECK(MiB, &cfg, 4, 0, {0x3d, 0x34}, {0x38, 0x20});
    cfg.boot_order = NULL;
    CHECK(MiB, &cfg, 4, 0, {0x3d, 0x00}, {0x38, 0x00});
    cfg.boot_order = "a";
    cfg.fd_bootchk = false;
    CHECK(MiB, &cfg, 4, 0, {0x3d, 0x01}, {0x38, 0x01});
}

static void the_rest(void **state)
{
    struct pc_config cfg = defaults();
    CHECK(MiB, &cfg, 4, 0, {0x0f, 0}, {0x12, 0}, {0x19, 0}, {0x1a, 0}, {0x39, 0}, {0x5f, 0},
          {0x32, 0x20}, {0x37, 0x20}, {0x0d, 0x80});
    cfg.cpus = 4;
    CHECK(MiB, &cfg, 4, 0, {0x5f, 3});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_128_mib),
        cmocka_unit_test(memory_of_8_mib),
        cmocka_unit_test(memory_of_1_mib),
        cmocka_unit_test(memory_of_5_gib),
        cmocka_unit_test(memory_of_64_gib),
        cmocka_unit_test(floppy_types_and_equipment),
        cmocka_unit_test(boot_order),
        cmocka_unit_test(the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
