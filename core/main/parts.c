#include "core/main/parts.h"

#include "core/accel/accel.h"
#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/cpu/cpuid.h"
#include "core/main/registry.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- firmware -------------------------------------------------------------------------------- */

/* The -L folder to look in for @name: the first that has it. */
static const char *bios_dir(const struct config *c, const char *name)
{
    for (unsigned i = 0; i < c->n_bios_dirs; i++) {
        char *path = xasprintf("%s/%s", c->bios_dirs[i], name);
        bool there = access(path, F_OK) == 0;
        free(path);
        if (there) {
            return c->bios_dirs[i];
        }
    }
    return c->n_bios_dirs != 0 ? c->bios_dirs[0] : NULL;
}

static bool load_firmware(struct parts *p, const struct config *c, struct error **err)
{
    const char *bios = c->bios != NULL ? c->bios : FIRMWARE_BIOS;
    if (!firmware_load_bios(&p->pc.bios, bios_dir(c, bios), c->bios, err)) {
        return error_prefix(err, "-bios");
    }
    p->pc.vga = c->vga ? PC_VGA_STD : PC_VGA_NONE;
    return !c->vga ||
           firmware_load(&p->pc.vga_bios, bios_dir(c, FIRMWARE_VGABIOS), FIRMWARE_VGABIOS, err) ||
           error_prefix(err, "-vga std");
}

/* ---- character devices ----------------------------------------------------------------------- */

static void quit(void *opaque)
{
    machine_request_stop(opaque, CAUSE_HOST_QUIT, 0);
}

static struct part_chardev *find_chardev(struct parts *p, const char *name)
{
    for (unsigned i = 0; i < p->n_chardevs; i++) {
        if (p->chardevs[i].name != NULL && strcmp(p->chardevs[i].name, name) == 0) {
            return &p->chardevs[i];
        }
    }
    return NULL;
}

/* A new port of a shared line, which the first user opens. */
static struct chardev *shared_port(struct parts *p, const struct chardev_config *line,
                                   const char *name, struct chardev_mux **mux, struct error **err)
{
    struct part_chardev *first = find_chardev(p, name);
    *mux = first != NULL ? first->mux : NULL;
    if (*mux == NULL) {
        struct chardev *base = chardev_new(line->spec, &p->machine->loop, err);
        if (base == NULL) {
            return NULL;
        }
        *mux = chardev_mux_new(base, quit, p->machine);
    }
    return chardev_mux_port(*mux, line->id, err);
}

bool parts_chardev(struct parts *p, const struct config *c, const char *spec, struct chardev **out,
                   struct error **err)
{
    const struct chardev_config *named = config_chardev_by_id(c, spec);
    const char *back_end = config_chardev(c, spec, err);
    struct chardev_mux *mux = NULL;
    if (back_end == NULL) {
        return false;
    }
    bool shared = named != NULL && named->shared;
    if (!shared && find_chardev(p, spec) != NULL && named != NULL) {
        return error_set(err, "%s: is in use", spec);
    }
    if (p->n_chardevs == CONFIG_LISTS) {
        return error_set(err, "more than %d character devices", CONFIG_LISTS);
    }
    struct chardev *dev = shared ? shared_port(p, named, spec, &mux, err)
                                 : chardev_new(back_end, &p->machine->loop, err);
    if (dev == NULL) {
        return false;
    }
    p->chardevs[p->n_chardevs++] = (struct part_chardev){
        .name = xstrdup(spec),
        .label = xstrdup(named != NULL ? named->id : ""),
        .spec = back_end,
        .chardev = dev,
        .mux = mux,
    };
    *out = dev;
    return true;
}

/* What queries call the device that was opened last, unless it has a name of its own. */
static void label_chardev(struct parts *p, const char *label, unsigned n)
{
    struct part_chardev *last = &p->chardevs[p->n_chardevs - 1];
    if (last->label[0] == '\0') {
        free(last->label);
        last->label = xasprintf("%s%u", label, n);
    }
}

static bool has_device(const struct config *c, const char *name)
{
    for (unsigned i = 0; i < c->n_devices; i++) {
        struct opts o = c->devices[i].opts;
        const char *driver = opts_get(&o, "driver");
        if (driver != NULL && strcmp(driver, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A serial or parallel port: "none" leaves it out; without @spec @by_default decides. */
static bool open_port(struct parts *p, const struct config *c, const char *spec, bool by_default,
                      const char *label, unsigned n, bool *present, struct chardev **chr,
                      struct error **err)
{
    if (spec == NULL) {
        spec = by_default ? "null" : "none"; /* expect listens to COM1 even when nobody else does */
    }
    *present = strcmp(spec, "none") != 0;
    if (*present && !parts_chardev(p, c, spec, chr, err)) {
        return false;
    }
    if (*present) {
        label_chardev(p, label, n);
    }
    return true;
}

static bool open_chardevs(struct parts *p, const struct config *c, struct error **err)
{
    for (unsigned i = 0; i < PC_COMS; i++) {
        bool by_default =
            i == 0 && c->n_serials == 0 && c->defaults && !has_device(c, "isa-serial");
        if (!open_port(p, c, i < c->n_serials ? c->serials[i] : NULL, by_default, "serial", i,
                       &p->pc.com_present[i], &p->pc.com[i], err)) {
            return error_prefix(err, "-serial");
        }
    }
    bool printer = c->defaults && !has_device(c, "isa-parallel");
    if (!open_port(p, c, c->parallel, printer, "parallel", 0, &p->pc.lpt_present, &p->pc.lpt,
                   err)) {
        return error_prefix(err, "-parallel");
    }
    if (c->debugcon != NULL) {
        struct pc_debugcon *d = &p->pc.debugcons[p->pc.n_debugcons++];
        *d = (struct pc_debugcon){.port = c->debugcon_port, .read_value = 0xe9};
        if (!parts_chardev(p, c, c->debugcon, &d->chardev, err)) {
            return error_prefix(err, "-debugcon");
        }
        label_chardev(p, "debugcon", 0);
    }
    return true;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static bool add_devices(struct parts *p, const struct config *c, struct error **err)
{
    for (unsigned i = 0; i < c->n_devices; i++) {
        struct opts o = c->devices[i].opts;
        const struct device_row *row = registry_device(opts_get(&o, "driver"), err);
        opts_get(&o, "id");
        if (row == NULL || !row->add(p, c, &o, err) || !opts_all_used(&o, err)) {
            return error_prefix(err, "-device %s", c->devices[i].text);
        }
    }
    return true;
}

static bool fill_config(struct parts *p, const struct config *c, struct error **err)
{
    struct pc_config *pc = &p->pc;
    const struct x86_model *cpu = p->machine->cpu_model;
    if (c->cpus > 1 && !x86_has(cpu, X86_F_APIC)) {
        return error_set(err, "-smp %u: a %s has no local APIC to start the others with", c->cpus,
                         cpu->name);
    }
    pc->ram_bytes = c->ram_bytes;
    pc->low_max = c->low_max;
    pc->amd_cpu = strcmp(cpu->vendor, "AuthenticAMD") == 0;
    pc->cpus = c->cpus;
    pc->max_cpus = c->max_cpus;
    pc->hpet = c->hpet;
    pc->acpi = c->acpi;
    pc->smm = c->smm && !p->machine->accel->no_smm;
    pc->no_graphics = !c->graphics;
    pc->com_line_time = c->serial_line_time;
    pc->fd_bootchk = c->floppy_check;
    pc->boot_order = c->boot_order != NULL ? c->boot_order : pc->boot_order;
    pc->boot_once = c->boot_once;
    pc->boot_menu = c->boot_menu;
    pc->boot_strict = c->boot_strict;
    pc->has_splash_time = c->boot_splash_ms >= 0;
    pc->splash_time_ms = pc->has_splash_time ? (uint16_t)c->boot_splash_ms : 0;
    pc->reboot_timeout_ms = (int32_t)c->boot_retry_ms;
    memcpy(pc->uuid, c->uuid, sizeof(pc->uuid));
    if (c->n_fw_cfg > PC_MAX_FW_ITEMS) {
        return error_set(err, "-fw_cfg: more than %d items", PC_MAX_FW_ITEMS);
    }
    for (unsigned i = 0; i < c->n_fw_cfg; i++) {
        pc->fw_items[pc->n_fw_items++] = (struct pc_fw_item){
            .name = c->fw_cfg[i].name,
            .data = c->fw_cfg[i].data,
            .bytes = c->fw_cfg[i].bytes,
        };
    }
    return true;
}

static bool load_kernel(struct parts *p, const struct config *c, struct error **err)
{
    const struct kernel_files files = {
        .kernel = c->kernel,
        .initrd = c->initrd,
        .append = c->append,
        .low_ram_bytes = min_u64(c->ram_bytes, c->low_max),
    };
    if (c->kernel == NULL) {
        return (c->initrd == NULL && c->append == NULL) ||
               error_set(err, "-%s goes with -kernel only",
                         c->initrd != NULL ? "initrd" : "append");
    }
    return kernel_load(&p->pc.kernel, &files, err) || error_prefix(err, "-kernel");
}

static bool open_flat(struct parts *p, const struct config *c, struct error **err)
{
    struct part_loader *l = loaders_add(&p->loaders, c->flat.file, c->flat.addr, err);
    if (l == NULL) {
        return error_prefix(err, "-flat");
    }
    l->starts = true;
    l->start.addr = c->flat.addr;
    memcpy(l->start.gpr, c->flat.gpr, sizeof(l->start.gpr));
    return strcmp(c->serials[0], "none") == 0 ||
           parts_chardev(p, c, c->serials[0], &p->pc.com[0], err) || error_prefix(err, "-serial");
}

bool parts_open(struct parts *p, const struct config *c, struct machine *m, struct error **err)
{
    *p = (struct parts){.machine = m};
    pc_config_init(&p->pc);
    if (c->flat.file != NULL) {
        if (open_flat(p, c, err)) {
            return true;
        }
        parts_close(p);
        return false;
    }
    if (fill_config(p, c, err) && load_kernel(p, c, err) &&
        media_open(&p->media, c, &p->pc, &p->image_drive, err) && load_firmware(p, c, err) &&
        open_chardevs(p, c, err) && add_devices(p, c, err)) {
        return true;
    }
    parts_close(p);
    return false;
}

void parts_close(struct parts *p)
{
    media_close(&p->media);
    for (unsigned i = 0; i < p->n_chardevs; i++) {
        chardev_free(p->chardevs[i].chardev);
        free(p->chardevs[i].name);
        free(p->chardevs[i].label);
    }
    loaders_free(&p->loaders);
    kernel_free(&p->pc.kernel);
    firmware_free(&p->pc.bios);
    firmware_free(&p->pc.vga_bios);
    *p = (struct parts){0};
}
