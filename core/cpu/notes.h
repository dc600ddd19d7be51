/*
 * What the software CPU notes about itself for post-mortems: nothing that the guest can see,
 * nothing that is saved.
 */
#ifndef CORE_CPU_NOTES_H
#define CORE_CPU_NOTES_H

#include <stdbool.h>
#include <stdint.h>

struct x86_place {
    uint64_t rip, lin;
    uint16_t cs;
    bool known;
};

#define NOTES_FAULTS 4

/* Who changed what since the reset. */
enum x86_change { CHANGED_GDTR, CHANGED_IDTR, CHANGED_CR0, CHANGED_CR3, CHANGES };

struct x86_notes {
    /* The last chain of faults: @first was delivered (INT n, an interrupt) when fault[0] came; or,
     * with first_kind 0xff, nothing was. */
    struct x86_place at;
    uint8_t first_kind, first_vector;
    uint8_t n_faults;
    uint8_t bits;                /* 16, 32 or 64: of the code where the chain began */
    uint64_t cr2;                /* as of its first fault */
    struct {
        uint8_t vector;
        uint8_t delivered;       /* the vector again, or that of the double fault it became */
        bool has_error;
        uint32_t error;
    } fault[NOTES_FAULTS];
    uint32_t repeats; /* how often in a row the chain began with the same fault at one place */
    struct x86_place changed[CHANGES];
    /* The last INT 13h of real mode. */
    struct {
        struct x86_place at;
        uint16_t ax, bx, cx, dx, es;
    } int13;
};

/* An instruction that was run lately, or the first one of a block of them. */
struct x86_step {
    uint64_t count;              /* its number */
    uint64_t lin, rip;
    uint16_t cs;
    uint8_t bits;                /* 16, 32, 64 */
    bool has_regs;               /* gpr and flags are those before it */
    uint64_t gpr[16], flags;
};

#define HISTORY_STEPS 64

struct x86_history {
    struct x86_notes notes;
    struct x86_step steps[HISTORY_STEPS]; /* oldest first */
    unsigned n;
    uint64_t count;              /* instructions retired */
};

#endif
