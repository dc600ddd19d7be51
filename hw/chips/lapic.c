/*
 * The local APIC: registers, MSRs, acceptance of interrupts, local vector table, IPIs.
 *
 * Source: [SDM3] "Advanced Programmable Interrupt Controller (APIC)", in it "Local APIC", "Issuing
 *         Interprocessor Interrupts", "Handling Interrupts", "Extended XAPIC (x2APIC)".
 * Pins:   LINT0 (INTR of the 8259s) and LINT1 (NMI) in; INTR, NMI, SMI#, INIT# of its processor
 *         out.
 * Model:  version 14h with six LVT entries. While IA32_APIC_BASE disables it, LINT0 and LINT1 are
 *         the processor's INTR and NMI, and no message is taken; its registers then are as after
 *         power-on.
 * Left out: directed EOI, CMCI; nothing here raises thermal and performance interrupts; the
 *         arbitration and remote read registers read 0, as on processors with a system bus.
 * Chosen: an access to a register that is not a whole aligned dword reads the bytes that are there
 *         and writes nothing. A shorthand that the manual's table calls invalid sends nothing.
 *         Where an ExtINT and an interrupt of its own wait, its own goes first.
 */
#include "hw/chips/lapic.h"

#include "core/base/bits.h"
#include "trace/hw_chips.h"

#include <stdio.h>
#include <string.h>

/* [SDM3] "Local APIC Version Register": Pentium 4 and later, 6 LVTs. */
#define VERSION   0x00050014u
#define MSR_BASE  0x1bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC 0x800u

enum {
    BASE_BSP = 0x100, BASE_EXTD = 0x400, BASE_EN = 0x800,
};
#define BASE_PAGE (BIT64(MACHINE_PHYS_BITS) - LAPIC_BYTES)

/* Registers by offset / 16, which is the x2APIC's MSR number - 800h. */
enum {
    REG_ID = 0x02, REG_VERSION = 0x03, REG_TPR = 0x08, REG_APR = 0x09, REG_PPR = 0x0a,
    REG_EOI = 0x0b, REG_RRD = 0x0c, REG_LDR = 0x0d, REG_DFR = 0x0e, REG_SVR = 0x0f,
    REG_ISR = 0x10, REG_TMR = 0x18, REG_IRR = 0x20, REG_ESR = 0x28, REG_ICR = 0x30,
    REG_ICR_HIGH = 0x31, REG_LVT = 0x32,
    REG_INITIAL = 0x38, REG_CURRENT = 0x39, REG_DIVIDE = 0x3e, REG_SELF_IPI = 0x3f,
};

enum {
    SVR_ENABLE = 0x100,
    SVR_WRITABLE = 0x3ff,

    ESR_SEND_VECTOR = 0x20, ESR_RECEIVE_VECTOR = 0x40, ESR_REGISTER = 0x80,

    LVT_PENDING = 0x1000,        /* delivery status, always idle */
    LVT_REMOTE_IRR = 0x4000,
    LVT_LEVEL = 0x8000,

    ICR_LOGICAL = 0x800, ICR_PENDING = 0x1000, ICR_ASSERT = 0x4000, ICR_LEVEL = 0x8000,
    ICR_WRITABLE = 0xccfff,

    DFR_FLAT = 0xf,              /* bits 31:28 */
};
enum { SHORT_NONE, SHORT_SELF, SHORT_ALL, SHORT_OTHERS };

static const uint32_t lvt_writable[LAPIC_LVTS] = {
    [LVT_TIMER] = LVT_MASKED | LVT_PERIODIC | LVT_TSC_DEADLINE | LVT_VECTOR,
    [LVT_THERMAL] = LVT_MASKED | 0x700 | LVT_VECTOR,
    [LVT_PERF] = LVT_MASKED | 0x700 | LVT_VECTOR,
    [LVT_LINT0] = LVT_MASKED | LVT_LEVEL | 0x2000 | 0x700 | LVT_VECTOR,
    [LVT_LINT1] = LVT_MASKED | LVT_LEVEL | 0x2000 | 0x700 | LVT_VECTOR,
    [LVT_ERROR] = LVT_MASKED | LVT_VECTOR,
};

static void update_intr(struct lapic *s);

/* ---- pure behaviour ---- */

static bool enabled(const struct lapic *s)
{
    return s->base & BASE_EN;
}

static bool x2apic(const struct lapic *s)
{
    return s->base & BASE_EXTD;
}

static bool get_bit(const uint32_t *set, unsigned vector)
{
    return set[vector / 32] >> (vector % 32) & 1;
}

static void set_bit(uint32_t *set, unsigned vector, bool on)
{
    set[vector / 32] = (set[vector / 32] & ~BIT(vector % 32)) | (uint32_t)on << (vector % 32);
}

/* The highest vector in @set, or -1. */
static int highest(const uint32_t *set)
{
    for (int i = 7; i >= 0; i--) {
        if (set[i] != 0) {
            return i * 32 + 31 - __builtin_clz(set[i]);
        }
    }
    return -1;
}

/* [SDM3] "Task and Processor Priorities": the rule for PPR. */
static uint8_t processor_priority(const struct lapic *s)
{
    int serving = highest(s->isr);
    uint8_t isrv = serving < 0 ? 0 : (uint8_t)serving & 0xf0;
    return (s->tpr & 0xf0) >= isrv ? s->tpr : isrv;
}

/* The vector that would be acknowledged now, or -1. */
static int deliverable(const struct lapic *s)
{
    int vector = highest(s->irr);
    bool open = vector >= 0 && enabled(s) && (s->svr & SVR_ENABLE);
    return open && (vector & 0xf0) > (processor_priority(s) & 0xf0) ? vector : -1;
}

static unsigned lvt_mode(const struct lapic *s, enum lapic_lvt n)
{
    return s->lvt[n] >> 8 & 7;
}

/* An ExtINT waits: INTA goes to the 8259s. */
static bool extint_waits(const struct lapic *s)
{
    if (!enabled(s)) {
        return s->lint[0];
    }
    return s->extint || (s->lint[0] && !(s->lvt[LVT_LINT0] & LVT_MASKED) &&
                         lvt_mode(s, LVT_LINT0) == APIC_EXTINT);
}

static uint32_t x2apic_ldr(const struct lapic *s)
{
    return s->pins.id >> 4 << 16 | BIT(s->pins.id & 15);
}

static bool matches_logical(const struct lapic *s, uint32_t dest)
{
    if (x2apic(s)) {
        uint32_t ldr = x2apic_ldr(s);
        return dest == APIC_ALL || (dest >> 16 == ldr >> 16 && (dest & ldr & 0xffff) != 0);
    }
    uint32_t mine = s->ldr >> 24;
    if (s->dfr >> 28 == DFR_FLAT) {
        return (dest & mine) != 0;
    }
    bool cluster = (dest >> 4 & 0xf) == mine >> 4 || (dest >> 4 & 0xf) == 0xf;
    return cluster && (dest & mine & 0xf) != 0;
}

bool lapic_matches(const struct lapic *s, const struct apic_message *msg)
{
    if (msg->logical) {
        return matches_logical(s, msg->dest);
    }
    return msg->dest == APIC_ALL || msg->dest == (x2apic(s) ? s->pins.id : s->id);
}

int lapic_arbitration(const struct lapic *s)
{
    return enabled(s) && (s->svr & SVR_ENABLE) ? processor_priority(s) : -1;
}

/* ---- interrupts ---- */

static void update_intr(struct lapic *s)
{
    bool level = extint_waits(s) || deliverable(s) >= 0;
    if (level != s->intr_level) {
        s->intr_level = level;
        irq_set(s->pins.intr, level);
    }
}

/* [SDM3] "Error Handling": the bit shows after the next write to ESR; the interrupt comes at once.
 * */
static void error_found(struct lapic *s, uint8_t bits)
{
    trace_lapic_error(s->name, bits);
    s->esr_new |= bits;
    if ((s->lvt[LVT_ERROR] & LVT_VECTOR) >= 16) { /* else it would be an error of its own */
        lapic_local(s, LVT_ERROR);
    }
}

static bool request(struct lapic *s, uint8_t vector, bool level)
{
    if (!(s->svr & SVR_ENABLE)) {
        return false;
    }
    if (vector < 16) {
        error_found(s, ESR_RECEIVE_VECTOR);
        return false;
    }
    set_bit(s->irr, vector, true);
    set_bit(s->tmr, vector, level);
    update_intr(s);
    return true;
}

static bool deliver(struct lapic *s, unsigned mode, uint8_t vector, bool level)
{
    trace_lapic_accept(s->name, mode, vector, level);
    switch (mode) {
    case APIC_FIXED: case APIC_LOWEST:
        return request(s, vector, level);
    case APIC_SMI:
        irq_pulse(s->pins.smi);
        return true;
    case APIC_NMI:
        irq_pulse(s->pins.nmi);
        return true;
    case APIC_INIT:
        irq_pulse(s->pins.init);
        return true;
    case APIC_SIPI:
        if (s->pins.startup) {
            s->pins.startup(s->pins.cpu, vector);
        }
        return true;
    case APIC_EXTINT:
        s->extint = true;
        update_intr(s);
        return true;
    default:
        return false;
    }
}

bool lapic_accept(struct lapic *s, const struct apic_message *msg)
{
    return enabled(s) && deliver(s, msg->mode, msg->vector, msg->level);
}

void lapic_local(struct lapic *s, enum lapic_lvt n)
{
    unsigned mode = n == LVT_TIMER || n == LVT_ERROR ? APIC_FIXED : lvt_mode(s, n);
    if (enabled(s) && !(s->lvt[n] & LVT_MASKED) && mode != APIC_EXTINT && mode != APIC_SIPI) {
        deliver(s, mode, s->lvt[n] & LVT_VECTOR, false);
    }
}

/* A fixed interrupt of a LINT pin that is level triggered: asked for until its EOI finds the pin
 * low. */
static void lint_level(struct lapic *s, unsigned n)
{
    uint32_t *lvt = &s->lvt[LVT_LINT0 + n];
    if (s->lint[n] && !(*lvt & (LVT_MASKED | LVT_REMOTE_IRR)) && enabled(s) &&
        deliver(s, APIC_FIXED, *lvt & LVT_VECTOR, true)) {
        *lvt |= LVT_REMOTE_IRR;
    }
}

static bool lint_is_level(const struct lapic *s, unsigned n)
{
    return (s->lvt[LVT_LINT0 + n] & LVT_LEVEL) && lvt_mode(s, LVT_LINT0 + n) == APIC_FIXED;
}

void lapic_set_lint(struct lapic *s, unsigned n, bool level)
{
    bool rises = level && !s->lint[n];
    s->lint[n] = level;
    if (!enabled(s)) {
        if (n == 1 && rises) {
            irq_pulse(s->pins.nmi);
        }
    } else if (lint_is_level(s, n)) {
        lint_level(s, n);
    } else if (rises) {
        lapic_local(s, LVT_LINT0 + n);
    }
    update_intr(s);
}

int lapic_acknowledge(void *lapic)
{
    struct lapic *s = lapic;
    int vector = deliverable(s);
    if (vector >= 0) {
        set_bit(s->irr, (unsigned)vector, false);
        set_bit(s->isr, (unsigned)vector, true);
        if ((unsigned)vector == (s->lvt[LVT_TIMER] & LVT_VECTOR)) {
            lapic_timer_arm(s);
        }
    } else if (extint_waits(s)) {
        s->extint = false;
        vector = s->bus->inta ? s->bus->inta(s->bus->inta_opaque) & 0xff : 0xff;
    } else {
        vector = s->svr & 0xff; /* [SDM3] "Spurious Interrupt" */
    }
    trace_lapic_acknowledge(s->name, (unsigned)vector);
    update_intr(s);
    return vector;
}

static void end_of_interrupt(struct lapic *s)
{
    int vector = highest(s->isr);
    if (vector < 0) {
        return;
    }
    trace_lapic_eoi(s->name, (unsigned)vector);
    set_bit(s->isr, (unsigned)vector, false);
    if (get_bit(s->tmr, (unsigned)vector)) {
        for (unsigned n = 0; n < 2; n++) {
            uint32_t *lvt = &s->lvt[LVT_LINT0 + n];
            if ((*lvt & LVT_REMOTE_IRR) && (*lvt & LVT_VECTOR) == (uint32_t)vector) {
                *lvt &= ~(uint32_t)LVT_REMOTE_IRR;
                lint_level(s, n);
            }
        }
        trace_apic_bus_eoi((unsigned)vector);
        if (s->bus->eoi) {
            s->bus->eoi(s->bus->eoi_opaque, (uint8_t)vector);
        }
    }
    update_intr(s);
}

/* ---- IPIs ---- */

/* [SDM3] "Valid Combinations for the Pentium 4": what a shorthand may send. */
static bool combination_valid(unsigned shorthand, unsigned mode)
{
    return shorthand == SHORT_NONE || shorthand == SHORT_OTHERS || mode == APIC_FIXED;
}

static void send_ipi(struct lapic *s)
{
    uint32_t low = (uint32_t)s->icr;
    unsigned shorthand = low >> 18 & 3;
    struct apic_message msg = {
        .logical = low & ICR_LOGICAL, .mode = low >> 8 & 7, .vector = (uint8_t)low,
    };
    msg.dest = x2apic(s) ? (uint32_t)(s->icr >> 32)
                         : apic_dest8((uint8_t)(s->icr >> 56), msg.logical);

    if (msg.mode == APIC_INIT && (low & ICR_LEVEL) && !(low & ICR_ASSERT)) {
        return; /* "INIT Level De-assert" only set arbitration IDs */
    }
    if (!combination_valid(shorthand, msg.mode) || msg.mode == APIC_EXTINT) {
        return;
    }
    if ((msg.mode == APIC_FIXED || msg.mode == APIC_LOWEST) && msg.vector < 16) {
        error_found(s, ESR_SEND_VECTOR);
        return;
    }
    switch (shorthand) {
    case SHORT_NONE: apic_bus_send(s->bus, &msg); break;
    case SHORT_SELF: lapic_accept(s, &msg); break;
    case SHORT_ALL: apic_bus_send_all(s->bus, &msg, NULL); break;
    default:
        if (msg.mode == APIC_LOWEST) {
            msg.mode = APIC_FIXED; /* [SDM3]: with "all excluding self" it goes to all of them */
        }
        apic_bus_send_all(s->bus, &msg, s);
        break;
    }
}

/* ---- registers ---- */

/* True if there is a register to read. Nothing here has a side effect. */
static bool reg_read(const struct lapic *s, unsigned reg, uint32_t *val)
{
    switch (reg) {
    case REG_ID: *val = x2apic(s) ? s->pins.id : s->id << 24; break;
    case REG_VERSION: *val = VERSION; break;
    case REG_TPR: *val = s->tpr; break;
    case REG_PPR: *val = processor_priority(s); break;
    case REG_APR: case REG_RRD: case REG_EOI: *val = 0; return !x2apic(s);
    case REG_LDR: *val = x2apic(s) ? x2apic_ldr(s) : s->ldr; break;
    case REG_DFR: *val = s->dfr; return !x2apic(s);
    case REG_SVR: *val = s->svr; break;
    case REG_ISR ... REG_ISR + 7: *val = s->isr[reg - REG_ISR]; break;
    case REG_TMR ... REG_TMR + 7: *val = s->tmr[reg - REG_TMR]; break;
    case REG_IRR ... REG_IRR + 7: *val = s->irr[reg - REG_IRR]; break;
    case REG_ESR: *val = s->esr; break;
    case REG_ICR: *val = (uint32_t)s->icr; break;
    case REG_ICR_HIGH: *val = (uint32_t)(s->icr >> 32); return !x2apic(s);
    case REG_LVT ... REG_LVT + LAPIC_LVTS - 1: *val = s->lvt[reg - REG_LVT]; break;
    case REG_INITIAL: *val = s->initial_count; break;
    case REG_CURRENT: *val = lapic_timer_count(s); break;
    case REG_DIVIDE: *val = s->divide; break;
    default: return false;
    }
    return true;
}

/* Bits that a write may set; in x2APIC mode any other is #GP(0). */
static uint32_t writable(const struct lapic *s, unsigned reg)
{
    switch (reg) {
    case REG_ID: case REG_LDR: return 0xff000000;
    case REG_TPR: return 0xff;
    case REG_DFR: return 0xf0000000;
    case REG_SVR: return SVR_WRITABLE;
    case REG_ICR: return ICR_WRITABLE;
    case REG_ICR_HIGH: return 0xff000000;
    case REG_INITIAL: return 0xffffffff;
    case REG_DIVIDE: return 0xb;
    case REG_SELF_IPI: return 0xff;
    case REG_LVT: return lvt_writable[LVT_TIMER] & ~(s->pins.tsc_deadline ? 0u : LVT_TSC_DEADLINE);
    case REG_LVT + 1 ... REG_LVT + LAPIC_LVTS - 1: return lvt_writable[reg - REG_LVT];
    default: return 0;
    }
}

static void write_svr(struct lapic *s, uint32_t val)
{
    s->svr = val;
    if (!(val & SVR_ENABLE)) { /* [SDM3] "Local APIC State After It Has Been Software Disabled" */
        lapic_timer_settle(s);
        for (unsigned n = 0; n < LAPIC_LVTS; n++) {
            s->lvt[n] |= LVT_MASKED;
        }
        lapic_timer_arm(s);
    }
}

static void write_lvt(struct lapic *s, unsigned n, uint32_t val)
{
    if (!(s->svr & SVR_ENABLE)) {
        val |= LVT_MASKED;
    }
    if (n == LVT_TIMER) {
        lapic_timer_settle(s);
        lapic_timer_set_lvt(s, val);
        return;
    }
    if ((val & LVT_LEVEL) && (val >> 8 & 7) == APIC_FIXED) {
        val |= s->lvt[n] & LVT_REMOTE_IRR;
    }
    s->lvt[n] = val;
    if ((n == LVT_LINT0 || n == LVT_LINT1) && lint_is_level(s, n - LVT_LINT0)) {
        lint_level(s, n - LVT_LINT0);
    }
}

static void self_ipi(struct lapic *s, uint8_t vector)
{
    if (vector < 16) {
        error_found(s, ESR_SEND_VECTOR);
    } else {
        deliver(s, APIC_FIXED, vector, false);
    }
}

/* @val has writable bits only. False: there is no such register. */
static bool reg_write(struct lapic *s, unsigned reg, uint32_t val)
{
    switch (reg) {
    case REG_ID: s->id = val >> 24; break;
    case REG_TPR: s->tpr = (uint8_t)val; break;
    case REG_EOI: end_of_interrupt(s); break;
    case REG_LDR: s->ldr = val; break;
    case REG_DFR: s->dfr = val | 0x0fffffff; break;
    case REG_SVR: write_svr(s, val); break;
    case REG_ESR:
        s->esr = s->esr_new;
        s->esr_new = 0;
        break;
    case REG_ICR:
        s->icr = (s->icr & 0xffffffff00000000) | val;
        send_ipi(s);
        break;
    case REG_ICR_HIGH: s->icr = (uint32_t)s->icr | (uint64_t)val << 32; break;
    case REG_LVT ... REG_LVT + LAPIC_LVTS - 1: write_lvt(s, reg - REG_LVT, val); break;
    case REG_INITIAL:
        lapic_timer_settle(s);
        lapic_timer_start(s, val);
        break;
    case REG_DIVIDE:
        lapic_timer_settle(s);
        lapic_timer_set_divide(s, (uint8_t)val);
        break;
    case REG_SELF_IPI: self_ipi(s, (uint8_t)val); break;
    case REG_VERSION: case REG_APR: case REG_PPR: case REG_RRD: case REG_CURRENT:
    case REG_ISR ... REG_IRR + 7:
        return true; /* read only */
    default: return false;
    }
    update_intr(s);
    return true;
}

uint64_t lapic_read(void *lapic, uint64_t off, unsigned size)
{
    struct lapic *s = lapic;
    unsigned reg = off >> 4 & 0xff, byte = off & 0xf;
    uint32_t val = 0;
    if (!reg_read(s, reg, &val)) {
        error_found(s, ESR_REGISTER);
    }
    trace_lapic_read(s->name, reg, val);
    return byte < 4 ? val >> (8 * byte) & size_mask(size) : 0;
}

void lapic_write(void *lapic, uint64_t off, uint64_t val, unsigned size)
{
    struct lapic *s = lapic;
    unsigned reg = off >> 4 & 0xff;
    if (size != 4 || (off & 0xf) != 0) {
        return;
    }
    trace_lapic_write(s->name, reg, (uint32_t)val);
    if (reg == REG_SELF_IPI || !reg_write(s, reg, (uint32_t)val & writable(s, reg))) {
        error_found(s, ESR_REGISTER);
    }
}

/* ---- MSRs ---- */

static void derive(struct lapic *s)
{
    s->page = enabled(s) && !x2apic(s) ? s->base & BASE_PAGE : LAPIC_NO_PAGE;
}

/* All but what survives an INIT: ID, base, levels of the pins. */
static void registers_reset(struct lapic *s)
{
    s->tpr = 0;
    s->ldr = 0;
    s->dfr = 0xffffffff;
    s->svr = 0xff;
    s->icr = 0;
    memset(s->irr, 0, sizeof(s->irr));
    memset(s->isr, 0, sizeof(s->isr));
    memset(s->tmr, 0, sizeof(s->tmr));
    for (unsigned n = 0; n < LAPIC_LVTS; n++) {
        s->lvt[n] = LVT_MASKED;
    }
    s->esr = s->esr_new = 0;
    s->extint = false;
    lapic_timer_reset(s);
    update_intr(s);
}

/* [SDM3] "x2APIC State Transitions". */
static bool write_base(struct lapic *s, uint64_t val)
{
    uint64_t known = BASE_PAGE | BASE_EN | BASE_BSP | (s->pins.x2apic ? BASE_EXTD : 0);
    bool on = val & BASE_EN, extd = val & BASE_EXTD;
    if ((val & ~known) || (extd && !on) || (extd && !enabled(s)) || (!extd && on && x2apic(s))) {
        return false;
    }
    bool was_on = enabled(s);
    trace_lapic_base(s->name, val);
    s->base = (val & ~(uint64_t)BASE_BSP) | (s->base & BASE_BSP);
    derive(s);
    if (was_on && !on) {
        s->id = s->pins.id & 0xff;
        registers_reset(s);
    }
    update_intr(s);
    return true;
}

static bool x2apic_read(const struct lapic *s, unsigned reg, uint64_t *val)
{
    uint32_t low = 0;
    if (!x2apic(s) || !reg_read(s, reg, &low)) {
        return false;
    }
    *val = reg == REG_ICR ? s->icr : low;
    return true;
}

static bool x2apic_write(struct lapic *s, unsigned reg, uint64_t val)
{
    uint32_t idle = 0; /* read-only bits that may be written with what was read */
    switch (reg) {
    case REG_ICR: idle = ICR_PENDING; break;
    case REG_LVT ... REG_LVT + LAPIC_LVTS - 1: idle = LVT_PENDING | LVT_REMOTE_IRR; break;
    case REG_TPR: case REG_EOI: case REG_SVR: case REG_ESR: case REG_INITIAL: case REG_DIVIDE:
    case REG_SELF_IPI: break;
    default: return false;
    }
    if (!x2apic(s) || ((uint32_t)val & ~(writable(s, reg) | idle)) ||
        (reg != REG_ICR && val >> 32)) {
        return false;
    }
    if (reg == REG_ICR) {
        s->icr = val;
    }
    return reg_write(s, reg, (uint32_t)val & writable(s, reg));
}

bool lapic_read_msr(void *lapic, uint32_t index, uint64_t *val)
{
    struct lapic *s = lapic;
    if (index == MSR_BASE) {
        *val = s->base;
        return true;
    }
    if (index == MSR_TSC_DEADLINE) {
        *val = s->tsc_deadline;
        return s->pins.tsc_deadline;
    }
    return index - MSR_X2APIC < 0x100 && x2apic_read(s, index - MSR_X2APIC, val);
}

bool lapic_write_msr(void *lapic, uint32_t index, uint64_t val)
{
    struct lapic *s = lapic;
    if (index == MSR_BASE) {
        return write_base(s, val);
    }
    trace_lapic_write(s->name, index & 0xff, (uint32_t)val);
    return index - MSR_X2APIC < 0x100 && x2apic_write(s, index - MSR_X2APIC, val);
}

const uint64_t *lapic_page(void *lapic)
{
    const struct lapic *s = lapic;
    return &s->page;
}

uint8_t lapic_tpr(void *lapic)
{
    const struct lapic *s = lapic;
    return s->tpr;
}

void lapic_set_tpr(void *lapic, uint8_t tpr)
{
    struct lapic *s = lapic;
    s->tpr = tpr;
    update_intr(s);
}

void lapic_take_init(void *lapic)
{
    registers_reset(lapic);
}

/* ---- reset, state, init ---- */

/* [SDM3] "Local APIC State After Power-Up or Reset". The wires' levels belong to who drives them.
 * */
static void lapic_reset(void *dev)
{
    struct lapic *s = dev;
    s->base = LAPIC_BASE | BASE_EN | (s->pins.id == 0 ? BASE_BSP : 0);
    s->id = s->pins.id & 0xff;
    derive(s);
    registers_reset(s);
}

static void lapic_loaded(void *dev)
{
    struct lapic *s = dev;
    s->base &= BASE_PAGE | BASE_EN | BASE_BSP | BASE_EXTD;
    s->id &= 0xff;
    s->divide &= 0xb;
    lapic_timer_loaded(s);
    derive(s);
    s->intr_level = extint_waits(s) || deliverable(s) >= 0;
    irq_set(s->pins.intr, s->intr_level);
}

static const struct state_field lapic_state[] = {
    STATE(struct lapic, base),          STATE(struct lapic, id),
    STATE(struct lapic, tpr),           STATE(struct lapic, ldr),
    STATE(struct lapic, dfr),           STATE(struct lapic, svr),
    STATE(struct lapic, icr),           STATE(struct lapic, irr),
    STATE(struct lapic, isr),           STATE(struct lapic, tmr),
    STATE(struct lapic, lvt),           STATE(struct lapic, esr),
    STATE(struct lapic, esr_new),       STATE_KEPT(struct lapic, lint),
    STATE(struct lapic, extint),        STATE(struct lapic, initial_count),
    STATE(struct lapic, start_count),   STATE(struct lapic, divide),
    STATE_TIME(struct lapic, start_ns), STATE(struct lapic, tsc_deadline),
    STATE_TIME(struct lapic, deadline_ns), STATE_TIMER(struct lapic, timer),
    STATE_END(),
};

static const struct device_type lapic_type = {
    .name = "lapic", .version = 1, .reset = lapic_reset, .state = lapic_state,
    .loaded = lapic_loaded,
};

void lapic_init(struct lapic *s, struct apic_bus *bus, const struct lapic_pins *pins)
{
    *s = (struct lapic){.bus = bus, .pins = *pins, .page = LAPIC_NO_PAGE};
    snprintf(s->name, sizeof(s->name), "lapic%u", bus->n);
    lapic_timer_init(s);
    lapic_timer_reset(s);
    bus->lapic[bus->n++] = s;
    machine_add(bus->m, &lapic_type, s->name, s);
}
