/* Stops of a debugger: the points, the events, and bringing all vCPUs to rest. See debug.h. */
#include "core/accel/debug.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <stdlib.h>
#include <string.h>

const char *const cpu_mode_names[CPU_MODES] = {
    [CPU_REAL] = "real", [CPU_PROTECTED] = "protected", [CPU_V86] = "v86", [CPU_LONG] = "long",
    [CPU_SMM] = "smm",
};

enum cpu_mode cpu_mode_of(const struct x86_state *s)
{
    if (s->in_smm) {
        return CPU_SMM;
    }
    if (!(s->cr0 & CR0_PE)) {
        return CPU_REAL;
    }
    if (s->efer & EFER_LMA) {
        return CPU_LONG;
    }
    return s->rflags & FL_VM ? CPU_V86 : CPU_PROTECTED;
}

static bool fits(const struct stops *s)
{
    const struct accel *a = s->machine->accel;
    return a->debug_fits == NULL || a->debug_fits(s->machine, s);
}

struct stops *stops_get(struct machine *m)
{
    if (m->stops == NULL && m->n_vcpus != 0 && m->accel->debug_changed != NULL) {
        struct stops *s = NEW(struct stops);
        s->machine = m;
        m->stops = fits(s) ? s : NULL;
        if (m->stops == NULL) {
            free(s);
        }
    }
    return m->stops;
}

void stops_free(struct stops *s)
{
    free(s);
}

void stops_listen(struct stops *s, struct stops_listener *l)
{
    struct stops_listener **at = &s->listeners;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    l->next = NULL;
    *at = l;
}

void stops_unlisten(struct stops *s, struct stops_listener *l)
{
    for (struct stops_listener **at = &s->listeners; *at != NULL; at = &(*at)->next) {
        if (*at == l) {
            *at = l->next;
            return;
        }
    }
}

/* ---- points ---------------------------------------------------------------------------------- */

static void changed(struct stops *s)
{
    struct machine *m = s->machine;
    s->on = 0;
    for (unsigned i = 0; i < s->n; i++) {
        s->on |= s->points[i].on;
    }
    stops_watch_dma(s);
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        m->accel->debug_changed(m->vcpus[i]);
    }
}

static struct stop_point *same(struct stops *s, const struct stop_point *p)
{
    for (unsigned i = 0; i < s->n; i++) {
        struct stop_point *q = &s->points[i];
        if (q->addr == p->addr && q->len == p->len && q->on == p->on &&
            q->physical == p->physical) {
            return q;
        }
    }
    return NULL;
}

bool stops_add(struct stops *s, const struct stop_point *p)
{
    struct stop_point *old = same(s, p);
    if (old != NULL) {
        old->users++;
        return true;
    }
    if (s->n == STOPS_POINTS || p->len == 0 || p->addr + (p->len - 1) < p->addr) {
        return false;
    }
    s->points[s->n] = *p;
    s->points[s->n++].users = 1;
    if (!fits(s)) {
        s->n--;
        return false;
    }
    s->version += p->on & POINT_CODE;
    changed(s);
    return true;
}

bool stops_remove(struct stops *s, const struct stop_point *p)
{
    struct stop_point *old = same(s, p);
    if (old == NULL) {
        return false;
    }
    if (--old->users == 0) {
        *old = s->points[--s->n];
        s->version += p->on & POINT_CODE;
        changed(s);
    }
    return true;
}

const struct stop_point *stops_find(const struct stops *s, unsigned on, bool physical,
                                    uint64_t addr, uint64_t len)
{
    for (unsigned i = 0; i < s->n; i++) {
        const struct stop_point *p = &s->points[i];
        if ((p->on & on) != 0 && p->physical == physical && addr <= p->addr + (p->len - 1) &&
            p->addr <= addr + (len - 1)) {
            return p;
        }
    }
    return NULL;
}

/* ---- events, steps, counts ------------------------------------------------------------------- */

void stops_want(struct stops *s, unsigned kinds,
                bool (*event)(void *opaque, struct vcpu *cpu, const struct stop_event *e,
                              struct debug_hit *hit),
                void *opaque)
{
    s->wanted = kinds;
    s->event = event;
    s->event_opaque = opaque;
    changed(s);
}

void vcpu_set_step(struct vcpu *cpu, enum vcpu_step step)
{
    cpu->step = step;
    cpu->accel->debug_changed(cpu);
}

void vcpu_set_stop_count(struct vcpu *cpu, uint64_t icount)
{
    cpu->stop_count = icount;
    cpu->accel->debug_changed(cpu);
}

void vcpu_debug_event(struct vcpu *cpu, const struct stop_event *e)
{
    struct stops *s = cpu->machine->stops;
    struct debug_hit hit = {.kind = HIT_EVENT};
    if (cpu->hit.kind == HIT_NONE && s->event(s->event_opaque, cpu, e, &hit)) {
        cpu->hit = hit;
        atomic_fetch_or(&cpu->pending, PEND_KICK);
    }
}

/* ---- stopping -------------------------------------------------------------------------------- */

/* On the main loop. */
static void stopped(void *opaque)
{
    struct stops *s = opaque;
    struct vcpu *cpu = s->stopping;
    struct machine *m = s->machine;
    struct stops_listener *next;
    if (cpu == NULL) {
        return;
    }
    bool running = m->run_state == RUN_RUNNING;
    pause_all_vcpus(m);
    s->stopping = NULL;
    m->run_state = RUN_DEBUG;
    if (running) {
        machine_tell(m, MACHINE_STOPPED, CAUSE_NONE);
    }
    for (struct stops_listener *l = s->listeners; l != NULL; l = next) {
        next = l->next;
        l->stopped(l->opaque, cpu);
    }
    cpu->hit.kind = HIT_NONE;
}

void vcpu_debug_stop(struct vcpu *cpu)
{
    struct machine *m = cpu->machine;
    if (m->stops == NULL || m->stops->stopping != NULL) {
        return;
    }
    m->stops->stopping = cpu;
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        atomic_fetch_or(&m->vcpus[i]->pending, PEND_KICK);
        m->accel->kick(m->vcpus[i]);
    }
    loop_defer(&m->loop, stopped, m->stops);
}
