/* hw/ata/geometry: what a partition table says of a disk. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ide_bench.h"

/* ---- geometry ---- */

static void put_entry(uint8_t *sector, unsigned n, uint32_t first, uint32_t count, unsigned heads,
                      unsigned spt)
{
    uint8_t *p = sector + 446 + 16 * n;
    uint32_t lba[2] = {first, first + count - 1};
    memset(p, 0, 16);
    p[4] = 6;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t c = lba[i] / (heads * spt), h = lba[i] / spt % heads, s = lba[i] % spt + 1;
        if (c > 1023) {
            c = 1023, h = heads - 1, s = spt;
        }
        p[1 + 4 * i] = (uint8_t)h;
        p[2 + 4 * i] = (uint8_t)(s | c >> 8 << 6);
        p[3 + 4 * i] = (uint8_t)c;
    }
    st32le(p + 8, first);
    st32le(p + 12, count);
    sector[510] = 0x55;
    sector[511] = 0xaa;
}

struct partitioned {
    struct block block;
    uint8_t sector[512];
};

static bool partitioned_read(struct block *b, uint64_t off, void *buf, size_t len,
                             struct error **err)
{
    memcpy(buf, container_of(b, struct partitioned, block)->sector, len);
    return true;
}

static const struct block_ops partitioned_ops = {.name = "test", .read = partitioned_read};

/* A disk of @total sectors whose one partition ends with cylinder @end of @heads and @spt. */
static struct ata_geometry guess(uint64_t total, unsigned heads, unsigned spt, unsigned end)
{
    struct partitioned p = {.block = {.ops = &partitioned_ops, .bytes = total * 512}};
    struct ata_geometry g;
    if (heads != 0) {
        put_entry(p.sector, 0, spt, end * heads * spt - spt, heads, spt);
    }
    ata_geometry_guess(&g, &p.block);
    return g;
}

static void without_a_table_a_disk_has_16_heads_and_63_sectors(void **state)
{
    struct ata_geometry g = guess(131072, 0, 0, 0);
    assert_int_equal(g.cylinders, 130);
    assert_int_equal(g.heads, 16);
    assert_int_equal(g.sectors, 63);
    assert_int_equal(g.translation, ATA_TRANSLATION_NONE);
    assert_int_equal(g.table_heads, 0);
    g = guess(10 * GiB / 512, 0, 0, 0);
    assert_int_equal(g.cylinders, 16383);
    assert_int_equal(g.translation, ATA_TRANSLATION_LBA);
    g = guess(1, 0, 0, 0);
    assert_int_equal(g.cylinders, 1);
}

static void a_table_of_at_most_16_heads_is_the_drives_own_geometry(void **state)
{
    struct ata_geometry g = guess(20 * 4 * 17 * 10, 4, 17, 150);
    assert_int_equal(g.cylinders, 200);
    assert_int_equal(g.heads, 4);
    assert_int_equal(g.sectors, 17);
    assert_int_equal(g.translation, ATA_TRANSLATION_NONE);
    assert_false(g.override);
    g = guess(2 * GiB / 512, 16, 63, 900); /* also with cylinders that INT 13h cannot reach */
    assert_int_equal(g.cylinders, 4161);
    assert_int_equal(g.translation, ATA_TRANSLATION_NONE);
    assert_false(g.override);
}

static void a_table_of_more_heads_is_reached_by_translation(void **state)
{
    uint16_t c, h, s;
    uint64_t total = 8 * GiB / 512;
    struct ata_geometry g = guess(total, 255, 63, 900);
    assert_int_equal(g.heads, 16);
    assert_int_equal(g.translation, ATA_TRANSLATION_LBA);
    assert_int_equal(g.table_heads, 255);
    assert_false(g.override);
    ata_geometry_firmware(&g, total, &c, &h, &s);
    assert_int_equal(h, 255);
    assert_int_equal(c, 1024);
    total = 1000 * 1024 * 2; /* 1000 MiB with 32 heads */
    g = guess(total, 32, 63, 1000);
    ata_geometry_firmware(&g, total, &c, &h, &s);
    assert_int_equal(h, 32);
    assert_int_equal(g.translation, ATA_TRANSLATION_LARGE);
    assert_false(g.override);
}

static void a_table_that_no_translation_reaches_asks_for_an_override(void **state)
{
    struct ata_geometry g = guess(500 * 1024 * 2, 255, 63, 60);
    assert_true(g.override);
    assert_int_equal(g.table_heads, 255);
    assert_int_equal(g.table_sectors, 63);
    assert_int_equal(g.table_cylinders, 500 * 1024 * 2 / (255 * 63));
}

static void a_table_that_contradicts_itself_says_nothing(void **state)
{
    struct partitioned p = {.block = {.ops = &partitioned_ops, .bytes = 131072 * 512}};
    struct ata_geometry g;
    put_entry(p.sector, 0, 2048, 100000, 16, 63); /* not at a cylinder's end, but consistent */
    ata_geometry_guess(&g, &p.block);
    assert_int_equal(g.table_heads, 16);
    assert_int_equal(g.table_sectors, 63);
    p.sector[446 + 5] = 9; /* the end's head */
    ata_geometry_guess(&g, &p.block);
    assert_int_equal(g.table_heads, 0);
    assert_int_equal(g.cylinders, 130);
    for (unsigned i = 0; i < 20000; i++) { /* any bytes at all */
        struct bench b = {.random = i + 1};
        for (unsigned k = 446; k < 510; k += 4) {
            st32le(p.sector + k - 2, bench_random(&b) & (i % 2 != 0 ? 0x3f00ff7f : ~0u));
        }
        st16le(p.sector + 510, 0xaa55);
        ata_geometry_guess(&g, &p.block);
        assert_in_range(g.cylinders, 1, 16383);
        assert_in_range(g.heads, 1, 16);
        assert_in_range(g.sectors, 1, 63);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_table_a_disk_has_16_heads_and_63_sectors),
        cmocka_unit_test(a_table_of_at_most_16_heads_is_the_drives_own_geometry),
        cmocka_unit_test(a_table_of_more_heads_is_reached_by_translation),
        cmocka_unit_test(a_table_that_no_translation_reaches_asks_for_an_override),
        cmocka_unit_test(a_table_that_contradicts_itself_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
