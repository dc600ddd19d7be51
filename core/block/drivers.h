/* Between block.c and the image formats: each format is one file and one function here. */
#ifndef CORE_BLOCK_DRIVERS_H
#define CORE_BLOCK_DRIVERS_H

#include "core/block/request.h"

/* Notes in @b's statistics what is asked of it. [locked] */
void block_count(struct block *b, enum block_op op, size_t len);

/* Does what @r asks for, on the calling thread, and notes the result in it. */
void block_carry_out(struct block_request *r);

/* Wait until @b's worker has nothing to do; then end its thread as well. */
void block_worker_drain(struct block *b);
void block_worker_stop(struct block *b);

/* Fills in ops, bytes, read_only and impl of @b; its path is set. BLOCK_READ_ONLY in @flags opens
 * for reading only. On failure @b->impl is NULL and the file is closed. */
bool raw_open(struct block *b, unsigned flags, struct error **err);

/* Puts a temporary overlay in front of @base, which it takes over: writes go to the overlay, the
 * base is only read. On failure @base stays the caller's. */
struct block *overlay_open(struct block *base, struct error **err);

/* All of [off, off + len) of @fd, or an error that names @what. */
bool file_read(int fd, const char *what, uint64_t off, void *buf, size_t len, struct error **err);
bool file_write(int fd, const char *what, uint64_t off, const void *buf, size_t len,
                struct error **err);

/* Locks the open file @fd against other openers, those of QEMU included: exclusively for @writer,
 * else against writers. The lock goes with the open file description. A file system without locks
 * counts as success. The error names the holder if the host shows it to us. */
bool image_lock(int fd, const char *path, bool writer, struct error **err);

#endif
