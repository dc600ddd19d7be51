/*
 * National Semiconductor NS16550A universal asynchronous receiver and transmitter.
 *
 * Source: [16550] sections 8.0 "Registers" and 8.4 "FIFO Interrupt Mode Operation".
 * Pins:   a crystal of 1.8432 MHz, SOUT and SIN as a character device, the modem lines, INTR.
 * Model:  a character takes its time on the line, in both directions, or none (instant): then the
 *         transmitter is always empty, and the receiver's FIFO fills at once. The other side is
 *         always ready (CTS, DSR, DCD on) and waits while the receiver is full: only loopback
 *         overruns.
 *         A PC routes INTR through a buffer that OUT2 opens. It is open here whatever OUT2 says:
 *         systems grown up on virtual machines clear it (xv6 does).
 *         A break comes in as a character of its own, in its order; while one is sent, characters
 *         do not reach the other side.
 * Not:    telling the other side of a break, DTR and RTS; parity and framing errors; DMA mode pins.
 * Unsure: divisor 0, which counts as 65536 here.
 */
#include "hw/chips/ns16550.h"

#include "core/base/bits.h"
#include "trace/hw_chips.h"

#include <string.h>

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR, REG_COUNT };

enum { IER_RDA = 0x01, IER_THRE = 0x02, IER_LINE = 0x04, IER_MODEM = 0x08 };
enum { IIR_MODEM = 0x0, IIR_NONE = 0x1, IIR_THRE = 0x2, IIR_RDA = 0x4, IIR_LINE = 0x6,
       IIR_TIMEOUT = 0xc, IIR_FIFO = 0xc0 };
enum { FCR_ENABLE = 0x01, FCR_CLEAR_RX = 0x02, FCR_CLEAR_TX = 0x04, FCR_KEEP = 0xc9 };
enum { LCR_BITS = 0x03, LCR_STOP = 0x04, LCR_PARITY = 0x08, LCR_BREAK = 0x40, LCR_DLAB = 0x80 };
enum { MCR_DTR = 0x01, MCR_RTS = 0x02, MCR_OUT1 = 0x04, MCR_OUT2 = 0x08, MCR_LOOP = 0x10 };
enum { LSR_DR = 0x01, LSR_OE = 0x02, LSR_BI = 0x10, LSR_ERRORS = 0x1e, LSR_THRE = 0x20,
       LSR_TEMT = 0x40, LSR_FIFO_ERROR = 0x80 };
enum { MSR_DELTAS = 0x0f, MSR_TERI = 0x04, MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40,
       MSR_DCD = 0x80 };

#define CLOCK_HZ      1843200
#define DIVISOR_RESET 12 /* 9600 baud; the sheet leaves it open */

/* --- FIFOs --- */

static void fifo_push(struct ns16550_fifo *f, uint8_t val, uint8_t flags)
{
    unsigned at = (f->head + f->len++) % NS16550_FIFO;
    f->data[at] = val;
    f->flags[at] = flags;
}

static uint8_t fifo_pop(struct ns16550_fifo *f)
{
    uint8_t val = f->data[f->head];
    f->flags[f->head] = 0;
    f->head = (f->head + 1) % NS16550_FIFO;
    f->len--;
    return val;
}

static void fifo_clear(struct ns16550_fifo *f)
{
    memset(f, 0, sizeof(*f));
}

static bool fifo_mode(const struct ns16550 *s)
{
    return s->fcr & FCR_ENABLE;
}

/* Places in each direction. */
static unsigned depth(const struct ns16550 *s)
{
    return fifo_mode(s) ? NS16550_FIFO : 1;
}

static unsigned trigger(const struct ns16550 *s)
{
    static const uint8_t level[] = {1, 4, 8, 14};
    return fifo_mode(s) ? level[s->fcr >> 6] : 1;
}

/* --- line timing --- */

static unsigned half_bits_of_character(const struct ns16550 *s)
{
    unsigned bits = 5 + (s->lcr & LCR_BITS);
    unsigned stop = !(s->lcr & LCR_STOP) ? 2 : bits == 5 ? 3 : 4; /* [16550] LCR bit 2 */

    return 2 + 2 * bits + (s->lcr & LCR_PARITY ? 2 : 0) + stop;
}

static int64_t character_ns(const struct ns16550 *s)
{
    uint64_t divisor = s->divisor != 0 ? s->divisor : 65536;
    return (int64_t)muldiv64_up(8 * divisor * half_bits_of_character(s), NS_PER_SEC, CLOCK_HZ);
}

/* When a character that starts now has come in. */
static int64_t arrival(const struct ns16550 *s)
{
    return clock_now(&s->m->clock) + (s->instant ? 0 : character_ns(s));
}

/* Bits of a character. LCR is 0 after reset, which is five; programs for virtual machines write
 * text without setting it, and a line without time has no bits to count: there all eight pass. */
static uint8_t word_mask(const struct ns16550 *s)
{
    return s->instant ? 0xff : 0xff >> (3 - (s->lcr & LCR_BITS));
}

static void trace_line(const struct ns16550 *s)
{
    trace_ns16550_line(s->id, CLOCK_HZ / 16 / (s->divisor != 0 ? s->divisor : 65536),
                       5 + (s->lcr & LCR_BITS));
}

/* --- interrupts --- */

static uint8_t read_lsr(const struct ns16550 *s)
{
    uint8_t val = s->overrun ? LSR_OE : 0;

    if (s->rx.len > 0) {
        val |= LSR_DR | s->rx.flags[s->rx.head]; /* errors of the character at the top */
    }
    for (unsigned i = 0; fifo_mode(s) && i < s->rx.len; i++) {
        val |= s->rx.flags[(s->rx.head + i) % NS16550_FIFO] ? LSR_FIFO_ERROR : 0;
    }
    if (s->tx.len == 0) {
        val |= LSR_THRE | (s->shifting ? 0 : LSR_TEMT);
    }
    return val;
}

/* [16550] "Interrupt Identification Register": the highest of those pending and enabled. */
static uint8_t interrupt_id(const struct ns16550 *s)
{
    if ((s->ier & IER_LINE) && (read_lsr(s) & LSR_ERRORS)) {
        return IIR_LINE;
    }
    if ((s->ier & IER_RDA) && s->rx.len >= trigger(s)) {
        return IIR_RDA;
    }
    if ((s->ier & IER_RDA) && s->timed_out) {
        return IIR_TIMEOUT;
    }
    if ((s->ier & IER_THRE) && s->thre_pending) {
        return IIR_THRE;
    }
    if ((s->ier & IER_MODEM) && (s->msr & MSR_DELTAS)) {
        return IIR_MODEM;
    }
    return IIR_NONE;
}

static void update_irq(struct ns16550 *s)
{
    uint8_t id = interrupt_id(s);

    trace_ns16550_irq(s->id, id, id != IIR_NONE);
    irq_set(s->irq, id != IIR_NONE);
}

/* --- receiver --- */

/* [16550] 8.4: the FIFO's time-out restarts with each character that comes or is read. */
static void restart_timeout(struct ns16550 *s)
{
    s->timed_out = false;
    if (fifo_mode(s) && s->rx.len > 0) {
        timer_at(&s->timeout, clock_now(&s->m->clock) + 4 * character_ns(s));
    } else {
        timer_cancel(&s->timeout);
    }
}

static void timeout_fired(void *opaque)
{
    struct ns16550 *s = opaque;

    s->timed_out = s->rx.len > 0;
    update_irq(s);
}

/* A character is complete in the shift register. With a FIFO the newest is lost when it is full,
 * without one it replaces the one that nobody read. */
static void character_in(struct ns16550 *s, uint8_t val, uint8_t flags)
{
    val &= word_mask(s);
    trace_ns16550_received(s->id, val, flags);
    if (s->rx.len >= depth(s)) {
        s->overrun = true;
        if (fifo_mode(s)) {
            return;
        }
        fifo_pop(&s->rx);
    }
    fifo_push(&s->rx, val, flags);
    restart_timeout(s);
}

/* Lets the next character of the other side come in, if there is room for it. */
static void start_character(struct ns16550 *s)
{
    if (s->line.len > 0 && s->rx.len < depth(s) && !(s->mcr & MCR_LOOP) &&
        !timer_armed(&s->rx_timer)) {
        timer_at(&s->rx_timer, arrival(s));
    }
}

static void rx_fired(void *opaque)
{
    struct ns16550 *s = opaque;

    if (s->line.len == 0 || s->rx.len >= depth(s) || (s->mcr & MCR_LOOP)) {
        return; /* start_character goes on when that has changed */
    }
    do {
        uint8_t flags = s->line.flags[s->line.head];
        character_in(s, fifo_pop(&s->line), flags);
    } while (s->instant && s->line.len > 0 && s->rx.len < depth(s));
    start_character(s);
    update_irq(s);
    if (s->line.len == 0) {
        chardev_accepts(s->chr); /* may call line_receive */
    }
}

static size_t line_room(void *opaque)
{
    const struct ns16550 *s = opaque;
    return NS16550_FIFO - s->line.len;
}

static void line_receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct ns16550 *s = opaque;

    for (size_t i = 0; i < len && s->line.len < NS16550_FIFO; i++) {
        fifo_push(&s->line, buf[i], 0);
    }
    start_character(s);
}

/* [16550] "Line Status Register" bit 4: one zero character is loaded, whatever the break's length.
 * A break that finds the line full takes the place of the newest character. */
static void line_event(void *opaque, enum chardev_event event)
{
    struct ns16550 *s = opaque;

    if (event == CHARDEV_BREAK) {
        if (s->line.len == NS16550_FIFO) {
            s->line.len--;
        }
        fifo_push(&s->line, 0, LSR_BI);
        start_character(s);
    }
}

/* --- transmitter --- */

/* A character has left the shift register. */
static void character_out(struct ns16550 *s, uint8_t val)
{
    val &= word_mask(s);
    if (s->mcr & MCR_LOOP) {
        character_in(s, val, 0);
    } else if (!(s->lcr & LCR_BREAK)) {
        chardev_write(s->chr, &val, 1);
    }
}

/* Starts the next character at @from_ns, if there is one. */
static void transmit_next(struct ns16550 *s, int64_t from_ns)
{
    if (!s->shifting && s->tx.len > 0) {
        s->shift_reg = fifo_pop(&s->tx);
        s->shifting = true;
        s->thre_pending = s->tx.len == 0;
        timer_at(&s->tx_timer, from_ns + character_ns(s));
    }
}

/* The character in the shift register is out; the next one has begun when this one was due, however
 * late its timer is looked at. */
static void transmitted(struct ns16550 *s)
{
    s->shifting = false;
    character_out(s, s->shift_reg);
    transmit_next(s, s->tx_timer.deadline_ns);
    if (!s->shifting) {
        chardev_flush(s->chr);
    }
}

/* What is due is done: on a busy host the processor may look before the timer has run, and would
 * find the transmitter at a standstill. At most a FIFO full. */
static void settle_transmitter(struct ns16550 *s)
{
    while (timer_armed(&s->tx_timer) && s->tx_timer.deadline_ns <= clock_now(&s->m->clock)) {
        timer_cancel(&s->tx_timer);
        transmitted(s);
    }
}

static void tx_fired(void *opaque)
{
    struct ns16550 *s = opaque;

    transmitted(s);
    settle_transmitter(s);
    update_irq(s);
}

/* A character for a full FIFO is lost; without FIFO it replaces the one that waits. */
static void write_thr(struct ns16550 *s, uint8_t val)
{
    s->thre_pending = false;
    if (s->instant) {
        update_irq(s); /* THR was full for a moment: its interrupt is a new edge */
        character_out(s, val);
        s->thre_pending = true;
        return;
    }
    if (s->tx.len >= depth(s)) {
        if (fifo_mode(s)) {
            return;
        }
        fifo_pop(&s->tx);
    }
    fifo_push(&s->tx, val, 0);
    transmit_next(s, clock_now(&s->m->clock));
}

/* --- modem lines --- */

/* [16550] "Modem Control Register" bit 4: in loopback the outputs are the inputs. */
static void update_modem(struct ns16550 *s)
{
    uint8_t now = MSR_CTS | MSR_DSR | MSR_DCD, changed;

    if (s->mcr & MCR_LOOP) {
        now = (s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
              (s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
    }
    changed = (s->msr ^ now) >> 4;
    if (now & MSR_RI) {
        changed &= ~MSR_TERI; /* only its trailing edge counts */
    }
    s->msr = (s->msr & MSR_DELTAS) | changed | now;
    trace_ns16550_modem(s->id, s->mcr, s->msr);
}

/* --- registers --- */

static void write_ier(struct ns16550 *s, uint8_t val)
{
    bool turned_on = val & ~s->ier & IER_THRE;

    s->ier = val & 0x0f;
    if (turned_on && s->tx.len == 0) {
        s->thre_pending = true; /* an empty THR interrupts when that is enabled */
    }
}

static void clear_tx(struct ns16550 *s)
{
    s->thre_pending |= s->tx.len > 0;
    fifo_clear(&s->tx);
}

/* Changing bit 0 empties both FIFOs; the other bits count only if it is written as 1. */
static void write_fcr(struct ns16550 *s, uint8_t val)
{
    bool changed = (val ^ s->fcr) & FCR_ENABLE;

    s->fcr = val & FCR_ENABLE ? val & FCR_KEEP : 0;
    if (changed || (s->fcr && (val & FCR_CLEAR_RX))) {
        fifo_clear(&s->rx);
        restart_timeout(s);
        start_character(s);
    }
    if (changed || (s->fcr && (val & FCR_CLEAR_TX))) {
        clear_tx(s);
    }
}

static void write_lcr(struct ns16550 *s, uint8_t val)
{
    bool begins_break = val & ~s->lcr & LCR_BREAK;

    if ((val ^ s->lcr) & LCR_BREAK) {
        trace_ns16550_break(s->id, val & LCR_BREAK);
    }
    s->lcr = val;
    trace_line(s);
    if (begins_break && (s->mcr & MCR_LOOP)) {
        character_in(s, 0, LSR_BI);
    }
}

static uint8_t read_rbr(struct ns16550 *s)
{
    uint8_t val = 0;

    if (s->rx.len > 0) {
        val = fifo_pop(&s->rx);
        restart_timeout(s);
        start_character(s);
    }
    return val;
}

/* Reads of RBR, IIR, LSR and MSR have side effects, told at each. */
static uint64_t ns16550_read(void *dev, uint64_t off, unsigned size)
{
    struct ns16550 *s = dev;
    uint8_t val;

    settle_transmitter(s);
    switch (off) {
    case REG_DATA: /* RBR takes the character */
        val = s->lcr & LCR_DLAB ? s->divisor & 0xff : read_rbr(s);
        break;
    case REG_IER:
        val = s->lcr & LCR_DLAB ? s->divisor >> 8 : s->ier;
        break;
    case REG_IIR_FCR: /* naming "THR empty" ends it */
        val = interrupt_id(s);
        s->thre_pending &= val != IIR_THRE;
        val |= fifo_mode(s) ? IIR_FIFO : 0;
        break;
    case REG_LCR: val = s->lcr; break;
    case REG_MCR: val = s->mcr; break;
    case REG_LSR: /* clears the error bits it shows */
        val = read_lsr(s);
        s->overrun = false;
        if (s->rx.len > 0) {
            s->rx.flags[s->rx.head] = 0;
        }
        break;
    case REG_MSR: /* clears the delta bits */
        val = s->msr;
        s->msr &= ~MSR_DELTAS;
        break;
    default: val = s->scr; break;
    }
    trace_ns16550_read(s->id, (unsigned)off, val);
    update_irq(s);
    return val;
}

static void ns16550_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct ns16550 *s = dev;

    trace_ns16550_write(s->id, (unsigned)off, val);
    settle_transmitter(s);
    switch (off) {
    case REG_DATA:
        if (s->lcr & LCR_DLAB) {
            s->divisor = (s->divisor & 0xff00) | (uint8_t)val;
            trace_line(s);
        } else {
            write_thr(s, val);
        }
        break;
    case REG_IER:
        if (s->lcr & LCR_DLAB) {
            s->divisor = (s->divisor & 0x00ff) | (uint16_t)(val << 8);
            trace_line(s);
        } else {
            write_ier(s, val);
        }
        break;
    case REG_IIR_FCR: write_fcr(s, val); break;
    case REG_LCR: write_lcr(s, val); break;
    case REG_MCR:
        s->mcr = val & 0x1f;
        update_modem(s);
        start_character(s);
        break;
    case REG_SCR: s->scr = val; break;
    default: break; /* LSR and MSR are written only in factory tests */
    }
    update_irq(s);
}

static const struct region_ops ns16550_ops = {
    .read = ns16550_read, .write = ns16550_write, .width = 1};

/* [16550] Table "Master Reset": registers 0, IIR 01h, LSR 60h; the scratch register and the divisor
 * are not reset there, 0 and 9600 baud here. Characters on their way in are lost. */
static void ns16550_reset(void *dev)
{
    struct ns16550 *s = dev;
    bool freed = s->line.len > 0;

    timer_cancel(&s->tx_timer);
    timer_cancel(&s->rx_timer);
    timer_cancel(&s->timeout);
    s->ier = s->fcr = s->lcr = s->mcr = s->scr = 0;
    s->divisor = DIVISOR_RESET;
    s->overrun = s->thre_pending = s->timed_out = s->shifting = false;
    s->shift_reg = 0;
    fifo_clear(&s->tx);
    fifo_clear(&s->rx);
    fifo_clear(&s->line);
    s->msr = MSR_CTS | MSR_DSR | MSR_DCD;
    update_irq(s);
    if (freed) {
        chardev_accepts(s->chr);
    }
}

static void clamp(struct ns16550_fifo *f)
{
    f->head %= NS16550_FIFO;
    f->len = min_u64(f->len, NS16550_FIFO);
}

/* A saved state may come from anywhere: indexes are brought into range. */
static void ns16550_loaded(void *dev)
{
    struct ns16550 *s = dev;

    clamp(&s->tx);
    clamp(&s->rx);
    clamp(&s->line);
    update_irq(s);
}

static const struct state_field fifo_state[] = {
    STATE(struct ns16550_fifo, data),
    STATE(struct ns16550_fifo, flags),
    STATE(struct ns16550_fifo, head),
    STATE(struct ns16550_fifo, len),
    STATE_END(),
};

static const struct state_field ns16550_state[] = {
    STATE(struct ns16550, ier),
    STATE(struct ns16550, fcr),
    STATE(struct ns16550, lcr),
    STATE(struct ns16550, mcr),
    STATE(struct ns16550, scr),
    STATE(struct ns16550, overrun),
    STATE(struct ns16550, msr),
    STATE(struct ns16550, divisor),
    STATE(struct ns16550, thre_pending),
    STATE(struct ns16550, timed_out),
    STATE(struct ns16550, shifting),
    STATE(struct ns16550, shift_reg),
    STATE_SUB(struct ns16550, tx, fifo_state),
    STATE_SUB(struct ns16550, rx, fifo_state),
    STATE_SUB(struct ns16550, line, fifo_state),
    STATE_TIMER(struct ns16550, tx_timer),
    STATE_TIMER(struct ns16550, rx_timer),
    STATE_TIMER(struct ns16550, timeout),
    STATE_END(),
};

const struct device_type ns16550_type = {
    .name = "ns16550",
    .version = 1,
    .reset = ns16550_reset,
    .state = ns16550_state,
    .loaded = ns16550_loaded,
};

void ns16550_init(struct ns16550 *s, struct machine *m, const char *id, uint16_t base,
                  struct irq *irq, struct chardev *chr)
{
    s->id = id;
    s->m = m;
    s->irq = irq;
    s->chr = chr;
    s->divisor = DIVISOR_RESET;
    timer_init(&s->tx_timer, &m->clock, "ns16550 transmitter", tx_fired, s);
    timer_init(&s->rx_timer, &m->clock, "ns16550 receiver", rx_fired, s);
    timer_init(&s->timeout, &m->clock, "ns16550 time-out", timeout_fired, s);
    if (chr != NULL) {
        chr->can_receive = line_room;
        chr->receive = line_receive;
        chr->event = line_event;
        chr->opaque = s;
    }
    region_io(&s->regs, id, &ns16550_ops, s, REG_COUNT);
    region_map(&m->ports.root, &s->regs, base, 0);
    machine_add(m, &ns16550_type, id, s);
}
