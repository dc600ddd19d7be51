/* Switching, listing and printing of trace points; the points themselves are generated. */
#include "core/base/trace.h"

#include "core/base/log.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>

/* Made by scripts/gen-trace from all trace.def files; ends with NULL. */
extern struct trace_point *const trace_table[];

static struct {
    void (*hook)(void *opaque, char *buf, size_t size);
    void *opaque;
} context;

unsigned trace_enable(const char *pattern, bool on)
{
    unsigned matched = 0;
    for (unsigned i = 0; trace_table[i] != NULL; i++) {
        if (fnmatch(pattern, trace_table[i]->name, 0) == 0) {
            trace_table[i]->enabled = on;
            matched++;
        }
    }
    return matched;
}

void trace_list(void (*each)(void *opaque, const struct trace_point *tp), void *opaque)
{
    for (unsigned i = 0; trace_table[i] != NULL; i++) {
        each(opaque, trace_table[i]);
    }
}

void trace_emit(const struct trace_point *tp, const char *fmt, ...)
{
    char line[1024];
    size_t n = 0;
    va_list ap;

    if (context.hook != NULL) {
        line[0] = '\0';
        context.hook(context.opaque, line, sizeof(line) / 2);
        while (n < sizeof(line) / 2 - 1 && line[n] != '\0') {
            n++;
        }
        line[n++] = ' ';
    }
    n += (size_t)snprintf(line + n, sizeof(line) - n, "%.200s ", tp->name);
    va_start(ap, fmt);
    vsnprintf(line + n, sizeof(line) - n, fmt, ap);
    va_end(ap);
    log_line(line);
}

void trace_set_context(void (*hook)(void *opaque, char *buf, size_t size), void *opaque)
{
    context.hook = hook;
    context.opaque = opaque;
}
