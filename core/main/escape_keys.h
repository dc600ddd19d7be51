/*
 * A serial line on the terminal with a way out: Ctrl-A is a prefix, as with QEMU's mon:stdio.
 * Ctrl-A x ends the machine, Ctrl-A h shows what there is, Ctrl-A Ctrl-A sends one to the guest.
 */
#ifndef CORE_MAIN_ESCAPE_KEYS_H
#define CORE_MAIN_ESCAPE_KEYS_H

#include "core/device/chardev.h"

/* Stands in front of @base and owns it. @quit is called for Ctrl-A x. [locked] */
struct chardev *escape_keys_new(struct chardev *base, void (*quit)(void *opaque), void *opaque);

#endif
