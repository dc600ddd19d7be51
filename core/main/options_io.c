/* Handlers of the options about devices, displays and messages. */
#include "core/main/options_table.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/trace.h"
#include "core/debug/log_items.h"
#include "core/main/nearest.h"
#include "core/main/registry.h"
#include "core/ui/input.h"

#include <stdlib.h>
#include <string.h>

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

/* As in QEMU, a default for a device that does not exist is no error: scripts set them freely. */
OPTION_HANDLER(opt_global)
{
    static const char key[] = "isa-debugcon.iobase=", line_time[] = "isa-serial.line-time=";
    const char *number = arg + sizeof(key) - 1;
    if (strncmp(arg, line_time, sizeof(line_time) - 1) == 0) {
        const char *value = arg + sizeof(line_time) - 1;
        c->serial_line_time = strcmp(value, "on") == 0;
        return c->serial_line_time || strcmp(value, "off") == 0 ||
               error_set(err, "line-time must be on or off");
    }
    if (strncmp(arg, key, sizeof(key) - 1) == 0) {
        char *end;
        unsigned long port = strtoul(number, &end, 0);
        if (*end != '\0' || end == number || port > 0xffff) {
            return error_set(err, "iobase must be a port, 0 to 0xffff");
        }
        c->debugcon_port = (uint16_t)port;
    } else if (arg + strcspn(arg, ".") > strchrnul(arg, '=') || strchr(arg, '=') == NULL) {
        return error_set(err, "the form is DEVICE.KEY=VALUE");
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

/* Scripts made for QEMU say "-vnc none" for a machine without a window. */
OPTION_HANDLER(opt_vnc)
{
    if (strcmp(arg, "none") != 0) {
        return error_set(err, "remote displays are not supported yet; \"none\" is");
    }
    free(c->display);
    c->display = xstrdup("none");
    return true;
}

OPTION_HANDLER(opt_keyboard)
{
    return keymap_select(arg, err);
}

/* ---- messages -------------------------------------------------------------------------------- */

static void list_log_items(FILE *out, const char *name)
{
    struct text list = {0};
    log_items_list(&list);
    fprintf(out, "Items for -d (separated by commas):\n%s", text_str(&list));
    text_free(&list);
}

static bool add_trace(struct config *c, const char *pattern, struct error **err)
{
    if (c->n_traces == CONFIG_LISTS) {
        return error_set(err, "more than %d patterns", CONFIG_LISTS);
    }
    c->traces[c->n_traces++] = xstrdup(pattern);
    return true;
}

struct log_adding {
    struct config *config;
    bool ok;
    struct error **err;
};

static void add_item_trace(void *opaque, const char *pattern)
{
    struct log_adding *a = opaque;
    a->ok = a->ok && add_trace(a->config, pattern, a->err);
}

/* One item of a list. */
static bool add_log_item(struct config *c, const struct option_row *row, const char *name,
                         struct error **err)
{
    struct nearest near = {.wanted = name};
    const struct log_item *item = log_item_find(name);
    struct log_adding a = {.config = c, .ok = true, .err = err};
    if (strncmp(name, "trace:", 6) == 0) {
        return opt_trace(c, row, name + 6, err);
    }
    if (item == NULL) {
        for (const struct log_item *i = log_items; i->name != NULL; i++) {
            nearest_offer(&near, i->name);
        }
        return nearest_error(&near, "", err, "there is no item \"%s\"", name);
    }
    c->log_classes |= item->class;
    log_item_points(item, add_item_trace, &a);
    return a.ok;
}

OPTION_HANDLER(opt_log)
{
    if (strcmp(arg, "help") == 0 || strcmp(arg, "?") == 0) {
        c->show = list_log_items;
        return true;
    }
    char *copy = xstrdup(arg), *save = NULL;
    bool ok = true;
    for (char *item = strtok_r(copy, ",", &save); ok && item != NULL;
         item = strtok_r(NULL, ",", &save)) {
        ok = add_log_item(c, row, item, err);
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
    const char *format = opts_get(&o, "format");
    bool ok = opts_all_used(&o, err);
    if (ok && format != NULL && strcmp(format, "text") != 0 && strcmp(format, "json") != 0) {
        ok = error_set(err, "format=%s: it is text or json", format);
    }
    if (ok && format != NULL) {
        c->trace_json = strcmp(format, "json") == 0;
    }
    if (ok && file != NULL) {
        free(c->log_path);
        c->log_path = xstrdup(file);
    }
    ok = ok && (pattern == NULL || add_trace(c, pattern, err));
    opts_free(&o);
    return ok;
}
