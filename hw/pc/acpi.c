/*
 * ACPI tables and the program that links them.
 *
 * Source: [ACPI1] "ACPI System Description Tables" (RSDP, RSDT, FADT, FACS and MADT of revision 1);
 *         [HPET] "The ACPI 2.0 HPET Description Table"; [WAET]; the table loader's records as
 *         SeaBIOS runs them.
 */
#include "hw/pc/acpi.h"

#include "core/accel/vcpu.h"
#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "hw/pc/acpi_dsdt.h"
#include "hw/chips/hpet.h"
#include "hw/chips/ioapic.h"
#include "hw/chips/lapic.h"
#include "hw/pc/blob.h"
#include "trace/hw_pc.h"

#include <assert.h>
#include <string.h>

#define FILE_TABLES "etc/acpi/tables"
#define FILE_RSDP   "etc/acpi/rsdp"
#define FILE_LOADER "etc/table-loader"

#define HEADER_BYTES    36
#define HEADER_CHECKSUM 9
#define FACS_BYTES      64
#define FADT_FACS       36
#define FADT_DSDT       40
#define RSDP_CHECKSUM   8
#define RSDP_RSDT       16

enum {
    SMI_PORT = 0xb2, ACPI_ENABLE = 0xf1, ACPI_DISABLE = 0xf0,
    SCI_IRQ = 9, GPE0_PORT = 0xafe0, CMOS_CENTURY = 0x32,
};

/* FADT flags: WBINVD, C1 on all CPUs, no fixed sleep button, RTC wakes from S4, use the PM
 * timer. */
#define FADT_FLAGS 0x000080a5u

/* ---- the loader's program: records of 128 bytes ---- */

enum {
    LOADER_ALLOCATE = 1,     /* file, alignment, zone */
    LOADER_POINTER = 2,      /* file, file pointed to, offset, size */
    LOADER_CHECKSUM = 3,     /* file, offset of the sum, start, length */
};
enum { ZONE_HIGH = 1, ZONE_FSEG = 2 };
#define RECORD_BYTES 128
#define FILE_BYTES   56

/* Appends a record; a file name follows in @b by record_file. */
static size_t record(struct blob *b, uint32_t command)
{
    size_t at = b->len;
    blob_u32(b, command);
    return at;
}

static void record_file(struct blob *b, const char *name)
{
    size_t at = blob_put(b, NULL, FILE_BYTES);
    memcpy(b->data + at, name, strlen(name));
}

static void record_end(struct blob *b, size_t at)
{
    blob_put(b, NULL, RECORD_BYTES - (b->len - at));
}

static void allocate(struct blob *b, const char *file, uint32_t align, uint8_t zone)
{
    size_t at = record(b, LOADER_ALLOCATE);
    record_file(b, file);
    blob_u32(b, align);
    blob_u8(b, zone);
    record_end(b, at);
}

/* The 4 bytes at @off of @file hold an offset in the tables; firmware adds where it put those. */
static void pointer(struct blob *b, const char *file, size_t off)
{
    size_t at = record(b, LOADER_POINTER);
    record_file(b, file);
    record_file(b, FILE_TABLES);
    blob_u32(b, (uint32_t)off);
    blob_u8(b, 4);
    record_end(b, at);
}

static void checksum(struct blob *b, const char *file, size_t off, size_t start, size_t bytes)
{
    size_t at = record(b, LOADER_CHECKSUM);
    record_file(b, file);
    blob_u32(b, (uint32_t)off);
    blob_u32(b, (uint32_t)start);
    blob_u32(b, (uint32_t)bytes);
    record_end(b, at);
}

/* ---- tables ---- */

struct builder {
    struct blob tables, loader;
};

/* A table's header; its length and checksum come with end_table. */
static size_t begin_table(struct builder *b, const char *signature, uint8_t revision)
{
    struct blob *t = &b->tables;
    size_t at = blob_put(t, signature, 4);
    blob_u32(t, 0);
    blob_u8(t, revision);
    blob_u8(t, 0);
    blob_put(t, "BOCHS ", 6);
    blob_put(t, "BXPC    ", 8);
    blob_u32(t, 1);
    blob_put(t, "BXPC", 4);
    blob_u32(t, 1);
    return at;
}

static void end_table(struct builder *b, size_t at)
{
    size_t bytes = b->tables.len - at;
    st32le(b->tables.data + at + 4, (uint32_t)bytes);
    checksum(&b->loader, FILE_TABLES, at + HEADER_CHECKSUM, at, bytes);
}

static size_t build_facs(struct builder *b)
{
    struct blob *t = &b->tables;
    size_t at = blob_put(t, "FACS", 4);
    blob_u32(t, FACS_BYTES);
    blob_put(t, NULL, FACS_BYTES - 8); /* no waking vector, no global lock, no flags */
    return at;
}

static size_t build_dsdt(struct builder *b, const struct acpi *a)
{
    size_t at = begin_table(b, "DSDT", 1);
    acpi_dsdt(&b->tables, a);
    end_table(b, at);
    return at;
}

static size_t build_fadt(struct builder *b, const struct acpi *a, size_t facs, size_t dsdt,
                         uint16_t pm_base)
{
    struct blob *t = &b->tables;
    size_t at = begin_table(b, "FACP", 1);

    blob_u32(t, (uint32_t)facs);
    blob_u32(t, (uint32_t)dsdt);
    blob_u8(t, a->apic);     /* INT_MODEL: two 8259s, or APICs as the MADT says */
    blob_u8(t, 0);
    blob_u16(t, SCI_IRQ);
    blob_u32(t, SMI_PORT);
    blob_u8(t, ACPI_ENABLE);
    blob_u8(t, ACPI_DISABLE);
    blob_u16(t, 0);          /* S4BIOS_REQ, reserved */
    blob_u32(t, pm_base);    /* PM1a event, PM1b event */
    blob_u32(t, 0);
    blob_u32(t, pm_base + 4u); /* PM1a control, PM1b control, PM2 control */
    blob_u32(t, 0);
    blob_u32(t, 0);
    blob_u32(t, pm_base + 8u); /* timer */
    blob_u32(t, GPE0_PORT);
    blob_u32(t, 0);
    blob_u8(t, 4);           /* lengths: PM1 event, control, PM2 control, timer, GPE0, GPE1 */
    blob_u8(t, 2);
    blob_u8(t, 0);
    blob_u8(t, 4);
    blob_u8(t, 4);
    blob_u8(t, 0);
    blob_u16(t, 0);          /* GPE1_BASE, reserved */
    blob_u16(t, 0xfff);      /* C2 and C3 are not supported */
    blob_u16(t, 0xfff);
    blob_u32(t, 0);          /* cache flush size and stride: WBINVD does it */
    blob_u16(t, 0);          /* duty cycle: cannot be throttled */
    blob_u16(t, 0);          /* RTC day and month alarm: none */
    blob_u8(t, CMOS_CENTURY);
    blob_u8(t, 0);
    blob_u16(t, 0);
    blob_u32(t, FADT_FLAGS);
    pointer(&b->loader, FILE_TABLES, at + FADT_FACS);
    pointer(&b->loader, FILE_TABLES, at + FADT_DSDT);
    end_table(b, at);
    return at;
}

/* [ACPI1] "Multiple APIC Description Table": entries by type and length. */
enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_NMI = 4 };
enum { MADT_PCAT_COMPAT = 1 };         /* there are 8259s, too */
enum { MPS_LEVEL_HIGH = 0xd };         /* active high, level triggered */

static void madt_override(struct blob *t, uint8_t irq, uint32_t pin, uint16_t flags)
{
    blob_u8(t, MADT_OVERRIDE);
    blob_u8(t, 10);
    blob_u8(t, 0);           /* ISA */
    blob_u8(t, irq);
    blob_u32(t, pin);
    blob_u16(t, flags);
}

static size_t build_madt(struct builder *b, const struct acpi *a)
{
    static const uint8_t pci_irqs[] = {5, 9, 10, 11}; /* what PIRQ lines and the SCI are led to */
    const struct pc_config *cfg = a->config;
    struct blob *t = &b->tables;
    size_t at = begin_table(b, "APIC", 1);

    blob_u32(t, (uint32_t)LAPIC_BASE);
    blob_u32(t, MADT_PCAT_COMPAT);
    for (unsigned i = 0; i < cfg->max_cpus; i++) {
        blob_u8(t, MADT_LAPIC);
        blob_u8(t, 8);
        blob_u8(t, (uint8_t)i); /* processor, APIC ID */
        blob_u8(t, (uint8_t)vcpu_apic_id(a->machine, i));
        blob_u32(t, i < cfg->cpus); /* enabled */
    }
    blob_u8(t, MADT_IOAPIC);
    blob_u8(t, 12);
    blob_u8(t, 0);           /* ID */
    blob_u8(t, 0);
    blob_u32(t, (uint32_t)IOAPIC_BASE);
    blob_u32(t, 0);          /* its first global interrupt */
    madt_override(t, 0, 2, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(pci_irqs); i++) {
        madt_override(t, pci_irqs[i], pci_irqs[i], MPS_LEVEL_HIGH);
    }
    blob_u8(t, MADT_LAPIC_NMI);
    blob_u8(t, 6);
    blob_u8(t, 0xff);        /* of every processor: LINT1 */
    blob_u16(t, 0);
    blob_u8(t, 1);
    end_table(b, at);
    return at;
}

static size_t build_hpet(struct builder *b)
{
    struct blob *t = &b->tables;
    size_t at = begin_table(b, "HPET", 1);

    blob_u32(t, HPET_BLOCK_ID);
    blob_u32(t, 0);          /* generic address: memory */
    blob_u64(t, HPET_BASE);
    blob_u8(t, 0);           /* number */
    blob_u16(t, 0);          /* shortest period: no promise */
    blob_u8(t, 0);           /* page protection */
    end_table(b, at);
    return at;
}

/* [WAET] Emulated Device Flags: the PM timer need not be read twice. */
static size_t build_waet(struct builder *b)
{
    size_t at = begin_table(b, "WAET", 1);
    blob_u32(&b->tables, 2);
    end_table(b, at);
    return at;
}

static size_t build_rsdt(struct builder *b, const size_t *tables, unsigned n)
{
    size_t at = begin_table(b, "RSDT", 1);
    for (unsigned i = 0; i < n; i++) {
        pointer(&b->loader, FILE_TABLES, b->tables.len);
        blob_u32(&b->tables, (uint32_t)tables[i]);
    }
    end_table(b, at);
    return at;
}

static void build_rsdp(struct builder *b, uint8_t rsdp[ACPI_RSDP_BYTES], size_t rsdt)
{
    memset(rsdp, 0, ACPI_RSDP_BYTES);
    memcpy(rsdp, "RSD PTR ", 8);
    memcpy(rsdp + 9, "BOCHS ", 6);
    st32le(rsdp + RSDP_RSDT, (uint32_t)rsdt);
    pointer(&b->loader, FILE_RSDP, RSDP_RSDT);
    checksum(&b->loader, FILE_RSDP, RSDP_CHECKSUM, 0, ACPI_RSDP_BYTES);
}

static void acpi_build(struct acpi *a)
{
    struct builder b = {0};
    uint16_t pm_base = piix4_pm_base(a->pm);

    allocate(&b.loader, FILE_RSDP, 16, ZONE_FSEG);
    allocate(&b.loader, FILE_TABLES, 64, ZONE_HIGH);
    size_t facs = build_facs(&b);
    size_t dsdt = build_dsdt(&b, a);
    size_t tables[4], n = 0;
    tables[n++] = build_fadt(&b, a, facs, dsdt, pm_base);
    if (a->apic) {
        tables[n++] = build_madt(&b, a);
    }
    if (a->config->hpet) {
        tables[n++] = build_hpet(&b);
    }
    tables[n++] = build_waet(&b);
    build_rsdp(&b, a->rsdp, build_rsdt(&b, tables, (unsigned)n));

    assert(b.tables.len <= sizeof(a->tables) && b.loader.len <= sizeof(a->loader));
    memset(a->tables, 0, sizeof(a->tables));
    memset(a->loader, 0, sizeof(a->loader));
    memcpy(a->tables, b.tables.data, b.tables.len);
    memcpy(a->loader, b.loader.data, b.loader.len);
    trace_acpi_build(pm_base, (unsigned)(tables[0] - dsdt), (unsigned)b.tables.len);
    blob_free(&b.tables);
    blob_free(&b.loader);
    a->built = true;
    a->built_base = pm_base;
}

static void acpi_selected(void *opaque)
{
    struct acpi *a = opaque;
    if (!a->built || a->built_base != piix4_pm_base(a->pm)) {
        acpi_build(a);
    }
}

bool acpi_add(struct acpi *a, struct fw_cfg *f, const struct machine *m,
              const struct pc_config *cfg, const struct piix4_pm *pm,
              const unsigned drives[PC_FLOPPIES], bool apic, struct error **err)
{
    a->machine = m;
    a->config = cfg;
    a->pm = pm;
    a->apic = apic;
    a->built = false; /* the tables are empty until somebody wants them */
    memcpy(a->drives, drives, sizeof(a->drives));
    return fw_cfg_add_live_file(f, FILE_TABLES, a->tables, sizeof(a->tables), acpi_selected, a,
                                err) &&
           fw_cfg_add_live_file(f, FILE_RSDP, a->rsdp, sizeof(a->rsdp), acpi_selected, a, err) &&
           fw_cfg_add_live_file(f, FILE_LOADER, a->loader, sizeof(a->loader), acpi_selected, a,
                                err);
}
