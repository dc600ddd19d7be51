/*
 * Partition tables.
 *
 * Source: the master boot record of the IBM PC; [UEFI] "GUID Partition Table (GPT) Disk Layout".
 */
#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/main/explain/explain.h"
#include "core/base/utf8.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum {
    SECTOR = 512,
    TABLE = 446,
    ENTRY = 16,
    ENTRIES = 4,
    SIGNATURE = 510,
    MOST_LOGICAL = 64, /* links of a chain that are followed */
    GPT_HEADER = 92,
    GPT_ENTRY = 128,
    GPT_MOST_ENTRY = 4096,
    GPT_MOST_ENTRIES = 1024,
};

static const struct {
    uint8_t type;
    const char *name;
} mbr_types[] = {
    {0x01, "FAT12"},
    {0x04, "FAT16 below 32 MiB"},
    {0x05, "extended"},
    {0x06, "FAT16"},
    {0x07, "NTFS, exFAT or HPFS"},
    {0x0b, "FAT32"},
    {0x0c, "FAT32 (LBA)"},
    {0x0e, "FAT16 (LBA)"},
    {0x0f, "extended (LBA)"},
    {0x11, "hidden FAT12"},
    {0x14, "hidden FAT16 below 32 MiB"},
    {0x16, "hidden FAT16"},
    {0x17, "hidden NTFS or HPFS"},
    {0x1b, "hidden FAT32"},
    {0x1c, "hidden FAT32 (LBA)"},
    {0x27, "Windows recovery"},
    {0x39, "Plan 9"},
    {0x63, "System V"},
    {0x80, "old MINIX"},
    {0x81, "MINIX"},
    {0x82, "Linux swap"},
    {0x83, "Linux"},
    {0x85, "Linux extended"},
    {0x8e, "Linux LVM"},
    {0x96, "ISO 9660"},
    {0xa5, "FreeBSD"},
    {0xa6, "OpenBSD"},
    {0xa9, "NetBSD"},
    {0xaf, "HFS or HFS+"},
    {0xbe, "Solaris boot"},
    {0xbf, "Solaris"},
    {0xeb, "BeOS"},
    {0xee, "GPT protective"},
    {0xef, "EFI system"},
    {0xfb, "VMware VMFS"},
    {0xfd, "Linux RAID"},
};

/* The GUID as its 16 bytes lie on the disk. */
static const struct {
    const char *guid, *name;
} gpt_types[] = {
    {"\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b", "EFI system"},
    {"\x48\x61\x68\x21\x49\x64\x6f\x6e\x74\x4e\x65\x65\x64\x45\x46\x49", "BIOS boot"},
    {"\xa2\xa0\xd0\xeb\xe5\xb9\x33\x44\x87\xc0\x68\xb6\xb7\x26\x99\xc7", "Microsoft basic data"},
    {"\x16\xe3\xc9\xe3\x5c\x0b\xb8\x4d\x81\x7d\xf9\x2d\xf0\x02\x15\xae", "Microsoft reserved"},
    {"\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4", "Linux file system"},
    {"\x6d\xfd\x57\x06\xab\xa4\xc4\x43\x84\xe5\x09\x33\xc8\x4b\x4f\x4f", "Linux swap"},
    {"\x79\xd3\xd6\xe6\x07\xf5\xc2\x44\xa2\x3c\x23\x8f\x2a\x3d\xf9\x28", "Linux LVM"},
    {"\x0f\x88\x9d\xa1\xfc\x05\x3b\x4d\xa0\x06\x74\x3f\x0f\x84\x91\x1e", "Linux RAID"},
    {"\x00\x53\x46\x48\x00\x00\xaa\x11\xaa\x11\x00\x30\x65\x43\xec\xac", "Apple HFS+"},
};

static bool is_extended(uint8_t type)
{
    return type == 0x05 || type == 0x0f || type == 0x85;
}

static void mbr_type(char *out, size_t size, uint8_t type)
{
    for (unsigned i = 0; i < ARRAY_SIZE(mbr_types); i++) {
        if (mbr_types[i].type == type) {
            snprintf(out, size, "%02Xh %s", type, mbr_types[i].name);
            return;
        }
    }
    snprintf(out, size, "%02Xh", type);
}

/* A place in the list for [start, start + bytes), with what lies there; NULL: it is full. */
static struct explain_partition *add(struct explain_table *t, struct block *b, uint64_t start,
                                     uint64_t bytes)
{
    if (t->n == EXPLAIN_PARTITIONS) {
        t->more++;
        return NULL;
    }
    struct explain_partition *p = &t->list[t->n++];
    *p = (struct explain_partition){
        .start = start, .bytes = bytes, .outside = start > b->bytes || bytes > b->bytes - start};
    if (start < b->bytes) {
        explain_find_fs(&p->fs, b, start, min_u64(bytes, b->bytes - start));
    }
    return p;
}

/* ---- the master boot record ------------------------------------------------------------------ */

/* Code at the table's place hardly ever has four boot flags and an entry inside the disk. */
static bool is_table(const uint8_t *sector, uint64_t bytes)
{
    bool used = false;
    if (ld16le(sector + SIGNATURE) != 0xaa55) {
        return false;
    }
    for (unsigned i = 0; i < ENTRIES; i++) {
        const uint8_t *e = sector + TABLE + i * ENTRY;
        if ((e[0] & 0x7f) != 0) {
            return false;
        }
        used = used || (e[4] != 0 && ld32le(e + 12) != 0 && ld32le(e + 8) * 512ull < bytes);
    }
    return used;
}

static void add_mbr(struct explain_table *t, struct block *b, const uint8_t *e, uint64_t base,
                    const char *scheme, unsigned number)
{
    struct explain_partition *p =
        add(t, b, (base + ld32le(e + 8)) * SECTOR, (uint64_t)ld32le(e + 12) * SECTOR);
    if (p != NULL) {
        p->scheme = scheme;
        p->number = number;
        p->active = e[0] == 0x80;
        mbr_type(p->type, sizeof(p->type), e[4]);
        if (is_extended(e[4])) {
            p->fs = (struct explain_fs){0};
        }
    }
}

/* Each sector of the chain has a logical partition and the place of the next. */
static void follow_chain(struct explain_table *t, struct block *b, uint32_t first)
{
    uint8_t sector[SECTOR];
    uint64_t at = first;
    unsigned links = 0;
    for (unsigned number = 5; explain_read(b, at * SECTOR, sector, sizeof(sector)); links++) {
        const uint8_t *e = sector + TABLE, *next = e + ENTRY;
        if (ld16le(sector + SIGNATURE) != 0xaa55) {
            snprintf(t->problem, sizeof(t->problem),
                     "sector %llu of the extended partition has no "
                     "signature",
                     (unsigned long long)at);
            return;
        }
        if (links == MOST_LOGICAL) {
            snprintf(t->problem, sizeof(t->problem), "the chain of logical partitions has no end");
            return;
        }
        if (e[4] != 0 && ld32le(e + 12) != 0) {
            add_mbr(t, b, e, at, "logical", number++);
        }
        if (!is_extended(next[4])) {
            return;
        }
        at = (uint64_t)first + ld32le(next + 8);
    }
}

static void read_mbr(struct explain_table *t, struct block *b, const uint8_t *sector)
{
    t->kind = "MBR";
    for (unsigned i = 0; i < ENTRIES; i++) {
        const uint8_t *e = sector + TABLE + i * ENTRY;
        if (e[4] != 0) {
            add_mbr(t, b, e, 0, "primary", i + 1);
        }
    }
    for (unsigned i = 0; i < ENTRIES; i++) {
        const uint8_t *e = sector + TABLE + i * ENTRY;
        if (is_extended(e[4])) {
            follow_chain(t, b, ld32le(e + 8));
        }
    }
}

/* ---- GPT ------------------------------------------------------------------------------------- */

static void gpt_type(char *out, size_t size, const uint8_t *g)
{
    for (unsigned i = 0; i < ARRAY_SIZE(gpt_types); i++) {
        if (memcmp(g, gpt_types[i].guid, 16) == 0) {
            snprintf(out, size, "%s", gpt_types[i].name);
            return;
        }
    }
    snprintf(out, size, "%08X-%04X-%04X-%02X%02X-%02X%02X%02X%02X%02X%02X", ld32le(g),
             ld16le(g + 4), ld16le(g + 6), g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
}

/* UTF-16; surrogates, which hardly any name has, become question marks. */
static void gpt_name(char *out, size_t size, const uint8_t *name, unsigned units)
{
    size_t n = 0;
    for (unsigned i = 0; i < units && ld16le(name + 2 * i) != 0 && n + UTF8_MAX < size; i++) {
        uint32_t cp = ld16le(name + 2 * i);
        n += utf8_encode(cp < ' ' || cp == 0x7f || (cp & 0xf800) == 0xd800 ? '?' : cp, out + n);
    }
    out[n] = '\0';
}

static void add_gpt(struct explain_table *t, struct block *b, const uint8_t *e, unsigned number,
                    unsigned block_bytes)
{
    enum { LEGACY_BOOT = 4 };
    static const uint8_t unused[16];
    uint64_t first = ld64le(e + 32), last = ld64le(e + 40);
    if (memcmp(e, unused, sizeof(unused)) == 0) {
        return;
    }
    if (last < first || last >= UINT64_MAX / block_bytes) {
        snprintf(t->problem, sizeof(t->problem), "partition %u ends before it begins", number);
        return;
    }
    struct explain_partition *p = add(t, b, first * block_bytes, (last - first + 1) * block_bytes);
    if (p != NULL) {
        p->scheme = "gpt";
        p->number = number;
        p->active = e[48] & LEGACY_BOOT;
        gpt_type(p->type, sizeof(p->type), e);
        gpt_name(p->name, sizeof(p->name), e + 56, 36);
    }
}

static bool read_gpt(struct explain_table *t, struct block *b, unsigned block_bytes)
{
    uint8_t header[SECTOR], entry[GPT_MOST_ENTRY];
    if (!explain_read(b, block_bytes, header, sizeof(header)) ||
        memcmp(header, "EFI PART", 8) != 0) {
        return false;
    }
    uint32_t bytes = ld32le(header + 12), n = ld32le(header + 80), size = ld32le(header + 84);
    uint32_t crc = ld32le(header + 16), list_crc = ld32le(header + 88),
             sum = (uint32_t)crc32(0, NULL, 0);
    uint64_t list = ld64le(header + 72);
    t->kind = "GPT";
    if (bytes < GPT_HEADER || bytes > sizeof(header) || size < GPT_ENTRY || size > GPT_MOST_ENTRY ||
        n > GPT_MOST_ENTRIES || list >= b->bytes / block_bytes) {
        snprintf(t->problem, sizeof(t->problem), "the header makes no sense");
        return true;
    }
    st32le(header + 16, 0);
    if (crc32(crc32(0, NULL, 0), header, bytes) != crc) {
        snprintf(t->problem, sizeof(t->problem), "the checksum of the header is wrong");
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!explain_read(b, list * block_bytes + (uint64_t)i * size, entry, size)) {
            snprintf(t->problem, sizeof(t->problem), "the list reaches past the end");
            return true;
        }
        sum = (uint32_t)crc32(sum, entry, size);
        add_gpt(t, b, entry, i + 1, block_bytes);
    }
    if (sum != list_crc && t->problem[0] == '\0') {
        snprintf(t->problem, sizeof(t->problem), "the checksum of the list is wrong");
    }
    return true;
}

void explain_find_partitions(struct explain_table *t, struct block *b)
{
    uint8_t sector[SECTOR];
    if (read_gpt(t, b, SECTOR) || read_gpt(t, b, 4096)) {
        return;
    }
    if (explain_read(b, 0, sector, sizeof(sector)) && is_table(sector, b->bytes)) {
        read_mbr(t, b, sector);
    }
}
