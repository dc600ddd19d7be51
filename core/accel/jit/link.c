/*
 * How translations lead to each other: direct exits by patched jumps, indirect ones by a table.
 */
#include "core/accel/jit/emit.h"
#include "core/accel/jit/jit.h"

/* Is what leads there good beyond loads of CR3? */
static bool is_global(const struct jit *j, const struct jit_block *jb)
{
    const struct block *b = jb->block;
    uint64_t lin = (j->contexts[jb->context].cs_base + jb->rip) & j->e->cpu.lin_mask;
    return b->bytes == b->bytes1 && moved_is_global(j->e, lin);
}

static void add_far(struct jit *j, struct jit_link *l)
{
    bool stays = !j->contexts[l->to->context].paged || is_global(j, l->to);
    struct jit_link **list = &j->far[stays ? LINK_GLOBAL : LINK_LOCAL];
    l->far_next = *list;
    l->far_place = list;
    if (l->far_next) {
        l->far_next->far_place = &l->far_next;
    }
    *list = l;
}

static bool is_tired(const struct jit_link *l)
{
    return l->look && l->moved >= LINK_TIRED;
}

void jit_link(struct jit *j, struct jit_link *l, struct jit_block *to)
{
    if (j->check || is_tired(l)) {
        return;
    }
    l->to = to;
    l->next = to->in;
    l->place = &to->in;
    if (l->next) {
        l->next->place = &l->next;
    }
    to->in = l;
    emit_link(l->at, to->entry);
    if (l->far_page) {
        add_far(j, l);
    }
    j->stats.links++;
}

void jit_unlink(struct jit *j, struct jit_link *l)
{
    if (!l->to) {
        return;
    }
    *l->place = l->next;
    if (l->next) {
        l->next->place = l->place;
    }
    if (l->far_page) {
        *l->far_place = l->far_next;
        if (l->far_next) {
            l->far_next->far_place = l->far_place;
        }
    }
    l->to = NULL;
    emit_link(l->at, is_tired(l) ? l->look : l->stub);
}

void jit_unlink_into(struct jit *j, struct jit_block *to)
{
    while (to->in) {
        jit_unlink(j, to->in);
    }
}

void jit_unlink_far(struct jit *j, bool all)
{
    for (unsigned kind = all ? LINK_GLOBAL : LINK_LOCAL; kind < LINK_KINDS; kind++) {
        for (struct jit_link *l; (l = j->far[kind]);) {
            l->moved += l->moved < LINK_TIRED ? all ? LINK_ALL_MOVED : LINK_SOME_MOVED : 0;
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
    *jit_jump_slot(j, jb->rip) = (struct jit_jump){
        .rip = jb->rip,
        .key = is_global(j, jb) ? j->e->translated.global_key : j->e->translated.jump_key,
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
