/*
 * Option values in QEMU's form: "first,key=value,flag,nofoo", where a comma in a value is written
 * twice. Parsing keeps the order; a key may come once.
 */
#ifndef CORE_BASE_OPTS_H
#define CORE_BASE_OPTS_H

#include "core/base/error.h"

#include <stdint.h>

struct opt {
    char *key, *value; /* value "on" for a flag alone */
    bool used;         /* set by the getters; opts_unused finds what nobody asked for */
};

struct opts {
    struct opt *list;
    unsigned n;
};

/* Parses @text. A first part without '=' becomes the value of @first_key, if that is not NULL. */
bool opts_parse(struct opts *o, const char *text, const char *first_key, struct error **err);
void opts_free(struct opts *o);

/* The value of @key, or NULL; marks it used. */
const char *opts_get(struct opts *o, const char *key);

/* on/off/yes/no/true/false; absent leaves *out as it is. */
bool opts_bool(struct opts *o, const char *key, bool *out, struct error **err);

/* A number with optional 0x and no suffix, lo..hi; absent leaves *out as it is. */
bool opts_u64(struct opts *o, const char *key, uint64_t lo, uint64_t hi, uint64_t *out,
              struct error **err);

/* Error naming the first key that no getter asked for. */
bool opts_all_used(const struct opts *o, struct error **err);

/* "128", "64K", "1.5G"...; @unit is what a bare number counts (1 or MiB). Refuses overflow. */
bool parse_size(const char *text, uint64_t unit, uint64_t *out, struct error **err);

#endif
