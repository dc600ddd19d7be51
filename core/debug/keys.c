/* Keys that are held for a while. */
#include "core/debug/keys.h"

#include "core/base/alloc.h"

#include <stdlib.h>

#define KEYS_MAX_EVENTS 1024
#define GAP_NS          NS_PER_MS /* between two combinations */

struct key_event {
    uint8_t key;
    bool down;
    int64_t wait_ns; /* after the event before */
};

struct keys {
    const struct keyboard_sink *sink; /* borrowed */
    struct timer timer;               /* the next event, while there is one */
    struct key_event queue[KEYS_MAX_EVENTS];
    unsigned head, count;
    bool held[256];
};

static void send_due(void *opaque)
{
    struct keys *k = opaque;
    while (k->count != 0) {
        struct key_event e = k->queue[k->head];
        k->head = (k->head + 1) % KEYS_MAX_EVENTS;
        k->count--;
        k->held[e.key] = e.down;
        k->sink->key(k->sink->dev, e.key, e.down);
        if (k->count != 0 && k->queue[k->head].wait_ns != 0) {
            timer_at(&k->timer, clock_now(k->timer.clock) + k->queue[k->head].wait_ns);
            return;
        }
    }
}

struct keys *keys_new(struct clock *clock, const struct keyboard_sink *sink)
{
    struct keys *k = NEW(struct keys);
    k->sink = sink;
    timer_init(&k->timer, clock, "keys", send_due, k);
    return k;
}

void keys_free(struct keys *k)
{
    if (k == NULL) {
        return;
    }
    timer_cancel(&k->timer);
    for (unsigned key = 0; key < 256; key++) {
        if (k->held[key]) {
            k->sink->key(k->sink->dev, key, false);
        }
    }
    free(k);
}

static void add(struct keys *k, uint8_t key, bool down, int64_t wait_ns)
{
    unsigned at = (k->head + k->count++) % KEYS_MAX_EVENTS;
    k->queue[at] = (struct key_event){.key = key, .down = down, .wait_ns = wait_ns};
}

static bool has_room(struct keys *k, unsigned events, struct error **err)
{
    return events <= KEYS_MAX_EVENTS - k->count || error_set(err, "too many keys wait to be sent");
}

static void start(struct keys *k)
{
    if (!timer_armed(&k->timer)) {
        send_due(k);
    }
}

bool keys_press(struct keys *k, const uint8_t *keys, unsigned n, unsigned hold_ms,
                struct error **err)
{
    if (!has_room(k, 2 * n, err)) {
        return false;
    }
    int64_t gap_ns = k->count != 0 ? GAP_NS : 0;
    for (unsigned i = 0; i < n; i++) {
        add(k, keys[i], true, i == 0 ? gap_ns : 0);
    }
    for (unsigned i = n; i-- != 0;) {
        add(k, keys[i], false, i == n - 1 ? hold_ms * NS_PER_MS : 0);
    }
    start(k);
    return true;
}

bool keys_event(struct keys *k, uint8_t key, bool down, struct error **err)
{
    if (!has_room(k, 1, err)) {
        return false;
    }
    add(k, key, down, 0);
    start(k);
    return true;
}
