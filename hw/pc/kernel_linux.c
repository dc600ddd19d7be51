/*
 * Linux kernels: the x86 boot protocol.
 *
 * Source: [BOOT] "Memory layout", "The real-mode kernel header", "Loading the rest of the kernel",
 *         "The kernel command line".
 */
#include "hw/pc/kernel.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <string.h>

/* Offsets in the file, which begins with the setup code. */
enum {
    HDR_SETUP_SECTS = 0x1f1, HDR_MAGIC = 0x202, HDR_VERSION = 0x206, HDR_LOADER = 0x210,
    HDR_LOADFLAGS = 0x211, HDR_INITRD_ADDR = 0x218, HDR_INITRD_SIZE = 0x21c,
    HDR_HEAP_END = 0x224, HDR_CMDLINE = 0x228, HDR_INITRD_MAX = 0x22c, HDR_CMDLINE_MAX = 0x238,
    HDR_BYTES = 0x23c,
};
enum { LOADED_HIGH = 0x01, CAN_USE_HEAP = 0x80, LOADER_UNKNOWN = 0xff };

/* Where the pieces go. A zImage is loaded low, and its setup code above it. */
enum {
    SETUP_HIGH = 0x10000, CMDLINE_HIGH = 0x20000, IMAGE_HIGH = 0x100000,
    SETUP_LOW = 0x90000, CMDLINE_LOW = 0x99000, IMAGE_LOW = 0x10000,
};
#define TABLES_BYTES (512 * KiB) /* firmware's tables at the top of memory */

bool kernel_is_linux(const uint8_t *file, size_t bytes)
{
    return bytes >= HDR_BYTES + 512 && memcmp(file + HDR_MAGIC, "HdrS", 4) == 0 &&
           ld16le(file + HDR_VERSION) >= 0x200;
}

/* As high as the kernel and the memory allow. */
static bool place_initrd(struct kernel *k, uint8_t *hdr, const struct kernel_files *files,
                         struct error **err)
{
    uint64_t top = ld16le(hdr + HDR_VERSION) >= 0x203 ? ld32le(hdr + HDR_INITRD_MAX) : 0x37ffffff;
    uint64_t ram = files->low_ram_bytes > TABLES_BYTES ? files->low_ram_bytes - TABLES_BYTES : 0;
    uint64_t end = min_u64(top + 1, ram), bytes = k->initrd.data.len;
    uint64_t image_end = k->image.addr + k->image.data.len;
    if (bytes > end || ((end - bytes) & ~0xfffull) < image_end) {
        return error_set(err, "%s: %llu bytes do not fit into the memory above the kernel",
                         files->initrd, (unsigned long long)bytes);
    }
    k->initrd.addr = (uint32_t)((end - bytes) & ~0xfffull);
    st32le(hdr + HDR_INITRD_ADDR, k->initrd.addr);
    st32le(hdr + HDR_INITRD_SIZE, (uint32_t)bytes);
    return true;
}

static bool place_cmdline(struct kernel *k, uint8_t *hdr, const char *text, struct error **err)
{
    unsigned version = ld16le(hdr + HDR_VERSION);
    uint32_t most = version >= 0x206 ? ld32le(hdr + HDR_CMDLINE_MAX) : 255;
    if (strlen(text) > min_u64(most, 0x8000)) {
        return error_set(err, "-append: more than the kernel's %u characters", (unsigned)most);
    }
    blob_put(&k->cmdline.data, text, strlen(text) + 1);
    if (version >= 0x202) {
        st32le(hdr + HDR_CMDLINE, k->cmdline.addr);
    } else {
        st16le(hdr + 0x20, 0xa33f); /* the old way: magic number and offset in the setup code */
        st16le(hdr + 0x22, (uint16_t)(k->cmdline.addr - k->setup.addr));
    }
    return true;
}

bool kernel_load_linux(struct kernel *k, const uint8_t *file, size_t bytes,
                       const struct kernel_files *files, struct error **err)
{
    size_t setup_bytes = (file[HDR_SETUP_SECTS] ? file[HDR_SETUP_SECTS] + 1u : 5u) * 512;
    bool high = file[HDR_LOADFLAGS] & LOADED_HIGH;
    if (setup_bytes >= bytes) {
        return error_set(err, "%s: it ends within the setup code", files->kernel);
    }
    k->setup.addr = high ? SETUP_HIGH : SETUP_LOW;
    k->image.addr = high ? IMAGE_HIGH : IMAGE_LOW;
    k->cmdline.addr = high ? CMDLINE_HIGH : CMDLINE_LOW;
    if (!high && bytes - setup_bytes > SETUP_LOW - IMAGE_LOW) {
        return error_set(err, "%s: too long for a kernel that is loaded low", files->kernel);
    }
    blob_put(&k->setup.data, file, setup_bytes);
    blob_put(&k->image.data, file + setup_bytes, bytes - setup_bytes);
    uint8_t *hdr = k->setup.data.data;
    hdr[HDR_LOADER] = LOADER_UNKNOWN;
    if (ld16le(hdr + HDR_VERSION) >= 0x201) {
        hdr[HDR_LOADFLAGS] |= CAN_USE_HEAP;
        st16le(hdr + HDR_HEAP_END, (uint16_t)(k->cmdline.addr - k->setup.addr - 0x200));
    }
    return place_cmdline(k, hdr, files->append != NULL ? files->append : "", err) &&
           (files->initrd == NULL || (kernel_read_file(files->initrd, &k->initrd.data, err) &&
                                      place_initrd(k, hdr, files, err)));
}
