/*
 * Character devices on file descriptors.
 *
 * What is written after a silence goes out at once. Then output collects in a buffer for a few
 * milliseconds, since guests write byte by byte and a system call a byte would cost more than the
 * byte's emulation. A reader that is too slow makes the buffer grow full, and what comes then is
 * dropped: the guest never waits for the host's reader.
 */
#include "core/device/chardev_fd.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/log.h"
#include "core/base/tty.h"
#include "core/event/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define BUFFER_BYTES  (256 * KiB)
#define ENOUGH_BYTES  (8 * KiB) /* so much is written without waiting for more */
#define COLLECT_NS    (5 * NS_PER_MS)
#define LINGER_MS     500  /* how long the end waits for a reader to take the rest */
#define CAREFUL_BYTES 512u /* _POSIX_PIPE_BUF: does not block after a POLLOUT */

struct chardev_fd {
    struct chardev c;
    struct loop *loop; /* borrowed, may be NULL */
    struct chardev_fd_hooks hooks;
    int in_fd, out_fd; /* -1: none; closed at the end, except standard input */
    char *name;        /* the label, where it is our own */
    int keep_fd;       /* only held open; -1: none */
    bool may_block;    /* out_fd could not be made non-blocking */
    bool failed;       /* writing failed for good; said once */
    bool watching_out;
    bool raw_tty;
    struct timer collect; /* armed while output collects; there was none lately if it is not */
    uint64_t dropped;
    size_t start, len; /* what of the buffer is used; no wrap-around */
    size_t cap;
    uint8_t *buf;
};

static struct chardev_fd *of(struct chardev *c)
{
    return container_of(c, struct chardev_fd, c);
}

uint64_t chardev_fd_dropped(const struct chardev *c)
{
    return container_of(c, const struct chardev_fd, c)->dropped;
}

/* --- output ----------------------------------------------------------------------------------- */

/* write(), but -1 and EAGAIN where that might block. */
static ssize_t write_some(struct chardev_fd *f)
{
    size_t len = f->len;
    if (f->may_block) {
        struct pollfd p = {.fd = f->out_fd, .events = POLLOUT};
        if (poll(&p, 1, 0) <= 0) {
            errno = EAGAIN;
            return -1;
        }
        len = min_u64(len, CAREFUL_BYTES);
    }
    return write(f->out_fd, f->buf + f->start, len);
}

/* Writes what the descriptor takes now. False: some is left. */
static bool push(struct chardev_fd *f)
{
    while (f->len != 0 && !f->failed) {
        ssize_t n = write_some(f);
        if (n >= 0) {
            f->start += (size_t)n;
            f->len -= (size_t)n;
        } else if (errno == EAGAIN) {
            return false;
        } else if (errno != EINTR) {
            if (f->hooks.closed == NULL) { /* else the input end will say so */
                log_warn("%s: output is lost from here on: %s", f->c.label, strerror(errno));
            }
            f->failed = true;
        }
    }
    f->start = f->len = 0;
    return true;
}

static void out_ready(void *opaque, unsigned events);

/* Writes, and has the loop go on with what is left. What comes next collects. */
static void push_on(struct chardev_fd *f)
{
    bool left = !push(f);
    if (f->loop != NULL) {
        if (left) {
            timer_cancel(&f->collect);
        } else {
            timer_at(&f->collect, clock_now(&f->loop->host) + COLLECT_NS);
        }
        if (left != f->watching_out) {
            f->watching_out = left;
            loop_watch(f->loop, f->out_fd, left ? LOOP_OUT : 0, out_ready, f);
        }
    }
}

static void watch_input(struct chardev_fd *f, bool on);

static void out_ready(void *opaque, unsigned events)
{
    struct chardev_fd *f = opaque;
    push_on(f);
    if (f->len == 0) {
        watch_input(f, true); /* perhaps it waited for the reader */
    }
}

static void collected(void *opaque)
{
    struct chardev_fd *f = opaque;
    if (f->len != 0) {
        push_on(f);
    }
}

static void append(struct chardev_fd *f, const uint8_t *buf, size_t len)
{
    size_t limit = f->c.limit > BUFFER_BYTES ? f->c.limit : BUFFER_BYTES;
    size_t n = min_u64(len, limit > f->len ? limit - f->len : 0);
    if (n == 0) {
        f->dropped += len;
        return;
    }
    if (f->start + f->len + n > f->cap && f->start != 0) {
        memmove(f->buf, f->buf + f->start, f->len);
        f->start = 0;
    }
    if (f->len + n > f->cap) {
        f->cap = 2 * (f->len + n);
        f->buf = xrealloc(f->buf, f->cap);
    }
    memcpy(f->buf + f->start + f->len, buf, n);
    f->len += n;
    f->dropped += len - n;
}

static void fd_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    struct chardev_fd *f = of(c);
    if (f->out_fd < 0) {
        return;
    }
    if (f->failed) {
        f->dropped += len;
        return;
    }
    append(f, buf, len);
    if (f->watching_out) {
        return; /* the reader is behind; its descriptor will tell */
    }
    if (f->loop == NULL || f->len >= ENOUGH_BYTES || !timer_armed(&f->collect)) {
        push_on(f);
    }
}

static size_t fd_pending(struct chardev *c)
{
    return of(c)->len;
}

static void fd_flush(struct chardev *c)
{
    struct chardev_fd *f = of(c);
    if (f->out_fd >= 0 && f->len != 0) {
        push_on(f);
    }
}

/* --- input ------------------------------------------------------------------------------------ */

static void in_ready(void *opaque, unsigned events);

static void watch_input(struct chardev_fd *f, bool on)
{
    if (f->in_fd >= 0 && f->loop != NULL) {
        loop_watch(f->loop, f->in_fd, on ? LOOP_IN : 0, in_ready, f);
    }
}

static void close_input(struct chardev_fd *f)
{
    if (f->in_fd > STDERR_FILENO) {
        close(f->in_fd);
    }
    f->in_fd = -1;
}

/* Reads no more than the front end can take, so that nothing has to be kept here. */
static void in_ready(void *opaque, unsigned events)
{
    struct chardev_fd *f = opaque;
    uint8_t buf[4096];
    size_t room = sizeof(buf);
    if (f->c.receive != NULL && f->c.can_receive != NULL) {
        room = min_u64(room, f->c.can_receive(f->c.opaque));
    }
    if (room == 0) {
        watch_input(f, false); /* until fd_wants_input */
        return;
    }
    ssize_t n = read(f->in_fd, buf, room);
    if (n > 0) {
        size_t left =
            f->hooks.filter != NULL ? f->hooks.filter(f->hooks.opaque, buf, (size_t)n) : (size_t)n;
        if (left != 0) {
            chardev_input(&f->c, buf, left);
        }
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        if (f->hooks.closed != NULL) {
            f->hooks.closed(f->hooks.opaque);
            return;
        }
        watch_input(f, false); /* the end of the input; output goes on */
        close_input(f);
    }
}

static void fd_wants_input(struct chardev *c)
{
    watch_input(of(c), true);
}

/* --- making and ending ------------------------------------------------------------------------ */

/* The guest's last words shall arrive, but a reader that sleeps shall not keep us from ending. */
static void push_rest(struct chardev_fd *f)
{
    int64_t give_up = host_now_ns() + LINGER_MS * NS_PER_MS;
    while (!push(f) && host_now_ns() < give_up) {
        struct pollfd p = {.fd = f->out_fd, .events = POLLOUT};
        poll(&p, 1, 10);
    }
}

static void detach(struct chardev_fd *f)
{
    watch_input(f, false);
    if (f->watching_out) {
        loop_watch(f->loop, f->out_fd, 0, NULL, NULL);
        f->watching_out = false;
    }
    timer_cancel(&f->collect);
    close_input(f);
    if (f->out_fd >= 0) {
        close(f->out_fd);
    }
    f->out_fd = -1;
    f->start = f->len = 0;
    f->failed = false;
}

static void fd_fini(struct chardev *c)
{
    struct chardev_fd *f = of(c);
    if (f->out_fd >= 0) {
        push_rest(f);
    }
    detach(f);
    if (f->dropped != 0) {
        log_warn("%s: %llu bytes of output were dropped", c->label, (unsigned long long)f->dropped);
    }
    if (f->raw_tty) {
        tty_restore();
    }
    if (f->keep_fd >= 0) {
        close(f->keep_fd);
    }
    if (f->hooks.fini != NULL) {
        f->hooks.fini(f->hooks.opaque);
    }
    free(f->name);
    free(f->buf);
    free(f);
}

static const struct chardev_ops fd_ops = {
    .write = fd_write,
    .flush = fd_flush,
    .fini = fd_fini,
    .wants_input = fd_wants_input,
    .pending = fd_pending,
};

struct chardev *chardev_fd_new(const char *label, struct loop *loop,
                               const struct chardev_fd_hooks *hooks)
{
    struct chardev_fd *f = NEW(struct chardev_fd);
    f->c.ops = &fd_ops;
    f->c.label = label;
    f->loop = loop;
    f->in_fd = f->out_fd = f->keep_fd = -1;
    f->hooks = hooks != NULL ? *hooks : (struct chardev_fd_hooks){0};
    if (loop != NULL) {
        timer_init(&f->collect, &loop->host, "chardev-collect", collected, f);
    }
    return &f->c;
}

void chardev_fd_attach(struct chardev *c, int in_fd, int out_fd)
{
    struct chardev_fd *f = of(c);
    f->in_fd = in_fd;
    f->out_fd = out_fd;
    watch_input(f, true);
}

void chardev_fd_detach(struct chardev *c)
{
    detach(of(c));
}

static struct chardev_fd *fd_new(const char *label, struct loop *loop, int in_fd, int out_fd)
{
    struct chardev *c = chardev_fd_new(label, loop, NULL);
    c->open = true;
    chardev_fd_attach(c, in_fd, out_fd);
    return of(c);
}

/*
 * A descriptor for standard output that does not block. O_NONBLOCK belongs to the open file, which
 * we share with the shell and others, so a pipe or terminal is opened anew; a regular file never
 * says EAGAIN, and must keep its shared position.
 */
static int open_stdout(bool *may_block, struct error **err)
{
    struct stat st;
    int fd = -1;
    if (fstat(STDOUT_FILENO, &st) == 0 && !S_ISREG(st.st_mode)) {
        fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        *may_block = fd < 0;
    }
    if (fd < 0) {
        fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    }
    if (fd < 0) {
        error_errno(err, errno, "standard output");
    }
    return fd;
}

struct chardev *chardev_stdio_new(struct loop *loop, bool signals, struct error **err)
{
    bool may_block = false;
    int out = open_stdout(&may_block, err);
    if (out < 0) {
        return NULL;
    }
    if (!tty_raw(STDIN_FILENO, signals, err)) {
        close(out);
        return NULL;
    }
    struct chardev_fd *f = fd_new("stdio", loop, STDIN_FILENO, out);
    f->may_block = may_block;
    f->raw_tty = true;
    return &f->c;
}

struct chardev *chardev_file_new(const char *path, struct loop *loop, struct error **err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);
    if (fd < 0) {
        error_errno(err, errno, "open '%s'", path);
        return NULL;
    }
    return &fd_new("file", loop, -1, fd)->c;
}

struct chardev *chardev_pipe_new(const char *path, struct loop *loop, struct error **err)
{
    char *in_path = xasprintf("%s.in", path), *out_path = xasprintf("%s.out", path);
    const int flags =
        O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC; /* FIFOs: never waits for a peer */
    int in = open(in_path, flags), out = open(out_path, flags);
    free(in_path);
    free(out_path);
    if (in < 0 || out < 0) {
        close(in);
        close(out);
        in = open(path, flags);
        out = in >= 0 ? fcntl(in, F_DUPFD_CLOEXEC, 3) : -1;
        if (out < 0) {
            error_errno(err, errno, "open '%s' (or '%s.in' and '%s.out')", path, path, path);
            close(in);
            return NULL;
        }
    }
    return &fd_new("pipe", loop, in, out)->c;
}

/* The slave side, raw: held open here, so that the master never sees the end of a file. */
static int open_pty_slave(int master, char *name, size_t size, struct error **err)
{
    struct termios raw;
    int rc = ptsname_r(master, name, size);
    if (rc != 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        error_errno(err, rc != 0 ? rc : errno, "a new pseudo-terminal");
        return -1;
    }
    int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) {
        error_errno(err, errno, "open '%s'", name);
        return -1;
    }
    if (tcgetattr(slave, &raw) == 0) {
        cfmakeraw(&raw);
        tcsetattr(slave, TCSANOW, &raw);
    }
    return slave;
}

struct chardev *chardev_pty_new(struct loop *loop, struct error **err)
{
    char name[64];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    int out = master >= 0 ? fcntl(master, F_DUPFD_CLOEXEC, 3) : -1;
    if (out < 0) {
        error_errno(err, errno, "a new pseudo-terminal");
        close(master);
        return NULL;
    }
    int slave = open_pty_slave(master, name, sizeof(name), err);
    if (slave < 0) {
        close(master);
        close(out);
        return NULL;
    }
    struct chardev_fd *f = fd_new("pty", loop, master, out);
    f->keep_fd = slave;
    f->name = xasprintf("pty:%s", name);
    f->c.label = f->name;
    fprintf(stderr, "char device redirected to %s\n", name);
    return &f->c;
}
