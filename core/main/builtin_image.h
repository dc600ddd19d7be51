/* The boot image that is part of this program (images/): what runs when no image is given. */
#ifndef CORE_MAIN_BUILTIN_IMAGE_H
#define CORE_MAIN_BUILTIN_IMAGE_H

#include "core/block/block.h"

/* A 1.44 MB floppy; what the guest writes to it is kept in memory and forgotten. Free with
 * block_close. */
struct block *builtin_image_open(void);

#endif
