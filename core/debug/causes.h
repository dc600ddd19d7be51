/*
 * Why a machine died, as one line: the chain of causes, read from the processor's state, its tables
 * in memory and what it noted about itself.
 */
#ifndef CORE_DEBUG_CAUSES_H
#define CORE_DEBUG_CAUSES_H

#include "core/base/text.h"
#include "core/cpu/notes.h"
#include "core/cpu/x86_state.h"
#include "core/mem/space.h"

enum death {
    DEATH_TRIPLE_FAULT,
    DEATH_HALT,    /* HLT with interrupts off */
    DEATH_LOOP,    /* a short loop with interrupts off */
    DEATH_FAULTS,  /* the same fault at the same place again and again */
    DEATH_NO_BOOT, /* the firmware found nothing to boot */
    DEATH_RESET,   /* the program asks for a reset */
    DEATH_ERROR,   /* the accelerator cannot go on */
};

struct causes {
    enum death death;
    const struct x86_state *s;
    const struct x86_history *h; /* NULL: nothing is known of what was before */
    struct space *mem;
    const char *note; /* NO_BOOT: about the drives; ERROR: what the accelerator says; or NULL */
};

/* Appends the line, without a newline. [locked] */
void causes_line(const struct causes *c, struct text *out);

/* "F000:FFF0". */
void causes_place(struct text *out, unsigned cs, uint64_t rip);

#endif
