/* What all character devices share, the choice of a back end, and the one that does nothing. */
#include "core/device/chardev.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/opts.h"
#include "core/device/chardev_fd.h"
#include "core/device/chardev_socket.h"

#include <stdlib.h>
#include <string.h>

static void null_write(struct chardev *c, const uint8_t *buf, size_t len)
{
}

static void null_fini(struct chardev *c)
{
    free(c);
}

static const struct chardev_ops null_ops = {.write = null_write, .fini = null_fini};

static struct chardev *null_new(void)
{
    struct chardev *c = NEW(struct chardev);
    *c = (struct chardev){.ops = &null_ops, .label = "null", .open = true};
    return c;
}

/* ---- option texts ---------------------------------------------------------------------------- */

enum spec_kind {
    SPEC_NULL,
    SPEC_STDIO,
    SPEC_PTY,
    SPEC_FILE,
    SPEC_PIPE,
    SPEC_UNIX,
    SPEC_TCP,
    SPEC_TELNET
};

static const struct {
    const char *name; /* with the colon or comma, if something follows */
    enum spec_kind kind;
} kinds[] = {
    {"null", SPEC_NULL},  {"pty", SPEC_PTY},   {"stdio", SPEC_STDIO}, {"stdio,", SPEC_STDIO},
    {"file:", SPEC_FILE}, {"pipe:", SPEC_PIPE}, {"unix:", SPEC_UNIX},  {"tcp:", SPEC_TCP},
    {"telnet:", SPEC_TELNET},
};

struct spec {
    enum spec_kind kind;
    char *rest; /* behind the colon: path, or host */
    char *port; /* inside of rest */
    bool server, wait;
    bool signals; /* stdio: Ctrl-C is a signal */
};

static bool find_kind(const char *spec, enum spec_kind *kind, const char **rest)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        size_t len = strlen(kinds[i].name);
        bool more = strchr(":,", kinds[i].name[len - 1]) != NULL;
        if (more ? strncmp(spec, kinds[i].name, len) == 0 : strcmp(spec, kinds[i].name) == 0) {
            *kind = kinds[i].kind;
            *rest = spec + len;
            return true;
        }
    }
    return false;
}

/* HOST:PORT, where HOST may be empty or in brackets. */
static bool split_port(struct spec *s, struct error **err)
{
    char *colon = strrchr(s->rest, ':');
    if (colon == NULL || colon[1] == '\0') {
        return error_set(err, "'%s' has no port; the form is HOST:PORT", s->rest);
    }
    *colon = '\0';
    s->port = colon + 1;
    /* The resolver takes the low 16 bits of any number. */
    if (strspn(s->port, "0123456789") == strlen(s->port) && strtoul(s->port, NULL, 10) > 65535) {
        return error_set(err, "%s: a port is at most 65535", s->port);
    }
    return true;
}

static bool stdio_spec(struct spec *s, const char *text, struct error **err)
{
    struct opts o;
    s->signals = true;
    if (text[0] == '\0') {
        return true;
    }
    if (!opts_parse(&o, text, NULL, err)) {
        return false;
    }
    bool ok = opts_bool(&o, "signal", &s->signals, err) && opts_all_used(&o, err);
    opts_free(&o);
    return ok;
}

static bool socket_spec(struct spec *s, const char *text, struct error **err)
{
    struct opts o;
    bool delay = true;
    if (!opts_parse(&o, text, "address", err)) {
        return false;
    }
    const char *address = opts_get(&o, "address");
    bool ok = address != NULL || error_set(err, "nothing after the colon");
    s->wait = true;
    ok = ok && opts_bool(&o, "server", &s->server, err) && opts_bool(&o, "wait", &s->wait, err) &&
         opts_bool(&o, "delay", &delay, err) && opts_bool(&o, "nodelay", &delay, err) &&
         opts_all_used(&o, err);
    if (ok) {
        s->rest = xstrdup(address);
        ok = s->kind == SPEC_UNIX || split_port(s, err);
    }
    opts_free(&o);
    return ok;
}

static void spec_free(struct spec *s)
{
    free(s->rest);
}

static bool spec_parse(struct spec *s, const char *text, struct error **err)
{
    const char *rest;
    *s = (struct spec){0};
    if (!find_kind(text, &s->kind, &rest)) {
        return error_set(err,
                         "'%s' is none of null, stdio, pty, file:PATH, pipe:PATH, unix:PATH, "
                         "tcp:HOST:PORT, telnet:HOST:PORT",
                         text);
    }
    if (s->kind == SPEC_STDIO) {
        return stdio_spec(s, rest, err);
    }
    if (s->kind < SPEC_FILE) {
        return true;
    }
    if (rest[0] == '\0') {
        return error_set(err, "nothing after the colon");
    }
    if (s->kind < SPEC_UNIX) {
        s->rest = xstrdup(rest);
        return true;
    }
    if (!socket_spec(s, rest, err)) {
        spec_free(s);
        return false;
    }
    return true;
}

bool chardev_check(const char *spec, struct error **err)
{
    struct spec s;
    if (!spec_parse(&s, spec, err)) {
        return false;
    }
    spec_free(&s);
    return true;
}

static struct chardev *socket_new(const struct spec *s, struct loop *loop, struct error **err)
{
    struct socket_options o = {
        .kind = s->kind == SPEC_UNIX  ? SOCKET_UNIX
                : s->kind == SPEC_TCP ? SOCKET_TCP
                                      : SOCKET_TELNET,
        .path = s->rest,
        .host = s->rest,
        .port = s->port,
        .server = s->server,
        .wait = s->wait,
    };
    return chardev_socket_new(&o, loop, err);
}

struct chardev *chardev_new(const char *spec, struct loop *loop, struct error **err)
{
    struct spec s;
    struct chardev *c = NULL;
    if (!spec_parse(&s, spec, err)) {
        return NULL;
    }
    switch (s.kind) {
    case SPEC_NULL:
        c = null_new();
        break;
    case SPEC_STDIO:
        c = chardev_stdio_new(loop, s.signals, err);
        break;
    case SPEC_PTY:
        c = chardev_pty_new(loop, err);
        break;
    case SPEC_FILE:
        c = chardev_file_new(s.rest, loop, err);
        break;
    case SPEC_PIPE:
        c = chardev_pipe_new(s.rest, loop, err);
        break;
    case SPEC_UNIX:
    case SPEC_TCP:
    case SPEC_TELNET:
        c = socket_new(&s, loop, err);
        break;
    }
    spec_free(&s);
    return c;
}

/* ---- what all share -------------------------------------------------------------------------- */

void chardev_free(struct chardev *c)
{
    if (c != NULL) {
        c->ops->fini(c);
    }
}

void chardev_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    if (c == NULL) {
        return;
    }
    for (struct chardev_tap *t = c->taps; t != NULL; t = t->next) {
        t->seen(t->opaque, buf, len);
    }
    c->ops->write(c, buf, len);
}

void chardev_flush(struct chardev *c)
{
    if (c != NULL && c->ops->flush != NULL) {
        c->ops->flush(c);
    }
}

size_t chardev_pending(struct chardev *c)
{
    return c->ops->pending != NULL ? c->ops->pending(c) : 0;
}

void chardev_tap(struct chardev *c, struct chardev_tap *tap)
{
    struct chardev_tap **at = &c->taps;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    tap->next = NULL;
    *at = tap;
}

void chardev_accepts(struct chardev *c)
{
    if (c != NULL && c->ops->wants_input != NULL) {
        c->ops->wants_input(c);
    }
}

size_t chardev_input(struct chardev *c, const uint8_t *buf, size_t len)
{
    if (c->receive == NULL) {
        return len; /* nobody listens: dropped, so that the back end does not wait */
    }
    size_t room = c->can_receive != NULL ? c->can_receive(c->opaque) : len;
    size_t n = len < room ? len : room;
    if (n != 0) {
        c->receive(c->opaque, buf, n);
    }
    return n;
}

void chardev_send_event(struct chardev *c, enum chardev_event event)
{
    if (event != CHARDEV_BREAK) {
        c->open = event == CHARDEV_OPENED;
    }
    if (c->event != NULL) {
        c->event(c->opaque, event);
    }
}
