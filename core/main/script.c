#include "core/main/script.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/event/clock.h"
#include "core/main/nearest.h"
#include "core/ui/input.h"
#include "core/ui/typist.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_MAX_BYTES (4 * MiB)
#define MOTION_MAX       10000
#define DURATION_MAX_NS  (24 * 3600 * NS_PER_SEC)

enum step_arg { ARG_TEXT, ARG_TYPED, ARG_DURATION, ARG_MOTION, ARG_BUTTON, ARG_PATH, ARG_NONE };

static const struct {
    const char *name;
    enum step_arg arg;
} kinds[STEP_KINDS] = {
    [STEP_WAIT] = {"wait", ARG_TEXT},
    [STEP_WAIT_PROMPT] = {"wait-prompt", ARG_TEXT},
    [STEP_WAIT_STILL] = {"wait-still", ARG_DURATION},
    [STEP_WAIT_SERIAL] = {"wait-serial", ARG_TEXT},
    [STEP_WAIT_OFF] = {"wait-off", ARG_NONE},
    [STEP_TYPE] = {"type", ARG_TYPED},
    [STEP_KEY] = {"key", ARG_TEXT},
    [STEP_MOUSE] = {"mouse", ARG_MOTION},
    [STEP_CLICK] = {"click", ARG_BUTTON},
    [STEP_PRESS] = {"press", ARG_BUTTON},
    [STEP_RELEASE] = {"release", ARG_BUTTON},
    [STEP_SLEEP] = {"sleep", ARG_DURATION},
    [STEP_SCREENSHOT] = {"screenshot", ARG_PATH},
    [STEP_SCREENTEXT] = {"screentext", ARG_PATH},
    [STEP_TIMEOUT] = {"timeout", ARG_DURATION},
    [STEP_FAIL_IF] = {"fail-if", ARG_TEXT},
};

const char *step_name(enum step_kind kind)
{
    return kinds[kind].name;
}

bool parse_duration(const char *text, int64_t *ns, struct error **err)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"", 1e9}, {"s", 1e9},  {"ms", 1e6},  {"us", 1e3},
                 {"ns", 1}, {"m", 60e9}, {"min", 60e9}};
    char *end;
    double v = text[0] >= '0' && text[0] <= '9' ? strtod(text, &end) : NAN;
    for (size_t i = 0; isfinite(v) && i < ARRAY_SIZE(units); i++) {
        if (strcmp(end, units[i].name) == 0) {
            if (v * units[i].ns > (double)DURATION_MAX_NS) {
                return error_set(err, "%s is more than 24 hours", text);
            }
            *ns = (int64_t)(v * units[i].ns + 0.5);
            return true;
        }
    }
    return error_set(err, "\"%s\" is not a time like 2s, 500ms or 1m", text);
}

/* "DX DY" or "DX DY WHEEL". */
static bool parse_motion(const char *text, int motion[3], struct error **err)
{
    const char *p = text;
    unsigned n = 0;
    while (n < 3) {
        char *end;
        long v = strtol(p, &end, 10);
        if (end == p) {
            break;
        }
        if (v < -MOTION_MAX || v > MOTION_MAX) {
            return error_set(err, "%s: a movement is %d at most", text, MOTION_MAX);
        }
        motion[n++] = (int)v;
        p = end;
    }
    return (n >= 2 && p[strspn(p, " \t")] == '\0') ||
           error_set(err, "\"%s\" is not a movement like \"10 -5\" or, with the wheel, \"0 0 1\"",
                     text);
}

static bool parse_button(const char *text, unsigned *button, struct error **err)
{
    static const struct {
        const char *name, *number;
        unsigned button;
    } names[] = {
        {"left", "1", POINTER_LEFT}, {"middle", "2", POINTER_MIDDLE}, {"right", "3", POINTER_RIGHT},
        {"side", "4", POINTER_SIDE}, {"extra", "5", POINTER_EXTRA},
    };
    struct nearest near = {.wanted = text};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(text, names[i].name) == 0 || strcmp(text, names[i].number) == 0) {
            *button = names[i].button;
            return true;
        }
        nearest_offer(&near, names[i].name);
    }
    return nearest_error(&near, "", err, "there is no button \"%s\"", text);
}

bool script_add(struct script *s, enum step_kind kind, const char *arg, unsigned line,
                struct error **err)
{
    struct step step = {.kind = kind, .line = line};
    enum step_arg want = kinds[kind].arg;
    if (s->n >= SCRIPT_MAX_STEPS) {
        return error_set(err, "more than %d steps", SCRIPT_MAX_STEPS);
    }
    if (want == ARG_NONE && arg[0] != '\0') {
        return error_set(err, "%s takes no argument", kinds[kind].name);
    }
    static const char *const needs[] = {
        [ARG_TEXT] = "a text",       [ARG_TYPED] = "a text",     [ARG_DURATION] = "a time",
        [ARG_MOTION] = "a movement", [ARG_BUTTON] = "a button", [ARG_PATH] = "a file name",
    };
    if (want != ARG_NONE && arg[0] == '\0') {
        return error_set(err, "%s needs %s", kinds[kind].name, needs[want]);
    }
    if (want == ARG_DURATION && !parse_duration(arg, &step.ns, err)) {
        return false;
    }
    if (want == ARG_TYPED && !typist_check(arg, err)) {
        return false;
    }
    if (want == ARG_MOTION && !parse_motion(arg, step.motion, err)) {
        return false;
    }
    if (want == ARG_BUTTON && !parse_button(arg, &step.button, err)) {
        return false;
    }
    step.text = xstrdup(arg);
    s->steps = xrealloc(s->steps, (s->n + 1) * sizeof(*s->steps));
    s->steps[s->n++] = step;
    return true;
}

static bool parse_line(struct script *s, char *text, unsigned line, struct error **err)
{
    static const char blanks[] = " \t\r";
    size_t len = strlen(text);
    while (len > 0 && strchr(blanks, text[len - 1]) != NULL) {
        text[--len] = '\0';
    }
    char *name = text + strspn(text, blanks);
    if (*name == '\0' || *name == '#') {
        return true;
    }
    char *arg = name + strcspn(name, blanks);
    if (*arg != '\0') {
        *arg++ = '\0';
        arg += strspn(arg, blanks);
    }
    size_t n = strlen(arg);
    if (n >= 2 && arg[0] == '"' && arg[n - 1] == '"') {
        arg[n - 1] = '\0'; /* quotes keep blanks at the ends */
        arg++;
    }
    struct nearest near = {.wanted = name};
    for (unsigned k = 0; k < STEP_KINDS; k++) {
        if (strcmp(name, kinds[k].name) == 0) {
            return script_add(s, k, arg, line, err);
        }
        nearest_offer(&near, kinds[k].name);
    }
    return nearest_error(&near, "", err, "there is no step \"%s\"", name);
}

bool script_parse(struct script *s, char *text, struct error **err)
{
    unsigned line = 0;
    for (char *next = text; next != NULL;) {
        char *here = next;
        next = strchr(here, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        line++;
        if (!parse_line(s, here, line, err)) {
            return error_prefix(err, "line %u", line);
        }
    }
    return true;
}

bool script_load(struct script *s, const char *path, struct error **err)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *f = standard ? stdin : fopen(path, "re");
    if (f == NULL) {
        return error_errno(err, errno, "open");
    }
    char *text = xcalloc(1, SCRIPT_MAX_BYTES + 1);
    size_t len = fread(text, 1, SCRIPT_MAX_BYTES, f);
    bool ok = true;
    if (ferror(f)) {
        ok = error_errno(err, errno, "read");
    } else if (len == SCRIPT_MAX_BYTES || memchr(text, '\0', len) != NULL) {
        ok = error_set(err, "not a script: %s",
                       len == SCRIPT_MAX_BYTES ? "too long" : "it has NUL bytes");
    }
    if (!standard) {
        fclose(f);
    }
    s->path = xstrdup(path);
    ok = ok && script_parse(s, text, err);
    if (ok && s->n == 0) {
        ok = error_set(err, "the script has no step");
    }
    free(text);
    return ok;
}

void script_free(struct script *s)
{
    for (unsigned i = 0; i < s->n; i++) {
        free(s->steps[i].text);
    }
    free(s->steps);
    free(s->path);
    *s = (struct script){0};
}
