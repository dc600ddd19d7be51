/*
 * Raw images: the file's bytes are the disk's bytes.
 *
 * A write goes to the file at once (so that other programs see it as soon as the guest is told that
 * it is done); fdatasync follows when the guest flushes and on close.
 */
#include "core/base/alloc.h"
#include "core/block/drivers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct raw {
    int fd;
    bool dirty;              /* written since the last flush */
};

static bool raw_read(struct block *b, uint64_t off, void *buf, size_t len, struct error **err)
{
    const struct raw *r = b->impl;
    return file_read(r->fd, b->path, off, buf, len, err);
}

static bool raw_write(struct block *b, uint64_t off, const void *buf, size_t len,
                      struct error **err)
{
    struct raw *r = b->impl;

    r->dirty = true;
    return file_write(r->fd, b->path, off, buf, len, err);
}

static bool raw_flush(struct block *b, struct error **err)
{
    struct raw *r = b->impl;

    if (!r->dirty) {
        return true;
    }
    /* EINVAL: a special file that knows no synchronisation. */
    if (fdatasync(r->fd) < 0 && errno != EINVAL && errno != EROFS) {
        return error_errno(err, errno, "flush %s", b->path);
    }
    r->dirty = false;
    return true;
}

static void raw_close(struct block *b)
{
    struct raw *r = b->impl;

    close(r->fd); /* the lock goes with it */
    free(r);
    b->impl = NULL;
}

static const struct block_ops raw_ops = {
    .name = "raw",
    .read = raw_read,
    .write = raw_write,
    .flush = raw_flush,
    .close = raw_close,
};

/* Size of what is open at @fd; refuses what cannot be an image. */
static bool raw_size(int fd, const char *path, uint64_t *bytes, struct error **err)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return error_errno(err, errno, "stat %s", path);
    }
    if (S_ISDIR(st.st_mode)) {
        return error_set(err, "open %s: is a directory, not an image", path);
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        return error_set(err, "open %s: is neither a regular file nor a block device", path);
    }
    off_t end = S_ISBLK(st.st_mode) ? lseek(fd, 0, SEEK_END) : st.st_size;
    if (end < 0) {
        return error_errno(err, errno, "size of %s", path);
    }
    if (end == 0) {
        return error_set(err, "open %s: is empty", path);
    }
    *bytes = (uint64_t)end;
    return true;
}

bool raw_open(struct block *b, unsigned flags, struct error **err)
{
    bool writer = !(flags & BLOCK_READ_ONLY);
    struct stat st;

    /* Asked before the open, which gives a directory a less clear error (and a pipe would wait). */
    if (stat(b->path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return error_set(err, "open %s: is a directory, not an image", b->path);
    }
    int fd = open(b->path, (writer ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int why = errno;
        if (writer && (why == EACCES || why == EROFS || why == EPERM) &&
            access(b->path, R_OK) == 0) {
            return error_set(err,
                             "open %s: no permission to write"
                             " (readonly=on or -snapshot leave the file alone)",
                             b->path);
        }
        return error_errno(err, why, "open %s", b->path);
    }
    if (!raw_size(fd, b->path, &b->bytes, err) || !image_lock(fd, b->path, writer, err)) {
        close(fd);
        return false;
    }
    struct raw *r = NEW(struct raw);
    r->fd = fd;
    b->ops = &raw_ops;
    b->read_only = !writer;
    b->impl = r;
    return true;
}
