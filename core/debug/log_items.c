/* The items; names are QEMU's where QEMU has such an item. */
#include "core/debug/log_items.h"

#include "core/base/log.h"

#include <stdio.h>
#include <string.h>

const struct log_item log_items[] = {
    {"guest_errors", NULL, LOG_GUEST, "the guest broke a rule of the hardware"},
    {"unimp", NULL, LOG_UNIMP, "the guest used something that this machine lacks"},
    {"exits", NULL, LOG_EXITS, "each time the CPU was left, in KVM's words"},
    {"jit", NULL, LOG_JIT, "what the translator did, at the end"},
    {"jit_code", NULL, LOG_JIT_CODE, "each translation: the guest's code and the host's"},
    {"in_asm", "interp_insn", 0, "each instruction, with the registers that it changed"},
    {"exec", "interp_insn", 0, "the same"},
    {"cpu", "interp_insn interp_state", 0, "the same, and all registers before it"},
    {"int", "trap_* vcpu_intr task_switch", 0, "interrupts and exceptions"},
    {"mode", "system_mode smm_*", 0, "changes of the CPU's mode"},
    {"cr", "system_cr msr_write", 0, "writes of control registers and MSRs"},
    {"cpu_reset", "machine_reset piix3_reset trap_shutdown", 0, "resets and triple faults"},
    {"io", "port_*", 0, "port accesses"},
    {"mmio", "mmio_*", 0, "accesses of devices in memory"},
    {"pci", "pci_*", 0, "PCI configuration"},
    {"cmos", "mc146818_*", 0, "CMOS and real time clock"},
    {"fw_cfg", "fw_cfg_*", 0, "what firmware reads of the configuration"},
    {"irq", "i8259_line i8259_acknowledge ioapic_input lapic_accept piix3_irq pci_intx", 0,
     "edges of interrupt lines"},
    {"pam", "pmc_*", 0, "shadow memory and SMRAM"},
    {"a20", "piix3_a20 i8042_a20", 0, "address line 20"},
    {NULL, NULL, 0, NULL},
};

const struct log_item *log_item_find(const char *name)
{
    for (const struct log_item *i = log_items; i->name != NULL; i++) {
        if (strcmp(i->name, name) == 0) {
            return i;
        }
    }
    return NULL;
}

void log_items_list(struct text *out)
{
    for (const struct log_item *i = log_items; i->name != NULL; i++) {
        text_printf(out, "%-15s %s\n", i->name, i->help);
    }
    text_printf(out, "%-15s %s\n", "trace:PATTERN",
                "trace points by shell pattern, as with -trace");
}

void log_item_points(const struct log_item *item, void (*each)(void *opaque, const char *pattern),
                     void *opaque)
{
    for (const char *p = item->points; p != NULL && *p != '\0';) {
        char pattern[64];
        size_t len = strcspn(p, " ");
        snprintf(pattern, sizeof(pattern), "%.*s", (int)len, p);
        each(opaque, pattern);
        p += len;
        p += strspn(p, " ");
    }
}
