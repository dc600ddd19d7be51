/*
 * A PS/2 keyboard with 102 keys: what is at the other end of the keyboard's cable.
 *
 * The controller (i8042) owns it, feeds it command bytes and takes bytes from it one at a time; the
 * keyboard calls `ready` when it has a byte where it had none. Keys come from keyboard_sink with
 * their set 1 codes (core/ui/input.h).
 */
#ifndef HW_CHIPS_PS2_KEYBOARD_H
#define HW_CHIPS_PS2_KEYBOARD_H

#include "core/device/state.h"
#include "core/event/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define PS2_KEYBOARD_FIFO  16 /* bytes of scan codes; an overrun code may follow */
#define PS2_KEYBOARD_REPLY 8

struct ps2_keyboard {
    void (*ready)(void *opaque);          /* a byte can be taken */
    void *opaque;

    uint8_t fifo[PS2_KEYBOARD_FIFO + 1];  /* scan codes; [0] goes next */
    uint8_t fifo_len;
    uint8_t reply[PS2_KEYBOARD_REPLY];    /* answers to commands go before scan codes */
    uint8_t reply_len;
    uint8_t last_sent;                    /* for RESEND */
    uint8_t pending;                      /* command that waits for its option byte, or 0 */
    uint8_t set;                          /* 1..3 */
    uint8_t leds;                         /* bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock */
    uint8_t rate;                         /* option byte of F3h */
    bool scanning;                        /* F4h, F5h */
    uint8_t key_type[144];                /* set 3: TYPE_ bits of a key, by its set 3 code */
    uint8_t down[32];                     /* bit n: key n (input.h's numbering) is held */
    uint8_t repeat_key;                   /* the key that repeats, or 0 */
    bool repeating;                       /* it has repeated: period instead of delay */
    struct timer repeat;                  /* typematic */
    struct timer bat;                     /* end of the self test after FFh */
};

extern const struct state_field ps2_keyboard_state[];
extern const uint8_t ps2_set2_to_set1[256]; /* the 8042's translation */

void ps2_keyboard_init(struct ps2_keyboard *k, struct clock *clock, void (*ready)(void *opaque),
                       void *opaque);
void ps2_keyboard_reset(struct ps2_keyboard *k);  /* power-on, self test passed and reported */

/* After a load: brings lengths that index something into range. */
void ps2_keyboard_loaded(struct ps2_keyboard *k);

/* A byte from the controller. */
void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t val);

/* Takes the next byte; false if there is none. */
bool ps2_keyboard_take(struct ps2_keyboard *k, uint8_t *val);
bool ps2_keyboard_has_byte(const struct ps2_keyboard *k);

/* A key of input.h goes down or up. Repeated downs are ignored: the keyboard repeats by itself. */
void ps2_keyboard_key(struct ps2_keyboard *k, unsigned key, bool down);

/* The guest has read a byte of this keyboard; at the last one a held key's repeat time starts. */
void ps2_keyboard_taken(struct ps2_keyboard *k);

#endif
