#include "core/accel/kvm/kvm_sys.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int sys_open(const char *path)
{
    return open(path, O_RDWR | O_CLOEXEC);
}

static void sys_close(int fd)
{
    close(fd);
}

static int sys_ioctl(int fd, unsigned long request, void *arg)
{
    return ioctl(fd, request, arg);
}

static void *sys_map(int fd, size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return p != MAP_FAILED ? p : NULL;
}

static void sys_unmap(void *p, size_t bytes)
{
    munmap(p, bytes);
}

const struct kvm_sys kvm_sys_linux = {
    .open = sys_open, .close = sys_close, .ioctl = sys_ioctl, .map = sys_map, .unmap = sys_unmap,
};

const struct kvm_sys *kvm_sys = &kvm_sys_linux;
