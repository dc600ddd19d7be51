/*
 * Intel 82371SB PIIX3, function 1: IDE interface with bus master.
 *
 * Source: [PIIX3] registers of function 1 and of the bus master by their names, "PCI Local Bus
 *         IDE"; [SFF8038] for the table of interrupt and active bits.
 * Pins:   IRQ14 and IRQ15 out, one ATA channel each.
 * Model:  data move when both sides want it: bus master started (SSBM, with the function's bus
 *         master enable) and DMARQ of the selected device. One descriptor is current at a time.
 * Left out: timings (IDETIM and SIDETIM are stored and only IDE decode enable acts), and the limit
 *         that a descriptor table must not cross 64 KiB: the pointer goes on.
 * Chosen: the device's direction counts where it disagrees with RWCON. Memory that nobody answers
 *         for is a master abort and stops the channel with the error bit. Reserved bytes read as 0.
 */
#include "hw/piix3/piix3_ide.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/base/log.h"
#include "trace/hw_piix3.h"

enum {
    REG_BMIBA = 4,           /* index of the base address register */
    REG_IDETIM = 0x40,       /* 16 bits a channel */
    REG_SIDETIM = 0x44,
    IDETIM_IDE = 0x80,       /* in the high byte: decode enable */
};

enum {
    BMIC = 0,
    BMIS = 2,
    BMIDTP = 4,
    CHANNEL_BYTES = 8,
};

enum {
    BMIC_SSBM = 0x01,
    BMIC_RWCON = 0x08,       /* 1: to memory */
};

enum {
    BMIS_ACTIVE = 0x01,
    BMIS_ERROR = 0x02,
    BMIS_INT = 0x04,
    BMIS_DMA_CAPABLE = 0x60, /* for software's use */
};

enum {
    PRD_BYTES = 8,
    PRD_EOT = 0x80000000u,
};

#define PCISTS_HIGH_ABORTS 0x38      /* bits 13:11, cleared by writing 1 */
#define PCISTS_HIGH_RMA    0x20      /* received master abort */

static const struct {
    const char *name, *control;
    uint16_t command_base, control_base;
} wiring[PIIX3_IDE_CHANNELS] = {
    {"ide0", "ide0-control", 0x1f0, 0x3f6},
    {"ide1", "ide1-control", 0x170, 0x376},
};

static unsigned index_of(const struct piix3_ide_channel *ch)
{
    return (unsigned)(ch - ch->ide->channel);
}

/* ---- bus master ---- */

static void bus_error(struct piix3_ide_channel *ch, uint32_t address)
{
    trace_piix3_ide_error(index_of(ch), address);
    log_guest("piix3-ide: channel %u: nothing answers at %08x", index_of(ch), address);
    ch->status = (uint8_t)((ch->status & ~BMIS_ACTIVE) | BMIS_ERROR);
    ch->ide->pci.config[PCI_STATUS + 1] |= PCISTS_HIGH_RMA;
}

/* [PIIX3] "Physical Region Descriptor Table Entry": base, then count (0 is 64 KiB) and EOT. */
static bool fetch_prd(struct piix3_ide_channel *ch)
{
    uint8_t prd[PRD_BYTES];

    if (space_read_bytes(&ch->ide->machine->mem, ch->next_prd, prd, sizeof(prd)) != sizeof(prd)) {
        bus_error(ch, ch->next_prd);
        return false;
    }
    uint32_t control = ld32le(prd + 4);
    ch->address = ld32le(prd) & ~1u;
    ch->bytes = control & 0xfffe ? control & 0xfffe : 65536;
    ch->last = control & PRD_EOT;
    ch->next_prd += PRD_BYTES;
    trace_piix3_ide_prd(index_of(ch), ch->address, ch->bytes, ch->last);
    return true;
}

static bool move(struct piix3_ide_channel *ch, uint8_t *data, unsigned n, bool to_memory)
{
    struct space *mem = &ch->ide->machine->mem;
    uint64_t moved = to_memory ? space_write_bytes(mem, ch->address, data, n)
                               : space_read_bytes(mem, ch->address, data, n);
    if (moved != n) {
        bus_error(ch, ch->address);
    }
    return moved == n;
}

static bool may_move(const struct piix3_ide_channel *ch)
{
    return (ch->status & BMIS_ACTIVE) &&
           (ld16le(ch->ide->pci.config + PCI_COMMAND) & PCICMD_BME);
}

/* Moves what can be moved now: at most what the device has in its buffer. [SFF8038]: a table that
 * ends with the data clears the active bit before the interrupt, a longer one leaves it set, and a
 * shorter one clears it while the device still waits, without interrupt. */
static void pump(void *opaque)
{
    struct piix3_ide_channel *ch = opaque;
    uint8_t *data;
    unsigned bytes;
    bool to_memory;

    while (may_move(ch) && ata_dma_window(&ch->ata, &data, &bytes, &to_memory)) {
        if (to_memory != !!(ch->command & BMIC_RWCON)) {
            log_guest("piix3-ide: channel %u: RWCON contradicts the command", index_of(ch));
        }
        if (ch->bytes == 0 && !fetch_prd(ch)) {
            return;
        }
        unsigned n = (unsigned)min_u64(min_u64(bytes, ch->bytes), 4 * GiB - ch->address);
        if (!move(ch, data, n, to_memory)) {
            return;
        }
        ch->address += n;
        ch->bytes -= n;
        if (ch->bytes == 0 && ch->last) {
            ch->status &= (uint8_t)~BMIS_ACTIVE;
        }
        ata_dma_moved(&ch->ata, n);
    }
}

/* [PIIX3] BMICx: a 0 to 1 change of SSBM starts at the head of the table, a 0 stops for good. */
static void write_bmic(struct piix3_ide_channel *ch, uint8_t val)
{
    bool was = ch->command & BMIC_SSBM;

    ch->command = val & (BMIC_SSBM | BMIC_RWCON);
    if (!(val & BMIC_SSBM)) {
        ch->status &= (uint8_t)~BMIS_ACTIVE;
        ch->bytes = 0;
    } else if (!was) {
        ch->status |= BMIS_ACTIVE;
        ch->next_prd = ch->table;
        ch->bytes = 0;
        ch->last = false;
        pump(ch);
    }
}

static uint64_t bus_master_read(void *dev, uint64_t off, unsigned size)
{
    const struct piix3_ide *s = dev;
    const struct piix3_ide_channel *ch = &s->channel[off / CHANNEL_BYTES % PIIX3_IDE_CHANNELS];
    unsigned reg = off % CHANNEL_BYTES;

    switch (reg) {
    case BMIC:
        return ch->command;
    case BMIS:
        return ch->status;
    case BMIDTP: case BMIDTP + 1: case BMIDTP + 2: case BMIDTP + 3:
        return (uint8_t)(ch->table >> 8 * (reg - BMIDTP));
    default:
        return 0;
    }
}

static void bus_master_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct piix3_ide *s = dev;
    struct piix3_ide_channel *ch = &s->channel[off / CHANNEL_BYTES % PIIX3_IDE_CHANNELS];
    unsigned reg = off % CHANNEL_BYTES, shift = 8 * (reg & 3);

    trace_piix3_ide_write(index_of(ch), reg, (unsigned)val);
    switch (reg) {
    case BMIC:
        write_bmic(ch, (uint8_t)val);
        break;
    case BMIS: /* error and interrupt are cleared by writing 1 */
        ch->status = (uint8_t)((ch->status & ~BMIS_DMA_CAPABLE & ~(val & (BMIS_ERROR | BMIS_INT))) |
                               (val & BMIS_DMA_CAPABLE));
        break;
    case BMIDTP: case BMIDTP + 1: case BMIDTP + 2: case BMIDTP + 3:
        ch->table = ((ch->table & ~(0xffu << shift)) | (uint32_t)(val & 0xff) << shift) & ~3u;
        break;
    }
}

static const struct region_ops bus_master_ops = {
    .read = bus_master_read, .write = bus_master_write, .width = 1,
};

/* ---- interrupts and decoding ---- */

/* [PIIX3] BMISx bit 2: set by the rising edge of the IDE interrupt line, DMA or not. */
static void intrq_changed(void *opaque, unsigned n, bool level)
{
    struct piix3_ide_channel *ch = opaque;

    trace_piix3_ide_irq(index_of(ch), level);
    if (level) {
        ch->status |= BMIS_INT;
    }
    irq_set(ch->irq, level);
}

/* [PIIX3] IDETIM bit 15 and PCICMD.IOSE: without either the ports are not decoded. */
static void update_decode(struct piix3_ide *s)
{
    bool io = ld16le(s->pci.config + PCI_COMMAND) & PCICMD_IOSE;

    for (unsigned i = 0; i < PIIX3_IDE_CHANNELS; i++) {
        struct ata_channel *c = &s->channel[i].ata;
        bool on = io && (s->pci.config[REG_IDETIM + 2 * i + 1] & IDETIM_IDE);
        if (on != c->command.enabled) {
            trace_piix3_ide_decode(i, on);
            region_enable(&c->command, on);
            region_enable(&c->control, on);
        }
    }
}

static void piix3_ide_written(struct pci_device *d, unsigned off, unsigned size)
{
    struct piix3_ide *s = container_of(d, struct piix3_ide, pci);

    update_decode(s);
    for (unsigned i = 0; i < PIIX3_IDE_CHANNELS; i++) {
        pump(&s->channel[i]); /* it may have waited for the bus master enable */
    }
}

/* ---- reset, state, init ---- */

static void piix3_ide_reset(void *dev)
{
    struct piix3_ide *s = dev;

    pci_device_reset(&s->pci);
    for (unsigned i = 0; i < PIIX3_IDE_CHANNELS; i++) {
        struct piix3_ide_channel *ch = &s->channel[i];
        ata_channel_reset(&ch->ata);
        ch->command = 0;     /* [PIIX3] BMICx, BMISx: 00h; BMIDTPx: 00000000h */
        ch->status = 0;
        ch->table = 0;
        ch->next_prd = ch->address = ch->bytes = 0;
        ch->last = false;
    }
    update_decode(s);        /* [PIIX3] IDETIM: 0000h, both channels off */
}

static void piix3_ide_loaded(void *dev)
{
    struct piix3_ide *s = dev;

    pci_device_loaded(&s->pci);
    update_decode(s);
    for (unsigned i = 0; i < PIIX3_IDE_CHANNELS; i++) {
        struct piix3_ide_channel *ch = &s->channel[i];
        ata_channel_loaded(&ch->ata);
        ch->bytes = (uint32_t)min_u64(ch->bytes, 65536);
    }
}

static const struct state_field channel_state[] = {
    STATE_SUB(struct piix3_ide_channel, ata, ata_channel_state),
    STATE(struct piix3_ide_channel, command), STATE(struct piix3_ide_channel, status),
    STATE(struct piix3_ide_channel, table), STATE(struct piix3_ide_channel, next_prd),
    STATE(struct piix3_ide_channel, address), STATE(struct piix3_ide_channel, bytes),
    STATE(struct piix3_ide_channel, last), STATE_END(),
};

static const struct state_field piix3_ide_state[] = {
    STATE_SUB(struct piix3_ide, pci, pci_device_state),
    STATE_SUBS(struct piix3_ide, channel, channel_state),
    STATE_END(),
};

static const struct device_type piix3_ide_type = {
    .name = "piix3-ide", .version = 1, .reset = piix3_ide_reset, .state = piix3_ide_state,
    .loaded = piix3_ide_loaded,
};

static bool check_place(const struct piix3_ide *s, unsigned channel, unsigned unit,
                        struct error **err)
{
    if (channel >= PIIX3_IDE_CHANNELS || unit >= PIIX3_IDE_UNITS) {
        return error_set(err, "there is no IDE drive %u on channel %u", unit, channel);
    }
    if (s->channel[channel].ata.device[unit] != NULL) {
        return error_set(err, "IDE channel %u has a drive %u already", channel, unit);
    }
    return true;
}

static const char *const drive_ids[PIIX3_IDE_CHANNELS][PIIX3_IDE_UNITS] = {
    {"ide0.0", "ide0.1"}, {"ide1.0", "ide1.1"},
};

bool piix3_ide_attach_disk(struct piix3_ide *s, unsigned channel, unsigned unit, struct block *b,
                           struct error **err)
{
    if (!check_place(s, channel, unit, err)) {
        return false;
    }
    struct piix3_ide_channel *ch = &s->channel[channel];
    struct ata_disk *disk = machine_alloc(s->machine, sizeof(*disk));
    if (!ata_disk_init(disk, &ch->ata, unit, b, channel * PIIX3_IDE_UNITS + unit + 1,
                       drive_ids[channel][unit], err)) {
        return false;
    }
    ch->disk[unit] = disk;
    return true;
}

bool piix3_ide_attach_cd(struct piix3_ide *s, unsigned channel, unsigned unit,
                         struct block *b_or_null, struct error **err)
{
    if (!check_place(s, channel, unit, err)) {
        return false;
    }
    struct piix3_ide_channel *ch = &s->channel[channel];
    struct atapi *cd = machine_alloc(s->machine, sizeof(*cd));
    if (!atapi_init(cd, &ch->ata, unit, b_or_null, channel * PIIX3_IDE_UNITS + unit + 1,
                    drive_ids[channel][unit], err)) {
        return false;
    }
    ch->cd[unit] = cd;
    return true;
}

const struct atapi *piix3_ide_cd(const struct piix3_ide *s, unsigned channel, unsigned unit)
{
    return channel < PIIX3_IDE_CHANNELS && unit < PIIX3_IDE_UNITS ? s->channel[channel].cd[unit]
                                                                  : NULL;
}

bool piix3_ide_change_medium(struct piix3_ide *s, unsigned channel, unsigned unit,
                             struct block *b_or_null, struct error **err)
{
    if (channel >= PIIX3_IDE_CHANNELS || unit >= PIIX3_IDE_UNITS ||
        s->channel[channel].cd[unit] == NULL) {
        return error_set(err, "there is no CD-ROM drive %u on IDE channel %u", unit, channel);
    }
    return atapi_change_medium(s->channel[channel].cd[unit], b_or_null, err);
}

bool ide_drive_geometry(const struct piix3_ide *s, unsigned channel, unsigned unit,
                        struct ata_geometry *out)
{
    if (channel >= PIIX3_IDE_CHANNELS || unit >= PIIX3_IDE_UNITS ||
        s->channel[channel].disk[unit] == NULL) {
        return false;
    }
    *out = s->channel[channel].disk[unit]->geometry;
    return true;
}

static void config_init(struct pci_device *d)
{
    d->power_on[PCI_STATUS] = 0x80;      /* fast back to back */
    d->power_on[PCI_STATUS + 1] = 0x02;  /* medium DEVSEL# timing */
    d->w1cmask[PCI_STATUS + 1] = PCISTS_HIGH_ABORTS;
    d->wmask[PCI_LATENCY] = 0xf0;        /* [PIIX3] MLT */
    for (unsigned reg = REG_IDETIM; reg <= REG_SIDETIM; reg++) {
        d->wmask[reg] = 0xff;
    }
    d->written = piix3_ide_written;
}

bool piix3_ide_init(struct piix3_ide *s, struct machine *m, struct pci_bus *bus, unsigned devfn,
                    struct irq *irq14, struct irq *irq15, struct error **err)
{
    static const struct pci_ids ids = {
        .vendor = 0x8086, .device = 0x7010, .class_code = 0x010180,
    };
    struct irq *const irqs[PIIX3_IDE_CHANNELS] = {irq14, irq15};

    if (bus->slots[devfn & 0xff] != NULL) {
        return error_set(err, "piix3-ide: PCI slot %u has a function %u already", PCI_SLOT(devfn),
                         PCI_FN(devfn));
    }
    *s = (struct piix3_ide){.machine = m};
    pci_device_init(&s->pci, bus, "piix3-ide", devfn, &ids);
    config_init(&s->pci);
    region_io(&s->bus_master, "piix3-ide-bus-master", &bus_master_ops, s,
              PIIX3_IDE_CHANNELS * CHANNEL_BYTES);
    pci_add_bar(&s->pci, REG_BMIBA, PCI_BAR_IO, &s->bus_master);
    for (unsigned i = 0; i < PIIX3_IDE_CHANNELS; i++) {
        struct piix3_ide_channel *ch = &s->channel[i];
        ch->ide = s;
        ch->irq = irqs[i];
        irq_init(&ch->intrq, intrq_changed, ch, i);
        ata_channel_init(&ch->ata, m, wiring[i].name, wiring[i].control, &ch->intrq, pump, ch);
        region_map(&m->ports.root, &ch->ata.command, wiring[i].command_base, 0);
        region_map(&m->ports.root, &ch->ata.control, wiring[i].control_base, 0);
        region_enable(&ch->ata.command, false);
        region_enable(&ch->ata.control, false);
    }
    machine_add(m, &piix3_ide_type, "piix3-ide", s);
    return true;
}
