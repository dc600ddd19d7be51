/*
 * The display `term`: joins the terminal (term_tty), the picture (term_screen), the keys
 * (term_keys) and the machine.
 *
 * Keys go to the guest one event at a time, the next when it has taken the last, so that pasted
 * text arrives whole. Output never blocks: while the terminal has not taken a frame, no other is
 * made.
 */
#include "core/ui/display_term.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/log.h"
#include "core/ui/png.h"
#include "core/ui/term_keys.h"
#include "core/ui/term_screen.h"
#include "core/ui/term_tty.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAME_NS      (33 * NS_PER_MS)
#define IDLE_FRAME_NS (100 * NS_PER_MS) /* after IDLE_FRAMES without a change */
#define IDLE_FRAMES   30u
#define NOTE_NS       (5 * NS_PER_SEC)
#define KEY_RETRY_NS  (2 * NS_PER_MS)
#define KEY_STUCK_NS  (500 * NS_PER_MS) /* a guest that does not read gets the next key anyway */
#define KEY_EVENTS    16384u
#define EVENTS_STROKE 8u                /* three modifiers and the key, down and up */
#define LOG_LINES     200u
#define NOTE_BYTES    256u
#define BELL_NS       (100 * NS_PER_MS)

/* At most 80 columns. */
#define HELP "Ctrl-A: x quit r reset d Ctrl-Alt-Del f1..f= F-key s screenshot z suspend a ^A"

enum prefix { PREFIX_NONE, PREFIX_COMMAND, PREFIX_FUNCTION };

struct key_event {
    uint8_t key;
    bool down;
};

struct display_term {
    struct display_term_config cfg;
    struct term_screen screen;
    struct term_keys keys;
    struct timer frame, escape, pump;
    int out_fd;                      /* our own open of the terminal: writes do not block */
    int notify_fd;
    bool owns_out_fd, writing;       /* writing: the terminal has to take the rest of a frame */
    bool help;
    bool bell;                       /* the next frame rings it */
    int64_t rang_ns;
    enum prefix prefix;
    unsigned idle_frames;
    unsigned said_cols, said_rows;   /* guest screen that the user was told does not fit */
    char note[NOTE_BYTES];
    int64_t note_until_ns;
    struct key_event events[KEY_EVENTS]; /* ring */
    unsigned head, count;
    int64_t stuck_at_ns;
    struct text_screen text;
    struct surface picture;
    pthread_mutex_t log_mutex;       /* guards what follows: messages come from any thread */
    char *log[LOG_LINES];
    unsigned logged;                 /* lines ever seen; the last LOG_LINES are kept */
    unsigned log_shown;
};

static int64_t host_time(struct display_term *d)
{
    return clock_now(&d->cfg.loop->host);
}

static void soon(struct display_term *d)
{
    d->idle_frames = 0;
    timer_at(&d->frame, host_time(d));
}

static void __attribute__((format(printf, 2, 3))) note(struct display_term *d, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(d->note, sizeof(d->note), fmt, ap);
    va_end(ap);
    d->note_until_ns = host_time(d) + NOTE_NS;
    soon(d);
}

/* Messages: shown in the note line, and on standard error once the terminal is given back. */
static void log_sink(void *opaque, const char *line)
{
    struct display_term *d = opaque;
    pthread_mutex_lock(&d->log_mutex);
    char **slot = &d->log[d->logged++ % LOG_LINES];
    free(*slot);
    *slot = xstrdup(line);
    pthread_mutex_unlock(&d->log_mutex);
}

static void show_new_message(struct display_term *d)
{
    pthread_mutex_lock(&d->log_mutex);
    bool news = d->log_shown != d->logged;
    if (news) {
        d->log_shown = d->logged;
        snprintf(d->note, sizeof(d->note), "%s", d->log[(d->logged - 1) % LOG_LINES]);
    }
    pthread_mutex_unlock(&d->log_mutex);
    if (news) {
        d->note_until_ns = host_time(d) + NOTE_NS;
    }
}

static void print_messages(struct display_term *d)
{
    unsigned first = d->logged > LOG_LINES ? d->logged - LOG_LINES : 0;
    if (first > 0) {
        fprintf(stderr, "(%u earlier messages are lost)\n", first);
    }
    for (unsigned i = first; i < d->logged; i++) {
        fprintf(stderr, "%s\n", d->log[i % LOG_LINES]);
    }
    for (unsigned i = 0; i < LOG_LINES; i++) {
        free(d->log[i]);
    }
}

static void writable(void *opaque, unsigned events);

/* Sends what the terminal takes now; the rest when it says that it can. */
static void flush(struct display_term *d)
{
    struct term_screen *s = &d->screen;
    size_t sent = 0;
    while (sent < s->len) {
        ssize_t n = write(d->out_fd, s->out + sent, s->len - sent);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno != EAGAIN) {
            sent = s->len;                             /* the terminal is gone: input will say so */
        }
        if (n <= 0) {
            break;
        }
        sent += (size_t)n;
    }
    memmove(s->out, s->out + sent, s->len - sent);
    s->len -= sent;
    bool rest = s->len > 0;
    if (rest != d->writing) {
        d->writing = rest;
        loop_watch(d->cfg.loop, d->out_fd, rest ? LOOP_OUT : 0, writable, d);
    }
}

static void writable(void *opaque, unsigned events)
{
    struct display_term *d = opaque;
    if (events & LOOP_HUP) {
        d->screen.len = 0;
    }
    flush(d);
}

static void tell_if_cut(struct display_term *d)
{
    const struct text_screen *t = &d->text;
    if (t->cols <= d->screen.cols && t->rows <= d->screen.rows) {
        d->said_cols = d->said_rows = 0;
    } else if (d->said_cols != t->cols || d->said_rows != t->rows) {
        d->said_cols = t->cols;
        d->said_rows = t->rows;
        note(d, "Screen %ux%u, terminal %ux%u: the view follows the cursor.", t->cols, t->rows,
             d->screen.cols, d->screen.rows);
    }
}

/* The picture of the guest, which may be the one of the last frame. */
static void draw(struct display_term *d)
{
    const struct display_source *src = d->cfg.source;
    bool changed = src->changed == NULL || src->changed(src->dev);
    if (changed || d->picture.pixels == NULL) {
        src->render(src->dev, &d->picture);
    }
}

static void compose(struct display_term *d)
{
    const struct display_source *src = d->cfg.source;
    struct term_screen *s = &d->screen;
    char line[NOTE_BYTES] = "";
    term_screen_clear(s);
    show_new_message(d);
    if (src == NULL) {
        snprintf(line, sizeof(line), "This machine has no display.");
    } else if (src->text(src->dev, &d->text)) {
        term_screen_text(s, &d->text);
        tell_if_cut(d);
    } else {
        draw(d);
        if (s->utf8) {
            term_screen_picture(s, &d->picture);
        } else {
            snprintf(line, sizeof(line), "Graphics, %ux%u: shown in terminals with UTF-8 only.",
                     d->picture.width, d->picture.height);
        }
    }
    if (d->help) {
        snprintf(line, sizeof(line), "%s", HELP);
    } else if (d->note[0] != 0) {
        snprintf(line, sizeof(line), "%s", d->note);
    }
    if (line[0] != 0) {
        term_screen_line(s, line);
    }
}

static void frame(void *opaque)
{
    struct display_term *d = opaque;
    int64_t now = host_time(d);
    if (d->note[0] != 0 && now >= d->note_until_ns) {
        d->note[0] = 0;
    }
    if (!d->writing) {
        compose(d);
        d->idle_frames = term_screen_update(&d->screen) ? 0 : d->idle_frames + 1;
        if (d->bell) {
            d->bell = false;
            term_screen_bell(&d->screen);
        }
        flush(d);
    }
    timer_at(&d->frame, now + (d->idle_frames > IDLE_FRAMES ? IDLE_FRAME_NS : FRAME_NS));
}

void display_term_bell(struct display_term *d)
{
    int64_t now = host_time(d);
    if (d->rang_ns == 0 || now - d->rang_ns >= BELL_NS) {
        d->rang_ns = now;
        d->bell = true;
        soon(d);
    }
}

/* Gives the guest the next key event, if it has taken the last. */
static void pump(void *opaque)
{
    struct display_term *d = opaque;
    const struct keyboard_sink *kbd = d->cfg.keyboard;
    while (d->count > 0) {
        int64_t now = host_time(d);
        if (!kbd->idle(kbd->dev) && now < d->stuck_at_ns) {
            timer_at(&d->pump, now + KEY_RETRY_NS);
            return;
        }
        struct key_event e = d->events[d->head];
        d->head = (d->head + 1) % KEY_EVENTS;
        d->count--;
        d->stuck_at_ns = now + KEY_STUCK_NS;
        kbd->key(kbd->dev, e.key, e.down);
    }
}

static void push(struct display_term *d, unsigned key, bool down)
{
    d->events[(d->head + d->count++) % KEY_EVENTS] = (struct key_event){(uint8_t)key, down};
}

static void press(struct display_term *d, unsigned key, unsigned mods)
{
    static const struct {
        unsigned mod, key;
    } held[] = {{TERM_CTRL, 0x1d}, {TERM_ALT, 0x38}, {TERM_SHIFT, 0x2a}};
    if (d->cfg.keyboard == NULL || KEY_EVENTS - d->count < EVENTS_STROKE) {
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(held); i++) {
        if (mods & held[i].mod) {
            push(d, held[i].key, true);
        }
    }
    push(d, key, true);
    push(d, key, false);
    for (unsigned i = ARRAY_SIZE(held); i-- > 0;) {
        if (mods & held[i].mod) {
            push(d, held[i].key, false);
        }
    }
    pump(d);
}

static void screenshot(struct display_term *d)
{
    char path[32];
    struct error *err = NULL;
    unsigned n = 1;
    if (d->cfg.source == NULL) {
        note(d, "This machine has no display.");
        return;
    }
    do {
        snprintf(path, sizeof(path), "coldboot-%u.png", n);
    } while (access(path, F_OK) == 0 && ++n < 10000);
    d->cfg.source->render(d->cfg.source->dev, &d->picture);
    if (png_write(path, &d->picture, &err)) {
        note(d, "The screen is in %s.", path);
    } else {
        note(d, "%s", error_text(err));
        error_free(err);
    }
}

/* The key after Ctrl-A f. */
static void function_key(struct display_term *d, unsigned key, unsigned mods)
{
    if (key >= 0x02 && key <= 0x0b) {
        press(d, 0x3b + key - 0x02, mods);
    } else if (key == 0x0c || key == 0x0d) {
        press(d, 0x57 + key - 0x0c, mods);
    }
}

/* The key after Ctrl-A. */
static void command(struct display_term *d, unsigned key)
{
    switch (key) {
    case 0x2d:                                           /* x */
        d->cfg.quit(d->cfg.opaque);
        break;
    case 0x13:                                           /* r */
        d->cfg.reset(d->cfg.opaque);
        note(d, "Reset.");
        break;
    case 0x20:                                           /* d */
        press(d, KEY_E0 | 0x53, TERM_CTRL | TERM_ALT);
        break;
    case 0x21:                                           /* f */
        d->prefix = PREFIX_FUNCTION;
        break;
    case 0x1f:                                           /* s */
        screenshot(d);
        break;
    case 0x2c:                                           /* z */
        term_tty_suspend();
        break;
    case 0x1e:                                           /* a */
        press(d, 0x1e, TERM_CTRL);
        break;
    case 0x23:                                           /* h */
    case 0x35:                                           /* ? */
        d->help = true;
        break;
    default:
        note(d, "Ctrl-A h shows what can follow Ctrl-A.");
        break;
    }
}

static void stroke(void *opaque, unsigned key, unsigned mods)
{
    struct display_term *d = opaque;
    enum prefix was = d->prefix;
    d->prefix = PREFIX_NONE;
    d->help = false;
    if (was == PREFIX_FUNCTION) {
        function_key(d, key, mods);
    } else if (was == PREFIX_COMMAND) {
        command(d, key);
    } else if (key == 0x1e && mods == TERM_CTRL) {
        d->prefix = PREFIX_COMMAND;
    } else {
        press(d, key, mods);
    }
    soon(d);
}

static void escape_timeout(void *opaque)
{
    struct display_term *d = opaque;
    term_keys_timeout(&d->keys);
}

static void readable(void *opaque, unsigned events)
{
    struct display_term *d = opaque;
    uint8_t buf[256];
    ssize_t n = read(d->cfg.in_fd, buf, sizeof(buf));
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        loop_watch(d->cfg.loop, d->cfg.in_fd, 0, NULL, NULL);
        d->cfg.quit(d->cfg.opaque);
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        term_keys_byte(&d->keys, buf[i]);
    }
    if (term_keys_waits(&d->keys)) {
        timer_at(&d->escape, host_time(d) + TERM_KEYS_WAIT_NS);
    } else {
        timer_cancel(&d->escape);
    }
}

static void resized(struct display_term *d)
{
    unsigned cols, rows;
    term_tty_size(&cols, &rows);
    term_screen_resize(&d->screen, cols, rows);
    d->said_cols = d->said_rows = 0;
    soon(d);
}

static void notified(void *opaque, unsigned events)
{
    struct display_term *d = opaque;
    term_tty_events();
    resized(d);
}

/* O_NONBLOCK is a property of the open file, which we share with the shell: so we open it again. */
static void open_output(struct display_term *d)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", d->cfg.out_fd);
    d->out_fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    d->owns_out_fd = d->out_fd >= 0;
    if (!d->owns_out_fd) {
        d->out_fd = d->cfg.out_fd;
    }
}

struct display_term *display_term_new(const struct display_term_config *cfg, struct error **err)
{
    struct display_term *d = NEW(struct display_term);
    struct clock *host = &cfg->loop->host;
    d->cfg = *cfg;
    if (!term_tty_enter(cfg->in_fd, cfg->out_fd, &d->notify_fd, err)) {
        free(d);
        return NULL;
    }
    open_output(d);
    term_screen_init(&d->screen);
    d->keys = (struct term_keys){.erase = term_tty_erase(), .stroke = stroke, .opaque = d};
    pthread_mutex_init(&d->log_mutex, NULL);
    timer_init(&d->frame, host, "term-frame", frame, d);
    timer_init(&d->escape, host, "term-escape", escape_timeout, d);
    timer_init(&d->pump, host, "term-keys", pump, d);
    log_set_sink(log_sink, d);
    loop_watch(cfg->loop, cfg->in_fd, LOOP_IN, readable, d);
    loop_watch(cfg->loop, d->notify_fd, LOOP_IN, notified, d);
    resized(d);
    note(d, "Ctrl-A h: help   Ctrl-A x: quit");
    return d;
}

void display_term_free(struct display_term *d)
{
    if (d == NULL) {
        return;
    }
    timer_cancel(&d->frame);
    timer_cancel(&d->escape);
    timer_cancel(&d->pump);
    loop_watch(d->cfg.loop, d->cfg.in_fd, 0, NULL, NULL);
    loop_watch(d->cfg.loop, d->notify_fd, 0, NULL, NULL);
    if (d->writing) {
        loop_watch(d->cfg.loop, d->out_fd, 0, NULL, NULL);
    }
    term_tty_leave();
    log_set_sink(NULL, NULL);
    print_messages(d);
    if (d->owns_out_fd) {
        close(d->out_fd);
    }
    pthread_mutex_destroy(&d->log_mutex);
    term_screen_fini(&d->screen);
    surface_fini(&d->picture);
    free(d);
}
