/*
 * Intel 82078 floppy disk controller with two drives.
 *
 * Order of calls: i82078_init maps seven ports (base+0..5 and base+7) and registers the device;
 * then i82078_set_drive and i82078_insert build the drives. A disk inserted before the first reset
 * decides the type of its drive: 1.2M for 5.25 inch disks, 2.88M for those of 2.88M and more, 1.44M
 * for all others. A later disk must fit the drive.
 */
#ifndef HW_CHIPS_I82078_H
#define HW_CHIPS_I82078_H

#include "core/block/request.h"
#include "core/device/irq.h"
#include "core/device/machine.h"
#include "hw/chips/floppy_media.h"

#define I82078_DRIVES 2  /* fitted; the chip itself counts to 4 */

struct i8237_pair;

struct i82078_drive {
    struct floppy_media disk;
    enum floppy_drive_type type;
    bool failed;             /* the host failed on this disk, and the user knows */
    uint8_t track;           /* where the heads are */
    bool changed;            /* DSKCHG: a disk came or went since the last step with a disk in */
    /* Bit n: sector n of the disk has a deleted data mark. An image cannot hold that, so it is
     * forgotten when the disk goes. */
    uint8_t deleted[FLOPPY_MAX_SECTORS / 8];
};

/* A SEEK or RECALIBRATE of one drive; they go on while the chip takes further commands. */
struct i82078_seek {
    struct i82078 *chip;
    uint8_t n;               /* the drive, 0..3 */
    uint8_t pcn;             /* the cylinder it is on, as the chip counts */
    uint8_t target;          /* PCN when done */
    uint8_t st0;             /* what SENSE INTERRUPT STATUS will say */
    bool recalibrate;
    bool done;               /* st0 waits to be sensed */
    struct timer timer;      /* armed while the heads move: MSR's busy bit */
};

struct i82078 {
    struct machine *m;
    struct irq *irq;
    struct i8237_pair *dma;
    unsigned channel;
    struct region low, high; /* base+0..5, base+7 */
    struct i82078_drive drive[I82078_DRIVES];
    struct i82078_seek seek[4];
    bool powered;            /* the first reset has been: drive types are settled */

    uint8_t dor, tdr;
    uint8_t rate;            /* DRATE of CCR or DSR, whichever was written last */
    uint8_t specify[2];      /* SRT and HUT; HLT and ND */
    uint8_t config;          /* EIS, EFIFO, POLL, FIFOTHR as CONFIGURE gives them */
    uint8_t pretrk;
    uint8_t perpendicular;   /* D3..D0, GAP, WGATE */
    bool lock;
    uint8_t last_eot;        /* last EOT or SC, for DUMPREG */
    bool int_pending;        /* what drives the INT pin */
    uint8_t poll_pending;    /* bit n: drive n has "ready changed" to report after a reset */

    uint8_t phase;           /* enum phase */
    uint8_t cmd[17], cmd_len, cmd_need;
    uint8_t res[16], res_len, res_pos;

    /* The data command that runs */
    uint8_t op;              /* enum op */
    uint8_t st0, st1, st2;   /* so far */
    uint8_t head;            /* which head is on */
    uint8_t chrn[4];         /* the sector it is at */
    uint8_t left;            /* FORMAT TRACK, VERIFY: sectors still to do */
    bool tc;                 /* terminal count */
    bool moving;             /* bytes pass between buf and the system */
    uint8_t dma_waits;
    uint16_t pos, len;       /* in buf */
    uint8_t buf[FLOPPY_SECTOR_BYTES];
    bool io_waits;           /* for `io`, which moves the sector at chrn */
    struct block_request io;
    /* what `io` moves: buf changes when it is done; not saved */
    uint8_t image[FLOPPY_SECTOR_BYTES];
    struct timer step;       /* its next event */
    struct timer ready;      /* the interrupt after a reset */
};

extern const struct device_type i82078_type;

void i82078_init(struct i82078 *s, struct machine *m, uint16_t base, struct irq *irq6,
                 struct i8237_pair *dma, unsigned channel);

/* Fits another drive than the default (drive 0: 2.88M, drive 1: none). Before the first reset. */
void i82078_set_drive(struct i82078 *s, unsigned drive, enum floppy_drive_type type);

/* Puts a disk into drive 0 or 1; the block stays the caller's until i82078_eject. */
bool i82078_insert(struct i82078 *s, unsigned drive, struct block *b, struct error **err);
void i82078_eject(struct i82078 *s, unsigned drive);

/* The drive's nibble for CMOS byte 10h; 0: there is no such drive. */
unsigned i82078_cmos_type(const struct i82078 *s, unsigned drive);

#endif
