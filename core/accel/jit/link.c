/*
 * How translations lead to each other: direct exits by patched jumps, indirect ones by a table.
 */
#include "core/accel/jit/emit.h"
#include "core/accel/jit/jit.h"

void jit_link(struct jit *j, struct jit_link *l, struct jit_block *to)
{
    if (j->check) {
        return;
    }
    l->to = to;
    l->next = to->in;
    to->in = l;
    emit_link(l->at, to->entry);
    j->n_far_links += l->far_page;
    j->stats.links++;
}

static void unlinked(struct jit *j, struct jit_link *l)
{
    emit_link(l->at, l->stub);
    l->to = NULL;
    j->n_far_links -= l->far_page;
}

void jit_unlink_into(struct jit *j, struct jit_block *to)
{
    for (struct jit_link *l = to->in; l; l = l->next) {
        unlinked(j, l);
    }
    to->in = NULL;
}

void jit_unlink(struct jit *j, struct jit_link *l)
{
    struct jit_link **p;
    if (!l->to) {
        return;
    }
    for (p = &l->to->in; *p != l; p = &(*p)->next) {
    }
    *p = l->next;
    unlinked(j, l);
}

void jit_unlink_far(struct jit *j)
{
    for (struct jit_link *l = NULL; j->n_far_links > 0 && (l = jit_next_link(j, l));) {
        if (l->far_page) {
            jit_unlink(j, l);
        }
    }
}

static struct jit_jump *jit_jump_slot(struct jit *j, uint64_t rip)
{
    return &j->jumps[((uint32_t)rip ^ (uint32_t)rip >> PAGE_BITS) & (JIT_JUMPS - 1)];
}

static struct jit_live_jump *live_slot(struct jit *j, uint64_t rip)
{
    return &j->live_jumps[rip % LIVE_JUMPS];
}

void jit_add_jump(struct jit *j, struct jit_block *jb)
{
    if (j->check) {
        return;
    }
    const struct block *b = jb->block;
    uint64_t lin = (j->contexts[jb->context].cs_base + jb->rip) & j->e->cpu.lin_mask;
    bool global = b->bytes == b->bytes1 && moved_is_global(j->e, lin);
    *jit_jump_slot(j, jb->rip) = (struct jit_jump){
        .rip = jb->rip,
        .key = global ? j->e->translated.global_key : j->e->translated.jump_key,
        .entry = codemem_rx(&j->code, jb->cold),
    };
    if (j->contexts[jb->context].live) {
        *live_slot(j, jb->rip) = (struct jit_live_jump){
            .key = 0 - (jb->rip + j->e->translated.live_key),
            .entry = codemem_rx(&j->code, jb->entry),
        };
    }
}

const uint8_t *jit_find_jump(struct jit *j, uint64_t rip)
{
    const struct jit_jump *to = jit_jump_slot(j, rip);
    bool holds = to->key == j->e->translated.jump_key || to->key == j->e->translated.global_key;
    return to->rip == rip && holds ? to->entry : NULL;
}

void jit_drop_jump(struct jit *j, const struct jit_block *jb)
{
    jit_jump_slot(j, jb->rip)->key = 0;
    if (j->contexts[jb->context].live) {
        live_slot(j, jb->rip)->key = 0;
    }
}
