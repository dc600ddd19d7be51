/*
 * core/accel/kvm/debug: points and steps on a kernel of our own making, and on the host's if it
 * has one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/accel/exit.h"
#include "core/cpu/cpuid.h"
#include "unit/kvm_fake.h"

#include <sys/wait.h>
#include <unistd.h>

#define AT 0x1000u

struct rig {
    struct machine m;
    struct vcpu cpu;
    struct stops *stops;
};

static void rig_init(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    assert_true(machine_init(&r->m, CLOCK_HOST_DRIVEN, 0, NULL));
    assert_true(machine_ram_init(&r->m, 2 * MiB, MACHINE_LOW_MAX, NULL));
    machine_map_ram(&r->m);
    machine_commit(&r->m);
    assert_true(fake_start(&r->m, &r->cpu));
    r->m.vcpus[0] = &r->cpu;
    r->m.n_vcpus = 1;
    r->stops = stops_get(&r->m);
}

static void rig_fini(struct rig *r)
{
    fake_stop(&r->m, &r->cpu);
    stops_free(r->stops);
    r->m.n_vcpus = 0;
    machine_fini(&r->m);
}

static enum vcpu_exit_reason rig_run(struct rig *r)
{
    struct vcpu_exit exit = {.reason = EXIT_ERROR};
    kvm_vcpu_run(&r->cpu, &exit);
    return exit.reason;
}

static bool add(struct rig *r, uint64_t addr, uint64_t len, uint8_t on)
{
    return stops_add(r->stops, &(struct stop_point){.addr = addr, .len = len, .on = on});
}

/* Where the guest is, as the kernel says. */
static void guest_at(uint64_t lin)
{
    fake.sregs.cs.base = 0;
    fake.regs.rip = lin;
}

static void debug_page(struct kvm_run *run, unsigned exception, uint64_t pc, uint64_t dr6)
{
    run->exit_reason = KVM_EXIT_DEBUG;
    run->debug.arch.exception = exception;
    run->debug.arch.pc = pc;
    run->debug.arch.dr6 = dr6;
    guest_at(pc);
}

static void step_done(struct fake_kernel *f, struct kvm_run *run)
{
    debug_page(run, 1, AT + 1, 0x4000);
}

static void register_0(struct fake_kernel *f, struct kvm_run *run)
{
    debug_page(run, 1, AT, 1);
}

static void register_1(struct fake_kernel *f, struct kvm_run *run)
{
    debug_page(run, 1, AT + 7, 2);
}

static void int3(struct fake_kernel *f, struct kvm_run *run)
{
    debug_page(run, 3, AT + 4, 0);
}

static void halt(struct fake_kernel *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_HLT;
}

static void out_byte(struct fake_kernel *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_IO;
    run->io.direction = KVM_EXIT_IO_OUT;
    run->io.size = 1;
    run->io.count = 1;
    run->io.data_offset = FAKE_DATA;
}

/* ---- the fake kernel ------------------------------------------------------------------------- */

static void a_step_stops_behind_one_instruction_or_a_halt(void **state)
{
    struct rig r;
    fake_reset();
    rig_init(&r);
    vcpu_set_step(&r.cpu, STEP_INSN);
    fake_step(step_done);
    assert_int_equal(rig_run(&r), EXIT_DEBUG);
    assert_int_equal(fake.guest_debug.control, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP);
    assert_int_equal(r.cpu.hit.kind, HIT_STEP);
    assert_int_equal(r.cpu.step, STEP_OFF);
    vcpu_set_step(&r.cpu, STEP_INSN);
    fake_step(halt);
    assert_int_equal(rig_run(&r), EXIT_DEBUG);
    assert_int_equal(rig_run(&r), EXIT_HALT); /* it is halted all the same */
    kvm_vcpu_of(&r.cpu)->activity = ACT_RUNNING;
    rig_run(&r);
    assert_int_equal(fake.guest_debug.control, 0);
    rig_fini(&r);
}

/* Whether the kernel says so or not; and nothing else is run meanwhile. */
static void a_step_over_an_access_ends_with_it(void **state)
{
    struct rig r;
    fake_reset();
    rig_init(&r);
    for (unsigned tells = 0; tells < 2; tells++) {
        vcpu_set_step(&r.cpu, STEP_INSN);
        fake_step(out_byte);
        assert_int_equal(rig_run(&r), EXIT_IO);
        if (tells) {
            fake.ends_access = step_done;
        }
        assert_int_equal(rig_run(&r), EXIT_DEBUG);
        assert_int_equal(fake.immediate, 1 + tells);
        assert_int_equal(r.cpu.hit.kind, HIT_STEP);
        assert_int_equal(r.cpu.step, STEP_OFF);
    }
    rig_fini(&r);
}

static void a_step_without_interrupts_holds_them_back(void **state)
{
    struct rig r;
    fake_reset();
    rig_init(&r);
    kvm_vcpu_of(&r.cpu)->intr_ready = true;
    atomic_store(&r.cpu.pending, PEND_INTR | PEND_NMI);
    vcpu_set_step(&r.cpu, STEP_INSN_NO_INTR);
    fake_step(step_done);
    assert_int_equal(rig_run(&r), EXIT_DEBUG);
    assert_int_equal(fake.n_vectors + fake.nmis, 0);
    assert_int_equal(((struct kvm_run *)fake.page)->request_interrupt_window, 0);
    rig_run(&r);
    assert_int_equal(fake.nmis, 1);
    rig_fini(&r);
}

static void data_points_are_aligned_parts_in_the_debug_registers(void **state)
{
    struct rig r;
    fake_reset();
    rig_init(&r);
    assert_true(add(&r, 0x7001, 7, POINT_WRITE)); /* 1, 2 and 4 bytes */
    assert_false(add(&r, 0x8001, 2, POINT_WRITE | POINT_READ)); /* two more do not fit */
    assert_true(add(&r, 0x8000, 8, POINT_WRITE | POINT_READ));
    assert_false(add(&r, 0x9000, 1, POINT_WRITE));
    assert_false(add(&r, 0x9000, 1, POINT_READ)); /* there is no such thing */
    fake_step(register_1);
    assert_int_equal(rig_run(&r), EXIT_DEBUG);
    assert_int_equal(fake.guest_debug.control, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP);
    assert_int_equal(fake.guest_debug.arch.debugreg[0], 0x7001);
    assert_int_equal(fake.guest_debug.arch.debugreg[1], 0x7002);
    assert_int_equal(fake.guest_debug.arch.debugreg[2], 0x7004);
    assert_int_equal(fake.guest_debug.arch.debugreg[3], 0x8000);
    assert_int_equal(fake.guest_debug.arch.debugreg[7] & ~0x400ull, 0xbd5100aa);
    assert_int_equal(r.cpu.hit.kind, HIT_DATA);
    assert_int_equal(r.cpu.hit.addr, 0x7001);
    rig_fini(&r);
}

static void a_reported_code_point_is_passed_by_a_step_without_it(void **state)
{
    struct rig r;
    fake_reset();
    rig_init(&r);
    add(&r, AT, 1, POINT_CODE);
    add(&r, AT + 7, 1, POINT_CODE);
    guest_at(AT);
    fake_step(register_0);
    assert_int_equal(rig_run(&r), EXIT_DEBUG);
    assert_int_equal(fake.guest_debug.arch.debugreg[7] & 0xff, 0x0a);
    assert_int_equal(r.cpu.hit.kind, HIT_CODE);
    assert_int_equal(r.cpu.hit.addr, AT);
    r.cpu.hit.kind = HIT_NONE;
    fake_step(step_done);
    assert_int_equal(rig_run(&r), EXIT_KICKED); /* nothing to stop for */
    assert_true(fake.guest_debug.control & KVM_GUESTDBG_SINGLESTEP);
    assert_int_equal(fake.guest_debug.arch.debugreg[7] & 0xff, 0x08);
    fake_step(register_1);
    assert_int_equal(rig_run(&r), EXIT_DEBUG);
    assert_false(fake.guest_debug.control & KVM_GUESTDBG_SINGLESTEP);
    assert_int_equal(fake.guest_debug.arch.debugreg[7] & 0xff, 0x0a);
    assert_int_equal(r.cpu.hit.addr, AT + 7);
    guest_at(0x2000); /* a debugger went elsewhere */
    rig_run(&r);
    assert_int_equal(fake.guest_debug.arch.debugreg[7] & 0xff, 0x0a);
    rig_fini(&r);
}

static struct rig *looked_at;
static uint8_t seen_inside[2];

static void look_inside(struct fake_kernel *f)
{
    seen_inside[0] = looked_at->m.arena.base[AT + 4];
    seen_inside[1] = looked_at->m.arena.base[AT + 5];
}

static void code_points_beyond_the_registers_are_int3_inside_the_guest_only(void **state)
{
    struct rig r;
    fake_reset();
    rig_init(&r);
    looked_at = &r;
    fake.in_run = look_inside;
    memset(r.m.arena.base + AT, 0x90, 16);
    for (unsigned i = 0; i < 6; i++) {
        assert_true(add(&r, AT + i, 1, POINT_CODE));
    }
    fake_step(int3);
    assert_int_equal(rig_run(&r), EXIT_DEBUG);
    assert_int_equal(r.cpu.hit.addr, AT + 4);
    assert_int_equal(seen_inside[0], 0xcc);
    assert_int_equal(seen_inside[1], 0xcc);
    assert_int_equal(r.m.arena.base[AT + 4], 0x90);
    assert_int_equal(r.m.arena.base[AT + 5], 0x90);
    rig_run(&r); /* passes it */
    assert_int_equal(seen_inside[0], 0x90);
    assert_int_equal(seen_inside[1], 0xcc);
    assert_int_equal(fake.injected, 0);
    rig_fini(&r);
}

static void exceptions_of_the_guests_own_are_given_back(void **state)
{
    struct rig r;
    fake_reset();
    rig_init(&r);
    add(&r, 0x5000, 1, POINT_CODE);
    fake_step(int3);
    assert_int_equal(rig_run(&r), EXIT_KICKED);
    assert_int_equal(fake.injected, KVM_GUESTDBG_INJECT_BP);
    assert_int_equal(fake.guest_debug.arch.debugreg[0], 0x5000);
    fake.injected = 0;
    fake_step(step_done); /* EFLAGS.TF of the guest */
    assert_int_equal(rig_run(&r), EXIT_KICKED);
    assert_int_equal(fake.injected, KVM_GUESTDBG_INJECT_DB);
    assert_true(fake.debug.dr6 & 0x4000);
    assert_int_equal(r.cpu.hit.kind, HIT_NONE);
    rig_fini(&r);
}

static bool never(void *opaque, struct vcpu *cpu, uint64_t lin, unsigned users)
{
    ++*(unsigned *)opaque;
    return false;
}

static void a_code_point_whose_condition_is_false_goes_on(void **state)
{
    struct rig r;
    unsigned asked = 0;
    fake_reset();
    rig_init(&r);
    r.stops->code_wanted = never;
    r.stops->code_opaque = &asked;
    add(&r, AT, 1, POINT_CODE);
    fake_step(register_0);
    assert_int_equal(rig_run(&r), EXIT_KICKED);
    assert_int_equal(asked, 1);
    rig_run(&r);
    assert_true(fake.guest_debug.control & KVM_GUESTDBG_SINGLESTEP);
    rig_fini(&r);
}

static void a_kernel_without_guest_debug_cannot_be_debugged(void **state)
{
    struct rig r;
    fake_reset();
    fake.absent_cap = KVM_CAP_SET_GUEST_DEBUG;
    rig_init(&r);
    assert_null(r.stops);
    rig_fini(&r);
    fake_reset();
    rig_init(&r);
    vcpu_set_step(&r.cpu, STEP_INSN);
    fake.fail_at = fake.calls + 1;
    fake.fail_errno = EINVAL;
    rig_run(&r);
    assert_int_equal(fake.failed, KVM_SET_GUEST_DEBUG);
    assert_int_equal(rig_run(&r), EXIT_ERROR);
    rig_fini(&r);
}

/* ---- the host's own -------------------------------------------------------------------------- */

enum { RIGHT, WRONG, NO_ANSWER };

struct wanted {
    enum debug_hit_kind kind;
    uint64_t rip;
};

/* mov ax, 1234h; mov [7000h], ax; nop; nop; nop; hlt, from a step on: the stops of @wanted. */
static int run_host(const struct stop_point *point, const struct wanted *wanted, unsigned n)
{
    static const uint8_t code[] = {0xb8, 0x34, 0x12, 0xa3, 0x00, 0x70, 0x90, 0x90, 0x90, 0xf4};
    struct rig r;
    struct x86_state s;
    rig_init(&r);
    memcpy(r.m.arena.base + AT, code, sizeof(code));
    x86_state_reset(&s, x86_model_default()->signature, false);
    s.seg[S_CS].sel = 0;
    s.seg[S_CS].base = 0;
    s.rip = AT;
    kvm_set_state(&r.cpu, &s);
    add(&r, point->addr, point->len, point->on);
    vcpu_set_step(&r.cpu, STEP_INSN);
    for (unsigned i = 0; i < n; i++) {
        enum vcpu_exit_reason reason;
        do {
            reason = rig_run(&r);
        } while (reason == EXIT_KICKED);
        kvm_get_state(&r.cpu, &s);
        if (reason != EXIT_DEBUG && reason != EXIT_HALT) {
            return NO_ANSWER;
        }
        if (reason != EXIT_DEBUG || r.cpu.hit.kind != wanted[i].kind || s.rip != wanted[i].rip) {
            return WRONG;
        }
        r.cpu.hit.kind = HIT_NONE;
    }
    return rig_run(&r) == EXIT_HALT || rig_run(&r) == EXIT_HALT ? RIGHT : WRONG;
}

/* In a child, since an imitation may hang. */
static int try_host(const struct stop_point *point, const struct wanted *wanted, unsigned n)
{
    int status = 0;
    kvm_sys = &kvm_sys_linux;
    for (unsigned tries = 0; tries < 3 && kvm_probe(NULL); tries++) {
        pid_t pid = fork();
        if (pid == 0) {
            alarm(5);
            _exit(run_host(point, wanted, n));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) != NO_ANSWER) {
            return WEXITSTATUS(status);
        }
    }
    return NO_ANSWER;
}

static void the_hosts_own_kvm_steps_and_stops_at_code(void **state)
{
    static const struct wanted wanted[] = {{HIT_STEP, AT + 3}, {HIT_CODE, AT + 8}};
    const struct stop_point point = {.addr = AT + 8, .len = 1, .on = POINT_CODE};
    int got = try_host(&point, wanted, ARRAY_SIZE(wanted));
    if (got == NO_ANSWER) {
        skip();
    }
    assert_int_equal(got, RIGHT);
}

static void the_hosts_own_kvm_stops_behind_a_write(void **state)
{
    static const struct wanted wanted[] = {{HIT_STEP, AT + 3}, {HIT_DATA, AT + 6}};
    const struct stop_point point = {.addr = 0x7000, .len = 2, .on = POINT_WRITE};
    int got = try_host(&point, wanted, ARRAY_SIZE(wanted));
    char text[200];
    if (got == NO_ANSWER || (got == WRONG && !kvm_measure(false, text, sizeof(text)))) {
        skip(); /* an imitation need not have data breakpoints */
    }
    assert_int_equal(got, RIGHT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_stops_behind_one_instruction_or_a_halt),
        cmocka_unit_test(a_step_over_an_access_ends_with_it),
        cmocka_unit_test(a_step_without_interrupts_holds_them_back),
        cmocka_unit_test(data_points_are_aligned_parts_in_the_debug_registers),
        cmocka_unit_test(a_reported_code_point_is_passed_by_a_step_without_it),
        cmocka_unit_test(code_points_beyond_the_registers_are_int3_inside_the_guest_only),
        cmocka_unit_test(exceptions_of_the_guests_own_are_given_back),
        cmocka_unit_test(a_code_point_whose_condition_is_false_goes_on),
        cmocka_unit_test(a_kernel_without_guest_debug_cannot_be_debugged),
        cmocka_unit_test(the_hosts_own_kvm_steps_and_stops_at_code),
        cmocka_unit_test(the_hosts_own_kvm_stops_behind_a_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
