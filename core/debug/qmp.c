/*
 * QMP: JSON requests in, answers and events out.
 *
 * Requests are values one after the other, with or without newlines. What is no JSON is answered
 * with an error and dropped: up to its last byte if its brackets are balanced, else with all that
 * has come. As QEMU does, strings in single quotes are taken, too.
 */
#include "core/debug/qmp.h"

#ifndef HAVE_JANSSON

bool qmp_new(struct debug *d, struct chardev *c, bool pretty, struct error **err)
{
    return error_set(err, "this coldboot was built without jansson, so there is no QMP");
}

#else

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/debug/command.h"
#include "core/debug/version.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_MAX_BYTES (1 * MiB)
#define OUTPUT_LIMIT      (64 * MiB) /* what may wait for a slow reader */
#define OUTPUT_ENOUGH     (1 * MiB)  /* with so much waiting no further request is read */

struct qmp {
    struct monitor monitor;
    struct chardev *chardev; /* borrowed */
    bool pretty;
    bool negotiated;
    /* the request so far */
    struct text request;
    unsigned depth;    /* open brackets */
    char quote;        /* inside a string: how it ends; else 0 */
    bool backslash;    /* the string's last byte was one */
    size_t next_check; /* a newline behind so many bytes makes us look for errors */
};

/* ---- answers --------------------------------------------------------------------------------- */

static void send_json(struct qmp *q, struct json_out *j)
{
    text_puts(&j->text, "\r\n");
    chardev_write(q->chardev, (const uint8_t *)text_str(&j->text), j->text.len);
    chardev_flush(q->chardev);
    text_free(&j->text);
}

static void add_id(struct json_out *j, const json_t *id)
{
    if (id != NULL) {
        char *dump = json_dumps(id, JSON_ENCODE_ANY);
        jout_raw(j, "id", dump != NULL ? dump : "null");
        free(dump);
    }
}

static void send_error(struct qmp *q, const char *class, const char *desc, const json_t *id)
{
    struct json_out j = {.pretty = q->pretty};
    jout_object(&j, NULL);
    jout_object(&j, "error");
    jout_string(&j, "class", class != NULL ? class : "GenericError");
    jout_string(&j, "desc", desc);
    jout_end(&j);
    add_id(&j, id);
    jout_end(&j);
    send_json(q, &j);
}

static void greet(struct qmp *q)
{
    struct json_out j = {.pretty = q->pretty};
    jout_object(&j, NULL);
    jout_object(&j, "QMP");
    jout_object(&j, "version");
    qmp_version(&j, q->monitor.debug->id.version);
    jout_end(&j);
    jout_array(&j, "capabilities");
    jout_end(&j);
    jout_end(&j);
    jout_end(&j);
    send_json(q, &j);
}

static void qmp_event(struct monitor *m, const char *event, const char *data)
{
    struct qmp *q = container_of(m, struct qmp, monitor);
    struct json_out j = {.pretty = q->pretty};
    int64_t us = host_wall_ns() / 1000;
    if (!q->negotiated) {
        return;
    }
    jout_object(&j, NULL);
    jout_object(&j, "timestamp");
    jout_i64(&j, "seconds", us / 1000000);
    jout_i64(&j, "microseconds", us % 1000000);
    jout_end(&j);
    jout_string(&j, "event", event);
    if (data != NULL) {
        jout_raw(&j, "data", data);
    }
    jout_end(&j);
    send_json(q, &j);
}

/* ---- arguments ------------------------------------------------------------------------------- */

static bool wrong_type(const char *name, const char *expected, struct error **err)
{
    return error_set(err, "Invalid parameter type for '%s', expected: %s", name, expected);
}

static bool take_value(const struct command_arg *a, const json_t *v, struct command_value *out,
                       struct error **err)
{
    out->given = true;
    switch (a->type) {
    case ARG_FLAG:
    case ARG_BOOL:
        out->on = json_is_true(v);
        return json_is_boolean(v) || wrong_type(a->name, "boolean", err);
    case ARG_INT:
        out->num = json_integer_value(v);
        return json_is_integer(v) || wrong_type(a->name, "integer", err);
    case ARG_WORD:
    case ARG_REST:
        out->text = json_is_string(v) ? xstrdup(json_string_value(v)) : NULL;
        return json_is_string(v) || wrong_type(a->name, "string", err);
    case ARG_JSON:
        out->json = v;
        return true;
    case ARG_FORMAT:
        break;
    }
    return wrong_type(a->name, "nothing", err);
}

static const struct command_arg *find_arg(const struct command *row, const char *name)
{
    for (unsigned i = 0; i < COMMAND_ARGS && row->args[i].name != NULL; i++) {
        if (strcmp(row->args[i].name, name) == 0 && row->args[i].type != ARG_FORMAT) {
            return &row->args[i];
        }
    }
    return NULL;
}

static bool take_args(struct command_call *c, const json_t *args, struct error **err)
{
    const struct command *row = c->command;
    const char *key;
    json_t *v;
    for (unsigned i = 0; i < COMMAND_ARGS && row->args[i].name != NULL; i++) {
        const struct command_arg *a = &row->args[i];
        v = json_object_get(args, a->name);
        if (v == NULL && !a->optional && a->type != ARG_FLAG && a->type != ARG_FORMAT) {
            return error_set(err, "Parameter '%s' is missing", a->name);
        }
        if (v != NULL && !take_value(a, v, &c->args[i], err)) {
            return false;
        }
    }
    json_object_foreach((json_t *)args, key, v)
    {
        if (find_arg(row, key) == NULL) {
            return error_set(err, "Parameter '%s' is unexpected", key);
        }
    }
    return true;
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool negotiate(struct qmp *q, const json_t *args, struct error **err)
{
    const json_t *enable = json_object_get(args, "enable");
    if (enable != NULL && !json_is_array(enable)) {
        return wrong_type("enable", "array", err);
    }
    if (json_array_size(enable) != 0) {
        return error_set(err, "This server has no capabilities to enable");
    }
    q->negotiated = true;
    return true;
}

/* Runs the handler and sends what it returned. */
static void run_command(struct qmp *q, const struct command *row, const json_t *args,
                        const json_t *id)
{
    struct error *err = NULL;
    struct text out = {0};
    struct json_out j = {.pretty = q->pretty}, value = {.pretty = q->pretty};
    struct command_call c = {
        .debug = q->monitor.debug,
        .monitor = &q->monitor,
        .command = row,
        .out = &out,
        .json = &value,
    };
    if (!take_args(&c, args, &err) || !command_run(&c, &err)) {
        send_error(q, c.error_class, error_text(err), id);
        error_free(err);
    } else {
        jout_object(&j, NULL);
        jout_raw(&j, "return", value.text.len != 0 ? text_str(&value.text) : "{}");
        add_id(&j, id);
        jout_end(&j);
        send_json(q, &j);
    }
    command_free_args(&c);
    text_free(&value.text);
    text_free(&out);
}

static void execute(struct qmp *q, const char *name, const json_t *args, const json_t *id)
{
    struct error *err = NULL;
    bool capabilities = strcmp(name, "qmp_capabilities") == 0;
    const struct command *row = command_find(name, strlen(name), CMD_QMP);
    if (capabilities && !q->negotiated) {
        if (negotiate(q, args, &err)) {
            run_command(q, row, NULL, id);
        } else {
            send_error(q, NULL, error_text(err), id);
        }
    } else if (capabilities) {
        send_error(q, "CommandNotFound",
                   "Capabilities negotiation is already complete, command ignored", id);
    } else if (!q->negotiated) {
        send_error(q, "CommandNotFound",
                   "Expecting capabilities negotiation with 'qmp_capabilities'", id);
    } else if (row == NULL) {
        char *desc = xasprintf("The command %s has not been found", name);
        send_error(q, "CommandNotFound", desc, id);
        free(desc);
    } else {
        run_command(q, row, args, id);
    }
    error_free(err);
}

/* What is wrong with a request, or NULL. */
static char *request_fault(const json_t *request)
{
    const char *key;
    json_t *v;
    if (!json_is_object(request)) {
        return xstrdup("QMP input must be a JSON object");
    }
    json_object_foreach((json_t *)request, key, v)
    {
        if (strcmp(key, "execute") == 0) {
            if (!json_is_string(v)) {
                return xstrdup("QMP input member 'execute' must be a string");
            }
        } else if (strcmp(key, "arguments") == 0) {
            if (!json_is_object(v)) {
                return xstrdup("QMP input member 'arguments' must be an object");
            }
        } else if (strcmp(key, "id") != 0) {
            return xasprintf("QMP input member '%s' is unexpected", key);
        }
    }
    return json_object_get(request, "execute") == NULL ? xstrdup("QMP input lacks member 'execute'")
                                                       : NULL;
}

static void handle_request(struct qmp *q, const json_t *request)
{
    const json_t *id = json_object_get(request, "id");
    char *fault = request_fault(request);
    if (fault != NULL) {
        send_error(q, NULL, fault, id);
        free(fault);
    } else {
        execute(q, json_string_value(json_object_get(request, "execute")),
                json_object_get(request, "arguments"), id);
    }
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void drop_request(struct qmp *q)
{
    text_cut(&q->request, 0);
    q->depth = 0;
    q->quote = 0;
    q->backslash = false;
    q->next_check = 0;
}

static void parse_error(struct qmp *q, const char *why)
{
    char *desc = xasprintf("JSON parse error, %s", why);
    drop_request(q);
    send_error(q, NULL, desc, NULL);
    free(desc);
}

/* The value in q->request is whole, as far as brackets and quotes say. */
static void request_ends(struct qmp *q)
{
    json_error_t why;
    json_t *request = json_loadb(text_str(&q->request), q->request.len, JSON_DECODE_ANY, &why);
    if (request == NULL) {
        parse_error(q, why.text);
        return;
    }
    drop_request(q);
    handle_request(q, request);
    json_decref(request);
}

/* At a newline inside a value: if the part so far cannot become right, the error is told now, and
 * what comes next is a new request. Each look costs as much as the part is long, so they get rarer.
 */
static void check_part(struct qmp *q)
{
    json_error_t why;
    if (q->request.len < q->next_check) {
        return;
    }
    q->next_check = 2 * q->request.len;
    json_t *part = json_loadb(text_str(&q->request), q->request.len, JSON_DECODE_ANY, &why);
    json_decref(part);
    if (part == NULL && json_error_code(&why) != json_error_premature_end_of_input) {
        parse_error(q, why.text);
    }
}

/* A byte inside a string; single quotes become double ones. */
static void string_byte(struct qmp *q, char c)
{
    if (q->backslash) {
        q->backslash = false;
        if (c == '\'') {
            text_cut(&q->request, q->request.len - 1); /* JSON has no \' */
        }
        text_putc(&q->request, c);
    } else if (c == q->quote) {
        q->quote = 0;
        text_putc(&q->request, '"');
    } else {
        if (c == '"') {
            text_putc(&q->request, '\\');
        }
        q->backslash = c == '\\';
        text_putc(&q->request, c);
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void structure_byte(struct qmp *q, char c)
{
    bool scalar = q->depth == 0 && q->request.len != 0; /* a value without brackets so far */
    if (is_blank(c)) {
        if (scalar) {
            request_ends(q);
        } else if (q->request.len != 0) {
            text_putc(&q->request, c);
            if (c == '\n') {
                check_part(q);
            }
        }
        return;
    }
    if (scalar && strchr("{}[]", c) != NULL) {
        request_ends(q);
    }
    if (c == '"' || c == '\'') {
        q->quote = c;
        text_putc(&q->request, '"');
        return;
    }
    if ((c == '}' || c == ']') && q->depth == 0) {
        parse_error(q, "expecting value");
        return;
    }
    text_putc(&q->request, c);
    q->depth += c == '{' || c == '[';
    if (c == '}' || c == ']') {
        q->depth--;
        if (q->depth == 0) {
            request_ends(q);
        }
    }
}

static void request_byte(struct qmp *q, char c)
{
    if (q->request.len >= REQUEST_MAX_BYTES) {
        parse_error(q, "the request is too long");
    }
    if (c == '\0') {
        parse_error(q, "a zero byte");
    } else if (q->quote == 0) {
        structure_byte(q, c);
    } else if (c == '\n') {
        parse_error(q, "a string does not end with its line");
    } else {
        string_byte(q, c);
    }
}

/* ---- the character device -------------------------------------------------------------------- */

static size_t can_receive(void *opaque)
{
    struct qmp *q = opaque;
    return chardev_pending(q->chardev) < OUTPUT_ENOUGH ? 256 : 0;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct qmp *q = opaque;
    for (size_t i = 0; i < len; i++) {
        request_byte(q, (char)buf[i]);
    }
}

static void chardev_changed(void *opaque, enum chardev_event event)
{
    struct qmp *q = opaque;
    if (event == CHARDEV_BREAK) {
        return;
    }
    drop_request(q);
    q->negotiated = false;
    if (event == CHARDEV_OPENED) {
        greet(q);
    }
}

static void qmp_fini(struct monitor *m)
{
    struct qmp *q = container_of(m, struct qmp, monitor);
    q->chardev->receive = NULL;
    q->chardev->can_receive = NULL;
    q->chardev->event = NULL;
    text_free(&q->request);
    free(q);
}

static const struct monitor_ops qmp_ops = {.event = qmp_event, .fini = qmp_fini};

bool qmp_new(struct debug *d, struct chardev *c, bool pretty, struct error **err)
{
    struct qmp *q = NEW(struct qmp);
    q->monitor.ops = &qmp_ops;
    q->chardev = c;
    q->pretty = pretty;
    c->can_receive = can_receive;
    c->receive = receive;
    c->event = chardev_changed;
    c->opaque = q;
    c->limit = OUTPUT_LIMIT;
    debug_add_monitor(d, &q->monitor);
    if (c->open) {
        greet(q);
    }
    chardev_accepts(c);
    return true;
}

#endif
