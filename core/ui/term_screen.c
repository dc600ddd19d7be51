/*
 * Source: [ECMA48] CUP, SGR; [XTERM-CTL] SGR 38 and 48, 90-107, DECTCEM, DECSCUSR.
 */
#include "core/ui/term_screen.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/utf8.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_FG       0xaaaaaau
#define UPPER_HALF  0x2580u
#define LONGEST_ESC 64u
#define BLOCK_LINES 6u                 /* a cursor of so many scan lines is shown as a block */

/* What stands for 80h-FFh of code page 437 where there is only ASCII: letters without accents,
 * lines of - = | and +, shades of . : % #. */
static const char ascii_high[129] =
    "CueaaaaceeeiiiAAEaAooouuyOUcLYPf"
    "aiounNao?--24!<>.:%|++++++|+++++"
    "++++-++++++++=+++++++++++++#_[]\""
    "aBGpSsutFOOd8fen=+><()/~o..vn2# ";

/* 00h-1Fh: faces, cards, arrows. */
static const char ascii_low[33] = " @@vvooo#o#mf!**><|!PS_|^v><L-^v";

static char ascii_for(uint8_t ch)
{
    if (ch < 32) {
        return ascii_low[ch];
    }
    if (ch < 127) {
        return (char)ch;
    }
    return ch == 127 ? '^' : ch == 255 ? ' ' : ascii_high[ch - 128];
}

static bool env_has(const char *name, const char *part)
{
    const char *val = getenv(name);
    return val != NULL && strstr(val, part) != NULL;
}

static enum term_colours terminal_colours(void)
{
    if (env_has("COLORTERM", "truecolor") || env_has("COLORTERM", "24bit") ||
        env_has("TERM", "-direct")) {
        return TERM_TRUE_COLOUR;
    }
    return env_has("TERM", "256") ? TERM_256_COLOURS : TERM_16_COLOURS;
}

/* The user's locale is asked for its character set without making it the process's. */
static bool terminal_is_utf8(void)
{
    locale_t l = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (l == (locale_t)0) {
        return env_has("LC_ALL", "UTF-8") || env_has("LANG", "UTF-8");
    }
    bool utf8 = strcmp(nl_langinfo_l(CODESET, l), "UTF-8") == 0;
    freelocale(l);
    return utf8;
}

void term_screen_init(struct term_screen *s)
{
    *s = (struct term_screen){.colours = terminal_colours(), .utf8 = terminal_is_utf8()};
}

void term_screen_fini(struct term_screen *s)
{
    free(s->want);
    free(s->shown);
    free(s->out);
    *s = (struct term_screen){0};
}

void term_screen_resize(struct term_screen *s, unsigned cols, unsigned rows)
{
    s->cols = (unsigned)min_u64(cols, TERM_MAX_COLS);
    s->rows = (unsigned)min_u64(rows, TERM_MAX_ROWS);
    free(s->want);
    free(s->shown);
    s->want = NEW_ARRAY(struct term_cell, (size_t)s->cols * s->rows);
    s->shown = NEW_ARRAY(struct term_cell, (size_t)s->cols * s->rows);
    s->cursor_known = false;
    s->pen.cp = 0;
}

void term_screen_clear(struct term_screen *s)
{
    for (size_t i = 0; i < (size_t)s->cols * s->rows; i++) {
        s->want[i] = (struct term_cell){.cp = ' ', .fg = NO_FG};
    }
    s->cursor = (struct term_cursor){0};
    s->used_rows = 0;
}

/* Moves a window of @room out of @size so that it holds @at; leaves it where it is if it does. */
static unsigned follow(unsigned view, unsigned size, unsigned room, unsigned at)
{
    if (size <= room) {
        return 0;
    }
    if (at < view) {
        view = at;
    } else if (at >= view + room) {
        view = at - room + 1;
    }
    return view > size - room ? size - room : view;
}

void term_screen_text(struct term_screen *s, const struct text_screen *t)
{
    unsigned cols = (unsigned)min_u64(t->cols, s->cols);
    unsigned rows = (unsigned)min_u64(t->rows, s->rows);
    s->view_x = follow(s->view_x, t->cols, s->cols, t->cursor_on ? t->cursor_x : s->view_x);
    s->view_y = follow(s->view_y, t->rows, s->rows, t->cursor_on ? t->cursor_y : s->view_y);
    for (unsigned y = 0; y < rows; y++) {
        for (unsigned x = 0; x < cols; x++) {
            struct text_cell c = t->cells[y + s->view_y][x + s->view_x];
            unsigned bg = t->blink ? c.attr >> 4 & 7 : c.attr >> 4;
            s->want[y * s->cols + x] = (struct term_cell){
                .cp = s->utf8 ? cp437_to_unicode(c.ch) : (uint8_t)ascii_for(c.ch),
                .fg = t->palette[c.attr & 0x0f],
                .bg = t->palette[bg],
                .blink = t->blink && (c.attr & 0x80),
            };
        }
    }
    s->used_rows = rows;
    s->cursor = (struct term_cursor){
        .on = t->cursor_on && t->cursor_x - s->view_x < cols && t->cursor_y - s->view_y < rows,
        .block = t->cursor_last - t->cursor_first + 1 >= BLOCK_LINES,
        .x = t->cursor_x - s->view_x,
        .y = t->cursor_y - s->view_y,
    };
}

/* The mean colour of a rectangle that is not empty. */
static uint32_t mean_colour(const struct surface *p, unsigned x0, unsigned y0, unsigned x1,
                            unsigned y1)
{
    uint64_t r = 0, g = 0, b = 0;
    uint64_t n = (uint64_t)(x1 - x0) * (y1 - y0);
    for (unsigned y = y0; y < y1; y++) {
        for (unsigned x = x0; x < x1; x++) {
            uint32_t px = p->pixels[(size_t)y * p->width + x];
            r += px >> 16 & 0xff;
            g += px >> 8 & 0xff;
            b += px & 0xff;
        }
    }
    return (uint32_t)(r / n << 16 | g / n << 8 | b / n);
}

void term_screen_picture(struct term_screen *s, const struct surface *p)
{
    if (p->width == 0 || p->height == 0 || s->cols == 0 || s->rows == 0) {
        return;
    }
    /* Half a cell is about a square. Sizes are w * num / den, with one ratio for both ways. */
    uint64_t num = s->cols, den = p->width;
    if ((uint64_t)s->rows * 2 * den < (uint64_t)p->height * num) {
        num = s->rows * 2u;
        den = p->height;
    }
    if (num > den) {
        num = den;
    }
    unsigned w = (unsigned)max_u64(p->width * num / den, 1);
    unsigned h = (unsigned)max_u64(p->height * num / den, 2) & ~1u;
    for (unsigned y = 0; y < h; y++) {
        unsigned y0 = (unsigned)((uint64_t)y * p->height / h);
        unsigned y1 = (unsigned)max_u64((uint64_t)(y + 1) * p->height / h, y0 + 1);
        for (unsigned x = 0; x < w; x++) {
            unsigned x0 = (unsigned)((uint64_t)x * p->width / w);
            unsigned x1 = (unsigned)max_u64((uint64_t)(x + 1) * p->width / w, x0 + 1);
            struct term_cell *c = &s->want[y / 2 * s->cols + x];
            uint32_t rgb = mean_colour(p, x0, y0, x1, (unsigned)min_u64(y1, p->height));
            c->cp = UPPER_HALF;
            *(y & 1 ? &c->bg : &c->fg) = rgb;
        }
    }
    s->used_rows = h / 2;
}

void term_screen_line(struct term_screen *s, const char *text)
{
    if (s->rows == 0) {
        return;
    }
    unsigned y = (unsigned)min_u64(s->used_rows, s->rows - 1);
    struct term_cell *row = &s->want[y * s->cols];
    size_t left = strlen(text);
    for (unsigned x = 0; x < s->cols; x++) {
        uint32_t cp = ' ';
        if (left > 0) {
            size_t used;
            cp = utf8_decode(text, left, &used);
            used = used ? used : left;
            text += used;
            left -= used;
            cp = cp < ' ' || cp == UTF8_INVALID || (cp >= 0x7f && !s->utf8) ? '?' : cp;
        }
        row[x] = (struct term_cell){.cp = cp, .fg = 0x000000, .bg = NO_FG};
    }
    if (s->cursor.y == y) {
        s->cursor.on = false;
    }
}

__attribute__((format(printf, 2, 3)))
static void append(struct term_screen *s, const char *fmt, ...)
{
    if (s->cap - s->len < LONGEST_ESC) {
        s->cap = s->cap ? s->cap * 2 : 16384;
        s->out = xrealloc(s->out, s->cap);
    }
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(s->out + s->len, s->cap - s->len, fmt, ap);
    va_end(ap);
    s->len += n > 0 ? (size_t)n : 0;
}

static unsigned distance(uint32_t a, uint32_t b)
{
    int dr = (int)(a >> 16 & 0xff) - (int)(b >> 16 & 0xff);
    int dg = (int)(a >> 8 & 0xff) - (int)(b >> 8 & 0xff);
    int db = (int)(a & 0xff) - (int)(b & 0xff);
    return (unsigned)(dr * dr + dg * dg + db * db);
}

/* The nearest of the 16 colours of a PC, numbered as terminals do (red is 1, blue is 4). */
static unsigned nearest_16(uint32_t rgb)
{
    static const uint32_t pc[16] = {
        0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa,
        0x555555, 0xff5555, 0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
    };
    unsigned best = 0;
    for (unsigned i = 1; i < 16; i++) {
        if (distance(rgb, pc[i]) < distance(rgb, pc[best])) {
            best = i;
        }
    }
    return best;
}

/* 16..231 are a cube of 6 levels (0, 95, 135, ... 255), 232..255 greys from 8 in steps of 10. */
static unsigned nearest_256(uint32_t rgb)
{
    static const uint8_t levels[6] = {0, 95, 135, 175, 215, 255};
    uint32_t cube = 0;
    unsigned index = 0, sum = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        unsigned c = rgb >> shift & 0xff;
        unsigned i = c < 48 ? 0 : c < 115 ? 1 : (c - 35) / 40;
        index = index * 6 + i;
        cube = cube << 8 | levels[i];
        sum += c;
    }
    unsigned grey = sum / 3 < 8 ? 0 : (unsigned)min_u64((sum / 3 - 3) / 10, 23);
    uint32_t grey_rgb = (8 + 10 * grey) * 0x010101u;
    return distance(rgb, grey_rgb) < distance(rgb, cube) ? 232 + grey : 16 + index;
}

static void append_colour(struct term_screen *s, uint32_t rgb, bool background)
{
    unsigned base = background ? 48 : 38;
    if (s->colours == TERM_TRUE_COLOUR) {
        append(s, "\033[%u;2;%u;%u;%um", base, rgb >> 16 & 0xff, rgb >> 8 & 0xff, rgb & 0xff);
    } else if (s->colours == TERM_256_COLOURS) {
        append(s, "\033[%u;5;%um", base, nearest_256(rgb));
    } else {
        unsigned n = nearest_16(rgb);
        append(s, "\033[%um", base - 8 + (n & 7) + (n & 8 ? 60 : 0));
    }
}

/* A blank shows no foreground, so only what is seen is set. */
static void append_cell(struct term_screen *s, const struct term_cell *c)
{
    char enc[UTF8_MAX];
    bool known = s->pen.cp != 0;
    if (!known || s->pen.blink != c->blink) {
        append(s, "\033[%sm", c->blink ? "5" : known ? "25" : "0");
        if (!known) {
            s->pen.fg = ~c->fg;
            s->pen.bg = ~c->bg;
        }
    }
    if (s->pen.fg != c->fg && c->cp != ' ') {
        append_colour(s, c->fg, false);
        s->pen.fg = c->fg;
    }
    if (s->pen.bg != c->bg) {
        append_colour(s, c->bg, true);
        s->pen.bg = c->bg;
    }
    s->pen.blink = c->blink;
    s->pen.cp = c->cp;
    unsigned n = utf8_encode(c->cp, enc);
    append(s, "%.*s", (int)n, enc);
}

static bool update_cells(struct term_screen *s)
{
    bool changed = false;
    for (unsigned y = 0; y < s->rows; y++) {
        unsigned at = UINT32_MAX;                  /* column of the terminal's cursor in this row */
        for (unsigned x = 0; x < s->cols; x++) {
            size_t i = (size_t)y * s->cols + x;
            if (memcmp(&s->want[i], &s->shown[i], sizeof(s->want[i])) == 0) {
                continue;
            }
            if (at != x) {
                append(s, "\033[%u;%uH", y + 1, x + 1);
            }
            append_cell(s, &s->want[i]);
            s->shown[i] = s->want[i];
            at = x + 1;
            changed = true;
        }
    }
    return changed;
}

static bool same_cursor(const struct term_cursor *a, const struct term_cursor *b)
{
    return a->on == b->on && a->block == b->block && a->x == b->x && a->y == b->y;
}

void term_screen_bell(struct term_screen *s)
{
    append(s, "\a");
}

bool term_screen_update(struct term_screen *s)
{
    size_t before = s->len;
    bool was_on = s->cursor_known && s->shown_cursor.on;
    if (!s->cursor_known) {
        append(s, "\033[0m\033[2J\033[?25l");
    }
    bool cells = update_cells(s);
    bool same = s->cursor_known && !cells && same_cursor(&s->cursor, &s->shown_cursor);
    if (!same && s->cursor.on) {
        append(s, "\033[%u;%uH\033[%u q%s", s->cursor.y + 1, s->cursor.x + 1,
               s->cursor.block ? 2u : 4u, was_on ? "" : "\033[?25h");
    } else if (!same && was_on) {
        append(s, "\033[?25l");
    }
    s->shown_cursor = s->cursor;
    s->cursor_known = true;
    return s->len != before;
}
