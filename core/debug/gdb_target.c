/*
 * gdb's registers. One list a description, in the order of the description's features; from it come
 * the XML and all accesses.
 *
 * Source: [GDB] "Standard Target Features", "i386 Features" (names, order within the core feature).
 */
#include "core/debug/gdb_target.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <string.h>

/* clang-format off: tables */
enum kind {
    K_GPR, K_PC, K_FLAGS, K_SEL, K_ST, K_FCW, K_FSW, K_FTAG, K_FCS, K_FIP, K_FDS, K_FDP, K_FOP,
    K_XMM, K_MXCSR, K_BASE, K_LIMIT, K_ATTR, K_CR, K_EFER, K_DTR_BASE, K_DTR_LIMIT, K_SYS_SEL,
    K_SYS_BASE, K_DR,
};

struct reg {
    const char *name;
    uint8_t kind, index, bits;
    const char *type;
};

struct feature {
    const char *name;
    const struct reg *regs;
    unsigned n;
};

#define FEATURE(name, regs) {name, regs, ARRAY_SIZE(regs)}

#define SELECTORS \
    {"cs", K_SEL, S_CS, 32, "int32"}, {"ss", K_SEL, S_SS, 32, "int32"}, \
    {"ds", K_SEL, S_DS, 32, "int32"}, {"es", K_SEL, S_ES, 32, "int32"}, \
    {"fs", K_SEL, S_FS, 32, "int32"}, {"gs", K_SEL, S_GS, 32, "int32"}

#define ST(n) {"st" #n, K_ST, n, 80, "i387_ext"}
#define FPU \
    ST(0), ST(1), ST(2), ST(3), ST(4), ST(5), ST(6), ST(7), {"fctrl", K_FCW, 0, 32, "int"}, \
    {"fstat", K_FSW, 0, 32, "int"}, {"ftag", K_FTAG, 0, 32, "int"}, \
    {"fiseg", K_FCS, 0, 32, "int"}, {"fioff", K_FIP, 0, 32, "int"}, \
    {"foseg", K_FDS, 0, 32, "int"}, {"fooff", K_FDP, 0, 32, "int"}, {"fop", K_FOP, 0, 32, "int"}

#define XMM(n) {"xmm" #n, K_XMM, n, 128, "vec128"}
#define XMM_LOW XMM(0), XMM(1), XMM(2), XMM(3), XMM(4), XMM(5), XMM(6), XMM(7)
#define MXCSR {"mxcsr", K_MXCSR, 0, 32, "int"}

#define SEG(name, index, bits) \
    {name "_base", K_BASE, index, bits, "uint" #bits}, \
    {name "_limit", K_LIMIT, index, 32, "uint32"}, {name "_attr", K_ATTR, index, 32, "uint32"}
#define DR(n, bits) {"dr" #n, K_DR, n, bits, "uint" #bits}
#define CR(n, bits) {"cr" #n, K_CR, n, bits, "uint" #bits}

/* All but fs_base and gs_base, which gdb wants in a feature of their own. */
#define SYSTEM(bits) \
    SEG("cs", S_CS, bits), SEG("ss", S_SS, bits), SEG("ds", S_DS, bits), SEG("es", S_ES, bits), \
    {"fs_limit", K_LIMIT, S_FS, 32, "uint32"}, {"fs_attr", K_ATTR, S_FS, 32, "uint32"}, \
    {"gs_limit", K_LIMIT, S_GS, 32, "uint32"}, {"gs_attr", K_ATTR, S_GS, 32, "uint32"}, \
    CR(0, bits), CR(2, bits), CR(3, bits), CR(4, bits), CR(8, bits), \
    {"efer", K_EFER, 0, bits, "uint" #bits}, {"gdtr_base", K_DTR_BASE, 0, bits, "uint" #bits}, \
    {"gdtr_limit", K_DTR_LIMIT, 0, 32, "uint32"}, \
    {"idtr_base", K_DTR_BASE, 1, bits, "uint" #bits}, \
    {"idtr_limit", K_DTR_LIMIT, 1, 32, "uint32"}, {"ldtr", K_SYS_SEL, 0, 32, "uint32"}, \
    {"ldtr_base", K_SYS_BASE, 0, bits, "uint" #bits}, {"tr", K_SYS_SEL, 1, 32, "uint32"}, \
    {"tr_base", K_SYS_BASE, 1, bits, "uint" #bits}, DR(0, bits), DR(1, bits), DR(2, bits), \
    DR(3, bits), DR(6, bits), DR(7, bits)

#define SEGMENTS(bits) \
    {"fs_base", K_BASE, S_FS, bits, "uint" #bits}, {"gs_base", K_BASE, S_GS, bits, "uint" #bits}

static const struct reg core_32[] = {
    {"eax", K_GPR, R_AX, 32, "int32"}, {"ecx", K_GPR, R_CX, 32, "int32"},
    {"edx", K_GPR, R_DX, 32, "int32"}, {"ebx", K_GPR, R_BX, 32, "int32"},
    {"esp", K_GPR, R_SP, 32, "data_ptr"}, {"ebp", K_GPR, R_BP, 32, "data_ptr"},
    {"esi", K_GPR, R_SI, 32, "int32"}, {"edi", K_GPR, R_DI, 32, "int32"},
    {"eip", K_PC, 0, 32, "code_ptr"}, {"eflags", K_FLAGS, 0, 32, "i386_eflags"}, SELECTORS, FPU,
};
static const struct reg sse_32[] = {XMM_LOW, MXCSR};
static const struct reg segments_32[] = {SEGMENTS(32)};
static const struct reg system_32[] = {SYSTEM(32)};

static const struct reg core_64[] = {
    {"rax", K_GPR, R_AX, 64, "int64"}, {"rbx", K_GPR, R_BX, 64, "int64"},
    {"rcx", K_GPR, R_CX, 64, "int64"}, {"rdx", K_GPR, R_DX, 64, "int64"},
    {"rsi", K_GPR, R_SI, 64, "int64"}, {"rdi", K_GPR, R_DI, 64, "int64"},
    {"rbp", K_GPR, R_BP, 64, "data_ptr"}, {"rsp", K_GPR, R_SP, 64, "data_ptr"},
    {"r8", K_GPR, R_8, 64, "int64"}, {"r9", K_GPR, R_9, 64, "int64"},
    {"r10", K_GPR, R_10, 64, "int64"}, {"r11", K_GPR, R_11, 64, "int64"},
    {"r12", K_GPR, R_12, 64, "int64"}, {"r13", K_GPR, R_13, 64, "int64"},
    {"r14", K_GPR, R_14, 64, "int64"}, {"r15", K_GPR, R_15, 64, "int64"},
    {"rip", K_PC, 0, 64, "code_ptr"}, {"eflags", K_FLAGS, 0, 32, "i386_eflags"}, SELECTORS, FPU,
};
static const struct reg sse_64[] = {
    XMM_LOW, XMM(8), XMM(9), XMM(10), XMM(11), XMM(12), XMM(13), XMM(14), XMM(15), MXCSR,
};
static const struct reg segments_64[] = {SEGMENTS(64)};
static const struct reg system_64[] = {SYSTEM(64)};

static const struct feature features_32[] = {
    FEATURE("org.gnu.gdb.i386.core", core_32), FEATURE("org.gnu.gdb.i386.sse", sse_32),
    FEATURE("org.gnu.gdb.i386.segments", segments_32), FEATURE("coldboot.system", system_32),
};
static const struct feature features_64[] = {
    FEATURE("org.gnu.gdb.i386.core", core_64), FEATURE("org.gnu.gdb.i386.sse", sse_64),
    FEATURE("org.gnu.gdb.i386.segments", segments_64), FEATURE("coldboot.system", system_64),
};
/* clang-format on */
#define FEATURES 4
_Static_assert(ARRAY_SIZE(features_32) == FEATURES, "all that the loops below visit");
_Static_assert(ARRAY_SIZE(features_64) == FEATURES, "all that the loops below visit");

static const struct feature *features_of(enum gdb_arch arch)
{
    return arch == GDB_64 ? features_64 : features_32;
}

/* ---- the description ------------------------------------------------------------------------- */

enum gdb_arch gdb_arch_of(const struct x86_state *s)
{
    bool pe = s->cr0 & CR0_PE, vm = s->rflags & FL_VM;
    if (pe && (s->efer & EFER_LMA) && (s->seg[S_CS].attr & AR_L)) {
        return GDB_64;
    }
    return pe && !vm && (s->seg[S_CS].attr & AR_DB) ? GDB_32 : GDB_16;
}

const char *gdb_arch_name(enum gdb_arch arch)
{
    static const char *const names[] = {
        [GDB_16] = "i8086", [GDB_32] = "i386", [GDB_64] = "i386:x86-64",
    };
    return names[arch];
}

static void flags_type(struct text *out)
{
    static const struct { const char *name; unsigned bit; } flags[] = {
        {"CF", 0}, {"PF", 2}, {"AF", 4}, {"ZF", 6}, {"SF", 7}, {"TF", 8}, {"IF", 9}, {"DF", 10},
        {"OF", 11}, {"NT", 14}, {"RF", 16}, {"VM", 17}, {"AC", 18}, {"VIF", 19}, {"VIP", 20},
        {"ID", 21},
    };
    text_puts(out, "<flags id=\"i386_eflags\" size=\"4\">");
    for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
        text_printf(out, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>", flags[i].name,
                    flags[i].bit, flags[i].bit);
    }
    text_puts(out, "</flags>");
}

static void vector_type(struct text *out)
{
    static const struct { const char *id, *type; unsigned count; } parts[] = {
        {"v4f", "ieee_single", 4}, {"v2d", "ieee_double", 2}, {"v16i8", "int8", 16},
        {"v8i16", "int16", 8},
        {"v4i32", "int32", 4}, {"v2i64", "int64", 2},
    };
    static const char *const fields[] = {
        "v4_float", "v2_double", "v16_int8", "v8_int16", "v4_int32", "v2_int64",
    };
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
        text_printf(out, "<vector id=\"%s\" type=\"%s\" count=\"%u\"/>", parts[i].id, parts[i].type,
                    parts[i].count);
    }
    text_puts(out, "<union id=\"vec128\">");
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
        text_printf(out, "<field name=\"%s\" type=\"%s\"/>", fields[i], parts[i].id);
    }
    text_puts(out, "<field name=\"uint128\" type=\"uint128\"/></union>");
}

void gdb_target_xml(enum gdb_arch arch, struct text *out)
{
    const struct feature *f = features_of(arch);
    text_printf(out, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
                     "<target version=\"1.0\"><architecture>%s</architecture>"
                     "<osabi>none</osabi>", gdb_arch_name(arch));
    for (unsigned i = 0; i < FEATURES; i++) {
        text_printf(out, "<feature name=\"%s\">", f[i].name);
        if (i == 0) {
            flags_type(out);
        } else if (i == 1) {
            vector_type(out);
        }
        for (unsigned r = 0; r < f[i].n; r++) {
            text_printf(out, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>", f[i].regs[r].name,
                        f[i].regs[r].bits, f[i].regs[r].type);
        }
        text_puts(out, "</feature>");
    }
    text_puts(out, "</target>");
}

/* ---- access ---------------------------------------------------------------------------------- */

static const struct reg *nth(enum gdb_arch arch, unsigned n)
{
    const struct feature *f = features_of(arch);
    while (n >= f->n) {
        n -= f->n;
        f++;
    }
    return &f->regs[n];
}

unsigned gdb_reg_count(enum gdb_arch arch)
{
    const struct feature *f = features_of(arch);
    unsigned n = 0;
    for (unsigned i = 0; i < FEATURES; i++) {
        n += f[i].n;
    }
    return n;
}

unsigned gdb_reg_bytes(enum gdb_arch arch, unsigned n)
{
    return nth(arch, n)->bits / 8u;
}

/* [SDM1] "x87 FPU Tag Word": two bits a physical register. */
static uint16_t full_tags(const struct x86_state *s)
{
    uint16_t tags = 0;
    for (unsigned i = 0; i < 8; i++) {
        unsigned exponent = s->fpr[i].se & 0x7fff, tag = 0;
        if (!(s->ftag >> i & 1)) {
            tag = 3;
        } else if (exponent == 0 && s->fpr[i].mant == 0) {
            tag = 1;
        } else if (exponent == 0 || exponent == 0x7fff || !(s->fpr[i].mant >> 63)) {
            tag = 2;
        }
        tags |= (uint16_t)(tag << (2 * i));
    }
    return tags;
}

static unsigned physical_st(const struct x86_state *s, unsigned i)
{
    return (i + (s->fsw >> 11)) & 7;
}

static uint64_t control(const struct x86_state *s, unsigned i)
{
    switch (i) {
    case 0: return s->cr0;
    case 2: return s->cr2;
    case 3: return s->cr3;
    case 4: return s->cr4;
    default: return s->cr8;
    }
}

/* The registers of up to 64 bits. */
static uint64_t value(const struct x86_state *s, const struct reg *r)
{
    const struct x86_dtr *dtr = r->index == 0 ? &s->gdtr : &s->idtr;
    const struct x86_seg *sys = r->index == 0 ? &s->ldtr : &s->tr;
    switch ((enum kind)r->kind) {
    case K_GPR: return s->gpr[r->index];
    case K_PC: return s->seg[S_CS].base + s->rip;
    case K_FLAGS: return s->rflags;
    case K_SEL: return s->seg[r->index].sel;
    case K_FCW: return s->fcw;
    case K_FSW: return s->fsw;
    case K_FTAG: return full_tags(s);
    case K_FCS: return s->fcs;
    case K_FIP: return s->fip;
    case K_FDS: return s->fds;
    case K_FDP: return s->fdp;
    case K_FOP: return s->fop;
    case K_MXCSR: return s->mxcsr;
    case K_BASE: return s->seg[r->index].base;
    case K_LIMIT: return s->seg[r->index].limit;
    case K_ATTR: return s->seg[r->index].attr;
    case K_CR: return control(s, r->index);
    case K_EFER: return s->efer;
    case K_DTR_BASE: return dtr->base;
    case K_DTR_LIMIT: return dtr->limit;
    case K_SYS_SEL: return sys->sel;
    case K_SYS_BASE: return sys->base;
    case K_DR: return s->dr[r->index];
    case K_ST: case K_XMM: break;
    }
    return 0;
}

unsigned gdb_reg_read(enum gdb_arch arch, const struct x86_state *s, unsigned n, uint8_t *out)
{
    const struct reg *r = nth(arch, n);
    if (r->kind == K_ST) {
        const struct x86_fpr *st = &s->fpr[physical_st(s, r->index)];
        st64le(out, st->mant);
        st16le(out + 8, st->se);
    } else if (r->kind == K_XMM) {
        memcpy(out, s->ymm[r->index], 16);
    } else {
        st_le(out, value(s, r), r->bits / 8u);
    }
    return r->bits / 8u;
}

/* A selector has meaning without tables in real and virtual-8086 mode only. */
static bool write_selector(struct x86_state *s, unsigned index, uint64_t val)
{
    bool plain = !(s->cr0 & CR0_PE) || (s->rflags & FL_VM);
    if (val > 0xffff || (!plain && val != s->seg[index].sel)) {
        return false;
    }
    if (plain && val != s->seg[index].sel) {
        s->seg[index].sel = (uint16_t)val;
        s->seg[index].base = val << 4;
    }
    return true;
}

/* The bits that a program may change freely; VM and the rest go with modes. */
#define FLAGS_WRITABLE (FL_OSZAPC | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT | FL_RF | FL_AC | FL_ID)

bool gdb_reg_write(enum gdb_arch arch, struct x86_state *s, unsigned n, const uint8_t *in)
{
    const struct reg *r = nth(arch, n);
    uint64_t val = ld_le(in, r->bits > 64 ? 8 : r->bits / 8u);
    switch ((enum kind)r->kind) {
    case K_GPR:
        s->gpr[r->index] = arch == GDB_64 ? val : (s->gpr[r->index] & ~0xffffffffull) | val;
        return true;
    case K_PC:
        s->rip = val - s->seg[S_CS].base;
        s->rip &= arch == GDB_64 ? ~0ull : 0xffffffff;
        return true;
    case K_FLAGS:
        s->rflags = (s->rflags & ~(uint64_t)FLAGS_WRITABLE) | (val & FLAGS_WRITABLE);
        return true;
    case K_SEL:
        return write_selector(s, r->index, val);
    case K_ST:
        s->fpr[physical_st(s, r->index)] = (struct x86_fpr){.mant = val, .se = ld16le(in + 8)};
        return true;
    case K_XMM:
        memcpy(s->ymm[r->index], in, 16);
        return true;
    case K_FCW:
        s->fcw = (uint16_t)val;
        return true;
    default: /* what a mode rests on: only the value that is there already */
        return val == (value(s, r) & size_mask(r->bits / 8u));
    }
}
