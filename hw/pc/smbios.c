/*
 * SMBIOS 2.8 tables of types 1, 3, 4, 16, 17, 19, 32 and 127.
 *
 * Source: [SMBIOS] "SMBIOS 2.1 (32-bit) Entry Point", "Structure standards", "Structure
 *         definitions". SeaBIOS adds type 0, which speaks of itself, and puts the table's address
 *         and the checksums into the entry point.
 */
#include "hw/pc/smbios.h"

#include "core/accel/vcpu.h"
#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "hw/pc/blob.h"

#include <stdio.h>
#include <string.h>

enum {
    HANDLE_SYSTEM = 0x0100,
    HANDLE_CHASSIS = 0x0300,
    HANDLE_CPU = 0x0400,
    HANDLE_MEMORY_ARRAY = 0x1000,
    HANDLE_MEMORY_DEVICE = 0x1100,
    HANDLE_MEMORY_RANGE = 0x1300,
    HANDLE_BOOT = 0x2000,
    HANDLE_END = 0x7f00,
    HANDLE_NOT_PROVIDED = 0xfffe,
    HANDLE_NONE = 0xffff,
};

#define ENTRY_BYTES   31
#define DIMM_MAX      (16 * GiB)

struct builder {
    struct blob blob;
    size_t start;            /* of the structure being built */
    const char *texts[8];    /* its strings; number n is texts[n - 1] */
    unsigned n_texts;
    unsigned count;          /* structures so far */
    size_t largest;
};

static void begin(struct builder *b, uint8_t type, uint16_t handle)
{
    b->start = b->blob.len;
    b->n_texts = 0;
    blob_u8(&b->blob, type);
    blob_u8(&b->blob, 0);    /* length, by end() */
    blob_u16(&b->blob, handle);
}

/* Appends the number of a string; an absent or empty one is number 0. */
static void text(struct builder *b, const char *s)
{
    if (s == NULL || s[0] == '\0' || b->n_texts == ARRAY_SIZE(b->texts)) {
        blob_u8(&b->blob, 0);
        return;
    }
    b->texts[b->n_texts++] = s;
    blob_u8(&b->blob, (uint8_t)b->n_texts);
}

/* The strings follow the formatted part; an empty string ends them, two bytes 0 if there are
 * none. */
static void end(struct builder *b)
{
    b->blob.data[b->start + 1] = (uint8_t)(b->blob.len - b->start);
    for (unsigned i = 0; i < b->n_texts; i++) {
        blob_put(&b->blob, b->texts[i], strlen(b->texts[i]) + 1);
    }
    if (b->n_texts == 0) {
        blob_u8(&b->blob, 0);
    }
    blob_u8(&b->blob, 0);
    b->count++;
    b->largest = max_u64(b->largest, b->blob.len - b->start);
}

static const char *or_default(const char *s, const char *fallback)
{
    return s != NULL ? s : fallback;
}

static void system_information(struct builder *b, const struct pc_config *cfg)
{
    const struct smbios_texts *t = &cfg->smbios;
    const uint8_t *u = cfg->uuid;

    begin(b, 1, HANDLE_SYSTEM);
    text(b, or_default(t->manufacturer, "coldboot"));
    text(b, or_default(t->product, "Standard PC (i440FX + PIIX3)"));
    text(b, or_default(t->version, "1"));
    text(b, t->serial);
    blob_u32(&b->blob, ld32be(u)); /* [SMBIOS] "UUID": the first three fields are little-endian */
    blob_u16(&b->blob, ld16be(u + 4));
    blob_u16(&b->blob, ld16be(u + 6));
    blob_put(&b->blob, u + 8, 8);
    blob_u8(&b->blob, 6);    /* wake-up type: power switch */
    text(b, t->sku);
    text(b, t->family);
    end(b);
}

static void chassis(struct builder *b, const struct pc_config *cfg)
{
    const struct smbios_texts *t = &cfg->smbios;

    begin(b, 3, HANDLE_CHASSIS);
    text(b, or_default(t->chassis_manufacturer, "coldboot"));
    blob_u8(&b->blob, 1);    /* type: other */
    text(b, or_default(t->chassis_version, "1"));
    text(b, t->chassis_serial);
    text(b, NULL);           /* asset tag */
    blob_u8(&b->blob, 3);    /* boot-up, power supply, thermal state: safe */
    blob_u8(&b->blob, 3);
    blob_u8(&b->blob, 3);
    blob_u8(&b->blob, 2);    /* security: unknown */
    blob_u32(&b->blob, 0);
    blob_put(&b->blob, NULL, 4); /* height, power cords, contained elements and their size */
    text(b, NULL);           /* SKU */
    end(b);
}

static void processor(struct builder *b, const struct machine *m, const struct pc_config *cfg,
                      unsigned n)
{
    struct x86_topology t = vcpu_topology(m);
    unsigned cpus = x86_socket_cpus(&t), cores = t.cores ? t.cores : 1;
    char socket[16];

    snprintf(socket, sizeof(socket), "CPU %u", n);
    begin(b, 4, (uint16_t)(HANDLE_CPU + n));
    text(b, socket);
    blob_u8(&b->blob, 3);    /* central processor */
    blob_u8(&b->blob, 1);    /* family: other */
    text(b, "coldboot");
    blob_u32(&b->blob, cfg->cpu_signature);
    blob_u32(&b->blob, cfg->cpu_features);
    text(b, "1");
    blob_u8(&b->blob, 0);    /* voltage, external clock, speeds: unknown */
    blob_u16(&b->blob, 0);
    blob_u16(&b->blob, 0);
    blob_u16(&b->blob, 0);
    blob_u8(&b->blob, 0x41); /* socket populated, CPU enabled */
    blob_u8(&b->blob, 1);    /* upgrade: other */
    blob_u16(&b->blob, HANDLE_NONE); /* caches */
    blob_u16(&b->blob, HANDLE_NONE);
    blob_u16(&b->blob, HANDLE_NONE);
    text(b, NULL);           /* serial number, asset tag, part number */
    text(b, NULL);
    text(b, NULL);
    blob_u8(&b->blob, (uint8_t)cores); /* cores, enabled cores, threads of the socket */
    blob_u8(&b->blob, (uint8_t)cores);
    blob_u8(&b->blob, (uint8_t)cpus);
    blob_u16(&b->blob, 2);   /* characteristics: unknown */
    blob_u16(&b->blob, 1);   /* family 2 */
    end(b);
}

static void memory_array(struct builder *b, uint64_t bytes, unsigned dimms)
{
    bool small = bytes / KiB < 0x80000000u;

    begin(b, 16, HANDLE_MEMORY_ARRAY);
    blob_u8(&b->blob, 3);    /* on the system board */
    blob_u8(&b->blob, 3);    /* system memory */
    blob_u8(&b->blob, 3);    /* no error correction */
    blob_u32(&b->blob, small ? (uint32_t)(bytes / KiB) : 0x80000000u);
    blob_u16(&b->blob, HANDLE_NOT_PROVIDED);
    blob_u16(&b->blob, (uint16_t)dimms);
    blob_u64(&b->blob, small ? 0 : bytes);
    end(b);
}

static void memory_device(struct builder *b, uint64_t bytes, unsigned n)
{
    char locator[16];
    uint64_t mib = bytes / MiB;

    snprintf(locator, sizeof(locator), "DIMM %u", n);
    begin(b, 17, (uint16_t)(HANDLE_MEMORY_DEVICE + n));
    blob_u16(&b->blob, HANDLE_MEMORY_ARRAY);
    blob_u16(&b->blob, HANDLE_NOT_PROVIDED);
    blob_u16(&b->blob, 0xffff); /* total and data width: unknown */
    blob_u16(&b->blob, 0xffff);
    blob_u16(&b->blob, mib < 0x7fff ? (uint16_t)mib : 0x7fff);
    blob_u8(&b->blob, 9);    /* DIMM */
    blob_u8(&b->blob, 0);
    text(b, locator);
    text(b, NULL);
    blob_u8(&b->blob, 7);    /* RAM */
    blob_u16(&b->blob, 2);   /* detail: other */
    blob_u16(&b->blob, 0);   /* speed: unknown */
    text(b, "coldboot");
    text(b, NULL);
    text(b, NULL);
    text(b, NULL);
    blob_u8(&b->blob, 0);    /* rank: unknown */
    blob_u32(&b->blob, mib < 0x7fff ? 0 : (uint32_t)mib);
    blob_put(&b->blob, NULL, 8); /* configured speed, three voltages: unknown */
    end(b);
}

static void memory_range(struct builder *b, uint64_t start, uint64_t bytes, unsigned n)
{
    uint64_t last = start + bytes - 1;
    bool small = last / KiB < 0xffffffffu;

    begin(b, 19, (uint16_t)(HANDLE_MEMORY_RANGE + n));
    blob_u32(&b->blob, small ? (uint32_t)(start / KiB) : 0xffffffffu);
    blob_u32(&b->blob, small ? (uint32_t)(last / KiB) : 0xffffffffu);
    blob_u16(&b->blob, HANDLE_MEMORY_ARRAY);
    blob_u8(&b->blob, 1);    /* partition width */
    blob_u64(&b->blob, small ? 0 : start);
    blob_u64(&b->blob, small ? 0 : last);
    end(b);
}

static void boot_information(struct builder *b)
{
    begin(b, 32, HANDLE_BOOT);
    blob_put(&b->blob, NULL, 7); /* reserved; status: no errors */
    end(b);
}

static void memory(struct builder *b, const struct machine *m)
{
    uint64_t bytes = m->ram_low.bytes + m->ram_high.bytes;
    unsigned dimms = (unsigned)((bytes + DIMM_MAX - 1) / DIMM_MAX);

    memory_array(b, bytes, dimms);
    for (unsigned i = 0; i < dimms; i++) {
        memory_device(b, min_u64(bytes - i * DIMM_MAX, DIMM_MAX), i);
    }
    memory_range(b, 0, m->ram_low.bytes, 0);
    if (m->ram_high.bytes != 0) {
        memory_range(b, 4 * GiB, m->ram_high.bytes, 1);
    }
}

static void entry_point(uint8_t entry[ENTRY_BYTES], const struct builder *b)
{
    memset(entry, 0, ENTRY_BYTES);
    memcpy(entry, "_SM_", 4);
    entry[5] = ENTRY_BYTES;
    entry[6] = 2;
    entry[7] = 8;
    st16le(entry + 8, (uint16_t)b->largest);
    memcpy(entry + 16, "_DMI_", 5);
    st16le(entry + 22, (uint16_t)b->blob.len);
    st16le(entry + 28, (uint16_t)b->count);
    entry[30] = 0x28;        /* revision as BCD */
    entry[21] = blob_checksum(entry + 16, 15);
    entry[4] = blob_checksum(entry, ENTRY_BYTES);
}

bool smbios_add(struct fw_cfg *f, const struct machine *m, const struct pc_config *cfg,
                struct error **err)
{
    struct builder b = {0};
    uint8_t entry[ENTRY_BYTES];

    system_information(&b, cfg);
    chassis(&b, cfg);
    struct x86_topology t = vcpu_topology(m);
    for (unsigned i = 0; i * x86_socket_cpus(&t) < cfg->cpus; i++) {
        processor(&b, m, cfg, i);
    }
    memory(&b, m);
    boot_information(&b);
    begin(&b, 127, HANDLE_END);
    end(&b);
    entry_point(entry, &b);

    bool good = fw_cfg_add_file(f, "etc/smbios/smbios-anchor", entry, sizeof(entry), err) &&
                fw_cfg_add_file(f, "etc/smbios/smbios-tables", b.blob.data, b.blob.len, err);
    blob_free(&b.blob);
    return good;
}
