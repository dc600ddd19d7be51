/*
 * -accel jit,check=on: every run of translated code is done over by the interpreter, and compared.
 *
 * Translated code runs as a trial: each of its stores first notes what it overwrites. When it calls
 * C or leaves, its state is put aside, memory and registers are put back, and the interpreter runs
 * the same instructions for good. So whatever can reach a device, fault or deliver an event, which
 * translated code leaves to the interpreter, happens once. Translations are not linked; but units
 * are made, and a trial may end inside: how many instructions it gave back says where, and the
 * interpreter must come there, too.
 */
#ifndef CORE_ACCEL_JIT_CHECK_H
#define CORE_ACCEL_JIT_CHECK_H

#include "core/accel/jit/jit.h"

/* All of a translation may be stores of 32 bytes, twice. */
#define CHECK_STORES (UNIT_INSNS * 8u)
/* While checking, in place of WARM and UNIT_PASSES. */
#define CHECK_WARM   2
#define CHECK_PASSES 3

/* Memory before a store; translated code writes it. */
struct check_store {
    uint8_t *at;
    uint64_t old, trial;     /* the bytes; what the trial left there */
    uint32_t bytes;          /* 1, 2, 4 or 8 */
};

struct check {
    struct insn_alone alone; /* the instruction that the interpreter repeats */
    /* Up to CHECK_STATE: at the start; as translated code left it; as the interpreter did. */
    struct x86_cpu *before, *trial, *now;
    /* held in a trial, so that no device writes memory; NULL: it is held anyway */
    struct lock *lock;
    const struct jit_block *block; /* in which the trial began; NULL: there is none */
    unsigned from;           /* with this instruction */
    uint64_t trials;
    bool failed;
    struct check_store stores[CHECK_STORES];
};

/* The part of the context that translated code and instructions change. */
#define CHECK_STATE offsetof(struct x86_cpu, unwind)

/* From now on @j is checked. */
struct check *check_new(struct jit *j, struct lock *lock);
void check_free(struct check *c);

/* A trial begins with instruction @from of @jb. */
void check_begin(struct jit *j, const struct jit_block *jb, unsigned from);
/* It ended before instruction @to of @jb, a part of the same translation; or by leaving it. The
 * budget is as there is none to be taken for parts behind. The state is the interpreter's
 * afterwards; the first difference is reported, and ends the machine. */
void check_end_before(struct jit *j, const struct jit_block *jb, unsigned to);
void check_end_left(struct jit *j);

#endif
