/*
 * A decoded instruction, as decode() makes it and the engines run it.
 *
 * Operand registers are kept as byte offsets into x86_state.gpr, so that AL, AH, AX, EAX and RAX
 * are reached the same way. Effective addresses are always base + (index << scale) + disp, masked
 * by the address size: an absent base or index is the slot that always holds 0.
 */
#ifndef CORE_CPU_INSN_H
#define CORE_CPU_INSN_H

#include <stdbool.h>
#include <stdint.h>

struct x86_cpu;
struct insn;

typedef void (*insn_run)(struct x86_cpu *cpu, const struct insn *in);

#define GPR_OFF(r)   ((uint8_t)((r) * 8))       /* AL, AX, EAX, RAX ... */
#define GPR_OFF_H(r) ((uint8_t)((r) * 8 + 1))   /* AH CH DH BH for r = 0..3 */
#define GPR_OFF_ZERO ((uint8_t)(16 * 8))
#define GPR_OFF_RIP  ((uint8_t)(17 * 8))

#define INSN_MAX_BYTES 15

enum insn_rep { REP_NONE, REP_E = 1 /* F3 */, REP_NE = 2 /* F2 */ };

struct insn {
    insn_run run;        /* chosen by the engine from the row and the operand form */
    uint64_t imm; /* immediate, sign-extended as the operand needs it; moffs; branch displacement */
    int32_t disp;
    uint16_t row;        /* row of insn.def: enum insn_row */
    uint16_t imm2;       /* selector of a far pointer; second immediate of ENTER, EXTRQ... */
    uint16_t offset;     /* from the block's start, bytes */
    uint8_t index_in_block;
    uint8_t len;         /* bytes, 1..15 */
    uint8_t opsize;      /* effective operand size in bytes: 1, 2, 4, 8 (or 16, 32 for vectors) */
    uint8_t adsize;      /* effective address size in bytes: 2, 4, 8 */
    uint8_t r;           /* GPR offset of the modrm.reg (or opcode-embedded) operand */
    uint8_t m;           /* GPR offset of the modrm.rm operand when !mem */
    uint8_t base, index; /* GPR offsets for the effective address */
    uint8_t scale;       /* 0..3 */
    uint8_t seg;         /* effective segment of the memory operand: enum x86_sreg */
    uint8_t reg, rm;     /* modrm fields with REX bits, as numbers: sreg, CRn, DRn, ST(i), XMMn */
    uint8_t opcode;      /* last opcode byte; condition code in its low four bits for Jcc & co. */
    uint8_t vvvv;        /* VEX.vvvv as a number; for letters VHx and HUx what stands for it; of x87
                            instructions the ModRM byte, which FOP shows */
    bool mem;            /* the modrm operand is in memory */
    bool lock;
    uint8_t rep;         /* enum insn_rep */
    bool rex;            /* a REX prefix was there */
    uint8_t osz16;       /* 66h prefix seen (not: effective size) */
    uint8_t ea_shift;    /* 64 - address bits: 48, 32 or 0 */
    uint8_t vex;         /* vector length in bytes by VEX.L, 16 or 32; 0: no VEX prefix */
    bool w;              /* REX.W or VEX.W */
};

#endif
