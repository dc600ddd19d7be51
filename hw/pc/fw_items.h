/*
 * What this board tells its firmware through fw_cfg, apart from ACPI and SMBIOS tables.
 */
#ifndef HW_PC_FW_ITEMS_H
#define HW_PC_FW_ITEMS_H

#include "hw/pc/fw_cfg.h"
#include "hw/pc/pc.h"
#include "hw/piix3/piix3_ide.h"

/* Adds the items and files; @cfg's texts and data are copied. @ide: NULL where there are no
 * disks. */
bool fw_items_add(struct fw_cfg *f, const struct machine *m, const struct pc_config *cfg,
                  const struct piix3_ide *ide, struct error **err);

#endif
