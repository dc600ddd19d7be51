/*
 * Memory for our own structures. These never return NULL: what is asked for here is bounded by our
 * own code, never by a value from a guest, file or peer (those use try_alloc and report).
 */
#ifndef CORE_BASE_ALLOC_H
#define CORE_BASE_ALLOC_H

#include <stddef.h>

void *xcalloc(size_t n, size_t size);             /* zeroed */
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void *try_alloc(size_t size);                     /* zeroed, or NULL */
/* Zeroed, in the first 2 GiB of addresses, if there is room; then alloc_low_free. */
void *alloc_low(size_t size);
void alloc_low_free(void *p, size_t size);

#define NEW(type)          ((type *)xcalloc(1, sizeof(type)))
#define NEW_ARRAY(type, n) ((type *)xcalloc((n), sizeof(type)))

#endif
