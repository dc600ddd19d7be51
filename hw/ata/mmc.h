/*
 * The fixed-form answers of a CD-ROM drive: pure functions from a command packet and what is in the
 * drive to bytes.
 *
 * Source: [MMC3] the commands by their names, [SPC2] INQUIRY and REQUEST SENSE.
 */
#ifndef HW_ATA_MMC_H
#define HW_ATA_MMC_H

#include <stdbool.h>
#include <stdint.h>

#define MMC_PACKET_BYTES 12u
#define MMC_FRAME_BYTES  2048u       /* user data of a mode 1 sector */
#define MMC_RAW_BYTES    2352u
#define MMC_REPLY_BYTES  2052u       /* the longest answer: READ DVD STRUCTURE */

enum {
    MMC_TEST_UNIT_READY = 0x00,
    MMC_REQUEST_SENSE = 0x03,
    MMC_INQUIRY = 0x12,
    MMC_START_STOP = 0x1b,
    MMC_PREVENT_ALLOW = 0x1e,
    MMC_READ_CAPACITY = 0x25,
    MMC_READ_10 = 0x28,
    MMC_SEEK_10 = 0x2b,
    MMC_VERIFY_10 = 0x2f,
    MMC_READ_SUB_CHANNEL = 0x42,
    MMC_READ_TOC = 0x43,
    MMC_READ_HEADER = 0x44,
    MMC_GET_CONFIGURATION = 0x46,
    MMC_GET_EVENT_STATUS = 0x4a,
    MMC_READ_DISC_INFORMATION = 0x51,
    MMC_MODE_SELECT_10 = 0x55,
    MMC_MODE_SENSE_10 = 0x5a,
    MMC_READ_12 = 0xa8,
    MMC_READ_DVD_STRUCTURE = 0xad,
    MMC_SET_CD_SPEED = 0xbb,
    MMC_MECHANISM_STATUS = 0xbd,
    MMC_READ_CD = 0xbe,
};

struct mmc_sense {
    uint8_t key, asc, ascq;
};

/* What MODE SELECT can change. */
struct mmc_modes {
    uint8_t recovery[2];     /* bytes 2 and 3 of page 01h */
    uint8_t audio[8];        /* bytes 8 to 15 of page 0Eh */
};

/* What an answer depends on. */
struct mmc_drive {
    uint32_t frames;         /* on the disc; 0 without one */
    bool present;            /* a disc is in and the tray closed */
    bool tray_open, locked;
    uint8_t event;           /* media event code */
    struct mmc_sense sense;
    uint32_t position;       /* the frame that was read last */
    const struct mmc_modes *modes;
};

/* Builds the answer to @packet in @reply (MMC_REPLY_BYTES, zeroed by this). Returns its whole
 * length, before the allocation length cuts it; 0 with *sense set: the command fails. */
unsigned mmc_reply(const struct mmc_drive *d, const uint8_t *packet, uint8_t *reply,
                   struct mmc_sense *sense);

/* The allocation length field of @packet; for commands that mmc_reply knows. */
unsigned mmc_allocation(const uint8_t *packet);

/* mmc_mode.c: the values at power-on; MODE SENSE, as mmc_reply; MODE SELECT, first its packet, then
 * @bytes of its parameter list, which is taken whole or not at all. */
void mmc_modes_reset(struct mmc_modes *m);
unsigned mmc_mode_sense(const struct mmc_drive *d, const uint8_t *packet, uint8_t *reply,
                        struct mmc_sense *sense);
bool mmc_mode_select_refused(const uint8_t *packet, struct mmc_sense *sense);
bool mmc_mode_select(const struct mmc_drive *d, const uint8_t *list, unsigned bytes,
                     struct mmc_modes *m, struct mmc_sense *sense);

/* Makes a raw mode 1 sector of the 2048 bytes at @raw + 16: sync pattern and header in front, zeros
 * behind. */
void mmc_make_raw(uint8_t *raw, uint32_t lba);

#endif
