/*
 * Intel 8259A programmable interrupt controller: a master, and a slave on its input 2.
 *
 * Source: [8259A] "Interrupt Sequence", "Initialization Command Words", "Operation Command Words";
 *         [PIIX3] ELCR1, ELCR2, ICW1.
 * Pins:   IR0..7 of both in, INTR out; the slave's INT is the master's IR2.
 * Model:  as in the PIIX3, the ELCR takes the place of ICW1's LTIM bit and the cascade is wired:
 *         the contents of ICW3 and SNGL do not change it. Vectors are always those of an 8086.
 * Left out: MCS-80 vectors, buffered mode (no effect on what a program sees).
 * Unsure: INT is low during an initialisation; before the first ICW1 requests are not seen. A
 *         request that is dropped leaves INT up, as the sheet's "default IR7" tells; we let an
 *         acknowledge or any command take it back, so that masking a request is not answered by a
 *         spurious one.
 */
#include "hw/chips/i8259.h"

#include "core/base/bits.h"
#include "trace/hw_chips.h"

enum {
    CASCADE = 2, /* the master's input for the slave */

    ICW1 = 0x10,
    ICW1_IC4 = 0x01,  /* ICW4 follows */
    ICW1_SNGL = 0x02, /* ICW3 does not follow */
    ICW4_AEOI = 0x02,
    ICW4_SFNM = 0x10,

    OCW3 = 0x08,
    OCW3_RIS = 0x01,
    OCW3_RR = 0x02,
    OCW3_POLL = 0x04,
    OCW3_SMM = 0x20,
    OCW3_ESMM = 0x40,

    POLL_REQUEST = 0x80,
};

/* ---- pure behaviour ---- */

/* The input of highest priority in @set, or -1. */
static int highest(const struct i8259 *c, uint8_t set)
{
    for (unsigned i = 1; i <= 8; i++) {
        unsigned input = (c->lowest + i) & 7;
        if (set & BIT(input)) {
            return (int)input;
        }
    }
    return -1;
}

/* How far @input is from the highest priority: 0..7. */
static unsigned rank(const struct i8259 *c, unsigned input)
{
    return (input - c->lowest - 1) & 7;
}

/* The input that asks for an interrupt now, or -1. */
static int requesting(const struct i8259 *c)
{
    if (c->stage != I8259_READY) {
        return -1;
    }
    int input = highest(c, c->irr & (uint8_t)~c->imr);
    if (input < 0) {
        return -1;
    }
    /* "Special Mask Mode": masked levels in service hold nobody back.
     * "Special Fully Nested Mode": the slave in service does not hold itself back. */
    uint8_t blocking = c->isr;
    if (c->special_mask) {
        blocking &= (uint8_t)~c->imr;
    }
    if (c->icw4 & ICW4_SFNM && c == &c->pair->master && input == CASCADE) {
        blocking &= (uint8_t)~BIT(CASCADE);
    }
    int served = highest(c, blocking);
    return served < 0 || rank(c, (unsigned)input) < rank(c, (unsigned)served) ? input : -1;
}

/* ---- requests ---- */

static void set_line(struct i8259 *c, unsigned input, bool level)
{
    uint8_t bit = (uint8_t)BIT(input);
    bool rises = level && !(c->lines & bit);
    c->lines = (uint8_t)(level ? c->lines | bit : c->lines & ~bit);
    if (!level) {
        c->irr &= (uint8_t)~bit; /* in both modes a request must stay until INTA */
    } else if (c->stage != I8259_POWERED && (rises || c->elcr & bit)) {
        c->irr |= bit;
    }
}

/* Recomputes the slave's INT, the master's, and INTR. INT is only raised here. */
static void update_intr(struct i8259_pair *p)
{
    p->slave.int_out |= requesting(&p->slave) >= 0;
    set_line(&p->master, CASCADE, p->slave.int_out);
    p->master.int_out |= requesting(&p->master) >= 0;
    if (p->master.int_out != p->intr_level) {
        p->intr_level = p->master.int_out;
        irq_set(p->intr, p->intr_level);
    }
}

/* After a command or poll: INT of both, from nothing but the requests that are there. */
static void renew_intr(struct i8259_pair *p)
{
    p->slave.int_out = false;
    p->master.int_out = false;
    update_intr(p);
}

static void input_set(void *opaque, unsigned n, bool level)
{
    struct i8259_pair *p = opaque;
    struct i8259 *c = n < 8 ? &p->master : &p->slave;
    trace_i8259_line(c->name, n & 7, level);
    set_line(c, n & 7, level);
    update_intr(p);
}

static void end_of_interrupt(struct i8259 *c, unsigned input, bool rotate)
{
    c->isr &= (uint8_t)~BIT(input);
    if (rotate) {
        c->lowest = (uint8_t)input;
    }
}

/* The chip's part of the INTA cycles: the input that is served, or 7 without ISR bit if the request
 * is gone. */
static unsigned acknowledge(struct i8259 *c)
{
    int input = requesting(c);
    c->int_out = false;
    if (c == &c->pair->slave) {
        /* INT falls with the acknowledge: a request that waits behind is a new edge */
        set_line(&c->pair->master, CASCADE, false);
    }
    if (input < 0) {
        return 7;
    }
    if (!(c->elcr & BIT(input))) {
        c->irr &= (uint8_t)~BIT(input);
    }
    c->isr |= (uint8_t)BIT(input);
    return (unsigned)input;
}

/* The end of the INTA cycles or of a poll. */
static void acknowledged(struct i8259 *c, unsigned input)
{
    if (c->icw4 & ICW4_AEOI && c->isr & BIT(input)) {
        end_of_interrupt(c, input, c->rotate_aeoi);
    }
}

int i8259_acknowledge(void *pair)
{
    struct i8259_pair *p = pair;
    unsigned input = acknowledge(&p->master);
    unsigned vector = p->master.vector_base + input;
    if (input == CASCADE) {
        unsigned slave_input = acknowledge(&p->slave);
        vector = p->slave.vector_base + slave_input;
        acknowledged(&p->slave, slave_input);
        p->acknowledged[8 + slave_input]++;
    } else {
        p->acknowledged[input]++;
    }
    acknowledged(&p->master, input);
    update_intr(p);
    trace_i8259_acknowledge(vector);
    return (int)vector;
}

struct irq *i8259_input(struct i8259_pair *p, unsigned irq)
{
    return &p->input[irq];
}

/* ---- ports ---- */

/* [8259A] "ICW1": what it resets. Level triggered lines that are up ask again at once. */
static void write_icw1(struct i8259 *c, uint8_t val)
{
    c->icw1 = val;
    c->icw4 = 0;
    c->imr = 0;
    c->isr = 0;
    c->irr = c->lines & c->elcr;
    c->lowest = 7;
    c->special_mask = false;
    c->rotate_aeoi = false;
    c->read_isr = false;
    c->poll = false;
    c->stage = I8259_ICW2;
}

static void write_ocw2(struct i8259 *c, uint8_t val)
{
    unsigned level = val & 7;
    uint8_t open = c->special_mask ? c->isr & (uint8_t)~c->imr : c->isr;
    switch (val >> 5) {
    case 0: /* rotate in automatic EOI mode: clear */
    case 4: /* set */
        c->rotate_aeoi = val >> 5 == 4;
        break;
    case 1: /* non-specific EOI */
    case 5: /* and rotate */
        if (highest(c, open) >= 0) {
            end_of_interrupt(c, (unsigned)highest(c, open), val >> 5 == 5);
        }
        break;
    case 3: /* specific EOI */
    case 7: /* and rotate */
        end_of_interrupt(c, level, val >> 5 == 7);
        break;
    case 6: /* set priority */
        c->lowest = (uint8_t)level;
        break;
    default: /* no operation */
        break;
    }
}

static void write_ocw3(struct i8259 *c, uint8_t val)
{
    if (val & OCW3_ESMM) {
        c->special_mask = val & OCW3_SMM;
    }
    if (val & OCW3_POLL) {
        c->poll = true;
    }
    if (val & OCW3_RR) {
        c->read_isr = val & OCW3_RIS;
    }
}

/* A0 = 1: the next ICW, or OCW1. */
static void write_data(struct i8259 *c, uint8_t val)
{
    switch (c->stage) {
    case I8259_ICW2:
        c->vector_base = val & 0xf8;
        if (!(c->icw1 & ICW1_SNGL)) {
            c->stage = I8259_ICW3;
        } else {
            c->stage = c->icw1 & ICW1_IC4 ? I8259_ICW4 : I8259_READY;
        }
        break;
    case I8259_ICW3:
        c->stage = c->icw1 & ICW1_IC4 ? I8259_ICW4 : I8259_READY;
        break;
    case I8259_ICW4:
        c->icw4 = val & 0x1f;
        c->stage = I8259_READY;
        break;
    default:
        c->imr = val;
        break;
    }
}

static void i8259_write(void *dev, uint64_t off, uint64_t val64, unsigned size)
{
    struct i8259 *c = dev;
    uint8_t val = (uint8_t)val64;
    trace_i8259_write(c->name, (unsigned)off, val);
    if (off == 1) {
        write_data(c, val);
    } else if (val & ICW1) {
        write_icw1(c, val);
    } else if (val & OCW3) {
        write_ocw3(c, val);
    } else {
        write_ocw2(c, val);
    }
    renew_intr(c->pair);
}

/* [8259A] "Poll Command": the read after it is the acknowledge. */
static uint8_t read_poll(struct i8259 *c)
{
    c->poll = false;
    if (requesting(c) < 0) {
        return 0;
    }
    unsigned input = acknowledge(c);
    acknowledged(c, input);
    renew_intr(c->pair);
    return (uint8_t)(POLL_REQUEST | input);
}

static uint64_t i8259_read(void *dev, uint64_t off, unsigned size)
{
    struct i8259 *c = dev;
    uint8_t val;
    if (c->poll) {
        val = read_poll(c);
    } else if (off == 1) {
        val = c->imr;
    } else {
        val = c->read_isr ? c->isr : c->irr;
    }
    trace_i8259_read(c->name, (unsigned)off, val);
    return val;
}

static const struct region_ops i8259_ops = {.read = i8259_read, .write = i8259_write, .width = 1};

static uint64_t elcr_read(void *dev, uint64_t off, unsigned size)
{
    const struct i8259 *c = dev;
    return c->elcr;
}

static void elcr_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct i8259 *c = dev;
    uint8_t old = c->elcr;
    c->elcr = (uint8_t)val & c->elcr_mask;
    trace_i8259_elcr(c->name, c->elcr);
    c->irr &= (uint8_t) ~(old & ~c->elcr); /* an edge is needed where a level was enough */
    if (c->stage != I8259_POWERED) {
        c->irr |= c->lines & c->elcr;
    }
    renew_intr(c->pair);
}

static const struct region_ops elcr_ops = {.read = elcr_read, .write = elcr_write, .width = 1};

/* ---- reset, state, init ---- */

/* The sheet leaves the state before ICW1 undefined; we pick zeros. ELCR: [PIIX3] default 00h. The
 * lines are inputs and stay as they are driven. */
static void chip_reset(struct i8259 *c)
{
    c->irr = c->isr = c->imr = c->elcr = 0;
    c->vector_base = c->icw1 = c->icw4 = 0;
    c->lowest = 7;
    c->stage = I8259_POWERED;
    c->special_mask = c->rotate_aeoi = c->read_isr = c->poll = c->int_out = false;
}

static void i8259_reset(void *dev)
{
    struct i8259_pair *p = dev;
    chip_reset(&p->master);
    chip_reset(&p->slave);
    p->intr_level = false;
    irq_set(p->intr, false);
    update_intr(p);
}

static const struct state_field chip_state[] = {
    STATE(struct i8259, lines),        STATE(struct i8259, irr),
    STATE(struct i8259, isr),          STATE(struct i8259, imr),
    STATE(struct i8259, elcr),         STATE(struct i8259, vector_base),
    STATE(struct i8259, icw1),         STATE(struct i8259, icw4),
    STATE(struct i8259, lowest),       STATE(struct i8259, stage),
    STATE(struct i8259, special_mask), STATE(struct i8259, rotate_aeoi),
    STATE(struct i8259, read_isr),     STATE(struct i8259, poll),
    STATE(struct i8259, int_out),      STATE_END(),
};

static const struct state_field i8259_state[] = {
    STATE_SUB(struct i8259_pair, master, chip_state),
    STATE_SUB(struct i8259_pair, slave, chip_state),
    STATE_END(),
};

static void i8259_loaded(void *dev)
{
    struct i8259_pair *p = dev;
    struct i8259 *chips[] = {&p->master, &p->slave};
    for (unsigned i = 0; i < 2; i++) {
        struct i8259 *c = chips[i];
        c->elcr &= c->elcr_mask;
        c->vector_base &= 0xf8;
        c->lowest &= 7;
        c->stage = c->stage > I8259_READY ? I8259_POWERED : c->stage;
    }
    p->intr_level = p->master.int_out;
    irq_set(p->intr, p->intr_level);
}

static const struct device_type i8259_type = {
    .name = "i8259",
    .version = 1,
    .reset = i8259_reset,
    .state = i8259_state,
    .loaded = i8259_loaded,
};

static void chip_init(struct i8259 *c, struct i8259_pair *p, const char *name, uint16_t base,
                      uint16_t elcr_base, uint8_t elcr_mask)
{
    c->name = name;
    c->pair = p;
    c->elcr_mask = elcr_mask;
    region_io(&c->ports, name, &i8259_ops, c, 2);
    region_map(&p->m->ports.root, &c->ports, base, 0);
    region_io(&c->elcr_port, "elcr", &elcr_ops, c, 1);
    region_map(&p->m->ports.root, &c->elcr_port, elcr_base, 0);
}

void i8259_pair_init(struct i8259_pair *p, struct machine *m, struct irq *intr)
{
    *p = (struct i8259_pair){.m = m, .intr = intr};
    for (unsigned n = 0; n < 16; n++) {
        if (n != CASCADE) {
            irq_init(&p->input[n], input_set, p, n);
        }
    }
    /* the timer, the keyboard, the cascade, the clock and FERR are edges for ever */
    chip_init(&p->master, p, "i8259 master", 0x20, 0x4d0, 0xf8);
    chip_init(&p->slave, p, "i8259 slave", 0xa0, 0x4d1, 0xde);
    machine_add(m, &i8259_type, "i8259", p);
}
