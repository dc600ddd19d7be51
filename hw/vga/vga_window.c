/*
 * When the VGA's window is memory to the guest, and not a device.
 *
 * Source: [VGA] "Memory Map", "Graphics Controller Registers", "Sequencer Registers".
 * Model:  two kinds of modes leave bytes alone on their way. With 256 colours the window is the
 *         start of video memory. In text modes planes 0 and 1 alternate in it, which no mapping of
 *         video memory can show: there the window becomes a block of its own, and has those planes
 *         (of the cells that the window reaches) until the mode ends. Who looks at them meanwhile
 *         is led to the block: vga_text_byte, and the linear frame buffer. Reads then leave the
 *         latches alone, which such modes have no use for. Other processors store to the block
 *         until the view is committed: then what came late follows to the planes.
 */
#include "core/base/bytes.h"
#include "hw/vga/vga_internal.h"

/* Accesses before the window becomes memory: with fewer between changes of registers, changing the
 * view would cost more than it saves. */
#define MEMORY_AFTER 4096

#define LFB_TEXT_BYTES (2 * VGA_TEXT_BYTES) /* of video memory: planes 2 and 3, too */

/* Byte n at A0000h is byte n of video memory, up to the end of bank 0, and that is all there is. */
static bool shows_pixels(const struct vga *v)
{
    return (v->gc[GC_MISC] & GCMISC_MAP) == 0x04 && v->vbe[VBE_BANK] == 0 && vga_chained(v) &&
           (vga_vbe_chained(v) || v->seq[SEQ_MAP_MASK] == 0x0f);
}

/* Even bytes at B8000h are those of plane 0, odd ones those of plane 1. */
static bool shows_text(const struct vga *v)
{
    return !vga_vbe_on(v) && (v->gc[GC_MISC] & (GCMISC_MAP | GCMISC_GRAPHICS)) == 0x0c &&
           (v->gc[GC_MODE] & GCMODE_ODD_EVEN) && !(v->gc[GC_READ_MAP] & 2) &&
           !(v->seq[SEQ_MEMORY] & (SEQMEM_CHAIN4 | SEQMEM_SEQUENTIAL)) &&
           v->seq[SEQ_MAP_MASK] == 0x03;
}

static enum vga_window_kind window_kind(const struct vga *v)
{
    if (!(v->misc & MISC_RAM) || !vga_writes_plain(v) || (v->gc[GC_MODE] & GCMODE_COMPARE)) {
        return VGA_WINDOW_DEVICE;
    }
    return shows_pixels(v) ? VGA_WINDOW_PIXELS : shows_text(v) ? VGA_WINDOW_TEXT
                                                               : VGA_WINDOW_DEVICE;
}

static void was_written(const struct ram_block *b, uint64_t off, uint64_t len)
{
    if (unlikely(ram_marked(b->arena, b->addr + off, len))) {
        ram_touched(b->arena, b->addr + off, len);
    }
}

/* The window is memory or not, as it was used. */
static void show(struct vga *v)
{
    bool memory = v->window_uses == MEMORY_AFTER;
    v->text_is_memory = memory && v->window_kind == VGA_WINDOW_TEXT;
    region_enable(&v->linear, memory && v->window_kind == VGA_WINDOW_PIXELS);
    region_enable(&v->text_memory, v->text_is_memory);
    region_enable(&v->lfb_text, v->text_is_memory);
}

static void text_to_memory(struct vga *v)
{
    v->text_is_late = false;
    for (unsigned i = 0; i < VGA_TEXT_BYTES; i += 2) {
        memcpy(v->text + i, v->vram + 2 * i, 2);
    }
    was_written(&v->text_block, 0, VGA_TEXT_BYTES);
}

static void text_to_planes(struct vga *v)
{
    memcpy(v->text_given, v->text, VGA_TEXT_BYTES);
    for (unsigned i = 0; i < VGA_TEXT_BYTES; i += 2) {
        memcpy(v->vram + 2 * i, v->text_given + i, 2);
    }
    was_written(&v->vram_block, 0, LFB_TEXT_BYTES);
    v->text_is_late = true;
}

/* What is in the block but was not when the planes got it. Before the commit more may come; a VBE
 * mode has made something else of the planes. */
void vga_window_take_late(struct vga *v)
{
    for (unsigned i = 0; i < VGA_TEXT_BYTES && !vga_vbe_on(v); i++) {
        if (v->text[i] != v->text_given[i]) {
            v->vram[2 * (i & ~1u) + (i & 1)] = v->text_given[i] = v->text[i];
            was_written(&v->vram_block, 2 * (i & ~1u), 2);
        }
    }
    v->text_is_late = *v->commit_pending;
}

void vga_window_follow(struct vga *v)
{
    enum vga_window_kind kind = window_kind(v);
    if (kind == v->window_kind) {
        return;
    }
    if (v->text_is_memory) {
        text_to_planes(v);
    }
    v->window_kind = kind;
    v->window_uses = 0;
    show(v);
}

void vga_window_loaded(struct vga *v)
{
    v->text_is_late = false;
    v->window_kind = window_kind(v);
    v->window_uses = (uint16_t)min_u64(v->window_uses, MEMORY_AFTER);
    show(v);
}

void vga_window_used(struct vga *v)
{
    if (unlikely(v->text_is_late)) {
        vga_window_take_late(v);
    }
    if (v->window_kind == VGA_WINDOW_DEVICE || v->window_uses == MEMORY_AFTER ||
        ++v->window_uses != MEMORY_AFTER) {
        return;
    }
    if (v->window_kind == VGA_WINDOW_TEXT) {
        text_to_memory(v);
    }
    show(v);
}

/* ---- what the view does not lead to the block: until a commit, and the frame buffer ---- */

static void text_store(struct vga *v, uint32_t off, uint8_t val)
{
    v->text[off] = val;
    was_written(&v->text_block, off, 1);
}

uint64_t vga_text_window_read(const struct vga *v, uint32_t off, unsigned size)
{
    uint64_t val = 0;
    for (unsigned i = 0; i < size; i++) {
        uint32_t at = off + i - VGA_TEXT_OFFSET;
        val |= (uint64_t)(at < VGA_TEXT_BYTES ? v->text[at] : 0xff) << (8 * i);
    }
    return val;
}

void vga_text_window_write(struct vga *v, uint32_t off, uint64_t val, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint32_t at = off + i - VGA_TEXT_OFFSET;
        if (at < VGA_TEXT_BYTES) {
            text_store(v, at, (uint8_t)(val >> (8 * i)));
        }
    }
}

static uint64_t lfb_text_read(void *dev, uint64_t off, unsigned size)
{
    const struct vga *v = dev;
    uint64_t val = 0;
    for (unsigned i = 0; i < size; i++) {
        uint32_t at = (uint32_t)off + i;
        uint8_t byte = at & 2 ? v->vram[at] : vga_text_byte(v, at / 4, at & 1);
        val |= (uint64_t)byte << (8 * i);
    }
    return val;
}

static void lfb_text_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct vga *v = dev;
    for (unsigned i = 0; i < size; i++) {
        uint32_t at = (uint32_t)off + i;
        uint8_t byte = (uint8_t)(val >> (8 * i));
        if (v->text_is_memory && !(at & 2)) {
            text_store(v, at / 4 * 2 + (at & 1), byte);
        } else {
            v->vram[at] = byte;
            was_written(&v->vram_block, at, 1);
        }
    }
}

static const struct region_ops lfb_text_ops = {
    .read = lfb_text_read, .write = lfb_text_write, .width = 8, .peek = lfb_text_read,
};

static void free_dirty(void *dirty)
{
    ram_dirty_fini(dirty);
}

bool vga_window_init(struct vga *v, struct machine *m, struct error **err)
{
    if (!ram_block_new(&m->arena, &v->text_block, "vga-text", VGA_TEXT_BYTES, err)) {
        return false;
    }
    v->text = ram_host(&v->text_block);
    v->text_given = machine_alloc(m, VGA_TEXT_BYTES);
    v->commit_pending = &m->commit_pending;
    ram_dirty_init(&v->text_dirty, &v->text_block);
    machine_on_fini(m, free_dirty, &v->text_dirty);
    region_io(&v->window, "vga-window", &vga_window_ops, v, VGA_WINDOW_BYTES);
    v->window.posted = true; /* whoever looks at the picture looks between accesses */
    region_container(&v->lfb, "vga-lfb", v->vram_bytes);
    region_ram(&v->lfb_memory, "vga-lfb", &v->vram_block);
    region_map(&v->lfb, &v->lfb_memory, 0, 0);
    region_io(&v->lfb_text, "vga-lfb-text", &lfb_text_ops, v, LFB_TEXT_BYTES);
    region_map(&v->lfb, &v->lfb_text, 0, 1);
    region_alias(&v->linear, "vga-linear", &v->lfb_memory, 0, VGA_LINEAR_BYTES);
    region_ram(&v->text_memory, "vga-text", &v->text_block);
    show(v);
    return true;
}
