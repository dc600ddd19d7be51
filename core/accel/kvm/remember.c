#include "core/accel/kvm/remember.h"

#include "core/base/alloc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT     "coldboot-kvm-1"
#define MAX_BYTES  256
#define ID_BYTES   40

/* The host's boot ID, without the newline; false where it is not told. */
static bool boot_id(char id[ID_BYTES])
{
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    bool ok = f != NULL && fgets(id, ID_BYTES, f) != NULL && strlen(id) >= 36;
    if (f != NULL) {
        fclose(f);
    }
    if (ok) {
        id[strcspn(id, "\n")] = '\0';
    }
    return ok;
}

/* To be freed. /tmp is everybody's, so there the name has the user in it. */
static char *file_name(void)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");
    if (dir != NULL && dir[0] == '/') {
        return xasprintf("%s/coldboot-kvm", dir);
    }
    return geteuid() == 0 ? xstrdup("/run/coldboot-kvm")
                          : xasprintf("/tmp/coldboot-kvm-%u", (unsigned)geteuid());
}

/* A plain file of ours that nobody else can write and no other name leads to. */
static bool is_ours(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
           st.st_nlink == 1 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 && st.st_size < MAX_BYTES;
}

bool kvm_recall(struct kvm_answer *a)
{
    char id[ID_BYTES], known[ID_BYTES], text[MAX_BYTES] = "", *name = file_name();
    int fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool ok = fd >= 0 && is_ours(fd) && read(fd, text, sizeof(text) - 1) > 0 && boot_id(id);
    if (fd >= 0) {
        close(fd);
    }
    free(name);
    int kind;
    *a = (struct kvm_answer){0};
    ok = ok &&
         sscanf(text, FORMAT " %39s %d %" SCNd64 " %" SCNd64, known, &kind, &a->insn_ps,
                &a->exit_ns) == 4 &&
         strcmp(known, id) == 0 && (kind == KVM_MEASURED || kind == KVM_SILENT) &&
         a->insn_ps >= 0 && a->exit_ns >= 0;
    if (ok) {
        a->kind = (enum kvm_answer_kind)kind;
    }
    return ok;
}

/* A new file under a name that nobody can guess or hold, then renamed: a rename replaces a link, it
 * does not follow it. */
void kvm_remember(const struct kvm_answer *a)
{
    char id[ID_BYTES], text[MAX_BYTES];
    if (a->kind == KVM_FAILED || !boot_id(id)) {
        return;
    }
    char *name = file_name(), *fresh = xasprintf("%s.XXXXXX", name);
    int n = snprintf(text, sizeof(text), FORMAT " %s %d %" PRId64 " %" PRId64 "\n", id,
                     (int)a->kind, a->insn_ps, a->exit_ns);
    int fd = mkostemp(fresh, O_CLOEXEC); /* O_CREAT | O_EXCL, mode 0600 */
    if (fd >= 0) {
        bool ok = write(fd, text, (size_t)n) == n;
        ok = close(fd) == 0 && ok;
        if (!ok || rename(fresh, name) < 0) {
            unlink(fresh);
        }
    }
    free(fresh);
    free(name);
}
