/*
 * The interpreter's block cache.
 *
 * Model:  every line that a block covers is marked in the arena, so that each store to it is told
 *         to us. Only blocks whose very bytes are hit go; when no block covers a line any more its
 *         mark goes too, and later stores cost nothing. Blocks come from one bump allocator; when
 *         a part of it is full the next one is filled, and the blocks that were there go.
 *         Until then a block whose bytes were hit waits in its bucket, with a copy of what it was
 *         made from: if the bytes come back, as those of overlays do, it is known again, and if
 *         only an instruction or two are new, as where code patches itself, those are decoded.
 *         Other threads store first and look at the mark then. So a block is made from a copy of
 *         its bytes, its lines are marked, all threads pass a barrier, and the copy is compared: a
 *         store that came too late to be in the copy is seen there, or finds the mark.
 */
#include "core/accel/interp/engine.h"
#include "core/accel/vcpu.h"

#include <sys/mman.h>

/* ---- lines ---- */

static unsigned line_hash(uint64_t line)
{
    return (line ^ line >> 13) & (LINE_HASH - 1);
}

/* Code that is near is near in the table, too: a table that grows cold costs page faults. */
static struct block **block_bucket(struct interp *e, uint64_t ram)
{
    return &e->hash[(ram >> 3 ^ ram >> 19) & (BLOCK_HASH - 1)];
}

static struct block_line **line_bucket(struct interp *e, uint64_t line)
{
    return &e->lines[line_hash(line)];
}

static bool covers(const struct block *b, uint64_t addr, uint64_t len)
{
    uint64_t second = b->bytes - b->bytes1;
    return (addr < b->ram + b->bytes1 && b->ram < addr + len) ||
           (second && addr < b->ram2 + second && b->ram2 < addr + len);
}

static uint64_t line_of(uint64_t ram)
{
    return ram >> RAM_LINE_SHIFT;
}

#define PART_BYTES (BLOCK_ARENA / BLOCK_PARTS)

static struct room_part *part_of(struct interp *e, const struct block *b)
{
    return &e->parts[((const uint8_t *)b - e->blocks) / PART_BYTES];
}

static void unlink_line(struct interp *e, const struct block_line *n)
{
    struct block_line **p = line_bucket(e, n->line);
    while (*p != n) {
        p = &(*p)->next;
    }
    *p = n->next;
}

/* The bytes that a block was made from. */
static uint8_t *code_of(const struct block *b)
{
    return (uint8_t *)(block_next(&b->insns[b->n - 1], true) + 1);
}

/* A block of @n instructions and @bytes with what is behind them, but for its lines. */
static size_t block_size(unsigned n, unsigned bytes)
{
    return align_up(sizeof(struct block) + (n + 1) * sizeof(struct insn) +
                        2 * sizeof(struct jump_entry) + bytes,
                    sizeof(struct block_line));
}

static unsigned line_count(const struct block *b)
{
    return (unsigned)(line_of(b->ram + b->bytes1 - 1) - line_of(b->ram)) + 1 +
           (b->bytes > b->bytes1);
}

static struct block_line *lines_of(struct block *b)
{
    return (struct block_line *)((uint8_t *)b + block_size(b->n, b->bytes));
}

/* What a block takes of the arena. */
static size_t space_of(const struct block *b)
{
    return block_size(b->n, b->bytes) + line_count(b) * sizeof(struct block_line);
}

static void begin_part(struct interp *e, unsigned part)
{
    e->blocks_used = part * (size_t)PART_BYTES;
    e->part_end[part] = 0;
    e->parts[part] = (struct room_part){.begun = ++e->fillings};
    if (e->fillings % BLOCK_PARTS == 0) {
        memset(e->heat, 0, sizeof(e->heat));
    }
}

static void unhash(struct interp *e, struct block *b)
{
    struct block **p = block_bucket(e, b->ram);
    while (*p != b) {
        p = &(*p)->hash_next;
    }
    *p = b->hash_next;
    b->hashed = false;
}

/* Of the blocks that wait in @b's bucket, which are no more than one too many, the oldest goes. */
static void let_wait(struct interp *e, struct block *b)
{
    struct block *oldest = NULL;
    unsigned n = 0;
    for (struct block *w = *block_bucket(e, b->ram); w; w = w->hash_next) {
        if (!w->linked) {
            oldest = w;
            n++;
        }
    }
    if (n > BLOCKS_KEPT) {
        unhash(e, oldest);
    }
}

static void unlink_block(struct interp *e, struct block *b)
{
    part_of(e, b)->live -= space_of(b);
    b->linked = false;
    for (unsigned i = 0; i < line_count(b); i++) {
        unlink_line(e, &lines_of(b)[i]);
    }
    let_wait(e, b);
    b->insns[0].run = run_stop;
    if (e->translator) {
        e->translator->dropped(e, b);
    }
    if (e->block == b && e->cpu.cur) {
        interp_stop_after_insn(&e->cpu);
    }
}

static bool has_lines_like(struct interp *e, uint64_t line)
{
    return __atomic_load_n(line_bucket(e, line), __ATOMIC_RELAXED) != NULL;
}

/* Engine @e has no block of the line any more. */
static void unmark(struct interp *e, uint64_t line)
{
    struct interp_shared *s = e->shared;
    bool wanted = false;
    lock_take(&s->lock);
    for (unsigned i = 0; i < s->n; i++) {
        wanted = wanted || (s->engines[i] != e && has_lines_like(s->engines[i], line));
    }
    if (!wanted) {
        __atomic_fetch_and(&e->cpu.arena->marks[line], (uint8_t)~RAM_MARK_CODE, __ATOMIC_SEQ_CST);
    }
    lock_drop(&s->lock);
}

/* Drops the line's blocks that a store to [addr, addr+len) hits. */
static void invalidate_line(struct interp *e, uint64_t line, uint64_t addr, uint64_t len)
{
    bool kept = false;
    struct block_line *next;
    for (struct block_line *n = *line_bucket(e, line); n; n = next) {
        next = n->next;
        if (n->line != line) {
            continue;
        }
        if (covers(n->block, addr, len)) {
            /* The list may lose other nodes of this block too: they are of other lines. */
            while (next && next->block == n->block) {
                next = next->next;
            }
            unlink_block(e, n->block);
            e->heat[line_hash(line)] += e->heat[line_hash(line)] < HOT;
        } else {
            kept = true;
        }
    }
    if (!kept) {
        unmark(e, line);
    }
}

void block_invalidate(struct interp *e, uint64_t addr, uint64_t len)
{
    if (len == 0) {
        return;
    }
    uint64_t last = line_of(addr + len - 1);
    for (uint64_t line = line_of(addr); line <= last; line++) {
        if (e->cpu.arena->marks[line] & RAM_MARK_CODE) {
            invalidate_line(e, line, addr, len);
        }
    }
}

void block_touched(void *opaque, uint64_t addr, uint64_t len)
{
    struct interp *e = opaque;
    if (pthread_equal(e->thread, pthread_self())) {
        block_invalidate(e, addr, len);
        return;
    }
    bool ours = false;
    for (uint64_t l = line_of(addr); l <= line_of(addr + len - 1) && !ours; l++) {
        ours = has_lines_like(e, l);
    }
    if (!ours) {
        return;
    }
    lock_take(&e->queue_lock);
    if (e->queued < INVALID_QUEUE) {
        e->queue[e->queued].addr = addr;
        e->queue[e->queued].len = len;
    }
    if (e->queued <= INVALID_QUEUE) {
        e->queued++;
    }
    lock_drop(&e->queue_lock);
    atomic_fetch_or(e->cpu.pending, PEND_CODE);
    if (e->translator) {
        e->translator->kick(e);
    }
}

void block_drain(struct interp *e)
{
    lock_take(&e->queue_lock);
    atomic_fetch_and(e->cpu.pending, ~(uint32_t)PEND_CODE);
    if (e->queued > INVALID_QUEUE) {
        block_flush_all(e);
    } else {
        for (unsigned i = 0; i < e->queued; i++) {
            block_invalidate(e, e->queue[i].addr, e->queue[i].len);
        }
    }
    e->queued = 0;
    lock_drop(&e->queue_lock);
}

/* ---- building ---- */

void block_flush_all(struct interp *e)
{
    memset(e->hash, 0, sizeof(e->hash));
    memset(e->lines, 0, sizeof(e->lines));
    memset(e->heat, 0, sizeof(e->heat));
    memset(e->part_end, 0, sizeof(e->part_end));
    memset(e->parts, 0, sizeof(e->parts));
    memset(&e->templates, 0, sizeof(e->templates));
    begin_part(e, 0);
    e->patched = NULL;
    if (e->translator) {
        e->translator->flushed(e);
    }
    moved_all(e);
}

#define REPAIR_PART 4 /* as much of a block may be new, and one more, that it is worth a repair */

#define BLOCK_MOST                                                                                 \
    (block_size(BLOCK_INSNS, BLOCK_INSNS * INSN_MAX_BYTES) +                                       \
     (BLOCK_INSNS * INSN_MAX_BYTES / RAM_LINE_BYTES + 4) * sizeof(struct block_line))

static void finish(struct block *b)
{
    struct insn *end = &b->insns[b->n];
    *end = (struct insn){.run = run_end, .offset = b->bytes, .index_in_block = b->n};
    *block_next(end - 1, false) = *block_next(end - 1, true) = (struct jump_entry){0};
    b->first = b->insns[0].run;
}

/* Decodes the next instruction of @b, of @n readable bytes. False if more bytes are needed. */
static bool decode_one(struct interp *e, struct block *b, const uint8_t *bytes, unsigned n,
                       bool *ends)
{
    struct insn *in = &b->insns[b->n];
    if (!interp_decode(e, in, bytes, n, ends)) {
        return false;
    }
    in->offset = b->bytes;
    in->index_in_block = b->n++;
    if (in->base == GPR_OFF_RIP) {
        in->disp += in->offset + in->len; /* gpr[17] is the block's address */
    }
    b->bytes += in->len;
    return true;
}

/* True if the line was not marked before. */
static bool mark(struct interp *e, uint64_t line)
{
    uint8_t *m = &e->cpu.arena->marks[line];
    bool fresh = !(__atomic_load_n(m, __ATOMIC_RELAXED) & RAM_MARK_CODE) &&
                 !(__atomic_fetch_or(m, RAM_MARK_CODE, __ATOMIC_SEQ_CST) & RAM_MARK_CODE);
    if (fresh) {
        ram_hold(e->cpu.arena, line << RAM_LINE_SHIFT, 1);
    }
    return fresh;
}

/* True if stores to the line may not have been told to this engine before. */
static bool link_line(struct interp *e, struct block *b, struct block_line *n, uint64_t line)
{
    struct block_line **bucket = line_bucket(e, line);
    bool fresh = *bucket == NULL;
    *n = (struct block_line){.line = line, .block = b, .next = *bucket};
    __atomic_store_n(bucket, n, __ATOMIC_RELEASE);
    return mark(e, line) || fresh;
}

/* Links and marks the lines of a block; true as link_line. */
static bool link_lines(struct interp *e, struct block *b)
{
    bool fresh = false;
    struct block_line *n = lines_of(b);
    lock_take(&e->shared->lock);
    for (uint64_t l = line_of(b->ram); l <= line_of(b->ram + b->bytes1 - 1); l++) {
        fresh |= link_line(e, b, n++, l);
    }
    if (b->bytes > b->bytes1) {
        fresh |= link_line(e, b, n, line_of(b->ram2));
    }
    lock_drop(&e->shared->lock);
    return fresh;
}

static bool unchanged(const struct interp *e, const struct block *b)
{
    const uint8_t *base = e->cpu.arena->base, *bytes = code_of(b);
    return memcmp(base + b->ram, bytes, b->bytes1) == 0 &&
           memcmp(base + b->ram2, bytes + b->bytes1, b->bytes - b->bytes1) == 0;
}

/* Stores that other threads began before are seen, and later ones find the marks. Translated code
 * looks at the mark before it stores, since the look costs it the flags: there the others must
 * leave it. */
static void let_stores_end(struct interp *e)
{
    if (e->translator) {
        e->cpu.host_ops->alone(e->cpu.host, true);
        e->cpu.host_ops->alone(e->cpu.host, false);
    } else {
        threads_barrier();
    }
}

/* Translated code of any engine must look at the marks of the page of ram address @ram from now
 * on. */
static void close_page(struct interp *e, uint64_t ram)
{
    if (!ram_is_open(e->cpu.arena, ram)) {
        return;
    }
    if (e->cpu.parallel) {
        e->cpu.host_ops->alone(e->cpu.host, true);
    }
    for (unsigned i = 0; i < e->shared->n; i++) {
        x86_tlb_close_page(&e->shared->engines[i]->cpu, ram);
    }
    ram_close_page(e->cpu.arena, ram);
    if (e->cpu.parallel) {
        e->cpu.host_ops->alone(e->cpu.host, false);
    }
}

/* Makes a block of the bucket known. False: memory has other bytes now. */
static bool link_block(struct interp *e, struct block *b)
{
    bool fresh = link_lines(e, b);
    b->linked = true;
    part_of(e, b)->live += space_of(b);
    close_page(e, b->ram);
    close_page(e, b->bytes > b->bytes1 ? b->ram2 : b->ram);
    if (fresh && e->cpu.parallel) {
        let_stores_end(e);
    }
    if (fresh && !unchanged(e, b)) {
        unlink_block(e, b);
        return false;
    }
    if (e->translator) {
        e->translator->added(e, b);
    }
    return true;
}

/* The block just built from @bytes, at blocks_used, gets its space. False as link_block. */
static bool add_block(struct interp *e, struct block *b, const uint8_t *bytes)
{
    struct block **head = block_bucket(e, b->ram);
    finish(b);
    memcpy(code_of(b), bytes, b->bytes);
    e->blocks_used += space_of(b);
    b->hash_next = *head;
    *head = b;
    b->hashed = true;
    return link_block(e, b);
}

/* Fetch translation of @lin: the ram address, or false if no memory answers there. */
static bool fetch_ram(struct interp *e, uint64_t lin, uint64_t *ram)
{
    struct x86_cpu *cpu = &e->cpu;
    const struct tlb_entry *t = x86_tlb_slot(cpu, lin);
    uint64_t page = lin & ~PAGE_OFFSET;
    if (t->xtag != page) {
        t = x86_translate(cpu, lin, ACC_FETCH, cpu->cpl == 3);
        if (t->xtag != page) {
            return false;
        }
    }
    *ram = (uint64_t)(lin + t->addend - (uintptr_t)cpu->arena->base);
    return true;
}

/* An instruction that is not cached: its bytes are fetched one by one, as many as it needs, each
 * checked against the code segment. */
static struct block *fetch_single(struct interp *e)
{
    struct x86_cpu *cpu = &e->cpu;
    struct block *b = &e->scratch.block;
    uint8_t bytes[INSN_MAX_BYTES + 1];
    bool ends;
    *b = (struct block){.mode = cpu->mode & MODE_DECODE};
    for (unsigned n = 0; n <= INSN_MAX_BYTES; n++) {
        uint64_t off = cpu->s.rip + n, ram;
        if (n > 0 && decode_one(e, b, bytes, n, &ends)) {
            break;
        }
        if (off > e->cs_last) {
            x86_fault(cpu, X86_GP, 0);
        }
        uint64_t lin = (cpu->s.seg[S_CS].base + off) & cpu->lin_mask;
        if (fetch_ram(e, lin, &ram)) {
            bytes[n] = cpu->arena->base[ram];
        } else {
            uint64_t phys = x86_tlb_slot(cpu, lin)->phys | (lin & PAGE_OFFSET);
            bytes[n] = (uint8_t)cpu->host_ops->read(cpu->host, cpu->space, phys, 1);
            interp_after_device(cpu);
        }
    }
    finish(b);
    return b;
}

/* One instruction with a part in the next page. NULL if it cannot be cached. */
static struct block *build_crossing(struct interp *e, struct block *b, uint64_t lin, unsigned room)
{
    uint8_t bytes[INSN_MAX_BYTES];
    bool ends;
    uint64_t next = (lin + room) & e->cpu.lin_mask;
    if (e->cpu.s.rip + room > e->cs_last || !fetch_ram(e, next, &b->ram2)) {
        return NULL;
    }
    memcpy(bytes, e->cpu.arena->base + b->ram, room);
    memcpy(bytes + room, e->cpu.arena->base + b->ram2, sizeof(bytes) - room);
    decode_one(e, b, bytes, sizeof(bytes), &ends);
    b->bytes1 = (uint16_t)min_u64(room, b->bytes);
    b->ends = ends;
    return add_block(e, b, bytes) ? b : NULL;
}

/* ---- making room ---- */

static void evict_part(struct interp *e, unsigned part)
{
    const uint8_t *start = e->blocks + part * PART_BYTES, *end = e->blocks + e->part_end[part];
    for (struct block *b = (struct block *)start; (const uint8_t *)b < end;) {
        size_t bytes = space_of(b);
        if (b->linked) {
            unlink_block(e, b);
        }
        if (b->hashed) {
            unhash(e, b);
        }
        b = (struct block *)((uint8_t *)b + bytes);
    }
    moved_blocks(e);
    if ((const uint8_t *)e->patched >= start && (const uint8_t *)e->patched < start + PART_BYTES) {
        e->patched = NULL;
    }
}

/* Room for any block. Nothing runs. */
static void make_room(struct interp *e)
{
    unsigned part = (unsigned)(e->blocks_used / PART_BYTES);
    if (e->blocks_used + BLOCK_MOST <= (part + 1) * (size_t)PART_BYTES) {
        return;
    }
    e->part_end[part] = e->blocks_used;
    part = room_next(e->parts, BLOCK_PARTS, PART_BYTES);
    evict_part(e, part);
    begin_part(e, part);
}

/* NULL if it cannot be cached, or not now. */
static struct block *build(struct interp *e, uint64_t lin, uint64_t ram)
{
    uint8_t bytes[BLOCK_INSNS * INSN_MAX_BYTES];
    make_room(e);
    struct block *b = (struct block *)(e->blocks + e->blocks_used);
    unsigned room = PAGE_BYTES - (unsigned)(lin & PAGE_OFFSET);
    unsigned most = e->heat[line_hash(line_of(ram))] < HOT ? BLOCK_INSNS : HOT_INSNS;
    unsigned there = (unsigned)min_u64(room, most * INSN_MAX_BYTES);
    bool ends = false;
    *b = (struct block){.ram = ram, .mode = e->cpu.mode & MODE_DECODE};
    memcpy(bytes, e->cpu.arena->base + ram, there);
    while (!ends && b->n < most && b->bytes < room) {
        if (unlikely(e->debug.stops != NULL) && b->n > 0 &&
            interp_debug_code(e, lin + b->bytes, true)) {
            break;
        }
        if (!decode_one(e, b, bytes + b->bytes, there - b->bytes, &ends)) {
            if (b->n == 0) {
                return build_crossing(e, b, lin, room);
            }
            break;
        }
    }
    b->bytes1 = b->bytes;
    b->ends = ends;
    return add_block(e, b, bytes) ? b : NULL;
}

/* ---- blocks that come back ---- */

/* Decodes instruction @i of @b anew, from the block's bytes @now. False if it cannot stand where
 * the old one did. */
static bool decode_again(struct interp *e, struct block *b, unsigned i, const uint8_t *now)
{
    uint8_t n = b->n, len = b->insns[i].len;
    uint16_t bytes = b->bytes, offset = b->insns[i].offset;
    bool ends = false;
    b->n = (uint8_t)i;
    b->bytes = offset;
    bool whole = decode_one(e, b, now + offset, len, &ends);
    b->n = n;
    b->bytes = bytes;
    b->ends = i == n - 1u ? ends : b->ends;
    return whole && b->insns[i].len == len && (!ends || i == n - 1u);
}

/* Which instructions of @b have other bytes in @now: a bit each. */
static uint64_t changed_insns(const struct block *b, const uint8_t *now)
{
    const uint8_t *then = code_of(b);
    uint64_t changed = 0;
    for (unsigned i = 0; i < b->n; i++) {
        const struct insn *in = &b->insns[i];
        changed |= (uint64_t)(memcmp(now + in->offset, then + in->offset, in->len) != 0) << i;
    }
    return changed;
}

/* Makes @b, which waits, what memory says now. False if too much of it is new. */
static bool repair(struct interp *e, struct block *b)
{
    uint8_t now[BLOCK_INSNS * INSN_MAX_BYTES];
    memcpy(now, e->cpu.arena->base + b->ram, b->bytes);
    uint64_t changed = changed_insns(b, now);
    if ((unsigned)__builtin_popcountll(changed) > 1u + b->n / REPAIR_PART) {
        return false;
    }
    for (uint64_t left = changed; left; left &= left - 1) {
        if (!decode_again(e, b, (unsigned)__builtin_ctzll(left), now)) {
            b->insns[0].run = run_stop;
            unhash(e, b);
            return false;
        }
    }
    memcpy(code_of(b), now, b->bytes);
    if (changed & 1) {
        b->first = b->insns[0].run;
    }
    return true;
}

/* A block that waits and is right again, or can be made so; NULL: there is none. */
static struct block *revive(struct interp *e, uint64_t ram)
{
    struct block *found = NULL;
    for (struct block *b = *block_bucket(e, ram); b; b = b->hash_next) {
        bool here = !b->linked && b->ram == ram && b->mode == (e->cpu.mode & MODE_DECODE) &&
                    b->bytes == b->bytes1;
        if (here && unchanged(e, b)) {
            found = b;
            break;
        }
        found = here && !found ? b : found;
    }
    if (!found || !repair(e, found)) {
        return NULL;
    }
    found->insns[0].run = found->first;
    found->warm = 0;
    found->faulted = found->checked = 0;
    return link_block(e, found) ? found : NULL;
}

/* ---- finding ---- */

static bool still_there(struct interp *e, const struct block *b, uint64_t lin)
{
    uint64_t ram2;
    return b->bytes == b->bytes1 ||
           (fetch_ram(e, (lin + b->bytes1) & e->cpu.lin_mask, &ram2) && ram2 == b->ram2);
}

unsigned block_code(struct interp *e, const struct block *b, uint8_t bytes[INSN_MAX_BYTES])
{
    struct x86_cpu *cpu = &e->cpu;
    unsigned len = (unsigned)min_u64(b->insns[0].len, INSN_MAX_BYTES);
    for (unsigned i = 0; i < len; i++) {
        uint64_t ram, lin = (cpu->s.seg[S_CS].base + cpu->s.rip + i) & cpu->lin_mask;
        if (!fetch_ram(e, lin, &ram)) {
            return 0;
        }
        bytes[i] = cpu->arena->base[ram];
    }
    return len;
}

static bool is_known(const struct interp *e, const struct block *b, uint64_t ram)
{
    return b->linked && b->ram == ram && b->mode == (e->cpu.mode & MODE_DECODE);
}

/* The block at linear address @lin, which is at ram address @ram; NULL: none is known. Faults if it
 * has a second page that is not there. */
static struct block *look_up(struct interp *e, uint64_t lin, uint64_t ram)
{
    struct block *b = *block_bucket(e, ram);
    while (b && !(is_known(e, b, ram) && still_there(e, b, lin))) {
        b = b->hash_next;
    }
    return b;
}

static void remember_jump(struct interp *e, struct block *b, uint64_t lin)
{
    uint64_t last = b->bytes > b->bytes1 ? (lin + b->bytes - 1) & e->cpu.lin_mask : lin;
    *jump_slot(e, lin) = (struct jump_entry){
        .lin = lin, .key = moved_key(e, lin, last) | e->cpu.mode, .block = b,
    };
}

struct block *block_find(struct interp *e)
{
    struct x86_cpu *cpu = &e->cpu;
    uint64_t rip = cpu->s.rip;
    uint64_t lin = (cpu->s.seg[S_CS].base + rip) & cpu->lin_mask, ram;
    uint64_t generation = e->generation, global_generation = e->global_generation;
    if (rip > e->cs_last) {
        x86_fault(cpu, X86_GP, 0);
    }
    if (!fetch_ram(e, lin, &ram)) {
        return fetch_single(e);
    }
    struct block *b = look_up(e, lin, ram);
    if (!b) {
        b = revive(e, ram);
    }
    if (!b) {
        b = build(e, lin, ram);
    }
    if (!b || rip + b->bytes - 1 > e->cs_last) {
        return fetch_single(e);
    }
    /* The memory map may have changed while others were let pass. */
    if (e->key != KEY_NEVER && generation == e->generation &&
        global_generation == e->global_generation &&
        !(unlikely(e->debug.stops != NULL) && interp_debug_code(e, lin, false))) {
        remember_jump(e, b, lin);
    }
    return b;
}

struct block *block_known(struct interp *e)
{
    struct x86_cpu *cpu = &e->cpu;
    uint64_t rip = cpu->s.rip, lin = (cpu->s.seg[S_CS].base + rip) & cpu->lin_mask;
    const struct tlb_entry *t = x86_tlb_slot(cpu, lin);
    if (rip > e->cs_last || t->xtag != (lin & ~PAGE_OFFSET) || e->key == KEY_NEVER ||
        e->debug.stops != NULL) {
        return NULL;
    }
    uint64_t ram = (uint64_t)(lin + t->addend - (uintptr_t)cpu->arena->base);
    struct block *b = *block_bucket(e, ram);
    while (b && !is_known(e, b, ram)) {
        b = b->hash_next;
    }
    if (!b || b->bytes != b->bytes1 || rip + b->bytes - 1 > e->cs_last) {
        return NULL; /* also where to look for a second page might fault */
    }
    remember_jump(e, b, lin);
    return b;
}

bool block_cache_init(struct interp *e)
{
    void *p = mmap(NULL, BLOCK_ARENA, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        return false;
    }
    e->blocks = p;
    begin_part(e, 0);
    e->generation = 1;
    e->global_generation = 2;
    moved_set_keys(e, false);
    return true;
}

void block_cache_fini(struct interp *e)
{
    if (e->blocks) {
        munmap(e->blocks, BLOCK_ARENA);
    }
}
