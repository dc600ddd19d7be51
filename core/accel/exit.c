#include "core/accel/exit.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- showing them ---------------------------------------------------------------------------- */

static const char *reason_name(const struct vcpu_exit *exit)
{
    static const char *const names[] = {
        [EXIT_KICKED] = "KVM_EXIT_INTR",
        [EXIT_IO] = "KVM_EXIT_IO",
        [EXIT_MMIO] = "KVM_EXIT_MMIO",
        [EXIT_HALT] = "KVM_EXIT_HLT",
        [EXIT_IRQ_WINDOW] = "KVM_EXIT_IRQ_WINDOW_OPEN",
        [EXIT_DEBUG] = "KVM_EXIT_DEBUG",
        [EXIT_SHUTDOWN] = "KVM_EXIT_SHUTDOWN",
    };
    if (exit->name != NULL) {
        return exit->name;
    }
    return exit->reason < ARRAY_SIZE(names) ? names[exit->reason] : NULL;
}

/* The value of an access of 1..8 bytes; a read has none before it was carried out. */
static int put_value(char *text, size_t size, bool write, const uint8_t *data, unsigned bytes)
{
    bytes = bytes <= 8 ? bytes : 8;
    return write ? snprintf(text, size, " data=0x%0*" PRIx64, (int)bytes * 2, ld_le(data, bytes))
                 : 0;
}

void vcpu_exit_text(const struct vcpu_exit *exit, char text[EXIT_TEXT])
{
    const char *name = reason_name(exit);
    int n = snprintf(text, EXIT_TEXT, "%s", name != NULL ? name : "");
    if (exit->reason == EXIT_IO) {
        n += snprintf(text + n, EXIT_TEXT - (size_t)n, " %s port=0x%x size=%u",
                      exit->io.out ? "out" : "in", exit->io.port, exit->io.size);
        if (exit->io.count != 1) {
            n += snprintf(text + n, EXIT_TEXT - (size_t)n, " count=%" PRIu32, exit->io.count);
        }
        put_value(text + n, EXIT_TEXT - (size_t)n, exit->io.out && exit->io.count != 0,
                  exit->io.data, exit->io.size);
    } else if (exit->reason == EXIT_MMIO) {
        n += snprintf(text + n, EXIT_TEXT - (size_t)n, " %s addr=0x%" PRIx64 " size=%u",
                      exit->mmio.write ? "write" : "read", exit->mmio.addr, exit->mmio.size);
        put_value(text + n, EXIT_TEXT - (size_t)n, exit->mmio.write, exit->mmio.data,
                  exit->mmio.size);
    }
}

static void show(const struct vcpu *cpu, const struct vcpu_exit *exit)
{
    char text[EXIT_TEXT];
    if (!vcpu_exits_shown()) {
        return;
    }
    vcpu_exit_text(exit, text);
    if (text[0] != '\0') {
        trace_vcpu_exit(cpu->index, text);
        if (log_enabled(LOG_EXITS)) {
            log_line(text);
        }
    }
}

void vcpu_show_asked(struct vcpu *cpu, const struct space *s, bool write, uint64_t addr,
                      uint64_t val, unsigned size)
{
    uint8_t data[8];
    bool port = s == &cpu->machine->ports;
    struct vcpu_exit exit = {.reason = port ? EXIT_IO : EXIT_MMIO};
    if (cpu->accel->exits_for_io) {
        return; /* the exit itself was shown */
    }
    st_le(data, val, sizeof(data));
    if (port) {
        exit.io.port = (uint16_t)addr;
        exit.io.size = (uint8_t)size;
        exit.io.out = write;
        exit.io.count = 1;
        exit.io.data = data;
    } else {
        exit.mmio.addr = addr;
        exit.mmio.size = (uint8_t)size;
        exit.mmio.write = write;
        exit.mmio.data = data;
    }
    show(cpu, &exit);
}

/* ---- carrying them out ----------------------------------------------------------------------- */

/* Ports: the items of a REP INS or OUTS, in bulk where the device can. */
static void carry_out_io(struct vcpu *cpu, const struct vcpu_exit *exit)
{
    struct space *ports = &cpu->machine->ports;
    unsigned size = exit->io.size, port = exit->io.port;
    uint32_t done = 0;
    if (exit->io.count > 1) {
        done = exit->io.out
                   ? vcpu_write_block(cpu, ports, port, exit->io.data, size, exit->io.count)
                   : vcpu_read_block(cpu, ports, port, exit->io.data, size, exit->io.count);
    }
    for (; done < exit->io.count; done++) {
        uint8_t *at = exit->io.data + (size_t)done * size;
        if (exit->io.out) {
            vcpu_write(cpu, ports, port, ld_le(at, size), size);
        } else {
            st_le(at, vcpu_read(cpu, ports, port, size), size);
        }
    }
}

static void carry_out_mmio(struct vcpu *cpu, const struct vcpu_exit *exit)
{
    struct space *mem = &cpu->machine->mem;
    unsigned size = exit->mmio.size;
    if (exit->mmio.write) {
        vcpu_write(cpu, mem, exit->mmio.addr, ld_le(exit->mmio.data, size), size);
    } else {
        st_le(exit->mmio.data, vcpu_read(cpu, mem, exit->mmio.addr, size), size);
    }
}

void vcpu_run(struct vcpu *cpu, struct vcpu_exit *exit)
{
    for (;;) {
        *exit = (struct vcpu_exit){.reason = EXIT_KICKED};
        cpu->accel->run(cpu, exit);
        bool wanted = atomic_load(&cpu->pending) & PEND_KICK;
        if (exit->reason != EXIT_KICKED || !wanted) {
            show(cpu, exit); /* being called out is no doing of the guest's */
        }
        switch (exit->reason) {
        case EXIT_IO:
            carry_out_io(cpu, exit);
            break;
        case EXIT_MMIO:
            carry_out_mmio(cpu, exit);
            break;
        case EXIT_IRQ_WINDOW:
            break; /* the accelerator injects on its way in */
        case EXIT_KICKED:
            if (wanted) {
                return;
            }
            break; /* an interrupt, say: nothing outside run */
        case EXIT_SLICE:
        case EXIT_HALT:
        case EXIT_DEBUG:
        case EXIT_SHUTDOWN:
        case EXIT_ERROR:
            return;
        }
    }
}

/* ---- when it cannot go on -------------------------------------------------------------------- */

/* What an accelerator keeps of a machine. */
struct holding {
    const struct accel *accel;
    void *vm;
    void *vcpus[MACHINE_MAX_VCPUS];
};

static void take_away(struct machine *m, struct holding *h)
{
    h->accel = m->accel;
    h->vm = m->accel_data;
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        h->vcpus[i] = m->vcpus[i]->accel_data;
    }
}

static void give_back(struct machine *m, const struct holding *h)
{
    m->accel = h->accel;
    m->accel_data = h->vm;
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        m->vcpus[i]->accel = h->accel;
        m->vcpus[i]->accel_data = h->vcpus[i];
    }
}

/* The first @n vCPUs of what m->accel has, and the rest of it. */
static void release(struct machine *m, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        m->accel->vcpu_fini(m->vcpus[i]);
    }
    if (m->accel->fini != NULL) {
        m->accel->fini(m);
    }
}

/* Makes the vCPUs anew with another accelerator. What m->accel had must be taken away before. */
static bool equip(struct machine *m, const struct accel *to, struct error **err)
{
    struct holding none = {.accel = to};
    give_back(m, &none);
    if (to->vm_init != NULL && !to->vm_init(m, err)) {
        return false;
    }
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        if (!to->vcpu_init(m->vcpus[i], err)) {
            release(m, i);
            return false;
        }
    }
    return true;
}

bool vcpus_move(struct machine *m, const char *why)
{
    struct holding before, after;
    struct error *err = NULL;
    struct x86_state *states = NEW_ARRAY(struct x86_state, m->n_vcpus);
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        m->accel->get_state(m->vcpus[i], &states[i]);
    }
    take_away(m, &before);
    bool ok = equip(m, m->next_accel, &err);
    if (ok) {
        take_away(m, &after);
        give_back(m, &before);
        release(m, m->n_vcpus);
        give_back(m, &after);
        m->next_accel = NULL;
        for (unsigned i = 0; i < m->n_vcpus; i++) {
            m->accel->set_state(m->vcpus[i], &states[i]);
            if (m->stops != NULL) {
                m->accel->debug_changed(m->vcpus[i]);
            }
        }
        log_warn("%s; %s goes on from here", why, m->accel->name);
    } else {
        give_back(m, &before);
        log_warn("%s cannot take over: %s", m->next_accel->name, error_text(err));
        error_free(err);
    }
    free(states);
    return ok;
}
