/*
 * Emitters: SYSCALL, SYSRET and SWAPGS of 64-bit code.
 *
 * Source: [SDM2] under each mnemonic; core/cpu/syscall.c, which this repeats without a call.
 * Model:  both sides are 64-bit code, so segments and what is derived from them differ in CS, SS
 *         and privilege only, and the context of what follows is known beforehand. Flags that would
 *         change more (AC, with SMAP and alignment checks; TF) are the interpreter's matter.
 */
#include "core/accel/jit/translate.h"

/* One side of the transfer. */
struct side {
    unsigned cpl;
    uint32_t mode;
    unsigned tlb, context;
};

/* Is the block's code flat, and is a context known for its like at privilege @cpl? */
static bool find_side(const struct trans *t, unsigned cpl, struct side *to)
{
    const struct jit_context *c = t->context;
    const uint32_t kinds = SEG_FLAT << (2 * S_CS) | SEG_FLAT << (2 * S_SS);
    const uint32_t both = 3u << (2 * S_CS) | 3u << (2 * S_SS);
    to->cpl = cpl;
    to->mode = (c->mode & ~(uint32_t)MODE_CPL3) | (cpl == 3 ? MODE_CPL3 : 0);
    to->tlb = cpl == 3 ? TLB_USER : TLB_SUPER;
    return t->wide && c->cs_base == 0 && (c->segs & both) == kinds &&
           jit_context_like(t->j, t->jb->context, to->mode, to->tlb, &to->context);
}

/* @digit: 1 OR, 4 AND; 7 CMP */
static void with_imm(struct trans *t, unsigned digit, enum host_reg reg, uint32_t imm)
{
    emit_rr(&t->e, 0x81, 4, (enum host_reg)digit, reg);
    emit_imm(&t->e, imm, 4);
}

/* @digit: 4 SHL, 5 SHR */
static void shift(struct trans *t, unsigned digit, enum host_reg reg, unsigned count)
{
    emit_rr(&t->e, 0xc1, 4, (enum host_reg)digit, reg);
    emit_u8(&t->e, count);
}

/* To the interpreter if one of the @bits of the byte or word there is set (5), or none is (4). */
static void slow_if_bits(struct trans *t, int32_t offset, uint32_t bits, unsigned cc)
{
    struct host_mem m = cpu_field(offset);
    emit_rm(&t->e, 0xf7, 4, 0, &m);                     /* test */
    emit_imm(&t->e, bits, 4);
    trans_slow_if(t, cc);
}

/* R8 = RFLAGS without RF, the arithmetic flags from translated.flags. Uses R9. */
static void load_rflags(struct trans *t)
{
    struct host_mem of = cpu_field(ENGINE_OFFSET(translated.flags));
    struct host_mem low = cpu_field(ENGINE_OFFSET(translated.flags) + 1);
    emit_load(&t->e, 4, HOST_8, CPU_OFFSET(s.rflags));
    with_imm(t, 4, HOST_8, ~(uint32_t)(FL_OSZAPC | FL_RF));
    emit_rm(&t->e, 0x0fb6, 4, HOST_9, &low);
    with_imm(t, 4, HOST_9, FL_OSZAPC & 0xff);
    emit_rr(&t->e, 0x0b, 4, HOST_8, HOST_9);
    emit_rm(&t->e, 0x0fb6, 4, HOST_9, &of);
    shift(t, 4, HOST_9, 11);
    emit_rr(&t->e, 0x0b, 4, HOST_8, HOST_9);
}

/* RFLAGS = R8, and what is kept of it elsewhere: translated.flags; whether interrupts matter. Uses
 * R9, R10. */
static void put_rflags(struct trans *t)
{
    _Static_assert(FL_IF >> 8 == PEND_INTR, "shifted below");
    emit_store(&t->e, 8, HOST_8, CPU_OFFSET(s.rflags));
    emit_mov(&t->e, 4, HOST_9, HOST_8);
    shift(t, 4, HOST_9, 8);
    emit_mov(&t->e, 4, HOST_10, HOST_8);
    shift(t, 5, HOST_10, 11);
    with_imm(t, 4, HOST_10, 1);
    emit_rr(&t->e, 0x0b, 4, HOST_9, HOST_10);
    emit_store(&t->e, 2, HOST_9, ENGINE_OFFSET(translated.flags));
    shift(t, 5, HOST_8, 8);
    with_imm(t, 4, HOST_8, PEND_INTR);
    emit_load(&t->e, 4, HOST_9, CPU_OFFSET(pend_mask));
    with_imm(t, 4, HOST_9, ~(uint32_t)PEND_INTR);
    emit_rr(&t->e, 0x0b, 4, HOST_9, HOST_8);
    emit_store(&t->e, 4, HOST_9, CPU_OFFSET(pend_mask));
}

/* To the interpreter if anything is pending: it may be taken as soon as IF is set, and whoever made
 * it pending has told translated code before. Uses R9. */
static void slow_if_pending(struct trans *t)
{
    struct host_mem word = {HOST_9, HOST_NONE, 0, 0};
    emit_load(&t->e, 8, HOST_9, CPU_OFFSET(pending));
    emit_rm(&t->e, 0x83, 4, (enum host_reg)7, &word);   /* cmp */
    emit_u8(&t->e, 0);
    trans_slow_if(t, 5);
}

static void store_imm(struct trans *t, unsigned size, uint32_t imm, int32_t offset)
{
    struct host_mem m = cpu_field(offset);
    emit_rm(&t->e, size == 1 ? 0xc6 : 0xc7, size, 0, &m);
    emit_imm(&t->e, imm, size == 1 ? 1 : 4);
}

/* A flat segment with selector (R9 + @more) & ~3 | cpl; its base is 0 before, too. Uses R10. */
static void put_segment(struct trans *t, const struct side *to, unsigned seg, unsigned more,
                        uint32_t attr)
{
    int32_t at = CPU_OFFSET(s.seg[0]) + (int32_t)(seg * sizeof(struct x86_seg));
    const uint32_t all = AR_G | AR_P | AR_S | AR_WRITABLE | AR_ACCESSED;
    emit_lea(&t->e, 4, HOST_10, HOST_9, HOST_NONE, (int)more);
    with_imm(t, 4, HOST_10, 0xfffc);
    with_imm(t, 1, HOST_10, to->cpl);
    emit_store(&t->e, 2, HOST_10, at + (int32_t)offsetof(struct x86_seg, sel));
    store_imm(t, 4, all | attr | to->cpl << AR_DPL_SHIFT,
              at + (int32_t)offsetof(struct x86_seg, attr));
    store_imm(t, 4, 0xffffffff, at + (int32_t)offsetof(struct x86_seg, limit));
}

/* What x86_code_changed and jit_find_context would derive. Uses R9. */
static void put_derived(struct trans *t, const struct side *to)
{
    static const int32_t keys[] = {
        ENGINE_OFFSET(translated.jump_key), ENGINE_OFFSET(translated.global_key)};
    store_imm(t, 1, to->cpl, CPU_OFFSET(cpl));
    store_imm(t, 4, to->mode, CPU_OFFSET(mode));
    store_imm(t, 1, TLB_SUPER, CPU_OFFSET(super_tlb));
    emit_lea(&t->e, 8, HOST_9, REG_CPU, HOST_NONE,
             CPU_OFFSET(tlbs) + (int32_t)(to->tlb * sizeof(t->j->e->cpu.tlbs[0])));
    emit_store(&t->e, 8, HOST_9, CPU_OFFSET(tlb));
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
        struct host_mem m = cpu_field(keys[i]);
        emit_rm(&t->e, 0x81, 8, 0, &m);                 /* add: they differ by their context */
        emit_imm(&t->e, to->context - t->jb->context, 4);
    }
}

/* What the calls of one side return to is nothing for the other. Uses R9. */
static void forget_returns(struct trans *t)
{
    const struct returns *r = &t->j->returns;
    struct host_mem top = {HOST_SP, HOST_NONE, 0, 0};
    emit_mov_imm(&t->e, HOST_SP, (uintptr_t)returns_top(r));
    emit_mov_imm(&t->e, HOST_9, (uintptr_t)r->none);
    emit_rm(&t->e, 0x89, 8, HOST_9, &top);
}

/* The flags are in translated.flags, registers in memory; R8 to R11 are free. */
static void begin(struct trans *t)
{
    trans_save_flags(t);
    t->in_host = false;
    trans_forget_held(t);
    slow_if_bits(t, CPU_OFFSET(s.efer), EFER_SCE, 4);
}

bool emit_syscall(struct trans *t)
{
    struct side to;
    if (!find_side(t, 0, &to)) {
        return false;
    }
    begin(t);
    slow_if_bits(t, CPU_OFFSET(s.rflags), FL_AC, 5);
    load_rflags(t);
    emit_store(&t->e, 8, HOST_8, 8 * R_11);
    emit_mov_imm(&t->e, HOST_CX, trans_next(t));
    emit_load(&t->e, 4, HOST_9, CPU_OFFSET(s.sfmask));
    emit_rr(&t->e, 0xf7, 4, 2, HOST_9);                 /* not */
    with_imm(t, 1, HOST_9, FL_1);
    emit_rr(&t->e, 0x23, 4, HOST_8, HOST_9);
    put_rflags(t);
    emit_load(&t->e, 4, HOST_9, CPU_OFFSET(s.star) + 4);
    put_segment(t, &to, S_CS, 0, AR_CODE | AR_L);
    put_segment(t, &to, S_SS, 8, AR_DB);
    put_derived(t, &to);
    forget_returns(t);
    emit_load(&t->e, 8, HOST_8, CPU_OFFSET(s.lstar));
    trans_exit_elsewhere(t);
    t->ended = true;
    return true;
}

bool emit_sysret(struct trans *t)
{
    const uint32_t from_r11 = FL_OSZAPC | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT | FL_AC | FL_VIF |
                              FL_VIP | FL_ID;
    struct side to;
    if (t->in->opsize != 8 || !trans_may_be_cpl0(t) || !find_side(t, 3, &to)) {
        return false;
    }
    begin(t);
    trans_need_cpl0(t);
    slow_if_bits(t, 8 * R_11, FL_TF | FL_AC, 5);
    slow_if_pending(t);
    trans_check_target(t, HOST_CX);
    emit_load(&t->e, 4, HOST_8, 8 * R_11);
    with_imm(t, 4, HOST_8, from_r11);
    emit_load(&t->e, 4, HOST_9, CPU_OFFSET(s.rflags));
    with_imm(t, 4, HOST_9, ~from_r11);
    emit_rr(&t->e, 0x0b, 4, HOST_8, HOST_9);
    put_rflags(t);
    emit_load(&t->e, 4, HOST_9, CPU_OFFSET(s.star) + 4);
    shift(t, 5, HOST_9, 16);
    put_segment(t, &to, S_CS, 16, AR_CODE | AR_L);
    put_segment(t, &to, S_SS, 8, AR_DB);
    put_derived(t, &to);
    forget_returns(t);
    emit_mov(&t->e, 8, HOST_8, HOST_CX);
    trans_exit_elsewhere(t);
    t->ended = true;
    return true;
}

/* Of FS and GS 64-bit code looks up the base whenever it needs it. */
bool emit_swapgs(struct trans *t)
{
    const int32_t base = CPU_OFFSET(s.seg[S_GS].base), other = CPU_OFFSET(s.kernel_gs_base);
    if (!t->wide || !trans_may_be_cpl0(t)) {
        return false;
    }
    trans_need_cpl0(t);
    emit_load(&t->e, 8, HOST_8, base);
    emit_load(&t->e, 8, HOST_9, other);
    emit_store(&t->e, 8, HOST_8, other);
    emit_store(&t->e, 8, HOST_9, base);
    return true;
}
