/* Queries of QMP that are not another command's JSON form. */
#include "core/debug/commands.h"

#include "core/base/bits.h"
#include "core/base/trace.h"
#include "core/cpu/cpuid.h"
#include "core/debug/version.h"

#include <fnmatch.h>
#include <string.h>

COMMAND(query_version)
{
    jout_object(c->json, NULL);
    qmp_version(c->json, c->debug->id.version);
    jout_end(c->json);
    return true;
}

/* Which QEMU's interface this is; clients choose their commands by it. */
void qmp_version(struct json_out *j, const char *package)
{
    jout_object(j, "qemu");
    jout_u64(j, "micro", 0);
    jout_u64(j, "minor", 2);
    jout_u64(j, "major", 7);
    jout_end(j);
    jout_string(j, "package", package);
}

COMMAND(query_commands)
{
    jout_array(c->json, NULL);
    for (const struct command *row = commands; row->name != NULL; row++) {
        if (row->where & CMD_QMP) {
            jout_object(c->json, NULL);
            char name[64] = {0}; /* the first of the names */
            memcpy(name, row->name, min_u64(strcspn(row->name, "|"), sizeof(name) - 1));
            jout_string(c->json, "name", name);
            jout_end(c->json);
        }
    }
    jout_end(c->json);
    return true;
}

static const char *arg_type_name(enum arg_type type)
{
    switch (type) {
    case ARG_FLAG:
    case ARG_BOOL:
        return "bool";
    case ARG_INT:
        return "int";
    case ARG_JSON:
        return "any";
    case ARG_WORD:
    case ARG_REST:
    case ARG_FORMAT:
        break;
    }
    return "str";
}

static void schema_builtins(struct json_out *j)
{
    static const char *const types[][2] = {
        {"bool", "boolean"},
        {"int", "int"},
        {"str", "string"},
        {"any", "value"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        jout_object(j, NULL);
        jout_string(j, "name", types[i][0]);
        bool any = strcmp(types[i][0], "any") == 0;
        jout_string(j, "meta-type", any ? "any" : "builtin");
        if (!any) {
            jout_string(j, "json-type", types[i][1]);
        }
        jout_end(j);
    }
}

static void schema_command(struct json_out *j, const struct command *row, const char *args_type)
{
    char name[64] = {0};
    memcpy(name, row->name, min_u64(strcspn(row->name, "|"), sizeof(name) - 1));
    jout_object(j, NULL);
    jout_string(j, "name", name);
    jout_string(j, "meta-type", "command");
    jout_string(j, "arg-type", args_type);
    jout_string(j, "ret-type", "any");
    jout_end(j);
    jout_object(j, NULL);
    jout_string(j, "name", args_type);
    jout_string(j, "meta-type", "object");
    jout_array(j, "members");
    for (unsigned i = 0; i < COMMAND_ARGS && row->args[i].name != NULL; i++) {
        if (row->args[i].type != ARG_FORMAT) {
            jout_object(j, NULL);
            jout_string(j, "name", row->args[i].name);
            jout_string(j, "type", arg_type_name(row->args[i].type));
            if (row->args[i].optional || row->args[i].type == ARG_FLAG) {
                jout_null(j, "default");
            }
            jout_end(j);
        }
    }
    jout_end(j);
    jout_end(j);
}

/* The commands with their arguments; what they return is not described. */
COMMAND(query_schema)
{
    unsigned n = 0;
    jout_array(c->json, NULL);
    schema_builtins(c->json);
    for (const struct command *row = commands; row->name != NULL; row++) {
        if (row->where & CMD_QMP) {
            struct text type = {0};
            text_printf(&type, "%u", n++);
            schema_command(c->json, row, text_str(&type));
            text_free(&type);
        }
    }
    jout_end(c->json);
    return true;
}

COMMAND(query_status)
{
    const struct machine *m = c->debug->machine;
    jout_object(c->json, NULL);
    jout_string(c->json, "status", run_state_name(m));
    jout_bool(c->json, "singlestep", false);
    jout_bool(c->json, "running", m->run_state == RUN_RUNNING);
    jout_end(c->json);
    return true;
}

COMMAND(query_name)
{
    jout_object(c->json, NULL);
    if (c->debug->id.name != NULL) {
        jout_string(c->json, "name", c->debug->id.name);
    }
    jout_end(c->json);
    return true;
}

COMMAND(query_uuid)
{
    struct text uuid = {0};
    struct command_call as_text = *c;
    as_text.out = &uuid;
    info_uuid(&as_text, err);
    text_cut(&uuid, uuid.len - 1); /* the newline */
    jout_object(c->json, NULL);
    jout_string(c->json, "UUID", text_str(&uuid));
    jout_end(c->json);
    text_free(&uuid);
    return true;
}

COMMAND(query_target)
{
    jout_object(c->json, NULL);
    jout_string(c->json, "arch", "x86_64");
    jout_end(c->json);
    return true;
}

COMMAND(query_kvm)
{
    jout_object(c->json, NULL);
    jout_bool(c->json, "enabled", strcmp(c->debug->machine->accel->name, "kvm") == 0);
    jout_bool(c->json, "present", true);
    jout_end(c->json);
    return true;
}

COMMAND(query_machines)
{
    jout_array(c->json, NULL);
    jout_object(c->json, NULL);
    jout_string(c->json, "name", "pc-i440fx-7.2");
    jout_string(c->json, "alias", "pc");
    jout_bool(c->json, "is-default", true);
    jout_u64(c->json, "cpu-max", MACHINE_MAX_VCPUS);
    jout_bool(c->json, "hotpluggable-cpus", false);
    jout_bool(c->json, "numa-mem-supported", false);
    jout_bool(c->json, "deprecated", false);
    jout_string(c->json, "default-ram-id", "pc.ram");
    jout_end(c->json);
    jout_end(c->json);
    return true;
}

COMMAND(query_current_machine)
{
    jout_object(c->json, NULL);
    jout_bool(c->json, "wakeup-suspend-support", false);
    jout_end(c->json);
    return true;
}

COMMAND(query_cpu_definitions)
{
    const struct x86_model *m;
    jout_array(c->json, NULL);
    for (unsigned i = 0; (m = x86_model_list(i)) != NULL; i++) {
        jout_object(c->json, NULL);
        jout_string(c->json, "name", m->name);
        jout_string(c->json, "typename", m->name);
        jout_bool(c->json, "static", true);
        jout_bool(c->json, "migration-safe", true);
        jout_bool(c->json, "deprecated", false);
        jout_array(c->json, "unavailable-features");
        jout_end(c->json);
        jout_end(c->json);
    }
    jout_end(c->json);
    return true;
}

COMMAND(query_chardev)
{
    const struct debug *d = c->debug;
    jout_array(c->json, NULL);
    for (unsigned i = 0; i < d->n_chardevs; i++) {
        jout_object(c->json, NULL);
        jout_bool(c->json, "frontend-open", true);
        jout_string(c->json, "filename", d->chardevs[i].spec);
        jout_string(c->json, "label", d->chardevs[i].label);
        jout_end(c->json);
    }
    jout_end(c->json);
    return true;
}

COMMAND(query_display_options)
{
    jout_object(c->json, NULL);
    jout_string(c->json, "type", c->debug->id.display);
    jout_end(c->json);
    return true;
}

COMMAND(query_memory_size)
{
    const struct machine *m = c->debug->machine;
    jout_object(c->json, NULL);
    jout_u64(c->json, "base-memory", m->ram_low.bytes + m->ram_high.bytes);
    jout_u64(c->json, "plugged-memory", 0);
    jout_end(c->json);
    return true;
}

/* Lists of things that this machine never has. */
COMMAND(query_empty_list)
{
    jout_array(c->json, NULL);
    jout_end(c->json);
    return true;
}

COMMAND(query_vnc)
{
    jout_object(c->json, NULL);
    jout_bool(c->json, "enabled", false);
    jout_end(c->json);
    return true;
}

COMMAND(query_replay)
{
    const struct machine *m = c->debug->machine;
    debug_freeze(c->debug);
    jout_object(c->json, NULL);
    jout_string(c->json, "mode", "none");
    jout_u64(c->json, "icount",
             m->accel->icount != NULL && m->n_vcpus != 0 ? m->accel->icount(m->vcpus[0]) : 0);
    jout_end(c->json);
    return true;
}

/* ---- trace points ---------------------------------------------------------------------------- */

static void trace_state(void *opaque, const struct trace_point *tp)
{
    struct command_call *c = opaque;
    if (fnmatch(command_text(c, "name"), tp->name, 0) == 0) {
        jout_object(c->json, NULL);
        jout_string(c->json, "name", tp->name);
        jout_string(c->json, "state", *tp->enabled ? "enabled" : "disabled");
        jout_bool(c->json, "vcpu", false);
        jout_end(c->json);
    }
}

COMMAND(trace_get_state)
{
    jout_array(c->json, NULL);
    trace_list(trace_state, c);
    jout_end(c->json);
    return true;
}

COMMAND(trace_set_state)
{
    const char *name = command_text(c, "name");
    debug_freeze(c->debug);
    if (trace_enable(name, command_arg(c, "enable")->on) == 0 &&
        !command_arg(c, "ignore-unavailable")->on) {
        return error_set(err, "unknown event \"%s\"", name);
    }
    return true;
}

/* ---- the human monitor inside QMP ------------------------------------------------------------ */

COMMAND(human_monitor_command)
{
    const struct command_value *cpu = command_arg(c, "cpu-index");
    struct text out = {0}, crlf = {0};
    struct monitor *m = c->monitor;
    unsigned was = m->cpu;
    if (cpu->given && (cpu->num < 0 || cpu->num >= c->debug->machine->n_vcpus)) {
        return error_set(err, "Parameter 'cpu-index' expects a CPU number");
    }
    m->cpu = cpu->given ? (unsigned)cpu->num : was;
    command_line(m, command_text(c, "command-line"), &out);
    if (cpu->given) {
        m->cpu = was;
    }
    text_crlf(&crlf, text_str(&out), out.len);
    jout_string(c->json, NULL, text_str(&crlf));
    text_free(&out);
    text_free(&crlf);
    return true;
}
