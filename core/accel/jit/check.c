/* See check.h. */
#include "core/accel/jit/check.h"

#include "core/accel/jit/dump.h"
#include "core/accel/vcpu.h"
#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/text.h"

#include <inttypes.h>
#include <stdlib.h>

struct check *check_new(struct lock *lock)
{
    struct check *c = NEW(struct check);
    c->lock = lock;
    c->before = xcalloc(1, CHECK_STATE);
    c->trial = xcalloc(1, CHECK_STATE);
    c->now = xcalloc(1, CHECK_STATE);
    return c;
}

void check_free(struct check *c)
{
    if (c) {
        free(c->before);
        free(c->trial);
        free(c->now);
        free(c);
    }
}

void check_begin(struct jit *j, struct jit_block *jb, unsigned from)
{
    struct check *c = j->check;
    if (c->lock) {
        lock_take(c->lock);
    }
    c->block = jb;
    c->from = from;
    c->trials++;
    j->e->translated.stores = c->stores;
    memcpy(c->before, &j->e->cpu, CHECK_STATE);
}

/* ---- memory ---- */

static unsigned stores_noted(const struct jit *j)
{
    return (unsigned)((struct check_store *)j->e->translated.stores - j->check->stores);
}

static void put_back(struct jit *j)
{
    struct check *c = j->check;
    for (unsigned i = stores_noted(j); i-- > 0;) {
        struct check_store *s = &c->stores[i];
        s->at = window_to_arena(j->window, s->at);
        memcpy(&c->trial_memory[i], s->at, 8);
        memcpy(s->at, &s->old, 8);
    }
}

/* What the trial left: the last note of a word says it. Equal to what is there now? */
static bool same_memory(const struct jit *j, struct text *out)
{
    const struct check *c = j->check;
    bool same = true;
    for (unsigned n = stores_noted(j), i = 0; i < n; i++) {
        const struct check_store *s = &c->stores[i];
        unsigned last = i;
        for (unsigned k = i + 1; k < n; k++) {
            last = c->stores[k].at == s->at ? k : last;
        }
        uint64_t now;
        memcpy(&now, s->at, 8);
        if (last == i && now != c->trial_memory[i]) {
            text_printf(out,
                        "  memory %08" PRIx64 ": interpreter %016" PRIx64
                        ", translation %016" PRIx64 "\n",
                        (uint64_t)(s->at - j->e->cpu.arena->base), now, c->trial_memory[i]);
            same = false;
        }
    }
    return same;
}

/* ---- the interpreter's run ---- */

static void run_return(struct x86_cpu *cpu, const struct insn *in)
{
}

static void run_one(struct jit *j, const struct block *b, unsigned index, insn_run next)
{
    struct x86_cpu *cpu = &j->e->cpu;
    struct insn *step = j->check->alone.insn;
    j->check->alone = (struct insn_alone){.insn = {b->insns[index], b->insns[index + 1]}};
    step[0].run = index == 0 ? b->first : step[0].run;
    step[1].run = next;
    cpu->cur = step;
#if INTERP_LOOP
    while (cpu->cur && cpu->cur->run != run_return) {
        cpu->cur->run(cpu, cpu->cur);
    }
#else
    step[0].run(cpu, step);
#endif
}

/* Runs instructions [from, to) of the trial's block. False: one of them faults. */
static bool run_again(struct jit *j, unsigned to, bool left)
{
    struct x86_cpu *cpu = &j->e->cpu;
    const struct jit_block *jb = j->check->block;
    const struct block *b = jb->block;
    int64_t budget = cpu->budget;
    jmp_buf outer;
    bool done = false;
    memcpy(&outer, &cpu->unwind, sizeof(outer));
    if (!setjmp(cpu->unwind)) {
        j->e->block = jb->block;
        cpu->block_rip = jb->rip;
        cpu->s.gpr[GPR_OFF_RIP / 8] = jb->rip;
        for (unsigned i = j->check->from; i < to; i++) {
            bool last = left && i + 1 == b->n;
            cpu->budget = last ? 0 : budget;            /* so that nothing follows the block */
            run_one(j, b, i, last ? b->insns[b->n].run : run_return);
        }
        if (left && j->check->from == b->n) {           /* nothing was left to do but to leave */
            cpu->budget = 0;
            cpu->cur = &b->insns[b->n];
            cpu->cur->run(cpu, cpu->cur);
        }
        done = true;
    }
    memcpy(&cpu->unwind, &outer, sizeof(outer));
    cpu->budget = budget;
    return done;
}

/* ---- comparing ---- */

/* Makes the flags and what is not state equal in both. */
static void tidy(struct x86_cpu *cpu, bool left)
{
    cpu->s.rflags = (cpu->s.rflags & ~(uint64_t)FL_OSZAPC) | lf_get(cpu);
    cpu->s.gpr[GPR_OFF_RIP / 8] = 0;
    if (!left) {
        cpu->s.rip = 0;
    }
}

static const char *const gpr_names[16] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di",
                                          "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};

static void show_state(const struct x86_state *s, const char *who, struct text *out)
{
    text_printf(out, "%s:\n ", who);
    for (unsigned i = 0; i < 16; i++) {
        text_printf(out, " %s=%016" PRIx64 "%s", gpr_names[i], s->gpr[i], i % 4 == 3 ? "\n " : "");
    }
    text_printf(out, " ip=%" PRIx64 " flags=%" PRIx64 "\n", s->rip, s->rflags);
}

/* The name of the first field that differs; NULL: none. */
static const char *first_difference(const struct x86_state *a, const struct x86_state *b)
{
    struct state_buf first = {0}, second = {0};
    state_save(&first, x86_state_fields, a, NULL);
    state_save(&second, x86_state_fields, b, NULL);
    const char *name = state_differs(x86_state_fields, first.data, second.data, true);
    state_buf_free(&first);
    state_buf_free(&second);
    return name;
}

static void report(struct jit *j, const char *what, const struct text *memory)
{
    const struct check *c = j->check;
    struct text out = {0};
    text_printf(&out, "jit: a translation differs from the interpreter: %s\n%s", what,
                text_str(memory));
    show_state(&c->before->s, "before", &out);
    show_state(&c->now->s, "interpreter", &out);
    show_state(&c->trial->s, "translation", &out);
    jit_dump(j, c->block, &out);
    char *save = NULL;
    for (char *line = strtok_r(out.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        log_error("%s", line);
    }
    text_free(&out);
}

void check_end(struct jit *j, unsigned to, bool left)
{
    struct check *c = j->check;
    struct x86_cpu *cpu = &j->e->cpu;
    struct text memory = {0};
    if (!c->block) {
        return;
    }
    memcpy(c->trial, cpu, CHECK_STATE);
    put_back(j);
    memcpy(cpu, c->before, CHECK_STATE);
    bool ran = run_again(j, to, left);
    memcpy(c->now, cpu, CHECK_STATE);
    tidy(c->now, left);
    tidy(c->trial, left);
    bool same = memcmp(&c->now->s, &c->trial->s, sizeof(c->now->s)) == 0;
    const char *field = same ? NULL : first_difference(&c->now->s, &c->trial->s);
    if ((!same_memory(j, &memory) || field || !ran) && !c->failed) {
        c->failed = true;
        report(j, !ran ? "the interpreter faults" : field ? field : "memory", &memory);
        atomic_fetch_or(cpu->pending, PEND_KICK);
    }
    text_free(&memory);
    cpu->cur = NULL;
    c->block = NULL;
    if (c->lock) {
        lock_drop(c->lock);
    }
}
