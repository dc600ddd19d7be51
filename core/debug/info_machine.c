/* What the machine is made of, as text. */
#include "core/debug/commands.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/base/trace.h"

#include <inttypes.h>
#include <string.h>

const char *run_state_name(const struct machine *m)
{
    switch (m->run_state) {
    case RUN_PRELAUNCH:
        return "prelaunch";
    case RUN_RUNNING:
        return "running";
    case RUN_PAUSED:
        return "paused";
    case RUN_SHUTDOWN:
        return "shutdown";
    case RUN_GUEST_PANICKED:
        return "guest-panicked";
    default:
        return "debug";
    }
}

COMMAND(info_status)
{
    const struct machine *m = c->debug->machine;
    bool more = m->run_state != RUN_RUNNING && m->run_state != RUN_PAUSED;
    text_printf(c->out, "VM status: %s%s%s%s\n", m->run_state == RUN_RUNNING ? "running" : "paused",
                more ? " (" : "", more ? run_state_name(m) : "", more ? ")" : "");
    return true;
}

COMMAND(info_version)
{
    text_printf(c->out, "%s\n", c->debug->id.version);
    return true;
}

COMMAND(info_name)
{
    if (c->debug->id.name != NULL) {
        text_printf(c->out, "%s\n", c->debug->id.name);
    }
    return true;
}

COMMAND(info_uuid)
{
    const uint8_t *u = c->debug->id.uuid;
    for (unsigned i = 0; i < 16; i++) {
        text_printf(c->out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
    }
    text_putc(c->out, '\n');
    return true;
}

COMMAND(info_chardev)
{
    const struct debug *d = c->debug;
    for (unsigned i = 0; i < d->n_chardevs; i++) {
        text_printf(c->out, "%s: filename=%s\n", d->chardevs[i].label, d->chardevs[i].spec);
    }
    return true;
}

COMMAND(info_kvm)
{
    text_printf(c->out, "kvm support: %s\n",
                strcmp(c->debug->machine->accel->name, "kvm") == 0 ? "enabled" : "disabled");
    return true;
}

COMMAND(info_jit)
{
    const struct machine *m = c->debug->machine;
    debug_freeze(c->debug);
    text_printf(c->out, "Accelerator: %s\n", m->accel->name);
    for (unsigned i = 0; m->accel->icount != NULL && i < m->n_vcpus; i++) {
        text_printf(c->out, "CPU #%u: %" PRIu64 " instructions\n", i,
                    m->accel->icount(m->vcpus[i]));
    }
    const struct command_value *addr = command_arg(c, "addr");
    uint64_t lin = (uint64_t)addr->num;
    for (unsigned i = 0; m->accel->describe != NULL && i < m->n_vcpus; i++) {
        m->accel->describe(m->vcpus[i], addr->given ? &lin : NULL, c->out);
    }
    return true;
}

/* Things that this machine never has: the answer is QEMU's for a machine without. */
COMMAND(info_none)
{
    static const struct {
        const char *name, *text;
    } answers[] = {
        {"numa", "0 nodes\n"},
        {"vnc", "None\n"},
        {"usb", "Error: USB support not enabled\n"},
        {"snapshots", "There is no snapshot available.\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        if (strcmp(c->command->name, answers[i].name) == 0) {
            text_puts(c->out, answers[i].text);
        }
    }
    return true;
}

COMMAND(info_memory_size)
{
    const struct machine *m = c->debug->machine;
    text_printf(c->out, "base memory: %" PRIu64 "\nplugged memory: 0\n",
                m->ram_low.bytes + m->ram_high.bytes);
    return true;
}

static void put_trace_point(void *opaque, const struct trace_point *tp)
{
    struct command_call *c = opaque;
    const char *only = command_text(c, "name");
    if (only == NULL || strcmp(only, tp->name) == 0) {
        text_printf(c->out, "%s : state %d\n", tp->name, *tp->enabled);
    }
}

COMMAND(info_trace_events)
{
    trace_list(put_trace_point, c);
    return true;
}

/* ---- info mtree ------------------------------------------------------------------------------ */

#define MTREE_MAX_DEPTH 16

static const char *kind_name(const struct region *r)
{
    return r->kind == REGION_RAM ? "ram" : r->kind == REGION_ROM ? "rom" : "i/o";
}

static void put_region(struct text *out, const struct region *r, uint64_t base, unsigned depth)
{
    text_printf(out, "%*s%016" PRIx64 "-%016" PRIx64 " (prio %d, %s): ", 2 * (int)depth, "", base,
                base + r->bytes - 1, r->priority, kind_name(r));
    if (r->kind == REGION_ALIAS || r->kind == REGION_ROUTE) {
        text_printf(out, "%s %s @%s", r->kind == REGION_ALIAS ? "alias" : "route", r->name,
                    r->target != NULL ? r->target->name : "nothing");
        if (r->kind == REGION_ROUTE) {
            text_printf(out, ", writes @%s", r->wtarget != NULL ? r->wtarget->name : "nothing");
        }
        text_printf(out, " %016" PRIx64 "-%016" PRIx64, r->target_off,
                    r->target_off + r->bytes - 1);
    } else {
        text_puts(out, r->name);
    }
    text_puts(out, r->enabled ? "\n" : " [disabled]\n");
    for (const struct region *child = r->children; child != NULL && depth < MTREE_MAX_DEPTH;
         child = child->next) {
        put_region(out, child, base + child->addr, depth + 1);
    }
}

static void put_view(struct text *out, const struct space *s)
{
    text_printf(out, " AS \"%s\", root: %s\n Root memory region: %s\n", s->name, s->root.name,
                s->root.name);
    for (unsigned i = 0; i < s->view->n; i++) {
        const struct view_range *r = &s->view->ranges[i];
        const struct view_target *t = r->rd.region != NULL ? &r->rd : &r->wr;
        if (t->region == NULL) {
            continue;
        }
        /* RAM that cannot be written is ROM, as for PAM segments that only read DRAM */
        bool rom = t->region->kind == REGION_ROM ||
                   (t->region->kind == REGION_RAM && r->wr.region != t->region);
        text_printf(out, "  %016" PRIx64 "-%016" PRIx64 " (prio %d, %s): %s", r->start, r->end - 1,
                    t->region->priority, rom ? "rom" : kind_name(t->region), t->region->name);
        if (t->off != 0) {
            text_printf(out, " @%016" PRIx64, t->off);
        }
        text_putc(out, '\n');
    }
    text_putc(out, '\n');
}

COMMAND(info_mtree)
{
    struct machine *m = c->debug->machine;
    const struct space *spaces[] = {&m->mem, &m->smm, &m->ports};
    static const char *const names[] = {"memory", "cpu-smm", "I/O"};
    bool flat = command_arg(c, "flatview")->on;
    for (unsigned i = 0; i < ARRAY_SIZE(spaces); i++) {
        if (flat) {
            text_printf(c->out, "FlatView #%u\n", i);
            put_view(c->out, spaces[i]);
            continue;
        }
        text_printf(c->out, "address-space: %s\n", names[i]);
        put_region(c->out, &spaces[i]->root, 0, 1);
        text_putc(c->out, '\n');
    }
    return true;
}

COMMAND(info_roms)
{
    const struct view *v = c->debug->machine->mem.view;
    for (unsigned i = 0; i < v->n; i++) {
        const struct view_range *r = &v->ranges[i];
        if (r->rd.region != NULL && r->rd.region->kind == REGION_ROM) {
            text_printf(c->out, "addr=%016" PRIx64 " size=0x%06" PRIx64 " mem=rom name=\"%s\"\n",
                        r->start, r->end - r->start, r->rd.region->name);
        }
    }
    return true;
}

/* ---- info qtree, qdm ------------------------------------------------------------------------- */

static void put_field(struct text *out, const struct state_field *f, const char *obj,
                      unsigned indent)
{
    const char *at = obj + f->offset;
    if (f->kind == STATE_KIND_BOOL && f->count == 1 && f->bytes == 1) {
        text_printf(out, "%*s%s = %s\n", (int)indent, "", f->name, *at ? "true" : "false");
    } else if (f->kind == STATE_KIND_BYTES && f->count == 1 &&
               (f->bytes == 1 || f->bytes == 2 || f->bytes == 4 || f->bytes == 8)) {
        uint64_t v = ld_le(at, (unsigned)f->bytes);
        text_printf(out, "%*s%s = %" PRIu64 " (0x%" PRIx64 ")\n", (int)indent, "", f->name, v, v);
    } else if (f->kind == STATE_KIND_SUB && f->count == 1) {
        text_printf(out, "%*s%s:\n", (int)indent, "", f->name);
        for (const struct state_field *sub = f->sub; sub->kind != STATE_KIND_END && indent < 12;
             sub++) {
            put_field(out, sub, at, indent + 2);
        }
    }
}

/* The devices with their state, as far as it is single numbers. */
COMMAND(info_qtree)
{
    debug_freeze(c->debug);
    text_puts(c->out, "bus: main-system-bus\n  type System\n");
    for (const struct device *d = c->debug->machine->devices; d != NULL; d = d->next) {
        text_printf(c->out, "  dev: %s, id \"%s\"\n", d->type->name, d->id);
        for (const struct state_field *f = d->type->state; f != NULL && f->kind != STATE_KIND_END;
             f++) {
            put_field(c->out, f, d->dev, 4);
        }
    }
    return true;
}

COMMAND(info_qdm)
{
    for (const struct device *d = c->debug->machine->devices; d != NULL; d = d->next) {
        const struct device *first = c->debug->machine->devices;
        while (first->type != d->type) {
            first = first->next;
        }
        if (first == d) {
            text_printf(c->out, "name \"%s\", bus System\n", d->type->name);
        }
    }
    return true;
}
