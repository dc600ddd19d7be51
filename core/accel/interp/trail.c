/*
 * The interpreter's trail: where it was lately, for post-mortems.
 *
 * Model:  a block's slot is the number of its first instruction modulo the size, so what is
 *         overwritten is at least that many instructions old, and nothing has to be counted.
 *         Registers are noted where a block is entered from the loop, which is so for all code that
 *         runs for the first time.
 */
#include "core/accel/interp/engine.h"

#include <stdlib.h>

void interp_trail_entry(struct interp *e, const struct block *b)
{
    const struct x86_cpu *cpu = &e->cpu;
    uint64_t count = cpu->icount_end - (uint64_t)cpu->budget - b->n;
    interp_trail_block(e, b, (cpu->s.seg[S_CS].base + cpu->s.rip) & cpu->lin_mask);
    e->trail.regs[count % HISTORY_STEPS].count = count;
    memcpy(e->trail.regs[count % HISTORY_STEPS].gpr, cpu->s.gpr, sizeof(e->trail.regs[0].gpr));
    e->trail.regs[count % HISTORY_STEPS].rflags = cpu->s.rflags;
}

void interp_trail_add_code(struct interp *e, uint64_t count)
{
    const struct x86_cpu *cpu = &e->cpu;
    unsigned last = e->trail.n_code++ % HISTORY_STEPS;
    e->trail.code[last].count = count;
    e->trail.code[last].base = cpu->s.seg[S_CS].base;
    e->trail.code[last].sel = cpu->s.seg[S_CS].sel;
    e->trail.code[last].kind = cpu->mode & (MODE_CS32 | MODE_CS64);
}

static int by_count(const void *a, const void *b)
{
    uint64_t x = ((const struct x86_step *)a)->count, y = ((const struct x86_step *)b)->count;
    return x < y ? -1 : x > y;
}

/* The code segment that held at instruction @count. */
static bool find_code(const struct interp_trail *t, struct x86_step *s)
{
    for (unsigned i = 1; i <= HISTORY_STEPS && i <= t->n_code; i++) {
        unsigned n = (t->n_code - i) % HISTORY_STEPS;
        if (t->code[n].count <= s->count) {
            s->cs = t->code[n].sel;
            uint8_t kind = t->code[n].kind;
            s->bits = kind & MODE_CS64 ? 64 : kind & MODE_CS32 ? 32 : 16;
            s->rip = (s->lin - t->code[n].base) & (s->bits == 64 ? ~0ull : 0xffffffff);
            return true;
        }
    }
    return false;
}

void interp_trail_get(struct interp *e, struct x86_history *out)
{
    const struct interp_trail *t = &e->trail;
    out->notes = e->cpu.notes;
    out->count = interp_icount(&e->cpu);
    out->n = 0;
    for (unsigned i = 0; i < HISTORY_STEPS; i++) {
        struct x86_step *s = &out->steps[out->n];
        uint64_t count = t->block[i].count;
        *s = (struct x86_step){.count = count, .lin = t->block[i].lin};
        if (t->block[i].lin == 0 || count >= out->count || out->count - count > HISTORY_STEPS ||
            !find_code(t, s)) {
            continue;
        }
        if (t->regs[i].count == count) {
            s->has_regs = true;
            memcpy(s->gpr, t->regs[i].gpr, sizeof(s->gpr));
            s->flags = t->regs[i].rflags;
        }
        out->n++;
    }
    qsort(out->steps, out->n, sizeof(out->steps[0]), by_count);
}
