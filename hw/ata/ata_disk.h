/*
 * An ATA hard disk: a general feature set device with LBA28, LBA48 and CHS addresses, PIO, READ and
 * WRITE MULTIPLE and DMA.
 */
#ifndef HW_ATA_ATA_DISK_H
#define HW_ATA_ATA_DISK_H

#include "core/block/block.h"
#include "hw/ata/ata.h"
#include "hw/ata/geometry.h"

struct ata_disk {
    struct ata_device ata;
    struct block *block;         /* borrowed */
    char serial[21];
    uint64_t sectors;            /* capacity */
    struct ata_geometry geometry;
    uint64_t lba;                /* first sector of the buffer, or the next one to move */
    uint32_t left;               /* sectors that are not moved yet, those in the buffer included */
    uint32_t chunk;              /* sectors in the buffer */
    uint16_t cylinders;          /* current CHS translation, INITIALIZE DEVICE PARAMETERS */
    uint8_t heads, spt;
    uint8_t multiple;            /* sectors a block of READ MULTIPLE; 0: not set */
    uint8_t transfer_mode;       /* SET FEATURES 03h, as written */
    bool write_cache, read_ahead;
};

/* A disk with the contents of @b, as @unit of @c. @number: 1 for the board's first drive; @id is
 * the name of its state and of messages. */
bool ata_disk_init(struct ata_disk *s, struct ata_channel *c, unsigned unit, struct block *b,
                   unsigned number, const char *id, struct error **err);

#endif
