/* Walking state tables: saving, loading, comparing. */
#include "core/device/state.h"

#include "core/base/alloc.h"
#include "core/base/bytes.h"
#include "core/event/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void state_buf_free(struct state_buf *b)
{
    free(b->data);
    *b = (struct state_buf){0};
}

static uint8_t *grow(struct state_buf *b, size_t n)
{
    if (b->cap - b->len < n) {
        b->cap = 2 * b->cap > b->len + n ? 2 * b->cap : b->len + n + 256;
        b->data = xrealloc(b->data, b->cap);
    }
    b->len += n;
    return b->data + b->len - n;
}

static void put_u32(struct state_buf *b, uint32_t v)
{
    st32le(grow(b, 4), v);
}

/* Bytes that one element of @f takes in a saved image. */
static size_t element_bytes(const struct state_field *f)
{
    switch (f->kind) {
    case STATE_KIND_TIME:
    case STATE_KIND_TIMER:
        return 8;
    case STATE_KIND_SUB:
        return state_bytes(f->sub);
    default:
        return f->bytes;
    }
}

size_t state_bytes(const struct state_field *table)
{
    size_t sum = 0;
    for (const struct state_field *f = table; f->kind != STATE_KIND_END; f++) {
        sum += f->count * element_bytes(f);
    }
    return sum;
}

/* --- saving ----------------------------------------------------------------------------------- */

/* Wraps where a device holds nonsense; a load then refuses it. */
static void put_time(struct state_buf *out, int64_t t, int64_t now)
{
    st64le(grow(out, 8), t == TIME_NEVER ? (uint64_t)TIME_NEVER : (uint64_t)t - (uint64_t)now);
}

static void save_element(struct state_buf *out, const struct state_field *f, const uint8_t *p,
                         struct clock *clock)
{
    const struct timer *t = (const struct timer *)p;
    int64_t time;
    switch (f->kind) {
    case STATE_KIND_TIME:
        memcpy(&time, p, sizeof(time));
        put_time(out, time, clock_now(clock));
        break;
    case STATE_KIND_TIMER:
        put_time(out, timer_armed(t) ? t->deadline_ns : TIME_NEVER, clock_now(clock));
        break;
    case STATE_KIND_SUB:
        state_save(out, f->sub, p, clock);
        break;
    default:
        memcpy(grow(out, f->bytes), p, f->bytes);
        break;
    }
}

void state_save(struct state_buf *out, const struct state_field *table, const void *obj,
                struct clock *clock)
{
    for (const struct state_field *f = table; f->kind != STATE_KIND_END; f++) {
        for (size_t i = 0; i < f->count; i++) {
            save_element(out, f, (const uint8_t *)obj + f->offset + i * f->bytes, clock);
        }
    }
}

void state_save_section(struct state_buf *out, const char *id, unsigned version,
                        const struct state_field *table, const void *obj, struct clock *clock)
{
    size_t id_len = strlen(id);
    put_u32(out, (uint32_t)id_len);
    memcpy(grow(out, id_len), id, id_len);
    put_u32(out, version);
    put_u32(out, table != NULL ? (uint32_t)state_bytes(table) : 0);
    if (table != NULL) {
        state_save(out, table, obj, clock);
    }
}

/* --- loading ---------------------------------------------------------------------------------- */

/* What no machine reaches: 73 years from now in either direction. */
#define TIME_LIMIT (INT64_MAX / 4)

static bool get_time(const struct state_field *f, const uint8_t *data, int64_t now, int64_t *out,
                     struct error **err)
{
    int64_t rel = (int64_t)ld64le(data);
    if (rel != TIME_NEVER && (rel > TIME_LIMIT || rel < -TIME_LIMIT)) {
        return error_set(err, "%s: %lld ns from now is no time of a machine", f->name,
                         (long long)rel);
    }
    *out = rel == TIME_NEVER ? rel : now + rel;
    return true;
}

static bool load_element(const struct state_field *f, uint8_t *p, struct clock *clock,
                         const uint8_t *data, struct error **err)
{
    int64_t time = 0;
    size_t used;
    switch (f->kind) {
    case STATE_KIND_TIME:
        if (!get_time(f, data, clock_now(clock), &time, err)) {
            return false;
        }
        memcpy(p, &time, sizeof(time));
        return true;
    case STATE_KIND_TIMER:
        if (!get_time(f, data, clock_now(clock), &time, err)) {
            return false;
        }
        timer_at((struct timer *)p, time);
        return true;
    case STATE_KIND_SUB:
        return state_load(f->sub, p, clock, data, state_bytes(f->sub), &used, err) ||
               error_prefix(err, "%s", f->name);
    case STATE_KIND_BOOL:
        for (size_t i = 0; i < f->bytes; i++) {
            if (data[i] > 1) {
                return error_set(err, "%s: %u is neither 0 nor 1", f->name, data[i]);
            }
        }
        break;
    default:
        break;
    }
    memcpy(p, data, f->bytes);
    return true;
}

bool state_load(const struct state_field *table, void *obj, struct clock *clock,
                const uint8_t *data, size_t len, size_t *used, struct error **err)
{
    size_t want = state_bytes(table);
    if (len < want) {
        return error_set(err, "%zu bytes of state where %zu are needed", len, want);
    }
    for (const struct state_field *f = table; f->kind != STATE_KIND_END; f++) {
        for (size_t i = 0; i < f->count; i++) {
            if (!load_element(f, (uint8_t *)obj + f->offset + i * f->bytes, clock, data, err)) {
                return false;
            }
            data += element_bytes(f);
        }
    }
    *used = want;
    return true;
}

/* --- comparing -------------------------------------------------------------------------------- */

static bool differs(const struct state_field *table, const uint8_t *a, const uint8_t *b, bool kept,
                    char *name, size_t size);

static bool element_differs(const struct state_field *f, size_t i, const uint8_t *a,
                            const uint8_t *b, bool kept, char *name, size_t size)
{
    size_t n = element_bytes(f);
    if (memcmp(a, b, n) == 0) {
        return false;
    }
    int len = f->count > 1 ? snprintf(name, size, "%s[%zu]", f->name, i)
                           : snprintf(name, size, "%s", f->name);
    if (f->kind != STATE_KIND_SUB) {
        return true;
    }
    /* A nested name, or none if all that differs is kept. */
    size_t at = (size_t)len + 1 < size ? (size_t)len + 1 : size - 1;
    name[at - 1] = '.';
    return differs(f->sub, a, b, kept, name + at, size - at);
}

static bool differs(const struct state_field *table, const uint8_t *a, const uint8_t *b, bool kept,
                    char *name, size_t size)
{
    for (const struct state_field *f = table; f->kind != STATE_KIND_END; f++) {
        size_t n = element_bytes(f);
        for (size_t i = 0; i < f->count; i++, a += n, b += n) {
            bool counts = kept || (f->flags & STATE_KEEPS) == 0;
            if (counts && element_differs(f, i, a, b, kept, name, size)) {
                return true;
            }
        }
    }
    return false;
}

const char *state_differs(const struct state_field *table, const uint8_t *a, const uint8_t *b,
                          bool kept)
{
    static _Thread_local char name[160];
    return differs(table, a, b, kept, name, sizeof(name)) ? name : NULL;
}
