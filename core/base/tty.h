/*
 * The terminal as a line to a guest: every key at once, nothing echoed.
 *
 * One terminal a process. It is put back as it was found by tty_restore, by exit, and by fatal
 * signals that had no handler when tty_raw was called. A display that draws on the terminal does
 * more and has its own code for that.
 */
#ifndef CORE_BASE_TTY_H
#define CORE_BASE_TTY_H

#include "core/base/error.h"

/* Takes over terminal @fd. What is no terminal, or one that another job is in front of, stays as it
 * is, which is no error. With @signals Ctrl-C and Ctrl-Z keep their meaning, else they are
 * input. */
bool tty_raw(int fd, bool signals, struct error **err);

/* Puts the terminal back, if tty_raw changed it. [any, async-signal-safe] */
void tty_restore(void);

#endif
