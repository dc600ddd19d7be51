/*
 * What the monitors share: the machine they look at, its vCPUs' state, who it is, and who is to
 * hear of events.
 *
 * Order of calls: debug_new before the first monitor; debug_free after the main loop and before
 * machine_fini. It ends its monitors. Everything here is [locked] and on the main loop's thread.
 */
#ifndef CORE_DEBUG_DEBUG_H
#define CORE_DEBUG_DEBUG_H

#include "core/accel/vcpu.h"
#include "core/base/json_out.h"
#include "core/device/chardev.h"
#include "core/ui/typist.h"

#include <stdio.h>

#define DEBUG_CHARDEVS 64

/* Who the machine is, for info and query-*. Strings are borrowed. */
struct debug_identity {
    const char *version; /* of this program */
    const char *name;    /* -name; NULL: none */
    uint8_t uuid[16];
    const char *display;
    unsigned log_classes; /* what -d switched on */
};

struct debug_chardev {
    const char *label, *spec; /* borrowed */
    const struct chardev *chardev;
};

struct keys;
struct monitor;

struct monitor_ops {
    /* @event: name; @data: JSON members of "data", or NULL; may be NULL. */
    void (*event)(struct monitor *m, const char *event, const char *data);
    void (*fini)(struct monitor *m);
};

/* The head of every monitor. */
struct monitor {
    const struct monitor_ops *ops;
    struct debug *debug;
    unsigned cpu;    /* that `cpu N` chose */
    char form, size; /* of the last x, xp, print or i; 0: none yet */
    struct monitor *next;
};

struct debug {
    struct machine *machine;
    struct debug_identity id;
    struct debug_chardev chardevs[DEBUG_CHARDEVS];
    unsigned n_chardevs;
    unsigned log_classes;
    FILE *log;               /* opened by logfile; NULL: as before */
    bool frozen;             /* the running machine stands still for this command */
    struct x86_state *state; /* of vCPU state_cpu while frozen or stopped; NULL: not fetched */
    unsigned state_cpu;
    struct keys *keys;     /* what sendkey holds; made when needed */
    struct typist *typist; /* what `type` types; made when needed */
    unsigned buttons;      /* of the mouse, that commands hold: POINTER_ bits */
    struct breaks *breaks;       /* made when needed */
    struct machine_listener listener;
    struct monitor *monitors;
    /* The server that the command gdbserver started, and its line, which is ours; NULL: none. */
    struct monitor *gdbserver;
    struct chardev *gdbserver_line;
};

struct debug *debug_new(struct machine *m, const struct debug_identity *id);
void debug_free(struct debug *d); /* NULL is allowed */

void debug_add_chardev(struct debug *d, const char *label, const char *spec,
                       const struct chardev *c);
void debug_add_monitor(struct debug *d, struct monitor *m);
/* Ends @m. Not while it carries out a command. */
void debug_end_monitor(struct debug *d, struct monitor *m);

/* Gets the vCPUs out of run until debug_thaw, which command_run calls after each command. */
void debug_freeze(struct debug *d);
void debug_thaw(struct debug *d);

/* The state of vCPU @cpu (below n_vcpus), fetched once a command; NULL if there is no such vCPU.
 * Freezes. */
const struct x86_state *debug_state(struct debug *d, unsigned cpu);

/* Physical memory as vCPU @cpu sees it: with or without SMRAM. */
struct space *debug_memory(struct debug *d, unsigned cpu);

/* Tells every monitor. @data: members of the event's data as JSON text, or NULL. */
void debug_event(struct debug *d, const char *event, const char *data);

#endif
