/* What the files of the VGA share. Registers are named as in [VGA], with their indices. */
#ifndef HW_VGA_VGA_INTERNAL_H
#define HW_VGA_VGA_INTERNAL_H

#include "core/base/bits.h"
#include "hw/vga/vga.h"

/* Miscellaneous output */
enum { MISC_COLOUR = 0x01, MISC_RAM = 0x02, MISC_CLOCK = 0x0c };

/* Sequencer */
enum { SEQ_RESET, SEQ_CLOCKING, SEQ_MAP_MASK, SEQ_FONT, SEQ_MEMORY };
enum { CLOCKING_8DOT = 0x01, CLOCKING_HALF = 0x08, CLOCKING_OFF = 0x20 };
enum { SEQMEM_SEQUENTIAL = 0x04, SEQMEM_CHAIN4 = 0x08 };

/* Graphics controller */
enum {
    GC_SET_RESET,
    GC_ENABLE_SR,
    GC_COMPARE,
    GC_ROTATE,
    GC_READ_MAP,
    GC_MODE,
    GC_MISC,
    GC_DONT_CARE,
    GC_BIT_MASK,
};
enum {
    GCMODE_WRITE = 0x03,
    GCMODE_COMPARE = 0x08,
    GCMODE_ODD_EVEN = 0x10,
    GCMODE_CGA = 0x20,
    GCMODE_256 = 0x40,
};
enum { GCMISC_GRAPHICS = 0x01, GCMISC_MAP = 0x0c };

/* CRT controller */
enum {
    CRTC_HTOTAL = 0x00,
    CRTC_HDISP = 0x01,
    CRTC_VTOTAL = 0x06,
    CRTC_OVERFLOW = 0x07,
    CRTC_PRESET = 0x08,
    CRTC_MAX_SCAN = 0x09,
    CRTC_CURSOR_START = 0x0a,
    CRTC_CURSOR_END = 0x0b,
    CRTC_START_HIGH = 0x0c,
    CRTC_START_LOW = 0x0d,
    CRTC_CURSOR_HIGH = 0x0e,
    CRTC_CURSOR_LOW = 0x0f,
    CRTC_VRS = 0x10,
    CRTC_VRE = 0x11,
    CRTC_VDISP = 0x12,
    CRTC_OFFSET = 0x13,
    CRTC_MODE = 0x17,
    CRTC_LINE_COMPARE = 0x18,
};
enum { MAX_SCAN_DOUBLE = 0x80, CURSOR_OFF = 0x20, VRE_PROTECT = 0x80 };
enum {
    CRTCMODE_NO_CGA = 0x01,
    CRTCMODE_NO_HERC = 0x02,
    CRTCMODE_HALF = 0x04,
    CRTCMODE_BYTE = 0x40,
};

/* Attribute controller */
enum { ATTR_MODE = 0x10, ATTR_OVERSCAN, ATTR_PLANES, ATTR_PAN, ATTR_COLOUR };
enum {
    ATTRMODE_LINE_GRAPHICS = 0x04,
    ATTRMODE_BLINK = 0x08,
    ATTRMODE_SPLIT_PAN = 0x20,
    ATTRMODE_P54 = 0x80,
};
enum { ATTR_INDEX_ON = 0x20 };

/* Bochs VBE registers */
enum {
    VBE_ID,
    VBE_XRES,
    VBE_YRES,
    VBE_BPP,
    VBE_ENABLE,
    VBE_BANK,
    VBE_VIRT_WIDTH,
    VBE_VIRT_HEIGHT,
    VBE_X_OFFSET,
    VBE_Y_OFFSET,
    VBE_MEMORY_64K,
};
enum {
    VBE_ENABLED = 0x01,
    VBE_GETCAPS = 0x02,
    VBE_8BIT_DAC = 0x20,
    VBE_LFB = 0x40,      /* the frame buffer is always there: nothing depends on it */
    VBE_NO_CLEAR = 0x80,
};

/* Plane mask (bit p for plane p) as bytes FFh or 00h of a cell. */
extern const uint32_t vga_planes[16];

/* Vertical and horizontal counts of the CRTC, in scan lines and dots. */
struct vga_timing {
    uint32_t dot_hz;
    uint32_t cell_dots;          /* width of a character, 8 or 9 */
    uint32_t htotal, hdisp;      /* dots */
    uint32_t vtotal, vdisp;      /* lines */
    uint32_t vretrace, vretrace_lines;
};
void vga_get_timing(const struct vga *v, struct vga_timing *t);

/* How the CRTC walks through video memory. */
struct vga_scan {
    uint32_t start;              /* cell of the first character clock */
    uint32_t pitch;              /* cells from one row to the next */
    unsigned row_lines;          /* lines of a row, 1..32 */
    unsigned repeat;             /* times each line is drawn, 1 or 2 */
    unsigned preset;             /* line of its row that the first one is */
    uint32_t line_compare;       /* after this line comes cell 0 */
};
void vga_get_scan(const struct vga *v, struct vga_scan *s);

/* Text geometry; false in graphics modes. */
struct vga_text_layout {
    unsigned cols, rows, cell_width, cell_height;
    unsigned cursor_first, cursor_last; /* lines of a cell */
    uint32_t cursor;                    /* its cell */
    bool cursor_on;
    struct vga_scan scan;
};
bool vga_text_layout(const struct vga *v, struct vga_text_layout *l);

/* 00RRGGBB of DAC entry @index, through the pixel mask. */
uint32_t vga_dac_rgb(const struct vga *v, uint8_t index);
/* The 16 colours of the attribute controller as 00RRGGBB. */
void vga_attr_palette(const struct vga *v, uint32_t out[16]);

/* The picture is switched on. */
static inline bool vga_video_on(const struct vga *v)
{
    return (v->attr_index & ATTR_INDEX_ON) && !(v->seq[SEQ_CLOCKING] & CLOCKING_OFF);
}

static inline bool vga_vbe_on(const struct vga *v)
{
    return v->vbe[VBE_ENABLE] & VBE_ENABLED;
}

/* The window is linear, whatever the sequencer says: modes with whole pixels in memory. */
static inline bool vga_vbe_chained(const struct vga *v)
{
    return vga_vbe_on(v) && v->vbe[VBE_BPP] != 4;
}

/* Bytes from one line of a VBE mode to the next. */
uint32_t vga_vbe_pitch(const struct vga *v);
uint32_t vga_vbe_start(const struct vga *v);    /* byte of its first pixel */
void vga_vbe_reset(struct vga *v);

/* After a load: what the registers cannot hold is brought back into range. */
void vga_regs_loaded(struct vga *v);
void vga_vbe_loaded(struct vga *v);

/* An address is a byte of the planes one after the other. */
static inline bool vga_chained(const struct vga *v)
{
    return (v->seq[SEQ_MEMORY] & SEQMEM_CHAIN4) || vga_vbe_chained(v);
}

/* The planes get what the guest writes, whatever the latches hold. */
static inline bool vga_writes_plain(const struct vga *v)
{
    const uint8_t *gc = v->gc;
    return !(gc[GC_MODE] & GCMODE_WRITE) && gc[GC_ROTATE] == 0 && gc[GC_ENABLE_SR] == 0 &&
           gc[GC_BIT_MASK] == 0xff;
}

/* A byte of the cell at @addr of the planes: 0 is the character, 1 the attribute. */
static inline uint8_t vga_text_byte(const struct vga *v, uint32_t addr, unsigned plane)
{
    return v->text_is_memory && addr < VGA_TEXT_BYTES / 2 ? v->text[addr * 2 + plane]
                                                          : v->vram[addr * 4 + plane];
}

/* ---- vga_window.c ---- */
bool vga_window_init(struct vga *v, struct machine *m, struct error **err);
/* Registers that say what the window is may have changed; were loaded, with all memory. */
void vga_window_follow(struct vga *v);
void vga_window_loaded(struct vga *v);
/* The guest is about to use it as a device. */
void vga_window_used(struct vga *v);
/* While text_is_late: before anyone looks at the planes. */
void vga_window_take_late(struct vga *v);
/* While text is memory. */
uint64_t vga_text_window_read(const struct vga *v, uint32_t off, unsigned size);
void vga_text_window_write(struct vga *v, uint32_t off, uint64_t val, unsigned size);

extern const struct region_ops vga_port_ops, vga_window_ops, vga_vbe_ops;

bool vga_text(void *dev, struct text_screen *out);
void vga_render(void *dev, struct surface *out);
bool vga_changed(void *dev);
/* The cursor of text modes is in the half of its blinking that shows it. */
bool vga_cursor_phase(const struct vga *v);

#endif
