/*
 * Executed instructions as trace points.
 *
 * Model:  while one of them is on, each block is left behind its first instruction; nothing else
 *         changes, so that a run on the virtual clock is the same. An instruction's line comes when
 * it is over, with the registers that it changed; one that faults has its line before the fault's.
 */
#include "core/accel/interp/engine.h"
#include "core/base/bits.h"
#include "core/cpu/disasm.h"
#include "trace/core_accel_interp.h"

#include <stdio.h>

enum { CHANGES_TEXT = 400 };

bool interp_traces(void)
{
    return trace_on(interp_insn) || trace_on(interp_state);
}

/* "eax", "rax", "r8" */
static const char *gpr_name(unsigned n, bool wide)
{
    static const char *const narrow[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    static const char *const all[16] = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
    };
    return wide || n >= ARRAY_SIZE(narrow) ? all[n] : narrow[n];
}

static const char *const seg_names[6] = {
    [S_ES] = "es", [S_CS] = "cs", [S_SS] = "ss", [S_DS] = "ds", [S_FS] = "fs", [S_GS] = "gs",
};

/* All registers, as one line. */
static void put_state(struct x86_cpu *cpu)
{
    char line[CHANGES_TEXT + 200];
    bool wide = cpu->mode & MODE_CS64;
    int n = 0;
    for (unsigned i = 0; i < (wide ? 16 : 8); i++) {
        n += snprintf(line + n, sizeof(line) - (size_t)n, "%s=%0*llx ", gpr_name(i, wide),
                      wide ? 16 : 8, (unsigned long long)cpu->s.gpr[i]);
    }
    for (unsigned i = 0; i < 6; i++) {
        n += snprintf(line + n, sizeof(line) - (size_t)n, "%s=%04x ", seg_names[i],
                      cpu->s.seg[i].sel);
    }
    snprintf(line + n, sizeof(line) - (size_t)n, "eflags=%08x cr0=%08x cr3=%08llx",
             (unsigned)x86_get_rflags(cpu), (unsigned)cpu->s.cr0, (unsigned long long)cpu->s.cr3);
    trace_interp_state(line);
}

void interp_trace_begin(struct interp *e, const struct block *b)
{
    struct interp_traced *t = &e->traced;
    struct x86_cpu *cpu = &e->cpu;
    t->open = true;
    t->bits = cpu->mode & MODE_CS64 ? 64 : cpu->mode & MODE_CS32 ? 32 : 16;
    t->len = block_code(e, b, t->bytes);
    t->rip = cpu->s.rip;
    memcpy(t->gpr, cpu->s.gpr, sizeof(t->gpr));
    t->rflags = x86_get_rflags(cpu);
    for (unsigned i = 0; i < 6; i++) {
        t->sel[i] = cpu->s.seg[i].sel;
    }
    if (trace_on(interp_state)) {
        put_state(cpu);
    }
}

static void put_changes(struct x86_cpu *cpu, const struct interp_traced *t,
                        char changes[CHANGES_TEXT])
{
    bool wide = t->bits == 64;
    int n = 0;
    changes[0] = '\0';
    for (unsigned i = 0; i < 16; i++) {
        if (cpu->s.gpr[i] != t->gpr[i]) {
            n += snprintf(changes + n, CHANGES_TEXT - (size_t)n, " %s=%llx", gpr_name(i, wide),
                          (unsigned long long)cpu->s.gpr[i]);
        }
    }
    for (unsigned i = 0; i < 6; i++) {
        if (cpu->s.seg[i].sel != t->sel[i]) {
            n += snprintf(changes + n, CHANGES_TEXT - (size_t)n, " %s=%04x", seg_names[i],
                          cpu->s.seg[i].sel);
        }
    }
    uint64_t rflags = x86_get_rflags(cpu);
    if (((rflags ^ t->rflags) & ~(uint64_t)FL_RF) != 0) {
        snprintf(changes + n, CHANGES_TEXT - (size_t)n, " eflags=%x", (unsigned)rflags);
    }
}

void interp_trace_end(struct interp *e)
{
    struct interp_traced *t = &e->traced;
    char bytes[2 * INSN_MAX_BYTES + 1] = "", text[DISASM_TEXT] = "?", changes[CHANGES_TEXT];
    if (!t->open) {
        return;
    }
    t->open = false;
    for (unsigned i = 0; i < t->len; i++) {
        snprintf(bytes + 2 * i, sizeof(bytes) - 2 * i, "%02x", t->bytes[i]);
    }
    if (t->len != 0) {
        disasm(t->bytes, t->len, t->bits, t->rip, text);
    }
    put_changes(&e->cpu, t, changes);
    e->traced.ended = true; /* the line is about where it began */
    trace_interp_insn(bytes, text, changes[0] != '\0' ? " ; " : "",
                      changes[0] != '\0' ? changes + 1 : "");
    e->traced.ended = false;
}
