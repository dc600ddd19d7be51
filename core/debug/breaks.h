/*
 * Breaks: the machine stops when something happens. One line of text says what:
 *
 *     07C0:0010 | 0x7c10                    code at a real-mode or linear address
 *     io 0x3f2[-0x3f7] [r|w]                a port
 *     mmio 0xfee00000[-0xfee00fff] [r|w]    a physical address that a device answers
 *     pci 00:01.0 0x60 [r|w]                a register of a PCI function's configuration
 *     cmos 0x0f [r|w]                       a byte of CMOS
 *     msr 0x1b [r|w]                        a model-specific register
 *     int 13                                an INT n, in hexadecimal as programmers say it
 *     exception 13 | exception gp           an exception, in decimal as the manuals say it
 *     irq 6                                 an interrupt that the 8259s deliver
 *     mode real|protected|v86|long|smm      a change to that mode
 *     insn 1000000                          instruction number
 *     text 'A:\>'                           a text on the screen
 *
 * and behind it `if TERM ==|!=|<|<=|>|>=|& TERM`, perhaps more with `and`: TERM is a register (ah,
 * bx, ecx, cs, eflags), `value` (of the access; the error code of an exception) or a number (0x10,
 * 16, 10h).
 */
#ifndef CORE_DEBUG_BREAKS_H
#define CORE_DEBUG_BREAKS_H

#include "core/debug/debug.h"

struct breaks;

void breaks_free(struct breaks *b); /* NULL is allowed */

/* Adds one; *id is its number. Freezes the machine. [locked] */
bool breaks_add(struct debug *d, const char *what, unsigned *id, struct error **err);
/* Removes one, or with 0 all. */
bool breaks_delete(struct debug *d, unsigned id, struct error **err);
/* A line each: number, what, how often. */
void breaks_list(struct debug *d, struct text *out);
/* For query-breakpoints. */
void breaks_each(struct debug *d,
                 void (*each)(void *opaque, unsigned id, const char *what, uint64_t hits),
                 void *opaque);

#endif
