/*
 * x87 control instructions, and the environment and state images in memory.
 *
 * Source: [SDM1] "Saving the x87 FPU's State", "x87 FPU Control Instructions"; [SDM2], the entry of
 *         each instruction.
 */
#include "core/accel/interp/x87.h"

/* ---- control ---- */

OP(fwait)
{
    if ((cpu->s.cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) {
        x86_fault_noerr(cpu, X86_NM);
    }
    x87_pending(cpu);
}

OP(fnop)
{
    x87_begin(cpu);
    x87_note(cpu, in);
}

OP(fnop_nowait)
{
    x87_available(cpu);
}

static void init(struct x86_cpu *cpu)
{
    cpu->s.fcw = FCW_INIT;
    cpu->s.fsw &= FSW_ES; /* for update_es to see it go */
    cpu->s.ftag = 0;
    cpu->s.fop = cpu->s.fcs = cpu->s.fds = 0;
    cpu->s.fip = cpu->s.fdp = 0;
    x87_update_es(cpu);
}

OP(fninit)
{
    x87_available(cpu);
    init(cpu);
}

OP(fnclex)
{
    x87_available(cpu);
    cpu->s.fsw &= (uint16_t)~(FSW_EXCEPTIONS | FSW_SF);
    x87_update_es(cpu);
}

OP(fldcw)
{
    x87_begin(cpu);
    cpu->s.fcw = (uint16_t)((x87_mem(cpu, in, 2) & 0x1f3f) | 0x40);
    x87_update_es(cpu);
}

OP(fnstcw)
{
    x87_available(cpu);
    x86_st16(cpu, in->seg, insn_ea(cpu, in), cpu->s.fcw);
}

OP(fnstsw_m16)
{
    x87_available(cpu);
    x86_st16(cpu, in->seg, insn_ea(cpu, in), cpu->s.fsw);
}

OP(fnstsw_ax)
{
    x87_available(cpu);
    reg_w16(cpu, GPR_OFF(R_AX), cpu->s.fsw);
}

/* ---- environment and state images ([SDM1] "Saving the x87 FPU's State") ---- */

static uint16_t tag_word(struct x86_cpu *cpu)
{
    unsigned tags = 0;
    for (unsigned i = 0; i < 8; i++) {
        unsigned tag = cpu->s.ftag >> i & 1 ? fpu_tag(&cpu->s.fpr[i]) : 3;
        tags |= tag << (2 * i);
    }
    return (uint16_t)tags;
}

static void set_tag_word(struct x86_cpu *cpu, uint16_t tags)
{
    cpu->s.ftag = 0;
    for (unsigned i = 0; i < 8; i++) {
        cpu->s.ftag |= (uint8_t)(((tags >> (2 * i) & 3) != 3) << i);
    }
}

static bool protected_form(const struct x86_cpu *cpu)
{
    return cpu->pe && !cpu->vm;
}

static unsigned env_bytes(const struct insn *in)
{
    return in->opsize == 2 ? 14 : 28;
}

/* Fills @env in the form of operand size and mode; returns its length. */
static unsigned make_env(struct x86_cpu *cpu, const struct insn *in, uint8_t env[28])
{
    const struct x86_state *s = &cpu->s;
    uint32_t word[7] = {s->fcw | 0xffff0000u, s->fsw | 0xffff0000u, tag_word(cpu) | 0xffff0000u};
    if (protected_form(cpu)) {
        word[3] = (uint32_t)s->fip;
        word[4] = s->fcs | (uint32_t)s->fop << 16;
        word[5] = (uint32_t)s->fdp;
        word[6] = s->fds | 0xffff0000u;
    } else {
        uint32_t ip = (uint32_t)s->fip + ((uint32_t)s->fcs << 4);
        uint32_t dp = (uint32_t)s->fdp + ((uint32_t)s->fds << 4);
        word[3] = (ip & 0xffff) | 0xffff0000u;
        word[4] = (ip >> 16) << 12 | s->fop;
        word[5] = (dp & 0xffff) | 0xffff0000u;
        word[6] = (dp >> 16) << 12;
    }
    for (unsigned i = 0; i < 7; i++) {
        if (in->opsize == 2) {
            st16le(env + 2 * i, (uint16_t)word[i]);
        } else {
            st32le(env + 4 * i, word[i]);
        }
    }
    return env_bytes(in);
}

static void take_env(struct x86_cpu *cpu, const struct insn *in, const uint8_t *env)
{
    struct x86_state *s = &cpu->s;
    uint32_t word[7];
    bool wide = in->opsize != 2;
    for (unsigned i = 0; i < 7; i++) {
        word[i] = wide ? ld32le(env + 4 * i) : ld16le(env + 2 * i);
    }
    s->fcw = (uint16_t)((word[0] & 0x1f3f) | 0x40);
    bool was_es = s->fsw & FSW_ES;
    s->fsw = (uint16_t)((word[1] & ~(uint32_t)FSW_ES) | (was_es ? FSW_ES : 0));
    set_tag_word(cpu, (uint16_t)word[2]);
    if (protected_form(cpu)) {
        s->fip = word[3];
        s->fcs = (uint16_t)word[4];
        s->fop = wide ? word[4] >> 16 & 0x7ff : 0;
        s->fdp = word[5];
        s->fds = (uint16_t)word[6];
    } else {
        s->fip = (word[3] & 0xffff) | (word[4] >> 12) << 16;
        s->fdp = (word[5] & 0xffff) | (word[6] >> 12) << 16;
        s->fop = word[4] & 0x7ff;
        s->fcs = s->fds = 0;
    }
    x87_update_es(cpu);
}

/* Images are made of words of the operand size, which decides their alignment. Faults come as on
 * Intel's processors: of the first word, the last byte, then the rest. */
static unsigned image_word(const struct insn *in)
{
    return in->opsize == 2 ? 2 : 4;
}

static void image_read(struct x86_cpu *cpu, const struct insn *in, uint8_t *image, unsigned len)
{
    uint64_t ea = insn_ea(cpu, in);
    x86_lin_r(cpu, in->seg, ea, image_word(in));
    uint64_t lin = x86_seg_check(cpu, in->seg, ea, len, false);
    if ((lin & PAGE_OFFSET) + len > PAGE_BYTES) {
        x86_lin_read(cpu, lin, image_word(in), cpu->cpl == 3);
        x86_lin_read(cpu, (lin + len - 1) & cpu->lin_mask, 1, cpu->cpl == 3);
    }
    x86_lin_read_bytes(cpu, lin, image, len, cpu->cpl == 3);
}

static void image_write(struct x86_cpu *cpu, const struct insn *in, const uint8_t *image,
                        unsigned len)
{
    uint64_t ea = insn_ea(cpu, in);
    x86_lin_w(cpu, in->seg, ea, image_word(in));
    uint64_t lin = x86_seg_check(cpu, in->seg, ea, len, true);
    if ((lin & PAGE_OFFSET) + len > PAGE_BYTES) {
        x86_lin_probe_write(cpu, lin, image_word(in), cpu->cpl == 3);
        x86_lin_probe_write(cpu, (lin + len - 1) & cpu->lin_mask, 1, cpu->cpl == 3);
    }
    x86_lin_write_bytes(cpu, lin, image, len, cpu->cpl == 3);
}

OP(fnstenv)
{
    uint8_t env[28];
    x87_available(cpu);
    unsigned len = make_env(cpu, in, env);
    image_write(cpu, in, env, len);
    cpu->s.fcw |= FSW_EXCEPTIONS;
    x87_update_es(cpu);
}

OP(fldenv)
{
    uint8_t env[28];
    x87_begin(cpu);
    unsigned len = env_bytes(in);
    image_read(cpu, in, env, len);
    take_env(cpu, in, env);
}

OP(fnsave)
{
    uint8_t image[28 + 80];
    x87_available(cpu);
    unsigned len = make_env(cpu, in, image);
    for (unsigned i = 0; i < 8; i++) {
        st64le(image + len, x87_st(cpu, i)->mant);
        st16le(image + len + 8, x87_st(cpu, i)->se);
        len += 10;
    }
    image_write(cpu, in, image, len);
    init(cpu);
}

OP(frstor)
{
    uint8_t image[28 + 80];
    x87_begin(cpu);
    unsigned at = env_bytes(in), len = at + 80;
    image_read(cpu, in, image, len);
    take_env(cpu, in, image);
    for (unsigned i = 0; i < 8; i++, at += 10) {
        x87_st(cpu, i)->mant = ld64le(image + at);
        x87_st(cpu, i)->se = ld16le(image + at + 8);
    }
}
