/*
 * Far transfers: JMP, CALL, RET and IRET in every mode, through code segments, call gates, task
 * gates and TSSs.
 *
 * Source: [SDM2] "JMP", "CALL", "RET", "IRET" (their Operation sections give the order of the
 *         checks); [SDM3] "Gate Descriptors", "Stack Switching", "Task Gate Descriptor".
 * Model:  a transfer reads and checks everything, writes its stack frame, sets the accessed bits
 *         and only then changes registers.
 */
#include "core/cpu/mech.h"

void x86_put_cs(struct x86_cpu *cpu, const struct x86_seg *cs, uint64_t rip,
                const struct x86_stack *st)
{
    struct x86_seg *old = &cpu->s.seg[S_CS];
    bool same = !st && old->attr == cs->attr && old->limit == cs->limit &&
                (old->base != 0) == (cs->base != 0);
    *old = *cs;
    cpu->s.rip = rip;
    if (st) {
        cpu->s.seg[S_SS] = st->seg;
        cpu->s.gpr[R_SP] = st->sp;
    }
    if (!same) { /* real-mode calls and returns change the base only */
        x86_code_changed(cpu);
    }
}

void x86_put_real_cs(struct x86_cpu *cpu, uint16_t sel, uint64_t rip)
{
    struct x86_seg *cs = &cpu->s.seg[S_CS];
    cs->sel = sel;
    cs->base = (uint32_t)sel << 4;
    cpu->s.rip = rip;
    if (unlikely((cs->base != 0) != (cpu->seg_based >> S_CS & 1))) {
        x86_code_changed(cpu);
    }
}

static bool protected_mode(const struct x86_cpu *cpu)
{
    return cpu->pe && !cpu->vm;
}

/* CS of real-address and virtual-8086 mode. */
static struct x86_seg real_cs(const struct x86_cpu *cpu, uint16_t sel)
{
    struct x86_seg cs = cpu->vm ? x86_v86_seg(sel) : cpu->s.seg[S_CS];
    cs.sel = sel;
    cs.base = (uint32_t)sel << 4;
    return cs;
}

static uint64_t offset_of(uint64_t off, unsigned size)
{
    return off & size_mask(size);
}

/* A direct transfer of JMP or CALL: privilege stays. */
static void check_direct_code(struct x86_cpu *cpu, const struct x86_desc *d)
{
    unsigned dpl = attr_dpl(d->attr);
    if (attr_conforming(d->attr) ? dpl > cpu->cpl : dpl != cpu->cpl || sel_rpl(d->sel) > cpu->cpl) {
        x86_fault(cpu, X86_GP, SEL_ERR(d->sel));
    }
}

/* A gate or TSS descriptor may be used: DPL against CPL and RPL, then presence. */
static void check_gate(struct x86_cpu *cpu, const struct x86_desc *d)
{
    unsigned dpl = attr_dpl(d->attr);
    if (dpl < cpu->cpl || dpl < sel_rpl(d->sel)) {
        x86_fault(cpu, X86_GP, SEL_ERR(d->sel));
    }
    if (!(d->attr & AR_P)) {
        x86_fault(cpu, X86_NP, SEL_ERR(d->sel));
    }
}

/* JMP or CALL to a TSS or task gate. */
static void to_task(struct x86_cpu *cpu, const struct x86_desc *d, enum x86_task_source how,
                    uint64_t next)
{
    unsigned type = attr_system(d->attr);
    if (type == SYS_TASK) {
        check_gate(cpu, d);
        x86_task_switch(cpu, gate_sel(d), how, next, false, 0);
        return;
    }
    if (attr_dpl(d->attr) < cpu->cpl || attr_dpl(d->attr) < sel_rpl(d->sel)) {
        x86_fault(cpu, X86_GP, SEL_ERR(d->sel));
    }
    x86_task_switch(cpu, d->sel, how, next, false, 0);
}

static bool is_task(const struct x86_cpu *cpu, const struct x86_desc *d)
{
    unsigned type = attr_system(d->attr);
    return !cpu->lma && (type == SYS_TASK || type == SYS_TSS16 || type == SYS_TSS32 ||
                         type == SYS_TSS16_BUSY || type == SYS_TSS32_BUSY);
}

static bool is_call_gate(const struct x86_cpu *cpu, const struct x86_desc *d)
{
    unsigned type = attr_system(d->attr);
    return type == SYS_CALL32 || (type == SYS_CALL16 && !cpu->lma);
}

/* The code segment that a call gate leads to, in long mode one of 64 bits; its privilege is the
 * caller's to check. */
static void gate_target(struct x86_cpu *cpu, struct x86_desc *gate, struct x86_desc *code)
{
    if (cpu->lma) {
        x86_desc_high(cpu, gate);
    }
    check_gate(cpu, gate);
    if (sel_null(gate_sel(gate))) {
        x86_fault(cpu, X86_GP, 0);
    }
    x86_desc_need(cpu, gate_sel(gate), code, X86_GP);
    if (!attr_code(code->attr) || attr_dpl(code->attr) > cpu->cpl ||
        (cpu->lma && (code->attr & (AR_L | AR_DB)) != AR_L)) {
        x86_fault(cpu, X86_GP, SEL_ERR(code->sel));
    }
}

static void jump_to(struct x86_cpu *cpu, struct x86_desc *d, uint64_t rip)
{
    struct x86_seg cs = x86_code_seg(cpu, d, cpu->cpl);
    x86_check_rip(cpu, &cs, rip);
    x86_desc_accessed(cpu, d);
    x86_put_cs(cpu, &cs, rip, NULL);
}

void x86_far_jmp(struct x86_cpu *cpu, uint16_t sel, uint64_t off, unsigned size)
{
    struct x86_desc d, code;
    off = offset_of(off, size);
    if (!protected_mode(cpu)) {
        struct x86_seg cs = real_cs(cpu, sel);
        x86_check_rip(cpu, &cs, off);
        x86_put_cs(cpu, &cs, off, NULL);
        return;
    }
    if (sel_null(sel)) {
        x86_fault(cpu, X86_GP, 0);
    }
    x86_desc_need(cpu, sel, &d, X86_GP);
    if (attr_code(d.attr)) {
        check_direct_code(cpu, &d);
        jump_to(cpu, &d, off);
    } else if (is_call_gate(cpu, &d)) {
        gate_target(cpu, &d, &code);
        if (!attr_conforming(code.attr) && attr_dpl(code.attr) != cpu->cpl) {
            x86_fault(cpu, X86_GP, SEL_ERR(code.sel));
        }
        jump_to(cpu, &code, gate_offset(&d));
    } else if (is_task(cpu, &d)) {
        to_task(cpu, &d, TASK_JMP, cpu->s.rip);
    } else {
        x86_fault(cpu, X86_GP, SEL_ERR(sel));
    }
}

/* CALL within the privilege level. */
static void call_same(struct x86_cpu *cpu, struct x86_desc *d, const struct x86_seg *cs,
                      uint64_t rip, uint64_t next, unsigned size)
{
    struct x86_stack st;
    x86_stack_current(cpu, &st);
    if (cpu->lma) { /* the stack is that of the code called, in either direction */
        st.mask = cs->attr & AR_L ? ~0ull : st.seg.attr & AR_DB ? 0xffffffff : 0xffff;
    }
    x86_stack_add(&st, cpu->s.seg[S_CS].sel);
    x86_stack_add(&st, next);
    x86_stack_check(cpu, &st, size);
    x86_check_rip(cpu, cs, rip);
    x86_stack_write(cpu, &st, size);
    if (d) {
        x86_desc_accessed(cpu, d);
    }
    x86_put_cs(cpu, cs, rip, &st);
}

/* CALL through a 64-bit gate to an inner level: no parameters, a null SS. */
static void call_inner_long(struct x86_cpu *cpu, const struct x86_desc *gate, struct x86_desc *code,
                            uint64_t next)
{
    unsigned cpl = attr_dpl(code->attr);
    struct x86_seg cs = x86_code_seg(cpu, code, cpl);
    struct x86_stack st;
    x86_stack_long(cpu, &st, cpl, x86_tss_rsp(cpu, cpl, 0));
    x86_stack_add(&st, cpu->s.seg[S_SS].sel);
    x86_stack_add(&st, cpu->s.gpr[R_SP]);
    x86_stack_add(&st, cpu->s.seg[S_CS].sel);
    x86_stack_add(&st, next);
    x86_stack_check(cpu, &st, 8);
    x86_check_rip(cpu, &cs, gate_offset(gate));
    x86_stack_write(cpu, &st, 8);
    x86_desc_accessed(cpu, code);
    x86_put_cs(cpu, &cs, gate_offset(gate), &st);
}

/* CALL through a gate to an inner level: new stack from the TSS, parameters copied. */
static void call_inner(struct x86_cpu *cpu, const struct x86_desc *gate, struct x86_desc *code,
                       uint64_t next)
{
    unsigned size = gate->attr & 8 ? 4 : 2, cpl = attr_dpl(code->attr);
    struct x86_seg cs = x86_code_seg(cpu, code, cpl);
    struct x86_desc ssd;
    struct x86_stack st;
    uint16_t ss;
    uint64_t sp;
    x86_tss_stack(cpu, cpl, &ss, &sp);
    x86_stack_desc(cpu, ss, cpl, X86_TS, &ssd);
    struct x86_seg seg = x86_desc_seg(&ssd);
    seg.attr |= AR_ACCESSED;
    x86_stack_new(&st, &seg, sp, cpl);
    x86_stack_add(&st, cpu->s.seg[S_SS].sel);
    x86_stack_add(&st, cpu->s.gpr[R_SP]);
    for (unsigned n = gate_params(gate); n > 0; n--) {
        x86_stack_add(&st, x86_stack_peek(cpu, (n - 1) * size, size));
    }
    x86_stack_add(&st, cpu->s.seg[S_CS].sel);
    x86_stack_add(&st, next);
    x86_stack_check(cpu, &st, size);
    x86_check_rip(cpu, &cs, gate_offset(gate));
    x86_stack_write(cpu, &st, size);
    x86_desc_accessed(cpu, &ssd);
    x86_desc_accessed(cpu, code);
    x86_put_cs(cpu, &cs, gate_offset(gate), &st);
}

static void call_gate(struct x86_cpu *cpu, struct x86_desc *gate, uint64_t next)
{
    struct x86_desc code;
    gate_target(cpu, gate, &code);
    if (attr_conforming(code.attr) || attr_dpl(code.attr) == cpu->cpl) {
        struct x86_seg cs = x86_code_seg(cpu, &code, cpu->cpl);
        call_same(cpu, &code, &cs, gate_offset(gate), next, gate_size(cpu, gate));
    } else if (cpu->lma) {
        call_inner_long(cpu, gate, &code, next);
    } else {
        call_inner(cpu, gate, &code, next);
    }
}

void x86_far_call(struct x86_cpu *cpu, uint16_t sel, uint64_t off, uint64_t next, unsigned size)
{
    struct x86_desc d;
    struct x86_seg cs;
    off = offset_of(off, size);
    if (!protected_mode(cpu)) {
        cs = real_cs(cpu, sel);
        call_same(cpu, NULL, &cs, off, next, size);
        return;
    }
    if (sel_null(sel)) {
        x86_fault(cpu, X86_GP, 0);
    }
    x86_desc_need(cpu, sel, &d, X86_GP);
    if (attr_code(d.attr)) {
        check_direct_code(cpu, &d);
        cs = x86_code_seg(cpu, &d, cpu->cpl);
        call_same(cpu, &d, &cs, off, next, size);
    } else if (is_call_gate(cpu, &d)) {
        call_gate(cpu, &d, next);
    } else if (is_task(cpu, &d)) {
        to_task(cpu, &d, TASK_CALL, next);
    } else {
        x86_fault(cpu, X86_GP, SEL_ERR(sel));
    }
}

/* ---- returns ---- */

/* The code segment that RET or IRET goes back to. */
static void return_code(struct x86_cpu *cpu, uint16_t sel, struct x86_desc *d)
{
    if (sel_null(sel)) {
        x86_fault(cpu, X86_GP, 0);
    }
    x86_desc_need(cpu, sel, d, X86_GP);
    unsigned dpl = attr_dpl(d->attr), rpl = sel_rpl(sel);
    if (!attr_code(d->attr) || rpl < cpu->cpl ||
        (attr_conforming(d->attr) ? dpl > rpl : dpl != rpl)) {
        x86_fault(cpu, X86_GP, SEL_ERR(sel));
    }
}

/* The stack that goes with @cs at privilege @cpl; its SP and SS lie at SP + @at. SS may be null in
 * 64-bit mode but for CPL 3; ssd->lin is 0 then. */
static void outer_stack(struct x86_cpu *cpu, unsigned at, unsigned size, unsigned cpl,
                        const struct x86_seg *cs, struct x86_desc *ssd, struct x86_stack *st)
{
    uint64_t sp = x86_stack_peek(cpu, at, size);
    uint16_t ss = (uint16_t)x86_stack_peek(cpu, at + size, size);
    bool wide = attr_code64(cpu, cs->attr);
    struct x86_seg seg;
    if (wide && sel_null(ss) && cpl < 3 && sel_rpl(ss) == cpl) {
        *ssd = (struct x86_desc){.attr = AR_ACCESSED};
        seg = x86_null_seg(ss);
        seg.attr |= cpl << AR_DPL_SHIFT; /* CPL lives there */
    } else {
        x86_stack_desc(cpu, ss, cpl, X86_GP, ssd);
        seg = x86_desc_seg(ssd);
        seg.attr |= AR_ACCESSED;
    }
    if (!wide && !(seg.attr & AR_DB)) { /* the upper half of ESP stays */
        sp = (cpu->s.gpr[R_SP] & 0xffff0000) | (sp & 0xffff);
    }
    x86_stack_new(st, &seg, wide ? sp : (uint32_t)sp, cpl);
    if (wide) {
        st->mask = ~0ull;
    }
}

/* SP after a return: a 16-bit stack keeps the upper half of ESP. */
static uint64_t sp_plus(const struct x86_stack *st, uint64_t bytes)
{
    return (st->sp & ~st->mask & 0xffffffff) | ((st->sp + bytes) & st->mask);
}

static void ret_real(struct x86_cpu *cpu, unsigned size, unsigned pop)
{
    uint64_t rip = x86_stack_peek(cpu, 0, size);
    struct x86_seg cs = real_cs(cpu, (uint16_t)x86_stack_peek(cpu, size, size));
    x86_check_rip(cpu, &cs, rip);
    x86_stack_drop(cpu, 2 * size + pop);
    x86_put_cs(cpu, &cs, rip, NULL);
}

void x86_far_ret(struct x86_cpu *cpu, unsigned size, unsigned pop)
{
    if (!protected_mode(cpu)) {
        ret_real(cpu, size, pop);
        return;
    }
    struct x86_desc d, ssd;
    struct x86_stack st;
    uint64_t rip = x86_stack_peek(cpu, 0, size);
    uint16_t sel = (uint16_t)x86_stack_peek(cpu, size, size);
    return_code(cpu, sel, &d);
    unsigned cpl = sel_rpl(sel);
    struct x86_seg cs = x86_code_seg(cpu, &d, cpl);
    if (cpl == cpu->cpl) {
        x86_check_rip(cpu, &cs, rip);
        x86_desc_accessed(cpu, &d);
        x86_stack_drop(cpu, 2 * size);
        x86_put_cs(cpu, &cs, rip, NULL);
        x86_stack_drop(cpu, pop); /* by the stack of the code that it goes back to */
        return;
    }
    outer_stack(cpu, 2 * size + pop, size, cpl, &cs, &ssd, &st);
    x86_check_rip(cpu, &cs, rip);
    x86_desc_accessed(cpu, &d);
    x86_desc_accessed(cpu, &ssd);
    st.sp = sp_plus(&st, pop);
    x86_put_cs(cpu, &cs, rip, &st);
    x86_drop_segs(cpu, cpl);
}

enum {
    /* What IRET takes from the image at every privilege; size 4 adds the second line. */
    IRET_ALWAYS = FL_OSZAPC | FL_TF | FL_DF | FL_NT,
    IRET_WIDE = FL_RF | FL_AC | FL_ID,
};

/* Flags that IRET may change at the CPL it runs at. */
static uint64_t iret_mask(const struct x86_cpu *cpu, unsigned size)
{
    uint64_t mask = IRET_ALWAYS | (size > 2 ? IRET_WIDE : 0);
    if (cpu->cpl <= (cpu->s.rflags & FL_IOPL) >> 12) {
        mask |= FL_IF;
    }
    if (cpu->cpl == 0) {
        mask |= FL_IOPL | (size > 2 ? FL_VIF | FL_VIP : 0);
    }
    return mask;
}

static void iret_real(struct x86_cpu *cpu, unsigned size)
{
    const uint8_t *frame = size == 2 ? x86_real_frame(cpu, 0, false) : NULL;
    uint64_t rip = frame ? ld16le(frame) : x86_stack_peek(cpu, 0, size);
    uint16_t sel = frame ? ld16le(frame + 2) : (uint16_t)x86_stack_peek(cpu, size, size);
    uint64_t flags = frame ? ld16le(frame + 4) : x86_stack_peek(cpu, 2 * size, size);
    x86_check_rip(cpu, &cpu->s.seg[S_CS], rip);
    x86_stack_drop(cpu, 3 * size);
    x86_set_rflags(cpu, flags, IRET_ALWAYS | FL_IF | FL_IOPL | (size > 2 ? IRET_WIDE : 0));
    x86_put_real_cs(cpu, sel, rip);
}

/* [SDM2] "IRET", RETURN-FROM-VIRTUAL-8086-MODE; [SDM3] "Virtual-8086 Mode Extensions" for IOPL
 * below 3. */
static void iret_v86(struct x86_cpu *cpu, unsigned size)
{
    bool iopl3 = (cpu->s.rflags & FL_IOPL) == FL_IOPL;
    if (!iopl3 && (size != 2 || !(cpu->s.cr4 & CR4_VME))) {
        x86_fault(cpu, X86_GP, 0);
    }
    uint64_t rip = x86_stack_peek(cpu, 0, size);
    struct x86_seg cs = real_cs(cpu, (uint16_t)x86_stack_peek(cpu, size, size));
    uint64_t flags = x86_stack_peek(cpu, 2 * size, size);
    uint64_t mask = IRET_ALWAYS | (size > 2 ? IRET_WIDE : 0) | (iopl3 ? FL_IF : 0);
    if (!iopl3) {
        if ((flags & FL_TF) || ((flags & FL_IF) && (cpu->s.rflags & FL_VIP))) {
            x86_fault(cpu, X86_GP, 0);
        }
        flags = (flags & ~(uint64_t)FL_VIF) | (flags & FL_IF ? FL_VIF : 0);
        mask |= FL_VIF;
    }
    x86_check_rip(cpu, &cs, rip);
    x86_stack_drop(cpu, 3 * size);
    x86_set_rflags(cpu, flags, mask);
    x86_put_cs(cpu, &cs, rip, NULL);
}

/* RETURN-TO-VIRTUAL-8086-MODE: EIP CS EFLAGS ESP SS ES DS FS GS, 32 bits each. */
static void iret_to_v86(struct x86_cpu *cpu)
{
    static const uint8_t order[] = {S_SS, S_ES, S_DS, S_FS, S_GS};
    uint32_t item[9];
    for (unsigned i = 0; i < ARRAY_SIZE(item); i++) {
        item[i] = (uint32_t)x86_stack_peek(cpu, i * 4, 4);
    }
    struct x86_seg cs = x86_v86_seg((uint16_t)item[1]);
    x86_check_rip(cpu, &cs, item[0]);
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
        cpu->s.seg[order[i]] = x86_v86_seg((uint16_t)item[4 + i]);
    }
    cpu->s.gpr[R_SP] = item[3];
    x86_set_rflags(cpu, item[2],
                   IRET_ALWAYS | IRET_WIDE | FL_IF | FL_IOPL | FL_VM | FL_VIF | FL_VIP);
    x86_put_cs(cpu, &cs, item[0], NULL);
}

static void iret_protected(struct x86_cpu *cpu, unsigned size)
{
    struct x86_desc d, ssd;
    struct x86_stack st;
    uint64_t mask = iret_mask(cpu, size);
    if (likely(x86_pass_iret(cpu, size, mask))) {
        return;
    }
    uint32_t from = x86_passage_from(cpu);
    uint64_t rip = x86_stack_peek(cpu, 0, size);
    uint16_t sel = (uint16_t)x86_stack_peek(cpu, size, size);
    uint64_t flags = x86_stack_peek(cpu, 2 * size, size);
    if ((flags & FL_VM) && size == 4 && cpu->cpl == 0 && !cpu->lma) {
        iret_to_v86(cpu);
        return;
    }
    return_code(cpu, sel, &d);
    unsigned cpl = sel_rpl(sel);
    struct x86_seg cs = x86_code_seg(cpu, &d, cpl);
    bool outer = cpl != cpu->cpl;
    if (!outer && !(cpu->mode & MODE_CS64)) {
        x86_check_rip(cpu, &cs, rip);
        x86_desc_accessed(cpu, &d);
        x86_stack_drop(cpu, 3 * size);
        x86_set_rflags(cpu, flags, mask);
        x86_put_cs(cpu, &cs, rip, NULL);
        x86_note_iret(cpu, from, size, &d, NULL);
        return;
    }
    outer_stack(cpu, 3 * size, size, cpl, &cs, &ssd, &st); /* in 64-bit mode always */
    x86_check_rip(cpu, &cs, rip);
    x86_desc_accessed(cpu, &d);
    x86_desc_accessed(cpu, &ssd);
    x86_set_rflags(cpu, flags, mask);
    x86_put_cs(cpu, &cs, rip, &st);
    if (outer) {
        x86_drop_segs(cpu, cpl);
    }
    x86_note_iret(cpu, from, size, &d, &ssd);
}

/* TASK-RETURN: to the task that the back link of the current TSS names. */
static void iret_task(struct x86_cpu *cpu)
{
    if (cpu->lma) {
        x86_fault(cpu, X86_GP, 0);
    }
    uint16_t link = (uint16_t)sys_read(cpu, cpu->s.tr.base, 2);
    x86_task_switch(cpu, link, TASK_IRET, cpu->s.rip, false, 0);
}

/* [SDM3] "Handling Multiple NMIs": NMIs are let in again even if the IRET faults. */
void x86_iret(struct x86_cpu *cpu, unsigned size)
{
    cpu->s.nmi_blocked = false;
    if (!cpu->pe) {
        iret_real(cpu, size);
    } else if (cpu->vm) {
        iret_v86(cpu, size);
    } else if (cpu->s.rflags & FL_NT) {
        iret_task(cpu);
    } else {
        iret_protected(cpu, size);
    }
}
