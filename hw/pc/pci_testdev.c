/*
 * pci-testdev.
 *
 * Source: QEMU's docs/specs/pci-testdev; values read from QEMU's device.
 * Model:  writing a test's number to byte 0 of a BAR chooses it, and the header of the test can be
 *         read there: number, width, offset to write to, data to write, how often that was done,
 *         and a name. Of the three tests of a BAR the first counts writes; in the others an event
 *         takes them, so nothing is counted.
 */
#include "hw/pc/pci_testdev.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <string.h>

enum { HEADER_WIDTH = 1, HEADER_OFFSET = 4, HEADER_DATA = 8, HEADER_COUNT = 12, HEADER_NAME = 16 };

#define MEM_BYTES   4096
#define IO_BYTES    256
#define HEADER_LEN  64
#define NONE        0xff
#define DATA_MATCH  0xfa
#define DATA_OTHER  0xce     /* of the test that takes any data */

static uint32_t target_of(unsigned test)
{
    return (test < PCI_TESTDEV_TESTS ? MEM_BYTES / 2 : IO_BYTES / 2) + test;
}

static void make_header(const struct pci_testdev *t, uint8_t out[HEADER_LEN])
{
    static const char *const names[] = {
        "mmio-no-eventfd",   "mmio-wildcard-eventfd",   "mmio-datamatch-eventfd",
        "portio-no-eventfd", "portio-wildcard-eventfd", "portio-datamatch-eventfd",
    };
    unsigned test = t->current % ARRAY_SIZE(names);

    memset(out, 0, HEADER_LEN);
    out[0] = (uint8_t)test;
    out[HEADER_WIDTH] = 1;
    st32le(out + HEADER_OFFSET, target_of(test));
    out[HEADER_DATA] = test % PCI_TESTDEV_TESTS == 1 ? DATA_OTHER : DATA_MATCH;
    st32le(out + HEADER_COUNT, t->count);
    memcpy(out + HEADER_NAME, names[test], strlen(names[test]));
}

static uint64_t test_read(void *dev, uint64_t off, unsigned size)
{
    const struct pci_testdev *t = dev;
    uint8_t header[HEADER_LEN];

    if (t->current == NONE || off >= HEADER_LEN) {
        return 0;
    }
    make_header(t, header);
    return header[off];
}

static void test_write(struct pci_testdev *t, uint64_t off, uint8_t val, unsigned first)
{
    if (off == 0) {
        t->current = val < PCI_TESTDEV_TESTS ? (uint8_t)(first + val) : NONE;
        t->count = 0;
    } else if (t->current == first && off == target_of(first) && val == DATA_MATCH) {
        t->count++;
    }
}

static void mem_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    test_write(dev, off, (uint8_t)val, 0);
}

static void io_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    test_write(dev, off, (uint8_t)val, PCI_TESTDEV_TESTS);
}

static const struct region_ops mem_ops = {.read = test_read, .write = mem_write, .width = 1};
static const struct region_ops io_ops = {.read = test_read, .write = io_write, .width = 1};

static void pci_testdev_reset(void *dev)
{
    struct pci_testdev *t = dev;
    pci_device_reset(&t->pci);
    t->current = NONE;
    t->count = 0;
}

static void pci_testdev_loaded(void *dev)
{
    struct pci_testdev *t = dev;
    pci_device_loaded(&t->pci);
}

static const struct state_field pci_testdev_state[] = {
    STATE_SUB(struct pci_testdev, pci, pci_device_state),
    STATE(struct pci_testdev, current),
    STATE(struct pci_testdev, count),
    STATE_END(),
};

static const struct device_type pci_testdev_type = {
    .name = "pci-testdev", .version = 1, .reset = pci_testdev_reset, .state = pci_testdev_state,
    .loaded = pci_testdev_loaded,
};

void pci_testdev_init(struct pci_testdev *t, struct machine *m, struct pci_bus *bus,
                      unsigned devfn)
{
    static const struct pci_ids ids = {.vendor = 0x1b36, .device = 0x0005, .class_code = 0x00ff00};

    region_io(&t->mem, "pci-testdev memory", &mem_ops, t, MEM_BYTES);
    region_io(&t->io, "pci-testdev ports", &io_ops, t, IO_BYTES);
    pci_device_init(&t->pci, bus, "pci-testdev", devfn, &ids);
    pci_add_bar(&t->pci, 0, PCI_BAR_MEM, &t->mem);
    pci_add_bar(&t->pci, 1, PCI_BAR_IO, &t->io);
    machine_add(m, &pci_testdev_type, "pci-testdev", t);
}
