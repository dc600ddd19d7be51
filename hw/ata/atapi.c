/*
 * An ATAPI CD-ROM drive.
 *
 * Source: [ATA6] "IDENTIFY PACKET DEVICE", "PACKET", "PACKET command protocol";
 *         [MMC3]; [SFF8020] for what older drivers expect. Names are those of QEMU's
 *         drive.
 * Left out: writing, audio, READ CD of anything but user data or whole sectors, overlapped
 *         commands.
 * Chosen: no unit attention after power-on. A disc that is swapped for another was out for one
 *         command, so that a guest which never looked still sees the change. An eject while the
 *         medium is locked fails; a person with access to the host may change it anyway.
 */
#include "hw/ata/atapi.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/base/log.h"
#include "trace/hw_ata.h"

#include <stdio.h>

/* Count register of a PACKET command: what the data port carries. */
enum {
    REASON_COD = 1,          /* command rather than data */
    REASON_IO = 2,           /* towards the host */
};

enum {
    FEATURE_DMA = 1,
    FEATURE_OVL = 2,
};

enum {
    COMMAND_READ = 0x20,
    COMMAND_PACKET = 0xa0,
    COMMAND_IDENTIFY_PACKET = 0xa1,
    COMMAND_CHECK_POWER = 0xe5,
    COMMAND_IDENTIFY = 0xec,
    COMMAND_SET_FEATURES = 0xef,
};

enum atapi_attention {
    ATTENTION_NONE,
    ATTENTION_OUT,           /* the disc is out for one command, then CHANGED */
    ATTENTION_CHANGED,
};

enum {
    EVENT_NONE = 0,
    EVENT_NEW_MEDIA = 2,
    EVENT_REMOVED = 3,
};

static const struct mmc_sense no_disc_closed = {0x02, 0x3a, 0x01};
static const struct mmc_sense no_disc_open = {0x02, 0x3a, 0x02};
static const struct mmc_sense unreadable = {0x03, 0x11, 0x00};
static const struct mmc_sense out_of_range = {0x05, 0x21, 0x00};
static const struct mmc_sense invalid_field = {0x05, 0x24, 0x00};
static const struct mmc_sense prevented = {0x05, 0x53, 0x02};
static const struct mmc_sense changed = {0x06, 0x28, 0x00};

static struct atapi *to_atapi(struct ata_device *d)
{
    return container_of(d, struct atapi, ata);
}

/* ---- the disc ---- */

static bool present(const struct atapi *s)
{
    return s->block != NULL && !s->tray_open;
}

static uint32_t frames(const struct atapi *s)
{
    uint64_t n = s->block != NULL ? (s->block->bytes + MMC_FRAME_BYTES - 1) / MMC_FRAME_BYTES : 0;
    return (uint32_t)min_u64(n, UINT32_MAX);
}

/* ---- the end of a packet command ---- */

static void good(struct atapi *s)
{
    s->ata.now.count = REASON_IO | REASON_COD;
    ata_finish(&s->ata);
}

/* CHECK CONDITION: the sense key stands in the error register, too. */
static void check(struct atapi *s, struct mmc_sense why)
{
    s->sense = why;
    s->left = 0;
    s->ata.now.count = REASON_IO | REASON_COD;
    trace_atapi_sense(s->ata.id, why.key, why.asc, why.ascq);
    ata_fail(&s->ata, (uint8_t)(why.key << 4));
}

/* ---- data ---- */

/* [ATA6] "Byte count limit": FFFFh means FFFEh; a block that is not the last has an even number of
 * bytes. */
static unsigned port_limit(const struct atapi *s)
{
    return (unsigned)max_u64(s->byte_limit & ~1u, 2);
}

static void send(struct atapi *s, unsigned bytes, unsigned block)
{
    if (s->dma) {
        ata_dma(&s->ata, true, bytes);
    } else {
        ata_pio_in(&s->ata, bytes, block);
    }
}

/* The byte count registers say how much the next block has. */
static void atapi_block(struct ata_device *d, unsigned bytes)
{
    if (d->command != COMMAND_PACKET) {
        return;
    }
    if (d->phase == ATA_PIO_OUT && !to_atapi(d)->list) {
        d->now.count = REASON_COD;
        return;
    }
    d->now.count = d->phase == ATA_PIO_OUT ? 0 : REASON_IO;
    d->now.mid = (uint8_t)bytes;
    d->now.high = (uint8_t)(bytes >> 8);
}

/* How many frames to read now. Blocks of the data port hold whole frames where the limit allows. */
static unsigned chunk_frames(const struct atapi *s, unsigned per_block)
{
    unsigned most = ATA_BUFFER_BYTES / s->frame_bytes;

    if (per_block != 0) {
        most -= most % per_block;
    }
    return (unsigned)min_u64(s->left, most);
}

/* Bytes of the next @n frames that the image has; the last frame may be short. */
static size_t bytes_in_image(const struct atapi *s, unsigned n)
{
    return min_u64((uint64_t)n * MMC_FRAME_BYTES,
                   s->block->bytes - (uint64_t)s->lba * MMC_FRAME_BYTES);
}

/* Frames that the next block of the data port holds; 0: not even one, or there are no blocks. */
static unsigned frames_per_block(const struct atapi *s)
{
    return s->dma ? 0 : port_limit(s) / s->frame_bytes;
}

static bool can_read(const struct atapi *s)
{
    return present(s) && s->left != 0 && s->lba < frames(s) && s->left <= frames(s) - s->lba;
}

static void start_read(struct atapi *s, int64_t ns)
{
    unsigned n = chunk_frames(s, frames_per_block(s));
    ata_io(&s->ata, s->block, BLOCK_READ, (uint64_t)s->lba * MMC_FRAME_BYTES, bytes_in_image(s, n),
           ns);
}

/* Starts to read what fits into the buffer, for @ns and the time that the data take. */
static void read_frames(struct atapi *s, int64_t ns)
{
    if (!present(s)) {
        check(s, s->tray_open ? no_disc_open : no_disc_closed);
    } else if (s->attention != ATTENTION_NONE) { /* the disc was changed in the middle of a read */
        s->attention = ATTENTION_NONE;
        check(s, changed);
    } else if (!can_read(s)) {
        check(s, out_of_range);
    } else {
        unsigned bytes = chunk_frames(s, frames_per_block(s)) * s->frame_bytes;
        start_read(s, ns + bytes / ATA_SECTOR_BYTES * ATA_SECTOR_NS);
    }
}

/* @n frames of user data at the head of the buffer become raw sectors, the last one first. */
static void spread_raw(struct atapi *s, unsigned n)
{
    while (n-- > 0) {
        uint8_t *raw = s->ata.buffer + n * MMC_RAW_BYTES;
        memmove(raw + 16, s->ata.buffer + n * MMC_FRAME_BYTES, MMC_FRAME_BYTES);
        mmc_make_raw(raw, s->lba + n);
    }
}

static void atapi_io(struct ata_device *d, bool ok)
{
    struct atapi *s = to_atapi(d);
    unsigned per_block = frames_per_block(s);

    if (!ok) {
        check(s, unreadable);
        return;
    }
    unsigned n = chunk_frames(s, per_block);
    size_t there = bytes_in_image(s, n);
    memset(d->buffer + there, 0, (size_t)n * MMC_FRAME_BYTES - there);
    if (s->frame_bytes == MMC_RAW_BYTES) {
        spread_raw(s, n);
    }
    s->lba += n;
    s->left -= n;
    send(s, n * s->frame_bytes, per_block != 0 ? per_block * s->frame_bytes : port_limit(s));
}

static void atapi_drained(struct ata_device *d)
{
    struct atapi *s = to_atapi(d);

    if (d->command != COMMAND_PACKET) {
        ata_finish_silently(d);
    } else if (s->left != 0) {
        read_frames(s, 0);
    } else {
        good(s);
    }
}

static void atapi_filled(struct ata_device *d)
{
    ata_later(d, ATA_STEP_PACKET, ATA_SECTOR_NS);
}

/* ---- packet commands ---- */

static void read_disc(struct atapi *s, uint32_t lba, uint32_t n, unsigned frame_bytes)
{
    if (n == 0) {
        good(s);
    } else {
        s->lba = lba;
        s->left = n;
        s->frame_bytes = (uint16_t)frame_bytes;
        read_frames(s, ATA_COMMAND_NS);
    }
}

/* [MMC3] "READ CD": flag bits 7:3 select the parts of a sector. */
static void read_cd(struct atapi *s)
{
    const uint8_t *p = s->packet;
    uint32_t lba = ld32be(p + 2), n = (uint32_t)p[6] << 16 | ld16be(p + 7);

    switch (p[9] & 0xf8) {
    case 0x00:
        good(s);
        break;
    case 0x10:
        read_disc(s, lba, n, MMC_FRAME_BYTES);
        break;
    case 0xf8:
        read_disc(s, lba, n, MMC_RAW_BYTES);
        break;
    default:
        check(s, invalid_field);
        break;
    }
}

static void set_tray(struct atapi *s, bool open)
{
    if (open == s->tray_open) {
        return;
    }
    s->tray_open = open;
    s->event = open ? EVENT_REMOVED : s->block != NULL ? EVENT_NEW_MEDIA : EVENT_NONE;
    s->attention = !open && s->block != NULL ? ATTENTION_CHANGED : ATTENTION_NONE;
    trace_atapi_medium(s->ata.id, open ? "tray opens" : "tray closes");
}

static void start_stop(struct atapi *s)
{
    bool load_eject = s->packet[4] & 2, start = s->packet[4] & 1;

    if ((s->packet[4] >> 4) == 0 && load_eject) { /* else a power condition, or just the motor */
        if (!start && s->locked) {
            check(s, prevented);
            return;
        }
        set_tray(s, !start);
    }
    good(s);
}

static struct mmc_drive drive(const struct atapi *s)
{
    return (struct mmc_drive){
        .frames = frames(s), .present = present(s), .tray_open = s->tray_open,
        .locked = s->locked, .event = s->event, .sense = s->sense,
        .position = s->lba != 0 ? s->lba - 1 : 0, .modes = &s->modes,
    };
}

/* The data that go with a command in blocks that the byte count limit allows. */
static unsigned data_block(const struct atapi *s, unsigned bytes)
{
    return bytes <= s->byte_limit ? bytes : port_limit(s);
}

/* MODE SELECT: asks for the parameter list. */
static void ask_list(struct atapi *s)
{
    unsigned bytes = mmc_allocation(s->packet);
    struct mmc_sense why;

    if (mmc_mode_select_refused(s->packet, &why)) {
        check(s, why);
    } else if (bytes == 0) {
        good(s);
    } else {
        bytes = (unsigned)min_u64(bytes, ATA_BUFFER_BYTES);
        s->list = true;
        if (s->dma) {
            ata_dma(&s->ata, false, bytes);
        } else {
            ata_pio_out(&s->ata, bytes, data_block(s, bytes), true);
        }
    }
}

static void take_list(struct atapi *s)
{
    struct mmc_drive d = drive(s);
    struct mmc_sense why;

    s->list = false;
    if (mmc_mode_select(&d, s->ata.buffer, mmc_allocation(s->packet), &s->modes, &why)) {
        good(s);
    } else {
        check(s, why);
    }
}

static void send_reply(struct atapi *s)
{
    struct mmc_drive d = drive(s);
    struct mmc_sense why;
    unsigned whole = mmc_reply(&d, s->packet, s->ata.buffer, &why);
    unsigned bytes = (unsigned)min_u64(whole, mmc_allocation(s->packet));

    if (whole == 0) {
        check(s, why);
        return;
    }
    if (s->packet[0] == MMC_REQUEST_SENSE) {
        s->sense = (struct mmc_sense){0};
    } else if (s->packet[0] == MMC_GET_EVENT_STATUS) {
        s->event = EVENT_NONE;
    }
    if (bytes == 0) {
        good(s);
    } else {
        send(s, bytes, data_block(s, bytes));
    }
}

enum {
    NEEDS_DISC = 1,          /* fails without one */
    PASSES_ATTENTION = 2,    /* answers although a unit attention is pending */
    NO_DATA = 4,             /* never moves any: a byte limit of 0 is right */
};

static unsigned traits(uint8_t op)
{
    switch (op) {
    case MMC_TEST_UNIT_READY:
    case MMC_SEEK_10:
    case MMC_VERIFY_10:
        return NEEDS_DISC | NO_DATA;
    case MMC_REQUEST_SENSE:
    case MMC_INQUIRY:
    case MMC_GET_CONFIGURATION:
    case MMC_GET_EVENT_STATUS:
        return PASSES_ATTENTION;
    case MMC_START_STOP:
    case MMC_PREVENT_ALLOW:
    case MMC_SET_CD_SPEED:
        return NO_DATA;
    case MMC_READ_CAPACITY:
    case MMC_READ_10:
    case MMC_READ_12:
    case MMC_READ_CD:
    case MMC_READ_TOC:
    case MMC_READ_SUB_CHANNEL:
    case MMC_READ_HEADER:
    case MMC_READ_DISC_INFORMATION:
    case MMC_READ_DVD_STRUCTURE:
        return NEEDS_DISC;
    default:
        return 0;
    }
}

/* True if the command cannot even begin; it has ended then. */
static bool refused(struct atapi *s)
{
    unsigned t = traits(s->packet[0]);

    if (s->attention != ATTENTION_NONE && !(t & PASSES_ATTENTION)) {
        bool out = s->attention == ATTENTION_OUT;
        s->attention = out ? ATTENTION_CHANGED : ATTENTION_NONE;
        check(s, out ? no_disc_closed : changed);
        return true;
    }
    if ((t & NEEDS_DISC) && !present(s)) {
        check(s, s->tray_open ? no_disc_open : no_disc_closed);
        return true;
    }
    if (!(t & NO_DATA) && !s->dma && s->byte_limit == 0) { /* [ATA6] "Byte count limit" */
        s->ata.now.count = REASON_IO | REASON_COD;
        ata_fail(&s->ata, ATA_ER_ABRT);
        return true;
    }
    return false;
}

/* The @n frames from @lba on are there: nothing more is done for VERIFY and SEEK. */
static void check_range(struct atapi *s, uint32_t lba, uint32_t n)
{
    if (lba >= frames(s) || n > frames(s) - lba) {
        check(s, out_of_range);
    } else {
        good(s);
    }
}

/* The twelve bytes of the packet are in the buffer, or a parameter list is. */
static void atapi_packet(struct ata_device *d)
{
    struct atapi *s = to_atapi(d);
    const uint8_t *p = s->packet;

    if (s->list) {
        take_list(s);
        return;
    }
    memcpy(s->packet, d->buffer, sizeof(s->packet));
    trace_atapi_packet(d->id, p[0], s->dma, s->byte_limit);
    s->left = 0;
    if (p[0] != MMC_REQUEST_SENSE) {
        s->sense = (struct mmc_sense){0};
    }
    if (refused(s)) {
        return;
    }
    switch (p[0]) {
    case MMC_TEST_UNIT_READY:
    case MMC_SET_CD_SPEED:
        good(s);
        break;
    case MMC_READ_10:
        read_disc(s, ld32be(p + 2), ld16be(p + 7), MMC_FRAME_BYTES);
        break;
    case MMC_READ_12:
        read_disc(s, ld32be(p + 2), ld32be(p + 6), MMC_FRAME_BYTES);
        break;
    case MMC_READ_CD:
        read_cd(s);
        break;
    case MMC_SEEK_10:
        check_range(s, ld32be(p + 2), 0);
        break;
    case MMC_VERIFY_10:
        check_range(s, ld32be(p + 2), ld16be(p + 7));
        break;
    case MMC_MODE_SELECT_10:
        ask_list(s);
        break;
    case MMC_START_STOP:
        start_stop(s);
        break;
    case MMC_PREVENT_ALLOW:
        s->locked = p[4] & 1;
        good(s);
        break;
    default:
        send_reply(s);
        break;
    }
}

/* ---- ATA commands ---- */

static void begin_packet(struct atapi *s)
{
    if (s->ata.now.feature & FEATURE_OVL) {
        ata_fail(&s->ata, ATA_ER_ABRT);
        return;
    }
    s->dma = s->ata.now.feature & FEATURE_DMA;
    s->byte_limit = (uint16_t)(s->ata.now.mid | s->ata.now.high << 8);
    ata_pio_out(&s->ata, MMC_PACKET_BYTES, MMC_PACKET_BYTES, false);
}

static void identify_packet(struct atapi *s)
{
    uint8_t *id = s->ata.buffer;
    const struct {
        uint8_t word;
        uint16_t val;
    } words[] = {
        {0, 0x85c0},         /* CD-ROM, removable, DRQ within 50 us, 12 bytes a packet */
        {20, 3}, {21, 512}, {22, 4},
        {48, 1},             /* 32-bit data port */
        {49, 0x0300},        /* DMA, LBA */
        {53, 0x0007},        /* words 64-70 and 88 are valid */
        {62, 0x0007},
        {63, (uint16_t)(0x0007 | ata_selected_mode(s->transfer_mode, ATA_TRANSFER_MDMA))},
        {64, 0x0003},        /* PIO 3 and 4; then cycle times in ns */
        {65, 180}, {66, 180}, {67, 300}, {68, 180},
        {71, 30}, {72, 30},  /* typical times to release the bus, us */
        {80, 0x001e},        /* ATA-1 to ATA/ATAPI-4 */
        {88, (uint16_t)(0x003f | ata_selected_mode(s->transfer_mode, ATA_TRANSFER_UDMA))},
    };

    memset(id, 0, ATA_SECTOR_BYTES);
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        st16le(id + 2 * words[i].word, words[i].val);
    }
    ata_string(id + 2 * 10, s->serial, 20);
    ata_string(id + 2 * 23, "2.5+", 8);
    ata_string(id + 2 * 27, "QEMU DVD-ROM", 40);
    ata_pio_in(&s->ata, ATA_SECTOR_BYTES, ATA_SECTOR_BYTES);
}

static void set_features(struct atapi *s)
{
    uint8_t mode = s->ata.now.count;

    if (s->ata.now.feature == 0x66 || s->ata.now.feature == 0xcc) {
        ata_finish(&s->ata);
    } else if (s->ata.now.feature == 0x03 && ata_valid_transfer_mode(mode)) {
        s->transfer_mode = mode;
        ata_finish(&s->ata);
    } else {
        ata_fail(&s->ata, ATA_ER_ABRT);
    }
}

static void atapi_command(struct ata_device *d)
{
    struct atapi *s = to_atapi(d);

    s->left = 0;
    s->list = false;
    switch (d->command) {
    case COMMAND_PACKET:
        begin_packet(s);
        break;
    case COMMAND_IDENTIFY_PACKET:
        identify_packet(s);
        break;
    case COMMAND_SET_FEATURES:
        set_features(s);
        break;
    case COMMAND_CHECK_POWER:
        d->now.count = 0xff;
        ata_finish(d);
        break;
    case 0xe0: case 0xe1: case 0xe2: case 0xe3: case 0xe6: case 0xe7: /* power, FLUSH CACHE */
        ata_finish(d);
        break;
    case COMMAND_READ: case COMMAND_READ + 1:
    case COMMAND_IDENTIFY: /* [ATA6] with the signature, so that a host sees what this is */
        ata_signature(d);
        ata_fail(d, ATA_ER_ABRT);
        break;
    default:
        log_unimp("%s: command %02x", d->id, d->command);
        ata_fail(d, ATA_ER_ABRT);
        break;
    }
}

static void atapi_start(struct ata_device *d)
{
    ata_later(d, ATA_STEP_COMMAND, ATA_COMMAND_NS);
}

static void atapi_forget(struct ata_device *d)
{
    struct atapi *s = to_atapi(d);
    s->left = 0;
    s->list = false;
    s->sense = (struct mmc_sense){0};
}

static const struct ata_device_ops atapi_ops = {
    .ready = ATA_SR_DRDY | ATA_SR_DSC,
    .reset_status = 0,       /* [ATA6] "Signature and persistence": no DRDY before a command */
    .signature_mid = 0x14,
    .signature_high = 0xeb,
    .start = atapi_start,
    .command = atapi_command,
    .packet = atapi_packet,
    .io = atapi_io,
    .filled = atapi_filled,
    .drained = atapi_drained,
    .block = atapi_block,
    .reset = atapi_forget,
};

/* ---- the tray, from outside ---- */

bool atapi_change_medium(struct atapi *s, struct block *b, struct error **err)
{
    if (b != NULL && b->bytes == 0) {
        return error_set(err, "%s: %s is empty", s->ata.id, b->path);
    }
    bool was_in = present(s);
    block_finish(&s->ata.io); /* a read from the old disc */
    s->block = b;
    s->tray_open = false;
    s->ata.warned = false;
    if (b == NULL) {
        s->attention = ATTENTION_NONE;
        s->event = EVENT_REMOVED;
    } else {
        s->attention = was_in ? ATTENTION_OUT : ATTENTION_CHANGED;
        s->event = EVENT_NEW_MEDIA;
    }
    trace_atapi_medium(s->ata.id, b != NULL ? b->path : "empty");
    return true;
}

/* ---- reset, state, init ---- */

static void atapi_reset(void *dev)
{
    struct atapi *s = dev;

    ata_device_reset(&s->ata);
    memset(s->packet, 0, sizeof(s->packet));
    s->dma = false;
    s->byte_limit = 0;
    s->sense = (struct mmc_sense){0};
    s->attention = ATTENTION_NONE;
    s->event = EVENT_NONE;
    s->locked = false;
    s->tray_open = false;
    s->lba = s->left = 0;
    s->frame_bytes = MMC_FRAME_BYTES;
    s->list = false;
    mmc_modes_reset(&s->modes);
    s->transfer_mode = ATA_TRANSFER_UDMA | 5;
}

static void atapi_loaded(void *dev)
{
    struct atapi *s = dev;
    int64_t ns;
    bool io = ata_device_loaded(&s->ata, &ns);

    if (s->frame_bytes != MMC_RAW_BYTES) {
        s->frame_bytes = MMC_FRAME_BYTES;
    }
    if (s->attention > ATTENTION_CHANGED) {
        s->attention = ATTENTION_NONE;
    }
    if (io && can_read(s)) {
        start_read(s, ns);
    } else if (io) {
        s->left = 0;
        ata_device_reset(&s->ata);
    }
}

static const struct state_field sense_state[] = {
    STATE(struct mmc_sense, key), STATE(struct mmc_sense, asc), STATE(struct mmc_sense, ascq),
    STATE_END(),
};

static const struct state_field modes_state[] = {
    STATE(struct mmc_modes, recovery), STATE(struct mmc_modes, audio), STATE_END(),
};

static const struct state_field atapi_state[] = {
    STATE_SUB(struct atapi, ata, ata_device_state),
    STATE(struct atapi, packet), STATE(struct atapi, dma), STATE(struct atapi, byte_limit),
    STATE_SUB(struct atapi, sense, sense_state),
    STATE(struct atapi, attention), STATE(struct atapi, event), STATE(struct atapi, locked),
    STATE(struct atapi, tray_open), STATE(struct atapi, lba), STATE(struct atapi, left),
    STATE(struct atapi, frame_bytes), STATE(struct atapi, transfer_mode),
    STATE(struct atapi, list), STATE_SUB(struct atapi, modes, modes_state), STATE_END(),
};

static const struct device_type atapi_type = {
    .name = "atapi", .version = 1, .reset = atapi_reset, .state = atapi_state,
    .loaded = atapi_loaded,
};

bool atapi_init(struct atapi *s, struct ata_channel *c, unsigned unit, struct block *b,
                unsigned number, const char *id, struct error **err)
{
    if (b != NULL && b->bytes == 0) {
        return error_set(err, "%s: %s is empty", id, b->path);
    }
    s->block = b;
    snprintf(s->serial, sizeof(s->serial), "QM%05u", number);
    ata_attach(c, unit, &s->ata, &atapi_ops, id);
    machine_add(c->machine, &atapi_type, s->ata.id, s);
    return true;
}
