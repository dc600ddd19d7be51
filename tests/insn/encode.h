/*
 * Random bytes that begin an instruction of a given row of insn.def: prefixes, VEX, opcode, ModRM.
 */
#ifndef TESTS_INSN_ENCODE_H
#define TESTS_INSN_ENCODE_H

#include "core/cpu/decode.h"
#include "tests/insn/random.h"

static inline uint8_t random_modrm(struct random *r, const struct insn_info *info)
{
    uint8_t v = (uint8_t)(rnd(r) >> 33);
    unsigned m = info->modrm;
    if (m < 8) {
        return (uint8_t)((v & 0xc7) | m << 3);
    }
    if (m <= 0xff) {
        return (uint8_t)m;
    }
    if (m < MODRM_M) {
        v = (uint8_t)((v & 0xc7) | (m & 7) << 3);
    }
    bool mem = (m >= MODRM_M0 && m < MODRM_R0) || m == MODRM_M;
    bool reg = (m >= MODRM_R0 && m < MODRM_M) || m == MODRM_R;
    v = mem && v >= 0xc0 ? v & 0x7f : reg ? v | 0xc0 : v;
    return info->attr & A_VSIB ? (uint8_t)((v & 0x78) | 4) : v;
}

static inline uint8_t *put_vex(struct random *rnd_, const struct insn_info *info,
                               enum decode_mode mode, uint8_t *p)
{
    static const uint8_t pp[] = {
        [PFX_X] = 0, [PFX_NP] = 0, [PFX_P66] = 1, [PFX_PF3] = 2, [PFX_PF2] = 3};
    uint64_t r = rnd(rnd_) >> 20;
    unsigned l = info->attr & A_L0 ? 0 : info->attr & A_L1 ? 1 : r & 1;
    unsigned w = info->attr & A_W0 ? 0 : info->attr & A_W1 ? 1 : r >> 1 & 1;
    unsigned vvvv = info->has_vvvv ? r >> 2 & 15 : 15;
    unsigned rxb = r >> 10 & 7;
    if (mode != DECODE_64) { /* R and X are what tells VEX from LES and LDS */
        rxb |= 6;
        vvvv |= 8;
    }
    unsigned last = vvvv << 3 | l << 2 | pp[info->pfx];
    if (info->map == MAP_V0F && !w && (r & 0x100)) {
        *p++ = 0xc5;
        *p++ = (uint8_t)((rxb >> 2) << 7 | last);
        return p;
    }
    *p++ = 0xc4;
    *p++ = (uint8_t)(rxb << 5 | (info->map - MAP_V0F + 1));
    *p++ = (uint8_t)(w << 7 | last);
    return p;
}

enum { PADDING_MAX = 14, ENCODED_MAX = PADDING_MAX + 10 };

/* Now and then prefixes in any order, again and again, with REX where it counts for nothing: what
 * the row wants comes behind them. */
static inline uint8_t *put_padding(struct random *rnd_, enum decode_mode mode, uint8_t *p)
{
    static const uint8_t pads[] = {0x26, 0x2e, 0x36, 0x3e, 0x66, 0x67, 0xf2, 0xf3, 0x40, 0x48};
    uint64_t r = rnd(rnd_) >> 8;
    unsigned kinds = mode == DECODE_64 ? ARRAY_SIZE(pads) : ARRAY_SIZE(pads) - 2;
    unsigned n = r & 7 ? 0 : 1 + (r >> 8) % PADDING_MAX, one = (unsigned)(r >> 16) % kinds;
    for (bool same = r & 0x8000; n > 0; n--) {
        uint64_t v = rnd(rnd_) >> 8;
        uint8_t pad = pads[same ? one : v % kinds];
        *p++ = (uint8_t)(pad | (pad >> 4 == 4 ? v >> 8 & 7 : 0));
    }
    return p;
}

/* Prefixes that the row wants or takes, and seldom others. */
static inline uint8_t *put_prefixes(struct random *rnd_, const struct insn_info *info,
                                    enum decode_mode mode, uint8_t *p)
{
    static const uint8_t segments[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    uint64_t r = rnd(rnd_) >> 8;
    bool vex = info->map >= MAP_V0F;
    if ((r & 7) == 0) {
        *p++ = 0x67;
    }
    if ((r & 0x70) == 0) {
        *p++ = segments[(r >> 8) % (mode == DECODE_64 || (r & 0x800) ? 4 : 6)];
    }
    if (info->pfx == PFX_P66 && !vex) {
        *p++ = 0x66;
    } else if ((r & 0x3000) == 0 && info->pfx != PFX_NP && !vex) {
        *p++ = 0x66;
    }
    if (info->attr & A_LOCK ? (r & 0x70000) == 0 : (r & 0xff0000) == 0) {
        *p++ = 0xf0;
    }
    if (!vex && (info->pfx == PFX_PF3 || info->pfx == PFX_PF2)) {
        *p++ = info->pfx == PFX_PF3 ? 0xf3 : 0xf2;
    } else if (info->attr & A_STRING ? r & 0x1000000 : (r & 0x1f000000) == 0) {
        *p++ = r & 0x20000000 ? 0xf2 : 0xf3;
    }
    if (mode == DECODE_64 && !vex && (r & 0x40000000)) {
        *p++ = (uint8_t)(0x40 | (r >> 32 & 15));
    }
    return p;
}

/* At most ENCODED_MAX bytes. */
static inline uint8_t *put_opcode(struct random *r, const struct insn_info *info,
                                  enum decode_mode mode, uint8_t *p)
{
    p = put_padding(r, mode, p);
    p = put_prefixes(r, info, mode, p);
    if (info->map >= MAP_V0F) {
        p = put_vex(r, info, mode, p);
    } else if (info->map != MAP_M1) {
        *p++ = 0x0f;
        if (info->map != MAP_M0F) {
            *p++ = info->map == MAP_M38 ? 0x38 : 0x3a;
        }
    }
    *p++ = (uint8_t)(info->opcode + (info->opcodes > 1 ? (rnd(r) >> 8) % info->opcodes : 0));
    return p;
}

#endif
