/* What the board and its firmware look like: chips by their providers, PCI, interrupt vectors,
 * boot. */
#include "core/debug/commands.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/debug/walk.h"

#include <inttypes.h>
#include <string.h>

/* A chip that describes itself under the command's name. */
COMMAND(info_provider)
{
    bool found = false;
    for (const struct info_provider *p = c->debug->machine->board.infos; p != NULL; p = p->next) {
        if (strcmp(p->name, c->command->name) == 0) {
            p->show(p->dev, c->out);
            found = true;
        }
    }
    if (!found) {
        text_printf(c->out, "This machine has no %s\n", c->command->name);
    }
    return true;
}

/* ---- PCI ------------------------------------------------------------------------------------- */

/* Names of base classes and subclasses ([PCI21] appendix D). */
static const char *class_name(unsigned class)
{
    static const struct {
        uint16_t class;
        const char *name;
    } names[] = {
        {0x0100, "SCSI controller"},     {0x0101, "IDE controller"},
        {0x0102, "Floppy controller"},   {0x0106, "SATA controller"},
        {0x0200, "Ethernet controller"}, {0x0300, "VGA controller"},
        {0x0401, "Audio controller"},    {0x0403, "Audio controller"},
        {0x0600, "Host bridge"},         {0x0601, "ISA bridge"},
        {0x0604, "PCI bridge"},          {0x0680, "Bridge"},
        {0x0c03, "USB controller"},      {0x0c05, "SMBus"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i].class == class) {
            return names[i].name;
        }
    }
    return "Device";
}

struct pci_function {
    unsigned devfn, vendor, device, class, sub_vendor, sub_device, irq, pin;
};

/* False if there is none at @devfn. */
static bool read_function(const struct pci_view *pci, unsigned devfn, struct pci_function *f)
{
    uint32_t id, class, sub, irq;
    if (pci == NULL || !pci->config(pci->dev, devfn, 0x00, 4, &id) ||
        !pci->config(pci->dev, devfn, 0x08, 4, &class) ||
        !pci->config(pci->dev, devfn, 0x2c, 4, &sub) ||
        !pci->config(pci->dev, devfn, 0x3c, 4, &irq)) {
        return false;
    }
    *f = (struct pci_function){
        .devfn = devfn,
        .vendor = id & 0xffff,
        .device = id >> 16,
        .class = class >> 16,
        .sub_vendor = sub & 0xffff,
        .sub_device = sub >> 16,
        .irq = irq & 0xff,
        .pin = irq >> 8 & 0xff,
    };
    return true;
}

static void put_bars(struct text *out, const struct pci_view *pci, unsigned devfn)
{
    for (unsigned n = 0; n < PCI_VIEW_BARS; n++) {
        struct pci_bar_view b;
        if (!pci->bar(pci->dev, devfn, n, &b)) {
            continue;
        }
        if (b.io) {
            text_printf(out, "      BAR%u: I/O at 0x%04" PRIx64 " [0x%04" PRIx64 "].\n", n, b.addr,
                        b.addr + b.bytes - 1);
        } else {
            text_printf(out, "      BAR%u: 32 bit %smemory at 0x%08" PRIx64 " [0x%08" PRIx64 "].\n",
                        n, b.prefetch ? "prefetchable " : "", b.addr, b.addr + b.bytes - 1);
        }
    }
}

COMMAND(info_pci)
{
    const struct pci_view *pci = c->debug->machine->board.pci;
    struct pci_function f;
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        if (!read_function(pci, devfn, &f)) {
            continue;
        }
        text_printf(c->out, "  Bus  0, device %3u, function %u:\n    %s: PCI device %04x:%04x\n",
                    devfn >> 3, devfn & 7, class_name(f.class), f.vendor, f.device);
        if (f.sub_vendor != 0 || f.sub_device != 0) {
            text_printf(c->out, "      PCI subsystem %04x:%04x\n", f.sub_vendor, f.sub_device);
        }
        if (f.pin != 0) {
            text_printf(c->out, "      IRQ %u, pin %c\n", f.irq, (char)('A' + ((f.pin - 1) & 3)));
        }
        put_bars(c->out, pci, devfn);
        text_puts(c->out, "      id \"\"\n");
    }
    return true;
}

static void pci_regions(struct json_out *j, const struct pci_view *pci, unsigned devfn)
{
    jout_array(j, "regions");
    for (unsigned n = 0; n < PCI_VIEW_BARS; n++) {
        struct pci_bar_view b;
        if (!pci->bar(pci->dev, devfn, n, &b)) {
            continue;
        }
        jout_object(j, NULL);
        jout_u64(j, "bar", n);
        jout_string(j, "type", b.io ? "io" : "memory");
        jout_i64(j, "address", (int64_t)b.addr);
        jout_u64(j, "size", b.bytes);
        if (!b.io) {
            jout_bool(j, "prefetch", b.prefetch);
            jout_bool(j, "mem_type_64", false);
        }
        jout_end(j);
    }
    jout_end(j);
}

static void pci_function_json(struct json_out *j, const struct pci_view *pci,
                              const struct pci_function *f)
{
    jout_object(j, NULL);
    jout_u64(j, "bus", 0);
    jout_u64(j, "slot", f->devfn >> 3);
    jout_u64(j, "function", f->devfn & 7);
    jout_object(j, "class_info");
    jout_string(j, "desc", class_name(f->class));
    jout_u64(j, "class", f->class);
    jout_end(j);
    jout_object(j, "id");
    jout_u64(j, "vendor", f->vendor);
    jout_u64(j, "device", f->device);
    jout_u64(j, "subsystem-vendor", f->sub_vendor);
    jout_u64(j, "subsystem", f->sub_device);
    jout_end(j);
    if (f->pin != 0) {
        jout_u64(j, "irq", f->irq);
    }
    jout_u64(j, "irq_pin", f->pin);
    jout_string(j, "qdev_id", "");
    pci_regions(j, pci, f->devfn);
    jout_end(j);
}

COMMAND(query_pci)
{
    const struct pci_view *pci = c->debug->machine->board.pci;
    struct pci_function f;
    jout_array(c->json, NULL);
    jout_object(c->json, NULL);
    jout_u64(c->json, "bus", 0);
    jout_array(c->json, "devices");
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        if (read_function(pci, devfn, &f)) {
            pci_function_json(c->json, pci, &f);
        }
    }
    jout_end(c->json);
    jout_end(c->json);
    jout_end(c->json);
    return true;
}

/* ---- interrupt vectors ----------------------------------------------------------------------- */

/* [SDM3] "IDT Descriptors": offset, selector, type of gate @n. */
static void put_gate(struct text *out, const struct x86_state *s, struct space *mem, unsigned n)
{
    bool wide = s->efer & EFER_LMA;
    unsigned bytes = wide ? 16 : 8;
    uint8_t g[16] = {0};
    if (n * bytes + bytes - 1 > s->idtr.limit ||
        walk_read(s, mem, s->idtr.base + n * bytes, g, bytes) < bytes) {
        return;
    }
    unsigned type = g[5] & 0x1f;
    uint64_t off =
        ld16le(g) | (uint64_t)ld16le(g + 6) << 16 | (wide ? (uint64_t)ld32le(g + 8) << 32 : 0);
    if (g[5] & 0x80) {
        text_printf(out, "%02x: %04x:%0*" PRIx64 " %s dpl=%u\n", n, ld16le(g + 2), wide ? 16 : 8,
                    off,
                    type == 5    ? "task"
                    : type == 6  ? "int16"
                    : type == 7  ? "trap16"
                    : type == 14 ? "int"
                    : type == 15 ? "trap"
                                 : "?",
                    g[5] >> 5 & 3);
    }
}

COMMAND(info_int)
{
    const struct x86_state *s = debug_state(c->debug, c->monitor->cpu);
    struct space *mem = debug_memory(c->debug, c->monitor->cpu);
    bool real = !(s->cr0 & CR0_PE);
    text_printf(c->out, "%s at %08" PRIx64 ", limit %04x\n", real ? "Interrupt vectors" : "IDT",
                s->idtr.base, s->idtr.limit);
    for (unsigned n = 0; n < 256; n++) {
        uint8_t v[4];
        if (!real) {
            put_gate(c->out, s, mem, n);
        } else if (4 * n + 3 <= s->idtr.limit &&
                   walk_read(s, mem, s->idtr.base + 4 * n, v, 4) == 4) {
            text_printf(c->out, "%02x: %04x:%04x%s", n, ld16le(v + 2), ld16le(v),
                        n % 4 == 3 ? "\n" : "    ");
        }
    }
    return true;
}

/* ---- info boot ------------------------------------------------------------------------------- */

static uint16_t peek16(struct command_call *c, uint64_t addr)
{
    uint16_t val = 0;
    space_peek_bytes(&c->debug->machine->mem, addr, &val, sizeof(val));
    return val;
}

/* Where a boot stands, from what BIOS and boot sector leave in the BIOS data area (400h). */
COMMAND(info_boot)
{
    const struct x86_state *s = debug_state(c->debug, c->monitor->cpu);
    uint64_t cs = s->seg[S_CS].base, at = cs + s->rip;
    const char *where = at >= 0xe0000 && at < 0x100000       ? "BIOS"
                        : at >= 0xc0000 && at < 0xe0000      ? "option ROM"
                        : at >= 0x7c00 && at < 0x7e00        ? "boot sector"
                        : at >= 0xffff0000 && at < BIT64(32) ? "BIOS (top of 4 GiB)"
                                                             : "RAM";
    text_printf(c->out, "Now: %04x:%08" PRIx64 " (linear %08" PRIx64 ") in %s, %s\n",
                s->seg[S_CS].sel, s->rip, at, where,
                !(s->cr0 & CR0_PE)   ? "real mode"
                : s->rflags & FL_VM  ? "virtual-8086 mode"
                : s->efer & EFER_LMA ? "long mode"
                : s->cr0 & CR0_PG    ? "protected mode with paging"
                                     : "protected mode");
    text_printf(c->out, "Boot sector at 07C0:0000: signature %04x%s\n", peek16(c, 0x7dfe),
                peek16(c, 0x7dfe) == 0xaa55 ? "" : " (not AA55)");
    text_printf(c->out,
                "BIOS data: equipment %04x, base memory %u KiB, video mode %02x, COM1 at %04x, "
                "hard disks %u, ticks since midnight %u\n",
                peek16(c, 0x410), peek16(c, 0x413), peek16(c, 0x449) & 0xff, peek16(c, 0x400),
                peek16(c, 0x475) & 0xff, peek16(c, 0x46c) | (unsigned)peek16(c, 0x46e) << 16);
    text_printf(c->out, "Interrupts: INT 10h %04x:%04x, INT 13h %04x:%04x, INT 19h %04x:%04x\n",
                peek16(c, 0x42), peek16(c, 0x40), peek16(c, 0x4e), peek16(c, 0x4c), peek16(c, 0x66),
                peek16(c, 0x64));
    for (const struct media_slot *slot = c->debug->machine->board.slots; slot != NULL;
         slot = slot->next) {
        text_printf(c->out, "Drive %s: %s\n", slot->id,
                    *slot->medium != NULL ? "medium in" : "empty");
    }
    return true;
}
