/* Terminal modes ([POSIX] "General Terminal Interface"). */
#include "core/base/tty.h"

#include "core/base/bits.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

/* The process's, as the terminal is: a signal handler has no other way to it. */
static struct {
    volatile sig_atomic_t changed;
    bool hooked; /* exit and signals call us */
    int fd;
    struct termios found;
} tty;

void tty_restore(void)
{
    if (tty.changed) {
        int saved = errno;
        tty.changed = 0;
        tcsetattr(tty.fd, TCSANOW, &tty.found);
        errno = saved;
    }
}

/* Installed with SA_RESETHAND, so the signal's default action follows. */
static void on_fatal(int sig)
{
    tty_restore();
    raise(sig);
}

static void hook_exits(void)
{
    static const int fatal[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGSEGV,
                                SIGBUS, SIGFPE, SIGILL,  SIGABRT, SIGPIPE};
    if (tty.hooked) {
        return;
    }
    tty.hooked = true;
    atexit(tty_restore);
    for (unsigned i = 0; i < ARRAY_SIZE(fatal); i++) {
        struct sigaction old, sa = {.sa_handler = on_fatal};
        sa.sa_flags = (int)(SA_RESETHAND | SA_NODEFER);
        if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL) {
            sigaction(fatal[i], &sa, NULL);
        }
    }
}

bool tty_raw(int fd, bool signals, struct error **err)
{
    struct termios raw;
    if (tty.changed || !isatty(fd) || tcgetpgrp(fd) != getpgrp()) {
        return true;
    }
    if (tcgetattr(fd, &tty.found) < 0) {
        return error_errno(err, errno, "read the terminal's mode");
    }
    raw = tty.found;
    raw.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | ISTRIP | IXON);
    raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | (signals ? 0 : ISIG));
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tty.fd = fd;
    hook_exits();
    tty.changed = 1;
    if (tcsetattr(fd, TCSANOW, &raw) < 0) {
        tty.changed = 0;
        return error_errno(err, errno, "set the terminal's mode");
    }
    return true;
}
