/*
 * After SeaBIOS has used the whole machine, a reset gives every device and the processor the state
 * of a fresh start, apart from what hardware keeps (STATE_KEEPS) and from times, which are relative
 * to now.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/accel/vcpu.h"
#include "core/base/bits.h"
#include "core/cpu/cpuid.h"
#include "hw/pc/pc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEVICES 64

struct snapshot {
    struct state_buf device[MAX_DEVICES];
    struct x86_state cpu;
    struct state_buf cpu_fields;
};

static void take(struct machine *m, struct snapshot *s)
{
    unsigned n = 0;
    memset(s, 0, sizeof(*s));
    for (struct device *d = m->devices; d != NULL; d = d->next, n++) {
        assert_true(n < MAX_DEVICES);
        if (d->type->state != NULL) {
            state_save(&s->device[n], d->type->state, d->dev, &m->clock);
        }
    }
    m->accel->get_state(m->vcpus[0], &s->cpu);
    /* the TSC */
    s->cpu.tsc_offset += muldiv64((uint64_t)clock_now(&m->clock), VCPU_TSC_HZ, NS_PER_SEC);
    state_save(&s->cpu_fields, x86_state_fields, &s->cpu, &m->clock);
}

static void drop(struct snapshot *s)
{
    for (unsigned i = 0; i < MAX_DEVICES; i++) {
        state_buf_free(&s->device[i]);
    }
    state_buf_free(&s->cpu_fields);
}

/* How many devices differ; each is named. */
static unsigned differences(struct machine *m, const struct snapshot *a, const struct snapshot *b)
{
    unsigned n = 0, bad = 0;
    for (struct device *d = m->devices; d != NULL; d = d->next, n++) {
        if (d->type->state == NULL) {
            continue;
        }
        const char *field =
            state_differs(d->type->state, a->device[n].data, b->device[n].data, false);
        if (field != NULL) {
            print_message("%s: %s\n", d->id, field);
            bad++;
        }
    }
    const char *field =
        state_differs(x86_state_fields, a->cpu_fields.data, b->cpu_fields.data, false);
    if (field != NULL) {
        print_message("cpu: %s\n", field);
        bad++;
    }
    return bad;
}

static void stop(void *opaque)
{
    machine_request_stop(opaque, CAUSE_EXPECT, 0);
}

static void a_reset_after_the_whole_post_gives_the_state_of_a_fresh_start(void **state)
{
    struct machine m = {0};
    struct pc_config cfg;
    struct error *err = NULL;
    struct snapshot fresh, used, again;
    struct timer end;
    assert_true(machine_init(&m, CLOCK_VIRTUAL, 1767225600 * NS_PER_SEC, &err));
    pc_config_init(&cfg);
    cfg.ram_bytes = 16 * MiB;
    cfg.disks[2] = (struct pc_disk){.present = true, .cd = true};
    if (!firmware_load_bios(&cfg.bios, NULL, NULL, &err) ||
        !firmware_load(&cfg.vga_bios, NULL, FIRMWARE_VGABIOS, &err)) {
        print_message("skipped: %s\n", error_text(err));
        error_free(err);
        machine_fini(&m);
        skip();
    }
    m.accel = &interp_accel;
    m.cpu_model = x86_model_default();
    assert_true(m.accel->vm_init == NULL || m.accel->vm_init(&m, &err));
    assert_non_null(pc_init(&m, &cfg, &err));

    lock_take(&m.lock);
    machine_reset(&m);
    take(&m, &fresh);
    timer_init(&end, &m.clock, "end", stop, &m);
    timer_at(&end, 3 * NS_PER_SEC);
    resume_all_vcpus(&m);
    lock_drop(&m.lock);
    loop_run(&m.loop);

    lock_take(&m.lock);
    take(&m, &used);
    assert_true(differences(&m, &fresh, &used) > 8); /* the POST did something */
    m.stop_request = CAUSE_NONE;
    machine_reset(&m);
    take(&m, &again);
    print_message("after the reset these differ from a fresh start:\n");
    assert_int_equal(differences(&m, &fresh, &again), 0);
    lock_drop(&m.lock);
    drop(&fresh);
    drop(&used);
    drop(&again);
    machine_fini(&m);
    firmware_free(&cfg.bios);
    firmware_free(&cfg.vga_bios);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_after_the_whole_post_gives_the_state_of_a_fresh_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
