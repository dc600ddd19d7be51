/*
 * The local APIC of one processor: xAPIC registers and x2APIC MSRs, timer, local interrupts, IPIs.
 *
 * The processor asks it first for every access to memory at lapic_page, and for the MSRs 1Bh, 6E0h
 * and 800h-8FFh; the chip drives the processor's INTR, NMI, SMI# and INIT# pins and names the
 * vector when INTR is acknowledged. All functions [locked]; those with a `void *` take a struct
 * lapic.
 */
#ifndef HW_CHIPS_LAPIC_H
#define HW_CHIPS_LAPIC_H

#include "hw/chips/apic_bus.h"

#define LAPIC_BASE     0xfee00000ull
#define LAPIC_BYTES    0x1000u
#define LAPIC_NO_PAGE  (~0ull)
#define LAPIC_LVTS     6

enum lapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR };

/* The processor's side. */
struct lapic_pins {
    struct irq *intr, *nmi, *smi, *init;       /* borrowed; NULL: not connected */
    void (*startup)(void *cpu, uint8_t vector); /* SIPI; may be NULL */
    void *cpu;
    bool x2apic, tsc_deadline;                 /* what the processor model has */
    uint32_t id;                               /* the APIC ID it has after reset; of the first: 0 */
};

struct lapic {
    struct apic_bus *bus;        /* borrowed */
    struct lapic_pins pins;
    uint64_t base;               /* IA32_APIC_BASE */
    uint32_t id;                 /* xAPIC: 0..255, can be written */
    uint8_t tpr;
    uint32_t ldr, dfr, svr;      /* as the xAPIC registers show them */
    uint64_t icr;
    uint32_t irr[8], isr[8], tmr[8];
    uint32_t lvt[LAPIC_LVTS];
    uint8_t esr, esr_new;        /* shown; found since the last write to the register */
    bool lint[2];                /* levels of the input wires */
    bool extint;                 /* an ExtINT message waits for its acknowledge */
    /* Timer: counts start_count down from start_ns, then initial_count again if periodic. */
    uint32_t initial_count, start_count;
    uint8_t divide;              /* bits 3, 1, 0 as written */
    int64_t start_ns;
    uint64_t tsc_deadline;       /* IA32_TSC_DEADLINE, 0: not armed */
    int64_t deadline_ns;         /* when that is, or TIME_NEVER */
    struct timer timer;
    /* derived */
    uint64_t page;               /* physical address of the register page, or LAPIC_NO_PAGE */
    bool intr_level;
    char name[16];
};

/* Adds processor number @bus->n. */
void lapic_init(struct lapic *s, struct apic_bus *bus, const struct lapic_pins *pins);

/* ---- the processor's side ---- */

/* Where the register page lies, LAPIC_NO_PAGE while there is none. */
const uint64_t *lapic_page(void *lapic);
/* An access at offset 0..FFFh of the page. */
uint64_t lapic_read(void *lapic, uint64_t off, unsigned size);
void lapic_write(void *lapic, uint64_t off, uint64_t val, unsigned size);
/* MSR 1Bh, 6E0h (reads) and 800h-8FFh: false is #GP(0). */
bool lapic_read_msr(void *lapic, uint32_t index, uint64_t *val);
bool lapic_write_msr(void *lapic, uint32_t index, uint64_t val);
/* IA32_TSC_DEADLINE was written: @tsc, which will be reached at @at_ns of the machine's clock. */
void lapic_set_deadline(void *lapic, uint64_t tsc, int64_t at_ns);
/* The task priority register; CR8 is its bits 7:4. */
uint8_t lapic_tpr(void *lapic);
void lapic_set_tpr(void *lapic, uint8_t tpr);
/* INTR was acknowledged: the vector. Always answers. */
int lapic_acknowledge(void *lapic);
/* The processor takes an INIT: all but ID, base and the pins' levels is reset. */
void lapic_take_init(void *lapic);

/* ---- the bus' side ---- */

bool lapic_matches(const struct lapic *s, const struct apic_message *msg);
/* Takes a message that is meant for it; false if it cannot. */
bool lapic_accept(struct lapic *s, const struct apic_message *msg);
/* For lowest priority: processor priority 0..255, or -1 if it takes no such interrupts. */
int lapic_arbitration(const struct lapic *s);
void lapic_set_lint(struct lapic *s, unsigned n, bool level);

/* ---- between lapic.c and lapic_timer.c ---- */

enum {
    LVT_VECTOR = 0xff,
    LVT_MASKED = 0x10000,
    LVT_PERIODIC = 0x20000,      /* timer mode, bits 18:17 */
    LVT_TSC_DEADLINE = 0x40000,
};
/* Delivers what @lvt says, if it is not masked. */
void lapic_local(struct lapic *s, enum lapic_lvt lvt);
static inline bool lapic_requests(const struct lapic *s, uint8_t vector)
{
    return s->irr[vector / 32] >> (vector % 32) & 1;
}

void lapic_timer_init(struct lapic *s);
void lapic_timer_reset(struct lapic *s);
void lapic_timer_loaded(struct lapic *s);
/* What is due already happens; to be called before a change of the timer's registers. */
void lapic_timer_settle(struct lapic *s);
/* Arms the timer anew after such a change, or when its interrupt was acknowledged. */
void lapic_timer_arm(struct lapic *s);
uint32_t lapic_timer_count(const struct lapic *s);
void lapic_timer_start(struct lapic *s, uint32_t count);
void lapic_timer_set_lvt(struct lapic *s, uint32_t lvt);
void lapic_timer_set_divide(struct lapic *s, uint8_t divide);

#endif
