/*
 * Accesses that miss the run of pages in which their translation looks first (trans_tlb.c).
 *
 * Model:  a run counts the misses. When there were many in a short time, the instruction of the
 *         last one is translated anew, with what is known of it now; the second time without a run.
 *         The stack's run goes where the stack has gone instead. The same becomes of one that is
 *         looked for with what is near to it, and often not found.
 */
#include "core/accel/jit/jit.h"

#define NEAR_MISSES 64u
#define NEAR_WORTH  128u     /* instructions for one of them, at least */

void jit_run_tired(struct jit *j, struct jit_block *jb, unsigned index)
{
    struct x86_cpu *cpu = &j->e->cpu;
    struct tlb_run *r = (void *)((uint8_t *)cpu + cpu->run_tired), *first = &cpu->runs[0][0][0];
    size_t n = (size_t)(r - first), kind = n / (2 * TLB_RUNS), write = n / TLB_RUNS % 2;
    struct block *b = jb->block;
    struct jit_missed *m = &j->missed[((uintptr_t)b / sizeof(*b) + index) % JIT_MISSED];
    cpu->run_tired = 0;
    if (!x86_tlb_run_fails(cpu, r)) {
        return;
    }
    if (n % TLB_RUNS == TLB_RUN_STACK) {
        x86_tlb_stack_run(cpu, (unsigned)kind, cpu->run_missed, write);
        return;
    }
    b->checked |= b->faulted & BIT64(index);
    b->faulted |= BIT64(index);
    *m = (struct jit_missed){b, index, cpu->run_missed};
    jit_renew(j, jb);
}

void jit_near_missed(struct jit *j, struct jit_block *jb, unsigned index)
{
    struct block *b = jb->block;
    struct jit_near *n = &j->near[((uintptr_t)b / sizeof(*b) + index) % JIT_MISSED];
    uint64_t now = j->e->cpu.icount_end - (uint64_t)j->e->cpu.budget;
    if (n->block != b || n->index != index || n->misses == NEAR_MISSES) {
        *n = (struct jit_near){b, index, 0, now};
    }
    if (++n->misses == NEAR_MISSES && now - n->since < NEAR_WORTH * NEAR_MISSES) {
        b->checked |= BIT64(index);
        jit_renew(j, jb);
    }
}
