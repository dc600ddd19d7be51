/*
 * Keys that are pressed together and held for a while, as sendkey wants them. A list of key events,
 * each some time of the guest's clock after the one before.
 */
#ifndef CORE_DEBUG_KEYS_H
#define CORE_DEBUG_KEYS_H

#include "core/event/clock.h"
#include "core/ui/input.h"

#include <stdint.h>

#define KEYS_MAX_COMBO   16
#define KEYS_HOLD_MS     100
#define KEYS_HOLD_MAX_MS 60000

struct keys;

struct keys *keys_new(struct clock *clock, const struct keyboard_sink *sink);
void keys_free(struct keys *k); /* releases what is held; NULL is allowed */

/* Presses @keys (1..KEYS_MAX_COMBO) in their order, holds them, releases them backwards; after what
 * was queued before. False and err if too much waits already. [locked] */
bool keys_press(struct keys *k, const uint8_t *keys, unsigned n, unsigned hold_ms,
                struct error **err);

/* One event, queued likewise. [locked] */
bool keys_event(struct keys *k, uint8_t key, bool down, struct error **err);

#endif
