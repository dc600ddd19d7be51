/*
 * Four local APICs on a bus, with recorded pins and a bench clock.
 */
#ifndef TESTS_UNIT_LAPIC_BENCH_H
#define TESTS_UNIT_LAPIC_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench.h"
#include "hw/chips/lapic.h"

#define CPUS 4

enum {
    ID = 0x020, VERSION = 0x030, TPR = 0x080, PPR = 0x0a0, EOI = 0x0b0, LDR = 0x0d0, DFR = 0x0e0,
    SVR = 0x0f0, ISR = 0x100, TMR = 0x180, IRR = 0x200, ESR = 0x280, ICR = 0x300, ICR_HIGH = 0x310,
    TIMER = 0x320, THERMAL = 0x330, LINT0 = 0x350, LINT1 = 0x360, ERROR = 0x370, INITIAL = 0x380,
    CURRENT = 0x390, DIVIDE = 0x3e0,
};

/* Probes: four a processor. */
enum { P_INTR, P_NMI, P_SMI, P_INIT, P_PINS };

struct rig {
    struct bench b;
    struct apic_bus bus;
    struct lapic apic[CPUS];
    int startup[CPUS];           /* the last SIPI's vector, or -1 */
    unsigned n_eois;
    uint8_t eoi;
    int pic_vector;
};

static inline void started(void *cpu, uint8_t vector)
{
    *(int *)cpu = vector;
}

static inline void eoi_seen(void *opaque, uint8_t vector)
{
    struct rig *r = opaque;
    r->n_eois++;
    r->eoi = vector;
}

static inline int pic_acknowledge(void *opaque)
{
    struct rig *r = opaque;
    return r->pic_vector;
}

static inline int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    bench_init(&r->b);
    apic_bus_init(&r->bus, &r->b.m);
    for (unsigned i = 0; i < CPUS; i++) {
        struct bench_probe *p = &r->b.probe[i * P_PINS];
        struct lapic_pins pins = {
            .intr = &p[P_INTR].irq, .nmi = &p[P_NMI].irq, .smi = &p[P_SMI].irq,
            .init = &p[P_INIT].irq, .startup = started, .cpu = &r->startup[i],
            .x2apic = true, .tsc_deadline = true, .id = i,
        };
        r->startup[i] = -1;
        lapic_init(&r->apic[i], &r->bus, &pins);
    }
    r->bus.eoi = eoi_seen;
    r->bus.eoi_opaque = r;
    r->bus.inta = pic_acknowledge;
    r->bus.inta_opaque = r;
    r->pic_vector = 0x08;
    bench_power_on(&r->b);
    *state = r;
    return 0;
}

static inline int tear_down(void **state)
{
    struct rig *r = *state;
    bench_fini(&r->b);
    free(r);
    return 0;
}

static inline uint32_t rd(struct rig *r, unsigned cpu, unsigned reg)
{
    return (uint32_t)lapic_read(&r->apic[cpu], reg, 4);
}

static inline void wr(struct rig *r, unsigned cpu, unsigned reg, uint32_t val)
{
    lapic_write(&r->apic[cpu], reg, val, 4);
}

static inline bool pin(struct rig *r, unsigned cpu, unsigned p)
{
    return r->b.probe[cpu * P_PINS + p].level;
}

static inline unsigned pulses(struct rig *r, unsigned cpu, unsigned p)
{
    return r->b.probe[cpu * P_PINS + p].rises;
}

/* What the processor does when INTR is up: the vector, or -1 if it is not. */
static inline int take(struct rig *r, unsigned cpu)
{
    return pin(r, cpu, P_INTR) ? lapic_acknowledge(&r->apic[cpu]) : -1;
}

static inline void enable_all(struct rig *r)
{
    for (unsigned i = 0; i < CPUS; i++) {
        wr(r, i, SVR, 0x1ff);
    }
}

static inline void ipi(struct rig *r, unsigned cpu, uint32_t high, uint32_t low)
{
    wr(r, cpu, ICR_HIGH, high);
    wr(r, cpu, ICR, low);
}

static inline bool msr_read(struct rig *r, unsigned cpu, uint32_t index, uint64_t *val)
{
    return lapic_read_msr(&r->apic[cpu], index, val);
}

static inline uint64_t msr(struct rig *r, unsigned cpu, uint32_t index)
{
    uint64_t val = 0;
    assert_true(msr_read(r, cpu, index, &val));
    return val;
}

static inline bool msr_write(struct rig *r, unsigned cpu, uint32_t index, uint64_t val)
{
    return lapic_write_msr(&r->apic[cpu], index, val);
}

#endif
