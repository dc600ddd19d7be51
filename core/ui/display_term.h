/*
 * The display `term`: the guest's screen in the terminal, and the terminal's keys as its keyboard.
 *
 * Ctrl-A is the prefix key; Ctrl-A h shows what follows it. The terminal is put back as it was
 * found
 * on every way out: display_term_free, exit, and fatal signals (for which it installs handlers that
 * restore the terminal and then pass the signal on). One such display a process.
 *
 * Order of calls: display_term_new, loop_run, display_term_free. All [locked].
 */
#ifndef CORE_UI_DISPLAY_TERM_H
#define CORE_UI_DISPLAY_TERM_H

#include "core/event/loop.h"
#include "core/ui/input.h"
#include "core/ui/surface.h"

struct display_term_config {
    struct loop *loop;                       /* all pointers are borrowed */
    const struct display_source *source;     /* NULL: the machine has no display */
    const struct keyboard_sink *keyboard;    /* NULL: keys are dropped */
    void (*quit)(void *opaque);              /* Ctrl-A x, and when the terminal hangs up */
    void (*reset)(void *opaque);             /* Ctrl-A r */
    void *opaque;
    int in_fd, out_fd;                       /* a terminal, both */
};

struct display_term;

/* Takes the terminal over. Fails if the descriptors are no terminal. */
struct display_term *display_term_new(const struct display_term_config *cfg, struct error **err);

/* Rings the terminal's bell, at most 10 times a second. */
void display_term_bell(struct display_term *d);

/* Gives the terminal back; NULL is allowed. */
void display_term_free(struct display_term *d);

#endif
