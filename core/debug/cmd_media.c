/* Commands about drives and what is in them. */
#include "core/debug/commands.h"

#include "core/base/log.h"
#include "core/block/block.h"

#include <inttypes.h>
#include <string.h>

static struct media_slot *find_slot(struct command_call *c, const char *id, struct error **err)
{
    struct media_slot *s = c->debug->machine->board.slots;
    while (s != NULL && strcmp(s->id, id) != 0) {
        s = s->next;
    }
    if (s == NULL) {
        c->error_class = "DeviceNotFound";
        error_set(err, "Device '%s' not found", id);
    }
    return s;
}

static bool is_locked(const struct media_slot *s)
{
    return s->locked != NULL && s->locked(s->dev, s->n);
}

static bool is_open(const struct media_slot *s)
{
    return s->open != NULL && s->open(s->dev, s->n);
}

static struct media_slot *removable_slot(struct command_call *c, const char *id, bool force,
                                         struct error **err)
{
    struct media_slot *s = find_slot(c, id, err);
    if (s != NULL && !s->removable) {
        error_set(err, "Device '%s' is not removable", id);
        return NULL;
    }
    if (s != NULL && !force && *s->medium != NULL && is_locked(s)) {
        error_set(err,
                  "Device '%s' is locked and force was not specified, wait for tray to open and "
                  "try again",
                  id);
        return NULL;
    }
    return s;
}

/* The lid of a drive that commands open and close. */
static void tell_tray(struct command_call *c, const struct media_slot *s, bool open)
{
    struct json_out j = {0};
    jout_object(&j, NULL);
    jout_string(&j, "device", s->id);
    jout_string(&j, "id", s->id);
    jout_bool(&j, "tray-open", open);
    jout_end(&j);
    debug_event(c->debug, "DEVICE_TRAY_MOVED", text_str(&j.text));
    text_free(&j.text);
}

/* Takes the medium out and closes its image, so that another program may have it. */
static bool take_out(struct command_call *c, struct media_slot *s, struct error **err)
{
    if (*s->medium == NULL) {
        return true;
    }
    if (!s->change(s->dev, s->n, NULL, err)) {
        return false;
    }
    block_close(*s->medium);
    *s->medium = NULL;
    tell_tray(c, s, true);
    return true;
}

COMMAND(cmd_eject)
{
    const char *id = command_text(c, "device");
    id = id != NULL ? id : command_text(c, "id");
    if (id == NULL) {
        return error_set(err, "Parameter 'device' is missing");
    }
    struct media_slot *s = removable_slot(c, id, command_arg(c, "force")->on, err);
    return s != NULL && take_out(c, s, err);
}

/* The new image is opened before the old one goes, so a wrong name changes nothing. */
static bool put_in(struct command_call *c, const char *id, const char *path, const char *format,
                   const char *read_only, bool force, struct error **err)
{
    struct media_slot *s = removable_slot(c, id, force, err);
    if (s == NULL) {
        return false;
    }
    unsigned flags = 0;
    if (read_only != NULL && strcmp(read_only, "read-only") == 0) {
        flags = BLOCK_READ_ONLY;
    } else if (read_only == NULL || strcmp(read_only, "retain") == 0) {
        flags = *s->medium != NULL && (*s->medium)->read_only ? BLOCK_READ_ONLY : 0;
    } else if (strcmp(read_only, "read-write") != 0) {
        return error_set(err, "Parameter 'read-only-mode' does not accept value '%s'", read_only);
    }
    if (strcmp(s->kind, "cdrom") == 0) {
        flags = BLOCK_READ_ONLY;
    }
    struct block *b = block_open(path, format, flags, err);
    if (b == NULL) {
        return false;
    }
    if (!take_out(c, s, err) || !s->change(s->dev, s->n, b, err)) {
        block_close(b);
        return false;
    }
    *s->medium = b;
    tell_tray(c, s, false);
    return true;
}

COMMAND(cmd_change)
{
    return put_in(c, command_text(c, "device"), command_text(c, "target"), command_text(c, "arg"),
                  command_text(c, "read-only-mode"), command_arg(c, "force")->on, err);
}

COMMAND(cmd_change_medium)
{
    const char *id = command_text(c, "device");
    id = id != NULL ? id : command_text(c, "id");
    if (id == NULL) {
        return error_set(err, "Parameter 'device' is missing");
    }
    return put_in(c, id, command_text(c, "filename"), command_text(c, "format"),
                  command_text(c, "read-only-mode"), command_arg(c, "force")->on, err);
}

COMMAND(cmd_remove_medium)
{
    struct media_slot *s = removable_slot(c, command_text(c, "id"), false, err);
    return s != NULL && take_out(c, s, err);
}

/* blockdev-open-tray, blockdev-close-tray: these drives have no tray that stays open. */
COMMAND(cmd_tray)
{
    const char *id = command_text(c, "device");
    id = id != NULL ? id : command_text(c, "id");
    if (id == NULL) {
        return error_set(err, "Parameter 'device' is missing");
    }
    return removable_slot(c, id, true, err) != NULL;
}

/* ---- info block, query-block ----------------------------------------------------------------- */

COMMAND(info_block)
{
    const char *only = command_text(c, "device");
    bool first = true;
    for (const struct media_slot *s = c->debug->machine->board.slots; s != NULL; s = s->next) {
        const struct block *b = *s->medium;
        if (only != NULL && strcmp(only, s->id) != 0) {
            continue;
        }
        text_puts(c->out, first ? "" : "\n");
        first = false;
        if (b == NULL) {
            text_printf(c->out, "%s: [not inserted]\n", s->id);
        } else {
            text_printf(c->out, "%s: %s (%s%s)\n", s->id, b->path, b->ops->name,
                        b->read_only ? ", read-only" : "");
        }
        text_printf(c->out, "    Attached to:      %s\n", s->device);
        if (s->removable) {
            text_printf(c->out, "    Removable device: %slocked, tray %s\n",
                        is_locked(s) ? "" : "not ", is_open(s) ? "open" : "closed");
        }
        if (b != NULL) {
            text_puts(c->out, "    Cache mode:       writeback\n");
        }
    }
    return true;
}

static void inserted(struct json_out *j, const struct block *b)
{
    jout_object(j, "inserted");
    jout_string(j, "file", b->path);
    jout_string(j, "drv", b->ops->name);
    jout_bool(j, "ro", b->read_only);
    jout_bool(j, "encrypted", false);
    jout_u64(j, "backing_file_depth", 0);
    static const char *const limits[] = {"bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"};
    for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        jout_u64(j, limits[i], 0);
    }
    jout_u64(j, "write_threshold", 0);
    jout_string(j, "detect_zeroes", "off");
    jout_object(j, "cache");
    jout_bool(j, "writeback", true);
    jout_bool(j, "direct", false);
    jout_bool(j, "no-flush", false);
    jout_end(j);
    jout_object(j, "image");
    jout_string(j, "filename", b->path);
    jout_string(j, "format", b->ops->name);
    jout_u64(j, "virtual-size", b->bytes);
    jout_end(j);
    jout_end(j);
}

COMMAND(query_block)
{
    jout_array(c->json, NULL);
    for (const struct media_slot *s = c->debug->machine->board.slots; s != NULL; s = s->next) {
        jout_object(c->json, NULL);
        jout_string(c->json, "device", s->id);
        jout_bool(c->json, "locked", is_locked(s));
        jout_bool(c->json, "removable", s->removable);
        if (*s->medium != NULL) {
            inserted(c->json, *s->medium);
        }
        if (strcmp(s->kind, "cdrom") == 0) {
            jout_bool(c->json, "tray_open", is_open(s));
        }
        jout_string(c->json, "qdev", s->device);
        jout_string(c->json, "type", "unknown");
        jout_end(c->json);
    }
    jout_end(c->json);
    return true;
}

/* ---- info blockstats, query-blockstats ------------------------------------------------------- */

COMMAND(info_blockstats)
{
    for (const struct media_slot *s = c->debug->machine->board.slots; s != NULL; s = s->next) {
        if (*s->medium != NULL) {
            const struct block_stats *st = &(*s->medium)->stats;
            text_printf(c->out,
                        "%s: rd_bytes=%" PRIu64 " wr_bytes=%" PRIu64 " rd_operations=%" PRIu64
                        " wr_operations=%" PRIu64 " flush_operations=%" PRIu64 "\n",
                        s->id, st->read_bytes, st->written_bytes, st->reads, st->writes,
                        st->flushes);
        }
    }
    return true;
}

COMMAND(query_blockstats)
{
    static const struct block_stats none;
    jout_array(c->json, NULL);
    for (const struct media_slot *s = c->debug->machine->board.slots; s != NULL; s = s->next) {
        const struct block_stats *st = *s->medium != NULL ? &(*s->medium)->stats : &none;
        jout_object(c->json, NULL);
        jout_string(c->json, "device", s->id);
        jout_string(c->json, "qdev", s->device);
        jout_object(c->json, "stats");
        jout_u64(c->json, "rd_bytes", st->read_bytes);
        jout_u64(c->json, "wr_bytes", st->written_bytes);
        jout_u64(c->json, "rd_operations", st->reads);
        jout_u64(c->json, "wr_operations", st->writes);
        jout_u64(c->json, "flush_operations", st->flushes);
        jout_end(c->json);
        jout_end(c->json);
    }
    jout_end(c->json);
    return true;
}
