/* Handlers of the options about character devices and monitors. */
#include "core/main/options_table.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/text.h"
#include "core/debug/gdbstub.h"
#include "core/device/chardev.h"
#include "core/main/nearest.h"

#include <stdlib.h>
#include <string.h>

#define BY_ID     "chardev:"
#define MONITORED "mon:" /* a monitor shares the line */

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Accepts the back ends that exist; those that only QEMU has are refused by name. */
static bool check_spec(const char *spec, struct error **err)
{
    static const char *const names[] = {"null",      "stdio",     "pty",      "mon:stdio",
                                        "file:PATH", "pipe:PATH", "unix:PATH"};
    struct nearest near = {.wanted = spec};
    if (begins(spec, BY_ID)) {
        return spec[strlen(BY_ID)] != '\0' || error_set(err, "nothing after the colon");
    }
    spec += begins(spec, MONITORED) ? strlen(MONITORED) : 0;
    if (strpbrk(spec, ":,") != NULL) {
        return chardev_check(spec, err);
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        nearest_offer(&near, names[i]);
    }
    return near.distance == 0 ||
           nearest_error(&near, "", err, "there is no character device \"%s\"", spec);
}

static bool set_spec(char **where, const char *spec, struct error **err)
{
    if (*where != NULL) {
        return error_set(err, "was given before, as %s", *where);
    }
    *where = xstrdup(spec);
    return true;
}

OPTION_HANDLER(opt_serial)
{
    if (c->n_serials == CONFIG_SERIALS) {
        return strcmp(arg, "none") == 0 ||
               error_set(err, "more than %d serial ports", CONFIG_SERIALS);
    }
    if (strcmp(arg, "none") != 0 && !check_spec(arg, err)) {
        return false;
    }
    c->serials[c->n_serials++] = xstrdup(arg);
    return true;
}

OPTION_HANDLER(opt_parallel)
{
    return (strcmp(arg, "none") == 0 || check_spec(arg, err)) && set_spec(&c->parallel, arg, err);
}

OPTION_HANDLER(opt_debugcon)
{
    return check_spec(arg, err) && set_spec(&c->debugcon, arg, err);
}

/* ---- -chardev -------------------------------------------------------------------------------- */

/* Appends @value with its commas doubled, as option texts want them. */
static void add_quoted(struct text *t, const char *value)
{
    for (; *value != '\0'; value++) {
        text_printf(t, *value == ',' ? ",," : "%c", *value);
    }
}

/* "socket,path=P" or "socket,host=H,port=P" as the short form that chardev_new takes. */
static bool socket_spec(struct opts *o, struct text *spec, struct error **err)
{
    const char *path = opts_get(o, "path"), *host = opts_get(o, "host"),
               *port = opts_get(o, "port");
    bool server = false, wait = true, telnet = false, delay = true, ok = true;
    if (!opts_bool(o, "server", &server, err) || !opts_bool(o, "wait", &wait, err) ||
        !opts_bool(o, "telnet", &telnet, err) || !opts_bool(o, "delay", &delay, err) ||
        !opts_bool(o, "nodelay", &delay, err) || !opts_bool(o, "ipv4", &ok, err)) {
        return false;
    }
    if ((path != NULL) == (port != NULL)) {
        return error_set(err, "a socket has either path= or host= and port=");
    }
    if (path != NULL) {
        text_puts(spec, "unix:");
        add_quoted(spec, path);
    } else {
        text_printf(spec, "%s:", telnet ? "telnet" : "tcp");
        add_quoted(spec, host != NULL ? host : "");
        text_putc(spec, ':');
        add_quoted(spec, port);
    }
    text_printf(spec, ",server=%s,wait=%s", server ? "on" : "off", wait ? "on" : "off");
    return true;
}

static bool chardev_spec(struct opts *o, struct text *spec, struct error **err)
{
    static const char *const names[] = {"null", "stdio", "pty", "file", "pipe", "socket"};
    const char *backend = opts_get(o, "backend");
    struct nearest near = {.wanted = backend != NULL ? backend : ""};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        nearest_offer(&near, names[i]);
    }
    if (backend == NULL || near.distance != 0) {
        return nearest_error(&near, "", err, "there is no character device \"%s\"", near.wanted);
    }
    if (strcmp(backend, "stdio") == 0) {
        bool signals = true;
        text_puts(spec, "stdio");
        if (!opts_bool(o, "signal", &signals, err)) {
            return false;
        }
        text_puts(spec, signals ? "" : ",signal=off");
        return true;
    }
    if (strcmp(backend, "socket") == 0) {
        return socket_spec(o, spec, err);
    }
    const char *path = opts_get(o, "path");
    bool wants = strcmp(backend, "file") == 0 || strcmp(backend, "pipe") == 0;
    if (wants != (path != NULL && path[0] != '\0')) {
        return error_set(err, wants ? "%s needs path=" : "%s takes no path", backend);
    }
    text_printf(spec, wants ? "%s:%s" : "%s", backend, path);
    return true;
}

static bool add_chardev(struct config *c, const char *id, const char *spec, bool shared,
                        struct error **err)
{
    for (unsigned i = 0; i < c->n_chardevs; i++) {
        if (strcmp(c->chardevs[i].id, id) == 0) {
            return error_set(err, "id=%s: is taken", id);
        }
    }
    if (c->n_chardevs == CONFIG_LISTS) {
        return error_set(err, "more than %d character devices", CONFIG_LISTS);
    }
    c->chardevs[c->n_chardevs++] = (struct chardev_config){
        .id = xstrdup(id),
        .spec = xstrdup(spec),
        .shared = shared,
    };
    return true;
}

OPTION_HANDLER(opt_chardev)
{
    struct opts o;
    struct text spec = {0};
    bool shared = false;
    if (!opts_parse(&o, arg, "backend", err)) {
        return false;
    }
    const char *id = opts_get(&o, "id");
    bool ok = chardev_spec(&o, &spec, err) && opts_bool(&o, "mux", &shared, err) &&
              opts_all_used(&o, err);
    if (ok && (id == NULL || id[0] == '\0')) {
        ok = error_set(err, "id= is needed");
    }
    ok = ok && chardev_check(text_str(&spec), err) &&
         add_chardev(c, id, text_str(&spec), shared, err);
    text_free(&spec);
    opts_free(&o);
    return ok;
}

const struct chardev_config *config_chardev_by_id(const struct config *c, const char *spec)
{
    for (unsigned i = 0; begins(spec, BY_ID) && i < c->n_chardevs; i++) {
        if (strcmp(c->chardevs[i].id, spec + strlen(BY_ID)) == 0) {
            return &c->chardevs[i];
        }
    }
    return NULL;
}

const char *config_chardev(const struct config *c, const char *spec, struct error **err)
{
    if (!begins(spec, BY_ID)) {
        return spec;
    }
    const struct chardev_config *found = config_chardev_by_id(c, spec);
    if (found != NULL) {
        return found->spec;
    }
    const char *id = spec + strlen(BY_ID);
    struct nearest near = {.wanted = id};
    for (unsigned i = 0; i < c->n_chardevs; i++) {
        nearest_offer(&near, c->chardevs[i].id);
    }
    nearest_error(&near, "", err, "there is no -chardev with id=%s", id);
    return NULL;
}

/* ---- monitors -------------------------------------------------------------------------------- */

enum { MONITOR_QMP = 1, MONITOR_PRETTY = 2, MONITOR_GDB = 4 };

/* @option and @arg are what the user wrote. */
static bool add_monitor(struct config *c, const char *spec, unsigned kind, const char *option,
                        const char *arg, struct error **err)
{
    if (c->n_monitors == CONFIG_MONITORS) {
        return error_set(err, "more than %d monitors", CONFIG_MONITORS);
    }
    c->monitors[c->n_monitors++] = (struct monitor_config){
        .spec = xstrdup(spec),
        .given = xasprintf("-%s%s%s", option, arg != NULL ? " " : "", arg != NULL ? arg : ""),
        .qmp = kind & MONITOR_QMP,
        .pretty = kind & MONITOR_PRETTY,
        .gdb = kind & MONITOR_GDB,
    };
    return true;
}

OPTION_HANDLER(opt_monitor)
{
    c->monitor_given = true;
    return strcmp(arg, "none") == 0 || strcmp(arg, "null") == 0 ||
           (check_spec(arg, err) && add_monitor(c, arg, (unsigned)row->param, row->name, arg, err));
}

OPTION_HANDLER(opt_gdb)
{
    const char *given = arg[0] != '\0' ? arg : NULL; /* -s has none */
    char *spec = gdbstub_spec(given);
    bool ok = strcmp(arg, "none") == 0 ||
              (check_spec(spec, err) && add_monitor(c, spec, MONITOR_GDB, row->name, given, err));
    free(spec);
    return ok;
}

OPTION_HANDLER(opt_mon)
{
    struct opts o;
    bool pretty = false;
    if (!opts_parse(&o, arg, "chardev", err)) {
        return false;
    }
    const char *id = opts_get(&o, "chardev"), *mode = opts_get(&o, "mode");
    bool qmp = mode != NULL && strcmp(mode, "control") == 0;
    bool ok = opts_bool(&o, "pretty", &pretty, err) && opts_all_used(&o, err);
    if (ok && id == NULL) {
        ok = error_set(err, "chardev= is needed");
    }
    if (ok && mode != NULL && !qmp && strcmp(mode, "readline") != 0) {
        ok = error_set(err, "mode: \"%s\" is neither readline nor control", mode);
    }
    if (ok) {
        char *spec = xasprintf(BY_ID "%s", id);
        c->monitor_given = true;
        unsigned kind = (qmp ? MONITOR_QMP : 0) | (pretty ? MONITOR_PRETTY : 0);
        ok = add_monitor(c, spec, kind, row->name, arg, err);
        free(spec);
    }
    opts_free(&o);
    return ok;
}

/* "mon:BACKEND" as what it stands for: a shared character device, its user, and a monitor. */
static bool share_line(struct config *c, const char *name, unsigned n, char **spec,
                       struct error **err)
{
    if (*spec == NULL || !begins(*spec, MONITORED)) {
        return true;
    }
    char *id = xasprintf("%s%u", name, n), *by_id = xasprintf(BY_ID "%s", id);
    const char *back_end = *spec + strlen(MONITORED);
    /* The terminal is the guest's then: Ctrl-C is a key, and Ctrl-A x ends the machine. */
    back_end = strcmp(back_end, "stdio") == 0 ? "stdio,signal=off" : back_end;
    bool ok = add_chardev(c, id, back_end, true, err) && add_monitor(c, by_id, 0, name, *spec, err);
    free(id);
    free(*spec);
    *spec = by_id;
    return ok;
}

bool config_share_lines(struct config *c, struct error **err)
{
    for (unsigned i = 0; i < c->n_serials; i++) {
        if (!share_line(c, "serial", i, &c->serials[i], err)) {
            return false;
        }
    }
    for (unsigned i = 0; i < c->n_monitors; i++) {
        struct monitor_config *m = &c->monitors[i];
        if (begins(m->spec, MONITORED)) { /* there is nobody to share with */
            memmove(m->spec, m->spec + strlen(MONITORED), strlen(m->spec + strlen(MONITORED)) + 1);
        }
    }
    return share_line(c, "parallel", 0, &c->parallel, err) &&
           share_line(c, "debugcon", 0, &c->debugcon, err);
}
