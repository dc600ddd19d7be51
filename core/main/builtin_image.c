#include "core/main/builtin_image.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <stdlib.h>
#include <string.h>

#define FLOPPY_BYTES (1440 * KiB)

/* From images/embed.asm. */
extern const uint8_t builtin_image_start[], builtin_image_end[];

static bool builtin_read(struct block *b, uint64_t off, void *buf, size_t len, struct error **err)
{
    memcpy(buf, (uint8_t *)b->impl + off, len);
    return true;
}

static bool builtin_write(struct block *b, uint64_t off, const void *buf, size_t len,
                          struct error **err)
{
    memcpy((uint8_t *)b->impl + off, buf, len);
    return true;
}

static bool builtin_flush(struct block *b, struct error **err)
{
    return true;
}

static void builtin_close(struct block *b)
{
    free(b->impl);
}

static const struct block_ops builtin_ops = {
    .name = "builtin",
    .read = builtin_read,
    .write = builtin_write,
    .flush = builtin_flush,
    .close = builtin_close,
};

struct block *builtin_image_open(void)
{
    size_t bytes = (size_t)(builtin_image_end - builtin_image_start);
    struct block *b = NEW(struct block);
    *b = (struct block){
        .ops = &builtin_ops, .path = xstrdup("built-in image"), .bytes = FLOPPY_BYTES,
        .impl = xcalloc(1, FLOPPY_BYTES),
    };
    memcpy(b->impl, builtin_image_start, min_u64(bytes, FLOPPY_BYTES));
    return b;
}
