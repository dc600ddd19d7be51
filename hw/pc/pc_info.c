/*
 * What the board's chips tell a monitor. Reads state only; nothing here changes the machine.
 */
#include "hw/pc/pc_info.h"

#include "core/base/bits.h"

#include <inttypes.h>

static void put_pic(struct text *out, unsigned n, const struct i8259 *p)
{
    text_printf(
        out,
        "pic%u: irr=%02x imr=%02x isr=%02x hprio=%d irq_base=%02x rr_sel=%d elcr=%02x fnm=%d\n", n,
        p->irr, p->imr, p->isr, (p->lowest + 1) & 7, p->vector_base, p->read_isr, p->elcr,
        (p->icw4 & 0x10) != 0);
}

static void show_pic(void *dev, struct text *out)
{
    const struct pc_info *s = dev;
    put_pic(out, 1, &s->pic->slave);
    put_pic(out, 0, &s->pic->master);
}

/* Delivery modes, bits 10:8 of an entry. */
static const char *const deliveries[8] = {"fixed", "lowest", "SMI", "?",
                                          "NMI",   "INIT",   "?",   "ExtINT"};

/* [IOAPIC] "I/O Redirection Table Registers". */
static void show_ioapic(void *dev, struct text *out)
{
    const struct pc_info *s = dev;
    const struct ioapic *io = &s->apics->ioapic;
    if (!s->apics->present) {
        return;
    }
    text_printf(out, "ioapic0: ver=0x20 id=0x%02x sel=0x%02x\n", io->id, io->select);
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        uint64_t e = io->entry[n];
        text_printf(out,
                    "  pin %-2u 0x%016" PRIx64 " dest=%" PRIx64 " vec=%-3u %s %s %s %-6s %s%s\n", n,
                    e, e >> 56, (unsigned)(e & 0xff), e & BIT(13) ? "active-lo" : "active-hi",
                    e & BIT(15) ? "level" : "edge ", e & BIT(16) ? "masked" : "      ",
                    deliveries[e >> 8 & 7], e & BIT(11) ? "logical" : "physical",
                    io->levels >> n & 1 ? " asserted" : "");
    }
}

static void put_vectors(struct text *out, const char *name, const uint32_t bits[8])
{
    bool any = false;
    text_printf(out, "%s\t", name);
    for (unsigned v = 0; v < 256; v++) {
        if (bits[v / 32] >> v % 32 & 1) {
            text_printf(out, " %u", v);
            any = true;
        }
    }
    text_puts(out, any ? "\n" : " (none)\n");
}

static void put_lapic(struct text *out, unsigned cpu, const struct lapic *l)
{
    text_printf(out, "dumping local APIC state for CPU %u\n\nBASE\t 0x%" PRIx64 " ID 0x%02x\n", cpu,
                l->base, l->id);
    for (unsigned n = 0; n < LAPIC_LVTS; n++) {
        text_printf(out, "LVT %u\t 0x%08x %s %s vec %u\n", n, l->lvt[n],
                    l->lvt[n] & BIT(16) ? "masked" : "      ", deliveries[l->lvt[n] >> 8 & 7],
                    l->lvt[n] & 0xff);
    }
    text_printf(out, "Timer\t DCR=0x%x initial_count = %u\n", l->divide, l->initial_count);
    text_printf(out, "SPIV\t 0x%08x APIC %s, spurious vec %u\n", l->svr,
                l->svr & BIT(8) ? "enabled" : "disabled", l->svr & 0xff);
    text_printf(out, "ICR\t 0x%016" PRIx64 "\nESR\t 0x%08x\n", l->icr, l->esr);
    put_vectors(out, "ISR", l->isr);
    put_vectors(out, "IRR", l->irr);
    text_printf(out, "\nTPR 0x%02x DFR 0x%08x LDR 0x%08x\n", l->tpr, l->dfr, l->ldr);
}

static void show_lapic(void *dev, struct text *out)
{
    const struct pc_info *s = dev;
    for (unsigned n = 0; s->apics->present && n < s->apics->m->n_vcpus; n++) {
        put_lapic(out, n, &s->apics->lapic[n]);
    }
}

static void show_irq(void *dev, struct text *out)
{
    const struct pc_info *s = dev;
    text_puts(out, "IRQ statistics for isa-i8259:\n");
    for (unsigned n = 0; n < ARRAY_SIZE(s->pic->acknowledged); n++) {
        if (s->pic->acknowledged[n] != 0) {
            text_printf(out, "%2u: %" PRIu64 "\n", n, s->pic->acknowledged[n]);
        }
    }
}

static void show_pam(void *dev, struct text *out)
{
    const struct pc_info *s = dev;
    for (unsigned n = 0; n < PMC_PAM_SEGMENTS; n++) {
        const struct region *r = &s->pmc->pam[n];
        const struct region *dram = &s->pmc->machine->ram_low_map;
        text_printf(out, "%05" PRIx64 "-%05" PRIx64 ": reads %s, writes %s\n", r->addr,
                    r->addr + r->bytes - 1, r->target == dram ? "DRAM" : "PCI",
                    r->wtarget == dram ? "DRAM" : "PCI");
    }
    text_printf(out, "a0000-bffff: SMRAM register %02x\n", s->pmc->pci.config[0x72]);
}

/* ---- PCI ------------------------------------------------------------------------------------- */

static bool pci_config(void *dev, unsigned devfn, unsigned off, unsigned size, uint32_t *val)
{
    struct pc_info *s = dev;
    if (devfn > 0xff || s->pmc->bus.slots[devfn] == NULL) {
        return false;
    }
    *val = pci_config_read(&s->pmc->bus, devfn, off, size);
    return true;
}

static bool pci_bar(void *dev, unsigned devfn, unsigned n, struct pci_bar_view *out)
{
    const struct pc_info *s = dev;
    const struct pci_device *d = devfn <= 0xff ? s->pmc->bus.slots[devfn] : NULL;
    if (d == NULL || n > PCI_ROM_SLOT || d->bars[n].kind == PCI_BAR_NONE) {
        return false;
    }
    *out = (struct pci_bar_view){
        .io = d->bars[n].kind == PCI_BAR_IO,
        .prefetch = d->bars[n].kind == PCI_BAR_PREFETCH,
        .bytes = d->bars[n].region->bytes,
        .addr = pci_bar_address(d, n),
    };
    return true;
}

void pc_info_init(struct pc_info *s, struct machine *m, struct pmc *pmc, struct i8259_pair *pic,
                  struct apics *apics)
{
    static const struct info_provider providers[PC_INFOS] = {
        {"pic", show_ioapic, NULL, NULL},  {"pic", show_pic, NULL, NULL},
        {"lapic", show_lapic, NULL, NULL}, {"irq", show_irq, NULL, NULL},
        {"pam", show_pam, NULL, NULL},
    };
    s->pmc = pmc;
    s->pic = pic;
    s->apics = apics;
    s->pci = (struct pci_view){.config = pci_config, .bar = pci_bar, .dev = s};
    m->board.pci = &s->pci;
    for (unsigned i = 0; i < PC_INFOS; i++) {
        s->providers[i] = providers[i];
        s->providers[i].dev = s;
        machine_add_info(m, &s->providers[i]);
    }
}
