/*
 * ACPI tables, handed to firmware as three fw_cfg files: the tables, the RSDP, and the program by
 * which firmware places and links them.
 *
 * The files are made anew when firmware selects one of them after the power management function has
 * moved, since the FADT names its ports.
 */
#ifndef HW_PC_ACPI_H
#define HW_PC_ACPI_H

#include "hw/pc/fw_cfg.h"
#include "hw/pc/pc.h"
#include "hw/piix3/piix4_pm.h"

#define ACPI_TABLES_BYTES 0x20000
#define ACPI_LOADER_BYTES 0x1000
#define ACPI_RSDP_BYTES   20

struct acpi {
    const struct machine *machine;
    const struct pc_config *config;      /* borrowed */
    const struct piix4_pm *pm;
    unsigned drives[PC_FLOPPIES];        /* CMOS types; 0: none */
    bool apic;                           /* the board has APICs */
    bool built;
    uint16_t built_base;                 /* PM base that the tables speak of */
    uint8_t tables[ACPI_TABLES_BYTES];
    uint8_t rsdp[ACPI_RSDP_BYTES];
    uint8_t loader[ACPI_LOADER_BYTES];
};

/* @apic: the board has local APICs and an I/O APIC. */
bool acpi_add(struct acpi *a, struct fw_cfg *f, const struct machine *m,
              const struct pc_config *cfg, const struct piix4_pm *pm,
              const unsigned drives[PC_FLOPPIES], bool apic, struct error **err);

#endif
