/*
 * An ATA channel and the part of its devices that all have in common.
 *
 * Source: [ATA6] "Interface register definitions and descriptions", "Protocol", "DEVICE RESET",
 *         "EXECUTE DEVICE DIAGNOSTIC".
 * Pins:   CS0- and CS1- as two regions, INTRQ out, DMARQ and DMACK- as a window for the bus master.
 * Model:  a written command sets BSY, and a timer runs it. What a read command gives lies in a
 *         buffer of 64 KiB, out of which blocks of the data port follow each other at once; BSY
 *         comes back when the buffer has to be filled or stored. The image is read and written by
 *         requests (core/block/request.h), for which no vCPU waits.
 * Left out: the CFA, overlapped and queued feature sets, 8-bit transfers, PDIAG- and DASP- timing.
 * Chosen: writes to a device with BSY or DRQ set, whose effect is indeterminate, are ignored. A
 *         byte read from the data port is the low half of a word that is gone then. A channel
 *         without devices reads as 0, as if DD7:0 were pulled down.
 */
#include "hw/ata/ata.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/base/log.h"
#include "trace/hw_ata.h"

#include <assert.h>
#include <stdio.h>

enum {
    REG_DATA,
    REG_ERROR,               /* written: Features */
    REG_COUNT,
    REG_LOW,
    REG_MID,
    REG_HIGH,
    REG_DEVICE,
    REG_STATUS,              /* written: Command */
    COMMAND_PORTS,
};

enum {
    CONTROL_NIEN = 0x02,
    CONTROL_SRST = 0x04,
    CONTROL_HOB = 0x80,
};

enum {
    COMMAND_DEVICE_RESET = 0x08,
    COMMAND_DIAGNOSE = 0x90,
};

#define DIAGNOSTIC_PASSED 0x01
#define DEVICE_FIXED_BITS 0xa0   /* 7 and 5 are obsolete and read as ones */
#define RESET_NS (100 * NS_PER_US)

/* ---- lines ---- */

static struct ata_device *selected(const struct ata_channel *c)
{
    return c->device[c->selected & 1];
}

/* Who answers for the selected device. [ATA6] "Single device configurations": device 0 does for an
 * absent device 1. */
static struct ata_device *responder(const struct ata_channel *c)
{
    return selected(c) != NULL ? selected(c) : c->selected == 1 ? c->device[0] : NULL;
}

/* [ATA6] "Device Control register": only the selected device drives INTRQ, and without nIEN. */
static void update_irq(struct ata_channel *c)
{
    const struct ata_device *d = selected(c);
    bool level = d != NULL && d->intrq && !(c->device_control & CONTROL_NIEN);

    if (level != c->intrq_level) {
        c->intrq_level = level;
        trace_ata_irq(c->command.name, level);
        irq_set(c->intrq, level);
    }
}

static void set_intrq(struct ata_device *d, bool level)
{
    d->intrq = level;
    update_irq(d->channel);
}

/* ---- progress of a command ---- */

void ata_later(struct ata_device *d, enum ata_step step, int64_t ns)
{
    d->phase = ATA_WAIT;
    d->step = step;
    d->status = ATA_SR_BSY;
    timer_at(&d->timer, clock_now(&d->channel->machine->clock) + ns);
}

void ata_io(struct ata_device *d, struct block *b, enum block_op op, uint64_t off, size_t len,
            int64_t ns)
{
    assert(len <= ATA_BUFFER_BYTES);
    d->phase = ATA_WAIT;
    d->step = ATA_STEP_IO;
    d->status = ATA_SR_BSY;
    if (op == BLOCK_WRITE || op == BLOCK_WRITE_FLUSH) {
        memcpy(d->image, d->buffer, len);
    }
    trace_ata_io(d->id, op, off, len);
    block_submit(&d->io, b, op, off, d->image, len, ns);
}

static void io_done(void *opaque)
{
    struct ata_device *d = opaque;
    bool ok = d->io.ok;

    if (!ok && !d->warned) {
        log_error("%s: %s", d->id, error_text(d->io.err));
    }
    d->warned = !ok;
    if (ok && d->io.op == BLOCK_READ) {
        memcpy(d->buffer, d->image, d->io.len);
    }
    d->ops->io(d, ok);
}

static void end_command(struct ata_device *d, uint8_t status)
{
    d->phase = ATA_IDLE;
    d->pos = d->block_end = d->end = 0;
    d->status = status;
    trace_ata_end(d->id, d->command, d->status, d->error);
}

void ata_finish_silently(struct ata_device *d)
{
    end_command(d, d->ops->ready);
}

void ata_finish(struct ata_device *d)
{
    end_command(d, d->ops->ready);
    set_intrq(d, true);
}

void ata_fail(struct ata_device *d, uint8_t error)
{
    d->error = error;
    end_command(d, ATA_SR_DRDY | (d->ops->ready & ATA_SR_DSC) | ATA_SR_ERR);
    set_intrq(d, true);
}

static void begin_data(struct ata_device *d, enum ata_phase phase, unsigned bytes)
{
    assert(bytes != 0 && bytes <= ATA_BUFFER_BYTES);
    d->phase = phase;
    d->pos = 0;
    d->block_end = 0;
    d->end = bytes;
}

static void begin_block(struct ata_device *d, bool intrq)
{
    d->block_end = (uint32_t)min_u64(d->end, (uint64_t)d->pos + d->block_bytes);
    d->status = ATA_SR_DRDY | (d->ops->ready & ATA_SR_DSC) | ATA_SR_DRQ;
    if (d->ops->block != NULL) {
        d->ops->block(d, d->block_end - d->pos);
    }
    trace_ata_block(d->id, d->phase == ATA_PIO_IN, d->block_end - d->pos, d->end);
    if (intrq) {
        set_intrq(d, true);
    }
}

void ata_pio_in(struct ata_device *d, unsigned bytes, unsigned block)
{
    begin_data(d, ATA_PIO_IN, bytes);
    d->block_bytes = block;
    begin_block(d, true);
}

void ata_pio_out(struct ata_device *d, unsigned bytes, unsigned block, bool intrq)
{
    begin_data(d, ATA_PIO_OUT, bytes);
    d->block_bytes = block;
    begin_block(d, intrq);
}

void ata_dma(struct ata_device *d, bool to_host, unsigned bytes)
{
    begin_data(d, to_host ? ATA_DMA_IN : ATA_DMA_OUT, bytes);
    d->block_end = bytes;
    d->status = ATA_SR_DRDY | (d->ops->ready & ATA_SR_DSC) | ATA_SR_DRQ;
    trace_ata_dma(d->id, to_host, bytes);
    if (d->channel->dma_request != NULL) {
        d->channel->dma_request(d->channel->dma_opaque);
    }
}

/* The whole buffer went one way or the other. */
static void buffer_done(struct ata_device *d)
{
    if (d->phase == ATA_PIO_IN || d->phase == ATA_DMA_IN) {
        d->ops->drained(d);
    } else {
        d->ops->filled(d);
    }
}

static void data_moved(struct ata_device *d, unsigned bytes)
{
    d->pos += bytes;
    if (d->pos < d->block_end) {
        return;
    }
    if (d->pos < d->end) {
        begin_block(d, true);
    } else {
        buffer_done(d);
    }
}

bool ata_dma_window(struct ata_channel *c, uint8_t **data, unsigned *bytes, bool *to_host)
{
    struct ata_device *d = selected(c);

    if (d == NULL || (d->phase != ATA_DMA_IN && d->phase != ATA_DMA_OUT)) {
        return false;
    }
    *data = d->buffer + d->pos;
    *bytes = d->end - d->pos;
    *to_host = d->phase == ATA_DMA_IN;
    return true;
}

void ata_dma_moved(struct ata_channel *c, unsigned bytes)
{
    data_moved(selected(c), bytes);
}

/* ---- resets and diagnostics ---- */

/* [ATA6] "Signature and persistence". */
void ata_signature(struct ata_device *d)
{
    d->now = (struct ata_taskfile){
        .count = 1, .low = 1, .mid = d->ops->signature_mid, .high = d->ops->signature_high,
    };
    d->old = (struct ata_taskfile){0};
    d->device &= ATA_DEV_DEV;
    d->error = DIAGNOSTIC_PASSED;
}

/* Forgets what the device is doing. */
static void stop_device(struct ata_device *d)
{
    timer_cancel(&d->timer);
    block_cancel(&d->io);
    if (d->ops->reset != NULL) {
        d->ops->reset(d);
    }
    d->pos = d->block_end = d->end = 0;
    set_intrq(d, false);
}

/* [ATA6] "Software reset protocol": BSY from SRST until some time after it is cleared. */
static void software_reset(struct ata_channel *c, bool begins)
{
    trace_ata_reset(c->command.name, begins);
    for (unsigned i = 0; i < 2; i++) {
        struct ata_device *d = c->device[i];
        if (d == NULL) {
            continue;
        }
        if (begins) {
            stop_device(d);
            d->phase = ATA_IN_RESET;
            d->status = ATA_SR_BSY;
        } else if (d->phase == ATA_IN_RESET) {
            d->device = 0;
            ata_later(d, ATA_STEP_RESET, RESET_NS);
        }
    }
    c->selected = 0;
    update_irq(c);
}

static void diagnose(struct ata_channel *c)
{
    for (unsigned i = 0; i < 2; i++) {
        struct ata_device *d = c->device[i];
        if (d != NULL) {
            stop_device(d);
            d->command = COMMAND_DIAGNOSE;
            d->device = 0;
            ata_later(d, ATA_STEP_DIAGNOSE, ATA_COMMAND_NS);
        }
    }
    c->selected = 0;
    update_irq(c);
}

static void run_step(void *opaque)
{
    struct ata_device *d = opaque;

    if (d->phase != ATA_WAIT) {
        return; /* a saved state that contradicts itself */
    }
    switch (d->step) {
    case ATA_STEP_COMMAND:
        d->ops->command(d);
        break;
    case ATA_STEP_PACKET:
        d->ops->packet(d);
        break;
    case ATA_STEP_RESET:
    case ATA_STEP_DIAGNOSE:
        ata_signature(d);
        end_command(d, d->ops->reset_status);
        if (d->step == ATA_STEP_DIAGNOSE && d->unit == 0) {
            set_intrq(d, true); /* device 0 reports for both */
        }
        break;
    }
}

/* ---- task file ---- */

static void write_command(struct ata_channel *c, uint8_t val)
{
    struct ata_device *d = selected(c);

    if (d == NULL && !(val == COMMAND_DIAGNOSE && c->device[0] != NULL)) {
        return;
    }
    if (val == COMMAND_DIAGNOSE) { /* both devices, whichever is selected */
        diagnose(c);
        return;
    }
    trace_ata_command(d->id, val, d->now.feature, d->now.count, d->now.high, d->now.mid, d->now.low,
                      d->device);
    if (val == COMMAND_DEVICE_RESET && d->ops->packet != NULL) {
        stop_device(d);
        d->command = val;
        ata_later(d, ATA_STEP_RESET, ATA_COMMAND_NS);
        return;
    }
    d->command = val;
    d->error = 0;
    set_intrq(d, false);
    d->ops->start(d);
}

/* True if the responding device takes register writes now. */
static bool writable(const struct ata_channel *c, unsigned off, uint8_t val)
{
    const struct ata_device *d = responder(c);

    if (d == NULL || d->phase == ATA_IDLE) {
        return true;
    }
    return off == REG_STATUS && val == COMMAND_DEVICE_RESET && d->ops->packet != NULL &&
           d->phase != ATA_IN_RESET;
}

static void store_register(struct ata_device *d, unsigned off, uint8_t val)
{
    switch (off) {
    case REG_ERROR:
        d->old.feature = d->now.feature;
        d->now.feature = val;
        break;
    case REG_COUNT:
        d->old.count = d->now.count;
        d->now.count = val;
        break;
    case REG_LOW:
        d->old.low = d->now.low;
        d->now.low = val;
        break;
    case REG_MID:
        d->old.mid = d->now.mid;
        d->now.mid = val;
        break;
    case REG_HIGH:
        d->old.high = d->now.high;
        d->now.high = val;
        break;
    case REG_DEVICE:
        d->device = val & (ATA_DEV_LBA | ATA_DEV_DEV | ATA_DEV_HEAD);
        break;
    }
}

/* [ATA6] "I/O register descriptions": both devices take what is written, except for a command. */
static void write_register(struct ata_channel *c, unsigned off, uint8_t val)
{
    trace_ata_write(c->command.name, off, val);
    if (!writable(c, off, val)) {
        log_guest("%s: register %u written with %02x while BSY or DRQ is set", c->command.name, off,
                  val);
        return;
    }
    c->device_control &= (uint8_t)~CONTROL_HOB;
    if (off == REG_STATUS) {
        write_command(c, val);
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (c->device[i] != NULL) {
            store_register(c->device[i], off, val);
        }
    }
    if (off == REG_DEVICE) {
        c->selected = val & ATA_DEV_DEV ? 1 : 0;
        update_irq(c);
    }
}

static uint8_t read_status(const struct ata_channel *c)
{
    const struct ata_device *d = selected(c);
    return d != NULL ? d->status : 0;
}

static uint8_t read_register(struct ata_channel *c, unsigned off)
{
    struct ata_device *d = responder(c);

    if (d == NULL) {
        return 0;
    }
    const struct ata_taskfile *tf = c->device_control & CONTROL_HOB ? &d->old : &d->now;
    switch (off) {
    case REG_ERROR:
        return d->error;
    case REG_COUNT:
        return tf->count;
    case REG_LOW:
        return tf->low;
    case REG_MID:
        return tf->mid;
    case REG_HIGH:
        return tf->high;
    case REG_DEVICE:
        return d->device | DEVICE_FIXED_BITS;
    default: /* Status: reading it clears a pending interrupt */
        if (selected(c) != NULL) {
            set_intrq(d, false);
        }
        return read_status(c);
    }
}

/* ---- data port ---- */

/* Moves up to @count items of @size bytes between @buf and the rest of the block, if the selected
 * device is in @phase; returns how many. */
static unsigned move_data(struct ata_channel *c, enum ata_phase phase, void *buf, unsigned size,
                          unsigned count)
{
    struct ata_device *d = selected(c);

    if (d == NULL || d->phase != phase) {
        return 0;
    }
    count = (unsigned)min_u64(count, (d->block_end - d->pos) / size);
    if (phase == ATA_PIO_IN) {
        memcpy(buf, d->buffer + d->pos, (size_t)count * size);
    } else {
        memcpy(d->buffer + d->pos, buf, (size_t)count * size);
    }
    if (count != 0) {
        data_moved(d, count * size);
    }
    return count;
}

/* One access, which may be wider than what is left of the block. A byte access moves a word. */
static uint32_t read_data_port(struct ata_channel *c, unsigned size)
{
    uint8_t item[4] = {0};
    move_data(c, ATA_PIO_IN, item, 1, size == 1 ? 2 : size);
    return ld32le(item);
}

static void write_data_port(struct ata_channel *c, uint32_t val, unsigned size)
{
    uint8_t item[4];
    st32le(item, val);
    move_data(c, ATA_PIO_OUT, item, 1, size == 1 ? 2 : size);
}

/* ---- handlers ---- */

/* Wider accesses than a byte are for the data port; elsewhere they are bytes one after the other.
 */
static uint64_t command_read(void *dev, uint64_t off, unsigned size)
{
    struct ata_channel *c = dev;
    uint64_t val = 0;

    if (off == REG_DATA) {
        return read_data_port(c, size);
    }
    for (unsigned i = 0; i < size && off + i < COMMAND_PORTS; i++) {
        uint8_t part = read_register(c, (unsigned)off + i);
        trace_ata_read(c->command.name, (unsigned)off + i, part);
        val |= (uint64_t)part << 8 * i;
    }
    return val;
}

static void command_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct ata_channel *c = dev;

    if (off == REG_DATA) {
        write_data_port(c, (uint32_t)val, size);
        return;
    }
    for (unsigned i = 0; i < size && off + i < COMMAND_PORTS; i++) {
        write_register(c, (unsigned)off + i, (uint8_t)(val >> 8 * i));
    }
}

static unsigned command_read_block(void *dev, uint64_t off, void *buf, unsigned size,
                                   unsigned count)
{
    return off == REG_DATA && size > 1 ? move_data(dev, ATA_PIO_IN, buf, size, count) : 0;
}

static unsigned command_write_block(void *dev, uint64_t off, const void *buf, unsigned size,
                                    unsigned count)
{
    return off == REG_DATA && size > 1 ? move_data(dev, ATA_PIO_OUT, (void *)buf, size, count) : 0;
}

/* Alternate Status: like Status, but leaves the interrupt pending. */
static uint64_t control_read(void *dev, uint64_t off, unsigned size)
{
    const struct ata_channel *c = dev;
    uint8_t val = read_status(c);
    trace_ata_read(c->control.name, 0, val);
    return val;
}

static void control_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct ata_channel *c = dev;
    uint8_t before = c->device_control;

    trace_ata_write(c->control.name, 0, (unsigned)val);
    c->device_control = val & (CONTROL_HOB | CONTROL_SRST | CONTROL_NIEN);
    if ((before ^ val) & CONTROL_SRST) {
        software_reset(c, val & CONTROL_SRST);
    }
    update_irq(c);
}

static const struct region_ops command_ops = {
    .read = command_read, .write = command_write, .width = 4,
    .read_block = command_read_block, .write_block = command_write_block,
};
static const struct region_ops control_ops = {
    .read = control_read, .write = control_write, .width = 1,
};

/* ---- reset, state, init ---- */

void ata_channel_reset(struct ata_channel *c)
{
    for (unsigned i = 0; i < 2; i++) { /* or an interrupt that nIEN held back would get out */
        if (c->device[i] != NULL) {
            c->device[i]->intrq = false;
        }
    }
    c->selected = 0;         /* [ATA6] "Power-on and hardware reset protocol": device 0 */
    c->device_control = 0;
    update_irq(c);
}

/* A drive is ready at once: nobody waits for platters. */
void ata_device_reset(struct ata_device *d)
{
    timer_cancel(&d->timer);
    block_cancel(&d->io);
    memset(d->buffer, 0, sizeof(d->buffer));
    d->device = 0;
    d->command = 0;
    ata_signature(d);
    d->phase = ATA_IDLE;
    d->step = ATA_STEP_COMMAND;
    d->status = d->ops->reset_status;
    d->pos = d->block_end = d->end = d->block_bytes = 0;
    set_intrq(d, false);
}

void ata_channel_loaded(struct ata_channel *c)
{
    c->selected &= 1;
}

/* A saved machine is hostile input: nothing may point outside the buffer. */
static bool contradicts_itself(const struct ata_device *d)
{
    bool pio = d->phase == ATA_PIO_IN || d->phase == ATA_PIO_OUT;
    bool data = pio || d->phase == ATA_DMA_IN || d->phase == ATA_DMA_OUT;

    return d->phase >= ATA_PHASES || d->step >= ATA_STEPS || d->end > ATA_BUFFER_BYTES ||
           d->block_end > d->end || d->pos > d->block_end ||
           (data && (d->pos == d->block_end || d->block_bytes > ATA_BUFFER_BYTES)) ||
           (pio && d->block_bytes == 0) ||
           (d->phase == ATA_WAIT && d->step == ATA_STEP_PACKET && d->ops->packet == NULL);
}

bool ata_device_loaded(struct ata_device *d, int64_t *ns)
{
    int64_t now = clock_now(&d->channel->machine->clock);

    *ns = timer_armed(&d->io.timer) ? d->io.timer.deadline_ns - now : 0;
    block_cancel(&d->io); /* what the machine did before the load */
    if (contradicts_itself(d)) {
        timer_cancel(&d->timer);
        d->phase = ATA_IDLE;
        d->step = ATA_STEP_COMMAND;
        d->status = d->ops->ready;
        d->pos = d->block_end = d->end = 0;
    }
    return d->phase == ATA_WAIT && d->step == ATA_STEP_IO;
}

static const struct state_field taskfile_state[] = {
    STATE(struct ata_taskfile, feature), STATE(struct ata_taskfile, count),
    STATE(struct ata_taskfile, low), STATE(struct ata_taskfile, mid),
    STATE(struct ata_taskfile, high), STATE_END(),
};

const struct state_field ata_device_state[] = {
    STATE_SUB(struct ata_device, now, taskfile_state),
    STATE_SUB(struct ata_device, old, taskfile_state),
    STATE(struct ata_device, device), STATE(struct ata_device, command),
    STATE(struct ata_device, status), STATE(struct ata_device, error),
    STATE(struct ata_device, intrq), STATE(struct ata_device, phase),
    STATE(struct ata_device, step), STATE(struct ata_device, pos),
    STATE(struct ata_device, block_end), STATE(struct ata_device, end),
    STATE(struct ata_device, block_bytes), STATE(struct ata_device, buffer),
    STATE_TIMER(struct ata_device, timer), STATE_TIMER(struct ata_device, io.timer), STATE_END(),
};

const struct state_field ata_channel_state[] = {
    STATE(struct ata_channel, selected),
    STATE(struct ata_channel, device_control),
    STATE(struct ata_channel, intrq_level),
    STATE_END(),
};

/* [ATA6] SET FEATURES, "Set transfer mode": modes that IDENTIFY words 63, 64 and 88 offer. */
bool ata_valid_transfer_mode(uint8_t mode)
{
    switch (mode & ~7) {
    case ATA_TRANSFER_PIO:
        return mode <= 1;
    case ATA_TRANSFER_PIO_FLOW:
        return (mode & 7) <= 4;
    case ATA_TRANSFER_MDMA:
        return (mode & 7) <= 2;
    case ATA_TRANSFER_UDMA:
        return (mode & 7) <= 5;
    default:
        return false;
    }
}

unsigned ata_selected_mode(uint8_t mode, uint8_t family)
{
    return (mode & ~7) == family ? BIT(8 + (mode & 7)) : 0;
}

void ata_string(uint8_t *to, const char *text, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        to[i ^ 1] = *text != '\0' ? (uint8_t)*text++ : ' ';
    }
}

static void device_gone(void *opaque)
{
    struct ata_device *d = opaque;
    block_cancel(&d->io);
}

void ata_attach(struct ata_channel *c, unsigned unit, struct ata_device *d,
                const struct ata_device_ops *ops, const char *id)
{
    assert(unit < 2 && c->device[unit] == NULL);
    d->ops = ops;
    d->channel = c;
    d->unit = unit;
    snprintf(d->id, sizeof(d->id), "%s", id);
    timer_init(&d->timer, &c->machine->clock, d->id, run_step, d);
    block_request_init(&d->io, &c->machine->loop, &c->machine->clock, d->id, io_done, d);
    machine_on_fini(c->machine, device_gone, d);
    c->device[unit] = d;
}

void ata_channel_init(struct ata_channel *c, struct machine *m, const char *name,
                      const char *control_name, struct irq *intrq,
                      void (*dma_request)(void *opaque), void *opaque)
{
    *c = (struct ata_channel){
        .machine = m, .intrq = intrq, .dma_request = dma_request, .dma_opaque = opaque,
    };
    region_io(&c->command, name, &command_ops, c, COMMAND_PORTS);
    region_io(&c->control, control_name, &control_ops, c, 1);
}
