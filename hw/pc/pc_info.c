/*
 * What the board's chips tell a monitor. Reads state only; nothing here changes the machine.
 */
#include "hw/pc/pc_info.h"

#include "core/base/bits.h"

#include <inttypes.h>

static void put_pic(struct text *out, unsigned n, const struct i8259 *p)
{
    text_printf(out, "pic%u: irr=%02x imr=%02x isr=%02x hprio=%d irq_base=%02x rr_sel=%d elcr=%02x fnm=%d\n", n,
                p->irr, p->imr, p->isr, (p->lowest + 1) & 7, p->vector_base, p->read_isr, p->elcr,
                (p->icw4 & 0x10) != 0);
}

static void show_pic(void *dev, struct text *out)
{
    const struct pc_info *s = dev;
    put_pic(out, 1, &s->pic->slave);
    put_pic(out, 0, &s->pic->master);
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
        text_printf(out, "%05" PRIx64 "-%05" PRIx64 ": reads %s, writes %s\n", r->addr, r->addr + r->bytes - 1,
                    r->target == dram ? "DRAM" : "PCI", r->wtarget == dram ? "DRAM" : "PCI");
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
        .io = d->bars[n].kind == PCI_BAR_IO, .prefetch = d->bars[n].kind == PCI_BAR_PREFETCH,
        .bytes = d->bars[n].region->bytes, .addr = pci_bar_address(d, n),
    };
    return true;
}

void pc_info_init(struct pc_info *s, struct machine *m, struct pmc *pmc, struct i8259_pair *pic)
{
    static const struct info_provider providers[PC_INFOS] = {
        {"pic", show_pic, NULL, NULL}, {"irq", show_irq, NULL, NULL}, {"pam", show_pam, NULL, NULL},
    };
    s->pmc = pmc;
    s->pic = pic;
    s->pci = (struct pci_view){.config = pci_config, .bar = pci_bar, .dev = s};
    m->board.pci = &s->pci;
    for (unsigned i = 0; i < PC_INFOS; i++) {
        s->providers[i] = providers[i];
        s->providers[i].dev = s;
        machine_add_info(m, &s->providers[i]);
    }
}
