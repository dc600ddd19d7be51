/*
 * Devices: a name, a reset and a state table. A device registers itself with the machine in its
 * init; reset, save, load and digest walk the list in order of registration.
 */
#ifndef CORE_DEVICE_DEVICE_H
#define CORE_DEVICE_DEVICE_H

#include "core/device/state.h"

struct machine;

struct device_type {
    const char *name;
    unsigned version;                    /* of the state table */
    void (*reset)(void *dev);            /* to the documented power-on state; [locked, stopped] */
    const struct state_field *state;     /* ends with STATE_END(); NULL: no state */
    void (*loaded)(void *dev); /* after state_load: derive what is not saved; may be NULL */
};

struct device {
    const struct device_type *type;
    const char *id;                      /* unique in the machine: "i8254", "com1" */
    void *dev;                           /* the struct that the table speaks of */
    struct device *next;
};

#endif
