/*
 * Programs of test_jit that compute with x87, MMX and SSE: instructions, numbers that have
 * something special, and the state that must be equal.
 */
#ifndef TESTS_UNIT_JIT_FPU_H
#define TESTS_UNIT_JIT_FPU_H

#include "tests/unit/interp_bench.h"

#include "core/accel/jit/jit.h"
#include "core/cpu/decode.h"

#define FPU_MXCSR 0x7f0     /* address of what the fault handler loads into MXCSR */

typedef uint32_t (*fpu_random)(void *opaque, uint32_t n);

/* Every row of these extensions. */
static inline bool fpu_wanted(const struct insn_info *info)
{
    switch (info->feature) {
    case X86_F_FPU: case X86_F_MMX: case X86_F_SSE: case X86_F_SSE2: case X86_F_SSE3:
    case X86_F_SSSE3: case X86_F_SSE41: case X86_F_SSE42: case X86_F_AES: case X86_F_PCLMUL:
    case X86_F_POPCNT: case X86_F_FXSR: case X86_F_AVX: case X86_F_AVX2: case X86_F_FMA:
    case X86_F_F16C:
        return true;
    default:
        return (info->attr & A_FPU) || info->opcode == 0x9b; /* FCMOVcc, FCOMI, FWAIT */
    }
}

static inline void fpu_vex_bytes(uint8_t bytes[16], bool rex, fpu_random below, void *opaque)
{
    static const uint8_t rows[] = {0x10, 0x50, 0x50, 0x60, 0x70, 0xd0, 0xe0, 0xf0, 0x20};
    unsigned map = below(opaque, 2) ? 1 : 2 + below(opaque, 2);
    bytes[0] = 0xc4;
    bytes[1] = (uint8_t)(map | 0xe0);
    bytes[1] ^= rex ? (uint8_t)(below(opaque, 8) << 5) : 0;
    bytes[2] = (uint8_t)(below(opaque, 4) | below(opaque, 2) << 2 | below(opaque, 3) / 2 << 7 |
                         (below(opaque, 2) ? 15
                          : rex            ? below(opaque, 16)
                                           : 8 | below(opaque, 8))
                             << 3);
    bytes[3] = map == 1 ? (uint8_t)(rows[below(opaque, sizeof(rows))] | below(opaque, 16))
             : map == 3 ? (uint8_t)below(opaque, 0x50) : (uint8_t)below(opaque, 0xc0);
    if (below(opaque, 40) == 0) {
        bytes[1] = 0xe1;
        bytes[3] = 0x77;                                /* VZEROUPPER, VZEROALL */
    }
}

/* A likely encoding of one, at @bytes. */
static inline void fpu_bytes(uint8_t bytes[16], bool rex, fpu_random below, void *opaque)
{
    static const uint8_t prefixes[] = {0x66, 0xf3, 0xf2};
    static const uint8_t rows[] = {0x10, 0x50, 0x50, 0x60, 0x70, 0xd0,
                                   0xe0, 0xf0, 0x28, 0xc2, 0xae, 0xb8};
    unsigned at = 0;
    if (below(opaque, 2)) {
        bytes[0] = (uint8_t)(below(opaque, 40) ? 0xd8 + below(opaque, 8) : 0x9b);
        return;
    }
    if (below(opaque, 3) == 0) {
        fpu_vex_bytes(bytes, rex, below, opaque);
        return;
    }
    if (below(opaque, 4)) {
        bytes[at++] = prefixes[below(opaque, 3)];
    }
    if (rex && below(opaque, 2)) {
        bytes[at++] = (uint8_t)(0x40 | below(opaque, 16));
    }
    bytes[at++] = 0x0f;
    if (below(opaque, 4) == 0) {
        bytes[at++] = below(opaque, 4) ? 0x38 : 0x3a;
        bytes[at] = (uint8_t)below(opaque, 0x48);
    } else {
        uint8_t row = rows[below(opaque, sizeof(rows))];
        bytes[at] = (uint8_t)(row | (row & 15 ? 0 : below(opaque, 16)));
        bytes[at] |= row == 0x28 ? below(opaque, 8) : 0;
    }
}

/* Most displacements keep an aligned base aligned. */
static inline void fpu_align(uint8_t *bytes, const struct insn *in, fpu_random below, void *opaque)
{
    const uint8_t *operand = insn_info[in->row].operand;
    unsigned imm = operand[1] == OPD_Ib || operand[2] == OPD_Ib;
    if (in->mem && in->disp && in->disp == (int8_t)in->disp && below(opaque, 8)) {
        bytes[in->len - 1u - imm] &= 0xf0;
    }
}

/* 16 bytes: numbers of one format or another. */
static inline void fpu_number(uint8_t *to, fpu_random below, void *opaque)
{
    static const uint32_t singles[] = {
        0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001,
        0xffbfffff,
        1, 0x807fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0x5f000000, 0x3f000000, 0xcf000000,
        0x3eaaaaab,
    };
    unsigned format = below(opaque, 4);
    for (unsigned i = 0; i < 4 && format < 3; i++) {
        uint32_t v = singles[below(opaque, ARRAY_SIZE(singles))];
        uint32_t exp = v >> 23 & 0xff;
        uint64_t wide = (uint64_t)(v & 0x80000000) << 32 | (uint64_t)(v & 0x7fffff) << 29 |
                        (exp == 255 ? 0x7ffull : exp == 0 ? 0 : exp + 896ull) << 52;
        if (format == 0) {
            st32le(to + 4 * i, v);
        } else if (format == 1) {
            st64le(to + 8 * (i & 1), wide | (v & 1));
        } else {                                        /* 80 bits, some of them unsupported */
            st64le(to, (uint64_t)(v & 0x7fffff) << 40 | (exp && below(opaque, 8) ? 1ull << 63 : 0));
            st16le(to + 8, (uint16_t)((v >> 31) << 15 | (exp == 255 ? 0x7fff
                                                         : exp      ? exp + 16256
                                                                    : 0)));
        }
    }
    if (below(opaque, 16) == 0) {                       /* a control word */
        st16le(to, (uint16_t)(0x7f | below(opaque, 16) << 8));
    }
}

/* Puts code of the fault handler at @to: the FPU can be used, and is as after a start. */
static inline unsigned fpu_handler(uint8_t *to, unsigned bits)
{
    static const uint8_t start[] = {
        0x0f, 0x06, 0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0xeb, 0xd9, 0xee, /* clts; fninit; 1, pi, 0 */
    };
    unsigned n = sizeof(start);
    memcpy(to, start, n);
    to[n++] = 0x2e;                                     /* ldmxcsr cs:[FPU_MXCSR] */
    to[n++] = 0x0f;
    to[n++] = 0xae;
    to[n++] = bits == 16 ? 0x16 : bits == 32 ? 0x15 : 0x14;
    if (bits == 64) {
        to[n++] = 0x25;
    }
    st32le(to + n, FPU_MXCSR);
    return n + (bits == 16 ? 2 : 4);
}

static inline void fpu_start(struct interp_bench *b, fpu_random below, void *opaque)
{
    static const uint32_t mxcsrs[] = {0x1f80, 0x1f80, 0x1fbf, 0x1fc0, 0x9f80, 0x3f80,
                                      0x5f81, 0xffc0, 0x1f00, 0x1780, 0x0d80};
    struct x86_state *s = &b->cpu->s;
    s->cr4 |= CR4_OSFXSR | (below(opaque, 2) ? CR4_OSXMMEXCPT : 0) | CR4_OSXSAVE;
    s->xcr0 = below(opaque, 16) ? 7 : 3;
    s->cr4 &= below(opaque, 16) ? ~0ull : ~(uint64_t)CR4_OSFXSR;
    s->cr0 |= CR0_NE | CR0_MP | (below(opaque, 8) ? 0 : CR0_TS) | (below(opaque, 32) ? 0 : CR0_EM);
    s->mxcsr = mxcsrs[below(opaque, ARRAY_SIZE(mxcsrs))];
    st32le(ibench_mem(b, FPU_MXCSR), s->mxcsr);
    s->fcw =
        below(opaque, 4) ? 0x37f : (uint16_t)(0x340 | below(opaque, 64) | below(opaque, 4) << 10);
    s->ftag = (uint8_t)below(opaque, 256);
    for (unsigned i = 0; i < 8; i++) {
        uint8_t number[16] = {0};
        fpu_number(number, below, opaque);
        s->fpr[i] = (struct x86_fpr){.mant = ld64le(number), .se = ld16le(number + 8)};
    }
    for (unsigned i = 0; i < 16; i++) {
        fpu_number(s->ymm[i], below, opaque);
        fpu_number(s->ymm[i] + 16, below, opaque);
    }
}

static inline bool fpu_same(const struct x86_state *a, const struct x86_state *b)
{
    bool equal = a->fcw == b->fcw && a->fsw == b->fsw && a->ftag == b->ftag && a->fop == b->fop &&
                 a->fip == b->fip && a->fcs == b->fcs && a->fdp == b->fdp && a->fds == b->fds &&
                 a->mxcsr == b->mxcsr && a->cr0 == b->cr0 &&
                 !memcmp(a->ymm, b->ymm, sizeof(a->ymm));
    for (unsigned i = 0; i < 8; i++) {
        equal = equal && a->fpr[i].mant == b->fpr[i].mant && a->fpr[i].se == b->fpr[i].se;
    }
    return equal;
}

/* What differs, in words. */
static inline void fpu_show(const struct x86_state *s, const struct x86_state *other,
                            const char *name)
{
    print_error("%-6s cw %04x sw %04x tag %02x op %03x ip %x:%llx dp %x:%llx mxcsr %04x\n", name,
                s->fcw, s->fsw, s->ftag, s->fop, s->fcs, (unsigned long long)s->fip, s->fds,
                (unsigned long long)s->fdp, s->mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        if (s->fpr[i].mant != other->fpr[i].mant || s->fpr[i].se != other->fpr[i].se) {
            print_error("       fpr%u %04x %016llx\n", i, s->fpr[i].se,
                        (unsigned long long)s->fpr[i].mant);
        }
    }
    for (unsigned i = 0; i < 16; i++) {
        if (memcmp(s->ymm[i], other->ymm[i], 32)) {
            print_error("       ymm%u", i);
            for (unsigned k = 4; k-- > 0;) {
                print_error(" %016llx", (unsigned long long)ld64le(s->ymm[i] + 8 * k));
            }
            print_error("\n");
        }
    }
}

#endif
