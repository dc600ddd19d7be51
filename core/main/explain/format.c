/*
 * Containers of disks, archives and programs by their first bytes; what is inside a gzip file or a
 * fixed VHD is looked at, too.
 *
 * Source: [QCOW2] "Header"; [VHD] "Hard Disk Footer Format"; [RFC1952] 2.3; [ELF] "ELF Header";
 *         [BOOT]; [MULTIBOOT]; the makers' documents for the others.
 */
#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/main/explain/explain.h"
#include "hw/pc/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { HEAD_BYTES = 32768, FOOTER_BYTES = 512 };
#define GZIP_KEPT  (16 * MiB) /* so much of what is inside is looked at */
#define GZIP_WHOLE (4 * GiB)  /* more is not unpacked to learn its size */

/* ---- by their first bytes -------------------------------------------------------------------- */

static const struct magic {
    const char *name;
    uint16_t off;
    uint8_t len;
    const char *bytes;
    /* The size of the disk inside: a number of @size_len bytes in units of @unit; 0: not said. */
    uint16_t size_off;
    uint8_t size_len;
    bool big_endian;
    uint16_t unit;
} magics[] = {
    {"qcow2", 0, 4, "QFI\xfb", 24, 8, true, 1},
    {"QED", 0, 4, "QED\0", 48, 8, false, 1},
    {"vmdk", 0, 4, "KDMV", 12, 8, false, 512},
    {"vmdk (ESX)", 0, 4, "COWD", 12, 4, false, 512},
    {"vmdk descriptor", 0, 20, "# Disk DescriptorFil", 0, 0, false, 0},
    {"vdi", 0x40, 4, "\x7f\x10\xda\xbe", 0x170, 8, false, 1},
    {"vhd", 0, 8, "conectix", 48, 8, true, 1},
    {"vhdx", 0, 8, "vhdxfile", 0, 0, false, 0},
    {"Parallels", 0, 16, "WithoutFreeSpace", 0x24, 4, false, 512},
    {"Parallels", 0, 16, "WithouFreSpacExt", 0x24, 8, false, 512},
    {"gzip", 0, 3, "\x1f\x8b\x08", 0, 0, false, 0},
    {"xz", 0, 6,
     "\xfd"
     "7zXZ\0",
     0, 0, false, 0},
    {"bzip2", 0, 3, "BZh", 0, 0, false, 0},
    {"Zstandard", 0, 4, "\x28\xb5\x2f\xfd", 0, 0, false, 0},
    {"7z", 0, 6, "7z\xbc\xaf\x27\x1c", 0, 0, false, 0},
    {"zip", 0, 4, "PK\x03\x04", 0, 0, false, 0},
    {"ELF", 0, 4,
     "\x7f"
     "ELF",
     0, 0, false, 0},
};

static uint64_t disk_bytes(const struct magic *m, const uint8_t *head)
{
    uint64_t val = m->size_len != 0 ? ld_le(head + m->size_off, m->size_len) : 0, bytes;
    if (m->big_endian) {
        val = __builtin_bswap64(val) >> (64 - 8 * m->size_len);
    }
    return __builtin_mul_overflow(val, m->unit, &bytes) ? 0 : bytes;
}

static void describe_elf(struct explain_format *f, const uint8_t *head)
{
    static const struct {
        uint16_t machine;
        const char *name;
    } machines[] = {{3, "i386"}, {62, "x86-64"}, {40, "Arm"}, {183, "AArch64"}, {243, "RISC-V"}};
    const char *machine = "another machine";
    for (unsigned i = 0; i < ARRAY_SIZE(machines); i++) {
        if (head[5] == 1 && ld16le(head + 18) == machines[i].machine) {
            machine = machines[i].name;
        }
    }
    snprintf(f->detail, sizeof(f->detail), "%s bits, for %s", head[4] == 2 ? "64" : "32", machine);
}

static void describe(struct explain_format *f, const uint8_t *head)
{
    if (strcmp(f->name, "qcow2") == 0) {
        snprintf(f->detail, sizeof(f->detail), "version %u%s", ld32be(head + 4),
                 ld64be(head + 8) != 0 ? ", with a backing file" : "");
    } else if (strcmp(f->name, "vhd") == 0) {
        snprintf(f->detail, sizeof(f->detail), "%s",
                 ld32be(head + 60) == 4 ? "differencing" : "dynamic");
    } else if (strcmp(f->name, "ELF") == 0) {
        describe_elf(f, head);
    }
}

/* ---- disks inside ---------------------------------------------------------------------------- */

struct inside {
    struct block *file; /* borrowed; NULL: all is in data */
    uint8_t *data;
    size_t len;
};

static bool inside_read(struct block *b, uint64_t off, void *buf, size_t len, struct error **err)
{
    const struct inside *in = b->impl;
    if (in->file != NULL) {
        return block_read(in->file, off, buf, len, err);
    }
    if (len > in->len || off > in->len - len) {
        return error_set(err, "%s: only the beginning was unpacked", b->path);
    }
    memcpy(buf, in->data + off, len);
    return true;
}

static bool inside_flush(struct block *b, struct error **err)
{
    return true;
}

static void inside_close(struct block *b)
{
    struct inside *in = b->impl;
    free(in->data);
    free(in);
}

static const struct block_ops inside_ops = {
    .name = "inside",
    .read = inside_read,
    .flush = inside_flush,
    .close = inside_close,
};

static struct block *new_inside(struct block *file, uint64_t bytes, const struct inside *in)
{
    struct block *b = NEW(struct block);
    struct inside *copy = NEW(struct inside);
    *copy = *in;
    *b = (struct block){
        .ops = &inside_ops,
        .path = xstrdup(file->path),
        .bytes = bytes,
        .read_only = true,
        .impl = copy,
    };
    return b;
}

/* Unpacks @file into data[0..GZIP_KEPT) and counts the rest. False: it is damaged. */
static bool unpack(struct block *file, z_stream *z, struct inside *in, uint64_t *total)
{
    uint8_t packed[16384], rest[65536];
    uint64_t at = 0;
    int status = Z_OK;
    while (status == Z_OK && *total < GZIP_WHOLE) {
        bool keep = in->len < GZIP_KEPT;
        size_t room = keep ? GZIP_KEPT - in->len : sizeof(rest);
        if (z->avail_in == 0 && at < file->bytes) {
            size_t n = (size_t)min_u64(sizeof(packed), file->bytes - at);
            if (!block_read(file, at, packed, n, NULL)) {
                return false;
            }
            at += n;
            z->next_in = packed;
            z->avail_in = (unsigned)n;
        }
        z->next_out = keep ? in->data + in->len : rest;
        z->avail_out = (unsigned)room;
        status = inflate(z, Z_NO_FLUSH);
        in->len += keep ? room - z->avail_out : 0;
        *total += room - z->avail_out;
        if (status == Z_BUF_ERROR) {
            return false; /* the end is missing */
        }
    }
    return status == Z_STREAM_END || status == Z_OK;
}

static struct block *open_gzip(struct explain_format *f, struct block *file)
{
    z_stream z = {0};
    struct inside in = {.data = try_alloc(GZIP_KEPT)};
    struct block *b = NULL;
    uint64_t total = 0;
    if (in.data == NULL || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) {
        free(in.data);
        return NULL;
    }
    if (unpack(file, &z, &in, &total)) {
        f->disk_bytes = total;
        b = new_inside(file, total, &in);
    } else {
        snprintf(f->detail, sizeof(f->detail), "damaged");
        free(in.data);
    }
    inflateEnd(&z);
    return b;
}

/* A fixed VHD is a raw disk and a footer. */
static struct block *open_fixed_vhd(struct explain_format *f, struct block *file)
{
    uint8_t footer[FOOTER_BYTES];
    if (file->bytes < 2 * FOOTER_BYTES || file->bytes % FOOTER_BYTES != 0 ||
        !block_read(file, file->bytes - FOOTER_BYTES, footer, sizeof(footer), NULL) ||
        memcmp(footer, "conectix", 8) != 0) {
        return NULL;
    }
    *f = (struct explain_format){.name = "vhd", .disk_bytes = file->bytes - FOOTER_BYTES};
    snprintf(f->detail, sizeof(f->detail), "fixed");
    return new_inside(file, f->disk_bytes, &(struct inside){.file = file});
}

void explain_find_format(struct explain_format *f, struct block *b, struct block **inside)
{
    uint8_t head[HEAD_BYTES];
    *f = (struct explain_format){.name = "raw"};
    *inside = NULL;
    if (!explain_read(b, 0, head, sizeof(head))) {
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(magics); i++) {
        const struct magic *m = &magics[i];
        if (memcmp(head + m->off, m->bytes, m->len) == 0) {
            f->name = m->name;
            f->disk_bytes = disk_bytes(m, head);
            describe(f, head);
            *inside = strcmp(m->name, "gzip") == 0 ? open_gzip(f, b) : NULL;
            f->opaque = *inside == NULL;
            return;
        }
    }
    *inside = open_fixed_vhd(f, b);
}

/* ---- kernels --------------------------------------------------------------------------------- */

static void describe_linux(const uint8_t *head, char detail[EXPLAIN_WHY])
{
    char version[80] = "";
    size_t at = ld16le(head + 0x20e) + 0x200u; /* [BOOT] kernel_version */
    if (ld16le(head + 0x20e) != 0 && at < HEAD_BYTES - sizeof(version)) {
        explain_copy(version, sizeof(version), head + at, sizeof(version) - 1);
    }
    snprintf(detail, EXPLAIN_WHY, "a Linux kernel (%s, boot protocol %u.%02u)%s%s",
             head[0x211] & 1 ? "bzImage" : "zImage", head[0x207], head[0x206],
             version[0] != '\0' ? ": " : "", version);
}

static bool has_multiboot2(const uint8_t *head)
{
    for (unsigned at = 0; at + 16 <= HEAD_BYTES; at += 8) {
        const uint8_t *p = head + at;
        if (ld32le(p) == 0xe85250d6 &&
            ld32le(p) + ld32le(p + 4) + ld32le(p + 8) + ld32le(p + 12) == 0) {
            return true;
        }
    }
    return false;
}

bool explain_find_kernel(struct block *file, char detail[EXPLAIN_WHY])
{
    uint8_t head[HEAD_BYTES];
    if (!explain_read(file, 0, head, sizeof(head))) {
        snprintf(detail, EXPLAIN_WHY, "it is empty");
        return false;
    }
    size_t len = (size_t)min_u64(sizeof(head), file->bytes);
    if (kernel_is_linux(head, len)) {
        describe_linux(head, detail);
        return true;
    }
    if (kernel_is_multiboot(head, len)) {
        snprintf(detail, EXPLAIN_WHY, "a multiboot 1 kernel");
        return true;
    }
    snprintf(detail, EXPLAIN_WHY, "%s",
             has_multiboot2(head) ? "a multiboot 2 kernel; -kernel starts multiboot 1 and Linux"
                                  : "it is neither a Linux nor a multiboot kernel");
    return false;
}
