/*
 * The fixed-form answers of a CD-ROM drive: pure functions from a command packet and what is in the
 * drive to bytes.
 *
 * Source: [MMC3] chapter 6 "Commands for CD and DVD devices", [SPC2] INQUIRY and REQUEST SENSE.
 */
#ifndef HW_ATA_MMC_H
#define HW_ATA_MMC_H

#include <stdbool.h>
#include <stdint.h>

#define MMC_PACKET_BYTES 12u
#define MMC_FRAME_BYTES  2048u       /* user data of a mode 1 sector */
#define MMC_RAW_BYTES    2352u
#define MMC_REPLY_BYTES  256u        /* the longest answer */

enum {
    MMC_TEST_UNIT_READY = 0x00,
    MMC_REQUEST_SENSE = 0x03,
    MMC_INQUIRY = 0x12,
    MMC_START_STOP = 0x1b,
    MMC_PREVENT_ALLOW = 0x1e,
    MMC_READ_CAPACITY = 0x25,
    MMC_READ_10 = 0x28,
    MMC_SEEK_10 = 0x2b,
    MMC_READ_TOC = 0x43,
    MMC_GET_CONFIGURATION = 0x46,
    MMC_GET_EVENT_STATUS = 0x4a,
    MMC_READ_DISC_INFORMATION = 0x51,
    MMC_MODE_SENSE_10 = 0x5a,
    MMC_READ_12 = 0xa8,
    MMC_SET_CD_SPEED = 0xbb,
    MMC_MECHANISM_STATUS = 0xbd,
    MMC_READ_CD = 0xbe,
};

struct mmc_sense {
    uint8_t key, asc, ascq;
};

/* What an answer depends on. */
struct mmc_drive {
    uint32_t frames;         /* on the disc; 0 without one */
    bool present;            /* a disc is in and the tray closed */
    bool tray_open, locked;
    uint8_t event;           /* media event code */
    struct mmc_sense sense;
};

/* Builds the answer to @packet in @reply (MMC_REPLY_BYTES, zeroed by this). Returns its whole
 * length, before the allocation length cuts it; 0 with *sense set: the command fails. */
unsigned mmc_reply(const struct mmc_drive *d, const uint8_t *packet, uint8_t *reply,
                   struct mmc_sense *sense);

/* The allocation length field of @packet; for commands that mmc_reply knows. */
unsigned mmc_allocation(const uint8_t *packet);

/* Makes a raw mode 1 sector of the 2048 bytes at @raw + 16: sync pattern and header in front, zeros
 * behind. */
void mmc_make_raw(uint8_t *raw, uint32_t lba);

#endif
