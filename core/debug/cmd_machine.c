/* Commands that act on the machine as a whole, and on messages. */
#include "core/debug/commands.h"

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/trace.h"
#include "core/debug/log_items.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

COMMAND(cmd_help)
{
    const char *name = command_text(c, "name");
    if (name != NULL && strcmp(name, "info") == 0) {
        command_help(c->out, NULL, CMD_INFO);
    } else if (name != NULL && strncmp(name, "info ", 5) == 0) {
        command_help(c->out, name + 5, CMD_INFO);
    } else {
        command_help(c->out, name, CMD_HMP);
    }
    return true;
}

COMMAND(cmd_info)
{
    command_help(c->out, NULL, CMD_INFO);
    return true;
}

COMMAND(cmd_stop)
{
    machine_stop(c->debug->machine);
    return true;
}

COMMAND(cmd_cont)
{
    return machine_start(c->debug->machine, err);
}

COMMAND(cmd_reset)
{
    machine_request_reset(c->debug->machine, CAUSE_HOST_RESET);
    return true;
}

COMMAND(cmd_powerdown)
{
    struct machine *m = c->debug->machine;
    if (m->board.power_button != NULL) {
        m->board.power_button(m->board.dev);
    }
    machine_tell(m, MACHINE_POWERDOWN, CAUSE_NONE);
    return true;
}

COMMAND(cmd_quit)
{
    machine_request_stop(c->debug->machine, CAUSE_HOST_QUIT, 0);
    return true;
}

/* As the board's NMI sources do it: through LINT1 of the local APICs, where there are any. */
COMMAND(cmd_nmi)
{
    struct machine *m = c->debug->machine;
    if (m->board.nmi != NULL) {
        m->board.nmi(m->board.dev);
        return true;
    }
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        irq_pulse(vcpu_nmi(m, i));
    }
    return true;
}

COMMAND(cmd_boot_set)
{
    const struct board *b = &c->debug->machine->board;
    const char *letters = command_text(c, "bootdevice");
    if (b->set_boot_order == NULL) {
        return error_set(err, "this board does not know of an order");
    }
    if (!b->set_boot_order(b->dev, letters, err)) {
        return false;
    }
    text_printf(c->out, "boot device list now set to %s\n", letters);
    return true;
}

COMMAND(cmd_cpu)
{
    int64_t n = command_arg(c, "index")->num;
    if (n < 0 || n >= c->debug->machine->n_vcpus) {
        text_puts(c->out, "invalid CPU index\n");
    } else {
        c->monitor->cpu = (unsigned)n;
    }
    return true;
}

/* ---- messages -------------------------------------------------------------------------------- */

static void list_items(struct text *out)
{
    text_puts(out, "Log items (comma separated):\nnone            remove all logs and traces\n");
    log_items_list(out);
}

static void switch_on(void *opaque, const char *pattern)
{
    trace_enable(pattern, true);
}

/* One item of a list; false: there is no such item. */
static bool log_item(const char *item, unsigned *classes)
{
    const struct log_item *row = log_item_find(item);
    if (strcmp(item, "none") == 0) {
        *classes = 0;
        trace_enable("*", false);
        return true;
    }
    if (strncmp(item, "trace:", 6) == 0) {
        return trace_enable(item + 6, true) != 0;
    }
    if (row != NULL) {
        *classes |= row->class;
        log_item_points(row, switch_on, NULL);
    }
    return row != NULL;
}

COMMAND(cmd_log)
{
    char *items = xstrdup(command_text(c, "items")), *save = NULL;
    unsigned classes = 0;
    bool ok = true;
    debug_freeze(c->debug); /* a running vCPU looks at its own points when it begins to run */
    for (char *item = strtok_r(items, ",", &save); ok && item != NULL;
         item = strtok_r(NULL, ",", &save)) {
        ok = log_item(item, &classes);
    }
    free(items);
    if (ok) {
        c->debug->log_classes = classes;
        log_enable(classes);
    } else {
        list_items(c->out);
    }
    return true;
}

COMMAND(cmd_logfile)
{
    const char *path = command_text(c, "filename");
    FILE *f = fopen(path, "we");
    if (f == NULL) {
        return error_errno(err, errno, "Could not open '%s'", path);
    }
    setvbuf(f, NULL, _IOLBF, 0);
    log_set_file(f);
    if (c->debug->log != NULL) {
        fclose(c->debug->log);
    }
    c->debug->log = f;
    return true;
}

COMMAND(cmd_trace_format)
{
    const char *format = command_text(c, "format");
    bool json = strcmp(format, "json") == 0;
    if (!json && strcmp(format, "text") != 0) {
        return error_set(err, "Parameter 'format' expects text or json");
    }
    trace_set_json(json);
    return true;
}

COMMAND(cmd_trace_event)
{
    const char *name = command_text(c, "name");
    debug_freeze(c->debug);
    if (trace_enable(name, command_arg(c, "option")->on) == 0) {
        text_printf(c->out, "unknown event \"%s\"\n", name);
    }
    return true;
}

/* ---- set-action ------------------------------------------------------------------------------ */

/* The value of an action must be one of two; @second says whether it is the second. */
static bool one_of(struct command_call *c, const char *arg, const char *first, const char *second,
                   bool *out, struct error **err)
{
    const char *value = command_text(c, arg);
    if (value == NULL) {
        return true;
    }
    *out = strcmp(value, second) == 0;
    return *out || strcmp(value, first) == 0 ||
           error_set(err, "Parameter '%s' does not accept value '%s'", arg, value);
}

COMMAND(cmd_set_action)
{
    struct machine *m = c->debug->machine;
    return one_of(c, "reboot", "reset", "shutdown", &m->no_reboot, err) &&
           one_of(c, "shutdown", "poweroff", "pause", &m->no_shutdown, err);
}
