/*
 * One line for several front ends: output of all goes to it, input to the one that has the focus.
 * Ctrl-A is a prefix, as with QEMU's mon:stdio: Ctrl-A h lists what can follow.
 *
 * Order of calls: chardev_mux_new, chardev_mux_port for each front end; the mux and its base end
 * with the last port.
 */
#ifndef CORE_DEVICE_CHARDEV_MUX_H
#define CORE_DEVICE_CHARDEV_MUX_H

#include "core/device/chardev.h"

#define CHARDEV_MUX_PORTS 4

struct chardev_mux;

/* Takes over @base. @quit is called for Ctrl-A x. [locked] */
struct chardev_mux *chardev_mux_new(struct chardev *base, void (*quit)(void *opaque), void *opaque);

/* The next port; the first one has the focus. @label is borrowed. NULL and err if there are too
 * many. A mux without a port must get one. */
struct chardev *chardev_mux_port(struct chardev_mux *m, const char *label, struct error **err);

#endif
