/*
 * Multiboot 1 kernels: ELF of 32 bits, or load addresses in the header.
 *
 * Source: [MULTIBOOT] "The layout of Multiboot header", "Boot information format"; [ELF] "Program
 *         Header".
 * Left out: video modes (header flag 2), the symbol table.
 */
#include "hw/pc/kernel.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <string.h>

enum { MAGIC = 0x1badb002, SEARCH_BYTES = 8192, HEADER_BYTES = 12, ADDRESSES_BYTES = 32 };
enum { WANTS_ADDRESSES = 0x10000, KNOWN_NEEDS = 0x7 }; /* modules on pages, memory, video */

/* The information structure, and behind it the memory map that the option ROM fills. */
enum { INFO_ADDR = 0x10000, INFO_BYTES = 88, MAP_BYTES = 64 * 24 + 4 };
enum {
    HAS_MEMORY = 0x1, HAS_CMDLINE = 0x4, HAS_MODULES = 0x8, HAS_MAP = 0x40, HAS_LOADER = 0x200,
};

/* Offset of the header, or -1. */
static long find_header(const uint8_t *file, size_t bytes)
{
    size_t end = (size_t)min_u64(bytes, SEARCH_BYTES);
    for (size_t at = 0; at + HEADER_BYTES <= end; at += 4) {
        const uint8_t *p = file + at;
        if (ld32le(p) == MAGIC && ld32le(p) + ld32le(p + 4) + ld32le(p + 8) == 0) {
            return (long)at;
        }
    }
    return -1;
}

bool kernel_is_multiboot(const uint8_t *file, size_t bytes)
{
    return find_header(file, bytes) >= 0;
}

/* ---- the image ---- */

static bool outside(const char *path, struct error **err)
{
    return error_set(err, "%s: its headers point outside the file or the memory", path);
}

static bool load_by_addresses(struct kernel *k, const uint8_t *file, size_t bytes, size_t header,
                              const struct kernel_files *files, struct error **err)
{
    if (header + ADDRESSES_BYTES > bytes) {
        return outside(files->kernel, err);
    }
    const uint8_t *p = file + header;
    uint32_t header_addr = ld32le(p + 12), load = ld32le(p + 16), load_end = ld32le(p + 20);
    uint64_t bss_end = ld32le(p + 24), skip = header - (uint64_t)(header_addr - load);
    if (header_addr < load || skip > bytes) {
        return outside(files->kernel, err);
    }
    uint64_t len = load_end ? (uint64_t)load_end - load : bytes - skip;
    uint64_t end = max_u64(load + len, bss_end);
    if (load_end && (load_end < load || len > bytes - skip)) {
        return outside(files->kernel, err);
    }
    if (end > files->low_ram_bytes) {
        return error_set(err, "%s: it needs more memory", files->kernel);
    }
    k->entry = ld32le(p + 28);
    k->image.addr = load;
    blob_put(&k->image.data, file + skip, len);
    blob_put(&k->image.data, NULL, end - load - len);
    return true;
}

/* The program headers that are loaded, as one piece from the lowest to the highest address. */
static bool load_elf(struct kernel *k, const uint8_t *file, size_t bytes,
                     const struct kernel_files *files, struct error **err)
{
    enum { EHDR_BYTES = 52, PHDR_BYTES = 32, PT_LOAD = 1 };
    if (bytes < EHDR_BYTES || memcmp(file, "\177ELF", 4) != 0 || file[4] != 1) {
        return error_set(err, "%s: a multiboot kernel must be ELF of 32 bits or have addresses",
                         files->kernel);
    }
    uint64_t table = ld32le(file + 28), low = UINT64_MAX, high = 0;
    unsigned n = ld16le(file + 44), size = ld16le(file + 42);
    if (size < PHDR_BYTES || table + (uint64_t)n * size > bytes) {
        return outside(files->kernel, err);
    }
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < n; i++) {
            const uint8_t *p = file + table + (uint64_t)i * size;
            uint64_t off = ld32le(p + 4), addr = ld32le(p + 12);
            uint64_t in_file = ld32le(p + 16), in_memory = ld32le(p + 20);
            if (ld32le(p) != PT_LOAD || in_memory == 0) {
                continue;
            }
            if (off + in_file > bytes || in_file > in_memory ||
                addr + in_memory > files->low_ram_bytes) {
                return outside(files->kernel, err);
            }
            if (pass == 1) {
                memcpy(k->image.data.data + (addr - low), file + off, in_file);
            }
            low = min_u64(low, addr);
            high = max_u64(high, addr + in_memory);
        }
        if (high == 0) {
            return error_set(err, "%s: nothing in it is to be loaded", files->kernel);
        }
        if (pass == 0) {
            blob_put(&k->image.data, NULL, high - low);
        }
    }
    k->image.addr = (uint32_t)low;
    k->entry = ld32le(file + 24);
    return true;
}

/* ---- the information structure ---- */

/* One module: its file behind the others, its line behind the structure. */
static bool add_module(struct kernel *k, const char *text, size_t len, uint32_t *entry,
                       struct error **err)
{
    char line[4096];
    if (len >= sizeof(line)) {
        return error_set(err, "-initrd: a module's line is too long");
    }
    memcpy(line, text, len);
    line[len] = '\0';
    blob_align(&k->initrd.data, 4096);
    uint32_t start = k->initrd.addr + (uint32_t)k->initrd.data.len;
    entry[2] = INFO_ADDR + (uint32_t)blob_put(&k->setup.data, line, len + 1);
    line[strcspn(line, " ")] = '\0';
    if (!kernel_read_file(line, &k->initrd.data, err)) {
        return false;
    }
    entry[0] = start;
    entry[1] = k->initrd.addr + (uint32_t)k->initrd.data.len;
    return true;
}

/* "FILE ARGUMENTS,FILE..." */
static bool add_modules(struct kernel *k, const struct kernel_files *files, struct error **err)
{
    uint32_t entries[64][4] = {{0}};
    unsigned n = 0;
    for (const char *p = files->initrd; p != NULL && *p != '\0'; n++) {
        size_t len = strcspn(p, ",");
        if (n == ARRAY_SIZE(entries)) {
            return error_set(err, "-initrd: more than %u modules", n);
        }
        if (!add_module(k, p, len, entries[n], err)) {
            return false;
        }
        p += len + (p[len] == ',');
    }
    if (k->initrd.addr + (uint64_t)k->initrd.data.len > files->low_ram_bytes) {
        return error_set(err, "-initrd: the modules need more memory");
    }
    blob_align(&k->setup.data, 16);
    size_t at = k->setup.data.len;
    for (unsigned i = 0; i < n * 4; i++) {
        blob_u32(&k->setup.data, entries[i / 4][i % 4]);
    }
    st32le(k->setup.data.data + 20, n);
    st32le(k->setup.data.data + 24, INFO_ADDR + (uint32_t)at);
    return true;
}

static bool make_info(struct kernel *k, const struct kernel_files *files, struct error **err)
{
    static const char loader[] = "coldboot";
    const char *append = files->append != NULL ? files->append : "";
    struct blob *info = &k->setup.data;
    k->setup.addr = INFO_ADDR;
    blob_put(info, NULL, INFO_BYTES);
    st32le(info->data, HAS_MEMORY | HAS_CMDLINE | HAS_MODULES | HAS_MAP | HAS_LOADER);
    st32le(info->data + 48, INFO_ADDR + (uint32_t)blob_put(info, NULL, MAP_BYTES));
    size_t name = blob_put(info, loader, sizeof(loader));
    st32le(info->data + 64, INFO_ADDR + (uint32_t)name);
    /* The kernel's own name is the first word of its command line. */
    size_t line = blob_put(info, files->kernel, strlen(files->kernel));
    blob_put(info, " ", 1);
    blob_put(info, append, strlen(append) + 1);
    st32le(info->data + 16, INFO_ADDR + (uint32_t)line);
    if (!add_modules(k, files, err)) {
        return false;
    }
    return info->len <= 0x10000 || error_set(err, "-append and -initrd are too long");
}

bool kernel_load_multiboot(struct kernel *k, const uint8_t *file, size_t bytes,
                           const struct kernel_files *files, struct error **err)
{
    size_t header = (size_t)find_header(file, bytes);
    uint32_t flags = ld32le(file + header + 4);
    if (flags & 0xffff & ~(uint32_t)KNOWN_NEEDS) {
        return error_set(err, "%s: it needs multiboot features %04x, which are not known",
                         files->kernel, (unsigned)(flags & 0xffff & ~(uint32_t)KNOWN_NEEDS));
    }
    if (!(flags & WANTS_ADDRESSES ? load_by_addresses(k, file, bytes, header, files, err)
                                  : load_elf(k, file, bytes, files, err))) {
        return false;
    }
    uint64_t image_end = k->image.addr + (uint64_t)k->image.data.len;
    k->initrd.addr = (uint32_t)align_up(max_u64(image_end, MiB), 4096);
    return make_info(k, files, err);
}
