/* A machine's frame: lock, loop, clock, spaces, RAM, the list of devices, and what acts on them
 * all. */
#include "core/device/machine.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/hash.h"

#include "trace/core_device.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Address space for ROMs and video memory, behind guest RAM. */
#define OTHER_MEMORY_BYTES (1 * GiB)

struct machine_hook {
    struct machine_hook *next;
    void (*fn)(void *opaque);
    void *opaque;
};

static void needs_commit(void *opaque, struct space *s)
{
    struct machine *m = opaque;
    m->commit_pending = true;
}

static void add_space(struct machine *m, struct space *s, const char *name, uint64_t bytes)
{
    space_init(s, name, bytes);
    s->needs_commit = needs_commit;
    s->needs_commit_opaque = m;
}

bool machine_init(struct machine *m, enum clock_driver driver, int64_t wall_start_ns,
                  struct error **err)
{
    *m = (struct machine){0};
    m->devices_tail = &m->devices;
    lock_init(&m->lock);
    if (!loop_init(&m->loop, &m->lock, err)) {
        lock_fini(&m->lock);
        *m = (struct machine){0};
        return false;
    }
    clock_init(&m->clock, driver, wall_start_ns);
    if (driver == CLOCK_HOST_DRIVEN) {
        loop_add_clock(&m->loop, &m->clock);
    }
    add_space(m, &m->mem, "memory", 1ull << MACHINE_PHYS_BITS);
    add_space(m, &m->smm, "memory-smm", 1ull << MACHINE_PHYS_BITS);
    add_space(m, &m->ports, "ports", 64 * KiB);
    region_alias(&m->smm_alias, "memory-outside-smm", &m->mem.root, 0, m->mem.root.bytes);
    region_map(&m->smm.root, &m->smm_alias, 0, 0);
    machine_commit(m);
    return true;
}

void machine_fini(struct machine *m)
{
    if (m->devices_tail == NULL) {
        return; /* never initialised */
    }
    if (m->cpu_ops != NULL) {
        m->cpu_ops->fini(m);
    }
    while (m->hooks != NULL) {
        struct machine_hook *h = m->hooks;
        m->hooks = h->next;
        h->fn(h->opaque);
        free(h);
    }
    while (m->devices != NULL) {
        struct device *d = m->devices;
        m->devices = d->next;
        free(d);
    }
    space_fini(&m->ports);
    space_fini(&m->smm);
    space_fini(&m->mem);
    ram_arena_fini(&m->arena);
    loop_fini(&m->loop);
    clock_fini(&m->clock);
    lock_fini(&m->lock);
    *m = (struct machine){0};
}

/* --- memory ----------------------------------------------------------------------------------- */

bool machine_ram_init(struct machine *m, uint64_t ram_bytes, uint64_t low_max, struct error **err)
{
    if (ram_bytes < 1 * MiB || ram_bytes > 64 * GiB || ram_bytes % (4 * KiB) != 0) {
        return error_set(err, "%llu bytes of memory: not a multiple of 4 KiB from 1 MiB to 64 GiB",
                         (unsigned long long)ram_bytes);
    }
    uint64_t low = ram_bytes < low_max ? ram_bytes : min_u64(low_max, MACHINE_SPLIT);
    uint64_t high = ram_bytes - low;
    uint64_t guest_end = 4 * GiB + high;

    if (!ram_arena_init(&m->arena, guest_end + OTHER_MEMORY_BYTES, err) ||
        !ram_block_at(&m->arena, &m->ram_low, "ram-low", 0, low, err) ||
        (high != 0 && !ram_block_at(&m->arena, &m->ram_high, "ram-high", 4 * GiB, high, err))) {
        return false;
    }
    /* No block lies below 4 GiB but RAM, so any 32-bit physical address is inside the arena and is
     * either RAM or memory that nothing else uses. */
    m->arena.next = guest_end;
    return true;
}

void machine_map_ram(struct machine *m)
{
    region_ram(&m->ram_low_map, "ram-low", &m->ram_low);
    region_map(&m->mem.root, &m->ram_low_map, 0, 0);
    if (m->ram_high.bytes != 0) {
        region_ram(&m->ram_high_map, "ram-high", &m->ram_high);
        region_map(&m->mem.root, &m->ram_high_map, 4 * GiB, 0);
    }
}

void machine_commit(struct machine *m)
{
    m->commit_pending = false;
    space_commit(&m->mem);
    space_commit(&m->smm);
    space_commit(&m->ports);
}

/* --- what belongs to the machine -------------------------------------------------------------- */

void machine_on_fini(struct machine *m, void (*fn)(void *opaque), void *opaque)
{
    struct machine_hook *h = NEW(struct machine_hook);
    *h = (struct machine_hook){.next = m->hooks, .fn = fn, .opaque = opaque};
    m->hooks = h;
}

void *machine_alloc(struct machine *m, size_t bytes)
{
    void *p = xcalloc(1, bytes);
    machine_on_fini(m, free, p);
    return p;
}

void machine_add(struct machine *m, const struct device_type *type, const char *id, void *dev)
{
    for (const struct device *d = m->devices; d != NULL; d = d->next) {
        assert(strcmp(d->id, id) != 0);
    }
    struct device *d = NEW(struct device);
    *d = (struct device){.type = type, .id = id, .dev = dev};
    *m->devices_tail = d;
    m->devices_tail = &d->next;
}

/* --- reset and stop --------------------------------------------------------------------------- */

void machine_reset(struct machine *m)
{
    trace_machine_reset(m->n_vcpus);
    for (const struct device *d = m->devices; d != NULL; d = d->next) {
        if (d->type->reset != NULL) {
            d->type->reset(d->dev);
        }
    }
    if (m->cpu_ops != NULL) {
        m->cpu_ops->reset(m);
    }
    machine_commit(m);
}

static void requested(struct machine *m)
{
    trace_machine_request(m->reset_request, m->stop_request, m->stop_status);
    if (m->requested != NULL) {
        m->requested(m);
    }
}

void machine_request_reset(struct machine *m, enum machine_cause cause)
{
    if (m->no_reboot || (m->stop_on_triple_fault && cause == CAUSE_TRIPLE_FAULT)) {
        machine_request_stop(m, cause, 0);
    } else if (m->reset_request == CAUSE_NONE) {
        m->reset_request = cause;
        requested(m);
    }
}

void machine_guest_panicked(struct machine *m)
{
    machine_tell(m, MACHINE_PANICKED, CAUSE_GUEST_PANIC);
    if (m->panic_action != PANIC_NONE) {
        machine_request_stop(m, CAUSE_GUEST_PANIC, m->panic_action == PANIC_EXIT_FAILURE);
    }
}

void machine_request_stop(struct machine *m, enum machine_cause cause, int status)
{
    if (m->stop_request == CAUSE_NONE) {
        m->stop_request = cause;
        m->stop_status = status;
        requested(m);
    }
}

/* --- front ends ------------------------------------------------------------------------------- */

void machine_listen(struct machine *m, struct machine_listener *l)
{
    l->next = m->listeners;
    m->listeners = l;
}

void machine_unlisten(struct machine *m, struct machine_listener *l)
{
    for (struct machine_listener **at = &m->listeners; *at != NULL; at = &(*at)->next) {
        if (*at == l) {
            *at = l->next;
            return;
        }
    }
}

void machine_tell(struct machine *m, enum machine_event event, enum machine_cause cause)
{
    for (struct machine_listener *l = m->listeners, *next; l != NULL; l = next) {
        next = l->next;
        l->event(l->opaque, event, cause);
    }
}

void machine_add_info(struct machine *m, struct info_provider *p)
{
    struct info_provider **at = &m->board.infos;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    p->next = NULL;
    *at = p;
}

void machine_add_slot(struct machine *m, struct media_slot *s)
{
    struct media_slot **at = &m->board.slots;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    s->next = NULL;
    *at = s;
}

/* --- state ------------------------------------------------------------------------------------ */

void machine_save_devices(struct machine *m, struct state_buf *out)
{
    for (const struct device *d = m->devices; d != NULL; d = d->next) {
        state_save_section(out, d->id, d->type->version, d->type->state, d->dev, &m->clock);
    }
    if (m->cpu_ops != NULL) {
        m->cpu_ops->save(m, out);
    }
}

uint64_t machine_digest(struct machine *m)
{
    struct state_buf state = {0};
    machine_save_devices(m, &state);
    uint64_t digest = hash_bytes(0, state.data, state.len);
    state_buf_free(&state);
    return ram_hash(&m->arena, digest);
}
