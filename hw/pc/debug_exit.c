/*
 * isa-debug-exit and coldboot-exit.
 *
 * Of the exit status a host sees the low 8 bits; both devices take them from one write of 1, 2 or 4
 * bytes. They have no state.
 */
#include "hw/pc/debug_exit.h"

#include "trace/hw_pc.h"

static uint64_t debug_exit_read(void *dev, uint64_t off, unsigned size)
{
    return 0;
}

static void debug_exit_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct debug_exit *d = dev;
    uint32_t status = (uint32_t)val;

    trace_debug_exit_write(d->base + (unsigned)off, status);
    if (d->formula == DEBUG_EXIT_ISA) {
        status = status << 1 | 1;
    }
    machine_request_stop(d->machine, CAUSE_GUEST_EXIT, (int)(status & 0xff));
}

static const struct region_ops debug_exit_ops = {
    .read = debug_exit_read, .write = debug_exit_write, .width = 4,
};

void debug_exit_init(struct debug_exit *d, struct machine *m, uint16_t base, unsigned bytes,
                     enum debug_exit_formula formula)
{
    *d = (struct debug_exit){.machine = m, .base = base, .formula = formula};
    region_io(&d->ports, "debug-exit", &debug_exit_ops, d, bytes);
    region_map(&m->ports.root, &d->ports, base, 0);
}
