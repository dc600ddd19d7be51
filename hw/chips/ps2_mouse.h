/*
 * A PS/2 mouse: three buttons, and on request a wheel (IntelliMouse) and two more buttons
 * (IntelliMouse Explorer).
 *
 * The controller (i8042) owns it, feeds it command bytes and takes bytes from it one at a time; the
 * mouse calls `ready` when it has a byte where it had none. Motion and buttons come from
 * pointer_sink (core/ui/input.h).
 */
#ifndef HW_CHIPS_PS2_MOUSE_H
#define HW_CHIPS_PS2_MOUSE_H

#include "core/device/state.h"
#include "core/event/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define PS2_MOUSE_REPLY  6 /* acknowledge and a report, with room for one more */
#define PS2_MOUSE_REPORT 4

struct ps2_mouse {
    void (*ready)(void *opaque);          /* a byte can be taken */
    void *opaque;

    uint8_t reply[PS2_MOUSE_REPLY];       /* answers to commands go before reports */
    uint8_t reply_len;
    uint8_t report[PS2_MOUSE_REPORT];     /* of stream mode; [0] goes next */
    uint8_t report_len;
    uint8_t last[PS2_MOUSE_REPLY];        /* for RESEND */
    uint8_t last_len;
    uint8_t pending;                      /* command that waits for its option byte, or 0 */
    bool erred;                           /* the last byte was answered by RESEND */
    uint8_t id;                           /* 0 standard, 3 with wheel, 4 with five buttons */
    uint8_t resolution;                   /* 0..3: 1, 2, 4, 8 counts per mm */
    uint8_t rate;                         /* reports a second, never 0 */
    uint8_t rates[3];                     /* the last ones set, newest first: the knock for an id */
    bool remote, wrap, reporting, scaling;
    uint8_t buttons;                      /* POINTER_ bits that are held */
    uint8_t pressed;                      /* those that went down since the last report */
    uint8_t reported;                     /* as the last report showed them */
    int32_t dx, dy, dz;                   /* motion since the last report: right, up, to the user */
    struct timer sample;                  /* armed: no report before it fires */
    struct timer bat;                     /* end of the self test after FFh */
};

extern const struct state_field ps2_mouse_state[];

void ps2_mouse_init(struct ps2_mouse *s, struct clock *clock, void (*ready)(void *opaque),
                    void *opaque);
void ps2_mouse_reset(struct ps2_mouse *s);  /* power-on, self test passed and reported */

/* After a load: brings what indexes or divides something into range. */
void ps2_mouse_loaded(struct ps2_mouse *s);

/* A byte from the controller. */
void ps2_mouse_write(struct ps2_mouse *s, uint8_t val);

/* Takes the next byte; false if there is none. */
bool ps2_mouse_take(struct ps2_mouse *s, uint8_t *val);
/* The guest has read a byte of this mouse: room for the next report. */
void ps2_mouse_taken(struct ps2_mouse *s);
bool ps2_mouse_has_byte(const struct ps2_mouse *s);

/* Motion in counts, and which buttons are held: as in struct pointer_sink. */
void ps2_mouse_move(struct ps2_mouse *s, int dx, int dy, int wheel);
void ps2_mouse_buttons(struct ps2_mouse *s, unsigned down);

/* Motion or buttons are there that no report has told yet. */
bool ps2_mouse_has_news(const struct ps2_mouse *s);

#endif
