/* Whole reads and writes of files at an offset, whatever the system hands over at once. */
#include "core/block/drivers.h"

#include <errno.h>
#include <unistd.h>

bool file_read(int fd, const char *what, uint64_t off, void *buf, size_t len, struct error **err)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(off + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return error_errno(err, errno, "read %s", what);
        }
        if (n == 0) {
            return error_set(err, "read %s: the file got shorter while in use", what);
        }
        done += (size_t)n;
    }
    return true;
}

bool file_write(int fd, const char *what, uint64_t off, const void *buf, size_t len,
                struct error **err)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pwrite(fd, (const char *)buf + done, len - done, (off_t)(off + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return error_errno(err, n < 0 ? errno : ENOSPC, "write %s", what);
        }
        done += (size_t)n;
    }
    return true;
}
