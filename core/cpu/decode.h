/*
 * The decoder: bytes to struct insn, driven by insn.def.
 *
 * decode() is pure: no CPU state, no memory, no faults. What depends on state beyond the code
 * segment's size (privilege, real mode, CPUID features) is up to the caller, with the row's
 * attributes.
 */
#ifndef CORE_CPU_DECODE_H
#define CORE_CPU_DECODE_H

#include "core/cpu/cpuid.h"
#include "core/cpu/insn.h"

enum decode_mode { DECODE_16, DECODE_32, DECODE_64 };

enum decode_status {
    DECODE_OK,
    DECODE_SHORT,    /* needs more than the n bytes given, and n < 15 */
    DECODE_UD,       /* no such instruction: #UD; len is how many bytes were looked at */
    DECODE_TOO_LONG, /* more than 15 bytes: #GP(0) */
};

/* Rows of insn.def by name: ROW_M1_0x80_0_X_add. Row 0 stands for "no such instruction". */
#define INSN(map, op, modrm, pfx, name, ...) ROW_##map##_##op##_##modrm##_##pfx##_##name,
#define INSN8 INSN
enum insn_row {
    ROW_NONE,
#include "core/cpu/insn.def"
    ROW_COUNT
};
#undef INSN
#undef INSN8

enum insn_attr {
    A_LOCK = 1 << 0, A_I64 = 1 << 1, A_O64 = 1 << 2, A_D64 = 1 << 3, A_F64 = 1 << 4,
    A_PROT = 1 << 5,
    A_CPL0 = 1 << 6, A_STACK = 1 << 7, A_STRING = 1 << 8, A_IO = 1 << 9, A_JUMP = 1 << 10,
    A_FAR = 1 << 11, A_SHADOW = 1 << 12, A_SERIALIZE = 1 << 13, A_FPU = 1 << 14,
    A_FPU_NOWAIT = 1 << 15,
    A_L0 = 1 << 16, A_L1 = 1 << 17, A_W0 = 1 << 18, A_W1 = 1 << 19, A_Y2 = 1 << 20,
    A_VSIB = 1 << 21, A_OLDER = 1 << 22,
};

enum insn_test { TEST_N, TEST_T, TEST_J, TEST_F, TEST_S, TEST_V };

/* Operand letters of the opcode map ([SDM2] A.2); see insn.def. Those from OPD_Eb on are in the
 * ModRM byte, those from OPD_VHx on in VEX.vvvv, too. */
enum insn_operand {
    OPD_X, OPD_Zb, OPD_Zv, OPD_Ib, OPD_sIb, OPD_Iw, OPD_Iz, OPD_Iv, OPD_Jb, OPD_Jz, OPD_Ap, OPD_Ob,
    OPD_Ov, OPD_Xb, OPD_Xv, OPD_Xz, OPD_Yb, OPD_Yv, OPD_Yz, OPD_Fv, OPD_AL, OPD_AX, OPD_rAX,
    OPD_zAX, OPD_CL, OPD_DX, OPD_1, OPD_ES, OPD_CS, OPD_SS, OPD_DS, OPD_FS, OPD_GS, OPD_ST0,
    OPD_STi, OPD_Lx,
    OPD_Eb, OPD_Ew, OPD_Ed, OPD_Ev, OPD_Ey, OPD_RMb, OPD_RMw, OPD_Gb, OPD_Gw, OPD_Gd, OPD_Gv,
    OPD_Gy, OPD_Gr, OPD_M, OPD_Mw, OPD_Md, OPD_Mq, OPD_Mv, OPD_My, OPD_Mt, OPD_Mp, OPD_Ma, OPD_Ms,
    OPD_Sw, OPD_Ry, OPD_Cy, OPD_Dy,
    OPD_Pq, OPD_Qd, OPD_Qq, OPD_Nq, OPD_Vx, OPD_Wx, OPD_Wdq, OPD_Wq, OPD_Wd, OPD_Ww, OPD_Ux,
    OPD_VHx, OPD_HUx, OPD_Hx, OPD_By,
};

/* What the table says of a row. */
struct insn_info {
    const char *name;
    const char *undefined;       /* flags left undefined and the values chosen, as in insn.def */
    uint32_t attr;               /* A_* */
    uint16_t flags_read, flags_written; /* EFLAGS images */
    uint8_t operand[3];          /* enum insn_operand */
    uint16_t feature;            /* enum x86_feature */
    uint8_t test;                /* enum insn_test */
    uint8_t map, opcode;         /* enum insn_map; the first of `opcodes` */
    uint8_t opcodes;             /* 1 or 8 */
    uint16_t modrm;              /* which ModRM bytes: enum insn_modrm */
    uint8_t pfx;                 /* enum insn_pfx */
    bool has_modrm, has_vvvv;
};
/* One byte; 0F, 0F 38, 0F 3A; the same three with VEX. */
enum insn_map { MAP_M1, MAP_M0F, MAP_M38, MAP_M3A, MAP_V0F, MAP_V38, MAP_V3A, MAP_COUNT };
/* 0..7: this ModRM.reg; 0xc0..0xff: this whole byte. */
enum insn_modrm { MODRM_M0 = 0x100, MODRM_R0 = 0x108, MODRM_M = 0x110, MODRM_R, MODRM_X };
enum insn_pfx { PFX_X, PFX_NP, PFX_P66, PFX_PF3, PFX_PF2, PFX_NF, PFX_NOP };

extern const struct insn_info insn_info[ROW_COUNT];

/* Where an instruction has its constants, of which nothing else about it depends. */
struct decode_places {
    uint8_t disp_at, disp_size;  /* displacement, sign-extended; size 0: none */
    uint8_t imm_at, imm_size;    /* likewise the immediate */
    bool imm_signed;
    bool others;                 /* bytes that are neither these nor looked at for what it is */
};

/* Decodes the instruction at @bytes, of which @n may be read. Fills everything of @in but run,
 * offset and index_in_block. RIP-relative operands have base GPR_OFF_RIP and count from the next
 * instruction. */
enum decode_status decode(const uint8_t *bytes, unsigned n, enum decode_mode mode, struct insn *in);

/* The same, and @places. */
enum decode_status decode_with_places(const uint8_t *bytes, unsigned n, enum decode_mode mode,
                                      struct insn *in, struct decode_places *places);

#endif
