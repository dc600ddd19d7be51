/*
 * The devices as a tree of objects, for clients that look at QEMU's: /machine has containers, and
 * /machine/unattached the devices of the board by their names, with their state as properties.
 */
#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/debug/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DEVICES "/machine/unattached"

/* The containers; each has those below it as children. */
static const struct {
    const char *path, *name;
} containers[] = {
    {"/", "machine"},           {"/", "objects"},           {"/", "chardevs"},
    {"/machine", "unattached"}, {"/machine", "peripheral"}, {"/machine", "peripheral-anon"},
};

/* The whole path, without a slash at its end. A name alone is a device, or a part of the root. */
static void tidy(const char *path, char out[128])
{
    size_t len = strlen(path);
    bool part = path[0] == '\0' || strncmp(path, "machine", 7) == 0;
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    snprintf(out, 128, "%s%.*s", path[0] == '/' ? "" : part ? "/" : DEVICES "/", (int)len, path);
}

static bool is_container(const char *path)
{
    char child[128];
    for (unsigned i = 0; i < ARRAY_SIZE(containers); i++) {
        snprintf(child, sizeof(child), "%s/%s",
                 strcmp(containers[i].path, "/") == 0 ? "" : containers[i].path,
                 containers[i].name);
        if (strcmp(path, child) == 0) {
            return true;
        }
    }
    return strcmp(path, "/") == 0;
}

static const struct device *find_device(const struct command_call *c, const char *path)
{
    size_t len = strlen(DEVICES "/");
    if (strncmp(path, DEVICES "/", len) != 0) {
        return NULL;
    }
    const struct device *d = c->debug->machine->devices;
    while (d != NULL && strcmp(d->id, path + len) != 0) {
        d = d->next;
    }
    return d;
}

static bool no_such_path(struct command_call *c, const char *path, struct error **err)
{
    c->error_class = "DeviceNotFound";
    return error_set(err, "Device '%s' not found", path);
}

/* ---- properties ------------------------------------------------------------------------------ */

static bool is_number(const struct state_field *f)
{
    return (f->kind == STATE_KIND_BYTES || f->kind == STATE_KIND_BOOL) && f->count == 1 &&
           (f->bytes == 1 || f->bytes == 2 || f->bytes == 4 || f->bytes == 8);
}

/* "bool", "uint8"...; numbers only. */
static void type_of(const struct state_field *f, char out[16])
{
    snprintf(out, 16, f->kind == STATE_KIND_BOOL ? "bool" : "uint%u", (unsigned)f->bytes * 8);
}

/* One member of a list, as text or JSON. */
static void list_one(struct command_call *c, const char *name, const char *type)
{
    if (c->json == NULL) {
        text_printf(c->out, "%s (%s)\n", name, type);
        return;
    }
    jout_object(c->json, NULL);
    jout_string(c->json, "name", name);
    jout_string(c->json, "type", type);
    jout_end(c->json);
}

static void list_device(struct command_call *c, const struct device *d)
{
    char type[16];
    for (const struct state_field *f = d->type->state; f != NULL && f->kind != STATE_KIND_END;
         f++) {
        if (is_number(f)) {
            type_of(f, type);
            list_one(c, f->name, type);
        }
    }
}

static void list_children(struct command_call *c, const char *path)
{
    for (unsigned i = 0; i < ARRAY_SIZE(containers); i++) {
        if (strcmp(containers[i].path, path) == 0) {
            list_one(c, containers[i].name, "child<container>");
        }
    }
    for (const struct device *d = c->debug->machine->devices;
         d != NULL && strcmp(path, DEVICES) == 0; d = d->next) {
        char type[80];
        snprintf(type, sizeof(type), "child<%s>", d->type->name);
        list_one(c, d->id, type);
    }
}

COMMAND(cmd_qom_list)
{
    char path[128];
    const char *given = command_text(c, "path");
    tidy(given != NULL ? given : "/", path);
    const struct device *d = find_device(c, path);
    if (d == NULL && !is_container(path)) {
        return no_such_path(c, path, err);
    }
    if (c->json != NULL) {
        jout_array(c->json, NULL);
    }
    list_one(c, "type", "string");
    if (d != NULL) {
        list_device(c, d);
    } else {
        list_children(c, path);
    }
    if (c->json != NULL) {
        jout_end(c->json);
    }
    return true;
}

static void put_string(struct command_call *c, const char *value)
{
    if (c->json != NULL) {
        jout_string(c->json, NULL, value);
    } else {
        text_printf(c->out, "\"%s\"\n", value);
    }
}

static void put_number(struct command_call *c, const struct state_field *f, const char *obj)
{
    uint64_t val = ld_le(obj + f->offset, (unsigned)f->bytes);
    if (f->kind == STATE_KIND_BOOL && c->json != NULL) {
        jout_bool(c->json, NULL, val != 0);
    } else if (c->json != NULL) {
        jout_u64(c->json, NULL, val);
    } else if (f->kind == STATE_KIND_BOOL) {
        text_puts(c->out, val != 0 ? "true\n" : "false\n");
    } else {
        text_printf(c->out, "%" PRIu64 "\n", val);
    }
}

COMMAND(cmd_qom_get)
{
    char path[128];
    const char *property = command_text(c, "property");
    tidy(command_text(c, "path"), path);
    const struct device *d = find_device(c, path);
    if (d == NULL && !is_container(path)) {
        return no_such_path(c, path, err);
    }
    if (strcmp(property, "type") == 0) {
        put_string(c, d != NULL ? d->type->name : "container");
        return true;
    }
    debug_freeze(c->debug);
    const struct state_field *f = d != NULL ? d->type->state : NULL;
    while (f != NULL && f->kind != STATE_KIND_END &&
           (strcmp(f->name, property) != 0 || !is_number(f))) {
        f++;
    }
    if (f == NULL || f->kind == STATE_KIND_END) {
        return error_set(err, "Property '%s.%s' not found", d != NULL ? d->type->name : "container",
                         property);
    }
    put_number(c, f, d->dev);
    return true;
}

/* The types of the devices that are there. */
COMMAND(cmd_qom_types)
{
    const struct device *all = c->debug->machine->devices;
    jout_array(c->json, NULL);
    for (const struct device *d = all; d != NULL; d = d->next) {
        const struct device *first = all;
        while (first->type != d->type) {
            first = first->next;
        }
        if (first == d) {
            jout_object(c->json, NULL);
            jout_string(c->json, "name", d->type->name);
            jout_string(c->json, "parent", "device");
            jout_end(c->json);
        }
    }
    jout_end(c->json);
    return true;
}
