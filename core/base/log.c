/*
 * Messages to the user and about the guest. What goes to standard error goes through the sink, if
 * one is set; a log file gets guest messages and traces as plain lines.
 */
#include "core/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RATE_PER_SEC 1000
#define LINE_BYTES   1024

/* Messages are the process's, not a machine's: there is one standard error. */
static struct {
    pthread_mutex_t mutex;
    FILE *file; /* NULL: standard error */
    void (*sink)(void *opaque, const char *line);
    void *sink_opaque;
    time_t second; /* the second that `shown` and `dropped` count */
    unsigned shown, dropped;
} msg = {.mutex = PTHREAD_MUTEX_INITIALIZER};

_Atomic unsigned log_shown;

/* One line, without its newline, to the user or to the log file. */
static void put_line(FILE *file, const char *line)
{
    if (file == stderr && msg.sink != NULL) {
        msg.sink(msg.sink_opaque, line);
    } else {
        fprintf(file, "%s\n", line);
    }
}

static void to_user(const char *class, const char *fmt, va_list ap)
{
    char line[LINE_BYTES];
    int n = snprintf(line, sizeof(line), "coldboot: %s", class);
    vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
    pthread_mutex_lock(&msg.mutex);
    put_line(stderr, line);
    pthread_mutex_unlock(&msg.mutex);
}

void log_error(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    to_user("", fmt, ap);
    va_end(ap);
}

void log_warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    to_user("warning: ", fmt, ap);
    va_end(ap);
}

/* True if one more line may be shown in this second of host time. The guest decides how often it
 * breaks the rules, not how fast our log grows. */
static bool within_rate(FILE *file)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec != msg.second) {
        if (msg.dropped != 0) {
            char line[80];
            snprintf(line, sizeof(line), "(%u messages dropped)", msg.dropped);
            put_line(file, line);
        }
        msg.second = now.tv_sec;
        msg.shown = msg.dropped = 0;
    }
    if (msg.shown < RATE_PER_SEC) {
        msg.shown++;
        return true;
    }
    msg.dropped++;
    return false;
}

static void about_guest(unsigned class, const char *name, const char *fmt, va_list ap)
{
    if (!log_enabled(class)) {
        return;
    }
    pthread_mutex_lock(&msg.mutex);
    FILE *file = msg.file != NULL ? msg.file : stderr;
    if (within_rate(file)) {
        char line[LINE_BYTES];
        int n = snprintf(line, sizeof(line), "%s: ", name);
        vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
        put_line(file, line);
    }
    pthread_mutex_unlock(&msg.mutex);
}

void log_guest(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    about_guest(LOG_GUEST, "guest error", fmt, ap);
    va_end(ap);
}

void log_unimp(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    about_guest(LOG_UNIMP, "not implemented", fmt, ap);
    va_end(ap);
}

void log_enable(unsigned classes)
{
    atomic_store_explicit(&log_shown, classes, memory_order_relaxed);
}

void log_set_file(FILE *f)
{
    pthread_mutex_lock(&msg.mutex);
    msg.file = f;
    pthread_mutex_unlock(&msg.mutex);
}

FILE *log_file(void)
{
    pthread_mutex_lock(&msg.mutex);
    FILE *f = msg.file != NULL ? msg.file : stderr;
    pthread_mutex_unlock(&msg.mutex);
    return f;
}

void log_set_sink(void (*sink)(void *opaque, const char *line), void *opaque)
{
    pthread_mutex_lock(&msg.mutex);
    msg.sink = sink;
    msg.sink_opaque = opaque;
    pthread_mutex_unlock(&msg.mutex);
}

void log_line(const char *line)
{
    pthread_mutex_lock(&msg.mutex);
    put_line(msg.file != NULL ? msg.file : stderr, line);
    pthread_mutex_unlock(&msg.mutex);
}
