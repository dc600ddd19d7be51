/*
 * Disk images. A driver is one file with a vtable; a device sees a flat array of bytes.
 *
 * The image file is locked against a second writer (open file description lock), so opening fails
 * with the holder's process named. A write is in the file at once, and on stable storage after a
 * flush or close.
 */
#ifndef CORE_BLOCK_BLOCK_H
#define CORE_BLOCK_BLOCK_H

#include "core/base/error.h"

#include <stddef.h>
#include <stdint.h>

struct block;
struct block_worker;

struct block_ops {
    const char *name;                                         /* "raw" */
    bool (*read)(struct block *b, uint64_t off, void *buf, size_t len, struct error **err);
    bool (*write)(struct block *b, uint64_t off, const void *buf, size_t len, struct error **err);
    bool (*flush)(struct block *b, struct error **err);       /* to stable storage */
    void (*close)(struct block *b);
};

/* What was asked of an image since it was opened. */
struct block_stats {
    uint64_t reads, read_bytes, writes, written_bytes, flushes;
};

struct block {
    const struct block_ops *ops;
    char *path;
    uint64_t bytes;
    bool read_only;
    void *impl;
    struct block_stats stats; /* [locked] */
    struct block_worker *worker; /* worker.c's own; NULL: there was no request yet */
};

enum { BLOCK_READ_ONLY = 1, BLOCK_SNAPSHOT = 2 };

/* Opens @path; @format NULL or "raw". BLOCK_SNAPSHOT: writes go to a temporary overlay. If the file
 * cannot be opened for writing, that is an error without BLOCK_READ_ONLY or BLOCK_SNAPSHOT. */
struct block *block_open(const char *path, const char *format, unsigned flags, struct error **err);
void block_close(struct block *b);      /* flushes; NULL is allowed */

/* [off, off+len) must lie inside b->bytes, else an error. They wait for requests (request.h) under
 * way, and for the host: they are for opening and closing a machine. [locked] */
bool block_read(struct block *b, uint64_t off, void *buf, size_t len, struct error **err);
bool block_write(struct block *b, uint64_t off, const void *buf, size_t len, struct error **err);
bool block_flush(struct block *b, struct error **err);

#endif
