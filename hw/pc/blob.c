/* A growing byte string for firmware tables. */
#include "hw/pc/blob.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/bytes.h"

#include <stdlib.h>
#include <string.h>

void blob_free(struct blob *b)
{
    free(b->data);
    *b = (struct blob){0};
}

size_t blob_put(struct blob *b, const void *p, size_t n)
{
    size_t at = b->len;

    if (n > b->cap - b->len) {
        b->cap = max_u64(2 * b->cap, b->len + n + 256);
        b->data = xrealloc(b->data, b->cap);
    }
    if (p != NULL) {
        memcpy(b->data + at, p, n);
    } else if (n != 0) {
        memset(b->data + at, 0, n);
    }
    b->len += n;
    return at;
}

void blob_u8(struct blob *b, uint8_t v)
{
    blob_put(b, &v, 1);
}

void blob_u16(struct blob *b, uint16_t v)
{
    uint8_t le[2];
    st16le(le, v);
    blob_put(b, le, sizeof(le));
}

void blob_u32(struct blob *b, uint32_t v)
{
    uint8_t le[4];
    st32le(le, v);
    blob_put(b, le, sizeof(le));
}

void blob_u64(struct blob *b, uint64_t v)
{
    uint8_t le[8];
    st64le(le, v);
    blob_put(b, le, sizeof(le));
}

void blob_align(struct blob *b, size_t align)
{
    blob_put(b, NULL, (size_t)align_up(b->len, align) - b->len);
}

uint8_t blob_checksum(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum = (uint8_t)(sum + p[i]);
    }
    return (uint8_t)-sum;
}
