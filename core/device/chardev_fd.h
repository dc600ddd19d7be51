/*
 * Character devices on file descriptors: buffered output, input as far as the front end has room.
 * chardev_new makes those of stdio, files, pipes and ptys here; sockets attach connections to one.
 */
#ifndef CORE_DEVICE_CHARDEV_FD_H
#define CORE_DEVICE_CHARDEV_FD_H

#include "core/device/chardev.h"

/* What a back end with connections does at the ends of a stream; all may be NULL. */
struct chardev_fd_hooks {
    size_t (*filter)(void *opaque, uint8_t *buf,
                     size_t len); /* input; returns what is left of it */
    void (*closed)(void *opaque); /* the peer is gone: detach */
    void (*fini)(void *opaque);
    void *opaque;
};

/* A stream without descriptors: output is dropped. */
struct chardev *chardev_fd_new(const char *label, struct loop *loop,
                               const struct chardev_fd_hooks *hooks);

/* Joins two different descriptors, both non-blocking, which belong to the stream from here on; -1:
 * none. */
void chardev_fd_attach(struct chardev *c, int in_fd, int out_fd);
/* Closes them; what was not sent yet is lost. */
void chardev_fd_detach(struct chardev *c);

/* Standard input and output; a terminal is put into raw mode. */
struct chardev *chardev_stdio_new(struct loop *loop, bool signals, struct error **err);

/* Output to a file, which is emptied first; or to a pipe or terminal of that name. */
struct chardev *chardev_file_new(const char *path, struct loop *loop, struct error **err);
struct chardev *chardev_pipe_new(const char *path, struct loop *loop, struct error **err);
struct chardev *chardev_pty_new(struct loop *loop, struct error **err);

/* Bytes that found no room since the start. */
uint64_t chardev_fd_dropped(const struct chardev *c);

#endif
