/*
 * A loader: bytes that stand in memory after every reset. Not hardware; what other machines' ROMs
 * or a debugger would put there.
 */
#ifndef HW_PC_LOADER_H
#define HW_PC_LOADER_H

#include "core/device/machine.h"

struct loader {
    struct machine *machine;
    const void *data;        /* borrowed */
    size_t bytes;
    uint64_t addr;           /* physical */
};

/* @id is borrowed and unique. The bytes must fit into RAM; false and err if they do not. After RAM
 * is mapped. */
bool loader_init(struct loader *s, struct machine *m, const char *id, uint64_t addr,
                 const void *data, size_t bytes, struct error **err);

#endif
