/*
 * Units: which blocks become one translation.
 *
 * Model:  a block that is warm is translated alone. Entries by C code are counted: others lead to
 *         it only when there were enough of them. Then the blocks that run next are noted, in the
 *         interpreter, up to where code leaves the page or the way is not known in advance, up to
 *         a unit that is there, or back to the first one; they are translated behind each other.
 *         So is a function that is called, if all of it is there up to its return.
 *         A loop is unrolled. Whatever jumps forward inside blocks translated alone does not count:
 *         it is a part of what begins before it.
 */
#include "core/accel/jit/translate.h"

#define UNROLLED 64u         /* instructions of a loop that is unrolled */

static const struct insn *last_insn(const struct block *b)
{
    return &b->insns[b->n - 1];
}

static trans_emitter last_emitter(const struct block *b)
{
    return b->ends ? trans_emitters[last_insn(b)->row] : NULL;
}

unsigned jit_path_open(const struct jit_path *p, unsigned n, uint8_t open[UNIT_PARTS])
{
    unsigned depth = 0;
    for (unsigned i = 0; i + 1 < n; i++) {
        trans_emitter emitter = last_emitter(p->part[i].block);
        if (emitter == emit_call) {
            open[depth++] = (uint8_t)i;
        }
        depth -= emitter == emit_ret;
    }
    return depth;
}

unsigned jit_path_closed(const struct jit_path *p, unsigned n)
{
    uint8_t open[UNIT_PARTS];
    return jit_path_open(p, n, open) > 0 ? open[0] + 1u : n;
}

static uint64_t behind(const struct jit_context *c, const struct block *b, uint64_t rip)
{
    return (rip + b->bytes) & (c->mode & MODE_CS64 ? ~0ull : 0xffffffff);
}

/* Is @next where the RET at the end of the path leads, its CALL being in it, too? */
static bool returns_to(const struct jit_context *c, const struct jit_path *p, uint64_t next)
{
    uint8_t open[UNIT_PARTS];
    unsigned depth = jit_path_open(p, p->n, open);
    if (depth == 0) {
        return false;
    }
    const struct block *caller = p->part[open[depth - 1]].block;
    return behind(c, caller, p->part[open[depth - 1]].rip) == next &&
           last_insn(caller)->opsize == last_insn(p->part[p->n - 1].block)->opsize;
}

/* Does the path lead to @next, in a way that translated code can follow? */
static bool leads(const struct jit *j, const struct jit_path *p, uint64_t next)
{
    const struct jit_context *c = &j->contexts[p->context];
    const struct block *b = p->part[p->n - 1].block;
    const struct insn *last = last_insn(b);
    trans_emitter emitter = last_emitter(b);
    uint64_t on = behind(c, b, p->part[p->n - 1].rip);
    if (!b->ends) {
        return next == on;
    }
    if (block_rep(b, last)) {
        return next == on && !j->check;                 /* a trial ends there */
    }
    if (emitter == emit_ret) {
        return returns_to(c, p, next);
    }
    bool loop = emitter == emit_loop && !c->live && last->opcode >= 0xe2;
    bool always = emitter == emit_jump || emitter == emit_call;
    if (!always && emitter != emit_jump_cc && !loop) {
        return false;
    }
    uint64_t target = jit_branch_target(last, on);
    return jit_branch_fits(c, target) && (next == target || (!always && next == on));
}

static bool is_in(const struct jit_path *p, const struct block *b)
{
    bool found = false;
    for (unsigned i = 0; i < p->n; i++) {
        found = found || p->part[i].block == b;
    }
    return found;
}

/* It is entered now. */
static void add(struct jit *j, struct block *b, uint64_t rip)
{
    struct jit_path *p = &j->path;
    struct jit_path_part *part = &p->part[p->n++];
    part->block = b;
    part->rip = rip;
    memcpy(part->gpr, j->e->cpu.s.gpr, sizeof(part->gpr));
    p->n_insns += b->n;
}

void jit_path_begin(struct jit *j, struct jit_block *jb)
{
    j->path = (struct jit_path){.context = jb->context};
    if (jb->block->bytes == jb->block->bytes1) {        /* else the next one is in another page */
        add(j, jb->block, jb->rip);
    }
}

/* The same page of memory; the registers lead there by one translation of addresses. */
static bool same_page(const struct jit_path *p, const struct block *b, uint64_t rip)
{
    const struct block *head = p->part[0].block;
    return head->ram >> PAGE_BITS == b->ram >> PAGE_BITS && b->bytes == b->bytes1 &&
           b->ram - head->ram == rip - p->part[0].rip;
}

bool jit_path_adds(struct jit *j, struct block *b)
{
    struct jit_path *p = &j->path;
    uint64_t rip = j->e->cpu.block_rip;
    const struct jit_block *jb = b->translated;
    if (j->context != p->context || p->n == UNIT_PARTS || p->n_insns + b->n > UNIT_INSNS ||
        !jb || jb->n_parts > 1 || jb->context != p->context || jb->rip != rip ||
        !leads(j, p, rip) ||
        !same_page(p, b, rip) || is_in(p, b)) {
        return false;
    }
    add(j, b, rip);
    return true;
}

/* Have all its calls returned at its end? */
static bool is_closed(const struct jit_path *p)
{
    uint8_t open[UNIT_PARTS];
    trans_emitter emitter = last_emitter(p->part[p->n - 1].block);
    return emitter != emit_call && jit_path_open(p, p->n, open) == (emitter == emit_ret);
}

/* Appends the path to itself as often as it fits. */
static void unroll(struct jit_path *p)
{
    unsigned n = p->n, insns = p->n_insns;
    while (p->n + n <= UNIT_PARTS && p->n_insns + insns <= UNROLLED) {
        for (unsigned i = 0; i < n; i++) {
            p->part[p->n++] = p->part[i];
        }
        p->n_insns += insns;
    }
}

/* The first block is not translated with others, for now or ever. */
static void give_up(struct jit_path *p)
{
    struct jit_block *jb = p->part[0].block->translated;
    if (jb && ++jb->tries < UNIT_TRIES) {
        jb->passes = 0;
    }
    p->n = 0;
}

bool jit_path_ends(struct jit *j, struct jit_path *found)
{
    struct jit_path *p = &j->path;
    const struct jit_block *jb = p->part[0].block->translated;
    bool loops = j->e->cpu.block_rip == p->part[0].rip && j->e->block == p->part[0].block &&
                 leads(j, p, p->part[0].rip) && is_closed(p);
    if (j->context != p->context || !jb || jb->context != p->context) {
        give_up(p);
        return false;
    }
    if (loops) {
        unroll(p);
    } else {
        p->n = jit_path_closed(p, p->n);
    }
    if (p->n == 1) {
        give_up(p);
        return false;
    }
    *found = *p;
    p->n = 0;
    return true;
}

void jit_path_drop(struct jit *j, const struct block *b)
{
    if (!b || is_in(&j->path, b)) {
        j->path.n = 0;
    }
}

/* ---- the blocks of a unit ---- */

void jit_parts_join(struct jit_block *head)
{
    for (unsigned i = 1; i < head->n_parts; i++) {
        struct block *b = head[i].block;
        head[i].same = b->parts;
        b->parts = &head[i];
    }
}

void jit_parts_leave(struct jit_block *head)
{
    for (unsigned i = 1; i < head->n_parts; i++) {
        struct jit_block *p = head[i].block->parts;
        if (p == &head[i]) {
            head[i].block->parts = p->same;
            continue;
        }
        for (; p->same != &head[i]; p = p->same) {
        }
        p->same = head[i].same;
    }
    head->n_parts = 1;
}
