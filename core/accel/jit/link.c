/*
 * How translations lead to each other: direct exits by patched jumps, indirect ones by a table.
 */
#include "core/accel/jit/emit.h"
#include "core/accel/jit/jit.h"

struct jit_link *jit_new_link(struct jit *j, struct jit_block *from, uint64_t rip, bool far_page)
{
    struct jit_link *l = &j->links[j->n_links++];
    *l = (struct jit_link){.from = from, .rip = rip, .far_page = far_page};
    return l;
}

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

void jit_unlink_far(struct jit *j)
{
    for (unsigned i = 0; i < j->n_links && j->n_far_links > 0; i++) {
        struct jit_link *l = &j->links[i], **p;
        if (!l->to || !l->far_page) {
            continue;
        }
        for (p = &l->to->in; *p != l; p = &(*p)->next) {
        }
        *p = l->next;
        unlinked(j, l);
    }
}

static struct jit_jump *jit_jump_slot(struct jit *j, uint64_t rip)
{
    return &j->jumps[((uint32_t)rip ^ (uint32_t)rip >> PAGE_BITS) & (JIT_JUMPS - 1)];
}

void jit_add_jump(struct jit *j, struct jit_block *jb)
{
    if (j->check) {
        return;
    }
    *jit_jump_slot(j, jb->rip) = (struct jit_jump){
        .rip = jb->rip, .key = j->e->translated.jump_key,
        .entry = codemem_rx(&j->code, jb->entry),
    };
}

void jit_drop_jump(struct jit *j, const struct jit_block *jb)
{
    jit_jump_slot(j, jb->rip)->key = 0;
}
