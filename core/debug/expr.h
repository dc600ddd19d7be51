/*
 * Expressions of the monitor: numbers (decimal, 0x, octal with 0), 'c', $register, parentheses and
 * the operators + - * / % & | ^ ~. The bit operators bind least, * / % most. 64 bits, wrapping.
 */
#ifndef CORE_DEBUG_EXPR_H
#define CORE_DEBUG_EXPR_H

#include "core/debug/debug.h"

/* @p behind the blanks that it begins with. */
const char *expr_skip_blanks(const char *p);

/* Reads one at *text and moves it behind it and the blanks that follow. Registers are those of vCPU
 * @cpu; naming one freezes the machine. */
bool expr_parse(struct debug *d, unsigned cpu, const char **text, int64_t *out, struct error **err);

/* The register called @name (without $) of @s. False: there is none. */
bool expr_register(const struct x86_state *s, const char *name, uint64_t *out);

#endif
