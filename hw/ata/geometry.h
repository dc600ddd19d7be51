/*
 * Cylinders, heads and sectors of a disk image that knows none.
 *
 * A drive reports a geometry of its own (16383/16/63 at most), firmware translates it into the one
 * that INT 13h shows, and a partitioned disk was written for one INT 13h geometry: the end of a
 * partition is the last sector of a cylinder. All three should agree.
 */
#ifndef HW_ATA_GEOMETRY_H
#define HW_ATA_GEOMETRY_H

#include "core/block/block.h"

/* CMOS 39h: how firmware gets from the drive's geometry to that of INT 13h. */
enum ata_translation {
    ATA_TRANSLATION_NONE = 0,
    ATA_TRANSLATION_LBA = 1,
    ATA_TRANSLATION_LARGE = 2,
};

struct ata_geometry {
    uint16_t cylinders;          /* 1..16383, of the drive: IDENTIFY words 1, 3, 6 */
    uint8_t heads;               /* 1..16 */
    uint8_t sectors;             /* 1..63 */
    uint8_t translation;         /* enum ata_translation */
    /* What the partition table was made with; all 0: it does not say. */
    uint16_t table_cylinders, table_heads, table_sectors;
    bool override;               /* firmware's own translation would not arrive at the table's */
};

/* From the first sector and the size of @b. Cannot fail: an unreadable image is an empty one. */
void ata_geometry_guess(struct ata_geometry *g, struct block *b);

/* The INT 13h geometry that SeaBIOS makes of @g and @sectors. */
void ata_geometry_firmware(const struct ata_geometry *g, uint64_t sectors, uint16_t *cylinders,
                           uint16_t *heads, uint16_t *spt);

#endif
