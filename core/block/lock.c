/*
 * Locks on image files: one writer or many readers.
 *
 * The protocol is QEMU's, so that its processes and ours share an image and exclude each other.
 * Each right that an opener uses has a byte of the file, and each that it denies to others has
 * another one; openers hold read locks on them, which never exclude each other. Who holds its own
 * looks whether anybody denies what it uses, or uses what it denies. Of two that come at the same
 * moment both may find the other.
 *
 * Source: QEMU, the raw POSIX driver's bytes, as /proc/PID/fdinfo of QEMU 7.2 shows them.
 *
 * Open file description locks (fcntl F_OFD_SETLK) belong to the open file, so they work between two
 * drives of one process too, and vanish with it. The kernel names no owner for them: F_OFD_GETLK
 * and /proc/locks say -1. The holder is found in /proc/PID/fdinfo, where each open file lists its
 * locks; other users' processes stay hidden from us.
 */
#include "core/block/drivers.h"

#include "core/base/bits.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define USED_AT   100        /* bytes of the file: this and the right */
#define DENIED_AT 200
enum { READ_RIGHT = BIT(0), WRITE_RIGHT = BIT(1), RESIZE_RIGHT = BIT(3), ALL_RIGHTS = 0xf };

/* Whether @line of an fdinfo file is a lock of byte @at: "lock: 1: OFDLCK ADVISORY READ -1
 * 08:01:1234 100 101"; the last number may be EOF. */
static bool is_lock_of(const char *line, off_t at)
{
    const char *last = strrchr(line, ' ');
    if (strncmp(line, "lock:", 5) != 0 || last == NULL) {
        return false;
    }
    const char *first = last;
    while (first > line && first[-1] != ' ') {
        first--;
    }
    return strtoll(first, NULL, 10) <= at &&
           (strncmp(last + 1, "EOF", 3) == 0 || at <= strtoll(last + 1, NULL, 10));
}

/* Whether fdinfo file @path lists a lock of byte @at and the file it speaks of is @st. @link is the
 * matching entry of /proc/PID/fd. */
static bool holds_lock(const char *path, const char *link, const struct stat *st, off_t at)
{
    struct stat other;
    char line[256];
    bool found = false;

    if (stat(link, &other) < 0 || other.st_dev != st->st_dev || other.st_ino != st->st_ino) {
        return false;
    }
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    while (!found && fgets(line, sizeof(line), f) != NULL) {
        found = is_lock_of(line, at);
    }
    fclose(f);
    return found;
}

/* Whether process @pid has byte @at of file @st locked, other than by our own @own_fd. */
static bool process_holds(const char *pid, const struct stat *st, off_t at, int own_fd)
{
    char dir[64], info[384], link[384];
    bool found = false;

    snprintf(dir, sizeof(dir), "/proc/%.20s/fdinfo", pid);
    DIR *d = opendir(dir);
    if (d == NULL) {
        return false;
    }
    for (struct dirent *e; !found && (e = readdir(d)) != NULL;) {
        if (!isdigit((unsigned char)e->d_name[0]) ||
            (atoi(pid) == getpid() && atoi(e->d_name) == own_fd)) {
            continue;
        }
        snprintf(info, sizeof(info), "%s/%s", dir, e->d_name);
        snprintf(link, sizeof(link), "/proc/%.20s/fd/%s", pid, e->d_name);
        found = holds_lock(info, link, st, at);
    }
    closedir(d);
    return found;
}

/* The process that has byte @at of the file of @fd locked; 0 if the host does not show it. */
static int find_holder(int fd, off_t at)
{
    struct stat st;
    int pid = 0;

    DIR *d = fstat(fd, &st) == 0 ? opendir("/proc") : NULL;
    if (d == NULL) {
        return 0;
    }
    for (struct dirent *e; pid == 0 && (e = readdir(d)) != NULL;) {
        if (isdigit((unsigned char)e->d_name[0]) && process_holds(e->d_name, &st, at, fd)) {
            pid = atoi(e->d_name);
        }
    }
    closedir(d);
    return pid;
}

static bool report_holder(int fd, const char *path, off_t at, struct error **err)
{
    char comm_path[64], comm[32] = "";
    int pid = find_holder(fd, at);

    if (pid == 0) {
        return error_set(err, "open %s: locked by another process", path);
    }
    if (pid == getpid()) {
        return error_set(err, "open %s: is in use by this machine already", path);
    }
    snprintf(comm_path, sizeof(comm_path), "/proc/%d/comm", pid);
    FILE *f = fopen(comm_path, "re");
    if (f != NULL) {
        if (fgets(comm, sizeof(comm), f) != NULL) {
            comm[strcspn(comm, "\n")] = '\0';
        }
        fclose(f);
    }
    return error_set(err, "open %s: locked by process %d (%s)", path, pid, comm);
}

/* Read locks on byte @base + n for each bit n of @rights; or a look at whether another holds one.
 * False: one is held, and *at says which, or there are no locks here. */
static bool lock_bytes(int fd, off_t base, unsigned rights, bool only_look, off_t *at)
{
    for (unsigned n = 0; BIT(n) <= ALL_RIGHTS; n++) {
        /* l_pid must be 0. A write lock would find any other in its way. */
        struct flock lock = {.l_type = only_look ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET,
                             .l_start = base + n, .l_len = 1};
        if (!(rights & BIT(n))) {
            continue;
        }
        bool done = fcntl(fd, only_look ? F_OFD_GETLK : F_OFD_SETLK, &lock) == 0;
        bool held = done ? only_look && lock.l_type != F_UNLCK : errno == EAGAIN || errno == EACCES;
        if (held) {
            *at = base + n;
        }
        if (held || !done) {
            return false;
        }
    }
    return true;
}

bool image_lock(int fd, const char *path, bool writer, struct error **err)
{
    unsigned used = READ_RIGHT | (writer ? WRITE_RIGHT | RESIZE_RIGHT : 0);
    unsigned denied = WRITE_RIGHT | RESIZE_RIGHT;
    off_t at = -1;

    bool free = lock_bytes(fd, USED_AT, used, false, &at) &&
                lock_bytes(fd, DENIED_AT, denied, false, &at) &&
                lock_bytes(fd, DENIED_AT, used, true, &at) &&
                lock_bytes(fd, USED_AT, denied, true, &at);
    return free || at < 0 || report_holder(fd, path, at, err);
}
