/*
 * `coldboot explain IMAGE`: what a file is, and whether and how it would boot.
 *
 * Order of calls: explain_image fills a report, explain_text or explain_json prints it. Files are
 * hostile: nothing that they say is believed before it is checked against what is there, and what
 * is listed is limited. A file is only read.
 */
#ifndef CORE_MAIN_EXPLAIN_EXPLAIN_H
#define CORE_MAIN_EXPLAIN_EXPLAIN_H

#include "core/base/text.h"
#include "core/block/block.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    EXPLAIN_PARTITIONS = 64, /* shown; more are counted */
    EXPLAIN_CD_ENTRIES = 32,
    EXPLAIN_NAME = 128,      /* bytes of a label or name, UTF-8, with its NUL */
    EXPLAIN_WHY = 240,
};

struct explain_format {
    const char *name;            /* "raw", "qcow2", "gzip"... */
    char detail[EXPLAIN_NAME];   /* version and the like; may be empty */
    uint64_t disk_bytes;         /* of the disk inside, if it is not the file itself; 0: unknown */
    bool opaque;                 /* what is inside is not looked at */
};

struct explain_fs {
    const char *type;            /* "FAT16"; NULL: none that is known here */
    char label[EXPLAIN_NAME];
    uint64_t bytes;              /* by its own account; 0: it does not say */
};

/* The BIOS parameter block of a FAT volume. */
struct explain_bpb {
    bool present;
    uint8_t media, fats, sectors_per_cluster;
    uint16_t bytes_per_sector, reserved, root_entries, sectors_per_track, heads;
    uint32_t sectors, fat_sectors, hidden, clusters;
};

struct explain_boot_sector {
    bool present;                /* the file has one: 512 bytes or more */
    bool signature;              /* 55h AAh at 510 */
    bool empty;                  /* all bytes before the partition table are 0 */
    uint8_t last[2];             /* bytes 510 and 511 */
    char oem[9];                 /* of a BPB; may be empty */
};

struct explain_partition {
    const char *scheme;          /* "primary", "logical", "gpt" */
    unsigned number;             /* as Linux counts */
    char type[EXPLAIN_NAME];
    char name[EXPLAIN_NAME];     /* GPT */
    bool active;
    uint64_t start, bytes;
    bool outside;                /* reaches past the end of the image */
    struct explain_fs fs;
};

struct explain_table {
    const char *kind;            /* "MBR", "GPT"; NULL: none */
    unsigned n, more;            /* listed; not listed for want of room */
    char problem[EXPLAIN_WHY];   /* "" or what is wrong with it */
    struct explain_partition list[EXPLAIN_PARTITIONS];
};

struct explain_cd_entry {
    bool bootable;
    const char *platform, *media;
    uint32_t lba;
    uint16_t segment, sectors;   /* as given; a segment of 0 means 7C0h */
};

struct explain_cd {
    bool iso, record, catalogue; /* a volume, an El Torito boot record, a catalogue behind it */
    uint32_t catalogue_lba;
    char problem[EXPLAIN_WHY];   /* why firmware does not boot it; "": it does */
    unsigned n;
    struct explain_cd_entry list[EXPLAIN_CD_ENTRIES];
};

struct explain_geometry {
    bool known;
    const char *from;            /* "floppy format", "partition table", "size" */
    const char *floppy;          /* "1.44M"; NULL: no floppy */
    unsigned cylinders, heads, sectors;
};

/* As what it would boot. */
enum explain_way { AS_FLOPPY, AS_DISK, AS_CD, AS_KERNEL, EXPLAIN_WAYS };

struct explain_verdict {
    bool boots;
    char why[EXPLAIN_WHY];
};

struct explained {
    const char *path;            /* borrowed */
    uint64_t bytes;              /* of the file */
    struct explain_format format;
    struct explain_boot_sector sector;
    struct explain_bpb bpb;
    struct explain_fs fs;        /* of the whole image */
    struct explain_table table;
    struct explain_cd cd;
    struct explain_geometry geometry;
    struct explain_verdict ways[EXPLAIN_WAYS];
    char unusable[EXPLAIN_WHY];  /* why no drive takes the file as it is; "": one does */
    const char *goes_to;         /* where `coldboot FILE` puts it; NULL: nowhere */
};

/* False: the file cannot be read. */
bool explain_image(struct explained *x, const char *path, struct error **err);
void explain_text(const struct explained *x, struct text *out);
void explain_json(const struct explained *x, struct text *out);

/*
 * The command: the words behind "explain". Prints to @out; true if every file could be read. One
 * that cannot be does not keep the others from being explained: *err tells of the last such file,
 * those before it are logged.
 */
bool explain_command(int argc, char *const *argv, struct text *out, struct error **err);

/* ---- the parts, each in a file of its own; @b is the disk ------------------------------------ */

/* Reads as much of [off, off + len) as there is, zeros behind it. False: nothing. */
bool explain_read(struct block *b, uint64_t off, void *buf, size_t len);
/* @n bytes as text: ends at a NUL, without blanks at the end, other bytes as dots. */
void explain_copy(char *out, size_t size, const uint8_t *bytes, size_t n);

/* Recognises the container of the file @b. @inside: the disk in it, if that is another one and can
 * be looked at (the caller closes it), else NULL. */
void explain_find_format(struct explain_format *f, struct block *b, struct block **inside);
/* The file system in [off, off + bytes) of @b. */
void explain_find_fs(struct explain_fs *fs, struct block *b, uint64_t off, uint64_t bytes);
bool explain_find_bpb(struct explain_bpb *p, const uint8_t *sector);
void explain_find_partitions(struct explain_table *t, struct block *b);
void explain_find_cd(struct explain_cd *cd, struct block *b);
/* What kind of kernel the file is, into @detail; false: none that -kernel starts. */
bool explain_find_kernel(struct block *file, char detail[EXPLAIN_WHY]);

#endif
