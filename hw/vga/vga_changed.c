/*
 * Whether the VGA's picture may have changed: its registers, or the memory that is visible.
 */
#include "core/base/hash.h"
#include "hw/vga/vga_internal.h"

/* A picture that depends on more than registers and memory has the cursor's phase in its hash. */
static uint64_t hash_registers(const struct vga *v)
{
    struct vga_text_layout l;
    bool cursor = vga_text_layout(v, &l) && vga_cursor_phase(v);
    uint64_t h = hash_bytes(cursor, v->seq, sizeof(v->seq));
    h = hash_bytes(h, &v->misc, sizeof(v->misc));
    h = hash_bytes(h, v->gc, sizeof(v->gc));
    h = hash_bytes(h, v->crtc, sizeof(v->crtc));
    h = hash_bytes(h, v->attr, sizeof(v->attr));
    h = hash_bytes(h, &v->attr_index, sizeof(v->attr_index));
    h = hash_bytes(h, &v->dac.mask, sizeof(v->dac.mask));
    h = hash_bytes(h, v->dac.colour, sizeof(v->dac.colour));
    return hash_bytes(h, v->vbe, sizeof(v->vbe));
}

/* Bytes of video memory that the CRTC may reach in a VGA mode: no fewer, often more. Its address
 * bits 12 to 14 can come from the line within a row. */
static uint64_t vga_reach(const struct vga *v)
{
    enum { TEXT_CELLS = 0x10000, INTERLEAVED = 0x8000, PAST_THE_LINE = 0x200 };
    struct vga_timing t;
    struct vga_scan scan;
    vga_get_timing(v, &t);
    vga_get_scan(v, &scan);
    uint64_t rows = (uint64_t)scan.pitch * (t.vdisp + 1u);
    uint64_t cells = scan.start + rows + INTERLEAVED + PAST_THE_LINE;
    return 4 * max_u64(cells, TEXT_CELLS);
}

bool vga_changed(void *dev)
{
    struct vga *v = dev;
    if (v->text_is_late) {
        vga_window_take_late(v);
    }
    uint64_t hash = hash_registers(v), start = 0, bytes = 0;
    bool registers = hash != v->shown;
    v->shown = hash;
    if (!vga_video_on(v)) {
        return registers;
    }
    if (vga_vbe_on(v)) {
        start = vga_vbe_start(v);
        bytes = (uint64_t)vga_vbe_pitch(v) * v->vbe[VBE_YRES];
    } else {
        bytes = vga_reach(v);
    }
    bool text = v->text_is_memory && ram_dirty_take(&v->text_dirty, 0, VGA_TEXT_BYTES);
    return ram_dirty_take(&v->dirty, start, bytes) || text || registers;
}
