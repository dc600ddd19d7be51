/*
 * The system calls that this accelerator makes. They go through one table, so that a test can stand
 * in for the kernel and answer with any exit and any error.
 */
#ifndef CORE_ACCEL_KVM_KVM_SYS_H
#define CORE_ACCEL_KVM_KVM_SYS_H

#include <stddef.h>

struct kvm_sys {
    int (*open)(const char *path);                              /* for reading and writing */
    void (*close)(int fd);
    int (*ioctl)(int fd, unsigned long request, void *arg);     /* -1: errno says why */
    void *(*map)(int fd, size_t bytes);                         /* NULL: errno says why */
    void (*unmap)(void *p, size_t bytes);
};

extern const struct kvm_sys kvm_sys_linux;

/* What is used; only tests change it. */
extern const struct kvm_sys *kvm_sys;

#endif
