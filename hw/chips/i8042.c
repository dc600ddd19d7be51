/*
 * Intel 8042 programmed as the AT and PS/2 keyboard and auxiliary device controller.
 *
 * Source: [PS2TR] "Keyboard and Auxiliary Device Controller"; [ATTR] "Keyboard Controller".
 * Pins:   keyboard and mouse cables, IRQ1 and IRQ12 out, A20 gate out, system reset out (a machine
 *         request).
 * Model:  a command is carried out at once, so IBF is never seen set. A device's byte takes 250 us
 *         to come in after the guest has read the one before (the wire takes about 900 us):
 *         programs that chain to the BIOS handler read port 60h twice and must get the same byte.
 *         While the output buffer is full both devices wait; then the keyboard goes first. An
 *         answer of the controller never overwrites a device's byte: that byte comes again.
 * Not:    diagnostic dump ACh. The keyboard lock is open.
 */
#include "hw/chips/i8042.h"

#include "core/base/bits.h"
#include "core/base/log.h"
#include "trace/hw_chips.h"

#include <string.h>

enum { /* status, port 64h */
    STATUS_OBF = 0x01,
    STATUS_SYS = 0x04,
    STATUS_A2 = 0x08,       /* the last write was to 64h */
    STATUS_UNLOCKED = 0x10,
    STATUS_AUX_OBF = 0x20,
    STATUS_TIMEOUT = 0x40,
};

enum { /* command byte */
    CTR_IRQ1 = 0x01,
    CTR_IRQ12 = 0x02,
    CTR_SYS = 0x04,
    CTR_KBD_OFF = 0x10,
    CTR_AUX_OFF = 0x20,
    CTR_XLAT = 0x40,
};

enum { /* output port P2 */
    P2_RUN = 0x01,          /* low resets the processor */
    P2_A20 = 0x02,
    P2_IRQ1 = 0x10,
    P2_IRQ12 = 0x20,
    P2_LINES = 0xcc,        /* clock and data lines of both cables, idle */
};

enum { P1_UNLOCKED = 0x80 };

enum { FROM_SELF, FROM_KEYBOARD, FROM_MOUSE }; /* i8042.source, .held */

enum { /* commands, port 64h; 20h..3Fh and 60h..7Fh address the RAM */
    CMD_PASSWORD_TEST = 0xa4,
    CMD_PASSWORD_LOAD = 0xa5,
    CMD_PASSWORD_ENABLE = 0xa6,
    CMD_AUX_OFF = 0xa7,
    CMD_AUX_ON = 0xa8,
    CMD_AUX_TEST = 0xa9,
    CMD_SELF_TEST = 0xaa,
    CMD_KBD_TEST = 0xab,
    CMD_KBD_OFF = 0xad,
    CMD_KBD_ON = 0xae,
    CMD_READ_P1 = 0xc0,
    CMD_POLL_P1_LOW = 0xc1,
    CMD_POLL_P1_HIGH = 0xc2,
    CMD_READ_P2 = 0xd0,
    CMD_WRITE_P2 = 0xd1,
    CMD_WRITE_KBD_OUT = 0xd2,
    CMD_WRITE_AUX_OUT = 0xd3,
    CMD_WRITE_AUX = 0xd4,
    CMD_A20_OFF = 0xdd,
    CMD_A20_ON = 0xdf,
    CMD_READ_TEST = 0xe0,
};

#define BYTE_NS (250 * NS_PER_US)

static void update_irq(struct i8042 *s)
{
    bool full = s->status & STATUS_OBF, aux = s->status & STATUS_AUX_OBF;

    irq_set(s->irq1, full && !aux && (s->ram[0] & CTR_IRQ1));
    irq_set(s->irq12, full && aux && (s->ram[0] & CTR_IRQ12));
}

static bool keyboard_on(const struct i8042 *s)
{
    return !(s->ram[0] & CTR_KBD_OFF);
}

static bool mouse_on(const struct i8042 *s)
{
    return !(s->ram[0] & CTR_AUX_OFF);
}

/* Lets a device send its next byte, if one has any and there is room for it. */
static void clock_in(struct i8042 *s)
{
    if (!(s->status & STATUS_OBF) && !timer_armed(&s->shift) &&
        (s->held != FROM_SELF || (keyboard_on(s) && ps2_keyboard_has_byte(&s->kbd)) ||
         (mouse_on(s) && ps2_mouse_has_byte(&s->mouse)))) {
        timer_at(&s->shift, clock_now(&s->m->clock) + BYTE_NS);
    }
}

static void put(struct i8042 *s, uint8_t source, uint8_t val, uint8_t status)
{
    s->out = val;
    s->source = source;
    s->status = (s->status & ~(STATUS_AUX_OBF | STATUS_TIMEOUT)) | STATUS_OBF | status;
    trace_i8042_byte(val, s->status);
}

static void put_device(struct i8042 *s, uint8_t source, uint8_t val)
{
    put(s, source, val, source == FROM_MOUSE ? STATUS_AUX_OBF : 0);
}

/* A byte of the controller's own. */
static void answer(struct i8042 *s, uint8_t val, uint8_t status)
{
    if ((s->status & STATUS_OBF) && s->source != FROM_SELF) {
        s->held = s->source;
        s->held_byte = s->out;
    }
    put(s, FROM_SELF, val, status);
}

/* [PS2TR] "Keyboard Controller Commands", bit 6 of the command byte: set 2 becomes set 1. False if
 * the byte is only a prefix. */
static bool translate(struct i8042 *s, uint8_t *val)
{
    if (!(s->ram[0] & CTR_XLAT)) {
        s->xlat_break = false;
        return true;
    }
    if (*val == 0xf0) {
        s->xlat_break = true;
        return false;
    }
    *val = ps2_set2_to_set1[*val] | (s->xlat_break ? 0x80 : 0);
    s->xlat_break = false;
    return true;
}

/* A device's byte has arrived. */
static void shift_done(void *opaque)
{
    struct i8042 *s = opaque;
    uint8_t val;

    if (s->status & STATUS_OBF) {
        return; /* an answer came first; reading it starts over */
    }
    if (s->held != FROM_SELF) {
        put_device(s, s->held, s->held_byte);
        s->held = FROM_SELF;
    } else if (keyboard_on(s) && ps2_keyboard_take(&s->kbd, &val)) {
        if (!translate(s, &val)) {
            clock_in(s);
            return;
        }
        put_device(s, FROM_KEYBOARD, val);
    } else if (mouse_on(s) && ps2_mouse_take(&s->mouse, &val)) {
        put_device(s, FROM_MOUSE, val);
    }
    update_irq(s);
}

static void device_ready(void *opaque)
{
    clock_in(opaque);
}

/* Bit 0 low resets the processor, bit 1 is the A20 gate; the others are not ours to drive. */
static void set_p2(struct i8042 *s, uint8_t val)
{
    if (!(val & P2_RUN)) {
        machine_request_reset(s->m, CAUSE_GUEST_RESET);
    }
    if ((s->port2 ^ val) & P2_A20) {
        trace_i8042_a20(val & P2_A20);
    }
    s->port2 = P2_LINES | P2_RUN | (val & P2_A20);
    irq_set(s->a20, val & P2_A20);
}

static uint8_t read_p2(const struct i8042 *s)
{
    uint8_t val = s->port2;

    if (s->status & STATUS_OBF) {
        val |= s->status & STATUS_AUX_OBF ? P2_IRQ12 : P2_IRQ1;
    }
    return val;
}

static void set_command_byte(struct i8042 *s, uint8_t val)
{
    s->ram[0] = val;
    s->status = (s->status & ~STATUS_SYS) | (val & CTR_SYS ? STATUS_SYS : 0);
    clock_in(s);
}

/* Commands that a byte at port 60h completes. */
static void second_byte(struct i8042 *s, uint8_t cmd, uint8_t val)
{
    switch (cmd) {
    case CMD_PASSWORD_LOAD: /* a password ends with 0; there is none to keep */
        s->pending = val != 0 ? cmd : 0;
        break;
    case CMD_WRITE_P2:
        set_p2(s, val);
        break;
    case CMD_WRITE_KBD_OUT:
        answer(s, val, 0);
        break;
    case CMD_WRITE_AUX_OUT:
        answer(s, val, STATUS_AUX_OBF);
        break;
    case CMD_WRITE_AUX: /* as with the keyboard, sending turns the interface on */
        s->ram[0] &= ~CTR_AUX_OFF;
        ps2_mouse_write(&s->mouse, val);
        break;
    default: /* 60h..7Fh */
        if ((cmd & 0x1f) == 0) {
            set_command_byte(s, val);
        } else {
            s->ram[cmd & 0x1f] = val;
        }
        break;
    }
}

static void write_data(struct i8042 *s, uint8_t val)
{
    uint8_t cmd = s->pending;

    s->status &= ~STATUS_A2;
    s->pending = 0;
    if (cmd != 0) {
        second_byte(s, cmd, val);
    } else {
        /* Sending needs the clock line, which turns the interface on. */
        s->ram[0] &= ~CTR_KBD_OFF;
        ps2_keyboard_write(&s->kbd, val);
    }
}

static void self_test(struct i8042 *s)
{
    s->status |= STATUS_SYS;
    s->ram[0] |= CTR_SYS;
    answer(s, 0x55, 0);
}

static void other_command(struct i8042 *s, uint8_t val)
{
    if (val < 0x20) {
        log_guest("i8042: command %02x is not one", val);
    } else if (val < 0x40) {
        answer(s, s->ram[val & 0x1f], 0);
    } else if (val >= 0x60 && val < 0x80) {
        s->pending = val;
    } else if (val >= 0xf0) { /* pulses the low bits of P2 that are 0; only bit 0 does anything */
        if (!(val & P2_RUN)) {
            machine_request_reset(s->m, CAUSE_GUEST_RESET);
        }
    } else {
        log_unimp("i8042: command %02x", val);
    }
}

static void write_command(struct i8042 *s, uint8_t val)
{
    s->status |= STATUS_A2;
    s->pending = 0;
    s->polling = 0;
    switch (val) {
    case CMD_PASSWORD_TEST: answer(s, 0xf1, 0); break; /* no password */
    case CMD_PASSWORD_ENABLE: break;                   /* ignored without one */
    case CMD_AUX_OFF: s->ram[0] |= CTR_AUX_OFF; break;
    case CMD_AUX_ON:
        s->ram[0] &= ~CTR_AUX_OFF;
        clock_in(s);
        break;
    case CMD_AUX_TEST: answer(s, 0, 0); break;         /* lines are good */
    case CMD_SELF_TEST: self_test(s); break;
    case CMD_KBD_TEST: answer(s, 0, 0); break;
    case CMD_KBD_OFF: s->ram[0] |= CTR_KBD_OFF; break;
    case CMD_KBD_ON:
        s->ram[0] &= ~CTR_KBD_OFF;
        clock_in(s);
        break;
    case CMD_READ_P1: answer(s, P1_UNLOCKED, 0); break;
    case CMD_POLL_P1_LOW: /* [PS2TR] until the next command */
    case CMD_POLL_P1_HIGH: s->polling = val; break;
    case CMD_READ_P2: answer(s, read_p2(s), 0); break;
    case CMD_A20_OFF: set_p2(s, P2_RUN); break;
    case CMD_A20_ON: set_p2(s, P2_RUN | P2_A20); break;
    case CMD_READ_TEST: answer(s, keyboard_on(s) ? 1 : 0, 0); break; /* T0: keyboard clock */
    case CMD_PASSWORD_LOAD:
    case CMD_WRITE_P2:
    case CMD_WRITE_KBD_OUT:
    case CMD_WRITE_AUX_OUT:
    case CMD_WRITE_AUX:
        s->pending = val;
        break;
    default: other_command(s, val); break;
    }
}

/* What the status register shows; polling puts half of P1 into its upper half. */
static uint8_t read_status(const struct i8042 *s)
{
    switch (s->polling) {
    case CMD_POLL_P1_LOW: return (s->status & 0x0f) | (uint8_t)(P1_UNLOCKED << 4);
    case CMD_POLL_P1_HIGH: return (s->status & 0x0f) | (P1_UNLOCKED & 0xf0);
    default: return s->status;
    }
}

/* Nothing of @source waits to be read. */
static bool all_read(const struct i8042 *s, uint8_t source)
{
    return !((s->status & STATUS_OBF) && s->source == source) && s->held != source;
}

static bool keyboard_idle(void *dev)
{
    const struct i8042 *s = dev;
    return all_read(s, FROM_KEYBOARD) && !ps2_keyboard_has_byte(&s->kbd) &&
           !((s->status & STATUS_OBF) && s->source == FROM_SELF);
}

static bool pointer_idle(void *dev)
{
    const struct i8042 *s = dev;
    return all_read(s, FROM_MOUSE) && !ps2_mouse_has_byte(&s->mouse) &&
           !ps2_mouse_has_news(&s->mouse);
}

static void taken(struct i8042 *s)
{
    if (s->source == FROM_KEYBOARD) {
        ps2_keyboard_taken(&s->kbd);
    } else if (s->source == FROM_MOUSE) {
        ps2_mouse_taken(&s->mouse);
    }
    clock_in(s);
    if (s->source != FROM_MOUSE && keyboard_idle(s) && s->on_idle != NULL) {
        s->on_idle(s->on_idle_opaque);
    }
}

/* Reading empties the output buffer; its contents stay until the next byte. */
static uint64_t data_read(void *dev, uint64_t off, unsigned size)
{
    struct i8042 *s = dev;
    uint8_t val = s->out;

    trace_i8042_read(0x60, val);
    if (s->status & STATUS_OBF) {
        s->status &= ~(STATUS_OBF | STATUS_AUX_OBF | STATUS_TIMEOUT);
        update_irq(s);
        taken(s);
    }
    return val;
}

static void data_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct i8042 *s = dev;

    trace_i8042_write(0x60, val);
    write_data(s, val);
    update_irq(s);
}

static uint64_t command_read(void *dev, uint64_t off, unsigned size)
{
    struct i8042 *s = dev;
    uint8_t val = read_status(s);

    trace_i8042_read(0x64, val);
    return val;
}

static void command_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct i8042 *s = dev;

    trace_i8042_write(0x64, val);
    write_command(s, val);
    update_irq(s);
}

static const struct region_ops data_ops = {.read = data_read, .write = data_write, .width = 1};
static const struct region_ops command_ops = {
    .read = command_read, .write = command_write, .width = 1};

static void sink_key(void *dev, unsigned key, bool down)
{
    struct i8042 *s = dev;
    ps2_keyboard_key(&s->kbd, key, down);
}

static void sink_move(void *dev, int dx, int dy, int wheel)
{
    struct i8042 *s = dev;
    ps2_mouse_move(&s->mouse, dx, dy, wheel);
}

static void sink_buttons(void *dev, unsigned down)
{
    struct i8042 *s = dev;
    ps2_mouse_buttons(&s->mouse, down);
}

/* Power-on: status 18h as PCs show it before the self test; A20 open; interrupts on and translation
 * off in the command byte, which the BIOS sets before anyone relies on it. */
static void i8042_reset(void *dev)
{
    struct i8042 *s = dev;

    timer_cancel(&s->shift);
    ps2_keyboard_reset(&s->kbd);
    ps2_mouse_reset(&s->mouse);
    memset(s->ram, 0, sizeof(s->ram));
    s->ram[0] = CTR_IRQ1 | CTR_IRQ12;
    s->status = STATUS_UNLOCKED | STATUS_A2;
    s->out = 0;
    s->pending = 0;
    s->xlat_break = false;
    s->source = FROM_SELF;
    s->held = FROM_SELF;
    s->held_byte = 0;
    s->polling = 0;
    set_p2(s, P2_RUN | P2_A20);
    update_irq(s);
}

static void i8042_loaded(void *dev)
{
    struct i8042 *s = dev;

    ps2_keyboard_loaded(&s->kbd);
    ps2_mouse_loaded(&s->mouse);
    irq_set(s->a20, s->port2 & P2_A20);
    update_irq(s);
}

static const struct state_field i8042_state[] = {
    STATE_SUB(struct i8042, kbd, ps2_keyboard_state),
    STATE(struct i8042, status),
    STATE(struct i8042, ram),
    STATE(struct i8042, out),
    STATE(struct i8042, port2),
    STATE(struct i8042, pending),
    STATE(struct i8042, xlat_break),
    STATE(struct i8042, source),
    STATE(struct i8042, held),
    STATE(struct i8042, held_byte),
    STATE_TIMER(struct i8042, shift),
    STATE_SUB(struct i8042, mouse, ps2_mouse_state),
    STATE(struct i8042, polling),
    STATE_END(),
};

const struct device_type i8042_type = {
    .name = "i8042",
    .version = 2,
    .reset = i8042_reset,
    .state = i8042_state,
    .loaded = i8042_loaded,
};

void i8042_set_a20(struct i8042 *s, struct irq *a20)
{
    s->a20 = a20;
}

bool i8042_a20(const struct i8042 *s)
{
    return s->port2 & P2_A20;
}

void i8042_init(struct i8042 *s, struct machine *m, struct irq *irq1, struct irq *irq12)
{
    s->m = m;
    s->irq1 = irq1;
    s->irq12 = irq12;
    s->port2 = P2_LINES | P2_RUN | P2_A20;
    ps2_keyboard_init(&s->kbd, &m->clock, device_ready, s);
    ps2_mouse_init(&s->mouse, &m->clock, device_ready, s);
    timer_init(&s->shift, &m->clock, "i8042 shift", shift_done, s);
    region_io(&s->data, "i8042 data", &data_ops, s, 1);
    region_map(&m->ports.root, &s->data, 0x60, 0);
    region_io(&s->command, "i8042 command", &command_ops, s, 1);
    region_map(&m->ports.root, &s->command, 0x64, 0);
    s->sink = (struct keyboard_sink){
        .key = sink_key,
        .idle = keyboard_idle,
        .on_idle = &s->on_idle,
        .on_idle_opaque = &s->on_idle_opaque,
        .dev = s,
    };
    m->keyboard = &s->sink;
    s->pointer = (struct pointer_sink){
        .move = sink_move, .buttons = sink_buttons, .idle = pointer_idle, .dev = s,
    };
    m->pointer = &s->pointer;
    machine_add(m, &i8042_type, "i8042", s);
}
