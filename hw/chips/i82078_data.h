/* Inside the floppy controller: what its registers and commands (i82078.c) share with its data
 * commands (i82078_data.c). */
#ifndef HW_CHIPS_I82078_DATA_H
#define HW_CHIPS_I82078_DATA_H

#include "hw/chips/i82078.h"

enum phase { PHASE_COMMAND, PHASE_EXECUTE, PHASE_RESULT };

enum op {
    OP_READ,                 /* READ DATA */
    OP_READ_DELETED,
    OP_READ_TRACK,
    OP_VERIFY,
    OP_WRITE,
    OP_WRITE_DELETED,
    OP_FORMAT,
    OP_READ_ID,
    OP_SCAN_EQUAL,
    OP_SCAN_LOW,             /* disk <= system */
    OP_SCAN_HIGH,            /* disk >= system */
    OP_COUNT,
};

enum { /* ST0 */
    ST0_ABNORMAL = 0x40,
    ST0_INVALID = 0x80,
    ST0_READY_CHANGED = 0xc0,
    ST0_SE = 0x20,           /* a seek ended */
    ST0_EC = 0x10,           /* no track 0 */
    ST0_HEAD = 0x04,
};

enum { /* CONFIGURE, second byte */
    CONFIG_EIS = 0x40,       /* implied seek */
    CONFIG_EFIFO = 0x20,     /* 1: no FIFO */
    CONFIG_FIFOTHR = 0x0f,
};

#define SECTOR_NS     (20 * NS_PER_US) /* a sector passes under the head */
#define STEP_NS       (5 * NS_PER_US)  /* from cylinder to cylinder */
#define SETTLE_NS     (50 * NS_PER_US)

/* Bit 0 of SPECIFY's second byte: no DMA. */
static inline bool i82078_pio(const struct i82078 *s)
{
    return s->specify[1] & 1;
}

/* The drive that the command in s->cmd speaks of; NULL if it is not fitted. */
struct i82078_drive *i82078_addressed(struct i82078 *s);

/* Cylinder of @d's disk that its heads are on. */
unsigned i82078_disk_cyl(const struct i82078_drive *d);

/* Moves the heads by hand of the step pin. */
void i82078_move(struct i82078_drive *d, unsigned track);

/* Goes to the result phase with the first @n bytes of s->res, with an interrupt if @interrupt. */
void i82078_result(struct i82078 *s, unsigned n, bool interrupt);
void i82078_interrupt(struct i82078 *s, bool level);

/* Starts the data command in s->cmd. */
void i82078_data_start(struct i82078 *s, enum op op);

/* One byte of the execution phase without DMA. */
uint8_t i82078_data_get(struct i82078 *s);
void i82078_data_put(struct i82078 *s, uint8_t val);

/* Whether the system writes bytes in the running command (else it reads them). */
bool i82078_data_is_output(const struct i82078 *s);

/* Called by s->step, and when s->io is done. */
void i82078_data_step(void *opaque);
void i82078_data_io(void *opaque);

/* After a load: brings the data command into range and starts s->io again if it was under way. */
void i82078_data_loaded(struct i82078 *s);

#endif
