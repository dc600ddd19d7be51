/*
 * Faults and the delivery of interrupts and exceptions.
 *
 * Source: [SDM3] "Interrupt and Exception Handling" (classes, double fault conditions, error
 *         codes), "Masking Exceptions and Interrupts When Switching Stacks", "Debug Exceptions";
 *         [SDM2] "INT n/INTO/INT3/INT1" (its Operation section gives the order of the checks);
 *         [SDM3] "Virtual-8086 Mode" and "Software Interrupt Handling Methods"; [SDM3] "Exception
 *         and Interrupt Handling in 64-bit Mode".
 */
#include "core/cpu/mech.h"
#include "trace/core_cpu.h"

/* ---- raising ---- */

enum { MOST_NESTED = 8 };        /* faults in a row while one is delivered */

enum fault_class { BENIGN, CONTRIBUTORY, PAGE };

static enum fault_class class_of(unsigned vector)
{
    switch (vector) {
    case X86_DE: case X86_TS: case X86_NP: case X86_SS: case X86_GP: return CONTRIBUTORY;
    case X86_PF: return PAGE;
    default: return BENIGN;
    }
}

static bool external(unsigned kind)
{
    return kind != INT_SOFTWARE && kind != INT_SOFT_EXC;
}

/* [SDM3] "Interrupt 8 - Double Fault Exception (#DF)": a second fault while the first is
 * delivered. Benign ones such as #AC, of a stack that is not aligned, may follow each other for
 * ever (processors hang so until RESET); after some they are a double fault here, which ends in
 * shutdown. */
static bool makes_double_fault(const struct x86_cpu *cpu, unsigned vector)
{
    if (cpu->exc.kind != INT_EXCEPTION) {
        return false;
    }
    if (cpu->exc.nested >= MOST_NESTED) {
        return true;
    }
    enum fault_class first = class_of(cpu->exc.vector), second = class_of(vector);
    return (first == CONTRIBUTORY && second == CONTRIBUTORY) || (first == PAGE && second != BENIGN);
}

/* One more of a chain of faults, or the first of a new one. */
static void note_fault(struct x86_cpu *cpu, unsigned vector, bool has_error, uint32_t error)
{
    struct x86_notes *n = &cpu->notes;
    bool nested = cpu->exc.active && cpu->exc.kind == INT_EXCEPTION && n->n_faults != 0;
    if (!nested) {
        struct x86_place at = x86_here(cpu);
        bool again = n->n_faults != 0 && n->fault[0].vector == vector && n->at.rip == at.rip &&
                     n->at.cs == at.cs;
        n->repeats = again ? n->repeats + 1 : 0;
        n->at = at;
        n->n_faults = 0;
        n->bits = cpu->mode & MODE_CS64 ? 64 : cpu->mode & MODE_CS32 ? 32 : 16;
        n->cr2 = cpu->s.cr2;
        n->first_kind = cpu->exc.active ? cpu->exc.kind : 0xff;
        n->first_vector = cpu->exc.vector;
    }
    if (n->n_faults < NOTES_FAULTS) {
        n->fault[n->n_faults].vector = n->fault[n->n_faults].delivered = (uint8_t)vector;
        n->fault[n->n_faults].has_error = has_error;
        n->fault[n->n_faults++].error = error;
    }
}

_Noreturn static void raise_exception(struct x86_cpu *cpu, unsigned vector, bool has_error,
                                      uint32_t error)
{
    cpu->s.rip = x86_insn_rip(cpu);
    x86_derive_super(cpu);
    note_fault(cpu, vector, has_error, error);
    cpu->watch_hits = 0; /* the instruction did not complete; it will be run again */
    cpu->exc.nested = cpu->exc.active ? cpu->exc.nested + 1 : 0;
    if (cpu->exc.active) {
        if (cpu->exc.kind == INT_EXCEPTION && cpu->exc.vector == X86_DF) {
            trace_trap_shutdown(vector, error, cpu->s.seg[S_CS].sel, cpu->s.rip);
            cpu->s.activity = ACT_SHUTDOWN;
            cpu->exc.active = false;
            longjmp(cpu->unwind, 1);
        }
        if (makes_double_fault(cpu, vector)) {
            vector = X86_DF;
            cpu->notes.fault[cpu->notes.n_faults - 1].delivered = X86_DF;
            has_error = true;
            error = 0;
        } else if (class_of(vector) == CONTRIBUTORY && has_error && external(cpu->exc.kind)) {
            error |= 1; /* EXT: not the program's doing */
        }
    }
    cpu->exc.active = true;
    cpu->exc.kind = INT_EXCEPTION;
    cpu->exc.vector = (uint8_t)vector;
    cpu->exc.has_error = has_error;
    cpu->exc.error = error;
    longjmp(cpu->unwind, 1);
}

void x86_fault(struct x86_cpu *cpu, unsigned vector, uint32_t error)
{
    raise_exception(cpu, vector, true, error);
}

void x86_fault_noerr(struct x86_cpu *cpu, unsigned vector)
{
    raise_exception(cpu, vector, false, 0);
}

/* ---- delivery ---- */

/* What is delivered. */
struct event {
    unsigned vector;
    unsigned kind;
    bool has_error;
    uint32_t error;
    uint64_t flags;          /* EFLAGS image to push */
};

/* Real-address mode: [SDM2] "INT n", REAL-ADDRESS-MODE. No error codes. */
static void deliver_real(struct x86_cpu *cpu, const struct event *e)
{
    struct x86_stack st;
    if (e->vector == 0x13 && e->kind == INT_SOFTWARE) {
        const uint64_t *r = cpu->s.gpr;
        cpu->notes.int13.at = x86_here(cpu);
        cpu->notes.int13.ax = (uint16_t)r[R_AX];
        cpu->notes.int13.bx = (uint16_t)r[R_BX];
        cpu->notes.int13.cx = (uint16_t)r[R_CX];
        cpu->notes.int13.dx = (uint16_t)r[R_DX];
        cpu->notes.int13.es = cpu->s.seg[S_ES].sel;
    }
    if (e->vector * 4 + 3 > cpu->s.idtr.limit) {
        x86_fault(cpu, X86_GP, e->vector * 8 + 2);
    }
    uint8_t *frame = x86_real_frame(cpu, -6, true);
    if (unlikely(!frame)) {
        x86_stack_current(cpu, &st);
        x86_stack_add(&st, e->flags & 0xffff);
        x86_stack_add(&st, cpu->s.seg[S_CS].sel);
        x86_stack_add(&st, cpu->s.rip);
        x86_stack_check(cpu, &st, 2);
    }
    uint32_t to = (uint32_t)sys_read(cpu, cpu->s.idtr.base + e->vector * 4, 4);
    x86_check_rip(cpu, &cpu->s.seg[S_CS], to & 0xffff);
    if (likely(frame)) {
        st16le(frame, (uint16_t)cpu->s.rip);
        st16le(frame + 2, cpu->s.seg[S_CS].sel);
        st16le(frame + 4, (uint16_t)e->flags);
        x86_stored(cpu, frame, 6);
        x86_set_sp(cpu, cpu->s.gpr[R_SP] - 6);
    } else {
        x86_stack_write(cpu, &st, 2);
        x86_set_sp(cpu, st.sp);
    }
    x86_set_rflags(cpu, 0, FL_IF | FL_TF | FL_AC | FL_RF);
    x86_put_real_cs(cpu, (uint16_t)(to >> 16), to & 0xffff);
}

/* INT n in virtual-8086 mode that CR4.VME lets the 8086 program handle itself: [SDM3] "Method 5"
 * (IOPL 3) and "Method 6" (IOPL < 3: VIF stands for IF). */
static void deliver_redirected(struct x86_cpu *cpu, const struct event *e)
{
    bool iopl3 = (cpu->s.rflags & FL_IOPL) == FL_IOPL;
    uint64_t flags = e->flags;
    struct x86_stack st;
    if (!iopl3) {
        flags = (flags & ~(uint64_t)FL_IF) | FL_IOPL | (flags & FL_VIF ? FL_IF : 0);
    }
    uint32_t to = (uint32_t)x86_lin_read(cpu, e->vector * 4, 4, true);
    struct x86_seg cs = x86_v86_seg((uint16_t)(to >> 16));
    x86_stack_current(cpu, &st);
    x86_stack_add(&st, flags & 0xffff);
    x86_stack_add(&st, cpu->s.seg[S_CS].sel);
    x86_stack_add(&st, cpu->s.rip);
    x86_stack_check(cpu, &st, 2);
    x86_stack_write(cpu, &st, 2);
    x86_set_sp(cpu, st.sp);
    x86_set_rflags(cpu, 0, FL_TF | FL_RF | (iopl3 ? FL_IF : FL_VIF));
    x86_put_cs(cpu, &cs, to & 0xffff, NULL);
}

/* CS, EIP and flags of the interrupted program, and the error code. */
static void add_frame(struct x86_cpu *cpu, const struct event *e, struct x86_stack *st)
{
    x86_stack_add(st, e->flags);
    x86_stack_add(st, cpu->s.seg[S_CS].sel);
    x86_stack_add(st, cpu->s.rip);
    if (e->has_error) {
        x86_stack_add(st, e->error);
    }
}

/* TF, NT, RF and VM go off in every handler, IF in that of an interrupt gate. */
static void enter_flags(struct x86_cpu *cpu, unsigned gate_type)
{
    bool masks = (gate_type & 7) == (SYS_INT16 & 7);
    x86_set_rflags(cpu, 0, FL_TF | FL_NT | FL_RF | FL_VM | (masks ? FL_IF : 0));
}

/* INTER-PRIVILEGE-LEVEL-INTERRUPT and INTERRUPT-FROM-VIRTUAL-8086-MODE. */
static void deliver_inner(struct x86_cpu *cpu, const struct event *e, const struct x86_desc *gate,
                          struct x86_desc *code)
{
    static const uint8_t data[] = {S_GS, S_FS, S_DS, S_ES};
    unsigned size = gate_size(cpu, gate), cpl = attr_dpl(code->attr);
    bool vm = cpu->vm;
    uint32_t from = x86_passage_from(cpu);
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
    for (unsigned i = 0; vm && i < ARRAY_SIZE(data); i++) {
        x86_stack_add(&st, cpu->s.seg[data[i]].sel);
    }
    x86_stack_add(&st, cpu->s.seg[S_SS].sel);
    x86_stack_add(&st, cpu->s.gpr[R_SP]);
    add_frame(cpu, e, &st);
    x86_stack_check(cpu, &st, size);
    x86_check_rip(cpu, &cs, gate_offset(gate));
    x86_stack_write(cpu, &st, size);
    x86_desc_accessed(cpu, &ssd);
    x86_desc_accessed(cpu, code);
    for (unsigned i = 0; vm && i < ARRAY_SIZE(data); i++) {
        cpu->s.seg[data[i]] = x86_null_seg(0);
    }
    enter_flags(cpu, attr_system(gate->attr));
    x86_put_cs(cpu, &cs, gate_offset(gate), &st);
    x86_note_gate(cpu, from, e->vector, gate, code, &ssd);
}

/* INTRA-PRIVILEGE-LEVEL-INTERRUPT. */
static void deliver_same(struct x86_cpu *cpu, const struct event *e, const struct x86_desc *gate,
                         struct x86_desc *code)
{
    uint32_t from = x86_passage_from(cpu);
    struct x86_seg cs = x86_code_seg(cpu, code, cpu->cpl);
    struct x86_stack st;
    unsigned size = gate_size(cpu, gate);
    x86_stack_current(cpu, &st);
    add_frame(cpu, e, &st);
    x86_stack_check(cpu, &st, size);
    x86_check_rip(cpu, &cs, gate_offset(gate));
    x86_stack_write(cpu, &st, size);
    x86_desc_accessed(cpu, code);
    enter_flags(cpu, attr_system(gate->attr));
    x86_put_cs(cpu, &cs, gate_offset(gate), &st);
    x86_note_gate(cpu, from, e->vector, gate, code, NULL);
}

/* [SDM3] "64-Bit Mode Stack Frame", "Interrupt Stack Table": the frame always has SS:RSP, every
 * item 8 bytes, on a stack aligned to 16. */
static void deliver_long(struct x86_cpu *cpu, const struct event *e, const struct x86_desc *gate,
                         struct x86_desc *code)
{
    bool inner = !attr_conforming(code->attr) && attr_dpl(code->attr) < cpu->cpl;
    unsigned cpl = inner ? attr_dpl(code->attr) : cpu->cpl, ist = gate->raw >> 32 & 7;
    uint32_t from = x86_passage_from(cpu);
    if (!(code->attr & AR_L) || (code->attr & AR_DB)) {
        x86_fault(cpu, X86_GP, SEL_ERR(code->sel));
    }
    struct x86_seg cs = x86_code_seg(cpu, code, cpl);
    uint64_t rsp = cpu->s.gpr[R_SP] & (cpu->mode & MODE_CS64 ? ~0ull : 0xffffffff);
    if (ist || inner) {
        rsp = x86_tss_rsp(cpu, cpl, ist);
    }
    struct x86_stack st;
    x86_stack_long(cpu, &st, cpl, rsp & ~15ull);
    x86_stack_add(&st, cpu->s.seg[S_SS].sel);
    x86_stack_add(&st, cpu->s.gpr[R_SP]);
    add_frame(cpu, e, &st);
    x86_stack_check(cpu, &st, 8);
    x86_check_rip(cpu, &cs, gate_offset(gate));
    x86_stack_write(cpu, &st, 8);
    x86_desc_accessed(cpu, code);
    enter_flags(cpu, attr_system(gate->attr));
    x86_put_cs(cpu, &cs, gate_offset(gate), &st);
    x86_note_gate(cpu, from, e->vector, gate, code, NULL);
}

/* The gate of a vector, checked up to its presence. Long mode has 16-byte gates of two types. */
static void need_gate(struct x86_cpu *cpu, const struct event *e, struct x86_desc *gate)
{
    uint16_t types = BIT(SYS_INT32) | BIT(SYS_TRAP32);
    unsigned bytes = cpu->lma ? 16 : 8;
    if (!cpu->lma) {
        types |= BIT(SYS_TASK) | BIT(SYS_INT16) | BIT(SYS_TRAP16);
    }
    uint32_t error = e->vector * 8 + 2; /* IDT */
    if (e->vector * bytes + bytes - 1 > cpu->s.idtr.limit) {
        x86_fault(cpu, X86_GP, error);
    }
    uint64_t at = cpu->s.idtr.base + e->vector * bytes, raw = sys_read(cpu, at, 8);
    *gate = (struct x86_desc){
        .raw = raw, .high = cpu->lma ? sys_read(cpu, at + 8, 4) : 0,
        .attr = (uint32_t)(raw >> 40) & 0xf0ff,
    };
    if (!(types >> attr_system(gate->attr) & 1)) {
        x86_fault(cpu, X86_GP, error);
    }
    if (!external(e->kind) && attr_dpl(gate->attr) < cpu->cpl) {
        x86_fault(cpu, X86_GP, error);
    }
    if (!(gate->attr & AR_P)) {
        x86_fault(cpu, X86_NP, error);
    }
}

static void deliver_protected(struct x86_cpu *cpu, const struct event *e)
{
    struct x86_desc gate, code;
    if (likely(x86_pass_gate(cpu, e->vector, !external(e->kind), e->flags,
                             e->has_error ? &e->error : NULL))) {
        return;
    }
    need_gate(cpu, e, &gate);
    uint16_t sel = gate_sel(&gate);
    if (attr_system(gate.attr) == SYS_TASK) {
        x86_task_switch(cpu, sel, TASK_GATE, cpu->s.rip, e->has_error, e->error);
        return;
    }
    if (sel_null(sel)) {
        x86_fault(cpu, X86_GP, 0);
    }
    x86_desc_need(cpu, sel, &code, X86_GP);
    unsigned dpl = attr_dpl(code.attr);
    if (!attr_code(code.attr) || dpl > cpu->cpl) {
        x86_fault(cpu, X86_GP, SEL_ERR(sel));
    }
    if (!(code.attr & AR_P)) {
        x86_fault(cpu, X86_NP, SEL_ERR(sel));
    }
    if (cpu->lma) {
        deliver_long(cpu, e, &gate, &code);
        return;
    }
    bool inner = !attr_conforming(code.attr) && dpl < cpu->cpl;
    if (cpu->vm && (!inner || dpl != 0)) {
        x86_fault(cpu, X86_GP, SEL_ERR(sel));
    }
    if (inner) {
        deliver_inner(cpu, e, &gate, &code);
    } else {
        deliver_same(cpu, e, &gate, &code);
    }
}

static void deliver(struct x86_cpu *cpu, const struct event *e)
{
    trace_trap_deliver(e->vector, e->kind, e->error, cpu->s.seg[S_CS].sel, cpu->s.rip);
    struct x86_place from = x86_here(cpu);
    cpu->s.activity = ACT_RUNNING;
    cpu->s.nmi_blocked = cpu->s.nmi_blocked || e->kind == INT_NMI;
    if (!cpu->pe) {
        deliver_real(cpu, e);
    } else if (cpu->vm && e->kind == INT_SOFTWARE) {
        if ((cpu->s.cr4 & CR4_VME) && x86_tss_redirects(cpu, e->vector)) {
            deliver_redirected(cpu, e);
        } else if ((cpu->s.rflags & FL_IOPL) != FL_IOPL) {
            x86_fault(cpu, X86_GP, 0);
        } else {
            deliver_protected(cpu, e);
        }
    } else {
        deliver_protected(cpu, e);
    }
    if (e->vector == X86_DB && (e->kind == INT_EXCEPTION || e->kind == INT_ICEBP)) {
        cpu->s.dr[7] &= ~(uint64_t)DR7_GD;
        cpu->s.debugctl &= ~(uint64_t)(DEBUGCTL_LBR | DEBUGCTL_BTF);
    }
    cpu->s.shadow = 0;
    cpu->exc.active = false;
    if (unlikely(cpu->delivered)) {
        cpu->delivered(cpu, e->vector, e->kind, e->error, &from);
    }
}

void x86_interrupt(struct x86_cpu *cpu, unsigned vector, enum x86_int_kind kind, bool has_error,
                   uint32_t error)
{
    cpu->exc.active = true;
    cpu->exc.kind = kind;
    cpu->exc.vector = (uint8_t)vector;
    cpu->exc.has_error = has_error;
    cpu->exc.error = error;
    struct event e = {
        .vector = vector & 0xff, .kind = kind, .has_error = has_error, .error = error,
        .flags = x86_get_rflags(cpu),
    };
    deliver(cpu, &e);
}

/* [SDM3] "Instruction-Breakpoint Exception Condition": faults push RF set, so that the instruction
 * is not stopped twice by a breakpoint. */
void x86_deliver_fault(struct x86_cpu *cpu)
{
    cpu->cur = NULL;
    if (!cpu->exc.active) {
        return; /* shut down */
    }
    x86_set_rflags(cpu, FL_RF, FL_RF);
    struct event e = {
        .vector = cpu->exc.vector, .kind = INT_EXCEPTION, .has_error = cpu->exc.has_error,
        .error = cpu->exc.error, .flags = x86_get_rflags(cpu),
    };
    deliver(cpu, &e);
}

void x86_debug_trap(struct x86_cpu *cpu, uint32_t dr6)
{
    x86_debug_status(cpu, dr6);
    x86_interrupt(cpu, X86_DB, INT_EXCEPTION, false, 0);
}
