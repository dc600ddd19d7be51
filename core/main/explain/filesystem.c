/*
 * File systems by their signatures.
 *
 * Source: [FAT] "BIOS Parameter Block", "FAT Type Determination"; [ECMA119] 8.4; the superblocks of
 *         the others as their makers document them.
 */
#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/main/explain/explain.h"

#include <string.h>

enum { MOST_LABEL = 40 };

/* How a superblock says something: a number of @len bytes at @off; 0: it does not. */
struct field {
    uint32_t off;
    uint8_t len;
    bool big_endian;
};

static const struct signature {
    const char *type;
    uint32_t off;
    uint8_t len;
    const char *magic;
    uint32_t label_off;
    uint8_t label_len;  /* 0: none */
    struct field count; /* of blocks... */
    struct field unit;  /* ... of so many bytes, or `bytes` if it does not say */
    uint32_t bytes;
} signatures[] = {
    {"NTFS", 3, 8, "NTFS    ", 0, 0, {40, 8, false}, {11, 2, false}, 0},
    {"exFAT", 3, 8, "EXFAT   ", 0, 0, {72, 8, false}, {0, 0, false}, 512},
    {"HPFS", 0x2000, 4, "\x49\xe8\x95\xf9", 43, 11, {19, 2, false}, {11, 2, false}, 0},
    {"XFS", 0, 4, "XFSB", 108, 12, {8, 8, true}, {4, 4, true}, 0},
    {"Btrfs", 0x10040, 8, "_BHRfS_M", 0x1012b, 40, {0x10070, 8, false}, {0, 0, false}, 1},
    {"SquashFS", 0, 4, "hsqs", 0, 0, {40, 8, false}, {0, 0, false}, 1},
    {"cramfs", 0, 4, "\x45\x3d\xcd\x28", 48, 16, {4, 4, false}, {0, 0, false}, 1},
    {"romfs", 0, 8, "-rom1fs-", 16, 16, {8, 4, true}, {0, 0, false}, 1},
    {"ReiserFS", 0x10034, 8, "ReIsErFs", 0x10064, 16, {0x10000, 4, false}, {0x1002c, 2, false}, 0},
    {"ReiserFS", 0x10034, 9, "ReIsEr2Fs", 0x10064, 16, {0x10000, 4, false}, {0x1002c, 2, false}, 0},
    {"JFS", 0x8000, 4, "JFS1", 0x8000 + 152, 16, {0x8008, 8, false}, {0, 0, false}, 512},
    {"HFS+", 0x400, 2, "H+", 0, 0, {0x42c, 4, true}, {0x428, 4, true}, 0},
    {"HFS", 0x400, 2, "BD", 0x425, 27, {0x412, 2, true}, {0x414, 4, true}, 0},
    {"MINIX 1", 0x410, 2, "\x7f\x13", 0, 0, {0x402, 2, false}, {0, 0, false}, 1024},
    {"MINIX 1 (long names)", 0x410, 2, "\x8f\x13", 0, 0, {0x402, 2, false}, {0, 0, false}, 1024},
    {"MINIX 2", 0x410, 2, "\x68\x24", 0, 0, {0x414, 4, false}, {0, 0, false}, 1024},
    {"MINIX 2 (long names)", 0x410, 2, "\x78\x24", 0, 0, {0x414, 4, false}, {0, 0, false}, 1024},
    {"MINIX 3", 0x418, 2, "\x5a\x4d", 0, 0, {0x414, 4, false}, {0x41c, 2, false}, 0},
    {"Linux swap", 4086, 10, "SWAPSPACE2", 0x41c, 16, {0x404, 4, false}, {0, 0, false}, 4096},
    {"Linux swap (old)", 4086, 10, "SWAP-SPACE", 0, 0, {0, 0, false}, {0, 0, false}, 0},
    {"LUKS (encrypted)", 0, 6, "LUKS\xba\xbe", 0, 0, {0, 0, false}, {0, 0, false}, 0},
    {"LVM physical volume", 512, 8, "LABELONE", 0, 0, {0, 0, false}, {0, 0, false}, 0},
    {"UDF", 0x8001, 5, "BEA01", 0, 0, {0, 0, false}, {0, 0, false}, 0},
    {"ISO 9660", 0x8001, 5, "CD001", 0x8028, 32, {0x8050, 4, false}, {0x8080, 2, false}, 0},
};

static uint64_t number(struct block *b, uint64_t at, const struct field *f)
{
    uint8_t raw[8] = {0};
    if (f->len == 0 || !explain_read(b, at + f->off, raw, f->len)) {
        return 0;
    }
    uint64_t val = ld_le(raw, f->len);
    return f->big_endian ? __builtin_bswap64(val) >> (64 - 8 * f->len) : val;
}

/* @count units of @unit bytes; 0 if that is no size. */
static uint64_t product(uint64_t count, uint64_t unit)
{
    uint64_t bytes;
    return __builtin_mul_overflow(count, unit, &bytes) ? 0 : bytes;
}

static bool matches(const struct signature *s, struct block *b, uint64_t off, uint64_t bytes)
{
    uint8_t found[16];
    return s->off + (uint64_t)s->len <= bytes && explain_read(b, off + s->off, found, s->len) &&
           memcmp(found, s->magic, s->len) == 0;
}

static void take_label(struct explain_fs *fs, struct block *b, uint64_t off, unsigned len)
{
    uint8_t label[MOST_LABEL];
    if (len != 0 && explain_read(b, off, label, len)) {
        explain_copy(fs->label, sizeof(fs->label), label, len);
    }
}

/* ext2, ext3 and ext4 differ in what is allowed in them ("compatible" and "incompatible"
 * features): a journal makes ext3, what only ext4 reads ext4. */
static bool find_ext(struct explain_fs *fs, struct block *b, uint64_t off)
{
    enum { JOURNAL = 0x4, JOURNAL_DEVICE = 0x8, EXT3_READS = 0x2 | 0x4 | JOURNAL_DEVICE | 0x10 };
    uint8_t sb[0x200];
    if (!explain_read(b, off + 0x400, sb, sizeof(sb)) || ld16le(sb + 0x38) != 0xef53 ||
        ld32le(sb + 0x18) > 6) {
        return false;
    }
    uint32_t compatible = ld32le(sb + 0x5c), incompatible = ld32le(sb + 0x60);
    uint64_t blocks =
        ld32le(sb + 4) | (incompatible & 0x80 ? (uint64_t)ld32le(sb + 0x150) << 32 : 0);
    fs->type = incompatible & ~(uint32_t)EXT3_READS ? "ext4"
               : compatible & JOURNAL               ? "ext3"
                                                    : "ext2";
    fs->bytes = product(blocks, 1024u << ld32le(sb + 0x18));
    explain_copy(fs->label, sizeof(fs->label), sb + 0x78, 16);
    return true;
}

bool explain_find_bpb(struct explain_bpb *p, const uint8_t *s)
{
    unsigned bytes = ld16le(s + 11), cluster = s[13], fats = s[16];
    *p = (struct explain_bpb){
        .media = s[21],
        .fats = s[16],
        .sectors_per_cluster = s[13],
        .bytes_per_sector = ld16le(s + 11),
        .reserved = ld16le(s + 14),
        .root_entries = ld16le(s + 17),
        .hidden = ld32le(s + 28),
        .sectors_per_track = ld16le(s + 24),
        .heads = ld16le(s + 26),
        .sectors = ld16le(s + 19) != 0 ? ld16le(s + 19) : ld32le(s + 32),
        .fat_sectors = ld16le(s + 22) != 0 ? ld16le(s + 22) : ld32le(s + 36),
    };
    if (bytes < 128 || bytes > 4096 || (bytes & (bytes - 1)) != 0 || cluster == 0 ||
        (cluster & (cluster - 1)) != 0 || p->reserved == 0 || fats == 0 || fats > 4 ||
        p->media < 0xf0 || p->fat_sectors == 0) {
        return false;
    }
    uint64_t root = ((uint64_t)p->root_entries * 32 + bytes - 1) / bytes;
    uint64_t before = p->reserved + (uint64_t)fats * p->fat_sectors + root;
    p->present = before < p->sectors;
    p->clusters = p->present ? (uint32_t)((p->sectors - before) / cluster) : 0;
    return p->present;
}

static bool find_fat(struct explain_fs *fs, struct block *b, uint64_t off)
{
    uint8_t sector[512];
    struct explain_bpb p;
    if (!explain_read(b, off, sector, sizeof(sector)) || !explain_find_bpb(&p, sector)) {
        return false;
    }
    bool fat32 = ld16le(sector + 22) == 0;
    fs->type = p.clusters < 4085 && !fat32 ? "FAT12" : !fat32 ? "FAT16" : "FAT32";
    fs->bytes = product(p.sectors, p.bytes_per_sector);
    const uint8_t *extended = sector + (fat32 ? 64 : 36);
    if (extended[2] == 0x29 && memcmp(extended + 7, "NO NAME    ", 11) != 0) {
        explain_copy(fs->label, sizeof(fs->label), extended + 7, 11);
    }
    return true;
}

void explain_find_fs(struct explain_fs *fs, struct block *b, uint64_t off, uint64_t bytes)
{
    *fs = (struct explain_fs){0};
    for (unsigned i = 0; i < ARRAY_SIZE(signatures); i++) {
        const struct signature *s = &signatures[i];
        if (matches(s, b, off, bytes)) {
            uint64_t unit = number(b, off, &s->unit);
            fs->type = s->type;
            fs->bytes = product(number(b, off, &s->count), unit != 0 ? unit : s->bytes);
            take_label(fs, b, off + s->label_off, s->label_len);
            return;
        }
    }
    if (!find_ext(fs, b, off)) {
        find_fat(fs, b, off);
    }
}
