/*
 * Watchpoints and what devices write to memory.
 *
 * Model:  the lines of RAM under points that watch for writes are marked, so that every store there
 *         is told of; what a processor stores itself is its accelerator's to find. A linear address
 *         stands for the physical one that it is while nothing is paged.
 */
#include "core/accel/debug.h"

#include "core/base/bits.h"
#include "core/mem/ram.h"
#include "core/mem/view.h"

static void mark(struct stops *s, bool on)
{
    uint8_t *marks = s->machine->arena.marks;
    for (unsigned i = 0; i < s->n_watched; i++) {
        const struct stop_span *w = &s->watched[i];
        for (uint64_t l = w->ram >> RAM_LINE_SHIFT; l <= (w->ram + w->len - 1) >> RAM_LINE_SHIFT;
             l++) {
            marks[l] = (uint8_t)(on ? marks[l] | RAM_MARK_WATCH : marks[l] & ~RAM_MARK_WATCH);
        }
        if (on) {
            ram_hold(&s->machine->arena, w->ram, w->len);
        }
    }
}

/* DMA is what a device stores while no processor runs, or in an access of the running one. */
static void touched(void *opaque, uint64_t addr, uint64_t len)
{
    struct stops *s = opaque;
    struct vcpu *cpu = vcpu_running();
    const struct stop_span *hit = NULL;
    if (s->n_watched == 0 || s->machine->run_state != RUN_RUNNING ||
        (cpu != NULL && !cpu->in_access)) {
        return;
    }
    for (unsigned i = 0; i < s->n_watched && hit == NULL; i++) {
        const struct stop_span *w = &s->watched[i];
        hit = addr < w->ram + w->len && w->ram < addr + len ? w : NULL;
    }
    struct vcpu *stops = cpu != NULL ? cpu : s->machine->vcpus[0];
    if (hit == NULL || stops->hit.kind != HIT_NONE) {
        return;
    }
    stops->hit = (struct debug_hit){
        .kind = HIT_DATA,
        .addr = hit->addr,
        .on = hit->on,
        .physical = hit->physical,
    };
    if (cpu != NULL) {
        atomic_fetch_or(&cpu->pending, PEND_KICK);
    } else {
        vcpu_debug_stop(stops);
    }
}

/* The part of @p that is one piece of RAM now. */
static void watch(struct stops *s, const struct stop_point *p)
{
    const struct view_range *r = view_find(s->machine->mem.view, p->addr);
    const struct region *ram = r != NULL ? r->wr.region : NULL;
    if (ram == NULL || ram->kind != REGION_RAM || ram->ram->arena != &s->machine->arena) {
        return;
    }
    s->watched[s->n_watched++] = (struct stop_span){
        .ram = ram->ram->addr + r->wr.off + (p->addr - r->start),
        .len = min_u64(p->len, r->end - p->addr),
        .addr = p->addr,
        .on = p->on,
        .physical = p->physical,
    };
}

void stops_watch_dma(struct stops *s)
{
    struct machine *m = s->machine;
    struct x86_state state;
    mark(s, false);
    s->n_watched = 0;
    if (!(s->on & POINT_WRITE)) {
        return;
    }
    if (!s->listens) {
        s->listens = true;
        ram_add_listener(&m->arena, &(struct ram_listener){.touched = touched, .opaque = s});
    }
    m->accel->get_state(m->vcpus[0], &state);
    for (unsigned i = 0; i < s->n; i++) {
        const struct stop_point *p = &s->points[i];
        if ((p->on & POINT_WRITE) && (p->physical || !(state.cr0 & CR0_PG))) {
            watch(s, p);
        }
    }
    mark(s, true);
}
