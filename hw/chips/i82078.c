/*
 * Intel 82078 floppy disk controller: registers, commands without data, seeks.
 *
 * Source: [82078] "Register Set", "Command Set/Descriptions", "Reset".
 * Pins:   INT and DRQ (gated by DOR bit 3 as in AT mode), DACK and TC through the 8237, two drives.
 * Model:  SRA and SRB as in PS/2 mode, DIR as in AT mode (its bits 6..0 belong to the hard disk).
 *         Seeks take 50 us and 5 us a cylinder. The command's drive bits select, not the DOR's.
 *         EIS (implied seek) is on after a reset, where the chip has it off: SeaBIOS reads any
 *         cylinder without SEEK and never sends CONFIGURE.
 *         The SCAN commands are those of the 8272, which this chip has no more but QEMU's has.
 * Not:    FORMAT AND WRITE, tape, power management, precompensation.
 */
#include "hw/chips/i82078_data.h"

#include "core/base/bits.h"
#include "core/base/log.h"
#include "hw/chips/i8237.h"
#include "trace/hw_chips.h"

#include <string.h>

enum { REG_SRA, REG_SRB, REG_DOR, REG_TDR, REG_MSR_DSR, REG_DATA, REG_COUNT };

enum { DOR_SELECT = 0x03, DOR_RUN = 0x04, DOR_DMAGATE = 0x08 };
enum { MSR_RQM = 0x80, MSR_DIO = 0x40, MSR_NDM = 0x20, MSR_BUSY = 0x10 };
enum { DSR_RESET = 0x80 };
enum { SRA_INT = 0x80, SRA_NO_DRV2 = 0x40, SRA_NOT_TRK0 = 0x10, SRA_HEAD = 0x08,
       SRA_NO_INDEX = 0x04, SRA_NOT_WP = 0x02 };
enum { SRB_ONES = 0xc0, SRB_SELECT0 = 0x20 };
enum { DIR_DSKCHG = 0x80 };
enum { ST3_WP = 0x40, ST3_ONES = 0x28, ST3_TRK0 = 0x10 };

#define MAX_TRACK        83  /* where the heads stop */
#define MAX_TRACK_360K   42
#define RECALIBRATE_STEP 79  /* pulses that RECALIBRATE gives at most */
#define READY_NS         (20 * NS_PER_US) /* from the end of a reset to its interrupt */
#define CONFIG_RESET     (CONFIG_EIS | CONFIG_EFIFO)

/* --- drives --- */

struct i82078_drive *i82078_addressed(struct i82078 *s)
{
    unsigned n = s->cmd[1] & 3;
    return n < I82078_DRIVES && s->drive[n].type != FLOPPY_NONE ? &s->drive[n] : NULL;
}

/* A 1.2M drive makes two steps for each cylinder of a 40-cylinder disk. */
unsigned i82078_disk_cyl(const struct i82078_drive *d)
{
    return d->type == FLOPPY_1200K && d->disk.cyls <= 43 ? d->track / 2 : d->track;
}

/* A step pulse with a disk in clears DSKCHG. */
void i82078_move(struct i82078_drive *d, unsigned track)
{
    unsigned last = d->type == FLOPPY_360K ? MAX_TRACK_360K : MAX_TRACK;

    track = min_u64(track, last);
    if (track != d->track && d->disk.block != NULL) {
        d->changed = false;
    }
    d->track = (uint8_t)track;
}

/* --- interrupt --- */

static void update_irq(struct i82078 *s)
{
    irq_set(s->irq, s->int_pending && (s->dor & DOR_DMAGATE));
}

void i82078_interrupt(struct i82078 *s, bool level)
{
    trace_i82078_irq(level);
    s->int_pending = level;
    if (level) {
        s->poll_pending = 0; /* what a reset had to report is out of date */
    }
    update_irq(s);
}

void i82078_result(struct i82078 *s, unsigned n, bool interrupt)
{
    s->phase = PHASE_RESULT;
    s->res_len = n;
    s->res_pos = 0;
    if (interrupt) {
        i82078_interrupt(s, true);
    }
}

static void to_command_phase(struct i82078 *s)
{
    s->phase = PHASE_COMMAND;
    s->cmd_len = 0;
    s->cmd_need = 0;
    s->res_len = 0;
    s->res_pos = 0;
}

/* A result of one byte, as most commands without data give. */
static void result_byte(struct i82078 *s, uint8_t val)
{
    s->res[0] = val;
    i82078_result(s, 1, false);
}

/* --- reset --- */

/* [82078] "Reset": what the DOR and DSR bits do, RESET too. LOCK saves the FIFO's settings; what
 * SPECIFY set stays. */
static void software_reset(struct i82078 *s)
{
    timer_cancel(&s->step);
    block_cancel(&s->io);
    s->io_waits = false;
    for (unsigned n = 0; n < ARRAY_SIZE(s->seek); n++) {
        timer_cancel(&s->seek[n].timer);
        s->seek[n].pcn = s->seek[n].target = s->seek[n].st0 = 0;
        s->seek[n].recalibrate = s->seek[n].done = false;
    }
    s->config = s->lock ? CONFIG_EIS | (s->config & (CONFIG_EFIFO | CONFIG_FIFOTHR)) : CONFIG_RESET;
    s->pretrk = s->lock ? s->pretrk : 0;
    s->perpendicular &= 0x3c; /* GAP and WGATE go */
    s->moving = false;
    s->poll_pending = 0;
    to_command_phase(s);
    i8237_dreq(s->dma, s->channel, false);
    i82078_interrupt(s, false);
    timer_at(&s->ready, clock_now(&s->m->clock) + READY_NS);
}

/* [82078] "Drive Polling": after a reset all four drives report a change of their ready line. */
static void ready_fired(void *opaque)
{
    struct i82078 *s = opaque;

    if (s->dor & DOR_RUN) {
        i82078_interrupt(s, true);
        s->poll_pending = 0x0f;
    }
}

/* --- commands --- */

static void seek_start(struct i82078 *s, uint8_t target, bool recalibrate)
{
    struct i82078_drive *d = i82078_addressed(s);
    struct i82078_seek *k = &s->seek[s->cmd[1] & 3];
    int way = recalibrate && d != NULL ? d->track : target - k->pcn;

    k->target = target;
    k->recalibrate = recalibrate;
    k->st0 = ST0_SE | (s->cmd[1] & 7);
    k->done = false;
    timer_at(&k->timer, clock_now(&s->m->clock) + SETTLE_NS + (way < 0 ? -way : way) * STEP_NS);
    to_command_phase(s);
}

static void seek_fired(void *opaque)
{
    struct i82078_seek *k = opaque;
    struct i82078 *s = k->chip;
    struct i82078_drive *d = k->n < I82078_DRIVES ? &s->drive[k->n] : NULL;

    if (d != NULL && d->type == FLOPPY_NONE) {
        d = NULL;
    }
    if (k->recalibrate) {
        if (d == NULL || d->track > RECALIBRATE_STEP) {
            k->st0 |= ST0_ABNORMAL | ST0_EC; /* no track 0 signal */
        }
        if (d != NULL) {
            i82078_move(d, d->track > RECALIBRATE_STEP ? d->track - RECALIBRATE_STEP : 0);
        }
    } else if (d != NULL) {
        int track = d->track + k->target - k->pcn;
        i82078_move(d, track > 0 ? (unsigned)track : 0);
    }
    k->pcn = k->target;
    k->done = true;
    i82078_interrupt(s, true);
}

static void cmd_recalibrate(struct i82078 *s)
{
    s->cmd[1] &= 3;
    seek_start(s, 0, true);
}

static void cmd_seek(struct i82078 *s)
{
    seek_start(s, s->cmd[2], false);
}

static void cmd_relative_seek(struct i82078 *s)
{
    uint8_t pcn = s->seek[s->cmd[1] & 3].pcn;
    seek_start(s, s->cmd[0] & 0x40 ? pcn + s->cmd[2] : pcn - s->cmd[2], false);
}

/* [82078] "Sense Interrupt Status": ends the interrupt of a seek or of a reset; with nothing to say
 * it is an invalid command. */
static void cmd_sense_interrupt(struct i82078 *s)
{
    bool more = false;
    unsigned n = 0;

    while (n < 4 && !s->seek[n].done) {
        n++;
    }
    i82078_interrupt(s, false);
    if (n < 4) {
        s->seek[n].done = false;
        s->res[0] = s->seek[n].st0;
        s->res[1] = s->seek[n].pcn;
        for (unsigned other = 0; other < 4; other++) {
            more |= s->seek[other].done;
        }
    } else if (s->poll_pending != 0) {
        n = (unsigned)__builtin_ctz(s->poll_pending) & 3;
        s->poll_pending &= s->poll_pending - 1;
        s->res[0] = ST0_READY_CHANGED | n;
        s->res[1] = s->seek[n].pcn;
    } else {
        result_byte(s, ST0_INVALID);
        return;
    }
    i82078_result(s, 2, more);
}

static void cmd_sense_drive(struct i82078 *s)
{
    const struct i82078_drive *d = i82078_addressed(s);
    uint8_t st3 = ST3_ONES | (s->cmd[1] & 7);

    if (d != NULL) {
        st3 |= d->track == 0 ? ST3_TRK0 : 0;
        st3 |= floppy_media_protected(&d->disk) ? ST3_WP : 0;
    }
    result_byte(s, st3);
}

static void cmd_specify(struct i82078 *s)
{
    memcpy(s->specify, s->cmd + 1, 2);
    to_command_phase(s);
}

static void cmd_configure(struct i82078 *s)
{
    s->config = s->cmd[2] & 0x7f;
    s->pretrk = s->cmd[3];
    to_command_phase(s);
}

/* Bits 1:0 always, the drives' bits only with OW. */
static void cmd_perpendicular(struct i82078 *s)
{
    uint8_t mask = s->cmd[1] & 0x80 ? 0x3f : 0x03;
    s->perpendicular = (s->perpendicular & ~mask) | (s->cmd[1] & mask);
    to_command_phase(s);
}

/* Ten bytes that DUMPREG gives from res[0] on and SAVE from res[2] on. */
static void dump_registers(const struct i82078 *s, uint8_t *out)
{
    for (unsigned n = 0; n < 4; n++) {
        out[n] = s->seek[n].pcn;
    }
    out[4] = s->specify[0];
    out[5] = s->specify[1];
    out[6] = s->last_eot;
    out[7] = (s->lock ? 0x80 : 0) | s->perpendicular;
    out[8] = s->config;
    out[9] = s->pretrk;
}

static void cmd_dumpreg(struct i82078 *s)
{
    dump_registers(s, s->res);
    i82078_result(s, 10, false);
}

static void cmd_save(struct i82078 *s)
{
    memset(s->res, 0, sizeof(s->res));
    s->res[0] = s->rate;
    dump_registers(s, s->res + 2);
    i82078_result(s, 16, false);
}

static void cmd_restore(struct i82078 *s)
{
    const uint8_t *in = s->cmd + 1;

    s->rate = in[0] & 3;
    for (unsigned n = 0; n < 4; n++) {
        s->seek[n].pcn = in[2 + n];
    }
    memcpy(s->specify, in + 6, 2);
    s->last_eot = in[8];
    s->lock = in[9] & 0x80;
    s->perpendicular = in[9] & 0x3f;
    s->config = in[10] & 0x7f;
    s->pretrk = in[11];
    to_command_phase(s);
}

static void cmd_lock(struct i82078 *s)
{
    s->lock = s->cmd[0] & 0x80;
    result_byte(s, s->lock ? 0x10 : 0);
}

static void cmd_version(struct i82078 *s)
{
    result_byte(s, 0x90); /* enhanced controller */
}

static void cmd_part_id(struct i82078 *s)
{
    result_byte(s, 0x41); /* 82078 with 64 pins; what a 82078 means to drivers */
}

static void cmd_powerdown(struct i82078 *s)
{
    result_byte(s, s->cmd[1]);
}

static void cmd_accepted(struct i82078 *s)
{
    to_command_phase(s);
}

/* [82078] "Drive Specification": bytes until one with DN (bit 7), which says whether to answer. */
static void cmd_drive_specification(struct i82078 *s)
{
    uint8_t last = s->cmd[s->cmd_len - 1];

    if (!(last & 0x80) && s->cmd_len < 6) {
        s->cmd_need++;
    } else if (last & 0x40) {
        to_command_phase(s);
    } else {
        memset(s->res, 0, 4);
        i82078_result(s, 4, false);
    }
}

static void cmd_invalid(struct i82078 *s)
{
    result_byte(s, ST0_INVALID);
}

/* Data commands have an op instead of a function. */
static const struct command {
    uint8_t mask, code, bytes;
    const char *name;
    void (*run)(struct i82078 *s);
    enum op op;
} commands[] = {
    {0x1f, 0x06, 9, "read", NULL, OP_READ},
    {0x3f, 0x05, 9, "write", NULL, OP_WRITE},
    {0xff, 0x0f, 3, "seek", cmd_seek, 0},
    {0xff, 0x08, 1, "sense interrupt", cmd_sense_interrupt, 0},
    {0xff, 0x07, 2, "recalibrate", cmd_recalibrate, 0},
    {0xbf, 0x0a, 2, "read id", NULL, OP_READ_ID},
    {0xff, 0x03, 3, "specify", cmd_specify, 0},
    {0xff, 0x04, 2, "sense drive", cmd_sense_drive, 0},
    {0xbf, 0x0d, 6, "format track", NULL, OP_FORMAT},
    {0x9f, 0x02, 9, "read track", NULL, OP_READ_TRACK},
    {0x3f, 0x09, 9, "write deleted", NULL, OP_WRITE_DELETED},
    {0x1f, 0x0c, 9, "read deleted", NULL, OP_READ_DELETED},
    {0x1f, 0x16, 9, "verify", NULL, OP_VERIFY},
    {0x1f, 0x11, 9, "scan equal", NULL, OP_SCAN_EQUAL},
    {0x1f, 0x19, 9, "scan low or equal", NULL, OP_SCAN_LOW},
    {0x1f, 0x1d, 9, "scan high or equal", NULL, OP_SCAN_HIGH},
    {0xff, 0x0e, 1, "dumpreg", cmd_dumpreg, 0},
    {0xff, 0x10, 1, "version", cmd_version, 0},
    {0xff, 0x12, 2, "perpendicular", cmd_perpendicular, 0},
    {0xff, 0x13, 4, "configure", cmd_configure, 0},
    {0x7f, 0x14, 1, "lock", cmd_lock, 0},
    {0xff, 0x17, 2, "powerdown", cmd_powerdown, 0},
    {0xff, 0x18, 1, "part id", cmd_part_id, 0},
    {0xff, 0x2e, 1, "save", cmd_save, 0},
    {0xff, 0x33, 2, "option", cmd_accepted, 0},
    {0xff, 0x4e, 17, "restore", cmd_restore, 0},
    {0xff, 0x8e, 2, "drive specification", cmd_drive_specification, 0},
    {0xbf, 0x8f, 3, "relative seek", cmd_relative_seek, 0},
    {0x00, 0x00, 1, "invalid", cmd_invalid, 0},
};

static const struct command *find_command(uint8_t code)
{
    const struct command *c = commands;

    while ((code & c->mask) != c->code) {
        c++; /* the last one matches all */
    }
    return c;
}

static void command_byte(struct i82078 *s, uint8_t val)
{
    const struct command *c;

    s->cmd[s->cmd_len++] = val;
    c = find_command(s->cmd[0]);
    if (s->cmd_len == 1) {
        s->cmd_need = c->bytes;
        memset(s->cmd + 1, 0, sizeof(s->cmd) - 1);
    }
    if (s->cmd_len < s->cmd_need) {
        return;
    }
    trace_i82078_command(c->name, s->cmd[1] & 3, s->cmd[0], s->cmd[2], s->cmd[3], s->cmd[4]);
    if (c->run != NULL) {
        c->run(s);
    } else {
        i82078_data_start(s, c->op);
    }
}

/* --- registers --- */

static const struct i82078_drive *selected(const struct i82078 *s)
{
    unsigned n = s->dor & DOR_SELECT;
    return n < I82078_DRIVES && s->drive[n].type != FLOPPY_NONE ? &s->drive[n] : NULL;
}

static uint8_t read_sra(const struct i82078 *s)
{
    const struct i82078_drive *d = selected(s);
    uint8_t val = SRA_NO_INDEX | SRA_NOT_TRK0 | SRA_NOT_WP;

    val |= s->int_pending ? SRA_INT : 0;
    val |= s->drive[1].type == FLOPPY_NONE ? SRA_NO_DRV2 : 0;
    val |= s->head ? SRA_HEAD : 0;
    if (d != NULL && d->track == 0) {
        val &= ~SRA_NOT_TRK0;
    }
    if (d != NULL && floppy_media_protected(&d->disk)) {
        val &= ~SRA_NOT_WP;
    }
    return val;
}

static uint8_t read_srb(const struct i82078 *s)
{
    return SRB_ONES | (s->dor & 1 ? SRB_SELECT0 : 0) | (s->dor >> 4 & 3);
}

static uint8_t read_msr(const struct i82078 *s)
{
    uint8_t val = 0;

    if (!(s->dor & DOR_RUN)) {
        return 0;
    }
    for (unsigned n = 0; n < 4; n++) {
        val |= timer_armed(&s->seek[n].timer) ? BIT(n) : 0;
    }
    switch (s->phase) {
    case PHASE_COMMAND:
        return val | MSR_RQM | (s->cmd_len > 0 ? MSR_BUSY : 0);
    case PHASE_RESULT:
        return val | MSR_RQM | MSR_DIO | MSR_BUSY;
    default:
        val |= MSR_BUSY;
        if (i82078_pio(s) && s->op != OP_READ_ID && s->op != OP_VERIFY) {
            val |= MSR_NDM | (i82078_data_is_output(s) ? 0 : MSR_DIO) | (s->moving ? MSR_RQM : 0);
        }
        return val;
    }
}

static uint8_t read_data(struct i82078 *s)
{
    uint8_t val = 0;

    if (s->phase == PHASE_EXECUTE && i82078_pio(s) && !i82078_data_is_output(s)) {
        return i82078_data_get(s);
    }
    if (s->phase != PHASE_RESULT) {
        log_guest("i82078: data register read without a result");
        return val;
    }
    if (s->res_pos == 0 && find_command(s->cmd[0])->run == NULL) {
        i82078_interrupt(s, false); /* a data command's interrupt ends with the first byte */
    }
    val = s->res[s->res_pos++];
    if (s->res_pos >= s->res_len) {
        to_command_phase(s);
    }
    return val;
}

static void write_data(struct i82078 *s, uint8_t val)
{
    if (!(s->dor & DOR_RUN)) {
        return;
    }
    if (s->phase == PHASE_COMMAND) {
        command_byte(s, val);
    } else if (s->phase == PHASE_EXECUTE && i82078_pio(s) && i82078_data_is_output(s)) {
        i82078_data_put(s, val);
    } else {
        log_guest("i82078: byte %02x written while busy", val);
    }
}

static void write_dor(struct i82078 *s, uint8_t val)
{
    uint8_t rising = val & ~s->dor;

    s->dor = val;
    if (!(val & DOR_RUN) || (rising & DOR_RUN)) {
        software_reset(s); /* held; its interrupt comes after the release */
    }
    update_irq(s);
}

static void write_dsr(struct i82078 *s, uint8_t val)
{
    s->rate = val & 3;
    if (val & DSR_RESET) { /* clears itself */
        software_reset(s);
    }
}

/* Reading the data register takes the byte. */
static uint64_t low_read(void *dev, uint64_t off, unsigned size)
{
    struct i82078 *s = dev;
    uint8_t val;

    switch (off) {
    case REG_SRA: val = read_sra(s); break;
    case REG_SRB: val = read_srb(s); break;
    case REG_DOR: val = s->dor; break;
    case REG_TDR: val = s->tdr; break;
    case REG_MSR_DSR: val = read_msr(s); break;
    default: val = read_data(s); break;
    }
    trace_i82078_read((unsigned)off, val);
    return val;
}

static void low_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct i82078 *s = dev;

    trace_i82078_write((unsigned)off, val);
    switch (off) {
    case REG_DOR: write_dor(s, val); break;
    case REG_TDR: s->tdr = val & 3; break;
    case REG_MSR_DSR: write_dsr(s, val); break;
    case REG_DATA: write_data(s, val); break;
    default: break; /* SRA and SRB cannot be written */
    }
}

static uint64_t dir_read(void *dev, uint64_t off, unsigned size)
{
    struct i82078 *s = dev;
    const struct i82078_drive *d = selected(s);
    uint8_t val = d != NULL && d->changed ? DIR_DSKCHG : 0;

    trace_i82078_read(7, val);
    return val;
}

static void ccr_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct i82078 *s = dev;

    trace_i82078_write(7, val);
    s->rate = val & 3;
}

static const struct region_ops low_ops = {.read = low_read, .write = low_write, .width = 1};
static const struct region_ops high_ops = {.read = dir_read, .write = ccr_write, .width = 1};

/* --- reset, state, init --- */

/* Power-on. [82078] "Reset" has DOR 00; PCs show 0Ch, running with interrupts, before any write.
 * DSR is 02h (250 kbit/s). No interrupt of the drive polling is left over. */
static void i82078_reset(void *dev)
{
    struct i82078 *s = dev;

    s->powered = true;
    s->lock = false;
    s->perpendicular = 0;
    s->dor = DOR_RUN | DOR_DMAGATE;
    s->tdr = 0;
    s->rate = 2;
    s->specify[0] = s->specify[1] = 0;
    s->last_eot = 0;
    software_reset(s);
    timer_cancel(&s->ready);
    s->op = OP_READ;
    s->st0 = s->st1 = s->st2 = 0;
    s->head = s->left = s->dma_waits = 0;
    s->tc = false;
    s->pos = s->len = 0;
    memset(s->chrn, 0, sizeof(s->chrn));
    memset(s->cmd, 0, sizeof(s->cmd));
    memset(s->res, 0, sizeof(s->res));
    memset(s->buf, 0, sizeof(s->buf));
    for (unsigned n = 0; n < I82078_DRIVES; n++) {
        s->drive[n].track = 0;
        s->drive[n].changed = true;
    }
}

/* A saved state may come from anywhere: whatever indexes is brought into range. */
static void i82078_loaded(void *dev)
{
    struct i82078 *s = dev;

    s->phase = s->phase <= PHASE_RESULT ? s->phase : PHASE_COMMAND;
    s->res_len = min_u64(s->res_len, sizeof(s->res));
    if (s->phase == PHASE_RESULT && s->res_pos >= s->res_len) {
        to_command_phase(s);
    }
    if (s->cmd_need > sizeof(s->cmd) || (s->phase == PHASE_COMMAND && s->cmd_len >= s->cmd_need)) {
        s->cmd_len = s->cmd_need = 0;
    }
    i82078_data_loaded(s);
    update_irq(s);
}

static const struct state_field seek_state[] = {
    STATE(struct i82078_seek, pcn),
    STATE(struct i82078_seek, target),
    STATE(struct i82078_seek, st0),
    STATE(struct i82078_seek, recalibrate),
    STATE(struct i82078_seek, done),
    STATE_TIMER(struct i82078_seek, timer),
    STATE_END(),
};

static const struct state_field drive_state[] = {
    STATE(struct i82078_drive, track),
    STATE(struct i82078_drive, changed),
    STATE_KEPT(struct i82078_drive, deleted),
    STATE_END(),
};

static const struct state_field i82078_state[] = {
    STATE_SUBS(struct i82078, drive, drive_state),
    STATE_SUBS(struct i82078, seek, seek_state),
    STATE(struct i82078, dor),
    STATE(struct i82078, tdr),
    STATE(struct i82078, rate),
    STATE(struct i82078, specify),
    STATE(struct i82078, config),
    STATE(struct i82078, pretrk),
    STATE(struct i82078, perpendicular),
    STATE(struct i82078, lock),
    STATE(struct i82078, last_eot),
    STATE(struct i82078, int_pending),
    STATE(struct i82078, poll_pending),
    STATE(struct i82078, phase),
    STATE(struct i82078, cmd),
    STATE(struct i82078, cmd_len),
    STATE(struct i82078, cmd_need),
    STATE(struct i82078, res),
    STATE(struct i82078, res_len),
    STATE(struct i82078, res_pos),
    STATE(struct i82078, op),
    STATE(struct i82078, st0),
    STATE(struct i82078, st1),
    STATE(struct i82078, st2),
    STATE(struct i82078, head),
    STATE(struct i82078, chrn),
    STATE(struct i82078, left),
    STATE(struct i82078, tc),
    STATE(struct i82078, moving),
    STATE(struct i82078, dma_waits),
    STATE(struct i82078, pos),
    STATE(struct i82078, len),
    STATE(struct i82078, buf),
    STATE(struct i82078, io_waits),
    STATE_TIMER(struct i82078, io.timer),
    STATE_TIMER(struct i82078, step),
    STATE_TIMER(struct i82078, ready),
    STATE_END(),
};

const struct device_type i82078_type = {
    .name = "i82078",
    .version = 1,
    .reset = i82078_reset,
    .state = i82078_state,
    .loaded = i82078_loaded,
};

void i82078_set_drive(struct i82078 *s, unsigned drive, enum floppy_drive_type type)
{
    s->drive[drive].type = type;
}

bool i82078_insert(struct i82078 *s, unsigned drive, struct block *b, struct error **err)
{
    struct i82078_drive *d = &s->drive[drive];
    struct floppy_media disk;

    if (!floppy_media_probe(&disk, b, err)) {
        return false;
    }
    if (!s->powered) {
        d->type = floppy_media_drive(&disk);
    } else if (!floppy_media_fits(&disk, d->type)) {
        static const char *const name[] = {"absent", "360K", "1.2M", "720K", "1.44M", "2.88M"};
        return error_set(err, "%s: a disk of %s does not fit drive %c (%s)", b->path, disk.name,
                         drive ? 'B' : 'A', name[d->type]);
    }
    block_finish(&s->io); /* a sector of the old disk */
    d->disk = disk;
    memset(d->deleted, 0, sizeof(d->deleted));
    d->failed = false;
    d->changed = true;
    trace_i82078_insert(drive, disk.name);
    return true;
}

void i82078_eject(struct i82078 *s, unsigned drive)
{
    trace_i82078_insert(drive, "nothing");
    block_finish(&s->io);
    memset(&s->drive[drive].disk, 0, sizeof(s->drive[drive].disk));
    s->drive[drive].changed = true;
}

unsigned i82078_cmos_type(const struct i82078 *s, unsigned drive)
{
    return s->drive[drive].type;
}

static void i82078_gone(void *opaque)
{
    struct i82078 *s = opaque;
    block_cancel(&s->io);
}

void i82078_init(struct i82078 *s, struct machine *m, uint16_t base, struct irq *irq6,
                 struct i8237_pair *dma, unsigned channel)
{
    s->m = m;
    s->irq = irq6;
    s->dma = dma;
    s->channel = channel;
    s->drive[0].type = FLOPPY_2880K;
    for (unsigned n = 0; n < ARRAY_SIZE(s->seek); n++) {
        s->seek[n].chip = s;
        s->seek[n].n = n;
        timer_init(&s->seek[n].timer, &m->clock, "i82078 seek", seek_fired, &s->seek[n]);
    }
    timer_init(&s->step, &m->clock, "i82078 step", i82078_data_step, s);
    timer_init(&s->ready, &m->clock, "i82078 ready", ready_fired, s);
    block_request_init(&s->io, &m->loop, &m->clock, "i82078 image", i82078_data_io, s);
    machine_on_fini(m, i82078_gone, s);
    region_io(&s->low, "i82078", &low_ops, s, REG_COUNT);
    region_map(&m->ports.root, &s->low, base, 0);
    region_io(&s->high, "i82078 dir", &high_ops, s, 1);
    region_map(&m->ports.root, &s->high, base + 7, 0);
    machine_add(m, &i82078_type, "i82078", s);
}
