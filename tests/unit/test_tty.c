/* The terminal is put back on every way out. Each case is a child on a pseudo terminal of its
 * own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/tty.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define RAW_SEEN 42

static void end_by_exit(void)
{
    exit(RAW_SEEN);
}

static void end_by_restore(void)
{
    tty_restore();
    tty_restore();
    _exit(RAW_SEEN);
}

static void end_by_sigterm(void)
{
    raise(SIGTERM);
}

static void end_by_abort(void)
{
    abort();
}

static void end_by_interrupt(void)
{
    raise(SIGINT);
}

/* True if a key arrives alone and unechoed on @fd. */
static bool is_raw(int fd)
{
    struct termios t;
    return tcgetattr(fd, &t) == 0 && (t.c_lflag & (ECHO | ICANON)) == 0;
}

/* Runs @end in a child whose terminal is raw; returns the child's wait status. */
static int run(void (*end)(void), bool *raw_after)
{
    int master, slave, status;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    assert_false(is_raw(slave));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit no_core = {0};
        setrlimit(RLIMIT_CORE, &no_core);
        setsid();
        ioctl(slave, TIOCSCTTY, 0);
        signal(SIGABRT, SIG_DFL);
        signal(SIGINT, SIG_DFL); /* a shell's background jobs ignore it */
        if (!tty_raw(slave, true, NULL) || !is_raw(slave)) {
            _exit(1);
        }
        end();
        _exit(2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    *raw_after = is_raw(slave);
    close(master);
    close(slave);
    return status;
}

static void exit_puts_the_terminal_back(void **state)
{
    bool raw;
    int status = run(end_by_exit, &raw);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == RAW_SEEN);
    assert_false(raw);
}

static void restore_puts_the_terminal_back_and_may_come_twice(void **state)
{
    bool raw;
    int status = run(end_by_restore, &raw);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == RAW_SEEN);
    assert_false(raw);
}

static void a_fatal_signal_puts_the_terminal_back_and_stays_fatal(void **state)
{
    static const struct {
        void (*end)(void);
        int sig;
    } cases[] = {{end_by_sigterm, SIGTERM}, {end_by_abort, SIGABRT}, {end_by_interrupt, SIGINT}};
    for (unsigned i = 0; i < 3; i++) {
        bool raw;
        int status = run(cases[i].end, &raw);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), cases[i].sig);
        assert_false(raw);
    }
}

static void what_is_no_terminal_is_left_alone(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_true(tty_raw(fds[0], true, NULL));
    tty_restore();
    close(fds[0]);
    close(fds[1]);
}

static void the_terminal_of_another_job_is_left_alone(void **state)
{
    int master, slave;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    assert_true(tty_raw(slave, true, NULL)); /* not our controlling terminal */
    assert_false(is_raw(slave));
    close(master);
    close(slave);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_puts_the_terminal_back),
        cmocka_unit_test(restore_puts_the_terminal_back_and_may_come_twice),
        cmocka_unit_test(a_fatal_signal_puts_the_terminal_back_and_stays_fatal),
        cmocka_unit_test(what_is_no_terminal_is_left_alone),
        cmocka_unit_test(the_terminal_of_another_job_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
