/*
 * Intel 8254 programmable interval timer: three 16-bit down counters.
 *
 * Source: [8254] "Programming the 8254", "Read Operations", "Mode Definitions",
 *         "Operation Common to All Modes".
 * Pins:   CLK (1193182 Hz on a PC), GATE0..2 in, OUT0..2 out.
 * Model:  counts are computed from elapsed CLKs, never stepped. What the counting element does is
 *         fixed by its last load (count, loaded_clk), a load still to come (load_pending, load_clk)
 *         and a stop by GATE (held, hold_clk); an OUT edge is a timer deadline.
 * Unsure: a latch between the two bytes of a read gives the latched high byte and is used up by it;
 *         a count of 1 in modes 2 and 3, which the sheet calls illegal, leaves OUT high; digits
 *         above 9 of a BCD count carry into the next digit; GATE falling in the one CLK of a mode 4
 *         strobe stops the counting element one CLK later.
 */
#include "hw/chips/i8254.h"

#include "core/base/bits.h"
#include "trace/hw_chips.h"

enum {
    PORT_CONTROL = 3,

    /* control word */
    CW_BCD = 1,
    CW_RW_LSB = 1,
    CW_RW_MSB = 2,      /* D5, D4; 3 is both, low byte first; 0 is a latch command */
    CW_READ_BACK = 3,   /* D7, D6 */
    RB_NO_COUNT = 0x20, /* read-back command: do not latch ... */
    RB_NO_STATUS = 0x10,

    STATUS_OUT = 0x80,
    STATUS_NULL_COUNT = 0x40,
};

#define CLK_NEVER INT64_MAX

/* A late host: OUT is followed edge by edge through this many counts, older ones are dropped. */
#define CATCH_UP_COUNTS 32

/* ---- time ---- */

static int64_t clk_at(const struct i8254 *s, int64_t ns)
{
    return (int64_t)muldiv64((uint64_t)(ns - s->epoch_ns), I8254_HZ, NS_PER_SEC);
}

static int64_t clk_now(const struct i8254 *s)
{
    return clk_at(s, clock_now(&s->m->clock));
}

static int64_t clk_to_ns(const struct i8254 *s, int64_t clk)
{
    return s->epoch_ns + (int64_t)muldiv64_up((uint64_t)clk, NS_PER_SEC, I8254_HZ);
}

/* ---- pure behaviour ---- */

/* 0..5: the upper bit of modes 2 and 3 is "don't care". */
static unsigned mode_of(const struct i8254_counter *c)
{
    unsigned mode = c->control >> 1 & 7;
    return mode > 5 ? mode & 3 : mode;
}

static uint32_t modulus(const struct i8254_counter *c)
{
    return c->control & CW_BCD ? 10000 : 65536;
}

/* A count as the CPU writes it, in CLKs: 0 is the largest. */
static uint32_t count_to_clks(const struct i8254_counter *c, uint16_t val)
{
    uint32_t clks = val;
    if (c->control & CW_BCD) {
        clks = ((val >> 12) * 1000u + (val >> 8 & 15) * 100u + (val >> 4 & 15) * 10u + (val & 15)) %
               10000;
    }
    return clks == 0 ? modulus(c) : clks;
}

static uint16_t clks_to_count(const struct i8254_counter *c, uint32_t clks)
{
    uint32_t v = clks % modulus(c);
    if (c->control & CW_BCD) {
        v = v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
    }
    return (uint16_t)v;
}

/* Modes 1 and 5 use only the rising edge of GATE. */
static bool gate_stops(const struct i8254_counter *c)
{
    return mode_of(c) != 1 && mode_of(c) != 5;
}

/* CLKs counted since the load. */
static int64_t elapsed(const struct i8254_counter *c, int64_t clk)
{
    return (c->held && c->hold_clk < clk ? c->hold_clk : clk) - c->loaded_clk;
}

/* Mode 3: CLKs of the high half; odd counts are high one CLK longer. */
static uint32_t high_half(const struct i8254_counter *c)
{
    return (c->count + 1) / 2;
}

/* Level of OUT at @clk, with no load due before. */
static bool out_level(const struct i8254_counter *c, int64_t clk)
{
    int64_t k = elapsed(c, clk);
    switch (mode_of(c)) {
    case 0:
        return c->loaded && k >= c->count;
    case 1:
        return !c->loaded || k >= c->count;
    case 2:
        return !c->loaded || c->held || c->count == 1 || k % c->count != c->count - 1;
    case 3:
        return !c->loaded || c->held || k % c->count < high_half(c);
    default:
        return !c->loaded || k != c->count;
    }
}

/* What the counting element shows the CPU at @clk, with no load due before. */
static uint16_t count_at(const struct i8254_counter *c, int64_t clk)
{
    if (!c->loaded) {
        return c->idle;
    }
    int64_t k = elapsed(c, clk);
    switch (mode_of(c)) {
    case 2:
        return clks_to_count(c, (uint32_t)(c->count - k % c->count));
    case 3: /* by two, from the even number at or below the count, in each half */
        k %= c->count;
        k = k < high_half(c) ? k : k - high_half(c);
        return clks_to_count(c, (uint32_t)((c->count & ~1u) - 2 * k));
    default: /* goes on below 0 */
        return clks_to_count(c, (uint32_t)(c->count + modulus(c) - k % modulus(c)));
    }
}

/* The first change of OUT after @clk, should neither CPU nor GATE interfere. */
static int64_t next_edge(const struct i8254_counter *c, int64_t clk)
{
    if (!c->loaded || (c->held && c->hold_clk <= clk)) {
        return CLK_NEVER;
    }
    int64_t k = clk - c->loaded_clk;
    int64_t phase = k % c->count;
    switch (mode_of(c)) {
    case 0:
    case 1:
        return k < c->count ? c->loaded_clk + c->count : CLK_NEVER;
    case 2:
    case 3:
        if (c->count == 1) {
            return CLK_NEVER;
        }
        k = mode_of(c) == 2 ? c->count - 1 : high_half(c);
        return clk - phase + (phase < k ? k : c->count);
    default:
        if (k > c->count) {
            return CLK_NEVER;
        }
        return c->loaded_clk + c->count + (k == c->count);
    }
}

/* The first CLK after @clk at which OUT changes or a count is loaded. */
static int64_t next_event(const struct i8254_counter *c, int64_t clk)
{
    int64_t edge = next_edge(c, clk);
    return c->load_pending && c->load_clk < edge ? c->load_clk : edge;
}

/* Lets the load happen that falls due up to @clk: there is never more than one. */
static void load_due(struct i8254_counter *c, int64_t clk)
{
    if (!c->load_pending || c->load_clk > clk) {
        return;
    }
    c->count = c->cr;
    c->loaded_clk = c->load_clk - (c->load_low ? high_half(c) : 0);
    c->loaded = true;
    c->load_pending = false;
    c->null_count = false;
    c->held = !c->gate && gate_stops(c);
    c->hold_clk = c->load_clk;
}

static void load_at(struct i8254_counter *c, int64_t clk, bool low)
{
    c->load_pending = true;
    c->load_clk = clk;
    c->load_low = low;
}

/* The counting element stands still until the next load. */
static void unload(struct i8254_counter *c, int64_t clk)
{
    c->idle = count_at(c, clk);
    c->loaded = false;
    c->load_pending = false;
    c->held = false;
}

/* A whole count is in CR: when does the counting element take it? */
static void count_written(struct i8254_counter *c, int64_t clk)
{
    c->written = true;
    c->null_count = true;
    if (mode_of(c) == 0) {
        unload(c, clk); /* OUT goes low with the write */
    }
    if (c->load_pending) {
        return;
    }
    switch (mode_of(c)) {
    case 1:
    case 5: /* with the next trigger */
        return;
    case 0:
    case 4:
        load_at(c, clk + 1, false);
        return;
    }
    if (!c->loaded) {
        load_at(c, clk + 1, false);
    } else if (!c->held) { /* at the end of the period, or of the half in mode 3 */
        int64_t phase = (clk - c->loaded_clk) % c->count;
        bool low_next = mode_of(c) == 3 && c->count > 1 && phase < high_half(c);
        load_at(c, clk - phase + (low_next ? high_half(c) : c->count), low_next);
    }
}

static void gate_falls(struct i8254_counter *c, int64_t clk)
{
    if (!c->loaded || c->held || !gate_stops(c)) {
        return;
    }
    if ((mode_of(c) == 2 || mode_of(c) == 3) && c->load_clk > clk + 1) {
        c->load_pending = false; /* the period never ends; the trigger will load */
    }
    c->held = true;
    c->hold_clk = clk + (mode_of(c) == 4 && clk - c->loaded_clk == c->count);
}

static void gate_rises(struct i8254_counter *c, int64_t clk)
{
    if (mode_of(c) != 0 && mode_of(c) != 4) { /* a trigger */
        if (c->written) {
            load_at(c, clk + 1, false);
        }
        return;
    }
    if (c->held && c->hold_clk < clk) {
        c->loaded_clk += clk - c->hold_clk;
    }
    c->held = false;
}

/* ---- OUT pins ---- */

/* Puts the level of @clk on the pin. */
static void send_out(struct i8254_counter *c, int64_t clk)
{
    bool level = out_level(c, clk);
    c->sent_clk = clk;
    if (level != c->out) {
        c->out = level;
        trace_i8254_out((unsigned)(c - c->pit->counter), level);
        irq_set(c->pin, level);
    }
}

static void arm(struct i8254_counter *c, int64_t clk)
{
    timer_at(&c->timer, clk == CLK_NEVER ? TIME_NEVER : clk_to_ns(c->pit, clk));
}

/* An event of a connected OUT. Whoever is interrupted by a rising edge needs time before OUT falls
 * again, or it sees no request at all: a host that was late does not get several edges at once. */
static void counter_event(void *opaque)
{
    struct i8254_counter *c = opaque;
    int64_t now = clk_now(c->pit);
    int64_t clk = next_event(c, c->sent_clk);
    while (clk <= now) {
        if (now - clk > (int64_t)CATCH_UP_COUNTS * c->count) {
            clk = now;
        }
        load_due(c, clk);
        send_out(c, clk);
        clk = next_event(c, clk);
        if (c->out && clk <= now) {
            clk = now + 1 + c->count / 8;
        }
    }
    arm(c, clk);
}

/* Brings counter and pin up to now, before something changes the counter. */
static int64_t settle(struct i8254_counter *c)
{
    int64_t now = clk_now(c->pit);
    if (c->pin != NULL) {
        for (unsigned i = 0; i < 4; i++) {
            int64_t clk = next_event(c, c->sent_clk);
            if (clk > now) {
                break;
            }
            load_due(c, clk);
            send_out(c, clk);
        }
    }
    load_due(c, now);
    return now;
}

/* After a change of the counter at @clk. */
static void update_out(struct i8254_counter *c, int64_t clk)
{
    if (c->pin != NULL) {
        send_out(c, clk);
        arm(c, next_event(c, clk));
    }
}

/* The counter as it is now, without telling the pin. */
static struct i8254_counter seen(const struct i8254_counter *c, int64_t clk)
{
    struct i8254_counter now = *c;
    load_due(&now, clk);
    return now;
}

bool i8254_out(const struct i8254 *s, unsigned n, int64_t now_ns)
{
    const struct i8254_counter *c = &s->counter[n];
    int64_t clk = clk_at(s, now_ns);
    if (likely(!c->load_pending)) {
        return out_level(c, clk);
    }
    struct i8254_counter now = seen(c, clk);
    return out_level(&now, clk);
}

void i8254_set_gate(struct i8254 *s, unsigned n, bool level)
{
    struct i8254_counter *c = &s->counter[n];
    if (level == c->gate) {
        return;
    }
    trace_i8254_gate(n, level);
    int64_t clk = settle(c);
    c->gate = level;
    if (level) {
        gate_rises(c, clk);
    } else {
        gate_falls(c, clk);
    }
    update_out(c, clk);
}

/* ---- ports ---- */

/* [8254] "Counter Latch Command": a second one before the read is ignored. */
static void latch_count(struct i8254_counter *c)
{
    if (!c->count_latched) {
        int64_t clk = clk_now(c->pit);
        struct i8254_counter now = seen(c, clk);
        c->latch = count_at(&now, clk);
        c->count_latched = true;
    }
}

static void latch_status(struct i8254_counter *c)
{
    if (!c->status_latched) {
        int64_t clk = clk_now(c->pit);
        struct i8254_counter now = seen(c, clk);
        c->status = (uint8_t)((out_level(&now, clk) ? STATUS_OUT : 0) |
                              (now.null_count ? STATUS_NULL_COUNT : 0) | c->control);
        c->status_latched = true;
    }
}

static void read_back(struct i8254 *s, uint8_t val)
{
    for (unsigned n = 0; n < I8254_COUNTERS; n++) {
        if (!(val & 2u << n)) {
            continue;
        }
        if (!(val & RB_NO_COUNT)) {
            latch_count(&s->counter[n]);
        }
        if (!(val & RB_NO_STATUS)) {
            latch_status(&s->counter[n]);
        }
    }
}

static void write_control(struct i8254 *s, uint8_t val)
{
    if (val >> 6 == CW_READ_BACK) {
        read_back(s, val);
        return;
    }
    struct i8254_counter *c = &s->counter[val >> 6];
    if ((val >> 4 & 3) == 0) {
        latch_count(c);
        return;
    }
    int64_t clk = settle(c);
    unload(c, clk);
    c->control = val & 0x3f;
    c->write_high = c->read_high = false;
    c->written = false;
    c->null_count = true;
    c->count_latched = c->status_latched = false;
    update_out(c, clk);
}

static void write_count(struct i8254_counter *c, uint8_t val)
{
    int64_t clk = settle(c);
    uint16_t count;
    switch (c->control >> 4) {
    case CW_RW_LSB:
        count = val;
        break;
    case CW_RW_MSB:
        count = (uint16_t)(val << 8);
        break;
    default:
        if (!c->write_high) {
            c->cr_low = val;
            c->write_high = true;
            if (mode_of(c) == 0) { /* the first byte stops counting, OUT goes low */
                unload(c, clk);
                update_out(c, clk);
            }
            return;
        }
        c->write_high = false;
        count = (uint16_t)(val << 8 | c->cr_low);
        break;
    }
    c->cr = count_to_clks(c, count);
    count_written(c, clk);
    update_out(c, clk);
}

/* Reading uses up a latched status, then a latched count. */
static uint8_t read_count(struct i8254_counter *c)
{
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    uint16_t count = c->latch;
    if (!c->count_latched) {
        int64_t clk = clk_now(c->pit);
        struct i8254_counter now = seen(c, clk);
        count = count_at(&now, clk);
    }
    bool high = false;
    switch (c->control >> 4) {
    case CW_RW_LSB:
        break;
    case CW_RW_MSB:
        high = true;
        break;
    default:
        high = c->read_high;
        c->read_high = !high;
        if (!high) {
            return (uint8_t)count; /* a latch holds until the high byte is read too */
        }
        break;
    }
    c->count_latched = false;
    return (uint8_t)(high ? count >> 8 : count);
}

static uint64_t i8254_read(void *dev, uint64_t off, unsigned size)
{
    struct i8254 *s = dev;
    uint8_t val = off == PORT_CONTROL ? 0xff : read_count(&s->counter[off]); /* 3: write only */
    trace_i8254_read((unsigned)off, val);
    return val;
}

static void i8254_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct i8254 *s = dev;
    trace_i8254_write((unsigned)off, (uint8_t)val);
    bool control = off == PORT_CONTROL;
    unsigned n = control ? val >> 6 & 3 : off & 3; /* 3: read-back, which sets nothing */
    if (control) {
        write_control(s, (uint8_t)val);
    } else {
        write_count(&s->counter[off], (uint8_t)val);
    }
    if (s->written != NULL && n < I8254_COUNTERS) {
        s->written(s->written_opaque, n);
    }
}

void i8254_on_write(struct i8254 *s, void (*fn)(void *opaque, unsigned n), void *opaque)
{
    s->written = fn;
    s->written_opaque = opaque;
}

unsigned i8254_square_hz(const struct i8254 *s, unsigned n)
{
    const struct i8254_counter *c = &s->counter[n];
    return mode_of(c) == 3 && c->written ? (I8254_HZ + c->cr / 2) / c->cr : 0;
}

static const struct region_ops i8254_ops = {.read = i8254_read, .write = i8254_write, .width = 1};

/* ---- reset, state, init ---- */

/* [8254] "Programming the 8254": after power-up mode, count and output of all counters are
 * undefined. We pick mode 3, low and high byte, without a count: OUT is high and nothing counts.
 * GATE is an input and stays as it is driven. */
static void i8254_reset(void *dev)
{
    struct i8254 *s = dev;
    s->epoch_ns = clock_now(&s->m->clock);
    for (unsigned n = 0; n < I8254_COUNTERS; n++) {
        struct i8254_counter *c = &s->counter[n];
        timer_cancel(&c->timer);
        *c = (struct i8254_counter){.control = 0x36,
                                    .gate = c->gate,
                                    .cr = 65536,
                                    .count = 65536,
                                    .null_count = true,
                                    .out = true,
                                    .pit = s,
                                    .pin = c->pin,
                                    .timer = c->timer};
        irq_set(c->pin, true);
    }
}

static const struct state_field counter_state[] = {
    STATE(struct i8254_counter, control),
    STATE(struct i8254_counter, gate),
    STATE(struct i8254_counter, cr),
    STATE(struct i8254_counter, cr_low),
    STATE(struct i8254_counter, write_high),
    STATE(struct i8254_counter, read_high),
    STATE(struct i8254_counter, written),
    STATE(struct i8254_counter, null_count),
    STATE(struct i8254_counter, loaded),
    STATE(struct i8254_counter, idle),
    STATE(struct i8254_counter, count),
    STATE(struct i8254_counter, loaded_clk),
    STATE(struct i8254_counter, load_pending),
    STATE(struct i8254_counter, load_low),
    STATE(struct i8254_counter, load_clk),
    STATE(struct i8254_counter, held),
    STATE(struct i8254_counter, hold_clk),
    STATE(struct i8254_counter, count_latched),
    STATE(struct i8254_counter, status_latched),
    STATE(struct i8254_counter, latch),
    STATE(struct i8254_counter, status),
    STATE(struct i8254_counter, out),
    STATE(struct i8254_counter, sent_clk),
    STATE_END(),
};

static const struct state_field i8254_state[] = {
    STATE_SUBS(struct i8254, counter, counter_state),
    STATE_TIME(struct i8254, epoch_ns),
    STATE_END(),
};

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* A saved machine is hostile input: no count of 0, no time whose arithmetic overflows. */
static void i8254_loaded(void *dev)
{
    struct i8254 *s = dev;
    const int64_t far_clk = (int64_t)1 << 51;
    int64_t now_ns = clock_now(&s->m->clock);
    s->epoch_ns = clamp(s->epoch_ns, now_ns - ((int64_t)1 << 60), now_ns);
    for (unsigned n = 0; n < I8254_COUNTERS; n++) {
        struct i8254_counter *c = &s->counter[n];
        c->control &= 0x3f;
        c->cr = (uint32_t)clamp(c->cr, 1, 65536);
        c->count = (uint32_t)clamp(c->count, 1, 65536);
        c->loaded_clk = clamp(c->loaded_clk, -far_clk, far_clk);
        c->load_clk = clamp(c->load_clk, 0, far_clk);
        c->hold_clk = clamp(c->hold_clk, -far_clk, far_clk);
        c->sent_clk = clamp(c->sent_clk, 0, clk_now(s));
        if (c->pin != NULL) {
            irq_set(c->pin, c->out);
            arm(c, next_event(c, c->sent_clk));
        }
    }
}

static const struct device_type i8254_type = {
    .name = "i8254",
    .version = 1,
    .reset = i8254_reset,
    .state = i8254_state,
    .loaded = i8254_loaded,
};

void i8254_init(struct i8254 *s, struct machine *m, uint16_t base, struct irq *out0,
                struct irq *out2)
{
    static const char *const timer_name[] = {"i8254 OUT0", "i8254 OUT1", "i8254 OUT2"};
    *s = (struct i8254){.m = m};
    for (unsigned n = 0; n < I8254_COUNTERS; n++) {
        struct i8254_counter *c = &s->counter[n];
        c->pit = s;
        c->pin = n == 0 ? out0 : n == 2 ? out2 : NULL;
        c->gate = n != 2;
        timer_init(&c->timer, &m->clock, timer_name[n], counter_event, c);
    }
    region_io(&s->ports, "i8254", &i8254_ops, s, 4);
    region_map(&m->ports.root, &s->ports, base, 0);
    machine_add(m, &i8254_type, "i8254", s);
}
