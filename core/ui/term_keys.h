/*
 * A terminal's bytes as keys. Pure: bytes in, strokes out through a callback.
 *
 * A lone Escape cannot be told from the beginning of a sequence: while term_keys_waits, the caller
 * calls term_keys_timeout when nothing came for TERM_KEYS_WAIT_NS.
 */
#ifndef CORE_UI_TERM_KEYS_H
#define CORE_UI_TERM_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#define TERM_KEYS_WAIT_NS 30000000ll

enum { TERM_SHIFT = 1, TERM_ALT = 2, TERM_CTRL = 4 }; /* as in xterm's modifier parameter, less 1 */

struct term_keys {
    uint8_t erase;           /* what Backspace sends; Ctrl-H is a key of its own unless it is 08h */
    void (*stroke)(void *opaque, unsigned key, unsigned mods); /* keys as in input.h */
    void *opaque;
    uint8_t seq[32];             /* an unfinished sequence */
    unsigned len;
};

void term_keys_byte(struct term_keys *k, uint8_t byte);

static inline bool term_keys_waits(const struct term_keys *k)
{
    return k->len > 0;
}

/* What has come so far is all there is. */
void term_keys_timeout(struct term_keys *k);

#endif
