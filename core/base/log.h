/*
 * Messages. log_error and log_warn speak to the user on standard error, prefixed "coldboot: ".
 * log_guest (the guest broke a rule of the hardware) and log_unimp (we do less than the hardware)
 * are off by default and limited in rate. Everything else is a trace point (trace.h).
 */
#ifndef CORE_BASE_LOG_H
#define CORE_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

enum log_class {
    LOG_GUEST = 1, /* -d guest_errors */
    LOG_UNIMP = 2, /* -d unimp */
    LOG_EXITS = 4, /* -d exits: written with log_line, so not limited in rate */
    LOG_JIT = 8,   /* -d jit and jit_code: likewise */
    LOG_JIT_CODE = 16,
};

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* [any] */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  /* [any] */
void log_guest(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* [any] */
void log_unimp(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* [any] */

/* Which classes are shown, and whether one is. */
void log_enable(unsigned classes);
extern _Atomic unsigned log_shown;
static inline bool log_enabled(enum log_class class)
{
    return (atomic_load_explicit(&log_shown, memory_order_relaxed) & class) != 0;
}

/* Where log_guest, log_unimp and traces go (default: standard error). The caller keeps the file. */
void log_set_file(FILE *f);
FILE *log_file(void);

/* One finished line, without its newline, to the log file; through the sink if that is standard
 * error. For traces. [any] */
void log_line(const char *line);

/* A hook that the terminal display sets so that messages do not tear the screen; NULL: none. */
void log_set_sink(void (*sink)(void *opaque, const char *line), void *opaque);

#endif
