/* Handlers of the options about drives and their images. */
#include "core/main/options_table.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/main/nearest.h"

#include <stdlib.h>
#include <string.h>

enum drive_interface { DRIVE_IDE, DRIVE_FLOPPY };

/* What -drive says of one drive. */
struct drive_words {
    struct drive_config drive;
    enum drive_interface interface;
    int index; /* -1: the first that is free */
};

static void drive_free(struct drive_config *d)
{
    free(d->option);
    free(d->path);
    free(d->format);
    *d = (struct drive_config){0};
}

static const char *disk_name(unsigned n)
{
    static const char *const names[CONFIG_DISKS] = {
        "primary master",
        "primary slave",
        "secondary master",
        "secondary slave",
    };
    return names[n];
}

static bool put_floppy(struct config *c, unsigned n, const struct drive_config *d,
                       struct error **err)
{
    if (c->floppy[n].given) {
        return error_set(err, "drive %c: already holds %s", 'A' + n,
                         c->floppy[n].path != NULL ? c->floppy[n].path : "nothing, as asked for");
    }
    c->floppy[n] = *d;
    return true;
}

static bool put_disk(struct config *c, unsigned n, const struct drive_config *d, struct error **err)
{
    if (c->disk[n].given) {
        return error_set(err, "the %s (index=%u) is already %s", disk_name(n), n,
                         c->disk[n].path != NULL ? c->disk[n].path : "an empty CD drive");
    }
    c->disk[n] = *d;
    return true;
}

OPTION_HANDLER(opt_floppy)
{
    if (arg[0] == '\0') {
        return error_set(err, "no file name");
    }
    struct drive_config d = {
        .option = xasprintf("-%s", row->name), .path = xstrdup(arg), .given = true};
    if (!put_floppy(c, (unsigned)row->param, &d, err)) {
        drive_free(&d);
        return false;
    }
    return true;
}

OPTION_HANDLER(opt_disk)
{
    bool cd = strcmp(row->name, "cdrom") == 0;
    if (arg[0] == '\0') {
        return error_set(err, "no file name");
    }
    struct drive_config d = {
        .option = xasprintf("-%s", row->name),
        .path = xstrdup(arg),
        .given = true,
        .cd = cd,
        .read_only = cd,
    };
    if (!put_disk(c, (unsigned)row->param, &d, err)) {
        drive_free(&d);
        return false;
    }
    return true;
}

static bool read_interface(struct opts *o, struct drive_words *w, struct error **err)
{
    static const char *const names[] = {[DRIVE_IDE] = "ide", [DRIVE_FLOPPY] = "floppy"};
    const char *type = opts_get(o, "if");
    struct nearest near = {.wanted = type != NULL ? type : "ide"};
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        nearest_offer(&near, names[i]);
        if (strcmp(near.wanted, names[i]) == 0) {
            w->interface = (enum drive_interface)i;
            return true;
        }
    }
    return nearest_error(&near, "", err, "if=%s: there is no such interface yet", near.wanted);
}

/* index=, or bus= and unit=. */
static bool read_place(struct opts *o, struct drive_words *w, struct error **err)
{
    unsigned most = w->interface == DRIVE_IDE ? CONFIG_DISKS - 1 : CONFIG_FLOPPIES - 1;
    uint64_t index = UINT64_MAX, bus = UINT64_MAX, unit = UINT64_MAX;
    if (!opts_u64(o, "index", 0, most, &index, err) ||
        !opts_u64(o, "bus", 0, w->interface == DRIVE_IDE ? 1 : 0, &bus, err) ||
        !opts_u64(o, "unit", 0, 1, &unit, err)) {
        return false;
    }
    bool place = bus != UINT64_MAX || unit != UINT64_MAX;
    if (place && index != UINT64_MAX) {
        return error_set(err, "index= and bus= or unit= say the same thing: give one of them");
    }
    w->index = index != UINT64_MAX ? (int)index
               : place ? (int)(2 * (bus != UINT64_MAX ? bus : 0) + (unit != UINT64_MAX ? unit : 0))
                       : -1;
    return true;
}

static bool read_medium(struct opts *o, struct drive_words *w, struct error **err)
{
    struct drive_config *d = &w->drive;
    const char *file = opts_get(o, "file"), *format = opts_get(o, "format");
    const char *media = opts_get(o, "media");
    if (media != NULL && strcmp(media, "disk") != 0 && strcmp(media, "cdrom") != 0) {
        return error_set(err, "media=%s: it is disk or cdrom", media);
    }
    d->cd = media != NULL && strcmp(media, "cdrom") == 0;
    if (d->cd && w->interface == DRIVE_FLOPPY) {
        return error_set(err, "media=cdrom: a floppy drive takes media=disk");
    }
    d->read_only = d->cd;
    if (!opts_bool(o, "snapshot", &d->snapshot, err) ||
        !option_bool_or_auto(o, "readonly", &d->read_only, err)) {
        return false;
    }
    if (format != NULL && strcmp(format, "raw") != 0) {
        return error_set(err, "format=%s: only raw is supported yet", format);
    }
    if (file != NULL && file[0] == '\0') {
        return error_set(err, "file: no file name");
    }
    d->path = file != NULL ? xstrdup(file) : NULL;
    d->format = format != NULL ? xstrdup(format) : NULL;
    d->given = true;
    return true;
}

/* Looked at last: a key that is none may be what the file was meant by. */
static bool needed_file(const struct drive_words *w, struct error **err)
{
    if (w->drive.path == NULL && w->interface == DRIVE_IDE && !w->drive.cd) {
        return error_set(err, "file: a hard disk needs one");
    }
    return true;
}

static bool read_drive(struct opts *o, struct drive_words *w, struct error **err)
{
    static const char *const without_effect[] = {"id",     "cache",   "aio",          "werror",
                                                 "rerror", "discard", "detect-zeroes"};
    for (unsigned i = 0; i < ARRAY_SIZE(without_effect); i++) {
        opts_get(o, without_effect[i]); /* names, and how the host handles the file */
    }
    return read_interface(o, w, err) && read_place(o, w, err) && read_medium(o, w, err) &&
           opts_all_used(o, err) && needed_file(w, err);
}

static bool put_drive(struct config *c, const struct drive_words *w, struct error **err)
{
    if (w->interface == DRIVE_FLOPPY) {
        return put_floppy(c, w->index < 0 ? 0 : (unsigned)w->index, &w->drive, err);
    }
    /* A CD looks for its place from the secondary master on, as -cdrom does. */
    unsigned n = w->index >= 0 ? (unsigned)w->index : w->drive.cd ? 2 : 0;
    while (w->index < 0 && n < CONFIG_DISKS - 1 && c->disk[n].given) {
        n++;
    }
    return put_disk(c, n, &w->drive, err);
}

OPTION_HANDLER(opt_drive)
{
    struct opts o;
    struct drive_words w = {.index = -1};
    if (!opts_parse(&o, arg, NULL, err)) {
        return false;
    }
    w.drive.option = xasprintf("-drive %s", arg);
    bool ok = read_drive(&o, &w, err) && put_drive(c, &w, err);
    if (!ok) {
        drive_free(&w.drive);
    }
    opts_free(&o);
    return ok;
}
