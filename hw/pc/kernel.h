/*
 * -kernel: a kernel without a boot medium. Firmware starts the option ROM of bios/kernelboot.asm,
 * which fetches the pieces through fw_cfg.
 *
 * Order of calls: kernel_load with the files' names, kernel_add when the board's fw_cfg is filled,
 * kernel_free at the end.
 */
#ifndef HW_PC_KERNEL_H
#define HW_PC_KERNEL_H

#include "hw/pc/blob.h"
#include "hw/pc/fw_cfg.h"

/* A part of what is loaded: where it goes and what it is. */
struct kernel_piece {
    uint32_t addr;
    struct blob data;
};

struct kernel {
    bool present;
    uint32_t entry;              /* of a multiboot kernel; 0: Linux, started by its setup code */
    struct kernel_piece setup;   /* Linux's 16-bit code, or the multiboot information */
    struct kernel_piece image;   /* the protected-mode kernel */
    struct kernel_piece initrd;  /* the initial RAM disk, or the modules */
    struct kernel_piece cmdline; /* Linux only */
};

/* What the user named; only @kernel must be there. */
struct kernel_files {
    const char *kernel, *initrd, *append;
    uint64_t low_ram_bytes;      /* memory below 4 GiB */
};

/* Reads the files and lays them out in memory: a Linux kernel (boot protocol 2.00 or later), else a
 * multiboot 1 kernel. @initrd of a multiboot kernel is a list of modules, "FILE
 * ARGUMENTS,FILE...". */
bool kernel_load(struct kernel *k, const struct kernel_files *files, struct error **err);
void kernel_free(struct kernel *k);      /* a zeroed struct is allowed */

/* Adds the items, the option ROM and the order that starts it first. */
bool kernel_add(const struct kernel *k, struct fw_cfg *f, struct error **err);

/* ---- the two kinds (kernel_linux.c, kernel_multiboot.c); @file is the kernel's bytes ---- */

bool kernel_is_linux(const uint8_t *file, size_t bytes);
bool kernel_load_linux(struct kernel *k, const uint8_t *file, size_t bytes,
                       const struct kernel_files *files, struct error **err);
bool kernel_is_multiboot(const uint8_t *file, size_t bytes);
bool kernel_load_multiboot(struct kernel *k, const uint8_t *file, size_t bytes,
                           const struct kernel_files *files, struct error **err);

/* A whole file. */
bool kernel_read_file(const char *path, struct blob *to, struct error **err);

#endif
