/* The rows. Whatever can be added to the program without touching the rest is named here. */
#include "core/main/registry.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/cpu/cpuid.h"
#include "core/main/nearest.h"
#include "core/ui/display_term.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- accelerators ---------------------------------------------------------------------------- */

struct accel_row {
    const char *name;
    const struct accel *accel; /* NULL: the name is known, and why says the rest */
    const char *why;
};

/* Best first. */
static const struct accel_row accels[] = {
    {"kvm", &kvm_accel, "the host's own processor, by the kernel's KVM"},
    {"jit", &jit_accel, "translator of hot code, on the interpreter"},
    {"interp", &interp_accel, "interpreter of decoded instructions"},
    {"xen", NULL, "coldboot is not made for it"},
    {"hax", NULL, "coldboot is not made for it"},
    {"hvf", NULL, "coldboot is not made for it"},
    {"nvmm", NULL, "coldboot is not made for it"},
    {"whpx", NULL, "coldboot is not made for it"},
};

static bool is_group(const char *name)
{
    return strcmp(name, "auto") == 0 || strcmp(name, "tcg") == 0;
}

/* "auto" stands for every row, "tcg" for the software CPUs, which count instructions. */
static bool stands_for(const char *name, const struct accel_row *row)
{
    if (is_group(name)) {
        return row->accel != NULL && (strcmp(name, "auto") == 0 || row->accel->counts_insns);
    }
    return strcmp(name, row->name) == 0;
}

bool registry_accel_known(const char *name, struct error **err)
{
    struct nearest near = {.wanted = name};
    nearest_offer(&near, "auto");
    nearest_offer(&near, "tcg");
    for (size_t i = 0; i < ARRAY_SIZE(accels); i++) {
        if (strcmp(accels[i].name, name) == 0) {
            return true;
        }
        if (accels[i].accel != NULL) {
            nearest_offer(&near, accels[i].name);
        }
    }
    return near.distance == 0 ||
           nearest_error(&near, "", err, "there is no accelerator \"%s\"", name);
}

/* What the configuration asks of an accelerator. */
static bool can_do(const struct accel *a, const struct config *c, struct error **err)
{
    if (c->clock == CLOCK_VIRTUAL && !a->counts_insns) {
        return error_set(err, "cannot drive the virtual clock");
    }
    if (c->cpus > 1 && a->one_vcpu) {
        return error_set(err, "runs one CPU only in this version");
    }
    if (c->cpu_host && a->host_model == NULL) {
        return error_set(err, "-cpu host needs the host's own processor");
    }
    return true;
}

/* @choose: nobody named it, so it must also be worth it. */
static bool accel_works(const struct accel_row *row, const struct config *c, bool choose,
                        struct error **err)
{
    char text[256];
    if (row->accel == NULL) {
        return error_set(err, "%s", row->why);
    }
    if (!can_do(row->accel, c, err)) {
        return false;
    }
    if (choose && row->accel->measure != NULL && !row->accel->measure(false, text, sizeof(text))) {
        return error_set(err, "%s", text);
    }
    return row->accel->probe == NULL || row->accel->probe(err);
}

/* The best software CPU that works here; the last one does everywhere. */
static const struct accel *software(void)
{
    const struct accel *found = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(accels) && found == NULL; i++) {
        const struct accel *a = accels[i].accel;
        struct error *why = NULL;
        if (a != NULL && a->counts_insns && (a->probe == NULL || a->probe(&why))) {
            found = a;
        }
        error_free(why);
    }
    return found;
}

const struct accel *registry_accel(const struct config *c, const struct accel **next,
                                   struct error **err)
{
    char *reasons = xstrdup("");
    const struct accel *found = NULL;
    *next = NULL;
    for (unsigned n = 0; n < c->n_accels && found == NULL; n++) {
        for (size_t i = 0; i < ARRAY_SIZE(accels) && found == NULL; i++) {
            struct error *why = NULL;
            if (!stands_for(c->accels[n], &accels[i])) {
                continue;
            }
            bool choose = is_group(c->accels[n]);
            if (accel_works(&accels[i], c, choose, &why)) {
                found = accels[i].accel;
                *next = choose && found != software() ? software() : NULL;
                continue;
            }
            char *more = xasprintf("%s%s%s: %s", reasons, reasons[0] != '\0' ? "; " : "",
                                   accels[i].name, error_text(why));
            free(reasons);
            reasons = more;
            error_free(why);
        }
    }
    if (found == NULL) {
        error_set(err, "-accel: %s", reasons);
    }
    free(reasons);
    return found;
}

void registry_list_accels(FILE *out, const char *name)
{
    fprintf(out,
            "Accelerators (-accel):\n%-10s the best that works here (default)\n%-10s the best "
            "software CPU\n",
            "auto", "tcg");
    for (size_t i = 0; i < ARRAY_SIZE(accels); i++) {
        if (accels[i].accel != NULL) {
            fprintf(out, "%-10s %s\n", accels[i].name, accels[i].why);
        }
    }
}

void registry_measure_accels(FILE *out, const char *name)
{
    const struct accel *best = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(accels); i++) {
        const struct accel *a = accels[i].accel;
        char text[256];
        struct error *why = NULL;
        bool good = a != NULL && (a->probe == NULL || a->probe(&why));
        snprintf(text, sizeof(text), "%s", why != NULL ? error_text(why) : accels[i].why);
        if (good && a->measure != NULL) {
            good = a->measure(true, text, sizeof(text));
        }
        best = best == NULL && good ? a : best;
        fprintf(out, "%s: %s\n", accels[i].name, text);
        error_free(why);
    }
    fprintf(out, "auto: %s\n", best != NULL ? best->name : "none");
}

/* ---- displays -------------------------------------------------------------------------------- */

static void quit_machine(void *opaque)
{
    machine_request_stop(opaque, CAUSE_HOST_UI, 0);
}

static void reset_machine(void *opaque)
{
    machine_request_reset(opaque, CAUSE_HOST_RESET);
}

/* The PC speaker: a terminal has one tone and no duration. */
static void speaker_rings(void *opaque, unsigned hz)
{
    if (hz != 0) {
        display_term_bell(opaque);
    }
}

static bool term_open(struct machine *m, void **state, struct error **err)
{
    const struct display_term_config cfg = {
        .loop = &m->loop,
        .source = m->display,
        .keyboard = m->keyboard,
        .quit = quit_machine,
        .reset = reset_machine,
        .opaque = m,
        .in_fd = STDIN_FILENO,
        .out_fd = STDOUT_FILENO,
    };
    *state = display_term_new(&cfg, err);
    if (*state == NULL) {
        return false;
    }
    m->speaker_tone = speaker_rings;
    m->speaker_opaque = *state;
    return true;
}

static void term_close(void *state)
{
    display_term_free(state);
}

static const struct display_row displays[] = {
    {"none", NULL, "no display", NULL, NULL},
    {"term", "curses", "the screen in this terminal; Ctrl-A h shows its keys", term_open,
     term_close},
};

const struct display_row *registry_display(const char *name, struct error **err)
{
    struct nearest near = {.wanted = name};
    for (size_t i = 0; i < ARRAY_SIZE(displays); i++) {
        const struct display_row *d = &displays[i];
        if (strcmp(d->name, name) == 0 || (d->alias != NULL && strcmp(d->alias, name) == 0)) {
            return d;
        }
        nearest_offer(&near, d->name);
    }
    nearest_error(&near, "", err, "there is no display \"%s\"", name);
    return NULL;
}

void registry_list_displays(FILE *out, const char *name)
{
    fprintf(out, "Displays (-display):\n");
    for (size_t i = 0; i < ARRAY_SIZE(displays); i++) {
        fprintf(out, "%-10s %s\n", displays[i].name, displays[i].text);
    }
}

/* ---- optional devices ------------------------------------------------------------------------ */

static bool add_exit(struct parts *p, struct opts *o, uint64_t port, uint64_t bytes, bool plain,
                     struct error **err)
{
    if (!opts_u64(o, "iobase", 0, 0xffff, &port, err) ||
        !opts_u64(o, "iosize", 1, 8, &bytes, err)) {
        return false;
    }
    if (port + bytes > 0x10000) {
        return error_set(err, "iobase and iosize go past the last port");
    }
    if (p->pc.n_exits == PC_MAX_EXITS) {
        return error_set(err, "more than %d exit devices", PC_MAX_EXITS);
    }
    p->pc.exits[p->pc.n_exits++] =
        (struct pc_exit){.port = (uint16_t)port, .bytes = (uint8_t)bytes, .plain = plain};
    return true;
}

static bool add_debug_exit(struct parts *p, const struct config *c, struct opts *o,
                           struct error **err)
{
    return add_exit(p, o, 0x501, 2, false, err);
}

static bool add_plain_exit(struct parts *p, const struct config *c, struct opts *o,
                           struct error **err)
{
    return add_exit(p, o, 0x500, 1, true, err);
}

static bool add_debugcon(struct parts *p, const struct config *c, struct opts *o,
                         struct error **err)
{
    uint64_t port = c->debugcon_port, value = 0xe9;
    const char *id = opts_get(o, "chardev");
    if (!opts_u64(o, "iobase", 0, 0xffff, &port, err) ||
        !opts_u64(o, "readback", 0, 0xff, &value, err)) {
        return false;
    }
    if (id == NULL) {
        return error_set(err, "chardev= is needed");
    }
    if (p->pc.n_debugcons == PC_MAX_DEBUGCONS) {
        return error_set(err, "more than %d debug consoles", PC_MAX_DEBUGCONS);
    }
    char *spec = xasprintf("chardev:%s", id);
    struct pc_debugcon d = {.port = (uint16_t)port, .read_value = (uint8_t)value};
    bool ok = parts_chardev(p, c, spec, &d.chardev, err);
    free(spec);
    if (ok) {
        p->pc.debugcons[p->pc.n_debugcons++] = d;
    }
    return ok;
}

/* The back end that chardev= names, or NULL for none. */
static bool port_chardev(struct parts *p, const struct config *c, struct opts *o,
                         struct chardev **out, struct error **err)
{
    const char *id = opts_get(o, "chardev");
    if (id == NULL) {
        return true;
    }
    char *spec = xasprintf("chardev:%s", id);
    bool ok = parts_chardev(p, c, spec, out, err);
    free(spec);
    return ok;
}

static bool add_serial(struct parts *p, const struct config *c, struct opts *o, struct error **err)
{
    uint64_t n = 0;
    while (n < PC_COMS && p->pc.com_present[n]) {
        n++;
    }
    if (!opts_u64(o, "index", 0, PC_COMS - 1, &n, err)) {
        return false;
    }
    if (n == PC_COMS || p->pc.com_present[n]) {
        return error_set(err, "that serial port is there already");
    }
    p->pc.com_present[n] = true;
    return port_chardev(p, c, o, &p->pc.com[n], err);
}

static bool add_parallel(struct parts *p, const struct config *c, struct opts *o,
                         struct error **err)
{
    if (p->pc.lpt_present) {
        return error_set(err, "this machine has one parallel port, and it is there already");
    }
    p->pc.lpt_present = true;
    return port_chardev(p, c, o, &p->pc.lpt, err);
}

static bool add_once(bool *there, struct error **err)
{
    if (*there) {
        return error_set(err, "there is one already");
    }
    *there = true;
    return true;
}

static bool add_pvpanic(struct parts *p, const struct config *c, struct opts *o, struct error **err)
{
    uint64_t port = 0x505, events = 3;
    if (!opts_u64(o, "ioport", 0, 0xffff, &port, err) ||
        !opts_u64(o, "events", 0, 3, &events, err)) {
        return false;
    }
    p->pc.pvpanic_port = (uint16_t)port;
    p->pc.pvpanic_events = (uint8_t)events;
    return add_once(&p->pc.pvpanic, err);
}

static bool add_pc_testdev(struct parts *p, const struct config *c, struct opts *o,
                           struct error **err)
{
    return add_once(&p->pc.pc_testdev, err);
}

static bool add_pci_testdev(struct parts *p, const struct config *c, struct opts *o,
                            struct error **err)
{
    return add_once(&p->pc.pci_testdev, err);
}

static bool add_loader(struct parts *p, const struct config *c, struct opts *o, struct error **err)
{
    return loaders_add_device(&p->loaders, o, err);
}

static const char *const loader_keys[] = {"file=<path>", "addr=<address>", "cpu-num=<n>",
                                          "force-raw=<on|off>", NULL};
static const char *const exit_keys[] = {"iobase=<port>", "iosize=<1..8>", NULL};
static const char *const debugcon_keys[] = {"chardev=<id>", "iobase=<port>", "readback=<byte>",
                                            NULL};

static const char *const serial_keys[] = {"chardev=<id>", "index=<0..3>", NULL};
static const char *const parallel_keys[] = {"chardev=<id>", NULL};
static const char *const pvpanic_keys[] = {"ioport=<port>", "events=<0..3>", NULL};
static const char *const no_keys[] = {NULL};

static const struct device_row devices[] = {
    {"coldboot-exit", "ISA", "ends the run with the written value as status", exit_keys,
     add_plain_exit},
    {"isa-debug-exit", "ISA", "ends the run with status value * 2 + 1", exit_keys, add_debug_exit},
    {"loader", "none", "puts a file into memory at each reset; cpu-num: that CPU starts there",
     loader_keys, add_loader},
    {"isa-debugcon", "ISA", "debug console", debugcon_keys, add_debugcon},
    {"isa-parallel", "ISA", "parallel port LPT1", parallel_keys, add_parallel},
    {"isa-serial", "ISA", "serial port, COM1 to COM4", serial_keys, add_serial},
    {"pc-testdev", "ISA", "scratch ports and memory, interrupt lines for test programs", no_keys,
     add_pc_testdev},
    {"pci-testdev", "PCI", "a function to be written to, for test programs", no_keys,
     add_pci_testdev},
    {"pvpanic", "ISA", "a port by which the guest tells that it panicked", pvpanic_keys,
     add_pvpanic},
};

const struct device_row *registry_device(const char *name, struct error **err)
{
    struct nearest near = {.wanted = name};
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        if (strcmp(devices[i].name, name) == 0) {
            return &devices[i];
        }
        nearest_offer(&near, devices[i].name);
    }
    nearest_error(&near, "", err, "there is no device \"%s\"", name);
    return NULL;
}

void registry_list_devices(FILE *out, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        fprintf(out, "name \"%s\", bus %s, desc \"%s\"\n", devices[i].name, devices[i].bus,
                devices[i].text);
    }
}

void registry_list_device_keys(FILE *out, const char *name)
{
    const struct device_row *d = registry_device(name, NULL);
    fprintf(out, "%s options:\n", name);
    for (const char *const *key = d != NULL ? d->props : NULL; key != NULL && *key != NULL; key++) {
        fprintf(out, "  %s\n", *key);
    }
}

/* ---- machines and CPUs ----------------------------------------------------------------------- */

void registry_list_machines(FILE *out, const char *name)
{
    fprintf(out, "Supported machines are:\n"
                 "pc                   i440FX + PIIX3 PC (alias of pc-i440fx-7.2)\n"
                 "pc-i440fx-7.2        i440FX + PIIX3 PC (default)\n");
}

void registry_list_cpus(FILE *out, const char *name)
{
    const struct x86_model *m;
    fprintf(out, "Available CPUs:\n");
    for (unsigned i = 0; (m = x86_model_list(i)) != NULL; i++) {
        fprintf(out, "x86 %-20s %s%s\n", m->name, m->text,
                m == x86_model_default() ? " (default)" : "");
    }
    fprintf(out, "    %-20s the host's own processor (with -accel kvm)\n", "host");
    fprintf(out, "\nFeatures, to add with +NAME or take away with -NAME:");
    const char *feature;
    for (unsigned i = 0, n = 0; (feature = x86_feature_name(i)) != NULL; i++) {
        if (x86_feature_implemented(i)) {
            fprintf(out, "%s%s", n++ % 10 == 0 ? "\n  " : " ", feature);
        }
    }
    fprintf(out, "\n");
}
