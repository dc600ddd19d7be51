/* Error texts. One that cannot be stored for want of memory still is an error: see no_memory. */
#include "core/base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct error {
    char *text;
};

static char no_memory_text[] = "out of memory";
static struct error no_memory = {.text = no_memory_text};

/* Takes @text over; NULL is lack of memory. */
static struct error *error_new(char *text)
{
    struct error *e = text != NULL ? malloc(sizeof(*e)) : NULL;
    if (e == NULL) {
        free(text);
        return &no_memory;
    }
    e->text = text;
    return e;
}

static char *format(const char *fmt, va_list ap)
{
    char *s;
    return vasprintf(&s, fmt, ap) < 0 ? NULL : s;
}

bool error_set(struct error **err, const char *fmt, ...)
{
    if (err != NULL) {
        va_list ap;
        assert(*err == NULL);
        va_start(ap, fmt);
        *err = error_new(format(fmt, ap));
        va_end(ap);
    }
    return false;
}

bool error_errno(struct error **err, int errnum, const char *fmt, ...)
{
    if (err != NULL) {
        va_list ap;
        assert(*err == NULL);
        va_start(ap, fmt);
        char *what = format(fmt, ap);
        va_end(ap);
        char buf[128], *text = NULL;
        if (what != NULL &&
            asprintf(&text, "%s: %s", what, strerror_r(errnum, buf, sizeof(buf))) < 0) {
            text = NULL;
        }
        free(what);
        *err = error_new(text);
    }
    return false;
}

bool error_prefix(struct error **err, const char *fmt, ...)
{
    if (err != NULL && *err != NULL && *err != &no_memory) {
        va_list ap;
        va_start(ap, fmt);
        char *what = format(fmt, ap), *text;
        va_end(ap);
        if (what != NULL && asprintf(&text, "%s: %s", what, (*err)->text) >= 0) {
            free((*err)->text);
            (*err)->text = text;
        }
        free(what);
    }
    return false;
}

const char *error_text(const struct error *err)
{
    return err != NULL ? err->text : "";
}

void error_free(struct error *err)
{
    if (err != NULL && err != &no_memory) {
        free(err->text);
        free(err);
    }
}
