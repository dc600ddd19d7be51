/*
 * The std VGA on a bench (bench.h), with a PCI bus in front of it. A test program includes
 * <cmocka.h> and what that needs before this file.
 */
#ifndef TESTS_UNIT_VGA_BENCH_H
#define TESTS_UNIT_VGA_BENCH_H

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

static inline int setup(void **state)
{
    struct vga_bench *t = NEW(struct vga_bench);
    struct error *err = NULL;
    bench_init(&t->b);
    region_container(&t->pci_mem, "pci", 4 * GiB);
    region_map(&t->b.m.mem.root, &t->pci_mem, 0, 1);
    pci_bus_init(&t->bus, &t->b.m, &t->pci_mem);
    if (!stdvga_init(&t->card, &t->b.m, &t->bus, PCI_DEVFN(2, 0), rom_image, sizeof(rom_image),
                     &err)) {
        fail_msg("%s", error_text(err));
    }
    bench_power_on(&t->b);
    *state = t;
    return 0;
}

static inline int teardown(void **state)
{
    struct vga_bench *t = *state;
    bench_fini(&t->b);
    free(t);
    return 0;
}

static inline void set_reg(struct vga_bench *t, uint16_t port, uint8_t index, uint8_t val)
{
    bench_out8(&t->b, port, index);
    bench_out8(&t->b, port + 1, val);
}

static inline uint8_t get_reg(struct vga_bench *t, uint16_t port, uint8_t index)
{
    bench_out8(&t->b, port, index);
    return bench_in8(&t->b, port + 1);
}

static inline void set_attr(struct vga_bench *t, uint8_t index, uint8_t val)
{
    bench_in8(&t->b, 0x3da);
    bench_out8(&t->b, 0x3c0, index);
    bench_out8(&t->b, 0x3c0, val);
}

static inline void poke(struct vga_bench *t, uint32_t addr, uint8_t val)
{
    space_write(&t->b.m.mem, addr, val, 1);
}

static inline uint8_t peek(struct vga_bench *t, uint32_t addr)
{
    return (uint8_t)space_read(&t->b.m.mem, addr, 1);
}

/* What a BIOS sets for mode 3: 80x25, 9x16, 720x400 at 70 Hz. */
static inline void set_mode_3(struct vga_bench *t)
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

static inline void put_cell(struct vga_bench *t, unsigned cell, uint8_t ch, uint8_t attr)
{
    poke(t, 0xb8000 + cell * 2, ch);
    poke(t, 0xb8000 + cell * 2 + 1, attr);
}

static inline void set_vbe(struct vga_bench *t, uint16_t index, uint16_t val)
{
    bench_out16(&t->b, 0x1ce, index);
    bench_out16(&t->b, 0x1cf, val);
}

static inline uint16_t get_vbe(struct vga_bench *t, uint16_t index)
{
    bench_out16(&t->b, 0x1ce, index);
    assert_int_equal(bench_in16(&t->b, 0x1cf), bench_in16(&t->b, 0x1d0));
    return bench_in16(&t->b, 0x1d0);
}

static inline void vbe_mode(struct vga_bench *t, uint16_t w, uint16_t h, uint16_t bpp,
                            uint16_t flags)
{
    set_vbe(t, VBE_ENABLE, 0);
    set_vbe(t, VBE_XRES, w);
    set_vbe(t, VBE_YRES, h);
    set_vbe(t, VBE_BPP, bpp);
    set_vbe(t, VBE_ENABLE, VBE_ENABLED | flags);
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
