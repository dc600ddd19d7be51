/*
 * The interpreter's side of debug.h.
 *
 * Model:  while somebody debugs, the loop asks here between blocks. Code points end blocks before
 *         them, whatever linear address the block is seen at (page offsets are the same at all),
 *         and are never reached by chaining. A step is a block of one instruction; a delivered
 *         interrupt or fault counts as one, as it does for the instruction count. Pages with data
 *         points miss the TLB.
 */
#include "core/accel/interp/engine.h"
#include "core/accel/vcpu.h"

static void set_hit(struct interp *e, enum debug_hit_kind kind)
{
    e->debug.hit = (struct debug_hit){.kind = kind};
    e->debug.step = STEP_OFF;
}

/* ---- between instructions ---- */

bool interp_debug_due(struct interp *e)
{
    struct interp_debug *d = &e->debug;
    uint64_t now = interp_icount(&e->cpu);
    if (d->hit.kind != HIT_NONE) {
        d->step = STEP_OFF;
    } else if (d->step != STEP_OFF && now != d->step_from) {
        set_hit(e, HIT_STEP);
    } else if (now >= d->stop_count) {
        d->stop_count = UINT64_MAX;
        set_hit(e, HIT_COUNT);
    }
    return d->hit.kind != HIT_NONE;
}

bool interp_debug_at_point(struct interp *e)
{
    struct interp_debug *d = &e->debug;
    const struct x86_cpu *cpu = &e->cpu;
    uint64_t lin = (cpu->s.seg[S_CS].base + cpu->s.rip) & cpu->lin_mask;
    uint64_t now = interp_icount(cpu);
    if (!(d->stops->on & POINT_CODE) || !interp_debug_code(e, lin, false) ||
        (lin == d->passed_lin && now == d->passed_icount) ||
        (d->step != STEP_OFF && now == d->step_from)) {
        return false;
    }
    const struct stops *s = d->stops;
    d->passed_lin = lin;
    d->passed_icount = now;
    if (s->code_wanted != NULL &&
        !s->code_wanted(s->code_opaque, cpu->host, lin,
                        stops_find(s, POINT_CODE, false, lin, 1)->users)) {
        return false;
    }
    set_hit(e, HIT_CODE);
    d->hit.addr = lin;
    return true;
}

bool interp_debug_code(const struct interp *e, uint64_t lin, bool any_page)
{
    const struct stops *s = e->debug.stops;
    uint64_t mask = any_page ? PAGE_OFFSET : ~0ull;
    if (!(s->on & POINT_CODE)) {
        return false;
    }
    for (unsigned i = 0; i < s->n; i++) {
        if ((s->points[i].on & POINT_CODE) && ((s->points[i].addr ^ lin) & mask) == 0) {
            return true;
        }
    }
    return false;
}

int64_t interp_debug_slice(const struct interp *e, int64_t slice, uint64_t icount)
{
    uint64_t left = e->debug.stop_count - icount;
    return (uint64_t)slice < left ? slice : (int64_t)left;
}

static void tell(struct interp *e, const struct stop_event *event)
{
    vcpu_debug_event(e->cpu.host, event);
}

void interp_debug_resync(struct interp *e)
{
    struct interp_debug *d = &e->debug;
    struct x86_cpu *cpu = &e->cpu;
    enum cpu_mode mode = cpu_mode_of(&cpu->s);
    if (d->step != STEP_OFF) {
        e->single = true;
        moved_set_keys(e, true);
    }
    if (d->hit.kind != HIT_NONE) {
        moved_set_keys(e, true);
    }
    if (d->step == STEP_INSN_NO_INTR && cpu->s.activity == ACT_RUNNING) {
        cpu->pend_mask &= ~(uint32_t)(PEND_INTR | PEND_NMI | PEND_SMI);
    }
    if (mode != d->mode) {
        d->mode = mode;
        if (d->stops->wanted & EVENT_MODE) {
            tell(e, &(struct stop_event){.kind = EVENT_MODE, .val = mode});
        }
    }
}

/* ---- what the mechanisms tell ---- */

static bool in_page(const struct stop_point *p, uint64_t page)
{
    return p->addr <= page + PAGE_OFFSET && page <= p->addr + (p->len - 1);
}

static unsigned watched(struct x86_cpu *cpu, uint64_t lin_page, uint64_t phys_page)
{
    const struct stops *s = interp_of(cpu)->debug.stops;
    unsigned perms = 0;
    for (unsigned i = 0; i < s->n; i++) {
        const struct stop_point *p = &s->points[i];
        if (in_page(p, p->physical ? phys_page : lin_page)) {
            perms |= (p->on & POINT_WRITE ? PERM_W : 0) | (p->on & POINT_READ ? PERM_R : 0);
        }
    }
    return perms;
}

/* The instruction goes on to its end: what watches data traps. */
static void accessed(struct x86_cpu *cpu, uint64_t lin, uint64_t phys, unsigned size, bool write)
{
    struct interp *e = interp_of(cpu);
    unsigned on = write ? POINT_WRITE : POINT_READ;
    const struct stop_point *p = stops_find(e->debug.stops, on, false, lin, size);
    if (p == NULL) {
        p = stops_find(e->debug.stops, on, true, phys, size);
    }
    if (p == NULL || e->debug.hit.kind != HIT_NONE) {
        return;
    }
    e->debug.hit = (struct debug_hit){
        .kind = HIT_DATA, .addr = p->addr, .on = p->on, .physical = p->physical,
    };
    moved_set_keys(e, true);
    e->due = true;
    interp_stop_after_insn(cpu);
}

static void delivered(struct x86_cpu *cpu, unsigned vector, unsigned kind, uint32_t error,
                      const struct x86_place *from)
{
    bool exception = kind == INT_EXCEPTION || kind == INT_NMI || kind == INT_ICEBP;
    const struct stop_event event = {
        .kind = exception ? EVENT_EXCEPTION : EVENT_INT, .addr = vector, .val = error,
        .write = kind == INT_SOFTWARE || kind == INT_SOFT_EXC, .at = *from,
    };
    if (interp_of(cpu)->debug.stops->wanted & event.kind) {
        tell(interp_of(cpu), &event);
    }
}

static void msr_used(struct x86_cpu *cpu, uint32_t index, uint64_t val, bool write)
{
    tell(interp_of(cpu),
         &(struct stop_event){
             .kind = EVENT_MSR, .addr = index, .val = val, .size = 8, .write = write});
}

/* ---- from outside ---- */

void interp_debug_set(struct interp *e, const struct stops *stops, enum vcpu_step step,
                      uint64_t stop_count)
{
    struct interp_debug *d = &e->debug;
    struct x86_cpu *cpu = &e->cpu;
    bool busy = stops != NULL && (stops->n != 0 || stops->wanted != 0 || step != STEP_OFF ||
                                  stop_count != UINT64_MAX);
    bool data = busy && (stops->on & (POINT_READ | POINT_WRITE));
    unsigned wanted = busy ? stops->wanted : 0;
    if (busy && d->version != stops->version) { /* blocks end before other places now */
        d->version = stops->version;
        block_drain(e);
        block_flush_all(e);
    }
    if (data || cpu->watched != NULL) {
        x86_tlb_flush(cpu);
    }
    d->stops = busy ? stops : NULL;
    d->step = step;
    d->step_from = interp_icount(cpu);
    d->stop_count = stop_count;
    d->mode = cpu_mode_of(&cpu->s);
    cpu->watched = data ? watched : NULL;
    cpu->accessed = data ? accessed : NULL;
    cpu->delivered = wanted & (EVENT_INT | EVENT_EXCEPTION) ? delivered : NULL;
    cpu->msr_used = wanted & EVENT_MSR ? msr_used : NULL;
}
