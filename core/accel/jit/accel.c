/*
 * The JIT as an accelerator: the interpreter's engine with a translator of blocks.
 */
#include "core/accel/jit/check.h"
#include "core/accel/jit/dump.h"
#include "core/accel/vcpu.h"

#include <inttypes.h>
#include <stdio.h>

static bool jit_probe(struct error **err)
{
#if defined(__x86_64__)
    struct codemem m;
    if (!codemem_init(&m, 4096, err)) {
        return false;
    }
    codemem_fini(&m);
    return true;
#else
    return error_set(err, "needs an x86-64 host");
#endif
}

static bool jit_vm_init(struct machine *m, struct error **err)
{
    return interp_accel.vm_init(m, err);
}

static void jit_vcpu_fini(struct vcpu *vcpu)
{
    jit_detach(vcpu->accel_data);
    interp_accel.vcpu_fini(vcpu);
}

static bool jit_vcpu_init(struct vcpu *vcpu, struct error **err)
{
    if (!interp_accel.vcpu_init(vcpu, err)) {
        return false;
    }
    if (!jit_attach(vcpu->accel_data, err)) {
        interp_accel.vcpu_fini(vcpu);
        return false;
    }
    struct jit *j = jit_of(vcpu->accel_data);
    struct machine *m = vcpu->machine;
    if (m->jit_perf && !jit_perf_open(j, vcpu->index == 0, err)) {
        jit_vcpu_fini(vcpu);
        return false;
    }
    if (m->jit_check) {
        check_new(j, m->clock.driver == CLOCK_VIRTUAL ? NULL : &m->lock);
    }
    return true;
}

static void jit_run(struct vcpu *vcpu, struct vcpu_exit *exit)
{
    const struct check *c = jit_of(vcpu->accel_data)->check;
    interp_accel.run(vcpu, exit);
    if (c && c->failed) {
        *exit = (struct vcpu_exit){.reason = EXIT_ERROR};
        snprintf(exit->error.text, sizeof(exit->error.text),
                 "check=on found a wrong translation, in run %" PRIu64, c->trials);
    }
}

static void jit_kick(struct vcpu *vcpu)
{
    struct interp *e = vcpu->accel_data;
    interp_accel.kick(vcpu);
    e->translator->kick(e);
}

static void jit_slice_changed(struct vcpu *vcpu)
{
    interp_accel.slice_changed(vcpu);
}

static uint64_t jit_icount(struct vcpu *vcpu)
{
    return interp_accel.icount(vcpu);
}

static void jit_get_state(struct vcpu *vcpu, struct x86_state *out)
{
    interp_accel.get_state(vcpu, out);
}

static void jit_set_state(struct vcpu *vcpu, const struct x86_state *in)
{
    interp_accel.set_state(vcpu, in);
}

static void jit_view_changed(struct machine *m, struct space *s, const struct view *old,
                             const struct view *now)
{
    interp_accel.view_changed(m, s, old, now);
}

/* While somebody debugs, nothing translated is entered (may_enter of engine.c): stops, steps and
 * watched memory are the interpreter's own. */
static void jit_debug_changed(struct vcpu *vcpu)
{
    interp_accel.debug_changed(vcpu);
}

static void jit_history(struct vcpu *vcpu, struct x86_history *out)
{
    interp_accel.history(vcpu, out);
}

static void jit_describe(struct vcpu *vcpu, const uint64_t *lin, struct text *out)
{
    const struct jit *j = jit_of(vcpu->accel_data);
    if (!lin) {
        jit_show_stats(j, out);
        return;
    }
    const struct jit_block *shown = NULL;
    for (const struct jit_block *jb = NULL; (jb = jit_next_block(j, jb));) {
        uint64_t start = j->contexts[jb->context].cs_base + jb->rip;
        if (jb->head != shown && jb->head->block && *lin >= start &&
            *lin < start + jb->block->bytes) {
            jit_dump(j, jb->head, out);
            shown = jb->head;
        }
    }
}

static void jit_place(struct vcpu *vcpu, struct x86_place *out)
{
    interp_accel.place(vcpu, out);
}

static void jit_fini(struct machine *m)
{
    interp_accel.fini(m);
}

const struct accel jit_accel = {
    .name = "jit",
    .counts_insns = true,
    .parallel = true,
    .probe = jit_probe,
    .vm_init = jit_vm_init,
    .view_changed = jit_view_changed,
    .vcpu_init = jit_vcpu_init,
    .vcpu_fini = jit_vcpu_fini,
    .run = jit_run,
    .kick = jit_kick,
    .slice_changed = jit_slice_changed,
    .icount = jit_icount,
    .debug_changed = jit_debug_changed,
    .history = jit_history,
    .describe = jit_describe,
    .place = jit_place,
    .get_state = jit_get_state,
    .set_state = jit_set_state,
    .fini = jit_fini,
};
