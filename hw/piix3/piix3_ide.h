/*
 * Intel 82371SB PIIX3, function 1: the IDE interface 01.1, two channels with a bus master each.
 *
 * Order of calls: piix3_ide_init, then piix3_ide_attach_disk and piix3_ide_attach_cd for each drive
 * before the machine's first reset. All [locked].
 */
#ifndef HW_PIIX3_PIIX3_IDE_H
#define HW_PIIX3_PIIX3_IDE_H

#include "hw/ata/ata_disk.h"
#include "hw/ata/atapi.h"
#include "hw/pci/pci.h"

#define PIIX3_IDE_CHANNELS 2
#define PIIX3_IDE_UNITS    2

struct piix3_ide;

struct piix3_ide_channel {
    struct piix3_ide *ide;
    struct ata_channel ata;
    struct ata_disk *disk[PIIX3_IDE_UNITS];  /* the machine's; NULL: none */
    struct atapi *cd[PIIX3_IDE_UNITS];
    struct irq intrq;            /* from the devices */
    struct irq *irq;             /* to the interrupt controller; borrowed */
    uint8_t command;             /* BMICx */
    uint8_t status;              /* BMISx */
    uint32_t table;              /* BMIDTPx */
    /* The bus master while BMIDEA is set. */
    uint32_t next_prd;           /* address of the descriptor behind the current one */
    uint32_t address;            /* where the current region goes on */
    uint32_t bytes;              /* left of it; 0: fetch the next descriptor */
    bool last;                   /* the current descriptor had EOT */
};

struct piix3_ide {
    struct pci_device pci;
    struct machine *machine;
    struct region bus_master;
    struct piix3_ide_channel channel[PIIX3_IDE_CHANNELS];
};

bool piix3_ide_init(struct piix3_ide *s, struct machine *m, struct pci_bus *bus, unsigned devfn,
                    struct irq *irq14, struct irq *irq15, struct error **err);

/* @b stays the caller's and must outlive the machine's run. */
bool piix3_ide_attach_disk(struct piix3_ide *s, unsigned channel, unsigned unit, struct block *b,
                           struct error **err);
bool piix3_ide_attach_cd(struct piix3_ide *s, unsigned channel, unsigned unit,
                         struct block *b_or_null, struct error **err);

/* Swaps the disc of a CD-ROM drive at run time. The old image is no longer used on return. */
bool piix3_ide_change_medium(struct piix3_ide *s, unsigned channel, unsigned unit,
                             struct block *b_or_null, struct error **err);
/* The CD-ROM drive of a place; NULL: there is none. */
const struct atapi *piix3_ide_cd(const struct piix3_ide *s, unsigned channel, unsigned unit);

/* The disk's geometry for CMOS; false if there is no disk. */
bool ide_drive_geometry(const struct piix3_ide *s, unsigned channel, unsigned unit,
                        struct ata_geometry *out);

#endif
