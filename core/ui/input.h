/*
 * Keyboard and pointer input. A key is named by its set 1 make code (01h..58h), plus KEY_E0 for
 * keys with the E0 prefix; Pause is KEY_PAUSE and Print Screen KEY_PRINT. The keyboard device turns
 * this into whatever scan code set the guest has chosen.
 */
#ifndef CORE_UI_INPUT_H
#define CORE_UI_INPUT_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_E0    0x80
#define KEY_PRINT (KEY_E0 | 0x37)
#define KEY_PAUSE (KEY_E0 | 0x45)

struct keyboard_sink {
    void (*key)(void *dev, unsigned key, bool down);      /* [locked] */
    bool (*idle)(void *dev);      /* the guest has taken everything that was sent [locked] */
    /* Called (locked) each time the guest takes the last pending byte; set by the typist. */
    void (**on_idle)(void *opaque);
    void **on_idle_opaque;
    void *dev;
};

enum { /* buttons of a pointer */
    POINTER_LEFT = 0x01,
    POINTER_RIGHT = 0x02,
    POINTER_MIDDLE = 0x04,
    POINTER_SIDE = 0x08,          /* the fourth and fifth: back and forward */
    POINTER_EXTRA = 0x10,
};

struct pointer_sink {
    /* Relative motion in counts: @dx to the right, @dy down, @wheel notches towards the user.
     * [locked] */
    void (*move)(void *dev, int dx, int dy, int wheel);
    void (*buttons)(void *dev, unsigned down);            /* POINTER_ bits that are held [locked] */
    /* the guest has taken all motion and buttons that were sent [locked] */
    bool (*idle)(void *dev);
    void *dev;
};

/* Key names of QEMU's sendkey: "a", "ret", "spc", "f1", "ctrl", "alt", "shift", "delete", "kp_0"...
 * Returns 0 if there is none of that name. */
unsigned key_by_name(const char *name);

/* The keys that give @codepoint on the en-us layout: *key, with *shift. False if there are none. */
bool key_for_char(uint32_t codepoint, unsigned *key, bool *shift);

/* Checks -k; only "en-us" so far. */
bool keymap_select(const char *name, struct error **err);

#endif
