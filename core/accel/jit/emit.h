/*
 * Writes x86-64 machine code: one function for each form of encoding. Nothing else in the program
 * makes code bytes.
 *
 * Source: [SDM2] "Instruction Format".
 * Opcodes are one byte, 0F xx as 0x0fxx, 0F 38 xx as 0x0f38xx; the prefix that belongs to some (66,
 * F2, F3) stands in bits 31:24. XMM, MMX and x87 registers and opcode extensions take the place of
 * the host_reg of the same number. @size 1, 2, 4 or 8 is the operand size; the opcode must
 * be that of bytes for size 1. Immediates are appended with emit_imm by whoever needs one.
 */
#ifndef CORE_ACCEL_JIT_EMIT_H
#define CORE_ACCEL_JIT_EMIT_H

#include <stdbool.h>
#include <stdint.h>

enum host_reg {
    HOST_AX, HOST_CX, HOST_DX, HOST_BX, HOST_SP, HOST_BP, HOST_SI, HOST_DI,
    HOST_8, HOST_9, HOST_10, HOST_11, HOST_12, HOST_13, HOST_14, HOST_15,
    HOST_AH,                 /* AH CH DH BH: not together with anything that needs REX */
    HOST_CH, HOST_DH, HOST_BH,
    HOST_NONE,
    HOST_CONTEXT,            /* as a base: struct emit.context */
};

struct host_mem {
    enum host_reg base, index; /* HOST_NONE: absent; index is not SP */
    uint8_t scale;           /* 0..3 */
    int32_t disp;
};

struct emit {
    uint8_t *at;             /* next byte */
    uint8_t *end;            /* nothing is written from here on; then full is set */
    bool full;
    uint32_t context;        /* where HOST_CONTEXT is, in the first 2 GiB; 0: where R14 leads */
};

void emit_u8(struct emit *e, unsigned byte);
/* The low @bytes bytes of @val. */
void emit_imm(struct emit *e, uint64_t val, unsigned bytes);

/* op reg, rm (or op rm, reg, as the opcode says); @reg may be an opcode extension 0..7. */
void emit_rr(struct emit *e, unsigned op, unsigned size, enum host_reg reg, enum host_reg rm);
void emit_rm(struct emit *e, unsigned op, unsigned size, enum host_reg reg,
             const struct host_mem *m);
/* The same with a VEX prefix: opcode as above, the register in VEX.vvvv, VEX.W, VEX.L. */
struct host_vex {
    unsigned op;
    enum host_reg vvvv;      /* HOST_AX also where there is none */
    bool w, l;
};
void emit_vex_rr(struct emit *e, struct host_vex v, enum host_reg reg, enum host_reg rm);
void emit_vex_rm(struct emit *e, struct host_vex v, enum host_reg reg, const struct host_mem *m);
/* op with the register in its low three bits. */
void emit_o(struct emit *e, unsigned op, unsigned size, enum host_reg reg);

/* mov reg, imm: in the shortest form that gives the 64-bit value. */
void emit_mov_imm(struct emit *e, enum host_reg reg, uint64_t val);

/* Jumps with 32-bit displacement; return the place of the displacement. @cc 0..15 as in Jcc. */
uint8_t *emit_jcc(struct emit *e, unsigned cc);
uint8_t *emit_jmp(struct emit *e);
uint8_t *emit_call_to(struct emit *e);
/* lea reg, [rip + displacement]; likewise. */
uint8_t *emit_lea_code(struct emit *e, enum host_reg reg);
/* Jcc, JRCXZ (@size 8) or JECXZ (4), with 8-bit displacement; likewise. */
uint8_t *emit_jcc_short(struct emit *e, unsigned cc);
uint8_t *emit_jrcxz(struct emit *e, unsigned size);
void emit_link_short(uint8_t *at, const uint8_t *to);
/* Makes the displacement at @at lead to @to, both in the writable view. Atomic inside a line of
 * the cache; else nobody may be running it. */
void emit_link(uint8_t *at, const uint8_t *to);

#endif
