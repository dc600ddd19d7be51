/*
 * An ATA hard disk.
 *
 * Source: [ATA6] "Command descriptions"; [ATA7] the table of IDENTIFY DEVICE words.
 *         The names and the feature words are those of the disk that QEMU shows, since guests have
 *         tables.
 * Model:  a command moves chunks of at most 128 sectors between the image and the device's buffer,
 *         a request each. The sectors in front of a bad one are transferred before the error is
 *         reported.
 * Left out: SMART, security, host protected area (SET MAX), DCO, streaming, CFA, TRIM, READ LONG;
 *         these end with ABRT as unsupported commands do. Power modes are accepted and change
 *         nothing.
 * Chosen: results of a transfer are the address of the last sector and a count of 0, as older
 *         standards say. Settings survive a software reset. With the write cache off each write is
 *         flushed.
 */
#include "hw/ata/ata_disk.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/base/log.h"
#include "trace/hw_ata.h"

#include <stdio.h>

#define CHUNK_SECTORS (ATA_BUFFER_BYTES / ATA_SECTOR_BYTES)
#define MAX_MULTIPLE  16u
#define LBA28_SECTORS 0x0fffffffull
#define MODEL         "QEMU HARDDISK"
#define FIRMWARE      "2.5+"

enum {
    RW_MEDIA = 0x01,         /* address and count are those of sectors */
    RW_EXT = 0x02,           /* LBA48 */
    RW_WRITE = 0x04,
    RW_DMA = 0x08,
    RW_MULTIPLE = 0x10,
    RW_VERIFY = 0x20,        /* reads without a transfer */
};

struct disk_command {
    void (*run)(struct ata_disk *s);
    uint8_t flags;
};

static const struct disk_command *command_of(const struct ata_disk *s);

static struct ata_disk *to_disk(struct ata_device *d)
{
    return container_of(d, struct ata_disk, ata);
}

/* ---- the image ---- */

/* Sectors [lba, lba + n) lie on the disk. An image may end within its last sector: what is missing
 * reads as zeros and is not stored. */
static size_t bytes_in_image(const struct ata_disk *s, uint64_t lba, unsigned n)
{
    uint64_t off = lba * ATA_SECTOR_BYTES;
    uint64_t bytes = s->block->bytes;
    return off >= bytes ? 0 : min_u64((uint64_t)n * ATA_SECTOR_BYTES, bytes - off);
}

/* The next chunk moves from the image to the buffer, or the other way. */
static void chunk_io(struct ata_disk *s, enum block_op op, int64_t ns)
{
    ata_io(&s->ata, s->block, op, s->lba * ATA_SECTOR_BYTES, bytes_in_image(s, s->lba, s->chunk),
           ns + s->chunk * ATA_SECTOR_NS);
}

static void flush(struct ata_disk *s)
{
    ata_io(&s->ata, s->block, BLOCK_FLUSH, 0, 0, ATA_SECTOR_NS);
}

/* ---- addresses ---- */

/* The sector that the task file names; false if there can be none (CHS outside the translation). */
static bool get_address(const struct ata_disk *s, bool ext, uint64_t *lba)
{
    const struct ata_taskfile *now = &s->ata.now, *old = &s->ata.old;
    unsigned head = s->ata.device & ATA_DEV_HEAD;
    uint32_t low24 = now->low | (uint32_t)now->mid << 8 | (uint32_t)now->high << 16;

    if (ext) {
        uint64_t high24 = old->low | (uint32_t)old->mid << 8 | (uint32_t)old->high << 16;
        *lba = low24 | high24 << 24;
        return true;
    }
    if (s->ata.device & ATA_DEV_LBA) {
        *lba = low24 | (uint64_t)head << 24;
        return true;
    }
    unsigned cylinder = now->mid | (unsigned)now->high << 8;
    if (now->low == 0 || now->low > s->spt || head >= s->heads || cylinder >= s->cylinders) {
        return false;
    }
    *lba = ((uint64_t)cylinder * s->heads + head) * s->spt + now->low - 1;
    return true;
}

/* Leaves @lba in the task file in the form that the command used. */
static void put_address(struct ata_disk *s, bool ext, uint64_t lba)
{
    struct ata_taskfile *now = &s->ata.now, *old = &s->ata.old;
    uint8_t head = (uint8_t)(lba >> 24 & ATA_DEV_HEAD);

    if (!ext && !(s->ata.device & ATA_DEV_LBA)) {
        uint64_t track = lba / s->spt;
        uint64_t cylinder = track / s->heads;
        now->low = (uint8_t)(lba % s->spt + 1);
        now->mid = (uint8_t)cylinder;
        now->high = (uint8_t)(cylinder >> 8);
        head = (uint8_t)(track % s->heads);
    } else {
        now->low = (uint8_t)lba;
        now->mid = (uint8_t)(lba >> 8);
        now->high = (uint8_t)(lba >> 16);
    }
    if (ext) {
        old->low = (uint8_t)(lba >> 24);
        old->mid = (uint8_t)(lba >> 32);
        old->high = (uint8_t)(lba >> 40);
    } else {
        s->ata.device = (uint8_t)((s->ata.device & ~ATA_DEV_HEAD) | head);
    }
}

/* [ATA6] READ SECTOR(S), "Inputs": a count of 0 is the largest one. */
static uint32_t get_count(const struct ata_disk *s, bool ext)
{
    uint32_t n = s->ata.now.count;
    if (ext) {
        n |= (uint32_t)s->ata.old.count << 8;
        return n != 0 ? n : 65536;
    }
    return n != 0 ? n : 256;
}

static void put_count(struct ata_disk *s, bool ext, uint32_t n)
{
    s->ata.now.count = (uint8_t)n;
    if (ext) {
        s->ata.old.count = (uint8_t)(n >> 8);
    }
}

/* ---- moving sectors ---- */

static uint8_t flags_of(const struct ata_disk *s)
{
    return command_of(s)->flags;
}

static unsigned block_sectors(const struct ata_disk *s)
{
    return flags_of(s) & RW_MULTIPLE ? s->multiple : 1;
}

/* Sector s->lba cannot be had. */
static void media_error(struct ata_disk *s, uint8_t error)
{
    bool ext = flags_of(s) & RW_EXT;

    put_address(s, ext, s->lba);
    put_count(s, ext, s->left);
    s->left = s->chunk = 0;
    ata_fail(&s->ata, error);
}

/* Sets s->chunk for the next sectors; false, with the command ended, if there are none there. */
static bool next_chunk(struct ata_disk *s)
{
    if (s->lba >= s->sectors) {
        media_error(s, ATA_ER_IDNF);
        return false;
    }
    s->chunk = (uint32_t)min_u64(min_u64(s->left, CHUNK_SECTORS), s->sectors - s->lba);
    return true;
}

/* The chunk has been moved. */
static void chunk_done(struct ata_disk *s)
{
    bool ext = flags_of(s) & RW_EXT;

    s->lba += s->chunk;
    s->left -= s->chunk;
    put_address(s, ext, s->lba - 1);
    put_count(s, ext, s->left);
    s->chunk = 0;
}

/* Reads the next chunk, which takes @ns longer than the sectors alone. */
static void read_next(struct ata_disk *s, int64_t ns)
{
    if (next_chunk(s)) {
        chunk_io(s, BLOCK_READ, ns);
    }
}

static void write_chunk(struct ata_disk *s)
{
    chunk_io(s, s->write_cache ? BLOCK_WRITE : BLOCK_WRITE_FLUSH, 0);
}

/* The chunk is in the buffer. */
static void chunk_read(struct ata_disk *s)
{
    uint8_t flags = flags_of(s);
    unsigned bytes = s->chunk * ATA_SECTOR_BYTES;
    size_t there = bytes_in_image(s, s->lba, s->chunk);

    memset(s->ata.buffer + there, 0, bytes - there);
    if (flags & RW_DMA) {
        ata_dma(&s->ata, true, bytes);
    } else if (!(flags & RW_VERIFY)) {
        ata_pio_in(&s->ata, bytes, block_sectors(s) * ATA_SECTOR_BYTES);
    } else {
        chunk_done(s);
        if (s->left != 0) {
            read_next(s, 0);
        } else {
            ata_finish(&s->ata);
        }
    }
}

static void disk_drained(struct ata_device *d)
{
    struct ata_disk *s = to_disk(d);
    bool dma = flags_of(s) & RW_DMA;

    if (s->chunk != 0) {
        chunk_done(s);
    }
    if (s->left != 0) {
        read_next(s, 0);
    } else if (dma) {
        ata_finish(d);
    } else {
        ata_finish_silently(d);
    }
}

/* Asks the host for the next chunk. */
static void ask(struct ata_disk *s, bool first)
{
    if (!next_chunk(s)) {
        return;
    }
    unsigned bytes = s->chunk * ATA_SECTOR_BYTES;
    if (flags_of(s) & RW_DMA) {
        ata_dma(&s->ata, false, bytes);
    } else { /* [ATA6] "PIO data-out command protocol": no interrupt for the first block */
        ata_pio_out(&s->ata, bytes, block_sectors(s) * ATA_SECTOR_BYTES, !first);
    }
}

static void disk_filled(struct ata_device *d)
{
    write_chunk(to_disk(d));
}

/* The chunk is in the image. */
static void chunk_written(struct ata_disk *s)
{
    chunk_done(s);
    if (s->left != 0) {
        ask(s, false);
    } else {
        ata_finish(&s->ata);
    }
}

static void disk_io(struct ata_device *d, bool ok)
{
    struct ata_disk *s = to_disk(d);
    uint8_t flags = flags_of(s);

    if (!(flags & RW_MEDIA)) { /* FLUSH CACHE, or the write cache was switched off */
        if (ok) {
            ata_finish(d);
        } else {
            ata_fail(d, ATA_ER_ABRT);
        }
    } else if (!ok) {
        media_error(s, flags & RW_WRITE ? ATA_ER_ABRT : ATA_ER_UNC);
    } else if (flags & RW_WRITE) {
        chunk_written(s);
    } else {
        chunk_read(s);
    }
}

static void run_media(struct ata_disk *s)
{
    uint8_t flags = flags_of(s);
    bool ext = flags & RW_EXT;

    if (((flags & RW_WRITE) && s->block->read_only) ||
        ((flags & RW_MULTIPLE) && s->multiple == 0)) {
        ata_fail(&s->ata, ATA_ER_ABRT);
        return;
    }
    if (!get_address(s, ext, &s->lba)) {
        ata_fail(&s->ata, ATA_ER_IDNF);
        return;
    }
    s->left = get_count(s, ext);
    if (flags & RW_WRITE) {
        ask(s, true);
    } else {
        read_next(s, 0);
    }
}

/* ---- IDENTIFY DEVICE ---- */

static void put16(uint8_t *id, unsigned word, unsigned val)
{
    st16le(id + 2 * word, (uint16_t)val);
}

static void put32(uint8_t *id, unsigned word, uint64_t val)
{
    st32le(id + 2 * word, (uint32_t)val);
}

static void identify_geometry(const struct ata_disk *s, uint8_t *id)
{
    uint32_t current = (uint32_t)s->cylinders * s->heads * s->spt;

    put16(id, 1, s->geometry.cylinders);
    put16(id, 3, s->geometry.heads);
    put16(id, 4, ATA_SECTOR_BYTES * s->geometry.sectors); /* 4 and 5: unformatted bytes */
    put16(id, 5, ATA_SECTOR_BYTES);
    put16(id, 6, s->geometry.sectors);
    put16(id, 54, s->cylinders);
    put16(id, 55, s->heads);
    put16(id, 56, s->spt);
    put32(id, 57, current);
    put32(id, 60, min_u64(s->sectors, LBA28_SECTORS));
    st64le(id + 2 * 100, s->sectors);
}

/* What the device can do, and which of it is on. */
static void identify_features(const struct ata_disk *s, uint8_t *id)
{
    put16(id, 47, 0x8000 | MAX_MULTIPLE);
    put16(id, 48, 1);                        /* 32-bit data port */
    put16(id, 49, 0x0b00);                   /* IORDY, LBA, DMA */
    put16(id, 51, 0x0200);                   /* PIO and DMA timing modes of old */
    put16(id, 52, 0x0200);
    put16(id, 53, 0x0007);                   /* words 54-58, 64-70 and 88 are valid */
    put16(id, 59, s->multiple != 0 ? 0x0100 | s->multiple : 0);
    put16(id, 62, 0x0007);
    /* multiword DMA 0-2 */
    put16(id, 63, 0x0007 | ata_selected_mode(s->transfer_mode, ATA_TRANSFER_MDMA));
    put16(id, 64, 0x0003);                   /* PIO 3 and 4 */
    for (unsigned word = 65; word <= 68; word++) {
        put16(id, word, 120);                /* cycle times, ns */
    }
    put16(id, 80, 0x00f0);                   /* ATA/ATAPI-4 to -7 */
    put16(id, 81, 0x0016);                   /* ATA/ATAPI-5 T13 1321D revision 3 */
    put16(id, 82, 0x4020 | 0x0040);          /* NOP, write cache, read look-ahead */
    put16(id, 83, 0x7400);                   /* FLUSH CACHE, its EXT, LBA48 */
    put16(id, 84, 0x4000);
    put16(id, 85, 0x4000 | (s->write_cache ? 0x20 : 0) | (s->read_ahead ? 0x40 : 0));
    put16(id, 86, 0x3400);
    put16(id, 87, 0x4000);
    /* Ultra DMA 0-5 */
    put16(id, 88, 0x003f | ata_selected_mode(s->transfer_mode, ATA_TRANSFER_UDMA));
    put16(id, 93, s->ata.unit == 0 ? 0x6001 : 0x6100); /* 80-wire cable; how the number was set */
    put16(id, 106, 0x6000);                  /* one logical sector a physical one */
}

static void run_identify(struct ata_disk *s)
{
    uint8_t *id = s->ata.buffer;

    memset(id, 0, ATA_SECTOR_BYTES);
    put16(id, 0, 0x0040);                    /* fixed drive */
    ata_string(id + 2 * 10, s->serial, 20);
    put16(id, 20, 3);                        /* buffer: dual ported with read ahead */
    put16(id, 21, 512);                      /* its size in sectors */
    put16(id, 22, 4);
    ata_string(id + 2 * 23, FIRMWARE, 8);
    ata_string(id + 2 * 27, MODEL, 40);
    identify_geometry(s, id);
    identify_features(s, id);
    ata_pio_in(&s->ata, ATA_SECTOR_BYTES, ATA_SECTOR_BYTES);
}

/* ---- other commands ---- */

/* [ATA6] "Command descriptions": what a device does not support ends with ABRT; so does NOP. */
static void run_abort(struct ata_disk *s)
{
    ata_fail(&s->ata, ATA_ER_ABRT);
}

static void run_nothing(struct ata_disk *s)
{
    ata_finish(&s->ata);
}

static void run_recalibrate(struct ata_disk *s)
{
    s->ata.now.mid = s->ata.now.high = 0;
    ata_finish(&s->ata);
}

static void run_seek(struct ata_disk *s)
{
    uint64_t lba;

    if (!get_address(s, false, &lba) || lba >= s->sectors) {
        ata_fail(&s->ata, ATA_ER_IDNF);
    } else {
        ata_finish(&s->ata);
    }
}

static void set_translation(struct ata_disk *s, unsigned heads, unsigned spt)
{
    s->heads = (uint8_t)heads;
    s->spt = (uint8_t)spt;
    s->cylinders = (uint16_t)min_u64(max_u64(s->sectors / (heads * spt), 1), 65535);
}

/* The translation that the drive wakes up with: as many cylinders as it reports. */
static void default_translation(struct ata_disk *s)
{
    s->cylinders = s->geometry.cylinders;
    s->heads = s->geometry.heads;
    s->spt = s->geometry.sectors;
}

/* [ATA5] "INITIALIZE DEVICE PARAMETERS" */
static void run_set_translation(struct ata_disk *s)
{
    unsigned spt = s->ata.now.count, heads = (s->ata.device & ATA_DEV_HEAD) + 1u;

    if (spt == 0) {
        ata_fail(&s->ata, ATA_ER_ABRT);
        return;
    }
    if (heads == s->geometry.heads && spt == s->geometry.sectors) {
        default_translation(s);
    } else {
        set_translation(s, heads, spt);
    }
    ata_finish(&s->ata);
}

/* [ATA6] SET MULTIPLE MODE: a power of two up to word 47; 0 disables READ and WRITE MULTIPLE. */
static void run_set_multiple(struct ata_disk *s)
{
    unsigned n = s->ata.now.count;

    if (n > MAX_MULTIPLE || (n & (n - 1)) != 0) {
        ata_fail(&s->ata, ATA_ER_ABRT);
        return;
    }
    s->multiple = (uint8_t)n;
    ata_finish(&s->ata);
}

static void run_check_power(struct ata_disk *s)
{
    s->ata.now.count = 0xff; /* active or idle */
    ata_finish(&s->ata);
}

static void run_native_max(struct ata_disk *s)
{
    bool ext = flags_of(s) & RW_EXT;

    if (!ext) {
        s->ata.device |= ATA_DEV_LBA;
    }
    put_address(s, ext, min_u64(s->sectors, ext ? UINT64_MAX : LBA28_SECTORS) - 1);
    ata_finish(&s->ata);
}

static void run_flush(struct ata_disk *s)
{
    flush(s);
}

static void run_set_features(struct ata_disk *s)
{
    bool ok = true;

    switch (s->ata.now.feature) {
    case 0x02:
        s->write_cache = true;
        break;
    case 0x82:
        s->write_cache = false;
        flush(s);
        return;
    case 0x03:
        ok = ata_valid_transfer_mode(s->ata.now.count);
        s->transfer_mode = ok ? s->ata.now.count : s->transfer_mode;
        break;
    case 0x55:
    case 0xaa:
        s->read_ahead = s->ata.now.feature == 0xaa;
        break;
    case 0x05: case 0x85: /* advanced power management */
    case 0x42: case 0xc2: /* acoustic management */
    case 0x66: case 0xcc: /* reverting to defaults with a software reset */
        break;
    default:
        ok = false;
        break;
    }
    if (ok) {
        ata_finish(&s->ata);
    } else {
        ata_fail(&s->ata, ATA_ER_ABRT);
    }
}

/* ---- the command table ---- */

static const struct disk_command commands[256] = {
    [0x10 ... 0x1f] = {run_recalibrate, 0},
    [0x20 ... 0x21] = {run_media, RW_MEDIA},
    [0x24] = {run_media, RW_MEDIA | RW_EXT},
    [0x25] = {run_media, RW_MEDIA | RW_EXT | RW_DMA},
    [0x27] = {run_native_max, RW_EXT},
    [0x29] = {run_media, RW_MEDIA | RW_EXT | RW_MULTIPLE},
    [0x30 ... 0x31] = {run_media, RW_MEDIA | RW_WRITE},
    [0x34] = {run_media, RW_MEDIA | RW_EXT | RW_WRITE},
    [0x35] = {run_media, RW_MEDIA | RW_EXT | RW_WRITE | RW_DMA},
    [0x39] = {run_media, RW_MEDIA | RW_EXT | RW_WRITE | RW_MULTIPLE},
    [0x3c] = {run_media, RW_MEDIA | RW_WRITE},          /* WRITE VERIFY */
    [0x40 ... 0x41] = {run_media, RW_MEDIA | RW_VERIFY},
    [0x42] = {run_media, RW_MEDIA | RW_EXT | RW_VERIFY},
    [0x70 ... 0x7f] = {run_seek, 0},
    [0x91] = {run_set_translation, 0},
    [0x94 ... 0x97] = {run_nothing, 0},                 /* power commands, old codes */
    [0x98] = {run_check_power, 0},
    [0x99] = {run_nothing, 0},
    [0xc4] = {run_media, RW_MEDIA | RW_MULTIPLE},
    [0xc5] = {run_media, RW_MEDIA | RW_WRITE | RW_MULTIPLE},
    [0xc6] = {run_set_multiple, 0},
    [0xc8 ... 0xc9] = {run_media, RW_MEDIA | RW_DMA},
    [0xca ... 0xcb] = {run_media, RW_MEDIA | RW_WRITE | RW_DMA},
    [0xe0 ... 0xe3] = {run_nothing, 0},                 /* STANDBY, IDLE, and IMMEDIATE */
    [0xe5] = {run_check_power, 0},
    [0xe6] = {run_nothing, 0},                          /* SLEEP */
    [0xe7] = {run_flush, 0},
    [0xea] = {run_flush, RW_EXT},
    [0xec] = {run_identify, 0},
    [0xef] = {run_set_features, 0},
    [0xf8] = {run_native_max, 0},
};

static const struct disk_command *command_of(const struct ata_disk *s)
{
    static const struct disk_command unknown = {run_abort, 0};
    const struct disk_command *c = &commands[s->ata.command];
    return c->run != NULL ? c : &unknown;
}

static void disk_command(struct ata_device *d)
{
    struct ata_disk *s = to_disk(d);

    s->left = s->chunk = 0;
    if (command_of(s)->run == run_abort) {
        log_unimp("%s: command %02x", d->id, d->command);
    }
    command_of(s)->run(s);
}

/* Reads begin at once, so that the image is not waited for when the command's time is over. What
 * cannot begin fails when a command does. */
static void disk_start(struct ata_device *d)
{
    struct ata_disk *s = to_disk(d);
    uint8_t flags = flags_of(s);
    uint64_t lba;

    s->left = s->chunk = 0;
    if ((flags & RW_MEDIA) && !(flags & RW_WRITE) &&
        !((flags & RW_MULTIPLE) && s->multiple == 0) && get_address(s, flags & RW_EXT, &lba) &&
        lba < s->sectors) {
        s->lba = lba;
        s->left = get_count(s, flags & RW_EXT);
        read_next(s, ATA_COMMAND_NS);
    } else {
        ata_later(d, ATA_STEP_COMMAND, ATA_COMMAND_NS);
    }
}

static void disk_forget(struct ata_device *d)
{
    struct ata_disk *s = to_disk(d);
    s->left = s->chunk = 0;
}

static const struct ata_device_ops disk_ops = {
    .ready = ATA_SR_DRDY | ATA_SR_DSC,
    .reset_status = ATA_SR_DRDY | ATA_SR_DSC,
    .start = disk_start,
    .command = disk_command,
    .io = disk_io,
    .filled = disk_filled,
    .drained = disk_drained,
    .reset = disk_forget,
};

/* ---- reset, state, init ---- */

static void ata_disk_reset(void *dev)
{
    struct ata_disk *s = dev;

    ata_device_reset(&s->ata);
    s->lba = 0;
    s->left = s->chunk = 0;
    s->multiple = MAX_MULTIPLE;              /* the vendor's choice; this is what QEMU's disk has */
    s->transfer_mode = ATA_TRANSFER_UDMA | 5;
    s->write_cache = true;
    s->read_ahead = true;
    default_translation(s);
}

/* Starts the request again that was under way when the state was saved. */
static void restart_io(struct ata_disk *s, int64_t ns)
{
    uint8_t flags = flags_of(s);

    if (!(flags & RW_MEDIA)) {
        ata_io(&s->ata, s->block, BLOCK_FLUSH, 0, 0, ns);
        return;
    }
    enum block_op op = !(flags & RW_WRITE) ? BLOCK_READ
                       : s->write_cache    ? BLOCK_WRITE
                                           : BLOCK_WRITE_FLUSH;
    chunk_io(s, op, ns - s->chunk * ATA_SECTOR_NS);
}

static void ata_disk_loaded(void *dev)
{
    struct ata_disk *s = dev;
    int64_t ns;
    bool io = ata_device_loaded(&s->ata, &ns);
    bool chunk = s->ata.phase == ATA_PIO_OUT || s->ata.phase == ATA_DMA_OUT ||
                 (io && (flags_of(s) & RW_MEDIA));

    if (s->heads == 0 || s->heads > 16 || s->spt == 0) {
        default_translation(s);
    }
    if (s->multiple > MAX_MULTIPLE || (s->multiple & (s->multiple - 1)) != 0) {
        s->multiple = 0;
    }
    /* A transfer stays inside buffer and disk, and writes what it asked for. */
    if (s->chunk > CHUNK_SECTORS || s->chunk > s->left || s->left > 65536 ||
        (s->chunk != 0 && (s->lba >= s->sectors || s->chunk > s->sectors - s->lba)) ||
        (chunk && s->chunk == 0)) {
        s->left = s->chunk = 0;
        ata_device_reset(&s->ata);
        io = false;
    }
    if ((flags_of(s) & RW_MULTIPLE) && s->multiple == 0) {
        s->multiple = 1;
    }
    if (io) {
        restart_io(s, ns);
    }
}

static const struct state_field ata_disk_state[] = {
    STATE_SUB(struct ata_disk, ata, ata_device_state),
    STATE(struct ata_disk, lba), STATE(struct ata_disk, left), STATE(struct ata_disk, chunk),
    STATE(struct ata_disk, cylinders), STATE(struct ata_disk, heads), STATE(struct ata_disk, spt),
    STATE(struct ata_disk, multiple), STATE(struct ata_disk, transfer_mode),
    STATE(struct ata_disk, write_cache), STATE(struct ata_disk, read_ahead),
    STATE_END(),
};

static const struct device_type ata_disk_type = {
    .name = "ata-disk", .version = 1, .reset = ata_disk_reset, .state = ata_disk_state,
    .loaded = ata_disk_loaded,
};

bool ata_disk_init(struct ata_disk *s, struct ata_channel *c, unsigned unit, struct block *b,
                   unsigned number, const char *id, struct error **err)
{
    if (b->bytes == 0) {
        return error_set(err, "%s: %s is empty: a disk has at least one sector", id, b->path);
    }
    s->block = b;
    s->sectors = (b->bytes + ATA_SECTOR_BYTES - 1) / ATA_SECTOR_BYTES;
    if (s->sectors >> 48 != 0) {
        return error_set(err, "%s: %s is larger than LBA48 can address", id, b->path);
    }
    snprintf(s->serial, sizeof(s->serial), "QM%05u", number);
    ata_geometry_guess(&s->geometry, b);
    ata_attach(c, unit, &s->ata, &disk_ops, id);
    default_translation(s);
    machine_add(c->machine, &ata_disk_type, s->ata.id, s);
    return true;
}
