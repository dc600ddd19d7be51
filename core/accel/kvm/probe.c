/*
 * Whether KVM is worth it here. A node that opens may be a virtual machine's own imitation,
 * hundreds of times slower than the software CPU, or hang. So a child runs a small loop and some
 * port accesses on it; it has 20 ms, then it is killed. The answer holds until the host restarts.
 *
 * Model:  faster means less than FAST_NS for an instruction; the software CPU needs some more.
 *         What an exit costs is told, but does not decide: on real processors it is always less
 *         than it gains.
 */
#include "core/accel/kvm/kvm.h"

#include "core/accel/kvm/remember.h"
#include "core/base/bits.h"
#include "core/event/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_MS    20
#define FAST_NS     4
#define CODE_ADDR   0x1000u
#define SHORT_LOOP  500u     /* turns: half a millisecond where KVM is imitated */
#define LONG_LOOP   50000u   /* when the short one was too short to measure */
#define SHORT_NS    100000
#define INSNS       2        /* in a turn */
#define EXITS       16

/* ---- the child ------------------------------------------------------------------------------- */

static const uint8_t code[] = {
    0x66, 0x89, 0xd9,        /*        mov ecx, ebx */
    0x66, 0x49,              /* again: dec ecx */
    0x75, 0xfc,              /*        jnz again */
    0xe6, 0x10,              /* more:  out 10h, al */
    0xeb, 0xfc,              /*        jmp more */
};

struct trial {
    int vcpu;
    struct kvm_run *run;
};

static bool start(struct trial *t, struct kvm_answer *a)
{
    struct kvm_caps caps;
    struct error *err = NULL;
    int kvm = kvm_open(&caps, &err);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (kvm < 0 || page == MAP_FAILED) {
        snprintf(a->text, sizeof(a->text), "%s", error_text(err));
        return false;
    }
    memcpy(page, code, sizeof(code));
    struct kvm_userspace_memory_region region = {
        .guest_phys_addr = CODE_ADDR, .memory_size = 4096, .userspace_addr = (uintptr_t)page,
    };
    uint64_t map = KVM_IDENTITY_MAP_ADDR;
    int bytes = kvm_sys->ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
    int vm = kvm_sys->ioctl(kvm, KVM_CREATE_VM, NULL);
    if (vm >= 0 && bytes > 0 && kvm_sys->ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &map) >= 0 &&
        kvm_sys->ioctl(vm, KVM_SET_TSS_ADDR, (void *)(uintptr_t)KVM_TSS_ADDR) >= 0 &&
        kvm_sys->ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) >= 0) {
        t->vcpu = kvm_sys->ioctl(vm, KVM_CREATE_VCPU, NULL);
        t->run = t->vcpu >= 0 ? kvm_sys->map(t->vcpu, (size_t)bytes) : NULL;
    }
    if (t->run == NULL) {
        snprintf(a->text, sizeof(a->text), "cannot make a virtual machine: %s", strerror(errno));
        return false;
    }
    return true;
}

/* Runs to the next port access; ns, or -1. */
static int64_t run_to_exit(struct trial *t)
{
    int64_t before = host_now_ns();
    while (kvm_sys->ioctl(t->vcpu, KVM_RUN, NULL) < 0) {
        if (errno != EINTR && errno != EAGAIN) {
            return -1;
        }
    }
    return t->run->exit_reason == KVM_EXIT_IO ? host_now_ns() - before : -1;
}

static int64_t time_loop(struct trial *t, uint32_t turns)
{
    struct kvm_regs regs = {.rip = CODE_ADDR, .rbx = turns, .rflags = FL_1};
    struct kvm_sregs sregs;
    if (kvm_sys->ioctl(t->vcpu, KVM_GET_SREGS, &sregs) < 0) {
        return -1;
    }
    sregs.cs.base = sregs.cs.selector = 0;
    if (kvm_sys->ioctl(t->vcpu, KVM_SET_SREGS, &sregs) < 0 ||
        kvm_sys->ioctl(t->vcpu, KVM_SET_REGS, &regs) < 0) {
        return -1;
    }
    return run_to_exit(t);
}

static bool measure_both(struct trial *t, struct kvm_answer *a)
{
    uint32_t turns = SHORT_LOOP;
    int64_t ns = time_loop(t, turns);
    if (ns >= 0 && ns < SHORT_NS) {
        run_to_exit(t); /* ends the access */
        turns = LONG_LOOP;
        ns = time_loop(t, turns);
    }
    int64_t exits_ns = 0;
    for (unsigned i = 0; ns >= 0 && i < EXITS; i++) {
        int64_t one = run_to_exit(t);
        exits_ns += one;
        ns = one < 0 ? -1 : ns;
    }
    if (ns < 0) {
        snprintf(a->text, sizeof(a->text),
                 "does not run a loop of three instructions (exit %u, %s)", t->run->exit_reason,
                 strerror(errno));
        return false;
    }
    a->insn_ps = ns * 1000 / ((int64_t)turns * INSNS);
    a->exit_ns = exits_ns / EXITS;
    return true;
}

static void child(int out)
{
    struct kvm_answer a = {0};
    struct trial t = {.vcpu = -1};
    a.kind = start(&t, &a) && measure_both(&t, &a) ? KVM_MEASURED : KVM_FAILED;
    ssize_t n = write(out, &a, sizeof(a));
    _exit(n == sizeof(a) ? 0 : 1);
}

/* ---- the parent ------------------------------------------------------------------------------ */

static void wait_for_answer(int in, struct kvm_answer *a)
{
    int64_t end = host_now_ns() + LIMIT_MS * NS_PER_MS;
    struct pollfd fd = {.fd = in, .events = POLLIN};
    int64_t left;
    while ((left = end - host_now_ns()) > 0) {
        int ready = poll(&fd, 1, (int)((left + NS_PER_MS - 1) / NS_PER_MS));
        if (ready > 0) {
            if (read(in, a, sizeof(*a)) != sizeof(*a)) {
                a->kind = KVM_FAILED;
                snprintf(a->text, sizeof(a->text), "its trial ended without an answer");
            }
            a->text[sizeof(a->text) - 1] = '\0';
            return;
        }
    }
    a->kind = KVM_SILENT;
}

static void ask(struct kvm_answer *a)
{
    int ends[2];
    *a = (struct kvm_answer){.kind = KVM_FAILED};
    if (pipe2(ends, O_CLOEXEC) < 0) {
        snprintf(a->text, sizeof(a->text), "pipe: %s", strerror(errno));
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child(ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        snprintf(a->text, sizeof(a->text), "fork: %s", strerror(errno));
    } else {
        wait_for_answer(ends[0], a);
        kill(pid, SIGKILL);
        waitpid(pid, NULL,
                WNOHANG); /* the end of a VM takes the kernel some time: not ours to wait for */
    }
    close(ends[0]);
}

static bool describe(const struct kvm_answer *a, char *text, size_t bytes)
{
    bool fast = a->kind == KVM_MEASURED && a->insn_ps < FAST_NS * 1000;
    switch (a->kind) {
    case KVM_MEASURED:
        snprintf(text, bytes, "%s, %.*f ns per instruction, %.1f us per exit%s",
                 fast ? "real" : "emulated", a->insn_ps < 10000 ? 2 : 0, (double)a->insn_ps / 1000,
                 (double)a->exit_ns / 1000, fast ? "" : ": software CPU is faster");
        break;
    case KVM_SILENT:
        snprintf(text, bytes, "gave no answer in %d ms: software CPU is used", LIMIT_MS);
        break;
    default:
        snprintf(text, bytes, "%s", a->text);
        break;
    }
    return fast;
}

bool kvm_measure(bool again, char *text, size_t bytes)
{
    struct kvm_answer a;
    struct error *err = NULL;
    if (!kvm_probe(&err)) { /* no node, no permission: told as it is now, not as it was */
        snprintf(text, bytes, "%s", error_text(err));
        error_free(err);
        return false;
    }
    if (again || !kvm_recall(&a)) {
        ask(&a);
        if (a.kind != KVM_FAILED) {
            kvm_remember(&a);
        }
    }
    return describe(&a, text, bytes);
}

bool kvm_probe(struct error **err)
{
    struct kvm_caps caps;
    int kvm = kvm_open(&caps, err);
    if (kvm < 0) {
        return false;
    }
    kvm_sys->close(kvm);
    return true;
}
