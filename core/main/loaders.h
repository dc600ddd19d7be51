/*
 * Files that go straight into guest memory: -flat and -device loader.
 */
#ifndef CORE_MAIN_LOADERS_H
#define CORE_MAIN_LOADERS_H

#include "core/accel/vcpu.h"
#include "core/base/opts.h"
#include "hw/pc/loader.h"

#define LOADERS_MAX 16

struct part_loader {
    char id[16];
    char *file;              /* for messages */
    uint8_t *data;
    size_t bytes;
    uint64_t addr;
    bool starts;             /* processor @cpu starts at addr, with the registers of @start */
    unsigned cpu;
    struct vcpu_start start;
    struct loader device;
};

struct loaders {
    struct part_loader list[LOADERS_MAX];
    unsigned n;
};

/* Reads @file whole. NULL and err on failure, else it is in the list. */
struct part_loader *loaders_add(struct loaders *ls, const char *file, uint64_t addr,
                                struct error **err);
/* The keys of -device loader: file, addr, cpu-num, force-raw. */
bool loaders_add_device(struct loaders *ls, struct opts *o, struct error **err);
/* Puts all into the machine: after its board is built, before the reset. */
bool loaders_install(struct loaders *ls, struct machine *m, struct error **err);
void loaders_free(struct loaders *ls);

#endif
