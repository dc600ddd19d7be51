/*
 * The `pc` board: which parts there are and how their pins are joined. Logic lives in the parts.
 */
#include "hw/pc/pc.h"

#include "core/accel/vcpu.h"
#include "core/base/bits.h"
#include "hw/chips/i8042.h"
#include "hw/chips/i82078.h"
#include "hw/chips/i8237.h"
#include "hw/chips/i8254.h"
#include "hw/chips/i8259.h"
#include "hw/chips/mc146818.h"
#include "hw/chips/ns16550.h"
#include "hw/chips/parallel.h"
#include "hw/i440fx/pmc.h"
#include "hw/pc/acpi.h"
#include "hw/pc/apics.h"
#include "hw/pc/cmos.h"
#include "hw/pc/debug_exit.h"
#include "hw/pc/debugcon.h"
#include "hw/pc/fw_cfg.h"
#include "hw/pc/fw_items.h"
#include "hw/pc/pc_info.h"
#include "hw/pc/pc_testdev.h"
#include "hw/pc/pci_testdev.h"
#include "hw/pc/pvpanic.h"
#include "hw/pc/smbios.h"
#include "hw/piix3/piix3.h"
#include "hw/piix3/piix3_ide.h"
#include "hw/piix3/piix4_pm.h"
#include "hw/vga/stdvga.h"

struct pc {
    struct machine *machine;
    struct pmc pmc;
    struct piix3 piix3;
    struct piix3_ide ide;
    struct piix4_pm pm;
    struct stdvga vga;
    struct i8259_pair pic;
    struct apics apics;
    struct hpet hpet;
    struct i8254 pit;
    struct i8237_pair dma;
    struct mc146818 rtc;
    struct boot_once boot_once;
    struct i8042 kbc;
    struct ns16550 com[PC_COMS];
    struct parallel lpt;
    struct i82078 fdc;
    struct fw_cfg fw_cfg;
    struct acpi acpi;
    struct debugcon debugcons[PC_MAX_DEBUGCONS];
    struct debug_exit exits[PC_MAX_EXITS];
    struct pvpanic pvpanic;
    struct pc_testdev testdev;
    struct pci_testdev pci_testdev;
    struct pc_info info;
};

static const struct {
    const char *id;
    uint16_t base;
    unsigned irq;
} com_ports[PC_COMS] = {
    {"com1", 0x3f8, 4}, {"com2", 0x2f8, 3}, {"com3", 0x3e8, 4}, {"com4", 0x2e8, 3},
};

void pc_config_init(struct pc_config *cfg)
{
    *cfg = (struct pc_config){
        .ram_bytes = 128 * MiB,
        .low_max = MACHINE_LOW_MAX,
        .cpus = 1,
        .max_cpus = 1,
        .vga = PC_VGA_STD,
        .fdc = true,
        .floppy_drive = {true},
        .com_present = {true},
        .lpt_present = true,
        .boot_order = "cad",
        .reboot_timeout_ms = -1,
        .fd_bootchk = true,
        .acpi = true,
        .hpet = true,
        .smm = true,
    };
}

static bool add_cpus(struct pc *pc, const struct pc_config *cfg, struct error **err)
{
    struct machine *m = pc->machine;

    for (unsigned i = 0; i < cfg->cpus; i++) {
        if (vcpu_new(m, err) == NULL) {
            return false;
        }
        piix3_connect_a20(&pc->piix3, vcpu_a20(m, i));
    }
    m->vcpus[0]->ferr = &pc->piix3.ferr;
    return true;
}

static bool add_disks(struct pc *pc, const struct pc_config *cfg, struct error **err)
{
    for (unsigned i = 0; i < PC_DISKS; i++) {
        const struct pc_disk *d = &cfg->disks[i];
        unsigned channel = i / PIIX3_IDE_UNITS, unit = i % PIIX3_IDE_UNITS;
        if (d->present &&
            !(d->cd ? piix3_ide_attach_cd(&pc->ide, channel, unit, d->image, err)
                    : piix3_ide_attach_disk(&pc->ide, channel, unit, d->image, err))) {
            return false;
        }
    }
    return true;
}

/* clang-format off */

/* PCI: host bridge 00.0; PIIX3 01: ISA bridge .0, IDE .1 (USB .2 is to come), power management .3;
 * display 02.0 */
static bool add_pci(struct pc *pc, const struct pc_config *cfg, struct error **err)
{
    struct machine *m = pc->machine;
    struct pci_bus *bus = &pc->pmc.bus;

    if (!pmc_init(&pc->pmc, m, cfg->bios.data, cfg->bios.bytes, err)) {
        return false;
    }
    piix3_init(     &pc->piix3, bus, PCI_DEVFN(1, 0), &pc->pic, &pc->pit);
    if (!add_cpus(pc, cfg, err)) {
        return false;
    }
    apics_init(     &pc->apics, m, &pc->piix3, &pc->pic);
    if (!piix3_ide_init(&pc->ide, m, bus, PCI_DEVFN(1, 1), &pc->piix3.isa_irq[14],
                        &pc->piix3.isa_irq[15], err) ||
        !add_disks(pc, cfg, err)) {
        return false;
    }
    if (cfg->acpi) {
        struct piix4_pm_pins pins = {
            .sci  = &pc->piix3.isa_irq[9],
            .smi  = cfg->smm ? vcpu_smi(m, 0) : NULL,
            .parallel = cfg->lpt_present,
            .com1 = cfg->com_present[0],
            .com2 = cfg->com_present[1],
        };
        piix4_pm_init(&pc->pm,  bus, PCI_DEVFN(1, 3), &pins);
    }
    return cfg->vga == PC_VGA_NONE ||
           stdvga_init( &pc->vga, m, bus, PCI_DEVFN(2, 0), cfg->vga_bios.data, cfg->vga_bios.bytes,
                        err);
}

/* Optional functions, each in the first slot that is free when its turn comes. */
static bool add_pci_cards(struct pc *pc, const struct pc_config *cfg, struct error **err)
{
    struct pci_bus *bus = &pc->pmc.bus;
    unsigned slot = 2;

    while (slot < 32 && bus->slots[PCI_DEVFN(slot, 0)] != NULL) {
        slot++;
    }
    if (cfg->pci_testdev && slot == 32) {
        return error_set(err, "no PCI slot is left");
    }
    if (cfg->pci_testdev) {
        pci_testdev_init(&pc->pci_testdev, pc->machine, bus, PCI_DEVFN(slot, 0));
    }
    return true;
}

/* The HPET lies between the timer and the clock and their interrupts. */
static void add_timers(struct pc *pc, const struct pc_config *cfg)
{
    struct machine *m = pc->machine;
    struct irq *irq0 = &pc->piix3.isa_irq[0], *irq8 = &pc->piix3.isa_irq[8];

    if (cfg->hpet) {
        struct hpet_pins pins = {.irq0 = irq0, .irq8 = irq8};
        apics_hpet_routes(&pc->apics, &pins);
        hpet_init(     &pc->hpet, m, &pins);
        irq0 = &pc->hpet.pit_in;
        irq8 = &pc->hpet.rtc_in;
    }
    i8254_init(        &pc->pit, m,     0x040, irq0,      NULL);
    i8254_on_write(    &pc->pit, piix3_counter_written, &pc->piix3);
    mc146818_init(     &pc->rtc, m,     0x070, irq8);
    pc->rtc.nmi_mask = &pc->piix3.nmi_mask;
}

static bool add_isa(struct pc *pc, const struct pc_config *cfg, struct error **err)
{
    struct machine *m = pc->machine;
    struct irq *isa = pc->piix3.isa_irq;

    /* chip            part             port   interrupt  other pins */
    i8259_pair_init(   &pc->pic, m,            apics_intr(&pc->apics));
    add_timers(pc, cfg);
    i8237_pair_init(   &pc->dma, m);
    i8042_init(        &pc->kbc, m,            &isa[1],   &isa[12]);
    i8042_set_a20(     &pc->kbc, &pc->piix3.kbc_a20);

    for (unsigned i = 0; i < PC_COMS; i++) {
        if (cfg->com_present[i]) {
            ns16550_init(&pc->com[i], m, com_ports[i].id, com_ports[i].base,
                         &isa[com_ports[i].irq], cfg->com[i]);
            pc->com[i].instant = !cfg->com_line_time;
        }
    }
    if (cfg->lpt_present) {
        parallel_init( &pc->lpt, m, "lpt1", 0x378, &isa[7],  cfg->lpt);
    }
    if (cfg->fdc) {
        i82078_init(   &pc->fdc, m,     0x3f0, &isa[6],   &pc->dma, 2);
    }
    for (unsigned i = 0; cfg->fdc && i < PC_FLOPPIES; i++) {
        if (cfg->floppies[i] != NULL && !i82078_insert(&pc->fdc, i, cfg->floppies[i], err)) {
            return false;
        }
    }
    for (unsigned i = 0; i < cfg->n_debugcons; i++) {
        const struct pc_debugcon *d = &cfg->debugcons[i];
        debugcon_init( &pc->debugcons[i], m, d->port, d->read_value, d->chardev);
    }
    for (unsigned i = 0; i < cfg->n_exits; i++) {
        const struct pc_exit *e = &cfg->exits[i];
        debug_exit_init(&pc->exits[i], m, e->port, e->bytes,
                        e->plain ? DEBUG_EXIT_PLAIN : DEBUG_EXIT_ISA);
    }
    if (cfg->pvpanic) {
        pvpanic_init(  &pc->pvpanic, m, cfg->pvpanic_port, cfg->pvpanic_events);
    }
    if (cfg->pc_testdev) {
        pc_testdev_init(&pc->testdev, m, isa, PIIX3_IRQS);
    }
    return true;
}

/* clang-format on */

/* What firmware reads: CMOS memory and fw_cfg. */
static bool add_firmware_data(struct pc *pc, const struct pc_config *cfg, struct error **err)
{
    struct machine *m = pc->machine;
    unsigned drives[PC_FLOPPIES] = {0};

    for (unsigned i = 0; cfg->fdc && i < PC_FLOPPIES; i++) {
        drives[i] = cfg->floppy_drive[i] ? i82078_cmos_type(&pc->fdc, i) : 0;
    }
    cmos_fill(&pc->rtc, m, cfg, drives, &pc->ide);
    boot_once_init(&pc->boot_once, m, &pc->rtc, cfg);
    fw_cfg_init(&pc->fw_cfg, m);
    if (!fw_items_add(&pc->fw_cfg, m, cfg, &pc->ide, err) ||
        !smbios_add(&pc->fw_cfg, m, cfg, err)) {
        return false;
    }
    if (cfg->acpi && !acpi_add(&pc->acpi, &pc->fw_cfg, m, cfg, &pc->pm, drives,
                                pc->apics.present, err)) {
        return false;
    }
    if (cfg->kernel.present && !kernel_add(&cfg->kernel, &pc->fw_cfg, err)) {
        return false;
    }
    fw_cfg_seal(&pc->fw_cfg);
    return true;
}

static void press_power_button(void *pc)
{
    pc_power_button(pc);
}

static void raise_nmi(void *pc)
{
    pc_nmi(pc);
}

static bool change_boot_order(void *dev, const char *letters, struct error **err)
{
    struct pc *pc = dev;
    return boot_order_change(&pc->boot_once, letters, err);
}

struct pc *pc_init(struct machine *m, const struct pc_config *cfg, struct error **err)
{
    struct pc *pc = machine_alloc(m, sizeof(*pc));

    pc->machine = m;
    if (!machine_ram_init(m, cfg->ram_bytes, cfg->low_max, err)) {
        return NULL;
    }
    machine_map_ram(m);
    if (!add_pci(pc, cfg, err) || !add_pci_cards(pc, cfg, err) ||
        !add_isa(pc, cfg, err) || !add_firmware_data(pc, cfg, err)) {
        return NULL;
    }
    m->board.dev = pc;
    m->board.power_button = cfg->acpi ? press_power_button : NULL;
    m->board.nmi = raise_nmi;
    m->board.set_boot_order = change_boot_order;
    pc_info_init(&pc->info, m, &pc->pmc, &pc->pic, &pc->apics);
    return pc;
}

bool pc_insert_floppy(struct pc *pc, unsigned n, struct block *b, struct error **err)
{
    if (n >= PC_FLOPPIES || pc->fdc.m == NULL) {
        return error_set(err, "there is no floppy drive %u", n);
    }
    i82078_eject(&pc->fdc, n);
    return b == NULL || i82078_insert(&pc->fdc, n, b, err);
}

bool pc_insert_cd(struct pc *pc, unsigned n, struct block *b, struct error **err)
{
    if (n >= PC_DISKS) {
        return error_set(err, "there is no drive %u", n);
    }
    return piix3_ide_change_medium(&pc->ide, n / PIIX3_IDE_UNITS, n % PIIX3_IDE_UNITS, b, err);
}

static const struct atapi *cd(const struct pc *pc, unsigned n)
{
    return piix3_ide_cd(&pc->ide, n / PIIX3_IDE_UNITS, n % PIIX3_IDE_UNITS);
}

bool pc_cd_locked(const struct pc *pc, unsigned n)
{
    return cd(pc, n) != NULL && cd(pc, n)->locked;
}

bool pc_cd_open(const struct pc *pc, unsigned n)
{
    return cd(pc, n) != NULL && cd(pc, n)->tray_open;
}

void pc_power_button(struct pc *pc)
{
    if (pc->pm.machine != NULL) {
        piix4_pm_power_button(&pc->pm);
    }
}

void pc_nmi(struct pc *pc)
{
    apics_nmi(&pc->apics);
}

uint8_t pc_post_code(const struct pc *pc)
{
    return pc->piix3.post_code;
}
