/*
 * fw_cfg items and files of the `pc` board: memory map, CPU counts, boot settings, option ROMs.
 *
 * Source: [FWCFG]; which items SeaBIOS reads and what it makes of them was observed.
 */
#include "hw/pc/fw_items.h"

#include "core/accel/vcpu.h"
#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { E820_RAM = 1, E820_RESERVED = 2 };
#define E820_ENTRY_BYTES 20

/* AMD processors keep 12 GiB under 1 TiB for HyperTransport. */
#define HT_HOLE_START 0xfd00000000ull
#define HT_HOLE_BYTES 0x300000000ull

enum { SLEEP_SUPPORTED = 0x80 };

static uint8_t *e820_entry(uint8_t *p, uint64_t base, uint64_t bytes, uint32_t type)
{
    st64le(p, base);
    st64le(p + 8, bytes);
    st32le(p + 16, type);
    return p + E820_ENTRY_BYTES;
}

static bool add_e820(struct fw_cfg *f, const struct machine *m, bool amd, struct error **err)
{
    uint8_t map[3 * E820_ENTRY_BYTES];
    uint8_t *end = e820_entry(map, 0, m->ram_low.bytes, E820_RAM);

    if (m->ram_high.bytes != 0) {
        end = e820_entry(end, 4 * GiB, m->ram_high.bytes, E820_RAM);
    }
    if (amd) {
        end = e820_entry(end, HT_HOLE_START, HT_HOLE_BYTES, E820_RESERVED);
    }
    return fw_cfg_add_file(f, "etc/e820", map, (size_t)(end - map), err);
}

/* One more than the highest APIC ID: where sockets have gaps, more than there can be CPUs. */
static unsigned apic_ids(const struct machine *m, const struct pc_config *cfg)
{
    return vcpu_apic_id(m, cfg->max_cpus - 1) + 1;
}

/* No NUMA nodes: u64 count 0, then a node number (0) for each possible APIC ID. */
static void add_numa(struct fw_cfg *f, unsigned ids)
{
    uint64_t numa[1 + 256] = {0};
    fw_cfg_add(f, FW_CFG_NUMA, numa, 8 * (1 + min_u64(ids, 256)));
}

static void add_numbers(struct fw_cfg *f, const struct machine *m, const struct pc_config *cfg)
{
    fw_cfg_add(f, FW_CFG_UUID, cfg->uuid, sizeof(cfg->uuid));
    fw_cfg_add_number(f, FW_CFG_RAM_SIZE, m->ram_low.bytes + m->ram_high.bytes, 8);
    fw_cfg_add_number(f, FW_CFG_NOGRAPHIC, cfg->no_graphics, 2);
    fw_cfg_add_number(f, FW_CFG_NB_CPUS, cfg->cpus, 2);
    fw_cfg_add_number(f, FW_CFG_MAX_CPUS, apic_ids(m, cfg), 2);
    fw_cfg_add_number(f, FW_CFG_BOOT_MENU, cfg->boot_menu, 2);
    add_numa(f, apic_ids(m, cfg));
    fw_cfg_add_number(f, FW_CFG_ACPI_TABLES, 0, 2);    /* the old ways to pass tables: none */
    fw_cfg_add_number(f, FW_CFG_SMBIOS_ENTRIES, 0, 2);
    fw_cfg_add_number(f, FW_CFG_IRQ0_OVERRIDE, 1, 4);  /* IRQ 0 is pin 2 of an I/O APIC */
}

static bool add_boot_files(struct fw_cfg *f, const struct pc_config *cfg, struct error **err)
{
    /* S0..S5: this board can be on, suspended to disk (S4: type 2) and off (S5: type 0). */
    static const uint8_t states[6] = {
        SLEEP_SUPPORTED, 0, 0, 1, SLEEP_SUPPORTED | 2, SLEEP_SUPPORTED,
    };
    uint8_t fail_wait[4], menu_wait[2];

    st32le(fail_wait, (uint32_t)cfg->reboot_timeout_ms);
    st16le(menu_wait, cfg->splash_time_ms);
    return fw_cfg_add_file(f, "etc/boot-fail-wait", fail_wait, sizeof(fail_wait), err) &&
           (!cfg->has_splash_time ||
            fw_cfg_add_file(f, "etc/boot-menu-wait", menu_wait, sizeof(menu_wait), err)) &&
           fw_cfg_add_file(f, "etc/system-states", states, sizeof(states), err);
}

static bool add_option_roms(struct fw_cfg *f, const struct pc_config *cfg, struct error **err)
{
    for (unsigned i = 0; i < cfg->n_option_roms; i++) {
        const struct pc_fw_item *rom = &cfg->option_roms[i];
        char *name = xasprintf("genroms/%s", rom->name);
        bool good = fw_cfg_add_file(f, name, rom->data, rom->bytes, err);
        free(name);
        if (!good) {
            return error_prefix(err, "-option-rom");
        }
    }
    return true;
}

static bool add_user_files(struct fw_cfg *f, const struct pc_config *cfg, struct error **err)
{
    for (unsigned i = 0; i < cfg->n_fw_items; i++) {
        const struct pc_fw_item *item = &cfg->fw_items[i];
        if (!fw_cfg_add_file(f, item->name, item->data, item->bytes, err)) {
            return error_prefix(err, "-fw_cfg");
        }
    }
    return true;
}

/* Disks whose partition table no translation of firmware's own would agree with. */
static bool add_geometries(struct fw_cfg *f, const struct piix3_ide *ide, struct error **err)
{
    char text[PC_DISKS * 80];
    size_t n = 0;

    for (unsigned i = 0; i < PC_DISKS; i++) {
        struct ata_geometry g;
        unsigned channel = i / PIIX3_IDE_UNITS, unit = i % PIIX3_IDE_UNITS;
        if (ide != NULL && ide_drive_geometry(ide, channel, unit, &g) && g.override) {
            n += (size_t)snprintf(text + n, sizeof(text) - n,
                                  "/pci@i0cf8/ide@1,1/drive@%u/disk@%u %u %u %u\n", channel, unit,
                                  g.table_cylinders, g.table_heads, g.table_sectors);
        }
    }
    return n == 0 || fw_cfg_add_file(f, "bios-geometry", text, n + 1, err);
}

bool fw_items_add(struct fw_cfg *f, const struct machine *m, const struct pc_config *cfg,
                  const struct piix3_ide *ide, struct error **err)
{
    add_numbers(f, m, cfg);
    return add_e820(f, m, cfg->amd_cpu, err) && add_boot_files(f, cfg, err) &&
           add_geometries(f, ide, err) && add_option_roms(f, cfg, err) &&
           add_user_files(f, cfg, err);
}
