/*
 * Source: [ECMA48] 5.4 "Control sequences"; [XTERM-CTL] "PC-Style Function Keys"; the Linux
 *         console's and rxvt's own sequences for function keys.
 */
#include "core/ui/term_keys.h"

#include "core/base/bits.h"
#include "core/ui/input.h"
#include "core/base/utf8.h"

#include <string.h>

#define ESC 0x1b

struct key_code {
    unsigned code;
    uint8_t key;
};

/* CSI n ~ */
static const struct key_code tilde_keys[] = {
    {1, KEY_E0 | 0x47},  {2, KEY_E0 | 0x52},  {3, KEY_E0 | 0x53},  {4, KEY_E0 | 0x4f},
    {5, KEY_E0 | 0x49},  {6, KEY_E0 | 0x51},  {7, KEY_E0 | 0x47},  {8, KEY_E0 | 0x4f},
    {11, 0x3b}, {12, 0x3c}, {13, 0x3d}, {14, 0x3e}, {15, 0x3f}, {17, 0x40},
    {18, 0x41}, {19, 0x42}, {20, 0x43}, {21, 0x44}, {23, 0x57}, {24, 0x58},
};

/* CSI letter, CSI 1 ; m letter, SS3 letter */
static const struct key_code letter_keys[] = {
    {'A', KEY_E0 | 0x48}, {'B', KEY_E0 | 0x50}, {'C', KEY_E0 | 0x4d}, {'D', KEY_E0 | 0x4b},
    {'E', 0x4c},          {'F', KEY_E0 | 0x4f}, {'H', KEY_E0 | 0x47}, {'M', KEY_E0 | 0x1c},
    {'P', 0x3b},          {'Q', 0x3c},          {'R', 0x3d},          {'S', 0x3e},
    {'j', 0x37},          {'k', 0x4e},          {'m', 0x4a},          {'n', 0x53},
    {'o', KEY_E0 | 0x35},
};

static unsigned find_key(const struct key_code *list, size_t n, unsigned code)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].code == code) {
            return list[i].key;
        }
    }
    return 0;
}

static void emit(struct term_keys *k, unsigned key, unsigned mods)
{
    if (key != 0) {
        k->stroke(k->opaque, key, mods);
    }
}

static void emit_char(struct term_keys *k, uint32_t cp, unsigned mods)
{
    unsigned key;
    bool shift;
    if (key_for_char(cp, &key, &shift)) {
        emit(k, key, mods | (shift ? TERM_SHIFT : 0));
    }
}

/* One byte below 80h that is no Escape. */
static void emit_byte(struct term_keys *k, uint8_t byte, unsigned mods)
{
    if (byte == k->erase || byte == 0x7f) {
        emit(k, 0x0e, mods);
    } else if (byte == '\t' || byte == '\r' || byte >= ' ') {
        emit_char(k, byte, mods);
    } else if (byte == 0) {
        emit(k, 0x39, mods | TERM_CTRL);                 /* Ctrl-Space */
    } else {
        /* 01h-1Ah are Ctrl and a letter; 1Ch-1Fh Ctrl and \ ] 6 - */
        const char *rest = "\\]6-";
        char c = byte <= 0x1a ? (char)(byte + 'a' - 1) : rest[byte - 0x1c];
        emit_char(k, (uint8_t)c, mods | TERM_CTRL);
    }
}

/* Parameters of a control sequence, at most two of them; absent ones are 0. */
static void parse_params(const uint8_t *s, unsigned len, unsigned params[3])
{
    unsigned n = 0;
    memset(params, 0, 3 * sizeof(*params));
    for (unsigned i = 0; i < len && n < 3; i++) {
        if (s[i] == ';') {
            n++;
        } else if (s[i] >= '0' && s[i] <= '9' && params[n] < 10000) {
            params[n] = params[n] * 10 + (s[i] - '0');
        }
    }
}

static unsigned xterm_mods(unsigned param)
{
    return param > 0 ? (param - 1) & (TERM_SHIFT | TERM_ALT | TERM_CTRL) : 0;
}

/* A whole control sequence: @s holds what is between CSI and the final byte. */
static void control_sequence(struct term_keys *k, const uint8_t *s, unsigned len, uint8_t final)
{
    unsigned p[3];
    parse_params(s, len, p);
    switch (final) {
    case '~':
        if (p[0] == 27) {                                /* any key: CSI 27 ; mods ; code ~ */
            emit_char(k, p[2], xterm_mods(p[1]));
        } else {
            emit(k, find_key(tilde_keys, ARRAY_SIZE(tilde_keys), p[0]), xterm_mods(p[1]));
        }
        break;
    case 'u':                                            /* any key: CSI code ; mods u */
        emit_char(k, p[0], xterm_mods(p[1]));
        break;
    case '^':                                            /* rxvt: Ctrl, Shift, both */
        emit(k, find_key(tilde_keys, ARRAY_SIZE(tilde_keys), p[0]), TERM_CTRL);
        break;
    case '$':
        emit(k, find_key(tilde_keys, ARRAY_SIZE(tilde_keys), p[0]), TERM_SHIFT);
        break;
    case '@':
        emit(k, find_key(tilde_keys, ARRAY_SIZE(tilde_keys), p[0]), TERM_SHIFT | TERM_CTRL);
        break;
    case 'Z':
        emit(k, 0x0f, TERM_SHIFT);
        break;
    case 'a': case 'b': case 'c': case 'd':
        emit(k, find_key(letter_keys, ARRAY_SIZE(letter_keys), final - 0x20u), TERM_SHIFT);
        break;
    default:
        emit(k, find_key(letter_keys, ARRAY_SIZE(letter_keys), final), xterm_mods(p[1]));
        break;
    }
}

/* True when seq holds a whole thing, which then has been emitted. seq[0] is ESC or a lead byte. */
static bool complete(struct term_keys *k)
{
    uint8_t last = k->seq[k->len - 1];
    if (k->seq[0] != ESC) {
        size_t used;
        uint32_t cp = utf8_decode((const char *)k->seq, k->len, &used);
        if (cp != UTF8_INVALID) {
            emit_char(k, cp, 0);
        }
        return used != 0;
    }
    if (k->len == 1) {
        return false;
    }
    if (k->len == 2) {
        if (last == '[' || last == 'O') {
            return false;
        }
        emit_byte(k, last, TERM_ALT);
        return true;
    }
    if (k->seq[1] == 'O') {                              /* SS3, and rxvt's Ctrl-arrows */
        bool rxvt = last >= 'a' && last <= 'd';
        emit(k, find_key(letter_keys, ARRAY_SIZE(letter_keys), rxvt ? last - 0x20u : last),
             rxvt ? TERM_CTRL : 0);
        return true;
    }
    if (k->seq[2] == '[') {                            /* the Linux console's F1 to F5: ESC [ [ A */
        if (k->len == 4 && last >= 'A' && last <= 'E') {
            emit(k, 0x3bu + last - 'A', 0);
        }
        return k->len == 4;
    }
    if ((last >= 0x40 && last <= 0x7e) || last == '$') {
        control_sequence(k, k->seq + 2, k->len - 3, last);
        return true;
    }
    return last < 0x20 || last > 0x7e || k->len == sizeof(k->seq); /* not a sequence: dropped */
}

void term_keys_byte(struct term_keys *k, uint8_t byte)
{
    if (k->len > 0 && byte == ESC) {                     /* a new sequence begins */
        term_keys_timeout(k);
    }
    if (k->len == 0 && byte < 0x80 && byte != ESC) {
        emit_byte(k, byte, 0);
        return;
    }
    k->seq[k->len++] = byte;
    if (complete(k)) {
        k->len = 0;
    }
}

void term_keys_timeout(struct term_keys *k)
{
    unsigned len = k->len;
    k->len = 0;
    if (len == 0 || k->seq[0] != ESC) {
        return;
    }
    if (len == 2) {                                      /* Alt-[ or Alt-O after all */
        emit_byte(k, k->seq[1], TERM_ALT);
    } else if (len == 1) {
        emit(k, 0x01, 0);
    }
}
