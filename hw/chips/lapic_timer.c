/*
 * The timer of a local APIC: one-shot, periodic, TSC deadline.
 *
 * Source: [SDM3] "APIC Timer", "TSC-Deadline Mode", and the registers "Initial Count", "Current
 *         Count", "Divide Configuration".
 * Model:  the count is computed from elapsed time, never stepped. A tick whose interrupt is still
 *         requested changes nothing, so none is armed until the acknowledge.
 * Chosen: the input clock is 1 GHz, as on QEMU's machine; guests measure it. Periods under a
 *         microsecond tick, but interrupt once a microsecond.
 */
#include "hw/chips/lapic.h"

#include "core/base/bits.h"
#include "trace/hw_chips.h"

#define MIN_PERIOD_NS NS_PER_US

static int64_t now_ns(const struct lapic *s)
{
    return clock_now(&s->bus->m->clock);
}

/* [SDM3] "Divide Configuration Register": 0 to 6 are 2 to 128, 7 is 1. As a shift of nanoseconds.
 * */
static unsigned divide_shift(const struct lapic *s)
{
    unsigned value = (s->divide & 3u) | (s->divide >> 1 & 4u);
    return (value + 1) & 7;
}

static bool deadline_mode(const struct lapic *s)
{
    return s->lvt[LVT_TIMER] & LVT_TSC_DEADLINE;
}

uint32_t lapic_timer_count(const struct lapic *s)
{
    if (deadline_mode(s) || s->initial_count == 0 || s->start_count == 0) {
        return 0;
    }
    uint64_t elapsed = (uint64_t)(now_ns(s) - s->start_ns) >> divide_shift(s);
    if (elapsed < s->start_count) {
        return s->start_count - (uint32_t)elapsed;
    }
    if (!(s->lvt[LVT_TIMER] & LVT_PERIODIC)) {
        return 0;
    }
    return s->initial_count - (uint32_t)((elapsed - s->start_count) % s->initial_count);
}

/* When the count reaches 0 next, after @t; TIME_NEVER if it does not. */
static int64_t next_tick(const struct lapic *s, int64_t t)
{
    unsigned shift = divide_shift(s);
    if (s->start_count == 0) {
        return TIME_NEVER;
    }
    int64_t first = s->start_ns + (int64_t)((uint64_t)s->start_count << shift);
    if (first > t) {
        return first;
    }
    if (!(s->lvt[LVT_TIMER] & LVT_PERIODIC)) {
        return TIME_NEVER;
    }
    int64_t period = (int64_t)((uint64_t)s->initial_count << shift);
    int64_t tick = first + ((t - first) / period + 1) * period;
    return tick - t < MIN_PERIOD_NS ? t + MIN_PERIOD_NS : tick;
}

void lapic_timer_arm(struct lapic *s)
{
    uint32_t lvt = s->lvt[LVT_TIMER];
    int64_t at = TIME_NEVER;
    if (deadline_mode(s)) {
        at = s->deadline_ns; /* the register falls to 0 then, whether masked or not */
    } else if (s->initial_count != 0 && !(lvt & LVT_MASKED) &&
               !lapic_requests(s, lvt & LVT_VECTOR)) {
        at = next_tick(s, now_ns(s));
    }
    timer_at(&s->timer, at);
}

static void fire(void *opaque)
{
    struct lapic *s = opaque;
    trace_lapic_timer_fire(s->name, s->lvt[LVT_TIMER] & LVT_VECTOR);
    if (deadline_mode(s)) {
        s->tsc_deadline = 0;
        s->deadline_ns = TIME_NEVER;
    }
    lapic_local(s, LVT_TIMER);
    lapic_timer_arm(s);
}

void lapic_timer_settle(struct lapic *s)
{
    if (timer_armed(&s->timer) && s->timer.deadline_ns <= now_ns(s)) {
        timer_cancel(&s->timer);
        fire(s);
    }
}

void lapic_timer_start(struct lapic *s, uint32_t count)
{
    if (deadline_mode(s)) {
        return; /* [SDM3] "TSC-Deadline Mode": writes to the initial count are ignored */
    }
    s->initial_count = s->start_count = count;
    s->start_ns = now_ns(s);
    lapic_timer_arm(s);
}

/* Counting starts anew from where it is. */
static void rebase(struct lapic *s)
{
    s->start_count = lapic_timer_count(s);
    s->start_ns = now_ns(s);
}

/* The count goes on from where it is, at the new pace. */
void lapic_timer_set_divide(struct lapic *s, uint8_t divide)
{
    rebase(s);
    s->divide = divide;
    lapic_timer_arm(s);
}

/* Between one-shot and periodic the count goes on; one that has ended stays 0 until it is
 * written. */
void lapic_timer_set_lvt(struct lapic *s, uint32_t lvt)
{
    uint32_t changed = s->lvt[LVT_TIMER] ^ lvt;
    if (changed & LVT_TSC_DEADLINE) { /* disarms */
        s->initial_count = s->start_count = 0;
        s->tsc_deadline = 0;
        s->deadline_ns = TIME_NEVER;
    } else if ((changed & LVT_PERIODIC) && !deadline_mode(s)) {
        rebase(s);
    }
    s->lvt[LVT_TIMER] = lvt;
    lapic_timer_arm(s);
}

void lapic_set_deadline(void *lapic, uint64_t tsc, int64_t at_ns)
{
    struct lapic *s = lapic;
    lapic_timer_settle(s);
    if (deadline_mode(s)) {
        s->tsc_deadline = tsc;
        s->deadline_ns = tsc != 0 ? at_ns : TIME_NEVER;
        lapic_timer_arm(s);
    }
}

void lapic_timer_reset(struct lapic *s)
{
    s->initial_count = s->start_count = 0;
    s->divide = 0;
    s->start_ns = now_ns(s);
    s->tsc_deadline = 0;
    s->deadline_ns = TIME_NEVER;
    timer_cancel(&s->timer);
}

/* Times from a file: as the arithmetic here needs them. */
void lapic_timer_loaded(struct lapic *s)
{
    if (s->start_ns > now_ns(s) || s->start_ns < INT64_MIN / 4) {
        s->start_ns = now_ns(s);
    }
    if (s->deadline_ns < 0) {
        s->deadline_ns = 0;
    }
}

void lapic_timer_init(struct lapic *s)
{
    timer_init(&s->timer, &s->bus->m->clock, "lapic", fire, s);
}
