/* The VGA: registers, the window against a second, plain implementation, timing, VBE and PCI. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vga_bench.h"

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

/* As text modes use them, with one register at a time otherwise than mode 3 has it. */
static void words_are_two_bytes_of_the_plain_implementation(void **state)
{
    static const uint8_t mode_3[9] = {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff};
    struct vga_bench *t = *state;
    struct plain *p = NEW(struct plain);
    set_mode_3(t);
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t r = bench_random(&t->b);
        if (r % 64 == 0) {
            for (uint8_t n = 0; n < 9; n++) {
                set_reg(t, 0x3ce, n, mode_3[n]);
            }
            set_reg(t, 0x3c4, 2, r & 0x10000 ? 3 : (uint8_t)(r >> 24));
            set_reg(t, 0x3c4, 4, (r & 0x60000) == 0 ? (uint8_t)(r >> 24) : 2);
            set_reg(t, 0x3ce, (uint8_t)(r >> 8 & 0xff) % 12, (uint8_t)(r >> 20));
        }
        uint32_t addr = 0xa0000 + (r >> 8 & 3) * 0x8000 + (bench_random(&t->b) & 0x1f);
        if (r & 0x80) {
            uint16_t val = (uint16_t)bench_random(&t->b);
            space_write(&t->b.m.mem, addr, val, 2);
            plain_write(t, p, addr, (uint8_t)val);
            plain_write(t, p, addr + 1, (uint8_t)(val >> 8));
        } else {
            unsigned low = plain_read(t, p, addr), high = plain_read(t, p, addr + 1);
            assert_int_equal(space_read(&t->b.m.mem, addr, 2), low | high << 8);
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

static void vbe_leaves_the_sequencer_as_it_was(void **state)
{
    struct vga_bench *t = *state;
    set_mode_3(t);
    vbe_mode(t, 640, 480, 8, 0);
    assert_int_equal(get_reg(t, 0x3c4, 4), 0x02);
    poke(t, 0xa0003, 0x5a);                              /* linear all the same */
    assert_int_equal(t->card.vga.vram[3], 0x5a);
    set_vbe(t, VBE_ENABLE, 0);
    set_reg(t, 0x3ce, 6, 0x0e);
    put_cell(t, 1, 'x', 7);
    assert_int_equal(t->card.vga.vram[4], 'x');
}

static void a_hostile_saved_state_is_brought_into_range(void **state)
{
    struct vga_bench *t = *state;
    struct vga *v = &t->card.vga;
    struct surface pic = {0};
    for (unsigned i = 0; i < 2000; i++) {
        for (struct device *d = t->b.m.devices; d != NULL; d = d->next) {
            struct state_buf buf;
            size_t used;
            if (d->dev != v) {
                continue;
            }
            bench_save(&t->b, d, &buf);
            for (unsigned k = 0; k < 50; k++) {
                buf.data[bench_random(&t->b) % buf.len] = (uint8_t)bench_random(&t->b);
            }
            state_load(d->type->state, v, &t->b.m.clock, buf.data, buf.len, &used, NULL);
            d->type->loaded(v);                          /* also what was loaded before a refusal */
            state_buf_free(&buf);
        }
        poke(t, 0xb8000, 1);
        peek(t, 0xb8000);
        bench_fuzz_ports(&t->b, 0x3b0, 0x30, 20, 1000);
        if (i % 50 == 0) {
            vga_render(v, &pic);
        }
    }
    surface_fini(&pic);
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
    unsigned frame = (1280 + (e[57] | (e[58] & 15) << 8)) * (800 + e[60]);
    assert_int_equal(ld16le(e + 54) * 10000 / frame, 59);
    assert_memory_equal(e + 72 + 5, "coldboot\n   ", 12);
}

static void a_debuggers_look_leaves_the_latches(void **state)
{
    struct vga_bench *t = *state;
    uint8_t seen[2];
    bench_out8(&t->b, 0x3c2, 0x02);
    t->card.vga.vram[0] = 0x11;
    t->card.vga.vram[4] = 0x22;
    peek(t, 0xa0000);
    uint32_t latch = t->card.vga.latch;
    assert_int_equal(space_peek_bytes(&t->b.m.mem, 0xa0000, seen, 2), 2);
    assert_int_equal(seen[1], 0x22);
    assert_int_equal(t->card.vga.latch, latch);
    assert_int_equal(space_read_bytes(&t->b.m.mem, 0xa0000, seen, 2), 2);
    assert_int_not_equal(t->card.vga.latch, latch);
}

static void reset_and_saved_state_hold(void **state)
{
    struct vga_bench *t = *state;
    bench_fuzz_ports(&t->b, 0x3b0, 0x30, 5000, 1000);
    bench_fuzz_ports(&t->b, 0x1ce, 4, 500, 1000);
    bench_check_state(&t->b);
    bench_check_reset(&t->b);
}

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
        ON_BENCH(words_are_two_bytes_of_the_plain_implementation),
        ON_BENCH(wide_accesses_are_byte_accesses_in_order),
        ON_BENCH(vbe_answers_its_id_and_limits),
        ON_BENCH(the_bank_register_moves_the_window),
        ON_BENCH(a_vbe_mode_is_made_to_fit),
        ON_BENCH(enabling_vbe_clears_unless_told_not_to),
        ON_BENCH(vbe_leaves_the_sequencer_as_it_was),
        ON_BENCH(a_hostile_saved_state_is_brought_into_range),
        ON_BENCH(the_card_is_a_pci_function_with_frame_buffer_registers_and_rom),
        ON_BENCH(the_edid_is_valid_and_prefers_1280x800),
        ON_BENCH(a_debuggers_look_leaves_the_latches),
        ON_BENCH(reset_and_saved_state_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
