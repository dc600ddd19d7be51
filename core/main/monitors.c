#include "core/main/monitors.h"

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/debug/gdbstub.h"
#include "core/debug/hmp.h"
#include "core/debug/qmp.h"
#include "core/main/version.h"

#include <stdlib.h>
#include <string.h>

/* ---- the board ------------------------------------------------------------------------------- */

static bool change_floppy(void *dev, unsigned n, struct block *b, struct error **err)
{
    return pc_insert_floppy(dev, n, b, err);
}

static bool change_cd(void *dev, unsigned n, struct block *b, struct error **err)
{
    return pc_insert_cd(dev, n, b, err);
}

static bool cd_locked(void *dev, unsigned n)
{
    return pc_cd_locked(dev, n);
}

static bool cd_open(void *dev, unsigned n)
{
    return pc_cd_open(dev, n);
}

static bool cannot_change(void *dev, unsigned n, struct block *b, struct error **err)
{
    return error_set(err, "a hard disk cannot be changed");
}

static void add_slots(struct monitors *ms, struct parts *p, struct pc *pc)
{
    static const char *const floppies[PC_FLOPPIES] = {"floppy0", "floppy1"};
    for (unsigned i = 0; i < PC_FLOPPIES; i++) {
        if (p->pc.fdc && p->pc.floppy_drive[i]) {
            ms->slots[ms->n_slots++] = (struct media_slot){
                .id = floppies[i],
                .kind = "floppy",
                .device = "i82078",
                .removable = true,
                .medium = &p->media.floppy[i],
                .change = change_floppy,
                .dev = pc,
                .n = i,
            };
        }
    }
    for (unsigned i = 0; i < PC_DISKS; i++) {
        static const char *const disks[2][PC_DISKS] = {
            {"ide0-hd0", "ide0-hd1", "ide1-hd0", "ide1-hd1"},
            {"ide0-cd0", "ide0-cd1", "ide1-cd0", "ide1-cd1"},
        };
        const struct pc_disk *d = &p->pc.disks[i];
        if (d->present) {
            ms->slots[ms->n_slots++] = (struct media_slot){
                .id = disks[d->cd][i],
                .kind = d->cd ? "cdrom" : "disk",
                .device = "piix3-ide",
                .removable = d->cd,
                .medium = &p->media.disk[i],
                .change = d->cd ? change_cd : cannot_change,
                .locked = d->cd ? cd_locked : NULL,
                .open = d->cd ? cd_open : NULL,
                .dev = pc,
                .n = i,
            };
        }
    }
    for (unsigned i = 0; i < ms->n_slots; i++) {
        machine_add_slot(p->machine, &ms->slots[i]);
    }
}

/* ---- the monitors ---------------------------------------------------------------------------- */

static bool open_monitor(struct monitors *ms, struct parts *p, const struct config *c, unsigned n,
                         struct error **err)
{
    const struct monitor_config *mc = &c->monitors[n];
    struct chardev *chardev;
    if (!parts_chardev(p, c, mc->spec, &chardev, err)) {
        return false;
    }
    struct part_chardev *last = &p->chardevs[p->n_chardevs - 1];
    if (last->label[0] == '\0') {
        free(last->label);
        last->label = xasprintf(mc->gdb ? "gdb%u" : "compat_monitor%u", n);
    }
    if (mc->gdb) {
        return gdbstub_new(ms->debug, chardev, err);
    }
    if (mc->qmp) {
        return qmp_new(ms->debug, chardev, mc->pretty, err);
    }
    hmp_new(ms->debug, chardev);
    return true;
}

bool monitors_open(struct monitors *ms, struct parts *p, const struct config *c, struct pc *pc,
                   struct error **err)
{
    if (c->n_monitors == 0) {
        return true;
    }
    struct debug_identity id = {
        .version = "coldboot " COLDBOOT_VERSION,
        .name = c->name,
        .display = c->display,
        .log_classes = c->log_classes,
    };
    memcpy(id.uuid, c->uuid, sizeof(id.uuid));
    add_slots(ms, p, pc);
    ms->debug = debug_new(p->machine, &id);
    for (unsigned i = 0; i < c->n_monitors; i++) {
        if (!open_monitor(ms, p, c, i, err)) {
            return error_prefix(err, "%s", c->monitors[i].given);
        }
    }
    for (unsigned i = 0; i < p->n_chardevs; i++) {
        const struct part_chardev *pc_dev = &p->chardevs[i];
        bool pty = strcmp(pc_dev->spec, "pty") == 0;
        debug_add_chardev(ms->debug, pc_dev->label, pty ? pc_dev->chardev->label : pc_dev->spec,
                          pc_dev->chardev);
    }
    return true;
}

void monitors_close(struct monitors *ms)
{
    debug_free(ms->debug);
    ms->debug = NULL;
}
