/*
 * gdb's server: letting the machine run, and why it stopped.
 *
 * Source: [GDB] "Stop Reply Packets", "Packets" (vCont, c, s).
 */
#include "core/debug/gdb_server.h"

#include <string.h>

enum { SIGNAL_INT = 2, SIGNAL_TRAP = 5 };

static struct machine *machine_of(const struct gdb *g)
{
    return g->monitor.debug->machine;
}

/* ---- stopped --------------------------------------------------------------------------------- */

/* The type of Z packet that set the point that was hit. */
static unsigned type_of(const struct gdb *g, const struct debug_hit *hit)
{
    for (unsigned i = 0; i < g->n_points; i++) {
        const struct stop_point *p = &g->points[i].point;
        bool code = (p->on & POINT_CODE) != 0;
        if (code == (hit->kind == HIT_CODE) && p->addr == hit->addr) {
            return g->points[i].type;
        }
    }
    return hit->kind == HIT_CODE ? 1 : 2;
}

static void put_reason(struct gdb *g, struct text *out, const struct debug_hit *hit)
{
    static const char *const watch[] = {[2] = "watch", [3] = "rwatch", [4] = "awatch"};
    unsigned type = type_of(g, hit);
    if (hit->kind == HIT_CODE && type == 0 && g->swbreak) {
        text_puts(out, "swbreak:;");
    } else if (hit->kind == HIT_CODE && type == 1 && g->hwbreak) {
        text_puts(out, "hwbreak:;");
    } else if (hit->kind == HIT_DATA && type >= 2 && type <= 4) {
        text_printf(out, "%s:%llx;", watch[type], (unsigned long long)hit->addr);
    }
}

static void put_stop(struct gdb *g, struct text *out, unsigned cpu, unsigned signal)
{
    text_printf(out, "T%02xthread:", signal);
    gdb_put_thread(g, out, cpu);
    text_putc(out, ';');
}

/* What gdb shows as the new program. It looks for a file of this name, which must not exist. */
static const char *code_name(enum gdb_arch arch)
{
    static const char *const names[] = {
        [GDB_16] = "/16-bit code",
        [GDB_32] = "/32-bit code",
        [GDB_64] = "/64-bit code",
    };
    return names[arch];
}

/* If the code is of another kind now than the client's description, an exec comes first. */
void gdb_stop_reply(struct gdb *g, unsigned cpu, unsigned signal, const struct debug_hit *hit)
{
    struct text stop = {0};
    put_stop(g, &stop, cpu, signal);
    put_reason(g, &stop, hit);
    enum gdb_arch arch = gdb_arch_of(debug_state(g->monitor.debug, cpu));
    text_cut(&g->held, 0);
    if (arch != g->arch && g->exec_events) {
        const char *name = code_name(arch);
        g->arch = arch;
        gdb_drop_points(g); /* gone with the old program, thinks gdb, and inserts them again */
        text_add(&g->held, text_str(&stop), stop.len);
        put_stop(g, &g->reply, cpu, SIGNAL_TRAP);
        text_puts(&g->reply, "exec:");
        gdb_put_hex(&g->reply, name, strlen(name));
        text_putc(&g->reply, ';');
    } else {
        text_add(&g->reply, text_str(&stop), stop.len);
    }
    text_free(&stop);
}

static void report(struct gdb *g, unsigned cpu, unsigned signal, const struct debug_hit *hit)
{
    struct machine *m = machine_of(g);
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        m->vcpus[i]->held = false;
        if (m->vcpus[i]->step != STEP_OFF) {
            vcpu_set_step(m->vcpus[i], STEP_OFF);
        }
    }
    if (!g->connected || !g->waits) {
        return;
    }
    if (hit->kind == HIT_EVENT) {
        gdb_console(g, hit->text, strlen(hit->text));
        gdb_console(g, "\n", 1);
    }
    g->waits = false;
    g->cpu_g = g->cpu_c = cpu;
    text_cut(&g->reply, 0);
    gdb_stop_reply(g, cpu, signal, hit);
    debug_thaw(g->monitor.debug);
    gdb_send(g, text_str(&g->reply), g->reply.len);
}

static void stopped(void *opaque, struct vcpu *cpu)
{
    report(opaque, cpu->index, SIGNAL_TRAP, &cpu->hit);
}

/* Somebody else stopped the machine, or it ended. */
static void machine_event(void *opaque, enum machine_event what, enum machine_cause cause)
{
    struct gdb *g = opaque;
    struct machine *m = machine_of(g);
    if (what == MACHINE_STOPPED && m->run_state != RUN_DEBUG) {
        report(g, g->cpu_g, SIGNAL_INT, &(struct debug_hit){.kind = HIT_NONE});
    } else if (what == MACHINE_SHUTDOWN && g->connected && g->waits && !m->no_shutdown) {
        g->waits = false;
        gdb_send(g, "W00", 3);
    }
}

/* ---- running --------------------------------------------------------------------------------- */

static enum vcpu_step step_kind(const struct gdb *g)
{
    return g->sstep & SSTEP_NO_IRQ ? STEP_INSN_NO_INTR : STEP_INSN;
}

/* The stop that was held back is the answer, and nothing runs. */
static bool answer_held(struct gdb *g)
{
    if (g->held.len == 0) {
        return false;
    }
    text_add(&g->reply, text_str(&g->held), g->held.len);
    text_cut(&g->held, 0);
    return true;
}

/* @actions: 'c', 's' or 0 (does not run) a vCPU. True: it runs. */
static bool run(struct gdb *g, const char *actions)
{
    struct machine *m = machine_of(g);
    struct error *err = NULL;
    if (answer_held(g)) {
        return false;
    }
    debug_thaw(g->monitor.debug);
    machine_stop(m);
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        struct vcpu *cpu = m->vcpus[i];
        cpu->held = actions[i] == 0;
        cpu->hit.kind = HIT_NONE;
        vcpu_set_step(cpu, actions[i] == 's' ? step_kind(g) : STEP_OFF);
    }
    g->waits = true;
    if (!machine_start(m, &err)) {
        g->waits = false;
        error_free(err);
        text_puts(&g->reply, "E01");
    }
    return g->waits;
}

bool gdb_resume_at(struct gdb *g, struct gdb_in *in, bool step)
{
    struct machine *m = machine_of(g);
    char actions[MACHINE_MAX_VCPUS];
    uint64_t addr;
    bool given = in->p != in->end;
    if (given && (!gdb_take_hex(in, &addr) || in->p != in->end)) {
        return false; /* something else that begins with c or s */
    }
    if (given) {
        struct x86_state s = *debug_state(g->monitor.debug, g->cpu_c);
        s.rip = addr - s.seg[S_CS].base;
        m->accel->set_state(m->vcpus[g->cpu_c], &s);
    }
    memset(actions, 'c', sizeof(actions));
    if (step) {
        memset(actions, 0, sizeof(actions));
        actions[g->cpu_c] = 's';
    }
    return run(g, actions);
}

/* One action behind `vCont;`, for the threads that have none yet. False: bad. */
static bool one_action(struct gdb *g, struct gdb_in *in, char *actions)
{
    int thread = GDB_ALL;
    if (in->p == in->end || strchr("csCS", *in->p) == NULL) {
        return false;
    }
    char action = (char)(*in->p | 0x20);
    bool signal = *in->p == 'C' || *in->p == 'S';
    in->p++;
    uint64_t ignored;
    if (signal && !gdb_take_hex(in, &ignored)) {
        return false;
    }
    if (gdb_take(in, ":") && !gdb_take_thread(g, in, &thread)) {
        return false;
    }
    for (unsigned i = 0; i < machine_of(g)->n_vcpus; i++) {
        bool named = thread == GDB_ALL || thread == (int)i || (thread == GDB_ANY && i == g->cpu_c);
        if (named && actions[i] == 0) {
            actions[i] = action;
        }
    }
    return true;
}

bool gdb_vcont(struct gdb *g, struct gdb_in *in)
{
    char actions[MACHINE_MAX_VCPUS] = {0};
    do {
        if (!one_action(g, in, actions)) {
            text_puts(&g->reply, "E22");
            return false;
        }
    } while (gdb_take(in, ";"));
    if (in->p != in->end) {
        text_puts(&g->reply, "E22");
        return false;
    }
    return run(g, actions);
}

void gdb_release(struct gdb *g)
{
    struct machine *m = machine_of(g);
    struct error *err = NULL;
    debug_thaw(g->monitor.debug);
    gdb_drop_points(g);
    g->waits = false;
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        m->vcpus[i]->held = false;
    }
    if (!machine_start(m, &err)) {
        error_free(err);
    }
}

void gdb_run_init(struct gdb *g)
{
    g->stop_listener = (struct stops_listener){.stopped = stopped, .opaque = g};
    stops_listen(g->stops, &g->stop_listener);
    g->machine_listener = (struct machine_listener){.event = machine_event, .opaque = g};
    machine_listen(machine_of(g), &g->machine_listener);
}

void gdb_run_fini(struct gdb *g)
{
    stops_unlisten(g->stops, &g->stop_listener);
    machine_unlisten(machine_of(g), &g->machine_listener);
}
