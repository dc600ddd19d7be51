/*
 * -accel jit,check=on: every run of translated code is done over by the interpreter, and compared.
 *
 * Translated code runs as a trial: each of its stores first notes what it overwrites. When it calls
 * C or leaves, its state is put aside, memory and registers are put back, and the interpreter runs
 * the same instructions for good. So whatever can reach a device, fault or deliver an event, which
 * translated code leaves to the interpreter, happens once. Blocks are not linked.
 */
#ifndef CORE_ACCEL_JIT_CHECK_H
#define CORE_ACCEL_JIT_CHECK_H

#include "core/accel/jit/jit.h"

/* Every block of a page may be all stores of 32 bytes that cross a word. */
#define CHECK_STORES (BLOCK_INSNS * 16u)
#define CHECK_WARM   2       /* runs before a block is translated, while checking */

/* Eight bytes before a store; translated code writes it. */
struct check_store {
    uint8_t *at;             /* aligned */
    uint64_t old;
};

struct check {
    struct insn_alone alone; /* the instruction that the interpreter repeats */
    /* Up to CHECK_STATE: at the start; as translated code left it; as the interpreter did. */
    struct x86_cpu *before, *trial, *now;
    /* held in a trial, so that no device writes memory; NULL: it is held anyway */
    struct lock *lock;
    struct jit_block *block; /* the trial's; NULL: there is none */
    unsigned from;           /* its first instruction */
    uint64_t trials;
    bool failed;
    struct check_store stores[CHECK_STORES];
    uint64_t trial_memory[CHECK_STORES]; /* what the trial left there */
};

/* The part of the context that translated code and instructions change. */
#define CHECK_STATE offsetof(struct x86_cpu, unwind)

struct check *check_new(struct lock *lock);
void check_free(struct check *c);

/* A trial begins with instruction @from of @jb. */
void check_begin(struct jit *j, struct jit_block *jb, unsigned from);
/* It ended before instruction @to, or, if @left, behind the block. The state is the interpreter's
 * afterwards; the first difference is reported, and ends the machine. */
void check_end(struct jit *j, unsigned to, bool left);

#endif
