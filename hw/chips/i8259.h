/*
 * Two Intel 8259A interrupt controllers in cascade, with the ELCR of a PIIX3.
 *
 * Devices drive i8259_input(p, 0..15). The pair drives INTR; the CPU answers with
 * i8259_acknowledge, which stands for the two INTA cycles.
 * An input must stay high until it is acknowledged: a request that is dropped before is answered
 * with the spurious vector of input 7 (15), so irq_pulse() is not for devices that interrupt.
 */
#ifndef HW_CHIPS_I8259_H
#define HW_CHIPS_I8259_H

#include "core/device/irq.h"
#include "core/device/machine.h"

enum i8259_stage {
    I8259_POWERED, /* not initialised: requests are not seen */
    I8259_ICW2,    /* waits for this word */
    I8259_ICW3,
    I8259_ICW4,
    I8259_READY,
};

struct i8259 {
    const char *name;
    struct i8259_pair *pair;
    struct region ports;
    struct region elcr_port;
    uint8_t elcr_mask;     /* which inputs can be made level triggered */
    uint8_t lines;         /* levels of IR0..7 */
    uint8_t irr, isr, imr; /* irr of a level triggered input is its line */
    uint8_t elcr;          /* 1: level triggered */
    uint8_t vector_base;   /* ICW2, a multiple of 8 */
    uint8_t icw1, icw4;
    uint8_t lowest; /* input of lowest priority, 0..7 */
    uint8_t stage;  /* enum i8259_stage */
    bool special_mask;
    bool rotate_aeoi; /* OCW2 "rotate in automatic EOI mode" */
    bool read_isr;    /* OCW3 RIS: port A0=0 reads ISR, else IRR */
    bool poll;        /* the next read is a poll */
    bool int_out;     /* the INT pin; stays up when a request is dropped */
};

struct i8259_pair {
    struct machine *m;
    struct i8259 master, slave;
    struct irq input[16];
    struct irq *intr; /* borrowed, may be NULL */
    bool intr_level;  /* derived: last level sent */
    uint64_t acknowledged[16]; /* how often each input was; for people, not part of the state */
};

/* Ports 20h-21h, A0h-A1h and 4D0h-4D1h. */
void i8259_pair_init(struct i8259_pair *p, struct machine *m, struct irq *intr);

/* The wire to input @irq, 0..15. Input 2 is the cascade: its wire leads nowhere. */
struct irq *i8259_input(struct i8259_pair *p, unsigned irq);

/* The INTA cycles of a `struct i8259_pair`: the vector, 0..255. Always answers. [locked] */
int i8259_acknowledge(void *pair);

#endif
