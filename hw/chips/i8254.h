/*
 * Intel 8254 programmable interval timer: three 16-bit down counters on one CLK.
 *
 * Order of calls: i8254_init, reset by the machine, then port accesses, gates and outputs as wired.
 * GATE0 and GATE1 are high until somebody says otherwise, GATE2 is low.
 */
#ifndef HW_CHIPS_I8254_H
#define HW_CHIPS_I8254_H

#include "core/device/irq.h"
#include "core/device/machine.h"

#define I8254_HZ       1193182 /* CLK of a PC: 14.31818 MHz / 12 */
#define I8254_COUNTERS 3

struct i8254;

struct i8254_counter {
    uint8_t control;    /* D5..D0 of the last control word: RW, mode, BCD as written */
    bool gate;          /* the input pin */
    uint32_t cr;        /* count register as CLKs: 1..65536, in BCD 1..10000 */
    uint8_t cr_low;     /* first byte of a two-byte count, while write_high */
    bool write_high;    /* the next byte written is the high one */
    bool read_high;     /* the next byte read is the high one */
    bool written;       /* a whole count was written since the control word */
    bool null_count;    /* CR holds what the counting element has not taken yet */
    bool loaded;        /* the counting element was loaded since the control word */
    uint16_t idle;      /* what the counting element shows while not loaded */
    uint32_t count;     /* what was loaded: the N of the mode definitions, range as cr */
    int64_t loaded_clk; /* CLK of that load; in mode 3 of the start of a high half */
    bool load_pending;  /* CR goes to the counting element at load_clk ... */
    bool load_low;      /* ... and, in mode 3, a low half starts there */
    int64_t load_clk;
    bool held; /* GATE stops counting from hold_clk on */
    int64_t hold_clk;
    bool count_latched, status_latched;
    uint16_t latch;   /* OL, in the form the CPU reads; meaningful while count_latched */
    uint8_t status;   /* meaningful while status_latched */
    bool out;         /* level last sent on the OUT pin */
    int64_t sent_clk; /* CLK up to which OUT was sent; only for a connected pin */
    /* not state */
    struct i8254 *pit;
    struct irq *pin;    /* OUT; borrowed, NULL: not connected, then no timer runs */
    struct timer timer; /* the next change of a connected OUT */
};

struct i8254 {
    struct machine *m;
    struct region ports;
    struct i8254_counter counter[I8254_COUNTERS];
    int64_t epoch_ns; /* CLK 0; all CLK numbers count from here */
    void (*written)(void *opaque, unsigned n); /* set by i8254_on_write */
    void *written_opaque;
};

/* Four ports at @base. @out0 and @out2 may be NULL (OUT1 goes nowhere on a PC). */
void i8254_init(struct i8254 *s, struct machine *m, uint16_t base, struct irq *out0,
                struct irq *out2);

/* Drives GATE of counter @n, 0..2. [locked] */
void i8254_set_gate(struct i8254 *s, unsigned n, bool level);

/* Has @fn called after each control word and count for a counter @n. [locked] */
void i8254_on_write(struct i8254 *s, void (*fn)(void *opaque, unsigned n), void *opaque);

/* The frequency of the square wave (mode 3) that counter @n is set to, while GATE is high; 0: it
 * has no count or another mode. [locked] */
unsigned i8254_square_hz(const struct i8254 *s, unsigned n);

/* The level of OUT of counter @n at @now_ns, which the clock tells. [locked] */
bool i8254_out(const struct i8254 *s, unsigned n, int64_t now_ns);

#endif
