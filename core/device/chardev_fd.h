/* The character devices that are file descriptors; chardev_new makes them. */
#ifndef CORE_DEVICE_CHARDEV_FD_H
#define CORE_DEVICE_CHARDEV_FD_H

#include "core/device/chardev.h"

/* Standard input and output; a terminal is put into raw mode. @loop NULL: output is written at once
 * and there is no input (tests). */
struct chardev *chardev_stdio_new(struct loop *loop, struct error **err);

/* Output to a file, which is emptied first; or to a pipe or terminal of that name. */
struct chardev *chardev_file_new(const char *path, struct loop *loop, struct error **err);

/* Bytes that found no room since the start. */
uint64_t chardev_fd_dropped(const struct chardev *c);

#endif
