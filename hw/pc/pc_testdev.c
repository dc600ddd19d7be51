/*
 * pc-testdev.
 *
 * Source: kvm-unit-tests, which defines what it needs; behaviour compared with QEMU's device.
 * Left out: port E4h, by which a test asks the host to drop its mapping of a page: such a mapping
 *         is nothing that a guest could see, so writes do nothing.
 */
#include "hw/pc/pc_testdev.h"

#include "core/base/bits.h"
#include "trace/hw_pc.h"

#include <string.h>

#define PORT_SCRATCH 0xe0
#define PORT_FLUSH   0xe4
#define PORT_BYTES   0xe8
#define PORT_LINES   0x2000

static uint64_t load(const uint8_t *from, uint64_t off, uint64_t bytes, unsigned size)
{
    uint64_t val = 0;

    if (off < bytes && size <= bytes - off) {
        memcpy(&val, from + off, size);
    }
    return val;
}

static void store(uint8_t *to, uint64_t off, uint64_t bytes, uint64_t val, unsigned size)
{
    if (off < bytes && size <= bytes - off) {
        memcpy(to + off, &val, size);
    }
}

static uint64_t scratch_read(void *dev, uint64_t off, unsigned size)
{
    struct pc_testdev *t = dev;
    return load(t->scratch, off, sizeof(t->scratch), size);
}

static void scratch_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct pc_testdev *t = dev;
    store(t->scratch, off, sizeof(t->scratch), val, size);
}

static uint64_t flush_read(void *dev, uint64_t off, unsigned size)
{
    return 0;
}

static uint64_t mem_read(void *dev, uint64_t off, unsigned size)
{
    struct pc_testdev *t = dev;
    return load(t->memory, off, sizeof(t->memory), size);
}

static void mem_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct pc_testdev *t = dev;
    store(t->memory, off, sizeof(t->memory), val, size);
}

static uint64_t lines_read(void *dev, uint64_t off, unsigned size)
{
    return 0;
}

/* Any value but 0 raises the line. */
static void lines_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct pc_testdev *t = dev;

    trace_pc_testdev_line((unsigned)off, val != 0);
    if (off < t->n_irqs) {
        irq_set(&t->irqs[off], val != 0);
    }
}

static const struct region_ops scratch_ops = {
    .read = scratch_read, .write = scratch_write, .width = 4,
};
static const struct region_ops byte_ops = {
    .read = scratch_read, .write = scratch_write, .width = 1,
};
static const struct region_ops flush_ops = {.read = flush_read, .width = 4};
static const struct region_ops lines_ops = {
    .read = lines_read, .write = lines_write, .width = 4,
};
static const struct region_ops mem_ops = {.read = mem_read, .write = mem_write, .width = 8};

static void pc_testdev_reset(void *dev)
{
    struct pc_testdev *t = dev;
    memset(t->scratch, 0, sizeof(t->scratch));
    memset(t->memory, 0, sizeof(t->memory));
}

static const struct state_field pc_testdev_state[] = {
    STATE(struct pc_testdev, scratch),
    STATE(struct pc_testdev, memory),
    STATE_END(),
};

static const struct device_type pc_testdev_type = {
    .name = "pc-testdev", .version = 1, .reset = pc_testdev_reset, .state = pc_testdev_state,
};

void pc_testdev_init(struct pc_testdev *t, struct machine *m, struct irq *irqs, unsigned n_irqs)
{
    struct region *ports = &m->ports.root;

    t->irqs = irqs;
    t->n_irqs = n_irqs;
    region_io(&t->ports, "pc-testdev scratch", &scratch_ops, t, sizeof(t->scratch));
    region_io(&t->flush, "pc-testdev flush", &flush_ops, t, 4);
    region_io(&t->byte_ports, "pc-testdev bytes", &byte_ops, t, sizeof(t->scratch));
    region_io(&t->lines, "pc-testdev lines", &lines_ops, t, PC_TESTDEV_IRQS);
    region_io(&t->mem, "pc-testdev memory", &mem_ops, t, PC_TESTDEV_MEM_BYTES);
    region_map(ports, &t->ports, PORT_SCRATCH, 0);
    region_map(ports, &t->flush, PORT_FLUSH, 0);
    region_map(ports, &t->byte_ports, PORT_BYTES, 0);
    region_map(ports, &t->lines, PORT_LINES, 0);
    region_map(&m->mem.root, &t->mem, PC_TESTDEV_MEM, 1);
    machine_add(m, &pc_testdev_type, "pc-testdev", t);
}
