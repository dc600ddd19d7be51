/*
 * The guest's YMM, XMM, MMX and x87 registers in the host's own.
 *
 * A block that computes with them makes sure at its start that they are there (translated.fp). They
 * stay from one block to the next; what calls C puts them back into the context. While they are
 * there, the host's MXCSR or x87 control word is the guest's, too. With all exceptions masked every
 * instruction then does on the host what it does on the guest, flags, tags and stack faults
 * included. An x87 exception that is not masked waits for the next instruction: a block translated
 * while there are such looks at FSW.ES behind each one, and leaves before the host would raise it.
 * With an exception of SSE unmasked, with CR0.TS and the like the interpreter runs the block.
 *
 * Source: [SDM1] "FXSAVE Area Layout" of the chapters on x87 and SSE; [SDM2] "FXSAVE".
 */
#include "core/accel/jit/code.h"

#include "core/accel/interp/vec.h"

struct fxsave {
    uint16_t fcw, fsw;
    uint8_t tags, reserved;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    struct x86_fpr st[8];                               /* ST(0) first */
    uint8_t rest[512 - 32 - 8 * 16];
} __attribute__((aligned(16)));
_Static_assert(sizeof(struct fxsave) == 512 && sizeof(struct x86_fpr) == 16, "as the host has it");

/* ---- x87 ---- */

static void store_x87(struct x86_cpu *cpu)
{
    struct fxsave image;
    static const uint16_t host_fcw = FCW_INIT;
    __asm__ volatile("fxsave64 %0" : "=m"(image));
    if (image.fsw & ~image.fcw & FSW_EXCEPTIONS) {      /* EMMS would raise it */
        __asm__ volatile("fnclex"); /* cheaper than FNINIT, and often not needed */
    }
    __asm__ volatile("emms\n\tfldcw %0" : : "m"(host_fcw));
    cpu->s.fsw = image.fsw;
    cpu->s.ftag = image.tags;
    for (unsigned i = 0; i < 8; i++) {
        *x87_st(cpu, i) = image.st[i];
    }
}

static void load_x87(struct x86_cpu *cpu)
{
    struct fxsave image;
    memset(&image, 0, offsetof(struct fxsave, st));     /* what XMM registers get does not matter */
    image.fcw = (cpu->s.fcw & 0x1f3f) | 0x40;
    image.fsw = cpu->s.fsw;
    image.tags = cpu->s.ftag;
    image.mxcsr = MXCSR_INIT;
    for (unsigned i = 0; i < 8; i++) {
        image.st[i] = *x87_st(cpu, i);
    }
    __asm__ volatile("fxrstor64 %0"
                     :
                     : "m"(image)
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* ---- XMM, YMM ---- */

/* Jumps if none of @which is in the host. */
static uint8_t *unless(struct emit *e, unsigned which)
{
    struct host_mem fp = cpu_field(ENGINE_OFFSET(translated.fp));
    emit_rm(e, 0xf6, 1, 0, &fp);                        /* test byte [fp], which */
    emit_u8(e, which);
    return emit_jcc(e, 4);
}

/* MOVUPS of all registers, or VMOVUPS of all of them. */
static void move_all(struct emit *e, unsigned op)
{
    uint8_t *narrow = unless(e, FP_YMM);
    for (unsigned i = 0; i < 16; i++) {
        struct host_mem m = cpu_field(CPU_OFFSET(s.ymm[0]) + 32 * (int32_t)i);
        emit_vex_rm(e, (struct host_vex){.op = op, .l = true}, (enum host_reg)i, &m);
    }
    uint8_t *end = emit_jmp(e);
    emit_link(narrow, e->at);
    for (unsigned i = 0; i < 16; i++) {
        struct host_mem m = cpu_field(CPU_OFFSET(s.ymm[0]) + 32 * (int32_t)i);
        emit_rm(e, op, 4, (enum host_reg)i, &m);
    }
    emit_link(end, e->at);
}

void jit_fp_emit_store(struct emit *e)
{
    struct host_mem guest = cpu_field(CPU_OFFSET(s.mxcsr));
    struct host_mem host = cpu_field(ENGINE_OFFSET(translated.host_mxcsr));
    uint8_t *no = unless(e, FP_VEC);
    move_all(e, 0x0f11);
    emit_rm(e, 0x0fae, 4, (enum host_reg)3, &guest);    /* stmxcsr */
    emit_rm(e, 0x0fae, 4, (enum host_reg)2, &host);     /* ldmxcsr */
    uint8_t *clean = unless(e, FP_YMM);
    emit_u8(e, 0xc5);                                   /* vzeroupper: C code is SSE */
    emit_u8(e, 0xf8);
    emit_u8(e, 0x77);
    emit_link(clean, e->at);
    emit_link(no, e->at);
}

void jit_fp_emit_load(struct emit *e)
{
    struct host_mem guest = cpu_field(CPU_OFFSET(s.mxcsr));
    uint8_t *no = unless(e, FP_VEC);
    emit_rm(e, 0x0fae, 4, (enum host_reg)2, &guest);    /* ldmxcsr */
    move_all(e, 0x0f10);
    emit_link(no, e->at);
}

/* ---- both ---- */

static bool all_masked(const struct x86_state *s)
{
    return (s->fcw & FSW_EXCEPTIONS) == FSW_EXCEPTIONS;
}

/* Would the host's registers do what the guest's do? */
static bool allowed(const struct x86_state *s, unsigned which)
{
    if (s->cr0 & (CR0_EM | CR0_TS)) {
        return false;
    }
    if ((which & FP_VEC) && (!(s->cr4 & CR4_OSFXSR) || (s->mxcsr & ~(uint32_t)MXCSR_ALL) ||
                             (s->mxcsr & MXCSR_MASKS) != MXCSR_MASKS)) {
        return false;
    }
    if ((which & FP_YMM) && (!(s->cr4 & CR4_OSXSAVE) || (~s->xcr0 & (XCR0_SSE | XCR0_AVX)))) {
        return false;
    }
    if (!(which & (FP_X87 | FP_X87_ANY))) {
        return true;
    }
    return !(s->fsw & (FSW_ES | FSW_B | (FSW_EXCEPTIONS & ~s->fcw))) &&
           (!(which & FP_X87) || all_masked(s));
}

void jit_fp_leave(struct x86_cpu *cpu)
{
    struct interp *e = interp_of(cpu);
    if (unlikely(e->translated.fp & (FP_X87 | FP_X87_ANY))) {
        store_x87(cpu);
    }
    e->translated.fp = 0;
}

bool jit_fp_allowed(const struct x86_cpu *cpu, unsigned which)
{
    return allowed(&cpu->s, which & (all_masked(&cpu->s) ? ~0u : ~(unsigned)FP_X87));
}

bool jit_fp_return(struct x86_cpu *cpu, unsigned which)
{
    struct interp *e = interp_of(cpu);
    if (likely(!which)) {
        return true;
    }
    if (!allowed(&cpu->s, which)) {
        return false;
    }
    if (which & (FP_X87 | FP_X87_ANY)) {
        load_x87(cpu);
        which |= all_masked(&cpu->s) ? FP_X87 | FP_X87_ANY : FP_X87_ANY;
    }
    e->translated.host_mxcsr = MXCSR_INIT;
    e->translated.fp = (uint8_t)which;
    return true;
}

int jit_fp_load(struct x86_cpu *cpu, struct jit_block *jb, unsigned wanted)
{
    unsigned now = interp_of(cpu)->translated.fp;
    jit_fp_leave(cpu);
    if ((wanted & FP_X87) && !all_masked(&cpu->s)) {
        jit_renew(jit_of(interp_of(cpu)), jb); /* with looks at FSW.ES */
        return 1;
    }
    return !jit_fp_return(cpu, (now & ~(unsigned)FP_X87) | wanted);
}
