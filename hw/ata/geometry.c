/*
 * Disk geometry from a partition table.
 *
 * Source: [ATA6] "Interface register definitions" on CHS addresses, IDENTIFY words 1, 3 and 6; the
 *         partition table of the IBM PC's master boot record; SeaBIOS' use of CMOS 39h.
 * Model:  a geometry is believed if the table's end (and start) as cylinder, head and sector is the
 *         same sector as its end as a number. Tables that were clipped at cylinder 1023 do not say
 *         how many cylinders there are, but still heads and sectors.
 */
#include "hw/ata/geometry.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <string.h>

enum {
    TABLE_OFFSET = 446,
    TABLE_ENTRIES = 4,
    ENTRY_BYTES = 16,
    SIGNATURE_OFFSET = 510,
};

#define SECTOR_BYTES   512u
#define MAX_CYLINDERS  16383u
#define DRIVE_HEADS    16u
#define DRIVE_SECTORS  63u
#define INT13_CYLINDERS 1024u

struct chs {
    unsigned cylinder, head, sector;
};

struct entry {
    struct chs start, end;
    uint64_t first, count;
};

static struct chs unpack_chs(const uint8_t *p)
{
    return (struct chs){(p[1] & 0xc0u) << 2 | p[2], p[0], p[1] & 63u};
}

/* Every entry of a partition table has a boot flag of 00h or 80h: a boot sector without a table
 * hardly ever looks like one. */
static bool is_table(const uint8_t *sector)
{
    if (ld16le(sector + SIGNATURE_OFFSET) != 0xaa55) {
        return false;
    }
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        if ((sector[TABLE_OFFSET + i * ENTRY_BYTES] & 0x7f) != 0) {
            return false;
        }
    }
    return true;
}

static bool read_entry(const uint8_t *sector, unsigned n, uint64_t total, struct entry *e)
{
    const uint8_t *p = sector + TABLE_OFFSET + n * ENTRY_BYTES;

    *e = (struct entry){unpack_chs(p + 1), unpack_chs(p + 5), ld32le(p + 8), ld32le(p + 12)};
    return p[4] != 0 && e->count != 0 && e->first < total && e->end.sector != 0 && e->end.head != 0;
}

/* True if @at is sector @lba in a geometry of @heads and @spt, as far as it can say that. */
static bool same_sector(struct chs at, uint64_t lba, unsigned heads, unsigned spt)
{
    if (at.cylinder >= INT13_CYLINDERS - 2) {
        return true; /* clipped */
    }
    return at.sector != 0 && at.sector <= spt && at.head < heads &&
           ((uint64_t)at.cylinder * heads + at.head) * spt + at.sector - 1 == lba;
}

static bool fits(const struct entry *e, unsigned heads, unsigned spt)
{
    return same_sector(e->start, e->first, heads, spt) &&
           same_sector(e->end, e->first + e->count - 1, heads, spt);
}

/* Finds what geometry @e was written for. */
static bool table_geometry(const struct entry *e, uint64_t total, struct ata_geometry *g)
{
    const struct {
        unsigned heads, spt;
    } tries[] = {
        {e->end.head + 1, e->end.sector}, {255, 63}, {240, 63}, {128, 63}, {64, 63}, {32, 63},
        {16, 63}, {64, 32},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(tries); i++) {
        uint64_t cylinders = total / (tries[i].heads * tries[i].spt);
        if (cylinders >= 1 && cylinders <= MAX_CYLINDERS && tries[i].heads <= 255 &&
            fits(e, tries[i].heads, tries[i].spt)) {
            g->table_cylinders = (uint16_t)cylinders;
            g->table_heads = (uint16_t)tries[i].heads;
            g->table_sectors = (uint16_t)tries[i].spt;
            return true;
        }
    }
    return false;
}

static bool from_table(const uint8_t *sector, uint64_t total, struct ata_geometry *g)
{
    struct entry e;

    for (unsigned i = 0; is_table(sector) && i < TABLE_ENTRIES; i++) {
        if (read_entry(sector, i, total, &e) && table_geometry(&e, total, g)) {
            return true;
        }
    }
    return false;
}

static unsigned lba_heads(uint64_t tracks)
{
    unsigned heads = 16;
    while (heads < 128 && tracks / INT13_CYLINDERS > heads) {
        heads *= 2;
    }
    return tracks / INT13_CYLINDERS > 128 ? 255 : heads;
}

void ata_geometry_firmware(const struct ata_geometry *g, uint64_t sectors, uint16_t *cylinders,
                           uint16_t *heads, uint16_t *spt)
{
    uint64_t c = g->cylinders;
    unsigned h = g->heads;

    *spt = g->sectors;
    if (g->translation == ATA_TRANSLATION_LBA) {
        h = lba_heads(sectors / 63);
        c = sectors / 63 / h;
        *spt = 63;
    } else if (g->translation == ATA_TRANSLATION_LARGE) {
        while (c > INT13_CYLINDERS && h <= 127) {
            c /= 2;
            h *= 2;
        }
    }
    *cylinders = (uint16_t)min_u64(c, INT13_CYLINDERS);
    *heads = (uint16_t)h;
}

static void set_drive(struct ata_geometry *g, uint64_t total)
{
    uint64_t cylinders = total / (DRIVE_HEADS * DRIVE_SECTORS);

    g->cylinders = (uint16_t)min_u64(max_u64(cylinders, 1), MAX_CYLINDERS);
    g->heads = DRIVE_HEADS;
    g->sectors = DRIVE_SECTORS;
    g->translation = g->cylinders <= INT13_CYLINDERS ? ATA_TRANSLATION_NONE : ATA_TRANSLATION_LBA;
}

static bool firmware_agrees(const struct ata_geometry *g, uint64_t total)
{
    uint16_t cylinders, heads, spt;

    ata_geometry_firmware(g, total, &cylinders, &heads, &spt);
    return heads == g->table_heads && spt == g->table_sectors;
}

/* The drive's geometry and the translation with which firmware comes to the table's. */
static void follow_table(struct ata_geometry *g, uint64_t total)
{
    static const uint8_t ways[] = {ATA_TRANSLATION_NONE, ATA_TRANSLATION_LARGE,
                                   ATA_TRANSLATION_LBA};
    uint8_t usual = g->translation;

    if (g->table_heads <= DRIVE_HEADS) {
        g->cylinders = g->table_cylinders;
        g->heads = (uint8_t)g->table_heads;
        g->sectors = (uint8_t)g->table_sectors;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
        g->translation = ways[i];
        if (firmware_agrees(g, total)) {
            return;
        }
    }
    g->translation = usual;
    g->override = true;
}

void ata_geometry_guess(struct ata_geometry *g, struct block *b)
{
    uint8_t sector[SECTOR_BYTES] = {0};
    uint64_t total = (b->bytes + SECTOR_BYTES - 1) / SECTOR_BYTES;

    *g = (struct ata_geometry){0};
    set_drive(g, total);
    if (b->bytes >= SECTOR_BYTES && block_read(b, 0, sector, sizeof(sector), NULL) &&
        from_table(sector, total, g)) {
        follow_table(g, total);
    }
}
