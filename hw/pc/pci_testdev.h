/*
 * pci-testdev: a PCI function whose only purpose is to be written to, for measuring what an access
 * to a device costs (kvm-unit-tests).
 */
#ifndef HW_PC_PCI_TESTDEV_H
#define HW_PC_PCI_TESTDEV_H

#include "hw/pci/pci.h"

#define PCI_TESTDEV_TESTS 3  /* of each BAR */

struct pci_testdev {
    struct pci_device pci;
    struct region mem, io;   /* BAR 0, BAR 1 */
    uint8_t current;         /* the chosen test, memory first; 255: none */
    uint32_t count;          /* writes that met its condition since it was chosen */
};

void pci_testdev_init(struct pci_testdev *t, struct machine *m, struct pci_bus *bus,
                      unsigned devfn);

#endif
