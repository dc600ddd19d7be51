/* Opens the images that the command line names and puts them into the board's drives. */
#ifndef CORE_MAIN_MEDIA_H
#define CORE_MAIN_MEDIA_H

#include "core/main/options.h"
#include "hw/pc/pc.h"

struct media {
    struct block *floppy[PC_FLOPPIES];
    struct block *disk[PC_DISKS]; /* hard disks and CDs by their index */
};

/* Fills the drives of @pc. A plain argument goes where its contents say, and *where tells which
 * drive that is (a static string; NULL without one). Without anything to boot drive A: gets the
 * built-in image. On false what is open stays in @m for media_close. */
bool media_open(struct media *m, const struct config *c, struct pc_config *pc, const char **where,
                struct error **err);
void media_close(struct media *m);

#endif
