/*
 * Intel 82441FX PMC: who answers a memory cycle, DRAM or PCI.
 *
 * Source: [82441FX] "PAM[0:6]", "SMRAM", "System Address Map". The PIIX3's BIOS decode ([PIIX3]
 *         "XBCS") is folded in here: the ROM is on the PCI side under 4 GiB and under 1 MiB.
 * Pins:   the CPU bus (m->mem, and m->smm for a vCPU in SMM), DRAM, PCI.
 * Left out: DRAM timing and row registers, which are plain storage: RAM is always where it should
 *         be; the fixed DRAM hole (FDHC), error reporting. DCLS sends the writes of a vCPU in SMM
 *         to PCI, but its data reads stay in SMRAM with its code, as views do not tell data from
 *         code.
 * Chosen: 57h (DRAMC) reads as low RAM in units of 8 MiB, as other emulations have it.
 */
#include "hw/i440fx/pmc.h"

#include "core/base/bits.h"
#include "core/base/log.h"
#include "trace/hw_i440fx.h"

#include <string.h>

enum {
    REG_FIRST = 0x50,        /* PMCCFG */
    REG_DRAMC = 0x57,
    REG_PAM0 = 0x59,
    REG_FDHC = 0x68,
    REG_MTT = 0x70,
    REG_SMRAM = 0x72,
    REG_ERRCMD = 0x90,
    REG_TRC = 0x93,
};

enum { PAM_RE = 1, PAM_WE = 2 }; /* 0: to PCI, 1: to DRAM */

enum {
    SMRAM_BASE_SEG = 0x02,   /* C_BASE_SEG 2:0, read only: A0000h-BFFFFh */
    SMRAM_G_SMRAME = 0x08,
    SMRAM_D_LCK = 0x10,
    SMRAM_D_CLS = 0x20,
    SMRAM_D_OPEN = 0x40,
};

#define VGA_START  0xa0000u
#define VGA_BYTES  0x20000u
#define BIOS_LOW_MAX (128 * KiB)

/* Inside one parent: DRAM (mapped at 0) hides PCI, the areas below 1 MiB hide DRAM. */
enum { PRIO_PCI = -1, PRIO_AREA = 1 };
enum { PRIO_BIOS = 2 };      /* inside pci_mem: over any BAR */

static const struct pam_segment {
    uint32_t start, bytes;
    uint8_t reg, shift;      /* which nibble */
} pam_segments[PMC_PAM_SEGMENTS] = {
    {0xf0000, 0x10000, 0x59, 4},
    {0xc0000, 0x4000, 0x5a, 0}, {0xc4000, 0x4000, 0x5a, 4},
    {0xc8000, 0x4000, 0x5b, 0}, {0xcc000, 0x4000, 0x5b, 4},
    {0xd0000, 0x4000, 0x5c, 0}, {0xd4000, 0x4000, 0x5c, 4},
    {0xd8000, 0x4000, 0x5d, 0}, {0xdc000, 0x4000, 0x5d, 4},
    {0xe0000, 0x4000, 0x5e, 0}, {0xe4000, 0x4000, 0x5e, 4},
    {0xe8000, 0x4000, 0x5f, 0}, {0xec000, 0x4000, 0x5f, 4},
};

static void pam_apply(struct pmc *s, unsigned n)
{
    const struct pam_segment *seg = &pam_segments[n];
    unsigned field = s->pci.config[seg->reg] >> seg->shift;
    struct region *dram = &s->machine->ram_low_map;
    struct region *reads = field & PAM_RE ? dram : &s->pci_mem;
    struct region *writes = field & PAM_WE ? dram : &s->pci_mem;

    if (s->pam[n].target != reads || s->pam[n].wtarget != writes) {
        region_set_route(&s->pam[n], reads, writes);
        trace_pmc_pam(seg->start, seg->start + seg->bytes - 1, field & PAM_RE ? "dram" : "pci",
                      field & PAM_WE ? "dram" : "pci");
    }
}

static void smram_apply(struct pmc *s)
{
    uint8_t val = s->pci.config[REG_SMRAM];
    struct region *dram = &s->machine->ram_low_map;
    bool enabled = val & SMRAM_G_SMRAME;
    bool open = enabled && (val & SMRAM_D_OPEN);
    struct region *writes = (val & SMRAM_D_CLS) && !open ? &s->pci_mem : dram;

    region_enable(&s->vga_hole, !open);
    region_enable(&s->smram, enabled);
    if (s->smram.wtarget != writes) {
        region_set_route(&s->smram, dram, writes);
    }
    trace_pmc_smram(val, open, enabled);
}

static void apply_all(struct pmc *s)
{
    for (unsigned n = 0; n < PMC_PAM_SEGMENTS; n++) {
        pam_apply(s, n);
    }
    smram_apply(s);
}

/* [82441FX] SMRAM: once D_LCK is set, D_OPEN is 0 and D_LCK, D_OPEN, G_SMRAME are read only until a
 * reset. wmask carries the lock, so it is derived from the register and not saved. */
static void smram_lock(struct pmc *s)
{
    uint8_t *val = &s->pci.config[REG_SMRAM];
    uint8_t writable = SMRAM_D_OPEN | SMRAM_D_CLS | SMRAM_D_LCK | SMRAM_G_SMRAME;

    if (*val & SMRAM_D_LCK) {
        *val &= (uint8_t)~SMRAM_D_OPEN;
        writable = SMRAM_D_CLS;
    }
    s->pci.wmask[REG_SMRAM] = writable;
}

static void pmc_written(struct pci_device *d, unsigned off, unsigned size)
{
    struct pmc *s = container_of(d, struct pmc, pci);

    for (unsigned n = 0; n < PMC_PAM_SEGMENTS; n++) {
        if (pci_touches(off, size, pam_segments[n].reg, 1)) {
            pam_apply(s, n);
        }
    }
    if (pci_touches(off, size, REG_SMRAM, 1)) {
        smram_lock(s);
        smram_apply(s);
    }
}

static void pmc_reset(void *dev)
{
    struct pmc *s = dev;
    pci_device_reset(&s->pci); /* [82441FX]: PAM 00h, SMRAM 02h, all from power_on */
    smram_lock(s);
    apply_all(s);
}

static void pmc_loaded(void *dev)
{
    struct pmc *s = dev;
    pci_device_loaded(&s->pci);
    smram_lock(s);
    apply_all(s);
}

static const struct state_field pmc_state[] = {
    STATE_SUB(struct pmc, pci, pci_device_state),
    STATE_END(),
};

static const struct device_type pmc_type = {
    .name = "i440fx-pmc", .version = 1, .reset = pmc_reset, .state = pmc_state,
    .loaded = pmc_loaded,
};

static bool bios_init(struct pmc *s, const void *image, size_t bytes, struct error **err)
{
    uint64_t low = min_u64(bytes, BIOS_LOW_MAX);

    if (bytes != 64 * KiB && bytes != 128 * KiB && bytes != 256 * KiB) {
        return error_set(err, "BIOS image of %zu bytes: not 64, 128 or 256 KiB", bytes);
    }
    if (!ram_block_new(&s->machine->arena, &s->bios, "bios", bytes, err)) {
        return false;
    }
    memcpy(ram_host(&s->bios), image, bytes);
    region_rom(&s->bios_high, "bios", &s->bios);
    region_alias(&s->bios_low, "bios-low", &s->bios_high, bytes - low, low);
    region_map(&s->pci_mem, &s->bios_high, 4 * GiB - bytes, PRIO_BIOS);
    region_map(&s->pci_mem, &s->bios_low, 1 * MiB - low, PRIO_BIOS);
    return true;
}

static void memory_init(struct pmc *s)
{
    struct machine *m = s->machine;
    struct region *root = &m->mem.root;

    region_container(&s->pci_mem, "pci", BIT64(MACHINE_PHYS_BITS));
    region_map(root, &s->pci_mem, 0, PRIO_PCI);
    region_alias(&s->vga_hole, "vga-hole", &s->pci_mem, VGA_START, VGA_BYTES);
    region_map(root, &s->vga_hole, VGA_START, PRIO_AREA);
    for (unsigned n = 0; n < PMC_PAM_SEGMENTS; n++) {
        const struct pam_segment *seg = &pam_segments[n];
        region_route(&s->pam[n], "pam", &s->pci_mem, &s->pci_mem, seg->start, seg->bytes);
        region_map(root, &s->pam[n], seg->start, PRIO_AREA);
    }
    region_route(&s->smram, "smram", &m->ram_low_map, &m->ram_low_map, VGA_START, VGA_BYTES);
    region_map(&m->smm.root, &s->smram, VGA_START, PRIO_AREA);
}

static void config_init(struct pmc *s)
{
    static const struct pci_ids ids = {
        .vendor = 0x8086, .device = 0x1237, .revision = 0x02, .class_code = 0x060000,
    };
    struct pci_device *d = &s->pci;
    uint64_t units = s->machine->ram_low.bytes / (8 * MiB);

    pci_device_init(d, &s->bus, "i440fx-pmc", PCI_DEVFN(0, 0), &ids);
    d->written = pmc_written;
    d->power_on[REG_DRAMC] = (uint8_t)min_u64(units, 0xff);
    d->power_on[REG_SMRAM] = SMRAM_BASE_SEG;
    memset(d->wmask + REG_FIRST, 0xff, REG_FDHC + 1 - REG_FIRST);
    memset(d->wmask + REG_MTT, 0xff, REG_SMRAM - REG_MTT);
    memset(d->wmask + REG_ERRCMD, 0xff, REG_TRC + 1 - REG_ERRCMD);
}

bool pmc_init(struct pmc *s, struct machine *m, const void *bios, size_t bios_bytes,
              struct error **err)
{
    s->machine = m;
    memory_init(s);
    if (!bios_init(s, bios, bios_bytes, err)) {
        return false;
    }
    pci_bus_init(&s->bus, m, &s->pci_mem);
    config_init(s);
    machine_add(m, &pmc_type, "00.0", s);
    return true;
}
