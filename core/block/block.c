/* Disk images: choice of the format, bounds of every access, the order of opening and closing. */
#include "core/block/block.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/log.h"
#include "core/block/drivers.h"

#include <stdlib.h>
#include <string.h>

/* Image formats by what they begin with. An image in one of them is not taken for raw by guess: its
 * guest would see the container and might write into it. */
static const struct {
    const char *name;
    unsigned off, len;
    const char *magic;
} foreign[] = {
    {"qcow2", 0, 4, "QFI\xfb"},
    {"vmdk", 0, 4, "KDMV"},
    {"vdi", 0x40, 4, "\x7f\x10\xda\xbe"},
    {"vhd", 0, 8, "conectix"},
    {"gzip", 0, 3, "\x1f\x8b\x08"},
};

static bool refuse_foreign(struct block *b, struct error **err)
{
    char head[0x50] = {0};
    size_t len = min_u64(sizeof(head), b->bytes);

    if (!block_read(b, 0, head, len, err)) {
        return false;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(foreign); i++) {
        if (memcmp(head + foreign[i].off, foreign[i].magic, foreign[i].len) == 0) {
            return error_set(err,
                             "open %s: is a %s image, which cannot be read yet"
                             " (format=raw takes the file as it is)",
                             b->path, foreign[i].name);
        }
    }
    return true;
}

struct block *block_open(const char *path, const char *format, unsigned flags, struct error **err)
{
    if (format != NULL && strcmp(format, "raw") != 0) {
        error_set(err, "open %s: unknown image format '%s' (known: raw)", path, format);
        return NULL;
    }
    struct block *b = NEW(struct block);
    b->path = xstrdup(path);
    if (!raw_open(b, flags & BLOCK_SNAPSHOT ? flags | BLOCK_READ_ONLY : flags, err) ||
        (format == NULL && !refuse_foreign(b, err))) {
        block_close(b);
        return NULL;
    }
    if (flags & BLOCK_SNAPSHOT) {
        struct block *top = overlay_open(b, err);
        if (top == NULL) {
            block_close(b);
            return NULL;
        }
        top->read_only = flags & BLOCK_READ_ONLY;
        return top;
    }
    return b;
}

void block_close(struct block *b)
{
    if (b == NULL) {
        return;
    }
    block_worker_stop(b);
    if (b->impl != NULL) {
        struct error *err = NULL;
        if (!b->read_only && !block_flush(b, &err)) {
            log_error("%s", error_text(err));
            error_free(err);
        }
        b->ops->close(b);
    }
    free(b->path);
    free(b);
}

static bool in_bounds(const struct block *b, uint64_t off, size_t len, struct error **err)
{
    if (len > b->bytes || off > b->bytes - len) {
        return error_set(err, "%s: access at byte %llu is past the end (%llu bytes)", b->path,
                         (unsigned long long)off, (unsigned long long)b->bytes);
    }
    return true;
}

static bool read_image(struct block *b, uint64_t off, void *buf, size_t len, struct error **err)
{
    return in_bounds(b, off, len, err) && b->ops->read(b, off, buf, len, err);
}

static bool write_image(struct block *b, uint64_t off, const void *buf, size_t len,
                        struct error **err)
{
    if (b->read_only) {
        return error_set(err, "%s: is read-only", b->path);
    }
    return in_bounds(b, off, len, err) && b->ops->write(b, off, buf, len, err);
}

void block_count(struct block *b, enum block_op op, size_t len)
{
    struct block_stats *s = &b->stats;

    if (op == BLOCK_READ) {
        s->reads++;
        s->read_bytes += len;
    } else if (op != BLOCK_FLUSH) {
        s->writes++;
        s->written_bytes += len;
    }
    s->flushes += op == BLOCK_FLUSH || op == BLOCK_WRITE_FLUSH;
}

bool block_read(struct block *b, uint64_t off, void *buf, size_t len, struct error **err)
{
    block_count(b, BLOCK_READ, len);
    block_worker_drain(b);
    return read_image(b, off, buf, len, err);
}

bool block_write(struct block *b, uint64_t off, const void *buf, size_t len, struct error **err)
{
    block_count(b, BLOCK_WRITE, len);
    block_worker_drain(b);
    return write_image(b, off, buf, len, err);
}

bool block_flush(struct block *b, struct error **err)
{
    block_count(b, BLOCK_FLUSH, 0);
    block_worker_drain(b);
    return b->ops->flush(b, err);
}

void block_carry_out(struct block_request *r)
{
    struct block *b = r->block;

    switch (r->op) {
    case BLOCK_READ:
        r->ok = read_image(b, r->off, r->buf, r->len, &r->err);
        break;
    case BLOCK_WRITE:
        r->ok = write_image(b, r->off, r->buf, r->len, &r->err);
        break;
    case BLOCK_WRITE_FLUSH:
        r->ok = write_image(b, r->off, r->buf, r->len, &r->err) && b->ops->flush(b, &r->err);
        break;
    case BLOCK_FLUSH:
        r->ok = b->ops->flush(b, &r->err);
        break;
    }
}
