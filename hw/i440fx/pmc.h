/*
 * Intel 82441FX PMC: host bridge 00:00.0, memory map, PCI bus 0.
 */
#ifndef HW_I440FX_PMC_H
#define HW_I440FX_PMC_H

#include "hw/pci/pci.h"

#define PMC_PAM_SEGMENTS 13

struct pmc {
    struct pci_device pci;
    struct pci_bus bus;
    struct machine *machine;
    /* What answers on the PCI side, at its physical address: memory BARs, the VGA window, ROMs.
     * Chips that decode memory map themselves in here. */
    struct region pci_mem;
    struct region vga_hole;                  /* A0000h-BFFFFh goes to PCI, unless SMRAM is open */
    struct region pam[PMC_PAM_SEGMENTS];
    struct region smram;                     /* A0000h-BFFFFh of the DRAM, for a vCPU in SMM */
    struct ram_block bios;
    struct region bios_high, bios_low;       /* under 4 GiB, and its last 128 KiB under 1 MiB */
};

/* The bridge around @m's RAM (after machine_map_ram) and the BIOS image, which has 64, 128 or
 * 256 KiB. */
bool pmc_init(struct pmc *s, struct machine *m, const void *bios, size_t bios_bytes,
              struct error **err);

#endif
