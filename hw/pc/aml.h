/*
 * Writing ACPI Machine Language. Each function appends one encoded term to a blob; a term with a
 * body is opened, its body appended, and closed:
 *
 *     size_t dev = aml_device(b, "RTC_");
 *     aml_name(b, "_HID");
 *     aml_eisa_id(b, "PNP0B00");
 *     aml_close(b, dev);
 *
 * Source: [ACPI] "AML Grammar Definition", "Resource Data Types for ACPI".
 */
#ifndef HW_PC_AML_H
#define HW_PC_AML_H

#include "hw/pc/blob.h"

#include <stdbool.h>

/* One-byte terms, for aml_op. */
enum {
    AML_LOCAL0 = 0x60,
    AML_ARG0 = 0x68,
    AML_STORE = 0x70,        /* source, target */
    AML_SHIFT_LEFT = 0x79,   /* operand, count, target */
    AML_AND = 0x7b,          /* operand, operand, target */
    AML_OR = 0x7d,
    AML_FIND_SET_RIGHT_BIT = 0x82, /* source, target */
    AML_SUBTRACT = 0x74,
    AML_CREATE_DWORD_FIELD = 0x8a, /* buffer, byte index, name */
    AML_RETURN = 0xa4,
    AML_NO_TARGET = 0x00,
};

enum aml_space { AML_SYSTEM_MEMORY = 0, AML_SYSTEM_IO = 1, AML_PCI_CONFIG = 2 };

struct aml_field_unit {
    const char *name;        /* four characters */
    unsigned bits;           /* 1..63 */
};

/* A name or path: "RTC_", "\\_SB_.PCI0"; segments have four characters. */
void aml_path(struct blob *b, const char *path);
void aml_op(struct blob *b, uint8_t op);
void aml_int(struct blob *b, uint64_t v);
void aml_string(struct blob *b, const char *s);
void aml_eisa_id(struct blob *b, const char *id);    /* "PNP0A03" as an integer */

void aml_name(struct blob *b, const char *path);     /* an object follows */
size_t aml_scope(struct blob *b, const char *path);
size_t aml_device(struct blob *b, const char *name);
size_t aml_processor(struct blob *b, const char *name, uint8_t id); /* without a register block */
size_t aml_method(struct blob *b, const char *name, unsigned args, bool serialized);
size_t aml_package(struct blob *b, unsigned elements);
size_t aml_buffer(struct blob *b, unsigned bytes);   /* exactly as many bytes follow */
size_t aml_if(struct blob *b);                       /* predicate, then body */
void aml_close(struct blob *b, size_t opened);

void aml_operation_region(struct blob *b, const char *name, enum aml_space space, uint32_t off,
                          uint32_t bytes);
/* Fields of one byte each access, one after the other from the region's start. */
void aml_field(struct blob *b, const char *region, const struct aml_field_unit *units, unsigned n);

/* Resource descriptors, collected in a blob of their own. */
void aml_res_io(struct blob *r, uint16_t base, uint8_t bytes);
void aml_res_irq(struct blob *r, unsigned irq);      /* edge, active high */
void aml_res_dma(struct blob *r, unsigned channel);
void aml_res_memory32(struct blob *r, uint32_t base, uint32_t bytes, bool writable);
/* Level triggered, active high, shared interrupts: @n numbers from which one is chosen. */
void aml_res_interrupts(struct blob *r, const uint32_t *irqs, unsigned n);
void aml_res_bus_range(struct blob *r, uint16_t first, uint16_t last);
void aml_res_io_range(struct blob *r, uint16_t first, uint16_t last);
void aml_res_memory_range(struct blob *r, uint32_t first, uint32_t last, bool cacheable);
/* Appends the template with what @r holds, and frees @r. */
void aml_resources(struct blob *b, struct blob *r);

#endif
