/* fw_cfg: ports, DMA, directory, and descriptors of a hostile guest (hw/pc/fw_cfg,
 * hw/pc/fw_items). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench.h"
#include "core/base/bytes.h"
#include "hw/pc/fw_cfg.h"
#include "hw/pc/fw_items.h"

#define DESCRIPTOR 0x1000
#define BUFFER     0x2000

enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };

struct rig {
    struct bench b;
    struct fw_cfg f;
    uint8_t live[4];
    unsigned selections;
};

static void live_selected(void *opaque)
{
    struct rig *r = opaque;
    r->live[0] = (uint8_t)++r->selections;
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    struct error *err = NULL;

    bench_init(&r->b);
    fw_cfg_init(&r->f, &r->b.m);
    fw_cfg_add_number(&r->f, 0x0005, 0x1234, 2);
    assert_true(fw_cfg_add_file(&r->f, "opt/b", "hello", 5, &err));
    assert_true(fw_cfg_add_file(&r->f, "opt/a", "", 0, &err));
    assert_true(fw_cfg_add_live_file(&r->f, "etc/live", r->live, 4, live_selected, r, &err));
    fw_cfg_seal(&r->f);
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

static void select_item(struct rig *r, uint16_t key)
{
    bench_out16(&r->b, 0x510, key);
}

static uint8_t *ram(struct rig *r, uint32_t addr)
{
    return ram_host(&r->b.m.ram_low) + addr;
}

/* Runs a descriptor; returns its control word afterwards. */
static uint32_t dma(struct rig *r, uint32_t control, uint32_t len, uint64_t addr)
{
    st32be(ram(r, DESCRIPTOR), control);
    st32be(ram(r, DESCRIPTOR + 4), len);
    st64be(ram(r, DESCRIPTOR + 8), addr);
    bench_out32(&r->b, 0x518, __builtin_bswap32(DESCRIPTOR));
    return ld32be(ram(r, DESCRIPTOR));
}

static void the_signature_is_read_byte_by_byte(void **state)
{
    struct rig *r = *state;
    char text[5] = "";
    select_item(r, 0);
    for (unsigned i = 0; i < 4; i++) {
        text[i] = (char)bench_in8(&r->b, 0x511);
    }
    assert_string_equal(text, "QEMU");
    assert_int_equal(bench_in8(&r->b, 0x511), 0);
    select_item(r, 0);
    assert_int_equal(bench_in8(&r->b, 0x511), 'Q');
}

static void features_are_ports_and_dma(void **state)
{
    struct rig *r = *state;
    select_item(r, 1);
    assert_int_equal(bench_in8(&r->b, 0x511), 3);
    assert_int_equal(bench_in8(&r->b, 0x511), 0);
}

static void numbers_are_little_endian(void **state)
{
    struct rig *r = *state;
    select_item(r, 5);
    assert_int_equal(bench_in8(&r->b, 0x511), 0x34);
    assert_int_equal(bench_in8(&r->b, 0x511), 0x12);
}

static void an_item_that_does_not_exist_reads_as_zeros(void **state)
{
    struct rig *r = *state;
    select_item(r, 0x7777);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(bench_in8(&r->b, 0x511), 0);
    }
}

static void data_writes_change_nothing(void **state)
{
    struct rig *r = *state;
    select_item(r, 0);
    bench_out8(&r->b, 0x511, 'X');
    assert_int_equal(bench_in8(&r->b, 0x511), 'Q');
    bench_out8(&r->b, 0x510, 5); /* a byte is not a selection */
    assert_int_equal(bench_in8(&r->b, 0x511), 'E');
}

static void the_directory_is_big_endian_and_in_name_order(void **state)
{
    static const struct {
        const char *name;
        uint32_t bytes;
    } files[] = {{"etc/live", 4}, {"opt/a", 0}, {"opt/b", 5}};
    struct rig *r = *state;
    const struct fw_cfg_item *dir = fw_cfg_find(&r->f, FW_CFG_FILE_DIR);

    assert_int_equal(dir->bytes, 4 + 3 * 64);
    assert_int_equal(ld32be(dir->data), 3);
    for (unsigned i = 0; i < 3; i++) {
        const uint8_t *entry = dir->data + 4 + 64 * i;
        assert_int_equal(ld32be(entry), files[i].bytes);
        assert_int_equal(ld16be(entry + 4), 0x20 + i);
        assert_string_equal((const char *)entry + 8, files[i].name);
    }
}

static void content_is_made_when_it_is_selected(void **state)
{
    struct rig *r = *state;
    uint16_t key = fw_cfg_find_file(&r->f, "etc/live")->key;
    assert_int_equal(r->selections, 0);
    select_item(r, key);
    assert_int_equal(bench_in8(&r->b, 0x511), 1);
    assert_int_equal(dma(r, (uint32_t)key << 16 | DMA_SELECT | DMA_READ, 1, BUFFER), 0);
    assert_int_equal(*ram(r, BUFFER), 2);
}

static void the_dma_port_reads_as_a_signature(void **state)
{
    struct rig *r = *state;
    assert_int_equal(bench_in32(&r->b, 0x514), 0x554d4551);
    assert_int_equal(bench_in32(&r->b, 0x518), 0x47464320);
}

static void dma_selects_skips_and_reads(void **state)
{
    struct rig *r = *state;
    uint32_t key = fw_cfg_find_file(&r->f, "opt/b")->key;

    memset(ram(r, BUFFER), 0xee, 16);
    assert_int_equal(dma(r, key << 16 | DMA_SELECT | DMA_SKIP, 2, 0), 0);
    assert_int_equal(dma(r, DMA_READ, 2, BUFFER), 0);
    assert_memory_equal(ram(r, BUFFER), "ll\xee", 3);
    assert_int_equal(dma(r, DMA_READ, 4, BUFFER), 0); /* zeros past the end */
    assert_memory_equal(ram(r, BUFFER), "o\0\0\0\xee", 5);
    assert_int_equal(bench_in8(&r->b, 0x511), 0);
}

static void an_upper_half_counts_for_one_transfer(void **state)
{
    struct rig *r = *state;
    st32be(ram(r, DESCRIPTOR), DMA_READ);
    bench_out32(&r->b, 0x514, __builtin_bswap32(0x40)); /* far above memory */
    bench_out32(&r->b, 0x518, __builtin_bswap32(DESCRIPTOR));
    assert_int_equal(ld32be(ram(r, DESCRIPTOR)), DMA_READ);
    bench_out32(&r->b, 0x518, __builtin_bswap32(DESCRIPTOR));
    assert_int_equal(ld32be(ram(r, DESCRIPTOR)), 0);
}

static void writing_an_item_is_an_error(void **state)
{
    struct rig *r = *state;
    assert_int_equal(dma(r, DMA_SELECT | DMA_WRITE, 4, BUFFER), DMA_ERROR);
    select_item(r, 0);
    assert_int_equal(bench_in8(&r->b, 0x511), 'Q');
}

static void a_buffer_outside_memory_is_an_error(void **state)
{
    struct rig *r = *state;
    assert_int_equal(dma(r, DMA_SELECT | DMA_READ, 4, 0x80000000), DMA_ERROR);
    assert_int_equal(dma(r, DMA_SELECT | DMA_READ, 4, MiB - 2), DMA_ERROR);
    assert_int_equal(dma(r, DMA_SELECT | DMA_READ, 4, UINT64_MAX - 1), DMA_ERROR);
    assert_int_equal(dma(r, DMA_SELECT | DMA_READ, 0, 0x80000000), 0);
}

static void an_endless_transfer_is_refused(void **state)
{
    struct rig *r = *state;
    *ram(r, BUFFER) = 0x5a;
    assert_int_equal(dma(r, DMA_SELECT | DMA_READ, 0xffffffff, BUFFER), DMA_ERROR);
    assert_int_equal(*ram(r, BUFFER), 0x5a); /* not even begun */
    assert_int_equal(dma(r, DMA_SELECT | DMA_SKIP, 0xffffffff, 0), 0);
    assert_int_equal(dma(r, DMA_SKIP, 0xffffffff, 0), 0);
    assert_int_equal(bench_in8(&r->b, 0x511), 0);
}

static void a_descriptor_outside_memory_is_ignored(void **state)
{
    static const uint32_t bad[] = {0xffffffff, 0x80000000, MiB - 8, MiB};
    struct rig *r = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        bench_out32(&r->b, 0x518, __builtin_bswap32(bad[i]));
    }
    select_item(r, 0);
    assert_int_equal(bench_in8(&r->b, 0x511), 'Q');
}

static void a_transfer_over_its_own_descriptor_ends(void **state)
{
    struct rig *r = *state;
    assert_int_equal(dma(r, DMA_SELECT | DMA_READ, 16, DESCRIPTOR), 0);
}

static void bad_names_are_refused(void **state)
{
    static const char long_name[] =
        "opt/12345678901234567890123456789012345678901234567890123456";
    struct bench b;
    static struct fw_cfg f;
    struct error *err = NULL;

    bench_init(&b);
    fw_cfg_init(&f, &b.m);
    assert_true(fw_cfg_add_file(&f, "opt/a", "x", 1, NULL));
    assert_false(fw_cfg_add_file(&f, "", "x", 1, NULL));
    assert_false(fw_cfg_add_file(&f, long_name, "x", 1, NULL));
    assert_false(fw_cfg_add_file(&f, "opt/a", "x", 1, &err));
    assert_non_null(strstr(error_text(err), "opt/a"));
    error_free(err);
    for (unsigned i = 0; i < FW_CFG_MAX_ITEMS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "opt/n%u", i);
        fw_cfg_add_file(&f, name, "x", 1, NULL);
    }
    assert_false(fw_cfg_add_file(&f, "opt/last", "x", 1, NULL));
    fw_cfg_seal(&f); /* there is room for the directory */
    assert_non_null(fw_cfg_find(&f, FW_CFG_FILE_DIR));
    bench_fini(&b);
}

static void reset_and_state_are_complete(void **state)
{
    struct rig *r = *state;
    select_item(r, fw_cfg_find_file(&r->f, "opt/b")->key);
    bench_in8(&r->b, 0x511);
    bench_out32(&r->b, 0x514, 0x12345678);
    bench_check_state(&r->b);
    assert_int_equal(bench_in8(&r->b, 0x511), 'e');
    bench_check_reset(&r->b);
}

static void random_accesses_do_no_harm(void **state)
{
    struct rig *r = *state;
    for (unsigned i = 0; i < 3000; i++) {
        uint32_t key = bench_random(&r->b) % 0x28;
        bench_fuzz_ports(&r->b, 0x50e, 16, 4, 0);
        dma(r, key << 16 | (bench_random(&r->b) & 0x1f), bench_random(&r->b) & 0x1ffff,
            bench_random(&r->b) & 0x1fffff);
    }
}

/* ---- what the board adds ---- */

static uint64_t number(const struct fw_cfg *f, uint16_t key, unsigned bytes)
{
    const struct fw_cfg_item *item = fw_cfg_find(f, key);
    assert_non_null(item);
    assert_int_equal(item->bytes, bytes);
    return ld_le(item->data, bytes);
}

static void the_board_tells_memory_and_boot_settings(void **state)
{
    struct bench b;
    static struct fw_cfg f;
    struct pc_config cfg;
    struct error *err = NULL;

    bench_init(&b);
    fw_cfg_init(&f, &b.m);
    pc_config_init(&cfg);
    cfg.boot_menu = true;
    cfg.has_splash_time = true;
    cfg.splash_time_ms = 1500;
    cfg.fw_items[cfg.n_fw_items++] = (struct pc_fw_item){"opt/x", "yz", 2};
    cfg.option_roms[cfg.n_option_roms++] = (struct pc_fw_item){"r.bin", "\x55\xaa", 2};
    assert_true(fw_items_add(&f, &b.m, &cfg, NULL, &err));
    fw_cfg_seal(&f);

    assert_int_equal(number(&f, FW_CFG_RAM_SIZE, 8), MiB);
    assert_int_equal(number(&f, FW_CFG_NB_CPUS, 2), 1);
    assert_int_equal(number(&f, FW_CFG_MAX_CPUS, 2), 1);
    assert_int_equal(number(&f, FW_CFG_BOOT_MENU, 2), 1);
    assert_int_equal(number(&f, FW_CFG_NOGRAPHIC, 2), 0);
    assert_int_equal(number(&f, FW_CFG_IRQ0_OVERRIDE, 4), 1);
    assert_int_equal(fw_cfg_find(&f, FW_CFG_NUMA)->bytes, 16);

    const struct fw_cfg_item *e820 = fw_cfg_find_file(&f, "etc/e820");
    assert_int_equal(e820->bytes, 20);
    assert_int_equal(ld64le(e820->data), 0);
    assert_int_equal(ld64le(e820->data + 8), MiB);
    assert_int_equal(ld32le(e820->data + 16), 1);
    assert_int_equal(ld32le(fw_cfg_find_file(&f, "etc/boot-fail-wait")->data), 0xffffffff);
    assert_int_equal(ld16le(fw_cfg_find_file(&f, "etc/boot-menu-wait")->data), 1500);
    assert_memory_equal(fw_cfg_find_file(&f, "opt/x")->data, "yz", 2);
    assert_memory_equal(fw_cfg_find_file(&f, "genroms/r.bin")->data, "\x55\xaa", 2);
    bench_fini(&b);
}

static void a_users_file_may_not_replace_the_boards(void **state)
{
    struct bench b;
    static struct fw_cfg f;
    struct pc_config cfg;
    struct error *err = NULL;

    bench_init(&b);
    fw_cfg_init(&f, &b.m);
    pc_config_init(&cfg);
    cfg.fw_items[cfg.n_fw_items++] = (struct pc_fw_item){"etc/e820", "", 0};
    assert_false(fw_items_add(&f, &b.m, &cfg, NULL, &err));
    assert_non_null(strstr(error_text(err), "-fw_cfg: "));
    error_free(err);
    bench_fini(&b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_signature_is_read_byte_by_byte),
        T(features_are_ports_and_dma),
        T(numbers_are_little_endian),
        T(an_item_that_does_not_exist_reads_as_zeros),
        T(data_writes_change_nothing),
        T(the_directory_is_big_endian_and_in_name_order),
        T(content_is_made_when_it_is_selected),
        T(the_dma_port_reads_as_a_signature),
        T(dma_selects_skips_and_reads),
        T(an_upper_half_counts_for_one_transfer),
        T(writing_an_item_is_an_error),
        T(a_buffer_outside_memory_is_an_error),
        T(an_endless_transfer_is_refused),
        T(a_descriptor_outside_memory_is_ignored),
        T(a_transfer_over_its_own_descriptor_ends),
        cmocka_unit_test(bad_names_are_refused),
        T(reset_and_state_are_complete),
        T(random_accesses_do_no_harm),
        cmocka_unit_test(the_board_tells_memory_and_boot_settings),
        cmocka_unit_test(a_users_file_may_not_replace_the_boards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
