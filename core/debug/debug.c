/* What the monitors share. */
#include "core/debug/debug.h"

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/debug/breaks.h"
#include "core/debug/keys.h"

#include <stdlib.h>

/* ---- events ---------------------------------------------------------------------------------- */

/* QMP's names of causes. */
static const char *reason(enum machine_cause cause)
{
    switch (cause) {
    case CAUSE_HOST_RESET:
        return "host-qmp-system-reset";
    case CAUSE_HOST_SIGNAL:
        return "host-signal";
    case CAUSE_HOST_UI:
        return "host-ui";
    case CAUSE_GUEST_RESET:
    case CAUSE_TRIPLE_FAULT:
        return "guest-reset";
    case CAUSE_GUEST_SHUTDOWN:
    case CAUSE_GUEST_EXIT:
    case CAUSE_DEAD_HALT:
    case CAUSE_HANG:
        return "guest-shutdown";
    case CAUSE_GUEST_PANIC:
        return "guest-panic";
    case CAUSE_ERROR:
        return "host-error";
    case CAUSE_NONE:
    case CAUSE_EXPECT:
    case CAUSE_HOST_QUIT:
        break;
    }
    return "host-qmp-quit";
}

static bool by_guest(enum machine_cause cause)
{
    return cause == CAUSE_GUEST_RESET || cause == CAUSE_TRIPLE_FAULT ||
           cause == CAUSE_GUEST_SHUTDOWN || cause == CAUSE_GUEST_EXIT || cause == CAUSE_DEAD_HALT ||
           cause == CAUSE_HANG || cause == CAUSE_GUEST_PANIC;
}

static void machine_event(void *opaque, enum machine_event event, enum machine_cause cause)
{
    static const char *const names[] = {
        [MACHINE_STOPPED] = "STOP",      [MACHINE_RESUMED] = "RESUME",
        [MACHINE_RESET] = "RESET",       [MACHINE_POWERDOWN] = "POWERDOWN",
        [MACHINE_SHUTDOWN] = "SHUTDOWN", [MACHINE_PANICKED] = "GUEST_PANICKED",
    };
    static const char *const actions[] = {
        [PANIC_SHUTDOWN] = "{\"action\": \"poweroff\"}",
        [PANIC_EXIT_FAILURE] = "{\"action\": \"poweroff\"}",
        [PANIC_PAUSE] = "{\"action\": \"pause\"}",
        [PANIC_NONE] = "{\"action\": \"run\"}",
    };
    struct debug *d = opaque;
    if (event == MACHINE_PANICKED) {
        debug_event(d, names[event], actions[d->machine->panic_action]);
        return;
    }
    if (event != MACHINE_RESET && event != MACHINE_SHUTDOWN) {
        debug_event(d, names[event], NULL);
        return;
    }
    char *data = xasprintf("{\"guest\": %s, \"reason\": \"%s\"}",
                           by_guest(cause) ? "true" : "false", reason(cause));
    debug_event(d, names[event], data);
    free(data);
}

void debug_event(struct debug *d, const char *event, const char *data)
{
    for (struct monitor *m = d->monitors; m != NULL; m = m->next) {
        if (m->ops->event != NULL) {
            m->ops->event(m, event, data);
        }
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

struct debug *debug_new(struct machine *m, const struct debug_identity *id)
{
    struct debug *d = NEW(struct debug);
    *d = (struct debug){.machine = m, .id = *id, .log_classes = id->log_classes};
    d->listener = (struct machine_listener){.event = machine_event, .opaque = d};
    machine_listen(m, &d->listener);
    return d;
}

void debug_free(struct debug *d)
{
    if (d == NULL) {
        return;
    }
    machine_unlisten(d->machine, &d->listener);
    while (d->monitors != NULL) {
        struct monitor *m = d->monitors;
        d->monitors = m->next;
        m->ops->fini(m);
    }
    chardev_free(d->gdbserver_line);
    breaks_free(d->breaks);
    keys_free(d->keys);
    if (d->typist != NULL) {
        typist_fini(d->typist);
        free(d->typist);
    }
    if (d->log != NULL) {
        log_set_file(NULL);
        fclose(d->log);
    }
    free(d->state);
    free(d);
}

void debug_add_chardev(struct debug *d, const char *label, const char *spec,
                       const struct chardev *c)
{
    if (d->n_chardevs < DEBUG_CHARDEVS) {
        d->chardevs[d->n_chardevs++] =
            (struct debug_chardev){.label = label, .spec = spec, .chardev = c};
    }
}

void debug_add_monitor(struct debug *d, struct monitor *m)
{
    struct monitor **at = &d->monitors;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    m->debug = d;
    m->next = NULL;
    *at = m;
}

void debug_end_monitor(struct debug *d, struct monitor *m)
{
    for (struct monitor **at = &d->monitors; *at != NULL; at = &(*at)->next) {
        if (*at == m) {
            *at = m->next;
            m->ops->fini(m);
            return;
        }
    }
}

/* ---- the vCPUs ------------------------------------------------------------------------------- */

void debug_freeze(struct debug *d)
{
    if (!d->frozen && d->machine->run_state == RUN_RUNNING) {
        pause_all_vcpus(d->machine);
        d->frozen = true;
    }
}

void debug_thaw(struct debug *d)
{
    free(d->state);
    d->state = NULL;
    if (d->frozen) {
        d->frozen = false;
        if (d->machine->run_state == RUN_RUNNING) { /* else the command itself stopped it */
            resume_all_vcpus(d->machine);
        }
    }
}

const struct x86_state *debug_state(struct debug *d, unsigned cpu)
{
    struct machine *m = d->machine;
    if (cpu >= m->n_vcpus) {
        return NULL;
    }
    debug_freeze(d);
    if (d->state == NULL || d->state_cpu != cpu) {
        if (d->state == NULL) {
            d->state = NEW(struct x86_state);
        }
        m->accel->get_state(m->vcpus[cpu], d->state);
        d->state_cpu = cpu;
    }
    return d->state;
}

struct space *debug_memory(struct debug *d, unsigned cpu)
{
    const struct x86_state *s = debug_state(d, cpu);
    return s != NULL && s->in_smm ? &d->machine->smm : &d->machine->mem;
}
