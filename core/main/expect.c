#include "core/main/expect.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/log.h"
#include "core/ui/input.h"
#include "core/ui/png.h"
#include "core/ui/surface.h"
#include "core/ui/typist.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERIAL_KEPT  65536u /* bytes of COM1 output that wait-serial can look back */
#define SCREEN_BYTES (3 * (TEXT_MAX_COLS + 1) * TEXT_MAX_ROWS + 1)
#define GUARD_GRACE  10 /* s: how long the main loop has to act on the host-time guard */

struct expect {
    struct machine *m;
    const struct script *script;
    unsigned at;  /* index of the step that is being carried out */
    bool entered; /* its beginning has been carried out */
    bool ended;
    int status;
    char reason[400];              /* why it failed; empty: it did not */
    int64_t limit_ns, deadline_ns; /* of one step; of this one */
    int64_t host_limit_ns;
    struct timer tick, guard;
    struct typist typist;
    unsigned buttons; /* of the pointer: POINTER_ bits that are held */
    struct chardev_tap tap;
    char *serial;                     /* SERIAL_KEPT bytes */
    size_t serial_len, serial_seen;   /* filled; of these searched by steps that are over */
    struct text_screen *screen, *row; /* what is on screen now; scratch */
    char *text;                       /* screen as UTF-8 */
    uint64_t input_picture;           /* picture_of the screen when the last input began */
    bool had_input;
    uint64_t still_picture; /* of the screen since still_since_ns */
    int64_t still_since_ns;
};

/* ---- outcomes -------------------------------------------------------------------------------- */

static void end(struct expect *e, int status)
{
    if (!e->ended) {
        e->ended = true;
        e->status = status;
        timer_cancel(&e->tick);
        machine_request_stop(e->m, CAUSE_EXPECT, status);
    }
}

static void say(struct expect *e, const char *fmt, va_list ap)
{
    const struct step *step = e->at < e->script->n ? &e->script->steps[e->at] : NULL;
    size_t n = 0, size = sizeof(e->reason);
    if (e->script->path != NULL) {
        n += snprintf(e->reason, size, "%.150s: ", e->script->path);
    }
    if (step != NULL && step->line != 0) {
        n += snprintf(e->reason + n, size - n, "line %u: ", step->line);
    }
    if (step != NULL) {
        n += snprintf(e->reason + n, size - n, "%s%s%.80s: ", step_name(step->kind),
                      step->text[0] != '\0' ? " " : "", step->text);
    }
    vsnprintf(e->reason + n, size - n, fmt, ap);
}

/* Ends the run with @status and a reason. Always false. */
static bool fail(struct expect *e, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool fail(struct expect *e, int status, const char *fmt, ...)
{
    if (!e->ended) {
        va_list ap;
        va_start(ap, fmt);
        say(e, fmt, ap);
        va_end(ap);
        end(e, status);
    }
    return false;
}

static bool fail_err(struct expect *e, int status, struct error *err)
{
    fail(e, status, "%s", error_text(err));
    error_free(err);
    return false;
}

/* ---- screen and serial ----------------------------------------------------------------------- */

/* Reads the screen; an empty text in graphics modes. */
static void look(struct expect *e)
{
    const struct display_source *d = e->m->display;
    e->text[0] = '\0';
    e->screen->cols = e->screen->rows = 0;
    if (d != NULL && d->text(d->dev, e->screen)) {
        text_screen_utf8(e->screen, e->text, SCREEN_BYTES);
    }
}

/* A number that changes with the text and the cursor's place (FNV-1a). */
static uint64_t picture_of(const struct expect *e)
{
    uint64_t h = 0xcbf29ce484222325ull ^ (e->screen->cursor_y * 1000 + e->screen->cursor_x);
    for (const char *p = e->text; *p != '\0'; p++) {
        h = (h ^ (uint8_t)*p) * 0x100000001b3ull;
    }
    return h;
}

/* The text left of the cursor ends with @want; blanks at the end do not count. */
static bool at_prompt(struct expect *e, const char *want)
{
    char line[3 * (TEXT_MAX_COLS + 1) + 1];
    const struct text_screen *s = e->screen;
    if (s->cursor_y >= s->rows || s->cursor_x > s->cols ||
        (e->had_input && picture_of(e) == e->input_picture)) {
        return false;
    }
    e->row->rows = 1;
    e->row->cols = s->cursor_x;
    memcpy(e->row->cells[0], s->cells[s->cursor_y], s->cursor_x * sizeof(s->cells[0][0]));
    text_screen_utf8(e->row, line, sizeof(line));
    size_t len = strcspn(line, "\n"), n = strlen(want);
    while (n > 0 && want[n - 1] == ' ') {
        n--;
    }
    return n <= len && memcmp(line + len - n, want, n) == 0;
}

/* The screen shows something and has not changed for @ns. */
static bool stands_still(struct expect *e, int64_t ns, int64_t now)
{
    uint64_t picture = picture_of(e);
    if (picture != e->still_picture || e->text[strspn(e->text, "\n")] == '\0') {
        e->still_picture = picture;
        e->still_since_ns = now;
    }
    return now - e->still_since_ns >= ns;
}

static void serial_seen(void *opaque, const uint8_t *buf, size_t len)
{
    struct expect *e = opaque;
    for (size_t i = 0; i < len; i++) {
        if (e->serial_len == SERIAL_KEPT) {
            size_t drop = SERIAL_KEPT / 2;
            memmove(e->serial, e->serial + drop, SERIAL_KEPT - drop);
            e->serial_len -= drop;
            e->serial_seen -= min_u64(drop, e->serial_seen);
        }
        e->serial[e->serial_len++] = (char)buf[i];
    }
}

static bool serial_has(struct expect *e, const char *want)
{
    size_t n = strlen(want);
    const char *at = memmem(e->serial + e->serial_seen, e->serial_len - e->serial_seen, want, n);
    if (at != NULL) {
        e->serial_seen = (size_t)(at - e->serial) + n;
    }
    return at != NULL;
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool save_screenshot(struct expect *e, const char *path, struct error **err)
{
    struct surface s = {0};
    size_t n = strlen(path);
    bool ppm = n >= 4 && strcmp(path + n - 4, ".ppm") == 0;
    e->m->display->render(e->m->display->dev, &s);
    bool ok = ppm ? ppm_write(path, &s, err) : png_write(path, &s, err);
    surface_fini(&s);
    return ok;
}

/* Prints the screen without the empty lines at its end. */
static bool print_text(const struct expect *e, FILE *f)
{
    size_t len = strlen(e->text);
    while (len > 0 && e->text[len - 1] == '\n') {
        len--;
    }
    return fprintf(f, "%.*s\n", (int)len, e->text) >= 0;
}

/* A file gets every line of the screen, standard output those that a person wants to see. */
static bool save_text(struct expect *e, const char *path, struct error **err)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *f = standard ? stdout : fopen(path, "we");
    if (f == NULL) {
        return error_errno(err, errno, "open %s", path);
    }
    bool ok = (standard ? print_text(e, f) : fputs(e->text, f) >= 0) && fflush(f) == 0;
    if (!ok) {
        error_errno(err, errno, "write %s", path);
    }
    if (!standard && fclose(f) != 0 && ok) {
        ok = error_errno(err, errno, "write %s", path);
    }
    return ok;
}

static bool save(struct expect *e, const struct step *s)
{
    struct error *err = NULL;
    bool ok = s->kind == STEP_SCREENSHOT ? save_screenshot(e, s->text, &err)
                                         : save_text(e, s->text, &err);
    return ok || fail_err(e, STATUS_USAGE, err);
}

/* ---- pointer --------------------------------------------------------------------------------- */

static void set_buttons(struct expect *e, unsigned down)
{
    e->buttons = down;
    e->m->pointer->buttons(e->m->pointer->dev, down);
}

/* Whether the guest has taken what a pointer step sent. A click has a second half to send. */
static bool pointer_over(struct expect *e, const struct step *s)
{
    if (!e->m->pointer->idle(e->m->pointer->dev)) {
        return false;
    }
    if (s->kind == STEP_CLICK && (e->buttons & s->button)) {
        set_buttons(e, e->buttons & ~s->button);
        return false;
    }
    return true;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* What a step does when its turn comes. False: the run has ended. */
static bool enter(struct expect *e, const struct step *s, int64_t now)
{
    struct error *err = NULL;
    e->deadline_ns = now + e->limit_ns;
    switch (s->kind) {
    case STEP_TYPE:
    case STEP_KEY:
        e->had_input = true;
        e->input_picture = picture_of(e);
        return (s->kind == STEP_TYPE ? typist_type(&e->typist, s->text, &err)
                                     : typist_combo(&e->typist, s->text, &err)) ||
               fail_err(e, STATUS_USAGE, err);
    case STEP_MOUSE:
        e->m->pointer->move(e->m->pointer->dev, s->motion[0], s->motion[1], s->motion[2]);
        return true;
    case STEP_CLICK:
    case STEP_PRESS:
        set_buttons(e, e->buttons | s->button);
        return true;
    case STEP_RELEASE:
        set_buttons(e, e->buttons & ~s->button);
        return true;
    case STEP_SLEEP:
        e->deadline_ns = now + s->ns;
        return true;
    case STEP_WAIT_STILL:
        e->still_since_ns = now;
        return true;
    case STEP_TIMEOUT:
        e->limit_ns = s->ns;
        return true;
    case STEP_SCREENSHOT:
    case STEP_SCREENTEXT:
        return save(e, s);
    default:
        return true;
    }
}

/* Whether the step that was entered is over. */
static bool is_over(struct expect *e, const struct step *s, int64_t now)
{
    switch (s->kind) {
    case STEP_WAIT:
        return strstr(e->text, s->text) != NULL;
    case STEP_WAIT_PROMPT:
        return at_prompt(e, s->text);
    case STEP_WAIT_STILL:
        return stands_still(e, s->ns, now);
    case STEP_WAIT_SERIAL:
        return serial_has(e, s->text);
    case STEP_WAIT_OFF:
        return false; /* expect_finish sees it */
    case STEP_TYPE:
    case STEP_KEY:
        return typist_done(&e->typist);
    case STEP_MOUSE:
    case STEP_CLICK:
    case STEP_PRESS:
    case STEP_RELEASE:
        return pointer_over(e, s);
    case STEP_SLEEP:
        return now >= e->deadline_ns;
    default:
        return true;
    }
}

static bool check_fail_if(struct expect *e)
{
    unsigned now_at = e->at;
    for (unsigned i = 0; i < now_at && i < e->script->n; i++) {
        const struct step *s = &e->script->steps[i];
        if (s->kind == STEP_FAIL_IF && strstr(e->text, s->text) != NULL) {
            e->at = i; /* the reason names this step */
            return fail(e, STATUS_FAILED, "it is on the screen");
        }
    }
    return true;
}

static void time_is_up(struct expect *e, const struct step *s)
{
    static const char *const missing[STEP_KINDS] = {
        [STEP_WAIT] = "not on the screen",
        [STEP_WAIT_PROMPT] = "not left of the cursor",
        [STEP_WAIT_STILL] = "the screen changes",
        [STEP_WAIT_SERIAL] = "not sent by COM1",
        [STEP_WAIT_OFF] = "the machine is still on",
        [STEP_TYPE] = "the guest does not read its keyboard",
        [STEP_KEY] = "the guest does not read its keyboard",
        [STEP_MOUSE] = "the guest does not read its mouse",
        [STEP_CLICK] = "the guest does not read its mouse",
        [STEP_PRESS] = "the guest does not read its mouse",
        [STEP_RELEASE] = "the guest does not read its mouse",
    };
    fail(e, STATUS_TIME_LIMIT, "%s after %g s of guest time",
         missing[s->kind] != NULL ? missing[s->kind] : "not done", (double)e->limit_ns / 1e9);
}

static void tick(void *opaque)
{
    struct expect *e = opaque;
    int64_t now = clock_now(&e->m->clock);
    look(e);
    while (!e->ended && check_fail_if(e)) {
        if (e->at == e->script->n) {
            end(e, STATUS_OK);
            return;
        }
        const struct step *s = &e->script->steps[e->at];
        if (!e->entered && !enter(e, s, now)) {
            return;
        }
        e->entered = true;
        if (!is_over(e, s, now)) {
            if (now >= e->deadline_ns) {
                time_is_up(e, s);
            } else {
                timer_at(&e->tick, (now / EXPECT_PERIOD_NS + 1) * EXPECT_PERIOD_NS);
            }
            return;
        }
        e->entered = false;
        e->at++;
    }
}

/* ---- the guard in host time ------------------------------------------------------------------ */

static void guard_fired(void *opaque)
{
    struct expect *e = opaque;
    fail(e, STATUS_HOST_LIMIT, "not done after %g s of host time (--host-timeout)",
         (double)e->host_limit_ns / 1e9);
}

/* The main loop could not act on the guard: the machine lock is not given back. */
static void guard_is_stuck(int sig)
{
    static const char text[] =
        "coldboot: the host time limit is over and the machine does not stop\n";
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
        _exit(STATUS_HOST_LIMIT);
    }
    _exit(STATUS_HOST_LIMIT);
}

static void arm_guard(struct expect *e)
{
    struct sigaction sa = {.sa_handler = guard_is_stuck};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGALRM, &sa, NULL);
    alarm((unsigned)(e->host_limit_ns / NS_PER_SEC) + GUARD_GRACE);
    timer_at(&e->guard, clock_now(&e->m->loop.host) + e->host_limit_ns);
}

/* ---- life ------------------------------------------------------------------------------------ */

static bool check_machine(const struct expect *e, struct chardev *com1, struct error **err)
{
    for (unsigned i = 0; i < e->script->n; i++) {
        const struct step *s = &e->script->steps[i];
        bool keys = s->kind == STEP_TYPE || s->kind == STEP_KEY;
        bool screen = s->kind == STEP_WAIT || s->kind == STEP_WAIT_PROMPT ||
                      s->kind == STEP_WAIT_STILL || s->kind == STEP_FAIL_IF ||
                      s->kind == STEP_SCREENSHOT || s->kind == STEP_SCREENTEXT;
        bool mouse = s->kind == STEP_MOUSE || s->kind == STEP_CLICK || s->kind == STEP_PRESS ||
                     s->kind == STEP_RELEASE;
        const char *lacks = mouse && e->m->pointer == NULL                ? "mouse"
                            : keys && e->m->keyboard == NULL              ? "keyboard"
                            : screen && e->m->display == NULL             ? "screen"
                            : s->kind == STEP_WAIT_SERIAL && com1 == NULL ? "serial port"
                                                                          : NULL;
        if (lacks != NULL) {
            return error_set(err, "%s: the machine has no %s", step_name(s->kind), lacks);
        }
    }
    return true;
}

struct expect *expect_new(struct machine *m, const struct script *s, struct chardev *com1,
                          int64_t host_limit_ns, struct error **err)
{
    struct expect *e = NEW(struct expect);
    *e = (struct expect){
        .m = m, .script = s, .limit_ns = s->limit_ns, .host_limit_ns = host_limit_ns};
    if (!check_machine(e, com1, err)) {
        free(e);
        return NULL;
    }
    e->serial = xcalloc(1, SERIAL_KEPT);
    e->screen = NEW(struct text_screen);
    e->row = NEW(struct text_screen);
    e->text = xcalloc(1, SCREEN_BYTES);
    timer_init(&e->tick, &m->clock, "expect", tick, e);
    timer_init(&e->guard, &m->loop.host, "expect guard", guard_fired, e);
    if (m->keyboard != NULL) {
        typist_init(&e->typist, &m->clock, m->keyboard);
    }
    if (com1 != NULL) {
        e->tap = (struct chardev_tap){.seen = serial_seen, .opaque = e};
        chardev_tap(com1, &e->tap);
    }
    m->stop_on_dead_halt = m->stop_on_triple_fault = true;
    return e;
}

void expect_start(struct expect *e)
{
    arm_guard(e);
    timer_at(&e->tick, clock_now(&e->m->clock));
}

/* Whether the script wants the machine off now; keys that switch it off may not all be taken. */
static bool waits_for_off(struct expect *e)
{
    const struct step *s = e->script->steps;
    if (e->at + 1 < e->script->n && (s[e->at].kind == STEP_TYPE || s[e->at].kind == STEP_KEY)) {
        e->at++;
    }
    return e->at < e->script->n && s[e->at].kind == STEP_WAIT_OFF;
}

/* The steps that are left once the machine is off: saving its screen still works. */
static void finish_off(struct expect *e)
{
    look(e);
    for (e->at++; e->at < e->script->n && !e->ended; e->at++) {
        const struct step *s = &e->script->steps[e->at];
        if (s->kind == STEP_SCREENSHOT || s->kind == STEP_SCREENTEXT) {
            save(e, s);
        } else if (s->kind != STEP_TIMEOUT && s->kind != STEP_FAIL_IF) {
            fail(e, STATUS_FAILED, "the machine is off");
        }
    }
    end(e, STATUS_OK);
}

static void judge(struct expect *e)
{
    const struct machine *m = e->m;
    switch (m->stop_request) {
    case CAUSE_GUEST_EXIT:
        e->ended = true;
        e->status = m->stop_status;
        break;
    case CAUSE_TRIPLE_FAULT:
        fail(e, STATUS_TRIPLE_FAULT, "triple fault");
        break;
    case CAUSE_DEAD_HALT:
        fail(e, STATUS_DEAD_HALT, "the CPU halted with interrupts off, for ever");
        break;
    case CAUSE_HANG:
        fail(e, STATUS_HANG, "the program hangs, and no interrupt can end that");
        break;
    case CAUSE_GUEST_SHUTDOWN:
    case CAUSE_GUEST_RESET:
        if (waits_for_off(e)) {
            finish_off(e);
        } else {
            fail(e, STATUS_FAILED, "the guest %s",
                 m->stop_request == CAUSE_GUEST_SHUTDOWN ? "powered off"
                                                         : "reset the machine (-no-reboot)");
        }
        break;
    case CAUSE_GUEST_PANIC:
        fail(e, STATUS_FAILED, "the guest panicked");
        break;
    case CAUSE_ERROR:
        fail(e, STATUS_USAGE, "the accelerator cannot go on");
        break;
    default:
        fail(e, STATUS_FAILED, "ended from outside");
        break;
    }
}

int expect_finish(struct expect *e)
{
    if (!e->ended) {
        judge(e);
    }
    if (e->reason[0] != '\0') {
        look(e);
        log_error("%s", e->reason);
        if (e->text[strspn(e->text, "\n")] != '\0') {
            fprintf(stderr, "---- last screen ----\n");
            print_text(e, stderr);
            fprintf(stderr, "---- end of screen ----\n");
        }
    }
    return e->status;
}

void expect_free(struct expect *e)
{
    if (e == NULL) {
        return;
    }
    alarm(0);
    timer_cancel(&e->tick);
    timer_cancel(&e->guard);
    if (e->m->keyboard != NULL) {
        typist_fini(&e->typist);
    }
    free(e->serial);
    free(e->screen);
    free(e->row);
    free(e->text);
    free(e);
}
