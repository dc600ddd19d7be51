/*
 * The VGA's window at A0000h-BFFFFh: four planes behind latches.
 *
 * Source: [VGA] "Graphics Controller Registers" (write modes 0-3, read modes 0-1), "Sequencer
 *         Registers" (map mask, memory mode), "Memory Map"; [BOCHS-VBE] for the bank register.
 * Model:  a cell is the four bytes that one address of the planes holds. An odd/even or chain-4
 *         address names a cell without gaps (a >> 1, a >> 2), so that the linear frame buffer and
 *         the window agree; hardware leaves the unused plane addresses empty instead. Where a mode
 *         does nothing with bytes on their way, the window is memory (vga_window.c).
 */
#include "core/base/bytes.h"
#include "hw/vga/vga_internal.h"

const uint32_t vga_planes[16] = {
    0x00000000, 0x000000ff, 0x0000ff00, 0x0000ffff, 0x00ff0000, 0x00ff00ff, 0x00ffff00, 0x00ffffff,
    0xff000000, 0xff0000ff, 0xff00ff00, 0xff00ffff, 0xffff0000, 0xffff00ff, 0xffffff00, 0xffffffff,
};

/* From an offset in the window to an offset in what the memory map select field shows. */
static bool window_decode(const struct vga *v, uint32_t off, uint32_t *addr)
{
    if (!(v->misc & MISC_RAM)) {
        return false;
    }
    switch (v->gc[GC_MISC] & GCMISC_MAP) {
    case 0x00:                                           /* A0000h, 128 KiB */
        *addr = off;
        return true;
    case 0x04:                                           /* A0000h, 64 KiB */
        *addr = off + ((uint32_t)v->vbe[VBE_BANK] << 16);
        return off < 0x10000;
    case 0x08:                                           /* B0000h, 32 KiB */
        *addr = off - 0x10000;
        return off >= 0x10000 && off < 0x18000;
    default:                                             /* B8000h, 32 KiB */
        *addr = off - 0x18000;
        return off >= 0x18000;
    }
}

static uint8_t *cell_at(const struct vga *v, uint32_t cell)
{
    return v->vram + ((cell << 2) & (v->vram_bytes - 1));
}

/* [VGA] "Read Mode 1": a bit is 1 where every cared-for plane equals the compare register. */
static uint8_t compare_colour(const struct vga *v)
{
    uint32_t differs = (v->latch ^ vga_planes[v->gc[GC_COMPARE]]) & vga_planes[v->gc[GC_DONT_CARE]];
    differs |= differs >> 16;
    differs |= differs >> 8;
    return (uint8_t)~differs;
}

/* Fills the latches. */
static uint8_t window_load(struct vga *v, uint32_t off)
{
    uint32_t addr;
    if (!window_decode(v, off, &addr)) {
        return 0xff;
    }
    unsigned plane = v->gc[GC_READ_MAP];
    uint32_t cell = addr;
    if (vga_chained(v)) {
        plane = addr & 3;
        cell = addr >> 2;
    } else if (v->gc[GC_MODE] & GCMODE_ODD_EVEN) {
        plane = (plane & 2) | (addr & 1);
        cell = addr >> 1;
    }
    v->latch = ld32le(cell_at(v, cell));
    if (v->gc[GC_MODE] & GCMODE_COMPARE) {
        return compare_colour(v);
    }
    return (uint8_t)(v->latch >> (8 * plane));
}

static uint8_t rotate_right(uint8_t val, unsigned n)
{
    return (uint8_t)(val >> n | val << (8 - n));
}

/* What the four planes get for a written @val, before the map mask. */
static uint32_t write_data(const struct vga *v, uint8_t val)
{
    const uint8_t *gc = v->gc;
    uint32_t data;
    uint32_t bits = gc[GC_BIT_MASK] * 0x01010101u;
    switch (gc[GC_MODE] & GCMODE_WRITE) {
    case 0: {
        uint32_t enabled = vga_planes[gc[GC_ENABLE_SR]];
        data = rotate_right(val, gc[GC_ROTATE] & 7) * 0x01010101u;
        data = (data & ~enabled) | (vga_planes[gc[GC_SET_RESET]] & enabled);
        break;
    }
    case 1:
        return v->latch;
    case 2:
        data = vga_planes[val & 0x0f];
        break;
    default:
        data = vga_planes[gc[GC_SET_RESET]];
        bits &= rotate_right(val, gc[GC_ROTATE] & 7) * 0x01010101u;
        break;
    }
    switch (gc[GC_ROTATE] >> 3) {
    case 1:
        data &= v->latch;
        break;
    case 2:
        data |= v->latch;
        break;
    case 3:
        data ^= v->latch;
        break;
    default:
        break;
    }
    return (data & bits) | (v->latch & ~bits);
}

static void cell_store(struct vga *v, uint8_t *p, uint32_t data, uint32_t planes)
{
    st32le(p, (ld32le(p) & ~planes) | (data & planes));
    uint64_t ram = v->vram_block.addr + (uint64_t)(p - v->vram);
    if (unlikely(ram_marked(v->vram_block.arena, ram, 4))) {
        ram_touched(v->vram_block.arena, ram, 4);
    }
}

static void window_store(struct vga *v, uint32_t off, uint8_t val)
{
    uint32_t addr;
    if (!window_decode(v, off, &addr)) {
        return;
    }
    unsigned map = vga_vbe_chained(v) ? 0x0f : v->seq[SEQ_MAP_MASK];
    uint32_t cell = addr;
    if (vga_chained(v)) {
        map &= 1u << (addr & 3);
        cell = addr >> 2;
    } else if (!(v->seq[SEQ_MEMORY] & SEQMEM_SEQUENTIAL)) {
        map &= addr & 1 ? 0x0a : 0x05;
        cell = addr >> 1;
    }
    cell_store(v, cell_at(v, cell), write_data(v, val), vga_planes[map]);
}

/* A word at an even address is of one cell in odd/even modes: text, character and attribute. True
 * if it was read. */
static bool window_load_word(struct vga *v, uint32_t off, uint64_t *val)
{
    uint32_t addr;
    if ((off & 1) || (v->gc[GC_MODE] & (GCMODE_ODD_EVEN | GCMODE_COMPARE)) != GCMODE_ODD_EVEN ||
        vga_chained(v) || !window_decode(v, off, &addr)) {
        return false;
    }
    v->latch = ld32le(cell_at(v, addr >> 1));
    *val = (uint16_t)(v->latch >> (8 * (v->gc[GC_READ_MAP] & 2)));
    return true;
}

/* True if it was written. */
static bool window_store_word(struct vga *v, uint32_t off, uint16_t val)
{
    uint32_t addr;
    if (!vga_writes_plain(v) || (off & 1) || (v->seq[SEQ_MEMORY] & SEQMEM_SEQUENTIAL) ||
        vga_chained(v) || !window_decode(v, off, &addr)) {
        return false;
    }
    cell_store(v, cell_at(v, addr >> 1), val * 0x00010001u, vga_planes[v->seq[SEQ_MAP_MASK]]);
    return true;
}

/* Wider accesses are byte accesses in order of address, as on the 8-bit side of the chip. */
static uint64_t window_read(struct vga *v, uint32_t off, unsigned size)
{
    uint64_t val = 0;
    if (unlikely(v->text_is_memory)) {
        return vga_text_window_read(v, off, size);
    }
    if (size == 2 && window_load_word(v, off, &val)) {
        return val;
    }
    for (unsigned i = 0; i < size; i++) {
        val |= (uint64_t)window_load(v, off + i) << (8 * i);
    }
    return val;
}

static uint64_t vga_window_read(void *dev, uint64_t off, unsigned size)
{
    vga_window_used(dev);
    return window_read(dev, (uint32_t)off, size);
}

/* What a read would give; the latches stay as the guest has them. */
static uint64_t vga_window_peek(void *dev, uint64_t off, unsigned size)
{
    struct vga *v = dev;
    uint32_t latch = v->latch;
    uint64_t val = window_read(v, (uint32_t)off, size);
    v->latch = latch;
    return val;
}

static void window_write(struct vga *v, uint32_t off, uint64_t val, unsigned size)
{
    if (unlikely(v->text_is_memory)) {
        vga_text_window_write(v, off, val, size);
        return;
    }
    if (size == 2 && window_store_word(v, off, (uint16_t)val)) {
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        window_store(v, off + i, (uint8_t)(val >> (8 * i)));
    }
}

static void vga_window_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    vga_window_used(dev);
    window_write(dev, (uint32_t)off, val, size);
}

const struct region_ops vga_window_ops = {
    .read = vga_window_read, .write = vga_window_write, .width = 8,
    .peek = vga_window_peek,
};
