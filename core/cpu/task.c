/*
 * Hardware task switches.
 *
 * Source: [SDM3] "Task Management": "Task Switching" (its numbered steps), table "Exception
 *         Conditions Checked During a Task Switch", "32-Bit" and "16-Bit Task-State Segment".
 * Model:  both TSSs and the two busy bits are known to be writable before anything is changed.
 *         After the switch is made, faults belong to the new task, with RIP at its first
 *         instruction.
 * Chosen: a 16-bit TSS clears the upper halves of the general registers.
 */
#include "core/cpu/mech.h"
#include "trace/core_cpu.h"

/* What a TSS says of a task. Selectors in the order of enum x86_sreg. */
struct task {
    uint32_t cr3, eip, eflags, gpr[8];
    uint16_t sel[6], ldt;
    bool debug;              /* T */
};

enum {
    TSS32_CR3 = 0x1c, TSS32_EIP = 0x20, TSS32_EFLAGS = 0x24, TSS32_GPR = 0x28, TSS32_SEG = 0x48,
    TSS32_LDT = 0x60, TSS32_DEBUG = 0x64, TSS32_LIMIT = 0x67,
    TSS16_IP = 0x0e, TSS16_FLAGS = 0x10, TSS16_GPR = 0x12, TSS16_SEG = 0x22, TSS16_LDT = 0x2a,
    TSS16_LIMIT = 0x2b,
};

static void read_task(struct x86_cpu *cpu, uint64_t base, bool wide, struct task *t)
{
    unsigned size = wide ? 4 : 2, segs = wide ? 6 : 4;
    *t = (struct task){
        .eip = (uint32_t)sys_read(cpu, base + (wide ? TSS32_EIP : TSS16_IP), size),
        .eflags = (uint32_t)sys_read(cpu, base + (wide ? TSS32_EFLAGS : TSS16_FLAGS), size),
        .ldt = (uint16_t)sys_read(cpu, base + (wide ? TSS32_LDT : TSS16_LDT), 2),
    };
    for (unsigned i = 0; i < 8; i++) {
        t->gpr[i] = (uint32_t)sys_read(cpu, base + (wide ? TSS32_GPR : TSS16_GPR) + i * size, size);
    }
    for (unsigned i = 0; i < segs; i++) {
        t->sel[i] = (uint16_t)sys_read(cpu, base + (wide ? TSS32_SEG : TSS16_SEG) + i * size, 2);
    }
    if (wide) {
        t->cr3 = (uint32_t)sys_read(cpu, base + TSS32_CR3, 4);
        t->debug = sys_read(cpu, base + TSS32_DEBUG, 1) & 1;
    }
}

/* Saves the current task; @flags is the image to keep. The TSS was probed. */
static void write_task(struct x86_cpu *cpu, uint64_t rip, uint64_t flags)
{
    bool wide = cpu->s.tr.attr & 8;
    uint64_t base = cpu->s.tr.base;
    unsigned size = wide ? 4 : 2, segs = wide ? 6 : 4;
    sys_write(cpu, base + (wide ? TSS32_EIP : TSS16_IP), rip, size);
    sys_write(cpu, base + (wide ? TSS32_EFLAGS : TSS16_FLAGS), flags, size);
    for (unsigned i = 0; i < 8; i++) {
        sys_write(cpu, base + (wide ? TSS32_GPR : TSS16_GPR) + i * size, cpu->s.gpr[i], size);
    }
    for (unsigned i = 0; i < segs; i++) {
        sys_write(cpu, base + (wide ? TSS32_SEG : TSS16_SEG) + i * size, cpu->s.seg[i].sel, 2);
    }
}

/* Step 3 and 4: the new TSS descriptor. Its privilege is the caller's matter. */
static void check_tss(struct x86_cpu *cpu, uint16_t sel, bool iret, struct x86_desc *d)
{
    unsigned vector = iret ? X86_TS : X86_GP;
    if (sel & 4) {
        x86_fault(cpu, vector, SEL_ERR(sel));
    }
    x86_desc_need(cpu, sel, d, vector);
    unsigned type = attr_system(d->attr) & ~8u;
    if (type != (iret ? SYS_TSS16_BUSY : SYS_TSS16)) {
        x86_fault(cpu, vector, SEL_ERR(sel));
    }
    if (!(d->attr & AR_P)) {
        x86_fault(cpu, X86_NP, SEL_ERR(sel));
    }
    if (x86_desc_seg(d).limit < (d->attr & 8 ? (uint32_t)TSS32_LIMIT : (uint32_t)TSS16_LIMIT)) {
        x86_fault(cpu, X86_TS, SEL_ERR(sel));
    }
}

/* Step 5: everything that will be written can be. */
static void probe(struct x86_cpu *cpu, const struct x86_desc *d, uint64_t new_base, bool link)
{
    bool wide = cpu->s.tr.attr & 8;
    unsigned first = wide ? TSS32_EIP : TSS16_IP, end = wide ? TSS32_LDT : TSS16_LDT;
    sys_probe_write(cpu, cpu->s.tr.base + first, end - first);
    sys_probe_write(cpu, d->lin + 5, 1);
    sys_probe_write(cpu, cpu->s.gdtr.base + (cpu->s.tr.sel & 0xfff8u) + 5, 1);
    if (link) {
        sys_probe_write(cpu, new_base, 2);
    }
}

/* ---- the new task's segments: faults are its own ---- */

static void load_ldt(struct x86_cpu *cpu, uint16_t sel)
{
    struct x86_desc d;
    cpu->s.ldtr = x86_null_seg(sel);
    if (sel_null(sel)) {
        return;
    }
    if ((sel & 4) || !x86_desc_read(cpu, sel, &d) || attr_system(d.attr) != SYS_LDT ||
        !(d.attr & AR_P)) {
        x86_fault(cpu, X86_TS, SEL_ERR(sel));
    }
    cpu->s.ldtr = x86_desc_seg(&d);
}

static void load_code(struct x86_cpu *cpu, uint16_t sel)
{
    struct x86_desc d;
    if (sel_null(sel)) {
        x86_fault(cpu, X86_TS, 0);
    }
    x86_desc_need(cpu, sel, &d, X86_TS);
    unsigned dpl = attr_dpl(d.attr), rpl = sel_rpl(sel);
    if (!attr_code(d.attr) || (attr_conforming(d.attr) ? dpl > rpl : dpl != rpl)) {
        x86_fault(cpu, X86_TS, SEL_ERR(sel));
    }
    struct x86_seg cs = x86_code_seg(cpu, &d, rpl);
    x86_desc_accessed(cpu, &d);
    x86_put_seg(cpu, S_CS, &cs);
}

static void load_stack(struct x86_cpu *cpu, uint16_t sel)
{
    struct x86_desc d;
    x86_stack_desc(cpu, sel, cpu->cpl, X86_TS, &d);
    x86_desc_accessed(cpu, &d);
    struct x86_seg ss = x86_desc_seg(&d);
    x86_put_seg(cpu, S_SS, &ss);
}

static void load_data(struct x86_cpu *cpu, unsigned seg, uint16_t sel)
{
    struct x86_desc d;
    if (sel_null(sel)) {
        return;
    }
    x86_desc_need(cpu, sel, &d, X86_TS);
    unsigned dpl = attr_dpl(d.attr);
    if (!(d.attr & AR_S) || (attr_code(d.attr) && !(d.attr & AR_READABLE)) ||
        (!attr_conforming(d.attr) && (dpl < cpu->cpl || dpl < sel_rpl(sel)))) {
        x86_fault(cpu, X86_TS, SEL_ERR(sel));
    }
    if (!(d.attr & AR_P)) {
        x86_fault(cpu, X86_NP, SEL_ERR(sel));
    }
    x86_desc_accessed(cpu, &d);
    struct x86_seg val = x86_desc_seg(&d);
    x86_put_seg(cpu, seg, &val);
}

static void load_segments(struct x86_cpu *cpu, const struct task *t)
{
    static const uint8_t data[] = {S_DS, S_ES, S_FS, S_GS};
    load_ldt(cpu, t->ldt);
    if (cpu->vm) {
        return;
    }
    load_code(cpu, t->sel[S_CS]);
    load_stack(cpu, t->sel[S_SS]);
    for (unsigned i = 0; i < ARRAY_SIZE(data); i++) {
        load_data(cpu, data[i], t->sel[data[i]]);
    }
}

/* Registers of the new task. Selectors are loaded, their descriptors not yet: until then the caches
 * are unusable and CPL is what CS asks for. */
static void commit(struct x86_cpu *cpu, const struct task *t, bool wide)
{
    bool vm = t->eflags & FL_VM;
    cpu->cur = NULL;
    cpu->s.rip = t->eip;
    for (unsigned i = 0; i < 8; i++) {
        cpu->s.gpr[i] = t->gpr[i];
    }
    for (unsigned i = 0; i < 6; i++) {
        cpu->s.seg[i] = vm ? x86_v86_seg(t->sel[i]) : x86_null_seg(t->sel[i]);
    }
    if (!vm) {
        cpu->s.seg[S_SS].attr |= (uint32_t)sel_rpl(t->sel[S_CS]) << AR_DPL_SHIFT;
    }
    cpu->s.ldtr = x86_null_seg(t->ldt);
    x86_set_rflags(cpu, t->eflags,
                   FL_OSZAPC | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT | FL_RF | FL_VM | FL_AC |
                       FL_VIF | FL_VIP | FL_ID);
    cpu->s.cr0 |= CR0_TS;
    cpu->s.dr[7] &= ~0x155ull; /* local breakpoints */
    x86_debug_changed(cpu);
    x86_mode_changed(cpu);
    if (wide && cpu->pg && cpu->s.cr3 != t->cr3) {
        x86_set_cr3(cpu, t->cr3);
    }
}

void x86_task_switch(struct x86_cpu *cpu, uint16_t tss_sel, enum x86_task_source source,
                     uint64_t next_rip, bool has_error, uint32_t error)
{
    bool iret = source == TASK_IRET, nested = source == TASK_CALL || source == TASK_GATE;
    struct x86_desc d;
    struct task t;
    struct x86_seg tss;
    bool wide;
    do { /* taken as late as a fault can still go back to the old task */
        check_tss(cpu, tss_sel, iret, &d);
        tss = x86_desc_seg(&d);
        wide = tss.attr & 8;
        read_task(cpu, tss.base, wide, &t);
        probe(cpu, &d, tss.base, nested);
    } while (!iret && !x86_desc_take(cpu, &d));
    trace_task_switch(cpu->s.tr.sel, tss_sel, source, next_rip);

    uint16_t old = cpu->s.tr.sel;
    if (!nested) {
        x86_desc_release(cpu, old);
    }
    write_task(cpu, next_rip, x86_get_rflags(cpu) & ~(uint64_t)(iret ? FL_NT : 0));
    if (nested) {
        sys_write(cpu, tss.base, old, 2);
        t.eflags |= FL_NT;
    }
    tss.attr |= TSS_BUSY;
    cpu->s.tr = tss;
    commit(cpu, &t, wide);
    load_segments(cpu, &t);
    if (has_error) {
        x86_push(cpu, error, wide ? 4 : 2);
    }
    x86_check_rip(cpu, &cpu->s.seg[S_CS], cpu->s.rip);
    if (t.debug) {
        cpu->exc.active = false; /* delivered: a trap before the first instruction follows */
        x86_debug_trap(cpu, DR6_BT);
    }
}
