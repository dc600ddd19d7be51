/*
 * Entering the guest and what comes back.
 *
 * Source: [KVM] KVM_RUN, "The kvm_run structure", KVM_INTERRUPT, KVM_NMI, KVM_CAP_COALESCED_MMIO.
 * Model:  an access ends with the next KVM_RUN. A kick is a bit of cpu->pending, then
 *         immediate_exit, then a signal if the thread is inside the kernel. We clear
 *         immediate_exit, then look at pending, then enter: whichever way they interleave, KVM_RUN
 *         sees one of the two, so no kick is lost.
 * Left out: A20 (KVM cannot mask an address line: it always passes), SMI (the accelerator says so,
 *         and firmware is told that SMM is set up).
 */
#include "core/accel/kvm/kvm.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/cpu/cpuid.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define KICK_SIGNAL SIGUSR1
#define MSR_APIC_BASE 0x1b
#define RING_MAX                                                                                   \
    ((4096 - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio))
#define MAX_AGAIN 1000          /* KVM_RUN that does not get on for so long never will */

/* ---- kicks ----------------------------------------------------------------------------------- */

/* A handler, unlike SIG_IGN, makes system calls return. */
static void on_kick(int number)
{
}

void kvm_kick_init(void)
{
    struct sigaction act = {.sa_handler = on_kick};
    sigaction(KICK_SIGNAL, &act, NULL);
}

static void set_immediate_exit(struct kvm_vcpu *v, uint8_t val)
{
    __atomic_store_n(&v->run->immediate_exit, val, __ATOMIC_SEQ_CST);
}

void kvm_vcpu_kick(struct vcpu *cpu)
{
    struct kvm_vcpu *v = kvm_vcpu_of(cpu);
    set_immediate_exit(v, 1);
    if (atomic_load(&v->in_kernel)) {
        pthread_kill(v->thread, KICK_SIGNAL);
    }
}

/* ---- before: events -------------------------------------------------------------------------- */

static void fail(struct kvm_vcpu *v, const char *what)
{
    if (v->failure[0] == '\0') {
        snprintf(v->failure, sizeof(v->failure), "%s: %s", what, strerror(errno));
    }
}

static void take_init(struct vcpu *cpu)
{
    struct x86_state s;
    kvm_get_state(cpu, &s);
    x86_state_reset(&s, cpu->machine->cpu_model->signature, true);
    kvm_set_state(cpu, &s);
}

/* The kernel takes an interrupt when the guest can take it at once; until then we ask for an exit.
 */
static void inject_interrupt(struct vcpu *cpu, struct kvm_vcpu *v)
{
    if (v->intr_ready) {
        struct kvm_interrupt intr = {.irq = (uint32_t)vcpu_acknowledge(cpu)};
        if (kvm_sys->ioctl(v->fd, KVM_INTERRUPT, &intr) < 0) {
            fail(v, "KVM_INTERRUPT");
        }
        v->intr_ready = false;
        v->activity = ACT_RUNNING;
    }
}

/* Gives the kernel what is pending; what it does not take is a failure of the vCPU. */
static void give_events(struct vcpu *cpu, struct kvm_vcpu *v)
{
    uint32_t pending = atomic_load(&cpu->pending);
    if (unlikely(pending & (PEND_A20 | PEND_SMI))) {
        atomic_fetch_and(&cpu->pending, ~(uint32_t)(PEND_A20 | PEND_SMI));
    }
    if (unlikely(pending & PEND_INIT)) {
        atomic_fetch_and(&cpu->pending, ~(uint32_t)PEND_INIT);
        take_init(cpu);
    }
    if (cpu->step == STEP_INSN_NO_INTR && v->activity == ACT_RUNNING) {
        v->run->request_interrupt_window = 0;
        return;
    }
    if (unlikely(pending & PEND_NMI)) {
        atomic_fetch_and(&cpu->pending, ~(uint32_t)(PEND_NMI | PEND_NMI_TOO));
        for (unsigned n = pending & PEND_NMI_TOO ? 2 : 1; n > 0; n--) {
            if (kvm_sys->ioctl(v->fd, KVM_NMI, NULL) < 0) {
                fail(v, "KVM_NMI");
            }
        }
        v->activity = ACT_RUNNING;
    }
    if (pending & PEND_INTR) {
        inject_interrupt(cpu, v);
    }
    v->run->request_interrupt_window = (atomic_load(&cpu->pending) & PEND_INTR) != 0;
}

/* ---- after ----------------------------------------------------------------------------------- */

/* Writes that the kernel kept back for us, in order. They happened before the exit. */
static void drain_ring(struct vcpu *cpu, struct kvm_vcpu *v)
{
    struct kvm_coalesced_mmio_ring *ring = v->ring;
    const unsigned max = RING_MAX;
    while (ring->first % max != __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE) % max) {
        const struct kvm_coalesced_mmio *w = &ring->coalesced_mmio[ring->first % max];
        unsigned size = (unsigned)min_u64(w->len, sizeof(w->data));
        struct space *space = w->pio ? &cpu->machine->ports : &cpu->machine->mem;
        if (size != 0) {
            vcpu_write(cpu, space, w->phys_addr, ld_le(w->data, size), size);
        }
        __atomic_store_n(&ring->first, (ring->first + 1) % max, __ATOMIC_RELEASE);
    }
}

/* What the exit tells besides its reason. */
static void note_exit(struct vcpu *cpu, struct kvm_vcpu *v)
{
    v->intr_ready = v->run->ready_for_interrupt_injection;
    v->interrupts_on = v->run->if_flag;
    if (v->ring != NULL) {
        drain_ring(cpu, v);
    }
    if (cpu->apic_ops == NULL) {
        return;
    }
    if (v->run->cr8 != v->cr8) {
        vcpu_set_cr8(cpu, (uint8_t)(v->run->cr8 & 15));
    }
    if (v->run->apic_base != v->apic_base) {
        v->apic_base = v->run->apic_base;
        vcpu_write_apic_msr(cpu, MSR_APIC_BASE, v->apic_base);
    }
}

static void exit_io(struct kvm_vcpu *v, const struct kvm_vm *vm, struct vcpu_exit *exit)
{
    const struct kvm_run *run = v->run;
    uint64_t bytes = (uint64_t)run->io.size * run->io.count;
    if ((run->io.size != 1 && run->io.size != 2 && run->io.size != 4) ||
        run->io.data_offset > vm->run_bytes || bytes > vm->run_bytes - run->io.data_offset) {
        exit->reason = EXIT_ERROR;
        snprintf(exit->error.text, sizeof(exit->error.text),
                 "KVM_EXIT_IO: %u items of %u bytes at %llu", run->io.count, run->io.size,
                 (unsigned long long)run->io.data_offset);
        return;
    }
    exit->reason = EXIT_IO;
    exit->io.port = run->io.port;
    exit->io.size = run->io.size;
    exit->io.out = run->io.direction == KVM_EXIT_IO_OUT;
    exit->io.count = run->io.count;
    exit->io.data = (uint8_t *)v->run + run->io.data_offset;
    v->access_open = true;
}

static void exit_mmio(struct kvm_vcpu *v, struct vcpu_exit *exit)
{
    struct kvm_run *run = v->run;
    if (run->mmio.len == 0 || run->mmio.len > sizeof(run->mmio.data)) {
        exit->reason = EXIT_ERROR;
        snprintf(exit->error.text, sizeof(exit->error.text), "KVM_EXIT_MMIO: %u bytes",
                 run->mmio.len);
        return;
    }
    exit->reason = EXIT_MMIO;
    exit->mmio.addr = run->mmio.phys_addr;
    exit->mmio.size = (uint8_t)run->mmio.len;
    exit->mmio.write = run->mmio.is_write != 0;
    exit->mmio.data = run->mmio.data;
    v->access_open = true;
}

/* [KVM] KVM_EXIT_SYSTEM_EVENT: the guest ended the machine by a way that the kernel serves. */
static void exit_system_event(struct vcpu *cpu, struct vcpu_exit *exit)
{
    uint32_t type = kvm_vcpu_of(cpu)->run->system_event.type;
    exit->name = "KVM_EXIT_SYSTEM_EVENT";
    if (type == KVM_SYSTEM_EVENT_RESET || type == KVM_SYSTEM_EVENT_SHUTDOWN) {
        exit->reason = EXIT_SHUTDOWN;
    } else {
        kvm_failure(cpu, exit);
    }
}

static void decode(struct vcpu *cpu, struct kvm_vcpu *v, struct vcpu_exit *exit)
{
    switch (v->run->exit_reason) {
    case KVM_EXIT_IO:
        exit_io(v, kvm_vm_of(cpu->machine), exit);
        break;
    case KVM_EXIT_MMIO:
        exit_mmio(v, exit);
        break;
    case KVM_EXIT_HLT:
        v->activity = ACT_HALTED;
        exit->reason = kvm_debug_stepped(cpu) ? EXIT_DEBUG : EXIT_HALT;
        break;
    case KVM_EXIT_IRQ_WINDOW_OPEN:
        exit->reason = EXIT_IRQ_WINDOW;
        break;
    case KVM_EXIT_SET_TPR: /* the TPR is lower now: note_exit told the APIC */
        exit->reason = EXIT_IRQ_WINDOW;
        exit->name = "KVM_EXIT_SET_TPR";
        break;
    case KVM_EXIT_INTR:
        exit->reason = EXIT_KICKED;
        break;
    case KVM_EXIT_DEBUG:
        exit->reason = kvm_debug_exit(cpu) ? EXIT_DEBUG : EXIT_KICKED;
        exit->name = "KVM_EXIT_DEBUG";
        break;
    case KVM_EXIT_SHUTDOWN:
        v->activity = ACT_SHUTDOWN;
        exit->reason = EXIT_SHUTDOWN;
        break;
    case KVM_EXIT_SYSTEM_EVENT:
        exit_system_event(cpu, exit);
        break;
    default:
        kvm_failure(cpu, exit);
        break;
    }
}

static void run_failed(struct kvm_vcpu *v, struct vcpu_exit *exit, int errnum)
{
    if (errnum == EINTR || (errnum == EAGAIN && ++v->again < MAX_AGAIN)) {
        exit->reason = EXIT_KICKED;
        return;
    }
    exit->reason = EXIT_ERROR;
    snprintf(exit->error.text, sizeof(exit->error.text), "KVM_RUN: %s", strerror(errnum));
}

/* ---- run ------------------------------------------------------------------------------------- */

/* What there is to report instead of entering. */
static bool broken(struct vcpu *cpu, struct kvm_vcpu *v, struct vcpu_exit *exit)
{
    const struct kvm_vm *vm = kvm_vm_of(cpu->machine);
    const char *why = v->failure[0] != '\0' ? v->failure : vm->broken ? vm->failure : NULL;
    if (why != NULL) {
        exit->reason = EXIT_ERROR;
        snprintf(exit->error.text, sizeof(exit->error.text), "%s", why);
    }
    return why != NULL;
}

/* A halt that set_state brought; the run loop knows of its own. */
static bool still_halted(struct vcpu *cpu, struct kvm_vcpu *v, struct vcpu_exit *exit)
{
    uint32_t wakes = PEND_INIT | PEND_NMI | (v->interrupts_on ? PEND_INTR : 0);
    if (v->activity == ACT_HALTED && !(atomic_load(&cpu->pending) & wakes)) {
        exit->reason = EXIT_HALT;
        return true;
    }
    if (v->activity == ACT_HALTED) {
        v->activity = ACT_RUNNING;
    }
    return false;
}

static int enter(struct kvm_vcpu *v)
{
    v->thread = pthread_self();
    atomic_store(&v->in_kernel, true);
    int rc = kvm_sys->ioctl(v->fd, KVM_RUN, NULL);
    int errnum = rc < 0 ? errno : 0;
    atomic_store(&v->in_kernel, false);
    v->entries++;
    v->ran = true;
    return errnum;
}

void kvm_vcpu_run(struct vcpu *cpu, struct vcpu_exit *exit)
{
    struct kvm_vcpu *v = kvm_vcpu_of(cpu);
    bool stepped = unlikely(v->debug.control & KVM_GUESTDBG_SINGLESTEP) && v->access_open;
    set_immediate_exit(v, 0);
    bool kicked = atomic_load(&cpu->pending) & PEND_KICK;
    if (unlikely(kicked && !v->access_open)) {
        exit->reason = EXIT_KICKED;
        return;
    }
    if (unlikely(kicked || stepped)) {
        set_immediate_exit(v, 1); /* ends the access, and starts no other instruction */
    } else if (still_halted(cpu, v, exit)) {
        return;
    } else {
        give_events(cpu, v);
    }
    if (unlikely(broken(cpu, v, exit))) {
        return;
    }
    if (cpu->apic_ops != NULL) {
        v->run->cr8 = v->cr8 = vcpu_cr8(cpu);
    }
    bool debugged = unlikely(v->debug.wanted || v->debug.control != 0);
    if (debugged) {
        kvm_debug_enter(cpu);
    }
    v->access_open = false;
    int errnum = enter(v);
    if (debugged) {
        kvm_debug_left(v);
    }
    note_exit(cpu, v);
    if (unlikely(stepped && errnum == EINTR)) { /* the access was the end of its instruction */
        exit->reason = kvm_debug_stepped(cpu) ? EXIT_DEBUG : EXIT_KICKED;
        return;
    }
    if (unlikely(errnum != 0)) {
        run_failed(v, exit, errnum);
        return;
    }
    v->again = 0;
    decode(cpu, v, exit);
}
