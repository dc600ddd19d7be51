/*
 * What the VGA shows in a text mode, as cells.
 *
 * Source: [VGA] "Alphanumeric Modes", "CRT Controller Registers", "Attribute Controller Registers".
 * Model:  rows are taken whole: a split screen that begins inside a row begins with the next one.
 */
#include "hw/vga/vga_internal.h"

#include <string.h>

/* Cells that the 16-bit address counter of the CRTC reaches. */
#define TEXT_CELL_MASK 0xffffu

uint32_t vga_dac_rgb(const struct vga *v, uint8_t index)
{
    const uint8_t *c = &v->dac.colour[(index & v->dac.mask) * 3];
    if (v->vbe[VBE_ENABLE] & VBE_8BIT_DAC) {
        return (uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2];
    }
    uint32_t rgb = 0;
    for (unsigned i = 0; i < 3; i++) {
        /* 6 bits to 8 so that 0 and 63 become 0 and 255: the lowest bit fills the new ones. */
        uint32_t six = c[i] & 0x3f;
        uint32_t low = six & 1;
        rgb = rgb << 8 | six << 2 | low << 1 | low;
    }
    return rgb;
}

/* [VGA] "Internal Palette Registers", "Color Select Register": 4 bits to 8 for the DAC. */
void vga_attr_palette(const struct vga *v, uint32_t out[16])
{
    for (unsigned i = 0; i < 16; i++) {
        uint8_t index = v->attr[i & v->attr[ATTR_PLANES] & 0x0f];
        uint8_t select = v->attr[ATTR_COLOUR];
        if (v->attr[ATTR_MODE] & ATTRMODE_P54) {
            index = (uint8_t)((index & 0x0f) | (select & 0x0f) << 4);
        } else {
            index = (uint8_t)((index & 0x3f) | (select & 0x0c) << 4);
        }
        out[i] = vga_dac_rgb(v, index);
    }
}

bool vga_text_layout(const struct vga *v, struct vga_text_layout *l)
{
    if (vga_vbe_on(v) || (v->gc[GC_MISC] & GCMISC_GRAPHICS)) {
        return false;
    }
    struct vga_timing t;
    vga_get_timing(v, &t);
    vga_get_scan(v, &l->scan);
    /* At half the dot clock (40 columns) dots are twice as wide; as on QEMU there is no ninth. */
    l->cell_width = v->seq[SEQ_CLOCKING] & CLOCKING_HALF ? 16 : t.cell_dots;
    l->cell_height = l->scan.row_lines;
    l->cols = (unsigned)min_u64(v->crtc[CRTC_HDISP] + 1u, TEXT_MAX_COLS);
    l->rows = (unsigned)min_u64(t.vdisp / (l->cell_height * l->scan.repeat), TEXT_MAX_ROWS);
    l->rows = l->rows ? l->rows : 1;

    uint8_t first = v->crtc[CRTC_CURSOR_START];
    l->cursor = (uint32_t)v->crtc[CRTC_CURSOR_HIGH] << 8 | v->crtc[CRTC_CURSOR_LOW];
    l->cursor_first = first & 0x1f;
    l->cursor_last = (unsigned)min_u64(v->crtc[CRTC_CURSOR_END] & 0x1f, l->cell_height - 1);
    l->cursor_on = !(first & CURSOR_OFF) && l->cursor_first <= l->cursor_last;
    return true;
}

/* The first row after the split, or the number of rows if there is none. */
static unsigned split_row(const struct vga_text_layout *l)
{
    unsigned lines = l->cell_height * l->scan.repeat;
    return (unsigned)min_u64((l->scan.line_compare + lines) / lines, l->rows);
}

bool vga_text(void *dev, struct text_screen *out)
{
    const struct vga *v = dev;
    struct vga_text_layout l;
    if (!vga_video_on(v) || !vga_text_layout(v, &l)) {
        return false;
    }
    memset(out, 0, sizeof(*out));
    out->cols = l.cols;
    out->rows = l.rows;
    out->cursor_first = l.cursor_first;
    out->cursor_last = l.cursor_last;
    out->blink = v->attr[ATTR_MODE] & ATTRMODE_BLINK;
    vga_attr_palette(v, out->palette);

    unsigned split = split_row(&l);
    for (unsigned row = 0; row < l.rows; row++) {
        uint32_t addr = row < split ? l.scan.start : 0;
        addr += (row < split ? row : row - split) * l.scan.pitch;
        for (unsigned col = 0; col < l.cols; col++) {
            uint32_t cell = (addr + col) & TEXT_CELL_MASK;
            out->cells[row][col] = (struct text_cell){
                .ch = vga_text_byte(v, cell, 0), .attr = vga_text_byte(v, cell, 1),
            };
            if (cell == l.cursor && l.cursor_on && !out->cursor_on) {
                out->cursor_on = true;
                out->cursor_x = col;
                out->cursor_y = row;
            }
        }
    }
    return true;
}
