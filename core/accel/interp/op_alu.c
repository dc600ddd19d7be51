/*
 * Arithmetic, logic and moves. Source: [SDM2] under each mnemonic.
 */
#include "core/accel/interp/run.h"

/* ---- ADD OR ADC SBB AND SUB XOR, CMP TEST ---- */

#define ALU_FORMS(op, N)                                                                           \
    RUN_MODIFY(op##_eg, alu_##op, reg_r##N(cpu, in->r), N)                                         \
    RUN_MODIFY(op##_ei, alu_##op, (uint##N##_t)in->imm, N)                                         \
    RUN_READ_E(op##_ge, reg_w##N(cpu, in->r, alu_##op##N(cpu, reg_r##N(cpu, in->r), e)), N)

#define ALU(op) FOR_SIZES_1(ALU_FORMS, op)
ALU(add)
ALU(or)
ALU(adc)
ALU(sbb)
ALU(and)
ALU(sub)
ALU(xor)

#define CMP_FORMS(N)                                                                               \
    RUN_COMPARE(cmp_eg, alu_sub, reg_r##N(cpu, in->r), N)                                          \
    RUN_COMPARE(cmp_ei, alu_sub, (uint##N##_t)in->imm, N)                                          \
    RUN_READ_E(cmp_ge, alu_sub##N(cpu, reg_r##N(cpu, in->r), e), N)                                \
    RUN_COMPARE(test_eg, alu_and, reg_r##N(cpu, in->r), N)                                         \
    RUN_COMPARE(test_ei, alu_and, (uint##N##_t)in->imm, N)
FOR_SIZES(CMP_FORMS)

/* ---- INC DEC NOT NEG ---- */

#define UNARY_FORMS(N)                                                                             \
    RUN_UNARY(inc_e, alu_inc, N)                                                                   \
    RUN_UNARY(dec_e, alu_dec, N)                                                                   \
    RUN_UNARY(not_e, alu_not, N)                                                                   \
    RUN_UNARY(neg_e, alu_neg, N)
FOR_SIZES(UNARY_FORMS)

/* ---- MOV, XCHG, LEA ---- */

#define MOV_FORMS(N)                                                                               \
    RUN_WRITE_E(mov_eg, reg_r##N(cpu, in->r), N)                                                   \
    RUN_WRITE_E(mov_ei, (uint##N##_t)in->imm, N)                                                   \
    RUN_READ_E(mov_ge, reg_w##N(cpu, in->r, e), N)                                                 \
    RUN(run_mov_eo_##N)                                                                            \
    {                                                                                              \
        reg_w##N(cpu, GPR_OFF(R_AX), x86_ld##N(cpu, in->seg, in->imm));                            \
        INTERP_NEXT(cpu, in);                                                                      \
    }                                                                                              \
    RUN(run_mov_oe_##N)                                                                            \
    {                                                                                              \
        x86_st##N(cpu, in->seg, in->imm, reg_r##N(cpu, GPR_OFF(R_AX)));                            \
        INTERP_NEXT(cpu, in);                                                                      \
    }
FOR_SIZES(MOV_FORMS)

#define XCHG_FORMS(N)                                                                              \
    RUN(xchg_eg_r##N)                                                                              \
    {                                                                                              \
        uint##N##_t a = reg_r##N(cpu, in->m), b = reg_r##N(cpu, in->r);                            \
        reg_w##N(cpu, in->m, b);                                                                   \
        reg_w##N(cpu, in->r, a);                                                                   \
        INTERP_NEXT(cpu, in);                                                                      \
    }                                                                                              \
    RUN(xchg_eg_m##N)                                                                              \
    {                                                                                              \
        uint64_t lin;                                                                              \
        uint##N##_t a = x86_rmw##N(cpu, in->seg, insn_ea(cpu, in), &lin);                          \
        PUT_MODIFIED(N, true, reg_r##N(cpu, in->r)); /* [SDM2] "XCHG": locked as it is */          \
        reg_w##N(cpu, in->r, a);                                                                   \
        INTERP_NEXT(cpu, in);                                                                      \
    }
FOR_SIZES(XCHG_FORMS)

#define LEA_FORM(N)                                                                                \
    RUN(run_lea_##N)                                                                               \
    {                                                                                              \
        reg_w##N(cpu, in->r, (uint##N##_t)insn_ea(cpu, in));                                       \
        INTERP_NEXT(cpu, in);                                                                      \
    }
FOR_WIDE(LEA_FORM)

/* ---- MOVZX, MOVSX ---- */

/* The row's size is G's; E's is in the name. */
#define MOVX_FORM(name, type, M, N)                                                                \
    RUN(name##_ge_r##N)                                                                            \
    {                                                                                              \
        reg_w##N(cpu, in->r, (uint##N##_t)(type)reg_r##M(cpu, in->m));                             \
        INTERP_NEXT(cpu, in);                                                                      \
    }                                                                                              \
    RUN(name##_ge_m##N)                                                                            \
    {                                                                                              \
        reg_w##N(cpu, in->r, (uint##N##_t)(type)x86_ld##M(cpu, in->seg, insn_ea(cpu, in)));        \
        INTERP_NEXT(cpu, in);                                                                      \
    }
#define MOVX_FORMS(N)                                                                              \
    MOVX_FORM(movzx8, uint8_t, 8, N)                                                               \
    MOVX_FORM(movzx16, uint16_t, 16, N)                                                            \
    MOVX_FORM(movsx8, int8_t, 8, N)                                                                \
    MOVX_FORM(movsx16, int16_t, 16, N)
FOR_SIZES(MOVX_FORMS)

OP(movsxd)
{
    if (likely(in->opsize == 8)) { /* what 64-bit code is full of */
        uint32_t low = in->mem ? x86_ld32(cpu, in->seg, insn_ea(cpu, in)) : reg_r32(cpu, in->m);
        reg_w64(cpu, in->r, (uint64_t)(int64_t)(int32_t)low);
        return;
    }
    int32_t v = (int32_t)e_read(cpu, in, in->opsize == 2 ? 2 : 4);
    g_write(cpu, in, (uint64_t)(int64_t)v, in->opsize);
}

RUN(run_cbw_16)
{
    reg_w16(cpu, GPR_OFF(R_AX), (uint16_t)(int8_t)reg_r8(cpu, GPR_OFF(R_AX)));
    INTERP_NEXT(cpu, in);
}

RUN(run_cbw_32)
{
    reg_w32(cpu, GPR_OFF(R_AX), (uint32_t)(int16_t)reg_r16(cpu, GPR_OFF(R_AX)));
    INTERP_NEXT(cpu, in);
}

RUN(run_cbw_64)
{
    reg_w64(cpu, GPR_OFF(R_AX), (uint64_t)(int32_t)reg_r32(cpu, GPR_OFF(R_AX)));
    INTERP_NEXT(cpu, in);
}

#define CWD_FORM(N)                                                                                \
    RUN(run_cwd_##N)                                                                               \
    {                                                                                              \
        reg_w##N(cpu, GPR_OFF(R_DX),                                                               \
                 (uint##N##_t)((int##N##_t)reg_r##N(cpu, GPR_OFF(R_AX)) >> (N - 1)));              \
        INTERP_NEXT(cpu, in);                                                                      \
    }
FOR_WIDE(CWD_FORM)

/* ---- SETcc, CMOVcc ---- */

#define SETCC_FORM(cc, N)                                                                          \
    RUN_WRITE_E(set_##cc, CC_##cc(cpu), N)
/* CMOVcc reads memory whatever the condition, and clears bits 63:32 even if it does not move. */
#define CMOV_FORM(cc, N)                                                                           \
    RUN_READ_E(cmov_##cc, reg_w##N(cpu, in->r, CC_##cc(cpu) ? e : reg_r##N(cpu, in->r)), N)
#define CC_FORMS(cc) FOR_SIZES_1(SETCC_FORM, cc) FOR_SIZES_1(CMOV_FORM, cc)
FOR_CC(CC_FORMS)
