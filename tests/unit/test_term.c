/* The terminal display, driven through a pseudo-terminal and a small terminal emulator. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/log.h"
#include "core/ui/display_term.h"
#include "core/ui/term_keys.h"
#include "core/ui/term_screen.h"
#include "core/base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define MAX_COLS 132
#define MAX_ROWS 60

/* What a terminal makes of the bytes it gets. */
struct emulator {
    uint32_t cp[MAX_ROWS][MAX_COLS], fg[MAX_ROWS][MAX_COLS], bg[MAX_ROWS][MAX_COLS];
    bool blinks[MAX_ROWS][MAX_COLS];
    unsigned x, y;
    uint32_t pen_fg, pen_bg;
    bool pen_blinks, alternate, cursor_on, wrap;
    unsigned bells;
    unsigned strange;                    /* sequences it does not know */
};

static void emulate_sgr(struct emulator *e, const unsigned *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (p[i] == 0) {
            e->pen_fg = 0xaaaaaa;
            e->pen_bg = 0;
            e->pen_blinks = false;
        } else if (p[i] == 5 || p[i] == 25) {
            e->pen_blinks = p[i] == 5;
        } else if ((p[i] == 38 || p[i] == 48) && i + 4 < n && p[i + 1] == 2) {
            *(p[i] == 38 ? &e->pen_fg : &e->pen_bg) = p[i + 2] << 16 | p[i + 3] << 8 | p[i + 4];
            i += 4;
        } else if ((p[i] == 38 || p[i] == 48) && i + 2 < n && p[i + 1] == 5) {
            *(p[i] == 38 ? &e->pen_fg : &e->pen_bg) = 0x1000000 | p[i + 2];
            i += 2;
        } else if (p[i] >= 30 && p[i] <= 107) {
            bool bright = p[i] >= 90, back = (p[i] / 10) % 2 == 0;
            *(back ? &e->pen_bg : &e->pen_fg) = 0x2000000 | p[i] % 10 | (bright ? 8 : 0);
        } else {
            e->strange++;
        }
    }
}

static void emulate_csi(struct emulator *e, const char *s, size_t len, char final)
{
    unsigned p[16] = {0}, n = 1;
    bool private = len > 0 && s[0] == '?';
    for (size_t i = private; i < len; i++) {
        if (s[i] == ';' && n < 16) {
            n++;
        } else if (s[i] >= '0' && s[i] <= '9') {
            p[n - 1] = p[n - 1] * 10 + (unsigned)(s[i] - '0');
        }
    }
    if (private && (final == 'h' || final == 'l')) {
        *(p[0] == 1049 ? &e->alternate : p[0] == 25 ? &e->cursor_on : &e->wrap) = final == 'h';
    } else if (final == 'H') {
        e->y = (p[0] ? p[0] : 1) - 1;
        e->x = (n > 1 && p[1] ? p[1] : 1) - 1;
    } else if (final == 'm') {
        emulate_sgr(e, p, n);
    } else if (final == 'J') {
        for (unsigned i = 0; i < MAX_ROWS * MAX_COLS; i++) {
            e->cp[i / MAX_COLS][i % MAX_COLS] = ' ';
        }
    } else if (final != 'q') {
        e->strange++;
    }
}

/* Returns how many bytes it took; 0: there must be more. */
static size_t emulate_one(struct emulator *e, const char *s, size_t len)
{
    if (s[0] == '\033') {
        size_t i = 2;
        while (i < len && (s[i] < 0x40 || s[i] > 0x7e)) {
            i++;
        }
        if (i >= len) {
            return 0;
        }
        emulate_csi(e, s + 2, i - 2, s[i]);
        return i + 1;
    }
    size_t used;
    uint32_t cp = utf8_decode(s, len, &used);
    if (cp == '\a') {
        e->bells++;
    } else if (used != 0 && e->y < MAX_ROWS && e->x < MAX_COLS) {
        e->cp[e->y][e->x] = cp;
        e->fg[e->y][e->x] = e->pen_fg;
        e->bg[e->y][e->x] = e->pen_bg;
        e->blinks[e->y][e->x] = e->pen_blinks;
        e->x++;
    }
    return used;
}

struct term_bench {
    struct lock lock;
    struct loop loop;
    struct timer end;
    int master, slave;
    struct termios found;
    struct text_screen screen;
    bool graphics;
    struct display_source source;
    struct keyboard_sink sink;
    struct display_term *d;
    char keys[512];
    size_t keys_len;
    bool busy;
    unsigned quits, resets;
    struct emulator e;
    size_t received;                     /* bytes in the last run */
    char in[8192];
    size_t in_len;
};

static bool source_text(void *dev, struct text_screen *out)
{
    struct term_bench *t = dev;
    memcpy(out, &t->screen, sizeof(*out));
    return !t->graphics;
}

static void source_render(void *dev, struct surface *out)
{
    surface_resize(out, 320, 200);
    for (unsigned i = 0; i < 320 * 200; i++) {
        out->pixels[i] = i % 320 < 160 ? 0xff0000 : 0x0000ff;
    }
}

static void record_key(void *dev, unsigned key, bool down)
{
    struct term_bench *t = dev;
    if (t->keys_len < sizeof(t->keys) - 8) {
        t->keys_len += (size_t)snprintf(t->keys + t->keys_len, 8, "%c%02x ", down ? '+' : '-', key);
    }
}

static bool keyboard_idle(void *dev)
{
    struct term_bench *t = dev;
    return !t->busy;
}

static void on_quit(void *opaque)
{
    ((struct term_bench *)opaque)->quits++;
}

static void on_reset(void *opaque)
{
    ((struct term_bench *)opaque)->resets++;
}

static void end_of_run(void *opaque)
{
    struct term_bench *t = opaque;
    loop_quit(&t->loop);
}

/* Takes what the display has written; the beginning of a sequence waits for its end. */
static void receive(struct term_bench *t)
{
    for (;;) {
        ssize_t n = read(t->master, t->in + t->in_len, sizeof(t->in) - t->in_len);
        if (n <= 0) {
            return;
        }
        t->received += (size_t)n;
        t->in_len += (size_t)n;
        size_t i = 0, used;
        while (i < t->in_len && (used = emulate_one(&t->e, t->in + i, t->in_len - i)) != 0) {
            i += used;
        }
        t->in_len -= i;
        memmove(t->in, t->in + i, t->in_len);
    }
}

static void run(struct term_bench *t, unsigned ms)
{
    t->received = 0;
    for (unsigned done = 0; done < ms; done += 4) {
        lock_take(&t->lock);
        timer_at(&t->end, clock_now(&t->loop.host) + 4 * NS_PER_MS);
        lock_drop(&t->lock);
        loop_run(&t->loop);
        receive(t);
    }
    /* what is still in the kernel */
    poll(&(struct pollfd){.fd = t->master, .events = POLLIN}, 1, 5);
    receive(t);
}

static void send(struct term_bench *t, const char *bytes, size_t len)
{
    t->keys_len = 0;
    t->keys[0] = 0;
    assert_int_equal(write(t->master, bytes, len), len);
    run(t, 80);
}

static void set_size(struct term_bench *t, unsigned short cols, unsigned short rows)
{
    struct winsize ws = {.ws_col = cols, .ws_row = rows};
    assert_int_equal(ioctl(t->slave, TIOCSWINSZ, &ws), 0);
}

static void put_text(struct term_bench *t, unsigned x, unsigned y, const char *text)
{
    for (; *text != 0; text++, x++) {
        t->screen.cells[y][x] = (struct text_cell){(uint8_t)*text, 0x07};
    }
}

static void open_display(struct term_bench *t)
{
    const struct display_term_config cfg = {
        .loop = &t->loop, .source = &t->source, .keyboard = &t->sink, .quit = on_quit,
        .reset = on_reset, .opaque = t, .in_fd = t->slave, .out_fd = t->slave,
    };
    struct error *err = NULL;
    t->d = display_term_new(&cfg, &err);
    if (t->d == NULL) {
        fail_msg("%s", error_text(err));
    }
}

static int setup(void **state)
{
    static const uint32_t palette[16] = {
        0x000000, 0x0000a8, 0x00a800, 0x00a8a8, 0xa80000, 0xa800a8, 0xa85700, 0xa8a8a8,
        0x575757, 0x5757ff, 0x57ff57, 0x57ffff, 0xff5757, 0xff57ff, 0xffff57, 0xffffff,
    };
    struct term_bench *t = NEW(struct term_bench);
    struct error *err = NULL;
    setenv("TERM", "xterm", 1);
    setenv("COLORTERM", "truecolor", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    lock_init(&t->lock);
    assert_true(loop_init(&t->loop, &t->lock, &err));
    timer_init(&t->end, &t->loop.host, "end", end_of_run, t);
    assert_int_equal(openpty(&t->master, &t->slave, NULL, NULL, NULL), 0);
    fcntl(t->master, F_SETFL, O_NONBLOCK);
    assert_int_equal(tcgetattr(t->slave, &t->found), 0);
    set_size(t, 100, 40);
    t->screen.cols = 80;
    t->screen.rows = 25;
    memcpy(t->screen.palette, palette, sizeof(palette));
    for (unsigned y = 0; y < 25; y++) {
        for (unsigned x = 0; x < 80; x++) {
            t->screen.cells[y][x] = (struct text_cell){' ', 0x07};
        }
    }
    t->source = (struct display_source){.text = source_text, .render = source_render, .dev = t};
    t->sink = (struct keyboard_sink){.key = record_key, .idle = keyboard_idle, .dev = t};
    open_display(t);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct term_bench *t = *state;
    display_term_free(t->d);
    loop_fini(&t->loop);
    lock_fini(&t->lock);
    close(t->master);
    close(t->slave);
    free(t);
    return 0;
}

/* The row of the emulator as UTF-8 without trailing blanks. */
static const char *row(struct term_bench *t, unsigned y)
{
    static char buf[MAX_COLS * 4 + 1];
    size_t len = 0, end = 0;
    for (unsigned x = 0; x < MAX_COLS; x++) {
        len += utf8_encode(t->e.cp[y][x] ? t->e.cp[y][x] : ' ', buf + len);
        end = t->e.cp[y][x] > ' ' ? len : end;
    }
    buf[end] = 0;
    return buf;
}

static void the_terminal_is_taken_and_given_back(void **state)
{
    struct term_bench *t = *state;
    struct termios now;
    run(t, 40);
    assert_true(t->e.alternate);
    tcgetattr(t->slave, &now);
    assert_int_equal(now.c_lflag & (ICANON | ECHO | ISIG), 0);
    display_term_free(t->d);
    t->d = NULL;
    receive(t);
    assert_false(t->e.alternate);
    assert_true(t->e.cursor_on);
    assert_true(t->e.wrap);
    tcgetattr(t->slave, &now);
    assert_int_equal(now.c_lflag, t->found.c_lflag);
    assert_int_equal(now.c_iflag, t->found.c_iflag);
    assert_int_equal(now.c_oflag, t->found.c_oflag);
    assert_int_equal(t->e.strange, 0);
}

static void what_is_no_terminal_is_refused(void **state)
{
    struct term_bench *t = *state;
    display_term_free(t->d);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct display_term_config cfg = {
        .loop = &t->loop, .quit = on_quit, .reset = on_reset, .in_fd = fds[0], .out_fd = fds[1],
    };
    struct error *err = NULL;
    t->d = display_term_new(&cfg, &err);
    assert_null(t->d);
    assert_non_null(strstr(error_text(err), "no terminal"));
    error_free(err);
    close(fds[0]);
    close(fds[1]);
}

static void cells_colours_and_cursor_arrive(void **state)
{
    struct term_bench *t = *state;
    put_text(t, 3, 2, "Hello");
    t->screen.cells[2][9] = (struct text_cell){0xc9, 0x1e};
    t->screen.cells[2][10] = (struct text_cell){'b', 0x97};
    t->screen.blink = true;
    t->screen.cursor_on = true;
    t->screen.cursor_x = 8;
    t->screen.cursor_y = 2;
    run(t, 80);
    assert_string_equal(row(t, 2), "   Hello \u2554b");
    assert_int_equal(t->e.fg[2][9], 0xffff57);
    assert_int_equal(t->e.bg[2][9], 0x0000a8);
    assert_false(t->e.blinks[2][9]);
    assert_true(t->e.blinks[2][10]);
    assert_int_equal(t->e.bg[2][10], 0x0000a8);
    assert_true(t->e.cursor_on);
    assert_int_equal(t->e.x, 8);
    assert_int_equal(t->e.y, 2);
    t->screen.cursor_on = false;
    run(t, 80);
    assert_false(t->e.cursor_on);
}

static void only_differences_are_sent(void **state)
{
    struct term_bench *t = *state;
    run(t, 80);
    run(t, 80);
    assert_int_equal(t->received, 0);
    put_text(t, 40, 12, "x");
    run(t, 80);
    assert_string_equal(row(t, 12), "                                        x");
    assert_in_range(t->received, 1, 40);
}

static void random_screens_arrive_cell_by_cell(void **state)
{
    struct term_bench *t = *state;
    srand(1);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < (round ? 200 : 2000); i++) {
            struct text_cell c = {rand() & 255, rand() & 255};
            t->screen.cells[rand() % 25][rand() % 80] = c;
        }
        run(t, 80);
        for (unsigned y = 0; y < 25; y++) {
            for (unsigned x = 0; x < 80; x++) {
                struct text_cell c = t->screen.cells[y][x];
                assert_int_equal(t->e.cp[y][x], cp437_to_unicode(c.ch));
                assert_int_equal(t->e.bg[y][x], t->screen.palette[c.attr >> 4]);
                if (t->e.cp[y][x] != ' ') {
                    assert_int_equal(t->e.fg[y][x], t->screen.palette[c.attr & 15]);
                }
            }
        }
    }
    assert_int_equal(t->e.strange, 0);
}

static void a_small_terminal_follows_the_cursor(void **state)
{
    struct term_bench *t = *state;
    for (unsigned y = 0; y < 25; y++) {
        char text[16];
        snprintf(text, sizeof(text), "row %u", y);
        put_text(t, 50, y, text);
    }
    t->screen.cursor_on = true;
    t->screen.cursor_x = 70;
    t->screen.cursor_y = 20;
    set_size(t, 40, 10);
    raise(SIGWINCH);
    run(t, 120);
    assert_non_null(strstr(row(t, 9), "80x25"));      /* the note, for a while, over the last row */
    assert_string_equal(row(t, 0), "                   row 11");
    t->screen.cursor_y = 3;
    run(t, 80);
    assert_string_equal(row(t, 0), "                   row 3");
}

static void without_utf8_boxes_are_ascii(void **state)
{
    struct term_bench *t = *state;
    display_term_free(t->d);
    setenv("LC_ALL", "C", 1);
    unsetenv("COLORTERM");
    setenv("TERM", "vt220", 1);
    put_text(t, 0, 0, "\xc9\xcd\xbb\xb3\xc4\x84\xdb");
    open_display(t);
    run(t, 80);
    assert_string_equal(row(t, 0), "+=+|-a#");
    assert_int_equal(t->e.fg[0][0], 0x2000007);
    t->screen.cells[0][0].attr = 0x4e;
    run(t, 80);
    assert_int_equal(t->e.fg[0][0], 0x200000b);          /* yellow on red */
    assert_int_equal(t->e.bg[0][0], 0x2000001);
}

static void graphics_are_half_blocks(void **state)
{
    struct term_bench *t = *state;
    t->graphics = true;
    run(t, 80);                                     /* 320x200 in 100x40 cells: 100x62 half cells */
    assert_int_equal(t->e.cp[0][0], 0x2580);
    assert_int_equal(t->e.fg[0][0], 0xff0000);
    assert_int_equal(t->e.bg[30][99], 0x0000ff);
    assert_int_equal(t->e.cp[31][0], 'C');               /* the note that says how to get help */
}

static void keys_reach_the_guest(void **state)
{
    struct term_bench *t = *state;
    send(t, "a", 1);
    assert_string_equal(t->keys, "+1e -1e ");
    send(t, "\033[A\033[1;5C", 9);
    assert_string_equal(t->keys, "+c8 -c8 +1d +cd -cd -1d ");
    send(t, "\033", 1);
    assert_string_equal(t->keys, "+01 -01 ");
    send(t, "\033x", 2);
    assert_string_equal(t->keys, "+38 +2d -2d -38 ");
}

static void the_next_key_waits_for_the_guest(void **state)
{
    struct term_bench *t = *state;
    t->busy = false;
    send(t, "a", 1);
    t->busy = true;
    send(t, "bc", 2);
    assert_string_equal(t->keys, "");
    t->busy = false;
    run(t, 40);
    assert_string_equal(t->keys, "+30 -30 +2e -2e ");
}

static void ctrl_a_is_the_prefix(void **state)
{
    struct term_bench *t = *state;
    send(t, "\001d", 2);
    assert_string_equal(t->keys, "+1d +38 +d3 -d3 -38 -1d ");
    send(t, "\001f1\001f0\001f-\001f=", 12);
    assert_string_equal(t->keys, "+3b -3b +44 -44 +57 -57 +58 -58 ");
    send(t, "\001\001", 2);
    assert_string_equal(t->keys, "+1d +1e -1e -1d ");
    send(t, "\001a", 2);
    assert_string_equal(t->keys, "+1d +1e -1e -1d ");
    send(t, "\001r", 2);
    assert_int_equal(t->resets, 1);
    assert_int_equal(t->quits, 0);
    send(t, "\001x", 2);
    assert_int_equal(t->quits, 1);
    assert_string_equal(t->keys, "");
    send(t, "x", 1);
    assert_string_equal(t->keys, "+2d -2d ");
}

static void help_is_a_line_until_the_next_key(void **state)
{
    struct term_bench *t = *state;
    send(t, "\001h", 2);
    assert_non_null(strstr(row(t, 25), "Ctrl-Alt-Del"));
    send(t, "q", 1);
    assert_null(strstr(row(t, 25), "Ctrl-Alt-Del"));
    assert_string_equal(t->keys, "+10 -10 ");
}

static void a_hang_up_quits(void **state)
{
    struct term_bench *t = *state;
    run(t, 40);
    close(t->master);
    t->master = open("/dev/null", O_RDWR);
    run(t, 80);
    assert_int_equal(t->quits, 1);
}

static void messages_do_not_tear_the_screen(void **state)
{
    struct term_bench *t = *state;
    char path[] = "/tmp/coldboot-stderr-XXXXXX", text[128] = "";
    int file = mkstemp(path), saved = dup(2);
    run(t, 40);
    dup2(file, 2);
    log_warn("the %s is wet", "floppy");
    run(t, 160);
    assert_non_null(strstr(row(t, 25), "warning: the floppy is wet"));
    assert_int_equal(lseek(file, 0, SEEK_END), 0);
    display_term_free(t->d);
    t->d = NULL;
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    assert_true(pread(file, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "coldboot: warning: the floppy is wet\n");
    close(file);
    unlink(path);
}

/* A process of its own, since it has to die. */
static void dies_with_the_terminal_restored(struct term_bench *t, int sig)
{
    struct termios now;
    int status;
    display_term_free(t->d);
    t->d = NULL;
    receive(t);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 2);
        signal(sig, SIG_DFL);
        open_display(t);
        raise(sig);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), sig);
    t->e.alternate = true;
    receive(t);
    assert_false(t->e.alternate);
    tcgetattr(t->slave, &now);
    assert_int_equal(now.c_lflag, t->found.c_lflag);
}

static void a_crash_gives_the_terminal_back(void **state)
{
    static const int sigs[] = {SIGSEGV, SIGABRT, SIGTERM, SIGINT, SIGHUP, SIGBUS, SIGILL};
    for (unsigned i = 0; i < ARRAY_SIZE(sigs); i++) {
        dies_with_the_terminal_restored(*state, sigs[i]);
    }
}

static void exit_gives_the_terminal_back(void **state)
{
    struct term_bench *t = *state;
    int status;
    display_term_free(t->d);
    t->d = NULL;
    receive(t);
    pid_t pid = fork();
    if (pid == 0) {
        open_display(t);
        exit(7);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    t->e.alternate = true;
    receive(t);
    assert_false(t->e.alternate);
}

static void the_bell_rings_at_most_ten_times_a_second(void **state)
{
    struct term_bench *t = *state;
    run(t, 40);
    assert_int_equal(t->e.bells, 0);
    for (unsigned i = 0; i < 5; i++) {
        display_term_bell(t->d);
    }
    run(t, 80);
    assert_int_equal(t->e.bells, 1);
    run(t, 80);
    display_term_bell(t->d);
    run(t, 80);
    assert_int_equal(t->e.bells, 2);
}

static void suspended_and_continued_it_draws_anew(void **state)
{
    struct term_bench *t = *state;
    struct termios now;
    int status;
    put_text(t, 0, 0, "still here");
    display_term_free(t->d);
    t->d = NULL;
    receive(t);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);                                 /* not an orphaned group: our parent lives */
        open_display(t);
        run(t, 80);
        raise(SIGTSTP);
        t->master = open("/dev/null", O_RDWR);           /* leave what comes now to the parent */
        run(t, 120);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    t->e.alternate = true;
    receive(t);
    assert_false(t->e.alternate);
    tcgetattr(t->slave, &now);
    assert_int_equal(now.c_lflag, t->found.c_lflag);
    memset(t->e.cp, 0, sizeof(t->e.cp));
    kill(pid, SIGCONT);
    for (unsigned i = 0; i < 50 && strcmp(row(t, 0), "still here") != 0; i++) {
        poll(NULL, 0, 20);
        receive(t);
    }
    assert_true(t->e.alternate);
    assert_string_equal(row(t, 0), "still here");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    tcsetattr(t->slave, TCSANOW, &t->found);
}

/* The key decoder alone. */
struct strokes {
    char text[256];
    size_t len;
};

static void record_stroke(void *opaque, unsigned key, unsigned mods)
{
    struct strokes *s = opaque;
    s->len += (size_t)snprintf(s->text + s->len, sizeof(s->text) - s->len, "%s%s%s%02x ",
                               mods & TERM_CTRL ? "C" : "", mods & TERM_ALT ? "A" : "",
                               mods & TERM_SHIFT ? "S" : "", key);
}

static void sequences_are_keys(void **state)
{
    static const struct {
        const char *bytes, *strokes;
    } maps[] = {
        {"aA1!", "1e S1e 02 S02 "}, {"\r\t\x7f", "1c 0f 0e "},
        {"\x08\x03\x1c\x1d\x1f", "C23 C2e C2b C1b C0c "},
        {"\033[A\033[B\033[C\033[D", "c8 d0 cd cb "}, {"\033OA\033OH\033OF", "c8 c7 cf "},
        {"\033[1;2A\033[1;3B\033[1;5C\033[1;8D", "Sc8 Ad0 Ccd CAScb "},
        {"\033[1~\033[2~\033[3~\033[4~\033[5~\033[6~", "c7 d2 d3 cf c9 d1 "},
        {"\033[3;5~\033[5;3~", "Cd3 Ac9 "}, {"\033OP\033OQ\033OR\033OS", "3b 3c 3d 3e "},
        {"\033[15~\033[17~\033[21~\033[23~\033[24~", "3f 40 44 57 58 "},
        {"\033[1;2P\033[24;6~", "S3b CS58 "}, {"\033[[A\033[[E", "3b 3f "}, {"\033[Z", "S0f "},
        {"\033[5^\033[a\033Oc", "Cc9 Sc8 Ccd "}, {"\033x\033X\033\r\033\x03", "A2d AS2d A1c CA2e "},
        {"\033\033[A", "01 c8 "}, {"\033[27;5;105~\033[105;5u", "C17 C17 "},
        {"\u00e4\u20acz", "2c "}, {"\xff\xfez", "2c "}, {"\033[999999999999999~z", "2c "},
        {"\033[1;2;3;4;5;6;7;8;9;1;2;3;4;5;6;7;8;9Az", "1e 2c "},
    };
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        struct strokes s = {.text = ""};
        struct term_keys k = {.erase = 0x7f, .stroke = record_stroke, .opaque = &s};
        for (const char *p = maps[i].bytes; *p != 0; p++) {
            term_keys_byte(&k, (uint8_t)*p);
        }
        if (i + 1 < ARRAY_SIZE(maps)) {
            assert_string_equal(s.text, maps[i].strokes);
        }
        assert_false(term_keys_waits(&k));
    }
}

static void an_unfinished_sequence_is_escape_or_alt(void **state)
{
    struct strokes s = {.text = ""};
    struct term_keys k = {.erase = 0x08, .stroke = record_stroke, .opaque = &s};
    term_keys_byte(&k, 0x1b);
    assert_true(term_keys_waits(&k));
    term_keys_timeout(&k);
    term_keys_byte(&k, 0x1b);
    term_keys_byte(&k, 'O');
    term_keys_timeout(&k);
    term_keys_byte(&k, 0x1b);
    term_keys_byte(&k, '[');
    term_keys_byte(&k, '1');
    term_keys_timeout(&k);
    term_keys_byte(&k, 0x08);                            /* this terminal's Backspace */
    assert_string_equal(s.text, "01 AS18 0e ");
}

static void random_bytes_do_no_harm(void **state)
{
    struct strokes s = {.text = ""};
    struct term_keys k = {.erase = 0x7f, .stroke = record_stroke, .opaque = &s};
    srand(2);
    for (unsigned i = 0; i < 1000000; i++) {
        static const char often[] = "\033[O;1~";
        s.len = 0;
        term_keys_byte(&k, rand() & 1 ? (uint8_t)often[rand() % 6] : (uint8_t)rand());
        assert_true(k.len <= sizeof(k.seq));
    }
}

static void colours_fall_back_to_the_nearest(void **state)
{
    struct term_screen s;
    setenv("TERM", "xterm-256color", 1);
    unsetenv("COLORTERM");
    setenv("LC_ALL", "C.UTF-8", 1);
    term_screen_init(&s);
    assert_int_equal(s.colours, TERM_256_COLOURS);
    term_screen_resize(&s, 4, 1);
    term_screen_clear(&s);
    s.want[0] = (struct term_cell){.cp = 'a', .fg = 0xff0000, .bg = 0x808080};
    term_screen_update(&s);
    s.out[s.len] = 0;
    assert_non_null(strstr(s.out, "\033[38;5;196m\033[48;5;244ma"));
    term_screen_fini(&s);
    setenv("COLORTERM", "24bit", 1);
    term_screen_init(&s);
    assert_int_equal(s.colours, TERM_TRUE_COLOUR);
    assert_true(s.utf8);
    term_screen_fini(&s);
}

#define ON_TERM(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_TERM(the_terminal_is_taken_and_given_back),
        ON_TERM(what_is_no_terminal_is_refused),
        ON_TERM(cells_colours_and_cursor_arrive),
        ON_TERM(only_differences_are_sent),
        ON_TERM(random_screens_arrive_cell_by_cell),
        ON_TERM(a_small_terminal_follows_the_cursor),
        ON_TERM(without_utf8_boxes_are_ascii),
        ON_TERM(graphics_are_half_blocks),
        ON_TERM(keys_reach_the_guest),
        ON_TERM(the_next_key_waits_for_the_guest),
        ON_TERM(ctrl_a_is_the_prefix),
        ON_TERM(help_is_a_line_until_the_next_key),
        ON_TERM(a_hang_up_quits),
        ON_TERM(messages_do_not_tear_the_screen),
        ON_TERM(a_crash_gives_the_terminal_back),
        ON_TERM(exit_gives_the_terminal_back),
        ON_TERM(the_bell_rings_at_most_ten_times_a_second),
        ON_TERM(suspended_and_continued_it_draws_anew),
        cmocka_unit_test(sequences_are_keys),
        cmocka_unit_test(an_unfinished_sequence_is_escape_or_alt),
        cmocka_unit_test(random_bytes_do_no_harm),
        cmocka_unit_test(colours_fall_back_to_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
