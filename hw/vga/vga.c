/*
 * VGA: its parts, power-on state and saved state. Registers are in vga_regs.c, the window in
 * vga_mem.c, the VBE extension in vga_vbe.c, the picture in vga_text.c and vga_render.c.
 *
 * Source: [VGA] IBM "Video Subsystem", "VGA Function"; [BOCHS-VBE] for the extension.
 * Pins:   ports and window as regions; no interrupt line (PCI adapters leave it unconnected).
 * Left out: light pen, feature connector, cursor skew, and the moment within a frame at which a
 *         change of registers shows.
 */
#include "hw/vga/vga_internal.h"

#include <string.h>

static const struct state_field dac_state[] = {
    STATE(struct vga_dac, mask),
    STATE(struct vga_dac, read_index),
    STATE(struct vga_dac, write_index),
    STATE(struct vga_dac, phase),
    STATE(struct vga_dac, state),
    STATE(struct vga_dac, latch),
    STATE(struct vga_dac, colour),
    STATE_END(),
};

static const struct state_field vga_state[] = {
    STATE(struct vga, misc),
    STATE(struct vga, feature),
    STATE(struct vga, seq_index),
    STATE(struct vga, seq),
    STATE(struct vga, gc_index),
    STATE(struct vga, gc),
    STATE(struct vga, crtc_index),
    STATE(struct vga, crtc),
    STATE(struct vga, attr_index),
    STATE(struct vga, attr),
    STATE(struct vga, attr_data),
    STATE_SUB(struct vga, dac, dac_state),
    STATE(struct vga, latch),
    STATE(struct vga, vbe_index),
    STATE(struct vga, vbe),
    STATE(struct vga, window_uses),
    STATE_END(),
};

/* [VGA] states few values (the BIOS sets them all); everything else is 0 here, with the picture
 * off, the window closed and the CRTC at 3B4h. Video memory keeps its contents. */
static void vga_reset(void *dev)
{
    struct vga *v = dev;
    v->misc = v->feature = 0;
    v->seq_index = v->gc_index = v->crtc_index = v->attr_index = 0;
    memset(v->seq, 0, sizeof(v->seq));
    memset(v->gc, 0, sizeof(v->gc));
    memset(v->crtc, 0, sizeof(v->crtc));
    memset(v->attr, 0, sizeof(v->attr));
    v->attr_data = false;
    memset(&v->dac, 0, sizeof(v->dac));
    v->dac.mask = 0xff;
    v->latch = 0;
    vga_vbe_reset(v);
    vga_window_follow(v);
}

static void vga_loaded(void *dev)
{
    vga_regs_loaded(dev);
    vga_vbe_loaded(dev);
    vga_window_loaded(dev);
}

static const struct device_type vga_type = {
    .name = "vga", .version = 1, .reset = vga_reset, .state = vga_state, .loaded = vga_loaded,
};

static void map_ports(struct vga *v, struct region *ports)
{
    struct {
        struct region *r;
        const char *name;
        unsigned port, bytes;
    } parts[] = {
        {&v->crtc_mono, "vga-crtc-mono", 0x3b4, 2},
        {&v->status_mono, "vga-status-mono", 0x3ba, 1},
        {&v->regs, "vga", 0x3c0, 16},
        {&v->crtc_colour, "vga-crtc-colour", 0x3d4, 2},
        {&v->status_colour, "vga-status-colour", 0x3da, 1},
    };
    region_io(&v->io_ports, "vga-ports", &vga_port_ops, v, VGA_PORT_BYTES);
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
        region_alias(parts[i].r, parts[i].name, &v->io_ports, parts[i].port - VGA_PORT_BASE,
                     parts[i].bytes);
        region_map(ports, parts[i].r, parts[i].port, 0);
    }
    region_io(&v->vbe_ports, "vga-vbe", &vga_vbe_ops, v, VGA_VBE_BYTES);
    region_map(ports, &v->vbe_ports, VGA_VBE_PORT, 0);
}

static void free_dirty(void *dirty)
{
    ram_dirty_fini(dirty);
}

bool vga_init(struct vga *v, struct machine *m, struct region *ports, uint32_t vram_bytes,
              struct error **err)
{
    v->clock = &m->clock;
    v->vram_bytes = vram_bytes;
    if (!ram_block_new(&m->arena, &v->vram_block, "vram", vram_bytes, err)) {
        return false;
    }
    v->vram = ram_host(&v->vram_block);
    ram_dirty_init(&v->dirty, &v->vram_block);
    machine_on_fini(m, free_dirty, &v->dirty);
    if (!vga_window_init(v, m, err)) {
        return false;
    }
    map_ports(v, ports);
    v->source = (struct display_source){
        .text = vga_text, .render = vga_render, .changed = vga_changed, .dev = v};
    machine_add(m, &vga_type, "vga", v);
    return true;
}
