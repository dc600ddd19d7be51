/* A string that grows: output of the monitors, JSON on its way out. A zeroed struct is empty. */
#ifndef CORE_BASE_TEXT_H
#define CORE_BASE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

struct text {
    char *data;              /* NUL ended once something was added; NULL before */
    size_t len, cap;
};

void text_add(struct text *t, const char *bytes, size_t len);
void text_puts(struct text *t, const char *s);
void text_putc(struct text *t, char c);
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *t, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* The string, "" if nothing was added. Valid until the next change. */
const char *text_str(const struct text *t);

/* Adds text with each newline as CR LF, as terminals and monitors want it. */
void text_crlf(struct text *t, const char *bytes, size_t len);

/* Shortens it to @len bytes, at most what it has. */
void text_cut(struct text *t, size_t len);
void text_free(struct text *t);

#endif
