/*
 * What the tables of options and commands become: help, docs/options.md, the manual page,
 * completion for bash.
 *
 * Source: [MAN7] for the macros of the page; bash(1) "Programmable Completion".
 */
#include "core/main/options_table.h"

#include "core/base/bits.h"
#include "core/debug/command.h"
#include "core/main/expect.h"
#include "core/main/version.h"

#include <string.h>

#define HELP_COLUMN 30
#define HELP_WIDTH  100

/* The first word of a command line may be one of these instead. */
static const struct {
    const char *name, *args, *help;
} subcommands[] = {
    {"expect", "SCRIPT [--] [OPTIONS] [IMAGE]", "carries out a script on a machine"},
    {"accel", "", "what the accelerators are worth on this host"},
    {"explain", "[--json] IMAGE...", "what a file is, and whether and how it would boot"},
};

static const struct {
    int status;
    const char *meaning;
} statuses[] = {
    {STATUS_OK, "the machine or the script ended in order"},
    {STATUS_USAGE, "a wrong option or file, or an accelerator that cannot go on"},
    {STATUS_FAILED, "a script failed"},
    {STATUS_TIME_LIMIT, "a step's limit of guest time was over"},
    {STATUS_TRIPLE_FAULT, "a triple fault, in a script or with -no-reboot"},
    {STATUS_DEAD_HALT, "in a script: halted with interrupts off"},
    {STATUS_HOST_LIMIT, "the limit of host time was over"},
    {STATUS_HANG, "in a script: a loop or faults that nothing can end"},
};

/* ---- help ------------------------------------------------------------------------------------ */

/* Breaks @text at blanks into lines between @column and HELP_WIDTH. */
static void print_wrapped(FILE *out, const char *text, int column)
{
    int at = column;
    while (*text != '\0') {
        int len = (int)strcspn(text, " ");
        if (at > column && at + 1 + len > HELP_WIDTH) {
            fprintf(out, "\n%*s", column, "");
            at = column;
        }
        at += fprintf(out, "%s%.*s", at > column ? " " : "", len, text);
        text += len;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

/* @at characters of a line are written: the text begins at HELP_COLUMN, perhaps of the next. */
static void print_column(FILE *out, int at, const char *text)
{
    if (at >= HELP_COLUMN) {
        fputc('\n', out);
        at = 0;
    }
    fprintf(out, "%*s", HELP_COLUMN - at, "");
    print_wrapped(out, text, HELP_COLUMN);
}

void options_help(FILE *out, const char *name)
{
    fprintf(out, "usage: coldboot [OPTIONS] [IMAGE]\n");
    for (unsigned i = 0; i < ARRAY_SIZE(subcommands); i++) {
        fprintf(out, "       coldboot %s %s\n", subcommands[i].name, subcommands[i].args);
    }
    fprintf(out,
            "\nA PC in software. IMAGE is a floppy, disk or CD image; without one a built-in one "
            "shows what\nmachine this is. Options take one or two dashes; names are QEMU's where "
            "it has them.\n\n");
    for (unsigned i = 0; i < ARRAY_SIZE(subcommands); i++) {
        print_column(out, fprintf(out, "  %s", subcommands[i].name), subcommands[i].help);
    }
    for (const struct option_row *row = option_rows; !option_is_end(row); row++) {
        if (row->name == NULL) {
            fprintf(out, "\n%s\n", row->help);
            continue;
        }
        int at = fprintf(out, "  -%s", row->name);
        if (row->alias != NULL) {
            at += fprintf(out, ", -%s", row->alias);
        }
        if (row->arg != NULL) {
            at += fprintf(out, " %s", row->arg);
        }
        print_column(out, at, row->help);
    }
    fprintf(out, "\nExit status (or what the guest wrote to coldboot-exit)\n");
    for (unsigned i = 0; i < ARRAY_SIZE(statuses); i++) {
        print_column(out, fprintf(out, "  %d", statuses[i].status), statuses[i].meaning);
    }
}

/* ---- Markdown -------------------------------------------------------------------------------- */

/* In a table cell of Markdown a bar ends the cell. */
static void print_cell(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

void options_markdown(FILE *out, const char *name)
{
    fprintf(out,
            "# Options\n\nMade by `coldboot -help-markdown` from the table in "
            "core/main/options_table.c; `make test` compares the two.\nOptions take one or two "
            "dashes. Names and meaning are QEMU's where it has them.\n");
    for (const struct option_row *row = option_rows; !option_is_end(row); row++) {
        if (row->name == NULL) {
            fprintf(out, "\n## %s\n\n| option | meaning |\n|---|---|\n", row->help);
            continue;
        }
        fprintf(out, "| `-%s", row->name);
        if (row->alias != NULL) {
            fprintf(out, ", -%s", row->alias);
        }
        if (row->arg != NULL) {
            fputc(' ', out);
            print_cell(out, row->arg);
        }
        fprintf(out, "` | ");
        print_cell(out, row->help);
        fprintf(out, " |\n");
    }
    fprintf(out,
            "\n## Options of QEMU that are refused by name\n\n| option | reason |\n|---|---|\n");
    for (const struct refused_row *r = refused_rows; r->name != NULL; r++) {
        fprintf(out, "| `-%s` | %s |\n", r->name, r->why);
    }
}

/* ---- the manual page ------------------------------------------------------------------------- */

/* Text of a page: no character of it is a request, an escape or a typographic dash or quote. */
static void man_text(FILE *out, const char *text)
{
    bool begins = true;
    for (; *text != '\0'; text++) {
        if (begins && (*text == '.' || *text == '\'')) {
            fputs("\\&", out);
        }
        begins = *text == '\n';
        switch (*text) {
        case '\\':
            fputs("\\e", out);
            break;
        case '-':
            fputs("\\-", out);
            break;
        case '\'':
            fputs("\\(aq", out);
            break;
        case '`':
            fputs("\\(ga", out);
            break;
        case '^':
            fputs("\\(ha", out);
            break;
        case '~':
            fputs("\\(ti", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

/* A name in bold and an argument behind it, then what it means. */
static void man_item(FILE *out, const char *dash, const char *name, const char *alias,
                     const char *arg, const char *help)
{
    fprintf(out, ".TP\n\\fB%s", dash);
    man_text(out, name);
    if (alias != NULL) {
        fprintf(out, "\\fR, \\fB%s", dash);
        man_text(out, alias);
    }
    fprintf(out, "\\fR");
    if (arg != NULL && arg[0] != '\0') {
        fprintf(out, " \\fI");
        man_text(out, arg);
        fprintf(out, "\\fR");
    }
    fputc('\n', out);
    man_text(out, help);
    fputc('\n', out);
}

static void man_options(FILE *out)
{
    for (const struct option_row *row = option_rows; !option_is_end(row); row++) {
        if (row->name == NULL) {
            fprintf(out, ".SS ");
            man_text(out, row->help);
            fputc('\n', out);
        } else {
            man_item(out, "\\-", row->name, row->alias, row->arg, row->help);
        }
    }
}

static void man_commands(FILE *out, const char *title, unsigned where)
{
    fprintf(out, ".SS %s\n", title);
    for (const struct command *c = commands; c->name != NULL; c++) {
        if ((c->where & where) != 0 && c->help != NULL) {
            man_item(out, "", c->name, NULL, c->params, c->help);
        }
    }
}

void options_man(FILE *out, const char *name)
{
    fprintf(out, ".TH COLDBOOT 1 \"\" \"coldboot %s\" \"User Commands\"\n", COLDBOOT_VERSION);
    fprintf(out, ".SH NAME\ncoldboot \\- a PC in software\n.SH SYNOPSIS\n"
                 ".B coldboot\n[\\fIOPTIONS\\fR] [\\fIIMAGE\\fR]\n");
    for (unsigned i = 0; i < ARRAY_SIZE(subcommands); i++) {
        fprintf(out, ".br\n.B coldboot %s\n\\fI", subcommands[i].name);
        man_text(out, subcommands[i].args);
        fprintf(out, "\\fR\n");
    }
    fprintf(out,
            ".SH DESCRIPTION\n"
            "An IBM\\-compatible PC with an i440FX board, started by SeaBIOS. \\fIIMAGE\\fR is a "
            "floppy, disk or CD image; without one a built\\-in one shows what machine this "
            "is.\n.PP\nOptions take one or two dashes. Names and meaning are QEMU\\(aqs where it "
            "has them.\n.SH COMMANDS\n");
    for (unsigned i = 0; i < ARRAY_SIZE(subcommands); i++) {
        man_item(out, "", subcommands[i].name, NULL, subcommands[i].args, subcommands[i].help);
    }
    fprintf(out, ".SH OPTIONS\n");
    man_options(out);
    fprintf(out, ".SH MONITOR\nWhat \\fB\\-monitor\\fR understands, and \\fBmonitor\\fR in gdb. "
                 "\\fB\\-qmp\\fR is for programs.\n");
    man_commands(out, "Commands", CMD_HMP);
    man_commands(out, "Behind info", CMD_INFO);
    fprintf(out, ".SH EXIT STATUS\n");
    for (unsigned i = 0; i < ARRAY_SIZE(statuses); i++) {
        fprintf(out, ".TP\n%d\n", statuses[i].status);
        man_text(out, statuses[i].meaning);
        fputc('\n', out);
    }
    fprintf(out, ".TP\nany\nwhat the guest wrote to the device coldboot\\-exit\n"
                 ".SH ENVIRONMENT\n.TP\n.B COLDBOOT_BIOS_DIR\nwhere firmware is looked for\n"
                 ".SH SEE ALSO\n.BR gdb (1)\n");
}

/* ---- completion ------------------------------------------------------------------------------ */

/* The options whose argument @test likes, as patterns of a case. False: there is none. */
static bool completion_case(FILE *out, bool (*test)(const struct option_row *row))
{
    bool any = false;
    for (const struct option_row *row = option_rows; !option_is_end(row); row++) {
        if (row->name != NULL && row->arg != NULL && test(row)) {
            fprintf(out, "%s-%s|--%s", any ? "|" : "    ", row->name, row->name);
            if (row->alias != NULL) {
                fprintf(out, "|-%s|--%s", row->alias, row->alias);
            }
            any = true;
        }
    }
    return any;
}

static bool takes_file(const struct option_row *row)
{
    return strncmp(row->arg, "FILE", 4) == 0;
}

static bool takes_folder(const struct option_row *row)
{
    return strcmp(row->arg, "FOLDER") == 0;
}

static bool lists_help(const struct option_row *row)
{
    return strstr(row->help, "\"help\" lists") != NULL;
}

/* What is written out in full, as in utc|localtime. */
static bool has_choices(const struct option_row *row)
{
    return strpbrk(row->arg, "[,:=") == NULL && strchr(row->arg, '|') != NULL;
}

void options_completion(FILE *out, const char *name)
{
    fprintf(out, "# Completion for bash, made by coldboot -help-completion.\n_coldboot()\n{\n"
                 "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                 "    COMPREPLY=()\n    case $prev in\n");
    if (completion_case(out, takes_file)) {
        fprintf(out, ")\n        COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n");
    }
    if (completion_case(out, takes_folder)) {
        fprintf(out, ")\n        COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n");
    }
    if (completion_case(out, lists_help)) {
        fprintf(
            out,
            ")\n        COMPREPLY=($(compgen -W \"help $(\"${COMP_WORDS[0]}\" \"$prev\" help "
            "2>/dev/null |\n            sed -n '/:$/!s/^ *\\(name \"\\)\\{0,1\\}\\([a-zA-Z0-9_-][^ "
            "\",:]*\\).*/\\2/p')\" -- \"$cur\")); return ;;\n");
    }
    for (const struct option_row *row = option_rows; !option_is_end(row); row++) {
        if (row->name != NULL && row->arg != NULL && has_choices(row)) {
            fprintf(out, "    -%s|--%s)\n        COMPREPLY=($(compgen -W \"", row->name, row->name);
            for (const char *p = row->arg; *p != '\0'; p++) {
                fputc(*p == '|' ? ' ' : *p, out);
            }
            fprintf(out, "\" -- \"$cur\")); return ;;\n");
        }
    }
    fprintf(out, "    esac\n    if [[ $cur == -* ]]; then\n        COMPREPLY=($(compgen -W \"");
    for (const struct option_row *row = option_rows; !option_is_end(row); row++) {
        if (row->name != NULL) {
            fprintf(out, "-%s ", row->name);
        }
    }
    fprintf(out,
            "\" -- \"$cur\"))\n        return\n    fi\n    COMPREPLY=($(compgen -f -- \"$cur\"))\n"
            "    if ((COMP_CWORD == 1)); then\n        COMPREPLY+=($(compgen -W \"");
    for (unsigned i = 0; i < ARRAY_SIZE(subcommands); i++) {
        fprintf(out, "%s ", subcommands[i].name);
    }
    fprintf(out, "\" -- \"$cur\"))\n    fi\n}\ncomplete -o filenames -F _coldboot coldboot\n");
}
