/*
 * Locks on image files: one writer or many readers.
 *
 * Open file description locks (fcntl F_OFD_SETLK) belong to the open file, so they work between two
 * drives of one process too, and vanish with it. The kernel names no owner for them: F_OFD_GETLK
 * and /proc/locks say -1. The holder is found in /proc/PID/fdinfo, where each open file lists its
 * locks; other users' processes stay hidden from us.
 */
#include "core/block/drivers.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether fdinfo file @path lists a lock and the file it speaks of is @st. @link is the matching
 * entry of /proc/PID/fd. */
static bool holds_lock(const char *path, const char *link, const struct stat *st)
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
        found = strncmp(line, "lock:", 5) == 0;
    }
    fclose(f);
    return found;
}

/* Whether process @pid has a locked open file @st, other than our own @own_fd. */
static bool process_holds(const char *pid, const struct stat *st, int own_fd)
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
        found = holds_lock(info, link, st);
    }
    closedir(d);
    return found;
}

/* The process that has the file of @fd locked; 0 if the host does not show it. */
static int find_holder(int fd)
{
    struct stat st;
    int pid = 0;

    DIR *d = fstat(fd, &st) == 0 ? opendir("/proc") : NULL;
    if (d == NULL) {
        return 0;
    }
    for (struct dirent *e; pid == 0 && (e = readdir(d)) != NULL;) {
        if (isdigit((unsigned char)e->d_name[0]) && process_holds(e->d_name, &st, fd)) {
            pid = atoi(e->d_name);
        }
    }
    closedir(d);
    return pid;
}

static bool report_holder(int fd, const char *path, struct error **err)
{
    char comm_path[64], comm[32] = "";
    int pid = find_holder(fd);

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

bool image_lock(int fd, const char *path, bool writer, struct error **err)
{
    /* l_len 0: to the end, wherever that is; l_pid must be 0. */
    struct flock lock = {.l_type = writer ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
        return true;
    }
    if (errno == EAGAIN || errno == EACCES) {
        return report_holder(fd, path, err);
    }
    return true;
}
