/* Source: [RFC3629] sections 3 and 4. */
#include "core/base/utf8.h"

unsigned utf8_encode(uint32_t cp, char out[UTF8_MAX])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (cp >> 18 & 7));
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

uint32_t utf8_decode(const char *s, size_t len, size_t *used)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = (uint8_t)s[0];
    *used = 1;
    if (lead < 0x80) {
        return lead;
    }
    unsigned n = lead >= 0xf8 ? 0 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
    if (n == 0) {
        return UTF8_INVALID;
    }
    uint32_t cp = lead & (0x7fu >> n);
    for (unsigned i = 1; i < n; i++) {
        if (i == len) {
            *used = 0;
            return UTF8_INVALID;
        }
        uint8_t c = (uint8_t)s[i];
        if ((c & 0xc0) != 0x80) {
            *used = i;
            return UTF8_INVALID;
        }
        cp = cp << 6 | (c & 0x3f);
    }
    *used = n;
    if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000)) {
        return UTF8_INVALID;
    }
    return cp;
}
