/* The command that starts and ends a server for gdb on a running machine. */
#include "core/debug/commands.h"

#include "core/debug/gdbstub.h"
#include "core/device/chardev.h"

#include <stdlib.h>
#include <string.h>

static bool end_server(struct command_call *c, struct error **err)
{
    struct debug *d = c->debug;
    if (d->gdbserver == NULL) {
        return true;
    }
    if (d->gdbserver == c->monitor) {
        return error_set(err, "gdb cannot end its own server");
    }
    debug_end_monitor(d, d->gdbserver);
    chardev_free(d->gdbserver_line);
    d->gdbserver = NULL;
    d->gdbserver_line = NULL;
    return true;
}

/* The monitor added last. */
static struct monitor *last_monitor(const struct debug *d)
{
    struct monitor *m = d->monitors;
    while (m->next != NULL) {
        m = m->next;
    }
    return m;
}

COMMAND(cmd_gdbserver)
{
    struct debug *d = c->debug;
    const char *device = command_text(c, "device");
    if (!end_server(c, err)) {
        return false;
    }
    if (device != NULL && strcmp(device, "none") == 0) {
        text_puts(c->out, "Disabled gdbserver\n");
        return true;
    }
    char *spec = gdbstub_spec(device);
    struct chardev *line = chardev_new(spec, &d->machine->loop, err);
    bool ok = line != NULL && gdbstub_new(d, line, err);
    if (ok) {
        d->gdbserver = last_monitor(d);
        d->gdbserver_line = line;
        text_printf(c->out, "Waiting for gdb connection on device '%s'\n", spec);
    } else {
        chardev_free(line);
    }
    free(spec);
    return ok;
}
