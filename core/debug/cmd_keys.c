/* Commands that press keys. */
#include "core/debug/commands.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/debug/keys.h"

#include <stdlib.h>
#include <string.h>

#ifdef HAVE_JANSSON
#include <jansson.h>
#endif

static struct keys *keys_of(struct command_call *c, struct error **err)
{
    struct debug *d = c->debug;
    if (d->machine->keyboard == NULL) {
        error_set(err, "This machine has no keyboard");
        return NULL;
    }
    if (d->keys == NULL) {
        d->keys = keys_new(&d->machine->clock, d->machine->keyboard);
    }
    return d->keys;
}

/* A key by name, or by number as QEMU takes it: the set 1 make code, 80h more with an E0 prefix. */
static unsigned key_of(const char *name, size_t len)
{
    char buf[24];
    if (len == 0 || len >= sizeof(buf)) {
        return 0;
    }
    memcpy(buf, name, len);
    buf[len] = '\0';
    if (strcmp(buf, "<") == 0) {
        return key_by_name("less");
    }
    if (strncmp(buf, "0x", 2) == 0) {
        char *end;
        unsigned long n = strtoul(buf, &end, 16);
        return *end == '\0' && n < 0x100 ? (unsigned)n : 0;
    }
    return key_by_name(buf);
}

static bool hold_ms(struct command_call *c, unsigned *ms, struct error **err)
{
    const struct command_value *hold = command_arg(c, "hold-time");
    if (hold->given && (hold->num < 0 || hold->num > KEYS_HOLD_MAX_MS)) {
        return error_set(err, "hold-time must be 0 to %d ms", KEYS_HOLD_MAX_MS);
    }
    *ms = hold->given && hold->num != 0 ? (unsigned)hold->num : KEYS_HOLD_MS;
    return true;
}

COMMAND(cmd_sendkey)
{
    const char *p = command_text(c, "keys");
    uint8_t keys[KEYS_MAX_COMBO];
    unsigned n = 0, ms;
    struct keys *k = keys_of(c, err);
    if (k == NULL || !hold_ms(c, &ms, err)) {
        return false;
    }
    for (;;) {
        size_t len = strcspn(p, "-");
        unsigned key = key_of(p, len);
        if (key == 0) {
            text_printf(c->out, "invalid parameter: %.*s\n", (int)len, p);
            return true;
        }
        if (n == KEYS_MAX_COMBO) {
            text_puts(c->out, "too many keys\n");
            return true;
        }
        keys[n++] = (uint8_t)key;
        if (p[len] == '\0') {
            return keys_press(k, keys, n, ms, err);
        }
        p += len + 1;
    }
}

COMMAND(cmd_type)
{
    struct debug *d = c->debug;
    if (d->machine->keyboard == NULL) {
        return error_set(err, "This machine has no keyboard");
    }
    if (d->typist == NULL) {
        d->typist = NEW(struct typist);
        typist_init(d->typist, &d->machine->clock, d->machine->keyboard);
    }
    return typist_type(d->typist, command_text(c, "text"), err);
}

#ifdef HAVE_JANSSON

/* A key of QMP: {"type": "qcode", "data": "a"} or {"type": "number", "data": 30}. */
static bool key_value(struct command_call *c, const json_t *v, uint8_t *key, struct error **err)
{
    const json_t *type = json_object_get(v, "type"), *data = json_object_get(v, "data");
    if (!json_is_string(type) || data == NULL) {
        return error_set(err, "Parameter 'type' is missing");
    }
    if (strcmp(json_string_value(type), "number") == 0 && json_is_integer(data)) {
        json_int_t n = json_integer_value(data);
        if (n <= 0 || n > 0xff) {
            return error_set(err, "Parameter 'data' expects a key number");
        }
        *key = (uint8_t)n;
        return true;
    }
    if (strcmp(json_string_value(type), "qcode") != 0 || !json_is_string(data)) {
        return error_set(err, "Parameter 'type' does not accept value '%s'",
                         json_string_value(type));
    }
    *key = (uint8_t)key_of(json_string_value(data), json_string_length(data));
    return *key != 0 ||
           error_set(err, "Parameter 'data' does not accept value '%s'", json_string_value(data));
}

COMMAND(cmd_send_key)
{
    const json_t *list = command_arg(c, "keys")->json, *v;
    uint8_t keys[KEYS_MAX_COMBO];
    size_t i;
    unsigned ms;
    struct keys *k = keys_of(c, err);
    if (k == NULL || !hold_ms(c, &ms, err)) {
        return false;
    }
    if (!json_is_array(list)) {
        return error_set(err, "Invalid parameter type for 'keys', expected: array");
    }
    if (json_array_size(list) > KEYS_MAX_COMBO) {
        return error_set(err, "too many keys");
    }
    json_array_foreach(list, i, v)
    {
        if (!key_value(c, v, &keys[i], err)) {
            return false;
        }
    }
    return i == 0 || keys_press(k, keys, (unsigned)i, ms, err);
}

/* {"down": true, "key": {...}} */
static bool key_event(struct command_call *c, struct keys *k, const json_t *data, bool send,
                      struct error **err)
{
    const json_t *down = json_object_get(data, "down");
    uint8_t key;
    if (!json_is_boolean(down)) {
        return error_set(err, "Parameter 'down' is missing");
    }
    return key_value(c, json_object_get(data, "key"), &key, err) &&
           (!send || keys_event(k, key, json_is_true(down), err));
}

/* {"axis": "x", "value": 5} */
static bool rel_event(const struct pointer_sink *p, const json_t *data, bool send,
                      struct error **err)
{
    const json_t *axis = json_object_get(data, "axis"), *value = json_object_get(data, "value");
    if (!json_is_string(axis) || !json_is_integer(value)) {
        return error_set(err, "Parameter 'axis' is missing");
    }
    bool y = strcmp(json_string_value(axis), "y") == 0;
    json_int_t n = json_integer_value(value);
    if (!y && strcmp(json_string_value(axis), "x") != 0) {
        return error_set(err, "Parameter 'axis' does not accept value '%s'",
                         json_string_value(axis));
    }
    if (n < -10000 || n > 10000) {
        return error_set(err, "Parameter 'value' is too large");
    }
    if (send) {
        p->move(p->dev, y ? 0 : (int)n, y ? (int)n : 0, 0);
    }
    return true;
}

/* {"down": true, "button": "left"}; the wheel is buttons, too. */
static bool btn_event(struct debug *d, const struct pointer_sink *p, const json_t *data, bool send,
                      struct error **err)
{
    static const struct {
        const char *name;
        unsigned bit;
        int wheel;
    } buttons[] = {
        {"left", POINTER_LEFT, 0}, {"right", POINTER_RIGHT, 0}, {"middle", POINTER_MIDDLE, 0},
        {"side", POINTER_SIDE, 0}, {"extra", POINTER_EXTRA, 0}, {"wheel-up", 0, -1},
        {"wheel-down", 0, 1},
    };
    const json_t *name = json_object_get(data, "button"), *down = json_object_get(data, "down");
    size_t i = 0;
    if (!json_is_string(name) || !json_is_boolean(down)) {
        return error_set(err, "Parameter 'button' is missing");
    }
    while (i < ARRAY_SIZE(buttons) && strcmp(buttons[i].name, json_string_value(name)) != 0) {
        i++;
    }
    if (i == ARRAY_SIZE(buttons)) {
        return error_set(err, "Parameter 'button' does not accept value '%s'",
                         json_string_value(name));
    }
    if (send && buttons[i].wheel != 0 && json_is_true(down)) {
        p->move(p->dev, 0, 0, buttons[i].wheel);
    } else if (send && buttons[i].wheel == 0) {
        d->buttons =
            json_is_true(down) ? d->buttons | buttons[i].bit : d->buttons & ~buttons[i].bit;
        p->buttons(p->dev, d->buttons);
    }
    return true;
}

/* {"type": "key", "data": {...}}; types are key, rel and btn. */
static bool input_event(struct command_call *c, struct keys *k, const json_t *v, bool send,
                        struct error **err)
{
    const json_t *type = json_object_get(v, "type"), *data = json_object_get(v, "data");
    const struct pointer_sink *p = c->debug->machine->pointer;
    if (!json_is_string(type) || !json_is_object(data)) {
        return error_set(err, "Parameter 'type' is missing");
    }
    if (strcmp(json_string_value(type), "key") == 0) {
        return key_event(c, k, data, send, err);
    }
    if (p != NULL && strcmp(json_string_value(type), "rel") == 0) {
        return rel_event(p, data, send, err);
    }
    if (p != NULL && strcmp(json_string_value(type), "btn") == 0) {
        return btn_event(c->debug, p, data, send, err);
    }
    return error_set(err, "Input handler not found for event type %s", json_string_value(type));
}

COMMAND(cmd_input_send_event)
{
    const json_t *list = command_arg(c, "events")->json, *v;
    struct keys *k = keys_of(c, err);
    size_t i;
    if (k == NULL) {
        return false;
    }
    if (!json_is_array(list)) {
        return error_set(err, "Invalid parameter type for 'events', expected: array");
    }
    for (unsigned pass = 0; pass < 2; pass++) { /* all are checked before the first is sent */
        json_array_foreach(list, i, v)
        {
            if (!input_event(c, k, v, pass == 1, err)) {
                return false;
            }
        }
    }
    return true;
}

#else /* QMP cannot call these */

COMMAND(cmd_send_key)
{
    return error_set(err, "built without jansson");
}

COMMAND(cmd_input_send_event)
{
    return error_set(err, "built without jansson");
}

#endif
