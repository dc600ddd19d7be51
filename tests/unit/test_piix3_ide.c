/* hw/piix3/piix3_ide: decoding, interrupts, bus master; names are sentences of the sheets. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ide_bench.h"

#include "hw/piix3/piix3_ide.h"

#define SECTORS 4000u
#define DEVFN   PCI_DEVFN(1, 1)

enum { BM = 0xc040, BMIC = BM, BMIS = BM + 2, BMIDTP = BM + 4 };
enum { ACTIVE = 1, ERROR = 2, INT = 4 };
enum { START = 1, TO_MEMORY = 8 };
enum { TABLE = 0x10000, DATA = 0x20000 };

#define EOT    0x8000u
#define READY  (DRDY | DSC)

struct ide_bench {
    struct bench b;
    struct pci_bus bus;
    struct piix3_ide ide;
    struct image disk, disc;
};

static uint8_t *ram(struct ide_bench *t, uint32_t addr)
{
    return ram_host(&t->b.m.ram_low) + addr;
}

static void config_write(struct ide_bench *t, unsigned reg, uint32_t val, unsigned size)
{
    pci_config_write(&t->bus, DEVFN, reg, val, size);
    machine_commit(&t->b.m);
}

/* What firmware does: BAR, command register, both channels decoded. */
static void enable(struct ide_bench *t)
{
    config_write(t, 0x20, BM, 4);
    config_write(t, PCI_COMMAND, PCICMD_IOSE | PCICMD_BME, 2);
    config_write(t, 0x40, 0x80008000, 4);
}

static int setup_raw(void **state)
{
    struct ide_bench *t = calloc(1, sizeof(*t));
    struct error *err = NULL;
    bench_init(&t->b);
    image_init(&t->disk, SECTORS * 512, true);
    image_init(&t->disc, 300 * 2048, true);
    pci_bus_init(&t->bus, &t->b.m, &t->b.m.mem.root);
    if (!piix3_ide_init(&t->ide, &t->b.m, &t->bus, DEVFN, &t->b.probe[14].irq, &t->b.probe[15].irq,
                        &err) ||
        !piix3_ide_attach_disk(&t->ide, 0, 0, &t->disk.block, &err) ||
        !piix3_ide_attach_cd(&t->ide, 0, 1, &t->disc.block, &err)) {
        fail_msg("%s", error_text(err));
    }
    bench_power_on(&t->b);
    *state = t;
    return 0;
}

static int setup(void **state)
{
    setup_raw(state);
    enable(*state);
    return 0;
}

static int teardown(void **state)
{
    struct ide_bench *t = *state;
    bench_fini(&t->b);
    image_fini(&t->disk);
    image_fini(&t->disc);
    free(t);
    return 0;
}

static void prd(struct ide_bench *t, unsigned n, uint32_t address, uint32_t bytes, unsigned flags)
{
    st32le(ram(t, TABLE + 8 * n), address);
    st16le(ram(t, TABLE + 8 * n + 4), (uint16_t)bytes);
    st16le(ram(t, TABLE + 8 * n + 6), (uint16_t)flags);
}

static void start(struct ide_bench *t, uint8_t direction)
{
    bench_out32(&t->b, BMIDTP, TABLE);
    bench_out8(&t->b, BMIS, ERROR | INT);
    bench_out8(&t->b, BMIC, direction);
    bench_out8(&t->b, BMIC, direction | START);
}

/* READ or WRITE DMA of @count sectors from @lba on, then the bus master. */
static void dma(struct ide_bench *t, uint8_t cmd, uint8_t count, uint32_t lba)
{
    issue(&t->b, cmd, 0x40, count, lba);
    start(t, cmd == 0xc8 ? TO_MEMORY : 0);
    bench_advance(&t->b, 10 * NS_PER_MS);
}

static uint8_t bmis(struct ide_bench *t)
{
    return bench_in8(&t->b, BMIS);
}

/* ---- configuration ---- */

static void the_function_is_the_piix3_ide_interface(void **state) /* [PIIX3] function 1 */
{
    struct ide_bench *t = *state;
    assert_int_equal(pci_config_read(&t->bus, DEVFN, 0x00, 4), 0x70108086);
    assert_int_equal(pci_config_read(&t->bus, DEVFN, 0x04, 4), 0x02800000);
    assert_int_equal(pci_config_read(&t->bus, DEVFN, 0x08, 4), 0x01018000);
    assert_int_equal(pci_config_read(&t->bus, DEVFN, 0x20, 4), 1);
    assert_int_equal(pci_config_read(&t->bus, DEVFN, 0x3d, 1), 0);
    config_write(t, 0x20, 0xffffffff, 4);
    assert_int_equal(pci_config_read(&t->bus, DEVFN, 0x20, 4), 0xfffffff1);
}

static void ports_are_decoded_with_idetim_bit_15_and_iose_only(void **state) /* IDETIM, PCICMD */
{
    struct ide_bench *t = *state;
    assert_int_equal(bench_in8(&t->b, 0x1f7), 0xff);
    config_write(t, PCI_COMMAND, PCICMD_IOSE, 2);
    assert_int_equal(bench_in8(&t->b, 0x1f7), 0xff);
    config_write(t, 0x40, 0x8000, 2);
    assert_int_equal(bench_in8(&t->b, 0x1f7), READY);
    assert_int_equal(bench_in8(&t->b, 0x3f6), READY);
    assert_int_equal(bench_in8(&t->b, 0x177), 0xff);
    config_write(t, 0x42, 0x8000, 2);
    assert_int_equal(bench_in8(&t->b, 0x177), 0); /* an empty channel */
    config_write(t, PCI_COMMAND, 0, 2);
    assert_int_equal(bench_in8(&t->b, 0x1f7), 0xff);
}

static void each_channel_has_bus_master_registers(void **state) /* [PIIX3] BMICx, BMISx */
{
    struct ide_bench *t = *state;
    bench_out32(&t->b, BMIDTP, 0x12345677);
    bench_out32(&t->b, BMIDTP + 8, 0xabcdef00);
    assert_int_equal(bench_in32(&t->b, BMIDTP), 0x12345674);
    assert_int_equal(bench_in32(&t->b, BMIDTP + 8), 0xabcdef00);
    bench_out8(&t->b, BMIS, 0xff);
    assert_int_equal(bmis(t), 0x60);
    bench_out8(&t->b, BMIC, 0xfe);
    assert_int_equal(bench_in8(&t->b, BMIC), 8);
    assert_int_equal(bench_in8(&t->b, BMIC + 8), 0);
}

/* ---- interrupts ---- */

static void the_interrupt_bit_follows_rising_edges_also_without_dma(void **state) /* BMISx bit 2 */
{
    struct ide_bench *t = *state;
    issue(&t->b, 0xe7, 0, 0, 0);
    assert_int_equal(bmis(t), 0);
    bench_advance(&t->b, NS_PER_MS);
    assert_true(t->b.probe[14].level);
    assert_int_equal(bmis(t), INT);
    bench_out8(&t->b, BMIS, INT); /* while the line is still high */
    assert_int_equal(bmis(t), 0);
    status(&t->b);
    assert_false(t->b.probe[14].level);
    assert_int_equal(t->b.probe[15].n, 0);
}

/* ---- bus master ---- */

static void
a_table_that_ends_with_the_data_clears_active_and_interrupts(void **state) /* [SFF8038] */
{
    struct ide_bench *t = *state;
    prd(t, 0, DATA, 4096, EOT);
    issue(&t->b, 0xc8, 0x40, 8, 100);
    start(t, TO_MEMORY);
    assert_int_equal(bmis(t), ACTIVE);
    assert_int_equal(alt_status(&t->b), BSY);
    bench_advance(&t->b, NS_PER_MS);
    assert_true(t->b.probe[14].level);
    assert_int_equal(bmis(t), INT);
    assert_int_equal(status(&t->b), READY);
    assert_memory_equal(ram(t, DATA), t->disk.data + 100 * 512, 4096);
    assert_int_equal(*ram(t, DATA + 4096), 0);
}

static void a_table_larger_than_the_data_leaves_active_set(void **state)
{
    struct ide_bench *t = *state;
    prd(t, 0, DATA, 8192, EOT);
    dma(t, 0xc8, 8, 100);
    assert_int_equal(bmis(t), ACTIVE | INT);
    assert_int_equal(status(&t->b), READY);
    bench_out8(&t->b, BMIC, 0);
    assert_int_equal(bmis(t), INT);
    assert_int_equal(*ram(t, DATA + 4096), 0);
}

static void a_table_smaller_than_the_data_clears_active_without_interrupt(void **state)
{
    struct ide_bench *t = *state;
    prd(t, 0, DATA, 2048, EOT);
    prd(t, 1, DATA + 2048, 2048, EOT);
    dma(t, 0xc8, 8, 100);
    assert_int_equal(bmis(t), 0);
    assert_false(t->b.probe[14].level);
    assert_int_equal(alt_status(&t->b) & DRQ, DRQ); /* the device waits */
    assert_memory_equal(ram(t, DATA), t->disk.data + 100 * 512, 2048);
    assert_int_equal(*ram(t, DATA + 2048), 0);
    bench_out8(&t->b, BMIC, 0); /* and takes the rest with a new table */
    prd(t, 0, DATA + 2048, 2048, EOT);
    start(t, TO_MEMORY);
    assert_int_equal(bmis(t), INT);
    assert_memory_equal(ram(t, DATA), t->disk.data + 100 * 512, 4096);
}

static void a_count_of_0_is_64_kib(void **state) /* [PIIX3] PRD */
{
    struct ide_bench *t = *state;
    prd(t, 0, DATA, 0, EOT);
    dma(t, 0xc8, 128, 100);
    assert_int_equal(bmis(t), INT);
    assert_memory_equal(ram(t, DATA), t->disk.data + 100 * 512, 65536);
}

static void regions_are_filled_in_order_whatever_their_sizes(void **state)
{
    struct ide_bench *t = *state;
    uint32_t from = DATA, at = 100 * 512;
    for (unsigned i = 0; i < 256; i++) {
        unsigned bytes = i == 255 ? 65536 - 128 * 2 - 127 * 254 : i % 2 != 0 ? 254 : 2;
        prd(t, i, from, bytes, i == 255 ? EOT : 0);
        from += bytes + 6;
    }
    dma(t, 0xc8, 128, 100);
    assert_int_equal(bmis(t), INT);
    from = DATA;
    for (unsigned i = 0; i < 256; i++) {
        unsigned bytes = ld16le(ram(t, TABLE + 8 * i + 4));
        assert_memory_equal(ram(t, from), t->disk.data + at, bytes);
        assert_int_equal(*ram(t, from + bytes), 0);
        from += bytes + 6;
        at += bytes;
    }
}

static void bit_0_of_address_and_count_is_0(void **state)
{
    struct ide_bench *t = *state;
    prd(t, 0, DATA + 1, 513, EOT);
    dma(t, 0xc8, 1, 3);
    assert_int_equal(bmis(t), INT);
    assert_memory_equal(ram(t, DATA), t->disk.data + 3 * 512, 512);
}

static void transfers_longer_than_the_buffer_go_through_one_table(void **state)
{
    struct ide_bench *t = *state;
    prd(t, 0, DATA, 0, 0);
    prd(t, 1, DATA + 65536, 0, EOT);
    dma(t, 0xc8, 0, 1000);
    assert_int_equal(bmis(t), INT);
    assert_int_equal(t->b.probe[14].rises, 1);
    assert_memory_equal(ram(t, DATA), t->disk.data + 1000 * 512, 131072);
}

static void write_dma_reads_memory(void **state)
{
    struct ide_bench *t = *state;
    memset(ram(t, DATA), 0x3c, 131072);
    prd(t, 0, DATA, 0, 0);
    prd(t, 1, DATA + 65536, 0, EOT);
    dma(t, 0xca, 0, 1000);
    assert_int_equal(bmis(t), INT);
    assert_int_equal(status(&t->b), READY);
    assert_memory_equal(t->disk.data + 1000 * 512, ram(t, DATA), 131072);
    assert_int_equal(t->disk.data[1256 * 512], (uint8_t)(1256 * 512 * 7 + 1256));
}

static void the_bus_master_may_be_started_before_the_command(void **state)
{
    struct ide_bench *t = *state;
    prd(t, 0, DATA, 512, EOT);
    start(t, TO_MEMORY);
    bench_advance(&t->b, NS_PER_MS);
    assert_int_equal(bmis(t), ACTIVE);
    issue(&t->b, 0xc8, 0x40, 1, 9);
    bench_advance(&t->b, NS_PER_MS);
    assert_int_equal(bmis(t), INT);
    assert_memory_equal(ram(t, DATA), t->disk.data + 9 * 512, 512);
}

static void nothing_moves_without_the_bus_master_enable(void **state) /* PCICMD bit 2 */
{
    struct ide_bench *t = *state;
    config_write(t, PCI_COMMAND, PCICMD_IOSE, 2);
    prd(t, 0, DATA, 512, EOT);
    dma(t, 0xc8, 1, 9);
    assert_int_equal(bmis(t), ACTIVE);
    assert_false(t->b.probe[14].level);
    config_write(t, PCI_COMMAND, PCICMD_IOSE | PCICMD_BME, 2);
    assert_int_equal(bmis(t), INT);
}

static void clearing_ssbm_stops_a_transfer(void **state) /* BMICx bit 0 */
{
    struct ide_bench *t = *state;
    prd(t, 0, DATA, 512, 0);
    issue(&t->b, 0xc8, 0x40, 1, 9);
    start(t, TO_MEMORY);
    bench_out8(&t->b, BMIC, 0);
    assert_int_equal(bmis(t), 0);
    bench_advance(&t->b, NS_PER_MS);
    assert_int_equal(bmis(t), 0);
    assert_int_equal(*ram(t, DATA), 0);
    bench_out8(&t->b, CTL, 4); /* and a software reset brings the device back */
    bench_out8(&t->b, CTL, 0);
    assert_int_equal(wait_ready(&t->b), READY);
}

static void memory_that_nobody_answers_for_sets_the_error_bit(void **state)
{
    struct ide_bench *t = *state;
    prd(t, 0, 0xf0000000, 512, EOT);
    dma(t, 0xc8, 1, 9);
    assert_int_equal(bmis(t), ERROR);
    assert_false(t->b.probe[14].level);
    assert_int_equal(pci_config_read(&t->bus, DEVFN, PCI_STATUS, 2), 0x2280);
    config_write(t, PCI_STATUS, 0x2000, 2);
    assert_int_equal(pci_config_read(&t->bus, DEVFN, PCI_STATUS, 2), 0x0280);
    bench_out8(&t->b, BMIC, 0);
    bench_out32(&t->b, BMIDTP, 0xfffffffc); /* the table itself, at the end of all addresses */
    bench_out8(&t->b, BMIS, ERROR);
    bench_out8(&t->b, BMIC, START | TO_MEMORY);
    assert_int_equal(bmis(t), ERROR);
}

static void a_device_error_interrupts_and_leaves_active_set(void **state)
{
    struct ide_bench *t = *state;
    prd(t, 0, DATA, 4096, EOT);
    dma(t, 0xc8, 8, SECTORS - 4);
    assert_int_equal(bmis(t), ACTIVE | INT);
    assert_int_equal(status(&t->b), READY | ERR);
    assert_int_equal(bench_in8(&t->b, CMD + 1), 0x10);
    assert_memory_equal(ram(t, DATA), t->disk.data + (SECTORS - 4) * 512, 2048);
}

static void packet_data_go_by_dma_too(void **state)
{
    struct ide_bench *t = *state;
    static const uint8_t read_10[12] = {0x28, 0, 0, 0, 0, 5, 0, 0, 60},
                         inquiry[12] = {0x12, 0, 0, 0, 36};
    prd(t, 0, DATA, 0, 0);
    prd(t, 1, DATA + 65536, 60 * 2048 - 65536, EOT);
    for (unsigned i = 0; i < 2; i++) {
        bench_out8(&t->b, CMD + 6, 0xb0);
        bench_out8(&t->b, CMD + 1, 1);
        issue(&t->b, 0xa0, 0x10, 0, 0);
        wait_ready(&t->b);
        give_words(&t->b, i == 0 ? read_10 : inquiry, 6);
        start(t, TO_MEMORY);
        bench_advance(&t->b, 10 * NS_PER_MS);
        assert_int_equal(bmis(t), i == 0 ? INT : ACTIVE | INT);
        assert_int_equal(status(&t->b), READY);
        assert_int_equal(bench_in8(&t->b, CMD + 2), 3);
        bench_out8(&t->b, BMIC, 0);
        if (i == 0) {
            assert_memory_equal(ram(t, DATA), t->disc.data + 5 * 2048, 60 * 2048);
        }
    }
    assert_memory_equal(ram(t, DATA + 16), "QEMU DVD-ROM", 12);
}

/* ---- the board's side ---- */

static void drives_are_attached_once_and_where_there_is_a_place(void **state)
{
    struct ide_bench *t = *state;
    struct ata_geometry g;
    assert_false(piix3_ide_attach_disk(&t->ide, 0, 0, &t->disk.block, NULL));
    assert_false(piix3_ide_attach_cd(&t->ide, 2, 0, NULL, NULL));
    assert_false(piix3_ide_change_medium(&t->ide, 0, 0, NULL, NULL)); /* a disk */
    assert_false(piix3_ide_change_medium(&t->ide, 1, 1, NULL, NULL));
    assert_true(piix3_ide_change_medium(&t->ide, 0, 1, NULL, NULL));
    assert_true(ide_drive_geometry(&t->ide, 0, 0, &g));
    assert_int_equal(g.heads, 16);
    assert_int_equal(g.cylinders, SECTORS / (16 * 63));
    assert_false(ide_drive_geometry(&t->ide, 0, 1, &g));
    assert_false(ide_drive_geometry(&t->ide, 5, 0, &g));
}

static void a_pending_interrupt_does_not_escape_through_a_reset(void **state)
{
    struct ide_bench *t = *state;
    bench_out8(&t->b, CTL, 2);
    issue(&t->b, 0xe7, 0, 0, 0);
    bench_advance(&t->b, NS_PER_MS);
    bench_reset(&t->b);
    assert_int_equal(t->b.probe[14].n, 0);
}

/* ---- state and fuzz ---- */

static void state_in_the_middle_of_a_table_goes_on_after_a_load(void **state)
{
    struct ide_bench *t = *state;
    for (unsigned i = 0; i < 3; i++) {
        prd(t, i, DATA + i * 0xa000, 0xa000, i == 2 ? EOT : 0);
    }
    issue(&t->b, 0xc8, 0x40, 240, 1000);
    start(t, TO_MEMORY);
    bench_advance(&t->b, ATA_COMMAND_NS + 128 * ATA_SECTOR_NS); /* one buffer of two */
    assert_int_equal(bmis(t), ACTIVE);
    assert_int_equal(alt_status(&t->b), BSY);
    bench_check_state(&t->b);
    machine_commit(&t->b.m); /* a reset and a load in turn: ports went and came */
    bench_advance(&t->b, NS_PER_MS);
    assert_int_equal(bmis(t), INT);
    assert_memory_equal(ram(t, DATA), t->disk.data + 1000 * 512, 240 * 512);
}

static void reset_twice_is_reset_once(void **state)
{
    struct ide_bench *t = *state;
    prd(t, 0, DATA, 512, 0);
    dma(t, 0xc8, 4, 9);
    bench_check_reset(&t->b);
    assert_int_equal(bench_in8(&t->b, 0x1f7), 0xff);
}

static void random_table(struct ide_bench *t)
{
    for (unsigned i = 0; i < 64; i++) {
        uint32_t r = bench_random(&t->b);
        uint32_t address = r % 8 == 0 ? bench_random(&t->b) : DATA + bench_random(&t->b) % 0x80000;
        prd(t, i, address, bench_random(&t->b) & (r % 3 == 0 ? 0x0e : 0xffff),
            r >> 16 & (r % 4 == 0 ? EOT : 0));
    }
}

static void any_table_and_any_port_accesses_do_no_harm(void **state)
{
    static const uint8_t commands[] = {0xc8, 0xca, 0x25, 0x35, 0xa0, 0x20, 0x30, 0xc4};
    struct ide_bench *t = *state;
    for (unsigned i = 0; i < 1500; i++) {
        random_table(t);
        enable(t);
        bench_out8(&t->b, CTL, 0);
        issue(&t->b, commands[bench_random(&t->b) % sizeof(commands)],
              0x40 | (bench_random(&t->b) & 0x10), (uint8_t)bench_random(&t->b),
              bench_random(&t->b) % (SECTORS + 20));
        start(t, bench_random(&t->b) & TO_MEMORY);
        bench_advance(&t->b, bench_random(&t->b) % NS_PER_MS);
        bench_fuzz_ports(&t->b, BM, 16, 20, 100000);
        bench_fuzz_ports(&t->b, CMD, 8, 20, 100000);
        if (bench_random(&t->b) % 16 == 0) {
            config_write(t, bench_random(&t->b) & 0xfc, bench_random(&t->b), 4);
        }
        if (bench_random(&t->b) % 4 == 0) {
            bench_out8(&t->b, CTL, 4);
            bench_out8(&t->b, CTL, 0);
            bench_advance(&t->b, NS_PER_MS);
        }
    }
    bench_check_state(&t->b);
}

static void any_saved_state_does_no_harm(void **state)
{
    struct ide_bench *t = *state;
    for (unsigned i = 0; i < 300; i++) {
        for (struct device *d = t->b.m.devices; d != NULL; d = d->next) {
            load_random_state(&t->b, d);
        }
        machine_commit(&t->b.m);
        enable(t);
        bench_fuzz_ports(&t->b, CMD, 8, 20, 2000000);
        bench_fuzz_ports(&t->b, BM, 16, 20, 2000000);
        bench_advance(&t->b, NS_PER_MS);
    }
}

#define CASE(f)     cmocka_unit_test_setup_teardown(f, setup, teardown)
#define CASE_RAW(f) cmocka_unit_test_setup_teardown(f, setup_raw, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_RAW(the_function_is_the_piix3_ide_interface),
        CASE_RAW(ports_are_decoded_with_idetim_bit_15_and_iose_only),
        CASE(each_channel_has_bus_master_registers),
        CASE(the_interrupt_bit_follows_rising_edges_also_without_dma),
        CASE(a_table_that_ends_with_the_data_clears_active_and_interrupts),
        CASE(a_table_larger_than_the_data_leaves_active_set),
        CASE(a_table_smaller_than_the_data_clears_active_without_interrupt),
        CASE(a_count_of_0_is_64_kib),
        CASE(regions_are_filled_in_order_whatever_their_sizes),
        CASE(bit_0_of_address_and_count_is_0),
        CASE(transfers_longer_than_the_buffer_go_through_one_table),
        CASE(write_dma_reads_memory),
        CASE(the_bus_master_may_be_started_before_the_command),
        CASE(nothing_moves_without_the_bus_master_enable),
        CASE(clearing_ssbm_stops_a_transfer),
        CASE(memory_that_nobody_answers_for_sets_the_error_bit),
        CASE(a_device_error_interrupts_and_leaves_active_set),
        CASE(packet_data_go_by_dma_too),
        CASE(drives_are_attached_once_and_where_there_is_a_place),
        CASE(a_pending_interrupt_does_not_escape_through_a_reset),
        CASE(state_in_the_middle_of_a_table_goes_on_after_a_load),
        CASE(reset_twice_is_reset_once),
        CASE(any_table_and_any_port_accesses_do_no_harm),
        CASE(any_saved_state_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
