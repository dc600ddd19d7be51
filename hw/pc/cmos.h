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

/* Holds `-boot once=`: the order that cmos_fill wrote is replaced by the normal one with the first
 * reset after power-on. */
struct boot_once {
    struct mc146818 *rtc;
    uint8_t first, third;        /* the normal order, as CMOS has it */
    bool started;                /* the reset at power-on has been */
};
void boot_once_init(struct boot_once *s, struct machine *m, struct mc146818 *rtc,
                    const struct pc_config *cfg);
/* Another normal order, in CMOS at once: firmware reads it at the next reset. [locked] */
bool boot_order_change(struct boot_once *s, const char *letters, struct error **err);

#endif
