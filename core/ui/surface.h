/*
 * What a display shows, independent of who shows it. A video device offers a display_source; a
 * display asks it for text cells (text modes) or pixels.
 */
#ifndef CORE_UI_SURFACE_H
#define CORE_UI_SURFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_MAX_COLS 160
#define TEXT_MAX_ROWS 100

struct text_cell {
    uint8_t ch, attr;      /* code page 437; foreground 3:0, background 6:4, blink or intensity 7 */
};

struct text_screen {
    unsigned cols, rows;
    unsigned cursor_x, cursor_y;
    bool cursor_on;
    unsigned cursor_first, cursor_last; /* scan lines of the cell */
    bool blink;                         /* attribute bit 7 blinks (else bright background) */
    uint32_t palette[16];               /* 00RRGGBB as the DAC gives it */
    struct text_cell cells[TEXT_MAX_ROWS][TEXT_MAX_COLS];
};

struct surface {
    unsigned width, height;
    uint32_t *pixels;        /* 00RRGGBB, width * height, no padding; owned */
    size_t cap;              /* pixels allocated */
};

/* Makes room for a picture; contents are undefined afterwards. At most 4096 x 4096. */
void surface_resize(struct surface *s, unsigned width, unsigned height);
void surface_fini(struct surface *s);

struct display_source {
    /* Fills *out and returns true in a text mode; false in a graphics mode or with video off.
     * [locked] */
    bool (*text)(void *dev, struct text_screen *out);
    /* Draws the whole picture, also of text modes, resizing @out. [locked] */
    void (*render)(void *dev, struct surface *out);
    /* False: render would draw what it would have drawn at the last call of this one. For the one
     * who shows the picture all the time; NULL: not known. [locked] */
    bool (*changed)(void *dev);
    void *dev;
};

/* Screen text as UTF-8, one line a row, trailing blanks removed, ended by newlines. Returns the
 * length; at most size - 1 bytes are written, NUL ended. 3 * (cols + 1) * rows + 1 always
 * suffice. */
size_t text_screen_utf8(const struct text_screen *t, char *buf, size_t size);

/* The Unicode code point of a code page 437 character (graphics for 0..31, 127). */
uint32_t cp437_to_unicode(uint8_t ch);

#endif
