/*
 * Random instructions of a row of insn.def, with states that let them do something: memory operands
 * and stacks in the data area, jump targets in the code page, selectors that exist, and now and
 * then none of that.
 */
#ifndef TESTS_INSN_NATIVE_CASE_H
#define TESTS_INSN_NATIVE_CASE_H

#include "core/accel/interp/vec.h"
#include "tests/insn/encode.h"
#include "tests/insn/native_guest.h"

struct native_case {
    enum decode_mode mode;
    bool valid;        /* the decoder takes it: else #UD, with the row known */
    unsigned modrm_at; /* where in bytes its ModRM byte is, if it has one */
    struct insn in;
    uint8_t bytes[16];
    struct x86_state s; /* before the instruction */
    uint8_t data[DATA_BYTES];
};

/* ---- bytes ---- */

static bool decode_case(struct native_case *c, unsigned row)
{
    enum decode_status s = decode(c->bytes, INSN_MAX_BYTES, c->mode, &c->in);
    c->valid = s == DECODE_OK;
    return (s == DECODE_OK || s == DECODE_UD) && c->in.row == row;
}

/* Random bytes of an instruction of @row; false if they came out as something else. */
static bool make_bytes(struct random *r, unsigned row, struct native_case *c)
{
    const struct insn_info *info = &insn_info[row];
    uint8_t bytes[ENCODED_MAX + sizeof(c->bytes)];
    uint8_t *p = put_opcode(r, info, c->mode, bytes);
    c->modrm_at = (unsigned)(p - bytes);
    if (info->has_modrm) {
        *p++ = random_modrm(r, info);
    }
    while (p < bytes + sizeof(bytes)) {
        *p++ = (uint8_t)random_integer(r);
    }
    memcpy(c->bytes, bytes, sizeof(c->bytes));
    return decode_case(c, row);
}

/* ---- operands ---- */

static void set_masked(uint64_t *reg, uint64_t mask, uint64_t val)
{
    *reg = (*reg & ~mask) | (val & mask);
}

/* Linear addresses in the data area, mostly aligned as the largest operands want it; some at its
 * ends, behind which there are no pages. */
static uint64_t data_target(struct random *r)
{
    uint64_t v = rnd(r) >> 16;
    if ((v & 31) == 0) {
        return (v & 32 ? DATA + DATA_BYTES : DATA) + (v >> 8) % 64 - 32;
    }
    uint64_t at = DATA + 0x800 + (rnd(r) >> 20) % 0x1800;
    return rnd(r) >> 62 ? at & ~0x3full : at;
}

static uint64_t base_of(const struct native_case *c, unsigned seg)
{
    return c->mode == DECODE_64 && seg < S_FS ? 0 : c->s.seg[seg].base;
}

static uint64_t address_mask(const struct native_case *c)
{
    return c->in.adsize == 8 ? ~0ull : c->in.adsize == 4 ? 0xffffffff : 0xffff;
}

/* Indices that stay near the base. */
static void aim_indices(struct random *r, struct native_case *c)
{
    union vec *index = (union vec *)(void *)c->s.ymm[c->in.index & 15];
    bool wide = (insn_info[c->in.row].opcode & 1) != 0;
    for (unsigned i = 0; i < 8; i++) {
        index->d[i] = (uint32_t)((int32_t)(rnd(r) >> 33 & 0xff) - 0x80);
    }
    for (unsigned i = 0; wide && i < 4; i++) {
        index->sq[i] = (int32_t)index->d[i];
    }
}

/* Gives the displacement of an operand without a base register. */
static bool patch_displacement(struct native_case *c, uint64_t disp)
{
    bool sib = c->in.adsize != 2 && (c->bytes[c->modrm_at] & 7) == 4;
    unsigned n = c->in.adsize == 2 ? 2 : 4, at = c->modrm_at + 1 + sib;
    if (at + n > c->in.len || (c->in.adsize == 8 && (int64_t)disp != (int32_t)disp)) {
        return false;
    }
    memcpy(c->bytes + at, &disp, n);
    return decode_case(c, c->in.row);
}

/* Registers or a displacement such that the ModRM operand lies at linear address @target. */
static bool aim(struct random *r, struct native_case *c, uint64_t target)
{
    const struct insn *in = &c->in;
    uint64_t mask = address_mask(c), ea = (target - base_of(c, in->seg)) & mask;
    uint64_t *base = &c->s.gpr[in->base / 8 & 15], *index = &c->s.gpr[in->index / 8 & 15];
    bool vsib = insn_info[in->row].attr & A_VSIB, indexed = !vsib && in->index != GPR_OFF_ZERO;
    if (in->adsize == 2 && target - base_of(c, in->seg) > 0xffff) {
        return false;
    }
    if (vsib) {
        aim_indices(r, c);
    }
    if (indexed && in->adsize != 2) {
        set_masked(index, mask, rnd(r) >> 56);
    }
    uint64_t scaled = indexed ? *index << in->scale : 0;
    if (in->base == GPR_OFF_RIP) {
        return patch_displacement(c, (ea - CODE - in->len) & mask);
    }
    if (in->base == GPR_OFF_ZERO) {
        return patch_displacement(c, (ea - scaled) & mask);
    }
    if (indexed && in->index == in->base) {
        return false;
    }
    set_masked(base, mask, ea - scaled - (uint64_t)(int64_t)in->disp);
    return true;
}

static bool has_operand(const struct insn_info *info, enum insn_operand letter)
{
    return info->operand[0] == letter || info->operand[1] == letter || info->operand[2] == letter;
}

/* SI, DI and BX where strings and XLAT find data, CX a small count. */
static void aim_strings(struct random *r, struct native_case *c)
{
    uint64_t mask = address_mask(c);
    uint64_t *gpr = c->s.gpr;
    unsigned seg = c->in.seg;
    set_masked(&gpr[R_SI], mask, data_target(r) - base_of(c, seg));
    set_masked(&gpr[R_BX], mask, data_target(r) - base_of(c, seg));
    set_masked(&gpr[R_DI], mask, data_target(r) - base_of(c, c->mode == DECODE_64 ? S_DS : S_ES));
    set_masked(&gpr[R_CX], mask, rnd(r) % 80);
}

static uint64_t stack_mask(const struct native_case *c)
{
    return c->mode == DECODE_64 ? ~0ull : c->s.seg[S_SS].attr & AR_DB ? 0xffffffff : 0xffff;
}

/* The linear address of the stack's top. */
static uint64_t aim_stack(struct random *r, struct native_case *c)
{
    uint64_t at = DATA + 0xc00 + (rnd(r) >> 20) % 0x1000;
    at = rnd(r) >> 61 ? at & ~7ull : at;
    uint64_t sp = at - base_of(c, S_SS);
    set_masked(&c->s.gpr[R_SP], stack_mask(c), sp);
    set_masked(&c->s.gpr[R_BP], stack_mask(c), sp + (rnd(r) & 0x1f8));
    return at;
}

/* Memory at @linear, of what lies in the data area. */
static void put_data(struct native_case *c, uint64_t linear, const void *from, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (linear + i - DATA < DATA_BYTES) {
            c->data[linear + i - DATA] = ((const uint8_t *)from)[i];
        }
    }
}

static void get_data(const struct native_case *c, uint64_t linear, void *to, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        bool inside = linear + i - DATA < DATA_BYTES;
        ((uint8_t *)to)[i] = inside ? c->data[linear + i - DATA] : 0;
    }
}

/* ---- state ---- */

static struct x86_seg random_seg(struct random *r, const struct native_case *c, unsigned which)
{
    static const uint16_t data[] = {SEL_DATA16, SEL_DATA32, SEL_DATA16, SEL_DATA32};
    uint64_t v = rnd(r) >> 16;
    if (c->mode == DECODE_64 || !host.ldt || (c->mode == DECODE_32 && (v & 1)) || (v & 0xe) == 0) {
        return guest_seg(SEL_USER_DATA);
    }
    if (which == S_ES) {
        return guest_seg(v & 0x10 ? SEL_ES16 : SEL_DATA16);
    }
    if (which == S_DS && (v & 0x1f0) == 0) {
        return guest_seg(v & 0x200 ? SEL_READ_ONLY : 0);
    }
    return guest_seg(data[v >> 4 & 3]);
}

static void random_segments(struct random *r, struct native_case *c)
{
    struct x86_seg *seg = c->s.seg;
    bool flat = c->mode == DECODE_64 || (c->mode == DECODE_32 && (!host.ldt || (rnd(r) >> 63)));
    uint16_t cs = c->mode == DECODE_64   ? SEL_USER64
                  : c->mode == DECODE_16 ? SEL_CODE16
                  : flat                 ? SEL_USER32
                                         : SEL_CODE32;
    seg[S_CS] = guest_seg(cs);
    seg[S_DS] = random_seg(r, c, S_DS);
    seg[S_ES] = random_seg(r, c, S_ES);
    seg[S_SS] = random_seg(r, c, S_SS);
    seg[S_FS] = guest_seg(0);
    seg[S_GS] = guest_seg(0);
    if (c->mode == DECODE_64) {
        seg[S_FS].base = host.fsgsbase ? rnd(r) >> 20 : 0;
    }
}

static void random_fpu(struct random *r, struct x86_state *s, bool x87)
{
    uint64_t v = rnd(r) >> 16;
    s->fop = rnd(r) >> 53;
    s->fip = rnd(r) >> 17;
    s->fdp = rnd(r) >> 17;
    s->fcw = FCW_INIT;
    s->fsw = (uint16_t)(v & FSW_TOP);
    s->ftag = (uint8_t)(v >> 16);
    for (unsigned i = 0; i < 8; i++) {
        if (x87) {
            s->fpr[i] = random_extended(r);
        } else {
            random_vector(r, &s->fpr[i].mant, 8);
            s->fpr[i].se = (uint16_t)rnd(r);
        }
    }
    if (x87) {
        uint16_t masks = v & 0x3000000 ? FSW_EXCEPTIONS : v >> 26 & FSW_EXCEPTIONS;
        uint16_t pc = v & 0x300000000 ? 0x300 : v >> 34 & 0x200;
        s->fcw = (uint16_t)(0x40 | masks | pc | (v >> 36 & FCW_RC));
        s->fsw |= (v >> 12 & FSW_CC);
        v = rnd(r) >> 16;
        s->fsw |= v & 1 ? v >> 1 & masks : 0;
        s->fsw |= v & 0x700 ? 0 : FSW_SF & masks << 6;
        if ((v & 0xf000) == 0) {
            s->fsw |= v >> 1 & FSW_EXCEPTIONS;
        }
        s->fsw |= s->fsw & ~s->fcw & FSW_EXCEPTIONS ? FSW_ES | FSW_B : 0;
        unsigned top = (s->fsw & FSW_TOP) >> FSW_TOP_SHIFT;
        s->ftag = (uint8_t)(v & 0x30000 ? ~(v >> 18 & v >> 26 & v >> 34) : v >> 18);
        if (v & 0x300000000000) { /* and room for a load */
            s->ftag &= (uint8_t) ~(1 << ((top + 7) & 7));
        }
    }
}

static void random_state(struct random *r, struct native_case *c)
{
    struct x86_state *s = &c->s;
    const struct insn_info *info = &insn_info[c->in.row];
    for (unsigned i = 0; i < (c->mode == DECODE_64 ? 16 : 8); i++) {
        s->gpr[i] = c->mode == DECODE_64 ? random_integer(r) : (uint32_t)random_integer(r);
    }
    for (unsigned i = 0; i < 16; i++) {
        random_vector(r, s->ymm[i], host.avx ? 32 : 16);
    }
    random_fpu(r, s, info->attr & A_FPU);
    uint64_t v = rnd(r) >> 16;
    s->mxcsr = (uint32_t)v & (MXCSR_FLAGS | MXCSR_DAZ | MXCSR_RC | MXCSR_FTZ);
    s->mxcsr |= v & 0x30000 ? MXCSR_MASKS : (uint32_t)(v >> 20) & MXCSR_MASKS;
    if (v & 0x40000) {
        s->mxcsr &= ~(uint32_t)(MXCSR_DAZ | MXCSR_FTZ);
    }
    s->rflags = (rnd(r) & (FL_OSZAPC | FL_DF)) | FL_1 | FL_IF;
    if ((v & 0x1f00000000) == 0) {
        s->rflags |= FL_AC;
    }
    random_segments(r, c);
}

/* What memory operands find: integers, singles, doubles, extended values. */
static void random_data(struct random *r, struct native_case *c)
{
    for (unsigned k = 0; k < DATA_BYTES; k += 64) {
        random_vector(r, c->data + k, 64);
    }
}

#endif
