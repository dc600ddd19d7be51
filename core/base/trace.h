/*
 * Trace points. A folder's trace.def has one line a point:
 *
 *     TRACE(i8254_read, "off=%u val=%02x", (unsigned off, uint8_t val))
 *
 * scripts/gen-trace makes from it a header with `trace_i8254_read(off, val)` (include it as
 * "trace/hw_chips.h" for hw/chips/trace.def: slashes become underscores). Switched off, a point
 * costs one untaken branch; built with `make NOTRACE=1`, none.
 *
 * A line is text, or a JSON object with the arguments by name. Either begins with what the context
 * hook knows: virtual time, instruction count, the vCPU and its CS:IP.
 */
#ifndef CORE_BASE_TRACE_H
#define CORE_BASE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace_point {
    const char *name;
    const char *args; /* "name:kind " for each; kinds as in gen-trace */
    bool *enabled;
};

/* Is the point of that name on? For callers that would have to prepare arguments. */
#ifdef COLDBOOT_NO_TRACE
#define trace_on(name) false
#else
#define trace_on(name) __builtin_expect(tp_##name##_on, 0)
#endif

/* Switches every point whose name matches the shell pattern. Returns how many matched. [locked] */
unsigned trace_enable(const char *pattern, bool on);

/* Lines as JSON objects from here on, or as text. [locked] */
void trace_set_json(bool on);

/* Calls @each for every point, in name order of each folder. */
void trace_list(void (*each)(void *opaque, const struct trace_point *tp), void *opaque);

/* Prints one line to log_file(). Only generated code calls it. [any] */
void trace_emit(const struct trace_point *tp, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* When and where something happened. */
struct trace_where {
    int64_t ns;     /* of the virtual clock */
    uint64_t insns; /* retired by the vCPU; without one by the first */
    bool on_vcpu;   /* the vCPU did it, else the main loop */
    unsigned cpu;
    bool has_place; /* its code was at cs:ip */
    uint16_t cs;
    uint64_t ip;
};

/* @hook fills *w, which is zeroed; NULL: lines begin with the name. */
void trace_set_context(void (*hook)(void *opaque, struct trace_where *w), void *opaque);

#endif
