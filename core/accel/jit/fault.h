/*
 * Accesses of translated code to the window that the host refuses: a SIGSEGV, which goes on at the
 * instruction's way to the interpreter. After the second one at an instruction its block is
 * translated anew, with a check there.
 */
#ifndef CORE_ACCEL_JIT_FAULT_H
#define CORE_ACCEL_JIT_FAULT_H

#include "core/accel/jit/jit.h"

/* An entry of a block's table; bytes from its entry point. */
struct fault_site {
    uint32_t at;             /* the host's instruction */
    uint32_t path;           /* where it goes on */
};

/* Installs the handler, if it is not there. */
void fault_init(void);
/* This thread is about to run @j's code. */
void fault_expect(struct jit *j);
/* Instruction @i of @b came to the interpreter: because of a fault? Then the block may be forgotten
 * until it runs again. */
void fault_note(struct jit *j, struct block *b, unsigned i);

#endif
