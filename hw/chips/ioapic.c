/*
 * Intel 82093AA I/O APIC.
 *
 * Source: [IOAPIC] "I/O APIC Registers", "I/O Redirection Table Registers", "Interrupt Signals";
 *         [ICH] "EOI Register" for the register that version 20h has.
 * Pins:   INTIN0-23 in; messages out.
 * Chosen: wires carry logical levels, so the polarity bit of an entry says how the board drives the
 *         wire and has no effect of its own: tables of the firmware and guests without tables
 *         disagree on it. An edge at a masked pin is lost ([IOAPIC] "Interrupt Mask"). A level
 *         triggered message that no local APIC takes is sent again at the next EOI or change, not
 *         in a loop.
 */
#include "hw/chips/ioapic.h"

#include "core/base/bits.h"
#include "trace/hw_chips.h"

#define VERSION 0x20u
#define PRIO    8

enum { WINDOW_SELECT = 0x00, WINDOW_DATA = 0x10, WINDOW_EOI = 0x40 };
enum { REG_ID = 0x00, REG_VERSION = 0x01, REG_ARB = 0x02, REG_ENTRY = 0x10 };

enum {
    ENTRY_VECTOR = 0xff,
    ENTRY_LOGICAL = 0x800,
    ENTRY_REMOTE_IRR = 0x4000,
    ENTRY_LEVEL = 0x8000,
    ENTRY_MASKED = 0x10000,
};
#define ENTRY_WRITABLE 0xff0000000001afffull /* all but delivery status and remote IRR */

/* [IOAPIC] "Delivery Mode": only fixed and lowest-priority interrupts can be level triggered. */
static bool is_level(uint64_t entry)
{
    return (entry & ENTRY_LEVEL) && (entry >> 8 & 7) <= APIC_LOWEST;
}

/* ---- messages ---- */

static bool send(struct ioapic *s, unsigned pin)
{
    uint64_t e = s->entry[pin];
    bool logical = e & ENTRY_LOGICAL;
    struct apic_message msg = {
        .dest = apic_dest8((uint8_t)(e >> 56), logical),
        .logical = logical,
        .mode = e >> 8 & 7,
        .vector = e & ENTRY_VECTOR,
        .level = is_level(e),
    };
    return apic_bus_send(s->bus, &msg);
}

/* A level triggered pin that is asserted, open and not being served asks. */
static void update_level(struct ioapic *s, unsigned pin)
{
    uint64_t e = s->entry[pin];
    if (is_level(e) && !(e & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) && (s->levels >> pin & 1) &&
        send(s, pin)) {
        s->entry[pin] |= ENTRY_REMOTE_IRR;
    }
}

static void input_changed(void *opaque, unsigned pin, bool level)
{
    struct ioapic *s = opaque;
    bool rises = level && !(s->levels >> pin & 1);
    trace_ioapic_input(pin, level);
    s->levels = (s->levels & ~BIT(pin)) | (uint32_t)level << pin;
    if (is_level(s->entry[pin])) {
        update_level(s, pin);
    } else if (rises && !(s->entry[pin] & ENTRY_MASKED)) {
        send(s, pin);
    }
}

static void end_of_interrupt(void *opaque, uint8_t vector)
{
    struct ioapic *s = opaque;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        if ((s->entry[pin] & ENTRY_REMOTE_IRR) && (s->entry[pin] & ENTRY_VECTOR) == vector) {
            s->entry[pin] &= ~(uint64_t)ENTRY_REMOTE_IRR;
            update_level(s, pin);
        }
    }
}

struct irq *ioapic_input(struct ioapic *s, unsigned pin)
{
    return &s->input[pin];
}

/* ---- registers ---- */

static uint32_t reg_read(const struct ioapic *s, unsigned reg)
{
    switch (reg) {
    case REG_ID: case REG_ARB: return (uint32_t)s->id << 24;
    case REG_VERSION: return (IOAPIC_PINS - 1) << 16 | VERSION;
    case REG_ENTRY ... REG_ENTRY + 2 * IOAPIC_PINS - 1: {
        uint64_t e = s->entry[(reg - REG_ENTRY) / 2];
        return (uint32_t)(reg & 1 ? e >> 32 : e);
    }
    default: return 0;
    }
}

static void write_entry(struct ioapic *s, unsigned pin, bool high, uint32_t val)
{
    uint64_t old = s->entry[pin], mask = high ? 0xffffffff00000000ull : 0xffffffffull;
    uint64_t now = (high ? (uint64_t)val << 32 : val) & mask & ENTRY_WRITABLE;
    now |= old & ~(mask & ENTRY_WRITABLE);
    if (!is_level(now)) {
        now &= ~(uint64_t)ENTRY_REMOTE_IRR; /* [IOAPIC] "Remote IRR": undefined for edges */
    }
    s->entry[pin] = now;
    update_level(s, pin);
}

static void reg_write(struct ioapic *s, unsigned reg, uint32_t val)
{
    if (reg == REG_ID) {
        s->id = val >> 24 & 0xf;
    } else if (reg >= REG_ENTRY && reg < REG_ENTRY + 2 * IOAPIC_PINS) {
        write_entry(s, (reg - REG_ENTRY) / 2, reg & 1, val);
    }
}

static uint64_t ioapic_read(void *dev, uint64_t off, unsigned size)
{
    struct ioapic *s = dev;
    uint32_t val = 0;
    if (off == WINDOW_SELECT) {
        val = s->select;
    } else if (off == WINDOW_DATA && size == 4) {
        val = reg_read(s, s->select);
        trace_ioapic_read(s->select, val);
    }
    return val;
}

static void ioapic_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct ioapic *s = dev;
    if (off == WINDOW_SELECT) {
        s->select = (uint8_t)val;
    } else if (off == WINDOW_DATA && size == 4) {
        trace_ioapic_write(s->select, (uint32_t)val);
        reg_write(s, s->select, (uint32_t)val);
    } else if (off == WINDOW_EOI && size == 4) {
        end_of_interrupt(s, (uint8_t)val);
    }
}

static const struct region_ops ioapic_ops = {
    .read = ioapic_read, .write = ioapic_write, .width = 4,
};

/* ---- reset, state, init ---- */

/* [IOAPIC] "Default Value" of each register. The inputs keep the level they are driven with. */
static void ioapic_reset(void *dev)
{
    struct ioapic *s = dev;
    s->select = 0;
    s->id = 0;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        s->entry[pin] = ENTRY_MASKED;
    }
}

static void ioapic_loaded(void *dev)
{
    struct ioapic *s = dev;
    s->id &= 0xf;
    s->levels &= BIT(IOAPIC_PINS) - 1;
}

static const struct state_field ioapic_state[] = {
    STATE_KEPT(struct ioapic, levels), STATE(struct ioapic, select), STATE(struct ioapic, id),
    STATE(struct ioapic, entry), STATE_END(),
};

static const struct device_type ioapic_type = {
    .name = "ioapic", .version = 1, .reset = ioapic_reset, .state = ioapic_state,
    .loaded = ioapic_loaded,
};

void ioapic_init(struct ioapic *s, struct apic_bus *bus)
{
    *s = (struct ioapic){.bus = bus};
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        irq_init(&s->input[pin], input_changed, s, pin);
    }
    bus->eoi = end_of_interrupt;
    bus->eoi_opaque = s;
    region_io(&s->regs, "ioapic", &ioapic_ops, s, IOAPIC_BYTES);
    region_map(&bus->m->mem.root, &s->regs, IOAPIC_BASE, PRIO);
    machine_add(bus->m, &ioapic_type, "ioapic", s);
}
