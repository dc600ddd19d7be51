/* hw/ata: the CD-ROM drive. Names are sentences of [ATA6] and [MMC3]. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ide_bench.h"

#define FRAMES 300u
#define READY  (DRDY | DSC)

struct cd_bench {
    struct bench b;
    struct ata_channel ch;
    struct image image, other;
    struct atapi *cd;
    unsigned blocks;         /* data port blocks of the last packet */
};

static struct cd_bench *bench_new(bool disc)
{
    struct cd_bench *t = calloc(1, sizeof(*t));
    struct error *err = NULL;
    bench_init(&t->b);
    image_init(&t->image, FRAMES * 2048, true);
    image_init(&t->other, 100 * 2048, true);
    add_channel(&t->b, &t->ch);
    t->cd = machine_alloc(&t->b.m, sizeof(*t->cd));
    if (!atapi_init(t->cd, &t->ch, 0, disc ? &t->image.block : NULL, 3, "ide1.0", &err)) {
        fail_msg("%s", error_text(err));
    }
    bench_power_on(&t->b);
    return t;
}

static int setup(void **state)
{
    *state = bench_new(true);
    return 0;
}

static int setup_empty(void **state)
{
    *state = bench_new(false);
    return 0;
}

static int teardown(void **state)
{
    struct cd_bench *t = *state;
    bench_fini(&t->b);
    image_fini(&t->image);
    image_fini(&t->other);
    free(t);
    return 0;
}

/* Up to the end of the twelve bytes. */
static void send_packet(struct cd_bench *t, const uint8_t *packet, uint16_t limit)
{
    issue(&t->b, 0xa0, 0, 0, (uint32_t)limit << 8);
    assert_int_equal(wait_ready(&t->b), READY | DRQ);
    assert_int_equal(bench_in8(&t->b, CMD + 2), 1); /* C/D */
    give_words(&t->b, packet, 6);
}

/* A whole packet command: the data in @to (NULL: none may come) and their number, or -1 for an
 * error. */
static int packet(struct cd_bench *t, const uint8_t *cdb, unsigned n, uint16_t limit, uint8_t *to,
                  unsigned max)
{
    uint8_t twelve[12] = {0};
    unsigned got = 0;
    memcpy(twelve, cdb, n);
    send_packet(t, twelve, limit);
    t->blocks = 0;
    while (wait_ready(&t->b) & DRQ) {
        unsigned bytes = bench_in8(&t->b, CMD + 4) | (unsigned)bench_in8(&t->b, CMD + 5) << 8;
        assert_int_equal(bench_in8(&t->b, CMD + 2), 2); /* I/O */
        assert_in_range(bytes, 1, limit);
        assert_true(got + bytes + 1 <= max);
        take_words(&t->b, to + got, (bytes + 1) / 2);
        got += bytes;
        t->blocks++;
    }
    assert_int_equal(bench_in8(&t->b, CMD + 2), 3);
    return alt_status(&t->b) & ERR ? -1 : (int)got;
}

#define PACKET(t, to, max, ...)                                                                    \
    packet(t, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), 0xfffe, to,  \
           max)

static void assert_sense(struct cd_bench *t, unsigned key, unsigned asc, unsigned ascq)
{
    uint8_t s[20];
    assert_int_equal(PACKET(t, s, sizeof(s), 0x03, 0, 0, 0, 18), 18);
    assert_int_equal(s[0], 0xf0);
    assert_int_equal(s[2], key);
    assert_int_equal(s[12], asc);
    assert_int_equal(s[13], ascq);
}

/* ---- ATA side ---- */

static void a_packet_device_has_its_own_signature(void **state) /* [ATA6] signature */
{
    struct cd_bench *t = *state;
    for (unsigned i = 0; i < 4; i++) {
        switch (i) {
        case 1: /* software reset */
            bench_out8(&t->b, CTL, 4);
            bench_out8(&t->b, CTL, 0);
            break;
        case 2: /* IDENTIFY DEVICE is aborted with the signature */
            issue(&t->b, 0xec, 0, 0, 0);
            break;
        case 3:
            issue(&t->b, 0x90, 0, 0, 0);
            break;
        }
        assert_int_equal(wait_ready(&t->b), i == 2 ? READY | ERR : 0);
        assert_int_equal(bench_in8(&t->b, CMD + 1), i == 2 ? 4 : 1);
        assert_int_equal(bench_in8(&t->b, CMD + 4), 0x14);
        assert_int_equal(bench_in8(&t->b, CMD + 5), 0xeb);
    }
}

static void device_reset_ends_a_command_also_while_busy(void **state) /* [ATA6] DEVICE RESET */
{
    struct cd_bench *t = *state;
    issue(&t->b, 0xa0, 0, 0, 0xfffe00);
    assert_int_equal(alt_status(&t->b), BSY);
    bench_out8(&t->b, CMD + 7, 0x08);
    assert_int_equal(wait_ready(&t->b), 0);
    assert_int_equal(bench_in8(&t->b, CMD + 5), 0xeb);
    assert_int_equal(t->b.probe[0].rises, 0);
    bench_advance(&t->b, NS_PER_MS);
    assert_int_equal(alt_status(&t->b), 0);
}

static void identify_packet_device_says_what_guests_know_of_qemus_drive(void **state)
{
    struct cd_bench *t = *state;
    uint16_t id[256];
    issue(&t->b, 0xa1, 0, 0, 0);
    assert_int_equal(wait_ready(&t->b), READY | DRQ);
    take_words(&t->b, id, 256);
    assert_int_equal(status(&t->b), READY);
    assert_int_equal(id[0], 0x85c0);
    assert_int_equal(id[27], 'Q' << 8 | 'E');
    assert_int_equal(id[31], '-' << 8 | 'R');
    assert_int_equal(id[10], 'Q' << 8 | 'M');
    assert_int_equal(id[13], '3' << 8 | ' ');
    assert_int_equal(id[49], 0x0300);
    assert_int_equal(id[88], 0x203f);
}

static void the_packet_is_taken_without_an_interrupt_and_its_end_has_one(void **state)
{
    struct cd_bench *t = *state;
    uint8_t cdb[12] = {0x00};
    send_packet(t, cdb, 0);
    assert_int_equal(t->b.probe[0].rises, 0);
    assert_int_equal(wait_ready(&t->b), READY);
    assert_int_equal(t->b.probe[0].rises, 1);
    assert_int_equal(bench_in8(&t->b, CMD + 2), 3);
}

static void overlapped_packets_and_unknown_commands_are_aborted(void **state)
{
    struct cd_bench *t = *state;
    static const uint8_t commands[] = {0x00, 0x20, 0x30, 0xc8, 0xb0, 0xff};
    bench_out8(&t->b, CMD + 1, 2);
    issue(&t->b, 0xa0, 0, 0, 0);
    assert_int_equal(wait_ready(&t->b), READY | ERR);
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        issue(&t->b, commands[i], 0, 0, 0);
        assert_int_equal(wait_ready(&t->b), READY | ERR);
        assert_int_equal(bench_in8(&t->b, CMD + 1), 4);
    }
}

/* ---- data ---- */

static void read_10_gives_frames_in_blocks_of_the_byte_count_limit(void **state)
{
    static const struct {
        uint16_t limit;
        unsigned blocks;
    } tries[] = {{0xfffe, 2}, {0xffff, 2}, {2048, 40}, {4096, 20},
                 {512, 160},  {513, 160},  {6000, 20}};
    struct cd_bench *t = *state;
    uint8_t *data = malloc(FRAMES * 2048 + 2);
    for (unsigned i = 0; i < ARRAY_SIZE(tries); i++) {
        uint8_t cdb[12] = {0x28, 0, 0, 0, 0, 7, 0, 0, 40};
        assert_int_equal(packet(t, cdb, 12, tries[i].limit, data, FRAMES * 2048), 40 * 2048);
        assert_memory_equal(data, t->image.data + 7 * 2048, 40 * 2048);
        assert_int_equal(t->blocks, tries[i].blocks);
    }
    free(data);
}

static void read_12_reads_a_whole_disc(void **state)
{
    struct cd_bench *t = *state;
    uint8_t *data = malloc(FRAMES * 2048 + 2);
    assert_int_equal(PACKET(t, data, FRAMES * 2048 + 2, 0xa8, 0, 0, 0, 0, 0, 0, 0, FRAMES >> 8,
                            FRAMES & 0xff), FRAMES * 2048);
    assert_memory_equal(data, t->image.data, FRAMES * 2048);
    free(data);
}

static void a_byte_count_limit_of_0_is_aborted_if_data_go_by_pio(void **state)
{
    struct cd_bench *t = *state;
    uint8_t cdb[12] = {0x28, 0, 0, 0, 0, 1, 0, 0, 1};
    assert_int_equal(packet(t, cdb, 12, 0, NULL, 0), -1);
    assert_int_equal(bench_in8(&t->b, CMD + 1), 4);
}

static void reading_behind_the_end_is_out_of_range(void **state)
{
    struct cd_bench *t = *state;
    assert_int_equal(PACKET(t, NULL, 0, 0x28, 0, 0, 0, FRAMES >> 8, FRAMES & 0xff, 0, 0, 1), -1);
    assert_int_equal(bench_in8(&t->b, CMD + 1), 0x50); /* the sense key */
    assert_sense(t, 5, 0x21, 0);
    assert_int_equal(PACKET(t, NULL, 0, 0x28, 0, 0, 0, 0, 0, 0, 2, 0), -1);
    assert_int_equal(PACKET(t, NULL, 0, 0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
                     -1);
    assert_int_equal(PACKET(t, NULL, 0, 0x28, 0, 0, 0, 0, 0, 0, 0, 0), 0); /* nothing is no error */
}

static void an_unreadable_disc_is_a_medium_error(void **state)
{
    struct cd_bench *t = *state;
    t->image.fail_reads = true;
    assert_int_equal(PACKET(t, NULL, 0, 0x28, 0, 0, 0, 0, 0, 0, 0, 1), -1);
    assert_sense(t, 3, 0x11, 0);
}

static void read_cd_gives_user_data_or_whole_sectors(void **state) /* [MMC3] READ CD */
{
    struct cd_bench *t = *state;
    uint8_t data[2 * 2352 + 2];
    assert_int_equal(PACKET(t, data, sizeof(data), 0xbe, 0, 0, 0, 0, 16, 0, 0, 1, 0x10), 2048);
    assert_memory_equal(data, t->image.data + 16 * 2048, 2048);
    assert_int_equal(PACKET(t, data, sizeof(data), 0xbe, 0, 0, 0, 0, 74, 0, 0, 2, 0xf8), 2 * 2352);
    assert_memory_equal(data, "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x02\x74\x01",
                        16);
    assert_memory_equal(data + 16, t->image.data + 74 * 2048, 2048);
    assert_memory_equal(data + 2352 + 12, "\x00\x03\x00\x01", 4); /* 75 frames are a second */
    assert_int_equal(PACKET(t, NULL, 0, 0xbe, 0, 0, 0, 0, 1, 0, 0, 1, 0), 0);
    assert_int_equal(PACKET(t, NULL, 0, 0xbe, 0, 0, 0, 0, 1, 0, 0, 1, 0x20), -1);
}

/* ---- answers ---- */

static void inquiry_names_a_removable_cd_rom(void **state)
{
    struct cd_bench *t = *state;
    uint8_t r[100];
    assert_int_equal(PACKET(t, r, sizeof(r), 0x12, 0, 0, 0, 96), 36);
    assert_int_equal(r[0], 5);
    assert_int_equal(r[1], 0x80);
    assert_memory_equal(r + 8, "QEMU    QEMU DVD-ROM    2.5+", 28);
    assert_int_equal(PACKET(t, r, sizeof(r), 0x12, 0, 0, 0, 5), 5); /* allocation length, odd */
    assert_int_equal(PACKET(t, r, sizeof(r), 0x12, 0, 0, 0, 0), 0);
}

static void read_capacity_gives_the_last_block_and_its_length(void **state)
{
    struct cd_bench *t = *state;
    uint8_t r[10];
    assert_int_equal(PACKET(t, r, sizeof(r), 0x25), 8);
    assert_int_equal(ld32be(r), FRAMES - 1);
    assert_int_equal(ld32be(r + 4), 2048);
}

static void read_toc_has_one_data_track_and_the_lead_out(void **state) /* [MMC3] READ TOC */
{
    struct cd_bench *t = *state;
    uint8_t r[110];
    assert_int_equal(PACKET(t, r, 110, 0x43, 0, 0, 0, 0, 0, 0, 0, 100), 20);
    assert_memory_equal(r, "\x00\x12\x01\x01\x00\x14\x01\x00\x00\x00\x00\x00\x00\x16\xaa\x00", 16);
    assert_int_equal(ld32be(r + 16), FRAMES);
    assert_int_equal(PACKET(t, r, 110, 0x43, 2, 0, 0, 0, 0, 0, 0, 100), 20); /* MSF */
    assert_memory_equal(r + 8, "\x00\x00\x02\x00", 4);
    assert_memory_equal(r + 16, "\x00\x00\x06\x00", 4); /* 300 + 150 frames */
    assert_int_equal(PACKET(t, r, 110, 0x43, 0, 0, 0, 0, 0, 0xaa, 0, 100), 12);
    assert_int_equal(PACKET(t, r, 110, 0x43, 0, 0, 0, 0, 0, 2, 0, 100), -1);
    assert_int_equal(PACKET(t, r, 110, 0x43, 0, 0, 0, 0, 0, 0, 0, 4), 4); /* only the header */
    assert_memory_equal(r, "\x00\x12\x01\x01", 4);
}

static void read_toc_has_session_and_raw_formats_also_in_the_old_place(void **state)
{
    struct cd_bench *t = *state;
    uint8_t r[110];
    assert_int_equal(PACKET(t, r, 110, 0x43, 0, 1, 0, 0, 0, 0, 0, 100), 12);
    assert_memory_equal(r, "\x00\x0a\x01\x01\x00\x14\x01\x00\x00\x00\x00\x00", 12);
    assert_int_equal(PACKET(t, r, 110, 0x43, 0, 0, 0, 0, 0, 0, 0, 100, 0x40), 12);
    assert_int_equal(PACKET(t, r, 110, 0x43, 0, 2, 0, 0, 0, 0, 0, 100), 48);
    assert_memory_equal(r + 4, "\x01\x14\x00\xa0\x00\x00\x00\x00\x01\x00\x00", 11);
    assert_memory_equal(r + 26, "\x01\x14\x00\xa2\x00\x00\x00\x00\x00\x06\x00", 11);
    assert_memory_equal(r + 37, "\x01\x14\x00\x01\x00\x00\x00\x00\x00\x02\x00", 11);
    assert_int_equal(PACKET(t, r, 110, 0x43, 0, 0, 0, 0, 0, 0, 0, 100, 0x80), 48);
    assert_int_equal(PACKET(t, r, 110, 0x43, 0, 5, 0, 0, 0, 0, 0, 100), -1);
    assert_sense(t, 5, 0x24, 0);
}

static void mode_sense_has_the_pages_of_a_cd_rom(void **state)
{
    struct cd_bench *t = *state;
    uint8_t r[260];
    assert_int_equal(PACKET(t, r, 260, 0x5a, 0, 0x2a, 0, 0, 0, 0, 1, 0), 30);
    assert_int_equal(ld16be(r), 28);
    assert_int_equal(r[2], 1);
    assert_int_equal(r[8], 0x2a);
    assert_int_equal(r[9], 20);
    assert_int_equal(r[14], 0x29);
    PACKET(t, NULL, 0, 0x1e, 0, 0, 0, 1);
    assert_int_equal(PACKET(t, r, 260, 0x5a, 0, 0x2a, 0, 0, 0, 0, 1, 0), 30);
    assert_int_equal(r[14], 0x2b); /* locked */
    assert_int_equal(PACKET(t, r, 260, 0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0), 8 + 8 + 16 + 22);
    assert_int_equal(PACKET(t, r, 260, 0x5a, 0, 0x41, 0, 0, 0, 0, 1, 0), 16);
    assert_int_equal(ld16be(r + 10), 0xffff); /* changeable: the parameters and retries */
    assert_int_equal(r[12], 0);
    assert_int_equal(PACKET(t, r, 260, 0x5a, 0, 0x05, 0, 0, 0, 0, 1, 0), -1);
    assert_sense(t, 5, 0x24, 0);
    assert_int_equal(PACKET(t, r, 260, 0x5a, 0, 0xea, 0, 0, 0, 0, 1, 0), -1);
    assert_sense(t, 5, 0x39, 0);
}

/* MODE SELECT with @bytes of @list in blocks of @limit; the status at its end. */
static uint8_t mode_select(struct cd_bench *t, const uint8_t *list, unsigned bytes, uint16_t limit)
{
    const uint8_t cdb[12] = {0x55, 0x10, [7] = (uint8_t)(bytes >> 8), [8] = (uint8_t)bytes};
    unsigned given = 0;
    send_packet(t, cdb, limit);
    while (wait_ready(&t->b) & DRQ) {
        unsigned block = bench_in8(&t->b, CMD + 4) | (unsigned)bench_in8(&t->b, CMD + 5) << 8;
        assert_int_equal(bench_in8(&t->b, CMD + 2), 0); /* neither C/D nor I/O */
        assert_in_range(block, 1, min_u64(limit, bytes - given));
        give_words(&t->b, list + given, block / 2);
        given += block;
    }
    assert_int_equal(bench_in8(&t->b, CMD + 2), 3);
    return alt_status(&t->b);
}

static void mode_select_changes_what_mode_sense_calls_changeable(void **state)
{
    struct cd_bench *t = *state;
    uint8_t r[260], list[8 + 8 + 16] = {
        [8] = 0x01, 6, 0x20, 9,                                          /* recovery */
        [16] = 0x0e, 14, 4, [23] = 75, [24] = 1, 0x80, 2, 0x40, 0, 0, 0, 0, /* volumes */
    };
    for (unsigned i = 0; i < 2; i++) {
        list[11]++;
        assert_int_equal(mode_select(t, list, sizeof(list), i == 0 ? 32 : 6), READY);
        assert_int_equal(PACKET(t, r, 260, 0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0), 54);
        assert_memory_equal(r + 8, list + 8, 24);
    }
    assert_int_equal(PACKET(t, r, 260, 0x5a, 0, 0x81, 0, 0, 0, 0, 1, 0), 16);
    assert_int_equal(r[11], 5); /* the default stays */
    bench_check_state(&t->b);
    list[11] = 1;
    list[18] = 0; /* IMMED cannot be changed; nothing of the list is taken */
    assert_true(mode_select(t, list, sizeof(list), 32) & ERR);
    assert_sense(t, 5, 0x26, 0);
    PACKET(t, r, 260, 0x5a, 0, 0x01, 0, 0, 0, 0, 1, 0);
    assert_int_equal(r[11], 11);
    assert_true(mode_select(t, list, 12, 32) & ERR); /* ends within a page */
    assert_sense(t, 5, 0x1a, 0);
    list[7] = 8; /* block descriptors */
    assert_true(mode_select(t, list, 16, 32) & ERR);
    assert_sense(t, 5, 0x26, 0);
    assert_int_equal(PACKET(t, NULL, 0, 0x55, 0x10), 0);   /* no list */
    assert_int_equal(PACKET(t, NULL, 0, 0x55, 0x11), -1);  /* SP */
    assert_sense(t, 5, 0x24, 0);
    bench_reset(&t->b);
    PACKET(t, r, 260, 0x5a, 0, 0x01, 0, 0, 0, 0, 1, 0);
    assert_int_equal(r[11], 5);
}

static void read_sub_channel_tells_the_position(void **state)
{
    struct cd_bench *t = *state;
    uint8_t r[60], frame[2048];
    assert_int_equal(PACKET(t, frame, sizeof(frame) + 1, 0x28, 0, 0, 0, 0, 42, 0, 0, 1), 2048);
    assert_int_equal(PACKET(t, r, 60, 0x42, 0, 0x40, 1, 0, 0, 0, 0, 50), 16);
    assert_memory_equal(r, "\0\x15\0\x0c\1\x14\1\1\0\0\0\x2a\0\0\0\x2a", 16);
    assert_int_equal(PACKET(t, r, 60, 0x42, 2, 0x40, 1, 0, 0, 0, 0, 50), 16);
    assert_memory_equal(r + 8, "\0\0\2\x2a", 4); /* 192 frames are 2 s and 42 */
    assert_int_equal(PACKET(t, r, 60, 0x42, 0, 0, 1, 0, 0, 0, 0, 50), 4);
    assert_int_equal(PACKET(t, r, 60, 0x42, 0, 0x40, 2, 0, 0, 0, 0, 50), 24);
    assert_int_equal(r[8], 0); /* no catalogue number */
    assert_int_equal(PACKET(t, r, 60, 0x42, 0, 0x40, 3, 0, 0, 1, 0, 50), 24);
    assert_int_equal(PACKET(t, r, 60, 0x42, 0, 0x40, 3, 0, 0, 2, 0, 50), -1);
    assert_sense(t, 5, 0x24, 0);
}

static void read_header_verify_and_dvd_structure(void **state)
{
    struct cd_bench *t = *state;
    uint8_t r[2060];
    assert_int_equal(PACKET(t, r, 60, 0x44, 0, 0, 0, 0, 7, 0, 0, 50), 8);
    assert_memory_equal(r, "\1\0\0\0\0\0\0\7", 8);
    assert_int_equal(PACKET(t, r, 60, 0x44, 0, 0, 0, 1, 0x2c, 0, 0, 50), -1); /* frame 300 */
    assert_sense(t, 5, 0x21, 0);
    assert_int_equal(PACKET(t, NULL, 0, 0x2f, 0, 0, 0, 1, 0x2a, 0, 0, 2), 0);
    assert_int_equal(PACKET(t, NULL, 0, 0x2f, 0, 0, 0, 1, 0x2a, 0, 0, 3), -1);
    assert_sense(t, 5, 0x21, 0);
    assert_int_equal(PACKET(t, r, 2060, 0xad, 0, 0, 0, 0, 0, 0, 0, 8, 4), -1);
    assert_sense(t, 5, 0x30, 2); /* a CD */
    t->image.block.bytes = 500000ull * 2048; /* only its size is asked for */
    assert_int_equal(PACKET(t, r, 2060, 0xad, 0, 0, 0, 0, 0, 0, 0, 8, 4), 2052);
    assert_int_equal(ld16be(r), 2050);
    assert_int_equal(ld32be(r + 8), 0x030000);
    assert_int_equal(ld32be(r + 12), 0x030000 + 499999);
    assert_int_equal(PACKET(t, r, 2060, 0xad, 0, 0, 0, 0, 0, 0, 1, 8, 4), 8);
    assert_int_equal(PACKET(t, r, 2060, 0xad, 0, 0, 0, 0, 0, 0, 0xff, 8, 4), 16);
    assert_int_equal(PACKET(t, r, 2060, 0xad, 0, 0, 0, 0, 0, 0, 2, 8, 4), -1);
    assert_sense(t, 5, 0x24, 0);
}

static void get_configuration_tells_the_current_profile(void **state) /* [MMC3] GET CONFIGURATION */
{
    struct cd_bench *t = *state;
    uint8_t r[260];
    int n = PACKET(t, r, 260, 0x46, 0, 0, 0, 0, 0, 0, 1, 0);
    assert_int_equal(ld32be(r), n - 4);
    assert_int_equal(ld16be(r + 6), 0x0008);
    assert_int_equal(PACKET(t, r, 260, 0x46, 2, 0, 3, 0, 0, 0, 1, 0), 16); /* one feature */
    assert_int_equal(ld16be(r + 8), 3);
    assert_int_equal(PACKET(t, r, 260, 0x46, 2, 0, 0x77, 0, 0, 0, 1, 0), 8);
    PACKET(t, NULL, 0, 0x1b, 0, 0, 0, 2);
    PACKET(t, r, 260, 0x46, 0, 0, 0, 0, 0, 0, 1, 0);
    assert_int_equal(ld16be(r + 6), 0);
}

static void disc_information_mechanism_status_and_set_speed(void **state)
{
    struct cd_bench *t = *state;
    uint8_t r[110];
    assert_int_equal(PACKET(t, r, 110, 0x51, 0, 0, 0, 0, 0, 0, 0, 100), 34);
    assert_int_equal(ld16be(r), 32);
    assert_int_equal(r[2], 0x0e);
    assert_int_equal(PACKET(t, r, 110, 0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 100), 8);
    assert_int_equal(PACKET(t, NULL, 0, 0xbb, 0, 0xff, 0xff), 0);
    assert_int_equal(PACKET(t, NULL, 0, 0x2b, 0, 0, 0, 0, 5), 0);
    assert_int_equal(PACKET(t, NULL, 0, 0x2b, 0, 0xff), -1);
}

static void an_unknown_packet_is_an_illegal_request(void **state)
{
    struct cd_bench *t = *state;
    static const uint8_t known[] = {0x00, 0x03, 0x12, 0x1b, 0x1e, 0x25, 0x28, 0x2b,
                                    0x2f, 0x42, 0x43, 0x44, 0x46, 0x4a, 0x51, 0x55,
                                    0x5a, 0xa8, 0xad, 0xbb, 0xbd, 0xbe};
    for (unsigned op = 0; op < 256; op++) {
        if (memchr(known, (int)op, sizeof(known)) == NULL) {
            assert_int_equal(PACKET(t, NULL, 0, (uint8_t)op), -1);
            assert_sense(t, 5, 0x20, 0);
            assert_sense(t, 0, 0, 0); /* REQUEST SENSE takes it away */
        }
    }
}

/* ---- the tray ---- */

static void without_a_disc_commands_that_need_one_are_not_ready(void **state)
{
    struct cd_bench *t = *state;
    static const uint8_t ops[] = {0x00, 0x25, 0x28, 0x2b, 0x2f, 0x42, 0x43,
                                  0x44, 0x51, 0xa8, 0xad, 0xbe};
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        assert_int_equal(PACKET(t, NULL, 0, ops[i]), -1);
        assert_sense(t, 2, 0x3a, 1);
    }
    uint8_t r[40];
    assert_int_equal(PACKET(t, r, 40, 0x12, 0, 0, 0, 36), 36);
}

static void eject_and_load_move_the_tray(void **state) /* [MMC3] START STOP UNIT */
{
    struct cd_bench *t = *state;
    uint8_t r[10];
    assert_int_equal(PACKET(t, NULL, 0, 0x1b, 0, 0, 0, 2), 0);
    assert_int_equal(PACKET(t, NULL, 0, 0x00), -1);
    assert_sense(t, 2, 0x3a, 2);
    assert_int_equal(PACKET(t, r, 10, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 8);
    assert_memory_equal(r, "\x00\x06\x04\x10\x03\x01\x00\x00", 8); /* removal, tray open */
    assert_int_equal(PACKET(t, NULL, 0, 0x1b, 0, 0, 0, 3), 0);
    assert_int_equal(PACKET(t, NULL, 0, 0x00), -1);
    assert_sense(t, 6, 0x28, 0);
    assert_int_equal(PACKET(t, NULL, 0, 0x00), 0);
}

static void a_locked_tray_does_not_open(void **state) /* [MMC3] PREVENT ALLOW MEDIUM REMOVAL */
{
    struct cd_bench *t = *state;
    assert_int_equal(PACKET(t, NULL, 0, 0x1e, 0, 0, 0, 1), 0);
    assert_int_equal(PACKET(t, NULL, 0, 0x1b, 0, 0, 0, 2), -1);
    assert_sense(t, 5, 0x53, 2);
    assert_int_equal(PACKET(t, NULL, 0, 0x00), 0);
    assert_int_equal(PACKET(t, NULL, 0, 0x1e), 0);
    assert_int_equal(PACKET(t, NULL, 0, 0x1b, 0, 0, 0, 2), 0);
}

static void a_changed_disc_is_reported_by_unit_attention(void **state)
{
    struct cd_bench *t = *state;
    uint8_t r[40];
    assert_true(atapi_change_medium(t->cd, &t->other.block, NULL));
    assert_int_equal(PACKET(t, r, 40, 0x12, 0, 0, 0, 36), 36); /* not by INQUIRY */
    assert_int_equal(PACKET(t, r, 40, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 8);
    assert_memory_equal(r + 4, "\x02\x02", 2); /* new media, present */
    assert_int_equal(PACKET(t, r, 40, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 8);
    assert_int_equal(r[4], 0); /* once */
    assert_int_equal(PACKET(t, NULL, 0, 0x00), -1);
    assert_sense(t, 2, 0x3a, 1); /* for a moment it was out */
    assert_int_equal(PACKET(t, NULL, 0, 0x25), -1);
    assert_sense(t, 6, 0x28, 0);
    assert_int_equal(PACKET(t, r, 40, 0x25), 8);
    assert_int_equal(ld32be(r), 99);
}

static void a_disc_can_be_taken_out_and_put_in(void **state)
{
    struct cd_bench *t = *state;
    uint8_t data[2050];
    assert_true(atapi_change_medium(t->cd, NULL, NULL));
    assert_int_equal(PACKET(t, NULL, 0, 0x00), -1);
    assert_sense(t, 2, 0x3a, 1);
    assert_true(atapi_change_medium(t->cd, &t->other.block, NULL));
    assert_int_equal(PACKET(t, NULL, 0, 0x00), -1);
    assert_sense(t, 6, 0x28, 0);
    assert_int_equal(PACKET(t, data, 2050, 0x28, 0, 0, 0, 0, 99, 0, 0, 1), 2048);
    assert_memory_equal(data, t->other.data + 99 * 2048, 2048);
    t->image.block.bytes = 0;
    assert_false(atapi_change_medium(t->cd, &t->image.block, NULL));
}

static void a_change_in_the_middle_of_a_read_ends_it(void **state)
{
    struct cd_bench *t = *state;
    uint8_t cdb[12] = {0x28, 0, 0, 0, 0, 0, 0, 0, 200}, data[2048];
    send_packet(t, cdb, 2048);
    for (unsigned i = 0; i < 10; i++) {
        wait_ready(&t->b);
        take_words(&t->b, data, 1024);
    }
    atapi_change_medium(t->cd, &t->other.block, NULL);
    while (wait_ready(&t->b) & DRQ) {
        take_words(&t->b, data, 1024);
    }
    assert_true(alt_status(&t->b) & ERR);
    assert_sense(t, 6, 0x28, 0);
    assert_int_equal(t->image.reads, 1); /* what was in the buffer still came */
}

static void an_event_class_that_is_not_there_gives_no_event(void **state) /* [MMC3] polled */
{
    struct cd_bench *t = *state;
    uint8_t r[10];
    assert_int_equal(PACKET(t, r, 10, 0x4a, 1, 0, 0, 0x02, 0, 0, 0, 8), 4);
    assert_memory_equal(r, "\x00\x02\x80\x10", 4);
    assert_int_equal(PACKET(t, r, 10, 0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8), -1); /* asynchronous */
}

/* ---- state and fuzz ---- */

static void state_in_the_middle_of_a_read_goes_on_after_a_load(void **state)
{
    struct cd_bench *t = *state;
    uint8_t cdb[12] = {0x28, 0, 0, 0, 0, 3, 0, 0, 70}, data[70 * 2048];
    send_packet(t, cdb, 2048);
    for (unsigned i = 0; i < 70; i++) {
        assert_int_equal(wait_ready(&t->b), READY | DRQ);
        take_words(&t->b, data + i * 2048, 500);
        if (i % 20 == 5) {
            bench_check_state(&t->b);
        }
        take_words(&t->b, data + i * 2048 + 1000, 524);
        if (i == 31) {
            assert_int_equal(alt_status(&t->b), BSY);
            bench_check_state(&t->b);
        }
    }
    assert_int_equal(wait_ready(&t->b), READY);
    assert_memory_equal(data, t->image.data + 3 * 2048, sizeof(data));
}

static void reset_twice_is_reset_once(void **state)
{
    struct cd_bench *t = *state;
    PACKET(t, NULL, 0, 0x1e, 0, 0, 0, 1);
    PACKET(t, NULL, 0, 0xff);
    bench_check_reset(&t->b);
}

static void any_port_accesses_and_packets_do_no_harm(void **state)
{
    static const uint8_t ops[] = {0x00, 0x03, 0x12, 0x1b, 0x25, 0x28, 0x2b, 0x43,
                                  0x46, 0x4a, 0x51, 0x5a, 0xa8, 0xbd, 0xbe, 0xff};
    struct cd_bench *t = *state;
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t cdb[12];
        for (unsigned k = 0; k < 12; k++) {
            cdb[k] = bench_random(&t->b) % 3 != 0 ? 0 : (uint8_t)bench_random(&t->b);
        }
        cdb[0] = ops[bench_random(&t->b) % sizeof(ops)];
        bench_out8(&t->b, CMD + 1, bench_random(&t->b) % 8 == 0);
        issue(&t->b, 0xa0, 0, 0, bench_random(&t->b) & 0xffff00);
        bench_advance(&t->b, ATA_COMMAND_NS);
        give_words(&t->b, cdb, 6);
        bench_advance(&t->b, bench_random(&t->b) % 1000000);
        bench_fuzz_ports(&t->b, CMD, bench_random(&t->b) % 2 != 0 ? 1 : 8, 50, 20000);
        if (bench_random(&t->b) % 16 == 0) {
            bool other = bench_random(&t->b) % 2 != 0;
            atapi_change_medium(t->cd, other ? &t->other.block : &t->image.block, NULL);
        }
        if (bench_random(&t->b) % 4 == 0) {
            bench_out8(&t->b, CMD + 6, 0xa0);
            bench_out8(&t->b, CMD + 7, 0x08);
            bench_advance(&t->b, NS_PER_MS);
        }
        bench_out8(&t->b, CTL, 0);
    }
    bench_check_state(&t->b);
}

static void any_saved_state_does_no_harm(void **state)
{
    struct cd_bench *t = *state;
    for (unsigned i = 0; i < 400; i++) {
        for (struct device *d = t->b.m.devices; d != NULL; d = d->next) {
            load_random_state(&t->b, d);
        }
        bench_fuzz_ports(&t->b, CMD, 8, 40, 2000000);
        bench_advance(&t->b, NS_PER_MS);
    }
}

#define CASE(f)       cmocka_unit_test_setup_teardown(f, setup, teardown)
#define CASE_EMPTY(f) cmocka_unit_test_setup_teardown(f, setup_empty, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_packet_device_has_its_own_signature),
        CASE(device_reset_ends_a_command_also_while_busy),
        CASE(identify_packet_device_says_what_guests_know_of_qemus_drive),
        CASE(the_packet_is_taken_without_an_interrupt_and_its_end_has_one),
        CASE(overlapped_packets_and_unknown_commands_are_aborted),
        CASE(read_10_gives_frames_in_blocks_of_the_byte_count_limit),
        CASE(read_12_reads_a_whole_disc),
        CASE(a_byte_count_limit_of_0_is_aborted_if_data_go_by_pio),
        CASE(reading_behind_the_end_is_out_of_range),
        CASE(an_unreadable_disc_is_a_medium_error),
        CASE(read_cd_gives_user_data_or_whole_sectors),
        CASE(inquiry_names_a_removable_cd_rom),
        CASE(read_capacity_gives_the_last_block_and_its_length),
        CASE(read_toc_has_one_data_track_and_the_lead_out),
        CASE(read_toc_has_session_and_raw_formats_also_in_the_old_place),
        CASE(mode_sense_has_the_pages_of_a_cd_rom),
        CASE(mode_select_changes_what_mode_sense_calls_changeable),
        CASE(read_sub_channel_tells_the_position),
        CASE(read_header_verify_and_dvd_structure),
        CASE(get_configuration_tells_the_current_profile),
        CASE(disc_information_mechanism_status_and_set_speed),
        CASE(an_unknown_packet_is_an_illegal_request),
        CASE_EMPTY(without_a_disc_commands_that_need_one_are_not_ready),
        CASE(eject_and_load_move_the_tray),
        CASE(a_locked_tray_does_not_open),
        CASE(a_changed_disc_is_reported_by_unit_attention),
        CASE(a_disc_can_be_taken_out_and_put_in),
        CASE(a_change_in_the_middle_of_a_read_ends_it),
        CASE(an_event_class_that_is_not_there_gives_no_event),
        CASE(state_in_the_middle_of_a_read_goes_on_after_a_load),
        CASE(reset_twice_is_reset_once),
        CASE(any_port_accesses_and_packets_do_no_harm),
        CASE(any_saved_state_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
