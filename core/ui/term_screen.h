/*
 * A picture made of character cells, and the bytes that bring a terminal from the last one to it.
 *
 * Order of calls: term_screen_init, term_screen_resize, then for each frame term_screen_clear, any
 *                 of
 * text, picture and line, and term_screen_update. Nothing here touches a terminal.
 */
#ifndef CORE_UI_TERM_SCREEN_H
#define CORE_UI_TERM_SCREEN_H

#include "core/ui/surface.h"

#include <stdbool.h>

enum term_colours { TERM_16_COLOURS, TERM_256_COLOURS, TERM_TRUE_COLOUR };

#define TERM_MAX_COLS 500u
#define TERM_MAX_ROWS 300u

struct term_cell {
    uint32_t cp;                 /* Unicode; 0 in `shown`: unknown */
    uint32_t fg, bg;             /* 00RRGGBB */
    uint32_t blink;              /* 0 or 1; a word, so that cells compare as bytes */
};

struct term_cursor {
    bool on, block;
    unsigned x, y;
};

struct term_screen {
    enum term_colours colours;
    bool utf8;
    unsigned cols, rows;
    struct term_cell *want, *shown;   /* rows * cols */
    struct term_cursor cursor, shown_cursor;
    bool cursor_known;
    unsigned view_x, view_y;          /* the guest's cell at the top left */
    unsigned used_rows;               /* rows of this frame that the guest's screen takes */
    char *out;                        /* bytes to send; the owner empties it by setting len to 0 */
    size_t len, cap;
    struct term_cell pen;             /* colours that the terminal writes in; cp 0: unknown */
};

/* Takes colours and character set from the environment (TERM, COLORTERM, LC_ALL, LC_CTYPE,
 * LANG). */
void term_screen_init(struct term_screen *s);
void term_screen_fini(struct term_screen *s);

/* The terminal has this size and shows nothing that is known. */
void term_screen_resize(struct term_screen *s, unsigned cols, unsigned rows);

void term_screen_clear(struct term_screen *s);
/* The part of @t around the cursor that fits. */
void term_screen_text(struct term_screen *s, const struct text_screen *t);
/* @p scaled down (never up) into half blocks; needs utf8. */
void term_screen_picture(struct term_screen *s, const struct surface *p);
/* @text (UTF-8) in reverse, below the guest's screen or over its last row. */
void term_screen_line(struct term_screen *s, const char *text);

/* Appends what rings the terminal's bell. */
void term_screen_bell(struct term_screen *s);

/* Appends to out what has changed; returns whether anything has. */
bool term_screen_update(struct term_screen *s);

#endif
