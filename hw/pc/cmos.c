/*
 * CMOS contents that SeaBIOS and guests read.
 *
 * Source: [CMOS] bytes 0Fh to 5Fh of the AT and their use by SeaBIOS; values compared with QEMU's.
 */
#include "hw/pc/cmos.h"

#include "core/base/bits.h"

#include <string.h>

enum {
    CMOS_SHUTDOWN = 0x0f,
    CMOS_FLOPPIES = 0x10,
    CMOS_DISKS = 0x12,
    CMOS_EQUIPMENT = 0x14,
    CMOS_DISK_TYPE = 0x19,       /* of C:, then D: */
    CMOS_DISK_C = 0x1b,          /* 9 bytes of parameters, then those of D: */
    CMOS_BASE_KIB = 0x15,        /* 16 bits, as the next ones */
    CMOS_EXTENDED_KIB = 0x17,
    CMOS_EXTENDED_COPY = 0x30,
    CMOS_ABOVE_16M = 0x34,       /* in 64 KiB */
    CMOS_CENTURY = 0x32,
    CMOS_CENTURY_COPY = 0x37,    /* where PS/2 software looks */
    CMOS_BOOT_THIRD = 0x38,
    CMOS_BOOT_FIRST = 0x3d,
    CMOS_TRANSLATION = 0x39,     /* 2 bits a drive */
    CMOS_ABOVE_4G = 0x5b,        /* in 64 KiB, 24 bits */
    CMOS_CPUS = 0x5f,
};

enum {
    EQUIPMENT_FLOPPY = 0x01,
    EQUIPMENT_FPU = 0x02,
    EQUIPMENT_MOUSE = 0x04,
};

#define BOOT_SKIP_FLOPPY_CHECK 0x01
#define DISK_TYPE_USER         47
#define DISK_BYTES             9

static void set16(struct mc146818 *rtc, unsigned index, uint64_t val)
{
    mc146818_cmos_set(rtc, index, (uint8_t)val);
    mc146818_cmos_set(rtc, index + 1, (uint8_t)(val >> 8));
}

static void fill_memory(struct mc146818 *rtc, const struct machine *m)
{
    uint64_t low = m->ram_low.bytes;
    uint64_t above_1m = low > MiB ? (low - MiB) / KiB : 0;
    uint64_t above_16m = low > 16 * MiB ? (low - 16 * MiB) / (64 * KiB) : 0;
    uint64_t above_4g = m->ram_high.bytes / (64 * KiB);

    set16(rtc, CMOS_BASE_KIB, min_u64(low / KiB, 640));
    set16(rtc, CMOS_EXTENDED_KIB, min_u64(above_1m, 65535));
    set16(rtc, CMOS_EXTENDED_COPY, min_u64(above_1m, 65535));
    set16(rtc, CMOS_ABOVE_16M, min_u64(above_16m, 65535));
    set16(rtc, CMOS_ABOVE_4G, above_4g & 0xffff);
    mc146818_cmos_set(rtc, CMOS_ABOVE_4G + 2, (uint8_t)(above_4g >> 16));
}

static void fill_floppies(struct mc146818 *rtc, const unsigned types[PC_FLOPPIES])
{
    unsigned count = (types[0] != 0) + (types[1] != 0);
    uint8_t equipment = EQUIPMENT_FPU | EQUIPMENT_MOUSE;

    if (count != 0) {
        equipment |= (uint8_t)(EQUIPMENT_FLOPPY | (count - 1) << 6);
    }
    mc146818_cmos_set(rtc, CMOS_FLOPPIES, (uint8_t)((types[0] & 15) << 4 | (types[1] & 15)));
    mc146818_cmos_set(rtc, CMOS_EQUIPMENT, equipment);
}

/* SeaBIOS' number of the device with @letter; 0: none. */
static unsigned boot_code(char letter)
{
    switch (letter) {
    case 'a': case 'b': return 1;
    case 'c': return 2;
    case 'd': return 3;
    case 'n': return 4;
    default: return 0;
    }
}

static void code_boot_order(const char *order, bool fd_bootchk, uint8_t *first, uint8_t *third)
{
    unsigned code[3] = {0};

    for (unsigned i = 0; order != NULL && i < ARRAY_SIZE(code) && order[i] != '\0'; i++) {
        code[i] = boot_code(order[i]);
    }
    *first = (uint8_t)(code[1] << 4 | code[0]);
    *third = (uint8_t)(code[2] << 4 | (fd_bootchk ? 0 : BOOT_SKIP_FLOPPY_CHECK));
}

static void set_boot_order(struct mc146818 *rtc, uint8_t first, uint8_t third)
{
    mc146818_cmos_set(rtc, CMOS_BOOT_FIRST, first);
    mc146818_cmos_set(rtc, CMOS_BOOT_THIRD, third);
}

static void fill_boot_order(struct mc146818 *rtc, const struct pc_config *cfg)
{
    uint8_t first, third;

    code_boot_order(cfg->boot_once != NULL ? cfg->boot_once : cfg->boot_order, cfg->fd_bootchk,
                    &first, &third);
    set_boot_order(rtc, first, third);
}

/* Disks C: and D: of the primary channel as AT type 47, "user defined"; all four's translations. */
static void fill_disks(struct mc146818 *rtc, const struct piix3_ide *ide)
{
    uint8_t types = 0, translations = 0;

    for (unsigned i = 0; i < PC_DISKS; i++) {
        struct ata_geometry g;
        if (ide == NULL || !ide_drive_geometry(ide, i / PIIX3_IDE_UNITS, i % PIIX3_IDE_UNITS, &g)) {
            continue;
        }
        translations |= (uint8_t)(g.translation << 2 * i);
        if (i >= PIIX3_IDE_UNITS) {
            continue;
        }
        unsigned at = CMOS_DISK_C + DISK_BYTES * i;
        types |= i == 0 ? 0xf0 : 0x0f;
        mc146818_cmos_set(rtc, CMOS_DISK_TYPE + i, DISK_TYPE_USER);
        set16(rtc, at, g.cylinders);
        mc146818_cmos_set(rtc, at + 2, g.heads);
        set16(rtc, at + 3, 0xffff);                       /* no write precompensation */
        mc146818_cmos_set(rtc, at + 5, g.heads > 8 ? 0xc8 : 0xc0);
        set16(rtc, at + 6, g.cylinders);                  /* landing zone */
        mc146818_cmos_set(rtc, at + 8, g.sectors);
    }
    mc146818_cmos_set(rtc, CMOS_DISKS, types);
    mc146818_cmos_set(rtc, CMOS_TRANSLATION, translations);
}

void cmos_fill(struct mc146818 *rtc, const struct machine *m, const struct pc_config *cfg,
               const unsigned floppy_types[PC_FLOPPIES], const struct piix3_ide *ide)
{
    mc146818_cmos_set(rtc, CMOS_SHUTDOWN, 0);
    mc146818_cmos_set(rtc, CMOS_CPUS, (uint8_t)(cfg->cpus - 1));
    mc146818_cmos_set(rtc, CMOS_CENTURY_COPY, mc146818_cmos_get(rtc, CMOS_CENTURY));
    fill_memory(rtc, m);
    fill_floppies(rtc, floppy_types);
    fill_disks(rtc, ide);
    fill_boot_order(rtc, cfg);
}

/* ---- -boot once= ---- */

static void boot_once_reset(void *dev)
{
    struct boot_once *s = dev;

    if (s->started) {
        set_boot_order(s->rtc, s->first, s->third);
    }
    s->started = true;
}

static const struct state_field boot_once_state[] = {
    STATE_KEPT(struct boot_once, started),
    STATE_END(),
};

static const struct device_type boot_once_type = {
    .name = "boot-once", .version = 1, .reset = boot_once_reset, .state = boot_once_state,
};

void boot_once_init(struct boot_once *s, struct machine *m, struct mc146818 *rtc,
                    const struct pc_config *cfg)
{
    s->rtc = rtc;
    code_boot_order(cfg->boot_order, cfg->fd_bootchk, &s->first, &s->third);
    if (cfg->boot_once != NULL) {
        machine_add(m, &boot_once_type, "boot-once", s);
    }
}

bool boot_order_change(struct boot_once *s, const char *letters, struct error **err)
{
    for (const char *p = letters; *p != '\0'; p++) {
        if (strchr("abcdn", *p) == NULL || strchr(p + 1, *p) != NULL) {
            return error_set(err, "'%c' %s", *p,
                             strchr("abcdn", *p) == NULL ? "is none of a, b, c, d, n"
                                                         : "comes twice");
        }
    }
    code_boot_order(letters, !(s->third & BOOT_SKIP_FLOPPY_CHECK), &s->first, &s->third);
    set_boot_order(s->rtc, s->first, s->third);
    return true;
}
