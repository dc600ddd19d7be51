/*
 * A floppy disk: how the bytes of an image lie on cylinders, heads and sectors.
 *
 * Order of calls: floppy_media_probe on an open image, then floppy_media_place by C/H/R; the block
 * stays the caller's and must outlive the medium. A medium without a block is "no disk".
 *
 * An image may be shorter than its medium (a boot sector alone is enough): what lies past its end
 * reads as zeros and cannot be written; such a write fails like one on a write-protected disk.
 */
#ifndef HW_CHIPS_FLOPPY_MEDIA_H
#define HW_CHIPS_FLOPPY_MEDIA_H

#include "core/base/error.h"
#include "core/block/block.h"

#include <stdbool.h>
#include <stdint.h>

#define FLOPPY_SECTOR_BYTES 512
#define FLOPPY_MAX_CYLS     84   /* the heads of most drives go a few cylinders past 80 */
#define FLOPPY_MAX_SECTORS  (FLOPPY_MAX_CYLS * 2 * 64)

/* Drive types by their value in CMOS byte 10h. */
enum floppy_drive_type {
    FLOPPY_NONE = 0,
    FLOPPY_360K = 1,         /* 5.25 inch, 40 cylinders */
    FLOPPY_1200K = 2,        /* 5.25 inch, 80 cylinders */
    FLOPPY_720K = 3,         /* 3.5 inch from here on */
    FLOPPY_1440K = 4,
    FLOPPY_2880K = 5,
};

/* What a disk is recorded with: decides the data rate that reads it in a given drive. */
enum floppy_density { FLOPPY_DD, FLOPPY_HD, FLOPPY_ED };

struct floppy_media {
    struct block *block;     /* borrowed; NULL: no disk */
    uint8_t cyls;            /* 40..84 */
    uint8_t heads;           /* 1 or 2 */
    uint8_t sectors;         /* a track, 1..63 */
    bool five_inch;
    enum floppy_density density;
    const char *name;        /* "1.44M", or "unusual" for a geometry from the boot sector */
};

/* Finds the geometry of @b: the BIOS parameter block if that describes a larger disk (the image
 * ends early); else its size if that is a usual one; else the BIOS parameter block if it agrees
 * with the size; else the smallest of 1.44M and up that holds it. Refuses what no floppy holds. */
bool floppy_media_probe(struct floppy_media *f, struct block *b, struct error **err);

/* The drive that a machine gets when this disk is in it at power-on. */
enum floppy_drive_type floppy_media_drive(const struct floppy_media *f);

/* Whether a drive of @type can read the disk: form factor, density, heads. */
bool floppy_media_fits(const struct floppy_media *f, enum floppy_drive_type type);

/* DRATE value (0 500K, 1 300K, 2 250K, 3 1M bit/s) at which a drive of @type reads the disk. */
unsigned floppy_media_rate(const struct floppy_media *f, enum floppy_drive_type type);

/* Where a sector lies in the image; @sector counts from 1, the address is inside the geometry.
 * Returns how many of its bytes the image has: FLOPPY_SECTOR_BYTES or, past its end, fewer. */
unsigned floppy_media_place(const struct floppy_media *f, unsigned cyl, unsigned head,
                            unsigned sector, uint64_t *off);

/* Whether that place can be written: not if the image is read-only or ends before it. */
bool floppy_media_writable(const struct floppy_media *f, uint64_t off);

/* The write-protect notch: the whole image is read-only. */
bool floppy_media_protected(const struct floppy_media *f);

#endif
