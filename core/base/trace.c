/* Switching, listing and printing of trace points; the points themselves are generated. */
#include "core/base/trace.h"

#include "core/base/json_out.h"
#include "core/base/log.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Made by scripts/gen-trace from all trace.def files; ends with NULL. */
extern struct trace_point *const trace_table[];

static struct {
    void (*hook)(void *opaque, struct trace_where *w);
    void *opaque;
    bool json;
} context;

unsigned trace_enable(const char *pattern, bool on)
{
    unsigned matched = 0;
    for (unsigned i = 0; trace_table[i] != NULL; i++) {
        if (fnmatch(pattern, trace_table[i]->name, 0) == 0) {
            *trace_table[i]->enabled = on;
            matched++;
        }
    }
    return matched;
}

void trace_set_json(bool on)
{
    context.json = on;
}

void trace_list(void (*each)(void *opaque, const struct trace_point *tp), void *opaque)
{
    for (unsigned i = 0; trace_table[i] != NULL; i++) {
        each(opaque, trace_table[i]);
    }
}

/* ---- text ------------------------------------------------------------------------------------ */

static void put_where(struct text *out, const struct trace_where *w)
{
    char place[24] = "-";
    if (w->has_place) {
        snprintf(place, sizeof(place), "%04X:%04" PRIX64, w->cs, w->ip);
    }
    text_printf(out, "%12.6f %10" PRIu64 " %13s  ", (double)w->ns / 1e6, w->insns, place);
}

static void put_text(struct text *out, const struct trace_point *tp, const struct trace_where *w,
                     const char *fmt, va_list ap)
{
    if (context.hook != NULL) {
        put_where(out, w);
    }
    text_printf(out, "%s ", tp->name);
    text_vprintf(out, fmt, ap);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_where(struct json_out *j, const struct trace_where *w)
{
    jout_i64(j, "ns", w->ns);
    jout_u64(j, "insn", w->insns);
    if (w->on_vcpu) {
        jout_u64(j, "cpu", w->cpu);
    }
    if (w->has_place) {
        char place[24];
        snprintf(place, sizeof(place), "%04X:%04" PRIX64, w->cs, w->ip);
        jout_string(j, "at", place);
    }
}

/* The next argument of @ap, as its promoted type says. */
static void json_arg(struct json_out *j, const char *name, char kind, va_list *ap)
{
    if (kind == 's' || kind == 'x') {
        const char *text = va_arg(*ap, const char *);
        if (kind == 's') {
            jout_string(j, name, text);
        }
    } else if (kind == 'q') {
        jout_u64(j, name, va_arg(*ap, uint64_t));
    } else if (kind == 'u') {
        jout_u64(j, name, va_arg(*ap, unsigned));
    } else {
        int val = va_arg(*ap, int);
        if (kind != '-') {
            jout_i64(j, name, val);
        }
    }
}

static void put_json(struct text *out, const struct trace_point *tp, const struct trace_where *w,
                     va_list *ap)
{
    struct json_out j = {.text = *out};
    jout_object(&j, NULL);
    if (context.hook != NULL) {
        json_where(&j, w);
    }
    jout_string(&j, "event", tp->name);
    jout_object(&j, "args");
    for (const char *p = tp->args; p != NULL && *p != '\0';) {
        char name[32];
        size_t len = strcspn(p, ":");
        snprintf(name, sizeof(name), "%.*s", (int)len, p);
        json_arg(&j, name, p[len + 1], ap);
        p += len + 3; /* the colon, the kind, a blank */
    }
    jout_end(&j);
    jout_end(&j);
    *out = j.text;
}

void trace_emit(const struct trace_point *tp, const char *fmt, ...)
{
    struct text line = {0};
    struct trace_where where = {0};
    va_list ap;
    if (context.hook != NULL) {
        context.hook(context.opaque, &where);
    }
    va_start(ap, fmt);
    if (context.json) {
        put_json(&line, tp, &where, &ap);
    } else {
        put_text(&line, tp, &where, fmt, ap);
    }
    va_end(ap);
    log_line(text_str(&line));
    text_free(&line);
}

void trace_set_context(void (*hook)(void *opaque, struct trace_where *w), void *opaque)
{
    context.hook = hook;
    context.opaque = opaque;
}
