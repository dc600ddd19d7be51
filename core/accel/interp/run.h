/*
 * Run functions by operand size and form. RUN makes one; the FORM_* macros below make the members
 * of a family for one size (forms.h has their names). The bodies are inlined whole, so that the
 * call of the next instruction is a jump.
 */
#ifndef CORE_ACCEL_INTERP_RUN_H
#define CORE_ACCEL_INTERP_RUN_H

#include "core/accel/interp/interp.h"
#include "core/accel/interp/lazy.h"

#define RUN(name)                                                                                  \
    __attribute__((flatten)) void name(struct x86_cpu *cpu, const struct insn *in)

#define FOR_SIZES(X)         X(8) X(16) X(32) X(64)
#define FOR_SIZES_1(X, a)    X(a, 8) X(a, 16) X(a, 32) X(a, 64)
#define FOR_SIZES_2(X, a, b) X(a, b, 8) X(a, b, 16) X(a, b, 32) X(a, b, 64)
#define FOR_WIDE(X)          X(16) X(32) X(64)
#define FOR_WIDE_1(X, a)     X(a, 16) X(a, 32) X(a, 64)

/* The store of a read-modify-write of memory: *lin = @result, an expression of the old value a that
 * may read and set the flags. If it must hold against other processors and one came between, it is
 * worked out anew from what memory has then. */
#define PUT_MODIFIED(N, locked, result)                                                            \
    do {                                                                                           \
        if (unlikely((locked) && cpu->parallel)) {                                                 \
            uint64_t was_result = cpu->lf_result, was_aux = cpu->lf_aux;                           \
            uint##N##_t seen = x86_cas##N(cpu, lin, a, result);                                    \
            while (seen != a) {                                                                    \
                cpu->lf_result = was_result;                                                       \
                cpu->lf_aux = was_aux;                                                             \
                a = seen;                                                                          \
                seen = x86_cas##N(cpu, lin, a, result);                                            \
            }                                                                                      \
        } else {                                                                                   \
            x86_stl##N(cpu, lin, result);                                                          \
        }                                                                                          \
    } while (0)

/* E = f(E, @second); @second is an expression of uintN_t. */
#define RUN_MODIFY(name, f, second, N)                                                             \
    RUN(name##_r##N)                                                                               \
    {                                                                                              \
        reg_w##N(cpu, in->m, f##N(cpu, reg_r##N(cpu, in->m), second));                             \
        INTERP_NEXT(cpu, in);                                                                      \
    }                                                                                              \
    RUN(name##_m##N)                                                                               \
    {                                                                                              \
        uint64_t lin;                                                                              \
        uint##N##_t a = x86_rmw##N(cpu, in->seg, insn_ea(cpu, in), &lin);                          \
        PUT_MODIFIED(N, in->lock, f##N(cpu, a, second));                                           \
        INTERP_NEXT(cpu, in);                                                                      \
    }

/* f(E, @second) for the flags only. */
#define RUN_COMPARE(name, f, second, N)                                                            \
    RUN(name##_r##N)                                                                               \
    {                                                                                              \
        f##N(cpu, reg_r##N(cpu, in->m), second);                                                   \
        INTERP_NEXT(cpu, in);                                                                      \
    }                                                                                              \
    RUN(name##_m##N)                                                                               \
    {                                                                                              \
        f##N(cpu, x86_ld##N(cpu, in->seg, insn_ea(cpu, in)), second);                              \
        INTERP_NEXT(cpu, in);                                                                      \
    }

/* E = f(E) */
#define RUN_UNARY(name, f, N)                                                                      \
    RUN(name##_r##N)                                                                               \
    {                                                                                              \
        reg_w##N(cpu, in->m, f##N(cpu, reg_r##N(cpu, in->m)));                                     \
        INTERP_NEXT(cpu, in);                                                                      \
    }                                                                                              \
    RUN(name##_m##N)                                                                               \
    {                                                                                              \
        uint64_t lin;                                                                              \
        uint##N##_t a = x86_rmw##N(cpu, in->seg, insn_ea(cpu, in), &lin);                          \
        PUT_MODIFIED(N, in->lock, f##N(cpu, a));                                                   \
        INTERP_NEXT(cpu, in);                                                                      \
    }

/* The E operand's value in @statement as `e`, from a register and from memory. */
#define RUN_READ_E(name, statement, N)                                                             \
    RUN(name##_r##N)                                                                               \
    {                                                                                              \
        uint##N##_t e = reg_r##N(cpu, in->m);                                                      \
        statement;                                                                                 \
        INTERP_NEXT(cpu, in);                                                                      \
    }                                                                                              \
    RUN(name##_m##N)                                                                               \
    {                                                                                              \
        uint##N##_t e = x86_ld##N(cpu, in->seg, insn_ea(cpu, in));                                 \
        statement;                                                                                 \
        INTERP_NEXT(cpu, in);                                                                      \
    }

/* E = @value */
#define RUN_WRITE_E(name, value, N)                                                                \
    RUN(name##_r##N)                                                                               \
    {                                                                                              \
        reg_w##N(cpu, in->m, value);                                                               \
        INTERP_NEXT(cpu, in);                                                                      \
    }                                                                                              \
    RUN(name##_m##N)                                                                               \
    {                                                                                              \
        x86_st##N(cpu, in->seg, insn_ea(cpu, in), value);                                          \
        INTERP_NEXT(cpu, in);                                                                      \
    }

/* The conditions of Jcc, SETcc and CMOVcc ([SDM2] appendix B "Condition Test Field"). */
#define CC_o(c)   lf_of(c)
#define CC_no(c)  (!lf_of(c))
#define CC_b(c)   lf_cf(c)
#define CC_nb(c)  (!lf_cf(c))
#define CC_z(c)   lf_zf(c)
#define CC_nz(c)  (!lf_zf(c))
#define CC_be(c)  (lf_cf(c) || lf_zf(c))
#define CC_nbe(c) (!(lf_cf(c) || lf_zf(c)))
#define CC_s(c)   lf_sf(c)
#define CC_ns(c)  (!lf_sf(c))
#define CC_p(c)   lf_pf(c)
#define CC_np(c)  (!lf_pf(c))
#define CC_l(c)   (lf_sf(c) ^ lf_of(c))
#define CC_nl(c)  (!(lf_sf(c) ^ lf_of(c)))
#define CC_le(c)  ((lf_sf(c) ^ lf_of(c)) || lf_zf(c))
#define CC_nle(c) (!((lf_sf(c) ^ lf_of(c)) || lf_zf(c)))

#define FOR_CC(X)                                                                                  \
    X(o) X(no) X(b) X(nb) X(z) X(nz) X(be) X(nbe) X(s) X(ns) X(p) X(np) X(l) X(nl) X(le) X(nle)

#endif
