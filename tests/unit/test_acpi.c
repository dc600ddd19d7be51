/* ACPI tables: AML encoding, checksums, the table loader's program as firmware runs it
 * (hw/pc/acpi). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench.h"
#include "core/base/bytes.h"
#include "hw/pc/acpi.h"
#include "hw/pc/aml.h"

#define BASE_TABLES 0x000e1000u /* where the test's firmware puts the files */
#define BASE_RSDP   0x000f5a00u

struct rig {
    struct bench b;
    struct pci_bus bus;
    struct region mem;
    struct piix4_pm pm;
    struct fw_cfg f;
    struct acpi acpi;
    struct pc_config cfg;
    uint8_t tables[ACPI_TABLES_BYTES];
    uint8_t rsdp[ACPI_RSDP_BYTES];
};

static int set_up(void **state)
{
    static const unsigned drives[PC_FLOPPIES] = {4, 0};
    struct rig *r = calloc(1, sizeof(*r));
    struct piix4_pm_pins pins = {0};
    struct error *err = NULL;

    bench_init(&r->b);
    region_container(&r->mem, "pci", BIT64(MACHINE_PHYS_BITS));
    pci_bus_init(&r->bus, &r->b.m, &r->mem);
    piix4_pm_init(&r->pm, &r->bus, PCI_DEVFN(1, 3), &pins);
    fw_cfg_init(&r->f, &r->b.m);
    pc_config_init(&r->cfg);
    assert_true(acpi_add(&r->acpi, &r->f, &r->b.m, &r->cfg, &r->pm, drives, true, &err));
    fw_cfg_seal(&r->f);
    bench_power_on(&r->b);
    bench_out32(&r->b, 0xcf8, 0x80000b40);
    bench_out32(&r->b, 0xcfc, 0x601);
    bench_out32(&r->b, 0xcf8, 0x80000b80);
    bench_out32(&r->b, 0xcfc, 1);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    bench_fini(&r->b);
    free(r);
    return 0;
}

static const struct fw_cfg_item *selected_file(struct rig *r, const char *name)
{
    const struct fw_cfg_item *item = fw_cfg_find_file(&r->f, name);
    assert_non_null(item);
    bench_out16(&r->b, 0x510, item->key);
    return item;
}

static unsigned sum(const uint8_t *p, size_t n)
{
    unsigned s = 0;
    for (size_t i = 0; i < n; i++) {
        s += p[i];
    }
    return s & 0xff;
}

/* A file of the loader's program, as the test's firmware has placed it. */
static uint8_t *placed(struct rig *r, const char *name, size_t *bytes, uint32_t *base)
{
    bool rsdp = strcmp(name, "etc/acpi/rsdp") == 0;
    if (!rsdp) {
        assert_string_equal(name, "etc/acpi/tables");
    }
    *bytes = rsdp ? sizeof(r->rsdp) : sizeof(r->tables);
    *base = rsdp ? BASE_RSDP : BASE_TABLES;
    return rsdp ? r->rsdp : r->tables;
}

static void run_record(struct rig *r, const uint8_t *rec, unsigned *allocated)
{
    const uint8_t *args = rec + 4 + 56;
    size_t bytes, src_bytes;
    uint32_t base, src_base;
    uint8_t *file = placed(r, (const char *)rec + 4, &bytes, &base);

    switch (ld32le(rec)) {
    case 1: /* ALLOCATE */
        assert_true(args[4] == 1 || args[4] == 2);
        assert_int_equal(base % ld32le(args), 0);
        ++*allocated;
        break;
    case 2: { /* ADD_POINTER */
        placed(r, (const char *)args, &src_bytes, &src_base);
        uint32_t off = ld32le(args + 56);
        assert_int_equal(args[60], 4);
        assert_true(off + 4 <= bytes && ld32le(file + off) < src_bytes);
        st32le(file + off, ld32le(file + off) + src_base);
        break;
    }
    case 3: { /* ADD_CHECKSUM */
        uint32_t off = ld32le(args), start = ld32le(args + 4), len = ld32le(args + 8);
        assert_true(off < bytes && start + len <= bytes && off >= start && off < start + len);
        file[off] = (uint8_t)(file[off] - sum(file + start, len));
        break;
    }
    default:
        fail_msg("command %u", ld32le(rec));
    }
}

/* Does what SeaBIOS does with the three files. */
static void load(struct rig *r)
{
    const struct fw_cfg_item *loader = selected_file(r, "etc/table-loader");
    unsigned allocated = 0;

    memcpy(r->tables, selected_file(r, "etc/acpi/tables")->data, sizeof(r->tables));
    memcpy(r->rsdp, selected_file(r, "etc/acpi/rsdp")->data, sizeof(r->rsdp));
    for (size_t at = 0; at + 128 <= loader->bytes && ld32le(loader->data + at) != 0; at += 128) {
        run_record(r, loader->data + at, &allocated);
    }
    assert_int_equal(allocated, 2);
}

/* The table at a physical address, checked. */
static const uint8_t *table(struct rig *r, uint32_t addr, const char *signature)
{
    const uint8_t *t = r->tables + (addr - BASE_TABLES);
    assert_in_range(addr, BASE_TABLES, BASE_TABLES + sizeof(r->tables) - 64);
    assert_memory_equal(t, signature, 4);
    assert_in_range(ld32le(t + 4), 36, sizeof(r->tables));
    if (strcmp(signature, "FACS") != 0) {
        assert_int_equal(sum(t, ld32le(t + 4)), 0);
    }
    return t;
}

static const uint8_t *fadt_of(struct rig *r)
{
    const uint8_t *rsdt = table(r, ld32le(r->rsdp + 16), "RSDT");
    assert_in_range(ld32le(rsdt + 4), 36 + 4, 36 + 16);
    return table(r, ld32le(rsdt + 36), "FACP");
}

/* Table number @n of the RSDT; NULL if it has fewer. */
static const uint8_t *nth_table(struct rig *r, unsigned n, const char *signature)
{
    const uint8_t *rsdt = table(r, ld32le(r->rsdp + 16), "RSDT");
    return 36 + 4 * n < ld32le(rsdt + 4) ? table(r, ld32le(rsdt + 36 + 4 * n), signature) : NULL;
}

static void the_loader_links_rsdp_rsdt_fadt_facs_and_dsdt(void **state)
{
    struct rig *r = *state;
    load(r);
    assert_memory_equal(r->rsdp, "RSD PTR ", 8);
    assert_int_equal(sum(r->rsdp, 20), 0);
    const uint8_t *fadt = fadt_of(r);
    const uint8_t *facs = table(r, ld32le(fadt + 36), "FACS");
    const uint8_t *dsdt = table(r, ld32le(fadt + 40), "DSDT");
    assert_int_equal(ld32le(facs + 4), 64);
    assert_int_equal((facs - r->tables) % 64, 0);
    assert_int_equal(dsdt[8], 1);
}

static void the_fadt_names_the_boards_ports(void **state)
{
    struct rig *r = *state;
    load(r);
    const uint8_t *fadt = fadt_of(r);
    assert_int_equal(ld32le(fadt + 4), 116);
    assert_int_equal(ld16le(fadt + 46), 9);
    assert_int_equal(ld32le(fadt + 48), 0xb2);
    assert_int_equal(fadt[52], 0xf1);
    assert_int_equal(fadt[53], 0xf0);
    assert_int_equal(ld32le(fadt + 56), 0x600);
    assert_int_equal(ld32le(fadt + 64), 0x604);
    assert_int_equal(ld32le(fadt + 76), 0x608);
    assert_int_equal(ld32le(fadt + 80), 0xafe0);
    assert_memory_equal(fadt + 88, "\4\2\0\4\4\0", 6);
    assert_int_equal(fadt[108], 0x32);
    assert_int_equal(ld32le(fadt + 112), 0x80a5);
}

static void the_madt_lists_processors_and_overrides(void **state)
{
    static const uint8_t rest[] = {
        1, 12, 0, 0, 0x00, 0x00, 0xc0, 0xfe, 0, 0, 0, 0,
        2, 10, 0, 0, 2, 0, 0, 0, 0, 0,   2, 10, 0, 5, 5, 0, 0, 0, 13, 0,
        2, 10, 0, 9, 9, 0, 0, 0, 13, 0,  2, 10, 0, 10, 10, 0, 0, 0, 13, 0,
        2, 10, 0, 11, 11, 0, 0, 0, 13, 0, 4, 6, 0xff, 0, 0, 1,
    };
    struct rig *r = *state;
    load(r);
    const uint8_t *madt = nth_table(r, 1, "APIC");
    assert_int_equal(ld32le(madt + 4), 120);
    assert_int_equal(ld32le(madt + 36), 0xfee00000);
    assert_int_equal(ld32le(madt + 40), 1);
    assert_memory_equal(madt + 44, "\0\10\0\0\1\0\0\0", 8);
    assert_memory_equal(madt + 52, rest, sizeof(rest));
    r->cfg.cpus = 2;
    r->cfg.max_cpus = 3;
    r->acpi.built = false;
    load(r);
    madt = nth_table(r, 1, "APIC");
    assert_int_equal(ld32le(madt + 4), 136);
    assert_memory_equal(madt + 52, "\0\10\1\1\1\0\0\0" "\0\10\2\2\0\0\0\0", 16);
    r->b.m.cores = 3;            /* two bits number them: the IDs have a gap */
    r->cfg.max_cpus = 4;
    r->acpi.built = false;
    load(r);
    madt = nth_table(r, 1, "APIC");
    assert_memory_equal(madt + 60, "\0\10\2\2\0\0\0\0" "\0\10\3\4\0\0\0\0", 16);
}

static void the_dsdt_names_the_processors_that_are_there(void **state)
{
    struct rig *r = *state;
    r->cfg.cpus = 2;
    r->cfg.max_cpus = 3;
    load(r);
    /* ProcessorOp, length, name, number, no register block */
    static const char second[] = "\x5b\x83\x0b" "C001" "\1" "\0\0\0\0\0";
    assert_non_null(memmem(r->tables, sizeof(r->tables), second, sizeof(second) - 1));
    assert_null(memmem(r->tables, sizeof(r->tables), "C002", 4));
}

static void the_hpet_has_a_table_while_it_is_there(void **state)
{
    struct rig *r = *state;
    load(r);
    const uint8_t *hpet = nth_table(r, 2, "HPET");
    assert_int_equal(ld32le(hpet + 4), 56);
    assert_int_equal(ld32le(hpet + 36), 0x8086a201);
    assert_int_equal(ld64le(hpet + 44), 0xfed00000);
    assert_int_equal(ld32le(nth_table(r, 3, "WAET") + 36), 2);
    r->cfg.hpet = false;
    r->acpi.apic = false;
    r->acpi.built = false;
    load(r);
    assert_non_null(nth_table(r, 1, "WAET"));
    assert_null(nth_table(r, 2, ""));
}

static void tables_follow_the_pm_base(void **state)
{
    struct rig *r = *state;
    load(r);
    bench_out32(&r->b, 0xcf8, 0x80000b40);
    bench_out32(&r->b, 0xcfc, 0x4001);
    load(r);
    assert_int_equal(ld32le(fadt_of(r) + 56), 0x4000);
    bench_reset(&r->b);
    load(r);
    assert_int_equal(ld32le(fadt_of(r) + 56), 0);
    assert_int_equal(ld32le(fadt_of(r) + 76), 8);
}

static bool names(const struct rig *r, const char *device)
{
    return memmem(r->tables, sizeof(r->tables), device, 4) != NULL;
}

static void the_dsdt_has_the_ports_that_the_board_has(void **state)
{
    struct rig *r = *state;
    load(r);
    assert_true(names(r, "KBD_") && names(r, "MOU_") && names(r, "COM1") && names(r, "LPT1"));
    assert_false(names(r, "COM2") || names(r, "COM3") || names(r, "COM4"));
    r->cfg.com_present[0] = r->cfg.lpt_present = false;
    r->cfg.com_present[3] = true;
    bench_out32(&r->b, 0xcf8, 0x80000b40);
    bench_out32(&r->b, 0xcfc, 0x701); /* the tables are made anew when the PM ports move */
    load(r);
    assert_true(names(r, "COM4") && names(r, "MOU_"));
    assert_false(names(r, "COM1") || names(r, "LPT1"));
}

static void the_largest_board_fits(void **state)
{
    static const unsigned drives[PC_FLOPPIES] = {4, 5};
    struct rig *r = *state;
    for (unsigned i = 0; i < PC_COMS; i++) {
        r->cfg.com_present[i] = true;
    }
    memcpy(r->acpi.drives, drives, sizeof(drives));
    r->acpi.built = false;
    load(r);
    fadt_of(r);
}

static void assert_bytes(struct blob *b, const char *want, size_t n)
{
    assert_int_equal(b->len, n);
    assert_memory_equal(b->data, want, n);
    blob_free(b);
}

static void integers_take_the_shortest_form(void **state) /* [ACPI] "Data Objects Encoding" */
{
    static const uint64_t values[] = {0, 1, 2, 0xff, 0x100, 0xffff, 0x10000, 0x100000000};
    struct blob b = {0};
    for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
        aml_int(&b, values[i]);
    }
    assert_bytes(&b, "\x00" "\x01" "\x0a\x02" "\x0a\xff" "\x0b\x00\x01" "\x0b\xff\xff"
                     "\x0c\x00\x00\x01\x00" "\x0e\x00\x00\x00\x00\x01\x00\x00\x00", 26);
}

static void names_have_prefixes_by_their_segments(void **state) /* [ACPI] "Name Objects Encoding" */
{
    struct blob b = {0};
    aml_path(&b, "RTC_");
    aml_path(&b, "\\_SB_.PCI0");
    aml_path(&b, "PCI0.ISA_.P40C");
    assert_bytes(&b, "RTC_" "\\\x2e_SB_PCI0" "\x2f\x03PCI0ISA_P40C", 4 + 10 + 14);
}

static void an_eisa_id_is_a_compressed_dword(void **state) /* PNP0A03 is 030AD041h */
{
    struct blob b = {0};
    aml_eisa_id(&b, "PNP0A03");
    assert_bytes(&b, "\x0c\x41\xd0\x0a\x03", 5);
}

/* [ACPI] "Package Length Encoding" */
static void a_package_length_grows_with_the_body(void **state)
{
    static const struct {
        size_t body;
        const char *len;
        size_t n;
    } cases[] = {
        {1, "\x02", 1},           {62, "\x3f", 1},          {63, "\x41\x04", 2},
        {0xffd, "\x4f\xff", 2},   {0xffe, "\x81\x00\x01", 3}, {0xffffc, "\x8f\xff\xff", 3},
        {0xffffd, "\xc1\x00\x00\x01", 4},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct blob b = {0};
        size_t at = aml_if(&b);
        blob_put(&b, NULL, cases[i].body);
        aml_close(&b, at);
        assert_int_equal(b.len, 1 + cases[i].n + cases[i].body);
        assert_memory_equal(b.data + 1, cases[i].len, cases[i].n);
        blob_free(&b);
    }
}

static void a_resource_template_ends_with_a_tag(void **state) /* [ACPI] "End Tag" */
{
    struct blob b = {0}, r = {0};
    aml_res_irq(&r, 6);
    aml_res_dma(&r, 2);
    aml_resources(&b, &r);
    assert_bytes(&b, "\x11\x0b\x0a\x08\x22\x40\x00\x2a\x04\x00\x79\x00", 12);
}

/* An independent reading of the DSDT. */
static void iasl_can_read_the_dsdt(void **state)
{
    struct rig *r = *state;
    char dir[] = "/tmp/coldboot-acpi-XXXXXX", command[256];

    if (system("iasl -v >/dev/null 2>&1") != 0) {
        print_message("iasl is not installed\n");
        skip();
    }
    load(r);
    const uint8_t *dsdt = table(r, ld32le(fadt_of(r) + 40), "DSDT");
    assert_non_null(mkdtemp(dir));
    snprintf(command, sizeof(command), "%s/dsdt.aml", dir);
    FILE *f = fopen(command, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(dsdt, ld32le(dsdt + 4), 1, f), 1);
    fclose(f);
    /* Read it back, then compile the result: iasl's checks see what a decompiler lets pass. Not its
     * warning 3168: Processor() is what guests of ACPI 1 look for. */
    snprintf(
        command, sizeof(command),
        "cd %s && iasl -d dsdt.aml >log 2>&1 && iasl -we -vw 3168 -p again dsdt.dsl >>log 2>&1",
        dir);
    int status = system(command);
    if (status != 0) {
        snprintf(command, sizeof(command), "cat %s/log", dir);
        (void)!system(command);
    }
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    (void)!system(command);
    assert_int_equal(status, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_loader_links_rsdp_rsdt_fadt_facs_and_dsdt),
        T(the_fadt_names_the_boards_ports),
        T(the_madt_lists_processors_and_overrides),
        T(the_dsdt_names_the_processors_that_are_there),
        T(the_hpet_has_a_table_while_it_is_there),
        T(tables_follow_the_pm_base),
        T(the_dsdt_has_the_ports_that_the_board_has),
        T(the_largest_board_fits),
        cmocka_unit_test(integers_take_the_shortest_form),
        cmocka_unit_test(names_have_prefixes_by_their_segments),
        cmocka_unit_test(an_eisa_id_is_a_compressed_dword),
        cmocka_unit_test(a_package_length_grows_with_the_body),
        cmocka_unit_test(a_resource_template_ends_with_a_tag),
        T(iasl_can_read_the_dsdt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
