/*
 * CDs: the volume and its boot catalogue, with the eyes of firmware.
 *
 * Source: [ECMA119] 8.1, 8.2; [ELTORITO] "Boot Record Volume Descriptor", "Booting Catalog"; what
 *         SeaBIOS insists on was observed.
 */
#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/main/explain/explain.h"

#include <stdio.h>
#include <string.h>

enum {
    CD_SECTOR = 2048,
    VOLUME = 16,
    BOOT_RECORD = 17,
    ENTRY = 32,
    BOOTABLE = 0x88,
    HEADER_VALIDATION = 0x01,
    HEADER_MORE = 0x90,
    HEADER_LAST = 0x91,
    EXTENSION = 0x44,
};

static const char *platform_name(uint8_t id)
{
    return id == 0 ? "PC" : id == 1 ? "PowerPC" : id == 2 ? "Mac" : id == 0xef ? "EFI" : "unknown";
}

static const char *media_name(uint8_t media)
{
    static const char *const names[] = {"no emulation", "1.2M floppy", "1.44M floppy",
                                        "2.88M floppy", "hard disk"};
    return (media & 15) < ARRAY_SIZE(names) ? names[media & 15] : "unknown";
}

static void add_entry(struct explain_cd *cd, const uint8_t *e, uint8_t platform)
{
    if (cd->n < EXPLAIN_CD_ENTRIES) {
        cd->list[cd->n++] = (struct explain_cd_entry){
            .bootable = e[0] == BOOTABLE,
            .platform = platform_name(platform),
            .media = media_name(e[1]),
            .segment = ld16le(e + 2),
            .sectors = ld16le(e + 6),
            .lba = ld32le(e + 8),
        };
    }
}

/* Sections follow the first two entries: a header, then as many entries as it says. */
static void read_sections(struct explain_cd *cd, const uint8_t *catalogue)
{
    for (unsigned at = 2 * ENTRY; at + ENTRY <= CD_SECTOR;) {
        const uint8_t *header = catalogue + at;
        unsigned n = ld16le(header + 2);
        if (header[0] != HEADER_MORE && header[0] != HEADER_LAST) {
            return;
        }
        at += ENTRY;
        for (; n > 0 && at + ENTRY <= CD_SECTOR; at += ENTRY) {
            if (catalogue[at] != EXTENSION) {
                add_entry(cd, catalogue + at, header[1]);
                n--;
            }
        }
        if (header[0] == HEADER_LAST) {
            return;
        }
    }
}

/* The first thing that keeps firmware from booting; NULL: nothing. It does not add the entry up. */
static const char *catalogue_problem(const uint8_t *c)
{
    return c[0] != HEADER_VALIDATION        ? "the boot catalogue has no validation entry"
           : c[1] != 0                      ? "the boot catalogue's first entry is not for PCs"
           : c[30] != 0x55 || c[31] != 0xaa ? "the validation entry has no 55 AA at its end"
           : c[ENTRY] != BOOTABLE           ? "the first entry is not marked bootable"
                                            : NULL;
}

void explain_find_cd(struct explain_cd *cd, struct block *b)
{
    uint8_t sector[CD_SECTOR];
    const char *problem = NULL;
    cd->iso = explain_read(b, VOLUME * CD_SECTOR, sector, sizeof(sector)) &&
              memcmp(sector + 1, "CD001", 5) == 0;
    if (!cd->iso) {
        problem = "it has no ISO 9660 volume";
    } else if (!explain_read(b, BOOT_RECORD * CD_SECTOR, sector, sizeof(sector)) ||
               sector[0] != 0 || memcmp(sector + 1, "CD001\001EL TORITO SPECIFICATION", 30) != 0) {
        problem = "it has no El Torito boot record in sector 17";
    } else {
        cd->record = true;
        cd->catalogue_lba = ld32le(sector + 0x47);
        cd->catalogue =
            explain_read(b, (uint64_t)cd->catalogue_lba * CD_SECTOR, sector, sizeof(sector));
        problem =
            cd->catalogue ? catalogue_problem(sector) : "its boot catalogue lies past the end";
    }
    if (cd->catalogue) {
        add_entry(cd, sector + ENTRY, sector[1]);
        read_sections(cd, sector);
        if (problem == NULL && (uint64_t)cd->list[0].lba * CD_SECTOR >= b->bytes) {
            problem = "the boot image lies past the end";
        }
    }
    if (problem != NULL) {
        snprintf(cd->problem, sizeof(cd->problem), "%s", problem);
    }
}
