/*
 * The command line as a plain struct. Names and meaning follow QEMU's.
 *
 * Order of calls: options_parse, then either config.show (help and lists) or the start-up; last
 * config_free. Parsing opens no image and changes nothing on the host.
 */
#ifndef CORE_MAIN_OPTIONS_H
#define CORE_MAIN_OPTIONS_H

#include "core/base/error.h"
#include "core/base/opts.h"
#include "core/device/machine.h"
#include "core/event/clock.h"
#include "core/main/script.h"

#include <stdio.h>

#define CONFIG_FLOPPIES 2
#define CONFIG_DISKS    4 /* hard disks and CDs: primary master, slave, secondary... */
#define CONFIG_SERIALS  4
#define CONFIG_MONITORS 16
#define CONFIG_ACCELS   8
#define CONFIG_LISTS    64 /* devices, character devices, traces, fw_cfg items: each */
#define CONFIG_RAM_MIN  (1024ull * 1024)
#define CONFIG_RAM_MAX  (64ull * 1024 * 1024 * 1024)
#define CONFIG_MAX_WAIT 0x7fff /* ms: -boot splash-time and reboot-timeout fit 16 bits */

struct drive_config {
    char *option; /* as the user wrote it, for messages: "-hda", "-drive file=..." */
    char *path;   /* NULL: the drive is empty */
    char *format; /* NULL: recognise it */
    bool snapshot, read_only;
    bool given; /* asked for, also when empty */
    bool cd;    /* a CD-ROM drive, else a disk */
};

struct chardev_config {
    char *id;
    char *spec;  /* what chardev_new takes */
    bool shared; /* several users, Ctrl-A c switches (mux=on) */
};

struct monitor_config {
    char *spec;  /* as for serials */
    char *given; /* the option as the user wrote it, for messages */
    bool qmp, pretty;
    bool gdb; /* not a monitor but a server for gdb */
};

struct device_config {
    char *text;       /* as given, for messages */
    struct opts opts; /* key "driver" is the name */
};

struct fw_cfg_config {
    char *name;
    uint8_t *data;
    size_t bytes;
};

/* -flat: a program without firmware. */
struct flat_options {
    char *file; /* NULL: an ordinary machine */
    uint64_t addr;
    uint16_t gpr[8]; /* AX CX DX BX SP BP SI DI */
    uint64_t exits;  /* end after so many device accesses; 0: no limit */
};

enum rtc_base { RTC_UTC, RTC_LOCALTIME, RTC_DATE };

/* What to do when the guest asks for it (-action, -no-reboot, -no-shutdown). */
struct action_config {
    bool no_reboot, no_shutdown;
    enum panic_action panic;
};

struct config {
    /* A request to print something and end with status 0, in place of a run. */
    void (*show)(FILE *out, const char *name);
    char *show_name; /* what it is about, if that is one thing */

    /* the machine */
    char *accels[CONFIG_ACCELS]; /* names to try in this order; "auto" when none was given */
    unsigned n_accels;
    bool jit_check, jit_perf;    /* -accel jit,check=on,perf=on */
    char *cpu;                      /* as given */
    bool cpu_host;                  /* the host's own, whatever that is */
    char *kernel, *initrd, *append; /* started without a boot medium */
    struct x86_model *cpu_model;    /* with its features changed; NULL: the default model */
    uint64_t ram_bytes, low_max;
    unsigned cpus, max_cpus; /* 1..PC_MAX_CPUS; max_cpus is at least cpus */
    unsigned cores, threads; /* cores of a socket, threads of a core; 0 is 1 */
    bool hpet;
    bool acpi, smm, graphics, defaults, vga, vga_given, floppy_check;
    char *bios;                    /* file name; NULL: the default one */
    char *bios_dirs[CONFIG_LISTS]; /* -L */
    unsigned n_bios_dirs;
    char *name;
    uint8_t uuid[16];
    bool has_uuid, has_seed;
    uint64_t seed;
    enum rtc_base rtc_base;
    int64_t rtc_date_s; /* RTC_DATE: Unix time of the first second */

    struct flat_options flat;

    /* booting: what firmware reads */
    char *boot_order, *boot_once; /* letters; NULL: the default order */
    bool boot_menu, boot_strict;
    int64_t boot_splash_ms, boot_retry_ms; /* -1: not given */

    /* media and devices */
    struct drive_config floppy[CONFIG_FLOPPIES];
    struct drive_config disk[CONFIG_DISKS];
    bool snapshot;
    char *image; /* a plain argument: its drive is found when it is opened */
    struct device_config devices[CONFIG_LISTS];
    unsigned n_devices;
    struct fw_cfg_config fw_cfg[CONFIG_LISTS];
    unsigned n_fw_cfg;

    /* character devices */
    struct chardev_config chardevs[CONFIG_LISTS];
    unsigned n_chardevs;
    char *serials[CONFIG_SERIALS]; /* back ends of COM1 to COM4: a spec, "chardev:ID", "none" */
    unsigned n_serials;
    bool serial_line_time; /* characters take the time of their baud rate */
    char *parallel; /* LPT1's, likewise; NULL: the default */
    char *debugcon; /* likewise; NULL: there is no debug console */
    uint16_t debugcon_port;
    struct monitor_config monitors[CONFIG_MONITORS];
    unsigned n_monitors;
    bool monitor_given;

    /* what a person sees */
    char *display; /* a name of the registry; never NULL after parsing */
    bool nographic;

    /* running */
    bool clock_given;
    enum clock_driver clock;
    int64_t insn_ns, io_ns; /* rates of the virtual clock; -1: the default */
    bool paused;            /* -S */
    struct action_config action;
    unsigned log_classes; /* -d: LOG_ bits */
    char *log_path;                       /* -D */
    char *traces[CONFIG_LISTS];
    unsigned n_traces;
    bool trace_json; /* lines as JSON objects */
    char *pidfile;

    /* automation */
    struct script script; /* no steps: an ordinary run */
    bool digest;
    int64_t host_limit_ns; /* a script may take this much host time */
};

/* Fills *c from the command line; the rest has its default. On false *c is free already. */
bool options_parse(struct config *c, int argc, char *const *argv, struct error **err);
void config_free(struct config *c);

/* Who reads and writes this process's terminal: an option's name for messages, or NULL. */
const char *config_stdio_user(const struct config *c);

/* The -chardev that "chardev:ID" names; NULL: another spec, or there is none. */
const struct chardev_config *config_chardev_by_id(const struct config *c, const char *spec);

/* The back end behind "chardev:ID", or @spec itself; NULL and err if there is no such ID. */
const char *config_chardev(const struct config *c, const char *spec, struct error **err);

void options_help(FILE *out, const char *name);     /* --help: every option with its text */
void options_markdown(FILE *out, const char *name); /* the same as docs/options.md */
void options_man(FILE *out, const char *name); /* the manual page, with the monitor's commands */
void options_completion(FILE *out, const char *name); /* for bash */
void options_version(FILE *out, const char *name);

#endif
