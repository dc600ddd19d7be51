/*
 * Floppy geometries, from the image's size and boot sector.
 *
 * Source: [ECMA-125] and the usual formats of DOS; [FAT] "BIOS Parameter Block".
 */
#include "hw/chips/floppy_media.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <string.h>

static const struct {
    uint8_t cyls, heads, sectors;
    bool five_inch;
    enum floppy_density density;
    const char *name;
} usual[] = {
    {40, 1, 8, true, FLOPPY_DD, "160K"},
    {40, 1, 9, true, FLOPPY_DD, "180K"},
    {40, 2, 8, true, FLOPPY_DD, "320K"},
    {40, 2, 9, true, FLOPPY_DD, "360K"},
    {80, 2, 9, false, FLOPPY_DD, "720K"},
    {80, 2, 10, false, FLOPPY_DD, "800K"},
    {82, 2, 10, false, FLOPPY_DD, "820K"},
    {80, 2, 15, true, FLOPPY_HD, "1.2M"},
    {80, 2, 18, false, FLOPPY_HD, "1.44M"},
    {80, 2, 20, false, FLOPPY_HD, "1.6M"},
    {80, 2, 21, false, FLOPPY_HD, "1.68M"},
    {82, 2, 21, false, FLOPPY_HD, "1.72M"},
    {83, 2, 21, false, FLOPPY_HD, "1.74M"},
    {80, 2, 22, false, FLOPPY_HD, "1.76M"},
    {80, 2, 23, false, FLOPPY_HD, "1.84M"},
    {80, 2, 24, false, FLOPPY_HD, "1.92M"},
    {80, 2, 36, false, FLOPPY_ED, "2.88M"},
    {80, 2, 39, false, FLOPPY_ED, "3.12M"},
    {80, 2, 40, false, FLOPPY_ED, "3.2M"},
    {80, 2, 44, false, FLOPPY_ED, "3.52M"},
    {80, 2, 48, false, FLOPPY_ED, "3.84M"},
};

static uint64_t media_bytes(const struct floppy_media *f)
{
    return (uint64_t)f->cyls * f->heads * f->sectors * FLOPPY_SECTOR_BYTES;
}

static void set_usual(struct floppy_media *f, unsigned i)
{
    f->cyls = usual[i].cyls;
    f->heads = usual[i].heads;
    f->sectors = usual[i].sectors;
    f->five_inch = usual[i].five_inch;
    f->density = usual[i].density;
    f->name = usual[i].name;
}

/* The usual format of exactly @bytes, or the first of 1.44M and up that holds them. */
static bool from_size(struct floppy_media *f, uint64_t bytes, bool exact)
{
    for (unsigned i = 0; i < ARRAY_SIZE(usual); i++) {
        set_usual(f, i);
        if (exact ? media_bytes(f) == bytes : f->sectors >= 18 && media_bytes(f) >= bytes) {
            return true;
        }
    }
    return false;
}

/* [FAT] the fields at 0Bh..1Bh, taken only if they make a floppy. */
static bool from_boot_sector(struct floppy_media *f, const uint8_t *boot)
{
    unsigned total = ld16le(boot + 0x13), spt = ld16le(boot + 0x18), heads = ld16le(boot + 0x1a);

    if ((boot[0] != 0xeb && boot[0] != 0xe9) || ld16le(boot + 0x0b) != FLOPPY_SECTOR_BYTES ||
        boot[0x15] < 0xf0 || spt < 1 || spt > 63 || heads < 1 || heads > 2 || total == 0 ||
        total % (spt * heads) != 0 || total / (spt * heads) > FLOPPY_MAX_CYLS) {
        return false;
    }
    if (from_size(f, (uint64_t)total * FLOPPY_SECTOR_BYTES, true) && f->sectors == spt &&
        f->heads == heads) {
        return true;
    }
    f->cyls = (uint8_t)(total / (spt * heads));
    f->heads = (uint8_t)heads;
    f->sectors = (uint8_t)spt;
    f->five_inch = spt == 15 || (spt <= 10 && f->cyls <= 43);
    f->density = spt <= 11 ? FLOPPY_DD : spt <= 24 ? FLOPPY_HD : FLOPPY_ED;
    f->name = "unusual";
    return true;
}

/* An image that ends early is what its boot sector says; otherwise its size counts for more, since
 * boot sectors of self-made systems often speak of another disk. */
bool floppy_media_probe(struct floppy_media *f, struct block *b, struct error **err)
{
    uint8_t boot[FLOPPY_SECTOR_BYTES] = {0};
    struct floppy_media from_boot = {0};

    memset(f, 0, sizeof(*f));
    if (!block_read(b, 0, boot, min_u64(sizeof(boot), b->bytes), err)) {
        return false;
    }
    bool has_boot = from_boot_sector(&from_boot, boot);
    if (has_boot && media_bytes(&from_boot) > b->bytes) {
        *f = from_boot;
    } else if (!from_size(f, b->bytes, true)) {
        if (has_boot && media_bytes(&from_boot) == b->bytes) {
            *f = from_boot;
        } else if (!from_size(f, b->bytes, false)) {
            memset(f, 0, sizeof(*f));
            return error_set(err, "%s: %llu bytes are more than any floppy disk holds", b->path,
                             (unsigned long long)b->bytes);
        }
    }
    f->block = b;
    return true;
}

enum floppy_drive_type floppy_media_drive(const struct floppy_media *f)
{
    return f->five_inch ? FLOPPY_1200K : f->density == FLOPPY_ED ? FLOPPY_2880K : FLOPPY_1440K;
}

bool floppy_media_fits(const struct floppy_media *f, enum floppy_drive_type type)
{
    switch (type) {
    case FLOPPY_360K: return f->five_inch && f->density == FLOPPY_DD;
    case FLOPPY_1200K: return f->five_inch;
    case FLOPPY_720K: return !f->five_inch && f->density == FLOPPY_DD;
    case FLOPPY_1440K: return !f->five_inch && f->density <= FLOPPY_HD;
    case FLOPPY_2880K: return !f->five_inch;
    default: return false;
    }
}

/* A 1.2M drive turns at 360 a minute, so it meets a disk written at 300 with 300 kbit/s. */
unsigned floppy_media_rate(const struct floppy_media *f, enum floppy_drive_type type)
{
    if (f->density == FLOPPY_DD) {
        return f->five_inch && type == FLOPPY_1200K ? 1 : 2;
    }
    return f->density == FLOPPY_HD ? 0 : 3;
}

unsigned floppy_media_place(const struct floppy_media *f, unsigned cyl, unsigned head,
                            unsigned sector, uint64_t *off)
{
    *off = ((uint64_t)(cyl * f->heads + head) * f->sectors + sector - 1) * FLOPPY_SECTOR_BYTES;
    return *off < f->block->bytes
               ? (unsigned)min_u64(f->block->bytes - *off, FLOPPY_SECTOR_BYTES)
               : 0;
}

bool floppy_media_writable(const struct floppy_media *f, uint64_t off)
{
    return !f->block->read_only && f->block->bytes >= FLOPPY_SECTOR_BYTES &&
           off <= f->block->bytes - FLOPPY_SECTOR_BYTES;
}

bool floppy_media_protected(const struct floppy_media *f)
{
    return f->block != NULL && f->block->read_only;
}
