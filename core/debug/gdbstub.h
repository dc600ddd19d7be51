/*
 * A server for gdb's remote protocol on a character device.
 *
 * A connection stops the machine; continue, detach or kill in gdb let it go on or end it. The vCPUs
 * are threads 1, 2... of process 1. Addresses are linear, or physical after `maintenance packet
 * Qqemu.PhyMemMode:1`. `monitor COMMAND` is the human monitor's command.
 *
 * When the code's mode has changed at a stop, gdb is first told of an exec, after which it reads
 * the target description again, and then of the stop itself.
 */
#ifndef CORE_DEBUG_GDBSTUB_H
#define CORE_DEBUG_GDBSTUB_H

#include "core/debug/debug.h"

/* A server of @d on @c, which stays the caller's and must outlive it; debug_free ends it. False:
 * the accelerator cannot be debugged. [locked] */
bool gdbstub_new(struct debug *d, struct chardev *c, struct error **err);

/* The back end that -gdb and the monitor's gdbserver mean by @device: a socket listens and does not
 * wait for a client. @device NULL: port 1234 of this host. The caller frees it. */
char *gdbstub_spec(const char *device);

#endif
