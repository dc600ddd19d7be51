/*
 * A line with editing, history and completion on any byte stream: a terminal, telnet, a socket. The
 * sequences that it writes are those that every terminal since the VT100 has.
 *
 * Not libedit: that wants a terminal of its own in a blocking read, and the monitor shares its line
 * with a serial port, lives in the main loop, and is as often on a socket.
 */
#ifndef CORE_DEBUG_LINE_EDIT_H
#define CORE_DEBUG_LINE_EDIT_H

#include "core/base/text.h"

#include <stdbool.h>
#include <stddef.h>

#define LINE_MAX_BYTES 4096u
#define LINE_HISTORY   64u

struct line_edit {
    const char *prompt;
    void (*write)(void *opaque, const char *bytes, size_t len);
    void (*entered)(void *opaque, const char *line); /* Enter was pressed */
    /* Adds the words that could stand at the end of @line, each with a newline behind it. */
    void (*complete)(void *opaque, const char *line, struct text *words);
    void *opaque;
    char line[LINE_MAX_BYTES];
    size_t len, at;              /* the cursor is in front of byte `at` */
    char *history[LINE_HISTORY]; /* oldest first; owned */
    unsigned n_history, seen;    /* seen: which one is shown; n_history: the new line */
    char escape[8];              /* an unfinished sequence */
    unsigned escape_len;
    bool after_cr; /* the LF of a CR LF is skipped */
};

void line_edit_fini(struct line_edit *e);
void line_edit_prompt(struct line_edit *e); /* a new, empty line */
void line_edit_byte(struct line_edit *e, char byte);

#endif
