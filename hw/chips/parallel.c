/*
 * Standard parallel port, and the printer at the other end of its cable.
 *
 * Source: [AT] "Parallel Printer Adapter"; [PS2TR] "Parallel Port" for the direction bit; [1284]
 *         "Compatibility mode" for the handshake.
 * Pins:   D0..D7, the status and control lines of the connector as a printer that is on line and
 *         has paper, IRQ.
 * Model:  a byte is taken at the falling edge of /STROBE while the printer is selected and not
 *         being initialised; BUSY lasts 10 us. Then /ACK falls, which interrupts, and stays low
 *         until the status has been read: firmware (INT 17h) waits until it has seen that, and a
 *         pulse as short as a printer's would be over before it looks.
 * Not:    EPP and ECP: offsets 3 to 7 read as ones.
 * Unsure: status bits 2 to 0 have no line; they read as zeros, since BIOS code passes bit 0 on as a
 *         time-out. While the port is an input nobody drives the data lines: they read as ones.
 */
#include "hw/chips/parallel.h"

#include "core/base/bits.h"
#include "trace/hw_chips.h"

enum { REG_DATA, REG_STATUS, REG_CONTROL, REG_COUNT = 8 };

enum { /* status; BUSY is read inverted */
    STATUS_NO_ERROR = 0x08,
    STATUS_SELECTED = 0x10,
    STATUS_NO_ACK = 0x40,
    STATUS_NOT_BUSY = 0x80,
};

enum { /* control: as written; STROBE, AUTOFD and SELECT are inverted on the cable */
    CONTROL_STROBE = 0x01,
    CONTROL_NO_INIT = 0x04,
    CONTROL_SELECT = 0x08,
    CONTROL_IRQ = 0x10,
    CONTROL_INPUT = 0x20,
    CONTROL_ONES = 0xc0,    /* no such bits */
};

#define BUSY_NS 10000

static void update_irq(struct parallel *s)
{
    irq_set(s->irq, s->acknowledging && (s->control & CONTROL_IRQ));
}

/* Reading it ends the acknowledge, and with it the interrupt. */
static uint8_t read_status(struct parallel *s)
{
    uint8_t val = STATUS_SELECTED | STATUS_NO_ERROR | (s->acknowledging ? 0 : STATUS_NO_ACK) |
                  (timer_armed(&s->busy) ? 0 : STATUS_NOT_BUSY);

    s->acknowledging = false;
    update_irq(s);
    return val;
}

static void byte_done(void *opaque)
{
    struct parallel *s = opaque;

    s->acknowledging = true;
    update_irq(s);
}

static void strobe(struct parallel *s)
{
    trace_parallel_byte(s->data);
    chardev_write(s->chr, &s->data, 1);
    s->acknowledging = false;
    timer_at(&s->busy, clock_now(&s->m->clock) + BUSY_NS);
}

/* A printer that is being initialised forgets the byte it is busy with. An acknowledge that came
 * while interrupts were off does not interrupt later. */
static void write_control(struct parallel *s, uint8_t val)
{
    bool falls = val & ~s->control & CONTROL_STROBE;
    bool irq_on = val & ~s->control & CONTROL_IRQ;

    s->control = val | CONTROL_ONES;
    if (!(val & CONTROL_NO_INIT)) {
        timer_cancel(&s->busy);
        s->acknowledging = false;
        chardev_flush(s->chr);
    } else if (falls && (val & CONTROL_SELECT) && !(val & CONTROL_INPUT)) {
        strobe(s);
    }
    s->acknowledging &= !irq_on;
    update_irq(s);
}

static uint64_t parallel_read(void *dev, uint64_t off, unsigned size)
{
    struct parallel *s = dev;
    uint8_t val = 0xff;

    switch (off) {
    case REG_DATA: val = s->control & CONTROL_INPUT ? 0xff : s->data; break;
    case REG_STATUS: val = read_status(s); break;
    case REG_CONTROL: val = s->control; break;
    }
    trace_parallel_read((unsigned)off, val);
    return val;
}

static void parallel_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct parallel *s = dev;

    trace_parallel_write((unsigned)off, (uint8_t)val);
    switch (off) {
    case REG_DATA: s->data = (uint8_t)val; break;
    case REG_CONTROL: write_control(s, (uint8_t)val); break;
    }
}

static const struct region_ops parallel_ops = {
    .read = parallel_read, .write = parallel_write, .width = 1,
};

/* [AT] leaves the latches open at power-on; FFh and "selected, not initialising" as on other
 * emulations. */
static void parallel_reset(void *dev)
{
    struct parallel *s = dev;

    timer_cancel(&s->busy);
    s->data = 0xff;
    s->control = CONTROL_ONES | CONTROL_SELECT | CONTROL_NO_INIT;
    s->acknowledging = false;
    update_irq(s);
}

static void parallel_loaded(void *dev)
{
    update_irq(dev);
}

static const struct state_field parallel_state[] = {
    STATE(struct parallel, data),
    STATE(struct parallel, control),
    STATE(struct parallel, acknowledging),
    STATE_TIMER(struct parallel, busy),
    STATE_END(),
};

const struct device_type parallel_type = {
    .name = "parallel", .version = 1, .reset = parallel_reset, .state = parallel_state,
    .loaded = parallel_loaded,
};

void parallel_init(struct parallel *s, struct machine *m, const char *id, uint16_t base,
                   struct irq *irq, struct chardev *chr)
{
    s->id = id;
    s->m = m;
    s->irq = irq;
    s->chr = chr;
    timer_init(&s->busy, &m->clock, "parallel busy", byte_done, s);
    region_io(&s->regs, id, &parallel_ops, s, REG_COUNT);
    region_map(&m->ports.root, &s->regs, base, 0);
    machine_add(m, &parallel_type, id, s);
}
