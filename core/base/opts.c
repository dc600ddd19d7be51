/* Option values: splitting, and turning text into numbers without surprises. */
#include "core/base/opts.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Copies text up to a comma that is not doubled and moves *text behind it. */
static char *take_part(const char **text)
{
    const char *p = *text;
    char *part = xcalloc(strlen(p) + 1, 1);
    size_t n = 0;

    for (; *p != '\0'; p++) {
        if (*p == ',' && *++p != ',') {
            break;
        }
        part[n++] = *p;
    }
    *text = p;
    return part;
}

static bool add(struct opts *o, const char *key, const char *value, struct error **err)
{
    if (key[0] == '\0') {
        return error_set(err, "a name is missing in front of '%s'", value);
    }
    for (unsigned i = 0; i < o->n; i++) {
        if (strcmp(o->list[i].key, key) == 0) {
            return error_set(err, "'%s' is given twice", key);
        }
    }
    o->list = xrealloc(o->list, (o->n + 1) * sizeof(*o->list));
    o->list[o->n++] = (struct opt){.key = xstrdup(key), .value = xstrdup(value)};
    return true;
}

/* A part is "key=value", the bare first value, "flag" or "noflag". */
static bool add_part(struct opts *o, char *part, const char *first_key, struct error **err)
{
    char *eq = strchr(part, '=');
    if (eq != NULL) {
        *eq = '\0';
        return add(o, part, eq + 1, err);
    }
    if (first_key != NULL) {
        return add(o, first_key, part, err);
    }
    if (strncmp(part, "no", 2) == 0 && part[2] != '\0') {
        return add(o, part + 2, "off", err);
    }
    return add(o, part, "on", err);
}

bool opts_parse(struct opts *o, const char *text, const char *first_key, struct error **err)
{
    *o = (struct opts){0};
    while (*text != '\0') {
        char *part = take_part(&text);
        bool ok = add_part(o, part, first_key, err);
        free(part);
        if (!ok) {
            opts_free(o);
            return false;
        }
        first_key = NULL;
    }
    return true;
}

void opts_free(struct opts *o)
{
    for (unsigned i = 0; i < o->n; i++) {
        free(o->list[i].key);
        free(o->list[i].value);
    }
    free(o->list);
    *o = (struct opts){0};
}

const char *opts_get(struct opts *o, const char *key)
{
    for (unsigned i = 0; i < o->n; i++) {
        if (strcmp(o->list[i].key, key) == 0) {
            o->list[i].used = true;
            return o->list[i].value;
        }
    }
    return NULL;
}

bool opts_bool(struct opts *o, const char *key, bool *out, struct error **err)
{
    static const char *const words[2][3] = {{"off", "no", "false"}, {"on", "yes", "true"}};
    const char *value = opts_get(o, key);
    if (value == NULL) {
        return true;
    }
    for (unsigned i = 0; i < 6; i++) {
        if (strcmp(value, words[i / 3][i % 3]) == 0) {
            *out = i / 3 != 0;
            return true;
        }
    }
    return error_set(err, "%s: '%s' is neither on nor off", key, value);
}

/* The value of a digit in @base (10 or 16), or -1. */
static int digit(char c, unsigned base)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return base == 16 && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads digits with optional 0x, moves *text behind them. False: no digit, or more than 64 bits. */
static bool take_u64(const char **text, uint64_t *out)
{
    const char *p = *text;
    unsigned base = p[0] == '0' && (p[1] == 'x' || p[1] == 'X') ? 16 : 10;
    p += base == 16 ? 2 : 0;
    if (digit(*p, base) < 0) {
        return false;
    }
    uint64_t v = 0;
    for (; digit(*p, base) >= 0; p++) {
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)digit(*p, base), &v)) {
            return false;
        }
    }
    *text = p;
    *out = v;
    return true;
}

bool opts_u64(struct opts *o, const char *key, uint64_t lo, uint64_t hi, uint64_t *out,
              struct error **err)
{
    const char *value = opts_get(o, key), *p = value;
    uint64_t v;
    if (value == NULL) {
        return true;
    }
    if (!take_u64(&p, &v) || *p != '\0') {
        return error_set(err, "%s: '%s' is not a number", key, value);
    }
    if (v < lo || v > hi) {
        return error_set(err, "%s: %s is not in %llu..%llu", key, value, (unsigned long long)lo,
                         (unsigned long long)hi);
    }
    *out = v;
    return true;
}

bool opts_all_used(const struct opts *o, struct error **err)
{
    for (unsigned i = 0; i < o->n; i++) {
        if (!o->list[i].used) {
            return error_set(err, "'%s' is not known here", o->list[i].key);
        }
    }
    return true;
}

/* What a size suffix counts, or 0. */
static uint64_t suffix_unit(char c)
{
    static const char letters[] = "bkmgtpe";
    const char *at = c != '\0' ? strchr(letters, c | 0x20) : NULL;
    return at != NULL ? 1ull << (10 * (at - letters)) : 0;
}

bool parse_size(const char *text, uint64_t unit, uint64_t *out, struct error **err)
{
    const char *p = text;
    uint64_t whole, num = 0, den = 1;
    if (!take_u64(&p, &whole)) {
        goto bad;
    }
    if (*p == '.') {
        /* Digits beyond the 18th are less than a byte of any suffix's unit. */
        for (p++; digit(*p, 10) >= 0; p++) {
            if (den < 1000000000000000000ull) {
                num = 10 * num + (uint64_t)digit(*p, 10);
                den *= 10;
            }
        }
    }
    if (*p != '\0') {
        unit = suffix_unit(*p++);
    }
    if (unit == 0 || *p != '\0' || (unit == 1 && num != 0)) {
        goto bad;
    }
    uint64_t part = muldiv64(num, unit, den);
    if (__builtin_mul_overflow(whole, unit, out) || __builtin_add_overflow(*out, part, out)) {
        return error_set(err, "'%s' is too large", text);
    }
    return true;
bad:
    return error_set(err, "'%s' is not a size (a number, with K, M, G or T behind it)", text);
}
