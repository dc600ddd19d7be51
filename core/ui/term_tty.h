/*
 * The terminal as a device: raw mode and the alternate screen, and giving both back whatever
 *                           happens.
 *
 * Signal handlers can only reach static data, so there is one such terminal a process.
 */
#ifndef CORE_UI_TERM_TTY_H
#define CORE_UI_TERM_TTY_H

#include "core/base/error.h"

#include <stdint.h>

/* Enters raw mode and the alternate screen and installs the signal handlers. *@notify_fd becomes
 * readable when the picture must be drawn anew (resize, continued); read it with
 * term_tty_events. */
bool term_tty_enter(int in_fd, int out_fd, int *notify_fd, struct error **err);

/* Gives the terminal back and removes the handlers; may be called again. */
void term_tty_leave(void);

/* Stops the process as Ctrl-Z does for others; returns when it was continued. */
void term_tty_suspend(void);

/* Empties notify_fd; enters raw mode again if the process was stopped. */
void term_tty_events(void);

/* The terminal's size; 80x25 if it does not say. */
void term_tty_size(unsigned *cols, unsigned *rows);

/* What the Backspace key sends. */
uint8_t term_tty_erase(void);

#endif
