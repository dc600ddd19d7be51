/*
 * An ATA channel: the task files of two devices, their data port, INTRQ and DMARQ.
 *
 * What every device does lies here: registers, BSY and DRQ, blocks of the data port, the wait for a
 * bus master, reset and diagnostics. What a command means lies in ata_disk.c and atapi.c, behind
 * struct ata_device_ops.
 *
 * Order of calls: ata_channel_init by the controller, which maps `command` and `control`, then
 * ata_attach by each device. Everything here is [locked].
 *
 * Source: [ATA6] "Interface register definitions and descriptions" and "Protocol".
 */
#ifndef HW_ATA_ATA_H
#define HW_ATA_ATA_H

#include "core/block/request.h"
#include "core/device/machine.h"

#define ATA_SECTOR_BYTES  512u
#define ATA_BUFFER_BYTES  65536u     /* what a device holds of one transfer */
#define ATA_COMMAND_NS    (10 * NS_PER_US)
#define ATA_SECTOR_NS     500        /* moving 512 bytes from or to the medium */

enum {
    ATA_SR_ERR = 0x01,
    ATA_SR_DRQ = 0x08,
    ATA_SR_DSC = 0x10,
    ATA_SR_DF = 0x20,
    ATA_SR_DRDY = 0x40,
    ATA_SR_BSY = 0x80,
};

enum {
    ATA_ER_ABRT = 0x04,
    ATA_ER_IDNF = 0x10,
    ATA_ER_UNC = 0x40,
};

enum {
    ATA_DEV_HEAD = 0x0f,
    ATA_DEV_DEV = 0x10,
    ATA_DEV_LBA = 0x40,
};

/* SET FEATURES 03h: bits 7:3 of the transfer mode. */
enum {
    ATA_TRANSFER_PIO = 0x00,
    ATA_TRANSFER_PIO_FLOW = 0x08,
    ATA_TRANSFER_MDMA = 0x20,
    ATA_TRANSFER_UDMA = 0x40,
};

/* The registers that a host writes and a device returns results in. */
struct ata_taskfile {
    uint8_t feature, count, low, mid, high;
};

/* What a device waits for. */
enum ata_phase {
    ATA_IDLE,
    ATA_WAIT,                /* BSY; the timer, or the end of a request, runs the step */
    ATA_PIO_IN,              /* DRQ: the host takes buffer[pos..block_end) */
    ATA_PIO_OUT,
    ATA_DMA_IN,              /* DMARQ: a bus master moves buffer[pos..end) to memory */
    ATA_DMA_OUT,
    ATA_IN_RESET,            /* BSY while SRST is set */
    ATA_PHASES,
};

/* What happens at the end of a wait. */
enum ata_step {
    ATA_STEP_COMMAND,
    ATA_STEP_PACKET,
    ATA_STEP_IO,             /* the image has been read, written or flushed */
    ATA_STEP_RESET,
    ATA_STEP_DIAGNOSE,
    ATA_STEPS,
};

struct ata_device;

struct ata_device_ops {
    uint8_t ready;           /* status after a command without error */
    uint8_t reset_status;    /* status after a reset */
    uint8_t signature_mid, signature_high;
    void (*start)(struct ata_device *d);   /* a command was written: ata_later or ata_io */
    void (*command)(struct ata_device *d); /* ATA_STEP_COMMAND */
    void (*packet)(struct ata_device *d);  /* ATA_STEP_PACKET; NULL: takes no packets,
                                              nor DEVICE RESET, which those do also while busy */
    void (*io)(struct ata_device *d, bool ok); /* ATA_STEP_IO: what was read is in the buffer */
    void (*filled)(struct ata_device *d);  /* the host filled the buffer */
    void (*drained)(struct ata_device *d); /* the host took the whole buffer */
    void (*block)(struct ata_device *d, unsigned bytes); /* a data port block begins; may be NULL */
    void (*reset)(struct ata_device *d);   /* software reset: forget the command; may be NULL */
};

struct ata_channel;

struct ata_device {
    const struct ata_device_ops *ops;
    struct ata_channel *channel;
    unsigned unit;           /* 0 or 1 */
    char id[16];             /* of the device's section and for messages: "ide0.1" */
    struct timer timer;
    struct block_request io;
    bool warned;             /* the last access to the image failed, and the user knows */
    struct ata_taskfile now; /* last written, or results */
    struct ata_taskfile old; /* what was there before the last writes: the high bytes of LBA48 */
    uint8_t device;          /* bits 6, 4 and 3:0 */
    uint8_t command, status, error;
    bool intrq;
    uint8_t phase, step;
    uint32_t pos, block_end, end;  /* in the buffer: pos <= block_end <= end */
    uint32_t block_bytes;    /* size of a data port block; the last may be shorter */
    uint8_t buffer[ATA_BUFFER_BYTES];
    /* What a request moves: the buffer changes only when a request is done. Not saved. */
    uint8_t image[ATA_BUFFER_BYTES];
};

struct ata_channel {
    struct machine *machine;
    struct ata_device *device[2];    /* borrowed; NULL: not connected */
    struct irq *intrq;               /* borrowed */
    void (*dma_request)(void *opaque); /* the selected device raised DMARQ */
    void *dma_opaque;
    struct region command;   /* 8 ports */
    struct region control;   /* 1 port: alternate status and device control */
    uint8_t selected;        /* 0 or 1 */
    uint8_t device_control;  /* HOB, SRST, nIEN as written */
    bool intrq_level;
};

/* @name and @control_name are borrowed. @dma_request is called when the selected device raises
 * DMARQ. */
void ata_channel_init(struct ata_channel *c, struct machine *m, const char *name,
                      const char *control_name, struct irq *intrq,
                      void (*dma_request)(void *opaque), void *opaque);
void ata_channel_reset(struct ata_channel *c);   /* hardware reset; devices reset themselves */
void ata_channel_loaded(struct ata_channel *c);
extern const struct state_field ata_channel_state[];

/* Connects @d, of which nothing but its ops is set, as @unit of @c. */
void ata_attach(struct ata_channel *c, unsigned unit, struct ata_device *d,
                const struct ata_device_ops *ops, const char *id);
void ata_device_reset(struct ata_device *d);     /* power-on state of the common part */
/* After a load. True: the device waits for a request, which its owner starts again with ata_io for
 * the *ns that were left; the task file and buffer are as when it was submitted. */
bool ata_device_loaded(struct ata_device *d, int64_t *ns);
extern const struct state_field ata_device_state[];

/* What a command does; each ends one wait. */
void ata_later(struct ata_device *d, enum ata_step step, int64_t ns);  /* BSY for @ns, then @step */
/* BSY while the first @len bytes of the buffer come from @b or go there; at most ATA_BUFFER_BYTES.
 * @ns: the time that takes on the virtual clock. */
void ata_io(struct ata_device *d, struct block *b, enum block_op op, uint64_t off, size_t len,
            int64_t ns);
void ata_finish(struct ata_device *d);           /* without error, INTRQ */
void ata_finish_silently(struct ata_device *d);  /* without INTRQ: after the last block of PIO in */
void ata_fail(struct ata_device *d, uint8_t error);
/* Offers or asks for the buffer's first @bytes in blocks of @block; @intrq: also for the first
 * block. */
void ata_pio_in(struct ata_device *d, unsigned bytes, unsigned block);
void ata_pio_out(struct ata_device *d, unsigned bytes, unsigned block, bool intrq);
void ata_dma(struct ata_device *d, bool to_host, unsigned bytes);
void ata_signature(struct ata_device *d);        /* task file and error register after a reset */
/* Whether a device takes @mode of SET FEATURES 03h; and for IDENTIFY: bit n + 8 if @mode is mode n
 * of @family, else 0. */
bool ata_valid_transfer_mode(uint8_t mode);
unsigned ata_selected_mode(uint8_t mode, uint8_t family);
/* Text as IDENTIFY has it: bytes swapped in words, padded with blanks. */
void ata_string(uint8_t *to, const char *text, unsigned bytes);

/* The bus master's side. False: the selected device does not ask for DMA. Else *data and *bytes are
 * what it wants moved next, *to_host which way. */
bool ata_dma_window(struct ata_channel *c, uint8_t **data, unsigned *bytes, bool *to_host);
void ata_dma_moved(struct ata_channel *c, unsigned bytes);

#endif
