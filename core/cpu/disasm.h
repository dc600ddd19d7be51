/*
 * Machine code as text for people, by Zydis: an independent reading of the same bytes. Without
 * Zydis in the build there are bytes only.
 */
#ifndef CORE_CPU_DISASM_H
#define CORE_CPU_DISASM_H

#include <stddef.h>
#include <stdint.h>

#define DISASM_MAX_BYTES 15u
#define DISASM_TEXT      128

/* One instruction of @len >= 1 bytes at most, for code of @bits 16, 32 or 64 that stands at @rip.
 * Returns its length, at least 1; what is no instruction is one byte long. AT&T syntax, as other
 * monitors have. */
unsigned disasm(const uint8_t *code, size_t len, unsigned bits, uint64_t rip,
                char text[DISASM_TEXT]);

#endif
