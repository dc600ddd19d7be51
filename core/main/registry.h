/*
 * What can be chosen by name: accelerators, displays, optional devices. A new one is a file of its
 * own and a row in registry.c.
 */
#ifndef CORE_MAIN_REGISTRY_H
#define CORE_MAIN_REGISTRY_H

#include "core/accel/accel.h"
#include "core/main/options.h"
#include "core/main/parts.h"

struct display_row {
    const char *name, *alias, *text;
    /* Shows @m's screen and takes its input until close; *state is the display's own. [locked] */
    bool (*open)(struct machine *m, void **state, struct error **err); /* NULL: nothing to do */
    void (*close)(void *state);                                        /* NULL where open is */
};

struct device_row {
    const char *name, *bus, *text;
    const char *const *props; /* "name=<type>" lines for help, ended by NULL */
    bool (*add)(struct parts *p, const struct config *c, struct opts *o, struct error **err);
};

/* Lookups by name. NULL and err (with the nearest name) if there is none. */
const struct display_row *registry_display(const char *name, struct error **err);
const struct device_row *registry_device(const char *name, struct error **err);

/* True if @name may stand in an -accel list, also where this build or host cannot run it. */
bool registry_accel_known(const char *name, struct error **err);

/* The first accelerator of -accel's list that works here and can do what is asked of it. The error
 * gives the reason of each. *next is who goes on where it cannot; NULL unless it was chosen by us,
 * not named. */
const struct accel *registry_accel(const struct config *c, const struct accel **next,
                                   struct error **err);

/* `coldboot accel`: what each can do here, measured now. */
void registry_measure_accels(FILE *out, const char *name);

/* Lists for the help forms of options. Only registry_list_device_keys looks at @name: a device. */
void registry_list_device_keys(FILE *out, const char *name);
void registry_list_accels(FILE *out, const char *name);
void registry_list_displays(FILE *out, const char *name);
void registry_list_devices(FILE *out, const char *name);
void registry_list_cpus(FILE *out, const char *name);
void registry_list_machines(FILE *out, const char *name);

#endif
