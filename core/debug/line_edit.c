/* A line with editing, history and completion. */
#include "core/debug/line_edit.h"

#include "core/base/alloc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CTRL(letter) ((letter)&0x1f)
#define ESCAPE       0x1b
#define BACKSPACE    0x7f

static void put(struct line_edit *e, const char *bytes, size_t len)
{
    e->write(e->opaque, bytes, len);
}

static void puts_to(struct line_edit *e, const char *text)
{
    put(e, text, strlen(text));
}

/* ---- the line and the cursor ----------------------------------------------------------------- */

/* Writes what is behind the cursor anew and puts the cursor back. */
static void redraw_tail(struct line_edit *e)
{
    char back[32];
    size_t tail = e->len - e->at;
    put(e, e->line + e->at, tail);
    puts_to(e, "\033[K");
    if (tail > 0) {
        snprintf(back, sizeof(back), "\033[%zuD", tail);
        puts_to(e, back);
    }
}

static void redraw_line(struct line_edit *e)
{
    puts_to(e, "\r");
    puts_to(e, e->prompt);
    put(e, e->line, e->at);
    redraw_tail(e);
}

static void move_to(struct line_edit *e, size_t at)
{
    char move[32];
    if (at != e->at && at <= e->len) {
        bool left = at < e->at;
        snprintf(move, sizeof(move), "\033[%zu%c", left ? e->at - at : at - e->at,
                 left ? 'D' : 'C');
        puts_to(e, move);
        e->at = at;
    }
}

static void insert(struct line_edit *e, const char *bytes, size_t n)
{
    if (e->len + n >= sizeof(e->line)) {
        return;
    }
    memmove(e->line + e->at + n, e->line + e->at, e->len - e->at);
    memcpy(e->line + e->at, bytes, n);
    e->len += n;
    e->at += n;
    e->line[e->len] = '\0';
    put(e, bytes, n);
    if (e->at != e->len) {
        redraw_tail(e);
    }
}

/* Removes the bytes from @from up to @to and leaves the cursor at @from. */
static void cut(struct line_edit *e, size_t from, size_t to)
{
    if (from < to && to <= e->len) {
        move_to(e, from);
        memmove(e->line + from, e->line + to, e->len - to + 1);
        e->len -= to - from;
        redraw_tail(e);
    }
}

static size_t word_start(const struct line_edit *e)
{
    size_t at = e->at;
    while (at > 0 && isspace((unsigned char)e->line[at - 1])) {
        at--;
    }
    while (at > 0 && !isspace((unsigned char)e->line[at - 1])) {
        at--;
    }
    return at;
}

static void replace_line(struct line_edit *e, const char *text)
{
    size_t n = strlen(text);
    n = n < sizeof(e->line) ? n : sizeof(e->line) - 1;
    memcpy(e->line, text, n);
    e->line[n] = '\0';
    e->len = e->at = n;
    redraw_line(e);
}

/* ---- history --------------------------------------------------------------------------------- */

static void remember(struct line_edit *e)
{
    bool again = e->n_history != 0 && strcmp(e->history[e->n_history - 1], e->line) == 0;
    if (e->len != 0 && !again) {
        if (e->n_history == LINE_HISTORY) {
            free(e->history[0]);
            memmove(e->history, e->history + 1, (LINE_HISTORY - 1) * sizeof(e->history[0]));
            e->n_history--;
        }
        e->history[e->n_history++] = xstrdup(e->line);
    }
    e->seen = e->n_history;
}

static void show_history(struct line_edit *e, bool older)
{
    if (older ? e->seen == 0 : e->seen == e->n_history) {
        return;
    }
    e->seen += older ? -1u : 1u;
    replace_line(e, e->seen < e->n_history ? e->history[e->seen] : "");
}

/* ---- completion ------------------------------------------------------------------------------ */

/* How many bytes all the words in @words have in common from the first on. */
static size_t common_bytes(const char *words, unsigned *n)
{
    size_t common = strcspn(words, "\n");
    *n = 0;
    for (const char *w = words; *w != '\0'; w += strcspn(w, "\n") + 1) {
        size_t same = 0;
        while (same < common && w[same] == words[same]) {
            same++;
        }
        common = same;
        (*n)++;
    }
    return common;
}

static void complete(struct line_edit *e)
{
    struct text words = {0};
    char *head = xstrdup(e->line);
    unsigned n;
    head[e->at] = '\0';
    e->complete(e->opaque, head, &words);
    free(head);
    const char *list = text_str(&words);
    size_t common = common_bytes(list, &n);
    size_t typed = 0;
    while (typed < e->at && !isspace((unsigned char)e->line[e->at - typed - 1])) {
        typed++;
    }
    if (n != 0 && common > typed) {
        insert(e, list + typed, common - typed);
    }
    if (n == 1) {
        insert(e, " ", 1);
    } else if (n > 1 && common <= typed) {
        struct text shown = {0};
        text_crlf(&shown, list, words.len);
        puts_to(e, "\r\n");
        put(e, text_str(&shown), shown.len);
        text_free(&shown);
        redraw_line(e);
    }
    text_free(&words);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void enter(struct line_edit *e)
{
    char line[LINE_MAX_BYTES];
    memcpy(line, e->line, e->len + 1);
    puts_to(e, "\r\n");
    remember(e);
    e->len = e->at = 0;
    e->line[0] = '\0';
    e->entered(e->opaque, line);
}

/* The end of "ESC [ n X" or "ESC O X". */
static void sequence(struct line_edit *e)
{
    switch (e->escape[e->escape_len - 1]) {
    case 'A':
        show_history(e, true);
        break;
    case 'B':
        show_history(e, false);
        break;
    case 'C':
        move_to(e, e->at + 1);
        break;
    case 'D':
        move_to(e, e->at - 1);
        break;
    case 'H':
        move_to(e, 0);
        break;
    case 'F':
        move_to(e, e->len);
        break;
    case '~':
        if (e->escape[1] == '3') {
            cut(e, e->at, e->at + 1);
        } else if (e->escape[1] == '1' || e->escape[1] == '7') {
            move_to(e, 0);
        } else if (e->escape[1] == '4' || e->escape[1] == '8') {
            move_to(e, e->len);
        }
        break;
    default:
        break;
    }
}

/* True if @byte belongs to an escape sequence. */
static bool take_escape(struct line_edit *e, char byte)
{
    if (byte == ESCAPE) {
        e->escape_len = 0;
        e->escape[e->escape_len++] = ' '; /* stands for ESC */
        return true;
    }
    if (e->escape_len == 0) {
        return false;
    }
    if (e->escape_len == 1) {
        e->escape_len = byte == '[' || byte == 'O' ? 2 : 0;
        e->escape[0] = byte;
        return true;
    }
    if (e->escape_len < sizeof(e->escape)) {
        e->escape[e->escape_len - 1] = byte;
        e->escape_len++;
    }
    if ((unsigned char)byte >= 0x40) {
        e->escape_len--;
        sequence(e);
        e->escape_len = 0;
    }
    return true;
}

static void control(struct line_edit *e, char byte)
{
    switch (byte) {
    case '\r':
    case '\n':
        enter(e);
        break;
    case '\t':
        complete(e);
        break;
    case BACKSPACE:
    case CTRL('H'):
        cut(e, e->at - 1, e->at);
        break;
    case CTRL('A'):
        move_to(e, 0);
        break;
    case CTRL('E'):
        move_to(e, e->len);
        break;
    case CTRL('B'):
        move_to(e, e->at - 1);
        break;
    case CTRL('F'):
        move_to(e, e->at + 1);
        break;
    case CTRL('D'):
        cut(e, e->at, e->at + 1);
        break;
    case CTRL('K'):
        cut(e, e->at, e->len);
        break;
    case CTRL('U'):
        cut(e, 0, e->at);
        break;
    case CTRL('W'):
        cut(e, word_start(e), e->at);
        break;
    case CTRL('P'):
        show_history(e, true);
        break;
    case CTRL('N'):
        show_history(e, false);
        break;
    case CTRL('L'):
        puts_to(e, "\033[H\033[2J");
        redraw_line(e);
        break;
    default:
        break;
    }
}

void line_edit_byte(struct line_edit *e, char byte)
{
    bool lf_of_crlf = e->after_cr && byte == '\n';
    e->after_cr = byte == '\r';
    if (lf_of_crlf || take_escape(e, byte)) {
        return;
    }
    if ((unsigned char)byte < ' ' || byte == BACKSPACE) {
        control(e, byte);
    } else {
        insert(e, &byte, 1);
    }
}

void line_edit_prompt(struct line_edit *e)
{
    e->len = e->at = 0;
    e->line[0] = '\0';
    e->seen = e->n_history;
    e->escape_len = 0;
    puts_to(e, e->prompt);
}

void line_edit_fini(struct line_edit *e)
{
    for (unsigned i = 0; i < e->n_history; i++) {
        free(e->history[i]);
    }
    e->n_history = 0;
}
