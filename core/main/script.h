/*
 * Scripts of the automation engine: what to wait for and what to type, as a list of steps.
 *
 * A script is text, one step a line; '#' starts a comment line. The same steps come from the
 * command line's short forms (--expect, --type and so on). docs/automation.md is the reference.
 */
#ifndef CORE_MAIN_SCRIPT_H
#define CORE_MAIN_SCRIPT_H

#include "core/base/error.h"

#include <stdint.h>

enum step_kind {
    STEP_WAIT,           /* until the text is on the screen */
    STEP_WAIT_PROMPT,    /* until it stands left of the cursor, and the screen has changed */
    STEP_WAIT_STILL,     /* until the screen has shown something and not changed for that time */
    STEP_WAIT_SERIAL,    /* until COM1 has sent it, after what an earlier one found */
    STEP_WAIT_OFF,       /* until the guest powers off */
    STEP_TYPE,
    STEP_KEY,            /* keys pressed together: names with '-' between */
    STEP_MOUSE,          /* relative motion, spread over as many reports as the mouse needs */
    STEP_CLICK,          /* a button goes down, and up when the guest has seen that */
    STEP_PRESS,
    STEP_RELEASE,
    STEP_SLEEP,
    STEP_SCREENSHOT,
    STEP_SCREENTEXT,
    STEP_TIMEOUT,        /* limit of each later step */
    STEP_FAIL_IF,        /* from here on: the script fails when the text is on the screen */
    STEP_KINDS,
};

struct step {
    enum step_kind kind;
    char *text;          /* the argument, UTF-8; of `type` in the form that typist.h describes */
    int motion[3];       /* STEP_MOUSE: right, down, wheel towards the user; counts and notches */
    unsigned button;     /* STEP_CLICK, STEP_PRESS, STEP_RELEASE: a POINTER_ bit */
    int64_t ns;          /* STEP_SLEEP, STEP_WAIT_STILL, STEP_TIMEOUT */
    unsigned line;       /* where it came from; 0: the command line */
};

struct script {
    char *path;          /* NULL: from the command line */
    struct step *steps;
    unsigned n;
    int64_t limit_ns;    /* of each step until a STEP_TIMEOUT says otherwise */
};

#define SCRIPT_LIMIT_NS (60 * 1000000000ll)
#define SCRIPT_MAX_STEPS 10000

/* Appends one step. @arg as written by the user. */
bool script_add(struct script *s, enum step_kind kind, const char *arg, unsigned line,
                struct error **err);

/* Appends the steps of a file ("-": standard input) and sets s->path. */
bool script_load(struct script *s, const char *path, struct error **err);

/* Appends the steps of @text, which may be changed by the call. */
bool script_parse(struct script *s, char *text, struct error **err);

void script_free(struct script *s);

/* A step's name in scripts. */
const char *step_name(enum step_kind kind);

/* "1500ms", "2s", "1.5s", "250us", "3m"; a number alone is seconds. At most 24 hours. */
bool parse_duration(const char *text, int64_t *ns, struct error **err);

#endif
