#include "core/main/media.h"

#include "core/main/builtin_image.h"
#include "core/main/image_kind.h"
#include "hw/chips/floppy_media.h"

#define FIRST_CD 2 /* the secondary master */

static struct block *open_image(const struct drive_config *d, bool snapshot, struct error **err)
{
    unsigned flags =
        (d->read_only ? BLOCK_READ_ONLY : 0) | (d->snapshot || snapshot ? BLOCK_SNAPSHOT : 0);
    return block_open(d->path, d->format, flags, err);
}

static bool open_floppy(struct media *m, unsigned n, const struct drive_config *d, bool snapshot,
                        struct error **err)
{
    struct floppy_media kind;
    m->floppy[n] = open_image(d, snapshot, err);
    return m->floppy[n] != NULL && floppy_media_probe(&kind, m->floppy[n], err);
}

static bool open_disk(struct media *m, struct pc_config *pc, unsigned n,
                      const struct drive_config *d, bool snapshot, struct error **err)
{
    if (d->path != NULL) {
        m->disk[n] = open_image(d, snapshot, err);
        if (m->disk[n] == NULL) {
            return false;
        }
    }
    pc->disks[n] = (struct pc_disk){.present = true, .cd = d->cd, .image = m->disk[n]};
    return true;
}

/* A plain argument goes where it belongs. */
static bool open_plain(struct media *m, const struct config *c, struct pc_config *pc,
                       const char **where, struct error **err)
{
    struct drive_config d = {.path = c->image, .given = true};
    enum image_kind kind;
    if (!image_kind(c->image, &kind, err)) {
        return false;
    }
    if (kind == IMAGE_FLOPPY) {
        *where = "drive A:";
        return c->floppy[0].given
                   ? error_set(err, "%s: is a floppy image, and drive A: is taken", c->image)
                   : open_floppy(m, 0, &d, c->snapshot, err);
    }
    d.cd = d.read_only = kind == IMAGE_CD;
    unsigned n = d.cd ? FIRST_CD : 0;
    *where = d.cd ? "the CD drive" : "hard disk 0";
    return c->disk[n].given ? error_set(err, "%s: is a %s image, and %s is taken", c->image,
                                        d.cd ? "CD" : "hard disk", *where)
                            : open_disk(m, pc, n, &d, c->snapshot, err);
}

static bool anything_to_boot(const struct media *m)
{
    for (unsigned i = 0; i < PC_FLOPPIES; i++) {
        if (m->floppy[i] != NULL) {
            return true;
        }
    }
    for (unsigned i = 0; i < PC_DISKS; i++) {
        if (m->disk[i] != NULL) {
            return true;
        }
    }
    return false;
}

bool media_open(struct media *m, const struct config *c, struct pc_config *pc, const char **where,
                struct error **err)
{
    *where = NULL;
    for (unsigned i = 0; i < PC_FLOPPIES; i++) {
        if (c->floppy[i].path != NULL && !open_floppy(m, i, &c->floppy[i], c->snapshot, err)) {
            return error_prefix(err, "%s", c->floppy[i].option);
        }
    }
    for (unsigned i = 0; i < PC_DISKS; i++) {
        if (c->disk[i].given && !open_disk(m, pc, i, &c->disk[i], c->snapshot, err)) {
            return error_prefix(err, "%s", c->disk[i].option);
        }
    }
    if (c->image != NULL && !open_plain(m, c, pc, where, err)) {
        return false;
    }
    if (c->defaults && !pc->disks[FIRST_CD].present) {
        pc->disks[FIRST_CD] = (struct pc_disk){.present = true, .cd = true};
    }
    if (c->defaults && !anything_to_boot(m)) {
        m->floppy[0] = builtin_image_open();
    }
    for (unsigned i = 0; i < PC_FLOPPIES; i++) {
        pc->floppies[i] = m->floppy[i];
        pc->floppy_drive[i] = m->floppy[i] != NULL || c->floppy[i].given || (i == 0 && c->defaults);
    }
    return true;
}

void media_close(struct media *m)
{
    for (unsigned i = 0; i < PC_FLOPPIES; i++) {
        block_close(m->floppy[i]);
    }
    for (unsigned i = 0; i < PC_DISKS; i++) {
        block_close(m->disk[i]);
    }
    *m = (struct media){0};
}
