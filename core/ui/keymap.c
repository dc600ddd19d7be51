/*
 * Key names and the en-us layout.
 *
 * Source: [PS2-KBD] set 1 make codes of the 101-key keyboard; names as in QEMU's "sendkey".
 */
#include "core/ui/input.h"

#include "core/base/bits.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    uint8_t key;
} names[] = {
    {"esc", 0x01},
    {"1", 0x02}, {"2", 0x03}, {"3", 0x04}, {"4", 0x05}, {"5", 0x06},
    {"6", 0x07}, {"7", 0x08}, {"8", 0x09}, {"9", 0x0a}, {"0", 0x0b},
    {"minus", 0x0c}, {"equal", 0x0d}, {"backspace", 0x0e}, {"tab", 0x0f},
    {"q", 0x10}, {"w", 0x11}, {"e", 0x12}, {"r", 0x13}, {"t", 0x14},
    {"y", 0x15}, {"u", 0x16}, {"i", 0x17}, {"o", 0x18}, {"p", 0x19},
    {"bracket_left", 0x1a}, {"bracket_right", 0x1b}, {"ret", 0x1c}, {"ctrl", 0x1d},
    {"a", 0x1e}, {"s", 0x1f}, {"d", 0x20}, {"f", 0x21}, {"g", 0x22},
    {"h", 0x23}, {"j", 0x24}, {"k", 0x25}, {"l", 0x26},
    {"semicolon", 0x27}, {"apostrophe", 0x28}, {"grave_accent", 0x29},
    {"shift", 0x2a}, {"backslash", 0x2b},
    {"z", 0x2c}, {"x", 0x2d}, {"c", 0x2e}, {"v", 0x2f}, {"b", 0x30}, {"n", 0x31}, {"m", 0x32},
    {"comma", 0x33}, {"dot", 0x34}, {"slash", 0x35}, {"shift_r", 0x36},
    {"kp_multiply", 0x37}, {"asterisk", 0x37}, {"alt", 0x38}, {"spc", 0x39}, {"caps_lock", 0x3a},
    {"f1", 0x3b}, {"f2", 0x3c}, {"f3", 0x3d}, {"f4", 0x3e}, {"f5", 0x3f}, {"f6", 0x40},
    {"f7", 0x41}, {"f8", 0x42}, {"f9", 0x43}, {"f10", 0x44}, {"f11", 0x57}, {"f12", 0x58},
    {"num_lock", 0x45}, {"scroll_lock", 0x46},
    {"kp_7", 0x47}, {"kp_8", 0x48}, {"kp_9", 0x49}, {"kp_subtract", 0x4a},
    {"kp_4", 0x4b}, {"kp_5", 0x4c}, {"kp_6", 0x4d}, {"kp_add", 0x4e},
    {"kp_1", 0x4f}, {"kp_2", 0x50}, {"kp_3", 0x51}, {"kp_0", 0x52}, {"kp_decimal", 0x53},
    {"less", 0x56},
    {"kp_enter", KEY_E0 | 0x1c}, {"ctrl_r", KEY_E0 | 0x1d}, {"kp_divide", KEY_E0 | 0x35},
    {"print", KEY_PRINT}, {"sysrq", KEY_PRINT}, {"alt_r", KEY_E0 | 0x38}, {"pause", KEY_PAUSE},
    {"home", KEY_E0 | 0x47}, {"up", KEY_E0 | 0x48}, {"pgup", KEY_E0 | 0x49},
    {"left", KEY_E0 | 0x4b}, {"right", KEY_E0 | 0x4d}, {"end", KEY_E0 | 0x4f},
    {"down", KEY_E0 | 0x50}, {"pgdn", KEY_E0 | 0x51}, {"insert", KEY_E0 | 0x52},
    {"delete", KEY_E0 | 0x53},
    {"meta_l", KEY_E0 | 0x5b}, {"meta_r", KEY_E0 | 0x5c}, {"menu", KEY_E0 | 0x5d},
    /* what else people call them */
    {"escape", 0x01}, {"enter", 0x1c}, {"return", 0x1c}, {"space", 0x39}, {"bs", 0x0e},
    {"del", KEY_E0 | 0x53}, {"ins", KEY_E0 | 0x52},
    {"pageup", KEY_E0 | 0x49}, {"pagedown", KEY_E0 | 0x51},
};

unsigned key_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcasecmp(names[i].name, name) == 0) {
            return names[i].key;
        }
    }
    return 0;
}

/* Keys of the three letter rows and the digit row from left to right, without and with Shift. */
static const struct {
    uint8_t first;
    const char *plain, *shifted;
} rows[] = {
    {0x02, "1234567890-=", "!@#$%^&*()_+"},
    {0x10, "qwertyuiop[]", "QWERTYUIOP{}"},
    {0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~"},
    {0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"},
};

static bool find_control(uint32_t codepoint, unsigned *key)
{
    switch (codepoint) {
    case '\n':
    case '\r':
        *key = 0x1c;
        return true;
    case '\t':
        *key = 0x0f;
        return true;
    case '\b':
    case 0x7f:
        *key = 0x0e;
        return true;
    case 0x1b:
        *key = 0x01;
        return true;
    case ' ':
        *key = 0x39;
        return true;
    default:
        return false;
    }
}

bool key_for_char(uint32_t codepoint, unsigned *key, bool *shift)
{
    *shift = false;
    if (find_control(codepoint, key)) {
        return true;
    }
    if (codepoint <= ' ' || codepoint > '~') {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *hit = strchr(rows[i].plain, (int)codepoint);
        const char *base = rows[i].plain;
        if (hit == NULL) {
            hit = strchr(rows[i].shifted, (int)codepoint);
            base = rows[i].shifted;
        }
        if (hit != NULL) {
            *key = rows[i].first + (unsigned)(hit - base);
            *shift = base == rows[i].shifted;
            return true;
        }
    }
    return false;
}

bool keymap_select(const char *name, struct error **err)
{
    if (strcmp(name, "en-us") == 0) {
        return true;
    }
    return error_set(err, "no keyboard layout '%s'; there is en-us", name);
}
