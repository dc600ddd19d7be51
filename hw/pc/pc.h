/*
 * The `pc` board: i440FX, PIIX3 and the ISA chips around them.
 *
 * Order of calls: pc_config_init, fill the config from the command line, firmware_load_bios,
 * machine_init, the accelerator, pc_init; then machine_reset and resume_all_vcpus. The config and
 * what it points to must live as long as the machine.
 */
#ifndef HW_PC_PC_H
#define HW_PC_PC_H

#include "core/block/block.h"
#include "core/device/chardev.h"
#include "core/device/machine.h"
#include "hw/pc/firmware.h"
#include "hw/pc/kernel.h"

#define PC_FLOPPIES        2
#define PC_DISKS           4
#define PC_COMS            4
#define PC_MAX_DEBUGCONS   4
#define PC_MAX_EXITS       4
#define PC_MAX_FW_ITEMS    32
#define PC_MAX_OPTION_ROMS 8
#define PC_MAX_CPUS        MACHINE_MAX_VCPUS

enum pc_vga { PC_VGA_NONE, PC_VGA_STD };

struct pc_disk {
    bool present;
    bool cd;                 /* a CD-ROM drive; its image may be NULL */
    struct block *image;
};

struct pc_debugcon {
    uint16_t port;
    uint8_t read_value;      /* what a read gives: E9h says "debug console here" */
    struct chardev *chardev;
};

struct pc_exit {
    uint16_t port;
    uint8_t bytes;           /* ports it takes: 1..8 */
    bool plain;              /* coldboot-exit: status = value; else isa-debug-exit: value * 2 + 1 */
};

struct pc_fw_item {
    const char *name;        /* at most 55 characters */
    const void *data;
    size_t bytes;
};

/* Texts of the SMBIOS tables; NULL: the default. */
struct smbios_texts {
    const char *manufacturer, *product, *version, *serial, *sku, *family; /* type 1 */
    const char *chassis_manufacturer, *chassis_version, *chassis_serial;  /* type 3 */
};

struct pc_config {
    uint64_t ram_bytes;          /* 1 MiB to 64 GiB, a multiple of 4 KiB */
    uint64_t low_max;            /* most RAM below 4 GiB: MACHINE_LOW_MAX or less */
    unsigned cpus, max_cpus;     /* 1 or more */
    bool amd_cpu;                /* AuthenticAMD: e820 reserves the HyperTransport hole */
    uint32_t cpu_signature, cpu_features; /* CPUID leaf 1 EAX and EDX for SMBIOS; 0: unknown */
    struct firmware bios;        /* 64, 128 or 256 KiB */
    enum pc_vga vga;
    struct firmware vga_bios;
    bool fdc;                    /* a floppy controller is there (floppies may be empty) */
    bool floppy_drive[PC_FLOPPIES];        /* a drive is connected */
    struct block *floppies[PC_FLOPPIES];   /* its medium, or NULL */
    struct pc_disk disks[PC_DISKS];        /* primary master, slave, secondary master, slave */
    bool com_present[PC_COMS];
    struct chardev *com[PC_COMS];          /* NULL: output goes nowhere */
    bool com_line_time;                    /* characters take the time of their baud rate */
    bool lpt_present;                      /* LPT1 */
    struct chardev *lpt;                   /* NULL: prints into nothing */
    bool pvpanic;                          /* at pvpanic_port */
    uint16_t pvpanic_port;
    uint8_t pvpanic_events;
    bool pc_testdev, pci_testdev;
    struct pc_debugcon debugcons[PC_MAX_DEBUGCONS];
    unsigned n_debugcons;
    struct pc_exit exits[PC_MAX_EXITS];
    unsigned n_exits;

    const char *boot_order;      /* letters a c d n, most wanted first */
    const char *boot_once;       /* the same until the first reset; NULL: as boot_order */
    bool boot_menu, boot_strict;
    bool has_splash_time;
    uint16_t splash_time_ms;     /* how long the boot menu waits */
    int32_t reboot_timeout_ms;   /* -1: never retry after a failed boot */
    bool fd_bootchk;             /* check a floppy's boot signature */

    struct pc_fw_item fw_items[PC_MAX_FW_ITEMS];   /* -fw_cfg */
    unsigned n_fw_items;
    struct pc_fw_item option_roms[PC_MAX_OPTION_ROMS]; /* -option-rom: genroms/NAME */
    unsigned n_option_roms;
    uint8_t uuid[16];            /* as written, most significant first */
    struct smbios_texts smbios;

    struct kernel kernel;        /* -kernel */

    bool acpi;                   /* the power management function and the ACPI tables */
    bool hpet;
    bool smm;                    /* SMI works; else firmware is told not to try */
    bool no_graphics;            /* -nographic: SeaBIOS may use COM1 as console */
};

struct pc;

/* The defaults of `-M pc` as far as they are built: 128 MiB, one CPU, VGA, floppy drive A, COM1,
 * LPT1. */
void pc_config_init(struct pc_config *cfg);

/* Builds the board into @m (after machine_init), its RAM and its vCPUs included. NULL and err on
 * failure; what was built so far goes with machine_fini. */
struct pc *pc_init(struct machine *m, const struct pc_config *cfg, struct error **err);

/* Puts @b (or nothing: NULL) into floppy drive @n; the image stays the caller's. [locked] */
bool pc_insert_floppy(struct pc *pc, unsigned n, struct block *b, struct error **err);
/* Changes the disc of the CD-ROM drive number @n of disks; NULL takes it out. [locked] */
bool pc_insert_cd(struct pc *pc, unsigned n, struct block *b, struct error **err);

/* What the guest did to the CD-ROM drive number @n of disks: holds its tray, opened it. [locked] */
bool pc_cd_locked(const struct pc *pc, unsigned n);
bool pc_cd_open(const struct pc *pc, unsigned n);

/* Presses the power button (ACPI), as a host wish to shut down. [locked] */
void pc_power_button(struct pc *pc);

/* An NMI to every vCPU, whatever port 70h says. [locked] */
void pc_nmi(struct pc *pc);

/* The last byte written to port 80h. [locked] */
uint8_t pc_post_code(const struct pc *pc);

#endif
