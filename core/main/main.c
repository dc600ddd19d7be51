/*
 * From the command line to the first guest instruction, in one straight line: options, accelerator,
 * machine, board, reset, front ends, resume. Each step can fail; what came before is undone.
 */
#include "core/accel/vcpu.h"
#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/trace.h"
#include "core/cpu/cpuid.h"
#include "core/debug/postmortem.h"
#include "core/main/expect.h"
#include "core/main/explain/explain.h"
#include "core/main/monitors.h"
#include "core/main/options.h"
#include "core/main/parts.h"
#include "core/main/registry.h"
#include "hw/flat/flat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* Where the virtual clock starts unless -rtc says otherwise: 2026-01-01 00:00:00 UTC. */
#define VIRTUAL_EPOCH_S 1767225600ll

/* All that one run owns. */
struct run {
    const struct config *config;
    const struct accel *accel, *next_accel; /* which, and who goes on where it cannot */
    struct machine machine;
    bool machine_up;
    struct parts parts;
    struct pc *pc;
    struct monitors monitors;
    const struct display_row *display;
    void *display_state;
    bool display_up;
    struct expect *expect;
    struct postmortem *postmortem;
    int signal_fd;
    FILE *log;
    bool pidfile_written;
};

/* ---- messages -------------------------------------------------------------------------------- */

/* What stands in front of a trace line. */
static void trace_context(void *opaque, struct trace_where *w)
{
    struct machine *m = opaque;
    struct vcpu *cpu = vcpu_running();
    struct x86_place place = {0};
    w->ns = clock_now(&m->clock);
    w->on_vcpu = cpu != NULL;
    if (cpu != NULL) {
        w->cpu = cpu->index;
        if (m->accel->place != NULL) {
            m->accel->place(cpu, &place);
        }
    }
    w->insns = cpu != NULL       ? m->accel->icount(cpu)
               : m->n_vcpus != 0 ? m->accel->icount(m->vcpus[0])
                                 : 0;
    w->has_place = place.known;
    w->cs = place.cs;
    w->ip = place.rip;
}

static bool start_messages(struct run *r, struct error **err)
{
    const struct config *c = r->config;
    log_enable(c->log_classes);
    trace_set_json(c->trace_json);
    for (unsigned i = 0; i < c->n_traces; i++) {
        if (trace_enable(c->traces[i], true) == 0) {
            return error_set(err, "-trace %s: no trace point has such a name", c->traces[i]);
        }
    }
    if (c->log_path != NULL) {
        r->log = fopen(c->log_path, "we");
        if (r->log == NULL) {
            return error_errno(err, errno, "-D %s", c->log_path);
        }
        log_set_file(r->log);
    }
    return true;
}

/* ---- the machine ----------------------------------------------------------------------------- */

static int64_t wall_start_ns(const struct config *c)
{
    if (c->rtc_base == RTC_DATE) {
        return c->rtc_date_s * NS_PER_SEC;
    }
    if (c->clock == CLOCK_VIRTUAL) {
        return VIRTUAL_EPOCH_S * NS_PER_SEC;
    }
    int64_t now = host_wall_ns();
    if (c->rtc_base == RTC_LOCALTIME) {
        struct tm tm;
        time_t s = (time_t)(now / NS_PER_SEC);
        now += localtime_r(&s, &tm) != NULL ? tm.tm_gmtoff * NS_PER_SEC : 0;
    }
    return now;
}

static void accel_gone(void *opaque)
{
    struct machine *m = opaque;
    if (m->accel->fini != NULL) {
        m->accel->fini(m);
    }
}

static void parts_gone(void *opaque)
{
    parts_close(opaque);
}

static bool build_machine(struct run *r, struct error **err)
{
    const struct config *c = r->config;
    struct machine *m = &r->machine;
    if (!machine_init(m, c->clock, wall_start_ns(c), err)) {
        return false;
    }
    r->machine_up = true;
    m->no_reboot = c->action.no_reboot;
    m->no_shutdown = c->action.no_shutdown;
    m->panic_action = c->action.panic;
    m->accel = r->accel;
    m->next_accel = r->next_accel;
    m->jit_check = c->jit_check;
    m->jit_perf = c->jit_perf;
    m->cpu_model = c->cpu_host            ? m->accel->host_model(err)
                   : c->cpu_model != NULL ? c->cpu_model
                                          : x86_model_default();
    m->cores = c->cores;
    m->threads = c->threads;
    if (m->cpu_model == NULL) {
        return error_prefix(err, "-cpu host");
    }
    if (m->accel->vm_init != NULL && !m->accel->vm_init(m, err)) {
        return false;
    }
    machine_on_fini(m, accel_gone, m);
    trace_set_context(trace_context, m);
    if (!parts_open(&r->parts, c, m, err)) {
        return false;
    }
    machine_on_fini(m, parts_gone, &r->parts); /* after all that the board adds */
    return true;
}

static bool build_board(struct run *r, struct error **err)
{
    const struct config *c = r->config;
    struct vcpu_rates rates = {.insn_ns = 30, .io_ns = 1000};
    if (c->flat.file != NULL) {
        struct flat_config flat = {.ram_bytes = c->ram_bytes, .console = r->parts.pc.com[0]};
        if (!flat_init(&r->machine, &flat, err)) {
            return false;
        }
        r->machine.access_limit = c->flat.exits;
    } else {
        r->pc = pc_init(&r->machine, &r->parts.pc, err);
        if (r->pc == NULL) {
            return false;
        }
    }
    if (!loaders_install(&r->parts.loaders, &r->machine, err)) {
        return false;
    }
    rates.insn_ns = c->insn_ns >= 0 ? c->insn_ns : rates.insn_ns;
    rates.io_ns = c->io_ns >= 0 ? c->io_ns : rates.io_ns;
    vcpu_set_rates(&r->machine, &rates);
    return true;
}

/* ---- front ends ------------------------------------------------------------------------------ */

static void signal_came(void *opaque, unsigned events)
{
    struct run *r = opaque;
    struct signalfd_siginfo info;
    if (read(r->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        machine_request_stop(&r->machine, CAUSE_HOST_SIGNAL, 0);
    }
}

/* SIGINT, SIGTERM and SIGHUP end the run in order: they are read in the main loop. */
static bool watch_signals(struct run *r, struct error **err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread is made, so that all inherit it */
    r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return r->signal_fd >= 0 || error_errno(err, errno, "signalfd");
}

static bool open_display(struct run *r, struct error **err)
{
    r->display = registry_display(r->config->display, err);
    if (r->display == NULL) {
        return false;
    }
    if (r->display->open != NULL && !r->display->open(&r->machine, &r->display_state, err)) {
        return error_prefix(err, "-display %s", r->display->name);
    }
    r->display_up = true;
    return true;
}

static bool write_pidfile(struct run *r, struct error **err)
{
    const char *path = r->config->pidfile;
    FILE *f = path != NULL ? fopen(path, "we") : NULL;
    if (path != NULL && f == NULL) {
        return error_errno(err, errno, "-pidfile %s", path);
    }
    if (f != NULL) {
        r->pidfile_written = true;
        fprintf(f, "%d\n", (int)getpid());
        if (fclose(f) != 0) {
            return error_errno(err, errno, "-pidfile %s", path);
        }
    }
    return true;
}

/* Who works with the running machine: signals, the script, the display. [locked] */
static bool open_front_ends(struct run *r, struct error **err)
{
    const struct config *c = r->config;
    r->postmortem = postmortem_new(&r->machine);
    loop_watch(&r->machine.loop, r->signal_fd, LOOP_IN, signal_came, r);
    if (c->script.n != 0) {
        r->expect = expect_new(&r->machine, &c->script, r->parts.pc.com[0], c->host_limit_ns, err);
        if (r->expect == NULL) {
            return false;
        }
        expect_start(r->expect);
    }
    if (c->image != NULL) {
        fprintf(stderr, "coldboot: %s is in %s\n", c->image, r->parts.image_drive);
    }
    return write_pidfile(r, err) && open_display(r, err) &&
           monitors_open(&r->monitors, &r->parts, c, r->pc, err);
}

/* ---- run and end ----------------------------------------------------------------------------- */

static bool start(struct run *r, struct error **err)
{
    struct machine *m = &r->machine;
    r->accel = registry_accel(r->config, &r->next_accel, err);
    if (r->accel == NULL || !start_messages(r, err) || !watch_signals(r, err) ||
        !build_machine(r, err) || !build_board(r, err)) {
        return false;
    }
    lock_take(&m->lock);
    machine_reset(m);
    bool ok = open_front_ends(r, err);
    if (ok && !r->config->paused) {
        resume_all_vcpus(m);
    }
    lock_drop(&m->lock);
    return ok;
}

/* The exit status, after the main loop has ended. */
static int conclude(struct run *r)
{
    struct machine *m = &r->machine;
    lock_take(&m->lock);
    pause_all_vcpus(m);
    int status = m->stop_request == CAUSE_TRIPLE_FAULT ? STATUS_TRIPLE_FAULT : m->stop_status;
    if (r->expect != NULL) {
        status = expect_finish(r->expect);
    }
    if (r->config->digest) {
        uint64_t insns = 0;
        for (unsigned i = 0; i < m->n_vcpus; i++) {
            insns += m->accel->icount(m->vcpus[i]);
        }
        printf("digest %016" PRIx64 " insns %" PRIu64 " ns %" PRId64 "\n", machine_digest(m), insns,
               clock_now(&m->clock));
    }
    lock_drop(&m->lock);
    return status;
}

static void close_run(struct run *r)
{
    if (r->display_up && r->display->close != NULL) {
        lock_take(&r->machine.lock);
        r->display->close(r->display_state);
        lock_drop(&r->machine.lock);
    }
    if (r->monitors.debug != NULL) {
        lock_take(&r->machine.lock);
        monitors_close(&r->monitors);
        lock_drop(&r->machine.lock);
    }
    postmortem_free(r->postmortem);
    expect_free(r->expect);
    trace_set_context(NULL, NULL);
    if (r->machine_up) {
        machine_fini(&r->machine);
    }
    if (r->pidfile_written) {
        unlink(r->config->pidfile);
    }
    if (r->signal_fd >= 0) {
        close(r->signal_fd);
    }
    if (r->log != NULL) {
        log_set_file(NULL);
        fclose(r->log);
    }
}

static int run_machine(const struct config *c, struct error **err)
{
    struct run *r = NEW(struct run);
    int status = STATUS_USAGE;
    r->config = c;
    r->signal_fd = -1;
    if (start(r, err)) {
        loop_run(&r->machine.loop);
        status = conclude(r);
    }
    close_run(r);
    free(r);
    return status;
}

/* "explain" in front: no machine at all. */
static int explain(int argc, char *const *argv, struct error **err)
{
    struct text out = {0};
    int status = explain_command(argc, argv, &out, err) ? STATUS_OK : STATUS_USAGE;
    fputs(text_str(&out), stdout);
    text_free(&out);
    return status;
}

int main(int argc, char **argv)
{
    struct config c;
    struct error *err = NULL;
    int status = STATUS_USAGE;
    if (argc > 1 && strcmp(argv[1], "explain") == 0) {
        status = explain(argc - 2, argv + 2, &err);
    } else if (options_parse(&c, argc, argv, &err)) {
        if (c.show != NULL) {
            c.show(stdout, c.show_name);
            status = STATUS_OK;
        } else {
            status = run_machine(&c, &err);
        }
        config_free(&c);
    }
    if (err != NULL) {
        log_error("%s", error_text(err));
        error_free(err);
    }
    if (fflush(stdout) != 0 && status == STATUS_OK) {
        log_error("standard output: %s", strerror(errno));
        status = STATUS_USAGE;
    }
    return status;
}
