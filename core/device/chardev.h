/*
 * A byte stream to the outside, for serial ports, debug consoles, monitors.
 *
 * The front end (a UART) writes bytes and is told of input. Back ends: null, stdio, file, and later
 * sockets and ptys. Output never blocks the caller: what a back end cannot take at once it buffers up
 * to a limit and then drops, counting what it dropped.
 */
#ifndef CORE_DEVICE_CHARDEV_H
#define CORE_DEVICE_CHARDEV_H

#include "core/base/error.h"

#include <stddef.h>
#include <stdint.h>

struct chardev;
struct loop;

struct chardev_ops {
    void (*write)(struct chardev *c, const uint8_t *buf, size_t len);   /* [locked] */
    void (*flush)(struct chardev *c);                                   /* [locked], may be NULL */
    void (*fini)(struct chardev *c);
    void (*wants_input)(struct chardev *c);  /* the front end can take input again; may be NULL */
};

struct chardev {
    const struct chardev_ops *ops;
    const char *label;                  /* owned by whoever made it */
    /* front end: how many bytes it can take now, and here they are. NULL: input is dropped. */
    size_t (*can_receive)(void *opaque);
    void (*receive)(void *opaque, const uint8_t *buf, size_t len);
    void *opaque;
    /* every byte written is also shown to these (expect, logs) */
    struct chardev_tap *taps;
};

struct chardev_tap {
    void (*seen)(void *opaque, const uint8_t *buf, size_t len);
    void *opaque;
    struct chardev_tap *next;
};

/* Makes a back end from its option text: "null", "stdio", "file:PATH". NULL and err on failure. */
struct chardev *chardev_new(const char *spec, struct loop *loop, struct error **err);
void chardev_free(struct chardev *c);                /* NULL is allowed */

/* A NULL chardev drops output. [locked] */
void chardev_write(struct chardev *c, const uint8_t *buf, size_t len);
void chardev_flush(struct chardev *c);
void chardev_tap(struct chardev *c, struct chardev_tap *tap); /* tap stays the caller's */

/* Called by the front end when it can take input again. [locked] */
void chardev_accepts(struct chardev *c);

/* Called by a back end (or a test) with input; returns how many bytes the front end took. [locked] */
size_t chardev_input(struct chardev *c, const uint8_t *buf, size_t len);

#endif
