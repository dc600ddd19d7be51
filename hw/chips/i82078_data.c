/*
 * Data commands of the 82078: READ, WRITE, VERIFY, READ TRACK, READ ID, FORMAT TRACK, SCAN.
 *
 * Source: [82078] "Data Transfer Commands", "Read Track", "Format a Track", "Result Phase Table";
 *         [8272] "Scan Commands".
 * Model:  a sector passes every 20 us and its 512 bytes move at once. A disk has 512-byte MFM
 *         sectors numbered from 1. The image is read and written by requests of a sector each
 *         (core/block/request.h). Which sectors have deleted data marks is remembered while the
 *         disk is in.
 *         An empty drive answers like an unformatted disk (MA) where the chip would wait for an
 *         index pulse for ever. The motor is not looked at.
 *         With implied seek on, a multi-track transfer also goes on at the track's real end when
 *         EOT lies beyond it, and at the last head with the next cylinder: SeaBIOS gives the first
 *         sector plus count as EOT and relies on it.
 *         An image cannot change its layout: formatting to another one is answered as not writable.
 */
#include "hw/chips/i82078_data.h"

#include "core/base/bits.h"
#include "core/base/log.h"
#include "hw/chips/i8237.h"
#include "trace/hw_chips.h"

#include <string.h>

enum { /* command byte */
    CMD_MT = 0x80,
    CMD_MFM = 0x40,
    CMD_SK = 0x20,
};

enum { /* ST1 */
    ST1_EN = 0x80,           /* access past the last sector */
    ST1_DE = 0x20,           /* data error */
    ST1_OR = 0x10,           /* the system was too slow */
    ST1_ND = 0x04,           /* no such sector */
    ST1_NW = 0x02,           /* write protected */
    ST1_MA = 0x01,           /* no address mark */
};

enum { /* ST2 */
    ST2_CM = 0x40,           /* the other kind of data mark */
    ST2_DD = 0x20,           /* ST1_DE was in the data field */
    ST2_WC = 0x10,           /* wrong cylinder */
    ST2_SH = 0x08,           /* [8272] "Scan Commands": hit by equality */
    ST2_SN = 0x04,           /* no sector met the condition */
};

enum { C, H, R, N };         /* in chrn */

#define SIZE_CODE     2      /* 128 << 2 bytes a sector */
#define FORMAT_BYTES  4      /* C, H, R, N of a sector */
#define IO_NS         (5 * NS_PER_US) /* the image is read or written within this, at the latest */
#define DMA_RETRY_NS  NS_PER_MS
#define DMA_RETRIES   200    /* a revolution; then it is an overrun */

static bool multi_track(const struct i82078 *s)
{
    return (s->cmd[0] & CMD_MT) && s->op != OP_READ_TRACK;
}

static bool is_scan(const struct i82078 *s)
{
    return s->op == OP_SCAN_EQUAL || s->op == OP_SCAN_LOW || s->op == OP_SCAN_HIGH;
}

/* STP: contiguous sectors, or every second one. */
static uint8_t scan_step(const struct i82078 *s)
{
    return s->cmd[8] == 2 ? 2 : 1;
}

static bool writes_disk(const struct i82078 *s)
{
    return s->op == OP_WRITE || s->op == OP_WRITE_DELETED || s->op == OP_FORMAT;
}

bool i82078_data_is_output(const struct i82078 *s)
{
    return writes_disk(s) || is_scan(s);
}

static void finish(struct i82078 *s, uint8_t st0, uint8_t st1, uint8_t st2)
{
    s->moving = false;
    i8237_dreq(s->dma, s->channel, false);
    s->res[0] = s->st0 | st0 | (s->head ? ST0_HEAD : 0) | (s->cmd[1] & 3);
    s->res[1] = s->st1 | st1;
    s->res[2] = s->st2 | st2;
    memcpy(s->res + 3, s->chrn, sizeof(s->chrn));
    trace_i82078_result(s->res[0], s->res[1], s->res[2]);
    i82078_result(s, 7, true);
}

static void fail(struct i82078 *s, uint8_t st1, uint8_t st2)
{
    finish(s, ST0_ABNORMAL, st1, st2);
}

/* Whether the head is over a track that can be read with the current settings. */
static bool track_readable(const struct i82078 *s, const struct i82078_drive *d)
{
    return d != NULL && d->disk.block != NULL && (s->cmd[0] & CMD_MFM) &&
           s->rate == floppy_media_rate(&d->disk, d->type) && s->head < d->disk.heads &&
           i82078_disk_cyl(d) < d->disk.cyls;
}

/* [82078] "Implied Seek". In a drive with twice the disk's cylinders this finds the right one. */
static void implied_seek(struct i82078 *s, struct i82078_drive *d)
{
    unsigned tracks_a_cyl;

    if (!(s->config & CONFIG_EIS) || d == NULL || d->disk.block == NULL ||
        s->chrn[C] >= d->disk.cyls || i82078_disk_cyl(d) == s->chrn[C]) {
        return;
    }
    tracks_a_cyl = d->type == FLOPPY_1200K && d->disk.cyls <= 43 ? 2 : 1;
    i82078_move(d, s->chrn[C] * tracks_a_cyl);
    s->seek[s->cmd[1] & 3].pcn = d->track;
    s->st0 |= ST0_SE;
}

/* Looks for the sector of s->chrn. True if it is there; else the command has ended. */
static bool find_sector(struct i82078 *s, struct i82078_drive *d)
{
    implied_seek(s, d);
    if (!track_readable(s, d)) {
        fail(s, ST1_MA, 0);
        return false;
    }
    if (s->op == OP_READ_TRACK) { /* takes what comes, and tells if it was not as named */
        if (s->chrn[C] != i82078_disk_cyl(d) || s->chrn[H] != s->head) {
            s->st1 |= ST1_ND;
        }
        if (s->chrn[R] > d->disk.sectors) {
            fail(s, ST1_EN, 0);
            return false;
        }
        return true;
    }
    if (s->chrn[C] != i82078_disk_cyl(d)) {
        fail(s, ST1_ND, ST2_WC);
        return false;
    }
    if (s->chrn[H] != s->head || s->chrn[N] != SIZE_CODE || s->chrn[R] < 1 ||
        s->chrn[R] > d->disk.sectors) {
        fail(s, ST1_ND, 0);
        return false;
    }
    return true;
}

/* Whether the sector is the last one of its track that the command wants. */
static bool at_eot(const struct i82078 *s)
{
    uint8_t eot = s->cmd[6];
    return is_scan(s) ? s->chrn[R] + scan_step(s) > eot : s->chrn[R] == eot;
}

/* To the sector after this one, as [82078] "Result Phase Table" has it. False at the end. */
static bool advance(struct i82078 *s, const struct i82078_drive *d)
{
    bool implied = s->config & CONFIG_EIS;
    bool beyond = multi_track(s) && implied && s->cmd[6] > d->disk.sectors;

    if (!at_eot(s) && !(beyond && s->chrn[R] >= d->disk.sectors)) {
        s->chrn[R] += is_scan(s) ? scan_step(s) : 1;
        return true;
    }
    s->chrn[R] = 1;
    if (multi_track(s) && s->head == 0 && d->disk.heads == 2) {
        s->head = 1;
        s->chrn[H] ^= 1;
        return true;
    }
    s->chrn[C]++;
    if (multi_track(s) && s->head == 1) {
        s->chrn[H] ^= 1;
        if (beyond && s->chrn[C] < d->disk.cyls) {
            s->head = 0;
            return true;
        }
    }
    return false;
}

static void wait_for_sector(struct i82078 *s)
{
    s->moving = false;
    s->pos = 0;
    s->dma_waits = 0;
    timer_at(&s->step, clock_now(&s->m->clock) + SECTOR_NS);
}

/* A sector is done: ends the command or goes on. */
static void next_sector(struct i82078 *s, const struct i82078_drive *d)
{
    uint8_t head = s->head;
    bool more = advance(s, d);
    bool enough = s->tc || (s->op == OP_VERIFY && s->left > 0 && --s->left == 0) ||
                  ((s->st2 & ST2_CM) && !(s->cmd[0] & CMD_SK));

    if (enough) {
        s->head = head; /* ST0 shows the head of the last sector */
        finish(s, 0, 0, is_scan(s) ? ST2_SN : 0);
    } else if (more) {
        wait_for_sector(s);
    } else if (is_scan(s)) {
        finish(s, 0, 0, ST2_SN);
    } else {
        fail(s, ST1_EN, 0);
    }
}

/* ---- the image ---- */

static unsigned mark_number(const struct i82078 *s, const struct i82078_drive *d)
{
    unsigned track = i82078_disk_cyl(d) * d->disk.heads + s->head;
    return (track * d->disk.sectors + s->chrn[R] - 1u) % FLOPPY_MAX_SECTORS;
}

static bool has_deleted_mark(const struct i82078 *s, const struct i82078_drive *d)
{
    unsigned n = mark_number(s, d);
    return d->deleted[n / 8] & BIT(n % 8);
}

static void set_mark(const struct i82078 *s, struct i82078_drive *d, bool deleted)
{
    unsigned n = mark_number(s, d);
    d->deleted[n / 8] = (uint8_t)((d->deleted[n / 8] & ~BIT(n % 8)) | (deleted ? BIT(n % 8) : 0));
}

static void image_moved(struct i82078 *s, struct i82078_drive *d);

/* Moves the sector at s->chrn between s->buf and the image, for @ns on the virtual clock. What the
 * image does not have reads as zeros. */
static void start_io(struct i82078 *s, struct i82078_drive *d, int64_t ns)
{
    uint64_t off;
    unsigned there = floppy_media_place(&d->disk, i82078_disk_cyl(d), s->head, s->chrn[R], &off);

    if (writes_disk(s) && !floppy_media_writable(&d->disk, off)) {
        fail(s, ST1_NW, 0);
        return;
    }
    s->io_waits = there != 0;
    if (writes_disk(s)) {
        memcpy(s->image, s->buf, sizeof(s->image));
        block_submit(&s->io, d->disk.block, BLOCK_WRITE, off, s->image, sizeof(s->image), ns);
        return;
    }
    memset(s->image, 0, sizeof(s->image));
    if (there != 0) {
        block_submit(&s->io, d->disk.block, BLOCK_READ, off, s->image, there, ns);
    } else {
        image_moved(s, d);
    }
}

/* The host could not read or write its file: a data error for the guest, one line for the user. */
static void host_failed(struct i82078 *s, struct i82078_drive *d)
{
    if (!d->failed) {
        log_warn("floppy drive %c: %s", d == s->drive ? 'A' : 'B', error_text(s->io.err));
        d->failed = true;
    }
    fail(s, ST1_DE, ST2_DD);
}

void i82078_data_io(void *opaque)
{
    struct i82078 *s = opaque;
    struct i82078_drive *d = i82078_addressed(s);

    s->io_waits = false;
    if (d == NULL || d->disk.block == NULL) { /* a saved state that contradicts itself */
        fail(s, ST1_MA, 0);
    } else if (s->io.ok) {
        image_moved(s, d);
    } else {
        host_failed(s, d);
    }
}

/* The address field of one sector of FORMAT TRACK has come. */
static void format_sector(struct i82078 *s, struct i82078_drive *d)
{
    if (s->pos < FORMAT_BYTES) { /* TC inside an address field */
        finish(s, 0, 0, 0);
        return;
    }
    memcpy(s->chrn, s->buf, FORMAT_BYTES);
    if (s->chrn[C] != i82078_disk_cyl(d) || s->chrn[H] != s->head || s->chrn[N] != SIZE_CODE ||
        s->chrn[R] < 1 || s->chrn[R] > d->disk.sectors) {
        fail(s, ST1_NW, 0);
        return;
    }
    memset(s->buf, s->cmd[5], sizeof(s->buf));
    start_io(s, d, IO_NS);
}

/* [8272] "Scan Commands": FFh on either side is equal to all; the first byte that differs decides
 * which side is lower. The disk's sector is in s->image, the system's in s->buf. */
static void compare_sector(struct i82078 *s, const struct i82078_drive *d)
{
    unsigned i = 0;

    while (i < sizeof(s->buf) &&
           (s->image[i] == s->buf[i] || s->image[i] == 0xff || s->buf[i] == 0xff)) {
        i++;
    }
    bool equal = i == sizeof(s->buf);
    if (equal) {
        finish(s, 0, 0, ST2_SH);
    } else if (s->op == (s->image[i] < s->buf[i] ? OP_SCAN_LOW : OP_SCAN_HIGH)) {
        finish(s, 0, 0, 0);
    } else {
        next_sector(s, d);
    }
}

/* All bytes of this sector have moved, or terminal count came. */
static void moved(struct i82078 *s)
{
    struct i82078_drive *d = i82078_addressed(s);

    s->moving = false;
    i8237_dreq(s->dma, s->channel, false);
    if (d == NULL || d->disk.block == NULL) { /* taken out meanwhile */
        fail(s, ST1_MA, 0);
    } else if (s->op == OP_FORMAT) {
        format_sector(s, d);
    } else if (is_scan(s)) {
        start_io(s, d, IO_NS);
    } else if (writes_disk(s)) {
        memset(s->buf + s->pos, 0, sizeof(s->buf) - s->pos); /* [82078] TC inside a sector: zeros */
        start_io(s, d, IO_NS);
    } else {
        next_sector(s, d);
    }
}

static void move_by_dma(struct i82078 *s)
{
    unsigned n;

    i8237_dreq(s->dma, s->channel, true);
    if (i82078_data_is_output(s)) {
        n = i8237_read_memory(s->dma, s->channel, s->buf + s->pos, s->len - s->pos, &s->tc);
    } else {
        n = i8237_write_memory(s->dma, s->channel, s->buf + s->pos, s->len - s->pos, &s->tc);
    }
    s->pos += min_u64(n, s->len - s->pos);
    if (s->tc || s->pos == s->len) {
        moved(s);
    } else if (s->dma_waits++ < DMA_RETRIES) {
        timer_at(&s->step, clock_now(&s->m->clock) + DMA_RETRY_NS);
    } else {
        fail(s, ST1_OR, 0);
    }
}

/* Bytes of the system's turn: @len of them in s->buf or for it. */
static void start_moving(struct i82078 *s, unsigned len)
{
    s->pos = 0;
    s->len = len;
    s->moving = true;
    if (i82078_pio(s)) {
        i82078_interrupt(s, true);
    } else {
        move_by_dma(s);
    }
}

/* [82078] "Non-DMA Mode": an interrupt for each byte or, with the FIFO on, each FIFO-full. */
static void pio_moved(struct i82078 *s)
{
    unsigned burst = s->config & CONFIG_EFIFO ? 1 : 16 - (s->config & CONFIG_FIFOTHR);

    i82078_interrupt(s, false);
    if (s->pos == s->len) {
        moved(s);
    } else if (s->pos % burst == 0) {
        i82078_interrupt(s, true);
    }
}

uint8_t i82078_data_get(struct i82078 *s)
{
    uint8_t val = 0;

    if (s->moving && s->pos < s->len) {
        val = s->buf[s->pos++];
        pio_moved(s);
    }
    return val;
}

void i82078_data_put(struct i82078 *s, uint8_t val)
{
    if (s->moving && s->pos < s->len) {
        s->buf[s->pos++] = val;
        pio_moved(s);
    }
}

/* The image has been read, into s->image, or written. */
static void image_moved(struct i82078 *s, struct i82078_drive *d)
{
    if (s->op == OP_FORMAT) {
        set_mark(s, d, false);
        if (--s->left == 0 || s->tc) {
            finish(s, 0, 0, 0);
        } else {
            wait_for_sector(s);
        }
    } else if (writes_disk(s)) {
        set_mark(s, d, s->op == OP_WRITE_DELETED);
        next_sector(s, d);
    } else if (is_scan(s)) {
        compare_sector(s, d);
    } else if (s->op == OP_VERIFY) {
        next_sector(s, d);
    } else {
        memcpy(s->buf, s->image, sizeof(s->buf));
        start_moving(s, sizeof(s->buf));
    }
}

/* The sector at s->chrn passes under the head. [82078] "Skip Bit vs READ DATA Command". */
static void at_sector(struct i82078 *s, struct i82078_drive *d)
{
    trace_i82078_sector(s->cmd[1] & 3, s->chrn[C], s->chrn[H], s->chrn[R]);
    if (writes_disk(s)) {
        if (floppy_media_protected(&d->disk)) {
            fail(s, ST1_NW, 0);
        } else {
            start_moving(s, sizeof(s->buf));
        }
        return;
    }
    if (s->op != OP_READ_TRACK && has_deleted_mark(s, d) != (s->op == OP_READ_DELETED)) {
        s->st2 |= ST2_CM;
        if (s->cmd[0] & CMD_SK) {
            next_sector(s, d);
            return;
        }
    }
    if (is_scan(s)) {
        start_moving(s, sizeof(s->buf));
    } else {
        start_io(s, d, IO_NS);
    }
}

/* Any good address field will do; which one comes by is a matter of time. */
static void read_id(struct i82078 *s, const struct i82078_drive *d)
{
    if (!track_readable(s, d)) {
        fail(s, ST1_MA, 0);
        return;
    }
    s->chrn[C] = (uint8_t)i82078_disk_cyl(d);
    s->chrn[H] = s->head;
    s->chrn[R] = (uint8_t)(clock_now(&s->m->clock) / SECTOR_NS % d->disk.sectors + 1);
    s->chrn[N] = SIZE_CODE;
    finish(s, 0, 0, 0);
}

static void format_track(struct i82078 *s, const struct i82078_drive *d)
{
    if (d == NULL || d->disk.block == NULL) {
        fail(s, ST1_MA, 0);
    } else if (!track_readable(s, d) || floppy_media_protected(&d->disk) ||
               s->cmd[2] != SIZE_CODE || s->cmd[3] != d->disk.sectors) {
        fail(s, ST1_NW, 0);
    } else {
        start_moving(s, FORMAT_BYTES);
    }
}

/* A sector begins, or DMA is tried again. */
void i82078_data_step(void *opaque)
{
    struct i82078 *s = opaque;
    struct i82078_drive *d = i82078_addressed(s);

    if (s->phase != PHASE_EXECUTE) {
        return;
    }
    if (s->moving) {
        move_by_dma(s);
    } else if (s->op == OP_READ_ID) {
        read_id(s, d);
    } else if (s->op == OP_FORMAT) {
        format_track(s, d);
    } else if (find_sector(s, d)) {
        at_sector(s, d);
    }
}

void i82078_data_start(struct i82078 *s, enum op op)
{
    s->phase = PHASE_EXECUTE;
    s->op = op;
    s->st0 = s->st1 = s->st2 = 0;
    s->head = s->cmd[1] >> 2 & 1;
    s->tc = false;
    s->left = 0;
    memset(s->chrn, 0, sizeof(s->chrn));
    if (op == OP_FORMAT) {
        s->left = s->cmd[3];
        s->last_eot = s->cmd[3];
    } else if (op != OP_READ_ID) {
        memcpy(s->chrn, s->cmd + 2, sizeof(s->chrn));
        s->last_eot = s->cmd[6];
        if (op == OP_READ_TRACK) {
            s->chrn[R] = 1; /* from the index hole on */
        } else if (op == OP_VERIFY && (s->cmd[1] & 0x80)) {
            s->left = s->cmd[8]; /* EC: the last byte counts sectors */
        }
    }
    wait_for_sector(s);
}

void i82078_data_loaded(struct i82078 *s)
{
    const int64_t now = clock_now(&s->m->clock);
    int64_t ns = timer_armed(&s->io.timer) ? s->io.timer.deadline_ns - now : 0;

    block_cancel(&s->io); /* what the machine did before the load */
    s->op = s->op < OP_COUNT ? s->op : OP_READ;
    s->head &= 1;
    s->len = min_u64(s->len, sizeof(s->buf));
    s->pos = min_u64(s->pos, s->len);
    if (!s->io_waits) {
        return;
    }
    struct i82078_drive *d = i82078_addressed(s);
    bool there = d != NULL && d->disk.block != NULL && s->head < d->disk.heads &&
                 i82078_disk_cyl(d) < d->disk.cyls && s->chrn[R] >= 1 &&
                 s->chrn[R] <= d->disk.sectors;
    if (s->phase == PHASE_EXECUTE && s->op != OP_READ_ID && there) {
        s->moving = false;
        start_io(s, d, ns);
    } else {
        s->io_waits = false;
        timer_at(&s->step, now);
    }
}
