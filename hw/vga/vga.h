/*
 * The VGA with the Bochs VBE extension: registers, the window at A0000h, text and pictures.
 *
 * Knows no bus: the owner (stdvga.h) maps the regions. Order of calls: vga_init, map the regions,
 * reset by the machine. Video memory is one block; byte n of plane p is at vram[n * 4 + p], chain-4
 * addresses and the linear frame buffer are plain offsets in it.
 */
#ifndef HW_VGA_VGA_H
#define HW_VGA_VGA_H

#include "core/device/machine.h"
#include "core/mem/dirty.h"
#include "core/ui/surface.h"

#define VGA_WINDOW_BASE  0xa0000u
#define VGA_WINDOW_BYTES 0x20000u
#define VGA_LINEAR_BYTES 0x10000u
#define VGA_TEXT_OFFSET  0x18000u     /* of B8000h in the window */
#define VGA_TEXT_BYTES   0x8000u
#define VGA_PORT_BASE    0x3b0u       /* what offset 0 of io_ports stands for */
#define VGA_PORT_BYTES   0x30u
#define VGA_VBE_PORT     0x1ceu       /* index; data at +1 and +2 */
#define VGA_VBE_BYTES    4u
#define VGA_MAX_SIZE     4096u        /* pixels of a VBE mode, each way */

enum {
    VGA_CRTC_REGS = 25,
    VGA_SEQ_REGS = 5,
    VGA_GC_REGS = 9,
    VGA_ATTR_REGS = 21,
    VGA_VBE_REGS = 10,
};

struct vga_dac {
    uint8_t mask;            /* 3C6h */
    uint8_t read_index, write_index;
    uint8_t phase;           /* 0..2: next of red, green, blue */
    uint8_t state;           /* 3C7h: 3 after a read index was set, 0 after a write index */
    uint8_t latch[2];        /* red and green of an entry being written */
    uint8_t colour[256 * 3]; /* as written: 6 bits each, 8 with VBE_8BIT_DAC */
};

/* What the window shows, if that is no more than memory. */
enum vga_window_kind {
    VGA_WINDOW_DEVICE,       /* it is more */
    VGA_WINDOW_PIXELS,       /* video memory, byte by byte */
    VGA_WINDOW_TEXT,         /* planes 0 and 1 of it */
};

struct vga {
    struct clock *clock;     /* borrowed */
    struct ram_block vram_block;
    uint8_t *vram;           /* host address of vram_block */
    uint32_t vram_bytes;     /* a power of two */
    struct ram_dirty dirty;  /* of vram_block */
    uint64_t shown;          /* hash of what vga_changed saw of the registers last */

    uint8_t misc, feature;
    uint8_t seq_index, seq[VGA_SEQ_REGS];
    uint8_t gc_index, gc[VGA_GC_REGS];
    uint8_t crtc_index, crtc[VGA_CRTC_REGS];
    uint8_t attr_index;      /* bit 5: the picture is on */
    uint8_t attr[VGA_ATTR_REGS];
    bool attr_data;          /* flip-flop: the next write to 3C0h is data */
    struct vga_dac dac;
    uint32_t latch;          /* plane p in byte p */
    uint16_t vbe_index, vbe[VGA_VBE_REGS];
    enum vga_window_kind window_kind; /* what the window could be beside a device */
    uint16_t window_uses;    /* accesses of it since then, up to some */
    struct ram_block text_block; /* the window of a text mode while that is memory, */
    uint8_t *text;           /* host address of it */
    bool text_is_memory;
    bool text_is_late;       /* the block may have what the planes have not, since that ended: */
    uint8_t *text_given;     /* these bytes they got */
    const bool *commit_pending; /* the machine's */
    struct ram_dirty text_dirty;

    struct region io_ports;  /* 3B0h..3DFh; not mapped itself */
    struct region crtc_mono, status_mono, regs, crtc_colour, status_colour; /* aliases, for ports */
    struct region vbe_ports; /* 1CEh..1D1h */
    struct region window;    /* A0000h..BFFFFh */
    struct region lfb;       /* video memory */
    struct region lfb_memory; /* in it: vram_block, and over the part that text_block is of */
    struct region lfb_text;
    struct region linear;    /* the first 64 KiB at A0000h, while the window is no more than that */
    struct region text_memory; /* text_block at B8000h, likewise */
    struct display_source source;
};

/* Creates video memory (@vram_bytes: a power of two, 256 KiB to 256 MiB) and the regions, maps the
 * ports into @ports, and registers the device "vga". The window, linear and text_memory above it
 * (at +VGA_TEXT_OFFSET), and lfb are the caller's to map. */
bool vga_init(struct vga *v, struct machine *m, struct region *ports, uint32_t vram_bytes,
              struct error **err);

/* One VBE register by index, as through ports 1CEh and 1CFh; the PCI function maps them in
 * memory. */
uint16_t vga_vbe_read(struct vga *v, unsigned index);
void vga_vbe_write(struct vga *v, unsigned index, uint16_t val);

#endif
