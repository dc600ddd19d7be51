/*
 * Finding and reading firmware images.
 */
#include "hw/pc/firmware.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BYTES   (16 * MiB)
#define SYSTEM_DIR  "/usr/share/seabios"
#define LOCAL_DIR   "bios"
#define DIR_ENV     "COLDBOOT_BIOS_DIR"

static bool read_all(int fd, uint8_t *buf, size_t bytes, const char *path, struct error **err)
{
    size_t done = 0;

    while (done < bytes) {
        ssize_t n = read(fd, buf + done, bytes - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return error_errno(err, errno, "read %s", path);
        }
        if (n == 0) {
            return error_set(err, "%s: it shrank while it was read", path);
        }
        done += (size_t)n;
    }
    return true;
}

/* Reads the file @fd, which the caller closes. */
static bool read_file(struct firmware *f, int fd, const char *path, struct error **err)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return error_errno(err, errno, "stat %s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return error_set(err, "%s: not a file", path);
    }
    if (st.st_size == 0) {
        return error_set(err, "%s: the file is empty", path);
    }
    if ((uint64_t)st.st_size > MAX_BYTES) {
        return error_set(err, "%s: %lld bytes are more than 16 MiB", path, (long long)st.st_size);
    }
    uint8_t *data = try_alloc((size_t)st.st_size);
    if (data == NULL) {
        return error_set(err, "%s: no memory for %lld bytes", path, (long long)st.st_size);
    }
    if (!read_all(fd, data, (size_t)st.st_size, path, err)) {
        free(data);
        return false;
    }
    *f = (struct firmware){.data = data, .bytes = (size_t)st.st_size, .path = xstrdup(path)};
    return true;
}

/* *absent says whether the failure is that there is no such file. */
static bool load_path(struct firmware *f, const char *path, bool *absent, struct error **err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *absent = fd < 0 && (errno == ENOENT || errno == ENOTDIR);
    if (fd < 0) {
        return error_errno(err, errno, "open %s", path);
    }
    bool good = read_file(f, fd, path, err);
    close(fd);
    return good;
}

/* Tries each place; a file that is there but cannot be used is an error, not a reason to go on. */
static bool search(struct firmware *f, const char *dir, const char *name, bool *absent,
                   struct error **err)
{
    const char *dirs[] = {dir, LOCAL_DIR, getenv(DIR_ENV), SYSTEM_DIR};

    *absent = true;
    for (unsigned i = 0; i < ARRAY_SIZE(dirs); i++) {
        struct error *why = NULL;
        if (dirs[i] == NULL || dirs[i][0] == '\0') {
            continue;
        }
        char *path = xasprintf("%s/%s", dirs[i], name);
        bool good = load_path(f, path, absent, &why);
        free(path);
        if (good) {
            return true;
        }
        if (!*absent) {
            error_set(err, "%s", error_text(why));
            error_free(why);
            return false;
        }
        error_free(why);
    }
    return error_set(err,
                     "firmware %s not found in %s%s./" LOCAL_DIR ", $" DIR_ENV " or " SYSTEM_DIR
                     ": install the Debian package seabios",
                     name, dir != NULL ? dir : "", dir != NULL ? ", " : "");
}

bool firmware_load(struct firmware *f, const char *dir, const char *name, struct error **err)
{
    bool absent;

    *f = (struct firmware){0};
    if (strchr(name, '/') != NULL) {
        return load_path(f, name, &absent, err);
    }
    return search(f, dir, name, &absent, err);
}

static bool check_bios(struct firmware *f, struct error **err)
{
    if (f->bytes == 64 * KiB || f->bytes == 128 * KiB || f->bytes == 256 * KiB) {
        return true;
    }
    error_set(err, "%s: %zu bytes: a BIOS image has 64, 128 or 256 KiB", f->path, f->bytes);
    firmware_free(f);
    return false;
}

bool firmware_load_bios(struct firmware *f, const char *dir, const char *name, struct error **err)
{
    struct error *why = NULL;
    bool absent;

    *f = (struct firmware){0};
    if (name != NULL) {
        /* As people type it: a file in the working directory comes before the search. */
        if (strchr(name, '/') == NULL && access(name, F_OK) == 0) {
            return load_path(f, name, &absent, err) && check_bios(f, err);
        }
        return firmware_load(f, dir, name, err) && check_bios(f, err);
    }
    if (search(f, dir, FIRMWARE_BIOS, &absent, &why)) {
        return check_bios(f, err);
    }
    if (absent && search(f, dir, FIRMWARE_BIOS_SMALL, &absent, NULL)) {
        error_free(why);
        return check_bios(f, err);
    }
    error_set(err, "%s", error_text(why));
    error_free(why);
    return false;
}

void firmware_free(struct firmware *f)
{
    free(f->data);
    free(f->path);
    *f = (struct firmware){0};
}
