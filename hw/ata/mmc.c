/*
 * Answers of a CD-ROM drive.
 *
 * Source: [MMC3] "GET CONFIGURATION", "GET EVENT/STATUS NOTIFICATION", "READ CAPACITY", "READ DVD
 *         STRUCTURE", "READ HEADER", "READ SUB-CHANNEL", "READ TOC/PMA/ATIP"; [SFF8020] for the TOC
 *         format in the last byte of the packet; [SPC2] "INQUIRY".
 * Model:  a disc is one data track in one session.
 * Left out: audio, catalogue numbers, CD-TEXT, error correction bytes of raw sectors (zeros).
 * Chosen: DVD-ROM is any disc larger than 80 minutes of CD.
 */
#include "hw/ata/mmc.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <string.h>

#define CD_MAX_FRAMES  (80u * 60 * 75)
#define LEAD_OUT       0xaau
#define MSF_OFFSET     150u          /* frames in front of logical block 0 */

enum {
    PROFILE_NONE = 0x0000,
    PROFILE_CD_ROM = 0x0008,
    PROFILE_DVD_ROM = 0x0010,
};

enum {
    TRACK_DATA = 0x14,       /* ADR 1, data track */
    TRACK_LEAD_OUT = 0x16,
};

static const struct mmc_sense invalid_field = {0x05, 0x24, 0x00};
static const struct mmc_sense invalid_opcode = {0x05, 0x20, 0x00};
static const struct mmc_sense out_of_range = {0x05, 0x21, 0x00};
static const struct mmc_sense incompatible_format = {0x05, 0x30, 0x02};

static void put_msf(uint8_t *p, uint32_t lba)
{
    uint32_t frame = lba + MSF_OFFSET;
    p[0] = (uint8_t)(frame / (60 * 75));
    p[1] = (uint8_t)(frame / 75 % 60);
    p[2] = (uint8_t)(frame % 75);
}

static void put_address(uint8_t *p, uint32_t lba, bool msf)
{
    if (msf) {
        p[0] = 0;
        put_msf(p + 1, lba);
    } else {
        st32be(p, lba);
    }
}

static unsigned fail(struct mmc_sense *sense, struct mmc_sense why)
{
    *sense = why;
    return 0;
}

static unsigned current_profile(const struct mmc_drive *d)
{
    return !d->present                 ? PROFILE_NONE
           : d->frames > CD_MAX_FRAMES ? PROFILE_DVD_ROM
                                       : PROFILE_CD_ROM;
}

/* ---- READ TOC ---- */

static unsigned toc_tracks(const struct mmc_drive *d, unsigned start, bool msf, uint8_t *r)
{
    unsigned n = 4;

    r[2] = r[3] = 1;         /* first and last track */
    if (start <= 1) {
        r[n + 1] = TRACK_DATA;
        r[n + 2] = 1;
        put_address(r + n + 4, 0, msf);
        n += 8;
    }
    r[n + 1] = TRACK_LEAD_OUT;
    r[n + 2] = LEAD_OUT;
    put_address(r + n + 4, d->frames, msf);
    return n + 8;
}

static unsigned toc_session(bool msf, uint8_t *r)
{
    r[2] = r[3] = 1;         /* first and last complete session */
    r[5] = TRACK_DATA;
    r[6] = 1;                /* first track of the last session */
    put_address(r + 8, 0, msf);
    return 12;
}

/* Format 2, as the lead-in has it: addresses are always in minutes, seconds and frames. */
static unsigned toc_raw(const struct mmc_drive *d, uint8_t *r)
{
    static const uint8_t points[] = {0xa0, 0xa1, 0xa2, 0x01};

    r[2] = r[3] = 1;
    for (unsigned i = 0; i < ARRAY_SIZE(points); i++) {
        uint8_t *e = r + 4 + 11 * i;
        e[0] = 1;            /* session */
        e[1] = TRACK_DATA;
        e[3] = points[i];
        switch (points[i]) {
        case 0xa0: case 0xa1: /* first and last track */
            e[8] = 1;
            break;
        case 0xa2:
            put_msf(e + 8, d->frames);
            break;
        default:
            put_msf(e + 8, 0);
            break;
        }
    }
    return 4 + 11 * ARRAY_SIZE(points);
}

static unsigned read_toc(const struct mmc_drive *d, const uint8_t *packet, uint8_t *r,
                         struct mmc_sense *sense)
{
    bool msf = packet[1] & 2;
    unsigned format = packet[2] & 15, start = packet[6], n;

    if (format == 0) {
        format = packet[9] >> 6;
    }
    switch (format) {
    case 0:
        if (start > 1 && start != LEAD_OUT) {
            return fail(sense, invalid_field);
        }
        n = toc_tracks(d, start, msf, r);
        break;
    case 1:
        n = toc_session(msf, r);
        break;
    case 2:
        if (start > 1) {
            return fail(sense, invalid_field);
        }
        n = toc_raw(d, r);
        break;
    default:
        return fail(sense, invalid_field);
    }
    st16be(r, (uint16_t)(n - 2));
    return n;
}

/* ---- READ SUB-CHANNEL, READ HEADER ---- */

enum {
    SUB_POSITION = 1,
    SUB_CATALOGUE = 2,       /* media catalogue number */
    SUB_ISRC = 3,
    AUDIO_NO_STATUS = 0x15,
};

static unsigned read_sub_channel(const struct mmc_drive *d, const uint8_t *packet, uint8_t *r,
                                 struct mmc_sense *sense)
{
    bool msf = packet[1] & 2;
    unsigned n = 4;

    r[1] = AUDIO_NO_STATUS;
    if (packet[2] & 0x40) {  /* SUBQ: else the header alone */
        r[4] = packet[3];
        switch (packet[3]) {
        case SUB_POSITION:
            r[5] = TRACK_DATA;
            r[6] = r[7] = 1; /* track and index */
            put_address(r + 8, d->position, msf);
            put_address(r + 12, d->position, msf);
            n = 16;
            break;
        case SUB_CATALOGUE:  /* MCVAL and TCVAL stay 0: there is none */
            n = 24;
            break;
        case SUB_ISRC:
            if (packet[6] != 1) {
                return fail(sense, invalid_field);
            }
            r[5] = TRACK_DATA;
            r[6] = 1;
            n = 24;
            break;
        default:
            return fail(sense, invalid_field);
        }
    }
    st16be(r + 2, (uint16_t)(n - 4));
    return n;
}

static unsigned read_header(const struct mmc_drive *d, const uint8_t *packet, uint8_t *r,
                            struct mmc_sense *sense)
{
    uint32_t lba = ld32be(packet + 2);

    if (lba >= d->frames) {
        return fail(sense, out_of_range);
    }
    r[0] = 1;                /* mode 1 */
    put_address(r + 4, lba, packet[1] & 2);
    return 8;
}

/* ---- READ DVD STRUCTURE ---- */

enum {
    DVD_PHYSICAL = 0x00,
    DVD_COPYRIGHT = 0x01,
    DVD_MANUFACTURING = 0x04,
    DVD_LIST = 0xff,
};

#define DVD_FIRST_SECTOR 0x030000u   /* physical number of logical block 0 */
#define DVD_LAYER_BYTES  2048u

static void dvd_physical(const struct mmc_drive *d, uint8_t *r)
{
    r[0] = 0x01;             /* DVD-ROM, part version 1 */
    r[1] = 0x0f;             /* 120 mm, rate not said */
    r[2] = 0x01;             /* one layer, read only */
    st32be(r + 4, DVD_FIRST_SECTOR);
    st32be(r + 8, DVD_FIRST_SECTOR + d->frames - 1);
}

static unsigned read_dvd_structure(const struct mmc_drive *d, const uint8_t *packet, uint8_t *r,
                                   struct mmc_sense *sense)
{
    static const struct {
        uint8_t format;
        uint16_t bytes;
    } formats[] = {{DVD_PHYSICAL, DVD_LAYER_BYTES}, {DVD_COPYRIGHT, 4},
                   {DVD_MANUFACTURING, DVD_LAYER_BYTES}};
    unsigned format = packet[7], n = 4;

    if (current_profile(d) != PROFILE_DVD_ROM) {
        return fail(sense, incompatible_format);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
        if (format == DVD_LIST) {
            r[n] = formats[i].format;
            r[n + 1] = 0x40; /* can be read */
            st16be(r + n + 2, (uint16_t)(formats[i].bytes + 4));
            n += 4;
        } else if (format == formats[i].format) {
            n += formats[i].bytes;
        }
    }
    if (n == 4 || packet[6] != 0) { /* there is one layer */
        return fail(sense, invalid_field);
    }
    if (format == DVD_PHYSICAL) {
        dvd_physical(d, r + 4);
    }
    st16be(r, (uint16_t)(n - 2));
    return n;
}

/* ---- GET CONFIGURATION ---- */

static unsigned get_configuration(const struct mmc_drive *d, const uint8_t *packet, uint8_t *r,
                                  struct mmc_sense *sense)
{
    unsigned profile = current_profile(d), rt = packet[1] & 3, start = ld16be(packet + 2), n = 8;
    const struct {
        uint16_t code;
        bool current, persistent;
        uint8_t bytes, data[8];
    } features[] = {
        {0x0000, true, true, 8,
         {0, PROFILE_DVD_ROM, profile == PROFILE_DVD_ROM, 0, 0, PROFILE_CD_ROM,
          profile == PROFILE_CD_ROM, 0}},
        {0x0001, true, true, 4, {0, 0, 0, 2 /* ATAPI */}},
        {0x0003, true, true, 4, {0x29 /* tray, eject, lock */}},
        {0x001e, profile == PROFILE_CD_ROM, false, 4, {0}},   /* CD read */
        {0x001f, profile == PROFILE_DVD_ROM, false, 0, {0}},  /* DVD read */
    };

    if (rt == 3) {
        return fail(sense, invalid_field);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(features); i++) {
        bool wanted = rt == 2 ? features[i].code == start : features[i].code >= start;
        if (!wanted || (rt == 1 && !features[i].current)) {
            continue;
        }
        st16be(r + n, features[i].code);
        r[n + 2] = (uint8_t)(features[i].persistent << 1 | features[i].current);
        r[n + 3] = features[i].bytes;
        memcpy(r + n + 4, features[i].data, features[i].bytes);
        n += 4u + features[i].bytes;
    }
    st32be(r, n - 4);
    st16be(r + 6, (uint16_t)profile);
    return n;
}

/* ---- the others ---- */

static unsigned inquiry(const uint8_t *packet, uint8_t *r, struct mmc_sense *sense)
{
    if ((packet[1] & 1) || packet[2] != 0) { /* no vital product data */
        return fail(sense, invalid_field);
    }
    r[0] = 0x05;             /* CD-ROM device */
    r[1] = 0x80;             /* removable */
    r[3] = 0x21;             /* ATAPI, response data format 1 */
    r[4] = 31;
    memcpy(r + 8, "QEMU    QEMU DVD-ROM    2.5+", 28);
    return 36;
}

static unsigned request_sense(const struct mmc_drive *d, uint8_t *r)
{
    r[0] = 0xf0;             /* current error */
    r[2] = d->sense.key;
    r[7] = 10;
    r[12] = d->sense.asc;
    r[13] = d->sense.ascq;
    return 18;
}

static unsigned event_status(const struct mmc_drive *d, const uint8_t *packet, uint8_t *r,
                             struct mmc_sense *sense)
{
    enum { CLASS_MEDIA = 4 };

    if (!(packet[1] & 1)) {  /* only polled operation */
        return fail(sense, invalid_field);
    }
    r[3] = BIT(CLASS_MEDIA); /* supported classes */
    if (!(packet[4] & BIT(CLASS_MEDIA))) {
        r[1] = 2;
        r[2] = 0x80;         /* no event available */
        return 4;
    }
    r[1] = 6;
    r[2] = CLASS_MEDIA;
    r[4] = d->event;
    r[5] = (uint8_t)(d->tray_open | d->present << 1);
    return 8;
}

static unsigned disc_information(uint8_t *r)
{
    r[1] = 32;
    r[2] = 0x0e;             /* complete disc, last session complete */
    r[3] = r[4] = r[5] = r[6] = 1; /* one session, one track */
    r[7] = 0x20;             /* unrestricted use */
    return 34;
}

static unsigned mechanism_status(const struct mmc_drive *d, uint8_t *r)
{
    r[1] = d->tray_open ? 0x10 : 0;
    r[5] = 1;
    return 8;
}

unsigned mmc_reply(const struct mmc_drive *d, const uint8_t *packet, uint8_t *reply,
                   struct mmc_sense *sense)
{
    memset(reply, 0, MMC_REPLY_BYTES);
    switch (packet[0]) {
    case MMC_REQUEST_SENSE:
        return request_sense(d, reply);
    case MMC_INQUIRY:
        return inquiry(packet, reply, sense);
    case MMC_READ_CAPACITY:
        st32be(reply, d->frames - 1);
        st32be(reply + 4, MMC_FRAME_BYTES);
        return 8;
    case MMC_READ_TOC:
        return read_toc(d, packet, reply, sense);
    case MMC_GET_CONFIGURATION:
        return get_configuration(d, packet, reply, sense);
    case MMC_GET_EVENT_STATUS:
        return event_status(d, packet, reply, sense);
    case MMC_READ_DISC_INFORMATION:
        return disc_information(reply);
    case MMC_MODE_SENSE_10:
        return mmc_mode_sense(d, packet, reply, sense);
    case MMC_READ_SUB_CHANNEL:
        return read_sub_channel(d, packet, reply, sense);
    case MMC_READ_HEADER:
        return read_header(d, packet, reply, sense);
    case MMC_READ_DVD_STRUCTURE:
        return read_dvd_structure(d, packet, reply, sense);
    case MMC_MECHANISM_STATUS:
        return mechanism_status(d, reply);
    default:
        return fail(sense, invalid_opcode);
    }
}

unsigned mmc_allocation(const uint8_t *packet)
{
    switch (packet[0]) {
    case MMC_REQUEST_SENSE:
    case MMC_INQUIRY:
        return packet[4];
    case MMC_READ_CAPACITY:
        return 8;
    case MMC_MECHANISM_STATUS:
    case MMC_READ_DVD_STRUCTURE:
        return ld16be(packet + 8);
    default:
        return ld16be(packet + 7);
    }
}

void mmc_make_raw(uint8_t *raw, uint32_t lba)
{
    memset(raw, 0xff, 12);   /* sync pattern: 00, ten times FF, 00 */
    raw[0] = raw[11] = 0;
    put_msf(raw + 12, lba);
    for (unsigned i = 12; i < 15; i++) { /* the header is BCD */
        raw[i] = (uint8_t)(raw[i] / 10 % 10 << 4 | raw[i] % 10);
    }
    raw[15] = 1;             /* mode 1 */
    memset(raw + 16 + MMC_FRAME_BYTES, 0, MMC_RAW_BYTES - 16 - MMC_FRAME_BYTES);
}
