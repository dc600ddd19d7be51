/* The table of options, shared by options.c (which walks it) and the files with the handlers. */
#ifndef CORE_MAIN_OPTIONS_TABLE_H
#define CORE_MAIN_OPTIONS_TABLE_H

#include "core/main/options.h"

struct option_row {
    const char *name, *alias; /* without dashes; alias may be NULL */
    const char *arg;          /* how help shows the argument; NULL: it takes none */
    bool (*set)(struct config *c, const struct option_row *row, const char *arg,
                struct error **err);
    int param;        /* for the handler */
    const char *only; /* for opt_only: the values that are accepted, with '|' between */
    const char *help;
};

/* A row with a name of NULL and a help text opens a group; the table ends with both NULL. */
extern const struct option_row option_rows[];

static inline bool option_is_end(const struct option_row *row)
{
    return row->name == NULL && row->help == NULL;
}

/* QEMU's options that are not there yet: refused with this reason, not as unknown. */
struct refused_row {
    const char *name, *why;
};
extern const struct refused_row refused_rows[];

#define OPTION_HANDLER(name)                                                                       \
    bool name(struct config *c, const struct option_row *row, const char *arg, struct error **err)

/* options_machine.c */
OPTION_HANDLER(opt_machine);
OPTION_HANDLER(opt_accel);
OPTION_HANDLER(opt_kvm);
OPTION_HANDLER(opt_cpu);
OPTION_HANDLER(opt_smp);
OPTION_HANDLER(opt_memory);
OPTION_HANDLER(opt_bios_dir);
OPTION_HANDLER(opt_rtc);
OPTION_HANDLER(opt_uuid);
OPTION_HANDLER(opt_name);
OPTION_HANDLER(opt_boot);
OPTION_HANDLER(opt_fw_cfg);
OPTION_HANDLER(opt_clock);
OPTION_HANDLER(opt_seed);
OPTION_HANDLER(opt_action);

/* options_drive.c */
OPTION_HANDLER(opt_floppy); /* param: which */
OPTION_HANDLER(opt_disk);   /* param: index */
OPTION_HANDLER(opt_drive);

/* options_io.c */
OPTION_HANDLER(opt_device);
OPTION_HANDLER(opt_global);
OPTION_HANDLER(opt_vga);
OPTION_HANDLER(opt_display);
OPTION_HANDLER(opt_vnc);
OPTION_HANDLER(opt_keyboard);
OPTION_HANDLER(opt_log);
OPTION_HANDLER(opt_trace);

/* options_flat.c */
OPTION_HANDLER(opt_flat);
/* Defaults of a -flat run, and what does not go with it. */
bool options_finish_flat(struct config *c, struct error **err);

/* options_chardev.c */
OPTION_HANDLER(opt_serial);
OPTION_HANDLER(opt_parallel);
OPTION_HANDLER(opt_debugcon);
OPTION_HANDLER(opt_chardev);
OPTION_HANDLER(opt_monitor); /* param: 1 QMP, 2 pretty */
OPTION_HANDLER(opt_mon);
OPTION_HANDLER(opt_gdb);
/* Replaces "mon:BACKEND" of ports by a shared line and a monitor on it. */
bool config_share_lines(struct config *c, struct error **err);

/* options_table.c */
OPTION_HANDLER(opt_step);       /* param: enum step_kind */
OPTION_HANDLER(opt_time_limit); /* param: offset of an int64_t (ns) in struct config */
OPTION_HANDLER(opt_string);     /* param: offset of a char * in struct config; comes once */
OPTION_HANDLER(opt_set);        /* param: offset of a bool in struct config */
OPTION_HANDLER(opt_clear);
OPTION_HANDLER(opt_append);
OPTION_HANDLER(opt_show); /* param: enum option_show */
OPTION_HANDLER(opt_only);
OPTION_HANDLER(opt_nothing);

enum option_show { SHOW_HELP, SHOW_VERSION, SHOW_MARKDOWN, SHOW_MAN, SHOW_COMPLETION };

/* "on", "off" and the like; "auto" leaves *out as it is, absent too. */
bool option_bool_or_auto(struct opts *o, const char *key, bool *out, struct error **err);

#endif
