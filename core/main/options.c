/* Walks the table of options, sets defaults, refuses what contradicts itself. */
#include "core/main/options.h"

#include "core/base/alloc.h"
#include "core/device/machine.h"
#include "core/main/expect.h"
#include "core/main/nearest.h"
#include "core/main/options_table.h"
#include "core/main/registry.h"
#include "core/main/version.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- finding rows ---------------------------------------------------------------------------- */

static const struct option_row *find_row(const char *name)
{
    for (const struct option_row *row = option_rows; !option_is_end(row); row++) {
        if (row->name != NULL && (strcmp(row->name, name) == 0 ||
                                  (row->alias != NULL && strcmp(row->alias, name) == 0))) {
            return row;
        }
    }
    return NULL;
}

static bool no_such_option(const char *name, struct error **err)
{
    struct nearest near = {.wanted = name};
    for (const struct refused_row *r = refused_rows; r->name != NULL; r++) {
        if (strcmp(r->name, name) == 0) {
            return error_set(err, "-%s: %s", name, r->why);
        }
    }
    for (const struct option_row *row = option_rows; !option_is_end(row); row++) {
        if (row->name != NULL) {
            nearest_offer(&near, row->name);
        }
    }
    return nearest_error(&near, "-", err, "-%s: there is no such option", name);
}

/* ---- the command line ------------------------------------------------------------------------ */

static void set_defaults(struct config *c)
{
    *c = (struct config){
        .ram_bytes = 128ull * 1024 * 1024,
        .low_max = MACHINE_LOW_MAX,
        .cpus = 1,
        .max_cpus = 1,
        .hpet = true,
        .acpi = true,
        .smm = true,
        .graphics = true,
        .defaults = true,
        .vga = true,
        .floppy_check = true,
        .boot_splash_ms = -1,
        .boot_retry_ms = -1,
        .debugcon_port = 0xe9,
        .clock = CLOCK_HOST_DRIVEN,
        .insn_ns = -1,
        .io_ns = -1,
        .script.limit_ns = -1,
        .host_limit_ns = EXPECT_HOST_LIMIT_NS,
    };
}

static bool plain_argument(struct config *c, const char *arg, struct error **err)
{
    if (arg[0] == '\0') {
        return error_set(err, "an argument is empty");
    }
    if (c->image != NULL) {
        return error_set(err, "%s: one image can be given without an option, and %s is it", arg,
                         c->image);
    }
    c->image = xstrdup(arg);
    return true;
}

/* One argument, or an option with its argument; *used says how many. */
static bool one_argument(struct config *c, char *const *argv, int left, int *used,
                         struct error **err)
{
    const char *word = argv[0];
    *used = 1;
    if (word[0] != '-' || word[1] == '\0') {
        return plain_argument(c, word, err);
    }
    const char *name = word + (word[1] == '-' && word[2] != '\0' ? 2 : 1);
    const struct option_row *row = find_row(name);
    if (row == NULL) {
        return no_such_option(name, err);
    }
    if (row->arg == NULL) {
        return row->set(c, row, "", err) || error_prefix(err, "-%s", name);
    }
    if (left < 2) {
        return error_set(err, "-%s: needs an argument: %s", name, row->arg);
    }
    *used = 2;
    return row->set(c, row, argv[1], err) || error_prefix(err, "-%s %s", name, argv[1]);
}

/* "accel" alone. */
static bool accel_command(struct config *c, int argc, char *const *argv)
{
    if (argc != 2 || strcmp(argv[1], "accel") != 0) {
        return false;
    }
    c->show = registry_measure_accels;
    return true;
}

/* "expect SCRIPT [--]" in front of the options. */
static bool expect_command(struct config *c, int argc, char *const *argv, int *next,
                           struct error **err)
{
    if (argc < 2 || strcmp(argv[1], "expect") != 0) {
        return true;
    }
    if (argc < 3 || (argv[2][0] == '-' && argv[2][1] != '\0')) {
        return error_set(err, "expect: needs a script: coldboot expect SCRIPT -- OPTIONS");
    }
    if (!script_load(&c->script, argv[2], err)) {
        return error_prefix(err, "expect %s", argv[2]);
    }
    *next = argc > 3 && strcmp(argv[3], "--") == 0 ? 4 : 3;
    return true;
}

/* ---- what the options mean together ---------------------------------------------------------- */

static bool is_stdio(const struct config *c, const char *spec)
{
    const char *end = spec != NULL ? config_chardev(c, spec, NULL) : NULL;
    if (end != NULL && strncmp(end, "mon:", 4) == 0) {
        end += 4;
    }
    return end != NULL && (strcmp(end, "stdio") == 0 || strncmp(end, "stdio,", 6) == 0);
}

/* A monitor on a -chardev with mux=on that a port uses, too. */
static bool shares_line(const struct config *c, const char *spec)
{
    const struct chardev_config *line = config_chardev_by_id(c, spec);
    bool ports = c->debugcon != NULL && strcmp(c->debugcon, spec) == 0;
    for (unsigned i = 0; i < c->n_serials; i++) {
        ports |= strcmp(c->serials[i], spec) == 0;
    }
    return line != NULL && line->shared && ports;
}

static unsigned stdio_users(const struct config *c, const char **first)
{
    unsigned n = 0;
    const struct {
        const char *option;
        bool uses;
    } users[] = {
        {"-serial", is_stdio(c, c->serials[0])},
        {"-serial", is_stdio(c, c->serials[1])},
        {"-serial", is_stdio(c, c->serials[2])},
        {"-serial", is_stdio(c, c->serials[3])},
        {"-parallel", is_stdio(c, c->parallel)},
        {"-debugcon", is_stdio(c, c->debugcon)},
        {"-display term", c->display != NULL && strcmp(c->display, "term") == 0},
    };
    *first = NULL;
    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        if (users[i].uses) {
            *first = *first != NULL ? *first : users[i].option;
            n++;
        }
    }
    for (unsigned i = 0; i < c->n_monitors; i++) {
        const struct monitor_config *m = &c->monitors[i];
        if (is_stdio(c, m->spec) && !shares_line(c, m->spec)) {
            *first = *first != NULL ? *first : "-monitor";
            n++;
        }
    }
    for (unsigned i = 0; i < c->n_devices; i++) {
        const struct opts *o = &c->devices[i].opts;
        for (unsigned k = 0; k < o->n; k++) {
            if (strcmp(o->list[k].key, "chardev") == 0) {
                char *spec = xasprintf("chardev:%s", o->list[k].value);
                if (is_stdio(c, spec)) {
                    *first = *first != NULL ? *first : "-device";
                    n++;
                }
                free(spec);
            }
        }
    }
    return n;
}

const char *config_stdio_user(const struct config *c)
{
    const char *first;
    stdio_users(c, &first);
    return first;
}

static bool check_chardev(const struct config *c, const char *option, const char *spec,
                          struct error **err)
{
    return spec == NULL || config_chardev(c, spec, err) != NULL ||
           error_prefix(err, "%s %s", option, spec);
}

static bool check_chardevs(const struct config *c, struct error **err)
{
    for (unsigned i = 0; i < c->n_serials; i++) {
        if (!check_chardev(c, "-serial", c->serials[i], err)) {
            return false;
        }
    }
    for (unsigned i = 0; i < c->n_monitors; i++) {
        if (config_chardev(c, c->monitors[i].spec, err) == NULL) {
            return error_prefix(err, "%s", c->monitors[i].given);
        }
    }
    return check_chardev(c, "-parallel", c->parallel, err) &&
           check_chardev(c, "-debugcon", c->debugcon, err);
}

static bool finish_automation(struct config *c, struct error **err)
{
    struct script *s = &c->script;
    if (s->n == 0 && s->limit_ns >= 0 && !script_add(s, STEP_WAIT_OFF, "", 0, err)) {
        return false;
    }
    if (s->limit_ns < 0) {
        s->limit_ns = SCRIPT_LIMIT_NS;
    }
    if (s->n != 0 && c->clock_given && c->clock != CLOCK_VIRTUAL) {
        return error_set(err, "-clock host: scripts and --expect run on the virtual clock only");
    }
    if (s->n != 0 && c->paused) {
        return error_set(err, "-S: a script would wait for ever");
    }
    if (!c->clock_given && (s->n != 0 || c->digest || c->insn_ns >= 0 || c->io_ns >= 0)) {
        c->clock = CLOCK_VIRTUAL;
    }
    return true;
}

static bool finish(struct config *c, struct error **err)
{
    const char *first;
    if (!options_finish_flat(c, err) || !finish_automation(c, err) || !check_chardevs(c, err)) {
        return false;
    }
    if (c->nographic) {
        if (c->display != NULL && strcmp(c->display, "none") != 0) {
            return error_set(err, "-nographic: contradicts -display %s", c->display);
        }
        c->graphics = false;
        if (c->n_serials == 0 && config_stdio_user(c) == NULL) {
            c->serials[c->n_serials++] = xstrdup(c->monitor_given ? "stdio" : "mon:stdio");
        }
    }
    if (c->display == NULL) {
        bool term = !c->nographic && c->script.n == 0 && !c->digest &&
                    config_stdio_user(c) == NULL && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
        c->display = xstrdup(term ? "term" : "none");
    }
    if (stdio_users(c, &first) > 1) {
        return error_set(err, "%s: something else uses the terminal, too", first);
    }
    if (!config_share_lines(c, err)) {
        return false;
    }
    if (!c->defaults && !c->vga_given) {
        c->vga = false;
    }
    if (c->n_accels == 0) {
        c->accels[c->n_accels++] = xstrdup("auto");
    }
    return true;
}

bool options_parse(struct config *c, int argc, char *const *argv, struct error **err)
{
    int next = 1, used = 0;
    set_defaults(c);
    bool ok = accel_command(c, argc, argv) || expect_command(c, argc, argv, &next, err);
    for (; ok && c->show == NULL && next < argc; next += used) {
        ok = one_argument(c, argv + next, argc - next, &used, err);
    }
    if (ok && c->show == NULL) {
        ok = finish(c, err);
    }
    if (!ok) {
        config_free(c);
    }
    return ok;
}

void config_free(struct config *c)
{
    char *strings[] = {c->cpu,     c->bios,      c->name,     c->boot_order, c->boot_once,
                       c->image,   c->parallel,  c->debugcon, c->display,    c->log_path,
                       c->pidfile, c->show_name, c->flat.file};
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        free(strings[i]);
    }
    for (unsigned i = 0; i < c->n_accels; i++) {
        free(c->accels[i]);
    }
    free(c->cpu_model);
    free(c->kernel);
    free(c->initrd);
    free(c->append);
    for (unsigned i = 0; i < c->n_serials; i++) {
        free(c->serials[i]);
    }
    for (unsigned i = 0; i < c->n_bios_dirs; i++) {
        free(c->bios_dirs[i]);
    }
    for (unsigned i = 0; i < CONFIG_FLOPPIES; i++) {
        free(c->floppy[i].option);
        free(c->floppy[i].path);
        free(c->floppy[i].format);
    }
    for (unsigned i = 0; i < CONFIG_DISKS; i++) {
        free(c->disk[i].option);
        free(c->disk[i].path);
        free(c->disk[i].format);
    }
    for (unsigned i = 0; i < c->n_devices; i++) {
        free(c->devices[i].text);
        opts_free(&c->devices[i].opts);
    }
    for (unsigned i = 0; i < c->n_fw_cfg; i++) {
        free(c->fw_cfg[i].name);
        free(c->fw_cfg[i].data);
    }
    for (unsigned i = 0; i < c->n_chardevs; i++) {
        free(c->chardevs[i].id);
        free(c->chardevs[i].spec);
    }
    for (unsigned i = 0; i < c->n_monitors; i++) {
        free(c->monitors[i].spec);
        free(c->monitors[i].given);
    }
    for (unsigned i = 0; i < c->n_traces; i++) {
        free(c->traces[i]);
    }
    script_free(&c->script);
    *c = (struct config){0};
}

/* ---- the version ----------------------------------------------------------------------------- */

void options_version(FILE *out, const char *name)
{
#ifdef HAVE_LIBPNG
    const char *png = "yes";
#else
    const char *png = "no (built without libpng)";
#endif
#ifdef HAVE_JANSSON
    const char *qmp = "yes";
#else
    const char *qmp = "no (built without jansson)";
#endif
    fprintf(out, "coldboot %s\nscreenshots as PNG: %s\nQMP: %s\n", COLDBOOT_VERSION, png, qmp);
}
