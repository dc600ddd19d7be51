/* 82441FX: every PAM segment in every mode, SMRAM, the BIOS ROM, RAM around the PCI hole
 * (hw/i440fx). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench.h"
#include "core/base/error.h"
#include "hw/i440fx/pmc.h"

#define BIOS_BYTES (256 * KiB)

struct rig {
    struct bench b;
    struct pmc pmc;
    struct region vga;
    uint8_t bios[BIOS_BYTES];
    uint8_t vga_last;
    unsigned vga_writes;
};

static uint64_t vga_read(void *dev, uint64_t off, unsigned size)
{
    return 0x76;
}

static void vga_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct rig *r = dev;
    r->vga_last = (uint8_t)val;
    r->vga_writes++;
}

static const struct region_ops vga_ops = {.read = vga_read, .write = vga_write, .width = 1};

static uint8_t bios_byte(uint32_t off)
{
    return (uint8_t)(0x80 | (off >> 14)); /* tells one 16 KiB piece from another */
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    struct error *err = NULL;

    bench_init(&r->b);
    for (uint32_t i = 0; i < BIOS_BYTES; i++) {
        r->bios[i] = bios_byte(i);
    }
    if (!pmc_init(&r->pmc, &r->b.m, r->bios, BIOS_BYTES, &err)) {
        fail_msg("%s", error_text(err));
    }
    region_io(&r->vga, "vga", &vga_ops, r, 0x20000);
    region_map(&r->pmc.pci_mem, &r->vga, 0xa0000, 0);
    bench_power_on(&r->b);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    bench_fini(&r->b);
    free(r);
    return 0;
}

static void cfg_out8(struct rig *r, unsigned reg, uint8_t val)
{
    bench_out32(&r->b, 0xcf8, 0x80000000u | (reg & 0xfc));
    bench_out8(&r->b, (uint16_t)(0xcfc + (reg & 3)), val);
}

static uint8_t cfg_in8(struct rig *r, unsigned reg)
{
    bench_out32(&r->b, 0xcf8, 0x80000000u | (reg & 0xfc));
    return bench_in8(&r->b, (uint16_t)(0xcfc + (reg & 3)));
}

static uint8_t mem_in8(struct rig *r, uint64_t addr)
{
    return (uint8_t)space_read(&r->b.m.mem, addr, 1);
}

static void mem_out8(struct rig *r, uint64_t addr, uint8_t val)
{
    space_write(&r->b.m.mem, addr, val, 1);
}

static uint8_t smm_in8(struct rig *r, uint64_t addr)
{
    return (uint8_t)space_read(&r->b.m.smm, addr, 1);
}

static uint8_t *dram(struct rig *r, uint32_t addr)
{
    return ram_host(&r->b.m.ram_low) + addr;
}

/* What the PCI side gives at @addr: ROM in the last 128 KiB of the first MiB, else nothing. */
static uint8_t pci_byte(uint32_t addr)
{
    return addr >= 0xe0000 ? bios_byte(BIOS_BYTES - 0x100000 + addr) : 0xff;
}

struct segment {
    uint32_t first, last;
    uint8_t reg, shift;
};

static const struct segment segments[] = { /* [82441FX] PAM, table */
    {0xf0000, 0xfffff, 0x59, 4},
    {0xc0000, 0xc3fff, 0x5a, 0}, {0xc4000, 0xc7fff, 0x5a, 4},
    {0xc8000, 0xcbfff, 0x5b, 0}, {0xcc000, 0xcffff, 0x5b, 4},
    {0xd0000, 0xd3fff, 0x5c, 0}, {0xd4000, 0xd7fff, 0x5c, 4},
    {0xd8000, 0xdbfff, 0x5d, 0}, {0xdc000, 0xdffff, 0x5d, 4},
    {0xe0000, 0xe3fff, 0x5e, 0}, {0xe4000, 0xe7fff, 0x5e, 4},
    {0xe8000, 0xebfff, 0x5f, 0}, {0xec000, 0xeffff, 0x5f, 4},
};

/* One byte at @addr under a field's mode: bit 0 reads from DRAM, bit 1 writes to DRAM. */
static void check_mode(struct rig *r, uint32_t addr, unsigned mode)
{
    *dram(r, addr) = 0x11;
    mem_out8(r, addr, 0x22);
    assert_int_equal(*dram(r, addr), mode & 2 ? 0x22 : 0x11);
    assert_int_equal(mem_in8(r, addr), mode & 1 ? *dram(r, addr) : pci_byte(addr));
}

static void each_pam_field_steers_its_segment_and_no_other(void **state)
{
    struct rig *r = *state;

    for (unsigned s = 0; s < ARRAY_SIZE(segments); s++) {
        for (unsigned mode = 0; mode < 4; mode++) {
            cfg_out8(r, segments[s].reg, (uint8_t)(mode << segments[s].shift));
            for (unsigned t = 0; t < ARRAY_SIZE(segments); t++) {
                check_mode(r, segments[t].first, t == s ? mode : 0);
                check_mode(r, segments[t].last, t == s ? mode : 0);
            }
            cfg_out8(r, segments[s].reg, 0);
        }
    }
}

static void all_pam_registers_take_one_dword(void **state)
{
    struct rig *r = *state;
    bench_out32(&r->b, 0xcf8, 0x80000058);
    bench_out32(&r->b, 0xcfc, 0x33333000); /* 59h..5Bh */
    bench_out32(&r->b, 0xcf8, 0x8000005c);
    bench_out32(&r->b, 0xcfc, 0x33333333);
    for (unsigned s = 0; s < ARRAY_SIZE(segments); s++) {
        check_mode(r, segments[s].first, 3);
    }
}

static void the_bios_is_under_4_gib_and_under_1_mib(void **state)
{
    struct rig *r = *state;
    assert_int_equal(mem_in8(r, 4 * GiB - BIOS_BYTES), bios_byte(0));
    assert_int_equal(mem_in8(r, 4 * GiB - BIOS_BYTES - 1), 0xff);
    assert_int_equal(mem_in8(r, 0xffffffff), bios_byte(BIOS_BYTES - 1));
    assert_int_equal(mem_in8(r, 0xe0000), bios_byte(BIOS_BYTES - 0x20000));
    assert_int_equal(mem_in8(r, 0xfffff), bios_byte(BIOS_BYTES - 1));
    assert_int_equal(mem_in8(r, 0xdffff), 0xff);
    mem_out8(r, 0xffffffff, 0);
    mem_out8(r, 0xfffff, 0);
    assert_int_equal(mem_in8(r, 0xffffffff), bios_byte(BIOS_BYTES - 1));
}

static void bios_images_of_64_and_128_kib_end_at_1_mib(void **state)
{
    static const size_t sizes[] = {64 * KiB, 128 * KiB};

    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        static uint8_t image[128 * KiB];
        struct bench b;
        struct pmc pmc;
        struct error *err = NULL;
        memset(image, 0x42, sizes[i]);
        bench_init(&b);
        assert_true(pmc_init(&pmc, &b.m, image, sizes[i], &err));
        bench_power_on(&b);
        assert_int_equal(space_read(&b.m.mem, MiB - sizes[i], 1), 0x42);
        assert_int_equal(space_read(&b.m.mem, MiB - sizes[i] - 1, 1), 0xff);
        assert_int_equal(space_read(&b.m.mem, 4 * GiB - sizes[i], 1), 0x42);
        bench_fini(&b);
    }
}

static void a_bios_of_another_size_is_refused(void **state)
{
    static const uint8_t image[100000];
    struct bench b;
    struct pmc pmc;
    struct error *err = NULL;

    bench_init(&b);
    assert_false(pmc_init(&pmc, &b.m, image, sizeof(image), &err));
    assert_non_null(strstr(error_text(err), "64, 128 or 256 KiB"));
    error_free(err);
    bench_fini(&b);
}

static void the_vga_window_goes_to_pci(void **state)
{
    struct rig *r = *state;
    assert_int_equal(mem_in8(r, 0xa0000), 0x76);
    assert_int_equal(mem_in8(r, 0xbffff), 0x76);
    assert_int_equal(mem_in8(r, 0x9ffff), 0);
    mem_out8(r, 0xb8000, 0x12);
    assert_int_equal(r->vga_last, 0x12);
    assert_int_equal(*dram(r, 0xb8000), 0);
}

static void open_smram_is_seen_by_everyone(void **state) /* [82441FX] SMRAM, D_OPEN */
{
    struct rig *r = *state;
    cfg_out8(r, 0x72, 0x4a);
    mem_out8(r, 0xa8000, 0x99);
    assert_int_equal(*dram(r, 0xa8000), 0x99);
    assert_int_equal(mem_in8(r, 0xa8000), 0x99);
    cfg_out8(r, 0x72, 0x0a);
    assert_int_equal(mem_in8(r, 0xa8000), 0x76);
    cfg_out8(r, 0x72, 0x42); /* open, but not enabled */
    assert_int_equal(mem_in8(r, 0xa8000), 0x76);
}

static void enabled_smram_is_seen_in_smm_only(void **state)
{
    struct rig *r = *state;
    *dram(r, 0xa8000) = 0x99;
    assert_int_equal(smm_in8(r, 0xa8000), 0x76);
    cfg_out8(r, 0x72, 0x0a);
    assert_int_equal(smm_in8(r, 0xa8000), 0x99);
    assert_int_equal(mem_in8(r, 0xa8000), 0x76);
    assert_int_equal(smm_in8(r, 0xfffff), bios_byte(BIOS_BYTES - 1));
    space_write(&r->b.m.smm, 0xbffff, 0x44, 1);
    assert_int_equal(*dram(r, 0xbffff), 0x44);
    assert_int_equal(r->vga_writes, 0);
}

static void closed_smram_sends_smm_writes_to_pci(void **state) /* D_CLS */
{
    struct rig *r = *state;
    *dram(r, 0xb8000) = 0x99;
    cfg_out8(r, 0x72, 0x2a);
    space_write(&r->b.m.smm, 0xb8000, 0x44, 1);
    assert_int_equal(r->vga_last, 0x44);
    assert_int_equal(*dram(r, 0xb8000), 0x99);
    assert_int_equal(smm_in8(r, 0xb8000), 0x99);
}

static void a_locked_smram_stays_locked_until_reset(void **state) /* D_LCK */
{
    struct rig *r = *state;
    cfg_out8(r, 0x72, 0x5a); /* open, lock, enable: locking closes */
    assert_int_equal(cfg_in8(r, 0x72), 0x1a);
    assert_int_equal(mem_in8(r, 0xa8000), 0x76);
    cfg_out8(r, 0x72, 0x42);
    assert_int_equal(cfg_in8(r, 0x72), 0x1a);
    cfg_out8(r, 0x72, 0x20);
    assert_int_equal(cfg_in8(r, 0x72), 0x3a);
    bench_reset(&r->b);
    assert_int_equal(cfg_in8(r, 0x72), 0x02);
    cfg_out8(r, 0x72, 0x4a);
    assert_int_equal(cfg_in8(r, 0x72), 0x4a);
}

static void reset_sends_everything_to_pci(void **state)
{
    struct rig *r = *state;
    for (unsigned reg = 0x59; reg <= 0x5f; reg++) {
        cfg_out8(r, reg, 0x33);
    }
    cfg_out8(r, 0x72, 0x4a);
    bench_reset(&r->b);
    for (unsigned s = 0; s < ARRAY_SIZE(segments); s++) {
        check_mode(r, segments[s].first, 0);
    }
    assert_int_equal(mem_in8(r, 0xa0000), 0x76);
    assert_int_equal(cfg_in8(r, 0x59), 0);
    assert_int_equal(cfg_in8(r, 0x72), 0x02);
}

static void the_header_is_that_of_a_440fx(void **state)
{
    struct rig *r = *state;
    bench_out32(&r->b, 0xcf8, 0x80000000);
    assert_int_equal(bench_in32(&r->b, 0xcfc), 0x12378086);
    bench_out32(&r->b, 0xcf8, 0x80000008);
    assert_int_equal(bench_in32(&r->b, 0xcfc), 0x06000002);
}

static void ram_above_the_hole_starts_at_4_gib(void **state)
{
    static uint8_t image[64 * KiB];
    struct machine m;
    struct pmc pmc;
    struct error *err = NULL;

    assert_true(machine_init(&m, CLOCK_VIRTUAL, 0, &err));
    if (!machine_ram_init(&m, 4 * GiB, MACHINE_LOW_MAX, &err)) {
        fail_msg("%s", error_text(err));
    }
    machine_map_ram(&m);
    assert_true(pmc_init(&pmc, &m, image, sizeof(image), &err));
    machine_reset(&m);
    space_write(&m.mem, 3 * GiB - 1, 0x31, 1);
    space_write(&m.mem, 3 * GiB, 0x32, 1);
    space_write(&m.mem, 4 * GiB, 0x33, 1);
    space_write(&m.mem, 5 * GiB - 1, 0x34, 1);
    assert_int_equal(space_read(&m.mem, 3 * GiB - 1, 1), 0x31);
    assert_int_equal(space_read(&m.mem, 3 * GiB, 1), 0xff);
    assert_int_equal(space_read(&m.mem, 4 * GiB, 1), 0x33);
    assert_int_equal(space_read(&m.mem, 5 * GiB - 1, 1), 0x34);
    assert_int_equal(space_read(&m.mem, 5 * GiB, 1), 0xff);
    assert_int_equal(pci_config_read(&pmc.bus, 0, 0x57, 1), 0xff);
    machine_fini(&m);
}

static void reset_and_state_are_complete(void **state)
{
    struct rig *r = *state;
    cfg_out8(r, 0x59, 0x30);
    cfg_out8(r, 0x5f, 0x12);
    cfg_out8(r, 0x72, 0x1a);
    bench_check_state(&r->b);
    machine_commit(&r->b.m);
    check_mode(r, 0xf0000, 3);
    check_mode(r, 0xe8000, 2);
    check_mode(r, 0xec000, 1);
    cfg_out8(r, 0x72, 0x4a); /* still locked after the load */
    assert_int_equal(cfg_in8(r, 0x72), 0x1a);
    bench_check_reset(&r->b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_pam_field_steers_its_segment_and_no_other),
        T(all_pam_registers_take_one_dword),
        T(the_bios_is_under_4_gib_and_under_1_mib),
        cmocka_unit_test(bios_images_of_64_and_128_kib_end_at_1_mib),
        cmocka_unit_test(a_bios_of_another_size_is_refused),
        T(the_vga_window_goes_to_pci),
        T(open_smram_is_seen_by_everyone),
        T(enabled_smram_is_seen_in_smm_only),
        T(closed_smram_sends_smm_writes_to_pci),
        T(a_locked_smram_stays_locked_until_reset),
        T(reset_sends_everything_to_pci),
        T(the_header_is_that_of_a_440fx),
        cmocka_unit_test(ram_above_the_hole_starts_at_4_gib),
        T(reset_and_state_are_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
