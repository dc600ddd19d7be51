/* A growing byte string, little-endian, for firmware tables. */
#ifndef HW_PC_BLOB_H
#define HW_PC_BLOB_H

#include <stddef.h>
#include <stdint.h>

struct blob {
    uint8_t *data;           /* owned */
    size_t len, cap;
};

void blob_free(struct blob *b);              /* a zeroed struct is allowed */

/* Appends @n bytes and returns where they start; NULL @p: zeros. */
size_t blob_put(struct blob *b, const void *p, size_t n);
void blob_u8(struct blob *b, uint8_t v);
void blob_u16(struct blob *b, uint16_t v);
void blob_u32(struct blob *b, uint32_t v);
void blob_u64(struct blob *b, uint64_t v);

/* Appends zeros up to a multiple of @align, a power of two. */
void blob_align(struct blob *b, size_t align);

/* The value that makes the sum of @n bytes at @p a multiple of 256 if it is stored in place of
 * 0. */
uint8_t blob_checksum(const uint8_t *p, size_t n);

#endif
