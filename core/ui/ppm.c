/* Screenshots as binary PPM, and the writing of picture files in general. */
#include "core/ui/picture_file.h"
#include "core/ui/png.h"

#include "core/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void picture_row_rgb(const struct surface *s, unsigned y, uint8_t *row)
{
    const uint32_t *px = s->pixels + (size_t)y * s->width;
    for (unsigned x = 0; x < s->width; x++) {
        *row++ = (uint8_t)(px[x] >> 16);
        *row++ = (uint8_t)(px[x] >> 8);
        *row++ = (uint8_t)px[x];
    }
}

/* What is not a plain file (a pipe, /dev/stdout) is written in place. */
static bool write_in_place(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

/* Opens @temp, which will become @path, or @path itself; messages name @path. */
static FILE *create(const char *path, const char *temp, struct error **err)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (temp != NULL ? O_EXCL : O_TRUNC);
    int fd = open(temp != NULL ? temp : path, flags, 0666);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");
    if (f == NULL) {
        error_errno(err, errno, "create %s", path);
        if (fd >= 0) {
            close(fd);
        }
    }
    return f;
}

bool picture_write(const char *path, const struct surface *s,
                   bool (*encode)(FILE *f, const struct surface *s, struct error **err),
                   struct error **err)
{
    if (s->width == 0 || s->height == 0) {
        return error_set(err, "%s: there is no picture", path);
    }
    char *temp = write_in_place(path) ? NULL : xasprintf("%s.%ld.tmp", path, (long)getpid());
    FILE *f = create(path, temp, err);
    bool ok = f != NULL;
    if (ok) {
        ok = encode(f, s, err);
        int failed = fflush(f) != 0 ? errno : 0;
        if (fclose(f) != 0 && failed == 0) {
            failed = errno;
        }
        if (ok && failed != 0) {
            ok = error_errno(err, failed, "write %s", path);
        }
        if (ok && temp != NULL && rename(temp, path) < 0) {
            ok = error_errno(err, errno, "rename to %s", path);
        }
        if (!ok && temp != NULL) {
            unlink(temp);
        }
    }
    free(temp);
    return ok;
}

static bool write_ppm(FILE *f, const struct surface *s, struct error **err)
{
    uint8_t *row = xcalloc(s->width, 3);
    bool ok = fprintf(f, "P6\n%u %u\n255\n", s->width, s->height) > 0;
    for (unsigned y = 0; ok && y < s->height; y++) {
        picture_row_rgb(s, y, row);
        ok = fwrite(row, 3, s->width, f) == s->width;
    }
    int failed = errno;
    free(row);
    return ok || error_errno(err, failed, "write");
}

bool ppm_write(const char *path, const struct surface *s, struct error **err)
{
    return picture_write(path, s, write_ppm, err);
}
