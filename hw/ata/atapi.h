/*
 * An ATAPI CD-ROM drive: PACKET commands of the multi-media command set over an ATA channel.
 */
#ifndef HW_ATA_ATAPI_H
#define HW_ATA_ATAPI_H

#include "core/block/block.h"
#include "hw/ata/ata.h"
#include "hw/ata/mmc.h"

struct atapi {
    struct ata_device ata;
    struct block *block;         /* borrowed; NULL: no disc */
    char serial[21];
    uint8_t packet[MMC_PACKET_BYTES];
    bool dma;                    /* the packet's data go by DMA */
    uint16_t byte_limit;         /* of a data port block, from the PACKET command */
    struct mmc_sense sense;      /* what REQUEST SENSE returns next */
    uint8_t attention;           /* enum atapi_attention: reported once, before other commands */
    uint8_t event;               /* media event code for GET EVENT STATUS NOTIFICATION */
    bool locked;                 /* PREVENT ALLOW MEDIUM REMOVAL */
    bool tray_open;
    /* a read in progress */
    uint32_t lba;                /* next frame to read */
    uint32_t left;               /* frames still to be read */
    uint16_t frame_bytes;        /* 2048, or 2352 for a raw READ CD */
    bool list;                   /* the host sends a parameter list, not a packet */
    struct mmc_modes modes;
    uint8_t transfer_mode;
};

/* A drive with disc @b (NULL: empty) as @unit of @c. */
bool atapi_init(struct atapi *s, struct ata_channel *c, unsigned unit, struct block *b,
                unsigned number, const char *id, struct error **err);

/* Takes the disc out and puts @b (NULL: nothing) in, whether the tray is locked or not: a person
 * with a paper clip. The guest is told by unit attention and a media event. */
bool atapi_change_medium(struct atapi *s, struct block *b, struct error **err);

#endif
