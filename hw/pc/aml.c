/* Writing ACPI Machine Language. */
#include "hw/pc/aml.h"

#include <assert.h>
#include <string.h>

enum {
    OP_ZERO = 0x00,
    OP_ONE = 0x01,
    OP_NAME = 0x08,
    OP_BYTE = 0x0a,
    OP_WORD = 0x0b,
    OP_DWORD = 0x0c,
    OP_STRING = 0x0d,
    OP_QWORD = 0x0e,
    OP_SCOPE = 0x10,
    OP_BUFFER = 0x11,
    OP_PACKAGE = 0x12,
    OP_METHOD = 0x14,
    OP_DUAL_NAME = 0x2e,
    OP_MULTI_NAME = 0x2f,
    OP_EXT = 0x5b,
    OP_EXT_REGION = 0x80,
    OP_EXT_FIELD = 0x81,
    OP_EXT_DEVICE = 0x82,
    OP_EXT_PROCESSOR = 0x83,
    OP_IF = 0xa0,
};

#define SEG_BYTES 4

/* ---- terms ---- */

void aml_path(struct blob *b, const char *path)
{
    if (*path == '\\') {
        blob_u8(b, (uint8_t)*path++);
    }
    size_t segs = (strlen(path) + 1) / (SEG_BYTES + 1);
    assert(segs >= 1 && segs < 256 && strlen(path) == segs * (SEG_BYTES + 1) - 1);
    if (segs == 2) {
        blob_u8(b, OP_DUAL_NAME);
    } else if (segs > 2) {
        blob_u8(b, OP_MULTI_NAME);
        blob_u8(b, (uint8_t)segs);
    }
    for (size_t i = 0; i < segs; i++) {
        blob_put(b, path + i * (SEG_BYTES + 1), SEG_BYTES);
    }
}

void aml_op(struct blob *b, uint8_t op)
{
    blob_u8(b, op);
}

void aml_int(struct blob *b, uint64_t v)
{
    if (v <= 1) {
        blob_u8(b, v == 0 ? OP_ZERO : OP_ONE);
    } else if (v <= 0xff) {
        blob_u8(b, OP_BYTE);
        blob_u8(b, (uint8_t)v);
    } else if (v <= 0xffff) {
        blob_u8(b, OP_WORD);
        blob_u16(b, (uint16_t)v);
    } else if (v <= 0xffffffff) {
        blob_u8(b, OP_DWORD);
        blob_u32(b, (uint32_t)v);
    } else {
        blob_u8(b, OP_QWORD);
        blob_u64(b, v);
    }
}

void aml_string(struct blob *b, const char *s)
{
    blob_u8(b, OP_STRING);
    blob_put(b, s, strlen(s) + 1);
}

static uint32_t hex_digit(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* [ACPI] "EISAID (EISA ID String To Integer Conversion Macro)": three letters of 5 bits and four
 * hex digits, stored big-endian. */
void aml_eisa_id(struct blob *b, const char *id)
{
    uint32_t v = 0;

    assert(strlen(id) == 7);
    for (unsigned i = 0; i < 3; i++) {
        v = v << 5 | (uint32_t)(id[i] - 'A' + 1);
    }
    for (unsigned i = 3; i < 7; i++) {
        v = v << 4 | hex_digit(id[i]);
    }
    blob_u8(b, OP_DWORD);
    blob_u32(b, __builtin_bswap32(v));
}

void aml_name(struct blob *b, const char *path)
{
    blob_u8(b, OP_NAME);
    aml_path(b, path);
}

/* ---- terms with a body: the package length goes in front of it when it is closed ---- */

/* [ACPI] "Package Length Encoding": the length counts its own bytes. */
static unsigned encode_length(uint8_t out[4], size_t body)
{
    if (body + 1 < 0x40) {
        out[0] = (uint8_t)(body + 1);
        return 1;
    }
    for (unsigned n = 2; n <= 4; n++) {
        size_t len = body + n;
        if (len >> (4 + 8 * (n - 1)) == 0) {
            out[0] = (uint8_t)((n - 1) << 6 | (len & 15));
            for (unsigned i = 1; i < n; i++) {
                out[i] = (uint8_t)(len >> (4 + 8 * (i - 1)));
            }
            return n;
        }
    }
    assert(!"AML term of 256 MiB");
    return 0;
}

void aml_close(struct blob *b, size_t opened)
{
    uint8_t len[4];
    size_t body = b->len - opened;
    unsigned n = encode_length(len, body);

    blob_put(b, NULL, n);
    memmove(b->data + opened + n, b->data + opened, body);
    memcpy(b->data + opened, len, n);
}

size_t aml_scope(struct blob *b, const char *path)
{
    blob_u8(b, OP_SCOPE);
    size_t at = b->len;
    aml_path(b, path);
    return at;
}

size_t aml_device(struct blob *b, const char *name)
{
    blob_u8(b, OP_EXT);
    blob_u8(b, OP_EXT_DEVICE);
    size_t at = b->len;
    aml_path(b, name);
    return at;
}

size_t aml_processor(struct blob *b, const char *name, uint8_t id)
{
    blob_u8(b, OP_EXT);
    blob_u8(b, OP_EXT_PROCESSOR);
    size_t at = b->len;
    aml_path(b, name);
    blob_u8(b, id);
    blob_u32(b, 0);          /* P_BLK: address and length */
    blob_u8(b, 0);
    return at;
}

size_t aml_method(struct blob *b, const char *name, unsigned args, bool serialized)
{
    blob_u8(b, OP_METHOD);
    size_t at = b->len;
    aml_path(b, name);
    blob_u8(b, (uint8_t)(args | (serialized ? 8 : 0)));
    return at;
}

size_t aml_package(struct blob *b, unsigned elements)
{
    blob_u8(b, OP_PACKAGE);
    size_t at = b->len;
    blob_u8(b, (uint8_t)elements);
    return at;
}

size_t aml_buffer(struct blob *b, unsigned bytes)
{
    blob_u8(b, OP_BUFFER);
    size_t at = b->len;
    aml_int(b, bytes);
    return at;
}

size_t aml_if(struct blob *b)
{
    blob_u8(b, OP_IF);
    return b->len;
}

void aml_operation_region(struct blob *b, const char *name, enum aml_space space, uint32_t off,
                          uint32_t bytes)
{
    blob_u8(b, OP_EXT);
    blob_u8(b, OP_EXT_REGION);
    aml_path(b, name);
    blob_u8(b, (uint8_t)space);
    aml_int(b, off);
    aml_int(b, bytes);
}

void aml_field(struct blob *b, const char *region, const struct aml_field_unit *units, unsigned n)
{
    blob_u8(b, OP_EXT);
    blob_u8(b, OP_EXT_FIELD);
    size_t at = b->len;
    aml_path(b, region);
    blob_u8(b, 0x01);        /* byte access, no lock, preserve */
    for (unsigned i = 0; i < n; i++) {
        assert(units[i].bits < 64);
        blob_put(b, units[i].name, SEG_BYTES);
        blob_u8(b, (uint8_t)units[i].bits);
    }
    aml_close(b, at);
}

/* ---- resource descriptors: [ACPI] "Small Resource Data Type", "Large Resource Data Type" ---- */

void aml_res_io(struct blob *r, uint16_t base, uint8_t bytes)
{
    blob_u8(r, 0x47);
    blob_u8(r, 0x01);        /* 16-bit decode */
    blob_u16(r, base);
    blob_u16(r, base);
    blob_u8(r, 1);           /* alignment */
    blob_u8(r, bytes);
}

void aml_res_irq(struct blob *r, unsigned irq)
{
    blob_u8(r, 0x22);
    blob_u16(r, (uint16_t)(1u << irq));
}

void aml_res_dma(struct blob *r, unsigned channel)
{
    blob_u8(r, 0x2a);
    blob_u8(r, (uint8_t)(1u << channel));
    blob_u8(r, 0x00);        /* compatibility mode, no bus master, 8 bits */
}

void aml_res_memory32(struct blob *r, uint32_t base, uint32_t bytes, bool writable)
{
    blob_u8(r, 0x86);
    blob_u16(r, 9);
    blob_u8(r, writable);
    blob_u32(r, base);
    blob_u32(r, bytes);
}

void aml_res_interrupts(struct blob *r, const uint32_t *irqs, unsigned n)
{
    blob_u8(r, 0x89);
    blob_u16(r, (uint16_t)(2 + 4 * n));
    blob_u8(r, 0x09);        /* consumer, level, active high, shared */
    blob_u8(r, (uint8_t)n);
    for (unsigned i = 0; i < n; i++) {
        blob_u32(r, irqs[i]);
    }
}

/* Ranges that a bridge passes on: minimum and maximum fixed, positive decode. */
static void word_range(struct blob *r, uint8_t type, uint8_t flags, uint16_t first, uint16_t last)
{
    blob_u8(r, 0x88);
    blob_u16(r, 13);
    blob_u8(r, type);
    blob_u8(r, 0x0c);
    blob_u8(r, flags);
    blob_u16(r, 0);          /* granularity */
    blob_u16(r, first);
    blob_u16(r, last);
    blob_u16(r, 0);          /* translation */
    blob_u16(r, (uint16_t)(last - first + 1));
}

void aml_res_bus_range(struct blob *r, uint16_t first, uint16_t last)
{
    word_range(r, 2, 0, first, last);
}

void aml_res_io_range(struct blob *r, uint16_t first, uint16_t last)
{
    word_range(r, 1, 0x03, first, last); /* the entire range */
}

void aml_res_memory_range(struct blob *r, uint32_t first, uint32_t last, bool cacheable)
{
    blob_u8(r, 0x87);
    blob_u16(r, 23);
    blob_u8(r, 0);
    blob_u8(r, 0x0c);
    blob_u8(r, cacheable ? 0x03 : 0x01); /* read-write */
    blob_u32(r, 0);
    blob_u32(r, first);
    blob_u32(r, last);
    blob_u32(r, 0);
    blob_u32(r, last - first + 1);
}

void aml_resources(struct blob *b, struct blob *r)
{
    blob_u8(r, 0x79);        /* end tag; checksum 0 means "not used" */
    blob_u8(r, 0x00);
    size_t at = aml_buffer(b, (unsigned)r->len);
    blob_put(b, r->data, r->len);
    aml_close(b, at);
    blob_free(r);
}
