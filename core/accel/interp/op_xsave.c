/*
 * MXCSR, the FXSAVE and XSAVE images, XCR0; fences, cache hints, MONITOR and MWAIT.
 *
 * Source: [SDM1] "Managing State Using the XSAVE Feature Set", "FXSAVE and FXRSTOR Instructions";
 *         [SDM2], the entry of each instruction.
 * Model:  a component counts as in use (XINUSE) when its registers differ from their initial
 *         values. Caches, store buffers and the monitor do not exist: what works on them only
 *         checks its address; MWAIT returns at once.
 * Left out: the modified optimisation of XSAVEOPT, supervisor components.
 */
#include "core/accel/interp/vec.h"
#include "core/cpu/cpuid.h"

enum { FX_BYTES = 512, FX_ST = 32, FX_XMM = 160, X_HEADER = 512, X_YMM = 576, X_BYTES = 832 };
#define XCOMP_COMPACT (1ull << 63)

/* ---- MXCSR ---- */

static void load_mxcsr(struct x86_cpu *cpu, uint32_t v)
{
    if (v & ~(uint32_t)MXCSR_ALL) {
        x86_fault(cpu, X86_GP, 0);
    }
    cpu->s.mxcsr = v;
}

OP(ldmxcsr)
{
    vec_begin(cpu, in);
    load_mxcsr(cpu, x86_ld32(cpu, in->seg, insn_ea(cpu, in)));
}

OP(stmxcsr)
{
    vec_begin(cpu, in);
    x86_st32(cpu, in->seg, insn_ea(cpu, in), cpu->s.mxcsr);
}

/* ---- the legacy region ---- */

static bool in_64bit(const struct x86_cpu *cpu)
{
    return cpu->mode & MODE_CS64;
}

static unsigned xmm_count(const struct x86_cpu *cpu)
{
    return in_64bit(cpu) ? 16 : 8;
}

/* Bytes 0-23 and the registers; the pointers in the form that REX.W chooses. */
static void put_x87(struct x86_cpu *cpu, const struct insn *in, uint8_t *p)
{
    const struct x86_state *s = &cpu->s;
    st16le(p, s->fcw);
    st16le(p + 2, s->fsw);
    st16le(p + 4, s->ftag);
    st16le(p + 6, s->fop);
    if (in->w) {
        st64le(p + 8, s->fip);
        st64le(p + 16, s->fdp);
    } else {
        st64le(p + 8, (uint32_t)s->fip | (uint64_t)s->fcs << 32);
        st64le(p + 16, (uint32_t)s->fdp | (uint64_t)s->fds << 32);
    }
    for (unsigned i = 0; i < 8; i++) {
        st64le(p + FX_ST + 16 * i, x87_st(cpu, i)->mant);
        st64le(p + FX_ST + 16 * i + 8, x87_st(cpu, i)->se);
    }
}

/* Pointers of 64 bits are made canonical. */
static uint64_t canonical(uint64_t lin)
{
    return (uint64_t)((int64_t)(lin << 16) >> 16);
}

static void get_x87(struct x86_cpu *cpu, const struct insn *in, const uint8_t *p)
{
    struct x86_state *s = &cpu->s;
    bool was_es = s->fsw & FSW_ES;
    s->fcw = (uint16_t)((ld16le(p) & 0x1f3f) | 0x40);
    s->fsw = (uint16_t)((ld16le(p + 2) & ~(uint32_t)FSW_ES) | (was_es ? FSW_ES : 0));
    s->ftag = p[4];
    s->fop = ld16le(p + 6) & 0x7ff;
    s->fip = in->w ? canonical(ld64le(p + 8)) : ld32le(p + 8);
    s->fcs = in->w ? 0 : ld16le(p + 12);
    s->fdp = in->w ? canonical(ld64le(p + 16)) : ld32le(p + 16);
    s->fds = in->w ? 0 : ld16le(p + 20);
    for (unsigned i = 0; i < 8; i++) {
        x87_st(cpu, i)->mant = ld64le(p + FX_ST + 16 * i);
        x87_st(cpu, i)->se = ld16le(p + FX_ST + 16 * i + 8);
    }
    x87_update_es(cpu);
}

static void init_x87(struct x86_cpu *cpu, const struct insn *in)
{
    uint8_t image[FX_XMM] = {0};
    st16le(image, FCW_INIT);
    get_x87(cpu, in, image);
}

static void put_xmm(struct x86_cpu *cpu, uint8_t *p)
{
    for (unsigned i = 0; i < xmm_count(cpu); i++) {
        memcpy(p + FX_XMM + 16 * i, cpu->s.ymm[i], 16);
    }
}

static void get_xmm(struct x86_cpu *cpu, const uint8_t *p)
{
    for (unsigned i = 0; i < xmm_count(cpu); i++) {
        memcpy(cpu->s.ymm[i], p + FX_XMM + 16 * i, 16);
    }
}

/* The operand's linear address: aligned, in its segment. What raises which fault is as on Intel's
 * processors, [SDM2] "FXSAVE" leaves it open: its first word comes first, then the alignment, then
 * the rest. With #AC on, what is no multiple of 4 raises that in place of #GP. */
static uint64_t image_lin(struct x86_cpu *cpu, const struct insn *in, unsigned bytes,
                          unsigned align, bool write)
{
    uint64_t ea = insn_ea(cpu, in);
    x86_seg_check(cpu, in->seg, ea, 4, false);
    x86_align_check(cpu, in->seg, ea, 4);
    vec_aligned(cpu, in, ea, align);
    return x86_seg_check(cpu, in->seg, ea, bytes, write);
}

static void fx_available(struct x86_cpu *cpu)
{
    x87_available(cpu);
}

/* Bytes 416-511, and without 64-bit mode 288-511, stay as they are. A page fault
 * names the image's last byte or else the first, as on Intel's processors. */
OP(fxsave)
{
    uint8_t image[FX_BYTES] = {0};
    fx_available(cpu);
    uint64_t lin = image_lin(cpu, in, FX_BYTES, 16, true);
    put_x87(cpu, in, image);
    put_xmm(cpu, image);
    st32le(image + 24, cpu->s.mxcsr);
    st32le(image + 28, MXCSR_ALL);
    x86_lin_probe_write(cpu, (lin + FX_BYTES - 1) & cpu->lin_mask, 1, cpu->cpl == 3);
    x86_lin_write_bytes(cpu, lin, image, FX_XMM + 16 * xmm_count(cpu), cpu->cpl == 3);
}

OP(fxrstor)
{
    uint8_t image[FX_BYTES];
    fx_available(cpu);
    uint64_t lin = image_lin(cpu, in, FX_BYTES, 16, false);
    x86_lin_read(cpu, (lin + FX_BYTES - 1) & cpu->lin_mask, 1, cpu->cpl == 3);
    x86_lin_read_bytes(cpu, lin, image, FX_BYTES, cpu->cpl == 3);
    load_mxcsr(cpu, ld32le(image + 24));
    get_x87(cpu, in, image);
    get_xmm(cpu, image);
}

/* ---- XSAVE ---- */

static void x_available(struct x86_cpu *cpu)
{
    if (!(cpu->s.cr4 & CR4_OSXSAVE)) {
        x86_fault_noerr(cpu, X86_UD);
    }
    if (cpu->s.cr0 & CR0_TS) {
        x86_fault_noerr(cpu, X86_NM);
    }
}

static uint64_t edx_eax(const struct x86_cpu *cpu)
{
    return (uint32_t)cpu->s.gpr[R_AX] | cpu->s.gpr[R_DX] << 32;
}

static bool all_zero(const uint8_t *p, unsigned n)
{
    uint8_t any = 0;
    for (unsigned i = 0; i < n; i++) {
        any |= p[i];
    }
    return any == 0;
}

static uint64_t in_use(struct x86_cpu *cpu)
{
    const struct x86_state *s = &cpu->s;
    uint64_t use = 0;
    bool x87 = s->fcw != FCW_INIT || s->fsw || s->ftag || s->fop || s->fip || s->fdp || s->fcs ||
               s->fds;
    for (unsigned i = 0; i < 8; i++) {
        x87 = x87 || s->fpr[i].mant || s->fpr[i].se;
    }
    for (unsigned i = 0; i < xmm_count(cpu); i++) {
        use |= all_zero(s->ymm[i], 16) ? 0 : XCR0_SSE;
        use |= all_zero(s->ymm[i] + 16, 16) ? 0 : XCR0_AVX;
    }
    return use | (x87 ? XCR0_X87 : 0);
}

/* Writes @components; the header says @bv and @comp. Parts that are not saved stay as they are. A
 * page fault names the last byte or else the first, as on Intel's processors. */
static void xsave(struct x86_cpu *cpu, const struct insn *in, uint64_t components, uint64_t asked,
                  bool compact)
{
    uint8_t image[X_BYTES] = {0};
    bool user = cpu->cpl == 3;
    unsigned len = asked & XCR0_AVX ? X_BYTES : X_YMM;
    uint64_t lin = image_lin(cpu, in, len, 64, true);
    x86_lin_probe_write(cpu, (lin + len - 1) & cpu->lin_mask, 1, user);
    x86_lin_probe_write(cpu, lin, 1, user);
    uint64_t bv = x86_lin_read(cpu, lin + X_HEADER, 8, user);
    bv = compact ? asked & in_use(cpu) : (bv & ~asked) | (asked & in_use(cpu));
    put_x87(cpu, in, image);
    put_xmm(cpu, image);
    if (components & XCR0_X87) {
        x86_lin_write_bytes(cpu, lin, image, 24, user);
        x86_lin_write_bytes(cpu, lin + FX_ST, image + FX_ST, FX_XMM - FX_ST, user);
    }
    if (compact ? components & XCR0_SSE : asked & (XCR0_SSE | XCR0_AVX)) {
        x86_lin_write(cpu, lin + 24, cpu->s.mxcsr | (uint64_t)MXCSR_ALL << 32, 8, user);
    }
    if (components & XCR0_SSE) {
        x86_lin_write_bytes(cpu, lin + FX_XMM, image + FX_XMM, 16 * xmm_count(cpu), user);
    }
    if (components & XCR0_AVX) {
        for (unsigned i = 0; i < xmm_count(cpu); i++) {
            memcpy(image + X_YMM + 16 * i, cpu->s.ymm[i] + 16, 16);
        }
        x86_lin_write_bytes(cpu, lin + X_YMM, image + X_YMM, 16 * xmm_count(cpu), user);
    }
    x86_lin_write(cpu, lin + X_HEADER, bv, 8, user);
    if (compact) {
        x86_lin_write(cpu, lin + X_HEADER + 8, asked | XCOMP_COMPACT, 8, user);
    }
}

OP(xsave)
{
    x_available(cpu);
    uint64_t asked = cpu->s.xcr0 & edx_eax(cpu);
    xsave(cpu, in, asked, asked, false);
}

OP(xsaveopt)
{
    x_available(cpu);
    uint64_t asked = cpu->s.xcr0 & edx_eax(cpu);
    xsave(cpu, in, asked & in_use(cpu), asked, false);
}

/* MXCSR counts for SSE: other than its initial value, the component is in use. */
OP(xsavec)
{
    x_available(cpu);
    uint64_t asked = cpu->s.xcr0 & edx_eax(cpu), use = in_use(cpu);
    use |= cpu->s.mxcsr != MXCSR_INIT ? XCR0_SSE : 0;
    xsave(cpu, in, asked & use, asked, true);
}

/* #GP(0) unless the header is valid ([SDM1] "Operation of XRSTOR"). */
static bool header_valid(const struct x86_cpu *cpu, const uint8_t *header)
{
    uint64_t bv = ld64le(header), comp = ld64le(header + 8);
    if (!(comp & XCOMP_COMPACT)) {
        return !(bv & ~cpu->s.xcr0) && all_zero(header + 8, 16);
    }
    return x86_has(cpu->model, X86_F_XSAVEC) && !(comp & ~XCOMP_COMPACT & ~cpu->s.xcr0) &&
           !(bv & ~comp) && all_zero(header + 16, 48);
}

OP(xrstor)
{
    static const uint8_t zeros[FX_BYTES];
    uint8_t image[X_BYTES] = {0};
    bool user = cpu->cpl == 3;
    x_available(cpu);
    uint64_t asked = cpu->s.xcr0 & edx_eax(cpu);
    uint64_t lin = image_lin(cpu, in, X_YMM, 64, false);
    x86_lin_read(cpu, (lin + X_HEADER + 8) & cpu->lin_mask, 8, user); /* the first to fault */
    x86_lin_read_bytes(cpu, lin, image, X_YMM, user);
    uint64_t bv = ld64le(image + X_HEADER), load = asked & bv;
    bool compact = ld64le(image + X_HEADER + 8) & XCOMP_COMPACT;
    if (!header_valid(cpu, image + X_HEADER)) {
        x86_fault(cpu, X86_GP, 0);
    }
    if (load & XCR0_AVX) {
        x86_lin_read_bytes(cpu, x86_lin_r(cpu, in->seg, insn_ea(cpu, in) + X_YMM, 256),
                           image + X_YMM, 256, user);
    }
    if (compact ? load & XCR0_SSE : asked & (XCR0_SSE | XCR0_AVX)) {
        load_mxcsr(cpu, ld32le(image + 24));
    } else if (asked & XCR0_SSE) {
        cpu->s.mxcsr = MXCSR_INIT;
    }
    if (load & XCR0_X87) {
        get_x87(cpu, in, image);
    } else if (asked & XCR0_X87) {
        init_x87(cpu, in);
    }
    if (asked & XCR0_SSE) {
        get_xmm(cpu, load & XCR0_SSE ? image : zeros);
    }
    for (unsigned i = 0; (asked & XCR0_AVX) && i < xmm_count(cpu); i++) {
        memcpy(cpu->s.ymm[i] + 16, load & XCR0_AVX ? image + X_YMM + 16 * i : zeros, 16);
    }
}

OP(xgetbv)
{
    uint32_t index = (uint32_t)cpu->s.gpr[R_CX];
    if (!(cpu->s.cr4 & CR4_OSXSAVE)) {
        x86_fault_noerr(cpu, X86_UD);
    }
    if (index > 1 || (index == 1 && !x86_has(cpu->model, X86_F_XGETBV1))) {
        x86_fault(cpu, X86_GP, 0);
    }
    uint64_t v = index == 0 ? cpu->s.xcr0 : cpu->s.xcr0 & in_use(cpu);
    cpu->s.gpr[R_AX] = (uint32_t)v;
    cpu->s.gpr[R_DX] = v >> 32;
}

OP(xsetbv)
{
    uint64_t v = edx_eax(cpu), known = XCR0_X87 | XCR0_SSE;
    known |= x86_has(cpu->model, X86_F_AVX) ? XCR0_AVX : 0;
    if (!(cpu->s.cr4 & CR4_OSXSAVE)) {
        x86_fault_noerr(cpu, X86_UD);
    }
    require_cpl0(cpu);
    if ((uint32_t)cpu->s.gpr[R_CX] != 0 || !(v & XCR0_X87) || (v & ~known) ||
        ((v & XCR0_AVX) && !(v & XCR0_SSE))) {
        x86_fault(cpu, X86_GP, 0);
    }
    cpu->s.xcr0 = v;
}

/* ---- caches, order, waiting ---- */

/* [SDM2] "MFENCE". Loads among each other and stores among each other are in order as it is. */
OP(fence)
{
    atomic_thread_fence(memory_order_seq_cst);
}

/* Faults as a read of one byte. */
OP(clflush)
{
    x86_ld8(cpu, in->seg, insn_ea(cpu, in));
}

OP(monitor)
{
    if (cpu->cpl != 0) {
        x86_fault_noerr(cpu, X86_UD);
    }
    if ((uint32_t)cpu->s.gpr[R_CX] != 0) {
        x86_fault(cpu, X86_GP, 0); /* no extensions */
    }
    x86_ld8(cpu, in->seg, cpu->s.gpr[R_AX] & (~0ull >> in->ea_shift));
}

OP(mwait)
{
    if (cpu->cpl != 0) {
        x86_fault_noerr(cpu, X86_UD);
    }
    if ((uint32_t)cpu->s.gpr[R_CX] & ~1u) {
        x86_fault(cpu, X86_GP, 0);
    }
}
