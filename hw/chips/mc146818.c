/*
 * Motorola MC146818 real time clock: a calendar, an alarm, a periodic interrupt and memory.
 *
 * Source: [MC146818] "Time, Calendar and Alarm Locations", "Update Cycle", "Interrupts",
 *         "Registers"; [PIIX3] NMIEN for bit 7 of the index port.
 * Pins:   32768 Hz in, IRQ out, RESET in.
 * Model:  the date is a number of seconds plus the full seconds since grid_ns; its bytes are made
 *         when they are read. With SET, or without the divider, it stands still in the bytes. Flags
 *         are worked out from the time that passed (sweep); a timer runs only for an event whose
 *         interrupt is enabled.
 * Left out: SQW (not wired on a PC), daylight saving (DSE is kept), other time bases than 32768 Hz.
 * Unsure: bytes that are no date are taken as the number they come to (the 31st of April is the 1st
 *         of May); byte 32h, an extension of later chips, follows DM like the others.
 */
#include "hw/chips/mc146818.h"

#include "core/base/bits.h"
#include "trace/hw_chips.h"

enum {
    SECONDS = 0,
    SECONDS_ALARM,
    MINUTES,
    MINUTES_ALARM,
    HOURS,
    HOURS_ALARM,
    WEEKDAY,
    DAY,
    MONTH,
    YEAR,
    REG_A,
    REG_B,
    REG_C,
    REG_D,
    CENTURY = 0x32,

    A_UIP = 0x80,
    A_DV = 0x70,
    A_RS = 0x0f,
    A_DV_RUN = 0x20, /* 010: 32768 Hz, the divider runs */
    B_SET = 0x80,
    B_PIE = 0x40,
    B_AIE = 0x20,
    B_UIE = 0x10,
    B_SQWE = 0x08,
    B_DM = 0x04,
    B_24 = 0x02,
    B_INTERRUPTS = B_PIE | B_AIE | B_UIE, /* the same bits as their flags in C */
    C_IRQF = 0x80,
    C_PF = 0x40,
    C_AF = 0x20,
    C_UF = 0x10,
    D_VRT = 0x80,
    HOURS_PM = 0x80,
    ALARM_ANY = 0xc0, /* an alarm byte with both bits set matches all */
    INDEX_NMI = 0x80,
};

#define UIP_NS      (2228 * NS_PER_US) /* tBUC 244 us before, and tUC 1984 us during the update */
#define DAY_SECONDS 86400

/* ---- calendar ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t floor_mod(int64_t a, int64_t b)
{
    return a - floor_div(a, b) * b;
}

/* Days from 1970-01-01 to the first of @month, counted from March of @year: March is 0, February of
 * the following year 11. Months of 31 and 30 days then follow a rule of 153 days in five months. */
static int64_t days_to_month(int64_t year, int64_t month)
{
    int64_t leaps = floor_div(year, 4) - floor_div(year, 100) + floor_div(year, 400);
    return year * 365 + leaps + (153 * month + 2) / 5 - 719468;
}

static int64_t days_of_date(int64_t year, int64_t month, int64_t day)
{
    int64_t months = year * 12 + month - 1 - 2; /* from March of year 0 */
    return days_to_month(floor_div(months, 12), floor_mod(months, 12)) + day - 1;
}

struct date {
    int64_t year;
    unsigned month, day; /* from 1 */
};

static struct date date_of_days(int64_t days)
{
    /* 146097 days are 400 years: the guess is never too late and at most one year early */
    int64_t year = floor_div((days + 719468) * 400, 146097) - 1;
    while (days_to_month(year + 1, 0) <= days) {
        year++;
    }
    int64_t day = days - days_to_month(year, 0); /* 0: the 1st of March */
    int64_t month = (5 * day + 2) / 153;
    return (struct date){
        .year = year + (month >= 10),
        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
        .day = (unsigned)(day - (153 * month + 2) / 5 + 1),
    };
}

/* ---- bytes of the clock ---- */

static uint8_t to_byte(const struct mc146818 *s, unsigned val)
{
    return (uint8_t)(s->cmos[REG_B] & B_DM ? val : val / 10 << 4 | val % 10);
}

static unsigned from_byte(const struct mc146818 *s, uint8_t byte)
{
    return s->cmos[REG_B] & B_DM ? byte : (byte >> 4) * 10u + (byte & 15);
}

static uint8_t to_hours(const struct mc146818 *s, unsigned hour)
{
    if (s->cmos[REG_B] & B_24) {
        return to_byte(s, hour);
    }
    return to_byte(s, hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? HOURS_PM : 0);
}

static unsigned from_hours(const struct mc146818 *s, uint8_t byte)
{
    if (s->cmos[REG_B] & B_24) {
        return from_byte(s, byte);
    }
    return from_byte(s, byte & 0x7f) % 12 + (byte & HOURS_PM ? 12 : 0);
}

static bool is_clock_byte(unsigned index)
{
    return index == CENTURY || (index <= YEAR && index != SECONDS_ALARM && index != MINUTES_ALARM &&
                                index != HOURS_ALARM);
}

/* The clock byte @index at @seconds since 1970. */
static uint8_t clock_byte(const struct mc146818 *s, unsigned index, int64_t seconds)
{
    int64_t days = floor_div(seconds, DAY_SECONDS);
    unsigned second = (unsigned)floor_mod(seconds, DAY_SECONDS);
    switch (index) {
    case SECONDS:
        return to_byte(s, second % 60);
    case MINUTES:
        return to_byte(s, second / 60 % 60);
    case HOURS:
        return to_hours(s, second / 3600);
    case WEEKDAY: /* Sunday is 1; 1970-01-01 was a Thursday */
        return to_byte(s, (unsigned)floor_mod(days + 4 + s->weekday_shift, 7) + 1);
    case DAY:
        return to_byte(s, date_of_days(days).day);
    case MONTH:
        return to_byte(s, date_of_days(days).month);
    case YEAR:
        return to_byte(s, (unsigned)floor_mod(date_of_days(days).year, 100));
    default: /* CENTURY */
        return to_byte(s, (unsigned)floor_mod(floor_div(date_of_days(days).year, 100), 100));
    }
}

/* ---- running and standing ---- */

static bool divider_runs(const struct mc146818 *s)
{
    return (s->cmos[REG_A] & A_DV) == A_DV_RUN;
}

static bool clock_runs(const struct mc146818 *s)
{
    return divider_runs(s) && !(s->cmos[REG_B] & B_SET);
}

static int64_t updates_until(const struct mc146818 *s, int64_t now)
{
    return floor_div(now - s->grid_ns, NS_PER_SEC);
}

/* Puts the date into its bytes. */
static void freeze(struct mc146818 *s, int64_t now)
{
    int64_t seconds = s->seconds + updates_until(s, now);
    for (unsigned index = 0; index < MC146818_BYTES; index++) {
        if (is_clock_byte(index)) {
            s->cmos[index] = clock_byte(s, index, seconds);
        }
    }
}

/* Takes the date from its bytes. */
static void thaw(struct mc146818 *s, int64_t now)
{
    const uint8_t *r = s->cmos;
    int64_t days = days_of_date(from_byte(s, r[CENTURY]) * 100 + from_byte(s, r[YEAR]),
                                from_byte(s, r[MONTH]), from_byte(s, r[DAY]));
    int64_t seconds = days * DAY_SECONDS + from_hours(s, r[HOURS]) * 3600 +
                      from_byte(s, r[MINUTES]) * 60 + from_byte(s, r[SECONDS]);
    days = floor_div(seconds, DAY_SECONDS);
    s->weekday_shift = (uint8_t)floor_mod((int64_t)from_byte(s, r[WEEKDAY]) - 1 - 4 - days, 7);
    s->seconds = seconds - updates_until(s, now);
}

/* ---- events ---- */

/* [MC146818] "Register A", RS3..0: 1 and 2 repeat the rates of 8 and 9; 0 is none. */
static unsigned periodic_hz(const struct mc146818 *s)
{
    unsigned rs = s->cmos[REG_A] & A_RS;
    if (rs == 0 || !divider_runs(s)) {
        return 0;
    }
    return 32768u >> (rs < 3 ? rs + 6 : rs - 1);
}

static uint64_t periods_until(const struct mc146818 *s, int64_t now, unsigned hz)
{
    return muldiv64((uint64_t)(now - s->grid_ns), hz, NS_PER_SEC);
}

static bool alarm_matches(uint8_t alarm, uint8_t byte)
{
    return (alarm & ALARM_ANY) == ALARM_ANY || alarm == byte;
}

/* The first second after @seconds that the alarm bytes match, or INT64_MAX. */
static int64_t next_alarm(const struct mc146818 *s, int64_t seconds)
{
    int64_t from = seconds + 1;
    int64_t hour_start = from - floor_mod(from, 3600);
    for (unsigned i = 0; i <= 24; i++, hour_start += 3600) {
        unsigned hour = (unsigned)floor_mod(hour_start, DAY_SECONDS) / 3600;
        if (!alarm_matches(s->cmos[HOURS_ALARM], to_hours(s, hour))) {
            continue;
        }
        for (unsigned minute = 0; minute < 60; minute++) {
            int64_t minute_start = hour_start + minute * 60;
            if (minute_start + 59 < from ||
                !alarm_matches(s->cmos[MINUTES_ALARM], to_byte(s, minute))) {
                continue;
            }
            for (unsigned second = 0; second < 60; second++) {
                if (minute_start + second >= from &&
                    alarm_matches(s->cmos[SECONDS_ALARM], to_byte(s, second))) {
                    return minute_start + second;
                }
            }
        }
    }
    return INT64_MAX;
}

/* Sets the flags of everything that happened since the last sweep. */
static int64_t sweep(struct mc146818 *s)
{
    int64_t now = clock_now(&s->m->clock);
    unsigned hz = periodic_hz(s);
    if (hz != 0 && periods_until(s, now, hz) != periods_until(s, s->swept_ns, hz)) {
        s->flags |= C_PF;
    }
    int64_t done = updates_until(s, s->swept_ns);
    int64_t due = updates_until(s, now);
    if (clock_runs(s) && due > done) {
        s->flags |= C_UF;
        if (next_alarm(s, s->seconds + done) <= s->seconds + due) {
            s->flags |= C_AF;
        }
    }
    s->swept_ns = now;
    return now;
}

static bool interrupting(const struct mc146818 *s)
{
    return s->flags & s->cmos[REG_B] & B_INTERRUPTS;
}

/* Drives IRQ and arms the timer for the first event after the last sweep that can raise it. */
static void update_irq(struct mc146818 *s)
{
    uint8_t enabled = s->cmos[REG_B] & B_INTERRUPTS;
    int64_t deadline = TIME_NEVER;
    bool level = interrupting(s);
    if (s->irq != NULL && level != s->irq->level) {
        trace_mc146818_irq(s->flags, level);
    }
    irq_set(s->irq, level);
    if (!level && enabled & B_PIE && periodic_hz(s) != 0) {
        unsigned hz = periodic_hz(s);
        uint64_t next = periods_until(s, s->swept_ns, hz) + 1;
        deadline = s->grid_ns + (int64_t)muldiv64_up(next, NS_PER_SEC, hz);
    }
    if (!level && enabled & (B_UIE | B_AIE) && clock_runs(s)) {
        int64_t done = updates_until(s, s->swept_ns);
        int64_t next = done + 1;
        if (!(enabled & B_UIE)) {
            int64_t alarm = next_alarm(s, s->seconds + done);
            next = alarm == INT64_MAX ? INT64_MAX : alarm - s->seconds;
        }
        if (next != INT64_MAX && s->grid_ns + next * NS_PER_SEC < deadline) {
            deadline = s->grid_ns + next * NS_PER_SEC;
        }
    }
    timer_at(&s->timer, deadline);
}

static void event_due(void *opaque)
{
    struct mc146818 *s = opaque;
    sweep(s);
    update_irq(s);
}

/* ---- registers ---- */

static void write_a(struct mc146818 *s, uint8_t val, int64_t now)
{
    bool divider_ran = divider_runs(s), clock_ran = clock_runs(s);
    if (clock_ran && (val & A_DV) != A_DV_RUN) {
        freeze(s, now);
    }
    s->cmos[REG_A] = val & (uint8_t)~A_UIP;
    if (!divider_ran && divider_runs(s)) {
        /* "Register A", DV: the first update comes half a second later */
        s->grid_ns = now - NS_PER_SEC / 2;
    }
    if (!clock_ran && clock_runs(s)) {
        thaw(s, now);
    }
}

static void write_b(struct mc146818 *s, uint8_t val, int64_t now)
{
    bool ran = clock_runs(s);
    if (val & B_SET) {
        val &= (uint8_t)~B_UIE; /* "Register B", UIE */
        if (ran) {
            freeze(s, now);
        }
    }
    s->cmos[REG_B] = val;
    if (!ran && clock_runs(s)) {
        thaw(s, now);
    }
}

static void write_register(struct mc146818 *s, unsigned index, uint8_t val)
{
    int64_t now = sweep(s);
    if (is_clock_byte(index)) {
        if (clock_runs(s)) {
            freeze(s, now);
        }
        s->cmos[index] = val;
        if (clock_runs(s)) {
            thaw(s, now);
        }
        update_irq(s);
        return;
    }
    switch (index) {
    case REG_A:
        write_a(s, val, now);
        break;
    case REG_B:
        write_b(s, val, now);
        break;
    case REG_C:
    case REG_D: /* read only */
        return;
    default:
        s->cmos[index] = val;
        break;
    }
    if (index < REG_C) { /* an alarm or control byte */
        update_irq(s);
    }
}

static uint8_t peek_register(struct mc146818 *s, unsigned index)
{
    int64_t now = clock_now(&s->m->clock);
    if (is_clock_byte(index) && clock_runs(s)) {
        return clock_byte(s, index, s->seconds + updates_until(s, now));
    }
    switch (index) {
    case REG_A:
        if (clock_runs(s) && floor_mod(now - s->grid_ns, NS_PER_SEC) >= NS_PER_SEC - UIP_NS) {
            return s->cmos[REG_A] | A_UIP;
        }
        return s->cmos[REG_A];
    case REG_C:
        sweep(s);
        return (uint8_t)(s->flags | (interrupting(s) ? C_IRQF : 0));
    case REG_D:
        return D_VRT;
    default:
        return s->cmos[index];
    }
}

/* Reading C clears it and lets IRQ go. */
static uint8_t read_register(struct mc146818 *s, unsigned index)
{
    uint8_t val = peek_register(s, index);
    if (index == REG_C) {
        s->flags = 0;
        update_irq(s);
    }
    return val;
}

uint8_t mc146818_cmos_get(struct mc146818 *s, unsigned index)
{
    return peek_register(s, index % MC146818_BYTES);
}

void mc146818_cmos_set(struct mc146818 *s, unsigned index, uint8_t value)
{
    write_register(s, index % MC146818_BYTES, value);
}

bool mc146818_nmi_masked(const struct mc146818 *s)
{
    return s->nmi_masked;
}

/* ---- ports ---- */

static uint64_t mc146818_read(void *dev, uint64_t off, unsigned size)
{
    struct mc146818 *s = dev;
    if (off == 0) {
        return s->index | (s->nmi_masked ? INDEX_NMI : 0);
    }
    uint8_t val = read_register(s, s->index);
    trace_mc146818_read(s->index, val);
    return val;
}

static void mc146818_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct mc146818 *s = dev;
    if (off == 0) {
        s->index = val & (MC146818_BYTES - 1);
        s->nmi_masked = val & INDEX_NMI;
        irq_set(s->nmi_mask, s->nmi_masked);
        return;
    }
    trace_mc146818_write(s->index, (uint8_t)val);
    write_register(s, s->index, (uint8_t)val);
}

static const struct region_ops mc146818_ops = {
    .read = mc146818_read,
    .write = mc146818_write,
    .width = 1,
};

/* ---- reset, state, init ---- */

/* [MC146818] "RESET": interrupts and square wave off, flags clear; clock and memory go on.
 * [PIIX3] NMIEN: NMI is masked, the index undefined (0). */
static void mc146818_reset(void *dev)
{
    struct mc146818 *s = dev;
    s->cmos[REG_B] &= (uint8_t) ~(B_INTERRUPTS | B_SQWE);
    s->flags = 0;
    s->swept_ns = clock_now(&s->m->clock);
    s->index = 0;
    s->nmi_masked = true;
    irq_set(s->nmi_mask, true);
    update_irq(s);
}

static const struct state_field mc146818_state[] = {
    STATE_KEPT(struct mc146818, cmos),
    STATE(struct mc146818, index),
    STATE(struct mc146818, nmi_masked),
    STATE(struct mc146818, flags),
    {"grid_ns", STATE_KIND_TIME, offsetof(struct mc146818, grid_ns), 8, 1, NULL, STATE_KEEPS},
    STATE_KEPT(struct mc146818, seconds),
    STATE_KEPT(struct mc146818, weekday_shift),
    STATE_TIME(struct mc146818, swept_ns),
    STATE_END(),
};

/* A saved machine is hostile input: times in order, and nothing that overflows. */
static void mc146818_loaded(void *dev)
{
    struct mc146818 *s = dev;
    int64_t now = clock_now(&s->m->clock);
    const int64_t far_ns = (int64_t)1 << 60, far_seconds = (int64_t)1 << 40;
    s->index &= MC146818_BYTES - 1;
    s->flags &= C_PF | C_AF | C_UF;
    s->weekday_shift %= 7;
    if (s->grid_ns > now || s->grid_ns < now - far_ns) {
        s->grid_ns = now;
    }
    if (s->swept_ns > now || s->swept_ns < s->grid_ns) {
        s->swept_ns = now;
    }
    if (s->seconds < -far_seconds || s->seconds > far_seconds) {
        s->seconds = 0;
    }
    update_irq(s);
}

static const struct device_type mc146818_type = {
    .name = "mc146818",
    .version = 1,
    .reset = mc146818_reset,
    .state = mc146818_state,
    .loaded = mc146818_loaded,
};

void mc146818_init(struct mc146818 *s, struct machine *m, uint16_t base, struct irq *irq8)
{
    int64_t now = clock_now(&m->clock), wall = clock_wall(&m->clock);
    *s = (struct mc146818){.m = m, .irq = irq8, .nmi_masked = true};
    s->cmos[REG_A] = A_DV_RUN | 6; /* as an AT BIOS leaves it: 1024 Hz ... */
    s->cmos[REG_B] = B_24;         /* ... BCD, 24 hours */
    s->seconds = floor_div(wall, NS_PER_SEC);
    s->grid_ns = now - floor_mod(wall, NS_PER_SEC);
    s->swept_ns = now;
    timer_init(&s->timer, &m->clock, "mc146818", event_due, s);
    region_io(&s->ports, "mc146818", &mc146818_ops, s, 2);
    region_map(&m->ports.root, &s->ports, base, 0);
    machine_add(m, &mc146818_type, "mc146818", s);
}
