/*
 * The APIC bus: whom a message is for.
 *
 * Source: [SDM3] "Local APIC Bus and System Bus" (destinations, lowest-priority arbitration),
 *         "Message Signalled Interrupts".
 * Model:  a message arrives in the same moment; there is no queue, so nothing is ever "send
 *         pending".
 * Chosen: equal priorities are arbitrated for the processor of the lowest number; focus processors
 *         are not looked for.
 */
#include "hw/chips/apic_bus.h"

#include "core/base/bits.h"
#include "hw/chips/lapic.h"
#include "trace/hw_chips.h"

#define MSI_BASE  0xfee00000ull
#define MSI_BYTES 0x100000u
#define MSI_PRIO  8              /* over RAM, PCI and what firmware lets overlap */

enum {
    MSI_ADDR_LOGICAL = 0x4,      /* destination mode */
    MSI_DATA_LEVEL = 0x8000,     /* trigger mode */
    MSI_DATA_ASSERT = 0x4000,
};

/* ---- delivery ---- */

static bool send_lowest(struct apic_bus *b, const struct apic_message *msg)
{
    struct lapic *best = NULL;
    int best_priority = 0;
    for (unsigned i = 0; i < b->n; i++) {
        int priority = lapic_arbitration(b->lapic[i]);
        if (priority >= 0 && lapic_matches(b->lapic[i], msg) &&
            (!best || priority < best_priority)) {
            best = b->lapic[i];
            best_priority = priority;
        }
    }
    return best && lapic_accept(best, msg);
}

bool apic_bus_send(struct apic_bus *b, const struct apic_message *msg)
{
    bool taken = false;
    trace_apic_bus_send(msg->dest, msg->logical, msg->mode, msg->vector, msg->level);
    if (msg->mode == APIC_LOWEST) {
        return send_lowest(b, msg);
    }
    for (unsigned i = 0; i < b->n; i++) {
        if (lapic_matches(b->lapic[i], msg)) {
            taken |= lapic_accept(b->lapic[i], msg);
        }
    }
    return taken;
}

void apic_bus_send_all(struct apic_bus *b, const struct apic_message *msg,
                       const struct lapic *except)
{
    trace_apic_bus_send(APIC_ALL, msg->logical, msg->mode, msg->vector, msg->level);
    for (unsigned i = 0; i < b->n; i++) {
        if (b->lapic[i] != except) {
            lapic_accept(b->lapic[i], msg);
        }
    }
}

/* ---- messages by memory writes ---- */

void apic_bus_msi(struct apic_bus *b, uint64_t addr, uint32_t data)
{
    bool logical = addr & MSI_ADDR_LOGICAL;
    struct apic_message msg = {
        .dest = apic_dest8((uint8_t)(addr >> 12), logical),
        .logical = logical,
        .mode = data >> 8 & 7,
        .vector = (uint8_t)data,
        .level = data & MSI_DATA_LEVEL,
    };
    if (!msg.level || (data & MSI_DATA_ASSERT)) {
        apic_bus_send(b, &msg);
    }
}

static void msi_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    if (size == 4) {
        apic_bus_msi(dev, MSI_BASE + off, (uint32_t)val);
    }
}

static const struct region_ops msi_ops = {.write = msi_write, .width = 4};

/* ---- wires ---- */

static void lint_changed(void *opaque, unsigned n, bool level)
{
    struct apic_bus *b = opaque;
    for (unsigned i = 0; i < b->n; i++) {
        lapic_set_lint(b->lapic[i], n, level);
    }
}

void apic_bus_init(struct apic_bus *b, struct machine *m)
{
    *b = (struct apic_bus){.m = m};
    for (unsigned n = 0; n < 2; n++) {
        irq_init(&b->lint[n], lint_changed, b, n);
    }
    region_io(&b->msi, "msi", &msi_ops, b, MSI_BYTES);
    region_map(&m->mem.root, &b->msi, MSI_BASE, MSI_PRIO);
}
