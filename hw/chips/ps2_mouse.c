/*
 * PS/2 mouse: standard, IntelliMouse and IntelliMouse Explorer.
 *
 * Source: [PS2TR] "Mouse"; [PS2MOUSE] for the wheel and five buttons, which the knock of three
 *         sample rates turns on: 200, 100, 80 gives id 3, 200, 200, 80 id 4.
 * Pins:   the cable, as bytes: ps2_mouse_write and ps2_mouse_take.
 * Model:  counts are taken as they come, whatever the resolution: a host's pointer knows no mm. A
 *         movement too far for one report is spread over several, so no counter overflows. The self
 *         test takes 2 ms instead of half a second. The AAh of power-on is not sent: it comes while
 *         the controller still holds the clock line.
 *         A button that goes down and up between two samples is reported down and then up.
 * Unsure: whether a status request clears the movement counters; here each command but RESEND does.
 */
#include "hw/chips/ps2_mouse.h"

#include "core/base/bits.h"
#include "core/ui/input.h"
#include "trace/hw_chips.h"

#include <string.h>

enum {
    CMD_SCALING_1 = 0xe6,
    CMD_SCALING_2 = 0xe7,
    CMD_RESOLUTION = 0xe8,
    CMD_STATUS = 0xe9,
    CMD_STREAM = 0xea,
    CMD_READ_DATA = 0xeb,
    CMD_END_WRAP = 0xec,
    CMD_WRAP = 0xee,
    CMD_REMOTE = 0xf0,
    CMD_READ_ID = 0xf2,
    CMD_RATE = 0xf3,
    CMD_ENABLE = 0xf4,
    CMD_DISABLE = 0xf5,
    CMD_DEFAULTS = 0xf6,
    CMD_RESEND = 0xfe,
    CMD_RESET = 0xff,
};

enum { REPLY_ACK = 0xfa, REPLY_ERROR = 0xfc, REPLY_RESEND = 0xfe, REPLY_BAT_OK = 0xaa };

enum { ID_STANDARD = 0, ID_WHEEL = 3, ID_EXPLORER = 4 };

enum { /* first byte of a report */
    REPORT_BUTTONS = 0x07,  /* as POINTER_LEFT, POINTER_RIGHT, POINTER_MIDDLE */
    REPORT_ONE = 0x08,
    REPORT_X_SIGN = 0x10,
    REPORT_Y_SIGN = 0x20,
};

enum { /* first byte of a status report; buttons in the order of the real ones: left is bit 2 */
    STATUS_RIGHT = 0x01,
    STATUS_MIDDLE = 0x02,
    STATUS_LEFT = 0x04,
    STATUS_SCALING = 0x10,
    STATUS_REPORTING = 0x20,
    STATUS_REMOTE = 0x40,
};

#define BAT_NS       (2 * NS_PER_MS)
#define RATE_DEFAULT 100
#define REPORT_MAX   127    /* of X and Y; with scaling 2:1 half of it */
#define WHEEL_MAX    7      /* the Explorer has four bits for it */
#define MOTION_MAX   100000 /* counts that wait for reports; what comes on top is lost */

static void reply(struct ps2_mouse *s, uint8_t val)
{
    if (s->reply_len < PS2_MOUSE_REPLY) {
        s->reply[s->reply_len++] = val;
    }
}

static void announce(struct ps2_mouse *s)
{
    if (ps2_mouse_has_byte(s)) {
        s->ready(s->opaque);
    }
}

bool ps2_mouse_has_byte(const struct ps2_mouse *s)
{
    return s->reply_len > 0 || s->report_len > 0;
}

/* --- reports --- */

static int clamp(int v, int max)
{
    return v < -max ? -max : v > max ? max : v;
}

static unsigned buttons_of(const struct ps2_mouse *s)
{
    unsigned known = s->id == ID_EXPLORER ? 0x1f : REPORT_BUTTONS;
    return (s->buttons | s->pressed) & known;
}

bool ps2_mouse_has_news(const struct ps2_mouse *s)
{
    return s->dx != 0 || s->dy != 0 || s->dz != 0 || buttons_of(s) != s->reported;
}

static void forget_motion(struct ps2_mouse *s)
{
    s->dx = s->dy = s->dz = 0;
    s->pressed = 0;
}

/* [PS2TR] "Set Scaling 2:1": small steps are damped, larger ones doubled. */
static int scaled(int v)
{
    static const uint8_t small[] = {0, 1, 1, 3, 6, 9};
    int abs = v < 0 ? -v : v;
    int out = abs < (int)ARRAY_SIZE(small) ? small[abs] : 2 * abs;
    return v < 0 ? -out : out;
}

/* Makes a report of up to 4 bytes of what has happened and takes that off the counters. */
static unsigned make_report(struct ps2_mouse *s, uint8_t out[PS2_MOUSE_REPORT], bool scaling)
{
    int max = scaling ? REPORT_MAX / 2 : REPORT_MAX;
    int x = clamp(s->dx, max), y = clamp(s->dy, max);
    unsigned down = buttons_of(s);

    s->dx -= x;
    s->dy -= y;
    s->reported = (uint8_t)down;
    s->pressed = 0;
    if (scaling) {
        x = scaled(x);
        y = scaled(y);
    }
    out[0] = (uint8_t)((down & REPORT_BUTTONS) | REPORT_ONE | (x < 0 ? REPORT_X_SIGN : 0) |
                       (y < 0 ? REPORT_Y_SIGN : 0));
    out[1] = (uint8_t)x;
    out[2] = (uint8_t)y;
    trace_ps2_mouse_report(down, x, y);
    if (s->id == ID_STANDARD) {
        s->dz = 0;
        return 3;
    }
    int z = clamp(s->dz, WHEEL_MAX);
    s->dz -= z;
    out[3] = (uint8_t)z;
    if (s->id == ID_EXPLORER) { /* the side buttons lie above a wheel of four bits */
        out[3] = (uint8_t)((z & 0x0f) | (down & (POINTER_SIDE | POINTER_EXTRA)) << 1);
    }
    return 4;
}

/* [PS2TR] "Stream Mode": a report when something has happened, at most `rate` of them a second. */
static void try_report(struct ps2_mouse *s)
{
    if (!s->reporting || s->remote || s->wrap || s->report_len > 0 || s->reply_len > 0 ||
        timer_armed(&s->sample) || timer_armed(&s->bat) || !ps2_mouse_has_news(s)) {
        return;
    }
    s->report_len = (uint8_t)make_report(s, s->report, s->scaling);
    memcpy(s->last, s->report, s->report_len);
    s->last_len = s->report_len;
    timer_at(&s->sample, clock_now(s->sample.clock) + NS_PER_SEC / s->rate);
    s->ready(s->opaque);
}

static void sample_fired(void *opaque)
{
    try_report(opaque);
}

bool ps2_mouse_take(struct ps2_mouse *s, uint8_t *val)
{
    uint8_t *from = s->reply_len > 0 ? s->reply : s->report;
    uint8_t *len = s->reply_len > 0 ? &s->reply_len : &s->report_len;

    if (*len == 0) {
        return false;
    }
    *val = from[0];
    memmove(from, from + 1, --*len);
    return true;
}

void ps2_mouse_taken(struct ps2_mouse *s)
{
    try_report(s);
}

/* --- motion and buttons --- */

void ps2_mouse_move(struct ps2_mouse *s, int dx, int dy, int wheel)
{
    trace_ps2_mouse_move(dx, dy, wheel, s->reporting);
    s->dx = clamp(s->dx + clamp(dx, MOTION_MAX), MOTION_MAX);
    s->dy = clamp(s->dy - clamp(dy, MOTION_MAX), MOTION_MAX); /* the mouse's Y grows upwards */
    s->dz = s->id == ID_STANDARD ? 0 : clamp(s->dz + clamp(wheel, MOTION_MAX), MOTION_MAX);
    try_report(s);
}

void ps2_mouse_buttons(struct ps2_mouse *s, unsigned down)
{
    s->pressed |= (uint8_t)(down & ~s->buttons & 0x1f);
    s->buttons = down & 0x1f;
    trace_ps2_mouse_buttons(s->buttons, s->reporting);
    try_report(s);
}

/* --- commands --- */

static void set_defaults(struct ps2_mouse *s)
{
    s->rate = RATE_DEFAULT;
    s->resolution = 2;
    s->scaling = false;
    s->remote = false;
    s->reporting = false;
}

/* A new rate may be the last of a knock. */
static void set_rate(struct ps2_mouse *s, uint8_t val)
{
    s->rate = val;
    s->rates[2] = s->rates[1];
    s->rates[1] = s->rates[0];
    s->rates[0] = val;
    if (s->rates[2] == 200 && s->rates[0] == 80) {
        s->id = s->rates[1] == 100 ? ID_WHEEL : s->rates[1] == 200 ? ID_EXPLORER : s->id;
        trace_ps2_mouse_id(s->id);
    }
}

static void bat_done(void *opaque)
{
    struct ps2_mouse *s = opaque;

    reply(s, REPLY_BAT_OK);
    reply(s, s->id);
    memcpy(s->last, s->reply, s->last_len = s->reply_len);
    announce(s);
}

/* [PS2TR] an invalid byte is asked for again; if the next one is invalid too, it is an error. */
static void refuse(struct ps2_mouse *s)
{
    reply(s, s->erred ? REPLY_ERROR : REPLY_RESEND);
    s->erred = !s->erred;
}

/* A byte that belongs to the command before it. */
static void option_byte(struct ps2_mouse *s, uint8_t val)
{
    static const uint8_t known[] = {10, 20, 40, 60, 80, 100, 200};
    uint8_t cmd = s->pending;
    bool rate = cmd == CMD_RATE;

    if (rate ? memchr(known, val, sizeof(known)) == NULL : val > 3) {
        s->pending = s->erred ? 0 : cmd; /* one more try */
        refuse(s);
        return;
    }
    s->pending = 0;
    s->erred = false;
    if (rate) {
        set_rate(s, val);
    } else {
        s->resolution = val;
    }
    reply(s, REPLY_ACK);
}

static void status_report(struct ps2_mouse *s)
{
    uint8_t val = (s->remote ? STATUS_REMOTE : 0) | (s->reporting ? STATUS_REPORTING : 0) |
                  (s->scaling ? STATUS_SCALING : 0) |
                  (s->buttons & POINTER_LEFT ? STATUS_LEFT : 0) |
                  (s->buttons & POINTER_MIDDLE ? STATUS_MIDDLE : 0) |
                  (s->buttons & POINTER_RIGHT ? STATUS_RIGHT : 0);
    reply(s, val);
    reply(s, s->resolution);
    reply(s, s->rate);
}

/* [PS2TR] "Read Data": a report at once, in either mode; scaling is for stream mode alone. */
static void read_data(struct ps2_mouse *s)
{
    uint8_t out[PS2_MOUSE_REPORT];
    unsigned n = make_report(s, out, false);

    for (unsigned i = 0; i < n; i++) {
        reply(s, out[i]);
    }
}

static void resend(struct ps2_mouse *s)
{
    for (unsigned i = 0; i < s->last_len; i++) {
        reply(s, s->last[i]);
    }
}

static void command(struct ps2_mouse *s, uint8_t val)
{
    s->pending = 0;
    if (val < CMD_SCALING_1 || val == 0xed || val == 0xef || val == 0xf1 ||
        (val > CMD_DEFAULTS && val < CMD_RESEND)) {
        refuse(s);
        return;
    }
    s->erred = false;
    if (val == CMD_RESEND) {
        resend(s);
        return;
    }
    reply(s, REPLY_ACK);
    if (val != CMD_READ_DATA) {
        forget_motion(s);
    }
    switch (val) {
    case CMD_SCALING_1: s->scaling = false; break;
    case CMD_SCALING_2: s->scaling = true; break;
    case CMD_RESOLUTION:
    case CMD_RATE: s->pending = val; break;
    case CMD_STATUS: status_report(s); break;
    case CMD_STREAM: s->remote = false; break;
    case CMD_READ_DATA: read_data(s); break;
    case CMD_END_WRAP: break; /* it is not wrapping */
    case CMD_WRAP: s->wrap = true; break;
    case CMD_REMOTE: s->remote = true; break;
    case CMD_READ_ID: reply(s, s->id); break;
    case CMD_ENABLE: s->reporting = true; break;
    case CMD_DISABLE: s->reporting = false; break;
    case CMD_DEFAULTS: set_defaults(s); break;
    default: /* CMD_RESET; the acknowledge stays */
        ps2_mouse_reset(s);
        reply(s, REPLY_ACK);
        timer_at(&s->bat, clock_now(s->bat.clock) + BAT_NS);
        break;
    }
}

void ps2_mouse_write(struct ps2_mouse *s, uint8_t val)
{
    trace_ps2_mouse_write(val);
    s->report_len = 0; /* [PS2TR] a command ends what is being sent */
    s->reply_len = 0;
    if (s->wrap && val != CMD_RESET && val != CMD_END_WRAP) {
        reply(s, val);
    } else {
        s->wrap = false;
        if (s->pending != 0 && val < CMD_SCALING_1) {
            option_byte(s, val);
        } else {
            command(s, val); /* also in place of an option byte */
        }
    }
    if (val != CMD_RESEND) {
        memcpy(s->last, s->reply, s->reply_len);
        s->last_len = s->reply_len;
    }
    announce(s);
}

/* Power-on: [PS2TR] 100 reports a second, 4 counts per mm, 1:1, stream mode, not reporting. Which
 * buttons are held is the user's affair. */
void ps2_mouse_reset(struct ps2_mouse *s)
{
    timer_cancel(&s->sample);
    timer_cancel(&s->bat);
    set_defaults(s);
    forget_motion(s);
    memset(s->reply, 0, sizeof(s->reply));
    memset(s->report, 0, sizeof(s->report));
    memset(s->last, 0, sizeof(s->last));
    memset(s->rates, 0, sizeof(s->rates));
    s->reply_len = s->report_len = 0;
    s->last[0] = REPLY_BAT_OK;
    s->last_len = 2;
    s->pending = 0;
    s->erred = s->wrap = false;
    s->id = ID_STANDARD;
    s->reported = s->buttons & REPORT_BUTTONS;
}

/* A saved machine may come from anywhere. */
void ps2_mouse_loaded(struct ps2_mouse *s)
{
    s->reply_len = (uint8_t)min_u64(s->reply_len, PS2_MOUSE_REPLY);
    s->report_len = (uint8_t)min_u64(s->report_len, PS2_MOUSE_REPORT);
    s->last_len = (uint8_t)min_u64(s->last_len, PS2_MOUSE_REPLY);
    s->resolution &= 3;
    s->rate = s->rate != 0 ? s->rate : RATE_DEFAULT;
    s->dx = clamp(s->dx, MOTION_MAX);
    s->dy = clamp(s->dy, MOTION_MAX);
    s->dz = clamp(s->dz, MOTION_MAX);
}

const struct state_field ps2_mouse_state[] = {
    STATE(struct ps2_mouse, reply),
    STATE(struct ps2_mouse, reply_len),
    STATE(struct ps2_mouse, report),
    STATE(struct ps2_mouse, report_len),
    STATE(struct ps2_mouse, last),
    STATE(struct ps2_mouse, last_len),
    STATE(struct ps2_mouse, pending),
    STATE(struct ps2_mouse, erred),
    STATE(struct ps2_mouse, id),
    STATE(struct ps2_mouse, resolution),
    STATE(struct ps2_mouse, rate),
    STATE(struct ps2_mouse, rates),
    STATE(struct ps2_mouse, remote),
    STATE(struct ps2_mouse, wrap),
    STATE(struct ps2_mouse, reporting),
    STATE(struct ps2_mouse, scaling),
    STATE_KEPT(struct ps2_mouse, buttons),
    STATE(struct ps2_mouse, pressed),
    STATE_KEPT(struct ps2_mouse, reported),
    STATE(struct ps2_mouse, dx),
    STATE(struct ps2_mouse, dy),
    STATE(struct ps2_mouse, dz),
    STATE_TIMER(struct ps2_mouse, sample),
    STATE_TIMER(struct ps2_mouse, bat),
    STATE_END(),
};

void ps2_mouse_init(struct ps2_mouse *s, struct clock *clock, void (*ready)(void *opaque),
                    void *opaque)
{
    s->ready = ready;
    s->opaque = opaque;
    s->rate = RATE_DEFAULT;
    timer_init(&s->sample, clock, "ps2_mouse sample", sample_fired, s);
    timer_init(&s->bat, clock, "ps2_mouse self test", bat_done, s);
}
