/*
 * Source: [POSIX] "General Terminal Interface", 2.4 "Signal Concepts" (what a handler may call);
 *         [XTERM-CTL] "Private Modes" 25, 1049, 7 and DECSCUSR.
 */
#include "core/ui/term_tty.h"

#include "core/base/bits.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Alternate screen, no automatic wrap, cursor off, cleared; and back. */
#define ENTER_SCREEN "\033[?1049h\033[?7l\033[?25l\033[0m\033[2J"
#define LEAVE_SCREEN "\033[0m\033[0 q\033[?7h\033[?25h\033[?1049l"

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
static const int end_signals[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
static const int screen_signals[] = {SIGWINCH, SIGCONT, SIGTSTP};

#define N_SIGNALS (ARRAY_SIZE(crash_signals) + ARRAY_SIZE(end_signals) + ARRAY_SIZE(screen_signals))

static struct {
    volatile sig_atomic_t entered;     /* the terminal is ours now */
    bool installed;
    int in_fd, out_fd;
    int notify[2];
    struct termios found, raw;
    int signals[N_SIGNALS];
    struct sigaction old[N_SIGNALS];
    unsigned n_signals;
} tty = {.notify = {-1, -1}};

static void put(const char *text, size_t len)
{
    ssize_t ignored = write(tty.out_fd, text, len);
    (void)ignored;
}

/* [async-signal-safe] */
static void give_back(void)
{
    if (tty.entered) {
        tty.entered = 0;
        put(LEAVE_SCREEN, sizeof(LEAVE_SCREEN) - 1);
        tcsetattr(tty.in_fd, TCSANOW, &tty.found);
    }
}

/* [async-signal-safe] */
static void take(void)
{
    if (!tty.entered) {
        tcsetattr(tty.in_fd, TCSANOW, &tty.raw);
        put(ENTER_SCREEN, sizeof(ENTER_SCREEN) - 1);
        tty.entered = 1;
    }
}

static void notify(void)
{
    char byte = 0;
    ssize_t ignored = write(tty.notify[1], &byte, 1);
    (void)ignored;
}

static void restore_action(int sig)
{
    for (unsigned i = 0; i < tty.n_signals; i++) {
        if (tty.signals[i] == sig) {
            sigaction(sig, &tty.old[i], NULL);
        }
    }
}

/* The instruction that the handler returns to raises the signal once more. */
static bool comes_again(int sig, const siginfo_t *info)
{
    return info->si_code > 0 && (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE);
}

/* A signal that ends the process: whoever handled it before gets it now. For a fault the
 * instruction is run again, which keeps the cause and the place; other signals have to be
 * raised. */
static void on_end(int sig, siginfo_t *info, void *context)
{
    int saved = errno;
    give_back();
    restore_action(sig);
    if (!comes_again(sig, info)) {
        raise(sig);
    }
    errno = saved;
}

static void install(int sig);

/* Stops with the terminal given back. What follows raise() runs when the process is continued. */
static void stop_here(void)
{
    sigset_t only, before;
    give_back();
    signal(SIGTSTP, SIG_DFL);
    raise(SIGTSTP);
    sigemptyset(&only);
    sigaddset(&only, SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &only, &before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    install(SIGTSTP);
    notify();
}

static void on_screen(int sig, siginfo_t *info, void *context)
{
    int saved = errno;
    if (sig == SIGTSTP) {
        stop_here();
    } else {
        notify();
    }
    errno = saved;
}

static void install(int sig)
{
    bool screen = sig == SIGWINCH || sig == SIGCONT || sig == SIGTSTP;
    struct sigaction act = {.sa_flags = SA_SIGINFO | SA_ONSTACK | (screen ? SA_RESTART : 0)};
    act.sa_sigaction = screen ? on_screen : on_end;
    sigemptyset(&act.sa_mask);
    sigaction(sig, &act, NULL);
}

/* Remembers the old action. @unless_handled: leaves a signal alone that is handled or ignored. */
static void install_all(const int *sigs, size_t n, bool unless_handled)
{
    for (size_t i = 0; i < n; i++) {
        struct sigaction old;
        if (sigaction(sigs[i], NULL, &old) < 0 || (unless_handled && old.sa_handler != SIG_DFL)) {
            continue;
        }
        tty.signals[tty.n_signals] = sigs[i];
        tty.old[tty.n_signals++] = old;
        install(sigs[i]);
    }
}

static bool open_notify(struct error **err)
{
    if (pipe2(tty.notify, O_CLOEXEC | O_NONBLOCK) < 0) {
        return error_errno(err, errno, "pipe");
    }
    return true;
}

bool term_tty_enter(int in_fd, int out_fd, int *notify_fd, struct error **err)
{
    static bool at_exit;
    if (tty.installed) {
        return error_set(err, "the terminal is in use by another display");
    }
    if (tcgetattr(in_fd, &tty.found) < 0 || !isatty(out_fd)) {
        return error_set(err, "standard input and output are no terminal");
    }
    if (!open_notify(err)) {
        return false;
    }
    tty.in_fd = in_fd;
    tty.out_fd = out_fd;
    tty.raw = tty.found;
    cfmakeraw(&tty.raw);
    tty.raw.c_cc[VMIN] = 1;
    tty.raw.c_cc[VTIME] = 0;
    if (!at_exit) {
        atexit(give_back);
        at_exit = true;
    }
    tty.n_signals = 0;
    install_all(crash_signals, ARRAY_SIZE(crash_signals), false);
    install_all(end_signals, ARRAY_SIZE(end_signals), true);
    install_all(screen_signals, ARRAY_SIZE(screen_signals), false);
    tty.installed = true;
    take();
    *notify_fd = tty.notify[0];
    return true;
}

void term_tty_leave(void)
{
    give_back();
    if (!tty.installed) {
        return;
    }
    for (unsigned i = 0; i < tty.n_signals; i++) {
        struct sigaction now;
        /* Someone may have installed a handler after us: that one stays. */
        if (sigaction(tty.signals[i], NULL, &now) == 0 &&
            (now.sa_sigaction == on_end || now.sa_sigaction == on_screen)) {
            sigaction(tty.signals[i], &tty.old[i], NULL);
        }
    }
    tty.n_signals = 0;
    tty.installed = false;
    close(tty.notify[0]);
    close(tty.notify[1]);
    tty.notify[0] = tty.notify[1] = -1;
}

void term_tty_suspend(void)
{
    raise(SIGTSTP);
}

void term_tty_events(void)
{
    char buf[64];
    while (read(tty.notify[0], buf, sizeof(buf)) > 0) {
    }
    take();
    /* After SIGSTOP nobody could give the terminal back, and a shell has set its own modes. */
    tcsetattr(tty.in_fd, TCSANOW, &tty.raw);
}

void term_tty_size(unsigned *cols, unsigned *rows)
{
    struct winsize ws = {0};
    bool known = ioctl(tty.out_fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 && ws.ws_row > 0;
    *cols = known ? ws.ws_col : 80;
    *rows = known ? ws.ws_row : 25;
}

uint8_t term_tty_erase(void)
{
    return tty.found.c_cc[VERASE];
}
