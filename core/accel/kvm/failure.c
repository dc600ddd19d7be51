/*
 * What to say when KVM cannot go on: why, and at which instruction.
 *
 * Source: [KVM] KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_FAIL_ENTRY, KVM_EXIT_SYSTEM_EVENT, KVM_TRANSLATE.
 */
#include "core/accel/kvm/kvm.h"

#include "core/base/bits.h"
#include "core/base/text.h"
#include "core/cpu/disasm.h"

#include <inttypes.h>
#include <stdio.h>

static unsigned code_bits(const struct x86_state *s)
{
    if ((s->efer & EFER_LMA) && (s->seg[S_CS].attr & AR_L)) {
        return 64;
    }
    return s->seg[S_CS].attr & AR_DB ? 32 : 16;
}

/* Reads up to @max bytes at a linear address, through the guest's page tables; returns how many. */
static unsigned read_code(struct vcpu *cpu, uint64_t lin, uint8_t *code, unsigned max)
{
    struct machine *m = cpu->machine;
    unsigned n = 0;
    while (n < max) {
        struct kvm_translation tr = {.linear_address = lin + n};
        unsigned part = (unsigned)min_u64(max - n, 4096 - ((lin + n) & 4095));
        if (kvm_sys->ioctl(kvm_vcpu_of(cpu)->fd, KVM_TRANSLATE, &tr) < 0 || !tr.valid) {
            break;
        }
        lock_take(&m->lock);
        bool there = space_read_bytes(&m->mem, tr.physical_address, code + n, part) == part;
        lock_drop(&m->lock);
        if (!there) {
            break;
        }
        n += part;
    }
    return n;
}

/* " at CS:RIP: BYTES: TEXT" of the instruction that the guest is at. */
static void add_instruction(struct vcpu *cpu, struct text *t, const uint8_t *code, unsigned n)
{
    struct x86_state s;
    uint8_t read[DISASM_MAX_BYTES];
    char text[DISASM_TEXT];
    kvm_get_state(cpu, &s);
    uint64_t lin = s.seg[S_CS].base + s.rip;
    if (code_bits(&s) != 64) {
        lin &= 0xffffffff;
    }
    if (n == 0) {
        code = read;
        n = read_code(cpu, lin, read, sizeof(read));
    }
    text_printf(t, " at %04x:%0*" PRIx64, s.seg[S_CS].sel, code_bits(&s) == 16 ? 4 : 8, s.rip);
    if (n == 0) {
        text_printf(t, " (linear %" PRIx64 "), where no code can be read", lin);
        return;
    }
    unsigned len = disasm(code, n, code_bits(&s), s.rip, text);
    text_printf(t, ":");
    for (unsigned i = 0; i < len; i++) {
        text_printf(t, " %02x", code[i]);
    }
    text_printf(t, ": %s", text);
}

static void add_internal(struct vcpu *cpu, struct text *t)
{
    static const char *const names[] = {
        [KVM_INTERNAL_ERROR_EMULATION] = "it cannot emulate the instruction",
        [KVM_INTERNAL_ERROR_SIMUL_EX] = "two exceptions at once",
        [KVM_INTERNAL_ERROR_DELIVERY_EV] = "an exit while an event was delivered",
        [KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "an exit that it does not know",
    };
    const struct kvm_run *run = kvm_vcpu_of(cpu)->run;
    uint32_t code = run->internal.suberror;
    text_printf(t, "internal error %" PRIu32, code);
    if (code < ARRAY_SIZE(names) && names[code] != NULL) {
        text_printf(t, " (%s)", names[code]);
    }
    if (code == KVM_INTERNAL_ERROR_EMULATION && run->emulation_failure.ndata >= 3 &&
        (run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)) {
        unsigned n = (unsigned)min_u64(run->emulation_failure.insn_size, DISASM_MAX_BYTES);
        add_instruction(cpu, t, run->emulation_failure.insn_bytes, n);
        return;
    }
    for (unsigned i = 0; i < min_u64(run->internal.ndata, 4); i++) {
        text_printf(t, "%s%" PRIx64, i == 0 ? ", data " : " ", (uint64_t)run->internal.data[i]);
    }
    add_instruction(cpu, t, NULL, 0);
}

void kvm_failure(struct vcpu *cpu, struct vcpu_exit *exit)
{
    const struct kvm_run *run = kvm_vcpu_of(cpu)->run;
    struct text t = {0};
    exit->reason = EXIT_ERROR;
    exit->error.movable = false;
    text_printf(&t, "KVM: ");
    switch (run->exit_reason) {
    case KVM_EXIT_INTERNAL_ERROR:
        exit->name = "KVM_EXIT_INTERNAL_ERROR";
        add_internal(cpu, &t);
        exit->error.movable = kvm_vcpu_of(cpu)->failure[0] == '\0';
        break;
    case KVM_EXIT_FAIL_ENTRY:
        exit->name = "KVM_EXIT_FAIL_ENTRY";
        text_printf(&t, "the processor refuses to enter the guest, reason 0x%" PRIx64,
            (uint64_t)run->fail_entry.hardware_entry_failure_reason);
        add_instruction(cpu, &t, NULL, 0);
        exit->error.movable = kvm_vcpu_of(cpu)->failure[0] == '\0';
        break;
    case KVM_EXIT_SYSTEM_EVENT:
        text_printf(&t, "system event %" PRIu32, run->system_event.type);
        break;
    case KVM_EXIT_UNKNOWN:
        exit->name = "KVM_EXIT_UNKNOWN";
        text_printf(&t, "unknown hardware exit 0x%" PRIx64, (uint64_t)run->hw.hardware_exit_reason);
        add_instruction(cpu, &t, NULL, 0);
        break;
    default:
        exit->name = "an exit without a name here";
        text_printf(&t, "exit %" PRIu32 ", which nothing here asked for", run->exit_reason);
        add_instruction(cpu, &t, NULL, 0);
        break;
    }
    snprintf(exit->error.text, sizeof(exit->error.text), "%s", text_str(&t));
    text_free(&t);
}
