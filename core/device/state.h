/*
 * State tables: what of a device's struct is its state. From one table come save/load, digests,
 * the reset tests and (later) `info`. The order is the saved format: append only.
 */
#ifndef CORE_DEVICE_STATE_H
#define CORE_DEVICE_STATE_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;

enum state_kind {
    STATE_KIND_BYTES,        /* integers and arrays of them, host (little-endian) layout */
    STATE_KIND_BOOL,         /* bools: as BYTES, but a load refuses what is neither 0 nor 1 */
    STATE_KIND_TIME, /* int64_t ns on the VM clock: saved relative to now; TIME_NEVER kept */
    STATE_KIND_TIMER,        /* struct timer: its deadline relative to now, or not armed */
    STATE_KIND_SUB,          /* a struct (or array of structs) with a table of its own */
    STATE_KIND_END,
};

struct state_field {
    const char *name;
    enum state_kind kind;
    size_t offset;
    size_t bytes;            /* of one element */
    size_t count;            /* elements */
    const struct state_field *sub;
    unsigned flags;
};

/* Survives reset: memory contents, CMOS, inserted media. The reset test skips it. */
#define STATE_KEEPS 1u

#define STATE_FIELD_BYTES(type, field) sizeof(((type *)0)->field)
#define STATE_FIELD_KIND(type, field)                                                              \
    _Generic(((type *)0)->field, bool: STATE_KIND_BOOL, bool *: STATE_KIND_BOOL,                   \
             default: STATE_KIND_BYTES)
#define STATE(type, field)                                                                         \
    {#field, STATE_FIELD_KIND(type, field), offsetof(type, field),                                 \
     STATE_FIELD_BYTES(type, field), 1, NULL, 0}
#define STATE_KEPT(type, field)                                                                    \
    {#field, STATE_FIELD_KIND(type, field), offsetof(type, field),                                 \
     STATE_FIELD_BYTES(type, field), 1, NULL, STATE_KEEPS}
#define STATE_TIME(type, field) {#field, STATE_KIND_TIME, offsetof(type, field), 8, 1, NULL, 0}
#define STATE_TIMER(type, field)                                                                   \
    {#field, STATE_KIND_TIMER, offsetof(type, field), STATE_FIELD_BYTES(type, field), 1, NULL, 0}
#define STATE_SUB(type, field, table)                                                              \
    {#field, STATE_KIND_SUB, offsetof(type, field), STATE_FIELD_BYTES(type, field), 1, table, 0}
#define STATE_SUBS(type, field, table)                                                             \
    {#field, STATE_KIND_SUB, offsetof(type, field), STATE_FIELD_BYTES(type, field[0]),             \
     STATE_FIELD_BYTES(type, field) / STATE_FIELD_BYTES(type, field[0]), table, 0}
#define STATE_END() {NULL, STATE_KIND_END, 0, 0, 0, NULL, 0}

/* A growing byte string. */
struct state_buf {
    uint8_t *data;
    size_t len, cap;
};
void state_buf_free(struct state_buf *b);

/* Appends the fields of @obj. @clock gives "now" for times. */
void state_save(struct state_buf *out, const struct state_field *table, const void *obj,
                struct clock *clock);

/* Reads them back from @data; *used says how many bytes. Refuses short input. Timers are armed. */
bool state_load(const struct state_field *table, void *obj, struct clock *clock,
                const uint8_t *data, size_t len, size_t *used, struct error **err);

/* The same as one section: id, version and length in front of the fields. A NULL table has none. */
void state_save_section(struct state_buf *out, const char *id, unsigned version,
                        const struct state_field *table, const void *obj, struct clock *clock);

/* How many bytes state_save appends for this table. */
size_t state_bytes(const struct state_field *table);

/* Compares two saved images field by field; returns the first field that differs (a string of
 * the form "outer.inner", "outer[2].inner" in arrays of structs, overwritten by this thread's next
 * call), or NULL. Fields with STATE_KEEPS count only if @kept. */
const char *state_differs(const struct state_field *table, const uint8_t *a, const uint8_t *b,
                          bool kept);

#endif
