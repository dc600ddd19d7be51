/*
 * core/accel/kvm against a kernel of our own making: exits, interrupts, kicks, errors at every
 * call.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/accel/exit.h"
#include "core/base/bytes.h"
#include "core/cpu/cpuid.h"
#include "unit/kvm_fake.h"

#include <time.h>

/* ---- a machine with a vCPU that has no thread ------------------------------------------------ */

#define MAX_SEEN 64

struct rig {
    struct machine m;
    struct vcpu cpu;
    struct region ports, mmio;
    struct { bool write; uint64_t off, val; unsigned size; } seen[MAX_SEEN];
    unsigned n_seen;
    uint64_t answer;             /* of reads */
    unsigned acknowledged;
    struct vcpu_exit exit;
};

static uint64_t rig_read(void *dev, uint64_t off, unsigned size)
{
    struct rig *r = dev;
    r->seen[r->n_seen].write = false;
    r->seen[r->n_seen].off = off;
    r->seen[r->n_seen++ % MAX_SEEN].size = size;
    return r->answer++;
}

static void rig_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct rig *r = dev;
    r->seen[r->n_seen].write = true;
    r->seen[r->n_seen].off = off;
    r->seen[r->n_seen].val = val;
    r->seen[r->n_seen++ % MAX_SEEN].size = size;
}

static const struct region_ops rig_ops = {.read = rig_read, .write = rig_write, .width = 8};

static int rig_inta(void *opaque)
{
    struct rig *r = opaque;
    r->acknowledged++;
    atomic_fetch_and(&r->cpu.pending, ~(uint32_t)PEND_INTR); /* the pin goes low, as a PIC's does */
    return 0x21;
}

static void rig_machine(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    assert_true(machine_init(&r->m, CLOCK_HOST_DRIVEN, 0, NULL));
    assert_true(machine_ram_init(&r->m, 2 * MiB, MACHINE_LOW_MAX, NULL));
    machine_map_ram(&r->m);
    region_io(&r->ports, "rig-ports", &rig_ops, r, 0x1000);
    region_map(&r->m.ports.root, &r->ports, 0, 0);
    region_io(&r->mmio, "rig-mmio", &rig_ops, r, 0x1000);
    region_map(&r->m.mem.root, &r->mmio, 0xa0000, 1);
    machine_commit(&r->m);
    r->m.accel = &kvm_accel;
    r->m.cpu_model = x86_model_default();
}

static void rig_init(struct rig *r)
{
    fake_reset();
    rig_machine(r);
    assert_true(kvm_vm_init(&r->m, NULL));
    r->cpu = (struct vcpu){
        .machine = &r->m, .accel = &kvm_accel, .a20 = true, .inta = rig_inta, .inta_opaque = r};
    assert_true(kvm_vcpu_init(&r->cpu, NULL));
}

static void rig_fini(struct rig *r)
{
    if (r->cpu.accel_data != NULL) {
        kvm_vcpu_fini(&r->cpu);
    }
    kvm_vm_fini(&r->m);
    machine_fini(&r->m);
    assert_int_equal(fake.opened, fake.closed);
    assert_int_equal(fake.mapped, 0);
}

static void rig_run(struct rig *r)
{
    r->exit = (struct vcpu_exit){.reason = EXIT_KICKED};
    kvm_vcpu_run(&r->cpu, &r->exit);
}

/* ---- recorded pages: one function an exit ---------------------------------------------------- */

static void io_page(struct kvm_run *run, bool out, unsigned size, unsigned count, uint16_t port)
{
    run->exit_reason = KVM_EXIT_IO;
    run->io.direction = out ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
    run->io.size = (uint8_t)size;
    run->io.port = port;
    run->io.count = count;
    run->io.data_offset = FAKE_DATA;
}

static void out_byte(struct fake_kernel *f, struct kvm_run *run)
{
    io_page(run, true, 1, 1, 0x80);
    f->page[FAKE_DATA] = 0xa5;
}

static void out_word(struct fake_kernel *f, struct kvm_run *run)
{
    io_page(run, true, 2, 1, 0x10);
    st16le(f->page + FAKE_DATA, 0x1234);
}

static void in_dword(struct fake_kernel *f, struct kvm_run *run)
{
    io_page(run, false, 4, 1, 0x18);
}

static void rep_outsw(struct fake_kernel *f, struct kvm_run *run)
{
    io_page(run, true, 2, 3, 0x10);
    for (unsigned i = 0; i < 3; i++) {
        st16le(f->page + FAKE_DATA + 2 * i, (uint16_t)(0x1000 + i));
    }
}

static void rep_insb(struct fake_kernel *f, struct kvm_run *run)
{
    io_page(run, false, 1, 4, 0x11);
}

static void mmio_write(struct fake_kernel *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_MMIO;
    run->mmio.phys_addr = 0xa0010;
    run->mmio.len = 4;
    run->mmio.is_write = 1;
    st32le(run->mmio.data, 0xdeadbeef);
}

static void mmio_read(struct fake_kernel *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_MMIO;
    run->mmio.phys_addr = 0xa0020;
    run->mmio.len = 8;
    run->mmio.is_write = 0;
}

#define PLAIN_PAGE(name, reason)                                                                   \
    static void name(struct fake_kernel *f, struct kvm_run *run)                                   \
    {                                                                                              \
        run->exit_reason = reason;                                                                 \
    }
PLAIN_PAGE(halt, KVM_EXIT_HLT)
PLAIN_PAGE(shutdown, KVM_EXIT_SHUTDOWN)
PLAIN_PAGE(window, KVM_EXIT_IRQ_WINDOW_OPEN)
PLAIN_PAGE(set_tpr, KVM_EXIT_SET_TPR)
PLAIN_PAGE(intr, KVM_EXIT_INTR)
PLAIN_PAGE(debug, KVM_EXIT_DEBUG)
PLAIN_PAGE(unheard_of, 4711)

static void window_ready(struct fake_kernel *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
    run->ready_for_interrupt_injection = 1;
    run->if_flag = 1;
}

static void unknown(struct fake_kernel *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_UNKNOWN;
    run->hw.hardware_exit_reason = 0x55;
}

static void fail_entry(struct fake_kernel *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_FAIL_ENTRY;
    run->fail_entry.hardware_entry_failure_reason = 0x80000021;
}

static void emulation_failure(struct fake_kernel *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
    run->emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
    run->emulation_failure.ndata = 3;
    run->emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
    run->emulation_failure.insn_size = 15;
    memset(run->emulation_failure.insn_bytes, 0x90, 15);
    memcpy(run->emulation_failure.insn_bytes, "\x0f\x01\xd0", 3);
}

static void internal_error(struct fake_kernel *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
    run->internal.suberror = KVM_INTERNAL_ERROR_DELIVERY_EV;
    run->internal.ndata = 200; /* more than there is room for */
    run->internal.data[0] = 0x80000b0e;
}

static void system_event(struct fake_kernel *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
    run->system_event.type = KVM_SYSTEM_EVENT_RESET;
}

static void crash_event(struct fake_kernel *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
    run->system_event.type = KVM_SYSTEM_EVENT_CRASH;
}

static void wide_port(struct fake_kernel *f, struct kvm_run *run)
{
    io_page(run, true, 3, 1, 0x10);
}

static void far_data(struct fake_kernel *f, struct kvm_run *run)
{
    io_page(run, true, 4, 0xffffffff, 0x10);
    run->io.data_offset = FAKE_RUN_BYTES - 4;
}

static void long_mmio(struct fake_kernel *f, struct kvm_run *run)
{
    mmio_write(f, run);
    run->mmio.len = 9;
}

/* ---- decoding -------------------------------------------------------------------------------- */

static void every_exit_becomes_its_reason(void **state)
{
    static const struct {
        void (*fill)(struct fake_kernel *f, struct kvm_run *run);
        enum vcpu_exit_reason reason;
        const char *text;
    } cases[] = {
        {out_byte, EXIT_IO, "KVM_EXIT_IO out port=0x80 size=1 data=0xa5"},
        {out_word, EXIT_IO, "KVM_EXIT_IO out port=0x10 size=2 data=0x1234"},
        {in_dword, EXIT_IO, "KVM_EXIT_IO in port=0x18 size=4"},
        {rep_outsw, EXIT_IO, "KVM_EXIT_IO out port=0x10 size=2 count=3 data=0x1000"},
        {mmio_write, EXIT_MMIO, "KVM_EXIT_MMIO write addr=0xa0010 size=4 data=0xdeadbeef"},
        {mmio_read, EXIT_MMIO, "KVM_EXIT_MMIO read addr=0xa0020 size=8"},
        {halt, EXIT_HALT, "KVM_EXIT_HLT"},
        {shutdown, EXIT_SHUTDOWN, "KVM_EXIT_SHUTDOWN"},
        {window, EXIT_IRQ_WINDOW, "KVM_EXIT_IRQ_WINDOW_OPEN"},
        {set_tpr, EXIT_IRQ_WINDOW, "KVM_EXIT_SET_TPR"},
        {intr, EXIT_KICKED, "KVM_EXIT_INTR"},
        {debug, EXIT_KICKED, "KVM_EXIT_DEBUG"}, /* nobody debugs: the guest takes it */
        {system_event, EXIT_SHUTDOWN, "KVM_EXIT_SYSTEM_EVENT"},
        {unknown, EXIT_ERROR, "KVM_EXIT_UNKNOWN"},
        {fail_entry, EXIT_ERROR, "KVM_EXIT_FAIL_ENTRY"},
        {emulation_failure, EXIT_ERROR, "KVM_EXIT_INTERNAL_ERROR"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct rig r;
        char text[EXIT_TEXT];
        rig_init(&r);
        fake_step(cases[i].fill);
        rig_run(&r);
        assert_int_equal(r.exit.reason, cases[i].reason);
        vcpu_exit_text(&r.exit, text);
        assert_string_equal(text, cases[i].text);
        rig_fini(&r);
    }
}

static void a_failure_names_its_cause_and_instruction(void **state)
{
    static const struct {
        void (*fill)(struct fake_kernel *f, struct kvm_run *run);
        const char *texts[3];
        bool movable;
    } cases[] = {
        {unknown, {"unknown hardware exit 0x55", "1000:0020: f4"}, false},
        {fail_entry, {"refuses to enter", "0x80000021", "1000:0020: f4"}, true},
        {emulation_failure, {"cannot emulate", "1000:0020: 0f 01 d0"}, true},
        {internal_error, {"internal error 3", "80000b0e", "1000:0020: f4"}, true},
        {crash_event, {"system event 3"}, false},
        {unheard_of, {"exit 4711", "1000:0020: f4"}, false},
        {wide_port, {"1 items of 3 bytes"}, false},
        {far_data, {"4294967295 items of 4 bytes"}, false},
        {long_mmio, {"9 bytes"}, false},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct rig r;
        rig_init(&r);
        fake.sregs.cs = (struct kvm_segment){.selector = 0x1000, .base = 0x10000, .present = 1};
        fake.regs.rip = 0x20;
        r.m.arena.base[0x10020] = 0xf4;
        fake_step(cases[i].fill);
        rig_run(&r);
        assert_int_equal(r.exit.reason, EXIT_ERROR);
        assert_int_equal(r.exit.error.movable, cases[i].movable);
        for (unsigned k = 0; k < 3 && cases[i].texts[k] != NULL; k++) {
            if (strstr(r.exit.error.text, cases[i].texts[k]) == NULL) {
                fail_msg("\"%s\" is not in \"%s\"", cases[i].texts[k], r.exit.error.text);
            }
        }
        rig_fini(&r);
    }
}

/* ---- accesses -------------------------------------------------------------------------------- */

static void accesses_reach_their_devices_with_size_and_value(void **state)
{
    struct rig r;
    rig_init(&r);
    r.answer = 0x11223344;
    fake_step(out_word);
    fake_step(in_dword);
    fake_step(mmio_write);
    fake_step(mmio_read);
    fake_step(halt);
    vcpu_run(&r.cpu, &r.exit);
    assert_int_equal(r.exit.reason, EXIT_HALT);
    assert_int_equal(r.n_seen, 4);
    assert_true(r.seen[0].write && r.seen[0].off == 0x10 && r.seen[0].val == 0x1234 &&
                r.seen[0].size == 2);
    assert_true(!r.seen[1].write && r.seen[1].off == 0x18 && r.seen[1].size == 4);
    assert_int_equal(ld32le(fake.page + FAKE_DATA), 0x11223344);
    assert_true(r.seen[2].write && r.seen[2].off == 0x10 && r.seen[2].val == 0xdeadbeef);
    assert_true(!r.seen[3].write && r.seen[3].off == 0x20 && r.seen[3].size == 8);
    assert_int_equal(((struct kvm_run *)fake.page)->mmio.data[0], 0x45);
    rig_fini(&r);
}

static void string_accesses_move_every_item_in_order(void **state)
{
    struct rig r;
    rig_init(&r);
    r.answer = 0x70;
    fake_step(rep_outsw);
    fake_step(rep_insb);
    fake_step(halt);
    vcpu_run(&r.cpu, &r.exit);
    assert_int_equal(r.n_seen, 7);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(r.seen[i].write && r.seen[i].val == 0x1000 + i && r.seen[i].size == 2);
    }
    assert_memory_equal(fake.page + FAKE_DATA, "\x70\x71\x72\x73", 4);
    rig_fini(&r);
}

static void eintr_anywhere_changes_nothing(void **state)
{
    static void (*const script[])(struct fake_kernel *, struct kvm_run *) = {
        out_word, in_dword, rep_outsw, mmio_read, window, mmio_write, halt,
    };
    for (unsigned at = 0; at <= ARRAY_SIZE(script); at++) {
        struct rig r;
        rig_init(&r);
        for (unsigned i = 0; i < ARRAY_SIZE(script); i++) {
            if (i == at) {
                fake.steps[fake.n_steps++].errnum = EINTR;
                fake.steps[fake.n_steps++].errnum = EAGAIN;
            }
            fake_step(script[i]);
        }
        vcpu_run(&r.cpu, &r.exit);
        assert_int_equal(r.exit.reason, EXIT_HALT);
        assert_int_equal(r.n_seen, 7);
        rig_fini(&r);
    }
}

static void run_that_always_says_again_is_given_up(void **state)
{
    struct rig r;
    rig_init(&r);
    fake.steps[0].errnum = EAGAIN;
    fake.n_steps = 1;
    for (unsigned i = 0; i < 5000 && r.exit.reason != EXIT_ERROR; i++) {
        fake.at = 0;
        rig_run(&r);
    }
    assert_int_equal(r.exit.reason, EXIT_ERROR);
    rig_fini(&r);
}

static void other_errors_of_run_end_the_vcpu(void **state)
{
    static const int errnums[] = {EFAULT, EINVAL, ENOMEM, EIO, EBADF};
    for (unsigned i = 0; i < ARRAY_SIZE(errnums); i++) {
        struct rig r;
        rig_init(&r);
        fake.steps[fake.n_steps++].errnum = errnums[i];
        vcpu_run(&r.cpu, &r.exit);
        assert_int_equal(r.exit.reason, EXIT_ERROR);
        assert_non_null(strstr(r.exit.error.text, strerror(errnums[i])));
        rig_fini(&r);
    }
}

/* ---- kicks ----------------------------------------------------------------------------------- */

static void a_kick_before_run_keeps_the_guest_out(void **state)
{
    struct rig r;
    rig_init(&r);
    fake_step(halt);
    atomic_fetch_or(&r.cpu.pending, PEND_KICK);
    kvm_vcpu_kick(&r.cpu);
    vcpu_run(&r.cpu, &r.exit);
    assert_int_equal(r.exit.reason, EXIT_KICKED);
    assert_int_equal(fake.runs, 0);
    rig_fini(&r);
}

static void kick_now(struct fake_kernel *f)
{
    struct rig *r = f->opaque;
    atomic_fetch_or(&r->cpu.pending, PEND_KICK);
    kvm_vcpu_kick(&r->cpu);
    f->in_run = NULL;
}

static void a_kick_on_the_way_in_is_seen_by_the_kernel(void **state)
{
    struct rig r;
    rig_init(&r);
    fake_step(halt);
    fake.in_run = kick_now;
    fake.opaque = &r;
    vcpu_run(&r.cpu, &r.exit);
    assert_int_equal(r.exit.reason, EXIT_KICKED);
    assert_int_equal(fake.runs, 1);
    assert_int_equal(fake.at, 0);
    rig_fini(&r);
}

static void a_kicked_vcpu_ends_its_access_and_starts_nothing(void **state)
{
    struct rig r;
    rig_init(&r);
    fake_step(out_byte);
    fake_step(halt);
    rig_run(&r);
    assert_int_equal(r.exit.reason, EXIT_IO);
    atomic_fetch_or(&r.cpu.pending, PEND_KICK);
    kvm_vcpu_kick(&r.cpu);
    rig_run(&r);
    assert_int_equal(r.exit.reason, EXIT_KICKED);
    assert_int_equal(fake.immediate, 1);
    rig_run(&r); /* nothing is open now: the kernel is left alone */
    assert_int_equal(fake.runs, 2);
    rig_fini(&r);
}

/* Inside the kernel for as long as nobody kicks, as a guest that spins. */
static void spin(struct fake_kernel *f)
{
    struct kvm_run *run = (struct kvm_run *)f->page;
    while (!__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST)) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

static void a_thousand_pauses_each_get_through(void **state)
{
    struct rig r;
    fake_reset();
    fake.in_run = spin;
    rig_machine(&r);
    assert_true(kvm_vm_init(&r.m, NULL));
    assert_non_null(vcpu_new(&r.m, NULL));
    lock_take(&r.m.lock);
    machine_reset(&r.m);
    for (unsigned i = 0; i < 1000; i++) {
        resume_all_vcpus(&r.m);
        if (i % 3 == 0) {
            lock_drop(&r.m.lock);
            nanosleep(&(struct timespec){.tv_nsec = (i % 50) * 1000}, NULL);
            lock_take(&r.m.lock);
        }
        pause_all_vcpus(&r.m);
        assert_int_equal(r.m.vcpus[0]->state, VCPU_PAUSED);
    }
    lock_drop(&r.m.lock);
    vcpus_fini(&r.m);
    rig_fini(&r);
}

/* ---- interrupts ------------------------------------------------------------------------------ */

static void an_interrupt_waits_for_its_window(void **state)
{
    struct rig r;
    struct kvm_run *run = (struct kvm_run *)fake.page;
    rig_init(&r);
    fake_step(window_ready);
    fake_step(halt);
    atomic_fetch_or(&r.cpu.pending, PEND_INTR);
    rig_run(&r);
    assert_int_equal(r.exit.reason, EXIT_IRQ_WINDOW);
    assert_int_equal(run->request_interrupt_window, 1);
    assert_int_equal(r.acknowledged, 0);
    rig_run(&r);
    assert_int_equal(r.acknowledged, 1);
    assert_int_equal(fake.n_vectors, 1);
    assert_int_equal(fake.vectors[0], 0x21);
    assert_int_equal(run->request_interrupt_window, 0);
    rig_fini(&r);
}

static void an_nmi_is_given_at_once(void **state)
{
    struct rig r;
    rig_init(&r);
    fake_step(halt);
    atomic_fetch_or(&r.cpu.pending, PEND_NMI);
    rig_run(&r);
    assert_int_equal(fake.nmis, 1);
    assert_int_equal(atomic_load(&r.cpu.pending), 0);
    rig_fini(&r);
}

static void an_init_resets_the_processor_but_not_its_msrs(void **state)
{
    struct rig r;
    struct x86_state s;
    rig_init(&r);
    x86_state_reset(&s, 0x543, false);
    s.rip = 0x1234;
    s.sysenter_eip = 77;
    kvm_set_state(&r.cpu, &s);
    fake_step(halt);
    atomic_fetch_or(&r.cpu.pending, PEND_INIT);
    rig_run(&r);
    assert_int_equal(fake.regs.rip, 0xfff0);
    assert_int_equal(*fake_msr(0x176), 77);
    rig_fini(&r);
}

static void a_halt_that_was_loaded_waits_for_an_interrupt(void **state)
{
    struct rig r;
    struct x86_state s;
    rig_init(&r);
    x86_state_reset(&s, 0x543, false);
    s.activity = ACT_HALTED;
    s.rflags |= FL_IF;
    kvm_set_state(&r.cpu, &s);
    rig_run(&r);
    assert_int_equal(r.exit.reason, EXIT_HALT);
    assert_int_equal(fake.runs, 0);
    atomic_fetch_or(&r.cpu.pending, PEND_INTR);
    fake_step(window);
    rig_run(&r);
    assert_int_equal(r.exit.reason, EXIT_IRQ_WINDOW);
    rig_fini(&r);
}

/* ---- writes that the kernel kept back -------------------------------------------------------- */

static void ring_put(uint64_t addr, uint32_t val, bool pio)
{
    struct kvm_coalesced_mmio_ring *ring = (void *)(fake.page + 2 * FAKE_PAGE);
    struct kvm_coalesced_mmio *w = &ring->coalesced_mmio[ring->last];
    *w = (struct kvm_coalesced_mmio){.phys_addr = addr, .len = 4, .pio = pio};
    st32le(w->data, val);
    ring->last = (ring->last + 1) % ((FAKE_PAGE - sizeof(*ring)) / sizeof(*w));
}

static void kept_back_writes_come_before_the_exit(void **state)
{
    struct rig r;
    rig_init(&r);
    for (unsigned round = 0; round < 100; round++) { /* often enough to go round the ring */
        r.n_seen = fake.at = fake.n_steps = 0;
        fake_step(out_byte);
        fake_step(halt);
        ring_put(0xa0000, 1, false);
        ring_put(0xa0004, 2, false);
        ring_put(0x80, 3, true);
        vcpu_run(&r.cpu, &r.exit);
        assert_int_equal(r.n_seen, 4);
        assert_true(r.seen[0].val == 1 && r.seen[1].val == 2 && r.seen[1].off == 4);
        assert_true(r.seen[2].val == 3 && r.seen[2].off == 0x80);
        assert_true(r.seen[3].val == 0xa5);
        kvm_vcpu_of(&r.cpu)->activity = ACT_RUNNING;
    }
    rig_fini(&r);
}

/* ---- errors at every call -------------------------------------------------------------------- */

static void any_failing_call_of_the_start_is_reported_and_leaves_nothing(void **state)
{
    static const int errnums[] = {EPERM, ENOMEM, EBUSY, EIO};
    unsigned last = 0;
    for (unsigned e = 0; e < ARRAY_SIZE(errnums); e++) {
        for (unsigned n = 1; n < 500; n++) {
            struct rig r;
            struct error *err = NULL;
            fake_reset();
            fake.fail_at = n;
            fake.fail_errno = errnums[e];
            rig_machine(&r);
            r.cpu = (struct vcpu){.machine = &r.m, .accel = &kvm_accel};
            bool ok = kvm_vm_init(&r.m, &err) && kvm_vcpu_init(&r.cpu, &err);
            /* What is optional, or found out by trying, may be missing. */
            bool may = fake.failed == KVM_CHECK_EXTENSION || fake.failed == KVM_GET_MSRS ||
                       fake.failed == 0 || fake.failed == KVM_SET_USER_MEMORY_REGION;
            assert_true(ok || err != NULL);
            assert_true(!ok || may);
            if (ok && fake.failed == KVM_SET_USER_MEMORY_REGION) { /* told by the next run */
                rig_run(&r);
                assert_int_equal(r.exit.reason, EXIT_ERROR);
            }
            error_free(err);
            bool over = fake.calls < n;
            rig_fini(&r);
            if (over) {
                last = n;
                break;
            }
        }
    }
    assert_true(last > 40);
}

static void any_failing_call_of_a_state_is_told_by_the_next_run(void **state)
{
    struct rig r;
    struct x86_state s;
    for (unsigned n = 1; n < 100; n++) {
        rig_init(&r);
        x86_state_reset(&s, 0x543, false);
        fake.fail_at = fake.calls + n;
        fake.fail_errno = EIO;
        kvm_set_state(&r.cpu, &s);
        kvm_get_state(&r.cpu, &s);
        bool over = fake.calls < fake.fail_at;
        fake.fail_at = 0;
        fake_step(halt);
        rig_run(&r);
        bool msr =
            fake.failed == KVM_SET_MSRS; /* values that the kernel does not take are passed over */
        assert_int_equal(r.exit.reason, over || msr ? EXIT_HALT : EXIT_ERROR);
        rig_fini(&r);
        if (over) {
            assert_true(n > 12);
            return;
        }
    }
    fail();
}

static void injection_that_fails_ends_the_vcpu(void **state)
{
    static const unsigned long requests[] = {KVM_NMI, KVM_INTERRUPT};
    for (unsigned i = 0; i < 2; i++) {
        struct rig r;
        rig_init(&r);
        fake_step(window_ready);
        rig_run(&r);
        atomic_fetch_or(&r.cpu.pending, i == 0 ? PEND_NMI : PEND_INTR);
        fake.fail_at = fake.calls + 1;
        fake.fail_errno = EIO;
        rig_run(&r);
        assert_int_equal(fake.failed, requests[i]);
        assert_int_equal(r.exit.reason, EXIT_ERROR);
        rig_fini(&r);
    }
}

static void refusals_say_why(void **state)
{
    static const struct {
        int open_errno, version, absent;
        const char *text;
    } cases[] = {
        {ENOENT, 12, -1, "No such file"}, {EACCES, 12, -1, "group"}, {ENXIO, 12, -1, "/dev/kvm"},
        {0, 11, -1, "version 11"}, {0, 12, KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
        {0, 12, KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        fake_reset();
        fake.open_errno = cases[i].open_errno;
        fake.version = cases[i].version;
        fake.absent_cap = cases[i].absent;
        assert_false(kvm_probe(&err));
        assert_non_null(strstr(error_text(err), cases[i].text));
        error_free(err);
        assert_int_equal(fake.opened, fake.closed);
    }
}

/* ---- going on with another CPU --------------------------------------------------------------- */

static void the_software_cpu_goes_on_at_the_failing_instruction(void **state)
{
    static const uint8_t code[] = {0xb0, 0x5a, 0xe6, 0x80,
                                   0xf4}; /* mov al, 5Ah; out 80h, al; hlt */
    static const struct vcpu_start start = {.addr = 0x1000};
    struct rig r;
    fake_reset();
    rig_machine(&r);
    r.m.next_accel = &interp_accel;
    r.m.stop_on_halt = true;
    assert_true(kvm_vm_init(&r.m, NULL));
    assert_non_null(vcpu_new(&r.m, NULL));
    vcpu_set_start(&r.m, 0, &start);
    memcpy(r.m.arena.base + 0x1000, code, sizeof(code));
    fake_step(out_byte);
    fake_step(emulation_failure);
    lock_take(&r.m.lock);
    machine_reset(&r.m);
    resume_all_vcpus(&r.m);
    lock_drop(&r.m.lock);
    loop_run(&r.m.loop);
    assert_ptr_equal(r.m.accel, &interp_accel);
    assert_int_equal(r.n_seen, 2);
    assert_int_equal(r.seen[1].val, 0x5a);
    vcpus_fini(&r.m);
    machine_fini(&r.m);
    assert_int_equal(fake.opened, fake.closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_exit_becomes_its_reason),
        cmocka_unit_test(a_failure_names_its_cause_and_instruction),
        cmocka_unit_test(accesses_reach_their_devices_with_size_and_value),
        cmocka_unit_test(string_accesses_move_every_item_in_order),
        cmocka_unit_test(eintr_anywhere_changes_nothing),
        cmocka_unit_test(run_that_always_says_again_is_given_up),
        cmocka_unit_test(other_errors_of_run_end_the_vcpu),
        cmocka_unit_test(a_kick_before_run_keeps_the_guest_out),
        cmocka_unit_test(a_kick_on_the_way_in_is_seen_by_the_kernel),
        cmocka_unit_test(a_kicked_vcpu_ends_its_access_and_starts_nothing),
        cmocka_unit_test(a_thousand_pauses_each_get_through),
        cmocka_unit_test(an_interrupt_waits_for_its_window),
        cmocka_unit_test(an_nmi_is_given_at_once),
        cmocka_unit_test(an_init_resets_the_processor_but_not_its_msrs),
        cmocka_unit_test(a_halt_that_was_loaded_waits_for_an_interrupt),
        cmocka_unit_test(kept_back_writes_come_before_the_exit),
        cmocka_unit_test(any_failing_call_of_the_start_is_reported_and_leaves_nothing),
        cmocka_unit_test(any_failing_call_of_a_state_is_told_by_the_next_run),
        cmocka_unit_test(injection_that_fails_ends_the_vcpu),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(the_software_cpu_goes_on_at_the_failing_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
