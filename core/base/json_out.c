/* JSON on its way out. Source: [RFC8259] sections 2 to 7. */
#include "core/base/json_out.h"

#include "core/base/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static void new_line(struct json_out *j)
{
    text_printf(&j->text, "\n%*s", 4 * (int)j->depth, "");
}

static void put_string(struct json_out *j, const char *s)
{
    size_t left = strlen(s);
    text_putc(&j->text, '"');
    while (left > 0) {
        size_t used;
        uint32_t cp = utf8_decode(s, left, &used);
        if (used == 0 || cp == UTF8_INVALID) {
            text_puts(&j->text, "\\ufffd");
            used = used != 0 ? used : left; /* a code point that the end cuts off */
        } else if (cp == '"' || cp == '\\') {
            text_printf(&j->text, "\\%c", (char)cp);
        } else if (cp == '\n' || cp == '\r' || cp == '\t') {
            text_puts(&j->text, cp == '\n' ? "\\n" : cp == '\r' ? "\\r" : "\\t");
        } else if (cp < ' ') {
            text_printf(&j->text, "\\u%04x", (unsigned)cp);
        } else {
            text_add(&j->text, s, used);
        }
        s += used;
        left -= used;
    }
    text_putc(&j->text, '"');
}

/* What stands in front of a value: comma, line, key. */
static void begin(struct json_out *j, const char *key)
{
    if (j->filled[j->depth]) {
        text_puts(&j->text, j->pretty ? "," : ", ");
    }
    j->filled[j->depth] = j->depth != 0;
    if (j->pretty && j->depth != 0) {
        new_line(j);
    }
    if (key != NULL) {
        put_string(j, key);
        text_puts(&j->text, ": ");
    }
}

static void open_container(struct json_out *j, const char *key, char first, char last)
{
    begin(j, key);
    assert(j->depth < JSON_DEPTH);
    text_putc(&j->text, first);
    j->close[j->depth++] = last;
    j->filled[j->depth] = false;
}

void jout_object(struct json_out *j, const char *key)
{
    open_container(j, key, '{', '}');
}

void jout_array(struct json_out *j, const char *key)
{
    open_container(j, key, '[', ']');
}

void jout_end(struct json_out *j)
{
    bool filled = j->filled[j->depth--];
    if (filled && j->pretty) {
        new_line(j);
    }
    text_putc(&j->text, j->close[j->depth]);
}

void jout_string(struct json_out *j, const char *key, const char *value)
{
    begin(j, key);
    put_string(j, value);
}

void jout_u64(struct json_out *j, const char *key, uint64_t value)
{
    begin(j, key);
    text_printf(&j->text, "%" PRIu64, value);
}

void jout_i64(struct json_out *j, const char *key, int64_t value)
{
    begin(j, key);
    text_printf(&j->text, "%" PRId64, value);
}

void jout_bool(struct json_out *j, const char *key, bool value)
{
    begin(j, key);
    text_puts(&j->text, value ? "true" : "false");
}

void jout_null(struct json_out *j, const char *key)
{
    begin(j, key);
    text_puts(&j->text, "null");
}

void jout_raw(struct json_out *j, const char *key, const char *json)
{
    begin(j, key);
    text_puts(&j->text, json);
}
