/*
 * The DSDT's body.
 *
 * Source: [ACPI] "Device Configuration" (_PRT, _CRS, _PRS, _SRS), "Power and Performance
 *         Management" (_Sx), "ACPI-Defined Devices and Device-Specific Objects"; [PIIX3] PIRQRC for
 *         the links.
 * Left out: what the board does not have (hot plug, of processors too).
 */
#include "hw/pc/acpi_dsdt.h"

#include "core/base/bits.h"
#include "hw/chips/hpet.h"

#include <stdio.h>

#define PCI_SLOTS     32
#define SCI_IRQ       9
#define PCI_HOLE_LAST 0xfebfffffu /* what follows is the I/O APIC's and the firmware's */
#define FW_CFG_PORT   0x510
#define GPE0_PORT     0xafe0

static const char *const links[PCI_PIRQS] = {"LNKA", "LNKB", "LNKC", "LNKD"};

static void name_eisa(struct blob *b, const char *name, const char *id)
{
    aml_name(b, name);
    aml_eisa_id(b, id);
}

static void name_int(struct blob *b, const char *name, uint64_t v)
{
    aml_name(b, name);
    aml_int(b, v);
}

static void name_resources(struct blob *b, const char *name, struct blob *r)
{
    aml_name(b, name);
    aml_resources(b, r);
}

/* ---- interrupt links: PIRQ route control registers 60h to 63h of the ISA bridge ---- */

/* IQST(reg): _STA of a link; the register's bit 7 switches it off. */
static void method_iqst(struct blob *b)
{
    size_t method = aml_method(b, "IQST", 1, false);
    size_t off = aml_if(b);
    aml_op(b, AML_AND);
    aml_int(b, 0x80);
    aml_op(b, AML_ARG0);
    aml_op(b, AML_NO_TARGET);
    aml_op(b, AML_RETURN);
    aml_int(b, 0x09);
    aml_close(b, off);
    aml_op(b, AML_RETURN);
    aml_int(b, 0x0b);
    aml_close(b, method);
}

/* IQCR(reg): _CRS of a link. */
static void method_iqcr(struct blob *b)
{
    static const uint32_t none = 0;
    struct blob r = {0};

    size_t method = aml_method(b, "IQCR", 1, true);
    aml_res_interrupts(&r, &none, 1);
    name_resources(b, "PRR0", &r);
    aml_op(b, AML_CREATE_DWORD_FIELD);
    aml_path(b, "PRR0");
    aml_int(b, 5);           /* the first interrupt's number in the descriptor */
    aml_path(b, "PRRI");
    aml_op(b, AML_AND);
    aml_op(b, AML_ARG0);
    aml_int(b, 0x0f);
    aml_path(b, "PRRI");
    aml_op(b, AML_RETURN);
    aml_path(b, "PRR0");
    aml_close(b, method);
}

static void call_with_register(struct blob *b, const char *name, const char *callee,
                               const char *reg)
{
    size_t method = aml_method(b, name, 0, false);
    aml_op(b, AML_RETURN);
    aml_path(b, callee);
    aml_path(b, reg);
    aml_close(b, method);
}

static void link_disable(struct blob *b, const char *reg)
{
    size_t method = aml_method(b, "_DIS", 0, false);
    aml_op(b, AML_OR);
    aml_path(b, reg);
    aml_int(b, 0x80);
    aml_path(b, reg);
    aml_close(b, method);
}

static void link_set(struct blob *b, const char *reg)
{
    size_t method = aml_method(b, "_SRS", 1, false);
    aml_op(b, AML_CREATE_DWORD_FIELD);
    aml_op(b, AML_ARG0);
    aml_int(b, 5);
    aml_path(b, "PRRI");
    aml_op(b, AML_STORE);
    aml_path(b, "PRRI");
    aml_path(b, reg);
    aml_close(b, method);
}

static void interrupt_link(struct blob *b, unsigned n)
{
    static const uint32_t possible[] = {5, 10, 11};
    static const char *const regs[PCI_PIRQS] = {"PRQ0", "PRQ1", "PRQ2", "PRQ3"};
    struct blob r = {0};

    size_t dev = aml_device(b, links[n]);
    name_eisa(b, "_HID", "PNP0C0F");
    name_int(b, "_UID", n);
    aml_res_interrupts(&r, possible, ARRAY_SIZE(possible));
    name_resources(b, "_PRS", &r);
    call_with_register(b, "_STA", "IQST", regs[n]);
    link_disable(b, regs[n]);
    call_with_register(b, "_CRS", "IQCR", regs[n]);
    link_set(b, regs[n]);
    aml_close(b, dev);
}

/* LNKS: the power management function's interrupt, which is wired to the SCI and cannot be
 * moved. */
static void sci_link(struct blob *b)
{
    static const uint32_t sci = SCI_IRQ;
    static const char *const names[] = {"_PRS", "_CRS"};

    size_t dev = aml_device(b, "LNKS");
    name_eisa(b, "_HID", "PNP0C0F");
    name_int(b, "_UID", PCI_PIRQS);
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        struct blob r = {0};
        aml_res_interrupts(&r, &sci, 1);
        name_resources(b, names[i], &r);
    }
    name_int(b, "_STA", 0x0b);
    aml_close(b, aml_method(b, "_DIS", 0, false));
    aml_close(b, aml_method(b, "_SRS", 1, false));
    aml_close(b, dev);
}

static void interrupt_links(struct blob *b)
{
    static const struct aml_field_unit units[PCI_PIRQS] = {
        {"PRQ0", 8}, {"PRQ1", 8}, {"PRQ2", 8}, {"PRQ3", 8},
    };

    size_t scope = aml_scope(b, "\\_SB_");
    aml_field(b, "PCI0.ISA_.P40C", units, PCI_PIRQS);
    method_iqst(b);
    method_iqcr(b);
    for (unsigned n = 0; n < PCI_PIRQS; n++) {
        interrupt_link(b, n);
    }
    sci_link(b);
    aml_close(b, scope);
}

/* ---- PCI ---- */

static void routing_table(struct blob *b)
{
    aml_name(b, "_PRT");
    size_t table = aml_package(b, PCI_SLOTS * PCI_PIRQS);
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            bool sci = slot == 1 && pin == 0;
            size_t entry = aml_package(b, 4);
            aml_int(b, slot << 16 | 0xffff);
            aml_int(b, pin);
            aml_path(b, sci ? "LNKS" : links[pci_pirq(slot, pin + 1)]);
            aml_int(b, 0);
            aml_close(b, entry);
        }
    }
    aml_close(b, table);
}

static void bridge_resources(struct blob *b, const struct acpi *a)
{
    struct blob r = {0};

    aml_res_bus_range(&r, 0, 255);
    aml_res_io(&r, 0xcf8, 8);
    aml_res_io_range(&r, 0x0000, 0x0cf7);
    aml_res_io_range(&r, 0x0d00, 0xffff);
    aml_res_memory_range(&r, 0xa0000, 0xbffff, true);
    aml_res_memory_range(&r, (uint32_t)a->machine->ram_low.bytes, PCI_HOLE_LAST, false);
    name_resources(b, "_CRS", &r);
}

/* ---- ISA ---- */

static void keyboard(struct blob *b)
{
    struct blob r = {0};
    size_t dev = aml_device(b, "KBD_");
    name_eisa(b, "_HID", "PNP0303");
    name_int(b, "_STA", 0x0f);
    aml_res_io(&r, 0x60, 1);
    aml_res_io(&r, 0x64, 1);
    aml_res_irq(&r, 1);
    name_resources(b, "_CRS", &r);
    aml_close(b, dev);
}

static void mouse(struct blob *b)
{
    struct blob r = {0};
    size_t dev = aml_device(b, "MOU_");
    name_eisa(b, "_HID", "PNP0F13");
    name_int(b, "_STA", 0x0f);
    aml_res_irq(&r, 12);
    name_resources(b, "_CRS", &r);
    aml_close(b, dev);
}

static void printer_port(struct blob *b)
{
    struct blob r = {0};
    size_t dev = aml_device(b, "LPT1");
    name_eisa(b, "_HID", "PNP0400");
    name_int(b, "_UID", 1);
    name_int(b, "_STA", 0x0f);
    aml_res_io(&r, 0x378, 8);
    aml_res_irq(&r, 7);
    name_resources(b, "_CRS", &r);
    aml_close(b, dev);
}

static void clock_chip(struct blob *b)
{
    struct blob r = {0};
    size_t dev = aml_device(b, "RTC_");
    name_eisa(b, "_HID", "PNP0B00");
    aml_res_io(&r, 0x70, 2);
    aml_res_irq(&r, 8);
    name_resources(b, "_CRS", &r);
    aml_close(b, dev);
}

static void com_port(struct blob *b, unsigned n)
{
    static const struct {
        const char *name;
        uint16_t base;
        unsigned irq;
    } ports[PC_COMS] = {
        {"COM1", 0x3f8, 4}, {"COM2", 0x2f8, 3}, {"COM3", 0x3e8, 4}, {"COM4", 0x2e8, 3},
    };
    struct blob r = {0};

    size_t dev = aml_device(b, ports[n].name);
    name_eisa(b, "_HID", "PNP0501");
    name_int(b, "_UID", n + 1);
    name_int(b, "_STA", 0x0f);
    aml_res_io(&r, ports[n].base, 8);
    aml_res_irq(&r, ports[n].irq);
    name_resources(b, "_CRS", &r);
    aml_close(b, dev);
}

/* [ACPI] "_FDE (Floppy Disk Enumerate)": five 32-bit words, one a drive and one for a tape. */
static void floppy_enumerate(struct blob *b, const struct acpi *a)
{
    aml_name(b, "_FDE");
    size_t buffer = aml_buffer(b, 20);
    for (unsigned i = 0; i < 4; i++) {
        blob_u32(b, i < PC_FLOPPIES && a->drives[i] != 0);
    }
    blob_u32(b, 2);          /* tape: never */
    aml_close(b, buffer);
}

static void floppy_controller(struct blob *b, const struct acpi *a)
{
    static const char *const names[PC_FLOPPIES] = {"FLPA", "FLPB"};
    struct blob r = {0};

    size_t dev = aml_device(b, "FDC0");
    name_eisa(b, "_HID", "PNP0700");
    name_int(b, "_STA", 0x0f);
    aml_res_io(&r, 0x3f2, 4);
    aml_res_io(&r, 0x3f7, 1);
    aml_res_irq(&r, 6);
    aml_res_dma(&r, 2);
    name_resources(b, "_CRS", &r);
    floppy_enumerate(b, a);
    for (unsigned i = 0; i < PC_FLOPPIES; i++) {
        if (a->drives[i] != 0) {
            size_t drive = aml_device(b, names[i]);
            name_int(b, "_ADR", i);
            aml_close(b, drive);
        }
    }
    aml_close(b, dev);
}

static void hpet_device(struct blob *b)
{
    struct blob r = {0};
    size_t dev = aml_device(b, "HPET");
    name_eisa(b, "_HID", "PNP0103");
    name_int(b, "_UID", 0);
    name_int(b, "_STA", 0x0f);
    aml_res_memory32(&r, (uint32_t)HPET_BASE, HPET_BYTES, false);
    name_resources(b, "_CRS", &r);
    aml_close(b, dev);
}

static void fw_cfg_device(struct blob *b)
{
    struct blob r = {0};
    size_t dev = aml_device(b, "FWCF");
    aml_name(b, "_HID");
    aml_string(b, "QEMU0002"); /* [FWCFG] "ACPI Interface" */
    name_int(b, "_STA", 0x0b);
    aml_res_io(&r, FW_CFG_PORT, 12);
    name_resources(b, "_CRS", &r);
    aml_close(b, dev);
}

static void isa_bridge(struct blob *b, const struct acpi *a)
{
    size_t dev = aml_device(b, "ISA_");
    name_int(b, "_ADR", 0x00010000);
    aml_operation_region(b, "P40C", AML_PCI_CONFIG, 0x60, 4);
    keyboard(b);
    mouse(b);
    clock_chip(b);
    if (a->config->fdc) {
        floppy_controller(b, a);
    }
    for (unsigned n = 0; n < PC_COMS; n++) {
        if (a->config->com_present[n]) {
            com_port(b, n);
        }
    }
    if (a->config->lpt_present) {
        printer_port(b);
    }
    aml_close(b, dev);
}

/* Ports that no bus may be given. */
static void reserved_ports(struct blob *b)
{
    struct blob r = {0};
    size_t dev = aml_device(b, "GPE0");
    aml_name(b, "_HID");
    aml_string(b, "PNP0A06");
    aml_name(b, "_UID");
    aml_string(b, "GPE0 resources");
    aml_res_io(&r, GPE0_PORT, 4);
    name_resources(b, "_CRS", &r);
    name_int(b, "_STA", 0x0b);
    aml_close(b, dev);
}

static void host_bridge(struct blob *b, const struct acpi *a)
{
    size_t scope = aml_scope(b, "\\_SB_");
    size_t dev = aml_device(b, "PCI0");
    name_eisa(b, "_HID", "PNP0A03");
    name_int(b, "_UID", 0);
    bridge_resources(b, a);
    routing_table(b);
    isa_bridge(b, a);
    fw_cfg_device(b);
    if (a->config->hpet) {
        hpet_device(b);
    }
    reserved_ports(b);
    aml_close(b, dev);
    aml_close(b, scope);
}

/* A processor has the number that its entry of the MADT gives; no register block, C1 only. */
static void processors(struct blob *b, const struct acpi *a)
{
    size_t scope = aml_scope(b, "\\_SB_");
    for (unsigned i = 0; a->apic && i < a->config->cpus; i++) {
        char name[8];
        snprintf(name, sizeof(name), "C%03X", i & 0xfff);
        aml_close(b, aml_processor(b, name, (uint8_t)i));
    }
    aml_close(b, scope);
}

/* [ACPI] "\_Sx (System States)": SLP_TYP for PM1a and PM1b, and two reserved elements. */
static void sleep_state(struct blob *b, const char *name, unsigned type)
{
    aml_name(b, name);
    size_t package = aml_package(b, 4);
    aml_int(b, type);
    aml_int(b, type);
    aml_int(b, 0);
    aml_int(b, 0);
    aml_close(b, package);
}

void acpi_dsdt(struct blob *b, const struct acpi *a)
{
    host_bridge(b, a);
    interrupt_links(b);
    processors(b, a);
    sleep_state(b, "\\_S4_", PIIX4_SLP_S4);
    sleep_state(b, "\\_S5_", PIIX4_SLP_S5);
}
