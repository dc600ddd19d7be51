/* -flat: a program without firmware, on the flat board. */
#include "core/main/options_table.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/device/machine.h"

#include <stdlib.h>

static bool flat_fields(struct config *c, struct opts *o, struct error **err)
{
    static const char *const names[8] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    struct flat_options *f = &c->flat;
    const char *file = opts_get(o, "file");
    uint64_t addr = UINT64_MAX, limit = 0;
    if (!opts_u64(o, "addr", 0, MiB - 1, &addr, err) ||
        !opts_u64(o, "exits", 1, UINT64_MAX, &limit, err)) {
        return false;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        uint64_t val = 0;
        if (!opts_u64(o, names[i], 0, 0xffff, &val, err)) {
            return false;
        }
        f->gpr[i] = (uint16_t)val;
    }
    if (!opts_all_used(o, err)) {
        return false;
    }
    if (file == NULL || file[0] == '\0' || addr == UINT64_MAX) {
        return error_set(err, "file= and addr= are needed");
    }
    f->file = xstrdup(file);
    f->addr = addr;
    f->exits = limit;
    return true;
}

OPTION_HANDLER(opt_flat)
{
    struct opts o;
    if (c->flat.file != NULL) {
        return error_set(err, "was given before, as %s", c->flat.file);
    }
    bool ok = opts_parse(&o, arg, "file", err);
    if (ok) {
        ok = flat_fields(c, &o, err);
        opts_free(&o);
    }
    return ok;
}

bool options_finish_flat(struct config *c, struct error **err)
{
    const struct {
        const char *option;
        bool given;
    } others[] = {
        {"an image", c->image != NULL},      {"-monitor or -qmp", c->n_monitors != 0},
        {"-fda", c->floppy[0].path != NULL}, {"-fdb", c->floppy[1].path != NULL},
        {"-bios", c->bios != NULL},          {"-expect and other steps", c->script.n != 0},
    };
    if (c->flat.file == NULL) {
        return true;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
        if (others[i].given) {
            return error_set(
                err, "-flat: runs a program without firmware and devices; %s does not go with it",
                others[i].option);
        }
    }
    if (c->display == NULL) {
        c->display = xstrdup("none");
    }
    if (c->n_serials == 0) {
        c->serials[c->n_serials++] = xstrdup("stdio");
    }
    return true;
}
