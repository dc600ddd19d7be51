/*
 * What the board's firmware finds in the battery-backed memory of the RTC at power-on.
 */
#ifndef HW_PC_CMOS_H
#define HW_PC_CMOS_H

#include "hw/chips/mc146818.h"
#include "hw/pc/pc.h"
#include "hw/piix3/piix3_ide.h"

/* Fills the memory as a set-up program would have left it. @floppy_types: the drives' CMOS
 * nibbles. @ide: NULL where there are no disks. */
void cmos_fill(struct mc146818 *rtc, const struct machine *m, const struct pc_config *cfg,
               const unsigned floppy_types[PC_FLOPPIES], const struct piix3_ide *ide);

#endif
