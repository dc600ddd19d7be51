/*
 * What an exit costs us, without the kernel: a port write on a kernel that answers at once. Prints
 * nanoseconds.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/accel/exit.h"
#include "core/cpu/cpuid.h"
#include "unit/kvm_fake.h"

#include <stdio.h>

#define EXITS 2000000u

static void out_byte(struct fake_kernel *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_IO;
    run->io.direction = KVM_EXIT_IO_OUT;
    run->io.size = 1;
    run->io.port = 0x10;
    run->io.count = 1;
    run->io.data_offset = FAKE_DATA;
    f->at = f->runs < EXITS ? 0 : f->at;
}

static void halt(struct fake_kernel *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_HLT;
}

static void drop(void *dev, uint64_t off, uint64_t val, unsigned size)
{
}

int main(void)
{
    static const struct region_ops ops = {.write = drop, .width = 1};
    struct machine m;
    struct region port;
    struct error *err = NULL;
    fake_reset();
    if (!machine_init(&m, CLOCK_HOST_DRIVEN, 0, &err) ||
        !machine_ram_init(&m, 2 * MiB, MACHINE_LOW_MAX, &err)) {
        return 1;
    }
    region_io(&port, "port", &ops, NULL, 0x20);
    region_map(&m.ports.root, &port, 0, 0);
    machine_commit(&m);
    m.accel = &kvm_accel;
    m.cpu_model = x86_model_default();
    struct vcpu cpu = {.machine = &m, .accel = &kvm_accel, .a20 = true};
    struct vcpu_exit exit;
    if (!kvm_vm_init(&m, &err) || !kvm_vcpu_init(&cpu, &err)) {
        fprintf(stderr, "%s\n", error_text(err));
        return 1;
    }
    fake_step(out_byte);
    fake_step(halt);
    int64_t before = host_now_ns();
    vcpu_run(&cpu, &exit);
    printf("%.1f\n", (double)(host_now_ns() - before) / fake.runs);
    kvm_vcpu_fini(&cpu);
    kvm_vm_fini(&m);
    machine_fini(&m);
    return exit.reason == EXIT_HALT ? 0 : 1;
}
