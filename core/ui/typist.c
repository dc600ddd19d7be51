/* The typist: text to strokes, and strokes to the keyboard one event at a time. */
#include "core/ui/typist.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_LCTRL  0x1d
#define KEY_LSHIFT 0x2a
#define KEY_LALT   0x38

/* A guest that polls the keyboard needs to find it empty for a moment between two events. */
#define SETTLE_NS  (2 * NS_PER_MS)
/* While the guest leaves bytes in the keyboard, look again this often; on_idle is sooner. */
#define RETRY_NS   (10 * NS_PER_MS)

#define NAME_BYTES 32

/* Steps of a stroke, each one keyboard event. */
enum {
    STEP_CTRL,
    STEP_ALT,
    STEP_SHIFT,
    STEP_MAKE,
    STEP_BREAK,
    STEP_NO_SHIFT,
    STEP_NO_ALT,
    STEP_NO_CTRL,
    STEPS,
};

/* A list of strokes that grows while a text is read. */
struct strokes {
    struct typist_stroke *list;
    size_t n, cap;
};

static bool add_stroke(struct strokes *s, unsigned key, unsigned mods, struct error **err)
{
    if (s->n == TYPIST_MAX_KEYS) {
        return error_set(err, "the text has more than %u keys", TYPIST_MAX_KEYS);
    }
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->list = xrealloc(s->list, s->cap * sizeof(*s->list));
    }
    s->list[s->n++] = (struct typist_stroke){.key = (uint8_t)key, .mods = (uint8_t)mods};
    return true;
}

static bool add_char(struct strokes *s, uint32_t cp, unsigned mods, struct error **err)
{
    unsigned key;
    bool shift;
    if (!key_for_char(cp, &key, &shift)) {
        char enc[UTF8_MAX + 1] = {0};
        utf8_encode(cp, enc);
        return error_set(err, "no key of the en-us layout gives '%s' (U+%04X)",
                         cp < ' ' ? "?" : enc, (unsigned)cp);
    }
    return add_stroke(s, key, mods | (shift ? TYPIST_SHIFT : 0), err);
}

/* The modifier that @name (of @len bytes) is, or 0. */
static unsigned modifier(const char *name, size_t len)
{
    static const struct {
        const char *name;
        unsigned mod;
    } mods[] = {
        {"c", TYPIST_CTRL}, {"ctrl", TYPIST_CTRL}, {"control", TYPIST_CTRL},
        {"a", TYPIST_ALT}, {"alt", TYPIST_ALT}, {"m", TYPIST_ALT},
        {"s", TYPIST_SHIFT}, {"shift", TYPIST_SHIFT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(mods); i++) {
        if (strlen(mods[i].name) == len && strncasecmp(mods[i].name, name, len) == 0) {
            return mods[i].mod;
        }
    }
    return 0;
}

/* "C-A-Del", "F1", "ctrl-alt-delete", "-": modifiers, then a key's name or its character. */
static bool add_combo(struct strokes *s, const char *combo, struct error **err)
{
    const char *name = combo;
    unsigned mods = 0;
    for (;;) {
        const char *dash = strchr(name, '-');
        unsigned mod = dash != NULL ? modifier(name, (size_t)(dash - name)) : 0;
        if (mod == 0 || dash[1] == 0) {
            break;
        }
        mods |= mod;
        name = dash + 1;
    }
    unsigned key = key_by_name(name);
    if (key != 0) {
        return add_stroke(s, key, mods, err);
    }
    if (name[0] != 0 && name[1] == 0) {
        return add_char(s, (uint8_t)name[0], mods, err);
    }
    return error_set(err, "no key is called '%s'", combo);
}

/* <NAME> at @text; *used: its length. */
static bool add_named(struct strokes *s, const char *text, size_t *used, struct error **err)
{
    char name[NAME_BYTES];
    const char *end = strchr(text + 1, '>');
    if (end != NULL && end == text + 1 + strlen("C-") && end[1] == '>') {
        end++;                                           /* <C->>: the character itself */
    }
    size_t len = end != NULL ? (size_t)(end - text - 1) : 0;
    if (len == 0 || len >= sizeof(name)) {
        return error_set(err,
                         "'<' begins a key's name, as in <Enter>; the character itself is \\<");
    }
    memcpy(name, text + 1, len);
    name[len] = 0;
    *used = len + 2;
    return add_combo(s, name, err);
}

static bool add_hex(struct strokes *s, const char *text, size_t *used, struct error **err)
{
    char digits[3] = {0};
    char *end;
    strncpy(digits, text + 2, 2);
    unsigned long cp = strtoul(digits, &end, 16);
    if (strspn(digits, "0123456789abcdefABCDEF") != 2 || *end != 0) {
        return error_set(err, "\\x needs two hexadecimal digits");
    }
    *used = 4;
    return add_char(s, (uint32_t)cp, 0, err);
}

/* \X at @text; *used: its length. */
static bool add_escape(struct strokes *s, const char *text, size_t *used, struct error **err)
{
    static const char from[] = "nrtbe\\<";
    static const char to[] = "\n\n\t\b\033\\<";
    const char *hit = text[1] != 0 ? strchr(from, text[1]) : NULL;
    *used = 2;
    if (text[1] == 'x') {
        return add_hex(s, text, used, err);
    }
    if (hit == NULL) {
        return error_set(err, "'\\%c' is no escape; there are \\n \\r \\t \\b \\e \\\\ \\< \\xHH",
                         text[1] != 0 ? text[1] : ' ');
    }
    return add_char(s, (uint8_t)to[hit - from], 0, err);
}

static bool parse(struct strokes *s, const char *text, struct error **err)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t used = 1;
        bool ok;
        if (*text == '<') {
            ok = add_named(s, text, &used, err);
        } else if (*text == '\\') {
            ok = add_escape(s, text, &used, err);
        } else {
            uint32_t cp = utf8_decode(text, left, &used);
            ok = cp != UTF8_INVALID ? add_char(s, cp, 0, err)
                                    : error_set(err, "the text is not valid UTF-8");
        }
        if (!ok) {
            return false;
        }
        text += used;
        left -= used;
    }
    return true;
}

static unsigned step_modifier(unsigned step)
{
    switch (step) {
    case STEP_CTRL:
    case STEP_NO_CTRL:
        return TYPIST_CTRL;
    case STEP_ALT:
    case STEP_NO_ALT:
        return TYPIST_ALT;
    default:
        return TYPIST_SHIFT;
    }
}

static unsigned modifier_key(unsigned mod)
{
    return mod == TYPIST_CTRL ? KEY_LCTRL : mod == TYPIST_ALT ? KEY_LALT : KEY_LSHIFT;
}

static void advance(struct typist *t)
{
    if (++t->step == STEPS) {
        t->step = 0;
        t->head = (t->head + 1) % TYPIST_MAX_KEYS;
        t->count--;
    }
}

/* Sends the next event of the stroke at the head; steps of modifiers that it lacks are skipped. */
static void send_event(struct typist *t)
{
    while (t->count > 0) {
        struct typist_stroke s = t->queue[t->head];
        unsigned step = t->step;
        advance(t);
        if (step == STEP_MAKE || step == STEP_BREAK) {
            t->sink->key(t->sink->dev, s.key, step == STEP_MAKE);
            return;
        }
        if (s.mods & step_modifier(step)) {
            t->sink->key(t->sink->dev, modifier_key(step_modifier(step)), step < STEP_MAKE);
            return;
        }
    }
}

/* One event, if the guest has taken the last one long enough ago. */
static void typist_tick(void *opaque)
{
    struct typist *t = opaque;
    int64_t now = clock_now(t->timer.clock);
    if (t->count == 0) {
        return;
    }
    if (!t->sink->idle(t->sink->dev)) {
        t->idle_since_ns = TIME_NEVER;
        timer_at(&t->timer, now + RETRY_NS);
        return;
    }
    if (t->idle_since_ns == TIME_NEVER) {
        t->idle_since_ns = now;
    }
    if (now - t->idle_since_ns < SETTLE_NS) {
        timer_at(&t->timer, t->idle_since_ns + SETTLE_NS);
        return;
    }
    t->idle_since_ns = TIME_NEVER;
    send_event(t);
    timer_at(&t->timer, now + RETRY_NS);
}

/* The guest has taken the last byte. */
static void typist_on_idle(void *opaque)
{
    struct typist *t = opaque;
    if (t->count > 0) {
        t->idle_since_ns = clock_now(t->timer.clock);
        timer_at(&t->timer, t->idle_since_ns + SETTLE_NS);
    }
}

void typist_init(struct typist *t, struct clock *clock, const struct keyboard_sink *sink)
{
    *t = (struct typist){.sink = sink, .idle_since_ns = TIME_NEVER};
    t->queue = NEW_ARRAY(struct typist_stroke, TYPIST_MAX_KEYS);
    timer_init(&t->timer, clock, "typist", typist_tick, t);
    *sink->on_idle = typist_on_idle;
    *sink->on_idle_opaque = t;
}

void typist_fini(struct typist *t)
{
    if (t->sink != NULL && *t->sink->on_idle_opaque == t) {
        *t->sink->on_idle = NULL;
        *t->sink->on_idle_opaque = NULL;
    }
    timer_cancel(&t->timer);
    free(t->queue);
    *t = (struct typist){0};
}

static bool enqueue(struct typist *t, const struct strokes *s, struct error **err)
{
    if (s->n > TYPIST_MAX_KEYS - t->count) {
        return error_set(err, "%zu keys do not fit behind the %u that wait (%u at most)", s->n,
                         t->count, TYPIST_MAX_KEYS);
    }
    for (size_t i = 0; i < s->n; i++) {
        t->queue[(t->head + t->count++) % TYPIST_MAX_KEYS] = s->list[i];
    }
    if (t->count > 0 && !timer_armed(&t->timer)) {
        timer_at(&t->timer, clock_now(t->timer.clock));
    }
    return true;
}

bool typist_type(struct typist *t, const char *text, struct error **err)
{
    struct strokes s = {0};
    bool ok = parse(&s, text, err) && enqueue(t, &s, err);
    free(s.list);
    return ok;
}

bool typist_combo(struct typist *t, const char *combo, struct error **err)
{
    struct strokes s = {0};
    bool ok = add_combo(&s, combo, err) && enqueue(t, &s, err);
    free(s.list);
    return ok;
}

bool typist_check(const char *text, struct error **err)
{
    struct strokes s = {0};
    bool ok = parse(&s, text, err);
    free(s.list);
    return ok;
}

bool typist_done(const struct typist *t)
{
    return t->count == 0 && t->sink->idle(t->sink->dev);
}

void typist_cancel(struct typist *t)
{
    struct typist_stroke s = t->queue[t->head];
    if (t->count > 0 && t->step != 0) {
        unsigned step = t->step;
        if (step == STEP_BREAK) {
            t->sink->key(t->sink->dev, s.key, false);
        }
        for (unsigned mod = 1; mod <= TYPIST_ALT; mod <<= 1) {
            if (s.mods & mod) {
                t->sink->key(t->sink->dev, modifier_key(mod), false);
            }
        }
    }
    t->head = t->count = t->step = 0;
    timer_cancel(&t->timer);
}
