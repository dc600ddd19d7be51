/*
 * The `flat` board. Nothing on it can interrupt, so a halt is the end of the program.
 */
#include "hw/flat/flat.h"

#include "core/accel/vcpu.h"
#include "hw/pc/debugcon.h"

struct flat {
    struct debugcon serial, debug;
};

bool flat_init(struct machine *m, const struct flat_config *cfg, struct error **err)
{
    struct flat *flat = machine_alloc(m, sizeof(*flat));

    if (!machine_ram_init(m, cfg->ram_bytes, MACHINE_LOW_MAX, err)) {
        return false;
    }
    machine_map_ram(m);
    if (vcpu_new(m, err) == NULL) {
        return false;
    }
    debugcon_init(&flat->serial, m, FLAT_SERIAL_PORT, 0xff, cfg->console);
    debugcon_init(&flat->debug, m, FLAT_DEBUG_PORT, 0xff, cfg->console);
    m->stop_on_halt = true;
    return true;
}
