/*
 * The decoder. Source: [SDM2] chapter 2 "Instruction Format" and appendix A.
 *
 * Model:  a table, made from insn.def by the compiler, gives the last row of each opcode; rows of
 *         one opcode are tried from the last to the first. Operand letters say which bytes follow.
 * Left out: EVEX and XOP, which no row has.
 */
#include "core/cpu/decode.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/cpu/x86_state.h"

/* ---- the table ---- */

/* Flag columns of insn.def */
enum {
    FLAGS_0 = 0,
    FLAGS_A = FL_AF,
    FLAGS_C = FL_CF,
    FLAGS_D = FL_DF,
    FLAGS_O = FL_OF,
    FLAGS_P = FL_PF,
    FLAGS_S = FL_SF,
    FLAGS_Z = FL_ZF,
    FLAGS_AC = FL_AF | FL_CF,
    FLAGS_CZ = FL_CF | FL_ZF,
    FLAGS_OC = FL_OF | FL_CF,
    FLAGS_SO = FL_SF | FL_OF,
    FLAGS_SZO = FL_SF | FL_ZF | FL_OF,
    FLAGS_SZP = FL_SF | FL_ZF | FL_PF,
    FLAGS_SZAPC = FL_OSZAPC & ~FL_OF,
    FLAGS_OSZAP = FL_OSZAPC & ~FL_CF,
    FLAGS_OSZPC = FL_OSZAPC & ~FL_AF,
    FLAGS_OSZAPC = FL_OSZAPC,
    FLAGS_OSZAPCD = FL_OSZAPC | FL_DF,
};

/* /r column */
enum {
    X = MODRM_X, M = MODRM_M, R = MODRM_R,
    M0 = MODRM_M0, M1, M2, M3, M4, M5, M6, M7,
    R0 = MODRM_R0, R1, R2, R3, R4, R5, R6, R7,
};

#define NEEDS_MODRM(a) (OPD_##a >= OPD_Eb)
#define NEEDS_VVVV(a)  (OPD_##a >= OPD_VHx)

#define ROW(n, map_, op_, modrm_, pfx_, name_, o1, o2, o3, attr_, rd, wr, und, feat, run, emit,    \
            test_)                                                                                 \
    {                                                                                              \
        .name = #name_, .undefined = und, .attr = attr_, .flags_read = FLAGS_##rd,                 \
        .flags_written = FLAGS_##wr, .operand = {OPD_##o1, OPD_##o2, OPD_##o3},                    \
        .feature = X86_F_##feat, .test = TEST_##test_, .map = MAP_##map_, .opcode = op_,           \
        .opcodes = n, .modrm = modrm_, .pfx = PFX_##pfx_,                                          \
        .has_modrm = (unsigned)modrm_ != MODRM_X || NEEDS_MODRM(o1) || NEEDS_MODRM(o2) ||          \
                     NEEDS_MODRM(o3),                                                              \
        .has_vvvv = NEEDS_VVVV(o1) || NEEDS_VVVV(o2) || NEEDS_VVVV(o3),                            \
    },

#define INSN(...)  ROW(1, __VA_ARGS__)
#define INSN8(...) ROW(8, __VA_ARGS__)
const struct insn_info insn_info[ROW_COUNT] = {
    {.name = "(bad)", .undefined = ""},
#include "core/cpu/insn.def"
};
#undef INSN
#undef INSN8

/* A later initialiser of one opcode replaces an earlier one: so this is the last row. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif
#define INSN(map, op, modrm, pfx, name, ...)                                                       \
    [MAP_##map * 256 + op] = ROW_##map##_##op##_##modrm##_##pfx##_##name,
#define INSN8(map, op, modrm, pfx, name, ...)                                                      \
    [MAP_##map * 256 + op ... MAP_##map * 256 + op + 7] =                                          \
        ROW_##map##_##op##_##modrm##_##pfx##_##name,
static const uint16_t last_row[MAP_COUNT * 256] = {
#include "core/cpu/insn.def"
};
#undef INSN
#undef INSN8

/* ---- reading bytes ---- */

struct cursor {
    const uint8_t *bytes;
    unsigned n, pos;
    enum decode_mode mode;
    enum decode_status status;
    bool p67;
    uint8_t rex;                 /* the whole prefix, 0 if none */
    int seg;                     /* override, -1 none */
    struct decode_places places;
};

/* True if @count bytes are there. Which bytes are missing decides between SHORT and TOO_LONG. */
static bool need(struct cursor *c, unsigned count)
{
    if (c->pos + count > INSN_MAX_BYTES) {
        c->status = DECODE_TOO_LONG;
        return false;
    }
    if (c->pos + count > c->n) {
        c->status = DECODE_SHORT;
        return false;
    }
    return true;
}

/* #UD, unless there are too many bytes, which comes first. */
static void invalid(struct cursor *c)
{
    if (c->status == DECODE_OK) {
        c->status = DECODE_UD;
    }
}

/* The next @size bytes, sign-extended; 0 with c->status set if they are not there. */
static int64_t take(struct cursor *c, unsigned size)
{
    if (c->status != DECODE_OK || !need(c, size)) {
        return 0;
    }
    const uint8_t *p = c->bytes + c->pos;
    c->pos += size;
    switch (size) {
    case 1: return (int8_t)*p;
    case 2: return (int16_t)ld16le(p);
    case 4: return (int32_t)ld32le(p);
    default: return (int64_t)ld64le(p);
    }
}

/* Prefixes in any order; REX counts only as the last ([SDM2] 2.1.1, 2.2.1). */
static bool prefixes(struct cursor *c, struct insn *in)
{
    for (;; c->pos++) {
        if (!need(c, 1)) {
            return false;
        }
        uint8_t b = c->bytes[c->pos];
        switch (b) {
        case 0x26: case 0x2e: case 0x36: case 0x3e: c->seg = (b >> 3) & 3; break;
        case 0x64: case 0x65: c->seg = b & 7; break;
        case 0x66: in->osz16 = 1; break;
        case 0x67: c->p67 = true; break;
        case 0xf0: in->lock = true; break;
        case 0xf2: in->rep = REP_NE; break;
        case 0xf3: in->rep = REP_E; break;
        default:
            if (c->mode != DECODE_64 || (b & 0xf0) != 0x40) {
                return true;
            }
            c->rex = b;
            continue;
        }
        c->rex = 0;
    }
}

/* ---- the row ---- */

static bool prefix_fits(const struct cursor *c, const struct insn *in, unsigned pfx)
{
    switch (pfx) {
    case PFX_NP: return !in->osz16 && in->rep == REP_NONE;
    case PFX_P66: return in->osz16 && in->rep == REP_NONE;
    case PFX_PF3: return in->rep == REP_E;
    case PFX_PF2: return in->rep == REP_NE;
    case PFX_NF: return in->rep == REP_NONE;
    case PFX_NOP: return !(c->rex & 1);
    default: return true;
    }
}

static bool modrm_fits(uint8_t b, unsigned want)
{
    unsigned reg = (b >> 3) & 7;
    bool mem = b < 0xc0;
    if (want < 8) {
        return reg == want;
    }
    if (want <= 0xff) {
        return b == want;
    }
    if (want < MODRM_R0) {
        return mem && reg == want - MODRM_M0;
    }
    if (want < MODRM_M) {
        return !mem && reg == want - MODRM_R0;
    }
    return mem == (want == MODRM_M);
}

/* A VEX prefix after its first byte @b0 ([SDM2] 2.3): fills in what REX and mandatory prefixes
 * would, and gives the opcode map. MAP_COUNT with a status if there is no such instruction. */
static unsigned vex_prefix(struct cursor *c, struct insn *in, uint8_t b0)
{
    static const uint8_t rep[4] = {REP_NONE, REP_NONE, REP_E, REP_NE};
    unsigned map = 1, payload = (uint8_t)take(c, 1), rex = (~payload >> 5) & 4;
    if (in->osz16 || in->rep != REP_NONE || in->lock || c->rex) {
        c->status = DECODE_UD;
        return MAP_COUNT;
    }
    if (b0 == 0xc4) {
        map = payload & 0x1f;
        rex |= (~payload >> 5) & 3;
        payload = (uint8_t)take(c, 1);
        in->w = payload >> 7;
    }
    in->vvvv = (~payload >> 3) & 15;
    in->vex = payload & 4 ? 32 : 16;
    in->osz16 = (payload & 3) == 1;
    in->rep = rep[payload & 3];
    if (c->mode == DECODE_64) {
        c->rex = (uint8_t)(0x40 | rex | (unsigned)in->w << 3);
    }
    if (c->status == DECODE_OK && (map < 1 || map > 3)) {
        c->status = DECODE_UD;
    }
    return MAP_V0F + map - 1;
}

/* C4 and C5 are VEX where LES and LDS would have a register operand. */
static bool is_vex(struct cursor *c, uint8_t op)
{
    return (op == 0xc4 || op == 0xc5) &&
           (c->mode == DECODE_64 || (need(c, 1) && c->bytes[c->pos] >= 0xc0));
}

/* Reads the opcode and what names its map. */
static unsigned opcode_map(struct cursor *c, struct insn *in)
{
    unsigned map = MAP_M1;
    uint8_t op = (uint8_t)take(c, 1);
    if (op == 0x0f) {
        map = MAP_M0F;
        op = (uint8_t)take(c, 1);
        if (op == 0x38 || op == 0x3a) {
            map = op == 0x38 ? MAP_M38 : MAP_M3A;
            op = (uint8_t)take(c, 1);
        }
    } else if (is_vex(c, op)) {
        map = vex_prefix(c, in, op);
        op = (uint8_t)take(c, 1);
    }
    in->opcode = op;
    return map;
}

static bool vex_fits(const struct insn *in, const struct insn_info *info)
{
    return !(info->attr & (in->vex == 32 ? A_L0 : A_L1)) && !(info->attr & (in->w ? A_W0 : A_W1)) &&
           (in->vvvv == 0 || info->has_vvvv);
}

/* The row for the opcode at the cursor, which is left behind it; ROW_NONE if there is none. */
static unsigned find_row(struct cursor *c, struct insn *in)
{
    in->w = (c->rex & 8) != 0;
    unsigned map = opcode_map(c, in), op = in->opcode;
    if (c->status != DECODE_OK) {
        return ROW_NONE;
    }
    for (unsigned row = last_row[map * 256 + op]; row != ROW_NONE; row--) {
        const struct insn_info *info = &insn_info[row];
        if (op < info->opcode || op >= info->opcode + info->opcodes) {
            break;
        }
        if (info->map != map || (info->attr & (c->mode == DECODE_64 ? A_I64 : A_O64)) ||
            !prefix_fits(c, in, info->pfx) || (in->vex && !vex_fits(in, info))) {
            continue;
        }
        if (info->modrm != MODRM_X) {
            if (!need(c, 1)) {
                return ROW_NONE;
            }
            if (!modrm_fits(c->bytes[c->pos], info->modrm)) {
                continue;
            }
        }
        if (c->mode != DECODE_64) { /* no such sizes and registers */
            in->w = false;
            in->vvvv &= 7;
        }
        return row;
    }
    c->status = DECODE_UD;
    return ROW_NONE;
}

/* ---- ModRM ---- */

static int32_t displacement(struct cursor *c, unsigned size)
{
    c->places.disp_at = (uint8_t)c->pos;
    c->places.disp_size = (uint8_t)size;
    return (int32_t)take(c, size);
}

/* [SDM2] table 2-1: 16-bit addressing. */
static void modrm16(struct cursor *c, struct insn *in, unsigned mod, unsigned rm)
{
    static const uint8_t base[8] = {R_BX, R_BX, R_BP, R_BP, R_SI, R_DI, R_BP, R_BX};
    in->base = GPR_OFF(base[rm]);
    in->index = rm >= 4 ? GPR_OFF_ZERO : GPR_OFF(rm & 1 ? R_DI : R_SI);
    in->seg = base[rm] == R_BP ? S_SS : S_DS;
    if (mod == 0 && rm == 6) {
        in->base = GPR_OFF_ZERO;
        in->seg = S_DS;
        in->disp = displacement(c, 2);
    } else if (mod != 0) {
        in->disp = displacement(c, mod);
    }
}

/* [SDM2] tables 2-2 and 2-3: 32- and 64-bit addressing. */
static void modrm32(struct cursor *c, struct insn *in, unsigned mod, unsigned rm)
{
    unsigned base = rm;
    bool sib = rm == 4;
    in->index = GPR_OFF_ZERO;
    in->seg = S_DS;
    if (sib) {
        uint8_t b = (uint8_t)take(c, 1);
        unsigned index = ((b >> 3) & 7) | (c->rex & 2) << 2;
        base = b & 7;
        in->scale = b >> 6;
        if (index != R_SP) {
            in->index = GPR_OFF(index);
        }
    }
    if (mod == 0 && base == 5) {
        in->base = c->mode == DECODE_64 && !sib ? GPR_OFF_RIP : GPR_OFF_ZERO;
        in->disp = displacement(c, 4);
        return;
    }
    in->base = GPR_OFF(base | (c->rex & 1) << 3);
    if (in->base == GPR_OFF(R_SP) || in->base == GPR_OFF(R_BP)) {
        in->seg = S_SS;
    }
    if (mod != 0) {
        in->disp = displacement(c, mod == 1 ? 1 : 4);
    }
}

/* @registers: the operands are registers whatever mod says (MOV to and from CRn, DRn). @vsib: the
 * index is a vector register, and index holds its number ([SDM2] 2.3.12). */
static void modrm(struct cursor *c, struct insn *in, bool registers, bool vsib)
{
    uint8_t b = (uint8_t)take(c, 1);
    unsigned mod = b >> 6, rm = b & 7;
    in->reg = ((b >> 3) & 7) | (c->rex & 4) << 1;
    in->rm = rm | (c->rex & 1) << 3;
    if (mod == 3 || registers) {
        return;
    }
    in->mem = true;
    if (vsib && rm == 4 && in->adsize != 2) {
        bool there = need(c, 1);
        unsigned index = there ? ((c->bytes[c->pos] >> 3) & 7) | (c->rex & 2) << 2 : 0;
        modrm32(c, in, mod, rm);
        in->index = (uint8_t)index;
        if (in->reg == index || in->reg == in->vvvv || index == in->vvvv) {
            invalid(c); /* result, mask and indices are three registers */
        }
    } else if (in->adsize == 2) {
        modrm16(c, in, mod, rm);
    } else {
        modrm32(c, in, mod, rm);
    }
    if (vsib && (rm != 4 || in->adsize == 2)) {
        invalid(c);
    }
}

/* ---- operands ---- */

static unsigned byte_register(const struct cursor *c, unsigned n)
{
    return !c->rex && n >= 4 ? GPR_OFF_H(n - 4) : GPR_OFF(n);
}

/* Operand size in bytes of a row: the first operand that has a size decides ([SDM2] 2.2.1.2,
 * 2.2.1.7). */
static unsigned operand_size(const struct cursor *c, const struct insn *in,
                             const struct insn_info *info)
{
    bool is64 = c->mode == DECODE_64;
    unsigned v = (c->mode == DECODE_16) != (in->osz16 != 0) ? 2 : 4;
    if (is64 && (c->rex & 8)) {
        v = 8;
    } else if (is64 && (info->attr & A_D64) && !in->osz16) {
        v = 8;
    }
    if (is64 && (info->attr & A_F64)) {
        v = 8;
    }
    for (unsigned i = 0; i < 3; i++) {
        switch (info->operand[i]) {
        case OPD_Eb: case OPD_Gb: case OPD_Zb: case OPD_AL: case OPD_Ob: case OPD_Xb: case OPD_Yb:
            return 1;
        case OPD_Ew: case OPD_Gw: case OPD_Mw: case OPD_AX:
            return 2;
        case OPD_Ed: case OPD_Gd: case OPD_Md: case OPD_RMb: case OPD_RMw:
            return 4;
        case OPD_Mq: case OPD_Pq: case OPD_Qd: case OPD_Qq: case OPD_Nq:
            return 8;
        case OPD_Ey: case OPD_Gy: case OPD_My: case OPD_By:
            return is64 && (c->rex & 8) ? 8 : 4;
        case OPD_Vx: case OPD_Wx: case OPD_Wdq: case OPD_Wq: case OPD_Wd: case OPD_Ww: case OPD_Ux:
        case OPD_VHx: case OPD_HUx: case OPD_Hx:
            return in->vex ? in->vex : 16;
        case OPD_Ry: case OPD_Cy: case OPD_Dy:
            return is64 ? 8 : 4;
        case OPD_Xz: case OPD_Yz: case OPD_zAX:
            return v == 8 ? 4 : v;
        case OPD_Ev: case OPD_Gv: case OPD_Zv: case OPD_Iv: case OPD_Iz: case OPD_Jz: case OPD_rAX:
        case OPD_Xv: case OPD_Yv: case OPD_Ov: case OPD_Mv:
            return v;
        default:
            break;
        }
    }
    return v;
}

/* The accumulator is the E operand when it comes first, else the G operand. */
static void accumulator(struct insn *in, unsigned number)
{
    if (number == 0) {
        in->m = GPR_OFF(R_AX);
    } else {
        in->r = GPR_OFF(R_AX);
    }
}

/* An immediate; the first goes to imm, a second to imm2. */
static void immediate(struct insn *in, int64_t v, unsigned *count)
{
    if ((*count)++ == 0) {
        in->imm = (uint64_t)v;
    } else {
        in->imm2 = (uint16_t)v;
    }
}

/* An immediate of @size bytes, sign-extended or not. */
static void immediate_bytes(struct cursor *c, struct insn *in, unsigned size, bool is_signed,
                            unsigned *count)
{
    c->places.others = c->places.others || *count > 0;
    c->places.imm_at = (uint8_t)c->pos;
    c->places.imm_size = (uint8_t)size;
    c->places.imm_signed = is_signed;
    int64_t v = take(c, size);
    immediate(in, is_signed ? v : (int64_t)((uint64_t)v & size_mask(size)), count);
}

/* Operand @number of the row: its registers and its bytes. */
static void operand(struct cursor *c, struct insn *in, const struct insn_info *info,
                    unsigned number, unsigned *imms)
{
    unsigned low = (in->opcode & 7) | (c->rex & 1) << 3;
    switch (info->operand[number]) {
    case OPD_Eb: in->m = byte_register(c, in->rm); break;
    case OPD_Ew: case OPD_Ed: case OPD_Ev: case OPD_Ey: case OPD_RMb: case OPD_RMw: case OPD_Ry:
        in->m = GPR_OFF(in->rm);
        break;
    case OPD_Gb: in->r = byte_register(c, in->reg); break;
    case OPD_Gw: case OPD_Gd: case OPD_Gv: case OPD_Gy: case OPD_Gr:
        in->r = GPR_OFF(in->reg);
        break;
    case OPD_Pq: in->reg &= 7; break;
    case OPD_Qd: case OPD_Qq: case OPD_Nq: in->rm &= 7; break;
    case OPD_VHx: in->vvvv = in->vex ? in->vvvv : in->reg; break;
    case OPD_HUx: in->vvvv = in->vex ? in->vvvv : in->rm; break;
    case OPD_Zb: in->r = in->m = byte_register(c, low); break;
    case OPD_Zv: in->r = in->m = GPR_OFF(low); break;
    case OPD_AL: case OPD_AX: case OPD_rAX: case OPD_zAX: accumulator(in, number); break;
    case OPD_1: immediate(in, 1, imms); break;
    case OPD_Ib: immediate_bytes(c, in, 1, false, imms); break;
    case OPD_Lx: /* bits 7:4 name a register, of which there are eight outside 64-bit mode */
        immediate(in, (uint8_t)take(c, 1) & (c->mode == DECODE_64 ? 0xff : 0x7f), imms);
        c->places.others = true;
        break;
    case OPD_Iw: immediate_bytes(c, in, 2, false, imms); break;
    case OPD_sIb: case OPD_Jb: immediate_bytes(c, in, 1, true, imms); break;
    case OPD_Iz: case OPD_Jz: immediate_bytes(c, in, in->opsize == 2 ? 2 : 4, true, imms); break;
    case OPD_Iv: immediate_bytes(c, in, in->opsize, true, imms); break;
    case OPD_Ap:
        immediate_bytes(c, in, in->opsize, false, imms);
        immediate(in, take(c, 2), imms);
        c->places.others = true;
        break;
    case OPD_Ob: case OPD_Ov:
        in->mem = true;
        immediate_bytes(c, in, in->adsize, false, imms);
        break;
    case OPD_ES: case OPD_CS: case OPD_SS: case OPD_DS: case OPD_FS: case OPD_GS:
        in->reg = info->operand[number] - OPD_ES + S_ES;
        break;
    case OPD_Sw:
        in->reg &= 7;
        if (in->reg > S_GS || (number == 0 && in->reg == S_CS)) {
            invalid(c);
        }
        break;
    case OPD_Cy:
        if (in->reg != 0 && (in->reg < 2 || in->reg > 4) && in->reg != 8) {
            invalid(c);
        }
        break;
    case OPD_Dy:
        if (in->reg > 7) {
            invalid(c);
        }
        break;
    default: break;
    }
}

static enum decode_status decode_at(struct cursor *c, struct insn *in)
{
    unsigned imms = 0;
    *in = (struct insn){.base = GPR_OFF_ZERO, .index = GPR_OFF_ZERO, .seg = S_DS};
    if (!prefixes(c, in)) {
        return c->status;
    }
    in->row = (uint16_t)find_row(c, in);
    in->len = (uint8_t)c->pos;
    if (c->status != DECODE_OK) {
        return c->status;
    }
    const struct insn_info *info = &insn_info[in->row];
    in->rex = c->rex != 0;
    in->adsize = c->mode == DECODE_64 ? (c->p67 ? 4 : 8) : (c->mode == DECODE_16) != c->p67 ? 2 : 4;
    in->ea_shift = 64 - 8 * in->adsize;
    in->opsize = (uint8_t)operand_size(c, in, info);
    if (info->has_modrm) {
        if ((info->attr & A_FPU) && need(c, 1)) {
            in->vvvv = c->bytes[c->pos];
        }
        modrm(c, in, info->operand[0] == OPD_Ry || info->operand[1] == OPD_Ry,
              info->attr & A_VSIB);
    }
    for (unsigned i = 0; i < 3; i++) {
        operand(c, in, info, i, &imms);
    }
    /* In 64-bit mode only FS and GS have bases; other overrides do nothing ([SDM1] 3.3.7.1). */
    if (c->seg >= 0 && (c->mode != DECODE_64 || c->seg >= S_FS)) {
        in->seg = (uint8_t)c->seg;
    }
    if (in->lock && (!in->mem || !(info->attr & A_LOCK))) {
        invalid(c); /* [SDM2] "LOCK" */
    }
    in->len = (uint8_t)c->pos;
    return c->status;
}

#define CURSOR(bytes_, n_, mode_)                                                                  \
    {.bytes = (bytes_), .n = (n_), .mode = (mode_), .status = DECODE_OK, .seg = -1}

enum decode_status decode(const uint8_t *bytes, unsigned n, enum decode_mode mode, struct insn *in)
{
    struct cursor c = CURSOR(bytes, n, mode);
    return decode_at(&c, in);
}

enum decode_status decode_with_places(const uint8_t *bytes, unsigned n, enum decode_mode mode,
                                      struct insn *in, struct decode_places *places)
{
    struct cursor c = CURSOR(bytes, n, mode);
    enum decode_status status = decode_at(&c, in);
    *places = c.places;
    return status;
}
