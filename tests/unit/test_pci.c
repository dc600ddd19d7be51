/* PCI bus: configuration mechanism 1, headers, BARs as regions, INTx wiring (hw/pci). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench.h"
#include "core/base/bytes.h"
#include "hw/pci/pci.h"

#define SLOT  3
#define DEVFN PCI_DEVFN(SLOT, 0)

struct rig {
    struct bench b;
    struct pci_bus bus;
    struct region mem;
    struct pci_device dev, other;
    struct region bar_mem, bar_io;
    uint8_t io_byte;
    unsigned written_off, written_size, writes;
};

static uint64_t io_read(void *dev, uint64_t off, unsigned size)
{
    struct rig *r = dev;
    return r->io_byte;
}

static void io_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct rig *r = dev;
    r->io_byte = (uint8_t)val;
}

static const struct region_ops io_ops = {.read = io_read, .write = io_write, .width = 1};

static void written(struct pci_device *d, unsigned off, unsigned size)
{
    struct rig *r = container_of(d, struct rig, dev);
    r->written_off = off;
    r->written_size = size;
    r->writes++;
}

static void dev_reset(void *dev)
{
    pci_device_reset(dev);
}

static void dev_loaded(void *dev)
{
    pci_device_loaded(dev);
}

static const struct device_type dev_type = {
    .name = "pci-test", .version = 1, .reset = dev_reset, .state = pci_device_state,
    .loaded = dev_loaded,
};

static int set_up(void **state)
{
    static const struct pci_ids ids = {
        .vendor = 0x1234, .device = 0x5678, .revision = 0x9a, .class_code = 0x020304, .pin = 1,
    };
    static const uint8_t rom[3000] = {0x55, 0xaa, 0x06};
    struct rig *r = calloc(1, sizeof(*r));
    struct error *err = NULL;

    bench_init(&r->b);
    region_container(&r->mem, "pci", BIT64(MACHINE_PHYS_BITS));
    region_map(&r->b.m.mem.root, &r->mem, 0, -1);
    pci_bus_init(&r->bus, &r->b.m, &r->mem);
    for (unsigned i = 0; i < PCI_PIRQS; i++) {
        r->bus.pirq[i] = &r->b.probe[i].irq;
    }
    pci_device_init(&r->dev, &r->bus, "dev", DEVFN, &ids);
    pci_device_init(&r->other, &r->bus, "other", PCI_DEVFN(SLOT + 4, 0), &ids);
    r->dev.written = written;
    region_io(&r->bar_mem, "bar-mem", &io_ops, r, 0x1000);
    region_io(&r->bar_io, "bar-io", &io_ops, r, 0x20);
    pci_add_bar(&r->dev, 0, PCI_BAR_MEM, &r->bar_mem);
    pci_add_bar(&r->dev, 1, PCI_BAR_IO, &r->bar_io);
    assert_true(pci_add_rom(&r->dev, rom, sizeof(rom), &err));
    machine_add(&r->b.m, &dev_type, "dev", &r->dev);
    machine_add(&r->b.m, &dev_type, "other", &r->other);
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

static uint32_t confadd(unsigned devfn, unsigned reg)
{
    return 0x80000000u | devfn << 8 | reg;
}

static uint32_t cfg_in32(struct rig *r, unsigned reg)
{
    bench_out32(&r->b, 0xcf8, confadd(DEVFN, reg));
    return bench_in32(&r->b, 0xcfc);
}

static void cfg_out32(struct rig *r, unsigned reg, uint32_t val)
{
    bench_out32(&r->b, 0xcf8, confadd(DEVFN, reg));
    bench_out32(&r->b, 0xcfc, val);
}

static void cfg_out16(struct rig *r, unsigned reg, uint16_t val)
{
    bench_out32(&r->b, 0xcf8, confadd(DEVFN, reg & ~3u));
    bench_out16(&r->b, (uint16_t)(0xcfc + (reg & 3)), val);
}

static void confadd_is_written_by_dwords_only(void **state) /* [82441FX] CONFADD */
{
    struct rig *r = *state;
    bench_out32(&r->b, 0xcf8, 0xffffffff);
    assert_int_equal(bench_in32(&r->b, 0xcf8), 0x80fffffc);
    bench_out8(&r->b, 0xcf8, 0x12);
    bench_out16(&r->b, 0xcf8, 0x1234);
    assert_int_equal(bench_in32(&r->b, 0xcf8), 0x80fffffc);
    assert_int_equal(bench_in8(&r->b, 0xcf8), 0xff);
}

static void confdata_selects_byte_lanes_by_address(void **state)
{
    struct rig *r = *state;
    bench_out32(&r->b, 0xcf8, confadd(DEVFN, 0));
    assert_int_equal(bench_in32(&r->b, 0xcfc), 0x56781234);
    assert_int_equal(bench_in16(&r->b, 0xcfe), 0x5678);
    assert_int_equal(bench_in8(&r->b, 0xcfd), 0x12);
    assert_int_equal(bench_in16(&r->b, 0xcfd), 0x7812);
    assert_int_equal(cfg_in32(r, 8), 0x0203049a);
    assert_int_equal(cfg_in32(r, 0x2c), 0x11001af4);
}

static void absent_functions_and_buses_read_as_ones(void **state)
{
    struct rig *r = *state;
    bench_out32(&r->b, 0xcf8, confadd(DEVFN + 1, 0));
    assert_int_equal(bench_in32(&r->b, 0xcfc), 0xffffffff);
    assert_int_equal(bench_in8(&r->b, 0xcfc), 0xff);
    bench_out32(&r->b, 0xcf8, confadd(DEVFN, 0) | 0x10000);
    assert_int_equal(bench_in32(&r->b, 0xcfc), 0xffffffff);
    bench_out32(&r->b, 0xcf8, confadd(DEVFN, 0) & 0x7fffffff);
    assert_int_equal(bench_in32(&r->b, 0xcfc), 0xffffffff);
}

static void read_only_registers_keep_their_values(void **state)
{
    struct rig *r = *state;
    cfg_out32(r, 0, 0);
    cfg_out32(r, 8, 0);
    cfg_out32(r, 0x2c, 0);
    assert_int_equal(cfg_in32(r, 0), 0x56781234);
    assert_int_equal(cfg_in32(r, 8), 0x0203049a);
    assert_int_equal(cfg_in32(r, 0x2c), 0x11001af4);
    cfg_out32(r, 4, 0xffffffff);
    assert_int_equal(cfg_in32(r, 4), 0x0507);
    cfg_out32(r, 0x3c, 0xffffffff);
    assert_int_equal(cfg_in32(r, 0x3c), 0x01ff);
}

static void a_bar_tells_its_size(void **state) /* [PCI21] "Address Maps" */
{
    struct rig *r = *state;
    cfg_out32(r, 0x10, 0xffffffff);
    assert_int_equal(cfg_in32(r, 0x10), 0xfffff000);
    cfg_out32(r, 0x14, 0xffffffff);
    assert_int_equal(cfg_in32(r, 0x14), 0xffffffe1);
    cfg_out32(r, 0x18, 0xffffffff);
    assert_int_equal(cfg_in32(r, 0x18), 0);
    cfg_out32(r, 0x30, 0xfffffffe);
    assert_int_equal(cfg_in32(r, 0x30), 0xfffff000);
}

static void a_bar_is_decoded_while_the_command_register_says_so(void **state)
{
    struct rig *r = *state;
    r->io_byte = 0x5a;
    cfg_out32(r, 0x14, 0xc040);
    assert_int_equal(bench_in8(&r->b, 0xc041), 0xff);
    cfg_out16(r, 4, PCICMD_IOSE);
    assert_int_equal(bench_in8(&r->b, 0xc041), 0x5a);
    assert_int_equal(bench_in8(&r->b, 0xc060), 0xff);
    cfg_out32(r, 0x14, 0xd000);
    assert_int_equal(bench_in8(&r->b, 0xc041), 0xff);
    assert_int_equal(bench_in8(&r->b, 0xd01f), 0x5a);
    cfg_out16(r, 4, PCICMD_MSE);
    assert_int_equal(bench_in8(&r->b, 0xd01f), 0xff);

    cfg_out32(r, 0x10, 0xfeb00000);
    assert_int_equal(space_read(&r->b.m.mem, 0xfeb00fff, 1), 0x5a);
    assert_int_equal(space_read(&r->b.m.mem, 0xfeb01000, 1), 0xff);
    cfg_out16(r, 4, 0);
    assert_int_equal(space_read(&r->b.m.mem, 0xfeb00fff, 1), 0xff);
}

static void a_bar_without_an_address_is_not_decoded(void **state)
{
    struct rig *r = *state;
    r->io_byte = 0x5a;
    cfg_out16(r, 4, PCICMD_IOSE | PCICMD_MSE);
    assert_int_equal(bench_in8(&r->b, 0x0000), 0xff);
    assert_int_equal(space_read(&r->b.m.mem, 0, 1), 0);
    cfg_out32(r, 0x14, 0xffffffff); /* sizing with decoding on */
    assert_int_equal(bench_in8(&r->b, 0xffe0), 0xff);
    assert_int_equal(pci_bar_address(&r->dev, 1), UINT64_MAX);
}

static void memory_below_a_bar_hides_it(void **state)
{
    struct rig *r = *state;
    r->io_byte = 0x5a;
    cfg_out32(r, 0x10, 0x1000);
    cfg_out16(r, 4, PCICMD_MSE);
    assert_int_equal(space_read(&r->b.m.mem, 0x1000, 1), 0);
}

static void the_expansion_rom_needs_both_enables(void **state) /* [PCI21] 6.2.5.2 */
{
    struct rig *r = *state;
    cfg_out32(r, 0x30, 0xfea00001);
    assert_int_equal(space_read(&r->b.m.mem, 0xfea00000, 2), 0xffff);
    cfg_out16(r, 4, PCICMD_MSE);
    assert_int_equal(space_read(&r->b.m.mem, 0xfea00000, 2), 0xaa55);
    assert_int_equal(space_read(&r->b.m.mem, 0xfea00fff, 1), 0xff);
    space_write(&r->b.m.mem, 0xfea00000, 0, 2);
    assert_int_equal(space_read(&r->b.m.mem, 0xfea00000, 2), 0xaa55);
    cfg_out32(r, 0x30, 0xfea00000);
    assert_int_equal(space_read(&r->b.m.mem, 0xfea00000, 2), 0xffff);
}

static void bits_that_ones_clear_are_cleared_by_ones_only(void **state)
{
    struct rig *r = *state;
    st16le(r->dev.w1cmask + PCI_STATUS, 0xf900);
    st16le(r->dev.config + PCI_STATUS, 0xa200);
    cfg_out16(r, PCI_STATUS, 0x8000);
    assert_int_equal(cfg_in32(r, 4) >> 16, 0x2200);
}

static void the_function_is_told_what_was_written(void **state)
{
    struct rig *r = *state;
    cfg_out16(r, 0x42, 0x1234);
    assert_int_equal(r->writes, 1);
    assert_int_equal(r->written_off, 0x42);
    assert_int_equal(r->written_size, 2);
    pci_config_write(&r->bus, DEVFN, 0xfe, 0, 4); /* past the end */
    assert_int_equal(r->written_off + r->written_size, 0x100);
}

static void pins_rotate_over_the_pirqs_by_slot(void **state)
{
    assert_int_equal(pci_pirq(1, 1), 0);
    assert_int_equal(pci_pirq(1, 4), 3);
    assert_int_equal(pci_pirq(3, 1), 2);
    assert_int_equal(pci_pirq(4, 1), 3);
    assert_int_equal(pci_pirq(5, 1), 0);
    assert_int_equal(pci_pirq(0, 1), 3);
}

static void a_pirq_is_the_or_of_its_pins(void **state)
{
    struct rig *r = *state;
    struct bench_probe *pirq = &r->b.probe[2];

    pci_set_intx(&r->dev, true);
    assert_true(pirq->level);
    pci_set_intx(&r->other, true);
    pci_set_intx(&r->dev, false);
    assert_true(pirq->level);
    pci_set_intx(&r->other, false);
    assert_false(pirq->level);
    assert_int_equal(pirq->n, 2);
}

static void intx_disable_takes_the_pin_off_the_line(void **state)
{
    struct rig *r = *state;
    pci_set_intx(&r->dev, true);
    cfg_out16(r, 4, PCICMD_INTD);
    assert_false(r->b.probe[2].level);
    cfg_out16(r, 4, 0);
    assert_true(r->b.probe[2].level);
}

static void reset_unmaps_bars_and_drops_the_pin(void **state)
{
    struct rig *r = *state;
    cfg_out32(r, 0x14, 0xc040);
    cfg_out16(r, 4, PCICMD_IOSE);
    pci_set_intx(&r->dev, true);
    bench_reset(&r->b);
    assert_int_equal(cfg_in32(r, 0x14), 1);
    assert_int_equal(bench_in8(&r->b, 0xc040), 0xff);
    assert_false(r->b.probe[2].level);
}

static void reset_and_state_are_complete(void **state)
{
    struct rig *r = *state;
    cfg_out32(r, 0x14, 0xc040);
    cfg_out16(r, 4, PCICMD_IOSE);
    pci_set_intx(&r->dev, true);
    r->io_byte = 0x33;
    bench_check_state(&r->b);
    machine_commit(&r->b.m);
    assert_int_equal(bench_in8(&r->b, 0xc040), 0x33); /* decoded again after the load */
    bench_check_reset(&r->b);
}

static void random_configuration_cycles_do_no_harm(void **state)
{
    struct rig *r = *state;
    for (unsigned i = 0; i < 2000; i++) {
        bench_out32(&r->b, 0xcf8, confadd(DEVFN, bench_random(&r->b) & 0xff));
        bench_fuzz_ports(&r->b, 0xcf8, 8, 4, 0);
    }
    bench_reset(&r->b);
    assert_int_equal(cfg_in32(r, 0), 0x56781234);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(confadd_is_written_by_dwords_only),
        T(confdata_selects_byte_lanes_by_address),
        T(absent_functions_and_buses_read_as_ones),
        T(read_only_registers_keep_their_values),
        T(a_bar_tells_its_size),
        T(a_bar_is_decoded_while_the_command_register_says_so),
        T(a_bar_without_an_address_is_not_decoded),
        T(memory_below_a_bar_hides_it),
        T(the_expansion_rom_needs_both_enables),
        T(bits_that_ones_clear_are_cleared_by_ones_only),
        T(the_function_is_told_what_was_written),
        T(pins_rotate_over_the_pirqs_by_slot),
        T(a_pirq_is_the_or_of_its_pins),
        T(intx_disable_takes_the_pin_off_the_line),
        T(reset_unmaps_bars_and_drops_the_pin),
        T(reset_and_state_are_complete),
        T(random_configuration_cycles_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
