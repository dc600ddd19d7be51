#include "core/main/image_kind.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLOPPY_MAX_BYTES (2880 * KiB)
#define ISO_VOLUME       0x8001       /* "CD001" in the first volume descriptor */

/* A BIOS parameter block: 512 bytes a sector, 1 or 2 heads, 1 to 63 sectors a track. */
static bool has_floppy_bpb(const uint8_t *sector)
{
    unsigned bytes = ld16le(sector + 11), sectors = ld16le(sector + 24),
             heads = ld16le(sector + 26);
    return bytes == 512 && (heads == 1 || heads == 2) && sectors >= 1 && sectors <= 63;
}

bool image_kind(const char *path, enum image_kind *kind, struct error **err)
{
    uint8_t sector[512] = {0}, volume[5] = {0};
    struct stat st;
    bool ok = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return error_errno(err, errno, "open %s", path);
    }
    if (fstat(fd, &st) < 0) {
        error_errno(err, errno, "stat %s", path);
    } else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        error_set(err, "%s: is no file with an image", path);
    } else if (S_ISREG(st.st_mode) && st.st_size == 0) {
        error_set(err, "%s: is empty", path);
    } else if (pread(fd, sector, sizeof(sector), 0) < 0) {
        error_errno(err, errno, "read %s", path);
    } else {
        bool signature = ld16le(sector + 510) == 0xaa55;
        bool iso = pread(fd, volume, sizeof(volume), ISO_VOLUME) == sizeof(volume) &&
                   memcmp(volume, "CD001", sizeof(volume)) == 0;
        bool small = S_ISREG(st.st_mode) && (uint64_t)st.st_size <= FLOPPY_MAX_BYTES;
        *kind = iso && !signature                               ? IMAGE_CD
                : small && (signature || has_floppy_bpb(sector)) ? IMAGE_FLOPPY
                                                                 : IMAGE_DISK;
        ok = true;
    }
    close(fd);
    return ok;
}
