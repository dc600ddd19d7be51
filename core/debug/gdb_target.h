/*
 * Registers as gdb sees them, and the target description that names them.
 *
 * The description fits the code that runs: 16-bit (real mode, virtual-8086 mode, 16-bit segments),
 * 32-bit or 64-bit. The program counter is the linear address CS base + IP, so that gdb
 * disassembles what is executed; the segments' bases are registers of their own.
 */
#ifndef CORE_DEBUG_GDB_TARGET_H
#define CORE_DEBUG_GDB_TARGET_H

#include "core/base/text.h"
#include "core/cpu/x86_state.h"

enum gdb_arch { GDB_16, GDB_32, GDB_64 };

#define GDB_REG_BYTES 16 /* of the largest register */
#define GDB_MAX_REGS  160

enum gdb_arch gdb_arch_of(const struct x86_state *s);

/* What gdb calls it: "i8086", "i386", "i386:x86-64". */
const char *gdb_arch_name(enum gdb_arch arch);

/* The target description, an XML document. */
void gdb_target_xml(enum gdb_arch arch, struct text *out);

unsigned gdb_reg_count(enum gdb_arch arch);

/* Register number @n (below gdb_reg_count) as its bytes, little endian; returns how many. */
unsigned gdb_reg_read(enum gdb_arch arch, const struct x86_state *s, unsigned n, uint8_t *out);
unsigned gdb_reg_bytes(enum gdb_arch arch, unsigned n);

/* Writes one. False: it cannot have this value, or cannot be written from here. */
bool gdb_reg_write(enum gdb_arch arch, struct x86_state *s, unsigned n, const uint8_t *in);

#endif
