/*
 * Intel 82371SB PIIX3, function 0: interrupt steering, reset control, A20, NMI and speaker port.
 *
 * Source: [PIIX3] "PIRQRC[A:D]", "NMI Status and Control Register", "Reset Control Register", "Port
 *         92 Register", "Coprocessor Error Register", and the other PCI configuration registers.
 * Pins:   PIRQA#-PIRQD#, ISA IRQs, IOCHK# in, 8259 and I/O APIC inputs, NMI, A20M# out, FERR# in,
 *         8254 counter 2.
 * Left out: SERR# (no PCI function asserts it), positive decode of X-bus chips, ISA recovery timing
 *         and PCI DMA: those registers are plain storage. A soft reset (INIT) resets the whole
 *         board, as firmware cannot tell the two
 *         apart by its results.
 * Chosen: lines that share an interrupt are ORed. The last POST code is kept for the user, but port
 *         80h reads as ones, as on other emulations of this board.
 */
#include "hw/piix3/piix3.h"

#include "core/base/bits.h"
#include "trace/hw_piix3.h"

#include <string.h>

enum {
    REG_IORT = 0x4c,
    REG_XBCS = 0x4e,
    REG_PIRQRC = 0x60,       /* A to D */
    REG_TOM = 0x69,
    REG_MSTAT = 0x6a,
    REG_MBIRQ0 = 0x70,
    REG_MBDMA0 = 0x76,
    REG_PCSC = 0x78,
    REG_APICBASE = 0x80,
    REG_DLC = 0x82,
    REG_SMICNTL = 0xa0,
    REG_SMIEN = 0xa2,
    REG_SEE = 0xa4,
    REG_FTMR = 0xa8,
    REG_SMIREQ = 0xaa,
    REG_CTLTMR = 0xac,
    REG_CTHTMR = 0xae,
};

enum {
    PIRQRC_DISABLED = 0x80,
    PIRQRC_IRQ = 0x0f,
};
#define STEERABLE 0xdef8u    /* [PIIX3] PIRQRC: IRQ 0, 1, 2, 8 and 13 are reserved values */

enum {
    NMISC_GATE2 = 0x01,
    NMISC_SPEAKER = 0x02,
    NMISC_IOCHK_OFF = 0x08,  /* and clears the status */
    NMISC_WRITABLE = 0x0f,
    NMISC_REFRESH = 0x10,
    NMISC_OUT2 = 0x20,
    NMISC_IOCHK = 0x40,
};

enum {
    PORT92_FAST_INIT = 0x01,
    PORT92_A20 = 0x02,
};

enum {
    RCR_SRST = 0x02,         /* hard rather than soft reset */
    RCR_RCPU = 0x04,         /* a rising edge resets */
};

#define REFRESH_CLK 18       /* counter 1 of the 8254 as every PC has it: a refresh every 15 us */

/* ---- interrupt steering ---- */

/* Which IRQ @pirq leads to, or -1. */
static int route_of(const struct piix3 *s, unsigned pirq)
{
    uint8_t val = s->pci.config[REG_PIRQRC + pirq];
    unsigned irq = val & PIRQRC_IRQ;
    return (val & PIRQRC_DISABLED) || !(STEERABLE >> irq & 1) ? -1 : (int)irq;
}

static void update_irq(struct piix3 *s, unsigned irq)
{
    bool level = s->isa_levels >> irq & 1;

    for (unsigned p = 0; p < PCI_PIRQS; p++) {
        level |= route_of(s, p) == (int)irq && (s->pirq_levels >> p & 1);
    }
    trace_piix3_irq(irq, level, s->isa_levels, s->pirq_levels);
    irq_set(i8259_input(s->pic, irq), level);
    irq_set(s->ioapic[irq], level);
}

static void isa_irq_changed(void *opaque, unsigned irq, bool level)
{
    struct piix3 *s = opaque;
    s->isa_levels = (uint16_t)((s->isa_levels & ~BIT(irq)) | (unsigned)level << irq);
    update_irq(s, irq);
}

static void pirq_changed(void *opaque, unsigned pirq, bool level)
{
    struct piix3 *s = opaque;
    int irq = route_of(s, pirq);

    s->pirq_levels = (uint8_t)((s->pirq_levels & ~BIT(pirq)) | (unsigned)level << pirq);
    if (irq >= 0) {
        update_irq(s, (unsigned)irq);
    }
}

static void piix3_written(struct pci_device *d, unsigned off, unsigned size)
{
    struct piix3 *s = container_of(d, struct piix3, pci);

    if (!pci_touches(off, size, REG_PIRQRC, PCI_PIRQS)) {
        return;
    }
    for (unsigned p = 0; p < PCI_PIRQS; p++) {
        trace_piix3_route(p, route_of(s, p));
    }
    for (unsigned irq = 0; irq < PIIX3_IRQS; irq++) { /* the line left behind falls, too */
        if (STEERABLE >> irq & 1) {
            update_irq(s, irq);
        }
    }
}

/* ---- A20 ---- */

static void update_a20(struct piix3 *s)
{
    bool port92 = s->port92_val & PORT92_A20;
    bool level = port92 || s->kbc_a20_level;

    trace_piix3_a20(level, port92, s->kbc_a20_level);
    for (unsigned i = 0; i < s->n_a20; i++) {
        irq_set(s->a20[i], level);
    }
}

static void kbc_a20_changed(void *opaque, unsigned n, bool level)
{
    struct piix3 *s = opaque;
    s->kbc_a20_level = level;
    update_a20(s);
}

void piix3_connect_a20(struct piix3 *s, struct irq *a20)
{
    if (s->n_a20 < MACHINE_MAX_VCPUS) {
        s->a20[s->n_a20++] = a20;
    }
}

/* ---- reset ---- */

static void ask_reset(struct piix3 *s, const char *by)
{
    trace_piix3_reset(by);
    machine_request_reset(s->machine, CAUSE_GUEST_RESET);
}

static uint64_t port92_read(void *dev, uint64_t off, unsigned size)
{
    struct piix3 *s = dev;
    return s->port92_val;
}

static void port92_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct piix3 *s = dev;
    bool rise = (val & PORT92_FAST_INIT) && !(s->port92_val & PORT92_FAST_INIT);

    s->port92_val = val & (PORT92_A20 | PORT92_FAST_INIT);
    update_a20(s);
    if (rise) {
        ask_reset(s, "port 92h");
    }
}

/* CF8h-CFBh as bytes and words: only CF9h, the RCR, is there. */
static uint64_t rcr_read(void *dev, uint64_t off, unsigned size)
{
    struct piix3 *s = dev;
    return off == 1 && size == 1 ? s->rcr : size_mask(size);
}

static void rcr_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct piix3 *s = dev;
    bool rise = (val & RCR_RCPU) && !(s->rcr & RCR_RCPU);

    if (off != 1 || size != 1) {
        return;
    }
    s->rcr = val & (RCR_SRST | RCR_RCPU);
    if (rise) {
        ask_reset(s, "CF9h");
    }
}

/* ---- NMI ---- */

/* [PIIX3] "NMI Status and Control Register", "NMI Enable": the processor sees an edge. */
static void update_nmi(struct piix3 *s)
{
    bool level = s->iochk_seen && !s->nmi_masked;

    if (level != s->nmi_level) {
        s->nmi_level = level;
        trace_piix3_nmi(level);
        irq_set(s->nmi, level);
    }
}

static void iochk_changed(void *opaque, unsigned n, bool level)
{
    struct piix3 *s = opaque;
    s->iochk_level = level;
    s->iochk_seen |= level && !(s->nmisc & NMISC_IOCHK_OFF);
    update_nmi(s);
}

static void nmi_mask_changed(void *opaque, unsigned n, bool level)
{
    struct piix3 *s = opaque;
    s->nmi_masked = level;
    update_nmi(s);
}

/* ---- ports 61h, 80h, F0h ---- */

static bool refresh_level(int64_t now_ns)
{
    return muldiv64((uint64_t)now_ns, I8254_HZ, NS_PER_SEC) / REFRESH_CLK & 1;
}

/* A program that moves the speaker's membrane by bit 1 itself makes no tone that has a
 * frequency. */
static void update_tone(struct piix3 *s)
{
    bool on = (s->nmisc & NMISC_GATE2) && (s->nmisc & NMISC_SPEAKER);
    unsigned hz = on ? i8254_square_hz(s->pit, 2) : 0;

    if (hz != s->tone_hz) {
        s->tone_hz = hz;
        trace_piix3_speaker(hz);
        if (s->machine->speaker_tone != NULL) {
            s->machine->speaker_tone(s->machine->speaker_opaque, hz);
        }
    }
}

void piix3_counter_written(void *piix3, unsigned counter)
{
    if (counter == 2) {
        update_tone(piix3);
    }
}

static uint64_t port61_read(void *dev, uint64_t off, unsigned size)
{
    struct piix3 *s = dev;
    int64_t now = clock_now(&s->machine->clock); /* guests wait here: it is asked once */
    return s->nmisc | (s->iochk_seen ? NMISC_IOCHK : 0u) |
           (refresh_level(now) ? NMISC_REFRESH : 0u) |
           (i8254_out(s->pit, 2, now) ? NMISC_OUT2 : 0u);
}

static void port61_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct piix3 *s = dev;
    s->nmisc = val & NMISC_WRITABLE;
    trace_piix3_port61(s->nmisc);
    i8254_set_gate(s->pit, 2, s->nmisc & NMISC_GATE2);
    update_tone(s);
    s->iochk_seen = !(s->nmisc & NMISC_IOCHK_OFF) && (s->iochk_seen || s->iochk_level);
    update_nmi(s);
}

static uint64_t port80_read(void *dev, uint64_t off, unsigned size)
{
    return size_mask(size);
}

static void port80_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct piix3 *s = dev;
    s->post_code = (uint8_t)val;
    trace_piix3_post(s->post_code);
}

/* [PIIX3] Coprocessor Error Register: FERR# raises IRQ 13; a write to F0h drops it (and asserts
 * IGNNE#, which the CPU takes for granted while FERR# stays). */
static void set_irq13(struct piix3 *s, bool level)
{
    s->irq13 = level;
    trace_piix3_ferr(s->ferr_level, level);
    irq_set(&s->isa_irq[13], level);
}

static void ferr_changed(void *opaque, unsigned n, bool level)
{
    struct piix3 *s = opaque;
    bool rise = level && !s->ferr_level;

    s->ferr_level = level;
    if (rise) {
        set_irq13(s, true);
    }
}

static void port_f0_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct piix3 *s = dev;
    if (s->irq13) {
        set_irq13(s, false);
    }
}

static const struct region_ops port61_ops = {
    .read = port61_read, .write = port61_write, .width = 1,
};
static const struct region_ops port80_ops = {
    .read = port80_read, .write = port80_write, .width = 1,
};
static const struct region_ops port92_ops = {
    .read = port92_read, .write = port92_write, .width = 1,
};
static const struct region_ops port_f0_ops = {.write = port_f0_write, .width = 1};
static const struct region_ops rcr_ops = {.read = rcr_read, .write = rcr_write, .width = 4};

/* ---- device ---- */

static void piix3_reset(void *dev)
{
    struct piix3 *s = dev;

    pci_device_reset(&s->pci);
    s->isa_levels = 0;       /* the chips drive their lines anew when they are reset, after this */
    s->pirq_levels = 0;
    s->ferr_level = false;
    s->irq13 = false;
    s->nmisc = 0;            /* [PIIX3] NMISC: 00h */
    s->iochk_seen = s->iochk_level;
    s->nmi_masked = true;    /* port 70h: 80h */
    update_nmi(s);
    s->port92_val = 0;
    s->rcr = 0;              /* [PIIX3] RCR: 00h */
    s->post_code = 0;
    s->kbc_a20_level = true; /* the 8042's ports float high until its firmware runs */
    i8254_set_gate(s->pit, 2, false);
    update_tone(s);
    update_a20(s);
}

static void piix3_loaded(void *dev)
{
    struct piix3 *s = dev;
    pci_device_loaded(&s->pci);
    s->nmi_level = s->iochk_seen && !s->nmi_masked;
    irq_set(s->nmi, s->nmi_level);
}

static const struct state_field piix3_state[] = {
    STATE_SUB(struct piix3, pci, pci_device_state),
    STATE(struct piix3, isa_levels),
    STATE(struct piix3, pirq_levels),
    STATE(struct piix3, kbc_a20_level),
    STATE(struct piix3, ferr_level),
    STATE(struct piix3, irq13),
    STATE(struct piix3, nmisc),
    STATE(struct piix3, port92_val),
    STATE(struct piix3, rcr),
    STATE(struct piix3, post_code),
    STATE_KEPT(struct piix3, iochk_level),
    STATE(struct piix3, iochk_seen),
    STATE(struct piix3, nmi_masked),
    STATE_END(),
};

static const struct device_type piix3_type = {
    .name = "piix3", .version = 1, .reset = piix3_reset, .state = piix3_state,
    .loaded = piix3_loaded,
};

/* [PIIX3] PCI configuration registers of function 0: default values, and which ones exist. */
static void config_init(struct pci_device *d)
{
    static const struct {
        uint8_t reg, value, writable;
    } regs[] = {
        {REG_IORT, 0x4d, 0xff},      {REG_XBCS, 0x03, 0xff},       {REG_XBCS + 1, 0x00, 0x01},
        {REG_PIRQRC, 0x80, 0x8f},    {REG_PIRQRC + 1, 0x80, 0x8f}, {REG_PIRQRC + 2, 0x80, 0x8f},
        {REG_PIRQRC + 3, 0x80, 0x8f}, {REG_TOM, 0x02, 0xfe},       {REG_MSTAT, 0x00, 0xff},
        {REG_MBIRQ0, 0x80, 0xff},    {REG_MBDMA0, 0x0c, 0x8f},     {REG_MBDMA0 + 1, 0x0c, 0x8f},
        {REG_PCSC, 0x02, 0xff},      {REG_PCSC + 1, 0x00, 0xff},   {REG_APICBASE, 0x00, 0x7f},
        {REG_DLC, 0x00, 0x0f},       {REG_SMICNTL, 0x08, 0x1f},    {REG_SMIEN, 0x00, 0xff},
        {REG_SMIEN + 1, 0x00, 0x01}, {REG_SEE, 0x00, 0xff},        {REG_SEE + 1, 0x00, 0xff},
        {REG_SEE + 2, 0x00, 0xff},   {REG_SEE + 3, 0x00, 0xff},    {REG_FTMR, 0x0f, 0xff},
        {REG_SMIREQ, 0x00, 0xff},    {REG_SMIREQ + 1, 0x00, 0x01}, {REG_CTLTMR, 0x00, 0xff},
        {REG_CTHTMR, 0x00, 0xff},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(regs); i++) {
        d->power_on[regs[i].reg] = regs[i].value;
        d->wmask[regs[i].reg] = regs[i].writable;
    }
    d->power_on[PCI_STATUS + 1] = 0x02; /* medium DEVSEL# timing */
    d->written = piix3_written;
}

void piix3_init(struct piix3 *s, struct pci_bus *bus, unsigned devfn, struct i8259_pair *pic,
                struct i8254 *pit)
{
    static const struct pci_ids ids = {
        .vendor = 0x8086, .device = 0x7000, .class_code = 0x060100, .header_type = 0x80,
    };
    struct region *ports = &bus->machine->ports.root;

    *s = (struct piix3){.machine = bus->machine, .pic = pic, .pit = pit};
    pci_device_init(&s->pci, bus, "piix3", devfn, &ids);
    config_init(&s->pci);
    for (unsigned n = 0; n < PIIX3_IRQS; n++) {
        if (n != 2) {
            irq_init(&s->isa_irq[n], isa_irq_changed, s, n);
        }
    }
    for (unsigned p = 0; p < PCI_PIRQS; p++) {
        irq_init(&s->pirq[p], pirq_changed, s, p);
        bus->pirq[p] = &s->pirq[p];
    }
    irq_init(&s->kbc_a20, kbc_a20_changed, s, 0);
    irq_init(&s->ferr, ferr_changed, s, 0);
    irq_init(&s->iochk, iochk_changed, s, 0);
    irq_init(&s->nmi_mask, nmi_mask_changed, s, 0);
    bus->narrow_ops = &rcr_ops;
    bus->narrow = s;

    region_io(&s->port61, "port61", &port61_ops, s, 1);
    region_io(&s->port80, "port80", &port80_ops, s, 1);
    s->port80.posted = true;
    region_io(&s->port92, "port92", &port92_ops, s, 1);
    region_io(&s->port_f0, "port-f0", &port_f0_ops, s, 1);
    region_map(ports, &s->port61, 0x61, 0);
    region_map(ports, &s->port80, 0x80, 0);
    region_map(ports, &s->port92, 0x92, 0);
    region_map(ports, &s->port_f0, 0xf0, 0);
    machine_add(bus->machine, &piix3_type, "01.0", s);
}
