/*
 * pvpanic, the ISA form.
 *
 * Source: [PVPANIC]. What the machine does about a panic is its panic_action. It has no state.
 */
#include "hw/pc/pvpanic.h"

#include "core/base/log.h"
#include "trace/hw_pc.h"

static uint64_t pvpanic_read(void *dev, uint64_t off, unsigned size)
{
    const struct pvpanic *p = dev;
    return p->events;
}

static void pvpanic_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct pvpanic *p = dev;

    trace_pvpanic_write((unsigned)val);
    if (val & ~(uint64_t)(PVPANIC_PANICKED | PVPANIC_CRASH_LOADED)) {
        log_guest("pvpanic: event %02x is not one", (unsigned)val);
    }
    if (val & PVPANIC_PANICKED) {
        machine_guest_panicked(p->machine);
    }
}

static const struct region_ops pvpanic_ops = {
    .read = pvpanic_read, .write = pvpanic_write, .width = 1,
};

void pvpanic_init(struct pvpanic *p, struct machine *m, uint16_t base, uint8_t events)
{
    *p = (struct pvpanic){.machine = m, .events = events};
    region_io(&p->port, "pvpanic", &pvpanic_ops, p, 1);
    region_map(&m->ports.root, &p->port, base, 0);
}
