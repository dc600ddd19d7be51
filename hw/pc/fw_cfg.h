/*
 * The firmware configuration device: items by number and files by name, read through ports 510h and
 * 511h or by DMA.
 *
 * Order of calls: fw_cfg_init, fw_cfg_add_*, fw_cfg_seal once (numbers the files), then the machine
 * runs. Content is copied, or made when the guest selects the item.
 */
#ifndef HW_PC_FW_CFG_H
#define HW_PC_FW_CFG_H

#include "core/device/machine.h"

#define FW_CFG_MAX_ITEMS  96
#define FW_CFG_NAME_BYTES 56

/* Items with fixed numbers. */
enum {
    FW_CFG_SIGNATURE = 0x0000,
    FW_CFG_ID = 0x0001,
    FW_CFG_UUID = 0x0002,
    FW_CFG_RAM_SIZE = 0x0003,
    FW_CFG_NOGRAPHIC = 0x0004,
    FW_CFG_NB_CPUS = 0x0005,
    FW_CFG_NUMA = 0x000d,
    FW_CFG_BOOT_MENU = 0x000e,
    FW_CFG_MAX_CPUS = 0x000f,
    FW_CFG_FILE_DIR = 0x0019,
    FW_CFG_FILE_FIRST = 0x0020,
    FW_CFG_ACPI_TABLES = 0x8000,
    FW_CFG_SMBIOS_ENTRIES = 0x8001,
    FW_CFG_IRQ0_OVERRIDE = 0x8002,
};

struct fw_cfg_item {
    char name[FW_CFG_NAME_BYTES];    /* of a file; "" for an item with a fixed number */
    uint16_t key;
    const uint8_t *data;
    uint32_t bytes;
    void (*selected)(void *opaque);  /* brings *data up to date; may be NULL */
    void *opaque;
};

struct fw_cfg {
    struct machine *machine;
    struct region select_port, dma_ports;
    struct fw_cfg_item items[FW_CFG_MAX_ITEMS];
    unsigned n_items;
    bool sealed;
    uint16_t key;            /* selected item; one that does not exist reads as zeros */
    uint32_t offset;         /* next byte, at most the item's size */
    uint32_t dma_high;       /* upper half of the next descriptor's address */
};

void fw_cfg_init(struct fw_cfg *f, struct machine *m);

/* Copies @bytes of @data into the item @key. */
void fw_cfg_add(struct fw_cfg *f, uint16_t key, const void *data, size_t bytes);
void fw_cfg_add_number(struct fw_cfg *f, uint16_t key, uint64_t val, unsigned bytes);

/* A file with a copy of @data. Fails if the name is empty, too long or taken, or the table is
 * full. */
bool fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, size_t bytes,
                     struct error **err);

/* A file whose content stays the caller's: @bytes at @data, brought up to date by @selected each
 * time the guest selects it. */
bool fw_cfg_add_live_file(struct fw_cfg *f, const char *name, const void *data, size_t bytes,
                          void (*selected)(void *opaque), void *opaque, struct error **err);

/* Sorts and numbers the files and makes their directory. */
void fw_cfg_seal(struct fw_cfg *f);

/* The item @key, or the file @name; NULL if there is none. For tests and the monitor. */
const struct fw_cfg_item *fw_cfg_find(const struct fw_cfg *f, uint16_t key);
const struct fw_cfg_item *fw_cfg_find_file(const struct fw_cfg *f, const char *name);

#endif
