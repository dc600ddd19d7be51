/*
 * What the command line names, opened: images, firmware, character devices. From them the board's
 * config is filled. The board borrows all of it, so parts_close comes when the vCPUs have ended;
 * the character devices need the machine's loop until then.
 */
#ifndef CORE_MAIN_PARTS_H
#define CORE_MAIN_PARTS_H

#include "core/device/chardev_mux.h"
#include "core/main/loaders.h"
#include "core/main/media.h"
#include "core/main/options.h"
#include "hw/pc/pc.h"

struct part_chardev {
    char *name;       /* the spec that asked for it: "chardev:ID" or a back end */
    char *label;      /* for queries: the ID or "serial0"; "" if nobody said */
    const char *spec; /* the back end; borrowed from the config */
    struct chardev *chardev;
    struct chardev_mux *mux; /* of a shared line; NULL: of one user alone */
};

struct parts {
    struct pc_config pc;
    struct media media;
    struct loaders loaders;
    const char *image_drive; /* where the plain argument went; NULL without one */
    struct part_chardev chardevs[CONFIG_LISTS];
    unsigned n_chardevs;
    struct machine *machine; /* borrowed */
};

/* Opens everything (for -flat: the program and the console, pc.com[0]); on false nothing stays
 * open. The loop of @m serves the character devices. */
bool parts_open(struct parts *p, const struct config *c, struct machine *m, struct error **err);
void parts_close(struct parts *p);

/* The back end for @spec. A -chardev serves one user, one with mux=on several. */
bool parts_chardev(struct parts *p, const struct config *c, const char *spec, struct chardev **out,
                   struct error **err);

#endif
