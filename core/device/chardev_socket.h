/* Character devices on stream sockets; chardev_new makes them. */
#ifndef CORE_DEVICE_CHARDEV_SOCKET_H
#define CORE_DEVICE_CHARDEV_SOCKET_H

#include "core/device/chardev.h"

enum socket_kind { SOCKET_UNIX, SOCKET_TCP, SOCKET_TELNET };

struct socket_options {
    enum socket_kind kind;
    const char *path;        /* SOCKET_UNIX */
    const char *host, *port; /* others; an empty host is 127.0.0.1 */
    bool server, wait;
};

/* A client connects now. A server listens, and with wait stays in here until somebody has connected
 * or a signal wants the process to end. */
struct chardev *chardev_socket_new(const struct socket_options *o, struct loop *loop,
                                   struct error **err);

#endif
