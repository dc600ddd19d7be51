/* Finding commands, reading a line's arguments, running, help. */
#include "core/debug/command.h"

#include "core/base/alloc.h"
#include "core/debug/expr.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ------------------------------------------------------------------------------- */

/* True if @name is one of the names in "a|b|c". */
static bool has_name(const char *names, const char *name, size_t len)
{
    for (;;) {
        size_t n = strcspn(names, "|");
        if (n == len && memcmp(names, name, len) == 0) {
            return true;
        }
        if (names[n] == '\0') {
            return false;
        }
        names += n + 1;
    }
}

const struct command *command_find(const char *name, size_t len, unsigned where)
{
    for (const struct command *c = commands; len != 0 && c->name != NULL; c++) {
        if ((c->where & where) != 0 && has_name(c->name, name, len)) {
            return c;
        }
    }
    return NULL;
}

const struct command_value *command_arg(const struct command_call *c, const char *name)
{
    unsigned i = 0;
    while (i < COMMAND_ARGS - 1 && c->command->args[i].name != NULL &&
           strcmp(c->command->args[i].name, name) != 0) {
        i++;
    }
    assert(c->command->args[i].name != NULL && strcmp(c->command->args[i].name, name) == 0);
    return &c->args[i];
}

const char *command_text(const struct command_call *c, const char *name)
{
    return command_arg(c, name)->text;
}

bool command_run(struct command_call *c, struct error **err)
{
    bool ok = c->command->run(c, err);
    debug_thaw(c->debug);
    return ok;
}

void command_free_args(struct command_call *c)
{
    for (unsigned i = 0; i < COMMAND_ARGS; i++) {
        free(c->args[i].text);
        c->args[i] = (struct command_value){0};
    }
}

/* ---- help ------------------------------------------------------------------------------------ */

static void help_line(struct text *out, const struct command *c)
{
    text_printf(out, "%s%s %s -- %s\n", c->where & CMD_INFO ? "info " : "", c->name,
                c->params != NULL ? c->params : "", c->help);
}

void command_help(struct text *out, const char *name, unsigned where)
{
    for (const struct command *c = commands; c->name != NULL; c++) {
        if ((c->where & where) != 0 && (name == NULL || has_name(c->name, name, strlen(name)))) {
            help_line(out, c);
        }
    }
}

/* ---- a line ---------------------------------------------------------------------------------- */

/* A word, or text in double quotes with \n, \r, \\, \' and \". */
static bool take_word(const char **line, char **out, struct error **err)
{
    const char *p = *line;
    char *word = xcalloc(strlen(p) + 1, 1);
    size_t n = 0;
    if (*p != '"') {
        while (*p != '\0' && !isspace((unsigned char)*p)) {
            word[n++] = *p++;
        }
    } else {
        for (p++; *p != '"'; p++) {
            if (*p == '\\' && p[1] != '\0') {
                p++;
                if (strchr("nr\\'\"", *p) == NULL) {
                    free(word);
                    return error_set(err, "unsupported escape code: '\\%c'", *p);
                }
                word[n++] = *p == 'n' ? '\n' : *p == 'r' ? '\r' : *p;
            } else if (*p == '\0') {
                free(word);
                return error_set(err, "unterminated string");
            } else {
                word[n++] = *p;
            }
        }
        p++;
    }
    *line = expr_skip_blanks(p);
    *out = word;
    return true;
}

/* "/8xb" behind the command's name. */
static bool take_format(const char **line, struct mem_format *f, struct error **err)
{
    const char *p = *line + 1;
    uint64_t count = 0;
    for (; isdigit((unsigned char)*p); p++) {
        count = count * 10 + (uint64_t)(*p - '0');
        if (count > INT32_MAX) {
            return error_set(err, "count too large");
        }
    }
    f->count = (unsigned)count;
    for (; *p != '\0' && !isspace((unsigned char)*p); p++) {
        if (strchr("xduoci", *p) != NULL) {
            f->form = *p;
        } else if (strchr("bhwgl", *p) != NULL) {
            f->size = *p == 'l' ? 'w' : *p;
        } else {
            return error_set(err, "invalid char in format: '%c'", *p);
        }
    }
    *line = expr_skip_blanks(p);
    return true;
}

/* -x in front of @line; the letter must end there. */
static bool at_letter(const char *line, char letter)
{
    return letter != 0 && line[0] == '-' && line[1] == letter &&
           (line[2] == '\0' || isspace((unsigned char)line[2]));
}

static bool missing(const struct command_call *c, const struct command_arg *a, struct error **err)
{
    if (a->optional || a->type == ARG_FLAG || a->type == ARG_FORMAT) {
        return true;
    }
    if (a->type == ARG_INT) {
        return error_set(err, "unexpected end of expression");
    }
    return error_set(err, "%s: %s expected", c->command->name, a->name);
}

static bool take_bool(const char **line, const struct command_arg *a, bool *on, struct error **err)
{
    char *word = NULL;
    if (!take_word(line, &word, err)) {
        return false;
    }
    *on = strcmp(word, "on") == 0;
    bool ok = *on || strcmp(word, "off") == 0 || error_set(err, "%s: must be on or off", a->name);
    free(word);
    return ok;
}

/* One argument at *line; what is absent leaves *v as it is. */
static bool take_arg(struct command_call *c, const struct command_arg *a, struct command_value *v,
                     const char **line, struct error **err)
{
    bool lettered = at_letter(*line, a->letter);
    if (a->type == ARG_FORMAT ? **line != '/' : a->letter != 0 ? !lettered : **line == '\0') {
        return missing(c, a, err);
    }
    if (lettered) {
        *line = expr_skip_blanks(*line + 2);
    }
    v->given = true;
    switch (a->type) {
    case ARG_FLAG:
        v->on = true;
        return true;
    case ARG_BOOL:
        return take_bool(line, a, &v->on, err);
    case ARG_INT:
        return expr_parse(c->debug, c->monitor->cpu, line, &v->num, err);
    case ARG_WORD:
        return take_word(line, &v->text, err);
    case ARG_REST:
        v->text = xstrdup(*line);
        *line += strlen(*line);
        return true;
    case ARG_FORMAT:
        return take_format(line, &v->format, err);
    case ARG_JSON:
        break;
    }
    return error_set(err, "%s: only in QMP", a->name);
}

static bool take_args(struct command_call *c, const char *line, struct error **err)
{
    for (unsigned i = 0; i < COMMAND_ARGS && c->command->args[i].name != NULL; i++) {
        if (!take_arg(c, &c->command->args[i], &c->args[i], &line, err)) {
            return false;
        }
    }
    return *line == '\0' ||
           error_set(err, "%s: extraneous characters at the end of line", c->command->name);
}

/* The row that @line begins with; *line moves to the arguments. */
static const struct command *find_row(const char **line)
{
    const char *p = *line;
    size_t len = 0;
    while (p[len] != '\0' && p[len] != '/' && !isspace((unsigned char)p[len])) {
        len++;
    }
    const struct command *c = command_find(p, len, CMD_HMP);
    p = expr_skip_blanks(p + len);
    if (c != NULL && has_name(c->name, "info", 4) && *p != '\0') {
        len = strcspn(p, " \t\r\n");
        c = command_find(p, len, CMD_INFO);
        p = expr_skip_blanks(p + len);
    }
    *line = p;
    return c;
}

/* What an unknown command is called in the message: its word, or "info" and the next. */
static int name_bytes(const char *line)
{
    size_t n = strcspn(line, " \t/");
    if (n == 4 && memcmp(line, "info", 4) == 0) {
        n += strspn(line + n, " \t");
        n += strcspn(line + n, " \t");
    }
    return (int)n;
}

void command_line(struct monitor *m, const char *line, struct text *out)
{
    struct error *err = NULL;
    line = expr_skip_blanks(line);
    const char *begin = line;
    if (*line == '\0' || *line == '#') {
        return;
    }
    struct command_call c = {
        .debug = m->debug, .monitor = m, .command = find_row(&line), .out = out};
    if (c.command == NULL) {
        text_printf(out, "unknown command: '%.*s'\n", name_bytes(begin), begin);
        return;
    }
    if (!take_args(&c, line, &err)) {
        debug_thaw(m->debug); /* an argument may have asked for a register */
        text_printf(out, "%s\nTry \"help %.*s\" for more information\n", error_text(err),
                    name_bytes(begin), begin);
    } else if (!command_run(&c, &err)) {
        text_printf(out, "Error: %s\n", error_text(err));
    }
    error_free(err);
    command_free_args(&c);
}
