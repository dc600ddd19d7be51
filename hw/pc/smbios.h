/*
 * SMBIOS tables, handed to firmware as two fw_cfg files.
 */
#ifndef HW_PC_SMBIOS_H
#define HW_PC_SMBIOS_H

#include "hw/pc/fw_cfg.h"
#include "hw/pc/pc.h"

bool smbios_add(struct fw_cfg *f, const struct machine *m, const struct pc_config *cfg,
                struct error **err);

#endif
