#include "hw/pc/loader.h"

#include <string.h>

/* Straight into RAM, which lies at its physical address: what is mapped over it is being reset,
 * too. */
static void loader_reset(void *dev)
{
    const struct loader *s = dev;
    struct ram_arena *arena = &s->machine->arena;
    memcpy(arena->base + s->addr, s->data, s->bytes);
    if (ram_marked(arena, s->addr, s->bytes)) {
        ram_touched(arena, s->addr, s->bytes);
    }
}

static const struct state_field loader_state[] = {
    STATE_END(),
};

static const struct device_type loader_type = {
    .name = "loader", .version = 1, .reset = loader_reset, .state = loader_state,
};

static bool inside(const struct ram_block *b, uint64_t addr, uint64_t bytes)
{
    return addr >= b->addr && bytes <= b->bytes && addr - b->addr <= b->bytes - bytes;
}

bool loader_init(struct loader *s, struct machine *m, const char *id, uint64_t addr,
                 const void *data, size_t bytes, struct error **err)
{
    *s = (struct loader){.machine = m, .data = data, .bytes = bytes, .addr = addr};
    if (!inside(&m->ram_low, addr, bytes) && !inside(&m->ram_high, addr, bytes)) {
        return error_set(err, "%zu bytes at 0x%llx do not fit into memory", bytes,
                         (unsigned long long)addr);
    }
    machine_add(m, &loader_type, id, s);
    return true;
}
