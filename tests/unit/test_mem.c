/* RAM, regions, views and accesses. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/bits.h"
#include "core/base/hash.h"
#include "core/mem/space.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An I/O region that logs what its handlers see and answers with the offset. */
struct probe {
    struct region region;
    struct region_ops ops;
    char log[400];
};

static void add_log(struct probe *p, const char *fmt, ...)
{
    size_t n = strlen(p->log);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->log + n, sizeof(p->log) - n, fmt, ap);
    va_end(ap);
}

static uint64_t probe_read(void *dev, uint64_t off, unsigned size)
{
    struct probe *p = dev;
    uint64_t val = 0;
    add_log(p, "r%u@%x ", size, (unsigned)off);
    for (unsigned i = 0; i < size; i++) {
        val |= ((off + i) & 0xff) << (8 * i);
    }
    return val | ~size_mask(size); /* garbage above the size must not get through */
}

static void probe_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    add_log(dev, "w%u@%x=%llx ", size, (unsigned)off, (unsigned long long)val);
}

static unsigned probe_read_block(void *dev, uint64_t off, void *buf, unsigned size, unsigned count)
{
    add_log(dev, "rb%u@%x*%u ", size, (unsigned)off, count);
    return count / 2;
}

static void probe_init(struct probe *p, const char *name, unsigned width, uint64_t bytes)
{
    memset(p, 0, sizeof(*p));
    p->ops = (struct region_ops){.read = probe_read, .write = probe_write, .width = width};
    region_io(&p->region, name, &p->ops, p, bytes);
}

static struct space mem;
static struct ram_arena arena;
static struct ram_block ram;
static struct region ram_map;

static int set_up(void **state)
{
    space_init(&mem, "memory", 1ull << 40);
    assert_true(ram_arena_init(&arena, 16 * MiB, NULL));
    assert_true(ram_block_at(&arena, &ram, "ram", 0, 4 * MiB, NULL));
    region_ram(&ram_map, "ram", &ram);
    region_map(&mem.root, &ram_map, 0, 0);
    return 0;
}

static int tear_down(void **state)
{
    space_fini(&mem);
    ram_arena_fini(&arena);
    return 0;
}

/* The committed view as text: "start-end:reads/writes ...", offsets only where not 0. */
static const char *view_text(void)
{
    static char text[1000];
    size_t n = 0;
    text[0] = '\0';
    space_commit(&mem);
    for (unsigned i = 0; i < mem.view->n; i++) {
        const struct view_range *r = &mem.view->ranges[i];
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%llx-%llx:%s", i != 0 ? " " : "",
                              (unsigned long long)r->start, (unsigned long long)r->end,
                              r->rd.region != NULL ? r->rd.region->name : "none");
        if (r->rd.off != 0) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "+%llx",
                                  (unsigned long long)r->rd.off);
        }
        if (r->wr.region != r->rd.region || r->wr.off != r->rd.off) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "/%s+%llx",
                                  r->wr.region != NULL ? r->wr.region->name : "none",
                                  (unsigned long long)r->wr.off);
        }
    }
    return text;
}

/* --- views ------------------------------------------------------------------------------------ */

static void the_higher_priority_wins_and_gaps_show_what_lies_beneath(void **state)
{
    struct region hole;
    struct probe a, b;
    region_container(&hole, "hole", 0x10000);
    probe_init(&a, "a", 4, 0x1000);
    probe_init(&b, "b", 4, 0x1000);
    region_map(&hole, &a.region, 0x2000, 0);
    region_map(&hole, &b.region, 0x2800, 1);
    region_map(&mem.root, &hole, 0xa0000, 1);
    assert_string_equal(view_text(),
                        "0-a2000:ram a2000-a2800:a a2800-a3800:b a3800-400000:ram+a3800");
}

static void at_equal_priority_the_later_mapped_region_wins(void **state)
{
    struct probe a, b;
    probe_init(&a, "a", 4, 0x1000);
    probe_init(&b, "b", 4, 0x1000);
    region_map(&mem.root, &a.region, 0x10000000, 2);
    region_map(&mem.root, &b.region, 0x10000800, 2);
    assert_string_equal(view_text(), "0-400000:ram 10000000-10000800:a 10000800-10001800:b");
    region_unmap(&a.region);
    region_map(&mem.root, &a.region, 0x10000000, 2);
    assert_string_equal(view_text(), "0-400000:ram 10000000-10001000:a 10001000-10001800:b+800");
}

static void children_are_cut_at_their_parents_end(void **state)
{
    struct region box;
    struct probe a;
    region_container(&box, "box", 0x1000);
    probe_init(&a, "a", 4, 0x2000);
    region_map(&box, &a.region, 0x800, 5);
    region_map(&mem.root, &box, 0x10000000, 0);
    assert_string_equal(view_text(), "0-400000:ram 10000800-10001000:a");
    region_move(&a.region, 0xfffffffffffff000); /* a BAR can be set to anything */
    assert_string_equal(view_text(), "0-400000:ram");
}

static void an_alias_shows_a_part_of_a_container_too(void **state)
{
    struct region pci, window;
    struct probe a;
    region_container(&pci, "pci", 1ull << 32);
    probe_init(&a, "a", 4, 0x1000);
    region_map(&pci, &a.region, 0xfee00000, 0);
    region_alias(&window, "window", &pci, 0xfee00800, 0x10000);
    region_map(&mem.root, &window, 0x20000000, 0);
    assert_string_equal(view_text(), "0-400000:ram 20000000-20000800:a+800");
    region_move(&a.region, 0xfee01000); /* a change inside the target is seen */
    assert_true(mem.dirty);
    assert_string_equal(view_text(), "0-400000:ram 20000800-20001800:a");
}

static void a_space_that_aliases_another_root_follows_it(void **state)
{
    struct space smm;
    struct region all;
    struct probe a;
    space_init(&smm, "smm", 1ull << 40);
    region_alias(&all, "all", &mem.root, 0, mem.root.bytes);
    region_map(&smm.root, &all, 0, 0);
    space_commit(&smm);
    assert_int_equal(space_read(&smm, 0x1000, 4), 0);
    probe_init(&a, "a", 4, 4);
    region_map(&mem.root, &a.region, 0x1000, 1);
    assert_true(smm.dirty);
    space_commit(&smm);
    assert_int_equal(space_read(&smm, 0x1000, 4), 0x03020100);
    space_fini(&smm);
}

static void a_route_sends_reads_and_writes_to_different_regions(void **state)
{
    struct region pci, rom_map, pam;
    struct ram_block rom;
    assert_true(ram_block_new(&arena, &rom, "rom", 0x10000, NULL));
    region_container(&pci, "pci", 1ull << 32);
    region_rom(&rom_map, "rom", &rom);
    region_map(&pci, &rom_map, 0xf0000, 0);
    region_route(&pam, "pam", &pci, &pci, 0xf0000, 0x10000);
    region_map(&mem.root, &pam, 0xf0000, 1);
    assert_string_equal(view_text(), "0-f0000:ram f0000-100000:rom 100000-400000:ram+100000");

    /* The four states of a PAM field */
    region_set_route(&pam, &pci, &ram_map);
    assert_string_equal(view_text(),
                        "0-f0000:ram f0000-100000:rom/ram+f0000 100000-400000:ram+100000");
    memset(ram_host(&rom), 0x5a, 0x10000);
    space_write(&mem, 0xf0000, 0x11223344, 4);
    assert_int_equal(space_read(&mem, 0xf0000, 4), 0x5a5a5a5a);
    region_set_route(&pam, &ram_map, &pci);
    space_commit(&mem);
    assert_int_equal(space_read(&mem, 0xf0000, 4), 0x11223344);
    space_write(&mem, 0xf0000, 0, 4);
    assert_int_equal(space_read(&mem, 0xf0000, 4), 0x11223344);
    region_set_route(&pam, &ram_map, &ram_map);
    assert_string_equal(view_text(), "0-400000:ram");
}

static void a_route_hides_what_lies_beneath_where_its_target_has_nothing(void **state)
{
    struct region pci, pam;
    region_container(&pci, "pci", 1ull << 32);
    region_route(&pam, "pam", &pci, NULL, 0xc0000, 0x4000);
    region_map(&mem.root, &pam, 0xc0000, 1);
    assert_string_equal(view_text(), "0-c0000:ram c4000-400000:ram+c4000");
    assert_int_equal(space_read(&mem, 0xc3fff, 4), 0x000000ff);
    region_set_route(&pam, NULL, &ram_map);
    assert_string_equal(view_text(),
                        "0-c0000:ram c0000-c4000:none/ram+c0000 c4000-400000:ram+c4000");
}

static void a_disabled_region_is_as_if_unmapped(void **state)
{
    struct probe a;
    probe_init(&a, "a", 4, 0x1000);
    region_map(&mem.root, &a.region, 0x1000, 1);
    region_enable(&a.region, false);
    assert_string_equal(view_text(), "0-400000:ram");
    region_enable(&a.region, true);
    assert_string_equal(view_text(), "0-1000:ram 1000-2000:a 2000-400000:ram+2000");
    region_resize(&a.region, 0x800);
    assert_string_equal(view_text(), "0-1000:ram 1000-1800:a 1800-400000:ram+1800");
}

static void parts_that_continue_each_other_are_one_range(void **state)
{
    struct region box, part[4];
    region_container(&box, "box", MiB);
    for (unsigned i = 0; i < 4; i++) {
        region_alias(&part[i], "part", &ram_map, 0x40000 * i, 0x40000);
        region_map(&box, &part[i], 0x40000 * i, 0);
    }
    region_map(&mem.root, &box, 0x10000000, 0);
    assert_string_equal(view_text(), "0-400000:ram 10000000-10100000:ram");
}

static void an_alias_of_itself_ends(void **state)
{
    struct region box, loop_alias;
    region_container(&box, "box", MiB);
    region_alias(&loop_alias, "loop", &box, 0, MiB);
    region_map(&box, &loop_alias, 0, 0);
    region_map(&mem.root, &box, 0x10000000, 0);
    assert_string_equal(view_text(), "0-400000:ram");
}

static unsigned changes;

static void on_changed(void *opaque, struct space *s, const struct view *old,
                       const struct view *now)
{
    assert_int_equal(now->generation, old->generation + 1);
    assert_ptr_equal(s->view, now);
    changes++;
}

static void a_commit_without_effect_keeps_the_view(void **state)
{
    struct probe a;
    probe_init(&a, "a", 4, 0x1000);
    space_commit(&mem);
    changes = 0;
    mem.changed = on_changed;
    const struct view *before = mem.view;
    space_commit(&mem);
    region_map(&mem.root, &a.region, 0x1000, 1);
    region_unmap(&a.region);
    assert_true(mem.dirty);
    space_commit(&mem);
    assert_ptr_equal(mem.view, before);
    assert_int_equal(changes, 0);
    region_map(&mem.root, &a.region, 0x1000, 1);
    space_commit(&mem);
    assert_int_equal(changes, 1);
}

/* --- against a plain model -------------------------------------------------------------------- */

#define SMALL 256

/* Who answers at each address, painted lowest priority first: the other way round than view.c. */
static void model_paint(const struct region *r, int64_t base, int64_t lo, int64_t hi, bool writes,
                        const struct region **who, int64_t *off, unsigned depth)
{
    int64_t end = base + (int64_t)r->bytes;
    lo = lo > base ? lo : base;
    hi = hi < end ? hi : end;
    if (depth > 30 || (depth != 0 && !r->enabled)) {
        return;
    }
    if (r->kind == REGION_ROUTE || r->kind == REGION_ALIAS) {
        const struct region *t = r->kind == REGION_ROUTE && writes ? r->wtarget : r->target;
        for (int64_t a = lo; a < hi && r->kind == REGION_ROUTE; a++) {
            who[a] = NULL;
        }
        if (t != NULL) {
            model_paint(t, base - (int64_t)r->target_off, lo, hi, writes, who, off, depth + 1);
        }
        return;
    }
    if (r->kind != REGION_CONTAINER) {
        for (int64_t a = lo; a < hi; a++) {
            who[a] = r;
            off[a] = a - base;
        }
        return;
    }
    const struct region *list[64];
    unsigned n = 0;
    for (const struct region *c = r->children; c != NULL; c = c->next) {
        list[n++] = c;
    }
    while (n-- > 0) {
        model_paint(list[n], base + (int64_t)list[n]->addr, lo, hi, writes, who, off, depth + 1);
    }
}

static void check_against_model(struct space *s)
{
    const struct region *who[2][SMALL] = {{NULL}};
    int64_t off[2][SMALL];
    model_paint(&s->root, 0, 0, SMALL, false, who[0], off[0], 0);
    model_paint(&s->root, 0, 0, SMALL, true, who[1], off[1], 0);
    for (int64_t a = 0; a < SMALL; a++) {
        const struct view_range *r = view_find(s->view, (uint64_t)a);
        const struct view_target none = {0}, *rd = r != NULL ? &r->rd : &none;
        const struct view_target *wr = r != NULL ? &r->wr : &none;
        assert_ptr_equal(rd->region, who[0][a]);
        assert_ptr_equal(wr->region, who[1][a]);
        assert_true(who[0][a] == NULL || (int64_t)rd->off + a - (int64_t)r->start == off[0][a]);
        assert_true(who[1][a] == NULL || (int64_t)wr->off + a - (int64_t)r->start == off[1][a]);
    }
    for (unsigned i = 1; i < s->view->n; i++) {
        assert_true(s->view->ranges[i - 1].end <= s->view->ranges[i].start);
    }
}

#define BOXES  4
#define LEAVES 10
#define ALL    24

/* Regions 0 and 1 are boxes that nobody aliases; 2 and 3 are boxes of leaves; 4 to 9 are leaves;
 * the rest show something before them. So there are no cycles. */
static void random_region(struct region *r, unsigned i)
{
    static const struct region_ops ops = {.width = 1};
    uint64_t bytes = 1 + (uint64_t)rand() % 120, off = (uint64_t)rand() % 40;
    if (i < BOXES) {
        region_container(&r[i], "box", bytes);
    } else if (i < LEAVES || rand() % 3 == 0) {
        region_io(&r[i], "io", &ops, NULL, bytes);
    } else if (rand() % 2) {
        region_alias(&r[i], "alias", &r[2 + (unsigned)rand() % (i - 2)], off, bytes);
    } else {
        region_route(&r[i], "route", &r[2 + (unsigned)rand() % (i - 2)],
                     rand() % 8 != 0 ? &r[2 + (unsigned)rand() % (i - 2)] : NULL, off, bytes);
    }
}

static void random_change(struct space *s, struct region *r, unsigned i)
{
    unsigned parent = i < BOXES ? 0 : i < LEAVES ? 2 : 0;
    if (r[i].mapped && rand() % 3 == 0) {
        region_unmap(&r[i]);
    } else if (r[i].mapped) {
        region_move(&r[i], (uint64_t)rand() % 200);
        region_enable(&r[i], rand() % 4 != 0);
    } else {
        bool in_root = i < 2 || rand() % 2;
        region_map(in_root ? &s->root : &r[parent + (unsigned)rand() % 2], &r[i],
                   (uint64_t)rand() % 200, rand() % 4);
    }
}

static void random_trees_look_as_painted_byte_by_byte(void **state)
{
    srand(2);
    for (unsigned round = 0; round < 300; round++) {
        struct space s;
        struct region r[ALL];
        space_init(&s, "small", SMALL);
        for (unsigned i = 0; i < ALL; i++) {
            random_region(r, i);
            random_change(&s, r, i);
        }
        for (unsigned i = 0; i < 20; i++) {
            random_change(&s, r, (unsigned)rand() % ALL);
            space_commit(&s); /* does nothing if a change was not noticed */
            check_against_model(&s);
        }
        space_fini(&s);
    }
}

/* --- accesses --------------------------------------------------------------------------------- */

static void wide_accesses_are_split_into_aligned_parts_low_address_first(void **state)
{
    struct probe a;
    probe_init(&a, "a", 2, 0x100);
    region_map(&mem.root, &a.region, 0x10000000, 0);
    space_commit(&mem);
    assert_int_equal(space_read(&mem, 0x10000000, 4), 0x03020100);
    assert_string_equal(a.log, "r2@0 r2@2 ");
    a.log[0] = '\0';
    space_write(&mem, 0x10000001, 0x44332211, 4);
    assert_string_equal(a.log, "w1@1=11 w2@2=3322 w1@4=44 ");
    a.log[0] = '\0';
    assert_int_equal(space_read(&mem, 0x10000001, 2), 0x0201); /* not wider: as it is */
    assert_string_equal(a.log, "r2@1 ");
}

static void an_access_across_a_border_is_cut_there(void **state)
{
    struct probe a, b;
    probe_init(&a, "a", 4, 3);
    probe_init(&b, "b", 4, 8);
    region_map(&mem.root, &a.region, 0x10000000, 0);
    region_map(&mem.root, &b.region, 0x10000003, 0);
    space_commit(&mem);
    assert_int_equal(space_read(&mem, 0x10000000, 4), 0x00020100);
    assert_string_equal(a.log, "r2@0 r1@2 ");
    assert_string_equal(b.log, "r1@0 ");
    assert_int_equal(space_read(&mem, 0x1000000a, 4), 0xffffff07); /* beyond: ones */
    assert_int_equal(space_read(&mem, 0x0fffffff, 2), 0x00ff);
}

static void what_nobody_claims_reads_as_ones_and_drops_writes(void **state)
{
    assert_int_equal(space_read(&mem, 0x80000000, 1), 0xff);
    assert_int_equal(space_read(&mem, 0x80000000, 8), UINT64_MAX);
    space_write(&mem, 0x80000000, 0, 8);
    assert_int_equal(space_read(&mem, UINT64_MAX, 1), 0xff);
}

static void rom_drops_writes_unless_it_has_a_handler(void **state)
{
    struct ram_block rom;
    struct region map;
    struct probe flash;
    assert_true(ram_block_new(&arena, &rom, "rom", 0x1000, NULL));
    region_rom(&map, "rom", &rom);
    region_map(&mem.root, &map, 0x10000000, 0);
    space_commit(&mem);
    ram_host(&rom)[4] = 0x77;
    space_write(&mem, 0x10000004, 0, 1);
    assert_int_equal(space_read(&mem, 0x10000004, 1), 0x77);
    probe_init(&flash, "flash", 1, 0x1000);
    map.ops = &flash.ops;
    map.dev = &flash;
    space_write(&mem, 0x10000004, 0x1234, 2);
    assert_string_equal(flash.log, "w1@4=34 w1@5=12 ");
    assert_int_equal(space_read(&mem, 0x10000004, 1), 0x77);
}

static void ports_are_found_through_the_index(void **state)
{
    struct space ports;
    struct probe a, b;
    space_init(&ports, "ports", 64 * KiB);
    probe_init(&a, "a", 1, 8);
    probe_init(&b, "b", 4, 1);
    region_map(&ports.root, &a.region, 0x3f8, 0);
    region_map(&ports.root, &b.region, 0xffff, 0);
    assert_int_equal(space_read(&ports, 0x3f8, 1), 0xff); /* not committed yet */
    space_commit(&ports);
    assert_int_equal(space_read(&ports, 0x3fd, 1), 5);
    assert_int_equal(space_read(&ports, 0x3f7, 2), 0x00ff);
    assert_int_equal(space_read(&ports, 0xffff, 4), 0xffffff00); /* no wrap to port 0 */
    region_unmap(&a.region);
    space_commit(&ports);
    assert_int_equal(space_read(&ports, 0x3fd, 1), 0xff);
    space_fini(&ports);
}

static void block_transfers_reach_handlers_that_take_them(void **state)
{
    struct space ports;
    struct probe a;
    uint8_t buf[64];
    space_init(&ports, "ports", 64 * KiB);
    probe_init(&a, "a", 2, 2);
    region_map(&ports.root, &a.region, 0x1f0, 0);
    space_commit(&ports);
    assert_int_equal(space_read_block(&ports, 0x1f0, buf, 2, 10), 0);
    a.ops.read_block = probe_read_block;
    assert_int_equal(space_read_block(&ports, 0x1f0, buf, 2, 10), 5);
    assert_string_equal(a.log, "rb2@0*10 ");
    assert_int_equal(space_read_block(&ports, 0x1f0, buf, 4, 10), 0); /* too wide */
    assert_int_equal(space_read_block(&ports, 0x1f1, buf, 2, 10), 0); /* crosses its end */
    assert_int_equal(space_read_block(&ports, 0x100, buf, 2, 10), 0);
    assert_int_equal(space_write_block(&ports, 0x1f0, buf, 2, 10), 0);
    space_fini(&ports);
}

static void dma_crosses_memory_devices_and_gaps(void **state)
{
    struct probe a;
    uint8_t buf[32];
    probe_init(&a, "a", 4, 8);
    region_map(&mem.root, &a.region, 4 * MiB, 0);
    space_commit(&mem);
    memset(ram_host(&ram) + 4 * MiB - 4, 0x11, 4);
    assert_int_equal(space_read_bytes(&mem, 4 * MiB - 4, buf, 16), 12);
    assert_memory_equal(buf, "\x11\x11\x11\x11\0\1\2\3\4\5\6\7\xff\xff\xff\xff", 16);
    assert_string_equal(a.log, "r4@0 r4@4 ");
    a.log[0] = '\0';
    assert_int_equal(space_write_bytes(&mem, 4 * MiB - 1, "abcdefghijk", 11), 9);
    assert_int_equal(ram_host(&ram)[4 * MiB - 1], 'a');
    assert_string_equal(a.log, "w4@0=65646362 w4@4=69686766 ");
    assert_int_equal(space_read_bytes(&mem, 0x80000000, buf, sizeof(buf)), 0);
    assert_int_equal(buf[31], 0xff);
    assert_int_equal(space_read_bytes(&mem, 0, buf, 0), 0);
}

/* --- marks ------------------------------------------------------------------------------------ */

static char touches[200];

static void on_touched(void *opaque, uint64_t addr, uint64_t len)
{
    size_t n = strlen(touches);
    snprintf(touches + n, sizeof(touches) - n, "%llx+%llx ", (unsigned long long)addr,
             (unsigned long long)len);
}

static void stores_to_marked_lines_are_told(void **state)
{
    static const struct ram_listener listener = {.touched = on_touched};
    uint8_t buf[256] = {0};
    touches[0] = '\0';
    ram_add_listener(&arena, &listener);
    space_commit(&mem);
    arena.marks[0x1040 >> RAM_LINE_SHIFT] = RAM_MARK_CODE;
    space_write(&mem, 0x103c, 0, 4);
    space_write(&mem, 0x1080, 0, 1);
    assert_string_equal(touches, "");
    space_write(&mem, 0x103d, 0, 4); /* its last byte lies in the marked line */
    space_write(&mem, 0x107f, 0, 1);
    space_write_bytes(&mem, 0x1000, buf, sizeof(buf));
    space_write_bytes(&mem, 0x1080, buf, sizeof(buf));
    assert_string_equal(touches, "103d+4 107f+1 1000+100 ");
}

static void blocks_lie_behind_each_other_on_pages(void **state)
{
    struct ram_block a, b;
    struct error *err = NULL;
    assert_true(ram_block_new(&arena, &a, "a", 100, NULL));
    assert_true(ram_block_new(&arena, &b, "b", 0x2000, NULL));
    assert_int_equal(a.addr, 4 * MiB);
    assert_int_equal(b.addr, 4 * MiB + 0x1000);
    assert_int_equal(ram_host(&b)[0x1fff], 0);
    assert_false(ram_block_new(&arena, &a, "vram", 16 * MiB, &err));
    assert_string_equal(error_text(err), "vram: no room for 16777216 bytes of memory");
    error_free(err);
}

static void a_host_without_so_much_address_space_is_reported(void **state)
{
    struct ram_arena big;
    struct error *err = NULL;
    assert_false(ram_arena_init(&big, 1ull << 60, &err));
    assert_non_null(strstr(error_text(err), "address space"));
    error_free(err);
    ram_arena_fini(&big);
}

static void the_ram_hash_sees_every_byte_but_not_whether_zeros_were_touched(void **state)
{
    uint64_t before = ram_hash(&arena, 1);
    volatile uint8_t *p = ram_host(&ram);
    p[0x5000] = 0; /* touched, still zero */
    assert_int_equal(ram_hash(&arena, 1), before);
    p[0x5001] = 1;
    uint64_t one = ram_hash(&arena, 1);
    assert_int_not_equal(one, before);
    p[0x5001] = 0;
    p[0x6001] = 1; /* the same page contents elsewhere */
    assert_int_not_equal(ram_hash(&arena, 1), one);
    p[0x6001] = 0;
    assert_int_equal(ram_hash(&arena, 1), before);
    assert_int_not_equal(ram_hash(&arena, 2), before);
}

static void the_hash_is_fixed_and_sees_every_bit_and_the_length(void **state)
{
    uint8_t data[100], zeros[100] = {0};
    for (unsigned i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7 + 1);
    }
    assert_int_equal(hash_bytes(5, data, 0), 5);
    uint64_t whole = hash_bytes(0, data, sizeof(data));
    assert_int_equal(whole, 0x2fea5730eb39a81dull);
    for (unsigned bit = 0; bit < 8 * sizeof(data); bit++) {
        data[bit / 8] ^= (uint8_t)BIT(bit % 8);
        assert_int_not_equal(hash_bytes(0, data, sizeof(data)), whole);
        data[bit / 8] ^= (uint8_t)BIT(bit % 8);
    }
    for (unsigned n = 1; n < sizeof(zeros); n++) {
        assert_int_not_equal(hash_bytes(0, zeros, n), hash_bytes(0, zeros, n + 1));
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_higher_priority_wins_and_gaps_show_what_lies_beneath),
        TEST(at_equal_priority_the_later_mapped_region_wins),
        TEST(children_are_cut_at_their_parents_end),
        TEST(an_alias_shows_a_part_of_a_container_too),
        TEST(a_space_that_aliases_another_root_follows_it),
        TEST(a_route_sends_reads_and_writes_to_different_regions),
        TEST(a_route_hides_what_lies_beneath_where_its_target_has_nothing),
        TEST(a_disabled_region_is_as_if_unmapped),
        TEST(parts_that_continue_each_other_are_one_range),
        TEST(an_alias_of_itself_ends),
        TEST(a_commit_without_effect_keeps_the_view),
        TEST(random_trees_look_as_painted_byte_by_byte),
        TEST(wide_accesses_are_split_into_aligned_parts_low_address_first),
        TEST(an_access_across_a_border_is_cut_there),
        TEST(what_nobody_claims_reads_as_ones_and_drops_writes),
        TEST(rom_drops_writes_unless_it_has_a_handler),
        TEST(ports_are_found_through_the_index),
        TEST(block_transfers_reach_handlers_that_take_them),
        TEST(dma_crosses_memory_devices_and_gaps),
        TEST(stores_to_marked_lines_are_told),
        TEST(blocks_lie_behind_each_other_on_pages),
        TEST(a_host_without_so_much_address_space_is_reported),
        TEST(the_ram_hash_sees_every_byte_but_not_whether_zeros_were_touched),
        TEST(the_hash_is_fixed_and_sees_every_bit_and_the_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
