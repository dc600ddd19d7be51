/*
 * The std VGA: PCI function 1234:1111 around the VGA core.
 *
 * Source: [BOCHS-VBE] for the frame buffer; the register page as firmware and drivers use it: EDID
 *         at 000h, ports 3C0h-3DFh at 400h, VBE registers at 500h, size and byte order at 600h;
 *         [EDID] for the monitor's data block.
 * Pins:   the PCI bus; legacy ports and the window at A0000h are decoded whatever the command
 *         register says, as firmware relies on.
 * Left out: a big-endian frame buffer.
 */
#include "hw/vga/stdvga.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <string.h>

#define MMIO_EDID      0x000u
#define MMIO_PORTS     0x400u
#define MMIO_PORTS_LEN 0x20u
#define MMIO_VBE       0x500u
#define MMIO_VBE_LEN   0x16u
#define MMIO_EXT       0x600u
#define MMIO_EXT_LEN   0x08u

#define EXT_LITTLE_ENDIAN 0x1e1e1e1eu

#define EDID_PRODUCT 0x1111u
#define EDID_YEAR    2024u

/* The preferred mode, CVT timings. */
enum { HACTIVE = 1280, HFRONT = 72, HSYNC = 128, HBLANK = 400 };
enum { VACTIVE = 800, VFRONT = 3, VSYNC = 6, VBLANK = 31 };
enum { PIXEL_CLOCK_10KHZ = 8350, WIDTH_MM = 339, HEIGHT_MM = 212 };

/* [EDID] 3.10.2 "Detailed Timing Descriptor": the low eight bits of each count, then the high
 * ones. */
static void edid_timing(uint8_t *d)
{
    st16le(d, PIXEL_CLOCK_10KHZ);
    d[2] = (uint8_t)HACTIVE;
    d[3] = (uint8_t)HBLANK;
    d[4] = HACTIVE >> 8 << 4 | HBLANK >> 8;
    d[5] = (uint8_t)VACTIVE;
    d[6] = (uint8_t)VBLANK;
    d[7] = VACTIVE >> 8 << 4 | VBLANK >> 8;
    d[8] = HFRONT;
    d[9] = HSYNC;
    d[10] = VFRONT << 4 | VSYNC;
    d[12] = (uint8_t)WIDTH_MM;
    d[13] = (uint8_t)HEIGHT_MM;
    d[14] = WIDTH_MM >> 8 << 4 | HEIGHT_MM >> 8;
    d[17] = 0x1c;                            /* digital separate sync, vertical positive */
}

/* [EDID] 3.10.3: display descriptors begin with a pixel clock of 0 and a tag. */
static void edid_text(uint8_t *d, uint8_t tag, const char *text)
{
    size_t n = strlen(text);
    d[3] = tag;
    memset(d + 5, ' ', 13);
    memcpy(d + 5, text, n < 13 ? n : 13);
    if (n < 13) {
        d[5 + n] = '\n';
    }
}

static void edid_fill(uint8_t e[128])
{
    static const uint8_t header[8] = {0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00};
    static const uint8_t srgb[10] = {0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54};
    static const uint8_t limits[10] = {50, 75, 30, 90, 20, 0x00, '\n', ' ', ' ', ' '};
    uint8_t sum = 0;

    memset(e, 0, 128);
    memcpy(e, header, sizeof(header));
    e[8] = ('C' - '@') << 2 | ('B' - '@') >> 3; /* "CBT", five bits a letter */
    e[9] = (uint8_t)(('B' - '@') << 5 | ('T' - '@'));
    st16le(e + 10, EDID_PRODUCT);
    e[17] = EDID_YEAR - 1990;
    e[18] = 1;                               /* version 1.4 */
    e[19] = 4;
    e[20] = 0xa5;                            /* digital, 8 bits a colour, DisplayPort */
    e[21] = WIDTH_MM / 10;
    e[22] = HEIGHT_MM / 10;
    e[23] = 120;                             /* gamma 2.2 */
    e[24] = 0x06;                            /* sRGB; the first detailed timing is the native one */
    memcpy(e + 25, srgb, sizeof(srgb));
    e[35] = 0x21;                            /* 640x480 and 800x600 at 60 Hz */
    e[36] = 0x08;                            /* 1024x768 at 60 Hz */
    memset(e + 38, 0x01, 16);                /* no standard timings */
    edid_timing(e + 54);
    edid_text(e + 72, 0xfc, "coldboot");
    e[90 + 3] = 0xfd;                        /* range limits: Hz, kHz, 10 MHz */
    memcpy(e + 90 + 5, limits, sizeof(limits));
    memset(e + 90 + 15, ' ', 3);
    e[108 + 3] = 0x10;                       /* an unused descriptor */
    for (unsigned i = 0; i < 127; i++) {
        sum += e[i];
    }
    e[127] = (uint8_t)-sum;
}

static uint64_t edid_read(void *dev, uint64_t off, unsigned size)
{
    const struct stdvga *v = dev;
    return off < sizeof(v->edid) ? v->edid[off] : 0;
}

static uint64_t mmio_vbe_read(void *dev, uint64_t off, unsigned size)
{
    struct stdvga *v = dev;
    unsigned shift = off & 1 ? 8 : 0;
    return (uint64_t)vga_vbe_read(&v->vga, (unsigned)off / 2) >> shift & size_mask(size);
}

static void mmio_vbe_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct stdvga *v = dev;
    if (size == 2 && (off & 1) == 0) {
        vga_vbe_write(&v->vga, (unsigned)off / 2, (uint16_t)val);
    }
}

/* 600h: how many bytes there are; 604h: byte order of the frame buffer. */
static uint64_t mmio_ext_read(void *dev, uint64_t off, unsigned size)
{
    uint64_t regs = (uint64_t)EXT_LITTLE_ENDIAN << 32 | MMIO_EXT_LEN;
    return regs >> (8 * off) & size_mask(size);
}

static const struct region_ops edid_ops = {.read = edid_read, .width = 1};
static const struct region_ops mmio_vbe_ops = {
    .read = mmio_vbe_read, .write = mmio_vbe_write, .width = 2,
};
static const struct region_ops mmio_ext_ops = {.read = mmio_ext_read, .width = 4};

static void stdvga_reset(void *dev)
{
    struct stdvga *v = dev;
    pci_device_reset(&v->pci);
}

static void stdvga_loaded(void *dev)
{
    struct stdvga *v = dev;
    pci_device_loaded(&v->pci);
}

static const struct state_field stdvga_state[] = {
    STATE_SUB(struct stdvga, pci, pci_device_state),
    STATE_END(),
};

static const struct device_type stdvga_type = {
    .name = "stdvga", .version = 1, .reset = stdvga_reset, .state = stdvga_state,
    .loaded = stdvga_loaded,
};

static void map_mmio(struct stdvga *v)
{
    region_container(&v->mmio, "stdvga-mmio", STDVGA_MMIO_BYTES);
    region_io(&v->mmio_edid, "stdvga-edid", &edid_ops, v, STDVGA_EDID_BYTES);
    region_alias(&v->mmio_ports, "stdvga-ports", &v->vga.io_ports, 0x3c0 - VGA_PORT_BASE,
                 MMIO_PORTS_LEN);
    region_io(&v->mmio_vbe, "stdvga-vbe", &mmio_vbe_ops, v, MMIO_VBE_LEN);
    region_io(&v->mmio_ext, "stdvga-ext", &mmio_ext_ops, v, MMIO_EXT_LEN);
    region_map(&v->mmio, &v->mmio_edid, MMIO_EDID, 0);
    region_map(&v->mmio, &v->mmio_ports, MMIO_PORTS, 0);
    region_map(&v->mmio, &v->mmio_vbe, MMIO_VBE, 0);
    region_map(&v->mmio, &v->mmio_ext, MMIO_EXT, 0);
}

bool stdvga_init(struct stdvga *v, struct machine *m, struct pci_bus *bus, unsigned devfn,
                 const void *rom, size_t rom_bytes, struct error **err)
{
    static const struct pci_ids ids = {
        .vendor = 0x1234, .device = 0x1111, .revision = 2, .class_code = 0x030000,
    };
    if (!vga_init(&v->vga, m, &m->ports.root, STDVGA_VRAM_BYTES, err)) {
        return false;
    }
    edid_fill(v->edid);
    map_mmio(v);
    pci_device_init(&v->pci, bus, "stdvga", devfn, &ids);
    pci_add_bar(&v->pci, 0, PCI_BAR_PREFETCH, &v->vga.lfb);
    pci_add_bar(&v->pci, 2, PCI_BAR_MEM, &v->mmio);
    if (rom_bytes != 0 && !pci_add_rom(&v->pci, rom, rom_bytes, err)) {
        return false;
    }
    region_map(bus->mem, &v->vga.window, VGA_WINDOW_BASE, 0);
    region_map(bus->mem, &v->vga.linear, VGA_WINDOW_BASE, 0); /* the later one wins */
    region_map(bus->mem, &v->vga.text_memory, VGA_WINDOW_BASE + VGA_TEXT_OFFSET, 0);
    machine_add(m, &stdvga_type, "stdvga", v);
    m->display = &v->vga.source;
    return true;
}
