/*
 * Lazy arithmetic flags.
 *
 * Every flag-writing integer operation leaves two words; all six flags follow from them without
 * knowing which operation it was:
 *   lf_result   the result, sign-extended to 64 bits: ZF = (result == 0), SF = its sign, PF =
 *   parity
 *               of its low byte XORed with lf_aux bits 15:8
 *   lf_aux      bit 31: carry out of the top bit (CF)
 *               bit 30: carry into the top bit; OF = bit 31 ^ bit 30
 *               bit 3:  carry out of bit 3 (AF)
 *               bits 15:8: XORed into the low byte of the result before PF is taken
 *               bit 0: XORed into SF   (with bits 15:8, for flag images that no result can have)
 * POPF, SAHF and the like set the words from a flag image (lf_set).
 */
#ifndef CORE_CPU_FLAGS_H
#define CORE_CPU_FLAGS_H

#include "core/cpu/x86_cpu.h"

enum { LF_CF = 31, LF_PO = 30, LF_AF = 3, LF_SFX = 0, LF_PDB = 8 };

static inline bool lf_cf(const struct x86_cpu *c)
{
    return (c->lf_aux >> LF_CF) & 1;
}

static inline bool lf_of(const struct x86_cpu *c)
{
    return ((c->lf_aux >> LF_CF) ^ (c->lf_aux >> LF_PO)) & 1;
}

static inline bool lf_af(const struct x86_cpu *c)
{
    return (c->lf_aux >> LF_AF) & 1;
}

static inline bool lf_zf(const struct x86_cpu *c)
{
    return c->lf_result == 0;
}

static inline bool lf_sf(const struct x86_cpu *c)
{
    return ((c->lf_result >> 63) ^ (c->lf_aux >> LF_SFX)) & 1;
}

static inline bool lf_pf(const struct x86_cpu *c)
{
    return !__builtin_parity((uint8_t)(c->lf_result ^ (c->lf_aux >> LF_PDB)));
}

/* The six flags as an EFLAGS image. */
static inline uint32_t lf_get(const struct x86_cpu *c)
{
    return (lf_cf(c) ? FL_CF : 0) | (lf_pf(c) ? FL_PF : 0) | (lf_af(c) ? FL_AF : 0) |
           (lf_zf(c) ? FL_ZF : 0) | (lf_sf(c) ? FL_SF : 0) | (lf_of(c) ? FL_OF : 0);
}

/* From an EFLAGS image. Result 0 with SFX, or 1 with the parity delta. */
static inline void lf_set(struct x86_cpu *c, uint32_t fl)
{
    uint32_t cf = (fl & FL_CF) != 0, of = (fl & FL_OF) != 0, sf = (fl & FL_SF) != 0;
    uint32_t pf = (fl & FL_PF) != 0, zf = (fl & FL_ZF) != 0;
    c->lf_result = zf ? 0 : 1;
    c->lf_aux = cf << LF_CF | (cf ^ of) << LF_PO | ((fl & FL_AF) ? 1u << LF_AF : 0) | sf << LF_SFX |
                /* parity of 00 is even (PF 1), of 01 odd (PF 0) */
                (uint32_t)((pf == zf) ? 0 : 1) << LF_PDB;
}

/* s.rflags always has the other flags; its OSZAPC bits are stale except after this. */
static inline uint32_t lf_materialize(struct x86_cpu *c)
{
    c->s.rflags = (c->s.rflags & ~(uint64_t)FL_OSZAPC) | lf_get(c);
    return (uint32_t)c->s.rflags;
}

#endif
