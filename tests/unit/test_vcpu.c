/*
 * vCPU threads and the shared run loop (core/accel/vcpu.c), on an accelerator that only counts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/accel/vcpu.h"
#include "core/base/bits.h"
#include "core/cpu/cpuid.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What the counting processor does each time it is let run. */
struct fake {
    struct x86_state s;
    uint64_t icount;
    unsigned runs;
    bool halts;                  /* every run ends in HLT at once */
    bool shuts_down;             /* every run ends in a triple fault */
    unsigned seen_intr;          /* interrupts acknowledged */
    uint64_t insns_at_intr;
};

static bool fake_vcpu_init(struct vcpu *cpu, struct error **err)
{
    cpu->accel_data = calloc(1, sizeof(struct fake));
    return true;
}

static void fake_vcpu_fini(struct vcpu *cpu)
{
    free(cpu->accel_data);
}

static void fake_run(struct vcpu *cpu, struct vcpu_exit *exit)
{
    struct fake *f = cpu->accel_data;
    f->runs++;
    for (int64_t left = vcpu_slice(cpu); left > 0; left--) {
        uint32_t pending = atomic_load(&cpu->pending);
        if (pending & PEND_KICK) {
            exit->reason = EXIT_KICKED;
            return;
        }
        if (pending & PEND_INTR) {
            f->seen_intr++;
            f->insns_at_intr = f->icount;
            vcpu_acknowledge(cpu);
        }
        if (f->shuts_down) {
            exit->reason = EXIT_SHUTDOWN;
            return;
        }
        f->icount++;
        if (f->halts) {
            exit->reason = EXIT_HALT;
            return;
        }
    }
    exit->reason = EXIT_SLICE;
}

static void fake_kick(struct vcpu *cpu)
{
}

static uint64_t fake_icount(struct vcpu *cpu)
{
    return ((struct fake *)cpu->accel_data)->icount;
}

static void fake_get(struct vcpu *cpu, struct x86_state *out)
{
    *out = ((struct fake *)cpu->accel_data)->s;
}

static void fake_set(struct vcpu *cpu, const struct x86_state *in)
{
    ((struct fake *)cpu->accel_data)->s = *in;
}

static const struct accel fake_accel = {
    .name = "fake", .counts_insns = true, .vcpu_init = fake_vcpu_init, .vcpu_fini = fake_vcpu_fini,
    .run = fake_run, .kick = fake_kick, .icount = fake_icount, .get_state = fake_get,
    .set_state = fake_set,
};

struct rig {
    struct machine m;
    struct vcpu *cpu;
    struct fake *fake;
    struct timer timer;
    unsigned fired;
};

static void rig_init(struct rig *r, enum clock_driver driver)
{
    memset(r, 0, sizeof(*r));
    assert_true(machine_init(&r->m, driver, 0, NULL));
    assert_true(machine_ram_init(&r->m, MiB, MACHINE_LOW_MAX, NULL));
    r->m.accel = &fake_accel;
    r->m.cpu_model = x86_model_default();
    r->cpu = vcpu_new(&r->m, NULL);
    assert_non_null(r->cpu);
    r->fake = r->cpu->accel_data;
    lock_take(&r->m.lock);
    machine_reset(&r->m);
    lock_drop(&r->m.lock);
}

static void rig_fini(struct rig *r)
{
    machine_fini(&r->m);
}

static void stop_machine(void *opaque)
{
    struct rig *r = opaque;
    r->fired++;
    machine_request_stop(&r->m, CAUSE_EXPECT, 0);
}

static void let_run(struct rig *r)
{
    lock_take(&r->m.lock);
    resume_all_vcpus(&r->m);
    lock_drop(&r->m.lock);
    loop_run(&r->m.loop);
}

static void no_instruction_runs_before_resume_all_vcpus(void **state)
{
    struct rig r;
    rig_init(&r, CLOCK_VIRTUAL);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    assert_int_equal(r.fake->runs, 0);
    assert_true(vcpus_untouched(&r.m));
    timer_init(&r.timer, &r.m.clock, "stop", stop_machine, &r);
    timer_at(&r.timer, 3000);
    let_run(&r);
    assert_false(vcpus_untouched(&r.m));
    rig_fini(&r);
}

static void a_timer_fires_at_the_first_instruction_where_it_is_due(void **state)
{
    struct rig r;
    rig_init(&r, CLOCK_VIRTUAL);
    vcpu_set_rates(&r.m, &(struct vcpu_rates){.insn_ns = 30, .io_ns = 1000});
    timer_init(&r.timer, &r.m.clock, "stop", stop_machine, &r);
    timer_at(&r.timer, 30 * 777777 - 29); /* due within instruction 777777 */
    let_run(&r);
    assert_int_equal(r.fired, 1);
    assert_int_equal(r.fake->icount, 777777);
    assert_int_equal(clock_now(&r.m.clock), 30 * 777777);
    assert_int_equal(r.m.stop_request, CAUSE_EXPECT);
    rig_fini(&r);
}

static void a_halted_machine_jumps_to_the_next_timer(void **state)
{
    struct rig r;
    rig_init(&r, CLOCK_VIRTUAL);
    r.fake->halts = true;
    r.fake->s.rflags |= FL_IF;
    timer_init(&r.timer, &r.m.clock, "stop", stop_machine, &r);
    timer_at(&r.timer, 3600 * NS_PER_SEC);
    int64_t before = host_now_ns();
    let_run(&r);
    assert_true(host_now_ns() - before < 60 * NS_PER_SEC);
    assert_int_equal(r.fake->icount, 1);
    assert_int_equal(clock_now(&r.m.clock), 3600 * NS_PER_SEC);
    rig_fini(&r);
}

static void raise_intr(void *opaque)
{
    struct rig *r = opaque;
    irq_set(vcpu_intr(&r->m, 0), true);
}

static int drop_intr(void *opaque)
{
    irq_set(vcpu_intr(&((struct rig *)opaque)->m, 0), false);
    return 8;
}

static void an_interrupt_ends_a_halt(void **state)
{
    struct rig r;
    struct timer intr;
    rig_init(&r, CLOCK_VIRTUAL);
    r.fake->halts = true;
    r.fake->s.rflags |= FL_IF;
    vcpu_set_inta(&r.m, 0, drop_intr, &r);
    timer_init(&intr, &r.m.clock, "intr", raise_intr, &r);
    timer_at(&intr, 5000);
    timer_init(&r.timer, &r.m.clock, "stop", stop_machine, &r);
    timer_at(&r.timer, 9000);
    let_run(&r);
    assert_int_equal(r.fake->seen_intr, 1);
    assert_int_equal(r.fake->insns_at_intr, 1); /* the HLT; then one more run, which halts again */
    assert_int_equal(r.fake->icount, 2);
    timer_cancel(&intr);
    rig_fini(&r);
}

static void a_halt_with_interrupts_off_can_stop_the_machine(void **state)
{
    struct rig r;
    rig_init(&r, CLOCK_VIRTUAL);
    r.fake->halts = true;
    r.m.stop_on_dead_halt = true;
    let_run(&r);
    assert_int_equal(r.m.stop_request, CAUSE_DEAD_HALT);
    rig_fini(&r);
}

static void a_triple_fault_resets_the_machine(void **state)
{
    struct rig r;
    rig_init(&r, CLOCK_VIRTUAL);
    r.fake->shuts_down = true;
    r.fake->s.rip = 0x1234;
    r.m.no_reboot = true;
    let_run(&r);
    assert_int_equal(r.m.stop_request, CAUSE_TRIPLE_FAULT);
    assert_int_equal(r.fake->s.rip, 0x1234); /* -no-reboot: left as it died */
    rig_fini(&r);
}

static void reset_request(void *opaque)
{
    struct rig *r = opaque;
    r->fake->s.rip = 0x1234;
    machine_request_reset(&r->m, CAUSE_GUEST_RESET);
}

static void a_reset_puts_the_vcpu_at_the_reset_vector_and_goes_on(void **state)
{
    struct rig r;
    struct timer reset;
    rig_init(&r, CLOCK_VIRTUAL);
    timer_init(&reset, &r.m.clock, "reset", reset_request, &r);
    timer_at(&reset, 30000);
    timer_init(&r.timer, &r.m.clock, "stop", stop_machine, &r);
    timer_at(&r.timer, 60000);
    let_run(&r);
    assert_int_equal(r.fake->s.rip, 0xfff0);
    assert_int_equal(r.fake->s.seg[S_CS].base, 0xffff0000);
    assert_int_equal(r.fake->icount, 2000); /* not one instruction was lost or added */
    rig_fini(&r);
}

static void pause_and_resume(void *opaque)
{
    struct rig *r = opaque;
    pause_all_vcpus(&r->m);
    uint64_t count = r->fake->icount;
    int64_t now = clock_now(&r->m.clock);
    lock_drop(&r->m.lock);
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    lock_take(&r->m.lock);
    assert_int_equal(r->fake->icount, count);
    assert_int_equal(clock_now(&r->m.clock), now);
    resume_all_vcpus(&r->m);
    if (++r->fired < 50) {
        loop_defer(&r->m.loop, pause_and_resume, r);
    } else {
        machine_request_stop(&r->m, CAUSE_HOST_QUIT, 0);
    }
}

static void pausing_holds_count_and_clock_on_both_drivers(void **state)
{
    for (int driver = 0; driver < 2; driver++) {
        struct rig r;
        rig_init(&r, driver ? CLOCK_VIRTUAL : CLOCK_HOST_DRIVEN);
        loop_defer(&r.m.loop, pause_and_resume, &r);
        let_run(&r);
        assert_int_equal(r.fired, 50);
        rig_fini(&r);
    }
}

static void device_accesses_cost_virtual_time(void **state)
{
    struct rig r;
    rig_init(&r, CLOCK_VIRTUAL);
    vcpu_set_rates(&r.m, &(struct vcpu_rates){.insn_ns = 30, .io_ns = 1000});
    lock_take(&r.m.lock);
    assert_int_equal(vcpu_read(r.cpu, &r.m.ports, 0x80, 1), 0xff);
    vcpu_write(r.cpu, &r.m.ports, 0x80, 1, 4);
    assert_int_equal(clock_now(&r.m.clock), 2000);
    lock_drop(&r.m.lock);
    rig_fini(&r);
}

/* ---- several vCPUs ---- */

/* vCPUs 1 and 2 as if they had had their SIPI. */
static void add_two(struct rig *r)
{
    assert_non_null(vcpu_new(&r->m, NULL));
    assert_non_null(vcpu_new(&r->m, NULL));
    lock_take(&r->m.lock);
    machine_reset(&r->m);
    for (unsigned i = 1; i < 3; i++) {
        struct fake *f = r->m.vcpus[i]->accel_data;
        assert_int_equal(f->s.activity, ACT_WAIT_SIPI);
        assert_int_equal(f->s.apic_base & APIC_BASE_BSP, 0);
        assert_true(r->m.vcpus[i]->halted);
        f->s.activity = ACT_RUNNING;
        r->m.vcpus[i]->halted = false;
    }
    lock_drop(&r->m.lock);
}

static uint64_t insns_of(struct rig *r, unsigned i)
{
    return ((struct fake *)r->m.vcpus[i]->accel_data)->icount;
}

static void vcpus_take_turns_on_the_virtual_clock(void **state)
{
    struct rig r;
    rig_init(&r, CLOCK_VIRTUAL);
    add_two(&r);
    timer_init(&r.timer, &r.m.clock, "stop", stop_machine, &r);
    timer_at(&r.timer, 30 * (10 * VCPU_TURN + 7));
    let_run(&r);
    assert_int_equal(insns_of(&r, 0), 4 * VCPU_TURN);
    assert_int_equal(insns_of(&r, 1), 3 * VCPU_TURN + 7);
    assert_int_equal(insns_of(&r, 2), 3 * VCPU_TURN);
    rig_fini(&r);
}

static void a_halted_vcpu_is_passed_over(void **state)
{
    struct rig r;
    rig_init(&r, CLOCK_VIRTUAL);
    add_two(&r);
    ((struct fake *)r.m.vcpus[1]->accel_data)->halts = true;
    timer_init(&r.timer, &r.m.clock, "stop", stop_machine, &r);
    timer_at(&r.timer, 30 * (4 * VCPU_TURN + 1));
    let_run(&r);
    assert_int_equal(insns_of(&r, 0), 2 * VCPU_TURN);
    assert_int_equal(insns_of(&r, 1), 1);
    assert_int_equal(insns_of(&r, 2), 2 * VCPU_TURN);
    rig_fini(&r);
}

static void only_a_sipi_ends_the_wait_for_it(void **state)
{
    struct rig r;
    rig_init(&r, CLOCK_VIRTUAL);
    add_two(&r);
    ((struct fake *)r.m.vcpus[1]->accel_data)->s.activity = ACT_WAIT_SIPI;
    ((struct fake *)r.m.vcpus[2]->accel_data)->s.activity = ACT_WAIT_SIPI;
    r.m.vcpus[1]->halted = r.m.vcpus[2]->halted = true;
    lock_take(&r.m.lock);
    irq_pulse(vcpu_nmi(&r.m, 1));
    irq_set(vcpu_intr(&r.m, 1), true);
    vcpu_startup(r.m.vcpus[2], 0x9a);
    lock_drop(&r.m.lock);
    assert_int_equal(r.m.vcpus[2]->sipi_vector, 0x9a);
    timer_init(&r.timer, &r.m.clock, "stop", stop_machine, &r);
    timer_at(&r.timer, 30 * 10 * VCPU_TURN);
    let_run(&r);
    assert_int_equal(insns_of(&r, 1), 0);
    assert_int_equal(insns_of(&r, 2), 5 * VCPU_TURN);
    rig_fini(&r);
}

/* An accelerator whose vCPUs run side by side; each changes the ports with every access. */
struct side {
    struct region region[3];
    _Atomic bool computing[3];   /* reads the views without the lock */
    unsigned commits, broken;
};
static struct side side;

static void side_run(struct vcpu *cpu, struct vcpu_exit *exit)
{
    struct fake *f = cpu->accel_data;
    for (unsigned n = 0; !(atomic_load(&cpu->pending) & PEND_KICK); n++) {
        side.computing[cpu->index] = true;
        for (volatile unsigned i = 0; i < 200; i++) {
        }
        f->icount++;
        side.computing[cpu->index] = false;
        vcpu_write(cpu, &cpu->machine->ports, 0x100 + cpu->index, n & 1, 1);
    }
    exit->reason = EXIT_KICKED;
}

static void side_changed(struct machine *m, struct space *s, const struct view *old,
                         const struct view *now)
{
    side.commits++;
    for (unsigned i = 0; i < 3; i++) {
        side.broken += side.computing[i];
    }
    if (side.commits == 500) {
        machine_request_stop(m, CAUSE_EXPECT, 0);
    }
}

static void side_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct rig *r = dev;
    region_move(&side.region[off], 0x200 + 16 * off + val);
    r->fired++;
}

static void views_change_while_all_other_vcpus_are_outside_run(void **state)
{
    static const struct region_ops ops = {.write = side_write, .width = 1};
    static const struct region_ops none = {.width = 1};
    struct accel accel = fake_accel;
    struct region doors;
    struct rig r;
    accel.parallel = true;
    accel.run = side_run;
    accel.view_changed = side_changed;
    memset(&r, 0, sizeof(r));
    memset(&side, 0, sizeof(side));
    assert_true(machine_init(&r.m, CLOCK_HOST_DRIVEN, 0, NULL));
    assert_true(machine_ram_init(&r.m, MiB, MACHINE_LOW_MAX, NULL));
    r.m.accel = &accel;
    r.m.cpu_model = x86_model_default();
    assert_non_null(vcpu_new(&r.m, NULL));
    region_io(&doors, "doors", &ops, &r, 3);
    region_map(&r.m.ports.root, &doors, 0x100, 0);
    for (unsigned i = 0; i < 3; i++) {
        region_io(&side.region[i], "moved", &none, NULL, 1);
        region_map(&r.m.ports.root, &side.region[i], 0x200 + 16 * i, 0);
    }
    add_two(&r);
    let_run(&r);
    assert_true(side.commits >= 500);
    assert_int_equal(side.broken, 0);
    rig_fini(&r);
}

/* ---- a guest that waits for time to pass ---- */

#define WAIT_NS (40 * NS_PER_MS)

static struct {
    bool looks;                  /* at the time-stamp counter, in each turn */
    int64_t wall_ns, cpu_ns;
    unsigned turns, rests;
} spinner;

static int64_t thread_cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

/* Spins for WAIT_NS of the host's time, then has the machine stopped. */
static void spin_run(struct vcpu *cpu, struct vcpu_exit *exit)
{
    struct fake *f = cpu->accel_data;
    int64_t wall = host_now_ns(), cpu_time = thread_cpu_ns();
    exit->reason = EXIT_KICKED;
    if (cpu->index > 0 || f->runs++ > 0) {
        return;
    }
    while (host_now_ns() - wall < WAIT_NS && !(atomic_load(&cpu->pending) & PEND_KICK)) {
        spinner.turns++;
        cpu->tsc_reads += spinner.looks;
        spinner.rests += vcpu_spins(cpu, f->icount += 20, PEND_KICK | PEND_INTR);
    }
    spinner.wall_ns = host_now_ns() - wall;
    spinner.cpu_ns = thread_cpu_ns() - cpu_time;
    machine_request_stop(cpu->machine, CAUSE_EXPECT, 0);
}

static void spin_on(enum clock_driver driver, bool two, bool looks)
{
    struct accel accel = fake_accel;
    struct rig r;
    memset(&spinner, 0, sizeof(spinner));
    spinner.looks = looks;
    rig_init(&r, driver);
    accel.parallel = true;
    accel.run = spin_run;
    r.m.accel = r.cpu->accel = &accel;
    if (two) {
        assert_non_null(vcpu_new(&r.m, NULL));
    }
    let_run(&r);
    rig_fini(&r);
}

static void a_vcpu_that_spins_for_long_rests(void **state)
{
    for (unsigned two = 0; two < 2; two++) {
        spin_on(CLOCK_HOST_DRIVEN, two, true);
        assert_true(spinner.rests > 0 && spinner.turns > spinner.rests);
        if (spinner.cpu_ns >= spinner.wall_ns * 3 / 4) {
            fail_msg("%lld of %lld us", (long long)spinner.cpu_ns / 1000,
                     (long long)spinner.wall_ns / 1000);
        }
    }
}

static void who_waits_for_another_vcpu_does_not_rest(void **state)
{
    spin_on(CLOCK_HOST_DRIVEN, true, false);
    assert_int_equal(spinner.rests, 0);
    spin_on(CLOCK_HOST_DRIVEN, false, false); /* there is none */
    assert_true(spinner.rests > 0);
}

static void nobody_rests_on_the_virtual_clock(void **state)
{
    spin_on(CLOCK_VIRTUAL, false, true);
    assert_int_equal(spinner.rests, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_instruction_runs_before_resume_all_vcpus),
        cmocka_unit_test(a_timer_fires_at_the_first_instruction_where_it_is_due),
        cmocka_unit_test(a_halted_machine_jumps_to_the_next_timer),
        cmocka_unit_test(an_interrupt_ends_a_halt),
        cmocka_unit_test(a_halt_with_interrupts_off_can_stop_the_machine),
        cmocka_unit_test(a_triple_fault_resets_the_machine),
        cmocka_unit_test(a_reset_puts_the_vcpu_at_the_reset_vector_and_goes_on),
        cmocka_unit_test(pausing_holds_count_and_clock_on_both_drivers),
        cmocka_unit_test(device_accesses_cost_virtual_time),
        cmocka_unit_test(vcpus_take_turns_on_the_virtual_clock),
        cmocka_unit_test(a_halted_vcpu_is_passed_over),
        cmocka_unit_test(only_a_sipi_ends_the_wait_for_it),
        cmocka_unit_test(views_change_while_all_other_vcpus_are_outside_run),
        cmocka_unit_test(a_vcpu_that_spins_for_long_rests),
        cmocka_unit_test(who_waits_for_another_vcpu_does_not_rest),
        cmocka_unit_test(nobody_rests_on_the_virtual_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
