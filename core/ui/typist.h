/*
 * The typist: types text on a keyboard at the guest's own speed. The next byte stream of a key is
 * sent only when the guest has taken everything sent before and some time has passed on the clock
 * given to it, so texts of any length arrive whole, and runs on the virtual clock are repeatable.
 *
 * Text is UTF-8 with the escapes \n \r (Enter), \t, \b, \e (Escape), \\, \<, \xHH (a character),
 * and names
 * in angle brackets: <Enter>, <F1>, <C-c>, <A-x>, <S-Tab>, <C-A-Del>; names are those of
 * key_by_name, in any case, and common synonyms.
 *
 * Order of calls: typist_init, typist_type any number of times, typist_fini. All [locked].
 */
#ifndef CORE_UI_TYPIST_H
#define CORE_UI_TYPIST_H

#include "core/event/clock.h"
#include "core/ui/input.h"

#define TYPIST_MAX_KEYS 65536u  /* strokes that can wait */

struct typist_stroke {
    uint8_t key;             /* as in input.h */
    uint8_t mods;            /* TYPIST_SHIFT... held around it */
};

enum { TYPIST_SHIFT = 1, TYPIST_CTRL = 2, TYPIST_ALT = 4 };

struct typist {
    const struct keyboard_sink *sink;  /* borrowed */
    struct timer timer;
    struct typist_stroke *queue;       /* TYPIST_MAX_KEYS of them, a ring */
    unsigned head, count;
    unsigned step;                     /* of the stroke at head: modifiers, make, break... */
    int64_t idle_since_ns;             /* when the guest was first seen idle, or TIME_NEVER */
};

/* @clock: the machine's; @sink stays the caller's. */
void typist_init(struct typist *t, struct clock *clock, const struct keyboard_sink *sink);
void typist_fini(struct typist *t);

/* Queues @text. All or nothing: an unknown name, a character without a key, or too long a text
 * queues nothing and says why. */
bool typist_type(struct typist *t, const char *text, struct error **err);

/* Queues one combination in QEMU's form: "ctrl-alt-delete". */
bool typist_combo(struct typist *t, const char *combo, struct error **err);

/* Checks @text without a typist, for options. */
bool typist_check(const char *text, struct error **err);

/* Everything was sent and the guest has taken it. */
bool typist_done(const struct typist *t);

/* Forgets what waits; keys that are down are released. */
void typist_cancel(struct typist *t);

#endif
