/*
 * Room for translations: code memory and the tables of blocks and links, in parts. When one is full
 * another begins (core/accel/interp/room.h), and what was in it goes.
 */
#include "core/accel/jit/jit.h"

#include "trace/core_accel_jit.h"

static uint8_t *part_start(const struct jit *j, unsigned part)
{
    size_t bytes = (size_t)(j->code.rw + j->code.bytes - j->first) / JIT_PARTS & ~(size_t)15;
    return j->first + part * bytes;
}

static void begin_part(struct jit *j, unsigned part)
{
    j->part = part;
    jit_forget_returns(j);
    j->parts[part] = (struct jit_part){.next = part_start(j, part)};
    j->room[part] = (struct room_part){.begun = ++j->fillings};
}

void jit_all_room(struct jit *j)
{
    memset(j->parts, 0, sizeof(j->parts));
    memset(j->room, 0, sizeof(j->room));
    begin_part(j, 0);
}

static struct jit_block *part_block(const struct jit *j, unsigned part, unsigned i)
{
    return &j->blocks[part * PART_BLOCKS + i];
}

static void evict(struct jit *j, unsigned part)
{
    const struct jit_part *p = &j->parts[part];
    trace_jit_forgotten(p->n_blocks, (unsigned)(p->next - part_start(j, part)));
    for (unsigned i = 0; i < p->n_blocks; i++) {
        jit_release(j, part_block(j, part, i));
    }
    for (unsigned i = 0; i < p->n_links; i++) {
        jit_unlink(j, &j->links[part * PART_LINKS + i]);
    }
    j->stats.evictions += p->n_blocks > 0;
}

struct jit_block *jit_new_blocks(struct jit *j, unsigned n)
{
    struct jit_part *p = &j->parts[j->part];
    uint8_t *end = part_start(j, j->part + 1);
    if (p->n_blocks + n > PART_BLOCKS || p->n_links + UNIT_LINKS > PART_LINKS ||
        end - p->next < UNIT_CODE) {
        unsigned part = room_next(j->room, JIT_PARTS, PART_CODE);
        evict(j, part);
        begin_part(j, part);
        p = &j->parts[part];
    }
    p->n_blocks += n;
    return part_block(j, j->part, p->n_blocks - n);
}

void jit_translation_ends(struct jit *j, struct jit_block *jb, uint8_t *end)
{
    jb->code_bytes = (uint32_t)(end - jb->entry);
    j->parts[j->part].next = (uint8_t *)align_up((uintptr_t)end, 16);
    j->room[j->part].live += jb->code_bytes;
}

void jit_translation_dies(struct jit *j, struct jit_block *jb)
{
    if (jb->head == jb && jb->block) {
        jit_parts_leave(jb);
        jb->block = NULL;
        j->room[(size_t)(jb - j->blocks) / PART_BLOCKS].live -= jb->code_bytes;
    }
}

struct jit_link *jit_new_link(struct jit *j, struct jit_block *from, uint64_t rip, bool far_page)
{
    struct jit_link *l = &j->links[j->part * PART_LINKS + j->parts[j->part].n_links++];
    *l = (struct jit_link){.from = from, .rip = rip, .far_page = far_page};
    return l;
}

struct jit_block *jit_next_block(const struct jit *j, const struct jit_block *after)
{
    size_t at = after ? (size_t)(after - j->blocks) + 1 : 0;
    for (size_t part = at / PART_BLOCKS; part < JIT_PARTS; part++, at = part * PART_BLOCKS) {
        if (at % PART_BLOCKS < j->parts[part].n_blocks) {
            return &j->blocks[at];
        }
    }
    return NULL;
}
