/*
 * Trace points. A folder's trace.def has one line a point:
 *
 *     TRACE(i8254_read, "%s off=%u val=%02x", (const char *name, unsigned off, uint8_t val))
 *
 * scripts/gen-trace makes from it a header with `trace_i8254_read(name, off, val)` (include it as
 * "trace/hw_chips.h" for hw/chips/trace.def: slashes become underscores). Switched off, a point
 * costs one untaken branch. The printed line starts with what the context hook writes (virtual
 * time, instruction count, CS:IP).
 */
#ifndef CORE_BASE_TRACE_H
#define CORE_BASE_TRACE_H

#include <stdbool.h>
#include <stddef.h>

struct trace_point {
    const char *name;
    bool enabled;
};

/* Switches every point whose name matches the shell pattern. Returns how many matched. [locked] */
unsigned trace_enable(const char *pattern, bool on);

/* Calls @each for every point, in name order of each folder. */
void trace_list(void (*each)(void *opaque, const struct trace_point *tp), void *opaque);

/* Prints one line to log_file(). Only generated code calls it. [any] */
void trace_emit(const struct trace_point *tp, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* @hook writes what stands in front of each line into buf, at most size bytes; NULL: nothing. */
void trace_set_context(void (*hook)(void *opaque, char *buf, size_t size), void *opaque);

#endif
