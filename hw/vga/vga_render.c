/*
 * The VGA's picture in pixels, every mode: text, planar, CGA, 256 colours and VBE.
 *
 * Source: [VGA] "Alphanumeric Modes", "All Points Addressable Modes", "CRT Controller Registers",
 *         "Attribute Controller Registers"; [BOCHS-VBE].
 * Model:  one line at a time, as the CRTC walks. Text is drawn to look as on QEMU, so that pictures
 *         can be compared: attribute bit 7 is a bright background whatever the blink bit says, the
 *         cursor blinks by the machine's clock, the ninth dot repeats the eighth for B0h-DFh, where
 *         [VGA] says C0h-DFh (shades then have no gaps), and white is F8F8F8h at 15 bits a pixel.
 */
#include "core/base/bytes.h"
#include "hw/vga/vga_internal.h"

#include <string.h>

#define CURSOR_PHASE_NS (NS_PER_SEC * 16 / 70) /* 16 frames on, 16 off */
#define MAX_LINE_DOTS   (256u * 16 + 16)       /* HDISP + 1 characters of 16 dots, and panning */
#define BLANK_WIDTH     720u
#define BLANK_HEIGHT    400u

/* Where the CRTC is. */
struct walk {
    struct vga_scan scan;
    uint32_t addr;               /* cell at the left of this row */
    unsigned row_line;           /* line within the row */
    unsigned repeated;           /* times it was drawn already */
    bool split;                  /* below the line compare */
};

static void walk_begin(const struct vga *v, struct walk *w)
{
    *w = (struct walk){0};
    vga_get_scan(v, &w->scan);
    w->addr = w->scan.start;
    w->row_line = (unsigned)min_u64(w->scan.preset, w->scan.row_lines - 1);
}

static void walk_next(struct walk *w, uint32_t line)
{
    if (line == w->scan.line_compare) {
        w->addr = w->row_line = w->repeated = 0;
        w->split = true;
        return;
    }
    if (++w->repeated < w->scan.repeat) {
        return;
    }
    w->repeated = 0;
    if (++w->row_line >= w->scan.row_lines) {
        w->row_line = 0;
        w->addr += w->scan.pitch;
    }
}

/* [VGA] "Horizontal Pixel Panning Register": dots that the picture is moved to the left by. */
static unsigned pan_dots(const struct vga *v, const struct walk *w, unsigned cell_dots)
{
    unsigned pan = v->attr[ATTR_PAN];
    if (w->split && (v->attr[ATTR_MODE] & ATTRMODE_SPLIT_PAN)) {
        pan = cell_dots == 9 ? 8 : 0;
    }
    if (cell_dots == 9) {
        return pan >= 8 ? 0 : pan + 1;
    }
    return pan & 7;
}

/* Font plane offset of character map @which (1: attribute bit 3 is set). [VGA] "Character Map
 * Select Register": three bits that are not neighbours. */
static uint32_t font_cell(const struct vga *v, unsigned which)
{
    uint8_t sel = v->seq[SEQ_FONT];
    unsigned map = which ? (sel >> 2 & 3) << 1 | (sel >> 5 & 1) : (sel & 3) << 1 | (sel >> 4 & 1);
    return map * 0x2000u;
}

struct text_pen {
    uint32_t palette[16];
    uint32_t font[2];
    bool line_graphics, cursor_phase;
};

/* One line of a row of text, @count cells from @addr, into @dots. */
static void text_line(const struct vga *v, const struct vga_text_layout *l,
                      const struct text_pen *pen, uint32_t addr, unsigned row_line, unsigned count,
                      uint32_t *dots)
{
    bool cursor_line = l->cursor_on && pen->cursor_phase && row_line >= l->cursor_first &&
                       row_line <= l->cursor_last;
    for (unsigned i = 0; i < count; i++) {
        uint32_t cell = (addr + i) & 0xffff;
        uint8_t ch = vga_text_byte(v, cell, 0);
        uint8_t attr = vga_text_byte(v, cell, 1);
        uint32_t fg = pen->palette[attr & 0x0f];
        uint32_t bg = pen->palette[attr >> 4];
        uint32_t glyph = pen->font[attr >> 3 & 1] + ch * 32u + row_line;
        unsigned bits = v->vram[(glyph & 0xffff) * 4 + 2] << 1;
        if (pen->line_graphics && ch >= 0xb0 && ch <= 0xdf) {
            bits |= bits >> 1 & 1;
        }
        if (cursor_line && cell == l->cursor) {
            bits = 0x1ff;
        }
        unsigned wide = l->cell_width == 16 ? 1 : 0;
        for (unsigned d = 0; d < l->cell_width; d++) {
            *dots++ = bits & (0x100u >> (d >> wide)) ? fg : bg;
        }
    }
}

bool vga_cursor_phase(const struct vga *v)
{
    return clock_now(v->clock) / CURSOR_PHASE_NS % 2 == 0;
}

static void render_text(const struct vga *v, const struct vga_text_layout *l, struct surface *out)
{
    uint32_t dots[(TEXT_MAX_COLS + 1) * 16];
    struct text_pen pen;
    struct walk w;
    unsigned width = l->cols * l->cell_width;
    unsigned height = l->rows * l->cell_height * l->scan.repeat;
    surface_resize(out, width, height);
    vga_attr_palette(v, pen.palette);
    pen.font[0] = font_cell(v, 0);
    pen.font[1] = font_cell(v, 1);
    pen.line_graphics = v->attr[ATTR_MODE] & ATTRMODE_LINE_GRAPHICS;
    pen.cursor_phase = vga_cursor_phase(v);
    walk_begin(v, &w);
    for (unsigned y = 0; y < height; y++) {
        text_line(v, l, &pen, w.addr, w.row_line, l->cols + 1, dots);
        unsigned pan = pan_dots(v, &w, l->cell_width) * (l->cell_width / 8);
        memcpy(out->pixels + (size_t)y * width, dots + pan, width * sizeof(*dots));
        walk_next(&w, y);
    }
}

/* Cell of character clock 0 of a graphics line. [VGA] "CRT Mode Control Register": with CMS0 or
 * "select row scan counter" clear, an address bit is replaced by a bit of the line within the row,
 * so that lines interleave as on the CGA and the Hercules card. */
static uint32_t graphics_row(const struct vga *v, const struct walk *w)
{
    uint8_t mode = v->crtc[CRTC_MODE];
    unsigned bit = 12 + (mode & CRTCMODE_BYTE ? 1 : 0);
    uint32_t addr = w->addr;
    if (!(mode & CRTCMODE_NO_CGA)) {
        addr = (addr & ~(1u << bit)) | (w->row_line & 1) << bit;
    }
    if (!(mode & CRTCMODE_NO_HERC)) {
        addr = (addr & ~(2u << bit)) | (w->row_line >> 1 & 1) << (bit + 1);
    }
    return addr;
}

/* Eight pixels of 4 bits: bit 7-i of plane p is bit p of pixel i. */
static void planar_cell(uint32_t planes, const uint32_t *palette, uint32_t *dots)
{
    for (unsigned i = 0; i < 8; i++) {
        uint32_t bits = planes >> (7 - i) & 0x01010101u;
        dots[i] = palette[(bits | bits >> 7 | bits >> 14 | bits >> 21) & 0x0f];
    }
}

/* CGA shift: pixels of 2 bits, four from plane 0 and four from plane 1; planes 2 and 3 are bits
 * 3:2. */
static void cga_cell(uint32_t planes, const uint32_t *palette, uint32_t *dots)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned shift = 6 - 2 * (i & 3);
        uint32_t low = planes >> (i < 4 ? 0 : 8);
        dots[i] = palette[(low >> shift & 3) | (low >> 16 >> shift & 3) << 2];
    }
}

struct graphics_pen {
    uint32_t palette[16];
    uint32_t dac[256];
    unsigned shift;              /* graphics mode register bits 6:5 */
    bool doubled;                /* each pixel takes two dots */
};

/* One line of @count character clocks into @dots; returns how many dots a clock gives. */
static unsigned graphics_line(const struct vga *v, const struct graphics_pen *pen, uint32_t addr,
                              unsigned count, uint32_t *dots)
{
    unsigned step = pen->doubled ? 16 : 8;
    for (unsigned i = 0; i < count; i++, dots += step) {
        const uint8_t *p = v->vram + (((addr + i) << 2) & (v->vram_bytes - 1));
        uint32_t pixels[8];
        if (pen->shift >= 2) {
            for (unsigned d = 0; d < 8; d++) {
                pixels[d] = pen->dac[p[d / 2]];
            }
        } else if (pen->shift == 1) {
            cga_cell(ld32le(p), pen->palette, pixels);
        } else {
            planar_cell(ld32le(p), pen->palette, pixels);
        }
        for (unsigned d = 0; d < step; d++) {
            dots[d] = pixels[pen->doubled ? d / 2 : d];
        }
    }
    return step;
}

static void dac_table(const struct vga *v, uint32_t dac[256])
{
    for (unsigned i = 0; i < 256; i++) {
        dac[i] = vga_dac_rgb(v, (uint8_t)i);
    }
}

static void render_graphics(const struct vga *v, struct surface *out)
{
    uint32_t dots[MAX_LINE_DOTS];
    struct graphics_pen pen;
    struct vga_timing t;
    struct walk w;
    unsigned clocks = v->crtc[CRTC_HDISP] + 1u;
    vga_get_timing(v, &t);
    vga_attr_palette(v, pen.palette);
    dac_table(v, pen.dac);
    pen.shift = v->gc[GC_MODE] >> 5 & 3;
    pen.doubled = pen.shift < 2 && (v->seq[SEQ_CLOCKING] & CLOCKING_HALF);
    unsigned width = clocks * (pen.doubled ? 16 : 8);
    surface_resize(out, width, t.vdisp);
    walk_begin(v, &w);
    for (unsigned y = 0; y < t.vdisp; y++) {
        unsigned step = graphics_line(v, &pen, graphics_row(v, &w), clocks + 1, dots);
        unsigned pan = pan_dots(v, &w, 8) * (step / 8);
        memcpy(out->pixels + (size_t)y * width, dots + pan, width * sizeof(*dots));
        walk_next(&w, y);
    }
}

/* 5 or 6 bits of a channel to 8, the highest bits filling the new ones. */
static uint32_t widen(uint32_t val, unsigned bits)
{
    return val << (8 - bits) | val >> (2 * bits - 8);
}

static uint32_t vbe_pixel(const struct vga *v, const uint32_t *dac, unsigned bpp, uint32_t at)
{
    uint32_t mask = v->vram_bytes - 1;
    const uint8_t *ram = v->vram;
    uint32_t px = ram[at & mask];
    if (bpp == 8) {
        return dac[px];
    }
    px |= (uint32_t)ram[(at + 1) & mask] << 8;
    if (bpp == 15) {
        return (px >> 10 & 0x1f) << 19 | (px >> 5 & 0x1f) << 11 | (px & 0x1f) << 3;
    }
    if (bpp == 16) {
        return widen(px >> 11, 5) << 16 | widen(px >> 5 & 0x3f, 6) << 8 | widen(px & 0x1f, 5);
    }
    return px | (uint32_t)ram[(at + 2) & mask] << 16;
}

static void render_vbe(const struct vga *v, struct surface *out)
{
    unsigned width = v->vbe[VBE_XRES], height = v->vbe[VBE_YRES], bpp = v->vbe[VBE_BPP];
    uint32_t pitch = vga_vbe_pitch(v);
    uint32_t row = vga_vbe_start(v);
    uint32_t palette[16], dac[256];
    surface_resize(out, width, height);
    vga_attr_palette(v, palette);
    dac_table(v, dac);
    for (unsigned y = 0; y < height; y++, row += pitch) {
        uint32_t *dots = out->pixels + (size_t)y * width;
        for (unsigned x = 0; bpp == 4 && x < width; x += 8) {
            planar_cell(ld32le(v->vram + (((row & ~3u) + x / 2) & (v->vram_bytes - 1))), palette,
                        dots + x);
        }
        for (unsigned x = 0; bpp != 4 && x < width; x++) {
            dots[x] = vbe_pixel(v, dac, bpp, row + x * ((bpp + 7) / 8));
        }
    }
}

/* Black, in the size of the last picture. */
static void render_blank(struct surface *out)
{
    if (out->width == 0 || out->height == 0) {
        surface_resize(out, BLANK_WIDTH, BLANK_HEIGHT);
    }
    memset(out->pixels, 0, (size_t)out->width * out->height * sizeof(*out->pixels));
}

void vga_render(void *dev, struct surface *out)
{
    const struct vga *v = dev;
    struct vga_text_layout l;
    if (!vga_video_on(v)) {
        render_blank(out);
    } else if (vga_vbe_on(v)) {
        render_vbe(v, out);
    } else if (vga_text_layout(v, &l)) {
        render_text(v, &l, out);
    } else {
        render_graphics(v, out);
    }
}
