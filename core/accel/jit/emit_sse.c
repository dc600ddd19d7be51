/*
 * Emitters: MMX, SSE to SSE4.2, AES, PCLMUL, AVX, AVX2, FMA. The host's registers are the guest's
 * (host_fp.c), so an instruction is itself, with its memory operand replaced. What a row's operands
 * say is enough to write it; the few rows that cannot be done so have CALL_RUN.
 *
 * Source: [SDM2] 2.1 "Instruction Format", appendix A.
 */
#include "core/accel/jit/translate.h"

enum file { NO_FILE, FILE_XMM, FILE_MMX, FILE_GPR };

/* What one operand letter names. */
struct place {
    enum file file;
    bool rm;                 /* ModRM.rm, which may be memory; else ModRM.reg */
    uint8_t bytes;           /* in memory */
};

static struct place place_of(const struct trans *t, unsigned letter)
{
    uint8_t y = t->in->w ? 8 : 4, whole = t->in->vex ? t->in->vex : 16;
    switch (letter) {
    case OPD_Vx: case OPD_VHx: return (struct place){FILE_XMM, false, 0};
    case OPD_Pq: return (struct place){FILE_MMX, false, 0};
    case OPD_Gd: case OPD_Gy: return (struct place){FILE_GPR, false, 0};
    case OPD_Wx: case OPD_Ux: case OPD_HUx: case OPD_M:
        return (struct place){FILE_XMM, true, whole};
    case OPD_Wdq: return (struct place){FILE_XMM, true, 16};
    case OPD_Wq: return (struct place){FILE_XMM, true, 8};
    case OPD_Wd: return (struct place){FILE_XMM, true, 4};
    case OPD_Ww: return (struct place){FILE_XMM, true, 2};
    case OPD_Qq: case OPD_Nq: return (struct place){FILE_MMX, true, 8};
    case OPD_Qd: return (struct place){FILE_MMX, true, 4};
    case OPD_Ey: return (struct place){FILE_GPR, true, y};
    case OPD_Ed: return (struct place){FILE_GPR, true, 4};
    case OPD_RMb: return (struct place){FILE_GPR, true, 1};
    case OPD_RMw: return (struct place){FILE_GPR, true, 2};
    default: return (struct place){NO_FILE, false, 0};
    }
}

bool trans_is_mmx(const struct insn_info *info)
{
    for (unsigned i = 0; i < 2; i++) {
        uint8_t o = info->operand[i];
        if (o == OPD_Pq || o == OPD_Qq || o == OPD_Qd || o == OPD_Nq) {
            return true;
        }
    }
    return info->operand[0] == OPD_X;                   /* EMMS */
}

/* Opcode with its map and prefix, as emit.h has them. Stores past the caches are plain ones: what
 * orders the guest's does not order the host's. */
static unsigned opcode_of(const struct insn_info *info)
{
    static const unsigned prefixes[] = {[PFX_P66] = 0x66, [PFX_PF3] = 0xf3, [PFX_PF2] = 0xf2};
    static const unsigned maps[] = {
        [MAP_M0F] = 0x0f00, [MAP_M38] = 0x0f3800, [MAP_M3A] = 0x0f3a00,
        [MAP_V0F] = 0x0f00, [MAP_V38] = 0x0f3800, [MAP_V3A] = 0x0f3a00,
    };
    unsigned prefix = info->pfx == PFX_NP ? 0 : prefixes[info->pfx];
    unsigned op = maps[info->map] | info->opcode;
    switch (op) {
    case 0x0f2b: op = 0x0f29; break;                    /* MOVNTPS, MOVNTPD */
    case 0x0fe7: op = 0x0f7f; break;                    /* MOVNTQ, MOVNTDQ */
    case 0x0f382a: op = 0x0f6f; break;                  /* MOVNTDQA */
    default: break;
    }
    return prefix << 24 | op;
}

static bool in_0f(const struct insn_info *info)
{
    return info->map == MAP_M0F || info->map == MAP_V0F;
}

/* Must the operand of @bytes be aligned? Of 16 bytes all but those of MOVUPS, MOVDQU and LDDQU;
 * with VEX only those of MOVAPS, MOVDQA and of what passes the caches. */
static bool aligned(const struct insn_info *info, unsigned bytes)
{
    unsigned op = info->opcode;
    if (bytes < 16) {
        return false;
    }
    if (info->map == MAP_V0F) {
        return op == 0x28 || op == 0x29 || op == 0x2b || op == 0xe7 ||
               ((op == 0x6f || op == 0x7f) && info->pfx == PFX_P66);
    }
    if (info->map > MAP_M3A) {
        return info->map == MAP_V38 && op == 0x2a;
    }
    return info->map != MAP_M0F || !(op == 0x10 || op == 0x11 || op == 0xf0 ||
                                     ((op == 0x6f || op == 0x7f) && info->pfx == PFX_PF3));
}

/* Bytes in memory where the letter does not say it: half a register by CVTPS2PD and CVTDQ2PD;
 * PMOVSX, PMOVZX and MOVDDUP to 256 bits; one by VPBROADCASTB. */
static unsigned memory_bytes(const struct insn *in, const struct insn_info *info, unsigned bytes)
{
    unsigned op = info->opcode, pfx = info->pfx;
    if (in_0f(info) && ((op == 0x5a && pfx == PFX_NP) || (op == 0xe6 && pfx == PFX_PF3))) {
        return bytes / 2;
    }
    if (in->vex == 32 && info->map == MAP_V38 && (op & 0xe8) == 0x20 && (op & 7) < 6) {
        return 2 * bytes;
    }
    if (in->vex == 32 && info->map == MAP_V0F && op == 0x12) {
        return 32;
    }
    return info->map == MAP_V38 && op == 0x78 ? 1 : bytes;
}

static void memory_operand(struct trans *t, unsigned bytes, bool store)
{
    bytes = memory_bytes(t->in, t->info, bytes);
    trans_mem(t, bytes, store ? WRITE : READ);
    if (aligned(t->info, bytes) && !t->direct) {        /* there the host faults, too */
        trans_flags_aside(t);
        emit_rm(&t->e, 0x8d, 4, HOST_10, trans_op(t));
        emit_rr(&t->e, 0xf6, 1, 0, HOST_10);            /* test r10b, 15 or 31 */
        emit_u8(&t->e, bytes - 1);
        trans_slow_if(t, 5);
    }
}

/* The number that goes into ModRM. */
static enum host_reg number_of(const struct trans *t, struct place p)
{
    const struct insn *in = t->in;
    if (p.file == FILE_GPR) {
        return trans_reg(t, p.rm ? in->m : in->r);
    }
    return (enum host_reg)(p.rm ? in->rm : in->reg);
}

/* What the operands of the row come to. */
struct operands {
    struct place rm;
    enum host_reg reg;       /* ModRM.reg: a register or an opcode extension */
    unsigned size;           /* 8: REX.W */
    bool store, imm;
};

static struct operands operands_of(const struct trans *t)
{
    const struct insn_info *info = t->info;
    struct place a = place_of(t, info->operand[0]), b = place_of(t, info->operand[1]);
    bool digit = a.rm && b.file == NO_FILE;             /* shifts by an immediate */
    bool general = a.file == FILE_GPR || b.file == FILE_GPR;
    return (struct operands){
        .rm = a.rm ? a : b,
        .reg = digit ? (enum host_reg)(t->in->reg & 7) : number_of(t, a.rm ? b : a),
        .size = general && t->in->w ? 8 : 4, .store = a.rm,
        .imm = digit || info->operand[2] == OPD_Ib || info->operand[2] == OPD_Lx,
    };
}

bool emit_vec(struct trans *t)
{
    const struct insn *in = t->in;
    const struct insn_info *info = t->info;
    struct operands o = operands_of(t);
    if (!jit_host_has(info->feature)) {
        return false;
    }
    if (info->operand[0] == OPD_X) {
        emit_u8(&t->e, 0x0f);                           /* EMMS */
        emit_u8(&t->e, info->opcode);
        return true;
    }
    if (in->mem) {
        memory_operand(t, o.rm.bytes, o.store);
    }
    if (info->flags_written) {
        trans_flags_before(t);
    }
    if (in->mem) {
        emit_rm(&t->e, opcode_of(info), o.size, o.reg, trans_op(t));
    } else {
        emit_rr(&t->e, opcode_of(info), o.size, o.reg, number_of(t, o.rm));
    }
    if (o.imm) {
        emit_u8(&t->e, in->imm & 0xff);
    }
    trans_flags_after(t);
    return true;
}

/* The same with a VEX prefix. */
bool emit_vex(struct trans *t)
{
    const struct insn *in = t->in;
    const struct insn_info *info = t->info;
    struct operands o = operands_of(t);
    bool w = in->w || (info->attr & A_W1);              /* not kept outside 64-bit code */
    struct host_vex v = {opcode_of(info), (enum host_reg)in->vvvv, w, in->vex == 32};
    if (!jit_host_has(info->feature) || !jit_host_has(X86_F_AVX)) {
        return false;
    }
    if (info->operand[0] == OPD_X) {                    /* VZEROUPPER, VZEROALL: all 16 */
        if (t->wide) {
            emit_u8(&t->e, 0xc5);
            emit_u8(&t->e, v.l ? 0xfc : 0xf8);
            emit_u8(&t->e, info->opcode);
        }
        return t->wide;
    }
    if (in->mem) {
        memory_operand(t, o.rm.bytes, o.store);
    }
    if (info->flags_written) {
        trans_flags_before(t);
    }
    if (in->mem) {
        emit_vex_rm(&t->e, v, o.reg, trans_op(t));
    } else {
        emit_vex_rr(&t->e, v, o.reg, number_of(t, o.rm));
    }
    if (o.imm) {                                        /* eight registers have no use for bit 7 */
        emit_u8(&t->e, in->imm & (info->operand[2] == OPD_Lx && !t->wide ? 0x7f : 0xff));
    }
    trans_flags_after(t);
    return true;
}

/* POPCNT: like all that counts it writes every flag. */
bool emit_bitcount(struct trans *t)
{
    unsigned size = t->in->opsize;
    if (!jit_host_has(t->info->feature)) {
        return false;
    }
    if (t->in->mem) {
        trans_mem(t, size, READ);
        emit_rm(&t->e, 0xf3000fb8, size, trans_reg(t, t->in->r), trans_op(t));
    } else {
        emit_rr(&t->e, 0xf3000fb8, size, trans_reg(t, t->in->r), trans_reg(t, t->in->m));
    }
    trans_flags_after(t);
    return true;
}
