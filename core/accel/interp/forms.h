/*
 * The run column of insn.def for the interpreter: every family of run functions, how its members
 * are named, and which one a decoded instruction gets. Included as a header it declares them all;
 * the table itself (RUN_*) is used once, by choose.c.
 *
 * A row has up to eight functions, chosen by form (register or memory; for strings, without and
 * with REP) and operand size (1, 2, 4, 8). Hot operations have one each, so that nothing is decided
 * when they run. For strings there are four more: what REP does, alone.
 */
#ifndef CORE_ACCEL_INTERP_FORMS_H
#define CORE_ACCEL_INTERP_FORMS_H

#include "core/cpu/decode.h"

struct row_run {
    insn_run one;                /* for every form and size, or NULL */
    const insn_run (*forms)[4];  /* [memory, or REP; its work][log2 of the operand size] */
    bool ends;                   /* ends its block */
    insn_run op;                 /* ENDS: the operation alone */
};

#define FORM_ONE(f)    f, 0
#define FORMS(...)     0, (const insn_run[2][4]){__VA_ARGS__}
#define FORM_SIZE(f)   FORMS({f##8, f##16, f##32, f##64}, {f##8, f##16, f##32, f##64})
#define FORM_WIDE(f)   FORMS({0, f##16, f##32, f##64}, {0, f##16, f##32, f##64})
#define FORM_EITHER(f)                                                                             \
    FORMS({f##_r8, f##_r16, f##_r32, f##_r64}, {f##_m8, f##_m16, f##_m32, f##_m64})
#define FORM_REP(f)                                                                                \
    0, (const insn_run[3][4]){{f##_8, f##_16, f##_32, f##_64},                                     \
                              {f##_rep8, f##_rep16, f##_rep32, f##_rep64},                         \
                              {f##_alone8, f##_alone16, f##_alone32, f##_alone64}}

#define RUN_OP(n)    {FORM_ONE(run_##n), false, 0}
#define RUN_ENDS(n)  {FORM_ONE(end_##n), true, op_##n}
#define RUN_SIZES(n) {FORM_WIDE(run_##n##_), false, 0}  /* 16, 32, 64 bits */
#define RUN_JUMP(n)  {FORM_WIDE(jump_##n##_), true, 0}  /* near branches: 16, 32, 64 bits */
#define RUN_JCC(cc)  {FORM_WIDE(jump_##cc##_), true, 0}
#define RUN_EG(n)    {FORM_EITHER(n##_eg), false, 0}    /* E with G, result in E */
#define RUN_GE(n)    {FORM_EITHER(n##_ge), false, 0}    /* G with E, result in G */
#define RUN_EI(n)    {FORM_EITHER(n##_ei), false, 0}    /* E with an immediate */
#define RUN_E(n)     {FORM_EITHER(n##_e), false, 0}     /* E alone */
#define RUN_SHI(n)   {FORM_EITHER(n##_ei), false, 0}    /* shifts of E by an immediate */
#define RUN_SHC(n)   {FORM_EITHER(n##_ec), false, 0}    /* shifts of E by CL */
#define RUN_EO(n)    {FORM_SIZE(run_##n##_), false, 0}  /* accumulator and moffs */
#define RUN_MOVX(n)  {FORM_EITHER(n##_ge), false, 0}    /* wider G from a narrow E */
#define RUN_CMOV(cc) {FORM_EITHER(cmov_##cc), false, 0}
#define RUN_SETCC(cc) {FORM_EITHER(set_##cc), false, 0}
#define RUN_STR(n)   {FORM_REP(str_##n), false, 0}   /* with REP it ends the block */

/* Declarations */
#define FORM_DECL(f)        void f(struct x86_cpu *cpu, const struct insn *in);
#define FORM_DECL_WIDE(f)   FORM_DECL(f##16) FORM_DECL(f##32) FORM_DECL(f##64)
#define FORM_DECL_SIZE(f)   FORM_DECL(f##8) FORM_DECL_WIDE(f)
#define FORM_DECL_EITHER(f) FORM_DECL_SIZE(f##_r) FORM_DECL_SIZE(f##_m)

#define DECL_OP(n)     FORM_DECL(run_##n)
#define DECL_ENDS(n)   FORM_DECL(end_##n) FORM_DECL(op_##n)
#define DECL_SIZES(n)  FORM_DECL_WIDE(run_##n##_)
#define DECL_JUMP(n)   FORM_DECL_WIDE(jump_##n##_)
#define DECL_JCC(cc)   FORM_DECL_WIDE(jump_##cc##_)
#define DECL_EG(n)     FORM_DECL_EITHER(n##_eg)
#define DECL_GE(n)     FORM_DECL_EITHER(n##_ge)
#define DECL_EI(n)     FORM_DECL_EITHER(n##_ei)
#define DECL_E(n)      FORM_DECL_EITHER(n##_e)
#define DECL_SHI(n)    FORM_DECL_EITHER(n##_ei)
#define DECL_SHC(n)    FORM_DECL_EITHER(n##_ec)
#define DECL_EO(n)     FORM_DECL_SIZE(run_##n##_)
#define DECL_MOVX(n)   FORM_DECL_EITHER(n##_ge)
#define DECL_CMOV(cc)  FORM_DECL_EITHER(cmov_##cc)
#define DECL_SETCC(cc) FORM_DECL_EITHER(set_##cc)
#define DECL_STR(n)                                                                                \
    FORM_DECL_SIZE(str_##n##_) FORM_DECL_SIZE(str_##n##_rep) FORM_DECL_SIZE(str_##n##_alone)

#define INSN(map, op, modrm, pfx, name, o1, o2, o3, attr, rd, wr, und, feat, run, emit, test)      \
    DECL_##run
#define INSN8 INSN
#include "core/cpu/insn.def"
#undef INSN
#undef INSN8

#endif
