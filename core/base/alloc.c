/* Allocation that ends the program rather than return NULL, and one that does not. */
#include "core/base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_register_root_region(p, size)   ((void)0)
#define __lsan_unregister_root_region(p, size) ((void)0)
#endif

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

void *alloc_low(size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_32BIT, -1, 0);
    if (p == MAP_FAILED) {
        p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    }
    p = check(p == MAP_FAILED ? NULL : p);
    __lsan_register_root_region(p, size);               /* what it leads to is no leak */
    return p;
}

void alloc_low_free(void *p, size_t size)
{
    if (p) {
        __lsan_unregister_root_region(p, size);
        munmap(p, size);
    }
}

void *try_alloc(size_t size)
{
    return calloc(1, size != 0 ? size : 1);
}
