/* A string that grows. */
#include "core/base/text.h"

#include "core/base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make_room(struct text *t, size_t more)
{
    if (t->cap - t->len <= more) {
        t->cap = 2 * (t->len + more) + 64;
        t->data = xrealloc(t->data, t->cap);
    }
}

void text_add(struct text *t, const char *bytes, size_t len)
{
    make_room(t, len);
    memcpy(t->data + t->len, bytes, len);
    t->len += len;
    t->data[t->len] = '\0';
}

void text_puts(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

void text_putc(struct text *t, char c)
{
    text_add(t, &c, 1);
}

void text_vprintf(struct text *t, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, ap);
    if (len > 0) {
        make_room(t, (size_t)len);
        vsnprintf(t->data + t->len, (size_t)len + 1, fmt, again);
        t->len += (size_t)len;
    }
    va_end(again);
}

void text_printf(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    text_vprintf(t, fmt, ap);
    va_end(ap);
}

const char *text_str(const struct text *t)
{
    return t->data != NULL ? t->data : "";
}

void text_crlf(struct text *t, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            text_putc(t, '\r');
        }
        text_putc(t, bytes[i]);
    }
}

void text_cut(struct text *t, size_t len)
{
    if (len < t->len) {
        t->len = len;
        t->data[len] = '\0';
    }
}

void text_free(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}
