/*
 * Errors of the host or the user, as text for a person.
 *
 * A function that can fail takes `struct error **err` last, returns false (or NULL) on failure and
 * fills *err exactly once, where the cause is known. Callers may put what they were doing in front.
 * A NULL err is allowed and drops the text. Only main prints errors and exits.
 */
#ifndef CORE_BASE_ERROR_H
#define CORE_BASE_ERROR_H

#include <stdbool.h>

struct error;

/* Sets *err from a printf format. *err must be NULL before. Always returns false. [any] */
bool error_set(struct error **err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same, followed by ": " and the text of errno value @errnum. Always returns false. [any] */
bool error_errno(struct error **err, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts text and ": " in front of *err, if there is one. Always returns false. [any] */
bool error_prefix(struct error **err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text, without a newline; "" for NULL. Lives as long as the error. [any] */
const char *error_text(const struct error *err);

/* Frees an error; NULL is allowed. [any] */
void error_free(struct error *err);

#endif
