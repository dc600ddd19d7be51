/*
 * IA-PC High Precision Event Timers.
 *
 * Source: [HPET] "Register Definitions", "Timer Operation", "Interrupt Mapping".
 * Pins:   OUT0 of the 8254 and IRQ of the MC146818 in; IRQ 0, IRQ 8 and I/O APIC inputs out.
 * Model:  the counter is computed from the machine's clock; a comparator is a timer deadline.
 * Left out: FSB delivery, which is optional.
 * Chosen: an edge triggered interrupt leaves its wire high until the next one, since the 8259A
 *         wants a request to stay. Periods under a microsecond interrupt once a microsecond. A
 *         route that does not exist is stored as 0. The counter can be written while it runs.
 */
#include "hw/chips/hpet.h"

#include "core/base/bits.h"
#include "trace/hw_chips.h"

#define PRIO        8
#define PERIOD_FS   (HPET_TICK_NS * 1000000ull)
#define MIN_TICKS   (NS_PER_US / HPET_TICK_NS)
#define TICKS_MAX   (BIT64(62) / HPET_TICK_NS)  /* farther events are out of the clock's reach */

enum {
    REG_CAPABILITIES = 0x00, REG_CONFIG = 0x10, REG_STATUS = 0x20, REG_COUNTER = 0xf0,
    REG_TIMERS = 0x100,
};
enum { TIMER_CONFIG = 0x00, TIMER_COMPARATOR = 0x08, TIMER_BYTES = 0x20 };

enum { CONFIG_ENABLE = 1, CONFIG_LEGACY = 2 };

enum {
    TN_LEVEL = 0x2,
    TN_ENABLE = 0x4,
    TN_PERIODIC = 0x8,
    TN_PERIODIC_CAP = 0x10,
    TN_64BIT_CAP = 0x20,
    TN_SET_VALUE = 0x40,         /* the next write is the comparator, too; reads 0 */
    TN_32BIT = 0x100,
    TN_ROUTE = 0x3e00,
    TN_ROUTE_SHIFT = 9,
    TN_WRITABLE = TN_LEVEL | TN_ENABLE | TN_PERIODIC | TN_SET_VALUE | TN_32BIT | TN_ROUTE,
};

enum { WIRE_IRQ0 = HPET_ROUTES, WIRE_IRQ8, WIRE_NONE };

static unsigned number(const struct hpet_timer *t)
{
    return (unsigned)(t - t->hpet->timers);
}

/* ---- the counter ---- */

static bool running(const struct hpet *s)
{
    return s->config & CONFIG_ENABLE;
}

static uint64_t ticks_since(const struct hpet *s)
{
    return (uint64_t)(clock_now(&s->m->clock) - s->counter_ns) / HPET_TICK_NS;
}

static uint64_t counter_now(const struct hpet *s)
{
    return running(s) ? s->counter + ticks_since(s) : s->counter;
}

/* ---- wires ---- */

static uint8_t wire_of(const struct hpet_timer *t)
{
    const struct hpet *s = t->hpet;
    unsigned n = number(t), route = (unsigned)(t->config & TN_ROUTE) >> TN_ROUTE_SHIFT;
    if (!running(s) || !(t->config & TN_ENABLE)) {
        return WIRE_NONE;
    }
    if ((s->config & CONFIG_LEGACY) && n < 2) {
        return n == 0 ? WIRE_IRQ0 : WIRE_IRQ8;
    }
    return s->pins.route[route] ? (uint8_t)route : WIRE_NONE;
}

/* What the timers and, without legacy replacement, the old chips say to @wire. */
static void drive(struct hpet *s, unsigned wire)
{
    bool level = false;
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        level |= s->timers[n].wire == wire && s->timers[n].line;
    }
    if (wire == WIRE_IRQ0) {
        irq_set(s->pins.irq0, s->config & CONFIG_LEGACY ? level : s->pit_level);
    } else if (wire == WIRE_IRQ8) {
        irq_set(s->pins.irq8, s->config & CONFIG_LEGACY ? level : s->rtc_level);
    } else if (wire < HPET_ROUTES) {
        irq_set(s->pins.route[wire], level);
    }
}

/* After a change of what @t asks for, or (@event) a match. */
static void update_irq(struct hpet_timer *t, bool event)
{
    struct hpet *s = t->hpet;
    uint8_t old = t->wire, wire = wire_of(t);
    if (wire != old) {
        t->wire = wire;
        t->line = false;
        drive(s, old);
    }
    if (t->config & TN_LEVEL) {
        t->line = s->status >> number(t) & 1;
    } else if (event) {
        t->line = false;
        drive(s, wire);
        t->line = true;
    }
    t->line = t->line && wire != WIRE_NONE;
    drive(s, wire);
}

static void old_chip_changed(void *opaque, unsigned n, bool level)
{
    struct hpet *s = opaque;
    *(n == 0 ? &s->pit_level : &s->rtc_level) = level;
    drive(s, n == 0 ? WIRE_IRQ0 : WIRE_IRQ8);
}

/* ---- comparators ---- */

static uint64_t width_mask(const struct hpet_timer *t)
{
    return t->config & TN_32BIT ? 0xffffffff : ~0ull;
}

static bool periodic(const struct hpet_timer *t)
{
    return (t->config & TN_PERIODIC) && t->period != 0;
}

/* Arms @t for the next match. @matched: the one that is now has happened. */
static void arm(struct hpet_timer *t, bool matched)
{
    struct hpet *s = t->hpet;
    uint64_t left = (t->comparator - counter_now(s)) & width_mask(t);
    bool matters = periodic(t) || (t->config & (TN_ENABLE | TN_LEVEL));
    if (matched && left == 0) {
        left = t->config & TN_32BIT ? BIT64(32) : ~0ull; /* once more round */
    }
    if (matched && periodic(t) && left < MIN_TICKS) {
        left = MIN_TICKS;
    }
    if (!running(s) || !matters || left > TICKS_MAX) {
        timer_cancel(&t->timer);
        return;
    }
    timer_at(&t->timer, s->counter_ns + (int64_t)((ticks_since(s) + left) * HPET_TICK_NS));
}

static void fire(void *opaque)
{
    struct hpet_timer *t = opaque;
    struct hpet *s = t->hpet;
    if (periodic(t)) {
        uint64_t passed = (counter_now(s) - t->comparator) & width_mask(t);
        t->comparator = (t->comparator + (passed / t->period + 1) * t->period) & width_mask(t);
    }
    if (t->config & TN_LEVEL) {
        s->status |= BIT(number(t));
    }
    trace_hpet_fire(number(t), wire_of(t));
    arm(t, true);
    update_irq(t, true);
}

/* ---- registers ---- */

static uint64_t routes(const struct hpet *s)
{
    uint64_t set = 0;
    for (unsigned n = 0; n < HPET_ROUTES; n++) {
        set |= s->pins.route[n] ? BIT64(n) : 0;
    }
    return set;
}

static uint64_t timer_read(const struct hpet_timer *t, unsigned reg)
{
    switch (reg) {
    case TIMER_CONFIG:
        return (t->config & ~(uint64_t)TN_SET_VALUE) | TN_PERIODIC_CAP | TN_64BIT_CAP |
               routes(t->hpet) << 32;
    case TIMER_COMPARATOR: return t->comparator;
    default: return 0;
    }
}

/* The 64-bit register at @reg. */
static uint64_t reg_read(const struct hpet *s, unsigned reg)
{
    switch (reg) {
    case REG_CAPABILITIES: return PERIOD_FS << 32 | HPET_BLOCK_ID;
    case REG_CONFIG: return s->config;
    case REG_STATUS: return s->status;
    case REG_COUNTER: return counter_now(s);
    }
    if (reg >= REG_TIMERS && reg < REG_TIMERS + HPET_TIMERS * TIMER_BYTES) {
        return timer_read(&s->timers[(reg - REG_TIMERS) / TIMER_BYTES], reg % TIMER_BYTES);
    }
    return 0;
}

static uint64_t hpet_read(void *dev, uint64_t off, unsigned size)
{
    uint64_t val = reg_read(dev, (unsigned)off & ~7u) >> (off & 7) * 8;
    trace_hpet_read((unsigned)off, (uint32_t)val);
    return val;
}

static uint64_t merge(uint64_t old, uint64_t val, uint64_t mask)
{
    return (old & ~mask) | (val & mask);
}

static void write_timer_config(struct hpet_timer *t, uint64_t val)
{
    unsigned route = (unsigned)(val & TN_ROUTE) >> TN_ROUTE_SHIFT;
    if (!t->hpet->pins.route[route]) {
        val &= ~(uint64_t)TN_ROUTE;
    }
    t->config = val & TN_WRITABLE;
    t->comparator &= width_mask(t);
    t->period &= width_mask(t);
    if (!(t->config & TN_LEVEL)) {
        t->hpet->status &= ~BIT(number(t)); /* [HPET] "Timer n Interrupt Active": 0 for edges */
    }
}

static void timer_write(struct hpet_timer *t, unsigned reg, uint64_t val, uint64_t mask)
{
    if (reg == TIMER_CONFIG) {
        write_timer_config(t, merge(t->config, val, mask));
    } else if (reg == TIMER_COMPARATOR) {
        if (!(t->config & TN_PERIODIC) || (t->config & TN_SET_VALUE)) {
            t->comparator = merge(t->comparator, val, mask) & width_mask(t);
        }
        if (t->config & TN_PERIODIC) {
            t->period = merge(t->period, val, mask) & width_mask(t);
        }
        t->config &= ~(uint64_t)TN_SET_VALUE;
    } else {
        return;
    }
    arm(t, false);
    update_irq(t, false);
}

static void update_all(struct hpet *s)
{
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        arm(&s->timers[n], false);
        update_irq(&s->timers[n], false);
    }
    drive(s, WIRE_IRQ0);
    drive(s, WIRE_IRQ8);
}

static void set_counter(struct hpet *s, uint64_t val)
{
    s->counter = val;
    s->counter_ns = clock_now(&s->m->clock);
}

static void reg_write(struct hpet *s, unsigned reg, uint64_t val, uint64_t mask)
{
    switch (reg) {
    case REG_CONFIG:
        set_counter(s, counter_now(s));
        s->config = merge(s->config, val, mask) & (CONFIG_ENABLE | CONFIG_LEGACY);
        update_all(s);
        break;
    case REG_STATUS:
        s->status &= ~(uint32_t)(val & mask);
        for (unsigned n = 0; n < HPET_TIMERS; n++) {
            update_irq(&s->timers[n], false);
        }
        break;
    case REG_COUNTER:
        set_counter(s, merge(counter_now(s), val, mask));
        update_all(s);
        break;
    default:
        if (reg >= REG_TIMERS && reg < REG_TIMERS + HPET_TIMERS * TIMER_BYTES) {
            timer_write(&s->timers[(reg - REG_TIMERS) / TIMER_BYTES], reg % TIMER_BYTES, val, mask);
        }
        break;
    }
}

static void hpet_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    unsigned shift = (unsigned)(off & 7) * 8;
    trace_hpet_write((unsigned)off, (uint32_t)val);
    if (size >= 4) { /* [HPET] "Register Overview": 32- and 64-bit accesses only */
        reg_write(dev, (unsigned)off & ~7u, val << shift, size_mask(size) << shift);
    }
}

static const struct region_ops hpet_ops = {.read = hpet_read, .write = hpet_write, .width = 8};

/* ---- reset, state, init ---- */

/* [HPET]: everything 0, comparators all ones. The old chips' levels are theirs. */
static void hpet_reset(void *dev)
{
    struct hpet *s = dev;
    s->config = 0;
    s->status = 0;
    set_counter(s, 0);
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        s->timers[n].config = 0;
        s->timers[n].comparator = ~0ull;
        s->timers[n].period = 0;
    }
    update_all(s);
}

static void hpet_loaded(void *dev)
{
    struct hpet *s = dev;
    int64_t now = clock_now(&s->m->clock);
    s->config &= CONFIG_ENABLE | CONFIG_LEGACY;
    if (s->counter_ns > now || s->counter_ns < INT64_MIN / 4) {
        s->counter_ns = now;
    }
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        s->timers[n].config &= TN_WRITABLE;
        s->timers[n].wire = wire_of(&s->timers[n]);
        s->timers[n].line &= s->timers[n].wire != WIRE_NONE;
        drive(s, s->timers[n].wire);
    }
    drive(s, WIRE_IRQ0);
    drive(s, WIRE_IRQ8);
}

static const struct state_field timer_state[] = {
    STATE(struct hpet_timer, config),      STATE(struct hpet_timer, comparator),
    STATE(struct hpet_timer, period),      STATE_TIMER(struct hpet_timer, timer),
    STATE(struct hpet_timer, line),        STATE_END(),
};

static const struct state_field hpet_state[] = {
    STATE_KEPT(struct hpet, pit_level),    STATE_KEPT(struct hpet, rtc_level),
    STATE(struct hpet, config),            STATE(struct hpet, status),
    STATE(struct hpet, counter),           STATE_TIME(struct hpet, counter_ns),
    STATE_SUBS(struct hpet, timers, timer_state), STATE_END(),
};

static const struct device_type hpet_type = {
    .name = "hpet", .version = 1, .reset = hpet_reset, .state = hpet_state, .loaded = hpet_loaded,
};

void hpet_init(struct hpet *s, struct machine *m, const struct hpet_pins *pins)
{
    *s = (struct hpet){.m = m, .pins = *pins};
    irq_init(&s->pit_in, old_chip_changed, s, 0);
    irq_init(&s->rtc_in, old_chip_changed, s, 1);
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        s->timers[n].hpet = s;
        s->timers[n].wire = WIRE_NONE;
        timer_init(&s->timers[n].timer, &m->clock, "hpet", fire, &s->timers[n]);
    }
    region_io(&s->regs, "hpet", &hpet_ops, s, HPET_BYTES);
    region_map(&m->mem.root, &s->regs, HPET_BASE, PRIO);
    machine_add(m, &hpet_type, "hpet", s);
}
