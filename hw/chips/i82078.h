/*
 * Intel 82078 floppy disk controller with two drives.
 *
 * i82078_init maps seven ports (base+0..5 and base+7) and registers the device. Disks inserted before
 * the first reset decide the type of their drive; later ones must fit it.
 */
#ifndef HW_CHIPS_I82078_H
#define HW_CHIPS_I82078_H

#include "core/device/irq.h"
#include "core/device/machine.h"
#include "hw/chips/floppy_media.h"

#define I82078_DRIVES 2

struct i8237_pair;

struct i82078_drive {
    struct floppy_media disk;
    enum floppy_drive_type type;
    uint8_t track;           /* where the heads are */
    bool changed;            /* DSKCHG: a disk came or went since the last step with a disk in */
};

struct i82078 {
    struct machine *m;
    struct irq *irq;
    struct i8237_pair *dma;
    unsigned channel;
    struct region low, high; /* base+0..5, base+7 */
    struct i82078_drive drive[I82078_DRIVES];
    bool powered;            /* the first reset has been: drive types are settled */

    uint8_t dor, dsr, ccr, tdr;
    uint8_t phase;           /* enum phase */
    uint8_t cmd[17], cmd_len, cmd_need;
    uint8_t res[16], res_len, res_pos;
    uint8_t pcn[4];          /* the controller's own idea of each drive's cylinder */
    uint8_t seek_busy;       /* MSR bits 0..3 */
    uint8_t seek_target[4];
    uint8_t seek_st0[4];     /* ST0 that SENSE INTERRUPT STATUS will give */
    uint8_t seek_done;       /* bit n: drive n has an ST0 to report */
    uint8_t config[3];       /* CONFIGURE's bytes */
    uint8_t specify[2];
    uint8_t perp;            /* PERPENDICULAR MODE */
    uint8_t lock;
    uint8_t precomp;         /* PRETRK: CONFIGURE's last byte */
    uint8_t eot;             /* last SC or EOT, for DUMPREG */
    bool int_pending;        /* what drives the INT pin */
    bool reset_held;         /* DOR says reset */
    uint8_t st1, st2;        /* of the running data command */
    uint8_t chrn[4];         /* where it is */
    bool tc;                 /* terminal count seen */
    uint16_t pos, len;       /* in the sector buffer */
    uint8_t dma_waits;
    uint8_t format_left;
    uint8_t buf[FLOPPY_SECTOR_BYTES];
    struct timer step;       /* running command's next event */
    struct timer seek[4];
};

extern const struct device_type i82078_type;

void i82078_init(struct i82078 *s, struct machine *m, uint16_t base, struct irq *irq6,
                 struct i8237_pair *dma, unsigned channel);

/* Puts a disk into drive 0 or 1; the block stays the caller's until i82078_eject. */
bool i82078_insert(struct i82078 *s, unsigned drive, struct block *b, struct error **err);
void i82078_eject(struct i82078 *s, unsigned drive);

/* The drive's nibble for CMOS byte 10h; 0: there is no such drive. */
unsigned i82078_cmos_type(const struct i82078 *s, unsigned drive);

#endif
