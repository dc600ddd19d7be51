/* Allocation that ends the program rather than return NULL, and one that does not. */
#include "core/base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *check(void *p)
{
    if (p == NULL) {
        fputs("coldboot: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    return check(calloc(n != 0 ? n : 1, size != 0 ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
    return check(realloc(p, size != 0 ? size : 1));
}

char *xstrdup(const char *s)
{
    return check(strdup(s));
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *s;
    va_start(ap, fmt);
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return check(n < 0 ? NULL : s);
}

void *try_alloc(size_t size)
{
    return calloc(1, size != 0 ? size : 1);
}
