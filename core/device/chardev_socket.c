/*
 * Character devices on sockets: one connection at a time, joined to a stream (chardev_fd.h).
 *
 * Source: [RFC854] "Telnet Protocol Specification", [RFC856], [RFC857], [RFC858].
 * Left out: the telnet options' answers are not tracked; ours are sent once and what the peer says
 * to them is skipped.
 */
#include "core/device/chardev_socket.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/log.h"
#include "core/device/chardev_fd.h"
#include "core/event/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MS 100 /* between two looks for a signal while waiting at the start */

enum { TEL_SE = 240, TEL_BREAK = 243, TEL_SB = 250, TEL_WILL = 251, TEL_DONT = 254, TEL_IAC = 255 };

enum telnet_state {
    TELNET_TEXT,
    TELNET_CR,
    TELNET_COMMAND,
    TELNET_OPTION,
    TELNET_SUB,
    TELNET_SUB_IAC
};

struct chardev_socket {
    struct chardev *stream; /* what the front end has; it owns this struct */
    struct loop *loop;
    enum socket_kind kind;
    int listen_fd;     /* -1: a client */
    char *unlink_path; /* the socket file we made; NULL: none */
    enum telnet_state telnet;
};

/* ---- telnet ---------------------------------------------------------------------------------- */

/* We echo, nobody waits for a turn, and bytes have 8 bits both ways. */
static const uint8_t telnet_hello[] = {
    TEL_IAC, TEL_WILL, 1, TEL_IAC, TEL_WILL, 3, TEL_IAC, TEL_WILL, 0, TEL_IAC, TEL_WILL + 2, 0,
};

static void telnet_command(struct chardev_socket *s, uint8_t byte)
{
    s->telnet = TELNET_TEXT;
    if (byte >= TEL_WILL && byte <= TEL_DONT) {
        s->telnet = TELNET_OPTION;
    } else if (byte == TEL_SB) {
        s->telnet = TELNET_SUB;
    } else if (byte == TEL_BREAK) {
        chardev_send_event(s->stream, CHARDEV_BREAK);
    }
}

/* True if @byte is text. */
static bool telnet_byte(struct chardev_socket *s, uint8_t byte)
{
    switch (s->telnet) {
    case TELNET_CR:
        s->telnet = TELNET_TEXT;
        if (byte == '\n' || byte == '\0') {
            return false; /* the second half of a line's end */
        }
        /* fall through */
    case TELNET_TEXT:
        s->telnet = byte == TEL_IAC ? TELNET_COMMAND : byte == '\r' ? TELNET_CR : TELNET_TEXT;
        return byte != TEL_IAC;
    case TELNET_COMMAND:
        telnet_command(s, byte);
        return byte == TEL_IAC; /* doubled: the byte itself */
    case TELNET_OPTION:
        s->telnet = TELNET_TEXT;
        return false;
    case TELNET_SUB:
        s->telnet = byte == TEL_IAC ? TELNET_SUB_IAC : TELNET_SUB;
        return false;
    case TELNET_SUB_IAC:
        s->telnet = byte == TEL_SE ? TELNET_TEXT : TELNET_SUB;
        return false;
    }
    return false;
}

static size_t telnet_filter(void *opaque, uint8_t *buf, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (telnet_byte(opaque, buf[i])) {
            buf[n++] = buf[i];
        }
    }
    return n;
}

/* ---- connections ----------------------------------------------------------------------------- */

static void listen_ready(void *opaque, unsigned events);

static void watch_listener(struct chardev_socket *s, bool on)
{
    if (s->listen_fd >= 0 && s->loop != NULL) {
        loop_watch(s->loop, s->listen_fd, on ? LOOP_IN : 0, listen_ready, s);
    }
}

/* Takes over @fd. */
static bool attach(struct chardev_socket *s, int fd, struct error **err)
{
    int one = 1, out = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (out < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        error_errno(err, errno, "a connection");
        close(fd);
        close(out);
        return false;
    }
    if (s->kind != SOCKET_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    watch_listener(s, false);
    s->telnet = TELNET_TEXT;
    chardev_fd_attach(s->stream, fd, out);
    if (s->kind == SOCKET_TELNET) {
        s->stream->ops->write(s->stream, telnet_hello, sizeof(telnet_hello));
    }
    chardev_send_event(s->stream, CHARDEV_OPENED);
    return true;
}

static void listen_ready(void *opaque, unsigned events)
{
    struct chardev_socket *s = opaque;
    struct error *err = NULL;
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && !attach(s, fd, &err)) {
        log_warn("%s: %s", s->stream->label, error_text(err));
        error_free(err);
    }
}

static void peer_gone(void *opaque)
{
    struct chardev_socket *s = opaque;
    chardev_fd_detach(s->stream);
    chardev_send_event(s->stream, CHARDEV_CLOSED);
    watch_listener(s, true);
}

static void socket_fini(void *opaque)
{
    struct chardev_socket *s = opaque;
    watch_listener(s, false);
    if (s->listen_fd >= 0) {
        close(s->listen_fd);
    }
    if (s->unlink_path != NULL) {
        unlink(s->unlink_path);
    }
    free(s->unlink_path);
    free(s);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static bool unix_address(struct sockaddr_un *sa, const char *path, struct error **err)
{
    *sa = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(sa->sun_path)) {
        return error_set(err, "%s: a socket's name has at most %zu bytes", path,
                         sizeof(sa->sun_path) - 1);
    }
    strcpy(sa->sun_path, path);
    return true;
}

/* A socket that a process left behind is in the way of the next one. */
static void remove_stale(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        unlink(path);
    }
}

static int unix_open(const struct socket_options *o, struct error **err)
{
    struct sockaddr_un sa;
    if (!unix_address(&sa, o->path, err)) {
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        error_errno(err, errno, "socket");
        return -1;
    }
    if (o->server) {
        remove_stale(o->path);
    }
    if (o->server ? bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 1) < 0
                  : connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
        error_errno(err, errno, "%s %s", o->server ? "listen on" : "connect to", o->path);
        close(fd);
        return -1;
    }
    return fd;
}

/* One of the addresses that a name has. */
static int tcp_try(const struct addrinfo *a, bool server)
{
    int one = 1, fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (server ? bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, 1) < 0
               : connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int tcp_open(const struct socket_options *o, struct error **err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    /* Who names no host gets this one, and nobody from outside gets in. */
    const char *host = o->host[0] != '\0' ? o->host : "127.0.0.1";
    int rc = getaddrinfo(host, o->port, &hints, &list), fd = -1;
    if (rc != 0) {
        error_set(err, "%s:%s: %s", host, o->port, gai_strerror(rc));
        return -1;
    }
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = tcp_try(a, o->server);
    }
    if (fd < 0) {
        error_errno(err, errno, "%s %s:%s", o->server ? "listen on" : "connect to", host, o->port);
    }
    freeaddrinfo(list);
    return fd;
}

/* The signals that end the process may be blocked, to be read in the main loop; here they count,
 * too. */
static bool signal_pending(void)
{
    sigset_t set;
    return sigpending(&set) == 0 &&
           (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM) || sigismember(&set, SIGHUP));
}

static bool wait_for_peer(struct chardev_socket *s, struct error **err)
{
    struct pollfd p = {.fd = s->listen_fd, .events = POLLIN};
    while (poll(&p, 1, WAIT_MS) <= 0) {
        if (signal_pending()) {
            return error_set(err, "a signal came before a connection");
        }
    }
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return fd >= 0 ? attach(s, fd, err) : error_errno(err, errno, "accept");
}

struct chardev *chardev_socket_new(const struct socket_options *o, struct loop *loop,
                                   struct error **err)
{
    static const char *const labels[] = {"unix", "tcp", "telnet"};
    int fd = o->kind == SOCKET_UNIX ? unix_open(o, err) : tcp_open(o, err);
    if (fd < 0) {
        return NULL;
    }
    struct chardev_socket *s = NEW(struct chardev_socket);
    const struct chardev_fd_hooks hooks = {
        .filter = o->kind == SOCKET_TELNET ? telnet_filter : NULL,
        .closed = peer_gone,
        .fini = socket_fini,
        .opaque = s,
    };
    *s = (struct chardev_socket){.loop = loop, .kind = o->kind, .listen_fd = -1};
    s->stream = chardev_fd_new(labels[o->kind], loop, &hooks);
    bool ok;
    if (!o->server) {
        ok = attach(s, fd, err);
    } else {
        s->listen_fd = fd;
        s->unlink_path = o->kind == SOCKET_UNIX ? xstrdup(o->path) : NULL;
        fcntl(fd, F_SETFL, O_NONBLOCK);
        watch_listener(s, true);
        if (o->wait) {
            log_warn("waiting for a connection on %s%s%s", o->host, o->port != NULL ? ":" : "",
                     o->port != NULL ? o->port : "");
        }
        ok = !o->wait || wait_for_peer(s, err);
    }
    if (!ok) {
        chardev_free(s->stream);
        return NULL;
    }
    return s->stream;
}
