/*
 * VGA registers at ports 3B4h-3DAh.
 *
 * Source: [VGA] "VGA Registers": general, sequencer, CRT controller, graphics controller, attribute
 *         controller, video DAC.
 * Unsure: what indices past the last register give; here they read 0 and drop writes.
 */
#include "hw/vga/vga_internal.h"
#include "trace/hw_vga.h"

#define DOT_HZ_640 25175000u
#define DOT_HZ_720 28322000u

/* Bits that exist; reserved ones read 0. */
static const uint8_t seq_mask[VGA_SEQ_REGS] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
static const uint8_t gc_mask[VGA_GC_REGS] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
static const uint8_t attr_mask[VGA_ATTR_REGS] = {
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f,
};

/* CRTC counts are one register each, with bits 8 and 9 in the overflow register. */
static uint32_t crtc_overflow(const struct vga *v, unsigned index, unsigned bit8, unsigned bit9)
{
    uint8_t over = v->crtc[CRTC_OVERFLOW];
    return v->crtc[index] | (over >> bit8 & 1u) << 8 | (over >> bit9 & 1u) << 9;
}

void vga_get_timing(const struct vga *v, struct vga_timing *t)
{
    const uint8_t *cr = v->crtc;
    uint8_t clocking = v->seq[SEQ_CLOCKING];
    /* The vertical counter may count every second line only. */
    unsigned halved = cr[CRTC_MODE] & CRTCMODE_HALF ? 2 : 1;

    t->dot_hz = (v->misc & MISC_CLOCK) == 0x04 ? DOT_HZ_720 : DOT_HZ_640;
    if (clocking & CLOCKING_HALF) {
        t->dot_hz /= 2;
    }
    t->cell_dots = clocking & CLOCKING_8DOT ? 8 : 9;
    t->htotal = (cr[CRTC_HTOTAL] + 5u) * t->cell_dots;
    t->hdisp = (cr[CRTC_HDISP] + 1u) * t->cell_dots;
    t->vtotal = (crtc_overflow(v, CRTC_VTOTAL, 0, 5) + 2) * halved;
    t->vdisp = (crtc_overflow(v, CRTC_VDISP, 1, 6) + 1) * halved;
    t->vretrace = crtc_overflow(v, CRTC_VRS, 2, 7) * halved;
    /* The end register is compared with the low four bits of the line counter. */
    uint32_t lines = (cr[CRTC_VRE] - cr[CRTC_VRS]) & 0x0f;
    t->vretrace_lines = (lines ? lines : 16) * halved;
}

void vga_get_scan(const struct vga *v, struct vga_scan *s)
{
    const uint8_t *cr = v->crtc;
    s->start = (uint32_t)cr[CRTC_START_HIGH] << 8 | cr[CRTC_START_LOW];
    s->start += cr[CRTC_PRESET] >> 5 & 3;                /* byte panning */
    s->pitch = cr[CRTC_OFFSET] * 2u;
    s->row_lines = (cr[CRTC_MAX_SCAN] & 0x1f) + 1u;
    s->repeat = cr[CRTC_MAX_SCAN] & MAX_SCAN_DOUBLE ? 2 : 1;
    s->preset = cr[CRTC_PRESET] & 0x1f;
    s->line_compare = cr[CRTC_LINE_COMPARE] | (cr[CRTC_OVERFLOW] >> 4 & 1u) << 8 |
                      (cr[CRTC_MAX_SCAN] >> 6 & 1u) << 9;
}

/* Input status 1: where the beam is, from the time alone. */
static uint8_t beam_status(const struct vga *v)
{
    struct vga_timing t;
    vga_get_timing(v, &t);
    uint64_t dots = muldiv64((uint64_t)clock_now(v->clock), t.dot_hz, NS_PER_SEC);
    uint32_t in_frame = (uint32_t)(dots % ((uint64_t)t.htotal * t.vtotal));
    uint32_t line = in_frame / t.htotal;
    uint32_t dot = in_frame % t.htotal;
    uint8_t st = 0;
    if (line >= t.vdisp || dot >= t.hdisp) {
        st |= 0x01;                                      /* display disabled */
    }
    if (line >= t.vretrace && line - t.vretrace < t.vretrace_lines) {
        st |= 0x08;                                    /* vertical retrace, also display disabled */
        st |= 0x01;
    }
    return st;
}

/* Input status 0 bit 4: the sense comparator says that a monitor loads the DAC's outputs. It tells
 * about entry 0, the one that is on the lines outside of the picture. */
static uint8_t sense_status(const struct vga *v)
{
    const uint8_t *c = v->dac.colour;
    return c[0] + c[1] + c[2] >= 0x4e ? 0x00 : 0x10;
}

static uint8_t dac_read(struct vga *v)
{
    struct vga_dac *d = &v->dac;
    uint8_t val = d->colour[d->read_index * 3 + d->phase];
    if (++d->phase == 3) {
        d->phase = 0;
        d->read_index++;
    }
    return val;
}

/* An entry changes when its third byte arrives. */
static void dac_write(struct vga *v, uint8_t val)
{
    struct vga_dac *d = &v->dac;
    if (!(v->vbe[VBE_ENABLE] & VBE_8BIT_DAC)) {
        val &= 0x3f;
    }
    if (d->phase < 2) {
        d->latch[d->phase++] = val;
        return;
    }
    uint8_t *c = &d->colour[d->write_index * 3];
    c[0] = d->latch[0];
    c[1] = d->latch[1];
    c[2] = val;
    d->phase = 0;
    d->write_index++;
}

static void attr_write(struct vga *v, uint8_t val)
{
    if (!v->attr_data) {
        v->attr_index = val & 0x3f;
    } else {
        unsigned i = v->attr_index & 0x1f;
        if (i < VGA_ATTR_REGS) {
            v->attr[i] = val & attr_mask[i];
        }
    }
    v->attr_data = !v->attr_data;
}

/* [VGA] "Vertical Retrace End Register": protect locks 00h to 07h except bit 4 of the overflow
 * register, which is line compare. */
static void crtc_write(struct vga *v, uint8_t val)
{
    unsigned i = v->crtc_index;
    if (i >= VGA_CRTC_REGS) {
        return;
    }
    if (i < 8 && (v->crtc[CRTC_VRE] & VRE_PROTECT)) {
        if (i == CRTC_OVERFLOW) {
            v->crtc[i] = (v->crtc[i] & ~0x10) | (val & 0x10);
        }
        return;
    }
    v->crtc[i] = val;
}

/* The CRTC and input status 1 answer at 3Bxh or at 3Dxh, as MISC_COLOUR says. */
static bool port_is_elsewhere(const struct vga *v, unsigned port)
{
    bool colour = v->misc & MISC_COLOUR;
    return (port < 0x3c0 && colour) || (port >= 0x3d0 && !colour);
}

static uint8_t port_read(struct vga *v, unsigned port)
{
    switch (port) {
    case 0x3c0:
        return v->attr_index;
    case 0x3c1: {
        unsigned i = v->attr_index & 0x1f;
        return i < VGA_ATTR_REGS ? v->attr[i] : 0;
    }
    case 0x3c2:
        return sense_status(v);
    case 0x3c4:
        return v->seq_index;
    case 0x3c5:
        return v->seq_index < VGA_SEQ_REGS ? v->seq[v->seq_index] : 0;
    case 0x3c6:
        return v->dac.mask;
    case 0x3c7:
        return v->dac.state;
    case 0x3c8:
        return v->dac.write_index;
    case 0x3c9:                                          /* moves on to the next colour */
        return dac_read(v);
    case 0x3ca:
        return v->feature;
    case 0x3cc:
        return v->misc;
    case 0x3ce:
        return v->gc_index;
    case 0x3cf:
        return v->gc_index < VGA_GC_REGS ? v->gc[v->gc_index] : 0;
    case 0x3b4:
    case 0x3d4:
        return v->crtc_index;
    case 0x3b5:
    case 0x3d5:
        return v->crtc_index < VGA_CRTC_REGS ? v->crtc[v->crtc_index] : 0;
    case 0x3ba:
    case 0x3da:                                          /* also resets the attribute flip-flop */
        v->attr_data = false;
        return beam_status(v);
    default:
        return 0xff;                                     /* nothing at this offset */
    }
}

static void port_write(struct vga *v, unsigned port, uint8_t val)
{
    switch (port) {
    case 0x3c0:
        attr_write(v, val);
        break;
    case 0x3c2:
        v->misc = val & ~0x10;
        break;
    case 0x3c4:
        v->seq_index = val & 0x07;
        break;
    case 0x3c5:
        if (v->seq_index < VGA_SEQ_REGS) {
            v->seq[v->seq_index] = val & seq_mask[v->seq_index];
        }
        break;
    case 0x3c6:
        v->dac.mask = val;
        break;
    case 0x3c7:
        v->dac.read_index = val;
        v->dac.phase = 0;
        v->dac.state = 3;
        break;
    case 0x3c8:
        v->dac.write_index = val;
        v->dac.phase = 0;
        v->dac.state = 0;
        break;
    case 0x3c9:
        dac_write(v, val);
        break;
    case 0x3ce:
        v->gc_index = val & 0x0f;
        break;
    case 0x3cf:
        if (v->gc_index < VGA_GC_REGS) {
            v->gc[v->gc_index] = val & gc_mask[v->gc_index];
        }
        break;
    case 0x3b4:
    case 0x3d4:
        v->crtc_index = val & 0x1f;
        break;
    case 0x3b5:
    case 0x3d5:
        crtc_write(v, val);
        break;
    case 0x3ba:
    case 0x3da:
        v->feature = val & 0x08;
        break;
    default:
        break;                                           /* read only, or nothing there */
    }
}

static uint64_t vga_port_read(void *dev, uint64_t off, unsigned size)
{
    struct vga *v = dev;
    unsigned port = VGA_PORT_BASE + (unsigned)off;
    uint8_t val = port_is_elsewhere(v, port) ? 0xff : port_read(v, port);
    trace_vga_port_read(port, val);
    return val;
}

static void vga_port_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct vga *v = dev;
    unsigned port = VGA_PORT_BASE + (unsigned)off;
    trace_vga_port_write(port, (uint8_t)val);
    if (port_is_elsewhere(v, port)) {
        return;
    }
    port_write(v, port, (uint8_t)val);
    if (port == 0x3c2 || port == 0x3c5 || port == 0x3cf) {
        vga_window_follow(v);
    }
}

void vga_regs_loaded(struct vga *v)
{
    for (unsigned i = 0; i < VGA_SEQ_REGS; i++) {
        v->seq[i] &= seq_mask[i];
    }
    for (unsigned i = 0; i < VGA_GC_REGS; i++) {
        v->gc[i] &= gc_mask[i];
    }
    for (unsigned i = 0; i < VGA_ATTR_REGS; i++) {
        v->attr[i] &= attr_mask[i];
    }
    v->dac.phase %= 3;
}

const struct region_ops vga_port_ops = {.read = vga_port_read, .write = vga_port_write, .width = 1};
