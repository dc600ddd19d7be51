/* See codemem.h. */
#include "core/accel/jit/codemem.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

bool codemem_init(struct codemem *m, size_t bytes, struct error **err)
{
    int fd = memfd_create("coldboot-code", MFD_CLOEXEC);
    if (fd < 0) {
        return error_errno(err, errno, "memory for translated code");
    }
    if (ftruncate(fd, (off_t)bytes) < 0) {
        error_errno(err, errno, "memory for translated code");
        goto close_fd;
    }
    void *rw = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (rw == MAP_FAILED) {
        error_errno(err, errno, "map memory for translated code");
        goto close_fd;
    }
    void *rx = mmap(NULL, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    if (rx == MAP_FAILED) {
        error_errno(err, errno, "this host forbids executable memory");
        goto unmap;
    }
    close(fd);
    *m = (struct codemem){.rw = rw, .rx = rx, .bytes = bytes};
    return true;
unmap:
    munmap(rw, bytes);
close_fd:
    close(fd);
    return false;
}

/* A shared mapping is doubled by moving none of it ([mremap] old_size 0). */
bool codemem_init_unnamed(struct codemem *m, size_t bytes, struct error **err)
{
    void *rw = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (rw == MAP_FAILED) {
        return error_errno(err, errno, "memory for translated code");
    }
    void *rx = mremap(rw, 0, bytes, MREMAP_MAYMOVE);
    if (rx == MAP_FAILED) {
        error_errno(err, errno, "map memory for translated code");
        goto unmap_rw;
    }
    if (mprotect(rx, bytes, PROT_READ | PROT_EXEC) < 0) {
        error_errno(err, errno, "this host forbids executable memory");
        goto unmap_rx;
    }
    *m = (struct codemem){.rw = rw, .rx = rx, .bytes = bytes};
    return true;
unmap_rx:
    munmap(rx, bytes);
unmap_rw:
    munmap(rw, bytes);
    return false;
}

void codemem_fini(struct codemem *m)
{
    if (m->rw) {
        munmap(m->rw, m->bytes);
        munmap(m->rx, m->bytes);
    }
    *m = (struct codemem){0};
}
