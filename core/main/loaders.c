#include "core/main/loaders.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (256 * MiB)

static bool read_all(int fd, uint8_t *data, size_t bytes, size_t *done)
{
    for (*done = 0; *done < bytes;) {
        ssize_t n = read(fd, data + *done, bytes - *done);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        if (n == 0) {
            return true;
        }
        *done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* A regular file of 1 byte to FILE_MAX. */
static bool read_file(const char *file, uint8_t **data, size_t *bytes, struct error **err)
{
    struct stat st;
    bool ok = false;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        error_errno(err, errno, "%s", file);
    } else if (!S_ISREG(st.st_mode)) {
        error_set(err, "%s: is not a regular file", file);
    } else if (st.st_size == 0 || (uint64_t)st.st_size > FILE_MAX) {
        error_set(err, "%s: has %lld bytes, not 1 byte to 256 MiB", file, (long long)st.st_size);
    } else {
        *data = try_alloc((size_t)st.st_size);
        ok = *data != NULL && read_all(fd, *data, (size_t)st.st_size, bytes);
        if (!ok) {
            error_errno(err, *data != NULL ? errno : ENOMEM, "%s", file);
            free(*data);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

struct part_loader *loaders_add(struct loaders *ls, const char *file, uint64_t addr,
                                struct error **err)
{
    if (ls->n == LOADERS_MAX) {
        error_set(err, "more than %d files to load", LOADERS_MAX);
        return NULL;
    }
    struct part_loader *l = &ls->list[ls->n];
    *l = (struct part_loader){.addr = addr};
    if (!read_file(file, &l->data, &l->bytes, err)) {
        return NULL;
    }
    snprintf(l->id, sizeof(l->id), "loader%u", ls->n);
    l->file = xstrdup(file);
    ls->n++;
    return l;
}

static bool is_program(const struct part_loader *l)
{
    return l->bytes >= 4 && memcmp(l->data, "\177ELF", 4) == 0;
}

bool loaders_add_device(struct loaders *ls, struct opts *o, struct error **err)
{
    const char *file = opts_get(o, "file");
    uint64_t addr = UINT64_MAX, cpu = UINT64_MAX;
    bool raw = false;
    if (!opts_u64(o, "addr", 0, (1ull << MACHINE_PHYS_BITS) - 1, &addr, err) ||
        !opts_u64(o, "cpu-num", 0, MACHINE_MAX_VCPUS - 1, &cpu, err) ||
        !opts_bool(o, "force-raw", &raw, err)) {
        return false;
    }
    if (file == NULL || addr == UINT64_MAX) {
        return error_set(err, "file= and addr= are needed");
    }
    struct part_loader *l = loaders_add(ls, file, addr, err);
    if (l == NULL) {
        return false;
    }
    if (is_program(l) && !raw) {
        return error_set(err, "%s: is an ELF file; it is loaded as it is with force-raw=on", file);
    }
    l->starts = cpu != UINT64_MAX;
    l->cpu = l->starts ? (unsigned)cpu : 0;
    l->start.addr = addr;
    return true;
}

bool loaders_install(struct loaders *ls, struct machine *m, struct error **err)
{
    for (unsigned i = 0; i < ls->n; i++) {
        struct part_loader *l = &ls->list[i];
        if (!loader_init(&l->device, m, l->id, l->addr, l->data, l->bytes, err)) {
            return error_prefix(err, "%s", l->file);
        }
        if (l->starts && l->cpu >= m->n_vcpus) {
            return error_set(err, "%s: there is no CPU %u", l->file, l->cpu);
        }
        if (l->starts) {
            vcpu_set_start(m, l->cpu, &l->start);
        }
    }
    return true;
}

void loaders_free(struct loaders *ls)
{
    for (unsigned i = 0; i < ls->n; i++) {
        free(ls->list[i].file);
        free(ls->list[i].data);
    }
    ls->n = 0;
}
