/* Handlers of the options about devices, displays and messages. */
#include "core/main/options_table.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/trace.h"
#include "core/main/nearest.h"
#include "core/main/registry.h"
#include "core/ui/input.h"

#include <stdlib.h>
#include <string.h>

/* ---- character devices ----------------------------------------------------------------------- */

/* Accepts the back ends that exist; those that only QEMU has are refused by name. */
static bool check_spec(const char *spec, struct error **err)
{
    static const char *const plain[] = {"null", "stdio", "mon:stdio"};
    struct nearest near = {.wanted = spec};
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
        if (strcmp(spec, plain[i]) == 0) {
            return true;
        }
        nearest_offer(&near, plain[i]);
    }
    if (strncmp(spec, "file:", 5) == 0 || strncmp(spec, "chardev:", 8) == 0) {
        return spec[strcspn(spec, ":") + 1] != '\0' || error_set(err, "nothing after the colon");
    }
    nearest_offer(&near, "file:PATH");
    return nearest_error(&near, "", err, "there is no character device \"%s\"", spec);
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
        return strcmp(arg, "none") == 0 || error_set(err, "more than %d serial ports", CONFIG_SERIALS);
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

OPTION_HANDLER(opt_chardev)
{
    struct opts o;
    if (!opts_parse(&o, arg, "backend", err)) {
        return false;
    }
    const char *backend = opts_get(&o, "backend"), *id = opts_get(&o, "id"), *path = opts_get(&o, "path");
    struct nearest near = {.wanted = backend != NULL ? backend : ""};
    nearest_offer(&near, "null");
    nearest_offer(&near, "stdio");
    nearest_offer(&near, "file");
    opts_get(&o, "signal"); /* whether Ctrl-C ends the process: it does */
    bool ok = opts_all_used(&o, err), file = backend != NULL && strcmp(backend, "file") == 0;
    if (ok && (backend == NULL || near.distance != 0)) {
        ok = nearest_error(&near, "", err, "there is no character device \"%s\"", near.wanted);
    } else if (ok && (id == NULL || id[0] == '\0')) {
        ok = error_set(err, "id= is needed");
    } else if (ok && file != (path != NULL && path[0] != '\0')) {
        ok = error_set(err, "path= goes with file, and only with it");
    }
    for (unsigned i = 0; ok && i < c->n_chardevs; i++) {
        if (strcmp(c->chardevs[i].id, id) == 0) {
            ok = error_set(err, "id=%s: is taken", id);
        }
    }
    if (ok && c->n_chardevs == CONFIG_LISTS) {
        ok = error_set(err, "more than %d character devices", CONFIG_LISTS);
    }
    if (ok) {
        c->chardevs[c->n_chardevs++] = (struct chardev_config){
            .id = xstrdup(id),
            .spec = file ? xasprintf("file:%s", path) : xstrdup(backend),
        };
    }
    opts_free(&o);
    return ok;
}

const char *config_chardev(const struct config *c, const char *spec, struct error **err)
{
    if (strncmp(spec, "chardev:", 8) != 0) {
        return spec;
    }
    struct nearest near = {.wanted = spec + 8};
    for (unsigned i = 0; i < c->n_chardevs; i++) {
        if (strcmp(c->chardevs[i].id, spec + 8) == 0) {
            return c->chardevs[i].spec;
        }
        nearest_offer(&near, c->chardevs[i].id);
    }
    nearest_error(&near, "", err, "there is no -chardev with id=%s", spec + 8);
    return NULL;
}

/* ---- devices --------------------------------------------------------------------------------- */

OPTION_HANDLER(opt_device)
{
    struct device_config d = {0};
    if (strcmp(arg, "help") == 0 || strcmp(arg, "?") == 0) {
        c->show = registry_list_devices;
        return true;
    }
    if (c->n_devices == CONFIG_LISTS) {
        return error_set(err, "more than %d devices", CONFIG_LISTS);
    }
    if (!opts_parse(&d.opts, arg, "driver", err)) {
        return false;
    }
    const char *driver = opts_get(&d.opts, "driver");
    bool ok = driver != NULL || error_set(err, "no device named");
    if (!ok || registry_device(driver, err) == NULL) {
        opts_free(&d.opts);
        return false;
    }
    if (opts_get(&d.opts, "help") != NULL) {
        c->show = registry_list_device_keys;
        free(c->show_name);
        c->show_name = xstrdup(driver);
        opts_free(&d.opts);
        return true;
    }
    d.text = xstrdup(arg);
    c->devices[c->n_devices++] = d;
    return true;
}

/* As in QEMU, a default for a device that does not exist is not an error: scripts set them freely. */
OPTION_HANDLER(opt_global)
{
    static const char key[] = "isa-debugcon.iobase=";
    const char *number = arg + sizeof(key) - 1;
    if (strncmp(arg, key, sizeof(key) - 1) == 0) {
        char *end;
        unsigned long port = strtoul(number, &end, 0);
        if (*end != '\0' || end == number || port > 0xffff) {
            return error_set(err, "iobase must be a port, 0 to 0xffff");
        }
        c->debugcon_port = (uint16_t)port;
    }
    return true;
}

/* ---- screen and keyboard --------------------------------------------------------------------- */

OPTION_HANDLER(opt_vga)
{
    struct nearest near = {.wanted = arg};
    nearest_offer(&near, "std");
    nearest_offer(&near, "none");
    if (near.distance != 0) {
        return nearest_error(&near, "", err, "there is no video card \"%s\"", arg);
    }
    c->vga = strcmp(arg, "std") == 0;
    c->vga_given = true;
    return true;
}

OPTION_HANDLER(opt_display)
{
    if (strcmp(arg, "help") == 0) {
        c->show = registry_list_displays;
        return true;
    }
    const struct display_row *d = registry_display(arg, err);
    if (d == NULL) {
        return false;
    }
    free(c->display);
    c->display = xstrdup(d->name);
    return true;
}

OPTION_HANDLER(opt_keyboard)
{
    return keymap_select(arg, err);
}

/* ---- messages -------------------------------------------------------------------------------- */

static const char *const log_items[] = {"guest_errors", "unimp"};

static void list_log_items(FILE *out, const char *name)
{
    fprintf(out, "Messages for -d (separated by commas):\n"
                 "guest_errors     the guest broke a rule of the hardware\n"
                 "unimp            the guest used something that this machine lacks\n"
                 "trace:PATTERN    trace points by shell pattern, as with -trace\n");
}

OPTION_HANDLER(opt_log)
{
    if (strcmp(arg, "help") == 0 || strcmp(arg, "?") == 0) {
        c->show = list_log_items;
        return true;
    }
    char *copy = xstrdup(arg), *save = NULL;
    bool ok = true;
    for (char *item = strtok_r(copy, ",", &save); ok && item != NULL; item = strtok_r(NULL, ",", &save)) {
        struct nearest near = {.wanted = item};
        for (size_t i = 0; i < ARRAY_SIZE(log_items); i++) {
            nearest_offer(&near, log_items[i]);
        }
        if (strncmp(item, "trace:", 6) == 0) {
            ok = opt_trace(c, row, item + 6, err);
        } else if (near.distance == 0) {
            c->log_guest |= near.best == log_items[0];
            c->log_unimp |= near.best == log_items[1];
        } else {
            ok = nearest_error(&near, "", err, "there is no item \"%s\"", item);
        }
    }
    free(copy);
    return ok;
}

static void print_trace_point(void *opaque, const struct trace_point *tp)
{
    fprintf(opaque, "%s\n", tp->name);
}

static void list_traces(FILE *out, const char *name)
{
    trace_list(print_trace_point, out);
}

OPTION_HANDLER(opt_trace)
{
    struct opts o;
    if (strcmp(arg, "help") == 0) {
        c->show = list_traces;
        return true;
    }
    if (!opts_parse(&o, arg, "enable", err)) {
        return false;
    }
    const char *pattern = opts_get(&o, "enable"), *file = opts_get(&o, "file");
    bool ok = opts_all_used(&o, err);
    if (ok && c->n_traces == CONFIG_LISTS) {
        ok = error_set(err, "more than %d patterns", CONFIG_LISTS);
    }
    if (ok && file != NULL) {
        free(c->log_path);
        c->log_path = xstrdup(file);
    }
    if (ok && pattern != NULL) {
        c->traces[c->n_traces++] = xstrdup(pattern);
    }
    opts_free(&o);
    return ok;
}
