/*
 * The board's display adapter: the VGA as PCI function 1234:1111 (reference: section "PCI bus 0").
 * BAR0 is the linear frame buffer, BAR2 a page of registers, the ROM BAR its BIOS.
 */
#ifndef HW_VGA_STDVGA_H
#define HW_VGA_STDVGA_H

#include "hw/pci/pci.h"
#include "hw/vga/vga.h"

#define STDVGA_VRAM_BYTES 0x1000000u
#define STDVGA_MMIO_BYTES 0x1000u
#define STDVGA_EDID_BYTES 0x180u      /* room in BAR2; the block itself is 128 bytes */

struct stdvga {
    struct pci_device pci;
    struct vga vga;
    uint8_t edid[128];       /* fixed after init */
    struct region mmio;      /* BAR2: a container of the four below */
    struct region mmio_edid, mmio_ports, mmio_vbe, mmio_ext;
};

/* Adds the function to @bus at @devfn and makes it m->display. @rom: the VGA BIOS image, copied;
 * with @rom_bytes 0 there is no ROM BAR. */
bool stdvga_init(struct stdvga *v, struct machine *m, struct pci_bus *bus, unsigned devfn,
                 const void *rom, size_t rom_bytes, struct error **err);

#endif
