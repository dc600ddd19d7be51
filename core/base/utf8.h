/* UTF-8: one code point at a time. */
#ifndef CORE_BASE_UTF8_H
#define CORE_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_MAX     4u
#define UTF8_INVALID UINT32_MAX

/* Writes @cp (at most 10FFFFh) to @out without a NUL; returns its length, 1..4. */
unsigned utf8_encode(uint32_t cp, char out[UTF8_MAX]);

/* Reads one code point of @len > 0 bytes at @s. *used: bytes taken, at least 1; 0 if the bytes are
 * the beginning of a longer one. Overlong forms, surrogates and stray bytes give UTF8_INVALID. */
uint32_t utf8_decode(const char *s, size_t len, size_t *used);

#endif
