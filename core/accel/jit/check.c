/* See check.h. */
#include "core/accel/jit/check.h"

#include "core/accel/jit/dump.h"
#include "core/accel/vcpu.h"
#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/text.h"

#include <inttypes.h>
#include <stdlib.h>

struct check *check_new(struct jit *j, struct lock *lock)
{
    struct check *c = NEW(struct check);
    j->check = c;
    j->warm = CHECK_WARM;
    j->passes = CHECK_PASSES;
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

void check_begin(struct jit *j, const struct jit_block *jb, unsigned from)
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
    unsigned n = stores_noted(j);
    for (unsigned i = 0; i < n; i++) {
        struct check_store *s = &c->stores[i];
        s->at = window_to_arena(j->window, s->at);
        s->trial = 0;
        memcpy(&s->trial, s->at, s->bytes);
    }
    for (unsigned i = n; i-- > 0;) {
        memcpy(c->stores[i].at, &c->stores[i].old, c->stores[i].bytes);
    }
}

/* Is there what the trial left? */
static bool same_memory(const struct jit *j, struct text *out)
{
    bool same = true;
    for (unsigned n = stores_noted(j), i = 0; i < n; i++) {
        const struct check_store *s = &j->check->stores[i];
        uint64_t now = 0;
        memcpy(&now, s->at, s->bytes);
        if (now != s->trial) {
            text_printf(out,
                        "  memory %08" PRIx64 ": interpreter %0*" PRIx64
                        ", translation %0*" PRIx64 "\n",
                        (uint64_t)(s->at - j->e->cpu.arena->base), (int)s->bytes * 2, now,
                        (int)s->bytes * 2, s->trial);
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

/* Runs instructions [from, to) of @jb, and leaves it if those are its last ones. */
static void run_part(struct jit *j, const struct jit_block *jb, unsigned from, unsigned to)
{
    struct x86_cpu *cpu = &j->e->cpu;
    const struct block *b = jb->block;
    int64_t budget = cpu->budget;
    j->e->block = jb->block;
    cpu->block_rip = jb->rip;
    cpu->s.gpr[GPR_OFF_RIP / 8] = jb->rip;
    for (unsigned i = from; i < to; i++) {
        bool last = i + 1 == b->n;
        cpu->budget = last ? 0 : budget;                /* so that nothing follows the block */
        run_one(j, b, i, last ? b->insns[b->n].run : run_return);
    }
    if (from == b->n) {                                 /* nothing was left to do but to leave */
        cpu->budget = 0;
        cpu->cur = &b->insns[b->n];
        cpu->cur->run(cpu, cpu->cur);
    }
    cpu->budget = budget;
}

/* Runs what the trial did, up to instruction @to of @last. False: code goes another way. */
static bool run_parts(struct jit *j, const struct jit_block *last, unsigned to)
{
    const struct jit_block *jb = j->check->block;
    unsigned from = j->check->from;
    for (; jb != last; jb++, from = 0) {
        run_part(j, jb, from, jb->block->n);
        if (j->e->cpu.s.rip != jb[1].rip) {
            return false;
        }
    }
    run_part(j, last, from, to);
    return true;
}

/* The same; says what was wrong with it. */
static const char *run_again(struct jit *j, const struct jit_block *last, unsigned to)
{
    struct x86_cpu *cpu = &j->e->cpu;
    const char *volatile wrong = "the interpreter faults";
    jmp_buf outer;
    memcpy(&outer, &cpu->unwind, sizeof(outer));
    if (!setjmp(cpu->unwind)) {
        wrong = run_parts(j, last, to) ? NULL : "the interpreter goes another way";
    }
    memcpy(&cpu->unwind, &outer, sizeof(outer));
    return wrong;
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
    jit_dump(j, c->block->head, &out);
    char *save = NULL;
    for (char *line = strtok_r(out.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        log_error("%s", line);
    }
    text_free(&out);
}

/* The trial ended before instruction @to of part @last. */
static void compare(struct jit *j, const struct jit_block *last, unsigned to)
{
    struct check *c = j->check;
    struct x86_cpu *cpu = &j->e->cpu;
    bool left = to == last->block->n;
    int64_t budget = cpu->budget;
    struct text memory = {0};
    memcpy(c->trial, cpu, CHECK_STATE);
    put_back(j);
    memcpy(cpu, c->before, CHECK_STATE);
    const char *what = run_again(j, last, to);
    memcpy(c->now, cpu, CHECK_STATE);
    tidy(c->now, left);
    tidy(c->trial, left);
    bool same = memcmp(&c->now->s, &c->trial->s, sizeof(c->now->s)) == 0;
    if (!what && !same) {
        what = first_difference(&c->now->s, &c->trial->s);
    }
    if (!what && budget != c->before->budget + last->rest) {
        what = "instructions that are counted";
    }
    if ((!same_memory(j, &memory) || what) && !c->failed) {
        c->failed = true;
        report(j, what ? what : "memory", &memory);
        atomic_fetch_or(cpu->pending, PEND_KICK);
    }
    text_free(&memory);
    cpu->budget = budget;
    cpu->cur = NULL;
    c->block = NULL;
    if (c->lock) {
        lock_drop(c->lock);
    }
}

void check_end_before(struct jit *j, const struct jit_block *jb, unsigned to)
{
    if (j->check->block) {
        compare(j, jb, to);
    }
}

/* What was given back was not run: the parts behind the one that it left from. If that is no part's
 * number, the last one will do for the report. */
void check_end_left(struct jit *j)
{
    const struct check *c = j->check;
    const struct jit_block *jb = c->block;
    if (jb) {
        while (jb->rest > 0 && jb->rest != j->e->cpu.budget - c->before->budget) {
            jb++;
        }
        compare(j, jb, jb->block->n);
    }
}
