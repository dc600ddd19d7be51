/*
 * The Bochs VBE extension ("dispi"): resolutions and depths beyond VGA by index and data registers.
 *
 * Source: [BOCHS-VBE] interface description, version B0C5h.
 * Model:  a mode is made valid when it is enabled and whenever one of its registers changes, so the
 *         picture always lies inside video memory.
 */
#include "hw/vga/vga_internal.h"
#include "trace/hw_vga.h"

#include <string.h>

#define VBE_ID_FIRST 0xb0c0u
#define VBE_ID_LAST  0xb0c5u
#define VBE_MAX_BPP  32u

/* 15 bits a pixel take 16; 4 are planar, eight pixels in the four bytes of a cell. */
static uint32_t bits_stored(const struct vga *v)
{
    return v->vbe[VBE_BPP] == 15 ? 16 : v->vbe[VBE_BPP];
}

uint32_t vga_vbe_pitch(const struct vga *v)
{
    return v->vbe[VBE_VIRT_WIDTH] * bits_stored(v) / 8;
}

uint32_t vga_vbe_start(const struct vga *v)
{
    return v->vbe[VBE_X_OFFSET] * bits_stored(v) / 8 + v->vbe[VBE_Y_OFFSET] * vga_vbe_pitch(v);
}

static uint16_t clamp(uint32_t val, uint32_t lo, uint32_t hi)
{
    return (uint16_t)(val < lo ? lo : val > hi ? hi : val);
}

/* Makes what was written a mode that fits in video memory. */
static void fit_mode(struct vga *v)
{
    uint16_t *r = v->vbe;
    switch (r[VBE_BPP]) {
    case 4: case 8: case 15: case 16: case 24: case 32:
        break;
    default:
        r[VBE_BPP] = 8;
    }
    r[VBE_XRES] = clamp(r[VBE_XRES] & ~7u, 8, VGA_MAX_SIZE);
    r[VBE_VIRT_WIDTH] = clamp(r[VBE_VIRT_WIDTH] & ~7u, r[VBE_XRES], VGA_MAX_SIZE);
    uint32_t pitch = vga_vbe_pitch(v);
    uint32_t lines = v->vram_bytes / pitch;              /* at least 16: 256 KiB / 16 KiB */
    r[VBE_YRES] = clamp(r[VBE_YRES], 1, lines < VGA_MAX_SIZE ? lines : VGA_MAX_SIZE);
    r[VBE_VIRT_HEIGHT] = clamp(lines, 1, 0xffff);

    uint64_t last = (uint64_t)vga_vbe_start(v) + (uint64_t)r[VBE_YRES] * pitch;
    if (last > v->vram_bytes) {
        r[VBE_Y_OFFSET] = 0;
        last = (uint64_t)vga_vbe_start(v) + (uint64_t)r[VBE_YRES] * pitch;
        if (last > v->vram_bytes) {
            r[VBE_X_OFFSET] = 0;
        }
    }
    trace_vga_vbe_mode(r[VBE_XRES], r[VBE_YRES], r[VBE_BPP], pitch);
}

/* A VBE mode is a VGA graphics mode too, for the window and for those who read the registers back.
 * The sequencer's registers stay as they are: see vga_vbe_chained. */
static void set_vga_registers(struct vga *v)
{
    uint32_t height = v->vbe[VBE_YRES] - 1u;
    v->gc[GC_MISC] = (v->gc[GC_MISC] & ~GCMISC_MAP) | 0x04 | GCMISC_GRAPHICS;
    v->crtc[CRTC_MODE] |= CRTCMODE_NO_CGA | CRTCMODE_NO_HERC;
    v->crtc[CRTC_OFFSET] = (uint8_t)(vga_vbe_pitch(v) >> 3);
    v->crtc[CRTC_HDISP] = (uint8_t)((v->vbe[VBE_XRES] >> 3) - 1u);
    v->crtc[CRTC_VDISP] = (uint8_t)height;
    v->crtc[CRTC_OVERFLOW] = (uint8_t)((v->crtc[CRTC_OVERFLOW] & ~0x52) | (height >> 8 & 1) << 1 |
                                       (height >> 9 & 1) << 6 | 0x10);
    v->crtc[CRTC_LINE_COMPARE] = 0xff;
    v->crtc[CRTC_MAX_SCAN] = (v->crtc[CRTC_MAX_SCAN] & ~(MAX_SCAN_DOUBLE | 0x1f)) | 0x40;
    v->gc[GC_MODE] &= ~(GCMODE_CGA | GCMODE_256);
    v->gc[GC_MODE] |= v->vbe[VBE_BPP] == 4 ? 0 : GCMODE_256;
}

static void clear_picture(struct vga *v)
{
    uint32_t bytes = vga_vbe_pitch(v) * v->vbe[VBE_YRES]; /* fit_mode has seen to it that it fits */
    memset(v->vram, 0, bytes);
    if (ram_marked(v->vram_block.arena, v->vram_block.addr, bytes)) {
        ram_touched(v->vram_block.arena, v->vram_block.addr, bytes);
    }
}

static void enable_write(struct vga *v, uint16_t val)
{
    bool was_on = vga_vbe_on(v);
    v->vbe[VBE_ENABLE] = val;
    v->vbe[VBE_BANK] = 0;
    if (!(val & VBE_ENABLED) || was_on) {
        return;
    }
    v->vbe[VBE_VIRT_WIDTH] = v->vbe[VBE_X_OFFSET] = v->vbe[VBE_Y_OFFSET] = 0;
    fit_mode(v);
    set_vga_registers(v);
    vga_window_follow(v); /* text that is not in the planes goes there before they are cleared */
    if (!(val & VBE_NO_CLEAR)) {
        clear_picture(v);
    }
}

void vga_vbe_reset(struct vga *v)
{
    v->vbe_index = 0;
    memset(v->vbe, 0, sizeof(v->vbe));
    v->vbe[VBE_ID] = VBE_ID_LAST;
}

void vga_vbe_loaded(struct vga *v)
{
    v->vbe[VBE_BANK] &= (v->vram_bytes >> 16) - 1;
    if (vga_vbe_on(v)) {
        fit_mode(v);
    }
}

uint16_t vga_vbe_read(struct vga *v, unsigned index)
{
    if (v->vbe[VBE_ENABLE] & VBE_GETCAPS) {
        switch (index) {
        case VBE_XRES:
        case VBE_YRES:
            return VGA_MAX_SIZE;
        case VBE_BPP:
            return VBE_MAX_BPP;
        default:
            break;
        }
    }
    if (index == VBE_MEMORY_64K) {
        return (uint16_t)(v->vram_bytes >> 16);
    }
    return index < VGA_VBE_REGS ? v->vbe[index] : 0;
}

void vga_vbe_write(struct vga *v, unsigned index, uint16_t val)
{
    trace_vga_vbe_write(index, val);
    switch (index) {
    case VBE_ID:
        if (val >= VBE_ID_FIRST && val <= VBE_ID_LAST) {
            v->vbe[VBE_ID] = val;
        }
        break;
    case VBE_ENABLE:
        enable_write(v, val);
        break;
    case VBE_BANK:
        v->vbe[VBE_BANK] = val & ((v->vram_bytes >> 16) - 1);
        break;
    case VBE_XRES:
    case VBE_YRES:
    case VBE_BPP:
    case VBE_VIRT_WIDTH:
    case VBE_X_OFFSET:
    case VBE_Y_OFFSET:
        v->vbe[index] = val;
        if (vga_vbe_on(v)) {
            fit_mode(v);
            set_vga_registers(v);
        }
        break;
    default:                                  /* virtual height and memory size are told, not set */
        break;
    }
    vga_window_follow(v);
}

/* 1CEh is the index, 1CFh and 1D0h are the data register, all 16 bits wide. */
static uint64_t vbe_port_read(void *dev, uint64_t off, unsigned size)
{
    struct vga *v = dev;
    if (size != 2 || off > 2) {
        return size_mask(size);
    }
    return off == 0 ? v->vbe_index : vga_vbe_read(v, v->vbe_index);
}

static void vbe_port_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct vga *v = dev;
    if (size != 2 || off > 2) {
        return;
    }
    if (off == 0) {
        v->vbe_index = (uint16_t)val;
    } else {
        vga_vbe_write(v, v->vbe_index, (uint16_t)val);
    }
}

const struct region_ops vga_vbe_ops = {.read = vbe_port_read, .write = vbe_port_write, .width = 2};
