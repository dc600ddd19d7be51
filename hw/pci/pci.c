/*
 * PCI bus 0: configuration mechanism 1, type 0 headers, base address registers, INTx wiring.
 *
 * Source: [PCI21] "Configuration Mechanism #1", "Configuration Space Organization", "Base
 *         Addresses", "Expansion ROM Base Address Register"; [82441FX] "CONFADD", "CONFDATA".
 * Left out: 64-bit BARs, bridges to other buses, special cycles, parity and target abort status.
 * Chosen: a BAR that holds 0 is not decoded, so that software which enables decoding before it
 *         gives addresses does not lay a device over the DMA controller or low memory.
 */
#include "hw/pci/pci.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "trace/hw_pci.h"

#include <assert.h>
#include <string.h>

#define CONFADD_ENABLE   0x80000000u
#define CONFADD_WRITABLE 0x80fffffcu /* [82441FX] CONFADD: 30:24 and 1:0 are reserved, 0 */

#define SUBSYSTEM_VENDOR 0x1af4u
#define SUBSYSTEM_ID     0x1100u

#define BAR_IO           1u
#define BAR_PREFETCH     8u
#define ROM_ENABLE       1u

#define NOT_DECODED      UINT64_MAX
#define BAR_PRIORITY     1

const struct state_field pci_device_state[] = {
    STATE(struct pci_device, config),
    STATE(struct pci_device, intx),
    STATE_END(),
};

static unsigned bar_register(unsigned n)
{
    return n == PCI_ROM_SLOT ? PCI_ROM_BAR : PCI_BAR0 + 4 * n;
}

uint64_t pci_bar_address(const struct pci_device *d, unsigned n)
{
    const struct pci_bar *bar = &d->bars[n];
    uint16_t cmd = ld16le(d->config + PCI_COMMAND);
    uint32_t val = ld32le(d->config + bar_register(n));
    uint64_t addr = NOT_DECODED;

    switch (bar->kind) {
    case PCI_BAR_NONE:
        return NOT_DECODED;
    case PCI_BAR_IO:
        addr = cmd & PCICMD_IOSE ? val & ~3u : NOT_DECODED;
        /* The CPU has 16 address lines for ports: a BAR above them is never addressed. */
        return addr == 0 || addr > 0xffff ? NOT_DECODED : addr;
    case PCI_BAR_MEM:
    case PCI_BAR_PREFETCH:
        addr = cmd & PCICMD_MSE ? val & ~15u : NOT_DECODED;
        break;
    case PCI_BAR_ROM:
        addr = (cmd & PCICMD_MSE) && (val & ROM_ENABLE) ? val & ~0x7ffu : NOT_DECODED;
        break;
    }
    return addr == 0 ? NOT_DECODED : addr;
}

static struct region *bar_parent(const struct pci_device *d, unsigned n)
{
    return d->bars[n].kind == PCI_BAR_IO ? &d->bus->machine->ports.root : d->bus->mem;
}

static void update_bar(struct pci_device *d, unsigned n)
{
    struct region *r = d->bars[n].region;
    uint64_t addr = pci_bar_address(d, n);

    if (r->mapped && r->addr == addr) {
        return;
    }
    if (r->mapped) {
        region_unmap(r);
        trace_pci_bar_unmap(d->name, n);
    }
    if (addr != NOT_DECODED) {
        region_map(bar_parent(d, n), r, addr, BAR_PRIORITY);
        trace_pci_bar_map(d->name, n, (uint32_t)addr, (uint32_t)r->bytes);
    }
}

static void update_bars(struct pci_device *d)
{
    for (unsigned n = 0; n <= PCI_ROM_SLOT; n++) {
        if (d->bars[n].kind != PCI_BAR_NONE) {
            update_bar(d, n);
        }
    }
}

unsigned pci_pirq(unsigned slot, unsigned pin)
{
    return (slot + pin + 2) % PCI_PIRQS; /* slot 1 pin A is PIRQA */
}

static bool drives(const struct pci_device *d, unsigned pirq)
{
    return d->intx && d->config[PCI_INTERRUPT_PIN] != 0 &&
           !(ld16le(d->config + PCI_COMMAND) & PCICMD_INTD) &&
           pci_pirq(PCI_SLOT(d->devfn), d->config[PCI_INTERRUPT_PIN]) == pirq;
}

/* A PIRQ line is a wired OR of all pins on it. */
static void update_pirq(struct pci_device *d)
{
    unsigned pin = d->config[PCI_INTERRUPT_PIN];
    bool level = false;

    if (pin == 0) {
        return;
    }
    unsigned pirq = pci_pirq(PCI_SLOT(d->devfn), pin);
    for (const struct pci_device *other = d->bus->devices; other != NULL; other = other->next) {
        level |= drives(other, pirq);
    }
    trace_pci_intx(d->name, level, pirq);
    irq_set(d->bus->pirq[pirq], level);
}

void pci_set_intx(struct pci_device *d, bool level)
{
    if (d->intx != level) {
        d->intx = level;
        update_pirq(d);
    }
}

uint32_t pci_config_read(struct pci_bus *bus, unsigned devfn, unsigned off, unsigned size)
{
    const struct pci_device *d = bus->slots[devfn & 0xff];
    uint32_t val = 0;

    if (d == NULL) {
        trace_pci_absent(devfn, off, 0);
        return (uint32_t)size_mask(size);
    }
    if (size == 4 && off <= PCI_CONFIG_BYTES - 4) {
        val = ld32le(d->config + off);
    } else {
        for (unsigned i = 0; i < size; i++) {
            val |= (uint32_t)d->config[(off + i) % PCI_CONFIG_BYTES] << 8 * i;
        }
    }
    trace_pci_config_read(d->name, off, size, val);
    return val;
}

static void store_config(struct pci_device *d, unsigned off, uint8_t val)
{
    uint8_t kept = d->config[off] & ~d->wmask[off];
    d->config[off] = (kept | (val & d->wmask[off])) & ~(val & d->w1cmask[off]);
}

void pci_config_write(struct pci_bus *bus, unsigned devfn, unsigned off, uint32_t val,
                      unsigned size)
{
    struct pci_device *d = bus->slots[devfn & 0xff];

    if (d == NULL) {
        trace_pci_absent(devfn, off, 1);
        return;
    }
    off %= PCI_CONFIG_BYTES;
    size = (unsigned)min_u64(size, PCI_CONFIG_BYTES - off);
    trace_pci_config_write(d->name, off, size, val);
    for (unsigned i = 0; i < size; i++) {
        store_config(d, off + i, (uint8_t)(val >> 8 * i));
    }
    if (pci_touches(off, size, PCI_COMMAND, 2) || pci_touches(off, size, PCI_BAR0, 24) ||
        pci_touches(off, size, PCI_ROM_BAR, 4)) {
        update_bars(d);
    }
    if (pci_touches(off, size, PCI_COMMAND, 2)) {
        update_pirq(d);
    }
    if (d->written != NULL) {
        d->written(d, off, size);
    }
}

/* CF8h-CFBh. [82441FX] CONFADD: only a Dword access is for this register. */
static uint64_t addr_read(void *dev, uint64_t off, unsigned size)
{
    struct pci_bus *bus = dev;
    if (off == 0 && size == 4) {
        return bus->config_addr;
    }
    if (bus->narrow_ops != NULL) {
        return bus->narrow_ops->read(bus->narrow, off, size);
    }
    return size_mask(size);
}

static void addr_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct pci_bus *bus = dev;
    if (off == 0 && size == 4) {
        bus->config_addr = (uint32_t)val & CONFADD_WRITABLE;
    } else if (bus->narrow_ops != NULL) {
        bus->narrow_ops->write(bus->narrow, off, val, size);
    }
}

/* The function and register that CONFDATA stands for now; false if it is not a configuration cycle
 * or goes to another bus, where there is nothing. */
static bool config_target(const struct pci_bus *bus, uint64_t lane, unsigned *devfn, unsigned *off)
{
    uint32_t addr = bus->config_addr;
    *devfn = addr >> 8 & 0xff;
    *off = (addr & 0xfc) + (unsigned)lane;
    return (addr & CONFADD_ENABLE) && (addr >> 16 & 0xff) == 0;
}

static uint64_t data_read(void *dev, uint64_t lane, unsigned size)
{
    struct pci_bus *bus = dev;
    unsigned devfn, off;
    if (!config_target(bus, lane, &devfn, &off)) {
        return size_mask(size);
    }
    return pci_config_read(bus, devfn, off, size);
}

static void data_write(void *dev, uint64_t lane, uint64_t val, unsigned size)
{
    struct pci_bus *bus = dev;
    unsigned devfn, off;
    if (config_target(bus, lane, &devfn, &off)) {
        pci_config_write(bus, devfn, off, (uint32_t)val, size);
    }
}

static const struct region_ops addr_ops = {.read = addr_read, .write = addr_write, .width = 4};
static const struct region_ops data_ops = {.read = data_read, .write = data_write, .width = 4};

static void pci_bus_reset(void *dev)
{
    struct pci_bus *bus = dev;
    bus->config_addr = 0; /* [82441FX] CONFADD: default 00000000h */
}

void pci_device_reset(struct pci_device *d)
{
    memcpy(d->config, d->power_on, sizeof(d->config));
    d->intx = false;
    update_bars(d);
    update_pirq(d);
}

/* Lines keep the level that their receivers have saved; only what is decoded is derived. */
void pci_device_loaded(struct pci_device *d)
{
    update_bars(d);
}

static const struct state_field pci_bus_state[] = {
    STATE(struct pci_bus, config_addr),
    STATE_END(),
};

static const struct device_type pci_bus_type = {
    .name = "pci-bus", .version = 1, .reset = pci_bus_reset, .state = pci_bus_state,
};

void pci_bus_init(struct pci_bus *bus, struct machine *m, struct region *mem)
{
    *bus = (struct pci_bus){.machine = m, .mem = mem};
    region_io(&bus->addr_region, "pci-config-address", &addr_ops, bus, 4);
    region_io(&bus->data_region, "pci-config-data", &data_ops, bus, 4);
    region_map(&m->ports.root, &bus->addr_region, 0xcf8, 0);
    region_map(&m->ports.root, &bus->data_region, 0xcfc, 0);
    machine_add(m, &pci_bus_type, "pci.0", bus);
}

void pci_device_init(struct pci_device *d, struct pci_bus *bus, const char *name, unsigned devfn,
                     const struct pci_ids *ids)
{
    struct pci_device **end = &bus->devices;

    assert(devfn < ARRAY_SIZE(bus->slots) && bus->slots[devfn] == NULL);
    *d = (struct pci_device){.bus = bus, .name = name, .devfn = (uint8_t)devfn};
    st16le(d->power_on + PCI_VENDOR_ID, ids->vendor);
    st16le(d->power_on + PCI_DEVICE_ID, ids->device);
    st32le(d->power_on + PCI_REVISION, ids->class_code << 8 | ids->revision);
    d->power_on[PCI_HEADER_TYPE] = ids->header_type;
    d->power_on[PCI_INTERRUPT_PIN] = ids->pin;
    st16le(d->power_on + PCI_SUBSYSTEM_VENDOR, SUBSYSTEM_VENDOR);
    st16le(d->power_on + PCI_SUBSYSTEM_ID, SUBSYSTEM_ID);
    st16le(d->wmask + PCI_COMMAND,
           PCICMD_IOSE | PCICMD_MSE | PCICMD_BME | PCICMD_SERRE | PCICMD_INTD);
    d->wmask[PCI_CACHE_LINE] = 0xff;
    d->wmask[PCI_INTERRUPT_LINE] = 0xff;
    memcpy(d->config, d->power_on, sizeof(d->config));

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = d;
    bus->slots[devfn] = d;
}

void pci_add_bar(struct pci_device *d, unsigned n, enum pci_bar_kind kind, struct region *r)
{
    uint32_t fixed = kind == PCI_BAR_IO ? BAR_IO : kind == PCI_BAR_PREFETCH ? BAR_PREFETCH : 0;
    unsigned reg = bar_register(n);

    assert(n <= PCI_ROM_SLOT && d->bars[n].kind == PCI_BAR_NONE);
    assert((r->bytes & (r->bytes - 1)) == 0 && r->bytes <= BIT64(31));
    d->bars[n] = (struct pci_bar){.kind = kind, .region = r};
    st32le(d->power_on + reg, fixed);
    st32le(d->wmask + reg, (uint32_t)-r->bytes | (kind == PCI_BAR_ROM ? ROM_ENABLE : 0));
}

bool pci_add_rom(struct pci_device *d, const void *image, size_t bytes, struct error **err)
{
    uint64_t size = 4 * KiB;

    if (bytes == 0 || bytes > 16 * MiB) {
        return error_set(err, "%s: expansion ROM of %zu bytes: not in 1 to 16 MiB", d->name, bytes);
    }
    while (size < bytes) {
        size *= 2;
    }
    if (!ram_block_new(&d->bus->machine->arena, &d->rom, d->name, size, err)) {
        return false;
    }
    memset(ram_host(&d->rom), 0xff, d->rom.bytes);
    memcpy(ram_host(&d->rom), image, bytes);
    region_rom(&d->rom_region, d->name, &d->rom);
    pci_add_bar(d, PCI_ROM_SLOT, PCI_BAR_ROM, &d->rom_region);
    return true;
}
