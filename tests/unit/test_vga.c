/* The VGA on a bench: registers, the window against a second, plain implementation, timing, text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench.h"

#include "core/base/alloc.h"
#include "core/base/bytes.h"
#include "hw/pci/pci.h"
#include "hw/vga/stdvga.h"
#include "hw/vga/vga_internal.h"

#include <stdlib.h>

struct vga_bench {
    struct bench b;
    struct region pci_mem;
    struct pci_bus bus;
    struct stdvga card;
};

static const uint8_t rom_image[4096] = {0x55, 0xaa, 0x08};

static int setup(void **state)
{
    struct vga_bench *t = NEW(struct vga_bench);
    struct error *err = NULL;
    bench_init(&t->b);
    region_container(&t->pci_mem, "pci", 4 * GiB);
    region_map(&t->b.m.mem.root, &t->pci_mem, 0, 1);
    pci_bus_init(&t->bus, &t->b.m, &t->pci_mem);
    if (!stdvga_init(&t->card, &t->b.m, &t->bus, PCI_DEVFN(2, 0), rom_image, sizeof(rom_image), &err)) {
        fail_msg("%s", error_text(err));
    }
    bench_power_on(&t->b);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct vga_bench *t = *state;
    bench_fini(&t->b);
    free(t);
    return 0;
}

static void set_reg(struct vga_bench *t, uint16_t port, uint8_t index, uint8_t val)
{
    bench_out8(&t->b, port, index);
    bench_out8(&t->b, port + 1, val);
}

static uint8_t get_reg(struct vga_bench *t, uint16_t port, uint8_t index)
{
    bench_out8(&t->b, port, index);
    return bench_in8(&t->b, port + 1);
}

static void set_attr(struct vga_bench *t, uint8_t index, uint8_t val)
{
    bench_in8(&t->b, 0x3da);
    bench_out8(&t->b, 0x3c0, index);
    bench_out8(&t->b, 0x3c0, val);
}

static void poke(struct vga_bench *t, uint32_t addr, uint8_t val)
{
    space_write(&t->b.m.mem, addr, val, 1);
}

static uint8_t peek(struct vga_bench *t, uint32_t addr)
{
    return (uint8_t)space_read(&t->b.m.mem, addr, 1);
}

/* What a BIOS sets for mode 3: 80x25, 9x16, 720x400 at 70 Hz. */
static void set_mode_3(struct vga_bench *t)
{
    static const uint8_t seq[] = {0x03, 0x00, 0x03, 0x00, 0x02};
    static const uint8_t crtc[] = {
        0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
        0x00, 0x00, 0x00, 0x9c, 0x0e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
    };
    static const uint8_t gc[] = {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff};
    static const uint8_t attr[] = {
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,
        0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00,
    };
    bench_out8(&t->b, 0x3c2, 0x67);
    for (unsigned i = 0; i < sizeof(seq); i++) {
        set_reg(t, 0x3c4, (uint8_t)i, seq[i]);
    }
    set_reg(t, 0x3d4, 0x11, 0);
    for (unsigned i = 0; i < sizeof(crtc); i++) {
        set_reg(t, 0x3d4, (uint8_t)i, crtc[i]);
    }
    for (unsigned i = 0; i < sizeof(gc); i++) {
        set_reg(t, 0x3ce, (uint8_t)i, gc[i]);
    }
    for (unsigned i = 0; i < sizeof(attr); i++) {
        set_attr(t, (uint8_t)i, attr[i]);
    }
    bench_out8(&t->b, 0x3c6, 0xff);
    bench_out8(&t->b, 0x3c8, 0);
    for (unsigned i = 0; i < 64; i++) {                  /* the usual 64 colours: rgbRGB */
        bench_out8(&t->b, 0x3c9, (uint8_t)((i >> 2 & 1) * 42 + (i >> 5 & 1) * 21));
        bench_out8(&t->b, 0x3c9, (uint8_t)((i >> 1 & 1) * 42 + (i >> 4 & 1) * 21));
        bench_out8(&t->b, 0x3c9, (uint8_t)((i & 1) * 42 + (i >> 3 & 1) * 21));
    }
    bench_in8(&t->b, 0x3da);
    bench_out8(&t->b, 0x3c0, 0x20);
}

static void put_cell(struct vga_bench *t, unsigned cell, uint8_t ch, uint8_t attr)
{
    poke(t, 0xb8000 + cell * 2, ch);
    poke(t, 0xb8000 + cell * 2 + 1, attr);
}

static void power_on_is_dark_and_closed(void **state)
{
    struct vga_bench *t = *state;
    struct text_screen *s = NEW(struct text_screen);
    struct surface pic = {0};
    assert_false(t->card.vga.source.text(&t->card.vga, s));
    t->card.vga.source.render(&t->card.vga, &pic);
    assert_int_equal(pic.width, 720);
    assert_int_equal(pic.pixels[0], 0);
    assert_int_equal(peek(t, 0xb8000), 0xff);            /* [VGA] misc bit 1: RAM is disabled */
    assert_int_equal(bench_in8(&t->b, 0x3d4), 0xff);     /* misc bit 0: the CRTC is at 3B4h */
    assert_int_equal(bench_in8(&t->b, 0x3b4), 0x00);
    surface_fini(&pic);
    free(s);
}

static void crtc_and_status_move_with_the_io_address_bit(void **state)
{
    struct vga_bench *t = *state;
    bench_out8(&t->b, 0x3c2, 0x01);
    set_reg(t, 0x3d4, 0x0f, 0x5a);
    assert_int_equal(get_reg(t, 0x3d4, 0x0f), 0x5a);
    assert_int_equal(bench_in8(&t->b, 0x3b5), 0xff);
    bench_out8(&t->b, 0x3c2, 0x00);
    assert_int_equal(get_reg(t, 0x3b4, 0x0f), 0x5a);
    assert_int_equal(bench_in8(&t->b, 0x3d5), 0xff);
    assert_int_equal(bench_in8(&t->b, 0x3da), 0xff);
    assert_int_not_equal(bench_in8(&t->b, 0x3ba), 0xff);
}

static void a_word_write_sets_index_and_data(void **state)
{
    struct vga_bench *t = *state;
    bench_out16(&t->b, 0x3c4, 0x0a02);
    assert_int_equal(get_reg(t, 0x3c4, 2), 0x0a);
    bench_out16(&t->b, 0x3ce, 0x5508);
    assert_int_equal(get_reg(t, 0x3ce, 8), 0x55);
}

static void protect_locks_the_first_eight_crtc_registers(void **state)
{
    struct vga_bench *t = *state;
    bench_out8(&t->b, 0x3c2, 0x01);
    for (unsigned i = 0; i < 8; i++) {
        set_reg(t, 0x3d4, (uint8_t)i, 0x00);
    }
    set_reg(t, 0x3d4, 0x11, 0x80);
    for (unsigned i = 0; i < 8; i++) {
        set_reg(t, 0x3d4, (uint8_t)i, 0xff);
        assert_int_equal(get_reg(t, 0x3d4, (uint8_t)i), i == 7 ? 0x10 : 0x00);
    }
    set_reg(t, 0x3d4, 0x08, 0x11);
    assert_int_equal(get_reg(t, 0x3d4, 0x08), 0x11);
    set_reg(t, 0x3d4, 0x11, 0x00);
    set_reg(t, 0x3d4, 0x00, 0x5f);
    assert_int_equal(get_reg(t, 0x3d4, 0x00), 0x5f);
}

static void reserved_register_bits_read_zero(void **state)
{
    struct vga_bench *t = *state;
    static const uint8_t seq[] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
    static const uint8_t gc[] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
    for (unsigned i = 0; i < sizeof(seq); i++) {
        set_reg(t, 0x3c4, (uint8_t)i, 0xff);
        assert_int_equal(get_reg(t, 0x3c4, (uint8_t)i), seq[i]);
    }
    for (unsigned i = 0; i < sizeof(gc); i++) {
        set_reg(t, 0x3ce, (uint8_t)i, 0xff);
        assert_int_equal(get_reg(t, 0x3ce, (uint8_t)i), gc[i]);
    }
    set_reg(t, 0x3ce, 0x0c, 0xff);
    assert_int_equal(get_reg(t, 0x3ce, 0x0c), 0);
}

static void the_attribute_flip_flop_is_reset_by_input_status_1(void **state)
{
    struct vga_bench *t = *state;
    bench_out8(&t->b, 0x3c2, 0x01);
    bench_in8(&t->b, 0x3da);
    bench_out8(&t->b, 0x3c0, 0x05);
    bench_out8(&t->b, 0x3c0, 0x2a);
    bench_out8(&t->b, 0x3c0, 0x06);
    bench_in8(&t->b, 0x3da);                             /* the next write is an index again */
    bench_out8(&t->b, 0x3c0, 0x05);
    assert_int_equal(bench_in8(&t->b, 0x3c0), 0x05);
    assert_int_equal(bench_in8(&t->b, 0x3c1), 0x2a);
}

static void the_dac_takes_and_gives_three_bytes_an_entry(void **state)
{
    struct vga_bench *t = *state;
    bench_out8(&t->b, 0x3c8, 0xff);
    const uint8_t in[] = {1, 2, 3, 0xc4, 5, 6};          /* entries FFh and 00h; 6 bits are kept */
    for (unsigned i = 0; i < sizeof(in); i++) {
        bench_out8(&t->b, 0x3c9, in[i]);
    }
    assert_int_equal(bench_in8(&t->b, 0x3c8), 1);
    assert_int_equal(bench_in8(&t->b, 0x3c7), 0);
    bench_out8(&t->b, 0x3c7, 0xff);
    assert_int_equal(bench_in8(&t->b, 0x3c7), 3);
    for (unsigned i = 0; i < sizeof(in); i++) {
        assert_int_equal(bench_in8(&t->b, 0x3c9), in[i] & 0x3f);
    }
}

static void a_dac_entry_changes_with_its_third_byte(void **state)
{
    struct vga_bench *t = *state;
    bench_out8(&t->b, 0x3c8, 7);
    bench_out8(&t->b, 0x3c9, 9);
    bench_out8(&t->b, 0x3c9, 9);
    bench_out8(&t->b, 0x3c7, 7);
    assert_int_equal(bench_in8(&t->b, 0x3c9), 0);
    bench_out8(&t->b, 0x3c8, 7);
    for (unsigned i = 0; i < 3; i++) {
        bench_out8(&t->b, 0x3c9, 9);
    }
    bench_out8(&t->b, 0x3c7, 7);
    assert_int_equal(bench_in8(&t->b, 0x3c9), 9);
}

/* Mode 3: 28.322 MHz, 900 dots a line, 449 lines; retrace in lines 412 and 413. */
static void input_status_1_follows_the_beam(void **state)
{
    struct vga_bench *t = *state;
    set_mode_3(t);
    struct {
        unsigned line, dot;
        uint8_t status;
    } at[] = {
        {0, 0, 0x00},    {0, 719, 0x00},  {0, 721, 0x01},   {0, 899, 0x01},   {399, 10, 0x00},
        {400, 10, 0x01}, {411, 10, 0x01}, {412, 10, 0x09}, {413, 890, 0x09}, {414, 10, 0x01},
        {448, 10, 0x01}, {449, 10, 0x00}, {449 * 7 + 412, 100, 0x09},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
        uint64_t dots = (uint64_t)at[i].line * 900 + at[i].dot;
        bench_advance_to(&t->b, (int64_t)muldiv64_up(dots, NS_PER_SEC, 28322000) + 1);
        assert_int_equal(bench_in8(&t->b, 0x3da), at[i].status);
    }
}

static void retrace_comes_seventy_times_a_second_to_a_poller(void **state)
{
    struct vga_bench *t = *state;
    set_mode_3(t);
    unsigned edges = 0;
    uint8_t last = 0x08;
    for (unsigned us = 0; us < 1000000; us += 10) {
        bench_advance_to(&t->b, us * NS_PER_US);
        uint8_t now = bench_in8(&t->b, 0x3da) & 0x08;
        edges += now && !last;
        last = now;
    }
    assert_in_range(edges, 70, 71);
}

/* The second implementation: planes as arrays of bytes, bit by bit, straight from [VGA]. */
struct plain {
    uint8_t plane[4][0x20000];
    uint8_t latch[4];
};

static bool plain_map(struct vga_bench *t, uint32_t addr, uint32_t *off)
{
    uint32_t a = addr - 0xa0000;
    switch (t->card.vga.gc[6] >> 2 & 3) {
    case 0: *off = a; return true;
    case 1: *off = a; return a < 0x10000;
    case 2: *off = a - 0x10000; return a >= 0x10000 && a < 0x18000;
    default: *off = a - 0x18000; return a >= 0x18000;
    }
}

static uint8_t plain_bit_op(unsigned op, unsigned d, unsigned l)
{
    return op == 1 ? d & l : op == 2 ? d | l : op == 3 ? d ^ l : d;
}

static void plain_write(struct vga_bench *t, struct plain *p, uint32_t addr, uint8_t val)
{
    const uint8_t *gc = t->card.vga.gc, *seq = t->card.vga.seq;
    unsigned mode = gc[5] & 3, rot = gc[3] & 7;
    uint8_t rotated = (uint8_t)((val >> rot) | (val << (8 - rot)));
    uint32_t off;
    if (!plain_map(t, addr, &off)) {
        return;
    }
    for (unsigned pl = 0; pl < 4; pl++) {
        uint32_t at = off;
        if (!(seq[2] >> pl & 1)) {
            continue;
        }
        if (seq[4] & 8) {
            if ((off & 3) != pl) {
                continue;
            }
            at = off / 4;
        } else if (!(seq[4] & 4)) {
            if ((off & 1) != (pl & 1)) {
                continue;
            }
            at = off / 2;
        }
        for (unsigned bit = 0; bit < 8; bit++) {
            unsigned l = p->latch[pl] >> bit & 1, d, mask = gc[8] >> bit & 1;
            if (mode == 0) {
                d = gc[1] >> pl & 1 ? gc[0] >> pl & 1 : rotated >> bit & 1;
            } else if (mode == 1) {
                d = l;
            } else if (mode == 2) {
                d = val >> pl & 1;
            } else {
                d = gc[0] >> pl & 1;
                mask &= rotated >> bit;
            }
            if (mode != 1) {
                d = plain_bit_op(gc[3] >> 3, d, l);
                d = mask ? d : l;
            }
            p->plane[pl][at] = (uint8_t)((p->plane[pl][at] & ~(1u << bit)) | d << bit);
        }
    }
}

static uint8_t plain_read(struct vga_bench *t, struct plain *p, uint32_t addr)
{
    const uint8_t *gc = t->card.vga.gc, *seq = t->card.vga.seq;
    uint32_t off;
    uint8_t equal = 0xff;
    if (!plain_map(t, addr, &off)) {
        return 0xff;
    }
    unsigned pl = gc[4] & 3;
    uint32_t at = off;
    if (seq[4] & 8) {
        pl = off & 3;
        at = off / 4;
    } else if (gc[5] & 0x10) {
        pl = (pl & 2) | (off & 1);
        at = off / 2;
    }
    for (unsigned i = 0; i < 4; i++) {
        p->latch[i] = p->plane[i][at];
        if (gc[7] >> i & 1) {
            equal &= gc[2] >> i & 1 ? p->latch[i] : (uint8_t)~p->latch[i];
        }
    }
    return gc[5] & 8 ? equal : p->latch[pl];
}

static void the_window_is_as_a_plain_second_implementation(void **state)
{
    struct vga_bench *t = *state;
    struct plain *p = NEW(struct plain);
    bench_out8(&t->b, 0x3c2, 0x03);
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t r = bench_random(&t->b);
        if (r % 16 == 0) {
            set_reg(t, 0x3ce, (uint8_t)(r >> 8) % 9, (uint8_t)(r >> 16));
        } else if (r % 16 == 1) {
            set_reg(t, 0x3c4, r & 0x100 ? 2 : 4, (uint8_t)(r >> 16));
        }
        /* few addresses, so that reads find what was written */
        uint32_t addr = 0xa0000 + (r >> 4 & 3) * 0x8000 + (bench_random(&t->b) & 0x1f);
        if (r & 8) {
            uint8_t val = (uint8_t)bench_random(&t->b);
            poke(t, addr, val);
            plain_write(t, p, addr, val);
        } else {
            assert_int_equal(peek(t, addr), plain_read(t, p, addr));
        }
    }
    for (unsigned cell = 0; cell < 0x20000; cell++) {
        for (unsigned pl = 0; pl < 4; pl++) {
            assert_int_equal(t->card.vga.vram[cell * 4 + pl], p->plane[pl][cell]);
        }
    }
    free(p);
}

static void wide_accesses_are_byte_accesses_in_order(void **state)
{
    struct vga_bench *t = *state;
    set_mode_3(t);
    space_write(&t->b.m.mem, 0xb8001, 0x1122334455667788, 8);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(peek(t, 0xb8001 + i), 0x88 - 0x11 * i);
    }
    assert_int_equal(space_read(&t->b.m.mem, 0xb8002, 4), 0x44556677);
}

static void text_cells_follow_start_address_and_offset(void **state)
{
    struct vga_bench *t = *state;
    struct text_screen *s = NEW(struct text_screen);
    set_mode_3(t);
    put_cell(t, 0, 'A', 0x07);
    put_cell(t, 80 * 2 + 5, 'B', 0x9e);
    assert_true(vga_text(&t->card.vga, s));
    assert_int_equal(s->cols, 80);
    assert_int_equal(s->rows, 25);
    assert_true(s->blink);
    assert_int_equal(s->cells[0][0].ch, 'A');
    assert_int_equal(s->cells[2][5].ch, 'B');
    assert_int_equal(s->cells[2][5].attr, 0x9e);
    assert_int_equal(s->palette[6], 0xa85700);
    assert_int_equal(s->palette[15], 0xffffff);

    set_reg(t, 0x3d4, 0x0c, 0);                          /* scrolled by two rows */
    set_reg(t, 0x3d4, 0x0d, 160);
    assert_true(vga_text(&t->card.vga, s));
    assert_int_equal(s->cells[0][5].ch, 'B');

    set_reg(t, 0x3d4, 0x13, 20);                         /* 40 cells from row to row */
    set_reg(t, 0x3d4, 0x0d, 0);
    assert_true(vga_text(&t->card.vga, s));
    assert_int_equal(s->cells[4][5].ch, 'B');
    free(s);
}

static void text_below_the_line_compare_starts_at_cell_0(void **state)
{
    struct vga_bench *t = *state;
    struct text_screen *s = NEW(struct text_screen);
    set_mode_3(t);
    put_cell(t, 0, 'T', 0x07);
    put_cell(t, 4000, 'S', 0x07);
    set_reg(t, 0x3d4, 0x0c, 4000 >> 8);
    set_reg(t, 0x3d4, 0x0d, 4000 & 0xff);
    set_reg(t, 0x3d4, 0x11, 0);
    set_reg(t, 0x3d4, 0x07, 0x0f);                       /* line compare 20 * 16 - 1 = 13Fh: bit 8 off */
    set_reg(t, 0x3d4, 0x09, 0x0f);
    set_reg(t, 0x3d4, 0x18, 0x9f);                       /* 9Fh = 10 * 16 - 1 */
    assert_true(vga_text(&t->card.vga, s));
    assert_int_equal(s->cells[0][0].ch, 'S');
    assert_int_equal(s->cells[9][0].ch, 0);
    assert_int_equal(s->cells[10][0].ch, 'T');
    free(s);
}

static void the_cursor_is_where_its_address_is_shown(void **state)
{
    struct vga_bench *t = *state;
    struct text_screen *s = NEW(struct text_screen);
    set_mode_3(t);
    set_reg(t, 0x3d4, 0x0e, (80 * 3 + 7) >> 8);
    set_reg(t, 0x3d4, 0x0f, (80 * 3 + 7) & 0xff);
    assert_true(vga_text(&t->card.vga, s));
    assert_true(s->cursor_on);
    assert_int_equal(s->cursor_x, 7);
    assert_int_equal(s->cursor_y, 3);
    assert_int_equal(s->cursor_first, 13);
    assert_int_equal(s->cursor_last, 14);
    set_reg(t, 0x3d4, 0x0d, 80);
    assert_true(vga_text(&t->card.vga, s));
    assert_int_equal(s->cursor_y, 2);
    set_reg(t, 0x3d4, 0x0c, 0x10);                       /* scrolled out of sight */
    assert_true(vga_text(&t->card.vga, s));
    assert_false(s->cursor_on);
    set_reg(t, 0x3d4, 0x0c, 0);
    set_reg(t, 0x3d4, 0x0a, 0x2d);                       /* cursor off */
    assert_true(vga_text(&t->card.vga, s));
    assert_false(s->cursor_on);
    free(s);
}

/* A font of one lit column each: glyph c has only bit (c & 7) set. */
static void load_stripe_font(struct vga_bench *t)
{
    for (unsigned c = 0; c < 256; c++) {
        for (unsigned line = 0; line < 16; line++) {
            t->card.vga.vram[(c * 32 + line) * 4 + 2] = (uint8_t)(1u << (c & 7));
            t->card.vga.vram[(0x4000 + c * 32 + line) * 4 + 2] = 0xff;
        }
    }
}

static void text_is_drawn_with_nine_dots_and_two_fonts(void **state)
{
    struct vga_bench *t = *state;
    struct surface pic = {0};
    set_mode_3(t);
    load_stripe_font(t);
    set_reg(t, 0x3d4, 0x0a, 0x20);
    put_cell(t, 0, 0x07, 0x1e);                          /* leftmost dot */
    put_cell(t, 1, 0x40, 0x1e);                          /* rightmost of eight, no ninth */
    put_cell(t, 2, 0xc0, 0x1e);                          /* the same in line graphics: repeated */
    put_cell(t, 3, 0x07, 0x97);                          /* bright background */
    vga_render(&t->card.vga, &pic);
    assert_int_equal(pic.width, 720);
    assert_int_equal(pic.height, 400);
    const uint32_t yellow = 0xffff57, blue = 0x0000a8;
    for (unsigned d = 0; d < 27; d++) {
        bool lit = d == 0 || d == 16 || d == 25 || d == 26;
        assert_int_equal(pic.pixels[720 * 5 + d], lit ? yellow : blue);
    }
    assert_int_equal(pic.pixels[27], 0xa8a8a8);
    assert_int_equal(pic.pixels[28], 0x5757ff);

    set_reg(t, 0x3c4, 3, 0x04);                          /* map A (attribute bit 3) is font 2 */
    vga_render(&t->card.vga, &pic);
    assert_int_equal(pic.pixels[4], yellow);
    assert_int_equal(pic.pixels[8], blue);
    assert_int_equal(pic.pixels[28], 0x5757ff);

    set_reg(t, 0x3c4, 1, 0x01);                          /* eight dots */
    vga_render(&t->card.vga, &pic);
    assert_int_equal(pic.width, 640);
    surface_fini(&pic);
}

static void the_drawn_cursor_blinks_by_the_machines_clock(void **state)
{
    struct vga_bench *t = *state;
    struct surface pic = {0};
    set_mode_3(t);
    put_cell(t, 0, ' ', 0x07);
    vga_render(&t->card.vga, &pic);
    assert_int_equal(pic.pixels[720 * 12], 0);
    assert_int_equal(pic.pixels[720 * 13], 0xa8a8a8);
    assert_int_equal(pic.pixels[720 * 14 + 8], 0xa8a8a8);
    assert_int_equal(pic.pixels[720 * 15], 0);
    bench_advance(&t->b, 300 * NS_PER_MS);
    vga_render(&t->card.vga, &pic);
    assert_int_equal(pic.pixels[720 * 13], 0);
    surface_fini(&pic);
}

/* 320x200 in 256 colours: chain-4, two dots and two lines a pixel. */
static void set_mode_13(struct vga_bench *t)
{
    set_mode_3(t);
    bench_out8(&t->b, 0x3c2, 0x63);
    set_reg(t, 0x3c4, 1, 0x01);
    set_reg(t, 0x3c4, 2, 0x0f);
    set_reg(t, 0x3c4, 4, 0x0e);
    set_reg(t, 0x3ce, 5, 0x40);
    set_reg(t, 0x3ce, 6, 0x05);
    set_reg(t, 0x3d4, 0x09, 0x41);
    set_reg(t, 0x3d4, 0x14, 0x40);
    set_attr(t, 0x10, 0x41);
    set_attr(t, 0x13, 0x00);
    bench_in8(&t->b, 0x3da);
    bench_out8(&t->b, 0x3c0, 0x20);
}

static void mode_13h_doubles_pixels_and_lines(void **state)
{
    struct vga_bench *t = *state;
    struct surface pic = {0};
    set_mode_13(t);
    for (unsigned i = 0; i < 64000; i++) {
        poke(t, 0xa0000 + i, (uint8_t)((i % 320 + i / 320) & 0x3f));
    }
    vga_render(&t->card.vga, &pic);
    assert_int_equal(pic.width, 640);
    assert_int_equal(pic.height, 400);
    for (unsigned i = 0; i < 640 * 400; i++) {
        unsigned x = i % 640 / 2, y = i / 640 / 2;
        assert_int_equal(pic.pixels[i], vga_dac_rgb(&t->card.vga, (uint8_t)((x + y) & 0x3f)));
    }
    surface_fini(&pic);
}

static void unchained_planes_make_mode_x(void **state)
{
    struct vga_bench *t = *state;
    struct surface pic = {0};
    set_mode_13(t);
    set_reg(t, 0x3c4, 4, 0x06);
    set_reg(t, 0x3c4, 2, 0x04);                          /* plane 2: pixels 2, 6, 10... */
    poke(t, 0xa0000 + 81, 0x0c);                         /* second line, second group */
    vga_render(&t->card.vga, &pic);
    assert_int_equal(pic.pixels[2 * 640 + 2 * 6], vga_dac_rgb(&t->card.vga, 0x0c));
    assert_int_equal(pic.pixels[2 * 640 + 2 * 5], 0);
    assert_int_equal(pic.pixels[2 * 640 + 2 * 7], 0);
    surface_fini(&pic);
}

static void planar_pixels_take_a_bit_of_each_plane(void **state)
{
    struct vga_bench *t = *state;
    struct surface pic = {0};
    set_mode_13(t);
    set_reg(t, 0x3c4, 4, 0x06);
    set_reg(t, 0x3ce, 5, 0x00);
    set_reg(t, 0x3d4, 0x09, 0x40);                       /* 640x400 */
    set_reg(t, 0x3ce, 5, 0x02);                          /* write mode 2: a colour */
    set_reg(t, 0x3ce, 8, 0x10);                          /* pixel 3 */
    peek(t, 0xa0000 + 80);
    poke(t, 0xa0000 + 80, 0x0b);
    vga_render(&t->card.vga, &pic);
    assert_int_equal(pic.pixels[640 + 3], 0x57ffff);
    assert_int_equal(pic.pixels[640 + 2], 0);
    assert_int_equal(pic.pixels[640 + 4], 0);
    surface_fini(&pic);
}

/* Mode 4: 2 bits a pixel, odd lines 8 KiB behind even ones. */
static void cga_lines_interleave(void **state)
{
    struct vga_bench *t = *state;
    struct surface pic = {0};
    set_mode_13(t);
    set_reg(t, 0x3c4, 1, 0x09);
    set_reg(t, 0x3c4, 2, 0x03);
    set_reg(t, 0x3c4, 4, 0x02);
    set_reg(t, 0x3ce, 5, 0x30);
    set_reg(t, 0x3ce, 6, 0x0f);
    set_reg(t, 0x3d4, 0x01, 0x27);
    set_reg(t, 0x3d4, 0x09, 0xc1);
    set_reg(t, 0x3d4, 0x13, 0x14);
    set_reg(t, 0x3d4, 0x17, 0xa2);
    poke(t, 0xb8000, 0x1b);                              /* pixels 0 1 2 3 */
    poke(t, 0xba000 + 80 + 1, 0xe4);                     /* line 3, pixels 4..7: 3 2 1 0 */
    vga_render(&t->card.vga, &pic);
    assert_int_equal(pic.width, 640);
    assert_int_equal(pic.height, 400);
    uint32_t pal[16];
    vga_attr_palette(&t->card.vga, pal);
    for (unsigned x = 0; x < 4; x++) {
        assert_int_equal(pic.pixels[2 * x], pal[x]);
        assert_int_equal(pic.pixels[640 + 2 * x + 1], pal[x]);
        assert_int_equal(pic.pixels[6 * 640 + 8 + 2 * x], pal[3 - x]);
        assert_int_equal(pic.pixels[7 * 640 + 8 + 2 * x], pal[3 - x]);
    }
    surface_fini(&pic);
}

static void set_vbe(struct vga_bench *t, uint16_t index, uint16_t val)
{
    bench_out16(&t->b, 0x1ce, index);
    bench_out16(&t->b, 0x1cf, val);
}

static uint16_t get_vbe(struct vga_bench *t, uint16_t index)
{
    bench_out16(&t->b, 0x1ce, index);
    assert_int_equal(bench_in16(&t->b, 0x1cf), bench_in16(&t->b, 0x1d0));
    return bench_in16(&t->b, 0x1d0);
}

static void vbe_mode(struct vga_bench *t, uint16_t w, uint16_t h, uint16_t bpp, uint16_t flags)
{
    set_vbe(t, VBE_ENABLE, 0);
    set_vbe(t, VBE_XRES, w);
    set_vbe(t, VBE_YRES, h);
    set_vbe(t, VBE_BPP, bpp);
    set_vbe(t, VBE_ENABLE, VBE_ENABLED | flags);
}

static void vbe_answers_its_id_and_limits(void **state)
{
    struct vga_bench *t = *state;
    assert_int_equal(get_vbe(t, VBE_ID), 0xb0c5);
    assert_int_equal(get_vbe(t, VBE_MEMORY_64K), 256);
    set_vbe(t, VBE_ENABLE, VBE_GETCAPS);
    assert_int_equal(get_vbe(t, VBE_XRES), 4096);
    assert_int_equal(get_vbe(t, VBE_BPP), 32);
    set_vbe(t, VBE_ENABLE, 0);
    set_vbe(t, VBE_ID, 0xb0c0);
    assert_int_equal(get_vbe(t, VBE_ID), 0xb0c0);
    set_vbe(t, VBE_ID, 0x1234);
    assert_int_equal(get_vbe(t, VBE_ID), 0xb0c0);
}

static void vbe_pictures_lie_in_the_linear_frame_buffer(void **state)
{
    static const struct {
        uint16_t bpp;
        uint32_t raw, rgb;
    } depth[] = {
        {8, 0x0c, 0xff5757}, {15, 0x7c1f, 0xff00ff}, {16, 0x07e0, 0x00ff00},
        {24, 0x123456, 0x123456}, {32, 0x99abcdef, 0xabcdef},
    };
    struct vga_bench *t = *state;
    struct surface pic = {0};
    set_mode_3(t);
    for (unsigned i = 0; i < 16; i++) {                  /* entry 12 as in text modes */
        memcpy(&t->card.vga.dac.colour[i * 3], &t->card.vga.dac.colour[t->card.vga.attr[i] * 3], 3);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(depth); i++) {
        uint32_t bytes = (depth[i].bpp + 7u) / 8;
        vbe_mode(t, 800, 600, depth[i].bpp, VBE_LFB);
        memcpy(t->card.vga.vram + (800 * 7 + 11) * bytes, &depth[i].raw, bytes);
        vga_render(&t->card.vga, &pic);
        assert_int_equal(pic.width, 800);
        assert_int_equal(pic.height, 600);
        assert_int_equal(pic.pixels[800 * 7 + 11], depth[i].rgb);
        assert_int_equal(pic.pixels[800 * 7 + 12], 0);
        set_vbe(t, VBE_VIRT_WIDTH, 1024);                /* now pan there */
        set_vbe(t, VBE_Y_OFFSET, 5);
        set_vbe(t, VBE_X_OFFSET, 8);
        memcpy(t->card.vga.vram + (1024 * 7 + 11) * bytes, &depth[i].raw, bytes);
        vga_render(&t->card.vga, &pic);
        assert_int_equal(pic.pixels[800 * 2 + 3], depth[i].rgb);
    }
    surface_fini(&pic);
}

static void the_bank_register_moves_the_window(void **state)
{
    struct vga_bench *t = *state;
    set_mode_3(t);
    vbe_mode(t, 1024, 768, 8, 0);
    set_vbe(t, VBE_BANK, 3);
    poke(t, 0xa1234, 0x77);
    assert_int_equal(t->card.vga.vram[0x31234], 0x77);
    set_vbe(t, VBE_BANK, 0x103);                         /* 256 banks: the same one */
    assert_int_equal(peek(t, 0xa1234), 0x77);
}

static void a_vbe_mode_is_made_to_fit(void **state)
{
    struct vga_bench *t = *state;
    struct surface pic = {0};
    set_mode_3(t);
    vbe_mode(t, 0xffff, 0xffff, 77, 0);
    assert_int_equal(get_vbe(t, VBE_XRES), 4096);
    assert_int_equal(get_vbe(t, VBE_YRES), 4096);
    assert_int_equal(get_vbe(t, VBE_BPP), 8);
    set_vbe(t, VBE_BPP, 32);
    assert_int_equal(get_vbe(t, VBE_YRES), 1024);
    set_vbe(t, VBE_Y_OFFSET, 0xffff);
    set_vbe(t, VBE_X_OFFSET, 0xffff);
    assert_int_equal(get_vbe(t, VBE_X_OFFSET), 0);
    vga_render(&t->card.vga, &pic);
    assert_int_equal(pic.width, 4096);
    surface_fini(&pic);
}

static void enabling_vbe_clears_unless_told_not_to(void **state)
{
    struct vga_bench *t = *state;
    t->card.vga.vram[100] = 1;
    vbe_mode(t, 640, 480, 8, VBE_NO_CLEAR);
    assert_int_equal(t->card.vga.vram[100], 1);
    vbe_mode(t, 640, 480, 8, 0);
    assert_int_equal(t->card.vga.vram[100], 0);
}

static void the_card_is_a_pci_function_with_frame_buffer_registers_and_rom(void **state)
{
    struct vga_bench *t = *state;
    struct space *mem = &t->b.m.mem;
    unsigned fn = PCI_DEVFN(2, 0);
    assert_int_equal(pci_config_read(&t->bus, fn, 0, 4), 0x11111234);
    assert_int_equal(pci_config_read(&t->bus, fn, 8, 4), 0x03000002);
    pci_config_write(&t->bus, fn, 0x10, 0xffffffff, 4);
    assert_int_equal(pci_config_read(&t->bus, fn, 0x10, 4), 0xff000008);
    pci_config_write(&t->bus, fn, 0x18, 0xffffffff, 4);
    assert_int_equal(pci_config_read(&t->bus, fn, 0x18, 4), 0xfffff000);
    pci_config_write(&t->bus, fn, 0x10, 0xfd000000, 4);
    pci_config_write(&t->bus, fn, 0x18, 0xfebf0000, 4);
    pci_config_write(&t->bus, fn, 0x30, 0xfebe0001, 4);
    pci_config_write(&t->bus, fn, 0x04, 0x0003, 2);
    machine_commit(&t->b.m);

    assert_int_equal(space_read(mem, 0xfebe0000, 4), 0x0008aa55);
    space_write(mem, 0xfd123456, 0x5a, 1);
    assert_int_equal(t->card.vga.vram[0x123456], 0x5a);
    assert_int_equal(space_read(mem, 0xfebf0500, 2), 0xb0c5);
    space_write(mem, 0xfebf0502, 640, 2);
    assert_int_equal(get_vbe(t, VBE_XRES), 640);
    assert_int_equal(space_read(mem, 0xfebf0600, 8), 0x1e1e1e1e00000008);
    space_write(mem, 0xfebf0402, 0x67, 1);               /* port 3C2h */
    assert_int_equal(bench_in8(&t->b, 0x3cc), 0x67);
    space_write(mem, 0xfebf0414, 0x280f, 2);             /* 3D4h, index and data */
    assert_int_equal(get_reg(t, 0x3d4, 0x0f), 0x28);
}

static void the_edid_is_valid_and_prefers_1280x800(void **state)
{
    struct vga_bench *t = *state;
    const uint8_t *e = t->card.edid;
    uint8_t sum = 0;
    for (unsigned i = 0; i < 128; i++) {
        sum += e[i];
    }
    assert_int_equal(sum, 0);
    assert_int_equal(ld64le(e), 0x00ffffffffffff00);
    assert_int_equal(e[56] | (e[58] >> 4) << 8, 1280);
    assert_int_equal(e[59] | (e[61] >> 4) << 8, 800);
    /* 83.5 MHz / (1680 * 831) is 60 Hz */
    assert_int_equal(ld16le(e + 54) * 10000 / ((1280 + (e[57] | (e[58] & 15) << 8)) * (800 + e[60])), 59);
    assert_memory_equal(e + 72 + 5, "coldboot\n   ", 12);
}

static void reset_and_saved_state_hold(void **state)
{
    struct vga_bench *t = *state;
    bench_fuzz_ports(&t->b, 0x3b0, 0x30, 5000, 1000);
    bench_fuzz_ports(&t->b, 0x1ce, 4, 500, 1000);
    bench_check_state(&t->b);
    bench_check_reset(&t->b);
}

static void random_registers_never_break_the_picture(void **state)
{
    struct vga_bench *t = *state;
    struct text_screen *s = NEW(struct text_screen);
    struct surface pic = {0};
    for (unsigned i = 0; i < 150; i++) {
        bench_fuzz_ports(&t->b, 0x3b0, 0x30, 300, 100000);
        bench_fuzz_ports(&t->b, 0x1ce, 4, 30, 0);
        for (unsigned k = 0; k < 200; k++) {
            uint32_t r = bench_random(&t->b);
            space_write(&t->b.m.mem, 0xa0000 + r % 0x20000, r, 1u << (r >> 30));
            space_read(&t->b.m.mem, 0xa0000 + (r >> 8) % 0x20000, 4);
        }
        if (i % 3 == 0) {                                /* mostly on, and not always VBE */
            set_vbe(t, VBE_ENABLE, i & 1);
            set_reg(t, 0x3c4, 1, (uint8_t)bench_random(&t->b) & ~0x20);
            t->card.vga.attr_index = 0x20;
        }
        vga_text(&t->card.vga, s);
        vga_render(&t->card.vga, &pic);
    }
    surface_fini(&pic);
    free(s);
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BENCH(power_on_is_dark_and_closed),
        ON_BENCH(crtc_and_status_move_with_the_io_address_bit),
        ON_BENCH(a_word_write_sets_index_and_data),
        ON_BENCH(protect_locks_the_first_eight_crtc_registers),
        ON_BENCH(reserved_register_bits_read_zero),
        ON_BENCH(the_attribute_flip_flop_is_reset_by_input_status_1),
        ON_BENCH(the_dac_takes_and_gives_three_bytes_an_entry),
        ON_BENCH(a_dac_entry_changes_with_its_third_byte),
        ON_BENCH(input_status_1_follows_the_beam),
        ON_BENCH(retrace_comes_seventy_times_a_second_to_a_poller),
        ON_BENCH(the_window_is_as_a_plain_second_implementation),
        ON_BENCH(wide_accesses_are_byte_accesses_in_order),
        ON_BENCH(text_cells_follow_start_address_and_offset),
        ON_BENCH(text_below_the_line_compare_starts_at_cell_0),
        ON_BENCH(the_cursor_is_where_its_address_is_shown),
        ON_BENCH(text_is_drawn_with_nine_dots_and_two_fonts),
        ON_BENCH(the_drawn_cursor_blinks_by_the_machines_clock),
        ON_BENCH(mode_13h_doubles_pixels_and_lines),
        ON_BENCH(unchained_planes_make_mode_x),
        ON_BENCH(planar_pixels_take_a_bit_of_each_plane),
        ON_BENCH(cga_lines_interleave),
        ON_BENCH(vbe_answers_its_id_and_limits),
        ON_BENCH(vbe_pictures_lie_in_the_linear_frame_buffer),
        ON_BENCH(the_bank_register_moves_the_window),
        ON_BENCH(a_vbe_mode_is_made_to_fit),
        ON_BENCH(enabling_vbe_clears_unless_told_not_to),
        ON_BENCH(the_card_is_a_pci_function_with_frame_buffer_registers_and_rom),
        ON_BENCH(the_edid_is_valid_and_prefers_1280x800),
        ON_BENCH(reset_and_saved_state_hold),
        ON_BENCH(random_registers_never_break_the_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
