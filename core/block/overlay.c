/*
 * A temporary overlay (-snapshot): writes go to an unnamed temporary file, cluster by cluster; what
 * was never written is read from the base. Closing it forgets all.
 */
#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/block/drivers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CLUSTER_BYTES (64 * KiB)
#define OVERLAY       "the overlay of -snapshot" /* its name in messages */

struct overlay {
    struct block *base;      /* owned */
    int fd;                  /* sparse; cluster n lies where it lies in the base */
    uint8_t *present;        /* bit n: cluster n is in fd */
};

static bool is_present(const struct overlay *o, uint64_t cluster)
{
    return o->present[cluster / 8] & BIT(cluster % 8);
}

/* How much of [off, off+len) lies in the cluster of its first byte. */
static size_t in_cluster(uint64_t off, size_t len)
{
    return min_u64(len, CLUSTER_BYTES - off % CLUSTER_BYTES);
}

static bool overlay_read(struct block *b, uint64_t off, void *buf, size_t len, struct error **err)
{
    struct overlay *o = b->impl;
    char *p = buf;

    while (len > 0) {
        size_t part = in_cluster(off, len);
        if (is_present(o, off / CLUSTER_BYTES) ? !file_read(o->fd, OVERLAY, off, p, part, err)
                                               : !block_read(o->base, off, p, part, err)) {
            return false;
        }
        p += part;
        off += part;
        len -= part;
    }
    return true;
}

/* Copies a cluster from the base; it is marked present only when it is whole. */
static bool bring_in(struct block *b, uint64_t cluster, struct error **err)
{
    struct overlay *o = b->impl;
    uint64_t start = cluster * CLUSTER_BYTES;
    size_t len = min_u64(CLUSTER_BYTES, b->bytes - start);
    char *copy = xcalloc(1, CLUSTER_BYTES);

    bool ok = block_read(o->base, start, copy, len, err) &&
              file_write(o->fd, OVERLAY, start, copy, len, err);
    free(copy);
    if (ok) {
        o->present[cluster / 8] |= BIT(cluster % 8);
    }
    return ok;
}

static bool overlay_write(struct block *b, uint64_t off, const void *buf, size_t len,
                          struct error **err)
{
    struct overlay *o = b->impl;
    const char *p = buf;

    while (len > 0) {
        size_t part = in_cluster(off, len);
        uint64_t cluster = off / CLUSTER_BYTES;
        if ((!is_present(o, cluster) && !bring_in(b, cluster, err)) ||
            !file_write(o->fd, OVERLAY, off, p, part, err)) {
            return false;
        }
        p += part;
        off += part;
        len -= part;
    }
    return true;
}

static bool overlay_flush(struct block *b, struct error **err)
{
    return true; /* nothing of it outlives the process */
}

static void overlay_close(struct block *b)
{
    struct overlay *o = b->impl;

    close(o->fd);
    free(o->present);
    block_close(o->base);
    free(o);
    b->impl = NULL;
}

static const struct block_ops overlay_ops = {
    .name = "overlay",
    .read = overlay_read,
    .write = overlay_write,
    .flush = overlay_flush,
    .close = overlay_close,
};

/* An unnamed file in $TMPDIR, else in /var/tmp, else in memory. */
static int temporary_file(void)
{
    const char *dirs[] = {getenv("TMPDIR"), "/var/tmp"};

    for (unsigned i = 0; i < ARRAY_SIZE(dirs); i++) {
        int fd = dirs[i] != NULL ? open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;
        if (fd >= 0) {
            return fd;
        }
    }
    return memfd_create("overlay", MFD_CLOEXEC);
}

struct block *overlay_open(struct block *base, struct error **err)
{
    uint64_t clusters = (base->bytes + CLUSTER_BYTES - 1) / CLUSTER_BYTES;
    uint8_t *present = try_alloc((clusters + 7) / 8);

    if (present == NULL) {
        error_set(err, "open %s: too large for -snapshot", base->path);
        return NULL;
    }
    int fd = temporary_file();
    if (fd < 0) {
        error_errno(err, errno, "temporary overlay of %s", base->path);
        free(present);
        return NULL;
    }
    struct overlay *o = NEW(struct overlay);
    *o = (struct overlay){.base = base, .fd = fd, .present = present};
    struct block *b = NEW(struct block);
    *b = (struct block){
        .ops = &overlay_ops,
        .path = xstrdup(base->path),
        .bytes = base->bytes,
        .impl = o,
    };
    return b;
}
