/*
 * The interpreter's loop: slices, events between instructions, faults.
 *
 * Source: [SDM3] "Priority Among Concurrent Events", "Masking Maskable Hardware Interrupts",
 *         "Masking Exceptions and Interrupts When Switching Stacks", "Single-Step Exception
 *         Condition".
 * Model:  blocks follow each other without coming back here (interp_chain) until the budget is
 *         used up, something is pending that matters, or a block is not known. An interrupt or
 *         exception that is delivered counts as one instruction, so a guest that only faults still
 *         ages.
 */
#include "core/accel/interp/engine.h"

#include "core/accel/vcpu.h"
#include "core/base/alloc.h"
#include "core/cpu/mech.h"

#include <stdlib.h>

/* ---- counting, stopping ---- */

/* Instructions of the running block from the current one on; they are out of the budget already. */
static unsigned rest_of_block(const struct x86_cpu *cpu)
{
    return cpu->cur ? interp_of(cpu)->block->n - cpu->cur->index_in_block : 0;
}

uint64_t interp_icount(const struct x86_cpu *cpu)
{
    return cpu->icount_end - (uint64_t)cpu->budget - rest_of_block(cpu);
}

static void unpatch(struct interp *e)
{
    if (e->patched) {
        e->patched->run = e->patched_run;
        e->patched = NULL;
    }
}

/* Makes the running block stop before its instruction @index. */
static void patch(struct interp *e, struct block *b, unsigned index)
{
    unpatch(e);
    e->patched = &b->insns[index];
    e->patched_run = e->patched->run;
    e->patched->run = run_stop;
}

void interp_stop_after_insn(struct x86_cpu *cpu)
{
    struct interp *e = interp_of(cpu);
    if (cpu->cur) {
        patch(e, e->block, cpu->cur->index_in_block + 1u);
    }
    if (cpu->watch_hits) { /* a branch must not go on, nor a REP */
        moved_set_keys(e, true);
        e->due = true;
    }
}

void run_stop(struct x86_cpu *cpu, const struct insn *in)
{
    struct interp *e = interp_of(cpu);
    cpu->budget += e->block->n - in->index_in_block;
    cpu->s.rip = x86_insn_rip(cpu);
    cpu->cur = NULL;
    if (e->patched == in) {
        unpatch(e);
    }
}

void run_end(struct x86_cpu *cpu, const struct insn *in)
{
    cpu->s.rip = x86_insn_rip(cpu);
    return interp_chain(cpu);
}

void interp_goto_anew(struct x86_cpu *cpu, const struct insn *in, bool branched, uint64_t rip)
{
    uint64_t lin = (cpu->s.seg[S_CS].base + rip) & cpu->lin_mask;
    const struct jump_entry *j = jump_slot(interp_of(cpu), lin);
    if (jump_holds(cpu, j, lin)) {
        *block_next(in, branched) = *j;
    }
    return interp_goto(cpu, rip);
}

/* Instructions that may run from instruction @now on. */
static int64_t slice_from(struct interp *e, uint64_t now)
{
    int64_t slice = e->host.slice(e->cpu.host);
    e->endless = slice == INT64_MAX && !e->debug.stops;
    if (e->slice_most && slice > e->slice_most) {
        slice = e->slice_most;
    }
    return likely(!e->debug.stops) ? slice : interp_debug_slice(e, slice, now);
}

/* Time may have passed, or timers be due earlier. */
static void renew_slice(struct interp *e)
{
    struct x86_cpu *cpu = &e->cpu;
    uint64_t now = interp_icount(cpu);
    int64_t slice = slice_from(e, now);
    e->due = slice == 0;
    /* The running instruction is the first of the slice, and cannot be taken back. */
    if (cpu->cur && slice == 0) {
        slice = 1;
    }
    cpu->icount_end = now + (uint64_t)slice;
    cpu->budget = slice - rest_of_block(cpu);
    if (cpu->budget < 0) {
        patch(e, e->block, cpu->cur->index_in_block + (unsigned)slice);
    }
}

void interp_after_device(struct x86_cpu *cpu)
{
    struct interp *e = interp_of(cpu);
    e->due = false;
    if (!e->endless) {
        renew_slice(e);
    }
    if (unlikely(cpu->watch_hits)) {
        e->due = true;
    }
    if (atomic_load(cpu->pending) & cpu->pend_mask) {
        e->due = true;
        interp_stop_after_insn(cpu);
    }
}

/* ---- between instructions ---- */

static bool code_breakpoints(const struct x86_cpu *cpu)
{
    for (unsigned i = 0; i < 4; i++) {
        if ((cpu->s.dr[7] >> (2 * i) & 3) && !(cpu->s.dr[7] >> (16 + 4 * i) & 3)) {
            return true;
        }
    }
    return false;
}

/* Which pending events could be taken now. */
static uint32_t event_mask(const struct x86_state *s)
{
    uint32_t mask = PEND_KICK | PEND_A20 | PEND_CODE;
    if (s->activity == ACT_SHUTDOWN) {
        return mask;
    }
    mask |= PEND_SIPI;           /* taken even where it has no effect: it must not be remembered */
    if (s->activity == ACT_WAIT_SIPI) {
        return mask | PEND_INIT;
    }
    if (!s->shadow) { /* STI's holds back NMIs, too: the manual leaves it open, processors do it */
        mask |= (s->rflags & FL_IF ? PEND_INTR : 0) | (s->nmi_blocked ? PEND_NMI_TOO : PEND_NMI);
    }
    if (!(s->shadow & X86_SHADOW_MOVSS)) {
        mask |= (s->smi_blocked || s->in_smm ? 0 : PEND_SMI) | (s->in_smm ? 0 : PEND_INIT);
    }
    return mask;
}

void interp_resync(struct interp *e)
{
    struct x86_cpu *cpu = &e->cpu;
    unpatch(e); /* the block that was to stop is over */
    cpu->pend_mask = event_mask(&cpu->s);
    e->cs_last = cpu->mode & MODE_CS64 ? ~0ull : cpu->s.seg[S_CS].limit;
    e->single = (cpu->mode & MODE_TF) || (unlikely(cpu->s.dr[7] & 0xff) && code_breakpoints(cpu));
    bool alone = e->single || cpu->s.shadow || cpu->watch_hits ||
                 cpu->s.activity != ACT_RUNNING || interp_traces();
    moved_set_keys(e, alone);
    interp_trail_code(e, interp_icount(cpu) + (cpu->cur != NULL)); /* from the next one on */
    if (unlikely(e->debug.stops != NULL)) {
        interp_debug_resync(e);
    }
}

void interp_resume(struct x86_cpu *cpu)
{
    struct interp *e = interp_of(cpu);
    bool single = e->single;
    interp_resync(e);
    if (unlikely(single)) { /* its step comes first, even if it was the last one: POPF, IRET */
        cpu->cur = NULL;
        return;
    }
    return interp_chain(cpu);
}

/* [SDM3] "MP Initialization Protocol": an application processor waits for a SIPI after an INIT. */
static void take_init(struct interp *e)
{
    struct x86_cpu *cpu = &e->cpu;
    x86_state_reset(&cpu->s, cpu->model->signature, true);
    if (!(cpu->s.apic_base & APIC_BASE_BSP)) {
        cpu->s.activity = ACT_WAIT_SIPI;
    }
    x86_state_loaded(cpu);
    if (e->host.took_init) {
        e->host.took_init(cpu->host);
    }
}

/* CS:IP = vector << 8:0, the rest as INIT left it. A processor that does not wait ignores it. */
static void take_sipi(struct interp *e)
{
    struct x86_cpu *cpu = &e->cpu;
    uint8_t vector = e->host.sipi_vector ? e->host.sipi_vector(cpu->host) : 0;
    if (cpu->s.activity == ACT_WAIT_SIPI) {
        cpu->s.seg[S_CS].sel = (uint16_t)(vector << 8);
        cpu->s.seg[S_CS].base = (uint64_t)vector << 12;
        cpu->s.rip = 0;
        cpu->s.activity = ACT_RUNNING;
        x86_state_loaded(cpu);
    }
}

/* Delivers what another accelerator had begun to deliver. A software interrupt is begun anew by its
 * own instruction, where RIP still is. */
static void deliver_injected(struct x86_cpu *cpu)
{
    static const enum x86_int_kind kinds[] = {
        [0] = INT_EXTERNAL, [2] = INT_NMI, [3] = INT_EXCEPTION};
    unsigned type = cpu->s.inject_type;
    cpu->s.inject_valid = false;
    cpu->budget--;
    if (type < 4) {
        x86_interrupt(cpu, cpu->s.inject_vector, kinds[type], cpu->s.inject_has_error,
                      cpu->s.inject_error);
    }
}

/* [SDM3] "Handling Multiple NMIs": one waits while one is served, so of two that have waited for
 * this the second goes on waiting. */
static void take_nmi(struct x86_cpu *cpu)
{
    const uint32_t both = PEND_NMI | PEND_NMI_TOO;
    if (atomic_fetch_and(cpu->pending, ~both) & PEND_NMI_TOO) {
        atomic_fetch_or(cpu->pending, PEND_NMI);
    }
    x86_interrupt(cpu, X86_NMI, INT_NMI, false, 0);
}

/* Takes the first of the pending events @now; true if there was one. */
static bool take_event(struct interp *e, uint32_t now)
{
    struct x86_cpu *cpu = &e->cpu;
    if (now & PEND_SMI) {
        atomic_fetch_and(cpu->pending, ~(uint32_t)PEND_SMI);
        x86_smi(cpu);
    } else if (now & PEND_INIT) {
        atomic_fetch_and(cpu->pending, ~(uint32_t)PEND_INIT);
        take_init(e);
    } else if (now & PEND_SIPI) {
        atomic_fetch_and(cpu->pending, ~(uint32_t)PEND_SIPI);
        take_sipi(e);
    } else if (now & PEND_NMI) {
        take_nmi(cpu);
    } else if (now & PEND_INTR) {
        unsigned vector = (unsigned)cpu->host_ops->acknowledge(cpu->host) & 0xff;
        x86_interrupt(cpu, vector, INT_EXTERNAL, false, 0);
    } else {
        return false;
    }
    /* Counted afterwards: EFLAGS.RF, which the frame keeps, holds at one count only. */
    cpu->budget -= !(now & PEND_SIPI);
    return true;
}

static void take_a20(struct interp *e)
{
    struct x86_cpu *cpu = &e->cpu;
    atomic_fetch_and(cpu->pending, ~(uint32_t)PEND_A20);
    bool level = e->host.a20(cpu->host);
    if (cpu->s.a20 != level) {
        cpu->s.a20 = level;
        x86_tlb_flush(cpu);
    }
}

/* A code breakpoint at CS:RIP faults before the instruction ([SDM3] "Instruction-Breakpoint
 * Exception Condition"), but not right behind MOV SS. */
static void check_breakpoints(struct interp *e)
{
    struct x86_cpu *cpu = &e->cpu;
    uint64_t lin = (cpu->s.seg[S_CS].base + cpu->s.rip) & cpu->lin_mask;
    uint32_t hit = 0;
    if ((interp_icount(cpu) == cpu->rf_icount && (cpu->s.rflags & FL_RF)) ||
        (cpu->s.shadow & X86_SHADOW_MOVSS)) {
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        bool enabled = cpu->s.dr[7] >> (2 * i) & 3, execute = !(cpu->s.dr[7] >> (16 + 4 * i) & 3);
        if (enabled && execute && (cpu->s.dr[i] & cpu->lin_mask) == lin) {
            hit |= 1u << i;
        }
    }
    if (hit) {
        x86_debug_status(cpu, hit);
        x86_fault_noerr(cpu, X86_DB);
    }
}

/* What must be looked at between two instructions. False: leave, for *reason. */
static bool boundary(struct interp *e, enum vcpu_exit_reason *reason)
{
    struct x86_cpu *cpu = &e->cpu;
    for (;;) {
        interp_resync(e);
        if (unlikely(e->debug.stops != NULL) && interp_debug_due(e)) {
            *reason = EXIT_DEBUG;
            return false;
        }
        if (cpu->budget <= 0) {
            uint64_t now = interp_icount(cpu);
            cpu->budget = slice_from(e, now);
            cpu->icount_end = now + (uint64_t)cpu->budget;
            if (cpu->budget <= 0) {
                *reason = EXIT_SLICE;
                return false;
            }
        }
        uint32_t now = atomic_load(cpu->pending) & cpu->pend_mask;
        if (now & PEND_CODE) {
            block_drain(e);
        }
        if (now & PEND_A20) {
            take_a20(e);
        }
        if (now & PEND_NMI_TOO) { /* one waits while one is served: a third is lost */
            atomic_fetch_and(cpu->pending, ~(uint32_t)PEND_NMI_TOO);
        }
        if (now & PEND_KICK) {
            *reason = EXIT_KICKED;
            return false;
        }
        if (cpu->s.activity == ACT_SHUTDOWN) {
            *reason = EXIT_SHUTDOWN;
            return false;
        }
        if (e->trap && !(now & (PEND_SMI | PEND_INIT))) {
            uint32_t dr6 = e->trap;
            e->trap = 0;
            x86_debug_trap(cpu, dr6);
            cpu->budget--;
            continue;
        }
        if (unlikely(cpu->s.inject_valid)) {
            deliver_injected(cpu);
            continue;
        }
        if (now && take_event(e, now)) {
            continue;
        }
        if (cpu->s.activity != ACT_RUNNING) {
            *reason = EXIT_HALT;
            return false;
        }
        if (unlikely(e->debug.stops != NULL) && interp_debug_at_point(e)) {
            *reason = EXIT_DEBUG;
            return false;
        }
        return true;
    }
}

/* IA32_DEBUGCTL.BTF: only taken branches end a single step ([SDM3] "Single-Stepping on Branches").
 * @attr: of the instruction that ran; @next: the address behind it. */
static bool step_stops(const struct x86_cpu *cpu, unsigned attr, uint64_t next)
{
    return !(cpu->s.debugctl & DEBUGCTL_BTF) || (attr & A_FAR) ||
           ((attr & A_JUMP) && cpu->s.rip != next);
}

/* Runs from CS:RIP until something has to be looked at. */
static void run_blocks(struct interp *e)
{
    struct x86_cpu *cpu = &e->cpu;
    bool traces = interp_traces(), alone = e->single || cpu->s.shadow || traces;
    uint8_t shadow = cpu->s.shadow;
    if (e->single) {
        check_breakpoints(e);
    }
    struct block *b = block_find(e);
    int64_t most = alone ? 1 : cpu->budget;
    if (most <= 0) {
        return; /* fetching from a device used up the slice */
    }
    bool traps = cpu->s.rflags & FL_TF;
    unsigned attr = insn_info[b->insns[0].row].attr;
    uint64_t next = (cpu->s.rip + b->insns[0].len) & cpu->rip_mask;
    if (unlikely(traces)) {
        interp_trace_begin(e, b);
    }
    cpu->s.shadow = 0;
    e->no_step_trap = false;
    e->trap = 0;
    cpu->budget -= b->n;
    cpu->block_rip = cpu->s.rip;
    cpu->s.gpr[GPR_OFF_RIP / 8] = cpu->s.rip;
    e->block = b;
    cpu->cur = b->insns;
    interp_trail_entry(e, b);
    if (most < b->n) {
        patch(e, b, (unsigned)most);
    }
#if INTERP_LOOP
    while (cpu->cur) {
        cpu->cur->run(cpu, cpu->cur);
    }
#else
    b->insns[0].run(cpu, b->insns);
#endif
    if (unlikely(e->traced.open)) {
        interp_trace_end(e);
    }
    /* MOV SS holds the traps of its own step back; two in a row do not hold each other's. */
    if (!(cpu->s.shadow & X86_SHADOW_MOVSS) || shadow) {
        bool steps = traps && !e->no_step_trap && step_stops(cpu, attr, next);
        e->trap |= cpu->watch_hits | (steps ? (uint32_t)DR6_BS : 0);
        cpu->watch_hits = 0;
    }
}

/* A fault left the instruction; it counts as one, with its delivery. */
static void unwound(struct interp *e)
{
    struct x86_cpu *cpu = &e->cpu;
    cpu->budget += (int64_t)rest_of_block(cpu) - 1;
    e->translated.inside = false;
    unpatch(e);
    e->trap = 0;
    if (unlikely(e->traced.open)) {
        interp_trace_end(e);
    }
    if (cpu->exc.active) {
        x86_deliver_fault(cpu);
    }
    cpu->cur = NULL;
}

void interp_execute(struct interp *e, struct vcpu_exit *exit)
{
    struct x86_cpu *cpu = &e->cpu;
    e->thread = pthread_self();
    uint64_t now = interp_icount(cpu);
    cpu->budget = slice_from(e, now);
    cpu->icount_end = now + (uint64_t)cpu->budget;
    if (setjmp(cpu->unwind)) {
        unwound(e);
    }
    while (boundary(e, &exit->reason)) {
        run_blocks(e);
    }
}

/* ---- life ---- */

struct interp *interp_new(struct ram_arena *arena, const struct interp_host *host)
{
    struct interp *e = alloc_low(sizeof(*e));           /* translated code names its fields */
    e->host = *host;
    if (!block_cache_init(e)) {
        alloc_low_free(e, sizeof(*e));
        return NULL;
    }
    lock_init(&e->queue_lock);
    lock_init(&e->own_shared.lock);
    interp_share(e, e);
    e->cpu.arena = arena;
    e->cpu.pending = &e->own_pending;
    e->cpu.flush_code = moved_code;
    e->cpu.stop_after_insn = interp_stop_after_insn;
    e->cpu.after_device = interp_after_device;
    e->thread = pthread_self();
    ram_add_listener(arena, &(struct ram_listener){.touched = block_touched, .opaque = e});
    return e;
}

void interp_share(struct interp *e, struct interp *first)
{
    struct interp_shared *s = e->shared = &first->own_shared;
    s->engines[s->n++] = e;
}

void interp_free(struct interp *e)
{
    if (e) {
        block_cache_fini(e);
        lock_fini(&e->queue_lock);
        lock_fini(&e->own_shared.lock);
        alloc_low_free(e, sizeof(*e));
    }
}
