/*
 * Commands: one table (commands.c) from which come the human monitor, QMP, and the help of both.
 *
 * A handler finds its arguments by name, writes text to c->out and, for QMP, one JSON value to
 * c->json (nothing written means {}). It returns false with an error that both front ends show in
 * their way.
 */
#ifndef CORE_DEBUG_COMMAND_H
#define CORE_DEBUG_COMMAND_H

#include "core/debug/debug.h"

/* Where a command can be given. */
enum {
    CMD_HMP = 1,
    CMD_INFO = 2, /* in the human monitor, behind "info" */
    CMD_QMP = 4,
    CMD_BOTH = CMD_HMP | CMD_QMP,
};

enum arg_type {
    ARG_FLAG,   /* -x; true or false */
    ARG_BOOL,   /* on or off; true or false */
    ARG_INT,    /* an expression; an integer */
    ARG_WORD,   /* a word, perhaps in quotes; a string. With a letter: -x WORD */
    ARG_REST,   /* what is left of the line; a string */
    ARG_FORMAT, /* /COUNT FORMAT SIZE; human monitor only */
    ARG_JSON,   /* any value; QMP only */
};

struct command_arg {
    const char *name; /* as in QMP */
    enum arg_type type;
    bool optional;
    char letter; /* -x in the human monitor; 0: by its place */
};

/* How memory is printed: x, xp, print, i. */
struct mem_format {
    unsigned count; /* 1 or more */
    char form;      /* x d u o c i */
    char size;      /* b h w g */
};

struct json_t; /* of jansson */

struct command_value {
    bool given;
    bool on;                   /* FLAG, BOOL */
    int64_t num;               /* INT */
    char *text;                /* WORD, REST: owned */
    struct mem_format format;  /* FORMAT: the parts not given are 0 */
    const struct json_t *json; /* JSON: borrowed */
};

#define COMMAND_ARGS 6

struct command_call;

struct command {
    const char *name; /* other names behind it: "quit|q" */
    unsigned where;
    const char *params; /* how help shows the arguments; NULL: none */
    const char *help;
    bool (*run)(struct command_call *c, struct error **err);
    struct command_arg args[COMMAND_ARGS];
};

struct command_call {
    struct debug *debug;
    struct monitor *monitor;
    const struct command *command;
    struct command_value args[COMMAND_ARGS];
    struct text *out;
    struct json_out *json;   /* NULL in the human monitor */
    const char *error_class; /* of QMP; NULL: GenericError */
};

/* The table; ends with a name of NULL. */
extern const struct command commands[];

/* The row for @name, of @len bytes, among those of @where; NULL: there is none. */
const struct command *command_find(const char *name, size_t len, unsigned where);

/* The argument called @name, which the row must have. */
const struct command_value *command_arg(const struct command_call *c, const char *name);
/* The text of an argument, or NULL if it was not given. */
const char *command_text(const struct command_call *c, const char *name);

/* Runs the handler, and thaws the machine if it was frozen for it. */
bool command_run(struct command_call *c, struct error **err);
void command_free_args(struct command_call *c);

/* Parses and runs one line of the human monitor; text and errors go to @out. */
void command_line(struct monitor *m, const char *line, struct text *out);

/* "NAME PARAMS -- HELP" of one command or, with @name NULL, of all of @where. */
void command_help(struct text *out, const char *name, unsigned where);

#endif
