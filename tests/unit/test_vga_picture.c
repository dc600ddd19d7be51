/* What the VGA shows: text cells and the pixels of every kind of mode. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vga_bench.h"

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
    set_reg(t, 0x3d4, 0x07, 0x0f);                  /* line compare 20 * 16 - 1 = 13Fh: bit 8 off */
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

static void forty_columns_have_dots_twice_as_wide(void **state)
{
    struct vga_bench *t = *state;
    struct surface pic = {0};
    set_mode_3(t);
    load_stripe_font(t);
    set_reg(t, 0x3c4, 1, 0x08);
    set_reg(t, 0x3d4, 0x11, 0x00);
    set_reg(t, 0x3d4, 0x01, 0x27);
    set_reg(t, 0x3d4, 0x0a, 0x20);
    put_cell(t, 0, 0x06, 0x1e);                          /* second dot */
    vga_render(&t->card.vga, &pic);
    assert_int_equal(pic.width, 640);
    for (unsigned d = 0; d < 16; d++) {
        assert_int_equal(pic.pixels[d], d / 2 == 1 ? 0xffff57 : 0x0000a8);
    }
    surface_fini(&pic);
}

/* [VGA] "Horizontal Pixel Panning Register": in nine-dot modes 8 is none and 0 is one dot. */
static void panning_moves_the_picture_left_down_to_the_split(void **state)
{
    struct vga_bench *t = *state;
    struct surface pic = {0};
    set_mode_3(t);
    load_stripe_font(t);
    set_reg(t, 0x3d4, 0x0a, 0x20);
    set_reg(t, 0x3d4, 0x11, 0x00);
    set_reg(t, 0x3d4, 0x07, 0x0f);                      /* line compare 0C7h: a split at line 200 */
    set_reg(t, 0x3d4, 0x09, 0x0f);
    set_reg(t, 0x3d4, 0x18, 0xc7);
    set_reg(t, 0x3d4, 0x08, 0x05);                       /* preset row scan: the first row has 11 */
    for (unsigned cell = 0; cell < 160; cell++) {
        put_cell(t, cell, 0x00, cell < 80 ? 0x1e : 0x2f); /* the eighth dot of each */
    }
    set_attr(t, 0x13, 2);                                /* three dots */
    set_attr(t, 0x10, 0x2c);                             /* none below the split */
    bench_out8(&t->b, 0x3c0, 0x20);
    vga_render(&t->card.vga, &pic);
    assert_int_equal(pic.pixels[4], 0xffff57);
    assert_int_equal(pic.pixels[7], 0x0000a8);
    assert_int_equal(pic.pixels[720 * 10 + 4], 0xffff57);
    assert_int_equal(pic.pixels[720 * 11 + 4], 0xffffff);
    assert_int_equal(pic.pixels[720 * 199], 0);
    assert_int_equal(pic.pixels[720 * 200 + 7], 0xffff57);
    assert_int_equal(pic.pixels[720 * 215 + 7], 0xffff57);
    assert_int_equal(pic.pixels[720 * 216 + 7], 0xffffff);
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

static void vbe_pictures_lie_in_the_linear_frame_buffer(void **state)
{
    static const struct {
        uint16_t bpp;
        uint32_t raw, rgb;
    } depth[] = {
        {8, 0x0c, 0xff5757}, {15, 0x7c1f, 0xf800f8}, {16, 0x07e0, 0x00ff00},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BENCH(text_cells_follow_start_address_and_offset),
        ON_BENCH(text_below_the_line_compare_starts_at_cell_0),
        ON_BENCH(the_cursor_is_where_its_address_is_shown),
        ON_BENCH(text_is_drawn_with_nine_dots_and_two_fonts),
        ON_BENCH(forty_columns_have_dots_twice_as_wide),
        ON_BENCH(panning_moves_the_picture_left_down_to_the_split),
        ON_BENCH(the_drawn_cursor_blinks_by_the_machines_clock),
        ON_BENCH(mode_13h_doubles_pixels_and_lines),
        ON_BENCH(unchained_planes_make_mode_x),
        ON_BENCH(planar_pixels_take_a_bit_of_each_plane),
        ON_BENCH(cga_lines_interleave),
        ON_BENCH(vbe_pictures_lie_in_the_linear_frame_buffer),
        ON_BENCH(random_registers_never_break_the_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
