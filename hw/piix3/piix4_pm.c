/*
 * Intel 82371AB PIIX4, function 3: ACPI power management, the APM ports and an SMBus host.
 *
 * Source: [PIIX4] "Power Management PCI Configuration Registers (Function 3)", "Power Management
 *         I/O Registers", "SMBus I/O Registers"; [ACPI1] "ACPI Hardware Features".
 * Pins:   SCI (ISA interrupt 9), SMI#, the machine's power supply.
 * Model:  the PM timer is computed from the clock; its overflow is a deadline.
 * Left out: the global control and the device monitors (PM base + 0Ch and up: nothing is decoded
 *         there), throttling, the sleeping states S1 to S3. The SMBus has no devices: each transfer
 *         ends with DEV_ERR.
 * Chosen: GPE0 sits at AFE0h, as the ACPI tables of this board say. The APM commands F1h and F0h
 *         set and clear SCI_EN, which on a real board is the work of firmware's SMI handler.
 */
#include "hw/piix3/piix4_pm.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/base/log.h"
#include "trace/hw_piix3.h"

enum {
    REG_PMBASE = 0x40,
    REG_DEVACTB = 0x58,
    REG_PMREGMISC = 0x80,
    REG_SMBBASE = 0x90,
    REG_SMBHSTCFG = 0xd2,
};

enum {
    PMREGMISC_PMIOSE = 0x01,
    DEVACTB3_APMC_EN = 0x02, /* DEVACTB bit 25, in byte 5Bh */
    SMBHSTCFG_ENABLE = 0x01,
    PMBASE_MASK = 0xffc0,
    SMBBASE_MASK = 0xffc0,   /* [PIIX4] has 16 ports; 64 are decoded, as on other emulations */
};

enum {
    PM1_TMROF = 0x0001,
    PM1_GBL = 0x0020,
    PM1_PWRBTN = 0x0100,
    PM1_RTC = 0x0400,
    PM1_EVENTS = PM1_TMROF | PM1_GBL | PM1_PWRBTN | PM1_RTC,
};

enum {
    PM1_CNT_SCI_EN = 0x0001,
    PM1_CNT_KEPT = 0x1c03,   /* SUS_TYP, BRLD_EN_BM, SCI_EN */
    PM1_CNT_SUS_EN = 0x2000,
};

#define GPE0_BASE    0xafe0
#define APM_BASE     0xb2
#define ACPI_ENABLE  0xf1
#define ACPI_DISABLE 0xf0

#define TIMER_MASK   0xffffffu
#define HALF_PERIOD  0x800000u /* [PIIX4] PMSTS: bit 23 toggles */

/* ---- PM timer ---- */

static uint64_t timer_ticks(struct piix4_pm *s)
{
    int64_t ns = clock_now(&s->machine->clock) - s->zero_ns;
    return muldiv64((uint64_t)ns, PIIX4_PM_TIMER_HZ, NS_PER_SEC);
}

/* When bit 23 changes next. */
static int64_t next_overflow(struct piix4_pm *s)
{
    uint64_t ticks = (timer_ticks(s) / HALF_PERIOD + 1) * HALF_PERIOD;
    return s->zero_ns + (int64_t)muldiv64_up(ticks, NS_PER_SEC, PIIX4_PM_TIMER_HZ);
}

static uint16_t pm1_status(struct piix4_pm *s)
{
    bool overflowed = clock_now(&s->machine->clock) >= s->overflow_ns;
    return s->pm1_sts | (overflowed ? PM1_TMROF : 0);
}

static void arm_overflow(struct piix4_pm *s)
{
    if ((s->pm1_en & PM1_TMROF) && clock_now(&s->machine->clock) < s->overflow_ns) {
        timer_at(&s->overflow, s->overflow_ns);
    } else {
        timer_cancel(&s->overflow);
    }
}

/* [PIIX4] PMCNTRL: events raise SCI only while SCI_EN is set. */
static void update_sci(struct piix4_pm *s)
{
    uint16_t sts = pm1_status(s);
    bool level = (s->pm1_cnt & PM1_CNT_SCI_EN) &&
                 ((sts & s->pm1_en & PM1_EVENTS) || (s->gpe_sts & s->gpe_en));

    trace_piix4_pm_sci(level, sts, s->pm1_en);
    irq_set(s->pins.sci, level);
    arm_overflow(s);
}

static void overflow_fired(void *opaque)
{
    update_sci(opaque);
}

/* ---- PM1 event: status and enable, 16 bits each ---- */

static uint64_t event_read(void *dev, uint64_t off, unsigned size)
{
    struct piix4_pm *s = dev;
    uint32_t both = pm1_status(s) | (uint32_t)s->pm1_en << 16;
    uint32_t val = both >> 8 * off & (uint32_t)size_mask(size);

    trace_piix4_pm_read((unsigned)off, size, val);
    return val;
}

static void event_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct piix4_pm *s = dev;
    uint32_t bytes = (uint32_t)size_mask(size) << 8 * off;
    uint32_t bits = (uint32_t)val << 8 * off & bytes;

    trace_piix4_pm_write((unsigned)off, size, (uint32_t)val);
    s->pm1_sts &= (uint16_t)~bits;
    if ((bits & PM1_TMROF) && (pm1_status(s) & PM1_TMROF)) {
        s->overflow_ns = next_overflow(s);
    }
    s->pm1_en = (uint16_t)((s->pm1_en & ~(bytes >> 16)) | (bits >> 16 & PM1_EVENTS));
    update_sci(s);
}

/* ---- PM1 control ---- */

static void sleep_now(struct piix4_pm *s, unsigned type)
{
    trace_piix4_pm_sleep(type);
    if (type == PIIX4_SLP_S5 || type == PIIX4_SLP_S4) {
        machine_request_stop(s->machine, CAUSE_GUEST_SHUTDOWN, 0);
    } else {
        log_unimp("piix4-pm: sleep type %u", type);
    }
}

static uint64_t control_read(void *dev, uint64_t off, unsigned size)
{
    struct piix4_pm *s = dev;
    uint32_t val = s->pm1_cnt >> 8 * off & (uint32_t)size_mask(size);
    trace_piix4_pm_read((unsigned)off + 4, size, val);
    return val;
}

static void control_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct piix4_pm *s = dev;
    uint32_t bytes = (uint32_t)size_mask(size) << 8 * off;
    uint32_t bits = (uint32_t)val << 8 * off & bytes;

    trace_piix4_pm_write((unsigned)off + 4, size, (uint32_t)val);
    s->pm1_cnt = (uint16_t)((s->pm1_cnt & ~bytes) | (bits & PM1_CNT_KEPT));
    update_sci(s);
    if (bits & PM1_CNT_SUS_EN) { /* write only: it reads as 0 */
        sleep_now(s, s->pm1_cnt >> 10 & 7);
    }
}

/* ---- PM timer register: read only ---- */

static uint64_t timer_read(void *dev, uint64_t off, unsigned size)
{
    struct piix4_pm *s = dev;
    uint32_t val = (uint32_t)timer_ticks(s) & TIMER_MASK;
    return val >> 8 * off & (uint32_t)size_mask(size);
}

/* ---- GPE0: status (writing 1 clears) and enable, 16 bits each ---- */

static uint64_t gpe_read(void *dev, uint64_t off, unsigned size)
{
    struct piix4_pm *s = dev;
    uint32_t both = s->gpe_sts | (uint32_t)s->gpe_en << 16;
    return both >> 8 * off & (uint32_t)size_mask(size);
}

static void gpe_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct piix4_pm *s = dev;
    uint32_t bytes = (uint32_t)size_mask(size) << 8 * off;
    uint32_t bits = (uint32_t)val << 8 * off & bytes;

    s->gpe_sts &= (uint16_t)~bits;
    s->gpe_en = (uint16_t)((s->gpe_en & ~(bytes >> 16)) | bits >> 16);
    update_sci(s);
}

/* ---- APM control and status, B2h and B3h ---- */

static uint64_t apm_read(void *dev, uint64_t off, unsigned size)
{
    struct piix4_pm *s = dev;
    return off == 0 ? s->apmc : s->apms;
}

static void apm_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct piix4_pm *s = dev;
    bool smi = s->pci.config[REG_DEVACTB + 3] & DEVACTB3_APMC_EN;

    if (off == 1) {
        s->apms = (uint8_t)val;
        return;
    }
    s->apmc = (uint8_t)val;
    trace_piix4_pm_apm(s->apmc, smi);
    if (val == ACPI_ENABLE) {
        s->pm1_cnt |= PM1_CNT_SCI_EN;
    } else if (val == ACPI_DISABLE) {
        s->pm1_cnt &= (uint16_t)~PM1_CNT_SCI_EN;
    }
    update_sci(s);
    if (smi && s->pins.smi != NULL) {
        irq_pulse(s->pins.smi);
    }
}

/* ---- SMBus host controller ---- */

enum {
    SMBHSTSTS = 0,
    SMBHSTCNT = 2,
    SMBHSTCMD = 3,
    SMBHSTADD = 4,
    SMBHSTDAT0 = 5,
    SMBHSTDAT1 = 6,
    SMBBLKDAT = 7,
};

enum {
    STS_INTER = 0x02,        /* the last command is done */
    STS_DEV_ERR = 0x04,
    STS_W1C = 0x1e,
    CNT_KILL = 0x02,
    CNT_PROTOCOL = 0x1c,
    CNT_START = 0x40,
    CNT_KEPT = 0x1d,         /* START and KILL read as 0 */
};

static uint8_t smbus_read_byte(struct piix4_pm *s, uint64_t off)
{
    switch (off) {
    case SMBHSTSTS:
        return s->smb_sts;
    case SMBHSTCNT:          /* reading starts over in the block buffer */
        s->smb_block_pos = 0;
        return s->smb_cnt;
    case SMBHSTCMD:
        return s->smb_cmd;
    case SMBHSTADD:
        return s->smb_addr;
    case SMBHSTDAT0:
    case SMBHSTDAT1:
        return s->smb_data[off - SMBHSTDAT0];
    case SMBBLKDAT:          /* each access moves on */
        return s->smb_block[s->smb_block_pos++ % sizeof(s->smb_block)];
    default:                 /* slave interface: nobody calls */
        return 0;
    }
}

static uint64_t smbus_read(void *dev, uint64_t off, unsigned size)
{
    return smbus_read_byte(dev, off);
}

static void smbus_control(struct piix4_pm *s, uint8_t val)
{
    s->smb_cnt = val & CNT_KEPT;
    s->smb_block_pos = 0;
    if ((val & CNT_START) && !(val & CNT_KILL)) {
        trace_piix4_smbus(s->smb_addr >> 1, (val & CNT_PROTOCOL) >> 2);
        s->smb_sts |= STS_DEV_ERR; /* no device acknowledges its address */
    }
}

static void smbus_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct piix4_pm *s = dev;
    switch (off) {
    case SMBHSTSTS:
        s->smb_sts &= (uint8_t)~(val & STS_W1C);
        break;
    case SMBHSTCNT:
        smbus_control(s, (uint8_t)val);
        break;
    case SMBHSTCMD:
        s->smb_cmd = (uint8_t)val;
        break;
    case SMBHSTADD:
        s->smb_addr = (uint8_t)val;
        break;
    case SMBHSTDAT0:
    case SMBHSTDAT1:
        s->smb_data[off - SMBHSTDAT0] = (uint8_t)val;
        break;
    case SMBBLKDAT:
        s->smb_block[s->smb_block_pos++ % sizeof(s->smb_block)] = (uint8_t)val;
        break;
    }
}

static const struct region_ops event_ops = {.read = event_read, .write = event_write, .width = 4};
static const struct region_ops control_ops = {
    .read = control_read, .write = control_write, .width = 2,
};
static const struct region_ops timer_ops = {.read = timer_read, .width = 4};
static const struct region_ops gpe_ops = {.read = gpe_read, .write = gpe_write, .width = 4};
static const struct region_ops apm_ops = {.read = apm_read, .write = apm_write, .width = 1};
static const struct region_ops smbus_ops = {.read = smbus_read, .write = smbus_write, .width = 1};

/* ---- configuration ---- */

uint16_t piix4_pm_base(const struct piix4_pm *s)
{
    bool enabled = s->pci.config[REG_PMREGMISC] & PMREGMISC_PMIOSE;
    return enabled ? ld16le(s->pci.config + REG_PMBASE) & PMBASE_MASK : 0;
}

static uint16_t smbus_base(const struct piix4_pm *s)
{
    bool enabled = s->pci.config[REG_SMBHSTCFG] & SMBHSTCFG_ENABLE;
    return enabled ? ld16le(s->pci.config + REG_SMBBASE) & SMBBASE_MASK : 0;
}

/* Puts @r at @base of the ports; 0: nowhere. */
static void place(struct piix4_pm *s, struct region *r, uint16_t base)
{
    if (r->mapped && r->addr == base) {
        return;
    }
    if (r->mapped) {
        region_unmap(r);
    }
    if (base != 0) {
        region_map(&s->machine->ports.root, r, base, 1);
    }
}

static void update_bases(struct piix4_pm *s)
{
    trace_piix4_pm_base(piix4_pm_base(s) != 0, piix4_pm_base(s));
    place(s, &s->pm_io, piix4_pm_base(s));
    place(s, &s->smbus, smbus_base(s));
}

static void piix4_pm_written(struct pci_device *d, unsigned off, unsigned size)
{
    struct piix4_pm *s = container_of(d, struct piix4_pm, pci);

    if (pci_touches(off, size, REG_PMBASE, 4) || pci_touches(off, size, REG_PMREGMISC, 1) ||
        pci_touches(off, size, REG_SMBBASE, 4) || pci_touches(off, size, REG_SMBHSTCFG, 1)) {
        update_bases(s);
    }
}

void piix4_pm_power_button(struct piix4_pm *s)
{
    s->pm1_sts |= PM1_PWRBTN;
    update_sci(s);
}

static void piix4_pm_reset(void *dev)
{
    struct piix4_pm *s = dev;

    pci_device_reset(&s->pci);
    s->pm1_sts = 0;          /* [PIIX4] PMSTS, PMEN, PMCNTRL: 0000h */
    s->pm1_en = 0;
    s->pm1_cnt = 0;
    s->gpe_sts = 0;
    s->gpe_en = 0;
    s->zero_ns = clock_now(&s->machine->clock); /* PMTMR: 00000000h */
    s->overflow_ns = next_overflow(s);
    s->apmc = 0;
    s->apms = 0;
    s->smb_sts = 0;
    s->smb_cnt = 0;
    s->smb_cmd = 0;
    s->smb_addr = 0;
    memset(s->smb_data, 0, sizeof(s->smb_data));
    memset(s->smb_block, 0, sizeof(s->smb_block));
    s->smb_block_pos = 0;
    update_bases(s);
    update_sci(s);
}

static void piix4_pm_loaded(void *dev)
{
    struct piix4_pm *s = dev;
    pci_device_loaded(&s->pci);
    update_bases(s);
    arm_overflow(s);
}

static const struct state_field piix4_pm_state[] = {
    STATE_SUB(struct piix4_pm, pci, pci_device_state),
    STATE(struct piix4_pm, pm1_sts),
    STATE(struct piix4_pm, pm1_en),
    STATE(struct piix4_pm, pm1_cnt),
    STATE(struct piix4_pm, gpe_sts),
    STATE(struct piix4_pm, gpe_en),
    STATE_TIME(struct piix4_pm, zero_ns),
    STATE_TIME(struct piix4_pm, overflow_ns),
    STATE(struct piix4_pm, apmc),
    STATE(struct piix4_pm, apms),
    STATE(struct piix4_pm, smb_sts),
    STATE(struct piix4_pm, smb_cnt),
    STATE(struct piix4_pm, smb_cmd),
    STATE(struct piix4_pm, smb_addr),
    STATE(struct piix4_pm, smb_data),
    STATE(struct piix4_pm, smb_block),
    STATE(struct piix4_pm, smb_block_pos),
    STATE_END(),
};

static const struct device_type piix4_pm_type = {
    .name = "piix4-pm", .version = 1, .reset = piix4_pm_reset, .state = piix4_pm_state,
    .loaded = piix4_pm_loaded,
};

/* [PIIX4] function 3; the resource registers 5Fh, 63h and 67h tell which X-bus devices the board
 * has. */
static void config_init(struct piix4_pm *s)
{
    struct pci_device *d = &s->pci;
    const struct piix4_pm_pins *pins = &s->pins;

    d->power_on[PCI_STATUS] = 0x80;     /* fast back-to-back, medium DEVSEL# */
    d->power_on[PCI_STATUS + 1] = 0x02;
    d->power_on[REG_PMBASE] = 0x01;     /* I/O space indicator */
    d->power_on[0x5f] = 0x10 | (pins->parallel ? 0x80 : 0);
    d->power_on[0x63] = 0x60;
    d->power_on[0x67] = (uint8_t)((pins->com1 ? 0x08 : 0) | (pins->com2 ? 0x90 : 0));
    d->power_on[REG_SMBBASE] = 0x01;
    d->power_on[REG_SMBBASE + 1] = 0xb1;
    d->power_on[REG_SMBHSTCFG] = 0x09;
    if (pins->smi == NULL) {
        /* Firmware that finds SMI enabled takes SMM for set up and leaves it alone. */
        d->power_on[REG_DEVACTB + 3] = DEVACTB3_APMC_EN;
    }
    d->wmask[REG_PMBASE] = PMBASE_MASK & 0xff;
    d->wmask[REG_PMBASE + 1] = PMBASE_MASK >> 8;
    memset(d->wmask + 0x44, 0xff, 0x80 - 0x44); /* CNTA to DEVRESJ */
    d->wmask[REG_PMREGMISC] = PMREGMISC_PMIOSE;
    d->wmask[REG_SMBBASE] = SMBBASE_MASK & 0xff;
    d->wmask[REG_SMBBASE + 1] = SMBBASE_MASK >> 8;
    memset(d->wmask + REG_SMBHSTCFG, 0xff, 4);  /* SMBHSTCFG, SMBSLVC, SMBSHDW1, SMBSHDW2 */
    d->written = piix4_pm_written;
}

static void regions_init(struct piix4_pm *s)
{
    struct region *ports = &s->machine->ports.root;

    region_container(&s->pm_io, "piix4-pm", 64);
    region_io(&s->pm1_event, "pm1-event", &event_ops, s, 4);
    region_io(&s->pm1_control, "pm1-control", &control_ops, s, 2);
    region_io(&s->pm_timer, "pm-timer", &timer_ops, s, 4);
    region_map(&s->pm_io, &s->pm1_event, 0, 0);
    region_map(&s->pm_io, &s->pm1_control, 4, 0);
    region_map(&s->pm_io, &s->pm_timer, 8, 0);
    region_io(&s->smbus, "piix4-smbus", &smbus_ops, s, 64);
    region_io(&s->gpe0, "gpe0", &gpe_ops, s, 4);
    region_map(ports, &s->gpe0, GPE0_BASE, 0);
    region_io(&s->apm, "apm", &apm_ops, s, 2);
    region_map(ports, &s->apm, APM_BASE, 0);
}

void piix4_pm_init(struct piix4_pm *s, struct pci_bus *bus, unsigned devfn,
                   const struct piix4_pm_pins *pins)
{
    static const struct pci_ids ids = {
        .vendor = 0x8086, .device = 0x7113, .revision = 0x03, .class_code = 0x068000, .pin = 1,
    };

    *s = (struct piix4_pm){.machine = bus->machine, .pins = *pins};
    pci_device_init(&s->pci, bus, "piix4-pm", devfn, &ids);
    config_init(s);
    regions_init(s);
    timer_init(&s->overflow, &bus->machine->clock, "piix4-pm overflow", overflow_fired, s);
    machine_add(bus->machine, &piix4_pm_type, "01.3", s);
}
