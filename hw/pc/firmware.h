/*
 * Finding and reading firmware images (SeaBIOS, its VGA BIOS, option ROMs).
 *
 * A name with a slash is a path. Any other is looked for in the -L directory, ./bios,
 * $COLDBOOT_BIOS_DIR and /usr/share/seabios, in this order.
 */
#ifndef HW_PC_FIRMWARE_H
#define HW_PC_FIRMWARE_H

#include "core/base/error.h"

#include <stddef.h>
#include <stdint.h>

#define FIRMWARE_BIOS   "bios-256k.bin"
#define FIRMWARE_BIOS_SMALL "bios.bin"
#define FIRMWARE_VGABIOS "vgabios-stdvga.bin"

struct firmware {
    uint8_t *data;           /* owned; NULL: none */
    size_t bytes;
    char *path;              /* where it came from; owned */
};

/* Reads @name (@dir: the -L directory, or NULL). Fails for absent, empty or unreadable files and
 * for ones of more than 16 MiB; the error names the Debian package if a SeaBIOS file is not
 * there. */
bool firmware_load(struct firmware *f, const char *dir, const char *name, struct error **err);

/* The system BIOS: @name as given with -bios, or NULL for bios-256k.bin, else bios.bin. Checks that
 * it is 64, 128 or 256 KiB. */
bool firmware_load_bios(struct firmware *f, const char *dir, const char *name, struct error **err);

void firmware_free(struct firmware *f);      /* a zeroed struct is allowed */

#endif
