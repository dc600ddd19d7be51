/*
 * PS/2 keyboard: scan code sets 1, 2 and 3, all commands, typematic repeat.
 *
 * Source: [PS2TR] "Keyboard and Auxiliary Device Controller", "101- and 102-Key Keyboard".
 * Pins:   the cable, as bytes: ps2_keyboard_write and ps2_keyboard_take.
 * Model:  the self test takes 2 ms instead of half a second. The AAh of power-on is not sent: it
 *         comes while the controller still holds the clock line.
 *         A key repeats only while the guest takes its bytes: a slow guest gets no key twice.
 * Unsure: whether FBh..FDh stop scanning; here they do not.
 */
#include "hw/chips/ps2_keyboard.h"

#include "core/base/bits.h"
#include "core/ui/input.h"
#include "trace/hw_chips.h"

#include <string.h>

enum {
    CMD_LEDS = 0xed,
    CMD_ECHO = 0xee,
    CMD_SCAN_SET = 0xf0,
    CMD_IDENTIFY = 0xf2,
    CMD_RATE = 0xf3,
    CMD_ENABLE = 0xf4,
    CMD_DISABLE = 0xf5,
    CMD_DEFAULTS = 0xf6,
    CMD_ALL_TYPEMATIC = 0xf7,
    CMD_ALL_MAKE_BREAK = 0xf8,
    CMD_ALL_MAKE = 0xf9,
    CMD_ALL_BOTH = 0xfa,
    CMD_KEY_TYPEMATIC = 0xfb,
    CMD_KEY_MAKE_BREAK = 0xfc,
    CMD_KEY_MAKE = 0xfd,
    CMD_RESEND = 0xfe,
    CMD_RESET = 0xff,
};

enum { REPLY_ACK = 0xfa, REPLY_RESEND = 0xfe, REPLY_BAT_OK = 0xaa };
enum { TYPE_BREAK = 1, TYPE_TYPEMATIC = 2 };

#define BAT_NS       (2 * NS_PER_MS)
#define RATE_DEFAULT 0x2b /* 500 ms, 10.9 characters a second */
#define LED_NUM      0x02

/* Keys that other keys' codes depend on, in input.h's numbering. */
enum { KEY_LCTRL = 0x1d, KEY_LSHIFT = 0x2a, KEY_RSHIFT = 0x36, KEY_LALT = 0x38 };

/* What the 8042 makes of a set 2 code; its inverse gives the set 2 code of a key. */
const uint8_t ps2_set2_to_set1[256] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
    0x80, 0x81, 0x82, 0x41, 0x54, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f,
    0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f,
    0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
    0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf,
    0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf,
    0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf,
    0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xef,
    0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff,
};

/* Set 3 codes by set 1 code; 0: no such key. */
static const uint8_t set3_plain[0x59] = {
    0x00, 0x08, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, 0x4e, 0x55, 0x66, 0x0d,
    0x15, 0x1d, 0x24, 0x2d, 0x2c, 0x35, 0x3c, 0x43, 0x44, 0x4d, 0x54, 0x5b, 0x5a, 0x11, 0x1c, 0x1b,
    0x23, 0x2b, 0x34, 0x33, 0x3b, 0x42, 0x4b, 0x4c, 0x52, 0x0e, 0x12, 0x5c, 0x1a, 0x22, 0x21, 0x2a,
    0x32, 0x31, 0x3a, 0x41, 0x49, 0x4a, 0x59, 0x7e, 0x19, 0x29, 0x14, 0x07, 0x0f, 0x17, 0x1f, 0x27,
    0x2f, 0x37, 0x3f, 0x47, 0x4f, 0x76, 0x5f, 0x6c, 0x75, 0x7d, 0x84, 0x6b, 0x73, 0x74, 0x7c, 0x69,
    0x72, 0x7a, 0x70, 0x71, 0x57, 0x00, 0x13, 0x56, 0x5e,
};

static uint8_t set3_code(unsigned key)
{
    switch (key) {
    case KEY_E0 | 0x1c: return 0x79; /* keypad Enter */
    case KEY_E0 | 0x1d: return 0x58; /* right Ctrl */
    case KEY_E0 | 0x35: return 0x77; /* keypad / */
    case KEY_PRINT: return 0x57;
    case KEY_E0 | 0x38: return 0x39; /* right Alt */
    case KEY_PAUSE: return 0x62;
    case KEY_E0 | 0x47: return 0x6e; /* Home, up, page up */
    case KEY_E0 | 0x48: return 0x63;
    case KEY_E0 | 0x49: return 0x6f;
    case KEY_E0 | 0x4b: return 0x61; /* left, right */
    case KEY_E0 | 0x4d: return 0x6a;
    case KEY_E0 | 0x4f: return 0x65; /* End, down, page down */
    case KEY_E0 | 0x50: return 0x60;
    case KEY_E0 | 0x51: return 0x6d;
    case KEY_E0 | 0x52: return 0x67; /* Insert, Delete */
    case KEY_E0 | 0x53: return 0x64;
    case KEY_E0 | 0x5b: return 0x8b; /* left and right Windows key, menu */
    case KEY_E0 | 0x5c: return 0x8c;
    case KEY_E0 | 0x5d: return 0x8d;
    default: return key < ARRAY_SIZE(set3_plain) ? set3_plain[key] : 0;
    }
}

/* [PS2TR] "Scan Code Set 3": the key's behaviour until FBh..FDh change it. */
static uint8_t default_type(uint8_t code)
{
    static const uint8_t make_break[] = {0x11, 0x12, 0x14, 0x19, 0x59};
    static const uint8_t make_only[] = {
        0x07, 0x08, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x39, 0x3f, 0x47, 0x4f, 0x56, 0x57,
        0x58, 0x5e, 0x5f, 0x62, 0x65, 0x67, 0x69, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71,
        0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x79, 0x7a, 0x7d, 0x7e, 0x84, 0x8b, 0x8c, 0x8d,
    };
    if (memchr(make_break, code, sizeof(make_break)) != NULL) {
        return TYPE_BREAK;
    }
    return memchr(make_only, code, sizeof(make_only)) != NULL ? 0 : TYPE_TYPEMATIC;
}

/* Set 2 code of a set 1 code. From above: 83h and 84h are F7 and SysRq, not their doubles. */
static uint8_t set2_code(uint8_t set1)
{
    for (unsigned code = 0x84; code > 0; code--) {
        if (ps2_set2_to_set1[code] == set1) {
            return (uint8_t)code;
        }
    }
    return 0;
}

static bool is_down(const struct ps2_keyboard *k, unsigned key)
{
    return k->down[key / 8] & BIT(key % 8);
}

/* --- bytes to the controller --- */

/* The longest sequence: two released Shift keys in front of a key that comes up, in set 2. */
struct sequence {
    uint8_t byte[16];
    unsigned n;
};

static void add(const struct ps2_keyboard *k, struct sequence *q, unsigned key, bool down)
{
    uint8_t code = k->set == 1 ? key & 0x7f : set2_code(key & 0x7f);

    if (code == 0) {
        return; /* no such key */
    }
    if (key & KEY_E0) {
        q->byte[q->n++] = 0xe0;
    }
    if (k->set == 1) {
        q->byte[q->n++] = code | (down ? 0 : 0x80);
        return;
    }
    if (!down) {
        q->byte[q->n++] = 0xf0;
    }
    q->byte[q->n++] = code;
}

static void add_print(const struct ps2_keyboard *k, struct sequence *q, bool down)
{
    bool shift = is_down(k, KEY_LSHIFT) || is_down(k, KEY_RSHIFT);
    bool ctrl = is_down(k, KEY_LCTRL) || is_down(k, KEY_E0 | KEY_LCTRL);

    if (is_down(k, KEY_LALT) || is_down(k, KEY_E0 | KEY_LALT)) {
        add(k, q, 0x54, down); /* SysRq */
    } else if (ctrl || shift) {
        add(k, q, KEY_PRINT, down);
    } else if (down) {
        add(k, q, KEY_E0 | KEY_LSHIFT, true);
        add(k, q, KEY_PRINT, true);
    } else {
        add(k, q, KEY_PRINT, false);
        add(k, q, KEY_E0 | KEY_LSHIFT, false);
    }
}

/* Pause sends everything when it goes down, and with Ctrl it is Break. */
static void add_pause(const struct ps2_keyboard *k, struct sequence *q)
{
    static const uint8_t set1[] = {0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5};
    static const uint8_t set2[] = {0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77};

    if (is_down(k, KEY_LCTRL) || is_down(k, KEY_E0 | KEY_LCTRL)) {
        add(k, q, KEY_E0 | 0x46, true);
        add(k, q, KEY_E0 | 0x46, false);
    } else if (k->set == 1) {
        memcpy(q->byte, set1, q->n = sizeof(set1));
    } else {
        memcpy(q->byte, set2, q->n = sizeof(set2));
    }
}

/* [PS2TR] the keys between the blocks double keypad keys of an 84-key keyboard, so they come inside
 * a made-up Shift state in which those would mean the same. */
static void add_gray(const struct ps2_keyboard *k, struct sequence *q, unsigned key, bool down)
{
    bool left = is_down(k, KEY_LSHIFT), right = is_down(k, KEY_RSHIFT);
    bool slash = key == (KEY_E0 | 0x35);
    bool num = (k->leds & LED_NUM) && !slash;
    bool press = num && !left && !right, release = !num;

    if (!down) {
        add(k, q, key, false);
    }
    if (press) {
        add(k, q, KEY_E0 | KEY_LSHIFT, down);
    }
    if (release && left) {
        add(k, q, KEY_E0 | KEY_LSHIFT, !down);
    }
    if (release && right) {
        add(k, q, KEY_E0 | KEY_RSHIFT, !down);
    }
    if (down) {
        add(k, q, key, true);
    }
}

static bool is_gray(unsigned key)
{
    unsigned code = key & 0x7f;
    return (key & KEY_E0) && code != 0x4a && code != 0x4c && code != 0x4e &&
           (code == 0x35 || (code >= 0x47 && code <= 0x53));
}

static void add_set3(const struct ps2_keyboard *k, struct sequence *q, unsigned key, bool down)
{
    uint8_t code = set3_code(key);

    if (code == 0 || (!down && !(k->key_type[code] & TYPE_BREAK))) {
        return;
    }
    if (!down) {
        q->byte[q->n++] = 0xf0;
    }
    q->byte[q->n++] = code;
}

static void make_sequence(const struct ps2_keyboard *k, struct sequence *q, unsigned key, bool down)
{
    q->n = 0;
    if (k->set == 3) {
        add_set3(k, q, key, down);
    } else if (key == KEY_PAUSE) {
        if (down) {
            add_pause(k, q);
        }
    } else if (key == KEY_PRINT) {
        add_print(k, q, down);
    } else if (is_gray(key)) {
        add_gray(k, q, key, down);
    } else if ((key & 0x7f) < 0x59 || (key & KEY_E0)) {
        add(k, q, key, down);
    }
}

/* Queues a whole sequence or, if it does not fit, the overrun code. False if nothing was queued. */
static bool queue(struct ps2_keyboard *k, const struct sequence *q)
{
    uint8_t overrun = k->set == 1 ? 0xff : 0x00;

    if (k->fifo_len + q->n <= PS2_KEYBOARD_FIFO) {
        memcpy(k->fifo + k->fifo_len, q->byte, q->n);
        k->fifo_len += q->n;
        return true;
    }
    if (k->fifo_len <= PS2_KEYBOARD_FIFO && k->fifo[k->fifo_len - 1] != overrun) {
        k->fifo[k->fifo_len++] = overrun;
    }
    return false;
}

static void reply(struct ps2_keyboard *k, uint8_t val)
{
    if (k->reply_len < PS2_KEYBOARD_REPLY) {
        k->reply[k->reply_len++] = val;
    }
}

static void announce(struct ps2_keyboard *k)
{
    if (ps2_keyboard_has_byte(k)) {
        k->ready(k->opaque);
    }
}

bool ps2_keyboard_has_byte(const struct ps2_keyboard *k)
{
    return k->reply_len > 0 || k->fifo_len > 0;
}

bool ps2_keyboard_take(struct ps2_keyboard *k, uint8_t *val)
{
    uint8_t *from = k->reply_len > 0 ? k->reply : k->fifo;
    uint8_t *len = k->reply_len > 0 ? &k->reply_len : &k->fifo_len;

    if (*len == 0) {
        return false;
    }
    *val = k->last_sent = from[0];
    memmove(from, from + 1, --*len);
    return true;
}

/* --- keys --- */

/* [PS2TR] "Set Typematic Rate/Delay": delay in bits 6:5, period (8 + A) * 2^B / 240 s. */
static int64_t repeat_ns(const struct ps2_keyboard *k)
{
    if (!k->repeating) {
        return ((k->rate >> 5 & 3) + 1) * 250 * NS_PER_MS;
    }
    return (8 + (k->rate & 7)) * (int64_t)BIT(k->rate >> 3 & 3) * NS_PER_SEC / 240;
}

static void stop_repeat(struct ps2_keyboard *k)
{
    k->repeat_key = 0;
    k->repeating = false;
    timer_cancel(&k->repeat);
}

void ps2_keyboard_taken(struct ps2_keyboard *k)
{
    if (k->repeat_key != 0 && !ps2_keyboard_has_byte(k) && !timer_armed(&k->repeat)) {
        timer_at(&k->repeat, clock_now(k->repeat.clock) + repeat_ns(k));
    }
}

static void repeat_fired(void *opaque)
{
    struct ps2_keyboard *k = opaque;
    struct sequence q = {.n = 0};

    if (k->repeat_key == 0 || ps2_keyboard_has_byte(k)) {
        return; /* ps2_keyboard_taken starts it again */
    }
    k->repeating = true;
    if (k->set == 3) {
        add_set3(k, &q, k->repeat_key, true);
    } else {
        add(k, &q, k->repeat_key, true);
    }
    queue(k, &q);
    announce(k);
}

static bool repeats(const struct ps2_keyboard *k, unsigned key)
{
    return key != KEY_PAUSE && (k->set != 3 || (k->key_type[set3_code(key)] & TYPE_TYPEMATIC));
}

void ps2_keyboard_key(struct ps2_keyboard *k, unsigned key, bool down)
{
    struct sequence q;

    key &= 0xff;
    trace_ps2_keyboard_key(key, down, k->scanning);
    if (!k->scanning || timer_armed(&k->bat) || is_down(k, key) == down) {
        return;
    }
    make_sequence(k, &q, key, down);
    if (down) {
        stop_repeat(k);
        if (!queue(k, &q)) {
            announce(k);
            return; /* never seen by the guest, so it will not be seen coming up either */
        }
        k->down[key / 8] |= BIT(key % 8);
        k->repeat_key = repeats(k, key) ? key : 0;
    } else {
        k->down[key / 8] &= ~BIT(key % 8);
        if (k->repeat_key == key) {
            stop_repeat(k);
        }
        queue(k, &q);
    }
    announce(k);
}

/* --- commands --- */

static void set_types(struct ps2_keyboard *k, uint8_t type)
{
    memset(k->key_type, type, sizeof(k->key_type));
}

static void set_defaults(struct ps2_keyboard *k)
{
    stop_repeat(k);
    k->fifo_len = 0;
    k->pending = 0;
    k->set = 2;
    k->rate = RATE_DEFAULT;
    for (unsigned code = 0; code < ARRAY_SIZE(k->key_type); code++) {
        k->key_type[code] = default_type((uint8_t)code);
    }
}

static void bat_done(void *opaque)
{
    struct ps2_keyboard *k = opaque;

    reply(k, REPLY_BAT_OK);
    announce(k);
}

/* A byte that belongs to the command before it. */
static void option_byte(struct ps2_keyboard *k, uint8_t val)
{
    uint8_t cmd = k->pending;

    k->pending = 0;
    switch (cmd) {
    case CMD_LEDS:
        k->leds = val & 7;
        trace_ps2_keyboard_leds(k->leds);
        break;
    case CMD_RATE:
        k->rate = val & 0x7f;
        break;
    case CMD_SCAN_SET:
        if (val > 3) {
            reply(k, REPLY_RESEND);
            return;
        }
        if (val == 0) { /* asks which one it is */
            reply(k, REPLY_ACK);
            reply(k, k->set);
            return;
        }
        k->set = val;
        stop_repeat(k);
        k->fifo_len = 0;
        break;
    default: /* FBh..FDh take keys until the next command */
        k->pending = cmd;
        if (val < ARRAY_SIZE(k->key_type)) {
            k->key_type[val] = cmd == CMD_KEY_TYPEMATIC    ? TYPE_TYPEMATIC
                               : cmd == CMD_KEY_MAKE_BREAK ? TYPE_BREAK
                                                           : 0;
        }
        break;
    }
    reply(k, REPLY_ACK);
}

static void all_keys(struct ps2_keyboard *k, uint8_t type)
{
    k->fifo_len = 0;
    set_types(k, type);
    reply(k, REPLY_ACK);
}

static void command(struct ps2_keyboard *k, uint8_t val)
{
    k->pending = 0;
    switch (val) {
    case CMD_ECHO:
        reply(k, CMD_ECHO);
        return;
    case CMD_RESEND:
        reply(k, k->last_sent);
        return;
    case CMD_LEDS: case CMD_RATE: case CMD_SCAN_SET:
    case CMD_KEY_TYPEMATIC: case CMD_KEY_MAKE_BREAK: case CMD_KEY_MAKE:
        k->pending = val;
        break;
    case CMD_IDENTIFY: /* ABh 83h: the 101-key keyboard */
        reply(k, REPLY_ACK);
        reply(k, 0xab);
        reply(k, 0x83);
        return;
    case CMD_ENABLE:
        k->fifo_len = 0;
        k->scanning = true;
        break;
    case CMD_DISABLE:
        set_defaults(k);
        k->scanning = false;
        break;
    case CMD_DEFAULTS:
        set_defaults(k);
        break;
    case CMD_ALL_TYPEMATIC: all_keys(k, TYPE_TYPEMATIC); return;
    case CMD_ALL_MAKE_BREAK: all_keys(k, TYPE_BREAK); return;
    case CMD_ALL_MAKE: all_keys(k, 0); return;
    case CMD_ALL_BOTH: all_keys(k, TYPE_TYPEMATIC | TYPE_BREAK); return;
    case CMD_RESET:
        ps2_keyboard_reset(k);
        timer_at(&k->bat, clock_now(k->bat.clock) + BAT_NS);
        break;
    default: /* EFh, F1h and what is below: not commands */
        reply(k, REPLY_RESEND);
        return;
    }
    reply(k, REPLY_ACK);
}

void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t val)
{
    trace_ps2_keyboard_write(val);
    if (k->pending != 0 && val < CMD_LEDS) {
        option_byte(k, val);
    } else {
        command(k, val); /* also in place of an option byte */
    }
    announce(k);
}

/* Power-on: [PS2TR] set 2, scanning, default rate, all LEDs off, nothing to send. */
void ps2_keyboard_reset(struct ps2_keyboard *k)
{
    timer_cancel(&k->bat);
    set_defaults(k);
    memset(k->fifo, 0, sizeof(k->fifo));
    memset(k->reply, 0, sizeof(k->reply));
    memset(k->down, 0, sizeof(k->down));
    k->reply_len = 0;
    k->last_sent = 0;
    k->leds = 0;
    k->scanning = true;
}

const struct state_field ps2_keyboard_state[] = {
    STATE(struct ps2_keyboard, fifo),
    STATE(struct ps2_keyboard, fifo_len),
    STATE(struct ps2_keyboard, reply),
    STATE(struct ps2_keyboard, reply_len),
    STATE(struct ps2_keyboard, last_sent),
    STATE(struct ps2_keyboard, pending),
    STATE(struct ps2_keyboard, set),
    STATE(struct ps2_keyboard, leds),
    STATE(struct ps2_keyboard, rate),
    STATE(struct ps2_keyboard, scanning),
    STATE(struct ps2_keyboard, key_type),
    STATE(struct ps2_keyboard, down),
    STATE(struct ps2_keyboard, repeat_key),
    STATE(struct ps2_keyboard, repeating),
    STATE_TIMER(struct ps2_keyboard, repeat),
    STATE_TIMER(struct ps2_keyboard, bat),
    STATE_END(),
};

void ps2_keyboard_init(struct ps2_keyboard *k, struct clock *clock, void (*ready)(void *opaque),
                       void *opaque)
{
    k->ready = ready;
    k->opaque = opaque;
    timer_init(&k->repeat, clock, "ps2_keyboard repeat", repeat_fired, k);
    timer_init(&k->bat, clock, "ps2_keyboard self test", bat_done, k);
}

/* A saved machine may come from anywhere: lengths and indexes are brought into range. */
void ps2_keyboard_loaded(struct ps2_keyboard *k)
{
    k->fifo_len = min_u64(k->fifo_len, PS2_KEYBOARD_FIFO + 1);
    k->reply_len = min_u64(k->reply_len, PS2_KEYBOARD_REPLY);
    k->set = k->set >= 1 && k->set <= 3 ? k->set : 2;
}
