/* The machine's frame, without board and vCPUs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/device/machine.h"

#include <stdio.h>
#include <string.h>

static struct machine m;
static char log_text[200];

static void add_log(const char *what)
{
    size_t n = strlen(log_text);
    snprintf(log_text + n, sizeof(log_text) - n, "%s ", what);
}

static void with_ram(uint64_t bytes)
{
    struct error *err = NULL;
    log_text[0] = '\0';
    if (!machine_init(&m, CLOCK_VIRTUAL, 0, &err) ||
        !machine_ram_init(&m, bytes, MACHINE_LOW_MAX, &err)) {
        fail_msg("%s", error_text(err));
    }
    machine_map_ram(&m);
    machine_commit(&m);
}

static void less_than_3584_mib_lie_below_4_gib_whole(void **state)
{
    with_ram(3500 * MiB);
    assert_int_equal(m.ram_low.bytes, 3500 * MiB);
    assert_int_equal(m.ram_high.bytes, 0);
    assert_int_equal(space_read(&m.mem, 3500 * MiB - 4, 4), 0);
    assert_int_equal(space_read(&m.mem, 3500 * MiB, 4), 0xffffffff);
    machine_fini(&m);
}

static void from_3584_mib_on_3_gib_are_low_and_the_rest_starts_at_4_gib(void **state)
{
    static const uint64_t sizes[] = {3584 * MiB, 4 * GiB, 64 * GiB};
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        with_ram(sizes[i]);
        assert_int_equal(m.ram_low.bytes, 3 * GiB);
        assert_int_equal(m.ram_high.bytes, sizes[i] - 3 * GiB);
        uint64_t end = 4 * GiB + m.ram_high.bytes;
        assert_int_equal(space_read(&m.mem, 3 * GiB, 1), 0xff);
        space_write(&m.mem, end - 4, 0x12345678, 4);
        assert_int_equal(ld32le(m.arena.base + end - 4), 0x12345678); /* at its own address */
        assert_int_equal(space_read(&m.mem, end, 1), 0xff);
        machine_fini(&m);
    }
}

static void max_ram_below_4g_lowers_the_split(void **state)
{
    assert_true(machine_init(&m, CLOCK_VIRTUAL, 0, NULL));
    assert_true(machine_ram_init(&m, 3 * GiB, 1 * GiB, NULL));
    assert_int_equal(m.ram_low.bytes, 1 * GiB);
    assert_int_equal(m.ram_high.bytes, 2 * GiB);
    machine_fini(&m);
}

static void absurd_memory_sizes_are_refused(void **state)
{
    static const uint64_t bad[] = {0, MiB - 4096, MiB + 1, 64 * GiB + 4096, UINT64_MAX};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error *err = NULL;
        assert_true(machine_init(&m, CLOCK_VIRTUAL, 0, NULL));
        assert_false(machine_ram_init(&m, bad[i], MACHINE_LOW_MAX, &err));
        assert_non_null(strstr(error_text(err), "64 GiB"));
        error_free(err);
        machine_fini(&m);
    }
}

static void other_blocks_lie_behind_all_guest_addresses(void **state)
{
    struct ram_block vram;
    with_ram(64 * MiB);
    assert_true(ram_block_new(&m.arena, &vram, "vram", 16 * MiB, NULL));
    assert_int_equal(vram.addr, 4 * GiB);
    machine_fini(&m);
}

static void a_change_of_memory_is_pending_for_smm_too(void **state)
{
    static const struct region_ops ops = {.width = 4};
    struct region r, smram;
    with_ram(MiB);
    region_io(&r, "r", &ops, NULL, 4);
    region_alias(&smram, "smram", &m.ram_low_map, 0xa0000, 0x20000);
    assert_false(m.commit_pending);
    region_map(&m.mem.root, &r, 0xa0000, 1);
    assert_true(m.commit_pending);
    machine_commit(&m);
    assert_false(m.commit_pending);
    assert_int_equal(space_read(&m.smm, 0xa0000, 4), 0xffffffff);
    region_map(&m.smm.root, &smram, 0xa0000, 1);
    machine_commit(&m);
    assert_int_equal(space_read(&m.smm, 0xa0000, 4), 0);
    assert_int_equal(space_read(&m.mem, 0xa0000, 4), 0xffffffff);
    machine_fini(&m);
}

/* --- devices ---------------------------------------------------------------------------------- */

struct dev {
    const char *id;
    uint8_t reg;
};

static void dev_reset(void *dev)
{
    struct dev *d = dev;
    d->reg = 0;
    add_log(d->id);
}

static const struct state_field dev_state[] = {STATE(struct dev, reg), STATE_END()};
static const struct device_type dev_type = {
    .name = "dev",
    .version = 1,
    .reset = dev_reset,
    .state = dev_state,
};
static const struct device_type plain_type = {.name = "plain", .version = 1};

static void cpu_reset(struct machine *machine)
{
    add_log("cpus");
}

static void cpu_save(struct machine *machine, struct state_buf *out)
{
    state_save_section(out, "cpu0", 1, NULL, NULL, &machine->clock);
}

static void cpu_fini(struct machine *machine)
{
    add_log("cpus-end");
}

static const struct machine_cpu_ops cpu_ops = {
    .reset = cpu_reset, .save = cpu_save, .fini = cpu_fini};

static void hook(void *opaque)
{
    add_log(opaque);
}

static void reset_walks_devices_in_order_then_vcpus_then_commits(void **state)
{
    struct dev a = {"a", 1}, b = {"b", 1};
    with_ram(MiB);
    machine_add(&m, &dev_type, "a", &a);
    machine_add(&m, &plain_type, "plain", NULL);
    machine_add(&m, &dev_type, "b", &b);
    m.cpu_ops = &cpu_ops;
    region_enable(&m.ram_low_map, false);
    machine_reset(&m);
    assert_string_equal(log_text, "a b cpus ");
    assert_int_equal(m.mem.view->n, 0);
    machine_fini(&m);
}

static void the_end_stops_vcpus_then_undoes_last_first(void **state)
{
    char one[] = "one", two[] = "two";
    with_ram(MiB);
    m.cpu_ops = &cpu_ops;
    machine_on_fini(&m, hook, one);
    memset(machine_alloc(&m, 100), 1, 100);
    machine_on_fini(&m, hook, two);
    machine_fini(&m);
    assert_string_equal(log_text, "cpus-end two one ");
    machine_fini(&m);
}

static void the_digest_covers_devices_vcpus_and_ram(void **state)
{
    struct dev a = {"a", 1};
    with_ram(MiB);
    uint64_t empty = machine_digest(&m);
    machine_add(&m, &dev_type, "a", &a);
    uint64_t with_dev = machine_digest(&m);
    assert_int_not_equal(with_dev, empty);
    a.reg = 2;
    assert_int_not_equal(machine_digest(&m), with_dev);
    a.reg = 1;
    assert_int_equal(machine_digest(&m), with_dev);
    m.cpu_ops = &cpu_ops;
    assert_int_not_equal(machine_digest(&m), with_dev);
    m.cpu_ops = NULL;
    space_write(&m.mem, 0xfffff, 1, 1);
    assert_int_not_equal(machine_digest(&m), with_dev);
    space_write(&m.mem, 0xfffff, 0, 1);
    assert_int_equal(machine_digest(&m), with_dev);
    machine_fini(&m);
}

static unsigned requests;

static void on_requested(struct machine *machine)
{
    requests++;
}

static void the_first_request_wins_until_it_is_carried_out(void **state)
{
    with_ram(MiB);
    requests = 0;
    m.requested = on_requested;
    machine_request_stop(&m, CAUSE_GUEST_EXIT, 5);
    machine_request_stop(&m, CAUSE_HOST_QUIT, 0);
    assert_int_equal(m.stop_request, CAUSE_GUEST_EXIT);
    assert_int_equal(m.stop_status, 5);
    machine_request_reset(&m, CAUSE_GUEST_RESET);
    machine_request_reset(&m, CAUSE_TRIPLE_FAULT);
    assert_int_equal(m.reset_request, CAUSE_GUEST_RESET);
    assert_int_equal(requests, 2);
    machine_fini(&m);
}

static void without_reboot_a_reset_is_a_stop(void **state)
{
    with_ram(MiB);
    m.no_reboot = true;
    machine_request_reset(&m, CAUSE_TRIPLE_FAULT);
    assert_int_equal(m.reset_request, CAUSE_NONE);
    assert_int_equal(m.stop_request, CAUSE_TRIPLE_FAULT);
    machine_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(less_than_3584_mib_lie_below_4_gib_whole),
        cmocka_unit_test(from_3584_mib_on_3_gib_are_low_and_the_rest_starts_at_4_gib),
        cmocka_unit_test(max_ram_below_4g_lowers_the_split),
        cmocka_unit_test(absurd_memory_sizes_are_refused),
        cmocka_unit_test(other_blocks_lie_behind_all_guest_addresses),
        cmocka_unit_test(a_change_of_memory_is_pending_for_smm_too),
        cmocka_unit_test(reset_walks_devices_in_order_then_vcpus_then_commits),
        cmocka_unit_test(the_end_stops_vcpus_then_undoes_last_first),
        cmocka_unit_test(the_digest_covers_devices_vcpus_and_ram),
        cmocka_unit_test(the_first_request_wins_until_it_is_carried_out),
        cmocka_unit_test(without_reboot_a_reset_is_a_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
