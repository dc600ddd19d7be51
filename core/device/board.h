/*
 * What a board offers to front ends beyond the parts that every machine has: drives whose media can
 * be changed, the power button, views of its PCI bus, named descriptions of its chips. The
 * debugging layer knows boards only through this.
 *
 * The structs stay with who registers them (machine_add_info, machine_add_slot in machine.h) and
 * live as long as the machine.
 */
#ifndef CORE_DEVICE_BOARD_H
#define CORE_DEVICE_BOARD_H

#include "core/base/error.h"
#include "core/base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct block;

/* "info NAME": the description of a chip or of several. */
struct info_provider {
    const char *name;
    void (*show)(void *dev, struct text *out); /* [locked] */
    void *dev;
    struct info_provider *next;
};

/* A drive. */
struct media_slot {
    const char *id;     /* "floppy0" */
    const char *kind;   /* "floppy", "cdrom", "disk" */
    const char *device; /* which device it is attached to, for people */
    bool removable;
    struct block **medium; /* where the owner keeps the image; NULL there: empty */
    /* Puts @b in, or takes the medium out (NULL). Neither closes an image. [locked] */
    bool (*change)(void *dev, unsigned n, struct block *b, struct error **err);
    bool (*locked)(void *dev, unsigned n); /* the guest holds the tray; NULL: never */
    bool (*open)(void *dev, unsigned n);   /* the guest opened it; NULL: it has none */
    void *dev;
    unsigned n;
    struct media_slot *next;
};

/* A base address register or the expansion ROM of a PCI function. */
struct pci_bar_view {
    bool io, prefetch;
    uint64_t bytes;
    uint64_t addr; /* UINT64_MAX: not decoded now */
};

#define PCI_VIEW_BARS 7 /* the seventh is the expansion ROM */

struct pci_view {
    /* Configuration space of bus 0 without side effects; false: no function there. [locked] */
    bool (*config)(void *dev, unsigned devfn, unsigned off, unsigned size, uint32_t *val);
    bool (*bar)(void *dev, unsigned devfn, unsigned n, struct pci_bar_view *out); /* [locked] */
    void *dev;
};

struct board {
    void *dev;                   /* for these functions */
    void (*power_button)(void *dev); /* NULL: there is none [locked] */
    void (*nmi)(void *dev);          /* what NMI sources are wired to; NULL: the vCPUs [locked] */
    /* Which drives firmware tries from the next reset on; NULL: it cannot be told. [locked] */
    bool (*set_boot_order)(void *dev, const char *letters, struct error **err);
    const struct pci_view *pci;  /* NULL: no PCI bus */
    struct info_provider *infos; /* in order of registration */
    struct media_slot *slots;
};

#endif
