/*
 * A debug console, as Bochs has it at E9h and SeaBIOS expects it at 402h.
 *
 * It has no state: what was written is gone.
 */
#include "hw/pc/debugcon.h"

#include "trace/hw_pc.h"

static uint64_t debugcon_read(void *dev, uint64_t off, unsigned size)
{
    const struct debugcon *d = dev;
    return d->read_value;
}

static void debugcon_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct debugcon *d = dev;
    uint8_t byte = (uint8_t)val;

    trace_debugcon_write(d->base, byte);
    chardev_write(d->chardev, &byte, 1);
}

static const struct region_ops debugcon_ops = {
    .read = debugcon_read, .write = debugcon_write, .width = 1,
};

void debugcon_init(struct debugcon *d, struct machine *m, uint16_t base, uint8_t read_value,
                   struct chardev *chardev)
{
    *d = (struct debugcon){.base = base, .read_value = read_value, .chardev = chardev};
    region_io(&d->port, "debugcon", &debugcon_ops, d, 1);
    region_map(&m->ports.root, &d->port, base, 0);
}
