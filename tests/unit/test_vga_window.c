/*
 * hw/vga/vga_window.c: when the window is memory. What it shows as a device is in test_vga.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "vga_bench.h"

static bool window_is_memory(struct vga_bench *t)
{
    machine_commit(&t->b.m);
    const struct view_range *r = view_find(t->b.m.mem.view, 0xa0000);
    return r->rd.region == &t->card.vga.lfb_memory && r->wr.region == r->rd.region &&
           r->rd.off == 0 && r->end == 0xb0000;
}

/* Mode 13h, and enough accesses to be worth a change of the view. */
static void use_256_colours(struct vga_bench *t)
{
    bench_out8(&t->b, 0x3c2, 0x02);
    set_reg(t, 0x3c4, SEQ_MAP_MASK, 0x0f);
    set_reg(t, 0x3c4, SEQ_MEMORY, 0x0e);
    set_reg(t, 0x3ce, GC_MODE, 0x40);
    set_reg(t, 0x3ce, GC_MISC, 0x05);
    set_reg(t, 0x3ce, GC_BIT_MASK, 0xff);
    for (uint32_t i = 0; i < 5000; i++) {
        poke(t, 0xa0000 + i, (uint8_t)(i * 3));
    }
}

static void the_window_of_256_colours_becomes_memory(void **state)
{
    struct vga_bench *t = *state;
    use_256_colours(t);
    assert_true(window_is_memory(t));
    for (uint32_t i = 0; i < 5000; i++) {
        assert_int_equal(peek(t, 0xa0000 + i), (uint8_t)(i * 3));
        assert_int_equal(t->card.vga.vram[i], (uint8_t)(i * 3));
    }
    poke(t, 0xaffff, 0x77);
    assert_int_equal(t->card.vga.vram[0xffff], 0x77);
}

static void pixels_end_where_a_register_says_more(void **state)
{
    static const struct {
        uint16_t port;
        uint8_t index, other, val;
    } changes[] = {
        {0x3c4, SEQ_MAP_MASK, 0x07, 0x0f},  {0x3c4, SEQ_MEMORY, 0x06, 0x0e},
        {0x3ce, GC_ENABLE_SR, 0x01, 0x00},  {0x3ce, GC_ROTATE, 0x01, 0x00},
        {0x3ce, GC_MODE, 0x41, 0x40},       {0x3ce, GC_MODE, 0x48, 0x40},
        {0x3ce, GC_MISC, 0x01, 0x05},       {0x3ce, GC_BIT_MASK, 0x7f, 0xff},
    };
    struct vga_bench *t = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(changes); i++) {
        use_256_colours(t);
        assert_true(window_is_memory(t));
        set_reg(t, changes[i].port, changes[i].index, changes[i].other);
        assert_false(window_is_memory(t));
        set_reg(t, changes[i].port, changes[i].index, changes[i].val);
        assert_false(window_is_memory(t)); /* before it is used again */
    }
    use_256_colours(t);
    bench_out8(&t->b, 0x3c2, 0x00);
    assert_false(window_is_memory(t));
    use_256_colours(t);
    set_vbe(t, VBE_BANK, 1);
    assert_false(window_is_memory(t));
}

static bool text_is_memory(struct vga_bench *t)
{
    machine_commit(&t->b.m);
    const struct view_range *r = view_find(t->b.m.mem.view, 0xb8000);
    return r->rd.region == &t->card.vga.text_memory && r->wr.region == r->rd.region &&
           r->start == 0xb8000 && r->rd.off == 0 && r->end == 0xc0000;
}

static uint8_t text_pattern(unsigned i)
{
    return (uint8_t)(i * 7 + i / 251);
}

/* Mode 3, and enough accesses to be worth a change of the view. */
static void use_text(struct vga_bench *t)
{
    set_mode_3(t);
    for (unsigned i = 0; i < 5000; i++) {
        poke(t, 0xb8000 + i, text_pattern(i));
    }
}

static void the_window_of_a_text_mode_becomes_memory(void **state)
{
    struct vga_bench *t = *state;
    struct text_screen *screen = NEW(struct text_screen);
    struct vga *v = &t->card.vga;
    use_text(t);
    vga_changed(v);
    assert_true(text_is_memory(t));
    for (unsigned i = 0; i < 5000; i++) {
        assert_int_equal(peek(t, 0xb8000 + i), text_pattern(i));
    }
    assert_false(vga_changed(v));
    poke(t, 0xb8000 + 2 * 81, 'x');
    assert_true(vga_changed(v));
    assert_true(vga_text(v, screen));
    assert_int_equal(screen->cells[1][1].ch, 'x');
    assert_int_equal(screen->cells[1][1].attr, text_pattern(2 * 81 + 1));
    assert_int_equal(screen->cells[24][79].ch, text_pattern(2 * 1999));
    poke(t, 0xbffff, 0x3c); /* the last byte, which no part of this picture shows */
    set_reg(t, 0x3ce, GC_MISC, 0x05);
    assert_int_equal(v->vram[4 * 0x3fff + 1], 0x3c);
    free(screen);
}

static void text_ends_where_a_register_says_more(void **state)
{
    static const struct {
        uint16_t port;
        uint8_t index, other;
    } changes[] = {
        {0x3c4, SEQ_MAP_MASK, 0x07}, {0x3c4, SEQ_MEMORY, 0x06},  {0x3c4, SEQ_MEMORY, 0x0a},
        {0x3ce, GC_ENABLE_SR, 0x01}, {0x3ce, GC_ROTATE, 0x01},   {0x3ce, GC_READ_MAP, 0x02},
        {0x3ce, GC_MODE, 0x11},      {0x3ce, GC_MODE, 0x18},     {0x3ce, GC_MODE, 0x00},
        {0x3ce, GC_MISC, 0x0a},      {0x3ce, GC_MISC, 0x0f},     {0x3ce, GC_BIT_MASK, 0x7f},
    };
    struct vga_bench *t = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(changes); i++) {
        use_text(t);
        assert_true(text_is_memory(t));
        poke(t, 0xb8000, (uint8_t)i);
        poke(t, 0xb8001, (uint8_t)~i);
        set_reg(t, changes[i].port, changes[i].index, changes[i].other);
        assert_false(text_is_memory(t));
        assert_int_equal(t->card.vga.vram[0], (uint8_t)i);
        assert_int_equal(t->card.vga.vram[1], (uint8_t)~i);
        assert_int_equal(t->card.vga.vram[4 * 2400], text_pattern(4800));
        set_mode_3(t);
        assert_false(text_is_memory(t)); /* before it is used again */
        assert_int_equal(peek(t, 0xb8001), (uint8_t)~i);
    }
}

/* As the memory ends with the access that says so, a VBE mode clears what was there. */
static void a_vbe_mode_clears_text(void **state)
{
    struct vga_bench *t = *state;
    use_text(t);
    assert_true(text_is_memory(t));
    vbe_mode(t, 640, 480, 32, 0);
    assert_false(text_is_memory(t));
    for (unsigned i = 0; i < 20000; i++) {
        assert_int_equal(t->card.vga.vram[i], 0);
    }
    set_vbe(t, VBE_ENABLE, 0);
    use_text(t);
    assert_true(text_is_memory(t));
    vbe_mode(t, 640, 480, 32, VBE_NO_CLEAR);
    assert_int_equal(t->card.vga.vram[4], text_pattern(2));
}

/* The linear frame buffer has the same bytes all the time, and the fonts beside them. */
static void the_frame_buffer_shows_text(void **state)
{
    struct vga_bench *t = *state;
    struct space *mem = &t->b.m.mem;
    pci_config_write(&t->bus, PCI_DEVFN(2, 0), 0x10, 0xfd000000, 4);
    pci_config_write(&t->bus, PCI_DEVFN(2, 0), 0x04, 0x0003, 2);
    set_mode_3(t);
    set_reg(t, 0x3c4, SEQ_MAP_MASK, 0x04);
    set_reg(t, 0x3c4, SEQ_MEMORY, 0x06);
    poke(t, 0xb8003, 0x5a); /* plane 2 of cell 3 */
    use_text(t);
    assert_true(text_is_memory(t));
    uint64_t cell = 0x5a0000 | text_pattern(7) << 8 | text_pattern(6);
    assert_int_equal(space_read(mem, 0xfd00000c, 4), cell);
    space_write(mem, 0xfd00000c, 0x11223344, 4);
    assert_int_equal(space_read(mem, 0xfd00000c, 4), 0x11223344);
    assert_int_equal(space_read(mem, 0xb8006, 2), 0x3344);
    assert_int_equal(t->card.vga.vram[14], 0x22);
    uint8_t seen[4];
    assert_int_equal(space_peek_bytes(mem, 0xfd00000c, seen, 4), 4);
    assert_int_equal(seen[0], 0x44);
    assert_true(text_is_memory(t));
    space_write(mem, 0xfd010000, 0xab, 1); /* behind what the window reaches */
    assert_int_equal(t->card.vga.vram[0x10000], 0xab);
    set_reg(t, 0x3ce, GC_MISC, 0x05);
    assert_false(text_is_memory(t));
    assert_int_equal(space_read(mem, 0xfd00000c, 4), 0x11223344);
}

/* Accesses of the window while the view is not what it will be. */
static void until_the_commit_the_device_leads_to_text(void **state)
{
    struct vga_bench *t = *state;
    use_text(t);
    assert_int_equal(t->card.vga.text_is_memory, true);
    assert_int_equal(space_read(&t->b.m.mem, 0xb8000, 2), text_pattern(1) << 8 | text_pattern(0));
    space_write(&t->b.m.mem, 0xb7fff, 0x123456, 4);
    assert_int_equal(space_read(&t->b.m.mem, 0xb7fff, 4), 0x1234ff);
    assert_true(text_is_memory(t));
    assert_int_equal(peek(t, 0xb8001), 0x12);
}

/* Another processor stores to the block until the view is committed. */
static void late_stores_to_text_reach_the_planes(void **state)
{
    struct vga_bench *t = *state;
    struct vga *v = &t->card.vga;
    use_text(t);
    assert_true(text_is_memory(t));
    bench_out8(&t->b, 0x3ce, GC_BIT_MASK);
    space_write(&t->b.m.ports, 0x3cf, 0x7f, 1);
    assert_true(t->b.m.commit_pending);
    v->text[7] = 0x11;
    vga_changed(v);
    assert_int_equal(v->vram[4 * 3 + 1], 0x11);
    v->text[8] = 0x22;
    assert_false(text_is_memory(t));
    peek(t, 0xb8006);
    assert_int_equal(v->vram[4 * 4], 0x22);
    v->text[9] = 0x44;                                  /* by nobody: all have left it */
    peek(t, 0xb8006);
    assert_int_equal(v->vram[4 * 4 + 1], text_pattern(9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BENCH(the_window_of_256_colours_becomes_memory),
        ON_BENCH(pixels_end_where_a_register_says_more),
        ON_BENCH(the_window_of_a_text_mode_becomes_memory),
        ON_BENCH(text_ends_where_a_register_says_more),
        ON_BENCH(a_vbe_mode_clears_text),
        ON_BENCH(the_frame_buffer_shows_text),
        ON_BENCH(until_the_commit_the_device_leads_to_text),
        ON_BENCH(late_stores_to_text_reach_the_planes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
