/*
 * What a file is, put together, and what firmware would make of it.
 *
 * Source: what SeaBIOS insists on before it starts a floppy, a disk or a CD was observed.
 */
#include "core/main/explain/explain.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/main/image_kind.h"
#include "hw/ata/geometry.h"
#include "hw/chips/floppy_media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512, TABLE = 446 };
#define FLOPPY_MOST (4 * MiB) /* more is no floppy disk */

bool explain_read(struct block *b, uint64_t off, void *buf, size_t len)
{
    memset(buf, 0, len);
    size_t there = off < b->bytes ? (size_t)min_u64(len, b->bytes - off) : 0;
    return there != 0 && block_read(b, off, buf, there, NULL);
}

void explain_copy(char *out, size_t size, const uint8_t *bytes, size_t n)
{
    size_t len = 0;
    for (; len < n && len + 1 < size && bytes[len] != 0; len++) {
        out[len] = bytes[len] >= ' ' && bytes[len] < 0x7f ? (char)bytes[len] : '.';
    }
    while (len > 0 && out[len - 1] == ' ') {
        len--;
    }
    out[len] = '\0';
}

/* ---- looking --------------------------------------------------------------------------------- */

static void find_sector(struct explained *x, struct block *disk)
{
    uint8_t sector[SECTOR];
    struct explain_boot_sector *s = &x->sector;
    if (disk->bytes < SECTOR || !explain_read(disk, 0, sector, sizeof(sector))) {
        return;
    }
    s->present = s->empty = true;
    for (unsigned i = 0; i < TABLE; i++) {
        s->empty = s->empty && sector[i] == 0;
    }
    memcpy(s->last, sector + 510, 2);
    s->signature = ld16le(s->last) == 0xaa55;
    if (explain_find_bpb(&x->bpb, sector) ||
        (x->fs.type != NULL && strcmp(x->fs.type, "NTFS") == 0)) {
        explain_copy(s->oem, sizeof(s->oem), sector + 3, 8);
    }
}

/* As the machine will see it in the drive that it goes to. */
static void find_geometry(struct explained *x, struct block *disk)
{
    struct explain_geometry *g = &x->geometry;
    struct floppy_media floppy;
    if (x->cd.iso && !x->sector.signature) {
        return;
    }
    if (disk->bytes <= FLOPPY_MOST && disk->bytes > 0 && x->table.kind == NULL &&
        floppy_media_probe(&floppy, disk, NULL)) {
        *g = (struct explain_geometry){
            .known = true,
            .from = "floppy format",
            .floppy = floppy.name,
            .cylinders = floppy.cyls,
            .heads = floppy.heads,
            .sectors = floppy.sectors,
        };
        return;
    }
    struct ata_geometry drive;
    uint16_t cylinders, heads, spt;
    ata_geometry_guess(&drive, disk);
    ata_geometry_firmware(&drive, disk->bytes / SECTOR, &cylinders, &heads, &spt);
    bool table = drive.table_heads != 0;
    *g = (struct explain_geometry){
        .known = disk->bytes >= SECTOR,
        .from = table ? "partition table" : "size",
        .cylinders = table ? drive.table_cylinders : cylinders,
        .heads = table ? drive.table_heads : heads,
        .sectors = table ? drive.table_sectors : spt,
    };
}

/* ---- verdicts -------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void verdict(struct explain_verdict *v, bool boots,
                                                          const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(v->why, sizeof(v->why), fmt, ap);
    va_end(ap);
    v->boots = boots;
}

/* Firmware starts a first sector by its signature alone. */
static void judge_sector(const struct explained *x, struct explain_verdict *v, const char *starts)
{
    const struct explain_boot_sector *s = &x->sector;
    if (!s->present) {
        verdict(v, false, "it has less than one sector");
    } else if (!s->signature && s->last[0] == 0xaa && s->last[1] == 0x55) {
        verdict(v, false, "its first sector ends with AA 55: the signature 55 AA is swapped");
    } else if (!s->signature) {
        verdict(v, false, "its first sector ends with %02X %02X, not with the signature 55 AA",
                s->last[0], s->last[1]);
    } else if (s->empty) {
        verdict(v, true, "%s, but there is no code in it: zeros will run", starts);
    } else {
        verdict(v, true, "%s", starts);
    }
}

static bool any_active(const struct explain_table *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (t->list[i].active) {
            return true;
        }
    }
    return false;
}

static void judge_disk(struct explained *x)
{
    struct explain_verdict *v = &x->ways[AS_DISK];
    const char *starts = "firmware starts its first sector";
    if (x->table.kind != NULL && !x->sector.empty) {
        starts = any_active(&x->table)
                     ? "firmware starts its master boot record, and that usually "
                       "the active partition"
                     : "firmware starts its master boot record, but no partition is "
                       "active, which most of them need";
    }
    judge_sector(x, v, starts);
}

static void judge_floppy(struct explained *x, struct block *disk)
{
    struct explain_verdict *v = &x->ways[AS_FLOPPY];
    struct floppy_media media;
    struct error *err = NULL;
    if (disk->bytes > 0 && !floppy_media_probe(&media, disk, &err)) {
        verdict(v, false, "%llu bytes are more than any floppy disk holds",
                (unsigned long long)disk->bytes);
        error_free(err);
        return;
    }
    judge_sector(x, v, "firmware starts its first sector");
}

static void judge_cd(struct explained *x)
{
    const struct explain_cd *cd = &x->cd;
    struct explain_verdict *v = &x->ways[AS_CD];
    if (cd->problem[0] != '\0') {
        verdict(v, false, "%s", cd->problem);
    } else {
        verdict(v, true,
                "firmware loads %u sectors of 512 bytes from CD sector %u to %04X:0000 (%s)",
                cd->list[0].sectors, cd->list[0].lba,
                cd->list[0].segment != 0 ? cd->list[0].segment : 0x7c0, cd->list[0].media);
    }
}

/* What cannot be read: nothing in it boots. */
static void judge_opaque(struct explained *x)
{
    for (unsigned i = 0; i < EXPLAIN_WAYS; i++) {
        verdict(&x->ways[i], false, "what is in a %s file is not looked at", x->format.name);
    }
}

/* Whether a drive takes the file as it is; with @inside, in place of a container that is opaque
 * here. */
static void try_to_use(struct explained *x, const char *path, struct block **inside)
{
    struct error *err = NULL;
    struct block *b = block_open(path, NULL, BLOCK_READ_ONLY, &err);
    if (b == NULL) {
        snprintf(x->unusable, sizeof(x->unusable), "%s", error_text(err));
    } else if (x->format.opaque && strcmp(b->ops->name, "raw") != 0) {
        x->format.opaque = false;
        *inside = b;
        return;
    }
    error_free(err);
    block_close(b);
}

static void look(struct explained *x, struct block *disk)
{
    explain_find_fs(&x->fs, disk, 0, disk->bytes);
    find_sector(x, disk);
    explain_find_partitions(&x->table, disk);
    explain_find_cd(&x->cd, disk);
    find_geometry(x, disk);
    judge_floppy(x, disk);
    judge_disk(x);
    judge_cd(x);
}

static const char *place(const char *path)
{
    static const char *const names[] = {
        [IMAGE_FLOPPY] = "drive A:",
        [IMAGE_CD] = "the CD drive",
        [IMAGE_DISK] = "hard disk 0",
    };
    enum image_kind kind;
    return image_kind(path, &kind, NULL) ? names[kind] : NULL;
}

bool explain_image(struct explained *x, const char *path, struct error **err)
{
    struct block *inside;
    struct block *file = block_open(path, "raw", BLOCK_READ_ONLY, err);
    *x = (struct explained){.path = path};
    if (file == NULL) {
        return false;
    }
    x->bytes = file->bytes;
    explain_find_format(&x->format, file, &inside);
    try_to_use(x, path, &inside);
    if (x->format.opaque) {
        judge_opaque(x);
    } else {
        look(x, inside != NULL ? inside : file);
    }
    x->ways[AS_KERNEL].boots = explain_find_kernel(file, x->ways[AS_KERNEL].why);
    x->goes_to = x->unusable[0] == '\0' && !x->format.opaque ? place(path) : NULL;
    block_close(inside);
    block_close(file);
    return true;
}

/* ---- the command ----------------------------------------------------------------------------- */

bool explain_command(int argc, char *const *argv, struct text *out, struct error **err)
{
    bool json = argc > 0 && (strcmp(argv[0], "--json") == 0 || strcmp(argv[0], "-json") == 0);
    int first = json ? 1 : 0;
    if (argc > first && argv[first][0] == '-' && argv[first][1] != '\0') {
        return error_set(err, "explain: %s: there is no such option; it takes --json", argv[first]);
    }
    if (argc <= first) {
        return error_set(err, "explain: needs a file: coldboot explain [--json] IMAGE...");
    }
    struct explained *x = NEW(struct explained);
    struct error *last = NULL;
    for (int i = first; i < argc; i++) {
        struct error *failed = NULL;
        if (!explain_image(x, argv[i], &failed)) {
            if (last != NULL) {
                log_error("%s", error_text(last));
                error_free(last);
            }
            error_prefix(&failed, "explain");
            last = failed;
        } else if (json) {
            explain_json(x, out);
        } else {
            text_puts(out, text_str(out)[0] != '\0' ? "\n" : "");
            explain_text(x, out);
        }
    }
    free(x);
    if (last == NULL) {
        return true;
    }
    error_set(err, "%s", error_text(last));
    error_free(last);
    return false;
}
