/*
 * -kernel: the pieces, and how firmware gets them.
 *
 * Source: [FWCFG] (numbers of the items); that SeaBIOS runs "genroms/" and follows "bootorder" was
 *         observed.
 */
#include "hw/pc/kernel.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROM_NAME "genroms/kernelboot.bin"

/* From bios/embed.asm. */
extern const uint8_t kernelboot_start[], kernelboot_end[];

enum {
    ITEM_KERNEL_ADDR = 0x07, ITEM_KERNEL_SIZE = 0x08, ITEM_INITRD_ADDR = 0x0a,
    ITEM_INITRD_SIZE = 0x0b, ITEM_KERNEL_ENTRY = 0x10, ITEM_KERNEL_DATA = 0x11,
    ITEM_INITRD_DATA = 0x12, ITEM_CMDLINE_ADDR = 0x13, ITEM_CMDLINE_SIZE = 0x14,
    ITEM_CMDLINE_DATA = 0x15, ITEM_SETUP_ADDR = 0x16, ITEM_SETUP_SIZE = 0x17,
    ITEM_SETUP_DATA = 0x18,
};

static bool read_all(int fd, const char *path, struct blob *to, struct error **err)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return error_errno(err, errno, "stat %s", path);
    }
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size > 2 * GiB) {
        return error_set(err, "%s: not a file of 1 byte to 2 GiB", path);
    }
    size_t bytes = (size_t)st.st_size, at = blob_put(to, NULL, bytes);
    for (size_t done = 0; done < bytes;) {
        ssize_t n = read(fd, to->data + at + done, bytes - done);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return n == 0 ? error_set(err, "%s: it shrank while it was read", path)
                          : error_errno(err, errno, "read %s", path);
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

bool kernel_read_file(const char *path, struct blob *to, struct error **err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_errno(err, errno, "open %s", path);
    }
    bool good = read_all(fd, path, to, err);
    close(fd);
    return good;
}

bool kernel_load(struct kernel *k, const struct kernel_files *files, struct error **err)
{
    struct blob file = {0};
    *k = (struct kernel){.present = true};
    bool good = kernel_read_file(files->kernel, &file, err);
    if (good && kernel_is_linux(file.data, file.len)) {
        good = kernel_load_linux(k, file.data, file.len, files, err);
    } else if (good && kernel_is_multiboot(file.data, file.len)) {
        good = kernel_load_multiboot(k, file.data, file.len, files, err);
    } else if (good) {
        good = error_set(err, "%s: neither a Linux nor a multiboot kernel", files->kernel);
    }
    blob_free(&file);
    if (!good) {
        kernel_free(k);
    }
    return good;
}

void kernel_free(struct kernel *k)
{
    blob_free(&k->setup.data);
    blob_free(&k->image.data);
    blob_free(&k->initrd.data);
    blob_free(&k->cmdline.data);
    *k = (struct kernel){0};
}

static void add_piece(struct fw_cfg *f, const struct kernel_piece *p, uint16_t addr, uint16_t size,
                      uint16_t data)
{
    fw_cfg_add_number(f, addr, p->addr, 4);
    fw_cfg_add_number(f, size, p->data.len, 4);
    fw_cfg_add(f, data, p->data.data, p->data.len);
}

bool kernel_add(const struct kernel *k, struct fw_cfg *f, struct error **err)
{
    static const char order[] = "/rom@" ROM_NAME "\n";
    size_t bytes = (size_t)(kernelboot_end - kernelboot_start);
    uint8_t *rom = xcalloc(1, bytes);
    add_piece(f, &k->setup, ITEM_SETUP_ADDR, ITEM_SETUP_SIZE, ITEM_SETUP_DATA);
    add_piece(f, &k->image, ITEM_KERNEL_ADDR, ITEM_KERNEL_SIZE, ITEM_KERNEL_DATA);
    add_piece(f, &k->initrd, ITEM_INITRD_ADDR, ITEM_INITRD_SIZE, ITEM_INITRD_DATA);
    add_piece(f, &k->cmdline, ITEM_CMDLINE_ADDR, ITEM_CMDLINE_SIZE, ITEM_CMDLINE_DATA);
    fw_cfg_add_number(f, ITEM_KERNEL_ENTRY, k->entry, 4);
    memcpy(rom, kernelboot_start, bytes);
    rom[bytes - 1] = blob_checksum(rom, bytes);
    bool good = fw_cfg_add_file(f, ROM_NAME, rom, bytes, err) &&
                fw_cfg_add_file(f, "bootorder", order, sizeof(order), err);
    free(rom);
    return good;
}
