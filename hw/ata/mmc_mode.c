/*
 * Mode pages of a CD-ROM drive: MODE SENSE and MODE SELECT.
 *
 * Source: [MMC3] "MODE SELECT (10)", "MODE SENSE (10)" and the pages by their names; [SPC2] on page
 *         control and parameter lists; [SFF8020] for the medium type.
 * Model:  the error recovery page and the volumes of the audio page can be changed, and nothing
 *         acts on them. There are no saved values and no block descriptors.
 */
#include "hw/ata/mmc.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <string.h>

#define HEADER_BYTES   8u
#define MAX_PAGE_BYTES 22u

enum {
    PAGE_RECOVERY = 0x01,
    PAGE_AUDIO = 0x0e,
    PAGE_CAPABILITIES = 0x2a,
    PAGE_ALL = 0x3f,
};

enum {                       /* MODE SENSE, PC: which values */
    VALUES_CURRENT,
    VALUES_CHANGEABLE,
    VALUES_DEFAULT,
    VALUES_SAVED,
};

static const struct mmc_sense invalid_field = {0x05, 0x24, 0x00};
static const struct mmc_sense no_saved_values = {0x05, 0x39, 0x00};
static const struct mmc_sense list_length_error = {0x05, 0x1a, 0x00};
static const struct mmc_sense invalid_in_list = {0x05, 0x26, 0x00};

static const struct mmc_modes power_on = {
    .recovery = {0x00, 0x05},                      /* parameters; retries */
    .audio = {0x01, 0xff, 0x02, 0xff, 0, 0, 0, 0}, /* port 0: channel 0, 1: 1, at full volume */
};

void mmc_modes_reset(struct mmc_modes *m)
{
    *m = power_on;
}

/* ---- pages: code, length behind the second byte, and what the drive has there ---- */

static void build_recovery(const struct mmc_drive *d, const struct mmc_modes *m, uint8_t *p)
{
    memcpy(p + 2, m->recovery, sizeof(m->recovery));
}

static void build_audio(const struct mmc_drive *d, const struct mmc_modes *m, uint8_t *p)
{
    p[2] = 0x04;             /* IMMED: always so */
    p[7] = 75;               /* blocks a second of audio */
    memcpy(p + 8, m->audio, sizeof(m->audio));
}

static void build_capabilities(const struct mmc_drive *d, const struct mmc_modes *m, uint8_t *p)
{
    p[2] = 0x3b;             /* reads CD-R, CD-RW, DVD-ROM, DVD-R, DVD-RAM */
    p[4] = 0x70;             /* mode 2 form 1 and 2, multi-session; no audio */
    p[6] = (uint8_t)(0x29 | (d->locked ? 2 : 0)); /* tray, can eject, can lock */
    st16be(p + 8, 706);      /* 4x, KB/s */
    st16be(p + 10, 2);       /* volume levels */
    st16be(p + 12, 512);     /* buffer, KiB */
    st16be(p + 14, 706);
}

static const struct page {
    uint8_t code, bytes;     /* of the whole page */
    uint8_t changeable, n_changeable; /* the first byte that can be changed, and how many */
    void (*build)(const struct mmc_drive *d, const struct mmc_modes *m, uint8_t *p);
} pages[] = {
    {PAGE_RECOVERY, 8, 2, sizeof(((struct mmc_modes *)0)->recovery), build_recovery},
    {PAGE_AUDIO, 16, 8, sizeof(((struct mmc_modes *)0)->audio), build_audio},
    {PAGE_CAPABILITIES, MAX_PAGE_BYTES, 0, 0, build_capabilities},
};

static void build_page(const struct page *page, const struct mmc_drive *d, unsigned values,
                       uint8_t *p)
{
    memset(p, 0, page->bytes);
    if (values == VALUES_CHANGEABLE) {
        memset(p + page->changeable, 0xff, page->n_changeable);
    } else {
        page->build(d, values == VALUES_DEFAULT ? &power_on : d->modes, p);
    }
    p[0] = page->code;
    p[1] = (uint8_t)(page->bytes - 2);
}

static uint8_t medium_type(const struct mmc_drive *d)
{
    return d->tray_open ? 0x71 : d->present ? 0x01 : 0x70;
}

unsigned mmc_mode_sense(const struct mmc_drive *d, const uint8_t *packet, uint8_t *r,
                        struct mmc_sense *sense)
{
    unsigned values = packet[2] >> 6, code = packet[2] & 0x3f, n = HEADER_BYTES;

    if (values == VALUES_SAVED) {
        *sense = no_saved_values;
        return 0;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        if (code == pages[i].code || code == PAGE_ALL) {
            build_page(&pages[i], d, values, r + n);
            n += pages[i].bytes;
        }
    }
    if (n == HEADER_BYTES) {
        *sense = invalid_field;
        return 0;
    }
    st16be(r, (uint16_t)(n - 2));
    r[2] = medium_type(d);
    return n;
}

bool mmc_mode_select_refused(const uint8_t *packet, struct mmc_sense *sense)
{
    *sense = invalid_field;
    return !(packet[1] & 0x10) || (packet[1] & 1); /* PF must be set; SP: nothing can be saved */
}

/* One page of a parameter list, which has at least as many bytes. False: it asks for what cannot be
 * changed. */
static bool select_page(const struct page *page, const struct mmc_drive *d, struct mmc_modes *m,
                        const uint8_t *p)
{
    uint8_t now[MAX_PAGE_BYTES];
    const uint8_t *changed = p + page->changeable;

    build_page(page, d, VALUES_CURRENT, now);
    memcpy(now + page->changeable, changed, page->n_changeable);
    now[0] |= p[0] & 0x80;   /* PS is reserved here */
    if (memcmp(now, p, page->bytes) != 0) {
        return false;
    }
    if (page->code == PAGE_RECOVERY) {
        memcpy(m->recovery, changed, sizeof(m->recovery));
    } else if (page->code == PAGE_AUDIO) {
        memcpy(m->audio, changed, sizeof(m->audio));
    }
    return true;
}

bool mmc_mode_select(const struct mmc_drive *d, const uint8_t *list, unsigned bytes,
                     struct mmc_modes *m, struct mmc_sense *sense)
{
    struct mmc_modes next = *m;
    unsigned at = HEADER_BYTES;

    *sense = list_length_error;
    if (bytes < HEADER_BYTES) {
        return false;
    }
    if (ld16be(list + 6) != 0) { /* block descriptors */
        *sense = invalid_in_list;
        return false;
    }
    while (at < bytes) {
        const struct page *page = NULL;
        for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
            page = (list[at] & 0x3f) == pages[i].code ? &pages[i] : page;
        }
        if (page != NULL && bytes - at < page->bytes) {
            return false;
        }
        if (page == NULL || !select_page(page, d, &next, list + at)) {
            *sense = invalid_in_list;
            return false;
        }
        at += page->bytes;
    }
    *m = next;
    return true;
}
