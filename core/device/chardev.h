/*
 * A byte stream to the outside, for serial ports, debug consoles, monitors.
 *
 * The front end (a UART) writes bytes and is told of input. Output never blocks the caller: what a
 * back end cannot take at once it buffers up to a limit and then drops, counting what it dropped.
 *
 * Back ends by their option text; a comma in a path is written twice:
 *
 *     null                            nothing
 *     stdio[,signal=on|off]           this process's standard input and output; off: Ctrl-C and
 *                                     Ctrl-Z are input like other keys
 *     file:PATH                       output to a file
 *     pipe:PATH                       PATH.in and PATH.out, or one FIFO PATH for both
 *     pty                             a new pseudo-terminal, whose name is printed
 *     unix:PATH[,server=on|off][,wait=on|off]
 *     tcp:HOST:PORT[,server=on|off][,wait=on|off]      no HOST: 127.0.0.1
 *     telnet:HOST:PORT[,...]          the same with the telnet protocol
 *
 * A server takes one connection at a time; with wait=on, its default, the start waits for the
 * first.
 */
#ifndef CORE_DEVICE_CHARDEV_H
#define CORE_DEVICE_CHARDEV_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chardev;
struct loop;

enum chardev_event {
    CHARDEV_OPENED, /* somebody is at the other end, or got the focus of a shared line */
    CHARDEV_CLOSED,
    CHARDEV_BREAK, /* a break was sent: telnet, Ctrl-A b */
};

struct chardev_ops {
    void (*write)(struct chardev *c, const uint8_t *buf, size_t len); /* [locked] */
    void (*flush)(struct chardev *c);                                 /* [locked], may be NULL */
    void (*fini)(struct chardev *c);
    void (*wants_input)(struct chardev *c); /* the front end can take input again; may be NULL */
    size_t (*pending)(struct chardev *c);   /* bytes that wait to be sent; may be NULL */
};

struct chardev {
    const struct chardev_ops *ops;
    const char *label; /* for messages; owned by whoever made it */
    bool open;         /* somebody is at the other end */
    size_t limit;      /* set by the front end: so much output may wait; 0: what is usual */
    /* front end: how many bytes it can take now, and here they are. NULL: input is dropped. */
    size_t (*can_receive)(void *opaque);
    void (*receive)(void *opaque, const uint8_t *buf, size_t len);
    void (*event)(void *opaque, enum chardev_event event); /* may be NULL [locked] */
    void *opaque;
    /* every byte written is also shown to these (expect, logs) */
    struct chardev_tap *taps;
};

struct chardev_tap {
    void (*seen)(void *opaque, const uint8_t *buf, size_t len);
    void *opaque;
    struct chardev_tap *next;
};

/* Makes a back end from its option text. NULL and err on failure. @loop NULL: output is written at
 * once and there is no input (tests). */
struct chardev *chardev_new(const char *spec, struct loop *loop, struct error **err);
void chardev_free(struct chardev *c); /* NULL is allowed */

/* Checks an option text without opening anything. */
bool chardev_check(const char *spec, struct error **err);

/* A NULL chardev drops output. [locked] */
void chardev_write(struct chardev *c, const uint8_t *buf, size_t len);
void chardev_flush(struct chardev *c);
void chardev_tap(struct chardev *c, struct chardev_tap *tap); /* tap stays the caller's */

/* Bytes of output that wait for a slow reader. When there are none any more, a front end that had
 * no room for input is asked again. [locked] */
size_t chardev_pending(struct chardev *c);

/* Called by the front end when it can take input again. [locked] */
void chardev_accepts(struct chardev *c);

/* Called by a back end (or a test) with input; returns how many bytes the front end took. [locked]
 */
size_t chardev_input(struct chardev *c, const uint8_t *buf, size_t len);

/* Called by a back end: keeps `open` and tells the front end. [locked] */
void chardev_send_event(struct chardev *c, enum chardev_event event);

#endif
