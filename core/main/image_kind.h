/* What a plain argument is: which drive an image belongs in. */
#ifndef CORE_MAIN_IMAGE_KIND_H
#define CORE_MAIN_IMAGE_KIND_H

#include "core/base/error.h"

enum image_kind { IMAGE_FLOPPY, IMAGE_CD, IMAGE_DISK };

/* At most floppy size with a BPB or a boot signature: a floppy. An ISO 9660 volume without an MBR
 * signature: a CD. All else: a hard disk. Fails for what cannot be read or is empty. */
bool image_kind(const char *path, enum image_kind *kind, struct error **err);

#endif
