/*
 * JSON on its way out: values are written as text, one after the other.
 *
 *     jout_object(&j, NULL);
 *     jout_bool(&j, "running", true);
 *     jout_array(&j, "cpus"); jout_u64(&j, NULL, 1); jout_end(&j);
 *     jout_end(&j);
 *
 * The key is NULL inside arrays and for the outermost value. Containers nest at most JSON_DEPTH
 * deep.
 */
#ifndef CORE_BASE_JSON_OUT_H
#define CORE_BASE_JSON_OUT_H

#include "core/base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define JSON_DEPTH 16

struct json_out {
    struct text text;
    bool pretty; /* a member a line, indented */
    unsigned depth;
    bool filled[JSON_DEPTH + 1]; /* the container at this depth has a member */
    char close[JSON_DEPTH];      /* what ends the container */
};

void jout_object(struct json_out *j, const char *key);
void jout_array(struct json_out *j, const char *key);
void jout_end(struct json_out *j);
void jout_string(struct json_out *j, const char *key,
                 const char *value); /* bytes that are no UTF-8 become U+FFFD */
void jout_u64(struct json_out *j, const char *key, uint64_t value);
void jout_i64(struct json_out *j, const char *key, int64_t value);
void jout_bool(struct json_out *j, const char *key, bool value);
void jout_null(struct json_out *j, const char *key);
void jout_raw(struct json_out *j, const char *key,
              const char *json); /* a value that is JSON already */

#endif
