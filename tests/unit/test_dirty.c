/* core/mem/dirty: who wrote to a block, with and without an accelerator's log; the VGA, which
 * asks. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vga_bench.h"

#include "core/cpu/cpuid.h"
#include "core/mem/dirty.h"
#include "unit/kvm_fake.h"

#define VRAM_AT 0x80000000ull

/* ---- a machine with one block that somebody asks for ----------------------------------------- */

struct rig {
    struct machine m;
    struct ram_block block;
    struct ram_dirty dirty;
    struct region map;
    struct vcpu cpu;
};

static void rig_init(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    assert_true(machine_init(&r->m, CLOCK_HOST_DRIVEN, 0, NULL));
    assert_true(machine_ram_init(&r->m, 2 * MiB, MACHINE_LOW_MAX, NULL));
    machine_map_ram(&r->m);
    assert_true(ram_block_new(&r->m.arena, &r->block, "video", MiB, NULL));
    ram_dirty_init(&r->dirty, &r->block);
    region_ram(&r->map, "video", &r->block);
    region_map(&r->m.mem.root, &r->map, VRAM_AT, 0);
    machine_commit(&r->m);
}

static void rig_fini(struct rig *r)
{
    ram_dirty_fini(&r->dirty);
    machine_fini(&r->m);
}

static void rig_kvm(struct rig *r)
{
    fake_reset();
    assert_true(fake_start(&r->m, &r->cpu));
}

static void rig_kvm_fini(struct rig *r)
{
    fake_stop(&r->m, &r->cpu);
}

static bool written(struct rig *r, uint64_t off, uint64_t len)
{
    return ram_dirty_take(&r->dirty, off, len);
}

/* The slot that the fake kernel has at @addr. */
static unsigned slot_at(uint64_t addr)
{
    for (unsigned i = 0; i < ARRAY_SIZE(fake.slots); i++) {
        if (fake.slots[i].memory_size != 0 && fake.slots[i].guest_phys_addr == addr) {
            return i;
        }
    }
    fail_msg("no slot at %llx", (unsigned long long)addr);
    return 0;
}

/* ---- without a log --------------------------------------------------------------------------- */

static void without_a_log_memory_is_compared(void **state)
{
    struct rig r;
    rig_init(&r);
    assert_true(written(&r, 0, MiB)); /* nobody has looked yet */
    assert_false(written(&r, 0, MiB));
    ram_host(&r.block)[0x5003] = 1;   /* by a vCPU, which tells nobody */
    assert_false(written(&r, 0, 0x5000));
    assert_false(written(&r, 0x6000, MiB));
    assert_true(written(&r, 0, MiB));
    assert_false(written(&r, 0, MiB));
    space_write(&r.m.mem, VRAM_AT + MiB - 1, 7, 1);
    assert_true(written(&r, MiB - 1, 100));
    assert_false(written(&r, MiB, 100));
    rig_fini(&r);
}

/* ---- with KVM's ------------------------------------------------------------------------------ */

static void only_the_slot_that_somebody_asks_for_is_logged(void **state)
{
    struct rig r;
    rig_init(&r);
    rig_kvm(&r);
    assert_int_equal(fake.slots[slot_at(VRAM_AT)].flags, KVM_MEM_LOG_DIRTY_PAGES);
    assert_int_equal(fake.slots[slot_at(0)].flags, 0);
    rig_kvm_fini(&r);
    rig_fini(&r);
}

static void pages_of_the_log_are_told_once(void **state)
{
    struct rig r;
    rig_init(&r);
    rig_kvm(&r);
    assert_true(written(&r, 0, MiB));
    assert_false(written(&r, 0, MiB));
    fake.dirty[slot_at(VRAM_AT)][1] = 1; /* page 64 */
    fake.dirty[slot_at(VRAM_AT)][3] = 1ull << 63;
    assert_false(written(&r, 0, 64 * 4096));
    assert_true(written(&r, 64 * 4096 + 100, 1));
    assert_false(written(&r, 64 * 4096, MiB - 65 * 4096));
    assert_true(written(&r, MiB - 1, 1));
    assert_false(written(&r, 0, MiB));
    rig_kvm_fini(&r);
    rig_fini(&r);
}

static void what_devices_write_is_not_in_the_log_but_told(void **state)
{
    struct rig r;
    rig_init(&r);
    rig_kvm(&r);
    written(&r, 0, MiB);
    for (unsigned i = 0; i < 3; i++) {
        space_write_bytes(&r.m.mem, VRAM_AT + 0x2ffe, "12345678", 8);
        assert_false(written(&r, 0, 0x2000));
        assert_true(written(&r, 0x2000, 0x1000));
        assert_true(written(&r, 0x3000, 0x1000));
        assert_false(written(&r, 0, MiB));
    }
    space_write(&r.m.mem, 0x1000, 1, 1);
    assert_false(written(&r, 0, MiB));
    rig_kvm_fini(&r);
    rig_fini(&r);
}

static void devices_may_go_before_the_virtual_machine(void **state)
{
    struct rig r;
    rig_init(&r);
    rig_kvm(&r);
    kvm_vcpu_fini(&r.cpu);
    ram_dirty_fini(&r.dirty);
    struct ram_block block = r.block;
    memset(&r.block, 0xff, sizeof(r.block));
    kvm_vm_fini(&r.m);
    r.block = block;
    machine_fini(&r.m);
}

static void a_slot_that_goes_or_whose_log_fails_counts_as_written(void **state)
{
    struct rig r;
    rig_init(&r);
    rig_kvm(&r);
    written(&r, 0, MiB);
    region_move(&r.map, VRAM_AT + 16 * MiB);
    machine_commit(&r.m);
    kvm_slots_follow(&r.m, r.m.mem.view);
    assert_true(written(&r, 0x7000, 1));
    written(&r, 0, MiB);
    fake.fail_at = fake.calls + 1;
    fake.fail_errno = ENOENT;
    assert_true(written(&r, 0, MiB));
    assert_int_equal(fake.failed, KVM_GET_DIRTY_LOG);
    assert_false(written(&r, 0, MiB));
    rig_kvm_fini(&r);
    assert_true(written(&r, 0, MiB)); /* another accelerator goes on: nobody knows */
    assert_false(written(&r, 0, MiB));
    ram_host(&r.block)[5] = 1;
    assert_true(written(&r, 0, MiB));
    rig_fini(&r);
}

/* ---- the VGA --------------------------------------------------------------------------------- */

static void a_vga_picture_changes_with_what_is_visible(void **state)
{
    struct vga_bench *t = *state;
    struct vga *v = &t->card.vga;
    vbe_mode(t, 640, 480, 32, 0);
    bench_out8(&t->b, 0x3c0, 0x20);
    assert_true(vga_changed(v));
    assert_false(vga_changed(v));
    v->vram[640 * 480 * 4 - 1] = 1;
    assert_true(vga_changed(v));
    assert_false(vga_changed(v));
    v->vram[640 * 480 * 4 + 4096] = 1;
    assert_false(vga_changed(v));
    set_vbe(t, VBE_Y_OFFSET, 2);
    assert_true(vga_changed(v));
    assert_false(vga_changed(v));
    bench_out8(&t->b, 0x3c8, 5); /* a colour */
    bench_out8(&t->b, 0x3c9, 63);
    bench_out8(&t->b, 0x3c9, 63);
    bench_out8(&t->b, 0x3c9, 63);
    assert_true(vga_changed(v));
    assert_false(vga_changed(v));
}

static void a_text_picture_changes_with_cells_font_and_cursor(void **state)
{
    struct vga_bench *t = *state;
    struct vga *v = &t->card.vga;
    set_mode_3(t);
    vga_changed(v);
    assert_false(vga_changed(v));
    put_cell(t, 3, 'x', 7);
    assert_true(vga_changed(v));
    v->vram['x' * 32 * 4 + 2] ^= 1; /* plane 2 */
    assert_true(vga_changed(v));
    assert_false(vga_changed(v));
    bench_advance(&t->b, NS_PER_SEC * 16 / 70 + 1);
    assert_true(vga_changed(v));
    assert_false(vga_changed(v));
}

/* Whatever the guest sets: a picture that is not said to change does not. */
static void a_picture_that_does_not_change_is_the_same(void **state)
{
    struct vga_bench *t = *state;
    struct vga *v = &t->card.vga;
    struct surface before = {0}, after = {0};
    uint32_t seed = 1;
    set_mode_3(t);
    set_reg(t, 0x3d4, 0x11, 0); /* no registers are protected */
    for (unsigned i = 0; i < v->vram_bytes / 4; i++) {
        st32le(v->vram + i * 4, i * 2654435761u);
    }
    for (unsigned i = 0; i < 300; i++) {
        seed = seed * 1664525 + 1013904223;
        uint8_t index = (uint8_t)(seed >> 8), val = (uint8_t)(seed >> 16);
        uint16_t port = (const uint16_t[]){0x3c4, 0x3ce, 0x3d4}[seed >> 30 ? (seed >> 30) - 1 : 0];
        vga_changed(v);
        vga_render(v, &before);
        if (seed & 0x80) {
            poke(t, VGA_WINDOW_BASE + (seed & 0x1ffff), val);
        } else if (!(port == 0x3c4 && index % 25 == 1)) { /* the picture stays on */
            set_reg(t, port, index % 25, val);
        }
        if (!vga_changed(v)) {
            vga_render(v, &after);
            assert_int_equal(before.width, after.width);
            assert_int_equal(before.height, after.height);
            assert_memory_equal(before.pixels, after.pixels,
                                (size_t)before.width * before.height * sizeof(uint32_t));
        }
    }
    surface_fini(&before);
    surface_fini(&after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_log_memory_is_compared),
        cmocka_unit_test(only_the_slot_that_somebody_asks_for_is_logged),
        cmocka_unit_test(pages_of_the_log_are_told_once),
        cmocka_unit_test(what_devices_write_is_not_in_the_log_but_told),
        cmocka_unit_test(devices_may_go_before_the_virtual_machine),
        cmocka_unit_test(a_slot_that_goes_or_whose_log_fails_counts_as_written),
        ON_BENCH(a_vga_picture_changes_with_what_is_visible),
        ON_BENCH(a_text_picture_changes_with_cells_font_and_cursor),
        ON_BENCH(a_picture_that_does_not_change_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
