/*
 * What single instructions need so that they do more than fault: jump targets, selectors, stack
 * frames, images of the x87's state.
 */
#ifndef TESTS_INSN_NATIVE_PREPARE_H
#define TESTS_INSN_NATIVE_PREPARE_H

#include "tests/insn/native_case.h"
#include "tests/insn/rows.h"

/* ---- targets of branches ---- */

/* An offset in the code page where INT3 waits, relative to CS. */
static uint64_t random_target(struct random *r, const struct native_case *c)
{
    uint64_t at = (rnd(r) >> 20) % CODE_BYTES;
    if (at - CODE_AT < 16) {
        at += 16;
    }
    return CODE_PAGE + at - c->s.seg[S_CS].base;
}

static bool prepare_branch(struct random *r, struct native_case *c)
{
    const struct insn_info *info = &insn_info[c->in.row];
    unsigned n = info->operand[0] == OPD_Jb ? 1 : c->mode == DECODE_64 || c->in.opsize == 4 ? 4 : 2;
    if (info->operand[0] == OPD_Jb || info->operand[0] == OPD_Jz) {
        uint8_t *disp = c->bytes + c->in.len - n;
        int64_t by = n == 1 ? (int8_t)*disp : (int64_t)((rnd(r) >> 20) % 0xf00) - 0x780;
        if (by < 0 && by + (int)c->in.len > -16) {
            by -= 32;
        }
        if (by >= 0 && by < 16 && by > 0) {
            by += 16; /* not into the bytes of this one */
        }
        memcpy(disp, &by, n);
    } else if (info->operand[0] == OPD_Ev) {
        uint64_t to = random_target(r, c);
        if (c->in.mem) {
            uint64_t at = data_target(r);
            put_data(c, at, &to, 8);
            return aim(r, c, at);
        }
        c->s.gpr[c->in.m / 8] = to;
    }
    if (!strncmp(info->name, "loop", 4) || !strcmp(info->name, "jcxz")) {
        set_masked(&c->s.gpr[R_CX], address_mask(c), (rnd(r) >> 20) % 3);
    }
    return true;
}

static uint16_t random_selector(struct random *r)
{
    static const uint16_t sel[] = {
        SEL_USER32, SEL_USER_DATA,      SEL_USER64,      SEL_CODE16, SEL_DATA16, SEL_ES16,
        SEL_DATA32, SEL_CODE32,         SEL_READ_ONLY,   0,          3,          0x9f,
        0x0c,       SEL_USER_DATA & ~3, SEL_USER64 & ~3, 0x08 | 4,
    };
    return sel[(rnd(r) >> 32) % ARRAY_SIZE(sel)];
}

/* Far pointers: mostly to code that exists. Returns the selector. */
static uint16_t random_far(struct random *r, uint8_t *p, unsigned size)
{
    static const uint16_t code[] = {SEL_CODE16, SEL_CODE32, SEL_USER32, SEL_USER64};
    uint64_t v = rnd(r) >> 16;
    uint16_t sel = v & 7 ? code[v >> 4 & 3] : random_selector(r);
    uint64_t to = (rnd(r) >> 20) % (CODE_BYTES - 32) + 16;
    to += sel == SEL_USER32 || sel == SEL_USER64 ? CODE_PAGE : 0;
    if ((to & 0xfff) - CODE_AT < 16) {
        to += 16;
    }
    memcpy(p, &to, size);
    memcpy(p + size, &sel, 2);
    return sel;
}

static bool prepare_far(struct random *r, struct native_case *c)
{
    const struct insn_info *info = &insn_info[c->in.row];
    uint64_t at = data_target(r);
    uint8_t far[10];
    unsigned size = c->in.opsize;
    if (!strcmp(info->name, "callf")) {
        aim_stack(r, c); /* always: a host was seen to hang at one beyond the limit */
    }
    if (info->operand[0] == OPD_Ap) {
        random_far(r, c->bytes + c->in.len - size - 2, size);
    } else if (info->operand[0] == OPD_Mp) {
        random_far(r, far, size);
        put_data(c, at, far, size + 2);
        return aim(r, c, at);
    } else { /* RETF: of one level */
        random_far(r, far, size);
        put_data(c, aim_stack(r, c), far, size + 2);
        if (info->operand[0] == OPD_Iw) {
            c->bytes[c->in.len - 1] &= 3; /* no wrap of SP at 64 KiB: seen both ways */
        }
    }
    return true;
}

/* ---- selectors ---- */

static bool prepare_selector(struct random *r, struct native_case *c)
{
    const struct insn_info *info = &insn_info[c->in.row];
    uint16_t sel = random_selector(r);
    uint64_t at = data_target(r);
    if (info->attr & A_STACK) {
        put_data(c, aim_stack(r, c), &sel, 2);
    } else if (has_operand(info, OPD_Mp)) {
        put_data(c, at + c->in.opsize, &sel, 2);
        return aim(r, c, at);
    } else if (c->in.mem) {
        put_data(c, at, &sel, 2);
        return aim(r, c, at);
    } else {
        memcpy((uint8_t *)c->s.gpr + c->in.m, &sel, 2);
    }
    return true;
}

/* ---- images in memory ---- */

static bool prepare_extended(struct random *r, struct native_case *c)
{
    uint64_t at = data_target(r);
    struct x86_fpr v = random_extended(r);
    put_data(c, at, &v.mant, 8);
    put_data(c, at + 8, &v.se, 2);
    return aim(r, c, at);
}

/* Decimal digits; others are undefined. */
static bool prepare_bcd(struct random *r, struct native_case *c)
{
    uint64_t at = data_target(r);
    for (unsigned i = 0; i < 9; i++) {
        uint64_t v = rnd(r) >> 20;
        uint8_t digits = (uint8_t)(v % 10 | (v >> 8) % 10 << 4);
        put_data(c, at + i, &digits, 1);
    }
    return aim(r, c, at);
}

static void put_mxcsr(struct random *r, struct native_case *c, uint64_t at)
{
    uint32_t v;
    get_data(c, at, &v, 4);
    v &= rnd(r) >> 62 ? 0xffff : ~0u; /* mostly no reserved bits */
    put_data(c, at, &v, 4);
}

static bool prepare_mxcsr(struct random *r, struct native_case *c)
{
    uint64_t at = data_target(r);
    put_mxcsr(r, c, at);
    return aim(r, c, at);
}

/* The x87's pointers, and MXCSR. Of pointers in 64-bit form a processor keeps what makes a linear
 * address: 48 bits, or 57. */
static void put_legacy(struct random *r, struct native_case *c, uint64_t at)
{
    int64_t pointer[2];
    get_data(c, at + 8, pointer, 16);
    if (c->in.w) {
        pointer[0] = (int64_t)((uint64_t)pointer[0] << 16) >> 16;
        pointer[1] = (int64_t)((uint64_t)pointer[1] << 16) >> 16;
    }
    put_data(c, at + 8, pointer, 16);
    put_mxcsr(r, c, at + 24);
}

static bool prepare_fxrstor(struct random *r, struct native_case *c)
{
    uint64_t at = data_target(r);
    put_legacy(r, c, at);
    return aim(r, c, at);
}

/* State components that both have, and some that neither has. */
static uint64_t random_components(struct random *r)
{
    uint64_t v = rnd(r) >> 8;
    return (v & 7) | (v & 0xf00 ? 0 : rnd(r) & ~host.xcr0);
}

/* An image with a header that is mostly valid, at a place that mostly is. */
static bool prepare_xsave(struct random *r, struct native_case *c)
{
    uint64_t at = data_target(r), v = rnd(r) >> 8, asked = random_components(r);
    uint64_t header[8] = {random_components(r)};
    set_masked(&c->s.gpr[R_AX], 0xffffffff, asked);
    set_masked(&c->s.gpr[R_DX], 0xffffffff, asked >> 32);
    put_legacy(r, c, at);
    if (v & 1) { /* compacted */
        header[1] = BIT64(63) | random_components(r);
        header[0] &= v & 0xe ? header[1] & ~BIT64(63) : ~0ull;
    }
    if ((v & 0xf0) == 0) {
        header[1 + (v >> 8) % 7] ^= v >> 16 & ~host.xcr0;
    }
    put_data(c, at + 512, header, sizeof(header));
    /* Not of an address that took the registers' place. */
    return aim(r, c, at) && (uint32_t)c->s.gpr[R_AX] == (uint32_t)asked &&
           (uint32_t)c->s.gpr[R_DX] == (uint32_t)(asked >> 32);
}

/* ---- values that meet ---- */

/* The accumulator is sometimes what is compared with it. */
static bool prepare_cmpxchg(struct random *r, struct native_case *c)
{
    uint64_t at = data_target(r);
    if (rnd(r) >> 63) {
        unsigned half = c->in.w ? 8 : 4;
        c->s.gpr[R_DX] = 0;
        get_data(c, at, &c->s.gpr[R_AX], half);
        get_data(c, at + half, &c->s.gpr[R_DX], half);
    }
    return aim(r, c, at);
}

/* Dividends that are not too large. */
static bool prepare_divide(struct random *r, struct native_case *c)
{
    if (rnd(r) >> 62) {
        uint64_t v = rnd(r) >> 8;
        unsigned half = c->in.opsize * 8;
        uint64_t *high = half == 8 ? &c->s.gpr[R_AX] : &c->s.gpr[R_DX];
        uint64_t mask = half == 8 ? 0xff00 : half == 64 ? ~0ull : BIT64(half) - 1;
        set_masked(high, mask, v & 1 ? 0 : v & 2 ? ~0ull : (v >> 8) % 16 << (half == 8 ? 8 : 0));
    }
    return aim(r, c, data_target(r));
}

/* No single step: it would trap at the INT3 behind. */
static bool prepare_popf(struct random *r, struct native_case *c)
{
    uint64_t flags = rnd(r) & ~(uint64_t)FL_TF;
    put_data(c, aim_stack(r, c), &flags, 8);
    return true;
}

/* IRET to the same level: IP, CS and flags, in 64-bit code SP and SS, too. AC stays clear:
 * 64-bit IRET checks alignment by the flags that it loads, and Linux, which sees an #AC with AC
 * clear then, takes it for a split lock and tries again. */
static bool prepare_iret(struct random *r, struct native_case *c)
{
    uint64_t at = aim_stack(r, c), flags = rnd(r) & ~(uint64_t)(FL_TF | FL_AC), sp;
    unsigned size = c->in.opsize;
    uint8_t far[10];
    c->s.rflags &= ~(uint64_t)FL_AC;
    random_far(r, far, size);
    put_data(c, at, far, size + 2);
    put_data(c, at + 2 * size, &flags, size);
    if (c->mode == DECODE_64) {
        uint16_t ss = rnd(r) >> 61 ? (uint16_t)SEL_USER_DATA : random_selector(r);
        sp = rnd(r) >> 61 ? DATA + (rnd(r) >> 20) % DATA_BYTES : random_integer(r);
        put_data(c, at + 3 * size, &sp, size);
        put_data(c, at + 4 * size, &ss, 2);
    }
    return true;
}

/* Registers that may have none (XGETBV), leaves and counters. */
static bool prepare_index(struct random *r, struct native_case *c)
{
    set_masked(&c->s.gpr[R_CX], 0xffffffff, rnd(r) >> 63 ? (rnd(r) >> 20) % 4 : random_integer(r));
    return true;
}

/* Bits around the operand. */
static bool prepare_bit(struct random *r, struct native_case *c)
{
    if (!aim(r, c, data_target(r))) {
        return false;
    }
    bool address = c->in.mem && (c->in.r == c->in.base || c->in.r == c->in.index);
    if (has_operand(&insn_info[c->in.row], OPD_Gv) && !address) {
        uint64_t v = ((rnd(r) >> 20) & 0x3fff) - 0x2000;
        c->s.gpr[c->in.r / 8] = c->mode == DECODE_64 ? v : (uint32_t)v;
    }
    return true;
}

/* In 64-bit code WRFSBASE and WRGSBASE take canonical addresses. */
static bool prepare_base(struct random *r, struct native_case *c)
{
    c->s.gpr[c->in.m / 8] = (uint64_t)((int64_t)rnd(r) >> (rnd(r) >> 62 ? 18 : 0));
    return host.fsgsbase;
}

/* Arguments inside the domain; results outside are undefined. Inexact results are ours to the last
 * bit only, so nothing that depends on that is unmasked. */
static bool prepare_transcendental(struct random *r, struct native_case *c)
{
    const char *name = insn_info[c->in.row].name;
    struct x86_state *s = &c->s;
    struct x86_fpr *x = &s->fpr[(s->fsw & FSW_TOP) >> FSW_TOP_SHIFT];
    unsigned most = !strcmp(name, "f2xm1") ? 0x3ffe : !strcmp(name, "fyl2xp1") ? 0x3ffc : 0x4038;
    if ((x->se & 0x7fff) > most && (x->se & 0x7fff) != 0x7fff && strcmp(name, "fyl2x")) {
        x->se = (uint16_t)((x->se & 0x8000) | (most - (rnd(r) >> 20) % 80));
    }
    if (most != 0x4038 && (x->se & 0x7fff) == 0x7fff && x->mant == BIT64(63)) {
        x->mant |= BIT64(62); /* no infinity */
    }
    s->fcw |= FSW_OE | FSW_UE | FSW_PE;
    s->fsw &= (uint16_t) ~(FSW_ES | FSW_B);
    s->fsw |= s->fsw & ~s->fcw & FSW_EXCEPTIONS ? FSW_ES | FSW_B : 0;
    return true;
}

/* XLAT, MOVS and their like, MASKMOVQ. */
static bool prepare_strings(struct random *r, struct native_case *c)
{
    aim_strings(r, c);
    return true;
}

static const struct preparation {
    const char *name;
    bool (*prepare)(struct random *r, struct native_case *c);
} preparations[] = {
    {"popf", prepare_popf},
    {"iret", prepare_iret},
    {"xgetbv", prepare_index},
    {"xsave", prepare_xsave},
    {"xsavec", prepare_xsave},
    {"xsaveopt", prepare_xsave},
    {"xrstor", prepare_xsave},
    {"cmpxchg", prepare_cmpxchg},
    {"cmpxchg8b", prepare_cmpxchg},
    {"div", prepare_divide},
    {"idiv", prepare_divide},
    {"bt", prepare_bit},
    {"bts", prepare_bit},
    {"btr", prepare_bit},
    {"btc", prepare_bit},
    {"fbld", prepare_bcd},
    {"ldmxcsr", prepare_mxcsr},
    {"fxrstor", prepare_fxrstor},
    {"vldmxcsr", prepare_mxcsr},
    {"lar", prepare_selector},
    {"lsl", prepare_selector},
    {"verr", prepare_selector},
    {"verw", prepare_selector},
    {"arpl", prepare_selector},
    {"les", prepare_selector},
    {"lds", prepare_selector},
    {"lss", prepare_selector},
    {"lfs", prepare_selector},
    {"lgs", prepare_selector},
    {"wrfsbase", prepare_base},
    {"wrgsbase", prepare_base},
    {"rdfsbase", prepare_base},
    {"rdgsbase", prepare_base},
    {"f2xm1", prepare_transcendental},
    {"fyl2x", prepare_transcendental},
    {"fyl2xp1", prepare_transcendental},
    {"fptan", prepare_transcendental},
    {"fpatan", prepare_transcendental},
    {"fsin", prepare_transcendental},
    {"fcos", prepare_transcendental},
    {"fsincos", prepare_transcendental},
    {"maskmovq", prepare_strings},
    {"maskmovdqu", prepare_strings},
    {"vmaskmovdqu", prepare_strings},
};

/* Selectors are the operand of these, too. */
static bool loads_segment(const struct insn_info *info)
{
    unsigned first = info->operand[0];
    return (!strcmp(info->name, "pop") && first >= OPD_ES && first <= OPD_GS) || first == OPD_Sw;
}

/* Operands outside a domain, and selectors of the kernel, are never left to chance. */
static bool must_prepare(const struct insn_info *info)
{
    for (unsigned i = 0; i < ARRAY_SIZE(preparations); i++) {
        if (!strcmp(info->name, preparations[i].name)) {
            return preparations[i].prepare == prepare_transcendental ||
                   preparations[i].prepare == prepare_selector ||
                   preparations[i].prepare == prepare_iret ||
                   preparations[i].prepare == prepare_xsave;
        }
    }
    return false;
}

/* Operands for what the row is; false where the encoding has no place for them. */
static bool prepare(struct random *r, struct native_case *c)
{
    const struct insn_info *info = &insn_info[c->in.row];
    if (info->attr & A_STACK) {
        aim_stack(r, c);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(preparations); i++) {
        if (!strcmp(info->name, preparations[i].name) && (c->in.mem || !has_operand(info, OPD_M))) {
            return preparations[i].prepare(r, c) || !c->in.mem;
        }
    }
    if (loads_segment(info)) {
        return prepare_selector(r, c);
    }
    if (info->attr & A_FAR) {
        return prepare_far(r, c);
    }
    if (info->attr & A_JUMP) {
        return prepare_branch(r, c);
    }
    if (info->attr & A_STRING || info->test == TEST_T) {
        aim_strings(r, c);
    }
    if (has_operand(info, OPD_Mt)) {
        return prepare_extended(r, c);
    }
    if (has_operand(info, OPD_Ob) || has_operand(info, OPD_Ov)) {
        uint64_t ea = data_target(r) - base_of(c, c->in.seg);
        memcpy(c->bytes + c->in.len - c->in.adsize, &ea, c->in.adsize);
        return true;
    }
    return !c->in.mem || aim(r, c, data_target(r));
}

/* A case of @row; false if the row has none in c->mode, or chance found none. */
static bool make_case(struct random *r, unsigned row, struct native_case *c)
{
    if (!make_bytes(r, row, c)) {
        return false;
    }
    random_state(r, c);
    bool aimed = rnd(r) >> 59; /* else all is left to chance */
    bool always = (insn_info[row].attr & (A_JUMP | A_FAR)) || must_prepare(&insn_info[row]);
    if (!aimed && (insn_info[row].attr & A_STRING)) {
        c->s.gpr[R_CX] &= 0xffffffff00000fff; /* see REP_CHUNK: it would not be one instruction */
    }
    if ((aimed || always) && c->valid && !prepare(r, c)) {
        return false;
    }
    return decode_case(c, row);
}

#endif
