/* Handlers of the options about the machine, its firmware and its time. */
#include "core/main/options_table.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/cpu/cpuid.h"
#include "core/device/machine.h"
#include "core/main/nearest.h"
#include "core/main/registry.h"
#include "hw/pc/pc.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FW_CFG_MAX_BYTES (64 * MiB)
#define FW_CFG_MAX_NAME  55

bool option_bool_or_auto(struct opts *o, const char *key, bool *out, struct error **err)
{
    const char *value = opts_get(o, key);
    return (value != NULL && strcmp(value, "auto") == 0) || opts_bool(o, key, out, err);
}

/* ---- -machine -------------------------------------------------------------------------------- */

/* Parts of QEMU's machine that are always there in ours, or not there yet: asking for what is so
 * anyway is accepted, the opposite is refused. */
static bool machine_fixed(struct opts *o, struct error **err)
{
    static const struct {
        const char *key;
        bool is;
    } fixed[] = {
        {"usb", false}, {"vmport", false}, {"nvdimm", false}, {"sata", false},
        {"pit", true},  {"pic", true},     {"i8042", true},   {"fd-bootchk", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        bool want = fixed[i].is;
        if (!option_bool_or_auto(o, fixed[i].key, &want, err)) {
            return false;
        }
        if (want != fixed[i].is) {
            return error_set(err, "%s: this machine %s", fixed[i].key,
                             fixed[i].is ? "always has it" : "does not have it yet");
        }
    }
    opts_get(o, "kernel_irqchip"); /* of KVM, memory dumps and page merging: without effect here */
    opts_get(o, "kernel-irqchip");
    opts_get(o, "dump-guest-core");
    opts_get(o, "mem-merge");
    return true;
}

static bool add_accels(struct config *c, const char *list, struct error **err);

static bool machine_fields(struct config *c, struct opts *o, struct error **err)
{
    const char *type = opts_get(o, "type"), *accel = opts_get(o, "accel");
    const char *low = opts_get(o, "max-ram-below-4g");
    if (type != NULL && strcmp(type, "pc") != 0 && strcmp(type, "pc-i440fx-7.2") != 0) {
        return error_set(err, "there is no machine \"%s\"; the nearest that exists is pc", type);
    }
    if (accel != NULL && !add_accels(c, accel, err)) {
        return false;
    }
    if (low != NULL) {
        uint64_t bytes;
        if (!parse_size(low, 1, &bytes, err)) {
            return error_prefix(err, "max-ram-below-4g");
        }
        if (bytes < CONFIG_RAM_MIN || bytes > MACHINE_LOW_MAX) {
            return error_set(err, "max-ram-below-4g: %s is not in 1M..3584M", low);
        }
        c->low_max = bytes & ~(MiB - 1);
    }
    return option_bool_or_auto(o, "smm", &c->smm, err) &&
           option_bool_or_auto(o, "acpi", &c->acpi, err) &&
           option_bool_or_auto(o, "hpet", &c->hpet, err) &&
           opts_bool(o, "graphics", &c->graphics, err) && machine_fixed(o, err) &&
           opts_all_used(o, err);
}

OPTION_HANDLER(opt_machine)
{
    struct opts o;
    if (strcmp(arg, "help") == 0) {
        c->show = registry_list_machines;
        return true;
    }
    bool ok = opts_parse(&o, arg, "type", err);
    if (ok) {
        ok = machine_fields(c, &o, err);
        opts_free(&o);
    }
    return ok;
}

/* ---- -accel, -cpu, -smp, -m ------------------------------------------------------------------ */

static bool add_accels(struct config *c, const char *list, struct error **err)
{
    char *copy = xstrdup(list), *save = NULL;
    bool ok = copy[0] != '\0' || error_set(err, "no accelerator named");
    for (char *name = strtok_r(copy, ":", &save); ok && name != NULL;
         name = strtok_r(NULL, ":", &save)) {
        if (!registry_accel_known(name, err)) {
            ok = false;
        } else if (c->n_accels == CONFIG_ACCELS) {
            ok = error_set(err, "more than %d accelerators", CONFIG_ACCELS);
        } else {
            c->accels[c->n_accels++] = xstrdup(name);
        }
    }
    free(copy);
    return ok;
}

OPTION_HANDLER(opt_accel)
{
    struct opts o;
    if (strcmp(arg, "help") == 0) {
        c->show = registry_list_accels;
        return true;
    }
    if (!opts_parse(&o, arg, "accel", err)) {
        return false;
    }
    const char *names = opts_get(&o, "accel");
    opts_get(&o, "thread"); /* how TCG spreads its work: ours decides by the clock and -smp */
    opts_get(&o, "tb-size");
    bool ok = names != NULL ? add_accels(c, names, err) : error_set(err, "no accelerator named");
    if (ok && (strcmp(names, "jit") == 0 || strcmp(names, "tcg") == 0)) {
        ok = opts_bool(&o, "check", &c->jit_check, err) && opts_bool(&o, "perf", &c->jit_perf, err);
    }
    ok = ok && opts_all_used(&o, err);
    opts_free(&o);
    return ok;
}

OPTION_HANDLER(opt_kvm)
{
    return add_accels(c, "kvm", err);
}

/* One of "+f", "-f", "f", "f=on", "f=off" and "vendor=TEXT", up to the next comma. */
static bool change_feature(struct x86_model *m, const char *text, size_t len, struct error **err)
{
    const char *equals = memchr(text, '=', len);
    bool sign = *text == '+' || *text == '-', on = *text != '-';
    if (equals != NULL && !sign) {
        size_t rest = len - (size_t)(equals + 1 - text);
        if (equals - text == 6 && strncmp(text, "vendor", 6) == 0) {
            return x86_model_set_vendor(m, equals + 1, rest) ||
                   error_set(err, "vendor: \"%.*s\" is neither GenuineIntel nor AuthenticAMD",
                             (int)rest, equals + 1);
        }
        on = rest == 2 && strncmp(equals + 1, "on", rest) == 0;
        if (!on && !(rest == 3 && strncmp(equals + 1, "off", rest) == 0)) {
            return error_set(err, "\"%.*s\" is neither on nor off", (int)len, text);
        }
        len = (size_t)(equals - text);
    }
    return x86_model_change(m, text + sign, len - sign, on, err);
}

/* MODEL[,+FEATURE][,-FEATURE]... */
OPTION_HANDLER(opt_cpu)
{
    const struct x86_model *m;
    struct nearest near = {.wanted = arg};
    if (strcmp(arg, "help") == 0 || strcmp(arg, "?") == 0) {
        c->show = registry_list_cpus;
        return true;
    }
    size_t len = strcspn(arg, ",");
    char *name = xasprintf("%.*s", (int)len, arg);
    c->cpu_host = strcmp(name, "host") == 0;
    if (c->cpu_host) {
        free(name);
        return arg[len] == '\0' ||
               error_set(err, "the features of the host's processor cannot be changed");
    }
    m = x86_model_find(name);
    if (m == NULL) {
        for (unsigned i = 0; (m = x86_model_list(i)) != NULL; i++) {
            nearest_offer(&near, m->name);
        }
        nearest_offer(&near, "host");
        nearest_error(&near, "", err, "there is no CPU model \"%s\"", name);
        free(name);
        return false;
    }
    free(name);
    free(c->cpu);
    free(c->cpu_model);
    c->cpu = xstrdup(arg);
    c->cpu_model = NEW(struct x86_model);
    *c->cpu_model = *m;
    while (arg[len] == ',') {
        arg += len + 1;
        len = strcspn(arg, ",");
        if (!change_feature(c->cpu_model, arg, len, err)) {
            return false;
        }
    }
    return true;
}

/* What -smp says; 0 where it says nothing. */
struct smp {
    uint64_t cpus, max, sockets, cores, threads, groups; /* groups: dies and clusters of a socket */
};

static uint64_t or_one(uint64_t n)
{
    return n != 0 ? n : 1;
}

/* sockets * cores * threads places for maxcpus CPUs. One factor that is not given is what the
 * others leave: sockets before cores before threads. QEMU gives cores first; but firmware's MP
 * table names one CPU a socket only, and guests without ACPI would not find the rest. */
static void smp_fill(struct smp *s)
{
    if (s->cpus == 0 && s->max == 0) {
        s->max = or_one(s->sockets) * s->groups * or_one(s->cores) * or_one(s->threads);
    }
    s->max = s->max != 0 ? s->max : s->cpus;
    s->cpus = s->cpus != 0 ? s->cpus : s->max;
    uint64_t *open = s->sockets == 0 ? &s->sockets : s->cores == 0 ? &s->cores : &s->threads;
    bool all_given = *open != 0;
    s->sockets = or_one(s->sockets);
    s->cores = or_one(s->cores);
    s->threads = or_one(s->threads);
    if (!all_given) {
        *open = or_one(s->max / (s->sockets * s->cores * s->groups * s->threads));
    }
}

static bool smp_check(const struct smp *s, struct error **err)
{
    uint64_t places = s->sockets * s->cores * s->groups * s->threads;
    if (s->cpus > s->max) {
        return error_set(err, "more CPUs (%u) than maxcpus (%u)", (unsigned)s->cpus,
                         (unsigned)s->max);
    }
    if (s->max > PC_MAX_CPUS) {
        return error_set(err, "%u CPUs: this machine has at most %d", (unsigned)s->max,
                         PC_MAX_CPUS);
    }
    return places == s->max || error_set(err, "%llu places for %u CPUs", (unsigned long long)places,
                                         (unsigned)s->max);
}

OPTION_HANDLER(opt_smp)
{
    struct smp s = {0};
    uint64_t dies = 0, clusters = 0;
    struct opts o;
    if (!opts_parse(&o, arg, "cpus", err)) {
        return false;
    }
    const struct {
        const char *key;
        uint64_t *val;
    } keys[] = {
        {"cpus", &s.cpus}, {"maxcpus", &s.max}, {"sockets", &s.sockets}, {"dies", &dies},
        {"clusters", &clusters}, {"cores", &s.cores}, {"threads", &s.threads},
    };
    bool ok = true;
    for (size_t i = 0; ok && i < ARRAY_SIZE(keys); i++) {
        ok = opts_u64(&o, keys[i].key, 1, PC_MAX_CPUS, keys[i].val, err);
    }
    ok = ok && opts_all_used(&o, err);
    opts_free(&o);
    s.groups = or_one(dies) * or_one(clusters);
    smp_fill(&s);
    if (!ok || !smp_check(&s, err)) {
        return false;
    }
    c->cpus = (unsigned)s.cpus;
    c->max_cpus = (unsigned)s.max;
    c->cores = (unsigned)(s.cores * s.groups);
    c->threads = (unsigned)s.threads;
    return true;
}

OPTION_HANDLER(opt_memory)
{
    struct opts o;
    if (!opts_parse(&o, arg, "size", err)) {
        return false;
    }
    const char *size = opts_get(&o, "size");
    uint64_t bytes = 0;
    bool ok = opts_all_used(&o, err) && (size != NULL || error_set(err, "no size given")) &&
              parse_size(size, MiB, &bytes, err);
    if (ok && (bytes < CONFIG_RAM_MIN || bytes > CONFIG_RAM_MAX)) {
        ok = error_set(err, "memory must be 1M to 64G");
    }
    if (ok) {
        c->ram_bytes = align_up(bytes, 4096);
    }
    opts_free(&o);
    return ok;
}

OPTION_HANDLER(opt_bios_dir)
{
    if (c->n_bios_dirs == CONFIG_LISTS) {
        return error_set(err, "more than %d folders", CONFIG_LISTS);
    }
    c->bios_dirs[c->n_bios_dirs++] = xstrdup(arg);
    return true;
}

/* ---- time ------------------------------------------------------------------------------------ */

/* "2006-06-17T16:01:21" or "2006-06-17", read as UTC. */
static bool parse_date(const char *text, int64_t *unix_s, struct error **err)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (end == NULL) {
        tm = (struct tm){0};
        end = strptime(text, "%Y-%m-%d", &tm);
    }
    if (end == NULL || *end != '\0') {
        return error_set(
            err, "base: \"%s\" is none of utc, localtime, 2006-06-17T16:01:21, 2006-06-17", text);
    }
    if (tm.tm_year < 80 || tm.tm_year > 199) {
        return error_set(err, "base: the year must be 1980 to 2099");
    }
    *unix_s = timegm(&tm);
    return true;
}

static bool is_one_of(const char *value, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strcmp(value, *list) == 0) {
            return true;
        }
    }
    return false;
}

OPTION_HANDLER(opt_rtc)
{
    static const char *const clocks[] = {"host", "rt", "vm", NULL}, *const fixes[] = {"none",
                                                                                      "slew", NULL};
    struct opts o;
    if (!opts_parse(&o, arg, "base", err)) {
        return false;
    }
    const char *base = opts_get(&o, "base"), *clock = opts_get(&o, "clock"),
               *fix = opts_get(&o, "driftfix");
    bool ok = opts_all_used(&o, err);
    if (ok && clock != NULL && !is_one_of(clock, clocks)) {
        ok = error_set(err, "clock: \"%s\" is none of host, rt, vm", clock);
    }
    if (ok && fix != NULL && !is_one_of(fix, fixes)) {
        ok = error_set(err, "driftfix: \"%s\" is none of none, slew", fix);
    }
    if (ok && base != NULL) {
        if (strcmp(base, "utc") == 0) {
            c->rtc_base = RTC_UTC;
        } else if (strcmp(base, "localtime") == 0) {
            c->rtc_base = RTC_LOCALTIME;
        } else {
            c->rtc_base = RTC_DATE;
            ok = parse_date(base, &c->rtc_date_s, err);
        }
    }
    opts_free(&o);
    return ok;
}

OPTION_HANDLER(opt_clock)
{
    struct opts o;
    if (!opts_parse(&o, arg, "driver", err)) {
        return false;
    }
    const char *driver = opts_get(&o, "driver");
    uint64_t insn = 0, io = UINT64_MAX;
    bool ok = opts_u64(&o, "insn", 1, 1000000, &insn, err) &&
              opts_u64(&o, "io", 0, 1000000, &io, err) && opts_all_used(&o, err);
    if (ok && driver != NULL) {
        c->clock_given = true;
        c->clock = strcmp(driver, "virtual") == 0 ? CLOCK_VIRTUAL : CLOCK_HOST_DRIVEN;
        if (c->clock == CLOCK_HOST_DRIVEN && strcmp(driver, "host") != 0) {
            ok = error_set(err, "there is no clock \"%s\"; there are host and virtual", driver);
        }
    }
    if (ok && c->clock == CLOCK_HOST_DRIVEN && c->clock_given && (insn != 0 || io != UINT64_MAX)) {
        ok = error_set(err, "rates belong to the virtual clock");
    }
    c->insn_ns = insn != 0 ? (int64_t)insn : c->insn_ns;
    c->io_ns = io != UINT64_MAX ? (int64_t)io : c->io_ns;
    opts_free(&o);
    return ok;
}

/* ---- identity and firmware ------------------------------------------------------------------- */

OPTION_HANDLER(opt_uuid)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    unsigned nibbles = 0;
    uint8_t uuid[16] = {0};
    if (strlen(arg) != sizeof(form) - 1) {
        return error_set(err, "a UUID has the form %s", form);
    }
    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        if (form[i] == '-' ? arg[i] != '-' : !isxdigit((unsigned char)arg[i])) {
            return error_set(err, "a UUID has the form %s", form);
        }
        if (form[i] == 'x') {
            unsigned digit =
                isdigit((unsigned char)arg[i]) ? arg[i] - '0' : (arg[i] | 0x20) - 'a' + 10;
            uuid[nibbles / 2] = uuid[nibbles / 2] << 4 | digit;
            nibbles++;
        }
    }
    memcpy(c->uuid, uuid, sizeof(uuid));
    c->has_uuid = true;
    return true;
}

OPTION_HANDLER(opt_name)
{
    struct opts o;
    if (!opts_parse(&o, arg, "guest", err)) {
        return false;
    }
    const char *guest = opts_get(&o, "guest");
    opts_get(&o, "process"); /* names of the host process and its threads: without effect */
    opts_get(&o, "debug-threads");
    if (guest != NULL) {
        free(c->name);
        c->name = xstrdup(guest);
    }
    bool ok = opts_all_used(&o, err);
    opts_free(&o);
    return ok;
}

OPTION_HANDLER(opt_seed)
{
    char *end;
    errno = 0;
    c->seed = strtoull(arg, &end, 0);
    if (errno != 0 || !isdigit((unsigned char)arg[0]) || *end != '\0') {
        return error_set(err, "not a number that fits 64 bits");
    }
    c->has_seed = true;
    return true;
}

/* Letters of drives: a, b floppies, c disk, d CD, n network; each once. */
static bool boot_letters(const char *key, const char *value, char **out, struct error **err)
{
    if (value == NULL) {
        return true;
    }
    if (value[0] == '\0') {
        return error_set(err, "%s: no letter is given (a, b, c, d, n)", key);
    }
    for (const char *p = value; *p != '\0'; p++) {
        if (strchr("abcdn", *p) == NULL) {
            return error_set(err, "%s: '%c' is none of a, b, c, d, n", key, *p);
        }
        if (strchr(p + 1, *p) != NULL) {
            return error_set(err, "%s: '%c' comes twice", key, *p);
        }
    }
    free(*out);
    *out = xstrdup(value);
    return true;
}

static bool boot_time(struct opts *o, const char *key, int64_t *out, struct error **err)
{
    uint64_t ms = UINT64_MAX;
    if (!opts_u64(o, key, 0, CONFIG_MAX_WAIT * 2 + 1, &ms, err)) {
        return false;
    }
    *out = ms != UINT64_MAX ? (int64_t)ms : *out;
    return true;
}

OPTION_HANDLER(opt_boot)
{
    struct opts o;
    if (!opts_parse(&o, arg, "order", err)) {
        return false;
    }
    bool ok = boot_letters("order", opts_get(&o, "order"), &c->boot_order, err) &&
              boot_letters("once", opts_get(&o, "once"), &c->boot_once, err) &&
              opts_bool(&o, "menu", &c->boot_menu, err) &&
              opts_bool(&o, "strict", &c->boot_strict, err) &&
              boot_time(&o, "splash-time", &c->boot_splash_ms, err) &&
              boot_time(&o, "reboot-timeout", &c->boot_retry_ms, err) && opts_all_used(&o, err);
    opts_free(&o);
    return ok;
}

static bool read_whole(const char *path, uint8_t **data, size_t *bytes, struct error **err)
{
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return error_errno(err, errno, "%s", path);
    }
    size_t cap = 64 * KiB, len = 0;
    uint8_t *buf = xcalloc(1, cap);
    while (len <= FW_CFG_MAX_BYTES) {
        size_t n = fread(buf + len, 1, cap - len, f);
        len += n;
        if (n == 0) {
            break;
        }
        if (len == cap) {
            cap *= 2;
            buf = xrealloc(buf, cap);
        }
    }
    bool ok = !ferror(f) || error_errno(err, errno, "%s", path);
    fclose(f);
    if (ok && len > FW_CFG_MAX_BYTES) {
        ok = error_set(err, "%s: more than 64 MiB", path);
    }
    if (!ok) {
        free(buf);
        return false;
    }
    *data = buf;
    *bytes = len;
    return true;
}

static bool fw_cfg_item(struct config *c, struct opts *o, struct error **err)
{
    const char *name = opts_get(o, "name"), *text = opts_get(o, "string"),
               *path = opts_get(o, "file");
    if (!opts_all_used(o, err)) {
        return false;
    }
    if (name == NULL || name[0] == '\0' || strlen(name) > FW_CFG_MAX_NAME) {
        return error_set(err, "name: 1 to %d characters are needed", FW_CFG_MAX_NAME);
    }
    if ((text == NULL) == (path == NULL)) {
        return error_set(err, "one of string= and file= is needed");
    }
    if (c->n_fw_cfg == CONFIG_LISTS) {
        return error_set(err, "more than %d items", CONFIG_LISTS);
    }
    struct fw_cfg_config item = {0};
    if (path != NULL) {
        if (!read_whole(path, &item.data, &item.bytes, err)) {
            return false;
        }
    } else {
        item.data = (uint8_t *)xstrdup(text);
        item.bytes = strlen(text);
    }
    item.name = xstrdup(name);
    c->fw_cfg[c->n_fw_cfg++] = item;
    return true;
}

OPTION_HANDLER(opt_fw_cfg)
{
    struct opts o;
    bool ok = opts_parse(&o, arg, "name", err);
    if (ok) {
        ok = fw_cfg_item(c, &o, err);
        opts_free(&o);
    }
    return ok;
}

static bool panic_action(struct config *c, struct opts *o, struct error **err)
{
    static const char *const names[] = {
        [PANIC_SHUTDOWN] = "shutdown",
        [PANIC_EXIT_FAILURE] = "exit-failure",
        [PANIC_PAUSE] = "pause",
        [PANIC_NONE] = "none",
    };
    const char *what = opts_get(o, "panic");
    for (unsigned i = 0; what != NULL && i < ARRAY_SIZE(names); i++) {
        if (strcmp(what, names[i]) == 0) {
            c->action.panic = i;
            return true;
        }
    }
    return what == NULL ||
           error_set(err, "panic: \"%s\" is none of shutdown, exit-failure, pause, none", what);
}

OPTION_HANDLER(opt_action)
{
    static const struct {
        const char *event, *off, *on;
        size_t flag;
    } events[] = {
        {"reboot", "reset", "shutdown", offsetof(struct action_config, no_reboot)},
        {"shutdown", "poweroff", "pause", offsetof(struct action_config, no_shutdown)},
    };
    struct opts o;
    bool ok = opts_parse(&o, arg, NULL, err);
    if (!ok) {
        return false;
    }
    opts_get(&o, "watchdog"); /* this machine has none */
    ok = panic_action(c, &o, err);
    for (size_t i = 0; ok && i < ARRAY_SIZE(events); i++) {
        const char *what = opts_get(&o, events[i].event);
        if (what != NULL) {
            bool on = strcmp(what, events[i].on) == 0;
            if (!on && strcmp(what, events[i].off) != 0) {
                ok = error_set(err, "%s: \"%s\" is none of %s, %s", events[i].event, what,
                               events[i].off, events[i].on);
            }
            *(bool *)((char *)&c->action + events[i].flag) = on;
        }
    }
    ok = ok && opts_all_used(&o, err);
    opts_free(&o);
    return ok;
}
