/* What the board's chips tell a monitor: interrupt controllers, PAM, PCI. */
#ifndef HW_PC_PC_INFO_H
#define HW_PC_PC_INFO_H

#include "hw/chips/i8259.h"
#include "hw/i440fx/pmc.h"
#include "hw/pc/apics.h"

#define PC_INFOS 5

struct pc_info {
    struct info_provider providers[PC_INFOS];
    struct pci_view pci;
    struct pmc *pmc;        /* borrowed */
    struct i8259_pair *pic; /* borrowed */
    struct apics *apics;    /* borrowed */
};

/* Registers with @m what there is to tell. */
void pc_info_init(struct pc_info *s, struct machine *m, struct pmc *pmc, struct i8259_pair *pic,
                  struct apics *apics);

#endif
